/* Exact traces of sagas whose owner runs the steps itself. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdlib.h>

START_TEST(enlisted__steps_are_enlisted_settled_and_committed)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> enlist 1 b settle=a:DONE\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ENLISTED 1 b\n"
                     "reply 1\n"
                     "> enlist 1 b settle=a:DONE\n"
                     "reply 1\n"
                     "> commit 1\n"
                     "reply STEPS_OPEN\n"
                     "> commit 1 settle=b:DONE\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ENDED 1 COMMITTED\n"
                     "reply 1\n"
                     "> commit 1 settle=b:DONE\n"
                     "reply 1 repeated\n");
}
END_TEST

START_TEST(enlisted__an_abort_undoes_what_is_done_or_open)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> enlist 1 b settle=a:DONE\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ENLISTED 1 b\n"
                     "reply 1\n"
                     "> enlist 1 c settle=b:REJECTED\n"
                     "ACTION_ENDED 1 b #1 REJECTED\n"
                     "ENLISTED 1 c\n"
                     "reply 1\n"
                     "> abort 1\n"
                     "ACTION_ENDED 1 c UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 ABORTED\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 c OK\n"
                     "COMPENSATION_ENDED 1 c #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> abort 1\n"
                     "reply 1 repeated\n");
}
END_TEST

/* The owner is gone: the step that it may have done is undone. */
START_TEST(enlisted__a_lease_that_lapses_aborts)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 lease=1000 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> at 800\n"
                     "> keepalive 1\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 1800\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 LEASE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> keepalive 1\n"
                     "reply SAGA_ENDED\n");
}
END_TEST

/* The owner could not keep it alive while the sidecar was down. */
START_TEST(enlisted__a_lease_starts_anew_after_a_crash)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 lease=1000 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> at 5000\n"
                     "> crash\n"
                     "> tick\n"
                     "at 6000\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 LEASE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* It learns of the turn at its next call; until its lease ends it may be acting. */
START_TEST(enlisted__a_cancelled_owner_is_waited_for)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 lease=1000 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> at 300\n"
                     "> cancel 1\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED quiet@1000\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "> enlist 1 b settle=a:DONE\n"
                     "reply SAGA_TURNED_BACK\n"
                     "> tick\n"
                     "at 1000\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Nor does it know of a deadline that has passed. */
START_TEST(enlisted__the_owner_of_a_saga_that_is_late_is_waited_for)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 deadline=700 lease=1000 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 700\n"
                     "ACTION_ENDED 1 a UNKNOWN DEADLINE_EXCEEDED quiet@1000\n"
                     "TURNED_BACK 1 DEADLINE\n"
                     "> enlist 1 b settle=a:DONE\n"
                     "reply SAGA_TURNED_BACK\n"
                     "> tick\n"
                     "at 1000\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Found by the simulator: its answer promised a whole lease, and the sidecar counted the first one on. */
START_TEST(enlisted__a_repeated_begin_renews_the_lease)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 lease=1000 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> at 900\n"
                     "> begin r1 lease=1000 enlist=a\n"
                     "reply 1 repeated\n"
                     "> tick\n"
                     "at 1900\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 LEASE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Found by the simulator: the repeated Begin, with its enlistment, was acknowledged while the saga was being
 * undone. */
START_TEST(enlisted__a_repeated_begin_of_a_turned_saga_tells_nobody_to_act)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 lease=1000 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 1000\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 LEASE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> begin r1 lease=1000 enlist=a\n"
                     "reply SAGA_TURNED_BACK\n"
                     "> begin r1 lease=1000\n"
                     "reply REQUEST_ID_REUSED\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> begin r1 lease=1000 enlist=a\n"
                     "reply SAGA_ENDED\n");
}
END_TEST

START_TEST(enlisted__an_unknown_settlement_cannot_commit)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> commit 1 settle=a:UNKNOWN\n"
                     "reply STEPS_OPEN\n"
                     "> enlist 1 settle=a:UNKNOWN\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN\n"
                     "reply 1\n"
                     "> enlist 1 settle=a:DONE\n"
                     "reply STEP_SETTLED\n"
                     "> abort 1\n"
                     "TURNED_BACK 1 ABORTED\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Its owner would act again, and nothing is owed for it. */
START_TEST(enlisted__a_step_that_was_refused_is_not_enlisted_anew)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> enlist 1 settle=a:REJECTED\n"
                     "ACTION_ENDED 1 a #1 REJECTED\n"
                     "reply 1\n"
                     "> enlist 1 a\n"
                     "reply STEP_SETTLED\n"
                     "> begin r1 enlist=a\n"
                     "reply STEP_SETTLED\n"
                     "> enlist 1 b\n"
                     "ENLISTED 1 b\n"
                     "reply 1\n");
}
END_TEST

/* It knows that its own call may still be on its way. */
START_TEST(enlisted__an_owners_word_is_waited_for)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> at 100\n"
                     "> abort 1 settle=a:UNKNOWN may_run=700\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN quiet@800\n"
                     "TURNED_BACK 1 ABORTED\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 800\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Nor does its lease lapse, and from the resume on it has a whole one. */
START_TEST(enlisted__a_paused_saga_takes_outcomes_and_no_new_step)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a lease=1000\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> enlist 1 b\n"
                     "reply SAGA_PAUSED\n"
                     "> at 5000\n"
                     "> enlist 1 settle=a:DONE\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "reply 1\n"
                     "> at 9000\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "> at 9900\n"
                     "> enlist 1 b\n"
                     "ENLISTED 1 b\n"
                     "reply 1\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> commit 1 settle=b:DONE\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ENDED 1 COMMITTED\n"
                     "reply 1\n");
}
END_TEST

/* Its owner cannot go on, and need not say that it lives; the deadline holds all the same. */
START_TEST(enlisted__a_paused_saga_has_a_deadline_and_no_lease)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a lease=1000 deadline=3000\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 3000\n"
                     "ACTION_ENDED 1 a UNKNOWN DEADLINE_EXCEEDED quiet@1000\n"
                     "TURNED_BACK 1 DEADLINE\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n");
}
END_TEST

/* From the resume on its owner has a whole lease, also when nothing is heard of him. */
START_TEST(enlisted__a_lease_begins_anew_with_the_resume)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a lease=1000\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> at 9000\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 10000\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 LEASE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n");
}
END_TEST

/* They cannot count any more: silence would call them taken. */
START_TEST(enlisted__a_repeated_end_brings_no_other_outcomes)
{
    engine_trace_run(NULL, 8,
                     "> begin r1 enlist=a\n"
                     "STARTED 1\n"
                     "ENLISTED 1 a\n"
                     "reply 1\n"
                     "> abort 1\n"
                     "ACTION_ENDED 1 a UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 ABORTED\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo it\" UNKNOWN\n"
                     "> abort 1\n"
                     "reply 1 repeated\n"
                     "> abort 1 settle=a:UNKNOWN\n"
                     "reply 1 repeated\n"
                     "> abort 1 settle=a:DONE\n"
                     "reply STEP_SETTLED\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "COMPENSATION_FAILED 1 a #1 UNAVAILABLE next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"undo it\" UNKNOWN\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "COMPENSATION_ENDED 1 a #2 FAILED UNAVAILABLE\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> abort 1\n"
                     "reply 1 repeated\n"
                     "> resolve 1\n"
                     "ENDED 1 RESOLVED\n"
                     "reply 1\n"
                     "> abort 1\n"
                     "reply 1 repeated\n"
                     "> cancel 1\n"
                     "reply 1 repeated\n"
                     "> begin r2 enlist=a\n"
                     "STARTED 2\n"
                     "ENLISTED 2 a\n"
                     "reply 2\n"
                     "> commit 2 settle=a:DONE\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ENDED 2 COMMITTED\n"
                     "reply 2\n"
                     "> commit 2 settle=a:DONE\n"
                     "reply 2 repeated\n"
                     "> commit 2 settle=a:REJECTED\n"
                     "reply STEP_SETTLED\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("enlisted");
    TCase *t = tcase_create("enlisted");
    tcase_add_test(t, enlisted__steps_are_enlisted_settled_and_committed);
    tcase_add_test(t, enlisted__an_abort_undoes_what_is_done_or_open);
    tcase_add_test(t, enlisted__a_lease_that_lapses_aborts);
    tcase_add_test(t, enlisted__a_lease_starts_anew_after_a_crash);
    tcase_add_test(t, enlisted__a_cancelled_owner_is_waited_for);
    tcase_add_test(t, enlisted__the_owner_of_a_saga_that_is_late_is_waited_for);
    tcase_add_test(t, enlisted__a_repeated_begin_renews_the_lease);
    tcase_add_test(t, enlisted__a_repeated_begin_of_a_turned_saga_tells_nobody_to_act);
    tcase_add_test(t, enlisted__an_unknown_settlement_cannot_commit);
    tcase_add_test(t, enlisted__a_step_that_was_refused_is_not_enlisted_anew);
    tcase_add_test(t, enlisted__an_owners_word_is_waited_for);
    tcase_add_test(t, enlisted__a_paused_saga_has_a_deadline_and_no_lease);
    tcase_add_test(t, enlisted__a_lease_begins_anew_with_the_resume);
    tcase_add_test(t, enlisted__a_paused_saga_takes_outcomes_and_no_new_step);
    tcase_add_test(t, enlisted__a_repeated_end_brings_no_other_outcomes);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
