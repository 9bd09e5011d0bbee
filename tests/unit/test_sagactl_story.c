/* A saga's events in words: each type with what belongs to it, on its side and in its colour. */
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/words.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define EVENT(name)  SAGA__V1__EVENT_TYPE__EVENT_TYPE_##name
#define ACTION(name) SAGA__V1__ACTION_STATE__ACTION_STATE_##name
#define UNDO(name)   SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_##name
#define REASON(name) SAGA__V1__REASON__REASON_##name
#define STATE(name)  SAGA__V1__SAGA_STATE__SAGA_STATE_##name

/* Protobuf-c's strings are not const, though nobody writes to them here. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static const struct screen screen = {.width = 80, .utf8 = true, .utc = true};

/* An event whose time is known, as those of a sidecar are. */
static Saga__V1__Event event(Google__Protobuf__Timestamp *at)
{
    Saga__V1__Event e = SAGA__V1__EVENT__INIT;
    google__protobuf__timestamp__init(at);
    at->seconds = 1777890030;
    e.at = at;
    return e;
}

/* What is said of an attempt is told with it; so is who did what a person did, and why. */
START_TEST(story__every_event_has_its_words)
{
    static const struct {
        Saga__V1__EventType type;
        const char *step, *definition, *message, *actor;
        int attempt, status;
        Saga__V1__ActionState action;
        Saga__V1__CompensationState undo;
        Saga__V1__SagaState state;
        Saga__V1__Reason reason;
        enum story_side side;
        enum paint paint;
        const char *text;
    } cases[] = {
        {EVENT(SAGA_STARTED), .definition = "order", .actor = "ann", .side = STORY_WHOLE, .text = "order started"},
        {EVENT(STEP_ENLISTED), "charge", .text = "charge enlisted"},
        {EVENT(ACTION_STARTED), "charge", .attempt = 2, .text = "charge attempt 2"},
        {EVENT(ACTION_ATTEMPT_FAILED), "charge", .attempt = 2, .status = 14, .message = "it is away",
         .paint = PAINT_WARN, .text = "charge attempt 2 failed, UNAVAILABLE: it is away"},
        {EVENT(ACTION_ATTEMPT_FAILED), "charge", .attempt = 1, .status = 4, .paint = PAINT_WARN,
         .text = "charge attempt 1 failed, DEADLINE_EXCEEDED"},
        {EVENT(ACTION_ATTEMPT_FAILED), "charge", .attempt = 1, .paint = PAINT_WARN, .text = "charge attempt 1 failed"},
        {EVENT(ACTION_ENDED), "charge", .action = ACTION(DONE), .paint = PAINT_GOOD, .text = "charge DONE"},
        {EVENT(ACTION_ENDED), "charge", .action = ACTION(REJECTED), .status = 9, .message = "declined",
         .paint = PAINT_BAD, .text = "charge REJECTED, FAILED_PRECONDITION: declined"},
        {EVENT(ACTION_ENDED), "charge", .action = ACTION(SKIPPED), .message = "its condition is false",
         .paint = PAINT_WARN, .text = "charge SKIPPED, its condition is false"},
        {EVENT(COMPENSATION_STARTED), "charge", .attempt = 2, .side = STORY_COMPENSATION,
         .text = "charge undo, attempt 2"},
        {EVENT(COMPENSATION_ATTEMPT_FAILED), "charge", .attempt = 2, .status = 14, .message = "it is away",
         .side = STORY_COMPENSATION, .paint = PAINT_WARN,
         .text = "charge undo, attempt 2 failed, UNAVAILABLE: it is away"},
        {EVENT(COMPENSATION_ENDED), "charge", .undo = UNDO(DONE), .side = STORY_COMPENSATION, .paint = PAINT_GOOD,
         .text = "charge undo DONE"},
        {EVENT(COMPENSATION_ENDED), "charge", .undo = UNDO(FAILED), .status = 14, .message = "it is away",
         .side = STORY_COMPENSATION, .paint = PAINT_BAD, .text = "charge undo FAILED, UNAVAILABLE: it is away"},
        {EVENT(TURNED_BACK), "charge", .reason = REASON(ACTION_REJECTED), .side = STORY_WHOLE, .paint = PAINT_WARN,
         .text = "TURNED BACK: action rejected at charge"},
        {EVENT(TURNED_BACK), .reason = REASON(CANCELLED), .actor = "ann", .message = "sold out", .side = STORY_WHOLE,
         .paint = PAINT_WARN, .text = "TURNED BACK: cancelled by ann: sold out"},
        {EVENT(STUCK), "charge", .reason = REASON(PIVOT_UNKNOWN), .side = STORY_WHOLE, .paint = PAINT_BAD,
         .text = "STUCK: pivot unknown at charge"},
        {EVENT(STUCK), .side = STORY_WHOLE, .paint = PAINT_BAD, .text = "STUCK"},
        {EVENT(ENDED), .state = STATE(COMMITTED), .side = STORY_WHOLE, .paint = PAINT_GOOD, .text = "COMMITTED"},
        {EVENT(ENDED), .state = STATE(RESOLVED), .actor = "ann", .message = "by hand", .side = STORY_WHOLE,
         .paint = PAINT_WARN, .text = "RESOLVED by ann: by hand"},
        {EVENT(PAUSED), .actor = "ann", .message = "look", .side = STORY_WHOLE, .text = "paused by ann: look"},
        {EVENT(RESUMED), .actor = "ann", .side = STORY_WHOLE, .text = "resumed by ann"},
        {EVENT(RETRIED), "charge", .actor = "ann", .side = STORY_WHOLE, .text = "charge to be tried again by ann"},
        {EVENT(SKIPPED), "charge", .actor = "ann", .message = "paid", .side = STORY_WHOLE,
         .text = "charge skipped by ann: paid"},
        {EVENT(REJECTED), "charge", .actor = "ann", .message = "not booked", .side = STORY_WHOLE,
         .text = "charge did not happen by ann: not booked"},
        {EVENT(ANSWERED), .side = STORY_WHOLE, .text = "answered; deferred steps begin"},
        {EVENT(UNREACHED), "charge", .status = 14, .message = "refused", .side = STORY_WHOLE,
         .text = "charge waits for its target, UNAVAILABLE: refused"},
        {(Saga__V1__EventType)99, "charge", .side = STORY_WHOLE,
         .text = "an event of type 99, which this sagactl does not know"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const texts[] = {cases[i].step, cases[i].definition, cases[i].message, cases[i].actor};
        Google__Protobuf__Timestamp at;
        Saga__V1__Event e = event(&at);
        char **const fields[] = {&e.step, &e.definition, &e.message, &e.actor};
        struct story_line line;
        for (size_t k = 0; k < 4; k++)
            if (texts[k] != NULL)
                *fields[k] = TEXT(texts[k]);
        e.type = cases[i].type;
        e.attempt = cases[i].attempt;
        e.status = cases[i].status;
        e.action = cases[i].action;
        e.compensation = cases[i].undo;
        e.state = cases[i].state;
        e.reason = cases[i].reason;
        story_tell(&screen, &e, &line);
        ck_assert_str_eq(line.text, cases[i].text);
        ck_assert_msg(line.side == cases[i].side, "%s: side %d", line.text, (int)line.side);
        ck_assert_msg(line.paint == cases[i].paint, "%s: paint %d", line.text, (int)line.paint);
    }
}
END_TEST

/* When it comes again, and how old what stood in for an answer was, where the times are known. */
START_TEST(story__times_of_an_event)
{
    Google__Protobuf__Timestamp at, other = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__Event e = event(&at);
    struct story_line line;
    static const Saga__V1__EventType failed[] = {EVENT(ACTION_ATTEMPT_FAILED), EVENT(COMPENSATION_ATTEMPT_FAILED)};
    e.step = TEXT("charge");
    e.attempt = 1;
    e.next_attempt_at = &other;
    for (int i = 0; i < 2; i++) {
        e.type = failed[i];
        other.seconds = at.seconds + 90;
        story_tell(&screen, &e, &line);
        ck_assert_str_eq(line.text, i == 0 ? "charge attempt 1 failed; next in 1m 30s"
                                           : "charge undo, attempt 1 failed; next in 1m 30s");
        other.seconds = -1;
        story_tell(&screen, &e, &line);
        ck_assert_str_eq(line.text, i == 0 ? "charge attempt 1 failed" : "charge undo, attempt 1 failed");
    }
    e.type = EVENT(ACTION_ATTEMPT_FAILED);
    other.seconds = at.seconds + 90;
    e.at = NULL;
    story_tell(&screen, &e, &line);
    ck_assert_str_eq(line.text, "charge attempt 1 failed");
    e.at = &at;
    e.type = EVENT(UNREACHED);
    story_tell(&screen, &e, &line);
    ck_assert_str_eq(line.text, "charge had not begun, and comes again");
    e.type = EVENT(ACTION_ENDED);
    e.action = ACTION(DONE);
    other.seconds = at.seconds - 7260;
    e.as_of = &other;
    story_tell(&screen, &e, &line);
    ck_assert_str_eq(line.text, "charge DONE, by the last good answer, 2h 1m old");
}
END_TEST

/* As they are numbered; what is red is what somebody must look at. */
START_TEST(words__have_the_colour_of_what_they_mean)
{
    static const enum paint sagas[] = {PAINT_NONE, PAINT_STRONG, PAINT_GOOD, PAINT_WARN,
                                       PAINT_WARN, PAINT_BAD,    PAINT_WARN, PAINT_NONE},
                            actions[] = {PAINT_NONE, PAINT_DIM, PAINT_STRONG, PAINT_GOOD,
                                         PAINT_BAD,  PAINT_BAD, PAINT_WARN,   PAINT_NONE},
                            undos[] = {PAINT_NONE, PAINT_DIM, PAINT_WARN, PAINT_STRONG,
                                       PAINT_GOOD, PAINT_BAD, PAINT_WARN, PAINT_NONE};
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(words_saga_paint((Saga__V1__SagaState)i), sagas[i]);
        ck_assert_int_eq(words_action_paint((Saga__V1__ActionState)i), actions[i]);
        ck_assert_int_eq(words_compensation_paint((Saga__V1__CompensationState)i), undos[i]);
    }
    ck_assert_int_eq(words_saga_paint((Saga__V1__SagaState)-1), PAINT_NONE);
}
END_TEST

/* Each reason in the words of its own name. */
START_TEST(words__of_every_reason)
{
    static const struct {
        Saga__V1__Reason reason;
        const char *words;
    } cases[] = {{REASON(UNSPECIFIED), ""},
                 {REASON(ACTION_REJECTED), "action rejected"},
                 {REASON(ACTION_UNKNOWN), "action unknown"},
                 {REASON(DEADLINE), "deadline passed"},
                 {REASON(LEASE), "lease lapsed"},
                 {REASON(CANCELLED), "cancelled"},
                 {REASON(ABORTED), "aborted by its owner"},
                 {REASON(COMPENSATION_FAILED), "compensation failed"},
                 {REASON(FORWARD_FAILED), "cannot go forward"},
                 {REASON(PIVOT_UNKNOWN), "pivot unknown"},
                 {REASON(UNREACHABLE), "target unreachable"},
                 {REASON(ATTEMPTS_SPENT), "attempts spent"},
                 {REASON(EXPRESSION_FAILED), "expression failed"},
                 {REASON(REQUEST_CHANGED), "request changed"},
                 {REASON(UNEXPECTED_ANSWER), "unexpected answer"},
                 {REASON(OVERLOADED), "overloaded"},
                 {REASON(UNAVAILABLE), "target unavailable"},
                 {(Saga__V1__Reason)(REASON(UNAVAILABLE) + 1), "?"},
                 {(Saga__V1__Reason)-1, "?"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(words_reason(cases[i].reason), cases[i].words);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_story");
    TCase *tc = tcase_create("story");
    tcase_add_test(tc, story__every_event_has_its_words);
    tcase_add_test(tc, story__times_of_an_event);
    tcase_add_test(tc, words__have_the_colour_of_what_they_mean);
    tcase_add_test(tc, words__of_every_reason);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
