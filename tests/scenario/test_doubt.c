/* Exact traces of what is in doubt, and of what a turn finds under way: what may have been done is undone, and what was certainly not done is not done any more. */
#include "tests/support/engine_trace.h"

#include <check.h>
#include <stdlib.h>

static const char chain[] =
    "name: chain\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: {method: /p.S/UndoA, retry: {maxAttempts: 2, initialBackoff: 50ms, jitter: 0}}}\n"
    "  - {name: b, target: u, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 1}}, compensation: "
    "/p.S/UndoB}\n";

static const char pivoted[] =
    "name: pivoted\n"
    "version: 1.0.0\n"
    "deadline: 1s\n"
    "steps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
    "  - {name: p, target: t, after: [a], pivot: true,\n"
    "     action: {method: /p.S/P, retry: {maxAttempts: 5, initialBackoff: 600ms, jitter: 0}}}\n";

static const char fan[] =
    "name: fan\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 3, initialBackoff: 100ms, jitter: 0}},\n"
    "     compensation: /p.S/UndoA}\n"
    "  - {name: b, target: u, action: {method: /p.S/B, retry: {maxAttempts: 1}}, compensation: /p.S/UndoB}\n";

static const char forward[] =
    "name: forward\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: a, target: t, pivot: true, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 1}}}\n"
    "  - {name: c, target: t, after: [a], action: {method: /p.S/C, retry: {maxAttempts: 1}}}\n"
    "  - {name: d, target: u, after: [a], action: {method: /p.S/D, retry: {maxAttempts: 1}}}\n";

static const char held[] = "name: held\n"
                           "version: 1.0.0\n"
                           "steps:\n"
                           "  - {name: a, target: t, pivot: true, action: /p.S/A}\n"
                           "  - {name: b, target: u, after: [a], action: /p.S/B}\n";

static const char behind[] =
    "name: behind\n"
    "version: 1.0.0\n"
    "steps:\n"
    "  - {name: p, target: t, after: [a], pivot: true, action: {method: /p.S/P, retry: {maxAttempts: 1}}}\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n";

static const char unexpected[] =
    "name: unexpected\n"
    "version: 1.0.0\n"
    "schema: shapes\n"
    "input: shapes.Line\n"
    "steps:\n"
    "  - {name: a, target: t, action: /shapes.Shop/Old,\n"
    "     expect: [{that: \"action.output.sku == 'x'\", else: it is no x}],\n"
    "     compensation: {method: /shapes.Shop/Old, request: {sku: =input.sku}}}\n"
    "  - {name: b, target: u, action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}}, compensation: none}\n";

/* What an earlier attempt may have done is undone, once it cannot be done any more, though the last ones certainly did nothing. */
START_TEST(doubt__a_doubt_outlives_an_attempt_that_never_left)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> lost 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100 quiet@2270\n"
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
                     "> answer 1 a INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 a #3 UNKNOWN INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 a ACTION_UNKNOWN\n"
                     "> tick\n"
                     "at 2270\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" UNKNOWN\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Of a pivot that an earlier attempt may have carried out nothing but its answer tells: the deadline ends it no more than it would have then. */
START_TEST(doubt__a_pivot_in_doubt_is_asked_past_the_deadline)
{
    engine_trace_run(pivoted, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 1000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 2000ms \"in\"\n"
                     "> lost 1 p UNAVAILABLE\n"
                     "ACTION_FAILED 1 p #1 UNAVAILABLE maybe next@600 quiet@2270\n"
                     "> tick\n"
                     "at 600\n"
                     "ACTION_STARTED 1 p #2\n"
                     "call 1 p action #2 2000ms \"in\"\n"
                     "> unsent 1 p\n"
                     "ACTION_FAILED 1 p #2 UNAVAILABLE next@1800\n"
                     "> tick\n"
                     "at 1800\n"
                     "ACTION_STARTED 1 p #3\n"
                     "call 1 p action #3 2000ms \"in\"\n"
                     "> answer 1 p OK\n"
                     "ACTION_ENDED 1 p #3 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* What had not begun when its saga has turned back is over: it leaves no more, and nothing is owed of it. */
START_TEST(doubt__a_shed_attempt_is_not_made_again_after_the_turn)
{
    engine_trace_run(fan, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "> shed 1 a UNAVAILABLE\n"
                     "ACTION_ENDED 1 a #1 REJECTED UNAVAILABLE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

START_TEST(doubt__an_unreached_attempt_is_not_made_again_after_the_turn)
{
    engine_trace_run(fan, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "> unreached 1 a\n"
                     "ACTION_ENDED 1 a #1 REJECTED UNAVAILABLE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* An attempt that had not begun counts as none, and waits as long as the one after the last that did. */
START_TEST(doubt__the_backoff_after_a_shed_goes_on)
{
    engine_trace_run(chain, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> lost 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #1 UNAVAILABLE maybe next@100 quiet@2270\n"
                     "> tick\n"
                     "at 100\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #2 UNAVAILABLE next@300\n"
                     "> tick\n"
                     "at 300\n"
                     "ACTION_STARTED 1 a #2\n"
                     "call 1 a action #2 2000ms \"in\"\n"
                     /* This one did begin: from here on the sheds before it count no more. */
                     "> lost 1 a UNAVAILABLE\n"
                     "ACTION_FAILED 1 a #2 UNAVAILABLE maybe next@500 quiet@2570\n"
                     "> tick\n"
                     "at 500\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #3 UNAVAILABLE next@900\n"
                     "> tick\n"
                     "at 900\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     /* One after another: the wait grows all the same. */
                     "> shed 1 a UNAVAILABLE\n"
                     "UNREACHED 1 a #3 UNAVAILABLE next@1700\n"
                     "> tick\n"
                     "at 1700\n"
                     "ACTION_STARTED 1 a #3\n"
                     "call 1 a action #3 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #3 DONE\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n");
}
END_TEST

/* A participant may not say that nothing is to be undone: a pushback below zero is none. */
START_TEST(doubt__an_undo_that_is_asked_not_to_be_made_again_is)
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
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a UNAVAILABLE pushback=-1\n"
                     "COMPENSATION_FAILED 1 a #1 UNAVAILABLE next@50\n"
                     "> tick\n"
                     "at 50\n"
                     "COMPENSATION_STARTED 1 a #2\n"
                     "call 1 a compensation #2 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #2 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* What a person says did not happen is in doubt no more: each retry that is refused is another action, under another key. */
START_TEST(doubt__a_refusal_after_a_persons_word_is_a_refusal)
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
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\"\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "> answer 1 d OK\n"
                     "ACTION_ENDED 1 d #1 DONE\n"
                     "> lost 1 b UNAVAILABLE\n"
                     "ACTION_ENDED 1 b #1 UNKNOWN UNAVAILABLE quiet@2270\n"
                     "STUCK 1 b FORWARD_FAILED\n"
                     "> reject 1 b\n"
                     "REJECTED 1 b\n"
                     "reply 1\n"
                     "> retry 1 b\n"
                     "RETRIED 1 b\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\" generation=1\n"
                     "> answer 1 b INVALID_ARGUMENT\n"
                     "ACTION_ENDED 1 b #1 REJECTED INVALID_ARGUMENT\n"
                     "STUCK 1 b FORWARD_FAILED\n"
                     "> retry 1 b\n"
                     "RETRIED 1 b\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\" generation=2\n"
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* Steps are told in any order: what is undone came before the pivot, and is written behind it. */
START_TEST(doubt__a_rejected_pivot_undoes_what_is_written_behind_it)
{
    engine_trace_run(behind, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "ACTION_STARTED 1 p #1\n"
                     "call 1 p action #1 2000ms \"in\"\n"
                     "> answer 1 p UNKNOWN\n"
                     "ACTION_ENDED 1 p #1 UNKNOWN UNKNOWN\n"
                     "STUCK 1 p PIVOT_UNKNOWN\n"
                     "> reject 1 p\n"
                     "REJECTED 1 p\n"
                     "reply 1\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

/* Past the pivot one of three is refused, and the last of them has waited for its target until then. */
START_TEST(doubt__nothing_leaves_a_dead_letter_but_what_is_out)
{
    engine_trace_run(forward, 1,
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
                     "> answer 1 b OK\n"
                     "ACTION_ENDED 1 b #1 DONE\n"
                     "> retry 1\n"
                     "RETRIED 1 d\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 c #1\n"
                     "call 1 c action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 d #1\n"
                     "call 1 d action #1 2000ms \"in\" generation=1\n"
                     "> answer 1 d OK\n"
                     "ACTION_ENDED 1 d #1 DONE\n"
                     "> answer 1 c OK\n"
                     "ACTION_ENDED 1 c #1 DONE\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* A step whose target is held is skipped though nobody was asked. */
START_TEST(doubt__what_is_spared_before_it_began_has_its_place)
{
    engine_trace_run(held, 8,
                     "> hold u\n"
                     "reply 0\n"
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "> answer 1 a OK\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "> skip 1 b\n"
                     "SKIPPED 1 b\n"
                     "reply 1\n"
                     "ENDED 1 COMMITTED\n");
}
END_TEST

/* What answered otherwise than is expected was done: it is undone with the turn that was there already. */
START_TEST(doubt__an_answer_that_is_not_expected_turns_no_saga_twice)
{
    engine_trace_run(unexpected, 8,
                     "> start r1\n"
                     "STARTED 1\n"
                     "reply 1\n"
                     "ACTION_STARTED 1 a #1\n"
                     "call 1 a action #1 2000ms \"in\"\n"
                     "ACTION_STARTED 1 b #1\n"
                     "call 1 b action #1 2000ms \"in\"\n"
                     "> answer 1 b NOT_FOUND\n"
                     "ACTION_ENDED 1 b #1 REJECTED NOT_FOUND\n"
                     "TURNED_BACK 1 b ACTION_REJECTED\n"
                     "> answer 1 a OK out=y\n"
                     "ACTION_ENDED 1 a #1 DONE\n"
                     "COMPENSATION_STARTED 1 a #1\n"
                     "call 1 a compensation #1 2000ms \"in\" DONE\n"
                     "> answer 1 a OK\n"
                     "COMPENSATION_ENDED 1 a #1 DONE\n"
                     "ENDED 1 COMPENSATED\n");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("doubt");
    TCase *t = tcase_create("doubt");
    tcase_add_test(t, doubt__a_doubt_outlives_an_attempt_that_never_left);
    tcase_add_test(t, doubt__a_pivot_in_doubt_is_asked_past_the_deadline);
    tcase_add_test(t, doubt__a_shed_attempt_is_not_made_again_after_the_turn);
    tcase_add_test(t, doubt__an_unreached_attempt_is_not_made_again_after_the_turn);
    tcase_add_test(t, doubt__the_backoff_after_a_shed_goes_on);
    tcase_add_test(t, doubt__an_undo_that_is_asked_not_to_be_made_again_is);
    tcase_add_test(t, doubt__a_refusal_after_a_persons_word_is_a_refusal);
    tcase_add_test(t, doubt__a_rejected_pivot_undoes_what_is_written_behind_it);
    tcase_add_test(t, doubt__nothing_leaves_a_dead_letter_but_what_is_out);
    tcase_add_test(t, doubt__what_is_spared_before_it_began_has_its_place);
    tcase_add_test(t, doubt__an_answer_that_is_not_expected_turns_no_saga_twice);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
