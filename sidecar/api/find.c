/* find.c - what an operator or a client looks for without an id: the saga of a request_id, and how the sidecar is. */
#include "sidecar/api/api_inside.h"

#include "sidecar/engine/saga.h"

static int no_saga(struct error_detail *detail)
{
    return error_set(detail, E_SAGA_NOT_FOUND, "request_id",
                     "no saga was started with this request_id, or it is kept no more");
}

/* Of what the caller may not see, it is told nothing. */
static int answer_found(struct api *api, struct read *read, struct saga_id id, struct bytes name, struct bytes owner,
                        struct error_detail *detail)
{
    Saga__V1__FindResponse response = SAGA__V1__FIND_RESPONSE__INIT;
    if (!permit_shows(api, read->request.call, METHOD_FIND, name,
                      permit_owns(rpc_call_peer(read->request.call), owner)))
        return no_saga(detail);
    response.saga_id = arena_take(read->arena, SAGA_ID_TEXT_SIZE);
    if (response.saga_id == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    saga_id_format(id, response.saga_id);
    api_answer(api, read->request.call, &response.base);
    return 0;
}

int find_request(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__FindRequest *m = message;
    struct bytes request_id = bytes_of_text(m->request_id);
    struct ended_row row;
    if (request_id.size == 0 || request_id.size > REQUEST_ID_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "request_id", "1 to 128 bytes");
    const struct saga *live = engine_find_request(core_engine(api->core), request_id);
    if (live != NULL && live->first_position <= core_durable(api->core))
        return answer_found(api, read, live->id, live->name, live->owner, detail);
    int code = live != NULL ? E_SAGA_NOT_FOUND : api->store->find_request(api->store, request_id, &row, detail);
    if (code == E_SAGA_NOT_FOUND)
        return no_saga(detail);
    return code == 0 ? answer_found(api, read, row.saga, row.name, row.owner, detail) : code;
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
