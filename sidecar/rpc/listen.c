/* listen.c - where the server listens: sockets of our own, bound with clear words for what goes wrong. door.c lets the peers in. */
#include "sidecar/rpc/rpc_inside.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* For the owner of the socket file alone. */
#define SOCKET_UMASK 0177

#define BACKLOG 1024

static int refuse(struct error_detail *detail, const char *address, const char *why)
{
    char text[sizeof detail->text];
    snprintf(text, sizeof text, "cannot listen at %.120s: %s", address, why);
    return error_set(detail, E_SYSTEM, "listen", text);
}

/* Gives a socket that listens at where, or -1 with errno. */
static int bind_at(const struct sockaddr *where, socklen_t size)
{
    int fd = socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    if ((where->sa_family == AF_UNIX || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0) &&
        (where->sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, where, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
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
static int clear_path(const char *address, const struct sockaddr_un *where, struct error_detail *detail)
{
    struct stat st;
    if (lstat(where->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : refuse(detail, address, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return refuse(detail, address, "there is a file at this path that is not a socket");
    int error = knock(where);
    if (error == 0 || error == EAGAIN)
        return refuse(detail, address, "another process listens there");
    if (error != ECONNREFUSED)
        return refuse(detail, address, strerror(error));
    if (unlink(where->sun_path) != 0 && errno != ENOENT)
        return refuse(detail, address, strerror(errno));
    return 0;
}

static int listen_unix(struct rpc *r, const char *address, struct error_detail *detail)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    const char *path = address + strlen("unix:");
    if (path[0] == '\0')
        return refuse(detail, address, "the address names no path");
    if (strlen(path) >= sizeof where.sun_path)
        return refuse(detail, address, "the path of a unix socket has at most 107 bytes");
    memcpy(where.sun_path, path, strlen(path) + 1);
    int rc = clear_path(address, &where, detail);
    if (rc != 0)
        return rc;
    /* The file is never open to others, not even for a moment: its mode comes from the mask under which it is bound. */
    mode_t mask = umask(SOCKET_UMASK);
    int fd = bind_at((const struct sockaddr *)&where, sizeof where);
    int error = errno;
    umask(mask);
    if (fd < 0)
        return refuse(detail, address, strerror(error));
    struct stat st;
    if (stat(path, &st) != 0) {
        error = errno;
        close(fd);
        return refuse(detail, address, strerror(error));
    }
    rpc_door_add(r, fd, path, &st);
    return 0;
}

/* Splits "host:port" or "[host]:port". */
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

static in_port_t *port_in(struct sockaddr *at)
{
    return at->sa_family == AF_INET ? &((struct sockaddr_in *)(void *)at)->sin_port
                                    : &((struct sockaddr_in6 *)(void *)at)->sin6_port;
}

static int port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    CHECK(getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    return ntohs(*port_in((struct sockaddr *)&at));
}

static int listen_tcp(struct rpc *r, const char *address, int *port, struct error_detail *detail)
{
    char host[256];
    const char *service;
    if (!split(address, host, &service))
        return refuse(detail, address, "the address is to be host:port, [host]:port or unix:/path");
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    int error = getaddrinfo(host, service, &hints, &found);
    if (error != 0)
        return refuse(detail, address, gai_strerror(error));
    /* A name may have several addresses (localhost): all of them, on one port, save those of a family that this machine lacks. */
    int bound = 0;
    error = 0;
    for (const struct addrinfo *a = found; a != NULL && error == 0 && !rpc_door_is_full(r); a = a->ai_next) {
        if (bound != 0)
            *port_in(a->ai_addr) = htons((uint16_t)bound);
        int fd = bind_at(a->ai_addr, a->ai_addrlen);
        bool lacking = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
        if (fd >= 0) {
            bound = port_of(fd);
            rpc_door_add(r, fd, NULL, NULL);
        } else if (!lacking || (bound == 0 && a->ai_next == NULL)) {
            error = errno;
        }
    }
    freeaddrinfo(found);
    if (error != 0)
        return refuse(detail, address, strerror(error));
    *port = bound;
    return 0;
}

int rpc_listen(struct rpc *r, const char *address, int *port, struct error_detail *detail)
{
    CHECK(!r->started);
    if (rpc_door_is_full(r))
        return refuse(detail, address, "there are enough addresses to listen at");
    return strncmp(address, "unix:", 5) == 0 ? listen_unix(r, address, detail) : listen_tcp(r, address, port, detail);
}
