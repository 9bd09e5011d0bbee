/* schema_read.c - a FileDescriptorSet into drafts of types (google/protobuf/descriptor.proto), which schema_link.c ties together. */
#include "sidecar/message/schema_inside.h"

enum {
    SET_FILE = 1,

    FILE_NAME = 1,
    FILE_PACKAGE = 2,
    FILE_MESSAGE = 4,
    FILE_ENUM = 5,
    FILE_SERVICE = 6,
    FILE_SYNTAX = 12,
    FILE_EDITION = 14,

    MESSAGE_NAME = 1,
    MESSAGE_FIELD = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUM = 4,
    MESSAGE_OPTIONS = 7,
    MESSAGE_ONEOF = 8,
    MESSAGE_RESERVED = 9,
    MESSAGE_OPTION_SET_FORMAT = 1,
    MESSAGE_OPTION_DEPRECATED = 3,
    MESSAGE_OPTION_MAP_ENTRY = 7,

    FIELD_NAME = 1,
    FIELD_NUMBER = 3,
    FIELD_LABEL = 4,
    FIELD_TYPE = 5,
    FIELD_TYPE_NAME = 6,
    FIELD_DEFAULT = 7,
    FIELD_OPTIONS = 8,
    FIELD_ONEOF = 9,
    FIELD_JSON_NAME = 10,
    FIELD_OPTIONAL = 17,
    FIELD_OPTION_PACKED = 2,
    FIELD_OPTION_DEPRECATED = 3,
    FIELD_OPTION_DEBUG_REDACT = 16,
    LABEL_REQUIRED = 2,
    LABEL_REPEATED = 3,

    ONEOF_NAME = 1,

    ENUM_NAME = 1,
    ENUM_VALUE = 2,
    ENUM_RESERVED = 4,
    RANGE_FIRST = 1,
    RANGE_END = 2,
    VALUE_NAME = 1,
    VALUE_NUMBER = 2,

    SERVICE_NAME = 1,
    SERVICE_METHOD = 2,
    METHOD_NAME = 1,
    METHOD_INPUT = 2,
    METHOD_OUTPUT = 3,
    METHOD_OPTIONS = 4,
    METHOD_CLIENT_STREAMING = 5,
    METHOD_SERVER_STREAMING = 6,
    METHOD_OPTION_DEPRECATED = 33,
};

void schema_refuse(struct schema_reader *r, struct bytes who, const char *text, const char *more)
{
    if (r->code != 0)
        return;
    r->code = error_set(r->detail, E_ARGUMENT, who.at == NULL ? "" : (const char *)who.at, text);
    if (more != NULL)
        error_append(r->detail, more);
}

void schema_no_room(struct schema_reader *r)
{
    if (r->code != 0)
        return;
    if (pool_is_full(r->pool, 65536) || pool_is_full(r->scratch, 65536))
        r->code = error_set(r->detail, E_PAYLOAD, "",
                            "the descriptors need more than 32 MiB of memory; register those "
                            "files only that the definitions use");
    else
        r->code = error_set(r->detail, E_MEMORY, "", NULL);
}

static void *take(struct schema_reader *r, struct pool *pool, size_t count, size_t size)
{
    void *at = pool_take_zeroed(pool, count, size);
    if (at == NULL)
        schema_no_room(r);
    return at;
}

/* The next field of a message; false at its end, and once anything went wrong. */
static bool next(struct schema_reader *r, struct bytes *rest, struct wire_field *f)
{
    int found = r->code != 0 ? 0 : wire_next(rest, f);
    if (found < 0)
        schema_refuse(r, r->file,
                      "this is no FileDescriptorSet; make one with protoc --include_imports "
                      "--descriptor_set_out=FILE, or buf build -o FILE",
                      NULL);
    return found == 1;
}

static bool is_body(const struct wire_field *f, uint32_t number)
{
    return f->number == number && f->type == WIRE_BYTES;
}

static bool is_varint(const struct wire_field *f, uint32_t number)
{
    return f->number == number && f->type == WIRE_VARINT;
}

static struct bytes find_body(struct schema_reader *r, struct bytes message, uint32_t number)
{
    struct wire_field f;
    struct bytes found = {.at = NULL};
    while (next(r, &message, &f))
        if (is_body(&f, number))
            found = f.body;
    return found;
}

/* Whether a bool is set in the options of a declaration. */
static bool has_option(struct schema_reader *r, struct bytes options, uint32_t number)
{
    struct wire_field f;
    bool is_set = false;
    while (next(r, &options, &f))
        if (is_varint(&f, number))
            is_set = f.bits != 0;
    return is_set;
}

static unsigned count_bodies(struct schema_reader *r, struct bytes message, uint32_t number)
{
    struct wire_field f;
    unsigned count = 0;
    while (next(r, &message, &f))
        count += is_body(&f, number);
    return count;
}

static bool is_identifier(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.at[i], lower = c | 0x20;
        if (!((lower >= 'a' && lower <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
            return false;
    }
    return name.size > 0 && name.size <= 512;
}

/* A copy of a text with its NUL. */
static struct bytes copy(struct schema_reader *r, struct bytes text)
{
    struct bytes made = pool_copy(r->pool, text);
    if (made.at == NULL)
        schema_no_room(r);
    return made;
}

/* A copy of a name that must be an identifier. */
static struct bytes copy_name(struct schema_reader *r, struct bytes name, struct bytes where)
{
    if (!is_identifier(name))
        schema_refuse(r, where, "declares something whose name is no identifier", NULL);
    return r->code != 0 ? bytes_of("", 0) : copy(r, name);
}

/* "scope.name" */
static struct bytes full_name(struct schema_reader *r, struct bytes scope, struct bytes name)
{
    if (!is_identifier(name))
        schema_refuse(r, scope.size > 0 ? scope : r->file, "declares something whose name is no identifier", NULL);
    if (r->code != 0 || scope.size == 0)
        return r->code != 0 ? bytes_of("", 0) : copy(r, name);
    uint8_t *at = pool_take(r->pool, scope.size + name.size + 2);
    if (at == NULL) {
        schema_no_room(r);
        return bytes_of("", 0);
    }
    memcpy(at, scope.at, scope.size);
    at[scope.size] = '.';
    memcpy(at + scope.size + 1, name.at, name.size);
    at[scope.size + 1 + name.size] = 0;
    return bytes_of(at, scope.size + 1 + name.size);
}

/* protoc's own rule: '_' is left out, and the letter behind it is upper case. */
static struct bytes make_json_name(struct schema_reader *r, struct bytes name)
{
    struct bytes made = copy(r, name);
    uint8_t *to = (uint8_t *)(uintptr_t)made.at;
    size_t size = 0;
    bool upper = false;
    for (size_t i = 0; i < made.size; i++) {
        uint8_t c = name.at[i];
        if (c != '_')
            to[size++] = upper && c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
        upper = c == '_';
    }
    if (to != NULL)
        to[size] = 0;
    return bytes_of(to, size);
}

static void read_field_options(struct schema_reader *r, struct bytes options, struct field_draft *draft)
{
    struct wire_field f;
    while (next(r, &options, &f)) {
        if (is_varint(&f, FIELD_OPTION_PACKED)) {
            draft->packed_is_set = true;
            draft->packed = f.bits != 0;
        } else if (is_varint(&f, FIELD_OPTION_DEPRECATED)) {
            draft->field.deprecated = f.bits != 0;
        } else if (is_varint(&f, FIELD_OPTION_DEBUG_REDACT)) {
            draft->field.redacted = f.bits != 0;
        }
    }
}

static void read_field_number(struct schema_reader *r, const struct wire_field *f, struct field_draft *draft)
{
    struct field *field = &draft->field;
    switch (f->number) {
    case FIELD_NUMBER:
        field->number = f->bits > FIELD_NUMBER_MAX ? 0 : (uint32_t)f->bits;
        break;
    case FIELD_LABEL:
        field->repeated = f->bits == LABEL_REPEATED;
        field->required = f->bits == LABEL_REQUIRED;
        break;
    case FIELD_TYPE:
        if (f->bits < FIELD_DOUBLE || f->bits > FIELD_SINT64)
            schema_refuse(r, r->file, "declares a field of a type that is not known", NULL);
        else
            field->kind = (enum field_kind)f->bits;
        break;
    case FIELD_ONEOF:
        field->oneof = f->bits > INT32_MAX ? INT32_MAX : (int)f->bits;
        break;
    case FIELD_OPTIONAL:
        draft->optional = f->bits != 0;
        break;
    default:
        break;
    }
}

static void read_field(struct schema_reader *r, struct bytes body, struct message_type *owner,
                       struct field_draft *draft)
{
    struct wire_field f;
    struct bytes json_name = {.at = NULL};
    draft->field.oneof = -1;
    draft->field.owner = owner;
    while (next(r, &body, &f)) {
        if (f.type == WIRE_VARINT)
            read_field_number(r, &f, draft);
        else if (is_body(&f, FIELD_NAME))
            draft->field.name = copy_name(r, f.body, owner->name);
        else if (is_body(&f, FIELD_TYPE_NAME))
            draft->type_name = f.body;
        else if (is_body(&f, FIELD_JSON_NAME))
            json_name = f.body;
        else if (is_body(&f, FIELD_OPTIONS))
            read_field_options(r, f.body, draft);
        else if (is_body(&f, FIELD_DEFAULT)) {
            draft->default_text = f.body;
            draft->has_default = true;
        }
    }
    if (r->code == 0 && (draft->field.name.at == NULL || draft->field.number == 0 || draft->field.kind == 0))
        schema_refuse(r, owner->name, "has a field without a name, a type, or a number from 1 to 536870911", NULL);
    if (r->code == 0)
        draft->field.json_name = json_name.at == NULL ? make_json_name(r, draft->field.name) : copy(r, json_name);
}

static void read_oneofs(struct schema_reader *r, struct bytes body, struct message_type *type)
{
    unsigned count = count_bodies(r, body, MESSAGE_ONEOF);
    struct bytes *names = take(r, r->pool, count, sizeof *names);
    struct wire_field f;
    while (next(r, &body, &f))
        if (is_body(&f, MESSAGE_ONEOF))
            names[type->oneof_count++] = copy_name(r, find_body(r, f.body, ONEOF_NAME), type->name);
    type->oneofs = names;
}

/* The ranges of numbers that a type has reserved. A message's end before the second number, an enum's with it. */
static const struct number_range *read_reserved(struct schema_reader *r, struct bytes body, uint32_t number,
                                                int32_t beyond, unsigned *count)
{
    struct number_range *ranges = take(r, r->pool, count_bodies(r, body, number), sizeof *ranges);
    struct wire_field f, inner;
    *count = 0;
    while (ranges != NULL && next(r, &body, &f)) {
        if (!is_body(&f, number))
            continue;
        struct number_range *range = &ranges[(*count)++];
        struct bytes rest = f.body;
        while (next(r, &rest, &inner)) {
            if (is_varint(&inner, RANGE_FIRST))
                range->first = (int32_t)inner.bits;
            else if (is_varint(&inner, RANGE_END))
                range->last = (int32_t)((int64_t)(int32_t)inner.bits - beyond);
        }
    }
    return ranges;
}

static void read_enum(struct schema_reader *r, struct bytes scope, struct bytes body)
{
    struct enum_type *type = take(r, r->pool, 1, sizeof *type);
    struct enum_draft *draft = take(r, r->scratch, 1, sizeof *draft);
    unsigned count = count_bodies(r, body, ENUM_VALUE);
    struct enum_value *values = take(r, r->pool, count, sizeof *values);
    if (r->code != 0)
        return;
    *type = (struct enum_type){.name = full_name(r, scope, find_body(r, body, ENUM_NAME)),
                               .file = r->file,
                               .values = values,
                               .closed = !r->proto3};
    type->reserved = read_reserved(r, body, ENUM_RESERVED, 0, &type->reserved_count);
    struct wire_field f, inner;
    while (next(r, &body, &f)) {
        if (!is_body(&f, ENUM_VALUE))
            continue;
        struct enum_value *value = &values[type->value_count++];
        struct bytes rest = f.body;
        value->name = copy_name(r, find_body(r, f.body, VALUE_NAME), type->name);
        while (next(r, &rest, &inner))
            if (is_varint(&inner, VALUE_NUMBER))
                value->number = (int32_t)inner.bits;
    }
    *draft = (struct enum_draft){.type = type, .next = r->enums};
    r->enums = draft;
    r->schema->enum_count++;
}

static void read_message(struct schema_reader *r, struct bytes scope, struct bytes body, unsigned depth)
{
    struct message_type *type = take(r, r->pool, 1, sizeof *type);
    struct message_draft *draft = take(r, r->scratch, 1, sizeof *draft);
    struct field_draft *fields = take(r, r->scratch, count_bodies(r, body, MESSAGE_FIELD), sizeof *fields);
    if (depth > SCHEMA_NESTING_MAX)
        schema_refuse(r, scope, "holds declarations more than 32 within one another", NULL);
    if (r->code != 0)
        return;
    struct bytes options = find_body(r, body, MESSAGE_OPTIONS);
    *type = (struct message_type){.name = full_name(r, scope, find_body(r, body, MESSAGE_NAME)),
                                  .file = r->file,
                                  .map_entry = has_option(r, options, MESSAGE_OPTION_MAP_ENTRY),
                                  .deprecated = has_option(r, options, MESSAGE_OPTION_DEPRECATED),
                                  .strict_utf8 = r->proto3};
    if (r->code == 0 && has_option(r, options, MESSAGE_OPTION_SET_FORMAT))
        schema_refuse(r, type->name, "uses message_set_wire_format, which is not supported", NULL);
    read_oneofs(r, body, type);
    type->reserved = read_reserved(r, body, MESSAGE_RESERVED, 1, &type->reserved_count);
    struct wire_field f;
    while (next(r, &body, &f)) {
        if (is_body(&f, MESSAGE_FIELD))
            read_field(r, f.body, type, &fields[type->field_count++]);
        else if (is_body(&f, MESSAGE_NESTED))
            read_message(r, type->name, f.body, depth + 1);
        else if (is_body(&f, MESSAGE_ENUM))
            read_enum(r, type->name, f.body);
    }
    *draft = (struct message_draft){.type = type, .fields = fields, .proto3 = r->proto3, .next = r->messages};
    r->messages = draft;
    r->schema->message_count++;
}

static void read_method(struct schema_reader *r, struct bytes body, const struct service_type *service,
                        struct method_type *m)
{
    struct method_draft *draft = take(r, r->scratch, 1, sizeof *draft);
    if (draft == NULL)
        return;
    struct wire_field f;
    *draft = (struct method_draft){.method = m, .full_name = service->name, .next = r->methods};
    r->methods = draft;
    while (next(r, &body, &f)) {
        if (is_body(&f, METHOD_NAME))
            m->name = copy_name(r, f.body, service->name);
        else if (is_body(&f, METHOD_INPUT))
            draft->input = f.body;
        else if (is_body(&f, METHOD_OUTPUT))
            draft->output = f.body;
        else if (is_body(&f, METHOD_OPTIONS))
            m->deprecated = has_option(r, f.body, METHOD_OPTION_DEPRECATED);
        else if (is_varint(&f, METHOD_CLIENT_STREAMING))
            m->client_streaming = f.bits != 0;
        else if (is_varint(&f, METHOD_SERVER_STREAMING))
            m->server_streaming = f.bits != 0;
    }
    if (m->name.at == NULL)
        schema_refuse(r, service->name, "has a method without a name", NULL);
    else
        draft->full_name = full_name(r, service->name, m->name);
}

static void read_service(struct schema_reader *r, struct bytes package, struct bytes body)
{
    struct service_type *service = take(r, r->pool, 1, sizeof *service);
    struct service_draft *draft = take(r, r->scratch, 1, sizeof *draft);
    struct method_type *methods = take(r, r->pool, count_bodies(r, body, SERVICE_METHOD), sizeof *methods);
    if (r->code != 0)
        return;
    *service = (struct service_type){
        .name = full_name(r, package, find_body(r, body, SERVICE_NAME)), .file = r->file, .methods = methods};
    struct wire_field f;
    while (next(r, &body, &f))
        if (is_body(&f, SERVICE_METHOD))
            read_method(r, f.body, service, &methods[service->method_count++]);
    *draft = (struct service_draft){.service = service, .next = r->services};
    r->services = draft;
    r->schema->service_count++;
}

/* Identifiers with dots between them, or nothing. */
static bool is_package(struct bytes package)
{
    size_t begin = 0;
    for (size_t i = 0; i <= package.size; i++) {
        if (i < package.size && package.at[i] != '.')
            continue;
        if (!is_identifier(bytes_of(package.at + begin, i - begin)))
            return package.size == 0;
        begin = i + 1;
    }
    return true;
}

/* File names appear in errors: those with control characters or without UTF-8 are no names. */
static bool is_file_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.at[i] < ' ' || name.at[i] > '~')
            return false;
    return name.size > 0 && name.size <= 1024;
}

static void read_head(struct schema_reader *r, struct bytes body, struct bytes *package)
{
    struct bytes name = find_body(r, body, FILE_NAME);
    struct bytes syntax = find_body(r, body, FILE_SYNTAX);
    struct wire_field f;
    if (r->code == 0 && !is_file_name(name))
        schema_refuse(r, r->file, "a file of the set has no name, or not one of printable ASCII", NULL);
    if (r->code != 0)
        return;
    r->file = copy(r, name);
    *package = copy(r, find_body(r, body, FILE_PACKAGE));
    if (r->code == 0 && !is_package(*package))
        schema_refuse(r, r->file, "its package is no name", NULL);
    while (next(r, &body, &f))
        if (f.number == FILE_EDITION)
            syntax = bytes_of_text("editions");
    if (bytes_equal(syntax, bytes_of_text("editions")))
        schema_refuse(r, r->file, "is written in an edition; write it in proto3 or proto2", NULL);
    else if (syntax.size > 0 && !bytes_equal(syntax, bytes_of_text("proto2")) &&
             !bytes_equal(syntax, bytes_of_text("proto3")))
        schema_refuse(r, r->file, "its syntax is neither proto2 nor proto3", NULL);
    r->proto3 = bytes_equal(syntax, bytes_of_text("proto3")) != 0;
}

static void read_file(struct schema_reader *r, struct bytes body)
{
    struct bytes package;
    struct wire_field f;
    read_head(r, body, &package);
    while (next(r, &body, &f)) {
        if (is_body(&f, FILE_MESSAGE))
            read_message(r, package, f.body, 1);
        else if (is_body(&f, FILE_ENUM))
            read_enum(r, package, f.body);
        else if (is_body(&f, FILE_SERVICE))
            read_service(r, package, f.body);
    }
}

static void read_set(struct schema_reader *r, struct bytes set)
{
    struct wire_field f;
    unsigned files = 0;
    while (next(r, &set, &f)) {
        if (is_body(&f, SET_FILE)) {
            read_file(r, f.body);
            files++;
        }
    }
    if (files == 0)
        schema_refuse(r, r->file,
                      "this is no FileDescriptorSet, or an empty one; make one with protoc "
                      "--include_imports --descriptor_set_out=FILE, or buf build -o FILE",
                      NULL);
}

int schema_read(struct bytes set, const struct memory *memory, struct schema **out, struct error_detail *detail)
{
    struct pool pool, scratch;
    if (set.size > SCHEMA_BYTES_MAX)
        return error_set(detail, E_PAYLOAD, "",
                         "the set of descriptors is over 512 KiB; register those files only that "
                         "the definitions use, without source info");
    pool_init(&pool, memory, SCHEMA_MEMORY_MAX);
    pool_init(&scratch, memory, SCHEMA_MEMORY_MAX);
    struct schema *schema = pool_take_zeroed(&pool, 1, sizeof *schema);
    if (schema == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    struct schema_reader r = {
        .pool = &pool, .scratch = &scratch, .schema = schema, .detail = detail, .file = bytes_of("", 0)};
    read_set(&r, set);
    if (r.code == 0)
        schema_link(&r);
    pool_finish(&scratch);
    if (r.code != 0) {
        pool_finish(&pool);
        return r.code;
    }
    schema->memory = *memory;
    schema->pool = pool;
    *out = schema;
    return 0;
}
