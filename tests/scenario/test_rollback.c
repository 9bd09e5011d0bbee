/* Exact traces of sagas that turn back: what is owed, in which order, and when it may start. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdlib.h>

static const char chain[] =
    "name: chain\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: {method: /p.S/UndoA, request: own_output,\n"
    "                    retry: {maxAttempts: 2, initialBackoff: 50ms, jitter: 0}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, request: {output: a}, retry: {maxAttempts: 1}},\n"
    "     compensation: {method: /p.S/UndoB, retry: {maxAttempts: 2, initialBackoff: 50ms, jitter: 0}}}\n"
    "  - {name: c, target: u, after: [b],\n"
    "     action: {method: /p.S/C, retry: {maxAttempts: 2, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: {method: /p.S/UndoC, retry: {maxAttempts: 2, initialBackoff: 50ms, jitter: 0}}}\n";

static const char fan[] = "name: fan\n"
                          "version: 1.0.0\n"
                          "steps:\n"
                          "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
                          "  - {name: b, target: t, action: /p.S/B, compensation: /p.S/UndoB}\n"
                          "  - {name: c, target: u, action: /p.S/C, compensation: /p.S/UndoC}\n"
                          "  - {name: d, target: u, after: [a, b, c], action: /p.S/D}\n";

static const char diamond[] = "name: diamond\n"
                              "version: 1.0.0\n"
                              "compensation_order: dependency\n"
                              "steps:\n"
                              "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
                              "  - {name: b, target: t, after: [a], action: /p.S/B,\n"
                              "     compensation: {method: /p.S/UndoB, retry: {maxAttempts: 1}}}\n"
                              "  - {name: c, target: u, after: [a], action: /p.S/C, compensation: /p.S/UndoC}\n"
                              "  - {name: d, target: u, after: [b, c],\n"
                              "     action: {method: /p.S/D, retry: {maxAttempts: 1}}, compensation: /p.S/UndoD}\n";

static const char reversed_diamond[] =
    "name: diamond\n"
    "version: 1.0.0\n"
    "compensation_order: reverse\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
    "  - {name: b, target: t, after: [a], action: /p.S/B,\n"
    "     compensation: {method: /p.S/UndoB, retry: {maxAttempts: 1}}}\n"
    "  - {name: c, target: u, after: [a], action: /p.S/C, compensation: /p.S/UndoC}\n"
    "  - {name: d, target: u, after: [b, c],\n"
    "     action: {method: /p.S/D, retry: {maxAttempts: 1}}, compensation: /p.S/UndoD}\n";

static const char deadline[] =
    "name: deadline\n"
    "version: 1.0.0\n"
    "deadline: 1s\n"
    "steps:\n"
    "  - {name: a, target: t,\n"
    "     action: {method: /p.S/A, timeout: 2s, retry: {maxAttempts: 5, initialBackoff: 400ms, jitter: 0}},\n"
    "     compensation: {method: /p.S/UndoA, timeout: 2s}}\n";

START_TEST(rollback__a_refusal_at_the_third_step_undoes_two_in_reverse)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK out=A\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"A\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c FAILED_PRECONDITION\n"
                     "ACTION_ENDED 1 c #1 REJECTED FAILED_PRECONDITION\n"
                     "TURNED_BACK 1 c ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"A\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* A timeout tells nothing: the failing step is undone first, and told that its outcome is unknown. */
START_TEST(rollback__an_unknown_outcome_is_owed_too)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK out=A\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"A\"\n"
                     "> lost 1 b\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN DEADLINE_EXCEEDED quiet@2270\n"
                     "TURNED_BACK 1 b ACTION_UNKNOWN\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"A\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* The call broke at 500 ms, but the participant may be at it until its deadline. */
START_TEST(rollback__a_lost_connection_is_waited_out)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> at 500\n"
                     "> lost 1 b UNAVAILABLE\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN UNAVAILABLE quiet@2270\n"
                     "TURNED_BACK 1 b ACTION_UNKNOWN\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* No undo starts while a forward action runs; one that is done late is undone. */
START_TEST(rollback__calls_that_are_out_are_waited_for)
{
    engine_trace_run(fan, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 c OK\n"
                     "COMPENSATION_ENDED 1 c #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(rollback__what_never_left_owes_nothing)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> unsent 1 a\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> unsent 1 a\n"
                     "ACTION_FAILED 1 a #2 UNAVAILABLE next@300\n"
                     "> tick\n"
                     "at 300\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     "> unsent 1 a\n"
                     "ACTION_ENDED 1 a #3 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 1 a ATTEMPTS_SPENT\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(rollback__a_refusal_after_an_unknown_attempt_proves_nothing)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> answer 1 a INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 a #2 UNKNOWN INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 a ACTION_UNKNOWN\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Two branches with no path between them; the step before both comes last. */
START_TEST(rollback__branches_are_undone_side_by_side_by_dependency)
{
    engine_trace_run(diamond, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n"
                     "> lost 1 d\n"
                     "ACTION_ENDED 1 d #1 UNKNOWN DEADLINE_EXCEEDED quiet@2270\n"
                     "TURNED_BACK 1 d ACTION_UNKNOWN\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 d #1\n"
                     "call 1 d compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 d OK\n"
                     "COMPENSATION_ENDED 1 d #1 DONE\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 c OK\n"
                     "COMPENSATION_ENDED 1 c #1 DONE\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(rollback__a_diamond_in_reverse_goes_one_by_one)
{
    engine_trace_run(reversed_diamond, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n"
                     "> answer 1 d ABORTED pushback=-1\n"
                     "ACTION_ENDED 1 d #1 UNKNOWN ABORTED\n"
                     "TURNED_BACK 1 d ACTION_UNKNOWN\n"
                     "COMPENSATION_STARTED 1 d #1\n"
                     "call 1 d compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 d OK\n"
                     "COMPENSATION_ENDED 1 d #1 DONE\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 c OK\n"
                     "COMPENSATION_ENDED 1 c #1 DONE\n"
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

/* Nothing is waited for that would come too late, and what would have is said. */
START_TEST(rollback__a_wait_past_the_deadline_turns_back_at_once)
{
    engine_trace_run(
        deadline, 8,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 1000ms \"in\"\n"
        "> answer 1 a UNAVAILABLE\n"
        "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@400\n"
        "> tick\n"
        "at 400\n"
        "ACTION_STARTED 1 a #2\n"
        "call 1 a action #2 600ms \"in\"\n"
        "> answer 1 a ABORTED\n"
        "ACTION_ENDED 1 a #2 UNKNOWN ABORTED\n"
        "TURNED_BACK 1 a DEADLINE \"the backoff of 0.800s after attempt 2 would have passed the deadline\"\n"
        "COMPENSATION_STARTED 1 a #1\n"
        "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
        "> answer 1 a OK\n"
        "COMPENSATION_ENDED 1 a #1 DONE\n"
        "ENDED 1 COMPENSATED\n"
        "> start r2\n"
        "STARTED 2\n"
        "reply 2\n"
        "ACTION_STARTED 2 a #1\n"
        "call 2 a action #1 1000ms \"in\"\n"
        "> answer 2 a ABORTED pushback=5000\n"
        "ACTION_ENDED 2 a #1 UNKNOWN ABORTED\n"
        "TURNED_BACK 2 a DEADLINE \"the participant's pushback of 5s after attempt 1 would have passed the "
        "deadline\"\n"
        "COMPENSATION_STARTED 2 a #1\n"
        "call 2 a compensation #1 2000ms \"in\" UNKNOWN\n"
        "> answer 2 a OK\n"
        "COMPENSATION_ENDED 2 a #1 DONE\n"
        "ENDED 2 COMPENSATED\n");
}
END_TEST

/* The attempt may last no longer than the saga; its undo has all the time it declares. */
START_TEST(rollback__a_deadline_turns_back_and_cuts_no_undo)
{
    engine_trace_run(deadline, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@400\n"
                     "> tick\n"
                     "at 400\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 600ms \"in\"\n"
                     "> lost 1 a\n"
                     "ACTION_ENDED 1 a #2 UNKNOWN DEADLINE_EXCEEDED quiet@1256\n"
                     "TURNED_BACK 1 a DEADLINE\n"
                     "> tick\n"
                     "at 1256\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(rollback__a_cancel_waits_for_the_call_that_is_out)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> cancel 1\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "> cancel 1\n"
                     "reply 1 repeated\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> cancel 1\n"
                     "reply 1 repeated\n");
}
END_TEST

/* An attempt that our own end took away is no failure of the participant. */
START_TEST(rollback__a_crash_in_the_middle_of_the_undo_repeats_the_call)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> crash\n"
                     "COMPENSATION_FAILED 1 a #1 UNAVAILABLE next@50\n"
                     "> tick\n"
                     "at 50\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"\" DONE\n"
                     "> crash\n"
                     "COMPENSATION_FAILED 1 a #2 UNAVAILABLE next@150\n"
                     "> tick\n"
                     "at 150\n"
                     "COMPENSATION_STARTED 1 a #3\n"
                     "call 1 a compensation #3 2000ms \"\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #3 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Turned back before the crash, with an action out: its undo starts when the action can no longer be running. */
START_TEST(rollback__a_call_lost_at_a_crash_is_waited_for)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> cancel 1\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "> crash\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN UNAVAILABLE quiet@2270\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* A later attempt counts as what it was, and its policy goes on from there: with the last one the saga turns back. */
START_TEST(rollback__each_call_lost_at_a_crash_is_an_attempt)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> crash\n"
                     "ACTION_FAILED 1 a #2 UNAVAILABLE maybe next@300 quiet@2370\n"
                     "> tick\n"
                     "at 300\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     "> crash\n"
                     "ACTION_ENDED 1 a #3 UNKNOWN UNAVAILABLE quiet@2570\n"
                     "TURNED_BACK 1 a ACTION_UNKNOWN\n"
                     "> tick\n"
                     "at 2570\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" UNKNOWN\n");
}
END_TEST

/* Found by the simulator: the timeout of a target that sagad.yaml no longer names was taken for none, so that the
 * others were undone while the call could still be running. Its own undo waits until the target is back. */
START_TEST(rollback__a_lost_call_of_a_target_that_is_gone_is_waited_for)
{
    engine_trace_run(fan, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> cancel 1\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "> crash u\n"
                     "ACTION_ENDED 1 c #1 UNKNOWN UNAVAILABLE quiet@10350\n"
                     "> tick\n"
                     "at 10350\n"
                     /* The configuration names it again, and it need not be started for that. */
                     "> configure u 8\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"in\" UNKNOWN\n");
}
END_TEST

/* Its attempts were not spent, but an earlier one may have been executed: it is not REJECTED, and is undone. */
START_TEST(rollback__what_may_have_been_executed_is_unknown_when_it_is_given_up)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> cancel 1\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> unsent 2 a\n"
                     "ACTION_FAILED 2 a #1 UNAVAILABLE next@100\n"
                     "> cancel 2\n"
                     "ACTION_ENDED 2 a #1 REJECTED CANCELLED\n"
                     "TURNED_BACK 2 CANCELLED\n"
                     "reply 2\n"
                     "ENDED 2 COMPENSATED\n");
}
END_TEST

/* Far beyond target_wait, and beyond its two attempts: an undo is never given up because its target is not there. An action that waits for the
 * same target is. */
START_TEST(rollback__an_undo_waits_for_its_target_as_long_as_it_takes)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK out=A\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"A\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"A\" DONE\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> tick\n"
                     "at 60000\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> unreached 2 a\n"
                     "ACTION_ENDED 2 a #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 2 a UNREACHABLE\n"
                     "ENDED 2 COMPENSATED\n"
                     "> at 86400000\n"
                     "> reachable t\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"A\" DONE\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> reachable t\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"A\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* ... unless a person decides that it need not be made; what does not wait so cannot be spared. */
START_TEST(rollback__an_undo_that_waits_for_its_target_can_be_skipped)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK out=A\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"A\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"A\" DONE\n"
                     "> skip 1 a\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> skip 1 a\n"
                     "SKIPPED 1 a\n"
                     "reply 1\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Its undo waits anew, behind those that have waited longer. */
START_TEST(rollback__what_was_turned_away_late_has_no_old_place)
{
    static const char text[] =
        "name: late\nversion: 1.0.0\nsteps:\n"
        "  - {name: a, target: t, action: {method: /p.S/A, timeout: 1s, retry: {maxAttempts: 2, jitter: 0}},\n"
        "     compensation: {method: /p.S/UndoA, timeout: 1s, request: input}}\n"
        "  - {name: b, after: [a], target: u, action: {method: /p.S/B, timeout: 1s, retry: {maxAttempts: 1}}}\n";
    engine_trace_run(text, 1,
                     "> configure t 1 pending=5000\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> lost 1 a\n"
                     "ACTION_FAILED 1 a #1 DEADLINE_EXCEEDED maybe next@1100 quiet@1260\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"in\"\n"
                     "> answer 2 a OK\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 1000ms \"in\"\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 1000ms \"in\"\n"
                     "> tick\n"
                     "at 1100\n"
                     "> at 6000\n"
                     "> answer 2 b NOT_FOUND\n"
                     "ACTION_ENDED 2 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 2 b ACTION_REJECTED\n"
                     "> tick\n"
                     "at 6100\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN RESOURCE_EXHAUSTED\n"
                     "TURNED_BACK 1 a ACTION_UNKNOWN\n"
                     "> answer 3 a OK\n"
                     "ACTION_ENDED 3 a #1 DONE\n"
                     "ACTION_STARTED 3 b #1\n"
                     "call 3 b action #1 1000ms \"in\"\n"
                     "COMPENSATION_STARTED 2 a #1\n"
                     "call 2 a compensation #1 1000ms \"in\" DONE\n"
                     "> answer 2 a OK\n"
                     "COMPENSATION_ENDED 2 a #1 DONE\n"
                     "ENDED 2 COMPENSATED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 1000ms \"in\" UNKNOWN\n");
}
END_TEST

/* Likewise when its time was over while it waited. */
START_TEST(rollback__what_had_no_time_left_has_no_old_place)
{
    static const char text[] =
        "name: late\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
        "  - {name: a, target: t, reserve: 4s, action: {method: /p.S/A, timeout: 1s, retry: {maxAttempts: 2, jitter: "
        "0}},\n"
        "     compensation: {method: /p.S/UndoA, timeout: 1s, request: input}}\n"
        "  - {name: b, after: [a], target: u, action: {method: /p.S/B, retry: {maxAttempts: 1}}}\n";
    engine_trace_run(
        text, 1,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 1000ms \"in\"\n"
        "> lost 1 a\n"
        "ACTION_FAILED 1 a #1 DEADLINE_EXCEEDED maybe next@1100 quiet@1260\n"
        "> start r2\n"
        "STARTED 2\n"
        "reply 2\n"
        "ACTION_STARTED 2 a #1\n"
        "call 2 a action #1 1000ms \"in\"\n"
        "> answer 2 a OK\n"
        "ACTION_ENDED 2 a #1 DONE\n"
        "ACTION_STARTED 2 b #1\n"
        "call 2 b action #1 2000ms \"in\"\n"
        "> start r3\n"
        "STARTED 3\n"
        "reply 3\n"
        "ACTION_STARTED 3 a #1\n"
        "call 3 a action #1 1000ms \"in\"\n"
        "> tick\n"
        "at 1100\n"
        "> at 2000\n"
        "> answer 2 b NOT_FOUND\n"
        "ACTION_ENDED 2 b #1 REJECTED NOT_FOUND\n"
        "TURNED_BACK 2 b ACTION_REJECTED\n"
        "> tick\n"
        "at 6000\n"
        "ACTION_ENDED 1 a #1 UNKNOWN DEADLINE_EXCEEDED\n"
        "TURNED_BACK 1 a DEADLINE \"no attempt leaves: 0s are left of what the step may take of the deadline\"\n"
        "> at 6500\n"
        "> answer 3 a OK\n"
        "ACTION_ENDED 3 a #1 DONE\n"
        "ACTION_STARTED 3 b #1\n"
        "call 3 b action #1 2000ms \"in\"\n"
        "COMPENSATION_STARTED 2 a #1\n"
        "call 2 a compensation #1 1000ms \"in\" DONE\n"
        "> answer 2 a OK\n"
        "COMPENSATION_ENDED 2 a #1 DONE\n"
        "ENDED 2 COMPENSATED\n"
        "COMPENSATION_STARTED 1 a #1\n"
        "call 1 a compensation #1 1000ms \"in\" UNKNOWN\n");
}
END_TEST

/* A pivot that can be undone, and of which nobody knows what it did, is undone: it is not asked on and on. */
static const char undoable_pivot[] =
    "name: undoable\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: p, target: t, pivot: true,\n"
    "     action: {method: /p.S/P, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: {method: /p.S/UndoP, retry: {maxAttempts: 1}}}\n";

START_TEST(rollback__a_pivot_of_unknown_outcome_that_can_be_undone_is_undone)
{
    engine_trace_run(undoable_pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 2000ms \"in\"\n"
                     "> answer 1 p INTERNAL\n"
                     "ACTION_ENDED 1 p #1 UNKNOWN INTERNAL\n"
                     "TURNED_BACK 1 p ACTION_UNKNOWN\n"
                     "COMPENSATION_STARTED 1 p #1\n"
                     "call 1 p compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 p NOT_FOUND\n"
                     "COMPENSATION_ENDED 1 p #1 FAILED NOT_FOUND\n"
                     "STUCK 1 p COMPENSATION_FAILED\n"
                     "> reject 1 p\n" /* it is its undo that it is stuck on */
                     "reply SAGA_NOT_STUCK\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rollback");
    TCase *t = tcase_create("rollback");
    tcase_add_test(t, rollback__a_refusal_at_the_third_step_undoes_two_in_reverse);
    tcase_add_test(t, rollback__a_pivot_of_unknown_outcome_that_can_be_undone_is_undone);
    tcase_add_test(t, rollback__what_had_no_time_left_has_no_old_place);
    tcase_add_test(t, rollback__an_unknown_outcome_is_owed_too);
    tcase_add_test(t, rollback__an_undo_waits_for_its_target_as_long_as_it_takes);
    tcase_add_test(t, rollback__an_undo_that_waits_for_its_target_can_be_skipped);
    tcase_add_test(t, rollback__a_lost_connection_is_waited_out);
    tcase_add_test(t, rollback__calls_that_are_out_are_waited_for);
    tcase_add_test(t, rollback__what_never_left_owes_nothing);
    tcase_add_test(t, rollback__a_refusal_after_an_unknown_attempt_proves_nothing);
    tcase_add_test(t, rollback__branches_are_undone_side_by_side_by_dependency);
    tcase_add_test(t, rollback__a_diamond_in_reverse_goes_one_by_one);
    tcase_add_test(t, rollback__a_deadline_turns_back_and_cuts_no_undo);
    tcase_add_test(t, rollback__a_wait_past_the_deadline_turns_back_at_once);
    tcase_add_test(t, rollback__a_cancel_waits_for_the_call_that_is_out);
    tcase_add_test(t, rollback__a_crash_in_the_middle_of_the_undo_repeats_the_call);
    tcase_add_test(t, rollback__a_call_lost_at_a_crash_is_waited_for);
    tcase_add_test(t, rollback__each_call_lost_at_a_crash_is_an_attempt);
    tcase_add_test(t, rollback__a_lost_call_of_a_target_that_is_gone_is_waited_for);
    tcase_add_test(t, rollback__what_may_have_been_executed_is_unknown_when_it_is_given_up);
    tcase_add_test(t, rollback__what_was_turned_away_late_has_no_old_place);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
