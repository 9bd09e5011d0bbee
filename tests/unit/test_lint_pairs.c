/* What lint, or the reader, says of three steps one behind the other of which one says something more; and of each two such things together, what neither alone
 * is told of, or is told of no more. It is kept in tests/fixtures/lint/pairs.txt; `build/release/tests/unit/test_lint_pairs write` writes that anew, for its
 * difference to be read. */
#include "sidecar/definition/reader.h"
#include "sidecar/lint/lint.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/lint/pairs.txt";

/* A key of a step, or of all (at 0), and its lines, which take the place of those that it has already. */
static const struct thing {
    const char *key, *lines;
    bool of_all;
} things[] = {
    {"pivot", "    pivot: true\n", false},
    {"irreversible", "    irreversible: true\n", false},
    {"optional", "    optional: true\n", false},
    {"deferred", "    deferred: true\n", false},
    {"compensation", "    compensation: none\n", false},
    {"compensation", "", false},
    {"compensation",
     "    compensation: {method: /s.P/Undo, request: own_output, idempotent: false, retry: {maxAttempts: 2, "
     "initialBackoff: 1ms, maxBackoff: 2ms}}\n",
     false},
    {"compensation",
     "    compensation: {method: /s.P/Undo, target: archive, timeout: 20s, retry: {maxAttempts: 3, "
     "retryableStatusCodes: [ABORTED, NOT_FOUND]}}\n",
     false},
    {"timeout", "    timeout: 10m\n", false},
    {"timeout", "    timeout: 1ms\n", false},
    {"reserve", "    reserve: 30s\n", false},
    {"retry", "    retry: {maxAttempts: 1}\n", false},
    {"retry", "    retry: {maxAttempts: 20, initialBackoff: 1h, maxBackoff: 2h}\n", false},
    {"retry", "    retry: {maxAttempts: 4, retryableStatusCodes: [ALREADY_EXISTS, UNKNOWN, UNAVAILABLE]}\n", false},
    {"retry", "    retry: {maxAttempts: 1, retryableStatusCodes: [FAILED_PRECONDITION]}\n", false},
    {"retry", "    retry: {maxAttempts: 5, initialBackoff: 10ms, maxBackoff: 10ms, jitter: 0}\n", false},
    {"action", "    action: {method: /s.P/Do, idempotent: false}\n", false},
    {"action", "    action: {method: /s.P/Do, barrier: true, request: {constant: x}}\n", false},
    {"action", "    action: {method: /s.P/Do, request: {output: a}}\n", false},
    {"action", "    action: {method: /s.P/Do, target: slow}\n", false},
    {"target", "    target: paymnt\n", false},
    {"target", "", false},
    {"after", "", false},
    {"after", "    after: [a, b]\n", false},
    {"fallback", "    fallback: {value: {constant: x}}\n", false},
    {"fallback", "    fallback: {last_good: {key: k, max_age: 1h}}\n    unavailable: fallback\n", false},
    {"fallback",
     "    fallback: {target: fraud, action: /s.P/Else, compensation: none, fallback: {last_good: {key: k, max_age: "
     "1h}}}\n",
     false},
    {"fallback",
     "    fallback: {target: fraud, action: {method: /s.P/Else, request: {output: a}}, compensation: none}\n", false},
    {"deadline", "deadline: 5s\n", true},
    {"deadline", "", true},
    {"compensation_order", "compensation_order: dependency\n", true},
    {"priority", "priority: low\n", true},
};
#define THINGS (sizeof things / sizeof *things)

static const struct participant known[] = {{.name = "payment", .timeout.us = 10000000},
                                           {.name = "fraud", .timeout.us = 10000000},
                                           {.name = "archive", .timeout.us = 10000000},
                                           {.name = "slow", .timeout.us = 90000000}};

struct placed {
    const struct thing *thing; /* NULL: none */
    unsigned step;             /* from 0 */
};

static void add(char *text, size_t room, const char *key, const char *lines, const struct placed *placed, size_t count,
                int step)
{
    for (size_t i = 0; i < count; i++)
        if (placed[i].thing != NULL && strcmp(placed[i].thing->key, key) == 0 &&
            (step < 0 ? placed[i].thing->of_all : placed[i].step == (unsigned)step))
            lines = placed[i].thing->lines;
    size_t used = strlen(text);
    ck_assert_uint_lt(used + strlen(lines), room);
    memcpy(text + used, lines, strlen(lines) + 1);
}

static void write_definition(char *text, size_t room, const struct placed *placed, size_t count)
{
    static const char *const more[] = {"pivot",   "irreversible", "optional", "deferred",
                                       "timeout", "reserve",      "retry",    "fallback"};
    static const char *const after[] = {"", "    after: [a]\n", "    after: [b]\n"};
    snprintf(text, room, "name: n\nversion: 1.0.0\n");
    add(text, room, "deadline", "deadline: 1h\n", placed, count, -1);
    add(text, room, "compensation_order", "", placed, count, -1);
    add(text, room, "priority", "", placed, count, -1);
    add(text, room, "steps", "steps:\n", placed, count, -1);
    for (int i = 0; i < 3; i++) {
        char name[] = "  - name: a\n";
        name[10] = (char)('a' + i);
        add(text, room, "name", name, placed, count, i);
        add(text, room, "after", after[i], placed, count, i);
        add(text, room, "target", "    target: payment\n", placed, count, i);
        for (size_t k = 0; k < sizeof more / sizeof *more; k++)
            add(text, room, more[k], "", placed, count, i);
        add(text, room, "action", "    action: /s.P/Do\n", placed, count, i);
        add(text, room, "compensation", "    compensation: /s.P/Undo\n", placed, count, i);
    }
}

/* What is said: a line each, of a definition that is refused one. */
struct said {
    unsigned count;
    bool refused;
    char lines[LINT_FINDINGS_MAX][512];
};

static void judge(struct said *said, const struct placed *placed, size_t count)
{
    static struct lint_report report;
    char text[4096];
    struct definition_limits limits = definition_limits_default();
    const struct participants participants = {.at = known, .count = sizeof known / sizeof *known};
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    write_definition(text, sizeof text, placed, count);
    report.count = report.more = 0;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    if (code != 0)
        lint_refused(&report, code, &detail);
    else
        ck_assert_int_eq(lint_definition(d, &participants, &report), 0);
    definition_destroy(d);
    said->refused = code != 0;
    said->count = report.count;
    for (unsigned i = 0; i < report.count; i++) {
        const struct lint_finding *f = &report.findings[i];
        snprintf(said->lines[i], sizeof said->lines[i], "%s %s: %s", lint_rows[f->rule].id, f->field, f->text);
    }
}

/* How long all of it takes is another time with each pair. */
static bool has(const struct said *said, const char *line)
{
    static const char sum[] = "deadline-too-short";
    for (unsigned i = 0; i < said->count; i++)
        if (strcmp(said->lines[i], line) == 0 ||
            (strncmp(line, sum, sizeof sum - 1) == 0 && strncmp(said->lines[i], sum, sizeof sum - 1) == 0))
            return true;
    return false;
}

static void put_name(FILE *out, const struct placed *p)
{
    char line[64];
    const char *text = p->thing->lines[0] == '\0' ? "is missing" : p->thing->lines + strspn(p->thing->lines, " ");
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    fprintf(out, "%s%c %s%s%s", p->thing->of_all ? "" : "step ", p->thing->of_all ? ':' : 'a' + (char)p->step,
            p->thing->lines[0] == '\0' ? p->thing->key : "", p->thing->lines[0] == '\0' ? " " : "", line);
}

/* Both, if they are not of the same key. */
static void put_pair(FILE *out, const struct placed pair[2], const struct said *first, const struct said *second)
{
    static struct said both;
    bool begun = false;
    judge(&both, pair, 2);
    for (unsigned k = 0; k < 3; k++) {
        const struct said *of = k == 0 ? &both : k == 1 ? first : second;
        for (unsigned i = 0; i < of->count; i++) {
            bool told = k == 0 ? has(first, of->lines[i]) || has(second, of->lines[i]) : has(&both, of->lines[i]);
            /* What is refused is told of nothing else. */
            if (told || (k > 0 && (both.refused || first->refused || second->refused)))
                continue;
            if (!begun) {
                put_name(out, &pair[0]);
                fprintf(out, " and ");
                put_name(out, &pair[1]);
                fprintf(out, "\n");
            }
            begun = true;
            fprintf(out, "  %c %s\n", k == 0 ? '+' : '-', of->lines[i]);
        }
    }
}

static void put_all(FILE *out)
{
    static struct said one[THINGS][3];
    static struct said none;
    judge(&none, NULL, 0);
    for (unsigned k = 0; k < none.count; k++)
        fprintf(out, "as they are: %s\n", none.lines[k]);
    for (size_t i = 0; i < THINGS; i++)
        for (unsigned s = 0; s < (things[i].of_all ? 1 : 3); s++) {
            const struct placed placed = {&things[i], s};
            judge(&one[i][s], &placed, 1);
            put_name(out, &placed);
            fprintf(out, "%s\n", one[i][s].count == 0 ? ": nothing" : "");
            for (unsigned k = 0; k < one[i][s].count; k++)
                fprintf(out, "  %s\n", one[i][s].lines[k]);
        }
    for (size_t i = 0; i < THINGS; i++)
        for (size_t k = i + 1; k < THINGS; k++)
            for (unsigned s = 0; s < 9; s++) {
                const struct placed pair[2] = {{&things[i], s / 3}, {&things[k], s % 3}};
                bool same = pair[0].step == pair[1].step && strcmp(things[i].key, things[k].key) == 0;
                if (same || (things[i].of_all && s / 3 > 0) || (things[k].of_all && s % 3 > 0))
                    continue;
                put_pair(out, pair, &one[i][s / 3], &one[k][s % 3]);
            }
}

START_TEST(lint__two_things_together_are_told_of_as_they_were)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "lint_pairs", lint__two_things_together_are_told_of_as_they_were);
}
