/* What is said of messages on the wire that end too early, or of which a byte is another: what an inspection counts or refuses, and what is written of
 * it as JSON. It is kept in tests/fixtures/message/errors.txt; `build/release/tests/unit/test_message_errors write` writes that anew, for its
 * difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/message/errors.txt";

static const struct {
    const char *type, *wire;
} texts[] = {
    {"Order",
     "1:'o' 2:{1:'n' 2:{2:'z'}} 3:{1:'s' 2:3} 3:{} 4:{1:'k' 2:1} 5:'\x01\x02' 5:3 8:1 9:0 10:1 11:'y' 12:{1:7 2:{}}"},
    {"Numbers", "3:-5 4:7 5:-1 8:1 13:9 17:3 18:4 20:'\x01\x01\x01\x01\x01\x01\x01\x01' 21:'\x01\x01\x01\x01'"},
    {"Known",
     "1:{1:5 2:7} 2:{1:1 2:9} 3:{1:'a.b_c' 1:'d'} 4:{1:{1:'k' 2:{4:1}}} 5:{6:{1:{3:'x'} 1:{1:0}}} 8:{1:5} 9:{1:'t'}"},
    {"Known", "7:{1:'x/shapes.Line' 2:{1:'a'}} 11:{} 12:0 13:{1:1} 15:{1:1} 15:{}"},
    {"Tree", "1:{2:{3:1} 3:2} 2:{} 3:-1 9:1 8:{1:'a'}"},
};

static struct schema *schema;
static struct pool pool;

static void put_result(const struct message_type *type, struct bytes wire, char *line, size_t room)
{
    struct inspection seen;
    struct error_detail detail;
    struct bytes json;
    int code = inspect_message(type, wire, &seen, &detail);
    int used = code != 0
                   ? snprintf(line, room, "%s: %s", detail.field, detail.text)
                   : snprintf(line, room, "%u known, %u unknown%s%s %u", seen.known, seen.unknown,
                              seen.unknown > 0 ? ": " : "",
                              seen.unknown > 0 ? (const char *)seen.unknown_in->name.at : "", seen.unknown_number);
    code = json_write(schema, type, wire, false, &pool, 1 << 20, &json, &detail);
    if (code == 0)
        snprintf(line + used, room - (size_t)used, "; %.*s", (int)json.size, (const char *)json.at);
    else
        snprintf(line + used, room - (size_t)used, "; %s: %s", detail.field, detail.text);
}

/* Cut behind so many bytes, and then with another byte behind so many. */
static void put_message(FILE *out, const struct message_type *type, const uint8_t *wire, size_t size)
{
    char last[2048] = "", line[2048];
    for (int other = 0; other < 3; other++)
        for (size_t i = 0; i < size + (other == 0); i++) {
            struct pool_mark mark = pool_mark(&pool);
            uint8_t copy[512];
            memcpy(copy, wire, size);
            if (other > 0)
                copy[i] = other == 1 ? copy[i] ^ 1 : 0x80;
            put_result(type, bytes_of(copy, other == 0 ? i : size), line, sizeof line);
            pool_rewind(&pool, mark);
            if (strcmp(line, last) != 0)
                fprintf(out, "  %s %zu: %s\n",
                        other == 0   ? "cut at"
                        : other == 1 ? "other bit at"
                                     : "0x80 at",
                        i, line);
            memcpy(last, line, sizeof last);
        }
}

static void put_all(FILE *out)
{
    pool_init(&pool, &heap, 1 << 22);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t wire[512];
        fprintf(out, "%s %zu\n", texts[i].type, i);
        put_message(out, shapes_type(schema, texts[i].type), wire, wire_of_text(texts[i].wire, wire, sizeof wire));
    }
    pool_finish(&pool);
}

START_TEST(message__what_is_damaged_is_told_in_these_words)
{
    schema = shapes_schema();
    kept_text_compare(path, put_all);
    schema_destroy(schema);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "message_errors", message__what_is_damaged_is_told_in_these_words);
}
