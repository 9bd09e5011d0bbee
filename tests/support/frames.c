/* frames.c - small sound frames for tests of what keeps them. */
#include "tests/support/frames.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

struct bytes frame_make(uint8_t *at, uint64_t first_serial, size_t count, size_t payload, struct instant when)
{
    uint8_t *input = malloc(payload + 1);
    CHECK(input != NULL);
    uint8_t *end = at;
    for (size_t i = 0; i < count; i++) {
        uint64_t serial = first_serial + i;
        uint64_t mix = serial * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t k = 0; k < payload; k++)
            input[k] = (uint8_t)((mix >> (k % 8 * 8)) + k);
        struct record record = {
            .type = RECORD_STARTED,
            .saga = {.tag = 7, .serial = serial},
            .at = when,
            .step = RECORD_NO_STEP,
            .mode = SAGA_ENLISTED,
            .name = bytes_of_text("transfer"),
            .input = bytes_of(input, payload),
            .deadline = INSTANT_NEVER,
        };
        end += codec_encode(&record, 0, end);
    }
    free(input);
    return bytes_of(at, (size_t)(end - at));
}
