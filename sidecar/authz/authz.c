/* authz.c - rules and verdicts. */
#include "sidecar/authz/authz.h"

#include "sidecar/base/texts.h"

#include <stddef.h>

struct method_name {
    const char *name;
    enum method_role role;
    enum method_subject subject;
};

static const struct method_name methods[] = {
#define METHOD(id, service, name, kind, role, subject, ...) {name, role, subject},
#include "sidecar/api/methods.def"
#undef METHOD
};

#define METHODS (sizeof methods / sizeof methods[0])
_Static_assert(METHODS <= 64, "a rule has a bit for each method");

int authz_method(struct bytes name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (bytes_equal(name, bytes_of_text(methods[i].name)))
            return (int)i;
    return -1;
}

const char *authz_method_name(unsigned method)
{
    return method < METHODS ? methods[method].name : NULL;
}

enum method_role authz_method_role(unsigned method)
{
    return method < METHODS ? methods[method].role : (enum method_role)0;
}

static const struct {
    const char *name;
    unsigned right;
} rights[] = {
    {"viewer", RIGHT_VIEWER}, {"service", RIGHT_SERVICE}, {"operator", RIGHT_OPERATOR}, {"payloads", RIGHT_PAYLOADS}};

unsigned authz_right(struct bytes name)
{
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        if (bytes_equal(name, bytes_of_text(rights[i].name)))
            return rights[i].right;
    return 0;
}

/* ---- who ---- */

/* A whole number without a sign, and nothing behind it. */
static bool read_number(const char *text, uint32_t *out)
{
    uint64_t n = 0;
    if (*text == '\0')
        return false;
    for (; *text >= '0' && *text <= '9' && n <= UINT32_MAX; text++)
        n = n * 10 + (uint64_t)(*text - '0');
    *out = (uint32_t)n;
    return *text == '\0' && n < UINT32_MAX; /* the last one is nobody's */
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *read_user(enum who_kind kind, const char *number, struct who *who)
{
    who->kind = kind;
    return read_number(number, &who->number) ? NULL : "names no number of a user or group";
}

const char *authz_read_who(const char *text, struct who *who)
{
    static const struct {
        const char *name;
        enum who_kind kind;
        uint32_t number;
    } words[] = {{"anyone", WHO_ANYONE, 0},
                 {"unix", WHO_WAY, CALLER_UNIX},
                 {"plaintext", WHO_WAY, CALLER_PLAINTEXT},
                 {"tls", WHO_WAY, CALLER_TLS}};
    *who = (struct who){.text = text};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i].name) == 0) {
            who->kind = words[i].kind;
            who->number = words[i].number;
            return NULL;
        }
    if (begins(text, "uid:"))
        return read_user(WHO_UID, text + strlen("uid:"), who);
    if (begins(text, "gid:"))
        return read_user(WHO_GID, text + strlen("gid:"), who);
    who->kind = begins(text, "spiffe://") ? WHO_SPIFFE : begins(text, "dns:") ? WHO_DNS : WHO_LISTENER;
    if (who->kind == WHO_SPIFFE) {
        const char *star = strchr(text, '*');
        return star != NULL && star[1] != '\0' ? "has a * that is not at its end" : NULL;
    }
    if (who->kind == WHO_DNS) {
        who->text += strlen("dns:");
        const char *star = strrchr(who->text, '*');
        return who->text[0] == '\0'                ? "names nobody"
               : star != NULL && star != who->text ? "has a * that is not at its beginning"
                                                   : NULL;
    }
    if (!begins(text, "listener:"))
        return "is nobody: write anyone, unix, plaintext, tls, uid:N, gid:N, spiffe://..., dns:NAME or "
               "listener:ADDRESS";
    who->text += strlen("listener:");
    return NULL;
}

/* Whether text is the pattern, or begins as one that ends in *. */
static bool fits(const char *pattern, struct bytes text)
{
    size_t length = strlen(pattern);
    if (length > 0 && pattern[length - 1] == '*')
        return text.size >= length - 1 && memcmp(text.at, pattern, length - 1) == 0;
    return text.size == length && memcmp(text.at, pattern, length) == 0;
}

static bool ends(const char *pattern, struct bytes text)
{
    size_t length = strlen(pattern);
    if (pattern[0] != '*')
        return fits(pattern, text);
    return text.size >= length - 1 && memcmp(text.at + text.size - (length - 1), pattern + 1, length - 1) == 0;
}

static bool is(const struct who *who, const struct caller *c)
{
    switch (who->kind) {
    case WHO_ANYONE:
        return true;
    case WHO_WAY:
        return who->number == (uint32_t)c->way;
    case WHO_UID:
        return c->has_user && c->uid == who->number;
    case WHO_GID:
        return c->has_user && c->gid == who->number;
    case WHO_SPIFFE:
        return c->way == CALLER_TLS && c->identity[0] != '\0' && fits(who->text, bytes_of_text(c->identity));
    case WHO_DNS: /* an id with a scheme is no name of the DNS, whatever it ends in */
        return c->way == CALLER_TLS && c->identity[0] != '\0' && !begins(c->identity, "spiffe://") &&
               ends(who->text, bytes_of_text(c->identity));
    case WHO_LISTENER:
        return c->listener == who->number;
    }
    return false;
}

/* The ways by which nobody comes who is meant. */
static unsigned never_of(const struct who *who)
{
    const unsigned all = 1u << CALLER_UNIX | 1u << CALLER_PLAINTEXT | 1u << CALLER_TLS;
    switch (who->kind) {
    case WHO_WAY:
        return all & ~(1u << who->number);
    case WHO_UID:
    case WHO_GID:
        return all & ~(1u << CALLER_UNIX);
    case WHO_SPIFFE:
    case WHO_DNS:
        return all & ~(1u << CALLER_TLS);
    case WHO_ANYONE:
    case WHO_LISTENER:
        break;
    }
    return 0;
}

void authz_prepare(struct authz *z, struct authz_rule *rules)
{
    z->by_tags = false;
    for (size_t i = 0; i < z->count; i++) {
        rules[i].never = ~0u;
        for (size_t k = 0; k < rules[i].who_count; k++)
            rules[i].never &= never_of(&rules[i].who[k]);
        z->by_tags = z->by_tags || rules[i].tags.size > 0;
    }
}

/* Most rules are about others, and mostly the way alone tells. */
static inline bool never(const struct authz_rule *rule, const struct caller *c)
{
    return (rule->never >> c->way & 1) != 0;
}

static bool names(const struct authz_rule *rule, const struct caller *c)
{
    for (size_t i = 0; i < rule->who_count; i++)
        if (is(&rule->who[i], c))
            return true;
    return false;
}

/* ---- verdicts ---- */

/* Whether a method is about nothing that has tags, and changes nothing. */
static bool tagless(unsigned method)
{
    return methods[method].subject == SUBJECT_NOBODYS ||
           (methods[method].subject == SUBJECT_DEFINITIONS && methods[method].role == ROLE_VIEWER);
}

/* Whether a rule with these limits allows the method of anything. */
static bool reaches(const struct authz_rule *rule, unsigned method)
{
    enum method_subject subject = methods[method].subject;
    if (rule->tags.size > 0 && !tagless(method))
        return subject == SUBJECT_SAGAS || subject == SUBJECT_NEW_SAGA;
    return rule->definition_count == 0 || subject != SUBJECT_SIDECAR;
}

/* Whether the rule lets it do so, and whether that is about its own sagas alone. */
static bool permits(const struct authz_rule *rule, unsigned method, bool *own_alone)
{
    static const unsigned enough[] = {[ROLE_VIEWER] = RIGHT_VIEWER | RIGHT_OPERATOR,
                                      [ROLE_SERVICE] = RIGHT_OPERATOR,
                                      [ROLE_OPERATOR] = RIGHT_OPERATOR};
    enum method_role role = methods[method].role;
    *own_alone = false;
    if (!reaches(rule, method))
        return false;
    if ((rule->methods >> method & 1) != 0 || (rule->rights & enough[role]) != 0)
        return true;
    *own_alone = !rule->all_sagas && methods[method].subject == SUBJECT_SAGAS;
    return role != ROLE_OPERATOR && (rule->rights & RIGHT_SERVICE) != 0;
}

bool authz_by_tags(const struct authz *z, const struct caller *c)
{
    for (size_t i = 0; z->by_tags && i < z->count; i++)
        if (z->rules[i].tags.size > 0 && (c == NULL || names(&z->rules[i], c)))
            return true;
    return false;
}

static bool about_definition(const struct authz_rule *rule, struct bytes definition)
{
    bool about = rule->definition_count == 0;
    for (size_t k = 0; !about && k < rule->definition_count; k++)
        about = fits(rule->definitions[k], definition);
    return about;
}

struct bytes authz_rule_tags(const struct authz *z, size_t rule, const struct caller *c, unsigned method,
                             struct bytes definition)
{
    const struct authz_rule *r = &z->rules[rule];
    bool own_alone;
    bool so = r->tags.size > 0 && names(r, c) && about_definition(r, definition) && permits(r, method, &own_alone);
    return so ? r->tags : bytes_of(NULL, 0);
}

/* Whether its limits are none for this method. */
static bool is_whole(const struct authz_rule *rule, unsigned method)
{
    return methods[method].subject == SUBJECT_NOBODYS ||
           (rule->definition_count == 0 && (rule->tags.size == 0 || tagless(method)));
}

static enum authz_extent extent(const struct authz *z, const struct caller *c, unsigned method, unsigned also)
{
    enum authz_extent most = AUTHZ_NOTHING;
    for (size_t i = 0; i < z->count && most != AUTHZ_ALL; i++) {
        const struct authz_rule *rule = &z->rules[i];
        bool own_alone;
        if (never(rule, c))
            continue;
        /* Whom it names is asked first: most rules name others. */
        if ((rule->rights & also) == also && names(rule, c) && permits(rule, method, &own_alone))
            most = is_whole(rule, method) && !own_alone ? AUTHZ_ALL : AUTHZ_SOME;
    }
    return most;
}

enum authz_extent authz_extent(const struct authz *z, const struct caller *c, unsigned method)
{
    return extent(z, c, method, 0);
}

enum authz_extent authz_payloads(const struct authz *z, const struct caller *c, unsigned method)
{
    return extent(z, c, method, RIGHT_PAYLOADS);
}

bool authz_allows(const struct authz *z, const struct caller *c, unsigned method, bool payloads,
                  const struct authz_about *about)
{
    unsigned also = payloads ? RIGHT_PAYLOADS : 0;
    for (size_t i = 0; i < z->count; i++) {
        const struct authz_rule *rule = &z->rules[i];
        bool own_alone;
        if (never(rule, c) || (rule->rights & also) != also || !names(rule, c) || !permits(rule, method, &own_alone) ||
            (own_alone && !about->own))
            continue;
        if (is_whole(rule, method) ||
            (about_definition(rule, about->definition) &&
             (rule->tags.size == 0 || tagless(method) || texts_have_all(about->tags, rule->tags))))
            return true;
    }
    return false;
}

bool authz_somewhere(const struct authz *z, const struct caller *c, unsigned method, struct bytes definition)
{
    for (size_t i = 0; i < z->count; i++) {
        const struct authz_rule *rule = &z->rules[i];
        bool own_alone;
        if (!never(rule, c) && names(rule, c) && permits(rule, method, &own_alone) &&
            (definition.size == 0 || about_definition(rule, definition)))
            return true;
    }
    return false;
}

struct authz authz_default(bool plaintext_operators)
{
    static const struct who unix_or_tls[] = {{WHO_WAY, CALLER_UNIX, NULL}, {WHO_WAY, CALLER_TLS, NULL}};
    static const struct who anyone[] = {{WHO_ANYONE, 0, NULL}};
    static const struct authz_rule rules[] = {
        {.who = unix_or_tls, .who_count = 2, .rights = RIGHT_OPERATOR | RIGHT_PAYLOADS},
        {.who = anyone, .who_count = 1, .rights = RIGHT_SERVICE | RIGHT_PAYLOADS, .all_sagas = true},
        {.who = anyone, .who_count = 1, .rights = RIGHT_OPERATOR},
    };
    return (struct authz){.rules = rules, .count = plaintext_operators ? 3 : 2};
}
