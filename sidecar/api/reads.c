/* reads.c - what looks at sagas and definitions. Runs right after a commit, when everything in memory is durable; while the journal is full
 * that is not so, and reads are refused with what is the matter. */
#include "sidecar/api/api_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/api/view.h"

#include "saga/v1/operator.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_SIZE_MAX 1000
/* How many sagas one List looks at; a filter that fits few of them gives short pages rather than long waits. */
#define EXAMINE_MAX 20000
/* How far back ListDeadLetters looks for what made a saga stuck; pauses and other acts of operators may have followed it. */
#define DEAD_LETTER_RECORDS 32

/* ---- pages ---- */

int reads_page_size(int32_t asked, size_t *size, struct error_detail *detail)
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

/* ---- Get ---- */

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

static Saga__V1__Event **events_of(struct arena *a, const struct timeline *timeline, const struct saga *saga,
                                   const Saga__V1__Saga *view)
{
    Saga__V1__Event **events = arena_take(a, (timeline->count + 1) * sizeof(*events));
    for (size_t i = 0; events != NULL && i < timeline->count; i++) {
        const struct record *r = &timeline->entries[i].record;
        bool named = saga != NULL && r->step < saga->step_count;
        struct view_names names = {
            .definition = bytes_of_text(view->definition),
            .step = named ? saga_step_name(saga, r->step) : bytes_of(NULL, 0),
        };
        events[i] = view_event(a, &timeline->entries[i], &names);
        if (events[i] == NULL)
            return NULL;
    }
    return events;
}

int reads_get(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__GetRequest *m = message;
    struct arena *a = &api->arena;
    struct found found;
    struct timeline timeline;
    struct engine *replayed = NULL;
    const struct saga *saga;
    unsigned flags = VIEW_STEPS | (m->include_payloads ? VIEW_PAYLOADS : 0);
    struct saga_id id;
    int code = decode_saga_id(m->saga_id, &id, detail);
    if (code == 0)
        code = reads_find(api, id, &found, detail);
    if (code != 0)
        return code;
    Saga__V1__GetResponse response = SAGA__V1__GET_RESPONSE__INIT;
    uint32_t definition = found.live == NULL ? found.ended.definition : 0;
    /* The row's texts are views: this is made before the store is asked for frames. */
    response.saga = found.live != NULL ? view_saga(a, found.live, core_engine(api->core), flags)
                                       : view_ended(a, &found.ended, api->catalog);
    if (response.saga == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    code = timeline_load(api->core, &(struct timeline_query){.serial = id.serial, .last_frame = found.last_frame}, a,
                         &timeline, detail);
    if (code != 0)
        return code;
    saga = found.live;
    if (found.live == NULL && !timeline.truncated) {
        code = timeline_replay(&timeline, catalog_by_number(api->catalog, definition), &replayed, detail);
        if (code != 0)
            return code;
        saga = engine_find(replayed, id.serial);
        response.saga = view_saga(a, saga, NULL, flags);
    }
    if (response.saga == NULL || !view_add_history(a, response.saga, &timeline) ||
        (response.timeline = events_of(a, &timeline, saga, response.saga)) == NULL) {
        code = error_set(detail, E_MEMORY, "", NULL);
    } else {
        response.n_timeline = timeline.count;
        response.timeline_truncated = timeline.truncated;
        api_answer(api, read->request.call, &response.base);
    }
    engine_destroy(replayed);
    return code;
}

/* ---- List ---- */

struct listing {
    struct arena *arena;
    const struct catalog *catalog;
    Saga__V1__Saga **sagas; /* newest first */
    uint64_t *serials;
    size_t count;
    bool failed;
};

static bool listing_init(struct listing *l, struct arena *a, const struct catalog *catalog, size_t room)
{
    *l = (struct listing){
        .arena = a,
        .catalog = catalog,
        .sagas = arena_take(a, room * sizeof *l->sagas),
        .serials = arena_take(a, room * sizeof *l->serials),
    };
    return l->sagas != NULL && l->serials != NULL;
}

static void list_add(struct listing *l, Saga__V1__Saga *saga, uint64_t serial)
{
    l->failed |= saga == NULL;
    l->sagas[l->count] = saga;
    l->serials[l->count++] = serial;
}

static void list_ended_row(void *self, const struct ended_row *row)
{
    struct listing *l = self;
    list_add(l, view_ended(l->arena, row, l->catalog), row->saga.serial);
}

static bool matches(const struct saga *saga, const struct ended_query *q)
{
    return (q->states == 0 || (q->states >> saga->state & 1) != 0) &&
           (q->name.size == 0 || bytes_equal(q->name, saga->name)) &&
           !instant_before(saga->started_at, q->started_from) && instant_before(saga->started_at, q->started_before);
}

/* Live sagas, as store->list_ended gives those that have ended. */
static void list_live(const struct api *api, const struct ended_query *q, struct listing *l, uint64_t *examined_to)
{
    uint32_t examined = 0;
    *examined_to = 0;
    const struct engine *e = core_engine(api->core);
    for (const struct saga *saga = engine_before(e, q->below); saga != NULL; saga = engine_before(e, saga->id.serial)) {
        if (matches(saga, q))
            list_add(l, view_saga(l->arena, saga, e, 0), saga->id.serial);
        if (l->count == q->rows_max || ++examined == q->examine_max) {
            *examined_to = saga->id.serial;
            return;
        }
    }
}

static int time_of(const Google__Protobuf__Timestamp *t, struct instant unset, const char *field, struct instant *out,
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

static int list_query(const Saga__V1__ListRequest *m, struct ended_query *q, struct error_detail *detail)
{
    size_t rows;
    *q = (struct ended_query){.name = bytes_of_text(m->definition), .examine_max = EXAMINE_MAX};
    for (size_t i = 0; i < m->n_states; i++) {
        if ((unsigned)m->states[i] < SAGA_RUNNING || (unsigned)m->states[i] > SAGA_RESOLVED)
            return error_set(detail, E_ARGUMENT, "states", "not a state of a saga");
        q->states |= UINT32_C(1) << m->states[i];
    }
    int code = reads_page_size(m->page_size, &rows, detail);
    q->rows_max = (uint32_t)rows;
    if (code == 0)
        code = reads_page_token(m->page_token, UINT64_MAX, &q->below, detail);
    if (code == 0)
        code = time_of(m->started_from, (struct instant){0}, "started_from", &q->started_from, detail);
    if (code == 0)
        code = time_of(m->started_before, INSTANT_NEVER, "started_before", &q->started_before, detail);
    return code;
}

/* Merges two lists, both newest first, down to the serial below which one of them was not looked at. */
static uint64_t merge(const struct listing *a, const struct listing *b, uint64_t floor, size_t room,
                      struct listing *out)
{
    size_t i = 0, j = 0;
    while (out->count < room && (i < a->count || j < b->count)) {
        bool from_a = j == b->count || (i < a->count && a->serials[i] > b->serials[j]);
        const struct listing *from = from_a ? a : b;
        size_t at = from_a ? i++ : j++;
        if (from->serials[at] < floor)
            return floor;
        list_add(out, from->sagas[at], from->serials[at]);
    }
    bool more = i < a->count || j < b->count;
    return more ? out->serials[out->count - 1] : floor;
}

int reads_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListRequest *m = message;
    struct arena *a = &api->arena;
    struct ended_query query;
    struct listing live, ended, page;
    uint64_t live_to, ended_to;
    int code = list_query(m, &query, detail);
    if (code != 0)
        return code;
    if (!listing_init(&live, a, api->catalog, query.rows_max) ||
        !listing_init(&ended, a, api->catalog, query.rows_max) || !listing_init(&page, a, api->catalog, query.rows_max))
        return error_set(detail, E_MEMORY, "", NULL);
    list_live(api, &query, &live, &live_to);
    code = api->store->list_ended(api->store, &query, list_ended_row, &ended, &ended_to, detail);
    if (code != 0)
        return code;
    uint64_t next = merge(&live, &ended, live_to > ended_to ? live_to : ended_to, query.rows_max, &page);

    Saga__V1__ListResponse response = SAGA__V1__LIST_RESPONSE__INIT;
    response.n_sagas = page.count;
    response.sagas = page.sagas;
    if (next != 0 && (response.next_page_token = arena_format(a, "%" PRIx64, next)) == NULL)
        page.failed = true;
    if (live.failed || ended.failed || page.failed)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}

/* ---- ListDeadLetters ---- */

/* What was said last of a stuck saga lies near the end of its timeline. */
static int dead_letter(struct api *api, const struct saga *saga, Saga__V1__Saga **out, struct error_detail *detail)
{
    struct timeline timeline;
    Saga__V1__Saga *view = view_saga(&api->arena, saga, core_engine(api->core), VIEW_STEPS);
    struct timeline_query last = {
        .serial = saga->id.serial, .last_frame = saga->position, .records_max = DEAD_LETTER_RECORDS};
    int code = timeline_load(api->core, &last, &api->arena, &timeline, detail);
    if (code != 0)
        return code;
    if (view == NULL || !view_add_history(&api->arena, view, &timeline))
        return error_set(detail, E_MEMORY, "", NULL);
    *out = view;
    return 0;
}

int reads_dead_letters(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListDeadLettersRequest *m = message;
    const struct engine *e = core_engine(api->core);
    struct bytes name = bytes_of_text(m->definition);
    size_t room;
    uint64_t after, next = 0;
    uint32_t examined = 0, left = engine_counts(e).stuck;
    int code = reads_page_size(m->page_size, &room, detail);
    if (code == 0)
        code = reads_page_token(m->page_token, 0, &after, detail);
    if (code != 0)
        return code;
    Saga__V1__ListDeadLettersResponse response = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    response.sagas = arena_take(&api->arena, room * sizeof(*response.sagas));
    if (response.sagas == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (const struct saga *saga = left == 0 ? NULL : engine_after(e, after); saga != NULL;
         saga = engine_after(e, saga->id.serial)) {
        if (response.n_sagas == room || examined++ == EXAMINE_MAX) {
            const struct saga *before = engine_before(e, saga->id.serial);
            next = before == NULL ? 0 : before->id.serial;
            break;
        }
        if (saga->state != SAGA_STUCK || (name.size > 0 && !bytes_equal(name, saga->name)))
            continue;
        code = dead_letter(api, saga, &response.sagas[response.n_sagas++], detail);
        if (code != 0)
            return code;
    }
    if (next != 0 && (response.next_page_token = arena_format(&api->arena, "%" PRIx64, next)) == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}

/* ---- the queue ---- */

static void free_read(struct read *read)
{
    free((void *)(uintptr_t)read->body.at);
    free(read);
}

/* It is run after the next commit. */
static void put_back(struct api *api, struct read *read)
{
    read->next = NULL;
    *api->reads_last = read;
    api->reads_last = &read->next;
}

static void refuse(struct read *read, int code, const struct error_detail *detail)
{
    api_refuse(read->request.call, code, detail);
    free_read(read);
}

void reads_message(struct api *api, struct rpc_call *call, struct bytes message)
{
    struct read *read = calloc(1, sizeof *read);
    void *body = read == NULL || message.size == 0 ? NULL : malloc(message.size);
    if (read == NULL || (body == NULL && message.size > 0)) {
        free(read);
        api_refuse(call, E_MEMORY, NULL);
        return;
    }
    if (message.size > 0)
        memcpy(body, message.at, message.size);
    *read = (struct read){
        .request = {.kind = REQUEST_READ, .method = (enum method_id)rpc_call_method(call)->id, .call = call},
        .body = bytes_of(body, message.size),
    };
    rpc_call_set_owner(call, &read->request);
    put_back(api, read);
}

static int run(struct api *api, struct read *read, struct error_detail *detail)
{
    const struct method *method = &methods[read->request.method];
    if (read->cancelled)
        return error_set(detail, E_STOPPING, "", "nobody waits for the answer any more");
    if (core_stalled(api->core) != 0)
        return error_set(detail, core_stalled(api->core), "",
                         "the journal takes nothing now: sagas in flight wait for it, and cannot be shown until then");
    int code = api_check(api, read->request.method, read->body, detail);
    if (code != 0)
        return code;
    arena_reset(&api->arena);
    const ProtobufCMessage *m =
        protobuf_c_message_unpack(method->request, &api->arena.allocator, read->body.size, read->body.at);
    if (m == NULL) {
        error_set(detail, E_ARGUMENT, "", "the request cannot be read as ");
        error_append(detail, method->request->name);
        return E_ARGUMENT;
    }
    return method->read(api, read, m, detail);
}

static struct read *take_all(struct api *api)
{
    struct read *first = api->reads;
    api->reads = NULL;
    api->reads_last = &api->reads;
    return first;
}

void reads_run(struct api *api)
{
    struct read *read = take_all(api);
    while (read != NULL) {
        struct read *next = read->next;
        struct error_detail detail;
        int code = run(api, read, &detail);
        if (code == STORE_PENDING)
            put_back(api, read);
        else if (code != 0)
            refuse(read, code, &detail);
        else
            free_read(read);
        read = next;
    }
}

void reads_abandon(struct api *api)
{
    struct read *read = take_all(api);
    while (read != NULL) {
        struct read *next = read->next;
        refuse(read, E_STOPPING, NULL);
        read = next;
    }
}
