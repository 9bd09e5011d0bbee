/* Log lines: their two forms, what is escaped, how they are bounded, and when they are written. tests.mk wraps write, to see when one begins. */
#include "sidecar/observe/log.h"
#include "sidecar/observe/log_writer.h"
#include "tests/support/until.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AT    ((struct instant){.us = INT64_C(1700000000000042)})
#define START "time=2023-11-14T22:13:20.000042Z level=info "

static char line[LOG_LINE_SIZE];
static atomic_uint writes; /* that have begun */
static atomic_size_t largest;

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    atomic_fetch_add(&writes, 1);
    if (size > atomic_load(&largest))
        atomic_store(&largest, size);
    return __real_write(fd, bytes, size);
}

static void assert_logfmt(struct bytes value, const char *expected)
{
    const struct log_field field = LOG_BYTES("v", value);
    char whole[LOG_LINE_SIZE];
    size_t size = log_line(LOG_FORMAT_LOGFMT, AT, LOG_LEVEL_INFO, "x", &field, 1, line);
    snprintf(whole, sizeof whole, START "msg=x v=%s\n", expected);
    ck_assert_str_eq(line, whole);
    ck_assert_uint_eq(size, strlen(line));
}

/* The value as a JSON reader sees it. */
static void assert_json(struct bytes value, const char *expected)
{
    const struct log_field field = LOG_BYTES("v", value);
    json_error_t error;
    size_t size = log_line(LOG_FORMAT_JSON, AT, LOG_LEVEL_INFO, "x", &field, 1, line);
    json_t *read = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(read != NULL, "%s: %s", line, error.text);
    ck_assert_str_eq(json_string_value(json_object_get(read, "v")), expected);
    ck_assert_uint_eq(size, strlen(line));
    ck_assert_ptr_eq(strchr(line, '\n'), line + size - 1);
    json_decref(read);
}

START_TEST(log__logfmt_is_one_line_of_pairs)
{
    struct saga_id id = {.tag = 0x9f03c1d2a4b7, .serial = 42};
    const struct log_field fields[] = {LOG_SAGA(id), LOG_TEXT("step", "charge card"), LOG_NUMBER("attempt", -3),
                                       LOG_NUMBER("max", INT64_MIN), LOG_TEXT("none", NULL)};
    log_line(LOG_FORMAT_LOGFMT, AT, LOG_LEVEL_ERROR, "it broke", fields, 5, line);
    ck_assert_str_eq(line, "time=2023-11-14T22:13:20.000042Z level=error msg=\"it broke\" saga=9f03c1d2a4b7-2a "
                           "step=\"charge card\" attempt=-3 max=-9223372036854775808 none=\"\"\n");
    log_line(LOG_FORMAT_LOGFMT, AT, LOG_LEVEL_WARN, "alone", NULL, 0, line);
    ck_assert_str_eq(line, "time=2023-11-14T22:13:20.000042Z level=warn msg=alone\n");
}
END_TEST

START_TEST(log__json_is_one_object)
{
    struct saga_id id = {.tag = 0x9f03c1d2a4b7, .serial = 42};
    const struct log_field fields[] = {LOG_SAGA(id), LOG_TEXT("step", "charge"), LOG_NUMBER("attempt", 3)};
    log_line(LOG_FORMAT_JSON, AT, LOG_LEVEL_DEBUG, "it ran", fields, 3, line);
    ck_assert_str_eq(line, "{\"time\":\"2023-11-14T22:13:20.000042Z\",\"level\":\"debug\",\"msg\":\"it ran\","
                           "\"saga\":\"9f03c1d2a4b7-2a\",\"step\":\"charge\",\"attempt\":3}\n");
}
END_TEST

START_TEST(log__values_cannot_forge_anything)
{
    assert_logfmt(bytes_of_text("a\nlevel=error"), "\"a\\nlevel=error\"");
    assert_logfmt(bytes_of_text("a=b"), "\"a=b\"");
    assert_logfmt(bytes_of_text("say \"no\""), "\"say \\\"no\\\"\"");
    assert_logfmt(bytes_of_text("c:\\d"), "\"c:\\\\d\"");
    assert_logfmt(bytes_of_text("\x1b[2J\x7f\t"), "\"\\u001b[2J\\u007f\\t\"");
    assert_logfmt(bytes_of("a\0b", 3), "\"a\\u0000b\"");
    assert_logfmt(bytes_of_text("\xc2\x9b"), "\"\\u009b\"");
    assert_logfmt(bytes_of_text("\x1f\xc2\x80\xc2\x9f\xc2\xa0"), "\"\\u001f\\u0080\\u009f\xc2\xa0\"");
    assert_logfmt(bytes_of_text("\xe2\x82\xac"), "\"\xe2\x82\xac\"");
    assert_json(bytes_of_text("a\n\"b\"\\\t\x1b"), "a\n\"b\"\\\t\x1b");
    assert_json(bytes_of_text("\xe2\x82\xac \xf0\x9f\x98\x80"), "\xe2\x82\xac \xf0\x9f\x98\x80");
}
END_TEST

/* Without quotes stands what readers of logfmt take for a word, and nothing else, wherever in it a byte is. */
START_TEST(log__logfmt_quotes_what_is_no_word)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        bool word = byte > ' ' && byte <= '~' && strchr("\"=\\", (int)byte) == NULL;
        for (unsigned at = 0; at < 3; at++) {
            char value[] = "abc";
            value[at] = (char)byte;
            const struct log_field field = LOG_BYTES("v", bytes_of(value, 3));
            log_line(LOG_FORMAT_LOGFMT, AT, LOG_LEVEL_INFO, "x", &field, 1, line);
            ck_assert_msg((strstr(line, " v=\"") == NULL) == word, "%u at %u: %s", byte, at, line);
        }
    }
}
END_TEST

START_TEST(log__what_is_not_utf8_is_replaced)
{
    assert_json(bytes_of_text("a\xff"
                              "b"),
                "a\xef\xbf\xbd"
                "b");
    assert_json(bytes_of_text("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
    assert_json(bytes_of_text("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_json(bytes_of_text("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_json(bytes_of("\xe2\x82", 2), "\xef\xbf\xbd\xef\xbf\xbd");
    assert_json(bytes_of("\xe2\x82\x41", 3), "\xef\xbf\xbd\xef\xbf\xbd"
                                             "A");
}
END_TEST

START_TEST(log__every_byte_gives_valid_json)
{
    char text[4];
    for (unsigned i = 0; i < 256 * 256; i++) {
        const struct log_field field = LOG_BYTES("v", bytes_of(text, 2));
        text[0] = (char)(i >> 8);
        text[1] = (char)i;
        log_line(LOG_FORMAT_JSON, AT, LOG_LEVEL_INFO, "x", &field, 1, line);
        json_t *read = json_loads(line, JSON_ALLOW_NUL, NULL);
        ck_assert_msg(read != NULL, "%04x: %s", i, line);
        json_decref(read);
    }
}
END_TEST

START_TEST(log__long_values_are_cut)
{
    char text[LOG_VALUE_BYTES_MAX + 2], expected[LOG_VALUE_BYTES_MAX + 8];
    memset(text, 'a', sizeof text);
    snprintf(expected, sizeof expected, "%.*s", LOG_VALUE_BYTES_MAX, text);
    assert_logfmt(bytes_of(text, LOG_VALUE_BYTES_MAX), expected);
    snprintf(expected, sizeof expected, "\"%.*s...\"", LOG_VALUE_BYTES_MAX, text);
    assert_logfmt(bytes_of(text, LOG_VALUE_BYTES_MAX + 1), expected);
}
END_TEST

START_TEST(log__lines_are_bounded)
{
    char text[LOG_VALUE_BYTES_MAX];
    memset(text, 1, sizeof text);
    /* Six bytes each when escaped: the first fits no line, the number behind it does. */
    const struct log_field fields[] = {LOG_BYTES("long", bytes_of(text, sizeof text)), LOG_NUMBER("n", 7)};
    log_line(LOG_FORMAT_LOGFMT, AT, LOG_LEVEL_INFO, "x", fields, 2, line);
    ck_assert_str_eq(line, START "msg=x n=7 cut=true\n");
    log_line(LOG_FORMAT_JSON, AT, LOG_LEVEL_INFO, "x", fields, 2, line);
    json_t *read = json_loads(line, 0, NULL);
    ck_assert(json_is_true(json_object_get(read, "cut")));
    ck_assert_ptr_null(json_object_get(read, "long"));
    json_decref(read);
}
END_TEST

/* Whatever the lengths, a line ends within its bound and can be read. */
START_TEST(log__lines_end_well_at_every_length)
{
    char text[LOG_VALUE_BYTES_MAX];
    memset(text, 'a', sizeof text);
    size_t longest = 0;
    for (size_t last = 0; last <= sizeof text; last++) {
        const struct log_field fields[] = {LOG_BYTES("a", bytes_of(text, sizeof text)),
                                           LOG_BYTES("b", bytes_of(text, sizeof text)),
                                           LOG_BYTES("c", bytes_of(text, sizeof text)),
                                           LOG_BYTES("d", bytes_of(text, last)), LOG_NUMBER("e", INT64_MIN)};
        for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
            size_t size = log_line((enum log_format)format, AT, LOG_LEVEL_INFO, "x", fields, 5, line);
            longest = size > longest ? size : longest;
            ck_assert_uint_lt(size, LOG_LINE_SIZE);
            ck_assert_uint_eq(size, strlen(line));
            ck_assert(line[size - 1] == '\n');
        }
        json_t *read = json_loads(line, 0, NULL);
        ck_assert_ptr_nonnull(read);
        json_decref(read);
    }
    ck_assert_uint_eq(longest, LOG_LINE_SIZE - 3); /* all that there is room for: behind it the cut is told, in JSON */
}
END_TEST

START_TEST(log__writes_what_is_grave_enough)
{
    int ends[2];
    char got[4096];
    ck_assert_int_eq(pipe(ends), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_LOGFMT, .fd = ends[1]});
    ck_assert(log_wants(LOG_LEVEL_ERROR) && log_wants(LOG_LEVEL_WARN) && !log_wants(LOG_LEVEL_INFO));
    log_event(LOG_LEVEL_WARN, "first", LOG_NUMBER("n", 1), LOG_TEXT("t", "u"));
    log_event(LOG_LEVEL_INFO, "second", LOG_NUMBER("n", 2));
    log_say(LOG_LEVEL_ERROR, "third");
    log_set_level(LOG_LEVEL_INFO);
    ck_assert(log_wants(LOG_LEVEL_INFO) && !log_wants(LOG_LEVEL_DEBUG));
    log_close(SPAN_S(10));
    close(ends[1]);
    ssize_t size = read(ends[0], got, sizeof got - 1);
    ck_assert_int_gt(size, 0);
    got[size] = '\0';
    close(ends[0]);
    ck_assert_ptr_eq(strstr(got, "time=20"), got);
    ck_assert_ptr_nonnull(strstr(got, "Z level=warn msg=first n=1 t=u\ntime="));
    ck_assert_ptr_nonnull(strstr(got, "Z level=error msg=third\n"));
    ck_assert_ptr_null(strstr(got, "second"));
}
END_TEST

/* What a reader that comes late reads: everything that is there, without waiting for more than a second. */
static size_t drain(int fd, char *got, size_t size)
{
    size_t used = 0;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    while (poll(&polled, 1, 1000) > 0) {
        ssize_t n = read(fd, got + used, size - 1 - used);
        ck_assert_int_gt(n, 0);
        used += (size_t)n;
    }
    got[used] = '\0';
    return used;
}

/* A pipe that nobody reads holds nobody, at the start, in the middle or at the end; what was lost is counted. */
START_TEST(log__nobody_waits_for_its_reader)
{
    enum { LINES = 20000 };
    static char got[LOG_QUEUE_BYTES * 4];
    int ends[2];
    struct timespec began, ended;
    ck_assert_int_eq(pipe(ends), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_LOGFMT, .fd = ends[1]});
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < LINES; i++)
        log_event(LOG_LEVEL_DEBUG, "a line", LOG_NUMBER("n", i));
    log_close(SPAN_MS(100));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_lt(ended.tv_sec - began.tv_sec, 3);

    ck_assert_uint_gt(drain(ends[0], got, sizeof got), LOG_QUEUE_BYTES);
    /* Every line is there, whole and in its place, or counted where it should be. */
    int next = 0, gaps = 0;
    for (char *at = strtok(got, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        int n;
        if (strstr(at, "msg=\"nobody read the log for a while: lines were dropped\"") != NULL) {
            ck_assert_int_eq(sscanf(strstr(at, " lines="), " lines=%d", &n), 1);
            next += n;
            gaps++;
        } else {
            ck_assert_int_eq(sscanf(strstr(at, " n="), " n=%d", &n), 1);
            ck_assert_int_eq(n, next++);
        }
    }
    ck_assert_int_eq(next, LINES);
    ck_assert_int_gt(gaps, 0);

    /* Once there is room, lines come again. */
    log_event(LOG_LEVEL_INFO, "afterwards", LOG_NUMBER("n", 1));
    log_close(SPAN_S(10));
    ck_assert_uint_gt(drain(ends[0], got, sizeof got), 0);
    ck_assert_ptr_nonnull(strstr(got, "msg=afterwards n=1\n"));
}
END_TEST

/* To the last byte, while the writer stands with what it took before; and of what is queued it writes as much at once as may be, of whole lines. */
START_TEST(log__the_queue_takes_what_just_fits)
{
    enum { SIZE = 241, LINES = LOG_QUEUE_BYTES / SIZE, LAST = LOG_QUEUE_BYTES % SIZE, ALL = LOG_QUEUE_BYTES + SIZE };
    _Static_assert(17 * SIZE == PIPE_BUF + 1 && LAST > 0, "a line ends just behind what may be written at once");
    static char full[1 << 20], got[ALL + 1], one[SIZE];
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int room = fcntl(ends[1], F_SETPIPE_SZ, 4096);
    ck_assert(room > 0 && room <= (int)sizeof full);
    ck_assert_int_eq(write(ends[1], full, (size_t)room), room);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT, .fd = ends[1]});
    memset(one, 'x', SIZE - 1);
    one[SIZE - 1] = '\n';
    unsigned before = atomic_load(&writes);
    atomic_store(&largest, 0);
    for (int i = 0; i <= LINES; i++) {
        log_writer_put(one, SIZE);
        UNTIL(atomic_load(&writes) > before); /* the first is in the queue no more */
    }
    log_writer_put(one + SIZE - LAST, LAST);
    for (ssize_t n; room > 0; room -= (int)n)
        ck_assert_int_gt(n = read(ends[0], full, (size_t)room), 0);
    size_t used = 0;
    for (ssize_t n; used < ALL; used += (size_t)n)
        ck_assert_int_gt(n = read(ends[0], got + used, sizeof got - used), 0);
    ck_assert_uint_eq(used, ALL);
    for (size_t i = 0; i < used; i++)
        ck_assert_int_eq(got[i], one[i < ALL - LAST ? i % SIZE : SIZE - (ALL - i)]);
    log_close(SPAN_S(10));
    ck_assert_int_eq(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 0), 0); /* nothing tells of a loss */
    ck_assert_uint_eq(atomic_load(&largest), 16 * SIZE);
}
END_TEST

/* A standard error that somebody else has made non-blocking loses nothing. */
START_TEST(log__a_full_non_blocking_pipe_is_waited_for)
{
    static char got[LOG_QUEUE_BYTES];
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_LOGFMT, .fd = ends[1]});
    for (int i = 0; i < 2000; i++)
        log_event(LOG_LEVEL_DEBUG, "a line", LOG_NUMBER("n", i));
    ck_assert_uint_gt(drain(ends[0], got, sizeof got), 65536);
    log_close(SPAN_S(10));
    ck_assert_ptr_nonnull(strstr(got, " n=1999\n"));
}
END_TEST

/* What the thread has taken from the queue is not written yet: the end waits for that, too. */
START_TEST(log__the_end_waits_for_the_lines_that_are_being_written)
{
    static char full[1 << 20], got[8192];
    int ends[2];
    struct timespec began, ended;
    ck_assert_int_eq(pipe(ends), 0);
    int room = fcntl(ends[1], F_SETPIPE_SZ, 4096);
    ck_assert(room > 0 && room <= (int)sizeof full);
    ck_assert_int_eq(write(ends[1], full, (size_t)room), room);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT, .fd = ends[1]});
    unsigned before = atomic_load(&writes);
    log_say(LOG_LEVEL_INFO, "the last one");
    UNTIL(atomic_load(&writes) > before); /* it stands in the pipe's way, and nothing is queued */
    clock_gettime(CLOCK_MONOTONIC, &began);
    log_close(SPAN_MS(20));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_ge((ended.tv_sec - began.tv_sec) * 1000000000 + ended.tv_nsec - began.tv_nsec, 20000000);

    while (room > 0) {
        ssize_t n = read(ends[0], full, (size_t)room);
        ck_assert_int_gt(n, 0);
        room -= (int)n;
    }
    log_close(SPAN_S(10));
    ssize_t size = read(ends[0], got, sizeof got - 1);
    ck_assert_int_gt(size, 0);
    got[size] = '\0';
    ck_assert_ptr_nonnull(strstr(got, "msg=\"the last one\"\n"));
}
END_TEST

/* A thousand lines of one kind are no more than may be written in the seconds that they take; the rest is counted, and no other kind is hurt. */
START_TEST(log__of_one_kind_so_many_a_second)
{
    enum { LINES = 1000 };
    static char got[LOG_QUEUE_BYTES];
    int ends[2], written = 0, again = 0, left_out = 0, others = 0;
    struct timespec began, ended;
    ck_assert_int_eq(pipe(ends), 0);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT, .fd = ends[1]});
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < LINES; i++) {
        log_event(LOG_LEVEL_WARN, "a target is away", LOG_NUMBER("n", i));
        if (i % 100 == 0)
            log_event(LOG_LEVEL_INFO, "another", LOG_NUMBER("n", i));
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    /* The count comes with the first line of a later second, and once. */
    struct timespec now = ended;
    for (int later = 0; later < 2; later++) {
        for (time_t second = now.tv_sec; now.tv_sec == second;)
            clock_gettime(CLOCK_MONOTONIC, &now);
        log_say(LOG_LEVEL_INFO, "later");
        log_event(LOG_LEVEL_WARN, "a target is away", LOG_NUMBER("again", later));
    }
    log_close(SPAN_S(10));
    drain(ends[0], got, sizeof got);
    for (char *at = strtok(got, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        int n;
        written += strstr(at, "msg=\"a target is away\" n=") != NULL;
        again += strstr(at, "msg=\"a target is away\" again=") != NULL;
        others += strstr(at, "msg=another") != NULL;
        if (strstr(at, "what=\"a target is away\"") != NULL) {
            ck_assert_int_eq(sscanf(strstr(at, " lines="), " lines=%d", &n), 1);
            left_out += n;
        }
    }
    ck_assert_int_eq(again, 2); /* each second has lines of its own */
    ck_assert_int_eq(written + left_out, LINES);
    ck_assert_int_ge(written, LOG_KIND_LINES);
    ck_assert_int_le(written, LOG_KIND_LINES * (int)(ended.tv_sec - began.tv_sec + 1));
    ck_assert_int_eq(others, 10);
}
END_TEST

/* What a listener has heard; it may count without a lock, as one line is told at a time. */
struct heard {
    unsigned lines;
    bool gone; /* nothing may be heard any more */
};

static void hear(void *self, const struct log_entry *entry)
{
    struct heard *h = self;
    ck_assert(!h->gone);
    ck_assert_str_eq(entry->text, "it ran");
    ck_assert_uint_eq(entry->field_count, 1);
    h->lines++;
}

static void *log_many(void *unused)
{
    for (int i = 0; i < 2000; i++)
        log_event(LOG_LEVEL_DEBUG, "it ran", LOG_NUMBER("n", i));
    return unused;
}

START_TEST(log__who_listens_hears_each_line_once_until_he_has_gone)
{
    static struct heard first, second;
    pthread_t threads[4];
    int nowhere = open("/dev/null", O_WRONLY);
    log_open(&(struct log_options){.level = LOG_LEVEL_DEBUG, .format = LOG_FORMAT_LOGFMT, .fd = nowhere});
    log_listen(hear, &first);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    log_listen(hear, &second); /* while they log */
    first.gone = true;
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(first.lines + second.lines, 4 * 2000);
    log_listen(NULL, NULL);
    second.gone = true;
    log_many(NULL);
    log_set_level(LOG_LEVEL_INFO);
    log_close(SPAN_S(10));
    close(nowhere);
}
END_TEST

static char heard_line[LOG_LINE_SIZE];

static void hear_whole(void *self, const struct log_entry *entry)
{
    (*(unsigned *)self)++;
    log_line(LOG_FORMAT_LOGFMT, entry->at, entry->level, entry->text, entry->fields, entry->field_count, heard_line);
}

/* Whether it says more or not. */
START_TEST(log__who_listens_hears_what_is_written_and_as_it_is)
{
    unsigned lines = 0;
    int nowhere = open("/dev/null", O_WRONLY);
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_JSON, .fd = nowhere});
    log_listen(hear_whole, &lines);
    log_say(LOG_LEVEL_WARN, "without a word more");
    ck_assert_uint_eq(lines, 1);
    ck_assert_ptr_nonnull(strstr(heard_line, " level=warn msg=\"without a word more\"\n"));
    log_event(LOG_LEVEL_ERROR, "with two", LOG_TEXT("a", "b"), LOG_NUMBER("n", -7));
    ck_assert_uint_eq(lines, 2);
    ck_assert_ptr_nonnull(strstr(heard_line, " level=error msg=\"with two\" a=b n=-7\n"));
    log_say(LOG_LEVEL_INFO, "of no interest");
    ck_assert_uint_eq(lines, 2);
    log_listen(NULL, NULL);
    log_set_level(LOG_LEVEL_INFO);
    log_close(SPAN_S(10));
    close(nowhere);
}
END_TEST

static void hear_and_fail(void *self, const struct log_entry *entry)
{
    (void)self;
    (void)entry;
    errno = EIO;
}

/* What went wrong is often told of before it is looked at. */
START_TEST(log__leaves_errno_as_it_was)
{
    int nowhere = open("/dev/null", O_WRONLY);
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT, .fd = nowhere});
    log_listen(hear_and_fail, NULL);
    errno = ENOENT;
    log_say(LOG_LEVEL_INFO, "a line");
    ck_assert_int_eq(errno, ENOENT);
    log_listen(NULL, NULL);
    log_close(SPAN_S(10));
    close(nowhere);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, log__logfmt_is_one_line_of_pairs);
    tcase_add_test(lines, log__json_is_one_object);
    tcase_add_test(lines, log__values_cannot_forge_anything);
    tcase_add_test(lines, log__logfmt_quotes_what_is_no_word);
    tcase_add_test(lines, log__what_is_not_utf8_is_replaced);
    tcase_add_test(lines, log__every_byte_gives_valid_json);
    tcase_add_test(lines, log__long_values_are_cut);
    tcase_add_test(lines, log__lines_are_bounded);
    tcase_add_test(lines, log__lines_end_well_at_every_length);
    tcase_add_test(lines, log__writes_what_is_grave_enough);
    tcase_add_test(lines, log__nobody_waits_for_its_reader);
    tcase_add_test(lines, log__the_queue_takes_what_just_fits);
    tcase_add_test(lines, log__a_full_non_blocking_pipe_is_waited_for);
    tcase_add_test(lines, log__the_end_waits_for_the_lines_that_are_being_written);
    tcase_add_test(lines, log__of_one_kind_so_many_a_second);
    tcase_add_test(lines, log__who_listens_hears_each_line_once_until_he_has_gone);
    tcase_add_test(lines, log__who_listens_hears_what_is_written_and_as_it_is);
    tcase_add_test(lines, log__leaves_errno_as_it_was);
    tcase_set_timeout(lines, 20);
    suite_add_tcase(suite, lines);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
