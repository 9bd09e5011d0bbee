/* sagactl: a saga as an operator sees it, lists, and messages as JSON. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/show.h"
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS_MAX 32
#define STEPS_MAX  8
#define START_S    1777890030 /* 2026-05-04T10:20:30Z */

static struct screen screen;
static char *written;
static size_t written_size;

static Saga__V1__GetResponse answer;
static Saga__V1__Saga saga;
static Saga__V1__Event events[EVENTS_MAX], *timeline[EVENTS_MAX];
static Saga__V1__Step steps[STEPS_MAX], *step_list[STEPS_MAX];
static Google__Protobuf__Timestamp times[2 * EVENTS_MAX + 8];
static size_t time_count;

/* Protobuf-c's strings are not const, though nobody writes to them here. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static Google__Protobuf__Timestamp *at_ms(int64_t ms)
{
    Google__Protobuf__Timestamp *t = &times[time_count++];
    google__protobuf__timestamp__init(t);
    t->seconds = START_S + ms / 1000;
    t->nanos = (int32_t)(ms % 1000) * 1000000;
    return t;
}

static void open_screen(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    screen = (struct screen){.out = open_memstream(&written, &written_size), .width = 80, .utc = true};
    screen.now.us = (INT64_C(1000000) * START_S) + INT64_C(200000000);
    time_count = 0;
    saga__v1__get_response__init(&answer);
    saga__v1__saga__init(&saga);
    saga.id = TEXT("9f03c1d2a4b7-2a");
    answer.saga = &saga;
    answer.timeline = timeline;
    saga.steps = step_list;
    saga.started_at = at_ms(0);
}

static void close_screen(void)
{
    fclose(screen.out);
    free(written);
}

static const char *shown(void)
{
    fflush(screen.out);
    return written;
}

static Saga__V1__Event *add_event(int64_t ms, Saga__V1__EventType type, char *step)
{
    Saga__V1__Event *e = &events[answer.n_timeline];
    saga__v1__event__init(e);
    timeline[answer.n_timeline++] = e;
    e->at = at_ms(ms);
    e->type = type;
    e->step = step;
    return e;
}

static Saga__V1__Step *add_step(char *name, Saga__V1__ActionState action, Saga__V1__CompensationState compensation)
{
    Saga__V1__Step *s = &steps[saga.n_steps];
    saga__v1__step__init(s);
    step_list[saga.n_steps++] = s;
    s->name = name;
    s->action = action;
    s->compensation = compensation;
    return s;
}

#define EVENT(name)  SAGA__V1__EVENT_TYPE__EVENT_TYPE_##name
#define ACTION(name) SAGA__V1__ACTION_STATE__ACTION_STATE_##name
#define UNDO(name)   SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_##name
#define REASON(name) SAGA__V1__REASON__REASON_##name
#define STATE(name)  SAGA__V1__SAGA_STATE__SAGA_STATE_##name

/* A checkout whose card was declined, and whose stock could not be given back. */
static void make_stuck(void)
{
    static char reserve[] = "reserve", charge[] = "charge", ship[] = "ship";
    saga.definition = TEXT("checkout");
    saga.version = TEXT("1.0.0");
    saga.state = STATE(STUCK);
    saga.reason = REASON(ACTION_REJECTED);
    saga.reason_step = charge;
    saga.stuck_reason = REASON(COMPENSATION_FAILED);
    saga.stuck_step = reserve;
    saga.deadline = at_ms(60000);
    add_event(0, EVENT(SAGA_STARTED), TEXT(""))->definition = TEXT("checkout");
    add_event(0, EVENT(ACTION_STARTED), reserve)->attempt = 1;
    add_event(12, EVENT(ACTION_ENDED), reserve)->action = ACTION(DONE);
    add_event(12, EVENT(ACTION_STARTED), charge)->attempt = 1;
    Saga__V1__Event *e = add_event(30, EVENT(ACTION_ENDED), charge);
    e->action = ACTION(REJECTED);
    e->status = 9;
    e->message = TEXT("card declined");
    add_event(30, EVENT(TURNED_BACK), charge)->reason = REASON(ACTION_REJECTED);
    add_event(31, EVENT(COMPENSATION_STARTED), reserve)->attempt = 1;
    e = add_event(40, EVENT(COMPENSATION_ATTEMPT_FAILED), reserve);
    e->attempt = 1;
    e->status = 14;
    e->message = TEXT("the stock system is away until somebody starts it again");
    e->next_attempt_at = at_ms(1540);
    e = add_event(1550, EVENT(COMPENSATION_ENDED), reserve);
    e->compensation = UNDO(FAILED);
    e->status = 14;
    add_event(1550, EVENT(STUCK), reserve)->reason = REASON(COMPENSATION_FAILED);
    Saga__V1__Step *s = add_step(reserve, ACTION(DONE), UNDO(FAILED));
    s->action_attempts = 1;
    s->compensation_attempts = 2;
    s->waiting_for = TEXT("an operator");
    s->last_status = 14;
    s->last_message = TEXT("the stock system is away");
    add_step(charge, ACTION(REJECTED), UNDO(NONE))->action_attempts = 1;
    add_step(ship, ACTION(PENDING), UNDO(NONE));
}

START_TEST(show__what_an_operator_sees)
{
    make_stuck();
    show_saga(&screen, &answer, "");
    ck_assert_str_eq(shown(), "9f03c1d2a4b7-2a  checkout 1.0.0  STUCK\n"
                              "  undone for action rejected at charge\n"
                              "  stuck for  compensation failed at reserve\n"
                              "  started    2026-05-04 10:20:30 UTC, 3m 20s ago\n"
                              "  deadline   2026-05-04 10:21:30 UTC, passed 2m 20s ago\n"
                              "\n"
                              "timeline\n"
                              "     TIME  DONE                              | UNDONE\n"
                              "  +0.000s  checkout started\n"
                              "  +0.000s  reserve attempt 1                 |\n"
                              "  +0.012s  reserve DONE                      |\n"
                              "  +0.012s  charge attempt 1                  |\n"
                              "  +0.030s  charge REJECTED,                  |\n"
                              "           FAILED_PRECONDITION: card         |\n"
                              "           declined                          |\n"
                              "  +0.030s  TURNED BACK: action rejected at charge\n"
                              "  +0.031s                                    | reserve undo, attempt 1\n"
                              "  +0.040s                                    | reserve undo, attempt 1 failed,\n"
                              "                                             | UNAVAILABLE: the stock system is\n"
                              "                                             | away until somebody starts it\n"
                              "                                             | again; next in 1.5s\n"
                              "  +1.550s                                    | reserve undo FAILED, UNAVAILABLE\n"
                              "  +1.550s  STUCK: compensation failed at reserve\n"
                              "\n"
                              "steps\n"
                              "  STEP     ACTION         COMPENSATION   WAITS FOR\n"
                              "  reserve  DONE           FAILED (2)     an operator\n"
                              "           last failure: UNAVAILABLE: the stock system is away\n"
                              "  charge   REJECTED       NONE           \n"
                              "  ship     PENDING        NONE           \n"
                              "\n"
                              "what now\n"
                              "  Step reserve could not be undone: the attempts of its compensation are spent.\n"
                              "  The saga waits for one of these decisions:\n"
                              "    The cause is mended: try again.\n"
                              "      sagactl retry 9f03c1d2a4b7-2a reserve\n"
                              "    The step was done by hand: go on without it.\n"
                              "      sagactl skip 9f03c1d2a4b7-2a reserve --reason 'WHY'\n"
                              "    All that is still owed was settled outside: end the saga, for good.\n"
                              "      sagactl resolve 9f03c1d2a4b7-2a --reason 'WHAT WAS DONE'\n");
}
END_TEST

START_TEST(show__advice_asks_the_same_sidecar)
{
    make_stuck();
    show_saga(&screen, &answer, " --address here:1");
    ck_assert_ptr_nonnull(strstr(shown(), "  sagactl --address here:1 retry 9f03c1d2a4b7-2a reserve\n"));
}
END_TEST

/* Of a pivot of which nobody knows there is one decision more; of what a participant has answered for there is none. */
START_TEST(show__a_pivot_of_unknown_outcome_can_be_rejected)
{
    make_stuck();
    show_saga(&screen, &answer, "");
    ck_assert_ptr_null(strstr(shown(), "sagactl reject"));
    answer.saga->stuck_reason = SAGA__V1__REASON__REASON_PIVOT_UNKNOWN;
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "    It certainly did not happen: turn the saga back.\n"
                                          "      sagactl reject 9f03c1d2a4b7-2a reserve --reason 'HOW YOU KNOW'\n"));
}
END_TEST

START_TEST(show__every_stuck_step_is_named_once)
{
    make_stuck();
    add_step(TEXT("mail"), ACTION(DONE), UNDO(FAILED));
    show_saga(&screen, &answer, "");
    const char *first = strstr(shown(), "retry 9f03c1d2a4b7-2a reserve\n"),
               *second = strstr(shown(), "retry 9f03c1d2a4b7-2a mail\n");
    ck_assert(first != NULL && second != NULL && first < second);
    ck_assert_ptr_null(strstr(first + 1, "retry 9f03c1d2a4b7-2a reserve\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "skip 9f03c1d2a4b7-2a mail --reason"));
}
END_TEST

START_TEST(show__who_paused_it)
{
    make_stuck();
    saga.state = STATE(RUNNING);
    saga.paused = true;
    Saga__V1__Event *e = add_event(1600, EVENT(PAUSED), TEXT(""));
    e->actor = TEXT("bert@ops"); /* who did before, is not who does */
    e->message = TEXT("lunch");
    add_event(1700, EVENT(RESUMED), TEXT(""))->actor = TEXT("bert@ops");
    e = add_event(2000, EVENT(PAUSED), TEXT(""));
    e->actor = TEXT("anna@ops");
    e->message = TEXT("let me look");
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "RUNNING, paused\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "  paused     by anna@ops: let me look\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "  +2.000s  paused by anna@ops: let me look\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "      sagactl resume 9f03c1d2a4b7-2a\n"));
    ck_assert_ptr_null(strstr(shown(), "sagactl retry"));
}
END_TEST

START_TEST(show__a_wait_says_until_when)
{
    make_stuck();
    saga.state = STATE(COMPENSATING);
    saga.steps[0]->compensation = UNDO(STARTED);
    saga.steps[0]->waiting_for = TEXT("the time of its next attempt");
    saga.steps[0]->waits_until = at_ms(290000);
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "the time of its next attempt, until\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "2026-05-04 10:25:20 UTC, in 1m 30s\n"));
}
END_TEST

START_TEST(show__a_resolved_saga)
{
    make_stuck();
    saga.state = STATE(RESOLVED);
    saga.ended_at = at_ms(90500);
    saga.resolved_by = TEXT("anna@ops");
    saga.resolution = TEXT("counted by hand");
    Saga__V1__Event *e = add_event(90500, EVENT(ENDED), TEXT(""));
    e->state = STATE(RESOLVED);
    e->actor = saga.resolved_by;
    e->message = saga.resolution;
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "  resolved   by anna@ops: counted by hand\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "  ended      2026-05-04 10:22:00 UTC, after 1m 30s\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "  +1:30.5  RESOLVED by anna@ops: counted by hand\n"));
    ck_assert_ptr_null(strstr(shown(), "what now"));
    ck_assert_ptr_null(strstr(shown(), "deadline"));
}
END_TEST

/* Everything that a stranger can fill in, filled in badly. */
START_TEST(show__nothing_escapes)
{
    static char evil[] = "\033]0;owned\007\x9b"
                         "2J\xe2\x80\xae\n\r";
    static char long_evil[2000];
    memset(long_evil, '\033', sizeof long_evil - 1);
    make_stuck();
    for (int pass = 0; pass < 2; pass++) {
        char *bad = pass == 0 ? evil : long_evil;
        saga.id = saga.definition = saga.version = saga.reason_step = saga.stuck_step = saga.request_id = bad;
        saga.resolved_by = saga.resolution = saga.traceparent = bad;
        saga.input = steps[0].output = (ProtobufCBinaryData){.data = (uint8_t *)bad, .len = strlen(bad)};
        for (size_t i = 0; i < saga.n_steps; i++)
            steps[i].name = steps[i].waiting_for = steps[i].last_message = bad;
        for (size_t i = 0; i < answer.n_timeline; i++)
            events[i].step = events[i].message = events[i].actor = events[i].definition = events[i].saga_id = bad;
        saga.paused = true;
        for (unsigned utf8 = 0; utf8 < 2; utf8++) {
            screen.utf8 = utf8 == 1;
            show_saga(&screen, &answer, "");
            Saga__V1__Saga *list[] = {&saga};
            show_list(&screen, list, 1);
            show_dead_letters(&screen, list, 1);
            show_end(&screen, &saga);
            for (size_t i = 0; i < answer.n_timeline; i++)
                story_write_line(&screen, timeline[i], true);
        }
    }
    ck_assert_ptr_null(strpbrk(shown(), "\033\007\r\x9b"));
    ck_assert_ptr_null(strstr(shown(), "\xe2\x80\xae"));
}
END_TEST

START_TEST(show__numbers_from_a_newer_sidecar)
{
    make_stuck();
    saga.state = (Saga__V1__SagaState)77;
    saga.reason = (Saga__V1__Reason)77;
    steps[0].action = (Saga__V1__ActionState)77;
    steps[0].compensation = (Saga__V1__CompensationState)-1;
    events[0].type = (Saga__V1__EventType)77;
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "an event of type 77, which this sagactl does not know"));
    ck_assert_ptr_nonnull(strstr(shown(), "undone for ? at charge"));
}
END_TEST

START_TEST(show__payloads_as_text_or_digits)
{
    make_stuck();
    saga.input = (ProtobufCBinaryData){.data = (uint8_t *)TEXT("{\"sku\": 1}"), .len = 10};
    steps[0].output = (ProtobufCBinaryData){.data = (uint8_t *)TEXT("\x08\x96\x01"), .len = 3};
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "  input      \"{\"sku\": 1}\"\n"));
    ck_assert_ptr_nonnull(strstr(shown(), "output   3 bytes: 089601\n"));
    /* What is cut says so. */
    static uint8_t zeros[65];
    for (size_t size = 64; size <= 65; size++) {
        saga.input = (ProtobufCBinaryData){.data = zeros, .len = size};
        show_saga(&screen, &answer, "");
        ck_assert_int_eq(strstr(shown(), "...\n") != NULL, size == 65);
    }
}
END_TEST

START_TEST(show__lists_fit_80_columns)
{
    static char long_name[] = "a-definition-with-a-very-long-name-that-nobody-should-have-given-it-but-somebody-did";
    Saga__V1__Saga *list[] = {&saga, &saga};
    make_stuck();
    saga.id = TEXT("ffffffffffff-ffffffffffffffff");
    saga.definition = long_name;
    saga.stuck_step = long_name;
    show_list(&screen, list, 2);
    int lines = 0;
    for (char *line = strtok((char *)(uintptr_t)shown(), "\n"); line != NULL; line = strtok(NULL, "\n")) {
        ck_assert_msg(strlen(line) <= 80, "%s", line);
        lines++;
    }
    ck_assert_int_eq(lines, 3);
}
END_TEST

/* However long a name or a version is, the steps have room. */
START_TEST(show__definitions_fit_80_columns)
{
    static char name[] = "a-definition-with-a-very-long-name-that-nobody-should-have-given-it",
                version[] = "1.0.0-with-more-behind-it-than-any-version-has-a-need-of";
    char *names[] = {TEXT("reserve"), TEXT("charge")};
    Saga__V1__Definition d = SAGA__V1__DEFINITION__INIT, *list[] = {&d};
    d.name = name;
    d.version = version;
    d.steps = names;
    d.n_steps = 2;
    show_definitions(&screen, list, 1);
    ck_assert_str_eq(shown(), "NAME                        VERSION           REGISTERED  STEPS\n"
                              "a-definition-with-a-ver...  1.0.0-with-mo...  -           reserve, charge\n");
}
END_TEST

START_TEST(show__steps_fit_80_columns)
{
    make_stuck();
    saga.steps[2]->name = TEXT("tell-the-customer-what-has-been-done-and-what-has-not-and-why-that-is-so");
    show_saga(&screen, &answer, "");
    ck_assert_ptr_nonnull(strstr(shown(), "\n  tell-the-customer-what-...  PENDING        NONE           \n"));
}
END_TEST

START_TEST(show__a_row_of_a_list)
{
    Saga__V1__Saga *list[] = {&saga};
    make_stuck();
    saga.state = STATE(COMPENSATED);
    saga.ended_at = at_ms(1250);
    show_list(&screen, list, 1);
    ck_assert_str_eq(shown(), "SAGA             STATE         DEFINITION          AGE     TOOK  WHY\n"
                              "9f03c1d2a4b7-2a  COMPENSATED   checkout 1.0.0       3m     1.2s  action rejec...\n");
}
END_TEST

/* Of a stuck one why it is stuck, of others why they turned back. */
START_TEST(show__how_it_ended_in_a_line)
{
    make_stuck();
    show_end(&screen, &saga);
    saga.state = STATE(COMPENSATED);
    saga.ended_at = at_ms(1250);
    saga.reason_message = TEXT("card declined");
    show_end(&screen, &saga);
    ck_assert_str_eq(shown(), "9f03c1d2a4b7-2a STUCK: compensation failed at reserve\n"
                              "9f03c1d2a4b7-2a COMPENSATED after 1.2s: action rejected at charge: card declined\n");
}
END_TEST

/* All that is worth knowing of a saga at a glance, one behind the other. */
START_TEST(show__why_in_a_list)
{
    Saga__V1__Saga *list[] = {&saga};
    static const struct {
        bool synthetic, paused;
        unsigned skips;
        const char *why;
    } rows[] = {{false, false, 0, "3m        -\n"},
                {true, false, 0, "3m        -  synthetic\n"},
                {false, true, 0, "3m        -  paused\n"},
                {false, false, 2, "3m        -  2 skipped\n"},
                {true, true, 0, "3m        -  synthetic; paused\n"},
                {true, false, 1, "3m        -  synthetic; 1 skipped\n"},
                {false, true, 1, "3m        -  paused; 1 skipped\n"},
                {true, true, 3, "3m        -  synthetic; paused; 3 skipped\n"}};
    screen.width = 120;
    saga.state = STATE(RUNNING);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        saga.synthetic = rows[i].synthetic;
        saga.paused = rows[i].paused;
        saga.skips = rows[i].skips;
        show_list(&screen, list, 1);
        const char *text = shown();
        ck_assert_str_eq(text + strlen(text) - strlen(rows[i].why), rows[i].why);
    }
}
END_TEST

/* What a drill does to an attempt is told of it, whichever call it is. */
START_TEST(story__what_a_drill_does)
{
    static const char *const does[] = {"",
                                       ", drill: delayed",
                                       ", drill: aborted",
                                       ", drill: request dropped",
                                       ", drill: answer dropped",
                                       ", drill: sent twice",
                                       ", drill: out of order",
                                       ", drill"};
    Saga__V1__Event *e = add_event(2000, EVENT(ACTION_STARTED), TEXT("charge"));
    e->attempt = 3;
    for (int undo = 0; undo < 2; undo++)
        for (unsigned i = 0; i < sizeof does / sizeof does[0]; i++) {
            struct story_line line;
            char expected[64];
            e->type = undo ? EVENT(COMPENSATION_STARTED) : EVENT(ACTION_STARTED);
            e->fault = (Saga__V1__FaultKind)i;
            story_tell(&screen, e, &line);
            snprintf(expected, sizeof expected, "charge %sattempt 3%s", undo ? "undo, " : "", does[i]);
            ck_assert_str_eq(line.text, expected);
        }
}
END_TEST

/* Whoever said who he is, and whom the connection proved; the one that is known where it is one alone. */
START_TEST(story__by_whom)
{
    static const struct {
        const char *actor, *identity, *said;
    } whom[] = {{"anna", "uid:7", "paused by anna (uid:7)"},
                {"anna", "", "paused by anna"},
                {"", "uid:7", "paused by uid:7"},
                {"", "", "paused"}};
    Saga__V1__Event *e = add_event(2000, EVENT(PAUSED), TEXT(""));
    for (size_t i = 0; i < sizeof whom / sizeof whom[0]; i++) {
        struct story_line line;
        e->actor = TEXT(whom[i].actor);
        e->identity = TEXT(whom[i].identity);
        story_tell(&screen, e, &line);
        ck_assert_str_eq(line.text, whom[i].said);
    }
}
END_TEST

START_TEST(show__dead_letters)
{
    Saga__V1__Saga *list[] = {&saga};
    make_stuck();
    show_dead_letters(&screen, list, 1);
    ck_assert_str_eq(shown(), "9f03c1d2a4b7-2a  checkout 1.0.0, started 3m 20s ago\n"
                              "    compensation failed at reserve\n"
                              "    reserve: compensation FAILED after 2 attempts, UNAVAILABLE: the stock system\n"
                              "             is away\n");
    /* Of several that failed each is shown. */
    add_step(TEXT("mail"), ACTION(DONE), UNDO(FAILED))->compensation_attempts = 1;
    show_dead_letters(&screen, list, 1);
    ck_assert_ptr_nonnull(strstr(shown(), "\n    mail: compensation FAILED after 1 attempt\n"));
    /* And the one that it is stuck at, whatever that is; no other. */
    Saga__V1__Step *charge = add_step(TEXT("charge"), ACTION(UNKNOWN), UNDO(NONE));
    charge->action_attempts = 12;
    charge->last_status = 4;
    add_step(TEXT("send"), ACTION(PENDING), UNDO(NONE));
    saga.stuck_step = TEXT("charge");
    show_dead_letters(&screen, list, 1);
    ck_assert_ptr_nonnull(strstr(shown(), "\n    charge: action UNKNOWN after 12 attempts, DEADLINE_EXCEEDED\n"));
    ck_assert_ptr_null(strstr(shown(), "    send:"));
}
END_TEST

START_TEST(story__one_line_an_event)
{
    make_stuck();
    events[7].saga_id = TEXT("9f03c1d2a4b7-2a");
    story_write_line(&screen, timeline[7], true);
    story_write_line(&screen, timeline[2], false);
    ck_assert_str_eq(
        shown(), "10:20:30.040  9f03c1d2a4b7-2a  <- reserve undo, attempt 1 failed, UNAVAILABLE: the stock system is "
                 "away until somebody starts it again; next in 1.5s\n"
                 "10:20:30.012  -> reserve DONE\n");
    /* Nor is a time made up of one that is not known. */
    timeline[2]->at = NULL;
    story_write_line(&screen, timeline[2], false);
    ck_assert_ptr_nonnull(strstr(shown(), "\n--:--:--.000  -> reserve DONE\n"));
}
END_TEST

/* ---- JSON ---- */

static json_t *object_of(const ProtobufCMessage *message)
{
    json_t *object = json_of_message(message);
    ck_assert_ptr_nonnull(object);
    return object;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    ck_assert_msg(text != NULL, "%s", key);
    return text;
}

START_TEST(json__of_a_saga)
{
    make_stuck();
    saga.input = (ProtobufCBinaryData){.data = (uint8_t *)TEXT("\0\xff"
                                                               "A\n"),
                                       .len = 4};
    json_t *root = object_of(&answer.base), *object = json_object_get(root, "saga");
    ck_assert_str_eq(text_at(object, "id"), "9f03c1d2a4b7-2a");
    ck_assert_str_eq(text_at(object, "state"), "SAGA_STATE_STUCK");
    ck_assert_str_eq(text_at(object, "mode"), "SAGA_MODE_UNSPECIFIED");
    ck_assert_str_eq(text_at(object, "started_at"), "2026-05-04T10:20:30Z");
    ck_assert_str_eq(text_at(object, "input"), "AP9BCg==");
    ck_assert(json_is_false(json_object_get(object, "paused")));
    ck_assert_ptr_null(json_object_get(object, "ended_at"));
    ck_assert_uint_eq(json_array_size(json_object_get(object, "steps")), 3);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "timeline")), 10);
    json_t *event = json_array_get(json_object_get(root, "timeline"), 7);
    ck_assert_str_eq(text_at(event, "next_attempt_at"), "2026-05-04T10:20:31.540Z");
    ck_assert_int_eq(json_integer_value(json_object_get(event, "status")), 14);
    json_decref(root);
}
END_TEST

START_TEST(json__bytes_are_base64)
{
    static const char *const texts[] = {"", "/w==", "//8=", "////", "////AA=="};
    uint8_t bytes[] = {255, 255, 255, 0};
    for (size_t size = 0; size < 5; size++) {
        saga.input = (ProtobufCBinaryData){.data = bytes, .len = size};
        json_t *object = object_of(&saga.base);
        ck_assert_str_eq(text_at(object, "input"), texts[size]);
        json_decref(object);
    }
}
END_TEST

START_TEST(json__fractions_have_as_many_digits_as_they_need)
{
    static const struct {
        int32_t nanos;
        const char *text;
    } cases[] = {{0, "2026-05-04T10:20:30Z"},
                 {1000000, "2026-05-04T10:20:30.001Z"},
                 {120000, "2026-05-04T10:20:30.000120Z"},
                 {1, "2026-05-04T10:20:30.000000001Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        saga.started_at->nanos = cases[i].nanos;
        json_t *object = object_of(&saga.base);
        ck_assert_str_eq(text_at(object, "started_at"), cases[i].text);
        json_decref(object);
    }
    saga.started_at->nanos = -1;
    json_t *object = object_of(&saga.base);
    ck_assert(json_is_null(json_object_get(object, "started_at")));
    json_decref(object);
}
END_TEST

START_TEST(json__durations)
{
    Saga__V1__KeepAliveResponse message = SAGA__V1__KEEP_ALIVE_RESPONSE__INIT;
    Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
    message.lease = &lease;
    lease.seconds = 1;
    lease.nanos = 500000000;
    json_t *object = object_of(&message.base);
    ck_assert_str_eq(text_at(object, "lease"), "1.500s");
    json_decref(object);
    lease.seconds = 0;
    lease.nanos = -1;
    object = object_of(&message.base);
    ck_assert_str_eq(text_at(object, "lease"), "-0.000000001s");
    json_decref(object);
    lease.seconds = -3;
    lease.nanos = -999999999;
    object = object_of(&message.base);
    ck_assert_str_eq(text_at(object, "lease"), "-3.999999999s");
    json_decref(object);
    /* What is none is not made one. */
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } bad[] = {{0, 1000000000}, {0, -1000000000}, {0, INT32_MIN}, {INT64_MIN, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lease.seconds = bad[i].seconds;
        lease.nanos = bad[i].nanos;
        object = object_of(&message.base);
        ck_assert(json_is_null(json_object_get(object, "lease")));
        json_decref(object);
    }
}
END_TEST

/* A number that may be missing is a number where it is there. */
START_TEST(json__of_a_number_that_may_be_missing)
{
    Saga__V1__RetryPolicy policy = SAGA__V1__RETRY_POLICY__INIT;
    Google__Protobuf__DoubleValue jitter = GOOGLE__PROTOBUF__DOUBLE_VALUE__INIT;
    for (int there = 0; there < 2; there++) {
        jitter.value = 0.25;
        policy.jitter = there ? &jitter : NULL;
        json_t *object = object_of(&policy.base), *value = json_object_get(object, "jitter");
        ck_assert_int_eq(value != NULL, there);
        ck_assert_int_eq(json_is_real(value), there);
        ck_assert(!there || (json_real_value(value) > 0.24 && json_real_value(value) < 0.26));
        json_decref(object);
    }
}
END_TEST

START_TEST(json__is_ascii_whatever_is_in_it)
{
    saga.definition = TEXT("5 \xe2\x82\xac \033[2J \xff\xe2\x82 end");
    json_t *object = object_of(&saga.base);
    ck_assert_str_eq(text_at(object, "definition"), "5 \xe2\x82\xac \033[2J \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd end");
    ck_assert_int_eq(json_put(screen.out, object, true), 0);
    const char *text = shown();
    for (const char *c = text; *c != '\0'; c++)
        ck_assert((*c >= 0x20 && *c < 0x7f) || (*c == '\n' && c[1] == '\0'));
    json_t *again = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(again);
    json_decref(again);
}
END_TEST

/* What is no text is marked, byte by byte; what is one stays, however wide. */
START_TEST(json__mends_what_is_no_utf8)
{
    saga.definition = TEXT("\xff\xf0\x9f\x99\x82\xe2\x82\xac\xc3\xbc\xf0\x9f");
    json_t *object = object_of(&saga.base);
    ck_assert_str_eq(text_at(object, "definition"),
                     "\xef\xbf\xbd\xf0\x9f\x99\x82\xe2\x82\xac\xc3\xbc\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(object);
}
END_TEST

START_TEST(json__an_unknown_enum_is_its_number)
{
    saga.state = (Saga__V1__SagaState)77;
    json_t *object = object_of(&saga.base);
    ck_assert_int_eq(json_integer_value(json_object_get(object, "state")), 77);
    json_decref(object);
}
END_TEST

START_TEST(json__of_an_error)
{
    struct saga_error error;
    saga_error_set(&error, SAGA_E_RESOURCE_EXHAUSTED, "LIVE_SAGAS_MAX", "", "too many");
    error.retry_delay_ms = 250;
    ck_assert_int_eq(json_put(screen.out, json_of_error(&error), true), 0);
    ck_assert_str_eq(shown(),
                     "{\"error\":{\"code\":\"RESOURCE_EXHAUSTED\",\"reason\":\"LIVE_SAGAS_MAX\",\"field\":\"\","
                     "\"message\":\"too many\",\"retry_delay_ms\":250}}\n");
}
END_TEST

#define BIT(name) (UINT32_C(1) << SAGA__V1__SAGA_STATE__SAGA_STATE_##name)

static uint32_t states_of(const char *text)
{
    const char *wrong = NULL;
    size_t size = 0;
    uint32_t states = words_states(text, &wrong, &size);
    ck_assert_msg(states != 0, "%s: %.*s", text, (int)size, wrong);
    return states;
}

START_TEST(words__states_by_name)
{
    const char *wrong;
    size_t size;
    ck_assert_uint_eq(states_of("running"), BIT(RUNNING));
    ck_assert_uint_eq(states_of("COMMITTED"), BIT(COMMITTED));
    ck_assert_uint_eq(states_of("compensating"), BIT(COMPENSATING));
    ck_assert_uint_eq(states_of("compensated"), BIT(COMPENSATED));
    ck_assert_uint_eq(states_of("stuck"), BIT(STUCK));
    ck_assert_uint_eq(states_of("resolved"), BIT(RESOLVED));
    ck_assert_uint_eq(states_of("paused"), WORDS_PAUSED);
    ck_assert_uint_eq(states_of("live"), BIT(RUNNING) | BIT(COMPENSATING) | BIT(STUCK));
    ck_assert_uint_eq(states_of("ended"), BIT(COMMITTED) | BIT(COMPENSATED) | BIT(RESOLVED));
    ck_assert_uint_eq(states_of("stuck,Resolved"), BIT(STUCK) | BIT(RESOLVED));
    ck_assert_uint_eq(words_states("stuck,run,ended", &wrong, &size), 0);
    ck_assert_uint_eq(size, 3);
    ck_assert_int_eq(strncmp(wrong, "run,", 4), 0);
    ck_assert_uint_eq(words_states("stuck,", &wrong, &size), 0);
    ck_assert_uint_eq(words_states("", &wrong, &size), 0);
    ck_assert_str_eq(words_state_nearest("stuk", 4), "stuck");
}
END_TEST

/* Each state in its word and its colour, as they are numbered. */
START_TEST(words__of_every_state)
{
    static const char *const sagas[] = {"?",           "RUNNING", "COMMITTED", "COMPENSATING",
                                        "COMPENSATED", "STUCK",   "RESOLVED",  "?"};
    static const char *const did[] = {"?", "PENDING", "STARTED", "DONE", "REJECTED", "UNKNOWN", "SKIPPED", "?"};
    static const char *const undid[] = {"?", "NONE", "OWED", "STARTED", "DONE", "FAILED", "SKIPPED", "?"};
    for (int i = 0; i < 8; i++) {
        ck_assert_str_eq(words_saga_state((Saga__V1__SagaState)i), sagas[i]);
        ck_assert_str_eq(words_action((Saga__V1__ActionState)i), did[i]);
        ck_assert_str_eq(words_compensation((Saga__V1__CompensationState)i), undid[i]);
    }
    ck_assert_int_eq(words_saga_paint(SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK), PAINT_BAD);
    ck_assert_int_eq(words_saga_paint(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED), PAINT_GOOD);
    ck_assert_str_eq(words_reason(SAGA__V1__REASON__REASON_DEADLINE), "deadline passed");
    ck_assert_str_eq(words_reason(SAGA__V1__REASON__REASON_CANCELLED), "cancelled");
    ck_assert_str_eq(words_reason(SAGA__V1__REASON__REASON_UNREACHABLE), "target unreachable");
    ck_assert_str_eq(words_reason(SAGA__V1__REASON__REASON_UNAVAILABLE), "target unavailable");
    ck_assert_str_eq(words_reason((Saga__V1__Reason)17), "?");
    /* Why it cannot go on is told of each reason that a saga can be stuck for, each in words of its own. */
    static const Saga__V1__Reason stuck[] = {REASON(COMPENSATION_FAILED), REASON(FORWARD_FAILED), REASON(PIVOT_UNKNOWN),
                                             REASON(EXPRESSION_FAILED), REASON(REQUEST_CHANGED)};
    static const char *const words[] = {"could not be undone: the attempts", "cannot be carried out",
                                        "is the pivot and may", "could not be undone: what",
                                        "would now be sent another request"};
    for (size_t i = 0; i < sizeof stuck / sizeof stuck[0]; i++)
        ck_assert_int_eq(strncmp(words_stuck(stuck[i]), words[i], strlen(words[i])), 0);
    ck_assert_str_eq(words_stuck(REASON(UNSPECIFIED)), "cannot go on.");
    ck_assert_str_eq(words_reason((Saga__V1__Reason)-1), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_show");
    TCase *tests = tcase_create("show");
    tcase_add_checked_fixture(tests, open_screen, close_screen);
    tcase_add_test(tests, show__what_an_operator_sees);
    tcase_add_test(tests, show__advice_asks_the_same_sidecar);
    tcase_add_test(tests, show__a_pivot_of_unknown_outcome_can_be_rejected);
    tcase_add_test(tests, show__every_stuck_step_is_named_once);
    tcase_add_test(tests, show__who_paused_it);
    tcase_add_test(tests, show__a_wait_says_until_when);
    tcase_add_test(tests, show__a_resolved_saga);
    tcase_add_test(tests, show__nothing_escapes);
    tcase_add_test(tests, show__numbers_from_a_newer_sidecar);
    tcase_add_test(tests, show__payloads_as_text_or_digits);
    tcase_add_test(tests, show__lists_fit_80_columns);
    tcase_add_test(tests, show__definitions_fit_80_columns);
    tcase_add_test(tests, show__steps_fit_80_columns);
    tcase_add_test(tests, show__a_row_of_a_list);
    tcase_add_test(tests, show__how_it_ended_in_a_line);
    tcase_add_test(tests, story__by_whom);
    tcase_add_test(tests, story__what_a_drill_does);
    tcase_add_test(tests, show__why_in_a_list);
    tcase_add_test(tests, show__dead_letters);
    tcase_add_test(tests, story__one_line_an_event);
    tcase_add_test(tests, json__of_a_saga);
    tcase_add_test(tests, json__bytes_are_base64);
    tcase_add_test(tests, json__fractions_have_as_many_digits_as_they_need);
    tcase_add_test(tests, json__durations);
    tcase_add_test(tests, json__of_a_number_that_may_be_missing);
    tcase_add_test(tests, json__is_ascii_whatever_is_in_it);
    tcase_add_test(tests, json__mends_what_is_no_utf8);
    tcase_add_test(tests, json__an_unknown_enum_is_its_number);
    tcase_add_test(tests, json__of_an_error);
    tcase_add_test(tests, words__states_by_name);
    tcase_add_test(tests, words__of_every_state);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
