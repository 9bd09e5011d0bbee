/* Whether a start would be refused now: each thing that would is told of, once and by its option, and nothing is left behind. */
#include "sidecar/runtime/precheck.h"

#include "sidecar/journal/sqlite/sqlite_store.h"

#include <check.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], said[4096];

static void setup(void)
{
    strcpy(folder, "/tmp/precheck-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A path in the folder; each call has its own. */
static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *to = fopen(path, "w");
    ck_assert(to != NULL && fputs(text, to) >= 0 && fclose(to) == 0 && chmod(path, mode) == 0);
}

/* What is said of the folder's sidecar with one line more, into said; returns how often a start would be refused. */
static unsigned check(const char *option, const char *value)
{
    char yaml[1024];
    struct config *config;
    struct error_detail detail;
    snprintf(yaml, sizeof yaml, "data_dir: %s/data\n%s%s: %s\n%s", folder,
             strcmp(option, "listen") == 0 ? "" : "listen: ['127.0.0.1:0']\n", option, value,
             strcmp(option, "loops") == 0 ? "" : "loops: 1\n");
    ck_assert_msg(config_read_text(bytes_of_text(yaml), &config, &detail) == 0, "%s: %s", detail.field, detail.text);
    memset(said, 0, sizeof said);
    FILE *out = fmemopen(said, sizeof said, "w");
    unsigned count = precheck(config, out);
    ck_assert_int_eq(fclose(out), 0);
    config_destroy(config);
    return count;
}

#define ck_refused(option, value, expected) \
    do { \
        unsigned count_ = check(option, value); \
        ck_assert_msg(count_ == 1 && strstr(said, expected) != NULL, "%u: %s", count_, said); \
        ck_assert_ptr_nonnull(strstr(said, "a start would be refused now: " option ": ")); \
    } while (0)

static void ck_good(const char *option, const char *value)
{
    ck_assert_msg(check(option, value) == 0, "%s", said);
    ck_assert_str_eq(said, "");
}

static const char *list_of_one(const char *path)
{
    static char text[160];
    snprintf(text, sizeof text, "['unix:%s']", path);
    return text;
}

START_TEST(precheck__a_socket_is_where_there_is_none_or_a_dead_one)
{
    const char *path = in_folder("s.sock");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    ck_good("listen", list_of_one(path));
    write_file(path, "precious", 0600);
    ck_refused("listen", list_of_one(path), "there is a file at this path that is not a socket");
    ck_assert_int_eq(unlink(path), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(at.sun_path, path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_refused("listen", list_of_one(path), "another process listens there");
    close(fd);
    ck_good("listen", list_of_one(path));
    ck_refused("listen", list_of_one("/nowhere/s.sock"), "/nowhere/s.sock: No such file");
    /* The directory of the data is made first, however its name is written; another is not. */
    ck_good("listen", list_of_one(in_folder("data/s.sock")));
    ck_good("listen", list_of_one(in_folder("./data/s.sock")));
    ck_assert_int_eq(mkdir(in_folder("other"), 0700), 0);
    ck_refused("listen", list_of_one(in_folder("other/data/s.sock")), "data/s.sock: No such file");
    ck_refused("listen", list_of_one(in_folder("date/s.sock")), "date/s.sock: No such file");
}
END_TEST

START_TEST(precheck__a_port_is_free)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char text[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(text, sizeof text, "['127.0.0.1:%u']", (unsigned)ntohs(at.sin_port));
    ck_refused("listen", text, "Address already in use");
    snprintf(text, sizeof text, "'127.0.0.1:%u'", (unsigned)ntohs(at.sin_port));
    ck_refused("http_listen", text, "Address already in use");
    close(fd);
    ck_good("http_listen", text);
}
END_TEST

/* As a sidecar does. */
static int listen_at(int family, const void *at, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM, 0), one = 1;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    ck_assert_int_eq(bind(fd, at, size), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* Of a connection that ended there a moment ago the port is free, as it is for a start. */
START_TEST(precheck__a_port_is_free_soon_after_its_use)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char text[64], byte;
    int door = listen_at(AF_INET, &at, sizeof at), client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(getsockname(door, (struct sockaddr *)&at, &size), 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    int server = accept(door, NULL, NULL);
    close(server); /* the first to go: the port is kept for what may still be under way */
    close(door);
    ck_assert_int_eq(read(client, &byte, 1), 0);
    close(client);
    snprintf(text, sizeof text, "['127.0.0.1:%u']", (unsigned)ntohs(at.sin_port));
    ck_good("listen", text);
}
END_TEST

/* Both families have a port of their own. */
START_TEST(precheck__a_port_of_the_other_family_is_another)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    struct sockaddr_in6 other = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof at;
    char text[64];
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    bool both = probe >= 0 && bind(probe, (struct sockaddr *)&other, sizeof other) == 0;
    close(probe);
    if (!both)
        return; /* this machine has one of them */
    int fd = listen_at(AF_INET, &at, sizeof at);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(text, sizeof text, "['plaintext://[::]:%u']", (unsigned)ntohs(at.sin_port));
    ck_good("listen", text);
    close(fd);
}
END_TEST

/* A name that stands for several addresses, whatever this machine knows of names: none of them may be another's, and one of a family that this
 * machine lacks (or an address that it does not have) is passed over, but for one that is alone. tests.mk wraps this. */
static const char *stands_for[2];
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    if (strcmp(host, "some.test") != 0)
        return __real_getaddrinfo(host, service, hints, out);
    int error = __real_getaddrinfo(stands_for[0], service, hints, out);
    return error != 0 || stands_for[1] == NULL ? error
                                               : __real_getaddrinfo(stands_for[1], service, hints, &(*out)->ai_next);
}

START_TEST(precheck__all_addresses_of_a_name_are_free)
{
    static const struct {
        const char *addresses[2], *refused;
    } cases[] = {
        {{"127.0.0.1", "127.0.0.2"}, "Address already in use"},
        {{"127.0.0.2", "127.0.0.1"}, "Address already in use"},
        {{"127.0.0.3", "127.0.0.1"}, NULL},
        {{"240.0.0.1", "127.0.0.1"}, NULL}, /* of which no machine has the first */
        {{"127.0.0.1", "240.0.0.1"}, NULL},
        {{"240.0.0.1", "127.0.0.2"}, "Address already in use"},
        {{"240.0.0.1", NULL}, "Cannot assign requested address"},
        {{"240.0.0.1", "240.0.0.2"}, "Cannot assign requested address"},
    };
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
    socklen_t size = sizeof at;
    char text[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(text, sizeof text, "['plaintext://some.test:%u']", (unsigned)ntohs(at.sin_port));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(stands_for, cases[i].addresses, sizeof stands_for);
        if (cases[i].refused == NULL)
            ck_good("listen", text);
        else
            ck_refused("listen", text, cases[i].refused);
    }
    close(fd);
}
END_TEST

START_TEST(precheck__keys_can_be_read)
{
    const char *path = in_folder("keys");
    ck_refused("encryption_key_file", path, "cannot open ");
    write_file(path, "k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 0644);
    ck_refused("audit_key_file", path, "everybody on the machine can read");
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_good("encryption_key_file", path);
}
END_TEST

START_TEST(precheck__what_it_is_to_read_is_there)
{
    ck_refused("tls_roots", "/nowhere.pem", "/nowhere.pem");
    ck_refused("schemas_dir", "/nowhere", "/nowhere");
    ck_assert_int_eq(mkdir(in_folder("schemas"), 0700), 0);
    ck_good("schemas_dir", in_folder("schemas"));
    write_file(in_folder("schemas/wrong.binpb"), "nonsense", 0600);
    ck_assert_uint_eq(check("schemas_dir", in_folder("schemas")), 1);
}
END_TEST

/* What names the database and the fleet goes together. */
START_TEST(precheck__a_fleet_has_a_database)
{
    ck_refused("store", "mysql://there", "must be a URI");
    ck_refused("fleet", "shop", "a fleet shares a database");
    ck_refused("fleet_address", "127.0.0.1:1", "nobody asks for it without a fleet");
}
END_TEST

/* A journal of the other kind would be left behind with its sagas. */
START_TEST(precheck__the_data_are_of_the_same_kind)
{
    ck_good("store", "postgresql://there");
    ck_assert_int_eq(mkdir(in_folder("data"), 0700), 0);
    write_file(in_folder("data/journal.seen"), "", 0600);
    ck_good("store", "postgresql://there");
    ck_assert_uint_eq(check("loops", "1"), 1);
    ck_assert_msg(strstr(said, ": store: data_dir is that of a journal in a database") != NULL, "%s", said);
    ck_assert_int_eq(unlink(in_folder("data/journal.seen")), 0);
    write_file(in_folder("data/journal.db"), "", 0600);
    ck_refused("store", "postgresql://there", "data_dir holds a journal in SQLite");
    ck_good("loops", "1");
}
END_TEST

/* The journals of several loops are made from the last to the first: a start that was cut short may be gone on with, by as many loops or more. */
START_TEST(precheck__the_data_are_those_of_as_many_loops)
{
    ck_assert_int_eq(mkdir(in_folder("data"), 0700), 0);
    write_file(in_folder("data/journal-3.db"), "", 0600);
    ck_refused("loops", "2", "the data directory was made with loops: 4, and cannot be used with 2: write loops: 4");
    ck_good("loops", "4");
    ck_good("loops", "5");
    write_file(in_folder("data/journal.db"), "", 0600);
    ck_refused("loops", "5", "the data directory was made with loops: 4, and cannot be used with 5");
    ck_good("loops", "4");
}
END_TEST

/* A journal of an older sagad is told of, since it goes with no older one after the start; one of a newer is refused. */
START_TEST(precheck__the_data_are_of_this_sagad_or_an_older)
{
    ck_assert_int_eq(mkdir(in_folder("data"), 0700), 0);
    for (int newer = -1; newer <= 1; newer++) {
        char header[100] = "SQLite format 3", told[64];
        int now = sqlite_store_schema_now();
        header[63] = (char)(now + newer);
        FILE *to = fopen(in_folder("data/journal.db"), "w");
        ck_assert(to != NULL && fwrite(header, sizeof header, 1, to) == 1 && fclose(to) == 0);
        ck_assert_uint_eq(check("loops", "1"), newer > 0);
        snprintf(told, sizeof told, newer < 0 ? "from schema %d to %d," : "it has schema %d and this sagad knows %d",
                 now + newer, now);
        ck_assert_msg(newer == 0 ? said[0] == '\0' : strstr(said, told) != NULL, "%s", said);
    }
}
END_TEST

/* The directory of the data is there, or can be made; nobody else uses it, and trying makes nothing. */
START_TEST(precheck__the_data_can_be_kept)
{
    ck_good("loops", "1");
    ck_assert_int_ne(access(in_folder("data"), F_OK), 0);
    ck_assert_int_eq(mkdir(in_folder("data"), 0700), 0);
    ck_good("loops", "1");
    write_file(in_folder("data/journal.db.lock"), "", 0600);
    ck_good("loops", "1");
    int fd = open(in_folder("data/journal.db.lock"), O_RDWR);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_uint_eq(check("loops", "1"), 1);
    ck_assert_msg(strstr(said, "data_dir: ") != NULL && strstr(said, "another sagad uses it") != NULL, "%s", said);
    close(fd);
    ck_good("loops", "1");
    ck_assert_int_eq(unlink(in_folder("data/journal.db.lock")), 0);
    ck_assert_int_eq(rmdir(in_folder("data")), 0); /* it is empty */
}
END_TEST

/* Each loop has its own. */
START_TEST(precheck__the_data_of_each_loop_are_looked_at)
{
    char header[100] = "SQLite format 3", expected[64];
    ck_assert_int_eq(mkdir(in_folder("data"), 0700), 0);
    for (unsigned k = 0; k < 3; k++) {
        snprintf(expected, sizeof expected, k == 0 ? "data/journal.db" : "data/journal-%u.db", k);
        write_file(in_folder(expected), "", 0600);
    }
    ck_good("loops", "3");
    write_file(in_folder("data/journal-2.db.lock"), "", 0600);
    int fd = open(in_folder("data/journal-2.db.lock"), O_RDWR);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_uint_eq(check("loops", "3"), 1);
    ck_assert_msg(strstr(said, "/journal-2.db: another sagad uses it") != NULL, "%s", said);
    close(fd);
    header[63] = (char)(sqlite_store_schema_now() + 1);
    FILE *to = fopen(in_folder("data/journal-1.db"), "w");
    ck_assert(to != NULL && fwrite(header, sizeof header, 1, to) == 1 && fclose(to) == 0);
    ck_assert_uint_eq(check("loops", "3"), 1);
    ck_assert_msg(strstr(said, "/journal-1.db: it has schema ") != NULL, "%s", said);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("precheck");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, precheck__a_socket_is_where_there_is_none_or_a_dead_one);
    tcase_add_test(t, precheck__a_port_is_free);
    tcase_add_test(t, precheck__a_port_is_free_soon_after_its_use);
    tcase_add_test(t, precheck__a_port_of_the_other_family_is_another);
    tcase_add_test(t, precheck__keys_can_be_read);
    tcase_add_test(t, precheck__what_it_is_to_read_is_there);
    tcase_add_test(t, precheck__a_fleet_has_a_database);
    tcase_add_test(t, precheck__the_data_are_of_the_same_kind);
    tcase_add_test(t, precheck__the_data_are_those_of_as_many_loops);
    tcase_add_test(t, precheck__the_data_are_of_this_sagad_or_an_older);
    tcase_add_test(t, precheck__the_data_can_be_kept);
    tcase_add_test(t, precheck__the_data_of_each_loop_are_looked_at);
    tcase_add_test(t, precheck__all_addresses_of_a_name_are_free);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
