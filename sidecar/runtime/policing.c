/* policing.c - the policy's file, and the targets as its rules see them. */
#include "sidecar/runtime/policing.h"

#include "sidecar/core/heap.h"
#include "sidecar/lint/lint.h"
#include "sidecar/runtime/files.h"
#include "sidecar/runtime/trust.h"

#include <stdlib.h>

int policing_open(const struct config *config, struct policy **out, struct error_detail *detail)
{
    struct bytes text;
    *out = NULL;
    if (config->policy_file[0] == '\0')
        return 0;
    int code = file_read(config->policy_file, POLICY_BYTES_MAX, &text, detail);
    if (code == E_SYSTEM)
        return code;
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

/* The targets as rules see them; owned. NULL: no memory. */
static struct policy_target *view_targets(const struct config *config)
{
    struct policy_target *targets = calloc(config->target_count + 1, sizeof *targets);
    for (size_t i = 0; targets != NULL && i < config->target_count; i++) {
        const struct config_target *t = &config->targets[i];
        targets[i] = (struct policy_target){.name = t->name,
                                            .address = t->address,
                                            .tls = trust_of_target(t, NULL).security == TRANSPORT_TLS,
                                            .barrier = t->barrier,
                                            .timeout = t->timeout,
                                            .max_concurrent_calls = t->max_concurrent_calls};
    }
    return targets;
}

int policing_admit(const struct config *config, struct policy *policy, const struct definition *d, struct instant now,
                   struct error_detail *detail)
{
    int code = lint_admit(d, detail);
    if (code != 0 || policy == NULL)
        return code;
    struct policy_target *targets = view_targets(config);
    if (targets == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    struct policy_view view = {.targets = targets, .target_count = (unsigned)config->target_count, .now = now};
    code = policy_admit(policy, d, &view, detail);
    free(targets);
    return code;
}

struct warning {
    void (*found)(void *list, const char *rule, int step, const char *text);
    void *list;
};

static void pass_on(void *self, const struct policy_finding *finding)
{
    const struct warning *w = self;
    if (!finding->error)
        w->found(w->list, finding->rule, finding->step, finding->text);
}

void policing_warn(const struct config *config, struct policy *policy, const struct definition *d, struct instant now,
                   void (*found)(void *list, const char *rule, int step, const char *text), void *list)
{
    struct warning w = {.found = found, .list = list};
    struct policy_target *targets = policy == NULL ? NULL : view_targets(config);
    struct policy_view view = {.targets = targets, .target_count = (unsigned)config->target_count, .now = now};
    if (targets != NULL)
        (void)policy_check(policy, d, &view, pass_on, &w);
    free(targets);
}
