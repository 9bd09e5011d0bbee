/* yaml_value.c - typed values of a YAML tree. */
#include "sidecar/definition/yaml_value.h"

#include "sidecar/base/nearest.h"
#include "sidecar/definition/quantity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_SIZE sizeof((struct error_detail *)0)->text
#define PATH_SIZE     sizeof((struct error_detail *)0)->field

const char *yaml_quote(struct bytes text, char quoted[YAML_QUOTE_SIZE])
{
    size_t room = YAML_QUOTE_SIZE - 4;
    size_t size = text.size < room ? text.size : room;
    for (size_t i = 0; i < size; i++)
        quoted[i] = text.at[i] >= ' ' && text.at[i] <= '~' ? (char)text.at[i] : '?';
    memcpy(quoted + size, text.size > room ? "..." : "", text.size > room ? 4 : 1);
    return quoted;
}

/* Writes where n stands, as in "steps[2].action.timeout". The outermost node's path is "". */
static void write_path(const struct yaml_node *n, char path[PATH_SIZE])
{
    const struct yaml_node *way[YAML_DEPTH_MAX + 1];
    size_t depth = 0;
    for (; n->parent != NULL; n = n->parent)
        way[depth++] = n;
    size_t used = 0;
    path[0] = '\0';
    while (depth-- > 0 && used < PATH_SIZE - 1) {
        char quoted[YAML_QUOTE_SIZE];
        const char *dot = used > 0 ? "." : "";
        int n_written = way[depth]->parent->kind == YAML_SEQUENCE
                            ? snprintf(path + used, PATH_SIZE - used, "[%u]", way[depth]->index)
                            : snprintf(path + used, PATH_SIZE - used, "%s%s", dot, yaml_quote(way[depth]->key, quoted));
        used += (size_t)n_written;
    }
}

__attribute__((format(printf, 6, 0))) static int refuse_at(const struct yaml_node *n, int line, int column, int code,
                                                           struct error_detail *detail, const char *format,
                                                           va_list arguments)
{
    char path[PATH_SIZE];
    char sentence[SENTENCE_SIZE];
    write_path(n, path);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    error_set(detail, code, path, sentence);
    detail->line = line;
    detail->column = column;
    return code;
}

int yaml_refuse(const struct yaml_node *n, int code, struct error_detail *detail, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    refuse_at(n, n->line, n->column, code, detail, format, arguments);
    va_end(arguments);
    return code;
}

int yaml_refuse_key(const struct yaml_node *n, int code, struct error_detail *detail, const char *format, ...)
{
    bool keyed = n->parent != NULL && n->parent->kind == YAML_MAPPING;
    va_list arguments;
    va_start(arguments, format);
    refuse_at(n, keyed ? n->key_line : n->line, keyed ? n->key_column : n->column, code, detail, format, arguments);
    va_end(arguments);
    return code;
}

int yaml_rule(struct error_detail *detail, const char *rule, int code)
{
    detail->rule = rule;
    return code;
}

/* Ends the sentence with the valid name that is near, or with as many of the valid names as fit. */
static int add_names(struct error_detail *detail, int code, struct bytes wrong, const char *const *names, size_t count)
{
    const char *nearest = nearest_name(wrong, names, count);
    if (nearest != NULL) {
        error_append(detail, "; did you mean ");
        error_append(detail, nearest);
        error_append(detail, "?");
        return code;
    }
    error_append(detail, "; the names here are ");
    size_t used = strlen(detail->text);
    for (size_t i = 0; i < count; i++) {
        used += strlen(names[i]) + strlen(", ");
        if (used + strlen("...") >= SENTENCE_SIZE) {
            error_append(detail, "...");
            break;
        }
        error_append(detail, names[i]);
        error_append(detail, i + 1 < count ? ", " : "");
    }
    return code;
}

static bool known(struct bytes key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(bytes_of_text(names[i]), key))
            return true;
    return false;
}

int yaml_check_mapping(const struct yaml_node *n, const char *const *names, size_t count, struct error_detail *detail)
{
    if (n->kind != YAML_MAPPING)
        return yaml_refuse(n, E_ARGUMENT, detail, "must be a mapping, name: value");
    for (const struct yaml_node *child = n->first; child != NULL; child = child->next)
        if (!known(child->key, names, count))
            return yaml_rule(detail, "key-unknown",
                             add_names(detail,
                                       yaml_refuse_key(child, E_ARGUMENT, detail, "is not a name that can stand here"),
                                       child->key, names, count));
    return 0;
}

int yaml_check_sequence(const struct yaml_node *n, struct error_detail *detail)
{
    return n->kind == YAML_SEQUENCE ? 0 : yaml_refuse(n, E_ARGUMENT, detail, "must be a list, as in [a, b]");
}

int yaml_need(const struct yaml_node *mapping, const char *key, const struct yaml_node **value,
              struct error_detail *detail)
{
    const struct yaml_node *found = yaml_node_child(mapping, key);
    if (found == NULL)
        return yaml_rule(detail, "key-missing", yaml_refuse(mapping, E_ARGUMENT, detail, "%s is missing", key));
    *value = found;
    return 0;
}

/* Whether n is a scalar that says something. */
static int check_scalar(const struct yaml_node *n, struct error_detail *detail)
{
    if (n->kind != YAML_SCALAR)
        return yaml_refuse(n, E_ARGUMENT, detail, "must be a single value, not a %s",
                           n->kind == YAML_SEQUENCE ? "list" : "mapping");
    if (yaml_node_is_null(n))
        return yaml_refuse_key(n, E_ARGUMENT, detail, "has no value");
    return 0;
}

int yaml_read_text(const struct yaml_node *n, size_t min, size_t max, struct bytes *value, struct error_detail *detail)
{
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    if (n->text.size < min)
        return yaml_refuse(n, E_ARGUMENT, detail, "must not be empty");
    if (n->text.size > max)
        return yaml_refuse(n, E_ARGUMENT, detail, "is %zu bytes long; at most %zu are allowed", n->text.size, max);
    for (size_t i = 0; i < n->text.size; i++)
        if (n->text.at[i] < ' ' || n->text.at[i] == 0x7f)
            return yaml_refuse(n, E_ARGUMENT, detail, "must not hold control characters");
    *value = n->text;
    return 0;
}

int yaml_read_bool(const struct yaml_node *n, bool *value, struct error_detail *detail)
{
    char quoted[YAML_QUOTE_SIZE];
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    bool yes = bytes_equal(n->text, bytes_of_text("true"));
    if (!yes && !bytes_equal(n->text, bytes_of_text("false")))
        return yaml_refuse(n, E_ARGUMENT, detail, "\"%s\" is neither true nor false", yaml_quote(n->text, quoted));
    *value = yes;
    return 0;
}

/* Says that a scalar cannot be read as the quantity it should be. */
static int refuse_quantity(const struct yaml_node *n, const char *wrong, struct error_detail *detail)
{
    char quoted[YAML_QUOTE_SIZE];
    return yaml_refuse(n, E_ARGUMENT, detail, "\"%s\" %s", yaml_quote(n->text, quoted), wrong);
}

static int refuse_range(const struct yaml_node *n, bool below, const char *min, const char *max,
                        struct error_detail *detail)
{
    char quoted[YAML_QUOTE_SIZE];
    return yaml_refuse(n, E_ARGUMENT, detail, "%s is out of range; it must be from %s to %s: the nearest is %s",
                       yaml_quote(n->text, quoted), min, max, below ? min : max);
}

int yaml_read_count(const struct yaml_node *n, uint64_t min, uint64_t max, uint64_t *value, struct error_detail *detail)
{
    uint64_t count;
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    const char *wrong = quantity_read_count(n->text, &count);
    if (wrong != NULL)
        return refuse_quantity(n, wrong, detail);
    if (count < min || count > max) {
        char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
        snprintf(low, sizeof low, "%llu", (unsigned long long)min);
        snprintf(high, sizeof high, "%llu", (unsigned long long)max);
        return refuse_range(n, count < min, low, high, detail);
    }
    *value = count;
    return 0;
}

int yaml_read_size(const struct yaml_node *n, uint64_t min, uint64_t max, uint64_t *value, struct error_detail *detail)
{
    uint64_t size;
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    const char *wrong = quantity_read_size(n->text, &size);
    if (wrong != NULL)
        return refuse_quantity(n, wrong, detail);
    if (size < min || size > max) {
        char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
        quantity_write_size(min, low);
        quantity_write_size(max, high);
        return refuse_range(n, size < min, low, high, detail);
    }
    *value = size;
    return 0;
}

int yaml_read_permille(const struct yaml_node *n, uint32_t min, uint32_t max, uint32_t *value,
                       struct error_detail *detail)
{
    uint32_t permille;
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    const char *wrong = quantity_read_permille(n->text, &permille);
    if (wrong != NULL)
        return refuse_quantity(n, wrong, detail);
    if (permille < min || permille > max) {
        char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
        quantity_write_permille(min, low);
        quantity_write_permille(max, high);
        return refuse_range(n, permille < min, low, high, detail);
    }
    *value = permille;
    return 0;
}

int yaml_read_span(const struct yaml_node *n, struct span min, struct span max, struct span *value,
                   struct error_detail *detail)
{
    struct span span;
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    const char *wrong = quantity_read_span(n->text, &span);
    if (wrong != NULL)
        return refuse_quantity(n, wrong, detail);
    if (span.us < min.us || span.us > max.us) {
        char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
        quantity_write_span(min, low);
        quantity_write_span(max, high);
        return refuse_range(n, span.us < min.us, low, high, detail);
    }
    *value = span;
    return 0;
}

int yaml_read_choice(const struct yaml_node *n, const char *const *names, size_t count, uint32_t *value,
                     struct error_detail *detail)
{
    char quoted[YAML_QUOTE_SIZE];
    int code = check_scalar(n, detail);
    if (code != 0)
        return code;
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(bytes_of_text(names[i]), n->text)) {
            *value = (uint32_t)i;
            return 0;
        }
    }
    code = yaml_refuse(n, E_ARGUMENT, detail, "\"%s\" is not a value that can stand here", yaml_quote(n->text, quoted));
    return add_names(detail, code, n->text, names, count);
}
