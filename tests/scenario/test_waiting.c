/* Exact traces of who waits for a target: since when, for how long, among whom, and what a retry has to wait for. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const char one[] = "name: one\n"
                          "version: 1.0.0\n"
                          "steps:\n"
                          "  - {name: a, target: t,\n"
                          "     action: {method: /p.S/A, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n";

/* Its undo is called elsewhere. */
static const char undone_at_u[] = "name: elsewhere\n"
                                  "version: 1.0.0\n"
                                  "steps:\n"
                                  "  - {name: a, target: t, action: /p.S/A,\n"
                                  "     compensation: {method: /p.S/UndoA, target: u, request: input}}\n";

static const char undone_there[] =
    "name: there\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/UndoA, request: input,\n"
    "     retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n"
    "  - {name: b, target: u, after: [a], action: /p.S/B, compensation: none}\n";

#define TYPED "name: typed\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"

static const char chosen[] = TYPED
    "steps:\n"
    "  - {name: a, target: {oneof: [t, u], by: \"'t'\"}, action: {method: /shapes.Shop/Old}, compensation: none}\n";

static const char chosen_undo[] =
    TYPED "steps:\n"
          "  - {name: a, target: {oneof: [t], by: \"'t'\"}, action: {method: /shapes.Shop/Old},\n"
          "     compensation: {method: /shapes.Shop/Old, target: u, request: input}}\n";

/* Who is asked does not wait, but of a pivot that may have been executed only the answer tells which way to go. */
static const char hasty_pivot[] =
    "name: hasty\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: p, target: t, pivot: true, unavailable: refuse,\n"
    "     action: {method: /p.S/P, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n";

/* Two at once, each of which makes the others go forward. */
static const char pivots[] = TYPED
    "steps:\n"
    "  - {name: p, target: t, for_each: \"['x', 'y', 'z']\", max_items: 3, max_parallel: 3, pivot: true,\n"
    "     unavailable: refuse, action: {method: /shapes.Shop/Old, request: {sku: =item}, retry: {maxAttempts: 1}}}\n";

/* Nobody waits for the second. */
static const char later[] = "name: later\n"
                            "version: 1.0.0\n"
                            "forward_only: true\n"
                            "steps:\n"
                            "  - {name: a, target: t, action: /p.S/A}\n"
                            "  - {name: b, target: t, after: [a], deferred: true, action: /p.S/B}\n";

/* Saga 3 had waited for its place; that is over when it leaves, and it waits for the target from when it could not reach it. */
START_TEST(waiting__each_waits_from_when_it_could_not_reach_the_target)
{
    engine_trace_run(one, 2,
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
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "> at 10\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMMITTED\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 2000ms \"in\"\n"
                     "> at 1000\n"
                     "> unreached 2 a\n"
                     "UNREACHED 2 a #1 UNAVAILABLE\n"
                     "> at 2000\n"
                     "> unreached 3 a\n"
                     "UNREACHED 3 a #1 UNAVAILABLE\n"
                     "> tick\n"
                     "at 61000\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> unreached 2 a\n"
                     "ACTION_ENDED 2 a #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 2 a UNREACHABLE\n"
                     "ENDED 2 COMPENSATED\n"
                     "> tick\n"
                     "at 62000\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 2000ms \"in\"\n"
                     "> unreached 3 a\n"
                     "ACTION_ENDED 3 a #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 3 a UNREACHABLE\n"
                     "ENDED 3 COMPENSATED\n");
}
END_TEST

/* What came back is not one more: it had its turn, and keeps it. */
START_TEST(waiting__what_could_not_be_reached_is_waited_for_however_many_wait)
{
    engine_trace_run(one, 2,
                     "> configure t 2 crowd=1\n"
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
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "> start r4\n"
                     "STARTED 4\n"
                     "reply 4\n"
                     "ACTION_ENDED 4 a REJECTED RESOURCE_EXHAUSTED\n"
                     "TURNED_BACK 4 a OVERLOADED\n"
                     "ENDED 4 COMPENSATED\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> unreached 2 a\n"
                     "UNREACHED 2 a #1 UNAVAILABLE\n"
                     "> reachable t\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n");
}
END_TEST

/* Of ten seconds' retries a fifth is kept for undos: a first retry waits until the time has paid for three. One that was turned away is a retry, too. */
START_TEST(waiting__a_retry_waits_until_it_is_paid_for)
{
    engine_trace_run(one, 2,
                     "> configure t 2 budget=10\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #1 UNAVAILABLE next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "> tick\n"
                     "at 3000\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> answer 2 a OK\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ENDED 2 COMMITTED\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* Whoever finds the target away waits for that, and pays nothing when it is back. */
START_TEST(waiting__a_retry_that_finds_nobody_there_waits_like_all_others)
{
    engine_trace_run(one, 4,
                     "> configure t 4 budget=10\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> unreached 2 a\n"
                     "UNREACHED 2 a #1 UNAVAILABLE\n"
                     "> tick\n"
                     "at 100\n"
                     "> at 200\n"
                     "> reachable t\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n");
}
END_TEST

/* It waited for its turn before the target was lost, and is the only one that does: it is tried all the same after target_wait. */
START_TEST(waiting__a_retry_alone_tries_a_lost_target)
{
    engine_trace_run(one, 4,
                     "> configure t 4 budget=10\n"
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
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 2000ms \"in\"\n"
                     "> unreached 3 a\n"
                     "UNREACHED 3 a #1 UNAVAILABLE\n"
                     "> cancel 3\n"
                     "ACTION_ENDED 3 a REJECTED CANCELLED\n"
                     "TURNED_BACK 3 CANCELLED\n"
                     "reply 3\n"
                     "ENDED 3 COMPENSATED\n"
                     "> lost 2 a UNAVAILABLE\n"
                     "ACTION_FAILED 2 a #1 UNAVAILABLE maybe next@200 quiet@2270\n"
                     "> cancel 2\n"
                     "ACTION_ENDED 2 a #1 UNKNOWN CANCELLED\n"
                     "TURNED_BACK 2 CANCELLED\n"
                     "reply 2\n"
                     "ENDED 2 COMPENSATED\n"
                     "> tick\n"
                     "at 2800\n"
                     "> tick\n"
                     "at 60100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n");
}
END_TEST

/* Whoever waited for a place before the target was lost waits for the target from then on, whatever comes between. */
START_TEST(waiting__who_waited_for_a_place_waits_for_the_target_from_when_it_was_lost)
{
    engine_trace_run(one, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> at 30000\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> cancel 1\n"
                     "ACTION_ENDED 1 a REJECTED CANCELLED\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "ENDED 1 COMPENSATED\n"
                     "> at 59000\n"
                     "> trip t\n"
                     "reply 0\n"
                     "> tick\n"
                     "at 64000\n"
                     "> tick\n"
                     "at 90000\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n");
}
END_TEST

/* Who says that it has too much to do is there: the others wait no longer. With a pushback below 0 it is not asked again. */
START_TEST(waiting__who_sheds_is_there)
{
    engine_trace_run(one, 2,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> at 10000\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> tick\n"
                     "at 60000\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #1 UNAVAILABLE next@60100\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> shed 2 a UNAVAILABLE pushback=-1\n"
                     "ACTION_ENDED 2 a #1 REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 2 a ATTEMPTS_SPENT\n"
                     "ENDED 2 COMPENSATED\n");
}
END_TEST

/* Whoever tries his luck in vain after the target was back meanwhile waits anew. */
START_TEST(waiting__a_target_that_was_back_is_waited_for_anew)
{
    engine_trace_run(one, 2,
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
                     "> at 60500\n"
                     "> reachable t\n"
                     "> at 61000\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "> tick\n"
                     "at 121000\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n");
}
END_TEST

/* No saga begins of which a call could not be made, be it an undo, or one that is only chosen. */
START_TEST(waiting__what_is_not_there_is_asked_for_at_the_start)
{
    engine_trace_run(undone_at_u, 2,
                     "> configure u 0\n"
                     "> start r1\n"
                     "reply TARGET_NOT_FOUND\n"
                     "> configure u 2\n"
                     "> start r2\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n");
}
END_TEST

START_TEST(waiting__what_may_be_chosen_is_asked_for_at_the_start)
{
    engine_trace_run(chosen, 2,
                     "> configure u 0\n"
                     "> start r1\n"
                     "reply TARGET_NOT_FOUND\n");
}
END_TEST

START_TEST(waiting__an_undo_beside_a_choice_is_asked_for_at_the_start)
{
    engine_trace_run(chosen_undo, 2,
                     "> configure u 0\n"
                     "> start r1\n"
                     "reply TARGET_NOT_FOUND\n");
}
END_TEST

static const char not_undone[] = "name: last\n"
                                 "version: 1.0.0\n"
                                 "steps:\n"
                                 "  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
                                 "  - {name: b, after: [a], target: u, action: /p.S/B, compensation: none}\n";

START_TEST(waiting__an_action_that_comes_later_is_asked_for_at_the_start)
{
    engine_trace_run(not_undone, 2,
                     "> configure u 0\n"
                     "> start r1\n"
                     "reply TARGET_NOT_FOUND\n");
}
END_TEST

static const char undone_later[] = "name: later\n"
                                   "version: 1.0.0\n"
                                   "steps:\n"
                                   "  - {name: a, target: t, action: /p.S/A,\n"
                                   "     compensation: {method: /p.S/UndoA, target: u, request: input}}\n"
                                   "  - {name: b, after: [a], target: t, action: /p.S/B}\n";

/* Of a target that the configuration no longer names only a person can spare an undo. */
START_TEST(waiting__an_undo_whose_target_is_gone_can_be_skipped)
{
    engine_trace_run(undone_later, 2,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> configure u 0\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "> skip 1 a\n"
                     "SKIPPED 1 a\n"
                     "reply 1\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Nor of one whose breaker a person holds open, for as long as that is: nothing leaves by itself. */
START_TEST(waiting__an_undo_whose_breaker_is_held_can_be_skipped)
{
    engine_trace_run(undone_later, 2,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> hold u\n"
                     "reply 0\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"in\"\n"
                     "> answer 2 a OK\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 2000ms \"in\"\n"
                     "> answer 2 b NOT_FOUND\n"
                     "ACTION_ENDED 2 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 2 b ACTION_REJECTED\n"
                     "> at 3600000\n"
                     "> reachable u\n"
                     "> skip 1 a\n"
                     "SKIPPED 1 a\n"
                     "reply 1\n"
                     "ENDED 1 COMPENSATED\n"
                     "> reset u\n"
                     "reply 0\n"
                     "COMPENSATION_STARTED 2 a #1\n"
                     "call 2 a compensation #1 2000ms \"in\" DONE\n");
}
END_TEST

/* A pivot that a person says has happened is behind the saga. */
START_TEST(waiting__past_a_skipped_pivot_there_is_no_way_back)
{
    static const char text[] =
        "name: p\nversion: 1.0.0\nsteps:\n"
        "  - {name: a, target: t, pivot: true, action: {method: /p.S/A, timeout: 1s, retry: {maxAttempts: 1}}}\n"
        "  - {name: b, after: [a], target: t, action: {method: /p.S/B, retry: {maxAttempts: 1}}}\n";
    engine_trace_run(text, 2,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> lost 1 a\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN DEADLINE_EXCEEDED quiet@1260\n"
                     "STUCK 1 a PIVOT_UNKNOWN\n"
                     "> skip 1 a\n"
                     "SKIPPED 1 a\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> cancel 1\n"
                     "reply AFTER_PIVOT\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 b FORWARD_FAILED\n");
}
END_TEST

/* As many instances as a saga may have steps. */
START_TEST(waiting__a_loop_may_be_as_long_as_a_saga)
{
    engine_trace_run(
        TYPED "steps:\n  - {name: a, target: t, for_each: \"['1', '2', '3', '4', '5', '6', '7', '8']\", max_items: "
              "9,\n     action: {method: /shapes.Shop/Old, request: {sku: =item}}, compensation: none}\n",
        1,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a[0] #1\n"
        "call 1 a[0] action #1 2000ms \"1\"\n");
}
END_TEST

/* After a refusal another key may be sent another request. */
START_TEST(waiting__what_is_tried_anew_under_another_key_may_be_another_request)
{
    engine_trace_run(TYPED "forward_only: true\nsteps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, "
                           "request: {sku: one}, retry: {maxAttempts: 1}}}\n",
                     1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"one\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 a FORWARD_FAILED\n"
                     "> upgrade one two\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"two\" generation=1\n");
}
END_TEST

/* Before it was asked it is turned away at once. */
START_TEST(waiting__a_pivot_that_was_asked_is_not_hasty)
{
    engine_trace_run(hasty_pivot, 2,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 2000ms \"in\"\n"
                     "> answer 1 p UNAVAILABLE\n"
                     "ACTION_FAILED 1 p #1 UNAVAILABLE maybe next@100\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 p #1\n"
                     "call 2 p action #1 2000ms \"in\"\n"
                     "> unreached 2 p\n"
                     "UNREACHED 2 p #1 UNAVAILABLE\n"
                     "ACTION_ENDED 2 p REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 2 p UNAVAILABLE\n"
                     "ENDED 2 COMPENSATED\n"
                     "> tick\n"
                     "at 100\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "ACTION_ENDED 3 p REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 3 p UNAVAILABLE\n"
                     "ENDED 3 COMPENSATED\n"
                     "> at 500\n"
                     "> reachable t\n"
                     "ACTION_STARTED 1 p #2\n"
                     "call 1 p action #2 2000ms \"in\"\n");
}
END_TEST

/* Another instance is the point of no return: this one is waited for in its place, but not while nobody is there. */
START_TEST(waiting__who_has_become_patient_is_hasty_still)
{
    engine_trace_run(pivots, 1,
                     "> configure t 1 pending=500\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p[0] #1\n"
                     "call 1 p[0] action #1 2000ms \"x\"\n"
                     "> answer 1 p[0] OK out=x\n"
                     "ACTION_ENDED 1 p[0] #1 DONE\n"
                     "ACTION_STARTED 1 p[1] #1\n"
                     "call 1 p[1] action #1 2000ms \"y\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> tick\n"
                     "at 500\n"
                     "ACTION_ENDED 2 p[0] REJECTED RESOURCE_EXHAUSTED\n"
                     "TURNED_BACK 2 p[0] OVERLOADED\n"
                     "ENDED 2 COMPENSATED\n"
                     "> unreached 1 p[1]\n"
                     "UNREACHED 1 p[1] #1 UNAVAILABLE\n"
                     "ACTION_ENDED 1 p[2] REJECTED UNAVAILABLE\n"
                     "STUCK 1 p[2] FORWARD_FAILED\n");
}
END_TEST

/* Those who wait are told while the saga is paused; what is deferred waits for the resume. */
START_TEST(waiting__what_is_done_is_answered_though_it_is_held)
{
    engine_trace_run(later, 2,
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
                     "ANSWERED 1\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n");
}
END_TEST

/* Of a pivot in a loop that was done once, another that is refused is stuck at once, though the third may still go well. */
START_TEST(waiting__past_the_pivot_a_refusal_waits_for_no_answer)
{
    engine_trace_run(pivots, 4,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p[0] #1\n"
                     "call 1 p[0] action #1 2000ms \"x\"\n"
                     "ACTION_STARTED 1 p[1] #1\n"
                     "call 1 p[1] action #1 2000ms \"y\"\n"
                     "ACTION_STARTED 1 p[2] #1\n"
                     "call 1 p[2] action #1 2000ms \"z\"\n"
                     "> answer 1 p[0] OK\n"
                     "ACTION_ENDED 1 p[0] #1 DONE\n"
                     "> answer 1 p[2] INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 p[2] #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 p[2] FORWARD_FAILED\n");
}
END_TEST

/* What all of a pivot's instances came to decides which way to go: a retry asks each of them again. */
START_TEST(waiting__a_dead_letter_is_stuck_on_every_pivot_that_is_not_known)
{
    engine_trace_run(pivots, 4,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p[0] #1\n"
                     "call 1 p[0] action #1 2000ms \"x\"\n"
                     "ACTION_STARTED 1 p[1] #1\n"
                     "call 1 p[1] action #1 2000ms \"y\"\n"
                     "ACTION_STARTED 1 p[2] #1\n"
                     "call 1 p[2] action #1 2000ms \"z\"\n"
                     "> answer 1 p[0] UNKNOWN\n"
                     "ACTION_ENDED 1 p[0] #1 UNKNOWN UNKNOWN\n"
                     "> answer 1 p[1] UNKNOWN\n"
                     "ACTION_ENDED 1 p[1] #1 UNKNOWN UNKNOWN\n"
                     "> answer 1 p[2] INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 p[2] #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 p[0] PIVOT_UNKNOWN\n"
                     "> retry 1\n"
                     "RETRIED 1 p[0]\n"
                     "RETRIED 1 p[1]\n"
                     "RETRIED 1 p[2]\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p[0] #1\n"
                     "call 1 p[0] action #1 2000ms \"x\"\n"
                     "ACTION_STARTED 1 p[1] #1\n"
                     "call 1 p[1] action #1 2000ms \"y\"\n"
                     "ACTION_STARTED 1 p[2] #1\n"
                     "call 1 p[2] action #1 2000ms \"z\" generation=1\n");
}
END_TEST

/* A person's word on one of them is none on the others. */
START_TEST(waiting__a_rejection_is_of_one_pivot_that_is_not_known)
{
    engine_trace_run(pivots, 4,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p[0] #1\n"
                     "call 1 p[0] action #1 2000ms \"x\"\n"
                     "ACTION_STARTED 1 p[1] #1\n"
                     "call 1 p[1] action #1 2000ms \"y\"\n"
                     "ACTION_STARTED 1 p[2] #1\n"
                     "call 1 p[2] action #1 2000ms \"z\"\n"
                     "> answer 1 p[0] UNKNOWN\n"
                     "ACTION_ENDED 1 p[0] #1 UNKNOWN UNKNOWN\n"
                     "> answer 1 p[1] UNKNOWN\n"
                     "ACTION_ENDED 1 p[1] #1 UNKNOWN UNKNOWN\n"
                     "> answer 1 p[2] INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 p[2] #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 p[0] PIVOT_UNKNOWN\n"
                     "> reject 1 p[0]\n"
                     "REJECTED 1 p[0] maybe\n"
                     "reply 1\n"
                     "> reject 1 p[1]\n"
                     "REJECTED 1 p[1]\n"
                     "reply 1\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* An undo's second attempt is a retry; what it needs is kept for undos, so that it waits until the time has paid for one, and no longer. */
START_TEST(waiting__an_undo_that_is_tried_again_is_paid_for_too)
{
    engine_trace_run(undone_there, 2,
                     "> configure t 2 budget=10\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "COMPENSATION_FAILED 1 a #1 UNAVAILABLE next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "> tick\n"
                     "at 900\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"in\" DONE\n");
}
END_TEST

/* One that failed while another instance of the pivot was awaited is what the saga is stuck on once that is done. */
START_TEST(waiting__what_could_not_be_decided_is_when_the_pivot_is_done)
{
    char text[1024];
    snprintf(text, sizeof text,
             "> start r1\n"
             "STARTED 1\n"
             "reply 1\n"
             "ACTION_STARTED 1 p[0] #1\n"
             "call 1 p[0] action #1 2000ms \"x\"\n"
             "ACTION_STARTED 1 p[1] #1\n"
             "call 1 p[1] action #1 2000ms \"y\"\n"
             "ACTION_STARTED 1 p[2] #1\n"
             "call 1 p[2] action #1 2000ms \"z\"\n"
             "> answer 1 p[2] %s\n"
             "ACTION_ENDED 1 p[2] #1 %s %s\n"
             "> answer 1 p[0] OK\n"
             "ACTION_ENDED 1 p[0] #1 DONE\n"
             "STUCK 1 p[2] FORWARD_FAILED\n",
             _i == 0 ? "INVALID_ARGUMENT" : "INTERNAL", _i == 0 ? "REJECTED" : "UNKNOWN",
             _i == 0 ? "INVALID_ARGUMENT" : "INTERNAL");
    engine_trace_run(pivots, 4, text);
}
END_TEST

static const char passed_over[] =
    "name: lazy\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: z, target: u, action: /p.S/Z, compensation: none}\n"
    "  - {name: a, after: [z], target: t, optional: true, action: /p.S/A, compensation: none}\n"
    "  - {name: b, after: [a], target: u, action: /p.S/B}\n";

/* One that has waited for too long and is passed over does not leave when there is a place at last. */
START_TEST(waiting__what_was_turned_away_does_not_leave_afterwards)
{
    engine_trace_run(passed_over, 2,
                     "> configure t 1 pending=500\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 z #1\n"
                     "call 1 z action #1 2000ms \"in\"\n"
                     "> answer 1 z OK\n"
                     "ACTION_ENDED 1 z #1 DONE\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 z #1\n"
                     "call 2 z action #1 2000ms \"in\"\n"
                     "> answer 2 z OK\n"
                     "ACTION_ENDED 2 z #1 DONE\n"
                     "> tick\n"
                     "at 500\n"
                     "ACTION_ENDED 2 a REJECTED RESOURCE_EXHAUSTED\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 2 b OK\n"
                     "ACTION_ENDED 2 b #1 DONE\n"
                     "ENDED 2 COMMITTED\n");
}
END_TEST

static const char hasty[] = "name: hasty\n"
                            "version: 1.0.0\n"
                            "steps:\n"
                            "  - {name: a, target: t, optional: true, unavailable: refuse, action: /p.S/A, "
                            "compensation: none}\n"
                            "  - {name: b, after: [a], target: u, action: /p.S/B}\n";

/* Nor does one that does not wait for a target which has become unavailable while it waited for a place. */
START_TEST(waiting__what_was_refused_in_haste_does_not_leave_afterwards)
{
    engine_trace_run(hasty, 1,
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
                     "ACTION_ENDED 2 a REJECTED UNAVAILABLE\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 2000ms \"in\"\n"
                     "> reset t\n"
                     "reply 0\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> answer 2 b OK\n"
                     "ACTION_ENDED 2 b #1 DONE\n"
                     "ENDED 2 COMMITTED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n");
}
END_TEST

static const char hasty_last[] = "name: hasty\n"
                                 "version: 1.0.0\n"
                                 "steps:\n"
                                 "  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
                                 "  - {name: b, after: [a], target: u, unavailable: refuse, action: /p.S/B, "
                                 "compensation: none}\n";

/* Each step says for itself whether it waits. */
START_TEST(waiting__a_later_step_may_be_hasty_alone)
{
    engine_trace_run(hasty_last, 1,
                     "> hold u\n"
                     "reply 0\n"
                     "> hold t\n"
                     "reply 0\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "> reset t\n"
                     "reply 0\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 b REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 1 b UNAVAILABLE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

static const char timed[] =
    "name: timed\n"
    "version: 1.0.0\n"
    "deadline: 3s\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: none}\n"
    "  - {name: b, after: [a], target: t, optional: true, action: /p.S/B, compensation: none}\n";

/* What would come after the deadline is not waited for: of a step that is passed over, this ends the step, and of another the saga. */
START_TEST(waiting__no_attempt_is_waited_for_past_the_deadline)
{
    engine_trace_run(
        timed, 2,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 2000ms \"in\"\n"
        "> shed 1 a UNAVAILABLE pushback=2999\n"
        "UNREACHED 1 a #1 UNAVAILABLE next@2999\n"
        "> retry 1 a\n"
        "RETRIED 1 a\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 2000ms \"in\"\n"
        "> answer 1 a OK\n"
        "ACTION_ENDED 1 a #1 DONE\n"
        "ACTION_STARTED 1 b #1\n"
        "call 1 b action #1 2000ms \"in\"\n"
        "> answer 1 b ABORTED pushback=5000\n"
        "ACTION_ENDED 1 b #1 UNKNOWN ABORTED\n"
        "ENDED 1 COMMITTED\n"
        "> start r2\n"
        "STARTED 2\n"
        "reply 2\n"
        "ACTION_STARTED 2 a #1\n"
        "call 2 a action #1 2000ms \"in\"\n"
        "> shed 2 a UNAVAILABLE pushback=3000\n"
        "ACTION_ENDED 2 a #1 REJECTED UNAVAILABLE\n"
        "TURNED_BACK 2 a DEADLINE \"the participant's pushback of 3s after attempt 1 would have passed the "
        "deadline\"\n"
        "ENDED 2 COMPENSATED\n");
}
END_TEST

/* What the steps after it need is not the attempt's, however long it may last otherwise. */
START_TEST(waiting__no_attempt_lasts_into_what_is_reserved)
{
    static const char text[] =
        "name: reserves\nversion: 1.0.0\ndeadline: 5s\nsteps:\n"
        "  - {name: a, target: t, reserve: 4s, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none}\n"
        "  - {name: b, after: [a], target: u, action: /p.S/B, compensation: none}\n";
    engine_trace_run(text, 2,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> lost 1 a\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN DEADLINE_EXCEEDED quiet@1260\n"
                     "TURNED_BACK 1 a ACTION_UNKNOWN\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

static const char two_at_once[] = TYPED
    "steps:\n"
    "  - {name: l, target: t, for_each: \"['x', 'y', 'z']\", max_items: 3, max_parallel: 2,\n"
    "     action: {method: /shapes.Shop/Old, request: {sku: =item}, retry: {maxAttempts: 1}}, compensation: none}\n";

/* An instance that waits for its target is under way: the next has its place in the queue only when one has ended. */
START_TEST(waiting__what_waits_is_one_of_a_loops_instances)
{
    engine_trace_run(two_at_once, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 l[0] #1\n"
                     "call 1 l[0] action #1 2000ms \"x\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> answer 1 l[0] OK\n"
                     "ACTION_ENDED 1 l[0] #1 DONE\n"
                     "ACTION_STARTED 1 l[1] #1\n"
                     "call 1 l[1] action #1 2000ms \"y\"\n"
                     "> answer 1 l[1] OK\n"
                     "ACTION_ENDED 1 l[1] #1 DONE\n"
                     "ACTION_STARTED 2 l[0] #1\n"
                     "call 2 l[0] action #1 2000ms \"x\"\n");
    engine_trace_run(two_at_once, 4,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 l[0] #1\n"
                     "call 1 l[0] action #1 2000ms \"x\"\n"
                     "ACTION_STARTED 1 l[1] #1\n"
                     "call 1 l[1] action #1 2000ms \"y\"\n"
                     "> unreached 1 l[0]\n"
                     "UNREACHED 1 l[0] #1 UNAVAILABLE\n"
                     "> unreached 1 l[1]\n"
                     "UNREACHED 1 l[1] #1 UNAVAILABLE\n"
                     "> reachable t\n"
                     "ACTION_STARTED 1 l[0] #1\n"
                     "call 1 l[0] action #1 2000ms \"x\"\n"
                     "ACTION_STARTED 1 l[1] #1\n"
                     "call 1 l[1] action #1 2000ms \"y\"\n"
                     "> answer 1 l[1] OK\n"
                     "ACTION_ENDED 1 l[1] #1 DONE\n"
                     "ACTION_STARTED 1 l[2] #1\n"
                     "call 1 l[2] action #1 2000ms \"z\"\n");
}
END_TEST

static const char undone_late[] =
    "name: late\n"
    "version: 1.0.0\n"
    "deadline: 1s\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: {method: /p.S/UndoA, request: input}}\n";

/* Its wait and its time are over at once: it goes back, and what was waiting waits for nothing any more. */
START_TEST(waiting__who_has_no_time_left_does_not_wait_on)
{
    engine_trace_run(undone_late, 1,
                     "> configure t 1 pending=500\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"in\"\n"
                     "> at 100\n"
                     "> tick\n"
                     "at 100\n"
                     "> at 1500\n"
                     "> tick\n"
                     "at 1500\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN DEADLINE_EXCEEDED\n"
                     "TURNED_BACK 1 DEADLINE\n"
                     "TURNED_BACK 2 DEADLINE\n"
                     "> answer 2 a OK\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("waiting");
    TCase *t = tcase_create("waiting");
    tcase_add_test(t, waiting__each_waits_from_when_it_could_not_reach_the_target);
    tcase_add_test(t, waiting__what_could_not_be_reached_is_waited_for_however_many_wait);
    tcase_add_test(t, waiting__a_retry_waits_until_it_is_paid_for);
    tcase_add_test(t, waiting__a_retry_that_finds_nobody_there_waits_like_all_others);
    tcase_add_test(t, waiting__a_retry_alone_tries_a_lost_target);
    tcase_add_test(t, waiting__who_sheds_is_there);
    tcase_add_test(t, waiting__who_waited_for_a_place_waits_for_the_target_from_when_it_was_lost);
    tcase_add_test(t, waiting__a_target_that_was_back_is_waited_for_anew);
    tcase_add_test(t, waiting__what_is_not_there_is_asked_for_at_the_start);
    tcase_add_test(t, waiting__what_may_be_chosen_is_asked_for_at_the_start);
    tcase_add_test(t, waiting__an_action_that_comes_later_is_asked_for_at_the_start);
    tcase_add_test(t, waiting__an_undo_beside_a_choice_is_asked_for_at_the_start);
    tcase_add_test(t, waiting__a_pivot_that_was_asked_is_not_hasty);
    tcase_add_test(t, waiting__who_has_become_patient_is_hasty_still);
    tcase_add_test(t, waiting__what_is_done_is_answered_though_it_is_held);
    tcase_add_test(t, waiting__an_undo_whose_target_is_gone_can_be_skipped);
    tcase_add_test(t, waiting__an_undo_whose_breaker_is_held_can_be_skipped);
    tcase_add_test(t, waiting__past_a_skipped_pivot_there_is_no_way_back);
    tcase_add_test(t, waiting__a_loop_may_be_as_long_as_a_saga);
    tcase_add_test(t, waiting__what_is_tried_anew_under_another_key_may_be_another_request);
    tcase_add_test(t, waiting__past_the_pivot_a_refusal_waits_for_no_answer);
    tcase_add_test(t, waiting__a_dead_letter_is_stuck_on_every_pivot_that_is_not_known);
    tcase_add_test(t, waiting__a_rejection_is_of_one_pivot_that_is_not_known);
    tcase_add_test(t, waiting__an_undo_that_is_tried_again_is_paid_for_too);
    tcase_add_loop_test(t, waiting__what_could_not_be_decided_is_when_the_pivot_is_done, 0, 2);
    tcase_add_test(t, waiting__what_was_turned_away_does_not_leave_afterwards);
    tcase_add_test(t, waiting__what_was_refused_in_haste_does_not_leave_afterwards);
    tcase_add_test(t, waiting__a_later_step_may_be_hasty_alone);
    tcase_add_test(t, waiting__no_attempt_is_waited_for_past_the_deadline);
    tcase_add_test(t, waiting__no_attempt_lasts_into_what_is_reserved);
    tcase_add_test(t, waiting__what_waits_is_one_of_a_loops_instances);
    tcase_add_test(t, waiting__who_has_no_time_left_does_not_wait_on);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
