/* The configuration: every row of options.def at, below and above its bounds, what is refused and where, and how
 * options bear on one another. */
#include "sidecar/definition/quantity.h"
#include "sidecar/config/config_options.h"
#include "sidecar/config/config_same.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_SIZE 8192

static struct error_detail detail;

static struct config *read_text(const char *text)
{
    struct config *c = NULL;
    int code = config_read_text(bytes_of_text(text), &c, &detail);
    ck_assert_msg(code == 0, "%.500s: %d:%d: %s: %s", text, detail.line, detail.column, detail.field, detail.text);
    return c;
}

/* words may stand anywhere in the sentence. */
static void assert_refused_as(int expected, const char *text, const char *field, int line, int column,
                              const char *words)
{
    struct config *c = NULL;
    int code = config_read_text(bytes_of_text(text), &c, &detail);
    ck_assert_msg(code == expected && c == NULL, "%.500s: code %d, not %d", text, code, expected);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%.500s: %s", text, detail.text);
    ck_assert_str_eq(detail.field, field);
    ck_assert_msg(detail.line == line && detail.column == column, "%.500s: %s: %s at %d:%d, not %d:%d", text,
                  detail.field, detail.text, detail.line, detail.column, line, column);
}

static void assert_refused(const char *text, const char *field, int line, int column, const char *words)
{
    assert_refused_as(E_ARGUMENT, text, field, line, column, words);
}

/* ---- every option, from the table ---- */

/* What else a file must say so that an option can stand at its bounds. */
static const struct {
    const char *name;
    const char *beside;
} companions[] = {
    {"data_dir", "listen: [127.0.0.1:0]\n"},
    {"payload_bytes_max", "message_bytes_max: 256MiB\nmemory_bytes_max: 4GiB\n"},
    {"definition_bytes_max", "message_bytes_max: 256MiB\nmemory_bytes_max: 4GiB\n"},
    {"message_bytes_max", "payload_bytes_max: 1KiB\ndefinition_bytes_max: 1KiB\nmemory_bytes_max: 4GiB\n"},
    {"calls_max", "streams_max: 1\nwaiters_max: 1\n"},
    {"streams_max", "calls_max: 3000000\n"},
    {"waiters_max", "calls_max: 3000000\n"},
    {"watchers_max", "calls_max: 3000000\nstreams_max: 1000000\n"},
    {"audit_verify_at_start", "audit_key_file: keys\n"},
    {"otlp_metrics_interval", "otlp_endpoint: 127.0.0.1:4317\n"},
    {"otlp_logs", "otlp_endpoint: 127.0.0.1:4317\n"},
    {"keepalive_timeout", "keepalive_time: 24h\n"},
    {"enlisted_deadline_default", "deadline_max: 87600h\n"},
    {"enlisted_lease_default", "deadline_max: 87600h\nenlisted_deadline_default: 87600h\n"},
};

static const char *companions_of(const struct option *o)
{
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++)
        if (strcmp(companions[i].name, o->name) == 0)
            return companions[i].beside;
    return "";
}

/* An option, wherever it stands. The column is that of its value. */
struct place {
    const struct option *o;
    char path[64];
    char before[256];
    int line, column;
};

static struct place place_of(const struct option *o)
{
    struct place p = {.o = o};
    bool of_target = o->group == GROUP_TARGET;
    const char *beside = of_target ? "" : companions_of(o);
    snprintf(p.path, sizeof p.path, "%s%s", of_target ? "targets.a." : "", o->name);
    /* The address that every target must have comes last, so that it need not be told apart here. */
    snprintf(p.before, sizeof p.before, "%s%s%s: ", beside, of_target ? "targets:\n  a:\n    " : "", o->name);
    p.line = 1;
    for (const char *c = p.before; *c != '\0'; c++)
        p.line += *c == '\n';
    p.column = (of_target ? 5 : 1) + (int)strlen(o->name) + 2;
    return p;
}

static void write_text(const struct place *p, const char *value, char text[TEXT_SIZE])
{
    bool needs_address = p->o->group == GROUP_TARGET && strcmp(p->o->name, "address") != 0;
    snprintf(text, TEXT_SIZE, "%s%s\n%s", p->before, value, needs_address ? "    address: localhost:1\n" : "");
}

static const void *field_of(const struct config *c, const struct option *o)
{
    const void *base = o->group == GROUP_TARGET ? (const void *)&c->targets[0] : c;
    return (const char *)base + o->offset;
}

static int64_t number_of(const struct config *c, const struct option *o)
{
    const void *field = field_of(c, o);
    if (o->type == OPTION_SPAN)
        return ((const struct span *)field)->us;
    return o->type == OPTION_SIZE ? (int64_t) * (const uint64_t *)field : (int64_t) * (const uint32_t *)field;
}

static void write_number(const struct option *o, int64_t number, char text[QUANTITY_TEXT_SIZE])
{
    if (o->type == OPTION_SPAN)
        quantity_write_span((struct span){.us = number}, text);
    else if (o->type == OPTION_SIZE)
        quantity_write_size((uint64_t)number, text);
    else
        snprintf(text, QUANTITY_TEXT_SIZE, "%" PRId64, number);
}

static void assert_number(const struct option *o, int64_t number, bool accepted)
{
    struct place p = place_of(o);
    char value[QUANTITY_TEXT_SIZE], text[TEXT_SIZE];
    write_number(o, number, value);
    write_text(&p, value, text);
    if (!accepted) {
        assert_refused(text, p.path, p.line, p.column, "is out of range; it must be from");
        assert_refused(text, p.path, p.line, p.column, ": the nearest is ");
        return;
    }
    struct config *c = read_text(text);
    ck_assert_msg(number_of(c, o) == number, "%s: %" PRId64, text, number_of(c, o));
    config_destroy(c);
}

static void assert_not_a(const struct option *o, const char *value, const char *words)
{
    struct place p = place_of(o);
    char text[TEXT_SIZE];
    write_text(&p, value, text);
    assert_refused(text, p.path, p.line, p.column, words);
}

static void check_number(const struct option *o)
{
    ck_assert_int_lt(o->min, o->max);
    assert_number(o, o->min, true);
    assert_number(o, o->max, true);
    assert_number(o, o->max + 1, false);
    if (o->min > 0)
        assert_number(o, o->min - 1, false);
    assert_not_a(o, "much", "is not a ");
    assert_not_a(o, "-1", "is not a ");
    assert_not_a(o, "[1]", "must be a single value, not a list");
    if (o->type == OPTION_SPAN)
        assert_not_a(o, "30", "has no unit; write ms, s, m or h");
}

static void check_choices(const struct option *o)
{
    struct place p = place_of(o);
    char text[TEXT_SIZE];
    size_t count;
    const char *const *choices = option_choices(o->type, &count);
    for (size_t i = 0; i < count; i++) {
        write_text(&p, choices[i], text);
        struct config *c = read_text(text);
        ck_assert_uint_eq(*(const uint32_t *)field_of(c, o), i);
        config_destroy(c);
    }
    assert_not_a(o, "loud", "\"loud\" is not a value that can stand here; the names here are");
}

/* A text of this length that is valid for the option. */
static void write_valid(const struct option *o, size_t size, char *value)
{
    memset(value, 'x', size);
    value[size] = '\0';
    if (strcmp(o->name, "address") == 0) {
        memcpy(value, "dns://", strlen("dns://"));
        memcpy(value + size - 12, "/localhost:1", 12);
    }
}

static void check_text(const struct option *o)
{
    struct place p = place_of(o);
    char value[TEXT_SIZE / 2], text[TEXT_SIZE], words[64];
    write_valid(o, (size_t)o->max, value);
    write_text(&p, value, text);
    struct config *c = read_text(text);
    ck_assert_str_eq(*(const char *const *)field_of(c, o), value);
    config_destroy(c);
    write_valid(o, (size_t)o->max + 1, value);
    snprintf(words, sizeof words, "is %" PRId64 " bytes long; at most %" PRId64 " are allowed", o->max + 1, o->max);
    assert_not_a(o, value, words);
    assert_not_a(o, "\"a\\nb\"", "must not hold control characters");
    assert_not_a(o, "{a: b}", "must be a single value, not a mapping");
    if (o->min > 0) {
        assert_not_a(o, "\"\"", "must not be empty");
        return;
    }
    write_text(&p, "\"\"", text);
    c = read_text(text);
    ck_assert_str_eq(*(const char *const *)field_of(c, o), "");
    config_destroy(c);
}

static void check_retry(const struct option *o)
{
    struct place p = place_of(o);
    char text[TEXT_SIZE], path[64];
    write_text(&p, "{maxAttempts: 7, jitter: 0.5}", text);
    struct config *c = read_text(text);
    const struct retry_policy *policy = field_of(c, o);
    ck_assert_uint_eq(policy->max_attempts, 7);
    ck_assert_uint_eq(policy->jitter_permille, 500);
    ck_assert_uint_eq(policy->backoff_multiplier_permille, 2000);
    config_destroy(c);
    assert_not_a(o, "3", "must be a mapping");
    snprintf(path, sizeof path, "%s.maxAttempts", o->name);
    write_text(&p, "{maxAttempts: 0}", text);
    assert_refused(text, path, p.line, p.column + 14, "0 is out of range; it must be from 1 to 1000");
    snprintf(path, sizeof path, "%s.retryableStatusCodes", o->name);
    write_text(&p, "{retryableStatusCodes: [INTERNAL]}", text);
    if (o->type == OPTION_RETRY_COMPENSATION)
        assert_refused(text, path, p.line, p.column + 1, "a compensation is retried on every status");
    else {
        c = read_text(text);
        policy = field_of(c, o);
        ck_assert_uint_eq(policy->retryable_status_codes, 1u << 13);
        config_destroy(c);
    }
}

static bool is_mapping(const struct option *o)
{
    return o->type == OPTION_TARGETS || o->type == OPTION_OBJECTIVES || o->type == OPTION_SYNTHETICS ||
           o->type == OPTION_REMEDIES || o->type == OPTION_LIMITS;
}

static size_t entries_of(const struct config *c, const struct option *o)
{
    return o->type == OPTION_OBJECTIVES   ? c->objective_count
           : o->type == OPTION_LIMITS     ? c->definition_limit_count
           : o->type == OPTION_FAULTS     ? c->fault_count
           : o->type == OPTION_SYNTHETICS ? c->synthetic_count
           : o->type == OPTION_REMEDIES   ? c->remedy_count
           : o->type == OPTION_LISTEN     ? c->listen_count
           : o->type == OPTION_TARGETS    ? c->target_count
                                          : c->authorization.count;
}

/* A list or mapping of so many entries. */
static void write_entries(const struct option *o, int64_t count, char *text, size_t size)
{
    bool list = !is_mapping(o);
    const char *entry = o->type == OPTION_OBJECTIVES   ? "d%" PRId64 ": {success: 99}, "
                        : o->type == OPTION_SYNTHETICS ? "d%" PRId64 ": {every: 1m}, "
                        : o->type == OPTION_REMEDIES   ? "r%" PRId64
                                                       ": {when: \"deadletters > 0\", do: page, url: \"http://h\"}, "
                        : o->type == OPTION_LIMITS  ? "d%" PRId64 ": {live_sagas_max: 99}, "
                        : o->type == OPTION_FAULTS  ? "{kind: drop-answer, definition: d%" PRId64 ", for: 1m}, "
                        : o->type == OPTION_LISTEN  ? "127.0.0.1:%" PRId64 ", "
                        : o->type == OPTION_TARGETS ? "t%" PRId64 ": localhost:1, "
                                                    : "{who: \"uid:%" PRId64 "\", may: viewer}, ";
    size_t used = (size_t)snprintf(text, size, "%s: %s", o->name, list ? "[" : "{");
    for (int64_t i = 0; i < count; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        used += (size_t)snprintf(text + used, size - used, entry, i);
#pragma GCC diagnostic pop
    }
    snprintf(text + used, size - used, "%s\n%s", list ? "]" : "}",
             o->type == OPTION_FAULTS ? "fault_injection: true\n" : "");
}

static void check_entries(const struct option *o)
{
    static char text[65536];
    write_entries(o, o->max, text, sizeof text);
    struct config *c = read_text(text);
    ck_assert_int_eq((int64_t)entries_of(c, o), o->max);
    config_destroy(c);
    write_entries(o, o->max + 1, text, sizeof text);
    assert_refused(text, o->name, 1, (int)strlen(o->name) + 3, "entries; it must be from");
    if (o->min > 0) {
        write_entries(o, o->min - 1, text, sizeof text);
        assert_refused(text, o->name, 1, (int)strlen(o->name) + 3, "holds 0 entries; it must be from 1");
    }
    snprintf(text, sizeof text, "%s: x\n", o->name);
    assert_refused(text, o->name, 1, (int)strlen(o->name) + 3, "must be a");
}

static void check_bool(const struct option *o)
{
    struct place p = place_of(o);
    char text[TEXT_SIZE];
    for (int there = 0; there < 2; there++) {
        write_text(&p, there ? "true" : "false", text);
        struct config *c = read_text(text);
        ck_assert_msg(*(const bool *)field_of(c, o) == there, "%s", text);
        config_destroy(c);
    }
    assert_not_a(o, "yes", "neither true nor false");
    assert_not_a(o, "1", "neither true nor false");
}

/* Of its entries the definitions' tests tell. */
static void check_status_codes(const struct option *o)
{
    assert_not_a(o, "UNAVAILABLE", "must be a list");
    assert_not_a(o, "{UNAVAILABLE: 1}", "must be a list");
}

static void check_option(const struct option *o)
{
    switch (o->type) {
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_SPAN:
        check_number(o);
        return;
    case OPTION_BOOL:
        check_bool(o);
        return;
    case OPTION_LOG_LEVEL:
    case OPTION_LOG_FORMAT:
    case OPTION_LOAD_BALANCING:
        check_choices(o);
        return;
    case OPTION_TEXT:
        /* Not any text, or none without the other: they have tests of their own. */
        if (strcmp(o->name, "http_listen") != 0 && strcmp(o->name, "otlp_endpoint") != 0 &&
            strcmp(o->name, "tls_certificate") != 0 && strcmp(o->name, "tls_key") != 0)
            check_text(o);
        return;
    case OPTION_RETRY:
    case OPTION_RETRY_COMPENSATION:
        check_retry(o);
        return;
    case OPTION_STATUS_CODES:
        check_status_codes(o);
        return;
    case OPTION_UNIX_ACCESS: /* more than the default needs rules: test_config_rules.c */
        return;
    case OPTION_RULES:
    case OPTION_LISTEN:
    case OPTION_OBJECTIVES:
    case OPTION_LIMITS:
    case OPTION_SYNTHETICS:
    case OPTION_REMEDIES:
    case OPTION_FAULTS:
    case OPTION_TARGETS:
        check_entries(o);
        return;
    }
    ck_abort_msg("%s has a type that no test knows", o->name);
}

START_TEST(config__every_option_keeps_its_bounds)
{
    check_option(&config_options[_i]);
}
END_TEST

START_TEST(config__every_option_of_a_target_keeps_its_bounds)
{
    check_option(&config_target_options[_i]);
}
END_TEST

START_TEST(config__a_slip_in_any_name_finds_the_name)
{
    const char *name = config_options[_i].name;
    char text[128], words[96];
    snprintf(words, sizeof words, "did you mean %s?", name);
    snprintf(text, sizeof text, "# first\n%sx: 1\n", name);
    char path[96];
    snprintf(path, sizeof path, "%sx", name);
    assert_refused(text, path, 2, 1, words);
}
END_TEST

START_TEST(config__an_option_without_a_value_is_refused)
{
    const struct option *o = &config_options[_i];
    bool is_list = o->type == OPTION_LISTEN || o->type == OPTION_RULES || o->type == OPTION_FAULTS ||
                   o->type == OPTION_RETRY || o->type == OPTION_RETRY_COMPENSATION;
    char text[128];
    snprintf(text, sizeof text, "%s:\n", o->name);
    if (is_mapping(o))
        config_destroy(read_text(text));
    else
        assert_refused(text, o->name, 1, is_list ? (int)strlen(o->name) + 2 : 1,
                       is_list ? "must be a" : "has no value");
}
END_TEST

/* Field by field: what lies between them is nobody's. */
static void assert_retry_equal(const struct retry_policy *a, const struct retry_policy *b)
{
    ck_assert_uint_eq(a->max_attempts, b->max_attempts);
    ck_assert_int_eq(a->initial_backoff.us, b->initial_backoff.us);
    ck_assert_int_eq(a->max_backoff.us, b->max_backoff.us);
    ck_assert_uint_eq(a->backoff_multiplier_permille, b->backoff_multiplier_permille);
    ck_assert_uint_eq(a->jitter_permille, b->jitter_permille);
    ck_assert_uint_eq(a->retryable_status_codes, b->retryable_status_codes);
}

/* The printed default of every option, put into a file, gives what no file gives. */
START_TEST(config__every_default_is_what_is_printed)
{
    const struct option *o = &config_options[_i];
    char fallback[OPTION_DEFAULT_SIZE], text[TEXT_SIZE];
    struct config *none = read_text("");
    if (option_default(o, fallback)[0] == '\0')
        snprintf(text, sizeof text, "%s: \"\"\n", o->name);
    else
        snprintf(text, sizeof text, "%s: %s\n", o->name, fallback);
    struct config *said = read_text(o->type == OPTION_LISTEN || o->type == OPTION_RULES ? "" : text);
    if (o->type == OPTION_TEXT)
        ck_assert_str_eq(*(const char *const *)field_of(said, o), *(const char *const *)field_of(none, o));
    else if (o->type == OPTION_RETRY || o->type == OPTION_RETRY_COMPENSATION)
        assert_retry_equal(field_of(said, o), field_of(none, o));
    else if (o->type == OPTION_LISTEN || o->type == OPTION_RULES || o->type == OPTION_FAULTS || is_mapping(o))
        ck_assert_uint_eq(said->target_count + said->objective_count + said->synthetic_count + said->remedy_count +
                              said->definition_limit_count + said->fault_count,
                          0);
    else if (o->type == OPTION_BOOL)
        ck_assert_int_eq(*(const bool *)field_of(said, o), *(const bool *)field_of(none, o));
    else
        ck_assert_int_eq(number_of(said, o), number_of(none, o));
    config_destroy(none);
    config_destroy(said);
}
END_TEST

START_TEST(config__every_option_is_documented)
{
    const struct option *o = &config_options[_i];
    char range[OPTION_RANGE_SIZE];
    size_t size = strlen(o->doc);
    ck_assert_uint_gt(size, 10);
    ck_assert_msg(o->doc[size - 1] == '.', "%s: %s", o->name, o->doc);
    ck_assert_uint_gt(strlen(option_range(o, range)), 5);
    ck_assert((o->type == OPTION_COUNT) == (o->unit[0] != '\0'));
    ck_assert_ptr_nonnull(option_group_title(o->group));
}
END_TEST

/* ---- the whole ---- */

START_TEST(config__without_a_file_there_are_defaults)
{
    struct config *c = NULL;
    ck_assert_int_eq(config_read(NULL, &c, &detail), 0);
    ck_assert_str_eq(c->data_dir, "./sagad-data");
    ck_assert_str_eq(c->definitions_dir, "");
    ck_assert_str_eq(c->policy_file, "");
    ck_assert_uint_eq(c->loops, 1);
    ck_assert_uint_eq(c->listen_count, 1); /* over TCP every process of the machine comes in: that is asked for */
    ck_assert_str_eq(c->listen[0], "unix:./sagad-data/sagad.sock");
    ck_assert_uint_eq(c->target_count, 0);
    ck_assert_uint_eq(c->live_sagas_max, 1000000);
    ck_assert_uint_eq(c->message_bytes_max, 4194304);
    ck_assert_uint_eq(c->journal_bytes_max, 0);
    ck_assert_int_eq(c->retention.us, INT64_C(168) * 3600 * 1000000);
    ck_assert_int_eq(c->shutdown_grace.us, 10000000);
    ck_assert_uint_eq(c->log_level, CONFIG_LOG_INFO);
    ck_assert_uint_eq(c->log_format, CONFIG_LOG_LOGFMT);
    ck_assert_uint_eq(c->default_compensation_retry.max_attempts, 20);
    struct definition_limits limits = config_definition_limits(c), usual = definition_limits_default();
    ck_assert_uint_eq(limits.source_bytes_max, usual.source_bytes_max);
    ck_assert_uint_eq(limits.steps_max, usual.steps_max);
    ck_assert_uint_eq(limits.payload_bytes_max, usual.payload_bytes_max);
    ck_assert_int_eq(limits.deadline_max.us, usual.deadline_max.us);
    assert_retry_equal(&limits.retry.action, &usual.retry.action);
    assert_retry_equal(&limits.retry.compensation, &usual.retry.compensation);
    config_destroy(c);
    config_destroy(NULL);
}
END_TEST

/* Definitions whose journal does not tell what they take run as they did: four attempts where the file says none. */
START_TEST(config__what_definitions_of_before_take_is_as_it_was)
{
    static const struct {
        const char *text;
        unsigned attempts;
        int64_t initial_us;
    } cases[] = {
        {"{}\n", 4, 100000},
        {"default_retry: {initialBackoff: 5ms}\n", 4, 5000},
        {"default_retry: {maxAttempts: 12}\n", 12, 100000},
        {"default_compensation_retry: {maxAttempts: 3}\n", 4, 100000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *c = read_text(cases[i].text);
        ck_assert_uint_eq(c->earlier_retry.max_attempts, cases[i].attempts);
        ck_assert_int_eq(c->earlier_retry.initial_backoff.us, cases[i].initial_us);
        config_destroy(c);
    }
}
END_TEST

START_TEST(config__a_file_that_says_nothing_is_no_error)
{
    static const char *const texts[] = {"", "# nothing\n", "---\n", "{}", "targets:\n", "targets: {}\n", "null\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config *c = read_text(texts[i]);
        ck_assert_str_eq(c->data_dir, "./sagad-data");
        ck_assert_uint_eq(c->target_count, 0);
        config_destroy(c);
    }
}
END_TEST

START_TEST(config__the_socket_follows_the_data)
{
    struct config *c = read_text("data_dir: /var/lib/sagad\n");
    ck_assert_uint_eq(c->listen_count, 1);
    ck_assert_str_eq(c->listen[0], "unix:/var/lib/sagad/sagad.sock");
    config_destroy(c);
    c = read_text("data_dir: /var/lib/sagad//\n");
    ck_assert_str_eq(c->listen[0], "unix:/var/lib/sagad/sagad.sock");
    config_destroy(c);
    c = read_text("data_dir: /\n");
    ck_assert_str_eq(c->listen[0], "unix:/sagad.sock");
    config_destroy(c);
    char text[160];
    snprintf(text, sizeof text, "data_dir: /%0*d\n", 95, 0);
    config_destroy(read_text(text));
    snprintf(text, sizeof text, "data_dir: /%0*d\n", 96, 0);
    assert_refused(text, "data_dir", 1, 11, "its socket sagad.sock is too long for a unix socket");
}
END_TEST

START_TEST(config__defaults_make_way_for_lower_maxima)
{
    struct config *c = read_text("deadline_max: 5s\nkeepalive_time: 10s\nstreams_max: 3\ntargets: {a: localhost:80}\n");
    ck_assert_int_eq(c->enlisted_deadline_default.us, 5000000);
    ck_assert_int_eq(c->enlisted_lease_default.us, 5000000);
    ck_assert_int_eq(c->keepalive_timeout.us, 10000000);
    ck_assert_uint_eq(c->watchers_max, 3);
    ck_assert_int_eq(c->targets[0].timeout.us, 5000000);
    config_destroy(c);
    c = read_text("enlisted_deadline_default: 2s\n");
    ck_assert_int_eq(c->enlisted_lease_default.us, 2000000);
    config_destroy(c);
    /* Of a small journal each loop's share has room for sixteen commits. */
    c = read_text("journal_bytes_max: 64MiB\nloops: 4\n");
    ck_assert_uint_eq(c->commit_bytes_max, UINT64_C(1) << 20);
    config_destroy(c);
    /* A call is slow that takes half of its time, and a fallback has it sooner. */
    c = read_text("targets: {a: {address: localhost:80, timeout: 1s, breaker_slow_percent: 50}}\n");
    ck_assert_int_eq(c->targets[0].breaker_slow_call.us, 500000);
    config_destroy(c);
    c = read_text("targets: {a: {address: localhost:80, breaker_volume: 2}}\n");
    ck_assert_uint_eq(c->targets[0].breaker_probes, 2);
    config_destroy(c);
    c = read_text("journal_bytes_max: 64MiB\nloops: 4\ncommit_bytes_max: 2MiB\n");
    ck_assert_uint_eq(c->commit_bytes_max, UINT64_C(2) << 20);
    config_destroy(c);
}
END_TEST

/* What is said of a breaker changes no default that goes with it, and makes the others go along. */
START_TEST(config__what_is_not_said_of_a_breaker_goes_along)
{
    static const struct {
        const char *said;
        uint32_t volume, probes;
        int64_t open_ms, open_max_ms, slow_ms;
    } rows[] = {
        {"timeout: 30s", 20, 3, 5000, 120000, 5000},
        {"breaker_probes: 5", 20, 5, 5000, 120000, 5000},
        {"breaker_probes: 20", 20, 20, 5000, 120000, 5000},
        {"breaker_probes: 21", 21, 21, 5000, 120000, 5000},
        {"breaker_volume: 3", 3, 3, 5000, 120000, 5000},
        {"breaker_volume: 2", 2, 2, 5000, 120000, 5000},
        {"breaker_volume: 900", 900, 3, 5000, 120000, 5000},
        {"breaker_open: 119s", 20, 3, 119000, 120000, 5000},
        {"breaker_open: 3m", 20, 3, 180000, 180000, 5000},
        {"breaker_open_max: 6s", 20, 3, 5000, 6000, 5000},
        {"breaker_open_max: 1s", 20, 3, 1000, 1000, 5000},
        {"timeout: 4s", 20, 3, 5000, 120000, 2000},
        {"timeout: 2ms", 20, 3, 5000, 120000, 1},
        {"timeout: 4s, breaker_slow_call: 3s", 20, 3, 5000, 120000, 3000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "targets: {a: {address: localhost:80, %s}}\n", rows[i].said);
        struct config *c = read_text(text);
        const struct config_target *t = &c->targets[0];
        ck_assert_msg(t->breaker_volume == rows[i].volume && t->breaker_probes == rows[i].probes &&
                          t->breaker_open.us == rows[i].open_ms * 1000 &&
                          t->breaker_open_max.us == rows[i].open_max_ms * 1000 &&
                          t->breaker_slow_call.us == rows[i].slow_ms * 1000,
                      "%s: %u, %u, %ld, %ld, %ld", rows[i].said, t->breaker_volume, t->breaker_probes,
                      (long)t->breaker_open.us, (long)t->breaker_open_max.us, (long)t->breaker_slow_call.us);
        config_destroy(c);
    }
}
END_TEST

START_TEST(config__targets_are_addresses_or_mappings)
{
    struct config *c = read_text(
        "tls_roots: /etc/ca.pem\n"
        "targets:\n"
        "  inventory: dns:///inventory:50051\n"
        "  payment: {address: \"unix:/run/payment.sock\", timeout: 3s, max_concurrent_calls: 7, barrier: true}\n"
        "  shipping.v2: {address: 127.0.0.1:50053}\n");
    ck_assert_uint_eq(c->target_count, 3);
    ck_assert_str_eq(c->targets[0].name, "inventory");
    ck_assert_str_eq(c->targets[0].address, "dns:///inventory:50051");
    ck_assert_int_eq(c->targets[0].timeout.us, 10000000);
    ck_assert_uint_eq(c->targets[0].max_concurrent_calls, 256);
    ck_assert_str_eq(c->targets[1].address, "unix:/run/payment.sock");
    ck_assert_int_eq(c->targets[1].timeout.us, 3000000);
    ck_assert_uint_eq(c->targets[1].max_concurrent_calls, 7);
    ck_assert(c->targets[1].barrier && !c->targets[0].barrier);
    ck_assert_str_eq(c->targets[2].name, "shipping.v2");
    ck_assert_int_eq(c->targets[2].timeout.us, 10000000);
    config_destroy(c);
    assert_refused("targets: {a: {timeout: 3s}}\n", "targets.a", 1, 14, "address is missing");
    assert_refused("targets: {a: {addres: h:1}}\n", "targets.a.addres", 1, 15, "did you mean address?");
    assert_refused("targets: {a: }\n", "targets.a", 1, 11, "has no value");
    assert_refused("targets: {a: [h:1]}\n", "targets.a", 1, 14, "must be a mapping");
    assert_refused("targets: {a b: h:1}\n", "targets.a b", 1, 11, "the name of a target is");
    assert_refused("targets: {a: h}\n", "targets.a", 1, 14, "\"h\" names no port; write host:port");
    assert_refused("targets: {a: {timeout: 1s, address: h}}\n", "targets.a.address", 1, 37, "names no port");
    assert_refused_as(E_SYNTAX, "targets: {a: h:1, a: h:2}\n", "", 1, 19, "the key stands here for the second time");
}
END_TEST

START_TEST(config__what_is_not_yaml_is_refused)
{
    assert_refused_as(E_SYNTAX, "data_dir: a\nlisten: [127.0.0.1:0]\ndata_dir: b\n", "", 3, 1,
                      "the key stands here for the second time");
    assert_refused_as(E_SYNTAX, "data_dir: a\n  listen: b\n", "", 2, 9, "mapping values are not allowed");
    assert_refused_as(E_SYNTAX, "listen: &a [x]\ntargets: *a\n", "", 1, 9, "anchors");
    assert_refused_as(E_SYNTAX, "data_dir: a\n---\ndata_dir: b\n", "", 2, 1, "a second document");
    assert_refused_as(E_SYNTAX, "data_dir: \xff\n", "", 1, 11, "the text is not UTF-8");
    assert_refused("[data_dir]\n", "", 1, 1, "must be a mapping");
    assert_refused("sagad\n", "", 1, 1, "must be a mapping");
    assert_refused("completely_different: 1\n", "completely_different", 1, 1, "the names here are data_dir, ");
    assert_refused("completely_different: 1\n", "completely_different", 1, 1, ", ..."); /* there is no room for all */
}
END_TEST

START_TEST(config__options_must_go_together)
{
    assert_refused("payload_bytes_max: 8MiB\n", "payload_bytes_max", 1, 20,
                   "message_bytes_max (4MiB) must be at least 64KiB more than payload_bytes_max (8MiB)");
    assert_refused("payload_bytes_max: 4032KiB\nmessage_bytes_max: 4194303\n", "message_bytes_max", 2, 20,
                   "message_bytes_max (4194303) must be at least 64KiB more than payload_bytes_max (4032KiB)");
    config_destroy(read_text("payload_bytes_max: 4032KiB\nmessage_bytes_max: 4MiB\n"));
    assert_refused("definition_bytes_max: 4MiB\n", "definition_bytes_max", 1, 23,
                   "message_bytes_max (4MiB) must be at least 64KiB more than definition_bytes_max (4MiB)");
    assert_refused("journal_bytes_max: 16777215\n", "journal_bytes_max", 1, 20, "or at least 16MiB");
    config_destroy(read_text("journal_bytes_max: 16MiB\n"));
    assert_refused("journal_bytes_max: 16MiB\ncommit_bytes_max: 4194305\n", "journal_bytes_max", 1, 20,
                   "journal_bytes_max (16MiB) must be at least 4 times commit_bytes_max (4194305)");
    assert_refused("memory_bytes_max: 67108863\n", "memory_bytes_max", 1, 19, "");
    assert_refused("message_bytes_max: 65MiB\n", "message_bytes_max", 1, 20,
                   "memory_bytes_max (1GiB) must be at least 16 times message_bytes_max (65MiB)");
    config_destroy(read_text("message_bytes_max: 64MiB\n"));
    assert_refused("watchers_max: 1025\n", "watchers_max", 1, 15,
                   "watchers_max (1025) must not be above streams_max (1024)");
    config_destroy(read_text("watchers_max: 1024\n"));
    assert_refused("calls_max: 9216\n", "calls_max", 1, 12,
                   "calls_max (9216) must be above streams_max (1024) and waiters_max (8192) together");
    config_destroy(read_text("calls_max: 9217\n"));
    assert_refused("streams_max: 1000000\n", "streams_max", 1, 14, "calls_max (16384) must be above");
    assert_refused("waiters_max: 20000\n", "waiters_max", 1, 14, "calls_max (16384) must be above");
    assert_refused("keepalive_time: 19s\nkeepalive_timeout: 20s\n", "keepalive_timeout", 2, 20,
                   "keepalive_timeout (20s) must not be above keepalive_time (19s)");
    config_destroy(read_text("keepalive_time: 20s\nkeepalive_timeout: 20s\n"));
    assert_refused("enlisted_deadline_default: 721h\n", "enlisted_deadline_default", 1, 28,
                   "enlisted_deadline_default (721h) must not be above deadline_max (720h)");
    assert_refused("enlisted_lease_default: 16m\n", "enlisted_lease_default", 1, 25,
                   "enlisted_lease_default (16m) must not be above enlisted_deadline_default (15m)");
    assert_refused("store_journal: orders/1\n", "store_journal", 1, 16, "must not end in a slash and a number");
    assert_refused("store_journal: orders/12\n", "store_journal", 1, 16, "must not end in a slash and a number");
    assert_refused("loops: 4\ntargets: {a: {address: localhost:1, rate_limit_per_second: 9, rate_limit_burst: 3}}\n",
                   "loops", 1, 8, "rate_limit_burst (3) of target a must not be below loops (4)");
    config_destroy(read_text("loops: 4\ntargets: {a: {address: localhost:1, rate_limit_burst: 3}}\n"));
    assert_refused("loops: 2\ncalls_max: 10\nstreams_max: 5\nwatchers_max: 5\nwaiters_max: 3\n", "loops", 1, 8,
                   "a loop's share of calls_max (10) must be above its share of streams_max (5) and waiters_max (3)");
    config_destroy(read_text("loops: 2\ncalls_max: 12\nstreams_max: 5\nwatchers_max: 5\nwaiters_max: 3\n"));
    assert_refused(
        "targets: {a: {address: localhost:1, timeout: 2s, breaker_slow_percent: 9, breaker_slow_call: 2s}}\n",
        "targets.a.breaker_slow_call", 1, 94, "breaker_slow_call (2s) of target a must be below timeout (2s)");
    /* Of every target, and not of the first alone. */
    assert_refused("targets: {a: localhost:1, b: {address: localhost:1, breaker_volume: 4, breaker_probes: 5}}\n",
                   "targets.b.breaker_volume", 1, 69, "breaker_volume (4) of target b must not be below");
    assert_refused("deadline_max: 5s\ntargets: {a: {address: localhost:1, timeout: 4s}, b: {address: localhost:1, "
                   "timeout: 6s}}\n",
                   "targets.b.timeout", 2, 86, "timeout (6s) must not be above deadline_max (5s)");
    config_destroy(read_text("store_journal: orders/1a\n"));
    config_destroy(read_text("store_journal: orders/\n"));
    assert_refused("deadline_max: 5s\ntargets: {a: {address: localhost:1, timeout: 6s}}\n", "targets.a.timeout", 2, 46,
                   "timeout (6s) must not be above deadline_max (5s)");
}
END_TEST

START_TEST(config__listens_at_no_foreign_address)
{
    assert_refused(
        "listen:\n  - 127.0.0.1:1\n  - 0.0.0.0:7240\n", "listen[1]", 3, 5,
        "\"0.0.0.0:7240\" is reached by other machines: give tls_certificate, tls_key and tls_roots, or write");
    assert_refused("tls_roots: r\nlisten: [0.0.0.0:1]\n", "listen[0]", 2, 10,
                   "speaks TLS: give tls_certificate and tls_key");
    assert_refused("listen: [\"tls://unix:/a\"]\n", "listen[0]", 1, 10, "is a unix socket, which is never encrypted");
    config_destroy(read_text("listen: [\"plaintext://0.0.0.0:7240\"]\n"));
    config_destroy(read_text("tls_certificate: c\ntls_key: k\nlisten: [0.0.0.0:7240, \"tls://127.0.0.1:1\"]\n"));
    assert_refused("tls_key: k\n", "tls_key", 1, 10, "needs tls_certificate beside it");
    assert_refused("tls_certificate: k\n", "tls_certificate", 1, 18, "needs tls_key beside it");
    assert_refused("targets: {a: h:1}\n", "targets.a", 1, 14, "\"h:1\" is on another machine: give tls_roots");
    config_destroy(read_text("targets: {a: \"plaintext://h:1\", b: \"plaintext://dns:///h:1\"}\n"));
    assert_refused("listen: [127.0.0.1:1, localhost:1, 127.0.0.1:1]\n", "listen[2]", 1, 36,
                   "stands in the list already, as listen[0]");
    assert_refused("listen: [127.0.0.1:1, 127.0.0.1:1]\n", "listen[1]", 1, 23,
                   "stands in the list already, as listen[0]");
    assert_refused("listen: [localhost:1, 127.0.0.1:1, 127.0.0.1:1]\n", "listen[2]", 1, 36,
                   "stands in the list already, as listen[1]");
    assert_refused("listen: [{address: 127.0.0.1:1}]\n", "listen[0]", 1, 10, "must be a single value");
}
END_TEST

/* Of any network, but in numbers: nothing is looked up for probes. */
START_TEST(config__watchers_come_to_a_number)
{
    static const char *const good[] = {"127.0.0.1:9464", "0.0.0.0:0", "\"[::1]:9464\"", "\"[::]:1\""};
    static const char *const bad[][2] = {{"localhost:9464", "has no number"},
                                         {"host.example:1", "has no number"},
                                         {"unix:/tmp/x", "has no number"},
                                         {"127.0.0.1", "names no port"},
                                         {"300.0.0.1:1", "has no number"}};
    char text[128];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, "http_listen: %s\n", good[i]);
        config_destroy(read_text(text));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char words[64];
        snprintf(text, sizeof text, "http_listen: %s\n", bad[i][0]);
        snprintf(words, sizeof words, "%s %s", bad[i][0], bad[i][1]);
        assert_refused(text, "http_listen", 1, 14, words);
    }
}
END_TEST

/* Called as a target is, and so refused as one. */
START_TEST(config__a_collector_is_called_as_a_target)
{
    config_destroy(read_text("otlp_endpoint: 127.0.0.1:4317\n"));
    config_destroy(read_text("otlp_endpoint: plaintext://collector.example:4317\n"));
    assert_refused("otlp_endpoint: collector.example:4317\n", "otlp_endpoint", 1, 16, "is on another machine");
    assert_refused("otlp_endpoint: http://127.0.0.1:4317\n", "otlp_endpoint", 1, 16, "http://127.0.0.1:4317");
}
END_TEST

/* ---- entries of lists ---- */

START_TEST(config__what_an_entry_does_not_say_is_usual)
{
    struct config *c = read_text("objectives: {shop: {success: 99}}\n"
                                 "synthetics: {shop: {}}\n"
                                 "definition_limits: {shop: {starts_per_second: 5}}\n"
                                 "fault_injection: true\nfaults: [{kind: duplicate, for: 1m}]\n"
                                 "remediation: {r: {when: \"deadletters > 0\", do: hold, definition: shop}}\n");
    const struct config_objective *o = &c->objectives[0], *promised = &c->synthetics[0].promised;
    ck_assert_uint_eq(o->latency_percent, 99000);
    ck_assert_uint_eq(o->freshness_percent, 99000);
    ck_assert_int_eq(o->window.us, SPAN_S(30 * 86400).us);
    ck_assert(o->latency.us == 0 && o->freshness.us == 0);
    ck_assert_uint_eq(promised->success, 99000);
    ck_assert_uint_eq(promised->latency_percent, 99000);
    ck_assert_int_eq(promised->window.us, SPAN_S(30 * 86400).us);
    ck_assert(promised->latency.us == 0 && promised->freshness.us == 0);
    const struct config_synthetic *s = &c->synthetics[0];
    ck_assert_int_eq(s->every.us, SPAN_S(60).us);
    ck_assert_int_eq(s->deadline.us, SPAN_S(30).us);
    ck_assert_str_eq(s->version, "");
    const struct config_limit *l = &c->definition_limits[0];
    ck_assert_uint_eq(l->starts_burst, 5);
    ck_assert_uint_eq(l->live_sagas_max, 0);
    const struct config_fault *f = &c->faults[0];
    ck_assert(f->permille == 1000 && f->calls == 0 && f->status == 0 && f->delay.us == 0);
    ck_assert(f->target[0] == '\0' && f->definition[0] == '\0' && f->tag[0] == '\0' && f->tag_value[0] == '\0');
    const struct config_remedy *m = &c->remediation[0];
    ck_assert(!m->acts); /* nothing is done that nobody has said in so many words */
    ck_assert_uint_eq(m->per_second, 1);
    ck_assert_int_eq(m->lasts.us, 0);
    ck_assert_int_eq(m->every.us, SPAN_S(600).us);
    ck_assert_int_eq(m->settle.us, SPAN_S(300).us);
    ck_assert_str_eq(m->where, "true");
    config_destroy(c);
}
END_TEST

/* What is wrong with one entry stays so, whatever is right about those behind it. */
START_TEST(config__one_wrong_entry_before_right_ones_is_found)
{
    static const struct {
        const char *text, *field;
    } rows[] = {
        {"definition_limits: {a: {starts_per_second: many}, b: {starts_per_second: 5}}\n",
         "definition_limits.a.starts_per_second"},
        {"objectives: {a: {success: most}, b: {success: 99}}\n", "objectives.a.success"},
        {"synthetics: {a: {every: never}, b: {every: 1m}}\n", "synthetics.a.every"},
        {"remediation: {a: {when: \"deadletters > 0\", do: dance, definition: shop}, b: {when: \"deadletters > 0\", "
         "do: hold, definition: shop}}\n",
         "remediation.a.do"},
        {"authorization: [{who: anyone, may: dance}, {who: anyone, may: viewer}]\n", "authorization[0].may"},
        {"authorization: [{who: anyone, may: [dance, viewer]}]\n", "authorization[0].may[0]"},
        {"authorization: [{who: anyone, may: viewer, tags: {a: [x], b: y}}]\n", "authorization[0].tags.a"},
        {"fault_injection: true\nfaults: [{kind: dance, for: 1m}, {kind: duplicate, for: 1m}]\n", "faults[0].kind"},
        {"targets: {a: {address: localhost:1, timeout: soon}, b: localhost:2}\n", "targets.a.timeout"},
        {"targets: {a: {address: localhost:1, timeout: soon, max_concurrent_calls: 5}}\n", "targets.a.timeout"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *c = NULL;
        int code = config_read_text(bytes_of_text(rows[i].text), &c, &detail);
        ck_assert_msg(code == E_ARGUMENT && c == NULL, "%s: %d", rows[i].text, code);
        ck_assert_str_eq(detail.field, rows[i].field);
    }
}
END_TEST

/* In the units of its fields. */
START_TEST(config__what_an_entry_says_is_what_is_kept)
{
    struct config *c =
        read_text("objectives: {shop: {success: 99.5, latency: 1s, latency_percent: 98.25, freshness: 2m, "
                  "freshness_percent: 97, window: 48h}}\n"
                  "synthetics: {shop: {every: 2m, version: 1.2.0, input_json: x, deadline: 1500ms, "
                  "success: 96, latency: 3s, latency_percent: 95.125, window: 72h}}\n"
                  "definition_limits: {shop: {live_sagas_max: 7, starts_per_second: 5, starts_burst: 6},\n"
                  "  even: {starts_per_second: 5, starts_burst: 1}}\n"
                  "remediation: {r: {when: \"deadletters > 0\", do: retry, definition: shop, target: a, "
                  "where: \"false\", per_second: 3, for: 1m, every: 2m, settle: 3m, mode: act}}\n"
                  "targets: {a: localhost:1, b: localhost:2}\nfault_injection: true\n"
                  "faults: [{kind: delay, target: b, definition: shop, tag: t, tag_value: v, "
                  "calls: compensations, percent: 12.5, delay: 200ms, for: 1m},\n"
                  "  {kind: abort, calls: actions, status: ABORTED, percent: 0.1, for: 1h}]\n");
    const struct config_objective *o = &c->objectives[0], *promised = &c->synthetics[0].promised;
    ck_assert(o->success == 99500 && o->latency_percent == 98250 && o->freshness_percent == 97000);
    ck_assert(o->latency.us == 1000000 && o->freshness.us == 120000000 && o->window.us == SPAN_S(48 * 3600).us);
    ck_assert(promised->success == 96000 && promised->latency_percent == 95125);
    ck_assert(promised->latency.us == 3000000 && promised->window.us == SPAN_S(72 * 3600).us);
    const struct config_synthetic *s = &c->synthetics[0];
    ck_assert(s->every.us == 120000000 && s->deadline.us == 1500000);
    ck_assert_str_eq(s->version, "1.2.0");
    ck_assert_str_eq(s->input, "");
    ck_assert_str_eq(s->input_json, "x");
    const struct config_limit *l = &c->definition_limits[0];
    ck_assert_uint_eq(c->definition_limit_count, 2);
    ck_assert(l[0].live_sagas_max == 7 && l[0].starts_per_second == 5 && l[0].starts_burst == 6);
    ck_assert(l[1].live_sagas_max == 0 && l[1].starts_per_second == 5 && l[1].starts_burst == 1);
    const struct config_remedy *m = &c->remediation[0];
    ck_assert(m->act == CONFIG_REMEDY_RETRY && m->acts && m->per_second == 3);
    ck_assert(m->lasts.us == 60000000 && m->every.us == 120000000 && m->settle.us == 180000000);
    ck_assert_str_eq(m->where, "false");
    ck_assert_str_eq(m->target, "a");
    const struct config_fault *f = &c->faults[0];
    ck_assert(f[0].permille == 125 && f[0].delay.us == 200000 && f[0].lasts.us == 60000000);
    ck_assert(f[0].calls == 2 && f[0].status == 0);
    ck_assert_str_eq(f[0].target, "b");
    ck_assert_str_eq(f[0].definition, "shop");
    ck_assert_str_eq(f[0].tag, "t");
    ck_assert_str_eq(f[0].tag_value, "v");
    ck_assert(f[1].permille == 1 && f[1].calls == 1 && f[1].status == 10 && f[1].lasts.us == SPAN_S(3600).us);
    config_destroy(c);
}
END_TEST

/* A reload takes what differs: each field of each entry is looked at. */
START_TEST(config__a_difference_in_any_field_is_one)
{
#define ALL_OF(list, entry)   list ": {shop: {" entry "}}\n"
#define LIMITS(entry)         ALL_OF("definition_limits", entry)
#define OBJECTIVES(entry)     ALL_OF("objectives", entry)
#define SYNTHETICS(entry)     ALL_OF("synthetics", entry)
#define REMEDIES(name, entry) "remediation: {" name ": {" entry "}}\n"
#define REMEDY(entry)         REMEDIES("r", "when: \"deadletters > 0\", " entry)
#define RETRY(entry)          REMEDY("do: retry, definition: shop, " entry)
#define FAULTS(entry)         "fault_injection: true\ntargets: {a: localhost:1, b: localhost:2}\nfaults: [{" entry "}]\n"
#define RULE(entry)           "authorization: [{" entry "}]\n"
#define DELAY(entry)          FAULTS("kind: delay, delay: 1s, for: 1m, " entry)
    static const struct {
        enum option_index option;
        const char *texts[13]; /* of which each differs from each */
    } rows[] = {
        {OPTION_INDEX_listen,
         {"listen: [127.0.0.1:1]\n", "listen: [127.0.0.1:2]\n", "listen: [127.0.0.1:1, 127.0.0.1:2]\n",
          "listen: [127.0.0.1:3, 127.0.0.1:2]\n", "listen: [127.0.0.1:1, 127.0.0.1:3]\n"}},
        {OPTION_INDEX_definition_limits,
         {LIMITS("live_sagas_max: 5"), LIMITS("live_sagas_max: 6"), LIMITS("starts_per_second: 5"),
          LIMITS("starts_per_second: 6"), LIMITS("starts_per_second: 5, starts_burst: 6"),
          "definition_limits: {cart: {live_sagas_max: 5}}\n", "definition_limits: {}\n"}},
        {OPTION_INDEX_objectives,
         {OBJECTIVES("success: 99"), OBJECTIVES("success: 98"), OBJECTIVES("success: 99, latency: 1s"),
          OBJECTIVES("success: 99, latency: 2s"), OBJECTIVES("success: 99, latency_percent: 90"),
          OBJECTIVES("success: 99, freshness: 1s"), OBJECTIVES("success: 99, freshness: 2s"),
          OBJECTIVES("success: 99, freshness_percent: 90"), OBJECTIVES("success: 99, window: 48h"),
          "objectives: {cart: {success: 99}}\n", "objectives: {}\n"}},
        {OPTION_INDEX_synthetics,
         {SYNTHETICS(""), SYNTHETICS("every: 2m"), SYNTHETICS("version: 1.0.0"), SYNTHETICS("input: x"),
          SYNTHETICS("input_json: x"), SYNTHETICS("deadline: 5s"), SYNTHETICS("success: 98"), SYNTHETICS("latency: 1s"),
          SYNTHETICS("latency_percent: 90"), SYNTHETICS("window: 48h"), "synthetics: {cart: {}}\n",
          "synthetics: {}\n"}},
        {OPTION_INDEX_remediation,
         {RETRY("mode: act"), RETRY("mode: dry-run"), RETRY("where: \"false\""), RETRY("per_second: 2"),
          RETRY("for: 1s"), RETRY("every: 20s"), RETRY("settle: 20s"), REMEDY("do: retry, definition: cart"),
          REMEDY("do: hold, definition: shop"), REMEDIES("q", "when: \"deadletters > 0\", do: retry, definition: shop"),
          REMEDIES("r", "when: \"deadletters > 1\", do: retry, definition: shop"), "remediation: {}\n"}},
        {OPTION_INDEX_remediation,
         {REMEDY("do: trip, target: a"), REMEDY("do: trip, target: b"), REMEDY("do: reset, target: a"),
          REMEDY("do: page, url: \"http://a\""), REMEDY("do: page, url: \"http://b\"")}},
        {OPTION_INDEX_faults,
         {DELAY("target: a"), DELAY("target: b"), DELAY("definition: a"), DELAY("definition: b"), DELAY("tag: t"),
          DELAY("tag: t, tag_value: v"), DELAY("calls: actions"), DELAY("percent: 50"),
          FAULTS("kind: delay, delay: 1s, for: 1m"), FAULTS("kind: delay, delay: 2s, for: 1m"),
          FAULTS("kind: delay, delay: 1s, for: 2m"), FAULTS("kind: reorder, delay: 1s, for: 1m"),
          "targets: {a: localhost:1, b: localhost:2}\n"}},
        {OPTION_INDEX_authorization,
         {RULE("who: anyone, may: viewer"), RULE("who: anyone, may: operator"), RULE("who: anyone, may: Retry"),
          RULE("who: [anyone, unix], may: viewer"), RULE("who: anyone, may: service"),
          RULE("who: anyone, may: service, sagas: all"), RULE("who: anyone, may: service, tags: {a: b}"),
          RULE("who: anyone, may: service, tags: {a: c}"), RULE("who: anyone, may: viewer, definitions: [shop]"),
          RULE("who: anyone, may: viewer, definitions: [cart]"),
          RULE("who: anyone, may: viewer}, {who: anyone, may: viewer"), ""}},
        {OPTION_INDEX_targets,
         {"targets: {a: localhost:1}\n", "targets: {b: localhost:1}\n", "targets: {a: localhost:2}\n",
          "targets: {a: localhost:1, b: localhost:1}\n", "targets: {a: {address: localhost:1, timeout: 1s}}\n"}},
        {OPTION_INDEX_faults,
         {FAULTS("kind: abort, for: 1m, status: INTERNAL"), FAULTS("kind: abort, for: 1m, status: ABORTED"),
          FAULTS("kind: duplicate, for: 1m")}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < 13 && rows[i].texts[k] != NULL; k++)
            for (size_t n = 0; n < 13 && rows[i].texts[n] != NULL; n++) {
                struct config *one = read_text(rows[i].texts[k]), *other = read_text(rows[i].texts[n]);
                ck_assert_msg(config_same(one, other, rows[i].option) == (k == n), "%s%s", rows[i].texts[k],
                              rows[i].texts[n]);
                config_destroy(one);
                config_destroy(other);
            }
}
END_TEST

/* Each of these alone would be well. */
START_TEST(config__what_does_not_go_together_in_an_entry_is_refused)
{
    static const char *const rows[][2] = {
        {SYNTHETICS("input: x, input_json: x"), "either as text (input) or as JSON (input_json)"},
        {REMEDY("do: hold, definition: shop, url: \"http://a\""), "only page takes a url"},
        {REMEDY("do: page"), "page needs the url of a webhook"},
        {REMEDY("do: page, url: \"ftp://a\""), "url begins with http:// or https://"},
        {REMEDY("do: trip, definition: shop"), "trip acts on a target"},
        {REMEDY("do: reset"), "reset acts on a target"},
        {REMEDY("do: retry, target: a"), "retry acts on a definition"},
        {REMEDY("do: hold, target: a"), "hold acts on a definition"},
        {LIMITS("starts_burst: 5"), "starts_burst goes with starts_per_second"},
        {LIMITS("live_sagas_max: 10, starts_burst: 5"), "starts_burst goes with starts_per_second"},
        {LIMITS(""), "bounds nothing"},
        {OBJECTIVES("latency_percent: 99"), "promises nothing"},
        {FAULTS("kind: abort, for: 1m"), "aborts with a status"},
        {FAULTS("kind: duplicate, for: 1m, status: ABORTED"), "is of abort alone"},
        {FAULTS("kind: abort, for: 1m, status: OK"), "is no gRPC status other than OK"},
        {FAULTS("kind: delay, for: 1m"), "needs delay"},
        {FAULTS("kind: duplicate, for: 1m, delay: 1s"), "is of delay and reorder alone"},
        {DELAY("tag_value: v"), "goes with tag"},
        {DELAY("target: c"), "is no target"},
        {"faults: [{kind: duplicate, for: 1m}]\n", "fault_injection: true"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config *c = NULL;
        ck_assert_msg(config_read_text(bytes_of_text(rows[i][0]), &c, &detail) == E_ARGUMENT, "%s", rows[i][0]);
        ck_assert_msg(strstr(detail.text, rows[i][1]) != NULL, "%s: %s", rows[i][0], detail.text);
    }
}
END_TEST

/* What an entry is for is named as definitions, or for rules of remediation as steps, are: up to so many bytes. */
START_TEST(config__entries_are_named_as_what_they_are_for)
{
    static const struct {
        const char *option, *entry;
        int most;
    } rows[] = {{"objectives", "success: 99", NAME_BYTES_MAX},
                {"synthetics", "every: 1m", NAME_BYTES_MAX},
                {"definition_limits", "starts_per_second: 5", NAME_BYTES_MAX},
                {"remediation", "when: \"deadletters > 0\", do: page, url: \"http://a\"", STEP_NAME_BYTES_MAX}};
    char name[NAME_BYTES_MAX + 2], text[512];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int kind = 0; kind < 4; kind++) { /* as long as may be, one byte more, two words, and none */
            int size = kind == 0 ? rows[i].most : kind == 1 ? rows[i].most + 1 : kind == 2 ? 3 : 0;
            memset(name, 'n', sizeof name);
            name[1] = kind == 2 ? ' ' : 'n';
            name[size] = '\0';
            snprintf(text, sizeof text, "%s: {\"%s\": {%s}}\n", rows[i].option, name, rows[i].entry);
            struct config *c = NULL;
            int code = config_read_text(bytes_of_text(text), &c, &detail);
            ck_assert_msg(code == (kind == 0 ? 0 : E_ARGUMENT), "%s: %s", text, detail.text);
            ck_assert_msg(kind == 0 || strstr(detail.text, "letters, digits, '-', '_' and '.'") != NULL, "%s: %s", text,
                          detail.text);
            config_destroy(c);
        }
}
END_TEST

/* Each number of an entry has its bounds, and is refused beyond them whatever else the entry says. */
START_TEST(config__numbers_of_entries_have_bounds)
{
#define PROMISE(entry) OBJECTIVES("success: 99, " entry ", latency_percent: 98")
#define BEAT(entry)    SYNTHETICS("success: 99, " entry ", latency_percent: 98")
#define ABOUT(entry)   LIMITS("starts_burst: 7, " entry)
    static const struct {
        const char *good, *bad[2]; /* where there is one bound, the second is NULL */
        const char *field;
    } rows[] = {
        {OBJECTIVES("latency: 1s"), {OBJECTIVES("latency: 0s")}, "objectives.shop.latency"},
        {OBJECTIVES("freshness: 1s"), {OBJECTIVES("freshness: 0s")}, "objectives.shop.freshness"},
        {PROMISE("latency: 1ms"), {PROMISE("latency: 720h1ms"), PROMISE("latency: 0s")}, "objectives.shop.latency"},
        {PROMISE("latency: 720h"), {PROMISE("latency: soon")}, "objectives.shop.latency"},
        {PROMISE("freshness: 1s"),
         {PROMISE("freshness: 999ms"), PROMISE("freshness: 721h")},
         "objectives.shop.freshness"},
        {PROMISE("freshness: 720h"), {PROMISE("freshness: soon")}, "objectives.shop.freshness"},
        {PROMISE("window: 24h"), {PROMISE("window: 23h"), PROMISE("window: 2161h")}, "objectives.shop.window"},
        {PROMISE("window: 2160h"), {PROMISE("window: soon")}, "objectives.shop.window"},
        {OBJECTIVES("success: 50"),
         {OBJECTIVES("success: 49.999"), OBJECTIVES("success: 100")},
         "objectives.shop.success"},
        {OBJECTIVES("success: 99.999"), {OBJECTIVES("success: most, latency: 1s")}, "objectives.shop.success"},
        {BEAT("every: 1s"), {BEAT("every: 999ms"), BEAT("every: 25h")}, "synthetics.shop.every"},
        {BEAT("every: 24h"), {BEAT("every: often")}, "synthetics.shop.every"},
        {BEAT("deadline: 1ms"), {BEAT("deadline: 0s"), BEAT("deadline: 25h")}, "synthetics.shop.deadline"},
        {BEAT("deadline: 24h"), {BEAT("deadline: soon")}, "synthetics.shop.deadline"},
        {BEAT("latency: 720h"), {BEAT("latency: 721h"), BEAT("latency: 0s")}, "synthetics.shop.latency"},
        {BEAT("window: 2160h"), {BEAT("window: 23h"), BEAT("window: 2161h")}, "synthetics.shop.window"},
        {RETRY("per_second: 10000"), {RETRY("per_second: 10001"), RETRY("per_second: 0")}, "remediation.r.per_second"},
        {RETRY("for: 24h"), {RETRY("for: 25h"), RETRY("for: long")}, "remediation.r.for"},
        {RETRY("every: 10s"), {RETRY("every: 9s"), RETRY("every: 721h")}, "remediation.r.every"},
        {RETRY("every: 720h"), {RETRY("every: often, settle: 20s")}, "remediation.r.every"},
        {RETRY("settle: 10s"), {RETRY("settle: 9s"), RETRY("settle: 25h")}, "remediation.r.settle"},
        {RETRY("mode: act"), {RETRY("mode: perhaps, settle: 20s")}, "remediation.r.mode"},
        {ABOUT("starts_per_second: 100000"),
         {ABOUT("starts_per_second: 100001"), ABOUT("starts_per_second: many")},
         "definition_limits.shop.starts_per_second"},
        {LIMITS("starts_per_second: 5, starts_burst: 100000"),
         {LIMITS("starts_per_second: 5, starts_burst: 100001")},
         "definition_limits.shop.starts_burst"},
        {LIMITS("live_sagas_max: 1000000"),
         {LIMITS("live_sagas_max: 1000001"), LIMITS("live_sagas_max: many, starts_per_second: 5")},
         "definition_limits.shop.live_sagas_max"},
        {LIMITS("live_sagas_max: 7"),
         {LIMITS("live_sagas_max: 1000001, starts_per_second: many")},
         "definition_limits.shop.starts_per_second"},
        {DELAY("percent: 0.1"), {DELAY("percent: 0.05"), DELAY("percent: 100.1")}, "faults[0].percent"},
        {DELAY("percent: 100"), {DELAY("percent: most")}, "faults[0].percent"},
        {FAULTS("kind: delay, delay: 1h, for: 1h"),
         {FAULTS("kind: delay, delay: 1s, for: 61m"), FAULTS("kind: delay, delay: 1s, for: 0s")},
         "faults[0].for"},
        {FAULTS("kind: delay, delay: 1ms, for: 1ms"),
         {FAULTS("kind: delay, delay: 61m, for: 1m"), FAULTS("kind: delay, delay: 0s, for: 1m")},
         "faults[0].delay"},
        {DELAY("calls: actions"), {DELAY("calls: some, percent: 50"), NULL}, "faults[0].calls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        config_destroy(read_text(rows[i].good));
        for (size_t k = 0; k < 2 && rows[i].bad[k] != NULL; k++) {
            struct config *c = NULL;
            ck_assert_msg(config_read_text(bytes_of_text(rows[i].bad[k]), &c, &detail) == E_ARGUMENT, "%s",
                          rows[i].bad[k]);
            ck_assert_msg(strcmp(detail.field, rows[i].field) == 0, "%s: %s: %s", rows[i].bad[k], detail.field,
                          detail.text);
        }
    }
}
END_TEST

/* A field is another when any byte of it is. */
static void change(const struct option *o, void *base)
{
    char *field = (char *)base + o->offset;
    if (o->type == OPTION_TEXT)
        *(const char **)(void *)field = "another text";
    else
        field[0] ^= 1;
}

/* Every option of a target, and every one that is no list: a reload that says otherwise is seen. */
START_TEST(config__a_difference_in_any_option_is_one)
{
    struct config *c = read_text("targets: {a: localhost:80}\n");
    for (size_t i = 0; i < TARGET_OPTION_COUNT; i++) {
        struct config_target other = c->targets[0];
        ck_assert(config_same_target(&c->targets[0], &other));
        change(&config_target_options[i], &other);
        ck_assert_msg(!config_same_target(&c->targets[0], &other), "%s", config_target_options[i].name);
    }
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++) {
        const struct option *o = &config_options[i];
        struct config other = *c;
        ck_assert(config_same(c, &other, (enum option_index)i));
        if (o->type == OPTION_RULES || o->type == OPTION_LISTEN || o->type == OPTION_OBJECTIVES ||
            o->type == OPTION_LIMITS || o->type == OPTION_SYNTHETICS || o->type == OPTION_REMEDIES ||
            o->type == OPTION_FAULTS || o->type == OPTION_TARGETS)
            continue;
        change(o, &other);
        ck_assert_msg(!config_same(c, &other, (enum option_index)i), "%s", o->name);
    }
    config_destroy(c);
}
END_TEST

/* Some need others beside them. */
START_TEST(config__what_has_no_effect_alone_is_refused)
{
    assert_refused("otlp_logs: true\n", "otlp_logs", 1, 12, "needs otlp_endpoint");
    assert_refused("otlp_metrics_interval: 10s\n", "otlp_metrics_interval", 1, 24, "needs otlp_endpoint");
    assert_refused("unix_access: group\n", "unix_access", 1, 14, "needs rules of authorization");
    assert_refused("unix_access: everybody\n", "unix_access", 1, 14, "needs rules of authorization");
    config_destroy(read_text("unix_access: owner\n"));
}
END_TEST

#define TARGET(said) "targets: {a: {address: localhost:1, " said "}}\n"
/* Of each loop's share, and of what may be equal. */
START_TEST(config__each_loop_needs_its_share)
{
    assert_refused("loops: 4\nlive_sagas_max: 3\n", "live_sagas_max", 2, 17,
                   "live_sagas_max (3) must not be below loops (4): each loop has its share");
    assert_refused("loops: 4\nstreams_max: 3\nwatchers_max: 3\n", "streams_max", 2, 14, "must not be below loops (4)");
    assert_refused("loops: 4\nwaiters_max: 3\n", "waiters_max", 2, 14, "must not be below loops (4)");
    assert_refused("loops: 4\nwatchers_max: 3\n", "watchers_max", 2, 15, "must not be below loops (4)");
    config_destroy(read_text("loops: 4\nlive_sagas_max: 4\nstreams_max: 4\nwatchers_max: 4\nwaiters_max: 4\n"));
    assert_refused("loops: 2\ncommit_bytes_max: 6MiB\njournal_bytes_max: 40MiB\n", "loops", 1, 8,
                   "a loop's share of journal_bytes_max must be at least 16MiB");
    config_destroy(read_text("loops: 2\ncommit_bytes_max: 6MiB\njournal_bytes_max: 48MiB\n"));
    assert_refused("loops: 2\ncommit_bytes_max: 1MiB\njournal_bytes_max: 33554431\n", "loops", 1, 8,
                   "a loop's share of journal_bytes_max must be at least 16MiB");
    config_destroy(read_text("loops: 2\ncommit_bytes_max: 1MiB\njournal_bytes_max: 32MiB\n"));
    assert_refused("loops: 4\n" TARGET("max_pending_calls: 3"), "loops", 1, 8,
                   "max_pending_calls (3) of target a must not be below loops (4)");
    config_destroy(read_text("loops: 4\n" TARGET("max_pending_calls: 4")));
    assert_refused("loops: 4\n" TARGET("rate_limit_per_second: 3, rate_limit_burst: 9"), "loops", 1, 8,
                   "rate_limit_per_second (3) of target a must not be below loops (4)");
    config_destroy(read_text("loops: 4\n" TARGET("rate_limit_per_second: 4, rate_limit_burst: 4")));
    assert_refused("loops: 4\n" TARGET("retry_budget_percent: 9, retry_budget_min_per_second: 3"), "loops", 1, 8,
                   "retry_budget_min_per_second (3) of target a must not be below loops (4)");
    config_destroy(read_text("loops: 4\n" TARGET("retry_budget_percent: 0, retry_budget_min_per_second: 3")));
    assert_refused("loops: 4\n" TARGET("max_concurrent_calls: 3"), "loops", 1, 8,
                   "max_concurrent_calls (3) of target a must not be below loops (4)");
    config_destroy(read_text("loops: 4\n" TARGET("max_concurrent_calls: 4")));
    /* Whatever is right behind it. */
    assert_refused("loops: 4\n" TARGET("max_pending_calls: 3, rate_limit_per_second: 9, rate_limit_burst: 9, "
                                       "retry_budget_percent: 9, retry_budget_min_per_second: 9"),
                   "loops", 1, 8, "max_pending_calls (3) of target a");
    assert_refused("loops: 4\n" TARGET("rate_limit_per_second: 3, rate_limit_burst: 9, retry_budget_percent: 9, "
                                       "retry_budget_min_per_second: 9"),
                   "loops", 1, 8, "rate_limit_per_second (3) of target a");
    assert_refused("loops: 4\n" TARGET("rate_limit_per_second: 9, rate_limit_burst: 3, retry_budget_percent: 9, "
                                       "retry_budget_min_per_second: 9"),
                   "loops", 1, 8, "rate_limit_burst (3) of target a");
    assert_refused("loops: 4\ntargets: {a: {address: localhost:1, max_pending_calls: 3}, b: localhost:2}\n", "loops", 1,
                   8, "max_pending_calls (3) of target a");
}
END_TEST

START_TEST(config__what_must_not_be_above_may_be_equal)
{
    config_destroy(read_text("enlisted_deadline_default: 720h\n"));
    config_destroy(read_text("enlisted_lease_default: 15m\n"));
    config_destroy(read_text("deadline_max: 6s\n" TARGET("timeout: 6s")));
    config_destroy(read_text(TARGET("breaker_volume: 5, breaker_probes: 5")));
    config_destroy(read_text(TARGET("breaker_open: 7s, breaker_open_max: 7s")));
    config_destroy(read_text(TARGET("timeout: 1s, breaker_slow_percent: 0, breaker_slow_call: 2s")));
    /* The one of two that stands in the file is the one that is told of. */
    assert_refused(TARGET("breaker_volume: 4, breaker_probes: 5"), "targets.a.breaker_volume", 1, 53,
                   "breaker_volume (4) of target a must not be below breaker_probes (5)");
    assert_refused(TARGET("breaker_open: 8s, breaker_open_max: 7s"), "targets.a.breaker_open_max", 1, 73,
                   "breaker_open_max (7s) of target a must not be below breaker_open (8s)");
    config_destroy(read_text("live_sagas_max: 9\ndefinition_limits: {shop: {live_sagas_max: 9}}\n"));
    assert_refused("live_sagas_max: 9\ndefinition_limits: {shop: {live_sagas_max: 10}}\n",
                   "definition_limits.shop.live_sagas_max", 2, 44, "must not be above that of all (9)");
    config_destroy(read_text("live_sagas_max: 16000000\ndefinition_limits: {shop: {live_sagas_max: 16000000}}\n"));
    config_destroy(read_text("loops: 4\ndefinition_limits: {shop: {starts_per_second: 4}}\n"));
    assert_refused("loops: 4\ndefinition_limits: {shop: {starts_per_second: 3}}\n",
                   "definition_limits.shop.starts_per_second", 2, 47, "starts_per_second (3) must not be below loops");
    config_destroy(read_text("definition_limits: {shop: {starts_per_second: 100000, starts_burst: 100000}}\n"));
    assert_refused("definition_limits: {shop: {starts_per_second: 100001}}\n",
                   "definition_limits.shop.starts_per_second", 1, 47, "");
}
END_TEST

START_TEST(config__what_excludes_another_is_refused)
{
    assert_refused("encryption_key_file: a\nencryption_key_command: b\n", "encryption_key_command", 2, 25,
                   "stands beside encryption_key_file");
    assert_refused("loops: 2\nstore: host=x\nfleet: a\n", "loops", 1, 8, "loops must be 1 with fleet");
    config_destroy(read_text("loops: 2\nfleet: a\n")); /* without store a fleet is none */
    config_destroy(read_text("loops: 1\nstore: host=x\nfleet: a\n"));
    config_destroy(read_text("loops: 2\nstore: host=x\n"));
    assert_refused("audit_verify_at_start: true\n", "audit_verify_at_start", 1, 24, "needs audit_key_file");
}
END_TEST

/* What lint and rehearsals know of the targets. */
START_TEST(config__participants_are_the_targets)
{
    struct config *c =
        read_text("tls_roots: roots\ntargets:\n  a: {address: localhost:80, barrier: true, timeout: 3s}\n"
                  "  b: {address: tls://localhost:81, max_concurrent_calls: 7}\n");
    const struct participant *a = &c->participants.at[0], *b = &c->participants.at[1];
    ck_assert_uint_eq(c->participants.count, 2);
    ck_assert_str_eq(a->name, "a");
    ck_assert_str_eq(a->address, "localhost:80");
    ck_assert(a->barrier && !a->tls && !b->barrier && b->tls);
    ck_assert_int_eq(a->timeout.us, 3000000);
    ck_assert_uint_eq(b->max_concurrent_calls, 7);
    config_destroy(c);
}
END_TEST

/* In which form a start that cannot read the file says so. */
START_TEST(config__what_the_log_is_to_be_is_told_without_reading_it_whole)
{
    static const struct {
        const char *text;
        bool json;
    } rows[] = {{"log_format: json\n", true},
                {"data_dir: /d\nlog_format: json\nlisten: [\n", true},
                {"data_dir: /d\nlog_format: logfmt\n# json\n", false},
                {"  log_format: json\n", false},
                {"", false}};
    ck_assert(!config_wants_json(NULL) && !config_wants_json("/nowhere/at/all"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[] = "/tmp/test_config.XXXXXX";
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, rows[i].text, strlen(rows[i].text)), (ssize_t)strlen(rows[i].text));
        close(fd);
        ck_assert_msg(config_wants_json(path) == rows[i].json, "%s", rows[i].text);
        unlink(path);
    }
}
END_TEST

START_TEST(config__reads_files)
{
    char path[] = "/tmp/test_config.XXXXXX", line[256];
    static const char text[] = "data_dir: /d\nlog_level: debug\n";
    struct config *c = NULL;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(config_read(path, &c, &detail), 0);
    ck_assert_str_eq(c->data_dir, "/d");
    ck_assert_uint_eq(c->log_level, CONFIG_LOG_DEBUG);
    config_destroy(c);
    ck_assert_int_eq(ftruncate(fd, CONFIG_BYTES_MAX + 1), 0);
    ck_assert_int_eq(config_read(path, &c, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "the file is longer than 1MiB");
    close(fd);
    unlink(path);
    ck_assert_int_eq(config_read(path, &c, &detail), E_SYSTEM);
    config_describe_error("none.yaml", E_SYSTEM, &detail, line, sizeof line);
    ck_assert_str_eq(line, "none.yaml: No such file or directory");
    ck_assert_int_eq(config_read("/tmp", &c, &detail), E_SYSTEM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *options = tcase_create("options");
    tcase_add_loop_test(options, config__every_option_keeps_its_bounds, 0, OPTION_INDEX_COUNT);
    tcase_add_loop_test(options, config__every_option_of_a_target_keeps_its_bounds, 0, TARGET_OPTION_COUNT);
    tcase_add_loop_test(options, config__a_slip_in_any_name_finds_the_name, 0, OPTION_INDEX_COUNT);
    tcase_add_loop_test(options, config__an_option_without_a_value_is_refused, 0, OPTION_INDEX_COUNT);
    tcase_add_loop_test(options, config__every_default_is_what_is_printed, 0, OPTION_INDEX_COUNT);
    tcase_add_loop_test(options, config__every_option_is_documented, 0, OPTION_INDEX_COUNT);
    suite_add_tcase(suite, options);
    TCase *whole = tcase_create("whole");
    tcase_add_test(whole, config__without_a_file_there_are_defaults);
    tcase_add_test(whole, config__a_file_that_says_nothing_is_no_error);
    tcase_add_test(whole, config__what_definitions_of_before_take_is_as_it_was);
    tcase_add_test(whole, config__the_socket_follows_the_data);
    tcase_add_test(whole, config__defaults_make_way_for_lower_maxima);
    tcase_add_test(whole, config__what_is_not_said_of_a_breaker_goes_along);
    tcase_add_test(whole, config__targets_are_addresses_or_mappings);
    tcase_add_test(whole, config__what_is_not_yaml_is_refused);
    tcase_add_test(whole, config__options_must_go_together);
    tcase_add_test(whole, config__listens_at_no_foreign_address);
    tcase_add_test(whole, config__watchers_come_to_a_number);
    tcase_add_test(whole, config__what_an_entry_does_not_say_is_usual);
    tcase_add_test(whole, config__one_wrong_entry_before_right_ones_is_found);
    tcase_add_test(whole, config__what_an_entry_says_is_what_is_kept);
    tcase_add_test(whole, config__a_difference_in_any_field_is_one);
    tcase_add_test(whole, config__what_does_not_go_together_in_an_entry_is_refused);
    tcase_add_test(whole, config__entries_are_named_as_what_they_are_for);
    tcase_add_test(whole, config__numbers_of_entries_have_bounds);
    tcase_add_test(whole, config__reads_files);
    tcase_add_test(whole, config__a_difference_in_any_option_is_one);
    tcase_add_test(whole, config__what_has_no_effect_alone_is_refused);
    tcase_add_test(whole, config__participants_are_the_targets);
    tcase_add_test(whole, config__each_loop_needs_its_share);
    tcase_add_test(whole, config__what_must_not_be_above_may_be_equal);
    tcase_add_test(whole, config__what_excludes_another_is_refused);
    tcase_add_test(whole, config__what_the_log_is_to_be_is_told_without_reading_it_whole);
    tcase_add_test(whole, config__a_collector_is_called_as_a_target);
    suite_add_tcase(suite, whole);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* many rows, of which each would be a process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
