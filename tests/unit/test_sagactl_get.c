/* sagactl get as a whole: whatever a saga has is shown, under its own name, once. */
#include "tests/support/told_sidecar.h"

#define ID "9f03c1d2a4b7-2a"

static Google__Protobuf__Timestamp times[16];
static unsigned time_count;

static Google__Protobuf__Timestamp *at(int64_t seconds)
{
    Google__Protobuf__Timestamp *t = &times[time_count++];
    google__protobuf__timestamp__init(t);
    t->seconds = 1700000000 + seconds;
    return t;
}

static ProtobufCBinaryData bytes(const char *content)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)content, .len = strlen(content)};
}

static Saga__V1__GetResponse answer;
static Saga__V1__Saga saga;
static Saga__V1__Tag tags[2], *tag_list[] = {&tags[0], &tags[1]};
static Saga__V1__Lack lacks[2], *lack_list[] = {&lacks[0], &lacks[1]};
static Saga__V1__Event paused, *timeline[] = {&paused};

/* A saga that has all that one may have. */
static void get_setup(void)
{
    setup();
    time_count = 0;
    saga__v1__get_response__init(&answer);
    saga__v1__saga__init(&saga);
    saga__v1__event__init(&paused);
    for (int i = 0; i < 2; i++) {
        saga__v1__tag__init(&tags[i]);
        saga__v1__lack__init(&lacks[i]);
        tags[i].name = text(i == 0 ? "tenant" : "region");
        tags[i].value = text(i == 0 ? "acme" : "eu");
        lacks[i].step = text(i == 0 ? "rate" : "mail");
        lacks[i].kind = i == 0 ? SAGA__V1__LACK_KIND__LACK_KIND_STALE : SAGA__V1__LACK_KIND__LACK_KIND_FALLBACK;
        lacks[i].as_of = at(10 * i);
    }
    saga.id = text(ID);
    saga.definition = text("order");
    saga.version = text("1.0.0");
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ORCHESTRATED;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    saga.reason = SAGA__V1__REASON__REASON_ACTION_REJECTED;
    saga.reason_step = text("charge");
    saga.reason_message = text("card declined");
    saga.stuck_reason = SAGA__V1__REASON__REASON_COMPENSATION_FAILED;
    saga.stuck_step = text("reserve");
    saga.synthetic = saga.answered = saga.paused = true;
    saga.skips = 2;
    saga.lacks = lack_list;
    saga.n_lacks = 2;
    saga.started_at = at(0);
    saga.deadline = at(60);
    saga.resolved_by = text("ann");
    saga.resolution = text("by hand");
    saga.request_id = text("order-17");
    saga.traceparent = text("00-a-b-01");
    saga.tags = tag_list;
    saga.n_tags = 2;
    saga.input = bytes("what came");
    saga.output = bytes("what went");
    paused.type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_PAUSED;
    paused.at = at(5);
    paused.actor = text("bob");
    paused.message = text("for now");
    answer.saga = &saga;
    answer.timeline = timeline;
    answer.n_timeline = 1;
}

START_TEST(get__shows_all_that_there_is)
{
    static const char *const lines[] = {
        ID "  order 1.0.0  STUCK, a heartbeat (synthetic), 2 skipped by an operator, answered, paused\n",
        "  undone for action rejected at charge\n",
        "  stuck for  compensation failed at reserve\n",
        "  which said card declined\n",
        "  degraded   rate: stale since 2023-11-14 22:13:20 UTC; mail: fallback since 2023-11-14 22:13:30 UTC\n",
        "  started    2023-11-14 22:13:20 UTC, ",
        "  deadline   2023-11-14 22:14:20 UTC, passed ",
        "  paused     by bob: for now\n",
        "  resolved   by ann: by hand\n",
        "  request id order-17\n",
        "  trace      00-a-b-01\n",
        "  tag        tenant=acme\n  tag        region=eu\n",
        "  input      \"what came\"\n",
        "  output     \"what went\"\n"};
    tell("Get", &answer.base);
    ck_assert_int_eq(sagactl("get " ID " --utc"), EXIT_DONE);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *there = strstr(said, lines[i]);
        ck_assert_msg(there != NULL && strstr(there + 1, lines[i]) == NULL, "%s is not once in %s", lines[i], said);
    }
}
END_TEST

/* With all that this one was told of its sidecar, each in a word for a shell. */
START_TEST(get__proposes_commands_to_the_same_sidecar)
{
#define OF_IT \
    "--address there:1 --tls-certificate c.pem --tls-key '$k.pem' --tls-roots r.pem --tls-identity spiffe://a/b"
    static const char of_it[] =
        "--address there:1 --tls-certificate c.pem --tls-key $k.pem --tls-roots r.pem --tls-identity spiffe://a/b";
    static const struct {
        const char *command, *proposes;
    } cases[] = {{"get " ID, "\n      sagactl " OF_IT " resume " ID "\n"},
                 {"get " ID, "\n      sagactl " OF_IT " skip " ID " reserve --reason 'WHY'\n"},
                 {"why " ID, "\n      sagactl " OF_IT " resume " ID "\n"}};
    Saga__V1__Step reserve = SAGA__V1__STEP__INIT, *steps[] = {&reserve};
    reserve.name = text("reserve");
    saga.steps = steps;
    saga.n_steps = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[512];
        snprintf(words, sizeof words, "%s %s", cases[i].command, of_it);
        anew();
        tell("Get", &answer.base);
        if (cases[i].command[0] == 'w') {
            tell("Status", NULL);
            told[1].code = SAGA_E_PERMISSION_DENIED;
        }
        sagactl(words);
        ck_assert_msg(strstr(said, cases[i].proposes) != NULL, "%s: %s is not in %s", words, cases[i].proposes, said);
    }
    anew();
    tell("Get", &answer.base);
    ck_assert_int_eq(sagactl("get " ID " --address unix:/my\033[2J\tsocket"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "\n      sagactl --address 'unix:/my"));
    ck_assert_ptr_null(strpbrk(said, "\033\t"));
}
END_TEST

/* Typed payloads are shown as they read, each its own. */
START_TEST(get__shows_payloads_as_json)
{
    saga.input_json = text("{\"in\":1}");
    saga.output_json = text("{\"out\":2}");
    tell("Get", &answer.base);
    ck_assert_int_eq(sagactl("get " ID " -p"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "  input      {\"in\":1}\n"));
    ck_assert_ptr_nonnull(strstr(said, "  output     {\"out\":2}\n"));
    ck_assert_ptr_null(strstr(said, "what came"));
}
END_TEST

/* What a saga has not is not shown. */
START_TEST(get__shows_nothing_that_there_is_not)
{
    static const char *const names[] = {"undone for", "stuck for", "which said", "degraded",  "ended",  "deadline",
                                        "paused",     "resolved",  "request",    "trace",     "tag ",   "input ",
                                        "output ",    "answered",  "skipped",    "heartbeat", "UNDONE", "STEP"};
    saga__v1__saga__init(&saga);
    saga.id = text(ID);
    saga.definition = text("by-hand");
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED;
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    answer.n_timeline = 0;
    tell("Get", &answer.base);
    ck_assert_int_eq(sagactl("get " ID), EXIT_DONE);
    static const char head[] = ID "  by-hand (enlisted)  RUNNING\n  started    -\n";
    ck_assert_msg(strncmp(said, head, sizeof head - 1) == 0, "%s", said);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_msg(strstr(said, names[i]) == NULL, "%s", said);
}
END_TEST

/* One that has ended has no deadline any more, and says how long it took. */
START_TEST(get__says_when_it_has_ended)
{
    static const Saga__V1__SagaState states[] = {SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED,
                                                 SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED,
                                                 SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED};
    saga.ended_at = at(90);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        saga.state = states[i];
        anew();
        tell("Get", &answer.base);
        ck_assert_int_eq(sagactl("get " ID " --utc"), EXIT_DONE);
        ck_assert_ptr_nonnull(strstr(said, "  ended      2023-11-14 22:14:50 UTC, after 1m 30s\n"));
        ck_assert_ptr_null(strstr(said, "deadline"));
        ck_assert_ptr_null(strstr(said, "stuck for"));
    }
}
END_TEST

/* What happened is told as it was: whose word it was, what stood in for an answer, what was waited for. */
START_TEST(get__tells_what_happened)
{
    Saga__V1__Event events[4], *all[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__event__init(&events[i]);
        all[i] = &events[i];
        events[i].at = at(60 + i);
        events[i].step = text("charge");
    }
    events[0].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_UNREACHED;
    events[1].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_UNREACHED;
    events[1].next_attempt_at = at(90);
    events[2].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_ENDED;
    events[2].action = SAGA__V1__ACTION_STATE__ACTION_STATE_DONE;
    events[2].as_of = at(2);
    events[3].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_REJECTED;
    events[3].actor = text("ann");
    answer.timeline = all;
    answer.n_timeline = 4;
    setenv("COLUMNS", "200", 1);
    tell("Get", &answer.base);
    ck_assert_int_eq(sagactl("get " ID), EXIT_DONE);
    static const char *const lines[] = {"charge waits for its target\n", "charge had not begun, and comes again\n",
                                        "charge DONE, by the last good answer, 1m old ",
                                        "charge did not happen by ann\n"};
    const char *from = said;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *there = strstr(from, lines[i]);
        ck_assert_msg(there != NULL, "%s is not next in %s", lines[i], from);
        from = there;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_get");
    TCase *tc = tcase_create("get");
    tcase_add_checked_fixture(tc, get_setup, teardown);
    tcase_add_test(tc, get__shows_all_that_there_is);
    tcase_add_test(tc, get__proposes_commands_to_the_same_sidecar);
    tcase_add_test(tc, get__shows_payloads_as_json);
    tcase_add_test(tc, get__shows_nothing_that_there_is_not);
    tcase_add_test(tc, get__says_when_it_has_ended);
    tcase_add_test(tc, get__tells_what_happened);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
