/* A participant of libsaga over TLS, and a client: who is let in, and files that change. Certificates are made by openssl. */
#include <saga/client.h>
#include <saga/participant.h>

#include "tests/support/grpc_caller.h"
#include "transport/credentials.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char dir[64];
static saga_participant *participant;
static struct saga_error error;

static void sh(const char *command)
{
    char whole[1024];
    snprintf(whole, sizeof whole, "cd %s && %s >log 2>&1", dir, command);
    ck_assert_msg(system(whole) == 0, "%s", whole);
}

static const char *path_of(const char *name)
{
    static char paths[8][96];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void make_named(const char *name, const char *ca, const char *names)
{
    char command[640];
    snprintf(
        command, sizeof command,
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.csr -subj /CN=%s && "
        "echo subjectAltName=%s > ext && "
        "openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key -CAcreateserial -days 2 -out %s.pem -extfile ext",
        name, name, name, names, name, ca, ca, name);
    sh(command);
}

static void make(const char *name, const char *ca)
{
    make_named(name, ca, "DNS:localhost");
}

static void make_root(const char *name)
{
    char command[256];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.pem -days 2 "
             "-subj /CN=%s",
             name, name, name);
    sh(command);
}

static int book(saga_call *call, void *user)
{
    (void)user;
    return saga_call_reply(call, "booked", 6);
}

static void setup(void)
{
    strcpy(dir, "/tmp/saga-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make_root("ca");
    make_root("other");
    make("server", "ca");
    make("client", "ca");
    make("stranger", "other");
    sh("cp server.pem live.pem && cp server.key live.key");
    struct saga_participant_options options = {.address = "tls://localhost:0",
                                               .tls_certificate = path_of("live.pem"),
                                               .tls_key = path_of("live.key"),
                                               .tls_roots = path_of("ca.pem")};
    ck_assert_msg(saga_participant_open(&options, &participant, &error) == SAGA_OK, "%s", error.message);
    ck_assert_int_eq(saga_participant_step(participant, "/s.S/Book", book, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_start(participant, &error), SAGA_OK);
}

static void teardown(void)
{
    char command[128];
    saga_participant_stop(participant);
    saga_participant_close(participant);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static const char *expected; /* whom the caller means to call; NULL: localhost */

/* The status of a call with this certificate (NULL: none), by one who believes these roots. */
static int status_of(const char *name, const char *roots)
{
    char certificate[32], key[32], why[CERTIFICATES_WHY_SIZE];
    struct certificates *certificates;
    static struct caller_call call;
    struct caller caller;
    snprintf(certificate, sizeof certificate, "%s.pem", name == NULL ? "" : name);
    snprintf(key, sizeof key, "%s.key", name == NULL ? "" : name);
    const struct certificates_files files = {.certificate = name == NULL ? NULL : path_of(certificate),
                                             .key = name == NULL ? NULL : path_of(key),
                                             .roots = path_of(roots)};
    ck_assert_msg(certificates_create(&files, &certificates, why), "%s", why);
    const struct transport_credentials credentials = {
        .security = TRANSPORT_TLS, .certificates = certificates, .expected = expected};
    const char *address = saga_participant_address(participant);
    ck_assert_int_eq(strncmp(address, "tls://", 6), 0);
    grpc_init();
    caller_open_with(&caller, address + 6, transport_channel_credentials(&credentials, "localhost"));
    grpc_shutdown();
    call = (struct caller_call){.method = "/s.S/Book",
                                .timeout_ms = 2000,
                                .metadata = {{"saga-id", "1-1"},
                                             {"saga-step", "book"},
                                             {"saga-phase", "action"},
                                             {"saga-attempt", "1"},
                                             {"idempotency-key", "k"},
                                             {"saga-definition", "d"}}};
    int status = caller_run(&caller, &call);
    caller_close(&caller);
    certificates_destroy(certificates);
    return status;
}

START_TEST(participant_tls__only_who_the_roots_name_is_let_in)
{
    ck_assert_int_eq(status_of("client", "ca.pem"), 0);
    ck_assert_int_eq(status_of("stranger", "ca.pem"), 4);
    ck_assert_int_eq(status_of(NULL, "ca.pem"), 4);
    ck_assert_int_eq(status_of("client", "ca.pem"), 0);
}
END_TEST

/* One more participant, which only who is named may call. */
static void open_for(const char *identity)
{
    saga_participant_stop(participant);
    saga_participant_close(participant);
    struct saga_participant_options options = {.address = "tls://localhost:0",
                                               .tls_certificate = path_of("live.pem"),
                                               .tls_key = path_of("live.key"),
                                               .tls_roots = path_of("ca.pem"),
                                               .tls_identity = identity};
    ck_assert_msg(saga_participant_open(&options, &participant, &error) == SAGA_OK, "%s", error.message);
    ck_assert_int_eq(saga_participant_step(participant, "/s.S/Book", book, NULL, NULL, NULL, &error), SAGA_OK);
    ck_assert_int_eq(saga_participant_start(participant, &error), SAGA_OK);
}

START_TEST(participant_tls__only_whom_it_names_may_call)
{
    make_named("sagad", "ca", "URI:spiffe://example.org/ns/shop/sa/sagad,DNS:sagad.example.org,IP:10.1.2.3,IP:fd00::7");
    make_named("cart", "ca", "URI:spiffe://example.org/ns/shop/sa/cart,DNS:cart.example.org,IP:10.1.2.4");
    static const struct {
        const char *identity;
        int sagad, cart, client;
    } cases[] = {{"spiffe://example.org/ns/shop/sa/sagad", 0, 7, 7},
                 {"spiffe://example.org/ns/shop/*", 0, 0, 7},
                 {"sagad.example.org", 0, 7, 7},
                 {"10.1.2.3", 0, 7, 7},
                 {"fd00::7", 0, 7, 7},
                 {"", 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_for(cases[i].identity);
        ck_assert_int_eq(status_of("sagad", "ca.pem"), cases[i].sagad);
        ck_assert_int_eq(status_of("cart", "ca.pem"), cases[i].cart);
        ck_assert_int_eq(status_of("client", "ca.pem"), cases[i].client);
        ck_assert_int_eq(status_of("stranger", "ca.pem"), 4);
    }
    /* What is not said, the environment says. */
    ck_assert_int_eq(setenv("SAGAD_TLS_IDENTITY", "sagad.example.org", 1), 0);
    open_for(NULL);
    ck_assert_int_eq(status_of("sagad", "ca.pem"), 0);
    ck_assert_int_eq(status_of("cart", "ca.pem"), 7);
    ck_assert_int_eq(status_of("stranger", "ca.pem"), 4);
}
END_TEST

/* Whoever calls goes by the whole of a name, however long it is. */
START_TEST(participant_tls__only_who_is_meant_is_called)
{
#define LONG_NAME "spiffe://example.org/ns/a-namespace-of-very-many-letters/sa/the-account-of-a-participant"
    make_named("long", "ca", "URI:" LONG_NAME);
    sh("cp long.pem live.pem && cp long.key live.key");
    open_for("");
    expected = LONG_NAME;
    ck_assert_int_eq(status_of("client", "ca.pem"), 0);
    expected = LONG_NAME "s";
    ck_assert_int_eq(status_of("client", "ca.pem"), 4);
    expected = NULL;
    ck_assert_int_eq(status_of("client", "ca.pem"), 4);
}
END_TEST

START_TEST(participant_tls__files_come_from_the_environment)
{
    saga_participant *other;
    struct saga_participant_options options = {.address = "tls://localhost:0"};
    ck_assert_int_eq(setenv("SAGAD_TLS_CERTIFICATE", path_of("server.pem"), 1), 0);
    ck_assert_int_eq(setenv("SAGAD_TLS_KEY", path_of("server.key"), 1), 0);
    ck_assert_int_eq(setenv("SAGAD_TLS_ROOTS", path_of("nothing.pem"), 1), 0);
    ck_assert_int_eq(saga_participant_open(&options, &other, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "nothing.pem"));
    options.tls_roots = path_of("ca.pem"); /* what is said comes first */
    ck_assert_msg(saga_participant_open(&options, &other, &error) == SAGA_OK, "%s", error.message);
    saga_participant_close(other);
}
END_TEST

/* Roots that are exchanged are in force at the next handshake but for a second. */
START_TEST(participant_tls__files_that_change_are_taken)
{
    time_t began = time(NULL);
    ck_assert_int_eq(status_of("client", "ca.pem"), 0);
    sh("cp ca.pem kept.pem && cp other.pem new.pem && mv new.pem ca.pem");
    while (status_of("client", "kept.pem") == 0)
        ck_assert_msg(time(NULL) - began < 30, "the old roots are in force still");
    ck_assert_int_eq(status_of("stranger", "kept.pem"), 0);
}
END_TEST

/* What a client is told by who answers over TLS and knows no such method: whom it took the client for. */
static int asked_by(saga_client *client)
{
    return saga_get(client, "s-1", NULL, &error);
}

/* A client whose files change goes on as who they say, but for a second; what cannot be used is not taken. */
START_TEST(participant_tls__a_client_renews_its_certificate)
{
    char address[128];
    saga_client *client;
    time_t began = time(NULL);
    make_named("sagad", "ca", "DNS:sagad.example.org");
    open_for("sagad.example.org");
    sh("cp client.pem own.pem && cp client.key own.key");
    snprintf(address, sizeof address, "%s", saga_participant_address(participant));
    const struct saga_client_options options = {.address = address,
                                                .timeout_ms = 5000,
                                                .tls_certificate = path_of("own.pem"),
                                                .tls_key = path_of("own.key"),
                                                .tls_roots = path_of("ca.pem")};
    ck_assert_msg(saga_client_open(&options, &client, &error) == SAGA_OK, "%s", error.message);
    ck_assert_int_eq(asked_by(client), SAGA_E_PERMISSION_DENIED);
    sh("echo nonsense >bad.pem && mv bad.pem own.pem");
    ck_assert_int_eq(asked_by(client), SAGA_E_PERMISSION_DENIED);
    sh("cp sagad.key new.key && cp sagad.pem new.pem && mv new.key own.key && mv new.pem own.pem");
    int code;
    while ((code = asked_by(client)) == SAGA_E_PERMISSION_DENIED)
        ck_assert_msg(time(NULL) - began < 30, "the old certificate is in use still");
    ck_assert_msg(code == SAGA_E_UNIMPLEMENTED, "%d: %s", code, error.message);
    saga_client_close(client);
}
END_TEST

START_TEST(participant_tls__what_cannot_be_used_is_refused_by_name)
{
    saga_participant *other;
    struct saga_participant_options options = {.address = "tls://localhost:0"};
    ck_assert_int_eq(saga_participant_open(&options, &other, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "give tls_certificate, tls_key and tls_roots"));
    options.tls_certificate = path_of("server.pem");
    options.tls_key = path_of("client.key");
    ck_assert_int_eq(saga_participant_open(&options, &other, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "its key is not that of the key file"));
    /* Nobody has to show a certificate: nobody could ever call. */
    options.tls_key = path_of("server.key");
    options.tls_identity = "sagad.example.org";
    ck_assert_int_eq(saga_participant_open(&options, &other, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "tls_identity");
    options = (struct saga_participant_options){.address = "0.0.0.0:0"};
    ck_assert_int_eq(saga_participant_open(&options, &other, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "other machines can reach this address"));
    options = (struct saga_participant_options){.address = "127.0.0.1:0", .tls_identity = "sagad.example.org"};
    ck_assert_int_eq(saga_participant_open(&options, &other, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "tls_identity");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("participant_tls");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, participant_tls__only_who_the_roots_name_is_let_in);
    tcase_add_test(all, participant_tls__only_whom_it_names_may_call);
    tcase_add_test(all, participant_tls__only_who_is_meant_is_called);
    tcase_add_test(all, participant_tls__files_come_from_the_environment);
    tcase_add_test(all, participant_tls__files_that_change_are_taken);
    tcase_add_test(all, participant_tls__a_client_renews_its_certificate);
    tcase_add_test(all, participant_tls__what_cannot_be_used_is_refused_by_name);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
