/* Rules: whom they name, what they allow, of which definitions. */
#include "sidecar/authz/authz.h"
#include "sidecar/authz/verdict.h"
#include "sidecar/base/texts.h"

#include <check.h>
#include <stdlib.h>

static struct caller unix_user(uint32_t uid, uint32_t gid)
{
    return (struct caller){.way = CALLER_UNIX, .has_user = true, .uid = uid, .gid = gid, .identity = "", .listener = 1};
}

static struct caller tls(const char *identity)
{
    return (struct caller){.way = CALLER_TLS, .identity = identity};
}

/* Whether a rule of this who names the caller. */
static bool named(const char *text, struct caller c)
{
    struct who who;
    ck_assert_msg(authz_read_who(text, &who) == NULL, "%s", text);
    struct authz_rule rule = {.who = &who, .who_count = 1, .rights = RIGHT_OPERATOR};
    struct authz z = {.rules = &rule, .count = 1};
    unsigned retry = (unsigned)authz_method(bytes_of_text("Retry"));
    bool is = authz_extent(&z, &c, retry) == AUTHZ_ALL;
    authz_prepare(&z, &rule);
    ck_assert_msg((authz_extent(&z, &c, retry) == AUTHZ_ALL) == is, "%s", text); /* the quick way is the same one */
    return is;
}

/* A rule may name several: each of them is let in, in whatever order they stand, and nobody else. */
START_TEST(authz__a_rule_of_several_is_for_each_of_them)
{
    static const char *const names[] = {"uid:7", "spiffe://a.org/x", "plaintext"};
    const struct caller callers[] = {{.way = CALLER_UNIX, .has_user = true, .identity = "", .uid = 7, .gid = 1},
                                     {.way = CALLER_TLS, .identity = "spiffe://a.org/x"},
                                     {.way = CALLER_PLAINTEXT, .identity = ""}};
    const struct caller others[] = {{.way = CALLER_UNIX, .has_user = true, .identity = "", .uid = 8, .gid = 7},
                                    {.way = CALLER_TLS, .identity = "spiffe://a.org/y"}};
    unsigned retry = (unsigned)authz_method(bytes_of_text("Retry"));
    for (size_t first = 0; first < 3; first++) {
        struct who who[3];
        for (size_t i = 0; i < 3; i++)
            ck_assert_ptr_null(authz_read_who(names[(first + i) % 3], &who[i]));
        struct authz_rule rule = {.who = who, .who_count = 3, .rights = RIGHT_OPERATOR};
        struct authz z = {.rules = &rule, .count = 1};
        authz_prepare(&z, &rule);
        for (size_t i = 0; i < 3; i++)
            ck_assert_int_eq(authz_extent(&z, &callers[i], retry), AUTHZ_ALL);
        for (size_t i = 0; i < 2; i++)
            ck_assert_int_eq(authz_extent(&z, &others[i], retry), AUTHZ_NOTHING);
    }
}
END_TEST

START_TEST(authz__names_a_caller_by_what_is_proven_of_it)
{
    struct caller plain = {.way = CALLER_PLAINTEXT, .identity = ""};
    struct caller unknown = {.way = CALLER_UNIX, .identity = ""};
    ck_assert(named("anyone", plain) && named("plaintext", plain) && !named("unix", plain) && !named("tls", plain));
    ck_assert(named("unix", unknown) && !named("uid:0", unknown) && !named("gid:0", unknown)); /* no user, no root */
    ck_assert(named("uid:7", unix_user(7, 8)) && !named("uid:8", unix_user(7, 8)) && named("gid:8", unix_user(7, 8)));
    ck_assert(named("spiffe://a.org/ns/shop/*", tls("spiffe://a.org/ns/shop/sa/cart")));
    ck_assert(!named("spiffe://a.org/ns/shop/*", tls("spiffe://a.org/ns/shopping/sa/cart")));
    ck_assert(!named("spiffe://a.org/ns/shop", tls("spiffe://a.org/ns/shop/sa/cart")));
    ck_assert(named("spiffe://a.org/ns/shop", tls("spiffe://a.org/ns/shop")));
    ck_assert(named("dns:cart.shop.svc", tls("cart.shop.svc")) && named("dns:*.shop.svc", tls("cart.shop.svc")));
    ck_assert(!named("dns:*.shop.svc", tls("shop.svc")) && !named("dns:*.shop.svc", tls("spiffe://a.org/x.shop.svc")));
    /* A domain's own are those behind its dot; what only ends in its letters, or begins with its name, is another's. */
    ck_assert(!named("dns:*.shop.svc", tls("workshop.svc")) && !named("dns:*.shop.svc", tls("cart.workshop.svc")));
    ck_assert(!named("dns:*.shop.svc", tls("cart.shop.svc.a.org")) && !named("dns:shop.svc", tls("shop.svc.a.org")));
    ck_assert(!named("dns:shop.svc", tls("workshop.svc")) && !named("dns:shop.svc", tls("cart.shop.svc")));
    ck_assert(!named("dns:*", tls("")) && !named("spiffe://*", tls("")) && named("tls", tls("")));
    static const char behind[] = "cart.shop.svc"; /* what stands before a name is none of it */
    ck_assert(!named("dns:*.shop.svc", tls(behind + strlen("cart.sho"))));
    /* What a caller says in plaintext is nothing. */
    plain.identity = "spiffe://a.org/ns/shop/sa/cart";
    ck_assert(!named("spiffe://*", plain));
}
END_TEST

/* The configuration gives each listener its number. */
START_TEST(authz__a_listener_names_who_came_in_there_alone)
{
    const struct who first = {.kind = WHO_LISTENER, .number = 0}, second = {.kind = WHO_LISTENER, .number = 1};
    const struct who *const whos[] = {&first, &second};
    for (unsigned listener = 0; listener < 2; listener++)
        for (unsigned i = 0; i < 2; i++) {
            const struct caller c = {.way = CALLER_PLAINTEXT, .identity = "", .listener = listener};
            const struct authz_rule rule = {.who = whos[i], .who_count = 1, .rights = RIGHT_OPERATOR};
            const struct authz z = {.rules = &rule, .count = 1};
            ck_assert_int_eq(authz_extent(&z, &c, (unsigned)authz_method(bytes_of_text("Retry"))),
                             i == listener ? AUTHZ_ALL : AUTHZ_NOTHING);
        }
}
END_TEST

START_TEST(authz__refuses_a_who_that_is_none)
{
    static const char *const bad[] = {
        "",       "root", "uid:",    "uid:-1",  "uid:1x",         "uid:4294967295", "uid:99999999999",
        "gid: 1", "dns:", "dns:a*b", "dns:a.*", "spiffe://a/*/b", "Anyone"};
    struct who who;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(authz_read_who(bad[i], &who) != NULL, "%s", bad[i]);
    ck_assert_ptr_null(authz_read_who("listener:unix:/run/s", &who));
    ck_assert_int_eq(who.kind, WHO_LISTENER);
    ck_assert_str_eq(who.text, "unix:/run/s");
}
END_TEST

static bool allows(const struct authz *z, const struct caller *c, unsigned method, bool payloads,
                   struct bytes definition, bool own)
{
    return authz_allows(z, c, method, payloads, &(struct authz_about){.definition = definition, .own = own});
}

static const struct who everybody[] = {{.kind = WHO_ANYONE}};

START_TEST(authz__rules_of_one_caller_add_up)
{
    static const char *const orders[] = {"order*", "refund"};
    const struct authz_rule rules[] = {
        {.who = everybody, .who_count = 1, .rights = RIGHT_VIEWER},
        {.who = everybody,
         .who_count = 1,
         .rights = RIGHT_SERVICE | RIGHT_PAYLOADS,
         .definitions = orders,
         .definition_count = 2},
    };
    const struct authz z = {.rules = rules, .count = 2};
    const struct caller c = tls("x");
    unsigned get = (unsigned)authz_method(bytes_of_text("Get")), start = (unsigned)authz_method(bytes_of_text("Start")),
             retry = (unsigned)authz_method(bytes_of_text("Retry"));
    ck_assert_int_eq(authz_extent(&z, &c, get), AUTHZ_ALL);
    ck_assert_int_eq(authz_payloads(&z, &c, get), AUTHZ_SOME);
    ck_assert_int_eq(authz_extent(&z, &c, start), AUTHZ_SOME);
    ck_assert_int_eq(authz_extent(&z, &c, retry), AUTHZ_NOTHING);
    ck_assert(allows(&z, &c, start, false, bytes_of_text("order-express"), true));
    ck_assert(allows(&z, &c, start, false, bytes_of_text("order"), true));
    ck_assert(!allows(&z, &c, start, false, bytes_of_text("orde"), true));
    ck_assert(!allows(&z, &c, start, false, bytes_of_text("refunds"), true));
    ck_assert(!allows(&z, &c, get, true, bytes_of_text("other"), true));
    ck_assert(allows(&z, &c, get, true, bytes_of_text("refund"), true));
}
END_TEST

/* A service sees the sagas that it has begun; a rule that says all, a viewer and an operator see those of others, too. */
START_TEST(authz__a_service_sees_its_own_sagas)
{
    struct authz_rule rule = {.who = everybody, .who_count = 1, .rights = RIGHT_SERVICE};
    const struct authz z = {.rules = &rule, .count = 1};
    const struct caller c = tls("x");
    unsigned get = (unsigned)authz_method(bytes_of_text("Get")), start = (unsigned)authz_method(bytes_of_text("Start")),
             cancel = (unsigned)authz_method(bytes_of_text("Cancel")),
             status = (unsigned)authz_method(bytes_of_text("Status"));
    struct bytes order = bytes_of_text("order");
    ck_assert_int_eq(authz_extent(&z, &c, get), AUTHZ_SOME);
    ck_assert_int_eq(authz_extent(&z, &c, cancel), AUTHZ_SOME);
    ck_assert_int_eq(authz_extent(&z, &c, start), AUTHZ_ALL);
    ck_assert_int_eq(authz_extent(&z, &c, status), AUTHZ_ALL);
    ck_assert(allows(&z, &c, get, false, order, true) && !allows(&z, &c, get, false, order, false));
    ck_assert(allows(&z, &c, cancel, false, order, true) && !allows(&z, &c, cancel, false, order, false));
    ck_assert(allows(&z, &c, start, false, order, false));
    rule.all_sagas = true;
    ck_assert_int_eq(authz_extent(&z, &c, get), AUTHZ_ALL);
    ck_assert(allows(&z, &c, cancel, false, order, false));
    rule.all_sagas = false;
    rule.rights |= RIGHT_VIEWER;
    ck_assert(allows(&z, &c, get, false, order, false) && !allows(&z, &c, cancel, false, order, false));
    rule.rights = RIGHT_OPERATOR;
    ck_assert(allows(&z, &c, cancel, false, order, false));
}
END_TEST

#define TAGS(text) bytes_of(text, sizeof text - 1)

/* Rules about tags are about sagas that have all of them, and about definitions and types. */
START_TEST(authz__a_rule_about_tags_is_about_their_sagas)
{
    struct authz_rule rules[] = {
        {.who = everybody, .who_count = 1, .rights = RIGHT_OPERATOR, .tags = TAGS("tenant\0acme\0region\0eu\0")},
        {.who = everybody,
         .who_count = 1,
         .methods = UINT64_C(1) << authz_method(bytes_of_text("Wait")),
         .tags = TAGS("tenant\0other\0")}};
    struct authz z = {.rules = rules, .count = 2};
    authz_prepare(&z, rules);
    const struct caller c = tls("x");
    const struct {
        const char *method;
        struct bytes tags;
        bool allowed;
    } cases[] = {{"Get", TAGS("region\0eu\0order\0A\0tenant\0acme\0"), true},
                 {"Get", TAGS("tenant\0acme\0"), false},
                 {"Get", TAGS("tenant\0acme\0region\0us\0"), false},
                 {"Get", TAGS("tenant\0other\0"), false},
                 {"Wait", TAGS("tenant\0other\0"), true},
                 {"Wait", {NULL, 0}, false},
                 {"Retry", TAGS("tenant\0acme\0region\0eu\0"), true},
                 {"Retry", {NULL, 0}, false},
                 {"GetDefinition", {NULL, 0}, true},
                 {"Pipe", {NULL, 0}, true},
                 {"RegisterDefinition", {NULL, 0}, false},
                 {"Reload", {NULL, 0}, false},
                 {"StartBulk", {NULL, 0}, false},
                 {"ListAudit", {NULL, 0}, false},
                 {"ListJournals", {NULL, 0}, false},
                 {"ListRules", {NULL, 0}, false},
                 {"Status", {NULL, 0}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned method = (unsigned)authz_method(bytes_of_text(cases[i].method));
        const struct authz_about about = {.tags = cases[i].tags, .own = true};
        bool allowed = authz_allows(&z, &c, method, false, &about);
        ck_assert_msg(allowed == cases[i].allowed, "%zu: %s", i, cases[i].method);
        bool saga =
            cases[i].tags.size > 0 || strcmp(cases[i].method, "Wait") == 0 || strcmp(cases[i].method, "Retry") == 0;
        ck_assert_int_eq(authz_extent(&z, &c, method) != AUTHZ_NOTHING, saga || allowed);
    }
    ck_assert(authz_by_tags(&z, &c) && authz_by_tags(&z, NULL));
    ck_assert_int_eq(authz_extent(&z, &c, (unsigned)authz_method(bytes_of_text("Get"))), AUTHZ_SOME);
    ck_assert_uint_eq(
        authz_rule_tags(&z, 1, &c, (unsigned)authz_method(bytes_of_text("Start")), bytes_of(NULL, 0)).size, 0);
    /* Sets of tags: one of them is enough. */
    struct bytes sets = TAGS("tenant\0acme\0region\0eu\0\0\0tenant\0other\0\0\0");
    ck_assert(texts_have_any(TAGS("tenant\0other\0"), sets) &&
              texts_have_any(TAGS("region\0eu\0tenant\0acme\0"), sets));
    /* And all of it, whichever is lacking. */
    ck_assert(!texts_have_any(TAGS("tenant\0acme\0"), sets) && !texts_have_any(TAGS("region\0eu\0"), sets));
    ck_assert(!texts_have_any(TAGS("tenant\0other\0"), TAGS("tenant\0acme\0tenant\0other\0\0\0")));
    ck_assert(!texts_have_any(TAGS(""), sets) && !texts_have_any(sets, TAGS("")));
}
END_TEST

/* Whom tags limit is told by all rules that name it, wherever that with tags stands, and by no one else's. */
START_TEST(authz__tags_limit_whom_a_rule_with_tags_names)
{
    static const struct who first = {.kind = WHO_UID, .number = 7}, second = {.kind = WHO_UID, .number = 8};
    const struct authz_rule of_first = {.who = &first, .who_count = 1, .rights = RIGHT_VIEWER},
                            of_all = {.who = everybody, .who_count = 1, .rights = RIGHT_VIEWER},
                            tagged = {.who = &first,
                                      .who_count = 1,
                                      .rights = RIGHT_OPERATOR,
                                      .tags = TAGS("tenant\0acme\0")},
                            of_second = {.who = &second, .who_count = 1, .rights = RIGHT_SERVICE};
    struct authz_rule orders[][3] = {
        {of_first, of_all, tagged}, {tagged, of_first, of_second}, {of_all, tagged, of_second}};
    const struct caller named = unix_user(7, 1), other = unix_user(8, 1);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct authz z = {.rules = orders[i], .count = 3};
        authz_prepare(&z, orders[i]);
        ck_assert_msg(authz_by_tags(&z, &named), "%zu", i);
        ck_assert_msg(!authz_by_tags(&z, &other) && authz_by_tags(&z, NULL), "%zu", i);
    }
    struct authz_rule untagged[] = {of_first, of_all};
    struct authz z = {.rules = untagged, .count = 2};
    authz_prepare(&z, untagged);
    ck_assert(!authz_by_tags(&z, &named) && !authz_by_tags(&z, NULL));
}
END_TEST

/* By its number, not by the order of the roles. */
START_TEST(authz__a_single_method_brings_no_other)
{
    for (unsigned one = 0; authz_method_name(one) != NULL; one++) {
        const struct authz_rule rule = {.who = everybody, .who_count = 1, .methods = UINT64_C(1) << one};
        const struct authz z = {.rules = &rule, .count = 1};
        const struct caller c = tls("x");
        for (unsigned k = 0; authz_method_name(k) != NULL; k++)
            ck_assert_int_eq(authz_extent(&z, &c, k), k == one ? AUTHZ_ALL : AUTHZ_NOTHING);
        ck_assert_int_eq(authz_payloads(&z, &c, one), AUTHZ_NOTHING);
    }
}
END_TEST

START_TEST(authz__without_rules_operators_do_not_come_in_plaintext)
{
    struct authz z = authz_default(false), open = authz_default(true);
    const struct caller plain = {.way = CALLER_PLAINTEXT, .identity = ""}, user = unix_user(1, 1), secure = tls("");
    for (unsigned k = 0; authz_method_name(k) != NULL; k++) {
        bool operators = authz_method_role(k) == ROLE_OPERATOR;
        ck_assert_int_eq(authz_extent(&z, &user, k), AUTHZ_ALL);
        ck_assert_int_eq(authz_extent(&z, &secure, k), AUTHZ_ALL);
        ck_assert_int_eq(authz_extent(&z, &plain, k), operators ? AUTHZ_NOTHING : AUTHZ_ALL);
        ck_assert_int_eq(authz_extent(&open, &plain, k), AUTHZ_ALL);
    }
    const struct authz none = {.count = 0};
    ck_assert_int_eq(authz_extent(&none, &user, 0), AUTHZ_NOTHING);
}
END_TEST

/* ---- what they come to ---- */

/* One whom tags help is told so, and nobody whom somebody else's tags would help. */
START_TEST(authz__a_verdict_names_tags_where_they_are_what_it_takes)
{
    const struct who users[] = {{.kind = WHO_UID, .number = 7}, {.kind = WHO_UID, .number = 8}};
    const char *const shops[] = {"shop"}, *const orders[] = {"order"};
    struct bytes acme = bytes_of("tenant\0acme\0", 12);
    struct authz_rule rules[] = {
        {.who = &users[0], .who_count = 1, .rights = RIGHT_VIEWER, .definitions = shops, .definition_count = 1},
        {.who = &users[1], .who_count = 1, .rights = RIGHT_VIEWER, .definitions = orders, .definition_count = 1},
    };
    rules[1].tags = acme;
    struct authz z = {.rules = rules, .count = 2, .given = true};
    authz_prepare(&z, rules);
    struct verdict_question q = {
        .caller = unix_user(7, 7), .method = (unsigned)authz_method(bytes_of_text("Get")), .definition = "shop"};
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_ALLOWED);
    q.definition = "order";
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_DENIED); /* the tags are another's */
    q.caller = unix_user(8, 8);
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_TAGS);
    q.definition = "shop";
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_DENIED);
    q.definition = NULL;
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_SOME);
}
END_TEST

/* A caller as people write it down, to ask what it may do. */
START_TEST(authz__one_caller_is_read_in_the_words_of_rules)
{
    struct caller c;
    ck_assert_ptr_null(verdict_read_caller("uid:7", &c));
    ck_assert(c.way == CALLER_UNIX && c.has_user && c.uid == 7 && c.gid == UINT32_MAX && c.listener == UINT32_MAX);
    ck_assert_str_eq(c.identity, "");
    ck_assert_ptr_null(verdict_read_caller("gid:8", &c));
    ck_assert(c.way == CALLER_UNIX && c.has_user && c.gid == 8 && c.uid == UINT32_MAX);
    static const struct {
        const char *text;
        enum caller_way way;
        const char *identity;
    } cases[] = {{"unix", CALLER_UNIX, ""},
                 {"tls", CALLER_TLS, ""},
                 {"plaintext", CALLER_PLAINTEXT, ""},
                 {"spiffe://a.org/ns/shop", CALLER_TLS, "spiffe://a.org/ns/shop"},
                 {"dns:shop.example.org", CALLER_TLS, "shop.example.org"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_ptr_null(verdict_read_caller(cases[i].text, &c));
        ck_assert_msg(c.way == cases[i].way && !c.has_user && strcmp(c.identity, cases[i].identity) == 0, "%s: %s",
                      cases[i].text, c.identity);
        ck_assert(c.uid == UINT32_MAX && c.gid == UINT32_MAX && c.listener == UINT32_MAX);
    }
    ck_assert_str_eq(verdict_read_caller("spiffe://a.org/ns/*", &c), "stands for many; name one");
    ck_assert_str_eq(verdict_read_caller("anyone", &c),
                     "is not one caller: write uid:N, gid:N, plaintext, unix, tls, spiffe://... or dns:NAME");
    ck_assert_ptr_nonnull(verdict_read_caller("uid:x", &c));
    ck_assert_ptr_nonnull(verdict_read_caller("root", &c));
}
END_TEST

/* From nothing to everything, and which of the rules says so. */
START_TEST(authz__a_verdict_says_how_much)
{
    const struct who users[] = {{.kind = WHO_UID, .number = 7}, {.kind = WHO_UID, .number = 8}};
    const char *const shops[] = {"shop*"};
    struct authz_rule rules[] = {
        {.who = &users[0], .who_count = 1, .rights = RIGHT_SERVICE},
        {.who = &users[1], .who_count = 1, .rights = RIGHT_VIEWER, .definitions = shops, .definition_count = 1},
        {.who = &users[1], .who_count = 1, .rights = RIGHT_OPERATOR, .definitions = shops, .definition_count = 1},
    };
    struct authz z = {.rules = rules, .count = 3, .given = true};
    authz_prepare(&z, rules);
    struct verdict_question q = {.caller = unix_user(7, 7), .method = (unsigned)authz_method(bytes_of_text("Get"))};
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_OWN);
    ck_assert(verdict_by(&z, 0, &q) && !verdict_by(&z, 1, &q) && !verdict_by(&z, 2, &q));
    q.method = (unsigned)authz_method(bytes_of_text("Retry"));
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_DENIED);
    q.caller = unix_user(8, 8);
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_SOME);
    ck_assert(!verdict_by(&z, 0, &q) && !verdict_by(&z, 1, &q) && verdict_by(&z, 2, &q));
    q.definition = "shop-a";
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_ALLOWED);
    q.definition = "order";
    ck_assert_int_eq(verdict_of(&z, &q), VERDICT_DENIED);
    ck_assert(!verdict_by(&z, 2, &q));
    static const char *const words[] = {"denied", "allowed for some definitions", "allowed for sagas with some tags",
                                        "allowed for sagas that it has begun", "allowed"};
    for (unsigned v = VERDICT_DENIED; v <= VERDICT_ALLOWED; v++)
        ck_assert_str_eq(verdict_words((enum verdict)v), words[v - VERDICT_DENIED]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("authz");
    TCase *tc = tcase_create("authz");
    tcase_add_test(tc, authz__names_a_caller_by_what_is_proven_of_it);
    tcase_add_test(tc, authz__a_rule_of_several_is_for_each_of_them);
    tcase_add_test(tc, authz__a_verdict_names_tags_where_they_are_what_it_takes);
    tcase_add_test(tc, authz__one_caller_is_read_in_the_words_of_rules);
    tcase_add_test(tc, authz__a_verdict_says_how_much);
    tcase_add_test(tc, authz__a_listener_names_who_came_in_there_alone);
    tcase_add_test(tc, authz__refuses_a_who_that_is_none);
    tcase_add_test(tc, authz__rules_of_one_caller_add_up);
    tcase_add_test(tc, authz__a_service_sees_its_own_sagas);
    tcase_add_test(tc, authz__a_rule_about_tags_is_about_their_sagas);
    tcase_add_test(tc, authz__tags_limit_whom_a_rule_with_tags_names);
    tcase_add_test(tc, authz__a_single_method_brings_no_other);
    tcase_add_test(tc, authz__without_rules_operators_do_not_come_in_plaintext);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
