/* json_inside.h - what the files that read and write JSON share. */
#ifndef SAGA_MESSAGE_JSON_INSIDE_H
#define SAGA_MESSAGE_JSON_INSIDE_H

#include "sidecar/message/build.h"
#include "sidecar/message/json.h"
#include "sidecar/message/json_scan.h"

/* The way to what is read: on the stack, and made a text only for an error. */
struct json_place {
    const struct json_place *outer;
    struct bytes name; /* of a field or a map's key; at NULL: an index */
    uint64_t index;
};

struct json_reader {
    const struct schema *schema;
    struct bytes text;
    struct json_scan scan;
    struct builder *builder;
    struct pool scratch;
    unsigned any_depth; /* of the message whose "@type" is to be passed over; 0: of none */
    struct error_detail *detail;
};

/* The functions below return 0 or the code of what went wrong, with the detail filled in. more may be NULL. */
int json_refuse(struct json_reader *r, const struct json_place *place, const uint8_t *at, const char *text,
                const char *more);
int json_no_room(struct json_reader *r);

/* Gives an error that another room has put into words its place; returns code. */
int json_placed(struct json_reader *r, const struct json_place *place, const uint8_t *at, int code);

/* The next token, which is not the end. */
int json_take(struct json_reader *r, const struct json_place *place, struct json_token *t);

/* A key with its colon; *name is a view into the text or the scratch pool. */
int json_key(struct json_reader *r, const struct json_place *place, struct json_token *key, struct bytes *name);

/* Behind the opening bracket: whether anything is within; if not, the closing one is taken. */
int json_any(struct json_reader *r, enum json_kind end, bool *any);

/* Behind a value within brackets: takes ',' or the closing one. */
int json_more(struct json_reader *r, const struct json_place *place, enum json_kind end, bool *more);

/* Goes over any value. */
int json_skip(struct json_reader *r, const struct json_place *place, unsigned depth);

/* A message of any type, or one by its fields. What is read goes to the builder. */
int json_read_message(struct json_reader *r, const struct message_type *type, const struct json_place *place,
                      unsigned depth);
int json_read_fields(struct json_reader *r, const struct message_type *type, const struct json_place *place,
                     unsigned depth);

/* ---- writing ---- */

struct json_writer {
    const struct schema *schema;
    struct builder *out; /* of text */
    struct pool scratch;
    bool pretty;
    unsigned indent;
    struct error_detail *detail;
};

void json_put_raw(struct json_writer *w, const char *text);

/* A text with escapes, or the same in quotes. It is valid UTF-8. */
void json_put_part(struct json_writer *w, struct bytes text);
void json_put_text(struct json_writer *w, struct bytes text);

/* Opens and closes brackets, and begins another value or key within them. */
void json_open(struct json_writer *w, char bracket);
void json_begin(struct json_writer *w, bool first);
void json_close(struct json_writer *w, char bracket, bool empty);
void json_put_key(struct json_writer *w, struct bytes name);

int json_fail(struct json_writer *w, const struct message_type *type, const char *text);

/* One value that is not in a message of its own. */
int json_write_value(struct json_writer *w, const struct field *f, const struct value *v, unsigned depth);

/* A message of any type, a Struct's one field as an object, or a message by its fields; these follow what stands in the brackets already when first is false. */
int json_write_message(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth);
int json_write_struct(struct json_writer *w, const struct message_type *type, struct bytes wire, unsigned depth);
int json_write_fields(struct json_writer *w, const struct message_type *type, struct bytes wire, bool first,
                      unsigned depth, bool *empty);

#endif
