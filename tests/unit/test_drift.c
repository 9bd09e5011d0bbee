/* Targets are asked what their messages are: which, of what, how often, and what is told of what came of it. */
#include "sidecar/runtime/drift.h"

#include "sidecar/contract/contract.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS 3

static struct loop s;
static struct config config;
static struct loop_target targets[TARGETS];
static struct instant now;
static struct span tick; /* passes whenever the clock is read */
static struct step_spec steps[3];
static struct definition definition;
static uint32_t definitions;
static char lines[8192]; /* of the log, without their time */
static unsigned breaks;
static int unreadable;

/* ---- its surroundings; tests.mk wraps these ---- */

static unsigned asks, compared;
static struct schema *read_last; /* and given back by nobody yet, or NULL */
static const struct rpc_target *asked;
static char services[256];
static rpc_reflected_fn on_end;
static void *tag;
static struct {
    uint32_t number;
    int code;
    char text[256];
} passed_on;

struct instant __wrap_clock_now(const struct clock *c);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);
void __wrap_rpc_reflect(struct rpc_target *target, const char *const *names, unsigned count, struct span timeout,
                        rpc_reflected_fn end, void *of);
const struct catalog_entry *__wrap_catalog_at(const struct catalog *c, uint32_t index);
uint32_t __wrap_catalog_count(const struct catalog *c);
int __wrap_schema_read(struct bytes set, const struct memory *memory, struct schema **out, struct error_detail *detail);
void __wrap_schema_destroy(struct schema *schema);
int __wrap_contract_check(const struct contract_check *check, unsigned *calls);
void __wrap_api_reflected(struct api *api, uint32_t number, int code, const struct error_detail *detail,
                          struct bytes set);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now = instant_after(now, tick);
}

void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, level, text, fields, count, line);
    strcat(lines, strchr(line, ' ') + 1);
}

void __wrap_rpc_reflect(struct rpc_target *target, const char *const *names, unsigned count, struct span timeout,
                        rpc_reflected_fn end, void *of)
{
    (void)timeout;
    asks++;
    asked = target;
    services[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        strcat(services, names[i]);
        strcat(services, " ");
    }
    on_end = end;
    tag = of;
}

const struct catalog_entry *__wrap_catalog_at(const struct catalog *c, uint32_t index)
{
    static struct catalog_entry entry = {.definition = &definition};
    (void)c;
    ck_assert_uint_lt(index, definitions);
    return &entry;
}

uint32_t __wrap_catalog_count(const struct catalog *c)
{
    (void)c;
    return definitions;
}

int __wrap_schema_read(struct bytes set, const struct memory *memory, struct schema **out, struct error_detail *detail)
{
    (void)set;
    (void)memory;
    ck_assert_ptr_null(read_last);
    *out = read_last = unreadable == 0 ? (struct schema *)(void *)&definition : NULL; /* only passed on */
    return unreadable == 0 ? 0 : error_set(detail, unreadable, "set", "it is nonsense");
}

void __wrap_schema_destroy(struct schema *schema)
{
    ck_assert(schema == NULL || schema == read_last);
    read_last = schema == NULL ? read_last : NULL;
}

/* One that breaks nothing with them, as each has. */
int __wrap_contract_check(const struct contract_check *check, unsigned *calls)
{
    struct contract_finding finding = {.rule = CONTRACT_METHOD_REMOVED, .step = 1, .text = "harmless"};
    (void)calls;
    ck_assert(read_last != NULL && check->next == read_last);
    compared++;
    check->found(check->self, &finding);
    finding.breaks = true;
    finding.compensation = true;
    finding.text = "it is gone";
    for (unsigned i = 0; i < breaks; i++)
        check->found(check->self, &finding);
    return 0;
}

void __wrap_api_reflected(struct api *api, uint32_t number, int code, const struct error_detail *detail,
                          struct bytes set)
{
    (void)api;
    (void)set;
    passed_on.number = number;
    passed_on.code = code;
    snprintf(passed_on.text, sizeof passed_on.text, "%s", code == 0 ? "" : detail->text);
}

/* ---- one loop with one typed definition of three steps, of which the last target is called twice ---- */

static void setup(void)
{
    static const char *const names[TARGETS] = {"idle", "gone", "pay"};
    memset(&s, 0, sizeof s);
    memset(targets, 0, sizeof targets);
    memset(steps, 0, sizeof steps);
    memset(&passed_on, 0, sizeof passed_on);
    s.config = &config;
    config.schema_drift_interval = SPAN_S(60);
    s.targets = targets;
    s.target_count = TARGETS;
    for (unsigned i = 0; i < TARGETS; i++) {
        targets[i].shared = calloc(1, sizeof *targets[i].shared + 8);
        strcpy(targets[i].shared->name, names[i]);
        targets[i].rpc = i == 1 ? NULL : (struct rpc_target *)&targets[i]; /* only told apart */
    }
    for (unsigned i = 0; i < 3; i++) {
        steps[i] = (struct step_spec){.name = "step", .has_compensation = true};
        steps[i].action.target = steps[i].compensation.target = i == 0 ? "gone" : "pay";
        steps[i].action.method = "/pay.v1.Pay/Do";
        steps[i].compensation.method = i == 1 ? "/pay.v1.Pay/Undo" : "/pay.v1.Payback/Undo";
    }
    definition = (struct definition){.name = "order",
                                     .version = "1.0.0",
                                     .steps = steps,
                                     .step_count = 3,
                                     .schema = (const struct schema *)&s}; /* only looked at whether it is there */
    definitions = 1;
    now = (struct instant){.us = INT64_C(1000000000000)};
    lines[0] = '\0';
    breaks = asks = compared = 0;
    unreadable = 0;
    tick = (struct span){0};
}

static void teardown(void)
{
    drift_finish(&s);
    ck_assert_ptr_null(read_last);
    for (unsigned i = 0; i < TARGETS; i++)
        free(targets[i].shared);
}

static void answers(int status, const char *text)
{
    const struct rpc_reflected told = {
        .status = status, .message = bytes_of_text(text), .set = bytes_of_text(status == 0 ? text : "")};
    on_end(&s, tag, &told);
}

static void turns(void)
{
    for (unsigned i = 0; i < 5; i++)
        drift_turn(&s);
}

/* One round: the target answers so. */
static void round_of(int status, const char *text)
{
    unsigned before = asks;
    now = instant_after(now, SPAN_S(60));
    turns();
    ck_assert_uint_eq(asks, before + 1);
    answers(status, text);
    turns();
    ck_assert_uint_eq(asks, before + 1);
}

START_TEST(drift__a_target_is_asked_for_each_service_that_is_called)
{
    drift_turn(&s);
    ck_assert_uint_eq(asks, 1);
    ck_assert_ptr_eq(asked, targets[2].rpc);
    ck_assert_str_eq(services, "pay.v1.Pay pay.v1.Payback ");
    ck_assert_int_eq(s.drift.next.us, INT64_MAX); /* the answer wakes the loop */
    turns();
    ck_assert_uint_eq(asks, 1);
    answers(0, "set");
    turns();
    ck_assert_uint_eq(compared, 1);
    ck_assert_int_eq(s.drift.next.us, now.us + SPAN_S(60).us);
    ck_assert_ptr_null(drift_of(&s, 0));
    ck_assert_int_eq(drift_of(&s, 2)->at.us, now.us);
    now = instant_after(now, SPAN_MS(59999));
    turns();
    ck_assert_uint_eq(asks, 1);
    now = instant_after(now, SPAN_MS(1));
    turns();
    ck_assert_uint_eq(asks, 2);
}
END_TEST

START_TEST(drift__nobody_is_asked_for_what_has_no_types_by_others_or_without_an_interval)
{
    definition.schema = NULL;
    turns();
    s.drift.next = now;
    definition.schema = (const struct schema *)&s;
    s.index = 1;
    turns();
    s.index = 0;
    config.schema_drift_interval = (struct span){0};
    s.drift.next = now;
    turns();
    ck_assert_uint_eq(asks, 0);
    ck_assert_int_eq(s.drift.next.us, INT64_MAX); /* the loop does not wake for it */
    s.index = 1;
    config.schema_drift_interval = SPAN_S(60);
    s.drift.next = now;
    drift_turn(&s);
    ck_assert_int_eq(s.drift.next.us, INT64_MAX);
}
END_TEST

/* The same messages are not compared again, unless there are more definitions. */
START_TEST(drift__only_what_has_changed_is_compared)
{
    round_of(0, "set");
    round_of(0, "set");
    ck_assert_uint_eq(compared, 1);
    ck_assert_int_eq(drift_of(&s, 2)->at.us, now.us);
    definitions = 2;
    round_of(0, "set");
    ck_assert_uint_eq(compared, 3);
    round_of(0, "other");
    ck_assert_uint_eq(compared, 5);
}
END_TEST

/* A loop has other things to do: many definitions are compared a few in each turn. */
START_TEST(drift__many_are_compared_piece_by_piece)
{
    drift_turn(&s);
    definitions = 20;
    answers(0, "set");
    tick = SPAN_MS(1);
    unsigned turns_made = 0;
    for (unsigned before = 0; compared < definitions; before = compared) {
        drift_turn(&s);
        ck_assert_uint_gt(compared, before);
        ck_assert_uint_le(compared, before + 4);
        turns_made++;
    }
    ck_assert_uint_ge(turns_made, 5);
    ck_assert_ptr_nonnull(drift_of(&s, 2));
}
END_TEST

START_TEST(drift__breaks_are_told_and_that_they_are_over)
{
    round_of(0, "set");
    ck_assert_str_eq(lines, "");
    breaks = 1;
    round_of(0, "other");
    ck_assert_uint_eq(drift_of(&s, 2)->breaks, 1);
    ck_assert_str_eq(lines, "level=warn msg=\"a target's messages have drifted from what a definition was registered "
                            "with\" target=pay definition=order version=1.0.0 step=step phase=compensation "
                            "rule=method-removed what=\"it is gone\"\n");
    lines[0] = '\0';
    breaks = 0;
    round_of(0, "set");
    ck_assert_uint_eq(drift_of(&s, 2)->breaks, 0);
    ck_assert_str_eq(
        lines,
        "level=info msg=\"a target's messages are again as definitions were registered with them\" target=pay\n");
}
END_TEST

/* Five are told, and of more their number. */
START_TEST(drift__of_many_breaks_some_are_told)
{
    breaks = 5;
    round_of(0, "set");
    ck_assert_ptr_null(strstr(lines, "in more than was told"));
    lines[0] = '\0';
    breaks = 6;
    round_of(0, "other");
    unsigned count = 0;
    for (const char *at = lines; (at = strstr(at, "drifted from")) != NULL; at++)
        count++;
    ck_assert_uint_eq(count, 5);
    ck_assert_ptr_nonnull(strstr(lines, "in more than was told\" target=pay breaks=6\n"));
}
END_TEST

/* Once, until it does again; what it was found as stays. */
START_TEST(drift__that_a_target_does_not_tell_is_told_once)
{
    static const char away[] =
        "level=warn msg=\"a target does not tell of its messages: they cannot be compared\" target=pay why=away\n";
    breaks = 1;
    round_of(0, "set");
    struct instant then = now;
    lines[0] = '\0';
    round_of(14, "away");
    ck_assert_str_eq(lines, away);
    round_of(14, "away");
    ck_assert_str_eq(lines, away);
    ck_assert_uint_eq(drift_of(&s, 2)->breaks, 1);
    ck_assert_int_eq(drift_of(&s, 2)->at.us, then.us);
    round_of(0, "set");
    lines[0] = '\0';
    round_of(14, "away");
    ck_assert_str_eq(lines, away);
    round_of(0, "other");
    lines[0] = '\0';
    round_of(14, "away");
    ck_assert_str_eq(lines, away);
}
END_TEST

START_TEST(drift__what_cannot_be_read_is_told)
{
    unreadable = E_ARGUMENT;
    round_of(0, "set");
    ck_assert_ptr_nonnull(strstr(lines, "why=\"it is nonsense\""));
    ck_assert_ptr_null(drift_of(&s, 2));
}
END_TEST

START_TEST(drift__who_asks_is_told_what_came_of_it)
{
    static char service[] = "pay.v1.Pay";
    char *const names[] = {service};
    struct error_detail detail;
    uint32_t first, second;
    ck_assert_int_eq(drift_reflect(&s, "gone", names, 1, &first, &detail), E_TARGET_NOT_FOUND);
    ck_assert_int_eq(drift_reflect(&s, "none", names, 1, &first, &detail), E_TARGET_NOT_FOUND);
    ck_assert_str_eq(detail.field, "target");
    ck_assert_uint_eq(asks, 0);
    ck_assert_int_eq(drift_reflect(&s, "pay", names, 1, &first, &detail), 0);
    ck_assert_str_eq(services, "pay.v1.Pay ");
    ck_assert_ptr_eq(asked, targets[2].rpc);
    answers(0, "set");
    ck_assert_uint_eq(passed_on.number, first);
    ck_assert_int_eq(passed_on.code, 0);
    ck_assert_int_eq(drift_reflect(&s, "pay", names, 1, &second, &detail), 0);
    ck_assert_uint_ne(first, second);
    answers(12, "no reflection");
    ck_assert_uint_eq(passed_on.number, second);
    ck_assert_int_eq(passed_on.code, E_REFLECTION);
    ck_assert_str_eq(passed_on.text, "the target does not tell of its messages: no reflection");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drift");
    TCase *tc = tcase_create("drift");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, drift__a_target_is_asked_for_each_service_that_is_called);
    tcase_add_test(tc, drift__nobody_is_asked_for_what_has_no_types_by_others_or_without_an_interval);
    tcase_add_test(tc, drift__only_what_has_changed_is_compared);
    tcase_add_test(tc, drift__many_are_compared_piece_by_piece);
    tcase_add_test(tc, drift__breaks_are_told_and_that_they_are_over);
    tcase_add_test(tc, drift__of_many_breaks_some_are_told);
    tcase_add_test(tc, drift__that_a_target_does_not_tell_is_told_once);
    tcase_add_test(tc, drift__what_cannot_be_read_is_told);
    tcase_add_test(tc, drift__who_asks_is_told_what_came_of_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
