/* What sagactl does on a terminal alone: it says more, paints, clears the screen, and lets nothing of strangers through as it is. Whatever it writes to is one here. */
#include "tests/support/no_pause.h"
#include "tests/support/told_sidecar.h"

/* Of the file that sagactl writes to, whichever it is. */
int __wrap_isatty(int fd);
int __wrap_isatty(int fd)
{
    return fd >= 0;
}

/* As sagactl(), on a terminal or on none. */
static int sagactl_on(bool terminal, const char *words)
{
    char *memory = NULL;
    size_t size = 0;
    FILE *out = terminal ? tmpfile() : open_memstream(&memory, &size);
    ck_assert_ptr_nonnull(out);
    no_pause_count = 0;
    no_pause_ns = 0;
    int status = sagactl_into(out, words);
    free(said);
    if (terminal) {
        size = (size_t)ftell(out);
        rewind(out);
        said = calloc(1, size + 1);
        ck_assert_ptr_nonnull(said);
        ck_assert_uint_eq(fread(said, 1, size, out), size);
        fclose(out);
    } else {
        fclose(out);
        said = memory;
    }
    return status;
}

static void setup_plain(void)
{
    setup();
    setenv("NO_COLOR", "1", 1);
}

/* A terminal is painted unless somebody does not want it; nothing else is. */
START_TEST(terminal__is_painted_unless_it_is_not_wanted)
{
    static const struct {
        bool terminal;
        const char *no_color, *term, *words;
        bool painted;
    } cases[] = {{true, NULL, "xterm", "rules", true},
                 {true, "", "xterm", "rules", true},
                 {true, "1", "xterm", "rules", false},
                 {true, NULL, "dumb", "rules", false},
                 {true, NULL, NULL, "rules", false},
                 {true, NULL, "xterm", "rules --color never", false},
                 {true, "1", "dumb", "rules --color always", true},
                 {false, NULL, "xterm", "rules", false},
                 {false, NULL, "xterm", "rules --color always", true}};
    Saga__V1__ListRulesResponse answer = SAGA__V1__LIST_RULES_RESPONSE__INIT;
    Saga__V1__Rule rule = SAGA__V1__RULE__INIT, *rules[] = {&rule};
    rule.name = text("close");
    answer.rules = rules;
    answer.n_rules = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].no_color == NULL)
            unsetenv("NO_COLOR");
        else
            setenv("NO_COLOR", cases[i].no_color, 1);
        if (cases[i].term == NULL)
            unsetenv("TERM");
        else
            setenv("TERM", cases[i].term, 1);
        anew();
        tell("ListRules", &answer.base);
        ck_assert_msg(sagactl_on(cases[i].terminal, cases[i].words) == EXIT_DONE, "%s", complained);
        ck_assert_msg((strstr(said, "\033[") != NULL) == cases[i].painted, "%zu: %s", i, said);
    }
}
END_TEST

/* Who looks is told that it is no new one; whoever reads the id alone is not. */
START_TEST(terminal__is_told_that_a_saga_was_started_before)
{
    Saga__V1__StartResponse answer = SAGA__V1__START_RESPONSE__INIT;
    answer.saga_id = text("9f03c1d2a4b7-2a");
    for (int already = 0; already < 2; already++)
        for (int terminal = 0; terminal < 2; terminal++) {
            answer.already_started = already;
            anew();
            tell("Start", &answer.base);
            ck_assert_int_eq(sagactl_on(terminal, "start order -r id"), EXIT_DONE);
            ck_assert_str_eq(said, already && terminal ? "9f03c1d2a4b7-2a (started before with this request id)\n"
                                                       : "9f03c1d2a4b7-2a\n");
        }
}
END_TEST

/* However long its lines are a definition is shown whole, and what would steer the terminal is shown as what it is. */
START_TEST(terminal__shows_a_definition_whole)
{
    static const size_t lengths[] = {0, 1, 1022, 1023, 1024, 2046, 2047, 5000};
    static char source[5100], expected[5100];
    Saga__V1__Definition answer = SAGA__V1__DEFINITION__INIT;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (int ended = 0; ended < 2; ended++) {
            memset(source, 'x', lengths[i]);
            snprintf(source + lengths[i], sizeof source - lengths[i], "\n  y: z%s", ended ? "\n" : "");
            answer.source.data = (uint8_t *)source;
            answer.source.len = strlen(source);
            anew();
            tell("GetDefinition", &answer.base);
            ck_assert_int_eq(sagactl_on(true, "definitions order"), EXIT_DONE);
            ck_assert_str_eq(said, source);
        }
    answer.source.len = (size_t)snprintf(source, sizeof source, "a: \033[2J\n\tb: \x7f\r\n");
    snprintf(expected, sizeof expected, "a: \\x1b[2J\n\\tb: \\x7f\\r\n");
    anew();
    tell("GetDefinition", &answer.base);
    ck_assert_int_eq(sagactl_on(true, "definitions order"), EXIT_DONE);
    ck_assert_str_eq(said, expected);
}
END_TEST

/* ---- what is looked at again and again ---- */

static void bulk_job(Saga__V1__BulkJob *job, Google__Protobuf__Timestamp *at, Saga__V1__BulkState state, unsigned done)
{
    saga__v1__bulk_job__init(job);
    google__protobuf__timestamp__init(at);
    at->seconds = 1700000000;
    job->id = text("retry-1");
    job->act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
    job->actor = text("ann");
    job->where = text("true");
    job->per_second = 50;
    job->started_at = at;
    job->ended_at = state == SAGA__V1__BULK_STATE__BULK_STATE_DONE ? at : NULL;
    job->state = state;
    job->examined = 2 * done;
    job->acted = done;
    job->refused = done;
}

#define COUNTED "\r2 looked at, 1 done, 1 refused \r4 looked at, 2 done, 2 refused \n"

/* A job is looked at once a second: a person sees it count, in one line; others hear how it ended. */
START_TEST(terminal__counts_a_job_that_is_waited_for)
{
    static const struct {
        bool terminal, json;
        const char *words;
    } cases[] = {{true, false, "bulk retry-1 --wait"},
                 {true, true, "bulk retry-1 --wait -o json"},
                 {false, false, "bulk retry-1 --wait"},
                 {true, false, "bulk retry-1 --wait --timeout 60m"}};
    Google__Protobuf__Timestamp at;
    Saga__V1__ListBulksResponse answers[3];
    Saga__V1__BulkJob jobs[3], *lists[3];
    for (unsigned i = 0; i < 3; i++) {
        saga__v1__list_bulks_response__init(&answers[i]);
        bulk_job(&jobs[i], &at,
                 i < 2 ? SAGA__V1__BULK_STATE__BULK_STATE_RUNNING : SAGA__V1__BULK_STATE__BULK_STATE_DONE, i + 1);
        lists[i] = &jobs[i];
        answers[i].jobs = &lists[i];
        answers[i].n_jobs = 1;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        for (int k = 0; k < 3; k++)
            tell("ListBulks", &answers[k].base);
        ck_assert_msg(sagactl_on(cases[i].terminal, cases[i].words) == EXIT_DONE, "%s", complained);
        ck_assert_uint_eq(no_pause_count, 2);
        ck_assert_int_eq(no_pause_ns, INT64_C(2000000000));
        const char *rest = said;
        if (cases[i].terminal && !cases[i].json) {
            ck_assert_msg(strncmp(said, COUNTED, strlen(COUNTED)) == 0, "%s", said);
            rest += strlen(COUNTED);
        }
        if (cases[i].json) {
            json_t *only = json_loads(rest, 0, NULL); /* of several looks there would be several documents */
            ck_assert_msg(only != NULL, "%s", rest);
            json_decref(only);
        } else
            ck_assert_str_eq(rest, "retry-1  retry  DONE, by ann, took 0ms\n    where true\n"
                                   "    6 looked at, 3 done, 3 refused; at most 50 a second\n");
    }
}
END_TEST

/* One that has ended is told of at once, with no line before it. */
START_TEST(terminal__waits_for_no_job_that_has_ended)
{
    Google__Protobuf__Timestamp at;
    Saga__V1__ListBulksResponse answer = SAGA__V1__LIST_BULKS_RESPONSE__INIT;
    Saga__V1__BulkJob job, *list[] = {&job};
    bulk_job(&job, &at, SAGA__V1__BULK_STATE__BULK_STATE_DONE, 1);
    answer.jobs = list;
    answer.n_jobs = 1;
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl_on(true, "bulk retry-1 --wait"), EXIT_DONE);
    ck_assert_int_eq(strncmp(said, "retry-1  retry  DONE", 20), 0);
    ck_assert_uint_eq(no_pause_count, 0);
}
END_TEST

/* The screen is cleared before each look but that of --once; elsewhere a line parts them. Rates are of a second at first, and of two from then on. */
START_TEST(terminal__is_cleared_before_each_look)
{
    static const struct {
        bool terminal;
        const char *words;
        int64_t pauses_ns;
        bool clears, parts;
    } cases[] = {{true, "top --once", INT64_C(1000000000), false, false},
                 {false, "top --once", INT64_C(1000000000), false, false},
                 {true, "top", INT64_C(5000000000), true, false},
                 {false, "top", INT64_C(5000000000), false, true}};
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT, *loops[] = {&loop};
    loop.version = text("1.2.3");
    answer.loops = loops;
    answer.n_loops = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool once = strstr(cases[i].words, "--once") != NULL;
        static const char clear[] = "\033[H\033[J";
        anew();
        for (int k = 0; k < (once ? 2 : 3); k++)
            tell("Status", &answer.base);
        if (!once) { /* or it would never end */
            tell("Status", NULL);
            told[3].code = SAGA_E_PERMISSION_DENIED;
        }
        ck_assert_int_eq(sagactl_on(cases[i].terminal, cases[i].words), once ? EXIT_DONE : EXIT_REFUSED);
        ck_assert_int_eq(no_pause_ns, cases[i].pauses_ns);
        const char *first = strstr(said, clear);
        ck_assert_msg((first == said) == cases[i].clears, "%s", said);
        ck_assert_msg((first != NULL && strstr(first + 1, clear) != NULL) == cases[i].clears, "%s", said);
        ck_assert_msg(cases[i].clears || first == NULL, "%s", said);
        bool blank = strlen(said) > 2 && strcmp(said + strlen(said) - 2, "\n\n") == 0;
        ck_assert_msg(blank == cases[i].parts, "%s", said);
        ck_assert_msg((strstr(said, "failed\n\nunix:here.sock  sagad 1.2.3") != NULL) == cases[i].parts, "%s", said);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_terminal");
    TCase *tc = tcase_create("terminal");
    tcase_add_checked_fixture(tc, setup_plain, teardown);
    tcase_add_test(tc, terminal__is_painted_unless_it_is_not_wanted);
    tcase_add_test(tc, terminal__is_told_that_a_saga_was_started_before);
    tcase_add_test(tc, terminal__shows_a_definition_whole);
    tcase_add_test(tc, terminal__counts_a_job_that_is_waited_for);
    tcase_add_test(tc, terminal__waits_for_no_job_that_has_ended);
    tcase_add_test(tc, terminal__is_cleared_before_each_look);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
