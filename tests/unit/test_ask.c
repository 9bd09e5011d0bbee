/* Letters between threads, and what one loop asks another. */
#include "sidecar/base/account.h"
#include "sidecar/rpc/inbox.h"
#include "sidecar/rpc/rpc.h"

#include <check.h>
#include <grpc/support/time.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the inbox ---- */

#define SENDERS 4
#define LETTERS 50000

struct numbered {
    struct letter letter;
    int sender, number;
};

static struct inbox box;

static void *send_letters(void *sender)
{
    struct numbered *all = sender;
    for (int i = 0; i < LETTERS; i++)
        inbox_put(&box, &all[i].letter);
    return NULL;
}

START_TEST(ask__letters_of_a_sender_stay_in_order)
{
    static struct numbered letters[SENDERS][LETTERS];
    pthread_t threads[SENDERS];
    int next[SENDERS] = {0}, got = 0;
    inbox_init(&box);
    ck_assert(inbox_is_empty(&box));
    ck_assert_ptr_null(inbox_take(&box));
    for (int s = 0; s < SENDERS; s++) {
        for (int i = 0; i < LETTERS; i++)
            letters[s][i] = (struct numbered){.sender = s, .number = i};
        ck_assert_int_eq(pthread_create(&threads[s], NULL, send_letters, letters[s]), 0);
    }
    while (got < SENDERS * LETTERS) {
        struct letter *l = inbox_take(&box);
        for (struct letter *after; l != NULL; l = after, got++) {
            const struct numbered *n = (const struct numbered *)(void *)l;
            after = l->next;
            ck_assert_int_eq(n->number, next[n->sender]++);
        }
    }
    for (int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    ck_assert(inbox_is_empty(&box));
}
END_TEST

/* ---- asking ---- */

enum { ECHO, FAIL, HOLD, COUNT, METHODS };

static const struct rpc_method methods[METHODS] = {
    {"/t.T/Echo", RPC_UNARY, ECHO},
    {"/t.T/Fail", RPC_UNARY, FAIL},
    {"/t.T/Hold", RPC_UNARY, HOLD},
    {"/t.T/Count", RPC_SERVER_STREAM, COUNT},
};

/* A room with a thread of its own. */
struct room {
    struct rpc *rpc;
    pthread_t thread;
    atomic_bool stop;
    bool patient; /* looks only when it is woken */
    atomic_int held, cancelled;
    struct rpc_peer peer; /* on whose behalf was asked last */
    struct span ago;      /* how long before it heard of it */
    char counted;         /* of Count: what was sent last */
};

static struct room asked;
static struct rpc *asking;

static void on_message(void *self, struct rpc_call *call, struct bytes message)
{
    struct room *room = self;
    ck_assert_ptr_eq(rpc_call_asker(call), asking);
    room->peer = *rpc_call_peer(call);
    room->ago = rpc_call_asked_ago(call);
    switch (rpc_call_method(call)->id) {
    case ECHO:
        rpc_reply(call, message);
        break;
    case FAIL:
        rpc_end(call, 9, "not in this state", bytes_of_text("\x08\x09"));
        break;
    case HOLD:
        atomic_fetch_add(&room->held, 1);
        break;
    default:
        room->counted = '1';
        rpc_send(call, bytes_of("1", 1));
    }
}

static void on_cancelled(void *self, struct rpc_call *call)
{
    struct room *room = self;
    atomic_fetch_add(&room->cancelled, 1);
    rpc_end(call, 1, NULL, bytes_of(NULL, 0));
}

/* Counts to three. */
static void on_sent(void *self, struct rpc_call *call)
{
    struct room *room = self;
    if (room->counted == '3')
        rpc_end(call, 0, "", bytes_of(NULL, 0));
    else
        rpc_send(call, bytes_of((room->counted++, &room->counted), 1));
}

static struct rpc *room_create_of(const struct rpc_callbacks *callbacks)
{
    struct rpc_options options = {
        .methods = methods,
        .method_count = METHODS,
        .message_bytes_max = 1 << 20,
        .calls_max = 8,
        .streams_max = 4,
        .connection_streams_max = 8,
        .handshake_timeout = SPAN_S(5),
        .keepalive_time = SPAN_S(60),
        .keepalive_timeout = SPAN_S(20),
        .connect_timeout = SPAN_S(1),
        .metadata_bytes_max = 16384,
    };
    struct rpc *rpc;
    ck_assert_int_eq(rpc_create(&options, callbacks, &rpc), 0);
    rpc_start(rpc);
    return rpc;
}

static struct rpc *room_create(void *self)
{
    return room_create_of(&(struct rpc_callbacks){
        .on_message = on_message, .on_cancelled = on_cancelled, .on_sent = on_sent, .self = self});
}

static void *turn(void *self)
{
    struct room *room = self;
    while (!atomic_load(&room->stop))
        rpc_poll(room->rpc, room->patient ? SPAN_S(60) : SPAN_S(1));
    return NULL;
}

static void setup(void)
{
    asked = (struct room){.counted = 0};
    asked.rpc = room_create(&asked);
    asking = room_create(NULL);
    ck_assert_int_eq(pthread_create(&asked.thread, NULL, turn, &asked), 0);
}

static void teardown(void)
{
    atomic_store(&asked.stop, true);
    rpc_wake(asked.rpc);
    pthread_join(asked.thread, NULL);
    rpc_destroy(asked.rpc);
    rpc_destroy(asking);
}

/* What was heard of one ask. */
struct heard {
    int messages, ends;
    char last;
    int status;
    char message[64];
    char details[8];
    size_t body_size;
    char body[16];
};

static void asker_message(void *self, void *tag, struct bytes message)
{
    struct heard *h = tag;
    ck_assert_ptr_null(self);
    ck_assert_int_eq(h->ends, 0);
    h->messages++;
    h->last = (char)message.at[0];
}

static void asker_end(void *self, void *tag, const struct rpc_told *told)
{
    struct heard *h = tag;
    ck_assert_ptr_null(self);
    h->ends++;
    h->status = told->status;
    h->body_size = told->body.size;
    if (told->message != NULL)
        strncpy(h->message, told->message, sizeof h->message - 1);
    if (told->details.size > 0)
        memcpy(h->details, told->details.at, told->details.size);
    if (told->body.size > 0)
        memcpy(h->body, told->body.at, told->body.size < sizeof h->body ? told->body.size : sizeof h->body);
}

static const struct rpc_asker asker = {.on_message = asker_message, .on_end = asker_end};

static bool passed(gpr_timespec deadline)
{
    return gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), deadline) > 0;
}

#define UNTIL(condition) \
    do { \
        gpr_timespec end_ = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(20, GPR_TIMESPAN)); \
        while (!(condition)) { \
            rpc_poll(asking, SPAN_MS(20)); \
            ck_assert_msg(!passed(end_), "waited in vain for " #condition); \
        } \
    } while (0)

static struct rpc_ask *ask(int method, const char *text, struct heard *h)
{
    *h = (struct heard){0};
    return rpc_ask(asking, asked.rpc, &methods[method], bytes_of_text(text), NULL, &asker, h);
}

START_TEST(ask__says_on_whose_behalf)
{
    const struct rpc_peer all[] = {
        {.transport = RPC_TRANSPORT_UNIX, .role = 2, .has_user = true, .uid = 4711, .gid = 12},
        {.transport = RPC_TRANSPORT_TCP, .role = 1, .address = "10.0.0.7:41234"},
        {.transport = RPC_TRANSPORT_TLS, .role = 3, .address = "[::1]:7", .identity = "spiffe://t/shop"},
        {.transport = RPC_TRANSPORT_NONE}, /* the sidecar's own */
    };
    struct heard h;
    setup();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct rpc_peer peer = all[i];
        bool own = peer.transport == RPC_TRANSPORT_NONE;
        h = (struct heard){0};
        rpc_ask(asking, asked.rpc, &methods[ECHO], bytes_of_text("x"), own ? NULL : &peer, &asker, &h);
        peer = (struct rpc_peer){.uid = 1}; /* it was copied */
        UNTIL(h.ends == 1);
        ck_assert_int_eq(asked.peer.transport, all[i].transport);
        ck_assert_uint_eq(asked.peer.role, all[i].role);
        ck_assert_int_eq(asked.peer.has_user, all[i].has_user);
        ck_assert_uint_eq(asked.peer.uid, all[i].uid);
        ck_assert_uint_eq(asked.peer.gid, all[i].gid);
        ck_assert_str_eq(asked.peer.address, all[i].address);
        ck_assert_str_eq(asked.peer.identity, all[i].identity);
    }
    teardown();
}
END_TEST

START_TEST(ask__answers_come_back)
{
    static struct heard many[1000];
    struct heard h;
    setup();
    ask(ECHO, "hello", &h);
    ck_assert_int_eq(h.ends, 0); /* never at once */
    UNTIL(h.ends == 1);
    ck_assert_int_eq(h.status, 0);
    ck_assert_str_eq(h.body, "hello");
    ask(ECHO, "", &h);
    UNTIL(h.ends == 1);
    ck_assert_int_eq(h.status, 0);
    ck_assert_uint_eq(h.body_size, 0);
    ask(FAIL, "x", &h);
    UNTIL(h.ends == 1);
    ck_assert_int_eq(h.status, 9);
    ck_assert_str_eq(h.message, "not in this state");
    ck_assert_str_eq(h.details, "\x08\x09");
    /* More than calls_max: they are not peers. */
    for (int i = 0; i < 1000; i++)
        ask(ECHO, "x", &many[i]);
    for (int i = 0; i < 1000; i++)
        UNTIL(many[i].ends == 1);
    teardown();
}
END_TEST

/* A letter wakes whoever waits, who would look only after a second. */
START_TEST(ask__who_is_asked_is_woken)
{
    struct heard h;
    setup();
    gpr_timespec end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(12, GPR_TIMESPAN));
    for (int i = 0; i < 30; i++) {
        ask(ECHO, "x", &h);
        UNTIL(h.ends == 1);
    }
    ck_assert(!passed(end));
    teardown();
}
END_TEST

/* Each of those that were written to in one turn, in whichever order: one that does not answer holds the other up in nothing. */
START_TEST(ask__all_who_are_asked_in_a_turn_are_woken)
{
    struct room other = {.patient = true};
    struct heard first, second;
    setup();
    other.rpc = room_create(&other);
    ck_assert_int_eq(pthread_create(&other.thread, NULL, turn, &other), 0);
    gpr_timespec end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(12, GPR_TIMESPAN));
    for (int i = 0; i < 5; i++) {
        second = (struct heard){0};
        struct rpc_ask *held = i % 2 == 1 ? ask(HOLD, "x", &first) : NULL;
        rpc_ask(asking, other.rpc, &methods[ECHO], bytes_of_text("x"), NULL, &asker, &second);
        if (i % 2 == 0)
            held = ask(HOLD, "x", &first);
        while (second.ends == 0 && !passed(end))
            rpc_poll(asking, SPAN_S(15));
        ck_assert(!passed(end));
        rpc_ask_cancel(held);
        UNTIL(first.ends == 1);
    }
    atomic_store(&other.stop, true);
    rpc_wake(other.rpc);
    pthread_join(other.thread, NULL);
    rpc_destroy(other.rpc);
    teardown();
}
END_TEST

START_TEST(ask__stream_sends_one_at_a_time)
{
    struct heard h, other;
    setup();
    struct rpc_ask *stream = ask(COUNT, "", &h);
    for (int i = 1; i <= 3; i++) {
        UNTIL(h.messages == i);
        ck_assert_int_eq(h.last, '0' + i);
        /* What was asked later has been answered: the next message would have been here too. */
        ask(ECHO, "x", &other);
        UNTIL(other.ends == 1);
        ck_assert_int_eq(h.messages, i);
        ck_assert_int_eq(h.ends, 0);
        rpc_ask_took(stream);
    }
    UNTIL(h.ends == 1);
    ck_assert_int_eq(h.status, 0);
    teardown();
}
END_TEST

START_TEST(ask__cancellation_is_heard_once_and_answered)
{
    struct heard h, late;
    setup();
    struct rpc_ask *held = ask(HOLD, "", &h);
    UNTIL(atomic_load(&asked.held) == 1);
    rpc_ask_cancel(held);
    UNTIL(h.ends == 1);
    ck_assert_int_eq(h.status, 1);
    ck_assert_int_eq(atomic_load(&asked.cancelled), 1);
    /* It crosses the answer: nobody there hears of it, and nothing is left behind. */
    struct rpc_ask *quick = ask(ECHO, "x", &late);
    rpc_ask_cancel(quick);
    UNTIL(late.ends == 1);
    ck_assert_int_eq(late.status, 0);
    ck_assert_int_eq(atomic_load(&asked.cancelled), 1);
    teardown();
}
END_TEST

START_TEST(ask__letters_that_nobody_reads_any_more_are_freed)
{
    struct heard h;
    setup();
    atomic_store(&asked.stop, true);
    rpc_wake(asked.rpc);
    pthread_join(asked.thread, NULL);
    struct rpc_ask *stream = ask(COUNT, "unread", &h);
    rpc_ask_took(stream);
    rpc_destroy(asked.rpc);
    rpc_destroy(asking);
    ck_assert_int_eq(h.ends, 0);
    free(stream); /* the one who asks holds it until its end, which does not come */
}
END_TEST

/* An answer that came when who asked looks no more: with sanitizers the ask that nobody freed would be seen. */
START_TEST(ask__an_answer_that_nobody_reads_any_more_ends_it)
{
    struct heard h;
    asked = (struct room){.rpc = room_create(&asked)};
    asking = room_create(NULL);
    ask(ECHO, "answered", &h);
    rpc_poll(asked.rpc, SPAN_MS(0));
    rpc_destroy(asked.rpc);
    rpc_destroy(asking);
    ck_assert_int_eq(h.ends, 0);
}
END_TEST

/* ---- a room that goes when it has given its last answer ---- */

static void take_and_hold(void *self, struct rpc_call *call, struct bytes message)
{
    (void)message;
    *(struct rpc_call **)self = call;
}

static unsigned cancel_count;

static void count_cancelled(void *self, struct rpc_call *call)
{
    (void)self;
    (void)call;
    cancel_count++;
}

static void send_is_ignored(void *self, struct rpc_call *call)
{
    (void)self;
    (void)call;
}

static void take_at_once(void *self, void *tag, struct bytes message)
{
    (void)self;
    (void)message;
    rpc_ask_took(*(struct rpc_ask **)tag);
}

static void let_the_room_go(void *self, void *tag, const struct rpc_told *told)
{
    (void)told;
    (void)self;
    *(struct rpc_ask **)tag = NULL;
    rpc_destroy(asked.rpc);
    asked.rpc = NULL;
}

START_TEST(ask__nothing_is_handed_over_to_a_room_after_its_last_end)
{
    static const struct rpc_asker takes = {.on_message = take_at_once, .on_end = let_the_room_go};
    struct rpc_call *held = NULL;
    asking = room_create(NULL);
    asked.rpc = room_create_of(&(struct rpc_callbacks){
        .on_message = take_and_hold, .on_sent = send_is_ignored, .on_cancelled = send_is_ignored, .self = &held});
    struct rpc_ask *stream = NULL;
    stream = rpc_ask(asking, asked.rpc, &methods[COUNT], bytes_of_text(""), NULL, &takes, &stream);
    rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_ptr_nonnull(held);
    rpc_send(held, bytes_of_text("1"));
    rpc_end(held, 0, "", bytes_of(NULL, 0));
    rpc_poll(asking, SPAN_MS(0)); /* both letters in one turn: it takes the first, and then the other has gone */
    ck_assert_ptr_null(stream);
    rpc_destroy(asking);
}
END_TEST

static unsigned sent_count, served_count;

static void count_sent(void *self, struct rpc_call *call)
{
    (void)self;
    (void)call;
    sent_count++;
}

static void count_served(void *self, struct rpc_call *call, struct bytes message)
{
    (void)self;
    served_count++;
    rpc_reply(call, message);
}

static void destroy_both(void)
{
    rpc_destroy(asked.rpc);
    rpc_destroy(asking);
    ck_assert_uint_eq(atomic_load(&account.leaving), 0);
}

/* A word that there is room may be on its way still. */
START_TEST(ask__who_has_cancelled_takes_no_more)
{
    struct heard h;
    struct rpc_call *held = NULL;
    asking = room_create(NULL);
    asked.rpc = room_create_of(&(struct rpc_callbacks){
        .on_message = take_and_hold, .on_sent = count_sent, .on_cancelled = count_cancelled, .self = &held});
    struct rpc_ask *stream = ask(COUNT, "", &h);
    rpc_poll(asked.rpc, SPAN_MS(0));
    rpc_send(held, bytes_of_text("1"));
    ck_assert_uint_gt(atomic_load(&account.leaving), 0);
    rpc_poll(asking, SPAN_MS(0));
    rpc_ask_took(stream);
    rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_uint_eq(sent_count, 1);
    rpc_send(held, bytes_of_text("2"));
    rpc_ask_cancel(stream);
    rpc_ask_cancel(stream);
    rpc_ask_took(stream);
    rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_uint_eq(cancel_count, 1);
    rpc_end(held, 1, NULL, bytes_of(NULL, 0));
    rpc_poll(asking, SPAN_MS(0));
    ck_assert_int_eq(h.messages, 2);
    ck_assert_int_eq(h.ends, 1);
    destroy_both();
}
END_TEST

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Counted from when it was asked, and not from when who is asked has heard of it. */
START_TEST(ask__who_is_asked_knows_for_how_long_it_has_been)
{
    struct heard h;
    asked = (struct room){.rpc = room_create(&asked)};
    asking = room_create(NULL);
    int64_t before = now_us();
    ask(ECHO, "x", &h);
    int64_t behind = now_us(), due = behind + 5000, now;
    while ((now = now_us()) < due)
        ;
    rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_int_ge(asked.ago.us, now - behind);
    ck_assert_int_le(asked.ago.us, now_us() - before);
    rpc_poll(asking, SPAN_MS(0));
    ck_assert_int_eq(h.ends, 1);
    destroy_both();
}
END_TEST

/* What a loop decides is committed also while more and more is asked of it. */
START_TEST(ask__a_turn_ends_although_more_is_asked)
{
    enum { ASKS = 3000 };
    static struct heard many[ASKS];
    asking = room_create(NULL);
    asked.rpc = room_create_of(&(struct rpc_callbacks){.on_message = count_served});
    for (int i = 0; i < ASKS; i++)
        ask(ECHO, "x", &many[i]);
    rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_uint_eq(served_count, 1024);
    /* And what came meanwhile is behind what has not been read yet, and instead of nothing. */
    struct heard late;
    ask(ECHO, "late", &late);
    rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_int_eq(late.ends, 0);
    for (int i = 0; i < 2; i++)
        rpc_poll(asked.rpc, SPAN_MS(0));
    ck_assert_uint_eq(served_count, ASKS + 1);
    UNTIL(late.ends == 1);
    for (int i = 0; i < ASKS; i++)
        UNTIL(many[i].ends == 1);
    destroy_both();
}
END_TEST

/* Every question is freed with its answer, and not only when the sidecar ends. */
START_TEST(ask__what_is_answered_takes_no_memory)
{
    enum { ASKS = 1000 };
    static struct heard many[ASKS];
    size_t first = 0;
    asking = room_create(NULL);
    asked.rpc = room_create_of(&(struct rpc_callbacks){.on_message = count_served});
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < ASKS; i++)
            ask(ECHO, "x", &many[i]);
        while (served_count < (unsigned)(round + 1) * ASKS)
            rpc_poll(asked.rpc, SPAN_MS(0));
        for (int i = 0; i < ASKS; i++)
            UNTIL(many[i].ends == 1);
        if (round == 0)
            first = mallinfo2().uordblks;
    }
    ck_assert_uint_lt(mallinfo2().uordblks, first + ASKS * (size_t)100); /* each of them is larger */
    destroy_both();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ask");
    TCase *tc = tcase_create("ask");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, ask__letters_of_a_sender_stay_in_order);
    tcase_add_test(tc, ask__answers_come_back);
    tcase_add_test(tc, ask__who_is_asked_is_woken);
    tcase_add_test(tc, ask__all_who_are_asked_in_a_turn_are_woken);
    tcase_add_test(tc, ask__says_on_whose_behalf);
    tcase_add_test(tc, ask__stream_sends_one_at_a_time);
    tcase_add_test(tc, ask__cancellation_is_heard_once_and_answered);
    tcase_add_test(tc, ask__letters_that_nobody_reads_any_more_are_freed);
    tcase_add_test(tc, ask__an_answer_that_nobody_reads_any_more_ends_it);
    tcase_add_test(tc, ask__nothing_is_handed_over_to_a_room_after_its_last_end);
    tcase_add_test(tc, ask__who_has_cancelled_takes_no_more);
    tcase_add_test(tc, ask__who_is_asked_knows_for_how_long_it_has_been);
    tcase_add_test(tc, ask__a_turn_ends_although_more_is_asked);
    tcase_add_test(tc, ask__what_is_answered_takes_no_memory);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
