/* The option authorization, and what bears on it. */
#include "sidecar/config/config.h"
#include "sidecar/config/config_same.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct config *read_text(const char *text)
{
    struct config *c = NULL;
    struct error_detail detail = {0};
    int code = config_read_text(bytes_of_text(text), &c, &detail);
    ck_assert_msg(code == 0, "%s: %s", detail.field, detail.text);
    return c;
}

static void assert_refused(const char *text, const char *field, const char *words)
{
    struct config *c;
    struct error_detail detail;
    ck_assert_msg(config_read_text(bytes_of_text(text), &c, &detail) == E_ARGUMENT, "%s", text);
    ck_assert_str_eq(detail.field, field);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%s", detail.text);
    ck_assert_int_gt(detail.line, 0);
}

START_TEST(config_rules__are_read_as_they_stand)
{
    struct config *c = read_text(
        "listen: [\"unix:/s\", \"127.0.0.1:1\"]\n"
        "authorization:\n"
        "  - who: spiffe://a.org/ns/shop/*\n"
        "    may: [service, payloads]\n"
        "    definitions: [\"order*\", refund]\n"
        "  - {who: [\"uid:0\", \"listener:127.0.0.1:1\"], may: [Skip, viewer, Retry], tags: {tenant: acme, n: 7}}\n");
    const struct authz *z = &c->authorization;
    ck_assert_uint_eq(z->count, 2);
    ck_assert_uint_eq(z->rules[0].rights, RIGHT_SERVICE | RIGHT_PAYLOADS);
    ck_assert_uint_eq(z->rules[0].definition_count, 2);
    ck_assert_str_eq(z->rules[0].definitions[1], "refund");
    ck_assert_uint_eq(z->rules[1].rights, RIGHT_VIEWER);
    ck_assert_uint_eq(z->rules[1].methods, UINT64_C(1) << authz_method(bytes_of_text("Retry")) |
                                               UINT64_C(1) << authz_method(bytes_of_text("Skip")));
    ck_assert_uint_eq(z->rules[1].who_count, 2);
    ck_assert_int_eq(z->rules[1].who[1].kind, WHO_LISTENER);
    ck_assert_uint_eq(z->rules[1].who[1].number, 1);
    ck_assert(z->given && z->rules[0].tags.size == 0);
    ck_assert(!z->rules[0].all_sagas);
    ck_assert(bytes_equal(z->rules[1].tags, bytes_of("tenant\0acme\0n\0007\0", 16)));
    config_destroy(c);
}
END_TEST

START_TEST(config_rules__say_what_is_wrong)
{
    assert_refused("authorization: [{who: root, may: viewer}]\n", "authorization[0].who",
                   "\"root\" is nobody: write anyone");
    assert_refused("authorization: [{who: [unix, \"uid:x\"], may: viewer}]\n", "authorization[0].who[1]",
                   "names no number");
    assert_refused("authorization: [{who: \"listener:unix:/x\", may: viewer}]\n", "authorization[0].who",
                   "not in listen");
    assert_refused("authorization: [{who: unix}]\n", "authorization[0]", "may");
    assert_refused("authorization: [{may: viewer}]\n", "authorization[0]", "who");
    assert_refused("authorization: [{who: unix, may: admin}]\n", "authorization[0].may", "\"admin\" is no right");
    assert_refused("authorization: [{who: unix, may: []}]\n", "authorization[0].may", "holds 0 entries");
    assert_refused("authorization: [{who: unix, may: service, sagas: mine}]\n", "authorization[0].sagas",
                   "\"mine\" is neither own nor all");
    assert_refused("authorization: [{who: unix, may: viewer, sagas: all}]\n", "authorization[0].sagas",
                   "is about what a service may");
    assert_refused("authorization: [{who: unix, may: [[viewer]]}]\n", "authorization[0].may[0]",
                   "must be a single value");
    assert_refused("authorization: [{who: unix, may: viewer, definitions: [[a]]}]\n", "authorization[0].definitions[0]",
                   "must be a single value");
    assert_refused("authorization: [{who: [[unix]], may: viewer}]\n", "authorization[0].who[0]",
                   "must be a single value");
    /* Whatever is right behind it. */
    assert_refused("authorization: [{who: root, may: viewer}]\n", "authorization[0].who", "is nobody");
    assert_refused("authorization: [{who: unix, may: admin, definitions: a}]\n", "authorization[0].may", "is no right");
    assert_refused("authorization: [{who: unix, may: [service, admin], sagas: all}]\n", "authorization[0].may[1]",
                   "is no right");
    assert_refused("authorization: [{who: unix, may: service, definitions: \"a*b\", sagas: all}]\n",
                   "authorization[0].definitions", "not at its end");
    assert_refused("authorization: [{who: unix, may: viewer, sagas: all, tags: {a: b}}]\n", "authorization[0].sagas",
                   "is about what a service may");
    assert_refused("authorization: [{who: unix, may: viewer, definitions: [\"a*b\"]}]\n",
                   "authorization[0].definitions[0]", "not at its end");
    assert_refused("authorization: [{who: unix, may: viewer, for: x}]\n", "authorization[0].for",
                   "is not a name that can stand here");
    assert_refused("authorization: [{who: unix, may: viewer, tags: acme}]\n", "authorization[0].tags",
                   "must be a mapping, as in {tenant: acme}");
    assert_refused("authorization: [{who: unix, may: viewer, tags: {}}]\n", "authorization[0].tags", "holds 0 tags");
    assert_refused("authorization: [{who: unix, may: viewer, tags: {a: [b]}}]\n", "authorization[0].tags.a", "");
    assert_refused("authorization: [{who: unix, may: viewer, tags: {\"\": b}}]\n", "authorization[0].tags.",
                   "is not the name of a tag");
    assert_refused("authorization: [{who: unix, may: viewer, tags: {\"a\\0b\": b}}]\n", "authorization[0].tags.a?b",
                   "is not the name of a tag");
    assert_refused("unix_access: everybody\n", "unix_access", "needs rules of authorization");
    assert_refused("plaintext_operators: true\nauthorization: [{who: unix, may: viewer}]\n", "plaintext_operators",
                   "has no effect");
}
END_TEST

/* `first`, then `count` times `each` with a number in place of its %d, then `last`. */
static const char *many(const char *first, const char *each, int count, const char *last)
{
    static char text[16384];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", first);
    for (int i = 0; i < count; i++) {
        const char *at = strstr(each, "%d");
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s%d%s", (int)(at - each), each, i, at + 2);
    }
    snprintf(text + used, sizeof text - used, "%s", last);
    return text;
}

START_TEST(config_rules__hold_as_much_as_they_may)
{
    static const struct {
        const char *first, *each, *last;
        int most;
        const char *field;
    } rows[] = {{"authorization: [", "{who: \"uid:%d\", may: viewer},", "]\n", CONFIG_RULES_MAX, "authorization"},
                {"authorization: [{may: viewer, who: [", "\"uid:%d\",", "]}]\n", 64, "authorization[0].who"},
                {"authorization: [{who: unix, may: viewer, definitions: [", "d%d,", "]}]\n", 256,
                 "authorization[0].definitions"},
                {"authorization: [{who: unix, may: viewer, tags: {", "t%d: x,", "}}]\n", 16, "authorization[0].tags"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        config_destroy(read_text(many(rows[i].first, rows[i].each, rows[i].most, rows[i].last)));
        assert_refused(many(rows[i].first, rows[i].each, rows[i].most + 1, rows[i].last), rows[i].field, "holds ");
    }
}
END_TEST

START_TEST(config_rules__say_whose_sagas_a_service_sees)
{
    struct config *own = read_text("authorization: [{who: unix, may: service, sagas: own}]\n"),
                  *all = read_text("authorization: [{who: unix, may: service, sagas: all}]\n");
    ck_assert(!own->authorization.rules[0].all_sagas && all->authorization.rules[0].all_sagas);
    config_destroy(own);
    config_destroy(all);
}
END_TEST

START_TEST(config_rules__have_a_default)
{
    struct config *c = read_text(""), *open = read_text("plaintext_operators: true\n"),
                  *group = read_text("unix_access: group\nauthorization: [{who: unix, may: viewer}]\n");
    ck_assert_uint_eq(c->authorization.count, authz_default(false).count);
    ck_assert_uint_eq(open->authorization.count, authz_default(true).count);
    ck_assert_uint_eq(group->unix_access, CONFIG_UNIX_GROUP);
    ck_assert(!config_same(c, group, OPTION_INDEX_authorization) && !config_same(c, group, OPTION_INDEX_unix_access));
    config_destroy(c);
    config_destroy(open);
    config_destroy(group);
}
END_TEST

START_TEST(config_rules__that_differ_are_seen_to)
{
    static const char *const texts[] = {"[{who: unix, may: viewer}]",
                                        "[{who: tls, may: viewer}]",
                                        "[{who: unix, may: Retry}]",
                                        "[{who: unix, may: Skip}]",
                                        "[{who: [unix, unix], may: viewer}]",
                                        "[{who: \"uid:1\", may: viewer}]",
                                        "[{who: \"uid:2\", may: viewer}]",
                                        "[{who: \"gid:2\", may: viewer}]",
                                        "[{who: [unix, \"uid:1\"], may: viewer}]",
                                        "[{who: [unix, \"uid:2\"], may: viewer}]",
                                        "[{who: \"dns:a\", may: viewer}]",
                                        "[{who: \"dns:b\", may: viewer}]",
                                        "[{who: \"dns:b\", may: viewer, definitions: a}]",
                                        "[{who: \"dns:b\", may: viewer, definitions: b}]",
                                        "[{who: \"dns:b\", may: viewer, tags: {a: b}}]",
                                        "[{who: \"dns:b\", may: viewer, tags: {a: c}}]"};
    enum { COUNT = sizeof texts / sizeof texts[0] };
    struct config *all[COUNT];
    char text[256];
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "authorization: %s\n", texts[i]);
        all[i] = read_text(text);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "# again\nauthorization: %s\n", texts[i]);
        struct config *again = read_text(text);
        for (int k = 0; k < COUNT; k++)
            ck_assert_msg(config_same(again, all[k], OPTION_INDEX_authorization) == (i == k), "%s, %s", texts[i],
                          texts[k]);
        config_destroy(again);
    }
    for (int i = 0; i < COUNT; i++)
        config_destroy(all[i]);
}
END_TEST

/* A listener is known by its place: a rule that reads as before and is of another place is another one. So is one of a name that reads the same. */
START_TEST(config_rules__of_a_listener_differ_by_its_place)
{
#define LISTENERS(list, who) "listen: [" list "]\nauthorization: [{who: \"" who "\", may: viewer}]\n"
    static const char *const texts[] = {LISTENERS("127.0.0.1:1, 127.0.0.1:2", "listener:127.0.0.1:1"),
                                        LISTENERS("127.0.0.1:2, 127.0.0.1:1", "listener:127.0.0.1:1"),
                                        LISTENERS("127.0.0.1:1, 127.0.0.1:2", "dns:127.0.0.1:1")};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++) {
            struct config *one = read_text(texts[i]), *other = read_text(texts[k]);
            ck_assert_msg(config_same(one, other, OPTION_INDEX_authorization) == (i == k), "%s, %s", texts[i],
                          texts[k]);
            config_destroy(one);
            config_destroy(other);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_rules");
    TCase *tc = tcase_create("config_rules");
    tcase_add_test(tc, config_rules__are_read_as_they_stand);
    tcase_add_test(tc, config_rules__say_what_is_wrong);
    tcase_add_test(tc, config_rules__say_whose_sagas_a_service_sees);
    tcase_add_test(tc, config_rules__have_a_default);
    tcase_add_test(tc, config_rules__hold_as_much_as_they_may);
    tcase_add_test(tc, config_rules__that_differ_are_seen_to);
    tcase_add_test(tc, config_rules__of_a_listener_differ_by_its_place);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
