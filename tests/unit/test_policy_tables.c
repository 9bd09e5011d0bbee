/* What a policy sees of definitions and targets, field by field; what it says of them, with waivers of every kind, on the days around their ends; and what is
 * said of policies that lack something, have it twice, or have something else in its place. It is kept in tests/fixtures/policy/tables.txt;
 * `build/release/tests/unit/test_policy_tables write` writes that anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/policy/policy_inside.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"
#include "tests/support/shapes.h"

#include "saga/v1/model.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/policy/tables.txt";

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define DAY_US      (INT64_C(86400) * 1000000)
#define TODAY_US    (INT64_C(1795824000) * 1000000) /* 2026-11-28 */

static const char *const definitions[] = {
    "name: shop\nversion: 1.2.3\ndeadline: 90s\nsteps:\n"
    "  - {name: a, target: t, timeout: 1500ms, action: {method: /p.S/A, idempotent: false}, irreversible: true,\n"
    "     compensation: {target: u, method: /p.S/UndoA, timeout: 2s, retry: {maxAttempts: 9}}}\n"
    "  - {name: b, target: t, after: [a], optional: true, action: /p.S/B, compensation: none}\n"
    "  - {name: c, target: u, after: [a, b], pivot: true, action: {method: /p.S/C, timeout: 3s,\n"
    "     retry: {maxAttempts: 4, retryableStatusCodes: [UNAVAILABLE, ABORTED]}}}\n"
    "  - {name: d, target: u, after: [c], action: /p.S/D}\n",
    "name: typed\nversion: 2.0.0\nschema: shapes\ninput: shapes.Line\nforward_only: true\nsteps:\n"
    "  - {name: a, target: {oneof: [t, u], by: \"input.quantity > 1 ? 'u' : 't'\"}, action: /shapes.Shop/Old}\n",
    "name: typed\nversion: 2.0.0\nschema: shapes\ninput: shapes.Line\nforward_only: true\nsteps:\n"
    "  - {name: a, target: t, action: /shapes.Shop/Old}\n",
};

static const struct participant targets[] = {
    {.name = "t", .address = "tls://t:1", .tls = true, .timeout = {.us = 2500000}, .max_concurrent_calls = 7},
    {.name = "u", .address = "127.0.0.1:2", .barrier = true},
};

static FILE *out;
static struct pool pool;

static struct definition *definition_of(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    limits.schemas = shapes_schemas();
    if (definition_read(bytes_of_text(text), &limits, &d, &detail) != 0)
        fprintf(out, "no definition: %s: %s\n", detail.field, detail.text);
    return d;
}

/* ---- the models ---- */

static void put_models(void)
{
    struct bytes wire;
    for (size_t i = 0; i < COUNT(definitions); i++) {
        struct definition *d = definition_of(definitions[i]);
        if (d == NULL)
            continue;
        ck_assert_int_eq(model_definition(d, &pool, &wire), 0);
        fputs("definition ", out);
        message_text_put_packed(out, &saga__v1__model_definition__descriptor, wire);
        for (unsigned step = 0; step < d->step_count; step++)
            for (unsigned choice = 0; choice < (d->steps[step].choice_count == 0 ? 1 : d->steps[step].choice_count);
                 choice++) {
                ck_assert_int_eq(model_step(d, step, choice, &pool, &wire), 0);
                fprintf(out, "\n  step %u choice %u ", step, choice);
                message_text_put_packed(out, &saga__v1__model_step__descriptor, wire);
            }
        fputc('\n', out);
        definition_destroy(d);
    }
    for (size_t i = 0; i < COUNT(targets); i++) {
        ck_assert_int_eq(model_target(&targets[i], &pool, &wire), 0);
        fputs("target ", out);
        message_text_put_packed(out, &saga__v1__model_target__descriptor, wire);
        fputc('\n', out);
    }
}

/* ---- findings ---- */

static void tell(void *self, const struct policy_finding *f)
{
    (void)self;
    fprintf(out, "  %s %s %d %s\n", f->rule, f->error ? "error" : "warning", f->step, f->text);
}

static struct policy *policy_of(const char *text)
{
    struct policy *p = NULL;
    struct error_detail detail = {.text = ""};
    int code = policy_read(bytes_of_text(text), &heap, &p, &detail);
    if (code != 0)
        fprintf(out, "%s at %d:%d %s: %s\n", error_row(code)->reason, detail.line, detail.column, detail.field,
                detail.text);
    return p;
}

static void put_checks(void)
{
    static const char text[] = "rules:\n"
                               "  - {id: whole, that: size(definition.steps) < 2, else: too many steps}\n"
                               "  - {id: step, severity: warning, that: has(step.compensation), else: no undo}\n"
                               "  - {id: tls, that: \"targets[step.target].tls\", else: not encrypted}\n"
                               "  - {id: odd, severity: warning, that: 'dyn(1)', else: it is a number}\n"
                               "  - {id: none, that: \"'t' in targets\", else: there is no t}\n"
                               "waivers:\n"
                               "  - {rule: whole, definition: shop, reason: r, until: 2026-11-27}\n"
                               "  - {rule: step, definition: shop, step: c, reason: r, until: 2026-11-28}\n"
                               "  - {rule: step, definition: shop, step: d, reason: r, until: 2026-11-26}\n"
                               "  - {rule: step, definition: other, step: b, reason: r, until: 2027-11-28}\n"
                               "  - {rule: tls, definition: shop, reason: r, until: 2026-11-29}\n"
                               "  - {rule: tls, definition: shop, step: d, reason: r, until: 2026-11-30}\n";
    struct policy *p = policy_of(text);
    for (size_t i = 0; i < COUNT(definitions); i++) {
        struct definition *d = definition_of(definitions[i]);
        for (int day = -2; d != NULL && day < 4; day++)
            for (unsigned known = 0; known < 3; known++) {
                const struct policy_view view = {.targets = {.at = known == 0 ? NULL : targets, .count = known},
                                                 .now = {.us = TODAY_US + day * DAY_US - (known == 1)}};
                struct error_detail detail = {.text = ""};
                fprintf(out, "%s on day %d, %u targets\n", d->name, day, known);
                ck_assert_int_eq(policy_check(p, d, &view, tell, NULL), 0);
                int code = policy_admit(p, d, &view, &detail);
                fprintf(out, "  admitted: %d %s %s\n", code, detail.field, detail.text);
                ck_assert_int_eq(policy_admit(NULL, d, &view, &detail), 0);
            }
        definition_destroy(d);
    }
    struct policy *same = policy_of(text), *other = policy_of("rules: []\n");
    fprintf(out, "same %d %d %d %d %d\n", policy_same(p, same), policy_same(p, other), policy_same(p, NULL),
            policy_same(NULL, p), policy_same(NULL, NULL));
    policy_destroy(p);
    policy_destroy(same);
    policy_destroy(other);
    policy_destroy(NULL);
}

/* ---- policies that are wrong ---- */

struct line {
    const char *key, *value;
};

static const struct line rule[] = {{"id", "first"}, {"severity", "warning"}, {"that", "step.pivot"}, {"else", "no"}};
static const struct line waiver[] = {
    {"rule", "whole"}, {"definition", "shop"}, {"step", "a"}, {"reason", "because"}, {"until", "2027-03-01"}};

/* A policy in which one line of a rule or a waiver is left out (value NULL), is another, or stands twice. */
static void put_wrong(const struct line *lines, size_t count, size_t which, const char *value, bool twice)
{
    char text[2000];
    bool of_rule = lines == rule;
    size_t used = (size_t)snprintf(text, sizeof text, "rules:\n  - {id: whole, that: 'true', else: no}\n%s",
                                   of_rule ? "" : "waivers:\n");
    bool first = true;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < (i == which && twice ? 2 : 1); k++) {
            const char *v = i == which && !twice ? value : lines[i].value;
            if (v == NULL)
                continue;
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "  %s %s: %s\n", first ? "-" : " ", lines[i].key, v);
            first = false;
        }
    fprintf(out, "%s %s %.40s: ", of_rule ? "rule" : "waiver", which < count ? lines[which].key : "-",
            twice           ? "twice"
            : value == NULL ? "left out"
                            : value);
    struct policy *p = policy_of(text);
    if (p != NULL)
        fprintf(out, "taken: %u rules, %u waivers, %s %d %d %d %s %s %" PRId64 "\n", p->rule_count, p->waiver_count,
                p->rules[p->rule_count - 1].id, p->rules[p->rule_count - 1].error, p->rules[p->rule_count - 1].of_steps,
                p->rules[p->rule_count - 1].of_targets, p->rules[p->rule_count - 1].otherwise,
                p->waiver_count == 0 || p->waivers[0].step == NULL ? "-" : p->waivers[0].step,
                p->waiver_count == 0 ? 0 : p->waivers[0].until.us);
    policy_destroy(p);
}

static void put_all_wrong(void)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "[]",
                                        "{}",
                                        "rules: []\n",
                                        "rules: x\n",
                                        "rules: {}\n",
                                        "waivers: []\n",
                                        "rules: []\nwaivers: x\n",
                                        "rules: []\nrules: []\n",
                                        "rules: []\nmore: 1\n",
                                        "rules: [1]\n",
                                        "rules: []\nwaivers: [1]\n",
                                        "rules: [\n",
                                        "rules:\n  - {id: a, id: b}\n"};
    static const char *const values[] = {"x",
                                         "''",
                                         "[]",
                                         "{}",
                                         "7",
                                         "whole",
                                         "error",
                                         "'true'",
                                         "targets['t'].tls",
                                         "1 + 1",
                                         "step.nothing",
                                         "2027-02-29",
                                         "2027-3-1",
                                         "2028-02-29",
                                         "'2027-03-01 '"};
    static const size_t sizes[] = {64, 65, 128, 129, 160, 161, 400, 401};
    for (size_t i = 0; i < COUNT(texts); i++) {
        fprintf(out, "text %zu: ", i);
        struct policy *p = policy_of(texts[i]);
        if (p != NULL)
            fputs("taken\n", out);
        policy_destroy(p);
    }
    for (int kind = 0; kind < 2; kind++) {
        const struct line *lines = kind == 0 ? rule : waiver;
        size_t count = kind == 0 ? COUNT(rule) : COUNT(waiver);
        put_wrong(lines, count, count, NULL, false);
        for (size_t i = 0; i < count; i++) {
            put_wrong(lines, count, i, NULL, false);
            put_wrong(lines, count, i, NULL, true);
            for (size_t k = 0; k < COUNT(values); k++)
                put_wrong(lines, count, i, values[k], false);
            for (size_t k = 0; k < COUNT(sizes); k++) {
                char value[500];
                memset(value, 'x', sizeof value);
                value[sizes[k]] = '\0';
                put_wrong(lines, count, i, value, false);
            }
        }
    }
}

static void put_all(FILE *to)
{
    out = to;
    pool_init(&pool, &heap, 1 << 22);
    put_models();
    put_checks();
    put_all_wrong();
    pool_finish(&pool);
}

START_TEST(policy__sees_and_says_this)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "policy_tables", policy__sees_and_says_this);
}
