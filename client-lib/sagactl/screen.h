/* screen.h - what is written for people: colours, columns, and text from outside made safe to look at.
 *
 * Whatever a participant, a client or a file has said may hold escape sequences that move a terminal's cursor, rename
 * its window or hide text. It reaches a screen only through screen_clean. */
#ifndef SAGACTL_SCREEN_H
#define SAGACTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sidecar/base/instant.h"

enum paint { PAINT_NONE, PAINT_STRONG, PAINT_DIM, PAINT_GOOD, PAINT_BAD, PAINT_WARN, PAINT_COUNT };

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct screen {
    FILE *out;
    bool terminal; /* out is one */
    bool color;
    bool utf8;      /* the locale's characters are UTF-8; else only ASCII is written */
    bool utc;       /* times are shown in UTC */
    unsigned width; /* columns, SCREEN_WIDTH_MIN to SCREEN_WIDTH_MAX */
    struct instant now;
};

#define SCREEN_WIDTH_MIN     80
#define SCREEN_WIDTH_MAX     200
#define SCREEN_WIDTH_DEFAULT 100

/* Looks at out, the environment and the locale. */
void screen_init(struct screen *s, FILE *out, enum color color, bool utc);

/* Writes text to `to` with its NUL, cut with "..." when it does not fit; size is at least 8. What could steer a
 * terminal or is not valid UTF-8 becomes \n, \t, \xNN or \u{NNNN}. text may be NULL. Returns to. */
char *screen_clean(const struct screen *s, const char *text, char *to, size_t size);

/* The columns that clean text takes. */
unsigned screen_columns(const struct screen *s, const char *text);

/* How much of clean text goes on a line of width columns: *bytes of it are shown, and the return value is where the
 * next line begins (at the end: the NUL). Breaks at a space if there is one. */
const char *screen_break(const struct screen *s, const char *text, unsigned width, size_t *bytes);

/* printf in a colour. The arguments must be clean. */
void screen_put(const struct screen *s, enum paint paint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Clean text in a column of width: cut when longer, filled with spaces when shorter. */
void screen_cell(const struct screen *s, enum paint paint, const char *text, unsigned width);

/* The last column: at most to the end of the line, of which `used` columns are taken. */
void screen_rest(const struct screen *s, enum paint paint, const char *text, unsigned used);

/* Clean text over as many lines as it takes, each after `indent` spaces, the first of them already written to column
 * `at`. */
void screen_wrap(const struct screen *s, enum paint paint, const char *text, unsigned indent, unsigned at);

/* Clean text as one word for a shell: as it is, or in quotes when a shell would see more in it. Returns to, cut when it
 * does not fit. */
char *screen_shell_word(const char *text, char *to, size_t size);

#endif
