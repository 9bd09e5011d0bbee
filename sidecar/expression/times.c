/* The parts of timestamps and durations. */
#include "sidecar/base/timestamp.h"
#include "sidecar/expression/clock_text_inside.h"
#include "sidecar/expression/run_inside.h"

/* The calendar of a timestamp, in UTC or in the zone that the second argument names. A failure's kind is DATUM_FAILURE; else null. */
static struct datum calendar(const struct call *c, struct civil *out)
{
    int64_t offset = 0;
    if (!call_is(c, 0, DATUM_TIMESTAMP) || c->count > 2 || (c->count == 2 && !call_is(c, 1, DATUM_STRING)))
        return call_mismatch(c);
    if (c->count == 2 && !read_offset(call_text(c, 1), &offset))
        return call_fail(c, "time zones are UTC and fixed offsets as in +01:00, and this is another");
    *out = civil_of(c->args[0].i + offset);
    return datum_null();
}

#define PART(name, value) \
    struct datum function_##name(const struct call *c) \
    { \
        struct civil at; \
        struct datum failed = calendar(c, &at); \
        return datum_failed(&failed) ? failed : datum_int(value); \
    }

PART(full_year, at.year)
PART(month, at.month - 1)
PART(day_of_month, at.day - 1)
PART(date, at.day)
PART(day_of_week, at.weekday)
PART(day_of_year, at.year_day)

static bool of_duration(const struct call *c)
{
    return c->count == 1 && call_is(c, 0, DATUM_DURATION);
}

struct datum function_hours(const struct call *c)
{
    struct civil at;
    if (of_duration(c))
        return datum_int(c->args[0].i / (3600 * NANOS_PER_SECOND));
    struct datum failed = calendar(c, &at);
    return datum_failed(&failed) ? failed : datum_int(at.hour);
}

struct datum function_minutes(const struct call *c)
{
    struct civil at;
    if (of_duration(c))
        return datum_int(c->args[0].i / (60 * NANOS_PER_SECOND));
    struct datum failed = calendar(c, &at);
    return datum_failed(&failed) ? failed : datum_int(at.minute);
}

struct datum function_seconds(const struct call *c)
{
    struct civil at;
    if (of_duration(c))
        return datum_int(c->args[0].i / NANOS_PER_SECOND);
    struct datum failed = calendar(c, &at);
    return datum_failed(&failed) ? failed : datum_int(at.second);
}

/* Of a duration those beyond its seconds, as of a timestamp. */
struct datum function_milliseconds(const struct call *c)
{
    struct civil at;
    if (of_duration(c))
        return datum_int(c->args[0].i % NANOS_PER_SECOND / 1000000);
    struct datum failed = calendar(c, &at);
    return datum_failed(&failed) ? failed : datum_int(c->args[0].size / 1000000);
}
