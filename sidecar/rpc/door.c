/* door.c - lets the peers in, on a thread of its own that shares nothing with the loop but the server. Where several loops share a door, each
 * connection is for the next of them in turn.
 *
 * C core would listen by itself, but stops for good the first time that the process is out of files, and puts no bound on connections. So
 * peers are accepted here: one that would take the files which the journal and the calls out need is turned away, and one is handed to C
 * core only once it has begun to speak HTTP/2 (which has to happen within handshake_timeout). */
#include "sidecar/rpc/rpc_inside.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS_MAX 8

/* Peers that have not spoken yet; more wait in the kernel's backlog. */
#define GUESTS_MAX 512

/* Files of the process that no connection may take. */
#define FILES_KEPT 64

/* How long to wait when the system has nothing to accept with, and how often to look at a peer that has said half a word. */
#define PAUSE_MS 20

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof preface - 1)

struct listener {
    int fd;
    char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* of a unix socket, to be removed; otherwise "" */
    dev_t device; /* the file that was made: another that has taken its place is not ours */
    ino_t inode;
};

/* A peer before its first words. */
struct guest {
    int fd;
    bool spoke; /* half a word */
    int64_t until_ms;
};

struct rpc_door {
    grpc_server *servers[RPC_ROOMS_MAX];
    size_t server_count, next_server;
    grpc_server_credentials *plaintext;
    int64_t patience_ms;
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    struct guest guests[GUESTS_MAX];
    size_t guest_count;
    int wake; /* an eventfd: close the door */
    bool open;
    pthread_t thread;
};

void rpc_door_init(struct rpc *r)
{
    struct rpc_door *d = r->door = rpc_allocate(sizeof *d);
    d->servers[d->server_count++] = r->server;
    d->plaintext = grpc_insecure_server_credentials_create();
    d->patience_ms = r->options.handshake_timeout.us / 1000;
    d->wake = -1;
}

bool rpc_door_is_full(const struct rpc *r)
{
    return r->door->listener_count == LISTENERS_MAX;
}

void rpc_door_add(struct rpc *r, int fd, const char *path, const struct stat *file)
{
    struct listener *l = &r->door->listeners[r->door->listener_count++];
    l->fd = fd;
    if (path != NULL) {
        snprintf(l->path, sizeof l->path, "%s", path);
        l->device = file->st_dev;
        l->inode = file->st_ino;
    }
}

void rpc_share_door(struct rpc *keeper, struct rpc *r)
{
    struct rpc_door *d = keeper->door;
    CHECK(!keeper->started && r->started && d->server_count < RPC_ROOMS_MAX);
    d->servers[d->server_count++] = r->server;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether a connection with this descriptor leaves enough of them: the kernel gives out the lowest that is free. */
static bool leaves_files(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || (rlim_t)fd + FILES_KEPT < limit.rlim_cur;
}

/* Takes in who knocks. Returns false when the system has nothing to accept with, so that asking again at once is of no use. */
static bool accept_some(struct rpc_door *d, int listener)
{
    while (d->guest_count < GUESTS_MAX) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
            return false;
        if (fd < 0)
            return true; /* nobody is left, or one has gone again */
        if (!leaves_files(fd)) {
            close(fd);
            return false;
        }
        d->guests[d->guest_count++] = (struct guest){.fd = fd, .until_ms = now_ms() + d->patience_ms};
    }
    return true;
}

enum word { NOTHING_YET, HALF, WHOLE, WRONG };

/* What the peer has said so far; it stays to be read. */
static enum word listen_to(int fd)
{
    char said[PREFACE_SIZE];
    ssize_t size = recv(fd, said, sizeof said, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? NOTHING_YET : WRONG;
    if (size == 0 || memcmp(said, preface, (size_t)size) != 0)
        return WRONG;
    return (size_t)size == PREFACE_SIZE ? WHOLE : HALF;
}

static void hand_over(struct rpc_door *d, int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a unix socket, which needs none */
    grpc_server_add_channel_from_fd(d->servers[d->next_server], fd, d->plaintext);
    d->next_server = (d->next_server + 1) % d->server_count;
}

/* Looks at every guest: in, out, or still waiting. */
static void look_at_guests(struct rpc_door *d)
{
    int64_t now = now_ms();
    size_t kept = 0;
    for (size_t i = 0; i < d->guest_count; i++) {
        struct guest guest = d->guests[i];
        enum word word = listen_to(guest.fd);
        if (word == WHOLE) {
            hand_over(d, guest.fd);
        } else if (word == WRONG || now >= guest.until_ms) {
            close(guest.fd);
        } else {
            guest.spoke = word == HALF;
            d->guests[kept++] = guest;
        }
    }
    d->guest_count = kept;
}

/* Fills in what to wait for, and for how long. */
static nfds_t prepare(const struct rpc_door *d, bool pause, struct pollfd *polled, int *timeout_ms)
{
    nfds_t count = 0;
    bool closed = pause || d->guest_count == GUESTS_MAX;
    int64_t until = INT64_MAX, now = now_ms();
    polled[count++] = (struct pollfd){.fd = d->wake, .events = POLLIN};
    for (size_t i = 0; i < d->listener_count; i++)
        polled[count++] = (struct pollfd){.fd = closed ? -1 : d->listeners[i].fd, .events = POLLIN};
    for (size_t i = 0; i < d->guest_count; i++) {
        const struct guest *g = &d->guests[i];
        /* What it has said is still there to be read, so it would wake us without an end. */
        polled[count++] = (struct pollfd){.fd = g->spoke ? -1 : g->fd, .events = POLLIN};
        pause = pause || g->spoke;
        until = g->until_ms < until ? g->until_ms : until;
    }
    if (pause && until > now + PAUSE_MS)
        until = now + PAUSE_MS;
    *timeout_ms = until == INT64_MAX ? -1 : until <= now ? 0 : (int)(until - now);
    return count;
}

static void *keep_door(void *door)
{
    struct rpc_door *d = door;
    struct pollfd polled[1 + LISTENERS_MAX + GUESTS_MAX];
    bool pause = false;
    for (;;) {
        int timeout_ms;
        nfds_t count = prepare(d, pause, polled, &timeout_ms);
        if (poll(polled, count, timeout_ms) < 0)
            CHECK(errno == EINTR || errno == ENOMEM);
        else if (polled[0].revents != 0)
            return NULL;
        pause = false;
        for (size_t i = 0; i < d->listener_count; i++)
            pause = !accept_some(d, d->listeners[i].fd) || pause;
        look_at_guests(d);
    }
}

void rpc_door_open(struct rpc *r)
{
    struct rpc_door *d = r->door;
    sigset_t all, before;
    if (d->listener_count == 0)
        return;
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(d->wake >= 0);
    /* Signals are for the threads that the owner has made. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(pthread_create(&d->thread, NULL, keep_door, d) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    d->open = true;
}

void rpc_door_close(struct rpc *r)
{
    struct rpc_door *d = r->door;
    if (d->open) {
        uint64_t one = 1;
        CHECK(write(d->wake, &one, sizeof one) == sizeof one);
        pthread_join(d->thread, NULL);
        close(d->wake);
        d->open = false;
    }
    for (size_t i = 0; i < d->guest_count; i++)
        close(d->guests[i].fd);
    d->guest_count = 0;
    for (size_t i = 0; i < d->listener_count; i++) {
        const struct listener *l = &d->listeners[i];
        struct stat st;
        close(l->fd);
        if (l->path[0] != '\0' && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
            unlink(l->path);
    }
    d->listener_count = 0;
}

void rpc_door_finish(struct rpc *r)
{
    grpc_server_credentials_release(r->door->plaintext);
    free(r->door);
}
