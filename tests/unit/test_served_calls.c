/* Served calls, by scripts of what C core and the owner do: and after each line what is given to C core, and what the owner hears. Kept in
 * tests/fixtures/rpc/served.txt; `build/release/tests/unit/test_served_calls write` writes that anew, for its difference to be read. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 40, METHODS = 3 };

static const char path[] = "tests/fixtures/rpc/served.txt";

static FILE *out;
static struct rpc room;
static struct rpc_entrance entrance;
static struct rpc_service service;
static struct rpc_served served[METHODS];
static int64_t now_ms;

static const struct rpc_method methods[METHODS] = {{.path = "/a.S/Unary", .kind = RPC_UNARY},
                                                   {.path = "/a.S/Stream", .kind = RPC_SERVER_STREAM},
                                                   {.path = "/a.S/Bidi", .kind = RPC_BIDI}};

/* A slot of each method that waits for a call; the last is a stranger's. */
static struct slot {
    grpc_call **call;
    grpc_byte_buffer **payload;
    grpc_metadata_array *metadata;
    struct rpc_op *op;
} slots[METHODS + 1];

/* What C core has of a call. */
static struct call {
    struct rpc_call *mine; /* once the owner knows of it */
    struct rpc_op *receives, *sends, *closes, *finishes;
    grpc_byte_buffer **into;
    int *cancelled;
} calls[CALLS_MAX];

static unsigned number_of(const void *call)
{
    return (unsigned)((const struct call *)call - calls);
}

/* ---- tests.mk wraps these ---- */

void __wrap_grpc_server_start(grpc_server *server);
grpc_call_error __wrap_grpc_server_request_registered_call(grpc_server *server, void *registered, grpc_call **call,
                                                           gpr_timespec *deadline, grpc_metadata_array *metadata,
                                                           grpc_byte_buffer **payload, grpc_completion_queue *bound,
                                                           grpc_completion_queue *notified, void *tag);
grpc_call_error __wrap_grpc_server_request_call(grpc_server *server, grpc_call **call, grpc_call_details *details,
                                                grpc_metadata_array *metadata, grpc_completion_queue *bound,
                                                grpc_completion_queue *notified, void *tag);
grpc_call_error __wrap_grpc_call_start_batch(grpc_call *call, const grpc_op *ops, size_t count, void *tag,
                                             void *reserved);
grpc_call_error __wrap_grpc_call_cancel_with_status(grpc_call *call, grpc_status_code status, const char *message,
                                                    void *reserved);
void __wrap_grpc_call_unref(grpc_call *call);

void __wrap_grpc_server_start(grpc_server *server)
{
    ck_assert_ptr_eq(server, entrance.server);
}

static void request(unsigned method, struct slot slot)
{
    ck_assert_ptr_null(slots[method].op);
    slots[method] = slot;
}

grpc_call_error __wrap_grpc_server_request_registered_call(grpc_server *server, void *registered, grpc_call **call,
                                                           gpr_timespec *deadline, grpc_metadata_array *metadata,
                                                           grpc_byte_buffer **payload, grpc_completion_queue *bound,
                                                           grpc_completion_queue *notified, void *tag)
{
    unsigned method = (unsigned)((const struct rpc_method *)registered - methods);
    ck_assert(server == entrance.server && deadline != NULL && bound == room.queue && notified == room.queue);
    ck_assert((payload == NULL) == (methods[method].kind == RPC_BIDI));
    request(method, (struct slot){.call = call, .payload = payload, .metadata = metadata, .op = tag});
    return GRPC_CALL_OK;
}

grpc_call_error __wrap_grpc_server_request_call(grpc_server *server, grpc_call **call, grpc_call_details *details,
                                                grpc_metadata_array *metadata, grpc_completion_queue *bound,
                                                grpc_completion_queue *notified, void *tag)
{
    ck_assert(server == entrance.server && details == &entrance.stranger && bound == notified);
    request(METHODS, (struct slot){.call = call, .metadata = metadata, .op = tag});
    return GRPC_CALL_OK;
}

static void put_slice(grpc_slice slice)
{
    fprintf(out, "'%.*s'", (int)GRPC_SLICE_LENGTH(slice), (const char *)GRPC_SLICE_START_PTR(slice));
}

static void put_status(const grpc_op *op)
{
    fprintf(out, " status %d", (int)op->data.send_status_from_server.status);
    if (op->data.send_status_from_server.status_details != NULL)
        put_slice(*op->data.send_status_from_server.status_details);
    for (size_t i = 0; i < op->data.send_status_from_server.trailing_metadata_count; i++) {
        const grpc_metadata *m = &op->data.send_status_from_server.trailing_metadata[i];
        fprintf(out, " with ");
        put_slice(m->key);
        fprintf(out, " of %zu bytes", GRPC_SLICE_LENGTH(m->value));
    }
}

grpc_call_error __wrap_grpc_call_start_batch(grpc_call *call, const grpc_op *ops, size_t count, void *tag,
                                             void *reserved)
{
    struct call *c = (struct call *)(void *)call;
    struct rpc_op **place = NULL;
    ck_assert_ptr_null(reserved);
    fprintf(out, "  call %u:", number_of(c));
    for (const grpc_op *op = ops; op < ops + count; op++)
        switch ((int)op->op) {
        case GRPC_OP_SEND_INITIAL_METADATA:
            fprintf(out, " greets");
            break;
        case GRPC_OP_SEND_MESSAGE:
            fprintf(out, " message ");
            put_slice(op->data.send_message.send_message->data.raw.slice_buffer.slices[0]);
            place = &c->sends;
            break;
        case GRPC_OP_SEND_STATUS_FROM_SERVER:
            put_status(op);
            place = &c->finishes;
            break;
        case GRPC_OP_RECV_CLOSE_ON_SERVER:
            fprintf(out, " watches");
            c->cancelled = op->data.recv_close_on_server.cancelled;
            place = place == NULL ? &c->closes : place;
            break;
        default:
            ck_assert_int_eq(op->op, GRPC_OP_RECV_MESSAGE);
            fprintf(out, " receives");
            c->into = op->data.recv_message.recv_message;
            place = &c->receives;
        }
    fprintf(out, "\n");
    ck_assert(place != NULL && *place == NULL);
    *place = tag;
    return GRPC_CALL_OK;
}

grpc_call_error __wrap_grpc_call_cancel_with_status(grpc_call *call, grpc_status_code status, const char *message,
                                                    void *reserved)
{
    ck_assert_ptr_null(reserved);
    fprintf(out, "  call %u is cancelled, %d: %s\n", number_of(call), (int)status, message);
    return GRPC_CALL_OK;
}

void __wrap_grpc_call_unref(grpc_call *call)
{
    fprintf(out, "  call %u is given back\n", number_of(call));
}

/* ---- the owner ---- */

static struct call *heard(void *self, struct rpc_call *call)
{
    struct call *c = (struct call *)(void *)call->call;
    ck_assert_ptr_eq(self, &room);
    c->mine = call;
    return c;
}

static void on_message(void *self, struct rpc_call *call, struct bytes message)
{
    struct bytes value = rpc_call_metadata(call, "key");
    fprintf(out, "  OWNER %u hears '%.*s' of %s, key '%.*s'\n", number_of(heard(self, call)), (int)message.size,
            message.size == 0 ? "" : (const char *)message.at, rpc_call_method(call)->path, (int)value.size,
            value.size == 0 ? "" : (const char *)value.at);
}

static void on_half_close(void *self, struct rpc_call *call)
{
    fprintf(out, "  OWNER %u hears no more\n", number_of(heard(self, call)));
}

static void on_cancelled(void *self, struct rpc_call *call)
{
    fprintf(out, "  OWNER %u is cancelled\n", number_of(heard(self, call)));
}

static void on_sent(void *self, struct rpc_call *call)
{
    fprintf(out, "  OWNER %u may send\n", number_of(heard(self, call)));
}

static void on_refused(void *self, const struct rpc_method *method, int code)
{
    ck_assert_ptr_eq(self, &room);
    fprintf(out, "  refused %s: %s\n", method->path, error_row(code)->reason);
}

/* ---- the script ---- */

static grpc_byte_buffer *buffer_of(const char *text)
{
    /* What begins so is no packed message. */
    bool packed = strncmp(text, "packed", 6) == 0;
    grpc_slice slice = grpc_slice_from_copied_string(strcmp(text, "-") == 0 ? "" : text);
    grpc_byte_buffer *b =
        grpc_raw_compressed_byte_buffer_create(&slice, 1, packed ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
    grpc_slice_unref(slice);
    return b;
}

/* arrives NUMBER METHOD [MESSAGE [key's value]] */
static void arrive(const char *rest)
{
    unsigned number, method;
    char message[64] = "", value[64] = "";
    ck_assert_int_ge(sscanf(rest, "%u %u %63s %63s", &number, &method, message, value), 2);
    struct slot slot = slots[method];
    ck_assert_ptr_nonnull(slot.op);
    slots[method].op = NULL;
    calls[number] = (struct call){.mine = NULL};
    *slot.call = (grpc_call *)(void *)&calls[number];
    if (slot.payload != NULL && message[0] != '\0')
        *slot.payload = buffer_of(message);
    if (value[0] != '\0') {
        slot.metadata->metadata = gpr_malloc(2 * sizeof *slot.metadata->metadata);
        memset(slot.metadata->metadata, 0, 2 * sizeof *slot.metadata->metadata);
        slot.metadata->count = 2;
        slot.metadata->metadata[0].key = grpc_slice_from_static_string("other");
        slot.metadata->metadata[0].value = grpc_slice_from_static_string("none");
        slot.metadata->metadata[1].key = grpc_slice_from_static_string("key");
        slot.metadata->metadata[1].value = grpc_slice_from_copied_string(value);
    }
    slot.op->done(slot.op, true);
}

static void come_out(struct rpc_op **op, bool ok)
{
    struct rpc_op *comes = *op;
    ck_assert_ptr_nonnull(comes);
    *op = NULL;
    comes->done(comes, ok);
}

/* What the owner does. Returns false when the word is none of his. */
static bool act(const char *word, struct call *c, const char *rest)
{
    unsigned status;
    int used = 0;
    if (strcmp(word, "reply") == 0)
        rpc_reply(c->mine, bytes_of_text(rest));
    else if (strcmp(word, "send") == 0)
        rpc_send(c->mine, bytes_of_text(rest));
    else if (strcmp(word, "next") == 0)
        rpc_next(c->mine);
    else if (strcmp(word, "end") == 0 && sscanf(rest, "%u %n", &status, &used) == 1)
        rpc_end(c->mine, (int)status, rest[used] == '\0' ? NULL : rest + used,
                status == 9 ? bytes_of_text("details") : bytes_of(NULL, 0));
    else
        return false;
    return true;
}

static void happen(const char *text)
{
    char word[32];
    int used = 0, more = 0;
    unsigned number = 0;
    ck_assert_int_eq(sscanf(text, "%31s%n", word, &used), 1);
    if (sscanf(text + used, "%u%n", &number, &more) != 1)
        more = 0;
    struct call *c = &calls[number % CALLS_MAX]; /* where it is a call's */
    const char *rest = text + used + more + (text[used + more] == ' ');
    if (act(word, c, rest))
        return;
    if (strcmp(word, "arrives") == 0) {
        arrive(text + used);
    } else if (strcmp(word, "receives") == 0) {
        if (rest[0] != '\0')
            *c->into = buffer_of(rest);
        come_out(&c->receives, true);
    } else if (strcmp(word, "sent") == 0 || strcmp(word, "unsent") == 0) {
        come_out(&c->sends, word[0] == 's');
    } else if (strcmp(word, "closes") == 0 || strcmp(word, "finishes") == 0) {
        *c->cancelled = strcmp(rest, "cancelled") == 0 || (*c->cancelled && word[0] == 'f');
        come_out(word[0] == 'c' ? &c->closes : &c->finishes, strcmp(rest, "failed") != 0);
    } else if (strcmp(word, "ms") == 0) {
        now_ms += number;
    } else if (strcmp(word, "turn") == 0) {
        room.turn = number;
    } else if (strcmp(word, "watch") == 0) {
        rpc_call_watch_before(&room, number);
    } else if (strcmp(word, "stop") == 0) {
        room.stopping = true;
        rpc_call_refuse_silent(&room);
    } else if (strcmp(word, "shut") == 0) {
        room.shut = true;
    } else {
        ck_assert_str_eq(word, "cancel");
        rpc_call_cancel_all(&room);
    }
}

static gpr_timespec now(void)
{
    return gpr_time_add(gpr_time_0(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(now_ms, GPR_TIMESPAN));
}

static void turn(void)
{
    gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    room.now = now();
    rpc_call_refuse_unended(&room, &next);
    if (gpr_time_cmp(next, gpr_inf_future(GPR_CLOCK_MONOTONIC)) != 0)
        fprintf(out, "  looks again in %d ms\n", gpr_time_to_millis(gpr_time_sub(next, room.now)));
    fprintf(out, "  %u calls, %u streams, %llu ended, %llu reset; %u armed", service.quota.calls, service.quota.streams,
            (unsigned long long)room.ends, (unsigned long long)room.resets, entrance.armed);
    for (const struct rpc_link *l = room.leaving.next; l != &room.leaving; l = l->next) {
        const struct rpc_leaving *leaving = RPC_HOLDER((uintptr_t)l, struct rpc_leaving, link);
        fprintf(out, "; %zu bytes of %u leave", leaving->size, number_of(leaving->call));
    }
    fprintf(out, "\n");
}

static void begin(void)
{
    static void *registered[METHODS];
    struct rpc_link *rings[] = {&room.open, &room.unwatched, &room.unended, &room.leaving};
    memset(&room, 0, sizeof room);
    memset(slots, 0, sizeof slots);
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++)
        rpc_link_init(rings[i]);
    room.options = (struct rpc_options){.message_bytes_max = 1000, .handshake_timeout = SPAN_MS(500)};
    room.served = served;
    room.served_count = METHODS;
    room.sending.type = GRPC_BB_RAW;
    grpc_slice_buffer_init(&room.sending.data.raw.slice_buffer);
    service = (struct rpc_service){.callbacks = {.on_message = on_message,
                                                 .on_half_close = on_half_close,
                                                 .on_cancelled = on_cancelled,
                                                 .on_sent = on_sent,
                                                 .on_refused = on_refused,
                                                 .self = &room},
                                   .quota = {.calls_max = 3, .streams_max = 2}};
    for (unsigned i = 0; i < METHODS; i++) {
        served[i] = (struct rpc_served){.method = &methods[i], .service = &service};
        registered[i] = (void *)(uintptr_t)&methods[i];
    }
    memset(&entrance, 0, sizeof entrance);
    entrance.rpc = &room;
    entrance.registered = registered;
    entrance.server = (grpc_server *)(void *)&entrance;
    grpc_call_details_init(&entrance.stranger);
    now_ms = 100000;
    room.now = now();
    rpc_entrance_start(&entrance);
    ck_assert(entrance.open);
}

/* The slots that are left are C core's no more. */
static void finish(const char *next)
{
    bool ended = rpc_link_is_single(&room.open) && rpc_link_is_single(&room.unwatched) &&
                 rpc_link_is_single(&room.unended) && rpc_link_is_single(&room.leaving);
    ck_assert_msg(ended && service.quota.calls == 0 && service.quota.streams == 0, "before %s", next);
    for (unsigned i = 0; i <= METHODS; i++)
        if (slots[i].op != NULL)
            slots[i].op->done(slots[i].op, false);
    ck_assert_uint_eq(entrance.armed, 0);
    for (struct rpc_call *call = room.free_calls, *after; call != NULL; call = after) {
        after = call->next_free;
        free(call);
    }
    grpc_call_details_destroy(&entrance.stranger);
    grpc_slice_buffer_destroy(&room.sending.data.raw.slice_buffer);
}

static void happens(char *words)
{
    happen(words);
    turn();
}

/* What happens is in the file, as are the effects. */
static void put_all(FILE *to)
{
    out = to;
    kept_text_play(path, to, &(struct kept_script){begin, happens, finish});
}

START_TEST(served_calls__end_as_the_scripts_say)
{
    grpc_init();
    kept_text_compare(path, put_all);
    grpc_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "served_calls", served_calls__end_as_the_scripts_say);
}
