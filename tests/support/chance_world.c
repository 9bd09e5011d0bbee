/* chance_world.c - sagas of every kind, and what happens to them by chance. */
#include "tests/support/chance_world.h"

#include "sidecar/api/api_inside.h"
#include "tests/support/message_text.h"
#include "tests/support/vary.h"
#include "tests/support/wire_text.h"

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

/* Something is asked for, whatever the sidecar says to it. A saga that has begun with it is looked at from now on. */
static void do_it(enum method_id method, const char *text)
{
    struct world_call *call = chance_ask(chance_loop(), method, "%s", text);
    ck_assert(call->ended);
    if (kept != NULL) {
        fprintf(kept, "%s %s: ", authz_method_name(method), text);
        if (call->status != 0)
            fprintf(kept, "%s %s", call->reason, call->message);
        else
            message_text_put_packed(kept, methods[method].response, call->body);
        fputc('\n', kept);
    }
    if (call->status == 0 && (method == METHOD_START || method == METHOD_BEGIN)) {
        ProtobufCMessage *m = protobuf_c_message_unpack(methods[method].response, NULL, call->body.size, call->body.at);
        const char *id = methods_text(m, "saga_id");
        unsigned i = 0;
        while (i < chance_saga_count && strcmp(chance_sagas[i].id, id) != 0)
            i++;
        snprintf(chance_sagas[i].id, sizeof chance_sagas[i].id, "%s", id);
        chance_saga_count += i == chance_saga_count;
        protobuf_c_message_free_unpacked(m, NULL);
    }
    api_world_free(call);
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
    ck_assert_msg(call->ended && call->status == 0, "%s: %s", text, call->message);
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
        ck_assert_msg(call->ended && call->status == 0, "%s: %s", saga->id, call->message);
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
