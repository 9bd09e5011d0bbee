/* number.h - numbers as text and back, without a locale: the same bytes on every machine. Pure. */
#ifndef SAGA_MESSAGE_NUMBER_H
#define SAGA_MESSAGE_NUMBER_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Room for every text that is written here, with its NUL. */
#define NUMBER_TEXT_SIZE 32

/* The whole text is a decimal integer within range, with '-' before it or not. Leading zeros are allowed. */
bool number_read_int(struct bytes text, int64_t *value);
bool number_read_uint(struct bytes text, uint64_t *value);

/* The whole text is a decimal number, as in -12.5e-3: the nearest double, of two equally near ones the even. Too large a number becomes an
 * infinity, too small a one zero. A digit must stand before and after a point. */
bool number_read_double(struct bytes text, double *value);

/* Writes the number with its NUL and returns its length. */
size_t number_write_int(int64_t value, char text[NUMBER_TEXT_SIZE]);
size_t number_write_uint(uint64_t value, char text[NUMBER_TEXT_SIZE]);

/* The shortest text that reads back as the same double or float, the nearest to it of several; as JavaScript writes it: 1, 0.1, 1e+21, 1.5e-7. -0 is
 * "-0"; what is no number is "NaN", "Infinity" or "-Infinity". */
size_t number_write_double(double value, char text[NUMBER_TEXT_SIZE]);
size_t number_write_float(float value, char text[NUMBER_TEXT_SIZE]);

/* The nearest float; an infinity when value is a number too large for one. */
float number_to_float(double value);

/* Whether value is a whole number, and which. */
bool number_is_int(double value, int64_t *whole);
bool number_is_uint(double value, uint64_t *whole);

bool number_is_nan(double value);
bool number_is_finite(double value);

#endif
