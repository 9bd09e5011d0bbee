/* Sets of descriptors, written field by field: what each of them comes to, and what no compiler of protobuf would have let through. */
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/message.h"
#include "sidecar/message/schema.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct schema *schema;
static struct error_detail detail;

static void teardown(void)
{
    schema_destroy(schema);
    schema = NULL;
}

static int read_set(const char *text)
{
    uint8_t set[8192];
    size_t size = wire_of_text(text, set, sizeof set);
    teardown();
    return schema_read(bytes_of(set, size), &heap, &schema, &detail);
}

/* The parts of a file of proto3, or of proto2. */
#define FILE3(more)                     "1:{1:'a.proto' 2:'p' " more " 12:'proto3'}"
#define FILE2(more)                     "1:{1:'a.proto' 2:'p' " more "}"
#define FIELD(name, number, type, more) "2:{1:'" name "' 3:" number " 4:1 5:" type " " more "} "

START_TEST(schema__each_part_of_a_set_comes_to_something)
{
    int code = read_set(FILE3(
        "4:{1:'M' " FIELD("old_one", "3", "5", "8:{3:1}") FIELD("secret", "1", "9", "8:{16:1}") FIELD("named", "2", "9",
                                                                                                      "10:'other'")
            FIELD("maybe", "5", "5", "9:1 17:1") FIELD("a", "6", "5", "9:0") FIELD(
                "b", "7", "9",
                "9:0") "2:{1:'many' 3:8 4:3 5:5} 2:{1:'single' 3:9 4:3 5:5 8:{2:0}} "
                       "8:{1:'either'} 8:{1:'_maybe'} 7:{3:1} 9:{1:20 2:30} 9:{1:40 2:41} "
                       "3:{1:'Inner' " FIELD(
                           "m", "1",
                           "11",
                           "6:'.p.M'") "}} "
                                       "5:{1:'E' 2:{1:'ZERO' 2:0} 2:{1:'LOW' 2:-1} 2:{1:'ALSO_ZERO' 2:0} 4:{1:5 2:7}} "
                                       "6:{1:'S' 2:{1:'Both' 2:'.p.M' 3:'.p.M.Inner' 5:1 6:1} 2:{1:'Up' 2:'.p.M' "
                                       "3:'.p.M' 5:1} "
                                       "2:{1:'Gone' 2:'.p.M' 3:'.p.M' 4:{33:1}}}"));
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    const struct message_type *m = schema_message(schema, bytes_of_text("p.M")),
                              *inner = schema_message(schema, bytes_of_text("p.M.Inner"));
    ck_assert(m->deprecated && !inner->deprecated && m->strict_utf8 && !m->map_entry);
    ck_assert_str_eq((const char *)m->file.at, "a.proto");
    ck_assert_uint_eq(m->field_count, 8);
    for (unsigned i = 1; i < m->field_count; i++)
        ck_assert_uint_lt(m->fields[i - 1].number, m->fields[i].number);
    ck_assert(message_field_by_number(m, 3)->deprecated && !message_field_by_number(m, 1)->deprecated);
    ck_assert(message_field_by_number(m, 1)->redacted && !message_field_by_number(m, 3)->redacted);
    ck_assert_str_eq((const char *)message_field_by_number(m, 3)->json_name.at, "oldOne");
    ck_assert_str_eq((const char *)message_field_by_number(m, 2)->json_name.at, "other");
    ck_assert_ptr_eq(message_field_by_any_name(m, bytes_of_text("other")), message_field_by_number(m, 2));
    ck_assert(message_field_by_number(m, 5)->presence && message_field_by_number(m, 5)->oneof == -1);
    ck_assert(message_field_by_number(m, 6)->oneof == 0 && message_field_by_number(m, 7)->oneof == 0);
    ck_assert(message_field_by_number(m, 8)->packed && !message_field_by_number(m, 9)->packed);
    ck_assert_ptr_eq(inner->fields[0].message, m);
    /* A message's range ends before its second number, an enum's with it. */
    static const unsigned reserved[] = {20, 29, 40}, free_ones[] = {19, 30, 39, 41};
    for (size_t i = 0; i < 3; i++)
        ck_assert(message_reserves(m, reserved[i]));
    for (size_t i = 0; i < 4; i++)
        ck_assert(!message_reserves(m, free_ones[i]));
    const struct enum_type *e = schema_enum(schema, bytes_of_text("p.E"));
    ck_assert(!enum_reserves(e, 4) && enum_reserves(e, 5) && enum_reserves(e, 7) && !enum_reserves(e, 8));
    ck_assert_str_eq((const char *)enum_value_by_number(e, 0)->name.at, "ZERO");
    ck_assert_int_eq(enum_value_by_name(e, bytes_of_text("ALSO_ZERO"))->number, 0);
    ck_assert_int_eq(enum_value_by_name(e, bytes_of_text("LOW"))->number, -1);
    ck_assert(!e->closed && e->value_count == 3);
    const struct method_type *both = schema_method(schema, bytes_of_text("/p.S/Both"));
    ck_assert(both->client_streaming && both->server_streaming && both->input == m && both->output == inner);
    ck_assert(schema_method(schema, bytes_of_text("/p.S/Up"))->client_streaming &&
              !schema_method(schema, bytes_of_text("/p.S/Up"))->server_streaming);
    ck_assert(schema_method(schema, bytes_of_text("/p.S/Gone"))->deprecated && !both->deprecated);
}
END_TEST

/* However many names a number has, and wherever among the others it stands: it is shown by the one that was declared first. */
START_TEST(schema__of_several_names_for_a_number_the_first_counts)
{
    for (int count = 1; count <= 12; count++) {
        char set[1024] = "1:{1:'a.proto' 2:'p' 5:{1:'E' ", name[8];
        for (int i = 0; i < count; i++)
            snprintf(set + strlen(set), sizeof set - strlen(set), "2:{1:'N%d' 2:%d} ", i, i * 2 % 5);
        strcat(set, "} 12:'proto3'}");
        ck_assert_msg(read_set(set) == 0, "%s: %s", detail.field, detail.text);
        const struct enum_type *e = schema_enum(schema, bytes_of_text("p.E"));
        for (int i = 0; i < 5 && i < count; i++) {
            snprintf(name, sizeof name, "N%d", i);
            ck_assert_str_eq((const char *)enum_value_by_number(e, i * 2 % 5)->name.at, name);
        }
    }
}
END_TEST

/* Numbers of proto2 are packed where the file says so, and those of proto3 unless it says not. */
START_TEST(schema__a_list_is_packed_where_it_says_so)
{
#define LISTS \
    "4:{1:'M' 2:{1:'as_it_is' 3:1 4:3 5:5} 2:{1:'yes' 3:2 4:3 5:5 8:{2:1}} 2:{1:'no' 3:3 4:3 5:5 8:{2:0}} 2:{1:'odd' " \
    "3:4 4:3 5:5 8:{2:'x'}}}"
    for (int third = 0; third < 2; third++) {
        ck_assert_int_eq(read_set(third ? FILE3(LISTS) : FILE2(LISTS)), 0);
        const struct message_type *m = schema_message(schema, bytes_of_text("p.M"));
        ck_assert_int_eq(message_field_by_number(m, 1)->packed, third);
        ck_assert(message_field_by_number(m, 2)->packed && !message_field_by_number(m, 3)->packed);
        ck_assert_int_eq(message_field_by_number(m, 4)->packed, third); /* whose option is none */
    }
#undef LISTS
}
END_TEST

START_TEST(schema__a_field_has_any_number_up_to_the_last)
{
    ck_assert_int_eq(read_set(FILE3("4:{1:'M' " FIELD("last", "536870911", "5", "") FIELD("first", "1", "5", "") "}")),
                     0);
    const struct message_type *m = schema_message(schema, bytes_of_text("p.M"));
    ck_assert_str_eq((const char *)message_field_by_number(m, 536870911)->name.at, "last");
    ck_assert_str_eq((const char *)message_field_by_number(m, 1)->name.at, "first");
    ck_assert_ptr_null(message_field_by_number(m, 536870910));
}
END_TEST

/* As protoc makes them. */
START_TEST(schema__names_in_json_are_made_of_those_in_the_file)
{
    static const char *const names[][2] = {{"a", "a"},       {"old_one", "oldOne"}, {"x_1y", "x1y"},
                                           {"a_1_b", "a1B"}, {"_a", "A"},           {"a_", "a"},
                                           {"a__b", "aB"},   {"A_Bc", "ABc"},       {"abc_Def", "abcDef"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[128];
        snprintf(text, sizeof text, FILE3("4:{1:'M' 2:{1:'%s' 3:1 4:1 5:5}}"), names[i][0]);
        ck_assert_int_eq(read_set(text), 0);
        ck_assert_str_eq((const char *)schema_message(schema, bytes_of_text("p.M"))->fields[0].json_name.at,
                         names[i][1]);
    }
}
END_TEST

/* What an unset field of proto2 reads as, when the file says it. */
START_TEST(schema__defaults_of_proto2_are_read)
{
    static const struct {
        const char *field;
        struct value value;
    } cases[] = {
        {"5:5 7:'-7'", {.kind = FIELD_INT32, .i = -7}},
        {"5:4 7:'18446744073709551615'", {.kind = FIELD_UINT64, .u = UINT64_MAX}},
        {"5:8 7:'true'", {.kind = FIELD_BOOL, .b = true}},
        {"5:8 7:'false'", {.kind = FIELD_BOOL, .b = false}},
        {"5:1 7:'-0.5'", {.kind = FIELD_DOUBLE, .d = -0.5}},
        {"5:1 7:'inf'", {.kind = FIELD_DOUBLE, .d = __builtin_inf()}},
        {"5:1 7:'-inf'", {.kind = FIELD_DOUBLE, .d = -__builtin_inf()}},
        {"5:14 6:'.p.E' 7:'TWO'", {.kind = FIELD_ENUM, .i = 2}},
        {"5:14 6:'.p.E'", {.kind = FIELD_ENUM, .i = 1}},
        {"5:5", {.kind = FIELD_INT32, .i = 0}},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 %s}} 5:{1:'E' 2:{1:'ONE' 2:1} 2:{1:'TWO' 2:2}}"),
                 cases[i].field);
        ck_assert_msg(read_set(text) == 0, "%s: %s", text, detail.text);
        const struct field *f = &schema_message(schema, bytes_of_text("p.M"))->fields[0];
        ck_assert_msg(value_equal(&f->implicit, &cases[i].value), "%s", text);
        ck_assert(f->presence);
    }
    ck_assert_int_eq(read_set(FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 5:2 7:'nan'} 2:{1:'s' 3:2 4:1 5:9 7:'a\\\\b'} "
                                    "2:{1:'y' 3:3 4:2 5:12 7:'\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\?\\101\\7z\\0008'}}")),
                     0);
    const struct message_type *m = schema_message(schema, bytes_of_text("p.M"));
    ck_assert(m->fields[0].implicit.d != m->fields[0].implicit.d);
    ck_assert(bytes_equal(m->fields[1].implicit.text, bytes_of_text("a\\\\b"))); /* a text stands there as it is */
    ck_assert(bytes_equal(m->fields[2].implicit.text, bytes_of("\a\b\f\n\r\t\v\\\"?A\007z\0008", 15)));
    ck_assert(m->fields[2].required && !m->fields[1].required && !m->strict_utf8);
    ck_assert(!schema_message(schema, bytes_of_text("p.M"))->fields[0].packed);
}
END_TEST

START_TEST(schema__what_no_compiler_makes_is_refused)
{
    static const struct {
        const char *set, *field, *words;
    } cases[] = {
        {"1:{2:'p'}", "", "a file of the set has no name, or not one of printable ASCII"},
        {"1:{1:'a b\n'}", "", "a file of the set has no name, or not one of printable ASCII"},
        {"1:{1:'a.proto' 2:'1p'}", "a.proto", "its package is no name"},
        {"1:{1:'a.proto' 2:'p..q'}", "a.proto", "its package is no name"},
        {"1:{1:'a.proto' 12:'proto4'}", "a.proto", "its syntax is neither proto2 nor proto3"},
        {"1:{1:'a.proto' 14:1000}", "a.proto", "is written in an edition; write it in proto3 or proto2"},
        {FILE3("4:{1:'M N'}"), "p", "declares something whose name is no identifier"},
        {FILE3("4:{2:{}}"), "p", "declares something whose name is no identifier"},
        {FILE3("4:{1:'M' 2:{1:'1f' 3:1 4:1 5:5}}"), "p.M", "declares something whose name is no identifier"},
        {FILE3("4:{1:'M' 2:{3:1 4:1 5:5}}"), "p.M",
         "has a field without a name, a type, or a number from 1 to 536870911"},
        {FILE3("4:{1:'M' 2:{1:'f' 4:1 5:5}}"), "p.M",
         "has a field without a name, a type, or a number from 1 to 536870911"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:536870912 4:1 5:5}}"), "p.M",
         "has a field without a name, a type, or a number from 1 to 536870911"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1}}"), "p.M",
         "has a field without a name, a type, or a number from 1 to 536870911"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:19}}"), "a.proto", "declares a field of a type that is not known"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:0}}"), "a.proto", "declares a field of a type that is not known"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:5} 2:{1:'g' 3:1 4:1 5:5}}"), "p.M", "has two fields of one number: g"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:5} 2:{1:'f' 3:2 4:1 5:5}}"), "p.M", "has two fields of one name: f"},
        {FILE3("4:{1:'M'} 4:{1:'M'}"), "p.M", "is declared twice"},
        {FILE3("5:{1:'E' 2:{1:'A' 2:0}} 5:{1:'E' 2:{1:'A' 2:0}}"), "p.E", "is declared twice"},
        {FILE3("6:{1:'S'} 6:{1:'S'}"), "p.S", "is declared twice"},
        {FILE3("4:{1:'M'} 5:{1:'M' 2:{1:'A' 2:0}}"), "p.M", "is declared as a message and as an enum"},
        {FILE3("4:{1:'M' 7:{1:1}}"), "p.M", "uses message_set_wire_format, which is not supported"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:11 6:'.p.N'}}"), "p.M",
         "uses a type that is not in the set (make it with --include_imports): p.N"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:11 6:'.p.\x1fN'}}"), "p.M",
         "uses a type that is not in the set (make it with --include_imports): ?"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:11 6:'.p.N\x7f'}}"), "p.M",
         "uses a type that is not in the set (make it with --include_imports): ?"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:11 6:'.p.N ~'}}"), "p.M",
         "uses a type that is not in the set (make it with --include_imports): p.N ~"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:14 6:'.p.M'}}"), "p.M",
         "uses a type that is not in the set (make it with --include_imports): p.M"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:11 6:'p.M'}}"), "p.M", "names a type without its package"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:5 9:0}}"), "p.M",
         "has a field in a oneof that is none, or cannot be in one"},
        {FILE3("4:{1:'M' 2:{1:'f' 3:1 4:1 5:5 9:4294967295}}"), "p.M",
         "has a field in a oneof that is none, or cannot be in one"},
        {FILE3("4:{1:'M' 8:{1:'o'} 2:{1:'f' 3:1 4:1 5:5 9:1}}"), "p.M",
         "has a field in a oneof that is none, or cannot be in one"},
        {FILE3("4:{1:'M' 8:{1:'o'} 2:{1:'f' 3:1 4:3 5:5 9:0}}"), "p.M",
         "has a field in a oneof that is none, or cannot be in one"},
        {FILE3("5:{1:'E'}"), "p.E", "is an enum without values"},
        {FILE3("5:{1:'E' 2:{1:'A' 2:0} 2:{1:'A' 2:1}}"), "p.E", "has two values of one name: A"},
        {FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 5:14 6:'.p.E' 7:'B'}} 5:{1:'E' 2:{1:'A' 2:0}}"), "p.M",
         "has a field whose default is no value of its enum"},
        {FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 5:5 7:'x'}}"), "p.M", "has a field whose default cannot be read"},
        {FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 5:4 7:'-1'}}"), "p.M", "has a field whose default cannot be read"},
        {FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 5:1 7:'1x'}}"), "p.M", "has a field whose default cannot be read"},
        {FILE2("4:{1:'M' 2:{1:'f' 3:1 4:1 5:11 6:'.p.M' 7:'x'}}"), "p.M", "has a field whose default cannot be read"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 2:{1:'key' 3:1 4:1 5:9}}}"), "p.M.N", "is not declared as a map's entry is"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 2:{1:'key' 3:1 4:1 5:1} 2:{1:'value' 3:2 4:1 5:9}}}"), "p.M.N",
         "is not declared as a map's entry is"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 2:{1:'key' 3:1 4:1 5:9} 2:{1:'value' 3:3 4:1 5:9}}}"), "p.M.N",
         "is not declared as a map's entry is"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 2:{1:'key' 3:1 4:1 5:9} 2:{1:'value' 3:2 4:3 5:9}}}"), "p.M.N",
         "is not declared as a map's entry is"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 8:{1:'o'} 2:{1:'key' 3:1 4:1 5:9} 2:{1:'value' 3:2 4:1 5:9 9:0}}}"), "p.M.N",
         "is not declared as a map's entry is"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 2:{1:'key' 3:1 4:1 5:2} 2:{1:'value' 3:2 4:1 5:9}}}"), "p.M.N",
         "is not declared as a map's entry is"},
        {FILE3("4:{1:'M' 3:{1:'N' 7:{7:1} 2:{1:'key' 3:1 4:1 5:12} 2:{1:'value' 3:2 4:1 5:9}}}"), "p.M.N",
         "is not declared as a map's entry is"},
        {FILE3("6:{1:'S' 2:{2:'.p.M' 3:'.p.M'}}"), "p.S", "has a method without a name"},
        {FILE3("6:{1:'S' 2:{1:'F' 2:'p.M' 3:'.p.M'}}"), "p.S.F", "names a type without its package"},
        {FILE3("4:{1:'M'} 6:{1:'S' 2:{1:'F' 2:'.p.N' 3:'.p.M'}}"), "p.S.F",
         "uses a type that is not in the set (make it with --include_imports): p.N"},
        {FILE3("4:{1:'M'} 6:{1:'S' 2:{1:'F' 2:'.p.M' 3:'.p.N'}}"), "p.S.F",
         "uses a type that is not in the set (make it with --include_imports): p.N"},
        {"1:{1:'a.proto' 2:'google.protobuf' 4:{1:'Timestamp' 2:{1:'seconds' 3:1 4:1 5:9}} 12:'proto3'}",
         "google.protobuf.Timestamp", "is not declared as protobuf's own type of this name is"},
        {"1:{1:'a.proto' 2:'google.protobuf' 4:{1:'Duration' 2:{1:'seconds' 3:1 4:3 5:3} 2:{1:'nanos' 3:2 4:1 5:5}} "
         "12:'proto3'}",
         "google.protobuf.Duration", "is not declared as protobuf's own type of this name is"},
        {"1:{1:'a.proto' 2:'google.protobuf' 4:{1:'Duration' 2:{1:'seconds' 3:1 4:1 5:3} 2:{1:'nanos' 3:2 4:3 5:5}} "
         "12:'proto3'}",
         "google.protobuf.Duration", "is not declared as protobuf's own type of this name is"},
        {"1:{1:'a.proto' 2:'google.protobuf' 4:{1:'FieldMask' 2:{1:'paths' 3:1 4:1 5:9}} 12:'proto3'}",
         "google.protobuf.FieldMask", "is not declared as protobuf's own type of this name is"},
        {"1:{1:'a.proto' 2:'google.protobuf' 4:{1:'Struct' 2:{1:'fields' 3:1 4:3 5:11 6:"
         "'.google.protobuf.Struct.FieldsEntry'} 3:{1:'FieldsEntry' 2:{1:'key' 3:1 4:1 5:9} 2:{1:'value' 3:2 4:1 5:11 "
         "6:'.google.protobuf.Value'}}} 4:{1:'Value'} 12:'proto3'}",
         "google.protobuf.Struct", "is not declared as protobuf's own type of this name is"},
        {"1:{1:'a.proto' 2:'google.protobuf' 4:{1:'Any' 2:{1:'type_url' 3:1 4:1 5:9}} 12:'proto3'}",
         "google.protobuf.Any", "is not declared as protobuf's own type of this name is"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(read_set(cases[i].set) == E_ARGUMENT, "%s", cases[i].set);
        ck_assert_msg(strcmp(detail.text, cases[i].words) == 0, "%s: %s", cases[i].set, detail.text);
        ck_assert_msg(strcmp(detail.field, cases[i].field) == 0, "%s: %s", cases[i].set, detail.field);
        ck_assert_ptr_null(schema);
    }
}
END_TEST

/* Names of protobuf's own types mean those in its package alone; anybody's may be called so, and is what it is declared as. */
START_TEST(schema__only_types_of_protobufs_package_are_its_own)
{
    static const char *const names[] = {"Any",         "Timestamp",  "Duration",    "FieldMask",  "Struct",
                                        "Value",       "ListValue",  "DoubleValue", "FloatValue", "Int64Value",
                                        "UInt64Value", "Int32Value", "UInt32Value", "BoolValue",  "StringValue",
                                        "BytesValue",  "Empty"};
    static const char *const packages[] = {"shop",
                                           "protobuf",
                                           "google",
                                           "google.protobuf2",
                                           "my.google.protobuf",
                                           "google.protobuf.own",
                                           "xgoogle.protobuf",
                                           ""};
    char text[512], full[64];
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            snprintf(text, sizeof text, "1:{1:'a.proto' 2:'%s' 4:{1:'%s' 2:{1:'length' 3:1 4:3 5:17}} 12:'proto3'}",
                     packages[i], names[k]);
            snprintf(full, sizeof full, "%s%s%s", packages[i], i == 7 ? "" : ".", names[k]);
            ck_assert_msg(read_set(text) == 0, "%s: %s", full, detail.text);
            const struct message_type *m = schema_message(schema, bytes_of_text(full));
            ck_assert_msg(m != NULL && m->well_known == WELL_KNOWN_NONE, "%s", full);
        }
}
END_TEST

/* What bytes are as a message: closed enums have no other numbers, and what is required has to be there, in its own form. */
START_TEST(inspect__proto2_says_more_of_a_message)
{
    static const struct {
        const char *wire;
        bool incomplete;
        unsigned known, unknown, number; /* of the first unknown one */
    } cases[] = {
        {"", true, 0, 0, 0},
        {"1:5", false, 1, 0, 0},
        {"1:'ab'", true, 0, 1, 1},
        {"2:1 1:5", false, 2, 0, 0},
        {"2:1", true, 1, 0, 0},
        {"9:1", true, 0, 1, 9},
        {"1:5 2:7", false, 2, 1, 2},
        {"1:5 2:'\x01\x07\x08\x02'", false, 2, 2, 2},
        {"1:5 9:1 8:'x'", false, 1, 2, 9},
        {"1:5 3:{1:5 9:0} 3:{}", true, 4, 1, 9},
    };
    ck_assert_int_eq(read_set(FILE2("4:{1:'M' 2:{1:'f' 3:1 4:2 5:5} 2:{1:'e' 3:2 4:3 5:14 6:'.p.E'} "
                                    "2:{1:'m' 3:3 4:3 5:11 6:'.p.M'}} 5:{1:'E' 2:{1:'ONE' 2:1} 2:{1:'TWO' 2:2}}")),
                     0);
    const struct message_type *m = schema_message(schema, bytes_of_text("p.M"));
    /* Nor are they among a list's items. */
    static const struct {
        const char *wire;
        int64_t count, last;
    } lists[] = {{"2:1 2:7 2:2", 2, 2}, {"2:'\x01\x07\x08\x02'", 2, 2}, {"2:7", 0, 0}, {"2:'\x07\x01' 2:9", 1, 1}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        uint8_t wire[64];
        struct value last = {.i = 0};
        struct bytes list = bytes_of(wire, wire_of_text(lists[i].wire, wire, sizeof wire));
        ck_assert_int_eq(message_count(list, &m->fields[1]), lists[i].count);
        if (lists[i].count > 0)
            ck_assert_int_eq(message_item(list, &m->fields[1], (uint64_t)lists[i].count - 1, &last), 1);
        ck_assert_int_eq(last.i, lists[i].last);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t wire[128];
        struct inspection seen;
        ck_assert_int_eq(
            inspect_message(m, bytes_of(wire, wire_of_text(cases[i].wire, wire, sizeof wire)), &seen, &detail), 0);
        ck_assert_msg(seen.incomplete == cases[i].incomplete && seen.known == cases[i].known &&
                          seen.unknown == cases[i].unknown && seen.unknown_number == cases[i].number &&
                          seen.unknown_in == (cases[i].unknown > 0 ? m : NULL),
                      "%s: %u %u %u", cases[i].wire, seen.known, seen.unknown, seen.unknown_number);
    }
}
END_TEST

/* A group is not in the one piece that numbers of a list may be in. */
START_TEST(inspect__a_group_is_no_packed_list)
{
    static const struct {
        const char *wire;
        unsigned known, unknown;
    } cases[] = {{"1:'\x08\x01'", 0, 1}, {"1:5", 0, 1}, {"2:'\x08\x01'", 1, 0}, {"2:1", 1, 0}};
    ck_assert_int_eq(read_set(FILE2("4:{1:'M' 2:{1:'g' 3:1 4:3 5:10 6:'.p.M'} 2:{1:'i' 3:2 4:3 5:5}}")), 0);
    const struct message_type *m = schema_message(schema, bytes_of_text("p.M"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t wire[64];
        struct inspection seen;
        ck_assert_int_eq(
            inspect_message(m, bytes_of(wire, wire_of_text(cases[i].wire, wire, sizeof wire)), &seen, &detail), 0);
        ck_assert_msg(seen.known == cases[i].known && seen.unknown == cases[i].unknown, "%s: %u %u", cases[i].wire,
                      seen.known, seen.unknown);
    }
}
END_TEST

/* What a closed enum has not leaves the others of its oneof alone, and a string need not be text. */
START_TEST(message__proto2_passes_over_what_it_does_not_know)
{
    static const struct {
        const char *wire;
        int found;
    } cases[] = {{"2:5", 1}, {"2:5 1:7", 1}, {"2:5 1:1", 0}, {"1:1 2:5", 1}, {"2:5 1:'a'", 1}, {"1:1", 0}};
    ck_assert_int_eq(read_set(FILE2("4:{1:'M' 8:{1:'o'} 2:{1:'e' 3:1 4:1 5:14 6:'.p.E' 9:0} 2:{1:'i' 3:2 4:1 5:5 9:0} "
                                    "2:{1:'s' 3:3 4:1 5:9}} 5:{1:'E' 2:{1:'ONE' 2:1}}")),
                     0);
    const struct message_type *m = schema_message(schema, bytes_of_text("p.M"));
    uint8_t wire[64];
    struct inspection seen;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value v;
        size_t size = wire_of_text(cases[i].wire, wire, sizeof wire);
        ck_assert_int_eq(message_get(bytes_of(wire, size), &m->fields[1], NULL, &v), cases[i].found);
        ck_assert_int_eq(v.i, cases[i].found == 1 ? 5 : 0);
    }
    ck_assert_int_eq(inspect_message(m, bytes_of_text("\x1a\x01\xff"), &seen, &detail), 0);
}
END_TEST

/* 512 letters, and no more. */
START_TEST(schema__names_have_a_length)
{
    for (size_t size = 512; size <= 513; size++) {
        char text[1024] = "1:{1:'a.proto' 12:'proto3' 4:{1:'";
        memset(text + strlen(text), 'M', size);
        strcat(text, "'}}");
        ck_assert_int_eq(read_set(text), size == 512 ? 0 : E_ARGUMENT);
    }
    ck_assert_str_eq(detail.text, "declares something whose name is no identifier");
    for (size_t size = 1024; size <= 1025; size++) {
        char text[2048] = "1:{1:'";
        memset(text + strlen(text), 'f', size);
        strcat(text, "' 12:'proto3'}");
        ck_assert_int_eq(read_set(text), size == 1024 ? 0 : E_ARGUMENT);
    }
    ck_assert_str_eq(detail.text, "a file of the set has no name, or not one of printable ASCII");
}
END_TEST

/* Messages within one another: 32 deep, and no more. */
START_TEST(schema__declarations_have_a_depth)
{
    for (int deep = 32; deep <= 33; deep++) {
        char text[1024] = "1:{1:'a.proto' 12:'proto3' 4:{1:'M' ";
        for (int i = 1; i < deep; i++)
            strcat(text, "3:{1:'M' ");
        for (int i = 0; i <= deep; i++)
            strcat(text, "}");
        ck_assert_int_eq(read_set(text), deep == 32 ? 0 : E_ARGUMENT);
    }
    ck_assert_str_eq(detail.text, "holds declarations more than 32 within one another");
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("schema_read");
    Suite *s = suite_create("schema_read");
    tcase_add_checked_fixture(c, NULL, teardown);
    tcase_add_test(c, schema__each_part_of_a_set_comes_to_something);
    tcase_add_test(c, schema__of_several_names_for_a_number_the_first_counts);
    tcase_add_test(c, schema__a_list_is_packed_where_it_says_so);
    tcase_add_test(c, schema__a_field_has_any_number_up_to_the_last);
    tcase_add_test(c, schema__names_in_json_are_made_of_those_in_the_file);
    tcase_add_test(c, schema__defaults_of_proto2_are_read);
    tcase_add_test(c, schema__what_no_compiler_makes_is_refused);
    tcase_add_test(c, schema__only_types_of_protobufs_package_are_its_own);
    tcase_add_test(c, inspect__proto2_says_more_of_a_message);
    tcase_add_test(c, inspect__a_group_is_no_packed_list);
    tcase_add_test(c, message__proto2_passes_over_what_it_does_not_know);
    tcase_add_test(c, schema__names_have_a_length);
    tcase_add_test(c, schema__declarations_have_a_depth);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
