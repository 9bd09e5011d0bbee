#include "tests/support/made_scalars.h"

#include "sidecar/base/check.h"
#include "tests/support/by_chance.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void made_put(struct made_text *t, const void *at, size_t size)
{
    CHECK(t->size + size < sizeof t->at);
    memcpy(t->at + t->size, at, size);
    t->size += size;
}

void made_say(struct made_text *t, const char *words)
{
    made_put(t, words, strlen(words));
}

void made_varint(struct made_text *t, uint64_t n)
{
    do {
        char byte = (char)((n & 0x7f) | (n > 0x7f) << 7);
        made_put(t, &byte, 1);
    } while ((n >>= 7) > 0);
}

static void fixed(struct made_text *t, uint64_t n, unsigned size)
{
    for (; size > 0; size--, n >>= 8)
        made_put(t, &(char){(char)n}, 1);
}

void made_white(struct made_text *t)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r"};
    made_say(t, spaces[by_chance(6)]);
}

unsigned made_wire(enum field_kind kind)
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
static void double_as_json(struct made_text *t, double value, bool single)
{
    char out[40], plain[64];
    if (value - value != 0) {
        made_say(t, value != value ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
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
    made_say(t, plain);
}

static void text_as_json(struct made_text *t, const struct made_text *of, bool loose)
{
    made_say(t, "\"");
    for (size_t i = 0; i < of->size; i++) {
        char out[8] = {of->at[i], 0};
        unsigned char c = (unsigned char)of->at[i];
        if (c == '\n' || c == '"' || c == '\\')
            snprintf(out, sizeof out, "\\%c", c == '\n' ? 'n' : c);
        if (c == 0x7f || (c < ' ' && c != '\n') || (loose && c < 0x80 && by_chance(4) == 0))
            snprintf(out, sizeof out, loose ? "\\u%04X" : "\\u%04x", c);
        if (loose && (c == '/' || c == '\b') && by_chance(2) == 0)
            snprintf(out, sizeof out, c == '/' ? "\\/" : "\\b");
        made_say(t, out);
    }
    made_say(t, "\"");
}

static void base64(struct made_text *t, const struct made_text *of, const char *last_two, bool padded)
{
    char letters[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    memcpy(letters + 62, last_two, 2);
    made_say(t, "\"");
    for (size_t i = 0; i < of->size; i += 3) {
        unsigned all = 0;
        for (size_t k = 0; k < 3; k++)
            all = all << 8 | (i + k < of->size ? (unsigned char)of->at[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            if (i + k <= of->size || k < 2)
                made_put(t, &letters[all >> (18 - 6 * k) & 63], 1);
            else if (padded)
                made_say(t, "=");
    }
    made_say(t, "\"");
}

static void integer(struct made_scalar *s, const char *digits, bool wide)
{
    char out[64];
    snprintf(out, sizeof out, wide ? "\"%s\"" : "%s", digits);
    made_say(&s->json, out);
    static const char *const forms[] = {"%s", "\"%s\"", "%s.0", "%s.00e0", "\"%s0E-1\""};
    char *at = strcpy(out, forms[by_chance(5)]), *sign = strstr(at, "%s");
    made_put(&s->loose, at, (size_t)(sign - at));
    made_say(&s->loose, digits);
    made_say(&s->loose, sign + 2);
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
    static const double edges[] = {1.5, -0.0, 0.1, 1e21, 123456789, 1e-7, 0.00001, 3.4e38, -1e20, 5e-324, 10, 20};
    double d = by_chance(2) ? edges[by_chance(12)] : (double)some_integer(64) / (double)(1 << by_chance(20));
    if (by_chance(8) == 0)
        d = by_chance(2) ? __builtin_inf() : by_chance(2) ? -__builtin_inf() : __builtin_nan("");
    return single ? (double)(float)d : d;
}

static void some_text(struct made_text *t, bool utf8)
{
    static const char *const pieces[] = {"a", "Zz", " ", "\"", "\\", "/", "\n", "\x7f", "\b", "é", "€", "𝄞", "b0"};
    for (unsigned i = by_chance(5); i > 0; i--)
        if (utf8)
            made_say(t, pieces[by_chance(13)]);
        else
            made_put(t, &(char){(char)by_chance_draw()}, 1);
}

void made_scalar(struct made_scalar *s, const struct field *f)
{
    char digits[32];
    int64_t n;
    *s = (struct made_scalar){.zero = false};
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
        made_say(&s->loose, quote ? "\"" : "");
        made_put(&s->loose, s->json.at, s->json.size);
        made_say(&s->loose, quote ? "\"" : "");
        return;
    }
    case FIELD_BOOL:
        s->bits = by_chance(2);
        s->zero = s->bits == 0;
        made_say(&s->json, s->bits != 0 ? "true" : "false");
        made_say(&s->loose, s->bits != 0 ? "true" : "false");
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
        made_say(&s->json, colors[i].name);
        made_say(&s->loose, i == 3 ? colors[i].name : by_chance(2) ? colors[i].name : colors[i].loose);
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

void made_value(struct made_text *t, const struct field *f, const struct made_scalar *s)
{
    switch (made_wire(f->kind)) {
    case 1:
        fixed(t, s->bits, 8);
        break;
    case 5:
        fixed(t, s->bits, 4);
        break;
    case 2:
        made_varint(t, s->text.size);
        made_put(t, s->text.at, s->text.size);
        break;
    default:
        made_varint(t, s->bits);
    }
}

void made_tag(struct made_text *t, const struct field *f, unsigned wire)
{
    made_varint(t, (uint64_t)f->number << 3 | wire);
}

void made_field(struct made_text *t, const struct field *f, const struct made_scalar *s)
{
    made_tag(t, f, made_wire(f->kind));
    made_value(t, f, s);
}
