/* arena.c - blocks in a chain; the newest is taken from. */
#include "sidecar/core/arena.h"

#include "sidecar/base/utf8.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE 65536
#define ALIGNMENT  alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t room, used;
    alignas(max_align_t) uint8_t bytes[];
};

static void *take(void *self, size_t size)
{
    return arena_take(self, size);
}

static void give_back(void *self, void *at)
{
    (void)self;
    (void)at;
}

void arena_init(struct arena *a)
{
    *a = (struct arena){.allocator = {.alloc = take, .free = give_back, .allocator_data = a}};
}

static void free_after(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_finish(struct arena *a)
{
    free_after(a->first);
    a->first = a->current = NULL;
}

void arena_reset(struct arena *a)
{
    if (a->first == NULL)
        return;
    free_after(a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    a->current = a->first;
}

static struct arena_block *add_block(struct arena *a, size_t size)
{
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct arena_block *block = malloc(sizeof *block + room);
    if (block == NULL)
        return NULL;
    block->next = NULL;
    block->room = room;
    block->used = 0;
    if (a->current != NULL)
        a->current->next = block;
    else
        a->first = block;
    a->current = block;
    return block;
}

void *arena_take(struct arena *a, size_t size)
{
    struct arena_block *block = a->current;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (block == NULL || size > block->room - block->used) {
        block = add_block(a, size);
        if (block == NULL)
            return NULL;
    }
    void *at = block->bytes + block->used;
    block->used += size;
    return at;
}

char *arena_text(struct arena *a, struct bytes text)
{
    char *copy = arena_take(a, text.size + 1);
    if (copy == NULL)
        return NULL;
    char *to = copy;
    while (text.size > 0) {
        size_t size = text.at[0] == 0 ? 0 : utf8_sequence_size(text);
        if (size == 0)
            *to++ = '?';
        else
            memcpy(to, text.at, size);
        to += size;
        size += size == 0;
        text = bytes_of(text.at + size, text.size - size);
    }
    *to = '\0';
    return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t size = strlen(text) + 1;
    char *copy = arena_take(a, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

struct bytes arena_pack(struct arena *a, const ProtobufCMessage *message)
{
    return arena_pack_sized(a, message, protobuf_c_message_get_packed_size(message));
}

struct bytes arena_pack_sized(struct arena *a, const ProtobufCMessage *message, size_t size)
{
    uint8_t *at = arena_take(a, size);
    if (at == NULL)
        return bytes_of(NULL, 0);
    return bytes_of(at, protobuf_c_message_pack(message, at));
}
