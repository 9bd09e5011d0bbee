/* fuzz_sealed.c - any bytes as a sealed frame, and as a file of keys: refused, or read within their bounds; no key is ever told. */
#include "sidecar/base/check.h"
#include "sidecar/journal/sealed/envelope.h"

#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void read_envelope(struct bytes frame)
{
    struct envelope e;
    uint8_t bound[ENVELOPE_BOUND_SIZE];
    if (!envelope_is(frame) || !envelope_read(frame, &e))
        return;
    CHECK(e.content.size > 0 && e.content.at >= frame.at && e.content.at + e.content.size == frame.at + frame.size);
    CHECK(envelope_bound(&e, 'f', 7, bound).size == sizeof bound);
    /* It is written as it was read, but for bytes that mean nothing. */
    uint8_t *again = malloc(e.content.size + ENVELOPE_SIZE_MAX);
    CHECK(again != NULL);
    memcpy(envelope_begin(&e, again), e.content.at, e.content.size);
    CHECK(envelope_end(&e, again) == frame.size);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct seal_keys keys;
    struct error_detail detail;
    read_envelope(bytes_of(at, size));
    if (size > 8) {
        uint8_t *fitting = malloc(size);
        CHECK(fitting != NULL);
        memcpy(fitting, at, size);
        uint32_t body = (uint32_t)(size - 8), sum = (uint32_t)crc32(0, at + 8, body);
        for (int i = 0; i < 4; i++) {
            fitting[i] = (uint8_t)(body >> 8 * i);
            fitting[4 + i] = (uint8_t)(sum >> 8 * i);
        }
        read_envelope(bytes_of(fitting, size));
        free(fitting);
    }
    int code = seal_read_keys(bytes_of(at, size), "option", &keys, &detail);
    CHECK(code == 0 ? keys.count > 0 && keys.count <= SEAL_KEYS_MAX : detail.text[0] != '\0');
    for (size_t i = 0; code == 0 && i < keys.count; i++)
        CHECK(seal_find_key(&keys, bytes_of_text(keys.keys[i].name)) == &keys.keys[i]);
    return 0;
}
