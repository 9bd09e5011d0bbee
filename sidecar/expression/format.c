/* format(): values put into a text, as cel-go's strings extension has it. */
#include "sidecar/base/decimal.h"
#include "sidecar/base/utf8.h"
#include "sidecar/expression/run_inside.h"

#define PRECISION_DEFAULT 6
#define PRECISION_MAX     100

struct formatting {
    const struct call *call;
    struct text out;
    struct datum failed; /* kind DATUM_NULL while nothing has */
};

static void refuse(struct formatting *f, const char *text)
{
    if (!datum_failed(&f->failed))
        f->failed = call_fail(f->call, text);
}

static void put(struct formatting *f, const char *text)
{
    text_add(&f->out, bytes_of_text(text));
}

/* NaN and the infinities have words; false for other numbers. */
static bool put_word(struct formatting *f, double d)
{
    if (d - d == 0)
        return false;
    put(f, d != d ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
    return true;
}

static void put_string(struct formatting *f, const struct datum *v);

static void put_list(struct formatting *f, const struct datum *list)
{
    put(f, "[");
    for (uint32_t i = 0; i < list->size && !f->out.failed; i++) {
        if (i > 0)
            put(f, ", ");
        put_string(f, &list->items[i]);
    }
    put(f, "]");
}

/* One value's text alone. */
static struct datum text_of(struct formatting *f, const struct datum *v)
{
    struct formatting inner = {.call = f->call, .out = {.evaluation = f->call->evaluation}, .failed = datum_null()};
    put_string(&inner, v);
    if (datum_failed(&inner.failed))
        f->failed = inner.failed;
    return text_finish(&inner.out, DATUM_STRING, f->call->position);
}

/* In order of the keys' texts. */
static void put_map(struct formatting *f, const struct datum *map)
{
    struct evaluation *e = f->call->evaluation;
    struct datum *keys = charge(e, map->size) ? pool_take(e->pool, map->size * sizeof *keys + 1) : NULL;
    uint32_t *at = pool_take(e->pool, map->size * sizeof *at + 1);
    if (keys == NULL || at == NULL) {
        f->out.failed = true;
        return;
    }
    for (uint32_t i = 0; i < map->size; i++) {
        struct datum key = text_of(f, &map->map->entries[2 * i]);
        if (datum_failed(&key)) {
            f->failed = key;
            return;
        }
        /* Maps that are printed are small; a large one is stopped by its cost. */
        uint32_t k = i;
        for (; k > 0 && datum_compare(&key, &keys[k - 1]) < 0 && charge(e, 1); k--) {
            keys[k] = keys[k - 1];
            at[k] = at[k - 1];
        }
        keys[k] = key;
        at[k] = i;
    }
    put(f, "{");
    for (uint32_t i = 0; i < map->size && !f->out.failed; i++) {
        if (i > 0)
            put(f, ", ");
        text_add(&f->out, datum_bytes(&keys[i]));
        put(f, ": ");
        put_string(f, &map->map->entries[2 * at[i] + 1]);
    }
    put(f, "}");
}

/* %s. */
static void put_string(struct formatting *f, const struct datum *v)
{
    struct call convert = *f->call;
    struct datum text;
    switch (v->kind) {
    case DATUM_NULL:
        put(f, "null");
        return;
    case DATUM_TYPE:
        text_add(&f->out, type_name(v->type));
        return;
    case DATUM_LIST:
        put_list(f, v);
        return;
    case DATUM_MAP:
        put_map(f, v);
        return;
    case DATUM_MESSAGE:
    case DATUM_OPTIONAL:
        refuse(f, "error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, "
                  "maps, lists, types, durations, and timestamps");
        return;
    default:
        convert.args = v;
        convert.count = 1;
        text = function_to_string(&convert);
        if (datum_failed(&text))
            f->failed = text;
        else
            text_add(&f->out, datum_bytes(&text));
    }
}

static void put_based(struct formatting *f, uint64_t n, bool negative, unsigned base, const char *digits)
{
    char out[65];
    size_t at = sizeof out;
    do
        out[--at] = digits[n % base];
    while ((n /= base) > 0);
    if (negative)
        put(f, "-");
    text_add(&f->out, bytes_of(out + at, sizeof out - at));
}

/* %d %b %o %x of a whole number; false when v is none. */
static bool put_whole(struct formatting *f, const struct datum *v, unsigned base, const char *digits)
{
    if (v->kind == DATUM_INT)
        put_based(f, v->i < 0 ? 0 - (uint64_t)v->i : (uint64_t)v->i, v->i < 0, base, digits);
    else if (v->kind == DATUM_UINT)
        put_based(f, v->u, false, base, digits);
    return v->kind == DATUM_INT || v->kind == DATUM_UINT;
}

static void put_hexadecimal(struct formatting *f, const struct datum *v, const char *digits)
{
    if (put_whole(f, v, 16, digits))
        return;
    if (v->kind != DATUM_STRING && v->kind != DATUM_BYTES) {
        refuse(f, "error during formatting: only integers, byte buffers, and strings can be formatted as hex");
        return;
    }
    for (uint32_t i = 0; i < v->size && !f->out.failed; i++) {
        const char both[] = {digits[v->text[i] >> 4], digits[v->text[i] & 15]};
        text_add(&f->out, bytes_of(both, 2));
    }
}

static char digit_at(const struct decimal *d, int i)
{
    return i >= 0 && i < d->count ? d->digits[i] : '0';
}

/* %f and %e. */
static void put_double(struct formatting *f, double value, int precision, bool scientific)
{
    struct decimal d;
    if (put_word(f, value))
        return;
    decimal_exact(value, &d);
    if (scientific)
        decimal_round_to(&d, precision + 1);
    else
        decimal_round_places(&d, precision);
    int exponent = d.count == 0 ? 0 : d.point - 1;
    /* The number of the digit before the point; those before the first one are zeros. */
    int unit = scientific ? 0 : exponent;
    if (d.negative)
        put(f, "-");
    for (int i = unit < 0 ? unit : 0; i <= unit; i++) {
        char digit = digit_at(&d, i);
        text_add(&f->out, bytes_of(&digit, 1));
    }
    if (precision > 0)
        put(f, ".");
    for (int i = 1; i <= precision; i++) {
        char digit = digit_at(&d, unit + i);
        text_add(&f->out, bytes_of(&digit, 1));
    }
    if (!scientific)
        return;
    unsigned n = (unsigned)(exponent < 0 ? -exponent : exponent);
    put(f, exponent < 0 ? "e-" : "e+");
    if (n < 10)
        put(f, "0");
    put_based(f, n, false, 10, "0123456789");
}

static bool as_double(const struct datum *v, double *d)
{
    *d = v->kind == DATUM_DOUBLE ? v->d : v->kind == DATUM_INT ? (double)v->i : (double)v->u;
    return datum_is_number(v);
}

static void put_clause(struct formatting *f, char verb, int precision, const struct datum *v)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    double d;
    switch (verb) {
    case 's':
        put_string(f, v);
        return;
    case 'd':
        if (!put_whole(f, v, 10, lower) && (v->kind != DATUM_DOUBLE || !put_word(f, v->d)))
            refuse(f, "error during formatting: decimal clause can only be used on integers");
        return;
    case 'b':
        if (v->kind == DATUM_BOOL)
            put(f, v->b ? "1" : "0");
        else if (!put_whole(f, v, 2, lower))
            refuse(f, "error during formatting: only integers and bools can be formatted as binary");
        return;
    case 'o':
        if (!put_whole(f, v, 8, lower))
            refuse(f, "error during formatting: octal clause can only be used on integers");
        return;
    case 'x':
    case 'X':
        put_hexadecimal(f, v, verb == 'x' ? lower : upper);
        return;
    default:
        if (as_double(v, &d))
            put_double(f, d, precision, verb == 'e');
        else
            refuse(f, verb == 'e' ? "error during formatting: scientific clause can only be used on doubles"
                                  : "error during formatting: fixed-point clause can only be used on doubles");
    }
}

/* Behind a %: digits behind a point, and the verb. Returns 0 when it is none that there is. */
static char read_clause(struct formatting *f, struct bytes text, size_t *at, int *precision)
{
    *precision = PRECISION_DEFAULT;
    if (*at < text.size && text.at[*at] == '.') {
        int n = 0;
        for (++*at; *at < text.size && text.at[*at] >= '0' && text.at[*at] <= '9'; ++*at)
            n = n > PRECISION_MAX ? n : n * 10 + (text.at[*at] - '0');
        *precision = n;
        if (n > PRECISION_MAX) {
            refuse(f, "could not parse formatting clause: at most 100 places are written");
            return 0;
        }
    }
    if (*at < text.size && text.at[*at] != 0 && memchr("sdfebxXo", text.at[*at], 8) != NULL)
        return (char)text.at[(*at)++];
    refuse(
        f,
        "could not parse formatting clause: unrecognized formatting clause; there are %s %d %f %e %b %x %X %o and %%");
    return 0;
}

struct datum function_format(const struct call *c)
{
    if (c->count != 2 || !call_is(c, 0, DATUM_STRING) || !call_is(c, 1, DATUM_LIST))
        return call_mismatch(c);
    struct bytes text = call_text(c, 0);
    struct formatting f = {.call = c, .out = {.evaluation = c->evaluation}, .failed = datum_null()};
    uint32_t used = 0;
    for (size_t at = 0; at < text.size && !datum_failed(&f.failed) && !f.out.failed;) {
        size_t first = at;
        while (at < text.size && text.at[at] != '%')
            at++;
        text_add(&f.out, bytes_of(text.at + first, at - first));
        if (at++ >= text.size)
            break;
        if (at < text.size && text.at[at] == '%') {
            put(&f, "%");
            at++;
            continue;
        }
        int precision;
        char verb = read_clause(&f, text, &at, &precision);
        if (verb == 0)
            break;
        if (used == c->args[1].size)
            refuse(&f, "index out of range: the list has fewer values than the text has clauses");
        else
            put_clause(&f, verb, precision, &c->args[1].items[used++]);
    }
    return datum_failed(&f.failed) ? f.failed : text_finish(&f.out, DATUM_STRING, c->position);
}
