/* names.c - a thread that waits for name servers, for a few look-ups at once. */
#include "sidecar/rpc/names.h"

#include "sidecar/rpc/rpc_inside.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Look-ups under way at once; more wait for their turn. */
#define LOOKUPS_MAX 16

/* The first answer of a server is waited for this long, then the next is asked, and each again with more patience. */
#define SERVER_MS    800
#define SERVER_TRIES 3

struct lookup {
    ares_channel channel; /* of its own: the system's configuration is read anew for each */
    struct name_query *query;
    int64_t until_ms;
    bool over;
};

struct names {
    struct rpc *room;
    struct inbox asked;
    struct inbox *back;
    int bell;
    atomic_bool ending;
    pthread_t thread;

    /* The thread's own. */
    struct letter *waiting, *last_waiting;
    struct lookup lookups[LOOKUPS_MAX];
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void give_back(struct names *n, struct name_query *query)
{
    inbox_put(n->back, &query->letter);
    rpc_wake(n->room);
}

static void take_addresses(struct name_query *query, const struct ares_addrinfo *found)
{
    unsigned count = 0;
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next)
        count++;
    query->addresses = rpc_allocate((count + 1) * sizeof *query->addresses);
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
        struct name_address *address = &query->addresses[query->count];
        address->six = node->ai_family == AF_INET6;
        if (node->ai_family == AF_INET)
            memcpy(address->bytes, &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr, 4);
        else if (address->six)
            memcpy(address->bytes, &((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr, 16);
        else
            continue;
        query->count++;
    }
}

static void looked_up(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct lookup *l = arg;
    struct name_query *query = l->query;
    (void)timeouts;
    l->over = true;
    if (status == ARES_SUCCESS && found != NULL)
        take_addresses(query, found);
    if (found != NULL)
        ares_freeaddrinfo(found);
    if (query->count > 0) {
        query->end = NAME_FOUND;
    } else if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA ||
               status == ARES_EBADNAME) {
        query->end = NAME_UNKNOWN;
        query->why = "no such name";
    } else {
        query->end = NAME_UNSURE;
        query->why = status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED || status == ARES_ECANCELLED
                         ? "the name server does not answer"
                         : "the name server cannot tell its address";
    }
}

/* l stays where it is until it is over. */
static void begin(struct lookup *l, struct name_query *query)
{
    struct ares_options options = {.timeout = SERVER_MS, .tries = SERVER_TRIES};
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    *l = (struct lookup){.query = query, .until_ms = now_ms() + NAMES_WAIT_MS};
    query->addresses = NULL;
    query->count = 0;
    query->why = NULL;
    int status = ares_init_options(&l->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status == ARES_SUCCESS && query->authority[0] != '\0')
        status = ares_set_servers_ports_csv(l->channel, query->authority);
    if (status == ARES_SUCCESS)
        ares_getaddrinfo(l->channel, query->host, NULL, &hints, looked_up, l);
    else
        looked_up(l, status, 0, NULL);
}

/* Gives back what is over, and lets those that wait begin. */
static void turn_over(struct names *n)
{
    for (unsigned i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *l = &n->lookups[i];
        if (l->query != NULL && !l->over && now_ms() >= l->until_ms)
            ares_cancel(l->channel);          /* its callback runs at once */
        while (l->query == NULL || l->over) { /* one of the hosts file is over as soon as it begins */
            if (l->query != NULL) {
                if (l->channel != NULL)
                    ares_destroy(l->channel);
                give_back(n, l->query);
                *l = (struct lookup){0};
            }
            if (n->waiting == NULL)
                break;
            struct name_query *query = (struct name_query *)n->waiting;
            n->waiting = n->waiting->next;
            begin(l, query);
        }
    }
}

/* Waits for whatever comes first: a query, a server's answer, the end of a patience. */
static void wait_for_more(struct names *n)
{
    struct pollfd polled[1 + LOOKUPS_MAX * ARES_GETSOCK_MAXNUM];
    struct lookup *whose[1 + LOOKUPS_MAX * ARES_GETSOCK_MAXNUM];
    nfds_t count = 0;
    int64_t now = now_ms(), timeout = -1;
    polled[count++] = (struct pollfd){.fd = n->bell, .events = POLLIN};
    for (unsigned i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *l = &n->lookups[i];
        if (l->query == NULL)
            continue;
        ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
        /* A bit for each socket to be read, and behind those one for each to be written. */
        unsigned mask = (unsigned)ares_getsock(l->channel, sockets, ARES_GETSOCK_MAXNUM);
        for (int k = 0; k < ARES_GETSOCK_MAXNUM; k++) {
            short events = (short)(((mask >> k & 1) != 0 ? POLLIN : 0) |
                                   ((mask >> (k + ARES_GETSOCK_MAXNUM) & 1) != 0 ? POLLOUT : 0));
            if (events == 0)
                continue;
            whose[count] = l;
            polled[count++] = (struct pollfd){.fd = sockets[k], .events = events};
        }
        struct timeval most = {.tv_sec = NAMES_WAIT_MS / 1000}, room;
        const struct timeval *next = ares_timeout(l->channel, &most, &room);
        int64_t ms = (int64_t)next->tv_sec * 1000 + next->tv_usec / 1000 + 1;
        int64_t left = l->until_ms > now ? l->until_ms - now : 0;
        ms = ms < left ? ms : left;
        timeout = timeout < 0 || ms < timeout ? ms : timeout;
    }
    if (poll(polled, count, (int)timeout) < 0)
        CHECK(errno == EINTR || errno == ENOMEM);
    uint64_t rings;
    ssize_t ignored = read(n->bell, &rings, sizeof rings);
    (void)ignored;
    for (nfds_t i = 1; i < count; i++)
        if (polled[i].revents != 0)
            ares_process_fd(whose[i]->channel, (polled[i].revents & ~POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD,
                            (polled[i].revents & POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD);
    for (unsigned i = 0; i < LOOKUPS_MAX; i++)
        if (n->lookups[i].query != NULL)
            ares_process_fd(n->lookups[i].channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is due */
}

static void *run(void *names)
{
    struct names *n = names;
    while (!atomic_load(&n->ending)) {
        struct letter *come = inbox_take(&n->asked);
        if (come != NULL && n->waiting == NULL)
            n->waiting = come;
        else if (come != NULL)
            n->last_waiting->next = come;
        for (; come != NULL; come = come->next)
            n->last_waiting = come;
        turn_over(n);
        wait_for_more(n);
    }
    for (unsigned i = 0; i < LOOKUPS_MAX; i++)
        if (n->lookups[i].channel != NULL)
            ares_destroy(n->lookups[i].channel);
    return NULL;
}

struct names *names_create(struct rpc *r, struct inbox *back)
{
    struct names *n = rpc_allocate(sizeof *n);
    sigset_t all, before;
    n->room = r;
    n->back = back;
    inbox_init(&n->asked);
    atomic_init(&n->ending, false);
    n->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(n->bell >= 0);
    sigfillset(&all); /* signals are for the threads that the owner has made */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK(pthread_create(&n->thread, NULL, run, n) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

static void ring(const struct names *n)
{
    uint64_t one = 1;
    CHECK(write(n->bell, &one, sizeof one) == sizeof one);
}

void names_ask(struct names *n, struct name_query *query)
{
    inbox_put(&n->asked, &query->letter);
    ring(n);
}

void names_destroy(struct names *n)
{
    if (n == NULL)
        return;
    atomic_store(&n->ending, true);
    ring(n);
    pthread_join(n->thread, NULL);
    close(n->bell);
    free(n);
}
