/* targets.c - an address that has changed is another connection; the one before ends once its calls have. */
#include "sidecar/runtime/targets.h"

#include "sidecar/base/check.h"
#include "sidecar/config/config_same.h"
#include "sidecar/engine/target.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/trust.h"

#include <stdlib.h>

/* ---- names, in all loops alike ---- */

/* Loops may know a target by different numbers, when there are some that the configuration does not name: all count on this. NULL: no memory. */
static struct shared_target *shared(struct sidecar *sidecar, const char *name)
{
    struct shared_target *t;
    pthread_mutex_lock(&sidecar->targets_mutex);
    for (t = sidecar->targets; t != NULL && strcmp(t->name, name) != 0;)
        t = t->next;
    if (t == NULL && (t = calloc(1, sizeof *t + strlen(name) + 1)) != NULL) {
        memcpy(t->name, name, strlen(name) + 1);
        t->next = sidecar->targets;
        sidecar->targets = t;
    }
    pthread_mutex_unlock(&sidecar->targets_mutex);
    return t;
}

/* ---- connections ---- */

/* A connection to what the configuration says now. C core keeps who is expected there, so the words stay as long as the loop. */
static int connect(struct loop *s, uint16_t index, const struct config_target *target, struct error_detail *detail)
{
    struct loop_target *own = &s->targets[index];
    size_t address_size = strlen(target->address) + 1, identity_size = strlen(target->identity) + 1;
    struct target_words *words = malloc(sizeof *words + address_size + identity_size);
    if (words == NULL || (own->shared == NULL && (own->shared = shared(s->sidecar, target->name)) == NULL)) {
        free(words);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    memcpy(words->text, target->address, address_size);
    memcpy(words->text + address_size, target->identity, identity_size);
    struct config_target kept = *target;
    kept.address = words->text;
    kept.identity = words->text + address_size;
    const struct transport_credentials credentials = trust_of_target(&kept, s->sidecar->certificates);
    const struct rpc_peer_address to = {.address = kept.address,
                                        .credentials = &credentials,
                                        .number = index,
                                        .policy = kept.load_balancing_policy == CONFIG_PICK_FIRST ? SPREAD_PICK_FIRST
                                                                                                  : SPREAD_ROUND_ROBIN};
    struct rpc_target *rpc;
    int code = rpc_target_create(s->rpc, &to, &rpc, detail);
    if (code != 0) {
        free(words);
        return code;
    }
    words->next = s->target_words;
    s->target_words = words;
    if (own->rpc != NULL)
        rpc_target_retire(own->rpc);
    own->rpc = rpc;
    s->target_count = index >= s->target_count ? index + 1u : s->target_count;
    own->address = words->text;
    return 0;
}

int targets_open(struct loop *s, struct error_detail *detail)
{
    int code = 0;
    s->targets = calloc(LOOP_TARGETS_MAX, sizeof *s->targets);
    if (s->targets == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; code == 0 && i < s->config->target_count; i++)
        code = connect(s, (uint16_t)i, &s->config->targets[i], detail);
    return code;
}

void targets_close(struct loop *s)
{
    for (struct target_words *words = s->target_words, *next; words != NULL; words = next) {
        next = words->next;
        free(words);
    }
    free(s->targets);
}

struct target_options targets_options(const struct config_target *target)
{
    return (struct target_options){
        .name = target->name,
        .timeout = target->timeout,
        .barrier = target->barrier,
        .adaptive_concurrency = target->adaptive_concurrency,
        .max_concurrent_calls = target->max_concurrent_calls,
        .rate = {.per_second = target->rate_limit_per_second, .burst = target->rate_limit_burst},
        .budget = {.percent = target->retry_budget_percent, .min_per_second = target->retry_budget_min_per_second},
        .max_pending_calls = target->max_pending_calls,
        .pending_timeout = target->pending_timeout,
        .breaker = {.window = target->breaker_window,
                    .volume = target->breaker_volume,
                    .failure_percent = target->breaker_failure_percent,
                    .slow_percent = target->breaker_slow_percent,
                    .slow_call = target->breaker_slow_call,
                    .status_codes = target->breaker_status_codes,
                    .open = target->breaker_open,
                    .open_max = target->breaker_open_max,
                    .probes = target->breaker_probes},
    };
}

void targets_breaker(void *self, const struct breaker_effect *breaker)
{
    struct loop *s = self;
    const char *name = engine_target(core_engine(s->core), breaker->target)->name;
    const struct breaker_mark *mark = &breaker->mark;
    counters_breaker(s, name, mark->open || mark->held);
    struct span open = instant_since(mark->open_until, mark->opened_at);
    if (mark->held)
        log_event(LOG_LEVEL_WARN, "a target's breaker is held open: its calls wait until an operator resets it",
                  LOG_TEXT("target", name));
    else if (mark->open)
        log_event(LOG_LEVEL_WARN, "a target's breaker is open: its calls wait", LOG_TEXT("target", name),
                  LOG_NUMBER("open_ms", open.us / 1000), LOG_NUMBER("times_in_a_row", mark->openings));
    else
        log_event(LOG_LEVEL_INFO, "a target's breaker is closed again", LOG_TEXT("target", name));
}

/* ---- changes ---- */

const struct config_target *targets_find(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->target_count; i++)
        if (strcmp(config->targets[i].name, name) == 0)
            return &config->targets[i];
    return NULL;
}

/* What waits for it may go now, or finds a place. */
void targets_let_go(struct loop *s, uint16_t index)
{
    struct event event = {.type = EVENT_TARGET, .now = clock_now(&s->clock), .target = index};
    api_submit(s->api, &event);
}

static void set(struct loop *s, const struct target_options *options, const struct config_target *connected)
{
    struct error_detail detail = {.text = ""};
    bool gone = options->max_concurrent_calls == 0;
    int index = core_set_target(s->core, options);
    int code = index < 0 ? index : connected == NULL ? 0 : connect(s, (uint16_t)index, connected, &detail);
    if (code != 0) {
        if (index >= 0 && s->targets[index].rpc == NULL)
            core_set_target(s->core, &(struct target_options){.name = options->name});
        log_event(LOG_LEVEL_ERROR, "a target cannot be changed without a restart: there is no room for it",
                  LOG_TEXT("target", options->name));
        return;
    }
    struct loop_target *own = &s->targets[index];
    if (gone && own->rpc != NULL)
        rpc_target_retire(own->rpc);
    if (gone)
        own->rpc = NULL;
    if (own->down_since.us != 0 && (gone || connected != NULL)) {
        atomic_fetch_sub(&own->shared->down, 1);
        own->down_since = (struct instant){0};
    }
    counters_target(s, options->name, options->max_concurrent_calls);
    targets_let_go(s, (uint16_t)index);
}

void targets_take(struct loop *s, const struct config *before, const struct config *after)
{
    for (size_t i = 0; i < after->target_count; i++) {
        const struct config_target *target = &after->targets[i], *was = targets_find(before, target->name);
        if (was != NULL && config_same_target(was, target))
            continue;
        if (was != NULL)
            counters_target_changes(s, was);
        const struct config_target own = sidecar_share_target(target, s->index, s->sidecar->count);
        const struct target_options options = targets_options(&own);
        bool elsewhere = was == NULL || strcmp(was->address, target->address) != 0 ||
                         strcmp(was->identity, target->identity) != 0 ||
                         was->load_balancing_policy != target->load_balancing_policy;
        set(s, &options, elsewhere ? target : NULL);
    }
    for (size_t i = 0; i < before->target_count; i++) {
        const struct target_options gone = {.name = before->targets[i].name};
        if (targets_find(after, gone.name) != NULL)
            continue;
        counters_target_changes(s, &before->targets[i]);
        set(s, &gone, NULL);
    }
}

bool targets_gave_up(const struct loop *s, uint16_t target, const struct rpc_target *over)
{
    return s->targets[target].rpc != over;
}

/* ---- whether it can be reached ---- */

void targets_down(struct loop *s, uint16_t target, const struct rpc_answer *answer)
{
    struct loop_target *own = &s->targets[target];
    if (own->down_since.us != 0)
        return;
    own->down_since = clock_now(&s->clock);
    if (atomic_fetch_add(&own->shared->down, 1) == 0)
        log_event(LOG_LEVEL_WARN, "a target cannot be reached: its calls wait for it",
                  LOG_TEXT("target", own->shared->name), LOG_TEXT("address", own->address),
                  LOG_TEXT("why", answer->unreached), LOG_BYTES("detail", answer->message));
}

void targets_back(struct loop *s, uint16_t target)
{
    struct loop_target *own = &s->targets[target];
    struct span down = instant_since(clock_now(&s->clock), own->down_since);
    if (own->down_since.us == 0) /* it was changed or taken away meanwhile */
        return;
    own->down_since = (struct instant){0};
    if (atomic_fetch_sub(&own->shared->down, 1) == 1)
        log_event(LOG_LEVEL_INFO, "a target can be reached again", LOG_TEXT("target", own->shared->name),
                  LOG_NUMBER("down_ms", down.us / 1000));
    if (!s->cutting)
        targets_let_go(s, target);
}
