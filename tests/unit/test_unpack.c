/* The message of a buffer of C core's: in one piece whatever it comes in, and inflated no further than a message may be. */
#include "sidecar/rpc/rpc_inside.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BYTES_MAX = 40000, GZIP = 15 + 16, ZLIB = 15 };

static struct rpc room = {.options = {.message_bytes_max = BYTES_MAX}};
static char text[BYTES_MAX + 100], packed[2 * sizeof text];
static struct bytes message;
static grpc_slice flat;

static void setup(void)
{
    grpc_init();
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i % 23);
}

static void teardown(void)
{
    grpc_shutdown();
}

static size_t pack(int form, size_t size)
{
    z_stream z = {
        .next_in = (Bytef *)text, .avail_in = (uInt)size, .next_out = (Bytef *)packed, .avail_out = sizeof packed};
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, form, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return sizeof packed - z.avail_out;
}

/* Of these bytes in so many pieces. */
static int unpack(const char *at, size_t size, size_t pieces, grpc_compression_algorithm algorithm)
{
    grpc_slice slices[3];
    for (size_t i = 0; i < pieces; i++)
        slices[i] = grpc_slice_from_copied_buffer(at + size * i / pieces, size * (i + 1) / pieces - size * i / pieces);
    grpc_byte_buffer *buffer = grpc_raw_compressed_byte_buffer_create(slices, pieces, algorithm);
    for (size_t i = 0; i < pieces; i++)
        grpc_slice_unref(slices[i]);
    int code = rpc_unpack(&room, buffer, &message, &flat);
    /* What the buffer holds is viewed where that can be. */
    if (pieces == 1 && algorithm == GRPC_COMPRESS_NONE && size > 0)
        ck_assert_ptr_eq(message.at, GRPC_SLICE_START_PTR(buffer->data.raw.slice_buffer.slices[0]));
    if (code == 0) {
        ck_assert_uint_le(message.size, BYTES_MAX);
        ck_assert(message.size == 0 || memcmp(message.at, text, message.size) == 0);
    }
    grpc_slice_unref(flat);
    grpc_byte_buffer_destroy(buffer);
    return code;
}

START_TEST(unpack__what_is_plain_is_taken_in_however_many_pieces)
{
    for (size_t pieces = 0; pieces <= 3; pieces++) {
        ck_assert_int_eq(unpack(text, 1000, pieces, GRPC_COMPRESS_NONE), 0);
        ck_assert_uint_eq(message.size, pieces == 0 ? 0 : 1000);
    }
    ck_assert_int_eq(rpc_unpack(&room, NULL, &message, &flat), 0);
    ck_assert_uint_eq(message.size, 0);
}
END_TEST

/* Of both forms that gRPC knows, up to the last byte that a message may have. */
START_TEST(unpack__what_is_packed_is_inflated)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 32768, BYTES_MAX - 1, BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t pieces = 1; pieces <= 3; pieces++) {
            size_t size = pack(GZIP, sizes[i]);
            ck_assert_int_eq(unpack(packed, size, pieces, GRPC_COMPRESS_GZIP), 0);
            ck_assert_uint_eq(message.size, sizes[i]);
            size = pack(ZLIB, sizes[i]);
            ck_assert_int_eq(unpack(packed, size, pieces, GRPC_COMPRESS_DEFLATE), 0);
            ck_assert_uint_eq(message.size, sizes[i]);
        }
    ck_assert_int_eq(unpack(packed, 0, 1, GRPC_COMPRESS_GZIP), 0); /* nothing, said to be packed */
    ck_assert_uint_eq(message.size, 0);
}
END_TEST

START_TEST(unpack__what_becomes_too_much_is_refused)
{
    for (size_t beyond = 1; beyond <= 100; beyond += 99) {
        size_t size = pack(GZIP, BYTES_MAX + beyond);
        ck_assert_int_eq(unpack(packed, size, 1, GRPC_COMPRESS_GZIP), E_PAYLOAD);
    }
    ck_assert_str_eq(rpc_unpack_words(E_PAYLOAD), "the message is larger than message_bytes_max when it is unpacked");
}
END_TEST

START_TEST(unpack__what_is_not_what_it_says_is_refused)
{
    size_t size = pack(GZIP, 20000);
    for (size_t cut = 1; cut < size; cut += size / 7)
        ck_assert_int_eq(unpack(packed, size - cut, 1, GRPC_COMPRESS_GZIP), E_ARGUMENT);
    ck_assert_int_eq(unpack(text, 1000, 1, GRPC_COMPRESS_GZIP), E_ARGUMENT);
    packed[size / 2] ^= 0x55;
    ck_assert_int_eq(unpack(packed, size, 1, GRPC_COMPRESS_GZIP), E_ARGUMENT);
    ck_assert_str_eq(rpc_unpack_words(E_ARGUMENT), "the message cannot be unpacked");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("unpack");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, unpack__what_is_plain_is_taken_in_however_many_pieces);
    tcase_add_test(t, unpack__what_is_packed_is_inflated);
    tcase_add_test(t, unpack__what_becomes_too_much_is_refused);
    tcase_add_test(t, unpack__what_is_not_what_it_says_is_refused);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
