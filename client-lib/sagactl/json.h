/* json.h - messages as JSON, by the proto3 mapping (https://protobuf.dev/programming-guides/json/): field names as in
 * the .proto files, every field that is not a message always there, enums by name, bytes in base64, 64-bit integers as
 * strings, times as RFC 3339. A program may read it back with any language's protobuf JSON parser. */
#ifndef SAGACTL_JSON_H
#define SAGACTL_JSON_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>
#include <saga/error.h>

/* Gives an object, or NULL when there is no memory. Bytes of a string that are not UTF-8 become U+FFFD. */
json_t *json_of_message(const ProtobufCMessage *message);

/* {"error": {"code": "NOT_FOUND", "reason": ..., "field": ..., "message": ..., "retry_delay_ms": ...}}. Gives. */
json_t *json_of_error(const struct saga_error *error);

/* Gives a string of text that may not be UTF-8. */
json_t *json_of_text(const char *text);

/* Writes value (takes; may be NULL: no memory) and a newline: on one line, or indented. ASCII only, so that nothing in
 * it can steer a terminal. Returns 0, or -1 when that failed. */
int json_put(FILE *out, json_t *value, bool one_line);

#endif
