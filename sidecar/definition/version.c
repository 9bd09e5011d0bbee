/* version.c - semantic versions: their form, and their order (https://semver.org, sections 9 to 11). Numbers are
 * compared as digits, so that no length of them overflows. */
#include "sidecar/definition/reader.h"

/* Reads of a version from its left end. */
struct cursor {
    const char *at;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier_letter(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* Takes the letters of one identifier. */
static struct bytes take_identifier(struct cursor *c)
{
    const char *start = c->at;
    while (is_identifier_letter(*c->at))
        c->at++;
    return bytes_of(start, (size_t)(c->at - start));
}

static bool is_numeric(struct bytes identifier)
{
    for (size_t i = 0; i < identifier.size; i++)
        if (!is_digit((char)identifier.at[i]))
            return false;
    return true;
}

/* Takes a number without leading zeros. Returns false when there is none. */
static bool take_number(struct cursor *c)
{
    const char *start = c->at;
    while (is_digit(*c->at))
        c->at++;
    return c->at > start && (*start != '0' || c->at == start + 1);
}

/* Takes identifiers with dots between them; in a pre-release those that are numbers have no leading zeros. */
static bool take_identifiers(struct cursor *c, bool prerelease)
{
    for (;;) {
        struct bytes identifier = take_identifier(c);
        if (identifier.size == 0)
            return false;
        if (prerelease && identifier.size > 1 && identifier.at[0] == '0' && is_numeric(identifier))
            return false;
        if (*c->at != '.')
            return true;
        c->at++;
    }
}

static bool take(struct cursor *c, char letter)
{
    if (*c->at != letter)
        return false;
    c->at++;
    return true;
}

bool definition_version_valid(const char *text)
{
    struct cursor c = {text};
    if (strlen(text) > VERSION_BYTES_MAX)
        return false;
    if (!take_number(&c) || !take(&c, '.') || !take_number(&c) || !take(&c, '.') || !take_number(&c))
        return false;
    if (take(&c, '-') && !take_identifiers(&c, true))
        return false;
    if (take(&c, '+') && !take_identifiers(&c, false))
        return false;
    return *c.at == '\0';
}

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int compare_numbers(struct bytes a, struct bytes b)
{
    return a.size != b.size ? compare_sizes(a.size, b.size) : memcmp(a.at, b.at, a.size);
}

static int compare_texts(struct bytes a, struct bytes b)
{
    int order = memcmp(a.at, b.at, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : compare_sizes(a.size, b.size);
}

/* Numbers come before texts. */
static int compare_identifiers(struct bytes a, struct bytes b)
{
    bool a_numeric = is_numeric(a), b_numeric = is_numeric(b);
    if (a_numeric != b_numeric)
        return a_numeric ? -1 : 1;
    return a_numeric ? compare_numbers(a, b) : compare_texts(a, b);
}

/* Both stand after the '-' of a pre-release. */
static int compare_prereleases(struct cursor a, struct cursor b)
{
    for (;;) {
        int order = compare_identifiers(take_identifier(&a), take_identifier(&b));
        if (order != 0)
            return order;
        bool a_more = take(&a, '.'), b_more = take(&b, '.');
        if (!a_more || !b_more)
            return (int)a_more - (int)b_more;
    }
}

/* Takes the digits of one of the three numbers, and the dot behind it. */
static struct bytes take_digits(struct cursor *c)
{
    const char *start = c->at;
    while (is_digit(*c->at))
        c->at++;
    struct bytes digits = bytes_of(start, (size_t)(c->at - start));
    take(c, '.');
    return digits;
}

int definition_version_compare(const char *a, const char *b)
{
    struct cursor left = {a}, right = {b};
    for (int i = 0; i < 3; i++) {
        int order = compare_numbers(take_digits(&left), take_digits(&right));
        if (order != 0)
            return order;
    }
    bool left_early = take(&left, '-'), right_early = take(&right, '-');
    if (left_early != right_early)
        return left_early ? -1 : 1;
    return left_early ? compare_prereleases(left, right) : 0;
}

bool definition_version_is_prerelease(const char *text)
{
    size_t core = strspn(text, "0123456789.");
    return text[core] == '-';
}
