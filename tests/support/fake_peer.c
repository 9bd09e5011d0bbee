/* fake_peer.c - frames by hand: https://www.rfc-editor.org/rfc/rfc9113, headers as literals without an index (RFC 7541, 6.2.2). */
#include "tests/support/fake_peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, END_HEADERS = 4, ACK = 1 };

void fake_peer_init(struct fake_peer *peer)
{
    memset(peer, 0, sizeof *peer);
}

static size_t write_frame(uint8_t *at, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size)
{
    const uint8_t head[9] = {
        (uint8_t)(size >> 16),   (uint8_t)(size >> 8),    (uint8_t)size,          type,           flags,
        (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
    memcpy(at, head, sizeof head);
    if (size > 0)
        memcpy(at + sizeof head, payload, size);
    return sizeof head + size;
}

void fake_frame(struct fake_peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size)
{
    ck_assert_uint_le(peer->answer_size + 9 + size, sizeof peer->answer);
    peer->answer_size += write_frame(peer->answer + peer->answer_size, type, flags, stream, payload, size);
}

static size_t write_string(uint8_t *at, const char *text)
{
    at[0] = (uint8_t)strlen(text);
    memcpy(at + 1, text, strlen(text));
    return 1 + strlen(text);
}

void fake_headers(struct fake_peer *peer, int last, ...)
{
    uint8_t block[256];
    size_t size = 0;
    va_list pairs;
    va_start(pairs, last);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        block[size++] = 0; /* a literal with a name of its own */
        size += write_string(block + size, name);
        size += write_string(block + size, va_arg(pairs, const char *));
    }
    va_end(pairs);
    fake_frame(peer, HEADERS, END_HEADERS | (last != 0 ? END_STREAM : 0), 1, block, size);
}

void fake_reset(struct fake_peer *peer, uint32_t code)
{
    const uint8_t payload[4] = {0, 0, 0, (uint8_t)code};
    fake_frame(peer, RST_STREAM, 0, 1, payload, sizeof payload);
}

void fake_goaway(struct fake_peer *peer, uint32_t last_stream, uint32_t code)
{
    const uint8_t payload[8] = {0, 0, 0, (uint8_t)last_stream, 0, 0, 0, (uint8_t)code};
    fake_frame(peer, GOAWAY, 0, 0, payload, sizeof payload);
}

static bool read_all(int fd, uint8_t *at, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t n = recv(fd, at + have, size - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

static void send_all(int fd, const uint8_t *at, size_t size)
{
    for (size_t gone = 0; gone < size;) {
        ssize_t n = send(fd, at + gone, size - gone, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        gone += (size_t)n;
    }
}

/* Lets the client send as much as it likes, and takes none of it, until that gives up, or the test ends. */
static void stay_deaf(struct fake_peer *peer, int fd)
{
    static const uint8_t wide[6] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
    static const uint8_t more[4] = {0x7f, 0, 0, 0};
    uint8_t out[32];
    struct pollfd ends[] = {{.fd = peer->stop[0], .events = POLLIN}, {.fd = fd}};
    size_t size = write_frame(out, SETTINGS, 0, 0, wide, sizeof wide);
    size += write_frame(out + size, SETTINGS, ACK, 0, NULL, 0);
    send_all(fd, out, size);
    send_all(fd, out, write_frame(out, WINDOW_UPDATE, 0, 0, more, sizeof more));
    ck_assert_int_ge(poll(ends, 2, -1), 1);
}

/* What is said of stream 1 is meant for the request's. */
static void send_answer(const struct fake_peer *peer, int fd, const uint8_t stream[4])
{
    uint8_t out[sizeof peer->answer];
    memcpy(out, peer->answer, peer->answer_size);
    for (size_t at = 0; at + 9 <= peer->answer_size; at += 9 + ((size_t)out[at + 1] << 8 | out[at + 2]))
        if (out[at + 8] == 1)
            memcpy(out + at + 5, stream, 4);
    send_all(fd, out, peer->answer_size);
}

static void serve(struct fake_peer *peer, int fd)
{
    if (peer->deaf) {
        stay_deaf(peer, fd);
        return;
    }
    static uint8_t payload[70000];
    uint8_t head[24], out[9];
    if (!read_all(fd, head, 24)) /* the client's preface */
        return;
    send_all(fd, out, write_frame(out, SETTINGS, 0, 0, NULL, 0));
    if (peer->curt)
        return;
    for (bool answered = false; read_all(fd, head, 9);) {
        size_t size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (size > sizeof payload || !read_all(fd, payload, size))
            return;
        if (head[3] == SETTINGS && (head[4] & ACK) == 0)
            send_all(fd, out, write_frame(out, SETTINGS, ACK, 0, NULL, 0));
        if (head[3] == PING && (head[4] & ACK) == 0)
            peer->pings++;
        if (head[3] == HEADERS && (peer->every || !answered)) {
            answered = true;
            atomic_fetch_add(&peer->requests, 1);
            send_answer(peer, fd, head + 5);
            if (peer->closes)
                return;
        }
    }
}

static void *run(void *arg)
{
    struct fake_peer *peer = arg;
    for (int fd; (fd = accept(peer->listener, NULL, NULL)) >= 0; close(fd)) {
        atomic_store(&peer->connection, fd);
        serve(peer, fd);
        atomic_store(&peer->connection, -1);
    }
    return NULL;
}

static void listen_unix(struct fake_peer *peer)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(peer->listener, 8), 0);
    snprintf(peer->address, sizeof peer->address, "unix:%s", peer->path);
}

static void listen_tcp(struct fake_peer *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
    const char *host = peer->host != NULL ? peer->host : "127.0.0.1";
    int on = 1;
    ck_assert_int_eq(inet_pton(AF_INET, host, &at.sin_addr), 1);
    socklen_t size = sizeof at;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(peer->listener, (struct sockaddr *)&at, size), 0);
    ck_assert_int_eq(listen(peer->listener, 8), 0);
    ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&at, &size), 0);
    snprintf(peer->address, sizeof peer->address, "%s:%d", host, ntohs(at.sin_port));
    peer->port = ntohs(at.sin_port);
}

void fake_peer_start(struct fake_peer *peer)
{
    if (peer->path != NULL)
        listen_unix(peer);
    else
        listen_tcp(peer);
    atomic_store(&peer->connection, -1);
    ck_assert_int_eq(pipe(peer->stop), 0);
    ck_assert_int_eq(pthread_create(&peer->thread, NULL, run, peer), 0);
}

void fake_peer_stop(struct fake_peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    close(peer->stop[1]);
    if (peer->cuts && atomic_load(&peer->connection) >= 0)
        shutdown(atomic_load(&peer->connection), SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->stop[0]);
    close(peer->listener);
}
