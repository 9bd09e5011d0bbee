/* The door: what it does when the system has nothing to accept with, and what it and the guard have to do with the loop. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/rpc_world.h"
#include "tests/support/until.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct world w;
static atomic_int refused_with; /* by the system, an errno: who knocks stays where he is; 0: he is accepted */
static atomic_int accepts;      /* that were tried */
static atomic_int later_s;      /* what the door's clock says more than the world's */

/* ---- tests.mk wraps these ---- */

int __real_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags)
{
    atomic_fetch_add(&accepts, 1);
    if (atomic_load(&refused_with) == 0)
        return __real_accept4(fd, at, size, flags); /* what was wrong before still stands in errno */
    errno = atomic_load(&refused_with);
    return -1;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int error = __real_clock_gettime(clock, t);
    t->tv_sec += atomic_load(&later_s);
    return error;
}

static void setup(void)
{
    world_init(&w);
}

static int knock(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w.port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Whatever it is that the system lacks: it is told, and who knocked is let in once it has it again. */
START_TEST(door__who_knocks_is_let_in_once_the_system_can)
{
    static const int lacks[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};
    struct client_call c;
    world_open(&w, false);
    for (int i = 0; i < 4; i++) {
        atomic_store(&later_s, (i + 1) * 100); /* it tells no more than once a minute */
        atomic_store(&refused_with, lacks[i]);
        int fd = knock();
        UNTIL(atomic_load(&w.turned_away) == i + 1);
        int tried = atomic_load(&accepts);
        UNTIL(atomic_load(&accepts) > tried + 2); /* it goes on trying, by itself */
        atomic_store(&refused_with, 0);
        client_unary(&c, &w, "/t.T/Echo", bytes_of_text("x"));
        ck_assert_int_eq(c.status, GRPC_STATUS_OK);
        close(fd);
    }
    world_close(&w);
}
END_TEST

/* One who has gone again is nobody's trouble. */
START_TEST(door__who_has_gone_again_is_not_turned_away)
{
    static const int gone[] = {ECONNABORTED, EINTR, EAGAIN};
    world_open(&w, false);
    for (int i = 0; i < 3; i++) {
        int tried = atomic_load(&accepts);
        atomic_store(&refused_with, gone[i]);
        int fd = knock();
        UNTIL(atomic_load(&accepts) > tried + 2);
        atomic_store(&refused_with, 0);
        close(fd);
    }
    world_close(&w);
    ck_assert_int_eq(atomic_load(&w.turned_away), 0);
}
END_TEST

/* The guard looks now, and sees that nothing happens. */
static void fall_asleep(void)
{
    while (rpc_poll(w.rpc, SPAN_MS(0)) > 0)
        ;
    UNTIL(atomic_load(&w.rpc->guard_sleeps));
}

/* However long the next look at an idle process would be away. */
START_TEST(door__an_idle_one_is_closed_at_once)
{
    world_open(&w, false);
    fall_asleep();
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    rpc_stop(w.rpc);
    ck_assert_int_lt(gpr_time_to_millis(gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), begin)), 20000);
    world_close(&w);
}
END_TEST

/* A loop that has something to do is watched from then on; one that only looks whether there is something is not. */
START_TEST(door__a_loop_that_works_is_watched)
{
    world_open(&w, false);
    bool watched = false;
    for (int i = 0; i < 100 && !watched; i++) { /* it may fall asleep again at any time */
        fall_asleep();
        rpc_poll(w.rpc, SPAN_MS(0));
        rpc_wake(w.rpc);
        while (rpc_poll(w.rpc, SPAN_MS(0)) == 0)
            ;
        watched = !atomic_load(&w.rpc->guard_sleeps);
    }
    ck_assert(watched);
    world_close(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("door");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, door__who_knocks_is_let_in_once_the_system_can);
    tcase_add_test(t, door__who_has_gone_again_is_not_turned_away);
    tcase_add_test(t, door__an_idle_one_is_closed_at_once);
    tcase_add_test(t, door__a_loop_that_works_is_watched);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
