/* Certificates that are kept and looked at again: what is taken, what is refused, and what is told of, each once. */
#include "transport/certificates.h"

#include <check.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/saga-certificates-XXXXXX", certificate[64], key[64], roots[64];
static struct certificates *c;
static char why[CERTIFICATES_WHY_SIZE];

/* Writes a certificate of its own key that began and ends so many seconds from now; leave_key: its key goes nowhere. */
static void make(long begins, long ends, bool leave_key)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    ck_assert(pair != NULL && x != NULL);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), begins);
    X509_gmtime_adj(X509_getm_notAfter(x), ends);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    ck_assert(X509_sign(x, pair, EVP_sha256()) > 0);
    FILE *to = fopen(certificate, "w");
    ck_assert(PEM_write_X509(to, x) == 1 && fclose(to) == 0);
    to = leave_key ? NULL : fopen(key, "w");
    ck_assert(leave_key || (PEM_write_PrivateKey(to, pair, NULL, NULL, 0, NULL, NULL) == 1 && fclose(to) == 0));
    X509_free(x);
    EVP_PKEY_free(pair);
}

static void write_text(const char *path, const char *text)
{
    FILE *to = fopen(path, "w");
    ck_assert(to != NULL && fputs(text, to) >= 0 && fclose(to) == 0);
}

static void setup(void)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(certificate, sizeof certificate, "%s/x.pem", dir);
    snprintf(key, sizeof key, "%s/x.key", dir);
    snprintf(roots, sizeof roots, "%s/ca.pem", dir);
}

static void teardown(void)
{
    certificates_destroy(c);
    c = NULL;
    unlink(certificate);
    unlink(key);
    unlink(roots);
    rmdir(dir);
}

static bool create(void)
{
    return certificates_create(&(struct certificates_files){.certificate = certificate, .key = key}, &c, why);
}

/* A look that is one: it looks once a second at most. */
static enum certificates_news look(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (time_t began = t.tv_sec; t.tv_sec == began; clock_gettime(CLOCK_MONOTONIC, &t))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return certificates_look(c, why);
}

START_TEST(certificates__another_is_taken_and_a_bad_one_is_told_of_once)
{
    make(-1000, 100000, false);
    ck_assert_msg(create(), "%s", why);
    uint64_t version = certificates_version(c);
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    write_text(certificate, "nothing of the kind\n");
    ck_assert_int_eq(look(), CERTIFICATES_BAD);
    ck_assert_ptr_nonnull(strstr(why, "holds no certificate in PEM form"));
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    make(-1000, 100000, true); /* of another key */
    ck_assert_int_eq(look(), CERTIFICATES_BAD);
    ck_assert_ptr_nonnull(strstr(why, "its key is not that of the key file"));
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    ck_assert_uint_eq(certificates_version(c), version);
    make(-1000, 200000, false);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
    ck_assert_uint_ne(certificates_version(c), version);
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
}
END_TEST

/* Whoever asks more often than once a second is told nothing new: a look asks the disk about three files. */
START_TEST(certificates__are_looked_at_once_a_second_at_most)
{
    make(-1000, 100000, false);
    ck_assert_msg(create(), "%s", why);
    struct timespec before, after;
    enum certificates_news news;
    do {
        look();
        clock_gettime(CLOCK_MONOTONIC, &before);
        make(-1000, 200000, false);
        news = certificates_look(c, why);
        clock_gettime(CLOCK_MONOTONIC, &after);
    } while (before.tv_sec != after.tv_sec); /* the second ended meanwhile */
    ck_assert_int_eq(news, CERTIFICATES_SAME);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
}
END_TEST

/* When a tenth of its life is left: once of each. */
START_TEST(certificates__one_that_ends_is_told_of_once)
{
    make(-8900, 1100, false);
    ck_assert_msg(create(), "%s", why);
    ck_assert_int_eq(look(), CERTIFICATES_SAME); /* 11 of a hundred */
    make(-9100, 900, false);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
    ck_assert_int_eq(look(), CERTIFICATES_EXPIRING);
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    make(-9200, 800, false);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
    ck_assert_int_eq(look(), CERTIFICATES_EXPIRING);
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    ck_assert_int_ge(certificates_not_after(c), (int64_t)time(NULL) + 700);
    ck_assert_int_le(certificates_not_after(c), (int64_t)time(NULL) + 800);
    ck_assert_int_eq(certificates_lifetime(c), 10000);
}
END_TEST

START_TEST(certificates__one_that_has_ended_is_told_of_once)
{
    enum certificates_news news;
    make(-1000, 3, false);
    ck_assert_msg(create(), "%s", why);
    while ((news = look()) == CERTIFICATES_SAME || news == CERTIFICATES_EXPIRING)
        ck_assert_int_le(time(NULL), certificates_not_after(c) + 60);
    ck_assert_int_eq(news, CERTIFICATES_EXPIRED);
    ck_assert_ptr_nonnull(strstr(why, ".pem: ended "));
    ck_assert_str_eq(why + strlen(why) - strlen(" s ago"), " s ago");
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    make(-1000, 1000, false);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
}
END_TEST

START_TEST(certificates__what_is_not_valid_now_is_refused)
{
    make(-1000, -10, false);
    ck_assert(!create());
    ck_assert_ptr_nonnull(strstr(why, "has expired"));
    make(1000, 2000, false);
    ck_assert(!create());
    ck_assert_ptr_nonnull(strstr(why, "is not valid yet"));
    make(-1000, 1000, false);
    unlink(key);
    ck_assert(!create());
    ck_assert_ptr_nonnull(strstr(why, "x.key"));
    ck_assert(!certificates_create(&(struct certificates_files){.certificate = certificate}, &c, why));
    ck_assert_ptr_nonnull(strstr(why, "must be given together"));
}
END_TEST

/* Our own, and behind it one of its chain, each with these times. */
static void make_chain_of(long own_begins, long own_ends, long begins, long ends)
{
    char text[8192];
    make(begins, ends, true);
    FILE *from = fopen(certificate, "r");
    size_t size = fread(text, 1, sizeof text - 1, from);
    text[size] = '\0';
    fclose(from);
    make(own_begins, own_ends, false);
    FILE *to = fopen(certificate, "a");
    ck_assert(fputs(text, to) >= 0 && fclose(to) == 0);
}

static void make_chain(long begins, long ends)
{
    make_chain_of(-1000, 100000, begins, ends);
}

/* A chain holds for as long as the first of it that ends, and not before the last of it that begins. */
START_TEST(certificates__a_chain_is_as_good_as_each_of_it)
{
    make_chain(-1000, 500);
    ck_assert_msg(create(), "%s", why);
    ck_assert_int_le(certificates_not_after(c), (int64_t)time(NULL) + 500);
    certificates_destroy(c);
    c = NULL;
    make_chain(-1000, 200000);
    ck_assert_msg(create(), "%s", why);
    ck_assert_int_le(certificates_not_after(c), (int64_t)time(NULL) + 100000);
    ck_assert_int_ge(certificates_not_after(c), (int64_t)time(NULL) + 90000);
    certificates_destroy(c);
    c = NULL;
    make_chain(-2000, -10);
    ck_assert(!create());
    ck_assert_ptr_nonnull(strstr(why, "has expired"));
    make_chain(1000, 2000);
    ck_assert(!create());
    ck_assert_ptr_nonnull(strstr(why, "is not valid yet"));
    make_chain_of(-2000, -10, -1000, 100000); /* a good one behind it makes ours no better */
    ck_assert(!create());
    ck_assert_ptr_nonnull(strstr(why, "has expired"));
}
END_TEST

/* What is left of a chain's life is a part of the time for which all of it holds. */
START_TEST(certificates__a_chain_begins_with_the_last_of_it)
{
    make_chain(-1000000, 200000);
    ck_assert_msg(create(), "%s", why);
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
}
END_TEST

/* The text of a certificate with line breaks behind it, in `size` bytes. */
static void make_roots(size_t size)
{
    static char text[CERTIFICATES_FILE_BYTES_MAX + 2];
    make(-1000, 100000, false);
    FILE *from = fopen(certificate, "r");
    size_t used = fread(text, 1, sizeof text, from);
    fclose(from);
    ck_assert_uint_lt(used, size);
    memset(text + used, '\n', size - used);
    FILE *to = fopen(roots, "w");
    ck_assert(fwrite(text, 1, size, to) == size && fclose(to) == 0);
}

static bool create_with_roots(void)
{
    certificates_destroy(c);
    c = NULL;
    return certificates_create(&(struct certificates_files){.certificate = certificate, .key = key, .roots = roots}, &c,
                               why);
}

START_TEST(certificates__a_file_is_bounded)
{
    make_roots(CERTIFICATES_FILE_BYTES_MAX - 1);
    ck_assert_msg(create_with_roots(), "%s", why);
    make_roots(CERTIFICATES_FILE_BYTES_MAX);
    ck_assert(!create_with_roots());
    ck_assert_ptr_nonnull(strstr(why, "ca.pem: is larger than 1 MiB"));
}
END_TEST

/* Roots that nobody can be checked by are refused by name, before a handshake fails for them. */
START_TEST(certificates__roots_are_whole)
{
    static const struct {
        const char *behind; /* one that is good */
        const char *wrong;
    } rows[] = {
        {"", NULL},
        {"-----BEGIN CERTIFICATE-----\nMIIB", "ca.pem: is cut short, or holds what is not PEM"},
        {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "ca.pem: is cut short, or holds what"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make_roots(4096);
        FILE *to = fopen(roots, "a");
        ck_assert(fputs(rows[i].behind, to) >= 0 && fclose(to) == 0);
        ck_assert_int_eq(create_with_roots(), rows[i].wrong == NULL);
        ck_assert_msg(rows[i].wrong == NULL || strstr(why, rows[i].wrong) != NULL, "%s", why);
    }
    static const char *const none[] = {"", "nothing of the kind\n", "-----BEGIN CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        write_text(roots, none[i]);
        ck_assert(!create_with_roots());
        ck_assert_msg(strstr(why, "ca.pem: holds no certificate in PEM form") != NULL, "%s", why);
    }
    unlink(roots);
    ck_assert(!create_with_roots());
    ck_assert_ptr_nonnull(strstr(why, "ca.pem: "));
    /* They are looked at by themselves also where there is no certificate of our own. */
    write_text(roots, "nothing of the kind\n");
    ck_assert(!certificates_create(&(struct certificates_files){.roots = roots}, &c, why));
    ck_assert_ptr_nonnull(strstr(why, "ca.pem: holds no certificate in PEM form"));
    /* What a rotation of roots looks like. */
    make(-2000, -1000, false);
    ck_assert_int_eq(rename(certificate, roots), 0);
    ck_assert_msg(certificates_create(&(struct certificates_files){.roots = roots}, &c, why), "%s", why);
}
END_TEST

/* Whichever of them is another, and however much it is like the one before. */
START_TEST(certificates__each_of_the_files_is_looked_at)
{
    struct stat before;
    make_roots(4096);
    ck_assert_msg(create_with_roots(), "%s", why);
    ck_assert_int_eq(stat(roots, &before), 0);
    /* Of the same size and time, under the same name. */
    char other[80], own[80], own_key[80];
    snprintf(other, sizeof other, "%s/other", dir);
    snprintf(own, sizeof own, "%s/own", dir);
    snprintf(own_key, sizeof own_key, "%s/own.key", dir);
    ck_assert(rename(roots, other) == 0 && rename(certificate, own) == 0 && rename(key, own_key) == 0);
    make_roots(4096);
    ck_assert(rename(own, certificate) == 0 && rename(own_key, key) == 0);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    ck_assert_int_eq(utimensat(AT_FDCWD, roots, times, 0), 0);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
    ck_assert_int_eq(look(), CERTIFICATES_SAME);
    unlink(other);
    /* The key alone. */
    ck_assert_int_eq(rename(certificate, own), 0);
    make(-1000, 100000, false);
    ck_assert_int_eq(rename(own, certificate), 0);
    ck_assert_int_eq(look(), CERTIFICATES_BAD);
    ck_assert_ptr_nonnull(strstr(why, "its key is not that of the key file"));
}
END_TEST

START_TEST(certificates__who_follows_is_given_each_once)
{
    struct certificates_pem pem;
    make(-1000, 100000, false);
    ck_assert_msg(create(), "%s", why);
    struct certificates_follower *f = certificates_follow(c), *other = certificates_follow(c);
    ck_assert(certificates_follow_up(f, &pem));
    certificates_pem_free(&pem);
    ck_assert(!certificates_follow_up(f, &pem));
    ck_assert(certificates_follow_up(other, &pem));
    certificates_pem_free(&pem);
    make(-1000, 200000, false);
    ck_assert_int_eq(look(), CERTIFICATES_NEW);
    ck_assert(certificates_follow_up(f, &pem));
    certificates_pem_free(&pem);
    ck_assert(!certificates_follow_up(f, &pem));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("certificates");
    Suite *s = suite_create("certificates");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, certificates__another_is_taken_and_a_bad_one_is_told_of_once);
    tcase_add_test(t, certificates__are_looked_at_once_a_second_at_most);
    tcase_add_test(t, certificates__one_that_ends_is_told_of_once);
    tcase_add_test(t, certificates__one_that_has_ended_is_told_of_once);
    tcase_add_test(t, certificates__what_is_not_valid_now_is_refused);
    tcase_add_test(t, certificates__a_chain_is_as_good_as_each_of_it);
    tcase_add_test(t, certificates__each_of_the_files_is_looked_at);
    tcase_add_test(t, certificates__a_file_is_bounded);
    tcase_add_test(t, certificates__roots_are_whole);
    tcase_add_test(t, certificates__a_chain_begins_with_the_last_of_it);
    tcase_add_test(t, certificates__who_follows_is_given_each_once);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
