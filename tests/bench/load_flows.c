/* load_flows.c - one flow is what one user would do: a call, a saga that is started and waited for, an enlisted saga step by step. */
#include "tests/bench/load_flows.h"

#include "tests/bench/load.h"

#include "saga/v1/coordinator.pb-c.h"

#include <unistd.h>

#define PAYLOAD_MAX (1 << 20)
#define MESSAGE_MAX (PAYLOAD_MAX + 4096)
#define PIPE_WINDOW 2 /* messages of one stream without an answer */

static struct load_options options;
static int method_echo, method_health, method_call, method_get, method_begin, method_start, method_wait, method_enlist,
    method_commit;
static uint8_t payload[PAYLOAD_MAX], message[MESSAGE_MAX];
static size_t failed;
static uint64_t request_number;

enum kind { ECHO, HEALTH, CALL, SERVE, GET, BEGIN, START, LATENCY, ENLISTED, PIPE_BEGIN, PIPE_OWED, PIPE_ENLISTED };
static enum kind kind;

struct flow {
    struct call call;
    int step;
    bool acknowledged; /* START: Start has been answered */
    double started, server_cpu;
    char saga_id[64];
    char request_id[40];
    struct flow *next;
};

static bool stopped;
static int begun;         /* and not over */
static struct flow *idle; /* flows that wait for their turn when there is a rate */
static double pace_next;

size_t flows_failed(void)
{
    return failed;
}

/* ---- messages ---- */

static size_t pack(const ProtobufCMessage *m, uint8_t *at)
{
    if (protobuf_c_message_get_packed_size(m) > MESSAGE_MAX)
        load_fail("a message's size");
    return protobuf_c_message_pack(m, at);
}

/* Time-ordered, as UUIDv7 is. */
static void new_request_id(struct flow *f)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t number = ++request_number;
    if (options.random_ids) {
        /* splitmix64: each number once, in no order */
        uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        snprintf(f->request_id, sizeof f->request_id, "%016llx-%04x", (unsigned long long)(x ^ x >> 31),
                 (unsigned)getpid() & 0xffff);
        return;
    }
    unsigned long long ms = (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000;
    snprintf(f->request_id, sizeof f->request_id, "%012llx-%08llx-%04x", ms, (unsigned long long)number,
             (unsigned)getpid() & 0xffff);
}

static void fill_enlistment(Saga__V1__Enlistment *e, Saga__V1__Call *c, const char *step, const char *undo)
{
    saga__v1__enlistment__init(e);
    saga__v1__call__init(c);
    e->step = (char *)(uintptr_t)step;
    e->compensation = c;
    c->target = (char *)(uintptr_t)(kind == PIPE_OWED ? "owed" : "bench");
    c->method = (char *)(uintptr_t)undo;
    c->request.data = payload;
    c->request.len = 100;
}

static void fill_settlement(Saga__V1__Settlement *s, const char *step)
{
    saga__v1__settlement__init(s);
    s->step = (char *)(uintptr_t)step;
    s->outcome = SAGA__V1__OUTCOME__OUTCOME_DONE;
}

/* The messages of a flow, filled for its next step. */
struct messages {
    Saga__V1__BeginRequest begin;
    Saga__V1__EnlistRequest enlist;
    Saga__V1__CommitRequest commit;
    Saga__V1__Enlistment enlistment, *enlistments;
    Saga__V1__Call undo;
    Saga__V1__Settlement settlement, *settlements;
    Google__Protobuf__Duration hold;
};

static const char *const steps[] = {"s1", "s2", "s3"};
static const char *const undos[] = {"/bench.P/C1", "/bench.P/C2", "/bench.P/C3"};

static void fill(struct messages *m, struct flow *f, bool with_steps)
{
    google__protobuf__duration__init(&m->hold);
    m->hold.seconds = options.hold_s;
    m->enlistments = &m->enlistment;
    m->settlements = &m->settlement;
    if (f->step == 0) {
        saga__v1__begin_request__init(&m->begin);
        new_request_id(f);
        m->begin.name = (char *)(uintptr_t) "bench";
        m->begin.request_id = f->request_id;
        m->begin.deadline = m->begin.lease = &m->hold;
        if (with_steps) {
            fill_enlistment(&m->enlistment, &m->undo, steps[0], undos[0]);
            m->begin.n_enlist = 1;
            m->begin.enlist = &m->enlistments;
        }
    } else if (f->step < 3) {
        saga__v1__enlist_request__init(&m->enlist);
        m->enlist.saga_id = f->saga_id;
        fill_settlement(&m->settlement, steps[f->step - 1]);
        fill_enlistment(&m->enlistment, &m->undo, steps[f->step], undos[f->step]);
        m->enlist.n_settle = m->enlist.n_enlist = 1;
        m->enlist.settle = &m->settlements;
        m->enlist.enlist = &m->enlistments;
    } else {
        saga__v1__commit_request__init(&m->commit);
        m->commit.saga_id = f->saga_id;
        fill_settlement(&m->settlement, steps[2]);
        m->commit.n_settle = 1;
        m->commit.settle = &m->settlements;
    }
}

/* ---- unary flows ---- */

static void begin_flow(struct flow *f);

void flows_stop(void)
{
    stopped = true;
}

bool flows_over(void)
{
    return begun == 0;
}

static double server_cpu(void)
{
    struct timespec t = {0};
    if (options.watched != 0)
        clock_gettime(options.watched, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double worst_cpu;

double flows_worst_cpu(void)
{
    return worst_cpu;
}

static void flow_over(struct flow *f, bool ok)
{
    double cpu = server_cpu() - f->server_cpu;
    worst_cpu = cpu > worst_cpu ? cpu : worst_cpu;
    begun--;
    if (ok)
        load_sample(load_now() - f->started);
    else
        failed++;
    if (options.rate > 0) {
        f->next = idle;
        idle = f;
    } else {
        begin_flow(f);
    }
}

static void unary_next(struct flow *f);

/* Sagas that run by themselves are over when their last participant has answered. They end in the order they began, near enough: the
 * oldest one is taken to have ended. */
static struct flow **running;
static int running_first, running_count;
static int last_method;
static int ends; /* of sagas, that no flow was told of */

static void flows_end(void)
{
    while (ends > 0 && running_count > 0 && running[running_first]->acknowledged) {
        struct flow *f = running[running_first];
        running_first = (running_first + 1) % options.inflight;
        running_count--;
        ends--;
        flow_over(f, true);
    }
}

static void keep_id(struct flow *f, const uint8_t *answer, size_t size)
{
    /* StartResponse and BeginResponse have the id in the same field. */
    Saga__V1__StartResponse *m = saga__v1__start_response__unpack(NULL, size, answer);
    if (m == NULL)
        load_fail("an answer");
    snprintf(f->saga_id, sizeof f->saga_id, "%s", m->saga_id);
    saga__v1__start_response__free_unpacked(m, NULL);
}

static void wait_done(struct call *c, int status, const uint8_t *answer, size_t size)
{
    (void)answer;
    (void)size;
    flow_over(c->user, status == 0);
}

static void unary_done(struct call *c, int status, const uint8_t *answer, size_t size)
{
    struct flow *f = c->user;
    if (status != 0) {
        if (failed == 0)
            fprintf(stderr, "load: a call ended with status %d\n", status);
        flow_over(f, false);
        return;
    }
    if (kind == ECHO || kind == HEALTH || kind == CALL || kind == BEGIN || (kind == GET && f->step > 0)) {
        flow_over(f, true);
    } else if (kind == START) {
        f->acknowledged = true;
        flows_end();
    } else if (kind == LATENCY) {
        Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
        keep_id(f, answer, size);
        m.saga_id = f->saga_id;
        f->call.done = wait_done;
        calls_start(&f->call, method_wait, message, pack(&m.base, message));
    } else if (kind == GET && f->step++ == 0) {
        keep_id(f, answer, size);
        unary_next(f);
    } else if (f->step == 3) {
        flow_over(f, true);
    } else {
        if (f->step == 0)
            keep_id(f, answer, size);
        f->step++;
        unary_next(f);
    }
}

static void unary_next(struct flow *f)
{
    f->call.user = f;
    f->call.done = unary_done;
    if (kind == ECHO) {
        calls_start(&f->call, method_echo, payload, 100);
    } else if (kind == HEALTH) {
        calls_start(&f->call, method_health, NULL, 0);
    } else if (kind == CALL) {
        f->call.deadline_s = 60; /* as every call of a participant has one */
        calls_start(&f->call, method_call, payload, (size_t)options.payload_bytes);
    } else if (kind == GET && f->saga_id[0] != '\0') {
        Saga__V1__GetRequest m = SAGA__V1__GET_REQUEST__INIT;
        m.saga_id = f->saga_id;
        f->step = 1;
        calls_start(&f->call, method_get, message, pack(&m.base, message));
    } else if (kind == START || kind == LATENCY) {
        Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
        new_request_id(f);
        static int next_target;
        char definition[32] = "bench";
        if (options.targets > 1)
            snprintf(definition, sizeof definition, "bench%d", next_target++ % options.targets);
        m.definition = options.definition != NULL ? (char *)(uintptr_t)options.definition : definition;
        m.request_id = f->request_id;
        m.input.data = payload;
        m.input.len = (size_t)options.payload_bytes;
        calls_start(&f->call, method_start, message, pack(&m.base, message));
    } else {
        struct messages m;
        fill(&m, f, kind == ENLISTED);
        const ProtobufCMessage *next = f->step == 0 ? &m.begin.base : f->step < 3 ? &m.enlist.base : &m.commit.base;
        int method = f->step == 0 ? method_begin : f->step < 3 ? method_enlist : method_commit;
        calls_start(&f->call, method, message, pack(next, message));
    }
}

static void flow_by_participant(int method)
{
    if (method != last_method || kind != START)
        return;
    ends++;
    flows_end();
}

/* ---- pipes ---- */

struct pipe_message {
    struct flow *flows[1024];
    int count;
};

struct stream {
    struct op sent, received, greeted;
    grpc_call *call;
    grpc_byte_buffer *answer;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice message;
    struct op ended;
    struct pipe_message window[PIPE_WINDOW];
    int first, outstanding;
    bool sending;
};

static struct stream *streams;
static int stream_count;
static struct flow *ready_first, **ready_last = &ready_first;
static int ready_count;

static void ready(struct flow *f)
{
    f->next = NULL;
    *ready_last = f;
    ready_last = &f->next;
    ready_count++;
}

static void stream_turn(struct stream *s);

static void stream_sent(struct op *op, bool ok)
{
    struct stream *s = (struct stream *)(void *)op;
    if (!ok)
        load_fail("sending on a pipe");
    s->sending = false;
    stream_turn(s);
}

static void stream_send(struct stream *s)
{
    static struct messages messages[1024];
    static Saga__V1__Command commands[1024];
    static Saga__V1__Command *pointers[1024];
    struct pipe_message *w = &s->window[(s->first + s->outstanding++) % PIPE_WINDOW];
    Saga__V1__PipeRequest request = SAGA__V1__PIPE_REQUEST__INIT;
    w->count = 0;
    while (ready_first != NULL && w->count < options.batch) {
        struct flow *f = ready_first;
        int i = w->count++;
        ready_first = f->next;
        if (ready_first == NULL)
            ready_last = &ready_first;
        ready_count--;
        w->flows[i] = f;
        fill(&messages[i], f, kind != PIPE_BEGIN);
        pointers[i] = &commands[i];
        saga__v1__command__init(&commands[i]);
        if (f->step == 0) {
            commands[i].command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
            commands[i].begin = &messages[i].begin;
            f->started = load_now();
        } else if (f->step < 3) {
            commands[i].command_case = SAGA__V1__COMMAND__COMMAND_ENLIST;
            commands[i].enlist = &messages[i].enlist;
        } else {
            commands[i].command_case = SAGA__V1__COMMAND__COMMAND_COMMIT;
            commands[i].commit = &messages[i].commit;
        }
    }
    request.n_commands = (size_t)w->count;
    request.commands = pointers;
    size_t size = saga__v1__pipe_request__get_packed_size(&request);
    uint8_t *bytes = malloc(size);
    if (bytes == NULL)
        load_fail("memory");
    saga__v1__pipe_request__pack(&request, bytes);
    grpc_byte_buffer *buffer = load_buffer(bytes, size);
    free(bytes);
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_MESSAGE;
    op.data.send_message.send_message = buffer;
    s->sending = true;
    if (grpc_call_start_batch(s->call, &op, 1, &s->sent, NULL) != GRPC_CALL_OK)
        load_fail("start_batch");
    grpc_byte_buffer_destroy(buffer);
}

/* A message leaves when it is full, or when nothing else of the stream is under way. */
static void stream_turn(struct stream *s)
{
    while (!s->sending && ready_count > 0 && s->outstanding < PIPE_WINDOW &&
           (ready_count >= options.batch || s->outstanding == 0))
        stream_send(s);
}

static void stream_receive(struct stream *s)
{
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &s->answer;
    if (grpc_call_start_batch(s->call, &op, 1, &s->received, NULL) != GRPC_CALL_OK)
        load_fail("start_batch");
}

static void result(struct flow *f, const Saga__V1__Result *r)
{
    if (r->result_case == SAGA__V1__RESULT__RESULT_ERROR) {
        if (failed++ == 0)
            fprintf(stderr, "load: %s\n", r->error->message);
        f->step = 0;
    } else if (kind != PIPE_ENLISTED || f->step == 3) {
        load_sample(load_now() - f->started);
        f->step = 0;
    } else {
        if (f->step == 0)
            snprintf(f->saga_id, sizeof f->saga_id, "%s", r->begin->saga_id);
        f->step++;
    }
    ready(f);
}

static void stream_received(struct op *op, bool ok)
{
    struct stream *s = (struct stream *)(void *)((char *)op - offsetof(struct stream, received));
    if (!ok || s->answer == NULL)
        return; /* stream_ended says why */
    size_t size;
    uint8_t *bytes = load_bytes(s->answer, &size);
    grpc_byte_buffer_destroy(s->answer);
    Saga__V1__PipeResponse *m = saga__v1__pipe_response__unpack(NULL, size, bytes);
    struct pipe_message *w = &s->window[s->first];
    if (m == NULL || m->n_results != (size_t)w->count)
        load_fail("a pipe's answer");
    for (int i = 0; i < w->count; i++)
        result(w->flows[i], m->results[i]);
    saga__v1__pipe_response__free_unpacked(m, NULL);
    gpr_free(bytes);
    s->first = (s->first + 1) % PIPE_WINDOW;
    s->outstanding--;
    stream_receive(s);
    for (int i = 0; i < stream_count; i++)
        stream_turn(&streams[i]);
}

static void stream_greeted(struct op *op, bool ok)
{
    (void)op;
    if (!ok)
        load_fail("opening a pipe");
}

static void stream_ended(struct op *op, bool ok)
{
    struct stream *s = (struct stream *)(void *)((char *)op - offsetof(struct stream, ended));
    (void)ok;
    fprintf(stderr, "load: a pipe ended with status %d: %.*s\n", s->status, (int)GRPC_SLICE_LENGTH(s->message),
            (const char *)GRPC_SLICE_START_PTR(s->message));
    load_fail("a pipe");
}

static void streams_open(void)
{
    stream_count = options.inflight / (options.batch * PIPE_WINDOW);
    stream_count = stream_count < 1 ? 1 : stream_count > 32 ? 32 : stream_count;
    streams = calloc((size_t)stream_count, sizeof *streams);
    for (int i = 0; i < stream_count; i++) {
        struct stream *s = &streams[i];
        grpc_op ops[2];
        memset(ops, 0, sizeof ops);
        grpc_metadata_array_init(&s->initial);
        s->sent.done = stream_sent;
        s->received.done = stream_received;
        s->call = grpc_channel_create_call(calls_channel(i), NULL, GRPC_PROPAGATE_DEFAULTS, load_queue,
                                           grpc_slice_from_static_string("/saga.v1.Coordinator/Pipe"), NULL,
                                           gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
        ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
        s->sending = true;
        ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
        ops[1].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
        s->greeted.done = stream_greeted;
        grpc_metadata_array_init(&s->trailing);
        s->ended.done = stream_ended;
        grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
        end.data.recv_status_on_client.trailing_metadata = &s->trailing;
        end.data.recv_status_on_client.status = &s->status;
        end.data.recv_status_on_client.status_details = &s->message;
        if (grpc_call_start_batch(s->call, &end, 1, &s->ended, NULL) != GRPC_CALL_OK)
            load_fail("start_batch");
        if (grpc_call_start_batch(s->call, ops, 1, &s->sent, NULL) != GRPC_CALL_OK ||
            grpc_call_start_batch(s->call, ops + 1, 1, &s->greeted, NULL) != GRPC_CALL_OK)
            load_fail("start_batch");
        stream_receive(s);
    }
}

/* ---- the whole ---- */

static void begin_flow(struct flow *f)
{
    if (stopped)
        return;
    begun++;
    f->step = 0;
    f->acknowledged = false;
    f->started = load_now();
    f->server_cpu = server_cpu();
    if (kind == START)
        running[(running_first + running_count++) % options.inflight] = f;
    unary_next(f);
}

void flows_pace(void)
{
    if (options.rate <= 0)
        return;
    double now = load_now();
    while (idle != NULL && pace_next <= now) {
        struct flow *f = idle;
        idle = f->next;
        pace_next += 1 / options.rate;
        begin_flow(f);
        /* A flow that starts late because the server was slow has waited all the same. */
        f->started = pace_next - 1 / options.rate;
    }
    if (idle == NULL && pace_next < now)
        pace_next = now;
}

void flows_open(const struct load_options *o)
{
    static const struct {
        const char *name;
        enum kind kind;
        bool reject;
        int last;
    } cases[] = {
        {"echo", ECHO, false, 0},
        {"health", HEALTH, false, 0},
        {"call", CALL, false, 0},
        {"serve", SERVE, false, 0},
        {"get", GET, false, 0},
        {"begin", BEGIN, false, 0},
        {"start", START, false, PARTICIPANT_A3},
        {"rollback", START, true, PARTICIPANT_C1},
        {"latency", LATENCY, false, 0},
        {"enlisted", ENLISTED, false, 0},
        {"pipe-begin", PIPE_BEGIN, false, 0},
        {"pipe-owed", PIPE_OWED, false, 0},
        {"pipe-enlisted", PIPE_ENLISTED, false, 0},
    };
    options = *o;
    memset(payload, 'x', sizeof payload);
    if (options.input != NULL) {
        FILE *file = fopen(options.input, "rb");
        if (file == NULL)
            load_fail("the input's file");
        options.payload_bytes = (int)fread(payload, 1, sizeof payload, file);
        fclose(file);
    }
    size_t i = 0;
    while (strcmp(cases[i].name, o->which) != 0)
        if (++i == sizeof cases / sizeof cases[0])
            load_fail("the case's name");
    kind = cases[i].kind;
    last_method = cases[i].last;
    method_echo = calls_method("/bench.Echo/Echo");
    method_health = calls_method("/grpc.health.v1.Health/Check");
    method_call = calls_method("/bench.P/A1");
    method_get = calls_method("/saga.v1.Coordinator/Get");
    method_begin = calls_method("/saga.v1.Coordinator/Begin");
    method_start = calls_method("/saga.v1.Coordinator/Start");
    method_wait = calls_method("/saga.v1.Coordinator/Wait");
    method_enlist = calls_method("/saga.v1.Coordinator/Enlist");
    method_commit = calls_method("/saga.v1.Coordinator/Commit");
    if (o->participants != NULL)
        participants_open(&(struct participants){.address = o->participants,
                                                 .targets = o->targets,
                                                 .reject3 = cases[i].reject,
                                                 .refuse_undo = o->refuse_undo,
                                                 .fail = o->fail,
                                                 .think_s = o->think_s,
                                                 .workers = o->workers,
                                                 .phase_s = o->phase_s,
                                                 .done = flow_by_participant});
    if (kind == SERVE)
        return;
    running = calloc((size_t)o->inflight, sizeof(*running));
    struct flow *flows = calloc((size_t)o->inflight, sizeof *flows);
    if (running == NULL || flows == NULL || o->batch > 1024)
        load_fail("memory");
    bool piped = kind >= PIPE_BEGIN;
    pace_next = load_now();
    for (int n = 0; n < o->inflight; n++) {
        if (piped) {
            ready(&flows[n]);
        } else if (o->rate > 0) {
            flows[n].next = idle;
            idle = &flows[n];
        } else {
            begin_flow(&flows[n]);
        }
    }
    if (piped)
        streams_open();
}
