/* peer.c - sidecar/message/ for the differential test: answers a line of JSON on stdin with one on stdout.
 *
 * A frame is a byte for the command and two texts, each with its length before it (four bytes, little-endian); so is the answer, with the code
 * of the error in place of the command and the answer or the error's words as its first text.
 *   s SET TYPE    reads a FileDescriptorSet, and takes the type
 *   i WIRE        inspects: known, unknown, incomplete
 *   w WIRE        to JSON
 *   r JSON        from JSON
 *   g WIRE PATH   reads the field of a path: its JSON */
#include "sidecar/core/heap.h"
#include "sidecar/message/build.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "sidecar/message/message.h"

#include <stdio.h>
#include <stdlib.h>

static struct schema *schema;
static const struct message_type *type;
static struct pool pool;
static struct error_detail detail;

static struct bytes read_text(void)
{
    uint8_t head[4];
    if (fread(head, 1, 4, stdin) != 4)
        exit(1);
    size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    uint8_t *at = malloc(size + 1);
    if (at == NULL || fread(at, 1, size, stdin) != size)
        exit(1);
    at[size] = 0;
    return bytes_of(at, size);
}

static void write_text(struct bytes text)
{
    uint8_t head[4] = {(uint8_t)text.size, (uint8_t)(text.size >> 8), (uint8_t)(text.size >> 16),
                       (uint8_t)(text.size >> 24)};
    fwrite(head, 1, 4, stdout);
    fwrite(text.at, 1, text.size, stdout);
}

static int take_set(struct bytes set, struct bytes name)
{
    schema_destroy(schema);
    schema = NULL;
    int code = schema_read(set, &heap, &schema, &detail);
    if (code != 0)
        return code;
    type = schema_message(schema, name);
    return type == NULL ? error_set(&detail, E_ARGUMENT, "", "no such type") : 0;
}

static int inspect(struct bytes wire, struct bytes *answer)
{
    static char text[96];
    struct inspection seen;
    int code = inspect_message(type, wire, &seen, &detail);
    if (code == 0)
        *answer = bytes_of(
            text, (size_t)snprintf(text, sizeof text, "[%u, %u, %d]", seen.known, seen.unknown, seen.incomplete));
    return code;
}

/* A field, read alone and put into a message of its own, as JSON. */
static int get(struct bytes wire, struct bytes name, struct bytes *answer)
{
    const struct field *f = message_field_by_name(type, name);
    struct builder b;
    struct message_items items;
    struct value v;
    int found;
    builder_init(&b, &pool, SIZE_MAX);
    if (!f->repeated) {
        found = message_get(wire, f, &pool, &v);
        if (found == 1)
            build_field(&b, f, &v);
    } else {
        message_items(&items, wire, f);
        size_t mark = f->packed ? build_open(&b, f) : 0;
        while ((found = message_next(&items, &v)) == 1) {
            if (f->packed)
                build_packed(&b, f, &v);
            else
                build_field(&b, f, &v);
        }
        if (f->packed)
            build_close(&b, mark);
    }
    if (found < 0)
        return error_set(&detail, found, "", "cannot be read");
    int code = builder_finish(&b, &wire);
    return code != 0 ? code : json_write(schema, type, wire, false, &pool, SIZE_MAX, answer, &detail);
}

int main(void)
{
    int command;
    while ((command = getchar()) != EOF) {
        struct bytes a = read_text(), b = read_text(), answer = bytes_of("", 0);
        int code = 0;
        pool_init(&pool, &heap, 64 << 20);
        error_set(&detail, 0, "", "");
        if (command == 's')
            code = take_set(a, b);
        else if (command == 'i')
            code = inspect(a, &answer);
        else if (command == 'w')
            code = json_write(schema, type, a, b.size > 0, &pool, SIZE_MAX, &answer, &detail);
        else if (command == 'r')
            code = json_read(schema, type, a, &pool, SIZE_MAX, &answer, &detail);
        else
            code = get(a, b, &answer);
        char words[400];
        if (code != 0)
            answer = bytes_of(words, (size_t)snprintf(words, sizeof words, "%s: %s", detail.field, detail.text));
        putchar(-code);
        write_text(answer);
        fflush(stdout);
        pool_finish(&pool);
        free((void *)(uintptr_t)a.at);
        free((void *)(uintptr_t)b.at);
    }
    schema_destroy(schema);
    return 0;
}
