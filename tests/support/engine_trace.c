/* engine_trace.c - see engine_trace.h. */
#include "tests/support/engine_trace.h"
#include "tests/support/record_names.h"
#include "tests/support/shapes.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/quiet.h"
#include "sidecar/base/texts.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine_inside.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/journal/codec.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <limits.h>
#include <stdlib.h>

#define EPOCH_US  INT64_C(1000000000000)
#define CALLS_MAX 32
#define TEXT_MAX  32768
#define WORDS_MAX 8
#define WORD_SIZE 48
#define STEPS_MAX 8

struct out_call {
    bool out;
    struct call_effect call;
    struct instant left_at;
};

struct harness {
    uint8_t in[160], out[160]; /* payloads of the event at hand */
    struct engine *engine;
    struct definition *definition;
    unsigned bulkhead;
    bool u_is_gone;
    struct instant now;
    uint64_t token;
    struct out_call calls[CALLS_MAX];
    uint8_t journal[TEXT_MAX];
    size_t journal_size;
    char text[TEXT_MAX]; /* what has happened so far */
    size_t size;
};

static const char *const record_names[RECORD_TYPE_COUNT] = RECORD_NAMES;
static const char *const action_names[] = {"", "PENDING", "STARTED", "DONE", "REJECTED", "UNKNOWN", "SKIPPED"};
static const char *const compensation_names[] = {"", "NONE", "OWED", "STARTED", "DONE", "FAILED", "SKIPPED"};
static const char *const state_names[] = {"",      "RUNNING", "COMMITTED", "COMPENSATING", "COMPENSATED",
                                          "STUCK", "RESOLVED"};
static const char *const reason_names[] = {"",
                                           "ACTION_REJECTED",
                                           "ACTION_UNKNOWN",
                                           "DEADLINE",
                                           "LEASE",
                                           "CANCELLED",
                                           "ABORTED",
                                           "COMPENSATION_FAILED",
                                           "FORWARD_FAILED",
                                           "PIVOT_UNKNOWN",
                                           "UNREACHABLE",
                                           "ATTEMPTS_SPENT",
                                           "EXPRESSION_FAILED",
                                           "REQUEST_CHANGED",
                                           "UNEXPECTED_ANSWER",
                                           "OVERLOADED",
                                           "UNAVAILABLE"};

__attribute__((format(printf, 2, 3))) static void say(struct harness *h, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    h->size += (size_t)vsnprintf(h->text + h->size, TEXT_MAX - h->size, format, list);
    va_end(list);
    ck_assert_uint_lt(h->size, TEXT_MAX);
}

/* Of a typed definition inputs, outputs and requests are messages shapes.Line, of which the trace shows the sku. */
static bool is_typed(const struct harness *h)
{
    return h->definition != NULL && h->definition->mapping != NULL;
}

static struct bytes payload(const struct harness *h, struct bytes text, uint8_t *room)
{
    return is_typed(h) && !bytes_equal(text, bytes_of_text("damaged")) ? shapes_line(text, room) : text;
}

static struct bytes shown(const struct harness *h, struct bytes message)
{
    bool line = message.size >= 2 && message.at[0] == 0x0a && message.at[1] == message.size - 2;
    return is_typed(h) && line ? bytes_of(message.at + 2, message.size - 2) : message;
}

static long long ms(struct instant at)
{
    return (long long)((at.us - EPOCH_US) / 1000);
}

static void say_step(struct harness *h, struct saga_id id, unsigned step)
{
    const struct saga *s = engine_find(h->engine, id.serial);
    if (step == RECORD_NO_STEP)
        return;
    struct bytes name = saga_step_name(s, step);
    say(h, " %.*s", (int)name.size, (const char *)name.at);
}

/* ---- what the engine gives ---- */

static void add_record(void *self, const struct record *r)
{
    struct harness *h = self;
    ck_assert_uint_lt(h->journal_size + codec_record_size_max(r), TEXT_MAX);
    h->journal_size += codec_encode(r, 0, h->journal + h->journal_size);
    say(h, "%s %llu", record_names[r->type], (unsigned long long)r->saga.serial);
    say_step(h, r->saga, r->step);
    if (r->attempt != 0)
        say(h, " #%u", r->attempt);
    if (r->action_state != 0)
        say(h, " %s", action_names[r->action_state]);
    if (r->compensation_state != 0)
        say(h, " %s", compensation_names[r->compensation_state]);
    if (r->saga_state != 0)
        say(h, " %s", state_names[r->saga_state]);
    if (r->reason != 0)
        say(h, " %s", reason_names[r->reason]);
    if (r->status != 0)
        say(h, " %s", grpc_status_name(r->status));
    if (r->maybe_executed)
        say(h, " maybe");
    if (r->next_at.us != 0)
        say(h, " next@%lld", ms(r->next_at));
    if (r->quiet_at.us != 0)
        say(h, " quiet@%lld", ms(r->quiet_at));
    if (r->given_at.us != 0)
        say(h, " given@%lld", ms(r->given_at));
    if (r->type == RECORD_TURNED_BACK && r->reason == REASON_DEADLINE && r->message.size > 0)
        say(h, " \"%.*s\"", (int)r->message.size, (const char *)r->message.at);
    say(h, "\n");
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    struct harness *h = self;
    (void)detail;
    if (effect->type == EFFECT_REPLY) {
        const struct reply_effect *reply = &effect->as.reply;
        if (reply->code == 0)
            say(h, "reply %llu%s\n", (unsigned long long)reply->saga.serial, reply->repeated ? " repeated" : "");
        else
            say(h, "reply %s\n", error_row(reply->code)->reason);
        return;
    }
    if (effect->type != EFFECT_CALL)
        return;
    const struct call_effect *call = &effect->as.call;
    say(h, "call %llu", (unsigned long long)call->saga.serial);
    say_step(h, call->saga, call->step);
    struct bytes request = shown(h, call->request);
    say(h, " %s #%u %lldms \"%.*s\"", call->phase == SAGA_PHASE_ACTION ? "action" : "compensation", call->attempt,
        (long long)call->timeout.us / 1000, (int)request.size, (const char *)request.at);
    if (call->generation > 0)
        say(h, " generation=%u", call->generation);
    if (call->phase == SAGA_PHASE_COMPENSATION)
        say(h, " %s", action_names[call->action_state]);
    const struct saga *saga = engine_find(h->engine, call->saga.serial);
    if (saga != NULL && saga->definition != NULL && saga_spec(saga, call->step)->choice_count > 0)
        say(h, " at %s", engine_target(h->engine, call->target)->name);
    struct bytes packed = call->metadata, name, text;
    while (texts_next(&packed, &name, &text))
        say(h, " %.*s=%.*s", (int)name.size, (const char *)name.at, (int)text.size, (const char *)text.at);
    say(h, "\n");
    unsigned i = 0;
    while (h->calls[i].out) {
        i++;
        ck_assert_uint_lt(i, CALLS_MAX);
    }
    h->calls[i] = (struct out_call){.out = true, .call = *call, .left_at = h->now};
}

static struct engine_out engine_out(struct harness *h)
{
    return (struct engine_out){.add_record = add_record, .add_effect = add_effect, .self = h};
}

/* ---- the engine's life ---- */

static void *take(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    return calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    (void)size;
    free(at);
}

static void make_engine(struct harness *h)
{
    static const struct memory memory = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};
    struct engine_options options = {
        .live_sagas_max = 16,
        .steps_max = STEPS_MAX,
        .target_wait = SPAN_S(60),
        .payload_bytes_max = 64,
        .targets_max = 2,
        .enlisted_deadline_default = SPAN_S(60),
        .enlisted_lease_default = SPAN_S(5),
        .pushback_max = SPAN_S(300),
        .deadline_max = SPAN_S(3600),
        .recall = {.answers_max = 4, .bytes_max = 65536, .age_max = SPAN_S(3600)},
        .compensation_retry = {.max_attempts = 2,
                               .initial_backoff = SPAN_MS(100),
                               .max_backoff = SPAN_S(1),
                               .backoff_multiplier_permille = 2000},
        .seed = 1,
        .tag = 1,
    };
    ck_assert_int_eq(engine_create(&options, &memory, &h->engine), 0);
    engine_set_target(h->engine,
                      &(struct target_options){.name = "t", .timeout = SPAN_S(2), .max_concurrent_calls = h->bulkhead});
    if (!h->u_is_gone)
        engine_set_target(h->engine, &(struct target_options){
                                         .name = "u", .timeout = SPAN_S(2), .max_concurrent_calls = h->bulkhead});
    struct error_detail detail;
    if (h->definition != NULL)
        ck_assert_int_eq(engine_keep_names(h->engine, h->definition), 0);
    if (h->definition != NULL)
        ck_assert_int_eq(engine_resolve(h->engine, h->definition, &detail) != 0, h->u_is_gone);
}

static void crash(struct harness *h)
{
    struct bytes rest = bytes_of(h->journal, h->journal_size);
    struct error_detail detail;
    memset(h->calls, 0, sizeof h->calls);
    engine_destroy(h->engine);
    make_engine(h);
    while (rest.size > 0) {
        struct record r;
        uint64_t previous;
        ck_assert_int_eq(codec_decode(&rest, &r, &previous, &detail), 0);
        ck_assert_msg(engine_replay(h->engine, &r, r.definition != 0 ? h->definition : NULL, &detail) == 0, "%s",
                      detail.text);
    }
    struct engine_out out = engine_out(h);
    uint64_t after = 0;
    ck_assert_int_eq(engine_resume(h->engine, h->now, &after, UINT_MAX, &out), 0);
}

/* ---- what happens ---- */

static unsigned split(const char *line, size_t size, char words[WORDS_MAX][WORD_SIZE])
{
    unsigned count = 0;
    size_t at = 0;
    while (at < size) {
        size_t end = at;
        while (end < size && line[end] != ' ')
            end++;
        if (end > at) {
            ck_assert_uint_lt(count, WORDS_MAX);
            snprintf(words[count++], WORD_SIZE, "%.*s", (int)(end - at), line + at);
        }
        at = end + 1;
    }
    return count;
}

/* The value of name=value among the words, or NULL. */
static const char *value_of(char words[WORDS_MAX][WORD_SIZE], unsigned count, const char *name)
{
    size_t size = strlen(name);
    for (unsigned i = 1; i < count; i++)
        if (strncmp(words[i], name, size) == 0 && words[i][size] == '=')
            return words[i] + size + 1;
    return NULL;
}

static struct span span_of(const char *text)
{
    return SPAN_MS(text == NULL ? 0 : atoll(text));
}

static uint32_t number_of(const char *text)
{
    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

static struct out_call *call_out(struct harness *h, uint64_t serial, const char *step)
{
    const struct saga *s = engine_find(h->engine, serial);
    for (unsigned i = 0; i < CALLS_MAX; i++)
        if (h->calls[i].out && h->calls[i].call.saga.serial == serial &&
            bytes_equal(saga_step_name(s, h->calls[i].call.step), bytes_of_text(step)))
            return &h->calls[i];
    ck_abort_msg("no call of step %s of saga %llu is out", step, (unsigned long long)serial);
    return NULL;
}

static void answer(struct harness *h, char words[WORDS_MAX][WORD_SIZE], unsigned count, struct event *event)
{
    struct out_call *c = call_out(h, event->saga.serial, words[2]);
    struct instant deadline = instant_after(c->left_at, c->call.timeout);
    bool has_status = count > 3 && grpc_status_parse(words[3]) >= 0;
    event->type = EVENT_ANSWER;
    event->saga = c->call.saga;
    event->step_index = c->call.step;
    event->phase = c->call.phase;
    event->attempt = c->call.attempt;
    event->status = has_status ? grpc_status_parse(words[3]) : CODE_DEADLINE_EXCEEDED;
    if (strcmp(words[0], "answer") == 0) {
        event->reach = SAGA_REACH_ANSWERED;
        event->output = payload(h, bytes_of_text(value_of(words, count, "out")), h->out);
    } else if (strcmp(words[0], "shed") == 0) {
        event->reach = SAGA_REACH_NOT_BEGUN;
    } else if (strcmp(words[0], "lost") == 0) {
        event->reach = SAGA_REACH_MAYBE;
        event->quiet_at = quiet_at(c->left_at, c->call.timeout);
        if (!has_status)
            h->now = deadline;
    } else {
        event->reach = SAGA_REACH_NONE;
        event->status = CODE_UNAVAILABLE;
        event->unreached = strcmp(words[0], "unreached") == 0;
    }
    const char *pushback = value_of(words, count, "pushback");
    event->has_pushback = pushback != NULL;
    event->pushback = span_of(pushback);
    c->out = false;
}

static uint8_t type_of(const char *word)
{
    static const struct {
        const char *word;
        uint8_t type;
    } types[] = {{"start", EVENT_START},    {"begin", EVENT_BEGIN}, {"enlist", EVENT_ENLIST},
                 {"commit", EVENT_COMMIT},  {"abort", EVENT_ABORT}, {"keepalive", EVENT_KEEP_ALIVE},
                 {"cancel", EVENT_CANCEL},  {"pause", EVENT_PAUSE}, {"resume", EVENT_RESUME},
                 {"retry", EVENT_RETRY},    {"skip", EVENT_SKIP},   {"reject", EVENT_REJECT},
                 {"resolve", EVENT_RESOLVE}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].word, word) == 0)
            return types[i].type;
    ck_abort_msg("nothing is called %s", word);
    return 0;
}

static void request(struct harness *h, char words[WORDS_MAX][WORD_SIZE], unsigned count, struct event *event)
{
    static struct enlistment enlist;
    static struct settlement settle;
    event->type = type_of(words[0]);
    event->token = ++h->token;
    event->actor = bytes_of_text("ann");
    event->reason = bytes_of_text("because");
    event->deadline = span_of(value_of(words, count, "deadline"));
    event->lease = span_of(value_of(words, count, "lease"));
    if (event->type == EVENT_START || event->type == EVENT_BEGIN)
        event->request_id = bytes_of_text(words[1]);
    if (event->type == EVENT_START) {
        event->definition = h->definition;
        const char *in = value_of(words, count, "in");
        event->input = payload(h, bytes_of_text(in == NULL ? "in" : in), h->in);
        const char *priority = value_of(words, count, "priority");
        event->priority = priority == NULL ? PRIORITY_UNSAID : priority[0] == 'h' ? PRIORITY_HIGH : PRIORITY_LOW;
    }
    event->name = bytes_of_text("enlisted");
    bool bare = count > 2 && strchr(words[2], '=') == NULL; /* a step's name follows the serial */
    event->step = bytes_of_text(bare ? words[2] : "");
    const char *step = event->type == EVENT_ENLIST && bare ? words[2] : value_of(words, count, "enlist");
    if (step != NULL) {
        enlist = (struct enlistment){
            .step = bytes_of_text(step),
            .has_compensation = true,
            .compensation = {.target = "t", .method = "/p.S/Undo", .constant = bytes_of_text("undo it")}};
        event->enlist = &enlist;
        event->enlist_count = 1;
    }
    const char *settled = value_of(words, count, "settle");
    if (settled != NULL) {
        const char *colon = strchr(settled, ':');
        settle = (struct settlement){.step = bytes_of(settled, (size_t)(colon - settled))};
        while (strcmp(action_names[settle.action_state], colon + 1) != 0)
            settle.action_state++;
        settle.may_run_for = span_of(value_of(words, count, "may_run"));
        event->settle = &settle;
        event->settle_count = 1;
    }
}

static void read_definition(struct harness *h, const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail = {.text = ""};
    limits.schemas = shapes_schemas();
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &h->definition, &detail) == 0, "%d: %s: %s",
                  detail.line, detail.field, detail.text);
    h->definition->number = 1;
}

/* A crash; the version that comes after it reads the definition otherwise. */
static void upgrade(struct harness *h, const char *from, const char *to)
{
    struct definition *before = h->definition;
    char text[4096], other[4096 + WORD_SIZE];
    snprintf(text, sizeof text, "%.*s", (int)before->source.size, (const char *)before->source.at);
    const char *at = strstr(text, from);
    ck_assert_ptr_nonnull(at);
    snprintf(other, sizeof other, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    read_definition(h, other);
    crash(h);
    definition_destroy(before);
}

static void happen(struct harness *h, const char *line, size_t size)
{
    char words[WORDS_MAX][WORD_SIZE];
    unsigned count = split(line, size, words);
    struct event event = {.now = h->now};
    struct engine_out out = engine_out(h);
    if (count > 1)
        event.saga = (struct saga_id){.tag = 1, .serial = strtoull(words[1], NULL, 10)};
    if (strcmp(words[0], "at") == 0) {
        h->now.us = EPOCH_US + atoll(words[1]) * 1000;
        return;
    }
    if (strcmp(words[0], "crash") == 0) {
        h->u_is_gone = count > 1;
        crash(h);
        return;
    }
    if (strcmp(words[0], "upgrade") == 0) {
        upgrade(h, words[1], words[2]);
        return;
    }
    if (strcmp(words[0], "configure") == 0) {
        event.type = EVENT_TARGET;
        event.target = (uint16_t)engine_set_target(
            h->engine, &(struct target_options){.name = words[1],
                                                .timeout = SPAN_S(2),
                                                .max_concurrent_calls = number_of(words[2]),
                                                .pending_timeout = span_of(value_of(words, count, "pending")),
                                                .max_pending_calls = number_of(value_of(words, count, "crowd")),
                                                .budget = {number_of(value_of(words, count, "budget")), 1}});
    } else if (strcmp(words[0], "tick") == 0) {
        ck_assert_msg(engine_expiry(h->engine).us != INSTANT_NEVER.us, "no timer is set");
        h->now = instant_max(h->now, engine_expiry(h->engine));
        say(h, "at %lld\n", ms(h->now));
        event.type = EVENT_TICK;
    } else if (strcmp(words[0], "answer") == 0 || strcmp(words[0], "lost") == 0 || strcmp(words[0], "unsent") == 0 ||
               strcmp(words[0], "unreached") == 0 || strcmp(words[0], "shed") == 0) {
        answer(h, words, count, &event);
    } else if (strcmp(words[0], "trip") == 0 || strcmp(words[0], "hold") == 0 || strcmp(words[0], "reset") == 0) {
        event.type = EVENT_BREAKER;
        event.token = ++h->token;
        event.name = bytes_of_text(words[1]);
        event.actor = bytes_of_text("ann");
        event.reason = bytes_of_text("because");
        event.breaker_act = strcmp(words[0], "trip") == 0   ? BREAKER_TRIP
                            : strcmp(words[0], "hold") == 0 ? BREAKER_HOLD
                                                            : BREAKER_RESET;
    } else if (strcmp(words[0], "reachable") == 0) {
        event.type = EVENT_TARGET;
        event.target = (uint16_t)engine_find_target(h->engine, bytes_of_text(words[1]));
    } else {
        request(h, words, count, &event);
    }
    event.now = h->now;
    ck_assert_int_eq(engine_step(h->engine, &event, &out), 0);
    /* What an event was decided with is given back: it would add up for as long as the engine lives. */
    ck_assert_uint_eq(pool_mark(&h->engine->scratch).used, 0);
}

void engine_trace_run(const char *definition, unsigned bulkhead, const char *text)
{
    struct harness *h = calloc(1, sizeof *h);
    h->bulkhead = bulkhead;
    h->now.us = EPOCH_US;
    if (definition != NULL)
        read_definition(h, definition);
    make_engine(h);
    for (const char *line = text; *line != '\0';) {
        const char *end = strchr(line, '\n');
        ck_assert_msg(end != NULL, "the text ends within a line");
        if (line[0] == '>') {
            say(h, "%.*s\n", (int)(end - line), line);
            happen(h, line + 1, (size_t)(end - line - 1));
        }
        line = end + 1;
    }
    ck_assert_msg(strcmp(h->text, text) == 0, "\n--- what happened ---\n%s--- what should have ---\n%s", h->text, text);
    engine_destroy(h->engine);
    definition_destroy(h->definition);
    free(h);
}
