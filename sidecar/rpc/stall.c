/* stall.c - what is on its way to a peer that does not take it. Every send ends by our clock, in three steps.
 *
 * A call out is answered at its deadline, whether what it sent has left or not (out.c). A served call whose message is not taken within
 * keepalive_time and keepalive_timeout is cancelled: its peer holds the window shut. And a connection whose bytes are not read is shut down.
 * On TCP the kernel does that (TCP_USER_TIMEOUT, which C core sets where it connects, and door.c where we accept). On a unix socket nobody does: C core's ping waits behind the
 * very write that is stuck, and C core tells nobody its descriptors. So once a send is overdue, the descriptors of this process are looked
 * through for unix sockets that lead to our peers and hold what has not been read; one on which nothing moves for keepalive_timeout is shut
 * down. That never happens while everybody reads. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/account.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Sockets that may be stuck. More of them wait for their turn. */
#define SUSPECTS_MAX 256

/* How often to look, in parts of keepalive_timeout. */
#define LOOKS 8

struct suspect {
    ino_t inode;
    int unread;
    gpr_timespec since; /* the number has been the same */
    bool seen;          /* in this look */
};

struct rpc_stall {
    struct suspect suspects[SUSPECTS_MAX];
    size_t count;
    gpr_timespec next_look;
};

void rpc_stall_finish(struct rpc *r)
{
    free(r->stall);
}

/* Whether the socket leads to a target, or was accepted where we listen. */
static bool is_ours(const struct rpc *r, int fd)
{
    struct sockaddr_un at = {0};
    socklen_t size = sizeof at;
    if (getpeername(fd, (struct sockaddr *)&at, &size) != 0 || at.sun_family != AF_UNIX)
        return false;
    for (const struct rpc_link *l = r->targets.next; l != &r->targets; l = l->next)
        if (strcmp(RPC_HOLDER(l, struct rpc_target, link)->path, at.sun_path) == 0 && at.sun_path[0] != '\0')
            return true;
    memset(&at, 0, sizeof at);
    size = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0 || at.sun_path[0] == '\0')
        return false;
    for (unsigned i = 0; i < r->entrances_made; i++)
        if (strcmp(r->entrances[i]->listening->path, at.sun_path) == 0)
            return true;
    return false;
}

/* The suspect of this socket; a new one when it is none yet. NULL: there are enough. */
static struct suspect *suspect_of(struct rpc_stall *s, ino_t inode, int unread, gpr_timespec now)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->suspects[i].inode == inode)
            return &s->suspects[i];
    if (s->count == SUSPECTS_MAX)
        return NULL;
    s->suspects[s->count] = (struct suspect){.inode = inode, .unread = unread, .since = now};
    return &s->suspects[s->count++];
}

/* fd is a duplicate, which nobody else can close meanwhile. Returns whether it is a unix socket of ours that holds what nobody has read. */
static bool holds_unread(const struct rpc *r, int fd, ino_t *inode, int *unread)
{
    struct stat st;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode) || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
        return false;
    *inode = st.st_ino;
    return domain == AF_UNIX && ioctl(fd, SIOCOUTQ, unread) == 0 && *unread > 0 && is_ours(r, fd);
}

static void look_at(struct rpc *r, int fd, gpr_timespec now, bool patient)
{
    ino_t inode;
    int unread;
    if (!holds_unread(r, fd, &inode, &unread))
        return;
    struct suspect *suspect = patient ? suspect_of(r->stall, inode, unread, now) : NULL;
    if (patient && suspect == NULL)
        return;
    if (patient && suspect->unread != unread) {
        suspect->unread = unread;
        suspect->since = now;
    }
    if (patient)
        suspect->seen = true;
    gpr_timespec patience = gpr_time_from_micros(r->options.keepalive_timeout.us, GPR_TIMESPAN);
    if (!patient || gpr_time_cmp(gpr_time_sub(now, suspect->since), patience) >= 0)
        shutdown(fd, SHUT_RDWR);
}

/* patient: a socket has keepalive_timeout to move; otherwise it has no time at all. */
static void look(struct rpc *r, gpr_timespec now, bool patient)
{
    struct rpc_stall *s = r->stall;
    DIR *fds = opendir("/proc/self/fd");
    if (fds == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(fds)) != NULL;) {
        int fd = entry->d_name[0] == '.' ? -1 : fcntl(atoi(entry->d_name), F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            continue;
        look_at(r, fd, now, patient);
        close(fd);
    }
    closedir(fds);
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->suspects[kept] = s->suspects[i];
        kept += s->suspects[kept].seen;
    }
    s->count = kept;
    for (size_t i = 0; i < kept; i++)
        s->suspects[i].seen = false;
}

void rpc_leaving_begin(struct rpc *r, struct rpc_leaving *leaving, size_t size)
{
    leaving->size = size;
    account_add(&account.leaving, size);
    leaving->since = r->now;
    rpc_link_append(&r->leaving, &leaving->link);
}

void rpc_leaving_end(struct rpc_leaving *leaving)
{
    account_sub(&account.leaving, leaving->size);
    leaving->size = 0;
    rpc_link_remove(&leaving->link);
}

/* Cancels the calls whose messages are not taken. */
static void cut(struct rpc *r, gpr_timespec now)
{
    const struct span patience = {.us = r->options.keepalive_time.us + r->options.keepalive_timeout.us};
    gpr_timespec before = gpr_time_sub(now, gpr_time_from_micros(patience.us, GPR_TIMESPAN));
    for (struct rpc_link *l = r->leaving.next; l != &r->leaving; l = l->next) {
        struct rpc_leaving *leaving = RPC_HOLDER(l, struct rpc_leaving, link);
        if (gpr_time_cmp(leaving->since, before) > 0)
            return;
        if (leaving->call != NULL)
            grpc_call_cancel_with_status(leaving->call, GRPC_STATUS_UNAVAILABLE, "what was sent has not been taken",
                                         NULL);
    }
}

void rpc_stall_turn(struct rpc *r, gpr_timespec *next)
{
    if (rpc_link_is_single(&r->leaving))
        return;
    const struct rpc_leaving *oldest = RPC_HOLDER(r->leaving.next, struct rpc_leaving, link);
    gpr_timespec step = gpr_time_from_micros(r->options.keepalive_timeout.us / LOOKS, GPR_TIMESPAN);
    gpr_timespec due = gpr_time_add(oldest->since, step);
    if (r->stall != NULL)
        due = gpr_time_max(due, r->stall->next_look);
    if (gpr_time_cmp(r->now, due) >= 0) {
        if (r->stall == NULL)
            r->stall = rpc_allocate(sizeof *r->stall);
        look(r, r->now, true);
        cut(r, r->now);
        due = r->stall->next_look = gpr_time_add(r->now, step);
    }
    *next = gpr_time_min(*next, due);
}

void rpc_stall_cut_all(struct rpc *r)
{
    if (r->stall == NULL)
        r->stall = rpc_allocate(sizeof *r->stall);
    look(r, r->now, false);
}
