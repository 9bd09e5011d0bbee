/* examine_cost.c - what evaluating an expression may cost, as evaluate.c counts it: of lists and texts that come from outside a size is assumed. */
#include "sidecar/expression/examine.h"

#include "sidecar/expression/check_inside.h"
#include "sidecar/expression/compiled_inside.h"

/* Beyond it nobody asks how much more it is. */
#define MUCH UINT64_C(1000000000000)
/* Assumed of what comes from outside, in bytes. */
#define TEXT_BYTES   32
#define NUMBER_BYTES 4
/* So many fields of a message, and of those within it, are looked at; others weigh as a text. */
#define FIELDS_LOOKED_AT 256
#define DEPTH_LOOKED_AT  4

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a + b < MUCH ? a + b : MUCH;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    return a != 0 && b > MUCH / a ? MUCH : a * b;
}

/* ---- bounds ---- */

/* Whether both are one field of one field ... of one variable. */
static bool is_same(const struct node *a, const struct node *b)
{
    while (a->kind == NODE_FIELD && b->kind == NODE_FIELD && a->field == b->field && !a->test && !b->test) {
        a = a->operand;
        b = b->operand;
    }
    return a->kind == NODE_VARIABLE && b->kind == NODE_VARIABLE && a->slot == b->slot && !a->test && !b->test;
}

static bool is_path(const struct node *n)
{
    return is_same(n, n);
}

/* size(list) or list.size(): the list; else NULL. */
static const struct node *sized(const struct node *n)
{
    if (n->kind != NODE_CALL || (n->function != FUNCTION_ID_SIZE && n->function != FUNCTION_ID_SIZE_OF))
        return NULL;
    const struct node *list = n->operand != NULL ? n->operand : n->args[0];
    return is_path(list) ? list : NULL;
}

static void add_bound(struct examine_bounds *b, const struct node *list, const struct node *most, bool less)
{
    bool known = list != NULL && most->kind == NODE_LITERAL && most->literal.kind == DATUM_INT && most->literal.i >= 0;
    if (known && b->count < EXAMINE_BOUNDS_MAX)
        b->of[b->count++] =
            (struct examine_bound){.list = list, .size = (uint64_t)most->literal.i - (less && most->literal.i > 0)};
}

static void add_bounds(struct examine_bounds *b, const struct node *n)
{
    for (uint32_t i = 0; n->kind == NODE_AND && i < n->count; i++)
        add_bounds(b, n->args[i]);
    if (n->kind != NODE_CALL || n->count != 2)
        return;
    if (n->function == FUNCTION_ID_LESS_EQUAL || n->function == FUNCTION_ID_LESS)
        add_bound(b, sized(n->args[0]), n->args[1], n->function == FUNCTION_ID_LESS);
    if (n->function == FUNCTION_ID_GREATER_EQUAL || n->function == FUNCTION_ID_GREATER)
        add_bound(b, sized(n->args[1]), n->args[0], n->function == FUNCTION_ID_GREATER);
}

void examine_add_bounds(struct examine_bounds *b, const struct expression *condition)
{
    add_bounds(b, condition->root);
}

/* Of what comes from outside: as it is bound, else as assumed. */
static uint64_t size_of(const struct examine_bounds *b, const struct node *n, uint64_t assumed)
{
    uint64_t size = UINT64_MAX;
    for (unsigned i = 0; i < b->count; i++) {
        const struct examine_bound *bound = &b->of[i];
        bool this = bound->list != NULL ? is_same(bound->list, n)
                                        : n->kind == NODE_VARIABLE && !n->test && (int)n->slot == bound->variable;
        if (this && bound->size < size)
            size = bound->size;
    }
    return size < UINT64_MAX ? size : assumed;
}

/* ---- sizes ---- */

struct looking {
    const struct examine_bounds *bounds;
    uint64_t sizes[LOCALS_MAX]; /* of what macros gave names to */
};

/* Of the list that is this field, whoever's it is; within another list it has one item. */
static uint64_t items_of(const struct examine_bounds *b, const struct field *f, bool within_list)
{
    uint64_t items = within_list ? 1 : b->items;
    for (unsigned i = 0; i < b->count; i++)
        if (b->of[i].list != NULL && b->of[i].list->kind == NODE_FIELD && b->of[i].list->field == f &&
            b->of[i].size < items)
            items = b->of[i].size;
    return items;
}

/* Bytes of a message as it may come from outside. */
static uint64_t weigh(const struct examine_bounds *b, const struct message_type *type, bool within_list, unsigned depth,
                      unsigned *left)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < type->field_count; i++) {
        const struct field *f = &type->fields[i];
        bool text = f->kind == FIELD_STRING || f->kind == FIELD_BYTES;
        uint64_t one = text || f->kind == FIELD_MESSAGE ? TEXT_BYTES : NUMBER_BYTES;
        bool deep = depth == DEPTH_LOOKED_AT || *left == 0;
        *left -= *left > 0;
        if (f->kind == FIELD_MESSAGE && !deep)
            one = weigh(b, f->message, within_list || f->repeated, depth + 1, left);
        all = plus(all, times(one, f->repeated ? items_of(b, f, within_list) : 1));
    }
    return all;
}

/* Items of a list or map, bytes of a text or message: of a value of which nothing but its type is known. */
static uint64_t size_by_type(const struct looking *l, const struct type *t)
{
    unsigned left = FIELDS_LOOKED_AT;
    if (t == NULL)
        return l->bounds->items;
    switch (t->kind) {
    case TYPE_STRING:
    case TYPE_BYTES:
        return TEXT_BYTES;
    case TYPE_LIST:
    case TYPE_MAP:
    case TYPE_DYN:
        return l->bounds->items;
    case TYPE_MESSAGE:
        return weigh(l->bounds, t->message, false, 0, &left);
    default:
        return 1;
    }
}

/* ---- costs ---- */

static struct examined_cost look(struct looking *l, const struct node *n);

static bool is_text(const struct node *n)
{
    return n->type != NULL && (n->type->kind == TYPE_STRING || n->type->kind == TYPE_BYTES);
}

static bool is_counted(const struct node *n)
{
    return n->type == NULL || n->type->kind == TYPE_LIST || n->type->kind == TYPE_MAP || n->type->kind == TYPE_DYN;
}

/* A field is found by going through its message; the items of a list are read, too. */
static struct examined_cost look_field(struct looking *l, const struct node *n)
{
    struct examined_cost of = look(l, n->operand);
    bool list = n->field->repeated && !n->test;
    struct examined_cost e = {.cost = plus(of.cost, plus(1, of.size / 16)), .size = size_by_type(l, n->type)};
    if (list) {
        e.size = is_path(n) ? size_of(l->bounds, n, e.size) : e.size;
        e.cost = plus(e.cost, e.size);
    }
    return e;
}

static struct examined_cost look_call(struct looking *l, const struct node *n)
{
    struct examined_cost e = {.cost = 0, .size = 0};
    bool sizes =
        n->function == FUNCTION_ID_SIZE || n->function == FUNCTION_ID_SIZE_OF || n->function == FUNCTION_ID_INDEX;
    bool joins = n->kind == NODE_CALL && (n->function == FUNCTION_ID_ADD || n->function == FUNCTION_ID_JOIN);
    for (uint32_t i = 0; i < n->count + (n->operand != NULL); i++) {
        const struct node *arg = i == n->count ? n->operand : n->args[i];
        struct examined_cost a = look(l, arg);
        uint64_t work = sizes ? 0 : is_text(arg) ? a.size / 16 : is_counted(arg) ? a.size : 0;
        e.cost = plus(e.cost, plus(a.cost, work));
        e.size = plus(e.size, is_text(n) && is_counted(arg) ? times(a.size, TEXT_BYTES) : a.size);
    }
    if (!joins || !(is_text(n) || is_counted(n)))
        e.size = size_by_type(l, n->type);
    else if (is_text(n))
        e.cost = plus(e.cost, e.size / 8); /* it grows in several pieces */
    return e;
}

/* As often as there are items, but for an optional, which has one. */
static struct examined_cost look_loop(struct looking *l, const struct node *n)
{
    struct examined_cost over = look(l, n->operand);
    bool once = n->loop == LOOP_OPT_MAP || n->loop == LOOP_OPT_FLAT_MAP;
    uint64_t items = once ? 1 : over.size, body = 0;
    const struct type *of = n->operand->type;
    for (uint32_t i = 0; i < n->name_count && n->slot + i < LOCALS_MAX; i++) {
        const struct type *item = of == NULL || of->kind != TYPE_LIST ? NULL : of->of[0];
        l->sizes[n->slot + i] = size_by_type(l, item);
    }
    for (uint32_t i = 0; i < n->count; i++)
        body = plus(body, look(l, n->args[i]).cost);
    return (struct examined_cost){.cost = plus(over.cost, times(items, body)), .size = items};
}

static struct examined_cost look_parts(struct looking *l, const struct node *n)
{
    struct examined_cost e = {.cost = 0, .size = n->kind == NODE_MAP ? n->count / 2 : n->count};
    uint64_t longest = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        struct examined_cost a = look(l, n->args[i]);
        e.cost = plus(e.cost, a.cost);
        longest = a.size > longest && (i > 0 || n->kind != NODE_CHOICE) ? a.size : longest;
    }
    if (n->kind == NODE_CHOICE)
        e.size = longest;
    else if (n->kind == NODE_MESSAGE)
        e.size = times(longest, n->count);
    return e;
}

static struct examined_cost look_bind(struct looking *l, const struct node *n)
{
    struct examined_cost value = look(l, n->args[0]);
    if (n->slot < LOCALS_MAX)
        l->sizes[n->slot] = value.size;
    struct examined_cost in = look(l, n->args[1]);
    return (struct examined_cost){.cost = plus(value.cost, in.cost), .size = in.size};
}

static struct examined_cost look(struct looking *l, const struct node *n)
{
    struct examined_cost e = {.cost = 0, .size = 1};
    switch (n->kind) {
    case NODE_LITERAL:
        e.size = n->literal.kind == DATUM_STRING || n->literal.kind == DATUM_BYTES ? n->literal.size : 1;
        break;
    case NODE_LOCAL:
        e.size = n->slot < LOCALS_MAX ? l->sizes[n->slot] : size_by_type(l, n->type);
        break;
    case NODE_VARIABLE:
        e.size = size_of(l->bounds, n, size_by_type(l, n->type));
        break;
    case NODE_FIELD:
        e = look_field(l, n);
        break;
    case NODE_SELECT:
        e.cost = look(l, n->operand).cost;
        e.size = size_by_type(l, n->type);
        break;
    case NODE_CALL:
    case NODE_INDEX:
        e = look_call(l, n);
        break;
    case NODE_LOOP:
        e = look_loop(l, n);
        break;
    case NODE_BIND:
        e = look_bind(l, n);
        break;
    default:
        e = look_parts(l, n);
        break;
    }
    e.cost = plus(e.cost, 1);
    return e;
}

struct examined_cost examine_cost(const struct expression *e, const struct examine_bounds *bounds)
{
    struct looking l = {.bounds = bounds};
    return look(&l, e->root);
}
