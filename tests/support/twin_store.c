/* twin_store.c - the same made-up calls to two stores, and whatever they give must be the same. */
#include "tests/support/twin_store.h"

#include "sidecar/base/random.h"
#include "tests/support/frames.h"
#include "tests/support/memory_store.h"
#include "tests/support/until.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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
    int code;
};

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

static void tell_row(void *self, const struct ended_row *row)
{
    struct told *told = self;
    tell(told, row->saga.serial);
    tell(told, row->saga.tag);
    tell(told, row->state);
    tell(told, row->reason);
    tell(told, row->skips);
    tell(told, row->lacks);
    tell(told, row->synthetic);
    tell(told, row->definition);
    tell(told, row->fingerprint);
    tell(told, (uint64_t)row->started_at.us);
    tell(told, (uint64_t)row->ended_at.us);
    tell_bytes(told, row->name);
    tell_bytes(told, row->request_id);
    tell_bytes(told, row->owner);
}

static int tell_frame(void *self, uint64_t frame, struct bytes records)
{
    tell(self, frame);
    tell_bytes(self, records);
    return 0;
}

static int tell_definition(void *self, const struct definition_row *row)
{
    tell(self, row->number);
    tell(self, (uint64_t)row->registered_at.us);
    tell_bytes(self, row->source);
    return 0;
}

static int tell_audit(void *self, const struct audit_row *row)
{
    tell(self, row->seq);
    tell(self, (uint64_t)row->at.us);
    tell_bytes(self, row->body);
    return 0;
}

/* What happens to both, drawn once. */
struct act {
    int kind;
    uint64_t numbers[4];
    struct store_commit commit;
    struct ended_row ended[3];
    struct definition_row definition;
    char request_ids[3][24], audit[24];
};

static uint8_t frame_bytes[8192];
/* Sagas share request_ids, each with others' and with its own owner's. */
static const char *const owners[] = {"", "uid:1", "uid:2"};

static void draw_commit(struct act *act, struct random *r, uint64_t last_frame, uint64_t *serial, uint32_t *definition,
                        uint64_t *audit)
{
    static const uint8_t states[] = {SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED};
    if (random_below(r, 4) != 0) {
        act->commit.frame = last_frame + 1;
        act->commit.records = frame_make(frame_bytes, *serial + 1, 1 + random_below(r, 3), random_below(r, 600),
                                         (struct instant){.us = (int64_t)last_frame * 1000});
        if (random_below(r, 5) == 0)
            act->commit.oldest_live_frame = last_frame + 1;
    }
    act->commit.ended_count = random_below(r, 4);
    for (size_t i = 0; i < act->commit.ended_count; i++) {
        uint64_t n = ++*serial;
        snprintf(act->request_ids[i], sizeof act->request_ids[i], "r-%llu", (unsigned long long)n / 4);
        act->ended[i] = (struct ended_row){
            .saga = {.tag = n * 3, .serial = n},
            .state = states[random_below(r, 3)],
            .mode = SAGA_ORCHESTRATED,
            .reason = n % 3 == 0 ? REASON_UNEXPECTED_ANSWER : REASON_NONE,
            .lacks = (uint8_t)(n % 5),
            .skips = n % 7 == 0 ? (uint16_t)(n % 1000) : 0,
            .synthetic = n % 11 == 0,
            .definition = 1 + (uint32_t)(n % 2),
            .name = bytes_of_text(n % 2 ? "order" : "transfer"),
            .request_id = bytes_of_text(random_below(r, 2) ? act->request_ids[i] : ""),
            .owner = bytes_of_text(owners[random_below(r, 3)]),
            .fingerprint = n % 5,
            .started_at.us = (int64_t)n * 100,
            .ended_at.us = (int64_t)(n * 100 + random_below(r, 3000)),
        };
    }
    act->commit.ended = act->ended;
    if (random_below(r, 3) == 0) {
        snprintf(act->audit, sizeof act->audit, "by %llu", (unsigned long long)++*audit);
        act->commit.audit =
            (struct audit_row){.seq = *audit, .at.us = (int64_t)last_frame * 40, .body = bytes_of_text(act->audit)};
    }
    if (random_below(r, 20) == 0) {
        act->definition = (struct definition_row){
            .number = ++*definition, .registered_at.us = 5, .source = bytes_of_text("name: order")};
        act->commit.definitions = &act->definition;
        act->commit.definition_count = 1;
    }
}

/* Carries the act out on one of the stores. */
static struct told carry_out(struct store *s, uint64_t epoch, const struct act *act)
{
    struct store_commit commit = act->commit;
    commit.epoch = epoch;
    struct told told = {0};
    struct error_detail detail;
    struct ended_row row;
    struct bytes records;
    uint64_t examined_to = 0;
    bool more = false;
    int rc = 0;
    struct ended_query query = {
        .below = act->numbers[0] % 5 == 0 ? UINT64_MAX : act->numbers[0],
        .states = (uint32_t)(act->numbers[1] % 3 == 0 ? 0 : act->numbers[1] & 127),
        .name = bytes_of_text(act->numbers[1] % 2 ? "order" : ""),
        .owner = bytes_of_text(owners[act->numbers[2] % 3]),
        .started_from.us = (int64_t)(act->numbers[2] * 50),
        .started_before.us = act->numbers[3] % 2 ? INT64_MAX : (int64_t)(act->numbers[3] * 100),
        .rows_max = 1 + (uint32_t)(act->numbers[2] % 7),
        .examine_max = 1 + (uint32_t)(act->numbers[3] % 20),
    };
    char request_id[24];
    snprintf(request_id, sizeof request_id, "r-%llu", (unsigned long long)act->numbers[0] / 4);
    switch (act->kind) {
    case 0:
        rc = s->scan(s, act->numbers[0], tell_frame, &told, &detail);
        break;
    case 1:
        rc = s->read_frame(s, act->numbers[0], &records, &detail);
        if (rc == 0)
            tell_bytes(&told, records);
        break;
    case 2:
        rc = s->find_ended(s, act->numbers[0], &row, &detail);
        if (rc == 0)
            tell_row(&told, &row);
        break;
    case 3:
        while ((rc = s->find_request(s, bytes_of_text(request_id), query.owner, &row, &detail)) == STORE_PENDING)
            nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
        if (rc == 0)
            tell_row(&told, &row);
        break;
    case 4:
        /* How far one call comes is each store's own affair; what all of them give together is not. */
        do {
            rc = s->list_ended(s, &query, tell_row, &told, &examined_to, &detail);
            ck_assert(examined_to < query.below);
            query.below = examined_to;
        } while (rc == 0 && examined_to != 0);
        break;
    case 5:
        rc = s->scan_definitions(s, tell_definition, &told, &detail);
        break;
    case 6:
        rc = s->drop(s, (struct instant){.us = (int64_t)act->numbers[1] * 40}, act->numbers[2], 4, &more, &detail);
        tell(&told, more);
        break;
    case 7:
        rc = s->scan_audit(s, act->numbers[2] / 4, 1 + (uint32_t)(act->numbers[3] % 5), tell_audit, &told, &detail);
        break;
    case 8:
        /* How much goes at once is each store's own affair, too. */
        do {
            rc = s->drop_audit(s, (struct instant){.us = (int64_t)act->numbers[1] * 40}, 2, &more, &detail);
        } while (rc == 0 && more);
        break;
    default:
        rc = commit_in_time(s, &commit, &detail);
        break;
    }
    told.code = rc;
    tell(&told, (uint64_t)-rc);
    return told;
}

void twin_store_compare(int (*open)(void *self, struct store **out, struct store_state *state), void *self, int steps)
{
    struct memory_disk *disk = memory_disk_create();
    struct store *stores[2];
    struct store_state states[2];
    struct error_detail detail;
    struct random r;
    random_seed(&r, 42);
    uint64_t serial = 0, audit = 0;
    uint32_t definition = 0;
    ck_assert_int_eq(memory_store_open(disk, &stores[0], &states[0], &detail), 0);
    ck_assert_int_eq(open(self, &stores[1], &states[1]), 0);
    uint64_t last_frame = 0;
    for (int step = 0; step < steps; step++) {
        struct act act = {.kind = (int)random_below(&r, 16)};
        for (int i = 0; i < 4; i++)
            act.numbers[i] = random_below(&r, (i == 0 || i == 3 ? serial : last_frame) + 10);
        if (act.kind == 15) {
            stores[0]->close(stores[0]);
            stores[1]->close(stores[1]);
            ck_assert_int_eq(memory_store_open(disk, &stores[0], &states[0], &detail), 0);
            ck_assert_int_eq(open(self, &stores[1], &states[1]), 0);
            struct store_state other = states[1];
            other.epoch = states[0].epoch; /* each store's own affair */
            ck_assert_mem_eq(&states[0], &other, sizeof other);
            continue;
        }
        if (act.kind > 8)
            draw_commit(&act, &r, last_frame, &serial, &definition, &audit);
        struct told first = carry_out(stores[0], states[0].epoch, &act);
        struct told second = carry_out(stores[1], states[1].epoch, &act);
        ck_assert_msg(first.sum == second.sum && first.count == second.count, "step %d, act %d: %d and %d", step,
                      act.kind, first.code, second.code);
        if (act.commit.frame != 0)
            last_frame = act.commit.frame;
    }
    ck_assert_uint_gt(last_frame, (uint64_t)steps / 5);
    stores[0]->close(stores[0]);
    stores[1]->close(stores[1]);
    memory_disk_destroy(disk);
}
