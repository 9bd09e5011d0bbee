/* Who is shut out when somebody's calls are too many: whoever has sent most since the look before, not whoever has been there longest. */
#include "sidecar/base/account.h"
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/until.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct rpc room;
static struct rpc_listening listening;
static struct rpc *rooms[] = {&room};
static struct rpc_guard *guard;
static int64_t now_ms;
static unsigned cut;
static char why[128];

static void on_cut(void *self, const char *text, unsigned count)
{
    (void)self;
    snprintf(why, sizeof why, "%s", text);
    cut += count;
}

/* ---- tests.mk wraps these ---- */

enum { LOOPS_CLOCK = 12345 }; /* of the work that the loop has done: the test says how much */

static int64_t worked_ms;
static unsigned wakes;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
void __wrap_rpc_wake(struct rpc *r);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    if (clock != LOOPS_CLOCK)
        return __real_clock_gettime(clock, t);
    *t = (struct timespec){.tv_sec = worked_ms / 1000, .tv_nsec = worked_ms % 1000 * 1000000};
    return 0;
}

void __wrap_rpc_wake(struct rpc *r)
{
    ck_assert_ptr_eq(r, &room);
    wakes++;
}

struct pair {
    int here, there; /* accepted, and whoever connected */
};

static struct pair connected(void)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    ck_assert_int_eq(getsockname(listening.fd, (struct sockaddr *)&at, &size), 0);
    struct pair p = {.there = socket(at.ss_family, SOCK_STREAM, 0)};
    ck_assert_int_eq(connect(p.there, (struct sockaddr *)&at, size), 0);
    p.here = accept(listening.fd, NULL, NULL);
    ck_assert_int_ge(p.here, 0);
    return p;
}

/* It sends so much, which is read. */
static void sends(struct pair p, size_t size)
{
    static char piece[4096];
    for (size_t sent = 0; sent < size; sent += sizeof piece) {
        ck_assert_int_eq(send(p.there, piece, sizeof piece, 0), sizeof piece);
        for (size_t got = 0; got < sizeof piece;) {
            ssize_t more = recv(p.here, piece, sizeof piece - got, 0);
            ck_assert_int_gt(more, 0);
            got += (size_t)more;
        }
    }
}

static bool is_out(struct pair p)
{
    char byte;
    ssize_t size = recv(p.there, &byte, 1, MSG_DONTWAIT);
    return size == 0 || (size < 0 && errno != EAGAIN);
}

/* A look, since the last of which so many calls have ended, of them so many by a reset. */
static void look_after(unsigned resets, unsigned ends)
{
    const struct rpc_watched w = {.rooms = rooms, .room_count = 1, .listenings = &listening, .listening_count = 1};
    atomic_fetch_add(&room.resets, resets);
    atomic_fetch_add(&room.ends, ends);
    now_ms += 60000;
    rpc_guard_turn(guard, &w, now_ms);
}

/* As many are reset as nobody resets who has only changed his mind. */
static void look(void)
{
    look_after(1000, 1000);
}

static void setup(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listening.fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening.fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listening.fd, 8), 0);
    room.callbacks.on_cut = on_cut;
    guard = rpc_guard_create();
}

static void teardown(void)
{
    free(guard);
}

START_TEST(guard__whoever_sent_most_lately_is_shut_out)
{
    struct pair old = connected(), loud = connected(), quiet = connected();
    sends(old, 1 << 20);
    look(); /* the first look only counts */
    ck_assert_uint_eq(cut, 0);
    sends(loud, 1 << 16);
    sends(quiet, 1 << 12);
    look();
    ck_assert_uint_eq(cut, 1);
    ck_assert_ptr_nonnull(strstr(why, "keeps a loop from everything else"));
    UNTIL(is_out(loud));
    ck_assert(!is_out(old) && !is_out(quiet));
    look(); /* nobody has sent anything since */
    ck_assert_uint_eq(cut, 1);
}
END_TEST

/* Of a unix socket nobody counts what has come, but what lies there unread is seen. */
START_TEST(guard__what_a_unix_socket_has_sent_and_nobody_read_counts)
{
    const struct sockaddr_un unnamed = {.sun_family = AF_UNIX}; /* the system finds a name */
    static const char piece[32768];
    listening.fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening.fd, (const struct sockaddr *)&unnamed, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(listening.fd, 8), 0);
    struct pair quiet = connected(), loud = connected();
    look();
    ck_assert_uint_eq(cut, 0);
    ck_assert_int_eq(send(loud.there, piece, sizeof piece, 0), sizeof piece);
    look();
    ck_assert_uint_eq(cut, 1);
    UNTIL(is_out(loud));
    ck_assert(!is_out(quiet));
}
END_TEST

/* Many at once, or most of all that there are: not those of a day together. */
START_TEST(guard__calls_that_are_reset_are_counted_from_look_to_look)
{
    static const struct {
        unsigned resets, ends;
        bool many;
    } cases[] = {{499, 1000000, false}, {500, 1000000, true}, {49, 49, false}, {50, 100, false}, {50, 99, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair loud = connected();
        cut = 0;
        for (int looks = 0; looks < 4 && cut == 0; looks++) {
            sends(loud, 1 << 16);
            look_after(cases[i].resets, cases[i].ends);
        }
        ck_assert_msg((cut > 0) == cases[i].many, "%u of %u", cases[i].resets, cases[i].ends);
        close(loud.here);
        close(loud.there);
    }
}
END_TEST

/* The loop has worked for so long since the look before, and has come back from C core or has not. */
static void look_at_loop(int64_t ms, bool came_back)
{
    worked_ms += ms;
    if (came_back)
        atomic_fetch_add(&room.progress, 2);
    look_after(0, 0);
}

/* A loop that works within C core for longer than 35 ms is woken; one that works on for 15 ms and does not come back is held. */
START_TEST(guard__a_loop_that_does_not_come_back_is_held)
{
    static const struct {
        int64_t doubted_ms, held_ms;
        bool comes_back, doubted, held;
    } cases[] = {{35, 100, false, false, false},
                 {36, 15, false, true, false},
                 {36, 16, false, true, true},
                 {1000, 1000, true, true, false}};
    room.poller = LOOPS_CLOCK;
    atomic_store(&room.progress, 1);
    atomic_store(&room.polled, true);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pair loud = connected();
        wakes = cut = 0;
        look_at_loop(0, true);
        look_at_loop(cases[i].doubted_ms, false);
        ck_assert_uint_eq(wakes, cases[i].doubted);
        sends(loud, 1 << 16);
        if (!cases[i].doubted)
            continue;
        look_at_loop(cases[i].held_ms, cases[i].comes_back);
        ck_assert_uint_eq(wakes, 1); /* once is enough */
        ck_assert_msg(cut == cases[i].held, "case %zu", i);
        close(loud.here);
        close(loud.there);
    }
    /* One that waits within C core is not doubted, whatever its thread does; nor one that has not begun. */
    struct pair loud = connected();
    wakes = cut = 0;
    atomic_store(&room.progress, 100);
    for (int i = 0; i < 3; i++) {
        sends(loud, 1 << 16);
        look_at_loop(100, false);
    }
    ck_assert_uint_eq(wakes + cut, 0);
}
END_TEST

/* On a busy machine a loop gets little of the processor: what it does in many looks is no sign, unless it has been woken since. */
START_TEST(guard__a_loop_that_works_little_by_little_is_not_held)
{
    struct pair loud = connected();
    room.poller = LOOPS_CLOCK;
    atomic_store(&room.progress, 1);
    atomic_store(&room.polled, true);
    for (int i = 0; i < 200; i++) {
        sends(loud, 1 << 12);
        look_at_loop(1, false);
    }
    ck_assert_uint_eq(wakes, 0);
    look_at_loop(40, false);
    ck_assert_uint_eq(wakes, 1);
    for (int i = 0; i < 80 && cut == 0; i++) { /* however little by little it is then */
        sends(loud, 1 << 15);
        worked_ms += i % 3 == 0;
        look_after(0, 0);
    }
    ck_assert_uint_eq(wakes, 1);
    ck_assert_uint_eq(cut, 1);
}
END_TEST

/* A socket that the process has twice is shut out, and counted, once; and looks leave no file open. */
START_TEST(guard__a_socket_is_counted_once)
{
    struct pair loud = connected();
    int again = dup(loud.here), lowest = dup(again);
    close(lowest);
    look();
    sends(loud, 1 << 16);
    look();
    ck_assert_uint_eq(cut, 1);
    UNTIL(is_out(loud));
    int now = dup(again);
    ck_assert_int_eq(now, lowest);
    close(now);
    close(again);
}
END_TEST

/* Also over IPv6. */
START_TEST(guard__whoever_comes_over_the_other_family_is_shut_out)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int other = socket(AF_INET6, SOCK_STREAM, 0);
    if (other < 0 || bind(other, (struct sockaddr *)&at, sizeof at) != 0)
        return; /* a machine without IPv6 */
    ck_assert_int_eq(listen(other, 8), 0);
    close(listening.fd);
    listening.fd = other;
    struct pair loud = connected(), quiet = connected();
    look();
    sends(loud, 1 << 16);
    sends(quiet, 1 << 12);
    look();
    ck_assert_uint_eq(cut, 1);
    UNTIL(is_out(loud));
    ck_assert(!is_out(quiet));
}
END_TEST

/* Half as much as the most is as bad; what is little is nobody's trouble. */
START_TEST(guard__all_that_sent_about_as_much_go_together)
{
    struct pair first = connected(), second = connected(), third = connected();
    look();
    sends(first, 1 << 13);
    look();
    ck_assert_uint_eq(cut, 0);
    sends(first, 1 << 17);
    sends(second, 1 << 16);
    sends(third, (1 << 16) - 4096);
    look();
    ck_assert_uint_eq(cut, 2);
    UNTIL(is_out(first) && is_out(second));
    ck_assert(!is_out(third));
}
END_TEST

/* What one has sent that is gone since shields nobody who sends less. */
START_TEST(guard__whoever_is_gone_is_forgotten)
{
    struct pair gone = connected(), loud = connected();
    sends(gone, 1 << 20);
    look();
    close(gone.here);
    close(gone.there);
    sends(loud, 1 << 16);
    look();
    ck_assert_uint_eq(cut, 1);
    UNTIL(is_out(loud));
}
END_TEST

/* A socket that was accepted elsewhere is none of the door's. */
START_TEST(guard__nobody_else_is_looked_at)
{
    int other[2];
    char piece[65536] = {0};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
    struct pair loud = connected();
    look();
    sends(loud, 1 << 15);
    ck_assert_int_gt(send(other[0], piece, sizeof piece, MSG_DONTWAIT), 0);
    look();
    ck_assert_uint_eq(cut, 1);
    UNTIL(is_out(loud));
    ck_assert_int_gt(recv(other[1], piece, sizeof piece, MSG_DONTWAIT), 0);
    ck_assert_int_gt(send(other[0], "x", 1, 0), 0);
}
END_TEST

/* In how many milliseconds it looks again, asked so much later. */
static int looks_in(int64_t later_ms)
{
    const struct rpc_watched w = {.rooms = rooms, .room_count = 1, .listenings = &listening, .listening_count = 1};
    now_ms += later_ms;
    return rpc_guard_turn(guard, &w, now_ms);
}

/* Who does nothing is looked at seldom, and hardly ever while nobody is connected; a loop that has something to do wakes it. */
START_TEST(guard__sleeps_while_nothing_happens)
{
    UNTIL(looks_in(60000) == 60000);
    ck_assert(atomic_load(&room.guard_sleeps));
    ck_assert_int_eq(looks_in(1000), 59000); /* not yet */
    atomic_store(&room.guard_sleeps, false);
    ck_assert_int_eq(looks_in(1), 50);
    ck_assert(!atomic_load(&room.guard_sleeps));
    ck_assert_int_eq(looks_in(10), 40);
    struct pair p = connected();
    UNTIL(looks_in(2000) == 2000);
    ck_assert(atomic_load(&room.guard_sleeps));
    close(p.here);
    close(p.there);
}
END_TEST

/* ---- memory ---- */

enum { MB = 1 << 20, BLOCKS = 64 };

static void *blocks[BLOCKS * 1024 + 1];

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(f, "%*u %lu", &pages), 1);
    fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void take(size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        memset(blocks[i], 1, size);
    }
}

static void give_back(size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
}

/* At fifteen sixteenths of what it may have, also when that is mapped in large pieces. */
START_TEST(guard__a_process_has_come_to_its_memory)
{
    size_t sizes[] = {MB, 1024}, size = sizes[_i], count = (size_t)BLOCKS * MB / size;
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    take(count, size);
    atomic_store(&account.max, 2 * resident());
    looks_in(60000);
    ck_assert(!atomic_load(&account.pressed));
    atomic_store(&account.max, resident() + resident() / 32); /* not yet, and yet as good as */
    looks_in(60000);
    ck_assert(atomic_load(&account.pressed));
    /* Who sends then is shut out, as the look before has counted. */
    struct pair loud = connected();
    atomic_store(&account.max, resident() + resident() / 32);
    looks_in(60000);
    ck_assert_uint_eq(cut, 0);
    sends(loud, 1 << 16);
    looks_in(60000);
    ck_assert_uint_eq(cut, 1);
    ck_assert_ptr_nonnull(strstr(why, "memory_bytes_max is reached"));
    UNTIL(is_out(loud));
    give_back(count);
    looks_in(60000);
    ck_assert(!atomic_load(&account.pressed));
    atomic_store(&account.max, 0);
}
END_TEST

/* What the C library keeps for later is not what the process has: it is given back, though not again and again. */
START_TEST(guard__memory_that_is_only_kept_is_given_back)
{
    enum { SIZE = 1024, COUNT = BLOCKS * 1024 };
    for (int round = 0; round < 3; round++) {
        size_t before = resident();
        take(COUNT + 1, SIZE);
        give_back(COUNT); /* one stays: or the end of the heap would go by itself */
        size_t kept = resident();
        ck_assert_uint_gt(kept, before + BLOCKS / 2 * MB);
        atomic_store(&account.max, kept);
        looks_in(60000);
        ck_assert(!atomic_load(&account.pressed));
        ck_assert_uint_lt(resident(), before + BLOCKS / 4 * MB);
        void *last = blocks[COUNT];
        take(COUNT + 1, SIZE);
        give_back(COUNT);
        looks_in(4900); /* too soon */
        ck_assert_uint_gt(resident(), before + BLOCKS / 2 * MB);
        free(blocks[COUNT]);
        free(last);
        malloc_trim(0);
    }
    atomic_store(&account.max, 0);
}
END_TEST

#ifdef __SANITIZE_ADDRESS__ /* it has one of its own */
#define HEAP_IS_THE_LIBRARYS false
#else
#define HEAP_IS_THE_LIBRARYS true
#endif

int main(void)
{
    Suite *s = suite_create("guard");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, guard__whoever_sent_most_lately_is_shut_out);
    tcase_add_test(t, guard__what_a_unix_socket_has_sent_and_nobody_read_counts);
    tcase_add_test(t, guard__calls_that_are_reset_are_counted_from_look_to_look);
    tcase_add_test(t, guard__whoever_comes_over_the_other_family_is_shut_out);
    tcase_add_test(t, guard__a_socket_is_counted_once);
    tcase_add_test(t, guard__a_loop_that_works_little_by_little_is_not_held);
    tcase_add_test(t, guard__a_loop_that_does_not_come_back_is_held);
    tcase_add_test(t, guard__all_that_sent_about_as_much_go_together);
    tcase_add_test(t, guard__whoever_is_gone_is_forgotten);
    tcase_add_test(t, guard__nobody_else_is_looked_at);
    tcase_add_test(t, guard__sleeps_while_nothing_happens);
    if (HEAP_IS_THE_LIBRARYS) {
        tcase_add_loop_test(t, guard__a_process_has_come_to_its_memory, 0, 2);
        tcase_add_test(t, guard__memory_that_is_only_kept_is_given_back);
    }
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
