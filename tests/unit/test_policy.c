/* Policies: read, refused with their places, asked of definitions, waived until a day. */
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/policy/policy.h"
#include "sidecar/runtime/policing.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error_detail detail;
static char told[2048];

/* 2026-11-28 */
#define TODAY_US (INT64_C(1795824000) * 1000000)
#define TODAY    ((struct instant){.us = TODAY_US})
#define DAY      ((struct span){.us = INT64_C(86400) * 1000000})

static void tell(void *self, const struct policy_finding *f)
{
    (void)self;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s %s %d %s;", f->rule, f->error ? "error" : "warning", f->step,
             f->text);
}

static struct policy *policy_of(const char *text)
{
    struct policy *p = NULL;
    int code = policy_read(bytes_of_text(text), &heap, &p, &detail);
    if (code != 0)
        ck_abort_msg("%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    return p;
}

static struct definition *definition_of(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    return d;
}

static const char *check(const char *policy, const char *definition, const struct policy_view *view)
{
    struct policy *p = policy_of(policy);
    struct definition *d = definition_of(definition);
    told[0] = '\0';
    ck_assert_int_eq(policy_check(p, d, view, tell, NULL), 0);
    policy_destroy(p);
    definition_destroy(d);
    return told;
}

#define CHECKOUT \
    "name: checkout\nversion: 1.0.0\nsteps:\n" \
    "  - {name: reserve, target: stock, timeout: 2s, action: /s.v1.S/A, compensation: /s.v1.S/B}\n" \
    "  - {name: charge, target: bank, timeout: 20s, after: [reserve], pivot: true, action: /s.v1.S/C}\n"
#define SHORT "rules:\n  - {id: short, that: step.timeout <= duration('5s'), else: too long}\n"

static const struct participant targets[] = {{.name = "stock", .address = "tls://stock:1", .tls = true},
                                             {.name = "bank", .address = "127.0.0.1:2"}};
static const struct policy_view view = {.targets = {.at = targets, .count = 2}, .now = {.us = TODAY_US}};

START_TEST(policy__rules_are_asked_of_steps_and_of_the_definition)
{
    ck_assert_str_eq(check(SHORT, CHECKOUT, &view), "short error 1 charge: too long;");
    ck_assert_str_eq(
        check("rules:\n  - {id: undo, that: has(step.compensation) || step.pivot, else: no undo}\n", CHECKOUT, &view),
        "");
    ck_assert_str_eq(
        check("rules:\n  - {id: few, severity: warning, that: size(definition.steps) < 2, else: too many}\n", CHECKOUT,
              &view),
        "few warning -1 checkout: too many;");
    ck_assert_str_eq(
        check("rules:\n  - {id: tls, that: \"targets[step.target].tls\", else: not encrypted}\n", CHECKOUT, &view),
        "tls error 1 charge: not encrypted;");
    ck_assert_str_eq(check("rules:\n  - {id: both, that: \"definition.steps.all(s, s.timeout < duration('1m')) && "
                           "step.may_turn_back == (step.name == "
                           "'reserve')\", else: x}\n",
                           CHECKOUT, &view),
                     "");
}
END_TEST

static void tell_warning(void *self, const struct warning *w)
{
    (void)self;
    size_t used = strlen(told);
    if (w->line > 0) /* lint's have their place in the text */
        return;
    ck_assert(w->is_warning);
    snprintf(told + used, sizeof told - used, "%s %s %s;", w->rule, w->field, w->text);
}

/* Whoever registers a definition is told what the policy warns of, and where; what it refuses has been refused. */
START_TEST(policy__a_registration_is_told_its_warnings)
{
    const struct config config = {.participants = {.at = targets, .count = 2}};
    struct policy *p = policy_of("rules:\n  - {id: step, severity: warning, that: \"step.name == ''\", else: no}\n"
                                 "  - {id: whole, severity: warning, that: size(definition.steps) < 2, else: many}\n"
                                 "  - {id: error, that: size(definition.steps) < 2, else: many}\n");
    struct definition *d = definition_of(CHECKOUT);
    told[0] = '\0';
    ck_assert_int_eq(policing_warn(&config, p, d, TODAY, tell_warning, NULL), 0);
    ck_assert_str_eq(told, "whole  checkout: many;step steps[0] reserve: no;step steps[1] charge: no;");
    policy_destroy(p);
    definition_destroy(d);
}
END_TEST

/* And it is let in by a waiver until that has ended. A policy that is not there is told by its option. */
START_TEST(policy__a_registration_is_admitted_as_of_its_day)
{
    const struct config config = {.participants = {.at = targets, .count = 2}, .policy_file = "/nowhere/policy.yaml"};
    struct policy *none, *p = policy_of(SHORT "waivers:\n  - {rule: short, definition: checkout, reason: x, until: "
                                              "2026-11-28}\n");
    struct definition *d = definition_of(CHECKOUT);
    ck_assert_int_eq(policing_admit(&config, p, d, TODAY, &detail), 0);
    ck_assert_int_eq(policing_admit(&config, p, d, instant_after(TODAY, DAY), &detail), E_POLICY);
    ck_assert_ptr_nonnull(strstr(detail.text, "its waiver ended with 2026-11-28"));
    policy_destroy(p);
    definition_destroy(d);
    ck_assert_int_eq(policing_open(&config, &none, &detail), E_SYSTEM);
    ck_assert_str_eq(detail.field, "policy_file");
    ck_assert_ptr_nonnull(strstr(detail.text, "/nowhere/policy.yaml"));
    ck_assert_ptr_null(none);
}
END_TEST

/* Of a step that goes to one of several targets, each must keep it. */
START_TEST(policy__is_asked_with_each_target_of_a_step)
{
#define CHOSEN(of) \
    "name: c\nversion: 1.0.0\nschema: s\ninput: s.Order\nsteps:\n" \
    "  - {name: a, target: {oneof: " of ", by: \"'x'\"}, action: /s.v1.S/A, compensation: none}\n"
    const char *encrypted = "rules:\n  - {id: tls, that: \"targets[step.target].tls\", else: not encrypted}\n";
    ck_assert_str_eq(check(encrypted, CHOSEN("[stock, bank]"), &view), "tls error 0 a: not encrypted;");
    ck_assert_str_eq(check(encrypted, CHOSEN("[bank, stock]"), &view), "tls error 0 a: not encrypted;");
    ck_assert_str_eq(check(encrypted, CHOSEN("[stock]"), &view), "");
#undef CHOSEN
    /* Its undo goes there, too. */
    ck_assert_str_eq(check("rules:\n  - {id: tls, that: step.compensation.target == step.target, else: elsewhere}\n",
                           "name: c\nversion: 1.0.0\nschema: s\ninput: s.Order\nsteps:\n  - {name: a, target: {oneof: "
                           "[stock, bank], by: \"'x'\"}, action: /s.v1.S/A, compensation: /s.v1.S/B}\n",
                           &view),
                     "");
}
END_TEST

START_TEST(policy__what_cannot_be_told_is_not_kept)
{
    const char *text = check(
        "rules:\n  - {id: tls, that: \"targets['else'].tls || step.pivot\", else: not encrypted}\n", CHECKOUT, &view);
    ck_assert_msg(strncmp(text, "tls error 0 reserve: not encrypted (cannot be told: ", 51) == 0, "%s", text);
    /* Where nobody knows the targets such a rule is not asked. */
    const struct policy_view blind = {.now = TODAY};
    ck_assert_str_eq(check("rules:\n  - {id: tls, that: \"targets[step.target].tls\", else: x}\n", CHECKOUT, &blind),
                     "");
}
END_TEST

/* The rules cost what they cost together, and what is beyond that cannot be told; of several errors the first is said. */
START_TEST(policy__all_rules_together_have_one_bound)
{
#define TEN "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
#define DEAR \
    "'size(definition.steps) == 2 && " TEN ".all(a, " TEN ".all(b, " TEN ".all(c, " TEN ".all(d, " TEN \
    ".all(e, a + b + c + d + e >= 0)))))'"
#define RULES "rules:\n  - {id: one, that: " DEAR ", else: x}\n"
    const char *alone = check(RULES, CHECKOUT, &view);
    ck_assert_str_eq(alone, "");
    check(RULES "  - {id: two, that: " DEAR ", else: y}\n  - {id: three, that: " DEAR ", else: z}\n", CHECKOUT, &view);
    ck_assert_msg(strncmp(told, "two error -1 checkout: y (cannot be told: ", 42) == 0, "%s", told);
    ck_assert_msg(strstr(told, ";three error -1 checkout: z (cannot be told: ") != NULL, "%s", told);
    struct policy *p = policy_of(RULES "  - {id: two, that: " DEAR ", else: y}\n");
    struct definition *d = definition_of(CHECKOUT);
    ck_assert_int_eq(policy_admit(p, d, &view, &detail), E_POLICY);
    ck_assert_ptr_nonnull(strstr(detail.text, "two: checkout: y (cannot be told: "));
    policy_destroy(p);
    p = policy_of("rules:\n  - {id: mild, severity: warning, that: \"step.name == ''\", else: a}\n"
                  "  - {id: first, that: \"step.name == ''\", else: b}\n"
                  "  - {id: second, that: \"step.name == ''\", else: c}\n");
    ck_assert_int_eq(policy_admit(p, d, &view, &detail), E_POLICY);
    ck_assert_str_eq(detail.text, "the policy's rule first: reserve: b");
    policy_destroy(p);
    definition_destroy(d);
#undef TEN
#undef DEAR
#undef RULES
}
END_TEST

/* Every field of a target that a rule may ask for. */
START_TEST(policy__sees_all_of_a_target)
{
    const struct participant one = {.name = "bank",
                                    .address = "tls://bank:1",
                                    .tls = true,
                                    .timeout = {.us = 1500000},
                                    .max_concurrent_calls = 7,
                                    .barrier = true};
    const struct policy_view of_one = {.targets = {.at = &one, .count = 1}, .now = {.us = TODAY_US}};
    static const char *const holds[] = {"targets['bank'].name == 'bank'",
                                        "targets['bank'].address == 'tls://bank:1'",
                                        "targets['bank'].tls",
                                        "targets['bank'].timeout == duration('1500ms')",
                                        "targets['bank'].barrier",
                                        "targets['bank'].max_concurrent_calls == 7",
                                        "size(targets) == 1 && 'bank' in targets"};
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        char rule[160];
        snprintf(rule, sizeof rule, "rules:\n  - {id: r, that: \"step.pivot || %s\", else: no}\n", holds[i]);
        ck_assert_str_eq(check(rule, CHECKOUT, &of_one), "");
        snprintf(rule, sizeof rule, "rules:\n  - {id: r, that: \"step.pivot || !(%s)\", else: no}\n", holds[i]);
        ck_assert_str_eq(check(rule, CHECKOUT, &of_one), "r error 0 reserve: no;");
    }
}
END_TEST

/* And every field of a definition, its steps and their calls. */
START_TEST(policy__sees_all_of_a_definition)
{
#define WHOLE \
    "name: whole\nversion: 1.2.3\nschema: s\ninput: s.Order\ndeadline: 90500ms\nsteps:\n" \
    "  - {name: a, target: t, timeout: 2s, action: {method: /s.v1.S/A, idempotent: false, retry: {maxAttempts: 1}},\n" \
    "     compensation: {method: /s.v1.S/B, target: u, timeout: 3s, retry: {maxAttempts: 9}}}\n" \
    "  - {name: b, after: [a], target: t, optional: true, compensation: none, action: /s.v1.S/C, retry: " \
    "{retryableStatusCodes: " \
    "[INTERNAL, CANCELLED]}}\n" \
    "  - {name: c, after: [a, b], target: t, pivot: true, irreversible: true, action: /s.v1.S/D}\n" \
    "  - {name: d, after: [c], target: t, action: /s.v1.S/E}\n"
    static const char *const holds[] = {
        "definition.name == 'whole'",
        "definition.version == '1.2.3'",
        "definition.schema == 's' && definition.input == 's.Order'",
        "definition.deadline == duration('90500ms') && !definition.forward_only",
        "definition.steps.map(s, s.name) == ['a', 'b', 'c', 'd']",
        "definition.steps.map(s, s.target) == ['t', 't', 't', 't']",
        "definition.steps[0].timeout == duration('2s')",
        "definition.steps.map(s, size(s.after)) == [0, 1, 2, 1] && definition.steps[2].after == ['a', 'b']",
        "definition.steps.map(s, s.pivot) == [false, false, true, false]",
        "definition.steps.map(s, s.optional) == [false, true, false, false]",
        "definition.steps.map(s, s.irreversible) == [false, false, true, false]",
        "definition.steps.map(s, s.may_turn_back) == [true, true, false, false]",
        "definition.steps.map(s, s.compensation_none) == [false, true, false, false]",
        "definition.steps.map(s, has(s.compensation)) == [true, false, false, false]",
        "definition.steps[0].action.method == '/s.v1.S/A' && definition.steps[0].action.target == 't'",
        "definition.steps[0].action.timeout == duration('2s') && definition.steps[0].action.max_attempts == 1",
        "!definition.steps[0].action.idempotent && definition.steps[1].action.idempotent",
        "definition.steps[0].action.retryable_status_codes == []",
        "definition.steps[0].compensation.method == '/s.v1.S/B' && definition.steps[0].compensation.target == 'u'",
        "definition.steps[0].compensation.timeout == duration('3s')",
        "definition.steps[0].compensation.max_attempts == 9 && definition.steps[0].compensation.idempotent",
        "definition.steps[1].action.retryable_status_codes == [1, 13]",
    };
    for (size_t i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        char rule[256];
        snprintf(rule, sizeof rule, "rules:\n  - {id: r, that: \"%s\", else: no}\n", holds[i]);
        ck_assert_msg(strcmp(check(rule, WHOLE, &view), "") == 0, "%s: %s", holds[i], told);
        snprintf(rule, sizeof rule, "rules:\n  - {id: r, that: \"!(%s)\", else: no}\n", holds[i]);
        ck_assert_msg(strcmp(check(rule, WHOLE, &view), "r error -1 whole: no;") == 0, "%s: %s", holds[i], told);
    }
    ck_assert_str_eq(check("rules:\n  - {id: r, that: \"definition.forward_only && !has(definition.deadline) && "
                           "definition.schema == '' && !definition.steps[0].may_turn_back\", else: no}\n",
                           "name: n\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: a, target: t, action: "
                           "/s.v1.S/A}\n",
                           &view),
                     "");
    /* A rule of steps sees the same of each. */
    ck_assert_str_eq(check("rules:\n  - {id: r, that: \"step.name != 'c' || (step.pivot && step.after == ['a', 'b'] && "
                           "!step.may_turn_back && !has(step.compensation))\", else: no}\n",
                           WHOLE, &view),
                     "");
#undef WHOLE
}
END_TEST

START_TEST(policy__a_waiver_holds_until_its_last_day_has_ended)
{
    const char *waived =
        SHORT "waivers:\n  - {rule: short, definition: checkout, step: charge, reason: the bank, until: 2026-11-28}\n";
    ck_assert_str_eq(check(waived, CHECKOUT, &view), "");
    struct policy_view later = view;
    later.now = instant_after(TODAY, (struct span){.us = DAY.us - 1});
    ck_assert_str_eq(check(waived, CHECKOUT, &later), "");
    later.now = instant_after(TODAY, DAY);
    ck_assert_str_eq(check(waived, CHECKOUT, &later),
                     "short error 1 charge: too long (its waiver ended with 2026-11-28);");
    /* Of another step, of another definition. */
    const char *other =
        SHORT "waivers:\n  - {rule: short, definition: checkout, step: reserve, reason: x, until: 2026-11-28}\n"
              "  - {rule: short, definition: other, reason: x, until: 2026-11-28}\n";
    ck_assert_str_eq(check(other, CHECKOUT, &view), "short error 1 charge: too long;");
}
END_TEST

/* One that was written again, before the old one was taken away or behind it, or for the whole definition beside one for a step. */
START_TEST(policy__of_two_waivers_the_one_that_has_not_ended_counts)
{
#define WAIVER(step, until) "  - {rule: short, definition: checkout, " step "reason: x, until: " until "}\n"
    static const char *const waived[] = {
        SHORT "waivers:\n" WAIVER("step: charge, ", "2026-11-27") WAIVER("step: charge, ", "2026-11-28"),
        SHORT "waivers:\n" WAIVER("step: charge, ", "2026-11-28") WAIVER("step: charge, ", "2026-11-27"),
        SHORT "waivers:\n" WAIVER("step: charge, ", "2026-11-27") WAIVER("", "2026-11-28"),
        SHORT "waivers:\n" WAIVER("", "2026-11-27") WAIVER("step: charge, ", "2026-11-28"),
    };
    for (size_t i = 0; i < sizeof waived / sizeof waived[0]; i++)
        ck_assert_msg(strcmp(check(waived[i], CHECKOUT, &view), "") == 0, "%zu: %s", i, told);
    ck_assert_str_eq(
        check(SHORT "waivers:\n" WAIVER("", "2026-11-27") WAIVER("step: reserve, ", "2026-11-28"), CHECKOUT, &view),
        "short error 1 charge: too long (its waiver ended with 2026-11-27);");
#undef WAIVER
}
END_TEST

START_TEST(policy__the_first_error_refuses_by_name)
{
    struct policy *p = policy_of("rules:\n  - {id: w, severity: warning, that: step.name == 'x', else: words}\n"
                                 "  - {id: short, that: step.timeout <= duration('5s'), else: too long}\n");
    struct definition *d = definition_of(CHECKOUT);
    ck_assert_int_eq(policy_admit(p, d, &view, &detail), E_POLICY);
    ck_assert_str_eq(detail.text, "the policy's rule short: charge: too long");
    ck_assert_int_eq(policy_admit(NULL, d, &view, &detail), 0);
    policy_destroy(p);
    definition_destroy(d);
}
END_TEST

START_TEST(policy__is_the_same_when_its_text_is)
{
    static const char *const texts[] = {"rules:\n  - {id: a, that: step.pivot, else: x}\n",
                                        "rules:\n  - {id: a, that: step.pivot, else: y}\n",
                                        "rules:\n  - {id: a, that: step.pivot, else: xy}\n"};
    struct policy *first = policy_of(texts[0]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct policy *p = policy_of(texts[i]);
        ck_assert_int_eq(policy_same(first, p), i == 0);
        policy_destroy(p);
    }
    ck_assert(!policy_same(first, NULL) && !policy_same(NULL, first) && policy_same(NULL, NULL));
    policy_destroy(first);
}
END_TEST

START_TEST(policy__what_is_no_policy_is_refused_with_its_place)
{
    static const struct {
        const char *text, *words;
        int line;
    } cases[] = {
        {"rules: [\n", "did not find", 2},
        {"rule: []\n", "did you mean rules?", 1},
        {"rules:\n  - {id: a, that: step.tiemout > duration('1s'), else: x}\n", "no field of this name", 2},
        {"rules:\n  - {id: a, that: step.name, else: x}\n", "must be a condition", 2},
        {"rules:\n  - {id: a, that: step.name ==, else: x}\n", "", 2},
        {"rules:\n  - {id: a, that: step.pivot}\n", "else is missing", 2},
        {"rules:\n  - {id: a, that: step.pivot, else: x}\n  - {id: a, that: step.pivot, else: x}\n", "the same id", 3},
        {SHORT "waivers:\n  - {rule: none, definition: d, reason: x, until: 2026-11-28}\n", "no rule has this id", 4},
        {SHORT "waivers:\n  - {rule: short, definition: d, until: 2026-11-28}\n", "reason is missing", 4},
        {SHORT "waivers:\n  - {definition: d, reason: x, until: 2026-11-28}\n", "rule is missing", 4},
        {SHORT "waivers:\n  - {rule: short, reason: x, until: 2026-11-28}\n", "definition is missing", 4},
        {SHORT "waivers:\n  - {rule: \"\", definition: d, reason: x, until: 2026-11-28}\n", "must not be empty", 4},
        {SHORT "waivers:\n  - {rule: [short], definition: d, reason: x, until: 2026-11-28}\n", "must be", 4},
        {SHORT "waivers:\n  - {rule: short, definition: d, step: \"\", reason: x, until: 2026-11-28}\n",
         "must not be empty", 4},
        {SHORT "waivers:\n  - {rule: short, definition: d, steps: a, reason: x, until: 2026-11-28}\n",
         "did you mean step?", 4},
        {SHORT "waivers:\n  - short\n", "must be", 4},
        {SHORT "waivers:\n  - {rule: short, definition: d, reason: x, until: 2026-13-28}\n", "last day", 4},
        {SHORT "waivers:\n  - {rule: short, definition: d, reason: x}\n", "until is missing", 4},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy *p = NULL;
        ck_assert_msg(policy_read(bytes_of_text(cases[i].text), &heap, &p, &detail) != 0, "it was taken: %s",
                      cases[i].text);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL && detail.line == cases[i].line, "%d:%d: %s",
                      detail.line, detail.column, detail.text);
    }
}
END_TEST

/* As many rules, and waivers, as there may be, and one more. */
START_TEST(policy__has_bounds)
{
    static char text[(POLICY_RULES_MAX + POLICY_WAIVERS_MAX + 4) * 80];
    static const struct {
        unsigned rules, waivers;
        const char *words;
    } cases[] = {{POLICY_RULES_MAX, POLICY_WAIVERS_MAX, NULL},
                 {POLICY_RULES_MAX + 1, 0, "holds 257 rules, and may hold 256"},
                 {1, POLICY_WAIVERS_MAX + 1, "holds 1025 waivers, and may hold 1024"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t used = (size_t)sprintf(text, "rules:\n");
        for (unsigned k = 0; k < cases[i].rules; k++)
            used += (size_t)sprintf(text + used, "  - {id: r%u, that: 'true', else: x}\n", k);
        used += (size_t)sprintf(text + used, "waivers: [\n");
        for (unsigned k = 0; k < cases[i].waivers; k++)
            used += (size_t)sprintf(text + used, "  {rule: r0, definition: d%u, reason: x, until: 2026-11-28},\n", k);
        sprintf(text + used, "]\n");
        struct policy *p = NULL;
        int code = policy_read(bytes_of_text(text), &heap, &p, &detail);
        ck_assert_int_eq(code, cases[i].words == NULL ? 0 : E_PAYLOAD);
        if (cases[i].words != NULL)
            ck_assert_str_eq(detail.text, cases[i].words);
        else
            policy_destroy(p);
    }
}
END_TEST

/* Each rule of the policy that comes with sagad, broken once. */
START_TEST(policy__the_default_one_is_kept_and_each_of_its_rules_broken)
{
    static char text[16384];
    FILE *file = fopen("sidecar/policy/default.yaml", "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *good = "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n"
                       "  - {name: a, target: stock, timeout: 2s, action: /s.v1.S/A, compensation: /s.v1.S/B}\n";
    ck_assert_str_eq(check(text, good, &view), "");
    static const struct {
        const char *definition, *rule;
    } broken[] = {
        {"name: n\nversion: 1.0.0\nschema: s\nsteps:\n  - {name: a, target: stock, timeout: 2s, action: /s.v1.S/A, "
         "compensation: none}\n",
         "bounded-time error"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n  - {name: a, target: stock, action: /s.v1.S/A, "
         "compensation: none}\n",
         "bounded-attempts error"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n  - {name: a, target: stock, timeout: 31s, action: "
         "/s.v1.S/A, "
         "compensation: none}\n",
         "short-attempts warning"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n  - {name: a, target: stock, timeout: 2s, action: "
         "/s.v1.S/A}\n",
         "undo-said error"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n  - {name: a, target: stock, timeout: 2s, action: "
         "/s.v1.S/A, "
         "compensation: {method: /s.v1.S/B, retry: {maxAttempts: 9}}}\n",
         "patient-undo error"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n  - {name: a, target: stock, timeout: 2s, "
         "irreversible: true, action: "
         "/s.v1.S/A, compensation: none}\n",
         "irreversible-at-pivot error"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  - {name: a, target: stock, timeout: 2s, action: /s.v1.S/A, "
         "compensation: none}\n",
         "typed warning"},
        {"name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n  - {name: a, target: away, timeout: 2s, action: "
         "/s.v1.S/A, "
         "compensation: none}\n",
         "known-targets error"},
    };
    for (unsigned i = 0; i < sizeof broken / sizeof *broken; i++) {
        const char *found = check(text, broken[i].definition, &view);
        ck_assert_msg(strncmp(found, broken[i].rule, strlen(broken[i].rule)) == 0 &&
                          strchr(found, ';') == found + strlen(found) - 1,
                      "%s: %s", broken[i].rule, found);
    }
    static char many[8192];
    size_t used = (size_t)snprintf(many, sizeof many, "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: s\nsteps:\n");
    for (unsigned i = 0; i < 21; i++)
        used +=
            (size_t)snprintf(many + used, sizeof many - used,
                             "  - {name: s%u, target: stock, timeout: 2s, action: /s.v1.S/A, compensation: none}\n", i);
    ck_assert_str_eq(check(text, many, &view), "small warning -1 n: a saga has at most 20 steps;");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *rules = tcase_create("rules");
    tcase_add_test(rules, policy__rules_are_asked_of_steps_and_of_the_definition);
    tcase_add_test(rules, policy__what_cannot_be_told_is_not_kept);
    tcase_add_test(rules, policy__all_rules_together_have_one_bound);
    tcase_add_test(rules, policy__sees_all_of_a_target);
    tcase_add_test(rules, policy__sees_all_of_a_definition);
    tcase_add_test(rules, policy__is_asked_with_each_target_of_a_step);
    tcase_add_test(rules, policy__a_registration_is_told_its_warnings);
    tcase_add_test(rules, policy__a_registration_is_admitted_as_of_its_day);
    tcase_add_test(rules, policy__a_waiver_holds_until_its_last_day_has_ended);
    tcase_add_test(rules, policy__of_two_waivers_the_one_that_has_not_ended_counts);
    tcase_add_test(rules, policy__the_first_error_refuses_by_name);
    tcase_add_test(rules, policy__is_the_same_when_its_text_is);
    tcase_add_test(rules, policy__what_is_no_policy_is_refused_with_its_place);
    tcase_add_test(rules, policy__has_bounds);
    tcase_add_test(rules, policy__the_default_one_is_kept_and_each_of_its_rules_broken);
    suite_add_tcase(suite, rules);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
