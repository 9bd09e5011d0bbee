/* twin_store.c - the same made-up calls to two stores, and whatever they give must be the same. */
#include "tests/support/twin_store.h"

#include "sidecar/base/random.h"
#include "tests/support/frames.h"
#include "tests/support/memory_store.h"
#include "tests/support/until.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

int commit_in_time(struct store *s, const struct store_commit *commit, struct error_detail *detail)
{
    int code = s->commit(s, commit, detail);
    if (code == STORE_PENDING)
        UNTIL((code = s->settle(s, detail)) != STORE_PENDING && code != STORE_AMBIGUOUS);
    return code;
}

/* What a store gave, in one number: whatever differs, differs here. */
struct told {
    uint64_t sum;
    uint64_t count;
    unsigned rows, stop_at; /* 0: takes whatever comes */
    uint64_t last;          /* serial that was listed */
    int code;
};

#define STOPPED 77

static void tell(struct told *told, uint64_t value)
{
    told->sum = (told->sum ^ value) * UINT64_C(0x100000001b3) + 1;
    told->count++;
}

static void tell_bytes(struct told *told, struct bytes view)
{
    tell(told, view.size);
    for (size_t i = 0; i < view.size; i++)
        tell(told, view.at[i]);
}

/* Whether it is enough. */
static int one_more(struct told *told)
{
    return ++told->rows == told->stop_at ? STOPPED : 0;
}

static void tell_row(void *self, const struct ended_row *row)
{
    struct told *told = self;
    const uint64_t numbers[] = {row->saga.serial,
                                row->saga.tag,
                                row->state,
                                row->mode,
                                row->reason,
                                row->skips,
                                row->lacks,
                                row->synthetic,
                                row->definition,
                                row->fingerprint,
                                row->first_frame,
                                row->last_frame,
                                (uint64_t)row->started_at.us,
                                (uint64_t)row->ended_at.us};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        tell(told, numbers[i]);
    tell_bytes(told, row->name);
    tell_bytes(told, row->request_id);
    tell_bytes(told, row->owner);
    told->last = row->saga.serial;
    told->rows++;
}

static int tell_frame(void *self, uint64_t frame, struct bytes records)
{
    tell(self, frame);
    tell_bytes(self, records);
    return one_more(self);
}

static int tell_definition(void *self, const struct definition_row *row)
{
    tell(self, row->number);
    tell(self, (uint64_t)row->registered_at.us);
    tell_bytes(self, row->source);
    return one_more(self);
}

static int tell_subject(void *self, const struct subject_row *row)
{
    tell(self, row->kind);
    tell(self, row->version);
    tell_bytes(self, row->name);
    tell_bytes(self, row->value);
    return one_more(self);
}

static int tell_audit(void *self, const struct audit_row *row)
{
    tell(self, row->seq);
    tell(self, (uint64_t)row->at.us);
    tell_bytes(self, row->body);
    return one_more(self);
}

/* ---- what happens to both, drawn once ---- */

enum act_kind {
    SCAN,
    READ_FRAME,
    FIND_ENDED,
    FIND_REQUEST,
    LIST_ENDED,
    SCAN_DEFINITIONS,
    SCAN_SUBJECTS,
    SCAN_AUDIT,
    DROP,
    DROP_AUDIT,
    VERIFY,
    ASK,
    REOPEN,
    COMMIT, /* and all above it */
    KIND_COUNT = COMMIT + 9,
};

#define ROWS_MAX 4

struct act {
    int kind;
    uint64_t numbers[6];
    struct instant before; /* by a clock that does not go back */
    char request_id[REQUEST_ID_BYTES_MAX + 1];
    struct store_commit commit;
    size_t cuts[ROWS_MAX];
    struct ended_row ended[ROWS_MAX];
    struct definition_row definitions[2];
    struct subject_row subjects[ROWS_MAX];
    char request_ids[ROWS_MAX][REQUEST_ID_BYTES_MAX + 1], names[ROWS_MAX][24];
};

/* What has been, as far as what comes must fit it. */
struct past {
    struct random random;
    uint64_t first_frame, last_frame, serial, audit;
    uint32_t definition;
};

static uint8_t frame_bytes[8 * 1024];
static uint8_t payload[3 * 4096];

/* Sagas share request_ids, each with others' and with its own owner's. */
static const char *const owners[] = {"", "uid:1", "uid:2", "spiffe://example.org/nobody"};

/* Of definitions, by number; of 0 it is what the owner said. */
static const struct {
    uint32_t number;
    const char *name;
} named[] = {{1, "order"}, {2, "transfer"}, {0, "order"},     {0, ""},
             {4095, "a"},  {4096, "b"},     {70000, "order"}, {UINT32_MAX, "payout"}};

static struct instant time_of(uint64_t serial)
{
    return (struct instant){.us = (int64_t)serial * 300000}; /* some to a second */
}

/* One in so many has none, one in so many the longest. */
static void write_request_id(char text[REQUEST_ID_BYTES_MAX + 1], uint64_t number)
{
    int width = number % 9 == 0 ? REQUEST_ID_BYTES_MAX : 1;
    snprintf(text, REQUEST_ID_BYTES_MAX + 1, "%0*llu", width, (unsigned long long)number);
    if (number % 5 == 0)
        text[0] = '\0';
}

static struct bytes draw_payload(struct random *r)
{
    size_t size = random_below(r, 30) == 0 ? sizeof payload / 2 : random_below(r, 40);
    return bytes_of(payload + random_below(r, sizeof payload - size), size);
}

static void draw_frames(struct act *act, struct past *p)
{
    struct random *r = &p->random;
    size_t size = 0, count = random_below(r, 5) == 0 ? 1 + random_below(r, ROWS_MAX) : 1;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = random_below(r, 40) == 0 ? 1200 : random_below(r, 200);
        if (i > 0)
            act->cuts[i - 1] = size;
        size +=
            frame_make(frame_bytes + size, p->serial + i + 1, 1 + random_below(r, 2), bytes, time_of(p->serial)).size;
    }
    act->commit.frame = p->last_frame + 1;
    act->commit.records = bytes_of(frame_bytes, size);
    act->commit.cut_count = count - 1;
    act->commit.cuts = count > 1 ? act->cuts : NULL;
    p->last_frame += count;
    if (random_below(r, 4) == 0)
        act->commit.oldest_live_frame = p->last_frame - random_below(r, p->last_frame + 1 - p->first_frame);
}

static void draw_ended(struct act *act, struct past *p)
{
    static const uint8_t states[] = {SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED};
    struct random *r = &p->random;
    act->commit.ended = act->ended;
    act->commit.ended_count = random_below(r, ROWS_MAX + 1);
    for (size_t i = 0; i < act->commit.ended_count; i++) {
        uint64_t n = p->serial += 1 + random_below(r, 8) / 6;
        size_t name = random_below(r, sizeof named / sizeof named[0]);
        uint64_t frame = p->last_frame == 0 ? 0 : random_below(r, p->last_frame);
        write_request_id(act->request_ids[i], random_below(r, 3) == 0 ? random_below(r, n) : n);
        act->ended[i] = (struct ended_row){
            .saga = {.tag = random_next(r) >> (64 - SAGA_ID_TAG_BITS), .serial = n},
            .state = states[random_below(r, 3)],
            .mode = (uint8_t)(SAGA_ORCHESTRATED + random_below(r, 2)),
            .reason = (uint8_t)random_below(r, REASON_COUNT),
            .lacks = (uint8_t)random_below(r, random_below(r, 2) ? LACKS_MAX + 1 : 1),
            .skips = (uint16_t)random_below(r, random_below(r, 2) ? UINT16_MAX + 1 : 1),
            .synthetic = random_below(r, 4) == 0,
            .definition = named[name].number,
            .name = bytes_of_text(named[name].name),
            .request_id = bytes_of_text(act->request_ids[i]),
            .owner = bytes_of_text(owners[random_below(r, 3)]),
            .fingerprint = random_below(r, 3) == 0 ? 0 : random_next(r),
            .started_at = time_of(n),
            .ended_at.us = time_of(n + 5).us + (int64_t)random_below(r, 9000000),
            .first_frame = frame,
            .last_frame = frame + random_below(r, 3),
        };
    }
    if (act->commit.ended_count > 1 && random_below(r, 2)) { /* who began later has ended first */
        struct ended_row first = act->ended[0];
        act->ended[0] = act->ended[1];
        act->ended[1] = first;
    }
}

static void draw_rest(struct act *act, struct past *p)
{
    struct random *r = &p->random;
    struct store_commit *c = &act->commit;
    if (random_below(r, 3) == 0) {
        struct bytes body = draw_payload(r);
        c->audit = (struct audit_row){
            .seq = ++p->audit, .at = time_of(p->serial), .body = body.size > 0 ? body : bytes_of_text("by nobody")};
    }
    c->definitions = act->definitions;
    c->definition_count = random_below(r, 10) == 0 ? 1 + random_below(r, 2) : 0;
    for (size_t i = 0; i < c->definition_count; i++)
        act->definitions[i] = (struct definition_row){.number = p->definition += 1 + (uint32_t)random_below(r, 1000),
                                                      .registered_at.us = (int64_t)random_next(r),
                                                      .source = draw_payload(r)};
    c->subjects = act->subjects;
    c->subject_count = random_below(r, ROWS_MAX);
    for (size_t i = 0; i < c->subject_count; i++) {
        uint32_t kind = 1 + (uint32_t)random_below(r, SUBJECT_KIND_COUNT - 1);
        /* A key is for those alone who seal; and a last good answer comes with the record of its step. */
        if (kind == SUBJECT_DATA_KEY || (kind == SUBJECT_ANSWER && c->frame == 0))
            kind = SUBJECT_BULK;
        snprintf(act->names[i], sizeof act->names[i], "%llu", (unsigned long long)random_below(r, 5));
        act->subjects[i] = (struct subject_row){.kind = kind,
                                                .name = bytes_of_text(act->names[i]),
                                                .version = kind == SUBJECT_ANSWER ? 1 : random_next(r) >> 1,
                                                .value = draw_payload(r)};
    }
}

static struct act draw(struct past *p)
{
    struct random *r = &p->random;
    struct act act = {.kind = (int)random_below(r, KIND_COUNT), .before = time_of(random_below(r, p->serial + 1))};
    for (int i = 0; i < 6; i++)
        act.numbers[i] = random_below(r, (i % 2 ? p->last_frame : p->serial) + 10);
    write_request_id(act.request_id, act.numbers[0]);
    return act;
}

static void draw_commit(struct act *act, struct past *p)
{
    if (random_below(&p->random, 4) != 0)
        draw_frames(act, p);
    draw_ended(act, p);
    draw_rest(act, p);
}

/* ---- carrying it out on one of the stores ---- */

/* How far one call comes is each store's own affair; what all of them give together is not. */
static int list(struct store *s, const struct act *act, struct told *told, struct error_detail *detail)
{
    struct ended_query query = {
        .below = act->numbers[0] % 3 == 0 ? UINT64_MAX : act->numbers[0],
        .states = (uint32_t)(act->numbers[1] % 3 == 0 ? 0 : act->numbers[5] & 127),
        .name = bytes_of_text(act->numbers[3] % 2   ? "order"
                              : act->numbers[3] % 3 ? ""
                                                    : "b"),
        .owner = bytes_of_text(owners[act->numbers[2] % 7 > 3 ? 0 : act->numbers[2] % 7]),
        .started_from = act->numbers[3] % 3 ? (struct instant){0} : time_of(act->numbers[2]),
        .started_before = act->numbers[1] % 2 ? INSTANT_NEVER : time_of(act->numbers[4]),
        .rows_max = 1 + (uint32_t)(act->numbers[2] % 7),
        .examine_max = 1 + (uint32_t)(act->numbers[4] % 20),
    };
    uint64_t examined_to = 12345;
    int rc;
    do {
        unsigned before = told->rows;
        rc = s->list_ended(s, &query, tell_row, told, &examined_to, detail);
        ck_assert(rc != 0 || (examined_to < query.below && told->rows - before <= query.rows_max));
        ck_assert(rc != 0 || told->rows == before || examined_to <= told->last);
        query.below = examined_to;
    } while (rc == 0 && examined_to != 0);
    return rc;
}

static int verify(struct store *s, const struct act *act, struct told *told, struct error_detail *detail)
{
    bool more = false;
    int rc;
    do {
        detail->text[0] = '\0';
        rc = s->verify(s, 1 + (uint32_t)(act->numbers[2] % 50), &more, detail);
        ck_assert_msg(rc == 0 && detail->text[0] == '\0', "%d: %s", rc, detail->text);
    } while (more && told->rows++ < 10000);
    told->rows = 0;
    return rc;
}

static int look(struct store *s, const struct act *act, struct told *told, struct error_detail *detail)
{
    struct ended_row row;
    struct bytes records;
    int rc;
    switch (act->kind) {
    case READ_FRAME:
        rc = s->read_frame(s, act->numbers[1], &records, detail);
        if (rc == 0)
            tell_bytes(told, records);
        return rc;
    case FIND_ENDED:
        rc = s->find_ended(s, act->numbers[0], &row, detail);
        break;
    default:
        rc = s->find_request(s, bytes_of_text(act->request_id), bytes_of_text(owners[act->numbers[1] % 4]), &row,
                             detail);
        break;
    }
    if (rc == 0)
        tell_row(told, &row);
    return rc;
}

static int carry_out_one(struct store *s, uint64_t epoch, const struct act *act, struct told *told,
                         struct error_detail *detail)
{
    struct store_commit commit = act->commit;
    bool more = false;
    int rc = 0;
    commit.epoch = epoch;
    switch (act->kind) {
    case SCAN:
        return s->scan(s, act->numbers[1], tell_frame, told, detail);
    case READ_FRAME:
    case FIND_ENDED:
    case FIND_REQUEST:
        return look(s, act, told, detail);
    case LIST_ENDED:
        return list(s, act, told, detail);
    case SCAN_DEFINITIONS:
        return s->scan_definitions(s, tell_definition, told, detail);
    case SCAN_SUBJECTS:
        for (uint32_t kind = 1; kind < SUBJECT_KIND_COUNT && rc == 0; kind++)
            rc = kind == SUBJECT_DATA_KEY ? 0 : s->scan_subjects(s, kind, tell_subject, told, detail);
        return rc;
    case SCAN_AUDIT:
        return s->scan_audit(s, act->numbers[1] / 4, 1 + (uint32_t)(act->numbers[3] % 5), tell_audit, told, detail);
    case DROP:
        rc = s->drop(s, act->before, act->numbers[1], 1 + (uint32_t)(act->numbers[2] % 9), &more, detail);
        tell(told, more);
        return rc;
    case DROP_AUDIT:
        /* How much goes at once is each store's own affair, too. */
        do {
            rc = s->drop_audit(s, act->before, 2, &more, detail);
        } while (rc == 0 && more);
        return rc;
    case VERIFY:
        return verify(s, act, told, detail);
    case ASK:
        tell(told, s->first_frame(s));
        tell(told, s->is_tight(s));
        tell(told, (uint64_t)store_holds(s, detail));
        return s->check(s, detail);
    default:
        return commit_in_time(s, &commit, detail);
    }
}

/* False while the answer is under way: then it is asked for again, in the same words. */
static bool is_carried_out(struct store *s, uint64_t epoch, const struct act *act, struct told *told)
{
    struct error_detail detail;
    *told = (struct told){.stop_at = act->numbers[4] % 4 == 0 ? 1 + (unsigned)(act->numbers[3] % 5) : 0};
    told->code = carry_out_one(s, epoch, act, told, &detail);
    return told->code != STORE_PENDING;
}

static struct told carry_out(struct store *s, uint64_t epoch, const struct act *act)
{
    struct told told;
    UNTIL(is_carried_out(s, epoch, act, &told));
    tell(&told, (uint64_t)-told.code);
    return told;
}

void twin_store_compare(int (*open)(void *self, struct store **out, struct store_state *state), void *self, int steps)
{
    struct memory_disk *disk = memory_disk_create();
    struct store *stores[2];
    struct store_state states[2];
    struct error_detail detail;
    struct past past = {.first_frame = 0};
    random_seed(&past.random, 42);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)random_next(&past.random);
    ck_assert_int_eq(memory_store_open(disk, &stores[0], &states[0], &detail), 0);
    ck_assert_int_eq(open(self, &stores[1], &states[1]), 0);
    for (int step = 0; step < steps; step++) {
        past.first_frame = stores[0]->first_frame(stores[0]);
        struct act act = draw(&past);
        if (act.kind == REOPEN) {
            stores[0]->close(stores[0]);
            stores[1]->close(stores[1]);
            ck_assert_int_eq(memory_store_open(disk, &stores[0], &states[0], &detail), 0);
            ck_assert_int_eq(open(self, &stores[1], &states[1]), 0);
            struct store_state other = states[1];
            other.epoch = states[0].epoch; /* each store's own affair */
            ck_assert_mem_eq(&states[0], &other, sizeof other);
            continue;
        }
        if (act.kind >= COMMIT)
            draw_commit(&act, &past);
        struct told first = carry_out(stores[0], states[0].epoch, &act);
        struct told second = carry_out(stores[1], states[1].epoch, &act);
        ck_assert_msg(first.sum == second.sum && first.count == second.count, "step %d, act %d: %d and %d", step,
                      act.kind, first.code, second.code);
    }
    ck_assert_uint_gt(past.last_frame, (uint64_t)steps / 5);
    stores[0]->close(stores[0]);
    stores[1]->close(stores[1]);
    memory_disk_destroy(disk);
}
