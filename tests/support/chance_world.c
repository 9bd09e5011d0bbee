/* chance_world.c - sagas of every kind, and what happens to them by chance. */
#include "tests/support/chance_world.h"

#include "sidecar/api/api_inside.h"
#include "tests/support/message_text.h"
#include "tests/support/vary.h"
#include "tests/support/wire_text.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const definitions[] = {
    "name: fan\nversion: 1.0.0\ndeadline: 40s\nsteps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/UndoA, retry: {maxAttempts: 2, jitter: 0}}}\n"
    "  - {name: b, target: t, after: [a], action: {method: /p.S/B, retry: {maxAttempts: 2, jitter: 0}},\n"
    "     compensation: /p.S/UndoB}\n"
    "  - {name: c, target: t, after: [a], action: /p.S/C, compensation: {method: /p.S/UndoC, retry: {maxAttempts: "
    "1}}}\n"
    "  - {name: d, target: t, after: [b, c], pivot: true, action: /p.S/D}\n"
    "  - {name: e, target: t, after: [d], action: {method: /p.S/E, retry: {maxAttempts: 2, jitter: 0}}}\n",
    "name: lean\nversion: 2.1.0\nforward_only: true\npriority: low\nsteps:\n"
    "  - {name: a, target: t, optional: true, action: /p.S/A, compensation: none}\n"
    "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none, fallback: {value: {constant: plain}}}\n"
    "  - {name: c, target: t, after: [b], action: /p.S/C, compensation: none,\n"
    "     fallback: {last_good: {key: k, max_age: 1h}}}\n"
    "  - {name: d, target: t, after: [c], deferred: true, action: /p.S/D}\n",
    "name: typed\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\ntags: {tenant: =input.sku, of: sku}\n"
    "output: {sku: =input.sku}\nsteps:\n"
    "  - {name: a, target: t, action: {method: /shapes.Shop/Old, retry: {maxAttempts: 1}}, compensation: none}\n"
    "  - {name: each, target: t, after: [a], for_each: \"['x', 'y']\", max_items: 3,\n"
    "     action: {method: /shapes.Shop/Old, request: {sku: =item}, retry: {maxAttempts: 1}}, compensation: none}\n",
};

struct api_world chance_world;
struct chance_saga chance_sagas[CHANCE_SAGAS_MAX];
unsigned chance_saga_count;
static uint64_t number;
static FILE *kept;
static bool by_pipe;
static struct world_call *pipes[WORLD_LOOPS_MAX];

unsigned chance_pick(unsigned count)
{
    number = number * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)((number >> 33) % count);
}

struct world_call *chance_ask(unsigned loop, enum method_id method, const char *format, ...)
{
    char text[512];
    uint8_t wire[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct world_call *call =
        api_world_ask_bytes(&chance_world, loop, method, bytes_of(wire, wire_of_text(text, wire, sizeof wire)));
    api_world_settle(&chance_world);
    return call;
}

unsigned chance_loop(void)
{
    return chance_pick(chance_world.loops);
}

/* ---- what happens ---- */

/* What came of a request: its answer, packed, or why there is none. */
struct outcome {
    bool refused;
    char reason[64], message[256];
    uint8_t body[4096];
    size_t size;
};

/* The number of a command's field in Command, and of its answer's in Result; 0: a Pipe does not take it. */
static unsigned command_of(enum method_id method)
{
    for (unsigned i = 0; i < saga__v1__command__descriptor.n_fields; i++)
        if (saga__v1__command__descriptor.fields[i].descriptor == methods[method].request)
            return saga__v1__command__descriptor.fields[i].id;
    return 0;
}

static void read_result(const Saga__V1__Result *result, enum method_id method, struct outcome *o)
{
    o->refused = result->result_case == SAGA__V1__RESULT__RESULT_ERROR;
    if (!o->refused) {
        const ProtobufCMessage *answer = &result->start->base;
        ck_assert_uint_eq(result->result_case, command_of(method) + 1);
        ck_assert_ptr_eq(answer->descriptor, methods[method].response);
        o->size = protobuf_c_message_pack(answer, o->body);
        return;
    }
    snprintf(o->message, sizeof o->message, "%s", result->error->message);
    for (size_t i = 0; i < result->error->n_details; i++)
        if (strstr(result->error->details[i]->type_url, "ErrorInfo") != NULL) {
            const ProtobufCBinaryData *value = &result->error->details[i]->value;
            Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, value->len, value->data);
            snprintf(o->reason, sizeof o->reason, "%s", info->reason);
            google__rpc__error_info__free_unpacked(info, NULL);
        }
}

/* In a message of up to three commands, of which the others are none: one before it, and one behind it. */
static void ask_by_pipe(unsigned loop, enum method_id method, const char *text, struct outcome *o)
{
    char message[700];
    uint8_t wire[700];
    static unsigned nth;
    bool before = ++nth % 3 == 0, behind = nth % 4 == 0;
    snprintf(message, sizeof message, "%s1:{%u:{%s}}%s", before ? "1:{} " : "", command_of(method), text,
             behind ? " 1:{3:{1:'no id'}}" : "");
    struct bytes bytes = bytes_of(wire, wire_of_text(message, wire, sizeof wire));
    struct world_call *pipe = pipes[loop];
    if (pipe == NULL) {
        pipe = pipes[loop] = api_world_ask_bytes(&chance_world, loop, METHOD_PIPE, bytes);
    } else {
        ck_assert_uint_gt(pipe->wanted, 0);
        pipe->wanted--;
        relay_message(chance_world.loop[loop].relay, (struct rpc_call *)pipe, bytes);
    }
    api_world_settle(&chance_world);
    ck_assert(pipe->sending);
    const struct bytes *said = &pipe->sent[pipe->sent_count - 1];
    Saga__V1__PipeResponse *m = saga__v1__pipe_response__unpack(NULL, said->size, said->at);
    ck_assert_uint_eq(m->n_results, 1u + before + behind);
    for (size_t i = 0; i < m->n_results; i++)
        if (i != before)
            ck_assert_int_eq(m->results[i]->result_case, SAGA__V1__RESULT__RESULT_ERROR);
    read_result(m->results[before], method, o);
    saga__v1__pipe_response__free_unpacked(m, NULL);
    api_world_took(pipe);
}

static void ask_alone(unsigned loop, enum method_id method, const char *text, struct outcome *o)
{
    struct world_call *call = chance_ask(loop, method, "%s", text);
    ck_assert(call->ended && call->body.size <= sizeof o->body);
    o->refused = call->status != 0;
    snprintf(o->reason, sizeof o->reason, "%s", call->reason);
    snprintf(o->message, sizeof o->message, "%s", call->message);
    o->size = call->body.size;
    memcpy(o->body, call->body.at, call->body.size);
    api_world_free(call);
}

/* A saga that has begun is looked at from now on. */
static void remember(const char *id)
{
    unsigned i = 0;
    while (i < chance_saga_count && strcmp(chance_sagas[i].id, id) != 0)
        i++;
    snprintf(chance_sagas[i].id, sizeof chance_sagas[i].id, "%s", id);
    chance_saga_count += i == chance_saga_count;
}

/* Something is asked for, whatever the sidecar says to it. */
static void do_it(enum method_id method, const char *text)
{
    struct outcome o = {.refused = false};
    unsigned loop = chance_loop();
    if (by_pipe && command_of(method) != 0)
        ask_by_pipe(loop, method, text, &o);
    else
        ask_alone(loop, method, text, &o);
    if (kept != NULL) {
        fprintf(kept, "%s %s: ", authz_method_name(method), text);
        if (o.refused)
            fprintf(kept, "%s %s", o.reason, o.message);
        else
            message_text_put_packed(kept, methods[method].response, bytes_of(o.body, o.size));
        fputc('\n', kept);
    }
    if (!o.refused && (method == METHOD_START || method == METHOD_BEGIN)) {
        ProtobufCMessage *m = protobuf_c_message_unpack(methods[method].response, NULL, o.size, o.body);
        remember(methods_text(m, "saga_id"));
        protobuf_c_message_free_unpacked(m, NULL);
    }
}

static void start(void)
{
    static const char *const names[] = {"fan", "lean", "typed"};
    char text[200];
    unsigned which = chance_pick(3), request = chance_pick(30);
    if (which == 2)
        snprintf(text, sizeof text, "1:'typed' 3:'r-%u' 7:'{\"sku\": \"%s\", \"quantity\": 3}'", request,
                 request % 2 == 0 ? "acme" : "zeta");
    else
        snprintf(text, sizeof text, "1:'%s' 3:'r-%u' 4:'in' 8:%u 9:%u", names[which], request, request % 4,
                 request % 5 == 0);
    do_it(METHOD_START, text);
}

static void begin(void)
{
    char text[300];
    snprintf(text, sizeof text,
             "1:'trip' 2:'b-%u' 3:{1:%u} 4:{1:30} 6:{1:'hotel' 2:{1:'t' 2:'/p.S/UndoH' 3:'h' 5:{1:%u}}} 6:{1:'car'}",
             chance_pick(20), 20 + chance_pick(60), 1 + chance_pick(2));
    do_it(METHOD_BEGIN, text);
}

static void act(void)
{
    static const struct {
        enum method_id method;
        const char *rest;
    } acts[] = {
        {METHOD_ENLIST, "2:{1:'train'} 3:{1:'hotel' 2:1 3:'room 7' 4:1}"},
        {METHOD_SETTLE, "2:{1:'car' 2:1 3:'a car'}"},
        {METHOD_SETTLE, "2:{1:'hotel' 2:3 5:{1:3}}"},
        {METHOD_KEEP_ALIVE, ""},
        {METHOD_COMMIT, "2:{1:'hotel' 2:1} 2:{1:'car' 2:1}"},
        {METHOD_ABORT, "2:{1:'hotel' 2:1 3:'room'} 3:'no seats'"},
        {METHOD_CANCEL, "2:'too late' 3:'anna'"},
        {METHOD_PAUSE, "2:'anna' 3:'a look'"},
        {METHOD_RESUME, "2:'ben'"},
        {METHOD_RETRY, "3:'ben'"},
        {METHOD_SKIP, "2:'c' 3:'ben' 4:'by hand'"},
        {METHOD_SKIP, "2:'a' 3:'ben' 4:'by hand'"},
        {METHOD_REJECT, "2:'d' 3:'ben' 4:'it was not'"},
        {METHOD_RESOLVE, "2:'anna' 3:'all is well'"},
    };
    char text[200];
    unsigned which = chance_pick(sizeof acts / sizeof *acts);
    snprintf(text, sizeof text, "1:'%.40s' %s", chance_sagas[chance_pick(chance_saga_count)].id, acts[which].rest);
    do_it(acts[which].method, text);
}

static void answer(void)
{
    static const struct {
        int status;
        const char *words;
    } answers[] = {{0, ""},      {0, ""},     {0, ""},           {0, ""}, {9, "sold out"}, {5, "no such thing"},
                   {14, "busy"}, {4, "slow"}, {13, "broken\xff"}};
    unsigned loop = chance_loop(), which = chance_pick(sizeof answers / sizeof *answers);
    if (chance_world.loop[loop].call_count == 0)
        return;
    struct call_effect *first = &chance_world.loop[loop].calls[0],
                       *chosen = first + chance_pick((unsigned)chance_world.loop[loop].call_count);
    struct call_effect swapped = *first;
    *first = *chosen;
    *chosen = swapped;
    if (kept != NULL)
        fprintf(kept, "answer to %s of %.*s: %d %s\n", first->method, (int)first->step_name.size,
                (const char *)first->step_name.at, answers[which].status, answers[which].words);
    /* A Line, where the step's type is known. */
    bool typed = strncmp(first->method, "/shapes", 7) == 0;
    struct bytes output = typed ? bytes_of("\x0a\x03out", 5) : bytes_of_text("out");
    api_world_answer(&chance_world, loop, answers[which].status, answers[which].words,
                     answers[which].status == 0 ? output : bytes_of(NULL, 0));
}

static void pass_time(void)
{
    struct error_detail detail;
    chance_world.now.us += (int64_t)chance_pick(4000) * 1000;
    if (kept != NULL)
        fprintf(kept, "it is %" PRId64 ".%03d\n", chance_world.now.us / 1000000,
                (int)(chance_world.now.us / 1000 % 1000));
    for (unsigned k = 0; k < chance_world.loops; k++) {
        const struct event tick = {.type = EVENT_TICK, .now = chance_world.now};
        ck_assert_int_eq(core_submit(chance_world.loop[k].core, &tick, &detail), 0);
    }
    api_world_settle(&chance_world);
}

static void set_breaker(void)
{
    char text[100];
    snprintf(text, sizeof text, "1:'t' 2:%u 3:'anna' 4:'a drill'", chance_pick(3) == 0 ? 2 : 3);
    do_it(METHOD_SET_BREAKER, text);
}

void chance_open(unsigned loops, uint64_t seed, FILE *out)
{
    number = seed;
    kept = out;
    chance_saga_count = 0;
    api_world_init(&chance_world, loops);
    api_world_start(&chance_world);
    api_world_add_schema(&chance_world);
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++)
        api_world_register(&chance_world, definitions[i]);
}

void chance_pipe(void)
{
    by_pipe = true;
}

void chance_step(void)
{
    unsigned what = chance_pick(20);
    /* No two begin at one time: so their order is known. */
    chance_world.now.us += 1000;
    if (chance_saga_count < CHANCE_SAGAS_MAX && (what < 3 || chance_saga_count == 0))
        what == 0 ? begin() : start();
    else if (what < 8)
        act();
    else if (what < 15)
        answer();
    else if (what < 19)
        pass_time();
    else
        set_breaker();
}

void chance_close(void)
{
    for (unsigned k = 0; k < WORLD_LOOPS_MAX; k++)
        if (pipes[k] != NULL) {
            api_world_half_close(pipes[k]);
            ck_assert(pipes[k]->ended && pipes[k]->status == 0);
            api_world_free(pipes[k]);
            pipes[k] = NULL;
        }
    by_pipe = false;
    for (unsigned i = 0; i < chance_saga_count; i++) {
        saga__v1__get_response__free_unpacked(chance_sagas[i].now, NULL);
        free((void *)(uintptr_t)chance_sagas[i].packed.at);
        free(chance_sagas[i].text);
        chance_sagas[i] = (struct chance_saga){.text = NULL};
    }
    api_world_close(&chance_world);
}

/* ---- what is looked at ---- */

void *chance_look(unsigned loop, enum method_id method, const char *text)
{
    struct world_call *call = chance_ask(loop, method, "%s", text);
    if (!call->ended || call->status != 0)
        ck_abort_msg("%s: %s", text, call->message);
    void *m = protobuf_c_message_unpack(methods[method].response, NULL, call->body.size, call->body.at);
    api_world_free(call);
    return m;
}

static char *text_of(const ProtobufCMessage *m)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    message_text_put(out, m);
    fclose(out);
    return text;
}

/* What changed of it, and a sum over all of it: the words alone do not tell their order. */
static void put_change(const struct chance_saga *saga, const char *before)
{
    uint32_t sum = 0;
    for (const char *at = saga->text; *at != '\0'; at++)
        sum = sum * 31 + (uint8_t)*at;
    fprintf(kept, "  %s: ", saga->id);
    vary_put_difference(kept, before == NULL ? "" : before, saga->text);
    fprintf(kept, " (%08" PRIx32 ")\n", sum);
}

void chance_look_at_each(void)
{
    for (unsigned i = 0; i < chance_saga_count; i++) {
        struct chance_saga *saga = &chance_sagas[i];
        struct world_call *call = chance_ask(chance_loop(), METHOD_GET, "1:'%s' 2:1 5:1", saga->id);
        if (!call->ended || call->status != 0)
            ck_abort_msg("%s: %s", saga->id, call->message);
        struct bytes body = call->body;
        if (!bytes_equal(body, saga->packed)) {
            char *before = saga->text;
            if (saga->now != NULL)
                saga__v1__get_response__free_unpacked(saga->now, NULL);
            free((void *)(uintptr_t)saga->packed.at);
            saga->packed = body;
            call->body = bytes_of(NULL, 0);
            saga->now = saga__v1__get_response__unpack(NULL, body.size, body.at);
            saga->text = kept == NULL ? NULL : text_of(&saga->now->base);
            if (kept != NULL)
                put_change(saga, before);
            free(before);
        }
        api_world_free(call);
    }
}
