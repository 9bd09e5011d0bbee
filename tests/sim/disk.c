/* disk.c - a store on a made-up disk. What is synced stays; what was written and not synced when the sidecar ended is
 * lost, torn, or happens to be there. A far disk answers later, may not know what became of a commit, and may be taken over. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/breakers.h"
#include "sidecar/journal/codec.h"

#include <stdlib.h>

static struct disk *disk_of(struct store *s)
{
    return (struct disk *)s;
}

static void *grown(void *array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return array;
    *room = *room == 0 ? 64 : *room * 2;
    array = realloc(array, *room * size);
    CHECK(array != NULL);
    return array;
}

static struct bytes keep(struct world *w, struct bytes b)
{
    return bytes_of(world_copy(w, b.at, b.size), b.size);
}

/* ---- commit ---- */

static void keep_frame(struct world *w, uint64_t frame, struct bytes records)
{
    struct disk *d = &w->disk;
    if (frame != d->frame_count + 1)
        world_fail(w, EXIT_SAFETY, "store", "a frame's number is not one above the last", frame);
    if (records.size == 0)
        world_fail(w, EXIT_SAFETY, "store", "a frame is empty", frame);
    d->frames = grown(d->frames, &d->frame_room, d->frame_count, sizeof *d->frames);
    struct bytes bytes = keep(w, records);
    struct instant at = codec_time(bytes);
    d->frames[d->frame_count++] =
        (struct kept_frame){.bytes = (uint8_t *)(uintptr_t)bytes.at, .size = bytes.size, .at = at.us};
    if (d->first_frame == 0)
        d->first_frame = 1;
}

static void keep_data_key(struct world *w, const struct subject_row *row)
{
    struct disk *d = &w->disk;
    size_t at = 0;
    while (at < d->data_key_count && !bytes_equal(d->data_keys[at].name, row->name))
        at++;
    if (at == d->data_key_count) {
        d->data_keys = grown(d->data_keys, &d->data_key_room, d->data_key_count, sizeof *d->data_keys);
        d->data_key_count++;
    }
    d->data_keys[at] = *row;
    d->data_keys[at].name = keep(w, row->name);
    d->data_keys[at].value = keep(w, row->value);
}

static void keep_audit(struct world *w, const struct audit_row *row)
{
    struct disk *d = &w->disk;
    if (row->seq == 0)
        return;
    if (row->seq != d->audit_count + 1 || row->body.size == 0)
        world_fail(w, EXIT_SAFETY, "store",
                   "a row of the audit trail is empty, or its number is not one above the last", row->seq);
    d->audit = grown(d->audit, &d->audit_room, d->audit_count, sizeof *d->audit);
    d->audit[d->audit_count] = *row;
    d->audit[d->audit_count++].body = keep(w, row->body);
}

static void keep_subject(struct world *w, const struct subject_row *row)
{
    struct disk *d = &w->disk;
    char name[24];
    if (row->kind == SUBJECT_RETRY) {
        CHECK(d->retry_count < DEFINITIONS_MAX);
        d->retries[d->retry_count++] = (struct subject_row){
            .kind = row->kind, .name = keep(w, row->name), .version = row->version, .value = keep(w, row->value)};
        return;
    }
    if (row->kind == SUBJECT_DATA_KEY) {
        keep_data_key(w, row);
        return;
    }
    if (row->kind == SUBJECT_BREAKER) {
        oracle_breaker_kept(w, row);
        return;
    }
    if (row->kind == SUBJECT_ANSWER) {
        answers_row_seen(w, row);
        return;
    }
    if (row->kind == SUBJECT_HOLD) {
        holds_row(w, row);
        return;
    }
    if (row->kind == SUBJECT_REMEDY) {
        rules_row(w, row);
        return;
    }
    if (row->kind == SUBJECT_SLI || row->kind == SUBJECT_SLI_HISTORY) {
        slis_row(w, row);
        return;
    }
    if (row->kind == SUBJECT_BULK) {
        unsigned place = (unsigned)(row->name.at[0] - '0') * 10 + (unsigned)(row->name.at[1] - '0');
        CHECK(row->name.size == 2 && place < BULKS_SEEN_MAX);
        d->bulks[place] = (struct subject_row){
            .kind = row->kind, .name = keep(w, row->name), .version = row->version, .value = keep(w, row->value)};
        bulk_row(w, row);
        return;
    }
    CHECK(row->kind == SUBJECT_TAG && row->name.size < sizeof name);
    snprintf(name, sizeof name, "%.*s", (int)row->name.size, (const char *)row->name.at);
    uint64_t tag = strtoull(name, NULL, 16);
    if (disk_has_tag(w, tag))
        return;
    CHECK(d->tag_count < sizeof d->tags / sizeof d->tags[0]);
    d->tags[d->tag_count++] = tag;
}

bool disk_has_tag(const struct world *w, uint64_t tag)
{
    for (unsigned i = 0; i < w->disk.tag_count; i++)
        if (w->disk.tags[i] == tag)
            return true;
    return false;
}

static uint64_t last_of(const struct store_commit *c)
{
    return c->frame == 0 ? 0 : c->frame + c->cut_count;
}

/* The commit is on the platter: from here on it survives everything. */
static void synced(struct world *w, const struct store_commit *c)
{
    struct disk *d = &w->disk;
    w->commits++;
    w->commit_from = d->frame_count + 1;
    for (size_t i = 0; c->frame != 0 && i <= c->cut_count; i++)
        keep_frame(w, c->frame + i, store_commit_frame(c, i));
    if (c->cut_count > 0)
        mark(w, MARK_CASE, w->sidecar.up && core_resuming(w->sidecar.core) ? CASE_RESUMED_CUT : CASE_CUT);
    for (size_t i = 0; i < c->subject_count; i++)
        keep_subject(w, &c->subjects[i]);
    for (size_t i = 0; i < c->ended_count; i++) {
        d->ended = grown(d->ended, &d->ended_room, d->ended_count, sizeof *d->ended);
        struct ended_row row = c->ended[i];
        row.name = keep(w, row.name);
        row.request_id = keep(w, row.request_id);
        row.owner = keep(w, row.owner);
        d->ended[d->ended_count++] = (struct kept_ended){.row = row};
        if (row.saga.serial > d->serial_max)
            d->serial_max = row.saga.serial;
    }
    for (size_t i = 0; i < c->definition_count; i++) {
        CHECK(d->definition_count < DEFINITIONS_MAX);
        d->definitions[d->definition_count] = c->definitions[i];
        d->definitions[d->definition_count++].source = keep(w, c->definitions[i].source);
    }
    if (c->oldest_live_frame != 0)
        d->oldest_live_frame = c->oldest_live_frame;
    keep_audit(w, &c->audit);
    for (size_t i = 0; c->frame != 0 && i <= c->cut_count; i++)
        oracle_frame(w, c->frame + i, sealed_plain(w, c->frame + i, store_commit_frame(c, i)), w->now);
    sealed_check_acts(w, c);
    for (size_t i = 0; i < c->ended_count; i++)
        oracle_ended_row(w, &c->ended[i]);
    oracle_kept_from(w, d->oldest_live_frame);
    bulk_commit(w);
    slis_commit(w);
    rules_commit(w);
}

/* A copy that needs nothing of the owner's memory. */
static struct store_commit copy_commit(struct world *w, const struct store_commit *c)
{
    struct store_commit copy = *c;
    copy.records = keep(w, c->records);
    copy.cuts =
        (const size_t *)(const void *)keep(w, bytes_of((const uint8_t *)c->cuts, c->cut_count * sizeof *c->cuts)).at;
    struct ended_row *ended = world_take(w, (c->ended_count + 1) * sizeof *ended);
    for (size_t i = 0; i < c->ended_count; i++) {
        ended[i] = c->ended[i];
        ended[i].name = keep(w, c->ended[i].name);
        ended[i].request_id = keep(w, c->ended[i].request_id);
        ended[i].owner = keep(w, c->ended[i].owner);
    }
    copy.ended = ended;
    struct subject_row *subjects = world_take(w, (c->subject_count + 1) * sizeof *subjects);
    for (size_t i = 0; i < c->subject_count; i++) {
        subjects[i] = c->subjects[i];
        subjects[i].name = keep(w, c->subjects[i].name);
        subjects[i].value = keep(w, c->subjects[i].value);
    }
    copy.subjects = subjects;
    struct definition_row *definitions = world_take(w, (c->definition_count + 1) * sizeof *definitions);
    for (size_t i = 0; i < c->definition_count; i++) {
        definitions[i] = c->definitions[i];
        definitions[i].source = keep(w, c->definitions[i].source);
    }
    copy.definitions = definitions;
    copy.audit.body = keep(w, c->audit.body);
    return copy;
}

/* Written, and not synced when the sidecar ended. */
static int leave(struct world *w, const struct store_commit *c, enum fate fate, struct error_detail *detail)
{
    struct disk *d = &w->disk;
    d->fate = fate;
    d->pending = copy_commit(w, c);
    d->torn_size = (size_t)draw(w, DISK, c->records.size);
    w->sidecar.dying = true;
    return error_set(detail, E_JOURNAL, "", "the disk failed");
}

static bool is_full(struct world *w)
{
    struct disk *d = &w->disk;
    if (w->now >= d->full_until && !strikes(w, FAULT_DISK_FULL))
        return false;
    if (w->now >= d->full_until)
        d->full_until = w->now + draw_between(w, DISK, MS, 3 * SECOND);
    return true;
}

/* A disk that was full keeps what room there is for ending sagas, for a while. */
static bool is_tight(struct store *s)
{
    struct world *w = ((struct disk *)s)->world;
    return w->disk.full_until != 0 && w->now < w->disk.full_until + SECOND;
}

/* ---- a far disk ---- */

/* What has reached it by now is kept. */
static void arrivals(struct world *w)
{
    struct disk *d = &w->disk;
    for (unsigned i = 0; i < d->on_the_way_count; i++) {
        struct far_commit *f = &d->on_the_way[i];
        if (f->landed)
            continue;
        if (w->now < f->lands_at)
            return;
        f->landed = true;
        trace(w, "landed", f->commit.frame, (int64_t)f->commit.records.size, 0, 0);
        synced(w, &f->commit);
    }
}

static void check_handed_over(struct world *w, const struct store_commit *c)
{
    const struct disk *d = &w->disk;
    if (d->on_the_way_count == STORE_COMMITS_MAX)
        world_fail(w, EXIT_SAFETY, "store", "more commits are on the way than may be", c->frame);
    for (unsigned i = 0; i < d->on_the_way_count; i++)
        if (d->on_the_way[i].told_unsure)
            world_fail(w, EXIT_SAFETY, "store", "a commit follows one whose fate is not known", c->frame);
}

/* Another has the journal now: what has not arrived never does. */
static int taken_over(struct world *w, struct error_detail *detail)
{
    struct disk *d = &w->disk;
    d->on_the_way_count = 0;
    d->epoch++;
    w->sidecar.fenced = true;
    trace(w, "fenced", 0, (int64_t)d->epoch, 0, 0);
    return error_set(detail, E_JOURNAL_FENCED, "", "another has the journal");
}

static int far_commit(struct world *w, const struct store_commit *c, struct error_detail *detail)
{
    struct disk *d = &w->disk;
    arrivals(w);
    if (w->sidecar.fenced)
        world_fail(w, EXIT_SAFETY, "store", "a commit follows the news that another has the journal", c->frame);
    check_handed_over(w, c);
    if (strikes(w, FAULT_FENCED))
        return taken_over(w, detail);
    if (is_full(w))
        return error_set(detail, E_JOURNAL_FULL, "", "");
    if (sidecar_ends_here(w))
        return error_set(detail, E_JOURNAL, "", "it ended before it had sent anything");
    struct far_commit *f = &d->on_the_way[d->on_the_way_count++];
    if (d->on_the_way_count > 1)
        mark(w, MARK_CASE, CASE_TWO_ON_THE_WAY);
    *f = (struct far_commit){.commit = copy_commit(w, c)};
    f->lands_at = w->now + (strikes(w, FAULT_SLOW_SYNC) ? draw_between(w, DISK, 10 * MS, 2 * SECOND)
                                                        : draw_between(w, DISK, 100, 5 * MS));
    f->told_at = f->lands_at + draw_between(w, DISK, 0, 3 * MS);
    if (strikes(w, FAULT_UNSURE)) {
        f->unsure_until = w->now + draw_between(w, DISK, 10 * MS, 2 * SECOND);
        f->told_at = w->now + draw_between(w, DISK, 0, 5 * MS);
        if (draw(w, DISK, 2) == 0)
            f->lands_at = f->unsure_until + draw_between(w, DISK, 0, 5 * MS); /* the store sends it anew */
    }
    trace(w, "sent", c->frame, (int64_t)c->records.size, f->lands_at - w->now, f->unsure_until);
    trace_bytes(w, c->records.at, c->records.size);
    if (sidecar_ends_here(w))
        return error_set(detail, E_JOURNAL, "", "it ended when it had sent it");
    f->told_unsure = f->unsure_until != 0 && f->told_at == w->now;
    return f->told_unsure ? STORE_AMBIGUOUS : STORE_PENDING;
}

static int settle(struct store *s, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    struct world *w = d->world;
    arrivals(w);
    if (d->on_the_way_count == 0)
        world_fail(w, EXIT_SAFETY, "store", "a fate is asked for, and nothing is on the way", 0);
    struct far_commit *f = &d->on_the_way[0];
    if (w->sidecar.dying)
        return error_set(detail, E_JOURNAL, "", "it has ended");
    if (strikes(w, FAULT_FENCED))
        return taken_over(w, detail);
    if (!f->landed && f->unsure_until == 0 && strikes(w, FAULT_DISK_FULL)) {
        d->on_the_way_count = 0;
        return error_set(detail, E_JOURNAL_FULL, "", "");
    }
    if (w->now < f->told_at)
        return STORE_PENDING;
    if (w->now < f->unsure_until) {
        f->told_unsure = true;
        return STORE_AMBIGUOUS;
    }
    if (!f->landed)
        return f->told_unsure ? STORE_AMBIGUOUS : STORE_PENDING;
    if (f->told_unsure)
        mark(w, MARK_CASE, f->lands_at < f->unsure_until ? CASE_UNSURE_KEPT : CASE_UNSURE_SENT);
    if (f->commit.frame != 0)
        d->told_frame = last_of(&f->commit);
    w->sidecar.let_out = 0;
    trace(w, "told", f->commit.frame, 0, 0, 0);
    memmove(d->on_the_way, d->on_the_way + 1, --d->on_the_way_count * sizeof *f);
    return 0;
}

/* A lease that could not be renewed in time: nobody knows for a while whose the journal is. */
static int holds(struct store *s, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    struct world *w = d->world;
    if (!w->swarm.far || w->sidecar.dying)
        return 0;
    if (w->now >= d->unheld_until && strikes(w, FAULT_LEASE)) {
        d->unheld_until = w->now + draw_between(w, DISK, 10 * MS, 2 * SECOND);
        d->unheld = true;
        trace(w, "unheld", 0, d->unheld_until - w->now, 0, 0);
    }
    if (w->now < d->unheld_until)
        return error_set(detail, E_JOURNAL_AWAY, "", "the lease could not be renewed");
    if (!d->unheld)
        return 0;
    d->unheld = false;
    if (strikes(w, FAULT_FENCED))
        return taken_over(w, detail);
    if (d->on_the_way_count > 0)
        mark(w, MARK_CASE, CASE_UNHELD);
    return 0;
}

int64_t disk_tells_at(const struct world *w)
{
    const struct disk *d = &w->disk;
    int64_t at = w->now < d->unheld_until ? d->unheld_until : INT64_MAX;
    if (d->on_the_way_count > 0) {
        const struct far_commit *f = &d->on_the_way[0];
        at = w->now < f->told_at                           ? f->told_at
             : w->now < f->unsure_until && !f->told_unsure ? w->now
             : w->now < f->unsure_until                    ? f->unsure_until
                                                           : f->lands_at;
    }
    for (unsigned i = 0; i < d->lookup_count; i++)
        if (d->lookups[i].answered_at < at)
            at = d->lookups[i].answered_at;
    return at;
}

/* Whether what was asked for under this key has been found by now; then it is told, and forgotten. */
static bool looked_up(struct world *w, uint64_t key)
{
    struct disk *d = &w->disk;
    if (!w->swarm.far)
        return true;
    for (unsigned i = 0; i < d->lookup_count; i++)
        if (d->lookups[i].key == key) {
            if (w->now < d->lookups[i].answered_at)
                return false;
            d->lookups[i] = d->lookups[--d->lookup_count];
            mark(w, MARK_CASE, CASE_PARKED);
            return true;
        }
    if (d->lookup_count == LOOKUPS_MAX || draw(w, DISK, 3) == 0)
        return true;
    d->lookups[d->lookup_count++] =
        (struct far_lookup){.key = key, .answered_at = w->now + draw_between(w, DISK, 0, 20 * MS)};
    return false;
}

/* ---- a near one ---- */

static int commit(struct store *s, const struct store_commit *c, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    struct world *w = d->world;
    if (c->epoch != w->sidecar.epoch)
        world_fail(w, EXIT_SAFETY, "store", "a commit does not carry the epoch of its holder", c->frame);
    sealed_check_handed(w, c);
    if (w->swarm.far)
        return far_commit(w, c, detail);
    w->sidecar.let_out = 0;
    w->sidecar.commit_delay = draw_between(w, DISK, 20, 400);
    if (is_full(w))
        return error_set(detail, E_JOURNAL_FULL, "", "");
    if (sidecar_ends_here(w))
        return leave(w, c, FATE_LOST, detail);
    if (sidecar_ends_here(w)) {
        static const enum fate fates[] = {FATE_KEPT, FATE_LOST, FATE_TORN};
        return leave(w, c, fates[draw(w, DISK, 3)], detail);
    }
    if (strikes(w, FAULT_DISK_ERROR))
        return leave(w, c, draw(w, DISK, 2) == 0 ? FATE_KEPT : FATE_LOST, detail);
    if (strikes(w, FAULT_SLOW_SYNC))
        w->sidecar.commit_delay = draw_between(w, DISK, 10 * MS, 2 * SECOND);
    trace(w, "synced", c->frame, (int64_t)c->records.size, (int64_t)c->ended_count, w->sidecar.commit_delay);
    trace_bytes(w, c->records.at, c->records.size);
    synced(w, c);
    if (c->frame != 0)
        d->told_frame = last_of(c);
    return 0;
}

static void reopen_far(struct world *w)
{
    struct disk *d = &w->disk;
    arrivals(w);
    for (unsigned i = 0; i < d->on_the_way_count; i++)
        mark(w, MARK_CASE, d->on_the_way[i].landed ? CASE_FAR_KEPT : CASE_FAR_LOST);
    d->on_the_way_count = d->lookup_count = 0;
    d->unheld_until = 0;
    d->unheld = false;
}

struct store_state disk_reopen(struct world *w)
{
    struct disk *d = &w->disk;
    struct error_detail detail;
    reopen_far(w);
    switch (d->fate) {
    case FATE_NONE:
        break;
    case FATE_LOST:
        mark(w, MARK_CASE, CASE_UNSYNCED_LOST);
        break;
    case FATE_TORN:
        mark(w, MARK_CASE, CASE_TORN);
        /* A tear between two records is seen by the size that the store keeps, every other one by the codec. */
        if (d->torn_size > 0)
            codec_check(bytes_of(d->pending.records.at, d->torn_size), &detail);
        break;
    case FATE_KEPT:
        mark(w, MARK_CASE, CASE_UNSYNCED_KEPT);
        trace(w, "kept", d->pending.frame, (int64_t)d->pending.records.size, 0, 0);
        synced(w, &d->pending);
        break;
    }
    d->fate = FATE_NONE;
    d->told_frame = d->frame_count;
    return (struct store_state){
        .first_frame = d->first_frame,
        .last_frame = d->frame_count,
        .oldest_live_frame = d->oldest_live_frame,
        .serial_max = d->serial_max,
        .audit_last = d->audit_count,
        .epoch = ++d->epoch,
    };
}

/* ---- reading ---- */

static int scan(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    for (uint64_t f = from > d->first_frame ? from : d->first_frame; f != 0 && f <= d->frame_count; f++) {
        int code = take(self, f, bytes_of(d->frames[f - 1].bytes, d->frames[f - 1].size));
        if (code != 0)
            return code;
    }
    return 0;
}

static int read_frame(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    if (!looked_up(d->world, UINT64_C(1) << 62 | frame))
        return STORE_PENDING;
    if (frame < d->first_frame || frame > d->frame_count)
        return error_set(detail, E_CURSOR, "", "");
    *records = bytes_of(d->frames[frame - 1].bytes, d->frames[frame - 1].size);
    return 0;
}

const struct ended_row *disk_ended(const struct world *w, uint64_t serial)
{
    const struct disk *d = &w->disk;
    for (size_t i = d->ended_count; i > 0; i--)
        if (!d->ended[i - 1].dropped && d->ended[i - 1].row.saga.serial == serial)
            return &d->ended[i - 1].row;
    return NULL;
}

static bool unread(struct world *w, struct error_detail *detail)
{
    if (!w->swarm.far || !strikes(w, FAULT_LOOKUP))
        return false;
    mark(w, MARK_CASE, CASE_UNREAD);
    error_set(detail, E_JOURNAL_AWAY, "", "the journal cannot be read now");
    return true;
}

static int find_ended(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    struct world *w = disk_of(s)->world;
    if (!looked_up(w, UINT64_C(1) << 63 | serial))
        return STORE_PENDING;
    if (unread(w, detail))
        return E_JOURNAL_AWAY;
    const struct ended_row *found = disk_ended(w, serial);
    if (found == NULL)
        return error_set(detail, E_SAGA_NOT_FOUND, "", "");
    *row = *found;
    return 0;
}

static int find_request(struct store *s, struct bytes request_id, struct bytes owner, struct ended_row *row,
                        struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    uint64_t key = 1;
    for (size_t i = 0; i < request_id.size + owner.size; i++)
        key =
            (key ^ (i < request_id.size ? request_id.at[i] : owner.at[i - request_id.size])) * UINT64_C(0x100000001b3) +
            7;
    if (!looked_up(d->world, key >> 2))
        return STORE_PENDING;
    if (unread(d->world, detail))
        return E_JOURNAL_AWAY;
    for (size_t i = d->ended_count; i > 0; i--)
        if (!d->ended[i - 1].dropped && bytes_equal(d->ended[i - 1].row.request_id, request_id) &&
            ended_row_by(&d->ended[i - 1].row, owner)) {
            *row = d->ended[i - 1].row;
            return 0;
        }
    return error_set(detail, E_SAGA_NOT_FOUND, "", "");
}

static int list_ended(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    for (size_t i = 0; i < d->ended_count; i++)
        if (!d->ended[i].dropped && d->ended[i].row.saga.serial < query->below)
            take(self, &d->ended[i].row);
    *examined_to = 0;
    return 0;
}

static uint64_t first_frame(struct store *s)
{
    return disk_of(s)->first_frame;
}

static int scan_definitions(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    for (size_t i = 0; i < d->definition_count; i++) {
        int code = take(self, &d->definitions[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

static int scan_subjects(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                         void *self, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    static const char *const names[TARGET_COUNT] = {"t0", "t1", "t2", "t3"};
    uint8_t value[BREAKER_ROW_BYTES];
    for (unsigned i = 0; i < TARGET_COUNT && kind == SUBJECT_BREAKER; i++) {
        struct subject_row row = breakers_row(names[i], &d->breakers[i], value);
        int code = d->breakers[i].opened_at.us == 0 ? 0 : take(self, &row);
        if (code != 0)
            return code;
    }
    if (kind == SUBJECT_BREAKER)
        return 0;
    if (kind == SUBJECT_ANSWER)
        return answers_scan(d->world, take, self);
    if (kind == SUBJECT_HOLD)
        return holds_scan(d->world, take, self);
    if (kind == SUBJECT_REMEDY)
        return rules_scan(d->world, take, self);
    if (kind == SUBJECT_SLI || kind == SUBJECT_SLI_HISTORY)
        return slis_scan(d->world, kind, take, self);
    if (kind == SUBJECT_BULK) {
        for (unsigned i = 0; i < BULKS_SEEN_MAX; i++) {
            int code = d->bulks[i].kind == 0 ? 0 : take(self, &d->bulks[i]);
            if (code != 0)
                return code;
        }
        return 0;
    }
    CHECK(kind == SUBJECT_RETRY || kind == SUBJECT_DATA_KEY);
    size_t count = kind == SUBJECT_RETRY ? d->retry_count : d->data_key_count;
    for (size_t i = 0; i < count; i++) {
        int code = take(self, kind == SUBJECT_RETRY ? &d->retries[i] : &d->data_keys[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

static int scan_audit(struct store *s, uint64_t from, uint32_t rows_max,
                      int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    uint64_t first = d->audit_first == 0 ? 1 : d->audit_first;
    for (uint64_t i = from > first ? from : first; i <= d->audit_count && rows_max > 0; i++, rows_max--) {
        int code = take(self, &d->audit[i - 1]);
        if (code != 0)
            return code;
    }
    return 0;
}

/* ---- retention ---- */

static int drop_audit(struct store *s, struct instant before, uint32_t work_max, bool *more,
                      struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    uint64_t from = d->audit_first == 0 ? 1 : d->audit_first, at = from;
    (void)detail;
    while (at <= d->audit_count && d->audit[at - 1].at.us < before.us && at - from < work_max)
        at++;
    *more = at - from == work_max;
    d->audit_first = at;
    return 0;
}

static int drop(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *detail)
{
    struct disk *d = disk_of(s);
    (void)detail;
    uint32_t rows = 0, frames = 0;
    for (size_t i = 0; i < d->ended_count && rows < work_max; i++)
        if (!d->ended[i].dropped && d->ended[i].row.ended_at.us < before.us) {
            d->ended[i].dropped = true;
            d->world->models[d->ended[i].row.saga.serial].dropped = true;
            rows++;
        }
    while (frames < work_max && d->first_frame != 0 && d->first_frame < keep_from && d->first_frame < d->frame_count &&
           d->frames[d->first_frame - 1].at < before.us) {
        d->first_frame++;
        frames++;
    }
    oracle_kept_from(d->world, d->first_frame);
    if (frames > 0)
        mark(d->world, MARK_CASE, CASE_FRAMES_DROPPED);
    *more = rows == work_max || frames == work_max;
    return 0;
}

static void close_store(struct store *s)
{
    (void)s;
}

void disk_init(struct world *w)
{
    w->disk.world = w;
    w->disk.store = (struct store){
        .is_tight = is_tight,
        .commit = commit,
        .settle = settle,
        .holds = holds,
        .scan = scan,
        .first_frame = first_frame,
        .read_frame = read_frame,
        .find_ended = find_ended,
        .find_request = find_request,
        .list_ended = list_ended,
        .scan_definitions = scan_definitions,
        .scan_subjects = scan_subjects,
        .scan_audit = scan_audit,
        .drop = drop,
        .drop_audit = drop_audit,
        .close = close_store,
    };
}
