/* Each of many values beside each other one, in every field of a message, and read from it: which type two of them have together, what may stand where
 * another is wanted, what a field makes of a value, and what is read of one that is set and of one that is not. It is kept in
 * tests/fixtures/expression/pairs.txt; `build/release/tests/unit/test_expression_pairs write` writes that anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/fields.h"
#include "tests/support/expression_text.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/expression/pairs.txt";

/* Of every type, and at the bounds of what fields take. */
static const char *const values[] = {
    "true",
    "0",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "9007199254740992",
    "1u",
    "4294967296u",
    "9007199254740992u",
    "-1.5",
    "''",
    "'é'",
    "b'\\xff'",
    "null",
    "[]",
    "[1]",
    "[1u, 7u]",
    "[1.5]",
    "['b', 'a']",
    "[null, Line{}]",
    "[timestamp(7)]",
    "{}",
    "{'a': 1}",
    "{2: Line{sku: 'x'}, 1: null}",
    "{'k': [true, null, {'z': b'a'}]}",
    "timestamp(-1)",
    "duration('-1.5s')",
    "int",
    "optional.of(1)",
    "optional.none()",
    "Line{sku: 'nut', quantity: 3}",
    "Customer{}",
    "google.protobuf.Empty{}",
    "google.protobuf.FieldMask{paths: ['a_b.c', 'x_a', 'y_z', 'd_1', 'e_']}",
    "known.maybe_number",
    "dyn(1)",
    "dyn('x')",
};
#define VALUES (sizeof values / sizeof *values)

/* What messages hold that are read, each field of them. */
static const struct {
    const char *type, *wire;
} messages[] = {
    {"Order", "1:'o-1' 2:{1:'n' 2:{2:'z'}} 3:{1:'s' 2:3} 3:{} 4:{1:'k' 2:1} 4:{1:'j'} 4:{1:'k' 2:5} 5:'\x01\x02' 5:3 "
              "8:1 9:0 10:-2 11:'y' 12:{1:7 2:{}} 12:{2:{1:'q'}} 13:'a' 13:'' 100:{1:5 2:7}"},
    {"Order", ""},
    {"Order", "6:'c' 10:77 9:-1"},
    {"Order", "6:'c' 7:{1:'i'} 2:{1:'a'} 2:{2:{1:'b'}}"},
    {"Numbers",
     "1:'12345678' 3:-5 4:7 5:-1 8:1 13:9 17:3 18:4 20:'\x01\x01\x01\x01\x01\x01\x01\x01' 21:'\x01\x01\x01\x01'"},
    {"Numbers", "3:-1 4:-1 5:4294967296 8:2 13:-1 17:-1 18:-1"},
    {"Numbers", ""},
    {"Known",
     "1:{1:5 2:7} 2:{1:1 2:9} 3:{1:'a.b_c' 1:'d'} 4:{1:{1:'k' 2:{4:1}}} 5:{6:{1:{3:'x'} 1:{1:0} 1:{}}} 6:{1:{4:1}} "
     "7:{1:'x/shapes.Line' 2:{1:'a'}} 8:{1:5} 9:{1:'t'} 10:{1:'b'} 11:{} 12:0 13:{1:1} 14:{} 15:{1:1} 15:{}"},
    {"Known", ""},
    {"Known", "1:{1:253402300800} 2:{1:9223372037} 4:{1:{1:'k'}} 5:{4:0 3:'last'} 7:{1:'shapes.Nothing'} 8:{} "
              "9:{1:'\xff'} 12:3"},
    {"Known", "1:{2:-1} 2:{1:-1 2:1000000000} 5:{} 7:{} 7:{2:'a'} 15:{2:1000000000}"},
    {"Known", "1:{1:-62135596801} 2:{1:1 2:-1000000000} 5:{5:{1:{1:'a' 2:{4:1}} 1:{1:'a' 2:{4:0}}}} "
              "7:{1:'/google.protobuf.Duration' 2:{1:3}}"},
    {"Tree", "1:{2:{3:1} 3:2} 2:{} 3:-1"},
};

static struct schema *schema;
static struct pool pool;

static struct expression_world world_of(const struct variable *variable, const struct datum *value)
{
    return (struct expression_world){.environment = {.schema = schema,
                                                     .container = bytes_of_text("shapes"),
                                                     .variables = variable,
                                                     .variable_count = 1},
                                     .values = value,
                                     .pool = &pool};
}

/* The form with a in place of @, and b of #. */
static void fill(char *text, size_t size, const char *form, const char *a, const char *b)
{
    FILE *out = fmemopen(text, size, "w");
    ck_assert_ptr_nonnull(out);
    for (; *form != '\0'; form++)
        if (*form == '@' || *form == '#')
            fputs(*form == '@' ? a : b, out);
        else
            fputc(*form, out);
    ck_assert_int_eq(fclose(out), 0);
}

static const struct type *type_of(const struct expression_world *world, const char *text,
                                  struct expression_error *error)
{
    const struct expression *e = NULL;
    int code = expression_compile(bytes_of_text(text), &world->environment, &pool, &e, error);
    return code == 0 ? expression_type(e) : NULL;
}

/* Values of types that none before them has. */
static const char *kinds[VALUES];
static size_t kind_count;

static void find_kinds(const struct expression_world *world)
{
    char names[VALUES][64];
    struct expression_error error;
    for (size_t i = 0; i < VALUES; i++) {
        size_t before = 0;
        type_print(type_of(world, values[i], &error), names[kind_count], sizeof *names);
        while (strcmp(names[before], names[kind_count]) != 0)
            before++;
        if (before == kind_count)
            kinds[kind_count++] = values[i];
    }
}

/* For each kind beside this one: the type that both have in a list, as two results of a choice, and when they are compared, or - where they are refused; and
 * whether it may stand where this one is wanted. */
static void put_pairs(FILE *out, const struct expression_world *world, const char *first)
{
    static const char *const forms[] = {"[@, #]",          "true ? @ : #", "@ == #", "@ in [[#]][0]",
                                        "[[@], #][0]",     "[@, ?#]",      "#[@]",   "optional.of(@).orValue(#)",
                                        "#.map(x, [@, x])"};
    struct expression_error error;
    fprintf(out, "%s\n", first);
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        char last[256] = "";
        fprintf(out, "  %s:", forms[k]);
        for (size_t i = 0; i < kind_count; i++) {
            struct pool_mark mark = pool_mark(&pool);
            char text[256], said[256] = "-";
            fill(text, sizeof text, forms[k], first, kinds[i]);
            const struct type *type = type_of(world, text, &error);
            if (type != NULL)
                type_print(type, said, sizeof said);
            fprintf(out, " %s", strcmp(said, last) == 0 && type != NULL ? "=" : said);
            memcpy(last, said, sizeof last);
            pool_rewind(&pool, mark);
        }
        fprintf(out, "\n");
    }
    char *no_last = NULL, text[128];
    fill(text, sizeof text, "{@: 1}", first, "");
    fprintf(out, "  {@: 1}: ");
    expression_text_put_shortly(out, world, text, &no_last);
    free(no_last);
    fprintf(out, "\n  fits: ");
    for (size_t i = 0; i < kind_count; i++)
        fprintf(out, "%d", type_fits(type_of(world, first, &error), type_of(world, kinds[i], &error), &pool));
    fprintf(out, "\n");
}

/* Which values the field takes as they are, and what comes of each when nothing is known of it. */
static void put_field(FILE *out, const struct expression_world *world, const char *type, const struct field *f)
{
    char *last = NULL, text[256];
    struct expression_error error;
    fprintf(out, "%s.%s takes ", type, (const char *)f->name.at);
    for (size_t i = 0; i < VALUES; i++) {
        snprintf(text, sizeof text, "%s{%s: %s}", type, (const char *)f->name.at, values[i]);
        fprintf(out, "%d", type_of(world, text, &error) != NULL);
    }
    for (size_t i = 0; i < VALUES; i++) {
        snprintf(text, sizeof text, "%s{%s: dyn(%s)}", type, (const char *)f->name.at, values[i]);
        fprintf(out, "; ");
        expression_text_put_shortly(out, world, text, &last);
    }
    fprintf(out, "\n");
    free(last);
}

static void put_message(FILE *out, const char *type, const char *wire_text)
{
    static const char *const forms[] = {"m.@", "has(m.@)", "m.?@", "dyn(m).@", "m.@ == m.@"};
    const struct message_type *t = shapes_type(schema, type);
    uint8_t wire[512];
    struct bytes bytes = bytes_of(wire, wire_of_text(wire_text, wire, sizeof wire));
    struct evaluation e = {.schema = schema, .pool = &pool, .cost_max = 100};
    struct datum value = datum_of_message(&e, 0, t, bytes);
    struct variable variable = {.name = bytes_of_text("m"), .type = type_of_message(&pool, t)};
    struct expression_world world = world_of(&variable, &value);
    fprintf(out, "%s ", type);
    expression_text_bytes(out, bytes_of_text(wire_text));
    fprintf(out, "\n");
    for (unsigned i = 0; i < t->field_count; i++) {
        char text[128];
        fprintf(out, "  %s:", (const char *)t->fields[i].name.at);
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
            const char *name = (const char *)t->fields[i].name.at;
            fill(text, sizeof text, forms[k], name, "");
            fprintf(out, k == 0 ? " " : "; ");
            expression_text_put(out, &world, text);
        }
        fprintf(out, "\n");
    }
}

static void put_all(FILE *out)
{
    static const char *const types[] = {"Order", "Numbers", "Known"};
    pool_init(&pool, &heap, 1 << 22);
    struct evaluation e = {.schema = schema, .pool = &pool, .cost_max = 100};
    struct datum known = datum_of_message(&e, 0, shapes_type(schema, "Known"), bytes_of(NULL, 0));
    struct variable variable = {.name = bytes_of_text("known"),
                                .type = type_of_message(&pool, shapes_type(schema, "Known"))};
    struct expression_world world = world_of(&variable, &known);
    find_kinds(&world);
    for (size_t i = 0; i < kind_count; i++)
        put_pairs(out, &world, kinds[i]);
    world.untyped = true;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        for (unsigned i = 0; i < shapes_type(schema, types[k])->field_count; i++)
            put_field(out, &world, types[k], &shapes_type(schema, types[k])->fields[i]);
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        put_message(out, messages[i].type, messages[i].wire);
    pool_finish(&pool);
}

START_TEST(expression__each_value_beside_and_within_each_other_is_what_it_was)
{
    schema = shapes_schema();
    kept_text_compare(path, put_all);
    schema_destroy(schema);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "expression_pairs",
                         expression__each_value_beside_and_within_each_other_is_what_it_was);
}
