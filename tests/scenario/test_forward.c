/* Exact traces of sagas that go forward: chains, fans, retries, bulkheads, pauses, crashes. */
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

/* Each step takes the output of the one before where its definition says so. */
START_TEST(forward__a_chain_commits)
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
                     "> answer 1 b OK out=B\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

START_TEST(forward__a_fan_runs_side_by_side)
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
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n"
                     "> answer 1 d OK\n"
                     "ACTION_ENDED 1 d #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

START_TEST(forward__a_failed_attempt_is_followed_by_another_under_the_same_key)
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
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #2 UNAVAILABLE maybe next@300\n"
                     "> tick\n"
                     "at 300\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #3 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* A participant that is busy says when to come again, or not to. */
START_TEST(forward__pushback_says_when)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a RESOURCE_EXHAUSTED pushback=1500\n"
                     "ACTION_FAILED 1 a #1 RESOURCE_EXHAUSTED maybe next@1500\n"
                     "> tick\n"
                     "at 1500\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> answer 1 a RESOURCE_EXHAUSTED pushback=-1\n"
                     "ACTION_ENDED 1 a #2 UNKNOWN RESOURCE_EXHAUSTED\n"
                     "TURNED_BACK 1 a ACTION_UNKNOWN\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"\" UNKNOWN\n");
}
END_TEST

/* One place at target t: the second step waits for the first, and the second saga for both. */
START_TEST(forward__a_full_bulkhead_queues_in_order)
{
    engine_trace_run(fan, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> answer 2 a OK\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ACTION_STARTED 2 c #1\n"
                     "call 2 c action #1 2000ms \"in\"\n"
                     "> answer 2 c OK\n"
                     "ACTION_ENDED 2 c #1 DONE\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n");
}
END_TEST

/* One place: a saga of high priority goes before those that came earlier, and of the others each when it came. */
START_TEST(forward__priority_goes_before_who_came_earlier)
{
    engine_trace_run(chain, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2 priority=low\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "> start r4 priority=high\n"
                     "STARTED 4\n"
                     "reply 4\n"
                     "> answer 1 a OK out=A\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 4 a #1\n"
                     "call 4 a action #1 2000ms \"in\"\n"
                     "> answer 4 a OK out=A\n"
                     "ACTION_ENDED 4 a #1 DONE\n"
                     "ACTION_STARTED 4 b #1\n"
                     "call 4 b action #1 2000ms \"A\"\n"
                     "> answer 4 b OK\n"
                     "ACTION_ENDED 4 b #1 DONE\n"
                     "ACTION_STARTED 4 c #1\n"
                     "call 4 c action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 2000ms \"in\"\n");
}
END_TEST

/* The first in line, whose wait began anew as its target was not there, is gone: the next has waited for as long as it may, and does not wait until the
 * other would have. */
START_TEST(forward__who_is_first_now_may_have_waited_for_too_long)
{
    engine_trace_run(chain, 1,
                     "> configure t 1 pending=1000\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> hold t\n"
                     "reply 0\n"
                     "> at 500\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> reachable t\n"
                     "> at 1200\n"
                     "> cancel 1\n"
                     "ACTION_ENDED 1 a REJECTED CANCELLED\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "ENDED 1 COMPENSATED\n"
                     "> tick\n"
                     "at 1300\n"
                     "ACTION_ENDED 2 a REJECTED RESOURCE_EXHAUSTED\n"
                     "TURNED_BACK 2 a OVERLOADED\n"
                     "ENDED 2 COMPENSATED\n");
}
END_TEST

/* A configuration that is read again while calls are out: fewer places, none, and more. */
START_TEST(forward__a_target_that_is_changed_keeps_what_is_out)
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
                     "> configure t 1\n"
                     "> configure u 0\n"
                     "> start r2\n"
                     "reply TARGET_NOT_FOUND\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "> configure u 1\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> configure t 2\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 2000ms \"in\"\n"
                     "> answer 1 d OK\n"
                     "ACTION_ENDED 1 d #1 DONE\n"
                     "ENDED 1 COMMITTED\n"
                     "ACTION_STARTED 2 c #1\n"
                     "call 2 c action #1 2000ms \"in\"\n");
}
END_TEST

/* A retry whose time has come at once stands behind those that wait, as its saga's next step would. */
START_TEST(forward__a_retry_does_not_overtake)
{
    engine_trace_run(chain, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> answer 1 a UNAVAILABLE pushback=0\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@0\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> answer 2 a OK\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n");
}
END_TEST

/* The call that is out is answered; what would follow waits for the resume. */
START_TEST(forward__a_paused_saga_lets_nothing_leave)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> pause 1\n"
                     "reply 1\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n");
}
END_TEST

START_TEST(forward__a_repeated_start_is_the_same_saga)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r1\n"
                     "reply 1 repeated\n"
                     "> start r1 deadline=500\n"
                     "reply REQUEST_ID_REUSED\n"
                     "> answer 1 a INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 a #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 a ACTION_REJECTED\n"
                     "ENDED 1 COMPENSATED\n"
                     "> start r1\n"
                     "reply 1 repeated\n");
}
END_TEST

/* Whether it was executed nobody knows; the same key tells the participant. */
START_TEST(forward__a_call_that_was_out_at_a_crash_is_tried_anew)
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
                     "> crash\n"
                     "ACTION_FAILED 1 c #1 UNAVAILABLE maybe next@100 quiet@2270\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 c #2\n"
                     "call 1 c action #2 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #2 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* Nothing was out: recovery goes on where the journal ends. */
START_TEST(forward__a_crash_between_answers_loses_nothing)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> crash\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #2 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"\"\n");
}
END_TEST

/* Pausing holds calls back, not outcomes: what is done is done, and the deadline finds nothing to undo. */
START_TEST(forward__a_paused_saga_whose_last_action_is_done_commits)
{
    engine_trace_run(chain, 8,
                     "> start r1 deadline=500\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 500ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 500ms \"\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 500ms \"in\"\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* Two sagas find nobody at t: neither attempt counts, the first to have asked leaves first, and what waits writes nothing. */
START_TEST(forward__waits_for_a_target_that_cannot_be_reached)
{
    engine_trace_run(chain, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "> at 5000\n"
                     "> reachable t\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNIMPLEMENTED\n"
                     "ACTION_ENDED 1 a #1 REJECTED UNIMPLEMENTED\n"
                     "TURNED_BACK 1 a ACTION_REJECTED\n"
                     "ENDED 1 COMPENSATED\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n");
}
END_TEST

/* After the wait an attempt counts, and before the pivot it is the last. */
START_TEST(forward__wait_for_a_target_has_an_end)
{
    engine_trace_run(chain, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> tick\n"
                     "at 60000\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> unreached 1 a\n"
                     "ACTION_ENDED 1 a #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 1 a UNREACHABLE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

static const char pivot[] =
    "name: pivot\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A,\n"
    "     compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1, initialBackoff: 1s, jitter: 0}}}\n"
    "  - {name: b, target: u, after: [a], pivot: true,\n"
    "     action: {method: /p.S/B, retry: {maxAttempts: 1, initialBackoff: 100ms, jitter: 0}}}\n"
    "  - {name: c, target: u, after: [b], action: {method: /p.S/C, retry: {maxAttempts: 1,\n"
    "     initialBackoff: 100ms, jitter: 0}}}\n";

/* A participant that is full says that it has not begun: no attempt is spent, each break is longer than the one before, and a refusal that comes
 * then is a definite one. */
START_TEST(forward__a_shed_and_then_refused_pivot_is_no_dead_letter)
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
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> shed 1 b RESOURCE_EXHAUSTED\n"
                     "UNREACHED 1 b #1 RESOURCE_EXHAUSTED next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> shed 1 b UNAVAILABLE\n"
                     "UNREACHED 1 b #1 UNAVAILABLE next@300\n"
                     "> crash\n"
                     "> tick\n"
                     "at 300\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b FAILED_PRECONDITION\n"
                     "ACTION_ENDED 1 b #1 REJECTED FAILED_PRECONDITION\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #1 UNAVAILABLE next@1300\n"
                     "> tick\n"
                     "at 1300\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Before the pivot it does so for target_wait at most; then each attempt counts. One that refuses for good refuses. */
START_TEST(forward__what_had_not_begun_counts_after_target_wait)
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
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> shed 1 b UNAVAILABLE pushback=60000\n"
                     "UNREACHED 1 b #1 UNAVAILABLE next@60000\n"
                     "> tick\n"
                     "at 60000\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> shed 1 b UNAVAILABLE\n"
                     "ACTION_ENDED 1 b #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 1 b ATTEMPTS_SPENT\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n");
}
END_TEST

/* Unless the participant asks not to come again. */
START_TEST(forward__what_had_not_begun_and_shall_not_is_over)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> shed 1 a UNAVAILABLE pushback=-1\n"
                     "ACTION_ENDED 1 a #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 1 a ATTEMPTS_SPENT\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Who says that it had not begun is there: those that wait for it are called. */
START_TEST(forward__who_turns_one_away_is_there)
{
    engine_trace_run(pivot, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> shed 2 a UNAVAILABLE pushback=60\n"
                     "UNREACHED 2 a #1 UNAVAILABLE next@60\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n");
}
END_TEST

/* Past it there is no end of that. */
START_TEST(forward__what_had_not_begun_past_the_pivot_never_counts)
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
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> shed 1 c UNAVAILABLE pushback=86400000\n"
                     "UNREACHED 1 c #1 UNAVAILABLE next@300000\n"
                     "> tick\n"
                     "at 300000\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> shed 1 c UNAVAILABLE\n"
                     "UNREACHED 1 c #1 UNAVAILABLE next@300200\n"
                     "> tick\n"
                     "at 300200\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* One that waits at its target loses its place there: who comes after it leaves. */
START_TEST(forward__a_paused_saga_waits_for_no_target)
{
    engine_trace_run(fan, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> pause 2\n"
                     "PAUSED 2\n"
                     "reply 2\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "ACTION_STARTED 3 c #1\n"
                     "call 3 c action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 2000ms \"in\"\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("forward");
    TCase *t = tcase_create("forward");
    tcase_add_test(t, forward__waits_for_a_target_that_cannot_be_reached);
    tcase_add_test(t, forward__wait_for_a_target_has_an_end);
    tcase_add_test(t, forward__a_chain_commits);
    tcase_add_test(t, forward__a_fan_runs_side_by_side);
    tcase_add_test(t, forward__a_failed_attempt_is_followed_by_another_under_the_same_key);
    tcase_add_test(t, forward__pushback_says_when);
    tcase_add_test(t, forward__a_full_bulkhead_queues_in_order);
    tcase_add_test(t, forward__priority_goes_before_who_came_earlier);
    tcase_add_test(t, forward__who_is_first_now_may_have_waited_for_too_long);
    tcase_add_test(t, forward__a_target_that_is_changed_keeps_what_is_out);
    tcase_add_test(t, forward__a_retry_does_not_overtake);
    tcase_add_test(t, forward__a_paused_saga_lets_nothing_leave);
    tcase_add_test(t, forward__a_paused_saga_waits_for_no_target);
    tcase_add_test(t, forward__a_repeated_start_is_the_same_saga);
    tcase_add_test(t, forward__a_call_that_was_out_at_a_crash_is_tried_anew);
    tcase_add_test(t, forward__a_crash_between_answers_loses_nothing);
    tcase_add_test(t, forward__a_paused_saga_whose_last_action_is_done_commits);
    tcase_add_test(t, forward__a_shed_and_then_refused_pivot_is_no_dead_letter);
    tcase_add_test(t, forward__what_had_not_begun_counts_after_target_wait);
    tcase_add_test(t, forward__what_had_not_begun_and_shall_not_is_over);
    tcase_add_test(t, forward__who_turns_one_away_is_there);
    tcase_add_test(t, forward__what_had_not_begun_past_the_pivot_never_counts);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
