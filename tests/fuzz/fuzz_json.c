/* fuzz_json.c - any text as a message in JSON: refused with its place, or read as a sound message that comes back the same from its own JSON. */
#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "tests/support/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static const char *const types[] = {"Order", "Numbers", "Known", "Tree"};

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static struct schema *schema;
    struct pool pool;
    struct inspection seen;
    struct error_detail detail = {.field = ""};
    struct bytes wire, json, back, again;
    if (size == 0)
        return 0;
    if (schema == NULL)
        schema = shapes_schema();
    const struct message_type *type = shapes_type(schema, types[at[0] % 4]);
    pool_init(&pool, &heap, 64 << 20);
    if (json_read(schema, type, bytes_of(at + 1, size - 1), &pool, 1 << 20, &wire, &detail) == 0) {
        CHECK(inspect_message(type, wire, &seen, &detail) == 0 && seen.unknown == 0);
        /* A field's mask has paths that have no way back. */
        if (json_write(schema, type, wire, true, &pool, SIZE_MAX / 2, &json, &detail) == 0) {
            CHECK(json_read(schema, type, json, &pool, SIZE_MAX / 2, &back, &detail) == 0);
            CHECK(json_write(schema, type, back, true, &pool, SIZE_MAX / 2, &again, &detail) == 0);
            CHECK(bytes_equal(json, again));
        }
    } else {
        CHECK(detail.text[0] != '\0' || detail.line == 0);
    }
    pool_finish(&pool);
    return 0;
}
