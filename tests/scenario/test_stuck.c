/* Exact traces of dead letters and of what operators do with them, and of the pivot. */
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

static const char branches[] = "name: branches\n"
                               "version: 1.0.0\n"
                               "compensation_order: dependency\n"
                               "steps:\n"
                               "  - {name: a, target: t, action: /p.S/A,\n"
                               "     compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1}}}\n"
                               "  - {name: b, target: t, action: /p.S/B,\n"
                               "     compensation: {method: /p.S/UndoB, retry: {maxAttempts: 1}}}\n"
                               "  - {name: c, target: t, after: [a, b], action: /p.S/C}\n";

static const char pivot[] =
    "name: pivot\n"
    "version: 1.0.0\n"
    "deadline: 3s\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
    "  - {name: b, target: t, after: [a], pivot: true, action: {method: /p.S/B, timeout: 1s, retry: {maxAttempts: "
    "1}}}\n"
    "  - {name: c, target: u, after: [b],\n"
    "     action: {method: /p.S/C, retry: {maxAttempts: 2, initialBackoff: 100ms, jitter: 0}}}\n";

START_TEST(stuck__an_undo_that_fails_is_retried_by_an_operator)
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
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_FAILED 1 a #1 INTERNAL next@50\n"
                     "> tick\n"
                     "at 50\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"\" DONE\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_ENDED 1 a #2 FAILED INTERNAL\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> retry 1\n"
                     "reply SAGA_ENDED\n");
}
END_TEST

/* Its participant says that it has not begun, and in the same breath that it never will: that counts, until a person must look. */
START_TEST(stuck__an_undo_that_nobody_serves_is_a_dead_letter)
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
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #1 UNAVAILABLE next@50\n"
                     "> tick\n"
                     "at 50\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> shed 1 a UNIMPLEMENTED\n"
                     "COMPENSATION_FAILED 1 a #1 UNIMPLEMENTED next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"\" DONE\n"
                     "> shed 1 a UNIMPLEMENTED\n"
                     "COMPENSATION_ENDED 1 a #2 FAILED UNIMPLEMENTED\n"
                     "STUCK 1 a COMPENSATION_FAILED\n");
}
END_TEST

START_TEST(stuck__a_skipped_undo_lets_the_others_go_on)
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
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 c #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 b INTERNAL\n"
                     "COMPENSATION_FAILED 1 b #1 INTERNAL next@50\n"
                     "> tick\n"
                     "at 50\n"
                     "COMPENSATION_STARTED 1 b #2\n"
                     "call 1 b compensation #2 2000ms \"in\" DONE\n"
                     "> answer 1 b INTERNAL\n"
                     "COMPENSATION_ENDED 1 b #2 FAILED INTERNAL\n"
                     "STUCK 1 b COMPENSATION_FAILED\n"
                     "> skip 1 a\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> skip 1 b\n"
                     "SKIPPED 1 b\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(stuck__a_resolved_saga_is_over)
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
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_FAILED 1 a #1 INTERNAL next@50\n"
                     "> tick\n"
                     "at 50\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"\" DONE\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_ENDED 1 a #2 FAILED INTERNAL\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> cancel 1\n"
                     "reply 1 repeated\n"
                     "> resolve 1\n"
                     "ENDED 1 RESOLVED\n"
                     "reply 1\n"
                     "> resolve 1\n"
                     "reply SAGA_ENDED\n");
}
END_TEST

/* Both branches are being undone; one is stuck, and the other has not answered yet. */
START_TEST(stuck__no_resolve_while_a_call_is_out)
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
                     "> answer 1 d INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 d #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 d ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 b INTERNAL\n"
                     "COMPENSATION_ENDED 1 b #1 FAILED INTERNAL\n"
                     "STUCK 1 b COMPENSATION_FAILED\n"
                     "> resolve 1\n"
                     "reply CALLS_IN_FLIGHT\n"
                     "> answer 1 c OK\n"
                     "COMPENSATION_ENDED 1 c #1 DONE\n"
                     "> resolve 1\n"
                     "ENDED 1 RESOLVED\n"
                     "reply 1\n");
}
END_TEST

/* A refusal after the pivot makes a dead letter; tried anew it has a new key, since the old one is refused for
 * ever. */
START_TEST(stuck__after_the_pivot_only_forward)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> cancel 1\n"
                     "reply AFTER_PIVOT\n"
                     "> answer 1 c INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 c #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 c FORWARD_FAILED\n"
                     "> retry 1\n"
                     "RETRIED 1 c\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\" generation=1\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* It has no undo, so nobody but its participant or a person can tell. */
START_TEST(stuck__a_pivot_of_unknown_outcome_waits_for_a_person)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> lost 1 b\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN DEADLINE_EXCEEDED quiet@1260\n"
                     "STUCK 1 b PIVOT_UNKNOWN\n"
                     "> skip 1 b\n"
                     "SKIPPED 1 b\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* Without a step, a retry is of all that is stuck; where nothing is, of all that waits. */
START_TEST(stuck__a_retry_without_a_step_takes_all_of_them)
{
    engine_trace_run(branches, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 c #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a INTERNAL\n"
                     "COMPENSATION_ENDED 1 a #1 FAILED INTERNAL\n"
                     "STUCK 1 a COMPENSATION_FAILED\n"
                     "> answer 1 b INTERNAL\n"
                     "COMPENSATION_ENDED 1 b #1 FAILED INTERNAL\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "RETRIED 1 b\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Found by the simulator: the retried pivot counted as never started, so that the deadline, which had passed by
 * then, turned the saga back and left the pivot's effect behind. It has all the time of an attempt, and only its
 * answer decides. */
START_TEST(stuck__a_pivot_tried_anew_after_the_deadline_is_still_unknown)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> lost 1 b\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN DEADLINE_EXCEEDED quiet@1260\n"
                     "STUCK 1 b PIVOT_UNKNOWN\n"
                     "> at 5000\n"
                     "> retry 1\n"
                     "RETRIED 1 b\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* Found by the simulator, with the one before. */
START_TEST(stuck__a_pivot_tried_anew_cannot_be_cancelled)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> lost 1 b\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN DEADLINE_EXCEEDED quiet@1260\n"
                     "STUCK 1 b PIVOT_UNKNOWN\n"
                     "> at 5000\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> retry 1\n"
                     "RETRIED 1 b\n"
                     "reply 1\n"
                     "> cancel 1\n"
                     "reply AFTER_PIVOT\n"
                     "> crash\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN INVALID_ARGUMENT\n"
                     "STUCK 1 b PIVOT_UNKNOWN\n");
}
END_TEST

START_TEST(stuck__a_dead_letter_survives_a_crash)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 c #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 c FORWARD_FAILED\n"
                     "> crash\n"
                     "> skip 1 c\n"
                     "SKIPPED 1 c\n"
                     "reply 1\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

static const char patient_pivot[] =
    "name: pivot\n"
    "version: 1.0.0\n"
    "deadline: 1s\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
    "  - {name: b, target: t, after: [a], pivot: true,\n"
    "     action: {method: /p.S/B, timeout: 2s, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n"
    "  - {name: c, target: u, after: [b], action: {method: /p.S/C, retry: {maxAttempts: 3, initialBackoff: 100ms, "
    "jitter: 0}}}\n";

/* Once it has left, its answer decides: beyond the deadline, by its policy, under one key, before a person is called. */
START_TEST(stuck__a_pivot_has_its_own_time_and_its_policy)
{
    engine_trace_run(patient_pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> lost 1 b\n"
                     "ACTION_FAILED 1 b #1 DEADLINE_EXCEEDED maybe next@2100 quiet@2270\n"
                     "> tick\n"
                     "at 2100\n"
                     "ACTION_STARTED 1 b #2\n"
                     "call 1 b action #2 2000ms \"in\"\n"
                     "> answer 1 b UNAVAILABLE\n"
                     "ACTION_FAILED 1 b #2 UNAVAILABLE maybe next@2300\n"
                     "> tick\n"
                     "at 2300\n"
                     "ACTION_STARTED 1 b #3\n"
                     "call 1 b action #3 2000ms \"in\"\n"
                     "> answer 1 b UNAVAILABLE\n"
                     "ACTION_ENDED 1 b #3 UNKNOWN UNAVAILABLE\n"
                     "STUCK 1 b PIVOT_UNKNOWN\n");
}
END_TEST

/* Nothing of it can have happened, so there is a way back. */
START_TEST(stuck__a_pivot_that_never_left_is_turned_back_by_the_deadline)
{
    engine_trace_run(
        patient_pivot, 8,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 1000ms \"in\"\n"
        "> answer 1 a OK\n"
        "ACTION_ENDED 1 a #1 DONE\n"
        "ACTION_STARTED 1 b #1\n"
        "call 1 b action #1 2000ms \"in\"\n"
        "> at 950\n"
        "> unsent 1 b\n"
        "ACTION_ENDED 1 b #1 REJECTED UNAVAILABLE\n"
        "TURNED_BACK 1 b DEADLINE \"the backoff of 0.100s after attempt 1 would have passed the deadline\"\n"
        "COMPENSATION_STARTED 1 a #1\n"
        "call 1 a compensation #1 2000ms \"in\" DONE\n"
        "> answer 1 a OK\n"
        "COMPENSATION_ENDED 1 a #1 DONE\n"
        "ENDED 1 COMPENSATED\n");
}
END_TEST

/* There is no way back, so INTERNAL is no reason to call a person yet. */
START_TEST(stuck__past_the_pivot_everything_but_a_refusal_is_tried_again)
{
    engine_trace_run(patient_pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c INTERNAL\n"
                     "ACTION_FAILED 1 c #1 INTERNAL maybe next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 c #2\n"
                     "call 1 c action #2 2000ms \"in\"\n"
                     "> answer 1 c UNKNOWN\n"
                     "ACTION_FAILED 1 c #2 UNKNOWN maybe next@300\n"
                     "> tick\n"
                     "at 300\n"
                     "ACTION_STARTED 1 c #3\n"
                     "call 1 c action #3 2000ms \"in\"\n"
                     "> answer 1 c DATA_LOSS\n"
                     "ACTION_ENDED 1 c #3 UNKNOWN DATA_LOSS\n"
                     "STUCK 1 c FORWARD_FAILED\n");
}
END_TEST

/* No other attempt can mend it. */
START_TEST(stuck__past_the_pivot_a_refusal_is_a_dead_letter)
{
    engine_trace_run(patient_pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c NOT_FOUND\n"
                     "ACTION_ENDED 1 c #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 c FORWARD_FAILED\n");
}
END_TEST

/* They are retried to their ends; only what the failed one depends on waits for a person. */
START_TEST(stuck__branches_beside_a_failed_undo_go_on)
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
                     "> answer 1 d INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 d #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 d ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"in\" DONE\n"
                     "COMPENSATION_STARTED 1 c #1\n"
                     "call 1 c compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 b INTERNAL\n"
                     "COMPENSATION_ENDED 1 b #1 FAILED INTERNAL\n"
                     "STUCK 1 b COMPENSATION_FAILED\n"
                     "> answer 1 c UNAVAILABLE pushback=300\n"
                     "COMPENSATION_FAILED 1 c #1 UNAVAILABLE next@300\n"
                     "> tick\n"
                     "at 300\n"
                     "COMPENSATION_STARTED 1 c #2\n"
                     "call 1 c compensation #2 2000ms \"in\" DONE\n"
                     "> answer 1 c OK\n"
                     "COMPENSATION_ENDED 1 c #2 DONE\n"
                     "> retry 1\n"
                     "RETRIED 1 b\n"
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

/* A person need not wait for a backoff, or for what a participant asked for. */
START_TEST(stuck__a_retry_brings_forward_what_waits)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a RESOURCE_EXHAUSTED pushback=200000\n"
                     "ACTION_FAILED 1 a #1 RESOURCE_EXHAUSTED maybe next@200000\n"
                     "> retry 1 b\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> answer 1 a RESOURCE_EXHAUSTED pushback=999999999\n"
                     "ACTION_FAILED 1 a #2 RESOURCE_EXHAUSTED maybe next@300000\n"
                     "> retry 1 a\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #3 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> retry 1\n"
                     "reply SAGA_NOT_STUCK\n");
}
END_TEST

/* Nobody else can tell; the saga turns back on that word, and its actor and reason are kept. */
START_TEST(stuck__a_person_says_that_the_pivot_did_not_happen)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> reject 1 b\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> answer 1 b UNAVAILABLE\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN UNAVAILABLE\n"
                     "STUCK 1 b PIVOT_UNKNOWN\n"
                     "> cancel 1\n"
                     "reply SAGA_STUCK\n"
                     "> reject 1 a\n"
                     "reply SAGA_NOT_STUCK\n"
                     "> reject 1 b\n"
                     "REJECTED 1 b\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> reject 1 b\n"
                     "reply SAGA_ENDED\n");
}
END_TEST

/* There is no way back; a retry has a new key, as after a refusal. */
START_TEST(stuck__past_the_pivot_a_rejected_step_is_another_action)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c UNAVAILABLE\n"
                     "ACTION_FAILED 1 c #1 UNAVAILABLE maybe next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 c #2\n"
                     "call 1 c action #2 2000ms \"in\"\n"
                     "> answer 1 c UNAVAILABLE\n"
                     "ACTION_ENDED 1 c #2 UNKNOWN UNAVAILABLE\n"
                     "STUCK 1 c FORWARD_FAILED\n"
                     "> reject 1 c\n"
                     "REJECTED 1 c\n"
                     "reply 1\n"
                     "> retry 1\n"
                     "RETRIED 1 c\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\" generation=1\n"
                     "> crash\n"
                     "ACTION_FAILED 1 c #1 UNAVAILABLE maybe next@200 quiet@2370\n");
}
END_TEST

/* A branch of the undo is stuck, and another goes on, unless somebody holds the saga back. */
START_TEST(stuck__a_pause_holds_the_other_branches)
{
    engine_trace_run(
        "name: d\nversion: 1.0.0\ncompensation_order: dependency\nsteps:\n"
        "  - {name: a, target: t, action: /p.S/A,\n"
        "     compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1}}}\n"
        "  - {name: b, target: t, action: /p.S/B,\n"
        "     compensation: {method: /p.S/UndoB, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n"
        "  - {name: c, after: [a, b], target: t, action: /p.S/C, compensation: none}\n",
        8,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 2000ms \"in\"\n"
        "ACTION_STARTED 1 b #1\n"
        "call 1 b action #1 2000ms \"in\"\n"
        "> answer 1 a OK\n"
        "ACTION_ENDED 1 a #1 DONE\n"
        "> answer 1 b OK\n"
        "ACTION_ENDED 1 b #1 DONE\n"
        "ACTION_STARTED 1 c #1\n"
        "call 1 c action #1 2000ms \"in\"\n"
        "> answer 1 c NOT_FOUND\n"
        "ACTION_ENDED 1 c #1 REJECTED NOT_FOUND\n"
        "TURNED_BACK 1 c ACTION_REJECTED\n"
        "COMPENSATION_STARTED 1 a #1\n"
        "call 1 a compensation #1 2000ms \"in\" DONE\n"
        "COMPENSATION_STARTED 1 b #1\n"
        "call 1 b compensation #1 2000ms \"in\" DONE\n"
        "> answer 1 a NOT_FOUND\n"
        "COMPENSATION_ENDED 1 a #1 FAILED NOT_FOUND\n"
        "STUCK 1 a COMPENSATION_FAILED\n"
        "> answer 1 b UNAVAILABLE\n"
        "COMPENSATION_FAILED 1 b #1 UNAVAILABLE next@100\n"
        "> pause 1\n"
        "PAUSED 1\n"
        "reply 1\n"
        "> at 5000\n"
        "> pause 1\n"
        "reply 1\n"
        "> resume 1\n"
        "RESUMED 1\n"
        "reply 1\n"
        "COMPENSATION_STARTED 1 b #2\n"
        "call 1 b compensation #2 2000ms \"in\" DONE\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stuck");
    TCase *t = tcase_create("stuck");
    tcase_add_test(t, stuck__an_undo_that_fails_is_retried_by_an_operator);
    tcase_add_test(t, stuck__an_undo_that_nobody_serves_is_a_dead_letter);
    tcase_add_test(t, stuck__a_skipped_undo_lets_the_others_go_on);
    tcase_add_test(t, stuck__a_resolved_saga_is_over);
    tcase_add_test(t, stuck__no_resolve_while_a_call_is_out);
    tcase_add_test(t, stuck__after_the_pivot_only_forward);
    tcase_add_test(t, stuck__a_pivot_of_unknown_outcome_waits_for_a_person);
    tcase_add_test(t, stuck__a_retry_without_a_step_takes_all_of_them);
    tcase_add_test(t, stuck__a_pivot_tried_anew_after_the_deadline_is_still_unknown);
    tcase_add_test(t, stuck__a_pivot_tried_anew_cannot_be_cancelled);
    tcase_add_test(t, stuck__a_dead_letter_survives_a_crash);
    tcase_add_test(t, stuck__a_pivot_has_its_own_time_and_its_policy);
    tcase_add_test(t, stuck__a_pivot_that_never_left_is_turned_back_by_the_deadline);
    tcase_add_test(t, stuck__past_the_pivot_everything_but_a_refusal_is_tried_again);
    tcase_add_test(t, stuck__past_the_pivot_a_refusal_is_a_dead_letter);
    tcase_add_test(t, stuck__branches_beside_a_failed_undo_go_on);
    tcase_add_test(t, stuck__a_retry_brings_forward_what_waits);
    tcase_add_test(t, stuck__a_person_says_that_the_pivot_did_not_happen);
    tcase_add_test(t, stuck__past_the_pivot_a_rejected_step_is_another_action);
    tcase_add_test(t, stuck__a_pause_holds_the_other_branches);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
