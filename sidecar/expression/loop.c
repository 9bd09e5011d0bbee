/* Macros: what they do with each item of a list, or each key of a map. */
#include "sidecar/expression/map.h"
#include "sidecar/expression/run_inside.h"
#include "sidecar/expression/walk_inside.h"

/* Sets the loop's names to those of item i. */
static void enter(struct evaluation *e, const struct node *n, const struct datum *over, uint32_t i)
{
    struct datum *first = &e->locals[n->slot];
    bool map = over->kind == DATUM_MAP;
    if (n->name_count == 1) {
        *first = map ? over->map->entries[2 * i] : over->items[i];
        return;
    }
    first[0] = map ? over->map->entries[2 * i] : datum_int(i);
    first[1] = map ? over->map->entries[2 * i + 1] : over->items[i];
}

/* Whether the loop's condition, when it has one before its result, lets the item in. -1: it failed, with the reason in *failed. */
static int admits(struct evaluation *e, const struct node *n, const struct node *condition, struct datum *failed)
{
    *failed = walk(e, condition);
    if (datum_failed(failed))
        return -1;
    if (failed->kind != DATUM_BOOL) {
        *failed = fail(e, n->position, no_such_overload);
        return -1;
    }
    return failed->b;
}

/* all() and exists(): a failure counts only when no item settles the result. */
static struct datum loop_quantifier(struct evaluation *e, const struct node *n, const struct datum *over)
{
    bool settled_by = n->loop == LOOP_EXISTS;
    struct datum result = datum_bool(!settled_by);
    for (uint32_t i = 0; i < over->size; i++) {
        struct datum failed;
        enter(e, n, over, i);
        int holds = admits(e, n, n->args[0], &failed);
        if (holds == (int)settled_by)
            return datum_bool(settled_by);
        if (holds < 0 && failed.failure->fatal)
            return failed;
        if (holds < 0 && !datum_failed(&result))
            result = failed;
    }
    return result;
}

static struct datum loop_exists_one(struct evaluation *e, const struct node *n, const struct datum *over)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < over->size; i++) {
        struct datum failed;
        enter(e, n, over, i);
        int holds = admits(e, n, n->args[0], &failed);
        if (holds < 0)
            return failed;
        count += (uint32_t)holds;
    }
    return datum_bool(count == 1);
}

/* map() and filter(). */
static struct datum loop_list(struct evaluation *e, const struct node *n, const struct datum *over)
{
    struct datum *items = pool_take(e->pool, over->size * sizeof *items + 1);
    if (items == NULL)
        return fail_memory(e, n->position);
    uint32_t count = 0;
    for (uint32_t i = 0; i < over->size; i++) {
        struct datum value;
        enter(e, n, over, i);
        bool filter = n->loop == LOOP_FILTER;
        int in = filter || n->count == 2 ? admits(e, n, n->args[0], &value) : 1;
        if (in < 0)
            return value;
        if (in == 0)
            continue;
        value = filter ? e->locals[n->slot] : walk(e, n->args[n->count - 1]);
        if (datum_failed(&value))
            return value;
        items[count++] = value;
    }
    return datum_list(items, count);
}

/* transformMapEntry(): puts the entries of a map of at most one entry into the map that is made. */
static struct datum add_entry(struct evaluation *e, const struct node *n, struct map_builder *map,
                              const struct datum *entry)
{
    if (entry->kind != DATUM_MAP || entry->size > 1)
        return fail(e, n->position, "transformMapEntry makes an entry, {key: value}, of every item");
    if (entry->size == 1 && !map_builder_add(map, &entry->map->entries[0], &entry->map->entries[1], false))
        return fail(e, n->position, "insert failed: a map has each key once");
    return datum_null();
}

static struct datum loop_map(struct evaluation *e, const struct node *n, const struct datum *over)
{
    struct map_builder map;
    if (!map_builder_init(&map, e->pool, over->size))
        return fail_memory(e, n->position);
    for (uint32_t i = 0; i < over->size; i++) {
        struct datum value;
        enter(e, n, over, i);
        int in = n->count == 2 ? admits(e, n, n->args[0], &value) : 1;
        if (in < 0)
            return value;
        if (in == 0)
            continue;
        struct datum key = e->locals[n->slot];
        value = walk(e, n->args[n->count - 1]);
        if (!datum_failed(&value) && n->loop == LOOP_MAP_ENTRY)
            value = add_entry(e, n, &map, &value);
        else if (!datum_failed(&value))
            map_builder_add(&map, &key, &value, true);
        if (datum_failed(&value))
            return value;
    }
    return map_builder_finish(&map);
}

/* optMap() and optFlatMap(). */
static struct datum loop_optional(struct evaluation *e, const struct node *n, const struct datum *over)
{
    if (over->kind != DATUM_OPTIONAL)
        return fail(e, n->position, no_such_overload);
    if (over->held == NULL)
        return *over;
    e->locals[n->slot] = *over->held;
    struct datum value = walk(e, n->args[0]);
    if (datum_failed(&value))
        return value;
    if (n->loop == LOOP_OPT_MAP)
        return optional_of(e, n->position, value);
    return value.kind == DATUM_OPTIONAL ? value : fail(e, n->position, no_such_overload);
}

struct datum walk_loop(struct evaluation *e, const struct node *n)
{
    struct datum over = walk(e, n->operand);
    if (datum_failed(&over))
        return over;
    if (n->loop == LOOP_OPT_MAP || n->loop == LOOP_OPT_FLAT_MAP)
        return loop_optional(e, n, &over);
    if (over.kind != DATUM_LIST && over.kind != DATUM_MAP)
        return fail(e, n->position, no_such_overload);
    switch (n->loop) {
    case LOOP_ALL:
    case LOOP_EXISTS:
        return loop_quantifier(e, n, &over);
    case LOOP_EXISTS_ONE:
        return loop_exists_one(e, n, &over);
    case LOOP_MAP:
    case LOOP_FILTER:
        return loop_list(e, n, &over);
    default:
        return loop_map(e, n, &over);
    }
}
