/* Every kind of field with its least and largest values and what lies beyond them: from JSON to the wire and back, alone, with presence, in lists of both
 * forms and in maps; and what a reader makes of bytes that another writer may write. */
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"
#include "sidecar/message/wire.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct schema *schema;
static const struct message_type *m;
static struct pool pool;
static struct error_detail detail;

static void setup(void)
{
    pool_init(&pool, &heap, 16 << 20);
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
    schema = NULL;
}

/* The numbers of kinds in descriptors. */
enum {
    DOUBLE = 1,
    FLOAT,
    INT64,
    UINT64,
    INT32,
    FIXED64,
    FIXED32,
    BOOL,
    STRING,
    BYTES = 12,
    UINT32,
    ENUM,
    SFIXED32,
    SFIXED64,
    SINT32,
    SINT64,
    KINDS
};

static enum wire_type wire_of(int kind)
{
    switch (kind) {
    case DOUBLE:
    case FIXED64:
    case SFIXED64:
        return WIRE_FIXED64;
    case FLOAT:
    case FIXED32:
    case SFIXED32:
        return WIRE_FIXED32;
    case STRING:
    case BYTES:
        return WIRE_BYTES;
    default:
        return WIRE_VARINT;
    }
}

/* A message whose fields are all of that kind: one alone, with presence, a list in one piece, a list in single ones, the values of a map. */
enum { ALONE = 1, PRESENT, PACKED, SINGLE, MAPPED };

static void make_type(int kind)
{
    char text[1024];
    uint8_t set[1024];
    const char *of = kind == ENUM ? " 6:'.p.E'" : "", *single = wire_of(kind) == WIRE_BYTES ? "" : " 8:{2:0}";
    schema_destroy(schema);
    schema = NULL;
    snprintf(
        text, sizeof text,
        "1:{1:'a.proto' 2:'p' 4:{1:'M' 2:{1:'a' 3:1 4:1 5:%d%s} 2:{1:'p' 3:2 4:1 5:%d%s 9:0 17:1} 2:{1:'l' 3:3 4:3 "
        "5:%d%s} 2:{1:'u' 3:4 4:3 5:%d%s%s} 2:{1:'m' 3:5 4:3 5:11 6:'.p.M.Entry'} 3:{1:'Entry' 7:{7:1} 2:{1:'key' "
        "3:1 4:1 5:9} 2:{1:'value' 3:2 4:1 5:%d%s}} 8:{1:'_p'}} 5:{1:'E' 2:{1:'ZERO' 2:0} 2:{1:'ONE' 2:1} "
        "2:{1:'LOW' 2:-1}} 12:'proto3'}",
        kind, of, kind, of, kind, of, kind, of, single, kind, of);
    int code = schema_read(bytes_of(set, wire_of_text(text, set, sizeof set)), &heap, &schema, &detail);
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    m = schema_message(schema, bytes_of_text("p.M"));
}

static size_t put_value(uint8_t *to, int kind, uint64_t bits, struct bytes body)
{
    size_t size;
    switch (wire_of(kind)) {
    case WIRE_FIXED64:
    case WIRE_FIXED32:
        size = wire_of(kind) == WIRE_FIXED64 ? 8 : 4;
        wire_put_fixed(to, bits, size);
        return size;
    case WIRE_BYTES:
        size = wire_put_varint(to, body.size);
        if (body.size > 0)
            memcpy(to + size, body.at, body.size);
        return size + body.size;
    default:
        return wire_put_varint(to, bits);
    }
}

static size_t put_tag(uint8_t *to, unsigned number, enum wire_type type)
{
    return wire_put_varint(to, number << 3 | (unsigned)type);
}

static int read(const char *json, struct bytes *wire)
{
    return json_read(schema, m, bytes_of_text(json), &pool, 1 << 16, wire, &detail);
}

static const char *written(struct bytes wire)
{
    struct bytes json;
    struct inspection seen;
    int code = json_write(schema, m, wire, false, &pool, 1 << 16, &json, &detail);
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    ck_assert_int_eq(inspect_message(m, wire, &seen, &detail), 0);
    return (const char *)json.at;
}

/* A value in JSON, as it is written again, and as it lies on the wire; NULL: it is refused. */
static const struct {
    int kind;
    const char *json, *again;
    uint64_t bits;
    const char *body;
} values[] = {
    {INT32, "0", "0", 0, NULL},
    {INT32, "-0", "0", 0, NULL},
    {INT32, "2147483647", "2147483647", 2147483647, NULL},
    {INT32, "-2147483648", "-2147483648", UINT64_C(0xffffffff80000000), NULL},
    {INT32, "-1", "-1", UINT64_MAX, NULL},
    {INT32, "\"-7\"", "-7", UINT64_MAX - 6, NULL},
    {INT32, "1e2", "100", 100, NULL},
    {INT32, "5.0", "5", 5, NULL},
    {INT32, "\"1e1\"", "10", 10, NULL},
    {INT32, "2147483648", NULL, 0, NULL},
    {INT32, "-2147483649", NULL, 0, NULL},
    {INT32, "0.5", NULL, 0, NULL},
    {INT32, "1e10", NULL, 0, NULL},
    {INT32, "\"\"", NULL, 0, NULL},
    {INT32, "\" 1\"", NULL, 0, NULL},
    {INT32, "\"1 \"", NULL, 0, NULL},
    {INT32, "\"0x1\"", NULL, 0, NULL},
    {INT32, "true", NULL, 0, NULL},
    {INT32, "[1]", NULL, 0, NULL},
    {INT32, "{}", NULL, 0, NULL},
    {INT64, "0", "\"0\"", 0, NULL},
    {INT64, "9223372036854775807", "\"9223372036854775807\"", INT64_MAX, NULL},
    {INT64, "\"-9223372036854775808\"", "\"-9223372036854775808\"", UINT64_C(1) << 63, NULL},
    {INT64, "-1", "\"-1\"", UINT64_MAX, NULL},
    {INT64, "9007199254740993", "\"9007199254740993\"", UINT64_C(9007199254740993), NULL},
    {INT64, "9223372036854775808", NULL, 0, NULL},
    {INT64, "\"-9223372036854775809\"", NULL, 0, NULL},
    {INT64, "1e19", NULL, 0, NULL},
    {UINT32, "4294967295", "4294967295", 4294967295, NULL},
    {UINT32, "0", "0", 0, NULL},
    {UINT32, "4294967296", NULL, 0, NULL},
    {UINT32, "-1", NULL, 0, NULL},
    {UINT64, "18446744073709551615", "\"18446744073709551615\"", UINT64_MAX, NULL},
    {UINT64, "\"0\"", "\"0\"", 0, NULL},
    {UINT64, "9223372036854775808", "\"9223372036854775808\"", UINT64_C(1) << 63, NULL},
    {UINT64, "18446744073709551616", NULL, 0, NULL},
    {UINT64, "-1", NULL, 0, NULL},
    {SINT32, "2147483647", "2147483647", 4294967294, NULL},
    {SINT32, "-2147483648", "-2147483648", 4294967295, NULL},
    {SINT32, "-1", "-1", 1, NULL},
    {SINT32, "1", "1", 2, NULL},
    {SINT32, "0", "0", 0, NULL},
    {SINT32, "2147483648", NULL, 0, NULL},
    {SINT64, "9223372036854775807", "\"9223372036854775807\"", UINT64_MAX - 1, NULL},
    {SINT64, "-9223372036854775808", "\"-9223372036854775808\"", UINT64_MAX, NULL},
    {SINT64, "-1", "\"-1\"", 1, NULL},
    {SINT64, "0", "\"0\"", 0, NULL},
    {FIXED32, "4294967295", "4294967295", 4294967295, NULL},
    {FIXED32, "0", "0", 0, NULL},
    {FIXED32, "-1", NULL, 0, NULL},
    {FIXED32, "4294967296", NULL, 0, NULL},
    {FIXED64, "18446744073709551615", "\"18446744073709551615\"", UINT64_MAX, NULL},
    {FIXED64, "0", "\"0\"", 0, NULL},
    {FIXED64, "-1", NULL, 0, NULL},
    {SFIXED32, "-1", "-1", 0xffffffff, NULL},
    {SFIXED32, "-2147483648", "-2147483648", 0x80000000, NULL},
    {SFIXED32, "0", "0", 0, NULL},
    {SFIXED32, "2147483648", NULL, 0, NULL},
    {SFIXED64, "-1", "\"-1\"", UINT64_MAX, NULL},
    {SFIXED64, "9223372036854775807", "\"9223372036854775807\"", INT64_MAX, NULL},
    {SFIXED64, "0", "\"0\"", 0, NULL},
    {SFIXED64, "9223372036854775808", NULL, 0, NULL},
    {BOOL, "true", "true", 1, NULL},
    {BOOL, "false", "false", 0, NULL},
    {BOOL, "\"true\"", NULL, 0, NULL},
    {BOOL, "1", NULL, 0, NULL},
    {BOOL, "0", NULL, 0, NULL},
    {FLOAT, "0", "0", 0, NULL},
    {FLOAT, "1.5", "1.5", 0x3fc00000, NULL},
    {FLOAT, "-0.0", "-0.0", 0x80000000, NULL},
    {FLOAT, "\"1.5\"", "1.5", 0x3fc00000, NULL},
    {FLOAT, "3.4028234663852886e38", "3.4028235e+38", 0x7f7fffff, NULL},
    {FLOAT, "1e-45", "1e-45", 1, NULL},
    {FLOAT, "16777217", "16777216", 0x4b800000, NULL},
    {FLOAT, "\"Infinity\"", "\"Infinity\"", 0x7f800000, NULL},
    {FLOAT, "\"-Infinity\"", "\"-Infinity\"", 0xff800000, NULL},
    {FLOAT, "\"NaN\"", "\"NaN\"", 0x7fc00000, NULL},
    {FLOAT, "3.5e38", NULL, 0, NULL},
    {FLOAT, "-3.5e38", NULL, 0, NULL},
    {FLOAT, "\"inf\"", NULL, 0, NULL},
    {FLOAT, "NaN", NULL, 0, NULL},
    {DOUBLE, "0", "0", 0, NULL},
    {DOUBLE, "1.7976931348623157e308", "1.7976931348623157e+308", UINT64_C(0x7fefffffffffffff), NULL},
    {DOUBLE, "-1.7976931348623157e308", "-1.7976931348623157e+308", UINT64_C(0xffefffffffffffff), NULL},
    {DOUBLE, "5e-324", "5e-324", 1, NULL},
    {DOUBLE, "-0.0", "-0.0", UINT64_C(1) << 63, NULL},
    {DOUBLE, "0.1", "0.1", UINT64_C(0x3fb999999999999a), NULL},
    {DOUBLE, "1E0", "1", UINT64_C(0x3ff0000000000000), NULL},
    {DOUBLE, "\"Infinity\"", "\"Infinity\"", UINT64_C(0x7ff0000000000000), NULL},
    {DOUBLE, "\"-Infinity\"", "\"-Infinity\"", UINT64_C(0xfff0000000000000), NULL},
    {DOUBLE, "\"NaN\"", "\"NaN\"", UINT64_C(0x7ff8000000000000), NULL},
    {DOUBLE, "1.8e308", NULL, 0, NULL},
    {DOUBLE, "-1.8e308", NULL, 0, NULL},
    {DOUBLE, "\"nan\"", NULL, 0, NULL},
    {DOUBLE, "\"infinity\"", NULL, 0, NULL},
    {DOUBLE, "\"\"", NULL, 0, NULL},
    {DOUBLE, "\"1 \"", NULL, 0, NULL},
    {DOUBLE, ".5", NULL, 0, NULL},
    {DOUBLE, "5.", NULL, 0, NULL},
    {STRING, "\"\"", "\"\"", 0, ""},
    {STRING, "\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", 0,
     "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
    {STRING, "\"\\\"\\\\\\/\"", "\"\\\"\\\\/\"", 0, "\"\\/"},
    {STRING, "\"\\n\\t\\r\"", "\"\\n\\t\\r\"", 0, "\n\t\r"},
    {STRING, "\"\\ude00\"", NULL, 0, NULL},
    {STRING, "\"\\ud83d\"", NULL, 0, NULL},
    {STRING, "\"\\ud83dx\"", NULL, 0, NULL},
    {STRING, "\"\\ud83d\\ud83d\"", NULL, 0, NULL},
    {STRING, "\"\\a\"", NULL, 0, NULL},
    {STRING, "\"\\u12\"", NULL, 0, NULL},
    {STRING, "\"\xc0\x80\"", NULL, 0, NULL},
    {STRING, "\"\xed\xa0\x80\"", NULL, 0, NULL},
    {STRING, "1", NULL, 0, NULL},
    {STRING, "'a'", NULL, 0, NULL},
    {BYTES, "\"\"", "\"\"", 0, ""},
    {BYTES, "\"AQID\"", "\"AQID\"", 0, "\x01\x02\x03"},
    {BYTES, "\"AQI=\"", "\"AQI=\"", 0, "\x01\x02"},
    {BYTES, "\"AQI\"", "\"AQI=\"", 0, "\x01\x02"},
    {BYTES, "\"AQ==\"", "\"AQ==\"", 0, "\x01"},
    {BYTES, "\"AQ\"", "\"AQ==\"", 0, "\x01"},
    {BYTES, "\"__-_\"", "\"//+/\"", 0, "\xff\xff\xbf"},
    {BYTES, "\"A\"", NULL, 0, NULL},
    {BYTES, "\"AQ=\"", NULL, 0, NULL},
    {BYTES, "\"AQ=A\"", NULL, 0, NULL},
    {BYTES, "\"=\"", NULL, 0, NULL},
    {BYTES, "\"A Q=\"", NULL, 0, NULL},
    {BYTES, "1", NULL, 0, NULL},
    {ENUM, "\"ZERO\"", "\"ZERO\"", 0, NULL},
    {ENUM, "\"ONE\"", "\"ONE\"", 1, NULL},
    {ENUM, "1", "\"ONE\"", 1, NULL},
    {ENUM, "-1", "\"LOW\"", UINT64_MAX, NULL},
    {ENUM, "2147483647", "2147483647", 2147483647, NULL},
    {ENUM, "-2147483648", "-2147483648", UINT64_C(0xffffffff80000000), NULL},
    {ENUM, "2147483648", NULL, 0, NULL},
    {ENUM, "\"one\"", NULL, 0, NULL},
    {ENUM, "\"\"", NULL, 0, NULL},
    {ENUM, "0.5", NULL, 0, NULL},
    {ENUM, "true", NULL, 0, NULL},
};

/* A value in one of the five forms, in JSON. */
static void put_json(char *to, size_t size, unsigned form, const char *value)
{
    static const char *const before[] = {"{\"a\":", "{\"p\":", "{\"l\":[", "{\"u\":[", "{\"m\":{\"k\":"},
                             *const behind[] = {"}", "}", "]}", "]}", "}}"};
    bool list = form == PACKED || form == SINGLE;
    snprintf(to, size, "%s%s%s%s%s", before[form - ALONE], value, list ? "," : "", list ? value : "",
             behind[form - ALONE]);
}

START_TEST(values__go_to_the_wire_and_back)
{
    int made = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int kind = values[i].kind;
        if (kind != made)
            make_type(made = kind);
        bool text = wire_of(kind) == WIRE_BYTES;
        struct bytes body = bytes_of_text(values[i].body != NULL ? values[i].body : "");
        for (unsigned form = ALONE; form <= MAPPED; form++) {
            char json[256], again[256];
            uint8_t wire[256];
            struct bytes got;
            put_json(json, sizeof json, form, values[i].json);
            int code = read(json, &got);
            ck_assert_msg((code == 0) == (values[i].again != NULL), "%d: %s: %s", kind, json, detail.text);
            if (values[i].again == NULL)
                continue;
            size_t size = 0;
            bool zero = values[i].bits == 0 && body.size == 0;
            if (form == PACKED && !text) {
                uint8_t both[32];
                size_t inner = put_value(both, kind, values[i].bits, body);
                inner += put_value(both + inner, kind, values[i].bits, body);
                size = put_tag(wire, form, WIRE_BYTES);
                size += put_value(wire + size, BYTES, 0, bytes_of(both, inner));
            } else if (form == MAPPED) {
                uint8_t entry[64];
                size_t inner = put_tag(entry, 1, WIRE_BYTES);
                inner += put_value(entry + inner, STRING, 0, bytes_of_text("k"));
                inner += put_tag(entry + inner, 2, wire_of(kind));
                inner += put_value(entry + inner, kind, values[i].bits, body);
                size = put_tag(wire, form, WIRE_BYTES);
                size += put_value(wire + size, BYTES, 0, bytes_of(entry, inner));
            } else if (form != ALONE || !zero) {
                for (unsigned k = 0; k < (form >= PACKED ? 2u : 1u); k++) {
                    size += put_tag(wire + size, form, wire_of(kind));
                    size += put_value(wire + size, kind, values[i].bits, body);
                }
            }
            /* An entry may leave out what is its default. */
            if (form != MAPPED || !zero)
                ck_assert_msg(bytes_equal(got, bytes_of(wire, size)), "%d: %s: another wire", kind, json);
            put_json(again, sizeof again, form, values[i].again);
            ck_assert_str_eq(written(bytes_of(wire, size)), form == ALONE && zero ? "{}" : again);
            ck_assert_str_eq(written(got), form == ALONE && zero ? "{}" : again);
        }
    }
}
END_TEST

/* null is as if the field were not there; in a list or a map there is none. */
START_TEST(values__null_stands_for_nothing)
{
    for (int kind = DOUBLE; kind < KINDS; kind++) {
        if (kind == 10 || kind == 11)
            continue;
        make_type(kind);
        struct bytes wire;
        ck_assert_int_eq(read("{\"a\":null,\"p\":null,\"l\":null,\"u\":null,\"m\":null}", &wire), 0);
        ck_assert_uint_eq(wire.size, 0);
        static const char *const none[] = {"{\"l\":[null]}", "{\"u\":[null]}", "{\"m\":{\"k\":null}}",
                                           "{\"l\":{}}",     "{\"m\":[]}",     "{\"a\":[]}",
                                           "{\"a\":{}}",     "{\"p\":[null]}"};
        for (size_t i = 0; i < sizeof none / sizeof *none; i++)
            ck_assert_msg(read(none[i], &wire) == E_ARGUMENT, "%d: %s", kind, none[i]);
        ck_assert_int_eq(read("{\"l\":[],\"u\":[],\"m\":{}}", &wire), 0);
        ck_assert_uint_eq(wire.size, 0);
    }
}
END_TEST

/* A list in single values reads one in one piece, and the other way round, also a list in parts; of a field alone the last value counts. */
START_TEST(values__lists_are_read_in_either_form)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        int kind = values[i].kind;
        if (wire_of(kind) == WIRE_BYTES || values[i].again == NULL)
            continue;
        make_type(kind);
        for (unsigned form = PACKED; form <= SINGLE; form++) {
            uint8_t wire[128], both[32];
            char json[256];
            size_t size = 0, inner = put_value(both, kind, values[i].bits, bytes_of(NULL, 0));
            inner += put_value(both + inner, kind, values[i].bits, bytes_of(NULL, 0));
            size += put_tag(wire + size, form, WIRE_BYTES);
            size += put_value(wire + size, BYTES, 0, bytes_of(both, inner));
            size += put_tag(wire + size, form, wire_of(kind));
            size += put_value(wire + size, kind, values[i].bits, bytes_of(NULL, 0));
            size += put_tag(wire + size, form, WIRE_BYTES); /* a part of none */
            size += put_value(wire + size, BYTES, 0, bytes_of(NULL, 0));
            snprintf(json, sizeof json, "{\"%s\":[%s,%s,%s]}", form == PACKED ? "l" : "u", values[i].again,
                     values[i].again, values[i].again);
            ck_assert_str_eq(written(bytes_of(wire, size)), json);
            ck_assert_int_eq(message_count(bytes_of(wire, size), message_field_by_number(m, form)), 3);
        }
    }
}
END_TEST

/* A varint of more bits than the field has is cut, and any that is not nought is true. */
START_TEST(values__varints_are_cut_to_their_field)
{
    static const struct {
        int kind;
        uint64_t bits;
        const char *json;
    } cases[] = {
        {INT32, UINT64_C(0x100000005), "5"},
        {INT32, UINT64_C(0xffffffff), "-1"},
        {INT32, UINT64_C(0x80000000), "-2147483648"},
        {INT32, UINT64_C(0x7fffffffffffffff), "-1"},
        {UINT32, UINT64_C(0x100000005), "5"},
        {UINT32, UINT64_MAX, "4294967295"},
        {SINT32, UINT64_C(0x100000005), "-3"},
        {SINT32, UINT64_MAX, "-2147483648"},
        {SINT64, UINT64_C(0x100000005), "\"-2147483651\""},
        {ENUM, UINT64_C(0x100000001), "\"ONE\""},
        {ENUM, UINT64_C(0xffffffff), "\"LOW\""},
        {BOOL, 2, "true"},
        {BOOL, UINT64_C(0x100000000), "true"},
        {BOOL, UINT64_MAX, "true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_type(cases[i].kind);
        static const char *const names[] = {[ALONE] = "a", [PRESENT] = "p", [PACKED] = "l", [SINGLE] = "u"};
        for (unsigned form = ALONE; form <= SINGLE; form++) {
            uint8_t wire[64];
            char json[128];
            bool list = form >= PACKED;
            size_t size = put_tag(wire, form, WIRE_VARINT);
            size += wire_put_varint(wire + size, cases[i].bits);
            snprintf(json, sizeof json, "{\"%s\":%s%s%s}", names[form], list ? "[" : "", cases[i].json,
                     list ? "]" : "");
            ck_assert_str_eq(written(bytes_of(wire, size)), json);
        }
    }
}
END_TEST

/* Ten bytes are the most of a varint, however little it says; a field of another form than its kind's is unknown. */
START_TEST(values__bytes_that_are_no_value_are_refused_or_unknown)
{
    static const struct {
        const char *bytes;
        size_t size;
        int code;
        unsigned known, unknown;
        const char *json;
    } cases[] = {
        {"\x08\x85\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, 0, 1, 0, "{\"a\":5}"},
        {"\x08\x85\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12, E_ARGUMENT, 0, 0, NULL},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, 0, 1, 0, "{\"a\":-1}"},
        {"\x08", 1, E_ARGUMENT, 0, 0, NULL},
        {"\x08\x80", 2, E_ARGUMENT, 0, 0, NULL},
        {"\x88\x00\x05", 3, 0, 1, 0, "{\"a\":5}"}, /* a tag of more bytes than it needs */
        {"\x09\x05\x00\x00\x00\x00\x00\x00\x00", 9, 0, 0, 1, "{}"},
        {"\x09\x05\x00\x00\x00\x00\x00\x00", 8, E_ARGUMENT, 0, 0, NULL},
        {"\x0d\x05\x00\x00\x00", 5, 0, 0, 1, "{}"},
        {"\x0d\x05\x00\x00", 4, E_ARGUMENT, 0, 0, NULL},
        {"\x0a\x01\x05", 3, 0, 0, 1, "{}"}, /* not a list: it has no one piece */
        {"\x0b\x08\x05\x0c", 4, 0, 0, 1, "{}"},
        {"\x0b\x08\x05\x14", 4, E_ARGUMENT, 0, 0, NULL},
        {"\x0c", 1, E_ARGUMENT, 0, 0, NULL},
        {"\x08\x05\x08\x06", 4, 0, 2, 0, "{\"a\":6}"},
        {"\x08\x05\x0a\x01\x06", 5, 0, 1, 1, "{\"a\":5}"},
        {"\x1a\x02\x05\x80", 4, E_ARGUMENT, 0, 0, NULL},
        {"\x1d\x05\x00\x00\x00", 5, 0, 0, 1, "{}"},
        {"\x2a\x02\x10\x05", 4, 0, 2, 0, "{\"m\":{\"\":5}}"},
        {"\x2a\x00", 2, 0, 1, 0, "{\"m\":{\"\":0}}"},
        {"\x2a\x05\x0a\x01k\x18\x01", 7, 0, 2, 1, "{\"m\":{\"k\":0}}"},
        {"\x2a\x07\x10\x05\x0a\x01k\x10\x06", 9, 0, 4, 0, "{\"m\":{\"k\":6}}"},
        {"\x28\x05", 2, 0, 0, 1, "{}"},
        {"\xf8\xff\xff\xff\x0f\x01", 6, 0, 0, 1, "{}"}, /* the last number that a field may have */
        {"\x80\x80\x80\x80\x10\x01", 6, E_ARGUMENT, 0, 0, NULL},
        {"\x00\x01", 2, E_ARGUMENT, 0, 0, NULL},
    };
    make_type(INT32);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inspection seen;
        struct bytes json, wire = bytes_of((const uint8_t *)cases[i].bytes, cases[i].size);
        ck_assert_msg(inspect_message(m, wire, &seen, &detail) == cases[i].code, "%zu: %s", i, detail.text);
        int code = json_write(schema, m, wire, false, &pool, 4096, &json, &detail);
        ck_assert_msg(code == cases[i].code, "%zu: %s", i, detail.text);
        if (code != 0)
            continue;
        ck_assert_str_eq((const char *)json.at, cases[i].json);
        ck_assert_msg(seen.known == cases[i].known && seen.unknown == cases[i].unknown, "%zu: %u %u", i, seen.known,
                      seen.unknown);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("message_values");
    Suite *s = suite_create("message_values");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, values__go_to_the_wire_and_back);
    tcase_add_test(c, values__null_stands_for_nothing);
    tcase_add_test(c, values__lists_are_read_in_either_form);
    tcase_add_test(c, values__varints_are_cut_to_their_field);
    tcase_add_test(c, values__bytes_that_are_no_value_are_refused_or_unknown);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
