/* participants.c - services with real ledgers, and the real rule of the barrier in front of them. */
#include "tests/sim/sim.h"

#include "sidecar/base/fnv.h"

#include <stdlib.h>

static struct row *find(struct participant *p, const char *key, struct row ***bucket)
{
    uint64_t hash = fnv_add(FNV_START, key, strlen(key));
    *bucket = &p->rows[(hash ^ hash >> 32) % ROW_BUCKETS];
    struct row *r = **bucket;
    while (r != NULL && strcmp(r->key, key) != 0)
        r = r->next;
    return r;
}

static struct row *insert(struct world *w, struct row **bucket, const char *key, uint8_t state)
{
    struct row *r = world_take(w, sizeof *r);
    snprintf(r->key, sizeof r->key, "%s", key);
    r->made_at = sidecar_now(w).us;
    r->state = state;
    r->next = *bucket;
    *bucket = r;
    return r;
}

/* The business change, or its refusal. */
static void do_action(struct world *w, struct participant *p, struct model *m, unsigned step, struct row *own)
{
    int64_t amount = m->steps[step].has_effect ? m->steps[step].amount : 0;
    if (amount > p->stock || strikes(w, FAULT_REJECT)) {
        own->state = SAGA_ROW_REJECTED;
        own->status = 9;
        if (typed_refuses_softly(w, m, step)) {
            mark(w, MARK_CASE, CASE_REFUSED_SOFTLY);
            own->status = 0;
            own->output = (char *)(uintptr_t)typed_refusal.at;
            own->output_size = typed_refusal.size;
        }
        return;
    }
    own->state = SAGA_ROW_DONE;
    if (m->steps[step].has_effect) {
        p->stock -= amount;
        p->reserved += amount;
        oracle_effect(w, m, step, 1);
    }
    size_t size = strlen(own->key) + 4;
    if (strikes(w, FAULT_OVERSIZE)) {
        size = PAYLOAD_MAX + 1;
        m->unkeepable = true;
    }
    own->output = world_take(w, size + 1);
    snprintf(own->output, size + 1, "out:%s", own->key);
    struct bytes output = typed_payload(w, m->definition, bytes_of(own->output, size));
    own->output = (char *)(uintptr_t)output.at;
    own->output_size = output.size;
}

static void do_compensation(struct world *w, struct participant *p, struct model *m, unsigned step)
{
    if (!m->steps[step].has_effect)
        return;
    p->stock += m->steps[step].amount;
    p->reserved -= m->steps[step].amount;
    oracle_effect(w, m, step, -1);
}

/* Rows that are older than what can still arrive. */
static void collect(struct world *w, struct participant *p)
{
    int64_t now = sidecar_now(w).us;
    if (w->swarm.keep == 0 || !chance(w, PARTICIPANTS, 100))
        return;
    for (unsigned i = 0; i < ROW_BUCKETS; i++)
        for (struct row **link = &p->rows[i]; *link != NULL;) {
            struct row *r = *link;
            if (r->made_at > now - w->swarm.keep) {
                link = &r->next;
                continue;
            }
            mark(w, MARK_CASE, CASE_COLLECTED);
            p->collected_until = r->made_at > p->collected_until ? r->made_at : p->collected_until;
            *link = r->next;
        }
}

void participant_take(struct world *w, unsigned target, const struct attempt *a, struct model *m, unsigned step,
                      struct answer *answer)
{
    struct participant *p = &w->participants[target];
    struct row **bucket, **action_bucket = NULL;
    collect(w, p);
    struct row *own = find(p, a->key, &bucket);
    struct row *action = a->phase == SAGA_PHASE_COMPENSATION ? find(p, a->action_key, &action_bucket) : NULL;
    enum saga_barrier_verdict verdict =
        saga_barrier_judge((enum saga_phase)a->phase, own == NULL ? SAGA_ROW_ABSENT : (enum saga_barrier_row)own->state,
                           action == NULL ? SAGA_ROW_ABSENT : (enum saga_barrier_row)action->state, a->action_done,
                           a->action_started <= p->collected_until);
    mark(w, MARK_VERDICT, verdict);
    switch (verdict) {
    case SAGA_BARRIER_RUN:
        own = insert(w, bucket, a->key, SAGA_ROW_DONE);
        if (a->phase == SAGA_PHASE_ACTION)
            do_action(w, p, m, step, own);
        else
            do_compensation(w, p, m, step);
        break;
    case SAGA_BARRIER_REPLAY:
        break;
    case SAGA_BARRIER_EMPTY:
        own = insert(w, bucket, a->key, SAGA_ROW_DONE);
        if (action == NULL) {
            find(p, a->action_key, &action_bucket);
            insert(w, action_bucket, a->action_key, SAGA_ROW_VOID);
        }
        break;
    case SAGA_BARRIER_LOST:
        if (a->phase == SAGA_PHASE_COMPENSATION && a->action_started > p->collected_until)
            world_fail(w, EXIT_SAFETY, "barrier", "the sidecar calls an action done that its participant never did",
                       m->id.serial);
        /* A person has to look: the undo is skipped, or settled outside. */
        m->unkeepable = true;
        *answer = (struct answer){.status = 9};
        return;
    case SAGA_BARRIER_HANGING:
        *answer = (struct answer){.status = 9};
        return;
    case SAGA_BARRIER_BROKEN:
        world_fail(w, EXIT_SAFETY, "barrier", "rows that cannot be", m->id.serial);
    }
    *answer = (struct answer){.status = own->status, .output = own->output, .output_size = own->output_size};
}

void participants_init(struct world *w)
{
    for (unsigned i = 0; i < TARGET_COUNT; i++)
        w->participants[i].stock = w->swarm.stock;
}
