/* lint_docs.c - the rules as a document. */
#include "sidecar/lint/lint.h"

static const char head[] =
    "# What `sagactl lint` finds\n"
    "\n"
    "<!-- from sidecar/lint/lint.def by `make docs-lint`; do not edit -->\n"
    "\n"
    "`sagactl lint checkout.yaml` judges a definition without a sidecar: what is wrong, and what is likely to be, "
    "with\n"
    "file, line and column, the rule, and what to write instead. With `--schema shop.binpb` (a set of descriptors, or "
    "a\n"
    "folder of them) its messages are looked at too; with `--config sagad.yaml` the targets that there are, with "
    "their\n"
    "timeouts, and that sidecar's bounds and default retries are those that count. `-o json` and `-o sarif` are for\n"
    "programs; `--explain RULE` prints what stands here of a rule. The exit status is 1 when there is an error.\n"
    "\n"
    "A sidecar judges by the same rules, and with its own configuration, when a definition is registered: an error "
    "refuses\n"
    "it, and warnings come back in the answer. What is registered already stays.\n"
    "\n"
    "An *error* cannot be meant. A *warning* seldom is. A *note* is worth knowing. A comment takes a warning or a "
    "note\n"
    "away, in its line or alone in the line before, and says why:\n"
    "\n"
    "```yaml\n"
    "deadline: 15s  # lint: allow deadline-too-short a customer does not wait longer\n"
    "```\n"
    "\n"
    "The examples are whole. The typed ones are written in `client-lib/examples/definitions/trades.proto`.\n";

static void put_example(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\n%s:\n\n```\n%s```\n", name, text);
}

void lint_docs(FILE *out)
{
    fprintf(out, "%s\n| rule | | |\n|---|---|---|\n", head);
    for (unsigned i = 0; i < LINT_RULE_COUNT; i++)
        fprintf(out, "| [%s](#%s) | %s | %s |\n", lint_rows[i].id, lint_rows[i].id,
                lint_severity_name(lint_rows[i].severity), lint_rows[i].meaning);
    for (unsigned i = 0; i < LINT_RULE_COUNT; i++) {
        const struct lint_row *row = &lint_rows[i];
        fprintf(out, "\n## %s\n\n%s: %s. %s\n", row->id, lint_severity_name(row->severity), row->meaning,
                row->explanation);
        put_example(out, "With it", row->bad);
        put_example(out, "Without it", row->good);
    }
}
