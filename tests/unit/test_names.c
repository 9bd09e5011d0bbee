/* Targets with several addresses, and names whose addresses come and go. */
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/fake_dns.h"
#include "tests/support/fake_peer.h"
#include "tests/support/rpc_world.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEERS = 3 };

static struct world w;
static struct fake_dns dns;
static struct fake_peer peers[PEERS]; /* at 127.0.0.2 and so on, all at one port */

static atomic_int later_s; /* what the room's clock says more than the world's */

/* tests.mk wraps it. */
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int error = __real_clock_gettime(clock, t);
    t->tv_sec += atomic_load(&later_s);
    return error;
}

static void name_of(uint16_t port, char name[96])
{
    snprintf(name, 96, "dns://%s/" FAKE_DNS_NAME ":%u", dns.address, (unsigned)port);
}

/* Not started yet: the test may still make it worse. It answers FAILED_PRECONDITION, which nobody makes up. */
static void make_peer(unsigned k)
{
    static const char *const hosts[PEERS] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
    struct fake_peer *p = &peers[k];
    uint16_t port = peers[0].port;
    fake_peer_init(p);
    p->host = hosts[k];
    p->port = port;
    p->cuts = p->every = true;
    fake_headers(p, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "9", NULL);
}

static void start_peers(unsigned count)
{
    peers[0].port = 0;
    for (unsigned k = 0; k < count; k++) {
        make_peer(k);
        fake_peer_start(&peers[k]);
    }
}

/* The name stands for the first so many peers. */
static void start_dns(unsigned count)
{
    memset(&dns, 0, sizeof dns);
    for (unsigned k = 0; k < count; k++)
        atomic_init(&dns.last[k], k + 2);
    fake_dns_start(&dns);
}

static struct rpc_target *name_target(void)
{
    char name[96];
    name_of(peers[0].port, name);
    return world_target(&w, name);
}

static struct world_answer call(struct rpc_target *target)
{
    struct world_answer a;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &a);
    WORLD_UNTIL(&w, a.count == 1);
    return a;
}

static unsigned asked(unsigned peer)
{
    return atomic_load(&peers[peer].requests);
}

static int64_t ms_since(gpr_timespec begin)
{
    return gpr_time_to_millis(gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), begin));
}

/* Calls until peer number k has been asked; returns after how many milliseconds that was. */
static int64_t call_until_asked(struct rpc_target *target, unsigned k)
{
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    while (asked(k) == 0 && ms_since(begin) < 9000)
        call(target);
    ck_assert_uint_gt(asked(k), 0);
    return ms_since(begin);
}

static void end(unsigned count)
{
    world_close(&w);
    for (unsigned k = 0; k < count; k++)
        fake_peer_stop(&peers[k]);
    if (dns.socket != 0)
        fake_dns_stop(&dns);
}

static void setup(void)
{
    world_init(&w);
}

START_TEST(names__one_that_moves_is_found_soon)
{
    start_peers(1);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    struct world_answer a = call(target);
    ck_assert_msg(a.status == 9, "%d %s (%s)", a.status, a.message.at, a.unreached);
    atomic_store(&dns.last[0], 3);
    fake_peer_stop(&peers[0]);
    make_peer(1);
    fake_peer_start(&peers[1]);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    do
        a = call(target);
    while (a.status != 9 && ms_since(begin) < 15000); /* C core itself asks again after 30 s */
    ck_assert_msg(a.status == 9, "%d %s", a.status, a.message.at);
    world_close(&w);
    fake_peer_stop(&peers[1]);
    fake_dns_stop(&dns);
}
END_TEST

START_TEST(names__all_addresses_are_called_in_turn)
{
    start_peers(3);
    start_dns(3);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    for (unsigned k = 0; k < 3; k++)
        call_until_asked(target, k); /* now all have connections */
    unsigned before[3] = {asked(0), asked(1), asked(2)};
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(call(target).status, 9);
    for (unsigned k = 0; k < 3; k++)
        ck_assert_uint_eq(asked(k) - before[k], 10);
    /* Where one goes from the name, the others share its calls at once. */
    unsigned gone = (unsigned)target->ways[0].name[strlen("ipv4:127.0.0.")] - '2';
    atomic_store(&dns.last[gone], 0);
    target->look_up_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    call(target);
    WORLD_UNTIL(&w, target->way_count == 2);
    for (unsigned k = 0; k < 3; k++)
        before[k] = asked(k);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(call(target).status, 9);
    for (unsigned k = 0; k < 3; k++)
        ck_assert_uint_eq(asked(k) - before[k], k == gone ? 0 : 5);
    end(3);
}
END_TEST

/* Of pick_first another is called only when the first is gone. */
START_TEST(names__pick_first_calls_one_as_long_as_it_is_there)
{
    start_peers(2);
    start_dns(2);
    w.policy = SPREAD_PICK_FIRST;
    world_open(&w, false);
    struct rpc_target *target = name_target();
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(call(target).status, 9);
    unsigned used = asked(0) > 0 ? 0 : 1;
    ck_assert_uint_eq(asked(used), 20);
    /* The first is the resolver's, in every process. */
    w.rpc->chance++;
    struct rpc_target *other = name_target();
    ck_assert_int_eq(call(other).status, 9);
    ck_assert_str_eq(other->ways[0].name, target->ways[0].name);
    fake_peer_stop(&peers[used]);
    call_until_asked(target, 1 - used);
    /* And the one that is gone is not tried any more. */
    WORLD_UNTIL(&w, (target->ways[0].line != NULL) + (target->ways[1].line != NULL) == 1);
    world_close(&w);
    fake_peer_stop(&peers[1 - used]);
    fake_dns_stop(&dns);
}
END_TEST

/* Nothing was lost: the name is looked up all the same while it is called, and not when it is not. */
START_TEST(names__address_that_is_added_has_its_share_within_seconds)
{
    start_peers(2);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    ck_assert_int_eq(call(target).status, 9);
    atomic_store(&dns.last[1], 3);
    ck_assert_int_lt(call_until_asked(target, 1), 7000);
    unsigned questions = atomic_load(&dns.asked);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    while (ms_since(begin) < 6000)
        world_turn(&w);
    ck_assert_uint_eq(atomic_load(&dns.asked), questions);
    end(2);
}
END_TEST

/* Wherever it stands in the answer, before or behind one that is known. */
START_TEST(names__address_that_is_added_is_called_wherever_it_stands)
{
    start_peers(2);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    ck_assert_int_eq(call(target).status, 9);
    for (w.rpc->chance = 0; w.rpc->chance < 2; w.rpc->chance++)
        for (unsigned count = 2; count >= 1; count--) {
            atomic_store(&dns.last[1], count == 2 ? 3 : 0);
            WORLD_UNTIL(&w, !target->looking_up);
            target->look_up_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
            ck_assert_int_eq(call(target).status, 9);
            WORLD_UNTIL(&w, target->way_count == count);
        }
    end(2);
}
END_TEST

/* Whichever stands first or last in the answer: what is still there keeps its connection. */
START_TEST(names__address_that_stays_keeps_its_connection)
{
    start_peers(3);
    start_dns(3);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    for (unsigned k = 0; k < 3; k++)
        call_until_asked(target, k);
    const struct rpc_line *lines[3];
    for (unsigned k = 0; k < 3; k++)
        lines[k] = target->ways[k].line;
    for (w.rpc->chance = 0; w.rpc->chance < 3; w.rpc->chance++) {
        WORLD_UNTIL(&w, !target->looking_up);
        unsigned questions = atomic_load(&dns.asked);
        target->look_up_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
        ck_assert_int_eq(call(target).status, 9);
        WORLD_UNTIL(&w, !target->looking_up && atomic_load(&dns.asked) > questions);
        for (unsigned k = 0; k < 3; k++)
            ck_assert_ptr_eq(target->ways[k].line, lines[k]);
    }
    end(3);
}
END_TEST

/* What was looked up is taken at once, though the room had nothing to do for long. */
START_TEST(names__what_was_looked_up_ends_a_wait)
{
    start_peers(1);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    struct world_answer a;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(50), &a);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    while (target->way_count == 0) {
        w.rpc->look_at = world_deadline(40); /* else it would look soon by itself */
        rpc_poll(w.rpc, SPAN_S(20));
    }
    ck_assert_int_lt(ms_since(begin), 15000);
    w.rpc->look_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.status, 9);
    end(1);
}
END_TEST

/* Where a connection was lost, the name is looked up with the next call, and not only when it is due again: whoever was there may have moved. */
START_TEST(names__a_lost_connection_has_the_name_looked_up_sooner)
{
    start_peers(2);
    start_dns(2);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    call_until_asked(target, 0);
    WORLD_UNTIL(&w, !target->looking_up && target->states[0] == SPREAD_READY && target->states[1] == SPREAD_READY);
    fake_peer_stop(&peers[0]); /* nobody waits for it: the other is there */
    WORLD_UNTIL(&w, gpr_time_to_millis(gpr_time_sub(target->look_up_at, target->looked_up)) == 500);
    world_close(&w);
    fake_peer_stop(&peers[1]);
    fake_dns_stop(&dns);
}
END_TEST

/* Where nobody answers for the name, it is not said to be unknown: who is not connected just then stays where he was. */
START_TEST(names__a_name_server_that_is_away_takes_no_address_away)
{
    start_peers(1);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    ck_assert_int_eq(call(target).status, 9);
    fake_dns_stop(&dns);
    fake_peer_stop(&peers[0]);
    while (target->looking_up || target->query.end != NAME_UNSURE)
        ck_assert_int_ne(call(target).status, 9);
    make_peer(0);
    fake_peer_start(&peers[0]);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    struct world_answer a;
    do
        a = call(target);
    while (a.status != 9 && ms_since(begin) < 10000);
    ck_assert_msg(a.status == 9, "%d %s (%s)", a.status, a.message.at, a.unreached);
    world_close(&w);
    fake_peer_stop(&peers[0]);
}
END_TEST

/* Nor does one that knows of no such name any more, as long as there is a connection. */
START_TEST(names__one_that_is_unknown_by_now_is_called_while_it_is_connected)
{
    struct world_answer a;
    start_peers(1);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    ck_assert_int_eq(call(target).status, 9);
    atomic_store(&dns.last[0], 0);
    target->look_up_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    ck_assert_int_eq(call(target).status, 9);
    WORLD_UNTIL(&w, !target->looking_up && target->query.end == NAME_UNKNOWN);
    ck_assert_int_eq(call(target).status, 9);
    fake_peer_stop(&peers[0]);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    do
        a = call(target);
    while (target->way_count > 0 && ms_since(begin) < 10000);
    ck_assert_uint_eq(target->way_count, 0);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    world_close(&w);
    fake_dns_stop(&dns);
}
END_TEST

/* Waits for a query that is asked of names alone. */
static void look_up(struct names *names, struct inbox *back, struct name_query *query)
{
    struct letter *come;
    names_ask(names, query);
    WORLD_UNTIL(&w, (come = inbox_take(back)) != NULL);
    ck_assert_ptr_eq(come, &query->letter);
}

START_TEST(names__an_address_has_its_family)
{
    static const uint8_t four[4] = {192, 0, 2, 7}, six[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9};
    struct name_query query = {.host = "2001:db8::9", .authority = ""};
    struct inbox back;
    world_open(&w, false);
    inbox_init(&back);
    struct names *names = names_create(w.rpc, &back);
    look_up(names, &back, &query);
    ck_assert_int_eq(query.end, NAME_FOUND);
    ck_assert_uint_eq(query.count, 1);
    ck_assert(query.addresses[0].six);
    ck_assert_mem_eq(query.addresses[0].bytes, six, sizeof six);
    free(query.addresses);
    query.host = "192.0.2.7";
    look_up(names, &back, &query);
    ck_assert_int_eq(query.end, NAME_FOUND);
    ck_assert_uint_eq(query.count, 1);
    ck_assert(!query.addresses[0].six);
    ck_assert_mem_eq(query.addresses[0].bytes, four, sizeof four);
    free(query.addresses);
    names_destroy(names);
    world_close(&w);
}
END_TEST

/* Whichever of them comes first, a peer may be at the other alone. */
START_TEST(names__one_of_both_families_stands_for_all_its_addresses)
{
    struct name_query query = {.host = FAKE_DNS_NAME, .authority = dns.address};
    struct inbox back;
    memset(&dns, 0, sizeof dns);
    dns.six = true;
    atomic_init(&dns.last[0], 2);
    atomic_init(&dns.last[1], 3);
    fake_dns_start(&dns);
    world_open(&w, false);
    inbox_init(&back);
    struct names *names = names_create(w.rpc, &back);
    look_up(names, &back, &query);
    ck_assert_int_eq(query.end, NAME_FOUND);
    ck_assert_uint_eq(query.count, 3);
    unsigned six = 0, last = 0;
    for (unsigned i = 0; i < query.count; i++) {
        six += query.addresses[i].six;
        last += query.addresses[i].bytes[query.addresses[i].six ? 15 : 3];
    }
    ck_assert_uint_eq(six, 1);
    ck_assert_uint_eq(last, 1 + 2 + 3);
    free(query.addresses);
    names_destroy(names);
    world_close(&w);
    fake_dns_stop(&dns);
}
END_TEST

/* Of a server that is none nothing is known, of a name either: what it was before does not stay. */
START_TEST(names__where_nobody_can_be_asked_nothing_is_known)
{
    struct name_query query = {.host = FAKE_DNS_NAME, .authority = "no address"};
    struct inbox back;
    world_open(&w, false);
    inbox_init(&back);
    struct names *names = names_create(w.rpc, &back);
    look_up(names, &back, &query);
    ck_assert_int_eq(query.end, NAME_UNSURE);
    ck_assert_uint_eq(query.count, 0);
    ck_assert_str_eq(query.why, "the name server cannot tell its address");
    names_destroy(names);
    world_close(&w);
}
END_TEST

/* A few are looked up at once. Of those that wait for their turn none is lost when others come. */
START_TEST(names__those_that_wait_for_their_turn_have_it)
{
    enum { CALLS = 24 };
    static struct world_answer a[CALLS];
    static struct fake_dns other;
    char name[96];
    start_peers(1);
    start_dns(1);
    memset(&other, 0, sizeof other);
    atomic_init(&other.last[0], 2);
    fake_dns_start(&other);
    w.options.connect_timeout = SPAN_S(600); /* only whoever is looked up is answered */
    world_open(&w, false);
    pthread_mutex_lock(&other.gate);
    pthread_mutex_lock(&dns.gate);
    snprintf(name, sizeof name, "dns://%s/" FAKE_DNS_NAME ":%u", other.address, (unsigned)peers[0].port);
    world_call_out(&w, world_target(&w, name), "/t.T/Echo", "x", SPAN_S(20), &a[0]);
    for (unsigned i = 1; i < CALLS - 1; i++)
        world_call_out(&w, name_target(), "/t.T/Echo", "x", SPAN_S(20), &a[i]);
    pthread_mutex_unlock(&other.gate);
    WORLD_UNTIL(&w, a[0].count == 1); /* by now whoever looks them up knows of all */
    world_call_out(&w, name_target(), "/t.T/Echo", "x", SPAN_S(20), &a[CALLS - 1]);
    pthread_mutex_unlock(&dns.gate);
    for (unsigned i = 0; i < CALLS; i++)
        WORLD_UNTIL(&w, a[i].count == 1);
    fake_dns_stop(&other);
    end(1);
}
END_TEST

START_TEST(names__call_to_an_address_that_went_goes_on)
{
    struct world_answer held;
    start_peers(0);
    make_peer(0);
    peers[0].answer_size = 0; /* it never answers */
    fake_peer_start(&peers[0]);
    make_peer(1);
    fake_peer_start(&peers[1]);
    start_dns(1);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_MS(7500), &held);
    WORLD_UNTIL(&w, asked(0) == 1);
    atomic_store(&dns.last[0], 3);
    gpr_timespec begin = gpr_now(GPR_CLOCK_MONOTONIC);
    while (asked(1) == 0 && ms_since(begin) < 7000) {
        struct world_answer a;
        world_call_out(&w, target, "/t.T/Echo", "x", SPAN_MS(200), &a);
        WORLD_UNTIL(&w, a.count == 1);
    }
    ck_assert_uint_eq(asked(1), 1);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(call(target).status, 9); /* none of them goes where the name no longer points */
    ck_assert_int_eq(held.count, 0);
    WORLD_UNTIL(&w, held.count == 1);
    ck_assert_int_eq(held.status, 4); /* by its deadline, and not because its address went */
    ck_assert_int_eq(held.reach, SAGA_REACH_MAYBE);
    end(2);
}
END_TEST

/* C core's round_robin ended the process for such peers. And what is said never to have left never came anywhere. */
START_TEST(names__peers_that_close_their_connections_harm_nobody)
{
    enum { CALLS = 600, AT_ONCE = 12 };
    static struct world_answer a[CALLS];
    start_peers(0);
    for (unsigned k = 0; k < 3; k++) {
        make_peer(k);
        peers[k].curt = k == 0;   /* closes as soon as it has said that it speaks HTTP/2 */
        peers[k].closes = k == 1; /* closes after each answer */
        fake_peer_start(&peers[k]);
    }
    start_dns(3);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    unsigned unreached = 0, answered = 0;
    for (unsigned i = 0; i < CALLS; i += AT_ONCE) {
        for (unsigned k = 0; k < AT_ONCE; k++)
            world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(5), &a[i + k]);
        for (unsigned k = 0; k < AT_ONCE; k++) {
            WORLD_UNTIL(&w, a[i + k].count == 1);
            unreached += a[i + k].reach == SAGA_REACH_NONE;
            answered += a[i + k].reach == SAGA_REACH_ANSWERED;
        }
    }
    ck_assert_uint_gt(answered, CALLS / 4);
    ck_assert_uint_gt(asked(2), CALLS / 4);
    ck_assert_uint_le(asked(0) + asked(1) + asked(2) + unreached, CALLS);
    end(3);
}
END_TEST

START_TEST(names__several_addresses_may_be_given_in_numbers)
{
    char addresses[96];
    start_peers(2);
    dns.socket = 0;
    world_open(&w, false);
    snprintf(addresses, sizeof addresses, "ipv4:127.0.0.2:%u,127.0.0.3:%u", (unsigned)peers[0].port,
             (unsigned)peers[0].port);
    w.rpc->chance = 7;
    struct rpc_target *target = world_target(&w, addresses);
    ck_assert_uint_eq(target->turn, 7); /* not every process begins with the same one */
    call_until_asked(target, 0);
    call_until_asked(target, 1);
    end(2);
}
END_TEST

START_TEST(names__localhost_is_whichever_address_answers)
{
    char address[64];
    world_open(&w, false);
    snprintf(address, sizeof address, "localhost:%d", w.port);
    struct rpc_target *target = world_target(&w, address);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(call(target).status, 0);
    ck_assert_int_eq(w.echoes, 4);
    world_close(&w);
}
END_TEST

static const char *why_unreached(const char *address)
{
    static struct world_answer a;
    world_call_out(&w, world_target(&w, address), "/t.T/Echo", "x", SPAN_S(9), &a);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(a.reach, SAGA_REACH_NONE);
    ck_assert_ptr_nonnull(a.unreached);
    return a.unreached;
}

START_TEST(names__one_that_nobody_knows_is_told)
{
    char name[96];
    peers[0].port = 7;
    start_dns(0);
    world_open(&w, false);
    name_of(7, name);
    struct rpc_target *target = world_target(&w, name);
    struct world_answer a;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(9), &a);
    WORLD_UNTIL(&w, !target->looking_up);
    ck_assert_int_eq(a.count, 1); /* in the same turn */
    ck_assert_str_eq(why_unreached(name), "no such name");
    fake_dns_stop(&dns);
    const char *why = why_unreached(name); /* the server does not answer, or not in time */
    ck_assert_msg(strcmp(why, "the name server does not answer") == 0 ||
                      strcmp(why, "its name could not be looked up in time") == 0,
                  "%s", why);
    world_close(&w);
}
END_TEST

/* However often it would still be asked by itself. */
START_TEST(names__a_server_that_says_nothing_is_waited_for_in_vain)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int server = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(server, (const struct sockaddr *)&at, size), 0);
    ck_assert_int_eq(getsockname(server, (struct sockaddr *)&at, &size), 0);
    char name[96], said[512];
    snprintf(name, sizeof name, "dns://127.0.0.1:%u/" FAKE_DNS_NAME ":7", (unsigned)ntohs(at.sin_port));
    world_open(&w, false);
    struct rpc_target *target = world_target(&w, name);
    struct world_answer a;
    world_call_out(&w, target, "/t.T/Echo", "x", SPAN_S(50), &a);
    WORLD_UNTIL(&w, recv(server, said, sizeof said, MSG_DONTWAIT) > 0);
    atomic_store(&later_s, NAMES_WAIT_MS / 1000 + 1);
    WORLD_UNTIL(&w, a.count == 1);
    ck_assert_int_eq(target->query.end, NAME_UNSURE);
    ck_assert_str_eq(a.unreached, "the name server does not answer");
    world_close(&w);
    close(server);
}
END_TEST

/* The name itself may be none: nobody has to be asked. */
START_TEST(names__what_can_be_no_name_is_told)
{
    char name[160];
    start_dns(0);
    world_open(&w, false);
    snprintf(name, sizeof name, "dns://%s/%064d.example.org:7", dns.address, 0); /* a label has 63 bytes at most */
    ck_assert_str_eq(why_unreached(name), "no such name");
    ck_assert_uint_eq(atomic_load(&dns.asked), 0);
    end(0);
}
END_TEST

/* It comes into being: whoever waits is told, though nobody calls it meanwhile. */
START_TEST(names__one_that_comes_into_being_is_told)
{
    start_peers(1);
    start_dns(0);
    world_open(&w, false);
    struct rpc_target *target = name_target();
    ck_assert_str_eq(call(target).unreached, "no such name");
    ck_assert_int_eq(w.reachable, 0);
    atomic_store(&dns.last[0], 2);
    WORLD_UNTIL(&w, w.reachable == 1);
    ck_assert_int_eq(call(target).status, 9);
    end(1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tc = tcase_create("names");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, names__one_that_moves_is_found_soon);
    tcase_add_test(tc, names__all_addresses_are_called_in_turn);
    tcase_add_test(tc, names__pick_first_calls_one_as_long_as_it_is_there);
    tcase_add_test(tc, names__address_that_is_added_has_its_share_within_seconds);
    tcase_add_test(tc, names__address_that_is_added_is_called_wherever_it_stands);
    tcase_add_test(tc, names__address_that_stays_keeps_its_connection);
    tcase_add_test(tc, names__what_was_looked_up_ends_a_wait);
    tcase_add_test(tc, names__a_lost_connection_has_the_name_looked_up_sooner);
    tcase_add_test(tc, names__a_name_server_that_is_away_takes_no_address_away);
    tcase_add_test(tc, names__one_that_is_unknown_by_now_is_called_while_it_is_connected);
    tcase_add_test(tc, names__an_address_has_its_family);
    tcase_add_test(tc, names__one_of_both_families_stands_for_all_its_addresses);
    tcase_add_test(tc, names__where_nobody_can_be_asked_nothing_is_known);
    tcase_add_test(tc, names__those_that_wait_for_their_turn_have_it);
    tcase_add_test(tc, names__call_to_an_address_that_went_goes_on);
    tcase_add_test(tc, names__peers_that_close_their_connections_harm_nobody);
    tcase_add_test(tc, names__several_addresses_may_be_given_in_numbers);
    tcase_add_test(tc, names__localhost_is_whichever_address_answers);
    tcase_add_test(tc, names__one_that_nobody_knows_is_told);
    tcase_add_test(tc, names__a_server_that_says_nothing_is_waited_for_in_vain);
    tcase_add_test(tc, names__what_can_be_no_name_is_told);
    tcase_add_test(tc, names__one_that_comes_into_being_is_told);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
