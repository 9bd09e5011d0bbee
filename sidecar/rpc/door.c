/* door.c - lets the peers in, on a thread of its own that shares nothing with the loop but the entrances. Where several loops share a door,
 * each connection is for the next of them in turn.
 *
 * C core would listen by itself, but stops for good the first time that the process is out of files, and puts no bound on connections. So
 * peers are accepted here (transport/external.h): one that would take the files which the journal and the calls out need is turned away,
 * and one is handed to C core only once it has begun to speak HTTP/2 (which has to happen within handshake_timeout). */
#include "sidecar/rpc/rpc_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS_MAX 8

/* Peers that have not spoken yet: a newcomer takes the place of the one that has been silent longest. */
#define GUESTS_MAX 512

/* Handshakes of TLS of which nothing but the first word has come: a newcomer takes the place of the oldest. */
#define SHAKES_MAX 256

/* How long to wait when the system has nothing to accept with, and how often to look at a peer that has said half a word. */
#define PAUSE_MS 20

/* Between two words about connections that were turned away. */
#define TELL_AGAIN_MS 60000

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof preface - 1)

/* A peer before its first words, and until its entrance is open. */
struct guest {
    int fd;
    const struct rpc_listening *listening;
    struct rpc_entrance *entrance; /* it has said what it must; NULL before */
    bool spoke;                    /* half a word */
    int64_t until_ms;
};

/* A connection that has been handed to C core for a handshake of TLS. One that takes too long C core ends. */
struct shake {
    int fd; /* C core's by now: looked at only while it is the socket that it was */
    ino_t inode;
    uint64_t received; /* when it was handed over */
};

struct rpc_door {
    struct rpc *rooms[RPC_ROOMS_MAX];
    size_t room_count, next_room;
    int64_t patience_ms;
    int64_t told_ms; /* when it was last told that somebody was turned away; 0: never */
    struct rpc_listening listenings[LISTENERS_MAX];
    size_t listening_count;
    struct guest guests[GUESTS_MAX];
    size_t guest_count;
    uint64_t looks; /* at all guests, so far */
    struct shake shakes[SHAKES_MAX]; /* by time */
    size_t shake_count;
    struct rpc_guard *guard;
    int bell; /* an eventfd: an entrance is open, or the door is to be closed */
    atomic_bool closing;
    bool open;
    pthread_t thread;
};

void rpc_door_init(struct rpc *r)
{
    struct rpc_door *d = r->door = rpc_allocate(sizeof *d);
    r->keeper = d;
    d->rooms[d->room_count++] = r;
    d->patience_ms = r->options.handshake_timeout.us / 1000;
    d->bell = -1;
}

bool rpc_door_is_full(const struct rpc *r)
{
    return r->door->listening_count == LISTENERS_MAX;
}

struct rpc_listening *rpc_door_add(struct rpc *r, const struct rpc_listener *listener)
{
    struct rpc_listening *l = &r->door->listenings[r->door->listening_count++];
    *l = (struct rpc_listening){.fd = -1, .credentials = *listener->credentials, .role = listener->role};
    return l;
}

void rpc_share_door(struct rpc *keeper, struct rpc *r)
{
    struct rpc_door *d = keeper->door;
    CHECK(!keeper->started && r->started && d->room_count < RPC_ROOMS_MAX);
    if (!rpc_accepts_itself(keeper))
        return;
    d->rooms[d->room_count++] = r;
    r->keeper = d;
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
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || (rlim_t)fd + RPC_FILES_KEPT < limit.rlim_cur;
}

/* Who is turned away comes again at once: it is told once a minute at most. */
static void tell_turned_away(struct rpc_door *d)
{
    const struct rpc_callbacks *callbacks = &d->rooms[0]->callbacks;
    if (d->told_ms != 0 && now_ms() - d->told_ms < TELL_AGAIN_MS)
        return;
    d->told_ms = now_ms();
    if (callbacks->on_turned_away != NULL)
        callbacks->on_turned_away(callbacks->self);
}

/* Makes room by turning away the peer that has been silent longest, or if none is silent, the one that came first. */
static void turn_one_away(struct rpc_door *d)
{
    size_t i = 0;
    while (i < d->guest_count && d->guests[i].spoke)
        i++;
    i = i == d->guest_count ? 0 : i;
    close(d->guests[i].fd);
    memmove(&d->guests[i], &d->guests[i + 1], (--d->guest_count - i) * sizeof *d->guests);
}

static void look_at_guests(struct rpc_door *d);

/* Takes in who knocks. Returns false when the system has nothing to accept with, so that asking again at once is of no use. */
static bool accept_some(struct rpc_door *d, const struct rpc_listening *listening)
{
    for (int n = 0; n < GUESTS_MAX; n++) { /* then the others have their turn */
        int fd = accept4(listening->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            tell_turned_away(d);
            return false;
        }
        if (fd < 0)
            return true; /* nobody is left, or one has gone again */
        if (!leaves_files(fd)) {
            close(fd);
            tell_turned_away(d);
            return false;
        }
        if (d->guest_count == GUESTS_MAX)
            look_at_guests(d);
        if (d->guest_count == GUESTS_MAX) /* for somebody who is there: else who has just come in would go for nobody */
            turn_one_away(d);
        d->guests[d->guest_count++] =
            (struct guest){.fd = fd, .listening = listening, .until_ms = now_ms() + d->patience_ms};
    }
    return true;
}

/* The type of a record of TLS: https://www.rfc-editor.org/rfc/rfc8446#section-5.1 */
#define TLS_HANDSHAKE 22

enum word { NOTHING_YET, HALF, WHOLE, WRONG };

/* What the peer has said so far; it stays to be read. One that speaks TLS begins with a record of a handshake, and C core sees to the rest of
 * that within handshake_timeout. */
static enum word listen_to(const struct guest *g)
{
    char said[PREFACE_SIZE];
    ssize_t size = recv(g->fd, said, sizeof said, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? NOTHING_YET : WRONG;
    if (g->listening->credentials.security == TRANSPORT_TLS)
        return size > 0 && said[0] == TLS_HANDSHAKE ? WHOLE : WRONG;
    if (size == 0 || memcmp(said, preface, (size_t)size) != 0)
        return WRONG;
    return (size_t)size == PREFACE_SIZE ? WHOLE : HALF;
}

/* The entrance for g, of the room whose turn it is. NULL: so many kinds of peers have come already that there is none left. */
static struct rpc_entrance *entrance_for(struct rpc_door *d, const struct guest *g)
{
    struct rpc *r = d->rooms[d->next_room];
    struct rpc_peer peer;
    rpc_peer_of_socket(g->fd, g->listening, &peer);
    unsigned count = atomic_load_explicit(&r->entrances_asked, memory_order_relaxed); /* nobody else changes it */
    d->next_room = (d->next_room + 1) % d->room_count;
    for (unsigned i = 0; i < count; i++) {
        struct rpc_entrance *e = r->entrances[i];
        if (e->listening == g->listening && e->peer.has_user == peer.has_user && e->peer.uid == peer.uid &&
            e->peer.gid == peer.gid)
            return e;
    }
    if (count == RPC_ENTRANCES_MAX)
        return NULL;
    struct rpc_entrance *e = r->entrances[count] = rpc_allocate(sizeof *e);
    e->rpc = r;
    e->peer = peer;
    e->door = d;
    e->listening = g->listening;
    atomic_init(&e->open, false);
    atomic_store_explicit(&r->entrances_asked, count + 1, memory_order_release);
    rpc_wake(r);
    return e;
}

/* A duplicate of the socket that s was; -1 when that is gone, or has got on. */
static int still_shaking(const struct shake *s)
{
    struct stat st;
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == s->inode && rpc_bytes_received(fd) == s->received)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Notes a handshake that begins. When there are too many, the oldest ends. */
static void begin_shake(struct rpc_door *d, int fd)
{
    struct stat st;
    size_t kept = 0;
    if (d->shake_count == SHAKES_MAX) {
        for (size_t i = 0; i < d->shake_count; i++) {
            int still = still_shaking(&d->shakes[i]);
            if (still < 0)
                continue;
            if (kept == SHAKES_MAX - 1) { /* all of them, and the newcomer is one too many */
                int oldest = still_shaking(&d->shakes[0]);
                if (oldest >= 0) {
                    shutdown(oldest, SHUT_RDWR);
                    close(oldest);
                }
                memmove(&d->shakes[0], &d->shakes[1], (--kept) * sizeof *d->shakes);
            }
            close(still);
            d->shakes[kept++] = d->shakes[i];
        }
        d->shake_count = kept;
    }
    if (fstat(fd, &st) == 0)
        d->shakes[d->shake_count++] = (struct shake){.fd = fd, .inode = st.st_ino, .received = rpc_bytes_received(fd)};
}

/* On a unix socket the options of TCP fail, and are not needed (stall.c). */
static void hand_over(struct rpc_door *d, const struct guest *g)
{
    int on = 1, unacknowledged_ms = rpc_milliseconds(g->entrance->rpc->options.keepalive_timeout);
    setsockopt(g->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* C core sets it only on what it accepts itself: a peer that reads nothing keeps its connection no longer than this. */
    setsockopt(g->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
    if (g->listening->credentials.security == TRANSPORT_TLS)
        begin_shake(d, g->fd);
    transport_external_take(&g->entrance->external, g->fd);
    atomic_store(&g->entrance->rpc->guard_sleeps, false);
}

/* Whether the guest stays at the door; otherwise it is in, or gone. */
static bool stays(struct rpc_door *d, struct guest *g, int64_t now)
{
    enum word word = g->entrance != NULL ? WHOLE : listen_to(g);
    if (word == WHOLE && g->entrance == NULL)
        g->entrance = entrance_for(d, g);
    if (word == WRONG || now >= g->until_ms || (word == WHOLE && g->entrance == NULL)) {
        close(g->fd);
        return false;
    }
    g->spoke = word != NOTHING_YET;
    if (word != WHOLE)
        return true;
    /* Who came behind one that found it shut does not go in before him. */
    if (g->entrance->shut_at != d->looks && !atomic_load_explicit(&g->entrance->open, memory_order_acquire))
        g->entrance->shut_at = d->looks;
    if (g->entrance->shut_at == d->looks)
        return true;
    hand_over(d, g);
    return false;
}

/* Looks at every guest: in, out, or still waiting. */
static void look_at_guests(struct rpc_door *d)
{
    int64_t now = now_ms();
    size_t kept = 0;
    d->looks++;
    for (size_t i = 0; i < d->guest_count; i++) {
        struct guest guest = d->guests[i];
        if (stays(d, &guest, now))
            d->guests[kept++] = guest;
    }
    d->guest_count = kept;
}

/* Fills in what to wait for, and for how long. */
static nfds_t prepare(const struct rpc_door *d, bool pause, struct pollfd *polled, int *timeout_ms)
{
    nfds_t count = 0;
    bool closed = pause;
    int64_t until = INT64_MAX, now = now_ms();
    polled[count++] = (struct pollfd){.fd = d->bell, .events = POLLIN};
    for (size_t i = 0; i < d->listening_count; i++)
        polled[count++] = (struct pollfd){.fd = closed ? -1 : d->listenings[i].fd, .events = POLLIN};
    for (size_t i = 0; i < d->guest_count; i++) {
        const struct guest *g = &d->guests[i];
        /* What it has said is still there to be read, so it would wake us without an end. */
        polled[count++] = (struct pollfd){.fd = g->spoke ? -1 : g->fd, .events = POLLIN};
        pause = pause || (g->spoke && g->entrance == NULL);
        until = g->until_ms < until ? g->until_ms : until;
    }
    if (pause && until > now + PAUSE_MS)
        until = now + PAUSE_MS;
    *timeout_ms = until == INT64_MAX ? -1 : until <= now ? 0 : (int)(until - now);
    return count;
}

static void ring(const struct rpc_door *d)
{
    uint64_t one = 1;
    CHECK(write(d->bell, &one, sizeof one) == sizeof one);
}

void rpc_door_knock(struct rpc_door *d)
{
    ring(d);
}

static void *keep_door(void *door)
{
    struct rpc_door *d = door;
    struct pollfd polled[1 + LISTENERS_MAX + GUESTS_MAX];
    const struct rpc_watched watched = {.rooms = d->rooms,
                                        .room_count = d->room_count,
                                        .listenings = d->listenings,
                                        .listening_count = d->listening_count};
    bool pause = false;
    for (;;) {
        int timeout_ms, look_ms = rpc_guard_turn(d->guard, &watched, now_ms());
        nfds_t count = prepare(d, pause, polled, &timeout_ms);
        timeout_ms = timeout_ms < 0 || timeout_ms > look_ms ? look_ms : timeout_ms;
        if (poll(polled, count, timeout_ms) < 0)
            CHECK(errno == EINTR || errno == ENOMEM);
        if (atomic_load(&d->closing))
            return NULL;
        uint64_t rings;
        ssize_t ignored = read(d->bell, &rings, sizeof rings); /* what it was for is looked at in any case */
        (void)ignored;
        pause = false;
        for (size_t i = 0; i < d->listening_count; i++)
            pause = !accept_some(d, &d->listenings[i]) || pause;
        look_at_guests(d);
    }
}

void rpc_door_open(struct rpc *r)
{
    struct rpc_door *d = r->door;
    sigset_t all, before;
    if (d->listening_count == 0 || !rpc_accepts_itself(r))
        return;
    d->guard = rpc_guard_create();
    d->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(d->bell >= 0);
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
        atomic_store(&d->closing, true);
        ring(d);
        pthread_join(d->thread, NULL);
        d->open = false;
    }
    for (size_t i = 0; i < d->guest_count; i++)
        close(d->guests[i].fd);
    d->guest_count = 0;
    for (size_t i = 0; i < d->listening_count; i++) {
        const struct rpc_listening *l = &d->listenings[i];
        struct stat st;
        if (l->fd >= 0)
            close(l->fd);
        if (l->path[0] != '\0' && lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
            unlink(l->path);
    }
    d->listening_count = 0;
}

/* Other loops ring until they have stopped, too. */
void rpc_door_finish(struct rpc *r)
{
    if (r->door->bell >= 0)
        close(r->door->bell);
    free(r->door->guard);
    free(r->door);
}
