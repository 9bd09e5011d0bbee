/* listen.c - where the server listens: sockets of our own, bound with clear words for what goes wrong. door.c lets the peers in. */
#include "sidecar/rpc/rpc_inside.h"

#include "transport/unix_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* For the owner of the socket file, and those whom the listener says. */
#define SOCKET_UMASK 0177U

#define BACKLOG 1024

static int refuse(struct error_detail *detail, const char *address, const char *why)
{
    char text[sizeof detail->text];
    snprintf(text, sizeof text, "cannot listen at %.80s: %.120s", address, why);
    return error_set(detail, E_SYSTEM, "listen", text);
}

/* What a taken address means is known here, and what to do about it. */
static const char taken[] = "another process listens there: stop it, or write another address into listen";

static int refuse_system(struct error_detail *detail, const char *address, int error)
{
    return refuse(detail, address, error == EADDRINUSE ? taken : strerror(error));
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

/* Makes the path free: a socket file that a dead process left behind is removed, anything else stays and is an error. */
static int clear_path(const char *address, const char *path, struct error_detail *detail)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : refuse(detail, address, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return refuse(detail, address, "there is a file at this path that is not a socket");
    int error = unix_socket_knock(path);
    if (error == 0)
        return refuse(detail, address, taken);
    if (error != ECONNREFUSED)
        return refuse(detail, address, strerror(error));
    if (unlink(path) != 0 && errno != ENOENT)
        return refuse(detail, address, strerror(errno));
    return 0;
}

/* Lets C core listen at the address by itself. Returns the port, 1 for a unix socket, or 0. */
static int core_listens(struct rpc *r, struct rpc_listening *l, const char *address)
{
    struct rpc_entrance *e = rpc_allocate(sizeof *e);
    e->rpc = r;
    e->listening = l;
    e->peer.transport = strncmp(address, "unix:", 5) == 0          ? RPC_TRANSPORT_UNIX
                        : l->credentials.security == TRANSPORT_TLS ? RPC_TRANSPORT_TLS
                                                                   : RPC_TRANSPORT_TCP;
    e->peer.role = l->role;
    rpc_entrance_make(e, NULL);
    r->entrances[r->entrances_made++] = e;
    atomic_store(&r->entrances_asked, r->entrances_made);
    grpc_server_credentials *credentials = transport_server_credentials(&l->credentials);
    int port = grpc_server_add_http2_port(e->server, address, credentials);
    grpc_server_credentials_release(credentials);
    return port > 0 ? port : 0;
}

static int listen_unix(struct rpc *r, const struct rpc_listener *listener, const char *path,
                       struct error_detail *detail)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    memcpy(where.sun_path, path, strlen(path) + 1);
    int rc = clear_path(listener->address, path, detail);
    if (rc != 0)
        return rc;
    struct rpc_listening *l = rpc_door_add(r, listener);
    /* The file is never open to more, not even for a moment: its mode comes from the mask under which it is bound. */
    mode_t mask = umask(SOCKET_UMASK & ~(mode_t)listener->access);
    bool bound = true;
    errno = EADDRINUSE; /* C core does not say why */
    if (rpc_accepts_itself(r))
        bound = (l->fd = bind_at((const struct sockaddr *)&where, sizeof where)) >= 0;
    else
        bound = core_listens(r, l, listener->address) != 0;
    int error = errno;
    umask(mask);
    if (!bound)
        return refuse_system(detail, listener->address, error);
    struct stat st;
    if (stat(path, &st) != 0)
        return refuse(detail, listener->address, strerror(errno));
    snprintf(l->path, sizeof l->path, "%s", path);
    l->device = st.st_dev;
    l->inode = st.st_ino;
    return 0;
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

/* A name may have several addresses (localhost): all of them, on one port, save those of a family that this machine lacks. */
static int bind_all(struct rpc *r, const struct rpc_listener *listener, const struct addrinfo *found, int *port)
{
    int error = 0;
    for (const struct addrinfo *a = found; a != NULL && error == 0 && !rpc_door_is_full(r); a = a->ai_next) {
        if (*port != 0)
            *port_in(a->ai_addr) = htons((uint16_t)*port);
        int fd = bind_at(a->ai_addr, a->ai_addrlen);
        bool lacking = errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
        if (fd >= 0) {
            *port = port_of(fd);
            rpc_door_add(r, listener)->fd = fd;
        } else if (!lacking || (*port == 0 && a->ai_next == NULL)) {
            error = errno;
        }
    }
    return error;
}

static int listen_tcp(struct rpc *r, const struct rpc_listener *listener, const struct address *at, int *port,
                      struct error_detail *detail)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)at->port);
    int error = getaddrinfo(at->host, service, &hints, &found);
    if (error != 0)
        return refuse(detail, listener->address, gai_strerror(error));
    *port = 0;
    if (rpc_accepts_itself(r))
        error = bind_all(r, listener, found, port);
    else if ((*port = core_listens(r, rpc_door_add(r, listener), listener->address)) == 0)
        error = EADDRINUSE;
    freeaddrinfo(found);
    return error != 0 ? refuse_system(detail, listener->address, error) : 0;
}

int rpc_listen(struct rpc *r, const struct rpc_listener *listener, int *port, struct error_detail *detail)
{
    struct address at;
    CHECK(!r->started);
    if (rpc_door_is_full(r))
        return refuse(detail, listener->address, "there are enough addresses to listen at");
    const char *wrong = address_read(listener->address, &at);
    if (wrong != NULL) {
        char text[160];
        snprintf(text, sizeof text, "the address %s", wrong);
        return refuse(detail, listener->address, text);
    }
    return at.path != NULL ? listen_unix(r, listener, at.path, detail) : listen_tcp(r, listener, &at, port, detail);
}
