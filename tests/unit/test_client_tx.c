/* Enlisted sagas against a scripted sidecar: what each call carries, and the keeper of leases. */
#include <saga/saga.h>

#include "saga/v1/coordinator.pb-c.h"
#include "tests/support/fake_server.h"
#include "tests/support/until.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct fake_server *server;
static saga_client *client;
static struct saga_error error;

static struct seen {
    char name[64], request_id[SAGA_REQUEST_ID_SIZE], traceparent[64], saga_id[64], reason[64];
    int64_t lease_ms, deadline_ms;
    size_t enlist_count, settle_count;
    char step[64], target[64], method[64], request[64];
    int64_t timeout_ms, initial_backoff_ms, max_backoff_ms;
    int32_t max_attempts;
    double multiplier, jitter;
    bool has_compensation, has_retry, has_jitter;
    char settled[64], output[64];
    int outcome;
    bool use_output;
    int64_t may_run_for_ms, first_may_run_for_ms;
    int64_t call_timeout_ms;
} seen_;

/* What the server's thread saw before it answered; the server's lock orders the two threads. */
static struct seen *look(void)
{
    fake_count(server, "Start");
    return &seen_;
}
#define seen (*look())

static atomic_int keep_alive_fails; /* a gRPC status, or 0 */
static atomic_bool keep_alive_hangs;
static atomic_int answers_take_ms;
static atomic_int lose;         /* so many Begins are lost with their connection, */
static _Atomic int64_t lost_ms; /* the last of them then */
/* When KeepAlives came, by their number. */
static _Atomic int64_t came_ms[64];
static atomic_int lease_answer_ms;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t ms_of(const Google__Protobuf__Duration *d)
{
    return d ? d->seconds * 1000 + d->nanos / 1000000 : -1;
}

/* A key for each step; none where an older sidecar is played. */
static size_t make_keys(Saga__V1__Enlistment **enlist, size_t count, char *keys[300])
{
    static char text[300][80];
    for (size_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "key of %.60s", enlist[i]->step);
        keys[i] = text[i];
    }
    return count > 0 && strcmp(enlist[0]->step, "old") == 0 ? 0 : count;
}

static void answer_enlist(struct fake_call *call, const Saga__V1__EnlistRequest *r)
{
    Saga__V1__EnlistResponse response = SAGA__V1__ENLIST_RESPONSE__INIT;
    char *keys[300];
    response.action_keys = keys;
    response.n_action_keys = make_keys(r->enlist, r->n_enlist, keys);
    fake_answer(call, &response.base);
}

static void answer_begin(struct fake_call *call, const Saga__V1__BeginRequest *r)
{
    Saga__V1__BeginResponse response = SAGA__V1__BEGIN_RESPONSE__INIT;
    char *keys[300];
    response.action_keys = keys;
    response.n_action_keys = make_keys(r->enlist, r->n_enlist, keys);
    response.saga_id = (char *)(uintptr_t)(strcmp(r->name, "open") == 0 ? "open" : "tx-1");
    response.already_started = strcmp(r->name, "again") == 0;
    fake_answer(call, &response.base);
}

static void see_begin(const Saga__V1__BeginRequest *r)
{
    snprintf(seen.name, sizeof seen.name, "%s", r->name);
    snprintf(seen.request_id, sizeof seen.request_id, "%s", r->request_id);
    snprintf(seen.traceparent, sizeof seen.traceparent, "%s", r->traceparent);
    seen.lease_ms = ms_of(r->lease);
    seen.deadline_ms = ms_of(r->deadline);
}

static void see_saga(const char *saga_id)
{
    snprintf(seen.saga_id, sizeof seen.saga_id, "%s", saga_id);
}

static void see_enlist(Saga__V1__Enlistment **enlist, size_t count)
{
    seen.enlist_count = count;
    if (count == 0)
        return;
    const Saga__V1__Enlistment *last = enlist[count - 1];
    snprintf(seen.step, sizeof seen.step, "%s", last->step);
    seen.has_compensation = last->compensation != NULL;
    if (!last->compensation)
        return;
    const Saga__V1__Call *c = last->compensation;
    snprintf(seen.target, sizeof seen.target, "%s", c->target);
    snprintf(seen.method, sizeof seen.method, "%s", c->method);
    snprintf(seen.request, sizeof seen.request, "%.*s", (int)c->request.len, (const char *)c->request.data);
    seen.timeout_ms = ms_of(c->timeout);
    seen.has_retry = c->retry != NULL;
    if (c->retry) {
        seen.max_attempts = c->retry->max_attempts;
        seen.initial_backoff_ms = ms_of(c->retry->initial_backoff);
        seen.max_backoff_ms = ms_of(c->retry->max_backoff);
        seen.multiplier = c->retry->backoff_multiplier;
        seen.has_jitter = c->retry->jitter != NULL;
        seen.jitter = c->retry->jitter ? c->retry->jitter->value : 0;
    }
}

static void see_settle(Saga__V1__Settlement **settle, size_t count)
{
    seen.settle_count = count;
    if (count == 0)
        return;
    const Saga__V1__Settlement *last = settle[count - 1];
    snprintf(seen.settled, sizeof seen.settled, "%s", last->step);
    snprintf(seen.output, sizeof seen.output, "%.*s", (int)last->output.len, (const char *)last->output.data);
    seen.outcome = (int)last->outcome;
    seen.use_output = last->use_output_for_compensation;
    seen.may_run_for_ms = last->may_run_for ? ms_of(last->may_run_for) : 0;
    seen.first_may_run_for_ms = settle[0]->may_run_for ? ms_of(settle[0]->may_run_for) : 0;
}

static void keep_alive(struct fake_call *call)
{
    int fails = atomic_load(&keep_alive_fails);
    if (fails != 0)
        fake_fail(call, fails, "no", fails == 14 ? "STOPPING" : "SAGA_TURNED_BACK", NULL, -1);
    else if (!atomic_load(&keep_alive_hangs)) {
        Saga__V1__KeepAliveResponse response = SAGA__V1__KEEP_ALIVE_RESPONSE__INIT;
        Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
        lease.seconds = atomic_load(&lease_answer_ms) / 1000;
        lease.nanos = atomic_load(&lease_answer_ms) % 1000 * 1000000;
        response.lease = &lease;
        fake_answer(call, &response.base);
    }
}

static void handle(struct fake_call *call, const void *request, void *user)
{
    (void)user;
    seen.call_timeout_ms = call->timeout_ms;
    if (strcmp(call->method, "KeepAlive") == 0 && call->number < sizeof came_ms / sizeof came_ms[0])
        atomic_store(&came_ms[call->number], now_ms());
    if (atomic_load(&answers_take_ms) > 0)
        nanosleep(&(struct timespec){.tv_nsec = atomic_load(&answers_take_ms) * 1000000L}, NULL);
    if (strcmp(call->method, "Begin") == 0) {
        const Saga__V1__BeginRequest *r = request;
        see_begin(r);
        see_enlist(r->enlist, r->n_enlist);
        if (atomic_load(&lose) > 0) {
            atomic_fetch_sub(&lose, 1);
            atomic_store(&lost_ms, now_ms());
            fake_cut(server);
        } else if (strcmp(r->name, "refused") == 0)
            fake_fail(call, 8, "full", "LIVE_SAGAS_MAX", NULL, 10);
        else
            answer_begin(call, r);
    } else if (strcmp(call->method, "Enlist") == 0) {
        const Saga__V1__EnlistRequest *r = request;
        see_saga(r->saga_id);
        see_settle(r->settle, r->n_settle);
        see_enlist(r->enlist, r->n_enlist);
        if (r->n_enlist > 0 && strcmp(r->enlist[0]->step, "twice") == 0)
            fake_fail(call, 6, "the step is enlisted with another compensation", "STEP_EXISTS", "enlist[0].step", -1);
        else
            answer_enlist(call, r);
    } else if (strcmp(call->method, "Settle") == 0) {
        see_saga(((const Saga__V1__SettleRequest *)request)->saga_id);
        see_settle(((const Saga__V1__SettleRequest *)request)->settle,
                   ((const Saga__V1__SettleRequest *)request)->n_settle);
        if (strcmp(seen.settled, "open") == 0)
            fake_fail(call, 9, "settled otherwise", "STEP_SETTLED", NULL, -1);
        else if (strcmp(seen.settled, "ended") == 0)
            fake_fail(call, 9, "the saga has ended", "SAGA_ENDED", NULL, -1);
        else if (strcmp(seen.settled, "turned back") == 0)
            fake_fail(call, 9, "the saga is being undone", "SAGA_TURNED_BACK", NULL, -1);
        else if (strcmp(seen.settled, "unknown") == 0)
            fake_fail(call, 5, "no saga has this id", "SAGA_NOT_FOUND", NULL, -1);
        else
            fake_answer(call, &(Saga__V1__SettleResponse)SAGA__V1__SETTLE_RESPONSE__INIT.base);
    } else if (strcmp(call->method, "Commit") == 0) {
        const Saga__V1__CommitRequest *r = request;
        see_saga(r->saga_id);
        see_settle(r->settle, r->n_settle);
        if (strcmp(r->saga_id, "open") == 0)
            fake_fail(call, 9, "a step is not settled", "STEPS_OPEN", NULL, -1);
        else
            fake_answer(call, &(Saga__V1__CommitResponse)SAGA__V1__COMMIT_RESPONSE__INIT.base);
    } else if (strcmp(call->method, "Abort") == 0) {
        see_saga(((const Saga__V1__AbortRequest *)request)->saga_id);
        snprintf(seen.reason, sizeof seen.reason, "%s", ((const Saga__V1__AbortRequest *)request)->reason);
        if (strcmp(seen.reason, "refused") == 0)
            fake_fail(call, 7, "not allowed", "PERMISSION_DENIED", NULL, -1);
        else
            fake_answer(call, &(Saga__V1__AbortResponse)SAGA__V1__ABORT_RESPONSE__INIT.base);
    } else {
        see_saga(((const Saga__V1__KeepAliveRequest *)request)->saga_id);
        keep_alive(call);
    }
}

static void open_with(struct saga_client_options options)
{
    options.address = fake_address(server);
    ck_assert_int_eq(saga_client_open(&options, &client, &error), SAGA_OK);
}

static void setup(void)
{
    memset(&seen_, 0, sizeof seen_);
    atomic_store(&lease_answer_ms, 60000);
    atomic_store(&answers_take_ms, 0);
    atomic_store(&lose, 0);
    server = fake_open(handle, NULL);
    open_with((struct saga_client_options){0});
}

static void teardown(void)
{
    saga_client_close(client);
    fake_close(server);
}

static saga_tx *begin(int64_t lease_ms)
{
    saga_tx *tx;
    struct saga_begin_options options = {.name = "transfer", .lease_ms = lease_ms};
    ck_assert_msg(saga_begin(client, &options, &tx, &error) == SAGA_OK, "%s", error.message);
    return tx;
}

START_TEST(tx__begin_enlist_settle_commit)
{
    saga_tx *tx;
    struct saga_retry_policy retry = {
        .max_attempts = 7, .initial_backoff_ms = 10, .max_backoff_ms = 2500, .backoff_multiplier = 1.5, .jitter = -1};
    struct saga_compensation refund = {.target = "bank",
                                       .method = "/bank.v1.Bank/Refund",
                                       .request = "50",
                                       .request_size = 2,
                                       .timeout_ms = 900,
                                       .retry = &retry};
    struct saga_enlistment first[] = {{.step = "lookup"}, {.step = "debit", .compensation = &refund}};
    struct saga_begin_options options = {.name = "transfer",
                                         .request_id = "order-7",
                                         .traceparent = "00-aa-bb-01",
                                         .lease_ms = 20250,
                                         .deadline_ms = 40500,
                                         .enlist = first,
                                         .enlist_count = 2};
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    ck_assert_str_eq(saga_tx_id(tx), "tx-1");
    ck_assert_str_eq(seen.name, "transfer");
    ck_assert_str_eq(seen.request_id, "order-7");
    ck_assert_str_eq(seen.traceparent, "00-aa-bb-01");
    ck_assert_int_eq(seen.lease_ms, 20250);
    ck_assert_int_eq(seen.deadline_ms, 40500);
    ck_assert_uint_eq(seen.enlist_count, 2);
    ck_assert_str_eq(seen.step, "debit");
    ck_assert_str_eq(seen.target, "bank");
    ck_assert_str_eq(seen.method, "/bank.v1.Bank/Refund");
    ck_assert_str_eq(seen.request, "50");
    ck_assert_int_eq(seen.timeout_ms, 900);
    ck_assert_int_eq(seen.max_attempts, 7);
    ck_assert_int_eq(seen.initial_backoff_ms, 10);
    ck_assert_int_eq(seen.max_backoff_ms, 2500);
    ck_assert(seen.multiplier > 1.49 && seen.multiplier < 1.51);
    ck_assert(seen.has_jitter && seen.jitter > -0.001 && seen.jitter < 0.001);
    ck_assert_int_le(saga_tx_lease_left_ms(tx), 20250);
    ck_assert_int_gt(saga_tx_lease_left_ms(tx), 15000);

    retry.jitter = 0;
    ck_assert_int_eq(saga_enlist(tx, "credit", &refund, &error), SAGA_OK);
    ck_assert_str_eq(seen.saga_id, "tx-1");
    ck_assert_str_eq(seen.step, "credit");
    ck_assert(!seen.has_jitter);
    ck_assert_int_eq(saga_enlist(tx, "mail", NULL, &error), SAGA_OK);
    ck_assert(!seen.has_compensation);
    ck_assert_int_eq(saga_settle(tx, "debit", SAGA_UNKNOWN, "out", 3, &error), SAGA_OK);
    ck_assert_str_eq(seen.settled, "debit");
    ck_assert_str_eq(seen.output, "out");
    ck_assert_int_eq(seen.outcome, SAGA_UNKNOWN);
    struct saga_settlement settle = {.step = "credit", .outcome = SAGA_DONE, .use_output_for_compensation = true};
    ck_assert_int_eq(saga_advance(tx, &settle, 1, first, 1, &error), SAGA_OK);
    ck_assert_uint_eq(seen.settle_count, 1);
    ck_assert(seen.use_output);
    ck_assert_int_eq(seen.may_run_for_ms, 0);
    struct saga_settlement unsure = {.step = "debit", .outcome = SAGA_UNKNOWN, .may_run_for_ms = 2500};
    ck_assert_int_eq(saga_advance(tx, &unsure, 1, NULL, 0, &error), SAGA_OK);
    ck_assert_int_eq(seen.may_run_for_ms, 2500);
    struct saga_settlement both[] = {unsure, {.step = "credit", .outcome = SAGA_UNKNOWN, .may_run_for_ms = 70}};
    ck_assert_int_eq(saga_advance(tx, both, 2, NULL, 0, &error), SAGA_OK);
    ck_assert_int_eq(seen.first_may_run_for_ms, 2500);
    ck_assert_int_eq(seen.may_run_for_ms, 70);
    unsure.may_run_for_ms = -1;
    ck_assert_int_eq(saga_advance(tx, &unsure, 1, NULL, 0, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_advance(tx, &settle, 1, first, 1, &error), SAGA_OK);
    ck_assert_str_eq(seen.step, "lookup");
    ck_assert_int_eq(saga_commit_with(tx, &settle, 1, &error), SAGA_OK);
    ck_assert_uint_eq(seen.settle_count, 1);
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), 0);
    saga_tx_free(tx);
    saga_tx_free(NULL);
}
END_TEST

/* What is not said is left to the sidecar, but for a request_id: the library's own covers a repetition. */
START_TEST(tx__what_is_not_said_is_not_sent)
{
    char before[SAGA_REQUEST_ID_SIZE];
    saga_tx *tx = begin(0);
    strcpy(before, seen.request_id);
    ck_assert_uint_eq(strlen(before), 36);
    ck_assert_str_eq(seen.traceparent, "");
    ck_assert_int_eq(seen.lease_ms, -1);
    ck_assert_int_eq(seen.deadline_ms, -1);
    ck_assert_uint_eq(seen.enlist_count, 0);
    saga_tx_free(tx);
    tx = begin(0);
    ck_assert_str_ne(seen.request_id, before);
    const struct saga_compensation refund = {.target = "bank", .method = "/bank.v1.Bank/Refund"};
    ck_assert_int_eq(saga_enlist(tx, "debit", &refund, &error), SAGA_OK);
    ck_assert_str_eq(seen.request, "");
    ck_assert_int_eq(seen.timeout_ms, -1);
    ck_assert(!seen.has_retry);
    const struct saga_retry_policy retry = {.max_attempts = 1, .jitter = 0.5};
    const struct saga_compensation retried = {.target = "bank", .method = "/bank.v1.Bank/Refund", .retry = &retry};
    ck_assert_int_eq(saga_enlist(tx, "credit", &retried, &error), SAGA_OK);
    ck_assert_int_eq(seen.initial_backoff_ms, -1);
    ck_assert_int_eq(seen.max_backoff_ms, -1);
    ck_assert(seen.has_jitter && seen.jitter > 0.49 && seen.jitter < 0.51);
    saga_tx_free(tx);
}
END_TEST

/* C core rounds a timeout up to few digits. */
static bool had_seven_seconds(void)
{
    return seen.call_timeout_ms > 5000 && seen.call_timeout_ms <= 7100;
}

START_TEST(tx__every_call_says_which_saga_it_is_about_and_has_its_timeout)
{
    saga_tx *tx;
    const struct saga_begin_options options = {.name = "transfer", .timeout_ms = 7000};
    const struct saga_settlement done = {.step = "a", .outcome = SAGA_DONE};
    const struct saga_enlistment b = {.step = "b"};
    saga_client_close(client);
    open_with((struct saga_client_options){.lease_keeper_off = true});
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    ck_assert(had_seven_seconds());
    ck_assert_int_eq(saga_enlist(tx, "a", NULL, &error), SAGA_OK);
    ck_assert(had_seven_seconds());
    saga_tx_free(tx);
    ck_assert_int_eq(saga_tx_attach(client, "tx-2", 0, 7000, &tx, &error), SAGA_OK);
    ck_assert_str_eq(saga_tx_id(tx), "tx-2");
    ck_assert(!saga_tx_already_started(tx));
#define SAYS_WHICH(call) \
    do { \
        seen.saga_id[0] = '\0'; \
        ck_assert_int_eq(call, SAGA_OK); \
        ck_assert_str_eq(seen.saga_id, "tx-2"); \
        ck_assert(had_seven_seconds()); \
    } while (0)
    SAYS_WHICH(saga_enlist(tx, "a", NULL, &error));
    SAYS_WHICH(saga_settle(tx, "a", SAGA_DONE, NULL, 0, &error));
    SAYS_WHICH(saga_advance(tx, &done, 1, &b, 1, &error));
    SAYS_WHICH(saga_keep_alive(tx, NULL, &error));
    SAYS_WHICH(saga_abort(tx, NULL, &error));
    ck_assert_str_eq(seen.reason, "");
    SAYS_WHICH(saga_commit(tx, &error));
    ck_assert_uint_eq(seen.settle_count, 0);
    SAYS_WHICH(saga_commit_with(tx, &done, 1, &error));
    ck_assert_uint_eq(seen.settle_count, 1);
#undef SAYS_WHICH
    saga_tx_free(tx);
}
END_TEST

#define DURATION_MS_MAX INT64_C(315576000000000) /* ten thousand years, of which a Duration can say no more */

/* What the sidecar could not see any more is refused here, by the place at which it stands. */
START_TEST(tx__what_is_wrong_with_a_step_to_enlist_is_named)
{
    saga_tx *tx = begin(20000);
    const struct saga_retry_policy early = {.initial_backoff_ms = -1}, late = {.max_backoff_ms = DURATION_MS_MAX + 1};
    const struct {
        struct saga_enlistment step;
        struct saga_compensation compensation;
        const char *field;
    } cases[] = {
        {{.step = NULL}, {.target = "t", .method = "m"}, "step"},
        {{.step = "a"}, {.method = "m"}, "target"},
        {{.step = "a"}, {.target = "t"}, "method"},
        {{.step = "a"}, {.target = "t", .method = "m", .request_size = 1}, "request"},
        {{.step = "a"}, {.target = "t", .method = "m", .reserved = {1}}, "reserved"},
        {{.step = "a"}, {.target = "t", .method = "m", .reserved = {0, 1}}, "reserved"},
        {{.step = "a"}, {.target = "t", .method = "m", .timeout_ms = -1}, "timeout_ms"},
        {{.step = "a"}, {.target = "t", .method = "m", .timeout_ms = DURATION_MS_MAX + 1}, "timeout_ms"},
        {{.step = "a"}, {.target = "t", .method = "m", .retry = &early}, "retry.initial_backoff_ms"},
        {{.step = "a"}, {.target = "t", .method = "m", .retry = &late}, "retry.max_backoff_ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t at = 0; at < 2; at++) {
            char expected[64];
            struct saga_enlistment both[2] = {{.step = "good"}, {.step = "good"}};
            saga_tx *none = tx; /* what was there before does not stay */
            both[at] = cases[i].step;
            both[at].compensation = &cases[i].compensation;
            snprintf(expected, sizeof expected, "enlist[%zu].%s", at, cases[i].field);
            ck_assert_int_eq(saga_advance(tx, NULL, 0, both, 2, &error), SAGA_E_INVALID_ARGUMENT);
            ck_assert_str_eq(error.field, expected);
            ck_assert_str_eq(error.reason, SAGA_REASON_ARGUMENT);
            ck_assert_int_eq(saga_advance(tx, NULL, 0, both, 2, NULL), SAGA_E_INVALID_ARGUMENT);
            struct saga_begin_options options = {.name = "x", .enlist = both, .enlist_count = 2};
            ck_assert_int_eq(saga_begin(client, &options, &none, &error), SAGA_E_INVALID_ARGUMENT);
            ck_assert_str_eq(error.field, expected);
            ck_assert_ptr_null(none);
        }
    const struct saga_compensation longest = {.target = "t", .method = "m", .timeout_ms = DURATION_MS_MAX};
    ck_assert_int_eq(saga_enlist(tx, "a", &longest, &error), SAGA_OK);
    ck_assert_int_eq(seen.timeout_ms, DURATION_MS_MAX);
    ck_assert_uint_eq(fake_count(server, "Enlist"), 1);
    saga_tx_free(tx);
}
END_TEST

START_TEST(tx__what_is_wrong_with_a_settlement_is_named)
{
    saga_tx *tx = begin(20000);
    const struct saga_enlistment more = {.step = "more"};
    static const struct {
        struct saga_settlement settlement;
        const char *field;
    } cases[] = {
        {{.outcome = SAGA_DONE}, "step"},
        {{.step = "a"}, "outcome"},
        {{.step = "a", .outcome = SAGA_UNKNOWN + 1}, "outcome"},
        {{.step = "a", .outcome = SAGA_DONE, .output_size = 1}, "output"},
        {{.step = "a", .outcome = SAGA_UNKNOWN, .may_run_for_ms = -1}, "may_run_for_ms"},
        {{.step = "a", .outcome = SAGA_UNKNOWN, .may_run_for_ms = DURATION_MS_MAX + 1}, "may_run_for_ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t at = 0; at < 2; at++) {
            char expected[64];
            struct saga_settlement both[2] = {{.step = "g", .outcome = SAGA_DONE}, {.step = "g", .outcome = SAGA_DONE}};
            both[at] = cases[i].settlement;
            snprintf(expected, sizeof expected, "settle[%zu].%s", at, cases[i].field);
            ck_assert_int_eq(saga_advance(tx, both, 2, NULL, 0, &error), SAGA_E_INVALID_ARGUMENT);
            ck_assert_str_eq(error.field, expected);
            ck_assert_int_eq(saga_advance(tx, both, 2, &more, 1, &error), SAGA_E_INVALID_ARGUMENT);
            ck_assert_str_eq(error.field, expected);
            ck_assert_int_eq(saga_commit_with(tx, both, 2, &error), SAGA_E_INVALID_ARGUMENT);
            ck_assert_str_eq(error.field, expected);
        }
    for (int outcome = SAGA_DONE; outcome <= SAGA_UNKNOWN; outcome++) {
        ck_assert_int_eq(saga_settle(tx, "a", (enum saga_outcome)outcome, NULL, 0, &error), SAGA_OK);
        ck_assert_int_eq(seen.outcome, outcome);
    }
    ck_assert_uint_eq(fake_count(server, "Settle"), 3);
    ck_assert_uint_eq(fake_count(server, "Enlist") + fake_count(server, "Commit"), 0);
    saga_tx_free(tx);
}
END_TEST

/* Up to SAGA_STEPS_PER_CALL_MAX of each, and there must be some where a count says so. */
START_TEST(tx__so_many_steps_fit_one_call)
{
    static struct saga_enlistment enlist[SAGA_STEPS_PER_CALL_MAX + 1];
    static struct saga_settlement settle[SAGA_STEPS_PER_CALL_MAX + 1];
    enum { MOST = SAGA_STEPS_PER_CALL_MAX };
    saga_tx *tx = begin(20000);
    for (int i = 0; i <= MOST; i++) {
        enlist[i].step = "e";
        settle[i] = (struct saga_settlement){.step = "s", .outcome = SAGA_DONE};
    }
    ck_assert_int_eq(saga_advance(tx, settle, MOST, enlist, MOST, &error), SAGA_OK);
    ck_assert_uint_eq(seen.enlist_count, MOST);
    ck_assert_uint_eq(seen.settle_count, MOST);
    static const struct {
        size_t settle, enlist;
        bool null;
        const char *field;
    } cases[] = {{MOST + 1, 0, false, "settle"}, {0, MOST + 1, false, "enlist"}, {MOST + 1, MOST + 1, false, "settle"},
                 {1, 0, true, "settle"},         {0, 1, true, "enlist"},         {0, 0, true, "enlist"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(saga_advance(tx, cases[i].null ? NULL : settle, cases[i].settle, cases[i].null ? NULL : enlist,
                                      cases[i].enlist, &error),
                         SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, cases[i].field);
    }
    ck_assert_int_eq(saga_commit_with(tx, settle, MOST + 1, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "settle");
    ck_assert_int_eq(saga_commit_with(tx, settle, MOST, &error), SAGA_OK);
    ck_assert_uint_eq(seen.settle_count, MOST);
    saga_tx_free(tx);
}
END_TEST

START_TEST(tx__what_is_wrong_with_a_begin_is_named)
{
    static char longest[SAGA_REQUEST_ID_SIZE], too_long[SAGA_REQUEST_ID_SIZE + 1];
    memset(longest, 'r', sizeof longest - 1);
    memset(too_long, 'r', sizeof too_long - 1);
    const struct {
        struct saga_begin_options options;
        const char *field;
    } cases[] = {
        {{.name = NULL}, "name"},
        {{.name = ""}, "name"},
        {{.name = "x", .request_id = too_long}, "request_id"},
        {{.name = "x", .deadline_ms = -1}, "deadline_ms"},
        {{.name = "x", .deadline_ms = DURATION_MS_MAX + 1}, "deadline_ms"},
        {{.name = "x", .lease_ms = -1}, "lease_ms"},
        {{.name = "x", .lease_ms = DURATION_MS_MAX + 1}, "lease_ms"},
        {{.name = "x", .enlist_count = 1}, "enlist"},
        {{.name = "x", .reserved = {1}}, "reserved"},
        {{.name = "x", .reserved = {0, 0, 0, 1}}, "reserved"},
    };
    saga_tx *tx;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(saga_begin(client, &cases[i].options, &tx, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, cases[i].field);
        ck_assert_ptr_null(tx);
    }
    ck_assert_int_eq(saga_begin(client, &(struct saga_begin_options){.name = "x"}, NULL, &error),
                     SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "out");
    ck_assert_uint_eq(fake_count(server, "Begin"), 0);
    const struct saga_begin_options good = {.name = "x", .request_id = longest};
    ck_assert_int_eq(saga_begin(client, &good, &tx, &error), SAGA_OK);
    ck_assert_str_eq(seen.request_id, longest);
    saga_tx_free(tx);
}
END_TEST

START_TEST(tx__failures)
{
    saga_tx *tx;
    struct saga_begin_options options = {.name = "refused"};
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_E_RESOURCE_EXHAUSTED);
    ck_assert_ptr_null(tx);
    ck_assert_str_eq(error.reason, "LIVE_SAGAS_MAX");
    ck_assert_int_eq(saga_begin(client, NULL, &tx, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "name");

    tx = begin(20000);
    ck_assert_int_eq(saga_enlist(tx, "twice", NULL, &error), SAGA_E_ALREADY_EXISTS);
    ck_assert_str_eq(error.field, "enlist[0].step");
    ck_assert_int_eq(saga_abort(tx, "no money", &error), SAGA_OK);
    ck_assert_str_eq(seen.reason, "no money");
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), 0);
    saga_tx_free(tx);
    ck_assert_int_eq(saga_tx_attach(client, "open", 0, 0, &tx, &error), SAGA_OK);
    ck_assert_int_eq(saga_commit(tx, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_str_eq(error.reason, "STEPS_OPEN");
    saga_tx_free(tx);
    ck_assert_int_eq(saga_tx_attach(client, "x", -1, 0, &tx, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_tx_attach(client, "", 0, 0, &tx, &error), SAGA_E_INVALID_ARGUMENT);
}
END_TEST

/* One that was to end and did not goes on: its lease is kept as before. */
START_TEST(tx__whose_end_is_refused_goes_on)
{
    saga_tx *tx;
    const struct saga_begin_options options = {.name = "open", .lease_ms = 600000};
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    ck_assert_int_eq(saga_commit(tx, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_int_gt(saga_tx_lease_left_ms(tx), 0);
    ck_assert_int_eq(saga_abort(tx, "refused", &error), SAGA_E_PERMISSION_DENIED);
    ck_assert_int_gt(saga_tx_lease_left_ms(tx), 0);
    ck_assert_int_eq(saga_abort(tx, "no money", &error), SAGA_OK);
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), 0);
    saga_tx_free(tx);
}
END_TEST

static int64_t soonest_ms;

static saga_tx *begin_now(int64_t lease_ms)
{
    soonest_ms = now_ms();
    atomic_store(&came_ms[0], soonest_ms);
    return begin(lease_ms);
}

/* By how much something came too late, in the try of now. */
static int64_t late_ms;

/* What was sent in time a busy machine may deliver late: then all of it is tried again. What is always late is not sent in time. */
static void in_some_try(void (*scenario)(void))
{
    for (int i = 0; i < 5; i++) {
        late_ms = 0;
        scenario();
        if (late_ms == 0)
            return;
        teardown();
        setup();
    }
    ck_abort_msg("a renewal came %lld ms too late, as in each try before", (long long)late_ms);
}

/* The time from the KeepAlive before to this one lies within these bounds, the upper one of which is in_some_try()'s. What a busy machine
 * delivers late makes the time after it shorter: so the lower one is of the sum since begin_now(). */
static void came_after(unsigned number, int64_t least_ms, int64_t most_ms)
{
    fake_await(server, "KeepAlive", number);
    int64_t came = atomic_load(&came_ms[number]), after = came - atomic_load(&came_ms[number - 1]);
    soonest_ms += least_ms;
    ck_assert_msg(soonest_ms <= came, "KeepAlive %u came %lld ms after the one before, %lld ms too soon", number,
                  (long long)after, (long long)(soonest_ms - came));
    if (after > most_ms)
        late_ms = after - most_ms;
}

static void renewed_at_a_third(void)
{
    atomic_store(&lease_answer_ms, 1500);
    saga_tx *tx = begin_now(1500);
    for (unsigned i = 1; i <= 3; i++)
        came_after(i, 490, 740);
    int64_t left_ms = saga_tx_lease_left_ms(tx);
    if (left_ms <= 750)
        late_ms = 751 - left_ms;
    ck_assert_int_le(left_ms, 1500);
    saga_tx_free(tx);
}

START_TEST(lease__is_renewed_at_a_third)
{
    in_some_try(renewed_at_a_third);
}
END_TEST

static void counted_from_the_call(void)
{
    atomic_store(&lease_answer_ms, 1500);
    atomic_store(&answers_take_ms, 350);
    saga_tx *tx = begin(60000);
    ck_assert_int_le(saga_tx_lease_left_ms(tx), 59650);
    ck_assert_int_eq(saga_enlist(tx, "a", NULL, &error), SAGA_OK);
    ck_assert_int_le(saga_tx_lease_left_ms(tx), 59650);
    saga_tx_free(tx);
    tx = begin_now(1500);
    came_after(1, 490, 740);
    UNTIL(saga_tx_lease_left_ms(tx) > 1010); /* answered: it had begun to run 350 ms before */
    ck_assert_int_le(saga_tx_lease_left_ms(tx), 1150);
    came_after(2, 490, 740);
    came_after(3, 490, 740);
    saga_tx_free(tx);
}

START_TEST(lease__counts_from_when_the_call_was_sent)
{
    in_some_try(counted_from_the_call);
}
END_TEST

/* What came of the tries before it nobody knows; the one that was answered left after they were lost. */
START_TEST(lease__counts_from_the_try_that_was_answered)
{
    atomic_store(&lose, 2);
    saga_tx *tx = begin(60000);
    int64_t left_ms = saga_tx_lease_left_ms(tx);
    ck_assert_int_ge(left_ms, 60000 - (now_ms() - atomic_load(&lost_ms)) - 1);
    ck_assert_uint_eq(fake_count(server, "Begin"), 3);
    saga_tx_free(tx);
}
END_TEST

static void renewed_after_failures(void)
{
    atomic_store(&lease_answer_ms, 3000);
    saga_tx *tx = begin_now(3000);
    atomic_store(&keep_alive_fails, 14);
    came_after(1, 990, 1490);
    came_after(2, 250, 700); /* a tenth of the lease, not a third */
    came_after(3, 250, 700);
    atomic_store(&keep_alive_fails, 0);
    came_after(4, 250, 700);
    came_after(5, 950, 1400);
    saga_tx_free(tx);
}

START_TEST(lease__is_renewed_again_soon_after_a_failure)
{
    in_some_try(renewed_after_failures);
}
END_TEST

static void renewed_though_one_hangs(void)
{
    atomic_store(&lease_answer_ms, 1800);
    atomic_store(&keep_alive_hangs, true);
    saga_tx *tx = begin_now(1800);
    came_after(1, 590, 890);
    atomic_store(&keep_alive_hangs, false);
    /* It is given up after a third and sent again after a tenth: before the lease is over. */
    came_after(2, 600, 1100);
    UNTIL(saga_tx_lease_left_ms(tx) > 1000);
    came_after(3, 550, 850);
    saga_tx_free(tx);
}

START_TEST(lease__outlives_a_renewal_that_hangs)
{
    in_some_try(renewed_though_one_hangs);
}
END_TEST

START_TEST(tx__keeps_the_keys_that_the_sidecar_says)
{
    saga_tx *tx = begin(1000);
    struct saga_enlistment two[] = {{.step = "a"}, {.step = "b"}};
    ck_assert_ptr_null(saga_tx_action_key(tx, "a"));
    ck_assert_int_eq(saga_advance(tx, NULL, 0, two, 2, &error), SAGA_OK);
    const char *a = saga_tx_action_key(tx, "a");
    ck_assert_str_eq(a, "key of a");
    ck_assert_str_eq(saga_tx_action_key(tx, "b"), "key of b");
    ck_assert_int_eq(saga_enlist(tx, "a", NULL, &error), SAGA_OK); /* repeated */
    ck_assert_ptr_eq(saga_tx_action_key(tx, "a"), a);
    ck_assert_int_eq(saga_enlist(tx, "old", NULL, &error), SAGA_OK);
    ck_assert_ptr_null(saga_tx_action_key(tx, "old"));
    ck_assert_ptr_null(saga_tx_action_key(tx, NULL));
    saga_tx_free(tx);
    /* Of steps that a saga begins with, too. */
    struct saga_begin_options options = {.name = "transfer", .enlist = two, .enlist_count = 2};
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    ck_assert_str_eq(saga_tx_action_key(tx, "a"), "key of a");
    ck_assert_str_eq(saga_tx_action_key(tx, "b"), "key of b");
    saga_tx_free(tx);
    two[0].step = "old";
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    ck_assert_ptr_null(saga_tx_action_key(tx, "old"));
    ck_assert_ptr_null(saga_tx_action_key(tx, "b"));
    saga_tx_free(tx);
}
END_TEST

START_TEST(lease__of_a_saga_that_was_begun_before_is_not_known)
{
    saga_tx *tx;
    struct saga_begin_options options = {.name = "again", .lease_ms = 1000, .request_id = "r"};
    atomic_store(&keep_alive_hangs, true);
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    ck_assert(saga_tx_already_started(tx));
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), -1);
    fake_await(server, "KeepAlive", 1); /* which asks */
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), -1);
    saga_tx_free(tx);
    tx = begin(1000);
    ck_assert(!saga_tx_already_started(tx));
    saga_tx_free(tx);
    /* It has ended: that is the answer. */
    atomic_store(&keep_alive_hangs, false);
    atomic_store(&keep_alive_fails, 9);
    ck_assert_int_eq(saga_begin(client, &options, &tx, &error), SAGA_OK);
    UNTIL(saga_tx_lease_left_ms(tx) == 0);
    saga_tx_free(tx);
}
END_TEST

START_TEST(lease__ends_when_any_call_is_told_that_the_saga_does_not_run)
{
    static const char *const over[] = {"ended", "turned back", "unknown"};
    saga_client_close(client);
    open_with((struct saga_client_options){.lease_keeper_off = true});
    for (size_t i = 0; i < 3; i++) {
        saga_tx *tx = begin(60000);
        ck_assert_int_eq(saga_settle(tx, "open", SAGA_DONE, NULL, 0, NULL), SAGA_E_FAILED_PRECONDITION);
        ck_assert_int_gt(saga_tx_lease_left_ms(tx), 1000); /* this one says nothing of the kind */
        ck_assert_int_ne(saga_settle(tx, over[i], SAGA_DONE, NULL, 0, i == 0 ? NULL : &error), SAGA_OK);
        ck_assert_int_eq(saga_tx_lease_left_ms(tx), 0);
        saga_tx_free(tx);
    }
}
END_TEST

START_TEST(lease__whose_length_is_the_sidecars_is_asked_for)
{
    saga_tx *tx = begin(0);
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), -1);
    UNTIL(saga_tx_lease_left_ms(tx) > 50000);
    ck_assert_uint_eq(fake_count(server, "KeepAlive"), 1);
    saga_tx_free(tx);
}
END_TEST

START_TEST(lease__keeper_tries_again_and_stops_when_the_saga_has_turned_back)
{
    atomic_store(&lease_answer_ms, 300);
    atomic_store(&keep_alive_fails, 14);
    saga_tx *tx = begin(300);
    fake_await(server, "KeepAlive", 3);
    UNTIL(saga_tx_lease_left_ms(tx) == 0);
    atomic_store(&keep_alive_fails, 0);
    UNTIL(saga_tx_lease_left_ms(tx) > 0);
    atomic_store(&keep_alive_fails, 9);
    UNTIL(saga_tx_lease_left_ms(tx) == 0);
    unsigned count = fake_count(server, "KeepAlive");
    /* A second saga is renewed twice: by then the first would have been too. */
    atomic_store(&keep_alive_fails, 0);
    saga_tx *second = begin(300);
    fake_await(server, "KeepAlive", count + 3);
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), 0);
    saga_tx_free(second);
    saga_tx_free(tx);
}
END_TEST

START_TEST(lease__survives_lost_connections)
{
    atomic_store(&lease_answer_ms, 600);
    saga_tx *tx = begin(600);
    fake_await(server, "KeepAlive", 1);
    fake_unlisten(server);
    fake_listen(server);
    fake_await(server, "KeepAlive", 3);
    UNTIL(saga_tx_lease_left_ms(tx) > 0);
    saga_tx_free(tx);
}
END_TEST

/* A KeepAlive that finds no connection waits for one, and leaves with it: the next try would come half a second after. */
static void renewed_with_the_connection(void)
{
    saga_tx *tx = begin(0);
    fake_shut_door(server, true);
    fake_cut(server);
    UNTIL(fake_connections(server) >= 2);
    unsigned broken = fake_connections(server);
    fake_shut_door(server, false);
    UNTIL(fake_connections(server) > broken);
    int64_t connected = now_ms();
    fake_await(server, "KeepAlive", 1);
    late_ms = now_ms() - connected > 200 ? now_ms() - connected - 200 : 0;
    saga_tx_free(tx);
}

START_TEST(lease__is_renewed_as_soon_as_there_is_a_connection)
{
    in_some_try(renewed_with_the_connection);
}
END_TEST

START_TEST(lease__counts_from_whatever_was_answered_last)
{
    saga_client_close(client);
    open_with((struct saga_client_options){.lease_keeper_off = true});
    saga_tx *tx = begin(60000);
    UNTIL(saga_tx_lease_left_ms(tx) < 59500);
    ck_assert_int_eq(saga_enlist(tx, "a", NULL, &error), SAGA_OK);
    ck_assert_int_gt(saga_tx_lease_left_ms(tx), 59500);
    ck_assert_uint_eq(fake_count(server, "KeepAlive"), 0);
    saga_tx_free(tx);
}
END_TEST

START_TEST(lease__by_hand)
{
    int64_t lease;
    saga_client_close(client);
    open_with((struct saga_client_options){.lease_keeper_off = true});
    atomic_store(&lease_answer_ms, 1500);
    saga_tx *tx = begin(0);
    ck_assert_int_eq(saga_tx_lease_left_ms(tx), -1);
    ck_assert_int_eq(saga_keep_alive(tx, &lease, &error), SAGA_OK);
    ck_assert_int_eq(lease, 1500);
    ck_assert_int_gt(saga_tx_lease_left_ms(tx), 0);
    UNTIL(saga_tx_lease_left_ms(tx) == 0);
    ck_assert_uint_eq(fake_count(server, "KeepAlive"), 1);
    atomic_store(&keep_alive_fails, 9);
    ck_assert_int_eq(saga_keep_alive(tx, NULL, &error), SAGA_E_FAILED_PRECONDITION);
    saga_tx_free(tx);
}
END_TEST

START_TEST(lease__handle_may_be_freed_while_it_is_being_renewed)
{
    atomic_store(&keep_alive_hangs, true);
    saga_tx *tx = begin(300);
    fake_await(server, "KeepAlive", 1);
    saga_tx_free(tx);
    tx = begin(300);
    fake_await(server, "KeepAlive", 2);
    saga_client_shutdown(client);
    saga_tx_free(tx);
}
END_TEST

static void *use(void *tx)
{
    for (int i = 0; i < 100; i++) {
        char step[16];
        struct saga_error e;
        snprintf(step, sizeof step, "s%d", i);
        ck_assert_int_eq(saga_enlist(tx, step, NULL, &e), SAGA_OK);
        ck_assert_int_ge(saga_tx_lease_left_ms(tx), 0);
    }
    return NULL;
}

START_TEST(tx__threads_share_one)
{
    pthread_t threads[3];
    atomic_store(&lease_answer_ms, 100000);
    saga_tx *tx = begin(100000);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, use, tx);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(fake_count(server, "Enlist"), 300);
    ck_assert_uint_eq(fake_count(server, "KeepAlive"), 0);
    saga_tx_free(tx);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_tx");
    TCase *c = tcase_create("tx");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, tx__begin_enlist_settle_commit);
    tcase_add_test(c, tx__what_is_not_said_is_not_sent);
    tcase_add_test(c, tx__every_call_says_which_saga_it_is_about_and_has_its_timeout);
    tcase_add_test(c, tx__what_is_wrong_with_a_step_to_enlist_is_named);
    tcase_add_test(c, tx__what_is_wrong_with_a_settlement_is_named);
    tcase_add_test(c, tx__so_many_steps_fit_one_call);
    tcase_add_test(c, tx__what_is_wrong_with_a_begin_is_named);
    tcase_add_test(c, tx__failures);
    tcase_add_test(c, tx__whose_end_is_refused_goes_on);
    tcase_add_test(c, tx__threads_share_one);
    tcase_add_test(c, lease__is_renewed_at_a_third);
    tcase_add_test(c, lease__counts_from_when_the_call_was_sent);
    tcase_add_test(c, lease__counts_from_the_try_that_was_answered);
    tcase_add_test(c, lease__is_renewed_again_soon_after_a_failure);
    tcase_add_test(c, lease__outlives_a_renewal_that_hangs);
    tcase_add_test(c, tx__keeps_the_keys_that_the_sidecar_says);
    tcase_add_test(c, lease__of_a_saga_that_was_begun_before_is_not_known);
    tcase_add_test(c, lease__ends_when_any_call_is_told_that_the_saga_does_not_run);
    tcase_add_test(c, lease__whose_length_is_the_sidecars_is_asked_for);
    tcase_add_test(c, lease__keeper_tries_again_and_stops_when_the_saga_has_turned_back);
    tcase_add_test(c, lease__survives_lost_connections);
    tcase_add_test(c, lease__is_renewed_as_soon_as_there_is_a_connection);
    tcase_add_test(c, lease__counts_from_whatever_was_answered_last);
    tcase_add_test(c, lease__by_hand);
    tcase_add_test(c, lease__handle_may_be_freed_while_it_is_being_renewed);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
