/* Names in certificates, and OpenSSL at the end of a process. What is read from files is tested end to end, with openssl's own. */
#include "transport/credentials.h"
#include "transport/core.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool matches(const char *expected, const char *name)
{
    return transport_name_matches(expected, &name, 1);
}

START_TEST(credentials__a_name_is_matched_as_a_whole)
{
    ck_assert(matches("shop.example.org", "shop.example.org"));
    ck_assert(matches("shop.example.org", "SHOP.Example.ORG"));
    ck_assert(!matches("shop.example.org", "shop.example.org.evil.net"));
    ck_assert(!matches("shop.example.org", "xshop.example.org"));
    ck_assert(!matches("shop.example.org", "shop.example.or"));
}
END_TEST

START_TEST(credentials__a_star_stands_for_one_label)
{
    ck_assert(matches("shop.example.org", "*.example.org"));
    ck_assert(!matches("a.shop.example.org", "*.example.org"));
    ck_assert(!matches("example.org", "*.example.org"));
    ck_assert(!matches(".example.org", "*.example.org"));
    ck_assert(!matches("shop.example.org", "s*.example.org"));
}
END_TEST

START_TEST(credentials__a_spiffe_id_is_whole_or_a_beginning)
{
    ck_assert(matches("spiffe://e/ns/a", "spiffe://e/ns/a"));
    ck_assert(!matches("spiffe://e/ns/a", "spiffe://e/ns/ab"));
    ck_assert(!matches("spiffe://e/ns/a", "SPIFFE://e/ns/a"));
    ck_assert(matches("spiffe://e/ns/*", "spiffe://e/ns/a"));
    ck_assert(!matches("spiffe://e/ns/*", "spiffe://e/nsx"));
    ck_assert(!matches("shop", "spiffe://e/ns/a"));
}
END_TEST

START_TEST(credentials__one_of_several_is_enough)
{
    const char *names[] = {"a", "b"};
    ck_assert(transport_name_matches("b", names, 2));
    ck_assert(!transport_name_matches("c", names, 2));
    ck_assert(!transport_name_matches("a", names, 0));
}
END_TEST

static bool digests(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    return EVP_Digest("x", 1, digest, NULL, EVP_sha256(), NULL) == 1;
}

/* Registered first, it runs last at the exit. */
static void at_the_end(void)
{
    _exit(digests() ? 0 : 1);
}

/* What a thread of C core is amid when the process ends has OpenSSL to the end. */
START_TEST(credentials__openssl_stays_until_the_process_has_ended)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (atexit(at_the_end) != 0)
            _exit(2);
        transport_crypto();
        exit(digests() ? 0 : 3);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("credentials");
    TCase *all = tcase_create("all");
    tcase_add_test(all, credentials__a_name_is_matched_as_a_whole);
    tcase_add_test(all, credentials__a_star_stands_for_one_label);
    tcase_add_test(all, credentials__a_spiffe_id_is_whole_or_a_beginning);
    tcase_add_test(all, credentials__one_of_several_is_enough);
    tcase_add_test(all, credentials__openssl_stays_until_the_process_has_ended);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
