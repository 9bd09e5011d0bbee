/* drift.c - a target is asked what its messages are, and every definition that calls it is held against that, a few at a time. */
#include "sidecar/runtime/drift.h"

#include "sidecar/contract/contract.h"
#include "sidecar/core/heap.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <stdlib.h>

#define REFLECT_TIMEOUT SPAN_S(10)
#define SERVICES_MAX    64
/* How long one turn may compare. */
#define COMPARE_MAX SPAN_MS(4)
/* Lines of one comparison; the rest is counted. */
#define TOLD_MAX 5

static const struct instant never = {.us = INT64_MAX};

/* ---- for those who ask ---- */

static void reflected(void *self, void *tag, const struct rpc_reflected *told)
{
    struct loop *s = self;
    struct error_detail detail;
    char why[sizeof detail.text];
    if (s->cutting)
        return;
    snprintf(why, sizeof why, "%.*s", (int)told->message.size, (const char *)told->message.at);
    int code = told->status == 0 ? 0 : E_REFLECTION;
    if (code != 0) {
        error_set(&detail, code, "target", "the target does not tell of its messages: ");
        error_append(&detail, why);
    }
    api_reflected(s->api, (uint32_t)(uintptr_t)tag, code, &detail, told->set);
}

int drift_reflect(void *self, const char *target, char *const *services, unsigned count, uint32_t *number,
                  struct error_detail *detail)
{
    struct loop *s = self;
    for (unsigned i = 0; i < s->target_count; i++) {
        if (s->targets[i].rpc == NULL || strcmp(s->targets[i].shared->name, target) != 0)
            continue;
        *number = ++s->drift.asked;
        rpc_reflect(s->targets[i].rpc, (const char *const *)services, count, REFLECT_TIMEOUT, reflected,
                    (void *)(uintptr_t)*number);
        return 0;
    }
    return error_set(detail, E_TARGET_NOT_FOUND, "target", NULL);
}

/* ---- which services of a target are called ---- */

struct services {
    char *names[SERVICES_MAX]; /* owned */
    unsigned count;
};

static void add_service(struct services *list, const char *method)
{
    size_t size = (size_t)(strrchr(method, '/') - method) - 1;
    for (unsigned i = 0; i < list->count; i++)
        if (strncmp(list->names[i], method + 1, size) == 0 && list->names[i][size] == '\0')
            return;
    char *name = list->count < SERVICES_MAX ? strndup(method + 1, size) : NULL;
    if (name != NULL)
        list->names[list->count++] = name;
}

/* Of typed definitions: what others send nobody knows. */
static void add_services(struct services *list, const struct definition *d, const char *target)
{
    for (unsigned i = 0; i < d->step_count && d->schema != NULL; i++) {
        const struct step_spec *step = &d->steps[i];
        const char *own;
        for (unsigned undo = 0; undo < 2; undo++)
            for (unsigned k = 0; (own = step_spec_target(step, undo, k)) != NULL; k++)
                if (strcmp(own, target) == 0)
                    add_service(list, undo ? step->compensation.method : step->action.method);
    }
}

/* ---- comparing ---- */

static const char *target_name(const struct loop *s)
{
    return s->targets[s->drift.target].shared->name;
}

static void go_on(struct loop *s, enum drift_phase phase)
{
    struct drift *d = &s->drift;
    schema_destroy(d->schema);
    d->schema = NULL;
    d->phase = phase;
    d->next = clock_now(&s->clock);
}

static void tell_failure(struct loop *s, const char *why, size_t size)
{
    struct drift_target *t = &s->drift.targets[s->drift.target];
    if (!t->failed)
        log_event(LOG_LEVEL_WARN, "a target does not tell of its messages: they cannot be compared",
                  LOG_TEXT("target", target_name(s)), LOG_BYTES("why", bytes_of(why, size)));
    t->failed = true;
    s->drift.target++;
    go_on(s, DRIFT_NEXT);
}

static void told(void *self, void *tag, const struct rpc_reflected *answer)
{
    struct loop *s = self;
    struct drift *d = &s->drift;
    struct error_detail detail;
    char hash[SHA256_TEXT_SIZE];
    (void)tag;
    if (s->cutting)
        return;
    if (answer->status != 0) {
        tell_failure(s, (const char *)answer->message.at, answer->message.size);
        return;
    }
    struct drift_target *t = &d->targets[d->target];
    sha256_text(answer->set, hash);
    if (t->at.us != 0 && strcmp(t->hash, hash) == 0 && t->definitions == catalog_count(s->catalog)) {
        t->at = clock_now(&s->clock);
        t->failed = false;
        d->target++;
        go_on(s, DRIFT_NEXT);
        return;
    }
    if (schema_read(answer->set, &heap, &d->schema, &detail) != 0) {
        tell_failure(s, detail.text, strlen(detail.text));
        return;
    }
    memcpy(t->hash, hash, sizeof hash);
    t->failed = false;
    d->definition = 0;
    d->breaks = 0;
    d->phase = DRIFT_COMPARES;
    d->next = clock_now(&s->clock);
}

/* Begins with the next target that is called; or rests. */
static void next_target(struct loop *s)
{
    struct drift *d = &s->drift;
    struct services list = {.count = 0};
    for (; d->target < s->target_count && list.count == 0; d->target += list.count == 0)
        for (uint32_t i = 0; s->targets[d->target].rpc != NULL && i < catalog_count(s->catalog); i++)
            add_services(&list, catalog_at(s->catalog, i)->definition, target_name(s));
    if (list.count == 0) {
        d->phase = DRIFT_RESTS;
        d->next = instant_after(clock_now(&s->clock), s->config->schema_drift_interval);
        return;
    }
    d->phase = DRIFT_ASKS;
    d->next = never;
    rpc_reflect(s->targets[d->target].rpc, (const char *const *)list.names, list.count, REFLECT_TIMEOUT, told, NULL);
    for (unsigned i = 0; i < list.count; i++)
        free(list.names[i]);
}

struct comparing {
    struct loop *loop;
    const struct definition *definition;
};

static void found(void *self, const struct contract_finding *finding)
{
    const struct comparing *c = self;
    if (!finding->breaks || c->loop->drift.breaks++ >= TOLD_MAX)
        return;
    log_event(LOG_LEVEL_WARN, "a target's messages have drifted from what a definition was registered with",
              LOG_TEXT("target", target_name(c->loop)), LOG_TEXT("definition", c->definition->name),
              LOG_TEXT("version", c->definition->version), LOG_TEXT("step", c->definition->steps[finding->step].name),
              LOG_TEXT("phase", finding->compensation ? "compensation" : "action"),
              LOG_TEXT("rule", contract_rows[finding->rule].id), LOG_TEXT("what", finding->text));
}

static void end_comparison(struct loop *s)
{
    struct drift *d = &s->drift;
    struct drift_target *t = &d->targets[d->target];
    if (d->breaks > TOLD_MAX)
        log_event(LOG_LEVEL_WARN, "a target's messages have drifted in more than was told",
                  LOG_TEXT("target", target_name(s)), LOG_NUMBER("breaks", d->breaks));
    if (d->breaks == 0 && t->breaks > 0)
        log_event(LOG_LEVEL_INFO, "a target's messages are again as definitions were registered with them",
                  LOG_TEXT("target", target_name(s)));
    t->breaks = d->breaks;
    t->definitions = catalog_count(s->catalog);
    t->at = clock_now(&s->clock);
    d->target++;
    go_on(s, DRIFT_NEXT);
}

static void compare(struct loop *s)
{
    struct drift *d = &s->drift;
    struct instant until = instant_after(clock_now(&s->clock), COMPARE_MAX);
    while (d->definition < catalog_count(s->catalog) && instant_before(clock_now(&s->clock), until)) {
        struct comparing c = {.loop = s, .definition = catalog_at(s->catalog, d->definition++)->definition};
        const struct contract_check check = {.d = c.definition,
                                             .next = d->schema,
                                             .target = target_name(s),
                                             .memory = &heap,
                                             .found = found,
                                             .self = &c};
        /* Without memory a definition goes unchecked this time. */
        if (c.definition->schema != NULL)
            (void)contract_check(&check, NULL);
    }
    if (d->definition >= catalog_count(s->catalog))
        end_comparison(s);
}

void drift_turn(struct loop *s)
{
    struct drift *d = &s->drift;
    if (s->index != 0 || s->config->schema_drift_interval.us == 0) {
        d->next = never;
        return;
    }
    if (instant_before(clock_now(&s->clock), d->next))
        return;
    if (d->targets == NULL && (d->targets = calloc(LOOP_TARGETS_MAX, sizeof *d->targets)) == NULL) {
        d->next = instant_after(clock_now(&s->clock), s->config->schema_drift_interval);
        return;
    }
    switch (d->phase) {
    case DRIFT_RESTS:
        d->target = 0;
        next_target(s);
        break;
    case DRIFT_NEXT:
        next_target(s);
        break;
    case DRIFT_COMPARES:
        compare(s);
        break;
    case DRIFT_ASKS:
        break;
    }
}

const struct drift_target *drift_of(const struct loop *s, unsigned target)
{
    const struct drift *d = &s->drift;
    return d->targets == NULL || d->targets[target].at.us == 0 ? NULL : &d->targets[target];
}

void drift_finish(struct loop *s)
{
    schema_destroy(s->drift.schema);
    free(s->drift.targets);
}
