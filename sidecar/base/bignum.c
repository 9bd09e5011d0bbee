/* bignum.c - schoolbook arithmetic in words of 32 bits. */
#include "sidecar/base/bignum.h"

#include "sidecar/base/check.h"

#include <string.h>

static void push(struct bignum *n, uint32_t word)
{
    CHECK(n->count < BIGNUM_WORDS);
    n->words[n->count++] = word;
}

static void trim(struct bignum *n)
{
    while (n->count > 0 && n->words[n->count - 1] == 0)
        n->count--;
}

void bignum_set(struct bignum *n, uint64_t value)
{
    n->count = 0;
    for (; value != 0; value >>= 32)
        push(n, (uint32_t)value);
}

void bignum_multiply_add(struct bignum *n, uint32_t factor, uint32_t more)
{
    uint64_t carry = more;
    for (unsigned i = 0; i < n->count; i++) {
        carry += (uint64_t)n->words[i] * factor;
        n->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        push(n, (uint32_t)carry);
    trim(n);
}

void bignum_multiply_power10(struct bignum *n, unsigned exponent)
{
    for (; exponent >= 9; exponent -= 9)
        bignum_multiply_add(n, 1000000000, 0);
    uint32_t factor = 1;
    for (; exponent > 0; exponent--)
        factor *= 10;
    bignum_multiply_add(n, factor, 0);
}

void bignum_shift_left(struct bignum *n, unsigned bits)
{
    unsigned words = bits / 32;
    if (n->count == 0)
        return;
    bignum_multiply_add(n, (uint32_t)1 << bits % 32, 0);
    CHECK(n->count + words <= BIGNUM_WORDS);
    memmove(n->words + words, n->words, n->count * sizeof n->words[0]);
    memset(n->words, 0, words * sizeof n->words[0]);
    n->count += words;
}

unsigned bignum_bit_length(const struct bignum *n)
{
    if (n->count == 0)
        return 0;
    return n->count * 32 - (unsigned)__builtin_clz(n->words[n->count - 1]);
}

int bignum_compare(const struct bignum *a, const struct bignum *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    for (unsigned i = a->count; i > 0; i--)
        if (a->words[i - 1] != b->words[i - 1])
            return a->words[i - 1] < b->words[i - 1] ? -1 : 1;
    return 0;
}

int bignum_compare_sum(const struct bignum *a, const struct bignum *b, const struct bignum *c)
{
    struct bignum sum = {.count = 0};
    uint64_t carry = 0;
    for (unsigned i = 0; i < a->count || i < b->count || carry != 0; i++) {
        carry += (uint64_t)(i < a->count ? a->words[i] : 0) + (i < b->count ? b->words[i] : 0);
        push(&sum, (uint32_t)carry);
        carry >>= 32;
    }
    return bignum_compare(&sum, c);
}

void bignum_subtract(struct bignum *a, const struct bignum *b)
{
    int64_t borrow = 0;
    CHECK(b->count <= a->count);
    for (unsigned i = 0; i < a->count; i++) {
        borrow += (int64_t)a->words[i] - (i < b->count ? b->words[i] : 0);
        a->words[i] = (uint32_t)borrow;
        borrow >>= 32;
    }
    CHECK(borrow == 0);
    trim(a);
}
