/* fuzz_authz.c - a rule's words, a caller and a definition from anywhere: no rule names a caller of whom nothing is proven, one without a * names
 * one alone, and what is allowed stays so when rules are added. Lines of the input: who, identity, definitions, definition. */
#include "sidecar/authz/verdict.h"
#include "sidecar/base/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

static char *line(char **rest)
{
    char *from = *rest, *end = strchr(from, '\n');
    *rest = end == NULL ? from + strlen(from) : end + 1;
    if (end != NULL)
        *end = '\0';
    return from;
}

/* A saga's tags are those of the rule, or none. */
static bool allows(const struct authz *z, const struct caller *c, unsigned method, bool payloads,
                   struct bytes definition, bool own)
{
    const struct authz_about about = {.definition = definition, .own = own, .tags = z->rules[0].tags};
    const struct authz_about none = {.definition = definition, .own = own};
    bool so = authz_allows(z, c, method, payloads, &about);
    CHECK(so || !authz_allows(z, c, method, payloads, &none)); /* without tags no more is allowed than with them */
    return so;
}

static void judge(const struct authz *z, const struct caller *c, struct bytes definition, const struct who *who)
{
    for (unsigned method = 0; authz_method_name(method) != NULL; method++) {
        bool any = allows(z, c, method, false, definition, false), own = allows(z, c, method, false, definition, true);
        enum authz_extent extent = authz_extent(z, c, method);
        CHECK(!any || own);                         /* what is so of all sagas is so of its own */
        CHECK(!own || extent != AUTHZ_NOTHING);     /* and what is allowed of one definition, of some */
        CHECK(extent != AUTHZ_ALL || (any && own)); /* and of all, of each */
        CHECK(!allows(z, c, method, true, definition, true) || own); /* payloads are no way around */
        bool proven = who->kind == WHO_SPIFFE || who->kind == WHO_DNS;
        CHECK(!own || !proven || c->identity[0] != '\0');
        if (own && proven && strchr(who->text, '*') == NULL)
            CHECK(strcmp(who->text, c->identity) == 0);
        struct authz_rule more[] = {z->rules[0], z->rules[0]};
        more[1].definition_count = 0;
        CHECK(!any || allows(&(struct authz){.rules = more, .count = 2}, c, method, false, definition, false));
    }
}

/* What is told of the rules is what holds. */
static void explain(const struct authz *z, const char *as, const char *definition)
{
    struct verdict_question q = {.definition = definition};
    if (verdict_read_caller(as, &q.caller) != NULL)
        return;
    for (; authz_method_name(q.method) != NULL; q.method++) {
        bool any = allows(z, &q.caller, q.method, false, bytes_of_text(definition), false),
             own = allows(z, &q.caller, q.method, false, bytes_of_text(definition), true);
        enum verdict v = verdict_of(z, &q);
        CHECK(v == (any ? VERDICT_ALLOWED : own ? VERDICT_OWN : VERDICT_DENIED));
        CHECK((v != VERDICT_DENIED) == verdict_by(z, 0, &q)); /* of one rule */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static const unsigned rights[] = {RIGHT_VIEWER, RIGHT_SERVICE, RIGHT_SERVICE | RIGHT_PAYLOADS, RIGHT_OPERATOR};
    char *text = malloc(size + 1), *rest = text;
    CHECK(text != NULL);
    memcpy(text, at, size);
    text[size] = '\0';
    const char *who_text = line(&rest), *identity = line(&rest), *names = line(&rest), *definition = line(&rest);
    struct who who;
    if (authz_read_who(who_text, &who) == NULL) {
        CHECK(who.kind >= WHO_ANYONE && who.kind <= WHO_LISTENER);
        for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
            const struct authz_rule rule = {.who = &who,
                                            .who_count = 1,
                                            .rights = rights[i],
                                            .definitions = &names,
                                            .definition_count = names[0] != '\0'};
            const struct caller c = {.way = CALLER_TLS, .identity = identity};
            judge(&(struct authz){.rules = &rule, .count = 1}, &c, bytes_of_text(definition), &who);
            explain(&(struct authz){.rules = &rule, .count = 1, .given = true}, identity, definition);
            explain(&(struct authz){.rules = &rule, .count = 1, .given = true}, who_text, definition);
        }
    }
    free(text);
    return 0;
}
