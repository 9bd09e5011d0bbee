/* What the rules of a configuration allow whom, in words and by the exit code. */
#include "sidecar/runtime/explain.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char said[8192], complained[512];

/* With this configuration; returns the exit code. */
static int explain(const char *yaml, struct explain e)
{
    struct config *config;
    struct error_detail detail;
    ck_assert_msg(config_read_text(bytes_of_text(yaml), &config, &detail) == 0, "%s: %s", detail.field, detail.text);
    memset(said, 0, sizeof said);
    memset(complained, 0, sizeof complained);
    FILE *out = fmemopen(said, sizeof said, "w"), *errors = fmemopen(complained, sizeof complained, "w");
    int code = explain_print(config, &e, out, errors);
    ck_assert(fclose(out) == 0 && fclose(errors) == 0);
    config_destroy(config);
    return code;
}

static const char rules[] = "authorization:\n"
                            "  - {who: uid:1, may: [Get, Retry]}\n"
                            "  - {who: [uid:1, uid:2], may: [viewer, payloads], definitions: shop}\n"
                            "  - {who: uid:2, may: Get}\n";

START_TEST(explain__of_one_method)
{
    static const struct {
        const char *yaml;
        struct explain asked;
        int code;
        const char *said;
    } rows[] = {
        {rules, {"uid:1", "Retry", NULL}, 0, "Retry: allowed by authorization[0]\n"},
        {rules, {"uid:2", "Retry", NULL}, 1, "Retry: denied\n"},
        /* The exit code is that of the method, and not of the payloads that it may show. */
        {rules, {"uid:1", "Get", "cart"}, 0, "Get: allowed by authorization[0]\nGet with payloads: denied\n"},
        {rules,
         {"uid:2", "Get", "shop"},
         0,
         "Get: allowed by authorization[1], authorization[2]\n"
         "Get with payloads: allowed by authorization[1]\n"},
        {rules, {"uid:3", "Get", NULL}, 1, "Get: denied\nGet with payloads: denied\n"},
        {"{}\n", {"unix", "Retry", NULL}, 0, "Retry: allowed, since there are no rules\n"},
        {rules, {"uid:1", "Delete", NULL}, 2, ""},
        {rules, {"somebody", NULL, NULL}, 2, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int code = explain(rows[i].yaml, rows[i].asked);
        ck_assert_msg(code == rows[i].code && strcmp(said, rows[i].said) == 0, "%zu: %d: %s", i, code, said);
        ck_assert_int_eq(complained[0] == '\0', code != 2);
    }
}
END_TEST

/* Every method has a line, and one of them two. */
START_TEST(explain__of_all_methods)
{
    unsigned lines = 0, methods = 0;
    ck_assert_int_eq(explain(rules, (struct explain){.as = "uid:3"}), 0);
    for (const char *at = said; (at = strstr(at, ": denied\n")) != NULL; at++)
        lines++;
    while (authz_method_name(methods) != NULL)
        methods++;
    ck_assert_uint_eq(lines, methods + 1);
    const char *payloads = strstr(said, " with payloads");
    ck_assert_ptr_nonnull(payloads);
    ck_assert_ptr_null(strstr(payloads + 1, " with payloads"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *t = tcase_create("explain");
    tcase_add_test(t, explain__of_one_method);
    tcase_add_test(t, explain__of_all_methods);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
