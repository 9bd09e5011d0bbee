/* screens.h - command lines of sagactl run whole, against a sidecar that answers as a table says: all that they ask, write, complain of and end with,
 * as lines. */
#ifndef SAGA_TESTS_SCREENS_H
#define SAGA_TESTS_SCREENS_H

#include "tests/support/answering_sidecar.h"

/* ---- one run ---- */

/* Clears the environment of what sagactl looks at, and sets a time zone and a locale. */
static inline void screens_begin(void)
{
    static const char *const without[] = {"SAGAD_ADDRESS", "COLUMNS", "NO_COLOR", "TERM", "LANG", "LC_CTYPE"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        unsetenv(without[i]);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TZ", "XYZ-5:30", 1);
    setenv("USER", "anna", 1);
    tzset();
}

/* Parts the words of a line, in place. */
static int words_of(char *at, char *argv[], int max)
{
    int argc = 0;
    for (at += strspn(at, " "); *at != '\0' && argc < max - 1; at += strspn(at, " ")) {
        bool whole = *at == '\'';
        argv[argc++] = at += whole;
        at += strcspn(at, whole ? "'" : " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    argv[argc] = NULL;
    return argc;
}

/* Whether a byte above ASCII stands alone: it follows no other, and none follows it. */
static bool is_broken(const char *text)
{
    bool lead = (*text & 0xc0) == 0xc0, follows = (*text & 0xc0) == 0x80;
    return (lead && (text[1] & 0xc0) != 0x80) || (follows && (text[-1] & 0x80) == 0);
}

/* Text of the program: escape sequences of colours as <31>, others by their names, and bytes that are no UTF-8 in hexadecimal. */
static void put_text(FILE *out, const char *text, const char *prefix)
{
    bool begins = true;
    for (; *text != '\0'; text++) {
        if (begins)
            fputs(prefix, out);
        begins = *text == '\n';
        size_t digits = text[0] == '\033' && text[1] == '[' ? strspn(text + 2, "0123456789") : 0;
        if (digits > 0 && text[2 + digits] == 'm') {
            fprintf(out, "<%.*s>", (int)digits, text + 2);
            text += 2 + digits;
        } else if (is_broken(text)) {
            fprintf(out, "<%02x>", (unsigned char)*text);
        } else if (*text == '\033' || *text == '\r') {
            fprintf(out, "<%s>", *text == '\r' ? "cr" : "esc");
        } else {
            fputc(*text, out);
        }
    }
    if (!begins)
        fputs("\\\n", out);
}

/* Gives all that a run does, as lines. nowhere: it can write nothing. */
static char *run(const struct screen_row *row, bool nowhere)
{
    char line[2048], *argv[64] = {(char *)(uintptr_t) "sagactl"}, *all, *written = NULL, *complained;
    size_t size, written_size, complained_size;
    now_row = row;
    memset(given, 0, sizeof given);
    no_pause_ns = 0;
    streams = 0;
    ck_assert_uint_lt(strlen(row->line), sizeof line);
    strcpy(line, row->line);
    FILE *both = asked = open_memstream(&all, &size),
         *out = nowhere ? fopen("/dev/full", "w") : open_memstream(&written, &written_size),
         *err = open_memstream(&complained, &complained_size);
    int argc = 1 + words_of(line, argv + 1, 63), status = run_main(argc, argv, out, err);
    fclose(out);
    fclose(err);
    if (written != NULL)
        put_text(both, written, "");
    put_text(both, complained, "! ");
    if (status != 0)
        fprintf(both, "exit status %d\n", status);
    if (no_pause_ns > 0)
        fprintf(both, "after a while\n");
    fclose(both);
    free(written);
    free(complained);
    return all;
}

static void open_row(const struct screen_row *row)
{
    for (size_t i = 0; i < SCREEN_ANSWERS; i++)
        messages[i] = row->answers[i].type == NULL ? NULL : message_of_text(row->answers[i].type, row->answers[i].text);
}

static void close_row(void)
{
    for (size_t i = 0; i < SCREEN_ANSWERS; i++)
        if (messages[i] != NULL)
            protobuf_c_message_free_unpacked(messages[i], NULL);
}

/* Lets sagactl run once: the line, what was asked as JSON, what was written (of escape sequences only the number, as in <31>), complaints behind "! ",
 * and the exit status. */
static inline void screens_put(FILE *out, const struct screen_row *row)
{
    open_row(row);
    char *all = run(row, false);
    fprintf(out, "\n$ sagactl %s\n%s", row->line, all);
    free(all);
    close_row();
}

/* The same where nothing can be written but complaints. */
static inline void screens_put_nowhere(FILE *out, const struct screen_row *row)
{
    open_row(row);
    char *all = run(row, true);
    fprintf(out, "\n$ sagactl %s >/dev/full\n%s", row->line, all);
    free(all);
    close_row();
}

static inline void screens_put_line(FILE *out, const char *line)
{
    struct screen_row row = {.line = line};
    screens_put(out, &row);
}

/* ---- changes ---- */

struct changing {
    FILE *out;
    const struct screen_row *row;
    const char *base, *method; /* method: NULL where there is but one answer */
    char *last;                /* what the last change did, as lines */
    char *same;                /* changes that do nothing */
    size_t same_size;
    FILE *sames;
    size_t same_size_line;
    char same_path[256], last_path[256];
};

#define LINES_MAX 256

struct lines {
    const char *at[LINES_MAX];
    size_t count;
};

static void part_lines(const char *text, struct lines *l)
{
    for (l->count = 0; *text != '\0'; text += strcspn(text, "\n") + 1) {
        ck_assert_uint_lt(l->count, LINES_MAX);
        l->at[l->count++] = text;
    }
}

static bool same_line(const char *a, const char *b)
{
    size_t size = strcspn(a, "\n");
    return strncmp(a, b, size + 1) == 0;
}

/* Gives how the second text is other than the first: the numbers of the lines of the first that are gone, and what stands there instead. */
static char *difference(const char *was_text, const char *is_text)
{
    static unsigned short common[LINES_MAX + 1][LINES_MAX + 1]; /* lines of what is left of both */
    struct lines was, is;
    char *text, *added;
    size_t size, added_size, i = 0, k = 0;
    part_lines(was_text, &was);
    part_lines(is_text, &is);
    size_t head = 0, tail = 0; /* lines of both that are not looked at one by one */
    while (head < was.count && head < is.count && same_line(was.at[head], is.at[head]))
        head++;
    while (tail < was.count - head && tail < is.count - head &&
           same_line(was.at[was.count - 1 - tail], is.at[is.count - 1 - tail]))
        tail++;
    was.count -= tail;
    is.count -= tail;
    i = k = head;
    for (size_t w = head; w <= was.count; w++)
        common[w][is.count] = 0;
    for (size_t n = head; n <= is.count; n++)
        common[was.count][n] = 0;
    for (size_t w = was.count; w-- > head;)
        for (size_t n = is.count; n-- > head;) {
            unsigned short longer = common[w + 1][n] > common[w][n + 1] ? common[w + 1][n] : common[w][n + 1];
            common[w][n] = same_line(was.at[w], is.at[n]) ? common[w + 1][n + 1] + 1 : longer;
        }
    FILE *out = open_memstream(&text, &size), *more = open_memstream(&added, &added_size);
    while (i < was.count || k < is.count) {
        if (i < was.count && k < is.count && same_line(was.at[i], is.at[k])) {
            i++;
            k++;
        } else if (k == is.count || (i < was.count && common[i + 1][k] >= common[i][k + 1])) {
            size_t first = i;
            while (i < was.count &&
                   (k == is.count || (!same_line(was.at[i], is.at[k]) && common[i + 1][k] >= common[i][k + 1])))
                i++;
            fprintf(out, i - first == 1 ? " -%zu" : " -%zu..%zu", first + 1, i);
        } else {
            fprintf(more, "    %zu: %.*s\n", i, (int)strcspn(is.at[k], "\n"), is.at[k]);
            k++;
        }
    }
    fclose(more);
    fprintf(out, "\n%s", added);
    fclose(out);
    free(added);
    return text;
}

/* Values of one field that do the same stand together. */
static void put_path(FILE *out, char last[256], const char *path, const char *value, const char *between)
{
    if (strcmp(last, path) == 0)
        fprintf(out, ", %s", value);
    else
        fprintf(out, "%s%s = %s", last[0] == '\0' ? "" : between, path, value);
    snprintf(last, 256, "%s", path);
}

static void end_last(struct changing *c)
{
    if (c->last != NULL)
        fputs(c->last, c->out);
    free(c->last);
    c->last = NULL;
    c->last_path[0] = '\0';
}

static void take_change(void *self, const char *path, const char *value)
{
    struct changing *c = self;
    char whole[256], *text = run(c->row, false);
    snprintf(whole, sizeof whole, "%s%s%s", c->method == NULL ? "" : c->method, c->method == NULL ? "" : " ", path);
    if (strcmp(text, c->base) == 0) {
        bool full = c->same_size_line > 120;
        put_path(c->sames, c->same_path, whole, value, full ? "\n    " : "; ");
        c->same_size_line = (full ? 0 : c->same_size_line) + strlen(value) + 24;
        free(text);
        return;
    }
    char *now = difference(c->base, text);
    free(text);
    if (c->last != NULL && (strcmp(c->last, now) != 0 || strcmp(c->last_path, whole) != 0))
        end_last(c);
    put_path(c->out, c->last_path, whole, value, "");
    free(c->last);
    c->last = now;
}

/* The same for a screen that is painted; then, for every field of every answer changed in turn, what is then other than it was: the
 * numbers of the lines that are gone, and those that stand there instead, behind which line. What changes nothing is told in the end. */
static inline void screens_vary(FILE *out, const struct screen_row *row)
{
    char line[2048];
    struct screen_row painted = *row;
    snprintf(line, sizeof line, "%s --color always", row->line);
    painted.line = line;
    screens_put(out, &painted);
    open_row(row);
    char *base = run(&painted, false);
    struct changing c = {.out = out, .row = &painted, .base = base};
    c.sames = open_memstream(&c.same, &c.same_size);
    for (size_t i = 0; i < SCREEN_ANSWERS; i++) {
        c.method = row->answers[1].method == NULL ? NULL : row->answers[i].method;
        if (messages[i] != NULL && (row->varied == 0 || i < row->varied))
            message_vary(messages[i], take_change, &c);
        end_last(&c);
    }
    fclose(c.sames);
    fprintf(out, "nothing is other for %s\n", c.same);
    free(c.same);
    free(base);
    close_row();
}

#endif
