#include "tests/support/engine_play_inside.h"
#include "tests/support/shapes.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/definition/reader.h"
#include "sidecar/journal/codec.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>

/* ---- what the engine gives ---- */

static void add_record(void *self, const struct record *r)
{
    struct play *p = self;
    ck_assert_uint_lt(p->journal_size + codec_record_size_max(r), JOURNAL_MAX);
    p->journal_size += codec_encode(r, 0, p->journal + p->journal_size);
    fputs("; ", p->out);
    engine_words_record(p->out, p->engine, r);
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    struct play *p = self;
    ck_assert(effect->type != EFFECT_REPLY || effect->as.reply.token == p->token);
    fputs("; ", p->out);
    engine_words_effect(p->out, p->engine, effect, detail);
    if (effect->type != EFFECT_CALL)
        return;
    unsigned i = 0;
    while (p->calls[i].out) {
        i++;
        ck_assert_uint_lt(i, CALLS_MAX);
    }
    p->calls[i] = (struct out_call){.out = true, .call = effect->as.call, .left_at = p->now};
}

static struct engine_out engine_out(struct play *p)
{
    return (struct engine_out){.add_record = add_record, .add_effect = add_effect, .self = p};
}

/* ---- its life ---- */

static struct target_options target_of(const char *name, unsigned places)
{
    return (struct target_options){.name = name, .timeout = SPAN_S(2), .max_concurrent_calls = places};
}

/* What is given back was taken, and of the same size: at the end there is nothing left. */
static void *take(void *self, size_t size)
{
    ((struct play *)self)->taken += size;
    return malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    ((struct play *)self)->taken += size;
    return calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    struct play *p = self;
    ck_assert_uint_ge(p->taken, size);
    p->taken -= at == NULL ? 0 : size;
    free(at);
}

static void end_engine(struct play *p)
{
    engine_destroy(p->engine);
    ck_assert_uint_eq(p->taken, 0);
}

static void make_engine(struct play *p)
{
    const struct engine_options options = {
        .live_sagas_max = 5,
        .steps_max = 12,
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
    struct error_detail detail;
    ck_assert_int_eq(engine_create(&options, &p->memory, &p->engine), 0);
    for (const char *const *name = (const char *const[]){"t", "u", NULL}; *name != NULL; name++) {
        struct target_options t = target_of(*name, p->places);
        if (p->gone == NULL || strcmp(p->gone, *name) != 0)
            ck_assert_int_ge(engine_set_target(p->engine, &t), 0);
    }
    if (p->definition == NULL)
        return;
    ck_assert_int_eq(engine_keep_names(p->engine, p->definition), 0);
    int code = engine_resolve(p->engine, p->definition, &detail);
    if (code != 0)
        fprintf(p->out, "; not resolved: %s: %s", detail.field, detail.text);
}

struct play *play_open(struct definition *definition, unsigned places, FILE *out)
{
    struct play *p = calloc(1, sizeof *p);
    ck_assert_ptr_nonnull(p);
    p->memory = (struct memory){.take = take, .take_zeroed = take_zeroed, .give_back = give_back, .self = p};
    p->definition = definition;
    p->places = places;
    p->out = out;
    p->now.us = ENGINE_WORDS_EPOCH_US;
    make_engine(p);
    return p;
}

void play_close(struct play *p)
{
    end_engine(p);
    free(p);
}

void play_say_to(struct play *p, FILE *out)
{
    p->out = out;
}

struct engine *play_engine(struct play *p)
{
    return p->engine;
}

struct instant play_now(const struct play *p)
{
    return p->now;
}

struct definition *play_definition(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    limits.schemas = shapes_schemas();
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%d: %s: %s\n%s", detail.line,
                  detail.field, detail.text, text);
    d->number = 1;
    return d;
}

/* ---- what is set up ---- */

static void set_target(struct play *p, struct event *event)
{
    struct target_options t =
        target_of(p->words[1], play_value(p, "places") == NULL ? p->places : (unsigned)play_number(p, "places"));
    t.adaptive_concurrency = play_value(p, "adaptive") != NULL;
    t.barrier = play_value(p, "barrier") != NULL;
    t.rate = (struct rate_options){(uint32_t)play_number(p, "rate"), 1};
    t.budget = (struct budget_options){(uint32_t)play_number(p, "budget"), 1};
    t.max_pending_calls = (uint32_t)play_number(p, "crowd");
    t.pending_timeout = play_span(p, "pending");
    if (play_value(p, "timeout") != NULL)
        t.timeout = play_span(p, "timeout");
    if (play_value(p, "breaker") != NULL)
        t.breaker = (struct breaker_options){.window = SPAN_S(10),
                                             .volume = 2,
                                             .failure_percent = 50,
                                             .status_codes = 1u << CODE_UNAVAILABLE,
                                             .open = SPAN_S(5),
                                             .open_max = SPAN_S(20),
                                             .probes = 1};
    event->type = EVENT_TARGET;
    event->target = (uint16_t)engine_set_target(p->engine, &t);
}

static void set_drill(struct play *p)
{
    struct drill_rule rule = {.kind = (uint8_t)atoi(p->words[1]),
                              .phase = (uint8_t)play_number(p, "phase"),
                              .status = (uint8_t)play_number(p, "status"),
                              .delay = play_span(p, "delay"),
                              .permille = 1000,
                              .until = INSTANT_NEVER};
    snprintf(rule.target, sizeof rule.target, "%s", play_value(p, "target") == NULL ? "" : play_value(p, "target"));
    engine_set_drill(p->engine, &rule, rule.kind == DRILL_NONE ? 0 : 1);
}

static void set_limit(struct play *p)
{
    const struct definition_bound bound = {
        .definition = p->words[1],
        .options = {.live_max = (uint32_t)play_number(p, "live"), .starts = {(uint32_t)play_number(p, "starts"), 1}}};
    ck_assert_int_eq(engine_set_limits(p->engine, &bound, 1), 0);
}

struct bytes play_journal(const struct play *p)
{
    return bytes_of(p->journal, p->journal_size);
}

bool play_next_record(struct bytes *rest, struct record *r)
{
    struct error_detail detail;
    uint64_t previous;
    if (rest->size == 0)
        return false;
    ck_assert_int_eq(codec_decode(rest, r, &previous, &detail), 0);
    return true;
}

static void crash(struct play *p)
{
    struct bytes rest = bytes_of(p->journal, p->journal_size);
    struct error_detail detail;
    struct engine_out out = engine_out(p);
    uint64_t after = 0;
    memset(p->calls, 0, sizeof p->calls);
    end_engine(p);
    p->gone = play_value(p, "gone") != NULL ? "u" : NULL;
    make_engine(p);
    struct record r;
    while (play_next_record(&rest, &r)) {
        ck_assert_msg(engine_replay(p->engine, &r, r.definition != 0 ? p->definition : NULL, &detail) == 0, "%s",
                      detail.text);
        if (r.type == RECORD_ENDED && (p->released >> r.saga.serial & 1) != 0)
            engine_release(p->engine, r.saga.serial);
    }
    ck_assert_int_eq(engine_resume(p->engine, p->now, &after, UINT_MAX, &out), 0);
}

static bool is(const struct play *p, const char *verb)
{
    return strcmp(p->words[0], verb) == 0;
}

static void release(struct play *p, uint64_t serial)
{
    engine_release(p->engine, serial);
    p->released |= UINT64_C(1) << serial;
}

/* What is no event of the engine's. Returns whether it was that. */
static bool arrange(struct play *p)
{
    if (is(p, "at"))
        p->now.us = ENGINE_WORDS_EPOCH_US + atoll(p->words[1]) * 1000;
    else if (is(p, "hold"))
        engine_hold(p->engine);
    else if (is(p, "renew"))
        engine_renew_leases(p->engine, p->now);
    else if (is(p, "release"))
        release(p, strtoull(p->words[1], NULL, 10));
    else if (is(p, "crash"))
        crash(p);
    else if (is(p, "drill"))
        set_drill(p);
    else if (is(p, "limit"))
        set_limit(p);
    else
        return false;
    return true;
}

static const char *const verbs[] = {
    [EVENT_START] = "start",    [EVENT_BEGIN] = "begin",          [EVENT_ENLIST] = "enlist", [EVENT_COMMIT] = "commit",
    [EVENT_ABORT] = "abort",    [EVENT_KEEP_ALIVE] = "keepalive", [EVENT_CANCEL] = "cancel", [EVENT_PAUSE] = "pause",
    [EVENT_RESUME] = "resume",  [EVENT_RETRY] = "retry",          [EVENT_SKIP] = "skip",     [EVENT_REJECT] = "reject",
    [EVENT_RESOLVE] = "resolve"};

static bool make_event(struct play *p, struct event *event)
{
    if (is(p, "tick")) {
        struct instant due = engine_expiry(p->engine);
        if (due.us == INSTANT_NEVER.us)
            return false;
        p->now = instant_max(p->now, due);
        fprintf(p->out, "; at %lld", (long long)(p->now.us - ENGINE_WORDS_EPOCH_US) / 1000);
        event->type = EVENT_TICK;
    } else if (is(p, "answer")) {
        return play_set_answer(p, event);
    } else if (is(p, "set")) {
        set_target(p, event);
    } else if (is(p, "reachable")) {
        int index = engine_find_target(p->engine, bytes_of_text(p->words[1]));
        event->type = EVENT_TARGET;
        event->target = (uint16_t)index;
        return index >= 0;
    } else if (is(p, "trip") || is(p, "hold-open") || is(p, "reset") || is(p, "breaker")) {
        play_set_request(p, event);
        event->type = EVENT_BREAKER;
        event->name = bytes_of_text(p->words[1]);
        event->breaker_act = is(p, "trip")        ? BREAKER_TRIP
                             : is(p, "hold-open") ? BREAKER_HOLD
                             : is(p, "reset")     ? BREAKER_RESET
                                                  : (uint8_t)(BREAKER_RESET + 1);
    } else {
        for (event->type = EVENT_START; !is(p, verbs[event->type]);)
            ck_assert_msg(++event->type <= EVENT_RESOLVE, "nothing is called %s", p->words[0]);
        play_set_request(p, event);
        return event->type != EVENT_START || event->definition != NULL ||
               engine_find_request(p->engine, event->request_id, bytes_of(NULL, 0)) != NULL;
    }
    return true;
}

bool play_do(struct play *p, const char *line, size_t size)
{
    play_split(p, line, size);
    struct event event = {.now = p->now};
    if (arrange(p))
        return true;
    if (p->count > 1)
        event.saga = (struct saga_id){.tag = 1, .serial = strtoull(p->words[1], NULL, 10)};
    if (!make_event(p, &event))
        return false;
    event.now = p->now;
    struct engine_out out = engine_out(p);
    ck_assert_int_eq(engine_step(p->engine, &event, &out), 0);
    /* What an event was decided with is given back: it would add up for as long as the engine lives. */
    ck_assert_uint_eq(pool_mark(&p->engine->scratch).used, 0);
    return true;
}
