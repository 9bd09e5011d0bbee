/* Which addresses of a target are connected, and over which of them calls leave: scripts of what happens, and after each line all that the room then
 * does of itself, with a C core, a resolver and a clock that do as the script says. Kept in tests/fixtures/rpc/ways.txt;
 * `build/release/tests/unit/test_target_ways write` writes that anew, for its difference to be read. */
#include "sidecar/rpc/names.h"
#include "sidecar/rpc/rpc_inside.h"
#include "tests/support/kept_text.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHANNELS_MAX = 200, CALLS_MAX = 200, TARGETS_MAX = 3 };

static const char path[] = "tests/fixtures/rpc/ways.txt";

static FILE *out;
static struct rpc room;
static struct rpc_target *targets[TARGETS_MAX];
static unsigned target_count, at; /* which the script is about */
static enum spread_policy policy;
static int64_t now_ms;
static int names_back; /* that the room has not taken yet */
static uint64_t certificates;

/* ---- what is told: calls line by line, and before each what was done of each kind, of each name once ---- */

static struct doing {
    const char *verb;
    char names[4096];
    unsigned count;
} doings[] = {
    {.verb = "asks for"}, {.verb = "of"},       {.verb = "has no credentials for"}, {.verb = "opens"}, {.verb = "as"},
    {.verb = "closes"},   {.verb = "connects"}, {.verb = "can be reached:"}};
#define DOINGS (sizeof doings / sizeof doings[0])

/* Of calls one after the other of which the same is told. */
static char same[256];
static unsigned same_from, same_to;

static void end_calls(void)
{
    if (same[0] != '\0' && same_from == same_to)
        fprintf(out, "  call %u %s\n", same_from, same);
    else if (same[0] != '\0')
        fprintf(out, "  calls %u to %u: %s\n", same_from, same_to, same);
    same[0] = '\0';
}

static void flush(void)
{
    end_calls();
    for (struct doing *d = doings; d < doings + DOINGS; d++) {
        if (d->count > 8)
            fprintf(out, "  %s %u, %08lx\n", d->verb, d->count,
                    crc32(0, (const Bytef *)d->names, (uInt)strlen(d->names)));
        else if (d->count > 0)
            fprintf(out, "  %s%s\n", d->verb, d->names);
        d->names[0] = '\0';
        d->count = 0;
    }
}

static void put_line(const char *text)
{
    flush();
    fprintf(out, "  %s\n", text);
}

static void put(const char *verb, const char *text)
{
    char name[256];
    struct doing *d = doings;
    snprintf(name, sizeof name, " %s", text);
    end_calls();
    while (strcmp(d->verb, verb) != 0)
        ck_assert(++d < doings + DOINGS);
    for (const char *before = d->names; (before = strstr(before, name)) != NULL; before++)
        if (before[strlen(name)] == ' ' || before[strlen(name)] == '\0')
            return;
    strncat(d->names, name, sizeof d->names - strlen(d->names) - 1);
    d->count++;
}

static void put_call(unsigned number, const char *what, const char *words)
{
    char text[256];
    snprintf(text, sizeof text, "%s %s", what, words);
    bool more = strcmp(text, same) == 0 && number == same_to + 1;
    if (!more) {
        flush();
        memcpy(same, text, sizeof same);
        same_from = number;
    }
    same_to = number;
}

/* ---- C core's channels, by name ---- */

static struct channel {
    char name[64];
    bool open;
    grpc_connectivity_state state, known;
    struct rpc_op *watching; /* NULL: nobody hears of a change */
} channels[CHANNELS_MAX];
static unsigned channel_count;
static bool no_credentials;

static struct channel *channel_of(const grpc_channel *c)
{
    return (struct channel *)(uintptr_t)c;
}

static grpc_channel_credentials *credentials_of(const struct transport_credentials *c, const char *host)
{
    (void)c;
    if (no_credentials)
        put("has no credentials for", host);
    return no_credentials ? NULL : (grpc_channel_credentials *)(void *)&room;
}

/* ---- tests.mk wraps these ---- */

grpc_channel_credentials *__wrap_transport_channel_credentials(const struct transport_credentials *c, const char *host);
void __wrap_grpc_channel_credentials_release(grpc_channel_credentials *c);
grpc_channel *__wrap_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args);
void __wrap_grpc_channel_destroy(grpc_channel *channel);
grpc_connectivity_state __wrap_grpc_channel_check_connectivity_state(grpc_channel *channel, int try_to_connect);
void __wrap_grpc_channel_watch_connectivity_state(grpc_channel *channel, grpc_connectivity_state known,
                                                  gpr_timespec deadline, grpc_completion_queue *queue, void *tag);
uint64_t __wrap_certificates_version(const struct certificates *c);
struct names *__wrap_names_create(struct rpc *r, struct inbox *back);
void __wrap_names_ask(struct names *n, struct name_query *query);
void __wrap_names_destroy(struct names *n);
void __wrap_rpc_out_go(struct rpc_link *held, const struct rpc_line *line, bool connected);
void __wrap_rpc_out_give_up(struct rpc_link *held, const char *why);
size_t __wrap_rpc_out_size(const struct rpc_link *held);
void __wrap_rpc_out_expire(struct rpc *r, const struct rpc_link *ring, const char *why, gpr_timespec *next);

grpc_channel_credentials *__wrap_transport_channel_credentials(const struct transport_credentials *c, const char *host)
{
    return credentials_of(c, host);
}

void __wrap_grpc_channel_credentials_release(grpc_channel_credentials *c)
{
    ck_assert_ptr_nonnull(c);
}

grpc_channel *__wrap_grpc_channel_create(const char *name, grpc_channel_credentials *c, const grpc_channel_args *args)
{
    const char *authority = "";
    ck_assert(c != NULL && channel_count < CHANNELS_MAX);
    for (size_t i = 0; i < args->num_args; i++)
        if (strcmp(args->args[i].key, GRPC_ARG_DEFAULT_AUTHORITY) == 0)
            authority = args->args[i].value.string;
    struct channel *made = &channels[channel_count++];
    *made = (struct channel){.open = true, .state = GRPC_CHANNEL_IDLE};
    snprintf(made->name, sizeof made->name, "%s", name);
    put("opens", name);
    if (strcmp(authority, "shop:1") != 0)
        put("as", authority);
    return (grpc_channel *)(void *)made;
}

void __wrap_grpc_channel_destroy(grpc_channel *channel)
{
    struct channel *c = channel_of(channel);
    ck_assert(c->open);
    c->open = false;
    put("closes", c->name);
}

grpc_connectivity_state __wrap_grpc_channel_check_connectivity_state(grpc_channel *channel, int try_to_connect)
{
    struct channel *c = channel_of(channel);
    ck_assert(c->open);
    if (try_to_connect)
        put("connects", c->name);
    return c->state;
}

void __wrap_grpc_channel_watch_connectivity_state(grpc_channel *channel, grpc_connectivity_state known,
                                                  gpr_timespec deadline, grpc_completion_queue *queue, void *tag)
{
    struct channel *c = channel_of(channel);
    (void)queue;
    ck_assert(c->watching == NULL && gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0);
    c->known = known;
    c->watching = tag;
}

uint64_t __wrap_certificates_version(const struct certificates *c)
{
    ck_assert_ptr_eq(c, (const struct certificates *)(void *)&room);
    return certificates;
}

/* ---- the resolver ---- */

struct names *__wrap_names_create(struct rpc *r, struct inbox *back)
{
    ck_assert(r == &room && back == &room.told);
    return (struct names *)(void *)&room;
}

void __wrap_names_ask(struct names *n, struct name_query *query)
{
    ck_assert_ptr_eq(n, (struct names *)(void *)&room);
    put("asks for", query->host);
    if (query->authority[0] != '\0')
        put("of", query->authority);
}

void __wrap_names_destroy(struct names *n)
{
    (void)n;
}

static void answer(enum name_end end, const char *words)
{
    struct name_query *q = &targets[at]->query;
    if (!targets[at]->looking_up) {
        put_line("nobody has asked");
        return;
    }
    char word[64];
    int used;
    q->end = end;
    q->why = end == NAME_FOUND ? NULL : end == NAME_UNKNOWN ? "no such name" : "no server answers";
    q->count = 0;
    q->addresses = calloc(CHANNELS_MAX, sizeof *q->addresses);
    for (; end == NAME_FOUND && sscanf(words, "%63s%n", word, &used) == 1; words += used) {
        unsigned many = 1;
        char *star = strchr(word, '*');
        if (star != NULL)
            many = (unsigned)atoi(star + 1), *star = '\0';
        for (unsigned i = 0; i < many; i++) {
            struct name_address *a = &q->addresses[q->count++];
            a->six = strchr(word, ':') != NULL;
            ck_assert_int_eq(inet_pton(a->six ? AF_INET6 : AF_INET, word, a->bytes), 1);
            a->bytes[3] = (uint8_t)(a->bytes[3] + i);
        }
    }
    inbox_put(&room.told, &q->letter);
    names_back++;
}

/* ---- calls out ---- */

static struct call {
    struct rpc_link link;
    size_t size;
    unsigned target;
} calls[CALLS_MAX];

static unsigned number_of(const struct rpc_link *held)
{
    return (unsigned)(RPC_HOLDER((uintptr_t)held, struct call, link) - calls);
}

static void leave(unsigned number, const struct rpc_line *line, bool connected)
{
    put_call(number, connected ? "leaves over" : "leaves, though it has no connection, over",
             channel_of(line->channel)->name);
    rpc_target_given(targets[calls[number].target], calls[number].size);
}

void __wrap_rpc_out_go(struct rpc_link *held, const struct rpc_line *line, bool connected)
{
    leave(number_of(held), line, connected);
}

void __wrap_rpc_out_give_up(struct rpc_link *held, const char *why)
{
    put_call(number_of(held), "is given up:", why);
}

size_t __wrap_rpc_out_size(const struct rpc_link *held)
{
    return calls[number_of(held)].size;
}

void __wrap_rpc_out_expire(struct rpc *r, const struct rpc_link *ring, const char *why, gpr_timespec *next)
{
    ck_assert(r == &room && next == &room.look_at);
    for (const struct rpc_link *l = ring->next; l != ring; l = l->next)
        put_call(number_of(l), "waits:", why == NULL ? "there is no connection" : why);
}

static void on_reachable(void *self, unsigned number)
{
    ck_assert_ptr_eq(self, &room);
    put("can be reached:", (const char[]){(char)('0' + number), '\0'});
}

/* As out.c does it. */
static void call(unsigned number, size_t size)
{
    struct rpc_target *t = targets[at];
    calls[number] = (struct call){.size = size, .target = at};
    rpc_link_init(&calls[number].link);
    struct rpc_line *line = rpc_target_holds(t, size) ? NULL : rpc_target_line(t);
    if (line != NULL)
        leave(number, line, true);
    else
        rpc_target_hold(t, &calls[number].link);
}

/* ---- the script ---- */

static void target(const char *address)
{
    const struct transport_credentials c = {.certificates =
                                                certificates > 0 ? (struct certificates *)(void *)&room : NULL};
    const struct rpc_peer_address to = {
        .address = address, .credentials = &c, .number = target_count, .policy = policy};
    struct error_detail detail;
    ck_assert(target_count < TARGETS_MAX);
    if (rpc_target_create(&room, &to, &targets[target_count], &detail) != 0) {
        ck_assert_str_eq(detail.field, "address");
        put_line(detail.text);
        return;
    }
    at = target_count++;
}

static void set_state(const char *word, const char *name)
{
    static const struct {
        const char *word;
        grpc_connectivity_state state;
    } states[] = {{"ready", GRPC_CHANNEL_READY},
                  {"fails", GRPC_CHANNEL_TRANSIENT_FAILURE},
                  {"tries", GRPC_CHANNEL_CONNECTING},
                  {"lost", GRPC_CHANNEL_CONNECTING}, /* and nobody has been told yet */
                  {"idles", GRPC_CHANNEL_IDLE}};
    size_t s = 0;
    unsigned found = 0;
    while (strcmp(states[s].word, word) != 0)
        ck_assert_uint_lt(++s, sizeof states / sizeof states[0]);
    for (unsigned i = 0; i < channel_count; i++)
        if (channels[i].open && strstr(channels[i].name, name) != NULL) {
            channels[i].state = states[s].state;
            channels[i].known = strcmp(word, "lost") == 0 ? channels[i].state : channels[i].known;
            found++;
        }
    if (found == 0)
        put_line("nothing is open there");
}

static void happen(const char *line)
{
    char word[32];
    int used = 0;
    unsigned number, size;
    ck_assert_int_eq(sscanf(line, "%31s%n", word, &used), 1);
    const char *rest = line + used + (line[used] == ' ');
    if (strcmp(word, "target") == 0)
        target(rest);
    else if (strcmp(word, "at") == 0)
        at = (unsigned)atoi(rest);
    else if (strcmp(word, "policy") == 0)
        policy = strcmp(rest, "pick_first") == 0 ? SPREAD_PICK_FIRST : SPREAD_ROUND_ROBIN;
    else if (strcmp(word, "chance") == 0)
        room.chance = (unsigned)atoi(rest);
    else if (strcmp(word, "outgoing") == 0)
        room.options.outgoing_bytes_max = (uint64_t)atoi(rest);
    else if (strcmp(word, "certificates") == 0)
        certificates = (uint64_t)atoi(rest);
    else if (strcmp(word, "credentials") == 0)
        no_credentials = strcmp(rest, "none") == 0;
    else if (strcmp(word, "ms") == 0)
        now_ms += atoi(rest);
    else if (sscanf(line, "calls %u %u", &number, &size) == 2)
        for (unsigned i = 0; i < number; i++)
            call(i, size);
    else if (sscanf(line, "call %u %u", &number, &size) == 2)
        call(number, size);
    else if (sscanf(line, "took %u", &number) == 1)
        rpc_target_took(targets[calls[number].target], calls[number].size);
    else if (strcmp(word, "await") == 0)
        rpc_target_await(targets[at]);
    else if (strcmp(word, "renew") == 0)
        rpc_targets_renew(&room);
    else if (strcmp(word, "retire") == 0)
        rpc_target_retire(targets[at]);
    else if (strcmp(word, "found") == 0)
        answer(NAME_FOUND, rest);
    else if (strcmp(word, "unknown") == 0 || strcmp(word, "unsure") == 0)
        answer(strcmp(word, "unknown") == 0 ? NAME_UNKNOWN : NAME_UNSURE, "");
    else
        set_state(word, rest);
}

/* What C core has to say, and what is due. */
static void turn(void)
{
    gpr_timespec next = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    room.now = gpr_time_add(gpr_time_0(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(now_ms, GPR_TIMESPAN));
    for (unsigned i = 0; i < channel_count; i++) {
        struct rpc_op *op = channels[i].watching;
        if (op == NULL || (channels[i].open && channels[i].state == channels[i].known))
            continue;
        channels[i].watching = NULL;
        op->done(op, channels[i].open);
    }
    int count = rpc_targets_turn(&room, &next);
    ck_assert_int_eq(count, names_back);
    names_back = 0;
    flush();
    if (gpr_time_cmp(next, gpr_inf_future(GPR_CLOCK_MONOTONIC)) != 0)
        fprintf(out, "  looks again in %d ms\n", gpr_time_to_millis(gpr_time_sub(next, room.now)));
}

static void begin(void)
{
    memset(&room, 0, sizeof room);
    room.callbacks = (struct rpc_callbacks){.on_reachable = on_reachable, .self = &room};
    rpc_link_init(&room.targets);
    rpc_link_init(&room.lines);
    rpc_link_init(&room.restless);
    inbox_init(&room.told);
    room.look_at = gpr_inf_past(GPR_CLOCK_MONOTONIC);
    target_count = at = channel_count = 0;
    policy = SPREAD_ROUND_ROBIN;
    certificates = 0;
    now_ms = 100000;
    turn();
}

static void end(const char *next)
{
    (void)next;
    put_line("the end");
    rpc_targets_finish(&room);
    flush();
}

static void happens(char *words)
{
    happen(words);
    turn();
    flush();
}

/* What happens is in the file, as are the effects. */
static void put_all(FILE *to)
{
    out = to;
    kept_text_play(path, to, &(struct kept_script){begin, happens, end});
}

START_TEST(target_ways__are_taken_as_the_scripts_say)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "target_ways", target_ways__are_taken_as_the_scripts_say);
}
