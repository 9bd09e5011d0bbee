/* findings.h - what was found in files, as text, as JSON, and as SARIF 2.1.0 for those who show it beside the code. */
#ifndef SAGACTL_FINDINGS_H
#define SAGACTL_FINDINGS_H

#include "client-lib/sagactl/run.h"
#include "sidecar/lint/lint.h"

#include <jansson.h>

/* One finding; all borrowed. */
struct finding {
    const char *rule;
    enum lint_severity severity;
    int line, column; /* 0: of the whole file */
    const char *field, *text;
    const char *trace; /* what leads there, lines; or NULL */
};

/* Of one file. */
struct findings {
    struct run *run;
    const char *path; /* as shown */
    unsigned counts[LINT_ERROR + 1];
    bool cut;        /* something could not be looked at: it is not called good */
    json_t *more;    /* with -o json: what else the document says (taken); or NULL */
    json_t *list;    /* with -o json: of this file */
    json_t *results; /* with -o sarif: of all files */
    json_t *rules;   /* with -o sarif: rules that are not in lint.def, as they were met */
};

/* "<stdin>" for "-". */
const char *findings_path(const char *path);

/* Begins a file. */
void findings_begin(struct findings *f, const char *path);
void findings_put(struct findings *f, const struct finding *finding);
void findings_put_lint(struct findings *f, const struct lint_report *report);

/* Ends the file: "checkout.yaml: checkout 1.0.0, 3 steps: good", or one JSON document. d is NULL when it could not be read. Returns EXIT_DONE, or
 * EXIT_REFUSED when there was an error. */
int findings_end(struct findings *f, const struct definition *d);

/* The line of the text at which a step is named; 0 when it is not found. */
int findings_line(const struct definition *d, int step);

/* The document of SARIF, after the last file. Returns EXIT_DONE or EXIT_REFUSED. */
int findings_sarif(struct findings *f);

#endif
