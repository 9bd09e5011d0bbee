/* timestamp.h - points and lengths of time as protobuf has them (seconds and nanoseconds), and as text: RFC 3339 and "3.5s". UTC. Pure. */
#ifndef SAGA_BASE_TIMESTAMP_H
#define SAGA_BASE_TIMESTAMP_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

#define TIMESTAMP_SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define DURATION_SECONDS_MAX  INT64_C(315576000000) /* either way */

/* A day and a time of it in the Gregorian calendar. */
struct civil {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour, minute, second;
    int weekday;  /* 0 is Sunday */
    int year_day; /* 0 is the first of January */
};

/* Of seconds since 1970, within the bounds above or a day beyond them. */
struct civil civil_of(int64_t seconds);

/* The seconds since 1970 of year, month, day, hour, minute and second, which are within the calendar. */
int64_t civil_seconds(const struct civil *c);

/* Whether a message of these fields is a valid google.protobuf.Timestamp or Duration. */
bool timestamp_valid(int64_t seconds, int64_t nanos);
bool duration_valid(int64_t seconds, int64_t nanos);

/* "2026-11-28T00:50:00.25Z", or with an offset as "+02:00" instead of Z; at most nine places. The whole text. */
bool timestamp_read(struct bytes text, int64_t *seconds, int32_t *nanos);

/* "3.5s", "-0.000000001s"; at most nine places. The whole text. */
bool duration_read(struct bytes text, int64_t *seconds, int32_t *nanos);

/* Write what is valid, with 0, 3, 6 or 9 places and a NUL; return the size. */
#define TIMESTAMP_TEXT_SIZE 40
size_t timestamp_write(int64_t seconds, int32_t nanos, char text[TIMESTAMP_TEXT_SIZE]);
size_t duration_write(int64_t seconds, int32_t nanos, char text[TIMESTAMP_TEXT_SIZE]);

#endif
