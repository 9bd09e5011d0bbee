/* How calls and streams end, in whatever order C core tells it: whoever waits is told once, with whether the headers had left, and nothing is
 * freed that C core still holds. */
#include "client-lib/src/wire_duplex.h"
#include "client-lib/src/wire_inside.h"
#include "saga/v1/coordinator.pb-c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES_MAX = 16 };

static struct wire w;
static struct {
    struct wire_tag *tag;
    grpc_op ops[4];
    size_t count;
    bool ended;
} batches[BATCHES_MAX];
static unsigned batch_count, dismissed, freed, cancelled;
static bool refuses;

/* ---- tests.mk wraps these ---- */

#define CALL ((grpc_call *)(void *)batches) /* nobody looks into it */

void __wrap_wire_batch(struct wire *wire, grpc_call *call, const grpc_op *ops, size_t count, struct wire_tag *tag);
grpc_call *__wrap_wire_create_call(struct wire *wire, const char *method, int64_t deadline);
int __wrap_wire_admit(struct wire *wire, struct wire_live *live, struct saga_error *error);
void __wrap_wire_dismiss(struct wire *wire, struct wire_live *live);
void __wrap_grpc_call_unref(grpc_call *call);
grpc_call_error __wrap_grpc_call_cancel(grpc_call *call, void *reserved);

void __wrap_wire_batch(struct wire *wire, grpc_call *call, const grpc_op *ops, size_t count, struct wire_tag *tag)
{
    ck_assert(wire == &w && call == CALL && batch_count < BATCHES_MAX && count <= 4);
    memcpy(batches[batch_count].ops, ops, count * sizeof *ops);
    batches[batch_count].count = count;
    batches[batch_count].ended = false;
    batches[batch_count++].tag = tag;
}

grpc_call *__wrap_wire_create_call(struct wire *wire, const char *method, int64_t deadline)
{
    (void)wire, (void)deadline;
    ck_assert_str_eq(method, "/p.S/M");
    return CALL;
}

int __wrap_wire_admit(struct wire *wire, struct wire_live *live, struct saga_error *error)
{
    (void)wire, (void)live;
    return refuses ? saga_error_set(error, SAGA_E_CANCELLED, SAGA_REASON_CLOSED, NULL, NULL) : SAGA_OK;
}

void __wrap_wire_dismiss(struct wire *wire, struct wire_live *live)
{
    (void)wire, (void)live;
    dismissed++;
}

void __wrap_grpc_call_unref(grpc_call *call)
{
    ck_assert_ptr_eq(call, CALL);
    freed++;
}

grpc_call_error __wrap_grpc_call_cancel(grpc_call *call, void *reserved)
{
    (void)reserved;
    ck_assert_ptr_eq(call, CALL);
    cancelled++;
    return GRPC_CALL_OK;
}

/* ---- what C core tells ---- */

/* The operation of this kind that has not ended, and its batch. */
static grpc_op *find(grpc_op_type kind, unsigned *batch)
{
    for (unsigned i = 0; i < batch_count; i++)
        for (size_t k = 0; k < batches[i].count && !batches[i].ended; k++)
            if (batches[i].ops[k].op == kind) {
                *batch = i;
                return &batches[i].ops[k];
            }
    ck_abort_msg("no operation %d is under way", (int)kind);
    return NULL;
}

static void end(grpc_op_type kind, bool ok)
{
    unsigned batch;
    find(kind, &batch);
    batches[batch].ended = true;
    batches[batch].tag->done(batches[batch].tag, ok);
}

static void left(bool ok)
{
    end(GRPC_OP_SEND_INITIAL_METADATA, ok);
}

static void status(grpc_status_code code, const char *text)
{
    unsigned batch;
    const grpc_op *op = find(GRPC_OP_RECV_STATUS_ON_CLIENT, &batch);
    ck_assert_ptr_nonnull(op->data.recv_status_on_client.trailing_metadata);
    *op->data.recv_status_on_client.status = code;
    *op->data.recv_status_on_client.status_details = grpc_slice_from_copied_string(text);
}

/* A CommitResponse, or what is no message. */
static void message(bool readable)
{
    unsigned batch;
    grpc_slice bytes = readable ? grpc_empty_slice() : grpc_slice_from_copied_string("\xff");
    *find(GRPC_OP_RECV_MESSAGE, &batch)->data.recv_message.recv_message = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);
}

/* The time in which it was to be known whether the headers had left is over. */
static void undecided(void)
{
    struct wire_wait *wait = w.waits;
    ck_assert_ptr_nonnull(wait);
    wire_wait_end(&w, wait);
    wait->over(wait);
}

static struct {
    unsigned times, sent, received;
    int code;
    char reason[64];
    bool answered; /* with a message that can be read */
} told;

static void tell(int code, const struct saga_error *error)
{
    told.times++;
    told.code = code;
    ck_assert_int_eq(error == NULL, code == SAGA_OK);
    strcpy(told.reason, error != NULL ? error->reason : "");
}

static void assert_told(int code, const char *reason)
{
    ck_assert_msg(told.times == 1 && told.code == code, "%u times, %d", told.times, told.code);
    ck_assert_str_eq(told.reason, reason);
    ck_assert_uint_eq(dismissed, 1);
    ck_assert_ptr_null(w.waits);
}

static void setup(void)
{
    grpc_init();
    memset(&told, 0, sizeof told);
    w = (struct wire){.mutex = PTHREAD_MUTEX_INITIALIZER, .address = (char *)(uintptr_t) "unix:here"};
    batch_count = dismissed = freed = cancelled = 0;
    refuses = false;
}

static void teardown(void)
{
    grpc_shutdown();
}

/* ---- calls ---- */

static void done(void *self, int code, const ProtobufCMessage *response, const struct saga_error *error)
{
    ck_assert_ptr_eq(self, &told);
    tell(code, error);
    told.answered = response != NULL;
}

static int begin(bool wait_for_ready)
{
    struct saga_error error;
    Saga__V1__CommitRequest request = SAGA__V1__COMMIT_REQUEST__INIT;
    const struct wire_call call = {.method = "/p.S/M",
                                   .request = &request.base,
                                   .response_type = &saga__v1__commit_response__descriptor,
                                   .deadline = WIRE_FOREVER,
                                   .wait_for_ready = wait_for_ready};
    return wire_call_background(&w, &call, done, &told, &error);
}

static void call_ended(grpc_status_code code)
{
    status(code, "it is over");
    end(GRPC_OP_RECV_STATUS_ON_CLIENT, true);
}

START_TEST(wire_ends__a_call_that_is_answered)
{
    for (int ready = 0; ready < 2; ready++) {
        unsigned batch;
        setup();
        ck_assert_int_eq(begin(ready), SAGA_OK);
        ck_assert_uint_eq(
            find(GRPC_OP_SEND_INITIAL_METADATA, &batch)->flags,
            ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET : 0);
        left(true);
        end(GRPC_OP_SEND_MESSAGE, true);
        ck_assert_uint_eq(told.times, 0);
        message(true);
        call_ended(GRPC_STATUS_OK);
        assert_told(SAGA_OK, "");
        ck_assert(told.answered);
        ck_assert_uint_eq(freed, 1);
        teardown();
    }
}
END_TEST

START_TEST(wire_ends__a_call_whose_answer_cannot_be_read)
{
    for (int there = 0; there < 2; there++) {
        setup();
        ck_assert_int_eq(begin(false), SAGA_OK);
        left(true);
        end(GRPC_OP_SEND_MESSAGE, true);
        if (there)
            message(false);
        call_ended(GRPC_STATUS_OK);
        assert_told(SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL);
        ck_assert(!told.answered);
        ck_assert_uint_eq(freed, 1);
        teardown();
    }
}
END_TEST

/* An end that comes before it is known whether the headers have left waits for that; what is stuck has left. */
START_TEST(wire_ends__a_call_is_told_of_once_it_is_known_whether_it_left)
{
    static const char *const reasons[] = {SAGA_REASON_UNREACHABLE, SAGA_REASON_LOST, SAGA_REASON_LOST};
    for (int how = 0; how < 3; how++) {
        setup();
        ck_assert_int_eq(begin(false), SAGA_OK);
        call_ended(GRPC_STATUS_UNAVAILABLE);
        ck_assert_uint_eq(told.times, 0);
        ck_assert_ptr_nonnull(w.waits);
        if (how < 2)
            left(how == 1);
        else
            undecided();
        assert_told(SAGA_E_UNAVAILABLE, reasons[how]);
        if (how == 2)
            left(false);
        ck_assert_uint_eq(freed, 0); /* what is sent is C core's still */
        end(GRPC_OP_SEND_MESSAGE, false);
        ck_assert_uint_eq(freed, 1);
        assert_told(SAGA_E_UNAVAILABLE, reasons[how]);
        teardown();
    }
    /* One that was answered has left, whatever is known. */
    setup();
    ck_assert_int_eq(begin(false), SAGA_OK);
    message(true);
    call_ended(GRPC_STATUS_OK);
    assert_told(SAGA_OK, "");
    left(false);
    end(GRPC_OP_SEND_MESSAGE, false);
    assert_told(SAGA_OK, "");
    ck_assert_uint_eq(freed, 1);
}
END_TEST

START_TEST(wire_ends__a_call_of_a_closed_client_is_none)
{
    refuses = true;
    ck_assert_int_eq(begin(false), SAGA_E_CANCELLED); /* closed at the last moment */
    ck_assert_uint_eq(freed, 1);
    w.shut = true;
    ck_assert_int_eq(begin(false), SAGA_E_CANCELLED);
    ck_assert_uint_eq(freed, 1);
    ck_assert_uint_eq(told.times, 0);
    ck_assert_uint_eq(batch_count, 0);
    ck_assert_uint_eq(dismissed, 0);
}
END_TEST

/* ---- streams ---- */

static void on_sent(void *self)
{
    ck_assert_ptr_eq(self, &told);
    told.sent++;
}

static void on_received(void *self, const ProtobufCMessage *response)
{
    ck_assert_ptr_eq(self, &told);
    told.received++;
    told.answered = response != NULL;
}

static void on_ended(void *self, int code, const struct saga_error *error)
{
    ck_assert_ptr_eq(self, &told);
    tell(code, error);
    ck_assert_uint_eq(dismissed, 0); /* the client may be gone after that */
}

static const struct wire_duplex_events events = {.sent = on_sent, .received = on_received, .ended = on_ended};

static struct wire_duplex *open_stream(void)
{
    struct saga_error error;
    struct wire_duplex *d = NULL;
    int code = wire_duplex_open(&w, "/p.S/M", &saga__v1__commit_response__descriptor, &events, &told, &d, &error);
    ck_assert_int_eq(code, refuses ? SAGA_E_CANCELLED : SAGA_OK);
    return d;
}

static void stream_ended(grpc_status_code code)
{
    status(code, "it is over");
    end(GRPC_OP_RECV_INITIAL_METADATA, false);
    end(GRPC_OP_RECV_MESSAGE, false);
    end(GRPC_OP_RECV_STATUS_ON_CLIENT, true);
}

START_TEST(wire_ends__a_stream_gives_what_comes)
{
    unsigned batch;
    struct wire_duplex *d = open_stream();
    ck_assert_uint_eq(find(GRPC_OP_SEND_INITIAL_METADATA, &batch)->flags,
                      GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET);
    ck_assert(!wire_duplex_reached(d));
    left(true);
    ck_assert(wire_duplex_reached(d));
    end(GRPC_OP_RECV_INITIAL_METADATA, true);
    wire_duplex_send(d, grpc_slice_from_copied_string("x"));
    ck_assert_uint_eq(told.sent, 0);
    end(GRPC_OP_SEND_MESSAGE, true);
    ck_assert_uint_eq(told.sent, 1);
    for (unsigned i = 0; i < 3; i++) {
        message(i != 1);
        end(GRPC_OP_RECV_MESSAGE, true);
        ck_assert_uint_eq(told.received, i + 1);
        ck_assert_int_eq(told.answered, i != 1);
    }
    wire_duplex_cancel(d);
    ck_assert_uint_eq(cancelled, 1);
    end(GRPC_OP_RECV_MESSAGE, true); /* with none: it is over */
    ck_assert_uint_eq(told.received, 3);
    ck_assert_uint_eq(told.times, 0);
    status(GRPC_STATUS_OK, "");
    end(GRPC_OP_RECV_STATUS_ON_CLIENT, true);
    assert_told(SAGA_OK, "");
    ck_assert_uint_eq(freed, 1);
}
END_TEST

START_TEST(wire_ends__a_stream_is_told_of_once_it_is_known_whether_it_left)
{
    static const char *const reasons[] = {SAGA_REASON_UNREACHABLE, SAGA_REASON_LOST, SAGA_REASON_LOST};
    for (int how = 0; how < 3; how++) {
        setup();
        open_stream();
        stream_ended(GRPC_STATUS_UNAVAILABLE);
        ck_assert_uint_eq(told.times, 0);
        ck_assert_ptr_nonnull(w.waits);
        ck_assert_ptr_null(w.waits->next);
        if (how < 2)
            left(how == 1);
        else
            undecided();
        assert_told(SAGA_E_UNAVAILABLE, reasons[how]);
        ck_assert_uint_eq(freed, how < 2);
        if (how == 2)
            left(false);
        assert_told(SAGA_E_UNAVAILABLE, reasons[how]);
        ck_assert_uint_eq(freed, 1);
        teardown();
    }
}
END_TEST

/* A message that is stuck on a connection keeps nobody waiting; nobody is told of it afterwards, and until then it is C core's. */
START_TEST(wire_ends__a_stream_leaves_behind_what_is_stuck)
{
    for (int ok = 0; ok < 2; ok++) {
        setup();
        struct wire_duplex *d = open_stream();
        left(true);
        wire_duplex_send(d, grpc_slice_from_copied_string("x"));
        stream_ended(GRPC_STATUS_UNAVAILABLE);
        assert_told(SAGA_E_UNAVAILABLE, SAGA_REASON_LOST);
        ck_assert_uint_eq(freed, 0);
        end(GRPC_OP_SEND_MESSAGE, ok);
        ck_assert_uint_eq(freed, 1);
        ck_assert_uint_eq(told.sent, 0);
        assert_told(SAGA_E_UNAVAILABLE, SAGA_REASON_LOST);
        teardown();
    }
}
END_TEST

/* Nor is a message said to be handed over that was not. */
START_TEST(wire_ends__a_message_that_fails_is_not_sent)
{
    struct wire_duplex *d = open_stream();
    left(true);
    wire_duplex_send(d, grpc_slice_from_copied_string("x"));
    end(GRPC_OP_SEND_MESSAGE, false);
    ck_assert_uint_eq(told.sent, 0);
    stream_ended(GRPC_STATUS_PERMISSION_DENIED);
    assert_told(SAGA_E_PERMISSION_DENIED, "");
    ck_assert_uint_eq(freed, 1);
}
END_TEST

START_TEST(wire_ends__a_stream_of_a_closed_client_is_none)
{
    refuses = true;
    ck_assert_ptr_null(open_stream());
    ck_assert_uint_eq(freed, 1);
    w.shut = true;
    ck_assert_ptr_null(open_stream());
    ck_assert_uint_eq(freed, 1);
    ck_assert_uint_eq(told.times, 0);
    ck_assert_uint_eq(batch_count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_ends");
    TCase *tc = tcase_create("wire_ends");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, wire_ends__a_call_that_is_answered);
    tcase_add_test(tc, wire_ends__a_call_whose_answer_cannot_be_read);
    tcase_add_test(tc, wire_ends__a_call_is_told_of_once_it_is_known_whether_it_left);
    tcase_add_test(tc, wire_ends__a_call_of_a_closed_client_is_none);
    tcase_add_test(tc, wire_ends__a_stream_gives_what_comes);
    tcase_add_test(tc, wire_ends__a_stream_is_told_of_once_it_is_known_whether_it_left);
    tcase_add_test(tc, wire_ends__a_stream_leaves_behind_what_is_stuck);
    tcase_add_test(tc, wire_ends__a_message_that_fails_is_not_sent);
    tcase_add_test(tc, wire_ends__a_stream_of_a_closed_client_is_none);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
