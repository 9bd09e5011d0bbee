/* fuzz_config.c - any bytes as sagad.yaml: it is refused with words, or every option is within its bounds. */
#include "sidecar/base/check.h"
#include "sidecar/config/config_options.h"
#include "transport/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void check_option(const struct option *o, const void *base)
{
    const void *field = (const char *)base + o->offset;
    int64_t value = o->min;
    if (o->type == OPTION_COUNT)
        value = *(const uint32_t *)field;
    else if (o->type == OPTION_SIZE)
        value = (int64_t) * (const uint64_t *)field;
    else if (o->type == OPTION_SPAN)
        value = ((const struct span *)field)->us;
    else if (o->type == OPTION_TEXT)
        value = (int64_t)strlen(*(const char *const *)field);
    CHECK(value >= o->min && value <= o->max);
}

static void check_config(const struct config *c)
{
    struct address address;
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++)
        check_option(&config_options[i], c);
    CHECK(c->listen_count >= 1 && c->listen_count <= CONFIG_LISTEN_MAX && c->target_count <= CONFIG_TARGETS_MAX);
    for (size_t i = 0; i < c->listen_count; i++)
        CHECK(address_read(c->listen[i], &address) == NULL &&
              address_security_of(&address, config_has_certificates(c)) != ADDRESS_UNSAID);
    for (size_t i = 0; i < c->target_count; i++) {
        CHECK(definition_name_valid(bytes_of_text(c->targets[i].name), STEP_NAME_BYTES_MAX));
        CHECK(address_read_target(c->targets[i].address, &address) == NULL &&
              address_security_of(&address, config_has_certificates(c)) != ADDRESS_UNSAID);
        for (size_t j = 0; j < TARGET_OPTION_COUNT; j++)
            check_option(&config_target_options[j], &c->targets[i]);
    }
    CHECK(c->calls_max > c->streams_max && c->message_bytes_max > c->payload_bytes_max);
    CHECK(c->log_level <= CONFIG_LOG_DEBUG && c->log_format <= CONFIG_LOG_JSON);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct config *c = NULL;
    struct error_detail detail;
    char line[512];
    int code = config_read_text(bytes_of(at, size), &c, &detail);
    if (code != 0) {
        CHECK(c == NULL && config_describe_error("f", code, &detail, line, sizeof line) > 2);
        return 0;
    }
    check_config(c);
    config_destroy(c);
    return 0;
}
