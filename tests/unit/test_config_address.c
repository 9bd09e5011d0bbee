/* Addresses of sagad.yaml: where the sidecar may listen, and what it can call. */
#include "sidecar/config/config_address.h"

#include <check.h>
#include <stdlib.h>

START_TEST(address__listens_at_unix_sockets_and_loopback_only)
{
    static const char *const good[] = {"unix:/run/sagad.sock", "unix:s",      "unix:///run/s",  "127.0.0.1:7240",
                                       "127.255.3.4:1",        "[::1]:65535", "localhost:7240", "127.0.0.1:0",
                                       "[0:0:0:0:0:0:0:1]:1",  "localhost:00"};
    static const char *const foreign[] = {"0.0.0.0:7240",
                                          "[::]:7240",
                                          "10.0.0.1:7240",
                                          "example.org:7240",
                                          "128.0.0.1:1",
                                          "localhost.evil:1",
                                          "[::ffff:127.0.0.1]:1",
                                          "127.0.0.1.example:1",
                                          "127.1:80",
                                          "[127.0.0.1]:1",
                                          "*:7240",
                                          "126.255.255.255:1"};
    static const struct {
        const char *address, *words;
    } bad[] = {{"127.0.0.1", "names no port"},
               {"127.0.0.1:", "names no port"},
               {"127.0.0.1:http", "names no port"},
               {"127.0.0.1:-1", "names no port"},
               {"127.0.0.1:65536", "names a port above 65535"},
               {"127.0.0.1:99999999999999999999", "names a port above 65535"},
               {":7240", "names no host"},
               {"::1:7240", "without brackets"},
               {"[::1]7240", "names no port"},
               {"[::1", "names no port"},
               {"[::1]", "names no port"},
               {"[]:1", "names no host"},
               {"unix:", "names no path"},
               {"", "names no port"},
               {"unix:/2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"
                "678901234567x",
                "is too long for a unix socket"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(address_check_listen(good[i]) == NULL, "%s %s", good[i], address_check_listen(good[i]));
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        const char *wrong = address_check_listen(foreign[i]);
        ck_assert_msg(wrong != NULL && strstr(wrong, "TLS and authorization are not there yet") != NULL, "%s %s",
                      foreign[i], wrong == NULL ? "is accepted" : wrong);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *wrong = address_check_listen(bad[i].address);
        ck_assert_msg(wrong != NULL && strstr(wrong, bad[i].words) != NULL, "%s %s", bad[i].address,
                      wrong == NULL ? "is accepted" : wrong);
    }
}
END_TEST

START_TEST(address__calls_any_host_with_a_port)
{
    static const char *const good[] = {
        "inventory:50051",   "dns:///inventory:50051", "dns:inventory:1", "dns://8.8.8.8/inventory:1", "10.0.0.1:1",
        "ipv4:10.0.0.1:443", "ipv6:[2001:db8::1]:1",   "[2001:db8::1]:1", "unix:/run/x.sock",          "unix:x"};
    static const struct {
        const char *address, *words;
    } bad[] = {{"inventory", "names no port"},
               {"dns:///inventory", "names no port"},
               {"dns://inventory:1", "names no host"},
               {"dns:///:1", "names no host"},
               {"http://inventory:80", "is not an address as gRPC names it"},
               {"inventory:80/path", "is not an address as gRPC names it"},
               {"xds:///inventory:1", "is not an address as gRPC names it"},
               {"a b:1", "is not an address as gRPC names it"},
               {"2001:db8::1:1", "without brackets"},
               {"inventory:0", "names port 0"},
               {"unix:", "names no path"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(address_check_target(good[i]) == NULL, "%s %s", good[i], address_check_target(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *wrong = address_check_target(bad[i].address);
        ck_assert_msg(wrong != NULL && strstr(wrong, bad[i].words) != NULL, "%s %s", bad[i].address,
                      wrong == NULL ? "is accepted" : wrong);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_address");
    TCase *forms = tcase_create("forms");
    tcase_add_test(forms, address__listens_at_unix_sockets_and_loopback_only);
    tcase_add_test(forms, address__calls_any_host_with_a_port);
    suite_add_tcase(suite, forms);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
