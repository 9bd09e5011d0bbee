/* What the room does on its own: where it listens, health, reflection. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/rpc_world.h"

#include "descriptors.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world w;

static void setup(void)
{
    world_init(&w);
}

/* ---- listening ---- */

/* A name that stands for 127.0.0.1 and 127.0.0.2, whatever this machine knows of names. tests.mk wraps this. */
#define TWO_NAME "two.test"
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    if (strcmp(host, TWO_NAME) != 0)
        return __real_getaddrinfo(host, service, hints, out);
    int error = __real_getaddrinfo("127.0.0.1", service, hints, out);
    return error != 0 ? error : __real_getaddrinfo("127.0.0.2", service, hints, &(*out)->ai_next);
}

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/test_rpc_room.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int listen_in(struct rpc *r, const char *address, int *port, struct error_detail *detail)
{
    return rpc_listen(r, &(struct rpc_listener){.address = address, .credentials = &transport_plaintext}, port, detail);
}

/* Listens at address in a room of its own that is taken down at once. Returns the code, with the words in *detail. */
static int listen_at(const char *address, struct error_detail *detail)
{
    const struct rpc_callbacks none = {0};
    struct rpc *r;
    int port = 0;
    memset(detail, 0, sizeof *detail);
    ck_assert_int_eq(rpc_create(&w.options, &none, &r), 0);
    int rc = listen_in(r, address, &port, detail);
    rpc_destroy(r);
    return rc;
}

START_TEST(rpc_room__unix_socket_is_for_its_owner_alone)
{
    struct stat st;
    mode_t before = umask(0);
    world_open(&w, true);
    ck_assert_int_eq(stat(w.address + 5, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_uint_eq(umask(before), 0); /* and the process's mask is what it was */
    world_close(&w);
    ck_assert_int_ne(access(w.address + 5, F_OK), 0);
}
END_TEST

START_TEST(rpc_room__unix_socket_is_open_to_whom_its_listener_says)
{
    const struct rpc_callbacks none = {0};
    struct error_detail detail;
    struct stat st;
    struct rpc *r;
    char address[128];
    int port;
    make_folder();
    snprintf(address, sizeof address, "unix:%s/s.sock", folder);
    ck_assert_int_eq(rpc_create(&w.options, &none, &r), 0);
    const struct rpc_listener listener = {.address = address, .credentials = &transport_plaintext, .access = 0060};
    ck_assert_int_eq(rpc_listen(r, &listener, &port, &detail), 0);
    ck_assert_int_eq(stat(address + strlen("unix:"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
    rpc_destroy(r);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(rpc_room__socket_file_that_a_dead_process_left_is_removed)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct client_call c;
    struct error_detail detail;
    char address[128];
    make_folder();
    snprintf(at.sun_path, sizeof at.sun_path, "%s/s.sock", folder);
    snprintf(address, sizeof address, "unix:%s", at.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    /* Somebody answers there: it stays. */
    ck_assert_int_eq(listen_at(address, &detail), E_SYSTEM);
    ck_assert_msg(strstr(detail.text, "another process listens there") != NULL, "%s", detail.text);
    ck_assert_ptr_nonnull(strstr(detail.text, address));
    ck_assert_int_eq(access(at.sun_path, F_OK), 0);
    close(fd);
    ck_assert_int_eq(access(at.sun_path, F_OK), 0);
    ck_assert_int_eq(listen_at(address, &detail), 0);
    rmdir(folder);

    /* One that has no room for who knocks is there all the same. */
    make_folder();
    snprintf(at.sun_path, sizeof at.sun_path, "%s/busy.sock", folder);
    snprintf(address, sizeof address, "unix:%s", at.sun_path);
    int busy = socket(AF_UNIX, SOCK_STREAM, 0), who[8], count = 0;
    ck_assert_int_eq(bind(busy, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(busy, 0), 0);
    do
        who[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    while (connect(who[count++], (struct sockaddr *)&at, sizeof at) == 0 && count < 8);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(listen_at(address, &detail), E_SYSTEM);
    ck_assert_msg(strstr(detail.text, "another process listens there") != NULL, "%s", detail.text);
    while (count > 0)
        close(who[--count]);
    close(busy);
    unlink(at.sun_path);
    rmdir(folder);

    /* A whole room in its place serves. */
    world_open(&w, true);
    ck_assert_int_eq(listen_at(w.address, &detail), E_SYSTEM);
    client_unary(&c, &w, "/t.T/Echo", bytes_of_text("still here"));
    ck_assert_str_eq(c.message.at, "still here");
    world_close(&w);
}
END_TEST

START_TEST(rpc_room__address_that_cannot_be_used_is_refused_in_words)
{
    struct error_detail detail;
    char address[300];
    make_folder();
    snprintf(address, sizeof address, "unix:%s/file", folder);
    FILE *file = fopen(address + 5, "w");
    fputs("precious", file);
    fclose(file);
    ck_assert_int_eq(listen_at(address, &detail), E_SYSTEM);
    ck_assert_msg(strstr(detail.text, "is not a socket") != NULL, "%s", detail.text);
    ck_assert_int_eq(access(address + 5, F_OK), 0);
    unlink(address + 5);
    /* A socket of another kind is somebody's as well: nobody can be asked there whether he lives. */
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/log", folder);
    snprintf(address, sizeof address, "unix:%s", at.sun_path);
    int log = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(log, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen_at(address, &detail), E_SYSTEM);
    ck_assert_int_eq(access(at.sun_path, F_OK), 0);
    close(log);
    unlink(at.sun_path);
    rmdir(folder);

    snprintf(address, sizeof address, "unix:/tmp/%0200d", 1);
    ck_assert_int_eq(listen_at(address, &detail), E_SYSTEM);
    ck_assert_msg(strstr(detail.text, "107 bytes") != NULL, "%s", detail.text);
    ck_assert_int_eq(listen_at("unix:/nowhere-at-all/s.sock", &detail), E_SYSTEM);
    ck_assert_int_eq(listen_at("unix:", &detail), E_SYSTEM);
    ck_assert_int_eq(listen_at("7240", &detail), E_SYSTEM);
    ck_assert_int_eq(listen_at("127.0.0.1:", &detail), E_SYSTEM);
    ck_assert_int_eq(listen_at("127.0.0.1:seven", &detail), E_SYSTEM);
    ck_assert_int_eq(listen_at("[::1:7240", &detail), E_SYSTEM);

    world_open(&w, false);
    ck_assert_int_eq(listen_at(w.address, &detail), E_SYSTEM);
    ck_assert_msg(strstr(detail.text, "another process listens there: stop it") != NULL, "%s", detail.text);
    world_close(&w);
}
END_TEST

START_TEST(rpc_room__listens_at_several_addresses)
{
    const struct rpc_callbacks none = {0};
    struct error_detail detail = {0};
    struct rpc *r;
    int four = 0, six = 0;
    ck_assert_int_eq(rpc_create(&w.options, &none, &r), 0);
    ck_assert_int_eq(listen_in(r, "127.0.0.1:0", &four, &detail), 0);
    if (listen_in(r, "[::1]:0", &six, &detail) == 0)
        ck_assert_int_gt(six, 0);
    else
        ck_assert_ptr_nonnull(strstr(detail.text, "assign")); /* a machine without IPv6 */
    ck_assert_int_gt(four, 0);
    /* All addresses of either family on one port: IPv6 leaves IPv4 to whoever wants that. */
    if (six > 0) {
        char all[32];
        ck_assert_int_eq(listen_in(r, "[::]:0", &six, &detail), 0);
        snprintf(all, sizeof all, "0.0.0.0:%d", six);
        ck_assert_msg(listen_in(r, all, &six, &detail) == 0, "%s", detail.text);
    }
    ck_assert_int_eq(listen_in(r, "localhost:0", &six, &detail), 0);
    ck_assert_int_gt(six, 0);
    ck_assert_int_ne(six, four);
    rpc_start(r);
    rpc_destroy(r);
}
END_TEST

/* A socket at 127.0.0.LAST, which listens at this port (0: any), or is connected to who does. Returns -1 when that fails. */
static int socket_at(int last, int *port, bool listens)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (uint32_t)last);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool good = listens ? bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 1) == 0 &&
                              getsockname(fd, (struct sockaddr *)&at, &size) == 0
                        : connect(fd, (struct sockaddr *)&at, size) == 0;
    *port = ntohs(at.sin_port);
    if (!good)
        close(fd);
    return good ? fd : -1;
}

/* Of a name with several addresses all are listened at, on one port. Where another process has one of them it would get the clients that are
 * sent there. */
START_TEST(rpc_room__name_is_listened_at_with_all_of_its_addresses)
{
    const struct rpc_callbacks none = {0};
    struct error_detail detail = {0};
    struct rpc *r;
    int port = 0;
    ck_assert_int_eq(rpc_create(&w.options, &none, &r), 0);
    ck_assert_msg(listen_in(r, TWO_NAME ":0", &port, &detail) == 0, "%s", detail.text);
    for (int last = 1; last <= 2; last++) {
        int client = socket_at(last, &port, false);
        ck_assert_msg(client >= 0, "127.0.0.%d", last);
        close(client);
    }
    rpc_destroy(r);
    for (int last = 1; last <= 2; last++) {
        char address[32];
        int taken = 0, other = socket_at(last, &taken, true);
        ck_assert_int_ge(other, 0);
        snprintf(address, sizeof address, TWO_NAME ":%d", taken);
        ck_assert_int_eq(listen_at(address, &detail), E_SYSTEM);
        ck_assert_msg(strstr(detail.text, "another process listens there: stop it") != NULL, "%s", detail.text);
        close(other);
    }
}
END_TEST

START_TEST(rpc_room__socket_of_another_stays_when_it_stops)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    world_open(&w, true);
    memcpy(at.sun_path, w.address + strlen("unix:"), strlen(w.address) - strlen("unix:"));
    /* Somebody has cleared the place, and another process serves there now. */
    ck_assert_int_eq(unlink(at.sun_path), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    rpc_stop(w.rpc);
    ck_assert_int_eq(access(at.sun_path, F_OK), 0);
    close(fd);
    world_close(&w);
}
END_TEST

/* Each connection is for the next room. */
START_TEST(rpc_room__rooms_that_share_a_door_take_turns)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    enum { ROOMS = 3, CONNECTIONS = 6 };
    const struct rpc_callbacks none = {0};
    struct error_detail detail;
    struct rpc *rooms[ROOMS];
    int port = 0, fds[CONNECTIONS], greeted = 0;
    for (unsigned k = 0; k < ROOMS; k++)
        ck_assert_int_eq(rpc_create(&w.options, &none, &rooms[k]), 0);
    ck_assert_int_eq(listen_in(rooms[0], "127.0.0.1:0", &port, &detail), 0);
    for (unsigned k = 1; k < ROOMS; k++) {
        rpc_start(rooms[k]);
        rpc_share_door(rooms[0], rooms[k]);
    }
    rpc_start(rooms[0]);
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(fds[i], (const struct sockaddr *)&at, sizeof at), 0);
        ck_assert_int_eq(send(fds[i], preface, sizeof preface, 0), sizeof preface);
    }
    gpr_timespec end = world_deadline(20);
    while (greeted < CONNECTIONS && gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), end) < 0) {
        for (unsigned k = 0; k < ROOMS; k++)
            rpc_poll(rooms[k], SPAN_MS(1));
        char head[9];
        greeted = 0;
        for (unsigned i = 0; i < CONNECTIONS; i++)
            greeted += recv(fds[i], head, sizeof head, MSG_DONTWAIT | MSG_PEEK) > 0;
    }
    ck_assert_int_eq(greeted, CONNECTIONS);
    for (unsigned k = 0; k < ROOMS; k++)
        ck_assert_uint_eq(rooms[k]->entrances_made, 1); /* somebody has come in */
    for (unsigned i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    for (unsigned k = 0; k < ROOMS; k++)
        rpc_stop(rooms[k]);
    for (unsigned k = ROOMS; k-- > 0;)
        rpc_destroy(rooms[k]);
}
END_TEST

/* ---- who is there ---- */

static struct rpc_peer peer_of_a_call(void)
{
    struct client_call c;
    struct rpc_peer peer;
    client_start(&c, &w, "/t.T/Hold", 0);
    client_receive(&c);
    client_send(&c, bytes_of_text("x"), true);
    WORLD_UNTIL(&w, w.held_count == 1 && w.held[0].messages == 1);
    peer = *rpc_call_peer(w.held[0].call);
    rpc_reply(w.held[0].call, bytes_of_text("y"));
    w.held_count = 0;
    memset(w.held, 0, sizeof w.held);
    client_finish(&c);
    return peer;
}

/* Another user of the machine, who speaks HTTP/2 by hand. */
enum { NOBODY = 65534 };

static _Noreturn void call_as(uid_t user, gid_t group, int go)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    /* HEADERS of a POST to /t.T/Hold, literal and without indexing, then DATA: an empty message, the last. */
    static const char request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                                  "\0\0\x44\1\4\0\0\0\1\x83\x86\x44\x09/t.T/Hold\x41\x09localhost"
                                  "\0\2te\x08trailers\0\x0c"
                                  "content-type\x10"
                                  "application/grpc"
                                  "\0\0\5\0\1\0\0\0\1\0\0\0\0\0";
    if (read(go, at.sun_path, sizeof at.sun_path) <= 0 || setgid(group) != 0 || setuid(user) != 0)
        _exit(1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        write(fd, request, sizeof request - 1) != (ssize_t)(sizeof request - 1))
        _exit(2);
    char junk[512];
    while (read(fd, junk, sizeof junk) > 0)
        ;
    _exit(0);
}

START_TEST(rpc_room__peers_of_one_socket_are_told_apart)
{
    static const struct {
        uid_t user;
        gid_t group;
    } others[] = {{0, NOBODY}, {NOBODY, NOBODY}, {NOBODY, 1}};
    enum { OTHERS = sizeof others / sizeof others[0] };
    int go[OTHERS][2], status;
    pid_t children[OTHERS];
    struct rpc_peer peer;
    if (geteuid() != 0) /* nobody else can be played */
        return;
    for (int i = 0; i < OTHERS; i++) {
        ck_assert_int_eq(pipe(go[i]), 0);
        children[i] = fork();
        if (children[i] == 0)
            call_as(others[i].user, others[i].group, go[i][0]);
    }
    world_open(&w, true);
    ck_assert_int_eq(chmod(w.folder, 0755), 0);
    ck_assert_int_eq(chmod(w.address + strlen("unix:"), 0666), 0);
    peer = peer_of_a_call();
    ck_assert_uint_eq(peer.uid, 0);
    ck_assert_uint_eq(peer.gid, getegid());
    for (int i = 0; i < OTHERS; i++) {
        ck_assert_int_gt(write(go[i][1], w.address + strlen("unix:"), strlen(w.address + strlen("unix:")) + 1), 0);
        WORLD_UNTIL(&w, w.held_count == i + 1 && w.held[i].messages == 1);
        peer = *rpc_call_peer(w.held[i].call);
        ck_assert_uint_eq(peer.uid, others[i].user);
        ck_assert_uint_eq(peer.gid, others[i].group);
        ck_assert_uint_eq(peer.role, WORLD_ROLE);
    }
    world_close(&w);
    for (int i = 0; i < OTHERS; i++) {
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        close(go[i][0]);
        close(go[i][1]);
    }
}
END_TEST

/* Of whatever kind the ninth is. */
START_TEST(rpc_room__eight_addresses_are_enough)
{
    const struct rpc_callbacks none = {0};
    struct error_detail detail;
    struct rpc *r;
    char ninth[80];
    int port = 0;
    ck_assert_int_eq(rpc_create(&w.options, &none, &r), 0);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(listen_in(r, "127.0.0.1:0", &port, &detail), 0);
    make_folder();
    snprintf(ninth, sizeof ninth, "unix:%s/s", folder);
    const char *const addresses[] = {"127.0.0.1:0", ninth};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(listen_in(r, addresses[i], &port, &detail), E_SYSTEM);
        ck_assert_ptr_nonnull(strstr(detail.text, "there are enough addresses to listen at"));
    }
    rpc_destroy(r);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* Though the kernel still keeps the ends of connections that were closed there. */
START_TEST(rpc_room__address_of_late_can_be_listened_at_again)
{
    struct error_detail detail;
    world_open(&w, false);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w.port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    char address[sizeof w.address], said[256];
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0"; /* and its settings */
    ck_assert_int_eq(send(fd, hello, sizeof hello, 0), sizeof hello);
    WORLD_UNTIL(&w, recv(fd, said, sizeof said, MSG_DONTWAIT) > 0);
    strcpy(address, w.address);
    world_close(&w); /* this side closes first: so the connection's end stays here */
    while (recv(fd, said, sizeof said, 0) > 0)
        ;
    close(fd);
    ck_assert_msg(listen_at(address, &detail) == 0, "%s", detail.text);
}
END_TEST

/* ---- with a library whose acceptor is not what it should be ---- */

START_TEST(rpc_room__core_accepts_where_the_room_cannot)
{
    struct error_detail detail;
    struct client_call c;
    for (int unix_socket = 0; unix_socket < 2; unix_socket++) {
        world_init(&w);
        w.options.core_accepts = true;
        world_open(&w, unix_socket);
        ck_assert(!rpc_accepts_itself(w.rpc));
        client_unary(&c, &w, "/t.T/Echo", bytes_of_text("x"));
        ck_assert_int_eq(c.status, GRPC_STATUS_OK);
        struct rpc_peer peer = peer_of_a_call();
        ck_assert_int_eq((int)peer.transport, unix_socket ? RPC_TRANSPORT_UNIX : RPC_TRANSPORT_TCP);
        ck_assert_uint_eq(peer.role, WORLD_ROLE);
        ck_assert(!peer.has_user);
        /* Nobody else gets the place, whichever way it accepts. */
        ck_assert_int_eq(listen_at(w.address, &detail), E_SYSTEM);
        w.options.core_accepts = false;
        ck_assert_int_eq(listen_at(w.address, &detail), E_SYSTEM);
        if (unix_socket) {
            struct stat st;
            ck_assert_int_eq(stat(w.address + strlen("unix:"), &st), 0);
            ck_assert_uint_eq(st.st_mode & 0777, 0600);
        }
        world_close(&w);
    }
}
END_TEST

/* ---- health ---- */

static struct bytes ask_health(const char *service, uint8_t at[256])
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    return bytes_of(at, grpc__health__v1__health_check_request__pack(&request, at));
}

static int state_in(const struct client_call *c)
{
    Grpc__Health__V1__HealthCheckResponse *response =
        grpc__health__v1__health_check_response__unpack(NULL, c->message.size, (const uint8_t *)c->message.at);
    ck_assert_ptr_nonnull(response);
    int state = (int)response->status;
    grpc__health__v1__health_check_response__free_unpacked(response, NULL);
    return state;
}

enum { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

START_TEST(rpc_room__health_is_checked)
{
    static const struct {
        const char *service;
        int status, state;
    } cases[] = {{"", 0, SERVING}, {"t.T", 0, NOT_SERVING}, {"t.Other", 5, 0}};
    uint8_t at[256];
    world_open(&w, false);
    rpc_set_serving(w.rpc, NULL, false);
    rpc_set_serving(w.rpc, NULL, true);
    rpc_set_serving(w.rpc, "t.T", false);
    for (size_t i = 0; i < 3; i++) {
        struct client_call c;
        client_unary(&c, &w, "/grpc.health.v1.Health/Check", ask_health(cases[i].service, at));
        ck_assert_int_eq((int)c.status, cases[i].status);
        if (cases[i].status == 0)
            ck_assert_int_eq(state_in(&c), cases[i].state);
    }
    struct client_call c;
    client_unary(&c, &w, "/grpc.health.v1.Health/Check", bytes_of_text("\x0a\xff"));
    ck_assert_int_eq(c.status, GRPC_STATUS_INVALID_ARGUMENT);
    ck_assert(rpc_idle(w.rpc)); /* the owner's calls are what counts */
    world_close(&w);
}
END_TEST

START_TEST(rpc_room__health_watch_tells_every_change)
{
    struct client_call c, other;
    uint8_t at[256];
    world_open(&w, false);
    client_start(&c, &w, "/grpc.health.v1.Health/Watch", 0);
    client_send(&c, ask_health("t.T", at), true);
    client_receive(&c);
    WORLD_UNTIL(&w, c.received == 1);
    ck_assert_int_eq(state_in(&c), SERVICE_UNKNOWN);
    static const int states[] = {SERVING, NOT_SERVING, SERVING};
    for (int i = 0; i < 3; i++) {
        rpc_set_serving(w.rpc, "t.T", states[i] == SERVING);
        rpc_set_serving(w.rpc, "t.T", states[i] == SERVING); /* no change, no message */
        rpc_set_serving(w.rpc, "t.Other", i == 1);
        client_receive(&c);
        WORLD_UNTIL(&w, c.received == 2 + i);
        ck_assert_int_eq(state_in(&c), states[i]);
    }
    /* One that goes away by itself, and one that is there when the server stops. */
    client_start(&other, &w, "/grpc.health.v1.Health/Watch", 0);
    client_send(&other, ask_health("", at), true);
    client_receive(&other);
    WORLD_UNTIL(&w, other.received == 1);
    client_cancel(&other);
    client_finish(&other);
    rpc_stop(w.rpc);
    client_finish(&c);
    ck_assert_int_eq(c.status, GRPC_STATUS_UNAVAILABLE);
    world_close(&w);
}
END_TEST

START_TEST(rpc_room__changes_while_a_watcher_is_slow_end_in_the_last_state)
{
    struct client_call c;
    uint8_t at[256];
    world_open(&w, false);
    client_start(&c, &w, "/grpc.health.v1.Health/Watch", 0);
    client_send(&c, ask_health("t.T", at), true);
    client_receive(&c);
    WORLD_UNTIL(&w, c.received == 1);
    for (int i = 0; i < 101; i++)
        rpc_set_serving(w.rpc, "t.T", i % 2 == 0);
    int state = 0;
    for (int n = 2; state != SERVING; n++) {
        client_receive(&c);
        WORLD_UNTIL(&w, c.received == n);
        state = state_in(&c);
        ck_assert_int_le(n, 4);
    }
    client_cancel(&c);
    client_finish(&c);
    world_close(&w);
}
END_TEST

/* ---- reflection ---- */

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

/* Asks over a stream of its own, and ends it. */
static Response *reflect(const char *service, Request *request)
{
    char path[128];
    uint8_t packed[512];
    struct client_call c;
    snprintf(path, sizeof path, "/%s/ServerReflectionInfo", service);
    struct bytes message = bytes_of(packed, grpc__reflection__v1__server_reflection_request__pack(request, packed));
    client_start(&c, &w, path, 0);
    c.keeps = true;
    client_send(&c, message, false);
    client_receive(&c);
    WORLD_UNTIL(&w, c.received == 1 && c.sent);
    client_half_close(&c);
    Response *response = grpc__reflection__v1__server_reflection_response__unpack(NULL, c.kept.size, c.kept.at);
    ck_assert_ptr_nonnull(response);
    client_finish(&c);
    ck_assert_int_eq(c.status, GRPC_STATUS_OK);
    return response;
}

static const char *const versions[] = {"grpc.reflection.v1.ServerReflection",
                                       "grpc.reflection.v1alpha.ServerReflection"};

static Request request_of(int kind, const char *text)
{
    Request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.host = (char *)(uintptr_t) "here";
    request.message_request_case = (Grpc__Reflection__V1__ServerReflectionRequest__MessageRequestCase)kind;
    request.list_services = (char *)(uintptr_t)text; /* the texts share a place */
    return request;
}

enum {
    BY_NAME = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME,
    BY_SYMBOL = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL,
    BY_TYPE = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE,
    LIST = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES,
};

/* Each service once, whatever its name has in common with another's. */
START_TEST(rpc_room__reflection_tells_services_apart)
{
    static const struct rpc_method methods[] = {{"/t.T/A", RPC_UNARY, 0},
                                                {"/t.S/A", RPC_UNARY, 1},
                                                {"/t.T/B", RPC_UNARY, 2},
                                                {"/t.Ta/A", RPC_UNARY, 3},
                                                {"/t.S/B", RPC_UNARY, 4}};
    static const char *const expected[] = {"t.T", "t.S", "t.Ta"};
    w.options.methods = methods;
    w.options.method_count = 5;
    world_open(&w, false);
    rpc_set_descriptors(w.rpc, bytes_of(descriptors, descriptors_size));
    Request request = request_of(LIST, "*");
    Response *response = reflect(versions[0], &request);
    ck_assert_uint_eq(response->list_services_response->n_service, 6);
    for (size_t i = 0; i < 3; i++)
        ck_assert_str_eq(response->list_services_response->service[i]->name, expected[i]);
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
    world_close(&w);
}
END_TEST

START_TEST(rpc_room__reflection_lists_what_is_served)
{
    world_open(&w, false);
    rpc_set_descriptors(w.rpc, bytes_of(descriptors, descriptors_size));
    for (size_t v = 0; v < 2; v++) {
        Request request = request_of(LIST, "*");
        Response *response = reflect(versions[v], &request);
        ck_assert_str_eq(response->valid_host, "here");
        ck_assert_int_eq((int)response->original_request->message_request_case, LIST);
        ck_assert_int_eq((int)response->message_response_case,
                         GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE);
        static const char *const expected[] = {"t.T", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                               "grpc.reflection.v1alpha.ServerReflection"};
        ck_assert_uint_eq(response->list_services_response->n_service, 4);
        for (size_t i = 0; i < 4; i++)
            ck_assert_str_eq(response->list_services_response->service[i]->name, expected[i]);
        grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
    }
    world_close(&w);
}
END_TEST

/* The first file of the response must be name, and every file that one of them imports must be among them. */
static void check_files(const Response *response, const char *name)
{
    enum { FILES_MAX = 32 };
    Google__Protobuf__FileDescriptorProto *files[FILES_MAX];
    ck_assert_int_eq((int)response->message_response_case,
                     GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE);
    size_t count = response->file_descriptor_response->n_file_descriptor_proto;
    ck_assert_uint_le(count, FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        ProtobufCBinaryData raw = response->file_descriptor_response->file_descriptor_proto[i];
        files[i] = google__protobuf__file_descriptor_proto__unpack(NULL, raw.len, raw.data);
        ck_assert_ptr_nonnull(files[i]);
    }
    ck_assert_str_eq(files[0]->name, name);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < files[i]->n_dependency; k++) {
            size_t found = 0;
            for (size_t j = 0; j < count; j++)
                found += strcmp(files[j]->name, files[i]->dependency[k]) == 0;
            ck_assert_msg(found == 1, "%s is there %zu times", files[i]->dependency[k], found);
        }
    for (size_t i = 0; i < count; i++)
        google__protobuf__file_descriptor_proto__free_unpacked(files[i], NULL);
}

START_TEST(rpc_room__reflection_tells_the_file_of_a_symbol)
{
    static const struct {
        int kind;
        const char *text;
        const char *file; /* NULL: there is none */
    } cases[] = {
        {BY_SYMBOL, "saga.v1.Coordinator", "saga/v1/coordinator.proto"},
        {BY_SYMBOL, "saga.v1.Coordinator.Start", "saga/v1/coordinator.proto"},
        {BY_SYMBOL, "grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
        {BY_SYMBOL, "grpc.health.v1.HealthCheckRequest.service", "grpc/health/v1/health.proto"},
        {BY_SYMBOL, "google.protobuf.Any", "google/protobuf/any.proto"},
        {BY_NAME, "saga/v1/operator.proto", "saga/v1/operator.proto"},
        {BY_SYMBOL, "saga.v1.Coordinato", NULL},
        {BY_SYMBOL, "saga.v1.Coordinator.Star", NULL},
        /* A name ends at a dot: that of a package, of a service, of a message, of one within, of an enum. */
        {BY_SYMBOL, "saga.v1Coordinator", NULL},
        {BY_SYMBOL, "saga.v1.CoordinatorStart", NULL},
        {BY_SYMBOL, "saga.v1.Coordinator.Start.", NULL},
        {BY_SYMBOL, "grpc.health.v1.HealthCheckRequestservice", NULL},
        {BY_SYMBOL, "grpc.health.v1.HealthCheckResponseServingStatus", NULL},
        {BY_SYMBOL, "grpc.health.v1.HealthCheckResponse.ServingStatuses", NULL},
        {BY_SYMBOL, "saga.v1", NULL},
        {BY_SYMBOL, "", NULL},
        {BY_NAME, "saga/v1/no.proto", NULL},
        {BY_TYPE, "saga.v1.StartRequest", NULL},
    };
    world_open(&w, false);
    rpc_set_descriptors(w.rpc, bytes_of(descriptors, descriptors_size));
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            Request request = request_of(cases[i].kind, cases[i].text);
            Response *response = reflect(versions[v], &request);
            if (cases[i].file != NULL) {
                check_files(response, cases[i].file);
            } else {
                ck_assert_msg((int)response->message_response_case ==
                                  GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE,
                              "%s", cases[i].text);
                ck_assert_int_eq(response->error_response->error_code, GRPC_STATUS_NOT_FOUND);
            }
            grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
        }
    world_close(&w);
}
END_TEST

static bool may_not(void *self, struct rpc_call *call)
{
    (void)self;
    (void)call;
    return false;
}

/* Whom the owner lets see nothing is told no descriptors, under either name. */
START_TEST(rpc_room__reflection_is_for_whom_the_owner_lets_see_it)
{
    world_open(&w, false);
    w.rpc->callbacks.may_reflect = may_not;
    for (size_t v = 0; v < 2; v++) {
        char path[128];
        uint8_t packed[64];
        struct client_call c;
        Request request = request_of(LIST, "*");
        struct bytes message =
            bytes_of(packed, grpc__reflection__v1__server_reflection_request__pack(&request, packed));
        snprintf(path, sizeof path, "/%s/ServerReflectionInfo", versions[v]);
        client_start(&c, &w, path, 0);
        client_send(&c, message, false);
        client_receive(&c);
        client_finish(&c);
        ck_assert_int_eq(c.status, GRPC_STATUS_PERMISSION_DENIED);
        ck_assert_int_eq(c.received, 0);
    }
    world_close(&w);
}
END_TEST

START_TEST(rpc_room__reflection_refuses_garbage)
{
    struct client_call c;
    world_open(&w, false);
    client_start(&c, &w, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", 0);
    client_send(&c, bytes_of_text("\x0a\xff"), false);
    client_finish(&c);
    ck_assert_int_eq(c.status, GRPC_STATUS_INVALID_ARGUMENT);
    Request request = request_of(BY_SYMBOL, "saga.v1.Coordinator"); /* no descriptors were given */
    Response *response = reflect(versions[0], &request);
    ck_assert_int_eq(response->error_response->error_code, GRPC_STATUS_NOT_FOUND);
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
    world_close(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_room");
    TCase *tc = tcase_create("rpc_room");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, rpc_room__unix_socket_is_for_its_owner_alone);
    tcase_add_test(tc, rpc_room__unix_socket_is_open_to_whom_its_listener_says);
    tcase_add_test(tc, rpc_room__socket_file_that_a_dead_process_left_is_removed);
    tcase_add_test(tc, rpc_room__address_that_cannot_be_used_is_refused_in_words);
    tcase_add_test(tc, rpc_room__listens_at_several_addresses);
    tcase_add_test(tc, rpc_room__name_is_listened_at_with_all_of_its_addresses);
    tcase_add_test(tc, rpc_room__socket_of_another_stays_when_it_stops);
    tcase_add_test(tc, rpc_room__rooms_that_share_a_door_take_turns);
    tcase_add_test(tc, rpc_room__peers_of_one_socket_are_told_apart);
    tcase_add_test(tc, rpc_room__core_accepts_where_the_room_cannot);
    tcase_add_test(tc, rpc_room__health_is_checked);
    tcase_add_test(tc, rpc_room__health_watch_tells_every_change);
    tcase_add_test(tc, rpc_room__changes_while_a_watcher_is_slow_end_in_the_last_state);
    tcase_add_test(tc, rpc_room__reflection_lists_what_is_served);
    tcase_add_test(tc, rpc_room__reflection_tells_services_apart);
    tcase_add_test(tc, rpc_room__eight_addresses_are_enough);
    tcase_add_test(tc, rpc_room__address_of_late_can_be_listened_at_again);
    tcase_add_test(tc, rpc_room__reflection_tells_the_file_of_a_symbol);
    tcase_add_test(tc, rpc_room__reflection_is_for_whom_the_owner_lets_see_it);
    tcase_add_test(tc, rpc_room__reflection_refuses_garbage);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
