/* What C core is told of a server, of a target's channel and of another sidecar's: it keeps the bounds that are not kept here. tests.mk wraps
 * what makes them. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/rpc_world.h"

#include <arpa/inet.h>
#include <check.h>
#include <grpc/grpc_security.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ARGS_MAX = 32, QUOTAS = 2 };

/* What the last of them was told. */
struct told {
    int times;
    struct {
        char key[96], text[96];
        int number;
        const void *pointer;
    } args[ARGS_MAX];
    size_t count;
};

static struct world w;
static struct told server, channel;
static const void *quotas[QUOTAS]; /* that were given a size */
static size_t quota_sizes[QUOTAS], quota_count;
static uint64_t version; /* of the certificates that there are */

static void note(struct told *told, const grpc_channel_args *args)
{
    told->times++;
    ck_assert_uint_le(args->num_args, ARGS_MAX);
    told->count = args->num_args;
    memset(told->args, 0, sizeof told->args);
    for (size_t i = 0; i < args->num_args; i++) {
        const grpc_arg *arg = &args->args[i];
        strcpy(told->args[i].key, arg->key);
        if (arg->type == GRPC_ARG_INTEGER)
            told->args[i].number = arg->value.integer;
        else if (arg->type == GRPC_ARG_STRING)
            strcpy(told->args[i].text, arg->value.string);
        else
            told->args[i].pointer = arg->value.pointer.p;
    }
}

/* The place of key, which is told once. */
static size_t place_of(const struct told *told, const char *key)
{
    size_t place = told->count;
    for (size_t i = 0; i < told->count; i++)
        if (strcmp(told->args[i].key, key) == 0) {
            ck_assert_msg(place == told->count, "%s is told twice", key);
            place = i;
        }
    return place;
}

static bool is_told(const struct told *told, const char *key)
{
    return place_of(told, key) < told->count;
}

struct row {
    const char *key;
    int number;
};

#define ARE_TOLD(told, rows) are_told(told, rows, sizeof(rows) / sizeof *(rows))
static void are_told(const struct told *told, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(is_told(told, rows[i].key), "%s is not told", rows[i].key);
        int number = told->args[place_of(told, rows[i].key)].number;
        ck_assert_msg(number == rows[i].number, "%s is %d and not %d", rows[i].key, number, rows[i].number);
    }
}

grpc_server *__real_grpc_server_create(const grpc_channel_args *args, void *reserved);
grpc_channel *__real_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args);
void __real_grpc_resource_quota_resize(grpc_resource_quota *quota, size_t size);
grpc_server *__wrap_grpc_server_create(const grpc_channel_args *args, void *reserved);
grpc_channel *__wrap_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args);
void __wrap_grpc_resource_quota_resize(grpc_resource_quota *quota, size_t size);
grpc_server_credentials *__wrap_transport_server_credentials(const struct transport_credentials *credentials);
grpc_channel_credentials *__wrap_transport_channel_credentials(const struct transport_credentials *c, const char *host);
uint64_t __wrap_certificates_version(struct certificates *c);

grpc_server *__wrap_grpc_server_create(const grpc_channel_args *args, void *reserved)
{
    note(&server, args);
    return __real_grpc_server_create(args, reserved);
}

grpc_channel *__wrap_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args)
{
    if (args != NULL)
        note(&channel, args);
    return __real_grpc_channel_create(name, c, args);
}

void __wrap_grpc_resource_quota_resize(grpc_resource_quota *quota, size_t size)
{
    ck_assert_uint_lt(quota_count, QUOTAS);
    quotas[quota_count] = quota;
    quota_sizes[quota_count++] = size;
    __real_grpc_resource_quota_resize(quota, size);
}

/* No certificates are needed to say that there are some. */
grpc_server_credentials *__wrap_transport_server_credentials(const struct transport_credentials *credentials)
{
    (void)credentials;
    return grpc_insecure_server_credentials_create();
}

grpc_channel_credentials *__wrap_transport_channel_credentials(const struct transport_credentials *c, const char *host)
{
    (void)c;
    (void)host;
    return grpc_insecure_credentials_create();
}

uint64_t __wrap_certificates_version(struct certificates *c)
{
    (void)c;
    return version;
}

static void setup(void)
{
    quota_count = 0;
    world_init(&w);
    w.options.message_bytes_max = 1234567;
    w.options.incoming_bytes_max = 87654321;
    w.options.connection_streams_max = 77;
    w.options.metadata_bytes_max = 23456;
    w.options.handshake_timeout = SPAN_MS(3456);
    w.options.keepalive_time = SPAN_MS(45678);
    w.options.keepalive_timeout = SPAN_MS(9876);
    w.options.connect_timeout = SPAN_MS(2345);
    w.options.tls_connection_age = SPAN_S(3600);
}

/* Somebody begins to speak: his entrance is made. */
static void make_entrance(const struct transport_credentials *credentials, char word)
{
    w.credentials = credentials;
    world_open(&w, false);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)w.port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (credentials == NULL)
        ck_assert_int_eq(send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, 0), 24);
    else
        ck_assert_int_eq(send(fd, &word, 1, 0), 1);
    WORLD_UNTIL(&w, server.times == 1);
    close(fd);
}

START_TEST(rpc_settings__a_server_keeps_the_bounds_of_the_options)
{
    static const struct row rows[] = {
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, 77},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 1234567},
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
        {GRPC_ARG_MAX_METADATA_SIZE, 23456},
        {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 3456},
        {GRPC_ARG_KEEPALIVE_TIME_MS, 45678},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 9876},
        {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
        {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000}, /* docs/api.md */
        {GRPC_ARG_ALLOW_REUSEPORT, 0},
        {GRPC_ARG_MAX_CONNECTION_AGE_MS, INT_MAX},
    };
    make_entrance(NULL, 0);
    ARE_TOLD(&server, rows);
    world_close(&w);
}
END_TEST

/* Whoever was admitted by a certificate is asked for it again after a while. */
START_TEST(rpc_settings__a_connection_over_tls_grows_old)
{
    static const struct transport_credentials tls = {.security = TRANSPORT_TLS};
    static const struct row rows[] = {{GRPC_ARG_MAX_CONNECTION_AGE_MS, 3600000}, {GRPC_ARG_MAX_CONCURRENT_STREAMS, 77}};
    make_entrance(&tls, 22);
    ARE_TOLD(&server, rows);
    world_close(&w);
}
END_TEST

/* What a number of C core's cannot say is the most that it can. */
START_TEST(rpc_settings__what_is_out_of_range_is_as_much_as_there_is)
{
    static const struct row rows[] = {
        {GRPC_ARG_MAX_CONCURRENT_STREAMS, INT_MAX},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, INT_MAX},
        {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, INT_MAX},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1},
    };
    w.options.connection_streams_max = w.options.message_bytes_max = UINT32_MAX;
    w.options.handshake_timeout = SPAN_S(INT_MAX);
    w.options.keepalive_timeout = SPAN_MS(0);
    make_entrance(NULL, 0);
    ARE_TOLD(&server, rows);
    struct world_answer a;
    world_call_out(&w, world_target(&w, "127.0.0.1:1"), "/t.T/Echo", "x", SPAN_S(5), &a);
    ARE_TOLD(&channel, ((const struct row[]){{GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, INT_MAX}}));
    WORLD_UNTIL(&w, a.count == 1);
    world_close(&w);
}
END_TEST

static const struct row of_channels[] = {
    {GRPC_ARG_ENABLE_RETRIES, 0},
    {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
    {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
    {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
    {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
    {GRPC_ARG_MAX_METADATA_SIZE, 23456},
    {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 9876},
    {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2345},
    {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100},
    {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000}, /* "about once a second": rpc.h */
};

static void call(const char *address)
{
    struct world_answer a;
    channel.times = 0;
    world_call_out(&w, world_target(&w, address), "/t.T/Echo", "x", SPAN_S(5), &a);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_ge(channel.times, 1);
}

/* It is pinged no more often than servers permit, and called by the name that it is configured by. */
START_TEST(rpc_settings__a_target_is_connected_by_the_options)
{
    static const struct {
        const char *address, *authority;
    } rows[] = {{"127.0.0.1:1", "127.0.0.1:1"}, {"[::1]:1", "[::1]:1"}, {"localhost:1", "localhost:1"}};
    world_open(&w, false);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        call(rows[i].address);
        ARE_TOLD(&channel, of_channels);
        ARE_TOLD(&channel, ((const struct row[]){{GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 1234567},
                                                 {GRPC_ARG_KEEPALIVE_TIME_MS, 300000}}));
        ck_assert(is_told(&channel, GRPC_ARG_DEFAULT_AUTHORITY));
        ck_assert_str_eq(channel.args[place_of(&channel, GRPC_ARG_DEFAULT_AUTHORITY)].text, rows[i].authority);
    }
    call("unix:/tmp/nobody.is.here"); /* which has none */
    ck_assert(!is_told(&channel, GRPC_ARG_DEFAULT_AUTHORITY));
    world_close(&w);
    setup();
    w.options.keepalive_time = SPAN_S(301);
    world_open(&w, false);
    call("127.0.0.1:1");
    ARE_TOLD(&channel, ((const struct row[]){{GRPC_ARG_KEEPALIVE_TIME_MS, 301000}}));
    world_close(&w);
}
END_TEST

/* How many connections that made. */
static int connections_of_a_call(struct rpc_target *target)
{
    struct world_answer a;
    channel.times = 0;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(20), &a);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.status, 0);
    return channel.times;
}

/* Once, and what is out goes on over the connection on which it left. Who has no certificates, or is called no more, has none that change. */
START_TEST(rpc_settings__new_certificates_are_a_new_connection)
{
    static int some;
    struct error_detail detail;
    struct rpc_target *target;
    struct world_answer held;
    const struct transport_credentials tls = {.certificates = (struct certificates *)(void *)&some};
    version = 7;
    world_open(&w, true);
    const struct rpc_peer_address to = {.address = w.address, .credentials = &tls, .number = WORLD_TARGET};
    ck_assert_int_eq(rpc_target_create(w.rpc, &to, &target, &detail), 0);
    struct rpc_target *plain = world_target(&w, w.address);
    ck_assert_int_eq(connections_of_a_call(target), 1);
    ck_assert_int_eq(connections_of_a_call(plain), 1);
    rpc_targets_renew(w.rpc);
    ck_assert_int_eq(connections_of_a_call(target), 0);
    world_call_out(&w, target, "/t.T/Hold", "x", SPAN_S(20), &held);
    WORLD_UNTIL(&w, w.held_count == 1);
    version++;
    rpc_targets_renew(w.rpc);
    ck_assert_int_eq(connections_of_a_call(target), 1);
    ck_assert_int_eq(connections_of_a_call(plain), 0);
    rpc_targets_renew(w.rpc);
    ck_assert_int_eq(connections_of_a_call(target), 0);
    ck_assert_int_eq(held.count, 0);
    rpc_reply(w.held[0].call, bytes_of_text("y"));
    w.held[0].call = NULL;
    WORLD_UNTIL(&w, held.count == 1);
    ck_assert_int_eq(held.status, 0);
    rpc_target_retire(target);
    version++;
    channel.times = 0;
    rpc_targets_renew(w.rpc);
    ck_assert_int_eq(channel.times, 0);
    world_close(&w);
}
END_TEST

static void on_end(void *self, void *tag, const struct rpc_told *told)
{
    (void)self;
    (void)told;
    *(int *)tag = 1;
}

/* A sidecar of the fleet permits what this one does, and its answers were bounded by it. */
START_TEST(rpc_settings__another_sidecar_is_connected_by_the_options)
{
    static const struct rpc_asker asker = {.on_end = on_end};
    static const struct rpc_peer nobody;
    int over = 0;
    world_open(&w, true);
    const struct rpc_forward_to to = {
        .address = w.address, .credentials = &transport_plaintext, .peer = &nobody, .timeout = SPAN_S(20)};
    rpc_forward(w.rpc, &to, &w.options.methods[0], bytes_of_text("x"), &asker, &over);
    WORLD_UNTIL(&w, over);
    ARE_TOLD(&channel, of_channels);
    ARE_TOLD(&channel, ((const struct row[]){{GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, INT_MAX},
                                             {GRPC_ARG_KEEPALIVE_TIME_MS, 45678}}));
    /* What it sends is within what comes in of targets. */
    ck_assert_uint_eq(quota_count, 2);
    ck_assert(is_told(&channel, GRPC_ARG_RESOURCE_QUOTA));
    ck_assert_ptr_eq(channel.args[place_of(&channel, GRPC_ARG_RESOURCE_QUOTA)].pointer, quotas[1]);
    world_close(&w);
}
END_TEST

/* What comes in is bounded of all clients together, and of all targets beside that. */
START_TEST(rpc_settings__what_comes_in_is_bounded_of_clients_and_of_targets)
{
    make_entrance(NULL, 0);
    call("127.0.0.1:1");
    ck_assert_uint_eq(quota_count, 2);
    ck_assert_ptr_ne(quotas[0], quotas[1]);
    ck_assert(quota_sizes[0] == 87654321 && quota_sizes[1] == 87654321);
    ck_assert_ptr_eq(server.args[place_of(&server, GRPC_ARG_RESOURCE_QUOTA)].pointer, quotas[0]);
    ck_assert_ptr_eq(channel.args[place_of(&channel, GRPC_ARG_RESOURCE_QUOTA)].pointer, quotas[1]);
    world_close(&w);
    setup();
    w.options.incoming_bytes_max = 0; /* no bound */
    world_open(&w, false);
    ck_assert_uint_eq(quota_count, 0);
    world_close(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_settings");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, rpc_settings__a_server_keeps_the_bounds_of_the_options);
    tcase_add_test(t, rpc_settings__a_connection_over_tls_grows_old);
    tcase_add_test(t, rpc_settings__what_is_out_of_range_is_as_much_as_there_is);
    tcase_add_test(t, rpc_settings__a_target_is_connected_by_the_options);
    tcase_add_test(t, rpc_settings__new_certificates_are_a_new_connection);
    tcase_add_test(t, rpc_settings__another_sidecar_is_connected_by_the_options);
    tcase_add_test(t, rpc_settings__what_comes_in_is_bounded_of_clients_and_of_targets);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
