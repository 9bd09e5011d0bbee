/* Who may do what, reckoned twice: by the room, and by the rules as docs/configuration.md puts them into words, one request at a time; over thousands of
 * sets of rules, callers, methods, definitions and tags by chance. And what the texts of rules name, which is kept in tests/fixtures/authz/who.txt;
 * `build/release/tests/unit/test_authz_model write` writes that anew, for its difference to be read. */
#include "sidecar/authz/verdict.h"
#include "sidecar/base/texts.h"
#include "tests/support/kept_text.h"

#include <string.h>

static const char path[] = "tests/fixtures/authz/who.txt";

#define WORLDS      3000
#define RULES_MAX   4
#define COUNT(list) (sizeof(list) / sizeof *(list))

static const enum method_subject subjects[] = {
#define METHOD(id, service, name, kind, role, subject, ...) subject,
#include "sidecar/api/methods.def"
#undef METHOD
};
#define METHODS COUNT(subjects)

static uint64_t chance = 7;

static unsigned pick(size_t count)
{
    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)((chance >> 33) % count);
}

/* ---- rules and callers by chance ---- */

static const char *const identities[] = {
    "", "spiffe://a/shop", "spiffe://a/shop/x", "spiffe://b/shop", "shop.example", "example"};
static const char *const named[] = {"spiffe://a/shop", "spiffe://a/*", "spiffe://*", "spiffe://b/shop/x",
                                    "shop.example",    "*.example",    "*",          "example"};
static const char *const patterns[] = {"order", "order*", "other", "*", "orders"};
static const char *const definitions[] = {"order", "orders", "other", "trip"};
static const struct bytes tag_sets[] = {
    {(const uint8_t *)"", 0},
    {(const uint8_t *)"tenant\0acme\0", 12},
    {(const uint8_t *)"tenant\0zeta\0", 12},
    {(const uint8_t *)"tenant\0acme\0of\0sku\0", 19},
};

struct rule_room {
    struct who who[3];
    const char *definitions[2];
};

static void make_rule(struct authz_rule *rule, struct rule_room *room)
{
    *rule = (struct authz_rule){.who = room->who, .who_count = 1 + pick(3), .definitions = room->definitions};
    for (size_t i = 0; i < rule->who_count; i++) {
        struct who *who = &room->who[i];
        *who = (struct who){.kind = (enum who_kind)(1 + pick(7)), .number = pick(3)};
        if (who->kind == WHO_WAY)
            who->number = 1 + pick(3);
        if (who->kind == WHO_SPIFFE || who->kind == WHO_DNS)
            who->text = named[pick(4) + (who->kind == WHO_DNS ? 4 : 0)];
    }
    if (pick(3) == 0)
        rule->methods = UINT64_C(1) << pick(METHODS) | UINT64_C(1) << pick(METHODS);
    rule->rights = pick(2) == 0 ? pick(16) : 0;
    rule->all_sagas = pick(2) == 0;
    rule->definition_count = pick(3) == 0 ? 1 + pick(2) : 0;
    for (size_t i = 0; i < rule->definition_count; i++)
        room->definitions[i] = patterns[pick(COUNT(patterns))];
    rule->tags = tag_sets[pick(3) == 0 ? pick(COUNT(tag_sets)) : 0];
}

static struct caller make_caller(void)
{
    struct caller c = {.way = (enum caller_way)(1 + pick(3)), .identity = "", .listener = pick(3)};
    if (c.way == CALLER_UNIX && pick(4) > 0) {
        c.has_user = true;
        c.uid = pick(3);
        c.gid = pick(3);
    }
    if (c.way == CALLER_TLS)
        c.identity = identities[pick(COUNT(identities))];
    return c;
}

/* ---- the second reckoning ---- */

static bool like(const char *pattern, const char *text)
{
    size_t size = strlen(pattern);
    if (strcmp(pattern, text) == 0)
        return true;
    if (size > 0 && pattern[size - 1] == '*' && strncmp(text, pattern, size - 1) == 0)
        return true;
    return false;
}

static bool means(const struct who *who, const struct caller *c)
{
    bool id = strncmp(c->identity, "spiffe://", 9) == 0;
    switch (who->kind) {
    case WHO_ANYONE:
        return true;
    case WHO_WAY:
        return (uint32_t)c->way == who->number;
    case WHO_UID:
        return c->has_user && who->number == c->uid;
    case WHO_GID:
        return c->has_user && who->number == c->gid;
    case WHO_SPIFFE:
        return id && like(who->text, c->identity);
    case WHO_DNS:
        if (c->way != CALLER_TLS || id || c->identity[0] == '\0')
            return false;
        if (who->text[0] == '*') {
            size_t rest = strlen(who->text + 1), all = strlen(c->identity);
            return all >= rest && strcmp(c->identity + all - rest, who->text + 1) == 0;
        }
        return strcmp(who->text, c->identity) == 0;
    case WHO_LISTENER:
        return who->number == c->listener;
    }
    return false;
}

static bool means_any(const struct authz_rule *rule, const struct caller *c)
{
    bool any = false;
    for (size_t i = 0; i < rule->who_count; i++)
        any |= means(&rule->who[i], c);
    return any;
}

/* Whether the rule gives the method at all; *own: of sagas alone that the caller has begun. */
static bool gives(const struct authz_rule *rule, unsigned method, bool *own)
{
    enum method_role role = authz_method_role(method);
    bool looks = role == ROLE_VIEWER, serves = role != ROLE_OPERATOR;
    *own = false;
    if (subjects[method] == SUBJECT_SIDECAR && (rule->definition_count > 0 || rule->tags.size > 0))
        return false;
    if (rule->tags.size > 0 && subjects[method] == SUBJECT_DEFINITIONS && !looks)
        return false;
    if ((rule->methods >> method & 1) == 1 || (rule->rights & RIGHT_OPERATOR) != 0)
        return true;
    if (looks && (rule->rights & RIGHT_VIEWER) != 0)
        return true;
    *own = subjects[method] == SUBJECT_SAGAS && !rule->all_sagas;
    return serves && (rule->rights & RIGHT_SERVICE) != 0;
}

/* Whether what the method is about is limited by the rule's definitions, and by its tags. */
static bool limits(const struct authz_rule *rule, unsigned method, bool *by_tags)
{
    *by_tags = rule->tags.size > 0 && (subjects[method] == SUBJECT_SAGAS || subjects[method] == SUBJECT_NEW_SAGA);
    return subjects[method] != SUBJECT_NOBODYS && rule->definition_count > 0;
}

static bool is_of(const struct authz_rule *rule, const char *definition)
{
    bool any = rule->definition_count == 0;
    for (size_t i = 0; i < rule->definition_count; i++)
        any |= like(rule->definitions[i], definition);
    return any;
}

static bool has_tags(struct bytes have, struct bytes wanted)
{
    const char *rest = (const char *)wanted.at, *end = rest + wanted.size;
    while (rest < end) {
        const char *name = rest, *value = name + strlen(name) + 1;
        if (!texts_have(have, bytes_of_text(name), bytes_of_text(value)))
            return false;
        rest = value + strlen(value) + 1;
    }
    return true;
}

static bool rule_allows(const struct authz_rule *rule, const struct caller *c, unsigned method, bool payloads,
                        const char *definition, struct bytes tags, bool own)
{
    bool own_alone, by_tags;
    if (!means_any(rule, c) || !gives(rule, method, &own_alone))
        return false;
    if ((payloads && (rule->rights & RIGHT_PAYLOADS) == 0) || (own_alone && !own))
        return false;
    bool by_definition = limits(rule, method, &by_tags);
    return (!by_definition || is_of(rule, definition)) && (!by_tags || has_tags(tags, rule->tags));
}

static enum authz_extent rule_extent(const struct authz_rule *rule, const struct caller *c, unsigned method,
                                     bool payloads)
{
    bool own_alone, by_tags;
    if (!means_any(rule, c) || !gives(rule, method, &own_alone) || (payloads && (rule->rights & RIGHT_PAYLOADS) == 0))
        return AUTHZ_NOTHING;
    bool by_definition = limits(rule, method, &by_tags);
    return by_definition || by_tags || own_alone ? AUTHZ_SOME : AUTHZ_ALL;
}

/* ---- both of them ---- */

static enum verdict verdict(const struct authz *z, const struct verdict_question *q, enum authz_extent most)
{
    bool others = false, own = false, tagged = false;
    const char *definition = q->definition == NULL ? "" : q->definition;
    for (size_t i = 0; i < z->count; i++) {
        const struct authz_rule *r = &z->rules[i];
        others |= rule_allows(r, &q->caller, q->method, q->payloads, definition, tag_sets[0], false);
        own |= rule_allows(r, &q->caller, q->method, q->payloads, definition, tag_sets[0], true);
        for (size_t k = 0; k < z->count; k++)
            tagged |= z->rules[k].tags.size > 0 &&
                      rule_allows(r, &q->caller, q->method, q->payloads, definition, z->rules[k].tags, true);
    }
    if (most != AUTHZ_SOME)
        return most == AUTHZ_ALL ? VERDICT_ALLOWED : VERDICT_DENIED;
    if (others)
        return q->definition == NULL ? VERDICT_SOME : VERDICT_ALLOWED;
    if (own || tagged)
        return own ? VERDICT_OWN : VERDICT_TAGS;
    return q->definition == NULL ? VERDICT_SOME : VERDICT_DENIED;
}

/* A check of its own is told to the runner each time, which takes longer than all the rest. */
static void agree(size_t one, size_t other)
{
    if (one != other)
        ck_abort_msg("%zu and %zu", one, other);
}

static void compare_about(const struct authz *z, const struct caller *c, unsigned method, bool payloads)
{
    const char *definition = pick(4) == 0 ? "" : definitions[pick(COUNT(definitions))];
    const struct authz_about about = {
        .definition = bytes_of_text(definition), .tags = tag_sets[pick(COUNT(tag_sets))], .own = pick(2) == 0};
    bool any = false, somewhere = false, by_tags = false;
    for (size_t i = 0; i < z->count; i++) {
        const struct authz_rule *r = &z->rules[i];
        bool own, given = means_any(r, c) && gives(r, method, &own);
        any |= rule_allows(r, c, method, payloads, definition, about.tags, about.own);
        somewhere |= given && (definition[0] == '\0' || is_of(r, definition));
        by_tags |= means_any(r, c) && r->tags.size > 0;
        struct bytes set = authz_rule_tags(z, i, c, method, about.definition);
        agree(set.size, given && is_of(r, definition) ? r->tags.size : 0);
    }
    agree(authz_allows(z, c, method, payloads, &about), any);
    agree(authz_somewhere(z, c, method, about.definition), somewhere);
    agree(authz_by_tags(z, c), by_tags);
}

static void compare(const struct authz *z, const struct caller *c)
{
    bool payloads = pick(2) == 0;
    for (unsigned method = 0; method < METHODS; method++) {
        enum authz_extent most = AUTHZ_NOTHING;
        for (size_t i = 0; i < z->count; i++) {
            enum authz_extent one = rule_extent(&z->rules[i], c, method, payloads);
            most = one > most ? one : most;
        }
        agree(payloads ? authz_payloads(z, c, method) : authz_extent(z, c, method), most);
        compare_about(z, c, method, payloads);
        struct verdict_question q = {.caller = *c, .method = method, .payloads = payloads};
        q.definition = pick(2) == 0 ? NULL : definitions[pick(COUNT(definitions))];
        agree(verdict_of(z, &q), verdict(z, &q, most));
        for (size_t i = 0; i < z->count; i++) {
            const struct authz_rule *r = &z->rules[i];
            bool by = rule_extent(r, c, method, payloads) != AUTHZ_NOTHING &&
                      (q.definition == NULL || rule_allows(r, c, method, payloads, q.definition, r->tags, true));
            agree(verdict_by(z, i, &q), by);
        }
    }
}

static void run(void)
{
    struct authz_rule rules[RULES_MAX];
    struct rule_room rooms[RULES_MAX];
    for (unsigned world = 0; world < WORLDS; world++) {
        struct authz z = {.rules = rules, .count = pick(RULES_MAX + 1), .given = true};
        bool by_tags = false;
        for (size_t i = 0; i < z.count; i++) {
            make_rule(&rules[i], &rooms[i]);
            by_tags |= rules[i].tags.size > 0;
        }
        authz_prepare(&z, rules);
        ck_assert_int_eq(authz_by_tags(&z, NULL), by_tags);
        struct caller c = make_caller();
        if (world % 50 == 0)
            z = authz_default(world % 100 == 0);
        compare(&z, &c);
    }
}

/* ---- texts ---- */

static void put_all(FILE *out)
{
    static const char *const texts[] = {
        "anyone",
        "unix",
        "plaintext",
        "tls",
        "tls ",
        "Unix",
        "",
        "uid:0",
        "uid:1000",
        "uid:4294967294",
        "uid:4294967295",
        "uid:4294967296",
        "uid:99999999999999999999",
        "uid:",
        "uid:-1",
        "uid:1x",
        "uid:01",
        "gid:7",
        "gid:",
        "gid: 7",
        "spiffe://a",
        "spiffe://a/*",
        "spiffe://*",
        "spiffe://a*b",
        "spiffe://*/*",
        "spiffe:/a",
        "spiffe://",
        "dns:a.b",
        "dns:*.b",
        "dns:*",
        "dns:a*",
        "dns:a*b",
        "dns:**",
        "dns:",
        "dns:spiffe://a",
        "listener:unix:/run/x",
        "listener:",
        "listen:x",
    };
    static const char *const rights[] = {"viewer", "service", "operator", "payloads", "view", "", "operators"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct who who;
        struct caller c;
        const char *wrong = authz_read_who(texts[i], &who);
        fprintf(out, "%s: ", texts[i]);
        if (wrong != NULL)
            fprintf(out, "%s", wrong);
        else
            fprintf(out, "kind %d number %u text %s", who.kind, who.number, who.text);
        wrong = verdict_read_caller(texts[i], &c);
        if (wrong != NULL)
            fprintf(out, "; %s\n", wrong);
        else
            fprintf(out, "; way %d user %d uid %u gid %u identity %s listener %u\n", c.way, c.has_user, c.uid, c.gid,
                    c.identity, c.listener);
    }
    for (size_t i = 0; i < COUNT(rights); i++)
        fprintf(out, "right %s: %u\n", rights[i], authz_right(bytes_of_text(rights[i])));
    for (unsigned i = 0; i <= METHODS; i++) {
        const char *name = authz_method_name(i);
        fprintf(out, "method %u: %s %d %d\n", i, name == NULL ? "-" : name, authz_method_role(i),
                authz_method(bytes_of_text(name)));
    }
    for (int i = 0; i <= VERDICT_ALLOWED + 1; i++)
        fprintf(out, "verdict %d: %s\n", i, verdict_words((enum verdict)i));
}

START_TEST(authz__two_reckonings_agree)
{
    kept_text_compare(path, put_all);
    run();
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "authz_model", authz__two_reckonings_agree);
}
