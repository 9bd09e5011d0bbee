/* What is asked of another sidecar: it answers as a loop would, over as many connections as are needed and no more. The other is the room itself. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/fake_peer.h"
#include "tests/support/rpc_world.h"

#include <check.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROADS = 128 }; /* as in forward.c */

static struct world w;
static struct certificates *some_certificates;
static unsigned made; /* connections */
static struct span timeout;
static uint64_t version;

/* ---- tests.mk wraps these ---- */

grpc_channel_credentials *__wrap_transport_channel_credentials(const struct transport_credentials *c, const char *host);
uint64_t __wrap_certificates_version(struct certificates *c);

grpc_channel_credentials *__wrap_transport_channel_credentials(const struct transport_credentials *c, const char *host)
{
    (void)c;
    (void)host;
    made++;
    return grpc_insecure_credentials_create();
}

uint64_t __wrap_certificates_version(struct certificates *c)
{
    ck_assert_ptr_eq(c, some_certificates);
    return version;
}

/* ---- a world ---- */

static const struct rpc_method echo = {"/t.T/Echo", RPC_UNARY, 0}, fail = {"/t.T/Fail", RPC_UNARY, 0},
                               hold = {"/t.T/Hold", RPC_UNARY, 0}, stream = {"/t.T/Stream", RPC_SERVER_STREAM, 0};

struct heard {
    int messages, ends, status;
    char last, message[128];
    size_t details, body_size;
    char body[16];
};

static void on_message(void *self, void *tag, struct bytes message)
{
    struct heard *h = tag;
    (void)self;
    ck_assert_int_eq(h->ends, 0);
    h->messages++;
    h->last = (char)message.at[0];
}

static void on_end(void *self, void *tag, const struct rpc_told *told)
{
    struct heard *h = tag;
    (void)self;
    h->ends++;
    h->status = told->status;
    h->details = told->details.size;
    h->body_size = told->body.size;
    if (told->body.size > 0)
        memcpy(h->body, told->body.at, told->body.size < 16 ? told->body.size : 16);
    snprintf(h->message, sizeof h->message, "%s", told->message == NULL ? "" : told->message);
}

static const struct rpc_asker asker = {.on_message = on_message, .on_end = on_end};

static const struct rpc_peer peer = {.transport = RPC_TRANSPORT_UNIX, .role = 3, .has_user = true, .uid = 7, .gid = 8};

static struct rpc_forward *forward_to(const char *address, const struct rpc_method *method, struct heard *h)
{
    static struct transport_credentials credentials;
    credentials = (struct transport_credentials){.security = TRANSPORT_TLS, .certificates = some_certificates};
    const struct rpc_forward_to to = {
        .address = address, .credentials = &credentials, .peer = &peer, .timeout = timeout};
    *h = (struct heard){0};
    return rpc_forward(w.rpc, &to, method, bytes_of_text("x"), &asker, h);
}

static void ask_at(const char *address)
{
    struct heard h;
    ck_assert_ptr_nonnull(forward_to(address, &echo, &h));
    WORLD_UNTIL(&w, h.ends == 1);
}

static void setup(void)
{
    static int some;
    some_certificates = (struct certificates *)(void *)&some;
    timeout = SPAN_S(20);
    world_init(&w);
    world_open(&w, true);
}

static void teardown(void)
{
    world_close(&w);
}

START_TEST(forward__an_answer_and_an_error_come_back_whole)
{
    struct heard h;
    forward_to(w.address, &echo, &h);
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 0);
    ck_assert_uint_eq(h.body_size, 1);
    ck_assert_int_eq(h.body[0], 'x');
    forward_to(w.address, &fail, &h);
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 9);
    ck_assert_str_ne(h.message, "");
    ck_assert_uint_gt(h.details, 0);
    ck_assert_uint_eq(made, 1);
}
END_TEST

/* At once, though the call may take its time: whoever is asked for may be elsewhere by now. */
START_TEST(forward__nobody_there_is_unavailable)
{
    struct heard h;
    forward_to("unix:/nowhere/s.sock", &echo, &h);
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 14);
    ck_assert_ptr_null(forward_to("nonsense:", &echo, &h));
}
END_TEST

START_TEST(forward__a_stream_sends_one_at_a_time)
{
    struct heard h, other;
    struct rpc_forward *f = forward_to(w.address, &stream, &h);
    WORLD_UNTIL(&w, w.held_count == 1);
    for (int i = 1; i <= 3; i++) {
        rpc_send(w.held[0].call, bytes_of("123" + i - 1, 1));
        WORLD_UNTIL(&w, h.messages == i && w.held[0].sent == i);
        ck_assert_int_eq(h.last, '0' + i);
        if (i == 3)
            break;
        rpc_send(w.held[0].call, bytes_of("?", 1));
        forward_to(w.address, &echo, &other);
        WORLD_UNTIL(&w, other.ends == 1);
        ck_assert_int_eq(h.messages, i); /* it was not taken */
        rpc_forward_took(f);
        WORLD_UNTIL(&w, h.messages == i + 1 && w.held[0].sent == i + 1);
        h.messages--;
        w.held[0].sent--;
        rpc_forward_took(f);
    }
    rpc_end(w.held[0].call, 0, "", bytes_of(NULL, 0));
    w.held[0].call = NULL;
    forward_to(w.address, &echo, &other);
    WORLD_UNTIL(&w, other.ends == 1);
    ck_assert_int_eq(h.ends, 0); /* there may be more behind what was not taken */
    rpc_forward_took(f);
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 0);
}
END_TEST

/* Nobody has to take what is there before it is told that there is no more. */
START_TEST(forward__a_stream_that_fails_ends_at_once)
{
    struct heard h;
    forward_to(w.address, &stream, &h);
    WORLD_UNTIL(&w, w.held_count == 1);
    rpc_send(w.held[0].call, bytes_of("1", 1));
    WORLD_UNTIL(&w, h.messages == 1 && w.held[0].sent == 1);
    rpc_end(w.held[0].call, 9, "no more", bytes_of(NULL, 0));
    w.held[0].call = NULL;
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 9);
    ck_assert_str_eq(h.message, "no more");
}
END_TEST

START_TEST(forward__one_that_is_cancelled_ends)
{
    struct heard h;
    w.reply_to_cancelled = true;
    struct rpc_forward *f = forward_to(w.address, &hold, &h);
    WORLD_UNTIL(&w, w.held_count == 1);
    rpc_forward_cancel(f);
    WORLD_UNTIL(&w, h.ends == 1 && w.held[0].cancellations == 1);
    ck_assert_int_eq(h.status, 1);
}
END_TEST

/* Also one of which all has come, and whose last message nobody has taken: else it would be there for ever, and hold up the stop. */
START_TEST(forward__one_that_is_cancelled_behind_its_end_ends)
{
    struct heard h, other;
    struct rpc_forward *f = forward_to(w.address, &stream, &h);
    WORLD_UNTIL(&w, w.held_count == 1);
    rpc_send(w.held[0].call, bytes_of("1", 1));
    WORLD_UNTIL(&w, h.messages == 1 && w.held[0].sent == 1);
    rpc_end(w.held[0].call, 0, "", bytes_of(NULL, 0));
    w.held[0].call = NULL;
    forward_to(w.address, &echo, &other); /* behind which the end of the stream has come */
    WORLD_UNTIL(&w, other.ends == 1);
    ck_assert_int_eq(h.ends, 0);
    rpc_forward_cancel(f);
    ck_assert_int_eq(h.ends, 0); /* not within the call */
    WORLD_UNTIL(&w, h.ends == 1 && rpc_idle(w.rpc));
    ck_assert_int_eq(h.messages, 1);
}
END_TEST

/* At the stop, all of them. */
START_TEST(forward__all_that_are_out_are_cancelled)
{
    struct heard h[3];
    w.reply_to_cancelled = true;
    for (int i = 0; i < 3; i++)
        forward_to(w.address, &hold, &h[i]);
    WORLD_UNTIL(&w, w.held_count == 3);
    rpc_forward_cancel_all(w.rpc);
    for (int i = 0; i < 3; i++) {
        WORLD_UNTIL(&w, h[i].ends == 1 && w.held[i].cancellations == 1);
        ck_assert_int_eq(h[i].status, 1);
    }
}
END_TEST

START_TEST(forward__it_says_for_whom_it_asks)
{
    struct heard h;
    char text[RPC_FORWARDED_SIZE];
    forward_to(w.address, &hold, &h);
    WORLD_UNTIL(&w, w.held_count == 1);
    ck_assert(rpc_call_is_forwarded(w.held[0].call));
    ck_assert(bytes_equal(rpc_call_metadata(w.held[0].call, RPC_FORWARDED_KEY), rpc_peer_write(&peer, text)));
    ck_assert_str_eq(text, "1 1 3 1 7 8\n\n");
    rpc_reply(w.held[0].call, bytes_of_text("y"));
    w.held[0].call = NULL;
    WORLD_UNTIL(&w, h.ends == 1);
}
END_TEST

/* Also when the other has got on with it. */
START_TEST(forward__it_ends_in_its_time)
{
    struct heard h;
    for (int ms = 300; ms >= 0; ms -= 300) { /* and when there is none left */
        timeout = SPAN_MS(ms);
        forward_to(w.address, &hold, &h);
        WORLD_UNTIL(&w, h.ends == 1);
        ck_assert_int_eq(h.status, 4);
        WORLD_UNTIL(&w, rpc_idle(w.rpc));
    }
}
END_TEST

START_TEST(forward__all_is_well_without_an_answer_is_an_error)
{
    struct heard h;
    struct fake_peer other;
    fake_peer_init(&other);
    fake_headers(&other, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "0", NULL);
    fake_peer_start(&other);
    forward_to(other.address, &echo, &h);
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 13);
    ck_assert_str_eq(h.message, "the sidecar that was asked gave no answer");
    forward_to(other.address, &stream, &h);
    rpc_cancel_all(w.rpc);
    WORLD_UNTIL(&w, h.ends == 1);
    ck_assert_int_eq(h.status, 1);
    world_close(&w);
    fake_peer_stop(&other);
    world_init(&w);
    world_open(&w, true);
}
END_TEST

/* A connection that was made with certificates that are not in force any more is not asked again. */
START_TEST(forward__other_certificates_are_another_connection)
{
    ask_at(w.address);
    ask_at(w.address);
    ck_assert_uint_eq(made, 1);
    version++;
    ask_at(w.address);
    ck_assert_uint_eq(made, 2);
    ask_at(w.address);
    ck_assert_uint_eq(made, 2);
}
END_TEST

/* Of many connections that which was used least lately gives way. */
START_TEST(forward__connections_are_bounded)
{
    char address[64];
    ask_at(w.address);
    for (unsigned i = 0; i < ROADS + 10; i++) {
        snprintf(address, sizeof address, "unix:/nowhere/%u", i);
        ask_at(address);
        ask_at(w.address);
    }
    ck_assert_uint_eq(made, 1 + ROADS + 10); /* the busiest stayed */
    snprintf(address, sizeof address, "unix:/nowhere/%u", ROADS);
    ask_at(address);
    ck_assert_uint_eq(made, 1 + ROADS + 10);
    ask_at("unix:/nowhere/0");
    ck_assert_uint_eq(made, 1 + ROADS + 11);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("forward");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, forward__an_answer_and_an_error_come_back_whole);
    tcase_add_test(t, forward__nobody_there_is_unavailable);
    tcase_add_test(t, forward__a_stream_sends_one_at_a_time);
    tcase_add_test(t, forward__a_stream_that_fails_ends_at_once);
    tcase_add_test(t, forward__one_that_is_cancelled_ends);
    tcase_add_test(t, forward__one_that_is_cancelled_behind_its_end_ends);
    tcase_add_test(t, forward__all_that_are_out_are_cancelled);
    tcase_add_test(t, forward__it_says_for_whom_it_asks);
    tcase_add_test(t, forward__it_ends_in_its_time);
    tcase_add_test(t, forward__all_is_well_without_an_answer_is_an_error);
    tcase_add_test(t, forward__other_certificates_are_another_connection);
    tcase_add_test(t, forward__connections_are_bounded);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
