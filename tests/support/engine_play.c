#include "tests/support/engine_play.h"
#include "tests/support/shapes.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/base/quiet.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine_inside.h"
#include "sidecar/journal/codec.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>

#define CALLS_MAX    64
#define JOURNAL_MAX  65536
#define WORDS_MAX    16
#define WORD_SIZE    80
#define TOGETHER_MAX 14
#define VALUE_MAX    1024

struct out_call {
    bool out;
    struct call_effect call;
    struct instant left_at;
};

struct play {
    struct engine *engine;
    struct definition *definition;
    unsigned places;
    const char *gone;
    FILE *out;
    struct instant now;
    uint64_t token;
    uint64_t released; /* bit n: saga n was */
    struct memory memory;
    size_t taken; /* and not given back */
    struct out_call calls[CALLS_MAX];
    uint8_t journal[JOURNAL_MAX];
    size_t journal_size;
    /* Of the line at hand. */
    char words[WORDS_MAX][WORD_SIZE];
    unsigned count;
    uint8_t in[VALUE_MAX], answer[VALUE_MAX];
    struct enlistment enlist[TOGETHER_MAX];
    struct settlement settle[TOGETHER_MAX];
};

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

/* ---- the words of a line ---- */

static void split(struct play *p, const char *line, size_t size)
{
    p->count = 0;
    for (size_t at = 0, end; at < size; at = end + 1) {
        for (end = at; end < size && line[end] != ' ';)
            end++;
        if (end == at)
            continue;
        ck_assert_uint_lt(p->count, WORDS_MAX);
        ck_assert_uint_lt(end - at, WORD_SIZE);
        snprintf(p->words[p->count++], WORD_SIZE, "%.*s", (int)(end - at), line + at);
    }
}

/* The value of name=value among the words, or NULL. */
static const char *value(const struct play *p, const char *name)
{
    size_t size = strlen(name);
    for (unsigned i = 1; i < p->count; i++)
        if (strncmp(p->words[i], name, size) == 0 && p->words[i][size] == '=')
            return p->words[i] + size + 1;
    return NULL;
}

static struct bytes text(const struct play *p, const char *name, const char *otherwise)
{
    static const char many[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const char *v = value(p, name);
    if (v == NULL)
        v = otherwise;
    if (v[0] != '*')
        return bytes_of_text(v);
    size_t size = v[1] == '*' ? 0 : (size_t)atoi(v + 1);
    ck_assert_uint_lt(size, sizeof many);
    return bytes_of(many, size);
}

static int64_t number(const struct play *p, const char *name)
{
    const char *v = value(p, name);
    return v == NULL ? 0 : atoll(v);
}

static struct span span(const struct play *p, const char *name)
{
    return SPAN_MS(number(p, name));
}

/* Of a typed definition inputs and outputs are messages shapes.Line of this sku; "damaged" is none. */
static struct bytes payload(const struct play *p, struct bytes sku, uint8_t *room)
{
    bool typed = p->definition != NULL && p->definition->schema != NULL;
    return typed && sku.size < 128 && !bytes_equal(sku, bytes_of_text("damaged")) ? shapes_line(sku, room) : sku;
}

/* The parts of a list with commas. */
static const char *next_part(const char *list, struct bytes *part)
{
    size_t size = strcspn(list, ",");
    *part = bytes_of(list, size);
    return list[size] == ',' ? list + size + 1 : NULL;
}

/* ---- events ---- */

static void set_enlist(struct play *p, struct event *event)
{
    const char *list = value(p, "enlist"), *target = value(p, "target"), *method = value(p, "method");
    struct bytes name;
    while (list != NULL) {
        ck_assert_uint_lt(event->enlist_count, TOGETHER_MAX);
        list = next_part(list, &name);
        if (name.size > 0 && name.at[0] == '*')
            name = text(p, "enlist", ""); /* alone */
        struct enlistment *l = &p->enlist[event->enlist_count++];
        *l = (struct enlistment){.step = name, .has_compensation = value(p, "undo") == NULL};
        if (!l->has_compensation)
            continue;
        l->compensation = (struct call_spec){.target = target == NULL ? "t" : target,
                                             .method = method == NULL ? "/p.S/Undo" : method,
                                             .constant = text(p, "sends", "undo it"),
                                             .timeout = span(p, "timeout")};
        if (value(p, "tries") != NULL)
            l->compensation.retry = (struct retry_policy){.max_attempts = (uint16_t)number(p, "tries"),
                                                          .initial_backoff = span(p, "backoff"),
                                                          .max_backoff = SPAN_S(2),
                                                          .backoff_multiplier_permille = 1500};
    }
    event->enlist = p->enlist;
}

static void set_settle(struct play *p, struct event *event)
{
    static const char *const names[] = {"", "PENDING", "STARTED", "DONE", "REJECTED", "UNKNOWN", "SKIPPED"};
    const char *list = value(p, "settle");
    struct bytes part;
    while (list != NULL) {
        ck_assert_uint_lt(event->settle_count, TOGETHER_MAX);
        list = next_part(list, &part);
        const uint8_t *colon = memchr(part.at, ':', part.size);
        ck_assert_ptr_nonnull(colon);
        struct settlement *s = &p->settle[event->settle_count++];
        *s = (struct settlement){.step = bytes_of(part.at, (size_t)(colon - part.at)),
                                 .output = text(p, "out", ""),
                                 .output_is_request = value(p, "as_request") != NULL,
                                 .may_run_for = span(p, "may_run")};
        struct bytes state = bytes_of(colon + 1, part.size - s->step.size - 1);
        while (!bytes_equal(bytes_of_text(names[s->action_state]), state))
            ck_assert_uint_lt(++s->action_state, 7);
    }
    event->settle = p->settle;
}

static const char *const verbs[] = {
    [EVENT_START] = "start",    [EVENT_BEGIN] = "begin",          [EVENT_ENLIST] = "enlist", [EVENT_COMMIT] = "commit",
    [EVENT_ABORT] = "abort",    [EVENT_KEEP_ALIVE] = "keepalive", [EVENT_CANCEL] = "cancel", [EVENT_PAUSE] = "pause",
    [EVENT_RESUME] = "resume",  [EVENT_RETRY] = "retry",          [EVENT_SKIP] = "skip",     [EVENT_REJECT] = "reject",
    [EVENT_RESOLVE] = "resolve"};

static void set_request(struct play *p, struct event *event)
{
    const char *priority = value(p, "priority"), *room = value(p, "room");
    bool starts = event->type == EVENT_START || event->type == EVENT_BEGIN;
    event->token = ++p->token;
    event->request_id = text(p, "id", starts && p->count > 1 ? p->words[1] : "");
    if (event->type == EVENT_START)
        event->input = payload(p, text(p, "in", "in"), p->in);
    event->definition = event->type == EVENT_START ? p->definition : NULL;
    event->deadline = span(p, "deadline");
    event->lease = span(p, "lease");
    event->priority = priority == NULL ? PRIORITY_UNSAID : priority[0] == 'h' ? PRIORITY_HIGH : PRIORITY_LOW;
    event->traceparent = text(p, "trace", "");
    event->version = text(p, "version", "");
    event->synthetic = value(p, "synthetic") != NULL;
    event->identity = text(p, "who", "");
    event->scoped = value(p, "scoped") != NULL;
    event->actor = text(p, "actor", "ann");
    event->reason = text(p, "reason", "because");
    event->tag_sets = text(p, "tags", "");
    event->name = text(p, "name", "enlisted");
    event->no_room = room == NULL ? 0 : room[0] == 'j' ? E_JOURNAL_FULL : room[0] == 'h' ? E_HELD : E_MEMORY;
    bool bare = !starts && p->count > 2 && strchr(p->words[2], '=') == NULL;
    event->step = bytes_of_text(bare ? p->words[2] : "");
    if (value(p, "tag") != NULL)
        event->saga.tag = (uint64_t)number(p, "tag");
    set_enlist(p, event);
    set_settle(p, event);
}

static bool set_answer(struct play *p, struct event *event)
{
    struct out_call *c = NULL;
    const struct saga *s = engine_find(p->engine, event->saga.serial);
    for (unsigned i = 0; i < CALLS_MAX && s != NULL; i++)
        if (p->calls[i].out && p->calls[i].call.saga.serial == event->saga.serial &&
            bytes_equal(saga_step_name(s, p->calls[i].call.step), bytes_of_text(p->words[2])))
            c = &p->calls[i];
    if (c == NULL)
        return false;
    const char *reach = value(p, "reach"), *pushback = value(p, "pushback");
    c->out = false;
    event->type = EVENT_ANSWER;
    event->step_index = c->call.step;
    event->phase = c->call.phase;
    event->attempt = c->call.attempt;
    event->status = grpc_status_parse(p->words[3]);
    event->reach = reach == NULL || reach[0] == 'a'  ? SAGA_REACH_ANSWERED
                   : reach[0] == 'm'                 ? SAGA_REACH_MAYBE
                   : strcmp(reach, "not-begun") == 0 ? SAGA_REACH_NOT_BEGUN
                                                     : SAGA_REACH_NONE;
    event->unreached = reach != NULL && strcmp(reach, "unreached") == 0;
    if (event->reach == SAGA_REACH_MAYBE)
        event->quiet_at = quiet_at(c->left_at, c->call.timeout);
    event->output = value(p, "out") == NULL ? bytes_of(NULL, 0) : payload(p, text(p, "out", ""), p->answer);
    event->message = text(p, "said", "");
    event->took = span(p, "took");
    event->has_pushback = pushback != NULL;
    event->pushback = span(p, "pushback");
    return true;
}

/* ---- what is set up ---- */

static void set_target(struct play *p, struct event *event)
{
    struct target_options t =
        target_of(p->words[1], value(p, "places") == NULL ? p->places : (unsigned)number(p, "places"));
    t.adaptive_concurrency = value(p, "adaptive") != NULL;
    t.barrier = value(p, "barrier") != NULL;
    t.rate = (struct rate_options){(uint32_t)number(p, "rate"), 1};
    t.budget = (struct budget_options){(uint32_t)number(p, "budget"), 1};
    t.max_pending_calls = (uint32_t)number(p, "crowd");
    t.pending_timeout = span(p, "pending");
    if (value(p, "timeout") != NULL)
        t.timeout = span(p, "timeout");
    if (value(p, "breaker") != NULL)
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
                              .phase = (uint8_t)number(p, "phase"),
                              .status = (uint8_t)number(p, "status"),
                              .delay = span(p, "delay"),
                              .permille = 1000,
                              .until = INSTANT_NEVER};
    snprintf(rule.target, sizeof rule.target, "%s", value(p, "target") == NULL ? "" : value(p, "target"));
    engine_set_drill(p->engine, &rule, rule.kind == DRILL_NONE ? 0 : 1);
}

static void set_limit(struct play *p)
{
    const struct definition_bound bound = {
        .definition = p->words[1],
        .options = {.live_max = (uint32_t)number(p, "live"), .starts = {(uint32_t)number(p, "starts"), 1}}};
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
    p->gone = value(p, "gone") != NULL ? "u" : NULL;
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
        return set_answer(p, event);
    } else if (is(p, "set")) {
        set_target(p, event);
    } else if (is(p, "reachable")) {
        int index = engine_find_target(p->engine, bytes_of_text(p->words[1]));
        event->type = EVENT_TARGET;
        event->target = (uint16_t)index;
        return index >= 0;
    } else if (is(p, "trip") || is(p, "hold-open") || is(p, "reset") || is(p, "breaker")) {
        set_request(p, event);
        event->type = EVENT_BREAKER;
        event->name = bytes_of_text(p->words[1]);
        event->breaker_act = is(p, "trip")        ? BREAKER_TRIP
                             : is(p, "hold-open") ? BREAKER_HOLD
                             : is(p, "reset")     ? BREAKER_RESET
                                                  : (uint8_t)(BREAKER_RESET + 1);
    } else {
        for (event->type = EVENT_START; !is(p, verbs[event->type]);)
            ck_assert_msg(++event->type <= EVENT_RESOLVE, "nothing is called %s", p->words[0]);
        set_request(p, event);
        return event->type != EVENT_START || event->definition != NULL ||
               engine_find_request(p->engine, event->request_id, bytes_of(NULL, 0)) != NULL;
    }
    return true;
}

bool play_do(struct play *p, const char *line, size_t size)
{
    split(p, line, size);
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
