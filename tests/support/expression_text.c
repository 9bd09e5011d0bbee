#include "tests/support/expression_text.h"

#include "sidecar/base/check.h"

#include <inttypes.h>
#include <stdlib.h>

void expression_text_bytes(FILE *out, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] >= ' ' && text.at[i] <= '~' && text.at[i] != '\\')
            fputc(text.at[i], out);
        else
            fprintf(out, "\\%02x", text.at[i]);
}

static void put_quoted(FILE *out, const char *before, struct bytes text)
{
    fprintf(out, "%s'", before);
    expression_text_bytes(out, text);
    fprintf(out, "'");
}

static void put_type(FILE *out, const struct type *type)
{
    char text[256];
    type_print(type, text, sizeof text);
    fputs(text, out);
}

static void put_map(FILE *out, const struct datum *d)
{
    fprintf(out, "{");
    for (uint32_t i = 0; i < 2 * d->size; i++) {
        fprintf(out, "%s", i == 0 ? "" : i % 2 == 1 ? ": " : ", ");
        expression_text_datum(out, &d->map->entries[i]);
    }
    fprintf(out, "}");
}

void expression_text_datum(FILE *out, const struct datum *d)
{
    switch (d->kind) {
    case DATUM_FAILURE:
        fprintf(out, "!%u%s ", d->failure->position, d->failure->fatal ? "!" : "");
        expression_text_bytes(out, d->failure->text);
        break;
    case DATUM_NULL:
        fprintf(out, "null");
        break;
    case DATUM_BOOL:
        fprintf(out, "%s", d->b ? "true" : "false");
        break;
    case DATUM_INT:
        fprintf(out, "%" PRIi64, d->i);
        break;
    case DATUM_UINT:
        fprintf(out, "%" PRIu64 "u", d->u);
        break;
    case DATUM_DOUBLE:
        if (d->d != d->d) /* which not-a-number it is depends on the machine */
            fprintf(out, "NaN");
        else
            fprintf(out, "%#.17g", d->d);
        break;
    case DATUM_STRING:
    case DATUM_BYTES:
        put_quoted(out, d->kind == DATUM_BYTES ? "b" : "", datum_bytes(d));
        break;
    case DATUM_LIST:
        for (uint32_t i = 0; i < d->size; i++) {
            fprintf(out, "%s", i == 0 ? "[" : ", ");
            expression_text_datum(out, &d->items[i]);
        }
        fprintf(out, d->size == 0 ? "[]" : "]");
        break;
    case DATUM_MAP:
        put_map(out, d);
        break;
    case DATUM_MESSAGE:
        expression_text_bytes(out, d->message->type->name);
        put_quoted(out, "", d->message->wire);
        break;
    case DATUM_TIMESTAMP:
        fprintf(out, "%" PRIi64 ".%09" PRIu32 "t", d->i, d->size);
        break;
    case DATUM_DURATION:
        fprintf(out, "%" PRIi64 "ns", d->i);
        break;
    case DATUM_TYPE:
        fprintf(out, "type ");
        put_type(out, d->type);
        break;
    case DATUM_OPTIONAL:
        fprintf(out, "optional(");
        if (d->held != NULL)
            expression_text_datum(out, d->held);
        fprintf(out, ")");
        break;
    }
}

void expression_text_put(FILE *out, const struct expression_world *world, const char *text)
{
    struct pool_mark mark = pool_mark(world->pool);
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    int code = expression_compile(bytes_of_text(text), &world->environment, world->pool, &e, &error);
    if (code != 0) {
        CHECK(error.line > 0);
        fprintf(out, "%s %d:%d (%u) %s", error_row(code)->reason, error.line, error.column, error.position, error.text);
    } else {
        struct evaluation evaluation = {.schema = world->environment.schema,
                                        .pool = world->pool,
                                        .variables = world->values,
                                        .cost_max = EXPRESSION_COST_MAX};
        struct datum d = expression_evaluate(e, &evaluation);
        if (!world->untyped) {
            put_type(out, expression_type(e));
            fprintf(out, " ");
        }
        expression_text_datum(out, &d);
        fprintf(out, " #%" PRIu64, evaluation.cost);
    }
    pool_rewind(world->pool, mark);
}

/* Where the words of a failure end that begins with its place: at its cost, if it has one. */
static size_t failure_size(const char *result)
{
    const char *cost = strrchr(result, '#');
    return cost == NULL ? strlen(result) : (size_t)(cost - result);
}

void expression_text_put_shortly(FILE *out, const struct expression_world *world, const char *text, char **last)
{
    char *result = NULL;
    size_t size = 0;
    FILE *into = open_memstream(&result, &size);
    CHECK(into != NULL);
    expression_text_put(into, world, text);
    CHECK(fclose(into) == 0);
    size_t end = failure_size(result);
    bool failed = result[0] == '!' || (result[0] >= 'A' && result[0] <= 'Z');
    bool same = failed && *last != NULL && failure_size(*last) == end && memcmp(*last, result, end) == 0;
    fprintf(out, "%s%s", same ? "= " : "", same ? result + end : result);
    free(*last);
    *last = result;
}
