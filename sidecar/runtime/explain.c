/* explain.c - asks each rule alone, so that the one that allows something can be named. */
#include "sidecar/runtime/explain.h"

#include <stdlib.h>

/* The caller that a word like those of rules stands for. Returns NULL, or what is wrong. */
static const char *read_caller(const char *text, struct caller *c)
{
    struct who who;
    const char *wrong = authz_read_who(text, &who);
    if (wrong != NULL)
        return wrong;
    *c = (struct caller){
        .way = CALLER_UNIX, .identity = "", .uid = UINT32_MAX, .gid = UINT32_MAX, .listener = UINT32_MAX};
    switch (who.kind) {
    case WHO_UID:
    case WHO_GID:
        c->has_user = true;
        *(who.kind == WHO_UID ? &c->uid : &c->gid) = who.number;
        return NULL;
    case WHO_WAY:
        c->way = (enum caller_way)who.number;
        return NULL;
    case WHO_SPIFFE:
    case WHO_DNS:
        c->way = CALLER_TLS;
        c->identity = who.text;
        return strchr(who.text, '*') == NULL ? NULL : "stands for many; name one";
    case WHO_ANYONE:
    case WHO_LISTENER:
        break;
    }
    return "is not one caller: write uid:N, gid:N, plaintext, unix, tls, spiffe://... or dns:NAME";
}

static void print_rules(const struct authz *z, const struct caller *c, const struct explain *e, unsigned method,
                        bool payloads, FILE *out)
{
    const char *comma = " by";
    for (size_t i = 0; i < z->count; i++) {
        const struct authz one = {.rules = &z->rules[i], .count = 1};
        enum authz_extent extent = payloads ? authz_payloads(&one, c, method) : authz_extent(&one, c, method);
        if (extent == AUTHZ_NOTHING ||
            (e->definition != NULL && !authz_allows(&one, c, method, payloads, bytes_of_text(e->definition), true)))
            continue;
        fprintf(out, "%s authorization[%zu]", comma, i);
        comma = ",";
    }
}

/* Prints one line. Returns whether it is allowed. */
static bool print_verdict(const struct config *config, const struct caller *c, const struct explain *e, unsigned method,
                          bool payloads, FILE *out)
{
    static const char *const words[] = {
        [AUTHZ_NOTHING] = "denied", [AUTHZ_SOME] = "allowed for some definitions", [AUTHZ_ALL] = "allowed"};
    static const char own_alone[] = "allowed for sagas that it has begun";
    const struct authz *z = &config->authorization;
    enum authz_extent extent = payloads ? authz_payloads(z, c, method) : authz_extent(z, c, method);
    struct bytes about = bytes_of_text(e->definition != NULL ? e->definition : "");
    bool of_any = extent == AUTHZ_SOME && authz_allows(z, c, method, payloads, about, false);
    bool of_own = extent == AUTHZ_SOME && authz_allows(z, c, method, payloads, about, true);
    if (e->definition != NULL && extent == AUTHZ_SOME)
        extent = of_any ? AUTHZ_ALL : of_own ? AUTHZ_SOME : AUTHZ_NOTHING;
    fprintf(out, "%s%s: %s", authz_method_name(method), payloads ? " with payloads" : "",
            extent == AUTHZ_SOME && of_own && !of_any ? own_alone : words[extent]);
    if (extent != AUTHZ_NOTHING)
        print_rules(z, c, e, method, payloads, out);
    fputc('\n', out);
    return extent != AUTHZ_NOTHING;
}

int explain_print(const struct config *config, const struct explain *e, FILE *out, FILE *errors)
{
    struct caller c;
    const char *wrong = read_caller(e->as, &c);
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
    for (unsigned method = 0; authz_method_name(method) != NULL; method++)
        if (only < 0 || (unsigned)only == method) {
            allowed = print_verdict(config, &c, e, method, false, out);
            if (strcmp(authz_method_name(method), "Get") == 0)
                print_verdict(config, &c, e, method, true, out);
        }
    return only < 0 || allowed ? 0 : 1;
}
