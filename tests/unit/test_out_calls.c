/* Calls out, by scripts of what C core and the target say: and after each line what is given to C core, and every answer. Kept in
 * tests/fixtures/rpc/calls.txt; `build/release/tests/unit/test_out_calls write` writes that anew, for its difference to be read. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 40 };

static const char path[] = "tests/fixtures/rpc/calls.txt";

static FILE *out;
static struct rpc room;
static struct rpc_target target;
static struct rpc_line line;
static bool has_line, refuses, may_leave;
static int64_t now_ms;

/* What is called, and what C core has of it. */
static struct call {
    char request[64];
    struct rpc_op *headers, *sends, *ends; /* that have not come out */
    grpc_metadata_array *trailing;
    grpc_byte_buffer **output;
    grpc_status_code *status;
    grpc_slice *message;
    const char **trace;
} calls[CALLS_MAX];
static unsigned calling; /* whose batches are started next */

static unsigned number_of(const void *call)
{
    return (unsigned)((const struct call *)call - calls);
}

static void put_slice(grpc_slice slice)
{
    fprintf(out, "%.*s", (int)GRPC_SLICE_LENGTH(slice), (const char *)GRPC_SLICE_START_PTR(slice));
}

/* ---- tests.mk wraps these ---- */

gpr_timespec __wrap_gpr_now(gpr_clock_type clock);
grpc_call *__wrap_grpc_channel_create_call(grpc_channel *channel, grpc_call *parent, uint32_t mask,
                                           grpc_completion_queue *queue, grpc_slice method, const grpc_slice *host,
                                           gpr_timespec deadline, void *reserved);
grpc_call_error __wrap_grpc_call_start_batch(grpc_call *call, const grpc_op *ops, size_t count, void *tag,
                                             void *reserved);
grpc_call_error __wrap_grpc_call_cancel_with_status(grpc_call *call, grpc_status_code status, const char *message,
                                                    void *reserved);
void __wrap_grpc_call_unref(grpc_call *call);
struct rpc_line *__wrap_rpc_target_line(struct rpc_target *t);
bool __wrap_rpc_target_holds(const struct rpc_target *t, size_t size);
void __wrap_rpc_target_hold(struct rpc_target *t, struct rpc_link *call);
void __wrap_rpc_target_given(struct rpc_target *t, size_t size);
void __wrap_rpc_target_took(struct rpc_target *t, size_t size);
void __wrap_rpc_target_await(struct rpc_target *t);
int __wrap_rpc_targets_turn(struct rpc *r, gpr_timespec *next);

static gpr_timespec now(void)
{
    return gpr_time_add(gpr_time_0(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(now_ms, GPR_TIMESPAN));
}

gpr_timespec __wrap_gpr_now(gpr_clock_type clock)
{
    ck_assert_int_eq(clock, GPR_CLOCK_MONOTONIC);
    return now();
}

static long long ms_of(gpr_timespec at)
{
    return (long long)at.tv_sec * 1000 + at.tv_nsec / 1000000 - 100000;
}

grpc_call *__wrap_grpc_channel_create_call(grpc_channel *channel, grpc_call *parent, uint32_t mask,
                                           grpc_completion_queue *queue, grpc_slice method, const grpc_slice *host,
                                           gpr_timespec deadline, void *reserved)
{
    ck_assert(channel == line.channel && parent == NULL && mask == GRPC_PROPAGATE_DEFAULTS && host == NULL);
    ck_assert(queue == room.queue && reserved == NULL);
    fprintf(out, "  call %u of ", calling);
    put_slice(method);
    fprintf(out, " until %lld ms\n", ms_of(deadline));
    return (grpc_call *)(void *)&calls[calling];
}

grpc_call_error __wrap_grpc_call_start_batch(grpc_call *call, const grpc_op *ops, size_t count, void *tag,
                                             void *reserved)
{
    struct call *c = (struct call *)(void *)call;
    bool sends = false, receives = false;
    ck_assert(reserved == NULL && count <= 3);
    fprintf(out, "  call %u:", number_of(c));
    for (const grpc_op *op = ops; op < ops + count; op++) {
        ck_assert(op->flags == 0 && op->reserved == NULL);
        if (op->op == GRPC_OP_SEND_INITIAL_METADATA) {
            fprintf(out, " headers");
            for (size_t i = 0; i < op->data.send_initial_metadata.count; i++) {
                fprintf(out, " ");
                put_slice(op->data.send_initial_metadata.metadata[i].key);
                fprintf(out, "=");
                put_slice(op->data.send_initial_metadata.metadata[i].value);
            }
        } else if (op->op == GRPC_OP_SEND_MESSAGE) {
            fprintf(out, " message '");
            put_slice(op->data.send_message.send_message->data.raw.slice_buffer.slices[0]);
            fprintf(out, "'");
            sends = true;
        } else if (op->op == GRPC_OP_SEND_CLOSE_FROM_CLIENT) {
            fprintf(out, " end");
        } else if (op->op == GRPC_OP_RECV_STATUS_ON_CLIENT) {
            c->trailing = op->data.recv_status_on_client.trailing_metadata;
            c->status = op->data.recv_status_on_client.status;
            c->message = op->data.recv_status_on_client.status_details;
            c->trace = op->data.recv_status_on_client.error_string;
            fprintf(out, " waits for the status");
            receives = true;
        } else if (op->op == GRPC_OP_RECV_MESSAGE) {
            c->output = op->data.recv_message.recv_message;
            fprintf(out, " waits for the output");
        } else {
            ck_assert_int_eq(op->op, GRPC_OP_RECV_INITIAL_METADATA);
        }
    }
    fprintf(out, refuses ? ", which is refused\n" : "\n");
    if (refuses)
        return GRPC_CALL_ERROR_INVALID_METADATA;
    *(sends ? &c->sends : receives ? &c->ends : &c->headers) = tag;
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

struct rpc_line *__wrap_rpc_target_line(struct rpc_target *t)
{
    ck_assert_ptr_eq(t, &target);
    return has_line ? &line : NULL;
}

bool __wrap_rpc_target_holds(const struct rpc_target *t, size_t size)
{
    ck_assert(t == &target && size < 64);
    return !rpc_link_is_single(&target.held);
}

void __wrap_rpc_target_hold(struct rpc_target *t, struct rpc_link *call)
{
    rpc_link_append(&t->held, call);
    fprintf(out, "  is held, of %zu bytes\n", rpc_out_size(call));
}

void __wrap_rpc_target_given(struct rpc_target *t, size_t size)
{
    t->outgoing += size;
}

void __wrap_rpc_target_took(struct rpc_target *t, size_t size)
{
    ck_assert_uint_le(size, t->outgoing);
    t->outgoing -= size;
}

void __wrap_rpc_target_await(struct rpc_target *t)
{
    ck_assert_ptr_eq(t, &target);
    fprintf(out, "  the target is waited for\n");
}

int __wrap_rpc_targets_turn(struct rpc *r, gpr_timespec *next)
{
    rpc_out_expire(r, &target.held, NULL, next);
    return 0;
}

/* ---- the owner ---- */

static bool on_may_leave(void *self)
{
    ck_assert_ptr_eq(self, &room);
    return may_leave;
}

static void on_answer(void *self, void *tag, const struct rpc_answer *a)
{
    static const char *const reaches[] = {[SAGA_REACH_NONE] = "never left",
                                          [SAGA_REACH_MAYBE] = "may have run",
                                          [SAGA_REACH_ANSWERED] = "was answered",
                                          [SAGA_REACH_NOT_BEGUN] = "was not begun"};
    ck_assert_ptr_eq(self, &room);
    fprintf(out, "  ANSWER %u %s, %d '%.*s', output '%.*s'", number_of(tag), reaches[a->reach], a->status,
            (int)a->message.size, a->message.size == 0 ? "" : (const char *)a->message.at, (int)a->output.size,
            a->output.size == 0 ? "" : (const char *)a->output.at);
    if (a->has_pushback)
        fprintf(out, ", again after %lld ms", (long long)a->pushback.us / 1000);
    if (a->unreached != NULL)
        fprintf(out, ", unreached: %s", a->unreached);
    fprintf(out, "\n");
}

/* ---- the script ---- */

/* call NUMBER TIMEOUT_MS REQUEST [key=value ...] */
static void call(const char *rest)
{
    char word[64];
    int used, timeout;
    struct rpc_metadata metadata[4];
    static char words[4][2][64];
    size_t count = 0;
    ck_assert_int_eq(sscanf(rest, "%u %d %63s%n", &calling, &timeout, word, &used), 3);
    struct call *c = &calls[calling];
    *c = (struct call){.headers = NULL};
    snprintf(c->request, sizeof c->request, "%s", strcmp(word, "-") == 0 ? "" : word);
    for (rest += used; sscanf(rest, "%63s%n", word, &used) == 1; rest += used, count++) {
        ck_assert_int_eq(sscanf(word, "%63[^=]=%63s", words[count][0], words[count][1]), 2);
        metadata[count] = (struct rpc_metadata){.key = words[count][0], .value = bytes_of_text(words[count][1])};
    }
    rpc_call_out(&target, "/shop.Payment/Charge", metadata, count, bytes_of_text(c->request), SPAN_MS(timeout), c);
}

static void add_trailing(grpc_metadata_array *trailing, const char *word)
{
    char key[64], value[64] = "";
    ck_assert_int_ge(sscanf(word, "%63[^=]=%63s", key, value), 1);
    grpc_metadata *m = &trailing->metadata[trailing->count++];
    m->key = grpc_slice_from_copied_string(key);
    m->value = grpc_slice_from_copied_string(value);
}

/* ends NUMBER STATUS [trace=...] [message=...] [output=...] [KEY=VALUE ...], with + for a space */
static void end(const char *rest)
{
    unsigned number, status;
    int used;
    char word[128];
    ck_assert_int_eq(sscanf(rest, "%u %u%n", &number, &status, &used), 2);
    struct call *c = &calls[number];
    struct rpc_op *op = c->ends;
    ck_assert_ptr_nonnull(op);
    c->trailing->metadata = gpr_malloc(8 * sizeof *c->trailing->metadata);
    memset(c->trailing->metadata, 0, 8 * sizeof *c->trailing->metadata);
    *c->status = (grpc_status_code)status;
    for (rest += used; sscanf(rest, "%127s%n", word, &used) == 1; rest += used) {
        for (char *plus; (plus = strchr(word, '+')) != NULL;)
            *plus = ' ';
        if (strncmp(word, "trace=", 6) == 0) {
            *c->trace = memcpy(gpr_malloc(sizeof word), word + 6, sizeof word - 6);
        } else if (strncmp(word, "message=", 8) == 0) {
            *c->message = grpc_slice_from_copied_string(word + 8);
        } else if (strncmp(word, "output=", 7) == 0) {
            grpc_slice output = grpc_slice_from_copied_string(word + 7);
            *c->output = grpc_raw_byte_buffer_create(&output, 1);
            grpc_slice_unref(output);
        } else {
            add_trailing(c->trailing, word);
        }
    }
    c->ends = NULL;
    op->done(op, true);
}

static void come_out(struct rpc_op **op, bool ok)
{
    struct rpc_op *out_now = *op;
    ck_assert_ptr_nonnull(out_now);
    *op = NULL;
    out_now->done(out_now, ok);
}

static void happen(const char *text)
{
    char word[32];
    int used = 0;
    ck_assert_int_eq(sscanf(text, "%31s%n", word, &used), 1);
    const char *rest = text + used + (text[used] == ' ');
    if (strcmp(word, "call") == 0) {
        call(rest);
    } else if (strcmp(word, "ends") == 0) {
        end(rest);
    } else if (strcmp(word, "sent") == 0 || strcmp(word, "unsent") == 0) {
        come_out(&calls[atoi(rest)].sends, word[0] == 's');
    } else if (strcmp(word, "left") == 0 || strcmp(word, "stayed") == 0) {
        come_out(&calls[atoi(rest)].headers, word[0] == 'l');
    } else if (strcmp(word, "go") == 0 || strcmp(word, "try") == 0) {
        struct rpc_link *first = target.held.next;
        int later = 0; /* before anybody looks */
        ck_assert_int_ge(sscanf(rest, "%u %d", &calling, &later), 1);
        now_ms += later;
        room.now = now();
        rpc_link_remove(first);
        rpc_out_go(first, &line, word[0] == 'g');
    } else if (strcmp(word, "give_up") == 0) {
        struct rpc_link *first = target.held.next;
        rpc_link_remove(first);
        rpc_out_give_up(first, rest);
    } else if (strcmp(word, "ms") == 0) {
        now_ms += atoi(rest);
        room.now = now();
    } else if (strcmp(word, "line") == 0) {
        has_line = strcmp(rest, "none") != 0;
    } else if (strcmp(word, "refuses") == 0) {
        refuses = strcmp(rest, "nothing") != 0;
    } else if (strcmp(word, "may") == 0) {
        may_leave = strcmp(rest, "not") != 0;
    } else {
        ck_assert_str_eq(word, "cancel");
        rpc_out_cancel_all(&room);
    }
}

static void turn(void)
{
    gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    int count = rpc_out_turn(&room, &next);
    if (count != 0)
        fprintf(out, "  %d in the turn\n", count);
    if (gpr_time_cmp(next, gpr_inf_future(GPR_CLOCK_MONOTONIC)) != 0)
        fprintf(out, "  looks again at %lld ms\n", ms_of(next));
    unsigned leaving = 0;
    for (const struct rpc_link *l = room.leaving.next; l != &room.leaving; l = l->next)
        leaving++;
    if (room.out_count != 0 || target.outgoing != 0 || leaving != 0)
        fprintf(out, "  %u out, %zu bytes on their way, %u leaving\n", room.out_count, target.outgoing, leaving);
}

static void begin(void)
{
    struct rpc_link *rings[] = {&room.outs,       &room.lingering,  &room.undecided,
                                &room.connecting, &room.unanswered, &room.leaving};
    memset(&room, 0, sizeof room);
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++)
        rpc_link_init(rings[i]);
    room.callbacks = (struct rpc_callbacks){.on_answer = on_answer, .may_leave = on_may_leave, .self = &room};
    room.options.connect_timeout = SPAN_MS(2000);
    room.options.message_bytes_max = 1000;
    room.sending.type = GRPC_BB_RAW;
    grpc_slice_buffer_init(&room.sending.data.raw.slice_buffer);
    memset(&target, 0, sizeof target);
    target.rpc = &room;
    rpc_link_init(&target.held);
    line.channel = (grpc_channel *)(void *)&line;
    has_line = may_leave = true;
    refuses = false;
    now_ms = 100000;
    room.now = now();
}

static void finish(const char *next)
{
    bool ended = rpc_link_is_single(&room.outs) && rpc_link_is_single(&room.lingering) &&
                 rpc_link_is_single(&room.leaving) && target.outgoing == 0 && room.out_count == 0;
    ck_assert_msg(ended, "not all have ended before %s", next);
    rpc_out_finish(&room);
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

START_TEST(out_calls__end_as_the_scripts_say)
{
    grpc_init();
    kept_text_compare(path, put_all);
    grpc_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "out_calls", out_calls__end_as_the_scripts_say);
}
