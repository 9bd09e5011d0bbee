/* requests_world.h - an engine that is asked for something, and what it said last: the reply and its refusal, the record, the calls. One target "t"
 * that takes one call at a time; time stands still unless the test moves it. All in the test's own thread. */
#ifndef TESTS_SUPPORT_REQUESTS_WORLD_H
#define TESTS_SUPPORT_REQUESTS_WORLD_H

#include "sidecar/base/grpc_status.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine_inside.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define TYPED "name: d\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n"

static struct engine *engine;
static struct definition *definition; /* of which sagas are started */
static struct instant now;
static int code;              /* of the last reply */
static char field[96];        /* of the last refusal */
static char words[256];       /* likewise */
static int retry_ms;          /* likewise: when to come again */
static struct span lease;     /* of the last reply */
static char identity[64];     /* of the last record */
static size_t said;           /* the words of the last record */
static uint8_t ended_status;  /* of the last end of an action */
static char ended_words[128]; /* of the last end of an action */
static struct record last;    /* of it: what is no view */
static size_t answered;       /* the words of what those who wait are given */
static size_t refused_size;   /* no memory of just this size is given; 0: any is */
static struct saga_id first;  /* the saga that is begun first */
static struct call_effect calls[4];
static unsigned call_count;

static inline void add_record(void *self, const struct record *r)
{
    (void)self;
    last = *r;
    answered = r->type == RECORD_ANSWERED ? r->message.size : answered;
    said = r->message.size;
    ended_status = r->type == RECORD_ACTION_ENDED ? r->status : ended_status;
    if (r->type == RECORD_ACTION_ENDED)
        snprintf(ended_words, sizeof ended_words, "%.*s", (int)r->message.size, (const char *)r->message.at);
    snprintf(identity, sizeof identity, "%.*s", (int)r->identity.size, (const char *)r->identity.at);
}

static inline void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    (void)self;
    if (effect->type == EFFECT_REPLY) {
        code = effect->as.reply.code;
        lease = effect->as.reply.lease;
        snprintf(field, sizeof field, "%s", detail == NULL ? "" : detail->field);
        snprintf(words, sizeof words, "%s", detail == NULL ? "" : detail->text);
        retry_ms = detail == NULL ? 0 : detail->retry_ms;
    } else if (effect->type == EFFECT_CALL) {
        ck_assert_uint_lt(call_count, 4);
        calls[call_count++] = effect->as.call;
    }
}

static inline int ask(struct event event)
{
    const struct engine_out out = {.add_record = add_record, .add_effect = add_effect};
    event.now = now;
    event.token = 1;
    event.saga = first;
    code = -1;
    ck_assert_int_eq(engine_step(engine, &event, &out), 0);
    ck_assert_uint_eq(pool_mark(&engine->scratch).used, 0); /* what it was decided with is given back */
    return code;
}

static inline void *take(void *self, size_t size)
{
    return size == refused_size ? NULL : heap.take(self, size);
}

static inline void set_up(void)
{
    struct memory memory = heap;
    memory.take = take;
    refused_size = answered = 0;
    const struct engine_options options = {
        .live_sagas_max = 8,
        .steps_max = 16,
        .payload_bytes_max = 64,
        .targets_max = 2,
        .enlisted_deadline_default = SPAN_S(60),
        .enlisted_lease_default = SPAN_S(3),
        .pushback_max = SPAN_S(300),
        .deadline_max = SPAN_S(3600),
        .target_wait = SPAN_S(3600),
        .compensation_retry = {.max_attempts = 2, .initial_backoff = SPAN_MS(1), .max_backoff = SPAN_MS(1)},
        .recall = {.answers_max = 4, .bytes_max = 4096, .age_max = SPAN_S(3600)},
        .tag = 1,
    };
    const struct target_options t = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    now.us = 1000000;
    call_count = 0;
    ck_assert_int_eq(engine_create(&options, &memory, &engine), 0);
    ck_assert_int_eq(engine_set_target(engine, &t), 0);
    first = (struct saga_id){.tag = 1, .serial = 1};
}

static inline void tear_down(void)
{
    engine_destroy(engine);
    definition_destroy(definition);
    definition = NULL;
}

/* A definition that the engine knows from now on. */
static inline void define(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    limits.schemas = shapes_schemas();
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
    definition->number = 1;
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), 0);
}

static inline struct bytes line(const char *text)
{
    static uint8_t room[160];
    return shapes_line(bytes_of_text(text), room);
}

static inline struct enlistment undoable(const char *step, struct span timeout)
{
    return (struct enlistment){.step = bytes_of_text(step),
                               .has_compensation = true,
                               .compensation = {.target = "t", .method = "/p.S/Undo", .timeout = timeout}};
}

static inline struct event begin_with(const struct enlistment *enlist, size_t count)
{
    return (struct event){.type = EVENT_BEGIN,
                          .name = bytes_of_text("order"),
                          .identity = bytes_of_text("ann"),
                          .traceparent = bytes_of_text(TRACE),
                          .enlist = enlist,
                          .enlist_count = count};
}

static inline void begin(const char *step)
{
    const struct enlistment one = undoable(step, SPAN_S(2));
    ck_assert_int_eq(ask(begin_with(&one, 1)), 0);
}

static inline void answer(int status, enum saga_reach reach)
{
    ask((struct event){.type = EVENT_ANSWER,
                       .phase = SAGA_PHASE_ACTION,
                       .attempt = 1,
                       .reach = (uint8_t)reach,
                       .unreached = reach == SAGA_REACH_NONE,
                       .status = status});
}

#endif
