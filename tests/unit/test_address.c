/* Addresses: where somebody may listen, what can be called, and how C core is told. */
#include "transport/address.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(address__tells_what_is_near)
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
    struct address a;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(address_read(good[i], &a) == NULL && address_is_near(&a), "%s", good[i]);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        ck_assert_msg(address_read(foreign[i], &a) == NULL && !address_is_near(&a), "%s", foreign[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *wrong = address_read(bad[i].address, &a);
        ck_assert_msg(wrong != NULL && strstr(wrong, bad[i].words) != NULL, "%s %s", bad[i].address,
                      wrong == NULL ? "is accepted" : wrong);
    }
}
END_TEST

START_TEST(address__calls_any_host_with_a_port)
{
    static const char *const good[] = {"inventory:50051",
                                       "dns:///inventory:50051",
                                       "dns:inventory:1",
                                       "dns://8.8.8.8/inventory:1",
                                       "10.0.0.1:1",
                                       "ipv4:10.0.0.1:443",
                                       "ipv6:[2001:db8::1]:1",
                                       "[2001:db8::1]:1",
                                       "unix:/run/x.sock",
                                       "unix:x",
                                       "ipv4:10.0.0.1:1,10.0.0.2:2",
                                       "ipv6:[::1]:1,[::2]:2"};
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
               {"ipv4:10.0.0.1:1,shop:1", "must be in numbers"},
               {"ipv6:[shop]:1,[::1]:1", "must be in numbers"},
               {"ipv6:[::1]:1,[10.0.0.1]:1", "must be in numbers"},
               {"ipv4:10.0.0.1:1,10.0.0.2", "names no port"},
               {"ipv4:10.0.0.1:1,", "names no port"},
               {"10.0.0.1:1,10.0.0.2:1", "is not an address as gRPC names it"},
               {"unix:", "names no path"}};
    struct address a;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(address_read_target(good[i], &a) == NULL, "%s %s", good[i], address_read_target(good[i], &a));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *wrong = address_read_target(bad[i].address, &a);
        ck_assert_msg(wrong != NULL && strstr(wrong, bad[i].words) != NULL, "%s %s", bad[i].address,
                      wrong == NULL ? "is accepted" : wrong);
    }
}
END_TEST

START_TEST(address__may_be_several_in_numbers)
{
    struct address a;
    ck_assert_ptr_null(address_read_target("ipv4:127.0.0.1:1,10.0.0.2:2,10.0.0.3:3", &a));
    ck_assert_str_eq(a.host, "127.0.0.1");
    ck_assert(!address_is_near(&a)); /* not all of them are */
    for (unsigned port = 2; port <= 3; port++) {
        ck_assert(address_next(&a));
        ck_assert_uint_eq(a.port, port);
        ck_assert(address_is_number(&a));
    }
    ck_assert(!address_next(&a));
    ck_assert_ptr_null(address_read_target("ipv4:127.0.0.1:1,127.0.0.2:1", &a));
    ck_assert(address_is_near(&a));
}
END_TEST

/* What is no number is looked up before it is called. */
START_TEST(address__is_a_number_or_a_name)
{
    static const struct {
        const char *address;
        bool number;
    } all[] = {{"10.0.0.1:1", true},     {"[2001:db8::1]:1", true}, {"inventory:1", false},
               {"[inventory]:1", false}, {"[10.0.0.1]:1", false},   {"10.0.1:1", false}};
    struct address a;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ck_assert_msg(address_read_target(all[i].address, &a) == NULL && address_is_number(&a) == all[i].number, "%s",
                      all[i].address);
}
END_TEST

START_TEST(address__is_told_to_gRPC_in_one_form)
{
    static const struct {
        const char *address, *name;
    } all[] = {{"inventory:50051", "dns:///inventory:50051"},
               {"dns:inventory:1", "dns:///inventory:1"},
               {"dns://8.8.8.8/inventory:1", "dns://8.8.8.8/inventory:1"},
               {"ipv4:10.0.0.1:443", "dns:///10.0.0.1:443"},
               {"[2001:db8::1]:1", "dns:///[2001:db8::1]:1"},
               {"unix:///run/x.sock", "unix:///run/x.sock"},
               {"unix:/run/a b%.sock", "unix:///run/a%20b%25.sock"},
               {"unix:/run/a\tb\xc3\xbc.sock", "unix:///run/a%09b%C3%BC.sock"}};
    struct address a;
    char name[ADDRESS_NAME_SIZE], here[ADDRESS_NAME_SIZE], expected[2 * ADDRESS_NAME_SIZE];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ck_assert_ptr_null(address_read_target(all[i].address, &a));
        ck_assert(address_target_name(&a, name));
        ck_assert_str_eq(name, all[i].name);
    }
    ck_assert_int_eq(chdir("/tmp"), 0);
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_ptr_null(address_read_target("unix:x.sock", &a));
    ck_assert(address_target_name(&a, name));
    snprintf(expected, sizeof expected, "unix://%s/x.sock", here);
    ck_assert_str_eq(name, expected);
}
END_TEST

/* A path from here is told whole, unless that would be too long for a socket: then as it was given, which the system takes. */
START_TEST(address__is_told_from_here_where_the_folder_is_deep)
{
    char folder[] = "/tmp/address-XXXXXX", here[ADDRESS_NAME_SIZE], deep[128], name[ADDRESS_NAME_SIZE],
         expected[2 * ADDRESS_NAME_SIZE];
    struct address a;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_ptr_null(address_read_target("unix:x.sock", &a));
    for (size_t over = 0; over < 2; over++) {
        size_t size = ADDRESS_PATH_BYTES_MAX + over - strlen(here) - strlen("//x.sock");
        memset(deep, 'd', size);
        deep[size] = '\0';
        ck_assert_int_eq(mkdir(deep, 0700), 0);
        ck_assert_int_eq(chdir(deep), 0);
        bool told = address_target_name(&a, name);
        ck_assert_int_eq(chdir(".."), 0);
        ck_assert_int_eq(rmdir(deep), 0);
        ck_assert(told);
        snprintf(expected, sizeof expected, over ? "unix:x.sock" : "unix://%s/%s/x.sock", here, deep);
        ck_assert_str_eq(name, expected);
    }
    ck_assert_int_eq(chdir("/tmp"), 0);
    ck_assert_int_eq(rmdir(here), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *forms = tcase_create("forms");
    tcase_add_test(forms, address__tells_what_is_near);
    tcase_add_test(forms, address__calls_any_host_with_a_port);
    tcase_add_test(forms, address__may_be_several_in_numbers);
    tcase_add_test(forms, address__is_a_number_or_a_name);
    tcase_add_test(forms, address__is_told_to_gRPC_in_one_form);
    tcase_add_test(forms, address__is_told_from_here_where_the_folder_is_deep);
    suite_add_tcase(suite, forms);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
