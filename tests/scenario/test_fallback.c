/* Exact traces of steps that something stands in for, and of steps that do not wait for a target that takes no calls. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdlib.h>

#define HEAD  "name: f\nversion: 1.0.0\nsteps:\n"
#define TYPED "name: f\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
#define ONCE  "timeout: 1s, retry: {maxAttempts: 1}"

/* a, or else a call of u, or else a constant; and b is sent what a gave. */
static const char chain[] =
    HEAD "  - name: a\n"
         "    target: t\n"
         "    timeout: 1s\n"
         "    retry: {maxAttempts: 1}\n"
         "    action: /p.S/A\n"
         "    compensation: {method: /p.S/UndoA, request: input}\n"
         "    fallback:\n"
         "      target: u\n"
         "      action: {method: /p.S/Other, " ONCE "}\n"
         "      compensation: {method: /p.S/UndoOther, request: own_output}\n"
         "      fallback: {value: {constant: plain}}\n"
         "  - {name: b, after: [a], target: t, action: {method: /p.S/B, request: {output: a}, " ONCE
         "}, compensation: none}\n";

static const char hasty[] =
    HEAD "  - {name: a, target: u, unavailable: fallback, action: {method: /p.S/A, " ONCE "}, compensation: none,\n"
         "     fallback: {value: input}}\n"
         "  - {name: b, after: [a], target: u, unavailable: refuse, action: {method: /p.S/B, " ONCE "}}\n";

static const char computed[] =
    TYPED "  - name: a\n"
          "    target: t\n"
          "    action: {method: /shapes.Shop/Old, request: input, " ONCE "}\n"
          "    compensation: none\n"
          "    expect: [{that: action.output.sku != 'no', else: it says no, undo: false}]\n"
          "    fallback: {value: {sku: \"='instead of ' + input.sku\"}}\n"
          "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, " ONCE ",\n"
          "     request: {sku: \"=steps.a.output.sku + ', ' + steps.a.outcome + ', ' + steps.a.fallback.outcome\"}}}\n";

static const char looped[] = TYPED "  - name: a\n"
                                   "    for_each: \"['x', 'y']\"\n"
                                   "    max_items: 2\n"
                                   "    target: t\n"
                                   "    action: {method: /shapes.Shop/Old, request: {sku: =item}, " ONCE "}\n"
                                   "    compensation: none\n"
                                   "    fallback: {value: {sku: \"='no ' + item\"}}\n"
                                   "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, " ONCE ",\n"
                                   "     request: {sku: \"=steps.a.output.map(o, o.sku).join('+')\"}}}\n";

/* a, or else what a answered last; b is sent that. */
static const char recalled[] =
    HEAD "  - {name: a, target: t, action: {method: /p.S/A, " ONCE "}, compensation: none,\n"
         "     fallback: {last_good: {key: rates, max_age: 1m}}}\n"
         "  - {name: b, after: [a], target: t, action: {method: /p.S/B, request: {output: a}, timeout: 1s,\n"
         "     retry: {maxAttempts: 2, jitter: 0}}, compensation: none}\n";

/* a, or else a call of u, or else what one of the two answered last. */
static const char twice[] =
    HEAD "  - name: a\n"
         "    target: t\n"
         "    action: {method: /p.S/A, " ONCE "}\n"
         "    compensation: none\n"
         "    fallback:\n"
         "      target: u\n"
         "      action: {method: /p.S/Other, " ONCE "}\n"
         "      compensation: none\n"
         "      fallback: {last_good: {key: rates, max_age: 1m}}\n"
         "  - {name: b, after: [a], target: t, action: {method: /p.S/B, request: {output: a}, " ONCE
         "}, compensation: none}\n";

/* The same, by the input; or else a value. */
static const char keyed[] = TYPED
    "  - name: a\n"
    "    target: t\n"
    "    action: {method: /shapes.Shop/Old, request: input, " ONCE "}\n"
    "    compensation: none\n"
    "    expect: [{that: action.output.sku != 'no', else: it says no, undo: false}]\n"
    "    fallback: {last_good: {key: =input.sku, max_age: 1m, name: shared}, fallback: {value: {sku: none}}}\n"
    "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, " ONCE ", request: =steps.a.output},\n"
    "     compensation: none}\n";

/* What is recorded is not looked for again: the engine that comes after the crash has no answers. */
START_TEST(fallback__the_last_good_answer_takes_the_place_of_an_output)
{
    engine_trace_run(recalled, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> at 1000\n"
                     "> answer 1 a OK out=one\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"one\"\n"
                     "> at 61000\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"in\"\n"
                     "> answer 2 a NOT_FOUND\n"
                     "ACTION_ENDED 2 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback DONE given@1000\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 1000ms \"one\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ENDED 1 COMMITTED\n"
                     "> crash\n"
                     "ACTION_FAILED 2 b #1 UNAVAILABLE maybe next@61100 quiet@62260\n"
                     "> tick\n"
                     "at 61100\n"
                     "ACTION_STARTED 2 b #2\n"
                     "call 2 b action #2 1000ms \"one\"\n");
}
END_TEST

START_TEST(fallback__an_answer_that_is_too_old_stands_in_for_nothing)
{
    engine_trace_run(recalled, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK out=one\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"one\"\n"
                     "> at 60001\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"in\"\n"
                     "> answer 2 a NOT_FOUND\n"
                     "ACTION_ENDED 2 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback REJECTED NOT_FOUND\n"
                     "TURNED_BACK 2 a.fallback ACTION_REJECTED\n"
                     "ENDED 2 COMPENSATED\n");
}
END_TEST

/* What is OK and not what is expected is no good answer. */
START_TEST(fallback__answers_are_kept_by_their_keys)
{
    engine_trace_run(keyed, 8,
                     "> start r1 in=x\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"x\"\n"
                     "> answer 1 a OK out=of-x\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_ENDED 1 a.fallback.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"of-x\"\n"
                     "> start r2 in=y\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"y\"\n"
                     "> answer 2 a NOT_FOUND\n"
                     "ACTION_ENDED 2 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback.fallback DONE\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 1000ms \"none\"\n"
                     "> start r3 in=x\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 1000ms \"x\"\n"
                     "> answer 3 a OK out=no\n"
                     "ACTION_ENDED 3 a #1 REJECTED FAILED_PRECONDITION\n"
                     "ACTION_ENDED 3 a.fallback DONE given@0\n"
                     "ACTION_ENDED 3 a.fallback.fallback SKIPPED\n"
                     "ACTION_STARTED 3 b #1\n"
                     "call 3 b action #1 1000ms \"of-x\"\n");
}
END_TEST

START_TEST(fallback__what_a_stand_in_answered_is_the_steps_last_good_answer)
{
    engine_trace_run(twice, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback action #1 1000ms \"in\"\n"
                     "> at 1000\n"
                     "> answer 1 a.fallback OK out=two\n"
                     "ACTION_ENDED 1 a.fallback #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"two\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"in\"\n"
                     "> answer 2 a NOT_FOUND\n"
                     "ACTION_ENDED 2 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_STARTED 2 a.fallback #1\n"
                     "call 2 a.fallback action #1 1000ms \"in\"\n"
                     "> answer 2 a.fallback NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback.fallback DONE given@1000\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 1000ms \"two\"\n");
}
END_TEST

/* Also when another call would be asked before it. */
START_TEST(fallback__what_the_action_answered_is_kept_for_the_last_of_its_fallbacks)
{
    engine_trace_run(twice, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> at 1000\n"
                     "> answer 1 a OK out=one\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_ENDED 1 a.fallback.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"one\"\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 1000ms \"in\"\n"
                     "> answer 2 a NOT_FOUND\n"
                     "ACTION_ENDED 2 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_STARTED 2 a.fallback #1\n"
                     "call 2 a.fallback action #1 1000ms \"in\"\n"
                     "> answer 2 a.fallback NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 2 a.fallback.fallback DONE given@1000\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 1000ms \"one\"\n");
}
END_TEST

START_TEST(fallback__is_not_taken_when_the_action_is_done)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK out=one\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_ENDED 1 a.fallback.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"one\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

START_TEST(fallback__is_called_and_undone_with_its_own_undo)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback action #1 1000ms \"in\"\n"
                     "> crash\n"
                     "ACTION_ENDED 1 a.fallback #1 UNKNOWN UNAVAILABLE quiet@1260\n"
                     "> tick\n"
                     "at 1260\n"
                     "COMPENSATION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback compensation #1 2000ms \"\" UNKNOWN\n"
                     "> answer 1 a.fallback OK\n"
                     "COMPENSATION_ENDED 1 a.fallback #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback.fallback DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"plain\"\n");
}
END_TEST

START_TEST(fallback__what_stood_in_is_undone_when_the_saga_turns_back)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback action #1 1000ms \"in\"\n"
                     "> answer 1 a.fallback OK out=two\n"
                     "ACTION_ENDED 1 a.fallback #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"two\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback compensation #1 2000ms \"two\" DONE\n"
                     "> answer 1 a.fallback OK\n"
                     "COMPENSATION_ENDED 1 a.fallback #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* What nobody knows is undone before anything stands in for it. */
START_TEST(fallback__waits_for_the_undo_of_an_unknown_outcome)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> lost 1 a\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN DEADLINE_EXCEEDED quiet@1260\n"
                     "> tick\n"
                     "at 1260\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 1000ms \"in\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback action #1 1000ms \"in\"\n");
}
END_TEST

/* A value is in the journal: after a crash it is not decided again. */
START_TEST(fallback__a_value_takes_the_place_of_an_output)
{
    engine_trace_run(computed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK out=no\n"
                     "ACTION_ENDED 1 a #1 REJECTED FAILED_PRECONDITION\n"
                     "ACTION_ENDED 1 a.fallback DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"instead of in, rejected, done\"\n"
                     "> crash\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN UNAVAILABLE quiet@1260\n"
                     "TURNED_BACK 1 b ACTION_UNKNOWN\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(fallback__each_instance_of_a_loop_has_its_own)
{
    engine_trace_run(looped, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a[0] #1\n"
                     "call 1 a[0] action #1 1000ms \"x\"\n"
                     "> answer 1 a[0] OK out=X\n"
                     "ACTION_ENDED 1 a[0] #1 DONE\n"
                     "ACTION_STARTED 1 a[1] #1\n"
                     "call 1 a[1] action #1 1000ms \"y\"\n"
                     "> answer 1 a[1] NOT_FOUND\n"
                     "ACTION_ENDED 1 a[1] #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 1 a.fallback[0] SKIPPED\n"
                     "ACTION_ENDED 1 a.fallback[1] DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 1000ms \"X+no y\"\n");
}
END_TEST

START_TEST(fallback__is_taken_at_once_while_the_target_takes_no_calls)
{
    engine_trace_run(hasty, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     /* The second waits for a place, until it is known that nobody is there. */
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "> unreached 1 a\n"
                     "UNREACHED 1 a #1 UNAVAILABLE\n"
                     "ACTION_ENDED 2 a REJECTED UNAVAILABLE\n"
                     "ACTION_ENDED 2 a.fallback DONE\n"
                     "ACTION_ENDED 2 b REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 2 b UNAVAILABLE\n"
                     "ENDED 2 COMPENSATED\n"
                     "ACTION_ENDED 1 a REJECTED UNAVAILABLE\n"
                     "ACTION_ENDED 1 a.fallback DONE\n"
                     "ACTION_ENDED 1 b REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 1 b UNAVAILABLE\n"
                     "ENDED 1 COMPENSATED\n"
                     "> reachable u\n"
                     "> start r3\n"
                     "STARTED 3\n"
                     "reply 3\n"
                     "ACTION_STARTED 3 a #1\n"
                     "call 3 a action #1 1000ms \"in\"\n"
                     "> hold u\n"
                     "reply 0\n"
                     "> answer 3 a OK\n"
                     "ACTION_ENDED 3 a #1 DONE\n"
                     "ACTION_ENDED 3 a.fallback SKIPPED\n"
                     "ACTION_ENDED 3 b REJECTED UNAVAILABLE\n"
                     "TURNED_BACK 3 b UNAVAILABLE\n"
                     "ENDED 3 COMPENSATED\n");
}
END_TEST

/* Past the pivot, where an alternative call is a dead letter, too; what comes next is sent the output. */
static const char needed[] =
    HEAD "  - {name: p, target: t, pivot: true, action: {method: /p.S/P, " ONCE "}}\n"
         "  - {name: a, after: [p], target: t, action: {method: /p.S/A, " ONCE "},\n"
         "     fallback: {target: u, action: {method: /p.S/Other, " ONCE "}}}\n"
         "  - {name: b, after: [a], target: t, action: {method: /p.S/B, request: {output: a}, " ONCE "}}\n";

START_TEST(fallback__one_whose_output_is_needed_cannot_be_skipped)
{
    engine_trace_run(needed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 1000ms \"in\"\n"
                     "> answer 1 p OK\n"
                     "ACTION_ENDED 1 p #1 DONE\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_STARTED 1 a.fallback #1\n"
                     "call 1 a.fallback action #1 1000ms \"in\"\n"
                     "> answer 1 a.fallback NOT_FOUND\n"
                     "ACTION_ENDED 1 a.fallback #1 REJECTED NOT_FOUND\n"
                     "STUCK 1 a.fallback FORWARD_FAILED\n"
                     "> skip 1 a.fallback\n"
                     "reply OUTPUT_NEEDED\n");
}
END_TEST

static const char alike[] =
    "name: alike\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none,\n"
    "     fallback: {last_good: {key: k, max_age: 1m}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none,\n"
    "     fallback: {last_good: {key: k, max_age: 1m}}}\n";

static const char unlike[] =
    "name: unlike\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}, compensation: none,\n"
    "     fallback: {last_good: {key: k, max_age: 1m, name: shared}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 1}}, compensation: none,\n"
    "     fallback: {last_good: {key: k, max_age: 1m, name: shared}}}\n";

/* The same call and the same key, of another step: its answer is not this one's. */
START_TEST(fallback__no_step_takes_anothers_answer)
{
    engine_trace_run(alike, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK out=one\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 1 b.fallback REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b.fallback ACTION_REJECTED\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Of a name that steps share, each method has answers of its own. */
START_TEST(fallback__no_method_takes_anothers_answer)
{
    engine_trace_run(unlike, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK out=one\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 a.fallback SKIPPED\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 1 b.fallback REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b.fallback ACTION_REJECTED\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

static const char without_value[] =
    TYPED "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: input, " ONCE "}, compensation: none,\n"
          "     fallback: {value: {sku: \"=string(1 / input.quantity)\"}}}\n";

static const char without_key[] =
    TYPED "  - {name: z, target: u, action: /shapes.Shop/Old, compensation: none}\n"
          "  - {name: a, after: [z], target: t, action: {method: /shapes.Shop/Old, request: input, " ONCE
          "}, compensation: none,\n"
          "     fallback: {last_good: {key: \"=string(1 / input.quantity)\", max_age: 1m}}}\n";

/* A value, or a key, that cannot be told is none: the step has failed for good, and the reason says of what. */
START_TEST(fallback__without_a_value_nothing_stands_in)
{
    engine_trace_run(without_value, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 1 a.fallback REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 a.fallback EXPRESSION_FAILED\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(fallback__without_a_key_nothing_stands_in)
{
    engine_trace_run(without_key, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 z #1\n"
                     "call 1 z action #1 2000ms \"in\"\n"
                     "> answer 1 z OK\n"
                     "ACTION_ENDED 1 z #1 DONE\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a NOT_FOUND\n"
                     "ACTION_ENDED 1 a #1 REJECTED NOT_FOUND\n"
                     "ACTION_ENDED 1 a.fallback REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 a.fallback EXPRESSION_FAILED\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fallback");
    TCase *c = tcase_create("fallback");
    tcase_add_test(c, fallback__is_not_taken_when_the_action_is_done);
    tcase_add_test(c, fallback__is_called_and_undone_with_its_own_undo);
    tcase_add_test(c, fallback__what_stood_in_is_undone_when_the_saga_turns_back);
    tcase_add_test(c, fallback__waits_for_the_undo_of_an_unknown_outcome);
    tcase_add_test(c, fallback__a_value_takes_the_place_of_an_output);
    tcase_add_test(c, fallback__each_instance_of_a_loop_has_its_own);
    tcase_add_test(c, fallback__is_taken_at_once_while_the_target_takes_no_calls);
    tcase_add_test(c, fallback__the_last_good_answer_takes_the_place_of_an_output);
    tcase_add_test(c, fallback__one_whose_output_is_needed_cannot_be_skipped);
    tcase_add_test(c, fallback__an_answer_that_is_too_old_stands_in_for_nothing);
    tcase_add_test(c, fallback__answers_are_kept_by_their_keys);
    tcase_add_test(c, fallback__what_a_stand_in_answered_is_the_steps_last_good_answer);
    tcase_add_test(c, fallback__what_the_action_answered_is_kept_for_the_last_of_its_fallbacks);
    tcase_add_test(c, fallback__no_step_takes_anothers_answer);
    tcase_add_test(c, fallback__no_method_takes_anothers_answer);
    tcase_add_test(c, fallback__without_a_value_nothing_stands_in);
    tcase_add_test(c, fallback__without_a_key_nothing_stands_in);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
