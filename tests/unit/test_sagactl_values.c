/* How sagactl writes values in JSON, at every bound. It is kept in tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_values write` writes
 * that anew, for its difference to be read. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/times.h"
#include "tests/support/kept_text.h"

#include "saga/v1/operator.pb-c.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void put_value(FILE *out, const ProtobufCMessage *m, const char *field)
{
    json_t *all = json_of_message(m);
    ck_assert_int_eq(json_put(out, json_pack("[O]", json_object_get(all, field)), true), 0);
    json_decref(all);
}

static void put_json(FILE *out)
{
    static const int64_t seconds[] = {0,
                                      1,
                                      -1,
                                      59,
                                      253402300799,
                                      253402300800,
                                      -62135596800,
                                      -62135596801,
                                      INT64_MAX,
                                      INT64_MIN,
                                      INT64_MIN + 1,
                                      315576000000,
                                      315576000001,
                                      -315576000000,
                                      -315576000001,
                                      -30610224000};
    static const int32_t nanos[] = {0,          1,     -1,         500000000,   1000,      1000000,  999999999,
                                    1000000000, -1000, -999999999, -1000000000, 120000000, 123456789};
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__LoopStatus loop = SAGA__V1__LOOP_STATUS__INIT;
    Saga__V1__Rule rule = SAGA__V1__RULE__INIT;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Duration lease = GOOGLE__PROTOBUF__DURATION__INIT;
    Saga__V1__Journal journal = SAGA__V1__JOURNAL__INIT;
    static const char *const strings[] = {"",
                                          "a\"\\\n\x7f",
                                          "\xc3\xa9",
                                          "\xff",
                                          "a\xc3",
                                          "\xe2\x82\xac\xe2\x82",
                                          "\xf0\x9f\x99\x82\xf0\x9f",
                                          "\xed\xa0\x80z"};
    saga.started_at = &at;
    journal.lease = &lease;
    for (size_t i = 0; i < COUNT(seconds); i++)
        for (size_t k = 0; k < COUNT(nanos); k++) {
            at.seconds = lease.seconds = seconds[i];
            at.nanos = lease.nanos = nanos[k];
            fprintf(out, "%" PRId64 " %" PRId32 ": %" PRId64 " ", seconds[i], nanos[k], times_of(&at).us);
            put_value(out, &saga.base, "started_at");
            put_value(out, &journal.base, "lease");
        }
    for (size_t i = 0; i < COUNT(strings); i++) {
        saga.id = (char *)(uintptr_t)strings[i];
        saga.input = (ProtobufCBinaryData){.data = (uint8_t *)saga.id, .len = strlen(strings[i])};
        put_value(out, &saga.base, "id");
        put_value(out, &saga.base, "input");
    }
    for (int state = -1; state < 8; state++) {
        saga.state = (Saga__V1__SagaState)state;
        put_value(out, &saga.base, "state");
    }
    saga.skips = UINT32_MAX;
    put_value(out, &saga.base, "skips");
    loop.live = UINT64_MAX;
    put_value(out, &loop.base, "live");
    rule.dry_run = 1;
    put_value(out, &rule.base, "dry_run");
    struct saga_error error;
    saga_error_set(&error, SAGA_E_NOT_FOUND, "WHY", "field", "words\xff");
    error.retry_delay_ms = 7;
    json_put(out, json_of_error(&error), false);
}

START_TEST(values__are_written_so)
{
    kept_text_compare("tests/fixtures/sagactl/json.txt", put_json);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_values", values__are_written_so);
}
