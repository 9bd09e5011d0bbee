/* Definitions with types: what they compute, and what is wrong with them, with line and column. */
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/mapping/mapping.h"
#include "sidecar/message/build.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>

static struct schema *schema;
static struct definition_limits limits;
static struct pool pool;

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    *hash = "cafe";
    return strcmp(name, "shop") == 0 ? schema : NULL;
}

static void setup(void)
{
    schema = shapes_schema();
    limits = definition_limits_default();
    limits.schemas.find = find;
    pool_init(&pool, &heap, MAPPING_MEMORY_MAX);
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

#define HEAD "name: checkout\nversion: 2.0.0\nschema: shop\ninput: shapes.Order\n"

static struct definition *definition(const char *text)
{
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    ck_assert_ptr_nonnull(d->mapping);
    return d;
}

static void refused(const char *text, const char *words, int line, int column)
{
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code != 0, "it was taken: %s", text);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%s: %s", detail.field, detail.text);
    ck_assert_msg(detail.line == line && detail.column == column, "%d:%d: %s", detail.line, detail.column, detail.text);
}

static struct bytes line(const char *sku, int64_t quantity)
{
    const struct message_type *t = shapes_type(schema, "Line");
    struct builder b;
    struct bytes wire;
    builder_init(&b, &pool, 4096);
    build_field(&b, shapes_field(t, "sku"), &(struct value){.kind = FIELD_STRING, .text = bytes_of_text(sku)});
    build_field(&b, shapes_field(t, "quantity"), &(struct value){.kind = FIELD_INT32, .i = quantity});
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    return wire;
}

static struct bytes order(const char *id)
{
    const struct message_type *t = shapes_type(schema, "Order");
    struct builder b;
    struct bytes wire;
    builder_init(&b, &pool, 4096);
    build_field(&b, shapes_field(t, "order_id"), &(struct value){.kind = FIELD_STRING, .text = bytes_of_text(id)});
    build_field(&b, shapes_field(t, "lines"), &(struct value){.kind = FIELD_MESSAGE, .text = line("nut", 3)});
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    return wire;
}

/* A saga whose first step answered a line, or whose outcome is not known. */
struct saga {
    bool unknown;
    struct bytes output;
};

static struct mapping_step step_of(const void *saga, unsigned step, unsigned instance)
{
    const struct saga *s = saga;
    (void)instance;
    if (step > 0)
        return (struct mapping_step){.outcome = OUTCOME_OPEN};
    return (struct mapping_step){
        .outcome = s->unknown ? OUTCOME_UNKNOWN : OUTCOME_DONE, .output = s->output, .generation = 1};
}

static struct mapping_view view_of(const struct saga *s, const char *id)
{
    return (struct mapping_view){.id = {.tag = 0x9f03c1d2a4b7, .serial = 42},
                                 .started_at = {.us = 1500000},
                                 .input = order(id),
                                 .saga = s,
                                 .step = step_of};
}

/* What a request is, as text of the language. */
static void maps_to(const struct definition *d, const struct saga *s, unsigned step, bool compensation,
                    const char *wanted, size_t size)
{
    struct mapping_view view = view_of(s, "o-1");
    struct bytes request;
    struct error_detail detail = {.text = ""};
    int code = mapping_request(d->mapping, &view, step, compensation, 4096, &pool, &request, &detail);
    ck_assert_msg(code == 0, "%s", detail.text);
    ck_assert_msg(bytes_equal(request, bytes_of(wanted, size)), "another request of %zu bytes", request.size);
}

static const char whole[] =
    HEAD "let:\n"
         "  count: size(input.lines)\n"
         "require:\n"
         "  - {that: count > 0, else: an order needs lines}\n"
         "  - {that: \"input.order_id != ''\", else: an order has an id}\n"
         "steps:\n"
         "  - name: reserve\n"
         "    target: shop\n"
         "    action: {method: /shapes.Shop/Reserve, request: =input}\n"
         "    compensation:\n"
         "      method: /shapes.Shop/Old\n"
         "      request: {sku: =action.key, quantity: \"=has(action.output) ? action.output.quantity : 0\"}\n"
         "  - name: note\n"
         "    after: [reserve]\n"
         "    when: steps.reserve.output.quantity > 2\n"
         "    target: shop\n"
         "    action:\n"
         "      method: /shapes.Shop/Reserve\n"
         "      request:\n"
         "        order_id: =input.order_id + '/' + saga.id\n"
         "        lines: [{sku: =steps.reserve.output.sku, quantity: 7}, =steps.reserve.output]\n"
         "        counts: {all: =count}\n"
         "        color: BLUE\n"
         "        at: 2026-11-28T00:00:00Z\n"
         "    compensation: none\n";

START_TEST(mapping__requests_are_made_of_input_and_outputs)
{
    struct definition *d = definition(whole);
    struct saga s = {.output = line("bolt", 3)};
    struct bytes input = order("o-1");
    maps_to(d, &s, 0, false, (const char *)input.at, input.size);
    static const char undo[] = "\x0a\x1f"
                               "9f03c1d2a4b7-2a/reserve/action#2"
                               "\x10\x03";
    char undone[sizeof undo];
    memcpy(undone, undo, sizeof undo);
    undone[1] = 32;
    maps_to(d, &s, 0, true, undone, sizeof undo - 1);
    static const char note[] = "\x0a\x13o-1/9f03c1d2a4b7-2a\x1a\x08\x0a\x04"
                               "bolt\x10\x07\x1a\x08\x0a\x04"
                               "bolt\x10\x03\x22\x07\x0a\x03"
                               "all\x10\x01"
                               "\x50\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\xa2\x06\x06\x08\x80\xb3\xa8\xd8\x06";
    maps_to(d, &s, 1, false, note, sizeof note - 1);
    s.unknown = true;
    undone[sizeof undo - 3] = '\0';
    maps_to(d, &s, 0, true, undone, sizeof undo - 3);
    ck_assert(!d->steps[1].has_compensation && d->steps[0].action.source == REQUEST_MAPPED);
    definition_destroy(d);
}
END_TEST

/* As they were computed when the saga started; what is computed before they are there does not see them. */
START_TEST(mapping__steps_see_the_tags)
{
    static const char text[] = HEAD
        "tags: {order: =input.order_id, kind: some}\n"
        "steps:\n"
        "  - name: a\n"
        "    target: shop\n"
        "    action: {method: /shapes.Shop/Reserve, request: {order_id: \"=saga.tags.order + '/' + saga.tags['kind'] + "
        "string(size(saga.tags))\"}}\n"
        "    compensation: {method: /shapes.Shop/Old, request: {sku: \"='x' in saga.tags ? saga.tags.x : 'none'\"}}\n";
    struct definition *d = definition(text);
    struct saga s = {.unknown = true};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail;
    struct bytes request;
    ck_assert_int_eq(mapping_tags(d->mapping, &view, &pool, &view.tags, &detail), 0);
    ck_assert_int_eq(mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail), 0);
    ck_assert(bytes_equal(request, bytes_of_text("\x0a\x09o-1/some2")));
    ck_assert_int_eq(mapping_request(d->mapping, &view, 0, true, 4096, &pool, &request, &detail), 0);
    ck_assert(bytes_equal(request, bytes_of_text("\x0a\x04none")));
    /* A saga without tags has none of a name. */
    view.tags = bytes_of(NULL, 0);
    ck_assert_int_eq(mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail), E_EXPRESSION);
    ck_assert_ptr_nonnull(strstr(detail.text, "no such key"));
    definition_destroy(d);
    refused(HEAD "tags: {a: =saga.tags.b}\nsteps:\n  - {name: a, target: t, action: /shapes.Shop/Reserve}\n",
            "nothing has this name: saga.tags", 5, 12);
}
END_TEST

START_TEST(mapping__conditions_and_requirements)
{
    struct definition *d = definition(whole);
    struct error_detail detail = {.text = ""};
    struct saga s = {.output = line("bolt", 3)};
    struct mapping_view view = view_of(&s, "o-1");
    ck_assert_int_eq(mapping_require(d->mapping, &view, &pool, &detail), 0);
    ck_assert_int_eq(mapping_when(d->mapping, &view, 0, &pool, &detail), 1);
    ck_assert_int_eq(mapping_when(d->mapping, &view, 1, &pool, &detail), 1);
    s.output = line("bolt", 2);
    ck_assert_int_eq(mapping_when(d->mapping, &view, 1, &pool, &detail), 0);
    s.unknown = true;
    ck_assert_int_eq(mapping_when(d->mapping, &view, 1, &pool, &detail), E_EXPRESSION);
    ck_assert_msg(strstr(detail.text, "not there") != NULL && strstr(detail.text, "in: steps.reserve") != NULL, "%s",
                  detail.text);
    view = view_of(&s, "");
    ck_assert_int_eq(mapping_require(d->mapping, &view, &pool, &detail), E_REQUIRED);
    ck_assert_str_eq(detail.text, "an order has an id");
    definition_destroy(d);
}
END_TEST

#define STEP \
    "steps:\n  - name: reserve\n    target: shop\n    action:\n      method: /shapes.Shop/Reserve\n      request: "

#define TYPED_STEP "steps: [{name: reserve, target: shop, action: /shapes.Shop/Reserve, compensation: none}]\n"

START_TEST(mapping__what_is_wrong_is_told_with_its_place)
{
    refused(HEAD STEP "{ordr_id: x}\n", "did you mean order_id?", 10, 17);
    refused(HEAD STEP "{order_id: =input.nothing}\n", "shapes.Order.nothing", 10, 33);
    refused(HEAD STEP "{order_id: =input.lines}\n", "this is list(shapes.Line), and should be string", 10, 28);
    refused(HEAD STEP "{priority: soon}\n", "", 10, 27);
    refused(HEAD STEP "{color: PURPLE}\n", "", 10, 24);
    refused(HEAD STEP "{card: a, cash: true}\n", "excludes card", 10, 26);
    refused(HEAD STEP "{lines: {sku: a}}\n", "must be a list", 10, 24);
    refused(HEAD STEP "{order_id: =steps.later.output.sku}\n", "nothing has this name: steps.later.output.sku", 10, 28);
    refused(HEAD STEP "{order_id: \"=action.key\"}\n", "nothing has this name: action.key", 10, 29);
    refused(HEAD STEP "{order_id: =inptu.order_id}\n", "nothing has this name: inptu; did you mean input?", 10, 28);
    refused(HEAD STEP "{order_id: =saga.idd}\n", "nothing has this name: saga.idd; did you mean saga.id?", 10, 28);
    refused(HEAD STEP "{order_id: \"=[1].exists(itemm, iten == 1) ? 'a' : 'b'\"}\n",
            "nothing has this name: iten; did you mean itemm?", 10, 47);
    refused(HEAD TYPED_STEP "output: {sku: =steps.reserv.output.sku}\noutput_type: shapes.Line\n",
            "nothing has this name: steps.reserv; did you mean steps.reserve?", 6, 16);
    refused(HEAD TYPED_STEP "output: {sku: =steps.reserve.outptu.sku}\noutput_type: shapes.Line\n",
            "nothing has this name: steps.reserve.outptu; did you mean steps.reserve.output?", 6, 16);
    refused(HEAD TYPED_STEP "output: {sku: =steps.reserve}\noutput_type: shapes.Line\n",
            "nothing has this name: steps.reserve; did you mean steps.reserve.output", 6, 16);
    refused(HEAD TYPED_STEP "output: {sku: =steps}\noutput_type: shapes.Line\n",
            "nothing has this name: steps; did you mean steps.reserve.output", 6, 16);
    refused(HEAD STEP "{order_id: =definition}\n", "nothing has this name: definition; did you mean saga.definition?",
            10, 28);
    refused(HEAD STEP "=input.order_id\n", "this is string, and should be shapes.Order", 10, 17);
    refused(HEAD "steps:\n  - {name: a-b, when: \"true\", target: t, action: /shapes.Shop/Reserve}\n",
            "expressions name this step", 6, 12);
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Nothing}\n", "no such method", 6, 34);
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Follow}\n", "is a method of streams", 6, 34);
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Old}\n", "the saga's input is a shapes.Order",
            6, 34);
    refused(HEAD "let: {input: '1'}\n" STEP "=input\n", "has a meaning already", 5, 7);
    refused(HEAD "let: {a: b, b: '1'}\n" STEP "=input\n", "nothing has this name: b", 5, 10);
    refused(HEAD "require: [{that: input.order_id, else: no}]\n" STEP "=input\n", "this is string, and should be bool",
            5, 18);
    refused(HEAD "steps:\n  - {name: a, pivot: true, when: \"true\", target: t, action: /shapes.Shop/Reserve}\n",
            "never skipped", 6, 28);
    refused("name: a\nversion: 1.0.0\nsteps: [{name: a, when: 'true', target: t, action: /a.B/C}]\n",
            "is not a name that can stand here", 3, 19);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mapping");
    TCase *c = tcase_create("mapping");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, mapping__steps_see_the_tags);
    tcase_add_test(c, mapping__requests_are_made_of_input_and_outputs);
    tcase_add_test(c, mapping__conditions_and_requirements);
    tcase_add_test(c, mapping__what_is_wrong_is_told_with_its_place);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
