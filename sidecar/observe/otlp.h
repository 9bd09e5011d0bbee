/* otlp.h - what is said to an OpenTelemetry collector (proto/opentelemetry/otlp.proto): items packed one by one, gathered, and wrapped up as one
 * request; and what the collector answers. */
#ifndef SAGA_OBSERVE_OTLP_H
#define SAGA_OBSERVE_OTLP_H

#include "sidecar/base/bytes.h"

#include "opentelemetry/otlp.pb-c.h"

#include <stdbool.h>

/* A text as a message of proto3 may have it, in `size` bytes: cut between characters, with a NUL at its end, and a question mark for each byte that
 * is not UTF-8. Returns to. */
char *otlp_text(struct bytes from, char *to, size_t size);

/* Reads an id of `size` bytes from twice as many hex digits, as a traceparent has them. Returns false when they are none, or are all zero. */
bool otlp_id(struct bytes hex, uint8_t *to, size_t size);

/* An attribute. name and text are borrowed for as long as pair is used. */
struct otlp_attribute {
    Otlp__KeyValue pair;
    Otlp__AnyValue value;
};

void otlp_say(struct otlp_attribute *a, const char *name, const char *text);
void otlp_say_number(struct otlp_attribute *a, const char *name, int64_t number);

/* Packed items, each a length of four bytes in the machine's order, and then its bytes. Zeroed memory is one of none; the owner frees at. */
struct otlp_batch {
    uint8_t *at;
    size_t size, room;
    size_t count;
};

/* Adds an item, as far as the batch may be bytes_max. Returns false when it may not, or there is no memory. */
bool otlp_batch_add(struct otlp_batch *batch, const ProtobufCMessage *item, size_t bytes_max);

/* Likewise one that is packed in `most` bytes at most, whose size need not be found out before: half of the work. */
bool otlp_batch_add_small(struct otlp_batch *batch, const ProtobufCMessage *item, size_t most, size_t bytes_max);

/* The items as a list of views into the batch. Gives the list (free), or NULL: no memory. */
ProtobufCBinaryData *otlp_batch_list(const struct otlp_batch *batch);

/* Packs the batch as one request of this sidecar: instance says which. Gives *out (free). Returns 0 or E_MEMORY. */
int otlp_request(const struct otlp_batch *batch, const char *instance, const char *version, struct bytes *out);

#define OTLP_TEXT_SIZE 256 /* of what a collector says; more is cut */

/* How many of `sent` items a collector's answer says it has not taken, and what it says of that (empty: nothing). What is no answer says nothing. */
uint64_t otlp_rejected(struct bytes answer, uint64_t sent, char text[OTLP_TEXT_SIZE]);

#endif
