/* Where the keys of a journal come from: files that nobody else may read, or a command that has its time and its room. tests.mk wraps the clock. */
#include "sidecar/runtime/keys.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct config config;
static struct keys keys;
static struct error_detail detail;
static char dir[64], one[96], two[96], script[96], command[512];
static int64_t later_ms;        /* what the clock says when it is asked again */
static int64_t after_signal_ms; /* and once a signal has come */
static volatile sig_atomic_t signals;
static unsigned asked;

int __wrap_clock_gettime(clockid_t id, struct timespec *t);

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    (void)id;
    int64_t ms = 5000000 + (asked++ == 0 ? 0 : signals > 0 ? after_signal_ms : later_ms);
    *t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    return 0;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void setup(void)
{
    strcpy(dir, "/tmp/saga-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(one, sizeof one, "%s/one", dir);
    snprintf(two, sizeof two, "%s/two", dir);
    snprintf(script, sizeof script, "%s/script", dir);
    config = (struct config){
        .encryption_key_file = "", .audit_key_file = "", .encryption_key_command = "", .data_dir = "", .store = ""};
    later_ms = after_signal_ms = 0;
    asked = 0;
    signals = 0;
    memset(&keys, 0x55, sizeof keys);
    detail = (struct error_detail){.text = ""};
}

static void teardown(void)
{
    remove(one);
    remove(two);
    remove(script);
    rmdir(dir);
}

static bool all_zero(const struct seal_keys *k)
{
    const uint8_t *at = (const uint8_t *)k;
    for (size_t i = 0; i < sizeof *k; i++)
        if (at[i] != 0)
            return false;
    return true;
}

static void assert_key(const struct seal_keys *k, size_t at, const char *name, uint8_t byte)
{
    ck_assert_uint_gt(k->count, at);
    ck_assert_str_eq(k->keys[at].name, name);
    for (size_t i = 0; i < SEAL_KEY_SIZE; i++)
        ck_assert_uint_eq(k->keys[at].bytes[i], byte);
}

/* Whatever is wrong, no key stays in memory. */
static void assert_refused(int code, const char *field, const char *words)
{
    int before = dup(STDIN_FILENO); /* the first number that is free */
    close(before);
    ck_assert_int_eq(keys_read(&config, &keys, &detail), code);
    ck_assert_str_eq(detail.field, field);
    ck_assert_msg(strstr(detail.text, words) != NULL, "\"%s\" is not in \"%s\"", words, detail.text);
    ck_assert(all_zero(&keys.encryption) && all_zero(&keys.chain));
    if (config.encryption_key_command[0] == '\0') /* whoever asks for the files alone hears the same */
        ck_assert_int_eq(keys_read_files(&config, &keys, &detail), code);
    ck_assert(all_zero(&keys.encryption) && all_zero(&keys.chain));
    ck_assert_int_eq(dup(STDIN_FILENO), before);
    close(before);
}

/* ---- files ---- */

START_TEST(keys__each_file_is_for_its_purpose)
{
    write_file(one, "first " A64 "\nsecond " B64 "\n", 0640);
    write_file(two, "chain " B64 "\n", 0600);
    config.encryption_key_file = one;
    config.audit_key_file = two;
    ck_assert_int_eq(keys_read_files(&config, &keys, &detail), 0);
    ck_assert_uint_eq(keys.encryption.count, 2);
    assert_key(&keys.encryption, 0, "first", 0xaa);
    assert_key(&keys.encryption, 1, "second", 0xbb);
    ck_assert_uint_eq(keys.chain.count, 1);
    assert_key(&keys.chain, 0, "chain", 0xbb);
    keys_forget(&keys);
    ck_assert(all_zero(&keys.encryption) && all_zero(&keys.chain));
    config.encryption_key_file = "";
    ck_assert_int_eq(keys_read(&config, &keys, &detail), 0);
    ck_assert_uint_eq(keys.encryption.count, 0);
    ck_assert_uint_eq(keys.chain.count, 1);
}
END_TEST

START_TEST(keys__a_file_that_is_wrong_is_named_by_its_option)
{
    write_file(one, "first " A64 "\n", 0600);
    write_file(two, "chain " A64 "\n", 0604);
    config.encryption_key_file = one;
    config.audit_key_file = two;
    assert_refused(E_ARGUMENT, "audit_key_file",
                   "everybody on the machine can read the file of keys: take that away (chmod o-r)");
    write_file(two, "chain abc\n", 0600);
    assert_refused(E_ARGUMENT, "audit_key_file", "line 1");
    remove(two);
    assert_refused(E_SYSTEM, "audit_key_file", "No such file or directory");
    ck_assert_ptr_nonnull(strstr(detail.text, two));
    config.encryption_key_file = two;
    config.audit_key_file = one;
    assert_refused(E_SYSTEM, "encryption_key_file", two);
}
END_TEST

/* ---- a command ---- */

/* A script of these lines is the command, with arguments. */
static void command_is(const char *lines, const char *arguments)
{
    char text[1024];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", lines);
    write_file(script, text, 0700);
    snprintf(command, sizeof command, "%s%s", script, arguments);
    config.encryption_key_command = command;
}

START_TEST(keys__a_command_is_given_its_words_and_nothing_else)
{
    int standard_input[2];
    ck_assert_int_eq(pipe(standard_input), 0);
    ck_assert_int_eq(write(standard_input[1], "a line\n", 7), 7);
    ck_assert_int_eq(dup2(standard_input[0], STDIN_FILENO), STDIN_FILENO);
    setenv("SAGA_TEST_KEY", B64, 1);
    int before = dup(STDIN_FILENO);
    close(before);
    command_is("read line && exit 9\n"
               "[ $# = 3 ] && [ \"$3\" = \"'c\" ] || exit 7\n"
               "echo \"$1$2 $SAGA_TEST_KEY\"",
               " \ta \t b  'c ");
    ck_assert_msg(keys_read(&config, &keys, &detail) == 0, "%s", detail.text);
    ck_assert_uint_eq(keys.encryption.count, 1);
    assert_key(&keys.encryption, 0, "ab", 0xbb);
    ck_assert_uint_eq(keys.chain.count, 0);
    int after = dup(STDIN_FILENO); /* what it was heard by is closed */
    ck_assert_int_eq(after, before);
    close(after);
}
END_TEST

/* A sidecar's threads block the signals that it waits for; a command must be able to be ended by them. */
START_TEST(keys__a_command_blocks_no_signals)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &ours, NULL), 0);
    config.encryption_key_command = "sed -n s/^SigBlk:.0*$/first\\x20" A64 "/p /proc/self/status";
    ck_assert_msg(keys_read(&config, &keys, &detail) == 0, "%s", detail.text);
    ck_assert_uint_eq(keys.encryption.count, 1);
}
END_TEST

START_TEST(keys__a_file_goes_before_a_command)
{
    write_file(one, "first " A64 "\n", 0600);
    command_is("exit 1", "");
    config.encryption_key_file = one;
    ck_assert_int_eq(keys_read(&config, &keys, &detail), 0);
    assert_key(&keys.encryption, 0, "first", 0xaa);
    /* The files alone ask no command. */
    config.encryption_key_file = "";
    ck_assert_int_eq(keys_read_files(&config, &keys, &detail), 0);
    ck_assert_uint_eq(keys.encryption.count, 0);
    /* One that fails takes what the files held with it. */
    config.audit_key_file = one;
    assert_refused(E_SYSTEM, "encryption_key_command", "it failed; what it says is on standard error");
    /* And one that would go well makes no file good. */
    command_is("echo first " A64, "");
    config.audit_key_file = two;
    assert_refused(E_SYSTEM, "audit_key_file", two);
}
END_TEST

START_TEST(keys__a_command_that_cannot_be_run)
{
    char words[256] = "true";
    for (int i = 1; i < 32; i++)
        strcat(words, " w");
    config.encryption_key_command = words;
    ck_assert_int_eq(keys_read(&config, &keys, &detail), E_ARGUMENT); /* it runs, and says no key */
    ck_assert_ptr_null(strstr(detail.text, "32 words"));
    strcat(words, " w");
    assert_refused(E_ARGUMENT, "encryption_key_command", "names no program, or has more than 32 words");
    config.encryption_key_command = " \t ";
    assert_refused(E_ARGUMENT, "encryption_key_command", "names no program, or has more than 32 words");
    config.encryption_key_command = "/no/such/program with words";
    assert_refused(E_SYSTEM, "encryption_key_command", "cannot run /no/such/program: No such file or directory");
}
END_TEST

START_TEST(keys__a_command_that_ends_badly)
{
    command_is("echo first " A64 "; exit 3", "");
    assert_refused(E_SYSTEM, "encryption_key_command", "it failed");
    command_is("echo first " A64 "; kill -9 $$", "");
    assert_refused(E_SYSTEM, "encryption_key_command", "it failed");
    command_is("echo first abc", "");
    assert_refused(E_ARGUMENT, "encryption_key_command", "line 1");
}
END_TEST

START_TEST(keys__a_command_has_room_and_time)
{
    /* Up to 64 KiB, however they come. */
    command_is("echo first " A64 "\nhead -c 60000 /dev/zero | tr '\\0' '\\n'", "");
    ck_assert_msg(keys_read(&config, &keys, &detail) == 0, "%s", detail.text);
    assert_key(&keys.encryption, 0, "first", 0xaa);
    command_is("echo first " A64 "\nhead -c 70000 /dev/zero | tr '\\0' '\\n'", "");
    assert_refused(E_SYSTEM, "encryption_key_command", "it did not say the keys within 30 s and in 64 KiB");
    /* Almost half a minute may be over. */
    command_is("echo first " A64, "");
    later_ms = 29000;
    asked = 0;
    ck_assert_msg(keys_read(&config, &keys, &detail) == 0, "%s", detail.text);
    /* It is not waited for longer, and it does not stay. */
    command_is("exec sleep 1000", "");
    later_ms = 29999;
    asked = 0;
    assert_refused(E_SYSTEM, "encryption_key_command", "it did not say the keys within 30 s and in 64 KiB");
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* Counts only where the command listens at `two`, which then goes on. */
static void note_signal(int number)
{
    (void)number;
    int fd = open(two, O_WRONLY | O_NONBLOCK | O_CLOEXEC), kept = errno;
    if (fd >= 0) {
        close(fd);
        signals = 1;
    }
    errno = kept;
}

/* One of ours makes the wait for it neither shorter nor longer. */
START_TEST(keys__a_signal_ends_no_wait_for_a_command)
{
    const struct itimerval often = {.it_interval.tv_usec = 20000, .it_value.tv_usec = 20000}, never = {0};
    const struct sigaction act = {.sa_handler = note_signal};
    char waits[256];
    ck_assert_int_eq(sigaction(SIGALRM, &act, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    ck_assert_int_eq(mkfifo(two, 0600), 0);
    snprintf(waits, sizeof waits, "cat %s; echo first " A64, two);
    command_is(waits, "");
    ck_assert_msg(keys_read(&config, &keys, &detail) == 0, "%s", detail.text);
    assert_key(&keys.encryption, 0, "first", 0xaa);
    ck_assert_int_eq(signals, 1);
    signals = 0;
    asked = 0;
    after_signal_ms = 30000; /* its time is over */
    snprintf(waits, sizeof waits, "cat %s; exec sleep 1000", two);
    command_is(waits, "");
    assert_refused(E_SYSTEM, "encryption_key_command", "it did not say the keys within 30 s and in 64 KiB");
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("keys");
    TCase *t = tcase_create("keys");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, keys__each_file_is_for_its_purpose);
    tcase_add_test(t, keys__a_file_that_is_wrong_is_named_by_its_option);
    tcase_add_test(t, keys__a_command_is_given_its_words_and_nothing_else);
    tcase_add_test(t, keys__a_command_blocks_no_signals);
    tcase_add_test(t, keys__a_file_goes_before_a_command);
    tcase_add_test(t, keys__a_command_that_cannot_be_run);
    tcase_add_test(t, keys__a_command_that_ends_badly);
    tcase_add_test(t, keys__a_command_has_room_and_time);
    tcase_add_test(t, keys__a_signal_ends_no_wait_for_a_command);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *r = srunner_create(suite());
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
