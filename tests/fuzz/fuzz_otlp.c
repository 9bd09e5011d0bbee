/* fuzz_otlp.c - what a collector answers, from anywhere, and the same bytes as a text and as an id: no more is said to be lost than was sent, and what
 * is made of a text is one that a message may have. */
#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"
#include "sidecar/observe/otlp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void look_at_text(const char *text, size_t room)
{
    struct bytes left = bytes_of_text(text);
    CHECK(left.size < room);
    while (left.size > 0) {
        size_t sequence = utf8_sequence_size(left);
        CHECK(sequence > 0);
        left = bytes_of(left.at + sequence, left.size - sequence);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    char said[OTLP_TEXT_SIZE], text[40];
    uint8_t id[16];
    uint64_t sent = size > 0 ? at[0] : 0;
    CHECK(otlp_rejected(bytes_of(at, size), sent, said) <= sent);
    look_at_text(said, sizeof said);
    look_at_text(otlp_text(bytes_of(at, size), text, sizeof text), sizeof text);
    CHECK(!otlp_id(bytes_of(at, size), id, sizeof id) || size == 2 * sizeof id);
    return 0;
}
