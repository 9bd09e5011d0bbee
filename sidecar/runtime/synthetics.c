/* synthetics.c - heartbeats by schedule: one Start, and one Wait for its end. */
#include "sidecar/runtime/synthetics.h"

#include "sidecar/api/view.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "saga/v1/coordinator.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* The first of a definition begins so soon. */
#define FIRST_AFTER SPAN_S(5)
/* A Wait that was refused is tried again so soon. */
#define AGAIN_AFTER   SPAN_S(5)
#define TROUBLE_BYTES 160

struct heartbeat {
    struct heartbeat *next;
    char definition[NAME_BYTES_MAX + 1];
    const struct config_synthetic *config; /* NULL: none is to begin any more; it is there until it is not busy */
    struct instant next_at;
    bool busy;                    /* its Start, or a Wait for its end, is under way */
    struct instant wait_again_at; /* INSTANT_NEVER: no Wait was refused */
    unsigned asked;               /* of which loop */
    unsigned turn;                /* which loop is next */
    char saga[SAGA_ID_TEXT_SIZE]; /* the last that began; "" when none has */
    struct instant began_at, last_success;
    struct span took;
    uint8_t state; /* of that saga */
    uint64_t committed, failed, missed;
    char trouble[TROUBLE_BYTES];
};

static bool has_schedule(const struct loop *s)
{
    return s->index == 0 && s->sidecar->adopted == NULL; /* a journal that is looked after has none here */
}

static struct heartbeat *find(const struct loop *s, const char *definition)
{
    for (struct heartbeat *h = s->heartbeats; h != NULL; h = h->next)
        if (strcmp(h->definition, definition) == 0)
            return h;
    return NULL;
}

static void destroy_all(struct heartbeat *h)
{
    for (struct heartbeat *next; h != NULL; h = next) {
        next = h->next;
        free(h);
    }
}

/* Those that nothing keeps any more. */
static void drop_idle(struct loop *s)
{
    for (struct heartbeat **at = &s->heartbeats, *h; (h = *at) != NULL;) {
        if (h->config != NULL || h->busy) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        free(h);
    }
}

/* The ones of this configuration that are not there yet. Returns 0, or E_MEMORY and gives none. */
static int make_new(const struct loop *s, const struct config *config, struct heartbeat **out)
{
    struct heartbeat **last = out;
    *out = NULL;
    for (size_t i = 0; i < config->synthetic_count; i++) {
        const char *definition = config->synthetics[i].promised.definition;
        if (find(s, definition) != NULL)
            continue;
        struct heartbeat *h = *last = calloc(1, sizeof *h);
        if (h == NULL) {
            destroy_all(*out);
            return E_MEMORY;
        }
        snprintf(h->definition, sizeof h->definition, "%s", definition);
        h->wait_again_at = INSTANT_NEVER;
        last = &h->next;
    }
    return 0;
}

static void schedule(struct loop *s, struct heartbeat *h, const struct config_synthetic *config)
{
    const struct config_synthetic *before = h->config;
    struct instant first = instant_after(clock_now(&s->clock), span_min(FIRST_AFTER, config->every));
    if (before == NULL || before->every.us != config->every.us) {
        h->next_at = first;
        counters_synthetic(s, h->definition, config->every);
    }
    h->config = config;
}

int synthetics_take(struct loop *s, const struct config *config)
{
    struct heartbeat *new, **last = &s->heartbeats;
    int code = has_schedule(s) ? make_new(s, config, &new) : 0;
    if (code != 0 || !has_schedule(s))
        return code;
    while (*last != NULL)
        last = &(*last)->next;
    *last = new;
    for (struct heartbeat *h = s->heartbeats; h != NULL; h = h->next) {
        const struct config_synthetic *c = NULL;
        for (size_t i = 0; i < config->synthetic_count && c == NULL; i++)
            if (strcmp(config->synthetics[i].promised.definition, h->definition) == 0)
                c = &config->synthetics[i];
        if (c != NULL) {
            schedule(s, h, c);
        } else if (h->config != NULL) {
            h->config = NULL;
            counters_synthetic_gone(s, h->definition);
        }
    }
    drop_idle(s);
    return 0;
}

int synthetics_open(struct loop *s)
{
    return synthetics_take(s, s->config);
}

void synthetics_close(struct loop *s)
{
    destroy_all(s->heartbeats);
}

static void note_trouble(struct heartbeat *h, const char *text)
{
    snprintf(h->trouble, sizeof h->trouble, "%s", text);
}

/* Why one is stuck says more. */
static void note_lesser(struct heartbeat *h, const char *text)
{
    if (h->state != SAGA_STUCK)
        note_trouble(h, text);
}

/* One that was due does not begin. */
static void miss(struct loop *s, struct heartbeat *h, const char *why)
{
    h->missed++;
    note_lesser(h, why);
    counters_synthetic_missed(s, h->definition);
    slis_missed(s->slis, h->definition);
    log_event(LOG_LEVEL_WARN, "a heartbeat cannot begin", LOG_TEXT("definition", h->definition), LOG_TEXT("why", why),
              LOG_TEXT("saga", h->saga));
}

/* Its end could not be waited for: that is tried again, until the next begins. */
static void wait_later(const struct loop *s, struct heartbeat *h, const char *why)
{
    note_lesser(h, why);
    if (h->config != NULL)
        h->wait_again_at =
            instant_after(clock_now(&s->clock), span_min(AGAIN_AFTER, (struct span){.us = h->config->every.us / 2}));
}

/* Returns whether there was memory. */
static bool send_off(struct loop *s, struct heartbeat *h, enum method_id method, const ProtobufCMessage *m,
                     const struct rpc_asker *asker)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(size + 1);
    h->wait_again_at = INSTANT_NEVER;
    if (packed == NULL)
        return false;
    protobuf_c_message_pack(m, packed);
    h->busy = true;
    rpc_ask(s->rpc, s->sidecar->rooms[h->asked], &methods_served[method], bytes_of(packed, size), NULL, asker, h);
    free(packed);
    return true;
}

static void await(struct loop *s, struct heartbeat *h, bool until_stuck);

static void ended(struct loop *s, struct heartbeat *h, const Saga__V1__Saga *saga)
{
    bool was_stuck = h->state == SAGA_STUCK;
    h->state = (uint8_t)saga->state;
    h->took = instant_since(clock_now(&s->clock), h->began_at);
    if (h->state == SAGA_COMMITTED) {
        h->committed++;
        h->last_success = clock_now(&s->clock);
    } else if (!was_stuck) {
        char text[TROUBLE_BYTES];
        bool stuck = h->state == SAGA_STUCK;
        const char *step = stuck ? saga->stuck_step : saga->reason_step;
        h->failed++;
        snprintf(text, sizeof text, "%s: %s%s%.60s%s%.80s", record_state_name(h->state),
                 record_reason_name((uint8_t)(stuck ? saga->stuck_reason : saga->reason)),
                 step[0] != '\0' ? " at " : "", step, saga->reason_message[0] != '\0' ? ", " : "",
                 saga->reason_message);
        note_trouble(h, text);
    }
    if (h->state == SAGA_STUCK)
        await(s, h, false);
}

static void on_waited(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    struct heartbeat *h = tag;
    h->busy = false;
    if (s->cutting || s->stopping)
        return;
    Saga__V1__WaitResponse *m =
        told->status != 0 ? NULL : saga__v1__wait_response__unpack(NULL, told->body.size, told->body.at);
    if (m != NULL && m->saga != NULL)
        ended(s, h, m->saga);
    else if (told->status == CODE_NOT_FOUND)
        note_trouble(h, told->message == NULL ? "it is not there any more" : told->message);
    else
        wait_later(s, h, told->message == NULL ? "its end cannot be told" : told->message);
    if (m != NULL)
        saga__v1__wait_response__free_unpacked(m, NULL);
    drop_idle(s);
}

static const struct rpc_asker waiter = {.on_end = on_waited};

static void await(struct loop *s, struct heartbeat *h, bool until_stuck)
{
    Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
    m.saga_id = h->saga;
    m.until_stuck = until_stuck;
    if (!send_off(s, h, METHOD_WAIT, &m.base, &waiter))
        wait_later(s, h, "there is no memory");
}

static void on_started(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    struct heartbeat *h = tag;
    h->busy = false;
    if (s->cutting || s->stopping)
        return;
    Saga__V1__StartResponse *m =
        told->status != 0 ? NULL : saga__v1__start_response__unpack(NULL, told->body.size, told->body.at);
    if (m == NULL) {
        if (h->config != NULL)
            miss(s, h, told->message == NULL ? "Start was refused" : told->message);
        drop_idle(s);
        return;
    }
    snprintf(h->saga, sizeof h->saga, "%s", m->saga_id);
    h->state = SAGA_RUNNING;
    saga__v1__start_response__free_unpacked(m, NULL);
    await(s, h, true);
}

static const struct rpc_asker starter = {.on_end = on_started};

static void begin(struct loop *s, struct heartbeat *h)
{
    const struct config_synthetic *c = h->config;
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    Google__Protobuf__Duration deadline = GOOGLE__PROTOBUF__DURATION__INIT;
    m.definition = (char *)(uintptr_t)c->promised.definition;
    m.version = (char *)(uintptr_t)c->version;
    m.input = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)c->input, .len = strlen(c->input)};
    m.input_json = (char *)(uintptr_t)c->input_json;
    deadline.seconds = c->deadline.us / 1000000;
    deadline.nanos = (int32_t)(c->deadline.us % 1000000) * 1000;
    m.deadline = &deadline;
    m.synthetic = true;
    h->began_at = clock_now(&s->clock);
    h->asked = h->turn++ % s->sidecar->count;
    if (!send_off(s, h, METHOD_START, &m.base, &starter))
        miss(s, h, "there is no memory");
}

void synthetics_turn(struct loop *s)
{
    struct instant now = clock_now(&s->clock);
    for (struct heartbeat *h = s->heartbeats; h != NULL; h = h->next) {
        if (h->config == NULL)
            continue;
        if (instant_before(now, h->next_at)) {
            if (!instant_before(now, h->wait_again_at))
                await(s, h, h->state != SAGA_STUCK);
            continue;
        }
        h->next_at = instant_after(h->next_at, h->config->every);
        /* What a stopped machine slept through is not made up for. */
        if (!instant_before(now, h->next_at))
            h->next_at = instant_after(now, h->config->every);
        if (h->busy)
            miss(s, h, "the one before it has not ended");
        else
            begin(s, h);
    }
}

struct instant synthetics_expiry(const struct loop *s)
{
    struct instant next = INSTANT_NEVER;
    for (const struct heartbeat *h = s->heartbeats; h != NULL; h = h->next)
        next = h->config == NULL ? next : instant_min(next, instant_min(h->next_at, h->wait_again_at));
    return next;
}

bool synthetics_fill(const struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    size_t count = 1;
    for (const struct heartbeat *h = s->heartbeats; h != NULL; h = h->next)
        count++;
    m->synthetics = arena_take(a, count * sizeof(*m->synthetics));
    if (m->synthetics == NULL)
        return false;
    for (const struct heartbeat *h = s->heartbeats; h != NULL; h = h->next) {
        if (h->config == NULL)
            continue;
        Saga__V1__SyntheticStatus *t = arena_take(a, sizeof *t);
        if (t == NULL)
            return false;
        saga__v1__synthetic_status__init(t);
        t->definition = arena_text(a, bytes_of_text(h->definition));
        t->committed = h->committed;
        t->failed = h->failed;
        t->missed = h->missed;
        t->last_state = (Saga__V1__SagaState)h->state;
        t->last_saga = arena_text(a, bytes_of_text(h->saga));
        t->last_trouble = arena_text(a, bytes_of_text(h->trouble));
        t->every = view_span(a, h->config->every);
        bool ok = t->definition != NULL && t->last_saga != NULL && t->last_trouble != NULL && t->every != NULL &&
                  (h->last_success.us == 0 || (t->last_success = view_time(a, h->last_success)) != NULL) &&
                  (h->took.us == 0 || (t->last_took = view_span(a, h->took)) != NULL);
        if (!ok)
            return false;
        m->synthetics[m->n_synthetics++] = t;
    }
    return true;
}
