/* listen.c - where the server listens.
 *
 * C core says no more than "no" when it cannot bind, and it removes a socket file without asking whether somebody still answers there. So
 * the address is tried out here first: this is where the clear words come from. */
#include "sidecar/rpc/internal.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* For the owner of the socket file alone. */
#define SOCKET_UMASK 0177

static int refuse(struct error_detail *detail, const char *address, const char *why)
{
    char text[sizeof detail->text];
    snprintf(text, sizeof text, "cannot listen at %.120s: %s", address, why);
    return error_set(detail, E_SYSTEM, "listen", text);
}

/* Connects to the socket file at where. Returns 0 when somebody answers, otherwise errno. */
static int knock(const struct sockaddr_un *where)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int error = connect(fd, (const struct sockaddr *)where, sizeof *where) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* Makes the path free: a socket file that a dead process left behind is removed, anything else stays and is an error. */
static int clear_path(const char *address, const char *path, struct error_detail *detail)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    struct stat st;
    if (path[0] == '\0')
        return refuse(detail, address, "the address names no path");
    if (strlen(path) >= sizeof where.sun_path)
        return refuse(detail, address, "the path of a unix socket has at most 107 bytes");
    memcpy(where.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : refuse(detail, address, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return refuse(detail, address, "there is a file at this path that is not a socket");
    int error = knock(&where);
    if (error == 0 || error == EAGAIN)
        return refuse(detail, address, "another process listens there");
    if (error != ECONNREFUSED)
        return refuse(detail, address, strerror(error));
    if (unlink(path) != 0 && errno != ENOENT)
        return refuse(detail, address, strerror(errno));
    return 0;
}

/* Binds a socket of its own and lets it go again. Returns 0, or errno. */
static int try_bind(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int on = 1;
    int error = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, a->ai_addr, a->ai_addrlen) != 0 ||
        listen(fd, 1) != 0)
        error = errno;
    close(fd);
    return error;
}

/* Splits "host:port" or "[host]:port" into host and port, which views the address. */
static bool split(const char *address, char host[256], const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        size -= 2;
    }
    if (size == 0 || size >= 256)
        return false;
    memcpy(host, address, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

static int try_tcp(const char *address, struct error_detail *detail)
{
    char host[256];
    const char *port;
    if (!split(address, host, &port))
        return refuse(detail, address, "the address is to be host:port, [host]:port or unix:/path");
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0)
        return refuse(detail, address, gai_strerror(error));
    int rc = 0;
    for (const struct addrinfo *a = found; a != NULL && rc == 0; a = a->ai_next) {
        error = try_bind(a);
        if (error != 0)
            rc = refuse(detail, address, strerror(error));
    }
    freeaddrinfo(found);
    return rc;
}

int rpc_listen(struct rpc *r, const char *address, int *port, struct error_detail *detail)
{
    CHECK(!r->started);
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    int rc = is_unix ? clear_path(address, address + 5, detail) : try_tcp(address, detail);
    if (rc != 0)
        return rc;
    grpc_server_credentials *plaintext = grpc_insecure_server_credentials_create();
    /* The file is never open to others, not even for a moment: its mode comes from the mask under which it is bound. */
    mode_t mask = is_unix ? umask(SOCKET_UMASK) : 0;
    int bound = grpc_server_add_http2_port(r->server, address, plaintext);
    if (is_unix)
        umask(mask);
    grpc_server_credentials_release(plaintext);
    if (bound == 0)
        return refuse(detail, address, "the address cannot be bound");
    if (!is_unix)
        *port = bound;
    return 0;
}
