/* loop.c - the turns of one loop, and its end. loop_open.c puts its parts together.
 *
 * One turn: take in everything that has arrived, commit once, let the effects out, then answer those who only look. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/engine/saga.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/fleet.h"
#include "sidecar/runtime/reload.h"
#include "sidecar/runtime/remedies.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/trust.h"
#include "sidecar/runtime/synthetics.h"

/* How long what keeps arriving is taken in before there is a commit. */
#define TAKE_IN_MAX SPAN_MS(15)
/* How often a commit is tried again while the journal is full. */
#define FULL_RETRY SPAN_MS(200)
/* How often a store that answers later is asked, though it wakes the loop when there is something: a turn each millisecond costs more than it gives. */
#define STORE_ASK SPAN_MS(20)
/* Upkeep begins after each of these, while there is more to do and when there is not, and goes on piece by piece for its share of the loop:
 * a fifth, while it is behind. */
#define MAINTAIN_BUSY  SPAN_MS(16)
#define MAINTAIN_SHARE SPAN_MS(4)
#define MAINTAIN_IDLE  SPAN_S(10)
/* Rows of ended sagas that are verified in one piece, and how long after all of them the next pass begins. */
#define VERIFY_ROWS  100
#define VERIFY_AGAIN SPAN_S(3600)
/* How often it is looked whether the journal's files are still there. */
#define CHECK_EVERY SPAN_MS(900)
/* How often the log tells where the chains stand, when they have grown. */
#define HEADS_EVERY SPAN_S(600)
/* What is cancelled at the end of the grace ends within this, or the process ends without it. */
#define CUT_GRACE SPAN_S(5)

static const char health_coordinator[] = "saga.v1.Coordinator";
static const char *const health_services[] = {NULL, health_coordinator, "saga.v1.Operator"};

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
        rpc_set_serving(s->rpc, health_coordinator, !not_serving && !s->stopping);
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
    counters_committing(s);
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
    if (store_holds(s->store, &detail) == 0)
        outcalls_run(s); /* a call that waited for its turn waits on, while another may have the journal */
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
    if (code != 0 && code != STORE_PENDING && code != E_JOURNAL_FULL && s->failure.code == 0) {
        s->failure.code = code;
        s->failure.detail = detail;
    }
    /* A short retention is looked at as often: else it would keep many times what was asked for. */
    *next = instant_after(now, more ? MAINTAIN_BUSY : span_min(MAINTAIN_IDLE, s->config->retention));
}

/* Keys are taken over while the sidecar has nothing else to do: whoever changed them waits for this line. */
static void tell_keys(struct loop *s)
{
    uint32_t old = sealed_store_old_keys(s->store);
    if (old == 0 && s->old_keys > 0)
        log_event(LOG_LEVEL_INFO,
                  "the journal needs the key of encryption in use alone: those behind it can be taken out",
                  LOG_NUMBER("loop", s->index));
    s->old_keys = old;
}

/* Where the chains stand is told outside, so that a journal that was written anew as a whole is found, too. */
static void tell_heads(struct loop *s, struct instant *next)
{
    char head[SEALED_HEAD_SIZE], audit_head[SEALED_HEAD_SIZE];
    struct instant now = clock_now(&s->clock);
    if (instant_before(now, *next))
        return;
    *next = instant_after(now, HEADS_EVERY);
    sealed_store_heads(s->store, head, audit_head);
    if (strcmp(head, s->head_told) == 0 && strcmp(audit_head, s->audit_head_told) == 0)
        return;
    memcpy(s->head_told, head, sizeof head);
    memcpy(s->audit_head_told, audit_head, sizeof audit_head);
    log_event(LOG_LEVEL_INFO, "where the journal's chains stand", LOG_NUMBER("loop", s->index), LOG_TEXT("head", head),
              LOG_TEXT("audit_head", audit_head), LOG_NUMBER("old_keys", sealed_store_old_keys(s->store)));
}

/* For whoever shows a guest's sagas beside its own. */
static void tell_sagas(struct loop *s)
{
    struct saga_counts counts = engine_counts_real(core_engine(s->core));
    const struct saga *oldest = counters_oldest_live(s);
    atomic_store(&s->real_live, counts.live);
    atomic_store(&s->compensating, counts.compensating);
    atomic_store(&s->stuck, counts.stuck);
    atomic_store(&s->oldest_us, oldest == NULL ? 0 : oldest->started_at.us);
}

void loop_tell_live(struct loop *s)
{
    if (s->core == NULL || s->database == NULL)
        return;
    bool known = !core_pending(s->core) && !core_resuming(s->core);
    uint64_t live = known ? engine_counts(core_engine(s->core)).live : POSTGRES_LIVE_UNKNOWN;
    if (known)
        atomic_store(&s->live, live);
    tell_sagas(s);
    postgres_store_tell_live(s->database, live);
}

/* A journal that is gone is noticed also while nothing is committed. */
static void check_journal(struct loop *s, struct instant *next)
{
    struct instant now = clock_now(&s->clock);
    if (instant_before(now, *next) || s->failure.code != 0)
        return;
    loop_tell_live(s);
    s->failure.code = s->store->check(s->store, &s->failure.detail);
    *next = instant_after(now, CHECK_EVERY);
}

int loop_verify_rows(struct loop *s, uint32_t rows_max, bool *more, struct error_detail *detail)
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
    s->failure.code = loop_verify_rows(s, VERIFY_ROWS, &more, &s->failure.detail);
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
    /* None of them leaves while another may have the journal. */
    bool leave = outcalls_wait(s) && core_stalled(s->core) != E_JOURNAL_AWAY;
    if ((waits || !core_pending(s->core)) && !api_busy(s->api) && !leave) {
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

/* What jobs over dead letters have to do now. */
static void run_bulks(struct loop *s)
{
    if (s->failure.code == 0)
        s->failure.code = bulks_run(s->bulks, clock_now(&s->clock), &s->failure.detail);
}

/* What objectives are measured by, while the journal takes it. */
static void tick_slis(struct loop *s)
{
    if (s->failure.code == 0 && core_stalled(s->core) == 0 && !core_is_tight(s->core) &&
        slis_tick(s->slis, s->core, clock_now(&s->clock)) != 0)
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
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
    fleet_stop(s->sidecar->fleet);
    struct instant deadline = instant_after(clock_now(&s->clock), s->config->shutdown_grace);
    while (!sidecar_is_quiet(s) && s->failure.code == 0 && !atomic_load(&s->sidecar->failed) &&
           instant_before(clock_now(&s->clock), deadline)) {
        poll(s, deadline);
        api_work(s->api);
        commit(s);
        counters_turn(s);
        fleet_turn(s);
        relay_turn(s->relay);
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
        fleet_turn(s);
        relay_turn(s->relay);
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
        rpc_set_serving(s->rpc, health_services[i], health_services[i] != health_coordinator || !s->not_serving);
}

void loop_turn(struct loop *s)
{
    struct instant next_maintain = clock_now(&s->clock), next_check = next_maintain, next_verify = next_maintain,
                   next_heads = next_maintain;
    while (s->failure.code == 0 && !atomic_load(&s->stop_asked)) {
        struct instant next = instant_min(next_maintain, instant_min(next_check, next_verify));
        next = instant_min(next, instant_min(s->drift.next, slis_expiry(s->slis)));
        next = instant_min(next, instant_min(synthetics_expiry(s), remedies_expiry(s)));
        next = instant_min(next, outcalls_expiry(s));
        submit_tick(s, poll(s, instant_min(next, bulks_expiry(s->bulks))));
        api_work(s->api);
        synthetics_turn(s);
        remedies_turn(s);
        run_bulks(s);
        tick_slis(s);
        commit(s);
        counters_turn(s);
        follow_certificates(s);
        fleet_turn(s);
        relay_turn(s->relay);
        reload_turn(s);
        drift_turn(s);
        maintain(s, &next_maintain);
        tell_keys(s);
        check_journal(s, &next_check);
        verify_journal(s, &next_verify);
        tell_heads(s, &next_heads);
    }
    if (s->failure.code != 0)
        sidecar_loop_failed(s);
    stop(s);
    tell_heads(s, &(struct instant){0});
}

void loop_stop(struct loop *s)
{
    atomic_store(&s->stop_asked, true);
    rpc_wake(s->rpc);
}
