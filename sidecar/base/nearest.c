/* nearest.c - edit distance with adjacent swaps (optimal string alignment), over short names. */
#include "sidecar/base/nearest.h"

/* Longer texts are never a slip of the hand in one of our names, the longest of which has half as many letters. */
#define LETTERS_MAX 64

/* Lower-cases text and drops what does not count. Returns the number of letters, or LETTERS_MAX + 1 when they are too
 * many. */
static size_t letters_of(struct bytes text, uint8_t letters[LETTERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.at[i];
        if (c == '_' || c == '-')
            continue;
        if (n == LETTERS_MAX)
            return LETTERS_MAX + 1;
        letters[n++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
    }
    return n;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* The number of insertions, deletions, replacements and swaps of neighbours between a and b. */
static unsigned distance(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    unsigned rows[3][LETTERS_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++) {
        before[j] = 0;
        above[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smallest(replaced, above[j] + 1, row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_size];
}

const char *nearest_name(struct bytes wrong, const char *const *names, size_t count)
{
    uint8_t a[LETTERS_MAX], b[LETTERS_MAX];
    size_t a_size = letters_of(wrong, a);
    if (a_size > LETTERS_MAX)
        return NULL;
    const char *nearest = NULL;
    unsigned least = 0;
    for (size_t i = 0; i < count; i++) {
        size_t b_size = letters_of(bytes_of_text(names[i]), b);
        if (b_size > LETTERS_MAX)
            continue;
        unsigned apart = distance(a, a_size, b, b_size);
        /* A third of the letters wrong is still a slip; more is another word. */
        unsigned bearable = (unsigned)(b_size < 6 ? 2 : b_size / 3);
        if (apart <= bearable && apart < b_size && (nearest == NULL || apart < least)) {
            nearest = names[i];
            least = apart;
        }
    }
    return nearest;
}
