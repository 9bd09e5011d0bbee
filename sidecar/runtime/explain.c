/* explain.c - a line for each method. */
#include "sidecar/runtime/explain.h"

#include "sidecar/authz/verdict.h"

static void print_rules(const struct authz *z, const struct verdict_question *q, FILE *out)
{
    const char *comma = " by";
    for (size_t i = 0; i < z->count; i++) {
        if (!verdict_by(z, i, q))
            continue;
        fprintf(out, "%s authorization[%zu]", comma, i);
        comma = ",";
    }
}

/* Prints one line. Returns whether it is allowed. */
static bool print_verdict(const struct authz *z, const struct verdict_question *q, FILE *out)
{
    enum verdict v = verdict_of(z, q);
    fprintf(out, "%s%s: %s", authz_method_name(q->method), q->payloads ? " with payloads" : "", verdict_words(v));
    if (v != VERDICT_DENIED && z->given)
        print_rules(z, q, out);
    else if (v != VERDICT_DENIED)
        fputs(", since there are no rules", out);
    fputc('\n', out);
    return v != VERDICT_DENIED;
}

int explain_print(const struct config *config, const struct explain *e, FILE *out, FILE *errors)
{
    struct verdict_question q = {.definition = e->definition};
    const char *wrong = verdict_read_caller(e->as, &q.caller);
    int only = e->method == NULL ? -1 : authz_method(bytes_of_text(e->method));
    if (wrong != NULL) {
        fprintf(errors, "sagad: --as %s: %s\n", e->as, wrong);
        return 2;
    }
    if (e->method != NULL && only < 0) {
        fprintf(errors, "sagad: --method %s: there is no method of this name; as in Start, Get, Retry\n", e->method);
        return 2;
    }
    bool allowed = true;
    for (; authz_method_name(q.method) != NULL; q.method++)
        if (only < 0 || (unsigned)only == q.method) {
            q.payloads = false;
            allowed = print_verdict(&config->authorization, &q, out);
            q.payloads = strcmp(authz_method_name(q.method), "Get") == 0;
            if (q.payloads)
                print_verdict(&config->authorization, &q, out);
        }
    return only < 0 || allowed ? 0 : 1;
}
