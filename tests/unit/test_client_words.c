/* What the client library reads of what a stranger sends, and what it makes of what a function says: the metadata of a call to a participant, each left
 * out, at its bounds, wrong and twice; calls made by hand, likewise; answers and messages of functions; how calls to a sidecar end. It is kept in
 * tests/fixtures/client/words.txt; `build/release/tests/unit/test_client_words write` writes that anew, for its difference to be read. */
#include "client-lib/src/participant_server.h"
#include "client-lib/src/request_id.h"
#include "client-lib/src/wire_status.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"
#include "tests/support/vary.h"
#include "tests/support/wire_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char path[] = "tests/fixtures/client/words.txt";

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define UNDO        "/shop.v1.Inventory/Release"

static FILE *out;
static char xs[300];

static void put_text(const char *name, const char *text)
{
    fprintf(out, " %s:", name);
    message_text_put_bytes(out, bytes_of_text(text));
}

static void put_call(const struct saga_call_info *i)
{
    put_text("saga", i->saga_id);
    put_text("of", i->definition);
    put_text("step", i->step);
    put_text("method", i->method);
    put_text("key", i->idempotency_key);
    put_text("action_key", i->action_key);
    put_text("trace", i->traceparent);
    fprintf(out, " phase:%d outcome:%d attempt:%d timeout:%" PRId64 " started:%" PRId64 " request:", i->phase,
            i->action_outcome, i->attempt, i->timeout_ms, i->action_started_ms);
    message_text_put_bytes(out, bytes_of(i->request, i->request_size));
    fputc('\n', out);
}

static void put_refusal(int code, const struct saga_error *error)
{
    fprintf(out, " %s %s at %s (retry %" PRId64 "): ", saga_status_name(code), error->reason, error->field,
            error->retry_delay_ms);
    message_text_put_bytes(out, bytes_of_text(error->message));
    fputc('\n', out);
}

/* ---- metadata ---- */

struct pair {
    const char *key;
    struct bytes value;
};

#define VALUE(text) \
    { \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const struct pair undo[] = {
    {"saga-id", VALUE("s-1")},
    {"saga-definition", VALUE("shop")},
    {"saga-step", VALUE("reserve")},
    {"saga-phase", VALUE("compensation")},
    {"saga-attempt", VALUE("2")},
    {"idempotency-key", VALUE("s-1/reserve/undo")},
    {"saga-action-outcome", VALUE("done")},
    {"saga-action-key", VALUE("s-1/reserve/action")},
    {"saga-action-started-ms", VALUE("77")},
    {"traceparent", VALUE("00-1")},
};

static void put_metadata(const char *what, const struct pair *pairs, size_t count, const char *method)
{
    grpc_metadata metadata[COUNT(undo) + 1];
    struct participant_metadata read;
    char problem[128] = "";
    for (size_t i = 0; i < count; i++)
        metadata[i] = (grpc_metadata){.key = grpc_slice_from_static_string(pairs[i].key),
                                      .value = grpc_slice_from_static_buffer(pairs[i].value.at, pairs[i].value.size)};
    const grpc_metadata_array all = {.count = count, .metadata = metadata};
    fprintf(out, "%s:", what);
    if (participant_metadata_read(&all, method, strlen(method), &read, problem, sizeof problem) == SAGA_OK)
        put_call(&read.info);
    else
        fprintf(out, " refused: %s\n", problem);
}

static void put_all_metadata(void)
{
    static const struct bytes values[] = {
        VALUE(""),
        VALUE("action"),
        VALUE("compensation"),
        VALUE("unknown"),
        VALUE("done"),
        VALUE("Done"),
        VALUE("0"),
        VALUE("1"),
        VALUE("-1"),
        VALUE("01"),
        VALUE("1x"),
        VALUE(" 1"),
        VALUE("2147483647"),
        VALUE("2147483648"),
        VALUE("9223372036854775807"),
        VALUE("9223372036854775808"),
        VALUE("99999999999999999999999"),
        VALUE("s-1/reserve/undo"),
        VALUE("a\0b"),
        VALUE("a\x1f"),
        VALUE("a\x7f"),
        VALUE("a~ "),
        VALUE("\xc3\xa9"),
    };
    static const size_t sizes[] = {14, 15, 16, 22, 23, 63, 64, 65, 127, 128, 129, 255, 256, 257, 299};
    struct pair pairs[COUNT(undo) + 1];
    char what[64];
    put_metadata("a call", undo, COUNT(undo), UNDO);
    for (size_t i = 0; i < COUNT(undo); i++) {
        memcpy(pairs, undo, sizeof undo);
        pairs[i] = undo[COUNT(undo) - 1];
        snprintf(what, sizeof what, "without %s", undo[i].key);
        put_metadata(what, pairs, COUNT(undo) - 1, UNDO);
        pairs[i] = undo[i];
        pairs[COUNT(undo)] = (struct pair){undo[i].key, VALUE("other")};
        snprintf(what, sizeof what, "with another %s", undo[i].key);
        put_metadata(what, pairs, COUNT(undo) + 1, UNDO);
        for (size_t k = 0; k < COUNT(values) + COUNT(sizes); k++) {
            pairs[i].value = k < COUNT(values) ? values[k] : bytes_of(xs, sizes[k - COUNT(values)]);
            snprintf(what, sizeof what, "%s %zu", undo[i].key, k);
            put_metadata(what, pairs, COUNT(undo), UNDO);
        }
    }
    /* An action has neither an outcome nor another key. */
    memcpy(pairs, undo, sizeof undo);
    pairs[3].value = (struct bytes)VALUE("action");
    put_metadata("an action", pairs, COUNT(undo), UNDO);
    pairs[6] = pairs[9];
    put_metadata("without an outcome", pairs, 9, UNDO);
    pairs[7] = pairs[8];
    put_metadata("without a key", pairs, 8, UNDO);
    put_metadata("without a time", pairs, 7, "");
}

static void put_methods(void)
{
    static const char *const methods[] = {"/a/b",   "/a.b.C/D", "a/b",     "/a", "/a/", "//b",
                                          "/a/b/c", "/a/b ",    "/a/\x7f", "",   "/",   "//"};
    for (size_t i = 0; i < COUNT(methods); i++)
        fprintf(out, "method %s: %d\n", methods[i], call_method_valid(methods[i]));
    for (size_t size = 250; size < 253; size++) {
        char method[300];
        snprintf(method, sizeof method, "/a.b/%.*s", (int)size, xs);
        fprintf(out, "method of %zu bytes: %d\n", strlen(method), call_method_valid(method));
    }
}

/* ---- calls made by hand ---- */

static void put_made(const char *what, const struct saga_call_info *info)
{
    saga_call *call;
    struct saga_error error;
    int code = saga_call_create(info, &call, &error);
    fprintf(out, "%s:", what);
    ck_assert_int_eq(call == NULL, code != SAGA_OK);
    if (code != SAGA_OK) {
        put_refusal(code, &error);
        return;
    }
    put_call(saga_call_info(call));
    int64_t left = saga_call_time_left_ms(call);
    ck_assert(info->timeout_ms == 0 ? left == INT64_MAX : left <= info->timeout_ms && left > info->timeout_ms - 60000);
    ck_assert(!saga_call_cancelled(call));
    saga_call_destroy(call);
}

static void put_calls_made(void)
{
    const struct saga_call_info base = {.saga_id = "s",
                                        .definition = "d",
                                        .step = "t",
                                        .method = "/a/b",
                                        .idempotency_key = "k",
                                        .action_key = "a",
                                        .traceparent = "00",
                                        .phase = 2,
                                        .action_outcome = 1,
                                        .attempt = 3,
                                        .timeout_ms = 3600000,
                                        .request = "req",
                                        .request_size = 3,
                                        .action_started_ms = 5};
    struct saga_call_info i;
    struct saga_error error;
    saga_call *call;
    put_made("made", &base);
#define WITH(member, value) (i = base, i.member = (value), put_made(#member " = " #value, &i))
    WITH(saga_id, NULL), WITH(saga_id, ""), WITH(definition, NULL), WITH(step, NULL), WITH(method, NULL);
    WITH(idempotency_key, NULL), WITH(idempotency_key, "a"), WITH(action_key, NULL), WITH(action_key, "k");
    WITH(traceparent, NULL), WITH(traceparent, "\x01"), WITH(phase, 0), WITH(phase, 1), WITH(phase, 3);
    WITH(action_outcome, 0), WITH(action_outcome, 2), WITH(action_outcome, 3), WITH(attempt, 0), WITH(attempt, 1);
    WITH(timeout_ms, 0), WITH(timeout_ms, -1), WITH(request_size, 0), WITH(action_started_ms, -1);
    WITH(action_started_ms, 0), WITH(saga_id, xs), WITH(method, "not a method");
    i = base, i.phase = 1, i.action_outcome = 0, i.action_key = "", put_made("an action", &i);
    i.action_outcome = 1, put_made("an action with an outcome", &i);
    i.action_outcome = 0, i.action_key = "a", put_made("an action with another key", &i);
    fputs("no info:", out), put_refusal(saga_call_create(NULL, &call, &error), &error);
    fputs("no out:", out), put_refusal(saga_call_create(&base, NULL, &error), &error);
    saga_call_destroy(NULL);
}

static void put_answers(void)
{
    static const char *const messages[] = {
        "plain",
        "",
        "\xc3\xa9",
        "\xc3",
        "a\xc3(",
        "\xe2\x82\xac",
        "\xe2\x82",
        "\xf0\x9f\x98\x80",
        "\xf0\x9f\x98",
        "\xc0\x80",
        "\xe0\x9f\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\x80",
        "\xff",
        "\xc2\x80",
        "\xc1\xbf",
        "\xdf\xbf",
    };
    static const char *const ends[] = {
        "",          "x",          "xx", "\xc3\xa9", "x\xc3\xa9", "xx\xe2\x82\xac", "x\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "x\xff\xff", "xxx\xc3\xa9"};
    const struct saga_call_info info = {
        .saga_id = "s", .definition = "d", .step = "t", .idempotency_key = "k", .phase = 1, .attempt = 1};
    saga_call *call;
    size_t size;
    char text[300];
    ck_assert_int_eq(saga_call_create(&info, &call, NULL), SAGA_OK);
    for (int status = -1; status < 19; status++)
        fprintf(out, "status %d: %d %d\n", status, call_status(status), saga_call_fail(call, status, "%d", status));
    for (size_t i = 0; i < COUNT(messages); i++) {
        saga_call_fail(call, 5, "%s", messages[i]);
        put_text("says", saga_call_message(call));
        fputc('\n', out);
    }
    for (size_t i = 0; i < COUNT(ends) * 6; i++) {
        snprintf(text, sizeof text, "%.*s%s", (int)(252 + i % 6), xs, ends[i / 6]);
        saga_call_fail(call, 5, "%s", text);
        const char *said = saga_call_message(call);
        fprintf(out, "long %zu: %zu bytes ending in ", i, strlen(said));
        message_text_put_bytes(out, bytes_of_text(said + 248));
        fputc('\n', out);
    }
    fprintf(out, "again %d", saga_call_fail(call, 3, "<%.9s>", saga_call_message(call)));
    put_text("", saga_call_message(call));
    static char big[(4 << 20) + 1];
    const size_t sizes[] = {3, 0, 4 << 20, (4 << 20) + 1, 5};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int code = saga_call_reply(call, sizes[i] == 0 ? NULL : big, sizes[i]);
        const void *answer = saga_call_answer(call, &size);
        fprintf(out, "\nreply of %zu: %d %zu %d %d", sizes[i], code, size, answer == NULL, answer != big);
        put_text("says", saga_call_message(call));
    }
    fprintf(out, "\nreply without bytes: %d", saga_call_reply(call, NULL, 7));
    saga_call_answer(call, NULL);
    put_text("says", saga_call_message(call));
    fputc('\n', out);
    saga_call_destroy(call);
}

/* ---- how calls end ---- */

static void see_ending(void *self, const char *what, struct bytes details)
{
    struct wire_ending ending = {.status = 8,
                                 .message = "said",
                                 .message_size = 4,
                                 .details = details.at,
                                 .details_size = details.size,
                                 .left = true,
                                 .address = "somewhere"};
    struct saga_error error;
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details.size, details.at);
    (void)self;
    fprintf(out, "details %s:", what == NULL ? "" : what);
    put_refusal(wire_status_of_ending(&ending, &error), &error);
    fputs("  in a message:", out);
    int code = wire_status_of_message(status, &error);
    put_refusal(code, &error);
    ck_assert_int_eq(wire_status_of_message(status, NULL), code);
    google__rpc__status__free_unpacked(status, NULL);
}

#define ANY(type, wire) "3:{1:'type.googleapis.com/google.rpc." type "' 2:" wire "} "

static void put_endings(void)
{
    static const char *const details[] = {
        "1:5 2:'words' " ANY("ErrorInfo", "{1:'REASON'}") ANY("BadRequest", "{1:{1:'field'} 1:{1:'other'}}")
            ANY("RetryInfo", "{1:{1:3 2:4000001}}"),
        "1:5 " ANY("RetryInfo", "{1:{1:86400}}"),
        "1:5 " ANY("RetryInfo", "{1:{1:86401}}"),
        "1:5 " ANY("RetryInfo", "{1:{1:-1}}"),
        "1:5 " ANY("RetryInfo", "{1:{2:-1}}"),
        "1:5 " ANY("RetryInfo", "{1:{2:1000000000}}"),
        "1:5 " ANY("RetryInfo", "{1:{2:1}}"),
        "1:5 " ANY("RetryInfo", "{}"),
        "1:5 " ANY("BadRequest", "{}"),
        "1:5 " ANY("Help", "{1:'REASON'}"),
        "1:5 3:{1:'google.rpc.ErrorInfo' 2:{1:'BARE'}}",
        "1:5 3:{1:'x/google.rpc.ErrorInfo' 2:'\x01'}",
    };
    static const char *const said[] = {"", "no", "failed to connect to all addresses; last error: refused"};
    uint8_t wire[512];
    for (size_t i = 0; i < COUNT(details); i++) {
        size_t size = wire_of_text(details[i], wire, sizeof wire);
        if (i == 0)
            vary(&google__rpc__status__descriptor, bytes_of(wire, size), see_ending, NULL);
        else
            see_ending(NULL, details[i], bytes_of(wire, size));
    }
    for (int status = -1; status < 19; status++)
        for (size_t i = 0; i < COUNT(said) * 2; i++) {
            const struct wire_ending ending = {.status = status,
                                               .message = said[i / 2],
                                               .message_size = strlen(said[i / 2]),
                                               .left = i % 2 == 1,
                                               .address = "somewhere"};
            struct saga_error error;
            fprintf(out, "status %d '%s'%s:", status, said[i / 2], ending.left ? " left" : "");
            int code = wire_status_of_ending(&ending, &error);
            put_refusal(code, &error);
            ck_assert_int_eq(wire_status_of_ending(&ending, NULL), code);
        }
}

/* A UUID of version 7: the time in milliseconds, the version and the variant, and else digits that are never the same. */
static void check_request_ids(void)
{
    char last[SAGA_REQUEST_ID_SIZE] = "", id[SAGA_REQUEST_ID_SIZE];
    for (int i = 0; i < 200; i++) {
        struct timespec before, after;
        unsigned high, low;
        clock_gettime(CLOCK_REALTIME, &before);
        request_id_make(id);
        clock_gettime(CLOCK_REALTIME, &after);
        ck_assert_uint_eq(strlen(id), 36);
        for (size_t k = 0; k < 36; k++)
            ck_assert(k == 8 || k == 13 || k == 18 || k == 23 ? id[k] == '-' : isxdigit((unsigned char)id[k]));
        ck_assert(id[14] == '7' && strchr("89ab", id[19]) != NULL && strcmp(id, last) != 0);
        ck_assert_int_eq(sscanf(id, "%8x-%4x", &high, &low), 2);
        int64_t ms = (int64_t)high << 16 | low;
        ck_assert(ms >= before.tv_sec * 1000 + before.tv_nsec / 1000000 &&
                  ms <= after.tv_sec * 1000 + after.tv_nsec / 1000000);
        strcpy(last, id);
    }
}

static void put_all(FILE *to)
{
    out = to;
    memset(xs, 'x', sizeof xs - 1);
    put_all_metadata();
    put_methods();
    put_calls_made();
    put_answers();
    put_endings();
    check_request_ids();
}

START_TEST(client__words_are_read_and_said_so)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "client_words", client__words_are_read_and_said_so);
}
