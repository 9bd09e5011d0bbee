/* bignum.h - natural numbers of a bounded size, for what doubles and decimals need to be exact. Pure, on the stack. */
#ifndef SAGA_BASE_BIGNUM_H
#define SAGA_BASE_BIGNUM_H

#include <stdbool.h>
#include <stdint.h>

/* Enough for 10^1130 * 2^60; growing over it is a defect of the caller (CHECK). */
#define BIGNUM_WORDS 124

struct bignum {
    unsigned count;               /* words in use; the highest is not 0 */
    uint32_t words[BIGNUM_WORDS]; /* the lowest first */
};

void bignum_set(struct bignum *n, uint64_t value);
void bignum_multiply_add(struct bignum *n, uint32_t factor, uint32_t more);
void bignum_multiply_power10(struct bignum *n, unsigned exponent);
void bignum_shift_left(struct bignum *n, unsigned bits);
unsigned bignum_bit_length(const struct bignum *n);
int bignum_compare(const struct bignum *a, const struct bignum *b);

/* Compares a + b with c. */
int bignum_compare_sum(const struct bignum *a, const struct bignum *b, const struct bignum *c);

/* a is not below b (CHECK). */
void bignum_subtract(struct bignum *a, const struct bignum *b);

#endif
