/* lookups.c - which request_ids whoever has a journal knows to be new, by the real filter (sidecar/journal/postgres/request_filter.h): for those nobody asks the
 * database. What it is filled with is read at one moment and told at another, over a connection of its own, also by one that has lost the journal since. Its
 * chance is its own: where the database answers, a filter that is right changes nothing else in a world. */
#include "tests/fleet/fleet_sim.h"

#include "sidecar/base/check.h"

static struct world *world_of(const struct far_store *f)
{
    return f->shard->sidecar->world;
}

void lookups_open(struct far_store *f)
{
    random_seed(&f->chance, world_of(f)->seed << 32 ^ f->shard->taker);
    const uint64_t key[2] = {random_next(&f->chance), random_next(&f->chance)};
    request_filter_open(&f->filter, random_below(&f->chance, 4) == 0 ? 64 : FILTER_BITS, key);
}

/* From the last to the first, of which so many are kept. */
static void take_row(void *self, const struct ended_row *row)
{
    struct far_store *f = self;
    const struct journal *j = &world_of(f)->journals[f->shard->journal];
    if (row->saga.serial <= f->filter.after ||
        (DEFECT(FILTER_OF_OWN_SAGAS_ONLY) && row->saga.serial <= j->state.serial_max))
        return;
    memmove(f->piece.rows + 1, f->piece.rows, sizeof f->piece.rows - sizeof f->piece.rows[0]);
    struct filter_row *first = &f->piece.rows[0];
    CHECK(row->request_id.size < sizeof first->request_id);
    *first = (struct filter_row){.serial = row->saga.serial};
    memcpy(first->request_id, row->request_id.at, row->request_id.size);
    f->piece.count += f->piece.count < FILTER_ROWS;
}

void lookups_deliver(struct far_store *f)
{
    struct world *w = world_of(f);
    const struct ended_query all = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = UINT32_MAX, .examine_max = UINT32_MAX};
    struct store *there = w->journals[f->shard->journal].open;
    struct error_detail detail;
    uint64_t examined_to;
    if (!f->piece.asked || f->piece.read || w->now < f->piece.read_at || there == NULL || !database_answers(w))
        return;
    f->piece.read = true;
    CHECK(there->list_ended(there, &all, take_row, f, &examined_to, &detail) == 0);
}

static void forget(struct far_store *f)
{
    f->piece.asked = f->piece.read = false;
    f->piece.count = 0;
}

void lookups_break(struct far_store *f)
{
    if (random_below(&f->chance, 2) == 0)
        forget(f);
}

void lookups_turn(struct far_store *f)
{
    struct world *w = world_of(f);
    if (!request_filter_wants(&f->filter) || (f->piece.asked && !(f->piece.read && w->now >= f->piece.told_at)))
        return;
    for (unsigned i = 0; i < f->piece.count; i++)
        request_filter_read(&f->filter, f->piece.rows[i].serial, bytes_of_text(f->piece.rows[i].request_id));
    if (f->piece.asked) {
        request_filter_read_so_far(&f->filter, f->piece.count < FILTER_ROWS);
        w->filled += f->filter.next == NULL && !f->filter.of_no_use;
    }
    forget(f);
    if (!request_filter_wants(&f->filter))
        return;
    f->piece.asked = true;
    f->piece.read_at = w->now + (int64_t)random_below(&f->chance, 8) * STEP_US / 2;
    f->piece.told_at = f->piece.read_at + (int64_t)random_below(&f->chance, 20) * STEP_US;
}

bool lookups_is_new(struct far_store *f, struct bytes request_id)
{
    lookups_turn(f);
    bool is_new = request_filter_is_new(&f->filter, request_id);
    *(is_new ? &world_of(f)->unasked : &world_of(f)->asked) += 1;
    return is_new;
}
