/* Exact traces of sagas whose definition computes: requests, conditions, requirements, and what follows when an expression fails. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdlib.h>

#define HEAD "name: typed\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"

static const char typed[] = HEAD
    "let: {name: input.sku + '!'}\n"
    "require:\n"
    "  - {that: \"input.sku != 'bad'\", else: nothing bad is sold}\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: =name}, retry: {maxAttempts: 2, "
    "initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: {method: /shapes.Shop/Old,\n"
    "                    request: {sku: \"=has(action.output) ? 'undo ' + action.output.sku : 'undo ' + "
    "action.outcome\"}}}\n"
    "  - {name: b, target: t, after: [a], when: steps.a.output.sku != 'enough',\n"
    "     action: {method: /shapes.Shop/Old, request: {sku: \"=steps.a.output.sku + '/b'\"}, retry: {maxAttempts: "
    "1}},\n"
    "     compensation: {method: /shapes.Shop/Old, request: {sku: \"=action.request.sku.split('/')[1] + "
    "steps.a.output.sku.substring(1)\"}}}\n"
    "  - {name: c, target: u, after: [b], action: {method: /shapes.Shop/Old, request: {sku: \"=steps.b.outcome + ' ' + "
    "string(1 / size(steps.a.output.sku.split('-')[1]))\"}, retry: {maxAttempts: 1}}}\n";

static const char chosen[] = HEAD
    "steps:\n"
    "  - {name: a, target: {oneof: [t, u], by: \"input.sku == 'in' ? 'u' : 't'\"}, action: {method: /shapes.Shop/Old,\n"
    "     retry: {maxAttempts: 2, initialBackoff: 100ms, jitter: 0}}, compensation: {method: /shapes.Shop/Old, "
    "request: "
    "input}}\n"
    "  - {name: b, target: {oneof: [t], by: \"steps.a.outcome\"}, after: [a], action: {method: /shapes.Shop/Old}}\n";

static const char branches[] =
    HEAD "compensation_order: dependency\n"
         "steps:\n"
         "  - {name: a, target: u, action: {method: /shapes.Shop/Old, request: {sku: a}},\n"
         "     compensation: {method: /shapes.Shop/Old, request: {sku: undo a}}}\n"
         "  - {name: b, target: t, action: {method: /shapes.Shop/Old, request: {sku: b}},\n"
         "     compensation: {method: /shapes.Shop/Old, request: {sku: \"=action.output.sku.split('/')[1]\"}}}\n"
         "  - {name: c, target: t, after: [a, b], action: {method: /shapes.Shop/Old, request: {sku: c}}}\n";

START_TEST(typed__requests_are_computed)
{
    engine_trace_run(typed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n"
                     "> answer 1 a OK out=A-B\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"A-B/b\"\n"
                     "> answer 1 b OK out=B\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"done 1\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* What begins is seen by what it requires as it is by its steps: under its own id, and as begun now. */
static const char beginning[] =
    HEAD "require:\n"
         "  - {that: \"saga.id.endsWith('-1') && saga.definition == 'typed'\", else: it is another}\n"
         "  - {that: \"saga.started_at == timestamp('1970-01-12T13:46:41Z')\", else: it begins at another time}\n"
         "steps:\n"
         "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: \"=string(saga.started_at)\"}}}\n";

START_TEST(typed__what_begins_is_seen_as_it_begins)
{
    engine_trace_run(beginning, 8,
                     "> at 1000\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"1970-01-12T13:46:41Z\"\n");
}
END_TEST

static const char named[] = HEAD "steps:\n"
                                 "  - {name: a, target: t, metadata: {x-sku: =input.sku, x-saga: =saga.definition},\n"
                                 "     action: {method: /shapes.Shop/Old, request: {sku: a}, retry: {maxAttempts: 2, "
                                 "initialBackoff: 100ms, jitter: 0}},\n"
                                 "     compensation: {method: /shapes.Shop/Old, request: {sku: undo a}}}\n"
                                 "  - {name: b, target: t, after: [a], metadata: {x-only: metadata},\n"
                                 "     action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}}}\n";

/* What the definition asks for goes with every attempt and the undo, with and without a computed request; the same after a crash. */
START_TEST(typed__metadata_goes_with_each_call)
{
    engine_trace_run(named, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"a\" x-sku=in x-saga=typed\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"a\" x-sku=in x-saga=typed\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #2 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\" x-only=metadata\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo a\" DONE x-sku=in x-saga=typed\n");
}
END_TEST

static const char handed_on[] =
    HEAD "steps:\n"
         "  - {name: a, target: t, action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}},\n"
         "     compensation: {method: /shapes.Shop/Old, request: {sku: \"='undo ' + action.request.sku\"}}}\n"
         "  - {name: b, target: t, after: [a], action: {method: /shapes.Shop/Old, request: {output: a}, retry: "
         "{maxAttempts: 1}},\n"
         "     compensation: {method: /shapes.Shop/Old, request: {sku: \"='undo ' + action.request.sku\"}}}\n"
         "  - {name: c, target: t, after: [b], action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}}}\n";

/* An undo may look at its action's request, also at one that was the input, or another step's output, as it was. */
START_TEST(typed__an_undo_sees_a_request_that_was_not_computed)
{
    engine_trace_run(handed_on, 8,
                     "> start r1 in=this\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"this\"\n"
                     "> answer 1 a OK out=that\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"that\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"this\"\n"
                     "> answer 1 c NOT_FOUND\n"
                     "ACTION_ENDED 1 c #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 c ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"undo that\" DONE\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo this\" DONE\n");
}
END_TEST

/* Where the attempts of a step went is in the journal; what its target cannot be told of ends the step. */
START_TEST(typed__a_target_is_chosen_once_and_the_undo_goes_there_too)
{
    engine_trace_run(chosen, 8,
                     "> start r1 in=in\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\" at u\n"
                     "> crash\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100 quiet@2270\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\" at u\n"
                     "> answer 1 a OK out=x\n"
                     "ACTION_ENDED 1 a #2 DONE\n"
                     "ACTION_ENDED 1 b REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b EXPRESSION_FAILED\n"
                     "> crash\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE at u\n");
}
END_TEST

START_TEST(typed__a_step_that_is_not_needed_is_skipped_and_not_undone)
{
    engine_trace_run(typed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n"
                     "> answer 1 a OK out=enough\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_ENDED 1 b SKIPPED\n"
                     "ACTION_ENDED 1 c REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c EXPRESSION_FAILED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo enough\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(typed__what_is_required_is_asked_before_anything_is_written)
{
    engine_trace_run(typed, 8,
                     "> start r1 in=bad\n"
                     "reply REQUIREMENT_NOT_MET\n"
                     "> start r2 in=damaged\n"
                     "reply EXPRESSION_FAILED\n"
                     "> start r3\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n");
}
END_TEST

START_TEST(typed__an_undo_sees_whether_its_action_is_known)
{
    engine_trace_run(typed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n"
                     "> lost 1 a\n"
                     "ACTION_FAILED 1 a #1 DEADLINE_EXCEEDED maybe next@2100 quiet@2270\n"
                     "> cancel 1\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN CANCELLED\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo unknown\" UNKNOWN\n");
}
END_TEST

/* Another version of sagad, or of the schema: the first attempt's digest is in the journal. */
START_TEST(typed__a_later_attempt_with_another_request_does_not_leave)
{
    engine_trace_run(HEAD
                     "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: =input.sku}, "
                     "retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n",
                     8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> upgrade input.sku input.sku+'x'\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN INVALID_ARGUMENT\n"
                     "STUCK 1 a REQUEST_CHANGED\n");
}
END_TEST

/* Where another stands in for it nobody need look at it. */
START_TEST(typed__a_later_attempt_with_another_request_is_stood_in_for)
{
    engine_trace_run(HEAD
                     "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: =input.sku}, "
                     "retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}, compensation: none,\n"
                     "     fallback: {value: {sku: none}}}\n",
                     8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> upgrade input.sku input.sku+'x'\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 a.fallback DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* A person has it tried anew, which cannot be at once, and then the saga turns back: it may have been executed, so it is undone. */
START_TEST(typed__what_was_to_be_tried_anew_is_undone)
{
    engine_trace_run(HEAD
                     "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: =input.sku}, "
                     "retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}},\n"
                     "     compensation: /shapes.Shop/Old}\n",
                     8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100\n"
                     "> upgrade input.sku input.sku+'x'\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN INVALID_ARGUMENT\n"
                     "STUCK 1 a REQUEST_CHANGED\n"
                     "> pause 1\n"
                     "PAUSED 1\n"
                     "reply 1\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "> cancel 1\n"
                     "TURNED_BACK 1 CANCELLED\n"
                     "reply 1\n"
                     "> resume 1\n"
                     "RESUMED 1\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n");
}
END_TEST

/* Likewise its condition: what an earlier attempt came to is unknown all the same. */
START_TEST(typed__a_condition_that_fails_on_a_retry_does_not_tell_what_was_done)
{
    engine_trace_run(HEAD "steps:\n"
                          "  - {name: p, target: t, pivot: true, action: {method: /shapes.Shop/Old}}\n"
                          "  - {name: a, after: [p], target: t, when: \"input.sku=='in'\",\n"
                          "     action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}}}\n",
                     8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 2000ms \"in\"\n"
                     "> answer 1 p OK\n"
                     "ACTION_ENDED 1 p #1 DONE\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a UNAVAILABLE\n"
                     "ACTION_ENDED 1 a #1 UNKNOWN UNAVAILABLE\n"
                     "STUCK 1 a FORWARD_FAILED\n"
                     "> upgrade input.sku== input.sku.split('-')[1]==\n"
                     "> retry 1\n"
                     "RETRIED 1 a\n"
                     "reply 1\n"
                     "ACTION_ENDED 1 a UNKNOWN INVALID_ARGUMENT\n"
                     "STUCK 1 a FORWARD_FAILED\n");
}
END_TEST

/* What an answer that cannot be judged means nobody knows; one that says that nothing was done is a refusal. */
START_TEST(typed__an_answer_that_cannot_be_judged_is_unknown)
{
    engine_trace_run(
        HEAD "steps:\n"
             "  - {name: a, target: t, action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}},\n"
             "     expect: [{that: \"action.output.sku.split('-')[1] == 'x'\", else: it is no x, undo: false}],\n"
             "     compensation: none}\n",
        8,
        "> start r1\n"
        "STARTED 1\n"
        "reply 1\n"
        "ACTION_STARTED 1 a #1\n"
        "call 1 a action #1 2000ms \"in\"\n"
        "> answer 1 a OK out=none\n"
        "ACTION_ENDED 1 a #1 UNKNOWN UNKNOWN\n"
        "TURNED_BACK 1 a ACTION_UNKNOWN\n"
        "ENDED 1 COMPENSATED\n"
        "> start r2\n"
        "STARTED 2\n"
        "reply 2\n"
        "ACTION_STARTED 2 a #1\n"
        "call 2 a action #1 2000ms \"in\"\n"
        "> answer 2 a OK out=a-b\n"
        "ACTION_ENDED 2 a #1 REJECTED FAILED_PRECONDITION\n"
        "TURNED_BACK 2 a ACTION_REJECTED\n"
        "ENDED 2 COMPENSATED\n"
        "> start r3\n"
        "STARTED 3\n"
        "reply 3\n"
        "ACTION_STARTED 3 a #1\n"
        "call 3 a action #1 2000ms \"in\"\n"
        "> answer 3 a OK out=a-x\n"
        "ACTION_ENDED 3 a #1 DONE\n"
        "ENDED 3 COMMITTED\n");
}
END_TEST

START_TEST(typed__a_later_undo_with_another_request_does_not_leave)
{
    engine_trace_run(
        HEAD "steps:\n"
             "  - {name: a, target: t, action: {method: /shapes.Shop/Old}, compensation: {method: /shapes.Shop/Old,\n"
             "     request: {sku: =input.sku}, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}}}\n"
             "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}}}\n",
        8,
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
        "> upgrade input.sku input.sku+'x'\n"
        "> tick\n"
        "at 100\n"
        "COMPENSATION_ENDED 1 a #1 FAILED INVALID_ARGUMENT\n"
        "STUCK 1 a REQUEST_CHANGED\n");
}
END_TEST

/* It would fail again whatever an operator waits for, so it is a dead letter at once. */
START_TEST(typed__an_undo_that_cannot_be_computed_is_a_dead_letter)
{
    engine_trace_run(typed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n"
                     "> answer 1 a OK out=x\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"x/b\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_ENDED 1 c REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c EXPRESSION_FAILED\n"
                     "COMPENSATION_STARTED 1 b #1\n"
                     "call 1 b compensation #1 2000ms \"b\" DONE\n"
                     "> answer 1 b OK\n"
                     "COMPENSATION_ENDED 1 b #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo x\" DONE\n");
    engine_trace_run(typed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"/b\"\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ACTION_ENDED 1 c REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c EXPRESSION_FAILED\n"
                     "COMPENSATION_ENDED 1 b FAILED INVALID_ARGUMENT\n"
                     "STUCK 1 b EXPRESSION_FAILED\n"
                     "> skip 1 b\n"
                     "SKIPPED 1 b\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo \" DONE\n");
}
END_TEST

/* What was decided is read back, and never decided again: a step that was skipped stays so; a request is the same. */
/* Found by the simulator: the branch that waited for its turn lost its place, and waited for ever. */
START_TEST(typed__an_undo_that_cannot_be_computed_leaves_other_branches_alone)
{
    engine_trace_run(branches, 1,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"a\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"b\"\n"
                     "> answer 1 b OK out=y\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> start r2\n"
                     "STARTED 2\n"
                     "reply 2\n"
                     "ACTION_STARTED 2 b #1\n"
                     "call 2 b action #1 2000ms \"b\"\n"
                     "> answer 2 b OK out=y\n"
                     "ACTION_ENDED 2 b #1 DONE\n"
                     "> answer 1 a OK out=x\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"c\"\n"
                     "ACTION_STARTED 2 a #1\n"
                     "call 2 a action #1 2000ms \"a\"\n"
                     "> answer 1 c INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 c #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c ACTION_REJECTED\n"
                     "COMPENSATION_ENDED 1 b FAILED INVALID_ARGUMENT\n"
                     "STUCK 1 b EXPRESSION_FAILED\n"
                     "> answer 2 a OK out=x\n"
                     "ACTION_ENDED 2 a #1 DONE\n"
                     "ACTION_STARTED 2 c #1\n"
                     "call 2 c action #1 2000ms \"c\"\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo a\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n");
}
END_TEST

START_TEST(typed__a_crash_changes_nothing)
{
    engine_trace_run(typed, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in!\"\n"
                     "> crash\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100 quiet@2270\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in!\"\n"
                     "> answer 1 a OK out=enough\n"
                     "ACTION_ENDED 1 a #2 DONE\n"
                     "ACTION_ENDED 1 b SKIPPED\n"
                     "ACTION_ENDED 1 c REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 c EXPRESSION_FAILED\n"
                     "> crash\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"undo enough\" DONE\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("typed");
    TCase *c = tcase_create("typed");
    tcase_add_test(c, typed__a_target_is_chosen_once_and_the_undo_goes_there_too);
    tcase_add_test(c, typed__requests_are_computed);
    tcase_add_test(c, typed__what_begins_is_seen_as_it_begins);
    tcase_add_test(c, typed__metadata_goes_with_each_call);
    tcase_add_test(c, typed__an_undo_sees_a_request_that_was_not_computed);
    tcase_add_test(c, typed__a_step_that_is_not_needed_is_skipped_and_not_undone);
    tcase_add_test(c, typed__what_is_required_is_asked_before_anything_is_written);
    tcase_add_test(c, typed__an_undo_sees_whether_its_action_is_known);
    tcase_add_test(c, typed__a_later_attempt_with_another_request_does_not_leave);
    tcase_add_test(c, typed__a_later_attempt_with_another_request_is_stood_in_for);
    tcase_add_test(c, typed__what_was_to_be_tried_anew_is_undone);
    tcase_add_test(c, typed__a_condition_that_fails_on_a_retry_does_not_tell_what_was_done);
    tcase_add_test(c, typed__a_later_undo_with_another_request_does_not_leave);
    tcase_add_test(c, typed__an_answer_that_cannot_be_judged_is_unknown);
    tcase_add_test(c, typed__an_undo_that_cannot_be_computed_is_a_dead_letter);
    tcase_add_test(c, typed__an_undo_that_cannot_be_computed_leaves_other_branches_alone);
    tcase_add_test(c, typed__a_crash_changes_nothing);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
