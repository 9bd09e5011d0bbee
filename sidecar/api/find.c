/* find.c - what an operator or a client looks for without an id: the saga of a request_id, and how the sidecar is. */
#include "sidecar/api/api_inside.h"

#include "sidecar/engine/saga.h"

static int no_saga(struct error_detail *detail)
{
    return error_set(detail, E_SAGA_NOT_FOUND, "request_id",
                     "no saga was started with this request_id, or it is kept no more");
}

/* Of what the caller may not see, it is told nothing. */
static int answer_found(struct api *api, struct read *read, struct saga_id id, const struct authz_about *about,
                        struct error_detail *detail)
{
    Saga__V1__FindResponse response = SAGA__V1__FIND_RESPONSE__INIT;
    if (!permit_shows(api, read->request.call, METHOD_FIND, about))
        return no_saga(detail);
    response.saga_id = arena_take(read->arena, SAGA_ID_TEXT_SIZE);
    if (response.saga_id == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    saga_id_format(id, response.saga_id);
    api_answer(api, read->request.call, &response.base);
    return 0;
}

static int answer_ended(struct api *api, struct read *read, const struct ended_row *row, struct error_detail *detail)
{
    struct saga_id id = row->saga;
    struct authz_about about = {.own = permit_owns(rpc_call_peer(read->request.call), row->owner)};
    int code = 0;
    /* The row's texts are gone once its tags are read. */
    char *name = arena_text(read->arena, row->name);
    about.definition = bytes_of_text(name != NULL ? name : "");
    if (name == NULL)
        code = error_set(detail, E_MEMORY, "", NULL);
    else if (permit_any_tags(api))
        code = reads_tags(api, row->first_frame, id.serial, &about.tags, detail);
    return code == 0 ? answer_found(api, read, id, &about, detail) : code;
}

/* What was begun with it by whom scope says: answers, or returns E_SAGA_NOT_FOUND or another error. */
static int find_by(struct api *api, struct read *read, struct bytes request_id, struct bytes scope,
                   struct error_detail *detail)
{
    struct ended_row row;
    const struct saga *live = engine_find_request(core_engine(api->core), request_id, scope);
    if (live != NULL && live->first_position <= core_durable(api->core)) {
        const struct authz_about about = {.definition = live->name,
                                          .tags = live->tags,
                                          .own = permit_owns(rpc_call_peer(read->request.call), live->owner)};
        return answer_found(api, read, live->id, &about, detail);
    }
    int code = live != NULL ? E_SAGA_NOT_FOUND : api->store->find_request(api->store, request_id, scope, &row, detail);
    if (code == E_SAGA_NOT_FOUND)
        return no_saga(detail);
    return code == 0 ? answer_ended(api, read, &row, detail) : code;
}

int find_request(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__FindRequest *m = message;
    char identity[IDENTITY_TEXT_SIZE];
    struct bytes request_id = bytes_of_text(m->request_id), nobody = bytes_of(NULL, 0);
    if (request_id.size == 0 || request_id.size > REQUEST_ID_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "request_id", "1 to 128 bytes");
    /* With rules each has request_ids of its own; where it has none of this name, another's may be for it to see. */
    struct bytes own =
        api->options.authz->given ? permit_identity(rpc_call_peer(read->request.call), identity) : nobody;
    int code = own.size == 0 ? E_SAGA_NOT_FOUND : find_by(api, read, request_id, own, detail);
    return code == E_SAGA_NOT_FOUND ? find_by(api, read, request_id, nobody, detail) : code;
}

int find_status(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    Saga__V1__StatusResponse response = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT;
    Saga__V1__LoopStatus *loops[] = {&loop};
    (void)message;
    response.n_loops = 1;
    response.loops = loops;
    if (!api->options.status(api->options.self, read->arena, &loop))
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}
