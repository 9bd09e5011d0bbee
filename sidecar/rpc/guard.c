/* guard.c - looks, from the door's thread, at what C core does not bound: a loop that does not come back from it (a header that goes on
 * without an end, thousands of calls that are opened and reset), and the memory of the process as a whole. Who sends most is then shut out.
 *
 * Twenty times a second while the process does anything, every other second while it does not, and hardly ever while nobody is connected, which
 * leaves an idle machine alone: whoever comes in, and whatever a loop does, wakes it. C core does not say which connection it works for, so
 * the kernel is asked how much has come in on each: by its count of TCP, and on unix sockets, which have none, by what lies unread. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/account.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS      50
#define LOOK_IDLE_MS 2000
#define LOOK_NONE_MS 60000

/* The process is idle when it has used less of the processor than this since the last look. */
#define IDLE_NS INT64_C(2000000)

/* A loop is doubted when it has worked so long within C core without coming back, in at most so many looks: on a busy machine it gets little of
 * the processor. A loop that waits works for the sockets of other loops, so it is woken then; when it works on for so long without coming
 * back, it is held. */
#define DOUBTED_NS    INT64_C(35000000)
#define DOUBTED_LOOKS 20
#define HELD_NS       INT64_C(15000000)

/* So many calls that are reset between two looks are more than who changes his mind would reset; the second number when they are most of all. */
#define RESETS_MANY 500
#define RESETS_MOST 50

/* Connections whose counts are kept from one look to the next. More of them are not told apart. */
#define KNOWN_MAX 4096

/* Who has sent less than this between two looks is nobody's trouble. */
#define MUCH 16384

/* Memory that has been freed, and that the C library keeps, is given back at most so often: it takes its time. */
#define TRIM_MS 5000

struct known {
    ino_t inode;
    uint64_t received, score;
    bool fresh; /* seen in this look */
};

struct rpc_guard {
    int64_t next_ms, trimmed_ms, process_ns;
    struct {
        uint64_t progress, resets, ends;
        int64_t since_ns; /* of its work: when its progress was seen first */
        int64_t woken_ns; /* and when it was woken since; 0: it was not */
        unsigned looks;   /* since then */
    } room[RPC_ROOMS_MAX];
    struct known known[KNOWN_MAX];
    size_t known_count;
    bool sleeps;     /* until the next look is long, unless a loop has something to do */
    bool suspicious; /* the last look was: the counts are from then */
};

struct rpc_guard *rpc_guard_create(void)
{
    return rpc_allocate(sizeof(struct rpc_guard));
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec : 0;
}

/* ---- who sends ---- */

/* Whether fd is a socket that was accepted where the door listens. */
static bool is_guest(const struct rpc_watched *w, int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    } at = {0}, listener;
    socklen_t size = sizeof at;
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    if (getsockname(fd, &at.any, &size) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) != 0 || listens)
        return false;
    for (size_t i = 0; i < w->listening_count; i++) {
        memset(&listener, 0, sizeof listener);
        size = sizeof listener;
        if (getsockname(w->listenings[i].fd, &listener.any, &size) != 0 || listener.any.sa_family != at.any.sa_family)
            continue;
        if (at.any.sa_family == AF_UNIX ? strcmp(at.path.sun_path, listener.path.sun_path) == 0
                                        : at.v4.sin_port == listener.v4.sin_port) /* at the same place in both */
            return true;
    }
    return false;
}

uint64_t rpc_bytes_received(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

static struct known *known_of(struct rpc_guard *g, ino_t inode)
{
    for (size_t i = 0; i < g->known_count; i++)
        if (g->known[i].inode == inode)
            return &g->known[i];
    if (g->known_count == KNOWN_MAX)
        return NULL;
    g->known[g->known_count] = (struct known){.inode = inode};
    return &g->known[g->known_count++];
}

/* Looks at one descriptor; it is a duplicate, which nobody else can close meanwhile. */
static void count_one(struct rpc_guard *g, const struct rpc_watched *w, int fd)
{
    struct stat st;
    int unread = 0;
    if (!is_guest(w, fd) || fstat(fd, &st) != 0)
        return;
    struct known *k = known_of(g, st.st_ino);
    if (k == NULL || k->fresh || ioctl(fd, SIOCINQ, &unread) != 0)
        return;
    uint64_t received = rpc_bytes_received(fd);
    k->score = received - k->received + (uint64_t)unread;
    k->received = received;
    k->fresh = true;
}

/* Ends the connection, and throws away what has come: C core would go on with that. */
static bool shut_out(int fd)
{
    static char sink[65536];
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (shutdown(fd, SHUT_RDWR) != 0)
        return false;
    if (connect(fd, &nobody, sizeof nobody) != 0) /* a unix socket; one of TCP is reset, and emptied, by that */
        for (int n = 0; n < 256 && recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0; n++)
            ;
    return true;
}

static void cut_one(struct rpc_guard *g, int fd, uint64_t least, unsigned *cut)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    for (size_t i = 0; i < g->known_count; i++)
        if (g->known[i].inode == st.st_ino && g->known[i].score >= least) {
            g->known[i].score = 0;
            *cut += shut_out(fd);
        }
}

/* Whether anybody is connected who came in by the door. */
static bool has_guest(const struct rpc_watched *w)
{
    bool found = false;
    DIR *fds = opendir("/proc/self/fd");
    if (fds == NULL)
        return true;
    for (struct dirent *entry; !found && (entry = readdir(fds)) != NULL;)
        found = entry->d_name[0] != '.' && is_guest(w, atoi(entry->d_name));
    closedir(fds);
    return found;
}

/* Each socket of the process once: counted, or cut when its score is at least `least`. */
static unsigned each_socket(struct rpc_guard *g, const struct rpc_watched *w, uint64_t least)
{
    unsigned cut = 0;
    DIR *fds = opendir("/proc/self/fd");
    if (fds == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(fds)) != NULL;) {
        int fd = entry->d_name[0] == '.' ? -1 : fcntl(atoi(entry->d_name), F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            continue;
        if (least > 0)
            cut_one(g, fd, least, &cut);
        else
            count_one(g, w, fd);
        close(fd);
    }
    closedir(fds);
    return cut;
}

/* How much has come on each connection since the last suspicious look; those that are gone are forgotten. */
static void count_all(struct rpc_guard *g, const struct rpc_watched *w)
{
    size_t kept = 0;
    if (!g->suspicious)
        g->known_count = 0;
    each_socket(g, w, 0);
    for (size_t i = 0; i < g->known_count; i++)
        if (g->known[i].fresh) {
            g->known[kept] = g->known[i];
            g->known[kept++].fresh = false;
        }
    g->known_count = kept;
}

/* Shuts those out that have sent at least half as much as the one that sent most. Returns how many. */
static unsigned cut_most(struct rpc_guard *g, const struct rpc_watched *w)
{
    uint64_t most = 0;
    for (size_t i = 0; i < g->known_count; i++)
        most = g->known[i].score > most ? g->known[i].score : most;
    return most < MUCH ? 0 : each_socket(g, w, most / 2);
}

/* ---- what is wrong ---- */

/* Whether a loop works within C core and does not come back. *doubted: whether one may. */
static bool loop_is_held(struct rpc_guard *g, const struct rpc_watched *w, bool *doubted)
{
    bool held = false;
    *doubted = false;
    for (size_t i = 0; i < w->room_count; i++) {
        struct rpc *r = w->rooms[i];
        if (!atomic_load_explicit(&r->polled, memory_order_acquire))
            continue;
        uint64_t progress = atomic_load_explicit(&r->progress, memory_order_relaxed);
        int64_t worked = clock_ns(r->poller);
        if (progress != g->room[i].progress || (g->room[i].woken_ns == 0 && g->room[i].looks++ == DOUBTED_LOOKS)) {
            g->room[i].progress = progress;
            g->room[i].since_ns = worked;
            g->room[i].woken_ns = 0;
            g->room[i].looks = 0;
        }
        if (progress % 2 == 0 || worked - g->room[i].since_ns <= DOUBTED_NS)
            continue;
        *doubted = true;
        if (g->room[i].woken_ns == 0) {
            g->room[i].woken_ns = worked;
            rpc_wake(r);
        } else {
            held = held || worked - g->room[i].woken_ns > HELD_NS;
        }
    }
    return held;
}

static bool calls_are_reset(struct rpc_guard *g, const struct rpc_watched *w)
{
    bool many = false;
    for (size_t i = 0; i < w->room_count; i++) {
        uint64_t resets = atomic_load_explicit(&w->rooms[i]->resets, memory_order_relaxed);
        uint64_t ends = atomic_load_explicit(&w->rooms[i]->ends, memory_order_relaxed);
        uint64_t more = resets - g->room[i].resets, of = ends - g->room[i].ends;
        many = many || more >= RESETS_MANY || (more >= RESETS_MOST && more > of / 2);
        g->room[i].resets = resets;
        g->room[i].ends = ends;
    }
    return many;
}

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Whether the process has come to memory_bytes_max: to a sixteenth of it, which is what can still come before the next look.
   What the C library only keeps for later does not count, and is given back. */
static bool memory_is_over(struct rpc_guard *g, size_t bytes, size_t max, int64_t now_ms)
{
    if (bytes <= max - max / 16)
        return false;
    struct mallinfo2 info = mallinfo2();
    if (info.uordblks + info.hblkhd > max / 8 * 7)
        return true;
    if (now_ms - g->trimmed_ms >= TRIM_MS) {
        g->trimmed_ms = now_ms;
        malloc_trim(0);
    }
    return false;
}

static void tell(const struct rpc_watched *w, const char *why, unsigned cut)
{
    const struct rpc_callbacks *callbacks = &w->rooms[0]->callbacks;
    if (cut > 0 && callbacks->on_cut != NULL)
        callbacks->on_cut(callbacks->self, why, cut);
}

static void look(struct rpc_guard *g, const struct rpc_watched *w, int64_t now_ms)
{
    size_t max = atomic_load(&account.max), bytes = max == 0 ? 0 : resident();
    bool doubted, over = memory_is_over(g, bytes, max, now_ms), held = loop_is_held(g, w, &doubted);
    bool reset = calls_are_reset(g, w);
    held = held || reset;
    bool suspicious = held || doubted || (max > 0 && bytes > max / 4 * 3);
    atomic_store(&account.pressed, over);
    if (suspicious)
        count_all(g, w);
    if (g->suspicious && (over || held))
        tell(w, over ? "memory_bytes_max is reached" : "what they send keeps a loop from everything else",
             cut_most(g, w));
    g->suspicious = suspicious;
}

int rpc_guard_turn(struct rpc_guard *g, const struct rpc_watched *w, int64_t now_ms)
{
    bool woken = false;
    for (size_t i = 0; g->sleeps && i < w->room_count; i++)
        woken = woken || !atomic_load(&w->rooms[i]->guard_sleeps);
    if (now_ms >= g->next_ms || woken) {
        int64_t process_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        look(g, w, now_ms);
        g->sleeps = process_ns - g->process_ns <= IDLE_NS && !woken;
        g->next_ms = now_ms + (!g->sleeps ? LOOK_MS : has_guest(w) ? LOOK_IDLE_MS : LOOK_NONE_MS);
        g->process_ns = process_ns;
        for (size_t i = 0; i < w->room_count; i++)
            atomic_store(&w->rooms[i]->guard_sleeps, g->sleeps);
    }
    return (int)(g->next_ms - now_ms);
}
