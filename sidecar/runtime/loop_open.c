/* loop_open.c - the parts of one loop put together: journal, calls, core, api; and taken apart again. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/base/account.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/fleet.h"
#include "sidecar/runtime/lately.h"
#include "sidecar/runtime/files.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/limits.h"
#include "sidecar/runtime/objectives.h"
#include "sidecar/runtime/policing.h"
#include "sidecar/runtime/reload.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/status.h"
#include "sidecar/runtime/synthetics.h"
#include "sidecar/runtime/targets.h"
#include "sidecar/runtime/trust.h"
#include "sidecar/shard/place.h"

#include "descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

/* Rows of ended sagas that are verified before the loop serves. */
#define VERIFY_AT_START 10000

static int make_data_dir(const struct config *config, struct error_detail *detail)
{
    if (mkdir(config->data_dir, 0700) == 0 || errno == EEXIST)
        return 0;
    return file_error("make directory", config->data_dir, "data_dir", detail);
}

static int take_tag(void *self, const struct subject_row *row)
{
    struct loop *s = self;
    char text[SUBJECT_NAME_BYTES_MAX + 1];
    char *end;
    memcpy(text, row->name.at, row->name.size);
    text[row->name.size] = '\0';
    uint64_t tag = strtoull(text, &end, 16);
    if (*end != '\0' || tag >> SAGA_ID_TAG_BITS != 0)
        return error_set(&s->failure.detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects names no tag");
    if (tags_add(&s->sidecar->tags, &heap, tag, s->index) != 0)
        return error_set(&s->failure.detail, E_MEMORY, "", NULL);
    return 0;
}

static int take_placement(void *self, const struct subject_row *row)
{
    struct loop *s = self;
    s->sidecar->tags.mixed = row->version == PLACEMENT_MIXED;
    return s->sidecar->tags.mixed ? 0
                                  : error_set(&s->failure.detail, E_JOURNAL_VERSION, "",
                                              "request_ids are placed by a rule that this sagad does not know; start "
                                              "the sagad that wrote it, or a newer one");
}

/* Journals that nothing lives in yet share request_ids out evenly; others go on as they began. Loop 0 keeps the rule, and is opened last. */
static int settle_placement(struct loop *s, const struct store_state *state)
{
    struct subject_row row = {
        .kind = SUBJECT_PLACEMENT, .name = bytes_of_text("request_id"), .version = PLACEMENT_MIXED};
    struct store_commit commit = {.epoch = state->epoch, .subjects = &row, .subject_count = 1};
    int code = s->store->scan_subjects(s->store, SUBJECT_PLACEMENT, take_placement, s, &s->failure.detail);
    s->sidecar->used |= state->last_frame != 0;
    if (code != 0 || s->index != 0 || s->sidecar->count == 1 || s->sidecar->used || s->sidecar->tags.mixed)
        return code;
    s->sidecar->tags.mixed = true;
    return store_commit_now(s->store, &commit, &s->failure.detail);
}

static int open_journal(struct loop *s, struct store_state *state, struct error_detail *detail)
{
    int code = journal_open(s->config, s->index, s->sidecar->adopted, &s->store, state, detail);
    s->database = code == 0 && s->config->store[0] != '\0' ? s->store : NULL;
    if (code == 0)
        code = keys_apply(&s->sidecar->keys, state, &s->store, detail);
    s->old_keys = code == 0 ? sealed_store_old_keys(s->store) : 0;
    if (code == 0 && s->config->audit_verify_at_start)
        code = keys_verify(s->store, detail);
    if (code == 0 && (catalog_create(s->config->definitions_max, &s->catalog) != 0 ||
                      schemas_create(s->config->schemas_max, &s->schemas) != 0))
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code != 0)
        return code;
    bool more;
    s->limits.schemas = schemas_current(s->schemas);
    code = loop_verify_rows(s, VERIFY_AT_START, &more, &s->failure.detail);
    if (code == 0)
        code = schemas_recover(s->schemas, s->store, &s->failure.detail);
    if (code == 0)
        code = retries_recover(s->store, &s->retries, &s->failure.detail);
    if (code == 0)
        code = s->store->scan_definitions(s->store, registered_recover, s, &s->failure.detail);
    retries_destroy(s->retries);
    s->retries = NULL;
    if (code == 0)
        code = s->store->scan_subjects(s->store, SUBJECT_TAG, take_tag, s, &s->failure.detail);
    if (code == 0)
        code = settle_placement(s, state);
    if (code != 0)
        *detail = s->failure.detail;
    return code;
}

static void on_message(void *self, struct rpc_call *call, struct bytes message)
{
    relay_message(((struct loop *)self)->relay, call, message);
}

static void on_half_close(void *self, struct rpc_call *call)
{
    api_half_close(((struct loop *)self)->api, call);
}

static void on_cancelled(void *self, struct rpc_call *call)
{
    relay_cancelled(((struct loop *)self)->relay, call);
}

static void on_refused(void *self, const struct rpc_method *method, int code)
{
    counters_refused(self, method->path, code);
}

static void refused(void *self, enum method_id method, int code)
{
    counters_refused(self, methods_served[method].path, code);
}

static void on_sent(void *self, struct rpc_call *call)
{
    relay_sent(((struct loop *)self)->relay, call);
}

static void on_reply(void *self, const struct reply_effect *reply, const struct error_detail *detail)
{
    struct loop *s = self;
    if (s->remedies != NULL && reply->token == (uintptr_t)s->remedies)
        remedies_kept(s, reply->code);
    else
        api_reply(s->api, reply, detail);
}

/* A commit is bounded in bytes, so a turn ends when it has gathered as much. */
static bool enough(void *self)
{
    return core_batch_full(((struct loop *)self)->core);
}

static void tell_turned_away(void *self)
{
    (void)self;
    log_say(LOG_LEVEL_WARN,
            "connections are turned away: the limit of open files is reached (ulimit -n, LimitNOFILE= of systemd)");
}

static void tell_cut(void *self, const char *why, unsigned count)
{
    (void)self;
    log_event(LOG_LEVEL_WARN, "connections are ended, those that send most", LOG_TEXT("why", why),
              LOG_NUMBER("connections", count));
}

static bool may_reflect(void *self, struct rpc_call *call)
{
    return api_may_reflect(((struct loop *)self)->api, call);
}

/* Not while another may have the journal. */
static bool may_leave(void *self)
{
    struct error_detail detail;
    struct loop *s = self;
    return store_holds(s->store, &detail) == 0;
}

static int open_rpc(struct loop *s, struct error_detail *detail)
{
    static const unsigned accesses[] = {
        [CONFIG_UNIX_OWNER] = 0, [CONFIG_UNIX_GROUP] = 0060, [CONFIG_UNIX_EVERYBODY] = 0066};
    const struct config *c = s->config;
    struct rpc_options options = {
        .methods = methods_served,
        .method_count = METHOD_COUNT,
        .message_bytes_max = (uint32_t)c->message_bytes_max,
        .incoming_bytes_max = c->memory_bytes_max / 8,
        .outgoing_bytes_max = c->memory_bytes_max / 8 / c->loops,
        .calls_max = c->calls_max,
        .streams_max = c->streams_max,
        .connection_streams_max = c->connection_streams_max,
        .handshake_timeout = c->handshake_timeout,
        .keepalive_time = c->keepalive_time,
        .keepalive_timeout = c->keepalive_timeout,
        .tls_connection_age = c->tls_connection_age,
        .connect_timeout = c->connect_timeout,
        .metadata_bytes_max = (uint32_t)c->metadata_bytes_max,
        .forwarder = c->fleet_identity,
    };
    struct rpc_callbacks callbacks = {
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_cancelled = on_cancelled,
        .may_reflect = may_reflect,
        .may_leave = may_leave,
        .on_sent = on_sent,
        .on_answer = outcalls_answer,
        .on_refused = on_refused,
        .enough = enough,
        .on_reachable = outcalls_reachable,
        .on_turned_away = tell_turned_away,
        .on_cut = tell_cut,
        .self = s,
    };
    int code = rpc_create(&options, &callbacks, &s->rpc);
    if (code != 0)
        return error_set(detail, code, "", NULL);
    s->sidecar->rooms[s->index] = s->rpc;
    rpc_set_descriptors(s->rpc, bytes_of(descriptors, descriptors_size));
    code = targets_open(s, detail);
    bool listens = s->index == 0 && s->sidecar->adopted == NULL;
    for (size_t i = 0; listens && code == 0 && i < c->listen_count; i++) {
        int port = 0;
        const struct transport_credentials credentials = trust_of_listener(c->listen[i], s->sidecar->certificates);
        const struct rpc_listener listener = {.address = c->listen[i],
                                              .credentials = &credentials,
                                              .role = (unsigned)i,
                                              .access = accesses[c->unix_access]};
        code = rpc_listen(s->rpc, &listener, &port, detail);
        if (code == 0)
            log_event(LOG_LEVEL_INFO, "listening", LOG_TEXT("address", c->listen[i]), LOG_NUMBER("port", port));
    }
    if (listens && code == 0 && !rpc_accepts_itself(s->rpc))
        log_say(LOG_LEVEL_WARN,
                "this version of gRPC accepts connections by itself: their number has no bound, the users of "
                "unix sockets are not known, and once files have run out nobody is let in any more");
    return code;
}

static bool crowded(void *self)
{
    (void)self;
    return !account_takes_work();
}

/* Faults that the configuration asks for, from now on. */
static void inject_faults(struct loop *s)
{
    static const uint8_t phases[] = {0, SAGA_PHASE_ACTION, SAGA_PHASE_COMPENSATION};
    const struct config *c = s->config;
    struct drill_rule rules[DRILL_RULES_MAX];
    CHECK(c->fault_count <= DRILL_RULES_MAX);
    for (size_t i = 0; i < c->fault_count; i++) {
        const struct config_fault *f = &c->faults[i];
        struct drill_rule *r = &rules[i];
        *r = (struct drill_rule){.phase = phases[f->calls],
                                 .kind = f->kind,
                                 .status = f->status,
                                 .permille = f->permille,
                                 .delay = f->delay,
                                 .until = instant_after(clock_now(&s->clock), f->lasts)};
        snprintf(r->target, sizeof r->target, "%s", f->target);
        snprintf(r->definition, sizeof r->definition, "%s", f->definition);
        snprintf(r->tag, sizeof r->tag, "%s", f->tag);
        snprintf(r->tag_value, sizeof r->tag_value, "%s", f->tag_value);
    }
    core_set_drill(s->core, rules, (uint32_t)c->fault_count);
    if (c->fault_count > 0)
        log_event(LOG_LEVEL_WARN, "faults are injected, for a drill", LOG_TEXT("actor", "sagad.yaml"),
                  LOG_NUMBER("faults", (int64_t)c->fault_count));
}

static int open_core(struct loop *s, const struct store_state *state, struct error_detail *detail)
{
    const struct config *c = s->config;
    uint64_t chance[2];
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        return file_error("read", "random numbers", "", detail);
    struct target_options *targets = calloc(c->target_count + 1, sizeof *targets);
    struct definition_bound *limits = limits_of(c, s->index, s->sidecar->count);
    if (targets == NULL || limits == NULL) {
        free(targets);
        free(limits);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    for (size_t i = 0; i < c->target_count; i++)
        targets[i] = targets_options(&c->targets[i]);
    struct core_options options = {
        .engine =
            {
                .live_sagas_max = c->live_sagas_max,
                .steps_max = c->steps_max,
                .payload_bytes_max = (uint32_t)c->payload_bytes_max,
                .targets_max = LOOP_TARGETS_MAX,
                .enlisted_deadline_default = c->enlisted_deadline_default,
                .enlisted_lease_default = c->enlisted_lease_default,
                .pushback_max = c->pushback_max,
                .deadline_max = c->deadline_max,
                .compensation_retry = c->default_compensation_retry,
                .target_wait = c->target_wait,
                .recall = {.answers_max = c->last_good_answers_max,
                           .bytes_max = c->last_good_bytes_max,
                           .age_max = c->last_good_age_max},
                .seed = chance[0],
                .tag = place_tag(chance[1], s->index, s->sidecar->count),
            },
        .targets = targets,
        .target_count = c->target_count,
        .limits = limits,
        .limit_count = c->definition_limit_count,
        .commit_bytes_max = (size_t)c->commit_bytes_max,
        .retention = c->retention,
        .audit_retention = c->audit_retention,
        .slis = s->slis,
    };
    if (tags_add(&s->sidecar->tags, &heap, options.engine.tag, s->index) != 0) {
        free(targets);
        free(limits);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    struct core_world world = {.durable = observer_durable,
                               .reply = on_reply,
                               .call = outcalls_call,
                               .breaker = targets_breaker,
                               .crowded = crowded,
                               .self = s};
    int code = core_open(&options, &heap, s->store, state, s->catalog, &world, clock_now(&s->clock), &s->core, detail);
    free(targets);
    free(limits);
    if (code == 0)
        clock_not_before(&s->clock, core_latest(s->core));
    if (code == 0)
        inject_faults(s);
    return code;
}

static struct instant now(void *self)
{
    return clock_now(&((struct loop *)self)->clock);
}

static uint64_t durable_frame(void *self, unsigned loop)
{
    return atomic_load(&((struct loop *)self)->sidecar->loops[loop]->durable_frame);
}

static int open_api(struct loop *s, uint64_t last_frame, struct error_detail *detail)
{
    const struct config *c = s->config;
    const struct api_options options = {
        .core = s->core,
        .catalog = s->catalog,
        .schemas = s->schemas,
        .store = s->store,
        .rpc = s->rpc,
        .rooms = s->sidecar->rooms,
        .loop = s->index,
        .guest = s->sidecar->adopted == NULL ? "" : s->sidecar->adopted->journal,
        .loops = s->sidecar->count,
        .tags = &s->sidecar->tags,
        .bulks = s->bulks,
        .fault_injection = s->config->fault_injection,
        .slis = s->slis,
        .definition_limits = s->limits,
        .admit = registered_admit,
        .warn = registered_warn,
        .compensation_retry = c->default_compensation_retry,
        .waiters_max = c->waiters_max,
        .watchers_max = c->watchers_max,
        .pipe_commands_max = c->pipe_commands_max,
        .steps_max = c->steps_max,
        .last_frame = last_frame,
        .authz = &c->authorization,
        .now = now,
        .reload = reload_ask,
        .reflect = drift_reflect,
        .fleet = c->fleet[0] != '\0' && s->sidecar->adopted == NULL,
        .journals = fleet_journals,
        .give = fleet_give,
        .status = status_fill,
        .rules = remedies_list,
        .change_rule = remedies_change,
        .refused = refused,
        .self = s,
        .failure = &s->failure,
    };
    if (api_create(&options, &s->api) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    bool fleet = s->config->fleet[0] != '\0' && s->sidecar->adopted == NULL;
    const struct relay_options relay = {
        .api = s->api,
        .rpc = s->rpc,
        .rooms = s->sidecar->rooms,
        .loop = s->index,
        .loops = s->sidecar->count,
        .places = &s->sidecar->places,
        .asked = fleet_asked,
        .find = fleet ? fleet_find : NULL,
        .journals = fleet ? fleet_all : NULL,
        .credentials = fleet_credentials,
        .wish = fleet_wish,
        .now = now,
        .tags = &s->sidecar->tags,
        .durable_frame = durable_frame,
        .self = s,
    };
    return relay_create(&relay, &s->relay) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
}

static void wake(void *self)
{
    rpc_wake(((struct loop *)self)->rpc);
}

static int audit_bulk(void *self, const Saga__V1__BulkJob *job, struct event *event)
{
    return api_audit_bulk(((struct loop *)self)->api, job, event);
}

static int open_bulks(struct loop *s)
{
    const struct bulk_options options = {
        .core = s->core, .memory = &heap, .loops = s->sidecar->count, .audit = audit_bulk, .self = s};
    return bulks_create(&options, &s->bulks);
}

static int open_parts(struct loop *s, struct error_detail *detail)
{
    struct store_state state;
    int code = make_data_dir(s->config, detail);
    if (code == 0)
        code = open_journal(s, &state, detail);
    if (code == 0)
        code = open_rpc(s, detail);
    if (code == 0 && s->store->tell != NULL)
        s->store->tell(s->store, wake, s);
    if (code == 0)
        code = objectives_open(s, detail);
    if (code == 0)
        code = open_core(s, &state, detail);
    if (code == 0 && open_bulks(s) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0)
        code = bulks_recover(s->bulks, s->store, detail);
    if (code == 0)
        code = open_api(s, state.last_frame, detail);
    if (code == 0 && counters_are_wanted(s->config) && counters_open(s) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0 && lately_open(s) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0 && synthetics_open(s) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0)
        code = remedies_open(s, detail);
    if (code == 0 && tracing_create(s->config, &s->tracing) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code != 0)
        return code;
    atomic_store(&s->durable_frame, state.last_frame);
    return 0;
}

int loop_open(const struct config *config, struct sidecar *sidecar, unsigned index, struct loop **out,
              struct error_detail *detail)
{
    struct loop *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    s->config = config;
    s->sidecar = sidecar;
    s->index = index;
    s->limits = config_definition_limits(config);
    atomic_store(&s->live, POSTGRES_LIVE_UNKNOWN);
    clock_init(&s->clock);
    int code = policing_open(config, &s->policy, detail);
    if (code == 0)
        code = open_parts(s, detail);
    if (code != 0) {
        loop_close(s);
        return code;
    }
    *out = s;
    return 0;
}

void loop_close(struct loop *s)
{
    if (s == NULL)
        return;
    if (s->store != NULL && s->store->tell != NULL)
        s->store->tell(s->store, NULL, NULL);
    /* After a failure requests may be left that nobody can answer any more: then the room stays until the process ends. */
    if (s->rpc == NULL || rpc_idle(s->rpc))
        rpc_destroy(s->rpc);
    relay_destroy(s->relay);
    api_destroy(s->api);
    bulks_destroy(s->bulks);
    loop_tell_live(s);
    core_close(s->core);
    if (s->sidecar->adopted != NULL)
        objectives_leave(s);
    slis_destroy(s->slis);
    counters_close(s);
    lately_close(s);
    synthetics_close(s);
    remedies_close(s);
    tracing_destroy(s->tracing);
    drift_finish(s);
    catalog_destroy(s->catalog);
    schemas_destroy(s->schemas);
    policy_destroy(s->policy);
    if (s->store != NULL)
        s->store->close(s->store);
    outcalls_finish(s);
    targets_close(s);
    free(s);
}
