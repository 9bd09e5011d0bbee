/* schema_inside.h - what schema.c, schema_read.c and schema_link.c share. */
#ifndef SAGA_MESSAGE_SCHEMA_INSIDE_H
#define SAGA_MESSAGE_SCHEMA_INSIDE_H

#include "sidecar/base/pool.h"
#include "sidecar/message/schema.h"

struct schema {
    struct pool pool;               /* holds everything, this struct too */
    struct memory memory;           /* that the pool takes from */
    struct message_type **messages; /* these three sorted by name */
    struct enum_type **enums;
    struct service_type **services;
    unsigned message_count, enum_count, service_count;
};

/* Orders texts by their bytes. */
int name_order(struct bytes a, struct bytes b);

/* Sorts pointers; before tells whether a must stand before b. */
void sort_pointers(void **array, unsigned count, bool (*before)(const void *a, const void *b));

/* ---- while it is read ---- */

/* What a field says that means something only once every file has been read. */
struct field_draft {
    struct field field;
    struct bytes type_name, default_text; /* views into the set */
    bool has_default, packed, packed_is_set, optional;
};

struct message_draft {
    struct message_type *type;
    struct field_draft *fields; /* as declared; type->field_count of them */
    bool proto3;
    struct message_draft *next;
};

struct enum_draft {
    struct enum_type *type;
    struct enum_draft *next;
};

struct method_draft {
    struct method_type *method;
    struct bytes full_name, input, output;
    struct method_draft *next;
};

struct service_draft {
    struct service_type *service;
    struct service_draft *next;
};

struct schema_reader {
    struct pool *pool; /* of the schema */
    struct schema *schema;
    struct pool *scratch; /* of the drafts */
    struct error_detail *detail;
    int code;          /* 0, or the first thing that went wrong */
    struct bytes file; /* that is being read */
    bool proto3;
    struct message_draft *messages;
    struct enum_draft *enums;
    struct service_draft *services;
    struct method_draft *methods;
};

/* Say what is wrong, unless something was before; who is a name with a NUL. */
void schema_refuse(struct schema_reader *r, struct bytes who, const char *text, const char *more);
void schema_no_room(struct schema_reader *r);

/* Sorts, finds the types that fields and methods name, and checks all of it. What goes wrong is in r->code. */
void schema_link(struct schema_reader *r);

#endif
