/* config_docs.c - writes the documents that follow from options.def. */
#include "sidecar/config/config_docs.h"

#include "sidecar/config/config_options.h"

#define MAN_HEAD \
    ".\\\" From sidecar/config/options.def by `make docs-options`; do not edit.\n" \
    ".TH SAGAD.YAML 5 \"\" \"sagad\" \"File Formats\"\n" \
    ".SH NAME\n" \
    "sagad.yaml \\- configuration of the saga sidecar\n" \
    ".SH DESCRIPTION\n" \
    ".BR sagad (8)\n" \
    "reads the file that\n" \
    ".B \\-f\n" \
    "names. It is one YAML document, a mapping of the options below. Every option has a default, so that an empty " \
    "file, or none, is\n" \
    "a configuration too. An unknown option, a value out of its bounds and options that do not go together are " \
    "refused with their\n" \
    "line and column;\n" \
    ".B sagad \\-n\n" \
    "checks a file and exits. Anchors, aliases, tags and duplicate keys are refused.\n" \
    ".PP\n" \
    "A length of time is a number with a unit: ms, s, m or h, as in 250ms, 1.5s, 168h.\n" \
    "A size is a number of bytes, alone or with KiB, MiB, GiB or TiB.\n" \
    "Relative paths start at the directory in which\n" \
    ".B sagad\n" \
    "is started.\n"

#define MAN_TAIL \
    ".SH RETRY POLICIES\n" \
    "A mapping with the names of a gRPC service config:\n" \
    ".B maxAttempts\n" \
    "(1 to 1000, the first included),\n" \
    ".BR initialBackoff ,\n" \
    ".B maxBackoff\n" \
    "(1ms to 24h),\n" \
    ".B backoffMultiplier\n" \
    "(1 to 100),\n" \
    ".B jitter\n" \
    "(0 to 1, the part of a delay by which it varies) and, of actions,\n" \
    ".B retryableStatusCodes\n" \
    "(a list of gRPC status codes that are retried beside those that always are). What is not said stays as it is by " \
    "default.\n" \
    ".SH EXAMPLE\n" \
    ".nf\n" \
    "data_dir: /var/lib/sagad\n" \
    "definitions_dir: /etc/sagad/definitions\n" \
    "listen: [\"unix:/run/sagad/sagad.sock\", \"127.0.0.1:7240\"]\n" \
    "targets:\n" \
    "  inventory: dns:///inventory:50051\n" \
    "  payment: {address: \"dns:///payment:50051\", timeout: 3s}\n" \
    "tls_certificate: /etc/sagad/tls/tls.crt\n" \
    "tls_key: /etc/sagad/tls/tls.key\n" \
    "tls_roots: /etc/sagad/tls/ca.crt\n" \
    "retention: 720h\n" \
    "log_format: json\n" \
    ".fi\n" \
    ".SH SEE ALSO\n" \
    ".BR sagad (8),\n" \
    ".BR sagactl (1)\n"

static void write_group(FILE *out, unsigned group, void (*write)(FILE *out, const struct option *o))
{
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++)
        if (config_options[i].group == group)
            write(out, &config_options[i]);
    for (size_t i = 0; i < TARGET_OPTION_COUNT; i++)
        if (config_target_options[i].group == group)
            write(out, &config_target_options[i]);
}

/* Text within a line of a manual page, whose '-' is a hyphen and whose '\' begins a command. */
static void write_roff(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '-' || *text == '\\')
            fputs(*text == '-' ? "\\-" : "\\e", out);
        else
            fputc(*text, out);
}

static void write_man_option(FILE *out, const struct option *o)
{
    char range[OPTION_RANGE_SIZE], fallback[OPTION_DEFAULT_SIZE];
    fprintf(out, ".TP\n.B %s\n", o->name);
    write_roff(out, o->doc);
    fputs("\n.br\n", out);
    if (option_default(o, fallback)[0] != '\0') {
        fputs("Default: ", out);
        write_roff(out, fallback);
        fputs(". ", out);
    }
    fputs("Value: ", out);
    write_roff(out, option_range(o, range));
    fputs(o->reloaded ? ". Taken by a reload.\n" : ".\n", out);
}

void config_docs_man(FILE *out)
{
    fputs(MAN_HEAD, out);
    fputs(".SH OPTIONS\n", out);
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        fprintf(out, ".SS %s\n", option_group_title((enum option_group)group));
        write_group(out, group, write_man_option);
    }
    fputs(MAN_TAIL, out);
}

/* Text within a cell of a table, where '*' is no emphasis and '|' no border. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fprintf(out, "%s%c", *text == '*' || *text == '|' ? "\\" : "", *text);
}

static void write_row(FILE *out, const struct option *o)
{
    char range[OPTION_RANGE_SIZE], fallback[OPTION_DEFAULT_SIZE];
    const char *tick = option_default(o, fallback)[0] == '\0' ? "" : "`";
    fprintf(out, "| `%s` | %s%s%s | %s | ", o->name, tick, fallback, tick, option_range(o, range));
    write_cell(out, o->doc);
    if (o->reloaded)
        fputs(" *Taken by a reload.*", out);
    fputs(" |\n", out);
}

void config_docs_markdown(FILE *out)
{
    for (unsigned group = 0; group < GROUP_COUNT; group++) {
        fprintf(out, "\n### %s\n\n| option | default | value | what it is for |\n|---|---|---|---|\n",
                option_group_title((enum option_group)group));
        write_group(out, group, write_row);
    }
    fputc('\n', out);
}
