/* subscribers.c - Wait and Watch: who waits for what becomes of which saga. Waiters are answered here; what watchers are sent, watch.c says.
 *
 * What a commit makes possible is queued, and done in the time that the turn has for it: thousands of waiters whose sagas end with one commit
 * are answered over several turns. */
#include "sidecar/api/watch.h"

#include "sidecar/engine/saga.h"

#include <stdlib.h>

static _Thread_local bool out_of_memory;
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) (out_of_memory = true)
/* The default hash falls through its cases in a way that clang warns of; for keys of eight bytes this one does as well. */
#define HASH_FUNCTION(key, size, hash) HASH_OAT(key, size, hash)
#include <uthash.h>
#include <utlist.h>

/* Everyone who subscribes to one saga. */
struct subscription {
    uint64_t serial;
    struct subscriber *waiters, *watchers;
    bool touched;
    struct subscription *touched_next;
    UT_hash_handle hh;
};

struct subscribers {
    struct subscription *by_serial;
    struct subscription *touched, **touched_last; /* whose waiters may be answered */
    struct subscriber *of_all;                    /* watchers of every saga */
    struct subscriber *ready, **ready_last;       /* watchers for whom there may be something */
    uint32_t wait_count, watch_count;
    uint64_t last_frame; /* the last that is durable */
    bool news;           /* frames have become durable since watchers of every saga were asked */
    struct watch *watch;
};

int subscribers_create(struct api *api, struct subscribers **out)
{
    struct subscribers *list = calloc(1, sizeof *list);
    if (list == NULL || watch_create(api, &list->watch) != 0) {
        free(list);
        return E_MEMORY;
    }
    list->last_frame = api->options.last_frame;
    list->touched_last = &list->touched;
    list->ready_last = &list->ready;
    *out = list;
    return 0;
}

void subscribers_destroy(struct subscribers *list)
{
    if (list == NULL)
        return;
    watch_destroy(list->watch);
    free(list);
}

/* ---- coming and going ---- */

static struct subscription *subscription(struct subscribers *list, uint64_t serial)
{
    struct subscription *to;
    HASH_FIND(hh, list->by_serial, &serial, sizeof serial, to);
    if (to != NULL || (to = calloc(1, sizeof *to)) == NULL)
        return to;
    to->serial = serial;
    out_of_memory = false;
    HASH_ADD(hh, list->by_serial, serial, sizeof to->serial, to);
    if (out_of_memory) {
        free(to);
        return NULL;
    }
    return to;
}

static bool is_watch(const struct subscriber *u)
{
    return u->request.method == METHOD_WATCH;
}

static struct subscriber **list_of(struct subscribers *list, struct subscriber *u)
{
    return u->to == NULL ? &list->of_all : is_watch(u) ? &u->to->watchers : &u->to->waiters;
}

/* Takes the read's call over. */
static struct subscriber *add(struct api *api, struct read *read, struct saga_id saga)
{
    struct subscribers *list = api->subscribers;
    struct subscriber *u = calloc(1, sizeof *u);
    if (u == NULL)
        return NULL;
    u->request = read->request;
    u->request.kind = REQUEST_SUBSCRIBER;
    u->saga = saga;
    if (saga.serial != 0 && (u->to = subscription(list, saga.serial)) == NULL) {
        free(u);
        return NULL;
    }
    DL_APPEND(*list_of(list, u), u);
    *(is_watch(u) ? &list->watch_count : &list->wait_count) += 1;
    rpc_call_set_owner(u->request.call, &u->request);
    return u;
}

static void let_go(struct subscribers *list, struct subscription *to)
{
    if (to == NULL || to->waiters != NULL || to->watchers != NULL || to->touched)
        return;
    HASH_DEL(list->by_serial, to);
    free(to);
}

static void unqueue(struct subscribers *list, struct subscriber *u)
{
    if (!u->queued)
        return;
    struct subscriber **link = &list->ready;
    while (*link != u)
        link = &(*link)->ready_next;
    *link = u->ready_next;
    if (*link == NULL)
        list->ready_last = link;
}

/* The call has been ended. */
static void drop(struct api *api, struct subscriber *u)
{
    struct subscribers *list = api->subscribers;
    struct subscription *to = u->to;
    unqueue(list, u);
    *(is_watch(u) ? &list->watch_count : &list->wait_count) -= 1;
    DL_DELETE(*list_of(list, u), u);
    watch_forget(u);
    free(u);
    let_go(list, to);
}

static void refuse(struct api *api, struct subscriber *u, int code, const struct error_detail *detail)
{
    api_refuse(api, u->request.call, code, detail);
    drop(api, u);
}

static void make_ready(struct subscribers *list, struct subscriber *u)
{
    if (u->queued || u->sending)
        return;
    u->queued = true;
    u->ready_next = NULL;
    *list->ready_last = u;
    list->ready_last = &u->ready_next;
}

/* ---- Wait ---- */

/* What those who wait for a saga are told. response.at is NULL: it is not there yet; or the code is an error. */
struct word {
    int code;
    struct error_detail detail;
    bool ended, stuck, answered;
    struct bytes response;
    struct bytes bare; /* the same without the output, for those who may not see payloads */
    struct bytes definition, owner, tags;
};

/* How far back is looked for why a saga turned back. */
#define OUTCOME_RECORDS_MAX 500

/* What came of a saga that has ended, from its last records: all that is told of one that is done stands in the very last. */
static int add_outcome(struct api *api, Saga__V1__Saga *saga, const struct definition *d, uint64_t serial,
                       uint64_t last_frame, struct error_detail *detail)
{
    bool done = saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED;
    struct timeline timeline;
    struct timeline_query last = {.serial = serial,
                                  .last_frame = last_frame,
                                  .hidden_from = core_durable(api->core) + 1,
                                  .records_max = done ? 1 : OUTCOME_RECORDS_MAX};
    if (done && (d == NULL || d->output == NULL))
        return 0;
    int code = timeline_load(api->core, &last, &api->arena, &timeline, detail);
    if (code != 0)
        return code;
    return view_add_outcome(&api->arena, saga, &timeline, d, VIEW_PAYLOADS | VIEW_JSON) ? 0 : E_MEMORY;
}

static void look(struct api *api, struct saga_id saga, struct word *word)
{
    struct found found;
    arena_reset(&api->arena);
    *word = (struct word){.code = 0};
    word->code = reads_find(api, saga, &found, &word->detail);
    if (word->code != 0)
        return;
    word->ended = found.live == NULL;
    /* What memory has and the journal has not is told once it is durable. */
    word->stuck =
        found.live != NULL && found.live->state == SAGA_STUCK && found.live->position <= core_durable(api->core);
    word->answered = found.live != NULL && found.live->answered && found.live->position <= core_durable(api->core);
    if (!word->ended && !word->stuck && !word->answered)
        return;
    Saga__V1__WaitResponse response = SAGA__V1__WAIT_RESPONSE__INIT;
    response.saga = found.live != NULL ? view_saga(&api->arena, found.live, core_engine(api->core), 0)
                                       : view_ended(&api->arena, &found.ended, api->catalog);
    if (response.saga != NULL && word->ended) {
        const struct definition *d = catalog_by_number(api->catalog, found.ended.definition);
        uint64_t first_frame = found.ended.first_frame;
        word->code = add_outcome(api, response.saga, d, saga.serial, found.ended.last_frame, &word->detail);
        if (word->code == 0 && permit_any_tags(api))
            word->code = reads_tags(api, first_frame, saga.serial, &word->tags, &word->detail);
    } else if (found.live != NULL) {
        word->tags = found.live->tags;
    }
    if (response.saga != NULL && word->answered && !view_add_answer(&api->arena, response.saga, found.live))
        response.saga = NULL;
    if (word->code != 0)
        return;
    if (response.saga != NULL) {
        word->definition = bytes_of_text(response.saga->definition);
        word->owner = bytes_of_text(response.saga->owner);
        word->bare = word->response = arena_pack(&api->arena, &response.base);
        if (response.saga->output.len > 0) {
            response.saga->output.len = 0;
            response.saga->output_json = (char *)(uintptr_t) "";
            word->bare = arena_pack(&api->arena, &response.base);
        }
    }
    if (word->response.at == NULL || word->bare.at == NULL)
        word->code = error_set(&word->detail, E_MEMORY, "", NULL);
}

/* Answers a waiter whose saga is where it wants it, and lets it go. */
static void tell(struct api *api, struct subscriber *u, const struct word *word)
{
    if (word->code != 0) {
        refuse(api, u, word->code, &word->detail);
    } else if (word->ended || (word->stuck && u->until_stuck) || (word->answered && u->until_answered)) {
        bool whole = word->bare.at == word->response.at ||
                     permit_output(api, u->request.call, word->definition, word->owner, word->tags);
        rpc_reply(u->request.call, whole ? word->response : word->bare);
        drop(api, u);
    }
}

int subscribers_add_wait(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__WaitRequest *m = message;
    struct saga_id id;
    struct word word;
    if (api->stopping)
        return error_set(detail, E_STOPPING, "", NULL); /* those before it have been sent away already */
    bool until_stuck = m->until_stuck, until_answered = m->until_answered;
    int code = decode_saga_id(m->saga_id, &id, detail);
    if (code != 0)
        return code;
    look(api, id, &word);
    if (word.code != 0) {
        *detail = word.detail;
        return word.code;
    }
    if (api->subscribers->wait_count >= api->options.waiters_max)
        return error_set(detail, E_QUEUE, "", "the sidecar holds waiters_max calls of Wait");
    struct subscriber *u = add(api, read, id);
    if (u == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    u->until_stuck = until_stuck;
    u->until_answered = until_answered;
    tell(api, u, &word);
    return 0;
}

/* Answers those of one saga, while there is time. Returns whether all have been looked at. */
static bool answer_waiters(struct api *api, struct subscription *to)
{
    struct subscriber *u, *next;
    struct word word;
    if (to->waiters == NULL)
        return true;
    look(api, to->waiters->saga, &word);
    if (word.code == STORE_PENDING)
        return false;
    if (word.code == 0 && !word.ended && !word.stuck && !word.answered)
        return true;
    /* One at least: the look itself may have taken all the time that there was, and would again. */
    DL_FOREACH_SAFE(to->waiters, u, next)
    {
        tell(api, u, &word);
        if (next != NULL && !api_has_time(api))
            return false;
    }
    return true;
}

/* ---- Watch ---- */

/* Sends what there is for a watcher, or ends it. */
static void watch_turn(struct api *api, struct subscriber *u)
{
    struct subscribers *list = api->subscribers;
    struct error_detail detail;
    struct bytes message;
    int code = watch_next(list->watch, u, list->last_frame, &message, &detail);
    if (code == WATCH_MORE) {
        make_ready(list, u);
    } else if (code == WATCH_END) {
        rpc_end(u->request.call, 0, "", bytes_of(NULL, 0));
        drop(api, u);
    } else if (code != 0) {
        refuse(api, u, code, &detail);
    } else if (message.size > 0) {
        u->sending = true;
        rpc_send(u->request.call, message);
    }
}

int subscribers_add_watch(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__WatchRequest *m = message;
    struct saga_id id = {0};
    struct position cursor = {0};
    struct found found;
    uint64_t last_frame = api->subscribers->last_frame;
    int code = 0;
    if (api->stopping)
        return error_set(detail, E_STOPPING, "", NULL);
    if (m->saga_id[0] != '\0') {
        code = decode_saga_id(m->saga_id, &id, detail);
        if (code == 0)
            code = reads_find(api, id, &found, detail);
        /* One answer for what retention has taken, whether one saga is watched or all. */
        if (code == E_SAGA_NOT_FOUND && m->cursor[0] != '\0')
            code = error_set(detail, E_CURSOR, "cursor", NULL);
    } else {
        cursor = (struct position){.frame = last_frame, .index = UINT32_MAX};
    }
    if (code != 0)
        return code;
    if (m->cursor[0] != '\0' && (!position_parse(m->cursor, &cursor) || cursor.frame > last_frame))
        return error_set(detail, E_ARGUMENT, "cursor", "not a cursor of this sidecar");
    if (api->subscribers->watch_count >= api->options.watchers_max)
        return error_set(detail, E_QUEUE, "", "the sidecar holds watchers_max calls of Watch");
    struct subscriber *u = add(api, read, id);
    if (u == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    u->cursor = cursor;
    make_ready(api->subscribers, u);
    return 0;
}

void subscribers_sent(struct api *api, struct request *request)
{
    struct subscriber *u = (struct subscriber *)(void *)request;
    u->sending = false;
    make_ready(api->subscribers, u);
}

void subscribers_cancelled(struct api *api, struct request *request)
{
    refuse(api, (struct subscriber *)(void *)request, E_STOPPING, NULL);
}

/* ---- after a commit ---- */

void subscribers_durable(struct subscribers *list, uint64_t frame)
{
    list->last_frame = frame;
    list->news = true;
}

bool subscribers_care(const struct subscribers *list)
{
    return list->by_serial != NULL;
}

void subscribers_touch(struct subscribers *list, uint64_t serial)
{
    struct subscription *to;
    HASH_FIND(hh, list->by_serial, &serial, sizeof serial, to);
    if (to == NULL || to->touched)
        return;
    to->touched = true;
    to->touched_next = NULL;
    *list->touched_last = to;
    list->touched_last = &to->touched_next;
}

static void run_touched(struct api *api)
{
    struct subscribers *list = api->subscribers;
    struct subscriber *u;
    while (list->touched != NULL && api_has_time(api)) {
        struct subscription *to = list->touched;
        if (!answer_waiters(api, to))
            break;
        DL_FOREACH(to->watchers, u)
        {
            make_ready(list, u);
        }
        list->touched = to->touched_next;
        if (list->touched == NULL)
            list->touched_last = &list->touched;
        to->touched = false;
        let_go(list, to);
    }
}

void subscribers_run(struct api *api)
{
    struct subscribers *list = api->subscribers;
    struct subscriber *u;
    if (list->news) {
        list->news = false;
        DL_FOREACH(list->of_all, u)
        {
            make_ready(list, u);
        }
    }
    run_touched(api);
    /* Those that have more to see come again after the others. */
    while (list->ready != NULL && api_has_time(api)) {
        u = list->ready;
        unqueue(list, u);
        u->queued = false;
        watch_turn(api, u);
    }
}

bool subscribers_busy(const struct subscribers *list)
{
    return list->touched != NULL || list->ready != NULL;
}

static void refuse_all(struct api *api, struct subscriber *first)
{
    struct subscriber *u, *next;
    DL_FOREACH_SAFE(first, u, next)
    {
        refuse(api, u, E_STOPPING, NULL);
    }
}

void subscribers_end(struct api *api)
{
    struct subscribers *list = api->subscribers;
    struct subscription *to, *next;
    HASH_ITER(hh, list->by_serial, to, next)
    {
        to->touched = true; /* so that it stays until the last has gone */
        refuse_all(api, to->waiters);
        refuse_all(api, to->watchers);
        HASH_DEL(list->by_serial, to);
        free(to);
    }
    list->touched = NULL;
    list->touched_last = &list->touched;
    refuse_all(api, list->of_all);
}
