/* The asynchronous half of the client reckoned twice: by itself, over a stream that opens, takes, answers and ends by chance, and by a model of arrays that
 * are searched from their first to their last. After each thing that happens both must have sent the same bytes, opened and cancelled as many streams,
 * told the same of the same commands in the same order, want to run again at the same time and hold as many commands. */
#include "client-lib/src/wire_duplex.h"
#include "client-lib/src/wire_inside.h"
#include "tests/support/async_reckoning.h"

#include <check.h>
#include <poll.h>
#include <stdlib.h>

#define WORLDS 120
#define STEPS  150

static uint64_t chance = 11;

static unsigned pick(unsigned count)
{
    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)((chance >> 33) % count);
}

/* ---- the real one ---- */

static struct wire never_forked;
static const struct wire_duplex_events *events;
static char stream[1];

void __wrap_wire_wake(struct wire *wire);
bool __wrap_wire_is_shut(struct wire *wire);
int64_t __wrap_wire_now(void);
int64_t __wrap_wire_backoff(int64_t *delay_ms);
int __wrap_wire_duplex_open(struct wire *w, const char *method, const ProtobufCMessageDescriptor *response_type,
                            const struct wire_duplex_events *e, void *self, struct wire_duplex **out,
                            struct saga_error *error);
void __wrap_wire_duplex_send(struct wire_duplex *d, grpc_slice message);
bool __wrap_wire_duplex_reached(const struct wire_duplex *d);
void __wrap_wire_duplex_cancel(struct wire_duplex *d);

void __wrap_wire_wake(struct wire *wire)
{
    (void)wire;
}

bool __wrap_wire_is_shut(struct wire *wire)
{
    (void)wire;
    return shut;
}

int64_t __wrap_wire_now(void)
{
    return now_ns;
}

int64_t __wrap_wire_backoff(int64_t *delay_ms)
{
    *delay_ms += 20;
    return *delay_ms * MS;
}

int __wrap_wire_duplex_open(struct wire *w, const char *method, const ProtobufCMessageDescriptor *response_type,
                            const struct wire_duplex_events *e, void *self, struct wire_duplex **out,
                            struct saga_error *error)
{
    (void)w;
    (void)method;
    (void)response_type;
    (void)error;
    ck_assert_ptr_eq(self, &client);
    real.opened++;
    events = e;
    if (refuses)
        return SAGA_E_RESOURCE_EXHAUSTED;
    *out = (struct wire_duplex *)(void *)stream;
    return SAGA_OK;
}

/* Every command is its number, then its size, then whatever. */
void __wrap_wire_duplex_send(struct wire_duplex *d, grpc_slice message)
{
    const uint8_t *at = GRPC_SLICE_START_PTR(message), *end = at + GRPC_SLICE_LENGTH(message);
    ck_assert(d == (void *)stream && reached);
    while (at < end) {
        uint32_t head[2];
        memcpy(head, at, sizeof head);
        note(&real, head[0], head[1]);
        at += head[1];
    }
    ck_assert_ptr_eq(at, end);
    grpc_slice_unref(message);
}

bool __wrap_wire_duplex_reached(const struct wire_duplex *d)
{
    ck_assert_ptr_eq(d, stream);
    return reached;
}

void __wrap_wire_duplex_cancel(struct wire_duplex *d)
{
    ck_assert_ptr_eq(d, stream);
    real.cancelled++;
}

static void tell(void *user, const struct saga_result *r)
{
    say(&real, (unsigned)(uintptr_t)user, r->code, r->error ? r->error->reason : "", r->error ? r->error->message : "",
        r->saga_id, r->already_started);
}

/* ---- what happens ---- */

static const struct {
    int code;
    const char *reason;
} ends[] = {{SAGA_OK, ""},
            {SAGA_E_UNAVAILABLE, SAGA_REASON_LOST},
            {SAGA_E_INTERNAL, ""},
            {SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL},
            {SAGA_E_CANCELLED, ""},
            {SAGA_E_NOT_FOUND, "SAGA_NOT_FOUND"},
            {SAGA_E_RESOURCE_EXHAUSTED, "LIVE_SAGAS_MAX"},
            {SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY},
            {SAGA_E_PERMISSION_DENIED, ""}};
#define ENDS ((unsigned)(sizeof ends / sizeof *ends))

static void push(void)
{
    struct saga_error error;
    uint32_t head[2] = {made, pick(12) == 0 ? 300000 + pick(900000) : 8 + pick(40)};
    struct command *command = calloc(1, sizeof *command + head[1]);
    ck_assert_ptr_nonnull(command);
    command->kind = made % 2 == 0 ? SAGA__V1__COMMAND__COMMAND_START : SAGA__V1__COMMAND__COMMAND_COMMIT;
    command->deadline = pick(4) == 0 ? WIRE_FOREVER : now_ns + (int64_t)pick(300) * MS + made; /* no two alike */
    command->done = tell;
    command->user = (void *)(uintptr_t)made;
    command->size = head[1];
    memcpy(command->bytes, head, sizeof head);
    size_t bytes = 0;
    for (unsigned n = 0; n < made; n++)
        bytes += commands[n].open ? commands[n].size : 0;
    for (unsigned i = 0; i < completed_count; i++)
        bytes += commands[completed[i]].size;
    bool room =
        model.outstanding < client.options.queue_commands_max && bytes + head[1] <= client.options.queue_bytes_max;
    commands[made] =
        (struct model_command){.number = made, .size = head[1], .deadline = command->deadline, .open = room};
    int code = async_push(&client, command, &error);
    ck_assert_int_eq(code, room ? SAGA_OK : SAGA_E_RESOURCE_EXHAUSTED);
    if (room) {
        waiting[waiting_count++] = made;
        model.outstanding++;
    } else {
        ck_assert_str_eq(error.reason, SAGA_REASON_QUEUE);
        free(command);
    }
    made++;
}

struct answer_room {
    Saga__V1__Result result;
    Saga__V1__StartResponse start;
    Saga__V1__CommitResponse commit;
    Google__Rpc__Status status;
    Google__Protobuf__Any any, *details;
};

/* One answer of a command: what it is, and what the model makes of it. Returns whether the command is done with. */
static bool answer_one(unsigned n, struct answer_room *r)
{
    static char id[] = "s-9";
    static uint8_t memory[] = "\x0a\x0dOUT_OF_MEMORY", other[] = "\x0a\x05OTHER";
    unsigned which = pick(8);
    bool starts = n % 2 == 0;
    saga__v1__result__init(&r->result);
    if (which < 4 || which == 7) { /* the answer of its kind, or of the other */
        bool as_start = which == 7 ? !starts : starts;
        saga__v1__start_response__init(&r->start);
        saga__v1__commit_response__init(&r->commit);
        r->start.saga_id = id;
        r->start.already_started = which == 2;
        r->result.result_case = as_start ? SAGA__V1__RESULT__RESULT_START : SAGA__V1__RESULT__RESULT_COMMIT;
        if (as_start)
            r->result.start = &r->start;
        else
            r->result.commit = &r->commit;
        if (n < ALL_MAX && which == 7)
            model_complete(n, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, "the sidecar's answer does not fit the command",
                           "", false);
        else if (n < ALL_MAX)
            model_complete(n, SAGA_OK, "", "", starts ? id : "", starts && which == 2);
        return true;
    }
    static const int codes[] = {SAGA_E_UNAVAILABLE, SAGA_E_NOT_FOUND, SAGA_E_RESOURCE_EXHAUSTED, SAGA_E_INTERNAL};
    google__rpc__status__init(&r->status);
    google__protobuf__any__init(&r->any);
    r->status.code = codes[pick(4)];
    bool of_memory = pick(2) == 0;
    r->any.type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.ErrorInfo";
    r->any.value =
        of_memory ? (ProtobufCBinaryData){.data = memory, .len = 15} : (ProtobufCBinaryData){.data = other, .len = 7};
    r->details = &r->any;
    r->status.details = &r->details;
    r->status.n_details = which == 4 ? 0 : 1;
    r->result.result_case = SAGA__V1__RESULT__RESULT_ERROR;
    r->result.error = &r->status;
    const char *reason = which == 4 ? "" : of_memory ? SAGA_REASON_MEMORY : "OTHER";
    if (n == ALL_MAX)
        return true;
    if (model_lost(r->status.code, reason) || (commands[n].left && r->status.code == SAGA_E_RESOURCE_EXHAUSTED)) {
        commands[n].left |= r->status.code != SAGA_E_UNAVAILABLE;
        return false;
    }
    model_complete(n, r->status.code, reason, saga_status_text(r->status.code), "", false);
    return true;
}

static void receive(void)
{
    Saga__V1__PipeResponse response = SAGA__V1__PIPE_RESPONSE__INIT;
    struct answer_room rooms[9];
    Saga__V1__Result *list[9];
    unsigned count = sent_count == 0 ? pick(2) : sent_sizes[0];
    bool fits = sent_count > 0 && pick(12) != 0, done = true;
    if (breaking) { /* nothing is believed any more */
        events->received(&client, pick(2) == 0 ? NULL : &response.base);
        return;
    }
    for (unsigned i = 0; fits && i < count; i++) {
        list[i] = &rooms[i].result;
        bool over = answer_one(sent[0][i], &rooms[i]);
        if (over)
            sent[0][i] = ALL_MAX;
        done &= over;
    }
    for (unsigned i = 0; !fits && sent_count > 0 && i < count; i++)
        if (sent[0][i] < ALL_MAX)
            model_complete(sent[0][i], SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL,
                           "the sidecar's answer does not fit the command", "", false);
    response.results = list;
    response.n_results = fits ? count : count + 1;
    if (!fits)
        for (unsigned i = 0; i <= count; i++)
            saga__v1__result__init(list[i] = &rooms[i].result);
    if (done && sent_count > 0) {
        sent_count--;
        memmove(sent, sent + 1, sent_count * sizeof *sent);
        memmove(sent_sizes, sent_sizes + 1, sent_count * sizeof *sent_sizes);
    }
    if (!fits || !done) {
        breaking = true;
        model.cancelled++;
    } else {
        pause_ms = 0;
    }
    events->received(&client, !fits && pick(2) == 0 ? NULL : &response.base);
}

static void end_stream(int code, const char *reason)
{
    struct saga_error error;
    saga_error_set(&error, code, reason, NULL, "it ended so");
    model_ended(code, reason);
    events->ended(&client, code, &error);
}

static void poll_some(size_t max)
{
    size_t count = completed_count < max ? completed_count : max;
    for (size_t i = 0; i < count; i++)
        strcat(model.told, commands[completed[i]].said);
    completed_count -= (unsigned)count;
    memmove(completed, completed + count, completed_count * sizeof *completed);
    model.outstanding -= count;
    ck_assert_uint_eq(saga_async_poll(&client, max), count);
}

static void happen(void)
{
    unsigned what = pick(12), end = pick(ENDS);
    if (what < 4 && made < ALL_MAX)
        push();
    else if (what < 6)
        now_ns += (int64_t)pick(60) * MS;
    else if (what == 6)
        reached = has_stream && !reached ? true : reached;
    else if (what == 7 && sending) {
        sending = false;
        events->sent(&client);
    } else if (what < 10 && has_stream && reached)
        receive();
    else if (what == 10 && has_stream && pick(3) == 0)
        end_stream(ends[end].code, ends[end].reason);
    else if (what == 11)
        poll_some(pick(4));
    refuses = pick(10) == 0;
}

static void compare(void)
{
    struct pollfd fd = {.fd = saga_async_fd(&client), .events = POLLIN};
    if (!has_stream)
        reached = pick(2) == 0; /* of the next one */
    real.again = async_turn(&client);
    model.again = model_turn();
    real.outstanding = saga_async_outstanding(&client);
    real.readable = fd.fd >= 0 && poll(&fd, 1, 0) == 1;
    model.readable = completed_count > 0;
    ck_assert_str_eq(real.told, model.told);
    ck_assert_str_eq(real.sent, model.sent);
    ck_assert_uint_eq(real.opened, model.opened);
    ck_assert_uint_eq(real.cancelled, model.cancelled);
    ck_assert_int_eq(real.again, model.again);
    ck_assert_uint_eq(real.outstanding, model.outstanding);
    ck_assert_int_eq(real.readable, model.readable);
    real.told[0] = real.sent[0] = model.told[0] = model.sent[0] = '\0';
}

static void run(void)
{
    struct saga_error error;
    now_ns = 1000 * MS;
    made = waiting_count = completed_count = sent_count = 0;
    has_stream = sending = breaking = shut = refuses = false;
    reached = true;
    open_at = pause_ms = 0;
    memset(&real, 0, sizeof real);
    memset(&model, 0, sizeof model);
    client = (saga_client){.wire = &never_forked,
                           .options = {.queue_commands_max = 4 + pick(20),
                                       .queue_bytes_max = 1000 + (size_t)pick(2) * 5000000,
                                       .pipe_commands_max = 1 + pick(6),
                                       .pipe_messages_max = 1 + pick(4),
                                       .async_poll = pick(2) == 0}};
    ck_assert_int_eq(async_init(&client, &error), SAGA_OK);
    ck_assert_int_eq(saga_async_fd(&client) >= 0, client.options.async_poll);
    for (unsigned i = 0; i < STEPS; i++) {
        happen();
        compare();
    }
    shut = true;
    if (has_stream)
        end_stream(SAGA_E_CANCELLED, SAGA_REASON_CLOSED);
    compare();
    poll_some(SIZE_MAX);
    compare();
    ck_assert_uint_eq(saga_async_outstanding(&client), 0);
    async_finish(&client);
}

START_TEST(async__two_reckonings_agree)
{
    for (unsigned world = 0; world < WORLDS; world++)
        run();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("async_model");
    TCase *tc = tcase_create("async_model");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, async__two_reckonings_agree);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
