/* authz.h - who may do what: the rules of an operator, and the verdict on one caller and one method.
 *
 * Pure, and immutable once made. With rules, what none of them allows is denied; without any, authz_default stands in their place. A caller
 * may do what all rules that name it allow together. */
#ifndef SAGA_AUTHZ_AUTHZ_H
#define SAGA_AUTHZ_AUTHZ_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Whose method it is. */
enum method_role { ROLE_VIEWER = 1, ROLE_SERVICE, ROLE_OPERATOR };

/* What it is about, and so how rules about definitions, tags and one's own sagas limit it. */
enum method_subject {
    SUBJECT_SAGAS = 1,   /* sagas that are there: one, or many */
    SUBJECT_NEW_SAGA,    /* one that begins: which tags it will have, its start tells */
    SUBJECT_DEFINITIONS, /* what has no tags: who is limited by them only looks */
    SUBJECT_NOBODYS,     /* types, what one may oneself, a pipe: for whoever may at all, without limits */
    SUBJECT_SIDECAR,     /* the whole of it: for who is not limited */
};

/* How a caller has come, and what is proven of it. */
enum caller_way { CALLER_UNIX = 1, CALLER_PLAINTEXT, CALLER_TLS };
struct caller {
    enum caller_way way;
    bool has_user; /* UNIX */
    uint32_t uid, gid;
    const char *identity; /* TLS: the SPIFFE id, or else the name of the DNS; "" for none. Borrowed. */
    unsigned listener;    /* its place in the list of listeners */
};

enum who_kind { WHO_ANYONE = 1, WHO_WAY, WHO_UID, WHO_GID, WHO_SPIFFE, WHO_DNS, WHO_LISTENER };
struct who {
    enum who_kind kind;
    uint32_t number; /* of a WAY (enum caller_way), UID, GID or LISTENER */
    const char *
        text; /* SPIFFE, with a * at its end when it is the beginning of many; DNS, likewise with a * at its beginning */
};

/* What a rule allows beside single methods. */
enum right {
    RIGHT_VIEWER = 1, /* to look at sagas, definitions and schemas */
    RIGHT_SERVICE =
        2, /* to start sagas, to own those that it has begun and look at them, and to register definitions */
    RIGHT_OPERATOR = 4, /* that, and what a person does to a saga */
    RIGHT_PAYLOADS = 8, /* whoever may look at a saga may look at its payloads */
};

struct authz_rule {
    const struct who *who;
    size_t who_count;
    unsigned never;   /* 1 << a way by which nobody comes whom it names; 0: none is known (authz_prepare) */
    unsigned rights;  /* of enum right */
    uint64_t methods; /* 1 << its number in methods.def */
    bool all_sagas;   /* RIGHT_SERVICE is also about sagas that others have begun */
    /* Names of definitions and of enlisted sagas, with a * at the end of the beginning of many. Count 0: all. */
    const char *const *definitions;
    size_t definition_count;
    /* Packed as in base/texts.h: it is about sagas that have all of these tags, and about types and definitions to look at. Empty: whatever tags. */
    struct bytes tags;
};

struct authz {
    const struct authz_rule *rules;
    size_t count;
    bool given;   /* somebody wrote them; false: authz_default */
    bool by_tags; /* some are about tags */
};

/* Fills in what makes rules that are written quick to ask, once all of them are there. */
void authz_prepare(struct authz *z, struct authz_rule *rules);

/* What holds without rules: as many may do everything as could before there were rules, save that operators do not come over TCP in
 * plaintext, unless plaintext_operators. */
struct authz authz_default(bool plaintext_operators);

/* What the rules say about a caller and a method. */
enum authz_extent {
    AUTHZ_NOTHING, /* no rule allows it */
    AUTHZ_SOME,    /* for some definitions, or for sagas that it has begun: ask of the one that it is about */
    AUTHZ_ALL,     /* for all */
};
enum authz_extent authz_extent(const struct authz *z, const struct caller *c, unsigned method);
/* The same about payloads of what it may look at. */
enum authz_extent authz_payloads(const struct authz *z, const struct caller *c, unsigned method);

/* What a request is about. */
struct authz_about {
    struct bytes definition; /* empty: none in particular */
    struct bytes tags;       /* packed, of its saga; empty: it has none, or it is about none */
    bool own;                /* it is a saga that the caller has begun, or none */
};
/* Of that; with payloads, those of its saga too. */
bool authz_allows(const struct authz *z, const struct caller *c, unsigned method, bool payloads,
                  const struct authz_about *about);

/* Whether it is allowed for some saga of this definition, or for any definition's where that is empty. */
bool authz_somewhere(const struct authz *z, const struct caller *c, unsigned method, struct bytes definition);

/* Whether any rule that names the caller, or anybody (NULL), is about tags: then those of a saga need to be known. */
bool authz_by_tags(const struct authz *z, const struct caller *c);
/* The set of the rule's tags, when it allows this of such sagas alone; else empty. */
struct bytes authz_rule_tags(const struct authz *z, size_t rule, const struct caller *c, unsigned method,
                             struct bytes definition);

/* The number of a method by its name, as in "Retry"; -1: there is none. And of a number the name and the role; NULL, 0 beyond the last. */
int authz_method(struct bytes name);
const char *authz_method_name(unsigned method);
enum method_role authz_method_role(unsigned method);

/* Reads who a rule names, of whose texts it borrows. listener is left to whoever knows the addresses: *who is then of kind LISTENER, and its
 * text is the address. Returns NULL, or what is wrong, in words that follow the text. */
const char *authz_read_who(const char *text, struct who *who);

/* A right by its name; 0: there is none. */
unsigned authz_right(struct bytes name);

#endif
