/* What services ask of the engine: what is refused names its place, a repetition is one only when it says the same, and a call has with it what its
 * saga was begun with. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "tests/support/shapes.h"
#include "sidecar/engine/engine_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct engine *engine;
static struct definition *definition; /* of which sagas are started */
static struct instant now;
static int code;              /* of the last reply */
static char field[96];        /* of the last refusal */
static char words[256];       /* likewise */
static int retry_ms;          /* likewise: when to come again */
static struct span lease;     /* of the last reply */
static char identity[64];     /* of the last record */
static size_t said;           /* the words of the last record */
static uint8_t ended_status;  /* of the last end of an action */
static char ended_words[128]; /* of the last end of an action */
static struct record last;    /* of it: what is no view */
static size_t answered;       /* the words of what those who wait are given */
static size_t refused_size;   /* no memory of just this size is given; 0: any is */
static struct saga_id first;  /* the saga that is begun first */
static struct call_effect calls[4];
static unsigned call_count;

static void add_record(void *self, const struct record *r)
{
    (void)self;
    last = *r;
    answered = r->type == RECORD_ANSWERED ? r->message.size : answered;
    said = r->message.size;
    ended_status = r->type == RECORD_ACTION_ENDED ? r->status : ended_status;
    if (r->type == RECORD_ACTION_ENDED)
        snprintf(ended_words, sizeof ended_words, "%.*s", (int)r->message.size, (const char *)r->message.at);
    snprintf(identity, sizeof identity, "%.*s", (int)r->identity.size, (const char *)r->identity.at);
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    (void)self;
    if (effect->type == EFFECT_REPLY) {
        code = effect->as.reply.code;
        lease = effect->as.reply.lease;
        snprintf(field, sizeof field, "%s", detail == NULL ? "" : detail->field);
        snprintf(words, sizeof words, "%s", detail == NULL ? "" : detail->text);
        retry_ms = detail == NULL ? 0 : detail->retry_ms;
    } else if (effect->type == EFFECT_CALL) {
        ck_assert_uint_lt(call_count, 4);
        calls[call_count++] = effect->as.call;
    }
}

static int ask(struct event event)
{
    const struct engine_out out = {.add_record = add_record, .add_effect = add_effect};
    event.now = now;
    event.token = 1;
    event.saga = first;
    code = -1;
    ck_assert_int_eq(engine_step(engine, &event, &out), 0);
    return code;
}

static void *take(void *self, size_t size)
{
    return size == refused_size ? NULL : heap.take(self, size);
}

static void set_up(void)
{
    struct memory memory = heap;
    memory.take = take;
    refused_size = answered = 0;
    const struct engine_options options = {
        .live_sagas_max = 8,
        .steps_max = 16,
        .payload_bytes_max = 64,
        .targets_max = 2,
        .enlisted_deadline_default = SPAN_S(60),
        .enlisted_lease_default = SPAN_S(3),
        .pushback_max = SPAN_S(300),
        .deadline_max = SPAN_S(3600),
        .target_wait = SPAN_S(3600),
        .compensation_retry = {.max_attempts = 2, .initial_backoff = SPAN_MS(1), .max_backoff = SPAN_MS(1)},
        .recall = {.answers_max = 4, .bytes_max = 4096, .age_max = SPAN_S(3600)},
        .tag = 1,
    };
    const struct target_options t = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    now.us = 1000000;
    call_count = 0;
    ck_assert_int_eq(engine_create(&options, &memory, &engine), 0);
    ck_assert_int_eq(engine_set_target(engine, &t), 0);
    first = (struct saga_id){.tag = 1, .serial = 1};
}

static void tear_down(void)
{
    engine_destroy(engine);
    definition_destroy(definition);
    definition = NULL;
}

/* A definition that the engine knows from now on. */
static void define(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    limits.schemas = shapes_schemas();
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
    definition->number = 1;
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), 0);
}

static struct enlistment undoable(const char *step, struct span timeout)
{
    return (struct enlistment){.step = bytes_of_text(step),
                               .has_compensation = true,
                               .compensation = {.target = "t", .method = "/p.S/Undo", .timeout = timeout}};
}

/* Of a step's targets each must be there, whichever of them is not. */
START_TEST(requests__every_target_of_a_step_is_looked_for)
{
    static const char *const names[] = {"[t, gone]", "[gone, t]"};
    struct definition_limits limits = definition_limits_default();
    limits.schemas = shapes_schemas();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[256];
        struct error_detail detail;
        snprintf(text, sizeof text,
                 "name: d\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
                 "  - {name: a, target: {oneof: %s, by: input.sku}, action: /shapes.Shop/Old, compensation: none}\n",
                 names[i]);
        ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
        ck_assert_int_eq(engine_resolve(engine, definition, &detail), E_TARGET_NOT_FOUND);
        ck_assert_str_eq(detail.field, "action.target");
        ck_assert_str_eq(detail.text, "step a: sagad.yaml names no target gone");
        definition_destroy(definition);
        definition = NULL;
    }
}
END_TEST

static struct event begin_with(const struct enlistment *enlist, size_t count)
{
    return (struct event){.type = EVENT_BEGIN,
                          .name = bytes_of_text("order"),
                          .identity = bytes_of_text("ann"),
                          .traceparent = bytes_of_text(TRACE),
                          .enlist = enlist,
                          .enlist_count = count};
}

static void begin(const char *step)
{
    const struct enlistment one = undoable(step, SPAN_S(2));
    ck_assert_int_eq(ask(begin_with(&one, 1)), 0);
}

/* Whoever heard no answer counts the lease from this one. */
START_TEST(requests__a_repeated_begin_tells_the_lease)
{
    struct event event = begin_with(NULL, 0);
    event.request_id = bytes_of_text("r");
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(ask(event), 0);
        ck_assert_int_eq(lease.us, SPAN_S(3).us);
    }
}
END_TEST

START_TEST(requests__what_is_refused_is_named_by_its_place)
{
    static const char *const names[12] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "no name"};
    struct enlistment many[12];
    for (unsigned i = 0; i < 12; i++)
        many[i] = undoable(names[i], SPAN_S(2));
    ck_assert_int_eq(ask(begin_with(many, 12)), E_ARGUMENT);
    ck_assert_str_eq(field, "enlist[11].step");
    ck_assert_int_eq(ask(begin_with(many + 1, 11)), E_ARGUMENT);
    ck_assert_str_eq(field, "enlist[10].step");
    many[9] = undoable("j", (struct span){.us = SPAN_S(3600).us + 1});
    ck_assert_int_eq(ask(begin_with(many, 11)), E_ARGUMENT);
    ck_assert_str_eq(field, "enlist[9].compensation.timeout");
    many[9] = undoable("j", SPAN_S(3600));
    ck_assert_int_eq(ask(begin_with(many, 11)), 0);

    struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_UNKNOWN};
    struct event settle = {.type = EVENT_ENLIST, .settle = &s, .settle_count = 1};
    s.may_run_for.us = SPAN_S(3600).us + 1;
    ck_assert_int_eq(ask(settle), E_ARGUMENT);
    ck_assert_str_eq(field, "settle[0].may_run_for");
    s.may_run_for.us = SPAN_S(3600).us;
    ck_assert_int_eq(ask(settle), 0);
}
END_TEST

START_TEST(requests__a_trace_is_one_or_none)
{
    struct event event = begin_with(NULL, 0);
    event.traceparent = bytes_of_text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0");
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "traceparent");
    event.traceparent = bytes_of(NULL, 0);
    ck_assert_int_eq(ask(event), 0);
}
END_TEST

START_TEST(requests__a_step_is_enlisted_again_in_the_same_words)
{
    begin("a");
    struct enlistment again = undoable("a", SPAN_S(2));
    struct event enlist = {.type = EVENT_ENLIST, .enlist = &again, .enlist_count = 1};
    ck_assert_int_eq(ask(enlist), 0);
    again.compensation.timeout = SPAN_S(1);
    ck_assert_int_eq(ask(enlist), E_STEP_EXISTS);
    again = undoable("a", SPAN_S(2));
    again.compensation.method = "/p.S/Other";
    ck_assert_int_eq(ask(enlist), E_STEP_EXISTS);
    again = undoable("a", SPAN_S(2));
    again.compensation.constant = bytes_of_text("more");
    ck_assert_int_eq(ask(enlist), E_STEP_EXISTS);
}
END_TEST

/* Of whoever is not its owner. */
START_TEST(requests__who_settles_is_told)
{
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    begin("a");
    ck_assert_int_eq(
        ask((struct event){.type = EVENT_ENLIST, .identity = bytes_of_text("bob"), .settle = &s, .settle_count = 1}),
        0);
    ck_assert_str_eq(identity, "bob");
    ck_assert_int_eq(ask((struct event){.type = EVENT_COMMIT, .identity = bytes_of_text("carl")}), 0);
    ck_assert_str_eq(identity, "carl");
}
END_TEST

START_TEST(requests__an_end_is_repeated_in_the_same_words)
{
    struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    const struct event commit = {.type = EVENT_COMMIT, .settle = &s, .settle_count = 1};
    begin("a");
    ck_assert_int_eq(ask(commit), 0);
    ck_assert_int_eq(ask(commit), 0);
    /* Each of what it brings is compared. */
    const struct settlement two[2] = {s, {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_REJECTED}};
    ck_assert_int_eq(ask((struct event){.type = EVENT_COMMIT, .settle = two, .settle_count = 2}), E_STEP_SETTLED);
    ck_assert_str_eq(field, "settle[1].outcome");
    s.action_state = SAGA_ACTION_REJECTED;
    ck_assert_int_eq(ask(commit), E_STEP_SETTLED);
    s.step = bytes_of_text("b");
    ck_assert_int_eq(ask(commit), E_STEP_NOT_FOUND);
    ck_assert_str_eq(field, "settle[0].step");
}
END_TEST

/* The trace that its saga was begun with, and since when it was due: one that found its target full has waited for it. */
START_TEST(requests__a_call_tells_where_it_comes_from)
{
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    const struct event abort = {.type = EVENT_ABORT, .settle = &s, .settle_count = 1, .identity = bytes_of_text("ann")};
    begin("a");
    ck_assert_int_eq(ask(abort), 0);
    ck_assert_uint_eq(call_count, 1);
    begin("a");
    first.serial = 2;
    ck_assert_int_eq(ask(abort), 0);
    ck_assert_uint_eq(call_count, 1); /* the target has one place */
    first.serial = 1;
    now.us += 500000;
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_COMPENSATION,
                       .attempt = 1,
                       .reach = SAGA_REACH_ANSWERED,
                       .status = CODE_OK});
    ck_assert_uint_eq(call_count, 2);
    first.serial = 2;
    static const char why[MESSAGE_BYTES_MAX + 9] = "why";
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_COMPENSATION,
                       .attempt = 1,
                       .reach = SAGA_REACH_ANSWERED,
                       .status = CODE_INTERNAL,
                       .message = bytes_of(why, sizeof why)});
    ck_assert_uint_eq(said, MESSAGE_BYTES_MAX); /* as much of the participant's words as a record holds */
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(bytes_equal(calls[i].traceparent, bytes_of_text(TRACE)));
        ck_assert_int_eq(calls[i].due_at.us, 1000000);
    }
}
END_TEST

static void answer(int status, enum saga_reach reach)
{
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_ACTION,
                       .attempt = 1,
                       .reach = (uint8_t)reach,
                       .unreached = reach == SAGA_REACH_NONE,
                       .status = status});
}

#define TYPED "name: d\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"

static struct bytes line(const char *text)
{
    static uint8_t room[160];
    return shapes_line(bytes_of_text(text), room);
}

/* What could not be sent for want of memory was certainly not carried out. */
START_TEST(requests__what_had_no_memory_for_its_request_is_refused_and_tried_again)
{
    define(TYPED
           "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: =input.sku + 'abc'},\n"
           "     retry: {maxAttempts: 2, initialBackoff: 100ms, jitter: 0}}, compensation: none}\n");
    struct bytes in = line("a text of a size that nothing else has here....");
    refused_size = in.size + 3;
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = in}), 0);
    ck_assert_int_eq(last.type, RECORD_ACTION_FAILED);
    ck_assert_int_eq(last.status, CODE_RESOURCE_EXHAUSTED);
    ck_assert(!last.maybe_executed);
    ck_assert_uint_eq(call_count, 0);
    refused_size = 0;
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 1);
    ck_assert_uint_eq(calls[0].request.size, in.size + 3);
}
END_TEST

/* What those who wait are given cannot be computed: the record says why. */
START_TEST(requests__an_answer_that_fails_has_its_words)
{
    define(TYPED "forward_only: true\noutput: {sku: \"=input.sku.split('-')[1]\"}\noutput_type: shapes.Line\nsteps:\n"
                 "  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n"
                 "  - {name: b, after: [a], target: t, deferred: true, action: {method: /shapes.Shop/Old}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("in")}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_uint_gt(answered, 0);
}
END_TEST

/* Those of a definition take their turns together, or those of a tag's value, which is no definition's name. */
START_TEST(requests__a_tag_is_no_name)
{
    define(TYPED "tags: {tenant: =input.sku}\nfair_by: tenant\n"
                 "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
    struct definition *of_tag = definition;
    const struct event tagged = {.type = EVENT_START, .definition = of_tag, .input = line("plain")};
    ck_assert_int_eq(ask(tagged), 0); /* it has the only place */
    ck_assert_int_eq(ask(tagged), 0);
    ck_assert_int_eq(ask(tagged), 0);
    ck_assert_uint_eq(engine->keys.count, 1);
    define("name: plain\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_uint_eq(engine->keys.count, 2);
    engine_destroy(engine);
    engine = NULL;
    definition_destroy(of_tag);
}
END_TEST

/* Who may start sagas of some tags alone starts no others, and none that has no tags. */
START_TEST(requests__a_right_to_tags_is_no_right_to_others)
{
    struct event event = {
        .type = EVENT_START, .tag_sets = bytes_of("tenant\0acme\0\0\0tenant\0other\0\0\0", 29), .input = line("acme")};
    define("name: plain\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    event.definition = definition;
    ck_assert_int_eq(ask(event), E_PERMISSION);
    definition_destroy(definition);
    define(TYPED "tags: {tenant: =input.sku}\n"
                 "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: none}\n");
    event.definition = definition;
    ck_assert_int_eq(ask(event), 0);
    event.input = line("other");
    ck_assert_int_eq(ask(event), 0);
    event.input = line("third");
    ck_assert_int_eq(ask(event), E_PERMISSION);
    event.tag_sets.size = 0;
    ck_assert_int_eq(ask(event), 0);
}
END_TEST

/* To look at: until when a step waits is at most its saga's deadline; and a breaker that is open, not the rate, is what it waits for. */
START_TEST(requests__what_a_step_waits_for_is_told)
{
    const struct target_options rated = {
        .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 2, .rate = {.per_second = 1, .burst = 1}};
    const struct event hold = {.type = EVENT_BREAKER,
                               .name = bytes_of_text("t"),
                               .actor = bytes_of_text("ann"),
                               .reason = bytes_of_text("why"),
                               .breaker_act = BREAKER_HOLD};
    define("name: d\nversion: 1.0.0\ndeadline: 20s\nsteps:\n"
           "  - {name: a, target: t, reserve: 5s, action: /p.S/A, compensation: none}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B}\n");
    ck_assert_int_eq(engine_set_target(engine, &rated), 0);
    const struct event start = {.type = EVENT_START, .definition = definition};
    ck_assert_int_eq(ask(start), 0);
    ck_assert_int_eq(ask(start), 0);
    ck_assert_uint_eq(call_count, 1);
    ck_assert(engine_target_rated(engine, 0));
    const struct saga *second = engine_find(engine, 2);
    ck_assert(second->steps[0].queued);
    ck_assert_int_eq(engine_waits_until(engine, second, 0).us, now.us + SPAN_S(15).us);
    ck_assert_int_eq(ask(hold), 0);
    ck_assert(!engine_target_rated(engine, 0));
}
END_TEST

/* What differs in anything that a start says is another one under the same request_id. */
START_TEST(requests__a_repetition_says_the_same_in_everything)
{
    struct enlistment one = undoable("a", SPAN_S(2)), other = one;
    const struct event begun = {.type = EVENT_BEGIN,
                                .name = bytes_of_text("order"),
                                .request_id = bytes_of_text("r"),
                                .input = bytes_of_text("in"),
                                .deadline = SPAN_S(60),
                                .lease = SPAN_S(5),
                                .enlist = &one,
                                .enlist_count = 1};
    struct event event[9];
    for (unsigned i = 0; i < 9; i++)
        event[i] = begun;
    event[0].name = bytes_of_text("orders");
    event[1].input = bytes_of_text("im");
    event[2].version = bytes_of_text("1.0.0");
    event[3].deadline.us++;
    event[4].lease.us++;
    event[5].priority = PRIORITY_LOW;
    event[6].synthetic = true;
    event[7].enlist_count = 0;
    event[8].enlist = &other;
    ck_assert_int_eq(ask(begun), 0);
    ck_assert_int_eq(ask(begun), 0);
    for (unsigned i = 0; i < 9; i++) {
        other.compensation.method = "/p.S/Undone";
        ck_assert_msg(ask(event[i]) == E_REQUEST_ID_REUSED, "the difference %u", i);
    }
    for (unsigned i = 0; i < 3; i++) {
        other = one;
        other.compensation.constant = i == 0 ? bytes_of_text("x") : bytes_of(NULL, 0);
        other.step = bytes_of_text(i == 1 ? "b" : "a");
        other.has_compensation = i != 2;
        ck_assert_int_eq(ask(event[8]), E_REQUEST_ID_REUSED);
    }
    ck_assert_int_eq(ask(begun), 0);
}
END_TEST

/* What a person has tried anew after a refusal is another action, which begins then; and each step that is skipped is counted. */
START_TEST(requests__what_people_do_to_a_dead_letter_is_kept)
{
    const struct target_options wide = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4};
    struct event act = {.type = EVENT_RETRY, .actor = bytes_of_text("ann"), .reason = bytes_of_text("why")};
    define("name: d\nversion: 1.0.0\nforward_only: true\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A}\n  - {name: b, target: t, action: /p.S/B}\n");
    ck_assert_int_eq(engine_set_target(engine, &wide), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    for (uint16_t i = 0; i < 2; i++)
        ask((struct event){.type = EVENT_ANSWER,
                           .step_index = i,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_NOT_FOUND});
    const struct saga *s = engine_find(engine, 1);
    ck_assert_int_eq(s->state, SAGA_STUCK);
    now.us += 5000000;
    act.step = bytes_of_text("a");
    ck_assert_int_eq(ask(act), 0);
    ck_assert_int_eq(s->steps[0].generation, 1);
    ck_assert_int_eq(s->steps[0].first_at.us, 0); /* it has not begun: the other is stuck yet */
    act.type = EVENT_SKIP;
    act.step = bytes_of_text("b");
    ck_assert_int_eq(ask(act), 0);
    ck_assert_uint_eq(call_count, 3);
    ck_assert_uint_eq(calls[2].generation, 1);
    ck_assert_int_eq(calls[2].action_started.us, now.us);
    answer(CODE_NOT_FOUND, SAGA_REACH_ANSWERED);
    act.step = bytes_of_text("a");
    ck_assert_int_eq(ask(act), 0);
    ck_assert_int_eq(s->state, SAGA_COMMITTED);
    ck_assert_uint_eq(s->skips, 2);
}
END_TEST

/* How often each was tried, the last attempt with it, for whoever looks. */
START_TEST(requests__attempts_are_counted_to_the_end)
{
    const struct settlement done = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    struct event undone = {.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_COMPENSATION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_UNAVAILABLE};
    begin("a");
    const struct step *step = &engine_find(engine, 1)->steps[0];
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT, .settle = &done, .settle_count = 1}), 0);
    ck_assert_uint_eq(step->action_attempts, 1);
    ask(undone);
    ck_assert_uint_eq(step->compensation_attempts, 1);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    undone.attempt = 2;
    ask(undone);
    ck_assert_int_eq(step->compensation, SAGA_COMPENSATION_FAILED);
    ck_assert_uint_eq(step->compensation_attempts, 2);
}
END_TEST

/* A heartbeat is no customer's saga, whatever state it is in. */
START_TEST(requests__heartbeats_are_counted_apart)
{
    const struct event pause = {.type = EVENT_PAUSE, .actor = bytes_of_text("ann")};
    const struct event resume = {.type = EVENT_RESUME, .actor = bytes_of_text("ann")};
    define("name: d\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n"
           "  - {name: b, after: [a], target: t, deferred: true, action: /p.S/B}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .synthetic = true}), 0);
    ck_assert_int_eq(ask(pause), 0);
    ck_assert_uint_eq(engine_counts(engine).paused, 1);
    ck_assert_uint_eq(engine_counts_real(engine).paused, 0);
    ck_assert_int_eq(ask(resume), 0);
    ck_assert_uint_eq(engine_counts(engine).synthetic.paused, 0);
    ck_assert(calls[0].synthetic);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(engine_counts(engine).answered, 1);
    ck_assert_uint_eq(engine_counts_real(engine).answered, 0);
    ck_assert_uint_eq(engine_counts_real(engine).live, 0);
    engine_check(engine);
}
END_TEST

/* So is one that goes back: of two, one is a customer's. */
START_TEST(requests__heartbeats_that_go_back_are_counted_apart)
{
    const struct target_options roomy = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4};
    ck_assert_int_eq(engine_set_target(engine, &roomy), 0);
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: {method: "
           "/p.S/UndoA, retry: {maxAttempts: 1}}}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B, compensation: none}\n");
    for (int synthetic = 0; synthetic < 2; synthetic++) {
        first.serial = (uint64_t)synthetic + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .synthetic = synthetic}), 0);
        answer(CODE_OK, SAGA_REACH_ANSWERED);
        ask((struct event){.type = EVENT_CANCEL});
        ck_assert_uint_eq(engine_counts(engine).compensating, 1);
        ck_assert_uint_eq(engine_counts_real(engine).compensating, 1 - synthetic);
        call_count = 0;
        ask((struct event){.type = EVENT_ANSWER,
                           .step_index = 1,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_NOT_FOUND});
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_COMPENSATION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = CODE_NOT_FOUND});
        ck_assert_uint_eq(engine_counts(engine).stuck, 1 + synthetic);
        ck_assert_uint_eq(engine_counts_real(engine).stuck, 1);
        ck_assert_uint_eq(engine_counts(engine).compensating, 0);
    }
    engine_check(engine);
}
END_TEST

/* How many of its places are used is found out where that is said. */
START_TEST(requests__a_target_is_as_it_was_configured)
{
    struct target_options o = {.name = "t",
                               .timeout = SPAN_S(4),
                               .max_concurrent_calls = 9,
                               .adaptive_concurrency = true,
                               .barrier = true,
                               .max_pending_calls = 5,
                               .pending_timeout = SPAN_S(3),
                               .rate = {.per_second = 100, .burst = 10},
                               .budget = {.percent = 20, .min_per_second = 3}};
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    const struct target *t = engine_target(engine, 0);
    ck_assert_uint_eq(t->places, 9);
    ck_assert_uint_eq(t->limit.max, 9);
    ck_assert_uint_lt(target_places(t), 9); /* it begins cautiously */
    ck_assert_int_eq(t->timeout.us, SPAN_S(4).us);
    ck_assert_int_eq(t->pending_timeout.us, SPAN_S(3).us);
    ck_assert(t->barrier && t->pending_max == 5);
    o.adaptive_concurrency = o.barrier = false;
    o.pending_timeout = SPAN_S(2);
    o.max_pending_calls = 6;
    o.timeout = SPAN_S(5);
    o.rate.per_second = 50;
    o.budget.percent = 10;
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert_uint_eq(target_places(t), 9);
    ck_assert_int_eq(t->pending_timeout.us, SPAN_S(2).us);
    ck_assert_int_eq(t->timeout.us, SPAN_S(5).us);
    ck_assert(!t->barrier && t->pending_max == 6);
    ck_assert(t->rate.per_second == 50 && t->budget.options.percent == 10);
    o.barrier = true;
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert(t->barrier);
    o.max_concurrent_calls = 0; /* it is gone, and all that was said of it */
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert(!t->barrier && t->pending_max == 0 && t->pending_timeout.us == 0 && t->places == 0);
}
END_TEST

/* Of what is called or undone somewhere the name is kept, so that a reload finds it again. */
START_TEST(requests__names_of_targets_are_kept)
{
    struct error_detail detail;
    struct definition_limits limits = definition_limits_default();
    ck_assert_int_eq(definition_read(bytes_of_text("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: "
                                                   "/p.S/A, compensation: {target: u, method: /p.S/U}}\n"),
                                     &limits, &definition, &detail),
                     0);
    ck_assert_int_eq(engine_find_target(engine, bytes_of_text("u")), -1);
    ck_assert_int_eq(engine_keep_names(engine, definition), 0);
    ck_assert_uint_eq(engine->target_count, 2);
    ck_assert_int_eq(engine_find_target(engine, bytes_of_text("u")), -1); /* it is not there */
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(detail.field, "compensation.target");
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    ck_assert_int_eq(engine_find_target(engine, bytes_of_text("u")), 1);
}
END_TEST

/* What an answer was expected to be, and why a request could not be made, is said with the end of the step. */
START_TEST(requests__why_a_step_failed_is_kept_in_words)
{
    static const struct {
        const char *steps, *words;
        int answers;
    } failed[] = {
        {"  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: input}, compensation: none,\n"
         "     expect: [{that: action.output.sku == 'yes', else: it says no, undo: false}]}\n",
         "it says no", 1},
        {"  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: \"=string(1 / "
         "input.quantity)\"}},\n"
         "     compensation: none}\n",
         "divide by zero", 0},
    };
    for (size_t i = 0; i < sizeof failed / sizeof failed[0]; i++) {
        char text[512];
        tear_down();
        set_up();
        snprintf(text, sizeof text, TYPED "steps:\n%s", failed[i].steps);
        define(text);
        ended_words[0] = '\0';
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("in")}), 0);
        for (int k = 0; k < failed[i].answers; k++)
            answer(CODE_OK, SAGA_REACH_ANSWERED);
        ck_assert_msg(strstr(ended_words, failed[i].words) != NULL, "%zu: %s", i, ended_words);
    }
}
END_TEST

/* A journal in which the attempts of a step went to two targets is not one that was written so. */
START_TEST(requests__a_step_goes_where_it_went)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct error_detail detail;
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define(TYPED "steps:\n  - {name: a, target: {oneof: [t, u], by: \"'t'\"}, action: {method: /shapes.Shop/Old,\n"
                 "     retry: {maxAttempts: 3}}, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = line("in")}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_ANSWERED);
    struct record r = {
        .type = RECORD_ACTION_STARTED, .saga = engine_find(engine, 1)->id, .at = now, .attempt = 2, .choice = 2};
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), E_JOURNAL_CORRUPT);
    r.choice = 0;
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), E_JOURNAL_CORRUPT);
    r.choice = 1;
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), 0);
}
END_TEST

/* An undo goes to the target that the action went to, by the method that undoes it. */
START_TEST(requests__an_undo_goes_where_its_action_went)
{
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    define(TYPED "steps:\n  - {name: a, target: {oneof: [t, u], by: input.sku}, action: {method: /shapes.Shop/Old,\n"
                 "     retry: {maxAttempts: 1}}, compensation: {method: /shapes.Shop/Reserve, request: {order_id: "
                 "=input.sku}}}\n");
    for (unsigned k = 0; k < 2; k++) {
        first.serial = k + 1;
        ck_assert_int_eq(
            ask((struct event){.type = EVENT_START, .definition = definition, .input = line(k == 0 ? "u" : "t")}), 0);
        answer(CODE_UNKNOWN, SAGA_REACH_ANSWERED);
        ck_assert_uint_eq(call_count, 2);
        for (unsigned i = 0; i < 2; i++)
            ck_assert_int_eq(calls[i].target, 1 - k);
        ck_assert_str_eq(calls[0].method, "/shapes.Shop/Old");
        ck_assert_str_eq(calls[1].method, "/shapes.Shop/Reserve");
        call_count = 0;
    }
}
END_TEST

/* Nothing follows the end of a saga in a journal. */
START_TEST(requests__nothing_comes_after_the_end)
{
    struct error_detail detail;
    begin("a");
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    ck_assert_int_eq(ask((struct event){.type = EVENT_COMMIT, .settle = &s, .settle_count = 1}), 0);
    for (uint8_t type = RECORD_ENLISTED; type < RECORD_TYPE_COUNT; type++) {
        const struct record r = {.type = type, .saga = engine_find(engine, 1)->id, .at = now, .step = RECORD_NO_STEP};
        if (type != RECORD_STARTED && type != RECORD_MOVED)
            ck_assert_msg(engine_replay(engine, &r, NULL, &detail) == E_JOURNAL_CORRUPT, "type %u", type);
    }
}
END_TEST

/* An answer as large as a payload may be is kept; a larger one was carried out, and nobody knows what it says. */
START_TEST(requests__an_answer_is_as_large_as_a_payload)
{
    static const uint8_t bytes[65];
    define(
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
        "     compensation: none}\n");
    for (unsigned i = 0; i < 2; i++) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .output = bytes_of(bytes, 64 + i)});
        ck_assert_int_eq(engine_find(engine, i + 1)->steps[0].action, i == 0 ? SAGA_ACTION_DONE : SAGA_ACTION_UNKNOWN);
        ck_assert_int_eq(ended_status, i == 0 ? CODE_OK : CODE_RESOURCE_EXHAUSTED);
    }
}
END_TEST

/* Both times in full: which of them to change is the question. */
START_TEST(requests__an_answer_that_is_too_old_says_by_how_much)
{
    define(
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
        "     compensation: none, fallback: {last_good: {key: k, max_age: 1500ms}}}\n");
    for (unsigned i = 0; i < 2; i++, now.us += 12345678) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = i == 0 ? CODE_OK : CODE_NOT_FOUND});
    }
    ck_assert_str_eq(ended_words, "the last good answer under its key is 12s old, and max_age is 1.500s");
}
END_TEST

/* What decides is named: the definition's own age, what the sidecar allows by now, or a clock that went back. */
START_TEST(requests__an_answer_that_is_too_old_says_for_whom)
{
    static const struct {
        const char *max_age;
        int64_t later;
        const char *says;
    } cases[] = {
        {"1h", 3601000000, "the last good answer under its key is 3601s old, and max_age is 3600s"},
        {"2h", 3601000000, "the last good answer under its key is 3601s old, and last_good_age_max is 3600s"},
        {"2h", 7201000000, "the last good answer under its key is 7201s old, and last_good_age_max is 3600s"},
        {"2h", -1, "the last good answer under its key is of a time to come: the clock went back"},
        {"2h", -5000000, "the last good answer under its key is of a time to come: the clock went back"},
    };
    char yaml[256];
    snprintf(yaml, sizeof yaml,
             "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: "
             "1}},\n     compensation: none, fallback: {last_good: {key: k, max_age: %s}}}\n",
             cases[_i].max_age);
    now.us = 10000000;
    define(yaml);
    for (unsigned i = 0; i < 2; i++, now.us += cases[_i].later) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_ANSWERED,
                           .status = i == 0 ? CODE_OK : CODE_NOT_FOUND});
    }
    ck_assert_str_eq(ended_words, cases[_i].says);
}
END_TEST

/* A saga that has ended says so before its end is durable, too. */
START_TEST(requests__an_ended_saga_is_no_ones_to_enlist_with)
{
    static const uint8_t types[] = {EVENT_ENLIST, EVENT_COMMIT, EVENT_ABORT, EVENT_KEEP_ALIVE};
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    for (int ended = 0; ended < 2; ended++) {
        for (size_t i = 0; i < sizeof types; i++)
            ck_assert_int_eq(ask((struct event){.type = types[i]}), ended ? E_SAGA_ENDED : E_NOT_ENLISTED);
        if (!ended)
            ask((struct event){
                .type = EVENT_ANSWER, .phase = SAGA_PHASE_ACTION, .attempt = 1, .reach = SAGA_REACH_ANSWERED});
    }
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMMITTED);
}
END_TEST

/* Whoever finds as many sagas as may live is told to come when one will have ended, as they have of late. */
START_TEST(requests__who_finds_no_room_is_told_when_there_is)
{
    const struct event event = begin_with(NULL, 0);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_int_eq(ask(event), 0);
    ck_assert_int_eq(ask(event), E_LIVE_SAGAS);
    ck_assert_int_eq(retry_ms, 100); /* it is not known */
    for (first.serial = 1; first.serial <= 4; first.serial++, now.us += 20000)
        ck_assert_int_eq(ask((struct event){.type = EVENT_COMMIT}), 0);
    now.us += 1000001; /* nothing for a second, and a little more: nobody comes before his time */
    ck_assert_int_eq(ask(event), E_LIVE_SAGAS);
    ck_assert_int_eq(retry_ms, 1021);
}
END_TEST

/* A retry that waits for its turn is tried, too, when the target has been away for too long; and its saga's deadline is the end
 * of any wait. */
START_TEST(requests__until_when_a_retry_waits_is_told)
{
    const struct target_options o = {
        .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 4, .budget = {.percent = 10, .min_per_second = 1}};
    char text[256];
    snprintf(text, sizeof text,
             "name: d\nversion: 1.0.0\n%ssteps:\n  - {name: a, target: t, action: {method: /p.S/A,\n"
             "     retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n",
             _i == 0 ? "" : "deadline: 20s\n");
    define(text);
    struct instant deadline = _i == 0 ? INSTANT_NEVER : instant_after(now, SPAN_S(20));
    ck_assert_int_eq(engine_set_target(engine, &o), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_ANSWERED);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    const struct saga *s = engine_find(engine, 1);
    ck_assert(s->steps[0].queued && engine_step_budgeted(&s->steps[0]));
    ck_assert_int_eq(engine_waits_until(engine, s, 0).us, deadline.us);
    first.serial = 2;
    answer(CODE_UNAVAILABLE, SAGA_REACH_NONE);
    ck_assert(engine_target_down(engine, 0));
    ck_assert_int_eq(engine_waits_until(engine, s, 0).us, instant_min(deadline, instant_after(now, SPAN_S(3600))).us);
}
END_TEST

/* Each bound is the last that is taken. */
START_TEST(requests__what_is_at_its_bound_is_taken)
{
    static const char text[MESSAGE_BYTES_MAX + 2] = "";
    struct event event = begin_with(NULL, 0);
    struct event cancel = {.type = EVENT_CANCEL, .actor = bytes_of(text, ACTOR_BYTES_MAX)};
    event.request_id = bytes_of(text, REQUEST_ID_BYTES_MAX + 1);
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "request_id");
    event.request_id.size--;
    event.deadline = (struct span){.us = SPAN_S(3600).us + 1};
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "deadline");
    event.deadline.us--;
    event.lease = (struct span){.us = SPAN_S(3600).us + 1};
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "lease");
    event.lease.us--;
    ck_assert_int_eq(ask(event), 0);

    cancel.actor.size++;
    ck_assert_int_eq(ask(cancel), E_ARGUMENT);
    ck_assert_str_eq(field, "actor");
    cancel.actor.size--;
    cancel.reason = bytes_of(text, MESSAGE_BYTES_MAX + 1);
    ck_assert_int_eq(ask(cancel), E_ARGUMENT);
    ck_assert_str_eq(field, "reason");
    cancel.reason.size--;
    ck_assert_int_eq(ask(cancel), 0);
}
END_TEST

/* Likewise each payload, and how long an action of unknown outcome may go on. */
START_TEST(requests__each_payload_has_its_bound)
{
    static const uint8_t bytes[65] = {0};
    struct enlistment one = undoable("a", SPAN_S(2));
    struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_UNKNOWN};
    const struct event settle = {.type = EVENT_ENLIST, .settle = &s, .settle_count = 1};
    struct event event = begin_with(&one, 1);
    event.input = bytes_of(bytes, 65);
    ck_assert_int_eq(ask(event), E_PAYLOAD);
    ck_assert_str_eq(field, "input");
    event.input.size--;
    one.compensation.constant = bytes_of(bytes, 65);
    ck_assert_int_eq(ask(event), E_PAYLOAD);
    ck_assert_str_eq(field, "enlist[0].compensation.request");
    one.compensation.constant.size--;
    ck_assert_int_eq(ask(event), 0);

    s.output = bytes_of(bytes, 65);
    ck_assert_int_eq(ask(settle), E_PAYLOAD);
    ck_assert_str_eq(field, "settle[0].output");
    s.output.size--;
    s.may_run_for.us = SPAN_S(3600).us + 1;
    ck_assert_int_eq(ask(settle), E_ARGUMENT);
    ck_assert_str_eq(field, "settle[0].may_run_for");
    s.may_run_for.us--;
    ck_assert_int_eq(ask(settle), 0);
    ck_assert_int_eq(engine_find(engine, 1)->steps[0].action, SAGA_ACTION_UNKNOWN);
}
END_TEST

/* What has no room takes outcomes, and no new step. */
START_TEST(requests__without_room_nothing_is_enlisted)
{
    begin("a");
    const struct enlistment more = undoable("b", SPAN_S(2)), same = undoable("a", SPAN_S(2));
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    struct event enlist = {.type = EVENT_ENLIST, .enlist = &more, .enlist_count = 1, .no_room = E_JOURNAL_FULL};
    ck_assert_int_eq(ask(enlist), E_JOURNAL_FULL);
    enlist.enlist = &same;
    ck_assert_int_eq(ask(enlist), 0);
    enlist.enlist_count = 0;
    enlist.settle = &s;
    enlist.settle_count = 1;
    ck_assert_int_eq(ask(enlist), 0);
    enlist = (struct event){.type = EVENT_ENLIST, .enlist = &more, .enlist_count = 1};
    ck_assert_int_eq(ask(enlist), 0);
}
END_TEST

/* Of the deadline that a start asks for something must be left to each step. */
START_TEST(requests__a_deadline_is_above_what_a_step_reserves)
{
    define("name: d\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
           "  - {name: b, after: [a], target: t, reserve: 2s, action: /p.S/B, compensation: none}\n"
           "  - {name: c, after: [b], target: t, action: /p.S/C}\n");
    struct event start = {.type = EVENT_START, .definition = definition, .deadline = SPAN_S(2)};
    ck_assert_int_eq(ask(start), E_ARGUMENT);
    ck_assert_str_eq(field, "deadline");
    ck_assert_str_eq(words, "must be above 2s, which step b reserves for those after it");
    start.deadline.us++;
    ck_assert_int_eq(ask(start), 0);
}
END_TEST

START_TEST(requests__a_cancel_that_comes_too_late_is_told_why)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, pivot: true, action: /p.S/A}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B}\n");
    const struct event cancel = {.type = EVENT_CANCEL};
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask(cancel), E_AFTER_PIVOT);
    ck_assert_ptr_nonnull(strstr(words, "pivot has been started"));
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_uint_eq(call_count, 2);
    ck_assert_int_eq(ask(cancel), E_AFTER_PIVOT);
    ck_assert_ptr_nonnull(strstr(words, "pivot is done"));
}
END_TEST

/* Of a dead letter: which words of a person there are, and what they are about. */
START_TEST(requests__who_acts_on_a_dead_letter_is_told_what_helps)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, pivot: true, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"
           "  - {name: b, after: [a], target: t, action: /p.S/B}\n");
    const struct event retry_b = {.type = EVENT_RETRY, .actor = bytes_of_text("ann"), .step = bytes_of_text("b")};
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_int_eq(ask(retry_b), E_SAGA_NOT_STUCK);
    ck_assert_str_eq(words, "the saga is not a dead letter: the sidecar goes on by itself");
    answer(CODE_UNAVAILABLE, SAGA_REACH_MAYBE);
    ck_assert_int_eq(ask(retry_b), E_SAGA_NOT_STUCK);
    ck_assert_str_eq(words, "this step is not what the saga is stuck on");
    ck_assert_int_eq(ask((struct event){.type = EVENT_CANCEL}), E_SAGA_STUCK);
    ck_assert_ptr_nonnull(strstr(words, "the pivot's outcome is unknown"));
}
END_TEST

/* Whatever number a participant ends a call with. */
START_TEST(requests__a_status_that_there_is_not_is_unknown)
{
    static const int told[] = {CODE_COUNT, 99, 258};
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none}\n");
    for (unsigned i = 0; i < 3; i++) {
        first.serial = i + 1;
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        answer(told[i], SAGA_REACH_ANSWERED);
        ck_assert_int_eq(ended_status, CODE_UNKNOWN);
    }
}
END_TEST

/* Where nobody waits for a target that cannot be reached, its attempts are made as often as the step says. */
START_TEST(requests__what_does_not_wait_for_its_target_is_tried_again)
{
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    engine->options.target_wait = SPAN_S(0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_NONE);
    ck_assert_int_eq(engine_find(engine, 1)->steps[0].action, SAGA_ACTION_STARTED);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 2);
    ck_assert_uint_eq(calls[1].attempt, 2);
}
END_TEST

/* It keeps the place of its targets: those of undos, too. */
START_TEST(requests__a_target_that_is_named_again_is_the_one_that_was_gone)
{
    struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    const char text[] =
        "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
        "  - {name: b, after: [a], target: t, action: /p.S/B,\n"
        "     compensation: {target: u, method: /p.S/UndoB}}\n";
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
    definition->number = 1;
    ck_assert_int_eq(engine_keep_names(engine, definition), 0);
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), E_TARGET_NOT_FOUND);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(words, "step b calls target u, which sagad.yaml does not name");
    ck_assert_int_eq(engine_set_target(engine, &u), definition->steps[1].compensation.target_index);
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
}
END_TEST

/* Which bound it is, and how much. */
START_TEST(requests__a_definitions_bound_is_named)
{
    struct definition_bound bound = {.definition = "d",
                                     .options = {.live_max = 2, .starts = {.per_second = 1, .burst = 1}}};
    struct event event = {.type = EVENT_START};
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A, compensation: none}\n");
    event.definition = definition;
    ck_assert_int_eq(engine_set_limits(engine, &bound, 1), 0);
    ck_assert_int_eq(ask(event), 0);
    ck_assert_int_eq(ask(event), E_DEFINITION_LIMIT);
    ck_assert_str_eq(words, "as many sagas of d begin in a second as may (starts_per_second: 1)");
    now.us += 1000000;
    ck_assert_int_eq(ask(event), 0);
    ck_assert_int_eq(ask(event), E_DEFINITION_LIMIT);
    ck_assert_str_eq(words, "as many sagas of d live as may (live_sagas_max: 2)");
}
END_TEST

/* What the method says of its barrier counts before what its target says: without one, the undo waits for the action's end. */
START_TEST(requests__a_methods_barrier_is_its_own)
{
    static const struct {
        const char *said;
        bool of_target, waits;
    } rows[] = {
        {"", false, true}, {"", true, false}, {", barrier: true", false, false}, {", barrier: false", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        const struct target_options t = {
            .name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1, .barrier = rows[i].of_target};
        tear_down();
        set_up();
        ck_assert_int_eq(engine_set_target(engine, &t), 0);
        snprintf(text, sizeof text,
                 "name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: {method: /p.S/A%s, retry: "
                 "{maxAttempts: 2, initialBackoff: 100ms, jitter: 0}}, compensation: /p.S/UndoA}\n",
                 rows[i].said);
        define(text);
        ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
        struct instant quiet_at = instant_after(now, SPAN_S(9));
        ask((struct event){.type = EVENT_ANSWER,
                           .phase = SAGA_PHASE_ACTION,
                           .attempt = 1,
                           .reach = SAGA_REACH_MAYBE,
                           .status = CODE_DEADLINE_EXCEEDED,
                           .quiet_at = quiet_at});
        ck_assert_int_eq(last.type, RECORD_ACTION_FAILED);
        ck_assert_msg(last.quiet_at.us == (rows[i].waits ? quiet_at.us : 0), "row %zu", i);
    }
}
END_TEST

/* An answer that is kept for fallbacks is forgotten when it is as old as any may be. */
START_TEST(requests__a_kept_answer_has_its_time)
{
    define("name: d\nversion: 1.0.0\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A, compensation: none,\n"
           "     fallback: {last_good: {key: rates, max_age: 1h}}}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert_int_eq(last.saga_state, SAGA_COMMITTED);
    ck_assert_int_eq(engine_expiry(engine).us, now.us + SPAN_S(3600).us);
    now.us = engine_expiry(engine).us + 1;
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(engine_answers(engine)->count, 0);
}
END_TEST

/* An hour is more microseconds than 32 bits hold. */
START_TEST(requests__a_lost_target_is_waited_for_as_long_as_is_said)
{
    define("name: d\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    answer(CODE_UNAVAILABLE, SAGA_REACH_NONE);
    ck_assert_uint_eq(call_count, 1);
    ck_assert_int_eq(engine_expiry(engine).us, now.us + SPAN_S(3600).us);
    now = engine_expiry(engine);
    ask((struct event){.type = EVENT_TICK});
    ck_assert_uint_eq(call_count, 2);
}
END_TEST

/* To look at: of those that wait for a target, how many nobody waits for. */
START_TEST(requests__what_is_deferred_is_told_apart_while_it_waits)
{
    define("name: d\nversion: 1.0.0\nforward_only: true\nsteps:\n"
           "  - {name: a, target: t, action: /p.S/A}\n"
           "  - {name: b, after: [a], target: t, deferred: true, action: /p.S/B}\n");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    first.serial = 2;
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition}), 0);
    ck_assert_uint_eq(engine_target(engine, 0)->waiting, 1);
    ck_assert_uint_eq(engine_target(engine, 0)->deferred, 0);
    first.serial = 1;
    answer(CODE_OK, SAGA_REACH_ANSWERED); /* and the second's action leaves before it */
    ck_assert_uint_eq(engine_target(engine, 0)->waiting, 1);
    ck_assert_uint_eq(engine_target(engine, 0)->deferred, 1);
}
END_TEST

/* Who acts on a saga says who it is, and of what cannot be taken back also why. */
START_TEST(requests__who_acts_says_who_and_why)
{
    static const struct {
        uint8_t type;
        bool reason;
    } acts[] = {{EVENT_PAUSE, false}, {EVENT_RESUME, false}, {EVENT_RETRY, false}, {EVENT_SKIP, true},
                {EVENT_REJECT, true}, {EVENT_RESOLVE, true}, {EVENT_BREAKER, true}};
    begin("a");
    for (unsigned i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct event act = {.type = acts[i].type, .name = bytes_of_text("t"), .reason = bytes_of_text("why")};
        act.breaker_act = BREAKER_TRIP;
        ck_assert_int_eq(ask(act), E_ARGUMENT);
        ck_assert_str_eq(field, "actor");
        act.actor = bytes_of_text("ann");
        act.reason.size = 0;
        ck_assert_int_eq(ask(act) == E_ARGUMENT && strcmp(field, "reason") == 0, acts[i].reason);
    }
    ck_assert(!engine_breaker(engine, 0)->open);
    const struct event pause = {.type = EVENT_PAUSE,
                                .actor = bytes_of_text("bob"),
                                .identity = bytes_of_text("bert"),
                                .reason = bytes_of_text("why")};
    ck_assert_int_eq(ask((struct event){.type = EVENT_RESUME, .actor = bytes_of_text("ann")}), 0);
    ck_assert_int_eq(ask(pause), 0);
    ck_assert_uint_eq(last.type, RECORD_PAUSED);
    ck_assert(bytes_equal(last.actor, pause.actor) && bytes_equal(last.message, pause.reason));
    ck_assert_str_eq(identity, "bert");
}
END_TEST

START_TEST(requests__a_turn_tells_who_asked_for_it)
{
    struct event event = {.type = EVENT_CANCEL, .actor = bytes_of_text("bob"), .identity = bytes_of_text("bert")};
    begin("a");
    ck_assert_int_eq(ask(event), 0);
    ck_assert_uint_eq(last.type, RECORD_TURNED_BACK);
    ck_assert_str_eq(identity, "bert");
    ck_assert(bytes_equal(last.actor, event.actor));

    static const char why[MESSAGE_BYTES_MAX + 1] = "why";
    begin("a");
    first.serial = 2;
    event = (struct event){.type = EVENT_ABORT, .reason = bytes_of(why, sizeof why)};
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "reason");
    event.reason.size--;
    ck_assert_int_eq(ask(event), 0);
}
END_TEST

/* Of a step that its owner could not do nothing is owed: it hinders no commit. */
START_TEST(requests__a_refused_step_hinders_no_commit)
{
    struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_UNKNOWN};
    const struct event commit = {.type = EVENT_COMMIT, .settle = &s, .settle_count = 1};
    begin("a");
    ck_assert_int_eq(ask(commit), E_STEPS_OPEN);
    ck_assert_str_eq(words, "step a is not settled as DONE or REJECTED; settle it, or abort");
    s.action_state = SAGA_ACTION_REJECTED;
    ck_assert_int_eq(ask(commit), 0);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMMITTED);
}
END_TEST

/* What was begun is there, though nothing new is begun. */
START_TEST(requests__a_repetition_needs_no_room)
{
    struct event begun = begin_with(NULL, 0);
    define("name: order\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    struct event start = {.type = EVENT_START, .definition = definition, .request_id = bytes_of_text("s")};
    begun.request_id = bytes_of_text("r");
    ck_assert_int_eq(ask(begun), 0);
    ck_assert_int_eq(ask(start), 0);
    start.no_room = begun.no_room = E_JOURNAL_FULL;
    for (unsigned round = 0; round < 2; round++) {
        ck_assert_int_eq(ask(begun), 0);
        ck_assert_int_eq(ask(start), 0);
        begun.no_room = start.no_room = 0;
        while (round == 0 && engine_counts(engine).live < 8)
            ck_assert_int_eq(ask(begin_with(NULL, 0)), 0);
    }
    ck_assert_int_eq(ask(begin_with(NULL, 0)), E_LIVE_SAGAS);
    start.no_room = E_JOURNAL_FULL;
    start.request_id.size = 0;
    ck_assert_int_eq(ask(start), E_LIVE_SAGAS);
}
END_TEST

/* A Begin is no Start, though both say the same. */
START_TEST(requests__a_begin_is_no_start)
{
    define("name: order\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n");
    struct event event = {.type = EVENT_BEGIN, .name = bytes_of_text("order"), .request_id = bytes_of_text("r")};
    ck_assert_int_eq(ask(event), 0);
    ck_assert_int_eq(engine_find(engine, 1)->deadline.us, now.us + SPAN_S(60).us); /* by default */
    ck_assert_int_eq(engine_find(engine, 1)->lease_until.us, now.us + SPAN_S(3).us);
    event.type = EVENT_START;
    event.definition = definition;
    ck_assert_int_eq(ask(event), E_REQUEST_ID_REUSED);
}
END_TEST

/* An enlistment is one that can be undone, and tells who made it. */
START_TEST(requests__an_enlistment_is_looked_at_whole)
{
    struct enlistment one = undoable("b", SPAN_S(2));
    const struct event enlist = {
        .type = EVENT_ENLIST, .identity = bytes_of_text("bob"), .enlist = &one, .enlist_count = 1};
    begin("a");
    one.compensation.method = "Undo";
    ck_assert_int_eq(ask(enlist), E_ARGUMENT);
    ck_assert_str_eq(field, "enlist[0].compensation.method");
    one.compensation.method = "/p.S/Undo";
    one.compensation.retry = (struct retry_policy){.max_attempts = 1, .max_backoff = SPAN_MS(-1)};
    ck_assert_int_eq(ask(enlist), E_ARGUMENT);
    ck_assert_str_eq(field, "enlist[0].compensation.retry");
    one.compensation.retry = (struct retry_policy){0};
    ck_assert_int_eq(ask(enlist), 0);
    ck_assert_str_eq(identity, "bob");
}
END_TEST

/* What an owner settles with may be what its undo is to be asked; and the undo tells since when the action may have been done. */
START_TEST(requests__an_undo_is_asked_what_its_owner_said)
{
    const struct settlement s = {.step = bytes_of_text("a"),
                                 .action_state = SAGA_ACTION_DONE,
                                 .output = bytes_of_text("undo this"),
                                 .output_is_request = true};
    struct instant begun = now;
    begin("a");
    now.us += 500000;
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT, .settle = &s, .settle_count = 1}), 0);
    ck_assert_uint_eq(call_count, 1);
    ck_assert(bytes_equal(calls[0].request, s.output));
    ck_assert_int_eq(calls[0].action_started.us, begun.us);
    ck_assert(!calls[0].synthetic);
}
END_TEST

/* What those who wait were given is what the saga ends with. */
START_TEST(requests__an_answer_stays_what_it_was)
{
    define(TYPED "forward_only: true\noutput: {sku: =input.sku}\noutput_type: shapes.Line\nsteps:\n"
                 "  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n"
                 "  - {name: b, after: [a], target: t, deferred: true, action: {method: /shapes.Shop/Old}}\n");
    const struct bytes in = line("in");
    ck_assert_int_eq(ask((struct event){.type = EVENT_START, .definition = definition, .input = in}), 0);
    answer(CODE_OK, SAGA_REACH_ANSWERED);
    ck_assert(bytes_equal(engine_find(engine, 1)->answer, in));
}
END_TEST

/* Two enlistments of one request in the same words are one step; in others they are refused, and nothing is begun. */
START_TEST(requests__a_begin_may_say_a_step_twice)
{
    struct enlistment two[] = {undoable("a", SPAN_S(2)), undoable("a", SPAN_S(2))};
    ck_assert_int_eq(ask(begin_with(two, 2)), 0);
    ck_assert_uint_eq(engine_find(engine, 1)->step_count, 1);
    two[1].compensation.method = "/p.S/Other";
    ck_assert_int_eq(ask(begin_with(two, 2)), E_STEP_EXISTS);
    ck_assert_str_eq(field, "enlist[1].step");
    ck_assert_uint_eq(engine_counts(engine).live, 1);
}
END_TEST

/* Whatever it comes with, a settlement that is wrong is refused whole, by its place, and the saga goes on as it was. */
START_TEST(requests__a_settlement_that_is_wrong_changes_nothing)
{
    static const uint8_t types[] = {EVENT_ENLIST, EVENT_COMMIT, EVENT_ABORT};
    static const struct {
        const char *step;
        uint8_t outcome;
        int64_t may_run_us;
        int code;
        const char *field;
    } wrong[] = {{"b", SAGA_ACTION_DONE, 0, E_STEP_NOT_FOUND, "settle[1].step"},
                 {"a", SAGA_ACTION_STARTED, 0, E_ARGUMENT, "settle[1].outcome"},
                 {"a", SAGA_ACTION_SKIPPED, 0, E_ARGUMENT, "settle[1].outcome"},
                 {"a", SAGA_ACTION_DONE, 1, E_ARGUMENT, "settle[1].may_run_for"},
                 {"a", SAGA_ACTION_UNKNOWN, -1, E_ARGUMENT, "settle[1].may_run_for"},
                 {"a", SAGA_ACTION_UNKNOWN, INT64_C(3600000001), E_ARGUMENT, "settle[1].may_run_for"},
                 {"a", SAGA_ACTION_REJECTED, 0, E_STEP_SETTLED, "settle[1].outcome"}};
    begin("a");
    for (size_t k = 0; k < sizeof types; k++)
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            const struct settlement settle[] = {{.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE},
                                                {.step = bytes_of_text(wrong[i].step),
                                                 .action_state = wrong[i].outcome,
                                                 .may_run_for = {wrong[i].may_run_us}}};
            const struct event event = {.type = types[k], .settle = settle, .settle_count = 2};
            ck_assert_msg(ask(event) == wrong[i].code, "%zu: %d", i, code);
            ck_assert_str_eq(field, wrong[i].field);
            ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_RUNNING);
            ck_assert_int_eq(engine_find(engine, 1)->steps[0].action, SAGA_ACTION_STARTED);
        }
    const struct settlement longest = {
        .step = bytes_of_text("a"), .action_state = SAGA_ACTION_UNKNOWN, .may_run_for = SPAN_S(3600)};
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT, .settle = &longest, .settle_count = 1}), 0);
}
END_TEST

START_TEST(requests__a_breaker_is_tripped_held_or_reset)
{
    struct event event = {.type = EVENT_BREAKER,
                          .name = bytes_of_text("t"),
                          .actor = bytes_of_text("ann"),
                          .reason = bytes_of_text("why")};
    static const struct {
        uint8_t act;
        bool open, held;
    } acts[] = {{BREAKER_TRIP, true, false},
                {BREAKER_HOLD, true, true},
                {BREAKER_RESET, false, false},
                {BREAKER_HOLD, true, true},
                {BREAKER_TRIP, true, false}};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        event.breaker_act = acts[i].act;
        ck_assert_int_eq(ask(event), 0);
        ck_assert_int_eq(engine_breaker(engine, 0)->open, acts[i].open);
        ck_assert_int_eq(engine_breaker(engine, 0)->held, acts[i].held);
    }
    event.breaker_act = 99;
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "act");
    ck_assert(engine_breaker(engine, 0)->open);
    event.breaker_act = BREAKER_RESET;
    event.name = bytes_of_text("u");
    ck_assert_int_eq(ask(event), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(field, "target");
}
END_TEST

/* A saga has so many steps, those of its loops included, and a pivot that happens. */
START_TEST(requests__a_loop_is_counted_before_its_saga_begins)
{
    static const struct {
        unsigned items;
        bool pivot;
        int code;
    } loops[] = {{15, false, 0}, {16, false, E_STEPS}, {0, false, 0}, {0, true, E_REQUIRED}, {1, true, 0}};
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        char text[512], list[64] = "";
        for (unsigned k = 0; k < loops[i].items; k++)
            strcat(list, k == 0 ? "'x'" : ",'x'");
        snprintf(text, sizeof text,
                 TYPED "steps:\n  - {name: p, target: t, for_each: \"[%s].filter(x, x != '')\", max_items: 16, %s"
                       "action: {method: /shapes.Shop/Old, request: {sku: =item}}%s}\n"
                       "  - {name: b, target: t, after: [p], action: {method: /shapes.Shop/Old}, compensation: none}\n",
                 loops[i].items == 0 ? "''" : list, loops[i].pivot ? "pivot: true, " : "",
                 loops[i].pivot ? "" : ", compensation: none");
        tear_down();
        set_up();
        define(text);
        ck_assert_msg(ask((struct event){.type = EVENT_START, .definition = definition}) == loops[i].code, "%zu: %s", i,
                      words);
        ck_assert_str_eq(field, loops[i].code == 0 ? "" : "input");
        ck_assert_uint_eq(engine_counts(engine).live, loops[i].code == 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, requests__what_is_refused_is_named_by_its_place);
    tcase_add_test(tests, requests__an_answer_stays_what_it_was);
    tcase_add_test(tests, requests__a_trace_is_one_or_none);
    tcase_add_test(tests, requests__a_step_is_enlisted_again_in_the_same_words);
    tcase_add_test(tests, requests__who_settles_is_told);
    tcase_add_test(tests, requests__an_end_is_repeated_in_the_same_words);
    tcase_add_test(tests, requests__a_call_tells_where_it_comes_from);
    tcase_add_test(tests, requests__what_is_at_its_bound_is_taken);
    tcase_add_test(tests, requests__each_payload_has_its_bound);
    tcase_add_loop_test(tests, requests__until_when_a_retry_waits_is_told, 0, 2);
    tcase_add_test(tests, requests__a_begin_may_say_a_step_twice);
    tcase_add_test(tests, requests__a_settlement_that_is_wrong_changes_nothing);
    tcase_add_test(tests, requests__a_breaker_is_tripped_held_or_reset);
    tcase_add_test(tests, requests__a_loop_is_counted_before_its_saga_begins);
    tcase_add_test(tests, requests__who_finds_no_room_is_told_when_there_is);
    tcase_add_test(tests, requests__nothing_comes_after_the_end);
    tcase_add_test(tests, requests__an_answer_is_as_large_as_a_payload);
    tcase_add_test(tests, requests__what_people_do_to_a_dead_letter_is_kept);
    tcase_add_test(tests, requests__heartbeats_are_counted_apart);
    tcase_add_test(tests, requests__a_target_is_as_it_was_configured);
    tcase_add_test(tests, requests__why_a_step_failed_is_kept_in_words);
    tcase_add_test(tests, requests__names_of_targets_are_kept);
    tcase_add_test(tests, requests__a_step_goes_where_it_went);
    tcase_add_test(tests, requests__an_undo_goes_where_its_action_went);
    tcase_add_test(tests, requests__heartbeats_that_go_back_are_counted_apart);
    tcase_add_test(tests, requests__what_had_no_memory_for_its_request_is_refused_and_tried_again);
    tcase_add_test(tests, requests__an_answer_that_fails_has_its_words);
    tcase_add_test(tests, requests__a_tag_is_no_name);
    tcase_add_test(tests, requests__attempts_are_counted_to_the_end);
    tcase_add_test(tests, requests__a_right_to_tags_is_no_right_to_others);
    tcase_add_test(tests, requests__what_a_step_waits_for_is_told);
    tcase_add_test(tests, requests__a_repetition_says_the_same_in_everything);
    tcase_add_test(tests, requests__without_room_nothing_is_enlisted);
    tcase_add_test(tests, requests__a_deadline_is_above_what_a_step_reserves);
    tcase_add_test(tests, requests__a_cancel_that_comes_too_late_is_told_why);
    tcase_add_test(tests, requests__who_acts_on_a_dead_letter_is_told_what_helps);
    tcase_add_test(tests, requests__a_status_that_there_is_not_is_unknown);
    tcase_add_test(tests, requests__what_does_not_wait_for_its_target_is_tried_again);
    tcase_add_test(tests, requests__a_target_that_is_named_again_is_the_one_that_was_gone);
    tcase_add_test(tests, requests__a_definitions_bound_is_named);
    tcase_add_test(tests, requests__a_lost_target_is_waited_for_as_long_as_is_said);
    tcase_add_test(tests, requests__a_methods_barrier_is_its_own);
    tcase_add_test(tests, requests__a_kept_answer_has_its_time);
    tcase_add_test(tests, requests__what_is_deferred_is_told_apart_while_it_waits);
    tcase_add_test(tests, requests__who_acts_says_who_and_why);
    tcase_add_test(tests, requests__a_turn_tells_who_asked_for_it);
    tcase_add_test(tests, requests__a_refused_step_hinders_no_commit);
    tcase_add_test(tests, requests__a_repetition_needs_no_room);
    tcase_add_test(tests, requests__a_begin_is_no_start);
    tcase_add_test(tests, requests__an_enlistment_is_looked_at_whole);
    tcase_add_test(tests, requests__an_undo_is_asked_what_its_owner_said);
    tcase_add_test(tests, requests__every_target_of_a_step_is_looked_for);
    tcase_add_test(tests, requests__a_repeated_begin_tells_the_lease);
    tcase_add_test(tests, requests__an_answer_that_is_too_old_says_by_how_much);
    tcase_add_loop_test(tests, requests__an_answer_that_is_too_old_says_for_whom, 0, 5);
    tcase_add_test(tests, requests__an_ended_saga_is_no_ones_to_enlist_with);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
