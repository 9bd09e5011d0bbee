/* What a rule has decided is asked of one loop after another: what of it, in whose name, again after what, and when it is over. */
#include "sidecar/runtime/remedies_inside.h"

#include "sidecar/api/methods.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/rulings.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/webhook.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS 2

static struct loop s;
static struct sidecar sidecar;
static struct config_remedy config;
static struct rule rule, *in_force = &rule;
static struct remedies remedies = {.rules = &in_force, .count = 1};
static enum remedy_order order;
static struct remedy_mark mark;

static unsigned asks, ends, destroyed, replies;
static int reply_code;
static struct rpc *asked_room;
static int asked_method;
static const struct rpc_asker *asker;
static void *tag;
static ProtobufCMessage *asked;
static char result[20], why_not[80], posted[2000];
static uint64_t post_number;
static enum webhook_fate fate;

/* ---- its surroundings; tests.mk wraps these ---- */

struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *by, void *of);
enum remedy_order __wrap_ruling_order(const struct ruling *r);
int __wrap_ruling_answered(struct ruling *r, struct core *core, enum remedy_order which, uint64_t act, const char *why);
const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r);
const char *__wrap_ruling_name(const struct ruling *r);
const char *__wrap_ruling_said(const struct ruling *r);
void __wrap_ruling_destroy(struct ruling *r);
void __wrap_counters_remedy(struct loop *l, const char *name, const char *what);
uint64_t __wrap_webhook_post(struct webhook *w, const char *url, const char *body);
enum webhook_fate __wrap_webhook_fate(struct webhook *w, uint64_t number);
void __wrap_api_audit_own(struct api *api, const char *what, const char *subject, const char *actor,
                          const char *reason);
int __wrap_core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail);

int __wrap_core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail)
{
    (void)c;
    (void)detail;
    ck_assert_uint_eq(reply->token, (uintptr_t)&remedies);
    replies++;
    return reply_code;
}

static void drop_asked(void)
{
    if (asked != NULL)
        protobuf_c_message_free_unpacked(asked, NULL);
    asked = NULL;
}

struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *by, void *of)
{
    (void)from;
    ck_assert_ptr_null(peer);
    drop_asked();
    asks++;
    asked_room = to;
    asked_method = method->id;
    asker = by;
    tag = of;
    asked = protobuf_c_message_unpack(methods[method->id].request, NULL, message.size, message.at);
    return NULL;
}

enum remedy_order __wrap_ruling_order(const struct ruling *r)
{
    (void)r;
    return order;
}

int __wrap_ruling_answered(struct ruling *r, struct core *core, enum remedy_order which, uint64_t act, const char *why)
{
    (void)r;
    (void)core;
    ck_assert_int_eq(which, order);
    ck_assert_uint_eq(act, mark.acts);
    ends++;
    snprintf(why_not, sizeof why_not, "%s", why == NULL ? "" : why);
    order = REMEDY_ORDER_NONE;
    return 0;
}

const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r)
{
    (void)r;
    return &mark;
}

const char *__wrap_ruling_name(const struct ruling *r)
{
    (void)r;
    return "calm";
}

const char *__wrap_ruling_said(const struct ruling *r)
{
    (void)r;
    return "it \"burns\"";
}

void __wrap_ruling_destroy(struct ruling *r)
{
    (void)r;
    destroyed++;
}

void __wrap_counters_remedy(struct loop *l, const char *name, const char *what)
{
    (void)l;
    ck_assert_str_eq(name, "calm");
    snprintf(result, sizeof result, "%s", what);
}

uint64_t __wrap_webhook_post(struct webhook *w, const char *url, const char *body)
{
    (void)w;
    ck_assert_str_eq(url, "https://there");
    snprintf(posted, sizeof posted, "%s", body);
    return post_number;
}

enum webhook_fate __wrap_webhook_fate(struct webhook *w, uint64_t number)
{
    (void)w;
    ck_assert_uint_eq(number, post_number);
    return fate;
}

void __wrap_api_audit_own(struct api *api, const char *what, const char *subject, const char *actor, const char *reason)
{
    (void)api;
    ck_assert_str_eq(what, "Page");
    ck_assert_str_eq(subject, "calm");
    ck_assert_str_eq(actor, "rule calm");
    ck_assert_str_eq(reason, "it \"burns\"");
}

/* ---- one rule of two loops ---- */

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(&sidecar, 0, sizeof sidecar);
    s.sidecar = &sidecar;
    s.remedies = &remedies;
    sidecar.count = LOOPS;
    for (unsigned k = 0; k < LOOPS; k++)
        sidecar.rooms[k] = (struct rpc *)&sidecar.loops[k]; /* only told apart */
    config = (struct config_remedy){.name = "calm",
                                    .act = CONFIG_REMEDY_HOLD,
                                    .when = "always",
                                    .where = "reason == REJECTED",
                                    .definition = "order",
                                    .target = "bank",
                                    .url = "https://there",
                                    .per_second = 2};
    rule = (struct rule){.config = &config};
    mark = (struct remedy_mark){.acts = 3, .acted_at = {.us = INT64_C(1234500000)}};
    order = REMEDY_ORDER_ACT;
    in_force = &rule;
    asks = ends = destroyed = replies = 0;
    reply_code = 0;
    remedies.keeping = remedies.durable = false;
    result[0] = why_not[0] = '\0';
    post_number = 7;
}

static void teardown(void)
{
    drop_asked();
}

static void acts(enum config_remedy_act act, enum remedy_order which)
{
    config.act = act;
    order = which;
    rule.kept = true;
    remedies_ask(&s);
}

static void answers(int status)
{
    const struct rpc_told told = {.status = status, .message = "no"};
    rule.kept = false;
    remedies.keeping = true; /* nothing more is decided meanwhile */
    asker->on_end(&s, tag, &told);
    remedies.keeping = false;
}

/* In whose name it is asked for, and after what: that is what an audit shows. */
#define SAYS_WHO(Request) \
    do { \
        const Request *m_ = (const void *)asked; \
        ck_assert_str_eq(m_->actor, "rule calm"); \
        ck_assert_str_eq(m_->reason, "it \"burns\""); \
    } while (0)

/* Each loop does it, one after another. */
static void all_answer(void)
{
    for (unsigned k = 0; k < LOOPS; k++) {
        ck_assert_ptr_eq(asked_room, sidecar.rooms[k]);
        answers(0);
    }
    ck_assert_uint_eq(ends, 1);
    ck_assert_str_eq(why_not, "");
    ck_assert(!rule.out);
    ends = asks = 0;
}

START_TEST(remedies_act__each_act_is_asked_for_and_taken_back)
{
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_ACT);
    const Saga__V1__HoldDefinitionRequest *hold = (const void *)asked;
    ck_assert_int_eq(asked_method, METHOD_HOLD_DEFINITION);
    ck_assert_str_eq(hold->definition, "order");
    ck_assert(!hold->release && !hold->own);
    SAYS_WHO(Saga__V1__HoldDefinitionRequest);
    all_answer();
    ck_assert_str_eq(result, "acted");
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_UNDO);
    hold = (const void *)asked;
    ck_assert(hold->release && hold->own);
    ck_assert_str_eq(hold->definition, "order");
    SAYS_WHO(Saga__V1__HoldDefinitionRequest);
    result[0] = '\0';
    all_answer();
    ck_assert_str_eq(result, "");
    acts(CONFIG_REMEDY_TRIP, REMEDY_ORDER_ACT);
    const Saga__V1__SetBreakerRequest *breaker = (const void *)asked;
    ck_assert_int_eq(asked_method, METHOD_SET_BREAKER);
    ck_assert_str_eq(breaker->target, "bank");
    ck_assert_int_eq(breaker->act, SAGA__V1__BREAKER_ACT__BREAKER_ACT_TRIP);
    SAYS_WHO(Saga__V1__SetBreakerRequest);
    all_answer();
    acts(CONFIG_REMEDY_TRIP, REMEDY_ORDER_UNDO);
    breaker = (const void *)asked;
    ck_assert_str_eq(breaker->target, "bank");
    ck_assert_int_eq(breaker->act, SAGA__V1__BREAKER_ACT__BREAKER_ACT_RESET);
    SAYS_WHO(Saga__V1__SetBreakerRequest);
    all_answer();
    acts(CONFIG_REMEDY_RESET, REMEDY_ORDER_ACT);
    breaker = (const void *)asked;
    ck_assert_str_eq(breaker->target, "bank");
    ck_assert_int_eq(breaker->act, SAGA__V1__BREAKER_ACT__BREAKER_ACT_RESET);
    SAYS_WHO(Saga__V1__SetBreakerRequest);
    all_answer();
}
END_TEST

START_TEST(remedies_act__a_job_has_the_same_name_until_it_is_cancelled)
{
    acts(CONFIG_REMEDY_RETRY, REMEDY_ORDER_ACT);
    const Saga__V1__StartBulkRequest *start = (const void *)asked;
    ck_assert_int_eq(asked_method, METHOD_START_BULK);
    ck_assert_str_eq(start->id, "rule-calm-1234");
    ck_assert_int_eq(start->act, SAGA__V1__BULK_ACT__BULK_ACT_RETRY);
    ck_assert_str_eq(start->where, "reason == REJECTED");
    ck_assert_str_eq(start->definition, "order");
    ck_assert_double_eq(start->per_second, 2);
    SAYS_WHO(Saga__V1__StartBulkRequest);
    all_answer();
    acts(CONFIG_REMEDY_RETRY, REMEDY_ORDER_UNDO);
    const Saga__V1__ChangeBulkRequest *change = (const void *)asked;
    ck_assert_int_eq(asked_method, METHOD_CHANGE_BULK);
    ck_assert_str_eq(change->id, "rule-calm-1234");
    ck_assert_int_eq(change->state, SAGA__V1__BULK_STATE__BULK_STATE_CANCELLED);
    ck_assert_str_eq(change->actor, "rule calm");
    all_answer();
}
END_TEST

/* The first loop may refuse it; what may pass is asked for again, and so is what some loops have done. */
START_TEST(remedies_act__what_is_refused_is_over_and_what_may_pass_is_not)
{
    static const int passing[] = {CODE_UNAVAILABLE, CODE_RESOURCE_EXHAUSTED, CODE_ABORTED, CODE_DEADLINE_EXCEEDED,
                                  CODE_CANCELLED};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_ACT);
        answers(passing[i]);
        ck_assert_uint_eq(ends, 0);
        ck_assert_str_eq(result, "failed");
        ck_assert(!rule.out);
    }
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_ACT);
    answers(CODE_INVALID_ARGUMENT);
    ck_assert_uint_eq(ends, 1);
    ck_assert_str_eq(why_not, "no");
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_ACT);
    answers(0);
    answers(CODE_INVALID_ARGUMENT);
    ck_assert_uint_eq(ends, 1);
    ck_assert(!rule.out);
    ends = 0;
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_UNDO); /* there is nothing to take back */
    answers(CODE_NOT_FOUND);
    answers(CODE_NOT_FOUND);
    ck_assert_uint_eq(ends, 1);
    ck_assert_str_eq(why_not, "");
}
END_TEST

START_TEST(remedies_act__a_page_says_what_it_is_about)
{
    config.when = "target.matches(\"^a\\\\.b\")\n";
    acts(CONFIG_REMEDY_PAGE, REMEDY_ORDER_ACT);
    ck_assert_str_eq(
        posted, "{\"rule\": \"calm\", \"when\": \"target.matches(\\\"^a\\\\\\\\.b\\\")\", \"definition\": \"order\", "
                "\"target\": \"bank\", \"said\": \"it \\\"burns\\\"\", \"number\": 3}");
    ck_assert_uint_eq(asks, 0);
    fate = WEBHOOK_WAITS;
    remedies_follow_pages(&s);
    ck_assert_uint_eq(ends, 0);
    fate = WEBHOOK_SENT;
    remedies_follow_pages(&s);
    ck_assert_uint_eq(ends, 1);
    ck_assert_str_eq(why_not, "");
    ck_assert_str_eq(result, "acted");
    remedies_follow_pages(&s);
    ck_assert_uint_eq(ends, 1);
    acts(CONFIG_REMEDY_PAGE, REMEDY_ORDER_ACT);
    fate = WEBHOOK_FAILED;
    remedies_follow_pages(&s);
    ck_assert_str_eq(why_not, "the webhook did not take the page");
    ck_assert_str_eq(result, "failed");
    post_number = 0;
    acts(CONFIG_REMEDY_PAGE, REMEDY_ORDER_ACT);
    ck_assert_str_eq(why_not, "the page was dropped: too many wait already");
}
END_TEST

START_TEST(remedies_act__nothing_is_asked_for_that_is_not_kept_or_at_the_end)
{
    config.act = CONFIG_REMEDY_HOLD;
    remedies.keeping = true;
    remedies_ask(&s);
    remedies.keeping = false;
    s.stopping = true;
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_ACT);
    s.stopping = false;
    s.cutting = true;
    acts(CONFIG_REMEDY_HOLD, REMEDY_ORDER_ACT);
    s.cutting = false;
    ck_assert_uint_eq(asks, 0);
}
END_TEST

/* Only then, and once; when it cannot be, it is tried again. */
START_TEST(remedies_act__what_is_decided_is_durable_before_it_is_asked_for)
{
    config.act = CONFIG_REMEDY_HOLD;
    order = REMEDY_ORDER_NONE;
    remedies_carry_out(&s);
    ck_assert(replies == 0 && !rule.kept);
    order = REMEDY_ORDER_ACT;
    for (unsigned i = 0; i < 2; i++) {
        remedies_carry_out(&s);
        ck_assert(replies == i + 1 && rule.kept && remedies.keeping && asks == 0);
        remedies_carry_out(&s);
        ck_assert_uint_eq(replies, i + 1);
        remedies_kept(&s, i == 0 ? E_JOURNAL_FULL : 0);
        ck_assert(!remedies.keeping && remedies.durable == (i == 1));
    }
    remedies_carry_out(&s);
    ck_assert_uint_eq(replies, 2);
    remedies_ask(&s);
    ck_assert(asks == 1 && replies == 2 && !remedies.durable);
}
END_TEST

/* Something else may have come to be so while it was being kept. */
START_TEST(remedies_act__what_was_kept_and_waits_no_more_is_not_asked_for)
{
    config.act = CONFIG_REMEDY_HOLD;
    remedies_carry_out(&s);
    remedies_kept(&s, 0);
    order = REMEDY_ORDER_NONE;
    remedies_ask(&s);
    ck_assert(asks == 0 && !remedies.durable);
    order = REMEDY_ORDER_ACT;
    rule.out = true;
    remedies_ask(&s);
    rule.out = false;
    rule.page = 7;
    remedies_ask(&s);
    ck_assert_uint_eq(asks, 0);
}
END_TEST

START_TEST(remedies_act__what_there_is_no_memory_to_wait_for_ends_the_loop)
{
    config.act = CONFIG_REMEDY_HOLD;
    reply_code = E_MEMORY;
    remedies_carry_out(&s);
    ck_assert_int_eq(s.failure.code, E_MEMORY);
    remedies_ask(&s);
    ck_assert_uint_eq(asks, 0);
}
END_TEST

static struct rule *made(void)
{
    in_force = malloc(sizeof *in_force);
    ck_assert_ptr_nonnull(in_force);
    *in_force = (struct rule){.config = &config, .kept = true};
    return in_force;
}

/* It goes at once, or once what it has asked for is answered, which nobody hears. */
START_TEST(remedies_act__a_rule_that_is_gone_is_there_until_its_answer)
{
    remedies_let_go(made());
    ck_assert_uint_eq(destroyed, 1);
    struct rule *asks_still = made();
    remedies_ask(&s);
    ck_assert_uint_eq(asks, 1);
    in_force = &rule;
    remedies_let_go(asks_still);
    ck_assert_uint_eq(destroyed, 1);
    answers(0);
    ck_assert_uint_eq(destroyed, 1); /* the other loop does it, too */
    answers(0);
    ck_assert_uint_eq(destroyed, 2);
    ck_assert_uint_eq(ends, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remedies_act");
    TCase *tc = tcase_create("remedies_act");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, remedies_act__each_act_is_asked_for_and_taken_back);
    tcase_add_test(tc, remedies_act__a_job_has_the_same_name_until_it_is_cancelled);
    tcase_add_test(tc, remedies_act__what_is_refused_is_over_and_what_may_pass_is_not);
    tcase_add_test(tc, remedies_act__a_page_says_what_it_is_about);
    tcase_add_test(tc, remedies_act__nothing_is_asked_for_that_is_not_kept_or_at_the_end);
    tcase_add_test(tc, remedies_act__what_is_decided_is_durable_before_it_is_asked_for);
    tcase_add_test(tc, remedies_act__what_was_kept_and_waits_no_more_is_not_asked_for);
    tcase_add_test(tc, remedies_act__what_there_is_no_memory_to_wait_for_ends_the_loop);
    tcase_add_test(tc, remedies_act__a_rule_that_is_gone_is_there_until_its_answer);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
