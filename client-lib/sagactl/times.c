/* times.c - times read and written. */
#include "client-lib/sagactl/times.h"

#include "sidecar/definition/quantity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND      INT64_C(1000000)
#define SECONDS_MAX INT64_C(253402300799) /* the last of the year 9999 */

struct instant times_of(const Google__Protobuf__Timestamp *t)
{
    if (t == NULL || t->seconds < 0 || t->seconds > SECONDS_MAX || t->nanos < 0 || t->nanos > 999999999)
        return INSTANT_NEVER;
    return (struct instant){.us = t->seconds * SECOND + t->nanos / 1000};
}

struct span times_span_of(const Google__Protobuf__Duration *d)
{
    return d == NULL ? (struct span){0} : (struct span){.us = d->seconds * 1000000 + d->nanos / 1000};
}

struct instant times_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct instant){.us = (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000};
}

char *times_write(const struct screen *s, struct instant at, char text[TIMES_TEXT_SIZE])
{
    struct tm tm;
    time_t seconds = (time_t)(at.us / SECOND);
    if (at.us == INSTANT_NEVER.us || (s->utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)) == NULL)
        snprintf(text, TIMES_TEXT_SIZE, "-");
    else
        strftime(text, TIMES_TEXT_SIZE, s->utc ? "%Y-%m-%d %H:%M:%S UTC" : "%Y-%m-%d %H:%M:%S %z", &tm);
    return text;
}

static char *two_units(char text[TIMES_TEXT_SIZE], int64_t count, int64_t per, const char *large, const char *small)
{
    if (count % per == 0)
        snprintf(text, TIMES_TEXT_SIZE, "%" PRId64 "%s", count / per, large);
    else
        snprintf(text, TIMES_TEXT_SIZE, "%" PRId64 "%s %" PRId64 "%s", count / per, large, count % per, small);
    return text;
}

char *times_write_until(const struct screen *s, struct instant at, char text[2 * TIMES_TEXT_SIZE])
{
    char when[TIMES_TEXT_SIZE], span[TIMES_TEXT_SIZE];
    snprintf(text, 2 * TIMES_TEXT_SIZE, "%s, in %s", times_write(s, at, when),
             times_write_span(instant_since(at, s->now), span));
    return text;
}

char *times_write_span(struct span span, char text[TIMES_TEXT_SIZE])
{
    int64_t ms = span.us > 0 ? span.us / 1000 : 0;
    if (ms < 1000)
        snprintf(text, TIMES_TEXT_SIZE, "%" PRId64 "ms", ms);
    else if (ms < 10000 && ms / 100 % 10 != 0)
        snprintf(text, TIMES_TEXT_SIZE, "%" PRId64 ".%" PRId64 "s", ms / 1000, ms / 100 % 10);
    else if (ms < 60000)
        snprintf(text, TIMES_TEXT_SIZE, "%" PRId64 "s", ms / 1000);
    else if (ms < 3600000)
        return two_units(text, ms / 1000, 60, "m", "s");
    else if (ms < 86400000)
        return two_units(text, ms / 60000, 60, "h", "m");
    else
        return two_units(text, ms / 3600000, 24, "d", "h");
    return text;
}

char *times_write_offset(struct span span, char text[TIMES_TEXT_SIZE])
{
    int64_t ms = span.us > 0 ? span.us / 1000 : 0, s = ms / 1000;
    if (s < 60)
        snprintf(text, TIMES_TEXT_SIZE, "+%" PRId64 ".%03" PRId64 "s", s, ms % 1000);
    else if (s < 3600)
        snprintf(text, TIMES_TEXT_SIZE, "+%" PRId64 ":%02" PRId64 ".%" PRId64, s / 60, s % 60, ms % 1000 / 100);
    else
        snprintf(text, TIMES_TEXT_SIZE, "+%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    return text;
}

/* ---- reading ---- */

/* "" (then *zoned is false), "Z", "+02:00" or "+0200". */
static bool read_zone(const char *text, bool *zoned, long *seconds)
{
    int hours, minutes;
    char sign, end;
    *zoned = text[0] != '\0';
    *seconds = 0;
    if (!*zoned || strcmp(text, "Z") == 0)
        return true;
    if (sscanf(text, "%c%2d:%2d%c", &sign, &hours, &minutes, &end) != 3 &&
        sscanf(text, "%c%2d%2d%c", &sign, &hours, &minutes, &end) != 3)
        return false;
    if ((sign != '+' && sign != '-') || hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
        return false;
    *seconds = (sign == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
    return true;
}

static const char not_a_time[] = "is not a time, as in 2026-05-04, 2026-05-04T10:20:30Z, 2h or 1d";

/* ".25": of a second; what follows it is left in *text. */
static int64_t read_fraction(const char **text)
{
    int64_t us = 0, unit = SECOND / 10;
    if (**text != '.')
        return 0;
    for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
        us += (**text - '0') * unit;
    return us;
}

/* "1d", "2w": whole days and weeks, which spans of sagas do not have. */
static bool read_days(const char *text, struct span *ago)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || (strcmp(text + digits, "d") != 0 && strcmp(text + digits, "w") != 0))
        return false;
    ago->us = strtol(text, NULL, 10) * (text[digits] == 'w' ? 7 : 1) * 24 * 3600 * SECOND;
    return true;
}

const char *times_read(const char *text, struct instant now, bool utc, struct instant *at)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%d"};
    struct span ago;
    if (read_days(text, &ago) || quantity_read_span(bytes_of_text(text), &ago) == NULL) {
        at->us = now.us > ago.us ? now.us - ago.us : 0;
        return NULL;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {.tm_isdst = -1};
        bool zoned;
        long zone;
        const char *rest = strptime(text, forms[i], &tm);
        if (rest == NULL)
            continue;
        int64_t fraction = i < 2 ? read_fraction(&rest) : 0;
        if (!read_zone(rest, &zoned, &zone))
            continue;
        struct tm asked = tm;
        time_t seconds = zoned || utc ? timegm(&tm) : mktime(&tm);
        if (tm.tm_mday != asked.tm_mday || tm.tm_mon != asked.tm_mon)
            return "is a day that does not exist";
        if ((int64_t)seconds - zone < 0 || (int64_t)seconds - zone > SECONDS_MAX)
            return "is not between the years 1970 and 9999";
        at->us = ((int64_t)seconds - zone) * SECOND + fraction;
        return NULL;
    }
    return not_a_time;
}
