/* Packed messages walked, and refused before they are unpacked. */
#include "sidecar/api/packed.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

static struct error_detail detail;
static const struct packed_bound bounds[] = {
    {.field = "enlist", .count_max = 3, .code = E_STEPS},
    {.field = "settle", .count_max = 2, .code = E_ARGUMENT, .text = "too many"},
    {.field = NULL},
};

#define ck_refused(call, code, at) \
    do { \
        ck_assert_int_eq((call), (code)); \
        ck_assert_str_eq(detail.field, (at)); \
    } while (0)

static int check(const ProtobufCMessageDescriptor *type, const void *bytes, size_t size)
{
    return packed_check(type, bytes_of(bytes, size), bounds, &detail);
}

START_TEST(packed__texts_are_found_by_name)
{
    const ProtobufCMessageDescriptor *start = &saga__v1__start_request__descriptor;
    /* definition "d", a varint, eight and four bytes of unknown fields, request_id "a", then again "bc" */
    static const char message[] = "\x0a\x01"
                                  "d"
                                  "\x50\x96\x01"
                                  "\x59"
                                  "12345678"
                                  "\x65"
                                  "1234"
                                  "\x1a\x01"
                                  "a"
                                  "\x1a\x02"
                                  "bc"
                                  "\x0a\x01"
                                  "d"
                                  "\x18\x05"; /* a number in its place is none */
    struct bytes whole = bytes_of(message, sizeof message - 1);
    ck_assert(bytes_equal(packed_text(start, whole, "request_id"), bytes_of_text("bc")));
    ck_assert(bytes_equal(packed_text(start, whole, "definition"), bytes_of_text("d")));
    ck_assert_uint_eq(packed_text(start, whole, "version").size, 0);
    ck_assert_uint_eq(packed_text(start, whole, "no_such_field").size, 0);
    ck_assert_uint_eq(packed_text(start, bytes_of(NULL, 0), "request_id").size, 0);
    for (size_t cut = 1; cut < sizeof message - 1; cut++)
        packed_text(start, bytes_of(message, cut), "request_id");
}
END_TEST

/* In a list and in what the message holds, too. */
START_TEST(packed__texts_are_utf8)
{
    static const char good[] = "\x0a\x02\xc3\xa9", bad[] = "\x0a\x02\xc3(";
    static const char nested[] = "\x32\x03\x0a\x01\xff";
    ck_assert_int_eq(check(&saga__v1__hold_definition_request__descriptor, good, 4), 0);
    ck_refused(check(&saga__v1__hold_definition_request__descriptor, bad, 4), E_ARGUMENT, "definition");
    ck_refused(check(&saga__v1__verify_request__descriptor, bad, 4), E_ARGUMENT, "heads[0]");
    ck_refused(check(&saga__v1__begin_request__descriptor, nested, 5), E_ARGUMENT, "enlist[0].step");
    ck_assert_int_eq(check(&saga__v1__settlement__descriptor, "\x1a\x01\xff", 3), 0); /* bytes are any */
}
END_TEST

START_TEST(packed__what_is_no_message_is_refused)
{
    static const char *const none[] = {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                       "\x0a\x7f"
                                       "x",
                                       "\x0b",
                                       "\x0c",
                                       "\x0a",
                                       "\x59"
                                       "1234"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        ck_refused(check(&saga__v1__start_request__descriptor, none[i], strlen(none[i])), E_ARGUMENT, "");
        ck_assert_str_eq(detail.text, "the request cannot be read as saga.v1.StartRequest");
    }
}
END_TEST

START_TEST(packed__a_nul_in_any_text_is_refused_by_name)
{
    static const char request_id[] = "\x0a\x01"
                                     "d"
                                     "\x1a\x03"
                                     "a\0b";
    ck_refused(check(&saga__v1__start_request__descriptor, request_id, sizeof request_id - 1), E_ARGUMENT,
               "request_id");
    static const char last[] = "\x1a\x02"
                               "a\0";
    ck_refused(check(&saga__v1__start_request__descriptor, last, sizeof last - 1), E_ARGUMENT, "request_id");
    /* enlist[1].compensation.target of a command */
    static const char deep[] = "\x1a\x0f"
                               "\x12\x03"
                               "\x0a\x01"
                               "s"
                               "\x12\x08"
                               "\x12\x06"
                               "\x0a\x01"
                               "t"
                               "\x12\x01"
                               "m";
    ck_assert_int_eq(check(&saga__v1__command__descriptor, deep, sizeof deep - 1), 0);
    static const char nul[] = "\x1a\x0f"
                              "\x12\x03"
                              "\x0a\x01"
                              "s"
                              "\x12\x08"
                              "\x12\x06"
                              "\x0a\x01"
                              "\0"
                              "\x12\x01"
                              "m";
    ck_refused(check(&saga__v1__command__descriptor, nul, sizeof nul - 1), E_ARGUMENT,
               "enlist.enlist[1].compensation.target");
    /* Bytes are no text. */
    static const char input[] = "\x22\x03"
                                "a\0b";
    ck_assert_int_eq(check(&saga__v1__start_request__descriptor, input, sizeof input - 1), 0);
}
END_TEST

START_TEST(packed__every_text_of_every_request_is_looked_at)
{
    static const ProtobufCServiceDescriptor *const services[] = {&saga__v1__coordinator__descriptor,
                                                                 &saga__v1__operator__descriptor};
    unsigned texts = 0;
    for (size_t s = 0; s < 2; s++)
        for (unsigned i = 0; i < services[s]->n_methods; i++) {
            const ProtobufCMessageDescriptor *type = services[s]->methods[i].input;
            for (unsigned f = 0; f < type->n_fields; f++) {
                if (type->fields[f].type != PROTOBUF_C_TYPE_STRING)
                    continue;
                const uint8_t message[] = {(uint8_t)(type->fields[f].id << 3 | 2), 2, 'x', 0};
                char name[64];
                snprintf(name, sizeof name, "%s%s", type->fields[f].name,
                         type->fields[f].label == PROTOBUF_C_LABEL_REPEATED ? "[0]" : "");
                ck_refused(check(type, message, sizeof message), E_ARGUMENT, name);
                texts++;
            }
        }
    ck_assert_uint_gt(texts, 30);
}
END_TEST

START_TEST(packed__lists_are_counted_before_they_are_built)
{
    const ProtobufCMessageDescriptor *enlist = &saga__v1__enlist_request__descriptor;
    ck_assert_int_eq(check(enlist, "\x12\0\x12\0\x12\0\x1a\0\x1a\0", 10), 0);
    ck_refused(check(enlist, "\x12\0\x12\0\x12\0\x1a\0\x12\0", 10), E_STEPS, "enlist[3]");
    ck_refused(check(enlist, "\x1a\0\x1a\0\x1a\0", 6), E_ARGUMENT, "settle[2]");
    ck_assert_str_eq(detail.text, "too many");
    /* Packed numbers are counted one by one: states of a List. */
    uint8_t states[3 + 1001] = {0x0a, 0xe9, 0x07};
    memset(states + 3, 1, 1001);
    ck_refused(check(&saga__v1__list_request__descriptor, states, sizeof states), E_ARGUMENT, "states[1000]");
    /* What says nothing is counted, too: a field that nobody knows, and one value over and over. */
    static uint8_t idle[3000];
    for (size_t i = 0; i < sizeof idle; i += 3)
        memcpy(idle + i, "\xf8\x7f\x01", 3);
    ck_assert_int_eq(check(enlist, idle, sizeof idle), 0);
    for (size_t i = 0; i < sizeof idle; i += 2)
        memcpy(idle + i, "\x0a\0", 2);
    ck_refused(check(enlist, idle, sizeof idle), E_ARGUMENT, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packed");
    TCase *tc = tcase_create("packed");
    tcase_add_test(tc, packed__texts_are_found_by_name);
    tcase_add_test(tc, packed__texts_are_utf8);
    tcase_add_test(tc, packed__what_is_no_message_is_refused);
    tcase_add_test(tc, packed__a_nul_in_any_text_is_refused_by_name);
    tcase_add_test(tc, packed__every_text_of_every_request_is_looked_at);
    tcase_add_test(tc, packed__lists_are_counted_before_they_are_built);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
