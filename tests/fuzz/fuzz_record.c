/* fuzz_record.c - any bytes as a frame of the journal: refused, or read as records that encode to the very bytes they came from.
 *
 * The input is read twice: as it is, and with its checksums made to fit, so that what lies behind them is reached too. */
#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static uint32_t get(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void seal(uint8_t *at, size_t size)
{
    while (size >= 8) {
        size_t body = get(at) < size - 8 ? get(at) : size - 8;
        uint32_t crc = (uint32_t)crc32(0, at + 8, (uInt)body);
        for (int i = 0; i < 4; i++)
            at[4 + i] = (uint8_t)(crc >> 8 * i);
        at += 8 + body;
        size -= 8 + body;
    }
}

static void encode_again(const struct record *record, uint64_t previous, struct bytes from)
{
    uint8_t *again = malloc(codec_record_size_max(record));
    CHECK(again != NULL);
    CHECK(bytes_equal(bytes_of(again, codec_encode(record, previous, again)), from));
    free(again);
}

static void read_frame(struct bytes frame)
{
    struct error_detail detail;
    bool sound = codec_check(frame, &detail) == 0;
    if (sound)
        (void)codec_time(frame);
    while (frame.size > 0) {
        struct bytes rest = frame;
        struct bytes skipped = frame;
        struct record record;
        uint64_t previous;
        uint64_t serial;
        if (codec_decode(&rest, &record, &previous, &detail) != 0) {
            CHECK(rest.at == frame.at && detail.text[0] != '\0');
            return;
        }
        CHECK(codec_type(frame) == record.type);
        CHECK(codec_skip(&skipped, &serial) == 0 && serial == record.saga.serial && skipped.at == rest.at);
        encode_again(&record, previous, bytes_of(frame.at, frame.size - rest.size));
        frame = rest;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    read_frame(bytes_of(at, size));
    uint8_t *sealed = malloc(size + 1);
    CHECK(sealed != NULL);
    if (size > 0)
        memcpy(sealed, at, size);
    seal(sealed, size);
    read_frame(bytes_of(sealed, size));
    free(sealed);
    return 0;
}
