/* verdict.c - asks each rule alone, so that the one that allows something can be named. */
#include "sidecar/authz/verdict.h"

#include <stddef.h>

const char *verdict_read_caller(const char *text, struct caller *c)
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

static enum authz_extent extent(const struct authz *z, const struct verdict_question *q)
{
    return q->payloads ? authz_payloads(z, &q->caller, q->method) : authz_extent(z, &q->caller, q->method);
}

static bool allows(const struct authz *z, const struct verdict_question *q, struct bytes tags, bool own)
{
    const struct authz_about about = {
        .definition = bytes_of_text(q->definition != NULL ? q->definition : ""), .tags = tags, .own = own};
    return authz_allows(z, &q->caller, q->method, q->payloads, &about);
}

enum verdict verdict_of(const struct authz *z, const struct verdict_question *q)
{
    struct bytes none = bytes_of(NULL, 0);
    enum authz_extent whole = extent(z, q);
    bool tagged = false;
    if (whole != AUTHZ_SOME)
        return whole == AUTHZ_ALL ? VERDICT_ALLOWED : VERDICT_DENIED;
    if (allows(z, q, none, false))
        return q->definition != NULL ? VERDICT_ALLOWED : VERDICT_SOME;
    if (allows(z, q, none, true))
        return VERDICT_OWN;
    /* Of sagas with the tags of one of the rules. */
    for (size_t i = 0; i < z->count && !tagged; i++)
        tagged = z->rules[i].tags.size > 0 && allows(z, q, z->rules[i].tags, true);
    return tagged ? VERDICT_TAGS : q->definition != NULL ? VERDICT_DENIED : VERDICT_SOME;
}

const char *verdict_words(enum verdict v)
{
    switch (v) {
    case VERDICT_DENIED:
        return "denied";
    case VERDICT_SOME:
        return "allowed for some definitions";
    case VERDICT_TAGS:
        return "allowed for sagas with some tags";
    case VERDICT_OWN:
        return "allowed for sagas that it has begun";
    case VERDICT_ALLOWED:
        return "allowed";
    }
    return "?";
}

bool verdict_by(const struct authz *z, size_t rule, const struct verdict_question *q)
{
    const struct authz one = {.rules = &z->rules[rule], .count = 1};
    return extent(&one, q) != AUTHZ_NOTHING && (q->definition == NULL || allows(&one, q, z->rules[rule].tags, true));
}
