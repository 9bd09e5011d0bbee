/* yaml_retry.c - reads a retry policy. */
#include "sidecar/definition/yaml_retry.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/definition/quantity.h"

static const char *const keys[] = {"maxAttempts",       "initialBackoff", "maxBackoff",
                                   "backoffMultiplier", "jitter",         "retryableStatusCodes"};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

/* One status code, by name or, as a service config allows too, by number. */
static int read_status_code(const struct yaml_node *n, uint32_t *codes, struct error_detail *detail)
{
    const char *names[CODE_COUNT];
    uint64_t number;
    for (int i = 0; i < CODE_COUNT; i++)
        names[i] = grpc_status_name(i);
    if (n->kind == YAML_SCALAR && quantity_read_count(n->text, &number) == NULL) {
        int code = yaml_read_count(n, CODE_OK + 1, CODE_COUNT - 1, &number, detail);
        if (code == 0)
            *codes |= UINT32_C(1) << number;
        return code;
    }
    uint32_t choice;
    int code = yaml_read_choice(n, names + 1, CODE_COUNT - 1, &choice, detail);
    if (code == 0)
        *codes |= UINT32_C(1) << (choice + 1);
    return code;
}

int yaml_read_status_codes(const struct yaml_node *n, uint32_t *codes, struct error_detail *detail)
{
    uint32_t read = 0;
    int code = yaml_check_sequence(n, detail);
    for (const struct yaml_node *item = n->first; code == 0 && item != NULL; item = item->next)
        code = read_status_code(item, &read, detail);
    if (code == 0)
        *codes = read;
    return code;
}

static int read_backoff(const struct yaml_node *n, struct span *backoff, struct error_detail *detail)
{
    return yaml_read_span(n, RETRY_BACKOFF_MIN, RETRY_BACKOFF_MAX, backoff, detail);
}

static int read_member(const struct yaml_node *n, bool of_compensation, struct retry_policy *policy,
                       struct error_detail *detail)
{
    if (bytes_equal(n->key, bytes_of_text("maxAttempts"))) {
        uint64_t attempts;
        int code = yaml_read_count(n, 1, RETRY_ATTEMPTS_MAX, &attempts, detail);
        if (code == 0)
            policy->max_attempts = (uint16_t)attempts;
        return code;
    }
    if (bytes_equal(n->key, bytes_of_text("initialBackoff")))
        return read_backoff(n, &policy->initial_backoff, detail);
    if (bytes_equal(n->key, bytes_of_text("maxBackoff")))
        return read_backoff(n, &policy->max_backoff, detail);
    if (bytes_equal(n->key, bytes_of_text("backoffMultiplier")))
        return yaml_read_permille(n, RETRY_MULTIPLIER_PERMILLE_MIN, RETRY_MULTIPLIER_PERMILLE_MAX,
                                  &policy->backoff_multiplier_permille, detail);
    if (bytes_equal(n->key, bytes_of_text("jitter")))
        return yaml_read_permille(n, 0, RETRY_JITTER_PERMILLE_MAX, &policy->jitter_permille, detail);
    if (of_compensation)
        return yaml_refuse_key(n, E_ARGUMENT, detail, "does not apply: a compensation is retried on every status");
    return yaml_read_status_codes(n, &policy->retryable_status_codes, detail);
}

int yaml_read_retry(const struct yaml_node *n, bool of_compensation, struct retry_policy *policy,
                    struct error_detail *detail)
{
    struct retry_policy read = *policy;
    int code = yaml_check_mapping(n, keys, KEY_COUNT, detail);
    for (const struct yaml_node *member = n->first; code == 0 && member != NULL; member = member->next)
        code = read_member(member, of_compensation, &read, detail);
    if (code == 0 && read.initial_backoff.us > read.max_backoff.us) {
        char initial[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE];
        quantity_write_span(read.initial_backoff, initial);
        quantity_write_span(read.max_backoff, max);
        return yaml_refuse(n, E_ARGUMENT, detail, "initialBackoff (%s) is above maxBackoff (%s)", initial, max);
    }
    if (code == 0)
        *policy = read;
    return code;
}
