/* Calls out: what comes back, and how far those got that failed. The table of reaches holds C core to what reach.c relies on. */
#include "sidecar/base/account.h"
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/fake_peer.h"
#include "tests/support/rpc_world.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

static struct world w;

static void setup(void)
{
    world_init(&w);
}

static struct world_answer call(const char *address, const char *method, struct span timeout)
{
    struct world_answer a;
    world_call_out(&w, world_target(&w, address), method, "in", timeout, &a);
    ck_assert_int_eq(a.count, 0);
    WORLD_UNTIL(&w, a.count > 0);
    for (int i = 0; i < 10; i++)
        world_turn(&w);
    ck_assert_int_eq(a.count, 1);
    return a;
}

START_TEST(rpc_out__output_and_status_come_back)
{
    world_open(&w, true);
    struct world_answer a = call(w.address, "/t.T/Echo", SPAN_S(5));
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_eq(a.reach, SAGA_REACH_ANSWERED);
    ck_assert_str_eq(a.output.at, "in");
    ck_assert(!a.has_pushback);
    a = call(w.address, "/t.T/Fail", SPAN_S(5));
    ck_assert_int_eq(a.status, 9);
    ck_assert_int_eq(a.reach, SAGA_REACH_ANSWERED);
    ck_assert_str_eq(a.message.at, "not in this state");
    a = call(w.address, "/t.T/Nothing", SPAN_S(5));
    ck_assert_int_eq(a.status, 12);
    ck_assert_int_eq(a.reach, SAGA_REACH_ANSWERED);
    w.rpc->callbacks.may_leave = NULL; /* also of an owner who has no say in it */
    a = call(w.address, "/t.T/Echo", SPAN_S(5));
    ck_assert_str_eq(a.output.at, "in");
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__many_calls_share_a_target)
{
    enum { COUNT = 90 };
    static struct world_answer answers[COUNT];
    world_open(&w, false);
    struct rpc_target *target = world_target(&w, w.address);
    for (int round = 0; round < 3; round++) {
        int done = 0;
        for (int i = 0; i < COUNT; i++)
            world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &answers[i]);
        ck_assert(!rpc_idle(w.rpc));
        for (int i = 0; i < COUNT; i++) {
            WORLD_UNTIL(&w, answers[i].count == 1);
            done += answers[i].status == 0;
        }
        ck_assert_int_eq(done, COUNT);
    }
    WORLD_UNTIL(&w, rpc_idle(w.rpc));
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__deadline_leaves_it_open_whether_it_ran)
{
    world_open(&w, false);
    for (int i = 0; i < 2; i++) { /* without a connection and with one */
        struct world_answer a = call(w.address, "/t.T/Hold", SPAN_MS(1500));
        ck_assert_int_eq(a.status, 4);
        ck_assert_int_eq(a.reach, SAGA_REACH_MAYBE);
        WORLD_UNTIL(&w, w.held_count == i + 1 && w.held[i].cancellations == 1);
    }
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__no_listener_means_it_never_left)
{
    world_open(&w, false);
    struct world_answer a = call("unix:/tmp/test_rpc.nobody-listens-here", "/t.T/Echo", SPAN_S(5));
    ck_assert_int_eq(a.status, 14);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    a = call("127.0.0.1:1", "/t.T/Echo", SPAN_S(5));
    ck_assert_int_eq(a.status, 14);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    for (int i = 0; i < 2; i++) {
        const struct rpc_peer_address nowhere = {.address = i == 0 ? "" : "127.0.0.1:0",
                                                 .credentials = &transport_plaintext};
        struct rpc_target *target;
        struct error_detail detail;
        ck_assert_int_eq(rpc_target_create(w.rpc, &nowhere, &target, &detail), E_ARGUMENT);
        ck_assert_str_eq(detail.field, "address");
    }
    ck_assert_uint_eq(w.rpc->outgoing, 0); /* so that it keeps no room from others */
    world_close(&w);
}
END_TEST

/* A listener in whose backlog connections end: nobody ever speaks HTTP/2 there. */
static int deaf_listener(char address[32])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, size), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(address, 32, "127.0.0.1:%d", ntohs(at.sin_port));
    return fd;
}

START_TEST(rpc_out__attempt_without_a_connection_is_given_up_in_time)
{
    char address[32];
    int fd = deaf_listener(address);
    w.options.connect_timeout = SPAN_MS(200);
    world_open(&w, false);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    struct world_answer a = call(address, "/t.T/Echo", SPAN_S(60));
    int64_t took_ms = gpr_time_to_millis(gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), begin));
    ck_assert_int_eq(a.status, 14);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    ck_assert_int_ge(took_ms, 150);
    ck_assert_int_lt(took_ms, 20000);
    close(fd);
    world_close(&w);
}
END_TEST

/* However long a connection may take. */
START_TEST(rpc_out__attempt_without_a_connection_ends_at_its_deadline)
{
    char address[32];
    int fd = deaf_listener(address);
    w.options.connect_timeout = SPAN_S(600);
    world_open(&w, false);
    struct world_answer a = call(address, "/t.T/Echo", SPAN_MS(30));
    ck_assert_int_eq(a.status, 4);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    ck_assert_ptr_nonnull(a.unreached); /* its target is to blame */
    close(fd);
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__wait_for_a_connection_ends_a_long_poll)
{
    char address[32];
    struct world_answer a;
    int fd = deaf_listener(address);
    w.options.connect_timeout = SPAN_MS(100);
    world_open(&w, false);
    world_call_out(&w, world_target(&w, address), "/t.T/Echo", "x", SPAN_S(60), &a);
    while (a.count == 0)
        rpc_poll(w.rpc, SPAN_S(30));
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    close(fd);
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__metadata_that_cannot_be_sent_is_an_error)
{
    world_open(&w, false);
    struct rpc_target *target = world_target(&w, w.address);
    const struct rpc_metadata bad = {"saga-step", bytes_of_text("line\nbreak")};
    struct world_answer a = {0};
    for (int i = 0; i < 2; i++) { /* without a connection and with one */
        memset(&a, 0, sizeof a);
        rpc_call_out(target, "/t.T/Echo", &bad, 1, bytes_of_text("x"), SPAN_S(5), &a);
        ck_assert_int_eq(a.count, 0);
        WORLD_UNTIL(&w, a.count == 1);
        ck_assert_int_eq(a.status, 13);
        ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
        world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &a);
        WORLD_UNTIL(&w, a.count == 1);
        ck_assert_int_eq(a.status, 0);
    }
    world_close(&w);
}
END_TEST

/* A participant in a process of its own, which keeps every call and tells so through the pipe. The fork comes before this process has
 * anything to do with gRPC. */
static pid_t spawn_holder(int *told, char address[128])
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        world_open(&w, true);
        if (write(fds[1], w.address, sizeof w.address) < 0)
            _exit(1);
        for (int seen = 0;; world_turn(&w))
            if (w.held_count > seen && write(fds[1], "h", 1) == 1)
                seen++;
    }
    close(fds[1]);
    *told = fds[0];
    ck_assert_int_eq(read(fds[0], address, sizeof w.address), (ssize_t)sizeof w.address);
    return child;
}

START_TEST(rpc_out__killed_participant_leaves_it_open_whether_it_ran)
{
    char address[128], byte;
    int told;
    pid_t child = spawn_holder(&told, address);
    struct world_answer a;
    world_open(&w, false);
    struct rpc_target *target = world_target(&w, address);
    world_call_out(&w, target, "/t.T/Hold", "x", SPAN_S(60), &a);
    struct pollfd held = {.fd = told, .events = POLLIN};
    WORLD_UNTIL(&w, poll(&held, 1, 0) == 1);
    ck_assert_int_eq(read(told, &byte, 1), 1);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.status, 14);
    ck_assert_int_eq(a.reach, SAGA_REACH_MAYBE);
    /* Its socket file is still there, but nobody answers: what is called now never leaves. */
    world_call_out(&w, target, "/t.T/Hold", "x", SPAN_S(60), &a);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.status, 14);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    close(told);
    unlink(address + strlen("unix:"));
    *strrchr(address, '/') = '\0';
    ck_assert_int_eq(rmdir(address + strlen("unix:")), 0);
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__cancel_all_ends_calls_out)
{
    char address[32];
    struct world_answer waiting, held;
    int fd = deaf_listener(address);
    w.options.connect_timeout = SPAN_S(600); /* nothing else ends it */
    world_open(&w, false);
    world_call_out(&w, world_target(&w, address), "/t.T/Echo", "x", SPAN_S(60), &waiting);
    world_call_out(&w, world_target(&w, w.address), "/t.T/Hold", "x", SPAN_S(60), &held);
    WORLD_UNTIL(&w, w.held_count == 1);
    rpc_cancel_all(w.rpc);
    WORLD_UNTIL(&w, rpc_idle(w.rpc));
    ck_assert_int_eq(waiting.count, 1);
    ck_assert_int_eq(waiting.status, 1);
    ck_assert_int_eq(waiting.reach, SAGA_REACH_NONE);
    ck_assert_int_eq(held.count, 1);
    ck_assert_int_eq(held.reach, SAGA_REACH_MAYBE);
    close(fd);
    world_close(&w);
}
END_TEST

/* ---- what a peer can do to a call ---- */

static struct fake_peer peer;

static void begin_peer(void)
{
    fake_peer_init(&peer);
}

static struct world_answer ask_peer(struct span timeout)
{
    world_init(&w);
    world_open(&w, false);
    fake_peer_start(&peer);
    struct world_answer a = call(peer.address, "/t.T/Echo", timeout);
    world_close(&w);
    fake_peer_stop(&peer);
    return a;
}

static void check_peer(const char *what, int status, enum saga_reach reach)
{
    struct world_answer a = ask_peer(SPAN_S(5));
    ck_assert_msg(a.status == status && a.reach == reach, "%s: status %d, reach %d (%s)", what, a.status, (int)a.reach,
                  a.message.at);
}

static void greet(void)
{
    begin_peer();
    fake_headers(&peer, false, ":status", "200", "content-type", "application/grpc", NULL);
}

static void trailers_only(const char *status, const char *message)
{
    begin_peer();
    fake_headers(&peer, true, ":status", "200", "content-type", "application/grpc", "grpc-status", status,
                 "grpc-message", message, NULL);
}

START_TEST(rpc_out__status_that_the_peer_sent_is_an_answer)
{
    static const struct {
        const char *text;
        int status;
    } all[] = {{"1", 1}, {"2", 2},   {"3", 3},   {"4", 4},   {"5", 5},   {"6", 6},   {"7", 7},   {"8", 8},
               {"9", 9}, {"10", 10}, {"11", 11}, {"12", 12}, {"13", 13}, {"14", 14}, {"15", 15}, {"16", 16}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        trailers_only(all[i].text, "no");
        check_peer("trailers only", all[i].status, saga_reach_of_status(all[i].status, NULL));
        greet();
        fake_headers(&peer, true, "grpc-status", all[i].text, "x-more", "y", NULL);
        check_peer("headers, then trailers", all[i].status, saga_reach_of_status(all[i].status, NULL));
        greet();
        fake_headers(&peer, true, "grpc-status", all[i].text, "saga-function", "ended", NULL);
        check_peer("with the participant's word", all[i].status, SAGA_REACH_ANSWERED);
        greet(); /* nobody else's word, and none that is not known */
        fake_headers(&peer, true, "grpc-status", all[i].text, "x-function", "ended", "y-function", "not-begun",
                     "saga-function", "begun", NULL);
        check_peer("with other words", all[i].status, saga_reach_of_status(all[i].status, NULL));
        begin_peer();
        fake_headers(&peer, true, ":status", "200", "content-type", "application/grpc", "grpc-status", all[i].text,
                     "saga-function", "not-begun", NULL);
        check_peer("with its word that nothing ran", all[i].status, SAGA_REACH_NOT_BEGUN);
    }
}
END_TEST

START_TEST(rpc_out__status_made_up_here_is_no_answer)
{
    static const struct {
        uint32_t code;
        int status;
    } resets[] = {{0, 13}, {1, 13}, {2, 13}, {8, 1}, {11, 8}, {12, 7}};
    for (size_t i = 0; i < sizeof resets / sizeof resets[0]; i++) {
        begin_peer();
        fake_reset(&peer, resets[i].code);
        check_peer("reset", resets[i].status, SAGA_REACH_MAYBE);
        greet();
        fake_reset(&peer, resets[i].code);
        check_peer("headers, then reset", resets[i].status, SAGA_REACH_MAYBE);
    }
    static const struct {
        const char *http;
        int status;
    } proxies[] = {{"400", 13}, {"401", 16}, {"403", 7},  {"404", 12},
                   {"429", 14}, {"502", 14}, {"503", 14}, {"504", 14}};
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) {
        begin_peer();
        fake_headers(&peer, true, ":status", proxies[i].http, "content-type", "text/html", NULL);
        check_peer(proxies[i].http, proxies[i].status, SAGA_REACH_MAYBE);
    }
    begin_peer();
    peer.closes = true;
    check_peer("closed", 14, SAGA_REACH_MAYBE);
    greet();
    peer.closes = true;
    check_peer("headers, then closed", 14, SAGA_REACH_MAYBE);
    begin_peer();
    fake_goaway(&peer, 0, 0);
    check_peer("going away", 14, SAGA_REACH_MAYBE);
    begin_peer();
    fake_goaway(&peer, 1, 0);
    peer.closes = true;
    check_peer("going away, then closed", 14, SAGA_REACH_MAYBE);
    begin_peer();
    fake_headers(&peer, true, ":status", "200", "content-type", "application/grpc", NULL);
    check_peer("no status", 2, SAGA_REACH_MAYBE);
}
END_TEST

START_TEST(rpc_out__output_that_cannot_be_used_is_no_answer)
{
    static const uint8_t one[] = {0, 0, 0, 0, 1, 'x'};
    static const uint8_t zipped[] = {1, 0, 0, 0, 1, 'x'};
    static const uint8_t huge[] = {0, 0xf0, 0, 0, 1, 'x'};
    greet();
    fake_headers(&peer, true, "grpc-status", "0", NULL);
    check_peer("no message", 13, SAGA_REACH_MAYBE);
    begin_peer();
    fake_headers(&peer, false, ":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip", NULL);
    fake_frame(&peer, 0, 0, 1, zipped, sizeof zipped);
    fake_headers(&peer, true, "grpc-status", "0", NULL);
    check_peer("not to be unpacked", 13, SAGA_REACH_MAYBE);
    static const uint8_t packed[] = {1,  0,  0,  0,   28, 31, 139, 8, 0,   0,  0,  0,   0, 2, 3, 43, 205,
                                     43, 72, 76, 206, 78, 77, 1,   0, 150, 98, 47, 202, 8, 0, 0, 0};
    begin_peer();
    fake_headers(&peer, false, ":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip", NULL);
    fake_frame(&peer, 0, 0, 1, packed, sizeof packed);
    fake_headers(&peer, true, "grpc-status", "0", NULL);
    ck_assert_str_eq(ask_peer(SPAN_S(5)).output.at, "unpacked");
    greet();
    fake_frame(&peer, 0, 0, 1, huge, sizeof huge);
    ck_assert_int_eq(ask_peer(SPAN_MS(200)).reach, SAGA_REACH_MAYBE);
    greet();
    fake_frame(&peer, 0, 0, 1, one, sizeof one);
    ck_assert_int_eq(ask_peer(SPAN_MS(200)).reach, SAGA_REACH_MAYBE);
    greet();
    fake_frame(&peer, 0, 0, 1, one, sizeof one);
    fake_headers(&peer, true, "grpc-status", "0", NULL);
    struct world_answer a = ask_peer(SPAN_S(5));
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_eq(a.reach, SAGA_REACH_ANSWERED);
    ck_assert_str_eq(a.output.at, "x");
}
END_TEST

/* A message of so many bytes, packed, in a frame of its own. */
static struct world_answer unpacked(size_t size)
{
    static uint8_t plain[(1 << 20) + 1], packed[1500];
    z_stream z = {.next_in = plain, .avail_in = (uInt)size, .next_out = packed + 5, .avail_out = sizeof packed - 5};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed[0] = 1;
    packed[1] = packed[2] = 0;
    packed[3] = (uint8_t)(z.total_out >> 8);
    packed[4] = (uint8_t)z.total_out;
    begin_peer();
    fake_headers(&peer, false, ":status", "200", "content-type", "application/grpc", "grpc-encoding", "gzip", NULL);
    fake_frame(&peer, 0, 0, 1, packed, 5 + z.total_out);
    fake_headers(&peer, true, "grpc-status", "0", NULL);
    deflateEnd(&z);
    return ask_peer(SPAN_S(5));
}

/* message_bytes_max is that of what is in it, to the byte; what is wrong is said. */
START_TEST(rpc_out__output_that_is_too_large_unpacked_is_no_answer)
{
    ck_assert_int_eq(unpacked(1 << 20).status, 0);
    struct world_answer a = unpacked((1 << 20) + 1);
    ck_assert_int_eq(a.status, 8);
    ck_assert_int_eq(a.reach, SAGA_REACH_MAYBE);
    ck_assert_str_eq(a.message.at, "the message is larger than message_bytes_max when it is unpacked");
    greet();
    fake_headers(&peer, true, "grpc-status", "0", NULL);
    ck_assert_str_eq(ask_peer(SPAN_S(5)).message.at, "the peer answered OK without a message");
}
END_TEST

/* A proxy refuses streams whose function runs, when the server behind it goes away. */
START_TEST(rpc_out__refused_stream_proves_nothing)
{
    begin_peer();
    fake_reset(&peer, 7);
    check_peer("refused", 14, SAGA_REACH_MAYBE);
    /* Some statuses are never made up, whatever the words. */
    static const char *const own[] = {"3", "5", "6", "9", "10", "11", "15"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        trailers_only(own[i], "Received RST_STREAM with error code 2");
        check_peer("passed on", atoi(own[i]), SAGA_REACH_ANSWERED);
        trailers_only(own[i], "Received http2 header with status: 503");
        check_peer("passed on", atoi(own[i]), SAGA_REACH_ANSWERED);
    }
    trailers_only("8", "Received RST_STREAM with error code 11");
    check_peer("passed on", 8, SAGA_REACH_MAYBE);
}
END_TEST

START_TEST(rpc_out__peer_is_not_pinged_more_often_than_servers_permit)
{
    begin_peer();
    world_init(&w);
    w.options.keepalive_time = SPAN_MS(100);
    world_open(&w, false);
    fake_peer_start(&peer);
    call(peer.address, "/t.T/Echo", SPAN_MS(1500));
    world_close(&w);
    fake_peer_stop(&peer);
    ck_assert_uint_eq(peer.pings, 0);
    /* Which a second and a half cannot tell from five minutes. */
    ck_assert_int_eq(rpc_target_ping_ms(SPAN_MS(100)), 300000);
    ck_assert_int_eq(rpc_target_ping_ms(SPAN_S(299)), 300000);
    ck_assert_int_eq(rpc_target_ping_ms(SPAN_S(301)), 301000);
}
END_TEST

START_TEST(rpc_out__silent_peer_leaves_it_open_whether_it_ran)
{
    begin_peer();
    struct world_answer a = ask_peer(SPAN_MS(200));
    ck_assert_int_eq(a.status, 4);
    ck_assert_int_eq(a.reach, SAGA_REACH_MAYBE);
}
END_TEST

static const char *deaf_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/test_rpc_out.%d", (int)getpid());
    return path;
}

START_TEST(rpc_out__attempt_ends_at_its_deadline_although_the_peer_reads_nothing)
{
    enum { COUNT = 24, SIZE = 100000 };
    static char request[SIZE + 1];
    static struct world_answer answers[COUNT];
    memset(request, 'x', SIZE);
    for (int unix_socket = 0; unix_socket < 2; unix_socket++) {
        begin_peer();
        peer.deaf = true;
        peer.path = unix_socket ? deaf_path() : NULL;
        world_init(&w);
        w.options.keepalive_timeout = SPAN_S(60); /* the connection stands */
        world_open(&w, false);
        fake_peer_start(&peer);
        struct rpc_target *target = world_target(&w, peer.address);
        gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
        for (int i = 0; i < COUNT; i++)
            world_call_out(&w, target, "/t.T/Echo", request, SPAN_MS(500), &answers[i]);
        for (int i = 0; i < COUNT; i++)
            WORLD_UNTIL(&w, answers[i].count == 1);
        int64_t took_ms = gpr_time_to_millis(gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), begin));
        ck_assert_int_lt(took_ms, 10000);
        for (int i = 0; i < COUNT; i++) {
            ck_assert_int_eq(answers[i].status, 4);
            ck_assert_int_eq(answers[i].reach, SAGA_REACH_MAYBE);
        }
        ck_assert(rpc_idle(w.rpc));
        world_close(&w); /* which waits for nobody either */
        fake_peer_stop(&peer);
        if (unix_socket)
            unlink(peer.path);
    }
}
END_TEST

START_TEST(rpc_out__connection_to_a_peer_that_reads_nothing_is_given_up)
{
    enum { SIZE = 1000000 };
    static char request[SIZE + 1];
    struct world_answer a;
    memset(request, 'x', SIZE);
    begin_peer();
    peer.deaf = true;
    peer.path = deaf_path();
    world_init(&w);
    w.options.keepalive_timeout = SPAN_MS(400);
    world_open(&w, false);
    fake_peer_start(&peer);
    struct rpc_target *target = world_target(&w, peer.address);
    world_call_out(&w, target, "/t.T/Echo", request, SPAN_S(60), &a);
    WORLD_UNTIL(&w, a.count == 1); /* long before its deadline */
    ck_assert_int_eq(a.status, 14);
    ck_assert_int_eq(a.reach, SAGA_REACH_MAYBE);
    world_close(&w);
    fake_peer_stop(&peer);
    unlink(peer.path);
}
END_TEST

/* Calls of a target that does not read are held back once it has its part of what may be on the way; others do not wait for it. */
START_TEST(rpc_out__what_a_target_does_not_take_is_bounded)
{
    enum { COUNT = 40, SIZE = 100000, PART = 1000000 };
    static char request[SIZE + 1];
    static struct world_answer answers[COUNT];
    struct world_answer other;
    memset(request, 'x', SIZE);
    begin_peer();
    peer.deaf = true;
    peer.path = deaf_path();
    world_init(&w);
    w.options.keepalive_timeout = SPAN_MS(1500);
    w.options.connect_timeout = SPAN_MS(300);
    w.options.outgoing_bytes_max = 4 * PART;
    world_open(&w, true);
    fake_peer_start(&peer);
    struct rpc_target *target = world_target(&w, peer.address), *reads = world_target(&w, w.address);
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Echo", request, SPAN_S(60), &answers[i]);
    world_call_out(&w, reads, "/t.T/Echo", "hello", SPAN_S(5), &other);
    WORLD_UNTIL(&w, other.count == 1);
    ck_assert_int_eq(other.status, 0);
    ck_assert_uint_le(atomic_load(&account.leaving), PART + 64); /* what the other call says may be on its way, too */
    WORLD_UNTIL(&w, answers[COUNT - 1].count == 1);
    int held = 0;
    for (int i = 0; i < COUNT; i++) {
        ck_assert(answers[i].count == 1 || held == 0); /* they went in their order */
        if (answers[i].count == 0)
            continue;
        held++;
        ck_assert_int_eq(answers[i].status, 14);
        ck_assert_int_eq(answers[i].reach, SAGA_REACH_NONE);
        ck_assert_str_eq(answers[i].unreached, "it does not read what it was sent");
    }
    ck_assert_int_ge(held, COUNT - PART / SIZE - 8); /* some are in the socket */
    ck_assert_int_le(held, COUNT - 1);
    ck_assert_int_eq(w.reachable, 0);
    /* Its connection is given up in the end, and with another it has room again. */
    WORLD_UNTIL(&w, w.reachable == 1);
    for (int i = 0; i < COUNT - held; i++) {
        ck_assert_int_eq(answers[i].count, 1);
        ck_assert_int_eq(answers[i].reach, SAGA_REACH_MAYBE);
    }
    world_close(&w);
    fake_peer_stop(&peer);
    unlink(peer.path);
}
END_TEST

/* One has a fourth at most, and all of them no more than the whole; one request may always be on its way, however large. */
START_TEST(rpc_out__what_is_on_its_way_is_bounded_of_each_and_of_all)
{
    enum { TARGETS = 5, MAX = 4000 };
    struct rpc_target *targets[TARGETS];
    w.options.outgoing_bytes_max = MAX;
    world_open(&w, true);
    for (int i = 0; i < TARGETS; i++)
        targets[i] = world_target(&w, w.address);
    ck_assert(!rpc_target_holds(targets[0], 10 * MAX));
    for (int i = 0; i < TARGETS - 1; i++) {
        rpc_target_given(targets[i], MAX / 4 - 100);
        ck_assert(!rpc_target_holds(targets[i], 100));
        ck_assert(rpc_target_holds(targets[i], 101));
    }
    rpc_target_given(targets[TARGETS - 1], 300);
    ck_assert(!rpc_target_holds(targets[TARGETS - 1], 100));
    ck_assert(rpc_target_holds(targets[TARGETS - 1], 101)); /* though it has had less than a fourth */
    for (int i = 0; i < TARGETS - 1; i++)
        rpc_target_took(targets[i], MAX / 4 - 100);
    ck_assert(!rpc_target_holds(targets[TARGETS - 1], 700));
    ck_assert(rpc_target_holds(targets[TARGETS - 1], 701));
    rpc_target_took(targets[TARGETS - 1], 300);
    ck_assert_uint_eq(w.rpc->outgoing, 0);
    world_close(&w);
}
END_TEST

/* What was read is on its way no more, though its answer takes its time. */
START_TEST(rpc_out__what_was_read_makes_room)
{
    enum { COUNT = 5, SIZE = 600 };
    static char request[SIZE + 1];
    struct world_answer answers[COUNT];
    memset(request, 'x', SIZE);
    w.options.outgoing_bytes_max = 4000; /* of which one target has a fourth */
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Hold", request, SPAN_S(60), &answers[i]);
    WORLD_UNTIL(&w, w.held_count == COUNT);
    for (int i = 0; i < COUNT; i++) {
        rpc_reply(w.held[i].call, bytes_of_text("y"));
        w.held[i].call = NULL;
    }
    for (int i = 0; i < COUNT; i++) {
        WORLD_UNTIL(&w, answers[i].count == 1);
        ck_assert_int_eq(answers[i].status, 0);
    }
    world_close(&w);
}
END_TEST

/* Held calls leave in their order as room comes, and none is lost. */
START_TEST(rpc_out__what_is_held_leaves_when_it_is_taken)
{
    enum { COUNT = 60, SIZE = 200 };
    static char request[SIZE + 1];
    static struct world_answer answers[COUNT];
    memset(request, 'x', SIZE);
    world_init(&w);
    w.options.outgoing_bytes_max = 4 * 3 * SIZE; /* three of them at once */
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Echo", request, SPAN_S(20), &answers[i]);
    for (int i = 0; i < COUNT; i++) {
        WORLD_UNTIL(&w, answers[i].count == 1);
        ck_assert_int_eq(answers[i].status, 0);
    }
    world_close(&w);
}
END_TEST

static int length(const struct rpc_link *ring)
{
    int count = 0;
    for (const struct rpc_link *l = ring->next; l != ring; l = l->next)
        count++;
    return count;
}

/* Thousands of calls may wait for the first connection: they leave in pieces once it is there, with turns for everybody else between. */
START_TEST(rpc_out__what_waited_for_a_connection_leaves_in_pieces)
{
    enum { COUNT = 300, AT_ONCE = 64 };
    static struct world_answer answers[COUNT];
    w.options.calls_max = COUNT;
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &answers[i]);
    ck_assert_int_eq(length(&target->held), COUNT);
    WORLD_UNTIL(&w, length(&target->held) < COUNT);
    struct world_answer later;
    int before = length(&target->held), now, most = COUNT - before;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &later);
    ck_assert_int_eq(length(&target->held), ++before); /* who comes now is behind them */
    WORLD_UNTIL(&w, (now = length(&target->held), most = before - now > most ? before - now : most, before = now) == 0);
    ck_assert_int_ge(most, AT_ONCE / 2);
    ck_assert_int_le(most, 2 * AT_ONCE); /* by the connection's news, and by the turn that follows it */
    for (int i = 0; i < COUNT; i++) {
        WORLD_UNTIL(&w, answers[i].count == 1);
        ck_assert_int_eq(answers[i].status, 0);
    }
    world_close(&w);
}
END_TEST

/* Those of later pieces have found their connection, though the time to find one is over. */
START_TEST(rpc_out__what_leaves_in_pieces_is_not_late)
{
    enum { COUNT = 300 };
    static struct world_answer answers[COUNT];
    w.options.calls_max = COUNT;
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &answers[0]);
    WORLD_UNTIL(&w, answers[0].count == 1); /* it is connected */
    w.rpc->options.connect_timeout = (struct span){0};
    w.rpc->options.outgoing_bytes_max = 1;
    memset(answers, 0, sizeof answers);
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &answers[i]);
    ck_assert_int_eq(length(&target->held), COUNT - 1);
    w.rpc->options.outgoing_bytes_max = 0;
    for (int i = 0; i < COUNT; i++) {
        WORLD_UNTIL(&w, answers[i].count == 1);
        ck_assert_msg(answers[i].status == 0, "%d: %d", i, answers[i].status);
    }
    world_close(&w);
}
END_TEST

/* What was held until its time was over has certainly not left, though there is a connection now; and its target is not to blame. */
START_TEST(rpc_out__what_leaves_no_more_in_its_time_has_not_left)
{
    struct world_answer first, late;
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &first);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_MS(0), &late);
    ck_assert_int_eq(length(&target->held), 2);
    WORLD_UNTIL(&w, first.count == 1 && late.count == 1);
    ck_assert_int_eq(late.status, 4);
    ck_assert_int_eq(late.reach, SAGA_REACH_NONE);
    world_call_out(&w, target, "/t.T/Hold", "x", SPAN_S(20), &first);
    w.rpc->options.outgoing_bytes_max = 1;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_MS(0), &late);
    ck_assert_int_eq(length(&target->held), 1);
    w.rpc->options.outgoing_bytes_max = 0;
    WORLD_UNTIL(&w, late.count == 1);
    ck_assert_int_eq(late.status, 4);
    ck_assert_int_eq(late.reach, SAGA_REACH_NONE);
    ck_assert_ptr_null(late.unreached);
    world_close(&w);
}
END_TEST

/* Whoever has the loop next has it soon, however long it takes to handle what has come. */
START_TEST(rpc_out__turn_ends_after_its_time)
{
    enum { COUNT = 200, AT_ONCE = 16 };
    static struct world_answer answers[COUNT];
    w.options.calls_max = COUNT;
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &answers[0]);
    WORLD_UNTIL(&w, answers[0].count == 1); /* it is connected */
    w.echo_takes = SPAN_MS(1);
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &answers[i]);
    int before = w.echoes, end = before + COUNT, now, most = 0;
    WORLD_UNTIL(&w, (now = w.echoes, most = now - before > most ? now - before : most, before = now) == end);
    ck_assert_int_gt(most, 0);
    ck_assert_int_le(most, AT_ONCE);
    for (int i = 0; i < COUNT; i++)
        WORLD_UNTIL(&w, answers[i].count == 1);
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__what_is_held_leaves_no_more_when_it_may_not)
{
    enum { COUNT = 12, SIZE = 200 };
    static char request[SIZE + 1];
    static struct world_answer answers[COUNT];
    memset(request, 'x', SIZE);
    world_init(&w);
    w.options.outgoing_bytes_max = 4 * 3 * SIZE; /* three of them at once */
    world_open(&w, true);
    struct rpc_target *target = world_target(&w, w.address);
    w.forbids = true;
    for (int i = 0; i < COUNT; i++)
        world_call_out(&w, target, "/t.T/Echo", request, SPAN_S(20), &answers[i]);
    int gone = 0;
    for (int i = 0; i < COUNT; i++) {
        WORLD_UNTIL(&w, answers[i].count == 1);
        bool left = answers[i].status == 0;
        ck_assert(left || (answers[i].reach == SAGA_REACH_NONE && answers[i].unreached != NULL));
        gone += left;
    }
    ck_assert_int_eq(gone, w.echoes);
    ck_assert_int_lt(gone, COUNT);
    w.forbids = false;
    answers[0] = (struct world_answer){.count = 0};
    world_call_out(&w, target, "/t.T/Echo", request, SPAN_S(20), &answers[0]);
    WORLD_UNTIL(&w, answers[0].count == 1);
    ck_assert_int_eq(answers[0].status, 0);
    world_close(&w);
}
END_TEST

/* A listener that answers whatever comes with a line of HTTP/1. */
static void *speak_http1(void *listener)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    for (int fd; (fd = accept(*(int *)listener, NULL, NULL)) >= 0; close(fd)) {
        char asked[64];
        if (recv(fd, asked, sizeof asked, 0) > 0 && send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) > 0)
            shutdown(fd, SHUT_WR);
        while (recv(fd, asked, sizeof asked, 0) > 0)
            ;
    }
    return NULL;
}

START_TEST(rpc_out__target_that_is_not_there_is_told_why)
{
    char address[32];
    pthread_t thread;
    int fd = deaf_listener(address);
    w.options.connect_timeout = SPAN_MS(700);
    world_open(&w, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, speak_http1, &fd), 0);
    const struct {
        const char *address, *cause;
    } all[] = {{"127.0.0.1:1", "connection refused"},
               {"unix:/tmp/test_rpc.nobody-listens-here", "no socket at this path"},
               {"no-such-host.invalid:1", "no such name"},
               {address, "does not speak HTTP/2"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct world_answer a = call(all[i].address, "/t.T/Echo", SPAN_S(5));
        ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
        ck_assert_ptr_nonnull(a.unreached);
        ck_assert_msg(strstr(a.unreached, all[i].cause) != NULL, "%s: %s (%s)", all[i].address, a.unreached,
                      a.message.at);
    }
    ck_assert_int_eq(w.reachable, 0);
    shutdown(fd, SHUT_RDWR);
    world_close(&w);
    pthread_join(thread, NULL);
    close(fd);
}
END_TEST

/* Nothing is done any more for one that was retired while a call waited for it: nobody would hear that it is back. */
START_TEST(rpc_out__target_that_is_retired_is_left_alone)
{
    struct world_answer a;
    world_open(&w, false);
    struct rpc_target *target = world_target(&w, "unix:/tmp/test_rpc.nobody-listens-here");
    world_call_out(&w, target, "/t.T/Echo", "in", SPAN_S(60), &a);
    rpc_target_retire(target);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    ck_assert_str_eq(a.unreached, "it is configured to be elsewhere now");
    ck_assert(rpc_link_is_single(&w.rpc->restless));
    /* As when the answer of a call that had left says that there was no connection. */
    rpc_target_await(target);
    ck_assert(rpc_link_is_single(&w.rpc->restless));
    ck_assert_int_eq(w.reachable, 0);
    world_close(&w);
}
END_TEST

START_TEST(rpc_out__target_that_comes_is_told_once)
{
    struct world_answer a, b;
    begin_peer();
    peer.path = deaf_path();
    fake_headers(&peer, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "9", NULL);
    world_init(&w);
    world_open(&w, false);
    char address[80];
    snprintf(address, sizeof address, "unix:%s", peer.path);
    struct rpc_target *target = world_target(&w, address);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &a);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &b);
    WORLD_UNTIL(&w, a.count == 1 && b.count == 1);
    ck_assert_ptr_nonnull(a.unreached);
    ck_assert_int_eq(w.reachable, 0);
    fake_peer_start(&peer);
    WORLD_UNTIL(&w, w.reachable > 0);
    for (int i = 0; i < 100; i++)
        world_turn(&w);
    ck_assert_int_eq(w.reachable, 1);
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &a);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.status, 9);
    ck_assert_ptr_null(a.unreached);
    world_close(&w);
    fake_peer_stop(&peer);
    unlink(peer.path);
}
END_TEST

START_TEST(rpc_out__proxy_of_the_environment_is_not_asked)
{
    char proxy[160];
    begin_peer(); /* the proxy: no HTTP/2 of ours would get through it */
    fake_peer_start(&peer);
    snprintf(proxy, sizeof proxy, "http://%s", peer.address);
    setenv("http_proxy", proxy, 1);
    setenv("grpc_proxy", proxy, 1);
    setenv("https_proxy", proxy, 1);
    world_open(&w, false);
    char address[80];
    snprintf(address, sizeof address, "dns:///localhost:%d", w.port);
    struct world_answer a = call(address, "/t.T/Echo", SPAN_S(5));
    ck_assert_int_eq(a.status, 0);
    world_close(&w);
    fake_peer_stop(&peer);
}
END_TEST

START_TEST(rpc_out__pushback_is_read)
{
    static const struct {
        const char *text;
        int64_t us;
        const char *status;
    } cases[] = {{"0", 0, "14"},
                 {"120", 120000, "14"},
                 {"120", 120000, "8"},
                 {"120", 120000, "4"},
                 {"-1", -1000, "14"},
                 {"-1", -1000, "8"},
                 {"", -1000, "14"},
                 {"soon", -1000, "14"},
                 {"99999999999", 86400000000, "14"},
                 {"1a", -1000, "14"},
                 {"9", 9000, "14"},
                 {"86400000", 86400000000, "14"},
                 {"86399999", 86399999000, "14"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_peer();
        fake_headers(&peer, true, ":status", "200", "content-type", "application/grpc", "grpc-status", cases[i].status,
                     "grpc-retry-pushback-ms", cases[i].text, NULL);
        struct world_answer a = ask_peer(SPAN_S(5));
        ck_assert(a.has_pushback);
        ck_assert_msg(a.pushback.us < 0 ? cases[i].us < 0 : a.pushback.us == cases[i].us, "%s: %lld us", cases[i].text,
                      (long long)a.pushback.us);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_out");
    TCase *tc = tcase_create("rpc_out");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, rpc_out__output_and_status_come_back);
    tcase_add_test(tc, rpc_out__many_calls_share_a_target);
    tcase_add_test(tc, rpc_out__deadline_leaves_it_open_whether_it_ran);
    tcase_add_test(tc, rpc_out__no_listener_means_it_never_left);
    tcase_add_test(tc, rpc_out__attempt_without_a_connection_is_given_up_in_time);
    tcase_add_test(tc, rpc_out__attempt_without_a_connection_ends_at_its_deadline);
    tcase_add_test(tc, rpc_out__wait_for_a_connection_ends_a_long_poll);
    tcase_add_test(tc, rpc_out__metadata_that_cannot_be_sent_is_an_error);
    tcase_add_test(tc, rpc_out__killed_participant_leaves_it_open_whether_it_ran);
    tcase_add_test(tc, rpc_out__cancel_all_ends_calls_out);
    tcase_add_test(tc, rpc_out__status_that_the_peer_sent_is_an_answer);
    tcase_add_test(tc, rpc_out__status_made_up_here_is_no_answer);
    tcase_add_test(tc, rpc_out__output_that_cannot_be_used_is_no_answer);
    tcase_add_test(tc, rpc_out__output_that_is_too_large_unpacked_is_no_answer);
    tcase_add_test(tc, rpc_out__refused_stream_proves_nothing);
    tcase_add_test(tc, rpc_out__peer_is_not_pinged_more_often_than_servers_permit);
    tcase_add_test(tc, rpc_out__silent_peer_leaves_it_open_whether_it_ran);
    tcase_add_test(tc, rpc_out__attempt_ends_at_its_deadline_although_the_peer_reads_nothing);
    tcase_add_test(tc, rpc_out__connection_to_a_peer_that_reads_nothing_is_given_up);
    tcase_add_test(tc, rpc_out__what_a_target_does_not_take_is_bounded);
    tcase_add_test(tc, rpc_out__what_is_on_its_way_is_bounded_of_each_and_of_all);
    tcase_add_test(tc, rpc_out__what_was_read_makes_room);
    tcase_add_test(tc, rpc_out__what_is_held_leaves_when_it_is_taken);
    tcase_add_test(tc, rpc_out__what_waited_for_a_connection_leaves_in_pieces);
    tcase_add_test(tc, rpc_out__what_leaves_in_pieces_is_not_late);
    tcase_add_test(tc, rpc_out__what_leaves_no_more_in_its_time_has_not_left);
    tcase_add_test(tc, rpc_out__turn_ends_after_its_time);
    tcase_add_test(tc, rpc_out__what_is_held_leaves_no_more_when_it_may_not);
    tcase_add_test(tc, rpc_out__target_that_is_not_there_is_told_why);
    tcase_add_test(tc, rpc_out__target_that_is_retired_is_left_alone);
    tcase_add_test(tc, rpc_out__target_that_comes_is_told_once);
    tcase_add_test(tc, rpc_out__proxy_of_the_environment_is_not_asked);
    tcase_add_test(tc, rpc_out__pushback_is_read);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
