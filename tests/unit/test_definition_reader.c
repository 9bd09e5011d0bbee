/* A definition from its YAML: everything that can be said, and everything that is refused, with its place. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/definition/reader.h"
#include "sidecar/resilience/backoff.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct error_detail detail;
static struct definition_limits limits;

static void set_limits(void)
{
    limits = definition_limits_default();
}

static struct definition *read_text(const char *text)
{
    struct definition *d = NULL;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    return d;
}

/* words may stand anywhere in the sentence. */
static void assert_refused_as(int expected, const char *text, const char *field, int line, int column,
                              const char *words)
{
    struct definition *d = NULL;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == expected && d == NULL, "%.500s: code %d", text, code);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%.500s: %s", text, detail.text);
    ck_assert_str_eq(detail.field, field);
    ck_assert_msg(detail.line == line && detail.column == column, "%.500s: %s: %s at %d:%d, not %d:%d", text,
                  detail.field, detail.text, detail.line, detail.column, line, column);
}

static void assert_refused(const char *text, const char *field, int line, int column, const char *words)
{
    assert_refused_as(E_ARGUMENT, text, field, line, column, words);
}

/* A definition of which only the line with a step's rest matters: it stands in line 4 from column 25 on. */
static void assert_step_refused(const char *rest, const char *field, int column, const char *words)
{
    char text[1024];
    snprintf(text, sizeof text, "name: n\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, %s}\n", rest);
    assert_refused(text, field, 4, column, words);
}

#define HEAD             "name: n\nversion: 1.0.0\nsteps:\n"
#define STEP(name, more) "  - {name: " name ", target: t, action: /p.S/M" more "}\n"

static const char checkout[] =
    "name: checkout\n"
    "version: 1.0.0\n"
    "deadline: 30s                     # optional\n"
    "compensation_order: dependency\n"
    "steps:\n"
    "  - name: reserve\n"
    "    action:       {target: inventory, method: /inventory.v1.Inventory/Reserve, timeout: 2s, request: input}\n"
    "    compensation: {target: inventory, method: /inventory.v1.Inventory/Release, request: own_output, retry: "
    "{maxAttempts: "
    "50}}\n"
    "  - name: charge\n"
    "    after: [reserve]\n"
    "    pivot: true\n"
    "    target: payment\n"
    "    action: /payment.v1.Payment/Charge\n"
    "    compensation: /payment.v1.Payment/Refund\n"
    "    timeout: 0.250s\n"
    "    retry: {maxAttempts: 7, initialBackoff: 50ms, maxBackoff: 5s, backoffMultiplier: 1.5, jitter: 0.1,\n"
    "            retryableStatusCodes: [UNAVAILABLE, INTERNAL, 2]}\n"
    "  - name: ship\n"
    "    after: [charge]\n"
    "    action: {target: shipping, method: /shipping.v1.Shipping/Ship, request: {output: reserve}}\n";

START_TEST(reader__reads_a_whole_definition)
{
    struct definition *d = read_text(checkout);
    ck_assert_uint_eq(d->number, 0);
    ck_assert_str_eq(d->name, "checkout");
    ck_assert_str_eq(d->version, "1.0.0");
    ck_assert_int_eq(d->deadline.us, 30000000);
    ck_assert_int_eq(d->order, ORDER_DEPENDENCY);
    ck_assert_uint_eq(d->step_count, 3);
    ck_assert_int_eq(d->pivot_step, 1);
    ck_assert(bytes_equal(d->source, bytes_of_text(checkout)));
    ck_assert_ptr_ne(d->source.at, checkout);

    const struct step_spec *reserve = &d->steps[0], *charge = &d->steps[1], *ship = &d->steps[2];
    ck_assert_str_eq(reserve->name, "reserve");
    ck_assert(!reserve->pivot && charge->pivot && !ship->pivot);
    ck_assert(reserve->has_compensation && charge->has_compensation && !ship->has_compensation);
    ck_assert_str_eq(reserve->action.target, "inventory");
    ck_assert_str_eq(reserve->action.method, "/inventory.v1.Inventory/Reserve");
    ck_assert_int_eq(reserve->action.timeout.us, 2000000);
    ck_assert_int_eq(reserve->action.source, REQUEST_INPUT);
    ck_assert_int_eq(reserve->action.target_index, -1);
    ck_assert_int_eq(reserve->compensation.source, REQUEST_OWN_OUTPUT);
    ck_assert_int_eq(reserve->compensation.timeout.us, 0);
    ck_assert_uint_eq(reserve->compensation.retry.max_attempts, 50);
    ck_assert_int_eq(reserve->compensation.retry.initial_backoff.us, 200000);

    ck_assert_str_eq(charge->action.target, "payment");
    ck_assert_str_eq(charge->compensation.target, "payment");
    ck_assert_str_eq(charge->compensation.method, "/payment.v1.Payment/Refund");
    ck_assert_int_eq(charge->action.timeout.us, 250000);
    ck_assert_int_eq(charge->compensation.timeout.us, 250000);
    const struct retry_policy *retry = &charge->action.retry;
    ck_assert_uint_eq(retry->max_attempts, 7);
    ck_assert_int_eq(retry->initial_backoff.us, 50000);
    ck_assert_int_eq(retry->max_backoff.us, 5000000);
    ck_assert_uint_eq(retry->backoff_multiplier_permille, 1500);
    ck_assert_uint_eq(retry->jitter_permille, 100);
    ck_assert_uint_eq(retry->retryable_status_codes, 1u << CODE_UNAVAILABLE | 1u << CODE_INTERNAL | 1u << CODE_UNKNOWN);
    ck_assert_uint_eq(charge->compensation.retry.max_attempts, 7);
    ck_assert_uint_eq(charge->compensation.retry.retryable_status_codes, 0);

    ck_assert_int_eq(ship->action.source, REQUEST_OUTPUT);
    ck_assert_uint_eq(ship->action.source_step, 0);
    ck_assert(step_set_has(&ship->after, 1) && !step_set_has(&ship->after, 0));
    ck_assert(step_set_has(&ship->ancestors, 0) && step_set_has(&ship->ancestors, 1) &&
              !step_set_has(&ship->ancestors, 2));
    ck_assert_ptr_null(ship->compensation.target);
    definition_destroy(d);
    definition_destroy(NULL);
}
END_TEST

START_TEST(reader__what_is_not_said_has_a_default)
{
    struct definition *d = read_text(HEAD STEP("a", ", compensation: /p.S/U"));
    ck_assert_int_eq(d->deadline.us, 0);
    ck_assert_int_eq(d->order, ORDER_REVERSE);
    ck_assert_int_eq(d->pivot_step, -1);
    const struct call_spec *action = &d->steps[0].action, *compensation = &d->steps[0].compensation;
    ck_assert_int_eq(action->timeout.us, 0);
    ck_assert_int_eq(action->source, REQUEST_INPUT);
    ck_assert_int_eq(compensation->source, REQUEST_INPUT);
    ck_assert_uint_eq(action->retry.max_attempts, 12);
    ck_assert_int_eq(action->retry.initial_backoff.us, 100000);
    ck_assert_int_eq(action->retry.max_backoff.us, 10000000);
    ck_assert_uint_eq(action->retry.backoff_multiplier_permille, 2000);
    ck_assert_uint_eq(action->retry.jitter_permille, 200);
    ck_assert_uint_eq(action->retry.retryable_status_codes, 0);
    ck_assert_uint_eq(compensation->retry.max_attempts, 20);
    ck_assert_int_eq(compensation->retry.initial_backoff.us, 200000);
    ck_assert_int_eq(compensation->retry.max_backoff.us, 30000000);
    definition_destroy(d);
}
END_TEST

/* The delays between all attempts, at the least and at the most: what docs/definitions.md says of them. */
START_TEST(reader__what_is_not_said_outlasts_a_restart)
{
    const struct {
        struct retry_policy policy;
        int64_t least_s, most_s;
    } cases[] = {{definition_limits_default().retry.action, 42, 55},
                 {definition_limits_default().retry.compensation, 304, 390}};
    for (unsigned i = 0; i < 2; i++) {
        const struct retry_policy *p = &cases[i].policy;
        int64_t least = 0, most = 0;
        for (unsigned failed = 1; failed < p->max_attempts; failed++) {
            const struct backoff b = {.initial = p->initial_backoff,
                                      .max = p->max_backoff,
                                      .multiplier_permille = p->backoff_multiplier_permille};
            struct random random;
            random_seed(&random, 1);
            int64_t delay = backoff_delay(&b, failed, &random).us, varies = delay / 1000 * p->jitter_permille;
            least += delay - varies;
            most += delay + varies < b.max.us ? delay + varies : b.max.us;
        }
        ck_assert_int_eq(least / 1000000, cases[i].least_s);
        ck_assert_int_eq(most / 1000000, cases[i].most_s);
    }
}
END_TEST

START_TEST(reader__a_call_says_more_than_its_step_and_that_more_than_the_limits)
{
    limits.retry.action.jitter_permille = 77;
    struct definition *d = read_text("name: n\nversion: 1.0.0\nsteps:\n"
                                     "  - name: a\n"
                                     "    target: t\n"
                                     "    timeout: 1s\n"
                                     "    retry: {maxAttempts: 5, initialBackoff: 1s}\n"
                                     "    action: {method: /p.S/M, target: u, timeout: 9s, retry: {maxAttempts: 6}, "
                                     "barrier: true}\n"
                                     "    compensation: {method: /p.S/M}\n");
    const struct call_spec *action = &d->steps[0].action, *compensation = &d->steps[0].compensation;
    ck_assert_str_eq(action->target, "u");
    ck_assert_int_eq(action->timeout.us, 9000000);
    ck_assert_uint_eq(action->retry.max_attempts, 6);
    ck_assert_uint_eq(action->barrier, BARRIER_THERE);
    ck_assert_int_eq(action->retry.initial_backoff.us, 1000000);
    ck_assert_uint_eq(action->retry.jitter_permille, 77);
    ck_assert_str_eq(compensation->target, "t");
    ck_assert_int_eq(compensation->timeout.us, 1000000);
    ck_assert_uint_eq(compensation->retry.max_attempts, 5);
    ck_assert_uint_eq(compensation->barrier, BARRIER_UNSAID);
    ck_assert_uint_eq(compensation->retry.jitter_permille, 200);
    definition_destroy(d);
}
END_TEST

START_TEST(reader__requests_are_input_constant_or_output)
{
    struct definition *d = read_text(
        HEAD
        "  - {name: a, target: t, action: {method: /p.S/M, request: {constant: \"one\\0two\"}}}\n"
        "  - {name: b, target: t, action: {method: /p.S/M, request: {constant_base64: AAECAwT/}}}\n"
        "  - {name: c, target: t, action: {method: /p.S/M, request: {constant_base64: \"aGk=\"}}}\n"
        "  - {name: d, target: t, action: {method: /p.S/M, request: {constant: \"\"}}}\n"
        "  - {name: e, after: [d], target: t, action: {method: /p.S/M, request: {output: d}},\n"
        "     compensation: {method: /p.S/M, request: {output: d}}}\n"
        "  - name: f\n    target: t\n    action:\n      method: /p.S/M\n      request:\n        constant_base64: |\n"
        "          YWJj\n          ZA==\n");
    ck_assert(bytes_equal(d->steps[0].action.constant, bytes_of("one\0two", 7)));
    ck_assert_int_eq(d->steps[0].action.source, REQUEST_CONSTANT);
    ck_assert(bytes_equal(d->steps[1].action.constant, bytes_of("\0\1\2\3\4\377", 6)));
    ck_assert(bytes_equal(d->steps[2].action.constant, bytes_of_text("hi")));
    ck_assert_int_eq(d->steps[3].action.source, REQUEST_CONSTANT);
    ck_assert_uint_eq(d->steps[3].action.constant.size, 0);
    ck_assert_int_eq(d->steps[4].action.source, REQUEST_OUTPUT);
    ck_assert_uint_eq(d->steps[4].action.source_step, 3);
    ck_assert_uint_eq(d->steps[4].compensation.source_step, 3);
    ck_assert(bytes_equal(d->steps[5].action.constant, bytes_of_text("abcd")));
    definition_destroy(d);
}
END_TEST

START_TEST(reader__unknown_names_are_refused_with_the_nearest)
{
    assert_refused("name: n\nversoin: 1.0.0\n", "versoin", 2, 1, "did you mean version?");
    assert_refused("name: n\nversion: 1.0.0\nsteps:\n  - {name: a, taget: t}\n", "steps[0].taget", 4, 15,
                   "did you mean target?");
    assert_refused("nam\xc3\xa9: n\n", "nam??", 1, 1, "did you mean name?");
    assert_refused("colour: red\n", "colour", 1, 1,
                   "the names here are name, version, schema, input, deadline, compensation_order, steps");
    assert_step_refused("action: {metod: /p.S/M}", "steps[0].action.metod", 35, "did you mean method?");
    assert_step_refused("action: /p.S/M, request: input", "steps[0].request", 42,
                        "stands within action or compensation: action: {method: /package.Service/Method, request");
    assert_step_refused("action: /p.S/M, retry: {max_attempts: 3}", "steps[0].retry.max_attempts", 50,
                        "did you mean maxAttempts?");
    assert_step_refused("action: {method: /p.S/M, request: {constnat: a}}", "steps[0].action.request.constnat", 61,
                        "did you mean constant?");
    assert_step_refused("action: {method: /p.S/M, request: inptu}", "steps[0].action.request", 60,
                        "did you mean input?");
    assert_refused("name: n\nversion: 1.0.0\ncompensation_order: revers\nsteps: []\n", "compensation_order", 3, 21,
                   "did you mean reverse?");
    assert_step_refused("action: /p.S/M, retry: {retryableStatusCodes: [UNAVAILABEL]}",
                        "steps[0].retry.retryableStatusCodes[0]", 73, "did you mean UNAVAILABLE?");
}
END_TEST

START_TEST(reader__what_is_missing_is_named)
{
    assert_refused("", "", 0, 0, "the text holds no definition");
    assert_refused("---\n", "", 2, 1, "must be a mapping");
    assert_refused("[1]", "", 1, 1, "must be a mapping");
    assert_refused("version: 1.0.0\n", "", 1, 1, "name is missing");
    assert_refused("name: n\n", "", 1, 1, "version is missing");
    assert_refused("name: n\nversion: 1.0.0\n", "", 1, 1, "steps is missing");
    assert_refused("name:\nversion: 1.0.0\n", "name", 1, 1, "has no value");
    assert_refused("name: n\nversion: 1.0.0\nsteps: []\n", "steps", 3, 8, "at least one step");
    assert_refused("name: n\nversion: 1.0.0\nsteps: {a: b}\n", "steps", 3, 8, "must be a list");
    assert_refused(HEAD "  - a\n", "steps[0]", 4, 5, "must be a mapping");
    assert_refused(HEAD "  - {target: t}\n", "steps[0]", 4, 5, "name is missing");
    assert_refused(HEAD "  - {name: a}\n", "steps[0]", 4, 5, "action is missing");
    assert_refused(HEAD "  - {name: a, action: /p.S/M}\n", "steps[0].action", 4, 23, "names no target");
    assert_step_refused("action: {method: /p.S/M, target: t, barrier: perhaps}", "steps[0].action.barrier", 71,
                        "neither true nor false");
    assert_step_refused("action: /p.S/M, compensation: {method: /p.S/M, barrier: true}",
                        "steps[0].compensation.barrier", 73, "does not apply");
    assert_step_refused("action: {timeout: 1s}", "steps[0].action", 34, "method is missing");
    assert_step_refused("action: {method: [/p.S/M]}", "steps[0].action.method", 43,
                        "must be a single value, not a list");
    assert_step_refused("action: {method: \"\"}", "steps[0].action.method", 43, "must not be empty");
    assert_step_refused("action: [1]", "steps[0].action", 34, "must be a mapping");
    assert_step_refused("action: {method: /p.S/M, request: {}}", "steps[0].action.request", 60, "exactly one of");
    assert_step_refused("action: {method: /p.S/M, request: {constant: a, output: s}}", "steps[0].action.request", 60,
                        "exactly one of");
    assert_step_refused("action: {method: /p.S/M, request: {constant: }}", "steps[0].action.request.constant", 71,
                        "write \"\" for an empty request");
}
END_TEST

START_TEST(reader__bad_values_are_refused_where_they_stand)
{
    assert_refused("name: a b\nversion: 1.0.0\n", "name", 1, 7, "\"a b\" may hold only letters");
    assert_refused("name: \"a\\nb\"\nversion: 1.0.0\n", "name", 1, 7, "control characters");
    assert_refused("name: \"a\\x7fb\"\nversion: 1.0.0\n", "name", 1, 7, "control characters");
    assert_refused("name: \"\"\n", "name", 1, 7, "must not be empty");
    assert_refused("name: [n]\nversion: 1.0.0\n", "name", 1, 7, "must be a single value, not a list");
    assert_refused("name: n\nversion: 1.0\n", "version", 2, 10, "\"1.0\" is not a semantic version");
    assert_refused("name: n\nversion: 1.0.0\ndeadline: 30\n", "deadline", 3, 11,
                   "\"30\" has no unit; write ms, s, m or h");
    assert_refused("name: n\nversion: 1.0.0\ndeadline: 0s\n", "deadline", 3, 11,
                   "from 1ms to 720h: the nearest is 1ms");
    assert_refused("name: n\nversion: 1.0.0\ndeadline: 721h\n", "deadline", 3, 11,
                   "721h is out of range; it must be from 1ms");
    static const char *const no_methods[] = {"Charge",  "/",     "/S",      "/p.S/",    "/p.S-M", "p.S/M",  "//M",
                                             "/p..S/M", "/.S/M", "/p.S./M", "/p.S/M/N", "/p.S/1", "/1.S/M", "/p.S/M-"};
    for (size_t i = 0; i < sizeof no_methods / sizeof *no_methods; i++) {
        char rest[64], words[64];
        snprintf(rest, sizeof rest, "action: %s", no_methods[i]);
        snprintf(words, sizeof words, "\"%s\" is not a full gRPC method name", no_methods[i]);
        assert_step_refused(rest, "steps[0].action", 34, words);
    }
    assert_step_refused("action: {method: /p.S/M, target: \"dns:///x:1\"}", "steps[0].action.target", 59,
                        "(addresses stand in sagad.yaml)");
    assert_step_refused("action: /p.S/M, timeout: 0s", "steps[0].timeout", 51, "0s is out of range");
    /* What is quoted is whole up to 44 bytes. */
    assert_step_refused("action: /p.S/M, pivot: a234567890b234567890c234567890d234567890e234", "steps[0].pivot", 49,
                        "\"a234567890b234567890c234567890d234567890e234\" is");
    assert_step_refused("action: /p.S/M, pivot: a234567890b234567890c234567890d234567890e2345", "steps[0].pivot", 49,
                        "\"a234567890b234567890c234567890d234567890e234...\" is");
    assert_step_refused("action: /p.S/M, pivot: yes", "steps[0].pivot", 49, "\"yes\" is neither true nor false");
    assert_step_refused("action: /p.S/M, after: s", "steps[0].after", 49, "must be a list");
    assert_step_refused("action: /p.S/M, after: [s]", "steps[0].after[0]", 50, "waits for itself");
    assert_step_refused("action: /p.S/M, after: [r]", "steps[0].after[0]", 50, "no step is named \"r\"");
    assert_step_refused("action: /p.S/M, after: [{}]", "steps[0].after[0]", 50,
                        "must be a single value, not a mapping");
    assert_step_refused("action: {method: /p.S/M, request: own_output}", "steps[0].action.request", 60,
                        "no output of its own before it has run");
    assert_step_refused("action: {method: /p.S/M, request: {output: s}}", "steps[0].action.request.output", 69,
                        "is the step itself");
    assert_step_refused("action: /p.S/M, compensation: {method: /p.S/M, request: {output: s}}",
                        "steps[0].compensation.request.output", 91, "write request: own_output");
}
END_TEST

START_TEST(reader__retry_policies_are_checked)
{
    assert_step_refused("action: /p.S/M, retry: 3", "steps[0].retry", 49, "must be a mapping");
    assert_step_refused("action: /p.S/M, retry: {maxAttempts: 0}", "steps[0].retry.maxAttempts", 63, "from 1 to 1000");
    assert_step_refused("action: /p.S/M, retry: {maxAttempts: 1001}", "steps[0].retry.maxAttempts", 63,
                        "from 1 to 1000");
    assert_step_refused("action: /p.S/M, retry: {initialBackoff: 0s}", "steps[0].retry.initialBackoff", 66,
                        "from 1ms to 24h");
    assert_step_refused("action: /p.S/M, retry: {maxBackoff: 25h}", "steps[0].retry.maxBackoff", 62, "from 1ms to 24h");
    assert_step_refused("action: /p.S/M, retry: {maxBackoff: 50ms}", "steps[0].retry", 49,
                        "initialBackoff (100ms) is above maxBackoff (50ms)");
    assert_step_refused("action: /p.S/M, retry: {backoffMultiplier: 0.9}", "steps[0].retry.backoffMultiplier", 69,
                        "from 1 to 100");
    assert_step_refused("action: /p.S/M, retry: {jitter: 1.1}", "steps[0].retry.jitter", 58, "from 0 to 1");
    /* A timeout as a deadline: up to deadline_max, which is thirty days unless said. */
    definition_destroy(read_text(HEAD STEP("a", ", timeout: 720h")));
    assert_step_refused("action: /p.S/M, timeout: 720.1h", "steps[0].timeout", 51, "it must be from 1ms to 720h");
    assert_step_refused("action: {method: /p.S/M, timeout: 720.1h}", "steps[0].action.timeout", 60,
                        "it must be from 1ms to 720h");
    assert_step_refused("action: /p.S/M, retry: {retryableStatusCodes: UNAVAILABLE}",
                        "steps[0].retry.retryableStatusCodes", 72, "must be a list");
    assert_step_refused("action: /p.S/M, retry: {retryableStatusCodes: [OK]}", "steps[0].retry.retryableStatusCodes[0]",
                        73, "\"OK\" is not a value that can stand here");
    assert_step_refused("action: /p.S/M, retry: {retryableStatusCodes: [17]}", "steps[0].retry.retryableStatusCodes[0]",
                        73, "from 1 to 16");
    assert_step_refused("action: /p.S/M, compensation: {method: /p.S/M, retry: {retryableStatusCodes: [UNKNOWN]}}",
                        "steps[0].compensation.retry.retryableStatusCodes", 81,
                        "a compensation is retried on every status");
}
END_TEST

START_TEST(reader__constants_must_be_base64_and_fit)
{
    static const char *const bad[] = {"A",    "AA",   "AAA",  "AA=A", "=AAA", "A===", "====", "AAAA=", "AA==AAAA",
                                      "AB==", "AAB=", "AA-A", "AA:A", "AA@A", "AA[A", "AA`A", "AA{A",  "AA_A"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char rest[128];
        snprintf(rest, sizeof rest, "action: {method: /p.S/M, request: {constant_base64: \"%s\"}}", bad[i]);
        assert_step_refused(rest, "steps[0].action.request.constant_base64", 78, "is not base64 with its padding");
    }
    assert_step_refused("action: {method: /p.S/M, request: {constant_base64: [a]}}",
                        "steps[0].action.request.constant_base64", 78, "must be text in base64");
    limits.payload_bytes_max = 3;
    definition_destroy(
        read_text(HEAD "  - {name: s, target: t, action: {method: /p.S/M, request: {constant_base64: AAAA}}}\n"));
    definition_destroy(
        read_text(HEAD "  - {name: s, target: t, action: {method: /p.S/M, request: {constant: abc}}}\n"));
    assert_refused_as(E_PAYLOAD, HEAD "  - {name: s, target: t, action: {method: /p.S/M, request: {constant: abcd}}}\n",
                      "steps[0].action.request.constant", 4, 71, "is 4 bytes long; payload_bytes_max is 3");
    assert_refused_as(E_PAYLOAD,
                      HEAD "  - {name: s, target: t, action: {method: /p.S/M, request: {constant_base64: AAAAAA==}}}\n",
                      "steps[0].action.request.constant_base64", 4, 78, "is 4 bytes long; payload_bytes_max is 3");
}
END_TEST

START_TEST(reader__steps_hang_together)
{
    assert_refused(HEAD STEP("a", "") STEP("a", ""), "steps[1].name", 5, 12, "an earlier step has the same name");
    assert_refused(HEAD STEP("a", "") STEP("b", ", after: [a, a]"), "steps[1].after[1]", 5, 53, "a is listed twice");
    assert_refused(HEAD STEP("reserve", "") STEP("b", ", after: [resevre]"), "steps[1].after[0]", 5, 50,
                   "no step is named \"resevre\"; did you mean reserve?");
    assert_refused(HEAD STEP("a", ", after: [c]") STEP("b", ", after: [a]") STEP("c", ", after: [b]"), "steps[0].after",
                   4, 42, "in a circle: a -> c -> b -> a");
    assert_refused(HEAD STEP("x", "") STEP("a", ", after: [x, b]") STEP("b", ", after: [a]") STEP("y", ", after: [b]"),
                   "steps[1].after", 5, 42, "in a circle: a -> b -> a");
    assert_refused(HEAD STEP("z", ", after: [a]") STEP("a", ", after: [b]") STEP("b", ", after: [a]"), "steps[1].after",
                   5, 42, "in a circle: a -> b -> a");
    assert_refused(HEAD STEP("a", "") "  - {name: b, target: t, action: {method: /p.S/M, request: {output: a}}}\n",
                   "steps[1].action.request.output", 5, 69, "a does not come before b; add it to its after");
    /* Neither call can count on the output of a step that may fail. */
    static const char *const calls[][2] = {{"", "action"}, {" action: /p.S/M,", "compensation"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char text[512], field[64];
        snprintf(text, sizeof text,
                 HEAD STEP("a", ", optional: true") "  - {name: b, after: [a], target: t,%s\n"
                                                    "     %s: {method: /p.S/M, request: {output: a}}}\n",
                 calls[i][0], calls[i][1]);
        snprintf(field, sizeof field, "steps[1].%s.request.output", calls[i][1]);
        assert_refused(text, field, 6, 43 + (int)strlen(calls[i][1]), "a is optional and may have no output");
    }
    assert_refused(HEAD STEP("a", "") "  - {name: b, target: t, action: {method: /p.S/M, request: {output: q}}}\n",
                   "steps[1].action.request.output", 5, 69, "no step is named \"q\"");
}
END_TEST

START_TEST(reader__a_circle_ends_where_it_begins)
{
    assert_refused(HEAD STEP("a", ", after: [b]") STEP("b", ", after: [a]"), "steps[0].after", 4, 42, "");
    ck_assert_str_eq(detail.text, "the steps wait for one another in a circle: a -> b -> a");
    ck_assert_str_eq(detail.rule, "after-circle");
}
END_TEST

START_TEST(reader__long_circles_are_cut)
{
    char text[8192] = HEAD;
    for (int i = 0; i < 60; i++)
        sprintf(text + strlen(text), STEP("a-rather-long-name-%d", ", after: [a-rather-long-name-%d]"), i,
                (i + 1) % 60);
    assert_refused(text, "steps[0].after", 4, 61,
                   "a-rather-long-name-0 -> a-rather-long-name-1 -> a-rather-long-name-2 -> a-rather-long-name-3 -> "
                   "a-rather-long-name-4 -> a-rather-long-name-5 -> ...");
}
END_TEST

START_TEST(reader__a_pivot_divides_the_steps)
{
    struct definition *d = read_text(HEAD STEP("a", "") STEP("b", "") STEP("p", ", pivot: true, after: [a, b]")
                                         STEP("c", ", after: [p]") STEP("d", ", after: [p], pivot: false"));
    ck_assert_int_eq(d->pivot_step, 2);
    /* What can only go forward is as stubborn as an undo, where nothing else is said. */
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(d->steps[i].action.retry.max_attempts,
                          i > 2 ? limits.retry.compensation.max_attempts : limits.retry.action.max_attempts);
    definition_destroy(d);
    /* Behind it nothing refuses, but what may be left out; something may stand in. */
    definition_destroy(read_text(HEAD STEP("p", ", pivot: true")
                                     STEP("a", ", after: [p], unavailable: fallback, fallback: {value: input}")
                                         STEP("b", ", after: [p], optional: true, unavailable: refuse")));
    assert_refused(HEAD STEP("p", ", pivot: true") STEP("a", ", after: [p], unavailable: refuse"),
                   "steps[1].unavailable", 5, 67,
                   "past the pivot there is no way back: wait, or give the step a fallback");
    assert_refused(HEAD STEP("a", "") STEP("p", ", pivot: true"), "steps[0]", 4, 5,
                   "a may run beside the pivot p; every step must come before or after it");
    assert_refused(HEAD STEP("p", ", pivot: true") STEP("a", ", after: [p]") STEP("b", ""), "steps[2]", 6, 5,
                   "b may run beside the pivot p");
    assert_refused(HEAD STEP("p", ", pivot: true") STEP("q", ", pivot: true, after: [p]"), "steps[1].pivot", 5, 42,
                   "p is the pivot already");
    assert_refused(HEAD STEP("p", ", pivot: true") STEP("a", ", after: [p], compensation: /p.S/U"),
                   "steps[1].compensation", 5, 54, "would never run: after the pivot p the saga can only go forward");
    /* However far behind it. */
    assert_refused(HEAD STEP("p", ", pivot: true") STEP("a", ", after: [p]")
                       STEP("b", ", after: [a], compensation: /p.S/U"),
                   "steps[2].compensation", 6, 54, "would never run: after the pivot p the saga can only go forward");
}
END_TEST

START_TEST(reader__what_stands_in_is_a_step_behind)
{
    struct definition *d = read_text(HEAD "  - name: a\n"
                                          "    target: t\n"
                                          "    optional: true\n"
                                          "    unavailable: fallback\n"
                                          "    action: /p.S/A\n"
                                          "    fallback:\n"
                                          "      target: u\n"
                                          "      timeout: 2s\n"
                                          "      action: /p.S/B\n"
                                          "      compensation: /p.S/C\n"
                                          "      fallback: {value: {constant: text}}\n" STEP("b", ", after: [a]"));
    ck_assert_uint_eq(d->step_count, 4);
    const struct step_spec *a = &d->steps[0], *call = &d->steps[1], *value = &d->steps[2], *b = &d->steps[3];
    ck_assert(a->stand_in == STAND_IN_NONE && a->has_fallback && a->in_haste && a->optional);
    ck_assert_str_eq(call->name, "a.fallback");
    ck_assert(call->stand_in == STAND_IN_CALL && call->has_fallback && call->optional && call->has_compensation);
    ck_assert_str_eq(call->action.target, "u");
    ck_assert_int_eq(call->compensation.timeout.us, 2000000);
    ck_assert_str_eq(value->name, "a.fallback.fallback");
    ck_assert(value->stand_in == STAND_IN_VALUE && !value->has_fallback && !value->has_compensation);
    ck_assert(bytes_equal(value->action.constant, bytes_of_text("text")));
    ck_assert_ptr_null(step_spec_target(value, false, 0));
    for (unsigned i = 0; i < 3; i++)
        ck_assert(step_set_has(&b->after, i));
    ck_assert(step_set_has(&value->ancestors, 0) && step_set_has(&value->after, 1));
    definition_destroy(d);
}
END_TEST

/* A step that takes its time need not wait for what stands in for it, nor need anybody wait for that. */
START_TEST(reader__what_stands_in_is_deferred_with_its_step)
{
    struct definition *d =
        read_text("name: n\nversion: 1.0.0\nforward_only: true\nsteps:\n" STEP(
            "a", ", deferred: true, fallback: {target: u, action: /p.S/B, fallback: {value: input}}")
                      STEP("b", ", fallback: {value: input}") STEP("c", ", optional: true, unavailable: refuse"));
    ck_assert_uint_eq(d->step_count, 6);
    for (unsigned i = 0; i < 6; i++)
        ck_assert_msg(d->steps[i].deferred == (i < 3), "%s", d->steps[i].name);
    /* What is optional may come to nothing even where there is no way back. */
    ck_assert(d->steps[5].in_haste && !d->steps[5].has_fallback);
    definition_destroy(d);
}
END_TEST

START_TEST(reader__what_stands_in_is_checked)
{
    static const char a[] = "action: /p.S/A, ";
    char text[512];
    const struct {
        const char *rest, *field, *words;
    } cases[] = {
        {"fallback: {}", "steps[0].fallback", "must have an action"},
        {"fallback: {value: input, target: t}", "steps[0].fallback.target", "begins with action"},
        {"fallback: {value: input, action: /p.S/B, target: t}", "steps[0].fallback.value", "a fallback of its own"},
        {"fallback: {action: /p.S/B}", "steps[0].fallback.action", "names no target"},
        {"fallback: {value: own_output}", "steps[0].fallback.value", "has no output of its own"},
        {"fallback: {value: input, unavailable: refuse}", "steps[0].fallback.unavailable", "nobody is called"},
        {"fallback: input", "steps[0].fallback", "mapping"},
        {"unavailable: fallback", "steps[0].unavailable", "has no fallback"},
        {"unavailable: refuse, fallback: {value: input}", "steps[0].unavailable", "write fallback"},
        {"unavailable: gone", "steps[0].unavailable", "wait"},
        {"fallback: {last_good: {key: k}}", "steps[0].fallback.last_good", "needs max_age"},
        {"fallback: {last_good: {max_age: 1h}}", "steps[0].fallback.last_good", "key"},
        {"fallback: {last_good: {key: k, max_age: 999ms}}", "steps[0].fallback.last_good.max_age", "1s"},
        {"fallback: {last_good: {key: k, max_age: 169h}}", "steps[0].fallback.last_good.max_age", "168h"},
        {"fallback: {last_good: {key: =input.sku, max_age: 1h}}", "steps[0].fallback.last_good.key", "a schema"},
        {"fallback: {last_good: {key: \"\", max_age: 1h}}", "steps[0].fallback.last_good.key", "empty"},
        {"fallback: {last_good: {key: k, max_age: 1h, name: a/b}}", "steps[0].fallback.last_good.name", "letters"},
        {"fallback: {last_good: {key: k, age: 1h}}", "steps[0].fallback.last_good.age", "is not a name"},
        {"fallback: {last_good: {key: k, max_age: 1h}, target: t}", "steps[0].fallback.target", "begins with action"},
        {"fallback: {last_good: {key: k, max_age: 1h}, value: input}", "steps[0].fallback.value",
         "a fallback of its own"},
        {"fallback: {last_good: {key: k, max_age: 1h}, action: /p.S/B, target: t}", "steps[0].fallback.last_good",
         "a fallback of its own"},
        {"fallback: {last_good: {key: k, max_age: 1h}, fallback: {last_good: {key: l, max_age: 1h}}}",
         "steps[0].fallback.fallback.last_good", "already"},
        {"fallback: {last_good: {key: k, max_age: 1h}, fallback: {action: /p.S/B, target: t, fallback: {last_good: "
         "{key: l, max_age: 1h}}}}",
         "steps[0].fallback.fallback.fallback.last_good", "already"},
        {"pivot: true, fallback: {value: input}", "steps[0].fallback", "stands in for the pivot"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct definition *d;
        snprintf(text, sizeof text, "name: n\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, %s%s}\n", a,
                 cases[i].rest);
        ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == E_ARGUMENT, "%s", cases[i].rest);
        ck_assert_str_eq(detail.field, cases[i].field);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL, "%s: %s", cases[i].rest, detail.text);
    }
    /* What stands in and calls nobody says nothing of a call. */
    static const char *const nobody[] = {"value: input", "last_good: {key: k, max_age: 1h}"};
    static const char *const of_calls[][2] = {
        {"target", "t"}, {"compensation", "/p.S/M"}, {"timeout", "1s"}, {"retry", "{maxAttempts: 1}"}};
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
        for (size_t k = 0; k < sizeof of_calls / sizeof *of_calls; k++) {
            struct definition *d;
            char field[64];
            snprintf(text, sizeof text,
                     "name: n\nversion: 1.0.0\nsteps:\n  - {name: s, target: t, %sfallback: {%s, %s: %s}}\n", a,
                     nobody[i], of_calls[k][0], of_calls[k][1]);
            snprintf(field, sizeof field, "steps[0].fallback.%s", of_calls[k][0]);
            ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == E_ARGUMENT, "%s", text);
            ck_assert_str_eq(detail.field, field);
            ck_assert_msg(strstr(detail.text, "begins with action") != NULL, "%s: %s", text, detail.text);
        }
    assert_refused(HEAD STEP("a", ", fallback: {value: input}") STEP("a.fallback", ""), "steps[1].name", 5, 12,
                   "an earlier step has the same name");
}
END_TEST

START_TEST(reader__bounds_are_the_limits)
{
    limits.steps_max = 2;
    definition_destroy(read_text(HEAD STEP("a", "") STEP("b", "")));
    assert_refused_as(E_STEPS, HEAD STEP("a", "") STEP("b", "") STEP("c", ""), "steps", 4, 3,
                      "holds 3 steps; steps_max is 2");
    limits.source_bytes_max = 10;
    assert_refused("name: n\nversion: 1.0.0\n", "", 0, 0,
                   "the definition is 23 bytes long; definition_bytes_max is 10");
    set_limits();
    char text[512];
    snprintf(text, sizeof text, "name: %0*d\nversion: 1.0.0\n", NAME_BYTES_MAX + 1, 1);
    assert_refused(text, "name", 1, 7, "is 129 bytes long; at most 128 are allowed");
    snprintf(text, sizeof text, "name: n\nversion: 1.0.0+%0*d\nsteps:\n" STEP("a", ""), VERSION_BYTES_MAX - 6, 1);
    definition_destroy(read_text(text));
    snprintf(text, sizeof text, "name: n\nversion: 1.0.0+%0*d\n", VERSION_BYTES_MAX - 5, 1);
    assert_refused(text, "version", 2, 10, "bytes long; at most");
    snprintf(text, sizeof text, HEAD STEP("%0*d", ""), STEP_NAME_BYTES_MAX + 1, 1);
    assert_refused(text, "steps[0].name", 4, 12, "is 65 bytes long; at most 64 are allowed");
}
END_TEST

START_TEST(reader__reads_as_many_steps_as_there_can_be)
{
    char *text = malloc(STEPS_LIMIT * 100);
    ck_assert_ptr_nonnull(text);
    size_t size = (size_t)sprintf(text, HEAD STEP("s0", ""));
    for (int i = 1; i < STEPS_LIMIT; i++)
        size += (size_t)sprintf(text + size, STEP("s%d", ", after: [s%d]"), i, i - 1);
    limits.steps_max = STEPS_LIMIT;
    struct definition *d = read_text(text);
    ck_assert_uint_eq(d->step_count, STEPS_LIMIT);
    for (unsigned i = 0; i + 1 < STEPS_LIMIT; i++)
        ck_assert(step_set_has(&d->steps[STEPS_LIMIT - 1].ancestors, i));
    definition_destroy(d);
    free(text);
}
END_TEST

START_TEST(reader__order_in_the_text_does_not_matter)
{
    struct definition *d = read_text(HEAD STEP("c", ", after: [b]") STEP("b", ", after: [a]") STEP("a", ""));
    ck_assert(step_set_has(&d->steps[0].ancestors, 1) && step_set_has(&d->steps[0].ancestors, 2));
    ck_assert(!step_set_has(&d->steps[1].ancestors, 0) && step_set_has(&d->steps[1].ancestors, 2));
    definition_destroy(d);
}
END_TEST

START_TEST(reader__the_form_of_yaml_comes_first)
{
    assert_refused_as(E_SYNTAX, "name: n\nname: m\n", "", 2, 1, "the key stands here for the second time");
    assert_refused_as(E_SYNTAX, "a: &a [1]\nb: [*a, *a]\n", "", 1, 4, "anchors (&) and aliases (*)");
    assert_refused_as(E_SYNTAX, "name: \xff\n", "", 1, 7, "the text is not UTF-8");
}
END_TEST

/* Wherever a call may name its target; who does not say which there are takes them all. */
START_TEST(reader__a_target_that_is_not_there_is_told_with_its_place)
{
    static const char *const names[] = {"inventory", "payment"};
    static const struct {
        const char *step, *field;
        int column;
        const char *words;
    } wrong[] = {
        {"{name: a, target: inventry, action: /p.S/M}", "steps[0].target", 23,
         "sagad.yaml names no target \"inventry\"; did you mean inventory?"},
        {"{name: a, target: payment, action: {target: stock, method: /p.S/M}}", "steps[0].action.target", 49,
         "names no target \"stock\""},
        {"{name: a, target: payment, action: /p.S/M, compensation: {target: paiment, method: /p.S/U}}",
         "steps[0].compensation.target", 71, "did you mean payment?"},
        {"{name: a, target: payment, action: /p.S/M, fallback: {target: pay, action: /p.S/U}}",
         "steps[0].fallback.target", 67, "names no target \"pay\""},
    };
    char text[512];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, HEAD "  - %s\n", wrong[i].step);
        limits.targets = (struct definition_targets){.names = names, .count = 2};
        assert_refused_as(E_TARGET_NOT_FOUND, text, wrong[i].field, 4, wrong[i].column, wrong[i].words);
        limits.targets.count = 0; /* there is none */
        assert_refused_as(E_TARGET_NOT_FOUND, text, "steps[0].target", 4, 23, "names no target");
        limits.targets.names = NULL;
        definition_destroy(read_text(text));
    }
}
END_TEST

START_TEST(reader__what_belongs_into_a_call_is_told_so)
{
    static const char *const keys[] = {"method: /p.S/M", "request: input", "barrier: true", "idempotent: true"};
    char text[256];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct definition *d;
        snprintf(text, sizeof text, HEAD STEP("s", ", %s"), keys[i]);
        ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), E_ARGUMENT);
        ck_assert_msg(strstr(detail.text, "stands within action or compensation") != NULL, "%s: %s", text, detail.text);
        ck_assert_str_eq(detail.rule, "key-unknown");
    }
    /* Where nothing ends the saga, something may be left of what a start may say. */
    definition_destroy(read_text(HEAD STEP("a", ", reserve: 1s") STEP("b", ", after: [a]")));
    /* What waits for nothing may say so. */
    definition_destroy(read_text(HEAD STEP("a", ", after: []") STEP("b", ", after: null")));
    definition_destroy(read_text(HEAD STEP("a", ", retry: {initialBackoff: 2s, maxBackoff: 2s}")));
    assert_refused("name: n\nversion: 1.0.0\nforward_only: true\ndeadline: 1s\nsteps: []\n", "deadline", 4, 1,
                   "means nothing in a saga that never turns back");
    assert_refused("name: n\nversion: 1.0.0\nforward_only: true\ncompensation_order: reverse\nsteps: []\n",
                   "compensation_order", 4, 1, "means nothing in a saga that never turns back");
    /* ".fallback" is part of the name of what stands in: 55 + 9 bytes are all that there may be. */
    snprintf(text, sizeof text, HEAD STEP("%0*d", ", fallback: {value: input}"), 55, 1);
    definition_destroy(read_text(text));
    snprintf(text, sizeof text, HEAD STEP("%0*d", ", fallback: {value: input}"), 56, 1);
    assert_refused(text, "steps[0].fallback", 4, 97, "a step's name has at most 64 bytes");
}
END_TEST

/* Whatever is right before it and after it. */
START_TEST(reader__one_wrong_value_among_right_ones_is_found)
{
    static const struct {
        const char *head, *step; /* of the second step */
        const char *field, *words;
    } cases[] = {
        {"deadline: soon\ncompensation_order: reverse\npriority: low\n", "", "deadline", "is not a length of time"},
        {"deadline: 1m\ncompensation_order: sideways\npriority: low\n", "", "compensation_order", "reverse"},
        {"deadline: 1m\ncompensation_order: reverse\npriority: most\n", "", "priority", "low"},
        {"forward_only: perhaps\n", "", "forward_only", "is neither true nor false"},
        {"", ", after: [b]", "steps[1].after[0]", "itself"},
        {"", ", after: [z]", "steps[1].after[0]", "no step"},
        {"", ", pivot: perhaps", "steps[1].pivot", "is neither true nor false"},
        {"", ", pivot: perhaps, optional: true, irreversible: true", "steps[1].pivot", "is neither true nor false"},
        {"", ", pivot: false, optional: perhaps, irreversible: true", "steps[1].optional", "is neither true nor false"},
        {"", ", optional: perhaps", "steps[1].optional", "is neither true nor false"},
        {"", ", irreversible: perhaps", "steps[1].irreversible", "is neither true nor false"},
        {"", ", deferred: perhaps", "steps[1].deferred", "is neither true nor false"},
        {"", ", unavailable: perhaps", "steps[1].unavailable", "wait"},
        {"", ", timeout: soon", "steps[1].timeout", "is not a length of time"},
        {"", ", retry: {maxAttempts: 0}", "steps[1].retry.maxAttempts", "out of range"},
        {"deadline: 1m\n", ", reserve: 0s", "steps[1].reserve", "out of range"},
        {"deadline: 1m\n", ", reserve: 1m", "steps[1].reserve", "59999ms"},
        {"deadline: 1m\n", ", pivot: true, reserve: 1s", "steps[1].reserve",
         "means nothing: no deadline ends the pivot, or what comes after it"},
        {"", ", compensation: {method: p.S/M}", "steps[1].compensation.method", ""},
        {"", ", compensation: {method: /p.S/M, barrier: true, idempotent: true}", "steps[1].compensation.barrier",
         "does not apply"},
        {"", ", compensation: {method: /p.S/M, idempotent: perhaps}", "steps[1].compensation.idempotent",
         "is neither true nor false"},
        {"forward_only: true\n", ", compensation: /p.S/M", "steps[1].compensation",
         "would never run: the saga never turns back (forward_only)"},
        {"", ", fallback: {last_good: {key: \"a\\0b\", max_age: 1h}}", "steps[1].fallback.last_good.key",
         "must not hold control characters"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct definition *d = NULL;
        snprintf(
            text, sizeof text,
            "name: n\nversion: 1.0.0\n%ssteps:\n  - {name: a, target: t, action: /p.S/M}\n  - {name: b, target: t, "
            "action: /p.S/M%s}\n  - {name: c, after: [a, b], target: t, action: /p.S/M}\n",
            cases[i].head, cases[i].step);
        ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == E_ARGUMENT, "%s", text);
        ck_assert_msg(strcmp(detail.field, cases[i].field) == 0, "%s: %s: %s", text, detail.field, detail.text);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL, "%s: %s", text, detail.text);
    }
}
END_TEST

/* Of what is out of its range the nearest that is within is told, on either side. */
START_TEST(reader__what_is_out_of_range_is_told_the_nearest)
{
    static const struct {
        const char *more, *words;
    } rows[] = {
        {"retry: {maxAttempts: 0}", "0 is out of range; it must be from 1 to 1000: the nearest is 1"},
        {"retry: {maxAttempts: 1001}", "1001 is out of range; it must be from 1 to 1000: the nearest is 1000"},
        {"retry: {maxBackoff: 0s}", "0s is out of range; it must be from 1ms to 24h: the nearest is 1ms"},
        {"retry: {maxBackoff: 25h}", "25h is out of range; it must be from 1ms to 24h: the nearest is 24h"},
        {"retry: {backoffMultiplier: 0.9}", "0.9 is out of range; it must be from 1 to 100: the nearest is 1"},
        {"retry: {backoffMultiplier: 100.1}", "100.1 is out of range; it must be from 1 to 100: the nearest is 100"},
        {"retry: {jitter: 1.1}", "1.1 is out of range; it must be from 0 to 1: the nearest is 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct definition *d = NULL;
        char text[256];
        snprintf(text, sizeof text, HEAD "  - {name: s, target: t, action: /p.S/M, %s}\n", rows[i].more);
        ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), E_ARGUMENT);
        ck_assert_str_eq(detail.text, rows[i].words);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("definition_reader");
    TCase *reading = tcase_create("reading");
    tcase_add_checked_fixture(reading, set_limits, NULL);
    tcase_add_test(reading, reader__reads_a_whole_definition);
    tcase_add_test(reading, reader__what_is_not_said_has_a_default);
    tcase_add_test(reading, reader__what_is_not_said_outlasts_a_restart);
    tcase_add_test(reading, reader__a_call_says_more_than_its_step_and_that_more_than_the_limits);
    tcase_add_test(reading, reader__requests_are_input_constant_or_output);
    tcase_add_test(reading, reader__unknown_names_are_refused_with_the_nearest);
    tcase_add_test(reading, reader__what_is_missing_is_named);
    tcase_add_test(reading, reader__bad_values_are_refused_where_they_stand);
    tcase_add_test(reading, reader__retry_policies_are_checked);
    tcase_add_test(reading, reader__constants_must_be_base64_and_fit);
    tcase_add_test(reading, reader__steps_hang_together);
    tcase_add_test(reading, reader__a_circle_ends_where_it_begins);
    tcase_add_test(reading, reader__long_circles_are_cut);
    tcase_add_test(reading, reader__a_pivot_divides_the_steps);
    tcase_add_test(reading, reader__what_stands_in_is_a_step_behind);
    tcase_add_test(reading, reader__what_stands_in_is_deferred_with_its_step);
    tcase_add_test(reading, reader__what_stands_in_is_checked);
    tcase_add_test(reading, reader__bounds_are_the_limits);
    tcase_add_test(reading, reader__what_belongs_into_a_call_is_told_so);
    tcase_add_test(reading, reader__reads_as_many_steps_as_there_can_be);
    tcase_add_test(reading, reader__order_in_the_text_does_not_matter);
    tcase_add_test(reading, reader__the_form_of_yaml_comes_first);
    tcase_add_test(reading, reader__a_target_that_is_not_there_is_told_with_its_place);
    tcase_add_test(reading, reader__one_wrong_value_among_right_ones_is_found);
    tcase_add_test(reading, reader__what_is_out_of_range_is_told_the_nearest);
    suite_add_tcase(suite, reading);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
