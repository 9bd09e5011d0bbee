/* Every value of a configuration with each kind of value: what is read, what differs for it, or what is said. Each line of the files below is left out and
 * has its value replaced by each of `values`, with all else as it stands; and options that bear on each other are crossed. It is kept in
 * tests/fixtures/config; `build/release/tests/unit/test_config_values write` writes that anew, for its difference to be read. */
#include "sidecar/config/config_same.h"
#include "tests/support/config_text.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 2048

static const char *const values[] = {
    "",
    "\"\"",
    "x",
    "-1",
    "0",
    "1",
    "2",
    "3",
    "1.5",
    "49.999",
    "50",
    "100",
    "10000",
    "10001",
    "100001",
    "1KiB",
    "0ms",
    "1ms",
    "999ms",
    "1s",
    "9999ms",
    "10s",
    "1h",
    "3601s",
    "24h",
    "25h",
    "720h",
    "721h",
    "2160h",
    "2161h",
    "true",
    "error",
    "\"a b\"",
    "\"*\"",
    "[]",
    "[1]",
    "[x, y]",
    "{}",
    "{a: b}",
    "[{}]",
    "a: b",
    "tls://127.0.0.1:1",
    "h:1",
    "unix:/s",
    "viewer",
    "[UNAVAILABLE, INTERNAL]",
    "99999999999999999999",
};

/* Each is a file that is whole. A line that stands deeper goes with the one before it. */
static const char *const files[] = {
    "data_dir: d\nloops: 2\ndefinitions_dir: e\nschemas_dir: f\npolicy_file: g\nfault_injection: true\n"
    "schema_drift_interval: 7s\nstore: postgresql://h/d\nstore_journal: j\nstore_lease: 9s\nstore_timeout: 2s\n"
    "fleet_address: h:2\nfleet_identity: i\nfleet_takeovers_max: 7\nlisten:\n  - 127.0.0.1:5\n  - unix:/t\n",
    "fleet: f\nstore: postgresql://h/d\nfleet_address: \"h:2\"\n",
    "live_sagas_max: 50\nsteps_max: 7\npayload_bytes_max: 2KiB\nlast_good_answers_max: 5\nlast_good_bytes_max: 65KiB\n"
    "last_good_age_max: 2h\ndefinitions_max: 4\nschemas_max: 5\ndefinition_bytes_max: 3KiB\ndeadline_max: 30h\n"
    "pushback_max: 2s\nenlisted_deadline_default: 25h\nenlisted_lease_default: 2h\ntarget_wait: 4s\ndefault_retry:\n"
    "  maxAttempts: 5\n  initialBackoff: 2s\n  maxBackoff: 9s\n  backoffMultiplier: 1.5\n  jitter: 0.1\n"
    "  retryableStatusCodes: [INTERNAL]\ndefault_compensation_retry:\n  maxAttempts: 6\n  initialBackoff: 3s\n",
    "memory_bytes_max: 65MiB\nmessage_bytes_max: 2MiB\nmetadata_bytes_max: 2KiB\ncalls_max: 30\nstreams_max: 9\n"
    "connection_streams_max: 8\npipe_commands_max: 7\nwaiters_max: 6\nwatchers_max: 5\nhandshake_timeout: 3s\n"
    "keepalive_time: 30s\nkeepalive_timeout: 3s\nconnect_timeout: 2s\njournal_bytes_max: 64MiB\ncommit_bytes_max: "
    "1MiB\n"
    "retention: 2h\nshutdown_grace: 3s\n",
    "tls_certificate: c\ntls_key: k\ntls_roots: r\ntls_connection_age: 20s\nlisten: [\"tls://127.0.0.1:5\"]\n"
    "core_dumps: true\nplaintext_operators: true\nencryption_key_file: k\naudit_key_file: a\n"
    "audit_verify_at_start: true\naudit_retention: 9h\nhttp_listen: 127.0.0.1:9\nmetrics_series_max: 200\n"
    "otlp_endpoint: 127.0.0.1:4\notlp_metrics_interval: 5s\notlp_logs: true\ntraces_percent: 7\nlog_level: warn\n"
    "log_format: json\n",
    "encryption_key_command: k\nunix_access: group\nauthorization: [{who: unix, may: viewer}]\nlisten: [\"unix:/s\"]\n",
    "targets:\n  pay:\n    address: 127.0.0.1:1\n    identity: i\n    timeout: 20s\n    max_concurrent_calls: 7\n"
    "    adaptive_concurrency: true\n    load_balancing_policy: pick_first\n    barrier: true\n    max_pending_calls: "
    "6\n"
    "    pending_timeout: 3s\n    rate_limit_per_second: 9\n    rate_limit_burst: 4\n    retry_budget_percent: 3\n"
    "    retry_budget_min_per_second: 2\n    breaker_failure_percent: 40\n    breaker_slow_percent: 30\n"
    "    breaker_slow_call: 2s\n    breaker_status_codes: [INTERNAL]\n    breaker_window: 11s\n    breaker_volume: 9\n"
    "    breaker_open: 3s\n    breaker_open_max: 8s\n    breaker_probes: 2\n  ship: unix:/p\n",
    "definition_limits:\n  a:\n    live_sagas_max: 40\n    starts_per_second: 30\n    starts_burst: 20\n"
    "  b: {live_sagas_max: 4}\n  c: {starts_per_second: 3}\nobjectives:\n  a:\n    success: 99.5\n    latency: 2s\n"
    "    latency_percent: 98\n    freshness: 3s\n    freshness_percent: 97\n    window: 48h\n  b: {latency: 1s}\n"
    "  c: {freshness: 1s}\n  d: {success: 90}\n",
    "synthetics:\n  a:\n    every: 2s\n    version: v\n    input: t\n    deadline: 3s\n    success: 98\n    latency: "
    "4s\n"
    "    latency_percent: 97\n    window: 48h\n  b: {input_json: '{}'}\n",
    "remediation:\n  a:\n    when: \"deadletters > 0\"\n    do: retry\n    definition: d\n    target: t\n    where: w\n"
    "    per_second: 3\n    for: 2s\n    every: 20s\n    settle: 30s\n    mode: act\n"
    "  b: {when: \"true\", do: page, url: \"http://h\"}\n",
    "remediation:\n  a:\n    when: w\n    do: page\n    url: https://h\n  b:\n    when: w\n    do: trip\n    target: "
    "t\n",
    "fault_injection: true\ntargets: {pay: 127.0.0.1:1}\nfaults:\n  - kind: abort\n    target: pay\n    definition: d\n"
    "    tag: t\n    tag_value: v\n    calls: actions\n    status: INTERNAL\n    percent: 30\n    for: 9s\n"
    "  - kind: delay\n    delay: 2s\n    for: 3s\n",
    "listen: [\"127.0.0.1:5\"]\nauthorization:\n  - who: anyone\n    may: service\n    definitions: d*\n    sagas: "
    "all\n"
    "    tags:\n      t: v\n      u: w\n  - who: [\"uid:3\", \"listener:127.0.0.1:5\", \"spiffe://a/*\"]\n"
    "    may: [operator, Retry, payloads]\n    definitions: [e, f]\n",
};

/* Values of options that bear on each other, parted by bars: each with each of the others. `%` is the value. */
static const char *const crossed[][4] = {
    {"payload_bytes_max: %|960KiB|961KiB", "definition_bytes_max: %|959KiB|961KiB", "message_bytes_max: %|1MiB"},
    {"memory_bytes_max: %|64MiB|65MiB", "message_bytes_max: %|4MiB|4097KiB"},
    {"journal_bytes_max: %|0|1B|16777215|16MiB|32MiB|64MiB", "commit_bytes_max: %|4MiB|4097KiB|8MiB", "loops: %|1|2|4"},
    {"calls_max: %|20|21|22", "streams_max: %|10|11", "waiters_max: %|10", "loops: %|1|3"},
    {"watchers_max: %|5|6", "streams_max: %|5|6", "loops: %|1|5|6"},
    {"live_sagas_max: %|2|3", "waiters_max: %|2|3", "loops: %|2|3"},
    {"keepalive_time: %|10s|19s|20s", "keepalive_timeout: %|10s|11s|20s|21s"},
    {"deadline_max: %|1s|29s|30s|15m", "enlisted_deadline_default: %|29s|30s|31s|16m",
     "enlisted_lease_default: %|1s|30s|31s"},
    {"deadline_max: %|9s|10s", "targets: {a: 127.0.0.1:1}|targets: {a: {address: 127.0.0.1:1, timeout: 10s}}"},
    {"tls_certificate: %|c", "tls_key: %|k", "tls_roots: %|r",
     "listen: [%]|127.0.0.1:1|h:1|\"tls://127.0.0.1:1\"|\"plaintext://h:1\"|\"unix:/s\"|\"127.0.0.1:1\", "
     "\"127.0.0.1:1\""},
    {"tls_roots: %|r",
     "targets: {a: %}|h:1|127.0.0.1:1|\"tls://127.0.0.1:1\"|\"plaintext://h:1\"|\"unix:/s\"|\"dns:///h:1\"|"
     "\"ipv4:10.0.0.1:1,127.0.0.1:2\"|\"\"|\"a b\"|1"},
    {"otlp_endpoint: %|127.0.0.1:4|h:4|x", "otlp_metrics_interval: %|0s|1s", "otlp_logs: %|true|false"},
    {"http_listen: "
     "%|127.0.0.1:9|\"[::1]:9\"|0.0.0.0:9|localhost:9|\"[127.0.0.1]:9\"|\"::1:9\"|\"unix:/s\"|\"127.0.0.1\"|"
     "\"tls://127.0.0.1:9\"|127.0.0.1:99999"},
    {"unix_access: %|owner|group|everybody", "authorization: [{who: unix, may: viewer}]|",
     "plaintext_operators: %|true|false"},
    {"encryption_key_file: %|k", "encryption_key_command: %|c", "audit_verify_at_start: %|true|false",
     "audit_key_file: %|a"},
    {"store: %|postgresql://h/d", "fleet: %|f", "loops: %|2", "store_journal: %|a/1|a/|a/b|a/1/2|/0|a/1b"},
    {"loops: %|5|6", "targets: {a: {address: 127.0.0.1:1, %}}|max_pending_calls: 0|max_pending_calls: 5|"
                     "rate_limit_per_second: 5, rate_limit_burst: 9|rate_limit_per_second: 9, rate_limit_burst: 5|"
                     "rate_limit_burst: 5|retry_budget_percent: 1, retry_budget_min_per_second: 5|"
                     "retry_budget_min_per_second: 5|max_concurrent_calls: 5"},
    {"loops: %|5|6", "definition_limits: {a: {%}}|live_sagas_max: 5|live_sagas_max: 6|starts_per_second: 5|"
                     "starts_per_second: 9, starts_burst: 5|starts_burst: 9|live_sagas_max: 31"},
    {"loops: x", "listen: x", "targets: x", "authorization: x"},
    {"authorization: x", "objectives: x", "definition_limits: x", "faults: x"},
    {"faults: x", "synthetics: x", "remediation: x", "calls_max: 3"},
    {"live_sagas_max: %|30|31", "definition_limits: {a: {live_sagas_max: 31}}"},
    {"targets: {a: {address: 127.0.0.1:1, %}}|breaker_volume: 2|breaker_volume: 3|breaker_probes: 20|breaker_probes: "
     "21|"
     "breaker_volume: 2, breaker_probes: 3|breaker_volume: 3, breaker_probes: 3|breaker_open: 3m|"
     "breaker_open_max: 1s|breaker_open: 2s, breaker_open_max: 1s|breaker_open: 1s, breaker_open_max: 1s|timeout: 1ms|"
     "timeout: 2ms|timeout: 3s|timeout: 11s|timeout: 3s, breaker_slow_percent: 1|timeout: 1ms, breaker_slow_percent: 1|"
     "timeout: 3s, breaker_slow_call: 3s|timeout: 3s, breaker_slow_call: 3s, breaker_slow_percent: 1|"
     "timeout: 3s, breaker_slow_call: 2s, breaker_slow_percent: 1|breaker_slow_call: 10s, breaker_slow_percent: 1"},
    {"data_dir: %|/|//|d/|d//|\"\"|"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"fault_injection: %|true",
     "faults: [%]|{kind: delay, for: 1s, delay: 1s}|{kind: delay, for: 1s}|"
     "{kind: reorder, for: 1s, delay: 1s}|{kind: reorder, for: 1s}|{kind: duplicate, for: 1s}|"
     "{kind: duplicate, for: 1s, delay: 1s}|{kind: abort, for: 1s}|{kind: abort, for: 1s, status: OK}|"
     "{kind: abort, for: 1s, status: [OK]}|{kind: abort, for: 1s, status: ABORTED}|{kind: drop-answer, for: 1s, "
     "status: OK}|"
     "{kind: drop-request, for: 1s, tag_value: v}|{kind: drop-request, for: 1s, target: ab}|{for: 1s}|{kind: "
     "duplicate}|"
     "{kind: duplicate, for: 0ms}|{kind: duplicate, for: 1h}|{kind: duplicate, for: 3601s}|"
     "{kind: duplicate, for: 1s, percent: 0.09}|{kind: duplicate, for: 1s, percent: 0.1}|"
     "{kind: duplicate, for: 1s, calls: compensations}",
     "targets: {abc: 127.0.0.1:1}"},
    {"remediation: {r: {when: w, %}}|do: retry|do: retry, definition: d|do: hold|do: hold, definition: d|do: trip|"
     "do: trip, target: t|do: reset|do: reset, target: t|do: page|do: page, url: \"http://h\"|do: page, url: "
     "\"https://h\"|"
     "do: page, url: \"ftp://h\"|do: reset, target: t, url: \"http://h\"|do: go|mode: act"},
    {"authorization: [{%}]|who: anyone|may: viewer|who: anyone, may: service, sagas: own|who: anyone, may: viewer, "
     "sagas: own|"
     "who: anyone, may: [service, service, Wait], sagas: mine|who: tls, may: viewer|who: plaintext, may: payloads|"
     "who: \"gid:7\", may: x|who: \"uid:x\", may: viewer|who: \"dns:a.b\", may: viewer|who: \"dns:*.b\", may: viewer|"
     "who: \"spiffe://a\", may: viewer|who: \"listener:h:1\", may: viewer|who: [], may: viewer|who: anyone, may: []|"
     "who: anyone, may: viewer, definitions: a*b|who: anyone, may: viewer, definitions: []|"
     "who: anyone, may: viewer, tags: {}|who: anyone, may: viewer, tags: {\"\": v}|who: anyone, may: viewer, tags: {t: "
     "\"\"}|"
     "who: anyone, may: viewer, tags: {t: [v]}|who: anyone, may: viewer, tags: x|who: anyone, may: viewer, more: x"},
};

/* The value where it is quoted, or stands alone, is the same for all: @. */
static void leave_out(char *result, const char *value)
{
    char quoted[64], plain[64];
    size_t size = strlen(value);
    bool has_quotes = size > 1 && value[0] == '"';
    if (size == 0)
        return;
    snprintf(quoted, sizeof quoted, has_quotes ? "%s" : "\"%s\"", value);
    snprintf(plain, sizeof plain, ": %s", has_quotes ? "\"" : value);
    for (char *at = result; (at = strstr(at, quoted)) != NULL; at++) {
        memmove(at + 1, at + strlen(quoted), strlen(at + strlen(quoted)) + 1);
        *at = '@';
    }
    for (char *at = result; (at = strstr(at, plain)) != NULL; at += 3)
        if (strchr(" ;", at[size + 2]) != NULL) {
            memmove(at + 3, at + size + 2, strlen(at + size + 2) + 1);
            at[2] = '@';
        }
}

static struct config *read_whole(const char *text)
{
    struct config *c = NULL;
    struct error_detail d = {.text = ""};
    int code = config_read_text(bytes_of_text(text), &c, &d);
    ck_assert_msg(code == 0, "%s: %d:%d %s: %s", text, d.line, d.column, d.field, d.text);
    return c;
}

static size_t depth_of(const char *line)
{
    return strspn(line, " ");
}

/* Behind the line, and what stands deeper than it. */
static const char *end_of_block(const char *line)
{
    size_t depth = depth_of(line);
    bool item = line[depth] == '-';
    const char *at = strchr(line, '\n') + 1;
    while (*at != '\0' && depth_of(at) > depth && !(item && depth_of(at) == depth + 2))
        at = strchr(at, '\n') + 1;
    return at;
}

/* How much of a line stands before its value. */
static size_t before_value(const char *line)
{
    const char *key_end = strchr(line, ':');
    size_t depth = depth_of(line);
    bool item = strncmp(line + depth, "- ", 2) == 0, has_key = strncmp(line + depth + 2, "who", 3) == 0;
    has_key |= strncmp(line + depth + 2, "kind", 4) == 0;
    size_t size = key_end == NULL || (item && !has_key) ? depth + 2 : (size_t)(key_end - line) + 2;
    return size - (line[size - 1] == '\n');
}

/* Each result once, behind all values that have it. */
static void put_line(FILE *out, const char *file, const char *line, const struct config *base, const char *base_text)
{
    enum { COUNT = sizeof values / sizeof *values };
    static char results[COUNT + 1][CONFIG_TEXT_RESULT_SIZE], text[TEXT_SIZE];
    const char *end = end_of_block(line);
    size_t kept = before_value(line);
    fprintf(out, "%.*s\n", (int)kept, line);
    for (size_t i = 0; i <= COUNT; i++) {
        if (i == COUNT)
            snprintf(text, sizeof text, "%.*s%s", (int)(line - file), file, end);
        else
            snprintf(text, sizeof text, "%.*s%.*s%s%s\n%s", (int)(line - file), file, (int)kept, line,
                     line[kept - 1] == ':' ? " " : "", values[i], end);
        config_text_result(text, base, base_text, results[i]);
        if (i < COUNT)
            leave_out(results[i], values[i]);
    }
    for (size_t i = 0; i <= COUNT; i++) {
        bool before = false;
        for (size_t k = 0; k < i; k++)
            before |= strcmp(results[k], results[i]) == 0;
        if (before)
            continue;
        fputs("  ", out);
        for (size_t k = i; k <= COUNT; k++)
            if (strcmp(results[k], results[i]) == 0)
                fprintf(out, " %s", k == COUNT ? "(without it)" : values[k][0] == '\0' ? "(nothing)" : values[k]);
        fprintf(out, " => %s\n", results[i][0] == '\0' ? "nothing else" : results[i]);
    }
}

/* From this line on every value is wrong: what is told is what is read first. */
static void put_all_wrong(FILE *out, const char *file, const char *line, const struct config *base,
                          const char *base_text)
{
    static char text[TEXT_SIZE], result[CONFIG_TEXT_RESULT_SIZE];
    size_t used = (size_t)snprintf(text, sizeof text, "%.*s", (int)(line - file), file);
    for (const char *l = line; *l != '\0'; l = strchr(l, '\n') + 1) {
        size_t kept = before_value(l);
        bool value = l[kept - 1] == ' ';
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s%s\n", (int)kept, l, value ? "[[]]" : "");
    }
    config_text_result(text, base, base_text, result);
    fprintf(out, "all wrong from %.*s => %s\n", (int)before_value(line), line, result);
}

static void put_values(FILE *out)
{
    static char result[CONFIG_TEXT_RESULT_SIZE];
    struct config *by_default = read_whole("");
    char *default_text = config_text(by_default);
    fputs(default_text + 1, out);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct config *base = read_whole(files[i]);
        char *base_text = config_text(base);
        config_text_result(files[i], by_default, default_text, result);
        fprintf(out, "----\n%s=> %s\n", files[i], result);
        for (const char *line = files[i]; *line != '\0'; line = strchr(line, '\n') + 1)
            put_line(out, files[i], line, base, base_text);
        for (const char *line = files[i]; *line != '\0'; line = strchr(line, '\n') + 1)
            put_all_wrong(out, files[i], line, base, base_text);
        free(base_text);
        config_destroy(base);
    }
    free(default_text);
    config_destroy(by_default);
}

/* The line with its choice; choice 0: without it. */
static bool put_choice(const char *line, unsigned choice, char *to, size_t size)
{
    size_t before = strcspn(line, "%|");
    const char *at = strchr(line, '|');
    to[0] = '\0';
    if (choice == 0)
        return true;
    if (at == NULL || line[before] != '%') { /* there are whole lines instead */
        for (at = line; choice > 1 && at != NULL; choice--)
            at = (at = strchr(at, '|')) == NULL ? NULL : at + 1;
        if (at == NULL || *at == '\0')
            return false;
        snprintf(to, size, "%.*s\n", (int)strcspn(at, "|"), at);
        return true;
    }
    size_t after = (size_t)(at - line);
    for (at++; choice > 1 && at != NULL; choice--)
        at = (at = strchr(at, '|')) == NULL ? NULL : at + 1;
    if (at == NULL)
        return false;
    snprintf(to, size, "%.*s%.*s%.*s\n", (int)before, line, (int)strcspn(at, "|"), at, (int)(after - before - 1),
             line + before + 1);
    return true;
}

static void cross(FILE *out, const char *const lines[4], unsigned at, const char *text, const struct config *base,
                  const char *base_text)
{
    char more[TEXT_SIZE], line[1024];
    static char result[CONFIG_TEXT_RESULT_SIZE];
    if (at == 4 || lines[at] == NULL) {
        config_text_result(text, base, base_text, result);
        for (const char *c = text; *c != '\0'; c++)
            fputs(*c == '\n' ? "; " : (char[]){*c, '\0'}, out);
        fprintf(out, "\n        %s\n", result[0] == '\0' ? "nothing else" : result);
        return;
    }
    for (unsigned choice = 0; put_choice(lines[at], choice, line, sizeof line); choice++) {
        snprintf(more, sizeof more, "%s%s", text, line);
        cross(out, lines, at + 1, more, base, base_text);
    }
}

static void put_crossed(FILE *out)
{
    struct config *base = read_whole("targets: {a: 127.0.0.1:1}\n");
    char *base_text = config_text(base);
    for (size_t i = 0; i < sizeof crossed / sizeof *crossed; i++)
        cross(out, crossed[i], 0, "", base, base_text);
    free(base_text);
    config_destroy(base);
}

START_TEST(config_values__each_is_read_or_refused_in_these_words)
{
    kept_text_compare("tests/fixtures/config/values.txt", put_values);
    kept_text_compare("tests/fixtures/config/crossed.txt", put_crossed);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "config_values", config_values__each_is_read_or_refused_in_these_words);
}
