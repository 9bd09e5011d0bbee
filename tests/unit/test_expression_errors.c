/* What is said of expressions that end too early, or lack a sign: for each place where that may be, the words, the place in the text that they name, or
 * the type when it is an expression all the same. It is kept in tests/fixtures/expression/errors.txt; `build/release/tests/unit/test_expression_errors
 * write` writes that anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/expression.h"
#include "sidecar/expression/type.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/expression/errors.txt";

static const char *const texts[] = {
    "input.lines.map(l, l.price_cents * l.quantity).sum() >= 950u",
    "has(input.card) && !has(input.invoice) || input.priority in [1, 2, 0x1F]",
    "Order{order_id: 'a', lines: [Line{sku: \"\"\"b\"\"\"}], ?card: input.?card}",
    "{'a': 1.5e-3, ?'b': optional.of(2u)}[?'a'].orValue(-3) % 2",
    "cel.bind(x, input.counts, x.exists(k, v, k.matches('^(a|[b-c]{2,3})+$') && v > 0))",
    "input.color == Color.RED ? .saga.id : r'\\d' + '\\u00e9\\x41\\101\\n'",
    "string(input.at + duration('1h30m')) != b'\\xff'",
    "input.`order_id`.size() - -9223372036854775808 < input.by_row[3].quantity",
    "true ? [1, ?optional.none()] : null // the end",
};

static struct schema *schema;
static struct pool pool;

static void put_result(const char *text, size_t size, char *line, size_t room)
{
    const struct variable variables[] = {
        {.name = bytes_of_text("input"), .type = type_of_message(&pool, shapes_type(schema, "Order"))},
        {.name = bytes_of_text("saga.id"), .type = &type_string}};
    const struct environment environment = {
        .schema = schema, .container = bytes_of_text("shapes"), .variables = variables, .variable_count = 2};
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    int code = expression_compile(bytes_of(text, size), &environment, &pool, &e, &error);
    if (code != 0) {
        int used = error.line == 1 && (size_t)error.column == size + 1
                       ? snprintf(line, room, "at the end")
                       : snprintf(line, room, "%d:%d", error.line, error.column);
        snprintf(line + used, room - (size_t)used, ": %s (%s)", error.text, error_row(code)->reason);
        return;
    }
    memcpy(line, "is a ", sizeof "is a ");
    type_print(expression_type(e), line + strlen(line), room - strlen(line));
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Cut behind so many bytes, and then without the byte behind so many, which is no letter within a word; those of one result are one line. */
static void put_text(FILE *out, const char *text)
{
    size_t size = strlen(text);
    fprintf(out, "%s\n", text);
    for (int without = 0; without < 2; without++) {
        char last[512] = "", line[512], *copy = malloc(size + 1);
        for (size_t i = 0; i < size; i++) {
            struct pool_mark mark = pool_mark(&pool);
            if (without && i > 0 && is_letter(text[i]) && is_letter(text[i - 1]))
                continue;
            memcpy(copy, text, i);
            memcpy(copy + i, text + i + 1, size - i);
            put_result(copy, without ? size - 1 : i, line, sizeof line);
            pool_rewind(&pool, mark);
            if (strcmp(line, last) != 0)
                fprintf(out, "  %s %zu: %s\n", without ? "without" : "cut at", i, line);
            memcpy(last, line, sizeof last);
        }
        free(copy);
    }
}

static void put_all(FILE *out)
{
    pool_init(&pool, &heap, 1 << 22);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_text(out, texts[i]);
    pool_finish(&pool);
}

START_TEST(expression__what_lacks_something_is_told_in_these_words)
{
    schema = shapes_schema();
    kept_text_compare(path, put_all);
    schema_destroy(schema);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "expression_errors", expression__what_lacks_something_is_told_in_these_words);
}
