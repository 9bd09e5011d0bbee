/* json_scan.c - the tokens of JSON. */
#include "sidecar/message/json_scan.h"

#include "sidecar/base/utf8.h"

void json_scan(struct json_scan *s, struct bytes text)
{
    *s = (struct json_scan){.at = text.at, .end = text.at + text.size};
}

static struct json_token wrong(const uint8_t *at, const char *why)
{
    return (struct json_token){.kind = JSON_WRONG, .at = at, .wrong = why};
}

static bool is_digit(const struct json_scan *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool skip_digits(struct json_scan *s)
{
    if (!is_digit(s))
        return false;
    while (is_digit(s))
        s->at++;
    return true;
}

static bool skip_number(struct json_scan *s)
{
    if (*s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!skip_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!skip_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at | 0x20) == 'e') {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        return skip_digits(s);
    }
    return true;
}

static struct json_token take_number(struct json_scan *s)
{
    const uint8_t *begin = s->at;
    if (!skip_number(s) || is_digit(s))
        return wrong(begin, "this is no number");
    return (struct json_token){.kind = JSON_NUMBER, .text = bytes_of(begin, (size_t)(s->at - begin)), .at = begin};
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX; -1 when they are none. */
static int32_t unit_at(const uint8_t *at, const uint8_t *end)
{
    int32_t unit = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The code point of an escape that begins with \u, and its size; -1 when it is none, as half a surrogate pair is none. */
static int32_t point_at(const uint8_t *at, const uint8_t *end, size_t *size)
{
    int32_t unit = unit_at(at, end);
    *size = 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    int32_t low = unit > 0xdbff ? -1 : unit_at(at + 6, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    *size = 12;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* What one letter behind a backslash means; 0 when it means nothing. */
static uint8_t letter_meaning(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

static bool skip_escape(struct json_scan *s)
{
    size_t size = 2;
    if (s->end - s->at < 2)
        return false;
    if (s->at[1] == 'u') {
        if (point_at(s->at, s->end, &size) < 0)
            return false;
    } else if (letter_meaning(s->at[1]) == 0) {
        return false;
    }
    s->at += size;
    return true;
}

static struct json_token take_string(struct json_scan *s)
{
    struct json_token t = {.kind = JSON_STRING, .at = s->at};
    const uint8_t *begin = ++s->at;
    while (s->at < s->end && *s->at != '"') {
        if (*s->at < 0x20)
            return wrong(s->at, "a string may not hold a control character; write it as an escape");
        if (*s->at == '\\') {
            t.escaped = true;
            if (!skip_escape(s))
                return wrong(s->at, "this escape is none that JSON has");
            continue;
        }
        size_t size = utf8_sequence_size(bytes_of(s->at, (size_t)(s->end - s->at)));
        if (size == 0)
            return wrong(s->at, "the text is not UTF-8");
        s->at += size;
    }
    if (s->at == s->end)
        return wrong(t.at, "this string has no end");
    t.text = bytes_of(begin, (size_t)(s->at - begin));
    s->at++;
    return t;
}

static struct json_token take_word(struct json_scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(s->end - s->at) >= size && memcmp(s->at, words[i], size) == 0) {
            struct json_token t = {.kind = (enum json_kind)words[i][0], .text = bytes_of(s->at, size), .at = s->at};
            s->at += size;
            return t;
        }
    }
    return wrong(s->at, "this is no JSON");
}

struct json_token json_next(struct json_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
    if (s->at == s->end)
        return (struct json_token){.kind = JSON_END, .at = s->at};
    switch (*s->at) {
    case '{':
    case '}':
    case '[':
    case ']':
    case ':':
    case ',': {
        struct json_token t = {.kind = (enum json_kind) * s->at, .at = s->at};
        s->at++;
        return t;
    }
    case '"':
        return take_string(s);
    default:
        return *s->at == '-' || is_digit(s) ? take_number(s) : take_word(s);
    }
}

struct bytes json_text(const struct json_token *t, struct pool *pool)
{
    if (!t->escaped)
        return t->text;
    uint8_t *made = pool_take(pool, t->text.size);
    if (made == NULL)
        return bytes_of(NULL, 0);
    size_t used = 0;
    const uint8_t *at = t->text.at, *end = at + t->text.size;
    while (at < end) {
        size_t size = 2;
        if (*at != '\\') {
            made[used++] = *at++;
            continue;
        }
        if (at[1] == 'u')
            used += utf8_encode((uint32_t)point_at(at, end, &size), made + used);
        else
            made[used++] = letter_meaning(at[1]);
        at += size;
    }
    return bytes_of(made, used);
}
