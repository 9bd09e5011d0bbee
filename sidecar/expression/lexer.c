#include "sidecar/expression/lexer_inside.h"

#include "sidecar/base/decimal.h"
#include "sidecar/base/utf8.h"

const char lexer_no_room[] = "the expression needs more memory than it may have";

static int peek(const struct lexer *l, uint32_t ahead)
{
    return (size_t)l->at + ahead < l->text.size ? l->text.at[l->at + ahead] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_digit(int c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void skip_space(struct lexer *l)
{
    for (;;) {
        int c = peek(l, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            l->at++;
        } else if (c == '/' && peek(l, 1) == '/') {
            while (peek(l, 0) >= 0 && peek(l, 0) != '\n')
                l->at++;
        } else {
            return;
        }
    }
}

/* Digits, with a point or an exponent a double; 0x; a u behind a whole number.
 */
static const char *number(struct lexer *l, struct token *token)
{
    uint32_t first = l->at;
    token->kind = TOKEN_INT;
    if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'X') && hex_digit(peek(l, 2)) >= 0) {
        token->hexadecimal = true;
        first = l->at += 2;
        while (hex_digit(peek(l, 0)) >= 0)
            l->at++;
    } else {
        while (is_digit(peek(l, 0)))
            l->at++;
        if (peek(l, 0) == '.' && is_digit(peek(l, 1))) {
            token->kind = TOKEN_DOUBLE;
            for (l->at++; is_digit(peek(l, 0));)
                l->at++;
        }
        int sign = peek(l, 1) == '+' || peek(l, 1) == '-';
        if ((peek(l, 0) == 'e' || peek(l, 0) == 'E') && is_digit(peek(l, 1 + (uint32_t)sign))) {
            token->kind = TOKEN_DOUBLE;
            for (l->at += 1 + (uint32_t)sign; is_digit(peek(l, 0));)
                l->at++;
        }
    }
    token->text = bytes_of(l->text.at + first, l->at - first);
    if (token->kind == TOKEN_DOUBLE && !decimal_read(token->text, &token->number))
        return "this is no number";
    if (token->kind == TOKEN_INT && (peek(l, 0) == 'u' || peek(l, 0) == 'U')) {
        token->kind = TOKEN_UINT;
        l->at++;
    }
    if (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        return "a number ends in letters";
    return NULL;
}

struct escape {
    uint32_t value;
    bool byte; /* \x and \123: in bytes a byte, in a string a code point */
};

/* What stands behind a backslash. */
static const char *escape(struct lexer *l, struct escape *e)
{
    static const char from[] = "abfnrtv\\?\"'`", to[] = "\a\b\f\n\r\t\v\\?\"'`";
    int c = peek(l, 0);
    l->at++;
    if (c > 0 && memchr(from, c, sizeof from - 1) != NULL) {
        const char *found = memchr(from, c, sizeof from - 1);
        *e = (struct escape){.value = (uint8_t)to[found - from]};
        return NULL;
    }
    unsigned base = 16, digits = 2;
    if (c == 'u' || c == 'U') {
        digits = c == 'u' ? 4 : 8;
    } else if (c >= '0' && c <= '3') {
        base = 8;
        digits = 3;
        l->at--;
    } else if (c != 'x' && c != 'X') {
        return "there is no such escape; write \\\\ for a backslash, or put r "
               "before the quote";
    }
    *e = (struct escape){.byte = base == 8 || digits == 2};
    for (unsigned i = 0; i < digits; i++, l->at++) {
        int digit = hex_digit(peek(l, 0));
        if (digit < 0 || (unsigned)digit >= base)
            return base == 8 ? "an escape has three octal digits"
                             : "an escape lacks hexadecimal digits: two after \\x, "
                               "four after \\u, eight after \\U";
        e->value = e->value * base + (unsigned)digit;
    }
    if (e->value > 0x10ffff || (e->value >= 0xd800 && e->value <= 0xdfff))
        return "an escape names no Unicode character";
    return NULL;
}

/* Whether the text goes on with count of these quotes. */
static bool at_quotes(const struct lexer *l, int quote, unsigned count)
{
    for (uint32_t i = 0; i < count; i++)
        if (peek(l, i) != quote)
            return false;
    return true;
}

/* The quoted text behind its prefix; l->at is at the first quote. */
static const char *quoted(struct lexer *l, struct token *token, bool raw)
{
    int quote = peek(l, 0);
    unsigned count = at_quotes(l, quote, 3) ? 3 : 1;
    bool bytes = token->kind == TOKEN_BYTES;
    l->at += count;
    /* What is meant is never longer than what is written: an escape of two bytes
   * gives at most two. */
    uint8_t *out = pool_take(l->pool, l->text.size - l->at + 4);
    if (out == NULL)
        return lexer_no_room;
    size_t size = 0;
    while (!at_quotes(l, quote, count)) {
        int c = peek(l, 0);
        if (c < 0 || (count == 1 && (c == '\n' || c == '\r')))
            return "a quote is not closed";
        l->at++;
        if (c != '\\' || raw) {
            out[size++] = (uint8_t)c;
            continue;
        }
        struct escape e = {0};
        token->end = l->at - 1;
        const char *wrong = escape(l, &e);
        if (wrong == NULL && bytes && !e.byte && e.value > 0x7f)
            wrong = "\\u and \\U are not for bytes; write \\x";
        if (wrong != NULL) {
            token->position = token->end;
            return wrong;
        }
        if (bytes && e.byte)
            out[size++] = (uint8_t)e.value;
        else
            size += utf8_encode(e.value, out + size);
    }
    l->at += count;
    token->text = bytes_of(out, size);
    return NULL;
}

/* r, R, b, B in any order before a quote. Returns how many there are, 0 when no
 * quote follows. */
static uint32_t string_prefix(const struct lexer *l, bool *raw, bool *bytes)
{
    uint32_t i = 0;
    for (; i < 2; i++) {
        int c = peek(l, i);
        if ((c == 'r' || c == 'R') && !*raw)
            *raw = true;
        else if ((c == 'b' || c == 'B') && !*bytes)
            *bytes = true;
        else
            break;
    }
    int c = peek(l, i);
    return c == '"' || c == '\'' ? i : 0;
}

static const char *word(struct lexer *l, struct token *token)
{
    bool raw = false, bytes = false;
    uint32_t prefix = string_prefix(l, &raw, &bytes);
    int c = peek(l, prefix);
    if (c == '"' || c == '\'') {
        l->at += prefix;
        token->kind = bytes && prefix > 0 ? TOKEN_BYTES : TOKEN_STRING;
        return quoted(l, token, raw && prefix > 0);
    }
    uint32_t first = l->at;
    while (is_letter(peek(l, 0)) || is_digit(peek(l, 0)))
        l->at++;
    token->kind = TOKEN_NAME;
    token->text = bytes_of(l->text.at + first, l->at - first);
    return NULL;
}

static const char *back_quoted(struct lexer *l, struct token *token)
{
    uint32_t first = ++l->at;
    for (; peek(l, 0) != '`'; l->at++) {
        int c = peek(l, 0);
        if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '/' && c != ' ')
            return "a name in `...` has letters, digits, and any of _ . - / and "
                   "spaces";
    }
    token->kind = TOKEN_QUOTED;
    token->text = bytes_of(l->text.at + first, l->at - first);
    l->at++;
    return token->text.size == 0 ? "a name is empty" : NULL;
}

static const struct {
    char text[3];
    enum token_kind kind;
} signs[] = {
    /* Longer ones first. */
    {"==", TOKEN_EQUAL},  {"!=", TOKEN_NOT_EQUAL}, {"<=", TOKEN_LESS_EQUAL}, {">=", TOKEN_GREATER_EQUAL},
    {"&&", TOKEN_AND},    {"||", TOKEN_OR},        {".", TOKEN_DOT},         {",", TOKEN_COMMA},
    {":", TOKEN_COLON},   {"?", TOKEN_QUESTION},   {"(", TOKEN_OPEN},        {")", TOKEN_CLOSE},
    {"[", TOKEN_SQUARE},  {"]", TOKEN_SQUARED},    {"{", TOKEN_BRACE},       {"}", TOKEN_BRACED},
    {"+", TOKEN_PLUS},    {"-", TOKEN_MINUS},      {"*", TOKEN_STAR},        {"/", TOKEN_SLASH},
    {"%", TOKEN_PERCENT}, {"!", TOKEN_NOT},        {"<", TOKEN_LESS},        {">", TOKEN_GREATER},
};

static const char *sign(struct lexer *l, struct token *token)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (peek(l, 0) != signs[i].text[0] || (signs[i].text[1] != '\0' && peek(l, 1) != signs[i].text[1]))
            continue;
        token->kind = signs[i].kind;
        l->at += signs[i].text[1] != '\0' ? 2 : 1;
        return NULL;
    }
    switch (peek(l, 0)) {
    case '=':
        return "compare with ==";
    case '&':
        return "write && for and";
    case '|':
        return "write || for or";
    default:
        return "this character means nothing here";
    }
}

const char *lexer_next(struct lexer *l, struct token *token)
{
    skip_space(l);
    *token = (struct token){.position = l->at, .end = l->at};
    int c = peek(l, 0);
    const char *wrong = NULL;
    if (c < 0)
        return NULL;
    if (is_digit(c) || (c == '.' && is_digit(peek(l, 1))))
        wrong = number(l, token);
    else if (is_letter(c) || c == '"' || c == '\'')
        wrong = word(l, token);
    else if (c == '`')
        wrong = back_quoted(l, token);
    else
        wrong = sign(l, token);
    token->end = l->at;
    return wrong;
}
