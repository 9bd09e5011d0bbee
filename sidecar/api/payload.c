/* payload.c - payloads whose type is known. */
#include "sidecar/api/payload.h"

#include "sidecar/base/utf8.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"

#include <stdio.h>

/* Reading and writing so much takes less than 50 ms, whatever it holds; the text of numbers takes longest. */
#define TEXT_BYTES_MAX 262144
/* Far more than that becomes: only what a small text blows up to is refused by these. */
#define WIRE_BYTES_MAX   4194304
#define JSON_BYTES_MAX   2097152
#define MEMORY_BYTES_MAX 67108864

/* Puts the field of the request before the path within the message, and the place in the text behind the words. */
static int place(struct error_detail *detail, int code, const char *field)
{
    struct error_detail said = *detail;
    error_set(detail, code, field, said.text[0] != '\0' ? said.text : error_row(code)->text);
    if (said.field[0] != '\0') {
        utf8_append(detail->field, sizeof detail->field, ".");
        utf8_append(detail->field, sizeof detail->field, said.field);
    }
    if (said.line > 0) {
        char at[48];
        snprintf(at, sizeof at, " (line %d, column %d)", said.line, said.column);
        error_append(detail, at);
    }
    return code;
}

int payload_check(const struct message_type *type, struct bytes wire, struct error_detail *detail)
{
    struct inspection seen;
    int code = inspect_message(type, wire, &seen, detail);
    if (code != 0)
        return place(detail, code, "input");
    if (seen.unknown == 0 && !seen.incomplete)
        return 0;
    char words[200];
    if (seen.unknown > 0)
        snprintf(words, sizeof words, "%.120s has no field %u: is it another type, or a newer one?",
                 (const char *)seen.unknown_in->name.at, (unsigned)seen.unknown_number);
    else
        snprintf(words, sizeof words, "a required field of %.120s, or of a message in it, is not set",
                 (const char *)type->name.at);
    return error_set(detail, E_ARGUMENT, "input", words);
}

int payload_read_json(struct arena *a, const struct schema *schema, const struct message_type *type, struct bytes json,
                      struct bytes *wire, struct error_detail *detail)
{
    struct pool pool;
    struct bytes made;
    if (json.size > TEXT_BYTES_MAX)
        return error_set(detail, E_PAYLOAD, "input_json", "is over 256 KiB; give the input as bytes");
    pool_init(&pool, &heap, MEMORY_BYTES_MAX);
    int code = json_read(schema, type, json, &pool, WIRE_BYTES_MAX, &made, detail);
    uint8_t *copy = code == 0 ? arena_take(a, made.size + 1) : NULL;
    if (code == 0 && copy == NULL)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0) {
        memcpy(copy, made.at, made.size);
        *wire = bytes_of(copy, made.size);
        struct inspection seen;
        if (inspect_message(type, *wire, &seen, detail) == 0 && seen.incomplete)
            code = error_set(detail, E_ARGUMENT, "", "a required field is not set");
    }
    pool_finish(&pool);
    return code == 0 ? 0 : place(detail, code, "input_json");
}

char *payload_write_json(struct arena *a, const struct schema *schema, const struct message_type *type,
                         struct bytes wire)
{
    struct pool pool;
    struct bytes made;
    struct error_detail detail;
    pool_init(&pool, &heap, MEMORY_BYTES_MAX);
    char *copy = NULL;
    if (json_write(schema, type, wire, false, &pool, JSON_BYTES_MAX, &made, &detail) == 0)
        copy = arena_take(a, made.size + 1);
    if (copy != NULL)
        memcpy(copy, made.at, made.size + 1);
    pool_finish(&pool);
    return copy;
}
