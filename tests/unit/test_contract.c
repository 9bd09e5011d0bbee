/* What a participant's change breaks: every kind of a field beside every other, in both directions, and who is told to use it. */
#include "google/protobuf/descriptor.pb-c.h"
#include "sidecar/contract/contract.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__FieldDescriptorProto Field;
typedef Google__Protobuf__DescriptorProto Message;
typedef Google__Protobuf__FileDescriptorProto File;
typedef Google__Protobuf__FileDescriptorSet Set;

static const struct schema *pinned; /* what definitions are read against */
static struct definition_limits limits;

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    (void)name;
    *hash = "cafe";
    return pinned;
}

static struct schema *read_set(const Set *set)
{
    size_t size = google__protobuf__file_descriptor_set__get_packed_size(set);
    uint8_t *packed = malloc(size);
    struct schema *schema = NULL;
    struct error_detail detail;
    google__protobuf__file_descriptor_set__pack(set, packed);
    int code = schema_read(bytes_of(packed, size), &heap, &schema, &detail);
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    free(packed);
    return schema;
}

static struct definition *read_definition(const struct schema *schema, const char *text)
{
    struct definition *d = NULL;
    struct error_detail detail;
    pinned = schema;
    limits = definition_limits_default();
    limits.schemas.find = find;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%s: %s: %s", text, detail.field, detail.text);
    return d;
}

/* ---- what was found, a line each: "step/action method-removed breaks: text" ---- */

static char found[8192];

static void note(void *self, const struct contract_finding *f)
{
    size_t size = strlen(found);
    const struct definition *d = self;
    snprintf(found + size, sizeof found - size, "%s/%s %s %s: %s\n", d->steps[f->step].name,
             f->compensation ? "undo" : "action", contract_rows[f->rule].id, f->breaks ? "breaks" : "warns", f->text);
}

/* Returns how many calls were checked. */
static unsigned check(struct definition *d, const struct schema *next, const char *target)
{
    unsigned calls = 77;
    const struct contract_check what = {
        .d = d, .next = next, .target = target, .memory = &heap, .found = note, .self = d};
    found[0] = '\0';
    ck_assert_int_eq(contract_check(&what, &calls), 0);
    return calls;
}

/* ---- kinds ---- */

/* What a kind holds. Kinds of one form are written alike; 's' is text and bytes, where every text is bytes and not the contrary. */
static const struct kind {
    const char *name;
    int type;
    char form;
    double least, most;
} kinds[] = {
    {"bool", 8, 'v', 0, 1},
    {"int32", 5, 'v', -0x1p31, 0x1p31 - 1},
    {"uint32", 13, 'v', 0, 0x1p32 - 1},
    {"t.E", 14, 'v', -0x1p31, 0x1p31 - 1},
    {"int64", 3, 'v', -0x1p63, 0x1p62},
    {"uint64", 4, 'v', 0, 0x1p63},
    {"sint32", 17, 'z', -0x1p31, 0x1p31 - 1},
    {"sint64", 18, 'z', -0x1p63, 0x1p62},
    {"fixed32", 7, '4', 0, 0x1p32 - 1},
    {"sfixed32", 15, '4', -0x1p31, 0x1p31 - 1},
    {"fixed64", 6, '8', 0, 0x1p63},
    {"sfixed64", 16, '8', -0x1p63, 0x1p62},
    {"float", 2, 'f', 0, 0},
    {"double", 1, 'd', 0, 0},
    {"bytes", 12, 's', 0, 2},
    {"string", 9, 's', 0, 1},
    {"t.N", 11, 'm', 0, 0},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* As a finding says it. */
static const char *name_of(const struct kind *k)
{
    return k->form == 'm' ? "message" : k->type == 14 ? "enum" : k->name;
}

/* protobuf-c wants to change what it only reads. */
static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

/* A service t.S of which Call takes a t.M and answers a t.R; the one field f of both is of that kind. */
static struct schema *schema_of_kind(const struct kind *k)
{
    Field f = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__INIT, *fields[] = {&f};
    f.name = text("f");
    f.has_number = f.has_type = f.has_label = 1;
    f.number = 1;
    f.type = (Google__Protobuf__FieldDescriptorProto__Type)k->type;
    f.label = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL;
    if (strncmp(k->name, "t.", 2) == 0)
        f.type_name = text(k->type == 14 ? ".t.E" : ".t.N");
    Message m = GOOGLE__PROTOBUF__DESCRIPTOR_PROTO__INIT, r = m, n = m, *messages[] = {&m, &r, &n};
    m.name = text("M");
    m.n_field = 1;
    m.field = fields;
    r = m;
    r.name = text("R");
    n.name = text("N");
    Google__Protobuf__EnumValueDescriptorProto none = GOOGLE__PROTOBUF__ENUM_VALUE_DESCRIPTOR_PROTO__INIT,
                                               *values[] = {&none};
    none.name = text("NONE");
    none.has_number = 1;
    Google__Protobuf__EnumDescriptorProto e = GOOGLE__PROTOBUF__ENUM_DESCRIPTOR_PROTO__INIT, *enums[] = {&e};
    e.name = text("E");
    e.n_value = 1;
    e.value = values;
    Google__Protobuf__MethodDescriptorProto call = GOOGLE__PROTOBUF__METHOD_DESCRIPTOR_PROTO__INIT,
                                            *methods[] = {&call};
    call.name = text("Call");
    call.input_type = text(".t.M");
    call.output_type = text(".t.R");
    Google__Protobuf__ServiceDescriptorProto s = GOOGLE__PROTOBUF__SERVICE_DESCRIPTOR_PROTO__INIT, *services[] = {&s};
    s.name = text("S");
    s.n_method = 1;
    s.method = methods;
    File file = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_PROTO__INIT, *files[] = {&file};
    file.name = text("t.proto");
    file.package = text("t");
    file.syntax = text("proto3");
    file.n_message_type = 3;
    file.message_type = messages;
    file.n_enum_type = 1;
    file.enum_type = enums;
    file.n_service = 1;
    file.service = services;
    Set set = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_SET__INIT;
    set.n_file = 1;
    set.file = files;
    return read_set(&set);
}

/* Adds what must be found when a writer's kind is read as the reader's: nothing where all that can be written can be read. */
static void expect(char *list, size_t size, const char *field, const char *use, const struct kind *was,
                   const struct kind *now, bool sent)
{
    const struct kind *writer = sent ? was : now, *reader = sent ? now : was;
    bool text_of_bytes = writer->form == 's' && writer->most > reader->most;
    bool alike = writer->form == reader->form && !text_of_bytes;
    size_t at = strlen(list);
    if (!alike || reader->least > writer->least || reader->most < writer->most)
        snprintf(list + at, size - at, "a/action field-type %s: %s (1) was %s and is %s now%s; %s it\n",
                 alike ? "warns" : "breaks", field, name_of(was), name_of(now),
                 alike ? ", which does not hold all values" : "", use);
}

START_TEST(contract__every_kind_beside_every_other)
{
    for (unsigned i = 0; i < KINDS; i++) {
        struct schema *before = schema_of_kind(&kinds[i]);
        struct definition *d =
            read_definition(before, "name: n\nversion: 1.0.0\nschema: s\ninput: t.M\nsteps:\n"
                                    "  - {name: a, target: x, action: /t.S/Call, compensation: none}\n"
                                    "output: =steps.a.output\n");
        for (unsigned j = 0; j < KINDS; j++) {
            struct schema *after = schema_of_kind(&kinds[j]);
            char expected[512] = "";
            expect(expected, sizeof expected, "t.M.f", "the action of a sets", &kinds[i], &kinds[j], true);
            expect(expected, sizeof expected, "t.R.f", "output reads", &kinds[i], &kinds[j], false);
            ck_assert_uint_eq(check(d, after, NULL), 1);
            ck_assert_str_eq(found, expected);
            schema_destroy(after);
        }
        definition_destroy(d);
        schema_destroy(before);
    }
}
END_TEST

/* ---- who uses what is gone ---- */

static Message *message_of(const Set *set, const char *name)
{
    for (size_t f = 0; f < set->n_file; f++)
        for (size_t m = 0; m < set->file[f]->n_message_type; m++)
            if (strcmp(set->file[f]->message_type[m]->name, name) == 0)
                return set->file[f]->message_type[m];
    ck_abort_msg("there is no %s", name);
    return NULL;
}

static Field **field_of(const Message *type, const char *name)
{
    for (size_t i = 0; i < type->n_field; i++)
        if (strcmp(type->field[i]->name, name) == 0)
            return &type->field[i];
    ck_abort_msg("there is no %s.%s", type->name, name);
    return NULL;
}

/* The types of shapes.proto without the field of that message. */
static struct schema *shapes_without(const char *message, const char *field)
{
    Set *set = google__protobuf__file_descriptor_set__unpack(NULL, shapes_size, shapes);
    ck_assert_ptr_nonnull(set);
    Message *type = message_of(set, message);
    Field **gone = field_of(type, field);
    google__protobuf__field_descriptor_proto__free_unpacked(*gone, NULL);
    *gone = type->field[--type->n_field];
    struct schema *schema = read_set(set);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return schema;
}

#define HEAD   "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\nsteps:\n"
#define ASKS   "{method: /shapes.Shop/Reserve, request: {order_id: x}}"
#define FIRST  "  - {name: a, target: t, action: " ASKS ", compensation: none}\n"
#define SECOND "  - name: b\n    after: [a]\n"
#define PLAIN  "    target: t\n    action: " ASKS "\n    compensation: none\n"

/* Every part of a definition that can read what a step answered, as a finding names it. */
START_TEST(contract__who_reads_it_is_told)
{
    static const struct {
        const char *who, *text;
    } parts[] = {
        {"when of b", SECOND "    when: steps.a.output.sku != ''\n" PLAIN},
        {"the target of b",
         SECOND "    target: {oneof: [t, u], by: steps.a.output.sku}\n    action: " ASKS "\n    compensation: none\n"},
        {"the key of the last good answer of b", SECOND
         "    when: input.order_id != ''\n    fallback: {last_good: {key: =steps.a.output.sku, max_age: 1h}}\n" PLAIN},
        {"expect of b", SECOND "    expect: [{that: action.output.sku != '', else: no}]\n" PLAIN},
        {"metadata of b", SECOND "    metadata: {x: =steps.a.output.sku}\n" PLAIN},
        {"the action of b", SECOND "    target: t\n    action: {method: /shapes.Shop/Reserve, request: {order_id: "
                                   "=steps.a.output.sku}}\n    compensation: none\n"},
        {"the compensation of b", SECOND "    target: t\n    action: " ASKS "\n    compensation: {method: "
                                         "/shapes.Shop/Reserve, request: {order_id: =steps.a.output.sku}}\n"},
        {"the compensation of b", SECOND "    target: t\n    action: " ASKS "\n    compensation: {method: "
                                         "/shapes.Shop/Old, request: own_output}\n"},
        {"output", SECOND PLAIN "output: {sku: =steps.a.output.sku}\noutput_type: shapes.Line\n"},
    };
    struct schema *before = shapes_schema(), *after = shapes_without("Line", "sku");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[1024], wanted[1024];
        snprintf(text, sizeof text, HEAD FIRST "%s", parts[i].text);
        snprintf(wanted, sizeof wanted, "a/action field-removed breaks: shapes.Line.sku (1) is gone; %s reads it\n",
                 parts[i].who);
        struct definition *d = read_definition(before, text);
        check(d, after, NULL);
        ck_assert_msg(strncmp(found, wanted, strlen(wanted)) == 0, "%s\n%s", parts[i].who, found);
        definition_destroy(d);
    }
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

/* What is read of the input counts for an answer of its type. */
START_TEST(contract__who_reads_a_type_is_told)
{
    static const struct {
        const char *who, *top, *step;
    } parts[] = {
        {"let", "let: {l: input.sku}\n", "    when: l != ''\n"},
        {"require", "require: [{that: input.sku != '', else: no}]\n", ""},
        {"tags", "tags: {sku: =input.sku}\n", ""},
        {"for_each of a", "", "    for_each: \"[input.sku]\"\n    max_items: 2\n"},
    };
    struct schema *before = shapes_schema(), *after = shapes_without("Line", "sku");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[1024], wanted[256];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\n%ssteps:\n  - name: a\n    target: t\n%s"
                 "    action: {method: /shapes.Shop/Reserve, request: {order_id: x}}\n    compensation: none\n",
                 parts[i].top, parts[i].step);
        snprintf(wanted, sizeof wanted, "a/action field-removed breaks: shapes.Line.sku (1) is gone; %s reads it\n",
                 parts[i].who);
        struct definition *d = read_definition(before, text);
        check(d, after, NULL);
        ck_assert_msg(strcmp(found, wanted) == 0, "%s\n%s", parts[i].who, found);
        definition_destroy(d);
    }
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

/* Of several the first that reads it is told, whether it reads the one field or all of the answer. */
START_TEST(contract__the_first_who_reads_it_is_told)
{
#define GIVES(name) \
    "  - {name: " name ", after: [a], target: t, compensation: none, action: {method: /shapes.Shop/Old, request: " \
    "{output: a}}}\n"
#define KNOWS(name, it) \
    "  - {name: " name ", after: [a], target: t, compensation: none, when: \"" it "\", action: " ASKS "}\n"
#define FIELD_OF_A "steps.a.output.sku != ''"
#define WHOLE_OF_A "steps.a.output != shapes.Line{}"
    static const struct {
        const char *steps, *who;
    } rows[] = {
        {GIVES("b") GIVES("c"), "the action of b"},
        {KNOWS("b", FIELD_OF_A) KNOWS("c", FIELD_OF_A), "when of b"},
        {KNOWS("b", WHOLE_OF_A) KNOWS("c", WHOLE_OF_A), "when of b"},
    };
    struct schema *before = shapes_schema(), *after = shapes_without("Line", "sku");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1024], wanted[256];
        snprintf(text, sizeof text, HEAD FIRST "%s", rows[i].steps);
        snprintf(wanted, sizeof wanted, "a/action field-removed breaks: shapes.Line.sku (1) is gone; %s reads it\n",
                 rows[i].who);
        struct definition *d = read_definition(before, text);
        check(d, after, NULL);
        ck_assert_msg(strncmp(found, wanted, strlen(wanted)) == 0, "%s\n%s", text, found);
        definition_destroy(d);
    }
    schema_destroy(before);
    schema_destroy(after);
#undef GIVES
#undef KNOWS
#undef FIELD_OF_A
#undef WHOLE_OF_A
}
END_TEST

/* What one call sets another need not: each is told of its own. */
START_TEST(contract__who_sets_it_is_told)
{
    struct schema *before = shapes_schema(), *after = shapes_without("Order", "notes");
    struct definition *d = read_definition(
        before, HEAD "  - name: a\n    target: t\n    action: {method: /shapes.Shop/Reserve, request: {notes: [x]}}\n"
                     "    compensation: " ASKS "\n"
                     "  - {name: b, after: [a], target: t, action: /shapes.Shop/Reserve, compensation: none}\n");
    ck_assert_uint_eq(check(d, after, NULL), 3);
    ck_assert_str_eq(found,
                     "a/action field-removed breaks: shapes.Order.notes (13) is gone; the action of a sets it\n"
                     "a/undo field-removed warns: shapes.Order.notes (13) is gone, and its number may be used "
                     "again: reserve it; it is not used here\n"
                     "b/action field-removed breaks: shapes.Order.notes (13) is gone; the action of b sets it\n");
    definition_destroy(d);
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

/* A type that is sent and answered is compared both ways; an undo that gets the answer back needs all of it. */
START_TEST(contract__a_type_that_goes_both_ways_is_compared_both_ways)
{
    struct schema *before = shapes_schema(), *after = shapes_without("Line", "sku");
    struct definition *d =
        read_definition(before, HEAD "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {sku: x}},\n"
                                     "     compensation: {method: /shapes.Shop/Old, request: own_output}}\n");
    ck_assert_uint_eq(check(d, after, NULL), 2);
    ck_assert_str_eq(found,
                     "a/action field-removed breaks: shapes.Line.sku (1) is gone; the action of a sets it\n"
                     "a/action field-removed breaks: shapes.Line.sku (1) is gone; the compensation of a reads it\n"
                     "a/undo field-removed breaks: shapes.Line.sku (1) is gone; the compensation of a sets it\n");
    definition_destroy(d);
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

/* Though an answer and a request are of one type, what a request is computed from is not sent, and what is sent is not read. */
START_TEST(contract__what_is_read_is_not_sent_nor_what_is_sent_read)
{
    static const char *const requests[] = {
        "{sku: =string(steps.a.output.price_cents)}",
        "'=shapes.Line{sku: string(steps.a.output.price_cents)}'",
        "{sku: \"=steps.a.output == shapes.Line{price_cents: 1} ? 'x' : 'y'\"}",
    };
    struct schema *before = shapes_schema(), *after = shapes_without("Line", "price_cents");
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 HEAD FIRST "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, request: %s}, "
                            "compensation: none}\n",
                 requests[i]);
        struct definition *d = read_definition(before, text);
        ck_assert_uint_eq(check(d, after, NULL), 2);
        ck_assert_msg(strcmp(found,
                             "a/action field-removed breaks: shapes.Line.price_cents (3) is gone; the action of b "
                             "reads it\n"
                             "b/action field-removed warns: shapes.Line.price_cents (3) is gone, and its number "
                             "may be used again: reserve it; it is not used here\n"
                             "b/action field-removed breaks: shapes.Line.price_cents (3) is gone; the action of b "
                             "reads it\n") == 0,
                      "%s\n%s", requests[i], found);
        definition_destroy(d);
    }
    struct definition *d =
        read_definition(before, HEAD "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: "
                                     "'=shapes.Line{price_cents: 1}'}, compensation: none}\n");
    ck_assert_uint_eq(check(d, after, NULL), 1);
    ck_assert_str_eq(found,
                     "a/action field-removed breaks: shapes.Line.price_cents (3) is gone; the action of a sets it\n"
                     "a/action field-removed warns: shapes.Line.price_cents (3) is gone, and its number may be used "
                     "again: reserve it; it is not used here\n");
    definition_destroy(d);
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

/* The types of shapes.proto, of which Reserve answers an order, and a line is of another type in quantity, as a row's number is. */
static struct schema *shapes_of_rows(Google__Protobuf__FieldDescriptorProto__Type quantity,
                                     Google__Protobuf__FieldDescriptorProto__Type row)
{
    Set *set = google__protobuf__file_descriptor_set__unpack(NULL, shapes_size, shapes);
    ck_assert_ptr_nonnull(set);
    for (size_t f = 0; f < set->n_file; f++)
        if (set->file[f]->n_service > 0) {
            char **answer = &set->file[f]->service[0]->method[0]->output_type;
            free(*answer);
            *answer = strdup(".shapes.Order");
        }
    (*field_of(message_of(set, "Line"), "quantity"))->type = quantity;
    const Message *order = message_of(set, "Order");
    for (size_t i = 0; i < order->n_nested_type; i++)
        if (strcmp(order->nested_type[i]->name, "ByRowEntry") == 0)
            (*field_of(order->nested_type[i], "key"))->type = row;
    struct schema *schema = read_set(set);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return schema;
}

/* Of a map's values no more counts than what is set or read of them; its keys count whenever it is used. */
START_TEST(contract__of_a_map_s_values_what_is_used_counts)
{
#define QUANTITY "shapes.Line.quantity (2) was int32 and is string now; "
#define ROW      "shapes.Order.ByRowEntry.key (1) was int32 and is string now; "
    static const struct {
        const char *request, *output, *told;
    } cases[] = {
        {"{by_row: {1: {sku: x}}}", "=steps.a.output.by_row[1].sku",
         "a/action field-type breaks: " ROW "the action of a sets it\n"
         "a/action field-type warns: " QUANTITY "it is not used here\n"
         "a/action field-type breaks: " ROW "output reads it\n"
         "a/action field-type warns: " QUANTITY "it is not used here\n"},
        {"{by_row: {1: {sku: x, quantity: =1}}}", "=string(steps.a.output.by_row[1].quantity)",
         "a/action field-type breaks: " ROW "the action of a sets it\n"
         "a/action field-type breaks: " QUANTITY "the action of a sets it\n"
         "a/action field-type breaks: " ROW "output reads it\n"
         "a/action field-type breaks: " QUANTITY "output reads it\n"},
        {"{by_row: '={1: shapes.Line{sku: input.order_id}}'}", "=string(steps.a.output.by_row == {})",
         "a/action field-type breaks: " ROW "the action of a sets it\n"
         "a/action field-type warns: " QUANTITY "it is not used here\n"
         "a/action field-type breaks: " ROW "output reads it\n"
         "a/action field-type breaks: " QUANTITY "output reads it\n"},
        {"{by_row: =rows}", "x",
         "a/action field-type breaks: " ROW "the action of a sets it\n"
         "a/action field-type breaks: " QUANTITY "the action of a sets it\n"},
        {"{order_id: x}", "=string(steps.a.output == shapes.Order{})",
         "a/action field-type breaks: " QUANTITY "output reads it\n"
         "a/action field-type breaks: " ROW "output reads it\n"},
        {"{order_id: x}", "x", ""},
    };
    struct schema *before = shapes_of_rows(GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32,
                                           GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32),
                  *after = shapes_of_rows(GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING,
                                          GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "let: {rows: '={1: shapes.Line{}}'}\n" HEAD
                 "  - {name: a, target: t, action: {method: /shapes.Shop/Reserve, request: %s}, compensation: "
                 "none}\noutput: {sku: \"%s\"}\noutput_type: shapes.Line\n",
                 cases[i].request, cases[i].output);
        struct definition *d = read_definition(before, text);
        ck_assert_uint_eq(check(d, after, NULL), 1);
        ck_assert_msg(strcmp(found, cases[i].told) == 0, "%s\n%s", text, found);
        definition_destroy(d);
    }
    schema_destroy(before);
    schema_destroy(after);
#undef QUANTITY
#undef ROW
}
END_TEST

/* The types of shapes.proto, of which an order has an address by itself, before it has one in its invoice. */
static struct schema *shapes_of_two_addresses(Google__Protobuf__FieldDescriptorProto__Type zip_code)
{
    Set *set = google__protobuf__file_descriptor_set__unpack(NULL, shapes_size, shapes);
    ck_assert_ptr_nonnull(set);
    Field *own = *field_of(message_of(set, "Order"), "customer");
    free(own->type_name);
    own->type_name = strdup(".shapes.Address");
    (*field_of(message_of(set, "Address"), "zip_code"))->type = zip_code;
    struct schema *schema = read_set(set);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return schema;
}

/* In one place a part of a type is set, and in another, which is compared later, all of it. */
START_TEST(contract__a_type_that_is_used_in_part_may_be_used_as_a_whole_elsewhere)
{
    struct schema *before = shapes_of_two_addresses(GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_STRING),
                  *after = shapes_of_two_addresses(GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32);
    struct definition *d = read_definition(
        before, HEAD "  - {name: a, target: t, action: {method: /shapes.Shop/Reserve, request: {customer: {street: x}, "
                     "invoice: =input.invoice}},\n     compensation: none}\n");
    ck_assert_uint_eq(check(d, after, NULL), 1);
    ck_assert_str_eq(found, "a/action field-type warns: shapes.Address.zip_code (2) was string and is int32 now; it is "
                            "not used here\n"
                            "a/action field-type breaks: shapes.Address.zip_code (2) was string and is int32 now; the "
                            "action of a sets it\n");
    definition_destroy(d);
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

/* ---- which calls are a participant's ---- */

START_TEST(contract__a_target_s_calls_are_those_that_may_go_there)
{
    struct schema *types = shapes_schema(), *others = schema_of_kind(&kinds[0]);
    struct definition *d = read_definition(
        types, HEAD "  - {name: a, target: {oneof: [eu, us], by: input.order_id}, action: /shapes.Shop/Reserve,\n"
                    "     compensation: {target: desk, method: /shapes.Shop/Reserve, request: input}}\n"
                    "  - {name: b, after: [a], target: us, action: /shapes.Shop/Reserve, compensation: none}\n");
    static const struct {
        const char *target;
        unsigned calls;
    } rows[] = {{"eu", 1}, {"us", 2}, {"desk", 1}, {"asia", 0}, {NULL, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_uint_eq(check(d, types, rows[i].target), rows[i].calls);
        ck_assert_str_eq(found, "");
    }
    /* Without a target the service says whose a call is; with one every method must be there. */
    ck_assert_uint_eq(check(d, others, NULL), 0);
    ck_assert_str_eq(found, "");
    ck_assert_uint_eq(check(d, others, "desk"), 1);
    ck_assert_str_eq(found, "a/undo method-removed breaks: /shapes.Shop/Reserve is not there any more\n");
    definition_destroy(d);
    schema_destroy(types);
    schema_destroy(others);
}
END_TEST

/* ---- memory ---- */

static unsigned left; /* how many more may be taken */

static void *take_few(void *self, size_t size)
{
    (void)self;
    return left == 0 ? NULL : (left--, heap.take(heap.self, size));
}

static void *take_few_zeroed(void *self, size_t size)
{
    (void)self;
    return left == 0 ? NULL : (left--, heap.take_zeroed(heap.self, size));
}

START_TEST(contract__without_memory_it_says_so)
{
    const struct memory few = {take_few, take_few_zeroed, heap.give_back, heap.self};
    struct schema *before = shapes_schema(), *after = shapes_without("Line", "sku");
    struct definition *d = read_definition(before, HEAD FIRST "output: =steps.a.output\n");
    const struct contract_check what = {.d = d, .next = after, .memory = &few, .found = note, .self = d};
    int code = E_MEMORY;
    unsigned n = 0;
    for (; n < 100 && code == E_MEMORY; n++) {
        left = n;
        code = contract_check(&what, NULL);
        ck_assert(code == 0 || code == E_MEMORY);
    }
    ck_assert_int_eq(code, 0);
    ck_assert_uint_gt(n, 1);
    definition_destroy(d);
    schema_destroy(before);
    schema_destroy(after);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("contract");
    TCase *t = tcase_create("contract");
    tcase_add_test(t, contract__every_kind_beside_every_other);
    tcase_add_test(t, contract__who_reads_it_is_told);
    tcase_add_test(t, contract__who_reads_a_type_is_told);
    tcase_add_test(t, contract__the_first_who_reads_it_is_told);
    tcase_add_test(t, contract__who_sets_it_is_told);
    tcase_add_test(t, contract__a_type_that_goes_both_ways_is_compared_both_ways);
    tcase_add_test(t, contract__what_is_read_is_not_sent_nor_what_is_sent_read);
    tcase_add_test(t, contract__of_a_map_s_values_what_is_used_counts);
    tcase_add_test(t, contract__a_type_that_is_used_in_part_may_be_used_as_a_whole_elsewhere);
    tcase_add_test(t, contract__a_target_s_calls_are_those_that_may_go_there);
    tcase_add_test(t, contract__without_memory_it_says_so);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *r = srunner_create(suite());
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
