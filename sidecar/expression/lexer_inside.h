/* lexer_inside.h - the words of an expression, one after another. Pure. */
#ifndef SAGA_EXPRESSION_LEXER_INSIDE_H
#define SAGA_EXPRESSION_LEXER_INSIDE_H

#include "sidecar/base/pool.h"

#include <stdbool.h>

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,   /* an identifier, reserved words among them */
    TOKEN_QUOTED, /* `a-b`, a field's name that is no identifier; text is within
                   the quotes */
    TOKEN_INT,
    TOKEN_UINT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_BYTES,
    TOKEN_DOT,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_QUESTION,
    TOKEN_OPEN,    /* ( */
    TOKEN_CLOSE,   /* ) */
    TOKEN_SQUARE,  /* [ */
    TOKEN_SQUARED, /* ] */
    TOKEN_BRACE,   /* { */
    TOKEN_BRACED,  /* } */
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_NOT,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_AND,
    TOKEN_OR,
};

struct token {
    enum token_kind kind;
    uint32_t position; /* of its first byte */
    uint32_t end;      /* behind its last */
    struct bytes text; /* of a name; of a string or bytes what it means; of a
                        number as it was written, without u */
    double number;     /* of a double */
    bool hexadecimal;  /* of an int or uint: text is without 0x */
};

struct lexer {
    struct bytes text;
    uint32_t at;
    struct pool *pool; /* texts with escapes are written there */
};

/* Takes the next word. NULL, or what is wrong with it in one sentence; its
 * position is then in token->position. A pool without room is told as
 * lexer_no_room. */
const char *lexer_next(struct lexer *l, struct token *token);

extern const char lexer_no_room[];

#endif
