/* reads.c - the queue of those who only look. They are shown what is there right after a commit, when everything in memory is durable. While
 * the journal takes nothing memory is ahead of it: then a saga that has gone on meanwhile is shown as the journal has it.
 *
 * A read has a first try of a fraction of a millisecond, which is enough for most. What is not done by then begins anew among the long ones,
 * which are gone on with one after another, in pieces, in the time that a turn has for it: so a short read waits for no long one, and
 * everything else that the loop does for two milliseconds at most: a saga's way through several turns meets that in each. */
#include "sidecar/api/api_inside.h"

#include "sidecar/base/account.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_SIZE_MAX 1000

/* What a first try may take, what all first tries of a turn may take together, and the piece of a long read. */
#define TRY_MAX   ((struct span){.us = 500})
#define TRIES_MAX SPAN_MS(1)
#define PIECE_MAX SPAN_MS(1)

/* ---- what reads share ---- */

int api_page_size(int32_t asked, size_t *size, struct error_detail *detail)
{
    *size = asked <= 0 || asked > PAGE_SIZE_MAX ? API_PAGE_SIZE_DEFAULT : (size_t)asked;
    if (asked < 0 || asked > PAGE_SIZE_MAX)
        return error_set(detail, E_ARGUMENT, "page_size", "at most 1000; 0 takes 100");
    return 0;
}

/* A token is where the page before ended, in hexadecimal. */
int reads_page_token(const char *token, uint64_t first, uint64_t *at, struct error_detail *detail)
{
    char again[20];
    *at = first;
    if (token[0] == '\0')
        return 0;
    if (sscanf(token, "%16" SCNx64, at) == 1 && snprintf(again, sizeof again, "%" PRIx64, *at) > 0 &&
        strcmp(again, token) == 0)
        return 0;
    return error_set(detail, E_ARGUMENT, "page_token", "not a token of an earlier page");
}

int reads_time(const Google__Protobuf__Timestamp *t, struct instant unset, const char *field, struct instant *out,
               struct error_detail *detail)
{
    *out = unset;
    if (t == NULL)
        return 0;
    if (t->seconds < 0 || t->seconds > INT64_C(253402300799) || t->nanos < 0 || t->nanos > 999999999)
        return error_set(detail, E_ARGUMENT, field, "not a time since 1970");
    out->us = t->seconds * 1000000 + t->nanos / 1000;
    return 0;
}

int reads_find(struct api *api, struct saga_id id, struct found *out, struct error_detail *detail)
{
    out->live = engine_find(core_engine(api->core), id.serial);
    if (out->live != NULL) {
        out->last_frame = out->live->position;
        return saga_id_equal(out->live->id, id) ? 0 : error_set(detail, E_SAGA_NOT_FOUND, "saga_id", NULL);
    }
    int code = api->store->find_ended(api->store, id.serial, &out->ended, detail);
    if (code != 0)
        return code == E_SAGA_NOT_FOUND ? error_set(detail, E_SAGA_NOT_FOUND, "saga_id", NULL) : code;
    out->last_frame = out->ended.last_frame;
    return saga_id_equal(out->ended.saga, id) ? 0 : error_set(detail, E_SAGA_NOT_FOUND, "saga_id", NULL);
}

int reads_tags(struct api *api, uint64_t frame, uint64_t serial, struct bytes *tags, struct error_detail *detail)
{
    struct bytes rest;
    *tags = bytes_of(NULL, 0);
    int code = core_read_frame(api->core, frame, &rest, detail);
    if (code != 0)
        return code == E_CURSOR ? 0 : code;
    while (rest.size > 0) {
        struct bytes here = rest;
        struct record r;
        uint64_t of, previous;
        if (codec_skip(&rest, &of) != 0)
            return error_set(detail, E_JOURNAL_CORRUPT, "", "a frame cannot be read");
        if (of != serial || codec_type(here) != RECORD_STARTED)
            continue;
        code = codec_decode(&here, &r, &previous, detail);
        if (code == 0)
            *tags = r.tags;
        return code;
    }
    return 0;
}

int reads_show(struct api *api, struct arena *arena, const struct saga *saga, struct shown *out,
               struct error_detail *detail)
{
    struct timeline timeline;
    uint64_t durable = core_durable(api->core);
    *out = (struct shown){.saga = saga};
    if (saga->position <= durable)
        return 0;
    const struct timeline_query query = {
        .serial = saga->id.serial, .last_frame = saga->position, .hidden_from = durable + 1};
    int code = timeline_load(api->core, &query, arena, &timeline, detail);
    out->saga = NULL;
    if (code != 0 || (timeline.count == 0 && !timeline.truncated))
        return code;
    if (timeline.truncated)
        return error_set(detail, E_JOURNAL_FULL, "saga_id",
                         "the saga can be shown once the journal takes what it waits for");
    code = timeline_replay(&timeline, saga->definition, &out->replayed, detail);
    if (code == 0)
        out->saga = engine_find(out->replayed, saga->id.serial);
    return code;
}

/* ---- the queue ---- */

static void queue_init(struct read_queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

void reads_init(struct api *api)
{
    queue_init(&api->reads);
    queue_init(&api->long_reads);
    arena_init(&api->long_arena);
}

void reads_finish(struct api *api)
{
    arena_finish(&api->long_arena);
}

static void put(struct read_queue *q, struct read *read)
{
    read->next = NULL;
    *q->last = read;
    q->last = &read->next;
}

static struct read *take(struct read_queue *q)
{
    struct read *read = q->first;
    if (read != NULL && (q->first = read->next) == NULL)
        q->last = &q->first;
    return read;
}

static void free_read(struct read *read)
{
    account_sub(&account.lives, read->body.size);
    free((void *)(uintptr_t)read->body.at);
    where_destroy(read->where);
    free(read);
}

static void refuse(struct api *api, struct read *read, int code, const struct error_detail *detail)
{
    api_refuse(api, read->request.call, code, detail);
    free_read(read);
}

void reads_message(struct api *api, struct rpc_call *call, struct bytes message)
{
    if (!account_takes_request(message.size)) {
        api_refuse(api, call, E_BYTES, NULL);
        return;
    }
    struct read *read = calloc(1, sizeof *read);
    void *body = read == NULL || message.size == 0 ? NULL : malloc(message.size);
    if (read == NULL || (body == NULL && message.size > 0)) {
        free(read);
        api_refuse(api, call, E_MEMORY, NULL);
        return;
    }
    if (message.size > 0)
        memcpy(body, message.at, message.size);
    read->request =
        (struct request){.kind = REQUEST_READ, .method = (enum method_id)rpc_call_method(call)->id, .call = call};
    read->body = bytes_of(body, message.size);
    account_add(&account.lives, message.size);
    rpc_call_set_owner(call, &read->request);
    put(&api->reads, read);
}

static int unpack(struct api *api, struct read *read, struct error_detail *detail)
{
    const struct method *method = &methods[read->request.method];
    int code = api_check(api, read->request.method, read->body, detail);
    if (code != 0)
        return code;
    read->message = protobuf_c_message_unpack(method->request, &read->arena->allocator, read->body.size, read->body.at);
    return read->message != NULL ? 0 : api_unreadable(read->request.method, detail);
}

/* Gives the read time until `until`. Returns whether it is over and gone. */
static bool go_on(struct api *api, struct read *read, struct span piece)
{
    struct error_detail detail;
    int code = 0;
    api->work_until = instant_after(api_now(api), piece);
    if (read->cancelled)
        code = error_set(&detail, E_STOPPING, "", "nobody waits for the answer any more");
    if (code == 0 && store_holds(api->store, &detail) != 0)
        code = E_JOURNAL_AWAY; /* another may have the journal by now, and have gone on with it */
    if (code == 0 && read->message == NULL)
        code = unpack(api, read, &detail);
    if (code == 0 && !read->permitted) {
        code = permit_request(api, read->request.call, read->request.method, read->message, &read->limited, &detail);
        read->permitted = code == 0;
    }
    if (code == 0)
        code = methods[read->request.method].read(api, read, read->message, &detail);
    if (code == READ_MORE)
        return false;
    if (code != 0)
        refuse(api, read, code, &detail);
    else
        free_read(read);
    return true;
}

static void run_tries(struct api *api)
{
    struct instant until = instant_after(api_now(api), TRIES_MAX);
    while (api->reads.first != NULL && instant_before(api_now(api), until)) {
        struct read *read = take(&api->reads);
        read->arena = &api->arena;
        arena_reset(read->arena);
        if (go_on(api, read, TRY_MAX))
            continue;
        read->arena = NULL;
        read->message = read->state = NULL;
        put(&api->long_reads, read);
    }
}

static void run_long(struct api *api)
{
    struct instant until = instant_after(api_now(api), PIECE_MAX);
    while (api->long_reads.first != NULL && instant_before(api_now(api), until)) {
        struct read *read = api->long_reads.first;
        if (read->arena == NULL) {
            read->arena = &api->long_arena;
            arena_reset(read->arena);
        }
        take(&api->long_reads);
        if (go_on(api, read, instant_since(until, api_now(api))))
            continue;
        /* It stays the first. */
        read->next = api->long_reads.first;
        if (read->next == NULL)
            api->long_reads.last = &read->next;
        api->long_reads.first = read;
        break;
    }
}

void reads_run(struct api *api)
{
    run_tries(api);
    run_long(api);
}

bool reads_busy(const struct api *api)
{
    return api->reads.first != NULL || api->long_reads.first != NULL;
}

void reads_abandon(struct api *api)
{
    struct read *read;
    while ((read = take(&api->reads)) != NULL || (read = take(&api->long_reads)) != NULL)
        refuse(api, read, E_STOPPING, NULL);
}
