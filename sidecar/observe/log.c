/* log.c - builds a line in a buffer of fixed size, and hands it to whoever writes (log_writer.c). */
#include "sidecar/observe/log_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/* What must still fit behind the last field: ` cut=true` or `,"cut":true}`, the newline and the NUL. */
#define END_SIZE 16
/* One character escaped, at its longest. */
#define ESCAPE_SIZE 8

static atomic_uint wanted = LOG_LEVEL_INFO; /* the least grave level that is written */
static uint32_t format = LOG_FORMAT_LOGFMT;

/* A line while it is built. Once something did not fit, full is set, and the line goes back to where the field began.
 */
struct builder {
    char *line;
    size_t used;
    bool full;
    bool json;
};

static void put(struct builder *b, const char *text, size_t size)
{
    if (b->full || size > LOG_LINE_SIZE - END_SIZE - b->used) {
        b->full = true;
        return;
    }
    memcpy(b->line + b->used, text, size);
    b->used += size;
}

static void put_text(struct builder *b, const char *text)
{
    put(b, text, strlen(text));
}

/* Reads one character of UTF-8. Returns its length, or 0 when the bytes are not one (too long a form and surrogates
 * included). */
static size_t read_character(const uint8_t *at, size_t size, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > size)
        return 0;
    *character = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        *character = *character << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = *character >= 0xd800 && *character <= 0xdfff;
    return *character < least[length] || *character > 0x10ffff || surrogate ? 0 : length;
}

/* Control characters would let a value forge a line or steer a terminal; those above 0x7f do so too. */
static bool is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

static void put_character(struct builder *b, const uint8_t *at, size_t length, uint32_t character)
{
    char escape[ESCAPE_SIZE];
    if (length == 0)
        put_text(b, "\\ufffd");
    else if (character == '"' || character == '\\')
        put(b, escape, (size_t)snprintf(escape, sizeof escape, "\\%c", (char)character));
    else if (character == '\n')
        put_text(b, "\\n");
    else if (character == '\t')
        put_text(b, "\\t");
    else if (is_control(character))
        put(b, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(character & 0xff)));
    else
        put(b, (const char *)at, length);
}

/* Whether logfmt can do without quotes: visible ASCII without what means something there. */
static bool is_bare(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~' || text.at[i] == '"' || text.at[i] == '=' || text.at[i] == '\\')
            return false;
    return text.size > 0 && text.size <= LOG_VALUE_BYTES_MAX;
}

static void put_value(struct builder *b, struct bytes text)
{
    if (!b->json && is_bare(text)) {
        put(b, (const char *)text.at, text.size);
        return;
    }
    put_text(b, "\"");
    size_t i = 0;
    while (i < text.size && i < LOG_VALUE_BYTES_MAX) {
        uint32_t character = 0;
        size_t length = read_character(text.at + i, text.size - i, &character);
        put_character(b, text.at + i, length, character);
        i += length == 0 ? 1 : length;
    }
    put_text(b, i < text.size ? "...\"" : "\"");
}

static void put_name(struct builder *b, const char *name)
{
    if (b->json) {
        put_text(b, b->used == 0 ? "{\"" : ",\"");
        put_text(b, name);
        put_text(b, "\":");
    } else {
        put_text(b, b->used == 0 ? "" : " ");
        put_text(b, name);
        put_text(b, "=");
    }
}

/* Puts a field, or nothing of it. */
static void put_field(struct builder *b, const struct log_field *field)
{
    char text[SAGA_ID_TEXT_SIZE];
    size_t before = b->used;
    put_name(b, field->name);
    if (field->kind == LOG_KIND_NUMBER) {
        put(b, text, (size_t)snprintf(text, sizeof text, "%" PRId64, field->number));
    } else if (field->kind == LOG_KIND_SAGA) {
        size_t size = saga_id_format(field->saga, text);
        put_value(b, bytes_of(text, size));
    } else {
        put_value(b, field->text);
    }
    if (b->full)
        b->used = before;
}

/* RFC 3339 in UTC, to the microsecond. */
static void write_time(struct instant at, char text[40])
{
    struct tm tm;
    time_t seconds = (time_t)(at.us / 1000000);
    char whole[24] = "";
    if (gmtime_r(&seconds, &tm) != NULL)
        strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, 40, "%s.%06uZ", whole, (unsigned)(at.us % 1000000));
}

size_t log_line(enum log_format form, struct instant at, enum log_level level, const char *text,
                const struct log_field *fields, size_t count, char line[LOG_LINE_SIZE])
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct builder b = {.line = line, .json = form == LOG_FORMAT_JSON};
    char time[40];
    write_time(at, time);
    const struct log_field head[] = {LOG_TEXT("time", time), LOG_TEXT("level", levels[level]), LOG_TEXT("msg", text)};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        put_field(&b, &head[i]);
    bool cut = false;
    for (size_t i = 0; i < count; i++) {
        put_field(&b, &fields[i]);
        cut |= b.full;
        b.full = false;
    }
    const char *end = b.json ? cut ? ",\"cut\":true}\n" : "}\n" : cut ? " cut=true\n" : "\n";
    memcpy(line + b.used, end, strlen(end) + 1);
    return b.used + strlen(end);
}

void log_open(const struct log_options *options)
{
    atomic_store(&wanted, options->level);
    format = options->format;
    log_writer_open(options->fd);
}

void log_set_level(enum log_level level)
{
    atomic_store(&wanted, level);
}

bool log_wants(enum log_level level)
{
    return level <= atomic_load_explicit(&wanted, memory_order_relaxed);
}

static struct instant wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct instant){.us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000};
}

size_t log_line_now(enum log_level level, const char *text, const struct log_field *fields, size_t count,
                    char line[LOG_LINE_SIZE])
{
    return log_line((enum log_format)format, wall_now(), level, text, fields, count, line);
}

/* ---- who listens ---- */

static struct {
    pthread_mutex_t lock;
    atomic_bool there;
    void (*hear)(void *self, const struct log_entry *entry);
    void *self;
} listener = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_listen(void (*hear)(void *self, const struct log_entry *entry), void *self)
{
    pthread_mutex_lock(&listener.lock);
    listener.hear = hear;
    listener.self = self;
    atomic_store(&listener.there, hear != NULL);
    pthread_mutex_unlock(&listener.lock);
}

static void tell_listener(const struct log_entry *entry)
{
    if (!atomic_load_explicit(&listener.there, memory_order_relaxed))
        return;
    pthread_mutex_lock(&listener.lock);
    if (listener.hear != NULL)
        listener.hear(listener.self, entry);
    pthread_mutex_unlock(&listener.lock);
}

/* ---- kinds ---- */

/* A text of the code, and what was written of it in a second. Those that find no place are not counted. */
static struct kind {
    _Atomic(const char *) text;
    _Atomic int64_t second;
    atomic_uint lines, left_out;
} kinds[128];

static struct kind *kind_of(const char *text)
{
    size_t from = ((uintptr_t)text >> 3) * 2654435761u;
    for (unsigned i = 0; i < 8; i++) {
        struct kind *k = &kinds[(from + i) % (sizeof kinds / sizeof kinds[0])];
        const char *there = NULL;
        if (atomic_load(&k->text) == text || atomic_compare_exchange_strong(&k->text, &there, text) || there == text)
            return k;
    }
    return NULL;
}

static void put_line(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    char line[LOG_LINE_SIZE];
    const struct log_entry entry = {
        .at = wall_now(), .level = level, .text = text, .fields = fields, .field_count = count};
    log_writer_put(line, log_line((enum log_format)format, entry.at, level, text, fields, count, line));
    tell_listener(&entry);
}

/* Says of what lines were left out in seconds that are over. */
static void tell_left_out(int64_t second)
{
    static _Atomic int64_t told;
    if (atomic_exchange(&told, second) == second)
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct kind *k = &kinds[i];
        const char *text = atomic_load(&k->text);
        unsigned left_out = text == NULL || atomic_load(&k->second) == second ? 0 : atomic_exchange(&k->left_out, 0);
        const struct log_field fields[] = {LOG_TEXT("what", text), LOG_NUMBER("lines", left_out)};
        if (left_out > 0)
            put_line(LOG_LEVEL_WARN, "lines were left out: there were too many of this kind in a second", fields, 2);
    }
}

/* Whether a line of this kind may be written now. */
static bool may_write(enum log_level level, const char *text)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell_left_out(now.tv_sec);
    struct kind *k = level >= LOG_LEVEL_DEBUG ? NULL : kind_of(text);
    if (k == NULL)
        return true;
    if (atomic_exchange(&k->second, now.tv_sec) != now.tv_sec)
        atomic_store(&k->lines, 0);
    if (atomic_fetch_add(&k->lines, 1) < LOG_KIND_LINES)
        return true;
    atomic_fetch_add(&k->left_out, 1);
    return false;
}

void log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
    if (!log_wants(level))
        return;
    int before = errno;
    if (may_write(level, text))
        put_line(level, text, fields, count);
    errno = before;
}
