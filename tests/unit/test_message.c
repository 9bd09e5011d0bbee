/* Types from descriptors, fields out of the wire, messages built and checked. */
#include "sidecar/base/random.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/build.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdlib.h>

#include "descriptors.h"

static struct schema *schema;
static struct pool pool;
static struct builder b;
static struct error_detail detail;

static void setup(void)
{
    schema = shapes_schema();
    pool_init(&pool, &heap, 1 << 20);
    builder_init(&b, &pool, 1 << 16);
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

static struct value text(const char *t)
{
    return (struct value){.kind = FIELD_STRING, .text = bytes_of_text(t)};
}

static struct value whole(int64_t i)
{
    return (struct value){.kind = FIELD_INT64, .i = i};
}

static void add(const struct message_type *t, const char *field, struct value v)
{
    build_field(&b, shapes_field(t, field), &v);
}

static struct bytes finish(void)
{
    struct bytes wire;
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    return wire;
}

static int get(struct bytes wire, const struct message_type *t, const char *field, struct value *v)
{
    return message_get(wire, shapes_field(t, field), &pool, v);
}

/* ---- schemas ---- */

START_TEST(schema__types_fields_and_methods_are_found)
{
    const struct message_type *order = shapes_type(schema, "Order");
    ck_assert_str_eq((const char *)order->name.at, "shapes.Order");
    ck_assert_uint_eq(order->oneof_count, 1);
    ck_assert_str_eq((const char *)order->oneofs[0].at, "payment");
    const struct field *f = shapes_field(order, "order_id");
    ck_assert_str_eq((const char *)f->json_name.at, "orderId");
    ck_assert(!f->presence && !f->repeated && f->kind == FIELD_STRING && f->owner == order);
    ck_assert_ptr_eq(message_field_by_any_name(order, bytes_of_text("orderId")), f);
    ck_assert_ptr_eq(message_field_by_number(order, 1), f);
    ck_assert_ptr_eq(message_field_by_number(order, 100), shapes_field(order, "at"));
    ck_assert_ptr_null(message_field_by_number(order, 0));
    ck_assert_ptr_null(message_field_by_number(order, 99));
    f = shapes_field(order, "priority");
    ck_assert(f->presence && f->oneof == -1);
    f = shapes_field(order, "cash");
    ck_assert(f->presence && f->oneof == 0);
    ck_assert(shapes_field(order, "counts")->map && shapes_field(order, "shifts")->packed);
    ck_assert(!shapes_field(shapes_type(schema, "Numbers"), "xs")->packed);
    ck_assert_str_eq((const char *)shapes_field(shapes_type(schema, "Address"), "zip_code")->json_name.at, "zip");
    const struct method_type *m = schema_method(schema, bytes_of_text("/shapes.Shop/Follow"));
    ck_assert(m != NULL && m->server_streaming && !m->client_streaming && m->input == order);
    ck_assert(schema_method(schema, bytes_of_text("/shapes.Shop/Old"))->deprecated);
    static const char *const none[] = {"/shapes.Shop/None", "/shapes.None/Follow", "shapes.Shop/Follow", "/", "", "//"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        ck_assert_ptr_null(schema_method(schema, bytes_of_text(none[i])));
    const struct enum_type *color = schema_enum(schema, bytes_of_text("shapes.Color"));
    ck_assert_str_eq((const char *)enum_value_by_number(color, 1)->name.at, "RED");
    ck_assert_int_eq(enum_value_by_name(color, bytes_of_text("BLUE"))->number, -2);
    ck_assert_ptr_null(enum_value_by_number(color, 7));
    ck_assert_int_eq(schema_message(schema, bytes_of_text("google.protobuf.Int64Value"))->well_known,
                     WELL_KNOWN_WRAPPER);
    ck_assert_ptr_null(schema_message(schema, bytes_of_text("shapes.Nothing")));
}
END_TEST

START_TEST(schema__sagads_own_api_is_one)
{
    struct schema *own = NULL;
    ck_assert_int_eq(schema_read(bytes_of(descriptors, descriptors_size), &heap, &own, &detail), 0);
    ck_assert_ptr_nonnull(schema_method(own, bytes_of_text("/saga.v1.Coordinator/Start")));
    for (unsigned i = 1; schema_message_at(own, i) != NULL; i++)
        ck_assert_int_lt(strcmp((const char *)schema_message_at(own, i - 1)->name.at,
                                (const char *)schema_message_at(own, i)->name.at),
                         0);
    schema_destroy(own);
}
END_TEST

START_TEST(schema__what_is_none_is_refused_with_words)
{
    struct schema *s = NULL;
    static const struct {
        const char *bytes, *field, *words;
    } cases[] = {
        {"", "", "this is no FileDescriptorSet, or an empty one"},
        {"nonsense", "", "this is no FileDescriptorSet"},
        /* file { name: "a.proto" syntax: "editions" } */
        {"\x0a\x13\x0a\x07"
         "a.proto"
         "\x62\x08"
         "editions",
         "a.proto", "is written in an edition"},
        /* file { name: "a.proto" message_type { name: "M" field { name: "f" number: 1 label: 1 type: 11 type_name: ".N" } } } */
        {"\x0a\x1d\x0a\x07"
         "a.proto"
         "\x22\x12\x0a\x01M\x12\x0d\x0a\x01"
         "f"
         "\x18\x01\x20\x01\x28\x0b\x32\x02.N",
         "M", "uses a type that is not in the set (make it with --include_imports): N"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(schema_read(bytes_of_text(cases[i].bytes), &heap, &s, &detail), E_ARGUMENT);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL, "%zu: %s", i, detail.text);
        ck_assert_msg(strcmp(detail.field, cases[i].field) == 0, "%zu: %s", i, detail.field);
    }
    ck_assert_ptr_null(s);
    static const char two[] = "\x0a\x24\x0a\x07"
                              "a.proto"
                              "\x22\x19\x0a\x01M\x12\x09\x0a\x01"
                              "f"
                              "\x18\x01\x20\x01\x28\x05\x12\x09\x0a\x01g\x18\x01\x20\x01\x28\x05";
    ck_assert_int_eq(schema_read(bytes_of(two, sizeof two - 1), &heap, &s, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "has two fields of one number: g");
    uint8_t *large = calloc(1, SCHEMA_BYTES_MAX + 1);
    ck_assert_int_eq(schema_read(bytes_of(large, SCHEMA_BYTES_MAX + 1), &heap, &s, &detail), E_PAYLOAD);
    free(large);
}
END_TEST

/* file { name: "o.proto" syntax: "proto2" enum_type { name: "E" value { A = 1 } value { B = 3 } }
 *        message_type { name: "M" field { E e = 1 } field { bytes b = 2; default: "\\0014\\377\\n" } } } */
static const char closed[] = "\x0a\x50\x0a\x07"
                             "o.proto"
                             "\x22\x2a\x0a\x01"
                             "M"
                             "\x12\x0d\x0a\x01"
                             "e"
                             "\x18\x01\x20\x01\x28\x0e\x32\x02"
                             ".E"
                             "\x12\x16\x0a\x01"
                             "b"
                             "\x18\x02\x20\x01\x28\x0c\x3a\x0b"
                             "\\0014\\377\\n"
                             "\x2a\x11\x0a\x01"
                             "E"
                             "\x12\x05\x0a\x01"
                             "A"
                             "\x10\x01\x12\x05\x0a\x01"
                             "B"
                             "\x10\x03\x62\x06"
                             "proto2";

/* proto2's enums are closed: a number that is none of theirs is as if it were not there. */
START_TEST(schema__what_proto2_says_else)
{
    struct schema *s = NULL;
    struct message_index *index;
    struct value v;
    ck_assert_msg(schema_read(bytes_of(closed, sizeof closed - 1), &heap, &s, &detail) == 0, "%s", detail.text);
    const struct message_type *m = schema_message(s, bytes_of_text("M"));
    const struct field *e = message_field_by_number(m, 1), *bytes = message_field_by_number(m, 2);
    ck_assert(bytes_equal(bytes->implicit.text, bytes_of("\0014\377\n", 4)));
    ck_assert_int_eq(e->implicit.i, 1);
    /* e: 3, e: 2 */
    struct bytes wire = bytes_of_text("\x08\x03\x08\x02");
    ck_assert_int_eq(message_get(wire, e, &pool, &v), 1);
    ck_assert_int_eq(v.i, 3);
    ck_assert_int_eq(message_index_make(m, wire, &pool, &index), 1);
    ck_assert_int_eq(message_index_get(index, e, &pool, &v), 1);
    ck_assert_int_eq(v.i, 3);
    struct bytes json;
    ck_assert_int_eq(json_write(s, m, wire, false, &pool, 100, &json, &detail), 0);
    ck_assert_str_eq((const char *)json.at, "{\"e\":\"B\"}");
    ck_assert_int_eq(json_write(s, m, bytes_of_text("\x08\x02"), false, &pool, 100, &json, &detail), 0);
    ck_assert_str_eq((const char *)json.at, "{}");
    ck_assert_int_eq(json_read(s, m, bytes_of_text("{\"e\":3}"), &pool, 100, &wire, &detail), 0);
    ck_assert_int_eq(json_read(s, m, bytes_of_text("{\"e\":2}"), &pool, 100, &wire, &detail), E_ARGUMENT);
    schema_destroy(s);
}
END_TEST

/* The same with message N { map<E, int32> c = 1; }, which protoc would not have taken. */
START_TEST(schema__a_key_is_no_enum)
{
    struct schema *s = NULL;
    static const char file[] = "\x0a\x6d\x0a\x07"
                               "o.proto"
                               "\x22\x47\x0a\x01"
                               "N"
                               "\x12\x14\x0a\x01"
                               "c"
                               "\x18\x01\x20\x03\x28\x0b\x32\x09"
                               ".N.CEntry"
                               "\x1a\x2c\x0a\x06"
                               "CEntry"
                               "\x12\x0f\x0a\x03"
                               "key"
                               "\x18\x01\x20\x01\x28\x0e\x32\x02"
                               ".E"
                               "\x12\x0d\x0a\x05"
                               "value"
                               "\x18\x02\x20\x01\x28\x05\x3a\x02\x38\x01\x2a\x11\x0a\x01"
                               "E"
                               "\x12\x05\x0a\x01"
                               "A"
                               "\x10\x01\x12\x05\x0a\x01"
                               "B"
                               "\x10\x03\x62\x06"
                               "proto2";
    ck_assert_int_eq(schema_read(bytes_of(file, sizeof file - 1), &heap, &s, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "N.CEntry");
    ck_assert_str_eq(detail.text, "is not declared as a map's entry is");
}
END_TEST

/* ---- reading and building ---- */

START_TEST(message__what_is_built_is_read)
{
    const struct message_type *order = shapes_type(schema, "Order"), *line = shapes_type(schema, "Line");
    struct value v;
    add(order, "order_id", text("A-1"));
    for (int i = 0; i < 3; i++) {
        size_t mark = build_open(&b, shapes_field(order, "lines"));
        add(line, "sku",
            text(i == 1 ? "a name that is longer than the one byte of length allows for, which is a hundred and "
                          "twenty-seven bytes: so what was written is moved"
                        : "x"));
        add(line, "quantity", whole(i));
        build_close(&b, mark);
    }
    size_t mark = build_open(&b, shapes_field(order, "shifts"));
    for (int i = -2; i <= 2; i++) {
        v = whole(i);
        build_packed(&b, shapes_field(order, "shifts"), &v);
    }
    build_close(&b, mark);
    add(order, "priority", whole(0));
    struct bytes wire = finish();
    struct inspection seen;
    ck_assert_int_eq(inspect_message(order, wire, &seen, &detail), 0);
    ck_assert_uint_eq(seen.unknown, 0);
    ck_assert_int_eq(get(wire, order, "order_id", &v), 1);
    ck_assert(bytes_equal(v.text, bytes_of_text("A-1")));
    ck_assert(v.text.at > wire.at && v.text.at < wire.at + wire.size);
    ck_assert_int_eq(get(wire, order, "priority", &v), 1);
    ck_assert_int_eq(get(wire, order, "color", &v), 0);
    ck_assert_int_eq(v.i, 0);
    ck_assert_int_eq(message_count(wire, shapes_field(order, "lines")), 3);
    ck_assert_int_eq(message_item(wire, shapes_field(order, "lines"), 1, &v), 1);
    ck_assert_int_eq(get(v.text, line, "quantity", &v), 1);
    ck_assert_int_eq(v.i, 1);
    ck_assert_int_eq(message_count(wire, shapes_field(order, "shifts")), 5);
    ck_assert_int_eq(message_item(wire, shapes_field(order, "shifts"), 0, &v), 1);
    ck_assert_int_eq(v.i, -2);
    ck_assert_int_eq(message_item(wire, shapes_field(order, "shifts"), 5, &v), 0);
}
END_TEST

/* What a length counts is moved when it takes more bytes than one. */
START_TEST(message__a_length_takes_as_many_bytes_as_it_needs)
{
    static const size_t sizes[] = {124, 125, 126, 16379, 16380, 16381, 20000};
    const struct message_type *order = shapes_type(schema, "Order"), *line = shapes_type(schema, "Line");
    static char sku[20001];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct value v;
        memset(sku, 'a' + (int)i, sizes[i]);
        sku[sizes[i]] = '\0';
        builder_init(&b, &pool, 1 << 16);
        size_t mark = build_open(&b, shapes_field(order, "lines"));
        add(line, "sku", text(sku));
        build_close(&b, mark);
        add(order, "order_id", text("o"));
        struct bytes wire = finish();
        ck_assert_int_eq(message_item(wire, shapes_field(order, "lines"), 0, &v), 1);
        ck_assert_int_eq(get(v.text, line, "sku", &v), 1);
        ck_assert(bytes_equal(v.text, bytes_of(sku, sizes[i])));
        ck_assert_int_eq(get(wire, order, "order_id", &v), 1);
    }
}
END_TEST

START_TEST(message__the_last_of_a_oneof_counts)
{
    const struct message_type *order = shapes_type(schema, "Order");
    struct value v;
    add(order, "card", text("4111"));
    add(order, "cash", (struct value){.kind = FIELD_BOOL, .b = false});
    struct bytes wire = finish();
    ck_assert_int_eq(get(wire, order, "card", &v), 0);
    ck_assert_uint_eq(v.text.size, 0);
    ck_assert_int_eq(get(wire, order, "cash", &v), 1);
}
END_TEST

/* customer { name: "A" } customer { address { street: "S" } }: one customer, with both. */
START_TEST(message__parts_of_a_message_are_one)
{
    const struct message_type *order = shapes_type(schema, "Order");
    const struct message_type *customer = shapes_type(schema, "Customer"),
                              *address = shapes_field(customer, "address")->message;
    struct value c, v;
    struct bytes wire = bytes_of_text("\x12\x03\x0a\x01"
                                      "A"
                                      "\x12\x05\x12\x03\x0a\x01S");
    ck_assert_int_eq(get(wire, order, "customer", &c), 1);
    ck_assert_int_eq(get(c.text, customer, "name", &v), 1);
    ck_assert(bytes_equal(v.text, bytes_of_text("A")));
    ck_assert_int_eq(get(c.text, customer, "address", &v), 1);
    ck_assert_int_eq(get(v.text, address, "street", &v), 1);
    ck_assert(bytes_equal(v.text, bytes_of_text("S")));
    ck_assert_int_eq(get(bytes_of_text(""), order, "customer", &v), 0);
    ck_assert_int_eq(get(bytes_of_text("\x12\x05"), order, "customer", &v), E_ARGUMENT);
    ck_assert_int_eq(get(bytes_of_text("\x02\x01x"), order, "customer", &v), E_ARGUMENT);
    /* A part without bytes is one, too, before or behind the others. */
    static const char *const parts[] = {"\x12\x00\x12\x03\x0a\x01x", "\x12\x03\x0a\x01x\x12\x00"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ck_assert_int_eq(get(bytes_of((const uint8_t *)parts[i], 7), order, "customer", &c), 1);
        ck_assert_int_eq(get(c.text, customer, "name", &v), 1);
    }
}
END_TEST

START_TEST(message__maps_are_looked_up)
{
    const struct message_type *order = shapes_type(schema, "Order");
    const struct field *counts = shapes_field(order, "counts");
    for (int i = 0; i < 3; i++) {
        struct value key = text(i == 1 ? "b" : "a"), v = whole(i);
        size_t mark = build_open(&b, counts);
        build_field(&b, &counts->message->fields[0], &key);
        build_field(&b, &counts->message->fields[1], &v);
        build_close(&b, mark);
    }
    struct bytes wire = finish();
    struct value key = text("a"), v;
    ck_assert_int_eq(message_find(wire, counts, &key, &pool, &v), 1);
    ck_assert_int_eq(v.i, 2);
    key = text("c");
    ck_assert_int_eq(message_find(wire, counts, &key, &pool, &v), 0);
    /* What is damaged behind an entry, or within one, is no map in which something is found. */
    static const char *const damaged[] = {"\x22\x05\x0a\x01"
                                          "a\x10\x01\x22",
                                          "\x22\x05\x0a\x01"
                                          "a\x10\x01\x22\x01\x0a",
                                          "\x22\x01\x0a\x22\x05\x0a\x01"
                                          "a\x10\x01"};
    key = text("a");
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        ck_assert_int_eq(message_find(bytes_of_text(damaged[i]), counts, &key, &pool, &v), E_ARGUMENT);
}
END_TEST

START_TEST(message__a_builder_keeps_its_bound)
{
    const struct message_type *order = shapes_type(schema, "Order");
    struct bytes wire;
    builder_init(&b, &pool, 10);
    add(order, "order_id", text("0123456"));
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    add(order, "order_id", text("0"));
    ck_assert_int_eq(builder_finish(&b, &wire), E_PAYLOAD);
    /* Also where it ends within the beginning of a message, or its length. */
    for (size_t room = 0; room <= 7; room++) {
        builder_init(&b, &pool, room);
        size_t first = build_open(&b, shapes_field(order, "customer"));
        size_t second = build_open(&b, shapes_field(shapes_type(schema, "Customer"), "address"));
        add(shapes_type(schema, "Address"), "street", text("s"));
        build_close(&b, second);
        build_close(&b, first);
        ck_assert_int_eq(builder_finish(&b, &wire), room < 7 ? E_PAYLOAD : 0);
    }
    ck_assert(bytes_equal(wire, bytes_of_text("\x12\x05\x12\x03\x0a\x01s")));
    char filled[129];
    memset(filled, 'x', 128);
    filled[128] = '\0';
    for (size_t room = 132; room <= 134; room++) { /* whose length takes a second byte */
        builder_init(&b, &pool, room);
        size_t mark = build_open(&b, shapes_field(order, "customer"));
        add(shapes_type(schema, "Customer"), "name", text(filled));
        build_close(&b, mark);
        ck_assert_int_eq(builder_finish(&b, &wire), room < 134 ? E_PAYLOAD : 0);
    }
    builder_init(&b, &pool, SIZE_MAX);
    char *long_text = calloc(1, 2 << 20);
    memset(long_text, 'x', (2 << 20) - 1);
    add(order, "order_id", text(long_text));
    ck_assert_int_eq(builder_finish(&b, &wire), E_PAYLOAD);
    free(long_text);
}
END_TEST

/* ---- checking ---- */

static int inspect(const char *type, struct bytes wire, struct inspection *seen)
{
    return inspect_message(shapes_type(schema, type), wire, seen, &detail);
}

START_TEST(inspect__unknown_fields_are_counted_wherever_they_are)
{
    struct inspection seen;
    /* lines { sku: "x", 9: 1 } 98: 1, and order_id as a varint, which it cannot be */
    struct bytes wire = bytes_of_text("\x1a\x05\x0a\x01x\x48\x01"
                                      "\x90\x06\x01"
                                      "\x08\x01");
    ck_assert_int_eq(inspect("Order", wire, &seen), 0);
    ck_assert_uint_eq(seen.known, 2);
    ck_assert_uint_eq(seen.unknown, 3);
    ck_assert_uint_eq(seen.unknown_number, 9);
    ck_assert_str_eq((const char *)seen.unknown_in->name.at, "shapes.Line");
    /* A group that the type does not know. */
    ck_assert_int_eq(inspect("Order", bytes_of_text("\x9b\x06\x08\x01\x9c\x06"), &seen), 0);
    ck_assert_uint_eq(seen.unknown, 1);
}
END_TEST

START_TEST(inspect__what_is_no_message_is_refused_with_its_path)
{
    struct inspection seen;
    static const struct {
        const char *wire, *field, *words;
    } cases[] = {
        {"\x0a\x02x", "", "the bytes are no message"},
        {"\x1a\x03\x0a\x01x\x1a\x03\x0a\x01\xff", "lines[1].sku", "a string must be UTF-8"},
        {"\x12\x02\x12\x05", "customer", "the bytes are no message"},
        {"\x0a\x01x\x2a\x01\x02\x1a\x02\x10\x01\x1a\x03\x0a\x01\xff", "lines[1].sku", "a string must be UTF-8"},
        {"\x2a\x01\xff", "shifts[0]", "its packed values end within one"},
        {"\x9b\x06", "", "the bytes are no message"},
        {"\x9b\x06\xa4\x06", "", "the bytes are no message"},
        {"\x07", "", "the bytes are no message"},
        {"\x88\x80\x80\x80\x10\x01", "", "the bytes are no message"}, /* a number of more than 29 bits */
        {"\x0e", "", "the bytes are no message"},
        {"\x02\x01x", "", "the bytes are no message"}, /* fields have numbers from 1 */
        {"\x03\x04", "", "the bytes are no message"},
        {"\x0a\x01x\x12\x05\x05xxxx", "customer", "the bytes are no message"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(inspect("Order", bytes_of_text(cases[i].wire), &seen) == E_ARGUMENT, "%zu", i);
        ck_assert_msg(strcmp(detail.field, cases[i].field) == 0, "%zu: %s", i, detail.field);
        ck_assert_msg(strcmp(detail.text, cases[i].words) == 0, "%zu: %s", i, detail.text);
    }
}
END_TEST

START_TEST(inspect__messages_have_a_bounded_depth)
{
    const struct message_type *tree = shapes_type(schema, "Tree");
    struct inspection seen;
    struct bytes wire = bytes_of(NULL, 0);
    for (int depth = 1; depth <= MESSAGE_DEPTH_MAX; depth++) {
        ck_assert_int_eq(inspect("Tree", wire, &seen), 0);
        builder_init(&b, &pool, 1 << 16);
        add(tree, "left", (struct value){.kind = FIELD_MESSAGE, .text = wire});
        wire = finish();
    }
    ck_assert_int_eq(inspect("Tree", wire, &seen), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "messages are more than 100 within one another");
    /* Groups within one another, which nobody knows, too. */
    uint8_t groups[4 * (MESSAGE_DEPTH_MAX + 1)];
    for (size_t deep = MESSAGE_DEPTH_MAX; deep <= MESSAGE_DEPTH_MAX + 1; deep++) {
        for (size_t i = 0; i < deep; i++) {
            memcpy(groups + 2 * i, "\x9b\x06", 2);
            memcpy(groups + 2 * deep + 2 * i, "\x9c\x06", 2);
        }
        ck_assert_int_eq(inspect("Tree", bytes_of(groups, 4 * deep), &seen),
                         deep == MESSAGE_DEPTH_MAX ? 0 : E_ARGUMENT);
    }
}
END_TEST

/* A field of this type, or bytes that are like one: often there again, of another wire type, or of a number that the type has not. */
static size_t put_random_field(struct random *r, const struct message_type *type, uint8_t *at)
{
    static const enum wire_type types[] = {WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_FIXED32};
    const struct field *f = &type->fields[random_below(r, type->field_count)];
    uint32_t number = random_below(r, 20) == 0 ? 999 : f->number;
    enum wire_type wire = random_below(r, 10) == 0 ? types[random_below(r, 4)] : field_kind_wire(f->kind);
    size_t size = wire_put_varint(at, (uint64_t)number << 3 | wire);
    if (wire == WIRE_VARINT)
        return size + wire_put_varint(at + size, random_below(r, 3) == 0 ? 0 : random_next(r) >> random_below(r, 64));
    if (wire == WIRE_BYTES) {
        size_t length = random_below(r, 3) == 0 ? 0 : 2 * random_below(r, 70);
        size += wire_put_varint(at + size, length);
        for (size_t i = 0; i < length; i += 2) /* a message of varints, too */
            memcpy(at + size + i, "\x08\x01", 2);
        return size + length;
    }
    memset(at + size, (int)random_below(r, 256), 8);
    return size + (wire == WIRE_FIXED64 ? 8 : 4);
}

static bool same_value(const struct value *one, const struct value *other)
{
    if (one->kind != other->kind || value_class_of(one->kind) == VALUE_TEXT)
        return one->kind == other->kind && bytes_equal(one->text, other->text);
    return memcmp(&one->u, &other->u, value_class_of(one->kind) == VALUE_BOOL ? 1 : 8) == 0;
}

/* An index tells of every field what going over the message tells. */
START_TEST(message__an_index_tells_what_the_message_tells)
{
    const struct message_type *types[] = {shapes_type(schema, "Order"), shapes_type(schema, "Numbers"),
                                          shapes_type(schema, "Known")};
    static uint8_t wire[8192];
    struct random random;
    random_seed(&random, 1);
    for (unsigned n = 0; n < 6000; n++) {
        const struct message_type *type = types[n % 3];
        struct pool_mark mark = pool_mark(&pool);
        struct message_index *index;
        size_t size = 0;
        for (unsigned i = (unsigned)random_below(&random, 30); i > 0; i--)
            size += put_random_field(&random, type, wire + size);
        if (random_below(&random, 4) == 0 && size > 0)
            size -= 1 + random_below(&random, size); /* cut somewhere */
        if (random_below(&random, 4) == 0 && size > 0)
            wire[random_below(&random, size)] = (uint8_t)random_below(&random, 256);
        if (n == 0)
            memcpy(wire, "\x02\x01", size = 3); /* a field without a number */
        struct bytes message = bytes_of(wire, size);
        int made = message_index_make(type, message, &pool, &index);
        for (unsigned i = 0; i < type->field_count; i++) {
            struct value expected, found;
            if (type->fields[i].repeated)
                continue;
            int code = message_get(message, &type->fields[i], &pool, &expected);
            /* An assertion that holds costs more than what is compared here. */
            if (made != (code < 0 ? code : 1))
                ck_abort_msg("%d, %d", made, code);
            if (made == 1 &&
                (message_index_get(index, &type->fields[i], &pool, &found) != code || !same_value(&expected, &found)))
                ck_abort_msg("%s", (const char *)type->fields[i].name.at);
        }
        pool_rewind(&pool, mark);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *tests = tcase_create("message");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, schema__types_fields_and_methods_are_found);
    tcase_add_test(tests, schema__sagads_own_api_is_one);
    tcase_add_test(tests, schema__what_is_none_is_refused_with_words);
    tcase_add_test(tests, schema__what_proto2_says_else);
    tcase_add_test(tests, schema__a_key_is_no_enum);
    tcase_add_test(tests, message__what_is_built_is_read);
    tcase_add_test(tests, message__a_length_takes_as_many_bytes_as_it_needs);
    tcase_add_test(tests, message__the_last_of_a_oneof_counts);
    tcase_add_test(tests, message__parts_of_a_message_are_one);
    tcase_add_test(tests, message__maps_are_looked_up);
    tcase_add_test(tests, message__an_index_tells_what_the_message_tells);
    tcase_add_test(tests, message__a_builder_keeps_its_bound);
    tcase_add_test(tests, inspect__unknown_fields_are_counted_wherever_they_are);
    tcase_add_test(tests, inspect__what_is_no_message_is_refused_with_its_path);
    tcase_add_test(tests, inspect__messages_have_a_bounded_depth);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
