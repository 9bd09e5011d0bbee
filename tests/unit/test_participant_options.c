/* What a participant takes of its options: each at its bounds and beyond them, every address, with TLS and without, from the program and from the
 * environment; what gRPC is told of it; which steps it takes, and finds again. It is kept in tests/fixtures/client/participants.txt;
 * `build/release/tests/unit/test_participant_options write` writes that anew, for its difference to be read. gRPC does not listen (tests.mk). */
#include "client-lib/src/participant_server.h"
#include "tests/support/kept_text.h"

#include <grpc/grpc_security.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/client/participants.txt";

#define COUNT(list) (sizeof(list) / sizeof *(list))

static FILE *out;
static bool told; /* what gRPC is told is written */
static int port = 4711;

grpc_server *__real_grpc_server_create(const grpc_channel_args *args, void *reserved);
grpc_server *__wrap_grpc_server_create(const grpc_channel_args *args, void *reserved);
int __wrap_grpc_server_add_http2_port(grpc_server *server, const char *address, grpc_server_credentials *credentials);
bool __wrap_certificates_create(const struct certificates_files *files, struct certificates **certificates, char *why);
void __wrap_certificates_destroy(struct certificates *certificates);
grpc_server_credentials *__wrap_transport_server_credentials(const struct transport_credentials *credentials);

grpc_server *__wrap_grpc_server_create(const grpc_channel_args *args, void *reserved)
{
    for (size_t i = 0; told && i < args->num_args; i++)
        fprintf(out, "  %s %d\n", args->args[i].key, args->args[i].value.integer);
    return __real_grpc_server_create(args, reserved);
}

int __wrap_grpc_server_add_http2_port(grpc_server *server, const char *address, grpc_server_credentials *credentials)
{
    (void)server;
    (void)credentials;
    fprintf(out, "  listens at %s\n", address);
    return port;
}

static const char *text(const char *t)
{
    return t == NULL ? "-" : t;
}

bool __wrap_certificates_create(const struct certificates_files *files, struct certificates **certificates, char *why)
{
    static char one[1];
    fprintf(out, "  certificate %s key %s roots %s %d\n", text(files->certificate), text(files->key),
            text(files->roots), files->followers_look);
    strcpy(why, "it is no certificate");
    *certificates = strcmp(files->certificate, "bad") == 0 ? NULL : (struct certificates *)(void *)one;
    return *certificates != NULL;
}

void __wrap_certificates_destroy(struct certificates *certificates)
{
    (void)certificates;
}

grpc_server_credentials *__wrap_transport_server_credentials(const struct transport_credentials *credentials)
{
    fprintf(out, "  security %d certificates %d\n", credentials->security, credentials->certificates != NULL);
    return grpc_insecure_server_credentials_create();
}

static void put_result(int code, const struct saga_error *error)
{
    if (code == SAGA_OK)
        fprintf(out, "  is OK\n");
    else
        fprintf(out, "  is %s %s at %s: %s\n", saga_status_name(code), error->reason, error->field, error->message);
}

static saga_participant *opened(const struct saga_participant_options *options)
{
    saga_participant *p;
    struct saga_error error;
    int code = saga_participant_open(options, &p, &error);
    put_result(code, &error);
    ck_assert_int_eq(p == NULL, code != SAGA_OK);
    return p;
}

static void put_opened(const char *what, const struct saga_participant_options *options)
{
    fprintf(out, "%s\n", what);
    saga_participant *p = opened(options);
    if (p == NULL)
        return;
    const struct saga_participant_options *o = &p->options;
    fprintf(out,
            "  at %s caller %s threads %u queue %u request %u answer %u calls %u pushback %u handshake %u grace %u\n",
            saga_participant_address(p), text(p->caller), o->threads, o->queue_calls_max, o->request_bytes_max,
            o->answer_bytes_max, o->connection_calls_max, o->pushback_ms, o->handshake_timeout_ms, o->stop_grace_ms);
    ck_assert(o->address == NULL && o->tls_certificate == NULL && o->tls_key == NULL && o->tls_roots == NULL &&
              o->tls_identity == NULL);
    saga_participant_close(p);
}

static void put_numbers(void)
{
    static const struct {
        const char *name;
        size_t offset;
        uint32_t values[4];
    } numbers[] = {
#define NUMBER(member, min, max) \
    { \
#member, offsetof(struct saga_participant_options, member), \
        { \
            (min) - 1, min, max, (max) + 1 \
        } \
    }
        NUMBER(threads, 1, 1024),
        NUMBER(queue_calls_max, 1, 65536),
        NUMBER(request_bytes_max, 1024, 64 << 20),
        NUMBER(answer_bytes_max, 1024, 64 << 20),
        NUMBER(connection_calls_max, 1, 65536),
        NUMBER(pushback_ms, 1, 60000),
        NUMBER(handshake_timeout_ms, 100, 600000),
        NUMBER(stop_grace_ms, 1, 3600000),
    };
    char what[80];
    for (size_t i = 0; i < COUNT(numbers); i++)
        for (size_t k = 0; k < 4; k++) {
            struct saga_participant_options o = {.address = NULL};
            memcpy((char *)&o + numbers[i].offset, &numbers[i].values[k], sizeof(uint32_t));
            snprintf(what, sizeof what, "%s = %u", numbers[i].name, numbers[i].values[k]);
            put_opened(what, &o);
        }
    for (size_t i = 0; i < 3; i++) {
        struct saga_participant_options o = {.address = NULL};
        o.reserved[i] = 1;
        put_opened("reserved", &o);
    }
}

static void put_addresses(void)
{
    static const char *const addresses[] = {
        "127.0.0.1:0",
        "[::1]:5",
        "localhost:5",
        "0.0.0.0:5",
        "192.0.2.1:5",
        "tls://127.0.0.1:5",
        "tls://0.0.0.0:5",
        "plaintext://0.0.0.0:5",
        "unix:no/such/place/s",
        "unix:/",
        "unix:",
        "127.0.0.1",
        "127.0.0.1:x",
        "",
        "name:65536",
        "x://a:1",
    };
    char long_address[300], what[400];
    for (size_t i = 0; i < COUNT(addresses); i++)
        for (unsigned with = 0; with < 8; with++) {
            const struct saga_participant_options o = {.address = addresses[i],
                                                       .plaintext_network = (with & 1) != 0,
                                                       .tls_certificate = (with & 2) != 0 ? "c" : NULL,
                                                       .tls_key = (with & 2) != 0 ? "k" : NULL,
                                                       .tls_roots = (with & 2) != 0 ? "r" : NULL,
                                                       .tls_identity = (with & 4) != 0 ? "spiffe://a" : NULL};
            snprintf(what, sizeof what, "address %s%s%s%s", addresses[i], with & 1 ? " plaintext" : "",
                     with & 2 ? " tls" : "", with & 4 ? " identity" : "");
            put_opened(what, &o);
        }
    for (size_t size = 255; size < 258; size++) {
        memset(long_address, '1', sizeof long_address);
        memcpy(long_address + size - 2, ":5", 3);
        snprintf(what, sizeof what, "an address of %zu bytes", strlen(long_address));
        put_opened(what, &(struct saga_participant_options){.address = long_address, .plaintext_network = true});
    }
    port = 0;
    put_opened("where nobody can listen", NULL);
    port = 4711;
}

static const char *const names[] = {"SAGAD_TLS_CERTIFICATE", "SAGAD_TLS_KEY", "SAGAD_TLS_ROOTS", "SAGAD_TLS_IDENTITY"};

static void unset_all(void)
{
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
}

static void put_tls(void)
{
    static const struct saga_participant_options rows[] = {
        {.address = "tls://127.0.0.1:5"},
        {.address = "tls://127.0.0.1:5", .tls_certificate = "given", .tls_key = "given", .tls_roots = "given"},
        {.address = "tls://127.0.0.1:5", .tls_certificate = ""},
        {.address = "tls://127.0.0.1:5", .tls_roots = ""},
        {.address = "tls://127.0.0.1:5", .tls_roots = "", .tls_identity = ""},
        {.address = "tls://127.0.0.1:5", .tls_identity = "given"},
        {.address = "tls://127.0.0.1:5", .tls_certificate = "bad"},
        {.address = "127.0.0.1:5"},
        {.address = "0.0.0.0:5"},
    };
    char what[64];
    for (unsigned set = 0; set < 16; set++) {
        for (size_t i = 0; i < COUNT(names); i++)
            if ((set >> i & 1) != 0)
                ck_assert_int_eq(setenv(names[i], names[i], 1), 0);
            else
                ck_assert_int_eq(unsetenv(names[i]), 0);
        for (size_t i = 0; i < COUNT(rows); i++) {
            snprintf(what, sizeof what, "environment %u, row %zu", set, i);
            put_opened(what, &rows[i]);
        }
    }
    unset_all();
}

/* ---- steps ---- */

static int one(saga_call *call, void *user)
{
    (void)call;
    (void)user;
    return 0;
}

static int two(saga_call *call, void *user)
{
    return one(call, user);
}

static void put_steps(void)
{
    static char user[1];
    static const struct {
        const char *action, *undo;
        saga_step_function act, take_back;
        void *user;
    } rows[] = {
        {NULL, NULL, one, NULL, NULL},
        {"/a.S/Do", NULL, NULL, NULL, NULL},
        {"a.S/Do", NULL, one, NULL, NULL},
        {"/a.S/Do", "/a.S/Undo", one, NULL, NULL},
        {"/a.S/Do", NULL, one, two, NULL},
        {"/a.S/Do", "Undo", one, two, NULL},
        {"/a.S/Do", "/a.S/Undo", one, two, user},
        {"/a.S/Do", "/a.S/Undo", one, two, user},
        {"/a.S/Do", NULL, two, NULL, user},
        {"/a.S/Do", NULL, one, NULL, NULL},
        {"/a.S/Do", "/b.T/Undo", one, two, user},
        {"/c.U/Do", "/a.S/Undo", one, one, user},
        {"/a.S/Undo", "/a.S/Do", two, one, user},
        {"/c.U/Do", NULL, one, NULL, NULL},
    };
    static const char *const services[] = {"a.S", "a", "a.S/", "b.T", "c.U", "d", "", "a.SS"};
    struct saga_error error;
    char method[64];
    fprintf(out, "steps\n");
    saga_participant *p = opened(NULL);
    put_result(saga_participant_start(p, &error), &error);
    put_result(saga_participant_step(NULL, "/a/b", one, NULL, NULL, NULL, &error), &error);
    for (size_t i = 0; i < COUNT(rows); i++) {
        fprintf(out, " %zu", i);
        put_result(saga_participant_step(p, rows[i].action, rows[i].act, rows[i].undo, rows[i].take_back, rows[i].user,
                                         &error),
                   &error);
    }
    for (size_t i = 0; i < p->method_count; i++)
        fprintf(out, "  %s %d %d %d\n", p->methods[i].path, p->methods[i].phase, p->methods[i].function == one,
                p->methods[i].user == user);
    for (size_t i = 0; i < COUNT(services); i++)
        fprintf(out, "  service %s %d\n", services[i], participant_has_service(p, services[i]));
    ck_assert_ptr_null(participant_find(p, "/a.S/Do\0", 8, 1));
    ck_assert_ptr_null(participant_find(p, "/a.S/Do", 6, 1));
    for (unsigned i = 0; p->method_count < PARTICIPANT_METHODS_MAX; i++) {
        snprintf(method, sizeof method, "/m.S/Do%u", i * 7919 % 1024);
        ck_assert_int_eq(saga_participant_step(p, method, one, NULL, NULL, NULL, &error), SAGA_OK);
    }
    put_result(saga_participant_step(p, "/a.S/Do", one, NULL, NULL, user, &error), &error);
    put_result(saga_participant_step(p, "/z/z", one, NULL, NULL, NULL, &error), &error);
    for (size_t i = 0; i < p->method_count; i++)
        ck_assert_ptr_eq(participant_find(p, p->methods[i].path, strlen(p->methods[i].path), p->methods[i].phase),
                         &p->methods[i]);
    saga_participant_stop(p);
    saga_participant_close(p);
    saga_participant_close(NULL);
    saga_participant_stop(NULL);
    put_result(saga_participant_open(NULL, NULL, &error), &error);
}

static void put_all(FILE *to)
{
    out = to;
    unset_all();
    told = true;
    put_opened("defaults", NULL);
    put_opened("others", &(struct saga_participant_options){.request_bytes_max = 5000,
                                                            .answer_bytes_max = 6000,
                                                            .connection_calls_max = 7,
                                                            .handshake_timeout_ms = 800});
    told = false;
    put_numbers();
    put_addresses();
    put_tls();
    put_steps();
}

START_TEST(participant__takes_these_options)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "participant_options", participant__takes_these_options);
}
