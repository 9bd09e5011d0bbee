/* verdict.h - what rules come to, for people: whether a caller may ask a method, of what, and which rules say so. Pure. */
#ifndef SAGA_AUTHZ_VERDICT_H
#define SAGA_AUTHZ_VERDICT_H

#include "sidecar/authz/authz.h"

enum verdict {
    VERDICT_DENIED = 1,
    VERDICT_SOME, /* of some definitions */
    VERDICT_TAGS, /* of sagas with some tags */
    VERDICT_OWN,  /* of sagas that it has begun */
    VERDICT_ALLOWED,
};

struct verdict_question {
    struct caller caller;
    unsigned method;
    bool payloads;
    const char *definition; /* NULL: of any */
};

/* One caller, in the words of rules: uid:N, gid:N, plaintext, unix, tls, spiffe://..., dns:NAME. Borrows text. Returns NULL, or what is wrong, in
 * words that follow the text. */
const char *verdict_read_caller(const char *text, struct caller *c);

enum verdict verdict_of(const struct authz *z, const struct verdict_question *q);
/* In words, as in "allowed for some definitions". */
const char *verdict_words(enum verdict v);
/* Whether this rule alone would allow it, to some extent. */
bool verdict_by(const struct authz *z, size_t rule, const struct verdict_question *q);

#endif
