/* SHA-256: the examples of FIPS 180-4, and every length around a block's end. */
#include "sidecar/base/sha256.h"

#include <check.h>
#include <stdlib.h>

START_TEST(sha256__the_standards_examples)
{
    char text[SHA256_TEXT_SIZE];
    sha256_text(bytes_of_text("abc"), text);
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_text(bytes_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), text);
    ck_assert_str_eq(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    sha256_text(bytes_of(NULL, 0), text);
    ck_assert_str_eq(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

/* What Python's hashlib says of the digests of the first 0 to 300 bytes, one after the other. */
START_TEST(sha256__every_length_around_the_end_of_a_block)
{
    uint8_t data[300], digests[301 * SHA256_SIZE];
    char text[SHA256_TEXT_SIZE];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (unsigned size = 0; size <= sizeof data; size++)
        sha256(bytes_of(data, size), digests + size * SHA256_SIZE);
    sha256_text(bytes_of(digests, sizeof digests), text);
    ck_assert_str_eq(text, "3b05b530351f50663ba5ac734c246d169eafec6b57c70dc6dc94cad39d04aad8");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tests = tcase_create("sha256");
    tcase_add_test(tests, sha256__the_standards_examples);
    tcase_add_test(tests, sha256__every_length_around_the_end_of_a_block);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
