/* Rules are asked every ten seconds, once all loops have said how things are: when, whom, when not, and what is told of what they decide. */
#include "sidecar/runtime/remedies_inside.h"

#include "sidecar/api/methods.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOPS = 3, RULES = 2, ASKS_MAX = 64 };

static struct loop s;
static struct sidecar sidecar;
static struct config_remedy config[RULES] = {{.name = "calm", .when = "a > 1"}, {.name = "other", .when = "true"}};
static struct rule rules[RULES], *in_force[RULES];
static struct remedies remedies;
static struct instant now;
static int stalled;

/* Whom was asked what, and what rules and their surroundings were told; tests.mk wraps these. */
static struct {
    struct rpc *to;
    int method;
    const struct rpc_asker *asker;
    void *tag;
} asks[ASKS_MAX];
static unsigned ask_count, statuses, objectives, begun, ended, followed, carried, asked_for, looks;
static enum remedy_verdict verdict; /* of the first rule */
static struct remedy_mark mark;
static char lines[512], counted[128], audited[128];
static int armed; /* as it was told last; -1: it was not */

struct instant __wrap_clock_now(const struct clock *c);
struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *by, void *of);
int __wrap_core_stalled(const struct core *c);
void __wrap_facts_begin(struct remedies *r);
void __wrap_facts_add_status(struct remedies *r, const Saga__V1__StatusResponse *m, struct instant at);
void __wrap_facts_add_objectives(struct remedies *r, const Saga__V1__ListObjectivesResponse *m);
void __wrap_facts_end(struct remedies *r);
void __wrap_remedies_carry_out(struct loop *l);
void __wrap_remedies_ask(struct loop *l);
void __wrap_remedies_follow_pages(struct loop *l);
int __wrap_ruling_look(struct ruling *r, struct core *core, const struct remedy_facts *facts, struct instant at,
                       enum remedy_verdict *out);
const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r);
const char *__wrap_ruling_name(const struct ruling *r);
const char *__wrap_ruling_said(const struct ruling *r);
struct instant __wrap_ruling_true_since(const struct ruling *r);
Saga__V1__Rule __wrap_ruling_message(const struct ruling *r);
int __wrap_ruling_arm(struct ruling *r, struct core *core);
int __wrap_ruling_take_back(struct ruling *r, struct core *core);
void __wrap_counters_remedy(struct loop *l, const char *rule, const char *result);
void __wrap_counters_remedy_armed(struct loop *l, const char *rule, bool is);
void __wrap_api_audit_own(struct api *api, const char *what, const char *subject, const char *actor,
                          const char *reason);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *by, void *of)
{
    (void)from;
    ck_assert_uint_lt(ask_count, ASKS_MAX);
    ck_assert(message.size == 0 && peer == NULL); /* the sidecar itself asks for all */
    asks[ask_count].to = to;
    asks[ask_count].method = method->id;
    asks[ask_count].asker = by;
    asks[ask_count++].tag = of;
    return NULL;
}

int __wrap_core_stalled(const struct core *c)
{
    (void)c;
    return stalled;
}

void __wrap_facts_begin(struct remedies *r)
{
    ck_assert_ptr_eq(r, &remedies);
    begun++;
}

void __wrap_facts_add_status(struct remedies *r, const Saga__V1__StatusResponse *m, struct instant at)
{
    ck_assert(r == &remedies && m != NULL && at.us == now.us);
    statuses++;
}

void __wrap_facts_add_objectives(struct remedies *r, const Saga__V1__ListObjectivesResponse *m)
{
    ck_assert(r == &remedies && m != NULL);
    objectives++;
}

void __wrap_facts_end(struct remedies *r)
{
    ck_assert_ptr_eq(r, &remedies);
    ck_assert_uint_eq(looks, 0); /* before any rule looks */
    ended++;
}

void __wrap_remedies_carry_out(struct loop *l)
{
    ck_assert_ptr_eq(l, &s);
    carried++;
}

void __wrap_remedies_ask(struct loop *l)
{
    ck_assert_ptr_eq(l, &s);
    asked_for++;
}

void __wrap_remedies_follow_pages(struct loop *l)
{
    ck_assert_ptr_eq(l, &s);
    followed++;
}

int __wrap_ruling_look(struct ruling *r, struct core *core, const struct remedy_facts *facts, struct instant at,
                       enum remedy_verdict *out)
{
    (void)core;
    unsigned k = r == rules[0].ruling ? 0 : 1;
    ck_assert(r == rules[k].ruling && facts == &rules[k].facts && at.us == now.us);
    looks++;
    *out = k == 0 ? verdict : REMEDY_NOTHING;
    return 0;
}

const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r)
{
    (void)r;
    return &mark;
}

const char *__wrap_ruling_name(const struct ruling *r)
{
    return config[r == rules[0].ruling ? 0 : 1].name;
}

const char *__wrap_ruling_said(const struct ruling *r)
{
    ck_assert_ptr_eq(r, rules[0].ruling);
    return "why";
}

struct instant __wrap_ruling_true_since(const struct ruling *r)
{
    return (struct instant){.us = r == rules[0].ruling ? INT64_C(1500000000) : 0};
}

Saga__V1__Rule __wrap_ruling_message(const struct ruling *r)
{
    Saga__V1__Rule m = SAGA__V1__RULE__INIT;
    m.name = (char *)(uintptr_t)__wrap_ruling_name(r);
    return m;
}

int __wrap_ruling_arm(struct ruling *r, struct core *core)
{
    (void)core;
    ck_assert_ptr_eq(r, rules[1].ruling);
    strcat(counted, "arm ");
    return 0;
}

int __wrap_ruling_take_back(struct ruling *r, struct core *core)
{
    (void)core;
    ck_assert_ptr_eq(r, rules[1].ruling);
    strcat(counted, "take back ");
    return 0;
}

void __wrap_counters_remedy(struct loop *l, const char *rule, const char *result)
{
    ck_assert_ptr_eq(l, &s);
    ck_assert_str_eq(rule, "calm");
    strcat(counted, result);
}

void __wrap_counters_remedy_armed(struct loop *l, const char *rule, bool is)
{
    (void)rule;
    ck_assert_ptr_eq(l, &s);
    armed = is;
}

void __wrap_api_audit_own(struct api *api, const char *what, const char *subject, const char *actor, const char *reason)
{
    (void)api;
    snprintf(audited, sizeof audited, "%s %s %s %s", what, subject, actor, reason);
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
    strcat(lines, strchr(line, ' ') + 1);
}

static void setup(void)
{
    static int of[RULES];
    memset(&sidecar, 0, sizeof sidecar);
    memset(&s, 0, sizeof s);
    s.sidecar = &sidecar;
    s.remedies = &remedies;
    sidecar.count = LOOPS;
    for (unsigned k = 0; k < LOOPS; k++)
        sidecar.rooms[k] = (struct rpc *)&sidecar.loops[k]; /* only told apart */
    for (unsigned i = 0; i < RULES; i++) {
        rules[i] = (struct rule){.config = &config[i], .ruling = (struct ruling *)(void *)&of[i], .kept = true};
        in_force[i] = &rules[i];
    }
    now = (struct instant){.us = INT64_C(2000000000)};
    remedies = (struct remedies){.rules = in_force, .count = RULES, .next = now};
    mark = (struct remedy_mark){0};
    ask_count = statuses = objectives = begun = ended = followed = carried = asked_for = looks = 0;
    verdict = REMEDY_NOTHING;
    stalled = 0;
    armed = -1;
    lines[0] = counted[0] = audited[0] = '\0';
}

/* The k-th that was asked answers with nothing in it, or does not. */
static void answers(unsigned k, int status)
{
    asks[k].asker->on_end(&s, asks[k].tag, &(struct rpc_told){.status = status});
}

static void look(void)
{
    unsigned from = ask_count;
    remedies_turn(&s);
    ck_assert_uint_eq(ask_count, from + 2 * LOOPS);
    for (unsigned k = from; k < ask_count; k++)
        answers(k, 0);
}

START_TEST(remedies__all_loops_are_asked_every_ten_seconds)
{
    for (int round = 0; round < 2; round++) {
        ask_count = statuses = objectives = begun = ended = followed = looks = carried = 0;
        ck_assert_int_eq(remedies_expiry(&s).us, remedies.next.us);
        now.us = remedies.next.us - 1;
        remedies_turn(&s);
        ck_assert_uint_eq(ask_count + begun + followed, 0);
        now.us++;
        remedies_turn(&s);
        ck_assert_uint_eq(ask_count, 2 * LOOPS);
        ck_assert(begun == 1 && followed == 1);
        for (unsigned k = 0; k < 2 * LOOPS; k++) {
            ck_assert_ptr_eq(asks[k].to, sidecar.rooms[k / 2]);
            ck_assert_int_eq(asks[k].method, k % 2 == 0 ? METHOD_STATUS : METHOD_LIST_OBJECTIVES);
        }
        /* Nobody is asked again before all have answered, however long that takes. */
        now = instant_after(now, SPAN_S(60));
        ck_assert_int_eq(remedies_expiry(&s).us, INSTANT_NEVER.us);
        for (unsigned k = 0; k < 2 * LOOPS; k++) {
            remedies_turn(&s);
            ck_assert_uint_eq(looks + ended, 0);
            answers(k, 0);
        }
        ck_assert_uint_eq(ask_count, 2 * LOOPS);
        ck_assert(statuses == LOOPS && objectives == LOOPS && ended == 1);
        ck_assert(looks == RULES && carried == 1);
        ck_assert_int_eq(remedies.next.us, instant_after(now, SPAN_S(10)).us);
    }
}
END_TEST

START_TEST(remedies__without_rules_nobody_is_asked)
{
    remedies.count = 0;
    remedies_turn(&s);
    ck_assert_int_eq(remedies_expiry(&s).us, INSTANT_NEVER.us);
    s.remedies = NULL; /* nor by another loop than the first */
    remedies_turn(&s);
    ck_assert_int_eq(remedies_expiry(&s).us, INSTANT_NEVER.us);
    ck_assert_uint_eq(ask_count, 0);
}
END_TEST

/* What was decided is asked for as soon as it is durable, though nobody looks. */
START_TEST(remedies__what_is_durable_is_asked_for_at_once)
{
    remedies.durable = true;
    remedies.next = INSTANT_NEVER;
    ck_assert_int_le(remedies_expiry(&s).us, now.us);
    remedies_turn(&s);
    ck_assert_uint_eq(asked_for, 1);
    ck_assert_uint_eq(ask_count, 0);
}
END_TEST

/* Whoever does not know how all is decides nothing, and asks again. */
START_TEST(remedies__an_answer_too_few_decides_nothing)
{
    for (unsigned missing = 0; missing < 2 * LOOPS; missing++) {
        ask_count = 0;
        remedies_turn(&s);
        for (unsigned k = 0; k < 2 * LOOPS; k++) {
            if (k == missing && missing % 2 == 0)
                answers(k, 14);
            else if (k == missing)
                asks[k].asker->on_end(&s, asks[k].tag, &(struct rpc_told){.body = bytes_of("\xff", 1)});
            else
                answers(k, 0);
        }
        ck_assert_uint_eq(looks + carried, 0);
        now = remedies.next;
    }
    look();
    ck_assert_uint_eq(looks, RULES);
}
END_TEST

START_TEST(remedies__nothing_is_decided_that_could_not_be_kept)
{
    look();
    ck_assert(looks == RULES && carried == 1);
    looks = carried = 0;
    now = remedies.next;
    stalled = E_JOURNAL_FULL;
    look();
    stalled = 0;
    now = remedies.next;
    s.stopping = true;
    look();
    s.stopping = false;
    now = remedies.next;
    s.failure.code = E_SYSTEM;
    look();
    ck_assert_uint_eq(looks + carried, 0);
}
END_TEST

START_TEST(remedies__what_a_rule_decides_is_told)
{
    static const struct {
        enum remedy_verdict verdict;
        const char *line, *counted;
        bool audited;
    } rows[] = {
        {REMEDY_NOTHING, NULL, "", false},
        {REMEDY_ACT, "level=warn msg=\"a rule acts\"", "", false}, /* counted when it is done */
        {REMEDY_WOULD, "level=warn msg=\"a rule would act, and is only tried (mode: dry-run)\"", "would", false},
        {REMEDY_WORSE, "level=error msg=\"a rule has made things worse, and has stopped itself\"", "worse", true},
        {REMEDY_JUDGED, "level=info msg=\"what a rule did has not made things worse\"", "judged", false},
        {REMEDY_LOOSED, "level=warn msg=\"what a rule did was taken back by hand, and it is disarmed\"", "loosed",
         true},
        {REMEDY_LATE, "level=error msg=\"what a rule decided was not answered, and is taken back\"", "late", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[200] = "";
        lines[0] = counted[0] = audited[0] = '\0';
        armed = -1;
        looks = 0;
        rules[0].kept = rules[1].kept = true;
        mark.disarmed = i % 2 == 0;
        verdict = rows[i].verdict;
        look();
        now = remedies.next;
        if (rows[i].line != NULL)
            snprintf(line, sizeof line, "%s rule=calm said=why\n", rows[i].line);
        ck_assert_str_eq(lines, line);
        ck_assert_str_eq(counted, rows[i].counted);
        ck_assert_str_eq(audited, rows[i].audited ? "DisarmRule calm sagad why" : "");
        ck_assert_int_eq(armed, rows[i].line == NULL ? -1 : !mark.disarmed);
        ck_assert_int_eq(rules[0].kept, rows[i].line == NULL); /* what has changed is to be durable first */
        ck_assert(rules[1].kept);
    }
}
END_TEST

START_TEST(remedies__rules_are_listed_with_their_times)
{
    struct arena a;
    Saga__V1__ListRulesResponse m = SAGA__V1__LIST_RULES_RESPONSE__INIT;
    arena_init(&a);
    mark.acted_at = (struct instant){.us = INT64_C(1400000000)};
    ck_assert(remedies_list(&s, &a, &m));
    ck_assert_uint_eq(m.n_rules, RULES);
    for (unsigned i = 0; i < RULES; i++) {
        ck_assert_str_eq(m.rules[i]->name, config[i].name);
        ck_assert_str_eq(m.rules[i]->when, config[i].when);
        ck_assert_int_eq(m.rules[i]->acted_at->seconds, 1400);
        ck_assert_int_eq(m.rules[i]->true_since == NULL, i == 1);
    }
    ck_assert_int_eq(m.rules[0]->true_since->seconds, 1500);
    mark.acted_at.us = 0; /* it never has */
    m = (Saga__V1__ListRulesResponse)SAGA__V1__LIST_RULES_RESPONSE__INIT;
    ck_assert(remedies_list(&s, &a, &m));
    ck_assert_ptr_null(m.rules[0]->acted_at);
    s.remedies = NULL;
    m = (Saga__V1__ListRulesResponse)SAGA__V1__LIST_RULES_RESPONSE__INIT;
    ck_assert(remedies_list(&s, &a, &m));
    ck_assert_uint_eq(m.n_rules, 0);
    arena_finish(&a);
}
END_TEST

/* What a person decides is kept, and carried out, as what a rule does. */
START_TEST(remedies__a_person_arms_and_takes_back)
{
    struct error_detail detail;
    ck_assert_int_eq(remedies_change(&s, "other", true, &detail), 0);
    ck_assert(armed == 1 && carried == 1 && !rules[1].kept && rules[0].kept);
    rules[1].kept = true;
    ck_assert_int_eq(remedies_change(&s, "other", false, &detail), 0);
    ck_assert(armed == 0 && carried == 2 && !rules[1].kept);
    ck_assert_str_eq(counted, "arm take back ");
    ck_assert_int_eq(remedies_change(&s, "none", true, &detail), E_RULE_NOT_FOUND);
    ck_assert_str_eq(detail.field, "name");
    s.remedies = NULL;
    ck_assert_int_eq(remedies_change(&s, "other", true, &detail), E_RULE_NOT_FOUND);
    ck_assert_uint_eq(carried, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remedies");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, remedies__all_loops_are_asked_every_ten_seconds);
    tcase_add_test(t, remedies__without_rules_nobody_is_asked);
    tcase_add_test(t, remedies__what_is_durable_is_asked_for_at_once);
    tcase_add_test(t, remedies__an_answer_too_few_decides_nothing);
    tcase_add_test(t, remedies__nothing_is_decided_that_could_not_be_kept);
    tcase_add_test(t, remedies__what_a_rule_decides_is_told);
    tcase_add_test(t, remedies__rules_are_listed_with_their_times);
    tcase_add_test(t, remedies__a_person_arms_and_takes_back);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
