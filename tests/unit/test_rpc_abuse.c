/* A port is open to whatever comes: none of it may stop the server, cost it memory for good, or reach the owner. */
#include "tests/support/rpc_world.h"
#include "tests/support/until.h"

#include "sidecar/base/account.h"
#include "sidecar/rpc/rpc_inside.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static struct world w;
static atomic_int accepts; /* of the door */

static atomic_int later_s; /* what the door's clock says more than the world's */

/* tests.mk wraps them. */
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int error = __real_clock_gettime(clock, t);
    t->tv_sec += atomic_load(&later_s);
    return error;
}

int __real_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *size, int flags)
{
    atomic_fetch_add(&accepts, 1);
    return __real_accept4(fd, at, size, flags);
}

static void setup(void)
{
    world_init(&w);
}

static int connect_raw(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)w.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The files this process has open. */
static int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Whether the other side has closed the connection; reads away what it says before. */
static bool is_closed(int fd)
{
    char junk[4096];
    ssize_t n = recv(fd, junk, sizeof junk, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static void still_serves(void)
{
    struct client_call c;
    client_unary(&c, &w, "/t.T/Echo", bytes_of_text("well?"));
    ck_assert_int_eq(c.status, GRPC_STATUS_OK);
    ck_assert_str_eq(c.message.at, "well?");
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

START_TEST(rpc_abuse__random_bytes_are_an_end_of_the_connection_only)
{
    world_open(&w, false);
    still_serves();
    int before = open_files();
    unsigned seed = 4711;
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[600];
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(rand_r(&seed) >> 8);
        int fd = connect_raw();
        ck_assert_int_ge(fd, 0);
        if (i % 3 != 0) /* past the door, and then garbage: every other one as a frame of a length that is right */
            ck_assert_int_eq(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
        if (i % 3 == 2) {
            bytes[0] = 0;
            bytes[1] = (sizeof bytes - 9) >> 8;
            bytes[2] = (sizeof bytes - 9) & 0xff;
            bytes[3] %= 10;
        }
        ck_assert_int_eq(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL), (ssize_t)sizeof bytes);
        for (int n = 0; n < 3; n++)
            rpc_poll(w.rpc, SPAN_MS(0));
        close(fd);
    }
    ck_assert_int_eq(w.held_count, 0);
    still_serves();
    WORLD_UNTIL(&w, open_files() <= before);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__plain_http_is_turned_away)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    world_open(&w, false);
    int fd = connect_raw();
    ck_assert_int_eq(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), (ssize_t)sizeof request - 1);
    WORLD_UNTIL(&w, is_closed(fd));
    close(fd);
    still_serves();
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__silent_connections_are_dropped_in_time)
{
    enum { COUNT = 200 };
    static int fds[COUNT];
    w.options.handshake_timeout = SPAN_MS(300);
    world_open(&w, false);
    still_serves();
    int before = open_files();
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_raw();
        ck_assert_int_ge(fds[i], 0);
        if (i % 2 == 0) /* half of them have knocked */
            ck_assert_int_eq(send(fds[i], preface, 10, MSG_NOSIGNAL), 10);
    }
    still_serves();
    for (int i = 0; i < COUNT; i++) {
        WORLD_UNTIL(&w, is_closed(fds[i]));
        close(fds[i]);
    }
    WORLD_UNTIL(&w, open_files() <= before);
    still_serves();
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__silent_crowd_keeps_nobody_out)
{
    enum { COUNT = 900 };
    static int fds[COUNT];
    w.options.handshake_timeout = SPAN_S(60); /* time is not what makes room */
    world_open(&w, false);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_raw();
        ck_assert_int_ge(fds[i], 0);
    }
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    still_serves();
    ck_assert_int_lt(gpr_time_to_millis(gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), begin)), 20000);
    WORLD_UNTIL(&w, is_closed(fds[0])); /* the oldest had to go, the youngest waits for its turn to speak */
    ck_assert(!is_closed(fds[COUNT - 1]));
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    world_close(&w);
}
END_TEST

static void speak_half(int fd)
{
    ck_assert_int_eq(send(fd, preface, 10, MSG_NOSIGNAL), 10);
}

/* Who has said half a word keeps his place as long as anybody has said nothing. */
START_TEST(rpc_abuse__who_has_begun_to_speak_stays_while_others_are_silent)
{
    enum { COUNT = 900, SPEAKERS = 3 };
    static int fds[COUNT];
    w.options.handshake_timeout = SPAN_S(60);
    world_open(&w, false);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_raw();
        ck_assert_int_ge(fds[i], 0);
        if (i < SPEAKERS)
            speak_half(fds[i]);
    }
    WORLD_UNTIL(&w, is_closed(fds[SPEAKERS]));
    ck_assert(!is_closed(fds[COUNT - 1]));
    for (int i = 0; i < SPEAKERS; i++) {
        char settings[9];
        ck_assert_int_eq(send(fds[i], preface + 10, sizeof preface - 11, MSG_NOSIGNAL), sizeof preface - 11);
        WORLD_UNTIL(&w, recv(fds[i], settings, sizeof settings, MSG_DONTWAIT) > 0);
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    world_close(&w);
}
END_TEST

/* Where all have begun to speak the first to come is the first to go, for one who comes, and once: a crowd with half a word each keeps nobody out who
 * takes a moment to say his first. */
START_TEST(rpc_abuse__of_those_that_have_begun_to_speak_the_oldest_goes)
{
    enum { COUNT = 512 /* as in door.c */ };
    static int fds[COUNT];
    char settings[9];
    w.options.handshake_timeout = SPAN_S(60);
    world_open(&w, false);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = connect_raw();
        ck_assert_int_ge(fds[i], 0);
        speak_half(fds[i]);
    }
    int late = connect_raw();
    WORLD_UNTIL(&w, is_closed(fds[0]));
    for (int i = 0; i < 10; i++) { /* the door looks at them fifty times a second meanwhile */
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        world_turn(&w);
    }
    ck_assert_int_eq(send(late, preface, sizeof preface - 1, MSG_NOSIGNAL), sizeof preface - 1);
    WORLD_UNTIL(&w, recv(late, settings, sizeof settings, MSG_DONTWAIT) == sizeof settings);
    for (int i = 1; i < COUNT; i++) {
        ck_assert(!is_closed(fds[i]));
        close(fds[i]);
    }
    close(fds[0]);
    close(late);
    world_close(&w);
}
END_TEST

/* A peer that is gone before it has said a word is not waited for. */
START_TEST(rpc_abuse__who_says_no_more_is_let_go_at_once)
{
    w.options.handshake_timeout = SPAN_S(60);
    world_open(&w, false);
    int fd = connect_raw();
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    WORLD_UNTIL(&w, is_closed(fd));
    close(fd);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__peer_that_falls_silent_is_dropped_in_time)
{
    static const char settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    w.options.keepalive_time = SPAN_MS(200);
    w.options.keepalive_timeout = SPAN_MS(200);
    world_open(&w, false);
    int greeted = connect_raw(), half = connect_raw();
    ck_assert_int_eq(send(half, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
    ck_assert_int_eq(send(greeted, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
    ck_assert_int_eq(send(greeted, settings, sizeof settings, MSG_NOSIGNAL), (ssize_t)sizeof settings);
    WORLD_UNTIL(&w, is_closed(greeted));
    WORLD_UNTIL(&w, is_closed(half));
    close(greeted);
    close(half);
    still_serves();
    world_close(&w);
}
END_TEST

/* Waits for the next PING and answers it. */
static void answer_ping(int fd)
{
    uint8_t frame[9 + 64];
    for (frame[3] = 0; frame[3] != 6 || frame[4] != 0;) {
        WORLD_UNTIL(&w, recv(fd, frame, 9, MSG_DONTWAIT | MSG_PEEK) == 9);
        ssize_t size = 9 + frame[2];
        ck_assert(frame[0] == 0 && frame[1] == 0 && size <= (ssize_t)sizeof frame);
        ck_assert_int_eq(recv(fd, frame, (size_t)size, MSG_WAITALL), size);
    }
    frame[4] = 1; /* ACK */
    ck_assert_int_eq(send(fd, frame, 17, MSG_NOSIGNAL), 17);
}

static void send_frame(int fd, uint8_t type, uint8_t flags, uint8_t stream, const void *payload, size_t size)
{
    uint8_t frame[9 + 512] = {0, (uint8_t)(size >> 8), (uint8_t)size, type, flags, 0, 0, 0, stream};
    ck_assert_uint_le(size, 512);
    if (size > 0)
        memcpy(frame + 9, payload, size);
    ck_assert_int_eq(send(fd, frame, 9 + size, MSG_NOSIGNAL), (ssize_t)(9 + size));
}

/* Begins to speak HTTP/2, with windows of 2 GB when wide, and else with none. */
static void greet_raw(int fd, bool wide)
{
    const uint8_t window[6] = {0, 4, wide ? 0x7f : 0, wide ? 0xff : 0, wide ? 0xff : 0, wide ? 0xff : 0};
    static const uint8_t more[4] = {0x7f, 0, 0, 0};
    ck_assert_int_eq(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
    send_frame(fd, 4, 0, 0, window, sizeof window);
    if (wide)
        send_frame(fd, 8, 0, 0, more, sizeof more);
}

/* Calls /t.T/Hold with a byte. */
static void hold_raw(int fd, uint8_t stream)
{
    static const char headers[] = "\x83\x86\x44\x09/t.T/Hold\x41\x09localhost\0\2te\x08trailers\0\x0c"
                                  "content-type\x10"
                                  "application/grpc";
    send_frame(fd, 1, 4, stream, headers, sizeof headers - 1);
    send_frame(fd, 0, 1, stream, "\0\0\0\0\1x", 6);
}

static int connect_unix(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, w.address + strlen("unix:"), strlen(w.address) - strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* ---- a connection over a unix socket that is stuck, by a clock of the test's own: C core is not asked meanwhile ---- */

static bool is_shut(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP)) != 0;
}

static void look_after(struct span later, gpr_timespec *next)
{
    w.rpc->now = gpr_time_add(w.rpc->now, gpr_time_from_micros(later.us, GPR_TIMESPAN));
    *next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    rpc_stall_turn(w.rpc, next);
}

static void read_some(int fd)
{
    static char junk[40000]; /* more than the kernel keeps in one piece: it counts by whole ones */
    ck_assert_int_eq(recv(fd, junk, sizeof junk, MSG_WAITALL), sizeof junk);
}

/* Two connected unix sockets of which one holds what the other has not read; listener: at a place of its own. */
static void connect_others(int pair[2], int *listener)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/other.sock", w.folder);
    *listener = socket(AF_UNIX, SOCK_STREAM, 0);
    pair[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(*listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(*listener, 1), 0);
    ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&at, sizeof at), 0);
    pair[1] = accept(*listener, NULL, NULL);
    ck_assert_int_eq(send(pair[0], "unread", 6, 0), 6);
    ck_assert_int_eq(send(pair[1], "unread", 6, 0), 6);
    unlink(at.sun_path);
}

START_TEST(rpc_abuse__a_stuck_connection_is_cut_and_a_slow_one_is_not)
{
    enum { SIZE = 900000 };
    static uint8_t answer[SIZE];
    gpr_timespec next;
    int others[2], listener;
    w.options.keepalive_time = SPAN_S(600);
    w.options.keepalive_timeout = SPAN_S(100);
    world_open(&w, true);
    connect_others(others, &listener);
    int fd = connect_unix();
    greet_raw(fd, true);
    hold_raw(fd, 1);
    WORLD_UNTIL(&w, w.held_count == 1);
    rpc_reply(w.held[0].call, bytes_of(answer, SIZE));
    w.held_count = 0;
    memset(w.held, 0, sizeof w.held);
    int unread = 0;
    WORLD_UNTIL(&w, ioctl(fd, SIOCINQ, &unread) == 0 && unread > 100000); /* more than is read below */
    ck_assert(!rpc_link_is_single(&w.rpc->leaving));
    gpr_timespec began = w.rpc->now;
    look_after(SPAN_S(13), &next); /* an eighth of the timeout */
    ck_assert_int_eq(gpr_time_to_millis(gpr_time_sub(next, w.rpc->now)), 12500);
    for (int i = 0; i < 2; i++) { /* it reads a little, long after which it is patient anew */
        look_after(SPAN_S(60), &next);
        read_some(fd);
        look_after(SPAN_S(13), &next);
    }
    ck_assert(!is_shut(fd));
    look_after(SPAN_S(99), &next);
    ck_assert(!is_shut(fd));
    look_after(SPAN_S(13), &next);
    ck_assert(is_shut(fd));
    ck_assert(!is_shut(others[0]) && !is_shut(others[1])); /* which are nobody's who comes here */
    w.rpc->now = began;
    close(fd);
    close(others[0]);
    close(others[1]);
    close(listener);
    world_close(&w);
}
END_TEST

/* One that was read is patient anew when it holds something again, and be it as much as before. */
START_TEST(rpc_abuse__a_connection_that_was_read_is_none_that_is_stuck)
{
    gpr_timespec next;
    int ends[2], listener;
    char address[96], junk[6];
    struct rpc_leaving leaving = {0};
    w.options.keepalive_time = SPAN_S(600);
    w.options.keepalive_timeout = SPAN_S(100);
    world_open(&w, true);
    connect_others(ends, &listener);
    snprintf(address, sizeof address, "unix:%s/other.sock", w.folder);
    world_target(&w, address); /* so ends[0] is ours */
    rpc_link_init(&leaving.link);
    rpc_leaving_begin(w.rpc, &leaving, 1);
    gpr_timespec began = w.rpc->now;
    look_after(SPAN_S(60), &next);
    ck_assert_int_eq(recv(ends[1], junk, sizeof junk, 0), 6);
    look_after(SPAN_S(60), &next);
    ck_assert_int_eq(send(ends[0], junk, sizeof junk, 0), 6);
    look_after(SPAN_S(60), &next);
    look_after(SPAN_S(99), &next);
    ck_assert(!is_shut(ends[0]));
    look_after(SPAN_S(13), &next);
    ck_assert(is_shut(ends[0]));
    rpc_leaving_end(&leaving);
    w.rpc->now = began;
    close(ends[0]);
    close(ends[1]);
    close(listener);
    world_close(&w);
}
END_TEST

/* A peer over TCP that acknowledges nothing keeps its connection no longer than keepalive_timeout: the kernel sees to that. */
START_TEST(rpc_abuse__what_is_accepted_has_the_options_of_the_room)
{
    w.options.keepalive_timeout = SPAN_MS(4321);
    world_open(&w, false);
    still_serves();
    int seen = 0;
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in at;
        socklen_t size = sizeof at;
        int listens = 0, ms = 0, on = 0;
        socklen_t room = sizeof(int);
        if (getsockname(fd, (struct sockaddr *)&at, &size) != 0 || at.sin_family != AF_INET ||
            ntohs(at.sin_port) != w.port || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &room) != 0 || listens)
            continue;
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &room), 0);
        ck_assert_int_eq(ms, 4321);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &room), 0);
        ck_assert_int_ne(on, 0);
        seen++;
    }
    ck_assert_int_eq(seen, 1);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__client_that_takes_no_answer_gives_its_places_back)
{
    enum { CALLS = 16, SIZE = 900000 };
    static uint8_t answer[SIZE];
    /* Over a unix socket and over TCP; reading nothing with its windows wide open, and with its windows shut. */
    for (int i = 0; i < 4; i++) {
        world_init(&w);
        w.options.keepalive_time = SPAN_MS(300);
        w.options.keepalive_timeout = SPAN_MS(300);
        world_open(&w, i % 2 == 0);
        int fd = i % 2 == 0 ? connect_unix() : connect_raw();
        greet_raw(fd, i < 2);
        for (int call = 0; call < CALLS; call++)
            hold_raw(fd, (uint8_t)(2 * call + 1));
        WORLD_UNTIL(&w, w.held_count == CALLS);
        for (int turns = 0; turns < 20; turns++)
            world_turn(&w);
        for (int call = 0; call < CALLS; call++)
            rpc_reply(w.held[call].call, bytes_of(answer, SIZE));
        ck_assert(!rpc_idle(w.rpc));
        memset(w.held, 0, sizeof w.held);
        w.held_count = 0;
        WORLD_UNTIL(&w, rpc_idle(w.rpc));    /* and not for as long as the connection stands */
        ck_assert_uint_eq(w.rpc->resets, 0); /* who has waited for his answers floods nobody */
        still_serves();
        close(fd);
        world_close(&w);
        ck_assert_uint_eq(account.leaving, 0);
    }
}
END_TEST

/* Whoever takes his time has all of keepalive_time and keepalive_timeout. */
START_TEST(rpc_abuse__client_that_takes_its_time_is_waited_for)
{
    enum { SIZE = 900000 };
    static uint8_t answer[SIZE];
    w.options.keepalive_time = SPAN_S(60);
    w.options.keepalive_timeout = SPAN_MS(800);
    world_open(&w, false);
    int fd = connect_raw();
    greet_raw(fd, false);
    hold_raw(fd, 1);
    WORLD_UNTIL(&w, w.held_count == 1);
    rpc_reply(w.held[0].call, bytes_of(answer, SIZE));
    w.held[0].call = NULL;
    gpr_timespec end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(2000, GPR_TIMESPAN));
    while (gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) < 0) {
        world_turn(&w);
        ck_assert(!rpc_idle(w.rpc));
    }
    ck_assert_uint_ge(account.leaving, SIZE);
    close(fd);
    WORLD_UNTIL(&w, rpc_idle(w.rpc));
    ck_assert_uint_eq(account.leaving, 0);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__idle_peer_is_asked_again_and_again)
{
    static const char settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    w.options.keepalive_time = SPAN_MS(100);
    w.options.keepalive_timeout = SPAN_MS(500);
    world_open(&w, false);
    int fd = connect_raw();
    ck_assert_int_eq(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
    ck_assert_int_eq(send(fd, settings, sizeof settings, MSG_NOSIGNAL), (ssize_t)sizeof settings);
    for (int i = 0; i < 5; i++)
        answer_ping(fd);
    WORLD_UNTIL(&w, is_closed(fd)); /* silent from here on */
    close(fd);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__message_that_unpacks_to_too_much_is_refused)
{
    static uint8_t zeros[32 << 20];
    struct client_call c;
    w.compresses = true;
    world_open(&w, false);
    client_unary(&c, &w, "/t.T/Echo", bytes_of(zeros, 100000));
    ck_assert_int_eq(c.status, GRPC_STATUS_OK);
    ck_assert_uint_eq(c.message.size, 100000);
    client_unary(&c, &w, "/t.T/Echo", bytes_of(zeros, sizeof zeros));
    ck_assert_int_eq(c.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(w.echoes, 1);
    world_close(&w);
}
END_TEST

/* In KiB; the most that this process ever had. */
static long most_memory(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* Fills at with the gzip of size zeros, and returns how long that is. */
static size_t bomb(uint8_t *at, size_t room, size_t size)
{
    static uint8_t zeros[1 << 16];
    z_stream z = {.next_out = at, .avail_out = (uInt)room};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    for (size_t done = 0; done < size; done += sizeof zeros) {
        z.next_in = zeros;
        z.avail_in = sizeof zeros;
        ck_assert_int_eq(deflate(&z, done + sizeof zeros < size ? Z_NO_FLUSH : Z_FINISH),
                         done + sizeof zeros < size ? Z_OK : Z_STREAM_END);
    }
    deflateEnd(&z);
    return room - z.avail_out;
}

START_TEST(rpc_abuse__bomb_is_unpacked_no_further_than_a_message_may_be)
{
    enum { ROOM = 400000, SIZE = 256 << 20 };
    static uint8_t message[5 + ROOM], frame[9 + 16384];
    static const char headers[] = "\x83\x86\x44\x09/t.T/Echo\x41\x09localhost\0\2te\x08trailers\0\x0d"
                                  "grpc-encoding\4gzip\0\x0c"
                                  "content-type\x10"
                                  "application/grpc";
    size_t size = bomb(message + 5, ROOM, SIZE);
    const uint8_t head[5] = {1, 0, (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    memcpy(message, head, 5);
    w.options.connection_streams_max = 1000;
    world_open(&w, false);
    still_serves();
    long before = most_memory();
    int fd = connect_raw();
    greet_raw(fd, true);
    send_frame(fd, 1, 4, 1, headers, sizeof headers - 1);
    for (size_t at = 0, part; at < size + 5; at += part) {
        part = size + 5 - at < 16384 ? size + 5 - at : 16384;
        const uint8_t start[9] = {0, (uint8_t)(part >> 8), (uint8_t)part, 0, at + part == size + 5, 0, 0, 0, 1};
        memcpy(frame, start, 9);
        memcpy(frame + 9, message + at, part);
        ck_assert_int_eq(send(fd, frame, 9 + part, MSG_NOSIGNAL), (ssize_t)(9 + part));
        for (int i = 0; i < 5; i++)
            world_turn(&w);
    }
    still_serves();
    ck_assert_int_eq(w.echoes, 2); /* ours; not that one */
    ck_assert_int_lt(most_memory() - before, 32 << 10);
    close(fd);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__thousands_of_dropped_connections_leave_nothing)
{
    world_open(&w, false);
    still_serves();
    int before = open_files();
    for (int i = 0; i < 3000; i++) {
        int fd = connect_raw();
        ck_assert_int_ge(fd, 0);
        if (i % 2 == 0)
            ck_assert_int_eq(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
        close(fd);
        if (i % 16 == 0)
            world_turn(&w);
    }
    WORLD_UNTIL(&w, open_files() <= before);
    still_serves();
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__calls_left_half_done_leave_nothing)
{
    enum { COUNT = 50 };
    static struct client_call calls[COUNT];
    static const char *const paths[] = {"/t.T/Echo", "/t.T/Stream", "/t.T/Talk", "/t.T/Nothing"};
    w.options.calls_max = 20;
    world_open(&w, false);
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < COUNT; i++) {
            client_start(&calls[i], &w, paths[i % 4], 0);
            if (round % 3 != 0)
                client_send(&calls[i], bytes_of_text("x"), false); /* and never the half-close */
        }
        for (int i = 0; i < (round < 3 ? 30 : 0); i++)
            world_turn(&w);
        for (int i = 0; i < COUNT; i++)
            client_cancel(&calls[i]);
        for (int i = 0; i < COUNT; i++)
            client_finish(&calls[i]);
        WORLD_UNTIL(&w, rpc_idle(w.rpc));
        still_serves();
        ck_assert_int_le(w.held_count, WORLD_HELD_MAX);
        memset(w.held, 0, sizeof w.held);
        w.held_count = 0;
    }
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__large_metadata_is_refused)
{
    struct client_call c;
    w.options.metadata_bytes_max = 4096;
    world_open(&w, false);
    static char value[9000];
    memset(value, 'v', sizeof value);
    struct rpc_target *target = world_target(&w, w.address);
    const struct rpc_metadata metadata = {"saga-step", bytes_of(value, sizeof value)};
    struct world_answer a = {0};
    rpc_call_out(target, "/t.T/Echo", &metadata, 1, bytes_of_text("x"), SPAN_S(5), &a);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_ne(a.status, 0);
    ck_assert_int_eq(w.echoes, 0);
    client_unary(&c, &w, "/t.T/Echo", bytes_of_text("x"));
    ck_assert_int_eq(c.status, GRPC_STATUS_OK);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__running_out_of_files_does_not_end_the_listening)
{
    enum { COUNT = 200 };
    static int fds[COUNT];
    struct rlimit before, tight;
    world_open(&w, false);
    still_serves();
    int count = 0;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)(open_files() + 60);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (count < COUNT && (fds[count] = connect_raw()) >= 0) {
        count++;
        world_turn(&w);
    }
    for (int i = 0; i < 50; i++)
        world_turn(&w);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    /* A newcomer is heard again. */
    int fd = connect_raw();
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
    char settings[9];
    WORLD_UNTIL(&w, recv(fd, settings, sizeof settings, MSG_DONTWAIT) > 0);
    close(fd);
    still_serves();
    world_close(&w);
}
END_TEST

/* It looks now and then whether there is a file for who knocks, and not all the time; and says so once a minute. */
START_TEST(rpc_abuse__out_of_files_the_door_waits)
{
    struct rlimit before, tight;
    world_open(&w, false);
    still_serves();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)w.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), lowest = dup(fd);
    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)lowest;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int tried = atomic_load(&accepts);
    gpr_timespec since = gpr_now(GPR_CLOCK_MONOTONIC);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    UNTIL(atomic_load(&accepts) > tried + 10);
    ck_assert_int_ge(gpr_time_to_millis(gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), since)), 100);
    static const struct {
        int later_s, told;
    } rows[] = {{0, 1}, {30, 1}, {61, 2}, {91, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        atomic_store(&later_s, rows[i].later_s);
        tried = atomic_load(&accepts);
        UNTIL(atomic_load(&accepts) > tried + 2); /* the last of them was told of by then, or is not */
        ck_assert_int_eq(atomic_load(&w.turned_away), rows[i].told);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
    world_close(&w);
}
END_TEST

enum { CROWD = 60, CROWD_LET_IN = 15 };

/* In a process of its own, so that its ends of the connections are not counted with the server's. Exits with 0 once all but a few of its
 * connections have been closed. */
static _Noreturn void crowd(int port_pipe)
{
    int fds[CROWD];
    if (read(port_pipe, &w.port, sizeof w.port) != sizeof w.port)
        _exit(2);
    for (int i = 0; i < CROWD; i++)
        fds[i] = connect_raw();
    gpr_timespec end = world_deadline(10);
    for (int closed = 0; closed < CROWD - CROWD_LET_IN;) {
        closed = 0;
        for (int i = 0; i < CROWD; i++)
            closed += fds[i] < 0 || is_closed(fds[i]);
        if (gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) > 0)
            _exit(1);
    }
    _exit(0);
}

START_TEST(rpc_abuse__connections_leave_files_for_everything_else)
{
    enum { KEPT = 64 };
    int port_pipe[2], status;
    struct rlimit before, tight;
    ck_assert_int_eq(pipe(port_pipe), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        crowd(port_pipe[0]);
    w.options.handshake_timeout = SPAN_S(60); /* silence is not what they are closed for */
    world_open(&w, false);
    still_serves();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    int lowest = dup(0);
    close(lowest);
    tight.rlim_cur = (rlim_t)(lowest + KEPT + CROWD_LET_IN - 5);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    ck_assert_int_eq(write(port_pipe[1], &w.port, sizeof w.port), (ssize_t)sizeof w.port);
    WORLD_UNTIL(&w, waitpid(child, &status, WNOHANG) == child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    still_serves();
    close(port_pipe[0]);
    close(port_pipe[1]);
    world_close(&w);
}
END_TEST

/* What a client that means harm does, beside the world's own thread. */
struct flood {
    int fd;
    const uint8_t *piece;
    size_t size;
    unsigned at_most; /* pieces */
    atomic_uint sent;
    atomic_bool over; /* cut off, or all is sent */
};

static void *flood(void *self)
{
    struct flood *f = self;
    while (atomic_load(&f->sent) < f->at_most && send(f->fd, f->piece, f->size, MSG_NOSIGNAL) == (ssize_t)f->size)
        atomic_fetch_add(&f->sent, 1);
    atomic_store(&f->over, true);
    return NULL;
}

/* Floods until the other end has cut it off, or all is sent, or 20 s have passed; whether it was cut off. *held becomes the longest time that
 * the room did not come back from C core. */
static bool flood_held(int fd, const void *piece, size_t size, unsigned at_most, int64_t *held_ms)
{
    struct flood f = {.fd = fd, .piece = piece, .size = size, .at_most = at_most};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, flood, &f), 0);
    *held_ms = 0;
    /* The world's client is not turned: C core would do the sidecar's work there, which no sidecar's does. */
    gpr_timespec end = world_deadline(20), before = gpr_now(GPR_CLOCK_MONOTONIC);
    while (!atomic_load(&f.over) && gpr_time_cmp(before, end) < 0) {
        rpc_poll(w.rpc, SPAN_MS(5));
        gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
        int64_t ms = gpr_time_to_millis(gpr_time_sub(now, before));
        *held_ms = ms > *held_ms ? ms : *held_ms;
        before = now;
    }
    bool cut = atomic_load(&f.over) && f.sent < at_most;
    if (!atomic_load(&f.over))
        shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    return cut;
}

/* Somebody who has come in; his room has opened its entrance. */
static int come_in(void)
{
    char word;
    int fd = connect_raw();
    greet_raw(fd, false);
    WORLD_UNTIL(&w, recv(fd, &word, 1, MSG_DONTWAIT) == 1);
    return fd;
}

/* The loops are watched from when somebody comes in, though nobody was there for long: his first words may hold one. */
START_TEST(rpc_abuse__whoever_comes_in_has_the_loops_watched)
{
    world_open(&w, false);
    int before = open_files();
    close(come_in());
    WORLD_UNTIL(&w, open_files() == before);
    atomic_store(&w.rpc->guard_sleeps, false); /* looks now, and sees that nobody is there */
    rpc_door_knock(w.rpc->keeper);
    UNTIL(atomic_load(&w.rpc->guard_sleeps));
    int fd = connect_raw();
    ck_assert_int_eq(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL), (ssize_t)sizeof preface - 1);
    UNTIL(!atomic_load(&w.rpc->guard_sleeps)); /* the loop has not turned since */
    close(fd);
    world_close(&w);
}
END_TEST

START_TEST(rpc_abuse__header_without_end_ends_its_connection)
{
    static uint8_t piece[9 + 16384] = {0, 0x40, 0, 9, 0, 0, 0, 0, 1};
    /* A header of 2 GB begins. */
    static const char begin[] = "\x83\x86\x44\x09/t.T/Echo\0\1k\x7f\x81\xff\xff\xff\x07";
    world_open(&w, false);
    still_serves();
    int fd = connect_raw();
    greet_raw(fd, false);
    send_frame(fd, 1, 0, 1, begin, sizeof begin - 1);
    /* Where the one that floods gets too little of the processor to hold anybody, there is nothing to end. */
    int64_t held_ms;
    ck_assert(flood_held(fd, piece, sizeof piece, 1 << 17, &held_ms) || held_ms < 1500);
    close(fd);
    still_serves();
    world_close(&w);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__)
static bool flood_is_cut(int fd, const void *piece, size_t size, unsigned at_most)
{
    int64_t held_ms;
    return flood_held(fd, piece, size, at_most, &held_ms);
}

START_TEST(rpc_abuse__process_over_its_memory_ends_who_sends_most)
{
    static uint8_t piece[9 + 16384] = {0, 0x40, 0, 0xfa}; /* a frame of no known type, which is to be ignored */
    enum { HELD = 64 << 20 };
    world_open(&w, false);
    still_serves();
    struct mallinfo2 info = mallinfo2();
    char *held = malloc(HELD);
    memset(held, 1, HELD);
    ck_assert(account_takes_work());
    account.max = info.uordblks + info.hblkhd + HELD / 2;
    int fd = connect_raw();
    greet_raw(fd, false);
    ck_assert(flood_is_cut(fd, piece, sizeof piece, 1 << 20));
    close(fd);
    ck_assert(!account_takes_work());
    free(held);
    WORLD_UNTIL(&w, account_takes_work());
    still_serves();
    world_close(&w);
}
END_TEST

/* As soon as calls that were reset have given their places back. */
static void serves_again(void)
{
    struct client_call c = {.status = GRPC_STATUS_RESOURCE_EXHAUSTED};
    gpr_timespec end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(20, GPR_TIMESPAN));
    while (c.status == GRPC_STATUS_RESOURCE_EXHAUSTED && gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) < 0)
        client_unary(&c, &w, "/t.T/Echo", bytes_of_text("well?"));
    ck_assert_int_eq(c.status, GRPC_STATUS_OK);
}

#define RESET_HEADERS \
    "\x83\x86\x44\x09/t.T/Echo\x41\x09localhost\0\2te\x08trailers\0\x0c" \
    "content-type\x10" \
    "application/grpc"

enum {
    RESET_CALLS = 100,
    RESET_HEADERS_SIZE = sizeof RESET_HEADERS - 1,
    RESET_SIZE = 9 + RESET_HEADERS_SIZE + 9 + 6 + 9 + 4,
};
static uint8_t reset_piece[RESET_CALLS * RESET_SIZE];

/* Calls that are each opened with a message and reset at once, from this stream on. Returns the stream after them. */
static unsigned fill_resets(unsigned stream)
{
    for (uint8_t *at = reset_piece; at < reset_piece + sizeof reset_piece; stream += 2) {
        const uint8_t id[4] = {0, (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
        const uint8_t open[5] = {0, 0, RESET_HEADERS_SIZE, 1, 4}, data[5] = {0, 0, 6, 0, 1}, reset[5] = {0, 0, 4, 3, 0};
        memcpy(at, open, 5);
        memcpy(at + 5, id, 4);
        memcpy(at + 9, RESET_HEADERS, RESET_HEADERS_SIZE);
        at += 9 + RESET_HEADERS_SIZE;
        memcpy(at, data, 5);
        memcpy(at + 5, id, 4);
        memcpy(at + 9, "\0\0\0\0\1x", 6);
        at += 9 + 6;
        memcpy(at, reset, 5);
        memcpy(at + 5, id, 4);
        memcpy(at + 9, "\0\0\0\x08", 4);
        at += 9 + 4;
    }
    return stream;
}

START_TEST(rpc_abuse__calls_opened_and_reset_end_their_connection)
{
    world_open(&w, false);
    still_serves();
    int fd = connect_raw();
    greet_raw(fd, false);
    unsigned stream = 1;
    bool cut = false;
    while (!cut && stream < 2 * 1000000) {
        stream = fill_resets(stream);
        cut = flood_is_cut(fd, reset_piece, sizeof reset_piece, 1);
    }
    ck_assert(cut);
    close(fd);
    serves_again();
    world_close(&w);
}
END_TEST

/* A flood that has filled every place is one all the same. */
START_TEST(rpc_abuse__resets_of_calls_that_are_refused_count)
{
    w.options.calls_max = 1;
    world_open(&w, false);
    struct client_call c;
    client_start(&c, &w, "/t.T/Hold", 0);
    client_receive(&c);
    client_send(&c, bytes_of_text("x"), true);
    WORLD_UNTIL(&w, w.held_count == 1);
    uint64_t ends = w.rpc->ends;
    int fd = connect_raw();
    greet_raw(fd, false);
    fill_resets(1);
    ck_assert_int_eq(send(fd, reset_piece, sizeof reset_piece, MSG_NOSIGNAL), sizeof reset_piece);
    WORLD_UNTIL(&w, w.rpc->ends == ends + RESET_CALLS);
    ck_assert_uint_ge(w.rpc->resets,
                      RESET_CALLS / 2); /* of a call whose reset is in the next read the answer is sooner */
    close(fd);
    rpc_reply(w.held[0].call, bytes_of_text("done"));
    w.held[0].call = NULL;
    client_finish(&c);
    world_close(&w);
}
END_TEST
#endif

START_TEST(rpc_abuse__request_without_end_is_refused_in_time)
{
    static const char *const paths[] = {"/t.T/Echo", "/t.T/Stream"};
    w.options.handshake_timeout = SPAN_MS(200);
    world_open(&w, false);
    for (int i = 0; i < 2; i++) {
        struct client_call c;
        client_start(&c, &w, paths[i], 0);
        client_send(&c, bytes_of_text("x"), false); /* and never the half-close */
        WORLD_UNTIL(&w, !rpc_idle(w.rpc));
        WORLD_UNTIL(&w, rpc_idle(w.rpc));
        client_finish(&c);
        ck_assert_int_eq(c.status, GRPC_STATUS_DEADLINE_EXCEEDED);
    }
    ck_assert_int_eq(w.held_count, 0);
    still_serves();
    world_close(&w);
}
END_TEST

/* However long it would have waited for something to come. */
START_TEST(rpc_abuse__request_without_end_ends_a_long_poll)
{
    struct client_call c;
    w.options.handshake_timeout = SPAN_MS(200);
    world_open(&w, false);
    client_start(&c, &w, "/t.T/Echo", 0);
    client_send(&c, bytes_of_text("x"), false);
    WORLD_UNTIL(&w, !rpc_idle(w.rpc));
    gpr_timespec end = world_deadline(30);
    while (!rpc_idle(w.rpc))
        rpc_poll(w.rpc, SPAN_S(40));
    ck_assert_int_lt(gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end), 0);
    client_finish(&c);
    ck_assert_int_eq(c.status, GRPC_STATUS_DEADLINE_EXCEEDED);
    world_close(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_abuse");
    TCase *tc = tcase_create("rpc_abuse");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, rpc_abuse__random_bytes_are_an_end_of_the_connection_only);
    tcase_add_test(tc, rpc_abuse__plain_http_is_turned_away);
    tcase_add_test(tc, rpc_abuse__silent_connections_are_dropped_in_time);
    tcase_add_test(tc, rpc_abuse__silent_crowd_keeps_nobody_out);
    tcase_add_test(tc, rpc_abuse__who_has_begun_to_speak_stays_while_others_are_silent);
    tcase_add_test(tc, rpc_abuse__of_those_that_have_begun_to_speak_the_oldest_goes);
    tcase_add_test(tc, rpc_abuse__who_says_no_more_is_let_go_at_once);
    tcase_add_test(tc, rpc_abuse__a_stuck_connection_is_cut_and_a_slow_one_is_not);
    tcase_add_test(tc, rpc_abuse__a_connection_that_was_read_is_none_that_is_stuck);
    tcase_add_test(tc, rpc_abuse__peer_that_falls_silent_is_dropped_in_time);
    tcase_add_test(tc, rpc_abuse__what_is_accepted_has_the_options_of_the_room);
    tcase_add_test(tc, rpc_abuse__client_that_takes_no_answer_gives_its_places_back);
    tcase_add_test(tc, rpc_abuse__client_that_takes_its_time_is_waited_for);
    tcase_add_test(tc, rpc_abuse__idle_peer_is_asked_again_and_again);
    tcase_add_test(tc, rpc_abuse__message_that_unpacks_to_too_much_is_refused);
    tcase_add_test(tc, rpc_abuse__bomb_is_unpacked_no_further_than_a_message_may_be);
    tcase_add_test(tc, rpc_abuse__thousands_of_dropped_connections_leave_nothing);
    tcase_add_test(tc, rpc_abuse__calls_left_half_done_leave_nothing);
    tcase_add_test(tc, rpc_abuse__large_metadata_is_refused);
    tcase_add_test(tc, rpc_abuse__running_out_of_files_does_not_end_the_listening);
    tcase_add_test(tc, rpc_abuse__out_of_files_the_door_waits);
    tcase_add_test(tc, rpc_abuse__connections_leave_files_for_everything_else);
    tcase_add_test(tc, rpc_abuse__whoever_comes_in_has_the_loops_watched);
    tcase_add_test(tc, rpc_abuse__header_without_end_ends_its_connection);
#if !defined(__SANITIZE_ADDRESS__)
    tcase_add_test(tc, rpc_abuse__process_over_its_memory_ends_who_sends_most);
    tcase_add_test(tc, rpc_abuse__calls_opened_and_reset_end_their_connection);
    tcase_add_test(tc, rpc_abuse__resets_of_calls_that_are_refused_count);
#endif
    tcase_add_test(tc, rpc_abuse__request_without_end_is_refused_in_time);
    tcase_add_test(tc, rpc_abuse__request_without_end_ends_a_long_poll);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
