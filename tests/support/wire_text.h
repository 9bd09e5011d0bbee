/* wire_text.h - messages of protobuf written by hand, field by field, for tests that need what no compiler makes. */
#ifndef SAGA_TESTS_WIRE_TEXT_H
#define SAGA_TESTS_WIRE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Writes the fields of a text such as "1:'a.proto' 4:{1:'M' 9:-1} 12:'proto3'": a number with a text, a message or a whole number, which stands as
 * a varint. Returns the size; fails the test when the text is none, or has no room. */
size_t wire_of_text(const char *text, uint8_t *to, size_t room);

/* The size of the one field, as in "9:-1" or "4:{1:'M'}", that begins at text. */
size_t wire_text_part(const char *text);

#endif
