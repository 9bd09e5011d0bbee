/* utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SAGA_BASE_UTF8_H
#define SAGA_BASE_UTF8_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Bytes of the sequence that text begins with, 1 to 4; 0 when it begins with none, or is empty. */
size_t utf8_sequence_size(struct bytes text);

/* Whether text is valid UTF-8 from its beginning to its end. */
bool utf8_valid(struct bytes text);

/* The code point that text begins with, whose sequence is valid and of this size. */
uint32_t utf8_decode(const uint8_t *at, size_t size);

/* Appends to the text in a buffer of this size. What is too long is cut before a character rather than within one, since strings of protobuf
 * have to be valid. */
void utf8_append(char *buffer, size_t size, const char *text);

/* Writes a code point that is no surrogate and at most U+10FFFF; returns its size. */
size_t utf8_encode(uint32_t point, uint8_t to[4]);

#endif
