/* load_participants.c - participants that do nothing but answer, so that what is measured is the sidecar. */
#include "tests/bench/load.h"
#include "tests/bench/tls.h"

#define SLOTS 1024

static grpc_server *server;
static void *registered[PARTICIPANT_COUNT];
static struct participants participants;
static struct slot *thinking, **thinking_last = &thinking;
static double latest_due; /* of the last of them */

struct slot {
    struct op op;
    int method;
    bool answering;
    grpc_call *call;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    int cancelled;
    double due, came;
    struct slot *next;
};

static void arm(struct slot *s);

/* ---- when calls came ---- */

static double *came;
static size_t came_count, came_room;

static void note(void)
{
    if (came_count == came_room) {
        came_room = came_room == 0 ? 65536 : came_room * 2;
        came = realloc(came, came_room * sizeof *came);
        if (came == NULL)
            load_fail("memory");
    }
    came[came_count++] = load_now();
}

size_t participants_calls(void)
{
    return came_count;
}

double participants_span(void)
{
    return came_count == 0 ? 0 : came[came_count - 1] - came[0];
}

size_t participants_peak(void)
{
    size_t most = 0;
    for (size_t first = 0, end = 0; end < came_count; end++) {
        while (came[end] - came[first] >= 1)
            first++;
        most = end - first + 1 > most ? end - first + 1 : most;
    }
    return most;
}

/* ---- so many workers, whose number halves and doubles ---- */

#define WORKERS_MAX 1024
/* Of each phase, in which who calls has to find out first. */
#define LEARNS 0.3

static double begun_at, free_at[WORKERS_MAX];
static struct {
    double *took;
    size_t count, room;
} phases[PARTICIPANT_PHASES];

/* Which phase it is, by how many have been; negative: they are over. part: how far it has come. */
static int phase_at(double now, double *part)
{
    double at = (now - begun_at) / participants.phase_s;
    *part = at - (int)at;
    return at < PARTICIPANT_PHASES ? (int)at : -1;
}

static int workers_now(double now)
{
    double part;
    int phase = phase_at(now, &part);
    return phase == 1 ? participants.workers / 2 : phase == 3 ? participants.workers * 2 : participants.workers;
}

/* When a call that comes now is answered: by whoever is free first. */
static double due_at(double now)
{
    int first = 0, count = workers_now(now);
    if (begun_at == 0)
        begun_at = now;
    for (int i = 1; i < count; i++)
        first = free_at[i] < free_at[first] ? i : first;
    free_at[first] = (free_at[first] > now ? free_at[first] : now) + participants.think_s;
    return free_at[first];
}

static void answered_after(double since, double now)
{
    double part;
    int phase = phase_at(now, &part);
    if (phase < 0 || part < LEARNS)
        return;
    if (phases[phase].count == phases[phase].room) {
        phases[phase].room = phases[phase].room == 0 ? 4096 : phases[phase].room * 2;
        phases[phase].took = realloc(phases[phase].took, phases[phase].room * sizeof(double));
        if (phases[phase].took == NULL)
            load_fail("memory");
    }
    phases[phase].took[phases[phase].count++] = now - since;
}

static int by_length(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void participants_print_phases(void)
{
    printf(", \"phases\": [");
    for (int i = 0; i < PARTICIPANT_PHASES && participants.workers > 0; i++) {
        size_t count = phases[i].count;
        qsort(phases[i].took, count, sizeof(double), by_length);
        printf("%s{\"rate\": %.1f, \"p99_ms\": %.3f}", i == 0 ? "" : ", ",
               (double)count / (participants.phase_s * (1 - LEARNS)),
               count == 0 ? 0 : phases[i].took[count * 99 / 100] * 1e3);
    }
    printf("]");
}

/* ---- answers ---- */

static void answer(struct slot *s)
{
    grpc_op ops[4];
    static grpc_slice words;
    bool reject = (participants.reject3 && s->method == PARTICIPANT_A3) ||
                  (participants.refuse_undo && s->method >= PARTICIPANT_C1);
    bool fail = participants.fail != 0 && s->method < PARTICIPANT_C1;
    size_t n = 0;
    memset(ops, 0, sizeof ops);
    ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (!reject && !fail) {
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = s->payload;
    }
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.status = fail     ? (grpc_status_code)participants.fail
                                                 : reject ? GRPC_STATUS_FAILED_PRECONDITION
                                                          : GRPC_STATUS_OK;
    if (reject || fail) {
        words = grpc_slice_from_static_string("declined");
        ops[n].data.send_status_from_server.status_details = &words;
    }
    n++;
    ops[n].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    ops[n++].data.recv_close_on_server.cancelled = &s->cancelled;
    s->answering = true;
    if (grpc_call_start_batch(s->call, ops, n, &s->op, NULL) != GRPC_CALL_OK)
        load_fail("participant's answer");
}

/* In the order of their answers, which is nearly that of their coming. */
static void think(struct slot *s)
{
    struct slot **at = thinking_last;
    if (thinking != NULL && latest_due > s->due)
        for (at = &thinking; *at != NULL && (*at)->due <= s->due;)
            at = &(*at)->next;
    s->next = *at;
    *at = s;
    if (s->next != NULL)
        return;
    thinking_last = &s->next;
    latest_due = s->due;
}

static void slot_done(struct op *op, bool ok)
{
    struct slot *s = (struct slot *)(void *)op;
    if (!s->answering && ok && s->payload != NULL) {
        note();
        if (participants.think_s <= 0) {
            answer(s);
            return;
        }
        s->came = load_now();
        s->due = participants.workers > 0 ? due_at(s->came) : s->came + participants.think_s;
        think(s);
        return;
    }
    int method = s->method;
    grpc_metadata_array_destroy(&s->metadata);
    grpc_byte_buffer_destroy(s->payload);
    if (s->call != NULL)
        grpc_call_unref(s->call);
    arm(s);
    if (ok)
        participants.done(method);
}

static void arm(struct slot *s)
{
    int method = s->method;
    memset(s, 0, sizeof *s);
    s->method = method;
    s->op.done = slot_done;
    grpc_metadata_array_init(&s->metadata);
    if (grpc_server_request_registered_call(server, registered[method], &s->call, &s->deadline, &s->metadata,
                                            &s->payload, load_queue, load_queue, &s->op) != GRPC_CALL_OK)
        load_fail("request_registered_call");
}

double participants_turn(void)
{
    while (thinking != NULL && thinking->due <= load_now()) {
        struct slot *s = thinking;
        thinking = s->next;
        if (thinking == NULL)
            thinking_last = &thinking;
        s->next = NULL;
        if (participants.workers > 0)
            answered_after(s->came, load_now());
        answer(s);
    }
    return thinking == NULL ? 0 : thinking->due;
}

void participants_open(const struct participants *p)
{
    char one[CALLS_TARGET_SIZE];
    static const char *const names[PARTICIPANT_COUNT] = {"/bench.P/A1", "/bench.P/A2", "/bench.P/A3",
                                                         "/bench.P/C1", "/bench.P/C2", "/bench.P/C3"};
    participants = *p;
    grpc_arg large = {
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, .value.integer = -1};
    server = grpc_server_create(&(grpc_channel_args){.num_args = 1, .args = &large}, NULL);
    grpc_server_register_completion_queue(server, load_queue, NULL);
    for (int i = 0; i < PARTICIPANT_COUNT; i++)
        registered[i] =
            grpc_server_register_method(server, names[i], NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_credentials *credentials = tls_server();
    for (int i = 0; i < p->targets; i++)
        if (grpc_server_add_http2_port(server, calls_target(p->address, i, p->targets, one), credentials) == 0)
            load_fail("a participants' address");
    grpc_server_credentials_release(credentials);
    grpc_server_start(server);
    for (int i = 0; i < PARTICIPANT_COUNT; i++)
        for (int n = 0; n < SLOTS; n++) {
            struct slot *s = calloc(1, sizeof *s);
            if (s == NULL)
                load_fail("memory");
            s->method = i;
            arm(s);
        }
}
