/* A pattern becomes a program for Thompson's machine: all ways of matching go on side by side, each state at most once for every code point. */
#include "sidecar/expression/regex.h"

#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"

#include <stdbool.h>

#define POINT_MAX       0x10ffff
#define GROUP_DEPTH_MAX 100
#define REPEAT_MAX      1000 /* as RE2 has it */

enum state_kind {
    STATE_SET,   /* a code point out of ranges, then next */
    STATE_SPLIT, /* next and other */
    STATE_JUMP,  /* next */
    STATE_ASSERT,
    STATE_MATCH,
};

enum assertion { ASSERT_TEXT_BEGIN, ASSERT_TEXT_END, ASSERT_LINE_BEGIN, ASSERT_LINE_END, ASSERT_WORD, ASSERT_NO_WORD };

struct range {
    uint32_t first, last;
};

struct state {
    enum state_kind kind;
    enum assertion assertion;
    uint32_t next, other;
    uint32_t range, ranges; /* of a set: where its ranges are, and how many */
};

struct regex {
    struct state *states;
    uint32_t count;
    struct range *ranges;
};

/* Flags as (?i) sets them. */
struct flags {
    bool fold, multi, dot_all;
};

struct maker {
    struct bytes text;
    size_t at;
    struct pool *pool;
    const char *wrong;
    struct regex *regex;
    uint32_t ranges, range_room, state_room;
    unsigned depth;
    struct flags flags;
};

/* A piece of the program: it is entered at first, and what comes after it stands behind its last state. All pieces are contiguous, so that a
 * repetition copies one by adding to its numbers. */
struct piece {
    uint32_t first, end;
};

const char regex_no_room[] = "the regular expression needs more memory than it may have";

static struct piece alternatives(struct maker *m);

static void refuse(struct maker *m, const char *wrong)
{
    if (m->wrong == NULL)
        m->wrong = wrong;
}

static int peek(const struct maker *m)
{
    return m->at < m->text.size ? m->text.at[m->at] : -1;
}

/* Behind what is wrong nothing is read: that may be the end. */
static bool accept(struct maker *m, const char *text)
{
    size_t size = strlen(text);
    if (m->wrong != NULL || m->text.size - m->at < size || memcmp(m->text.at + m->at, text, size) != 0)
        return false;
    m->at += size;
    return true;
}

static uint32_t next_point(struct maker *m)
{
    size_t size = utf8_sequence_size(bytes_of(m->text.at + m->at, m->text.size - m->at));
    if (size == 0) {
        refuse(m, "the regular expression is not valid UTF-8");
        return 0;
    }
    uint32_t point = utf8_decode(m->text.at + m->at, size);
    m->at += size;
    return point;
}

static uint32_t add(struct maker *m, struct state state)
{
    if (m->regex->count == REGEX_STATES_MAX) {
        refuse(m, "the regular expression becomes larger than 2000 states");
        return 0;
    }
    if (m->regex->count == m->state_room) {
        uint32_t room = m->state_room == 0 ? 32 : 2 * m->state_room;
        struct state *more = pool_grow(m->pool, m->regex->states, m->state_room * sizeof *more, room * sizeof *more);
        if (more == NULL) {
            refuse(m, regex_no_room);
            return 0;
        }
        m->regex->states = more;
        m->state_room = room;
    }
    m->regex->states[m->regex->count] = state;
    return m->regex->count++;
}

static struct piece empty(struct maker *m)
{
    return (struct piece){.first = m->regex->count, .end = m->regex->count};
}

static void add_range(struct maker *m, uint32_t first, uint32_t last)
{
    if (m->ranges == m->range_room) {
        uint32_t room = m->range_room == 0 ? 64 : 2 * m->range_room;
        struct range *more = pool_grow(m->pool, m->regex->ranges, m->range_room * sizeof *more, room * sizeof *more);
        if (more == NULL) {
            refuse(m, regex_no_room);
            return;
        }
        m->regex->ranges = more;
        m->range_room = room;
    }
    m->regex->ranges[m->ranges++] = (struct range){first, last};
}

static bool is_letter(uint32_t point)
{
    return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
}

/* The range, and with (?i) its letters in the other case, too. Beyond ASCII that would take Unicode's tables. */
static void add_folded(struct maker *m, uint32_t first, uint32_t last)
{
    add_range(m, first, last);
    if (!m->flags.fold)
        return;
    if (last > 0x7f) {
        refuse(m, "(?i) is not supported for letters beyond ASCII");
        return;
    }
    for (uint32_t c = first; c <= last; c++) {
        if (!is_letter(c))
            continue;
        add_range(m, c ^ 0x20, c ^ 0x20);
        /* Two letters have a third form: the Kelvin sign, the long s. */
        if ((c | 0x20) == 'k')
            add_range(m, 0x212a, 0x212a);
        if ((c | 0x20) == 's')
            add_range(m, 0x17f, 0x17f);
    }
}

static struct piece set(struct maker *m, uint32_t first_range)
{
    uint32_t at = add(m, (struct state){.kind = STATE_SET, .range = first_range, .ranges = m->ranges - first_range});
    if (m->wrong == NULL)
        m->regex->states[at].next = at + 1;
    return (struct piece){.first = at, .end = m->regex->count};
}

/* Turns the ranges from first on into all other code points. */
static void invert(struct maker *m, uint32_t first)
{
    if (m->wrong != NULL)
        return;
    struct range *r = m->regex->ranges + first;
    uint32_t count = m->ranges - first;
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = i; k > 0 && r[k].first < r[k - 1].first; k--) {
            struct range moved = r[k];
            r[k] = r[k - 1];
            r[k - 1] = moved;
        }
    struct range *copy = pool_take(m->pool, (count + 1) * sizeof *copy);
    if (copy == NULL) {
        refuse(m, regex_no_room);
        return;
    }
    memcpy(copy, r, count * sizeof *copy);
    m->ranges = first;
    uint32_t from = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (copy[i].first > from)
            add_range(m, from, copy[i].first - 1);
        if (copy[i].last + 1 > from)
            from = copy[i].last + 1;
    }
    if (from <= POINT_MAX)
        add_range(m, from, POINT_MAX);
}

/* \d \s \w and their opposites. False when c is none of them. */
static bool perl_class(struct maker *m, int c)
{
    uint32_t first = m->ranges;
    switch (c | 0x20) {
    case 'd':
        add_range(m, '0', '9');
        break;
    case 's':
        add_range(m, '\t', '\n');
        add_range(m, '\f', '\r');
        add_range(m, ' ', ' ');
        break;
    case 'w':
        add_range(m, '0', '9');
        add_range(m, 'A', 'Z');
        add_range(m, '_', '_');
        add_range(m, 'a', 'z');
        break;
    default:
        return false;
    }
    if (c < 'a')
        invert(m, first);
    return true;
}

static const struct {
    const char *name;
    struct range ranges[4];
} posix[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{0, 0x7f}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

/* Behind "[:" within a class. */
static void posix_class(struct maker *m)
{
    bool negated = accept(m, "^");
    for (size_t i = 0; i < sizeof posix / sizeof *posix; i++) {
        size_t before = m->at;
        if (!accept(m, posix[i].name) || !accept(m, ":]")) {
            m->at = before;
            continue;
        }
        uint32_t first = m->ranges;
        for (unsigned k = 0; k < 4 && posix[i].ranges[k].last != 0; k++)
            add_folded(m, posix[i].ranges[k].first, posix[i].ranges[k].last);
        if (negated)
            invert(m, first);
        return;
    }
    refuse(m, "the regular expression has an unknown class [:...:]");
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind \x: two digits, or any count in braces. */
static uint32_t hexadecimal(struct maker *m)
{
    bool braces = accept(m, "{");
    uint32_t point = 0;
    unsigned digits = 0;
    for (; (braces || digits < 2) && hex_digit(peek(m)) >= 0 && point <= POINT_MAX; digits++)
        point = point * 16 + (uint32_t)hex_digit(m->text.at[m->at++]);
    if (digits == 0 || (!braces && digits != 2) || (braces && !accept(m, "}")) || point > POINT_MAX)
        refuse(m, "the regular expression has a wrong \\x escape");
    return point;
}

/* A code point behind a backslash that is no class. */
static uint32_t escaped_point(struct maker *m)
{
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
    int c = peek(m);
    if (c < 0) {
        refuse(m, "the regular expression ends in a backslash");
        return 0;
    }
    const char *found = c == 0 ? NULL : memchr(from, c, sizeof from - 1);
    if (found != NULL) {
        m->at++;
        return (uint32_t)to[found - from];
    }
    if (accept(m, "x"))
        return hexadecimal(m);
    if (c == 'p' || c == 'P')
        refuse(m, "Unicode classes (\\p) are not supported in regular expressions");
    else if (c == 'Q')
        refuse(m, "\\Q is not supported in regular expressions");
    else if (c == 'C')
        refuse(m, "\\C is not supported in regular expressions");
    else if (c >= '1' && c <= '9')
        refuse(m, "regular expressions have no back references");
    else if (c == '0') {
        uint32_t point = 0;
        for (unsigned i = 0; i < 3 && peek(m) >= '0' && peek(m) <= '7'; i++)
            point = point * 8 + (uint32_t)(m->text.at[m->at++] - '0');
        return point;
    } else if (is_letter((uint32_t)c) || c >= 0x80)
        refuse(m, "the regular expression has an unknown escape");
    m->at++;
    return (uint32_t)c;
}

/* One member of a class, or one end of a range of it. */
static uint32_t class_point(struct maker *m)
{
    return accept(m, "\\") ? escaped_point(m) : next_point(m);
}

/* Behind "[". */
static struct piece class(struct maker *m)
{
    uint32_t first = m->ranges;
    bool negated = accept(m, "^");
    for (bool begin = true; m->wrong == NULL && (begin || peek(m) != ']'); begin = false) {
        if (peek(m) < 0) {
            refuse(m, "the regular expression has a [ that is not closed");
            break;
        }
        if (accept(m, "[:")) {
            posix_class(m);
            continue;
        }
        if (peek(m) == '\\' && m->at + 1 < m->text.size && perl_class(m, m->text.at[m->at + 1])) {
            m->at += 2;
            continue;
        }
        uint32_t low = class_point(m), high = low;
        if (peek(m) == '-' && m->at + 1 < m->text.size && m->text.at[m->at + 1] != ']') {
            m->at++;
            high = class_point(m);
        }
        if (high < low)
            refuse(m, "the regular expression has a range whose ends are the wrong way round");
        else if (m->wrong == NULL)
            add_folded(m, low, high);
    }
    m->at++;
    if (negated)
        invert(m, first);
    return set(m, first);
}

static struct piece assertion(struct maker *m, enum assertion a)
{
    uint32_t at = add(m, (struct state){.kind = STATE_ASSERT, .assertion = a});
    if (m->wrong == NULL)
        m->regex->states[at].next = at + 1;
    return (struct piece){.first = at, .end = m->regex->count};
}

static struct piece point_piece(struct maker *m, uint32_t point)
{
    uint32_t first = m->ranges;
    add_folded(m, point, point);
    return set(m, first);
}

static struct piece escaped(struct maker *m)
{
    if (accept(m, "A"))
        return assertion(m, ASSERT_TEXT_BEGIN);
    if (accept(m, "z"))
        return assertion(m, ASSERT_TEXT_END);
    if (accept(m, "b"))
        return assertion(m, ASSERT_WORD);
    if (accept(m, "B"))
        return assertion(m, ASSERT_NO_WORD);
    uint32_t first = m->ranges;
    if (peek(m) >= 0 && perl_class(m, peek(m))) {
        m->at++;
        return set(m, first);
    }
    return point_piece(m, escaped_point(m));
}

/* Letters behind "(?" up to ":" or ")". */
static void read_flags(struct maker *m, struct flags *flags)
{
    bool on = true, any = false;
    for (; peek(m) >= 0 && peek(m) != ':' && peek(m) != ')'; m->at++, any = true) {
        switch (peek(m)) {
        case 'i':
            flags->fold = on;
            break;
        case 'm':
            flags->multi = on;
            break;
        case 's':
            flags->dot_all = on;
            break;
        case 'U':
            break; /* which of several matches is found makes no difference here */
        case '-':
            on = false;
            break;
        case '=':
        case '!':
        case '<':
            refuse(m, "regular expressions have no look-ahead or look-behind");
            return;
        default:
            refuse(m, "the regular expression has an unknown flag behind (?");
            return;
        }
    }
    if (!any && peek(m) != ':')
        refuse(m, "the regular expression has nothing behind (?");
}

/* Behind "(". */
static struct piece group(struct maker *m)
{
    struct flags outside = m->flags;
    if (accept(m, "?P<") || (m->text.size - m->at > 2 && m->text.at[m->at] == '?' && m->text.at[m->at + 1] == '<' &&
                             is_letter(m->text.at[m->at + 2]) && accept(m, "?<"))) {
        while (is_letter((uint32_t)peek(m)) || peek(m) == '_' || (peek(m) >= '0' && peek(m) <= '9'))
            m->at++;
        if (!accept(m, ">"))
            refuse(m, "the regular expression has a group whose name does not end");
    } else if (accept(m, "?")) {
        struct flags flags = m->flags;
        read_flags(m, &flags);
        if (m->wrong == NULL && accept(m, ")")) {
            m->flags = flags; /* up to the end of the group around */
            return empty(m);
        }
        m->flags = flags;
        if (m->wrong == NULL && !accept(m, ":"))
            refuse(m, "the regular expression has a ( that is not closed");
    }
    if (++m->depth > GROUP_DEPTH_MAX) {
        refuse(m, "the regular expression has more than 100 groups within one another");
        return empty(m);
    }
    struct piece p = alternatives(m);
    m->depth--;
    m->flags = outside;
    if (!accept(m, ")"))
        refuse(m, "the regular expression has a ( that is not closed");
    return p;
}

static struct piece atom(struct maker *m)
{
    uint32_t first = m->ranges;
    switch (peek(m)) {
    case '(':
        m->at++;
        return group(m);
    case '[':
        m->at++;
        return class(m);
    case '\\':
        m->at++;
        return escaped(m);
    case '.':
        m->at++;
        add_range(m, 0, m->flags.dot_all ? POINT_MAX : '\n' - 1);
        if (!m->flags.dot_all)
            add_range(m, '\n' + 1, POINT_MAX);
        return set(m, first);
    case '^':
        m->at++;
        return assertion(m, m->flags.multi ? ASSERT_LINE_BEGIN : ASSERT_TEXT_BEGIN);
    case '$':
        m->at++;
        return assertion(m, m->flags.multi ? ASSERT_LINE_END : ASSERT_TEXT_END);
    case '*':
    case '+':
    case '?':
        refuse(m, "the regular expression repeats nothing: *, + or ? needs something before it");
        return empty(m);
    default:
        return point_piece(m, next_point(m));
    }
}

/* Makes room for one state before the piece, moving it. */
static void push_before(struct maker *m, struct piece *p, struct state state)
{
    add(m, state); /* for the bound */
    if (m->wrong != NULL)
        return;
    struct state *s = m->regex->states;
    for (uint32_t i = p->end; i > p->first; i--) {
        s[i] = s[i - 1];
        s[i].next++;
        s[i].other++;
    }
    s[p->first] = state;
    p->end++;
}

/* A copy of the piece behind all there is. */
static struct piece copied(struct maker *m, struct piece p)
{
    struct piece copy = empty(m);
    uint32_t by = copy.first - p.first;
    for (uint32_t i = p.first; i < p.end && m->wrong == NULL; i++) {
        struct state s = m->regex->states[i];
        s.next += by;
        s.other += by;
        add(m, s);
    }
    copy.end = m->regex->count;
    return copy;
}

/* p or nothing. */
static void make_optional(struct maker *m, struct piece *p)
{
    push_before(m, p, (struct state){.kind = STATE_SPLIT, .next = p->first + 1, .other = p->end + 1});
}

/* p again and again, at least once. */
static void make_plus(struct maker *m, struct piece *p)
{
    uint32_t at = add(m, (struct state){.kind = STATE_SPLIT, .next = p->first});
    if (m->wrong != NULL)
        return;
    m->regex->states[at].other = at + 1;
    p->end = m->regex->count;
}

static void make_counted(struct maker *m, struct piece *p, uint32_t least, uint32_t most)
{
    if (most == 0) {
        m->regex->count = p->first;
        p->end = p->first;
        return;
    }
    struct piece one = *p;
    /* x{2,4} is xx(x)?(x)?: the last ones may be nothing one by one, which matches the same texts. */
    for (uint32_t i = 1; i < (most == UINT32_MAX ? least : most) && m->wrong == NULL; i++) {
        struct piece more = copied(m, one);
        if (i >= least)
            make_optional(m, &more);
        else if (most == UINT32_MAX && i + 1 == least)
            make_plus(m, &more);
        p->end = m->regex->count;
    }
    if (most == UINT32_MAX && least <= 1)
        make_plus(m, p);
    if (least == 0)
        make_optional(m, p);
}

/* The digits of a count, which stays beyond every bound when it is too large; false when there are none. */
static bool read_count(struct maker *m, uint32_t *n)
{
    size_t first = m->at;
    for (*n = 0; peek(m) >= '0' && peek(m) <= '9'; m->at++)
        if (*n <= REPEAT_MAX)
            *n = *n * 10 + (uint32_t)(peek(m) - '0');
    return m->at > first;
}

/* {n}, {n,} or {n,m}; false when it is none, and then it is text. */
static bool read_counts(struct maker *m, uint32_t *least, uint32_t *most)
{
    size_t before = m->at++;
    bool counts = read_count(m, least);
    *most = *least;
    if (counts && accept(m, ",") && !read_count(m, most))
        *most = UINT32_MAX;
    if (!counts || !accept(m, "}")) {
        m->at = before;
        return false;
    }
    if (*least > REPEAT_MAX || (*most != UINT32_MAX && (*most > REPEAT_MAX || *most < *least)))
        refuse(m, "the regular expression repeats more than 1000 times, or at most fewer times than at least");
    return true;
}

static struct piece repeated(struct maker *m)
{
    struct piece p = atom(m);
    for (unsigned signs = 0; m->wrong == NULL; signs++) {
        uint32_t least = 0, most = UINT32_MAX;
        int c = peek(m);
        if (c == '*' || c == '+' || c == '?') {
            m->at++;
            least = c == '+';
            most = c == '?' ? 1 : UINT32_MAX;
        } else if (c != '{' || !read_counts(m, &least, &most)) {
            break;
        }
        if (signs > 0) {
            refuse(m, "the regular expression repeats a repetition; put it in (?:...)");
            break;
        }
        accept(m, "?"); /* as few as possible: the same texts match */
        make_counted(m, &p, least, most);
    }
    return p;
}

static struct piece sequence(struct maker *m)
{
    struct piece all = empty(m);
    while (m->wrong == NULL && peek(m) >= 0 && peek(m) != '|' && peek(m) != ')')
        all.end = repeated(m).end;
    all.end = m->regex->count;
    return all;
}

static struct piece alternatives(struct maker *m)
{
    struct piece left = sequence(m);
    while (m->wrong == NULL && accept(m, "|")) {
        push_before(m, &left, (struct state){.kind = STATE_SPLIT, .next = left.first + 1});
        uint32_t jump = add(m, (struct state){.kind = STATE_JUMP});
        struct piece right = sequence(m);
        if (m->wrong != NULL)
            break;
        m->regex->states[left.first].other = right.first;
        m->regex->states[jump].next = right.end;
        left.end = right.end;
    }
    return left;
}

const struct regex *regex_make(struct bytes pattern, struct pool *pool, const char **wrong)
{
    struct regex *r = pool_take_zeroed(pool, 1, sizeof *r);
    struct maker m = {.text = pattern, .pool = pool, .regex = r};
    *wrong = regex_no_room;
    if (r == NULL)
        return NULL;
    if (pattern.size > REGEX_BYTES_MAX) {
        *wrong = "the regular expression has more than 1024 bytes";
        return NULL;
    }
    alternatives(&m);
    if (m.wrong == NULL && m.at < pattern.size)
        refuse(&m, "the regular expression has a ) without a (");
    add(&m, (struct state){.kind = STATE_MATCH});
    *wrong = m.wrong;
    return m.wrong == NULL ? r : NULL;
}

uint32_t regex_states(const struct regex *r)
{
    return r->count;
}

/* ---- matching ---- */

struct machine {
    const struct regex *regex;
    struct bytes text;
    uint32_t *now, *next, *stack;
    uint32_t now_count, next_count;
    uint32_t *seen; /* by state: the step in which it was added last */
    uint32_t step;
};

static bool is_word(struct bytes text, size_t at)
{
    uint8_t c = text.at[at];
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static bool holds(const struct machine *m, enum assertion a, size_t at)
{
    bool begin = at == 0, end = at == m->text.size;
    switch (a) {
    case ASSERT_TEXT_BEGIN:
        return begin;
    case ASSERT_TEXT_END:
        return end;
    case ASSERT_LINE_BEGIN:
        return begin || m->text.at[at - 1] == '\n';
    case ASSERT_LINE_END:
        return end || m->text.at[at] == '\n';
    default: {
        bool before = !begin && is_word(m->text, at - 1), after = !end && is_word(m->text, at);
        return (before != after) == (a == ASSERT_WORD);
    }
    }
}

/* Adds the state and all that it leads to without a code point to those of the next step. True when a match is among them. */
static bool enter(struct machine *m, uint32_t state, size_t at)
{
    uint32_t depth = 0;
    m->stack[depth++] = state;
    while (depth > 0) {
        state = m->stack[--depth];
        if (m->seen[state] == m->step)
            continue;
        m->seen[state] = m->step;
        const struct state *s = &m->regex->states[state];
        switch (s->kind) {
        case STATE_MATCH:
            return true;
        case STATE_SET:
            m->next[m->next_count++] = state;
            break;
        case STATE_SPLIT:
            m->stack[depth++] = s->other;
            m->stack[depth++] = s->next;
            break;
        case STATE_JUMP:
            m->stack[depth++] = s->next;
            break;
        case STATE_ASSERT:
            if (holds(m, s->assertion, at))
                m->stack[depth++] = s->next;
            break;
        }
    }
    return false;
}

static bool in_set(const struct regex *r, const struct state *s, uint32_t point)
{
    for (uint32_t i = 0; i < s->ranges; i++)
        if (point >= r->ranges[s->range + i].first && point <= r->ranges[s->range + i].last)
            return true;
    return false;
}

static int run(struct machine *m)
{
    m->step = 1;
    bool found = enter(m, 0, 0);
    for (size_t at = 0; !found && at < m->text.size;) {
        uint32_t *was = m->now;
        m->now = m->next;
        m->now_count = m->next_count;
        m->next = was;
        m->next_count = 0;
        m->step++;
        size_t size = utf8_sequence_size(bytes_of(m->text.at + at, m->text.size - at));
        CHECK(size > 0);
        uint32_t point = utf8_decode(m->text.at + at, size);
        at += size;
        for (uint32_t i = 0; i < m->now_count && !found; i++) {
            const struct state *s = &m->regex->states[m->now[i]];
            found = in_set(m->regex, s, point) && enter(m, s->next, at);
        }
        /* A match may begin anywhere. */
        found = found || enter(m, 0, at);
    }
    return found;
}

int regex_matches(const struct regex *r, struct bytes text, struct pool *pool)
{
    struct pool_mark mark = pool_mark(pool);
    uint32_t *room = pool_take_zeroed(pool, 5 * (size_t)r->count + 2, sizeof *room);
    if (room == NULL)
        return -1;
    struct machine m = {.regex = r,
                        .text = text,
                        .now = room,
                        .next = room + r->count,
                        .seen = room + 2 * r->count,
                        .stack = room + 3 * r->count};
    int found = run(&m);
    pool_rewind(pool, mark);
    return found;
}
