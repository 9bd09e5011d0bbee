/* Messages as JSON and back: the forms of each kind, and what is refused, with its path, line and column. That the mapping is protobuf's own is
 * proven by make message-test. */
#include "sidecar/base/utf8.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/build.h"
#include "sidecar/message/json.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdlib.h>

#include "descriptors.h"

static struct schema *schema;
static struct pool pool;
static struct error_detail detail;

static void setup(void)
{
    schema = shapes_schema();
    pool_init(&pool, &heap, 4 << 20);
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

static int read(const char *type, const char *json, struct bytes *wire)
{
    return json_read(schema, shapes_type(schema, type), bytes_of_text(json), &pool, 1 << 20, wire, &detail);
}

/* Reads and writes again. */
static const char *again(const char *type, const char *json)
{
    struct bytes wire, text;
    int code = read(type, json, &wire);
    ck_assert_msg(code == 0, "%s: %s: %s", json, detail.field, detail.text);
    code = json_write(schema, shapes_type(schema, type), wire, false, &pool, 1 << 20, &text, &detail);
    ck_assert_msg(code == 0, "%s: %s: %s", json, detail.field, detail.text);
    ck_assert_uint_eq(strlen((const char *)text.at), text.size);
    return (const char *)text.at;
}

START_TEST(json__goes_in_and_comes_out)
{
    static const struct {
        const char *type, *in, *out;
    } cases[] = {
        {"Order", "{}", "{}"},
        {"Order", " { \"order_id\" : \"A\\u00e9\\ud83d\\ude00\\n\" } ",
         "{\"orderId\":\"A\xc3\xa9\xf0\x9f\x98\x80\\n\"}"},
        {"Order", "{\"lines\":[{\"sku\":\"a\",\"priceCents\":\"9007199254740993\"},{}]}",
         "{\"lines\":[{\"sku\":\"a\",\"priceCents\":\"9007199254740993\"},{}]}"},
        {"Order", "{\"counts\":{\"b\":2,\"a\":\"1\",\"b\":3}}", "{\"counts\":{\"a\":\"1\",\"b\":\"3\"}}"},
        {"Order", "{\"byRow\":{\"-5\":{\"quantity\":1e2},\"2\":{}}}",
         "{\"byRow\":{\"-5\":{\"quantity\":100},\"2\":{}}}"},
        {"Order", "{\"color\":\"CRIMSON\"}", "{\"color\":\"RED\"}"},
        {"Order", "{\"color\":17}", "{\"color\":17}"},
        {"Order", "{\"color\":-2}", "{\"color\":\"BLUE\"}"},
        {"Order", "{\"color\":-3}", "{\"color\":-3}"},
        {"Order", "{\"orderId\":\"\\u00E9\"}", "{\"orderId\":\"\xc3\xa9\"}"},
        {"Order", "{\"orderId\":\" a b \"}", "{\"orderId\":\" a b \"}"},
        {"Order", "{\"orderId\":\"\\ud7ff\\ue000\\uffff\"}", "{\"orderId\":\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"}"},
        {"Order", "{\"orderId\":\"\\ud800\\udc00\\udbff\\udfff\"}",
         "{\"orderId\":\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}"},
        {"Order", "\t\r\n{\t\"orderId\"\r:\"a\\/\\b\\f\\r\\t\"}", "{\"orderId\":\"a/\\u0008\\u000c\\r\\t\"}"},
        {"Numbers", "{\"d\":1E+2,\"f\":5e-1}", "{\"d\":100,\"f\":0.5}"},
        {"Order", "{\"cash\":false,\"card\":null}", "{\"cash\":false}"},
        {"Order", "{\"priority\":0,\"orderId\":\"\"}", "{\"priority\":0}"},
        {"Order", "{\"orderId\":\"\x7f\\u001f\"}", "{\"orderId\":\"\\u007f\\u001f\"}"},
        {"Numbers", "{\"sx64\":5,\"x64\":6,\"s64\":-7,\"sx32\":\"8\"}",
         "{\"x64\":\"6\",\"sx32\":8,\"sx64\":\"5\",\"s64\":\"-7\"}"},
        {"Order", "{\"token\":\"-_8\"}", "{\"token\":\"+/8=\"}"},
        {"Order", "{\"customer\":{\"address\":{\"zip\":\"8000\"}}}", "{\"customer\":{\"address\":{\"zip\":\"8000\"}}}"},
        {"Numbers", "{\"d\":\"-Infinity\",\"f\":\"NaN\",\"i64\":-1.0,\"u64\":1.8e1}",
         "{\"d\":\"-Infinity\",\"f\":\"NaN\",\"i64\":\"-1\",\"u64\":\"18\"}"},
        {"Numbers", "{\"d\":0.1,\"f\":0.1,\"ds\":[-0.0,1e300]}", "{\"d\":0.1,\"f\":0.1,\"ds\":[-0.0,1e+300]}"},
        {"Known", "{\"at\":\"2026-11-28T02:50:00.250+02:00\",\"after\":\"-1.5s\",\"mask\":\"fooBar,baz.quxX\"}",
         "{\"at\":\"2026-11-28T00:50:00.250Z\",\"after\":\"-1.500s\",\"mask\":\"fooBar,baz.quxX\"}"},
        {"Known",
         "{\"bag\":{\"z\":[1,null,{\"y\":true}]},\"anyJson\":null,\"list\":[],\"maybeNumber\":\"5\",\"nothing\":{}}",
         "{\"bag\":{\"z\":[1,null,{\"y\":true}]},\"anyJson\":null,\"list\":[],\"maybeNumber\":\"5\",\"nothing\":{}}"},
        {"Known", "{\"any\":{\"sku\":\"a\",\"@type\":\"type.googleapis.com/shapes.Line\"}}",
         "{\"any\":{\"@type\":\"type.googleapis.com/shapes.Line\",\"sku\":\"a\"}}"},
        {"Known",
         "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\"},\"maybeText\":\"\",\"nullValue\":null}",
         "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\"},\"maybeText\":\"\"}"},
        {"Known", "{\"any\":{\"@type\":\"x/google.protobuf.Empty\"}}",
         "{\"any\":{\"@type\":\"x/google.protobuf.Empty\"}}"},
        /* Its type is found behind values of every kind. */
        {"Known",
         "{\"any\":{\"lines\":[{\"sku\":\"a\"},{}],\"counts\":{\"x\":\"1\"},\"by_row\":{},\"notes\":[],\"cash\":true,"
         "\"priority\":-5e0,\"orderId\":\"]}\",\"at\":null,\"@type\":\"x/shapes.Order\"}}",
         "{\"any\":{\"@type\":\"x/"
         "shapes.Order\",\"orderId\":\"]}\",\"lines\":[{\"sku\":\"a\"},{}],\"counts\":{\"x\":\"1\"},"
         "\"cash\":true,\"priority\":-5}}"},
        {"Known", "{\"any\":{\"value\":{\"a\":[1,{\"b\":false}]},\"@type\":\"x/google.protobuf.Struct\"}}",
         "{\"any\":{\"@type\":\"x/google.protobuf.Struct\",\"value\":{\"a\":[1,{\"b\":false}]}}}"},
        {"Known",
         "{\"any\":{\"@type\":\"x/google.protobuf.Any\",\"value\":{\"@type\":\"x/shapes.Line\",\"sku\":\"a\"}}}",
         "{\"any\":{\"@type\":\"x/google.protobuf.Any\",\"value\":{\"@type\":\"x/shapes.Line\",\"sku\":\"a\"}}}"},
        /* An Any within another's message, whose own type stands behind it. */
        {"Known", "{\"any\":{\"any\":{\"sku\":\"a\",\"@type\":\"x/shapes.Line\"},\"@type\":\"x/shapes.Known\"}}",
         "{\"any\":{\"@type\":\"x/shapes.Known\",\"any\":{\"@type\":\"x/shapes.Line\",\"sku\":\"a\"}}}"},
        {"Known",
         "{\"any\":{\"times\":[],\"any\":{\"@type\":\"x/shapes.Line\"},\"nothing\":{},\"@type\":\"x/shapes.Known\"}}",
         "{\"any\":{\"@type\":\"x/shapes.Known\",\"any\":{\"@type\":\"x/shapes.Line\"},\"nothing\":{}}}"},
        {"Numbers", "{\"d\":-0.0,\"f\":-0.0}", "{\"d\":-0.0,\"f\":-0.0}"},
        {"Known", "{\"maybeBool\":true,\"maybeDouble\":-1}", "{\"maybeBool\":true,\"maybeDouble\":-1}"},
        {"Known", "{\"maybeBool\":false,\"maybeDouble\":\"NaN\"}", "{\"maybeBool\":false,\"maybeDouble\":\"NaN\"}"},
        {"Numbers", "{\"d\":0.0,\"i64\":-9223372036854775808.0,\"u64\":-0}", "{\"i64\":\"-9223372036854775808\"}"},
        {"Order", "{\"byRow\":{\"10\":{},\"9\":{},\"-1\":{},\"-10\":{}}}",
         "{\"byRow\":{\"-10\":{},\"-1\":{},\"9\":{},\"10\":{}}}"},
        {"Order", "{\"token\":\"YWJj\"}", "{\"token\":\"YWJj\"}"},
        {"Order", "{\"token\":\"YWI\"}", "{\"token\":\"YWI=\"}"},
        {"Order", "{\"token\":\"YQ==\"}", "{\"token\":\"YQ==\"}"},
        {"Order", "{\"token\":\"azAZ09+/\"}", "{\"token\":\"azAZ09+/\"}"},
        {"Order", "{\"orderId\":\"\\uABCD\\uabcd\\u00fF\"}", "{\"orderId\":\"\xea\xaf\x8d\xea\xaf\x8d\xc3\xbf\"}"},
        {"Known", "{\"mask\":\"fooBarBaz.a,b1C,d\"}", "{\"mask\":\"fooBarBaz.a,b1C,d\"}"},
        {"Known", "{\"mask\":\"\"}", "{\"mask\":\"\"}"},
        {"Numbers", "{\"i64\":9.2e18,\"u64\":1.8e19,\"i32\":-2.147483648e9,\"u32\":42949.67295e5}",
         "{\"i64\":\"9200000000000000000\",\"u64\":\"18000000000000000000\",\"i32\":-2147483648,\"u32\":4294967295}"},
        {"Numbers", "{\"i64\":\"-9223372036854775808\",\"u64\":\"18446744073709551615\"}",
         "{\"i64\":\"-9223372036854775808\",\"u64\":\"18446744073709551615\"}"},
        {"Numbers", "{\"x32\":4294967295,\"sx32\":-2147483648,\"s32\":2147483647,\"b\":true,\"xs\":[0,4294967295]}",
         "{\"x32\":4294967295,\"b\":true,\"sx32\":-2147483648,\"s32\":2147483647,\"xs\":[0,4294967295]}"},
        {"Known", "{\"anyJson\":[true,false,null,-0.5,\"\",[],{}]}", "{\"anyJson\":[true,false,null,-0.5,\"\",[],{}]}"},
        {"Known",
         "{\"times\":[\"0001-01-01T00:00:00Z\",\"9999-12-31T23:59:59.999999999Z\"],\"after\":\"315576000000s\"}",
         "{\"after\":\"315576000000s\",\"times\":[\"0001-01-01T00:00:00Z\",\"9999-12-31T23:59:59.999999999Z\"]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(again(cases[i].type, cases[i].in), cases[i].out);
}
END_TEST

START_TEST(json__what_does_not_fit_is_refused_with_its_place)
{
    static const struct {
        const char *type, *json, *field, *words;
        int line, column;
    } cases[] = {
        {"Order", "", "", "the JSON ends too early", 1, 1},
        {"Order", "[]", "", "must be an object: shapes.Order", 1, 1},
        {"Order", "{} {}", "", "something follows the message", 1, 4},
        {"Order", "{\"orderId\":\"a\",}", "", "expected a key in quotes", 1, 16},
        {"Order", "{\n \"lines\": [{\"sku\": \"a\"},\n  {\"skew\": \"b\"}]}", "lines[1].skew",
         "there is no such field in shapes.Line", 3, 4},
        {"Order", "{\"lines\":[{\"quantity\":2147483648}]}", "lines[0].quantity", "is out of the range of int32", 1,
         23},
        {"Order", "{\"lines\":[{\"quantity\":1.5}]}", "lines[0].quantity",
         "must be a whole number, within the range of int32", 1, 23},
        {"Order", "{\"lines\":{}}", "lines", "must be an array", 1, 10},
        {"Order", "{\"lines\":[null]}", "lines[0]", "must be an object: shapes.Line", 1, 11},
        {"Order", "{\"customer\":[]}", "customer", "must be an object: shapes.Customer", 1, 13},
        {"Order", "{\"byRow\":{\"x\":{}}}", "by_row.x", "must be a whole number, within the range of int32", 1, 11},
        {"Order", "{\"order_id\":\"a\",\"orderId\":\"b\"}", "order_id", "is set twice", 1, 17},
        {"Order", "{\"card\":\"4\",\"cash\":true}", "cash", "another field of the same oneof is set, too: payment", 1,
         13},
        {"Order", "{\"color\":\"GREEN\"}", "color", "must be the name or number of a value of shapes.Color", 1, 10},
        {"Order", "{\"color\":2147483648}", "color", "must be the name or number of a value of shapes.Color", 1, 10},
        {"Order", "{\"token\":\"?\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA=\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"orderId\":\"abc", "order_id", "this string has no end", 1, 12},
        {"Order", "{\"token\":\"AAAAA\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AAAAA===\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"A===\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"====\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AAAA====\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA======\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA=A\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA:A\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA@A\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA[A\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA`A\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"token\":\"AA{A\"}", "token", "must be bytes in base64", 1, 10},
        {"Order", "{\"orderId\":\"\\ud83d\\ue000\"}", "order_id", "this escape is none that JSON has", 1, 13},
        {"Order", "{\"orderId\":5}", "order_id", "must be a text in quotes", 1, 12},
        {"Order", "{\"orderId\":\"\\ud800\"}", "order_id", "this escape is none that JSON has", 1, 13},
        {"Order", "{\"orderId\":\"\xff\"}", "order_id", "the text is not UTF-8", 1, 13},
        {"Order", "{\"orderId\":\"a\nb\"}", "order_id",
         "a string may not hold a control character; write it as an escape", 1, 14},
        {"Known", "{\"any\":{\"@type\":\"x/shapes.Line\"},\"nothing\":{\"@type\":\"x\"}}", "nothing.@type",
         "there is no such field in google.protobuf.Empty", 1, 45},
        {"Known", "{\"any\":{\"any\":{\"@type\":\"x/shapes.Line\",\"@type2\":1},\"@type\":\"x/shapes.Known\"}}",
         "any.any.@type2", "there is no such field in shapes.Line", 1, 40},
        {"Known", "{\"any\":{\"@type\":\"shapes.Line\"}}", "any",
         "\"@type\" must be a name with a '/' before it, of a type in the schema", 1, 8},
        {"Known", "{\"bag\":{\"a\":{\"b\":[1,1e999]}}}", "bag.a.b[1]", "is out of the range of double", 1, 21},
        {"Order", "{\"orderId\":null,\"orderId\":\"a\"}", "order_id", "is set twice", 1, 17},
        {"Order", "{\"orderId\":\"a\",\"orderId\":null}", "order_id", "is set twice", 1, 16},
        {"Order", "{\"orderId\":\"a\x1f\"}", "order_id",
         "a string may not hold a control character; write it as an escape", 1, 14},
        {"Order", "{\"cash\":\"true\"}", "cash", "must be true or false", 1, 9},
        {"Order", "{\"priority\":01}", "priority", "this is no number", 1, 13},
        {"Numbers", "{\"i64\":9223372036854775808}", "i64", "is out of the range of int64", 1, 8},
        {"Numbers", "{\"i64\":-9223372036854775809}", "i64", "must be a whole number, within the range of int64", 1, 8},
        {"Numbers", "{\"u64\":-1}", "u64", "is out of the range of uint64", 1, 8},
        {"Numbers", "{\"f\":1e39}", "f", "is out of the range of float", 1, 6},
        {"Known", "{\"at\":\"2026-02-29T00:00:00Z\"}", "at",
         "must be a time of RFC 3339, as in \"2026-11-28T08:30:00Z\"", 1, 7},
        {"Known", "{\"any\":{\"@type\":\"x/no.Such\"}}", "any",
         "\"@type\" must be a name with a '/' before it, of a type in the schema", 1, 8},
        {"Known", "{\"any\":{\"sku\":1}}", "any", "an Any needs its \"@type\"", 1, 8},
        {"Known", "{\"anyJson\":1e999}", "any_json", "is out of the range of double", 1, 12},
        {"Known", "{\"list\":[1,1e999]}", "list[1]", "is out of the range of double", 1, 12},
        {"Known", "{\"maybeText\":[]}", "maybe_text", "must be a single value: string", 1, 14},
        {"Known", "{\"any\":{\"@type\":\"x/shapes.Line\",\"@type\":\"x/shapes.Line\"}}", "any",
         "\"@type\" must be one text", 1, 41},
        {"Known", "{\"any\":{\"@type\":\"x/google.protobuf.Duration\"}}", "any",
         "beside \"@type\" there must be one \"value\"", 1, 9},
        {"Known", "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\",\"value\":\"2s\"}}", "any.value",
         "beside \"@type\" there must be one \"value\"", 1, 59},
        {"Known", "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"x\":1,\"value\":\"1s\"}}", "any.x",
         "beside \"@type\" there must be one \"value\"", 1, 46},
        {"Known", "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":5}}", "any.value",
         "must be a text in quotes: google.protobuf.Duration", 1, 54},
        {"Known", "{\"any\":5}", "any", "must be an object with \"@type\": it is an Any", 1, 8},
        {"Known", "{\"any\":{\"@type\":5}}", "any", "\"@type\" must be one text", 1, 17},
        {"Known", "{\"any\":{\"x\":tru,\"@type\":\"x/shapes.Line\"}}", "any", "this is no JSON", 1, 13},
        {"Known", "{\"any\":{\"x\":[1,],\"@type\":\"x/shapes.Line\"}}", "any", "expected a value", 1, 16},
        {"Known", "{\"at\":5}", "at", "must be a text in quotes: google.protobuf.Timestamp", 1, 7},
        {"Known", "{\"after\":\"315576000001s\"}", "after", "must be a number of seconds with an s, as in \"3.5s\"", 1,
         10},
        {"Known", "{\"mask\":\"a_b\"}", "mask", "must be paths in lowerCamelCase with commas between them", 1, 9},
        {"Numbers", "{\"i64\":9.3e18}", "i64", "is out of the range of int64", 1, 8},
        {"Numbers", "{\"u64\":1.9e19}", "u64", "must be a whole number, within the range of uint64", 1, 8},
        {"Numbers", "{\"u32\":4294967296}", "u32", "is out of the range of uint32", 1, 8},
        {"Numbers", "{\"x32\":-1}", "x32", "is out of the range of fixed32", 1, 8},
        {"Numbers", "{\"i32\":\"\"}", "i32", "must be a whole number, within the range of int32", 1, 8},
        {"Numbers", "{\"i32\":1.}", "i32", "this is no number", 1, 8},
        {"Numbers", "{\"i32\":-}", "i32", "this is no number", 1, 8},
        {"Numbers", "{\"i32\":1e}", "i32", "this is no number", 1, 8},
        {"Numbers", "{\"i32\":1e+}", "i32", "this is no number", 1, 8},
        {"Numbers", "{\"i32\":-01}", "i32", "this is no number", 1, 8},
        {"Numbers", "{\"i32\":+1}", "i32", "this is no JSON", 1, 8},
        {"Numbers", "{\"b\":truex}", "", "this is no JSON", 1, 10},
        {"Numbers", "{\"b\":nul}", "b", "this is no JSON", 1, 6},
        {"Order", "{\"orderId\":\"\\u00g0\"}", "order_id", "this escape is none that JSON has", 1, 13},
        {"Order", "{\"orderId\":\"\\u00@0\"}", "order_id", "this escape is none that JSON has", 1, 13},
        {"Order", "{\"orderId\":\"\\u00`0\"}", "order_id", "this escape is none that JSON has", 1, 13},
        {"Numbers", "{\"i64\":9223372036854775808.0}", "i64", "is out of the range of int64", 1, 8},
        {"Numbers", "{\"i64\":-9223372036854777856.0}", "i64", "must be a whole number, within the range of int64", 1,
         8},
        {"Numbers", "{\"u64\":18446744073709551616.0}", "u64", "must be a whole number, within the range of uint64", 1,
         8},
        {"Order", "{\"orderId\":\"\\x41\"}", "order_id", "this escape is none that JSON has", 1, 13},
    };
    struct bytes wire;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(read(cases[i].type, cases[i].json, &wire) == E_ARGUMENT, "%s", cases[i].json);
        ck_assert_msg(strcmp(detail.field, cases[i].field) == 0, "%s: %s: %s", cases[i].json, detail.field,
                      detail.text);
        ck_assert_msg(strcmp(detail.text, cases[i].words) == 0, "%s: %s", cases[i].json, detail.text);
        ck_assert_msg(detail.line == cases[i].line && detail.column == cases[i].column, "%s: %d:%d", cases[i].json,
                      detail.line, detail.column);
    }
}
END_TEST

/* What stands behind the end of a text is not looked at, wherever that end is. */
START_TEST(json__nothing_behind_the_end_counts)
{
    static const char *const texts[] = {"-0.5e-10", "100", "true", "null",
                                        "[{\"a\":\"\\ud83d\\ude00\\n\xe2\x82\xac\"}]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t size = 0; size <= strlen(texts[i]); size++) {
            char whole[2][64];
            struct error_detail said[2];
            int code[2];
            struct bytes wire[2];
            for (int k = 0; k < 2; k++) {
                memset(whole[k], k == 0 ? '0' : ' ', sizeof whole[k]);
                memcpy(whole[k], texts[i], k == 0 ? strlen(texts[i]) : size);
                code[k] = json_read(schema, schema_message(schema, bytes_of_text("google.protobuf.Value")),
                                    bytes_of(whole[k], size), &pool, 1 << 20, &wire[k], &said[k]);
            }
            ck_assert_msg(code[0] == code[1] && (code[0] == 0 || strcmp(said[0].text, said[1].text) == 0),
                          "%zu of %s: %d %s, %d %s", size, texts[i], code[0], said[0].text, code[1], said[1].text);
            ck_assert_msg(code[0] != 0 || bytes_equal(wire[0], wire[1]), "%zu of %s", size, texts[i]);
        }
}
END_TEST

/* A path that is too long is cut, and stays text. */
START_TEST(json__a_long_path_is_cut_between_two_characters)
{
    for (size_t shift = 0; shift < 4; shift++) {
        char json[256] = "{\"counts\":{\"aaa";
        struct bytes wire;
        json[strlen(json) - 3 + shift] = '\0';
        for (size_t i = 0; i < 40; i++)
            strcat(json, "\xe2\x82\xac");
        strcat(json, "\":\"x\"}}");
        ck_assert_int_eq(read("Order", json, &wire), E_ARGUMENT);
        ck_assert_str_eq(detail.text, "must be a whole number, within the range of int64");
        ck_assert(utf8_valid(bytes_of_text(detail.field)) && strlen(detail.field) > sizeof detail.field - 4);
    }
}
END_TEST

START_TEST(json__depth_and_size_are_bounded)
{
    char text[2000] = "";
    struct bytes wire, json;
    for (int i = 0; i < 100; i++)
        strcat(text, "{\"left\":");
    strcat(text, "null");
    for (int i = 0; i < 100; i++)
        strcat(text, "}");
    ck_assert_int_eq(read("Tree", text, &wire), 0);
    struct builder b;
    builder_init(&b, &pool, 1 << 16);
    struct value v = {.kind = FIELD_MESSAGE, .text = wire};
    build_field(&b, shapes_field(shapes_type(schema, "Tree"), "left"), &v);
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    ck_assert_int_eq(json_write(schema, shapes_type(schema, "Tree"), wire, false, &pool, 1 << 20, &json, &detail),
                     E_ARGUMENT);
    /* A message at the hundredth place, its own the first, and one more; where any value may stand, it is a message, and a list or an object of
     * such another. */
    static const struct {
        const char *type, *begin, *open, *in[2], *close, *end;
        int deep;
    } forms[] = {
        {"Tree", "{\"left\":", "{\"left\":", {"null", "{}"}, "}", "}", 99},
        {"Known", "{\"list\":[", "[", {"", "1"}, "]", "]}", 49},
        {"Known", "{\"bag\":{\"k\":", "{\"k\":", {"{}", "{\"k\":1}"}, "}", "}}", 48},
    };
    for (size_t i = 0; i < 6; i++) {
        strcpy(text, forms[i / 2].begin);
        for (int k = 0; k < forms[i / 2].deep; k++)
            strcat(text, forms[i / 2].open);
        strcat(text, forms[i / 2].in[i % 2]);
        for (int k = 0; k < forms[i / 2].deep; k++)
            strcat(text, forms[i / 2].close);
        strcat(text, forms[i / 2].end);
        ck_assert_msg(read(forms[i / 2].type, text, &wire) == (i % 2 == 0 ? 0 : E_ARGUMENT), "%s", text);
        ck_assert(i % 2 == 0 || strcmp(detail.text, "the JSON is more than 100 deep") == 0);
    }
    strcpy(text, "{\"anyJson\":");
    memset(text + strlen(text), '[', 500);
    ck_assert_int_eq(read("Known", text, &wire), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "the JSON is more than 100 deep");
    /* Also where it is only passed over, to what tells its type. */
    strcpy(text, "{\"any\":{\"x\":");
    memset(text + strlen(text), '[', 500);
    ck_assert_int_eq(read("Known", text, &wire), E_ARGUMENT);
    ck_assert_str_eq(detail.text, "the JSON is more than 100 deep");
    ck_assert_int_eq(json_read(schema, shapes_type(schema, "Order"), bytes_of_text("{\"orderId\":\"0123456789\"}"),
                               &pool, 11, &wire, &detail),
                     E_PAYLOAD);
    ck_assert_int_eq(
        json_write(schema, shapes_type(schema, "Order"), bytes_of_text("\x0a\x01x"), false, &pool, 14, &json, &detail),
        E_PAYLOAD);
    ck_assert_int_eq(
        json_write(schema, shapes_type(schema, "Order"), bytes_of_text("\x0a\x01x"), false, &pool, 15, &json, &detail),
        0);
}
END_TEST

/* What is written has the depth that is read, through whatever it goes down. */
START_TEST(json__what_is_too_deep_is_not_written)
{
    static const struct {
        const char *type, *begin, *open, *close, *end;
        int deep; /* may be so many within one another */
    } forms[] = {
        {"Tree", "", "1:{", "}", "", 99},
        {"Known", "6:{", "1:{6:{", "}}", "}", 49},
        {"Known", "4:{", "1:{1:'k' 2:{5:{", "}}}", "}", 49},
        {"Known", "5:{", "6:{1:{", "}}", "}", 49},
    };
    char text[8192];
    uint8_t wire[8192];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int deep = 0, code = 0;
        struct bytes json = {0};
        for (; code == 0 && deep < 300; deep++) {
            strcpy(text, forms[i].begin);
            for (int k = 0; k < deep; k++)
                strcat(text, forms[i].open);
            for (int k = 0; k < deep; k++)
                strcat(text, forms[i].close);
            strcat(text, forms[i].end);
            code = json_write(schema, shapes_type(schema, forms[i].type),
                              bytes_of(wire, wire_of_text(text, wire, sizeof wire)), false, &pool, 1 << 16, &json,
                              &detail);
        }
        ck_assert_msg(code == E_ARGUMENT, "%s: %.*s", forms[i].open, (int)json.size, (const char *)json.at);
        ck_assert_str_eq(detail.text, "messages are more than 100 within one another");
        ck_assert_msg(deep - 2 == forms[i].deep, "%s: %d", forms[i].open, deep - 2);
    }
}
END_TEST

/* Keys of every kind, in their order: numbers by their values, and false before true. */
START_TEST(json__keys_of_maps_stand_in_their_order)
{
#define MAP(name, number, kind) \
    "2:{1:'" name "' 3:" number " 4:3 5:11 6:'.p.M." name "'} 3:{1:'" name "' 7:{7:1} 2:{1:'key' 3:1 4:1 5:" kind \
    "} 2:{1:'value' 3:2 4:1 5:5}} "
    static const char types[] = "1:{1:'a.proto' 2:'p' 4:{1:'M' " MAP("b", "1", "8") MAP("u", "2", "4")
        MAP("i", "3", "18") MAP("s", "4", "9") MAP("x", "5", "7") "} 12:'proto3'}";
    static const char in[] =
        "{\"b\":{\"true\":1,\"false\":2},\"u\":{\"18446744073709551615\":1,\"10\":2,\"9\":3},"
        "\"i\":{\"5\":1,\"-5\":2,\"-40\":3},\"s\":{\"b\":1,\"ab\":2,\"a\":3,\"\":4},\"x\":{\"7\":1,\"4294967295\":2}}",
                      out[] = "{\"b\":{\"false\":2,\"true\":1},\"u\":{\"9\":3,\"10\":2,\"18446744073709551615\":1},"
                              "\"i\":{\"-40\":3,\"-5\":2,\"5\":1},\"s\":{\"\":4,\"a\":3,\"ab\":2,\"b\":1},\"x\":{\"7\":"
                              "1,\"4294967295\":2}}";
    uint8_t set[1024];
    struct schema *own = NULL;
    struct bytes wire, text;
    ck_assert_int_eq(schema_read(bytes_of(set, wire_of_text(types, set, sizeof set)), &heap, &own, &detail), 0);
    const struct message_type *m = schema_message(own, bytes_of_text("p.M"));
    ck_assert_msg(json_read(own, m, bytes_of_text(in), &pool, 4096, &wire, &detail) == 0, "%s: %s", detail.field,
                  detail.text);
    ck_assert_int_eq(json_write(own, m, wire, false, &pool, 4096, &text, &detail), 0);
    ck_assert_str_eq((const char *)text.at, out);
    static const char *const none[] = {"{\"b\":{\"yes\":1}}",        "{\"b\":{\"1\":1}}",   "{\"u\":{\"-1\":1}}",
                                       "{\"x\":{\"4294967296\":1}}", "{\"i\":{\"1.5\":1}}", "{\"i\":{\"\":1}}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(json_read(own, m, bytes_of_text(none[i]), &pool, 4096, &wire, &detail) == E_ARGUMENT, "%s",
                      none[i]);
    schema_destroy(own);
#undef MAP
}
END_TEST

/* What an Any holds of an empty message is nothing, as protobuf's own libraries write it. */
START_TEST(json__an_empty_message_in_an_any_has_no_bytes)
{
    struct bytes wire;
    static const char *const texts[] = {"{\"any\":{\"@type\":\"x/shapes.Line\"}}",
                                        "{\"any\":{\"@type\":\"x/shapes.Line\",\"sku\":\"\"}}"};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(read("Known", texts[i], &wire), 0);
        ck_assert(bytes_equal(wire, bytes_of_text("\x3a\x0f\x0a\x0dx/shapes.Line")));
    }
}
END_TEST

/* Whoever sent it may have written a field more than once: of one value the last counts, of a message all parts do. */
START_TEST(json__of_a_field_that_is_there_twice_the_last_counts)
{
    static const struct {
        const char *type, *wire, *json;
    } cases[] = {
        {"Order", "1:'a' 1:'b' 2:{1:'n'} 9:5 9:7 2:{2:{2:'8'}}",
         "{\"orderId\":\"b\",\"customer\":{\"name\":\"n\",\"address\":{\"zip\":\"8\"}},\"priority\":7}"},
        /* And of a oneof the last of its fields. */
        {"Order", "6:'4111' 8:1", "{\"cash\":true}"},
        {"Order", "8:1 6:'4111'", "{\"card\":\"4111\"}"},
        {"Order", "7:{1:'n'} 8:0 7:{2:{2:'8'}}", "{\"invoice\":{\"address\":{\"zip\":\"8\"}}}"},
        {"Known", "5:{}", "{\"anyJson\":null}"},
        {"Known", "5:{3:'a' 4:1}", "{\"anyJson\":true}"},
        {"Known", "4:{} 6:{}", "{\"bag\":{},\"list\":[]}"},
        {"Known", "6:{1:{}}", "{\"list\":[null]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t wire[128];
        struct bytes json, message = bytes_of(wire, wire_of_text(cases[i].wire, wire, sizeof wire));
        ck_assert_int_eq(
            json_write(schema, shapes_type(schema, cases[i].type), message, false, &pool, 1 << 20, &json, &detail), 0);
        ck_assert_str_eq((const char *)json.at, cases[i].json);
    }
}
END_TEST

START_TEST(json__what_has_no_form_is_not_written)
{
    static const struct {
        const char *type, *wire, *field, *words;
    } cases[] = {
        {"Order", "\x0a\x05x", "shapes.Order", "the bytes are no message"},
        {"Order", "\x0a\x01\xff", "shapes.Order", "holds a string that is not UTF-8"},
        {"Order", "\x22\x02\x0a\x05", "shapes.Order.CountsEntry", "the bytes are no message"},
        {"Order", "\x62\x02\x12\x05", "shapes.Order.ByRowEntry", "the bytes are no message"},
        {"Order", "\x2a\x01\xff", "shapes.Order", "its packed values end within one"},
        {"Known", "\x2a\x01\x11", "google.protobuf.Value", "the bytes are no message, or too many"},
        {"Known", "\x0a\x02\x10\xff", "google.protobuf.Timestamp", "the bytes are no message, or too many"},
        {"Known", "\x0a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "google.protobuf.Timestamp",
         "is out of its range"},
        {"Known", "\x3a\x05\x0a\x03x/y", "google.protobuf.Any", "holds a type that is not in the schema"},
        {"Known",
         "\x1a\x03\x0a\x01"
         "A",
         "google.protobuf.FieldMask", "holds a path that has no form in JSON"},
        {"Known",
         "\x1a\x05\x0a\x03"
         "a_1",
         "google.protobuf.FieldMask", "holds a path that has no form in JSON"},
        {"Known",
         "\x1a\x04\x0a\x02"
         "a_",
         "google.protobuf.FieldMask", "holds a path that has no form in JSON"},
        {"Known", "\x1a\x03\x0a\x01\xff", "google.protobuf.FieldMask", "holds a string that is not UTF-8"},
        {"Known", "\x12\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "google.protobuf.Duration",
         "is out of its range"},
        {"Known", "\x3a\x0f\x0a\x0d\xff/shapes.Line", "google.protobuf.Any", "holds a string that is not UTF-8"},
        {"Known", "\x3a\x03\x12\x01x", "google.protobuf.Any", "holds bytes without a type"},
        {"Known", "\x2a\x09\x11\x01\x01\x01\x01\x01\x01\xf8\x7f", "google.protobuf.Value", /* a NaN */
         "holds a number that JSON does not have"},
    };
    struct bytes json;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = json_write(schema, shapes_type(schema, cases[i].type), bytes_of_text(cases[i].wire), false, &pool,
                              1 << 20, &json, &detail);
        ck_assert_msg(code == E_ARGUMENT, "%zu", i);
        ck_assert_str_eq(detail.field, cases[i].field);
        ck_assert_str_eq(detail.text, cases[i].words);
    }
}
END_TEST

START_TEST(json__a_skeleton_is_filled_in)
{
    struct bytes json, wire;
    ck_assert_int_eq(json_skeleton(shapes_type(schema, "Order"), &pool, 1 << 16, &json), 0);
    ck_assert_ptr_nonnull(strstr((const char *)json.at, "\"orderId\": \"\""));
    ck_assert_ptr_nonnull(strstr((const char *)json.at, "\"card\": \"\""));
    ck_assert_ptr_null(strstr((const char *)json.at, "\"cash\""));
    ck_assert_ptr_nonnull(strstr((const char *)json.at, "\"color\": \"COLOR_NONE\""));
    ck_assert_int_eq(read("Order", (const char *)json.at, &wire), 0);
    /* A map's values, too, hold themselves once; what is too large has less within it. */
    ck_assert_int_eq(json_skeleton(shapes_type(schema, "Thicket"), &pool, 1 << 16, &json), 0);
    ck_assert_ptr_nonnull(strstr((const char *)json.at, "\"h\": {}"));
    ck_assert_uint_lt(json.size, 1024);
    ck_assert_int_eq(json_skeleton(shapes_type(schema, "Order"), &pool, 400, &json), 0);
    ck_assert_ptr_nonnull(strstr((const char *)json.at, "\"orderId\": \"\""));
    ck_assert_ptr_null(strstr((const char *)json.at, "zip"));
    ck_assert_int_eq(json_skeleton(shapes_type(schema, "Order"), &pool, 10, &json), E_PAYLOAD);
    ck_assert_int_eq(json_skeleton(shapes_type(schema, "Tree"), &pool, 1 << 16, &json), 0);
    ck_assert_str_eq((const char *)json.at, "{\n  \"weight\": 0\n}");
    struct schema *own = NULL;
    ck_assert_int_eq(schema_read(bytes_of(descriptors, descriptors_size), &heap, &own, &detail), 0);
    for (unsigned i = 0; schema_message_at(own, i) != NULL; i++) {
        const struct message_type *type = schema_message_at(own, i);
        ck_assert_int_eq(json_skeleton(type, &pool, 1 << 20, &json), 0);
        int code = json_read(own, type, json, &pool, 1 << 20, &wire, &detail);
        ck_assert_msg(code == 0, "%s: %s: %s", (const char *)type->name.at, detail.field, detail.text);
    }
    schema_destroy(own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tests = tcase_create("json");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, json__goes_in_and_comes_out);
    tcase_add_test(tests, json__what_does_not_fit_is_refused_with_its_place);
    tcase_add_test(tests, json__nothing_behind_the_end_counts);
    tcase_add_test(tests, json__a_long_path_is_cut_between_two_characters);
    tcase_add_test(tests, json__depth_and_size_are_bounded);
    tcase_add_test(tests, json__what_is_too_deep_is_not_written);
    tcase_add_test(tests, json__keys_of_maps_stand_in_their_order);
    tcase_add_test(tests, json__an_empty_message_in_an_any_has_no_bytes);
    tcase_add_test(tests, json__of_a_field_that_is_there_twice_the_last_counts);
    tcase_add_test(tests, json__what_has_no_form_is_not_written);
    tcase_add_test(tests, json__a_skeleton_is_filled_in);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
