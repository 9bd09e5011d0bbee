/* What the client makes of time and of how calls end: deadlines, delays between tries, errors with what they carry. */
#include "client-lib/src/wire_inside.h"
#include "client-lib/src/wire_status.h"
#include "google/rpc/error_details.pb-c.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static struct saga_error error;

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

START_TEST(wire__deadlines)
{
    int64_t before = wire_now(), deadline = wire_deadline(5000), after = wire_now();
    ck_assert_int_ge(deadline, before + 5000 * MS);
    ck_assert_int_le(deadline, after + 5000 * MS);
    ck_assert_int_eq(wire_deadline(-1), WIRE_FOREVER);
    ck_assert_int_eq(wire_deadline(INT64_MAX), WIRE_FOREVER);
    ck_assert_int_eq(wire_deadline(INT64_MAX / MS), WIRE_FOREVER);
    ck_assert_int_lt(wire_deadline(INT64_C(3155760000000)), WIRE_FOREVER); /* a hundred years */
    ck_assert_int_eq(wire_time_left_ms(WIRE_FOREVER), -1);
    ck_assert_int_eq(wire_time_left_ms(wire_now() - 1), 0);
    for (int i = 0; i < 100; i++) { /* rounded up */
        deadline = wire_now() + 60000 * MS + i * MS / 100;
        int64_t most = deadline - wire_now(), left = wire_time_left_ms(deadline), least = deadline - wire_now();
        ck_assert_int_le(left, (most + MS - 1) / MS);
        ck_assert_int_ge(left, (least + MS - 1) / MS);
    }
    /* Which gRPC tells nobody. */
    ck_assert_int_eq(gpr_time_cmp(wire_timespec(WIRE_FOREVER), gpr_inf_future(GPR_CLOCK_MONOTONIC)), 0);
}
END_TEST

/* What the environment says, or else the socket of a sidecar that was started here, or else its port. */
START_TEST(wire__an_address_that_is_not_said_is_the_environment_s_or_the_usual_one)
{
    char folder[] = "/tmp/wire_XXXXXX";
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "sagad-data/sagad.sock"};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    setenv("SAGAD_ADDRESS", "127.0.0.1:7", 1);
    ck_assert_str_eq(wire_default_address(), "127.0.0.1:7");
    setenv("SAGAD_ADDRESS", "", 1);
    ck_assert_str_eq(wire_default_address(), "127.0.0.1:7240");
    unsetenv("SAGAD_ADDRESS");
    ck_assert_str_eq(wire_default_address(), "127.0.0.1:7240");
    /* A file is no socket. */
    ck_assert_int_eq(mkdir("sagad-data", 0700), 0);
    int file = open(at.sun_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_str_eq(wire_default_address(), "127.0.0.1:7240");
    close(file);
    unlink(at.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)(const void *)&at, sizeof at), 0);
    ck_assert_str_eq(wire_default_address(), "unix:./sagad-data/sagad.sock");
    setenv("SAGAD_ADDRESS", "127.0.0.1:7", 1);
    ck_assert_str_eq(wire_default_address(), "127.0.0.1:7");
    unsetenv("SAGAD_ADDRESS");
    close(listener);
    unlink(at.sun_path);
    rmdir("sagad-data");
    ck_assert_int_eq(fchdir(before), 0);
    close(before);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* What the environment says of TLS counts where nothing is said, and not where an empty text says that there is none. */
START_TEST(wire__an_empty_text_keeps_the_environment_s_out)
{
    static const char *const variables[] = {"SAGAD_TLS_CERTIFICATE", "SAGAD_TLS_ROOTS"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        struct wire_options options = {.address = "tls://127.0.0.1:1"};
        struct wire *wire;
        setenv(variables[i], "/nowhere/there.pem", 1);
        ck_assert_int_eq(wire_open(&options, &wire, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/there.pem"));
        options.tls = (struct wire_tls){.certificate = "", .key = "", .roots = "", .identity = ""};
        ck_assert_msg(wire_open(&options, &wire, &error) == SAGA_OK, "%s", error.message);
        wire_close(wire);
        unsetenv(variables[i]);
    }
}
END_TEST

/* Twice as long each time, half a second at most, and at most halved by chance: those that lost the same sidecar at once come back one by one. */
START_TEST(wire__delays_grow_to_half_a_second_and_are_scattered)
{
    static const int64_t expected[] = {20, 40, 80, 160, 320, 500, 500, 500};
    int64_t least[8], most[8];
    for (int round = 0; round < 300; round++) {
        int64_t delay_ms = 0;
        for (int i = 0; i < 8; i++) {
            int64_t delay = wire_backoff(&delay_ms);
            ck_assert_int_ge(delay, expected[i] * MS / 2);
            ck_assert_int_lt(delay, expected[i] * MS);
            least[i] = round == 0 || delay < least[i] ? delay : least[i];
            most[i] = round == 0 || delay > most[i] ? delay : most[i];
        }
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_lt(least[i], expected[i] * MS * 6 / 10);
        ck_assert_int_gt(most[i], expected[i] * MS * 9 / 10);
    }
}
END_TEST

/* No answer is longer than C core can count. */
START_TEST(wire__messages_have_a_bound)
{
    struct wire_options options = {.address = "127.0.0.1:1", .message_bytes_max = (size_t)INT32_MAX + 1};
    struct wire *wire;
    ck_assert_int_eq(wire_open(&options, &wire, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "message_bytes_max");
    options.message_bytes_max = INT32_MAX;
    ck_assert_msg(wire_open(&options, &wire, &error) == SAGA_OK, "%s", error.message);
    wire_close(wire);
}
END_TEST

/* ---- waits ---- */

static void assert_waits(const struct wire *w, const struct wire_wait *const *expected)
{
    const struct wire_wait *wait = w->waits;
    for (; *expected != NULL; expected++, wait = wait->next)
        ck_assert_ptr_eq(wait, *expected);
    ck_assert_ptr_null(wait);
}

/* One after another, wherever one is taken out, and again when it comes again. */
START_TEST(wire__waits_are_in_the_order_of_their_ends)
{
    struct wire w = {.waits = NULL};
    struct wire_wait a = {0}, b = {0}, c = {0};
    int64_t before = wire_now();
    wire_wait_begin(&w, &a);
    wire_wait_begin(&w, &b);
    wire_wait_begin(&w, &c);
    ck_assert_int_gt(a.at, before);
    ck_assert(b.at >= a.at && c.at >= b.at);
    assert_waits(&w, (const struct wire_wait *const[]){&a, &b, &c, NULL});
    wire_wait_end(&w, &b);
    ck_assert_int_eq(b.at, 0);
    wire_wait_end(&w, &b); /* it does not wait */
    assert_waits(&w, (const struct wire_wait *const[]){&a, &c, NULL});
    wire_wait_end(&w, &a);
    wire_wait_begin(&w, &a);
    assert_waits(&w, (const struct wire_wait *const[]){&c, &a, NULL});
    wire_wait_end(&w, &a);
    wire_wait_end(&w, &c);
    ck_assert_ptr_null(w.waits);
}
END_TEST

/* ---- how a call ends ---- */

static int ends(int status, bool left, const char *message)
{
    const struct wire_ending ending = {.status = status,
                                       .left = left,
                                       .message = message,
                                       .message_size = strlen(message),
                                       .address = "unix:/run/sagad.sock"};
    int code = wire_status_of_ending(&ending, &error);
    ck_assert_int_eq(wire_status_of_ending(&ending, NULL), code);
    ck_assert_int_eq(error.code, code);
    ck_assert_int_eq(error.retry_delay_ms, -1);
    ck_assert_str_eq(error.field, "");
    return code;
}

START_TEST(wire__endings_that_the_sidecar_did_not_explain)
{
    static const struct {
        int status;
        bool left;
        const char *message;
        int code;
        const char *reason, *words;
    } cases[] = {
        {14, false, "failed to connect to all addresses; last error: UNKNOWN: no such file", SAGA_E_UNAVAILABLE,
         SAGA_REASON_UNREACHABLE, "no sidecar answers at unix:/run/sagad.sock (UNKNOWN: no such file)"},
        {14, false, "refused", SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE,
         "no sidecar answers at unix:/run/sagad.sock (refused)"},
        {4, false, "Deadline Exceeded", SAGA_E_UNAVAILABLE, SAGA_REASON_UNREACHABLE,
         "no sidecar answers at unix:/run/sagad.sock (no connection in time)"},
        {14, true, "Socket closed", SAGA_E_UNAVAILABLE, SAGA_REASON_LOST, "Socket closed"},
        {4, true, "Deadline Exceeded", SAGA_E_DEADLINE_EXCEEDED, SAGA_REASON_DEADLINE, NULL},
        {1, true, "CANCELLED", SAGA_E_CANCELLED, SAGA_REASON_CANCELLED, "CANCELLED"},
        {1, false, "CANCELLED", SAGA_E_CANCELLED, SAGA_REASON_CANCELLED, "CANCELLED"},
        {13, true, "broken", SAGA_E_INTERNAL, "", "broken"},
        {13, false, "broken", SAGA_E_INTERNAL, "", "broken"},
        {5, true, "none", SAGA_E_NOT_FOUND, "", "none"},
        {16, true, "who?", SAGA_E_UNAUTHENTICATED, "", "who?"},
        {17, true, "odd", SAGA_E_UNKNOWN, "", "odd"},
        {0, true, "odd", SAGA_E_UNKNOWN, "", "odd"},
        {-1, true, "odd", SAGA_E_UNKNOWN, "", "odd"},
        {5, true, "", SAGA_E_NOT_FOUND, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(ends(cases[i].status, cases[i].left, cases[i].message), cases[i].code);
        ck_assert_str_eq(error.reason, cases[i].reason);
        ck_assert_str_eq(error.message, cases[i].words != NULL ? cases[i].words : saga_status_text(cases[i].code));
    }
}
END_TEST

/* A call that ends because its client is being closed says that, and no other does. */
START_TEST(wire__an_end_by_closing_is_told_as_that)
{
    struct wire w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .address = text("unix:/run/sagad.sock")};
    const grpc_metadata_array none = {0};
    for (int shut = 0; shut < 2; shut++) {
        w.shut = shut;
        for (int left = 0; left < 2; left++) {
            ck_assert_int_eq(wire_error_of_call(&w, left, GRPC_STATUS_CANCELLED, grpc_empty_slice(), &none, &error),
                             SAGA_E_CANCELLED);
            ck_assert_str_eq(error.reason, shut ? SAGA_REASON_CLOSED : SAGA_REASON_CANCELLED);
        }
        ck_assert_int_eq(wire_error_of_call(&w, true, GRPC_STATUS_NOT_FOUND, grpc_empty_slice(), &none, &error),
                         SAGA_E_NOT_FOUND);
    }
}
END_TEST

static Google__Protobuf__Any any_of(const char *type, const ProtobufCMessage *message, uint8_t room[256])
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.type_url = text(type);
    ck_assert_uint_lt(protobuf_c_message_get_packed_size(message), 256);
    any.value = (ProtobufCBinaryData){.data = room, .len = protobuf_c_message_pack(message, room)};
    return any;
}

/* A status with all three kinds of details. */
static void with_details(int64_t seconds, int32_t nanos, void (*use)(const Google__Rpc__Status *status))
{
    uint8_t rooms[5][256];
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Rpc__BadRequest__FieldViolation first = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT, second = first;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&first, &second};
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT, foreign = retry;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT, later = delay;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    info.reason = text("LIVE_SAGAS_MAX");
    first.field = text("enlist[0].step");
    second.field = text("other");
    bad.field_violations = violations;
    bad.n_field_violations = 2;
    delay.seconds = seconds;
    delay.nanos = nanos;
    retry.retry_delay = &delay;
    /* What is none of these is none of them wherever it stands, and whatever it could be read as. */
    foreign.retry_delay = &later;
    later.seconds = 77;
    Google__Protobuf__Any details[] = {any_of("type.googleapis.com/google.rpc.Help", &info.base, rooms[0]),
                                       any_of("type.googleapis.com/google.rpc.ErrorInfo", &info.base, rooms[1]),
                                       any_of("google.rpc.BadRequest", &bad.base, rooms[2]),
                                       any_of("a/b/google.rpc.RetryInfo", &retry.base, rooms[3]),
                                       any_of("google.rpc.Help", &foreign.base, rooms[4])};
    Google__Protobuf__Any *list[] = {&details[0], &details[1], &details[2], &details[3], &details[4]};
    status.code = 8;
    status.message = text("it is full");
    status.details = list;
    status.n_details = 5;
    use(&status);
}

static void assert_full(void)
{
    ck_assert_int_eq(error.code, SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(error.reason, "LIVE_SAGAS_MAX");
    ck_assert_str_eq(error.field, "enlist[0].step");
    ck_assert_str_eq(error.message, "it is full");
}

static void in_a_message(const Google__Rpc__Status *status)
{
    ck_assert_int_eq(wire_status_of_message(status, NULL), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(wire_status_of_message(status, &error), SAGA_E_RESOURCE_EXHAUSTED);
    assert_full();
}

static void at_the_end(const Google__Rpc__Status *status)
{
    uint8_t details[1024];
    struct wire_ending ending = {
        .status = 8, .message = "it is full", .message_size = 10, .left = true, .address = "x", .details = details};
    ck_assert_uint_lt(google__rpc__status__get_packed_size(status), sizeof details);
    ending.details_size = google__rpc__status__pack(status, details);
    ck_assert_int_eq(wire_status_of_ending(&ending, &error), SAGA_E_RESOURCE_EXHAUSTED);
    assert_full();
    /* What the sidecar has explained is not explained otherwise; what is no status says nothing. */
    ending.status = 14;
    ending.left = false;
    ck_assert_int_eq(wire_status_of_ending(&ending, &error), SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.reason, "LIVE_SAGAS_MAX");
    ck_assert_str_eq(error.message, "it is full");
    ending.details_size = 3;
    wire_status_of_ending(&ending, &error);
    ck_assert_str_eq(error.reason, SAGA_REASON_UNREACHABLE);
}

START_TEST(wire__endings_that_the_sidecar_explained)
{
    with_details(1, 0, at_the_end);
    static const struct {
        int64_t seconds;
        int32_t nanos;
        int64_t ms;
    } delays[] = {{0, 0, 0},      {1, 500000000, 1500}, {0, 1, 1},   {0, 1000001, 2},      {86400, 0, 86400000},
                  {86401, 0, -1}, {-1, 0, -1},          {0, -1, -1}, {0, 999999999, 1000}, {0, 1000000000, -1}};
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        with_details(delays[i].seconds, delays[i].nanos, in_a_message);
        ck_assert_int_eq(error.retry_delay_ms, delays[i].ms);
    }
}
END_TEST

/* Whatever a peer sends fits its place. */
START_TEST(wire__long_texts_are_cut)
{
    static char lengthy[2000];
    memset(lengthy, 'x', sizeof lengthy - 1);
    ends(5, true, lengthy);
    ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
    ends(14, false, lengthy);
    ck_assert_uint_lt(strlen(error.message), sizeof error.message);
    ck_assert_ptr_nonnull(strstr(error.message, "no sidecar answers at unix:/run/sagad.sock (xxx"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tc = tcase_create("wire");
    tcase_add_test(tc, wire__deadlines);
    tcase_add_test(tc, wire__an_address_that_is_not_said_is_the_environment_s_or_the_usual_one);
    tcase_add_test(tc, wire__an_empty_text_keeps_the_environment_s_out);
    tcase_add_test(tc, wire__delays_grow_to_half_a_second_and_are_scattered);
    tcase_add_test(tc, wire__messages_have_a_bound);
    tcase_add_test(tc, wire__an_end_by_closing_is_told_as_that);
    tcase_add_test(tc, wire__waits_are_in_the_order_of_their_ends);
    tcase_add_test(tc, wire__endings_that_the_sidecar_did_not_explain);
    tcase_add_test(tc, wire__endings_that_the_sidecar_explained);
    tcase_add_test(tc, wire__long_texts_are_cut);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
