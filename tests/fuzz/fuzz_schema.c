/* fuzz_schema.c - any bytes as a set of descriptors: refused with words, or what comes out is sound and its skeletons are read. */
#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static void check_type(const struct schema *s, const struct message_type *t)
{
    struct pool pool;
    struct bytes json, wire;
    struct error_detail detail;
    CHECK(schema_message(s, t->name) == t);
    for (unsigned i = 0; i < t->field_count; i++) {
        const struct field *f = &t->fields[i];
        CHECK(f->number >= 1 && f->number <= FIELD_NUMBER_MAX && f->index == i && f->owner == t);
        CHECK(message_field_by_number(t, f->number) == f && message_field_by_name(t, f->name) == f);
        CHECK((f->kind == FIELD_ENUM) == (f->enumeration != NULL));
        CHECK((f->kind == FIELD_MESSAGE || f->kind == FIELD_GROUP) == (f->message != NULL));
        CHECK(f->oneof < (int)t->oneof_count && (!f->map || f->message->map_entry) && (!f->repeated || !f->presence));
    }
    pool_init(&pool, &heap, 1 << 20);
    if (json_skeleton(t, &pool, 4096, &json) == 0)
        json_read(s, t, json, &pool, 4096, &wire, &detail);
    pool_finish(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    struct schema *s = NULL;
    struct error_detail detail;
    int code = schema_read(bytes_of(at, size), &heap, &s, &detail);
    if (code != 0) {
        CHECK(s == NULL && error_row(code) != NULL && (detail.text[0] != '\0' || code != E_ARGUMENT));
        return 0;
    }
    for (unsigned i = 0; i < 20 && schema_message_at(s, i) != NULL; i++)
        check_type(s, schema_message_at(s, i));
    schema_destroy(s);
    return 0;
}
