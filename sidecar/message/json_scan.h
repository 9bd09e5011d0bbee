/* json_scan.h - JSON (https://www.rfc-editor.org/rfc/rfc8259), one token after another, as views into the text. Pure; knows no types. */
#ifndef SAGA_MESSAGE_JSON_SCAN_H
#define SAGA_MESSAGE_JSON_SCAN_H

#include "sidecar/base/pool.h"

enum json_kind {
    JSON_END = 0,
    JSON_OBJECT = '{',
    JSON_OBJECT_END = '}',
    JSON_ARRAY = '[',
    JSON_ARRAY_END = ']',
    JSON_COLON = ':',
    JSON_COMMA = ',',
    JSON_STRING = '"',
    JSON_NUMBER = '0',
    JSON_TRUE = 't',
    JSON_FALSE = 'f',
    JSON_NULL = 'n',
    JSON_WRONG = '?',
};

struct json_token {
    enum json_kind kind;
    struct bytes text; /* of a string without its quotes, with its escapes; of a number as it stands */
    const uint8_t *at; /* where it begins */
    bool escaped;      /* a string with escapes in it */
    const char *wrong; /* of JSON_WRONG: why, in words */
};

struct json_scan {
    const uint8_t *at, *end;
};

void json_scan(struct json_scan *s, struct bytes text);

/* The next token; a string or a number is checked for its form, and a string for UTF-8. */
struct json_token json_next(struct json_scan *s);

/* The text of a string token with its escapes resolved, in the pool where it has any. at is NULL when there is no room. */
struct bytes json_text(const struct json_token *t, struct pool *pool);

#endif
