/* asked.c - the question that a list is narrowed by. */
#include "sidecar/api/api_inside.h"

#include "sidecar/core/heap.h"
#include "sidecar/engine/saga.h"

int asked_open(struct read *read, const char *text, struct error_detail *detail)
{
    if (text[0] == '\0' || read->where != NULL)
        return 0;
    return where_compile(bytes_of_text(text), &heap, &read->where, detail);
}

int asked_live(struct api *api, struct read *read, const struct saga *saga, uint64_t last_frame, bool *matches,
               struct error_detail *detail)
{
    *matches = true;
    if (read->where == NULL)
        return 0;
    struct where_view view = where_view_of(saga);
    if ((where_states(read->where) >> saga->state & 1) == 0) {
        *matches = false;
        return 0;
    }
    int code = 0;
    if (saga->state == SAGA_STUCK && where_needs_status(read->where))
        code = timeline_last_status(api->core, saga, last_frame, core_durable(api->core) + 1, &view.status, detail);
    return code != 0 ? code : where_asks(read->where, &view, api_now(api), matches, detail);
}

static struct instant instant_of(const Google__Protobuf__Timestamp *t)
{
    return t == NULL ? (struct instant){0} : (struct instant){.us = t->seconds * 1000000 + t->nanos / 1000};
}

int asked_ended(struct api *api, struct read *read, const Saga__V1__Saga *saga, struct bytes tags, bool *matches,
                struct error_detail *detail)
{
    struct where_view view = {
        .definition = bytes_of_text(saga->definition),
        .version = bytes_of_text(saga->version),
        .request_id = bytes_of_text(saga->request_id),
        .tags = tags,
        .mode = (uint8_t)saga->mode,
        .state = (uint8_t)saga->state,
        .reason = (uint8_t)saga->reason,
        .synthetic = saga->synthetic,
        .status = -1,
        .degraded = saga->n_lacks > 0,
        .started_at = instant_of(saga->started_at),
        .ended_at = instant_of(saga->ended_at),
    };
    *matches = true;
    if (read->where == NULL)
        return 0;
    saga_id_parse(saga->id, strlen(saga->id), &view.id);
    return where_asks(read->where, &view, api_now(api), matches, detail);
}
