/* by_chance.h - numbers drawn by a seed, the same everywhere, and texts that are spoilt with them: for tests that try much. */
#ifndef SAGA_TESTS_BY_CHANCE_H
#define SAGA_TESTS_BY_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void by_chance_seed(uint64_t seed);
uint64_t by_chance_draw(void);
/* From 0 to below - 1. */
unsigned by_chance(unsigned below);

#define SPOILT_SIZE 64

/* Writes one of count texts, each of at most 40 bytes, with up to three of the signs put in, left out or put in another's place; behind it the room is full of
 * the first sign, which does not count. Returns its size. */
size_t by_chance_spoilt(const char *const *texts, size_t count, const char *signs, char out[SPOILT_SIZE]);

/* How many digits stand in a text from *at on, which is moved behind them. */
size_t digits_at(const char *text, size_t size, size_t *at);

/* Whether one of the signs stands there; then *at is moved behind it. */
bool sign_at(const char *text, size_t size, size_t *at, const char *signs);

#endif
