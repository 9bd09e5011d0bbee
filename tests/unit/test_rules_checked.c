/* What is said of rules of remediation before any is in force: each act with and without what it is about and what it is judged by, and questions of all
 * kinds; alone and behind one that is right. It is kept in tests/fixtures/runtime/rules.txt; `build/release/tests/unit/test_rules_checked write` writes
 * that anew, for its difference to be read. */
#include "sidecar/config/config.h"
#include "sidecar/runtime/remedies.h"
#include "tests/support/kept_text.h"

#include <stdlib.h>
#include <string.h>

static const char *const acts[] = {"retry", "hold", "trip", "reset", "page, url: 'http://h'"};
static const char *const promises[] = {"", "objectives: {order: {success: 99}}\n",
                                       "objectives: {order: {latency: 1s}}\n", "objectives: {other: {success: 99}}\n"};
static const char *const abouts[] = {"", ", definition: order", ", target: t", ", definition: order, target: t"};

static const char *const questions[] = {
    "deadletters > 1",
    "deadletters",
    "'yes'",
    "live >",
    "live > 1 &&",
    "nothing > 1",
    "breaker == 'OPEN'",
    "has(breaker)",
    "breaker == 1",
    "burn_5m > 1",
    "burn_5m > 1.0",
    "oldest_deadletter > 5",
    "oldest_deadletter > duration('5m')",
    "failed_share > 0.5 && attempts > 10",
    "[1, 2].exists(x, x > deadletters)",
    "dyn(1)",
    "true",
    "unreachable_for",
    "breaker_open_for > duration('1m') || unreachable_for > duration('2m')",
};

/* What is said of it, or that it may be in force. */
static void put(FILE *out, const char *rules, const char *promised)
{
    char text[1024];
    struct config *config = NULL;
    struct error_detail detail = {.text = ""};
    snprintf(text, sizeof text, "targets: {t: 'unix:/t'}\n%sremediation: {%s}\n", promised, rules);
    int code = config_read_text(bytes_of_text(text), &config, &detail);
    fprintf(out, "%s%s%s", promised, promised[0] == '\0' ? "" : " ", rules);
    if (code != 0) {
        fprintf(out, "\n    is not read: %s: %s\n", detail.field, detail.text);
        return;
    }
    code = remedies_check(config, &detail);
    if (code != 0)
        fprintf(out, "\n    %s %s: %s\n", error_row(code)->reason, detail.field, detail.text);
    else
        fprintf(out, "\n    may be in force\n");
    config_destroy(config);
}

static void put_all(FILE *out)
{
    char rules[768];
    for (size_t act = 0; act < sizeof acts / sizeof *acts; act++)
        for (size_t about = 0; about < sizeof abouts / sizeof *abouts; about++)
            for (size_t promise = 0; promise < sizeof promises / sizeof *promises; promise++) {
                snprintf(rules, sizeof rules, "r: {when: 'true', do: %s%s}", acts[act], abouts[about]);
                put(out, rules, promises[promise]);
            }
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        for (int behind = 0; behind < 2; behind++) {
            snprintf(rules, sizeof rules, "%sr: {when: \"%s\", do: reset, target: t}%s",
                     behind ? "first: {when: 'live > 9', do: reset, target: t}, " : "", questions[i],
                     behind ? "" : ", last: {when: 'live > 9', do: reset, target: t}");
            put(out, rules, "");
        }
}

START_TEST(rules__are_refused_in_these_words)
{
    kept_text_compare("tests/fixtures/runtime/rules.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "rules_checked", rules__are_refused_in_these_words);
}
