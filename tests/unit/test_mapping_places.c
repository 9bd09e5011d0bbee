/* What a definition computes: which names its places see, and values that have no place in their fields. */
#include "tests/support/typed_definitions.h"
#include "tests/support/wire_text.h"

#include <stdio.h>
#include <stdlib.h>

static struct mapping_step no_step(const void *saga, unsigned step, unsigned instance)
{
    (void)saga, (void)step, (void)instance;
    return (struct mapping_step){.outcome = OUTCOME_OPEN};
}

/* Of a saga whose input is an order "o-1", the request of its first step. */
static int request_of(const struct definition *d, struct bytes *request, struct error_detail *detail)
{
    uint8_t *wire = pool_take(&pool, 64);
    const struct mapping_view view = {
        .id = {.tag = 1, .serial = 1}, .input = bytes_of(wire, wire_of_text("1:'o-1'", wire, 64)), .step = no_step};
    return mapping_request(d->mapping, &view, 0, false, 4096, &pool, request, detail);
}

START_TEST(mapping__an_output_sees_tags_and_no_step_as_its_own)
{
    definition_destroy(definition(HEAD "tags: {order: =input.order_id}\nsteps:\n  - {name: a, target: t, action: "
                                       "/shapes.Shop/Reserve}\noutput: {sku: =saga.tags.order}\noutput_type: "
                                       "shapes.Line\n"));
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Reserve, compensation: {method: "
                 "/shapes.Shop/Old, request: {sku: =action.key}}}\noutput: {sku: =action.key}\noutput_type: "
                 "shapes.Line\n",
            "nothing has this name: action.key", 7, 16);
    refused(HEAD "steps:\n  - {name: a, for_each: input.lines, max_items: 2, target: t, action: {method: "
                 "/shapes.Shop/Old, request: {sku: =item.sku}}}\noutput: {sku: =item.sku}\noutput_type: shapes.Line\n",
            "nothing has this name: item.sku", 7, 16);
}
END_TEST

/* What is computed and has no place in its field is told with the expression; so is what no message may hold. */
START_TEST(mapping__a_value_that_does_not_fit_its_field_is_told)
{
    static const struct {
        const char *request, *words;
    } cases[] = {
        {"{quantity: \"=size(input.order_id) * 1000000000\"}",
         "range: the number does not fit the field quantity, in: size(input.order_id) * 1000000000"},
        {"{quantity: \"=input.lines[5].quantity\"}", "index out of range, in: input.lines[5].quantity"},
        {"\"=Line{quantity: size(input.order_id) * 1000000000}\"",
         "range: the number does not fit the field quantity, in: Line{quantity: size(input.order_id) * 1000000000}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct bytes request;
        struct error_detail detail = {.text = ""};
        snprintf(text, sizeof text,
                 HEAD "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: %s}}\n",
                 cases[i].request);
        struct definition *d = definition(text);
        ck_assert_int_eq(request_of(d, &request, &detail), E_EXPRESSION);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL, "%s", detail.text);
        definition_destroy(d);
    }
}
END_TEST

/* A field that is called as one of the input is another message's. */
START_TEST(mapping__only_the_inputs_own_fields_are_copied)
{
    static const struct {
        const char *expression, *wanted;
    } cases[] = {
        {"input.order_id", "1:'o-1'"},
        {"Order{order_id: 'x'}.order_id", "1:'x'"},
        {"[input, Order{order_id: 'y'}][1].order_id", "1:'y'"},
        {"input.order_id + ''", "1:'o-1'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        uint8_t wanted[64];
        struct bytes request;
        struct error_detail detail = {.text = ""};
        snprintf(text, sizeof text,
                 HEAD "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Reserve, request: {order_id: "
                      "\"=%s\"}}}\n",
                 cases[i].expression);
        struct definition *d = definition(text);
        ck_assert_msg(request_of(d, &request, &detail) == 0, "%s", detail.text);
        ck_assert_msg(bytes_equal(request, bytes_of(wanted, wire_of_text(cases[i].wanted, wanted, sizeof wanted))),
                      "%s", cases[i].expression);
        definition_destroy(d);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("mapping_places");
    Suite *s = suite_create("mapping_places");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, mapping__an_output_sees_tags_and_no_step_as_its_own);
    tcase_add_test(c, mapping__a_value_that_does_not_fit_its_field_is_told);
    tcase_add_test(c, mapping__only_the_inputs_own_fields_are_copied);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
