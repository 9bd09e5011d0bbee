/* times.h - points and lengths of time as people read and write them. */
#ifndef SAGACTL_TIMES_H
#define SAGACTL_TIMES_H

#include <stdbool.h>

#include "client-lib/sagactl/screen.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#define TIMES_TEXT_SIZE 48

/* The instant of a timestamp; INSTANT_NEVER for NULL or one outside the years 1970 to 9999. */
struct instant times_of(const Google__Protobuf__Timestamp *t);

/* The length of a duration; 0 for NULL. */
struct span times_span_of(const Google__Protobuf__Duration *d);

/* "2026-05-04 10:20:30 +0200", or with "UTC" for a screen in UTC; "-" for INSTANT_NEVER. Returns text. */
char *times_write(const struct screen *s, struct instant at, char text[TIMES_TEXT_SIZE]);

/* The same of a time to come, with how far that is: "2026-05-04 10:20:30 +0200, in 4m 59s". Returns text. */
char *times_write_until(const struct screen *s, struct instant at, char text[2 * TIMES_TEXT_SIZE]);

/* How long, in at most two units: "0ms", "250ms", "1.5s", "3m 20s", "2h 5m", "4d 1h". A negative length counts as none.
 * Returns text. */
char *times_write_span(struct span span, char text[TIMES_TEXT_SIZE]);

/* Since a start: "+0.012s", "+59.100s", "+12:03.1", "+1:02:03". Returns text; at most TIMES_OFFSET_WIDTH columns up to
 * 99 hours. */
#define TIMES_OFFSET_WIDTH 9
char *times_write_offset(struct span span, char text[TIMES_TEXT_SIZE]);

/* A time of day or a length of time before now, as --since takes it. Without a zone it is UTC when utc is set, else
 * local. Returns NULL, or what is wrong in words that follow the text. */
const char *times_read(const char *text, struct instant now, bool utc, struct instant *at);

/* The wall clock. */
struct instant times_now(void);

#endif
