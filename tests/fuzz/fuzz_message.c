/* fuzz_message.c - any bytes as a message of a type of tests/support/shapes.proto: every way of reading it agrees with the check, and its JSON is
 * read as what is written the same. */
#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"
#include "tests/support/shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static const char *const types[] = {"Order", "Numbers", "Known", "Tree"};

/* A message that passes the check can be read field by field. */
static void check_fields(const struct message_type *type, struct bytes wire, bool sound, struct pool *pool)
{
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        struct value v;
        int64_t found = f->repeated ? message_count(wire, f) : message_get(wire, f, pool, &v);
        CHECK(!sound || found >= 0);
    }
}

/* A NullValue of any number is null in JSON, and null is its zero, which is left out: the one thing that does not come back as it went. */
static bool holds(struct bytes text, const char *part)
{
    return memmem(text.at, text.size, part, strlen(part)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static struct schema *schema;
    struct pool pool;
    struct inspection seen;
    struct error_detail detail = {.field = ""};
    struct bytes json, again, back;
    if (size == 0)
        return 0;
    if (schema == NULL)
        schema = shapes_schema();
    const struct message_type *type = shapes_type(schema, types[at[0] % 4]);
    struct bytes wire = bytes_of(at + 1, size - 1);
    pool_init(&pool, &heap, 64 << 20);
    bool sound = inspect_message(type, wire, &seen, &detail) == 0;
    check_fields(type, wire, sound, &pool);
    if (json_write(schema, type, wire, false, &pool, SIZE_MAX / 2, &json, &detail) == 0) {
        CHECK(json_read(schema, type, json, &pool, SIZE_MAX / 2, &back, &detail) == 0);
        CHECK(json_write(schema, type, back, false, &pool, SIZE_MAX / 2, &again, &detail) == 0);
        CHECK(bytes_equal(json, again) || holds(json, "\"nullValue\":null"));
    }
    pool_finish(&pool);
    return 0;
}
