/* What is not taken: which calls are cancelled and which unix sockets are shut, step by step as a slow reckoning of the same has it. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/account.h"
#include "sidecar/base/random.h"

#include <check.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TIME_MS = 3000, TIMEOUT_MS = 800, STEP_MS = TIMEOUT_MS / 8, SENDS = 6, NEVER = -1 };

static struct rpc room;
static struct rpc_target target;
static struct rpc_entrance entrance;
static struct rpc_listening listening;
static char dir[64];
static int64_t now_ms;

static gpr_timespec at_ms(int64_t ms)
{
    return gpr_time_add(gpr_time_0(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

/* ---- what is on its way ---- */

static struct rpc_leaving leavings[SENDS];
static struct {
    int64_t since; /* NEVER: nothing is */
    size_t size;
    bool has_call;
    unsigned cancelled, cancelled_before;
} sends[SENDS];

grpc_call_error __wrap_grpc_call_cancel_with_status(grpc_call *call, grpc_status_code status, const char *message,
                                                    void *reserved);

grpc_call_error __wrap_grpc_call_cancel_with_status(grpc_call *call, grpc_status_code status, const char *message,
                                                    void *reserved)
{
    ptrdiff_t which = (const struct rpc_leaving *)(void *)call - leavings;
    ck_assert(which >= 0 && which < SENDS && reserved == NULL && status == GRPC_STATUS_UNAVAILABLE);
    ck_assert_str_eq(message, "what was sent has not been taken");
    sends[which].cancelled++;
    return GRPC_CALL_OK;
}

static void begin_or_end(struct random *r)
{
    unsigned which = (unsigned)random_below(r, SENDS);
    if (sends[which].since != NEVER) {
        rpc_leaving_end(&leavings[which]);
        sends[which].since = NEVER;
        return;
    }
    sends[which].since = now_ms;
    sends[which].size = random_below(r, 1000);
    sends[which].has_call = random_below(r, 3) != 0;
    leavings[which].call = sends[which].has_call ? (grpc_call *)(void *)&leavings[which] : NULL;
    rpc_leaving_begin(&room, &leavings[which], sends[which].size);
}

/* ---- sockets ---- */

enum kind { TO_TARGET, TO_ANOTHER, FROM_GUEST, FROM_ANOTHER, OF_NOBODY, KINDS };

#define SOCKETS 10

static struct {
    enum kind kind;
    int ours, theirs;
    int unread;    /* when it was looked at last */
    int64_t since; /* it has been so much; NEVER: there was nothing */
    bool shut;
} sockets[SOCKETS];
static int listeners[3];

static void write_path(char out[96], int which)
{
    snprintf(out, 96, "%s/%d", dir, which);
}

static int listen_at(int which)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char path[96];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    write_path(path, which);
    memcpy(at.sun_path, path, strlen(path) + 1);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

static void open_socket(unsigned i, enum kind kind)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char path[96];
    int pair[2];
    memset(&sockets[i], 0, sizeof sockets[i]);
    sockets[i].kind = kind;
    sockets[i].since = NEVER;
    if (kind == OF_NOBODY) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    } else {
        int which = kind == FROM_ANOTHER ? TO_ANOTHER : (int)kind;
        write_path(path, which);
        memcpy(at.sun_path, path, strlen(path) + 1);
        pair[0] = socket(AF_UNIX, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&at, sizeof at), 0);
        pair[1] = accept(listeners[which], NULL, NULL);
        ck_assert_int_ge(pair[1], 0);
    }
    sockets[i].ours = pair[kind == FROM_GUEST || kind == FROM_ANOTHER];
    sockets[i].theirs = pair[kind != FROM_GUEST && kind != FROM_ANOTHER];
}

static void close_socket(unsigned i)
{
    close(sockets[i].ours);
    close(sockets[i].theirs);
}

static int unread_of(int fd)
{
    int unread = 0;
    ck_assert_int_eq(ioctl(fd, SIOCOUTQ, &unread), 0);
    return unread;
}

static bool is_shut(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void use_socket(struct random *r)
{
    char bytes[512] = "";
    unsigned i = (unsigned)random_below(r, SOCKETS);
    switch (sockets[i].shut ? 0 : random_below(r, 12)) {
    case 0:
        close_socket(i);
        open_socket(i, (enum kind)random_below(r, KINDS));
        break;
    case 1:
    case 2:
    case 3:
        ck_assert_int_gt(send(sockets[i].ours, bytes, 1 + random_below(r, sizeof bytes), MSG_NOSIGNAL), 0);
        break;
    default:
        recv(sockets[i].theirs, bytes, sizeof bytes, MSG_DONTWAIT);
        break;
    }
}

/* ---- the reckoning ---- */

static int64_t looks_next; /* NEVER: it has not looked yet */

static int64_t oldest(void)
{
    int64_t since = NEVER;
    for (unsigned i = 0; i < SENDS; i++)
        if (sends[i].since != NEVER && (since == NEVER || sends[i].since < since))
            since = sends[i].since;
    return since;
}

static void reckon_look(void)
{
    for (unsigned i = 0; i < SOCKETS; i++) {
        int unread = sockets[i].kind == TO_TARGET || sockets[i].kind == FROM_GUEST ? unread_of(sockets[i].ours) : 0;
        if (unread == 0)
            sockets[i].since = NEVER;
        else if (sockets[i].since == NEVER || unread != sockets[i].unread)
            sockets[i].since = now_ms;
        sockets[i].unread = unread;
        if (unread != 0 && now_ms - sockets[i].since >= TIMEOUT_MS)
            sockets[i].shut = true;
    }
    for (unsigned i = 0; i < SENDS; i++)
        if (sends[i].since != NEVER && sends[i].has_call && sends[i].since <= now_ms - TIME_MS - TIMEOUT_MS)
            sends[i].cancelled_before++;
}

/* Returns when there is more to do; NEVER: nothing is on its way. */
static int64_t reckon(void)
{
    if (oldest() == NEVER)
        return NEVER;
    int64_t due = oldest() + STEP_MS;
    if (looks_next != NEVER && looks_next > due)
        due = looks_next;
    if (now_ms < due)
        return due;
    reckon_look();
    return looks_next = now_ms + STEP_MS;
}

static void compare(int step)
{
    size_t sum = 0;
    for (unsigned i = 0; i < SOCKETS; i++)
        ck_assert_msg(is_shut(sockets[i].ours) == sockets[i].shut, "step %d, socket %u of kind %d", step, i,
                      sockets[i].kind);
    for (unsigned i = 0; i < SENDS; i++) {
        ck_assert_msg(sends[i].cancelled == sends[i].cancelled_before, "step %d, call %u", step, i);
        sum += sends[i].since == NEVER ? 0 : sends[i].size;
    }
    ck_assert_uint_eq(atomic_load(&account.leaving), sum);
}

static void setup(void)
{
    char path[96];
    memset(&room, 0, sizeof room);
    rpc_link_init(&room.leaving);
    rpc_link_init(&room.targets);
    snprintf(dir, sizeof dir, "/tmp/stall-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (int i = 0; i < 3; i++)
        listeners[i] = listen_at(i);
    room.options = (struct rpc_options){.keepalive_time = SPAN_MS(TIME_MS), .keepalive_timeout = SPAN_MS(TIMEOUT_MS)};
    write_path(target.path, TO_TARGET);
    rpc_link_append(&room.targets, &target.link);
    write_path(path, FROM_GUEST);
    snprintf(listening.path, sizeof listening.path, "%s", path);
    entrance.listening = &listening;
    room.entrances[0] = &entrance;
    room.entrances_made = 1;
    now_ms = 100000;
    room.now = at_ms(now_ms);
    looks_next = NEVER;
    for (unsigned i = 0; i < SENDS; i++) {
        rpc_link_init(&leavings[i].link);
        sends[i].since = NEVER;
    }
    for (unsigned i = 0; i < SOCKETS; i++)
        open_socket(i, (enum kind)(i % KINDS));
}

static void teardown(void)
{
    char path[96];
    for (unsigned i = 0; i < SOCKETS; i++)
        close_socket(i);
    for (int i = 0; i < 3; i++) {
        close(listeners[i]);
        write_path(path, i);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(dir), 0);
    rpc_stall_finish(&room);
}

START_TEST(stall__does_as_it_is_reckoned)
{
    struct random r;
    unsigned cancelled = 0, shut = 0;
    random_seed(&r, 7);
    for (int step = 0; step < 6000; step++) {
        gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
        if (random_below(&r, 40) == 0)
            begin_or_end(&r);
        if (random_below(&r, 3) == 0)
            use_socket(&r);
        now_ms += 50 * (int64_t)random_below(&r, random_below(&r, 20) == 0 ? 20 : 3);
        room.now = at_ms(now_ms);
        int64_t due = reckon();
        rpc_stall_turn(&room, &next);
        ck_assert_msg(gpr_time_cmp(next, due == NEVER ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : at_ms(due)) == 0,
                      "step %d", step);
        compare(step);
        for (unsigned i = 0; i < SOCKETS; i++)
            shut += sockets[i].shut;
    }
    for (unsigned i = 0; i < SENDS; i++)
        cancelled += sends[i].cancelled;
    ck_assert(cancelled > 50 && shut > 500);
    for (unsigned i = 0; i < SOCKETS; i++) {
        close_socket(i);
        open_socket(i, (enum kind)(i % KINDS));
        if (i > 0)
            ck_assert_int_eq(send(sockets[i].ours, "x", 1, MSG_NOSIGNAL), 1);
    }
    /* Without patience all of them go that hold something. */
    rpc_stall_cut_all(&room);
    for (unsigned i = 0; i < SOCKETS; i++)
        sockets[i].shut |=
            (sockets[i].kind == TO_TARGET || sockets[i].kind == FROM_GUEST) && unread_of(sockets[i].ours) != 0;
    compare(-1);
    for (unsigned i = 0; i < SENDS; i++)
        if (sends[i].since != NEVER)
            rpc_leaving_end(&leavings[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stall");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, stall__does_as_it_is_reckoned);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
