#include "tests/support/by_chance.h"

#include <string.h>

static uint64_t state;

void by_chance_seed(uint64_t seed)
{
    state = seed;
}

uint64_t by_chance_draw(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state ^ state >> 29;
}

unsigned by_chance(unsigned below)
{
    return (unsigned)(by_chance_draw() >> 33) % below;
}

size_t by_chance_spoilt(const char *const *texts, size_t count, const char *signs, char out[SPOILT_SIZE])
{
    size_t size = strlen(strcpy(out, texts[by_chance((unsigned)count)]));
    for (unsigned i = by_chance(4); i > 0; i--) {
        size_t at = by_chance((unsigned)size + 1);
        char sign = signs[by_chance((unsigned)strlen(signs))];
        switch (by_chance(3)) {
        case 0:
            if (size < 40) {
                memmove(out + at + 1, out + at, size - at);
                out[at] = sign;
                size++;
            }
            break;
        case 1:
            if (at < size) {
                memmove(out + at, out + at + 1, size - at - 1);
                size--;
            }
            break;
        default:
            if (at < size)
                out[at] = sign;
        }
    }
    memset(out + size, signs[0], SPOILT_SIZE - size);
    return size;
}

size_t digits_at(const char *text, size_t size, size_t *at)
{
    size_t first = *at;
    while (*at < size && text[*at] >= '0' && text[*at] <= '9')
        ++*at;
    return *at - first;
}

bool sign_at(const char *text, size_t size, size_t *at, const char *signs)
{
    bool is = *at < size && strchr(signs, text[*at]) != NULL;
    *at += is;
    return is;
}
