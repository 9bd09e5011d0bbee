/* sealed.c - the journal's keys, chains and audit trail: the real ones, between the core and the made-up disk, and what must be true of them. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"
#include "sidecar/journal/sealed/envelope.h"

#include <stdlib.h>

#define KEYS 3

static bool chance_bytes(void *self, uint8_t *at, size_t size)
{
    struct world *w = self;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)random_next(&w->chance);
    return true;
}

/* Every few lives another key is in use, and those of before are kept. */
static struct seal_keys keys_of(const struct world *w, char kind)
{
    struct seal_keys keys = {.count = KEYS};
    unsigned first = w->sidecar.incarnation / 4;
    for (unsigned i = 0; i < KEYS; i++) {
        struct seal_key *k = &keys.keys[i];
        k->name[0] = kind;
        k->name[1] = (char)('0' + (first + i) % KEYS);
        memset(k->bytes, k->name[1] ^ kind, sizeof k->bytes);
    }
    return keys;
}

static int open_over(struct world *w, const struct store_state *state, struct store **out, struct error_detail *detail)
{
    struct seal_keys encryption = keys_of(w, 'e'), chain = keys_of(w, 'c');
    const struct sealed_options options = {.encryption = w->swarm.encrypted ? &encryption : NULL,
                                           .chain = w->swarm.chained ? &chain : NULL,
                                           .random = chance_bytes,
                                           .self = w};
    return sealed_store_open(&options, &w->disk.store, state, out, detail);
}

/* The whole of both chains, as far as retention has left them. */
static void check_chains(struct world *w)
{
    struct sealed_look look = {.known = NULL};
    struct error_detail detail;
    bool more = true;
    sealed_look_begin(w->sidecar.store, &look);
    while (more)
        CHECK(sealed_look_on(w->sidecar.store, &look, 7, &more, &detail) == 0);
    if (look.finding[0] != '\0')
        world_fail(w, EXIT_SAFETY, "chain", look.finding, look.frames.next);
    if (w->swarm.chained && w->disk.frame_count > 0)
        mark(w, MARK_CASE, CASE_CHAIN_WALKED);
}

int sealed_start(struct world *w, const struct store_state *state)
{
    struct error_detail detail;
    int code = open_over(w, state, &w->sidecar.store, &detail);
    if (code != 0)
        world_fail(w, EXIT_SAFETY, "keys", detail.text, (uint64_t)-code);
    if (sealed_store_old_keys(w->sidecar.store) > 0)
        mark(w, MARK_CASE, CASE_KEYS_TAKEN_OVER);
    check_chains(w);
    return code;
}

void sealed_end(struct world *w)
{
    if (w->reader != NULL)
        w->reader->close(w->reader);
    w->reader = NULL;
}

static void open_reader(struct world *w)
{
    struct error_detail detail;
    const struct store_state none = {.first_frame = 0};
    struct random before = w->chance;
    sealed_end(w);
    if (open_over(w, &none, &w->reader, &detail) != 0)
        world_fail(w, EXIT_SAFETY, "keys", detail.text, 0);
    w->chance = before;
}

struct bytes sealed_plain(struct world *w, uint64_t frame, struct bytes kept)
{
    struct error_detail detail;
    struct bytes plain;
    if (envelope_is(kept) != (w->swarm.encrypted || w->swarm.chained))
        world_fail(w, EXIT_SAFETY, "keys", "a frame is kept in another form than is asked for", frame);
    for (unsigned i = 0; i < 2; i++) {
        if ((w->reader == NULL || i > 0) && (open_reader(w), false))
            break;
        if (sealed_store_read(w->reader, frame, kept, &plain, &detail) == 0)
            return bytes_of(world_copy(w, plain.at, plain.size), plain.size);
    }
    world_fail(w, EXIT_SAFETY, "keys", detail.text, frame);
}

void sealed_check_handed(struct world *w, const struct store_commit *c)
{
    for (size_t i = 0; c->frame != 0 && i <= c->cut_count && w->swarm.encrypted; i++) {
        struct envelope e;
        if (!envelope_read(store_commit_frame(c, i), &e) || !e.sealed)
            world_fail(w, EXIT_SAFETY, "keys", "a frame is not encrypted", c->frame + i);
        if (w->sidecar.incarnation == w->last_life && e.counter <= w->last_counter)
            world_fail(w, EXIT_SAFETY, "keys", "a key and a counter encrypt twice", c->frame + i);
        w->last_life = w->sidecar.incarnation;
        w->last_counter = e.counter;
    }
}

/* ---- the audit trail ---- */

struct act {
    uint64_t serial;
    unsigned type; /* enum event_type */
};

#define ACTS_MAX 256

static unsigned act_of(const struct record *r)
{
    switch (r->type) {
    case RECORD_PAUSED:
        return EVENT_PAUSE;
    case RECORD_RESUMED:
        return EVENT_RESUME;
    case RECORD_RETRIED:
        return EVENT_RETRY;
    case RECORD_SKIPPED:
        return EVENT_SKIP;
    case RECORD_REJECTED:
        return EVENT_REJECT;
    case RECORD_ENDED:
        return r->saga_state == SAGA_RESOLVED ? EVENT_RESOLVE : 0;
    case RECORD_TURNED_BACK:
        return r->reason == REASON_CANCELLED ? EVENT_CANCEL : 0;
    default:
        return 0;
    }
}

struct bytes sealed_entry(struct world *w, const struct event *event)
{
    char text[48];
    bool told = event->type == EVENT_CANCEL || (event->type >= EVENT_PAUSE && event->type <= EVENT_RESOLVE);
    int size = told ? snprintf(text, sizeof text, "%llu/%u;", (unsigned long long)event->saga.serial, event->type) : 0;
    return bytes_of(world_copy(w, text, (size_t)size), (size_t)size);
}

static bool among(const struct act *acts, size_t count, struct act a)
{
    for (size_t i = 0; i < count; i++)
        if (acts[i].serial == a.serial && acts[i].type == a.type)
            return true;
    return false;
}

static size_t acts_of_frames(struct world *w, const struct store_commit *c, struct act acts[ACTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; c->frame != 0 && i <= c->cut_count; i++) {
        struct bytes records = sealed_plain(w, c->frame + i, store_commit_frame(c, i));
        struct error_detail detail;
        uint32_t copies = 0;
        while (records.size > 0) {
            struct record r;
            uint64_t previous;
            CHECK(codec_decode(&records, &r, &previous, &detail) == 0);
            if (copies > 0) {
                copies--;
                continue;
            }
            copies = r.copies;
            unsigned type = act_of(&r);
            if (type == 0)
                continue;
            if (type != EVENT_CANCEL && !bytes_equal(r.identity, bytes_of_text("operator")))
                world_fail(w, EXIT_SAFETY, "audit", "a record does not say whose act it is", r.saga.serial);
            CHECK(count < ACTS_MAX);
            acts[count++] = (struct act){.serial = r.saga.serial, .type = type};
        }
    }
    return count;
}

void sealed_check_acts(struct world *w, const struct store_commit *c)
{
    struct act acts[ACTS_MAX], told[ACTS_MAX];
    size_t count = acts_of_frames(w, c, acts), told_count = 0;
    struct envelope e;
    struct bytes body = c->audit.seq == 0 ? bytes_of(NULL, 0) : c->audit.body;
    if (envelope_is(body)) {
        CHECK(envelope_read(body, &e) && !e.sealed);
        body = e.content;
    }
    const char *rest = world_copy(w, body.at, body.size);
    for (const char *end = rest + body.size; rest < end; rest = strchr(rest, ';') + 1) {
        unsigned long long serial;
        CHECK(told_count < ACTS_MAX && sscanf(rest, "%llu/%u;", &serial, &told[told_count].type) == 2);
        told[told_count++].serial = serial;
    }
    for (size_t i = 0; i < count; i++)
        if (!among(told, told_count, acts[i]))
            world_fail(w, EXIT_SAFETY, "audit", "what a person did is not in the audit trail", acts[i].serial);
    for (size_t i = 0; i < told_count; i++)
        if (!among(acts, count, told[i]))
            world_fail(w, EXIT_SAFETY, "audit", "the audit trail tells what nobody did", told[i].serial);
    if (told_count > 0)
        mark(w, MARK_CASE, CASE_ACT_TOLD);
}
