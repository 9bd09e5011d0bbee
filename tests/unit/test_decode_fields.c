/* What is read of every request that becomes an event of the engine: of one in which each field is set, and of the same with one field different.
 * It is kept in tests/fixtures/api/decode.txt; `build/release/tests/unit/test_decode_fields write` writes that anew, for its difference to be
 * read. */
#include "sidecar/api/decode.h"
#include "sidecar/api/methods.h"
#include "sidecar/base/error.h"
#include "sidecar/definition/reader.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"
#include "tests/support/shapes.h"
#include "tests/support/vary.h"
#include "tests/support/wire_text.h"

#include <inttypes.h>
#include <stdlib.h>

static const char path[] = "tests/fixtures/api/decode.txt";

#define CALL   "{1:'t' 2:'/p.S/UndoA' 3:'request' 4:{1:3 2:500000000} 5:{1:4 2:{1:1} 3:{1:60} 5:{}}}"
#define ENLIST "{1:'hotel' 2:" CALL "}"
#define SETTLE "{1:'hotel' 2:3 3:'output' 4:1 5:{1:2}}"
#define SAGA   "1:'000000000abc-2a' "

/* Requests with every field that does not rule another out. */
static const struct {
    enum method_id method;
    const char *wire;
} requests[] = {
    {METHOD_START, "1:'shop' 2:'1.1.0' 3:'r-1' 4:'input' 5:{1:7} 6:'00-1-2-01' 8:3 9:1"},
    {METHOD_START, "1:'typed' 3:'r-2' 7:'{\"order_id\": \"o\"}'"},
    {METHOD_BEGIN, "1:'trip' 2:'r-3' 3:{1:9} 4:{2:1000000} 5:'00-1-2-01' 6:" ENLIST " 6:{1:'car'}"},
    {METHOD_ENLIST, SAGA "2:" ENLIST " 3:" SETTLE},
    {METHOD_SETTLE, SAGA "2:" SETTLE " 2:{1:'car' 2:1}"},
    {METHOD_KEEP_ALIVE, SAGA},
    {METHOD_COMMIT, SAGA "2:" SETTLE},
    {METHOD_ABORT, SAGA "2:" SETTLE " 3:'why'"},
    {METHOD_CANCEL, SAGA "2:'why' 3:'me'"},
    {METHOD_PAUSE, SAGA "2:'me' 3:'why'"},
    {METHOD_RESUME, SAGA "2:'me'"},
    {METHOD_RETRY, SAGA "2:'hotel' 3:'me'"},
    {METHOD_SKIP, SAGA "2:'hotel' 3:'me' 4:'why'"},
    {METHOD_REJECT, SAGA "2:'hotel' 3:'me' 4:'why'"},
    {METHOD_RESOLVE, SAGA "2:'me' 3:'why'"},
    {METHOD_SET_BREAKER, "1:'t' 2:2 3:'me' 4:'why'"},
};

static struct arena arena;
static struct decoder decoder;

struct wanted {
    FILE *out;
    enum method_id method;
    char first[8192];
};

static void put_bytes(FILE *out, const char *name, struct bytes bytes)
{
    if (bytes.size == 0)
        return;
    fprintf(out, " %s:", name);
    message_text_put_bytes(out, bytes);
}

static void put_number(FILE *out, const char *name, int64_t number)
{
    if (number != 0)
        fprintf(out, " %s:%" PRId64, name, number);
}

static void put_call(FILE *out, const struct call_spec *call)
{
    const struct retry_policy *r = &call->retry;
    put_bytes(out, "target", bytes_of_text(call->target));
    put_bytes(out, "method", bytes_of_text(call->method));
    put_number(out, "source", call->source);
    put_number(out, "timeout", call->timeout.us);
    put_bytes(out, "request", call->constant);
    fprintf(out, " retry:%u/%" PRId64 "/%" PRId64 "/%" PRIu32 "/%" PRIu32, r->max_attempts, r->initial_backoff.us,
            r->max_backoff.us, r->backoff_multiplier_permille, r->jitter_permille);
}

static void put_steps(FILE *out, const struct event *e)
{
    for (size_t i = 0; i < e->settle_count && i < 3; i++) {
        const struct settlement *s = &e->settle[i];
        put_bytes(out, "settle", s->step);
        put_number(out, "action", s->action_state);
        put_number(out, "is_request", s->output_is_request);
        put_number(out, "may_run_for", s->may_run_for.us);
        put_bytes(out, "output", s->output);
    }
    for (size_t i = 0; i < e->enlist_count && i < 3; i++) {
        put_bytes(out, "enlist", e->enlist[i].step);
        if (e->enlist[i].has_compensation)
            put_call(out, &e->enlist[i].compensation);
    }
    put_number(out, "settle_count", (int64_t)e->settle_count);
    put_number(out, "enlist_count", (int64_t)e->enlist_count);
}

static void put_event(FILE *out, const struct event *e)
{
    fprintf(out, "event %u", e->type);
    if (e->saga.serial != 0)
        fprintf(out, " saga:%" PRIx64 "-%" PRIx64, (uint64_t)e->saga.tag, e->saga.serial);
    if (e->definition != NULL)
        fprintf(out, " definition:%s-%s", e->definition->name, e->definition->version);
    put_bytes(out, "version", e->version);
    put_bytes(out, "name", e->name);
    put_bytes(out, "request_id", e->request_id);
    put_bytes(out, "input", e->input);
    put_bytes(out, "traceparent", e->traceparent);
    put_number(out, "deadline", e->deadline.us);
    put_number(out, "lease", e->lease.us);
    put_number(out, "priority", e->priority);
    put_number(out, "synthetic", e->synthetic);
    put_bytes(out, "step", e->step);
    put_bytes(out, "actor", e->actor);
    put_bytes(out, "reason", e->reason);
    put_number(out, "breaker_act", e->breaker_act);
    put_steps(out, e);
}

static void put_refusal(FILE *out, int code, const struct error_detail *detail)
{
    fprintf(out, "%s at %s: ", error_row(code)->reason, detail->field);
    message_text_put_bytes(out, bytes_of_text(detail->text));
}

static void decode(void *self, const char *what, struct bytes request)
{
    struct wanted *wanted = self;
    char *line = NULL;
    size_t size = 0;
    struct event event = {0};
    struct error_detail detail = {.text = ""};
    FILE *out = open_memstream(&line, &size);
    const struct method *method = &methods[wanted->method];
    ProtobufCMessage *m = protobuf_c_message_unpack(method->request, NULL, request.size, request.at);
    arena_reset(&arena);
    int code = method->decode(&decoder, m, &event, &detail);
    if (code == 0)
        put_event(out, &event);
    else
        put_refusal(out, code, &detail);
    fclose(out);
    protobuf_c_message_free_unpacked(m, NULL);
    if (what == NULL) {
        fprintf(wanted->out, "\n%s: %s\n", methods_served[wanted->method].path, line);
        snprintf(wanted->first, sizeof wanted->first, "%s", line);
    } else if (code != 0) {
        fprintf(wanted->out, "  %s: %s\n", what, line);
    } else {
        fprintf(wanted->out, "  %s: ", what);
        vary_put_difference(wanted->out, wanted->first, line);
        fputc('\n', wanted->out);
    }
    free(line);
}

static void add(struct catalog *catalog, const char *yaml, const struct definition_limits *limits)
{
    struct definition *d;
    struct error_detail detail;
    ck_assert_msg(definition_read(bytes_of_text(yaml), limits, &d, &detail) == 0, "%s", detail.text);
    ck_assert_int_eq(catalog_add(catalog, d, (struct instant){.us = 1}, &detail), 0);
}

static const struct schema *find(void *self, const char *name, const char **hash)
{
    *hash = "cafe";
    return strcmp(name, "shapes") == 0 ? self : NULL;
}

static void put_all(FILE *out)
{
    static struct wanted wanted;
    struct catalog *catalog;
    struct definition_limits limits = definition_limits_default();
    struct schema *schema = shapes_schema();
    limits.schemas.find = find;
    limits.schemas.self = schema;
    arena_init(&arena);
    ck_assert_int_eq(catalog_create(8, &catalog), 0);
    add(catalog, "name: shop\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n", &limits);
    add(catalog, "name: shop\nversion: 1.1.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n", &limits);
    add(catalog,
        "name: typed\nversion: 2.0.0\nschema: shapes\ninput: shapes.Order\nsteps:\n"
        "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n",
        &limits);
    decoder = (struct decoder){.arena = &arena,
                               .catalog = catalog,
                               .compensation_retry = {.max_attempts = 7,
                                                      .initial_backoff = SPAN_MS(100),
                                                      .max_backoff = SPAN_S(10),
                                                      .backoff_multiplier_permille = 2000,
                                                      .jitter_permille = 200}};
    wanted.out = out;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        uint8_t wire[1024];
        size_t size = wire_of_text(requests[i].wire, wire, sizeof wire);
        wanted.method = requests[i].method;
        vary(methods[wanted.method].request, bytes_of(wire, size), decode, &wanted);
    }
    catalog_destroy(catalog);
    schema_destroy(schema);
    arena_finish(&arena);
}

START_TEST(decode__every_field_is_read_or_refused_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "decode_fields", decode__every_field_is_read_or_refused_in_these_words);
}
