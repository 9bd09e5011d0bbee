/* log.h - one structured line an event on standard error, as logfmt or JSON. Never a payload, never a secret.
 *
 * log_open comes first, once; then any thread may log, and none ever waits for whoever reads the log: lines go into a queue of
 * LOG_QUEUE_BYTES, which a thread of the log's own empties. What finds it full is dropped and counted, and the count is a line of its own
 * once there is room. Lines are bounded: a value is cut at LOG_VALUE_BYTES_MAX, and what does not fit a line is left out, which cut=true
 * tells. */
#ifndef SAGA_OBSERVE_LOG_H
#define SAGA_OBSERVE_LOG_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/saga_id.h"

#include <stdbool.h>

#define LOG_LINE_SIZE       2048 /* with its newline; below PIPE_BUF, so that lines of several writers never mix */
#define LOG_VALUE_BYTES_MAX 512
#define LOG_QUEUE_BYTES     (256 * 1024)
/* Of one kind, which is a level above debug and a text, so many lines are written a second: a target that is away, or a thousand dead letters, flood
 * nothing. How many were left out is a line of its own, with the first that is logged in a later second. */
#define LOG_KIND_LINES 50

/* The graver, the smaller; numbered as config_log_level and config_log_format are. */
enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARN = 1, LOG_LEVEL_INFO = 2, LOG_LEVEL_DEBUG = 3 };
enum log_format { LOG_FORMAT_LOGFMT = 0, LOG_FORMAT_JSON = 1 };

struct log_options {
    uint32_t level; /* the least grave one to write */
    uint32_t format;
    int fd;
};

enum log_kind { LOG_KIND_TEXT = 1, LOG_KIND_NUMBER = 2, LOG_KIND_SAGA = 3 };

/* Made by the macros below; borrows its text. */
struct log_field {
    const char *name; /* letters and underscores, a constant of the code */
    enum log_kind kind;
    struct bytes text;
    int64_t number;
    struct saga_id saga;
};

#define LOG_TEXT(key, value) \
    { \
        .name = (key), .kind = LOG_KIND_TEXT, .text = bytes_of_text(value) \
    }
#define LOG_BYTES(key, value) \
    { \
        .name = (key), .kind = LOG_KIND_TEXT, .text = (value) \
    }
#define LOG_NUMBER(key, value) \
    { \
        .name = (key), .kind = LOG_KIND_NUMBER, .number = (int64_t)(value) \
    }
#define LOG_SAGA(value) \
    { \
        .name = "saga", .kind = LOG_KIND_SAGA, .saga = (value) \
    }

/* Begins the log's thread, with all signals blocked. Until then: info and graver, logfmt, standard error, written by whoever logs. */
void log_open(const struct log_options *options);

/* Waits until what is in the queue has been written, but no longer than `patience`: at the end of the process, a log that nobody reads
 * must not hold it. From any thread; afterwards lines may be lost. */
void log_close(struct span patience);

/* Takes effect for every line that follows. From any thread. */
void log_set_level(enum log_level level);

/* Whether lines of this level are written, for those who would have to gather what to say. */
bool log_wants(enum log_level level);

/* What a line says. Borrowed for the call. */
struct log_entry {
    struct instant at;
    enum log_level level;
    const char *text;
    const struct log_field *fields;
    size_t field_count;
};

/* From now on every line that is written is told to `hear`, too, by whichever thread logs, one at a time: it may neither wait nor log. NULL: to
 * nobody; the one before hears nothing any more once this returns. */
void log_listen(void (*hear)(void *self, const struct log_entry *entry), void *self);

/* log_event(LOG_LEVEL_WARN, "the journal is full", LOG_TEXT("path", path), LOG_NUMBER("bytes", n)); at least one field.
 */
#define log_event(level, text, ...) \
    log_write((level), (text), (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* The same without fields. */
#define log_say(level, text) log_write((level), (text), NULL, 0)

void log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

/* Writes the line of an event at `at` with its newline and a NUL, and returns its length. For log_write and tests. */
size_t log_line(enum log_format format, struct instant at, enum log_level level, const char *text,
                const struct log_field *fields, size_t count, char line[LOG_LINE_SIZE]);

#endif
