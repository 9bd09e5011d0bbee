/* answers.c - the last good answers of steps: the oracle's own picture of them, from durable records alone, and their rows on the disk. What stands in
 * for a step is the answer that was given last under its name and key, and none that is older than the definition says; whatever crashes, it is there. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/answers.h"

#include <stdio.h>
#include <stdlib.h>

static void expect(struct world *w, bool holds, const char *what, uint64_t saga)
{
    if (!holds)
        world_fail(w, EXIT_SAFETY, "recall", what, saga);
}

static unsigned of_spec(const struct model *m, unsigned spec)
{
    unsigned i = 0;
    while (m->steps[i].spec != spec)
        i++;
    return i;
}

/* The step for which this one stands in, by and by. */
static unsigned first_of(const struct model *m, unsigned step)
{
    unsigned spec = m->steps[step].spec;
    while (m->definition->steps[spec].stand_in != STAND_IN_NONE)
        spec--;
    return spec;
}

static void write_whose(const struct model *m, unsigned step, char whose[80])
{
    const struct step_spec *spec = oracle_spec(m, step);
    const struct definition *d = m->definition;
    if (spec->kept_as != NULL)
        snprintf(whose, 80, "%s", spec->kept_as);
    else
        snprintf(whose, 80, "%s/%s", d->name, d->steps[first_of(m, step)].name);
}

static void write_name(const struct world *w, const struct model *m, unsigned step, char name[96])
{
    char whose[80];
    write_whose(m, step, whose);
    snprintf(name, 96, "%s//%s", whose, typed_key_of(w, m, step));
}

static struct kept_answer *find(const struct world *w, const char *name)
{
    struct kept_answer *k = w->answers;
    while (k != NULL && strcmp(k->name, name) != 0)
        k = k->next;
    return k;
}

void answers_given(struct world *w, const struct model *m, const struct record *r)
{
    char name[96];
    if (m->definition == NULL || m->client->synthetic || !step_spec_asks(oracle_spec(m, r->step)))
        return;
    unsigned spec = m->steps[r->step].spec;
    while (m->definition->steps[spec].has_fallback && m->definition->steps[spec + 1].stand_in != STAND_IN_LAST_GOOD)
        spec++;
    if (!m->definition->steps[spec].has_fallback)
        return;
    write_name(w, m, of_spec(m, spec + 1), name);
    struct kept_answer *k = find(w, name);
    if (k == NULL) {
        k = world_take(w, sizeof *k);
        snprintf(k->name, sizeof k->name, "%s", name);
        snprintf(k->key, sizeof k->key, "%s", typed_key_of(w, m, of_spec(m, spec + 1)));
        write_whose(m, of_spec(m, spec + 1), k->whose);
        k->next = w->answers;
        w->answers = k;
    }
    k->answer = bytes_of(world_copy(w, r->output.at, r->output.size), r->output.size);
    k->given_at = r->at.us;
    k->life = w->sidecar.incarnation;
    /* It may have been given before it was asked that it be forgotten. */
    w->given_meanwhile |= k == w->forgetting;
    k->may_be_gone = k == w->forgetting;
    k->gone = false;
}

static int64_t oldest(const struct world *w, const struct model *m, const struct record *r)
{
    return r->at.us - span_min(oracle_spec(m, r->step)->max_age, w->swarm.recall.age_max).us;
}

void answers_recalled(struct world *w, struct model *m, const struct record *r)
{
    char name[96];
    write_name(w, m, r->step, name);
    const struct kept_answer *k = find(w, name);
    expect(w, k != NULL && bytes_equal(k->answer, r->output), "an answer stands in that is not the last good one",
           r->saga.serial);
    expect(w, !k->gone, "an answer stands in that was forgotten", r->saga.serial);
    expect(w, k->given_at == r->given_at.us, "a record tells another time than the answer was given", r->saga.serial);
    expect(w, k->given_at >= oldest(w, m, r), "an answer stands in that is too old", r->saga.serial);
    /* Of a message, its only field; as the world has it. */
    bool line = m->definition->mapping != NULL && r->output.size >= 2;
    snprintf(m->steps[r->step].recalled, sizeof m->steps[r->step].recalled, "%.*s", (int)r->output.size - 2 * line,
             (const char *)r->output.at + 2 * line);
    mark(w, MARK_CASE, CASE_RECALLED);
    if (k->life != w->sidecar.incarnation)
        mark(w, MARK_CASE, CASE_RECALLED_OF_BEFORE);
}

bool answers_none(const struct world *w, const struct model *m, const struct record *r)
{
    char name[96];
    write_name(w, m, r->step, name);
    const struct kept_answer *k = find(w, name);
    bool may_give_way = w->swarm.recall.answers_max < 10 || w->swarm.recall.bytes_max < 10000;
    return k == NULL || k->may_be_gone || k->given_at < oldest(w, m, r) || may_give_way ||
           w->sidecar.memory_failures > 0;
}

void answers_state(struct world *w)
{
    const struct recall *r = engine_answers(core_engine(w->sidecar.core));
    recall_check(r);
    expect(w, r->count <= w->swarm.recall.answers_max && r->bytes <= w->swarm.recall.bytes_max,
           "more answers are kept than may be", r->count);
    uint32_t rows = 0;
    for (size_t i = 0; i < w->disk.answer_count; i++)
        rows += w->disk.answers[i].value.size > 0;
    expect(w, rows == r->count, "the journal does not keep the answers that memory does", rows);
}

void answers_row_seen(struct world *w, const struct subject_row *row)
{
    struct disk *d = &w->disk;
    if (w->swarm.encrypted)
        expect(w, row->value.size == 0 || row->version == 2, "an answer is not encrypted", 0);
    size_t at = 0;
    while (at < d->answer_count && !bytes_equal(d->answers[at].name, row->name))
        at++;
    if (at == d->answer_count) {
        if (d->answer_count == d->answer_room) {
            size_t room = d->answer_room == 0 ? 16 : d->answer_room * 2;
            struct subject_row *more = world_take(w, room * sizeof *more);
            if (d->answer_count > 0)
                memcpy(more, d->answers, d->answer_count * sizeof *more);
            d->answers = more;
            d->answer_room = room;
        }
        d->answer_count++;
    }
    d->answers[at] = *row;
    d->answers[at].name = bytes_of(world_copy(w, row->name.at, row->name.size), row->name.size);
    d->answers[at].value = bytes_of(world_copy(w, row->value.at, row->value.size), row->value.size);
}

int answers_scan(struct world *w, int (*take)(void *self, const struct subject_row *row), void *self)
{
    for (size_t i = 0; i < w->disk.answer_count; i++) {
        int code = take(self, &w->disk.answers[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

/* ---- somebody has them forgotten ---- */

int answers_turn(struct world *w)
{
    struct error_detail detail;
    unsigned count = 0;
    bool busy = w->sidecar.holding || core_stalled(w->sidecar.core) != 0 || core_resuming(w->sidecar.core);
    /* The third of the worlds that has neither bulk jobs nor definitions that are held. */
    if (w->script != NULL || w->seed % 3 != 1 || busy || w->forgetting != NULL || w->answers == NULL ||
        draw(w, BULK, 20) != 0)
        return 0;
    for (struct kept_answer *k = w->answers; k != NULL; k = k->next)
        count++;
    struct kept_answer *k = w->answers;
    for (uint64_t i = draw(w, BULK, count); i > 0; i--)
        k = k->next;
    w->forgetting = k;
    w->given_meanwhile = false;
    k->may_be_gone = true;
    return core_forget_answer(w->sidecar.core, bytes_of_text(k->whose), bytes_of_text(k->key), TOKEN_FORGET, &detail);
}

void answers_forgotten(struct world *w, const struct reply_effect *reply)
{
    struct kept_answer *k = w->forgetting;
    CHECK(k != NULL);
    w->forgetting = NULL;
    if (reply->code != 0 || w->given_meanwhile)
        return;
    k->gone = true;
    mark(w, MARK_CASE, CASE_ANSWER_FORGOTTEN);
}
