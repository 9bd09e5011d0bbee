#include "sidecar/expression/ast_inside.h"

#include "sidecar/base/utf8.h"
#include "sidecar/expression/compiled_inside.h"
#include "sidecar/expression/unify_inside.h"

int expression_fail(struct expression_error *error, int code, uint32_t position, const char *text)
{
    *error = (struct expression_error){.position = position};
    expression_error_append(error, bytes_of_text(text));
    return code;
}

void expression_error_append(struct expression_error *error, struct bytes more)
{
    size_t used = strlen(error->text), room = sizeof error->text - 1 - used;
    size_t size = more.size < room ? more.size : room;
    while (size > 0 && size < more.size && (more.at[size] & 0xc0) == 0x80)
        size--;
    if (size > 0)
        memcpy(error->text + used, more.at, size);
    error->text[used + size] = '\0';
}

void expression_place(struct bytes text, uint32_t position, int *line, int *column)
{
    *line = 1;
    *column = 1;
    for (uint32_t i = 0; i < position && i < text.size; i++) {
        if (text.at[i] == '\n') {
            ++*line;
            *column = 1;
        } else if ((text.at[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

static int compile(struct bytes text, const struct environment *environment, struct pool *pool,
                   const struct expression **out, struct expression_error *error)
{
    if (text.size > EXPRESSION_BYTES_MAX)
        return expression_fail(error, E_PAYLOAD, 0, "the expression has more than 16384 bytes");
    if (!utf8_valid(text))
        return expression_fail(error, E_SYNTAX, 0, "the expression is not valid UTF-8");
    struct expression *e = pool_take_zeroed(pool, 1, sizeof *e);
    struct bytes copy = pool_copy(pool, text);
    if (e == NULL || copy.at == NULL)
        return expression_fail(error, E_MEMORY, 0, "the expression needs more memory than it may have");
    struct parsed parsed;
    int code = parse_expression(copy, pool, &parsed, error);
    if (code == 0)
        code = check_expression(parsed.root, environment, pool, &e->locals, error);
    e->root = parsed.root;
    *out = e;
    return code;
}

int expression_compile(struct bytes text, const struct environment *environment, struct pool *pool,
                       const struct expression **out, struct expression_error *error)
{
    struct pool_mark mark = pool_mark(pool);
    int code = compile(text, environment, pool, out, error);
    if (code == 0)
        return 0;
    expression_place(text, error->position, &error->line, &error->column);
    pool_rewind(pool, mark);
    return code;
}

const struct type *expression_type(const struct expression *e)
{
    return e->root->type;
}

bool type_fits(const struct type *wanted, const struct type *given, struct pool *pool)
{
    struct unifier u = {.pool = pool};
    return unify_try(&u, wanted, given);
}

static bool uses(const struct node *n, unsigned variable)
{
    if (n->kind == NODE_VARIABLE)
        return n->slot == variable;
    if (n->operand != NULL && n->kind != NODE_MESSAGE && uses(n->operand, variable))
        return true;
    for (uint32_t i = 0; i < n->count; i++)
        if (uses(n->args[i], variable))
            return true;
    return false;
}

bool expression_uses(const struct expression *e, unsigned variable)
{
    return uses(e->root, variable);
}
