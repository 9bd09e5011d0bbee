/* arena.h - memory for one message on its way through: taken piece by piece, given back at once. One owner. */
#ifndef SAGA_CORE_ARENA_H
#define SAGA_CORE_ARENA_H

#include "sidecar/base/bytes.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct arena_block;

struct arena {
    struct arena_block *first; /* stays for the next message */
    struct arena_block *current;
    ProtobufCAllocator allocator; /* for protobuf-c: takes from this arena and never gives back */
};

/* The arena must not move afterwards. */
void arena_init(struct arena *a);
void arena_finish(struct arena *a);

/* Everything taken is gone; the first block stays. */
void arena_reset(struct arena *a);

/* size bytes aligned for any type, or NULL when no memory is left. */
void *arena_take(struct arena *a, size_t size);

/* A NUL-terminated copy in which every byte that is not part of valid UTF-8, or is a NUL, has become '?': for texts from outside that go
 * into proto strings. NULL when no memory is left. */
char *arena_text(struct arena *a, struct bytes text);

/* printf into the arena, at most 255 bytes. NULL when no memory is left. */
char *arena_format(struct arena *a, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/* Packs message. Its bytes are NULL when no memory is left. */
struct bytes arena_pack(struct arena *a, const ProtobufCMessage *message);

/* The same, for whoever knows protobuf_c_message_get_packed_size(message) already. */
struct bytes arena_pack_sized(struct arena *a, const ProtobufCMessage *message, size_t size);

#endif
