/* policing.c - the policy's file; what it and lint say of a definition that is to be registered. */
#include "sidecar/runtime/policing.h"

#include "sidecar/core/heap.h"
#include "sidecar/lint/lint.h"
#include "sidecar/runtime/files.h"

#include <stdio.h>
#include <stdlib.h>

int policing_open(const struct config *config, struct policy **out, struct error_detail *detail)
{
    struct bytes text;
    *out = NULL;
    if (config->policy_file[0] == '\0')
        return 0;
    int code = file_read(config->policy_file, POLICY_BYTES_MAX, &text, detail);
    if (code == E_SYSTEM) {
        snprintf(detail->field, sizeof detail->field, "policy_file");
        return code;
    }
    if (code == 0) {
        code = policy_read(text, &heap, out, detail);
        free((void *)(uintptr_t)text.at);
    }
    if (code != 0) {
        struct error_detail inner = *detail;
        char line[sizeof detail->text];
        config_describe_error(config->policy_file, code, &inner, line, sizeof line);
        error_set(detail, code, "", line);
    }
    return code;
}

int policing_admit(const struct config *config, struct policy *policy, const struct definition *d, struct instant now,
                   struct error_detail *detail)
{
    int code = lint_admit(d, detail);
    if (code != 0 || policy == NULL)
        return code;
    struct policy_view view = {.targets = config->participants, .now = now};
    return policy_admit(policy, d, &view, detail);
}

struct telling {
    const struct definition *d;
    void (*found)(void *list, const struct warning *warning);
    void *list;
};

static void pass_on(void *self, const struct policy_finding *finding)
{
    const struct telling *t = self;
    char field[STEP_PATH_SIZE] = "";
    if (finding->error)
        return;
    if (finding->step >= 0)
        definition_step_path(t->d, (unsigned)finding->step, field);
    t->found(t->list,
             &(struct warning){.rule = finding->rule, .is_warning = true, .field = field, .text = finding->text});
}

int policing_warn(const struct config *config, struct policy *policy, const struct definition *d, struct instant now,
                  void (*found)(void *list, const struct warning *warning), void *list)
{
    struct telling t = {.d = d, .found = found, .list = list};
    struct policy_view view = {.targets = config->participants, .now = now};
    struct lint_report report;
    report.count = report.more = 0;
    if (lint_definition(d, &config->participants, &report) != 0)
        return E_MEMORY;
    for (unsigned i = 0; i < report.count; i++) {
        const struct lint_finding *f = &report.findings[i];
        found(list, &(struct warning){.rule = lint_rows[f->rule].id,
                                      .is_warning = lint_rows[f->rule].severity == LINT_WARNING,
                                      .line = f->line,
                                      .column = f->column,
                                      .field = f->field,
                                      .text = f->text});
    }
    return policy == NULL ? 0 : policy_check(policy, d, &view, pass_on, &t);
}
