/* decimal.h - floating-point numbers as text and back, exactly and the same everywhere: no locale, no stdio.
 *
 * What is read is the double nearest to the text (ties to even). What is written is the shortest text that reads back as the same number, or
 * the exact value rounded to so many digits (ties to even). */
#ifndef SAGA_BASE_DECIMAL_H
#define SAGA_BASE_DECIMAL_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* More significant digits than any double has. */
#define DECIMAL_DIGITS_MAX 800

/* 0.d1d2d3... times ten to the power of point; no zeros before or after what counts. Zero has no digits. */
struct decimal {
    bool negative;
    bool cut; /* more than zeros follow the digits */
    int count;
    int point;
    char digits[DECIMAL_DIGITS_MAX]; /* '0' to '9' */
};

/* Reads digits with at most one point and an exponent ("-12.5e3", ".5", "7."): at least one digit, the whole text. Too large is infinite, too
 * small is zero, as IEEE 754 rounds. False when the text is no such number. */
bool decimal_read(struct bytes text, double *value);

/* The exact digits of a finite value. */
void decimal_exact(double value, struct decimal *d);

/* The fewest digits that read back as this finite value; with single, as the same float. */
void decimal_shortest(double value, bool single, struct decimal *d);

/* Rounds to count digits before and after the point together, or to so many places after it. */
void decimal_round_to(struct decimal *d, int count);
void decimal_round_places(struct decimal *d, int places);

/* Room for the shortest text of any number: "-2.2250738585072014e-308". */
#define DECIMAL_TEXT_SIZE 32

/* Writes the shortest text: plain ("0.001", "1500") while the exponent is at least -5 and below exponent_max, else "1.5e+21". Not-a-number is
 * "NaN", infinity "Infinity" or "-Infinity". No NUL; returns the size. */
size_t decimal_write(double value, bool single, int exponent_max, char text[DECIMAL_TEXT_SIZE]);

/* Whole numbers: the decimal digits, with a minus when negative. No NUL; return the size. */
#define INTEGER_TEXT_SIZE 20
size_t decimal_write_int(int64_t value, char text[INTEGER_TEXT_SIZE]);
size_t decimal_write_uint(uint64_t value, char text[INTEGER_TEXT_SIZE]);

/* Reads the whole text. 0; -1 when it is no whole number; -2 when it is one that does not fit. The first takes a minus (and no plus). */
int decimal_read_int(struct bytes text, int64_t *value);
int decimal_read_uint(struct bytes text, uint64_t *value);

#endif
