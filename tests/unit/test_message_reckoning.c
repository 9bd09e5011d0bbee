/* Messages against a second reckoning: made by chance, each is written at once on the wire and as JSON, as protobuf would, and again in other ways that mean
 * the same: fields in another order, said twice, in pieces, packed or not, with unknown ones between; names as in the .proto file, numbers in other words,
 * white space. Each form must become the one that it should, whichever way. Nothing but the tables of the types is shared with the room. */
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"
#include "tests/support/by_chance.h"
#include "tests/support/made_messages.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdlib.h>

#define MESSAGES 1500

static struct schema *schema;
static struct pool pool;

static struct bytes view(const struct made_text *t)
{
    return bytes_of(t->at, t->size);
}

static void same(struct bytes is, const struct made_text *should, const char *what, unsigned seed)
{
    ck_assert_msg(bytes_equal(is, view(should)), "%u, %s: %.*s\nshould be %.*s", seed, what, (int)is.size,
                  (const char *)is.at, (int)should->size, should->at);
}

static struct bytes as_json(const struct message_type *type, struct bytes wire, unsigned seed)
{
    struct bytes json;
    struct error_detail detail = {.text = ""};
    int code = json_write(schema, type, wire, false, &pool, MADE_TEXT_MAX, &json, &detail);
    ck_assert_msg(code == 0, "%u: %s: %s", seed, detail.field, detail.text);
    return json;
}

static struct bytes as_wire(const struct message_type *type, const struct made_text *json, unsigned seed)
{
    struct bytes wire;
    struct error_detail detail = {.text = ""};
    int code = json_read(schema, type, view(json), &pool, MADE_TEXT_MAX, &wire, &detail);
    ck_assert_msg(code == 0, "%u: %s: %s, of %.*s", seed, detail.field, detail.text, (int)json->size, json->at);
    return wire;
}

START_TEST(message__each_form_becomes_each_other)
{
    static const char *const types[] = {"Order", "Numbers", "Known", "Tree", "Customer"};
    schema = shapes_schema();
    pool_init(&pool, &heap, 1 << 22);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct pool_mark mark = pool_mark(&pool);
        const struct message_type *type = shapes_type(schema, types[i % 5]);
        struct inspection seen;
        unsigned known, unknown;
        struct error_detail detail;
        by_chance_seed(i);
        const struct made *m = made_message(schema, type, &known, &unknown);
        same(as_json(type, view(&m->wire), i), &m->json, "the wire as JSON", i);
        same(as_json(type, view(&m->loose_wire), i), &m->json, "the loose wire as JSON", i);
        same(as_wire(type, &m->json, i), &m->wire, "JSON on the wire", i);
        same(as_json(type, as_wire(type, &m->loose_json, i), i), &m->json, "loose JSON", i);
        ck_assert_int_eq(inspect_message(type, view(&m->loose_wire), &seen, &detail), 0);
        ck_assert_msg(seen.known == known && seen.unknown == unknown,
                      "%u: %u known and %u unknown fields, not %u and %u", i, seen.known, seen.unknown, known, unknown);
        /* Each field that is one value, looked for, and found through an index. */
        struct message_index *index;
        ck_assert_int_eq(message_index_make(type, view(&m->loose_wire), &pool, &index), 1);
        for (unsigned k = 0; k < type->field_count; k++) {
            struct value a, b;
            const struct field *f = &type->fields[k];
            if (f->repeated)
                continue;
            int found = message_get(view(&m->loose_wire), f, &pool, &a);
            ck_assert_int_eq(message_index_get(index, f, &pool, &b), found);
            ck_assert(value_class_of(f->kind) == VALUE_DOUBLE || value_equal(&a, &b));
            ck_assert_int_eq(message_get(view(&m->wire), f, &pool, &b), found);
            ck_assert(value_class_of(f->kind) == VALUE_DOUBLE || f->kind == FIELD_MESSAGE || value_equal(&a, &b));
        }
        pool_rewind(&pool, mark);
    }
    pool_finish(&pool);
    schema_destroy(schema);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("message_reckoning");
    tcase_set_timeout(c, 30);
    Suite *s = suite_create("message_reckoning");
    tcase_add_test(c, message__each_form_becomes_each_other);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
