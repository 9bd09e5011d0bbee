/* The pages for those who watch: what one loop of several is short of shows on them, and how old their numbers are. The loops are made up. */
#include "sidecar/observe/http.h"

#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOPS 3

static struct panel *panel;
static struct http *http;
static int port;
static struct vitals vitals[LOOPS], *watched[LOOPS];
static uint32_t reasons[LOOPS];
static bool silent[LOOPS];
static char page[1 << 20];

/* As a loop does, but at once; or not at all. */
static void wake(void *self)
{
    struct vitals *v = self;
    size_t k = (size_t)(v - vitals);
    if (!silent[k] && vitals_are_wanted(v))
        vitals_tell(v, reasons[k]);
}

static void setup(void)
{
    struct error_detail detail;
    memset(vitals, 0, sizeof vitals);
    memset(reasons, 0, sizeof reasons);
    memset(silent, 0, sizeof silent);
    for (size_t k = 0; k < LOOPS; k++) {
        ck_assert_int_eq(metrics_create(100, &vitals[k].metrics), 0);
        vitals[k].wake = wake;
        vitals[k].self = &vitals[k];
        watched[k] = &vitals[k];
    }
    ck_assert_int_eq(panel_create("1.2.3", &panel), 0);
    ck_assert_msg(http_open("127.0.0.1:0", panel, &http, &port, &detail) == 0, "%s", detail.text);
}

static void teardown(void)
{
    http_close(http);
    panel_destroy(panel);
    for (size_t k = 0; k < LOOPS; k++)
        metrics_destroy(vitals[k].metrics);
}

/* Returns the status; the whole answer is in page. */
static int ask_for(const char *method, const char *path, const char *accept)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    char request[256];
    size_t used = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
    int size = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nConnection: close\r\n\r\n",
                        method, path, accept);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(send(fd, request, (size_t)size, 0), size);
    for (ssize_t got; (got = recv(fd, page + used, sizeof page - 1 - used, 0)) > 0;)
        used += (size_t)got;
    page[used] = '\0';
    close(fd);
    ck_assert_msg(sscanf(page, "HTTP/1.1 %d", &status) == 1, "%s", page);
    return status;
}

static int ask(const char *method, const char *path)
{
    return ask_for(method, path, "*/*");
}

static void has(const char *text)
{
    ck_assert_msg(strstr(page, text) != NULL, "there is no \"%s\" in:\n%s", text, page);
}

START_TEST(http__nobody_answers_once_it_is_closed)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    ck_assert_int_eq(ask("GET", "/livez"), 200);
    http_close(http);
    http = NULL;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ne(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
}
END_TEST

/* Beside the loops' and the process's own: those of every guest. */
START_TEST(http__guests_are_shown_with_the_rest)
{
    enum { GUESTS = 3 };
    struct metrics *guests[GUESTS];
    for (unsigned k = 0; k < GUESTS; k++) {
        ck_assert_int_eq(metrics_create(10, &guests[k]), 0);
        metrics_add(guests[k], METRIC_TAKEOVERS, METRIC_NO_LABELS, 1u << 4 * k);
    }
    metrics_add(vitals[0].metrics, METRIC_TAKEOVERS, METRIC_NO_LABELS, 1u << 12);
    panel_watch(panel, watched, LOOPS);
    panel_add_guests(panel, guests, GUESTS);
    ck_assert_int_eq(ask("GET", "/metrics"), 200);
    has("\nsagad_takeovers_total 4369\n"); /* 0x1111 */
    panel_add_guests(panel, NULL, 0);
    for (unsigned k = 0; k < GUESTS; k++)
        metrics_destroy(guests[k]);
}
END_TEST

START_TEST(http__nothing_is_ready_before_it_is_watched)
{
    ck_assert_int_eq(ask("GET", "/readyz"), 503);
    has("the journal is being read");
    ck_assert_int_eq(ask("GET", "/livez"), 200);
    panel_watch(panel, watched, LOOPS);
    ck_assert_int_eq(ask("GET", "/readyz"), 200);
    has("\r\n\r\nok\n");
}
END_TEST

/* Whichever loop it is, and whatever it is short of. */
START_TEST(http__one_loop_that_is_not_ready_is_enough)
{
    static const struct {
        enum vitals_reason reason;
        const char *words;
    } rows[] = {{VITALS_STOPPING, "it is stopping"},
                {VITALS_JOURNAL_FULL, "its journal is full"},
                {VITALS_FAILED, "it cannot go on"},
                {VITALS_JOURNAL_AWAY, "its journal does not answer"},
                {VITALS_JOURNAL_TIGHT, "its journal is nearly full, and takes only what ends sagas"}};
    panel_watch(panel, watched, LOOPS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned k = 0; k < LOOPS; k++) {
            char line[100];
            reasons[k] = rows[i].reason;
            ck_assert_msg(ask("GET", "/readyz") == 503, "loop %u: %s", k, page);
            snprintf(line, sizeof line, "\r\n\r\nnot ready: loop %u: %s\n", k, rows[i].words);
            has(line);
            ck_assert_int_eq(ask("GET", "/livez"), 200);
            reasons[k] = 0;
            ck_assert_int_eq(ask("GET", "/readyz"), 200);
        }
}
END_TEST

static double gauges_age(void)
{
    double age = -1;
    ck_assert_int_eq(ask("GET", "/metrics"), 200);
    const char *at = strstr(page, "\nsagad_gauges_age_seconds ");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, "\nsagad_gauges_age_seconds %lf", &age), 1);
    return age;
}

/* One that does not turn is waited for once, and then told of. */
START_TEST(http__a_silent_loop_makes_numbers_old_and_then_unready)
{
    panel_watch(panel, watched, LOOPS);
    ck_assert(gauges_age() == 0);
    silent[1] = true;
    ck_assert(gauges_age() > 0.2); /* it was waited for */
    atomic_fetch_sub(&vitals[1].told_at, 3000000);
    ck_assert(gauges_age() > 3.2);
    silent[2] = true; /* the oldest counts, whichever loop's it is */
    ck_assert(gauges_age() > 3.2);
    silent[2] = false;
    wake(&vitals[2]);
    ck_assert_int_eq(ask("GET", "/readyz"), 200);
    atomic_fetch_sub(&vitals[1].told_at, 3000000);
    ck_assert_int_eq(ask("GET", "/readyz"), 503);
    has("not ready: loop 1: it has not turned for 6 s");
    atomic_store(&vitals[1].reasons, VITALS_STOPPING); /* why it was not ready before is told beside that */
    ck_assert_int_eq(ask("GET", "/readyz"), 503);
    has("not ready: loop 1: it is stopping\n");
    has("not ready: loop 1: it has not turned for 6 s");
    silent[1] = false;
    wake(&vitals[1]);
    ck_assert(gauges_age() == 0);
    ck_assert_int_eq(ask("GET", "/readyz"), 200);
}
END_TEST

/* One that has been asked is not asked again before it has answered: it would be waited for each time. */
START_TEST(http__a_silent_loop_is_asked_once)
{
    panel_watch(panel, watched, LOOPS);
    for (size_t k = 0; k < LOOPS; k++) /* each has its bell, and is silent from now on */
        ck_assert(vitals[k].bell == vitals[0].bell && panel_silence(&vitals[k]).us < SPAN_S(30).us);
    silent[1] = true;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ask("GET", "/readyz"), 200);
    ck_assert_uint_eq(atomic_load(&vitals[1].asked), 1);
    ck_assert_uint_eq(atomic_load(&vitals[0].asked), 3);
}
END_TEST

/* ---- the process ---- */

static double number_of(const char *name)
{
    char line[64];
    double number = -1;
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(page, line);
    ck_assert_msg(at != NULL, "%s", name);
    ck_assert_int_eq(sscanf(at + strlen(line), "%lf", &number), 1);
    return number;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(http__the_process_is_told_as_it_is)
{
    struct rlimit limit;
    int files = open_files();
    time_t now = time(NULL);
    getrlimit(RLIMIT_NOFILE, &limit);
    panel_watch(panel, watched, LOOPS);
    ck_assert_int_eq(ask("GET", "/metrics"), 200);
    ck_assert_double_eq(number_of("process_open_fds"), files + 2); /* both ends of this one */
    ck_assert_double_eq(number_of("process_max_fds"), (double)limit.rlim_cur);
    ck_assert_double_le(number_of("process_start_time_seconds"), (double)now);
    ck_assert_double_gt(number_of("process_start_time_seconds"), (double)now - 3600);
    ck_assert_double_gt(number_of("process_resident_memory_bytes"), 1e6);
    has("\nsagad_build_info{version=\"1.2.3\"} 1\n");
    double before = cpu_seconds();
    while (cpu_seconds() < before + 0.05)
        ; /* something to tell */
    for (int i = 0; i < 5; i++) {
        before = cpu_seconds();
        ask("GET", "/metrics");
        ck_assert_double_ge(number_of("process_cpu_seconds_total"), before - 0.001);
        ck_assert_double_le(number_of("process_cpu_seconds_total"), cpu_seconds() + 0.001);
    }
}
END_TEST

/* Who can read it is given OpenMetrics, whose end is told; nobody else is. */
START_TEST(http__a_panel_gives_back_what_it_has)
{
    int before = open_files();
    struct panel *another;
    ck_assert_int_eq(panel_create("1.2.3", &another), 0);
    panel_destroy(another);
    ck_assert_int_eq(open_files(), before);
}
END_TEST

START_TEST(http__a_form_is_what_was_asked_for)
{
    static const char end[] = "\n# EOF\n";
    panel_watch(panel, watched, LOOPS);
    ck_assert_int_eq(ask_for("GET", "/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"), 200);
    has("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
    ck_assert_str_eq(page + strlen(page) - strlen(end), end);
    ck_assert_int_eq(ask("GET", "/metrics"), 200);
    has("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    ck_assert_ptr_null(strstr(page, "# EOF"));
}
END_TEST

/* Whoever opens connections and says nothing leaves room for those who ask from elsewhere. */
START_TEST(http__connections_of_one_peer_are_bounded)
{
    enum { COUNT = 20, PER_PEER = 16 };
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fds[COUNT], closed = 0;
    /* More are closed when they have said nothing for ten seconds: then this machine stood still, and it is tried anew. */
    for (int round = 0; round < 3 && closed != COUNT - PER_PEER; round++) {
        for (int i = 0; i < COUNT; i++) {
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            ck_assert_int_eq(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
        }
        do {
            closed = 0;
            for (int i = 0; i < COUNT; i++) {
                struct pollfd p = {.fd = fds[i], .events = POLLIN};
                closed += poll(&p, 1, 5) > 0;
            }
        } while (closed < COUNT - PER_PEER);
        for (int i = 0; i < COUNT; i++)
            close(fds[i]);
    }
    ck_assert_int_eq(closed, COUNT - PER_PEER);
}
END_TEST

START_TEST(http__only_looking_is_allowed)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS"};
    panel_watch(panel, watched, LOOPS);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        ck_assert_msg(ask(methods[i], "/metrics") == 405, "%s: %s", methods[i], page);
        has("\r\nAllow: GET, HEAD\r\n");
        has("\r\n\r\nonly GET and HEAD: nothing here changes anything\n");
    }
    ck_assert_int_eq(ask("HEAD", "/livez"), 200);
    ck_assert_str_eq(strstr(page, "\r\n\r\n"), "\r\n\r\n");
    ck_assert_int_eq(ask("GET", "/"), 404);
    has("\r\n\r\nthere are /metrics, /livez and /readyz\n");
}
END_TEST

START_TEST(http__addresses_are_numbers)
{
    static const char *const wrong[] = {"localhost:1", "127.0.0.1", "unix:/tmp/x", "256.0.0.1:1", "127.0.0.1:65536"};
    struct http *none;
    struct error_detail detail;
    int at;
    char taken[32], said[128];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(http_open(wrong[i], panel, &none, &at, &detail) == E_SYSTEM, "%s", wrong[i]);
        snprintf(said, sizeof said, "cannot listen at %s: write it in numbers, as 127.0.0.1:9464 or [::1]:9464",
                 wrong[i]);
        ck_assert_str_eq(detail.text, said);
    }
    snprintf(taken, sizeof taken, "127.0.0.1:%d", port);
    ck_assert_int_eq(http_open(taken, panel, &none, &at, &detail), E_SYSTEM);
    ck_assert_str_eq(detail.field, "http_listen");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("http");
    Suite *s = suite_create("http");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, http__nobody_answers_once_it_is_closed);
    tcase_add_test(c, http__nothing_is_ready_before_it_is_watched);
    tcase_add_test(c, http__guests_are_shown_with_the_rest);
    tcase_add_test(c, http__one_loop_that_is_not_ready_is_enough);
    tcase_add_test(c, http__a_silent_loop_makes_numbers_old_and_then_unready);
    tcase_add_test(c, http__a_silent_loop_is_asked_once);
    tcase_add_test(c, http__the_process_is_told_as_it_is);
    tcase_add_test(c, http__a_panel_gives_back_what_it_has);
    tcase_add_test(c, http__a_form_is_what_was_asked_for);
    tcase_add_test(c, http__connections_of_one_peer_are_bounded);
    tcase_add_test(c, http__only_looking_is_allowed);
    tcase_add_test(c, http__addresses_are_numbers);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
