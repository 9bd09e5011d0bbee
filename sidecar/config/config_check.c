/* config_check.c - how options bear on one another. Each alone is within its bounds; together they must make a sidecar
 * that can work. The defaults do; so in every pair that does not, one stands in the file, and the error points there.
 */
#include "sidecar/config/config_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/quantity.h"
#include "transport/address.h"

#include <arpa/inet.h>

/* What a message holds beside its payload: names, ids, the message's own form. */
#define MESSAGE_BYTES_BESIDE UINT64_C(65536)
#define JOURNAL_COMMITS_MIN  4
#define MEMORY_MESSAGES_MIN  16 /* an eighth of it is for what is being received, and holds two */

/* The options of two rows as they stand, or by default. */
struct pair {
    enum option_index a, b;
};

static const struct yaml_node *place_of(const struct config_reader *r, struct pair pair)
{
    const struct yaml_node *n = r->nodes[pair.a] != NULL ? r->nodes[pair.a] : r->nodes[pair.b];
    CHECK(n != NULL);
    return n;
}

/* Writes an option's value as it could stand in the file. */
static void write_value(const struct config_reader *r, enum option_index index, char text[QUANTITY_TEXT_SIZE])
{
    const struct option *o = &config_options[index];
    const void *field = (const char *)r->config + o->offset;
    if (o->type == OPTION_SPAN)
        quantity_write_span(*(const struct span *)field, text);
    else if (o->type == OPTION_SIZE)
        quantity_write_size(*(const uint64_t *)field, text);
    else
        snprintf(text, QUANTITY_TEXT_SIZE, "%u", (unsigned)*(const uint32_t *)field);
}

/* Says "a (value) <must> b (value)<more>", pointing at the one that stands in the file. */
static int refuse(const struct config_reader *r, struct pair pair, const char *must, const char *more)
{
    char a[QUANTITY_TEXT_SIZE], b[QUANTITY_TEXT_SIZE];
    write_value(r, pair.a, a);
    write_value(r, pair.b, b);
    return yaml_refuse(place_of(r, pair), E_ARGUMENT, r->detail, "%s (%s) must %s %s (%s)%s",
                       config_options[pair.a].name, a, must, config_options[pair.b].name, b, more);
}

#define PAIR(a, b) ((struct pair){OPTION_INDEX_##a, OPTION_INDEX_##b})

static int check_sizes(const struct config_reader *r)
{
    const struct config *c = r->config;
    static const char must[] = "be at least 64KiB more than";
    if (c->message_bytes_max < c->payload_bytes_max + MESSAGE_BYTES_BESIDE)
        return refuse(r, PAIR(message_bytes_max, payload_bytes_max), must,
                      ", or no request could carry such a payload");
    if (c->message_bytes_max < c->definition_bytes_max + MESSAGE_BYTES_BESIDE)
        return refuse(r, PAIR(message_bytes_max, definition_bytes_max), must, ", or it could not be registered");
    if (c->memory_bytes_max < c->message_bytes_max * MEMORY_MESSAGES_MIN)
        return refuse(r, PAIR(memory_bytes_max, message_bytes_max), "be at least 16 times", "");
    if (c->journal_bytes_max == 0)
        return 0;
    if (c->journal_bytes_max < JOURNAL_BYTES_MIN)
        return yaml_refuse(r->nodes[OPTION_INDEX_journal_bytes_max], E_ARGUMENT, r->detail,
                           "must be 0, for as large as the disk, or at least 16MiB");
    if (c->journal_bytes_max < c->commit_bytes_max * JOURNAL_COMMITS_MIN)
        return refuse(r, PAIR(journal_bytes_max, commit_bytes_max), "be at least 4 times", "");
    return 0;
}

/* Calls that wait for others (streams, Wait) must leave room for those that let them go on. */
static int check_counts(const struct config_reader *r)
{
    const struct config *c = r->config;
    if (c->watchers_max > c->streams_max)
        return refuse(r, PAIR(watchers_max, streams_max), "not be above", "");
    if ((uint64_t)c->calls_max > (uint64_t)c->streams_max + c->waiters_max)
        return 0;
    struct pair pair =
        r->nodes[OPTION_INDEX_waiters_max] != NULL ? PAIR(calls_max, waiters_max) : PAIR(calls_max, streams_max);
    return yaml_refuse(place_of(r, pair), E_ARGUMENT, r->detail,
                       "calls_max (%u) must be above streams_max (%u) and waiters_max (%u) together, or waiting calls "
                       "would keep out those that end their wait",
                       (unsigned)c->calls_max, (unsigned)c->streams_max, (unsigned)c->waiters_max);
}

static int check_target_share(const struct config_reader *r, const struct config_target *t, const char *name,
                              uint32_t value)
{
    if (value == 0 || value >= r->config->loops)
        return 0;
    return yaml_refuse(r->nodes[OPTION_INDEX_loops], E_ARGUMENT, r->detail,
                       "%s (%u) of target %s must not be below loops (%u): each loop has its share", name,
                       (unsigned)value, t->name, (unsigned)r->config->loops);
}

/* A share of nothing would be no bound at all. */
static int check_target_shares(const struct config_reader *r, const struct config_target *t)
{
    int code = check_target_share(r, t, "max_pending_calls", t->max_pending_calls);
    if (code == 0)
        code = check_target_share(r, t, "rate_limit_per_second", t->rate_limit_per_second);
    if (code == 0 && t->rate_limit_per_second > 0)
        code = check_target_share(r, t, "rate_limit_burst", t->rate_limit_burst);
    if (code == 0 && t->retry_budget_percent > 0)
        code = check_target_share(r, t, "retry_budget_min_per_second", t->retry_budget_min_per_second);
    return code;
}

/* Each loop has its share of what is for the whole sidecar. */
static int check_shares(const struct config_reader *r)
{
    const struct config *c = r->config;
    const struct yaml_node *loops = r->nodes[OPTION_INDEX_loops];
    uint32_t n = c->loops;
    if (n == 1)
        return 0;
    if (c->live_sagas_max < n)
        return refuse(r, PAIR(live_sagas_max, loops), "not be below", ": each loop has its share");
    if (c->streams_max < n)
        return refuse(r, PAIR(streams_max, loops), "not be below", ": each loop has its share");
    if (c->waiters_max < n)
        return refuse(r, PAIR(waiters_max, loops), "not be below", ": each loop has its share");
    if (c->watchers_max < n)
        return refuse(r, PAIR(watchers_max, loops), "not be below", ": each loop has its share");
    if (c->calls_max / n <= (c->streams_max + n - 1) / n + (c->waiters_max + n - 1) / n)
        return yaml_refuse(loops, E_ARGUMENT, r->detail,
                           "a loop's share of calls_max (%u) must be above its share of streams_max (%u) and "
                           "waiters_max (%u) together",
                           (unsigned)c->calls_max, (unsigned)c->streams_max, (unsigned)c->waiters_max);
    uint64_t journal = c->journal_bytes_max / n;
    if (c->journal_bytes_max != 0 &&
        (journal < JOURNAL_BYTES_MIN || journal < c->commit_bytes_max * JOURNAL_COMMITS_MIN))
        return yaml_refuse(loops, E_ARGUMENT, r->detail,
                           "a loop's share of journal_bytes_max must be at least 16MiB, and 4 times commit_bytes_max");
    for (size_t i = 0; i < c->target_count; i++) {
        int code = check_target_shares(r, &c->targets[i]);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < c->target_count; i++)
        if (c->targets[i].max_concurrent_calls < n)
            return yaml_refuse(loops, E_ARGUMENT, r->detail,
                               "max_concurrent_calls (%u) of target %s must not be below loops (%u): each loop has its "
                               "share",
                               (unsigned)c->targets[i].max_concurrent_calls, c->targets[i].name, (unsigned)n);
    return 0;
}

/* a/1 is what loop 1 of the journal a has, whoever that is. */
static bool is_name_of_a_loop(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL && slash[1] != '\0' && slash[1 + strspn(slash + 1, "0123456789")] == '\0';
}

static int check_store(const struct config_reader *r)
{
    const struct config *c = r->config;
    if (is_name_of_a_loop(c->store_journal))
        return yaml_refuse(r->nodes[OPTION_INDEX_store_journal], E_ARGUMENT, r->detail,
                           "store_journal must not end in a slash and a number: that is how the journals of several "
                           "loops are called");
    if (c->store[0] == '\0')
        return 0;
    if (c->loops > 1 && c->fleet[0] != '\0')
        return yaml_refuse(r->nodes[OPTION_INDEX_loops], E_ARGUMENT, r->detail,
                           "loops must be 1 with fleet: what is taken over is one journal; use more cores by more "
                           "sidecars");
    return 0;
}

static int check_times(const struct config_reader *r)
{
    const struct config *c = r->config;
    if (c->keepalive_timeout.us > c->keepalive_time.us)
        return refuse(r, PAIR(keepalive_timeout, keepalive_time), "not be above", "");
    if (c->enlisted_deadline_default.us > c->deadline_max.us)
        return refuse(r, PAIR(enlisted_deadline_default, deadline_max), "not be above", "");
    if (c->enlisted_lease_default.us > c->enlisted_deadline_default.us)
        return refuse(r, PAIR(enlisted_lease_default, enlisted_deadline_default), "not be above",
                      ", or it would never lapse");
    return 0;
}

/* What is wrong with a target's breaker, at the option that stands in the file; and the nearest value that would do. */
static int refuse_breaker(const struct config_reader *r, const struct config_target *t, const char *const names[2],
                          const char *must, const char *values[2])
{
    const struct yaml_node *target = yaml_node_child(r->nodes[OPTION_INDEX_targets], t->name);
    const struct yaml_node *n = yaml_node_child(target, names[0]);
    if (n == NULL)
        n = yaml_node_child(target, names[1]);
    return yaml_refuse(n != NULL ? n : target, E_ARGUMENT, r->detail, "%s (%s) of target %s must %s %s (%s)", names[0],
                       values[0], t->name, must, names[1], values[1]);
}

static int check_breaker(const struct config_reader *r, const struct config_target *t)
{
    char a[QUANTITY_TEXT_SIZE], b[QUANTITY_TEXT_SIZE];
    const char *values[] = {a, b};
    if (t->breaker_volume < t->breaker_probes) {
        snprintf(a, sizeof a, "%u", (unsigned)t->breaker_volume);
        snprintf(b, sizeof b, "%u", (unsigned)t->breaker_probes);
        return refuse_breaker(r, t, (const char *const[]){"breaker_volume", "breaker_probes"}, "not be below", values);
    }
    if (t->breaker_open_max.us < t->breaker_open.us) {
        quantity_write_span(t->breaker_open_max, a);
        quantity_write_span(t->breaker_open, b);
        return refuse_breaker(r, t, (const char *const[]){"breaker_open_max", "breaker_open"}, "not be below", values);
    }
    if (t->breaker_slow_percent == 0 || t->breaker_slow_call.us < t->timeout.us)
        return 0;
    quantity_write_span(t->breaker_slow_call, a);
    quantity_write_span(t->timeout, b);
    return refuse_breaker(r, t, (const char *const[]){"breaker_slow_call", "timeout"}, "be below", values);
}

/* An attempt that may last longer than any saga is a slip. */
static int check_targets(const struct config_reader *r)
{
    const struct config *c = r->config;
    char timeout[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE];
    for (size_t i = 0; i < c->target_count; i++) {
        int code = check_breaker(r, &c->targets[i]);
        if (code != 0)
            return code;
        if (c->targets[i].timeout.us <= c->deadline_max.us)
            continue;
        const struct yaml_node *target = yaml_node_child(r->nodes[OPTION_INDEX_targets], c->targets[i].name);
        const struct yaml_node *n = target->kind == YAML_MAPPING ? yaml_node_child(target, "timeout") : NULL;
        quantity_write_span(c->targets[i].timeout, timeout);
        quantity_write_span(c->deadline_max, max);
        return yaml_refuse(n != NULL ? n : target, E_ARGUMENT, r->detail,
                           "timeout (%s) must not be above deadline_max (%s)", timeout, max);
    }
    return 0;
}

/* A certificate without its key is of no use. */
static int check_certificates(const struct config_reader *r)
{
    const struct config *c = r->config;
    if ((c->tls_certificate[0] == '\0') == (c->tls_key[0] == '\0'))
        return 0;
    enum option_index given = c->tls_certificate[0] != '\0' ? OPTION_INDEX_tls_certificate : OPTION_INDEX_tls_key;
    return yaml_refuse(r->nodes[given], E_ARGUMENT, r->detail, "needs %s beside it",
                       given == OPTION_INDEX_tls_key ? "tls_certificate" : "tls_key");
}

/* Who may connect and is told apart by nothing could do everything. */
static int check_unix_access(const struct config_reader *r)
{
    if (r->config->unix_access == CONFIG_UNIX_OWNER || r->nodes[OPTION_INDEX_authorization] != NULL)
        return 0;
    return yaml_refuse(r->nodes[OPTION_INDEX_unix_access], E_ARGUMENT, r->detail,
                       "needs rules of authorization, or whoever connects could do everything");
}

static int check_operators(const struct config_reader *r)
{
    const struct yaml_node *n = r->nodes[OPTION_INDEX_plaintext_operators];
    if (n == NULL || r->nodes[OPTION_INDEX_authorization] == NULL)
        return 0;
    return yaml_refuse(n, E_ARGUMENT, r->detail, "has no effect beside rules of authorization: say it by a rule");
}

static int check_keys(const struct config_reader *r)
{
    const struct config *c = r->config;
    if (c->encryption_key_file[0] != '\0' && c->encryption_key_command[0] != '\0')
        return yaml_refuse(r->nodes[OPTION_INDEX_encryption_key_command], E_ARGUMENT, r->detail,
                           "stands beside encryption_key_file: one of them says the keys");
    if (c->audit_verify_at_start && c->audit_key_file[0] == '\0')
        return yaml_refuse(r->nodes[OPTION_INDEX_audit_verify_at_start], E_ARGUMENT, r->detail, "needs audit_key_file");
    return 0;
}

/* Nothing is looked up for it: probes and scrapes come to a number. */
static int check_http(const struct config_reader *r)
{
    const char *text = r->config->http_listen;
    struct address at;
    struct in6_addr number;
    const char *wrong = text[0] == '\0' ? NULL : address_read(text, &at);
    if (text[0] != '\0' && wrong == NULL &&
        (at.path != NULL || inet_pton(at.bracketed ? AF_INET6 : AF_INET, at.host, &number) != 1))
        wrong = "has no number for a host; write 127.0.0.1:9464, [::1]:9464 or 0.0.0.0:9464";
    if (wrong == NULL)
        return 0;
    return yaml_refuse(r->nodes[OPTION_INDEX_http_listen], E_ARGUMENT, r->detail, "%s %s", text, wrong);
}

/* A collector is called as a target is. */
static int check_collector(const struct config_reader *r)
{
    const struct config *c = r->config;
    const char *text = c->otlp_endpoint;
    if (text[0] == '\0' && c->otlp_metrics_interval.us > 0)
        return yaml_refuse(r->nodes[OPTION_INDEX_otlp_metrics_interval], E_ARGUMENT, r->detail, "needs otlp_endpoint");
    if (text[0] == '\0' && c->otlp_logs)
        return yaml_refuse(r->nodes[OPTION_INDEX_otlp_logs], E_ARGUMENT, r->detail, "needs otlp_endpoint");
    const char *wrong = text[0] == '\0' ? NULL : config_check_target(c, text);
    if (wrong == NULL)
        return 0;
    return yaml_refuse(r->nodes[OPTION_INDEX_otlp_endpoint], E_ARGUMENT, r->detail, "%s %s", text, wrong);
}

int config_check(const struct config_reader *r)
{
    int code = check_sizes(r);
    if (code == 0)
        code = check_counts(r);
    if (code == 0)
        code = check_shares(r);
    if (code == 0)
        code = check_times(r);
    if (code == 0)
        code = check_store(r);
    if (code == 0)
        code = check_certificates(r);
    if (code == 0)
        code = check_unix_access(r);
    if (code == 0)
        code = check_operators(r);
    if (code == 0)
        code = check_keys(r);
    if (code == 0)
        code = check_http(r);
    if (code == 0)
        code = check_collector(r);
    return code != 0 ? code : check_targets(r);
}
