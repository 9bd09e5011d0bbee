/* Regular expressions against a second reckoning: patterns are made by chance as trees and written out, and what of a text a tree matches is the set of
 * places where it may end, for each place where it may begin. Nothing is read, no machine is made, and nothing is shared with the room. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/regex.h"
#include "tests/support/by_chance.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATTERNS    3000
#define TEXTS       8
#define POINTS_MAX  9
#define NODES_MAX   400
#define MEMBERS_MAX 4
#define SIGN_KELVIN 0x212a
#define SIGN_LONG_S 0x17f

enum kind { EMPTY, POINT, ANY, CLASS, TEXT_BEGIN, TEXT_END, BEGIN, END, WORD, NO_WORD, BOTH, EITHER, REPEAT };

struct flags {
    bool fold, multi, dot_all;
};

/* Of a class: from first to last, or the class of this name. */
struct member {
    uint32_t first, last;
    const char *name; /* "d", "W", "^alpha" */
};

struct node {
    enum kind kind;
    struct flags flags;
    uint32_t point;
    bool negated;
    unsigned count; /* members */
    struct member members[MEMBERS_MAX];
    const struct node *a, *b;
    unsigned least, most; /* most is 0 when there is no end */
};

static const uint32_t points[] = {'a', 'A', 'b', 'z',  'k',  'K',  's',  '5',         '9',         '_',    ' ',
                                  '-', ':', ']', '\n', '\t', 0x7f, 0xe9, SIGN_KELVIN, SIGN_LONG_S, 0x1f600};

static struct node nodes[NODES_MAX];
static unsigned node_count, group_count;
static char pattern[4096];
static size_t size;

static void put(const char *text)
{
    size_t more = strlen(text);
    ck_assert_uint_lt(size + more, sizeof pattern);
    memcpy(pattern + size, text, more + 1);
    size += more;
}

static void put_point_raw(uint32_t p)
{
    char out[5] = {0};
    if (p < 0x80) {
        out[0] = (char)p;
    } else if (p < 0x800) {
        out[0] = (char)(0xc0 | p >> 6);
        out[1] = (char)(0x80 | (p & 0x3f));
    } else if (p < 0x10000) {
        out[0] = (char)(0xe0 | p >> 12);
        out[1] = (char)(0x80 | (p >> 6 & 0x3f));
        out[2] = (char)(0x80 | (p & 0x3f));
    } else {
        out[0] = (char)(0xf0 | p >> 18);
        out[1] = (char)(0x80 | (p >> 12 & 0x3f));
        out[2] = (char)(0x80 | (p >> 6 & 0x3f));
        out[3] = (char)(0x80 | (p & 0x3f));
    }
    put(out);
}

/* A point in one of the ways in which it may be written. */
static void put_point(uint32_t p)
{
    char out[16];
    unsigned way = by_chance(8);
    if (way == 0) {
        snprintf(out, sizeof out, by_chance(2) ? "\\x{%x}" : "\\x{%06X}", p);
    } else if (way == 1 && p < 0x80) {
        snprintf(out, sizeof out, by_chance(2) ? "\\x%02x" : "\\0%02o", p);
        if (out[1] == '0' && p > 077)
            snprintf(out, sizeof out, "\\x%02X", p);
    } else if (p == '\n' || p == '\t') {
        snprintf(out, sizeof out, p == '\n' ? "\\n" : "\\t");
    } else if (p == '-' || p == ']' || (p == ':' && way == 2)) {
        snprintf(out, sizeof out, "\\%c", (char)p);
    } else {
        put_point_raw(p);
        return;
    }
    put(out);
}

static struct node *add(enum kind kind, struct flags flags)
{
    ck_assert_uint_lt(node_count, NODES_MAX);
    nodes[node_count] = (struct node){.kind = kind, .flags = flags};
    return &nodes[node_count++];
}

/* (?i) takes no letters beyond ASCII. */
static uint32_t some_point(struct flags flags)
{
    uint32_t p = points[by_chance(sizeof points / sizeof *points)];
    return flags.fold && p > 0x7f ? 'k' : p;
}

static const char *const names[] = {"d",     "D",     "s",      "S",      "w",     "W",      "alnum", "alpha",
                                    "ascii", "blank", "cntrl",  "digit",  "graph", "lower",  "print", "punct",
                                    "space", "upper", "^upper", "^digit", "word",  "xdigit", "^word"};

static const struct node *make_class(struct flags flags)
{
    struct node *n = add(CLASS, flags);
    n->negated = by_chance(3) == 0;
    n->count = 1 + by_chance(MEMBERS_MAX);
    put(n->negated ? "[^" : "[");
    for (unsigned i = 0; i < n->count; i++) {
        struct member *m = &n->members[i];
        if (by_chance(3) == 0) {
            m->name = names[by_chance(sizeof names / sizeof *names)];
            put(strlen(m->name) == 1 ? "\\" : "[:");
            put(m->name);
            put(strlen(m->name) == 1 ? "" : ":]");
            continue;
        }
        m->first = m->last = some_point(flags);
        uint32_t other = some_point(flags);
        if (by_chance(2) == 0 && other >= m->first)
            m->last = other;
        put_point(m->first);
        if (m->last > m->first || by_chance(8) == 0) {
            put("-");
            put_point(m->last);
        }
    }
    put("]");
    return n;
}

static const struct node *make_either(struct flags flags, unsigned depth);

static const struct node *make_group(struct flags flags, unsigned depth)
{
    char text[24];
    switch (by_chance(6)) {
    case 0:
        snprintf(text, sizeof text, "(?P<g_%u>", ++group_count);
        break;
    case 1:
        snprintf(text, sizeof text, "(?<g%uZ9>", ++group_count);
        break;
    case 2:
        flags.fold = true;
        flags.multi = false;
        snprintf(text, sizeof text, "(?i-m:");
        break;
    case 3:
        flags.dot_all = true;
        flags.fold = false;
        snprintf(text, sizeof text, "(?sU-i:");
        break;
    case 4:
        flags.multi = true;
        flags.dot_all = false;
        snprintf(text, sizeof text, "(?m-s:");
        break;
    default:
        snprintf(text, sizeof text, by_chance(2) ? "(" : "(?:");
        break;
    }
    put(text);
    const struct node *n = make_either(flags, depth);
    put(")");
    return n;
}

static const struct node *make_atom(struct flags flags, unsigned depth, bool *counted)
{
    static const struct {
        const char *text;
        enum kind kind;
    } places[] = {{"^", BEGIN}, {"$", END}, {"\\A", TEXT_BEGIN}, {"\\z", TEXT_END}, {"\\b", WORD}, {"\\B", NO_WORD}};
    unsigned which = by_chance(depth > 0 ? 12 : 9);
    *counted = true;
    if (which < 4) {
        struct node *n = add(POINT, flags);
        n->point = some_point(flags);
        put_point(n->point);
        return n;
    }
    if (which < 7)
        return which < 6 ? make_class(flags) : (put("."), add(ANY, flags));
    if (which == 7) {
        struct node *n = add(CLASS, flags);
        char text[3] = {'\\', 0, 0};
        n->count = 1;
        n->members[0].name = names[by_chance(6)];
        text[1] = n->members[0].name[0];
        put(text);
        return n;
    }
    if (which == 8) {
        unsigned i = by_chance(sizeof places / sizeof *places);
        *counted = false;
        put(places[i].text);
        return add(places[i].kind, flags);
    }
    return make_group(flags, depth - 1);
}

static const struct node *make_repeat(struct flags flags, unsigned depth)
{
    bool counted;
    char text[16];
    const struct node *of = make_atom(flags, depth, &counted);
    if (!counted || by_chance(3) > 0)
        return of;
    struct node *n = add(REPEAT, flags);
    n->a = of;
    switch (by_chance(6)) {
    case 0:
        snprintf(text, sizeof text, "*");
        break;
    case 1:
        n->least = 1;
        snprintf(text, sizeof text, "+");
        break;
    case 2:
        n->most = 1;
        snprintf(text, sizeof text, "?");
        break;
    case 3:
        n->least = by_chance(4);
        snprintf(text, sizeof text, "{%u,}", n->least);
        break;
    case 4:
        n->least = n->most = 1 + by_chance(3);
        snprintf(text, sizeof text, "{%u}", n->least);
        break;
    default:
        n->least = by_chance(3);
        n->most = n->least + 1 + by_chance(2);
        snprintf(text, sizeof text, "{%u,%u}", n->least, n->most);
        break;
    }
    put(text);
    put(by_chance(4) == 0 ? "?" : "");
    return n;
}

/* Flags hold from where they stand to the end of the group around. */
static const struct node *make_sequence(struct flags *flags, unsigned depth)
{
    const struct node *all = add(EMPTY, *flags);
    for (unsigned i = by_chance(4); i > 0; i--) {
        if (by_chance(12) == 0) {
            bool on = by_chance(2) == 0;
            put(on ? "(?im)" : "(?-i)");
            flags->fold = on;
            flags->multi = on || flags->multi;
        }
        const struct node *next = make_repeat(*flags, depth);
        struct node *both = add(BOTH, *flags);
        both->a = all;
        both->b = next;
        all = both;
    }
    return all;
}

static const struct node *make_either(struct flags flags, unsigned depth)
{
    const struct node *all = make_sequence(&flags, depth);
    while (by_chance(4) == 0) {
        put("|");
        const struct node *other = make_sequence(&flags, depth);
        struct node *either = add(EITHER, flags);
        either->a = all;
        either->b = other;
        all = either;
    }
    return all;
}

/* ---- what matches ---- */

static uint32_t text[POINTS_MAX];
static unsigned text_points;

static bool is_word(uint32_t p)
{
    return (p >= 'a' && p <= 'z') || (p >= 'A' && p <= 'Z') || (p >= '0' && p <= '9') || p == '_';
}

static bool is_named(const char *name, uint32_t p)
{
    bool lower = p >= 'a' && p <= 'z', upper = p >= 'A' && p <= 'Z', digit = p >= '0' && p <= '9';
    if (name[0] == '^')
        return !is_named(name + 1, p);
    if (strlen(name) == 1) {
        bool is = (name[0] | 0x20) == 'd'   ? digit
                  : (name[0] | 0x20) == 'w' ? is_word(p)
                                            : p == ' ' || p == '\t' || p == '\n' || p == '\f' || p == '\r';
        return is == (name[0] >= 'a');
    }
    switch (name[0] << 8 | name[1]) {
    case 'a' << 8 | 'l':
        return lower || upper || (digit && name[2] == 'n');
    case 'a' << 8 | 's':
        return p < 0x80;
    case 'b' << 8 | 'l':
        return p == ' ' || p == '\t';
    case 'c' << 8 | 'n':
        return p < ' ' || p == 0x7f;
    case 'd' << 8 | 'i':
        return digit;
    case 'g' << 8 | 'r':
        return p > ' ' && p < 0x7f;
    case 'l' << 8 | 'o':
        return lower;
    case 'p' << 8 | 'r':
        return p >= ' ' && p < 0x7f;
    case 'p' << 8 | 'u':
        return p > ' ' && p < 0x7f && !lower && !upper && !digit;
    case 's' << 8 | 'p':
        return p == ' ' || (p >= 9 && p <= 13);
    case 'u' << 8 | 'p':
        return upper;
    case 'w' << 8 | 'o':
        return is_word(p);
    default:
        return digit || (p >= 'a' && p <= 'f') || (p >= 'A' && p <= 'F');
    }
}

/* The other forms of a letter, which (?i) takes for it: at most two. */
static unsigned forms(uint32_t p, uint32_t out[2])
{
    bool k = p == 'k' || p == 'K' || p == SIGN_KELVIN, s = p == 's' || p == 'S' || p == SIGN_LONG_S;
    const uint32_t all[] = {k ? 'k' : 's', k ? 'K' : 'S', k ? SIGN_KELVIN : SIGN_LONG_S};
    unsigned count = 0;
    if (k || s) {
        for (unsigned i = 0; i < 3; i++)
            if (all[i] != p)
                out[count++] = all[i];
        return count;
    }
    if ((p >= 'a' && p <= 'z') || (p >= 'A' && p <= 'Z'))
        out[count++] = p ^ 0x20;
    return count;
}

static bool is_member(const struct member *m, struct flags flags, uint32_t p)
{
    uint32_t other[2];
    bool is = m->name != NULL ? is_named(m->name[0] == '^' ? m->name + 1 : m->name, p) : p >= m->first && p <= m->last;
    bool folds = flags.fold && (m->name == NULL || strlen(m->name) > 1);
    for (unsigned i = folds ? forms(p, other) : 0; i > 0 && !is; i--)
        is = m->name != NULL ? is_named(m->name[0] == '^' ? m->name + 1 : m->name, other[i - 1])
                             : other[i - 1] >= m->first && other[i - 1] <= m->last;
    return is != (m->name != NULL && m->name[0] == '^');
}

/* Whether one point is what the node wants. */
static bool takes(const struct node *n, uint32_t p)
{
    if (n->kind == ANY)
        return p != '\n' || n->flags.dot_all;
    if (n->kind == POINT)
        return is_member(&(struct member){.first = n->point, .last = n->point}, n->flags, p);
    bool any = false;
    for (unsigned i = 0; i < n->count; i++)
        any = any || is_member(&n->members[i], n->flags, p);
    return any != n->negated;
}

static bool holds(const struct node *n, unsigned at)
{
    bool begin = at == 0, end = at == text_points;
    bool word = (!begin && is_word(text[at - 1])) != (!end && is_word(text[at]));
    switch (n->kind) {
    case TEXT_BEGIN:
        return begin;
    case TEXT_END:
        return end;
    case BEGIN:
        return begin || (n->flags.multi && text[at - 1] == '\n');
    case END:
        return end || (n->flags.multi && text[at] == '\n');
    case WORD:
        return word;
    default:
        return !word;
    }
}

/* The places, a bit each, where the node may end that begins at one of these. */
static uint32_t ends(const struct node *n, uint32_t from)
{
    uint32_t to = 0;
    switch (n->kind) {
    case EMPTY:
        return from;
    case BOTH:
        return ends(n->b, ends(n->a, from));
    case EITHER:
        return ends(n->a, from) | ends(n->b, from);
    case REPEAT:
        for (unsigned i = 0; i < n->least; i++)
            from = ends(n->a, from);
        for (unsigned i = n->least; n->most == 0 ? (from | ends(n->a, from)) != from : i < n->most; i++)
            from |= ends(n->a, from);
        return from;
    case POINT:
    case ANY:
    case CLASS:
        for (unsigned i = 0; i < text_points; i++)
            if ((from >> i & 1) != 0 && takes(n, text[i]))
                to |= UINT32_C(1) << (i + 1);
        return to;
    default:
        for (unsigned i = 0; i <= text_points; i++)
            if ((from >> i & 1) != 0 && holds(n, i))
                to |= UINT32_C(1) << i;
        return to;
    }
}

START_TEST(regex__matches_what_a_second_reckoning_matches)
{
    struct pool pool;
    unsigned matched = 0;
    pool_init(&pool, &heap, 4 << 20);
    by_chance_seed(20261130);
    for (unsigned i = 0; i < PATTERNS; i++) {
        struct pool_mark mark = pool_mark(&pool);
        const char *wrong = NULL;
        size = node_count = group_count = 0;
        pattern[0] = '\0';
        const struct node *root = make_either((struct flags){.fold = false}, 2);
        char made[sizeof pattern];
        memcpy(made, pattern, sizeof made);
        const struct regex *r = regex_make(bytes_of_text(made), &pool, &wrong);
        ck_assert_msg(r != NULL, "%s: %s", made, wrong);
        for (unsigned t = 0; t < TEXTS; t++) {
            text_points = by_chance(POINTS_MAX);
            size = 0;
            pattern[0] = '\0';
            for (unsigned k = 0; k < text_points; k++)
                put_point_raw(text[k] = points[by_chance(sizeof points / sizeof *points)]);
            bool expected = ends(root, (UINT32_C(2) << text_points) - 1) != 0;
            matched += expected;
            ck_assert_msg(regex_matches(r, bytes_of_text(pattern), &pool) == expected,
                          "%u: %s with \"%s\" should%s match", i, made, pattern, expected ? "" : " not");
        }
        pool_rewind(&pool, mark);
    }
    /* Neither nearly all nor nearly none. */
    ck_assert_uint_gt(matched, PATTERNS * TEXTS / 5);
    ck_assert_uint_lt(matched, PATTERNS * TEXTS * 4 / 5);
    pool_finish(&pool);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("regex_reckoning");
    tcase_set_timeout(c, 30);
    Suite *s = suite_create("regex_reckoning");
    tcase_add_test(c, regex__matches_what_a_second_reckoning_matches);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
