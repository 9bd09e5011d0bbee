/* unpack.c - the message in a buffer of C core's, in one piece and inflated.
 *
 * C core inflates a message whole before it looks how large it has become, so that half a megabyte can take half a gigabyte. It is told not
 * to, and the room does it, no further than a message may be. */
#include "sidecar/rpc/rpc_inside.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>
#include <zlib.h>

/* zlib finds out by itself which of its two forms it is: gRPC's "deflate" is zlib's, its "gzip" is gzip's. */
#define EITHER_FORM (15 + 32)

/* What is inflated at first; the room is doubled until it is enough. */
#define ROOM_FIRST 16384

/* Inflates into *at, which grows up to max bytes. Returns 0, E_MEMORY, E_PAYLOAD when there is more, or E_ARGUMENT. */
static int inflate_up_to(z_stream *z, uint8_t **at, size_t *size, size_t max)
{
    size_t room = 0;
    for (int code = Z_OK; code != Z_STREAM_END;) {
        if (*size == room) {
            if (room > max)
                return E_PAYLOAD;
            room = room == 0 ? ROOM_FIRST : 2 * room;
            room = room > max ? max + 1 : room; /* one more than may be, to see that there is more */
            uint8_t *more = realloc(*at, room);
            if (more == NULL)
                return E_MEMORY;
            *at = more;
        }
        z->next_out = *at + *size;
        z->avail_out = (uInt)(room - *size);
        code = inflate(z, Z_NO_FLUSH);
        *size = room - z->avail_out;
        if (code != Z_STREAM_END && (code != Z_OK || (z->avail_in == 0 && z->avail_out > 0)))
            return E_ARGUMENT;
    }
    return *size > max ? E_PAYLOAD : 0;
}

static int inflate_all(struct bytes packed, size_t max, grpc_slice *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.at, .avail_in = (uInt)packed.size};
    uint8_t *at = NULL;
    size_t size = 0;
    if (inflateInit2(&z, EITHER_FORM) != Z_OK)
        return E_MEMORY;
    int code = inflate_up_to(&z, &at, &size, max);
    inflateEnd(&z);
    if (code != 0 || at == NULL)
        free(at);
    else
        *out = grpc_slice_new(at, size, free);
    return code;
}

/* Views the bytes of buffer as they came; *flat holds them when they had to be copied to be in one piece. */
static struct bytes view(grpc_byte_buffer *buffer, grpc_slice *flat)
{
    const grpc_slice_buffer *slices = &buffer->data.raw.slice_buffer;
    grpc_byte_buffer_reader reader;
    if (slices->count == 0)
        return bytes_of(NULL, 0);
    if (slices->count == 1)
        return bytes_of(GRPC_SLICE_START_PTR(slices->slices[0]), GRPC_SLICE_LENGTH(slices->slices[0]));
    CHECK(grpc_byte_buffer_reader_init(&reader, buffer));
    *flat = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return bytes_of(GRPC_SLICE_START_PTR(*flat), GRPC_SLICE_LENGTH(*flat));
}

int rpc_unpack(const struct rpc *r, grpc_byte_buffer *buffer, struct bytes *message, grpc_slice *flat)
{
    *flat = grpc_empty_slice();
    *message = bytes_of(NULL, 0);
    if (buffer == NULL)
        return 0;
    CHECK(buffer->type == GRPC_BB_RAW);
    *message = view(buffer, flat);
    if (buffer->data.raw.compression == GRPC_COMPRESS_NONE || message->size == 0)
        return 0;
    grpc_slice inflated = grpc_empty_slice();
    int code = inflate_all(*message, r->options.message_bytes_max, &inflated);
    grpc_slice_unref(*flat);
    *flat = inflated;
    *message = bytes_of(GRPC_SLICE_START_PTR(*flat), GRPC_SLICE_LENGTH(*flat));
    return code;
}

const char *rpc_unpack_words(int code)
{
    return code == E_PAYLOAD  ? "the message is larger than message_bytes_max when it is unpacked"
           : code == E_MEMORY ? error_row(E_MEMORY)->text
                              : "the message cannot be unpacked";
}
