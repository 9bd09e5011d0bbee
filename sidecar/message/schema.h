/* schema.h - types of messages, as a FileDescriptorSet declares them (protoc --include_imports --descriptor_set_out, buf build): read once,
 * checked, immutable. Pure: memory through struct memory, within a bound.
 *
 * Syntax proto2 and proto3. Editions are refused by name; extensions are not read (what is sent in one is an unknown field); a field that is a
 * group is known and skipped. */
#ifndef SAGA_MESSAGE_SCHEMA_H
#define SAGA_MESSAGE_SCHEMA_H

#include "sidecar/base/error.h"
#include "sidecar/base/memory.h"
#include "sidecar/message/value.h"
#include "sidecar/message/wire.h"

struct schema;

/* Types that JSON and expressions treat as values of their own (https://protobuf.dev/programming-guides/json/). */
enum well_known {
    WELL_KNOWN_NONE = 0,
    WELL_KNOWN_ANY,
    WELL_KNOWN_TIMESTAMP,
    WELL_KNOWN_DURATION,
    WELL_KNOWN_FIELD_MASK,
    WELL_KNOWN_STRUCT,
    WELL_KNOWN_VALUE,
    WELL_KNOWN_LIST_VALUE,
    WELL_KNOWN_WRAPPER, /* DoubleValue to BytesValue; its field is number 1, called value */
    WELL_KNOWN_EMPTY,
};

/* All texts have a NUL behind them, which does not count. */
struct field {
    struct bytes name;      /* as in the .proto file */
    struct bytes json_name; /* lowerCamelCase, unless the file says otherwise */
    uint32_t number;
    enum field_kind kind;
    bool repeated; /* maps too */
    bool map;      /* repeated, of a message that is a map's entry */
    bool packed;   /* how it is written; both ways are read */
    bool presence; /* singular, and whether it is set can be told */
    bool required; /* of proto2 */
    bool deprecated;
    bool redacted;                       /* debug_redact: not for the eyes of people */
    int oneof;                           /* index in the type's oneofs, or -1; not for proto3's optional */
    unsigned index;                      /* in the type's fields */
    const struct message_type *owner;    /* the type it is a field of */
    const struct message_type *message;  /* of FIELD_MESSAGE and FIELD_GROUP */
    const struct enum_type *enumeration; /* of FIELD_ENUM */
    struct value implicit;               /* what an unset one reads as */
};

/* Numbers that a type says it does not use again, both ends included. */
struct number_range {
    int32_t first, last;
};

struct message_type {
    struct bytes name; /* full, as in "shop.v1.Order" */
    struct bytes file;
    const struct field *fields; /* in order of their numbers */
    unsigned field_count;
    const struct bytes *oneofs; /* their names; those that proto3's optional stands for are not counted */
    unsigned oneof_count;
    const struct number_range *reserved;
    unsigned reserved_count;
    enum well_known well_known;
    bool map_entry;   /* fields[0] is the key, fields[1] the value */
    bool strict_utf8; /* proto3: a string that is not UTF-8 is an error */
    bool deprecated;
    const struct field **by_name;      /* sorted by name */
    const struct field **by_json_name; /* sorted by JSON name */
};

struct enum_value {
    struct bytes name;
    int32_t number;
};

struct enum_type {
    struct bytes name;
    struct bytes file;
    const struct enum_value *values; /* as declared */
    unsigned value_count;
    const struct number_range *reserved;
    unsigned reserved_count;
    bool closed;                         /* proto2: other numbers are unknown fields */
    const struct enum_value **by_number; /* sorted; of several with one number, in order of declaration */
    const struct enum_value **by_name;   /* sorted */
};

struct method_type {
    struct bytes name;
    const struct message_type *input, *output;
    bool client_streaming, server_streaming;
    bool deprecated;
};

struct service_type {
    struct bytes name; /* full */
    struct bytes file;
    const struct method_type *methods; /* as declared */
    unsigned method_count;
};

/* Bounds; a set of descriptors may come from a stranger. */
#define SCHEMA_BYTES_MAX   524288   /* of the set */
#define SCHEMA_MEMORY_MAX  33554432 /* of what is made of it */
#define SCHEMA_NESTING_MAX 32       /* of declarations */

/* Reads a FileDescriptorSet (borrowed for the call; texts are copied). On success *out is to be given to schema_destroy. Fails with E_ARGUMENT,
 * E_PAYLOAD (a bound) or E_MEMORY; then detail->field is the full name or the file at fault. */
int schema_read(struct bytes set, const struct memory *memory, struct schema **out, struct error_detail *detail);

/* Accepts NULL. */
void schema_destroy(struct schema *s);

/* By full name, without a dot before it; NULL when there is none. The results live as long as the schema. */
const struct message_type *schema_message(const struct schema *s, struct bytes name);
const struct enum_type *schema_enum(const struct schema *s, struct bytes name);
const struct service_type *schema_service(const struct schema *s, struct bytes name);

/* By the name in a call's path, "/package.Service/Method"; NULL when there is none. */
const struct method_type *schema_method(const struct schema *s, struct bytes path);

/* The type that an Any's type_url names, behind its last '/'. */
const struct message_type *schema_type_of_url(const struct schema *s, struct bytes url);

/* In order of their names: the one at this index, or NULL. Map entries are among the messages. */
const struct message_type *schema_message_at(const struct schema *s, unsigned index);
const struct enum_type *schema_enum_at(const struct schema *s, unsigned index);
const struct service_type *schema_service_at(const struct schema *s, unsigned index);

/* NULL when the type has no such field. The last finds by either name, as JSON does; the .proto file's has priority. */
const struct field *message_field_by_number(const struct message_type *t, uint32_t number);
const struct field *message_field_by_name(const struct message_type *t, struct bytes name);
const struct field *message_field_by_any_name(const struct message_type *t, struct bytes name);

/* The value of this number (of several, the first declared) or name; NULL when there is none. */
const struct enum_value *enum_value_by_number(const struct enum_type *e, int32_t number);
const struct enum_value *enum_value_by_name(const struct enum_type *e, struct bytes name);

/* Whether the type has reserved a number that it does not use. */
bool message_reserves(const struct message_type *t, uint32_t number);
bool enum_reserves(const struct enum_type *e, int32_t number);

#endif
