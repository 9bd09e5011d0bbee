/* screen.c - colours, columns and clean text. */
#include "client-lib/sagactl/screen.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static const char *const paints[PAINT_COUNT] = {"", "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[33m"};
#define PAINT_END "\033[0m"

static unsigned width_of(int fd)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    unsigned long width = columns == NULL ? 0 : strtoul(columns, NULL, 10);
    if (width == 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width == 0)
        return SCREEN_WIDTH_DEFAULT;
    return width < SCREEN_WIDTH_MIN ? SCREEN_WIDTH_MIN : width > SCREEN_WIDTH_MAX ? SCREEN_WIDTH_MAX : (unsigned)width;
}

void screen_init(struct screen *s, FILE *out, enum color color, bool utc)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    int fd = fileno(out);
    *s = (struct screen){.out = out, .utc = utc};
    s->terminal = fd >= 0 && isatty(fd);
    s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    s->width = width_of(fd);
    bool wanted = s->terminal && (no_color == NULL || no_color[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
    s->color = color == COLOR_ALWAYS || (color == COLOR_AUTO && wanted);
}

/* ---- clean text ---- */

/* Reads one character. Returns its bytes, or 0 when what stands there is not valid UTF-8 (RFC 3629: no overlong forms,
 * no surrogates). */
static size_t decode(const char *text, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *at = (const uint8_t *)text;
    if (at[0] < 0x80) {
        *point = at[0];
        return 1;
    }
    size_t size = at[0] >= 0xf0 && at[0] <= 0xf4  ? 4
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 2
                                                  : 0;
    if (size == 0)
        return 0;
    *point = at[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (at[i] & 0x3f);
    }
    bool valid = *point >= least[size] && *point <= 0x10ffff && (*point < 0xd800 || *point > 0xdfff);
    return valid ? size : 0;
}

/* Characters that are not seen but change how others are: marks of direction, joiners, line separators, tags. */
static bool hidden(uint32_t c)
{
    return c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

/* Columns of a character, or -1 when it is not to be shown as it is. */
static int columns_of(const struct screen *s, uint32_t c)
{
    if (c < 0x80)
        return c >= 0x20 && c != 0x7f ? 1 : -1;
    if (!s->utf8 || c < 0xa0 || hidden(c))
        return -1;
    return wcwidth((wchar_t)c);
}

/* Writes how the character at text is shown; *taken becomes its bytes in text. Returns the bytes written, at most 11.
 */
static size_t show(const struct screen *s, const char *text, char to[16], size_t *taken)
{
    uint32_t c = 0;
    *taken = decode(text, &c);
    if (*taken == 0) {
        *taken = 1;
        return (size_t)snprintf(to, 16, "\\x%02x", (uint8_t)text[0]);
    }
    if (columns_of(s, c) >= 0) {
        memcpy(to, text, *taken);
        return *taken;
    }
    const char *name = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : NULL;
    if (name != NULL)
        return (size_t)snprintf(to, 16, "%s", name);
    return (size_t)snprintf(to, 16, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
}

char *screen_clean(const struct screen *s, const char *text, char *to, size_t size)
{
    size_t used = 0, safe = 0; /* safe: where "..." would still fit */
    for (const char *at = text == NULL ? "" : text; *at != '\0';) {
        char piece[16];
        size_t taken, piece_size = show(s, at, piece, &taken);
        if (used + piece_size >= size) {
            memcpy(to + safe, "...", 4);
            return to;
        }
        memcpy(to + used, piece, piece_size);
        used += piece_size;
        at += taken;
        if (used + 4 <= size)
            safe = used;
    }
    to[used] = '\0';
    return to;
}

/* ---- columns ---- */

/* Of clean text: bytes and columns of the character at text. */
static size_t next_of(const struct screen *s, const char *text, unsigned *columns)
{
    uint32_t c = 0;
    size_t size = decode(text, &c);
    int width = size == 0 ? 1 : columns_of(s, c);
    *columns = width < 0 ? 1 : (unsigned)width;
    return size == 0 ? 1 : size;
}

unsigned screen_columns(const struct screen *s, const char *text)
{
    unsigned sum = 0, columns;
    while (*text != '\0') {
        text += next_of(s, text, &columns);
        sum += columns;
    }
    return sum;
}

const char *screen_break(const struct screen *s, const char *text, unsigned width, size_t *bytes)
{
    const char *at = text, *space = NULL;
    unsigned sum = 0;
    while (*at != '\0') {
        unsigned columns;
        size_t size = next_of(s, at, &columns);
        if (sum + columns > width && (at != text || *at == ' '))
            break;
        if (*at == ' ')
            space = at;
        sum += columns;
        at += size;
    }
    if (*at != '\0' && *at != ' ' && space != NULL && space != text)
        at = space;
    *bytes = (size_t)(at - text);
    return at + strspn(at, " ");
}

void screen_put(const struct screen *s, enum paint paint, const char *format, ...)
{
    bool painted = s->color && paint != PAINT_NONE;
    va_list arguments;
    va_start(arguments, format);
    if (painted)
        fputs(paints[paint], s->out);
    vfprintf(s->out, format, arguments);
    if (painted)
        fputs(PAINT_END, s->out);
    va_end(arguments);
}

void screen_cell(const struct screen *s, enum paint paint, const char *text, unsigned width)
{
    const char *at = text;
    unsigned sum = 0, whole = screen_columns(s, text), room = whole > width && width > 3 ? width - 3 : width;
    while (*at != '\0') {
        unsigned columns;
        size_t size = next_of(s, at, &columns);
        if (sum + columns > room)
            break;
        sum += columns;
        at += size;
    }
    const char *more = whole > width && width > 3 ? "..." : "";
    screen_put(s, paint, "%.*s%s", (int)(at - text), text, more);
    sum += (unsigned)strlen(more);
    fprintf(s->out, "%*s", (int)(width > sum ? width - sum : 0), "");
}

void screen_rest(const struct screen *s, enum paint paint, const char *text, unsigned used)
{
    unsigned width = s->width > used + 8 ? s->width - used : 8, columns = screen_columns(s, text);
    screen_cell(s, paint, text, columns < width ? columns : width);
}

void screen_wrap(const struct screen *s, enum paint paint, const char *text, unsigned indent, unsigned at)
{
    fprintf(s->out, "%*s", (int)(indent > at ? indent - at : 0), "");
    do {
        size_t bytes;
        const char *next = screen_break(s, text, s->width - indent, &bytes);
        screen_put(s, paint, "%.*s", (int)bytes, text);
        fputc('\n', s->out);
        text = next;
        if (*text != '\0')
            fprintf(s->out, "%*s", (int)indent, "");
    } while (*text != '\0');
}

char *screen_shell_word(const char *text, char *to, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+=,";
    size_t used = 0;
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        snprintf(to, size, "%s", text);
        return to;
    }
    to[used++] = '\'';
    for (; *text != '\0' && used + 6 < size; text++) {
        const char *piece = *text == '\'' ? "'\\''" : NULL;
        used += (size_t)(piece != NULL ? snprintf(to + used, size - used, "%s", piece)
                                       : snprintf(to + used, size - used, "%c", *text));
    }
    snprintf(to + used, size - used, "'");
    return to;
}
