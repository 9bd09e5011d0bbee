#include "sidecar/expression/clock_text_inside.h"

#include "sidecar/base/timestamp.h"
#include "sidecar/expression/run_inside.h"

struct datum read_timestamp(struct evaluation *e, uint32_t position, struct bytes text)
{
    int64_t seconds;
    int32_t nanos;
    if (!timestamp_read(text, &seconds, &nanos))
        return fail(e, position, "range: the text is no timestamp as in 2009-02-13T23:31:30Z");
    return datum_timestamp(seconds, (uint32_t)nanos);
}

struct datum write_timestamp(struct evaluation *e, uint32_t position, const struct datum *timestamp)
{
    char out[TIMESTAMP_TEXT_SIZE];
    struct text t = {.evaluation = e};
    text_add(&t, bytes_of(out, timestamp_write(timestamp->i, (int32_t)timestamp->size, out)));
    return text_finish(&t, DATUM_STRING, position);
}

struct datum write_duration(struct evaluation *e, uint32_t position, const struct datum *duration)
{
    char out[TIMESTAMP_TEXT_SIZE];
    struct text t = {.evaluation = e};
    int32_t nanos = (int32_t)(duration->i % NANOS_PER_SECOND);
    text_add(&t, bytes_of(out, duration_write(duration->i / NANOS_PER_SECOND, nanos, out)));
    return text_finish(&t, DATUM_STRING, position);
}

/* A text being read. */
struct reader {
    struct bytes text;
    size_t at;
    bool bad, over;
};

static int peek(const struct reader *r)
{
    return r->at < r->text.size ? r->text.at[r->at] : -1;
}

static bool accept(struct reader *r, int c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static bool at_digit(const struct reader *r)
{
    return peek(r) >= '0' && peek(r) <= '9';
}

/* Nanoseconds of the unit that follows. */
static int64_t unit(struct reader *r)
{
    if (accept(r, 'h'))
        return 3600 * NANOS_PER_SECOND;
    if (accept(r, 's'))
        return NANOS_PER_SECOND;
    if (accept(r, 'm'))
        return accept(r, 's') ? 1000000 : 60 * NANOS_PER_SECOND;
    bool micro = accept(r, 'u') || (accept(r, 0xc2) && accept(r, 0xb5));
    r->bad = (!micro && !accept(r, 'n')) || !accept(r, 's') || r->bad;
    return micro ? 1000 : 1;
}

/* One number with its unit, in nanoseconds. */
static int64_t duration_part(struct reader *r)
{
    int64_t whole = 0, part = 0, scale = NANOS_PER_SECOND, all;
    size_t first = r->at;
    for (; at_digit(r); r->at++)
        r->over = __builtin_mul_overflow(whole, 10, &whole) ||
                  __builtin_add_overflow(whole, r->text.at[r->at] - '0', &whole) || r->over;
    bool any = r->at > first;
    if (accept(r, '.')) {
        any = any || at_digit(r);
        /* Places beyond the ninth count for nothing. */
        for (; at_digit(r); r->at++)
            part += (scale /= 10) * (r->text.at[r->at] - '0');
    }
    r->bad = r->bad || !any;
    int64_t size = unit(r);
    int64_t more = size >= NANOS_PER_SECOND ? size / NANOS_PER_SECOND * part : size * part / NANOS_PER_SECOND;
    r->over = __builtin_mul_overflow(whole, size, &all) || __builtin_add_overflow(all, more, &all) || r->over;
    return r->over ? 0 : all;
}

struct datum read_duration(struct evaluation *e, uint32_t position, struct bytes text)
{
    struct reader r = {.text = text};
    bool negative = accept(&r, '-');
    if (!negative)
        accept(&r, '+');
    int64_t all = 0;
    bool zero = text.size - r.at == 1 && peek(&r) == '0';
    r.bad = r.at == text.size;
    while (!zero && !r.bad && r.at < text.size) {
        int64_t part = duration_part(&r);
        r.over = __builtin_add_overflow(all, part, &all) || r.over;
    }
    if (r.bad)
        return fail(e, position, "the text is no duration as in 1h30m or 2.5s");
    return r.over ? fail(e, position, "range: a duration has at most 292 years")
                  : datum_duration(negative ? -all : all);
}

/* One or two digits. */
static int64_t small_number(struct reader *r)
{
    int64_t n = 0;
    size_t first = r->at;
    for (; at_digit(r) && r->at - first < 2; r->at++)
        n = n * 10 + (r->text.at[r->at] - '0');
    r->bad = r->bad || r->at == first;
    return n;
}

bool read_offset(struct bytes text, int64_t *seconds)
{
    *seconds = 0;
    if (bytes_equal(text, bytes_of_text("UTC")) || bytes_equal(text, bytes_of_text("Z")) ||
        bytes_equal(text, bytes_of_text("GMT")))
        return true;
    struct reader r = {.text = text};
    bool west = accept(&r, '-');
    if (!west)
        accept(&r, '+');
    int64_t hours = small_number(&r);
    r.bad = !accept(&r, ':') || r.bad;
    int64_t minutes = small_number(&r);
    *seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return !r.bad && r.at == text.size && hours < 24 && minutes < 60;
}
