#include "tests/support/made_messages.h"

#include "sidecar/base/check.h"
#include "tests/support/by_chance.h"
#include "tests/support/shapes.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 20

static const struct schema *schema;
static unsigned known, unknown;

static struct made *level(unsigned depth)
{
    static struct made *levels[16];
    CHECK(depth < 16);
    if (levels[depth] == NULL)
        levels[depth] = malloc(sizeof *levels[depth]);
    struct made *m = levels[depth];
    m->wire.size = m->json.size = m->loose_wire.size = m->loose_json.size = m->half = 0;
    return m;
}

static void make_message(struct made *m, const struct message_type *type, unsigned depth);

/* Those of times, of which the text is known. */
static const struct {
    enum well_known type;
    int64_t seconds, nanos;
    const char *json, *loose;
} times[] = {
    {WELL_KNOWN_TIMESTAMP, 0, 0, "\"1970-01-01T00:00:00Z\"", "\"1970-01-01T01:00:00+01:00\""},
    {WELL_KNOWN_TIMESTAMP, 1709251199, 120000000, "\"2024-02-29T23:59:59.120Z\"", "\"2024-02-29T23:59:59.12Z\""},
    {WELL_KNOWN_TIMESTAMP, -62135596800, 1, "\"0001-01-01T00:00:00.000000001Z\"", "\"0001-01-01T00:00:00.000000001Z\""},
    {WELL_KNOWN_TIMESTAMP, -1, 999999000, "\"1969-12-31T23:59:59.999999Z\"", "\"1969-12-31T23:58:59.999999-00:01\""},
    {WELL_KNOWN_DURATION, 0, 0, "\"0s\"", "\"0.0s\""},
    {WELL_KNOWN_DURATION, -1, -500000000, "\"-1.500s\"", "\"-1.5s\""},
    {WELL_KNOWN_DURATION, 0, -7, "\"-0.000000007s\"", "\"-0.000000007s\""},
    {WELL_KNOWN_DURATION, 315576000000, 0, "\"315576000000s\"", "\"315576000000.000s\""},
};

static void wire_of_time(struct made_text *t, int64_t seconds, int64_t nanos)
{
    if (seconds != 0) {
        made_varint(t, 1 << 3);
        made_varint(t, (uint64_t)seconds);
    }
    if (nanos != 0) {
        made_varint(t, 2 << 3);
        made_varint(t, (uint64_t)nanos);
    }
}

/* Both JSON forms of a well-known type, and its wire; false when it is none that stands for itself. */
static bool make_known(struct made *m, const struct message_type *type, unsigned depth)
{
    static const char *const masks[][3] = {{"", "\"\"", ""}, {"a_b.c", "\"aB.c\"", ""}, {"x", "\"x,yZ\"", "y_z"}};
    unsigned i;
    switch (type->well_known) {
    case WELL_KNOWN_TIMESTAMP:
    case WELL_KNOWN_DURATION:
        do
            i = by_chance(sizeof times / sizeof *times);
        while (times[i].type != type->well_known);
        wire_of_time(&m->wire, times[i].seconds, times[i].nanos);
        made_say(&m->json, times[i].json);
        made_say(&m->loose_json, times[i].loose);
        known += (times[i].seconds != 0) + (times[i].nanos != 0);
        break;
    case WELL_KNOWN_FIELD_MASK:
        i = by_chance(3);
        for (unsigned k = 0; k < 3; k += 2)
            if (masks[i][k][0] != '\0') {
                made_varint(&m->wire, 1 << 3 | 2);
                made_varint(&m->wire, strlen(masks[i][k]));
                made_say(&m->wire, masks[i][k]);
                known++;
            }
        made_say(&m->json, masks[i][1]);
        made_say(&m->loose_json, masks[i][1]);
        break;
    case WELL_KNOWN_WRAPPER: {
        static struct made_scalar s;
        made_scalar(&s, &type->fields[0]);
        if (!s.zero)
            made_field(&m->wire, &type->fields[0], &s);
        known += !s.zero;
        made_put(&m->json, s.json.at, s.json.size);
        made_put(&m->loose_json, s.loose.at, s.loose.size);
        break;
    }
    case WELL_KNOWN_ANY: {
        static const char url[] = "type.googleapis.com/shapes.Line";
        struct made *line = level(depth + 1);
        unsigned before = known, unknown_before = unknown;
        make_message(line, shapes_type(schema, "Line"), depth + 1);
        known = before; /* its bytes are no message to who counts */
        unknown = unknown_before;
        made_varint(&m->wire, 1 << 3 | 2);
        made_varint(&m->wire, sizeof url - 1);
        made_say(&m->wire, url);
        known++;
        if (line->wire.size > 0) {
            made_varint(&m->wire, 2 << 3 | 2);
            made_varint(&m->wire, line->wire.size);
            made_put(&m->wire, line->wire.at, line->wire.size);
            known++;
        }
        for (unsigned k = 0; k < 2; k++) {
            struct made_text *t = k == 0 ? &m->json : &m->loose_json;
            made_say(t, "{\"@type\":\"");
            made_say(t, url);
            made_say(t, line->json.size > 2 ? "\"," : "\"");
            made_put(t, line->json.at + 1, line->json.size - 1);
        }
        break;
    }
    default:
        return false;
    }
    m->loose_wire.size = 0;
    made_put(&m->loose_wire, m->wire.at, m->wire.size);
    return true;
}

/* google.protobuf.Value, and with it lists and structs, whose keys are in order. */
static void make_json(struct made *m, const struct message_type *type, unsigned depth)
{
    const struct field *f =
        type->well_known == WELL_KNOWN_VALUE ? &type->fields[by_chance(depth > 6 ? 4 : 6)] : &type->fields[0];
    struct made *sub = level(depth + 1);
    if (type->well_known != WELL_KNOWN_VALUE) {
        bool list = type->well_known == WELL_KNOWN_LIST_VALUE;
        const struct message_type *value = list ? f->message : f->message->fields[1].message;
        for (unsigned k = 0; k < 2; k++)
            made_say(k == 0 ? &m->json : &m->loose_json, list ? "[" : "{");
        for (unsigned i = 0, count = by_chance(4); i < count; i++) {
            char key[] = {(char)('a' + i), 0};
            sub = level(depth + 1);
            make_json(sub, value, depth + 1);
            made_tag(&m->wire, f, 2);
            made_varint(&m->wire, sub->wire.size + (list ? 0 : 5 + (sub->wire.size > 0x7f)));
            known += list ? 1 : 3;
            if (!list) {
                made_put(&m->wire, "\x0a\x01", 2);
                made_say(&m->wire, key);
                made_put(&m->wire, "\x12", 1);
                made_varint(&m->wire, sub->wire.size);
            }
            made_put(&m->wire, sub->wire.at, sub->wire.size);
            for (unsigned k = 0; k < 2; k++) {
                struct made_text *t = k == 0 ? &m->json : &m->loose_json;
                made_say(t, i > 0 ? "," : "");
                if (k == 1)
                    made_white(t);
                made_say(t, list ? "" : "\"");
                made_say(t, list ? "" : key);
                made_say(t, list ? "" : "\":");
                made_put(t, k == 0 ? sub->json.at : sub->loose_json.at, k == 0 ? sub->json.size : sub->loose_json.size);
            }
        }
        for (unsigned k = 0; k < 2; k++)
            made_say(k == 0 ? &m->json : &m->loose_json, list ? "]" : "}");
    } else if (f->kind == FIELD_MESSAGE) {
        make_json(sub, f->message, depth + 1);
        made_tag(&m->wire, f, 2);
        made_varint(&m->wire, sub->wire.size);
        made_put(&m->wire, sub->wire.at, sub->wire.size);
        made_put(&m->json, sub->json.at, sub->json.size);
        made_put(&m->loose_json, sub->loose_json.at, sub->loose_json.size);
        known++;
    } else {
        static struct made_scalar s;
        do
            made_scalar(&s, f);
        while (f->kind == FIELD_DOUBLE && s.json.at[0] == '"');
        if (f->kind == FIELD_ENUM)
            s.bits = 0;
        made_field(&m->wire, f, &s);
        for (unsigned k = 0; k < 2; k++)
            if (f->kind == FIELD_ENUM)
                made_say(k == 0 ? &m->json : &m->loose_json, "null");
            else
                made_put(k == 0 ? &m->json : &m->loose_json, s.json.at, s.json.size);
        known++;
    }
    m->loose_wire.size = 0;
    made_put(&m->loose_wire, m->wire.at, m->wire.size);
}

/* What one field adds: to the canonical forms at their ends, to the loose ones as pieces that may change places. */
struct piece {
    struct made_text wire, json;
};

static void key_of(struct made_text *json, const struct field *f, bool loose)
{
    struct bytes name = loose && by_chance(2) ? f->name : f->json_name;
    made_say(json, "\"");
    made_put(json, name.at, name.size);
    made_say(json, "\":");
}

static void make_item(struct made *m, struct piece *p, const struct field *f, unsigned depth, bool first)
{
    struct made *sub = level(depth + 1);
    make_message(sub, f->message, depth + 1);
    made_tag(&m->wire, f, 2);
    made_varint(&m->wire, sub->wire.size);
    made_put(&m->wire, sub->wire.at, sub->wire.size);
    known++;
    if (!f->repeated && sub->half > 0 && by_chance(2)) {
        known++;
        made_tag(&p->wire, f, 2);
        made_varint(&p->wire, sub->half);
        made_put(&p->wire, sub->loose_wire.at, sub->half);
        made_tag(&p->wire, f, 2);
        made_varint(&p->wire, sub->loose_wire.size - sub->half);
        made_put(&p->wire, sub->loose_wire.at + sub->half, sub->loose_wire.size - sub->half);
    } else {
        made_tag(&p->wire, f, 2);
        made_varint(&p->wire, sub->loose_wire.size);
        made_put(&p->wire, sub->loose_wire.at, sub->loose_wire.size);
    }
    made_say(&m->json, first ? "" : ",");
    made_put(&m->json, sub->json.at, sub->json.size);
    made_say(&p->json, first ? "" : ",");
    made_white(&p->json);
    made_put(&p->json, sub->loose_json.at, sub->loose_json.size);
    made_white(&p->json);
}

static void make_list(struct made *m, struct piece *p, const struct field *f, unsigned depth)
{
    static struct made_scalar items[4];
    unsigned count = 1 + by_chance(4), from = 0;
    made_say(&m->json, "[");
    made_say(&p->json, "[");
    for (unsigned i = 0; i < count && f->kind == FIELD_MESSAGE; i++)
        make_item(m, p, f, depth, i == 0);
    for (unsigned i = 0; i < count && f->kind != FIELD_MESSAGE; i++) {
        made_scalar(&items[i], f);
        made_say(&m->json, i > 0 ? "," : "");
        made_say(&p->json, i > 0 ? "," : "");
        made_put(&m->json, items[i].json.at, items[i].json.size);
        made_put(&p->json, items[i].loose.at, items[i].loose.size);
    }
    made_say(&m->json, "]");
    made_say(&p->json, "]");
    if (f->kind == FIELD_MESSAGE)
        return;
    /* Packed in pieces, or one by one. */
    for (unsigned k = 0; k < 2; k++)
        for (from = 0; from < count;) {
            static struct made_text packed;
            bool packs = made_wire(f->kind) != 2 && (k == 0 ? f->packed : by_chance(2) == 1);
            unsigned to = packs && k == 0 ? count : from + 1 + (packs ? by_chance(count - from) : 0);
            struct made_text *t = k == 0 ? &m->wire : &p->wire;
            packed.size = 0;
            for (unsigned i = from; i < to; i++)
                if (packs)
                    made_value(&packed, f, &items[i]);
                else
                    made_field(t, f, &items[i]);
            if (packs) {
                made_tag(t, f, 2);
                made_varint(t, packed.size);
                made_put(t, packed.at, packed.size);
            }
            known += k == 1;
            from = to;
        }
}

/* The keys "a", "b", ... or 1, 2, ..., in order; on the loose wire an entry that is there again, of which the last counts. */
static void make_map(struct made *m, struct piece *p, const struct field *f, unsigned depth)
{
    const struct field *key = &f->message->fields[0], *value = &f->message->fields[1];
    unsigned count = 1 + by_chance(3);
    made_say(&m->json, "{");
    made_say(&p->json, "{");
    for (unsigned i = 0; i < count; i++) {
        static struct made_scalar k, v, other;
        struct made *sub = level(depth + 1);
        static struct made_text entry, loose;
        char name[2] = {(char)((key->kind == FIELD_STRING ? 'a' : '1') + (int)i), 0};
        k.text.size = entry.size = loose.size = 0;
        made_say(&k.text, name);
        k.bits = i + 1;
        made_field(&entry, key, &k);
        made_field(&loose, key, &k);
        known += 3;
        if (value->kind == FIELD_MESSAGE) {
            make_message(sub, value->message, depth + 1);
            made_tag(&entry, value, 2);
            made_varint(&entry, sub->wire.size);
            made_put(&entry, sub->wire.at, sub->wire.size);
            made_tag(&loose, value, 2);
            made_varint(&loose, sub->loose_wire.size);
            made_put(&loose, sub->loose_wire.at, sub->loose_wire.size);
        } else {
            made_scalar(&v, value);
            made_scalar(&other, value);
            if (!v.zero)
                made_field(&entry, value, &v);
            if (by_chance(3) == 0) { /* its value came before, too */
                made_field(&loose, value, &other);
                known++;
            }
            made_field(&loose, value, &v);
        }
        made_tag(&m->wire, f, 2);
        made_varint(&m->wire, entry.size);
        made_put(&m->wire, entry.at, entry.size);
        made_tag(&p->wire, f, 2);
        made_varint(&p->wire, loose.size);
        made_put(&p->wire, loose.at, loose.size);
        for (unsigned n = 0; n < 2; n++) {
            struct made_text *t = n == 0 ? &m->json : &p->json;
            const struct made_text *is =
                value->kind == FIELD_MESSAGE ? (n == 0 ? &sub->json : &sub->loose_json) : (n == 0 ? &v.json : &v.loose);
            made_say(t, i > 0 ? ",\"" : "\"");
            made_say(t, name);
            made_say(t, "\":");
            made_put(t, is->at, is->size);
        }
    }
    made_say(&m->json, "}");
    made_say(&p->json, "}");
}

static void make_single(struct made *m, struct piece *p, const struct field *f)
{
    static struct made_scalar s, before;
    do
        made_scalar(&s, f);
    while (s.zero && !f->presence);
    made_scalar(&before, f);
    made_field(&m->wire, f, &s);
    if (by_chance(3) == 0) {
        made_field(&p->wire, f, &before);
        known++;
    }
    made_field(&p->wire, f, &s);
    known++;
    made_put(&m->json, s.json.at, s.json.size);
    made_put(&p->json, s.loose.at, s.loose.size);
}

/* Unknown fields of each wire type, a group with one within it among them. */
static void make_unknown(struct piece *p)
{
    static const char *const forms[] = {"\xc0\x3e\x05",
                                        "\xc1\x3e"
                                        "12345678",
                                        "\xc2\x3e\x02zz",
                                        "\xc5\x3e"
                                        "1234",
                                        "\xc3\x3e\x0a\x01y\xc4\x3e"};
    made_say(&p->wire, forms[by_chance(5)]);
    unknown++;
}

static void make_message(struct made *m, const struct message_type *type, unsigned depth)
{
    unsigned count = 0, order[FIELDS_MAX + 1];
    int chosen = -1; /* of its oneof, if it has one */
    if (make_known(m, type, depth))
        return;
    if (type->well_known == WELL_KNOWN_VALUE || type->well_known == WELL_KNOWN_STRUCT ||
        type->well_known == WELL_KNOWN_LIST_VALUE) {
        make_json(m, type, depth);
        return;
    }
    struct piece *pieces = malloc((FIELDS_MAX + 1) * sizeof *pieces);
    for (unsigned i = 0; i < type->field_count; i++)
        if (type->fields[i].oneof >= 0 && (chosen < 0 || by_chance(3) == 0))
            chosen = (int)i;
    made_say(&m->json, "{");
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        bool too_deep = f->kind == FIELD_MESSAGE && depth > 4;
        bool null = f->kind == FIELD_ENUM && strcmp((const char *)f->enumeration->name.at, "shapes.Color") != 0;
        if (by_chance(5) < 2 || too_deep || null || (f->oneof >= 0 && (int)i != chosen))
            continue;
        struct piece *p = &pieces[count];
        p->wire.size = p->json.size = 0;
        made_say(&m->json, count > 0 ? "," : "");
        key_of(&m->json, f, false);
        key_of(&p->json, f, true);
        made_white(&p->json);
        if (f->map)
            make_map(m, p, f, depth);
        else if (f->repeated)
            make_list(m, p, f, depth);
        else if (f->kind == FIELD_MESSAGE)
            make_item(m, p, f, depth, true);
        else
            make_single(m, p, f);
        order[count] = count;
        count++;
    }
    made_say(&m->json, "}");
    unsigned fields = count;
    if (by_chance(3) == 0) {
        pieces[count].wire.size = pieces[count].json.size = 0;
        make_unknown(&pieces[count]);
        order[count] = count;
        count++;
    }
    bool first = true;
    made_white(&m->loose_json);
    made_say(&m->loose_json, "{");
    for (unsigned left = count; left > 0; left--) {
        unsigned at = by_chance(left), i = order[at];
        order[at] = order[left - 1];
        made_put(&m->loose_wire, pieces[i].wire.at, pieces[i].wire.size);
        if (left - 1 == count / 2)
            m->half = m->loose_wire.size;
        if (i >= fields)
            continue;
        made_say(&m->loose_json, first ? "" : ",");
        made_white(&m->loose_json);
        made_put(&m->loose_json, pieces[i].json.at, pieces[i].json.size);
        first = false;
    }
    made_say(&m->loose_json, "}");
    m->half = m->half == m->loose_wire.size ? 0 : m->half;
    free(pieces);
}

const struct made *made_message(const struct schema *s, const struct message_type *type, unsigned *known_count,
                                unsigned *unknown_count)
{
    struct made *m = level(0);
    schema = s;
    known = unknown = 0;
    make_message(m, type, 0);
    *known_count = known;
    *unknown_count = unknown;
    return m;
}
