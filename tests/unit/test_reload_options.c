/* What a reload says of each option that has changed, in a whole sidecar of two loops: whether it was taken or waits for a restart, and what both loops show
 * of it then. It is kept in tests/fixtures/runtime/reloads.txt;
 * `build/release/tests/unit/test_reload_options write` writes that anew, for its difference to be read. */
#include "sidecar/observe/log.h"
#include "sidecar/observe/panel.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/kept_text.h"
#include "tests/support/sidecar_world.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct sidecar_world w;
static atomic_uint reads; /* that have ended, one way or the other */
static char heard[16384];
static char *page;   /* what was shown before */
static bool at_last; /* what was refused is shown, too */

/* Instead of "targets" each line stands beside these. */
static const char own_targets[] = "targets: {one: 'unix:/nowhere/one.sock', two: 'unix:/nowhere/two.sock'}\n";

static const char *const changes[] = {
    /* All that wait, together. */
    "loops: 3\nfault_injection: true\nschema_drift_interval: 1h\nstore_lease: 11s\nstore_timeout: 6s\n"
    "store_journal: j\nfleet_takeovers_max: 5\nlive_sagas_max: 500\nsteps_max: 63\npayload_bytes_max: 2MiB\n"
    "last_good_answers_max: 9\nlast_good_bytes_max: 1MiB\nlast_good_age_max: 1h\ndefinitions_max: 999\n"
    "schemas_max: 99\ndefinition_bytes_max: 128KiB\ndeadline_max: 100h\npushback_max: 1m\n"
    "enlisted_deadline_default: 10m\nenlisted_lease_default: 31s\ntarget_wait: 1s\ndefault_retry: {maxAttempts: 3}\n"
    "default_compensation_retry: {maxAttempts: 3}\nmemory_bytes_max: 512MiB\nmessage_bytes_max: 5MiB\n"
    "metadata_bytes_max: 17KiB\ncalls_max: 16000\nstreams_max: 1000\nconnection_streams_max: 127\n"
    "pipe_commands_max: 1000\nwaiters_max: 8000\nwatchers_max: 200\nhandshake_timeout: 9s\nkeepalive_time: 59s\n"
    "keepalive_timeout: 19s\nconnect_timeout: 4s\ntls_connection_age: 2h\ntls_certificate: c\ntls_key: k\n"
    "tls_roots: r\ncore_dumps: true\naudit_retention: 9h\nencryption_key_file: k\naudit_key_file: k\n"
    "audit_verify_at_start: true\njournal_bytes_max: 1GiB\ncommit_bytes_max: 1MiB\nretention: 9h\n"
    "shutdown_grace: 9s\nhttp_listen: 127.0.0.1:1\nmetrics_series_max: 900\notlp_endpoint: 127.0.0.1:1\n"
    "otlp_metrics_interval: 9s\notlp_logs: true\ntraces_percent: 9\nlog_format: json\n",
    "plaintext_operators: true\n",
    /* What is said is at info: from warn to error nobody would hear it. */
    "log_level: warn\n",
    "log_level: info\n",
    "log_level: error\n",
    "log_level: info\n",
    "log_level: debug\n",
    "unix_access: group\nauthorization: [{who: unix, may: viewer}]\n",
    "authorization: [{who: unix, may: operator}]\n",
    "listen: ['127.0.0.1:0']\n",
    "listen: ['127.0.0.1:0']\nauthorization: [{who: unix, may: operator}]\n",
    "definition_limits: {shop: {live_sagas_max: 7}}\n",
    "definition_limits: {shop: {live_sagas_max: 9}}\n",
    "definition_limits: {shop: {starts_per_second: 5}, more: {starts_per_second: 4, starts_burst: 3}}\n",
    "objectives: {shop: {success: 99.5}}\n",
    "objectives: {shop: {success: 90, latency: 2s}, b: {freshness: 1m}}\n",
    "synthetics: {beat: {every: 24h}}\n",
    "synthetics: {beat: {every: 23h, latency: 2s}, other: {every: 1h}}\n",
    "remediation: {r: {when: \"deadletters > 100\", do: reset, target: one}}\n",
    "remediation: {r: {when: \"deadletters > 100\", do: reset, target: two}, q: {when: 'live > 9', do: page, url: "
    "'http://127.0.0.1:1'}}\n",
    "remediation: {r: {when: \"deadletters >\", do: reset, target: one}}\n",
    "remediation: {r: {when: \"deadletters >\", do: reset, target: one}, q: {when: 'live > 9', do: page, url: "
    "'http://127.0.0.1:1'}}\n",
    "policy_file: /nowhere/policy\n",
    "definitions_dir: /nowhere/definitions\n",
    "schemas_dir: /nowhere/schemas\n",
    "no_such_option: 1\n",
    "log_level: loud\n",
    "listen: ['127.0.0.1:0']\nauthorization: [{who: unix, may: viewer}]\n",
    "authorization: [{who: unix, may: viewer}]\n",
    "targets: {}\n",
    "targets: {one: 'unix:/nowhere/one.sock'}\n",
    "targets: {one: 'unix:/nowhere/1.sock', two: 'unix:/nowhere/two.sock', three: 'unix:/nowhere/three.sock'}\n",
    "targets: {two: 'unix:/nowhere/two.sock', one: 'unix:/nowhere/one.sock'}\n",
    "targets: {one: {address: 'unix:/nowhere/one.sock', max_concurrent_calls: 9}, two: 'unix:/nowhere/two.sock'}\n",
    "targets: {one: {address: 'unix:/nowhere/one.sock', rate_limit_per_second: 9, rate_limit_burst: 3}, two: "
    "'unix:/nowhere/two.sock'}\n",
    "targets: {one: {address: 'unix:/nowhere/one.sock', retry_budget_percent: 9}, two: 'unix:/nowhere/two.sock'}\n",
    "targets: {one: {address: 'unix:/nowhere/one.sock', breaker_failure_percent: 9, barrier: true}, two: "
    "{address: 'unix:/nowhere/two.sock', timeout: 9s}}\n",
};

/* What the only file of definitions_dir says, one after the other. */
#define DEFINITION(version, step) \
    "name: shop\nversion: " version "\nsteps:\n  - {name: a, target: one, action: /p.S/A}\n" step
static const char *const definitions[] = {
    DEFINITION("1.0.0", ""),
    DEFINITION("1.0.0", "  - {name: b, target: two, action: /p.S/B}\n"),
    DEFINITION("1.0.0", "  - 7\n"),
    DEFINITION("2.0.0", "  - {name: b, target: three, action: /p.S/B}\n"),
    DEFINITION("2.0.0", "  - {name: b, target: two, action: /p.S/B}\n"),
    "name: shop\n",
    DEFINITION("1.0.0", ""),
};

/* What is shown of what a configuration bounds and promises. Ages, sizes and all that depends on the machine are not. */
static const char *const shown[] = {
    "sagad_target_calls_max",
    "sagad_target_retry_budget_left",
    "sagad_target_rate_limit_per_second",
    "sagad_target_breaker_state",
    "sagad_definition_",
    "sagad_slo_promised_ratio",
    "sagad_slo_events",
    "sagad_synthetic_interval_seconds",
    "sagad_remediation_armed",
    "sagad_sagas_live_max",
    "sagad_journal_limit_bytes",
};

/* Every line that is wanted: of one kind the log itself writes fifty a second. tests.mk wraps this. */
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);
void __wrap_log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    bool of_a_reload = strstr(text, "configuration") != NULL || strstr(text, "an option has changed") != NULL;
    if (!of_a_reload || !log_wants(level))
        return;
    size_t used = strlen(heard);
    used += (size_t)snprintf(heard + used, sizeof heard - used, "  %d %s", (int)level, text);
    for (size_t i = 0; i < count; i++) {
        struct bytes said = fields[i].text;
        const uint8_t *folder = said.size == 0 ? NULL : memmem(said.at, said.size, w.folder, strlen(w.folder));
        if (folder != NULL) /* which is another one each time */
            said = bytes_of(folder + strlen(w.folder), said.size - (size_t)(folder - said.at) - strlen(w.folder));
        if (fields[i].kind == LOG_KIND_NUMBER)
            used += (size_t)snprintf(heard + used, sizeof heard - used, " %s=%lld", fields[i].name,
                                     (long long)fields[i].number);
        else
            used += (size_t)snprintf(heard + used, sizeof heard - used, " %s=%.*s", fields[i].name, (int)said.size,
                                     (const char *)said.at);
    }
    snprintf(heard + used, sizeof heard - used, "\n");
    if (strcmp(text, "the configuration was read again") == 0 ||
        strcmp(text, "the configuration cannot be taken as it is") == 0)
        atomic_fetch_add(&reads, 1);
}

static void read_again(const char *change)
{
    char path[96];
    unsigned before = atomic_load(&reads);
    heard[0] = '\0';
    snprintf(path, sizeof path, "%s/sagad.yaml", w.folder);
    FILE *to = fopen(path, "w");
    ck_assert_ptr_nonnull(to);
    fprintf(to, "data_dir: %s/data\n%s%s", w.folder, strstr(change, "loops:") == NULL ? "loops: 2\n" : "", change);
    fputs(strstr(change, "http_listen:") == NULL ? "http_listen: 127.0.0.1:0\n" : "", to);
    fputs(strstr(change, "target_wait:") == NULL ? "target_wait: 0s\n" : "", to);
    fputs(strstr(change, "connect_timeout:") == NULL ? "connect_timeout: 100ms\n" : "", to);
    fputs(strstr(change, "targets:") == NULL ? own_targets : "", to);
    if (strstr(change, "listen:") == NULL || strstr(change, "http_listen:") != NULL)
        fprintf(to, "listen: ['%s']\n", w.address);
    ck_assert_int_eq(fclose(to), 0);
    sidecar_reload(w.sidecar, path);
    WORLD_WAIT_UNTIL(atomic_load(&reads) == before + 1);
}

/* The lines that are other than before, of both loops together. Those that are gone are told of, too. */
static void put_shown(FILE *out)
{
    struct metrics *all[PANEL_METRICS_MAX];
    char *text = NULL, *kept = NULL;
    size_t size;
    panel_ask(w.sidecar->panel);
    for (unsigned k = 0; k < panel_loops(w.sidecar->panel); k++) {
        const struct vitals *v = panel_loop(w.sidecar->panel, k);
        WORLD_WAIT_UNTIL(atomic_load(&v->told) == atomic_load(&v->asked));
    }
    FILE *whole = open_memstream(&text, &size), *some = open_memstream(&kept, &size);
    ck_assert_int_eq(metrics_write(all, panel_metrics(w.sidecar->panel, all), METRICS_PROMETHEUS, whole), 0);
    fclose(whole);
    fputc('\n', some);
    char *refused = at_last ? strstr(text, "\nsagad_requests_refused") : NULL;
    for (; refused != NULL; refused = strstr(refused + 1, "\nsagad_requests_refused"))
        fprintf(some, "%.*s\n", (int)strcspn(refused + 1, "\n"), refused + 1);
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
            if (strncmp(line, shown[i], strlen(shown[i])) == 0)
                fprintf(some, "%.*s\n", (int)(end - line), line);
    fclose(some);
    free(text);
    const char *const pages[] = {kept, page};
    for (int gone = 0; page != NULL && gone < 2; gone++)
        for (const char *line = pages[gone] + 1, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            char one[512];
            snprintf(one, sizeof one, "\n%.*s\n", (int)(end - line), line);
            if (strstr(pages[!gone], one) == NULL)
                fprintf(out, "  %s%.*s\n", gone ? "no more " : "", (int)(end - line), line);
        }
    if (page == NULL)
        fputs(kept + 1, out);
    free(page);
    page = kept;
}

/* Whether whoever comes over the socket may do what operators do: pause a saga, which is not there. */
static void put_rights(FILE *out)
{
    static char id[] = "000000000001-1";
    struct saga_error error;
    Saga__V1__PauseRequest m = SAGA__V1__PAUSE_REQUEST__INIT;
    m.saga_id = id;
    int code = world_ask(&w, OPERATOR "Pause", &m.base, &saga__v1__pause_response__descriptor, 0, NULL, &error);
    fprintf(out, "  operators: %s\n",
            code == SAGA_E_NOT_FOUND           ? "may"
            : code == SAGA_E_PERMISSION_DENIED ? "may not"
                                               : error.message);
}

static void put_definitions(FILE *out)
{
    char path[96], options[128];
    snprintf(path, sizeof path, "%s/definitions", w.folder);
    snprintf(options, sizeof options, "definitions_dir: %s\n", path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    strcat(path, "/a.yaml");
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
        FILE *to = fopen(path, "w");
        ck_assert_ptr_nonnull(to);
        fputs(definitions[i], to);
        ck_assert_int_eq(fclose(to), 0);
        read_again(options);
        fprintf(out, "%s%s", definitions[i], heard);
        put_shown(out);
    }
}

static void put_all(FILE *out)
{
    world_open_sidecar(&w, "loops: 2\nhttp_listen: 127.0.0.1:0\n");
    log_set_level(LOG_LEVEL_INFO);
    read_again("");
    fprintf(out, "at first\n%s", heard);
    put_shown(out);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        fputs(changes[i], out);
        read_again(changes[i]);
        fputs(heard, out);
        put_shown(out);
        put_rights(out);
    }
    put_definitions(out);
    at_last = true;
    put_shown(out);
    world_close_sidecar(&w);
    free(page);
    page = NULL;
}

START_TEST(reload__each_option_is_taken_or_waits)
{
    kept_text_compare("tests/fixtures/runtime/reloads.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "reload_options", reload__each_option_is_taken_or_waits);
}
