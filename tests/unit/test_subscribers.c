/* Wait and Watch: in pieces, in order, whole; what a watcher costs. */
#include "sidecar/observe/log.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

static struct api_world w;
static size_t refused_size; /* of what there is no memory for; 0: there is for everything */

/* ---- in place of the allocator: linked with --wrap ---- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return size == refused_size && size > 0 ? NULL : __real_malloc(size);
}

static void setup(void)
{
    api_world_init(&w, 1);
    w.steps_max = 256;
}

static void teardown(void)
{
    w.tick = (struct span){0};
    api_world_close(&w);
}

/* Commands of pipes share a commit: all that is asked here ends in one frame. */
static void pipe_begins(int count, const char *step)
{
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    Saga__V1__Command *commands = calloc((size_t)count, sizeof *commands), **list = calloc((size_t)count, sizeof *list);
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__Enlistment enlistment = SAGA__V1__ENLISTMENT__INIT, *enlist = &enlistment;
    begin.name = (char *)(uintptr_t) "piped";
    enlistment.step = (char *)(uintptr_t)step;
    begin.n_enlist = step != NULL;
    begin.enlist = &enlist;
    for (int i = 0; i < count; i++) {
        saga__v1__command__init(&commands[i]);
        commands[i].command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
        commands[i].begin = &begin;
        list[i] = &commands[i];
    }
    m.n_commands = (size_t)count;
    m.commands = list;
    struct world_call *pipe = api_world_ask(&w, 0, METHOD_PIPE, &m.base);
    api_world_settle(&w);
    ck_assert_uint_eq(pipe->sent_count, 1);
    api_world_half_close(pipe);
    api_world_took(pipe);
    api_world_settle(&w);
    ck_assert(pipe->ended);
    api_world_free(pipe);
    free(commands);
    free(list);
}

static struct world_call *watch(const char *id, const char *cursor)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    m.saga_id = (char *)(uintptr_t)id;
    m.cursor = (char *)(uintptr_t)cursor;
    return api_world_ask(&w, 0, METHOD_WATCH, &m.base);
}

/* Takes all that there is for a watcher, and checks that nothing is missing, there twice, or without its names. Returns how many events. */
static size_t take_all(struct world_call *call, const char *definition, const char *step, char cursor[64])
{
    size_t count = 0;
    unsigned long long last_frame = 0;
    unsigned last_index = 0;
    for (size_t i = 0;; i++) {
        api_world_settle(&w);
        if (i == call->sent_count)
            return count;
        Saga__V1__WatchResponse *m = saga__v1__watch_response__unpack(NULL, call->sent[i].size, call->sent[i].at);
        ck_assert_uint_gt(m->n_events, 0);
        ck_assert_uint_le(m->n_events, 1000);
        for (size_t k = 0; k < m->n_events; k++) {
            const Saga__V1__Event *e = m->events[k];
            unsigned long long frame;
            unsigned index;
            ck_assert_int_eq(sscanf(e->cursor, "%llx.%x", &frame, &index), 2);
            ck_assert_msg(count == 0 || frame > last_frame || (frame == last_frame && index == last_index + 1),
                          "after %llx.%x came %s", last_frame, last_index, e->cursor);
            last_frame = frame;
            last_index = index;
            if (definition != NULL)
                ck_assert_str_eq(e->definition, definition);
            if (e->type == SAGA__V1__EVENT_TYPE__EVENT_TYPE_STEP_ENLISTED && step != NULL)
                ck_assert_str_eq(e->step, step);
            count++;
            if (cursor != NULL)
                strcpy(cursor, e->cursor);
        }
        saga__v1__watch_response__free_unpacked(m, NULL);
        api_world_took(call);
    }
}

static void cancel(struct world_call *call)
{
    api_world_cancel(call);
    ck_assert(call->ended);
    api_world_free(call);
}

START_TEST(subscribers__a_frame_of_more_than_a_thousand_events_is_shown_whole)
{
    api_world_start(&w);
    struct world_call *live = watch("", "");
    api_world_settle(&w);
    pipe_begins(3500, "first");
    ck_assert_uint_eq(w.loop[0].durable_frame, 1);
    char cursor[64];
    ck_assert_uint_eq(take_all(live, "piped", "first", cursor), 7000);
    ck_assert_str_eq(cursor, "1.1b57");
    /* From anywhere within it. */
    for (unsigned from = 0; from < 7000; from += 1234) {
        snprintf(cursor, sizeof cursor, "1.%x", from);
        struct world_call *later = watch("", cursor);
        ck_assert_uint_eq(take_all(later, "piped", "first", NULL), 7000 - from - 1);
        cancel(later);
    }
    cancel(live);
}
END_TEST

/* A message that is full in the middle of a frame goes on there. */
START_TEST(subscribers__a_frame_that_a_message_cuts_is_shown_whole)
{
    enum { TIMES = 600 };
    log_set_level(LOG_LEVEL_ERROR); /* each act is a line */
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    Saga__V1__ResumeRequest resume = SAGA__V1__RESUME_REQUEST__INIT;
    api_world_start(&w);
    api_world_begin(&w, 0, "held", "", id);
    pause.saga_id = resume.saga_id = id;
    pause.actor = resume.actor = (char *)(uintptr_t) "ann";
    for (int i = 0; i < TIMES; i++) {
        struct world_call *first = api_world_ask(&w, 0, METHOD_PAUSE, &pause.base),
                          *second = api_world_ask(&w, 0, METHOD_RESUME, &resume.base);
        api_world_settle(&w);
        ck_assert(first->ended && second->ended && first->status == 0 && second->status == 0);
        api_world_free(first);
        api_world_free(second);
    }
    struct world_call *later = watch(id, "");
    ck_assert_uint_eq(take_all(later, "held", NULL, NULL), 1 + 2 * TIMES);
    cancel(later);
}
END_TEST

START_TEST(subscribers__watchers_at_one_place_are_sent_one_message)
{
    enum { WATCHERS = 20 };
    struct world_call *watchers[WATCHERS];
    api_world_start(&w);
    for (int i = 0; i < WATCHERS; i++)
        watchers[i] = watch("", "");
    api_world_settle(&w);
    uint64_t before = memory_disk_operations(w.loop[0].disk);
    pipe_begins(10, "a");
    uint64_t used = memory_disk_operations(w.loop[0].disk) - before;
    /* One look at the frame for all of them. */
    ck_assert_uint_le(used, 5);
    for (int i = 0; i < WATCHERS; i++) {
        ck_assert_uint_eq(watchers[i]->sent_count, 1);
        ck_assert_uint_eq(watchers[i]->sent[0].size, watchers[0]->sent[0].size);
        ck_assert_int_eq(memcmp(watchers[i]->sent[0].at, watchers[0]->sent[0].at, watchers[0]->sent[0].size), 0);
    }
    for (int i = 0; i < WATCHERS; i++)
        cancel(watchers[i]);
}
END_TEST

/* A saga's events cost the same however much is stored: the journal is asked for the frames, and for nothing beside them. */
START_TEST(subscribers__names_of_what_has_ended_are_not_looked_up)
{
    enum { SAGAS = 200 };
    api_world_start(&w);
    for (int i = 0; i < SAGAS; i++) {
        char id[SAGA_ID_TEXT_SIZE], step[16];
        api_world_begin(&w, 0, "ends", "", id);
        snprintf(step, sizeof step, "s%d", i);
        Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
        Saga__V1__Enlistment enlistment = SAGA__V1__ENLISTMENT__INIT, *list = &enlistment;
        Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
        enlist.saga_id = abort.saga_id = id;
        enlistment.step = step;
        enlist.n_enlist = 1;
        enlist.enlist = &list;
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ENLIST, &enlist.base), NULL);
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    }
    uint64_t frames = w.loop[0].durable_frame, before = memory_disk_operations(w.loop[0].disk);
    struct world_call *all = watch("", "1.0");
    size_t events = take_all(all, "ends", NULL, NULL);
    ck_assert_uint_gt(events, 4 * SAGAS);
    /* Only the first saga, whose beginning the cursor has passed, is looked up. */
    ck_assert_uint_le(memory_disk_operations(w.loop[0].disk) - before, frames + 20);
    cancel(all);
}
END_TEST

/* Does not know yet when it is asked for the first time. */
static int (*real_find_ended)(struct store *s, uint64_t serial, struct ended_row *out, struct error_detail *why);
static unsigned finds;

static int find_ended_later(struct store *s, uint64_t serial, struct ended_row *out, struct error_detail *why)
{
    return finds++ == 0 ? STORE_PENDING : real_find_ended(s, serial, out, why);
}

/* What is looked up is shown with its name once the journal has told, and not before. */
START_TEST(subscribers__names_are_waited_for)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    api_world_begin(&w, 0, "ends", "", id);
    Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
    m.saga_id = id;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_COMMIT, &m.base), NULL);
    real_find_ended = w.loop[0].store->find_ended;
    w.loop[0].store->find_ended = find_ended_later;
    struct world_call *all = watch("", "1.0");
    for (int turns = 0; turns < 10 && all->sent_count == 0; turns++)
        api_world_turn(&w, 0);
    ck_assert_uint_eq(finds, 2);
    ck_assert_uint_gt(take_all(all, "ends", NULL, NULL), 0);
    cancel(all);
}
END_TEST

/* Begins a saga with steps s0, s1, ..., each in a frame of its own. */
static void begin_long(char id[SAGA_ID_TEXT_SIZE], int steps)
{
    api_world_begin(&w, 0, "long", "", id);
    for (int i = 0; i < steps; i++) {
        char step[16];
        snprintf(step, sizeof step, "s%d", i);
        Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
        Saga__V1__Enlistment enlistment = SAGA__V1__ENLISTMENT__INIT, *list = &enlistment;
        enlist.saga_id = id;
        enlistment.step = step;
        enlist.n_enlist = 1;
        enlist.enlist = &list;
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ENLIST, &enlist.base), NULL);
    }
}

/* Who is far behind is shown each frame, also when the journal is far away and tells of one at a time. */
START_TEST(subscribers__catching_up_waits_for_the_journal)
{
    enum { STEPS = 40 };
    char id[SAGA_ID_TEXT_SIZE], step[16] = "";
    int told = 0;
    api_world_start(&w);
    begin_long(id, STEPS);
    w.tick = (struct span){.us = 500}; /* more than a turn has time for */
    struct world_call *call = watch(id, "");
    api_world_turn(&w, 0);
    memory_disk_set_far(w.loop[0].disk, true);
    for (int turns = 0; turns < 4 * STEPS; turns++) {
        api_world_turn(&w, 0);
        memory_disk_arrive(w.loop[0].disk, STORE_PENDING);
        if (call->sending)
            api_world_took(call);
    }
    for (size_t i = 0; i < call->sent_count; i++) {
        Saga__V1__WatchResponse *m = saga__v1__watch_response__unpack(NULL, call->sent[i].size, call->sent[i].at);
        for (size_t k = 0; k < m->n_events; k++) {
            ck_assert_str_eq(m->events[k]->step, step); /* the first event is of the saga itself */
            snprintf(step, sizeof step, "s%d", told++);
        }
        saga__v1__watch_response__free_unpacked(m, NULL);
    }
    ck_assert_int_eq(told, STEPS + 1);
    memory_disk_set_far(w.loop[0].disk, false);
    cancel(call);
}
END_TEST

static int (*read_near)(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail);

static int read_slowly(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    w.now = instant_after(w.now, SPAN_MS(1));
    return read_near(s, frame, records, detail);
}

/* Whatever it is that takes the time: here the frames alone do, both while they are looked for and while they are shown. */
START_TEST(subscribers__catching_up_is_cut_by_the_time_of_its_frames)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    begin_long(id, 200);
    read_near = w.loop[0].store->read_frame;
    w.loop[0].store->read_frame = read_slowly;
    w.longest = (struct span){0};
    struct world_call *one = watch(id, ""), *all = watch("", "1.0");
    ck_assert_uint_eq(take_all(one, "long", NULL, NULL), 201);
    ck_assert_uint_eq(take_all(all, "long", NULL, NULL), 200);
    ck_assert_int_ge(w.longest.us, 1000);
    ck_assert_int_le(w.longest.us, 20000);
    cancel(one);
    cancel(all);
}
END_TEST

START_TEST(subscribers__catching_up_is_cut_by_time)
{
    char id[SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    begin_long(id, 200);
    w.tick = (struct span){.us = 500};
    w.longest = (struct span){0};
    struct world_call *one = watch(id, ""), *all = watch("", "1.0"), *middle = watch(id, "32.0");
    ck_assert_uint_eq(take_all(one, "long", NULL, NULL), 201);
    ck_assert_uint_eq(take_all(all, "long", NULL, NULL), 200);
    ck_assert_uint_eq(take_all(middle, "long", NULL, NULL), 201 - 50);
    ck_assert_int_le(w.longest.us, 20000);
    /* And follow. */
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    abort.saga_id = id;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    api_world_settle(&w);
    while (!one->ended && one->sending) {
        api_world_took(one);
        api_world_settle(&w);
    }
    ck_assert(one->ended);
    ck_assert_int_eq(one->status, 0);
    api_world_free(one);
    cancel(all);
    cancel(middle);
}
END_TEST

START_TEST(subscribers__thousands_of_waiters_are_answered_in_pieces)
{
    enum { WAITERS = 8000 };
    static struct world_call *waits[WAITERS];
    char ids[4][SAGA_ID_TEXT_SIZE];
    api_world_start(&w);
    for (int i = 0; i < 4; i++)
        api_world_begin(&w, 0, "x", "", ids[i]);
    for (int i = 0; i < WAITERS; i++) {
        Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
        m.saga_id = ids[i % 4];
        waits[i] = api_world_ask(&w, 0, METHOD_WAIT, &m.base);
    }
    api_world_settle(&w);
    ck_assert(!waits[0]->ended);
    Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
    struct world_call *commits[4];
    for (int i = 0; i < 4; i++) {
        m.saga_id = ids[i];
        commits[i] = api_world_ask(&w, 0, METHOD_COMMIT, &m.base);
    }
    w.tick = (struct span){.us = 40}; /* what an answer costs */
    w.longest = (struct span){0};
    api_world_settle(&w);
    ck_assert_int_le(w.longest.us, 20000);
    for (int i = 0; i < WAITERS; i++) {
        ck_assert(waits[i]->ended);
        Saga__V1__WaitResponse *r = saga__v1__wait_response__unpack(NULL, waits[i]->body.size, waits[i]->body.at);
        ck_assert_str_eq(r->saga->id, ids[i % 4]);
        ck_assert_int_eq(r->saga->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
        saga__v1__wait_response__free_unpacked(r, NULL);
        api_world_free(waits[i]);
    }
    for (int i = 0; i < 4; i++)
        api_world_free(commits[i]);
}
END_TEST

START_TEST(subscribers__have_bounds_and_leave_their_places)
{
    char id[SAGA_ID_TEXT_SIZE];
    w.waiters_max = w.watchers_max = 2;
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
    Saga__V1__WatchRequest one = SAGA__V1__WATCH_REQUEST__INIT;
    wait.saga_id = one.saga_id = id;
    for (int round = 0; round < 3; round++) {
        struct world_call *calls[4];
        for (int i = 0; i < 4; i++)
            calls[i] =
                i < 2 ? api_world_ask(&w, 0, METHOD_WAIT, &wait.base) : api_world_ask(&w, 0, METHOD_WATCH, &one.base);
        api_world_settle(&w);
        api_world_refused(&w, 0, METHOD_WAIT, &wait.base, "QUEUE_FULL", "");
        api_world_refused(&w, 0, METHOD_WATCH, &one.base, "QUEUE_FULL", "");
        for (int i = 0; i < 4; i++) {
            ck_assert(!calls[i]->ended);
            cancel(calls[i]);
        }
    }
    struct world_call *last[2] = {api_world_ask(&w, 0, METHOD_WAIT, &wait.base), watch("", "")};
    api_world_settle(&w);
    api_stop(w.loop[0].api);
    for (int i = 0; i < 2; i++) {
        ck_assert(last[i]->ended);
        ck_assert_str_eq(last[i]->reason, "STOPPING");
        api_world_free(last[i]);
    }
    api_world_refused(&w, 0, METHOD_WAIT, &wait.base, "STOPPING", "");
    api_world_refused(&w, 0, METHOD_WATCH, &one.base, "STOPPING", "");
}
END_TEST

/* What a saga is like in memory alone a crash would undo: whoever waits is told of it once it is durable. */
START_TEST(subscribers__are_told_of_what_is_durable_alone)
{
    static const struct {
        const char *yaml;
        int status;
        Saga__V1__SagaState state;
    } table[] = {
        {"name: stuck\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n", 5,
         SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK},
        {"name: later\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n"
         "  - {name: b, target: t, deferred: true, action: /p.S/B}\n",
         0, SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING},
    };
    api_world_start(&w);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        api_world_register(&w, table[i].yaml);
        Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
        Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
        start.definition = (char *)(uintptr_t)(i == 0 ? "stuck" : "later");
        Saga__V1__StartResponse *started = api_world_get(&w, 0, METHOD_START, &start.base);
        wait.saga_id = started->saga_id;
        struct world_call *waits[3]; /* for the end, for either, and for either once it is decided */
        waits[0] = api_world_ask(&w, 0, METHOD_WAIT, &wait.base);
        wait.until_stuck = wait.until_answered = true;
        waits[1] = api_world_ask(&w, 0, METHOD_WAIT, &wait.base);
        memory_disk_set_far(w.loop[0].disk, true);
        api_world_answer_comes(&w, 0, table[i].status, "", bytes_of(NULL, 0));
        api_world_turn(&w, 0);
        ck_assert_uint_eq(memory_disk_on_the_way(w.loop[0].disk), 1);
        waits[2] = api_world_ask(&w, 0, METHOD_WAIT, &wait.base);
        api_world_turn(&w, 0);
        for (int k = 0; k < 3; k++)
            ck_assert(!waits[k]->ended);
        memory_disk_arrive(w.loop[0].disk, 0);
        memory_disk_set_far(w.loop[0].disk, false);
        api_world_turn(&w, 0);
        api_world_settle(&w);
        ck_assert(!waits[0]->ended);
        for (int k = 1; k < 3; k++) {
            ck_assert(waits[k]->ended);
            Saga__V1__WaitResponse *r = saga__v1__wait_response__unpack(NULL, waits[k]->body.size, waits[k]->body.at);
            ck_assert_int_eq(r->saga->state, table[i].state);
            ck_assert_int_eq(r->saga->answered, i == 1);
            saga__v1__wait_response__free_unpacked(r, NULL);
            api_world_free(waits[k]);
        }
        /* One who is there already asks for either, or for one of them. */
        for (int k = 0; k < 4; k++) {
            wait.until_stuck = (k & 1) != 0;
            wait.until_answered = (k & 2) != 0;
            struct world_call *late = api_world_ask(&w, 0, METHOD_WAIT, &wait.base);
            api_world_settle(&w);
            ck_assert_int_eq(late->ended, i == 0 ? wait.until_stuck : wait.until_answered);
            if (late->ended)
                api_world_free(late);
            else
                cancel(late);
        }
        cancel(waits[0]);
        saga__v1__start_response__free_unpacked(started, NULL);
    }
}
END_TEST

static int read_damaged(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    (void)s;
    (void)frame;
    (void)records;
    return error_set(detail, E_JOURNAL_CORRUPT, "shop.db", "torn");
}

/* What cannot be told whole is not told: whoever waits would take it that there was no reason. */
START_TEST(subscribers__a_wait_for_what_cannot_be_read_is_refused)
{
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    abort.saga_id = wait.saga_id = id;
    abort.reason = (char *)(uintptr_t) "sold out";
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    Saga__V1__WaitResponse *r = api_world_get(&w, 0, METHOD_WAIT, &wait.base);
    ck_assert_str_eq(r->saga->reason_message, "sold out");
    saga__v1__wait_response__free_unpacked(r, NULL);
    w.loop[0].store->read_frame = read_damaged;
    api_world_refused(&w, 0, METHOD_WAIT, &wait.base, "JOURNAL_CORRUPT", "");
}
END_TEST

/* Of a loop, the step that turned it back is the one among its saga's steps, which are as many as that had. */
START_TEST(subscribers__who_waits_is_told_which_step_of_a_loop_failed)
{
    static const struct {
        const char *step;
        int failed; /* of the calls, in order */
    } rows[] = {{"each[0]", 0}, {"each[1]", 1}, {"last", 2}};
    api_world_start(&w);
    api_world_add_schema(&w);
    api_world_register(&w, "name: loop\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
                           "  - {name: each, target: t, for_each: \"['x', 'y']\", max_items: 3, action: {method: "
                           "/shapes.Shop/Old, request: {sku: =item}}, compensation: none}\n"
                           "  - {name: last, target: t, after: [each], action: {method: /shapes.Shop/Old}, "
                           "compensation: none}\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
        Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
        start.definition = (char *)(uintptr_t) "loop";
        Saga__V1__StartResponse *started = api_world_get(&w, 0, METHOD_START, &start.base);
        for (int k = 0; w.loop[0].call_count > 0; k++)
            api_world_answer(&w, 0, k == rows[i].failed ? 9 : 0, "sold out", bytes_of(NULL, 0));
        wait.saga_id = started->saga_id;
        Saga__V1__WaitResponse *r = api_world_get(&w, 0, METHOD_WAIT, &wait.base);
        ck_assert_int_eq(r->saga->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED);
        ck_assert_str_eq(r->saga->reason_step, rows[i].step);
        ck_assert_str_eq(r->saga->reason_message, "sold out");
        saga__v1__wait_response__free_unpacked(r, NULL);
        saga__v1__start_response__free_unpacked(started, NULL);
    }
}
END_TEST

/* Whether one saga is watched or all. */
START_TEST(subscribers__what_retention_took_has_one_answer)
{
    api_world_start(&w);
    for (int i = 0; i < 3; i++) {
        char id[SAGA_ID_TEXT_SIZE];
        api_world_begin(&w, 0, "x", "", id);
        Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
        m.saga_id = id;
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_COMMIT, &m.base), NULL);
        if (i > 0)
            continue;
        /* One that has seen a part, and reads on too late. */
        Saga__V1__WatchRequest gone = SAGA__V1__WATCH_REQUEST__INIT;
        struct world_call *slow = watch(id, "");
        api_world_settle(&w);
        ck_assert_uint_eq(slow->sent_count, 1);
        /* And one who was shown the same and has left. */
        struct world_call *left = watch("", "1.0");
        api_world_settle(&w);
        ck_assert_uint_eq(left->sent_count, 1);
        api_world_cancel(left);
        api_world_free(left);
        bool more = true;
        struct error_detail detail;
        /* Not before its time. */
        w.now = instant_after(w.now, SPAN_S(3500));
        api_world_begin(&w, 0, "x", "", (char[SAGA_ID_TEXT_SIZE]){0});
        for (int k = 0; more && k < 100; k++)
            ck_assert_int_eq(core_maintain(w.loop[0].core, w.now, &more, &detail), 0);
        Saga__V1__GetRequest kept = SAGA__V1__GET_REQUEST__INIT;
        kept.saga_id = id;
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_GET, &kept.base), NULL);
        w.now = instant_after(w.now, SPAN_S(3700));
        api_world_begin(&w, 0, "x", "", (char[SAGA_ID_TEXT_SIZE]){0});
        more = true;
        for (int k = 0; more && k < 100; k++)
            ck_assert_int_eq(core_maintain(w.loop[0].core, w.now, &more, &detail), 0);
        gone.cursor = (char *)(uintptr_t) "1.0";
        api_world_refused(&w, 0, METHOD_WATCH, &gone.base, "CURSOR_EXPIRED", "");
        gone.saga_id = id;
        api_world_refused(&w, 0, METHOD_WATCH, &gone.base, "CURSOR_EXPIRED", "");
        gone.cursor = (char *)(uintptr_t) "";
        api_world_refused(&w, 0, METHOD_WATCH, &gone.base, "SAGA_NOT_FOUND", "");
        api_world_took(slow);
        api_world_settle(&w);
        ck_assert(slow->ended);
        ck_assert_str_eq(slow->reason, "CURSOR_EXPIRED");
        api_world_free(slow);
    }
}
END_TEST

/* One message is kept for all who stand where it begins: as long as what it begins with is there, and not a frame longer. */
START_TEST(subscribers__a_message_that_is_kept_expires_with_its_frame)
{
    char first[SAGA_ID_TEXT_SIZE], second[SAGA_ID_TEXT_SIZE];
    struct error_detail detail;
    bool more = true;
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", first);
    api_world_begin(&w, 0, "x", "", second);
    for (int i = 0; i < 2; i++) {
        struct world_call *left = watch("", "1.0");
        api_world_settle(&w);
        ck_assert_uint_eq(left->sent_count, 1);
        cancel(left);
    }
    Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
    m.saga_id = first;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_COMMIT, &m.base), NULL);
    w.now = instant_after(w.now, SPAN_S(3700));
    api_world_begin(&w, 0, "x", "", (char[SAGA_ID_TEXT_SIZE]){0});
    for (int k = 0; more && k < 100; k++)
        ck_assert_int_eq(core_maintain(w.loop[0].core, w.now, &more, &detail), 0);
    ck_assert_uint_eq(w.loop[0].store->first_frame(w.loop[0].store), 2); /* where the second saga is */
    Saga__V1__WatchRequest gone = SAGA__V1__WATCH_REQUEST__INIT;
    gone.cursor = (char *)(uintptr_t) "1.0";
    api_world_refused(&w, 0, METHOD_WATCH, &gone.base, "CURSOR_EXPIRED", "");
}
END_TEST

static void act_on_both(enum method_id method, const ProtobufCMessage *first, const ProtobufCMessage *second)
{
    struct world_call *calls[] = {api_world_ask(&w, 0, method, first), api_world_ask(&w, 0, method, second)};
    api_world_settle(&w);
    for (int i = 0; i < 2; i++) {
        ck_assert(calls[i]->ended);
        ck_assert_int_eq(calls[i]->status, 0);
        api_world_free(calls[i]);
    }
}

/* Sagas that change in one commit, and in the other order in the next. */
START_TEST(subscribers__sagas_may_change_in_any_order)
{
    char ids[2][SAGA_ID_TEXT_SIZE];
    struct world_call *watchers[2];
    api_world_start(&w);
    for (int i = 0; i < 2; i++) {
        api_world_begin(&w, 0, "x", "", ids[i]);
        watchers[i] = watch(ids[i], "");
    }
    api_world_settle(&w);
    Saga__V1__PauseRequest pauses[] = {SAGA__V1__PAUSE_REQUEST__INIT, SAGA__V1__PAUSE_REQUEST__INIT};
    Saga__V1__ResumeRequest resumes[] = {SAGA__V1__RESUME_REQUEST__INIT, SAGA__V1__RESUME_REQUEST__INIT};
    for (int i = 0; i < 2; i++) {
        pauses[i].saga_id = resumes[i].saga_id = ids[i];
        pauses[i].actor = resumes[i].actor = (char *)(uintptr_t) "ann";
    }
    act_on_both(METHOD_PAUSE, &pauses[0].base, &pauses[1].base);
    act_on_both(METHOD_RESUME, &resumes[1].base, &resumes[0].base);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(take_all(watchers[i], "x", NULL, NULL), 3);
        cancel(watchers[i]);
    }
}
END_TEST

/* Without memory for a first watcher he is refused, and the next one is not. */
START_TEST(subscribers__memory_that_ran_out_is_forgotten)
{
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    m.saga_id = id;
    refused_size = sizeof(UT_hash_table);
    api_world_refused(&w, 0, METHOD_WATCH, &m.base, "OUT_OF_MEMORY", "");
    refused_size = 0;
    struct world_call *later = watch(id, "");
    ck_assert_uint_eq(take_all(later, "x", NULL, NULL), 1);
    cancel(later);
}
END_TEST

static void pause_and_resume(char *id)
{
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    Saga__V1__ResumeRequest resume = SAGA__V1__RESUME_REQUEST__INIT;
    pause.saga_id = resume.saga_id = id;
    pause.actor = resume.actor = (char *)(uintptr_t) "ann";
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_PAUSE, &pause.base), NULL);
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_RESUME, &resume.base), NULL);
}

/* A saga that lives long is kept in later frames; a cursor in those that are gone does not tell what of it was seen. Whoever goes on there is told so,
 * whether there is time to show it at once or not; whoever begins, or goes on among the later ones, misses nothing. */
START_TEST(subscribers__a_cursor_in_frames_that_are_gone_misses_nothing_unsaid)
{
    char id[SAGA_ID_TEXT_SIZE], cursor[64];
    struct error_detail detail;
    bool more = true;
    w.move_after = 4;
    log_set_level(LOG_LEVEL_ERROR);
    api_world_start(&w);
    api_world_begin(&w, 0, "long", "", id);
    struct world_call *slow = watch(id, ""); /* has not taken what it was sent first */
    api_world_settle(&w);
    for (int i = 0; i < 4; i++)
        pause_and_resume(id);
    struct world_call *live = watch("", "");
    api_world_settle(&w);
    w.now = instant_after(w.now, SPAN_S(3700));
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    begin.name = (char *)(uintptr_t) "long";
    struct world_call *beside = NULL; /* begins in the frame that the copies are in, behind them */
    for (int k = 0; k < 3; k++) {     /* what is moved first is dropped once it is durable elsewhere */
        ck_assert_int_eq(core_maintain(w.loop[0].core, w.now, &more, &detail), 0);
        if (k == 0)
            beside = api_world_ask(&w, 0, METHOD_BEGIN, &begin.base);
        api_world_settle(&w);
    }
    ck_assert(beside->ended && beside->status == 0);
    api_world_free(beside);
    ck_assert(!more);
    ck_assert_uint_eq(take_all(live, "long", NULL, NULL), 1); /* what was moved is no news */
    cancel(live);
    for (int i = 0; i < 10; i++)
        pause_and_resume(id);
    /* Whoever watches all, and was cut within what was moved, is told no more of that, and all that is behind it. */
    for (unsigned index = 0; index <= 10; index++) {
        snprintf(cursor, sizeof cursor, "%llx.%x", (unsigned long long)w.loop[0].durable_frame - 20, index);
        struct world_call *all = watch("", cursor);
        ck_assert_uint_eq(take_all(all, "long", NULL, NULL), 2 * 10 + (index < 10));
        cancel(all);
    }
    for (int late = 0; late < 2; late++) {
        w.tick = (struct span){.us = late ? 500 : 0}; /* a few frames at once */
        Saga__V1__WatchRequest gone = SAGA__V1__WATCH_REQUEST__INIT;
        gone.saga_id = id;
        for (int frame = 1; frame < 4; frame++) {
            snprintf(cursor, sizeof cursor, "%d.0", frame);
            gone.cursor = cursor;
            api_world_refused(&w, 0, METHOD_WATCH, &gone.base, "CURSOR_EXPIRED", "");
        }
        struct world_call *whole = watch(id, "");
        ck_assert_uint_eq(take_all(whole, "long", NULL, cursor), 1 + 2 * 14);
        cancel(whole);
        struct world_call *rest = watch(id, cursor);
        ck_assert_uint_eq(take_all(rest, "long", NULL, NULL), 0);
        cancel(rest);
    }
    w.tick = (struct span){0};
    api_world_took(slow);
    api_world_settle(&w);
    ck_assert(slow->ended);
    ck_assert_str_eq(slow->reason, "CURSOR_EXPIRED");
    api_world_free(slow);
}
END_TEST

/* Wherever in the queue of those that are ready it stands: who is before it, and who comes after, are served. */
START_TEST(subscribers__a_watcher_that_leaves_the_queue_takes_nobody_along)
{
    enum { QUEUED = 3 };
    char id[SAGA_ID_TEXT_SIZE];
    log_set_level(LOG_LEVEL_ERROR);
    api_world_start(&w);
    api_world_begin(&w, 0, "x", "", id);
    for (int gone = 0; gone < QUEUED; gone++) {
        struct world_call *watchers[QUEUED + 1];
        for (int i = 0; i <= QUEUED; i++)
            watchers[i] = watch(id, "");
        api_world_settle(&w);
        pause_and_resume(id);
        for (int i = 0; i < QUEUED; i++) {
            ck_assert_uint_eq(watchers[i]->sent_count, 1);
            api_world_took(watchers[i]); /* and is ready for what has happened since */
        }
        cancel(watchers[gone]);
        api_world_took(watchers[QUEUED]);
        api_world_settle(&w);
        for (int i = 0; i <= QUEUED; i++) {
            if (i == gone)
                continue;
            ck_assert_msg(watchers[i]->sent_count == 2, "number %d, when number %d has left", i, gone);
            cancel(watchers[i]);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subscribers");
    TCase *tc = tcase_create("subscribers");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, subscribers__a_frame_of_more_than_a_thousand_events_is_shown_whole);
    tcase_add_test(tc, subscribers__watchers_at_one_place_are_sent_one_message);
    tcase_add_test(tc, subscribers__a_frame_that_a_message_cuts_is_shown_whole);
    tcase_add_test(tc, subscribers__names_of_what_has_ended_are_not_looked_up);
    tcase_add_test(tc, subscribers__names_are_waited_for);
    tcase_add_test(tc, subscribers__catching_up_waits_for_the_journal);
    tcase_add_test(tc, subscribers__catching_up_is_cut_by_time);
    tcase_add_test(tc, subscribers__catching_up_is_cut_by_the_time_of_its_frames);
    tcase_add_test(tc, subscribers__thousands_of_waiters_are_answered_in_pieces);
    tcase_add_test(tc, subscribers__have_bounds_and_leave_their_places);
    tcase_add_test(tc, subscribers__are_told_of_what_is_durable_alone);
    tcase_add_test(tc, subscribers__who_waits_is_told_which_step_of_a_loop_failed);
    tcase_add_test(tc, subscribers__a_wait_for_what_cannot_be_read_is_refused);
    tcase_add_test(tc, subscribers__what_retention_took_has_one_answer);
    tcase_add_test(tc, subscribers__memory_that_ran_out_is_forgotten);
    tcase_add_test(tc, subscribers__sagas_may_change_in_any_order);
    tcase_add_test(tc, subscribers__a_message_that_is_kept_expires_with_its_frame);
    tcase_add_test(tc, subscribers__a_cursor_in_frames_that_are_gone_misses_nothing_unsaid);
    tcase_add_test(tc, subscribers__a_watcher_that_leaves_the_queue_takes_nobody_along);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
