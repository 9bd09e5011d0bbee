/* Rules of a configuration that is taken: made as it says, going on as they were left, and which are refused. */
#include "sidecar/runtime/remedies_inside.h"

#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_MAX = 16 };

/* A rule as it was made. */
struct made {
    char name[16];
    struct ruling_options options;
    bool at_start, same, gone; /* as it was told to go on; and it is there no more */
    const struct made *before;
};

static struct loop s;
static struct sidecar sidecar;
static struct instant now;
static struct made made[MADE_MAX];
static unsigned made_count, hooks, hooks_ready, hooks_closed, left_count;
static int create_code, recover_code;
static const char *wrong_field;
static char counted[200];
static struct store store;

/* ---- tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
int __wrap_ruling_create(const struct ruling_options *options, const struct memory *memory, struct ruling **out,
                         struct error_detail *detail);
void __wrap_ruling_destroy(struct ruling *r);
void __wrap_ruling_go_on(struct ruling *r, const struct rulings *left, bool at_start, struct ruling *before, bool same);
int __wrap_ruling_leave(const struct ruling *r, struct rulings *left);
const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r);
const char *__wrap_ruling_name(const struct ruling *r);
int __wrap_rulings_recover(struct rulings *r, struct store *of, struct error_detail *detail);
int __wrap_webhook_open(struct webhook **out, struct error_detail *detail);
int __wrap_webhook_ready(struct error_detail *detail);
void __wrap_webhook_close(struct webhook *w);
struct webhook_counts __wrap_webhook_take_counts(struct webhook *w);
void __wrap_counters_remedy_gone(struct loop *l, const char *rule);
void __wrap_counters_remedy_armed(struct loop *l, const char *rule, bool armed);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

int __wrap_ruling_create(const struct ruling_options *options, const struct memory *memory, struct ruling **out,
                         struct error_detail *detail)
{
    (void)memory;
    if (create_code != 0)
        return error_set(detail, create_code, wrong_field, "is wrong");
    ck_assert_uint_lt(made_count, MADE_MAX);
    struct made *m = &made[made_count++];
    *m = (struct made){.options = *options};
    snprintf(m->name, sizeof m->name, "%s", options->name);
    *out = (struct ruling *)(void *)m;
    return 0;
}

void __wrap_ruling_destroy(struct ruling *r)
{
    if (r != NULL)
        ((struct made *)(void *)r)->gone = true;
}

void __wrap_ruling_go_on(struct ruling *r, const struct rulings *left, bool at_start, struct ruling *before, bool same)
{
    struct made *m = (struct made *)(void *)r;
    ck_assert_ptr_nonnull(left);
    m->at_start = at_start;
    m->same = same;
    m->before = (const struct made *)(void *)before;
    ck_assert(before == NULL || !m->before->gone);
}

int __wrap_ruling_leave(const struct ruling *r, struct rulings *left)
{
    ck_assert(r != NULL && left != NULL);
    left_count++;
    return 0;
}

const struct remedy_mark *__wrap_ruling_mark(const struct ruling *r)
{
    static struct remedy_mark mark;
    mark.disarmed = strcmp(((const struct made *)(const void *)r)->name, "b") == 0;
    return &mark;
}

const char *__wrap_ruling_name(const struct ruling *r)
{
    return ((const struct made *)(const void *)r)->name;
}

int __wrap_rulings_recover(struct rulings *r, struct store *of, struct error_detail *detail)
{
    ck_assert(r != NULL && of == &store);
    return recover_code == 0 ? 0 : error_set(detail, recover_code, "", "");
}

int __wrap_webhook_open(struct webhook **out, struct error_detail *detail)
{
    (void)detail;
    hooks++;
    *out = (struct webhook *)(void *)&hooks;
    return 0;
}

int __wrap_webhook_ready(struct error_detail *detail)
{
    hooks_ready++;
    return error_set(detail, E_SYSTEM, "", "there is no libcurl");
}

void __wrap_webhook_close(struct webhook *w)
{
    hooks_closed += w == (struct webhook *)(void *)&hooks;
}

struct webhook_counts __wrap_webhook_take_counts(struct webhook *w)
{
    ck_assert_ptr_eq(w, (struct webhook *)(void *)&hooks);
    return (struct webhook_counts){.sent = 3};
}

void __wrap_counters_remedy_gone(struct loop *l, const char *rule)
{
    ck_assert_ptr_eq(l, &s);
    snprintf(counted + strlen(counted), sizeof counted - strlen(counted), "-%s ", rule);
}

void __wrap_counters_remedy_armed(struct loop *l, const char *rule, bool armed)
{
    ck_assert_ptr_eq(l, &s);
    snprintf(counted + strlen(counted), sizeof counted - strlen(counted), "%s=%d ", rule, armed);
}

/* ---- configurations ---- */

static struct config_remedy rule_of(const char *name, uint32_t act)
{
    return (struct config_remedy){
        .name = name, .when = "true", .definition = "", .target = "t", .where = "", .url = "", .act = act};
}

static struct config config_of(const struct config_remedy *rules, size_t count)
{
    return (struct config){.remediation = rules, .remedy_count = count};
}

static void setup(void)
{
    memset(&sidecar, 0, sizeof sidecar);
    s = (struct loop){.sidecar = &sidecar, .store = &store};
    now = (struct instant){.us = 5000000};
    made_count = hooks = hooks_ready = hooks_closed = left_count = 0;
    create_code = recover_code = 0;
    wrong_field = "";
    counted[0] = '\0';
}

static int open_with(const struct config *config)
{
    struct error_detail detail;
    s.config = config;
    return remedies_open(&s, &detail);
}

static int check(struct config_remedy rule, struct error_detail *detail)
{
    const struct config config = config_of(&rule, 1);
    return remedies_check(&config, detail);
}

START_TEST(remedies_take__every_option_reaches_its_rule)
{
    static const struct {
        uint32_t act;
        bool judged, holds, undone;
    } rows[] = {{CONFIG_REMEDY_RETRY, true, false, true},
                {CONFIG_REMEDY_HOLD, true, true, true},
                {CONFIG_REMEDY_TRIP, true, false, true},
                {CONFIG_REMEDY_RESET, true, false, false},
                {CONFIG_REMEDY_PAGE, false, false, false}};
    struct config_remedy rules[5] = {{0}};
    const struct config_objective promised[] = {{.definition = "other", .latency = SPAN_S(1), .latency_percent = 99000},
                                                {.definition = "order", .success = 1}};
    struct config config = config_of(rules, 5);
    config.objectives = promised;
    config.objective_count = 2;
    for (unsigned i = 0; i < 5; i++)
        rules[i] = (struct config_remedy){.name = "calm",
                                          .when = "live > 3",
                                          .definition = i == 1 ? "other" : "order",
                                          .target = "bank",
                                          .act = rows[i].act,
                                          .acts = i % 2 == 0,
                                          .lasts = SPAN_S(1 + i),
                                          .every = SPAN_S(20 + i),
                                          .settle = SPAN_S(40 + i)};
    ck_assert_int_eq(open_with(&config), 0);
    ck_assert_uint_eq(made_count, 5);
    for (unsigned i = 0; i < 5; i++) {
        const struct ruling_options *o = &made[i].options;
        ck_assert_str_eq(made[i].name, "calm");
        ck_assert_str_eq(o->definition, i == 1 ? "other" : "order");
        ck_assert_str_eq(o->target, "bank");
        ck_assert_int_eq(o->by_objective, i != 1); /* of which no success is promised */
        ck_assert_int_eq(s.remedies->rules[i]->by_objective, i != 1);
        ck_assert_int_eq(o->act, SAGA__V1__RULE_ACT__RULE_ACT_RETRY + i);
        ck_assert_str_eq(o->remedy.when, "live > 3");
        ck_assert_int_eq(o->remedy.acts, i % 2 == 0);
        ck_assert_int_eq(o->remedy.judged, rows[i].judged);
        ck_assert_int_eq(o->remedy.holds, rows[i].holds);
        ck_assert_int_eq(o->remedy.undone, rows[i].undone);
        ck_assert_int_eq(o->remedy.lasts.us, SPAN_S(1 + i).us);
        ck_assert_int_eq(o->remedy.every.us, SPAN_S(20 + i).us);
        ck_assert_int_eq(o->remedy.settle.us, SPAN_S(40 + i).us);
    }
    ck_assert_int_eq(s.remedies->next.us, instant_after(now, SPAN_S(10)).us);
    remedies_close(&s);
    for (unsigned i = 0; i < 5; i++)
        ck_assert(made[i].gone);
}
END_TEST

/* A rule of the same name is the same rule, and keeps its page; one that is changed in nothing keeps since when it waits, too. */
START_TEST(remedies_take__rules_go_on_as_they_were)
{
    struct error_detail detail;
    struct config_remedy first[] = {rule_of("a", CONFIG_REMEDY_HOLD), rule_of("b", CONFIG_REMEDY_TRIP),
                                    rule_of("c", CONFIG_REMEDY_TRIP)};
    struct config_remedy second[] = {rule_of("b", CONFIG_REMEDY_TRIP), rule_of("d", CONFIG_REMEDY_TRIP),
                                     rule_of("a", CONFIG_REMEDY_HOLD)};
    const struct config before = config_of(first, 3), after = config_of(second, 3), none = config_of(NULL, 0);
    second[2].lasts = SPAN_S(1);
    ck_assert_int_eq(open_with(&before), 0);
    ck_assert_str_eq(counted, "a=1 b=0 c=1 ");
    for (unsigned i = 0; i < 3; i++)
        ck_assert(made[i].at_start && made[i].before == NULL && !made[i].same);
    s.remedies->rules[1]->page = 7;
    s.remedies->rules[1]->page_number = 8;
    s.remedies->failed = false;
    counted[0] = '\0';
    ck_assert_int_eq(remedies_take(&s, &after, &detail), 0);
    ck_assert_str_eq(counted, "-a -b -c b=0 d=1 a=1 ");
    ck_assert_uint_eq(left_count, 3);
    ck_assert_uint_eq(s.remedies->count, 3);
    ck_assert(s.remedies->failed); /* what is being asked was asked for others */
    ck_assert(made[3].before == &made[1] && made[3].same);
    ck_assert(made[4].before == NULL && !made[4].same);
    ck_assert(made[5].before == &made[0] && !made[5].same);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_int_eq(made[i].gone, i < 3);
        ck_assert(i < 3 || !made[i].at_start);
    }
    ck_assert(s.remedies->rules[0]->page == 7 && s.remedies->rules[0]->page_number == 8);
    ck_assert(s.remedies->rules[1]->page == 0 && s.remedies->rules[1]->page_number == 0);
    ck_assert_int_eq(remedies_take(&s, &none, &detail), 0);
    ck_assert_uint_eq(s.remedies->count, 0);
    remedies_close(&s);
}
END_TEST

START_TEST(remedies_take__what_cannot_be_had_changes_nothing)
{
    struct error_detail detail;
    struct config_remedy rules[] = {rule_of("a", CONFIG_REMEDY_HOLD)};
    const struct config config = config_of(rules, 1);
    ck_assert_int_eq(open_with(&config), 0);
    create_code = E_MEMORY;
    counted[0] = '\0';
    ck_assert_int_eq(remedies_take(&s, &config, &detail), E_MEMORY);
    ck_assert(s.remedies->count == 1 && !made[0].gone);
    ck_assert_str_eq(counted, "");
    struct config_remedy pages[] = {rule_of("a", CONFIG_REMEDY_HOLD), rule_of("p", CONFIG_REMEDY_PAGE)};
    const struct config with_pages = config_of(pages, 2); /* nor does what would follow make it good */
    ck_assert_int_eq(remedies_take(&s, &with_pages, &detail), E_MEMORY);
    ck_assert(s.remedies->count == 1 && hooks == 0);
    remedies_close(&s);
    create_code = 0;
    s.remedies = NULL;
    recover_code = E_JOURNAL_CORRUPT;
    ck_assert_int_eq(open_with(&config), E_JOURNAL_CORRUPT);
    remedies_close(&s);
}
END_TEST

/* Pages are sent by a thread of their own, which is there once anybody is to be paged, and stays. */
START_TEST(remedies_take__who_pages_has_a_thread)
{
    struct error_detail detail;
    struct config_remedy rules[] = {rule_of("a", CONFIG_REMEDY_HOLD), rule_of("p", CONFIG_REMEDY_PAGE)};
    const struct config one = config_of(rules, 1), both = config_of(rules, 2);
    ck_assert_int_eq(open_with(&one), 0);
    ck_assert_uint_eq(hooks, 0);
    ck_assert_uint_eq(remedies_pages(&s).sent, 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(remedies_take(&s, &both, &detail), 0);
    ck_assert_uint_eq(hooks, 1);
    ck_assert_uint_eq(remedies_pages(&s).sent, 3);
    remedies_close(&s);
    ck_assert_uint_eq(hooks_closed, 1);
    s.remedies = NULL;
    ck_assert_uint_eq(remedies_pages(&s).sent, 0);
    remedies_close(&s);
}
END_TEST

/* Rules are the first loop's, and none for a journal that is only looked after. */
START_TEST(remedies_take__only_the_first_loop_of_its_own_sidecar_has_any)
{
    static const int some;
    struct error_detail detail;
    struct config_remedy rules[] = {rule_of("a", CONFIG_REMEDY_HOLD)};
    const struct config config = config_of(rules, 1);
    s.index = 1;
    ck_assert_int_eq(open_with(&config), 0);
    ck_assert_int_eq(remedies_take(&s, &config, &detail), 0);
    s.index = 0;
    sidecar.adopted = (const struct adopted *)(const void *)&some;
    ck_assert_int_eq(open_with(&config), 0);
    ck_assert_int_eq(remedies_take(&s, &config, &detail), 0);
    ck_assert_ptr_null(s.remedies);
    ck_assert_uint_eq(made_count, 0);
}
END_TEST

START_TEST(remedies_take__what_is_wrong_is_told_by_its_place)
{
    struct error_detail detail;
    struct config_remedy lone = rule_of("x", CONFIG_REMEDY_RETRY);
    lone.target = ""; /* by what should it be judged? */
    ck_assert_int_eq(check(lone, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "remediation.x");
    ck_assert_ptr_nonnull(strstr(detail.text, "promise the one, or name the other"));
    ck_assert_uint_eq(made_count, 0);
    lone.act = CONFIG_REMEDY_PAGE; /* it is not judged; but nobody can be paged */
    ck_assert_int_eq(check(lone, &detail), E_SYSTEM);
    ck_assert_uint_eq(hooks_ready, 1);
    ck_assert(made_count == 1 && made[0].gone);
    ck_assert_int_eq(check(rule_of("x", CONFIG_REMEDY_HOLD), &detail), 0);
    ck_assert_uint_eq(hooks_ready, 1);
    create_code = E_ARGUMENT;
    wrong_field = "when";
    ck_assert_int_eq(check(rule_of("x", CONFIG_REMEDY_HOLD), &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "remediation.x.when");
    ck_assert_str_eq(detail.text, "is wrong");
    create_code = E_MEMORY;
    ck_assert_int_eq(check(rule_of("x", CONFIG_REMEDY_HOLD), &detail), E_MEMORY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remedies_take");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, remedies_take__every_option_reaches_its_rule);
    tcase_add_test(t, remedies_take__rules_go_on_as_they_were);
    tcase_add_test(t, remedies_take__what_cannot_be_had_changes_nothing);
    tcase_add_test(t, remedies_take__who_pages_has_a_thread);
    tcase_add_test(t, remedies_take__only_the_first_loop_of_its_own_sidecar_has_any);
    tcase_add_test(t, remedies_take__what_is_wrong_is_told_by_its_place);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
