/* What an operator is told that he can do about a saga: every choice that there is, none that there is not, and what each would do. */
#include "client-lib/sagactl/advice.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ACTION(name) SAGA__V1__ACTION_STATE__ACTION_STATE_##name
#define UNDO(name)   SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_##name
#define REASON(name) SAGA__V1__REASON__REASON_##name
#define STATE(name)  SAGA__V1__SAGA_STATE__SAGA_STATE_##name

/* Protobuf-c's strings are not const, though nobody writes to them here. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

#define STEPS_MAX 40

static Saga__V1__Saga saga;
static Saga__V1__Step steps[STEPS_MAX], *list[STEPS_MAX];
static char *written;

static void setup(void)
{
    written = NULL;
    saga__v1__saga__init(&saga);
    saga.id = TEXT("9f03-2a");
    saga.steps = list;
    saga.state = STATE(RUNNING);
}

static void teardown(void)
{
    free(written);
}

static Saga__V1__Step *add(const char *name, Saga__V1__ActionState action, Saga__V1__CompensationState undo)
{
    Saga__V1__Step *s = list[saga.n_steps] = &steps[saga.n_steps];
    saga.n_steps++;
    saga__v1__step__init(s);
    s->name = TEXT(name);
    s->action = action;
    s->compensation = undo;
    return s;
}

/* What one of the two writes, on a screen that is wide. */
static const char *told(void (*write)(const struct screen *s, const Saga__V1__Saga *saga, const char *same))
{
    struct screen screen = {.width = 200, .utf8 = true};
    size_t size;
    free(written);
    screen.out = open_memstream(&written, &size);
    write(&screen, &saga, "");
    fclose(screen.out);
    return written;
}

#define RETRY  "      sagactl retry 9f03-2a"
#define SKIP   "      sagactl skip 9f03-2a"
#define REJECT "      sagactl reject 9f03-2a"
#define CANCEL "      sagactl cancel 9f03-2a --reason 'WHY'\n"
#define PAUSE  "      sagactl pause 9f03-2a --reason 'WHY'\n"
#define HOLDS  "          Holds it: no further call leaves for it until it is resumed."
#define AGAIN \
    "\n          Calls it again under the same key, its attempts counted anew: for when the cause is mended.\n"
#define RESOLVE \
    "      sagactl resolve 9f03-2a --reason 'WHAT WAS DONE'\n" \
    "          Ends it for good: nothing of it is called any more. Left as it is: "

/* On its way forward it can be turned back, until its pivot has been started. */
START_TEST(choices__on_the_way_forward)
{
    Google__Protobuf__Timestamp deadline = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    add("reserve", ACTION(DONE), UNDO(NONE));
    add("charge", ACTION(STARTED), UNDO(NONE))->waiting_for = TEXT("its next attempt");
    steps[1].action_attempts = 2;
    add("send", ACTION(PENDING), UNDO(NONE))->waiting_for = TEXT("step charge");
    ck_assert_str_eq(told(advice_choices), CANCEL
                     "          Turns it back. To be undone, where there is a compensation: charge, reserve.\n" RETRY
                     " charge\n          Makes the next attempt now rather than when its backoff is over.\n" PAUSE HOLDS
                     "\n");
    saga.deadline = &deadline;
    ck_assert_ptr_nonnull(strstr(told(advice_choices), PAUSE HOLDS " Its deadline goes on.\n"));
    saga.pivot_started = true;
    ck_assert_str_eq(told(advice_choices), RETRY
                     " charge\n          Makes the next attempt now rather than when its backoff is over.\n" PAUSE HOLDS
                     "\n");
    saga.paused = true;
    ck_assert_str_eq(told(advice_choices),
                     "      sagactl resume 9f03-2a\n          Lets its calls leave again.\n" RETRY
                     " charge\n          Makes the next attempt now rather than when its backoff is over.\n");
}
END_TEST

/* What is owed and waits for its target for ever can be gone without; what gives up by itself, or can still be turned back, need not. */
START_TEST(choices__of_what_waits_for_its_target)
{
    static const struct {
        Saga__V1__SagaState state;
        bool pivot_started, until;
        Saga__V1__CompensationState undo;
        const char *waits;
        bool skipped;
    } cases[] = {{STATE(COMPENSATING), false, false, UNDO(OWED), "target mail, which cannot be reached", true},
                 {STATE(COMPENSATING), false, false, UNDO(STARTED), "target mail, which cannot be reached", true},
                 {STATE(COMPENSATING), false, true, UNDO(OWED), "target mail, which cannot be reached", false},
                 {STATE(COMPENSATING), false, false, UNDO(OWED), "the answer of target mail", false},
                 {STATE(COMPENSATING), false, false, UNDO(DONE), "target mail, which cannot be reached", false},
                 {STATE(RUNNING), true, false, UNDO(NONE), "target mail, which cannot be reached", true},
                 {STATE(RUNNING), false, false, UNDO(NONE), "target mail, which cannot be reached", false}};
    Google__Protobuf__Timestamp until = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    add("send", ACTION(STARTED), UNDO(NONE));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        saga.state = cases[i].state;
        saga.pivot_started = cases[i].pivot_started;
        steps[0].compensation = cases[i].undo;
        steps[0].waiting_for = TEXT(cases[i].waits);
        steps[0].waits_until = cases[i].until ? &until : NULL;
        const char *choice =
            strstr(told(advice_choices), SKIP " send --reason 'WHY'\n          Goes on without it, though "
                                              "it may be owed.\n");
        ck_assert_msg((choice != NULL) == cases[i].skipped, "%zu: %s", i, written);
        ck_assert_msg(cases[i].skipped || strstr(written, "sagactl skip") == NULL, "%zu: %s", i, written);
    }
}
END_TEST

/* A stuck saga is tried again, goes on without the step, or ends; what did not happen can be said of an action alone. */
START_TEST(choices__of_a_stuck_saga)
{
    saga.state = STATE(STUCK);
    saga.stuck_step = TEXT("charge");
    add("reserve", ACTION(DONE), UNDO(NONE));
    add("charge", ACTION(UNKNOWN), UNDO(NONE));
    add("send", ACTION(PENDING), UNDO(NONE));
    saga.stuck_reason = REASON(PIVOT_UNKNOWN);
    ck_assert_str_eq(told(advice_choices), RETRY
                     " charge" AGAIN SKIP
                     " charge --reason 'WHY'\n          Calls it no more, and goes on with the steps that come after "
                     "it. Still open: send.\n" REJECT " charge --reason 'HOW YOU KNOW'\n          Takes your word that "
                     "it did not happen, and undoes what came before it.\n" RESOLVE "charge, send.\n");
    saga.stuck_reason = REASON(FORWARD_FAILED);
    ck_assert_ptr_nonnull(
        strstr(told(advice_choices),
               "          Takes your word that it did not happen; refused unless its outcome is unknown.\n"));
    /* On the way back each that failed can be skipped, and all are tried again together. */
    saga.reason = REASON(CANCELLED);
    saga.stuck_reason = REASON(COMPENSATION_FAILED);
    steps[0].compensation = UNDO(OWED);
    steps[1].compensation = steps[2].compensation = UNDO(FAILED);
    ck_assert_str_eq(
        told(advice_choices), RETRY AGAIN SKIP
        " charge --reason 'WHY'\n          Calls it no more, and goes on undoing the others. Still open: send, "
        "charge, reserve.\n" SKIP " send --reason 'WHY'\n          Calls it no more, and goes on undoing the "
        "others. Still open: send, charge, reserve.\n" RESOLVE "send, charge, reserve.\n");
    /* Of one that names no step there is nothing to skip, nor to tell of. */
    saga.n_steps = 0;
    saga.stuck_step = TEXT("");
    ck_assert_str_eq(told(advice_choices), RETRY AGAIN RESOLVE "nothing.\n");
    saga.reason = REASON(UNSPECIFIED);
    ck_assert_str_eq(told(advice_choices), RETRY AGAIN RESOLVE "nothing.\n");
}
END_TEST

/* Of many steps as many as fit are named, and that there are more is told. */
START_TEST(choices__name_as_many_steps_as_fit)
{
    static const char name[] = "a-step-whose-name-is-as-long-as-it-takes-to-fill-the-line";
    for (int i = 0; i < STEPS_MAX; i++)
        add(name, ACTION(DONE), UNDO(NONE));
    const char *at = strstr(told(advice_choices), "compensation: ");
    unsigned named = 0;
    ck_assert_ptr_nonnull(at);
    for (at = strstr(at, name); at != NULL; at = strstr(at + 1, name))
        named++;
    ck_assert_msg(named >= 10 && named < STEPS_MAX, "%u", named);
    ck_assert_msg(strstr(written, ", ....\n") != NULL, "%s", written);
}
END_TEST

/* Beneath a saga that is shown: of one that is stuck the decisions, of one that is paused how it goes on, of another nothing. */
START_TEST(advice__what_now)
{
    static const char decisions[] =
        "  The saga waits for one of these decisions:\n    The cause is mended: try again.\n",
                      ends[] = "    All that is still owed was settled outside: end the saga, for good.\n"
                               "      sagactl resolve 9f03-2a --reason 'WHAT WAS DONE'\n",
                      resumes[] = "  The saga is paused: no call leaves for it until it is resumed.\n"
                                  "      sagactl resume 9f03-2a\n";
    char expected[1024];
    ck_assert_str_eq(told(advice_write), "");
    saga.paused = true;
    snprintf(expected, sizeof expected, "\nwhat now\n%s", resumes);
    ck_assert_str_eq(told(advice_write), expected);
    saga.state = STATE(STUCK);
    saga.stuck_reason = REASON(PIVOT_UNKNOWN);
    snprintf(expected, sizeof expected, "\nwhat now\n%s" RETRY "\n%s%s", decisions, ends, resumes);
    ck_assert_str_eq(told(advice_write), expected);
    saga.paused = false;
    saga.stuck_step = TEXT("charge");
    saga.stuck_reason = REASON(FORWARD_FAILED);
    add("charge", ACTION(UNKNOWN), UNDO(NONE));
    snprintf(expected, sizeof expected,
             "\nwhat now\n  Step charge cannot be carried out, and comes after the pivot: the saga can only go "
             "forward.\n%s" RETRY " charge\n    The step was done by hand: go on without it.\n" SKIP
             " charge --reason 'WHY'\n%s",
             decisions, ends);
    ck_assert_str_eq(told(advice_write), expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_advice");
    TCase *tc = tcase_create("advice");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, choices__on_the_way_forward);
    tcase_add_test(tc, choices__of_what_waits_for_its_target);
    tcase_add_test(tc, choices__of_a_stuck_saga);
    tcase_add_test(tc, choices__name_as_many_steps_as_fit);
    tcase_add_test(tc, advice__what_now);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
