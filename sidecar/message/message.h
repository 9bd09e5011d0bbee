/* message.h - reads fields straight out of a message on the wire, as views into it: no message is ever unpacked. Pure.
 *
 * Any bytes may be given. Functions that return int give 1 (found), 0 (not there), or a negative code: E_ARGUMENT when the bytes are no message,
 * E_MEMORY or E_PAYLOAD when the pool has no room. A field whose wire type does not fit its kind counts as unknown, as in protobuf's own
 * libraries. Reading one field goes over the message once. */
#ifndef SAGA_MESSAGE_MESSAGE_H
#define SAGA_MESSAGE_MESSAGE_H

#include "sidecar/base/pool.h"
#include "sidecar/message/schema.h"

/* A message: its type and its bytes. */
struct message {
    const struct message_type *type;
    struct bytes wire;
};

/* The value of a singular field. *out is f->implicit when it returns 0, as it does for a field that has no presence and is not on the wire. The
 * last one of several on the wire counts; those of a message are one message together, put together in the pool (which is not touched
 * otherwise). */
int message_get(struct bytes wire, const struct field *f, struct pool *pool, struct value *out);

/* Where the fields of one message lie: who wants several of them goes over the message once. */
struct message_index;

/* Made in the pool, of a message of at most MESSAGE_INDEX_FIELDS_MAX kinds of fields. 1; 0: there are more; E_ARGUMENT, E_MEMORY or E_PAYLOAD. */
#define MESSAGE_INDEX_FIELDS_MAX 64
int message_index_make(const struct message_type *type, struct bytes wire, struct pool *pool,
                       struct message_index **out);

/* As message_get of that message. */
int message_index_get(const struct message_index *index, const struct field *f, struct pool *pool, struct value *out);

/* Goes over the values of a repeated field, packed or not, in order. */
struct message_items {
    const struct field *field;
    struct bytes rest;   /* of the message */
    struct bytes packed; /* of the packed values that it stands in */
    enum wire_type packed_type;
};

void message_items(struct message_items *items, struct bytes wire, const struct field *f);
int message_next(struct message_items *items, struct value *out);

/* How many values a repeated field has (of a map: entries, a key that comes again too); negative as above. */
int64_t message_count(struct bytes wire, const struct field *f);

/* The value of a repeated field at an index, from 0. */
int message_item(struct bytes wire, const struct field *f, uint64_t index, struct value *out);

/* Key and value of a map's entry, which message_next gave; what is not there is its kind's zero. 1 or negative. */
int message_entry(const struct field *map, struct bytes entry, struct pool *pool, struct value *key,
                  struct value *value);

/* The value of a key in a map; of several entries the last. The key's class must be that of the map's key. */
int message_find(struct bytes wire, const struct field *map, const struct value *key, struct pool *pool,
                 struct value *out);

/* The value that bits of a varint or fixed number mean for a kind. Not for texts. */
struct value value_of_bits(enum field_kind kind, uint64_t bits);

/* How one value of a kind stands on the wire. */
enum wire_type field_kind_wire(enum field_kind kind);

#endif
