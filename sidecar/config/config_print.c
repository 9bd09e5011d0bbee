/* config_print.c - the configuration in words: every option for `sagad --options`, and an error with its place. */
#include "sidecar/config/config_options.h"

#define LINE_WIDTH 100
#define INDENT     4

/* Writes text in lines of at most LINE_WIDTH, broken at spaces. */
static void print_wrapped(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > LINE_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%*s%.*s", column == 0 ? INDENT : 1, "", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const struct option *o)
{
    char range[OPTION_RANGE_SIZE], fallback[OPTION_DEFAULT_SIZE];
    fprintf(out, "\n  %s%s: %s", o->group == GROUP_TARGET ? "targets.NAME." : "", o->name, option_default(o, fallback));
    fprintf(out, "%s# %s\n", fallback[0] == '\0' ? "" : "  ", option_range(o, range));
    print_wrapped(out, o->doc);
    if (o->reloaded)
        print_wrapped(out, "Taken by a reload (SIGHUP, sagactl reload).");
}

void config_print_options(FILE *out)
{
    fprintf(out, "Options of sagad.yaml, with their defaults and bounds.\n");
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        fprintf(out, "\n%s\n", option_group_title((enum option_group)group));
        for (size_t i = 0; i < OPTION_INDEX_COUNT; i++)
            if (config_options[i].group == group)
                print_option(out, &config_options[i]);
        for (size_t i = 0; i < TARGET_OPTION_COUNT; i++)
            if (config_target_options[i].group == group)
                print_option(out, &config_target_options[i]);
    }
}

size_t config_describe_error(const char *path, int code, const struct error_detail *detail, char *line, size_t size)
{
    char place[32] = "";
    if (detail->line > 0)
        snprintf(place, sizeof place, "%d:%d: ", detail->line, detail->column);
    const char *text = detail->text[0] != '\0' ? detail->text : error_row(code)->text;
    int length = snprintf(line, size, "%s%s%s%s%s%s", path == NULL ? "" : path,
                          path == NULL       ? ""
                          : place[0] == '\0' ? ": "
                                             : ":",
                          place, detail->field, detail->field[0] == '\0' ? "" : ": ", text);
    return (size_t)length < size ? (size_t)length : size - 1;
}
