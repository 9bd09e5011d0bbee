/* schema.c - what is found in a schema: sorted arrays, and halving. */
#include "sidecar/message/schema_inside.h"

int name_order(struct bytes a, struct bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.at, b.at, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Heapsort: no memory, and no worst case that a stranger could choose. */
static void sink(void **array, unsigned at, unsigned count, bool (*before)(const void *, const void *))
{
    void *moved = array[at];
    for (unsigned child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(array[child], array[child + 1]))
            child++;
        if (!before(moved, array[child]))
            break;
        array[at] = array[child];
    }
    array[at] = moved;
}

void sort_pointers(void **array, unsigned count, bool (*before)(const void *a, const void *b))
{
    for (unsigned i = count / 2; i > 0; i--)
        sink(array, i - 1, count, before);
    for (unsigned i = count; i > 1; i--) {
        void *highest = array[0];
        array[0] = array[i - 1];
        array[i - 1] = highest;
        sink(array, 0, i - 1, before);
    }
}

/* The index at which order(array[index]) is 0, or -1; order says where the sought one lies: below, at or above. */
#define FIND(array, count, order_of_middle) \
    do { \
        unsigned low = 0, high = (count); \
        while (low < high) { \
            unsigned middle = low + (high - low) / 2; \
            int order = (order_of_middle); \
            if (order == 0) \
                return (array)[middle]; \
            if (order < 0) \
                high = middle; \
            else \
                low = middle + 1; \
        } \
        return NULL; \
    } while (0)

const struct message_type *schema_message(const struct schema *s, struct bytes name)
{
    FIND(s->messages, s->message_count, name_order(name, s->messages[middle]->name));
}

const struct enum_type *schema_enum(const struct schema *s, struct bytes name)
{
    FIND(s->enums, s->enum_count, name_order(name, s->enums[middle]->name));
}

const struct service_type *schema_service(const struct schema *s, struct bytes name)
{
    FIND(s->services, s->service_count, name_order(name, s->services[middle]->name));
}

const struct method_type *schema_method(const struct schema *s, struct bytes path)
{
    size_t slash = path.size;
    while (slash > 0 && path.at[slash - 1] != '/')
        slash--;
    if (slash < 2 || path.at[0] != '/')
        return NULL;
    const struct service_type *service = schema_service(s, bytes_of(path.at + 1, slash - 2));
    struct bytes name = bytes_of(path.at + slash, path.size - slash);
    for (unsigned i = 0; service != NULL && i < service->method_count; i++)
        if (bytes_equal(service->methods[i].name, name))
            return &service->methods[i];
    return NULL;
}

const struct message_type *schema_type_of_url(const struct schema *s, struct bytes url)
{
    size_t slash = url.size;
    while (slash > 0 && url.at[slash - 1] != '/')
        slash--;
    return slash == 0 ? NULL : schema_message(s, bytes_of(url.at + slash, url.size - slash));
}

const struct message_type *schema_message_at(const struct schema *s, unsigned index)
{
    return index < s->message_count ? s->messages[index] : NULL;
}

const struct enum_type *schema_enum_at(const struct schema *s, unsigned index)
{
    return index < s->enum_count ? s->enums[index] : NULL;
}

const struct service_type *schema_service_at(const struct schema *s, unsigned index)
{
    return index < s->service_count ? s->services[index] : NULL;
}

static const struct field *halve_by_number(const struct message_type *t, uint32_t number)
{
    const struct field *fields = t->fields;
    unsigned low = 0, high = t->field_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (fields[middle].number == number)
            return &fields[middle];
        if (number < fields[middle].number)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct field *message_field_by_number(const struct message_type *t, uint32_t number)
{
    /* Most messages number their fields 1, 2, 3. */
    if (number - 1 < t->field_count && t->fields[number - 1].number == number)
        return &t->fields[number - 1];
    return halve_by_number(t, number);
}

const struct field *message_field_by_name(const struct message_type *t, struct bytes name)
{
    FIND(t->by_name, t->field_count, name_order(name, t->by_name[middle]->name));
}

static const struct field *by_json_name(const struct message_type *t, struct bytes name)
{
    FIND(t->by_json_name, t->field_count, name_order(name, t->by_json_name[middle]->json_name));
}

const struct field *message_field_by_any_name(const struct message_type *t, struct bytes name)
{
    const struct field *f = message_field_by_name(t, name);
    return f != NULL ? f : by_json_name(t, name);
}

const struct enum_value *enum_value_by_number(const struct enum_type *e, int32_t number)
{
    unsigned low = 0, high = e->value_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (e->by_number[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < e->value_count && e->by_number[low]->number == number ? e->by_number[low] : NULL;
}

const struct enum_value *enum_value_by_name(const struct enum_type *e, struct bytes name)
{
    FIND(e->by_name, e->value_count, name_order(name, e->by_name[middle]->name));
}

static bool is_within(const struct number_range *ranges, unsigned count, int64_t number)
{
    for (unsigned i = 0; i < count; i++)
        if (number >= ranges[i].first && number <= ranges[i].last)
            return true;
    return false;
}

bool message_reserves(const struct message_type *t, uint32_t number)
{
    return is_within(t->reserved, t->reserved_count, number);
}

bool enum_reserves(const struct enum_type *e, int32_t number)
{
    return is_within(e->reserved, e->reserved_count, number);
}

void schema_destroy(struct schema *s)
{
    if (s == NULL)
        return;
    struct memory memory = s->memory;
    struct pool pool = s->pool;
    pool.memory = &memory;
    pool_finish(&pool);
}
