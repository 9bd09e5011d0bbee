/* Pages over HTTP: what is counted of them, and what one that hangs costs the others. The server is a socket of ours, which answers as it is told. */
#include "sidecar/runtime/webhook.h"

#include "sidecar/observe/log.h"
#include "sidecar/runtime/curl.h"
#include "tests/support/until.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_SIZE 4096

static int listener;
static char url[64];

static void setup(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 64), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/hook", ntohs(at.sin_port));
}

static void teardown(void)
{
    close(listener);
}

static unsigned promised; /* bytes of an answer, which do not come */

/* Takes the next request whole, into text, and answers it so; 0: not at all. Returns the connection, which is still open. */
static int take(int status, char text[REQUEST_SIZE])
{
    char answer[128];
    size_t used = 0;
    int fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    for (const char *end = NULL; end == NULL;) {
        ssize_t got = recv(fd, text + used, REQUEST_SIZE - 1 - used, 0);
        ck_assert_int_gt(got, 0);
        text[used += (size_t)got] = '\0';
        const char *length = strstr(text, "Content-Length: ");
        end = strstr(text, "\r\n\r\n");
        if (end != NULL && (length == NULL || strlen(end + 4) < strtoul(length + 16, NULL, 10)))
            end = NULL;
    }
    int size = snprintf(answer, sizeof answer, "HTTP/1.1 %d X\r\nContent-Length: %u\r\nConnection: close\r\n\r\n",
                        status, promised);
    if (status != 0)
        ck_assert_int_eq(send(fd, answer, (size_t)size, MSG_NOSIGNAL), size);
    return fd;
}

static void take_and_close(int status)
{
    char text[REQUEST_SIZE];
    close(take(status, text));
}

/* Adds what is new to *all until as many as that were sent and have failed. */
static void await(struct webhook *w, struct webhook_counts *all, uint64_t sent, uint64_t failed)
{
    struct webhook_counts more;
    UNTIL((more = webhook_take_counts(w), all->sent += more.sent, all->failed += more.failed,
           all->dropped += more.dropped, all->sent >= sent && all->failed >= failed));
    ck_assert_uint_eq(all->sent, sent);
    ck_assert_uint_eq(all->failed, failed);
}

static struct webhook *opened(void)
{
    struct webhook *w;
    struct error_detail detail = {.text = ""};
    ck_assert_msg(webhook_open(&w, &detail) == 0, "%s", detail.text);
    return w;
}

/* It and what it brings would be a thirtieth of an idle sidecar's memory. */
START_TEST(webhook__loads_libcurl_and_nothing_else_does)
{
    ck_assert_ptr_null(dlopen("libcurl.so.4", RTLD_NOW | RTLD_NOLOAD));
    webhook_close(opened());
    ck_assert_ptr_nonnull(dlopen("libcurl.so.4", RTLD_NOW | RTLD_NOLOAD));
}
END_TEST

/* Functions, of which a libcurl may lack one. */
static const char *lacks = "";

void *__real_dlsym(void *library, const char *name);
void *__wrap_dlsym(void *library, const char *name);

void *__wrap_dlsym(void *library, const char *name)
{
    return __real_dlsym(library, strcmp(name, lacks) == 0 ? "curl_of_tomorrow" : name);
}

/* Whichever it is, the configuration is refused: the first page would end the sidecar. */
START_TEST(webhook__a_libcurl_that_lacks_a_function_is_none)
{
#define NAME(name) "curl_" #name,
    static const char *const names[] = {CURL_FUNCTIONS(NAME)};
#undef NAME
    struct webhook *w;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error_detail detail = {.text = ""};
        lacks = names[i];
        ck_assert_msg(webhook_ready(&detail) == E_SYSTEM, "%s", lacks);
        ck_assert_str_eq(detail.field, "remediation");
        ck_assert_ptr_nonnull(strstr(detail.text, "libcurl cannot be loaded: "));
        ck_assert_ptr_nonnull(strstr(detail.text, "curl_of_tomorrow"));
        ck_assert_int_eq(webhook_open(&w, &detail), E_SYSTEM);
    }
    lacks = "";
    webhook_close(opened());
}
END_TEST

/* libcurl's memory, of which it may be given none. */
static bool poor;

static void *some(size_t size)
{
    return poor ? NULL : malloc(size);
}

static void *some_zeroed(size_t count, size_t size)
{
    return poor ? NULL : calloc(count, size);
}

static void *some_more(void *old, size_t size)
{
    return poor ? NULL : realloc(old, size);
}

/* Pages would wait for ever for a thread that cannot send any. */
START_TEST(webhook__without_memory_there_is_none)
{
    struct webhook *w;
    struct error_detail detail = {.text = ""};
    void *library = dlopen("libcurl.so.4", RTLD_NOW);
    long (*init)(long, void *(*)(size_t), void (*)(void *), void *(*)(void *, size_t), char *(*)(const char *),
                 void *(*)(size_t, size_t));
    ck_assert_ptr_nonnull(library);
    *(void **)&init = dlsym(library, "curl_global_init_mem");
    ck_assert_int_eq(init(3, some, free, some_more, strdup, some_zeroed), 0);
    poor = true;
    ck_assert_int_eq(webhook_open(&w, &detail), E_MEMORY);
    poor = false;
    webhook_close(opened());
}
END_TEST

/* Threads, of which there may be none more. */
static bool threadless;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *self);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *self);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *self)
{
    return threadless ? EAGAIN : __real_pthread_create(thread, attributes, run, self);
}

/* At the bound on threads the configuration that asks for pages is refused, and the sidecar goes on. */
START_TEST(webhook__without_a_thread_there_is_none)
{
    struct webhook *w;
    struct error_detail detail = {.text = ""};
    threadless = true;
    ck_assert_int_eq(webhook_open(&w, &detail), E_SYSTEM);
    ck_assert_str_eq(detail.text, "the thread that sends pages cannot be made");
    threadless = false;
    webhook_close(opened());
}
END_TEST

START_TEST(webhook__posts_what_it_is_told)
{
    char text[REQUEST_SIZE];
    struct webhook *w = opened();
    struct webhook_counts all = {0};
    ck_assert(webhook_post(w, url, "{\"rule\": \"x\"}"));
    close(take(204, text));
    ck_assert_msg(strncmp(text, "POST /hook HTTP/1.1\r\n", 21) == 0, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Type: application/json\r\n"));
    ck_assert_str_eq(strstr(text, "\r\n\r\n") + 4, "{\"rule\": \"x\"}");
    await(w, &all, 1, 0);
    ck_assert_uint_eq(all.dropped, 0);
    webhook_close(w);
}
END_TEST

START_TEST(webhook__only_two_hundreds_are_sent)
{
    static const struct {
        int status;
        bool sent;
    } answers[] = {{200, true},  {204, true},  {299, true},  {301, false}, {302, false},
                   {400, false}, {404, false}, {429, false}, {500, false}, {503, false}};
    struct webhook *w = opened();
    struct webhook_counts all = {0};
    uint64_t sent = 0, failed = 0, first = 0;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        uint64_t number = webhook_post(w, url, "{}");
        ck_assert_uint_ne(number, 0);
        first = first == 0 ? number : first;
        ck_assert_int_eq(webhook_fate(w, number), WEBHOOK_WAITS);
        take_and_close(answers[i].status);
        sent += answers[i].sent;
        failed += !answers[i].sent;
        await(w, &all, sent, failed);
        UNTIL(webhook_fate(w, number) != WEBHOOK_WAITS);
        ck_assert_int_eq(webhook_fate(w, number), answers[i].sent ? WEBHOOK_SENT : WEBHOOK_FAILED);
        ck_assert_int_eq(webhook_fate(w, first), WEBHOOK_SENT); /* each has its own */
    }
    webhook_close(w);
}
END_TEST

/* An answer that breaks off is none. */
START_TEST(webhook__half_an_answer_is_none)
{
    struct webhook *w = opened();
    struct webhook_counts all = {0};
    char text[REQUEST_SIZE];
    ck_assert(webhook_post(w, url, "{}"));
    promised = 100;
    close(take(200, text));
    promised = 0;
    await(w, &all, 0, 1);
    webhook_close(w);
}
END_TEST

START_TEST(webhook__one_that_hangs_drops_what_is_too_much_and_the_rest_is_sent_in_order)
{
    char text[REQUEST_SIZE], body[16], expected[16];
    struct webhook *w = opened();
    struct webhook_counts all = {0};
    ck_assert(webhook_post(w, url, "first"));
    int hangs = take(0, text); /* it is under way, and waits no more */
    for (unsigned i = 0; i < WEBHOOKS_WAITING_MAX; i++) {
        snprintf(body, sizeof body, "%u", i);
        ck_assert_msg(webhook_post(w, url, body), "%u", i);
    }
    ck_assert(!webhook_post(w, url, "too many"));
    ck_assert(!webhook_post(w, url, "too many"));
    close(hangs);
    await(w, &all, 0, 1);
    for (unsigned i = 0; i < WEBHOOKS_WAITING_MAX; i++) {
        close(take(200, text));
        snprintf(expected, sizeof expected, "%u", i);
        ck_assert_str_eq(strstr(text, "\r\n\r\n") + 4, expected);
    }
    await(w, &all, WEBHOOKS_WAITING_MAX, 1);
    ck_assert_uint_eq(all.dropped, 2);
    webhook_close(w);
}
END_TEST

START_TEST(webhook__takes_as_many_as_come_while_they_leave)
{
    struct webhook *w = opened();
    struct webhook_counts all = {0};
    /* One more than it knows of what came of them: of the first nobody can say that any more. */
    for (unsigned i = 1; i <= 4 * WEBHOOKS_WAITING_MAX + 1; i++) {
        ck_assert_uint_eq(webhook_post(w, url, "{}"), i);
        ck_assert_int_eq(webhook_fate(w, i), WEBHOOK_WAITS); /* whatever came of one before that had its place */
        take_and_close(200);
        await(w, &all, i, 0);
    }
    ck_assert_uint_eq(all.dropped, 0);
    ck_assert_int_eq(webhook_fate(w, 1), WEBHOOK_FAILED);
    ck_assert_int_eq(webhook_fate(w, 2), WEBHOOK_SENT);
    webhook_close(w);
}
END_TEST

static char why[128]; /* the last page was not taken */

static void hear(void *self, const struct log_entry *entry)
{
    (void)self;
    ck_assert_str_eq(entry->text, "a webhook did not take a page");
    snprintf(why, sizeof why, "%.*s", (int)entry->fields[0].text.size, (const char *)entry->fields[0].text.at);
}

/* By an end of its own, and not when its time is over; where the machine stands still for so long, it is tried again. */
START_TEST(webhook__an_end_cuts_what_is_under_way)
{
    char text[REQUEST_SIZE];
    log_listen(hear, NULL);
    for (int tries = 0; tries < 3 && strstr(why, "abort") == NULL; tries++) {
        struct webhook *w = opened();
        ck_assert(webhook_post(w, url, "hangs"));
        int hangs = take(0, text);
        webhook_close(w);
        close(hangs);
        ck_assert_str_ne(why, "");
    }
    log_listen(NULL, NULL);
    ck_assert_msg(strstr(why, "abort") != NULL, "%s", why);
}
END_TEST

START_TEST(webhook__ends_though_one_hangs_and_others_wait)
{
    char text[REQUEST_SIZE];
    struct webhook *w = opened();
    ck_assert(webhook_post(w, url, "hangs"));
    int hangs = take(0, text);
    for (unsigned i = 0; i < WEBHOOKS_WAITING_MAX; i++)
        ck_assert(webhook_post(w, url, "waits"));
    webhook_close(w);
    close(hangs);
    webhook_close(NULL);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("webhook");
    Suite *s = suite_create("webhook");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, webhook__loads_libcurl_and_nothing_else_does);
    tcase_add_test(c, webhook__a_libcurl_that_lacks_a_function_is_none);
    tcase_add_test(c, webhook__without_memory_there_is_none);
    tcase_add_test(c, webhook__without_a_thread_there_is_none);
    tcase_add_test(c, webhook__posts_what_it_is_told);
    tcase_add_test(c, webhook__only_two_hundreds_are_sent);
    tcase_add_test(c, webhook__half_an_answer_is_none);
    tcase_add_test(c, webhook__one_that_hangs_drops_what_is_too_much_and_the_rest_is_sent_in_order);
    tcase_add_test(c, webhook__takes_as_many_as_come_while_they_leave);
    tcase_add_test(c, webhook__an_end_cuts_what_is_under_way);
    tcase_add_test(c, webhook__ends_though_one_hangs_and_others_wait);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_set_fork_status(r, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
