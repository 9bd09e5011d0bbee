/* What becomes of a call to a participant, for each fault of a drill and each kind of answer: what leaves, with which time and metadata, and what the
 * engine is told; and what is said at the start of targets that the configuration lacks. It is kept in tests/fixtures/runtime/calls.txt;
 * `build/release/tests/unit/test_told_calls write` writes that anew, for its difference to be read. */
#include "sidecar/engine/engine.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/absent.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/core_owner.h"
#include "tests/support/kept_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define START_US INT64_C(1000000000)
#define LEFT_MAX 16
#define PARENT   "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01"

static struct loop s;
static struct sidecar sidecar;
static struct config config = {.pushback_max = {.us = 300000000}};
static struct loop_target targets[2];
static int connections[3]; /* only looked at which one it is */
static struct instant now;
static FILE *to;
static void *left[LEFT_MAX]; /* the calls that are out */
static unsigned left_count, leaves;

/* ---- what stands in for the rest; tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag);
void __wrap_api_submit(struct api *api, struct event *event);
void __wrap_counters_attempt(struct loop *loop, const struct call_effect *call, struct instant left_at,
                             const struct rpc_answer *answer);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

static int64_t ms(struct instant at)
{
    return at.us == 0 ? 0 : (at.us - START_US) / 1000;
}

static int which(const struct rpc_target *target)
{
    return (int)((const int *)(const void *)target - connections);
}

void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag)
{
    fprintf(to, "  leaves over %d: %s \"%.*s\" %" PRId64 "ms", which(target), method, (int)request.size,
            (const char *)request.at, timeout.us / 1000);
    for (size_t i = 0; i < metadata_count; i++) /* whole of the first few, then what can differ */
        if (leaves++ < 60 || strcmp(metadata[i].key, "saga-attempt") == 0)
            fprintf(to, " %s=%.*s", metadata[i].key, (int)metadata[i].value.size, (const char *)metadata[i].value.at);
    fputc('\n', to);
    ck_assert_uint_lt(left_count, LEFT_MAX);
    left[left_count++] = tag;
}

void __wrap_api_submit(struct api *api, struct event *e)
{
    (void)api;
    fprintf(to,
            "  event %d at %" PRId64 ": saga %" PRIu64
            " step %d phase %d attempt %d, reach %d%s status %d quiet %" PRId64,
            e->type, ms(e->now), e->saga.serial, e->step_index, e->phase, e->attempt, e->reach,
            e->unreached ? " unreached" : "", e->status, ms(e->quiet_at));
    fprintf(to, ", \"%.*s\" \"%.*s\" took %" PRId64 "ms", (int)e->message.size, (const char *)e->message.at,
            (int)e->output.size, (const char *)e->output.at, e->took.us / 1000);
    if (e->has_pushback)
        fprintf(to, ", pushback %" PRId64 "ms", e->pushback.us / 1000);
    fprintf(to, ", target %d\n", e->target);
}

void __wrap_counters_attempt(struct loop *loop, const struct call_effect *call, struct instant left_at,
                             const struct rpc_answer *answer)
{
    (void)loop;
    fprintf(to, "  counted: attempt %d that left at %" PRId64 ", status %d\n", call->attempt, ms(left_at),
            answer->status);
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
    fprintf(to, "  %s", strchr(line, ' ') + 1);
}

/* ---- a call ---- */

static void ask(uint16_t target, uint16_t attempt, uint8_t fault)
{
    const struct call_effect call = {.target = target,
                                     .fault = fault,
                                     .fault_status = attempt == 2 ? 4 : 14,
                                     .fault_delay = SPAN_MS(300),
                                     .saga = {.tag = 1, .serial = 5},
                                     .step = 3,
                                     .phase = SAGA_PHASE_COMPENSATION,
                                     .attempt = attempt,
                                     .timeout = SPAN_S(2),
                                     .method = "/t.T/Undo",
                                     .request = bytes_of_text("req"),
                                     .definition = bytes_of_text("d"),
                                     .step_name = bytes_of_text("s"),
                                     .traceparent = bytes_of_text(PARENT),
                                     .metadata = bytes_of("k\0v\0", 4),
                                     .generation = attempt == 2,
                                     .synthetic = attempt == 2};
    outcalls_call(&s, &call);
}

static void turn(int64_t later_ms)
{
    now.us += later_ms * 1000;
    outcalls_run(&s);
    struct instant due = outcalls_expiry(&s);
    if (due.us != INT64_MAX)
        fprintf(to, "  at %" PRId64 " the next is due at %" PRId64 "\n", ms(now), ms(due));
}

static void answer_all(const struct rpc_answer *answer)
{
    unsigned count = left_count;
    left_count = 0;
    for (unsigned i = 0; i < count; i++)
        outcalls_answer(&s, left[i], answer);
    fprintf(to, "  down: %" PRId64 " %" PRId64 "\n", ms(targets[0].down_since), ms(targets[1].down_since));
}

static void begin(void)
{
    s = (struct loop){.targets = targets, .target_count = 2, .config = &config, .sidecar = &sidecar};
    s.failing = calloc(FAILING_STEPS_MAX, sizeof *s.failing);
    now.us = START_US;
    left_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct shared_target *shared = targets[i].shared;
        targets[i] = (struct loop_target){.shared = shared, .address = "10.0.0.1:5"};
        targets[i].rpc = (struct rpc_target *)(void *)&connections[i];
    }
}

static void end(void)
{
    outcalls_finish(&s);
    free(s.failing);
}

static const struct rpc_answer answers[] = {
    {.reach = SAGA_REACH_ANSWERED, .output = {.at = (const uint8_t *)"out", .size = 3}},
    {.reach = SAGA_REACH_ANSWERED, .status = 9, .message = {.at = (const uint8_t *)"no", .size = 2}},
    {.reach = SAGA_REACH_ANSWERED, .status = 14, .has_pushback = true, .pushback = {.us = 9999000}},
    {.reach = SAGA_REACH_ANSWERED, .status = 14, .has_pushback = true, .pushback = {.us = 10000000}},
    {.reach = SAGA_REACH_ANSWERED, .status = 14, .has_pushback = true, .pushback = {.us = 600000000}},
    {.reach = SAGA_REACH_ANSWERED, .status = 14, .has_pushback = true, .pushback = {.us = -1000}},
    {.reach = SAGA_REACH_ANSWERED, .status = 14, .pushback = {.us = 77000000}},
    {.reach = SAGA_REACH_MAYBE, .status = 4, .message = {.at = (const uint8_t *)"late", .size = 4}},
    {.reach = SAGA_REACH_NONE, .status = 8},
    {.reach = SAGA_REACH_NONE, .status = 14, .unreached = "no route"},
};

/* One that is struck, one behind it for the same target and one for another; when nothing waits any more all are answered, and once more. */
static void put_call(uint8_t fault, const struct rpc_answer *answer)
{
    begin();
    fprintf(to, "fault %d, an answer of reach %d, status %d\n", fault, answer->reach, answer->status);
    ask(0, 1, fault);
    ask(1, 7, DRILL_NONE);
    turn(10);
    ask(0, 2, fault == DRILL_ABORT ? fault : DRILL_NONE);
    turn(100);
    answer_all(answer);
    turn(200);
    turn(100);
    now.us += 50000;
    answer_all(answer);
    turn(3000);
    answer_all(answer);
    fprintf(to, "  %s\n", outcalls_wait(&s) ? "some wait" : "none waits");
    end();
}

/* What is not answered as it was asked for. */
static void put_others(void)
{
    fputs("a target that is gone\n", to);
    begin();
    targets[0].rpc = NULL;
    ask(0, 1, DRILL_NONE);
    turn(10);
    end();
    fputs("one whose time is over, and one just before\n", to);
    begin();
    ask(0, 1, DRILL_NONE);
    turn(2000);
    ask(0, 1, DRILL_NONE);
    turn(1999);
    answer_all(&answers[0]);
    end();
    fputs("a duplicate whose time is over, and one that cannot be reached\n", to);
    begin();
    ask(0, 1, DRILL_DUPLICATE);
    turn(10);
    now.us += 1990000;
    answer_all(&answers[0]);
    ask(0, 1, DRILL_DUPLICATE);
    turn(10);
    answer_all(&answers[9]);
    turn(10);
    end();
    fputs("a duplicate of which the first may run\n", to);
    begin();
    ask(0, 1, DRILL_DUPLICATE);
    turn(10);
    answer_all(&answers[7]);
    turn(10);
    answer_all(&answers[1]);
    end();
    fputs("another connection meanwhile\n", to);
    begin();
    ask(0, 1, DRILL_NONE);
    turn(10);
    targets[0].rpc = (struct rpc_target *)(void *)&connections[2];
    answer_all(&answers[9]);
    end();
    fputs("cut off at the end of the grace\n", to);
    for (uint8_t fault = DRILL_NONE; fault < DRILL_KIND_COUNT; fault++) {
        begin();
        ask(0, 1, fault);
        turn(10);
        s.cutting = true;
        answer_all(&answers[9]);
        outcalls_abandon(&s);
        fprintf(to, "  fault %d: %s\n", fault, outcalls_wait(&s) || s.held_outs != NULL ? "some wait" : "none waits");
        end();
    }
    fputs("reached again, while it is down and while it is not\n", to);
    begin();
    ask(1, 1, DRILL_NONE);
    turn(10);
    answer_all(&answers[9]);
    now.us += 7000000;
    outcalls_reachable(&s, 1);
    outcalls_reachable(&s, 1);
    fprintf(to, "  down: %" PRId64 " %" PRId64 "\n", ms(targets[0].down_since), ms(targets[1].down_since));
    end();
}

/* ---- what the configuration lacks ---- */

static void put_absent(void)
{
    static const char *const definitions[] = {
        owner_one_step, owner_two_steps,
        "name: far\nversion: 1.0.0\nsteps:\n  - {name: a, target: far, action: /p.S/A, compensation: {target: u, "
        "method: /p.S/U}}\n  - {name: b, target: far, after: [a], action: /p.S/B}\n"
        "  - {name: c, target: t, after: [b], action: /p.S/C, compensation: {target: u, method: /p.S/U}}\n"};
    struct owner o;
    owner_init(&o);
    o.targets[2] = "far";
    ck_assert_int_eq(owner_start(&o), 0);
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++)
        ck_assert_msg(owner_register(&o, definitions[i]) == 0, "%s", o.detail.text);
    for (int i = 0; i < 3; i++)
        owner_submit_start(&o, (uint64_t)i + 1, i == 2 ? "two" : i == 1 ? "far" : "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.targets[1] = NULL; /* from now on there is t alone */
    owner_restart(&o);
    struct loop loop = {.catalog = o.catalog, .core = o.core};
    sidecar.loops[0] = &loop;
    sidecar.count = 1;
    fputs("absent\n", to);
    absent_tell(&sidecar);
    owner_close(&o);
}

static void put_all(FILE *out)
{
    to = out;
    for (unsigned i = 0; i < 2; i++) {
        targets[i].shared = calloc(1, sizeof *targets[i].shared + 8);
        strcpy(targets[i].shared->name, i == 0 ? "shop" : "bank");
    }
    for (uint8_t fault = DRILL_NONE; fault < DRILL_KIND_COUNT; fault++)
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
            put_call(fault, &answers[i]);
    put_others();
    put_absent();
    free(targets[0].shared);
    free(targets[1].shared);
}

START_TEST(runtime__what_becomes_of_a_call)
{
    kept_text_compare("tests/fixtures/runtime/calls.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "told_calls", runtime__what_becomes_of_a_call);
}
