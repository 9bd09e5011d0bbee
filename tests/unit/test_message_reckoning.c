/* Messages against a second reckoning: made by chance, each is written at once on the wire and as JSON, as protobuf would, and again in other ways that mean the
 * same: fields in another order, said twice, in pieces, packed or not, with unknown ones between; names as in the .proto file, numbers in other words, white
 * space. Each form must become the one that it should, whichever way. Nothing but the tables of the types is shared with the room. */
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"
#include "tests/support/by_chance.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES   1500
#define FIELDS_MAX 20
#define TEXT_MAX   16384

struct text {
    size_t size;
    char at[TEXT_MAX];
};

/* One message in four forms. The loose wire may be cut behind `half` into two messages that are one together. */
struct made {
    struct text wire, json, loose_wire, loose_json;
    size_t half;
};

static struct schema *schema;
static struct pool pool;
static unsigned known, unknown; /* fields on the loose wire */

static struct made *level(unsigned depth)
{
    static struct made *levels[16];
    ck_assert_uint_lt(depth, 16);
    if (levels[depth] == NULL)
        levels[depth] = malloc(sizeof *levels[depth]);
    struct made *m = levels[depth];
    m->wire.size = m->json.size = m->loose_wire.size = m->loose_json.size = m->half = 0;
    return m;
}

static void put(struct text *t, const void *at, size_t size)
{
    ck_assert_uint_lt(t->size + size, sizeof t->at);
    memcpy(t->at + t->size, at, size);
    t->size += size;
}

static void say(struct text *t, const char *words)
{
    put(t, words, strlen(words));
}

static void varint(struct text *t, uint64_t n)
{
    do {
        char byte = (char)((n & 0x7f) | (n > 0x7f) << 7);
        put(t, &byte, 1);
    } while ((n >>= 7) > 0);
}

static void fixed(struct text *t, uint64_t n, unsigned size)
{
    for (; size > 0; size--, n >>= 8)
        put(t, &(char){(char)n}, 1);
}

static void white(struct text *t)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r"};
    say(t, spaces[by_chance(6)]);
}

/* ---- scalars ---- */

struct scalar {
    uint64_t bits; /* as the varint, or the fixed number, has them */
    struct text text;
    struct text json, loose; /* the same in other words */
    bool zero;
};

static unsigned wire_of(enum field_kind kind)
{
    switch (kind) {
    case FIELD_DOUBLE:
    case FIELD_FIXED64:
    case FIELD_SFIXED64:
        return 1;
    case FIELD_FLOAT:
    case FIELD_FIXED32:
    case FIELD_SFIXED32:
        return 5;
    case FIELD_STRING:
    case FIELD_BYTES:
    case FIELD_MESSAGE:
        return 2;
    default:
        return 0;
    }
}

/* The shortest digits that read back, plain while the exponent is small. */
static void double_as_json(struct text *t, double value, bool single)
{
    char out[40], plain[64];
    if (value - value != 0) {
        say(t, value != value ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    int precision = 0;
    do
        snprintf(out, sizeof out, "%.*e", precision, value);
    while ((single ? (double)strtof(out, NULL) : strtod(out, NULL)) != value && ++precision < 17);
    int exponent = atoi(strchr(out, 'e') + 1);
    if (value == 0) {
        snprintf(plain, sizeof plain, __builtin_signbit(value) ? "-0.0" : "0");
    } else if (exponent >= -5 && exponent < 21) {
        int places = precision - exponent;
        snprintf(plain, sizeof plain, "%.*f", places > 0 ? places : 0, places >= 0 ? value : 0.0);
        /* Behind the digits that count come zeros, and not what the number is exactly. */
        if (places < 0)
            snprintf(plain, sizeof plain, "%.*s%.*s%0*d", (int)(strcspn(out, ".e")), out, precision,
                     strchr(out, '.') == NULL ? "" : strchr(out, '.') + 1, -places, 0);
    } else {
        snprintf(plain, sizeof plain, "%s", out);
    }
    say(t, plain);
}

static void text_as_json(struct text *t, const struct text *of, bool loose)
{
    say(t, "\"");
    for (size_t i = 0; i < of->size; i++) {
        char out[8] = {of->at[i], 0};
        unsigned char c = (unsigned char)of->at[i];
        if (c == '\n' || c == '"' || c == '\\')
            snprintf(out, sizeof out, "\\%c", c == '\n' ? 'n' : c);
        if (c == 0x7f || (c < ' ' && c != '\n') || (loose && c < 0x80 && by_chance(4) == 0))
            snprintf(out, sizeof out, loose ? "\\u%04X" : "\\u%04x", c);
        if (loose && (c == '/' || c == '\b') && by_chance(2) == 0)
            snprintf(out, sizeof out, c == '/' ? "\\/" : "\\b");
        say(t, out);
    }
    say(t, "\"");
}

static void base64(struct text *t, const struct text *of, const char *last_two, bool padded)
{
    char letters[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    memcpy(letters + 62, last_two, 2);
    say(t, "\"");
    for (size_t i = 0; i < of->size; i += 3) {
        unsigned all = 0;
        for (size_t k = 0; k < 3; k++)
            all = all << 8 | (i + k < of->size ? (unsigned char)of->at[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            if (i + k <= of->size || k < 2)
                put(t, &letters[all >> (18 - 6 * k) & 63], 1);
            else if (padded)
                say(t, "=");
    }
    say(t, "\"");
}

static void integer(struct scalar *s, const char *digits, bool wide)
{
    char out[64];
    snprintf(out, sizeof out, wide ? "\"%s\"" : "%s", digits);
    say(&s->json, out);
    static const char *const forms[] = {"%s", "\"%s\"", "%s.0", "%s.00e0", "\"%s0E-1\""};
    char *at = strcpy(out, forms[by_chance(5)]), *sign = strstr(at, "%s");
    put(&s->loose, at, (size_t)(sign - at));
    say(&s->loose, digits);
    say(&s->loose, sign + 2);
}

static int64_t some_integer(int bits)
{
    static const int64_t edges[] = {1,     -1,        127,       128,       300,       -300, 16383,
                                    16384, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0};
    int64_t n =
        by_chance(2) ? edges[by_chance(13)] : (int64_t)(by_chance_draw() >> by_chance(60)) * (by_chance(2) ? 1 : -1);
    return bits == 32 ? (int32_t)n : n;
}

static double some_double(bool single)
{
    static const double edges[] = {1.5, -0.0, 0.1, 1e21, 123456789, 1e-7, 0.00001, 3.4e38, -1e20, 5e-324};
    double d = by_chance(2) ? edges[by_chance(10)] : (double)some_integer(64) / (double)(1 << by_chance(20));
    if (by_chance(8) == 0)
        d = by_chance(2) ? __builtin_inf() : by_chance(2) ? -__builtin_inf() : __builtin_nan("");
    return single ? (double)(float)d : d;
}

static void some_text(struct text *t, bool utf8)
{
    static const char *const pieces[] = {"a", "Zz", " ", "\"", "\\", "/", "\n", "\x7f", "\b", "é", "€", "𝄞", "b0"};
    for (unsigned i = by_chance(5); i > 0; i--)
        if (utf8)
            say(t, pieces[by_chance(13)]);
        else
            put(t, &(char){(char)by_chance_draw()}, 1);
}

static void make_scalar(struct scalar *s, const struct field *f)
{
    char digits[32];
    int64_t n;
    *s = (struct scalar){.zero = false};
    switch (f->kind) {
    case FIELD_DOUBLE:
    case FIELD_FLOAT: {
        double d = some_double(f->kind == FIELD_FLOAT);
        float single = (float)d;
        uint32_t small;
        memcpy(&s->bits, &d, sizeof d);
        memcpy(&small, &single, sizeof small);
        s->bits = f->kind == FIELD_FLOAT ? small : s->bits;
        s->zero = s->bits == 0;
        double_as_json(&s->json, d, f->kind == FIELD_FLOAT);
        bool quote = s->json.at[0] != '"' && by_chance(2);
        say(&s->loose, quote ? "\"" : "");
        put(&s->loose, s->json.at, s->json.size);
        say(&s->loose, quote ? "\"" : "");
        return;
    }
    case FIELD_BOOL:
        s->bits = by_chance(2);
        s->zero = s->bits == 0;
        say(&s->json, s->bits != 0 ? "true" : "false");
        say(&s->loose, s->bits != 0 ? "true" : "false");
        return;
    case FIELD_ENUM: {
        static const struct {
            int number;
            const char *name, *loose;
        } colors[] = {
            {0, "\"COLOR_NONE\"", "0"}, {1, "\"RED\"", "\"CRIMSON\""}, {-2, "\"BLUE\"", "-2"}, {77, "77", "\"77\""}};
        unsigned i = by_chance(4);
        s->bits = (uint64_t)(int64_t)colors[i].number;
        s->zero = i == 0;
        say(&s->json, colors[i].name);
        say(&s->loose, i == 3 ? colors[i].name : by_chance(2) ? colors[i].name : colors[i].loose);
        return;
    }
    case FIELD_STRING:
        some_text(&s->text, true);
        s->zero = s->text.size == 0;
        text_as_json(&s->json, &s->text, false);
        text_as_json(&s->loose, &s->text, true);
        return;
    case FIELD_BYTES:
        some_text(&s->text, false);
        s->zero = s->text.size == 0;
        base64(&s->json, &s->text, "+/", true);
        base64(&s->loose, &s->text, by_chance(2) ? "+/" : "-_", by_chance(2));
        return;
    case FIELD_UINT32:
    case FIELD_FIXED32:
    case FIELD_UINT64:
    case FIELD_FIXED64:
        s->bits = (uint64_t)some_integer(64);
        if (f->kind == FIELD_UINT32 || f->kind == FIELD_FIXED32)
            s->bits = (uint32_t)s->bits;
        snprintf(digits, sizeof digits, "%" PRIu64, s->bits);
        s->zero = s->bits == 0;
        integer(s, digits, f->kind == FIELD_UINT64 || f->kind == FIELD_FIXED64);
        return;
    default: {
        bool wide = f->kind == FIELD_INT64 || f->kind == FIELD_SINT64 || f->kind == FIELD_SFIXED64;
        n = some_integer(wide ? 64 : 32);
        snprintf(digits, sizeof digits, "%" PRIi64, n);
        s->zero = n == 0;
        bool zigzag = f->kind == FIELD_SINT32 || f->kind == FIELD_SINT64;
        s->bits = zigzag ? (n < 0 ? ~((uint64_t)n << 1) : (uint64_t)n << 1) : (uint64_t)n;
        integer(s, digits, wide);
    }
    }
}

static void put_value(struct text *t, const struct field *f, const struct scalar *s)
{
    switch (wire_of(f->kind)) {
    case 1:
        fixed(t, s->bits, 8);
        break;
    case 5:
        fixed(t, s->bits, 4);
        break;
    case 2:
        varint(t, s->text.size);
        put(t, s->text.at, s->text.size);
        break;
    default:
        varint(t, s->bits);
    }
}

static void tag(struct text *t, const struct field *f, unsigned wire)
{
    varint(t, (uint64_t)f->number << 3 | wire);
}

static void put_scalar(struct text *t, const struct field *f, const struct scalar *s)
{
    tag(t, f, wire_of(f->kind));
    put_value(t, f, s);
}

/* ---- messages ---- */

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

static void wire_of_time(struct text *t, int64_t seconds, int64_t nanos)
{
    if (seconds != 0) {
        varint(t, 1 << 3);
        varint(t, (uint64_t)seconds);
    }
    if (nanos != 0) {
        varint(t, 2 << 3);
        varint(t, (uint64_t)nanos);
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
        say(&m->json, times[i].json);
        say(&m->loose_json, times[i].loose);
        known += (times[i].seconds != 0) + (times[i].nanos != 0);
        break;
    case WELL_KNOWN_FIELD_MASK:
        i = by_chance(3);
        for (unsigned k = 0; k < 3; k += 2)
            if (masks[i][k][0] != '\0') {
                varint(&m->wire, 1 << 3 | 2);
                varint(&m->wire, strlen(masks[i][k]));
                say(&m->wire, masks[i][k]);
                known++;
            }
        say(&m->json, masks[i][1]);
        say(&m->loose_json, masks[i][1]);
        break;
    case WELL_KNOWN_WRAPPER: {
        static struct scalar s;
        make_scalar(&s, &type->fields[0]);
        if (!s.zero)
            put_scalar(&m->wire, &type->fields[0], &s);
        known += !s.zero;
        put(&m->json, s.json.at, s.json.size);
        put(&m->loose_json, s.loose.at, s.loose.size);
        break;
    }
    case WELL_KNOWN_ANY: {
        static const char url[] = "type.googleapis.com/shapes.Line";
        struct made *line = level(depth + 1);
        unsigned before = known, unknown_before = unknown;
        make_message(line, shapes_type(schema, "Line"), depth + 1);
        known = before; /* its bytes are no message to who counts */
        unknown = unknown_before;
        varint(&m->wire, 1 << 3 | 2);
        varint(&m->wire, sizeof url - 1);
        say(&m->wire, url);
        known++;
        if (line->wire.size > 0) {
            varint(&m->wire, 2 << 3 | 2);
            varint(&m->wire, line->wire.size);
            put(&m->wire, line->wire.at, line->wire.size);
            known++;
        }
        for (unsigned k = 0; k < 2; k++) {
            struct text *t = k == 0 ? &m->json : &m->loose_json;
            say(t, "{\"@type\":\"");
            say(t, url);
            say(t, line->json.size > 2 ? "\"," : "\"");
            put(t, line->json.at + 1, line->json.size - 1);
        }
        break;
    }
    default:
        return false;
    }
    m->loose_wire.size = 0;
    put(&m->loose_wire, m->wire.at, m->wire.size);
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
            say(k == 0 ? &m->json : &m->loose_json, list ? "[" : "{");
        for (unsigned i = 0, count = by_chance(4); i < count; i++) {
            char key[] = {(char)('a' + i), 0};
            sub = level(depth + 1);
            make_json(sub, value, depth + 1);
            tag(&m->wire, f, 2);
            varint(&m->wire, sub->wire.size + (list ? 0 : 5 + (sub->wire.size > 0x7f)));
            known += list ? 1 : 3;
            if (!list) {
                put(&m->wire, "\x0a\x01", 2);
                say(&m->wire, key);
                put(&m->wire, "\x12", 1);
                varint(&m->wire, sub->wire.size);
            }
            put(&m->wire, sub->wire.at, sub->wire.size);
            for (unsigned k = 0; k < 2; k++) {
                struct text *t = k == 0 ? &m->json : &m->loose_json;
                say(t, i > 0 ? "," : "");
                if (k == 1)
                    white(t);
                say(t, list ? "" : "\"");
                say(t, list ? "" : key);
                say(t, list ? "" : "\":");
                put(t, k == 0 ? sub->json.at : sub->loose_json.at, k == 0 ? sub->json.size : sub->loose_json.size);
            }
        }
        for (unsigned k = 0; k < 2; k++)
            say(k == 0 ? &m->json : &m->loose_json, list ? "]" : "}");
    } else if (f->kind == FIELD_MESSAGE) {
        make_json(sub, f->message, depth + 1);
        tag(&m->wire, f, 2);
        varint(&m->wire, sub->wire.size);
        put(&m->wire, sub->wire.at, sub->wire.size);
        put(&m->json, sub->json.at, sub->json.size);
        put(&m->loose_json, sub->loose_json.at, sub->loose_json.size);
        known++;
    } else {
        static struct scalar s;
        do
            make_scalar(&s, f);
        while (f->kind == FIELD_DOUBLE && s.json.at[0] == '"');
        if (f->kind == FIELD_ENUM)
            s.bits = 0;
        put_scalar(&m->wire, f, &s);
        for (unsigned k = 0; k < 2; k++)
            if (f->kind == FIELD_ENUM)
                say(k == 0 ? &m->json : &m->loose_json, "null");
            else
                put(k == 0 ? &m->json : &m->loose_json, s.json.at, s.json.size);
        known++;
    }
    m->loose_wire.size = 0;
    put(&m->loose_wire, m->wire.at, m->wire.size);
}

/* What one field adds: to the canonical forms at their ends, to the loose ones as pieces that may change places. */
struct piece {
    struct text wire, json;
};

static void key_of(struct text *json, const struct field *f, bool loose)
{
    struct bytes name = loose && by_chance(2) ? f->name : f->json_name;
    say(json, "\"");
    put(json, name.at, name.size);
    say(json, "\":");
}

static void make_item(struct made *m, struct piece *p, const struct field *f, unsigned depth, bool first)
{
    struct made *sub = level(depth + 1);
    make_message(sub, f->message, depth + 1);
    tag(&m->wire, f, 2);
    varint(&m->wire, sub->wire.size);
    put(&m->wire, sub->wire.at, sub->wire.size);
    known++;
    if (!f->repeated && sub->half > 0 && by_chance(2)) {
        known++;
        tag(&p->wire, f, 2);
        varint(&p->wire, sub->half);
        put(&p->wire, sub->loose_wire.at, sub->half);
        tag(&p->wire, f, 2);
        varint(&p->wire, sub->loose_wire.size - sub->half);
        put(&p->wire, sub->loose_wire.at + sub->half, sub->loose_wire.size - sub->half);
    } else {
        tag(&p->wire, f, 2);
        varint(&p->wire, sub->loose_wire.size);
        put(&p->wire, sub->loose_wire.at, sub->loose_wire.size);
    }
    say(&m->json, first ? "" : ",");
    put(&m->json, sub->json.at, sub->json.size);
    say(&p->json, first ? "" : ",");
    white(&p->json);
    put(&p->json, sub->loose_json.at, sub->loose_json.size);
    white(&p->json);
}

static void make_list(struct made *m, struct piece *p, const struct field *f, unsigned depth)
{
    static struct scalar items[4];
    unsigned count = 1 + by_chance(4), from = 0;
    say(&m->json, "[");
    say(&p->json, "[");
    for (unsigned i = 0; i < count && f->kind == FIELD_MESSAGE; i++)
        make_item(m, p, f, depth, i == 0);
    for (unsigned i = 0; i < count && f->kind != FIELD_MESSAGE; i++) {
        make_scalar(&items[i], f);
        say(&m->json, i > 0 ? "," : "");
        say(&p->json, i > 0 ? "," : "");
        put(&m->json, items[i].json.at, items[i].json.size);
        put(&p->json, items[i].loose.at, items[i].loose.size);
    }
    say(&m->json, "]");
    say(&p->json, "]");
    if (f->kind == FIELD_MESSAGE)
        return;
    /* Packed in pieces, or one by one. */
    for (unsigned k = 0; k < 2; k++)
        for (from = 0; from < count;) {
            static struct text packed;
            bool packs = wire_of(f->kind) != 2 && (k == 0 ? f->packed : by_chance(2) == 1);
            unsigned to = packs && k == 0 ? count : from + 1 + (packs ? by_chance(count - from) : 0);
            struct text *t = k == 0 ? &m->wire : &p->wire;
            packed.size = 0;
            for (unsigned i = from; i < to; i++)
                if (packs)
                    put_value(&packed, f, &items[i]);
                else
                    put_scalar(t, f, &items[i]);
            if (packs) {
                tag(t, f, 2);
                varint(t, packed.size);
                put(t, packed.at, packed.size);
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
    say(&m->json, "{");
    say(&p->json, "{");
    for (unsigned i = 0; i < count; i++) {
        static struct scalar k, v, other;
        struct made *sub = level(depth + 1);
        static struct text entry, loose;
        char name[2] = {(char)((key->kind == FIELD_STRING ? 'a' : '1') + (int)i), 0};
        k.text.size = entry.size = loose.size = 0;
        say(&k.text, name);
        k.bits = i + 1;
        put_scalar(&entry, key, &k);
        put_scalar(&loose, key, &k);
        known += 3;
        if (value->kind == FIELD_MESSAGE) {
            make_message(sub, value->message, depth + 1);
            tag(&entry, value, 2);
            varint(&entry, sub->wire.size);
            put(&entry, sub->wire.at, sub->wire.size);
            tag(&loose, value, 2);
            varint(&loose, sub->loose_wire.size);
            put(&loose, sub->loose_wire.at, sub->loose_wire.size);
        } else {
            make_scalar(&v, value);
            make_scalar(&other, value);
            if (!v.zero)
                put_scalar(&entry, value, &v);
            if (by_chance(3) == 0) { /* its value came before, too */
                put_scalar(&loose, value, &other);
                known++;
            }
            put_scalar(&loose, value, &v);
        }
        tag(&m->wire, f, 2);
        varint(&m->wire, entry.size);
        put(&m->wire, entry.at, entry.size);
        tag(&p->wire, f, 2);
        varint(&p->wire, loose.size);
        put(&p->wire, loose.at, loose.size);
        for (unsigned n = 0; n < 2; n++) {
            struct text *t = n == 0 ? &m->json : &p->json;
            const struct text *is =
                value->kind == FIELD_MESSAGE ? (n == 0 ? &sub->json : &sub->loose_json) : (n == 0 ? &v.json : &v.loose);
            say(t, i > 0 ? ",\"" : "\"");
            say(t, name);
            say(t, "\":");
            put(t, is->at, is->size);
        }
    }
    say(&m->json, "}");
    say(&p->json, "}");
}

static void make_single(struct made *m, struct piece *p, const struct field *f)
{
    static struct scalar s, before;
    do
        make_scalar(&s, f);
    while (s.zero && !f->presence);
    make_scalar(&before, f);
    put_scalar(&m->wire, f, &s);
    if (by_chance(3) == 0) {
        put_scalar(&p->wire, f, &before);
        known++;
    }
    put_scalar(&p->wire, f, &s);
    known++;
    put(&m->json, s.json.at, s.json.size);
    put(&p->json, s.loose.at, s.loose.size);
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
    say(&p->wire, forms[by_chance(5)]);
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
    say(&m->json, "{");
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        bool too_deep = f->kind == FIELD_MESSAGE && depth > 4;
        bool null = f->kind == FIELD_ENUM && strcmp((const char *)f->enumeration->name.at, "shapes.Color") != 0;
        if (by_chance(5) < 2 || too_deep || null || (f->oneof >= 0 && (int)i != chosen))
            continue;
        struct piece *p = &pieces[count];
        p->wire.size = p->json.size = 0;
        say(&m->json, count > 0 ? "," : "");
        key_of(&m->json, f, false);
        key_of(&p->json, f, true);
        white(&p->json);
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
    say(&m->json, "}");
    unsigned fields = count;
    if (by_chance(3) == 0) {
        pieces[count].wire.size = pieces[count].json.size = 0;
        make_unknown(&pieces[count]);
        order[count] = count;
        count++;
    }
    bool first = true;
    white(&m->loose_json);
    say(&m->loose_json, "{");
    for (unsigned left = count; left > 0; left--) {
        unsigned at = by_chance(left), i = order[at];
        order[at] = order[left - 1];
        put(&m->loose_wire, pieces[i].wire.at, pieces[i].wire.size);
        if (left - 1 == count / 2)
            m->half = m->loose_wire.size;
        if (i >= fields)
            continue;
        say(&m->loose_json, first ? "" : ",");
        white(&m->loose_json);
        put(&m->loose_json, pieces[i].json.at, pieces[i].json.size);
        first = false;
    }
    say(&m->loose_json, "}");
    m->half = m->half == m->loose_wire.size ? 0 : m->half;
    free(pieces);
}

/* ---- what the room makes of it ---- */

static struct bytes view(const struct text *t)
{
    return bytes_of(t->at, t->size);
}

static void same(struct bytes is, const struct text *should, const char *what, unsigned seed)
{
    ck_assert_msg(bytes_equal(is, view(should)), "%u, %s: %.*s\nshould be %.*s", seed, what, (int)is.size,
                  (const char *)is.at, (int)should->size, should->at);
}

static struct bytes as_json(const struct message_type *type, struct bytes wire, unsigned seed)
{
    struct bytes json;
    struct error_detail detail = {.text = ""};
    int code = json_write(schema, type, wire, false, &pool, TEXT_MAX, &json, &detail);
    ck_assert_msg(code == 0, "%u: %s: %s", seed, detail.field, detail.text);
    return json;
}

static struct bytes as_wire(const struct message_type *type, const struct text *json, unsigned seed)
{
    struct bytes wire;
    struct error_detail detail = {.text = ""};
    int code = json_read(schema, type, view(json), &pool, TEXT_MAX, &wire, &detail);
    ck_assert_msg(code == 0, "%u: %s: %s, of %.*s", seed, detail.field, detail.text, (int)json->size, json->at);
    return wire;
}

START_TEST(message__each_form_becomes_each_other)
{
    static const char *const types[] = {"Order", "Numbers", "Known", "Tree", "Customer"};
    schema = shapes_schema();
    pool_init(&pool, &heap, 1 << 22);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct pool_mark mark = pool_mark(&pool);
        const struct message_type *type = shapes_type(schema, types[i % 5]);
        struct inspection seen;
        struct error_detail detail;
        by_chance_seed(i);
        known = unknown = 0;
        struct made *m = level(0);
        make_message(m, type, 0);
        same(as_json(type, view(&m->wire), i), &m->json, "the wire as JSON", i);
        same(as_json(type, view(&m->loose_wire), i), &m->json, "the loose wire as JSON", i);
        same(as_wire(type, &m->json, i), &m->wire, "JSON on the wire", i);
        same(as_json(type, as_wire(type, &m->loose_json, i), i), &m->json, "loose JSON", i);
        ck_assert_int_eq(inspect_message(type, view(&m->loose_wire), &seen, &detail), 0);
        ck_assert_msg(seen.known == known && seen.unknown == unknown,
                      "%u: %u known and %u unknown fields, not %u and %u", i, seen.known, seen.unknown, known, unknown);
        /* Each field that is one value, looked for, and found through an index. */
        struct message_index *index;
        ck_assert_int_eq(message_index_make(type, view(&m->loose_wire), &pool, &index), 1);
        for (unsigned k = 0; k < type->field_count; k++) {
            struct value a, b;
            const struct field *f = &type->fields[k];
            if (f->repeated)
                continue;
            int found = message_get(view(&m->loose_wire), f, &pool, &a);
            ck_assert_int_eq(message_index_get(index, f, &pool, &b), found);
            ck_assert(value_class_of(f->kind) == VALUE_DOUBLE || value_equal(&a, &b));
            ck_assert_int_eq(message_get(view(&m->wire), f, &pool, &b), found);
            ck_assert(value_class_of(f->kind) == VALUE_DOUBLE || f->kind == FIELD_MESSAGE || value_equal(&a, &b));
        }
        pool_rewind(&pool, mark);
    }
    pool_finish(&pool);
    schema_destroy(schema);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("message_reckoning");
    Suite *s = suite_create("message_reckoning");
    tcase_add_test(c, message__each_form_becomes_each_other);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
