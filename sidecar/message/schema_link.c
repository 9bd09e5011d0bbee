/* schema_link.c - drafts of types become types: sorted, with what their fields name found, and checked. */
#include "sidecar/message/schema_inside.h"

#include "sidecar/base/decimal.h"
#include "sidecar/message/message.h"

static void *take(struct schema_reader *r, size_t count, size_t size)
{
    void *at = pool_take_zeroed(r->pool, count, size);
    if (at == NULL)
        schema_no_room(r);
    return at;
}

/* ---- sorting ---- */

static bool message_before(const void *a, const void *b)
{
    return name_order(((const struct message_type *)a)->name, ((const struct message_type *)b)->name) < 0;
}

static bool enum_before(const void *a, const void *b)
{
    return name_order(((const struct enum_type *)a)->name, ((const struct enum_type *)b)->name) < 0;
}

static bool service_before(const void *a, const void *b)
{
    return name_order(((const struct service_type *)a)->name, ((const struct service_type *)b)->name) < 0;
}

static bool number_before(const void *a, const void *b)
{
    const struct field_draft *x = a, *y = b;
    return x->field.number != y->field.number ? x->field.number < y->field.number : x < y;
}

static bool name_before(const void *a, const void *b)
{
    return name_order(((const struct field *)a)->name, ((const struct field *)b)->name) < 0;
}

static bool json_name_before(const void *a, const void *b)
{
    return name_order(((const struct field *)a)->json_name, ((const struct field *)b)->json_name) < 0;
}

/* Of one number, in the order of their declaration, which is that of their addresses. */
static bool value_number_before(const void *a, const void *b)
{
    const struct enum_value *x = a, *y = b;
    return x->number != y->number ? x->number < y->number : x < y;
}

static bool value_name_before(const void *a, const void *b)
{
    return name_order(((const struct enum_value *)a)->name, ((const struct enum_value *)b)->name) < 0;
}

#define COLLECT(r, list, array, count, before) \
    do { \
        unsigned n = 0; \
        array = take(r, count, sizeof *array); \
        for (; (r)->code == 0 && list != NULL; list = list->next) \
            array[n++] = list->type; \
        if ((r)->code == 0) \
            sort_pointers((void **)array, n, before); \
        for (unsigned i = 1; (r)->code == 0 && i < n; i++) \
            if (bytes_equal(array[i - 1]->name, array[i]->name)) \
                schema_refuse(r, array[i]->name, "is declared twice", NULL); \
    } while (0)

static void collect(struct schema_reader *r)
{
    struct schema *s = r->schema;
    struct message_draft *m = r->messages;
    struct enum_draft *e = r->enums;
    COLLECT(r, m, s->messages, s->message_count, message_before);
    COLLECT(r, e, s->enums, s->enum_count, enum_before);
    s->services = take(r, s->service_count, sizeof *s->services);
    unsigned n = 0;
    for (struct service_draft *d = r->services; r->code == 0 && d != NULL; d = d->next)
        s->services[n++] = d->service;
    if (r->code == 0)
        sort_pointers((void **)s->services, n, service_before);
    for (unsigned i = 1; r->code == 0 && i < n; i++)
        if (bytes_equal(s->services[i - 1]->name, s->services[i]->name))
            schema_refuse(r, s->services[i]->name, "is declared twice", NULL);
}

/* ---- well-known types ---- */

/* What JSON rests on: the kinds of the fields 1, 2, ..., and the types that those are of which are messages. */
static const struct {
    const char *name;
    enum well_known which;
    uint8_t kinds[6];
    const char *types[6];
} well_known[] = {
    {"Any", WELL_KNOWN_ANY, {FIELD_STRING, FIELD_BYTES}, {NULL}},
    {"Timestamp", WELL_KNOWN_TIMESTAMP, {FIELD_INT64, FIELD_INT32}, {NULL}},
    {"Duration", WELL_KNOWN_DURATION, {FIELD_INT64, FIELD_INT32}, {NULL}},
    {"FieldMask", WELL_KNOWN_FIELD_MASK, {FIELD_STRING}, {NULL}},
    {"Struct", WELL_KNOWN_STRUCT, {FIELD_MESSAGE}, {NULL}},
    {"Struct.FieldsEntry", WELL_KNOWN_NONE, {FIELD_STRING, FIELD_MESSAGE}, {NULL, "Value"}},
    {"Value",
     WELL_KNOWN_VALUE,
     {FIELD_ENUM, FIELD_DOUBLE, FIELD_STRING, FIELD_BOOL, FIELD_MESSAGE, FIELD_MESSAGE},
     {NULL, NULL, NULL, NULL, "Struct", "ListValue"}},
    {"ListValue", WELL_KNOWN_LIST_VALUE, {FIELD_MESSAGE}, {"Value"}},
    {"DoubleValue", WELL_KNOWN_WRAPPER, {FIELD_DOUBLE}, {NULL}},
    {"FloatValue", WELL_KNOWN_WRAPPER, {FIELD_FLOAT}, {NULL}},
    {"Int64Value", WELL_KNOWN_WRAPPER, {FIELD_INT64}, {NULL}},
    {"UInt64Value", WELL_KNOWN_WRAPPER, {FIELD_UINT64}, {NULL}},
    {"Int32Value", WELL_KNOWN_WRAPPER, {FIELD_INT32}, {NULL}},
    {"UInt32Value", WELL_KNOWN_WRAPPER, {FIELD_UINT32}, {NULL}},
    {"BoolValue", WELL_KNOWN_WRAPPER, {FIELD_BOOL}, {NULL}},
    {"StringValue", WELL_KNOWN_WRAPPER, {FIELD_STRING}, {NULL}},
    {"BytesValue", WELL_KNOWN_WRAPPER, {FIELD_BYTES}, {NULL}},
    {"Empty", WELL_KNOWN_EMPTY, {0}, {NULL}},
};

static const char well_known_package[] = "google.protobuf.";

/* The name behind the package, or NULL when it is another's. */
static const char *well_known_name(const struct message_type *type)
{
    size_t size = sizeof well_known_package - 1;
    return type->name.size > size && memcmp(type->name.at, well_known_package, size) == 0
               ? (const char *)type->name.at + size
               : NULL;
}

static bool has_well_known_form(const struct message_type *type, size_t row)
{
    bool repeated = well_known[row].which == WELL_KNOWN_STRUCT || well_known[row].which == WELL_KNOWN_LIST_VALUE ||
                    well_known[row].which == WELL_KNOWN_FIELD_MASK;
    for (unsigned i = 0; i < 6 && well_known[row].kinds[i] != 0; i++) {
        const struct field *f = message_field_by_number(type, i + 1);
        if (f == NULL || f->kind != (enum field_kind)well_known[row].kinds[i] || f->repeated != repeated)
            return false;
        const char *name = f->message == NULL ? NULL : well_known_name(f->message);
        if (well_known[row].types[i] != NULL && (name == NULL || strcmp(name, well_known[row].types[i]) != 0))
            return false;
        if (well_known[row].which == WELL_KNOWN_STRUCT &&
            (!f->map || name == NULL || strcmp(name, "Struct.FieldsEntry") != 0))
            return false;
    }
    return true;
}

/* What calls itself google.protobuf.Timestamp must look like it. */
static void find_well_known(struct schema_reader *r, struct message_type *type)
{
    const char *name = well_known_name(type);
    for (size_t i = 0; name != NULL && i < sizeof well_known / sizeof well_known[0]; i++) {
        if (strcmp(name, well_known[i].name) != 0)
            continue;
        if (!has_well_known_form(type, i))
            schema_refuse(r, type->name, "is not declared as protobuf's own type of this name is", NULL);
        type->well_known = well_known[i].which;
    }
}

/* ---- fields ---- */

/* Name without the dot that says it is full. */
static bool full_name_of(struct bytes name, struct bytes *full)
{
    if (name.size < 2 || name.at[0] != '.')
        return false;
    *full = bytes_of(name.at + 1, name.size - 1);
    return true;
}

static void missing(struct schema_reader *r, struct bytes who, struct bytes name)
{
    struct bytes text = pool_copy(r->scratch, name);
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            text.at = NULL, text.size = 0;
    schema_refuse(r, who, "uses a type that is not in the set (make it with --include_imports): ",
                  text.at == NULL ? "?" : (const char *)text.at);
}

static void find_type(struct schema_reader *r, struct field_draft *d, struct bytes owner)
{
    struct field *f = &d->field;
    struct bytes name;
    if (f->kind != FIELD_MESSAGE && f->kind != FIELD_GROUP && f->kind != FIELD_ENUM)
        return;
    if (!full_name_of(d->type_name, &name)) {
        schema_refuse(r, owner, "names a type without its package", NULL);
        return;
    }
    if (f->kind == FIELD_ENUM)
        f->enumeration = schema_enum(r->schema, name);
    else
        f->message = schema_message(r->schema, name);
    if (f->enumeration == NULL && f->message == NULL)
        missing(r, owner, name);
    f->map = f->repeated && f->kind == FIELD_MESSAGE && f->message != NULL && f->message->map_entry;
}

static int octal(struct bytes text, size_t *i)
{
    int value = 0;
    for (unsigned n = 0; n < 3 && *i < text.size && text.at[*i] >= '0' && text.at[*i] <= '7'; n++)
        value = value * 8 + (text.at[(*i)++] - '0');
    return value;
}

static int meaning_of(uint8_t letter)
{
    static const char letters[] = "abfnrtv\\'\"?", meant[] = "\a\b\f\n\r\t\v\\'\"?";
    for (size_t i = 0; i < sizeof letters - 1; i++)
        if (letters[i] == (char)letter)
            return meant[i];
    return -1;
}

/* The default of bytes stands there as C would write it. */
static struct bytes unescape(struct schema_reader *r, struct bytes text)
{
    struct bytes made = pool_copy(r->pool, text);
    uint8_t *to = (uint8_t *)(uintptr_t)made.at;
    size_t size = 0;
    for (size_t i = 0; i < made.size;) {
        uint8_t c = text.at[i++];
        if (c == '\\' && i < text.size) {
            int meant = meaning_of(text.at[i]);
            c = (uint8_t)(meant < 0 ? octal(text, &i) : meant);
            i += meant >= 0;
        }
        to[size++] = c;
    }
    return bytes_of(to, size);
}

static bool read_double(struct bytes text, double *value)
{
    bool negative = text.size > 0 && text.at[0] == '-';
    struct bytes size = bytes_of(text.at + negative, text.size - negative);
    if (bytes_equal(size, bytes_of_text("inf")))
        *value = negative ? -__builtin_inf() : __builtin_inf();
    else if (bytes_equal(size, bytes_of_text("nan")))
        *value = __builtin_nan("");
    else
        return decimal_read(text, value);
    return true;
}

/* The default that proto2 lets a field declare. */
static bool read_default(struct schema_reader *r, const struct field_draft *d, struct value *v)
{
    switch (value_class_of(v->kind)) {
    case VALUE_INT:
        return decimal_read_int(d->default_text, &v->i) == 0;
    case VALUE_UINT:
        return decimal_read_uint(d->default_text, &v->u) == 0;
    case VALUE_DOUBLE:
        return read_double(d->default_text, &v->d);
    case VALUE_BOOL:
        v->b = bytes_equal(d->default_text, bytes_of_text("true")) != 0;
        return true;
    case VALUE_TEXT:
        break;
    }
    v->text = v->kind == FIELD_BYTES ? unescape(r, d->default_text) : pool_copy(r->pool, d->default_text);
    if (v->text.at == NULL)
        schema_no_room(r);
    return v->kind != FIELD_MESSAGE && v->kind != FIELD_GROUP;
}

static void find_implicit(struct schema_reader *r, struct field_draft *d, struct bytes owner)
{
    struct field *f = &d->field;
    f->implicit = (struct value){.kind = f->kind};
    if (value_class_of(f->kind) == VALUE_TEXT)
        f->implicit.text = bytes_of("", 0);
    if (f->enumeration != NULL) {
        const struct enum_value *value =
            d->has_default ? enum_value_by_name(f->enumeration, d->default_text) : &f->enumeration->values[0];
        if (value == NULL)
            schema_refuse(r, owner, "has a field whose default is no value of its enum", NULL);
        else
            f->implicit.i = value->number;
    } else if (d->has_default && !read_default(r, d, &f->implicit)) {
        schema_refuse(r, owner, "has a field whose default cannot be read", NULL);
    }
}

static bool is_packable(enum field_kind kind)
{
    return value_class_of(kind) != VALUE_TEXT;
}

static void settle_field(struct schema_reader *r, const struct message_draft *m, struct field_draft *d)
{
    struct field *f = &d->field;
    struct bytes owner = m->type->name;
    unsigned oneofs = m->type->oneof_count;
    find_type(r, d, owner);
    if (r->code != 0)
        return;
    if (f->oneof >= 0 && ((unsigned)f->oneof >= oneofs || f->repeated))
        schema_refuse(r, owner, "has a field in a oneof that is none, or cannot be in one", NULL);
    if (d->optional)
        f->oneof = -1;
    f->packed = f->repeated && is_packable(f->kind) && (d->packed_is_set ? d->packed : m->proto3);
    f->presence = !f->repeated && (!m->proto3 || d->optional || f->oneof >= 0 || f->message != NULL);
    find_implicit(r, d, owner);
}

/* The fields in order of their numbers, in the place where they stay. */
static struct field *place_fields(struct schema_reader *r, struct message_draft *m)
{
    unsigned count = m->type->field_count;
    struct field *fields = take(r, count, sizeof *fields);
    struct field_draft **order = pool_take_zeroed(r->scratch, count, sizeof *order);
    if (fields == NULL || order == NULL) {
        schema_no_room(r);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++)
        order[i] = &m->fields[i];
    sort_pointers((void **)order, count, number_before);
    for (unsigned i = 0; i < count; i++) {
        fields[i] = order[i]->field;
        fields[i].index = i;
    }
    return fields;
}

static void index_fields(struct schema_reader *r, struct message_type *type)
{
    unsigned count = type->field_count;
    type->by_name = take(r, count, sizeof *type->by_name);
    type->by_json_name = take(r, count, sizeof *type->by_json_name);
    if (r->code != 0)
        return;
    for (unsigned i = 0; i < count; i++)
        type->by_name[i] = type->by_json_name[i] = &type->fields[i];
    sort_pointers((void **)(uintptr_t)type->by_name, count, name_before);
    sort_pointers((void **)(uintptr_t)type->by_json_name, count, json_name_before);
    for (unsigned i = 1; i < count; i++) {
        if (type->fields[i - 1].number == type->fields[i].number)
            schema_refuse(r, type->name, "has two fields of one number: ", (const char *)type->fields[i].name.at);
        if (bytes_equal(type->by_name[i - 1]->name, type->by_name[i]->name))
            schema_refuse(r, type->name, "has two fields of one name: ", (const char *)type->by_name[i]->name.at);
    }
}

/* Oneofs that stand for proto3's optional come after the real ones, by protoc's rule. */
static void count_oneofs(struct message_type *type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < type->field_count; i++)
        if (type->fields[i].oneof >= (int)count)
            count = (unsigned)type->fields[i].oneof + 1;
    type->oneof_count = count;
}

static void link_message(struct schema_reader *r, struct message_draft *m)
{
    struct message_type *type = m->type;
    if (schema_enum(r->schema, type->name) != NULL)
        schema_refuse(r, type->name, "is declared as a message and as an enum", NULL);
    for (unsigned i = 0; r->code == 0 && i < type->field_count; i++)
        settle_field(r, m, &m->fields[i]);
    if (r->code == 0)
        type->fields = place_fields(r, m);
    if (r->code == 0)
        index_fields(r, type);
    if (r->code == 0)
        count_oneofs(type);
}

/* A map's entry is key and value, and a key is neither a fraction nor bytes nor a message nor an enum. */
static void check_entry(struct schema_reader *r, const struct message_type *type)
{
    bool sound = type->field_count == 2 && type->fields[0].number == 1 && type->fields[1].number == 2;
    for (unsigned i = 0; sound && i < 2; i++)
        sound = !type->fields[i].repeated && type->fields[i].oneof < 0;
    if (sound) {
        enum field_kind kind = type->fields[0].kind;
        sound = kind != FIELD_DOUBLE && kind != FIELD_FLOAT && kind != FIELD_BYTES && kind != FIELD_MESSAGE &&
                kind != FIELD_GROUP && kind != FIELD_ENUM && type->fields[1].kind != FIELD_GROUP;
    }
    if (!sound)
        schema_refuse(r, type->name, "is not declared as a map's entry is", NULL);
}

static void link_enum(struct schema_reader *r, struct enum_type *type)
{
    unsigned count = type->value_count;
    type->by_number = take(r, count, sizeof *type->by_number);
    type->by_name = take(r, count, sizeof *type->by_name);
    if (count == 0)
        schema_refuse(r, type->name, "is an enum without values", NULL);
    if (r->code != 0)
        return;
    for (unsigned i = 0; i < count; i++)
        type->by_number[i] = type->by_name[i] = &type->values[i];
    sort_pointers((void **)(uintptr_t)type->by_number, count, value_number_before);
    sort_pointers((void **)(uintptr_t)type->by_name, count, value_name_before);
    for (unsigned i = 1; i < count; i++)
        if (bytes_equal(type->by_name[i - 1]->name, type->by_name[i]->name))
            schema_refuse(r, type->name, "has two values of one name: ", (const char *)type->by_name[i]->name.at);
}

static void link_methods(struct schema_reader *r)
{
    for (struct method_draft *d = r->methods; r->code == 0 && d != NULL; d = d->next) {
        struct bytes input, output;
        if (!full_name_of(d->input, &input) || !full_name_of(d->output, &output)) {
            schema_refuse(r, d->full_name, "names a type without its package", NULL);
            return;
        }
        d->method->input = schema_message(r->schema, input);
        d->method->output = schema_message(r->schema, output);
        if (d->method->input == NULL || d->method->output == NULL)
            missing(r, d->full_name, d->method->input == NULL ? input : output);
    }
}

void schema_link(struct schema_reader *r)
{
    struct schema *s = r->schema;
    collect(r);
    for (unsigned i = 0; r->code == 0 && i < s->enum_count; i++)
        link_enum(r, s->enums[i]);
    for (struct message_draft *m = r->messages; r->code == 0 && m != NULL; m = m->next)
        link_message(r, m);
    for (unsigned i = 0; r->code == 0 && i < s->message_count; i++) {
        if (s->messages[i]->map_entry)
            check_entry(r, s->messages[i]);
        find_well_known(r, s->messages[i]);
    }
    link_methods(r);
}
