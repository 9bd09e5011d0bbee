/* reload.c - what was read is first tried and then done: definitions are registered by the sidecar's own requests to its loops, each tried dry
 * before anything is changed. */
#include "sidecar/runtime/reload.h"

#include "sidecar/base/check.h"
#include "sidecar/config/config_same.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/definitions_dir.h"
#include "sidecar/runtime/limits.h"
#include "sidecar/runtime/objectives.h"
#include "sidecar/runtime/policing.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/schemas_dir.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/synthetics.h"
#include "sidecar/runtime/targets.h"

#include "saga/v1/coordinator.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One file that was read. */
struct item {
    struct item *next;
    bool schema;      /* or a definition */
    bool already;     /* it was registered before */
    const char *name; /* of a definition with its version; what follows is within bytes, too */
    struct bytes body;
    uint8_t bytes[];
};

enum phase { SCHEMAS = 1, TRIES, TARGETS, DEFINITIONS };

struct reload {
    uint32_t number;       /* of the last request that it answers */
    struct config *fresh;  /* owned, until it is in force */
    struct policy *policy; /* owned: of its policy_file; once that is in force, the one before */
    bool policed;          /* loop 0 judges by it */
    struct item *items, **last_item;
    int code; /* why it cannot be taken, or 0 */
    struct error_detail detail;

    /* Loop 0's. */
    struct sidecar *sidecar;
    enum phase phase;
    struct item *item;      /* that is asked about, or next */
    unsigned loop;          /* which is asked */
    atomic_uint loops_left; /* that have not taken the targets */
    char **taken, **restart;
    size_t taken_count, restart_count;
};

/* ---- words ---- */

static void say(char ***list, size_t *count, const char *what, const char *which, const char *how)
{
    char **longer = realloc(*list, (*count + 1) * sizeof **list);
    size_t size = strlen(what) + strlen(which) + strlen(how) + 1;
    char *text = longer == NULL ? NULL : malloc(size);
    if (longer != NULL)
        *list = longer;
    if (text == NULL)
        return; /* it is done all the same */
    snprintf(text, size, "%s%s%s", what, which, how);
    (*list)[(*count)++] = text;
}

static void forget(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

static void reload_free(struct reload *r)
{
    if (r == NULL)
        return;
    for (struct item *item = r->items, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    config_destroy(r->fresh);
    policy_destroy(r->policy);
    forget(r->taken, r->taken_count);
    forget(r->restart, r->restart_count);
    free(r);
}

/* ---- reading: the thread of signals ---- */

static int add_item(struct reload *r, bool schema, const char *name, const char *version, struct bytes body,
                    struct error_detail *detail)
{
    size_t name_size = strlen(name) + strlen(version) + 2;
    struct item *item = calloc(1, sizeof *item + name_size + body.size);
    if (item == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    item->schema = schema;
    item->name = (char *)item->bytes;
    snprintf((char *)item->bytes, name_size, "%s%s%s", name, version[0] == '\0' ? "" : " ", version);
    if (body.size > 0)
        memcpy(item->bytes + name_size, body.at, body.size);
    item->body = bytes_of(item->bytes + name_size, body.size);
    *r->last_item = item;
    r->last_item = &item->next;
    return 0;
}

static int take_set(void *self, const char *name, struct bytes set, struct error_detail *detail)
{
    return add_item(self, true, name, "", set, detail);
}

static int take_definition(void *self, struct definition *definition, struct error_detail *detail)
{
    struct reload *r = self;
    int code = definitions_dir_check_one(r->fresh, definition, detail);
    if (code == 0)
        code = add_item(r, false, definition->name, definition->version, definition->source, detail);
    if (code == 0)
        definition_destroy(definition);
    return code;
}

void reload_read(struct sidecar *sidecar, const char *file)
{
    struct reload *r = calloc(1, sizeof *r);
    if (r == NULL) {
        log_say(LOG_LEVEL_ERROR, "the configuration cannot be read again: there is no memory");
        return;
    }
    r->number = atomic_load(&sidecar->reloads_asked);
    r->sidecar = sidecar;
    r->last_item = &r->items;
    r->phase = SCHEMAS;
    struct error_detail detail = {.text = ""};
    int code = config_read(file, &r->fresh, &detail);
    const char *at_fault = code != 0 ? file : NULL;
    if (code == 0)
        code = policing_open(r->fresh, &r->policy, &detail);
    if (code == 0)
        code = remedies_check(r->fresh, &detail);
    bool files = sidecar->adopted == NULL; /* another's journal gets nothing that is registered here */
    if (code == 0 && files)
        code = schemas_dir_read(r->fresh, take_set, r, &detail);
    if (code == 0 && files)
        code = definitions_dir_read(r->fresh, take_definition, r, &detail);
    if (code != 0) {
        char line[sizeof r->detail.text];
        config_describe_error(at_fault, code, &detail, line, sizeof line);
        r->code = error_set(&r->detail, code, "", line);
    }
    r->item = r->items;
    reload_free(atomic_exchange(&sidecar->reload_read, r)); /* what was read before and not taken yet is out of date */
    rpc_wake(sidecar->rooms[0]);
}

uint32_t reload_ask(void *self)
{
    struct loop *s = self;
    uint32_t number = atomic_fetch_add(&s->sidecar->reloads_asked, 1) + 1;
    kill(getpid(), SIGHUP);
    return number;
}

/* ---- the end of it ---- */

/* New definitions are judged by the new policy, those of this reload too; where that fails, by the one before. */
static void exchange_policy(struct loop *s, struct reload *r)
{
    struct policy *other = s->policy;
    s->policy = r->policy;
    r->policy = other;
    r->policed = !r->policed;
}

static void end(struct loop *s, struct reload *r)
{
    if (r->code != 0 && r->policed && r->phase != DEFINITIONS)
        exchange_policy(s, r);
    const struct api_reload told = {.code = r->code,
                                    .detail = &r->detail,
                                    .taken = r->taken,
                                    .taken_count = r->taken_count,
                                    .restart = r->restart,
                                    .restart_count = r->restart_count};
    /* What was tried and then refused all the same, as a catalog that was filled meanwhile. */
    if (r->code != 0 && r->phase == DEFINITIONS)
        error_append(&r->detail, " (targets and log level, and what came before, were taken)");
    if (r->code != 0)
        log_event(LOG_LEVEL_ERROR, "the configuration cannot be taken as it is",
                  LOG_TEXT("reason", error_row(r->code)->reason), LOG_TEXT("text", r->detail.text));
    for (size_t i = 0; r->code == 0 && i < r->taken_count; i++)
        log_event(LOG_LEVEL_INFO, "the configuration was read again: taken", LOG_TEXT("what", r->taken[i]));
    for (size_t i = 0; r->code == 0 && i < r->restart_count; i++)
        log_event(LOG_LEVEL_WARN, "an option has changed that takes effect at the next start",
                  LOG_TEXT("option", r->restart[i]));
    if (r->code == 0)
        log_event(LOG_LEVEL_INFO, "the configuration was read again", LOG_NUMBER("taken", (int64_t)r->taken_count),
                  LOG_NUMBER("needs_restart", (int64_t)r->restart_count));
    log_set_level((enum log_level)s->sidecar->config_now->log_level);
    api_reloaded(s->api, r->number, &told);
    s->sidecar->reload = NULL;
    reload_free(r);
}

/* ---- taking: loop 0 ---- */

/* Rules name listeners by their place, and stand for who may connect to a unix socket: both stay as they were at the start. */
static bool rules_fit(const struct sidecar *sidecar, const struct config *fresh)
{
    return config_same(sidecar->config, fresh, OPTION_INDEX_listen) &&
           config_same(sidecar->config, fresh, OPTION_INDEX_unix_access);
}

static void tell_rules(struct reload *r)
{
    const struct sidecar *sidecar = r->sidecar;
    if (config_same(sidecar->rules_now, r->fresh, OPTION_INDEX_authorization))
        return;
    if (rules_fit(sidecar, r->fresh))
        say(&r->taken, &r->taken_count, "authorization", "", "");
    else
        say(&r->restart, &r->restart_count, "authorization", "", "");
}

/* What is in force becomes what was read. */
static void take_rest(struct reload *r)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct sidecar *sidecar = r->sidecar;
    struct config *fresh = r->fresh;
    for (int i = 0; i < OPTION_INDEX_COUNT; i++)
        if (!config_options[i].reloaded && !config_same(sidecar->config, fresh, (enum option_index)i))
            say(&r->restart, &r->restart_count, config_options[i].name, "", "");
    if (!policy_same(sidecar->loops[0]->policy, r->policy))
        say(&r->taken, &r->taken_count, "policy_file: ", fresh->policy_file[0] == '\0' ? "none" : fresh->policy_file,
            "");
    static const enum option_index whole[] = {OPTION_INDEX_definition_limits, OPTION_INDEX_objectives,
                                              OPTION_INDEX_synthetics, OPTION_INDEX_remediation};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (!config_same(sidecar->config_now, fresh, whole[i]))
            say(&r->taken, &r->taken_count, config_options[whole[i]].name, "", "");
    if (fresh->log_level != sidecar->config_now->log_level)
        say(&r->taken, &r->taken_count, "log_level: ", levels[fresh->log_level], "");
    /* What was taken is said at the more talkative of both levels. */
    if (!log_wants((enum log_level)fresh->log_level))
        log_set_level((enum log_level)fresh->log_level);
    tell_rules(r);
    if (rules_fit(sidecar, fresh))
        sidecar->rules_now = fresh;
    if (sidecar->config_fresh != sidecar->rules_now)
        config_destroy(sidecar->config_fresh);
    if (sidecar->rules_fresh != sidecar->rules_now && sidecar->rules_fresh != sidecar->config_fresh)
        config_destroy(sidecar->rules_fresh);
    sidecar->rules_fresh =
        sidecar->rules_now == sidecar->config ? NULL : (struct config *)(uintptr_t)sidecar->rules_now;
    sidecar->config_fresh = fresh;
    sidecar->config_now = fresh;
    r->fresh = NULL;
}

static void tell_targets(struct reload *r)
{
    const struct config *before = r->sidecar->config_now, *after = r->fresh;
    for (size_t i = 0; i < after->target_count; i++) {
        const struct config_target *was = targets_find(before, after->targets[i].name);
        if (was == NULL || !config_same_target(was, &after->targets[i]))
            say(&r->taken, &r->taken_count, "target ", after->targets[i].name, was == NULL ? " added" : " changed");
    }
    for (size_t i = 0; i < before->target_count; i++)
        if (targets_find(after, before->targets[i].name) == NULL)
            say(&r->taken, &r->taken_count, "target ", before->targets[i].name,
                " removed: what calls it waits until it is back");
}

static void hand_out_targets(struct loop *s, struct reload *r)
{
    struct sidecar *sidecar = s->sidecar;
    tell_targets(r);
    atomic_store(&r->loops_left, sidecar->count);
    for (unsigned k = 0; k < sidecar->count; k++)
        atomic_store(&sidecar->targets_read[k], r);
    for (unsigned k = 0; k < sidecar->count; k++) /* this loop, too: its next turn takes them */
        rpc_wake(sidecar->rooms[k]);
}

static void go_on(struct loop *s, struct reload *r);

static const char target_not_there[] = "TARGET_NOT_FOUND";

/* Tried before its targets are there: that they are in the file was seen when it was read. */
static bool lacks_target_alone(const struct reload *r, const struct rpc_told *told)
{
    return r->phase == TRIES &&
           memmem(told->details.at, told->details.size, target_not_there, sizeof target_not_there - 1) != NULL;
}

/* Whether it was registered before. */
static bool already(const struct item *item, const struct rpc_told *told)
{
    bool before = false;
    if (item->schema) {
        Saga__V1__RegisterSchemaResponse *m =
            saga__v1__register_schema_response__unpack(NULL, told->body.size, told->body.at);
        before = m != NULL && m->already_registered;
        if (m != NULL)
            saga__v1__register_schema_response__free_unpacked(m, NULL);
    } else {
        Saga__V1__RegisterDefinitionResponse *m =
            saga__v1__register_definition_response__unpack(NULL, told->body.size, told->body.at);
        before = m != NULL && m->already_registered;
        if (m != NULL)
            saga__v1__register_definition_response__free_unpacked(m, NULL);
    }
    return before;
}

static void answered(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    struct reload *r = tag;
    if (told->status != 0 && !lacks_target_alone(r, told)) {
        char text[sizeof r->detail.text];
        snprintf(text, sizeof text, "%s %s: %s", r->item->schema ? "schema" : "definition", r->item->name,
                 told->message == NULL ? "" : told->message);
        r->code = error_set(&r->detail, E_ARGUMENT, "", text);
        end(s, r);
        return;
    }
    if (r->loop == 0 && r->phase != TRIES) {
        r->item->already = already(r->item, told);
        if (!r->item->already)
            say(&r->taken, &r->taken_count, r->item->schema ? "schema " : "definition ", r->item->name, "");
    }
    /* What loop 0 has accepted, the others get too. */
    if (++r->loop == s->sidecar->count || r->phase == TRIES || r->item->already) {
        r->loop = 0;
        r->item = r->item->next;
    }
    go_on(s, r);
}

static const struct rpc_asker asker = {.on_end = answered};

static void ask(struct loop *s, struct reload *r)
{
    Saga__V1__RegisterDefinitionRequest definition = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    Saga__V1__RegisterSchemaRequest schema = SAGA__V1__REGISTER_SCHEMA_REQUEST__INIT;
    const struct item *item = r->item;
    definition.source = schema.descriptors =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)item->body.at, .len = item->body.size};
    definition.dry_run = r->phase == TRIES;
    schema.name = (char *)(uintptr_t)item->name;
    const ProtobufCMessage *m = item->schema ? &schema.base : &definition.base;
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *packed = malloc(size + 1);
    if (packed == NULL) {
        r->code = error_set(&r->detail, E_MEMORY, "", NULL);
        end(s, r);
        return;
    }
    protobuf_c_message_pack(m, packed);
    rpc_ask(s->rpc, s->sidecar->rooms[r->loop],
            &methods_served[item->schema ? METHOD_REGISTER_SCHEMA : METHOD_REGISTER_DEFINITION], bytes_of(packed, size),
            NULL, &asker, r);
    free(packed);
}

/* The next thing to do; returns with an ask under way, or while the other loops have not taken their targets. */
static void go_on(struct loop *s, struct reload *r)
{
    bool schemas = r->phase == SCHEMAS;
    while (r->phase != TARGETS && r->item != NULL && r->item->schema != schemas)
        r->item = r->item->next;
    if (r->phase != TARGETS && r->item != NULL) {
        ask(s, r);
        return;
    }
    if (r->phase == TARGETS && atomic_load(&r->loops_left) > 0)
        return;
    r->item = r->items;
    switch (r->phase) {
    case SCHEMAS:
        r->phase = TRIES;
        exchange_policy(s, r);
        go_on(s, r);
        break;
    case TRIES:
        hand_out_targets(s, r);
        r->phase = TARGETS;
        break;
    case TARGETS:
        take_rest(r);
        r->phase = DEFINITIONS;
        go_on(s, r);
        break;
    case DEFINITIONS:
        end(s, r);
        break;
    }
}

const struct config *reload_config(const struct loop *s)
{
    const struct reload *r = s->sidecar->reload;
    return r != NULL && r->policed && r->fresh != NULL ? r->fresh : s->sidecar->config_now;
}

/* What is promised, begun by schedule, and done by rules; also when it is as it was, as what it was read from goes. */
static void take_watching(struct loop *s, const struct config *fresh)
{
    struct error_detail detail;
    int code = objectives_take(s, fresh);
    if (code == 0)
        code = synthetics_take(s, fresh);
    if (code == 0)
        code = remedies_take(s, fresh, &detail);
    if (code != 0)
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
}

void reload_turn(struct loop *s)
{
    struct sidecar *sidecar = s->sidecar;
    struct reload *own = atomic_load_explicit(&sidecar->targets_read[s->index], memory_order_acquire);
    if (own != NULL) {
        atomic_store(&sidecar->targets_read[s->index], NULL);
        targets_take(s, sidecar->config_now, own->fresh);
        if (!config_same(sidecar->config_now, own->fresh, OPTION_INDEX_definition_limits)) {
            counters_limits_change(s, sidecar->config_now);
            limits_take(s, own->fresh);
        }
        take_watching(s, own->fresh);
        if (rules_fit(sidecar, own->fresh))
            api_set_authz(s->api, &own->fresh->authorization);
        /* From here on it is loop 0's alone. */
        if (atomic_fetch_sub(&own->loops_left, 1) == 1 && s->index != 0)
            rpc_wake(sidecar->rooms[0]);
    }
    if (s->index != 0)
        return;
    if (sidecar->reload == NULL && atomic_load_explicit(&sidecar->reload_read, memory_order_relaxed) != NULL) {
        sidecar->reload = atomic_exchange(&sidecar->reload_read, NULL);
        if (sidecar->reload->code != 0)
            end(s, sidecar->reload);
        else
            go_on(s, sidecar->reload);
    } else if (sidecar->reload != NULL && sidecar->reload->phase == TARGETS) {
        go_on(s, sidecar->reload);
    }
}

void reload_drop(struct sidecar *sidecar)
{
    reload_free(atomic_exchange(&sidecar->reload_read, NULL));
    reload_free(sidecar->reload);
    if (sidecar->rules_fresh != sidecar->config_fresh)
        config_destroy(sidecar->rules_fresh);
    config_destroy(sidecar->config_fresh);
}
