/* subscribers.c - Wait and Watch: who waits for what becomes of which saga.
 *
 * A watcher has a cursor and nothing else: what it has not seen yet is read from the journal when its stream has room. So a slow one costs no
 * memory, and there is one way to send, whether it catches up or follows. */
#include "sidecar/api/api_inside.h"

#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/api/view.h"

#include <stdlib.h>

/* Events of one WatchResponse; with texts of bounded length it stays far below what clients read by default. */
#define EVENTS_MAX 1000

static _Thread_local bool out_of_memory;
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) (out_of_memory = true)
/* The default hash falls through its cases in a way that clang warns of; for keys of eight bytes this one does as well. */
#define HASH_FUNCTION(key, size, hash) HASH_OAT(key, size, hash)
#include <uthash.h>
#include <utlist.h>

struct subscriber {
    struct request request;
    struct subscription *to; /* NULL: watches every saga */
    struct saga_id saga;
    struct position cursor; /* of a watcher: the last event that it was sent */
    bool until_stuck;       /* of a waiter */
    bool sending;           /* of a watcher: its stream is taking a message */
    struct subscriber *prev, *next;
};

/* Everyone who subscribes to one saga. */
struct subscription {
    uint64_t serial;
    struct subscriber *all;
    bool touched;
    struct subscription *touched_next;
    UT_hash_handle hh;
};

struct subscribers {
    struct subscription *by_serial;
    struct subscription *touched;
    struct subscriber *of_all; /* watchers of every saga */
    uint32_t wait_count, watch_count;
    uint64_t last_frame; /* the last that is durable */
};

int subscribers_create(uint64_t last_frame, struct subscribers **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return E_MEMORY;
    (*out)->last_frame = last_frame;
    return 0;
}

void subscribers_destroy(struct subscribers *list)
{
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
    DL_APPEND(*(u->to == NULL ? &list->of_all : &u->to->all), u);
    *(is_watch(u) ? &list->watch_count : &list->wait_count) += 1;
    rpc_call_set_owner(u->request.call, &u->request);
    return u;
}

/* The call has been ended. */
static void drop(struct api *api, struct subscriber *u)
{
    struct subscribers *list = api->subscribers;
    *(is_watch(u) ? &list->watch_count : &list->wait_count) -= 1;
    DL_DELETE(*(u->to == NULL ? &list->of_all : &u->to->all), u);
    if (u->to != NULL && u->to->all == NULL && !u->to->touched) {
        HASH_DEL(list->by_serial, u->to);
        free(u->to);
    }
    free(u);
}

static void refuse(struct api *api, struct subscriber *u, int code, const struct error_detail *detail)
{
    api_refuse(u->request.call, code, detail);
    drop(api, u);
}

/* ---- Wait ---- */

/* Answers when the saga is where the waiter wants it, and lets it go. */
static void wait_turn(struct api *api, struct subscriber *u)
{
    struct error_detail detail;
    struct found found;
    arena_reset(&api->arena);
    int code = reads_find(api, u->saga, &found, &detail);
    if (code != 0) {
        refuse(api, u, code, &detail);
        return;
    }
    if (found.live != NULL && !(u->until_stuck && found.live->state == SAGA_STUCK))
        return;
    Saga__V1__WaitResponse response = SAGA__V1__WAIT_RESPONSE__INIT;
    response.saga = found.live != NULL ? view_saga(&api->arena, found.live, core_engine(api->core), 0)
                                       : view_ended(&api->arena, &found.ended, api->catalog);
    api_answer(api, u->request.call, response.saga == NULL ? NULL : &response.base);
    drop(api, u);
}

int subscribers_add_wait(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__WaitRequest *m = message;
    struct saga_id id;
    struct found found;
    if (api->stopping)
        return error_set(detail, E_STOPPING, "", NULL); /* those before it have been sent away already */
    int code = decode_saga_id(m->saga_id, &id, detail);
    if (code == 0)
        code = reads_find(api, id, &found, detail);
    if (code != 0)
        return code;
    if (api->subscribers->wait_count >= api->options.waiters_max)
        return error_set(detail, E_QUEUE, "", "the sidecar holds waiters_max calls of Wait");
    struct subscriber *u = add(api, read, id);
    if (u == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    u->until_stuck = m->until_stuck;
    wait_turn(api, u);
    return 0;
}

/* ---- Watch ---- */

static void send_events(struct api *api, struct subscriber *u, Saga__V1__Event **events, size_t count)
{
    Saga__V1__WatchResponse response = SAGA__V1__WATCH_RESPONSE__INIT;
    response.n_events = count;
    response.events = events;
    struct bytes packed = arena_pack(&api->arena, &response.base);
    if (packed.at == NULL) {
        refuse(api, u, E_MEMORY, NULL);
        return;
    }
    u->sending = true;
    rpc_send(u->request.call, packed);
}

/* Where the names in a saga's events come from once it has left memory: from its own replay. */
struct names {
    struct bytes name;
    const struct definition *definition;
    struct engine *replayed; /* of an enlisted saga; NULL otherwise */
    const struct saga *saga; /* NULL: the definition tells the steps */
};

static int names_of_ended(struct api *api, const struct ended_row *row, struct names *out, struct error_detail *detail)
{
    struct timeline timeline;
    *out = (struct names){.definition = catalog_by_number(api->catalog, row->definition)};
    uint64_t serial = row->saga.serial;
    char *name = arena_text(&api->arena, row->name);
    if (name == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    out->name = bytes_of_text(name);
    if (out->definition != NULL)
        return 0;
    int code = timeline_load(api->core, &(struct timeline_query){.serial = serial, .last_frame = row->last_frame},
                             &api->arena, &timeline, detail);
    if (code != 0 || timeline.truncated)
        return code;
    code = timeline_replay(&timeline, NULL, &out->replayed, detail);
    if (code == 0)
        out->saga = engine_find(out->replayed, serial);
    return code;
}

/* The names for the events of one saga; engine_destroy(out->replayed) afterwards. */
static int names_of(struct api *api, struct saga_id id, struct names *out, struct error_detail *detail)
{
    struct found found;
    *out = (struct names){0};
    int code = reads_find(api, id, &found, detail);
    if (code == E_SAGA_NOT_FOUND)
        return 0; /* retention has forgotten its row, and not yet all of its frames */
    if (code != 0)
        return code;
    if (found.live == NULL)
        return names_of_ended(api, &found.ended, out, detail);
    out->name = found.live->name;
    out->saga = found.live;
    return 0;
}

static struct view_names names_for(const struct names *names, unsigned step)
{
    struct view_names view = {.definition = names->name};
    if (names->saga != NULL && step < names->saga->step_count)
        view.step = saga_step_name(names->saga, step);
    else if (names->definition != NULL && step < names->definition->step_count)
        view.step = bytes_of_text(names->definition->steps[step].name);
    return view;
}

/* One saga's events after the cursor. */
static void watch_one(struct api *api, struct subscriber *u)
{
    struct error_detail detail;
    struct found found;
    struct timeline timeline;
    struct names names = {0};
    int code = reads_find(api, u->saga, &found, &detail);
    bool ended = code == 0 && found.live == NULL;
    uint64_t last_frame = code == 0 ? found.last_frame : 0;
    if (code == 0)
        code = names_of(api, u->saga, &names, &detail);
    if (code == 0)
        code = timeline_load(
            api->core, &(struct timeline_query){.serial = u->saga.serial, .last_frame = last_frame, .after = u->cursor},
            &api->arena, &timeline, &detail);
    if (code == 0 && timeline.truncated && u->cursor.frame != 0)
        code = error_set(&detail, E_CURSOR, "cursor", NULL);
    size_t count = 0;
    Saga__V1__Event **events = NULL;
    if (code == 0) {
        count = timeline.count < EVENTS_MAX ? timeline.count : EVENTS_MAX;
        events = arena_take(&api->arena, (count + 1) * sizeof(*events));
        code = events == NULL ? E_MEMORY : 0;
        for (size_t i = 0; code == 0 && i < count; i++) {
            struct view_names view = names_for(&names, timeline.entries[i].record.step);
            events[i] = view_event(&api->arena, &timeline.entries[i], &view);
            code = events[i] == NULL ? error_set(&detail, E_MEMORY, "", NULL) : 0;
        }
    }
    engine_destroy(names.replayed);
    if (code != 0) {
        refuse(api, u, code, &detail);
    } else if (count > 0) {
        u->cursor = timeline.entries[count - 1].position;
        send_events(api, u, events, count);
    } else if (ended) {
        rpc_end(u->request.call, 0, "", bytes_of(NULL, 0));
        drop(api, u);
    }
}

/* The events of one frame after the cursor, whosesoever. *count is how many there are. */
static int frame_events(struct api *api, struct subscriber *u, uint64_t frame, Saga__V1__Event **events, size_t *count,
                        struct error_detail *detail)
{
    struct bytes rest;
    int code = api->store->read_frame(api->store, frame, &rest, detail);
    if (code != 0)
        return code == E_CURSOR ? error_set(detail, E_CURSOR, "cursor", NULL) : code;
    /* The names are asked of the store too, which ends the view. */
    uint8_t *copy = arena_take(&api->arena, rest.size);
    if (copy == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memcpy(copy, rest.at, rest.size);
    rest.at = copy;
    *count = 0;
    struct names names = {0};
    uint64_t named = 0;
    uint32_t copies = 0; /* of a moved saga, that are still to come: they tell nothing new */
    for (uint32_t index = 0; code == 0 && rest.size > 0 && *count < EVENTS_MAX; index++) {
        struct timeline_entry entry = {.position = {.frame = frame, .index = index}};
        uint64_t previous;
        code = codec_decode(&rest, &entry.record, &previous, detail);
        if (code == 0 && (copies > 0 || entry.record.type == RECORD_MOVED)) {
            copies = entry.record.type == RECORD_MOVED ? entry.record.copies : copies - 1;
            continue;
        }
        if (code != 0 || !position_after(entry.position, u->cursor))
            continue;
        if (entry.record.saga.serial != named) {
            engine_destroy(names.replayed);
            code = names_of(api, entry.record.saga, &names, detail);
            named = entry.record.saga.serial;
        }
        struct view_names view = names_for(&names, entry.record.step);
        if (code == 0 && (events[*count] = view_event(&api->arena, &entry, &view)) == NULL)
            code = error_set(detail, E_MEMORY, "", NULL);
        *count += code == 0;
        u->cursor = entry.position;
    }
    engine_destroy(names.replayed);
    if (code == 0 && rest.size == 0)
        u->cursor = (struct position){.frame = frame, .index = UINT32_MAX};
    return code;
}

/* Every saga's events after the cursor, at most a frame's worth. */
static void watch_all(struct api *api, struct subscriber *u)
{
    struct error_detail detail;
    Saga__V1__Event **events = arena_take(&api->arena, EVENTS_MAX * sizeof(*events));
    size_t count = 0;
    int code = events == NULL ? error_set(&detail, E_MEMORY, "", NULL) : 0;
    while (code == 0 && count == 0) {
        uint64_t frame = u->cursor.index == UINT32_MAX ? u->cursor.frame + 1 : u->cursor.frame;
        if (frame > api->subscribers->last_frame)
            return;
        code = frame_events(api, u, frame, events, &count, &detail);
    }
    if (code != 0)
        refuse(api, u, code, &detail);
    else
        send_events(api, u, events, count);
}

static void watch_turn(struct api *api, struct subscriber *u)
{
    if (u->sending)
        return;
    arena_reset(&api->arena);
    if (u->to == NULL)
        watch_all(api, u);
    else
        watch_one(api, u);
}

int subscribers_add_watch(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__WatchRequest *m = message;
    struct saga_id id = {0};
    struct position cursor = {0};
    struct found found;
    int code = 0;
    if (api->stopping)
        return error_set(detail, E_STOPPING, "", NULL);
    if (m->saga_id[0] != '\0') {
        code = decode_saga_id(m->saga_id, &id, detail);
        if (code == 0)
            code = reads_find(api, id, &found, detail);
    } else {
        cursor = (struct position){.frame = api->subscribers->last_frame, .index = UINT32_MAX};
    }
    if (code != 0)
        return code;
    if (m->cursor[0] != '\0' && (!position_parse(m->cursor, &cursor) || cursor.frame > api->subscribers->last_frame))
        return error_set(detail, E_ARGUMENT, "cursor", "not a cursor of this sidecar");
    if (api->subscribers->watch_count >= api->options.watchers_max)
        return error_set(detail, E_QUEUE, "", "the sidecar holds watchers_max calls of Watch");
    struct subscriber *u = add(api, read, id);
    if (u == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    u->cursor = cursor;
    watch_turn(api, u);
    return 0;
}

void subscribers_sent(struct api *api, struct request *request)
{
    struct subscriber *u = (struct subscriber *)(void *)request;
    u->sending = false;
    /* While the journal is full, memory is ahead of it: what there is to see comes with the next commit. */
    if (!core_pending(api->core)) {
        watch_turn(api, u);
    } else if (u->to != NULL) {
        subscribers_touch(api->subscribers, u->saga.serial);
    }
}

void subscribers_cancelled(struct api *api, struct request *request)
{
    refuse(api, (struct subscriber *)(void *)request, E_STOPPING, NULL);
}

/* ---- after a commit ---- */

void subscribers_durable(struct subscribers *list, uint64_t frame)
{
    list->last_frame = frame;
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
    to->touched_next = list->touched;
    list->touched = to;
}

static void run_one(struct api *api, struct subscription *to)
{
    struct subscriber *u, *next;
    DL_FOREACH_SAFE(to->all, u, next)
    {
        if (is_watch(u))
            watch_turn(api, u);
        else
            wait_turn(api, u);
    }
    to->touched = false;
    if (to->all == NULL) {
        HASH_DEL(api->subscribers->by_serial, to);
        free(to);
    }
}

void subscribers_run(struct api *api)
{
    struct subscription *to = api->subscribers->touched;
    api->subscribers->touched = NULL;
    while (to != NULL) {
        struct subscription *next = to->touched_next;
        run_one(api, to);
        to = next;
    }
    struct subscriber *u, *after;
    DL_FOREACH_SAFE(api->subscribers->of_all, u, after)
    watch_turn(api, u);
}

void subscribers_end(struct api *api)
{
    struct subscription *to, *next;
    HASH_ITER(hh, api->subscribers->by_serial, to, next)
    {
        struct subscriber *u, *after;
        to->touched = true; /* so that it stays until the last has gone */
        DL_FOREACH_SAFE(to->all, u, after)
        refuse(api, u, E_STOPPING, NULL);
        HASH_DEL(api->subscribers->by_serial, to);
        free(to);
    }
    api->subscribers->touched = NULL;
    struct subscriber *u, *after;
    DL_FOREACH_SAFE(api->subscribers->of_all, u, after)
    refuse(api, u, E_STOPPING, NULL);
}
