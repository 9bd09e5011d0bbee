/* What services ask of the engine: what is refused names its place, a repetition is one only when it says the same, and who finds no room is told when
 * there is. */
#include "tests/support/requests_world.h"

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
    /* Of a later version than ours there may be more of it, and not much more. */
    static const char later[] = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-123456789";
    event.traceparent = bytes_of(later, TRACEPARENT_BYTES_MAX + 1);
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(words, "a traceparent has at most 64 bytes");
    event.traceparent.size--;
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
    const struct target_options u = {.name = "u", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    ck_assert_int_eq(engine_set_target(engine, &u), 1);
    again = undoable("a", SPAN_S(2));
    again.compensation.target = "u";
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
    begin("a"); /* and of that not */
    first.serial = 2;
    ck_assert_int_eq(
        ask((struct event){.type = EVENT_ENLIST, .identity = bytes_of_text("ann"), .settle = &s, .settle_count = 1}),
        0);
    ck_assert_str_eq(identity, "");
    first.serial = 1;
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
    struct event event[10];
    for (unsigned i = 0; i < 10; i++)
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
    event[9].name = bytes_of_text("orde"); /* the same letters */
    event[9].input = bytes_of_text("rin");
    ck_assert_int_eq(ask(begun), 0);
    ck_assert_int_eq(ask(begun), 0);
    for (unsigned i = 0; i < 10; i++) {
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

/* A name, and a target for each undo. */
START_TEST(requests__a_begin_says_what_it_is)
{
    struct enlistment one = undoable("a", SPAN_S(2));
    struct event event = begin_with(&one, 1);
    event.name = bytes_of_text("a b");
    ck_assert_int_eq(ask(event), E_ARGUMENT);
    ck_assert_str_eq(field, "name");
    event.name = bytes_of_text("order");
    one.compensation.target = "gone";
    ck_assert_int_eq(ask(event), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(field, "enlist[0].compensation.target");
    ck_assert_ptr_null(engine_find(engine, 1));
}
END_TEST

/* As many steps as a saga may have, and not one more. */
START_TEST(requests__a_saga_has_no_more_steps_than_it_may)
{
    enum { MAX = 16 };
    char names[MAX + 1][8];
    struct enlistment many[MAX + 1];
    for (unsigned i = 0; i <= MAX; i++) {
        snprintf(names[i], sizeof names[i], "s%u", i);
        many[i] = undoable(names[i], SPAN_S(2));
    }
    ck_assert_int_eq(ask(begin_with(many, MAX + 1)), E_STEPS);
    ck_assert_str_eq(field, "enlist[16]");
    ck_assert_int_eq(ask(begin_with(many, MAX)), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_ENLIST, .enlist = many + MAX, .enlist_count = 1}), E_STEPS);
    ck_assert_str_eq(field, "enlist[0]");
}
END_TEST

/* What was committed cannot be aborted. */
START_TEST(requests__what_was_committed_is_not_aborted)
{
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    begin("a");
    ck_assert_int_eq(ask((struct event){.type = EVENT_COMMIT, .settle = &s, .settle_count = 1}), 0);
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT}), E_SAGA_ENDED);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMMITTED);
}
END_TEST

/* What turned back cannot be committed, whatever it has done. */
START_TEST(requests__what_turned_back_is_not_committed)
{
    const struct settlement s = {.step = bytes_of_text("a"), .action_state = SAGA_ACTION_DONE};
    const struct event commit = {.type = EVENT_COMMIT, .settle = &s, .settle_count = 1};
    begin("a");
    ck_assert_int_eq(ask((struct event){.type = EVENT_ABORT, .settle = &s, .settle_count = 1}), 0);
    ck_assert_int_eq(ask(commit), E_SAGA_TURNED_BACK);
    ck_assert_int_eq(engine_find(engine, 1)->state, SAGA_COMPENSATING);
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
    ck_assert_str_eq(field, "");
    ck_assert_str_eq(words, "");
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
    static const struct {
        int code;
        const char *words;
    } rooms[] = {{E_HELD, ""},
                 {E_JOURNAL_FULL, "the last of the journal's room is kept for ending the sagas that have begun"},
                 {E_BYTES, "the last of the sidecar's memory is kept for ending the sagas that have begun"}};
    for (unsigned i = 0; i < 3; i++) {
        struct event event = begin_with(NULL, 0);
        event.no_room = rooms[i].code;
        ck_assert_int_eq(ask(event), rooms[i].code);
        ck_assert_str_eq(words, rooms[i].words);
    }
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
    start.no_room = E_HELD; /* which counts before it */
    ck_assert_int_eq(ask(start), E_HELD);
    start.no_room = 0;
    ck_assert_int_eq(ask(start), 0);
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
    tcase_add_test(tests, requests__a_trace_is_one_or_none);
    tcase_add_test(tests, requests__a_step_is_enlisted_again_in_the_same_words);
    tcase_add_test(tests, requests__who_settles_is_told);
    tcase_add_test(tests, requests__an_end_is_repeated_in_the_same_words);
    tcase_add_test(tests, requests__what_is_at_its_bound_is_taken);
    tcase_add_test(tests, requests__each_payload_has_its_bound);
    tcase_add_test(tests, requests__a_begin_may_say_a_step_twice);
    tcase_add_test(tests, requests__a_settlement_that_is_wrong_changes_nothing);
    tcase_add_test(tests, requests__a_loop_is_counted_before_its_saga_begins);
    tcase_add_test(tests, requests__who_finds_no_room_is_told_when_there_is);
    tcase_add_test(tests, requests__a_begin_says_what_it_is);
    tcase_add_test(tests, requests__a_saga_has_no_more_steps_than_it_may);
    tcase_add_test(tests, requests__what_was_committed_is_not_aborted);
    tcase_add_test(tests, requests__what_turned_back_is_not_committed);
    tcase_add_test(tests, requests__nothing_comes_after_the_end);
    tcase_add_test(tests, requests__a_repetition_says_the_same_in_everything);
    tcase_add_test(tests, requests__without_room_nothing_is_enlisted);
    tcase_add_test(tests, requests__a_deadline_is_above_what_a_step_reserves);
    tcase_add_test(tests, requests__a_definitions_bound_is_named);
    tcase_add_test(tests, requests__a_refused_step_hinders_no_commit);
    tcase_add_test(tests, requests__a_repetition_needs_no_room);
    tcase_add_test(tests, requests__a_begin_is_no_start);
    tcase_add_test(tests, requests__an_enlistment_is_looked_at_whole);
    tcase_add_test(tests, requests__a_repeated_begin_tells_the_lease);
    tcase_add_test(tests, requests__an_ended_saga_is_no_ones_to_enlist_with);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
