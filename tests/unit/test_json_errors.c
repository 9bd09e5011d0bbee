/* What is said of JSON that ends too early, or lacks a sign or has another in its place: the words, the path and the place in the text, or the JSON of the
 * message that it is all the same. It is kept in tests/fixtures/message/json_errors.txt; `build/release/tests/unit/test_json_errors write` writes that
 * anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/message/json.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/message/json_errors.txt";

static const struct {
    const char *type, *json;
} texts[] = {
    {"Order", "{\"orderId\":\"a\\u00e9\",\"customer\":{\"name\":\"n\"},\"lines\":[{\"sku\":\"s\",\"quantity\":-3},{}],"
              "\"cash\":true}"},
    {"Order", "{\"counts\":{\"k\":\"1\",\"l\":2},\"byRow\":{\"7\":{}},\"shifts\":[1,-2],\"color\":\"RED\",\"token\":"
              "\"YQ==\",\"priority\":0}"},
    {"Numbers", "{\"d\":-1.5e+3,\"f\":\"NaN\",\"i64\":\"-5\",\"u32\":7,\"b\":false,\"ds\":[0.5,1]}"},
    {"Known",
     "{\"at\":\"2026-11-28T08:30:00Z\",\"after\":\"1.5s\",\"mask\":\"a.bC\",\"maybeNumber\":\"5\",\"nothing\":{}}"},
    {"Known", "{\"bag\":{\"k\":[1,null,{\"x\":true}]},\"anyJson\":\"v\",\"list\":[false],\"nullValue\":null}"},
    {"Known", "{\"any\":{\"sku\":\"a\",\"@type\":\"x/shapes.Line\"}}"},
    {"Known", "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"1s\"}}"},
};

static struct schema *schema;
static struct pool pool;

static void put_result(const struct message_type *type, const char *text, size_t size, char *line, size_t room)
{
    struct error_detail detail;
    struct bytes wire, json;
    int code = json_read(schema, type, bytes_of(text, size), &pool, 1 << 20, &wire, &detail);
    bool read = code == 0;
    if (read)
        code = json_write(schema, type, wire, false, &pool, 1 << 20, &json, &detail);
    if (code == 0)
        snprintf(line, room, "is %.*s", (int)json.size, (const char *)json.at);
    else
        snprintf(line, room, "%s%d:%d: %s: %s (%s)", read ? "read, but " : "", detail.line, detail.column, detail.field,
                 detail.text, error_row(code)->reason);
}

enum change { CUT, WITHOUT, TWICE, CHANGES };

/* Cut behind so many bytes, or without the byte behind so many, or with it twice. Letters and digits stand for the first of them. */
static void put_changes(FILE *out, const struct message_type *type, const char *text, enum change change)
{
    static const char *const names[CHANGES] = {[CUT] = "cut at", [WITHOUT] = "without", [TWICE] = "twice"};
    size_t size = strlen(text);
    char last[512] = "", line[512], *copy = malloc(size + 2);
    bool within = false; /* a word */
    for (size_t i = 0; i < size; i++) {
        struct pool_mark mark = pool_mark(&pool);
        bool first = !within;
        within = strchr("{}[]:,\"\\+-.@/", text[i]) == NULL;
        if (within && !first)
            continue;
        memcpy(copy, text, i);
        size_t behind = i + (change == WITHOUT);
        if (change == TWICE)
            copy[i] = text[i];
        memcpy(copy + i + (change == TWICE), text + behind, size - behind);
        put_result(type, copy, change == CUT ? i : size - (change == WITHOUT) + (change == TWICE), line, sizeof line);
        pool_rewind(&pool, mark);
        if (strcmp(line, last) != 0)
            fprintf(out, "  %s %zu: %s\n", names[change], i, line);
        memcpy(last, line, sizeof last);
    }
    free(copy);
}

static void put_all(FILE *out)
{
    pool_init(&pool, &heap, 1 << 22);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fprintf(out, "%s\n", texts[i].json);
        for (enum change change = CUT; change < CHANGES; change++)
            put_changes(out, shapes_type(schema, texts[i].type), texts[i].json, change);
    }
    pool_finish(&pool);
}

START_TEST(json__what_is_wrong_is_told_in_these_words)
{
    schema = shapes_schema();
    kept_text_compare(path, put_all);
    schema_destroy(schema);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "json_errors", json__what_is_wrong_is_told_in_these_words);
}
