/* view.c - from what the sidecar holds to what people and programs see. */
#include "sidecar/api/view.h"

#include "sidecar/api/payload.h"
#include "sidecar/base/check.h"
#include "sidecar/base/texts.h"
#include "sidecar/message/schema.h"
#include "compensations/barrier.h"

#include <stdio.h>
#include <time.h>

/* protobuf-c's empty string; it is never written to or freed, since everything else lies in the arena. */
#define EMPTY ((char *)(uintptr_t)protobuf_c_empty_string)

Google__Protobuf__Timestamp *view_time(struct arena *a, struct instant at)
{
    Google__Protobuf__Timestamp *t = arena_take(a, sizeof *t);
    if (t == NULL)
        return NULL;
    google__protobuf__timestamp__init(t);
    t->seconds = at.us / 1000000;
    t->nanos = (int32_t)(at.us % 1000000) * 1000;
    return t;
}

Google__Protobuf__Duration *view_span(struct arena *a, struct span span)
{
    Google__Protobuf__Duration *d = arena_take(a, sizeof *d);
    if (d == NULL)
        return NULL;
    google__protobuf__duration__init(d);
    d->seconds = span.us / 1000000;
    d->nanos = (int32_t)(span.us % 1000000) * 1000;
    return d;
}

static bool set_text(struct arena *a, char **field, struct bytes text)
{
    *field = text.size == 0 ? EMPTY : arena_text(a, text);
    return *field != NULL;
}

static bool set_time(struct arena *a, Google__Protobuf__Timestamp **field, struct instant at)
{
    if (at.us == 0 || at.us == INSTANT_NEVER.us)
        return true;
    *field = view_time(a, at);
    return *field != NULL;
}

static bool set_bytes(struct arena *a, ProtobufCBinaryData *field, struct bytes bytes)
{
    field->len = bytes.size;
    field->data = bytes.size == 0 ? NULL : arena_take(a, bytes.size);
    if (bytes.size == 0)
        return true;
    if (field->data == NULL)
        return false;
    memcpy(field->data, bytes.at, bytes.size);
    return true;
}

static bool set_id(struct arena *a, char **field, struct saga_id id)
{
    *field = arena_take(a, SAGA_ID_TEXT_SIZE);
    if (*field != NULL)
        saga_id_format(id, *field);
    return *field != NULL;
}

/* The record's and the API's enums have the same numbers; these fail to compile when they do not. */
_Static_assert((int)SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED == SAGA_RESOLVED, "saga states");
_Static_assert((int)SAGA__V1__ACTION_STATE__ACTION_STATE_SKIPPED == SAGA_ACTION_SKIPPED, "action states");
_Static_assert((int)SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_SKIPPED == SAGA_COMPENSATION_SKIPPED,
               "compensation states");
_Static_assert((int)SAGA__V1__REASON__REASON_UNAVAILABLE == REASON_UNAVAILABLE, "reasons");
_Static_assert((int)SAGA__V1__EVENT_TYPE__EVENT_TYPE_ANSWERED == RECORD_ANSWERED, "event types");
_Static_assert((int)SAGA__V1__FAULT_KIND__FAULT_KIND_REORDER == DRILL_REORDER, "faults");
_Static_assert((int)SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED == SAGA_ENLISTED, "modes");
_Static_assert((int)SAGA__V1__PRIORITY__PRIORITY_HIGH == PRIORITY_HIGH, "priorities");

/* ---- steps ---- */

static char *retry_text(struct arena *a, struct instant next_at, struct instant *until)
{
    *until = next_at;
    return arena_format(a, "the time of its next attempt");
}

static char *dependencies_text(struct arena *a, const struct saga *s, unsigned step)
{
    const struct step_set *after = &saga_spec(s, step)->after;
    for (unsigned i = 0; i < s->step_count; i++)
        if (step_set_has(after, saga_spec_index(s, i)) && !saga_step_over(s, i))
            return arena_format(a, "step %.*s", (int)saga_step_name(s, i).size, (const char *)saga_step_name(s, i).at);
    return EMPTY;
}

/* Why an OWED compensation does not run yet. That of a saga that goes forward waits for attempts that nothing was heard of, and for no other. */
static char *undo_text(struct arena *a, const struct saga *s, unsigned step, struct instant *until)
{
    bool early = saga_step_undone_early(s, step);
    if (!early && saga_call_is_out(s, SAGA_PHASE_ACTION))
        return arena_format(a, "the end of actions in flight");
    if (early || (s->timer.slot != 0 && s->timer.due.us == s->quiet_at.us)) {
        *until = s->quiet_at;
        return arena_format(a, "an action's attempt, which may still run");
    }
    return arena_format(a, "the undo of later steps");
}

/* What a step of a live saga waits for, or "". Sets *until where that is over by itself. */
static char *waiting_text(struct arena *a, const struct engine *e, const struct saga *s, unsigned index,
                          struct instant *until)
{
    const struct step *step = &s->steps[index];
    bool back = step->compensation != SAGA_COMPENSATION_NONE;
    bool over = back ? !saga_undo_open(step->compensation)
                     : step->action != SAGA_ACTION_PENDING && step->action != SAGA_ACTION_STARTED;
    const struct call_spec *call = saga_step_call(s, index, back ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION);
    bool forward = s->state == SAGA_RUNNING || (s->state == SAGA_STUCK && s->stuck_from == SAGA_RUNNING);
    if (saga_ended(s) || (!step->permitted && !back && !forward))
        return EMPTY;
    if (s->state == SAGA_STUCK && saga_step_stuck(s, index))
        return arena_format(a, "an operator");
    if (over)
        return EMPTY;
    if (step->permitted)
        return arena_format(a, "the answer of target %s", call->target);
    bool goes_on = step->queued || saga_step_waits(s, index); /* beside the stuck one */
    if (s->state == SAGA_STUCK && !goes_on)
        return arena_format(a, "an operator, for the stuck step");
    if (s->paused)
        return arena_format(a, "a resume of the saga");
    if (s->definition == NULL && !back)
        return arena_format(a, "its owner to settle it");
    if (step->queued)
        *until = engine_waits_until(e, s, index);
    if (step->queued && engine_target_absent(e, call))
        return arena_format(a, "target %s, which sagad.yaml does not name", call->target);
    if (step->queued && engine_target_down(e, (uint16_t)call->target_index))
        return arena_format(a, "target %s, which cannot be reached%s", call->target,
                            until->us == INSTANT_NEVER.us ? ", for as long as that takes" : "");
    const struct breaker_mark *breaker = step->queued ? engine_breaker(e, (uint16_t)call->target_index) : NULL;
    if (breaker != NULL && breaker->held)
        return arena_format(a, "target %s, whose breaker an operator holds open", call->target);
    if (breaker != NULL && breaker->open) {
        *until = breaker->open_until;
        return arena_format(a, "target %s, whose breaker is open, and lets few calls leave after that", call->target);
    }
    const char *priority = s->priority == PRIORITY_HIGH  ? ", at high priority"
                           : s->priority == PRIORITY_LOW ? ", at low priority"
                                                         : "";
    if (step->queued && engine_step_budgeted(step))
        return arena_format(a, "the budget of retries of target %s", call->target);
    if (step->queued && engine_target_rated(e, (uint16_t)call->target_index))
        return arena_format(a, "its turn among the calls to target %s, which leave at its rate%s", call->target,
                            priority);
    if (step->queued)
        return arena_format(a, "a free place among the calls to target %s%s", call->target, priority);
    if (back)
        return step->compensation == SAGA_COMPENSATION_STARTED
                   ? retry_text(a, instant_max(step->next_at, s->quiet_at), until)
                   : undo_text(a, s, index, until);
    if (step->action == SAGA_ACTION_STARTED)
        return retry_text(a, step->next_at, until);
    if (saga_spec(s, index)->deferred && !s->answered)
        return arena_format(a, "the steps that are not deferred");
    return dependencies_text(a, s, index);
}

/* The first of all that is shown as JSON of one saga: the rest is bytes alone. */
#define JSON_BYTES_MAX 65536

/* A message as JSON, or nothing when its type is not known, it has no such form, or the budget is used up. */
static void set_json(struct arena *a, char **field, const struct definition *d, const struct message_type *type,
                     struct bytes wire, size_t *budget)
{
    if (d == NULL || d->schema == NULL || type == NULL || wire.size > *budget)
        return;
    *budget -= wire.size;
    char *json = payload_write_json(a, d->schema, type, wire);
    *field = json == NULL ? EMPTY : json;
}

static void set_output_json(struct arena *a, Saga__V1__Step *m, const struct saga *s, unsigned index, size_t *budget)
{
    const struct method_type *called = s->definition == NULL ? NULL : saga_spec(s, index)->action.called;
    if (called != NULL)
        set_json(a, &m->output_json, s->definition, called->output, s->steps[index].output, budget);
}

static Saga__V1__Step *view_step(struct arena *a, const struct saga *s, const struct engine *engine, unsigned index,
                                 unsigned flags, size_t *budget)
{
    const struct step *step = &s->steps[index];
    Saga__V1__Step *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__step__init(m);
    m->action = (Saga__V1__ActionState)step->action;
    m->compensation = (Saga__V1__CompensationState)step->compensation;
    bool action_out = step->permitted && step->action == SAGA_ACTION_STARTED;
    m->action_attempts = step->action_attempts + action_out;
    m->compensation_attempts = step->compensation_attempts + (step->permitted && !action_out);
    if (!set_text(a, &m->name, saga_step_name(s, index)))
        return NULL;
    const struct call_spec *call = saga_step_call(
        s, index, step->compensation != SAGA_COMPENSATION_NONE ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION);
    if (call != NULL && call->target != NULL && !set_text(a, &m->target, bytes_of_text(call->target)))
        return NULL;
    struct instant until = INSTANT_NEVER;
    m->waiting_for = engine == NULL ? EMPTY : waiting_text(a, engine, s, index, &until);
    if (m->waiting_for == NULL || !set_time(a, &m->waits_until, until) ||
        ((flags & VIEW_PAYLOADS) != 0 && !set_bytes(a, &m->output, step->output)))
        return NULL;
    if ((flags & VIEW_JSON) != 0 && step->action == SAGA_ACTION_DONE)
        set_output_json(a, m, s, index, budget);
    return m;
}

static bool add_steps(struct arena *a, Saga__V1__Saga *m, const struct saga *s, const struct engine *engine,
                      unsigned flags, size_t *budget)
{
    m->steps = s->step_count == 0 ? NULL : arena_take(a, s->step_count * sizeof(*m->steps));
    m->n_steps = s->step_count;
    if (s->step_count > 0 && m->steps == NULL)
        return false;
    for (unsigned i = 0; i < s->step_count; i++)
        if ((m->steps[i] = view_step(a, s, engine, i, flags, budget)) == NULL)
            return false;
    return true;
}

/* ---- sagas ---- */

static Saga__V1__Lack *add_lack(struct arena *a, Saga__V1__Saga *m, uint8_t bit, struct bytes step,
                                struct instant as_of)
{
    Saga__V1__Lack *lack = arena_take(a, sizeof *lack);
    if (lack == NULL)
        return NULL;
    saga__v1__lack__init(lack);
    lack->kind = bit == LACK_MISSING    ? SAGA__V1__LACK_KIND__LACK_KIND_MISSING
                 : bit == LACK_FALLBACK ? SAGA__V1__LACK_KIND__LACK_KIND_FALLBACK
                 : bit == LACK_STALE    ? SAGA__V1__LACK_KIND__LACK_KIND_STALE
                                        : SAGA__V1__LACK_KIND__LACK_KIND_DEFERRED;
    m->lacks[m->n_lacks++] = lack;
    return set_text(a, &lack->step, step) && set_time(a, &lack->as_of, as_of) ? lack : NULL;
}

/* What a saga goes without, step by step. */
static bool add_lacks(struct arena *a, Saga__V1__Saga *m, const struct saga *s)
{
    if (saga_lacks(s) == 0)
        return true;
    m->lacks = arena_take(a, s->step_count * sizeof(*m->lacks));
    for (unsigned i = 0; m->lacks != NULL && i < s->step_count; i++) {
        uint8_t lacks = saga_step_lacks(s, i);
        struct instant as_of = lacks == LACK_STALE ? saga_step_as_of(s, i) : (struct instant){0};
        if (lacks != 0 && add_lack(a, m, lacks, saga_step_name(s, i), as_of) == NULL)
            return false;
    }
    return m->lacks != NULL;
}

/* The kinds alone, of a saga that has ended. */
static bool add_lack_kinds(struct arena *a, Saga__V1__Saga *m, uint8_t lacks)
{
    if (lacks == 0)
        return true;
    m->lacks = arena_take(a, 4 * sizeof(*m->lacks));
    for (uint8_t bit = 1; m->lacks != NULL && bit <= LACK_DEFERRED; bit = (uint8_t)(bit << 1))
        if ((lacks & bit) != 0 && add_lack(a, m, bit, bytes_of(NULL, 0), (struct instant){0}) == NULL)
            return false;
    return m->lacks != NULL;
}

Saga__V1__Saga *view_saga(struct arena *a, const struct saga *s, const struct engine *engine, unsigned flags)
{
    Saga__V1__Saga *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__saga__init(m);
    m->mode = (Saga__V1__SagaMode)s->mode;
    m->state = (Saga__V1__SagaState)s->state;
    m->paused = s->paused;
    m->skips = s->skips;
    m->synthetic = s->synthetic;
    m->pivot_started = !saga_ended(s) && saga_at_pivot(s);
    m->reason = (Saga__V1__Reason)s->reason;
    m->stuck_reason = (Saga__V1__Reason)s->stuck_reason;
    m->priority = (Saga__V1__Priority)s->priority;
    struct bytes none = bytes_of(NULL, 0);
    size_t budget = JSON_BYTES_MAX;
    bool ok =
        set_id(a, &m->id, s->id) && set_text(a, &m->definition, s->name) &&
        set_text(a, &m->version, s->definition == NULL ? none : bytes_of_text(s->definition->version)) &&
        set_text(a, &m->request_id, s->request_id) && set_text(a, &m->traceparent, s->traceparent) &&
        set_text(a, &m->reason_step,
                 s->reason_step == RECORD_NO_STEP || s->reason == 0 ? none : saga_step_name(s, s->reason_step)) &&
        set_text(a, &m->stuck_step,
                 s->state != SAGA_STUCK || s->stuck_step == RECORD_NO_STEP ? none : saga_step_name(s, s->stuck_step)) &&
        set_time(a, &m->started_at, s->started_at) && set_time(a, &m->ended_at, s->ended_at) &&
        set_time(a, &m->deadline, s->deadline) && set_text(a, &m->owner, s->owner) && view_add_tags(a, m, s->tags);
    if (ok && (flags & VIEW_PAYLOADS) != 0)
        ok = set_bytes(a, &m->input, s->input);
    if (ok && (flags & VIEW_JSON) != 0 && s->definition != NULL)
        set_json(a, &m->input_json, s->definition, s->definition->input, s->input, &budget);
    if (ok && (flags & VIEW_STEPS) != 0)
        ok = add_steps(a, m, s, engine, flags, &budget);
    m->answered = s->answered && !saga_ended(s);
    return ok && (s->definition == NULL || add_lacks(a, m, s)) ? m : NULL;
}

bool view_add_answer(struct arena *a, Saga__V1__Saga *m, const struct saga *s)
{
    size_t budget = JSON_BYTES_MAX;
    if (!set_bytes(a, &m->output, s->answer))
        return false;
    set_json(a, &m->output_json, s->definition, s->definition->output, s->answer, &budget);
    return true;
}

Saga__V1__Saga *view_ended(struct arena *a, const struct ended_row *row, const struct catalog *catalog)
{
    const struct definition *definition = catalog_by_number(catalog, row->definition);
    Saga__V1__Saga *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__saga__init(m);
    m->mode = (Saga__V1__SagaMode)row->mode;
    m->state = (Saga__V1__SagaState)row->state;
    m->reason = (Saga__V1__Reason)row->reason;
    m->skips = row->skips;
    m->synthetic = row->synthetic;
    bool ok = set_id(a, &m->id, row->saga) && set_text(a, &m->definition, row->name) &&
              set_text(a, &m->version, bytes_of_text(definition == NULL ? "" : definition->version)) &&
              set_text(a, &m->request_id, row->request_id) && set_text(a, &m->owner, row->owner) &&
              set_time(a, &m->started_at, row->started_at) && set_time(a, &m->ended_at, row->ended_at) &&
              add_lack_kinds(a, m, row->lacks);
    return ok ? m : NULL;
}

bool view_add_history(struct arena *a, Saga__V1__Saga *saga, const struct timeline *timeline)
{
    for (size_t i = 0; i < timeline->count; i++) {
        const struct record *r = &timeline->entries[i].record;
        if (r->type == RECORD_ENDED && r->saga_state == SAGA_RESOLVED &&
            (!set_text(a, &saga->resolved_by, r->actor) || !set_text(a, &saga->resolution, r->message)))
            return false;
        if (r->step >= saga->n_steps)
            continue;
        Saga__V1__Step *step = saga->steps[r->step];
        bool begins = r->type == RECORD_ENLISTED || r->type == RECORD_ACTION_STARTED;
        if (begins && step->started_at == NULL && !set_time(a, &step->started_at, r->at))
            return false;
        bool answer = r->type == RECORD_ACTION_FAILED || r->type == RECORD_ACTION_ENDED ||
                      r->type == RECORD_COMPENSATION_FAILED || r->type == RECORD_COMPENSATION_ENDED ||
                      r->type == RECORD_UNREACHED;
        if (!answer || r->status == 0)
            continue;
        step->last_status = r->status;
        if (!set_text(a, &step->last_message, r->message))
            return false;
    }
    return true;
}

bool view_add_tags(struct arena *a, Saga__V1__Saga *saga, struct bytes tags)
{
    struct bytes rest = tags, name, text;
    size_t count = 0;
    while (texts_next(&rest, &name, &text))
        count++;
    saga->tags = count == 0 ? NULL : arena_take(a, count * sizeof(*saga->tags));
    if (count > 0 && saga->tags == NULL)
        return false;
    for (rest = tags; texts_next(&rest, &name, &text);) {
        Saga__V1__Tag *tag = arena_take(a, sizeof *tag);
        if (tag == NULL)
            return false;
        saga__v1__tag__init(tag);
        if (!set_text(a, &tag->name, name) || !set_text(a, &tag->value, text))
            return false;
        saga->tags[saga->n_tags++] = tag;
    }
    return true;
}

/* What was said last of the end of a step's action before this record. */
static struct bytes said_before(const struct timeline *timeline, size_t index)
{
    uint16_t step = timeline->entries[index].record.step;
    while (index-- > 0) {
        const struct record *r = &timeline->entries[index].record;
        if (r->type == RECORD_ACTION_ENDED && r->step == step)
            return r->message;
    }
    return bytes_of(NULL, 0);
}

struct bytes view_step_name(const struct definition *d, struct bytes counts, unsigned step,
                            char name[STEP_NAME_BYTES_MAX + 1])
{
    struct step_place place;
    if (!definition_place(d, counts, step, &place))
        return bytes_of(NULL, 0);
    return bytes_of(name, definition_place_name(d, place, name));
}

bool view_add_outcome(struct arena *a, Saga__V1__Saga *saga, const struct timeline *timeline,
                      const struct definition *definition, unsigned flags)
{
    bool ok = true;
    char name[STEP_NAME_BYTES_MAX + 1];
    struct bytes counts = bytes_of(NULL, 0);
    for (size_t i = 0; ok && i < timeline->count; i++) {
        const struct record *r = &timeline->entries[i].record;
        if (r->type == RECORD_STARTED)
            counts = r->counts;
        size_t budget = JSON_BYTES_MAX;
        if (r->type == RECORD_TURNED_BACK) {
            struct bytes words =
                r->message.size > 0 || r->step == RECORD_NO_STEP ? r->message : said_before(timeline, i);
            ok = set_text(a, &saga->reason_message, words);
            if (ok && definition != NULL && saga->reason_step[0] == '\0')
                ok = set_text(a, &saga->reason_step, view_step_name(definition, counts, r->step, name));
        } else if (r->type == RECORD_ANSWERED || (r->type == RECORD_ENDED && r->saga_state == SAGA_COMMITTED)) {
            ok = (flags & VIEW_PAYLOADS) == 0 || set_bytes(a, &saga->output, r->output);
            if (ok && r->message.size > 0)
                ok = set_text(a, &saga->reason_message, r->message);
            if (ok && (flags & VIEW_JSON) != 0 && definition != NULL && r->message.size == 0)
                set_json(a, &saga->output_json, definition, definition->output, r->output, &budget);
        }
    }
    return ok;
}

/* ---- events ---- */

Saga__V1__Event *view_event(struct arena *a, const struct timeline_entry *entry, const struct view_names *names)
{
    const struct record *r = &entry->record;
    Saga__V1__Event *m = arena_take(a, sizeof *m);
    char *cursor = arena_take(a, POSITION_TEXT_SIZE);
    if (m == NULL || cursor == NULL)
        return NULL;
    saga__v1__event__init(m);
    position_format(entry->position, cursor);
    m->cursor = cursor;
    m->type = (Saga__V1__EventType)r->type;
    m->attempt = r->attempt;
    m->synthetic = r->synthetic;
    m->status = r->status;
    m->fault = (Saga__V1__FaultKind)r->fault;
    m->reason = (Saga__V1__Reason)r->reason;
    m->action = (Saga__V1__ActionState)r->action_state;
    m->compensation = (Saga__V1__CompensationState)r->compensation_state;
    switch (r->type) {
    case RECORD_STARTED:
        m->state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
        break;
    case RECORD_TURNED_BACK:
        m->state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING;
        break;
    case RECORD_STUCK:
        m->state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
        break;
    default:
        m->state = (Saga__V1__SagaState)r->saga_state;
    }
    bool ok = set_id(a, &m->saga_id, r->saga) && set_text(a, &m->step, names->step) &&
              set_text(a, &m->definition, names->definition) && set_text(a, &m->message, r->message) &&
              set_text(a, &m->actor, r->actor) && set_text(a, &m->identity, r->identity) &&
              set_time(a, &m->at, r->at) && set_time(a, &m->next_attempt_at, r->next_at) &&
              set_time(a, &m->as_of, r->given_at);
    return ok ? m : NULL;
}

Saga__V1__Definition *view_definition(struct arena *a, const struct catalog_entry *entry, bool with_source)
{
    const struct definition *d = entry->definition;
    Saga__V1__Definition *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__definition__init(m);
    m->n_steps = d->step_count;
    m->steps = arena_take(a, d->step_count * sizeof *m->steps);
    if (m->steps == NULL)
        return NULL;
    for (unsigned i = 0; i < d->step_count; i++)
        if (!set_text(a, &m->steps[i], bytes_of_text(d->steps[i].name)))
            return NULL;
    bool ok = set_text(a, &m->name, bytes_of_text(d->name)) && set_text(a, &m->version, bytes_of_text(d->version)) &&
              set_time(a, &m->registered_at, entry->registered_at);
    if (ok && with_source)
        ok = set_bytes(a, &m->source, d->source);
    if (ok && d->schema_hash != NULL)
        ok = set_text(a, &m->schema, bytes_of_text(d->schema_name)) &&
             set_text(a, &m->schema_hash, bytes_of_text(d->schema_hash)) &&
             set_text(a, &m->input, bytes_of_text(d->input_name));
    return ok ? m : NULL;
}
