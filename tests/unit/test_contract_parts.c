/* What each change of each part of a participant's file breaks of a definition that uses much of it: every field removed, with another name, number and label,
 * of another type, in a oneof and out of it; every value of an enum, every method. It is kept in tests/fixtures/contract/parts.txt;
 * `build/release/tests/unit/test_contract_parts write` writes that anew, for its difference to be read. */
#include "sidecar/contract/contract.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "tests/support/kept_text.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/contract/parts.txt";

static const char file[] = "1:{1:'a.proto' 2:'p' "
                           "4:{1:'Req' 2:{1:'id' 3:1 4:1 5:9} 2:{1:'n' 3:2 4:1 5:5} 2:{1:'sub' 3:3 4:1 5:11 "
                           "6:'.p.Sub'} 2:{1:'notes' 3:4 4:3 5:9} "
                           "2:{1:'kind' 3:5 4:1 5:14 6:'.p.Kind'} 2:{1:'a' 3:6 4:1 5:9 9:0} 2:{1:'b' 3:7 4:1 5:13 9:0} "
                           "2:{1:'spare' 3:8 4:1 5:3} "
                           "2:{1:'by' 3:9 4:3 5:11 6:'.p.Req.ByEntry'} 8:{1:'o'} "
                           "3:{1:'ByEntry' 2:{1:'key' 3:1 4:1 5:9} 2:{1:'value' 3:2 4:1 5:11 6:'.p.Sub'} 7:{7:1}}} "
                           "4:{1:'Sub' 2:{1:'x' 3:1 4:1 5:9} 2:{1:'y' 3:2 4:1 5:6}} "
                           "4:{1:'Ans' 2:{1:'ref' 3:1 4:1 5:9} 2:{1:'left' 3:2 4:1 5:18} 2:{1:'sub' 3:3 4:1 5:11 "
                           "6:'.p.Sub'} 2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} 2:{1:'raw' 3:5 4:1 5:12} "
                           "2:{1:'at' 3:6 4:1 5:1} 2:{1:'ok' 3:7 4:1 5:8}} "
                           "5:{1:'Kind' 2:{1:'ZERO' 2:0} 2:{1:'ONE' 2:1} 2:{1:'TWO' 2:2}} "
                           "6:{1:'S' 2:{1:'Do' 2:'.p.Req' 3:'.p.Ans'} 2:{1:'Undo' 2:'.p.Req' 3:'.p.Ans'} 2:{1:'Give' "
                           "2:'.p.Ans' 3:'.p.Sub'}} 12:'proto3'}";

/* The answer of one call is what another is sent. */
static const char definition[] =
    "name: n\nversion: 1.0.0\nschema: s\ninput: p.Req\n"
    "let: {left: \"1\"}\nrequire: [{that: input.n > 0, else: none}]\ntags: {kind: =input.kind}\n"
    "steps:\n"
    "  - name: first\n    target: t\n    for_each: input.notes\n    max_items: 2\n"
    "    action: {method: /p.S/Do, request: {id: =item, sub: {x: =input.id}, notes: [x], kind: ONE, a: v, by: {k: {y: "
    "2}}}}\n"
    "    compensation: {method: /p.S/Undo, request: {id: =action.key, b: 5}}\n"
    "  - name: second\n    after: [first]\n    target: {oneof: [t, u], by: \"input.spare > 1 ? 't' : 'u'\"}\n    when: "
    "\"size(steps.first.output.filter(o, o.left > 0)) > 0\"\n"
    "    metadata: {x-y: =string(input.sub.y)}\n"
    "    expect: [{that: action.output.ok, else: no}]\n"
    "    action: {method: /p.S/Do, request: input}\n    compensation: {method: /p.S/Undo, request: {id: "
    "=action.output.ref}}\n"
    "  - name: third\n    after: [second]\n    target: u\n    pivot: true\n    action: {method: /p.S/Give, request: "
    "{output: second}}\n"
    "output: {ref: =steps.third.output.x, raw: =steps.second.output.raw, at: =steps.second.output.at}\noutput_type: "
    "p.Ans\n";

static struct schema *schema;
static FILE *into;

static struct schema *read_set(const char *text)
{
    uint8_t set[4096];
    struct schema *s = NULL;
    struct error_detail detail;
    int code = schema_read(bytes_of(set, wire_of_text(text, set, sizeof set)), &heap, &s, &detail);
    return code == 0 ? s : NULL;
}

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    *hash = "cafe";
    return strcmp(name, "s") == 0 ? schema : NULL;
}

static void tell(void *self, const struct contract_finding *f)
{
    (void)self;
    fprintf(into, "    %s%s %u%s: %s\n", f->breaks ? "!" : "", contract_rows[f->rule].id, f->step,
            f->compensation ? "'" : "", f->text);
}

static void put_change(FILE *out, const struct definition *d, const char *what, const char *text)
{
    struct schema *next = read_set(text);
    unsigned calls = 77;
    fprintf(out, "  %s%s\n", what, next == NULL ? ": no types" : "");
    if (next == NULL)
        return;
    into = out;
    const struct contract_check c = {.d = d, .next = next, .memory = &heap, .found = tell};
    ck_assert_int_eq(contract_check(&c, &calls), 0);
    fprintf(out, "    %u calls\n", calls);
    schema_destroy(next);
}

/* The file with other words in place of so many at a place. */
static void put_other(FILE *out, const struct definition *d, size_t at, size_t size, const char *words)
{
    char text[sizeof file + 64], what[80];
    snprintf(text, sizeof text, "%.*s%s%s", (int)at, file, words, file + at + size);
    snprintf(what, sizeof what, "%s", words[0] == '\0' ? "removed" : words);
    put_change(out, d, what, text);
}

/* Some other types of a field, and what its name, number, label and oneof may be instead; size is that of the field at this place. */
static void put_field(FILE *out, const struct definition *d, size_t at, size_t size)
{
    put_other(out, d, at, size, "");
    for (size_t i = at + 3; i < at + size; i++) {
        if (!isdigit((unsigned char)file[i]) || (file[i - 1] != ' ' && file[i - 1] != '{'))
            continue;
        size_t part = wire_text_part(file + i);
        char words[32];
        int number = atoi(file + i), value = atoi(file + i + 2);
        if (number == 1 && file[at] == '2')
            put_other(out, d, i, part, "1:'other'");
        for (int kind = 3; number == 5 && kind <= 17; kind += kind == 3 ? 6 : kind == 9 ? 2 : 3) {
            snprintf(words, sizeof words,
                     kind == 11   ? "5:%d 6:'.p.Sub'"
                     : kind == 14 ? "5:%d 6:'.p.Kind'"
                                  : "5:%d",
                     kind);
            size_t named = strncmp(file + i + part, " 6:", 3) == 0 ? 1 + wire_text_part(file + i + part + 1) : 0;
            if (kind != value)
                put_other(out, d, i, part + named, words);
        }
        snprintf(words, sizeof words, number == 3 ? "3:%d" : "4:%d", number == 3 ? 90 + value : value == 1 ? 3 : 1);
        if (number == 3 || number == 4)
            put_other(out, d, i, part, words);
        snprintf(words, sizeof words, "3:%d 9:0", value);
        if (number == 3 && strstr(file, "1:'Sub'") > file + at && memchr(file + at, '9', size) == NULL)
            put_other(out, d, i, part, words);
        if (number == 9)
            put_other(out, d, i, part, "");
        i += part - 1;
    }
}

static void put_all(FILE *out)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    schema = read_set(file);
    ck_assert_ptr_nonnull(schema);
    limits.schemas.find = find;
    int code = definition_read(bytes_of_text(definition), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d %s: %s", detail.line, detail.column, detail.field, detail.text);
    put_change(out, d, "nothing", file);
    for (size_t i = 0; file[i] != '\0'; i++) {
        if (strncmp(file + i, "2:{", 3) != 0 || (i > 0 && file[i - 1] != ' '))
            continue;
        size_t size = wire_text_part(file + i);
        fprintf(out, "%.*s\n", (int)size, file + i);
        /* A method, a value of an enum, or a field. */
        if (strstr(file + i + 3, "2:'.p.") != NULL && strstr(file + i + 3, "2:'.p.") < file + i + size) {
            char words[80];
            put_other(out, d, i, size, "");
            snprintf(words, sizeof words, "%.*s 6:1}", (int)size - 1, file + i);
            put_other(out, d, i, size, words);
            snprintf(words, sizeof words, "%.*s 5:1}", (int)size - 1, file + i);
            put_other(out, d, i, size, words);
            snprintf(words, sizeof words, "%.*s2:'.p.Sub' 3:'.p.Sub'}", (int)strcspn(file + i + 3, " ") + 4, file + i);
            put_other(out, d, i, size, words);
        } else {
            put_field(out, d, i, size);
        }
        i += size - 1;
    }
    definition_destroy(d);
    schema_destroy(schema);
}

START_TEST(contract__each_change_breaks_what_it_broke)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "contract_parts", contract__each_change_breaks_what_it_broke);
}
