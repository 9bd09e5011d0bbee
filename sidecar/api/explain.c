/* explain.c - what whoever asks, or another, may do by the rules that are in force. */
#include "sidecar/api/api_inside.h"
#include "sidecar/authz/verdict.h"

#define AS_BYTES_MAX 512

static const Saga__V1__Extent extents[] = {[VERDICT_DENIED] = SAGA__V1__EXTENT__EXTENT_DENIED,
                                           [VERDICT_SOME] = SAGA__V1__EXTENT__EXTENT_SOME,
                                           [VERDICT_TAGS] = SAGA__V1__EXTENT__EXTENT_TAGS,
                                           [VERDICT_OWN] = SAGA__V1__EXTENT__EXTENT_OWN,
                                           [VERDICT_ALLOWED] = SAGA__V1__EXTENT__EXTENT_ALLOWED};

static Saga__V1__Verdict *make_verdict(struct arena *a, const struct authz *z, const struct verdict_question *q)
{
    Saga__V1__Verdict *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__verdict__init(m);
    m->method = (char *)(uintptr_t)authz_method_name(q->method);
    m->payloads = q->payloads;
    m->extent = extents[verdict_of(z, q)];
    if (!z->given || z->count == 0)
        return m;
    m->rules = arena_take(a, z->count * sizeof *m->rules);
    if (m->rules == NULL)
        return NULL;
    for (size_t i = 0; i < z->count; i++)
        if (verdict_by(z, i, q))
            m->rules[m->n_rules++] = (uint32_t)i;
    return m;
}

/* Whom it is about, with the words for it. */
static int read_caller(struct api *api, struct rpc_call *call, const char *as, struct caller *c, char **identity,
                       struct arena *a, struct error_detail *detail)
{
    char text[IDENTITY_TEXT_SIZE];
    if (as[0] == '\0') {
        const struct rpc_peer *peer = rpc_call_peer(call);
        if (!permit_caller(peer, c))
            return error_set(detail, E_ARGUMENT, "as", "the sidecar itself needs no rules: name somebody");
        *identity = arena_text(a, permit_identity(peer, text));
        return *identity != NULL ? 0 : error_set(detail, E_MEMORY, "", NULL);
    }
    if (strlen(as) > AS_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "as", "at most 512 bytes");
    const char *wrong = verdict_read_caller(as, c);
    *identity = (char *)(uintptr_t)as;
    return wrong != NULL ? error_set(detail, E_ARGUMENT, "as", wrong) : permit_others(api, call, detail);
}

int explain_read(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ExplainRequest *m = message;
    Saga__V1__ExplainResponse response = SAGA__V1__EXPLAIN_RESPONSE__INIT;
    struct verdict_question q = {.definition = m->definition[0] == '\0' ? NULL : m->definition};
    const struct authz *z = api->options.authz;
    int only = m->method[0] == '\0' ? -1 : authz_method(bytes_of_text(m->method));
    int code = read_caller(api, read->request.call, m->as, &q.caller, &response.identity, read->arena, detail);
    if (code != 0)
        return code;
    if (m->method[0] != '\0' && only < 0)
        return error_set(detail, E_ARGUMENT, "method", "there is no method of this name; as in Start, Get, Retry");
    response.has_rules = z->given;
    response.verdicts = arena_take(read->arena, (METHOD_COUNT + 1) * sizeof(*response.verdicts));
    if (response.verdicts == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (q.method = 0; q.method < METHOD_COUNT; q.method++)
        for (unsigned payloads = 0; payloads <= (q.method == METHOD_GET) && (only < 0 || q.method == (unsigned)only);
             payloads++) {
            q.payloads = payloads != 0;
            if ((response.verdicts[response.n_verdicts++] = make_verdict(read->arena, z, &q)) == NULL)
                return error_set(detail, E_MEMORY, "", NULL);
        }
    api_answer(api, read->request.call, &response.base);
    return 0;
}
