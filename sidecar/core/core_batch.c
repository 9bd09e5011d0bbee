/* core_batch.c - what has been decided and is not durable: records in frames, effects that wait for them, and the rows that go with them. */
#include "sidecar/core/core_inside.h"
#include "sidecar/core/slis.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/journal/codec.h"

#include <inttypes.h>
#include <stdio.h>

/* Rows of ended sagas lie by their start: at worst each is on a page of its own, which a store writes whole. */
#define ENDED_ROW_BYTES 4096

int core_grow(const struct memory *m, void **array, size_t *room, size_t count, size_t size)
{
    CHECK(count == *room);
    size_t more = *room == 0 ? 64 : *room * 2;
    void *at = memory_take(m, more * size);
    if (at == NULL)
        return E_MEMORY;
    if (count > 0)
        memcpy(at, *array, count * size);
    memory_give_back(m, *array, *room * size);
    *array = at;
    *room = more;
    return 0;
}

bool batch_has_content(const struct batch *b)
{
    return b->size > 0 || b->definition_count > 0 || b->subject_count > 0 || b->audit_size > 0 || b->bare;
}

/* ---- records ---- */

static struct ended_row ended_row(const struct saga *s)
{
    return (struct ended_row){
        .saga = s->id,
        .state = s->state,
        .mode = s->mode,
        .synthetic = s->synthetic,
        .reason = s->reason,
        .lacks = DEFECT(LACKS_FORGOTTEN) ? 0 : saga_lacks(s),
        .skips = DEFECT(SKIPS_FORGOTTEN) ? 0 : s->skips,
        .definition = s->definition == NULL ? 0 : s->definition->number,
        .name = s->name,
        .request_id = s->request_id,
        .owner = s->owner,
        .fingerprint = s->fingerprint,
        .started_at = s->started_at,
        .ended_at = s->ended_at,
        .first_frame = s->first_position,
        .last_frame = s->position,
    };
}

static int reserve_bytes(struct core *c, uint8_t **bytes, size_t *now, size_t size, size_t more, size_t first)
{
    size_t room = *now == 0 ? first : *now * 2;
    while (room - size < more)
        room *= 2;
    uint8_t *at = memory_take(&c->memory, room);
    if (at == NULL)
        return E_MEMORY;
    if (size > 0)
        memcpy(at, *bytes, size);
    memory_give_back(&c->memory, *bytes, *now);
    *bytes = at;
    *now = room;
    return 0;
}

static size_t last_cut(const struct batch *b)
{
    return b->cut_count == 0 ? 0 : b->cuts[b->cut_count - 1];
}

uint64_t core_next_frame(struct core *c)
{
    struct batch *b = c->open;
    if (b->size - last_cut(b) >= c->options.frame_bytes_max) {
        if (GROW(c, b->cuts, b->cut_count, b->cut_room) != 0)
            return 0;
        b->cuts[b->cut_count++] = b->size;
    }
    return c->frame + b->cut_count - (DEFECT(CUT_MISCOUNTED) && b->cut_count > 0);
}

int core_append(struct core *c, const struct record *r, uint64_t previous)
{
    struct batch *b = c->open;
    size_t size_max = codec_record_size_max(r);
    if (size_max > b->room - b->size && reserve_bytes(c, &b->records, &b->room, b->size, size_max, 65536) != 0)
        return E_MEMORY;
    size_t size = codec_encode(r, previous, b->records + b->size);
    CHECK(size <= size_max); /* it stayed within the room that was promised */
    b->first_frame = c->frame;
    b->size += size;
    return 0;
}

/* The journal tells which tags its sagas' ids have, from the first saga of each on. */
static int keep_tag(struct core *c)
{
    char name[16];
    int size = snprintf(name, sizeof name, "%012" PRIx64, c->options.engine.tag);
    struct subject_row row = {.kind = SUBJECT_TAG, .name = bytes_of(name, (size_t)size), .version = 1};
    int code = DEFECT(TAG_FORGOTTEN) ? 0 : core_set_subject(c, &row);
    c->tag_kept = code == 0;
    return code;
}

/* What a person did, of which the audit trail tells; what a saga's owner does is its own course. */
static bool is_act(const struct record *r)
{
    static const uint32_t may_be = 1u << RECORD_PAUSED | 1u << RECORD_RESUMED | 1u << RECORD_RETRIED |
                                   1u << RECORD_SKIPPED | 1u << RECORD_REJECTED | 1u << RECORD_ENDED |
                                   1u << RECORD_TURNED_BACK;
    if ((may_be >> r->type & 1) == 0)
        return false;
    return r->type == RECORD_ENDED         ? r->saga_state == SAGA_RESOLVED
           : r->type == RECORD_TURNED_BACK ? r->reason == REASON_CANCELLED
                                           : true;
}

static void add_record(void *self, const struct record *record)
{
    struct core *c = self;
    if (c->failed != 0)
        return;
    c->acted |= is_act(record);
    const struct saga *s = engine_find(c->engine, record->saga.serial);
    CHECK(s != NULL); /* even one that has ended, until its end is durable */
    if (record->type == RECORD_STARTED && !c->tag_kept && (c->failed = keep_tag(c)) != 0)
        return;
    uint64_t frame = core_next_frame(c);
    if (frame == 0 || core_append(c, record, s->position) != 0) {
        c->failed = E_MEMORY;
        return;
    }
    engine_set_position(c->engine, record->saga.serial, frame);
    if (record->type == RECORD_ENDED) {
        struct batch *b = c->open;
        if (c->options.slis != NULL)
            slis_ended(c->options.slis, s, record);
        c->failed = GROW(c, b->ended, b->ended_count, b->ended_room);
        if (c->failed == 0) {
            b->ended[b->ended_count++] = ended_row(s);
            b->row_bytes += ENDED_ROW_BYTES;
        }
    }
}

bool batch_frame(const struct batch *b, uint64_t frame, struct bytes *records)
{
    if (b->size == 0 || frame < b->first_frame || frame > b->first_frame + b->cut_count)
        return false;
    size_t index = (size_t)(frame - b->first_frame);
    size_t from = index == 0 ? 0 : b->cuts[index - 1];
    size_t to = index == b->cut_count ? b->size : b->cuts[index];
    CHECK(from < to && to <= b->size);
    *records = bytes_of(b->records + from, to - from);
    return true;
}

/* ---- effects ---- */

void core_effect(struct core *c, const struct effect *effect, const struct error_detail *detail)
{
    struct batch *b = c->open;
    struct error_detail *copy = NULL;
    CHECK(effect->type == EFFECT_REPLY || effect->type == EFFECT_CALL || effect->type == EFFECT_BREAKER);
    if (c->failed != 0 || (c->failed = GROW(c, b->effects, b->effect_count, b->effect_room)) != 0)
        return;
    if (detail != NULL) {
        copy = memory_take(&c->memory, sizeof *copy);
        if (copy == NULL) {
            c->failed = E_MEMORY;
            return;
        }
        *copy = *detail;
    }
    b->effects[b->effect_count++] = (struct held_effect){.effect = *effect, .detail = copy};
}

static void keep_breaker(struct core *c, const struct breaker_effect *effect)
{
    uint8_t value[BREAKER_ROW_BYTES];
    const char *name = engine_target(c->engine, effect->target)->name;
    struct subject_row row = breakers_row(name, &effect->mark, value);
    c->acted = true;
    if (c->failed == 0 && !DEFECT(BREAKER_NOT_KEPT))
        c->failed = core_set_subject(c, &row);
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    struct core *c = self;
    if (effect->type == EFFECT_BREAKER)
        keep_breaker(c, &effect->as.breaker);
    if (DEFECT(CALL_BEFORE_DURABLE) && effect->type == EFFECT_CALL)
        c->world.call(c->world.self, &effect->as.call);
    else if (DEFECT(REPLY_BEFORE_DURABLE) && effect->type == EFFECT_REPLY)
        c->world.reply(c->world.self, &effect->as.reply, detail);
    else
        core_effect(c, effect, detail);
}

struct engine_out core_out(struct core *c)
{
    return (struct engine_out){.add_record = add_record, .add_effect = add_effect, .self = c};
}

int batch_pass_effects(struct core *c, struct batch *from, struct batch *to)
{
    size_t passed = 0;
    for (; passed < from->effect_count; passed++) {
        if (GROW(c, to->effects, to->effect_count, to->effect_room) != 0)
            break;
        to->effects[to->effect_count++] = from->effects[passed];
    }
    from->effect_count -= passed;
    if (from->effect_count == 0)
        return 0;
    memmove(from->effects, from->effects + passed, from->effect_count * sizeof *from->effects);
    return E_MEMORY;
}

int core_failed(const struct core *c, struct error_detail *detail)
{
    return c->failed == 0 ? 0 : error_set(detail, c->failed, "", NULL);
}

/* ---- subjects ---- */

int core_set_subject(struct core *c, const struct subject_row *row)
{
    struct batch *b = c->open;
    CHECK(row->kind > 0 && row->kind < SUBJECT_KIND_COUNT);
    CHECK(row->name.size > 0 && row->name.size <= SUBJECT_NAME_BYTES_MAX);
    CHECK(row->value.size <= SUBJECT_VALUE_BYTES_MAX);
    if (GROW(c, b->subjects, b->subject_count, b->subject_room) != 0)
        return E_MEMORY;
    uint8_t *block = memory_take(&c->memory, row->name.size + row->value.size);
    if (block == NULL)
        return E_MEMORY;
    memcpy(block, row->name.at, row->name.size);
    if (row->value.size > 0)
        memcpy(block + row->name.size, row->value.at, row->value.size);
    b->row_bytes += row->value.size;
    b->subjects[b->subject_count++] = (struct subject_row){
        .kind = row->kind,
        .name = bytes_of(block, row->name.size),
        .version = row->version,
        .value = bytes_of(block + row->name.size, row->value.size),
    };
    return 0;
}

void core_keep_answers(struct core *c)
{
    struct recalled one;
    char name[ANSWER_NAME_SIZE];
    while (c->failed == 0 && engine_next_answer(c->engine, &one)) {
        size_t size = answers_value_size(&one);
        uint8_t *value = size == 0 ? NULL : memory_take(&c->memory, size);
        if (size > 0 && value == NULL) {
            c->failed = E_MEMORY;
            return;
        }
        struct subject_row row = answers_row(&one, name, value);
        c->failed = DEFECT(RECALL_NOT_KEPT) ? 0 : core_set_subject(c, &row);
        memory_give_back(&c->memory, value, size);
    }
}

/* ---- the audit trail ---- */

void core_audit(struct core *c, struct bytes entry)
{
    struct batch *b = c->open;
    if (c->failed != 0 || DEFECT(ACT_NOT_AUDITED))
        return;
    /* Without it nothing of the batch may be let out. */
    if (entry.size > b->audit_room - b->audit_size)
        c->failed = reserve_bytes(c, &b->audit, &b->audit_room, b->audit_size, entry.size, 1024);
    if (c->failed != 0)
        return;
    memcpy(b->audit + b->audit_size, entry.at, entry.size);
    b->audit_size += entry.size;
}

uint64_t core_audit_last(const struct core *c)
{
    return c->audit_last;
}

/* ---- the end of a batch ---- */

void batch_clear(struct core *c, struct batch *b)
{
    for (size_t i = 0; i < b->effect_count; i++)
        memory_give_back(&c->memory, b->effects[i].detail, sizeof *b->effects[i].detail);
    for (size_t i = 0; i < b->subject_count; i++)
        memory_give_back(&c->memory, (void *)(uintptr_t)b->subjects[i].name.at,
                         b->subjects[i].name.size + b->subjects[i].value.size);
    b->size = b->cut_count = b->effect_count = b->ended_count = b->definition_count = b->subject_count = b->row_bytes =
        0;
    b->audit_size = 0;
    b->bare = false;
    b->audit_seq = b->first_frame = b->oldest_live_frame = b->needed_from = 0;
}

void batch_free(struct core *c, struct batch *b)
{
    batch_clear(c, b);
    memory_give_back(&c->memory, b->records, b->room);
    memory_give_back(&c->memory, b->audit, b->audit_room);
    memory_give_back(&c->memory, b->cuts, b->cut_room * sizeof *b->cuts);
    memory_give_back(&c->memory, b->effects, b->effect_room * sizeof *b->effects);
    memory_give_back(&c->memory, b->ended, b->ended_room * sizeof *b->ended);
    memory_give_back(&c->memory, b->definitions, b->definition_room * sizeof *b->definitions);
    memory_give_back(&c->memory, b->subjects, b->subject_room * sizeof *b->subjects);
}

/* ---- what holds ---- */

void batch_check(const struct core *c, const struct batch *b, bool open)
{
    CHECK(b->size <= b->room && b->effect_count <= b->effect_room && b->cut_count <= b->cut_room);
    CHECK(b->ended_count <= b->ended_room && b->definition_count <= b->definition_room);
    CHECK(b->subject_count <= b->subject_room);
    CHECK(b->cut_count == 0 || (b->cuts[0] > 0 && last_cut(b) <= b->size)); /* no frame is empty */
    CHECK(b->ended_count == 0 || b->size > 0);                              /* an end is a record first */
    CHECK(b->size == 0 || b->first_frame > c->durable_frame);               /* what is durable is not in a batch */
    CHECK(!open || b->size == 0 || b->first_frame == c->frame);
    CHECK(open || (batch_has_content(b) && b->needed_from > 0));
    CHECK(open ? b->audit_seq == 0 : (b->audit_seq != 0) == (b->audit_size > 0));
    CHECK(b->audit_seq <= c->audit_last && b->audit_size <= b->audit_room);
    CHECK(open ? b->oldest_live_frame == 0 && b->needed_from == 0 : b->oldest_live_frame <= b->needed_from);
}

void core_check(const struct core *c)
{
    CHECK(c->first < BATCH_COUNT && c->closed <= STORE_COMMITS_MAX && c->handed <= c->closed);
    CHECK(c->durable_frame < c->frame);
    CHECK(c->needed_from > 0 && c->needed_from <= c->durable_frame + 1); /* the future is always needed */
    CHECK(c->oldest_live_frame <= c->frame);
    CHECK((c->stalled == 0) == (c->stalled_since.us == 0));
    CHECK(c->stalled == 0 || c->stalled == E_JOURNAL_FULL || c->stalled == E_JOURNAL_AWAY);
    CHECK((c->parked_first == NULL) == (c->parked_count == 0) && c->parked_count <= PARKED_MAX);
    CHECK(c->open == &c->batches[batch_place(c, c->closed)]);
    uint64_t next = c->durable_frame + 1;
    for (unsigned i = 0; i <= c->closed; i++) {
        const struct batch *b = &c->batches[batch_place(c, i)];
        batch_check(c, b, i == c->closed);
        CHECK(b->size == 0 || b->first_frame == next); /* frames have no gap */
        next += b->size == 0 ? 0 : b->cut_count + 1;
    }
    CHECK(next == c->frame + (c->open->size == 0 ? 0 : c->open->cut_count + 1));
    CHECK(c->closed > 0 || c->open->size > 0 || c->stuck == engine_counts(c->engine).stuck);
}
