/* What a definition makes of each field: of every field of messages each literal, and the input's own field of the same name, refused or sent; and all that one
 * definition computes (whether it may start, loops, conditions, targets, keys, expectations, texts, requests, output) for sagas in several states. It is kept
 * in tests/fixtures/mapping/fields.txt; `build/release/tests/unit/test_mapping_fields write` writes that anew, for its difference to be read. */
#include "sidecar/base/texts.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/mapping/mapping.h"
#include "sidecar/mapping/mapping_look.h"
#include "sidecar/message/json.h"
#include "tests/support/expression_text.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/mapping/fields.txt";

/* In place of @ stands the name of the field. */
static const char *const literals[] = {
    "0",
    "1",
    "-1",
    "1.5",
    "\"1\"",
    "2147483648",
    "9007199254740993.0",
    "1e3",
    "true",
    "\"true\"",
    "yes",
    "abc",
    "\"\"",
    "null",
    "~",
    "YWI=",
    "NaN",
    "\".inf\"",
    "RED",
    "[]",
    "[1, \"2\"]",
    "[a]",
    "[null]",
    "{}",
    "{a: 1}",
    "{sku: x}",
    "{1: {sku: y, quantity: 2}}",
    "2024-02-29T00:00:00.5Z",
    "1.5s",
    "\"a.b,cD\"",
    "\"=1\"",
    "==1",
    "=input.@",
    "=dyn(input).@",
    "=[input.@]",
    "=null",
    "=input",
};

static const struct {
    const char *type, *wire;
} inputs[] = {
    {"Order", "1:'o-1' 2:{1:'n' 2:{2:'z'}} 3:{1:'s' 2:3} 3:{} 4:{1:'k' 2:1} 5:3 6:'c' 9:0 10:-2 11:'y' 12:{1:7 2:{}} "
              "13:'a' 100:{1:5 2:7}"},
    {"Numbers",
     "1:'12345678' 3:-5 4:7 5:-1 8:1 13:9 17:3 18:4 20:'\x01\x01\x01\x01\x01\x01\x01\x01' 21:'\x01\x01\x01\x01'"},
    {"Known", "1:{1:5 2:7} 2:{1:1 2:9} 3:{1:'a.b_c'} 4:{1:{1:'k' 2:{4:1}}} 5:{3:'x'} 6:{1:{4:1}} 7:{1:'x/shapes.Line' "
              "2:{1:'a'}} 8:{1:5} 9:{1:'t'} 10:{1:'b'} "
              "11:{} 13:{1:1} 14:{} 15:{1:1}"},
    {"Order", "1:'\xff' 3:'\x09' 6:'\xc3'"},
};

/* Of everything that is computed something. */
static const char whole[] =
    "name: whole\nversion: 1.2.3\nschema: shapes\ninput: shapes.Order\n"
    "let:\n  total: input.lines.map(l, l.price_cents * l.quantity).sum()\n  first: input.lines[0].sku\n  later: total "
    "+ 1\n"
    "require:\n  - {that: total > 10, else: too little}\n  - {that: \"first != ''\", else: no name}\n"
    "tags: {sku: =first, sum: =total, big: =total > 100, kind: plain}\n"
    "steps:\n"
    "  - name: look\n    target: a\n    optional: true\n    when: later > 12\n    compensation: none\n"
    "    action: {method: /shapes.Shop/Old, request: {sku: =first, quantity: 7, price_cents: =total}}\n"
    "    metadata: {x-sum: =total, x-big: =total > 100, x-id: =saga.id, x-at: =string(saga.started_at), x-tag: "
    "=saga.tags.sku}\n"
    "    expect:\n      - {that: action.output.quantity > 0, else: nothing there, undo: false}\n      - {that: "
    "\"action.output.sku "
    "!= 'bad'\", else: it is bad, undo: false}\n"
    "    fallback:\n      last_good: {key: =first + '/' + string(total), max_age: 1h}\n      fallback: {value: {sku: "
    "=first + '!', quantity: 1}}\n"
    "  - name: each\n    after: [look]\n    target: {oneof: [eu, us], by: \"item.quantity > 2 ? 'eu' : "
    "input.order_id\"}\n    for_each: input.lines\n    max_items: 3\n"
    "    action: {method: /shapes.Shop/Reserve, request: {order_id: =item.sku + string(index), lines: [=item, {sku: "
    "x}], counts: {a: =index}, color: RED, cash: true}}\n"
    "    compensation: {method: /shapes.Shop/Old, request: {sku: \"=has(action.output) ? action.output.sku : "
    "action.key\", quantity: =index, price_cents: =action.request.counts.a}}\n"
    "  - name: end\n    after: [each]\n    target: b\n    action: {method: /shapes.Shop/Reserve, request: input}\n    "
    "expect: [{that: \"action.output.sku == 'd'\", else: another}]\n"
    "    compensation: {method: /shapes.Shop/Old, request: {sku: =action.request.order_id}}\n"
    "output:\n  sku: \"=steps.each.output.map(o, o.sku).join('+') + '/' + steps.each.outcome.join('+')\"\n"
    "  quantity: \"=steps.look.outcome == 'done' ? steps.look.output.quantity : -1\"\n"
    "  price_cents: \"=has(steps.look.output) ? steps.look.output.price_cents : 0\"\n"
    "output_type: shapes.Line\n";

static const char *const sagas[] = {
    "1:'us' 3:{1:'nut' 2:3 3:5} 3:{1:'bolt' 2:1 3:100}",
    "1:'de' 3:{1:'nut' 2:3 3:4}",
    "1:'eu' 3:{1:'' 2:1 3:200} 3:{} 3:{} 3:{}",
    "1:'eu'",
    "3:{1:'x' 2:9223372036854775807 3:9223372036854775807}",
};

static struct schema *schema;
static struct pool pool;

static int read_text(const char *text, struct definition **d, struct error_detail *detail)
{
    struct definition_limits limits = definition_limits_default();
    limits.schemas = shapes_schemas();
    *d = NULL;
    *detail = (struct error_detail){.text = ""};
    return definition_read(bytes_of_text(text), &limits, d, detail);
}

static void put_json(FILE *out, const struct message_type *type, struct bytes wire)
{
    struct bytes json;
    struct error_detail detail;
    if (json_write(schema, type, wire, false, &pool, 1 << 16, &json, &detail) == 0)
        fprintf(out, "%.*s", (int)json.size, (const char *)json.at);
    else
        fprintf(out, "%s: %s", detail.field, detail.text);
}

/* ---- one field ---- */

static void fill(char *text, size_t size, const char *form, const char *name)
{
    FILE *out = fmemopen(text, size, "w");
    ck_assert_ptr_nonnull(out);
    for (; *form != '\0'; form++)
        fprintf(out, "%.*s", *form == '@' ? (int)strlen(name) : 1, *form == '@' ? name : form);
    ck_assert_int_eq(fclose(out), 0);
}

static void put_literal(FILE *out, const char *type, const char *field, const char *literal, struct bytes input)
{
    char text[512], value[64];
    struct definition *d;
    struct error_detail detail;
    struct bytes output;
    fill(value, sizeof value, literal, field);
    snprintf(text, sizeof text,
             "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.%s\noutput_type: shapes.%s\n"
             "steps: [{name: a, target: t, action: {method: /shapes.Shop/Reserve, request: {}}, compensation: "
             "none}]\noutput:\n  %s: %s\n",
             type, type, field, value);
    struct pool_mark mark = pool_mark(&pool);
    int code = read_text(text, &d, &detail);
    if (code != 0) {
        fprintf(out, "%d:%d %s: %s", detail.line, detail.column, detail.field, detail.text);
    } else {
        const struct mapping_view view = {.input = input, .instance = -1};
        code = mapping_output(d->mapping, &view, 4096, &pool, &output, &detail);
        if (code == 0)
            put_json(out, mapping_output_type(d->mapping), output);
        else
            fprintf(out, "%s %s", error_row(code)->reason, detail.text);
    }
    definition_destroy(d);
    pool_rewind(&pool, mark);
}

static void put_field(FILE *out, const char *type, const struct field *f, struct bytes input)
{
    char *last = NULL;
    fprintf(out, "%s.%s\n", type, (const char *)f->name.at);
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        char *said = NULL;
        size_t size;
        FILE *into = open_memstream(&said, &size);
        ck_assert_ptr_nonnull(into);
        put_literal(into, type, (const char *)f->name.at, literals[i], input);
        ck_assert_int_eq(fclose(into), 0);
        bool same = last != NULL && strcmp(said, last) == 0;
        if (last != NULL && !same)
            fprintf(out, " -> %s\n", last);
        fprintf(out, same ? ", %s" : "  %s", literals[i]);
        free(last);
        last = said;
    }
    fprintf(out, " -> %s\n", last);
    free(last);
}

/* What a call may be sent that is handed on whole. */
static void put_wholes(FILE *out)
{
    static const char *const requests[] = {"input",
                                           "own_output",
                                           "{output: a}",
                                           "{output: b}",
                                           "{output: none}",
                                           "{constant: \"\"}",
                                           "{constant_base64: CgFh}",
                                           "{constant_base64: EgFh}",
                                           "{constant_base64: aGU=}",
                                           "{constant_base64: CgL/}",
                                           "=input",
                                           "=steps.a.output",
                                           "{}",
                                           "[]",
                                           "x"};
    static const char *const methods[] = {"Reserve", "Old", "Follow", "Nothing"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        for (size_t k = 0; k < (i < 2 ? sizeof requests / sizeof *requests : 1); k++)
            for (unsigned undo = 0; undo < 2; undo++) {
                char text[512], call[128], plain[] = "{method: /shapes.Shop/Old, request: {sku: a}}";
                struct definition *d;
                struct error_detail detail;
                snprintf(call, sizeof call, "{method: /shapes.Shop/%s, request: %s}", methods[i], requests[k]);
                snprintf(text, sizeof text,
                         "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\nsteps:\n  - {name: a, target: "
                         "t, action: %s, compensation: none}\n"
                         "  - {name: b, after: [a], target: t, action: %s, compensation: %s}\n",
                         plain, undo ? plain : call, undo ? call : "none");
                fprintf(out, "%s of %s%s", requests[k], methods[i], undo ? " as an undo" : "");
                if (read_text(text, &d, &detail) == 0)
                    fprintf(out, ": source %d of %u\n",
                            (int)(undo ? d->steps[1].compensation : d->steps[1].action).source,
                            (undo ? d->steps[1].compensation : d->steps[1].action).source_step);
                else
                    fprintf(out, ": %d:%d %s: %s\n", detail.line, detail.column, detail.field, detail.text);
                definition_destroy(d);
            }
}

/* Names that let may give. */
static void put_names(FILE *out)
{
    static const char *const names[] = {"a",    "_",     "Z9",   "a^b",   "a[",     "a`b",   "a{",
                                        "a@",   "a/b",   "a:b",  "9a",    "a-b",    "a.b",   "\xc3\xa9",
                                        "",     "as",    "in",   "input", "saga",   "steps", "action",
                                        "item", "index", "size", "int",   "shapes", "Order", "other"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[512];
        struct definition *d;
        struct error_detail detail;
        snprintf(
            text, sizeof text,
            "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\nlet: {other: \"1\", \"%s\": \"2\"}\n"
            "steps: [{name: a, target: t, action: {method: /shapes.Shop/Reserve, request: {}}, compensation: none}]\n",
            names[i]);
        fprintf(out, "let \"");
        expression_text_bytes(out, bytes_of_text(names[i]));
        if (read_text(text, &d, &detail) == 0)
            fprintf(out, "\": is a name\n");
        else
            fprintf(out, "\": %d:%d %s: %s\n", detail.line, detail.column, detail.field, detail.text);
        definition_destroy(d);
    }
}

/* ---- a whole definition ---- */

/* What became of each step: its outcome, whether it has an output, and what stands in for it. */
struct state {
    enum mapping_outcome outcome;
    bool output;
    uint16_t stood_in_by;
};

static const struct state states[] = {{OUTCOME_OPEN, false, 0},     {OUTCOME_DONE, true, 0},
                                      {OUTCOME_REJECTED, false, 0}, {OUTCOME_REJECTED, true, 1},
                                      {OUTCOME_UNKNOWN, false, 0},  {OUTCOME_SKIPPED, false, 0}};

static struct mapping_step step_of(const void *saga, unsigned step, unsigned instance)
{
    static uint8_t wires[4][8];
    const struct state *s = saga;
    char sku[2] = {(char)('a' + step % 3 + instance), 0};
    uint8_t *wire = wires[instance % 4];
    struct bytes output = s->output ? shapes_line(bytes_of_text(sku), wire) : bytes_of(NULL, 0);
    return (struct mapping_step){.outcome = (uint8_t)s->outcome,
                                 .output = output,
                                 .stood_in_by = step == 0 ? s->stood_in_by : 0,
                                 .generation = instance};
}

static unsigned count_of(const void *saga, unsigned step)
{
    (void)saga;
    (void)step;
    return 2;
}

static void put_code(FILE *out, const char *what, unsigned step, int code, const struct error_detail *detail)
{
    fprintf(out, "    %s %u: ", what, step);
    if (code < 0)
        fprintf(out, "%s %s: %s", error_row(code)->reason, detail->field, detail->text);
    else
        fprintf(out, "%d", code);
}

static void put_bytes(FILE *out, const char *what, unsigned step, int code, const struct error_detail *detail,
                      struct bytes bytes)
{
    put_code(out, what, step, code, detail);
    if (code >= 0) {
        fprintf(out, " '");
        expression_text_bytes(out, bytes);
        fprintf(out, "'");
    }
    fprintf(out, "\n");
}

static void put_step(FILE *out, const struct definition *d, struct mapping_view *view, unsigned step)
{
    struct error_detail detail = {.text = ""};
    struct bytes bytes = bytes_of(NULL, 0);
    const struct mapping *m = d->mapping;
    bool undone = false;
    put_code(out, "when", step, mapping_when(m, view, step, &pool, &detail), &detail);
    fprintf(out, "\n");
    if (mapping_has_target(m, step))
        put_bytes(out, "target", step, mapping_target(m, view, step, &pool, &bytes, &detail), &detail, bytes);
    if (step + 1 < d->step_count && d->steps[step + 1].stand_in == STAND_IN_LAST_GOOD)
        put_bytes(out, "key", step, mapping_key(m, view, step, &pool, &bytes, &detail), &detail, bytes);
    detail.text[0] = '\0';
    int code = mapping_expect(m, view, step, &pool, &undone, &detail);
    put_code(out, "expect", step, code, &detail);
    fprintf(out, "%s%s\n", code == 0 ? detail.text : "", code == 0 && undone ? ", to be undone" : "");
    if (mapping_has_metadata(m, step))
        put_bytes(out, "metadata", step, mapping_metadata(m, view, step, &pool, &bytes, &detail), &detail, bytes);
    for (unsigned k = 0; k < 2; k++) {
        const struct call_spec *call = k == 0 ? &d->steps[step].action : &d->steps[step].compensation;
        if ((k == 1 && !d->steps[step].has_compensation) || call->source != REQUEST_MAPPED)
            continue;
        code = mapping_request(m, view, step, k == 1, 4096, &pool, &bytes, &detail);
        put_bytes(out, k == 0 ? "request" : "undo", step, code, &detail, bytes);
    }
}

static void put_saga(FILE *out, const struct definition *d, struct mapping_view *view)
{
    struct pool_mark mark = pool_mark(&pool);
    struct error_detail detail = {.text = ""};
    struct bytes bytes = bytes_of(NULL, 0), tags = bytes_of(NULL, 0);
    put_code(out, "require", 0, mapping_require(d->mapping, view, &pool, &detail), &detail);
    fprintf(out, "\n");
    put_bytes(out, "counts", 0, mapping_counts(d->mapping, view, &pool, &bytes, &detail), &detail, bytes);
    int code = mapping_tags(d->mapping, view, &pool, &tags, &detail);
    put_bytes(out, "tags", 0, code, &detail, tags);
    view->tags = code == 0 ? tags : bytes_of(NULL, 0);
    for (unsigned i = 0; i < d->step_count; i++) {
        view->instance = d->steps[i].loop ? 1 : -1;
        put_step(out, d, view, i);
    }
    view->instance = -1;
    code = mapping_output(d->mapping, view, 4096, &pool, &bytes, &detail);
    put_bytes(out, "output", 0, code, &detail, bytes);
    pool_rewind(&pool, mark);
}

static void see(void *self, const struct mapping_seen *what)
{
    fprintf(self, "  part %d of %u%s%.*s: %.*s%s%s\n", (int)what->part, what->index, what->name.size > 0 ? " " : "",
            (int)what->name.size, (const char *)what->name.at, (int)what->text.size, (const char *)what->text.at,
            what->field != NULL ? " for " : "", what->field != NULL ? (const char *)what->field->name.at : "");
}

static void put_whole(FILE *out)
{
    struct definition *d;
    struct error_detail detail;
    int code = read_text(whole, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d %s: %s", detail.line, detail.column, detail.field, detail.text);
    mapping_look(d->mapping, see, out);
    for (size_t i = 0; i < sizeof sagas / sizeof *sagas; i++)
        for (size_t k = 0; k < (i == 0 ? sizeof states / sizeof *states : 1); k++) {
            uint8_t wire[256];
            struct mapping_view view = {.id = {.tag = 0x9f03c1d2a4b7, .serial = 42},
                                        .started_at = {.us = i == 0 ? 1500000 : -1},
                                        .input = bytes_of(wire, wire_of_text(sagas[i], wire, sizeof wire)),
                                        .saga = &states[k],
                                        .instance = -1,
                                        .step = step_of,
                                        .count = count_of};
            fprintf(out, "  saga %zu, state %zu\n", i, k);
            put_saga(out, d, &view);
        }
    definition_destroy(d);
}

static void put_all(FILE *out)
{
    pool_init(&pool, &heap, MAPPING_MEMORY_MAX);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        uint8_t wire[512];
        const struct message_type *t = shapes_type(schema, inputs[i].type);
        struct bytes input = bytes_of(wire, wire_of_text(inputs[i].wire, wire, sizeof wire));
        for (unsigned k = 0; k < t->field_count && (i < 3 || k < 6); k++)
            put_field(out, inputs[i].type, &t->fields[k], input);
    }
    put_names(out);
    put_wholes(out);
    put_whole(out);
    pool_finish(&pool);
}

START_TEST(mapping__every_field_is_made_of_every_value_as_it_was)
{
    schema = shapes_schema();
    kept_text_compare(path, put_all);
    schema_destroy(schema);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "mapping_fields", mapping__every_field_is_made_of_every_value_as_it_was);
}
