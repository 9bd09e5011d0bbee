/* What a change of a participant's messages breaks of a definition: each rule, of what is used and of what is not, and who uses it. */
#include "sidecar/contract/contract.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct schema *schema;
static char told[4096];

static struct schema *read_set(const char *text)
{
    uint8_t set[4096];
    struct schema *s = NULL;
    struct error_detail detail;
    int code = schema_read(bytes_of(set, wire_of_text(text, set, sizeof set)), &heap, &s, &detail);
    ck_assert_msg(code == 0, "%s: %s: %s", text, detail.field, detail.text);
    return s;
}

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    *hash = "cafe";
    return strcmp(name, "s") == 0 ? schema : NULL;
}

/* "!" before what breaks a saga, "'" behind the step of a compensation. */
static void tell(void *self, const struct contract_finding *f)
{
    size_t used = strlen(told);
    (void)self;
    snprintf(told + used, sizeof told - used, "%s%s %u%s: %s\n", f->breaks ? "!" : "", contract_rows[f->rule].id,
             f->step, f->compensation ? "'" : "", f->text);
}

/* The parts of a participant's file, of which a case changes one. */
struct parts {
    const char *request, *sub, *answer, *values, *service, *more;
};

#define FIELD(name, number, type) "2:{1:'" name "' 3:" number " 4:1 5:" type "} "
#define ID                        FIELD("id", "1", "9")
#define COUNT                     FIELD("n", "2", "5")
#define SUB                       "2:{1:'sub' 3:3 4:1 5:11 6:'.p.Sub'} "
#define NOTES                     "2:{1:'notes' 3:4 4:3 5:9} "
#define KIND                      "2:{1:'kind' 3:5 4:1 5:14 6:'.p.Kind'} "
#define EITHER                    "2:{1:'a' 3:6 4:1 5:9 9:0} 2:{1:'b' 3:7 4:1 5:9 9:0} 8:{1:'o'} "
#define UNUSED                    FIELD("spare", "8", "3")
#define SUB_FIELDS                FIELD("x", "1", "9") FIELD("y", "2", "9")
#define ANSWER \
    FIELD("ref", "1", "9") FIELD("left", "2", "5") SUB "2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} " FIELD("spare", "5", "3")
#define VALUES             "2:{1:'ZERO' 2:0} 2:{1:'ONE' 2:1} 2:{1:'TWO' 2:2} "
#define METHOD(name, more) "2:{1:'" name "' 2:'.p.Req' 3:'.p.Ans' " more "} "

#define GIVE "2:{1:'Give' 2:'.p.Ans' 3:'.p.Ans'} "

static const struct parts as_registered = {.request = ID COUNT SUB NOTES KIND EITHER UNUSED,
                                           .sub = SUB_FIELDS,
                                           .answer = ANSWER,
                                           .values = VALUES,
                                           .service = METHOD("Do", "") METHOD("Undo", "") GIVE,
                                           .more = ""};

static struct schema *schema_of(const struct parts *p)
{
    char text[4096];
    snprintf(text, sizeof text,
             "1:{1:'a.proto' 2:'p' 4:{1:'Req' %s} 4:{1:'Sub' %s} 4:{1:'Ans' %s} 5:{1:'Kind' %s} 6:{1:'S' %s} %s "
             "12:'proto3'}",
             p->request != NULL ? p->request : as_registered.request, p->sub != NULL ? p->sub : as_registered.sub,
             p->answer != NULL ? p->answer : as_registered.answer, p->values != NULL ? p->values : as_registered.values,
             p->service != NULL ? p->service : as_registered.service, p->more != NULL ? p->more : as_registered.more);
    return read_set(text);
}

/* The first step sets and reads some fields of the target t; the second, elsewhere, hands on the whole input. */
static const char definition[] =
    "name: n\nversion: 1.0.0\nschema: s\ninput: p.Req\nsteps:\n"
    "  - name: first\n    target: t\n"
    "    action: {method: /p.S/Do, request: {id: =input.id, n: 5, sub: {x: =input.id}, notes: [x], kind: ONE, a: v}}\n"
    "    compensation: {method: /p.S/Undo, request: {id: =action.key}}\n"
    "  - name: second\n    after: [first]\n    target: u\n"
    "    when: steps.first.output.left > 0 && steps.first.output.kind == 1\n"
    "    action: {method: /p.S/Do, request: input}\n    compensation: none\n"
    "output: {ref: =steps.first.output.sub.x}\n";

/* Holds a definition that was read against one set against another, and takes both; returns how many calls there were to look at. */
static unsigned compared(const char *text, const char *target, struct schema *was, struct schema *now)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    unsigned count = 77;
    schema = was;
    limits.schemas.find = find;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    told[0] = '\0';
    const struct contract_check c = {.d = d, .next = now, .target = target, .memory = &heap, .found = tell};
    ck_assert_int_eq(contract_check(&c, &count), 0);
    definition_destroy(d);
    schema_destroy(was);
    schema_destroy(now);
    return count;
}

static void check(const char *text, const char *target, const struct parts *next, unsigned calls)
{
    ck_assert_uint_eq(compared(text, target, schema_of(&as_registered), schema_of(next)), calls);
}

START_TEST(contract__every_rule_of_the_wire)
{
    static const struct {
        struct parts next;
        const char *told; /* of the target t */
    } cases[] = {
        {{.request = NULL}, ""},
        {{.request = ID COUNT SUB NOTES KIND EITHER UNUSED FIELD("new", "9", "9")}, ""},
        {{.request = COUNT SUB NOTES KIND EITHER UNUSED},
         "!field-removed 0: p.Req.id (1) is gone; the action of first sets it\n"
         "!field-removed 0': p.Req.id (1) is gone; the compensation of first sets it\n"},
        {{.request = ID COUNT SUB NOTES KIND EITHER},
         "field-removed 0: p.Req.spare (8) is gone, and its number may be used again: reserve it; it is not used here\n"
         "field-removed 0': p.Req.spare (8) is gone, and its number may be used again: reserve it; it is not used "
         "here\n"},
        {{.request = ID COUNT SUB NOTES KIND EITHER "9:{1:8 2:9}"}, ""},
        {{.request = FIELD("id", "9", "9") COUNT SUB NOTES KIND EITHER UNUSED},
         "!field-renumbered 0: p.Req.id was number 1 and is 9 now; the action of first sets it\n"
         "!field-renumbered 0': p.Req.id was number 1 and is 9 now; the compensation of first sets it\n"},
        {{.request = FIELD("n", "1", "9") FIELD("id", "2", "5") SUB NOTES KIND EITHER UNUSED},
         "!field-renumbered 0: p.Req.id was number 1, which is n now; the action of first sets it\n"
         "!field-renumbered 0: p.Req.n was number 2, which is id now; the action of first sets it\n"
         "!field-renumbered 0': p.Req.id was number 1, which is n now; the compensation of first sets it\n"
         "field-renumbered 0': p.Req.n was number 2, which is id now; it is not used here\n"},
        {{.request = FIELD("key", "1", "9") COUNT SUB NOTES KIND EITHER UNUSED},
         "field-renamed 0: p.Req.id (1) is called key now; the action of first sets it\n"
         "field-renamed 0': p.Req.id (1) is called key now; the compensation of first sets it\n"},
        {{.request = ID FIELD("n", "2", "3") SUB NOTES KIND EITHER UNUSED}, ""},
        {{.request = ID FIELD("n", "2", "8") SUB NOTES KIND EITHER UNUSED},
         "field-type 0: p.Req.n (2) was int32 and is bool now, which does not hold all values; the action of first "
         "sets it\n"
         "field-type 0': p.Req.n (2) was int32 and is bool now, which does not hold all values; it is not used here\n"},
        {{.request = ID FIELD("n", "2", "17") SUB NOTES KIND EITHER UNUSED},
         "!field-type 0: p.Req.n (2) was int32 and is sint32 now; the action of first sets it\n"
         "field-type 0': p.Req.n (2) was int32 and is sint32 now; it is not used here\n"},
        {{.request = ID COUNT SUB NOTES KIND EITHER FIELD("spare", "8", "9")},
         "field-type 0: p.Req.spare (8) was int64 and is string now; it is not used here\n"
         "field-type 0': p.Req.spare (8) was int64 and is string now; it is not used here\n"},
        {{.request = FIELD("id", "1", "12") COUNT SUB NOTES KIND EITHER UNUSED}, ""},
        {{.request = "2:{1:'id' 3:1 4:3 5:9} " COUNT SUB NOTES KIND EITHER UNUSED},
         "!field-cardinality 0: p.Req.id (1) was a single value and is a list now; the action of first sets it\n"
         "!field-cardinality 0': p.Req.id (1) was a single value and is a list now; the compensation of first sets "
         "it\n"},
        {{.request = ID COUNT SUB FIELD("notes", "4", "9") KIND EITHER UNUSED},
         "!field-cardinality 0: p.Req.notes (4) was a list and is a single value now; the action of first sets it\n"
         "field-cardinality 0': p.Req.notes (4) was a list and is a single value now; it is not used here\n"},
        {{.request = ID COUNT SUB NOTES KIND FIELD("a", "6", "9") FIELD("b", "7", "9") UNUSED},
         "!field-oneof 0: p.Req.a (6) is in no oneof any more; the action of first sets it\n"
         "field-oneof 0: p.Req.b (7) is in no oneof any more; it is not used here\n"
         "field-oneof 0': p.Req.a (6) is in no oneof any more; it is not used here\n"
         "field-oneof 0': p.Req.b (7) is in no oneof any more; it is not used here\n"},
        {{.request =
              ID COUNT SUB NOTES KIND "2:{1:'a' 3:6 4:1 5:9 9:0} 2:{1:'b' 3:7 4:1 5:9 9:0} 8:{1:'other'} " UNUSED},
         ""},
        {{.request = ID COUNT SUB NOTES KIND
          "2:{1:'a' 3:6 4:1 5:9 9:1} 2:{1:'b' 3:7 4:1 5:9 9:0} 8:{1:'o'} 8:{1:'q'} " UNUSED},
         "!field-oneof 0: p.Req.a (6) is in another oneof now; the action of first sets it\n"
         "field-oneof 0': p.Req.a (6) is in another oneof now; it is not used here\n"},
        {{.request = ID COUNT SUB NOTES KIND "2:{1:'a' 3:6 4:1 5:9 9:0} 8:{1:'other'} " UNUSED},
         "!field-oneof 0: p.Req.a (6) is in another oneof now; the action of first sets it\n"
         "field-removed 0: p.Req.b (7) is gone, and its number may be used again: reserve it; it is not used here\n"
         "field-oneof 0': p.Req.a (6) is in another oneof now; it is not used here\n"
         "field-removed 0': p.Req.b (7) is gone, and its number may be used again: reserve it; it is not used here\n"},
        {{.request = "2:{1:'id' 3:1 4:1 5:9 9:1} " COUNT SUB NOTES KIND EITHER "8:{1:'q'} " UNUSED},
         "!field-oneof 0: p.Req.id (1) is in a oneof now; the action of first sets it\n"
         "!field-oneof 0': p.Req.id (1) is in a oneof now; the compensation of first sets it\n"},
        {{.sub = FIELD("x", "1", "9")},
         "field-removed 0: p.Sub.y (2) is gone, and its number may be used again: reserve it; it is not used here\n"
         "field-removed 0: p.Sub.y (2) is gone, and its number may be used again: reserve it; it is not used here\n"},
        {{.sub = FIELD("y", "2", "9")},
         "!field-removed 0: p.Sub.x (1) is gone; the action of first sets it\n"
         "!field-removed 0: p.Sub.x (1) is gone; output reads it\n"},
        {{.values = "2:{1:'ZERO' 2:0} 2:{1:'ONE' 2:1} "},
         "!enum-value-removed 0: p.Kind.TWO (2), of p.Req.kind, is gone; the action of first sets it\n"
         "!enum-value-removed 0: p.Kind.TWO (2), of p.Ans.kind, is gone; when of second reads it\n"},
        {{.values = "2:{1:'ZERO' 2:0} 2:{1:'ONE' 2:1} 4:{1:2 2:2}"},
         "enum-value-removed 0: p.Kind.TWO (2), of p.Req.kind, is gone and reserved; the action of first sets it\n"
         "enum-value-removed 0: p.Kind.TWO (2), of p.Ans.kind, is gone and reserved; when of second reads it\n"},
        {{.values = VALUES "2:{1:'NEW' 2:3} "}, ""},
        {{.answer = FIELD("ref", "1", "9") FIELD("left", "2", "3") SUB
          "2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} " FIELD("spare", "5", "3")},
         "field-type 0: p.Ans.left (2) was int32 and is int64 now, which does not hold all values; when of second "
         "reads it\n"},
        {{.answer = FIELD("ref", "1", "9") FIELD("left", "2", "9") SUB
          "2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} " FIELD("spare", "5", "3")},
         "!field-type 0: p.Ans.left (2) was int32 and is string now; when of second reads it\n"},
        {{.answer = FIELD("left", "2", "5") SUB "2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} " FIELD("spare", "5", "3")},
         "field-removed 0: p.Ans.ref (1) is gone, and its number may be used again: reserve it; it is not used here\n"},
        {{.answer = FIELD("ref", "1", "9") SUB "2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} " FIELD("spare", "5", "3")},
         "!field-removed 0: p.Ans.left (2) is gone; when of second reads it\n"},
        {{.service = METHOD("Do", "")}, "!method-removed 0': /p.S/Undo is not there any more\n"},
        {{.service = METHOD("Undo", "")}, "!method-removed 0: /p.S/Do is not there any more\n"},
        {{.service = METHOD("Do", "6:1") METHOD("Undo", "5:1")},
         "!method-streams 0: /p.S/Do is a method of streams now\n"
         "!method-streams 0': /p.S/Undo is a method of streams now\n"},
        {{.service = "2:{1:'Do' 2:'.p.Sub' 3:'.p.Sub'} 2:{1:'Undo' 2:'.p.Sub' 3:'.p.Sub'}"},
         "!method-type 0: /p.S/Do takes p.Sub now, and not p.Req\n"
         "!method-type 0: /p.S/Do answers p.Sub now, and not p.Ans\n"
         "!method-type 0': /p.S/Undo takes p.Sub now, and not p.Req\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(definition, "t", &cases[i].next, 2);
        ck_assert_msg(strcmp(told, cases[i].told) == 0, "%s\nand not\n%s", told, cases[i].told);
    }
}
END_TEST

/* Of a target its own calls; without one, all whose service is there. */
START_TEST(contract__looks_at_the_calls_that_are_asked_about)
{
    static const struct parts less = {.request = COUNT SUB NOTES KIND EITHER UNUSED},
                              less_within = {.sub = FIELD("x", "1", "9")}, gone = {.service = METHOD("Else", "")};
    check(definition, NULL, &less, 3);
    ck_assert_str_eq(told, "!field-removed 0: p.Req.id (1) is gone; the action of first sets it\n"
                           "!field-removed 0': p.Req.id (1) is gone; the compensation of first sets it\n"
                           "!field-removed 1: p.Req.id (1) is gone; the action of second sets it\n");
    check(definition, "u", &less, 1);
    ck_assert_str_eq(told, "!field-removed 1: p.Req.id (1) is gone; the action of second sets it\n");
    check(definition, "none", &less, 0);
    ck_assert_str_eq(told, "");
    /* What is sent whole uses all that is within it. */
    check(definition, "u", &less_within, 1);
    ck_assert_str_eq(told,
                     "!field-removed 1: p.Sub.y (2) is gone; the action of second sets it\n"
                     "field-removed 1: p.Sub.y (2) is gone, and its number may be used again: reserve it; it is not "
                     "used here\n");
    check(definition, "u", &gone, 1);
    ck_assert_str_eq(told, "!method-removed 1: /p.S/Do is not there any more\n");
    static const struct parts elsewhere = {.service = METHOD("Do", "") "} 6:{1:'T' " METHOD("Do", "")};
    check("name: n\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/Gone}\n  - {name: b, after: [a], "
          "target: t, "
          "action: /q.X/Do}\n",
          NULL, &elsewhere, 1);
    ck_assert_str_eq(told, "!method-removed 0: /p.S/Gone is not there any more\n");
    check("name: n\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /q.X/Do}\n", "t", &elsewhere, 1);
    ck_assert_str_eq(told, "!method-removed 0: /q.X/Do is not there any more\n");
}
END_TEST

/* An answer that is handed on is read whole, a constant sets what is in it, and each expression has its place. */
START_TEST(contract__knows_what_is_used_and_where)
{
#define HEAD "name: n\nversion: 1.0.0\nschema: s\ninput: p.Req\n"
#define FIRST \
    "steps:\n  - {name: first, target: t, compensation: none, action: {method: /p.S/Do, request: {id: =input.id}}"
    static const struct parts no_ref = {.answer = FIELD("left", "2", "5") SUB
                                        "2:{1:'kind' 3:4 4:1 5:14 6:'.p.Kind'} " FIELD("spare", "5", "3")},
                              no_x = {.sub = FIELD("y", "2", "9")}, no_n = {.request = ID SUB NOTES KIND EITHER UNUSED};
    static const struct {
        const char *text;
        const struct parts *next;
        const char *told;
    } cases[] = {
        {HEAD FIRST "}\n", &no_ref,
         "field-removed 0: p.Ans.ref (1) is gone, and its number may be used again: reserve it; it is not used here\n"},
        {HEAD "output: {r: =steps.first.output.ref}\n" FIRST "}\n", &no_ref,
         "!field-removed 0: p.Ans.ref (1) is gone; output reads it\n"},
        {HEAD FIRST ", expect: [{that: action.output.ref != '', else: no}]}\n", &no_ref,
         "!field-removed 0: p.Ans.ref (1) is gone; expect of first reads it\n"},
        {HEAD FIRST "}\n  - {name: b, after: [first], target: u, compensation: none, when: steps.first.output.ref != "
                    "'', action: {method: /p.S/Do, "
                    "request: {id: x}}}\n",
         &no_ref, "!field-removed 0: p.Ans.ref (1) is gone; when of b reads it\n"},
        {HEAD FIRST "}\n  - {name: b, after: [first], target: u, compensation: none, metadata: {m: "
                    "=steps.first.output.ref}, action: "
                    "{method: /p.S/Do, request: {id: x}}}\n",
         &no_ref, "!field-removed 0: p.Ans.ref (1) is gone; metadata of b reads it\n"},
        {HEAD FIRST "}\n  - {name: b, after: [first], target: {oneof: [u, v], by: steps.first.output.ref}, "
                    "compensation: none, action: "
                    "{method: /p.S/Do, request: {id: x}}}\n",
         &no_ref, "!field-removed 0: p.Ans.ref (1) is gone; the target of b reads it\n"},
        {HEAD FIRST
         "}\n  - {name: b, after: [first], target: u, action: {method: /p.S/Do, request: {id: x}}, compensation: "
         "{method: /p.S/Undo, request: {id: =steps.first.output.ref}}}\n",
         &no_ref, "!field-removed 0: p.Ans.ref (1) is gone; the compensation of b reads it\n"},
        {HEAD FIRST "}\n  - {name: b, after: [first], target: u, compensation: none, action: {method: /p.S/Give, "
                    "request: {output: "
                    "first}}}\n",
         &no_ref, "!field-removed 0: p.Ans.ref (1) is gone; the action of b reads it\n"},
        {HEAD "steps:\n  - {name: first, target: t, action: {method: /p.S/Do, request: {id: =input.id}}, compensation: "
              "{target: u, method: "
              "/p.S/Give, request: own_output}}\n",
         &no_ref, "!field-removed 0: p.Ans.ref (1) is gone; the compensation of first reads it\n"},
        {HEAD
         "let: {l: =input.sub}\n" FIRST
         "}\n  - {name: b, after: [first], target: t, compensation: none, action: {method: /p.S/Do, request: {sub: "
         "=l}}}\n",
         &no_x, "!field-removed 1: p.Sub.x (1) is gone; the action of b sets it\n"},
        {HEAD "steps:\n  - {name: first, target: t, compensation: none, action: {method: /p.S/Do, request: "
              "{constant_base64: "
              "EAU=}}}\n",
         &no_n, "!field-removed 0: p.Req.n (2) is gone; the action of first sets it\n"},
        /* sub: {x: a}, and sub: {y: a} */
        {HEAD "steps:\n  - {name: first, target: t, compensation: none, action: {method: /p.S/Do, request: "
              "{constant_base64: GgMKAWE=}}}\n",
         &no_x, "!field-removed 0: p.Sub.x (1) is gone; the action of first sets it\n"},
        {HEAD "steps:\n  - {name: first, target: t, compensation: none, action: {method: /p.S/Do, request: "
              "{constant_base64: GgMSAWE=}}}\n",
         &no_x,
         "field-removed 0: p.Sub.x (1) is gone, and its number may be used again: reserve it; it is not used here\n"},
        {HEAD "steps:\n  - {name: first, target: t, compensation: none, action: {method: /p.S/Do, request: "
              "{constant_base64: "
              "CgF4}}}\n",
         &no_n,
         "field-removed 0: p.Req.n (2) is gone, and its number may be used again: reserve it; it is not used here\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(cases[i].text, "t", cases[i].next,
              strstr(cases[i].text, "name: b, after: [first], target: t") != NULL ? 2 : 1);
        ck_assert_msg(strcmp(told, cases[i].told) == 0, "%s\n%s", cases[i].text, told);
    }
#undef HEAD
#undef FIRST
}
END_TEST

/* Who uses a map uses the keys and the values in it. */
START_TEST(contract__a_map_is_used_with_all_that_is_in_it)
{
#define MAP(type) \
    ID "2:{1:'m' 3:10 4:3 5:11 6:'.p.Req.MEntry'} " \
       "3:{1:'MEntry' " FIELD("key", "1", "9") FIELD("value", "2", type) "7:{7:1}}"
    static const char text[] = "name: n\nversion: 1.0.0\nschema: s\ninput: p.Req\nsteps:\n"
                               "  - {name: first, target: t, compensation: none, action: {method: /p.S/Do, request: "
                               "{id: x%s}}}\n";
    static const struct {
        const char *more, *told;
    } cases[] = {
        {", m: =input.m", "!field-type 0: p.Req.MEntry.value (2) was int32 and is string now; the action of first sets "
                          "it\n"},
        {", m: {k: 5}", "!field-type 0: p.Req.MEntry.value (2) was int32 and is string now; the action of first sets "
                        "it\n"},
        {"", ""},
    };
    static const struct parts was = {.request = MAP("5")}, now = {.request = MAP("9")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char whole[512];
        snprintf(whole, sizeof whole, text, cases[i].more);
        ck_assert_uint_eq(compared(whole, "t", schema_of(&was), schema_of(&now)), 1);
        ck_assert_msg(strcmp(told, cases[i].told) == 0, "%s\n%s", whole, told);
    }
#undef MAP
}
END_TEST

/* What a reader makes of what a writer of another kind has written: all of it, all but some values, or nothing sensible. */
START_TEST(contract__kinds_are_read_as_one_another)
{
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
        SFIXED32 = 15,
        SFIXED64,
        SINT32,
        SINT64
    };
    static const struct {
        int writer, reader;
        char read; /* '=': all; '<': fewer values; '!': not at all */
    } cases[] = {
        {INT32, INT64, '='},      {INT64, INT32, '<'},      {UINT32, UINT64, '='},   {UINT64, UINT32, '<'},
        {UINT32, INT64, '='},     {INT64, UINT32, '<'},     {INT32, UINT32, '<'},    {UINT32, INT32, '<'},
        {INT64, UINT64, '<'},     {UINT64, INT64, '<'},     {INT32, UINT64, '<'},    {UINT64, INT32, '<'},
        {BOOL, INT32, '='},       {INT32, BOOL, '<'},       {BOOL, UINT64, '='},     {SINT32, SINT64, '='},
        {SINT64, SINT32, '<'},    {SINT32, INT32, '!'},     {INT64, SINT64, '!'},    {FIXED32, SFIXED32, '<'},
        {SFIXED32, FIXED32, '<'}, {FIXED64, SFIXED64, '<'}, {FIXED32, FIXED64, '!'}, {FIXED32, UINT32, '!'},
        {FLOAT, FIXED32, '!'},    {DOUBLE, FIXED64, '!'},   {FLOAT, DOUBLE, '!'},    {STRING, BYTES, '='},
        {BYTES, STRING, '!'},     {INT32, STRING, '!'},     {DOUBLE, INT64, '!'},
    };
    static const char text[] =
        "name: n\nversion: 1.0.0\nschema: s\ninput: p.In\nsteps:\n  - {name: a, target: t, compensation: none, action: "
        "{method: /p.S/Do, request: {f: =input.f}}}\noutput: {o: \"=has(steps.a.output.f) ? 'x' : ''\"}\n";
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        /* We write the request and read the answer. */
        bool request = i % 2 == 0;
        int was = request ? cases[i / 2].writer : cases[i / 2].reader,
            now = request ? cases[i / 2].reader : cases[i / 2].writer;
        struct schema *sets[2];
        for (int k = 0; k < 2; k++) {
            char set[512];
            snprintf(
                set, sizeof set,
                "1:{1:'a.proto' 2:'p' 4:{1:'In' 2:{1:'f' 3:1 4:1 5:%d}} 4:{1:'Req' 2:{1:'f' 3:1 4:1 5:%d}} 4:{1:'Ans' "
                "2:{1:'f' 3:1 4:1 5:%d}} 6:{1:'S' 2:{1:'Do' 2:'.p.Req' 3:'.p.Ans'}} 12:'proto3'}",
                was, request && k == 1 ? now : was, !request && k == 1 ? now : was);
            sets[k] = read_set(set);
        }
        ck_assert_uint_eq(compared(text, NULL, sets[0], sets[1]), 1);
        char read = told[0] == '\0' ? '=' : told[0] == '!' ? '!' : '<';
        ck_assert_msg(read == cases[i / 2].read, "%d written, %d read, %s: %c %s", cases[i / 2].writer,
                      cases[i / 2].reader, request ? "request" : "answer", read, told);
        ck_assert((strstr(told, ", which does not hold all values") != NULL) == (read == '<'));
    }
}
END_TEST

/* proto2: what the participant wants to have now, and is not sent. */
START_TEST(contract__what_is_required_has_to_be_set)
{
    static const char form[] = "1:{1:'a.proto' 2:'p' 4:{1:'Req' %s} 6:{1:'S' 2:{1:'Do' 2:'.p.Req' 3:'.p.Req'}}}";
    static const struct {
        const char *fields, *told;
    } next[] = {
        {"2:{1:'id' 3:1 4:2 5:9} 2:{1:'n' 3:2 4:1 5:5} ", ""},
        {"2:{1:'id' 3:1 4:1 5:9} 2:{1:'n' 3:2 4:2 5:5} ",
         "!field-required 0: p.Req.n (2) is required now, and nothing sets it\n"},
        {"2:{1:'id' 3:1 4:1 5:9} 2:{1:'n' 3:2 4:1 5:5} 2:{1:'more' 3:3 4:2 5:5} ",
         "!field-required 0: p.Req.more (3) is required now, and nothing sets it\n"},
    };
    for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
        char was[512], now[512];
        snprintf(was, sizeof was, form, "2:{1:'id' 3:1 4:1 5:9} 2:{1:'n' 3:2 4:1 5:5} ");
        snprintf(now, sizeof now, form, next[i].fields);
        ck_assert_uint_eq(compared("name: n\nversion: 1.0.0\nschema: s\ninput: p.Req\nsteps:\n  - {name: a, target: t, "
                                   "compensation: none, "
                                   "action: {method: /p.S/Do, request: {id: =input.id}}}\n",
                                   NULL, read_set(was), read_set(now)),
                          1);
        ck_assert_str_eq(told, next[i].told);
        /* Who hands on a message sets all that was in it, and nothing that is new. */
        ck_assert_uint_eq(compared("name: n\nversion: 1.0.0\nschema: s\ninput: p.Req\nsteps:\n  - {name: a, target: t, "
                                   "compensation: none, action: /p.S/Do}\n",
                                   NULL, read_set(was), read_set(now)),
                          1);
        ck_assert_str_eq(told, i == 2 ? next[i].told : "");
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("contract");
    Suite *s = suite_create("contract_rules");
    tcase_add_test(c, contract__every_rule_of_the_wire);
    tcase_add_test(c, contract__looks_at_the_calls_that_are_asked_about);
    tcase_add_test(c, contract__kinds_are_read_as_one_another);
    tcase_add_test(c, contract__what_is_required_has_to_be_set);
    tcase_add_test(c, contract__knows_what_is_used_and_where);
    tcase_add_test(c, contract__a_map_is_used_with_all_that_is_in_it);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
