/* sagactl why: what holds a saga up, in words that say what helps. */
#include "tests/support/told_sidecar.h"

#include <time.h>

/* Of a stuck saga a person is told of the step that waits for him, and of no other. */
START_TEST(why__tells_of_the_stuck_step_alone)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[3] = {SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT}, *list[3];
    static const char *const names[] = {"reserve", "charge", "send"};
    static const char *const waits[] = {"an operator, for the stuck step", "an operator", "the answer of target mail"};
    for (int i = 0; i < 3; i++) {
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].waiting_for = text(waits[i]);
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.definition = text("order");
    saga.steps = list;
    saga.n_steps = 3;
    answer.saga = &saga;
    for (int stuck = 0; stuck < 2; stuck++) {
        saga.state = stuck ? SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK : SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
        saga.stuck_step = text(stuck ? "charge" : "");
        anew();
        tell("Get", &answer.base);
        tell("Status", &status.base);
        ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
        ck_assert_ptr_nonnull(strstr(said, "charge"));
        ck_assert_msg((strstr(said, "reserve") == NULL) == stuck, "%s", said);
        ck_assert_msg((strstr(said, "the answer of target mail") == NULL) == stuck, "%s", said);
    }
}
END_TEST

/* A deadline turns a saga back until its pivot has been started, and only then is it told of. */
START_TEST(why__tells_a_deadline_that_counts)
{
    static const struct {
        Saga__V1__SagaState state;
        bool pivot_started, told;
    } cases[] = {{SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, false, true},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, true, false},
                 {SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING, false, false}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Google__Protobuf__Timestamp deadline = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    saga.id = text("9f03c1d2a4b7-2a");
    saga.deadline = &deadline;
    answer.saga = &saga;
    for (int passed = 0; passed < 2; passed++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            deadline.seconds = passed ? 1700000000 : INT64_C(253402300799);
            saga.state = cases[i].state;
            saga.pivot_started = cases[i].pivot_started;
            anew();
            tell("Get", &answer.base);
            tell("Status", &status.base);
            ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
            const char *line = strstr(said, passed ? "  deadline   passed " : "  deadline   in ");
            ck_assert_msg((line != NULL) == cases[i].told, "%s", said);
            ck_assert_ptr_null(strstr(said, passed ? "deadline   in " : "deadline   passed "));
            /* To hold it does not hold its deadline, where it has one still. */
            ck_assert_msg((strstr(said, "Its deadline goes on.") != NULL) == cases[i].told, "%s", said);
            /* As long as that can turn it back, an operator can. */
            ck_assert_msg((strstr(said, "sagactl cancel 9f03c1d2a4b7-2a ") != NULL) == cases[i].told, "%s", said);
        }
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.pivot_started = false;
    saga.deadline = NULL;
    anew();
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
    ck_assert_msg(strstr(said, "deadline ") == NULL, "%s", said);
}
END_TEST

/* An undo that has not begun waits since what ended before it could: whatever ended that, and nothing else. */
START_TEST(why__says_since_when_an_undo_waits)
{
    static const struct {
        Saga__V1__EventType type;
        const char *since;
    } cases[] = {{SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_ENDED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_ENDED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_TURNED_BACK, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_STUCK, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_PAUSED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_RETRIED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_SKIPPED, "1h"},
                 {SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_STARTED, "2h"}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *steps[] = {&step};
    Saga__V1__Event events[3], *list[3];
    Google__Protobuf__Timestamp times[3];
    for (int i = 0; i < 3; i++) {
        saga__v1__event__init(&events[i]);
        google__protobuf__timestamp__init(&times[i]);
        times[i].seconds = time(NULL) - (2 - i) * 3600 - 30;
        events[i].at = &times[i];
        events[i].step = text("charge");
        list[i] = &events[i];
    }
    events[0].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_SAGA_STARTED;
    events[2].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_ATTEMPT_FAILED;
    step.name = text("reserve");
    step.compensation = SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_OWED;
    step.waiting_for = text("its target");
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING;
    saga.steps = steps;
    saga.n_steps = 1;
    answer.saga = &saga;
    answer.timeline = list;
    answer.n_timeline = 3;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64];
        events[1].type = cases[i].type;
        anew();
        tell("Get", &answer.base);
        tell("Status", &status.base);
        ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
        snprintf(line, sizeof line, "  waits for  its target, since %s ago\n", cases[i].since);
        ck_assert_msg(strstr(said, line) != NULL, "%zu: %s", i, said);
    }
}
END_TEST

/* Of a step whose event has no time, or that has none, nobody says since when it waits, and least of all since when another one does. */
START_TEST(why__says_since_when_only_where_it_is_known)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[3], *list[3];
    Saga__V1__Event events[2], *timeline[2];
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    static const char *const names[] = {"reserve", "charge", "send"};
    at.seconds = time(NULL) - 3630;
    for (int i = 0; i < 3; i++) {
        saga__v1__step__init(&steps[i]);
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].waiting_for = text("its target");
    }
    for (int i = 0; i < 2; i++) {
        saga__v1__event__init(&events[i]);
        timeline[i] = &events[i];
        events[i].step = text(names[i]);
        events[i].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_STARTED;
    }
    events[0].at = &at;
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = list;
    saga.n_steps = 3;
    answer.saga = &saga;
    answer.timeline = timeline;
    answer.n_timeline = 2;
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
    ck_assert_msg(strstr(said, "the action of reserve\n  waits for  its target, since 1h ago\n") != NULL, "%s", said);
    ck_assert_msg(strstr(said, "the action of charge\n  waits for  its target\n") != NULL, "%s", said);
    ck_assert_msg(strstr(said, "the action of send\n  waits for  its target\n") != NULL, "%s", said);
}
END_TEST

/* What may have happened is undone, the latest first; and of steps beyond what fits the count is told. */
START_TEST(why__says_what_would_be_undone)
{
    static const struct {
        Saga__V1__ActionState action;
        const char *waits;
    } of[] = {{SAGA__V1__ACTION_STATE__ACTION_STATE_DONE, ""},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN, ""},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_STARTED, "the answer of mail"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_STARTED, "target mail, which cannot be reached"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_REJECTED, "x"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_SKIPPED, "x"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_PENDING, "x"},
              {SAGA__V1__ACTION_STATE__ACTION_STATE_PENDING, "x"}};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[8], *list[8];
    for (int i = 0; i < 8; i++) {
        saga__v1__step__init(&steps[i]);
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].action = of[i].action;
        steps[i].waiting_for = text(of[i].waits);
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = list;
    answer.saga = &saga;
    static const char *const more[] = {NULL, "\nand 1 step more: sagactl get ", "\nand 2 steps more: sagactl get "};
    for (size_t beyond = 0; beyond < 3; beyond++) {
        saga.n_steps = 6 + beyond;
        anew();
        tell("Get", &answer.base);
        tell("Status", &status.base);
        ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, "To be undone, where there is a compensation: c, b, a.\n") != NULL, "%s", said);
        ck_assert_msg(beyond == 0 ? strstr(said, " more: ") == NULL : strstr(said, more[beyond]) != NULL, "%s", said);
    }
}
END_TEST

/* Of targets whoever may not ask hears nothing, and of the saga all the same. */
START_TEST(why__is_told_without_the_right_to_the_status)
{
    static const struct {
        int code, status;
    } cases[] = {{SAGA_E_PERMISSION_DENIED, EXIT_DONE},
                 {SAGA_E_UNAVAILABLE, EXIT_UNREACHABLE},
                 {SAGA_E_UNAUTHENTICATED, EXIT_REFUSED}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *steps[] = {&step};
    step.name = text("charge");
    step.target = text("bank");
    step.waiting_for = text("its next attempt");
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = steps;
    saga.n_steps = 1;
    answer.saga = &saga;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int json = 0; json < 2; json++) {
            anew();
            tell("Get", &answer.base);
            tell("Status", NULL);
            told[1].code = cases[i].code;
            ck_assert_int_eq(sagactl(json ? "why 9f03c1d2a4b7-2a -o json" : "why 9f03c1d2a4b7-2a"), cases[i].status);
            ck_assert_int_eq(said[0] == '\0', cases[i].status != EXIT_DONE);
            ck_assert_int_eq(complained[0] == '\0', cases[i].status == EXIT_DONE);
            if (cases[i].status == EXIT_DONE)
                ck_assert_ptr_nonnull(strstr(said, json ? "\"targets\": []" : "the action of charge\n"));
            ck_assert_ptr_null(strstr(said, "target bank"));
        }
}
END_TEST

/* A target that several steps wait for is told of once. */
START_TEST(why__tells_of_each_target_once)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[4], *list[4];
    static const char *const targets[] = {"bank", "bank", "mail", "bank"}, *const names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++) {
        saga__v1__step__init(&steps[i]);
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].target = text(targets[i]);
        steps[i].waiting_for = text("its next attempt");
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = list;
    saga.n_steps = 4;
    answer.saga = &saga;
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
    const char *bank = strstr(said, "\ntarget bank\n"), *mail = strstr(said, "\ntarget mail\n");
    ck_assert_msg(bank != NULL && mail != NULL && strstr(bank + 1, "\ntarget bank\n") == NULL, "%s", said);
}
END_TEST

/* The journal that keeps a saga is its own: of one loop that one's, of several that of its id, and never a guest's. */
START_TEST(why__says_when_its_journal_stalls)
{
    static const struct {
        const char *id;
        bool stalled[3];
        unsigned loops; /* the last of three is a guest */
        bool told;
    } cases[] = {{"9f03c1d2a4b7-2a", {true}, 1, true},
                 {"9f03c1d2a4b7-2a", {false}, 1, false},
                 {"000000000001-2a", {true, false}, 2, false},
                 {"000000000001-2a", {false, true}, 2, true},
                 {"000000000001-2a", {false, false, true}, 3, false},
                 {"000000000000-2a", {true, false, false}, 3, true}};
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    answer.saga = &saga;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int guest = 0; guest < 2; guest++) {
            Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
            Saga__V1__LoopStatus loops[4], *list[4];
            char words[64];
            for (unsigned k = 0; k < 4; k++) {
                saga__v1__loop_status__init(&loops[k]);
                list[k] = &loops[k];
                loops[k].loop = k;
                loops[k].journal_stalled = k < 3 && cases[i].stalled[k];
                loops[k].journal = text(k == 2 ? "guest" : "");
            }
            /* Whoever has a guest beside its one loop has one loop. */
            if (guest && cases[i].loops == 1) {
                loops[1].journal = text("guest");
                loops[1].journal_stalled = !cases[i].told;
            }
            status.loops = list;
            status.n_loops = cases[i].loops + (guest && cases[i].loops == 1);
            saga.id = text(cases[i].id);
            anew();
            tell("Get", &answer.base);
            tell("Status", &status.base);
            snprintf(words, sizeof words, "why %s", cases[i].id);
            ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
            ck_assert_msg((strstr(said, "the sidecar's journal, which takes nothing now") != NULL) == cases[i].told,
                          "%zu: %s", i, said);
        }
}
END_TEST

/* Whose it is, how it is and since when; why it is undone, and what was said; until when a step waits, and what it was told. */
START_TEST(why__begins_with_the_saga)
{
    Google__Protobuf__Timestamp at[3];
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    Saga__V1__TargetStatus targets[2] = {SAGA__V1__TARGET_STATUS__INIT, SAGA__V1__TARGET_STATUS__INIT};
    Saga__V1__TargetStatus *target_list[] = {&targets[0], &targets[1]};
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *steps[] = {&step};
    static const int64_t from_now[] = {-7230, 7230, -3630};
    for (int i = 0; i < 3; i++) {
        google__protobuf__timestamp__init(&at[i]);
        at[i].seconds = time(NULL) + from_now[i];
    }
    targets[0].name = text("mail");
    targets[1].name = text("bank");
    loop.targets = target_list;
    loop.n_targets = 2;
    status.loops = loops;
    status.n_loops = 1;
    step.name = text("charge");
    step.target = text("bank");
    step.compensation = SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_OWED;
    step.waiting_for = text("target bank, which cannot be reached");
    step.waits_until = &at[1];
    step.last_status = 14;
    step.last_message = text("refused");
    saga.id = text("9f03c1d2a4b7-2a");
    saga.definition = text("order");
    saga.version = text("1.0.0");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING;
    saga.paused = true;
    saga.started_at = &at[0];
    saga.reason = SAGA__V1__REASON__REASON_ACTION_REJECTED;
    saga.reason_step = text("send");
    saga.reason_message = text("sold out");
    saga.steps = steps;
    saga.n_steps = 1;
    answer.saga = &saga;
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a --utc") == EXIT_DONE, "%s", complained);
    assert_asked(0, &saga__v1__get_request__descriptor, "{'saga_id':'9f03c1d2a4b7-2a'}");
    static const char head[] = "9f03c1d2a4b7-2a  order 1.0.0  COMPENSATING, paused, started 2h ago\n"
                               "  undone for action rejected at send\n  which said sold out\nthe undo of charge\n"
                               "  waits for  target bank, which cannot be reached\n  until      ";
    static const char *const parts[] = {" UTC, in 2h: then it is waited for no longer, and the step fails\n",
                                        "\n  tried      0 attempts of its compensation\n"
                                        "  was told   UNAVAILABLE: refused\ntarget bank",
                                        "\nwhat you can do\n      sagactl resume 9f03c1d2a4b7-2a\n"};
    ck_assert_msg(strncmp(said, head, strlen(head)) == 0, "%s", said);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        ck_assert_msg(strstr(said, parts[i]) != NULL, "%s is not in %s", parts[i], said);
    ck_assert_ptr_null(strstr(said, "target mail"));
    anew();
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_int_eq(sagactl("why 9f03c1d2a4b7-2a -o json"), EXIT_DONE);
    json_t *document = json_loads(said, 0, NULL), *told_targets = json_object_get(document, "targets");
    ck_assert_uint_eq(json_array_size(told_targets), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(told_targets, 0), "name")), "bank");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(document, "saga"), "id")), "9f03c1d2a4b7-2a");
    json_decref(document);
    /* One that has ended waits for nothing. */
    saga.paused = false;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED;
    saga.ended_at = &at[2];
    anew();
    tell("Get", &answer.base);
    tell("Status", &status.base);
    SHOWS("why 9f03c1d2a4b7-2a", "9f03c1d2a4b7-2a  order 1.0.0  COMPENSATED, started 2h ago\n"
                                 "  undone for action rejected at send\n  which said sold out\n  ended      1h ago\n"
                                 "It waits for nothing. How it went: sagactl get 9f03c1d2a4b7-2a\n");
}
END_TEST

/* What only comes after another step is not what keeps it; attempts are counted, and a breaker is closed once. */
START_TEST(why__tells_what_keeps_it)
{
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__StatusResponse status = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step steps[5], *list[5];
    static const char *const waits[] = {"target bank, whose breaker is open", "target bank, whose breaker is open",
                                        "target mail, whose breaker is open", "step a", "the undo of later steps"};
    static const char *const names[] = {"a", "b", "c", "after-it", "before-it"};
    for (int i = 0; i < 5; i++) {
        saga__v1__step__init(&steps[i]);
        list[i] = &steps[i];
        steps[i].name = text(names[i]);
        steps[i].waiting_for = text(waits[i]);
        steps[i].target = text(i == 2 ? "mail" : "bank");
        steps[i].action_attempts = i;
    }
    saga.id = text("9f03c1d2a4b7-2a");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.pivot_started = true;
    saga.steps = list;
    saga.n_steps = 5;
    answer.saga = &saga;
    tell("Get", &answer.base);
    tell("Status", &status.base);
    ck_assert_msg(sagactl("why 9f03c1d2a4b7-2a") == EXIT_DONE, "%s", complained);
    static const char *const lines[] = {
        "  tried      0 attempts of its action\n", "  tried      1 attempt of its action\n",
        "  tried      2 attempts of its action\n",
        "sagactl breaker reset bank --reason 'WHY'\n          Closes it for all sagas: their calls leave now, and ",
        "sagactl breaker reset mail --reason 'WHY'\n          Closes it for all sagas: "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *there = strstr(said, lines[i]);
        ck_assert_msg(there != NULL && strstr(there + 1, lines[i]) == NULL, "%s is not once in %s", lines[i], said);
    }
    ck_assert_ptr_null(strstr(said, "the action of after-it\n"));
    ck_assert_ptr_null(strstr(said, "the action of before-it\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_why");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, why__tells_of_the_stuck_step_alone);
    tcase_add_test(tc, why__tells_a_deadline_that_counts);
    tcase_add_test(tc, why__says_since_when_an_undo_waits);
    tcase_add_test(tc, why__says_since_when_only_where_it_is_known);
    tcase_add_test(tc, why__says_what_would_be_undone);
    tcase_add_test(tc, why__is_told_without_the_right_to_the_status);
    tcase_add_test(tc, why__tells_of_each_target_once);
    tcase_add_test(tc, why__says_when_its_journal_stalls);
    tcase_add_test(tc, why__begins_with_the_saga);
    tcase_add_test(tc, why__tells_what_keeps_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
