/* What is read of sets of descriptors: each type with all that is known of each field; an example of each, as a skeleton to be filled in and as JSON in lines;
 * and what comes of a set in which one part is missing, or says something else. It is kept in tests/fixtures/message/types.txt;
 * `build/release/tests/unit/test_message_types write` writes that anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/rehearse/rehearse.h"
#include "tests/support/expression_text.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/message/types.txt";

/* All that proto2 has, in one file; each part is a line, of which there is none in shapes.proto. */
static const char legacy[] =
    "1:{1:'old.proto' 2:'old.v1' 4:{1:'All' "
    "2:{1:'must' 3:1 4:2 5:5} "
    "2:{1:'by_default' 3:2 4:1 5:3 7:'-7' 10:'named'} "
    "2:{1:'fraction' 3:3 4:1 5:1 7:'-inf'} "
    "2:{1:'text' 3:4 4:1 5:9 7:'a\"b'} "
    "2:{1:'raw' 3:5 4:1 5:12 7:'\\101\\x\\n\\0017/\\(8\\377\\'} "
    "2:{1:'is' 3:6 4:1 5:8 7:'true'} "
    "2:{1:'kind' 3:7 4:1 5:14 6:'.old.v1.Kind' 7:'LOW'} "
    "2:{1:'kinds' 3:8 4:3 5:14 6:'.old.v1.Kind' 8:{2:1}} "
    "2:{1:'loose' 3:9 4:3 5:14 6:'.old.v1.Kind'} "
    "2:{1:'grouped' 3:10 4:1 5:10 6:'.old.v1.All.Grouped'} "
    "2:{1:'groups' 3:11 4:3 5:10 6:'.old.v1.All.Grouped'} "
    "2:{1:'by_kind' 3:12 4:3 5:11 6:'.old.v1.All.ByKindEntry'} "
    "2:{1:'left' 3:13 4:1 5:9 9:0} "
    "2:{1:'right' 3:14 4:1 5:11 6:'.old.v1.All' 9:0} "
    "2:{1:'secret' 3:15 4:1 5:9 8:{16:1 3:1}} "
    "2:{1:'natural' 3:16 4:1 5:13 7:'4294967295'} "
    "2:{1:'single' 3:17 4:1 5:2 7:'nan'} "
    "2:{1:'far' 3:536870911 4:1 5:18} "
    "3:{1:'Grouped' 2:{1:'in' 3:1 4:1 5:5}} "
    "3:{1:'ByKindEntry' 2:{1:'key' 3:1 4:1 5:5} 2:{1:'value' 3:2 4:1 5:14 6:'.old.v1.Kind'} 7:{7:1}} "
    "5:{1:1000 2:2000} 7:{3:1} 8:{1:'side'} 9:{1:20 2:22} 9:{1:30 2:31} 10:'gone'} "
    "5:{1:'Kind' 2:{1:'HIGH' 2:5} 2:{1:'LOW' 2:-1} 2:{1:'ALSO' 2:5} 3:{2:1} 4:{1:7 2:9}} "
    "6:{1:'Shop' 2:{1:'Sell' 2:'.old.v1.All' 3:'.old.v1.All' 4:{33:1}} 2:{1:'Stream' 2:'.old.v1.All' 3:'.old.v1.All' "
    "5:1 6:1}} "
    "12:'proto2'}";

/* Of messages of it, as JSON: closed enums with numbers that they have not, groups, what is said twice. */
static const char *const messages[] = {
    "1:1 2:3 7:5 7:6 8:'\x05\x06\x07' 9:5 9:9",
    "1:1 12:{1:1 2:5} 12:{1:2 2:77} 12:{} 13:'a' 14:{1:2}",
    "1:1 14:{1:2} 14:{2:3} 15:'s' 16:-1 6:2",
    "2:1",
};

static struct pool pool;

static struct schema *schema_of(const char *text, char *said, size_t room)
{
    uint8_t set[8192];
    struct schema *s = NULL;
    struct error_detail detail = {.field = ""};
    int code = schema_read(bytes_of(set, wire_of_text(text, set, sizeof set)), &heap, &s, &detail);
    snprintf(said, room, "%s %s: %s", code == 0 ? "" : error_row(code)->reason, detail.field, detail.text);
    return code == 0 ? s : NULL;
}

static void put_value(FILE *out, const struct value *v)
{
    switch (value_class_of(v->kind)) {
    case VALUE_INT:
        fprintf(out, "%" PRIi64, v->i);
        break;
    case VALUE_UINT:
        fprintf(out, "%" PRIu64 "u", v->u);
        break;
    case VALUE_DOUBLE:
        fprintf(out, "%s", v->d != v->d ? "nan" : v->d == 0 ? "0.0" : v->d < 0 ? "below" : "above");
        break;
    case VALUE_BOOL:
        fprintf(out, "%d", v->b);
        break;
    case VALUE_TEXT:
        fprintf(out, "'");
        expression_text_bytes(out, v->text);
        fprintf(out, "'");
    }
}

static void put_field(FILE *out, const struct field *f)
{
    fprintf(out, "  %u %s %s %s", f->number, (const char *)f->name.at, (const char *)f->json_name.at,
            field_kind_name(f->kind));
    if (f->message != NULL || f->enumeration != NULL)
        fprintf(out, " %s", (const char *)(f->message != NULL ? f->message->name : f->enumeration->name).at);
    fprintf(out, "%s%s%s%s%s%s%s oneof %d index %u", f->repeated ? " list" : "", f->map ? " map" : "",
            f->packed ? " packed" : "", f->presence ? " presence" : "", f->required ? " required" : "",
            f->deprecated ? " deprecated" : "", f->redacted ? " redacted" : "", f->oneof, f->index);
    fprintf(out, " else ");
    put_value(out, &f->implicit);
    fprintf(out, "\n");
}

static void put_json(FILE *out, const struct schema *s, const struct message_type *t, struct bytes wire, bool pretty)
{
    struct bytes json;
    struct error_detail detail;
    if (json_write(s, t, wire, pretty, &pool, 1 << 16, &json, &detail) == 0)
        fprintf(out, "%.*s\n", (int)json.size, (const char *)json.at);
    else
        fprintf(out, "%s: %s\n", detail.field, detail.text);
}

static void put_examples(FILE *out, const struct schema *s, const struct message_type *t)
{
    static const size_t rooms[] = {1 << 14, 60};
    struct pool_mark mark = pool_mark(&pool);
    struct bytes json, wire;
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        int code = json_skeleton(t, &pool, rooms[i], &json);
        if (code != 0 || json.size < 1000)
            fprintf(out, "  skeleton %zu: %.*s\n", rooms[i], code == 0 ? (int)json.size : 4,
                    code == 0 ? (const char *)json.at : "none");
        else
            fprintf(out, "  skeleton %zu: %zu bytes\n", rooms[i], json.size);
    }
    int code = rehearse_example(t, &pool, &wire);
    fprintf(out, "  example %d: ", code);
    if (code == 0 && wire.size > 1000)
        fprintf(out, "%zu bytes\n", wire.size);
    else if (code == 0) {
        put_json(out, s, t, wire, false);
        if (wire.size < 200)
            put_json(out, s, t, wire, true);
    }
    pool_rewind(&pool, mark);
}

static void put_schema(FILE *out, const struct schema *s)
{
    const struct message_type *t;
    const struct enum_type *e;
    const struct service_type *service;
    for (unsigned i = 0; (t = schema_message_at(s, i)) != NULL; i++) {
        fprintf(out, "%s of %s, well-known %d%s%s%s\n", (const char *)t->name.at, (const char *)t->file.at,
                (int)t->well_known, t->map_entry ? ", entry" : "", t->strict_utf8 ? ", strict" : "",
                t->deprecated ? ", deprecated" : "");
        for (unsigned k = 0; k < t->field_count; k++)
            put_field(out, &t->fields[k]);
        for (unsigned k = 0; k < t->field_count; k++)
            fprintf(out, "%s%s/%s", k == 0 ? "  by name " : " ", (const char *)t->by_name[k]->name.at,
                    (const char *)t->by_json_name[k]->json_name.at);
        fprintf(out, "%s", t->field_count > 0 ? "\n" : "");
        for (unsigned k = 0; k < t->oneof_count; k++)
            fprintf(out, "  oneof %s\n", (const char *)t->oneofs[k].at);
        for (unsigned k = 0; k < t->reserved_count; k++)
            fprintf(out, "  reserved %d to %d\n", t->reserved[k].first, t->reserved[k].last);
        put_examples(out, s, t);
    }
    for (unsigned i = 0; (e = schema_enum_at(s, i)) != NULL; i++) {
        fprintf(out, "%s of %s%s:", (const char *)e->name.at, (const char *)e->file.at, e->closed ? ", closed" : "");
        for (unsigned k = 0; k < e->value_count; k++)
            fprintf(out, " %s %d (%s, %s)", (const char *)e->values[k].name.at, e->values[k].number,
                    (const char *)e->by_number[k]->name.at, (const char *)e->by_name[k]->name.at);
        for (unsigned k = 0; k < e->reserved_count; k++)
            fprintf(out, " reserved %d to %d", e->reserved[k].first, e->reserved[k].last);
        fprintf(out, "\n");
    }
    for (unsigned i = 0; (service = schema_service_at(s, i)) != NULL; i++)
        for (unsigned k = 0; k < service->method_count; k++) {
            const struct method_type *m = &service->methods[k];
            fprintf(out, "%s of %s: %s takes %s gives %s%s%s%s\n", (const char *)service->name.at,
                    (const char *)service->file.at, (const char *)m->name.at, (const char *)m->input->name.at,
                    (const char *)m->output->name.at, m->client_streaming ? ", streams in" : "",
                    m->server_streaming ? ", streams out" : "", m->deprecated ? ", deprecated" : "");
        }
}

static void put_message(FILE *out, const struct schema *s, const char *text)
{
    uint8_t wire[256];
    struct inspection seen;
    struct error_detail detail;
    const struct message_type *t = schema_message(s, bytes_of_text("old.v1.All"));
    struct bytes bytes = bytes_of(wire, wire_of_text(text, wire, sizeof wire));
    ck_assert_int_eq(inspect_message(t, bytes, &seen, &detail), 0);
    expression_text_bytes(out, bytes_of_text(text));
    fprintf(out, ": %u known, %u unknown, first %u%s: ", seen.known, seen.unknown, seen.unknown_number,
            seen.incomplete ? ", incomplete" : "");
    put_json(out, s, t, bytes, false);
}

/* ---- a part that is missing, or says something else ---- */

static void put_result(FILE *out, const char *what, const char *text, char *last)
{
    char said[512];
    struct schema *s = schema_of(text, said, sizeof said);
    if (s != NULL)
        snprintf(said, sizeof said, "is one");
    schema_destroy(s);
    fprintf(out, "; %s: %s", what, strcmp(said, last) == 0 && s == NULL ? "=" : said);
    memcpy(last, said, sizeof said);
}

static void put_defects(FILE *out)
{
    char last[512] = "";
    for (size_t i = 0; legacy[i] != '\0'; i++) {
        static char text[sizeof legacy + 16];
        if (!isdigit((unsigned char)legacy[i]) || (i > 0 && legacy[i - 1] != ' ' && legacy[i - 1] != '{'))
            continue;
        size_t size = wire_text_part(legacy + i), number = strcspn(legacy + i, ":");
        bool is_text = legacy[i + number + 1] == '\'', is_number = !is_text && legacy[i + number + 1] != '{';
        fprintf(out, "%.*s", size > 40 ? 40 : (int)size, legacy + i);
        snprintf(text, sizeof text, "%.*s%s", (int)i, legacy, legacy + i + size);
        put_result(out, "without it", text, last);
        snprintf(text, sizeof text, "%.*s%.*s:%s%s", (int)i, legacy, (int)number, legacy + i,
                 is_number ? "0"
                 : is_text ? "''"
                           : "{}",
                 legacy + i + size);
        put_result(out, "empty", text, last);
        snprintf(text, sizeof text, "%.*s%.*s:%s%s", (int)i, legacy, (int)number, legacy + i,
                 is_number ? "-1"
                 : is_text ? "'.x'"
                           : "5",
                 legacy + i + size);
        put_result(out, "another", text, last);
        fprintf(out, "\n");
        i += is_text ? size - 1 : number;
    }
}

/* The set cut behind so many bytes, and with a byte that begins what does not end; those of one result are one line. */
static void put_damage(FILE *out)
{
    uint8_t set[8192], copy[8192];
    char last[512] = "", said[512];
    size_t size = wire_of_text(legacy, set, sizeof set);
    for (size_t i = 0; i < 2 * size; i++) {
        struct schema *s = NULL;
        struct error_detail detail = {.field = ""};
        bool cut = i < size;
        memcpy(copy, set, size);
        copy[cut ? i : i - size] |= 0x80;
        int code = schema_read(bytes_of(copy, cut ? i : size), &heap, &s, &detail);
        snprintf(said, sizeof said, "%s %s: %s", code == 0 ? "is one" : error_row(code)->reason, detail.field,
                 detail.text);
        if (strcmp(said, last) != 0)
            fprintf(out, "%s at %zu: %.120s\n", cut ? "cut" : "damaged", cut ? i : i - size, said);
        memcpy(last, said, sizeof last);
        schema_destroy(s);
    }
}

/* What JSON cannot set, or can. */
static void put_read(FILE *out, const struct schema *s)
{
    static const char *const texts[] = {"{\"grouped\":{}}",
                                        "{\"groups\":[]}",
                                        "{\"groups\":[{}]}",
                                        "{\"must\":1,\"kinds\":[\"LOW\",5,\"ALSO\"]}",
                                        "{\"kinds\":[7]}",
                                        "{\"byKind\":{\"1\":\"LOW\",\"2\":9}}",
                                        "{\"named\":\"5\",\"by_default\":6}",
                                        "{\"left\":\"a\",\"right\":{}}",
                                        "{\"left\":null,\"right\":{\"far\":-1}}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bytes wire;
        struct error_detail detail;
        const struct message_type *t = schema_message(s, bytes_of_text("old.v1.All"));
        int code = json_read(s, t, bytes_of_text(texts[i]), &pool, 1000, &wire, &detail);
        fprintf(out, "%s: ", texts[i]);
        if (code == 0)
            expression_text_bytes(out, wire);
        else
            fprintf(out, "%d:%d %s: %s", detail.line, detail.column, detail.field, detail.text);
        fprintf(out, "\n");
    }
}

static void put_all(FILE *out)
{
    char said[512];
    pool_init(&pool, &heap, 1 << 22);
    struct schema *s = shapes_schema();
    put_schema(out, s);
    struct bytes wire = bytes_of_text("\x3a\x14\x0a\x0dx/shapes.Line\x12\x03\x0a\x01"
                                      "a");
    put_json(out, s, shapes_type(s, "Known"), wire, true);
    schema_destroy(s);
    s = schema_of(legacy, said, sizeof said);
    ck_assert_msg(s != NULL, "%s", said);
    put_schema(out, s);
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        put_message(out, s, messages[i]);
    put_read(out, s);
    schema_destroy(s);
    put_defects(out);
    put_damage(out);
    pool_finish(&pool);
}

START_TEST(message__every_part_of_a_type_is_read)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "message_types", message__every_part_of_a_type_is_read);
}
