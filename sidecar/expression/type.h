/* type.h - the types that expressions have, for the checker and for values that
 * are types. Pure; immutable once made. */
#ifndef SAGA_EXPRESSION_TYPE_H
#define SAGA_EXPRESSION_TYPE_H

#include "sidecar/base/pool.h"
#include "sidecar/message/schema.h"

enum type_kind {
    TYPE_DYN,
    TYPE_NULL,
    TYPE_BOOL,
    TYPE_INT,
    TYPE_UINT,
    TYPE_DOUBLE,
    TYPE_STRING,
    TYPE_BYTES,
    TYPE_TIMESTAMP,
    TYPE_DURATION,
    TYPE_LIST,     /* of[0] */
    TYPE_MAP,      /* from of[0] to of[1] */
    TYPE_MESSAGE,  /* message */
    TYPE_WRAPPER,  /* of[0], or null */
    TYPE_OPTIONAL, /* of[0] */
    TYPE_TYPE,     /* the type of a type: of[0], or any when NULL */
    TYPE_VARIABLE, /* stands for a type that is not known yet: number `variable`
                  */
};

struct type {
    enum type_kind kind;
    uint32_t variable;
    const struct type *of[2];
    const struct message_type *message;
};

extern const struct type type_dyn, type_null, type_bool, type_int, type_uint, type_double, type_string, type_bytes,
    type_timestamp, type_duration, type_type, type_list_dyn, type_map_dyn, type_map_json, type_optional_dyn;

/* Made in the pool; NULL when it has no room. */
const struct type *type_list(struct pool *p, const struct type *of);
const struct type *type_map(struct pool *p, const struct type *key, const struct type *value);
const struct type *type_optional(struct pool *p, const struct type *of);
const struct type *type_wrapper(struct pool *p, const struct type *of);
const struct type *type_of_type(struct pool *p, const struct type *of);
const struct type *type_variable(struct pool *p, uint32_t variable);

/* What a value of this message type is in an expression: the message, or what
 * CEL makes of a well-known type. NULL when the pool has no room. */
const struct type *type_of_message(struct pool *p, const struct message_type *message);

/* What reading the field gives. NULL when the pool has no room. */
const struct type *type_of_field(struct pool *p, const struct field *field);

/* The one that `type()` gives for values of it: lists, maps and optionals
 * without what they hold. */
bool type_same_at_run(const struct type *a, const struct type *b);

/* "list", "google.protobuf.Timestamp", "shop.v1.Order": what string(type(x))
 * would be. A view. */
struct bytes type_name(const struct type *t);

/* In full, for people: "map(string, list(int))". Cut to size - 1, with a NUL.
 * Returns what was written. */
size_t type_print(const struct type *t, char *text, size_t size);

/* Whether a field of this enum is CEL's null. */
bool enum_is_null(const struct enum_type *e);

#endif
