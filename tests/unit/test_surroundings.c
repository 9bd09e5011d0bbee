/* What a start tells of the machine: a data directory that others may write in or that does not stay, more loops than cores. tests.mk wraps what
 * it asks. */
#include "sidecar/runtime/surroundings.h"

#include "sidecar/observe/log.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char lines[2048];
static const char *mounts; /* what /proc/self/mountinfo says; NULL: nothing */
static int cores;
static char dir[64], inner[80];
static struct config config;

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);
FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
    strcat(lines, strchr(line, ' ') + 1);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    ck_assert_str_eq(path, "/proc/self/mountinfo");
    return mounts == NULL ? NULL : fmemopen((void *)(uintptr_t)mounts, strlen(mounts), mode);
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    (void)pid;
    (void)size;
    CPU_ZERO(set);
    for (int i = 0; i < cores; i++)
        CPU_SET(i, set);
    return cores == 0 ? -1 : 0;
}

static void setup(void)
{
    strcpy(dir, "/tmp/saga-surroundings-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(inner, sizeof inner, "%s/data", dir);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    config = (struct config){.loops = 2, .data_dir = inner, .store = ""};
    cores = 2;
    mounts = NULL;
    lines[0] = '\0';
}

static void teardown(void)
{
    ck_assert(rmdir(inner) == 0 && rmdir(dir) == 0);
}

static const char *told(void)
{
    lines[0] = '\0';
    surroundings_tell(&config);
    return lines;
}

START_TEST(surroundings__a_directory_of_ones_own_is_nothing_to_tell)
{
    ck_assert_str_eq(told(), "");
    config.data_dir = "/nowhere";
    ck_assert_str_eq(told(), "");
}
END_TEST

START_TEST(surroundings__a_directory_that_others_may_write_in)
{
    static const struct {
        mode_t mode;
        const char *text;
    } rows[] = {{0755, NULL}, {0720, "mode=0720"}, {0702, "mode=0702"}, {01777, "mode=1777"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[256] = "";
        ck_assert_int_eq(chmod(inner, rows[i].mode), 0);
        if (rows[i].text != NULL)
            snprintf(line, sizeof line,
                     "level=warn msg=\"others may write in the data directory, and so remove the journal\" data_dir=%s "
                     "%s\n",
                     inner, rows[i].text);
        ck_assert_str_eq(told(), line);
    }
}
END_TEST

START_TEST(surroundings__more_loops_than_cores)
{
    config.loops = 3;
    ck_assert_str_eq(told(),
                     "level=warn msg=\"there are more loops than cores: a saga costs two to four times as much, "
                     "and fewer are done\" loops=3 cores=2\n");
    cores = 3;
    ck_assert_str_eq(told(), "");
    cores = 0; /* nobody knows */
    ck_assert_str_eq(told(), "");
}
END_TEST

#define DISK  "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
#define TMPFS "30 29 0:26 / %s rw - tmpfs tmpfs rw\n"
#define EMPTY "31 29 8:1 /var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/data %s rw - ext4 /dev/sda1 rw\n"
#define BOUND "32 29 8:1 /var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/data %s rw - ext4 /dev/sdb1 rw\n"

/* The mount that the directory lies in is the innermost, and the last where two are at one place. */
START_TEST(surroundings__a_directory_that_does_not_stay)
{
    char beside[96], prefix[96], other[96];
    snprintf(beside, sizeof beside, "%s-other", inner);
    snprintf(prefix, sizeof prefix, "%.*s", (int)strlen(inner) - 1, inner);
    snprintf(other, sizeof other, "%.*s.", (int)strlen(dir) - 1, dir);
    const struct {
        const char *format, *first, *second, *kind;
    } rows[] = {
        {DISK, "", "", NULL},
        {DISK TMPFS, inner, "", "\"memory (tmpfs)\""},
        {DISK EMPTY, inner, "", "\"an emptyDir\""},
        {DISK EMPTY, dir, "", "\"an emptyDir\""},
        {DISK TMPFS EMPTY, dir, inner, "\"an emptyDir\""},
        {DISK EMPTY TMPFS, inner, dir, "\"an emptyDir\""}, /* whatever the order */
        {DISK TMPFS BOUND, dir, inner, NULL},              /* a volume that stays, within memory */
        {DISK TMPFS BOUND, inner, inner, NULL},            /* and above it */
        {DISK BOUND TMPFS, inner, inner, "\"memory (tmpfs)\""},
        {DISK TMPFS, beside, "", NULL},
        {DISK TMPFS, prefix, "", NULL},
        {DISK TMPFS, other, "", NULL},
        {"30 29 0:26 / / rw - tmpfs tmpfs rw\n", "", "", "\"memory (tmpfs)\""},
        {"nonsense\n" DISK TMPFS, inner, "", "\"memory (tmpfs)\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2048], line[400] = "";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, rows[i].format, rows[i].first, rows[i].second);
#pragma GCC diagnostic pop
        mounts = text;
        if (rows[i].kind != NULL)
            snprintf(
                line, sizeof line,
                "level=warn msg=\"the journal will be lost with the pod or the machine: its directory is none that "
                "stays\" data_dir=%s kind=%s\n",
                inner, rows[i].kind);
        ck_assert_msg(strcmp(told(), line) == 0, "%zu: %s", i, lines);
    }
    config.store = "postgresql://db"; /* where the journal is kept, and not there */
    ck_assert_str_eq(told(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("surroundings");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, surroundings__a_directory_of_ones_own_is_nothing_to_tell);
    tcase_add_test(t, surroundings__a_directory_that_others_may_write_in);
    tcase_add_test(t, surroundings__more_loops_than_cores);
    tcase_add_test(t, surroundings__a_directory_that_does_not_stay);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
