/* Definitions with types: what they compute, and what is wrong with them, with line and column. */
#include "sidecar/message/build.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"
#include "tests/support/typed_definitions.h"
#include "tests/support/wire_text.h"

#include <stdio.h>

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
    ck_assert_str_eq(detail.field, "input");
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
    /* A deferred step is not over when the output is computed. */
    refused(HEAD
            "forward_only: true\nsteps: [{name: a, target: shop, action: /shapes.Shop/Reserve}, {name: mail, target: "
            "shop, deferred: true, action: /shapes.Shop/Reserve}]\n"
            "output: {a: =steps.mail.outcome}\n",
            "nothing has this name: steps.mail", 7, 14);
    refused(HEAD STEP "{order_id: =definition}\n", "nothing has this name: definition; did you mean saga.definition?",
            10, 28);
    refused(HEAD STEP "=input.order_id\n", "this is string, and should be shapes.Order", 10, 17);
    refused(HEAD "steps:\n  - {name: a-b, when: \"true\", target: t, action: /shapes.Shop/Reserve}\n",
            "expressions name this step", 6, 12);
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Nothing}\n", "no such method", 6, 34);
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Follow}\n", "is a method of streams", 6, 34);
    refused(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Old}\n", "the saga's input is a shapes.Order",
            6, 34);
    /* A loop has its list of outputs, with whatever is in it. */
    refused(HEAD
            "steps:\n  - {name: each, target: shop, for_each: input.lines, max_items: 3, compensation: none, action: "
            "{method: /shapes.Shop/Old, request: =item}}\noutput: {a: =has(steps.each.output)}\n",
            "always has a value", 7, 28);
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

/* Each thing that goes with a call, or is given to who waits, as its bytes. */
static void packs(struct bytes packed, const char *wanted, size_t size)
{
    ck_assert_msg(bytes_equal(packed, bytes_of(wanted, size)), "%.*s", (int)packed.size, (const char *)packed.at);
}

/* A text may be computed as a string, a whole number or a bool, has a bound, and says what is wrong with it. */
START_TEST(mapping__tags_and_metadata_are_texts)
{
    static const char text[] =
        HEAD "tags: {id: =input.order_id, n: =size(input.lines), u: =18446744073709551615u, b: =input.cash, t: plain}\n"
             "steps:\n  - name: a\n    target: shop\n    action: /shapes.Shop/Reserve\n    compensation: none\n"
             "    metadata: {x-id: =input.order_id, x-n: \"=-5\", x-t: \"=true\", x-s: =saga.started_at.getFullYear(), "
             "x-m: =saga.started_at.getMilliseconds(), x-p: some}\n";
    struct definition *d = definition(text);
    struct saga s = {.unknown = true};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail = {.text = ""};
    struct bytes packed;
    ck_assert_int_eq(mapping_tags(d->mapping, &view, &pool, &packed, &detail), 0);
    static const char tags[] = "id\0o-1\0n\0001\0u\00018446744073709551615\0b\0false\0t\0plain";
    packs(packed, tags, sizeof tags);
    ck_assert_int_eq(mapping_metadata(d->mapping, &view, 0, &pool, &packed, &detail), 0);
    static const char metadata[] = "x-id\0o-1\0x-n\0-5\0x-t\0true\0x-s\0001970\0x-m\000500\0x-p\0some";
    packs(packed, metadata, sizeof metadata);
    ck_assert(mapping_has_tags(d->mapping) && mapping_has_metadata(d->mapping, 0));
    /* A tag may be any text without a NUL, metadata printable ASCII; both have a bound. */
    static const struct {
        const char *id;
        size_t repeated; /* so many times */
        bool tag, header;
    } cases[] = {{"a", 256, true, true},       {"a", 257, false, false},       {"", 1, true, true},
                 {" ~", 1, true, true},        {"\x1f", 1, true, false},       {"\x7f", 1, true, false},
                 {"\xc3\xa9", 1, true, false}, {"\xc3\xa9", 128, true, false}, {"\xc3\xa9", 129, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char id[300] = "";
        for (size_t k = 0; k < cases[i].repeated; k++)
            strcat(id, cases[i].id);
        view = view_of(&s, id);
        ck_assert_int_eq(mapping_tags(d->mapping, &view, &pool, &packed, &detail), cases[i].tag ? 0 : E_EXPRESSION);
        ck_assert(cases[i].tag || strcmp(detail.text, "id is no tag: at most 256 bytes without a NUL") == 0);
        ck_assert_int_eq(mapping_metadata(d->mapping, &view, 0, &pool, &packed, &detail),
                         cases[i].header ? 0 : E_EXPRESSION);
        ck_assert(cases[i].header ||
                  strcmp(detail.text, "x-id is no metadata: at most 256 bytes of printable ASCII") == 0);
    }
    definition_destroy(d);
    d = definition(HEAD "tags: {n: \"=dyn(1.5)\"}\n" STEP "=input\n");
    ck_assert_int_eq(mapping_tags(d->mapping, &view, &pool, &packed, &detail), E_EXPRESSION);
    ck_assert_str_eq(detail.text, "this is no text, no whole number and no bool: dyn(1.5)");
    ck_assert(!mapping_has_metadata(d->mapping, 0));
    definition_destroy(d);
    /* What cannot be computed says why, whatever it was for. */
    d = definition(
        HEAD "tags: {n: =string(1 / (size(input.lines) - 1))}\nsteps:\n  - name: a\n    target: {oneof: [t, u], by: "
             "\"input.lines[1].sku\"}\n    action: /shapes.Shop/Reserve\n    compensation: none\n    metadata: {x-n: "
             "\"=input.counts['x']\"}\n");
    view = view_of(&s, "o-1");
    ck_assert_int_eq(mapping_tags(d->mapping, &view, &pool, &packed, &detail), E_EXPRESSION);
    ck_assert_msg(strstr(detail.text, "divide by zero") != NULL, "%s", detail.text);
    ck_assert_int_eq(mapping_metadata(d->mapping, &view, 0, &pool, &packed, &detail), E_EXPRESSION);
    ck_assert_msg(strstr(detail.text, "no such key") != NULL, "%s", detail.text);
    ck_assert_int_eq(mapping_target(d->mapping, &view, 0, &pool, &packed, &detail), E_EXPRESSION);
    ck_assert_msg(strstr(detail.text, "index out of range") != NULL, "%s", detail.text);
    definition_destroy(d);
}
END_TEST

/* A start is told to the microsecond, also one that a clock put before 1970. */
START_TEST(mapping__a_saga_has_a_time_of_its_start)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},           {1, "1970-01-01T00:00:00.000001Z"},
                 {1500000, "1970-01-01T00:00:01.500Z"}, {-1, "1969-12-31T23:59:59.999999Z"},
                 {-1000000, "1969-12-31T23:59:59Z"},    {-1500000, "1969-12-31T23:59:58.500Z"}};
    struct definition *d = definition(HEAD "tags: {at: =string(saga.started_at)}\n" TYPED_STEP);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct saga s = {.unknown = true};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail;
        struct bytes packed;
        view.started_at.us = cases[i].us;
        ck_assert_int_eq(mapping_tags(d->mapping, &view, &pool, &packed, &detail), 0);
        ck_assert_str_eq((const char *)packed.at + 3, cases[i].text);
    }
    definition_destroy(d);
}
END_TEST

/* Who waits is given a Struct: numbers and bools as JSON has them, anything else a text, and what is computed. */
START_TEST(mapping__an_output_without_a_type_is_an_object)
{
    static const struct {
        const char *output, *json;
    } cases[] = {
        {"{a: 1, b: -2.5, c: true, d: false}", "{\"a\":1,\"b\":-2.5,\"c\":true,\"d\":false}"},
        {"{a: '1', b: 'true', c: \"false\"}", "{\"a\":\"1\",\"b\":\"true\",\"c\":\"false\"}"},
        {"{a: plain text, b: 1.2.3, c: 1-2, d: True}",
         "{\"a\":\"plain text\",\"b\":\"1.2.3\",\"c\":\"1-2\",\"d\":\"True\"}"},
        {"{a: \"it's a \\\\ and\\nmore\"}", "{\"a\":\"it's a \\\\ and\\nmore\"}"},
        {"{id: =input.order_id, n: =size(input.lines), list: \"=[1, true]\", of: \"={'k': null}\"}",
         "{\"id\":\"o-1\",\"list\":[1,true],\"n\":1,\"of\":{\"k\":null}}"},
        {"{o: =steps.reserve.outcome}", "{\"o\":\"done\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD TYPED_STEP "output: %s\n", cases[i].output);
        struct definition *d = definition(text);
        struct saga s = {.output = line("bolt", 3)};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail = {.text = ""};
        struct bytes output, json;
        int code = mapping_output(d->mapping, &view, 4096, &pool, &output, &detail);
        ck_assert_msg(code == 0, "%s: %s", text, detail.text);
        ck_assert_str_eq((const char *)mapping_output_type(d->mapping)->name.at, "google.protobuf.Struct");
        ck_assert_int_eq(json_write(NULL, mapping_output_type(d->mapping), output, false, &pool, 4096, &json, &detail),
                         0);
        ck_assert_str_eq((const char *)json.at, cases[i].json);
        definition_destroy(d);
    }
    refused(HEAD TYPED_STEP "output: {a: {b: 1}}\n", "must be a value or an expression: \"={'key': input.id}\"", 6, 13);
    refused(HEAD TYPED_STEP "output: {\"\": 1}\n", "a name is 1 to 64 bytes", 6, 10);
#define NAME "a_name_of_all_the_sixty_four_bytes_that_the_name_of_one_may_have"
    ck_assert_uint_eq(sizeof NAME - 1, 64);
    definition_destroy(definition(HEAD TYPED_STEP "output: {" NAME ": 1}\n"));
    refused(HEAD TYPED_STEP "output: {" NAME "s: 1}\n", "a name is 1 to 64 bytes", 6, 10);
#undef NAME
    /* What it is a message of is one of the schema's, and no map's entry. */
    static const char *const none[] = {"shapes.Nobody", "shapes.Order.CountsEntry", "[shapes.Order]"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD TYPED_STEP "output: {}\noutput_type: %s\n", none[i]);
        refused(text, "the schema has no such message", 7, 14);
    }
    refused(HEAD TYPED_STEP "output_type: shapes.Order\n", "is the type of output, which is not there", 6, 1);
    refused(HEAD TYPED_STEP "output: {a: =input.nothing}\n", "shapes.Order.nothing", 6, 19);
}
END_TEST

/* An instance of a loop has its own item, index and key; how many there are is counted, within their bound. */
START_TEST(mapping__an_instance_of_a_loop_has_its_own)
{
    static const char text[] = HEAD
        "steps:\n  - name: each\n    target: shop\n    for_each: \"['x', 'y', input.order_id]\"\n    max_items: 3\n"
        "    action: {method: /shapes.Shop/Old, request: {sku: =item, quantity: =index}}\n"
        "    compensation: {method: /shapes.Shop/Old, request: {sku: =action.key + action.request.sku}}\n"
        "  - name: few\n    after: [each]\n    target: shop\n    for_each: input.lines\n    max_items: 3\n"
        "    action: {method: /shapes.Shop/Old, request: =item}\n    compensation: none\n";
    struct definition *d = definition(text);
    struct saga s = {.unknown = true};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail = {.text = ""};
    struct bytes request;
    ck_assert_int_eq(mapping_counts(d->mapping, &view, &pool, &request, &detail), 0);
    packs(request, "\3\0\1\0", 4);
    for (view.instance = 0; view.instance < 3; view.instance++) {
        static const char *const items[] = {"x", "y", "o-1"};
        char wanted[128];
        int size = snprintf(wanted, sizeof wanted, "\x0a%c%s\x10%c", (char)strlen(items[view.instance]),
                            items[view.instance], view.instance);
        ck_assert_int_eq(mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail), 0);
        packs(request, wanted, view.instance == 0 ? (size_t)size - 2 : (size_t)size);
        ck_assert_int_eq(mapping_request(d->mapping, &view, 0, true, 4096, &pool, &request, &detail), 0);
        size =
            snprintf(wanted, sizeof wanted, "9f03c1d2a4b7-2a/each[%d]/action#2%s", view.instance, items[view.instance]);
        packs(bytes_of(request.at + 2, request.size - 2), wanted, (size_t)size);
    }
    ck_assert_int_eq(mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail), E_EXPRESSION);
    ck_assert_str_eq(detail.text, "the loop's list has no such item any more");
    definition_destroy(d);
    d = definition(HEAD "steps:\n  - name: each\n    target: shop\n    for_each: \"[1, 2, 3, 4]\"\n    max_items: 3\n"
                        "    action: {method: /shapes.Shop/Old, request: {quantity: =item}}\n    compensation: none\n");
    ck_assert_int_eq(mapping_counts(d->mapping, &view, &pool, &request, &detail), E_STEPS);
    ck_assert_str_eq(detail.text, "for_each of each has more items than its max_items, 3");
    ck_assert_str_eq(detail.field, "input");
    definition_destroy(d);
}
END_TEST

/* An undo sees what the action was sent, however that was said: a constant, or what was there already. */
START_TEST(mapping__an_undo_sees_what_the_action_was_sent)
{
    static const struct {
        const char *action, *sees, *sent;
    } cases[] = {
        {"{method: /shapes.Shop/Old, request: {constant_base64: CgF4}}", "action.request.sku", "x"},
        {"/shapes.Shop/Reserve", "action.request.order_id", "o-1"},
        {"{method: /shapes.Shop/Old, request: {sku: =input.order_id + 's'}}", "action.request.sku", "o-1s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024], wanted[64];
        snprintf(text, sizeof text,
                 HEAD "steps:\n  - name: one\n    target: shop\n    action: %s\n"
                      "    compensation: {method: /shapes.Shop/Old, request: {sku: =%s}}\n",
                 cases[i].action, cases[i].sees);
        struct definition *d = definition(text);
        struct saga s = {.unknown = true};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail = {.text = ""};
        struct bytes request;
        ck_assert_int_eq(mapping_request(d->mapping, &view, 0, true, 4096, &pool, &request, &detail), 0);
        int size = snprintf(wanted, sizeof wanted, "\x0a%c%s", (char)strlen(cases[i].sent), cases[i].sent);
        packs(request, wanted, (size_t)size);
        definition_destroy(d);
    }
}
END_TEST

/* The first step was refused, and its fallback has answered in its place. */
static struct mapping_step stood_in(const void *saga, unsigned step, unsigned instance)
{
    const struct saga *s = saga;
    (void)instance;
    if (step > 1)
        return (struct mapping_step){.outcome = OUTCOME_OPEN};
    return (struct mapping_step){
        .outcome = step == 0 ? OUTCOME_REJECTED : OUTCOME_DONE, .output = s->output, .stood_in_by = step == 0 ? 1 : 0};
}

/* Whoever comes behind sees its answer as the step's; it does not itself, not even when it is undone. */
START_TEST(mapping__a_fallback_does_not_see_itself_in_the_place_of_its_step)
{
#define SEEN "request: {quantity: \"=has(steps.reserve.output) ? steps.reserve.output.quantity : 1\"}}"
    static const char text[] = HEAD
        "steps:\n  - name: reserve\n    target: shop\n    action: {method: /shapes.Shop/Old, request: {quantity: 5}}\n"
        "    compensation: none\n    fallback:\n      target: shop\n"
        "      action: {method: /shapes.Shop/Old, " SEEN "\n"
        "      compensation: {method: /shapes.Shop/Old, " SEEN "\n"
        "  - name: note\n    after: [reserve]\n    target: shop\n    action: {method: /shapes.Shop/Old, " SEEN "\n"
        "    compensation: none\n";
#undef SEEN
    struct definition *d = definition(text);
    struct saga s = {.output = line("bolt", 9)};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail = {.text = ""};
    struct bytes request;
    view.step = stood_in;
    ck_assert_int_eq(mapping_request(d->mapping, &view, 1, false, 4096, &pool, &request, &detail), 0);
    packs(request, "\x10\x01", 2);
    ck_assert_int_eq(mapping_request(d->mapping, &view, 1, true, 4096, &pool, &request, &detail), 0);
    packs(request, "\x10\x01", 2);
    ck_assert_int_eq(mapping_request(d->mapping, &view, 2, false, 4096, &pool, &request, &detail), 0);
    packs(request, "\x10\x09", 2);
    definition_destroy(d);
}
END_TEST

/* What stands in for an instance of a loop sees its item, however far down it stands; and so does the key under which its answer is kept. */
START_TEST(mapping__each_fallback_of_a_loop_sees_the_item)
{
    static const char text[] = HEAD
        "steps:\n  - name: each\n    target: shop\n    for_each: \"['x', 'y']\"\n    max_items: 2\n"
        "    action: {method: /shapes.Shop/Old, request: {sku: =item}}\n    compensation: none\n"
        "    fallback:\n      target: shop\n      action: {method: /shapes.Shop/Old, request: {sku: =item + '1'}}\n"
        "      compensation: {method: /shapes.Shop/Old, request: {sku: =item + '0'}}\n"
        "      fallback:\n        last_good: {key: =item + '2', max_age: 1h}\n"
        "        fallback:\n          target: shop\n          action: {method: /shapes.Shop/Old, request: {sku: =item "
        "+ "
        "'3'}}\n          compensation: none\n          fallback: {value: {sku: =item + '4'}}\n";
    static const struct {
        unsigned step;
        bool compensation;
        char last;
    } rows[] = {{1, false, '1'}, {1, true, '0'}, {3, false, '3'}, {4, false, '4'}};
    struct definition *d = definition(text);
    struct saga s = {.unknown = true};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail = {.text = ""};
    struct bytes request;
    ck_assert_uint_eq(d->step_count, 5);
    ck_assert_uint_eq(d->loop_count, 5);
    ck_assert_int_eq(mapping_counts(d->mapping, &view, &pool, &request, &detail), 0);
    packs(request, "\2\0\2\0\2\0\2\0\2\0", 10);
    for (view.instance = 0; view.instance < 2; view.instance++) {
        char wanted[] = {'\x0a', 2, (char)('x' + view.instance), 0};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            wanted[3] = rows[i].last;
            ck_assert_msg(mapping_request(d->mapping, &view, rows[i].step, rows[i].compensation, 4096, &pool, &request,
                                          &detail) == 0,
                          "%zu: %s", i, detail.text);
            packs(request, wanted, sizeof wanted);
        }
        wanted[3] = '2';
        ck_assert_msg(mapping_key(d->mapping, &view, 0, &pool, &request, &detail) == 0, "%s", detail.text);
        ck_assert(bytes_equal(request, bytes_of(wanted + 2, 2)));
    }
    definition_destroy(d);
}
END_TEST

/* A field that is handed on as it is must be text all the same: a participant could not read it. */
START_TEST(mapping__text_that_is_none_is_not_handed_on)
{
    struct definition *d = definition(HEAD "steps:\n  - name: a\n    target: shop\n    compensation: none\n"
                                           "    action: {method: /shapes.Shop/Old, request: {sku: =input.order_id}}\n");
    static const struct {
        const char *id;
        bool good;
    } cases[] = {{"\xc3\xa9", true}, {"\xc3", false}, {"a\xff", false}, {"", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct saga s = {.unknown = true};
        struct mapping_view view = view_of(&s, cases[i].id);
        struct error_detail detail = {.text = ""};
        struct bytes request;
        int code = mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail);
        ck_assert_msg((code == 0) == cases[i].good, "%zu: %s", i, detail.text);
    }
    definition_destroy(d);
}
END_TEST

/* A field of the input goes into a request as it is only where the two are of one kind, and where nothing is asked of it. */
START_TEST(mapping__a_field_of_another_kind_is_not_just_copied)
{
    static const struct {
        const char *input, *method, *request, *wire, *wanted; /* NULL: it does not fit */
    } cases[] = {
        {"Line", "Old", "{quantity: =input.price_cents}", "3:2147483647", "2:2147483647"},
        {"Line", "Old", "{quantity: =input.price_cents}", "3:2147483648", NULL},
        {"Line", "Old", "{price_cents: =input.quantity}", "2:7", "3:7"},
        {"Line", "Old", "{price_cents: =input.quantity}", "2:-1", "3:-1"},
        {"Numbers", "Old", "{quantity: =input.i64}", "3:4294967296", NULL},
        {"Numbers", "Old", "{quantity: =input.s32}", "17:3", "2:-2"},
        {"Order", "Reserve", "{cash: =input.cash}", "8:0", "8:0"},
        {"Order", "Reserve", "{cash: =has(input.cash)}", "8:0", "8:1"},
        {"Order", "Reserve", "{cash: =has(input.cash)}", "6:'4111'", "8:0"},
        {"Order", "Reserve", "{priority: =input.priority}", "9:0", "9:0"},
        {"Order", "Reserve", "{color: =input.color}", "10:-2", "10:-2"},
        {"Order", "Reserve", "{token: =input.token}", "11:'ab'", "11:'ab'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char definition_text[512];
        uint8_t wire[64], wanted[64];
        snprintf(definition_text, sizeof definition_text,
                 "name: checkout\nversion: 2.0.0\nschema: shop\ninput: shapes.%s\nsteps:\n  - name: a\n    target: "
                 "shop\n    compensation: none\n    action: {method: /shapes.Shop/%s, request: %s}\n",
                 cases[i].input, cases[i].method, cases[i].request);
        struct definition *d = definition(definition_text);
        struct saga s = {.unknown = true};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail = {.text = ""};
        struct bytes request;
        view.input = bytes_of(wire, wire_of_text(cases[i].wire, wire, sizeof wire));
        int code = mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail);
        if (cases[i].wanted == NULL) {
            ck_assert_int_eq(code, E_EXPRESSION);
            ck_assert_ptr_nonnull(strstr(detail.text, "range: the number does not fit the field quantity"));
        } else {
            size_t size = wire_of_text(cases[i].wanted, wanted, sizeof wanted);
            ck_assert_msg(code == 0 && bytes_equal(request, bytes_of(wanted, size)), "%s", definition_text);
        }
        definition_destroy(d);
    }
}
END_TEST

/* Six instances of the first step, of every outcome. */
static struct mapping_step instance_of(const void *saga, unsigned step, unsigned instance)
{
    static const uint8_t outcomes[] = {OUTCOME_OPEN,    OUTCOME_DONE,    OUTCOME_REJECTED,
                                       OUTCOME_UNKNOWN, OUTCOME_SKIPPED, OUTCOME_DONE};
    const struct bytes *outputs = saga;
    if (step > 0)
        return (struct mapping_step){.outcome = OUTCOME_OPEN};
    return (struct mapping_step){.outcome = outcomes[instance], .output = outputs[instance]};
}

static unsigned six(const void *saga, unsigned step)
{
    (void)saga;
    return step == 0 ? 6 : 0;
}

/* Who comes behind a loop sees the outcome of each instance, and the outputs of those that have one, in their order. */
START_TEST(mapping__what_comes_behind_a_loop_sees_all_of_it)
{
    struct definition *d = definition(
        HEAD "steps:\n  - name: each\n    target: shop\n    for_each: \"[1, 2, 3, 4, 5, 6]\"\n    max_items: 6\n    "
             "optional: "
             "true\n    action: {method: /shapes.Shop/Old, request: {quantity: =item}}\n    compensation: none\n"
             "  - name: note\n    after: [each]\n    target: shop\n    compensation: none\n    action: {method: "
             "/shapes.Shop/Old, request: {sku: \"=steps.each.outcome.join('+') + '/' + steps.each.output.map(o, "
             "o.sku).join('+')\"}}\n");
    const struct bytes outputs[] = {line("a", 1), line("b", 2), line("c", 3), line("d", 4), line("e", 5), line("f", 6)};
    struct saga s = {.unknown = true};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail = {.text = ""};
    struct bytes request;
    view.saga = outputs;
    view.step = instance_of;
    view.count = six;
    int code = mapping_request(d->mapping, &view, 1, false, 4096, &pool, &request, &detail);
    ck_assert_msg(code == 0, "%s", detail.text);
    packs(request,
          "\x0a\x2b"
          "open+done+rejected+unknown+skipped+done/b+f",
          45);
    definition_destroy(d);
}
END_TEST

/* As many instances as a saga may have steps. */
START_TEST(mapping__a_loop_may_have_as_many_items_as_a_saga_steps)
{
    char text[1024], letters[STEPS_LIMIT + 2] = "";
    limits.steps_max = STEPS_LIMIT;
    for (unsigned items = STEPS_LIMIT - 1; items <= STEPS_LIMIT + 1; items++) {
        memset(letters, 'a', items);
        snprintf(text, sizeof text,
                 HEAD "steps:\n  - name: each\n    target: shop\n    for_each: \"'%s'.split('')\"\n    max_items: %d\n"
                      "    action: {method: /shapes.Shop/Old, request: {sku: =item}}\n    compensation: none\n",
                 letters, STEPS_LIMIT);
        struct definition *d = definition(text);
        struct saga s = {.unknown = true};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail = {.text = ""};
        struct bytes counts;
        int code = mapping_counts(d->mapping, &view, &pool, &counts, &detail);
        ck_assert_int_eq(code, items > STEPS_LIMIT ? E_STEPS : 0);
        if (code == 0)
            ck_assert_uint_eq(counts.at[0] + 256U * counts.at[1], items);
        definition_destroy(d);
    }
}
END_TEST

/* The key of a last good answer is a text as tags are, within its bound. */
START_TEST(mapping__a_key_has_its_bound)
{
    struct definition *d = definition(HEAD "steps:\n  - {name: a, target: t, action: /shapes.Shop/Reserve, when: "
                                           "\"true\", fallback: {last_good: {key: =input.order_id, max_age: 1h}}}\n");
    for (size_t size = LAST_GOOD_KEY_BYTES_MAX - 1; size <= LAST_GOOD_KEY_BYTES_MAX + 1; size++) {
        char id[LAST_GOOD_KEY_BYTES_MAX + 2] = "";
        memset(id, 'k', size);
        struct saga s = {.unknown = true};
        struct mapping_view view = view_of(&s, id);
        struct error_detail detail = {.text = ""};
        struct bytes key;
        int code = mapping_key(d->mapping, &view, 0, &pool, &key, &detail);
        ck_assert_int_eq(code, size <= LAST_GOOD_KEY_BYTES_MAX ? 0 : E_EXPRESSION);
        if (code == 0)
            ck_assert(bytes_equal(key, bytes_of_text(id)));
        else
            ck_assert_str_eq(detail.text, "the key of a last good answer has at most 256 bytes: input.order_id");
    }
    definition_destroy(d);
}
END_TEST

/* What is sent and what is given to who waits has as many bytes as it may have, and an undo sees how its action ended. */
START_TEST(mapping__what_is_computed_keeps_its_bound)
{
    struct definition *d = definition(
        HEAD "steps:\n  - name: a\n    target: shop\n    action: {method: /shapes.Shop/Reserve, request: =input}\n"
             "    compensation: {method: /shapes.Shop/Old, request: {sku: =action.outcome}}\noutput: {sku: "
             "=input.order_id}\noutput_type: shapes.Line\n");
    static const char *const undo[] = {"\x0a\x04"
                                       "done",
                                       "\x0a\x07unknown"};
    for (int unknown = 0; unknown < 2; unknown++) {
        struct saga s = {.unknown = unknown == 1, .output = line("bolt", 1)};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail = {.text = ""};
        struct bytes made[3];
        for (int i = 0; i < 9; i++) {
            size_t most = i < 3 ? 4096 : made[i % 3].size - (i >= 6);
            struct bytes again;
            int code = i % 3 < 2 ? mapping_request(d->mapping, &view, 0, i % 3 == 1, most, &pool, &again, &detail)
                                 : mapping_output(d->mapping, &view, most, &pool, &again, &detail);
            ck_assert_int_eq(code, i < 6 ? 0 : E_EXPRESSION);
            if (i < 3)
                made[i] = again;
            else
                ck_assert(i >= 6 ? strcmp(detail.text, "the request becomes larger than payload_bytes_max") == 0
                                 : bytes_equal(made[i % 3], again));
        }
        packs(made[1], undo[unknown], strlen(undo[unknown]));
    }
    definition_destroy(d);
}
END_TEST

/* How many messages may be within one another says nothing of those beside one another. */
START_TEST(mapping__a_request_is_as_wide_as_it_is)
{
    char text[2048] = HEAD "steps:\n  - name: a\n    target: shop\n    compensation: none\n    action: {method: "
                           "/shapes.Shop/Reserve, request: {lines: [{sku: a}";
    for (int i = 1; i < 40; i++)
        strcat(text, ", {sku: a}");
    strcat(text, "]}}\n");
    struct definition *d = definition(text);
    struct saga s = {.unknown = true};
    struct mapping_view view = view_of(&s, "o-1");
    struct error_detail detail = {.text = ""};
    struct bytes request;
    ck_assert_int_eq(mapping_request(d->mapping, &view, 0, false, 4096, &pool, &request, &detail), 0);
    ck_assert_int_eq(message_count(request, shapes_field(shapes_type(schema, "Order"), "lines")), 40);
    definition_destroy(d);
}
END_TEST

/* Each list has room for sixteen. */
START_TEST(mapping__tags_and_expectations_are_sixteen_at_most)
{
    static const struct {
        const char *begin, *before, *behind, *end;
        int most;
    } lists[] = {
        {HEAD "tags:\n", "  t", ": =input.order_id\n", TYPED_STEP, 16},
        {HEAD "steps:\n  - name: a\n    target: shop\n    action: /shapes.Shop/Reserve\n    compensation: none\n"
              "    expect:\n",
         "      - {that: action.output.quantity > ", ", else: no}\n", "", 16},
    };
    for (unsigned i = 0; i < 4; i++) {
        char text[4096];
        struct definition *d = NULL;
        struct error_detail detail = {.text = ""};
        int count = lists[i / 2].most + (i % 2 == 1);
        size_t used = (size_t)snprintf(text, sizeof text, "%s", lists[i / 2].begin);
        for (int k = 0; k < count; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d%s", lists[i / 2].before, k,
                                     lists[i / 2].behind);
        snprintf(text + used, sizeof text - used, "%s", lists[i / 2].end);
        int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
        ck_assert_msg((code == 0) == (i % 2 == 0), "%d: %s", count, detail.text);
        ck_assert_int_eq(code, i % 2 == 0 ? 0 : E_PAYLOAD);
        if (code == 0)
            definition_destroy(d);
        else
            ck_assert_msg(strstr(detail.text, "16") != NULL, "%s", detail.text);
    }
}
END_TEST

/* One of up to sixteen, each named once. */
START_TEST(mapping__a_step_may_go_to_one_of_sixteen_targets)
{
    for (int count = 15; count <= 17; count++) {
        char text[1024] = HEAD "steps:\n  - name: a\n    target: {by: input.order_id, oneof: [t0";
        size_t used = strlen(text);
        for (int i = 1; i < count; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, ", t%d", i);
        snprintf(text + used, sizeof text - used,
                 "]}\n    action: {method: /shapes.Shop/Old, request: {quantity: 1}}\n    compensation: none\n");
        if (count <= 16)
            definition_destroy(definition(text));
        else
            refused(text, "must name 1 to 16 targets", 7, 41);
    }
}
END_TEST

/* Names and conditions, as many as there is room for. */
START_TEST(mapping__names_and_conditions_are_sixty_four_at_most)
{
    static const struct {
        const char *begin, *before, *behind, *words;
        int line, column;
    } lists[] = {
        {"let:\n", "  n", ": '1'\n", "at most 64 names under let", 70, 9},
        {"require:\n", "  - {that: input.order_id != '", "', else: no}\n", "at most 64 conditions under require", 70,
         12},
    };
    for (unsigned i = 0; i < 4; i++) {
        char text[8192];
        size_t used = (size_t)snprintf(text, sizeof text, HEAD "%s", lists[i / 2].begin);
        for (int k = 0; k < (i % 2 == 0 ? 64 : 65); k++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d%s", lists[i / 2].before, k,
                                     lists[i / 2].behind);
        snprintf(text + used, sizeof text - used, TYPED_STEP);
        if (i % 2 == 0)
            definition_destroy(definition(text));
        else
            refused_with(text, E_PAYLOAD, lists[i / 2].words, lists[i / 2].line, lists[i / 2].column);
    }
}
END_TEST

/* What an answer should be: all of it, in order, and whether the step is undone when it is not. */
START_TEST(mapping__an_answer_is_held_against_what_is_expected)
{
    static const char text[] = HEAD
        "steps:\n  - name: a\n    target: {oneof: [shop, shoe], by: \"input.order_id == 'o-1' ? 'shop' : 'shoe'\"}\n"
        "    action: /shapes.Shop/Reserve\n    compensation: none\n"
        "    expect:\n      - {that: action.output.quantity > 2, else: too few}\n"
        "      - {that: action.output.sku != 'none', else: none left, undo: false}\n"
        "      - {that: 6 / action.output.price_cents >= 0, else: no price}\n";
    struct definition *d = definition(text);
    static const struct {
        const char *sku;
        int64_t quantity;
        int code;
        bool undone;
        const char *words;
    } cases[] = {
        {"bolt", 2, 0, true, "too few"},
        {"none", 2, 0, true, "too few"},
        {"none", 3, 0, false, "none left"},
        {"bolt", 3, E_EXPRESSION, false, "divide by zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct saga s = {.output = line(cases[i].sku, cases[i].quantity)};
        struct mapping_view view = view_of(&s, "o-1");
        struct error_detail detail = {.text = ""};
        bool undone = !cases[i].undone;
        ck_assert_int_eq(mapping_expect(d->mapping, &view, 0, &pool, &undone, &detail), cases[i].code);
        ck_assert(undone == cases[i].undone);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL, "%s", detail.text);
    }
    struct saga s = {.unknown = true};
    struct error_detail detail = {.text = ""};
    struct bytes name;
    for (int i = 0; i < 2; i++) {
        struct mapping_view view = view_of(&s, i == 0 ? "o-1" : "o-2");
        ck_assert_int_eq(mapping_target(d->mapping, &view, 0, &pool, &name, &detail), 0);
        ck_assert(bytes_equal(name, bytes_of_text(i == 0 ? "shop" : "shoe")));
    }
    definition_destroy(d);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mapping");
    TCase *c = tcase_create("mapping");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, mapping__steps_see_the_tags);
    tcase_add_test(c, mapping__a_saga_has_a_time_of_its_start);
    tcase_add_test(c, mapping__requests_are_made_of_input_and_outputs);
    tcase_add_test(c, mapping__conditions_and_requirements);
    tcase_add_test(c, mapping__what_is_wrong_is_told_with_its_place);
    tcase_add_test(c, mapping__tags_and_metadata_are_texts);
    tcase_add_test(c, mapping__an_output_without_a_type_is_an_object);
    tcase_add_test(c, mapping__an_instance_of_a_loop_has_its_own);
    tcase_add_test(c, mapping__an_undo_sees_what_the_action_was_sent);
    tcase_add_test(c, mapping__text_that_is_none_is_not_handed_on);
    tcase_add_test(c, mapping__a_field_of_another_kind_is_not_just_copied);
    tcase_add_test(c, mapping__what_comes_behind_a_loop_sees_all_of_it);
    tcase_add_test(c, mapping__a_loop_may_have_as_many_items_as_a_saga_steps);
    tcase_add_test(c, mapping__a_key_has_its_bound);
    tcase_add_test(c, mapping__what_is_computed_keeps_its_bound);
    tcase_add_test(c, mapping__a_request_is_as_wide_as_it_is);
    tcase_add_test(c, mapping__tags_and_expectations_are_sixteen_at_most);
    tcase_add_test(c, mapping__names_and_conditions_are_sixty_four_at_most);
    tcase_add_test(c, mapping__a_step_may_go_to_one_of_sixteen_targets);
    tcase_add_test(c, mapping__a_fallback_does_not_see_itself_in_the_place_of_its_step);
    tcase_add_test(c, mapping__each_fallback_of_a_loop_sees_the_item);
    tcase_add_test(c, mapping__an_answer_is_held_against_what_is_expected);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
