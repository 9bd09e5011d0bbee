/* loop.c - the parts of one loop put together, its start, its turns and its end.
 *
 * One turn of the loop: take in everything that has arrived, commit once, let the effects out, then answer those who only look. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/definition/reader.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/files.h"
#include "sidecar/core/heap.h"
#include "sidecar/shard/place.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/trust.h"

#include "descriptors.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

/* How long what keeps arriving is taken in before there is a commit. */
#define TAKE_IN_MAX SPAN_MS(15)
/* How often a commit is tried again while the journal is full. */
#define FULL_RETRY SPAN_MS(200)
/* How often a store that answers later is asked. */
#define STORE_ASK SPAN_MS(1)
/* Upkeep begins after each of these, while there is more to do and when there is not, and goes on piece by piece for its share of the loop:
 * a fifth, while it is behind. */
#define MAINTAIN_BUSY  SPAN_MS(16)
#define MAINTAIN_SHARE SPAN_MS(4)
#define MAINTAIN_IDLE  SPAN_S(10)
/* Rows of ended sagas that are verified before the start, and one piece of those after it; and how long after all of them the next pass
 * begins. */
#define VERIFY_AT_START 10000
#define VERIFY_ROWS     100
#define VERIFY_AGAIN    SPAN_S(3600)
/* How often it is looked whether the journal's files are still there. */
#define CHECK_EVERY SPAN_MS(900)
/* What is cancelled at the end of the grace ends within this, or the process ends without it. */
#define CUT_GRACE SPAN_S(5)

static const char *const health_services[] = {NULL, "saga.v1.Coordinator", "saga.v1.Operator"};

/* ---- the loop ---- */

static void submit_tick(struct loop *s, bool drained)
{
    struct event tick = {.type = EVENT_TICK, .now = clock_now(&s->clock)};
    if (core_look(s->core, drained, tick.now))
        api_submit(s->api, &tick);
}

static void tell_full(struct loop *s, const struct error_detail *detail)
{
    int stalled = core_stalled(s->core);
    bool tight = core_is_tight(s->core), full = stalled != 0 || tight;
    bool not_serving = sidecar_full(s, full);
    if (not_serving != s->not_serving) {
        s->not_serving = not_serving;
        rpc_set_serving(s->rpc, "saga.v1.Coordinator", !not_serving && !s->stopping);
    }
    int now = stalled != 0 ? stalled : tight ? 1 : 0;
    if (now == s->told_full)
        return;
    s->told_full = now;
    if (now == E_JOURNAL_FULL)
        log_event(LOG_LEVEL_ERROR, "the journal is full: new sagas are refused, those in flight wait for room",
                  LOG_TEXT("why", detail->text));
    else if (now == 1)
        log_event(LOG_LEVEL_ERROR, "the journal is nearly full: new sagas are refused, those that have begun go on",
                  LOG_TEXT("why", "the last part of journal_bytes_max is kept for ending them"));
    else if (now != 0)
        log_event(LOG_LEVEL_ERROR, "the journal does not answer: new sagas are refused, those in flight wait",
                  LOG_TEXT("why", detail->text));
    else
        log_say(LOG_LEVEL_INFO, "the journal takes what is decided again: sagas go on");
}

/* Makes durable what has been decided, and shows it. */
static void commit(struct loop *s)
{
    struct error_detail detail = {0};
    if (s->failure.code != 0)
        return;
    struct instant began_at = clock_now(&s->clock);
    uint64_t frame = atomic_load_explicit(&s->durable_frame, memory_order_relaxed);
    int code = core_commit(s->core, began_at, &detail);
    if (code != 0 && code != E_JOURNAL_FULL && code != E_JOURNAL_AWAY) {
        s->failure.code = code;
        s->failure.detail = detail;
        return;
    }
    if (atomic_load_explicit(&s->durable_frame, memory_order_relaxed) != frame)
        counters_commit(s, began_at);
    tell_full(s, &detail);
    outcalls_run(s);
    api_turn(s->api);
}

/* Loop 0 looks at the files; whoever has targets connects to them anew when others are in force. */
static void follow_certificates(struct loop *s)
{
    struct certificates *certificates = s->sidecar->certificates;
    if (certificates == NULL)
        return;
    if (s->index == 0)
        trust_look(certificates);
    uint64_t version = certificates_version(certificates);
    if (version == s->certificates_version)
        return;
    s->certificates_version = version;
    rpc_targets_renew(s->rpc);
}

static void maintain(struct loop *s, struct instant *next)
{
    struct instant now = clock_now(&s->clock);
    struct error_detail detail;
    bool more;
    if (instant_before(now, *next) || s->failure.code != 0)
        return;
    struct instant until = instant_after(now, MAINTAIN_SHARE);
    int code;
    do {
        code = core_maintain(s->core, now, &more, &detail);
        commit(s); /* what was moved */
    } while (code == 0 && more && s->failure.code == 0 && instant_before(clock_now(&s->clock), until));
    /* A disk too full even to drop anything may have room again next time. */
    if (code != 0 && code != E_JOURNAL_FULL && s->failure.code == 0) {
        s->failure.code = code;
        s->failure.detail = detail;
    }
    /* A short retention is looked at as often: else it would keep many times what was asked for. */
    *next = instant_after(now, more ? MAINTAIN_BUSY : span_min(MAINTAIN_IDLE, s->config->retention));
}

/* A journal that is gone is noticed also while nothing is committed. */
static void check_journal(struct loop *s, struct instant *next)
{
    struct instant now = clock_now(&s->clock);
    if (instant_before(now, *next) || s->failure.code != 0)
        return;
    s->failure.code = s->store->check(s->store, &s->failure.detail);
    *next = instant_after(now, CHECK_EVERY);
}

/* Looks at some rows. One that is damaged is told of; what would hide others ends the loop. Returns 0 or why. */
static int verify_rows(struct loop *s, uint32_t rows_max, bool *more, struct error_detail *detail)
{
    int code = s->store->verify(s->store, rows_max, more, detail);
    if (code == 0 && detail->text[0] != '\0')
        log_event(LOG_LEVEL_ERROR, "the journal is damaged: a saga that has ended cannot be shown",
                  LOG_TEXT("journal", detail->field), LOG_TEXT("what", detail->text));
    return code;
}

/* Damage is looked for before somebody needs what it hides. */
static void verify_journal(struct loop *s, struct instant *next)
{
    struct instant now = clock_now(&s->clock);
    bool more = false;
    if (instant_before(now, *next) || s->failure.code != 0)
        return;
    s->failure.code = verify_rows(s, VERIFY_ROWS, &more, &s->failure.detail);
    *next = instant_after(now, more ? MAINTAIN_BUSY : VERIFY_AGAIN);
}

/* Takes in what has arrived, waiting for it no longer than until `until`, or until a commit is to be tried again. Returns whether nothing was
 * left. */
static bool poll(struct loop *s, struct instant until)
{
    struct instant now = clock_now(&s->clock);
    struct span wait = {0};
    bool waits = core_waits(s->core);
    if (waits)
        until = instant_min(until, instant_after(now, core_stalled(s->core) != 0 ? FULL_RETRY : STORE_ASK));
    if ((waits || !core_pending(s->core)) && !api_busy(s->api) && !outcalls_wait(s)) {
        /* Timers that wait for what has arrived, and that for the store, are no reason to hurry. */
        bool held = waits && core_batch_full(s->core);
        wait = instant_since(held ? until : instant_min(until, core_expiry(s->core)), now);
        wait.us = wait.us < 0 ? 0 : wait.us;
    }
    core_await(s->core, wait, now);
    if (rpc_poll(s->rpc, wait) == 0)
        return true;
    until = instant_after(clock_now(&s->clock), TAKE_IN_MAX);
    while (!core_batch_full(s->core) && s->failure.code == 0 && instant_before(clock_now(&s->clock), until))
        if (rpc_poll(s->rpc, (struct span){0}) == 0)
            return true;
    return false;
}

static void begin_stop(struct loop *s)
{
    s->stopping = true;
    log_event(LOG_LEVEL_INFO, "stopping", LOG_NUMBER("calls", engine_counts(core_engine(s->core)).calls),
              LOG_NUMBER("live_sagas", engine_counts(core_engine(s->core)).live));
    for (size_t i = 0; i < sizeof health_services / sizeof health_services[0]; i++)
        rpc_set_serving(s->rpc, health_services[i], false);
    core_hold(s->core);
    rpc_stop(s->rpc);
    api_stop(s->api);
}

/* Everything in flight ends within the grace, or is cut. */
static void stop(struct loop *s)
{
    begin_stop(s);
    sidecar_stop_others(s);
    struct instant deadline = instant_after(clock_now(&s->clock), s->config->shutdown_grace);
    while (!sidecar_is_quiet(s) && s->failure.code == 0 && !atomic_load(&s->sidecar->failed) &&
           instant_before(clock_now(&s->clock), deadline)) {
        poll(s, deadline);
        api_work(s->api);
        commit(s);
        counters_turn(s);
    }
    s->cutting = true;
    /* A full or broken journal lets nobody's answer out: without this, who waits for one would hold the sidecar for ever. */
    core_abandon(s->core);
    api_abandon(s->api);
    outcalls_abandon(s);
    rpc_cancel_all(s->rpc);
    deadline = instant_after(clock_now(&s->clock), CUT_GRACE);
    while (!sidecar_is_quiet(s) && instant_before(clock_now(&s->clock), deadline)) {
        poll(s, deadline);
        api_work(s->api);
        commit(s);
    }
}

void loop_commit(struct loop *s)
{
    commit(s);
}

void loop_start(struct loop *s)
{
    do
        commit(s);
    while (core_resuming(s->core) && core_stalled(s->core) == 0 && s->failure.code == 0);
    rpc_start(s->rpc);
    for (size_t i = 0; i < sizeof health_services / sizeof health_services[0]; i++)
        rpc_set_serving(s->rpc, health_services[i], true);
}

void loop_turn(struct loop *s)
{
    struct instant next_maintain = clock_now(&s->clock), next_check = next_maintain, next_verify = next_maintain;
    while (s->failure.code == 0 && !atomic_load(&s->stop_asked)) {
        submit_tick(s, poll(s, instant_min(next_maintain, instant_min(next_check, next_verify))));
        api_work(s->api);
        commit(s);
        counters_turn(s);
        follow_certificates(s);
        maintain(s, &next_maintain);
        check_journal(s, &next_check);
        verify_journal(s, &next_verify);
    }
    if (s->failure.code != 0)
        sidecar_loop_failed(s);
    stop(s);
}

void loop_stop(struct loop *s)
{
    atomic_store(&s->stop_asked, true);
    rpc_wake(s->rpc);
}

/* ---- the start ---- */

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
    return s->store->commit(s->store, &commit, &s->failure.detail);
}

static int open_journal(struct loop *s, struct store_state *state, struct error_detail *detail)
{
    char path[JOURNAL_PATH_SIZE];
    struct sqlite_store_options options = {.path = sidecar_journal_path(s->config, s->index, path),
                                           .size_bytes_max = s->config->journal_bytes_max};
    int code = sqlite_store_open(&options, &s->store, state, detail);
    if (code == 0 && state->dropped_bytes > 0)
        log_event(LOG_LEVEL_WARN,
                  "the journal's last commit was not written whole and is dropped: after a kill or a crash that is in "
                  "order, since nobody was "
                  "told that it was durable; else look at the disk",
                  LOG_TEXT("journal", path), LOG_NUMBER("bytes", (int64_t)state->dropped_bytes));
    if (code == 0 && (catalog_create(s->config->definitions_max, &s->catalog) != 0 ||
                      schemas_create(s->config->schemas_max, &s->schemas) != 0))
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code != 0)
        return code;
    bool more;
    s->limits.schemas = schemas_current(s->schemas);
    code = verify_rows(s, VERIFY_AT_START, &more, &s->failure.detail);
    if (code == 0)
        code = schemas_recover(s->schemas, s->store, &s->failure.detail);
    if (code == 0)
        code = s->store->scan_definitions(s->store, registered_recover, s, &s->failure.detail);
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
    api_reply(((struct loop *)self)->api, reply, detail);
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

static int open_rpc(struct loop *s, struct error_detail *detail)
{
    const struct config *c = s->config;
    struct rpc_options options = {
        .methods = methods_served,
        .method_count = METHOD_COUNT,
        .message_bytes_max = (uint32_t)c->message_bytes_max,
        .calls_max = c->calls_max,
        .streams_max = c->streams_max,
        .connection_streams_max = c->connection_streams_max,
        .handshake_timeout = c->handshake_timeout,
        .keepalive_time = c->keepalive_time,
        .keepalive_timeout = c->keepalive_timeout,
        .tls_connection_age = c->tls_connection_age,
        .connect_timeout = c->connect_timeout,
        .metadata_bytes_max = (uint32_t)c->metadata_bytes_max,
    };
    struct rpc_callbacks callbacks = {
        .on_message = on_message,
        .on_half_close = on_half_close,
        .on_cancelled = on_cancelled,
        .on_sent = on_sent,
        .on_answer = outcalls_answer,
        .on_refused = on_refused,
        .enough = enough,
        .on_reachable = outcalls_reachable,
        .on_turned_away = tell_turned_away,
        .self = s,
    };
    int code = rpc_create(&options, &callbacks, &s->rpc);
    if (code != 0)
        return error_set(detail, code, "", NULL);
    s->sidecar->rooms[s->index] = s->rpc;
    rpc_set_descriptors(s->rpc, bytes_of(descriptors, descriptors_size));
    s->targets = calloc(c->target_count + 1, sizeof(*s->targets));
    s->targets_down = calloc(c->target_count + 1, sizeof(*s->targets_down));
    if (s->targets == NULL || s->targets_down == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; code == 0 && i < c->target_count; i++) {
        const struct transport_credentials credentials = trust_of_target(&c->targets[i], s->sidecar->certificates);
        const struct rpc_peer_address to = {.address = c->targets[i].address,
                                            .credentials = &credentials,
                                            .number = (unsigned)i,
                                            .one_address = c->targets[i].one_address};
        code = rpc_target_create(s->rpc, &to, &s->targets[i], detail);
    }
    for (size_t i = 0; s->index == 0 && code == 0 && i < c->listen_count; i++) {
        int port = 0;
        const struct transport_credentials credentials = trust_of_listener(c->listen[i], s->sidecar->certificates);
        const struct rpc_listener listener = {.address = c->listen[i], .credentials = &credentials};
        code = rpc_listen(s->rpc, &listener, &port, detail);
        if (code == 0)
            log_event(LOG_LEVEL_INFO, "listening", LOG_TEXT("address", c->listen[i]), LOG_NUMBER("port", port));
    }
    if (s->index == 0 && code == 0 && !rpc_accepts_itself(s->rpc))
        log_say(LOG_LEVEL_WARN,
                "this version of gRPC accepts connections by itself: their number has no bound, the users of "
                "unix sockets are not known, and once files have run out nobody is let in any more");
    return code;
}

static int open_core(struct loop *s, const struct store_state *state, struct error_detail *detail)
{
    const struct config *c = s->config;
    uint64_t chance[2];
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
        return file_error("read", "random numbers", "", detail);
    struct target_options *targets = calloc(c->target_count + 1, sizeof *targets);
    if (targets == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < c->target_count; i++)
        targets[i] = (struct target_options){
            .name = c->targets[i].name,
            .timeout = c->targets[i].timeout,
            .barrier = c->targets[i].barrier,
            .max_concurrent_calls = c->targets[i].max_concurrent_calls,
        };
    struct core_options options = {
        .engine =
            {
                .live_sagas_max = c->live_sagas_max,
                .steps_max = c->steps_max,
                .payload_bytes_max = (uint32_t)c->payload_bytes_max,
                .targets_max = CONFIG_TARGETS_MAX,
                .enlisted_deadline_default = c->enlisted_deadline_default,
                .enlisted_lease_default = c->enlisted_lease_default,
                .pushback_max = c->pushback_max,
                .deadline_max = c->deadline_max,
                .compensation_retry = c->default_compensation_retry,
                .target_wait = c->target_wait,
                .seed = chance[0],
                .tag = place_tag(chance[1], s->index, s->sidecar->count),
            },
        .targets = targets,
        .target_count = c->target_count,
        .commit_bytes_max = (size_t)c->commit_bytes_max,
        .retention = c->retention,
    };
    if (tags_add(&s->sidecar->tags, &heap, options.engine.tag, s->index) != 0) {
        free(targets);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    struct core_world world = {.durable = observer_durable, .reply = on_reply, .call = outcalls_call, .self = s};
    int code = core_open(&options, &heap, s->store, state, s->catalog, &world, clock_now(&s->clock), &s->core, detail);
    free(targets);
    if (code == 0)
        clock_not_before(&s->clock, core_latest(s->core));
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
        .loops = s->sidecar->count,
        .tags = &s->sidecar->tags,
        .definition_limits = s->limits,
        .compensation_retry = c->default_compensation_retry,
        .waiters_max = c->waiters_max,
        .watchers_max = c->watchers_max,
        .pipe_commands_max = c->pipe_commands_max,
        .steps_max = c->steps_max,
        .last_frame = last_frame,
        .now = now,
        .refused = refused,
        .self = s,
        .failure = &s->failure,
    };
    if (api_create(&options, &s->api) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    const struct relay_options relay = {
        .api = s->api,
        .rpc = s->rpc,
        .rooms = s->sidecar->rooms,
        .loop = s->index,
        .loops = s->sidecar->count,
        .tags = &s->sidecar->tags,
        .durable_frame = durable_frame,
        .self = s,
    };
    return relay_create(&relay, &s->relay) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
}

static int open_parts(struct loop *s, struct error_detail *detail)
{
    struct store_state state;
    int code = make_data_dir(s->config, detail);
    if (code == 0)
        code = open_journal(s, &state, detail);
    if (code == 0)
        code = open_rpc(s, detail);
    if (code == 0)
        code = open_core(s, &state, detail);
    if (code == 0)
        code = open_api(s, state.last_frame, detail);
    if (code == 0 && s->config->http_listen[0] != '\0' && counters_open(s) != 0)
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
    clock_init(&s->clock);
    int code = open_parts(s, detail);
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
    /* After a failure requests may be left that nobody can answer any more: then the room stays until the process ends. */
    if (s->rpc == NULL || rpc_idle(s->rpc))
        rpc_destroy(s->rpc);
    relay_destroy(s->relay);
    api_destroy(s->api);
    core_close(s->core);
    counters_close(s);
    catalog_destroy(s->catalog);
    schemas_destroy(s->schemas);
    if (s->store != NULL)
        s->store->close(s->store);
    outcalls_finish(s);
    free(s->targets);
    free(s->targets_down);
    free(s);
}
