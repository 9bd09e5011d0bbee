/* target.c - peers to call, each at one address or several.
 *
 * C core is given one channel for each address, as a number, and the names are looked up here (names.h). Its own policies would do both, but
 * then it cannot be proven that a call never left while any address is connected, a name is looked up every 30 s at most, and C core 1.51's
 * round_robin ends the process when a peer that is no gRPC server closes its connections. Which address is called is spread.h's. */
#include "sidecar/rpc/rpc_inside.h"

#include "transport/settings.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a connection broke: tried again soon, since the peer is near. Calls wait meanwhile, so a participant that is back is to be found
 * within about a second. */
#define RECONNECT_MS_FIRST 100
#define RECONNECT_MS_MAX   1000

/* How often those are asked to connect that have none, while others are called. */
#define CONNECT_AGAIN_MS 500

/* A pod that is replaced has another address, and one that is added is to have its share: a name that is called is looked up every so often;
 * while somebody waits for it more often; and soon after a connection was lost, but no sooner than this after the last time. */
#define LOOK_UP_MS        5000
#define LOOK_UP_MS_WAITED 1000
#define LOOK_UP_MS_MIN    500

/* How often targets are looked at for which somebody waits. */
#define LOOK_MS     250
#define LOOK_MS_MIN 5

/* So many calls that were held leave in one turn: thousands at once would hold the loop for longer than anybody else should wait. */
#define LET_GO_MANY 64

/* Servers end the connection of a client that pings more often than they permit, and with it every call on it. grpc-go and grpc-java permit a
 * ping in five minutes: https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md. What a dead machine has not acknowledged
 * ends the connection sooner: with pings on, C core gives TCP keepalive_timeout to wait for that. */
#define PING_MS_MIN (5 * 60 * 1000)

int rpc_target_ping_ms(struct span keepalive_time)
{
    int ms = rpc_milliseconds(keepalive_time);
    return ms > PING_MS_MIN ? ms : PING_MS_MIN;
}

static gpr_timespec ms_after(gpr_timespec t, int64_t ms)
{
    return gpr_time_add(t, gpr_time_from_millis(ms, GPR_TIMESPAN));
}

/* ---- lines ---- */

/* NULL when no memory is left for the credentials. */
static grpc_channel *channel_create(const struct rpc_target *t, const char *name)
{
    const struct rpc_options *o = &t->rpc->options;
    const struct transport_setting settings[] = {
        /* Attempts are durable and counted by the engine: C core's own would multiply with them unseen. */
        {GRPC_ARG_ENABLE_RETRIES, 0},
        {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
        /* http_proxy in the environment is meant for the world outside. */
        {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, o->message_bytes_max > INT_MAX ? INT_MAX : (int)o->message_bytes_max},
        {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0}, /* unpack.c bounds it */
        {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1},
        {GRPC_ARG_MAX_METADATA_SIZE, (int)o->metadata_bytes_max},
        {GRPC_ARG_KEEPALIVE_TIME_MS, rpc_target_ping_ms(o->keepalive_time)},
        {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc_milliseconds(o->keepalive_timeout)},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, rpc_milliseconds(o->connect_timeout)},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MS_FIRST},
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS_MAX},
        {GRPC_ARG_ENABLE_CHANNELZ, 0},
        {GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg args[COUNT + 2];
    transport_settings(settings, COUNT, args);
    args[COUNT] = rpc_incoming_arg(false);
    /* Who is called does not depend on where it is: the name is what servers and certificates know. */
    args[COUNT + 1] = (grpc_arg){.type = GRPC_ARG_STRING,
                                 .key = (char *)GRPC_ARG_DEFAULT_AUTHORITY,
                                 .value.string = (char *)(uintptr_t)t->authority};
    grpc_channel_credentials *ours = transport_channel_credentials(&t->credentials, t->host);
    if (ours == NULL)
        return NULL;
    const grpc_channel_args all = {.num_args = t->authority[0] != '\0' ? COUNT + 2 : COUNT + 1, .args = args};
    grpc_channel *channel = grpc_channel_create(name, ours, &all);
    grpc_channel_credentials_release(ours);
    return channel;
}

static void changed(struct rpc_op *op, bool ok);

static grpc_connectivity_state state_of(const struct rpc_line *line, bool connect)
{
    return grpc_channel_check_connectivity_state(line->channel, connect);
}

static void watch(struct rpc_line *line, grpc_connectivity_state known)
{
    line->changed.done = changed;
    grpc_channel_watch_connectivity_state(line->channel, known, gpr_inf_future(GPR_CLOCK_MONOTONIC),
                                          line->target->rpc->queue, &line->changed);
}

static void open_line(struct rpc_target *t, unsigned which)
{
    grpc_channel *channel = channel_create(t, t->ways[which].name);
    if (channel == NULL)
        return; /* the next time, then */
    struct rpc_line *line = rpc_allocate(sizeof *line);
    line->target = t;
    line->channel = channel;
    rpc_link_append(&t->rpc->lines, &line->link);
    t->ways[which].line = line;
    watch(line, state_of(line, true));
}

/* What has left over it goes on; C core ends the connection after that. */
static void drop_line(struct rpc_target *t, unsigned which)
{
    struct rpc_line *line = t->ways[which].line;
    t->states[which] = SPREAD_IDLE;
    t->ways[which].line = NULL;
    if (line == NULL)
        return;
    line->target = NULL;
    grpc_channel_destroy(line->channel); /* `changed` comes out */
}

static bool has_ready(const struct rpc_target *t)
{
    for (unsigned i = 0; i < t->way_count; i++)
        if (t->states[i] == SPREAD_READY)
            return true;
    return false;
}

/* Those have a connection, or are tried, that should be. */
static void connect_wanted(struct rpc_target *t)
{
    bool all = true;
    for (unsigned i = 0; i < t->way_count; i++) {
        if (!spread_wants(t->policy, t->states, t->way_count, i)) {
            drop_line(t, i);
            continue;
        }
        all = all && t->states[i] == SPREAD_READY;
        if (t->ways[i].line == NULL)
            open_line(t, i);
        else if (t->states[i] != SPREAD_READY)
            state_of(t->ways[i].line, true);
    }
    t->connect_at = all ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : ms_after(t->rpc->now, CONNECT_AGAIN_MS);
}

/* ---- names ---- */

static void look_up_within(struct rpc_target *t, int64_t ms_since_last)
{
    t->look_up_at = gpr_time_min(t->look_up_at, ms_after(t->looked_up, ms_since_last));
}

static void look_up_if_due(struct rpc_target *t)
{
    struct rpc *r = t->rpc;
    if (!t->named || t->looking_up || gpr_time_cmp(r->now, t->look_up_at) < 0)
        return;
    if (r->names == NULL)
        r->names = names_create(r, &r->told);
    t->looking_up = true;
    names_ask(r->names, &t->query);
}

/* What is known of a way. C core tries one that fails again by itself, and calls that try a connection do not make it better. */
static void note(struct rpc_target *t, unsigned which, grpc_connectivity_state state)
{
    uint8_t before = t->states[which];
    if (state == GRPC_CHANNEL_READY)
        t->states[which] = SPREAD_READY;
    else if (state == GRPC_CHANNEL_TRANSIENT_FAILURE)
        t->states[which] = SPREAD_FAILING;
    else if (before != SPREAD_FAILING || state == GRPC_CHANNEL_IDLE)
        t->states[which] = SPREAD_IDLE;
    if (t->states[which] == before || t->states[which] == SPREAD_READY)
        return;
    t->connect_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    look_up_within(t, LOOK_UP_MS_MIN); /* it may have gone elsewhere */
}

/* ---- whoever waits ---- */

static void be_restless(struct rpc_target *t, gpr_timespec look_at)
{
    struct rpc *r = t->rpc;
    if (rpc_link_is_single(&t->restless))
        rpc_link_append(&r->restless, &t->restless);
    r->look_at = gpr_time_min(r->look_at, look_at);
}

void rpc_target_hold(struct rpc_target *target, struct rpc_link *call)
{
    rpc_link_append(&target->held, call);
    be_restless(
        target,
        target->rpc->now); /* whether there is anything to wait for is seen at once, though not within this call */
}

void rpc_target_await(struct rpc_target *target)
{
    if (target->retired)
        return;
    target->awaited = true;
    be_restless(target, target->rpc->now);
}

/* ---- what it does not take ---- */

/* Of all bytes that may be on their way to targets, what one may not take: one that does not read leaves room for the others. */
#define SHARE 4

/* One request may always be on its way. */
static bool is_full(const struct rpc_target *t, size_t more)
{
    uint64_t max = t->rpc->options.outgoing_bytes_max;
    CHECK(t->outgoing <= t->rpc->outgoing);
    return max != 0 && t->outgoing > 0 && (t->outgoing + more > max / SHARE || t->rpc->outgoing + more > max);
}

bool rpc_target_holds(const struct rpc_target *t, size_t size)
{
    return !rpc_link_is_single(&t->held) || is_full(t, size);
}

void rpc_target_given(struct rpc_target *t, size_t size)
{
    t->outgoing += size;
    t->rpc->outgoing += size;
}

void rpc_target_took(struct rpc_target *t, size_t size)
{
    if (size == 0)
        return;
    CHECK(size <= t->outgoing && size <= t->rpc->outgoing);
    t->outgoing -= size;
    t->rpc->outgoing -= size;
    if (!rpc_link_is_single(&t->held))
        be_restless(t, t->rpc->now);
}

/* Lets those go that wait for a connection, or for what was sent before them to be taken; where there is no connection, one that cannot be
 * reached says why at once. Returns whether there are more that may go in the next turn. */
static bool let_go(struct rpc_target *t)
{
    for (unsigned gone = 0; !rpc_link_is_single(&t->held); gone++) {
        if (gone == LET_GO_MANY)
            return true;
        if (is_full(t, rpc_out_size(t->held.next)))
            return false;
        struct rpc_line *line = rpc_target_line(t);
        if (line == NULL && (t->looking_up || !spread_hopeless(t->states, t->way_count)))
            return false; /* lost this very moment */
        bool connected = line != NULL;
        for (unsigned i = 0; line == NULL && i < t->way_count; i++)
            line = t->ways[i].line;
        struct rpc_link *call = t->held.next;
        rpc_link_remove(call);
        if (line != NULL)
            rpc_out_go(call, line, connected);
        else
            rpc_out_give_up(call, t->query.why != NULL ? t->query.why : "no such name");
    }
    return false;
}

/* Sees what can be done for those who wait. Returns whether there is more to do in the next turn. */
static bool settle(struct rpc_target *t)
{
    bool more = false;
    struct rpc *r = t->rpc;
    bool held = !rpc_link_is_single(&t->held);
    if (held || t->awaited)
        connect_wanted(t);
    bool ready = has_ready(t);
    if (held && (ready || (!t->looking_up && spread_hopeless(t->states, t->way_count))))
        more = let_go(t);
    bool back = ready && t->awaited && !is_full(t, t->outgoing);
    t->awaited = t->awaited && !back;
    if (!t->awaited && rpc_link_is_single(&t->held))
        rpc_link_remove(&t->restless);
    if (back)
        r->callbacks.on_reachable(r->callbacks.self, t->number);
    if (more)
        be_restless(t, r->now);
    return more;
}

static void changed(struct rpc_op *op, bool ok)
{
    struct rpc_line *line = RPC_HOLDER(op, struct rpc_line, changed);
    struct rpc_target *t = line->target;
    (void)ok;
    if (t == NULL) {
        rpc_link_remove(&line->link);
        free(line);
        return;
    }
    unsigned which = 0;
    while (t->ways[which].line != line)
        which++;
    grpc_connectivity_state state = state_of(line, false);
    note(t, which, state);
    watch(line, state);
    if (t->states[which] != SPREAD_IDLE)
        connect_wanted(t); /* of pick_first, others have become needed or needless */
    settle(t);
}

struct rpc_line *rpc_target_line(struct rpc_target *t)
{
    look_up_if_due(t);
    if (gpr_time_cmp(t->connect_at, t->rpc->now) <= 0)
        connect_wanted(t);
    for (int i; (i = spread_next(t->policy, t->states, t->way_count, &t->turn)) >= 0;) {
        grpc_connectivity_state state = state_of(t->ways[i].line, false);
        if (state == GRPC_CHANNEL_READY)
            return t->ways[i].line;
        note(t, (unsigned)i, state);
    }
    return NULL;
}

/* ---- what names stand for ---- */

static int way_find(const struct rpc_target *t, const char *name)
{
    for (unsigned i = 0; i < t->way_count; i++)
        if (strcmp(t->ways[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Returns false when there is no memory: of a name the next look-up tries again. */
static bool way_add(struct rpc_target *t, const char *name)
{
    CHECK(t->way_count < RPC_ADDRESSES_MAX);
    struct rpc_way *ways = realloc(t->ways, (t->way_count + 1) * sizeof *ways);
    if (ways == NULL)
        return false;
    t->ways = ways;
    char *copy = strdup(name);
    if (copy == NULL)
        return false;
    t->states[t->way_count] = SPREAD_IDLE;
    t->ways[t->way_count++] = (struct rpc_way){.name = copy};
    t->connect_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    return true;
}

static void way_remove(struct rpc_target *t, unsigned which)
{
    drop_line(t, which);
    free(t->ways[which].name);
    t->way_count--;
    memmove(&t->ways[which], &t->ways[which + 1], (t->way_count - which) * sizeof *t->ways);
    memmove(&t->states[which], &t->states[which + 1], t->way_count - which);
}

#define WAY_NAME_SIZE (INET6_ADDRSTRLEN + 24)

/* C core's name of an address in numbers. */
static void way_name(bool six, const char *number, uint16_t port, char name[WAY_NAME_SIZE])
{
    snprintf(name, WAY_NAME_SIZE, six ? "ipv6:%%5B%s%%5D:%u" : "ipv4:%s:%u", number, (unsigned)port);
}

/* The k-th of the addresses that were found, counted from one that differs from process to process, so that where there are too many not all
 * processes leave the same ones out. For pick_first the order is the resolver's. */
static void found_name(const struct rpc_target *t, unsigned k, char name[WAY_NAME_SIZE])
{
    const struct name_query *q = &t->query;
    unsigned from = t->policy == SPREAD_PICK_FIRST ? 0 : t->rpc->chance % q->count;
    const struct name_address *address = &q->addresses[(from + k) % q->count];
    char number[INET6_ADDRSTRLEN];
    CHECK(inet_ntop(address->six ? AF_INET6 : AF_INET, address->bytes, number, sizeof number) != NULL);
    way_name(address->six, number, t->port, name);
}

static bool is_found(const struct rpc_target *t, const char *name)
{
    char found[WAY_NAME_SIZE];
    for (unsigned k = 0; k < t->query.count; k++) {
        found_name(t, k, found);
        if (strcmp(found, name) == 0)
            return true;
    }
    return false;
}

/* An address that the name does not stand for any more is called no more. When nobody knows the name, those stay that are connected. */
static void take_found(struct rpc_target *t)
{
    const struct name_query *q = &t->query;
    char name[WAY_NAME_SIZE];
    for (unsigned i = t->way_count; q->end != NAME_UNSURE && i-- > 0;)
        if (q->end == NAME_FOUND ? !is_found(t, t->ways[i].name) : t->states[i] != SPREAD_READY)
            way_remove(t, i);
    for (unsigned k = 0; k < q->count && t->way_count < RPC_ADDRESSES_MAX; k++) {
        found_name(t, k, name);
        if (way_find(t, name) < 0 && !way_add(t, name))
            return;
    }
}

static void looked_up(struct rpc_target *t)
{
    t->looking_up = false;
    t->looked_up = t->rpc->now;
    t->look_up_at = ms_after(t->looked_up, LOOK_UP_MS);
    if (!t->retired)
        take_found(t);
    free(t->query.addresses);
    t->query.addresses = NULL;
    if (gpr_time_cmp(t->connect_at, t->rpc->now) <= 0)
        connect_wanted(t); /* a pod that was added has its share once it is connected */
    settle(t);
}

int rpc_targets_turn(struct rpc *r, gpr_timespec *next)
{
    int count = 0;
    if (!inbox_is_empty(&r->told))
        for (struct letter *l = inbox_take(&r->told), *after; l != NULL; l = after, count++) {
            after = l->next;
            looked_up(RPC_HOLDER((struct name_query *)l, struct rpc_target, query));
        }
    if (rpc_link_is_single(&r->restless))
        return count;
    if (gpr_time_cmp(r->now, r->look_at) >= 0) {
        bool more = false;
        r->look_at = ms_after(r->now, LOOK_MS);
        for (struct rpc_link *l = r->restless.next, *after; l != &r->restless; l = after) {
            struct rpc_target *t = RPC_HOLDER(l, struct rpc_target, restless);
            after = l->next;
            look_up_within(t, LOOK_UP_MS_WAITED);
            look_up_if_due(t);
            if (settle(t)) {
                more = true; /* for these there is nothing to wait for */
                continue;
            }
            rpc_out_expire(r, &t->held,
                           t->looking_up && t->way_count == 0 ? "its name could not be looked up in time"
                           : has_ready(t)                     ? "it does not read what it was sent"
                                                              : NULL,
                           &r->look_at);
        }
        r->look_at = more ? r->now : gpr_time_max(r->look_at, ms_after(r->now, LOOK_MS_MIN));
    }
    *next = gpr_time_min(*next, r->look_at);
    return count;
}

const char *rpc_target_cause(const char *trace)
{
    static const struct {
        const char *said, *means;
    } causes[] = {
        {"Connection refused", "connection refused: nobody listens there"},
        {"No such file or directory", "there is no socket at this path"},
        {"Permission denied", "permission denied"},
        {"No route to host", "no route to the host"},
        {"Network is unreachable", "the network is unreachable"},
        {"DNS", "no such name"},
        {"Domain name not found", "no such name"},
        {"certificate verify failed", "its certificate is by none of tls_roots, or out of date"},
        {"of somebody else", "its certificate is of somebody else than its address or identity says"},
        {"wrong version number", "what listens there does not speak TLS"},
        {"andshake", "the handshake of TLS failed"},
        {"SSL", "the handshake of TLS failed"},
        {"http1.x", "what listens there does not speak HTTP/2"},
        {"SETTINGS", "what listens there does not speak HTTP/2"},
        {"Failed parsing HTTP/2", "what listens there does not speak HTTP/2"},
        {"Socket closed", "it closes every connection at once: it may want TLS, or know other certificates"},
        {"Connection reset by peer", "it closes every connection at once: it may want TLS, or know other certificates"},
    };
    for (size_t i = 0; trace != NULL && i < sizeof causes / sizeof causes[0]; i++)
        if (strstr(trace, causes[i].said) != NULL)
            return causes[i].means;
    return "no connection was found in time";
}

/* ---- certificates that change ---- */

/* The calls that are out go on over the line on which they left. */
static void renew(struct rpc_target *t)
{
    uint64_t version = certificates_version(t->credentials.certificates);
    if (version == t->certificates_version || t->retired)
        return;
    t->certificates_version = version;
    for (unsigned i = 0; i < t->way_count; i++)
        drop_line(t, i);
    t->connect_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    settle(t);
}

void rpc_targets_renew(struct rpc *r)
{
    for (struct rpc_link *l = r->targets.next; l != &r->targets; l = l->next) {
        struct rpc_target *target = RPC_HOLDER(l, struct rpc_target, link);
        if (target->credentials.certificates != NULL)
            renew(target);
    }
}

/* ---- a target's life ---- */

static bool add_number(struct rpc_target *t, const struct address *at)
{
    char name[WAY_NAME_SIZE];
    way_name(at->bracketed, at->host, at->port, name);
    return t->way_count == RPC_ADDRESSES_MAX || way_find(t, name) >= 0 || way_add(t, name);
}

/* Both of this machine's own; a participant is at one of them. */
static bool add_localhost(struct rpc_target *t)
{
    char name[WAY_NAME_SIZE];
    t->policy = SPREAD_PICK_FIRST;
    way_name(true, "::1", t->port, name);
    if (!way_add(t, name))
        return false;
    way_name(false, "127.0.0.1", t->port, name);
    return way_add(t, name);
}

/* Returns false when there is no memory. */
static bool take_address(struct rpc_target *t, const struct address *at, const char *name)
{
    if (at->path != NULL) {
        memcpy(t->path, at->path, strlen(at->path) + 1);
        return way_add(t, name);
    }
    memcpy(t->host, at->host, sizeof t->host);
    t->port = at->port;
    snprintf(t->authority, sizeof t->authority, at->bracketed ? "[%s]:%u" : "%s:%u", at->host, (unsigned)at->port);
    if (address_is_number(at)) {
        struct address other = *at;
        do
            if (!add_number(t, &other))
                return false;
        while (address_next(&other));
        return true;
    }
    if (at->authority == NULL && strcmp(at->host, "localhost") == 0)
        return add_localhost(t);
    t->named = true;
    snprintf(t->name_server, sizeof t->name_server, "%.*s", (int)at->authority_size,
             at->authority == NULL ? "" : at->authority);
    t->query.host = t->host;
    t->query.authority = t->name_server;
    return true;
}

static void target_free(struct rpc_target *t)
{
    while (t->way_count > 0)
        way_remove(t, t->way_count - 1);
    free(t->ways);
    free(t->query.addresses);
    free(t);
}

int rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                      struct error_detail *detail)
{
    struct address at;
    char name[ADDRESS_NAME_SIZE];
    const char *wrong = address_read_target(to->address, &at);
    if (wrong != NULL || !address_target_name(&at, name))
        return error_set(detail, E_ARGUMENT, "address", wrong == NULL ? "is too long" : wrong);
    struct rpc_target *t = calloc(1, sizeof *t);
    if (t == NULL)
        return error_set(detail, E_MEMORY, "", "");
    t->rpc = r;
    t->number = to->number;
    t->policy = to->policy;
    t->turn = r->chance;
    t->credentials = *to->credentials;
    if (to->credentials->certificates != NULL)
        t->certificates_version = certificates_version(to->credentials->certificates);
    t->connect_at = t->looked_up = t->look_up_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    rpc_link_init(&t->held);
    rpc_link_init(&t->restless);
    if (!take_address(t, &at, name)) {
        target_free(t);
        return error_set(detail, E_MEMORY, "", "");
    }
    rpc_link_append(&r->targets, &t->link);
    *out = t;
    return 0;
}

void rpc_target_retire(struct rpc_target *t)
{
    t->retired = true;
    t->awaited = false;
    while (t->way_count > 0)
        way_remove(t, t->way_count - 1);
    while (!rpc_link_is_single(&t->held)) {
        struct rpc_link *call = t->held.next;
        rpc_link_remove(call);
        rpc_out_give_up(call, "it is configured to be elsewhere now");
    }
    rpc_link_remove(&t->restless);
}

void rpc_targets_finish(struct rpc *r)
{
    names_destroy(r->names);
    while (!rpc_link_is_single(&r->targets)) {
        struct rpc_target *t = RPC_HOLDER(r->targets.next, struct rpc_target, link);
        rpc_link_remove(&t->link);
        target_free(t);
    }
    /* What C core still has to say about them nobody will hear: it is given their addresses back, and no more. */
    while (!rpc_link_is_single(&r->lines)) {
        struct rpc_line *line = RPC_HOLDER(r->lines.next, struct rpc_line, link);
        rpc_link_remove(&line->link);
        free(line);
    }
}
