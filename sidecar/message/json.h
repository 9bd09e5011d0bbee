/* json.h - messages as JSON and back, by protobuf's canonical mapping (https://protobuf.dev/programming-guides/json/). Pure, bounded.
 *
 * Read: fields by their .proto or JSON name; unknown ones, keys that come twice, two fields of one oneof, and numbers that do not fit are
 * refused. Extensions and groups are not mapped: refused when read, left out when written, as unknown fields are. */
#ifndef SAGA_MESSAGE_JSON_H
#define SAGA_MESSAGE_JSON_H

#include "sidecar/base/pool.h"
#include "sidecar/message/schema.h"

/* Objects, arrays and messages within one another. */
#define JSON_DEPTH_MAX 100

/* Reads a message of this type; *wire is a view into the pool, at most bytes_max bytes. schema (borrowed) has the types that an Any may name.
 * Fails with E_ARGUMENT, E_PAYLOAD or E_MEMORY; then detail has the path of the field, as in "lines[2].sku", line and column. */
int json_read(const struct schema *schema, const struct message_type *type, struct bytes json, struct pool *pool,
              size_t bytes_max, struct bytes *wire, struct error_detail *detail);

/* Writes a message of this type, in order of its fields' numbers, maps in order of their keys; pretty gives a line to each field. *json is a view into
 * the pool, at most bytes_max bytes, with a NUL behind it. Fails as json_read does: bytes that are no such message, a time out of its range, an Any of
 * a type that is not in the schema. */
int json_write(const struct schema *schema, const struct message_type *type, struct bytes wire, bool pretty,
               struct pool *pool, size_t bytes_max, struct bytes *json, struct error_detail *detail);

/* Writes an example with every field of the type, to be filled in: of a oneof the first only, a type within itself once, and
 * less of what would be over bytes_max. */
int json_skeleton(const struct message_type *type, struct pool *pool, size_t bytes_max, struct bytes *json);

#endif
