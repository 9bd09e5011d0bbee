/* Exact traces of what people may say of a saga, and when; and of what is spared for want of time. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdlib.h>

static const char forward[] =
    "name: forward\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, pivot: true, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 1}}}\n"
    "  - {name: d, target: u, after: [a], action: {method: /p.S/D, retry: {maxAttempts: 1}}}\n";

static const char onward[] = "name: onward\n"
                             "version: 1.0.0\n"
                             "forward_only: true\n"
                             "steps:\n"
                             "  - {name: a, target: t, action: /p.S/A}\n";

static const char onpivot[] = "name: held\n"
                              "version: 1.0.0\n"
                              "steps:\n"
                              "  - {name: a, target: t, pivot: true, action: /p.S/A}\n";

static const char branches[] =
    "name: branches\n"
    "version: 1.0.0\n"
    "compensation_order: dependency\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1}}}\n"
    "  - {name: b, target: t, action: /p.S/B, compensation: {method: /p.S/UndoB, retry: {maxAttempts: 1}}}\n"
    "  - {name: c, target: u, after: [a, b], action: {method: /p.S/C, retry: {maxAttempts: 1}}}\n";

static const char spared[] =
    "name: spared\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, optional: true, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
    "     compensation: {method: /p.S/UndoA, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n"
    "  - {name: b, target: u, after: [a], action: /p.S/B, compensation: /p.S/UndoB}\n";

static const char reserved[] =
    "name: reserved\n"
    "version: 1.0.0\n"
    "deadline: 3s\n"
    "steps:\n"
    "  - {name: a, target: u, optional: true, reserve: 2s, action: /p.S/A, compensation: none}\n"
    "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none}\n";

/* Nobody may say that all is settled while a call may still do something. */
START_TEST(people__no_resolve_while_an_action_is_out)
{
    engine_trace_run(forward, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n"
                     "> answer 1 d INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 d #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 d FORWARD_FAILED\n"
                     "> resolve 1\n"
                     "reply CALLS_IN_FLIGHT\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> resolve 1\n"
                     "ENDED 1 RESOLVED\n"
                     "reply 1\n");
}
END_TEST

START_TEST(people__what_only_goes_forward_cannot_be_cancelled)
{
    engine_trace_run(onward, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> cancel 1\n"
                     "reply AFTER_PIVOT\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

START_TEST(people__nobody_spares_a_step_before_the_pivot)
{
    engine_trace_run(onpivot, 8,
                     "> hold t\n"
                     "reply 0\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "> skip 1 a\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> reset t\n"
                     "reply 0\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n");
}
END_TEST

/* The undo of b waits for its target, which is held, when a person says that all is settled. */
START_TEST(people__what_is_resolved_waits_for_nobody)
{
    engine_trace_run(branches, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 c #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> hold t\n"
                     "reply 0\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_ENDED 1 a #1 FAILED INTERNAL\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> resolve 1\n"
                     "ENDED 1 RESOLVED\n"
                     "reply 1\n"
                     "> reset t\n"
                     "reply 0\n");
}
END_TEST

START_TEST(people__a_retry_brings_forward_an_early_undo)
{
    engine_trace_run(spared, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> lost 1 a UNAVAILABLE\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN UNAVAILABLE quiet@2270\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "COMPENSATION_FAILED 1 a #1 UNAVAILABLE next@2370\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #2 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n");
}
END_TEST

START_TEST(people__an_optional_step_without_time_turns_nothing_back)
{
    engine_trace_run(reserved, 8,
                     "> hold u\n"
                     "reply 0\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 1000\n"
                     "ACTION_ENDED 1 a REJECTED DEADLINE_EXCEEDED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* A person says that an action did not happen which is passed over: then nothing is left to undo of it, and the saga goes on. */
START_TEST(people__what_is_passed_over_needs_no_undo_when_it_did_not_happen)
{
    engine_trace_run(spared, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNKNOWN\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN UNKNOWN\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_FAILED 1 a #1 INTERNAL next@100\n"
                     "> reject 1 a\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> tick\n"
                     "at 100\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_FAILED 1 a #2 INTERNAL next@300\n"
                     "> tick\n"
                     "at 300\n"
                     "COMPENSATION_STARTED 1 a #3\n"
                     "call 1 a compensation #3 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_ENDED 1 a #3 FAILED INTERNAL\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> reject 1 a\n"
                     "REJECTED 1 a\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

static const char beside[] =
    "name: beside\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, optional: true, action: {method: /p.S/A, retry: {maxAttempts: 1}},\n"
    "     compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1}}}\n"
    "  - {name: x, target: u, action: {method: /p.S/X, retry: {maxAttempts: 1}}, compensation: none}\n";

/* What fails beside the undo that a saga is stuck on is not what it is stuck on: it turns the saga back afterwards. */
START_TEST(people__what_fails_beside_a_stuck_undo_turns_back_afterwards)
{
    engine_trace_run(beside, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 x #1\n"
                     "call 1 x action #1 2000ms \"in\"\n"
                     "> answer 1 a UNKNOWN\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN UNKNOWN\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_ENDED 1 a #1 FAILED INTERNAL\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> answer 1 x NOT_FOUND\n"
                     "ACTION_ENDED 1 x #1 REJECTED NOT_FOUND\n"
                     "> retry 1 x\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> skip 1 x\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> reject 1 x\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
                     "TURNED_BACK 1 x ACTION_REJECTED\n");
}
END_TEST

static const char by_dependency[] =
    "name: dependent\n"
    "version: 1.0.0\n"
    "compensation_order: dependency\n"
    "steps:\n"
    "  - {name: p, target: t, pivot: true, action: /p.S/P, compensation: /p.S/UndoP}\n"
    "  - {name: y, target: u, after: [p], action: {method: /p.S/Y, retry: {maxAttempts: 1}}}\n";

/* However its undo would go, a saga that is stuck on its way forward is not undone. */
START_TEST(people__what_is_stuck_forward_is_not_undone)
{
    engine_trace_run(by_dependency, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 2000ms \"in\"\n"
                     "> answer 1 p OK\n"
                     "ACTION_ENDED 1 p #1 DONE\n"
                     "ACTION_STARTED 1 y #1\n"
                     "call 1 y action #1 2000ms \"in\"\n"
                     "> answer 1 y NOT_FOUND\n"
                     "ACTION_ENDED 1 y #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 y FORWARD_FAILED\n"
                     "> cancel 1\n"
                     "reply SAGA_STUCK\n"
                     "> skip 1 y\n"
                     "SKIPPED 1 y\n"
                     "reply 1\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

static const char taken_up[] =
    "name: taken\n"
    "version: 1.0.0\n"
    "forward_only: true\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 1}}}\n"
    "  - {name: c, target: t, after: [b], action: {method: /p.S/C, request: {output: a}}}\n";

/* A step whose output a later one is sent cannot be spared; another can. */
START_TEST(people__nobody_spares_a_step_whose_output_is_needed)
{
    engine_trace_run(taken_up, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 a FORWARD_FAILED\n"
                     "> skip 1 a\n"
                     "reply OUTPUT_NEEDED\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\" generation=1\n"
                     "> answer 1 a OK out=given\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 b FORWARD_FAILED\n"
                     "> skip 1 b\n"
                     "SKIPPED 1 b\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"given\"\n");
}
END_TEST

static const char reserves_later[] =
    "name: reserves\n"
    "version: 1.0.0\n"
    "deadline: 5s\n"
    "steps:\n"
    "  - {name: z, target: t, action: /p.S/Z, compensation: none}\n"
    "  - {name: a, after: [z], target: u, optional: true, reserve: 2s, action: /p.S/A, compensation: none}\n"
    "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none}\n";

/* Each step has the time that it leaves itself, whichever it is. */
START_TEST(people__what_waits_gives_way_when_its_own_time_is_over)
{
    engine_trace_run(reserves_later, 8,
                     "> hold u\n"
                     "reply 0\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 z #1\n"
                     "call 1 z action #1 2000ms \"in\"\n"
                     "> answer 1 z OK\n"
                     "ACTION_ENDED 1 z #1 DONE\n"
                     "> tick\n"
                     "at 3000\n"
                     "ACTION_ENDED 1 a REJECTED DEADLINE_EXCEEDED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n");
}
END_TEST

static const char before_pivot[] =
    "name: before\n"
    "version: 1.0.0\n"
    "deadline: 1s\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/UndoA, request: input}}\n"
    "  - {name: b, after: [a], target: t, action: /p.S/B, compensation: {method: /p.S/UndoB, request: input}}\n"
    "  - {name: p, after: [b], target: u, pivot: true, action: {method: /p.S/P, retry: {maxAttempts: 1}}}\n";

#define AT_PIVOT \
    "> start r1\n" \
    "STARTED 1\n" \
    "reply 1\n" \
    "ACTION_STARTED 1 a #1\n" \
    "call 1 a action #1 1000ms \"in\"\n" \
    "> answer 1 a OK\n" \
    "ACTION_ENDED 1 a #1 DONE\n" \
    "ACTION_STARTED 1 b #1\n" \
    "call 1 b action #1 1000ms \"in\"\n" \
    "> answer 1 b OK\n" \
    "ACTION_ENDED 1 b #1 DONE\n" \
    "ACTION_STARTED 1 p #1\n" \
    "call 1 p action #1 2000ms \"in\"\n"

/* All that was done before it is owed, the last first. */
START_TEST(people__a_pivot_that_did_not_happen_is_gone_back_from)
{
    engine_trace_run(before_pivot, 8,
                     AT_PIVOT "> answer 1 p UNKNOWN\n"
                              "ACTION_ENDED 1 p #1 UNKNOWN UNKNOWN\n"
                              "STUCK 1 p PIVOT_UNKNOWN\n"
                              "> reject 1 p\n"
                              "REJECTED 1 p\n"
                              "reply 1\n"
                              "COMPENSATION_STARTED 1 b #1\n"
                              "call 1 b compensation #1 2000ms \"in\" DONE\n"
                              "> answer 1 b OK\n"
                              "COMPENSATION_ENDED 1 b #1 DONE\n"
                              "COMPENSATION_STARTED 1 a #1\n"
                              "call 1 a compensation #1 2000ms \"in\" DONE\n"
                              "> answer 1 a OK\n"
                              "COMPENSATION_ENDED 1 a #1 DONE\n"
                              "ENDED 1 COMPENSATED\n");
}
END_TEST

/* A pivot that has certainly not begun holds up no deadline, not even in a saga that is held back. */
START_TEST(people__a_pivot_that_was_shed_is_not_awaited)
{
    engine_trace_run(before_pivot, 8,
                     AT_PIVOT "> shed 1 p UNAVAILABLE pushback=500\n"
                              "UNREACHED 1 p #1 UNAVAILABLE next@500\n"
                              "> pause 1\n"
                              "PAUSED 1\n"
                              "reply 1\n"
                              "> tick\n"
                              "at 1000\n"
                              "ACTION_ENDED 1 p REJECTED DEADLINE_EXCEEDED\n"
                              "TURNED_BACK 1 DEADLINE\n"
                              "> resume 1\n"
                              "RESUMED 1\n"
                              "reply 1\n"
                              "COMPENSATION_STARTED 1 b #1\n"
                              "call 1 b compensation #1 2000ms \"in\" DONE\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("people");
    TCase *t = tcase_create("people");
    tcase_add_test(t, people__no_resolve_while_an_action_is_out);
    tcase_add_test(t, people__what_only_goes_forward_cannot_be_cancelled);
    tcase_add_test(t, people__nobody_spares_a_step_before_the_pivot);
    tcase_add_test(t, people__what_is_resolved_waits_for_nobody);
    tcase_add_test(t, people__a_retry_brings_forward_an_early_undo);
    tcase_add_test(t, people__an_optional_step_without_time_turns_nothing_back);
    tcase_add_test(t, people__what_is_passed_over_needs_no_undo_when_it_did_not_happen);
    tcase_add_test(t, people__what_fails_beside_a_stuck_undo_turns_back_afterwards);
    tcase_add_test(t, people__what_is_stuck_forward_is_not_undone);
    tcase_add_test(t, people__nobody_spares_a_step_whose_output_is_needed);
    tcase_add_test(t, people__what_waits_gives_way_when_its_own_time_is_over);
    tcase_add_test(t, people__a_pivot_that_did_not_happen_is_gone_back_from);
    tcase_add_test(t, people__a_pivot_that_was_shed_is_not_awaited);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
