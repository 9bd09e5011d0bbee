/* cmd_lint.c - lint: definitions judged without a sidecar. */
#include "client-lib/sagactl/config_file.h"
#include "client-lib/sagactl/findings.h"
#include "client-lib/sagactl/heap.h"
#include "client-lib/sagactl/schema_files.h"
#include "client-lib/sagactl/times.h"
#include "sidecar/policy/policy.h"

#include <stdlib.h>
#include <string.h>

static int explain(struct run *r)
{
    int rule = lint_rule_find(r->o.explain);
    if (rule < 0)
        return run_say(r, EXIT_USAGE, "there is no rule \"%.100s\"; docs/lint.md and --explain all list them",
                       r->o.explain);
    const struct lint_row *row = &lint_rows[rule];
    fprintf(r->screen.out, "%s (%s): %s\n\n", row->id, lint_severity_name(row->severity), row->meaning);
    screen_wrap(&r->screen, PAINT_NONE, row->explanation, 0, 0);
    fprintf(r->screen.out, "\nWith it:\n\n%s\nWithout it:\n\n%s", row->bad, row->good);
    return EXIT_DONE;
}

static int explain_all(struct run *r)
{
    for (int i = 0; i < LINT_RULE_COUNT; i++)
        fprintf(r->screen.out, "%-24s %-8s %s\n", lint_rows[i].id, lint_severity_name(lint_rows[i].severity),
                lint_rows[i].meaning);
    return EXIT_DONE;
}

/* ---- the policy ---- */

struct policing {
    struct findings *findings;
    const struct definition *d;
};

static void put_violation(void *self, const struct policy_finding *found)
{
    const struct policing *p = self;
    char field[STEP_PATH_SIZE] = "";
    if (found->step >= 0)
        definition_step_path(p->d, (unsigned)found->step, field);
    findings_put(p->findings, &(struct finding){.rule = found->rule,
                                                .severity = found->error ? LINT_ERROR : LINT_WARNING,
                                                .line = found->step >= 0 ? findings_line(p->d, found->step) : 1,
                                                .column = 1,
                                                .field = field,
                                                .text = found->text});
}

static int load_policy(struct run *r, struct policy **policy)
{
    struct error_detail detail;
    char *text;
    size_t size;
    *policy = NULL;
    if (r->o.policy == NULL)
        return EXIT_DONE;
    int status = run_read_file(r, r->o.policy, &text, &size);
    if (status != EXIT_DONE)
        return status;
    if (policy_read(bytes_of(text, size), &heap_memory, policy, &detail) != 0)
        status = run_say(r, EXIT_USAGE, "%.200s:%d:%d: %s%s%s", r->o.policy, detail.line, detail.column, detail.field,
                         detail.field[0] != '\0' ? ": " : "", detail.text);
    free(text);
    return status;
}

/* Without a configuration nobody knows its targets. */
static int police(struct run *r, struct policy *policy, const struct config_file *config, const struct definition *d,
                  struct findings *f)
{
    struct policy_view view = {.targets = config->participants, .now = times_now()};
    struct policing p = {.findings = f, .d = d};
    if (policy == NULL || d == NULL || policy_check(policy, d, &view, put_violation, &p) == 0)
        return EXIT_DONE;
    return run_say(r, EXIT_REFUSED, "there is no memory for the policy");
}

/* What all files are judged by. */
struct judging {
    struct config_file config;
    struct schema_files schemas;
    struct policy *policy;
};

static int lint_file(struct run *r, const char *path, struct findings *f, struct judging *j)
{
    static struct lint_report report;
    struct definition_limits limits = j->config.limits;
    struct definition *d = NULL;
    struct error_detail detail;
    char *text;
    size_t size;
    int status = run_read_file(r, path, &text, &size);
    if (status != EXIT_DONE)
        return status;
    limits.schemas = schema_files_find(&j->schemas);
    report.count = report.more = 0;
    int code = definition_read(bytes_of(text, size), &limits, &d, &detail);
    if (code != 0)
        lint_refused(&report, code, &detail);
    else if (lint_definition(d, &j->config.participants, &report) != 0)
        status = run_say(r, EXIT_REFUSED, "there is no memory for %.200s", path);
    if (status == EXIT_DONE) {
        findings_begin(f, path);
        findings_put_lint(f, &report);
        status = police(r, j->policy, &j->config, d, f);
        f->cut = status != EXIT_DONE;
        int ended = findings_end(f, d);
        status = status == EXIT_DONE ? ended : status;
        if (d != NULL && d->schema_name != NULL && r->o.schema == NULL)
            run_note(r, "%.200s: its messages were not looked at: --schema FILE names those of the schema %s", f->path,
                     d->schema_name);
    }
    definition_destroy(d);
    free(text);
    return status;
}

int command_lint(struct run *r)
{
    struct findings findings = {.run = r};
    struct judging j = {.policy = NULL};
    if (r->o.explain != NULL)
        return strcmp(r->o.explain, "all") == 0 ? explain_all(r) : explain(r);
    if (r->o.word_count == 0)
        return run_say(r, EXIT_USAGE, "needs FILE..., or --explain RULE");
    int status = config_file_load(r, &j.config);
    if (status == EXIT_DONE && r->o.schema != NULL)
        status = schema_files_load(r, &j.schemas, r->o.schema);
    if (status == EXIT_DONE)
        status = load_policy(r, &j.policy);
    for (unsigned i = 0; (status == EXIT_DONE || i > 0) && status != EXIT_USAGE && i < r->o.word_count; i++) {
        int this = lint_file(r, r->o.words[i], &findings, &j);
        status = status == EXIT_DONE ? this : status;
    }
    if (r->o.form == FORM_SARIF && findings.results != NULL && findings_sarif(&findings) != EXIT_DONE)
        status = EXIT_REFUSED;
    schema_files_finish(&j.schemas);
    policy_destroy(j.policy);
    config_file_finish(&j.config);
    return status;
}
