/* lint.h - what can be known to be wrong, or is likely to be, with a definition before it runs. The rules are a table, lint.def.
 *
 * The reader of definitions finds errors that it cannot read past; the rest is judged here, of a definition that was read. Without I/O; memory for
 * the text's tree from the C library. */
#ifndef SAGA_LINT_LINT_H
#define SAGA_LINT_LINT_H

#include "sidecar/base/error.h"
#include "sidecar/definition/participants.h"

#include <stdio.h>

enum lint_severity { LINT_NOTE, LINT_WARNING, LINT_ERROR };

enum lint_rule {
#define RULE(constant, id, severity, meaning, explanation, bad, good) LINT_RULE_##constant,
#include "sidecar/lint/lint.def"
#undef RULE
    LINT_RULE_COUNT
};

struct lint_row {
    const char *id; /* stable: waivers, comments and other tools name it */
    enum lint_severity severity;
    const char *meaning;     /* one line without a full stop */
    const char *explanation; /* why, and what to do */
    const char *bad,
        *good; /* a definition that has it, and the same without; typed ones are of client-lib/examples/definitions/trades.proto */
};

extern const struct lint_row lint_rows[LINT_RULE_COUNT];

/* The rule of this name, or -1. */
int lint_rule_find(const char *id);

/* "error", "warning", "note". */
const char *lint_severity_name(enum lint_severity severity);

struct lint_finding {
    enum lint_rule rule;
    int line, column; /* from 1 */
    char field[sizeof((struct error_detail *)0)->field];
    char text[sizeof((struct error_detail *)0)->text]; /* what is wrong, and what to write instead */
};

/* When there are more, it is the milder ones that have no room: an error is lost to other errors alone. */
#define LINT_FINDINGS_MAX 100

struct lint_report {
    unsigned count;
    unsigned more; /* that had no room */
    struct lint_finding findings[LINT_FINDINGS_MAX];
};

/* Begins a report with what the reader refused. */
void lint_refused(struct lint_report *report, int code, const struct error_detail *detail);

/* Judges a definition that was read, with what is known of the participants; in order of lines. A comment `# lint: allow RULE reason`, in the finding's line or alone in the one before,
 * takes a warning or a note away. 0 or E_MEMORY. */
int lint_definition(const struct definition *d, const struct participants *participants, struct lint_report *report);

/* The first finding that is an error, or NULL. */
const struct lint_finding *lint_first_error(const struct lint_report *report);

/* The same of a definition that is to be registered, in short: 0; E_ARGUMENT for what is an error, with the rule's name behind the sentence; or
 * E_MEMORY. */
int lint_admit(const struct definition *d, struct error_detail *detail);

/* docs/lint.md, whole. */
void lint_docs(FILE *out);

#endif
