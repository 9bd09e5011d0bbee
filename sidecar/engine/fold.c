/* fold.c - the only code that changes what is durable of a saga: it applies records, one by one, both when the engine decides and when
 * the journal is replayed. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/engine_inside.h"

/* ---- memory ---- */

static unsigned steps_of(const struct record *r, const struct definition *d)
{
    int total = d == NULL ? 0 : definition_step_total(d, r->counts);
    CHECK(total >= 0);
    return (unsigned)total;
}

/* Of a saga whose definition has loops: where its steps stand, and their names. */
static size_t places_size(const struct record *r, const struct definition *d)
{
    char name[STEP_NAME_BYTES_MAX + 1];
    struct step_place place;
    size_t size = sizeof(struct bytes); /* there is one at least, also of no steps */
    if (d == NULL || d->loop_count == 0)
        return 0;
    for (unsigned i = 0; definition_place(d, r->counts, i, &place); i++)
        size += sizeof(struct bytes) + sizeof place + definition_place_name(d, place, name);
    return size;
}

static size_t started_size(const struct record *r, const struct definition *d)
{
    return sizeof(struct saga) + steps_of(r, d) * sizeof(struct step) + places_size(r, d) + r->name.size +
           r->request_id.size + r->input.size + r->traceparent.size + r->tags.size + r->identity.size;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

size_t fold_block_size(const struct record *r, const struct definition *d)
{
    switch (r->type) {
    case RECORD_STARTED:
        return started_size(r, d);
    case RECORD_ENLISTED:
        return sizeof(struct enlisted) + r->step_name.size + 1 + text_size(r->call.target) + text_size(r->call.method) +
               r->call.constant.size;
    case RECORD_ACTION_ENDED:
    case RECORD_ANSWERED:
        return r->output.size;
    default:
        return 0;
    }
}

/* Copies bytes to *at and moves it on. */
static struct bytes place(uint8_t **at, struct bytes from)
{
    uint8_t *to = *at;
    if (from.size > 0)
        memcpy(to, from.at, from.size);
    *at += from.size;
    return bytes_of(to, from.size);
}

int fold_reserve_steps(struct engine *e, struct saga *s, unsigned more)
{
    unsigned wanted = s->step_count + more;
    if (wanted <= s->step_room)
        return 0;
    unsigned room = s->step_room == 0 ? 4 : s->step_room * 2u;
    if (room < wanted)
        room = wanted;
    struct step *steps = memory_take(&e->memory, room * sizeof(struct step));
    if (steps == NULL)
        return E_MEMORY;
    for (unsigned i = 0; i < s->step_count; i++)
        CHECK(!s->steps[i].queued); /* a queue would point to where it was */
    if (s->step_count > 0)
        memcpy(steps, s->steps, s->step_count * sizeof(struct step));
    memory_give_back(&e->memory, s->steps, s->step_room * sizeof(struct step));
    s->steps = steps;
    s->step_room = (uint16_t)room;
    return 0;
}

void fold_free(struct engine *e, struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++) {
        struct step *step = &s->steps[i];
        memory_give_back(&e->memory, (void *)(uintptr_t)step->output.at, step->output.size);
        typed_forget(e, step);
        if (step->enlisted != NULL)
            memory_give_back(&e->memory, step->enlisted, step->enlisted->block_size);
    }
    if (s->mode == SAGA_ENLISTED)
        memory_give_back(&e->memory, s->steps, s->step_room * sizeof(struct step));
    memory_give_back(&e->memory, (void *)(uintptr_t)s->answer.at, s->answer.size);
    memory_give_back(&e->memory, s, s->block_size);
}

/* Counts a saga that is so, or (by -1) that is so no more. */
static void count(struct engine *e, const struct saga *s, uint8_t state, bool paused, bool answered, int by)
{
    const uint32_t one = (uint32_t)by;
    const struct saga_counts more = {
        .stuck = state == SAGA_STUCK ? one : 0,
        .compensating = state == SAGA_COMPENSATING ? one : 0,
        .paused = paused ? one : 0,
        .answered = answered && (state == SAGA_RUNNING || state == SAGA_COMPENSATING || state == SAGA_STUCK) ? one : 0};
    e->counts.stuck += more.stuck;
    e->counts.compensating += more.compensating;
    e->counts.paused += more.paused;
    e->counts.answered += more.answered;
    if (!s->synthetic)
        return;
    e->counts.synthetic.stuck += more.stuck;
    e->counts.synthetic.compensating += more.compensating;
    e->counts.synthetic.paused += more.paused;
    e->counts.synthetic.answered += more.answered;
}

void fold_forget(struct engine *e, struct saga *s)
{
    timers_set(&e->timers, &s->timer, INSTANT_NEVER);
    count(e, s, s->state, s->paused, s->answered, -1);
    if (!saga_ended(s) && families_of(e, s->definition) != NULL)
        admission_forget(&families_of(e, s->definition)->admission);
    registry_remove(e, s);
    fold_free(e, s);
}

/* ---- the fold ---- */

static void init_step(struct saga *s, unsigned step)
{
    memset(&s->steps[step], 0, sizeof s->steps[step]);
    s->steps[step].saga = s;
    s->steps[step].action = SAGA_ACTION_PENDING;
    s->steps[step].compensation = SAGA_COMPENSATION_NONE;
    s->steps[step].next_at = INSTANT_NEVER;
}

static void set_places(struct saga *s, const struct record *r, uint8_t **at)
{
    char name[STEP_NAME_BYTES_MAX + 1];
    struct bytes *names = (struct bytes *)(void *)*at;
    struct step_place *places = (struct step_place *)(void *)(names + s->step_count + 1);
    *at = (uint8_t *)(places + s->step_count);
    for (unsigned i = 0; i < s->step_count; i++) {
        CHECK(definition_place(s->definition, r->counts, i, &places[i]));
        names[i] = place(at, bytes_of(name, definition_place_name(s->definition, places[i], name)));
    }
    s->names = names;
    s->places = places;
}

static struct saga *started(struct engine *e, const struct record *r, const struct definition *d, void *block)
{
    struct saga *s = block;
    memset(s, 0, sizeof *s);
    s->id = r->saga;
    s->mode = r->mode;
    s->synthetic = r->synthetic;
    s->definition = d;
    s->state = SAGA_RUNNING;
    s->fingerprint = r->fingerprint;
    s->started_at = r->at;
    s->deadline = r->deadline;
    s->lease = r->lease;
    s->priority = r->priority != 0 ? r->priority : d != NULL && d->priority != 0 ? d->priority : PRIORITY_NORMAL;
    s->lease_until = r->mode == SAGA_ENLISTED ? instant_after(r->at, r->lease) : INSTANT_NEVER;
    s->reason_step = s->stuck_step = RECORD_NO_STEP;
    s->timer.subject = TIMER_OF_SAGA;

    uint8_t *at = (uint8_t *)(s + 1);
    s->step_count = s->step_room = (uint16_t)steps_of(r, d);
    s->steps = s->step_count == 0 ? NULL : (struct step *)(void *)at;
    for (unsigned i = 0; i < s->step_count; i++)
        init_step(s, i);
    at += s->step_count * sizeof(struct step);
    if (d != NULL && d->loop_count > 0)
        set_places(s, r, &at);
    s->name = place(&at, r->name);
    s->request_id = place(&at, r->request_id);
    s->input = place(&at, r->input);
    s->traceparent = place(&at, r->traceparent);
    s->tags = place(&at, r->tags);
    s->owner = place(&at, r->identity);
    s->block_size = (size_t)(at - (uint8_t *)block);
    registry_add(e, s);
    struct family *family = families_of(e, d);
    if (family != NULL)
        admission_live(&family->admission);
    if (r->saga.serial > e->serial)
        e->serial = r->saga.serial;
    return s;
}

static const char *place_text(uint8_t **at, const char *text)
{
    return (const char *)place(at, bytes_of(text, text_size(text))).at;
}

static void enlisted(struct engine *e, struct saga *s, const struct record *r, void *block)
{
    CHECK(s->step_count < s->step_room);
    unsigned index = s->step_count++;
    init_step(s, index);
    struct step *step = &s->steps[index];
    struct enlisted *own = block;
    step->enlisted = own;
    own->call = r->call;

    uint8_t *at = (uint8_t *)(own + 1);
    own->name = (const char *)at;
    own->name_size = r->step_name.size;
    place(&at, r->step_name);
    *at++ = '\0';
    if (r->call.target != NULL) {
        own->call.target = place_text(&at, r->call.target);
        own->call.method = place_text(&at, r->call.method);
        own->call.target_index = target_index(e, own->call.target);
    }
    own->call.constant = place(&at, r->call.constant);
    own->block_size = (size_t)(at - (uint8_t *)block);
    step->action = SAGA_ACTION_STARTED;
    step->first_at = r->at;
    step->order = ++s->order_last;
}

static void owe(struct saga *s, unsigned index)
{
    struct step *step = &s->steps[index];
    if (DEFECT(UNKNOWN_NOT_OWED) && step->action == SAGA_ACTION_UNKNOWN)
        return;
    if (step->compensation == SAGA_COMPENSATION_NONE &&
        saga_undo_owed(step->action, saga_step_has_compensation(s, index)))
        step->compensation = SAGA_COMPENSATION_OWED;
}

static void action_ended(struct engine *e, struct saga *s, const struct record *r, void *block)
{
    struct step *step = &s->steps[r->step];
    if (step->action == SAGA_ACTION_PENDING)
        step->order = ++s->order_last; /* nobody was asked */
    step->action = r->action_state;
    step->permitted = false;
    step->action_attempts = r->attempt;
    step->next_at = INSTANT_NEVER;
    step->output_is_request = r->output_is_request;
    if (r->given_at.us != 0)
        step->given_at = r->given_at;
    step->maybe_executed |= r->action_state == SAGA_ACTION_UNKNOWN;
    s->quiet_at = instant_max(s->quiet_at, r->quiet_at);
    memory_give_back(&e->memory, (void *)(uintptr_t)step->output.at, step->output.size);
    step->output = bytes_of(NULL, 0);
    if (r->output.size > 0) {
        uint8_t *at = block;
        step->output = place(&at, r->output);
    }
    bool back = s->state == SAGA_COMPENSATING || (s->state == SAGA_STUCK && s->stuck_from == SAGA_COMPENSATING);
    /* What is unknown is never passed over. */
    bool yields = s->definition != NULL && step_spec_yields(saga_spec(s, r->step));
    if (back || (yields && r->action_state == SAGA_ACTION_UNKNOWN))
        owe(s, r->step);
}

static void turned_back(struct saga *s, const struct record *r)
{
    s->state = SAGA_COMPENSATING;
    s->reason = r->reason;
    s->reason_step = r->step;
    s->quiet_at = instant_max(s->quiet_at, r->quiet_at);
    for (unsigned i = 0; i < s->step_count; i++) {
        /* What a person had tried anew, and has not been. */
        if (s->steps[i].action == SAGA_ACTION_PENDING && s->steps[i].maybe_executed)
            s->steps[i].action = SAGA_ACTION_UNKNOWN;
        owe(s, i);
    }
}

static void set_stuck(struct saga *s, const struct record *r)
{
    s->stuck_from = s->state;
    s->state = SAGA_STUCK;
    s->stuck_reason = r->reason;
    s->stuck_step = r->step;
}

static void leave_stuck(struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++)
        if (saga_step_stuck(s, i)) {
            /* Another branch failed, too: it is what the saga is stuck on now. */
            if (!saga_step_stuck(s, s->stuck_step) && !DEFECT(STUCK_ON_WHAT_WAS))
                s->stuck_step = (uint16_t)i;
            return;
        }
    s->state = s->stuck_from;
    s->stuck_from = 0;
    s->stuck_reason = REASON_NONE;
    s->stuck_step = RECORD_NO_STEP;
}

static void retried(struct saga *s, const struct record *r)
{
    struct step *step = &s->steps[r->step];
    if (!saga_step_stuck(s, r->step)) {
        step->next_at = r->at;
        return;
    }
    if (step->compensation == SAGA_COMPENSATION_FAILED) {
        step->compensation = SAGA_COMPENSATION_OWED;
        step->compensation_attempts = 0;
    } else {
        /* A refusal that the participant remembers under the old key would be repeated for ever; it changed nothing, so a new key
         * cannot make anything happen twice. What may have happened keeps its key. */
        if (step->action == SAGA_ACTION_REJECTED) {
            step->generation++;
            step->first_at = (struct instant){0};
            step->action_digest = 0; /* another key may be sent another request */
        }
        step->action = SAGA_ACTION_PENDING;
        step->action_attempts = 0;
    }
    leave_stuck(s);
}

/* A person's word, in place of the answer that never came. */
static void rejected(struct saga *s, const struct record *r)
{
    struct step *step = &s->steps[r->step];
    step->action = SAGA_ACTION_REJECTED;
    step->maybe_executed = false;
    if (step_spec_yields(saga_spec(s, r->step))) {
        step->compensation = SAGA_COMPENSATION_NONE; /* nothing is left to undo, and the saga goes on */
        leave_stuck(s);
        return;
    }
    if (saga_past_pivot(s))
        return; /* there is no way back: it stays stuck, and a retry of it is another action */
    if (r->maybe_executed) {
        s->stuck_step = (uint16_t)saga_pivot_unknown(s, r->step);
        return;
    }
    s->stuck_from = 0;
    s->stuck_reason = REASON_NONE;
    s->stuck_step = RECORD_NO_STEP;
    s->state = SAGA_COMPENSATING;
    s->reason = REASON_ACTION_REJECTED;
    s->reason_step = r->step;
    for (unsigned i = 0; i < s->step_count; i++)
        owe(s, i);
}

static void skipped(struct saga *s, unsigned index)
{
    struct step *step = &s->steps[index];
    bool stuck = saga_step_stuck(s, index);
    s->skips++;
    if (step->order == 0)
        step->order = ++s->order_last; /* nobody was asked */
    if (step->compensation != SAGA_COMPENSATION_NONE)
        step->compensation = SAGA_COMPENSATION_SKIPPED;
    else
        step->action = SAGA_ACTION_SKIPPED;
    if (stuck)
        leave_stuck(s);
}

static void ended(struct engine *e, struct saga *s, const struct record *r)
{
    s->paused = false;
    s->state = r->saga_state;
    s->ended_at = r->at;
    admission_note_end(&e->all, r->at);
    struct family *family = families_of(e, s->definition);
    if (family != NULL)
        admission_end(&family->admission, r->at);
}

static void apply(struct engine *e, struct saga *s, const struct record *r, void *block)
{
    switch (r->type) {
    case RECORD_ENLISTED:
        enlisted(e, s, r, block);
        break;
    case RECORD_ACTION_STARTED:
        if (s->steps[r->step].action != SAGA_ACTION_STARTED)
            s->steps[r->step].order = ++s->order_last;
        if (s->steps[r->step].first_at.us == 0)
            s->steps[r->step].first_at = r->at;
        s->steps[r->step].action = SAGA_ACTION_STARTED;
        s->steps[r->step].permitted = true;
        s->steps[r->step].choice = r->choice;
        if (s->steps[r->step].action_digest == 0)
            s->steps[r->step].action_digest = r->digest;
        break;
    case RECORD_ACTION_FAILED:
        s->steps[r->step].permitted = false;
        s->steps[r->step].action_attempts = r->attempt;
        s->steps[r->step].maybe_executed |= r->maybe_executed;
        s->steps[r->step].next_at = r->next_at;
        s->quiet_at = instant_max(s->quiet_at, r->quiet_at);
        break;
    case RECORD_ACTION_ENDED:
        action_ended(e, s, r, block);
        break;
    case RECORD_TURNED_BACK:
        turned_back(s, r);
        break;
    case RECORD_UNREACHED:
        s->steps[r->step].permitted = false;
        s->steps[r->step].next_at = r->next_at.us == 0 ? r->at : r->next_at;
        break;
    case RECORD_COMPENSATION_STARTED:
        s->steps[r->step].compensation = SAGA_COMPENSATION_STARTED;
        s->steps[r->step].permitted = true;
        if (s->steps[r->step].undo_digest == 0)
            s->steps[r->step].undo_digest = r->digest;
        break;
    case RECORD_COMPENSATION_FAILED:
        s->steps[r->step].permitted = false;
        s->steps[r->step].compensation_attempts = r->attempt;
        s->steps[r->step].next_at = r->next_at;
        break;
    case RECORD_COMPENSATION_ENDED:
        s->steps[r->step].permitted = false;
        s->steps[r->step].compensation = r->compensation_state;
        s->steps[r->step].compensation_attempts = r->attempt;
        s->steps[r->step].next_at = INSTANT_NEVER;
        break;
    case RECORD_ANSWERED:
        s->answered = true;
        if (r->output.size > 0) {
            uint8_t *at = block;
            s->answer = place(&at, r->output);
        }
        break;
    case RECORD_STUCK:
        set_stuck(s, r);
        break;
    case RECORD_ENDED:
        ended(e, s, r);
        break;
    case RECORD_PAUSED:
        s->paused = true;
        break;
    case RECORD_RESUMED:
        s->paused = false;
        break;
    case RECORD_RETRIED:
        retried(s, r);
        break;
    case RECORD_REJECTED:
        rejected(s, r);
        break;
    case RECORD_SKIPPED:
        skipped(s, r->step);
        break;
    default:
        CHECK(!"a record type that the engine knows");
    }
}

struct saga *fold_apply(struct engine *e, struct saga *s, const struct record *r, const struct definition *d,
                        void *block)
{
    if (r->type == RECORD_STARTED)
        return started(e, r, d, block); /* it runs, so it is in none of the counts */
    uint8_t state = s->state;
    bool paused = s->paused, answered = s->answered;
    apply(e, s, r, block);
    if (s->state != state || s->paused != paused || s->answered != answered) {
        count(e, s, state, paused, answered, -1);
        count(e, s, s->state, s->paused, s->answered, 1);
    }
    return s;
}

/* ---- what may follow what: a journal is read from a disk ---- */

static int refuse(struct error_detail *detail, const struct record *r, const char *why)
{
    char id[SAGA_ID_TEXT_SIZE];
    saga_id_format(r->saga, id);
    error_set(detail, E_JOURNAL_CORRUPT, "", "saga ");
    error_append(detail, id);
    error_append(detail, ": ");
    error_append(detail, why);
    return E_JOURNAL_CORRUPT;
}

/* Whether a step may end although no attempt of it is permitted: an expression of its definition decided that, it waited for too long or does not wait,
 * or it stands in for another and is not needed, or is done by what the definition says. */
static bool asks_nobody(const struct saga *s, const struct step *step, const struct record *r)
{
    if (s->definition == NULL || step->permitted)
        return false;
    const struct step_spec *spec = saga_spec(s, r->step);
    if (r->type == RECORD_ACTION_ENDED) {
        bool turned_away = r->status == CODE_RESOURCE_EXHAUSTED || r->status == CODE_DEADLINE_EXCEEDED ||
                           (spec->in_haste && r->status == CODE_UNAVAILABLE);
        bool last_good = spec->stand_in == STAND_IN_LAST_GOOD;
        bool allowed =
            r->action_state == SAGA_ACTION_DONE
                ? !step_spec_asks(spec) && step->action == SAGA_ACTION_PENDING && last_good == (r->given_at.us != 0)
                : s->definition->mapping != NULL || turned_away || spec->stand_in != STAND_IN_NONE;
        return s->state == SAGA_RUNNING && allowed;
    }
    return s->definition->mapping != NULL && r->compensation_state == SAGA_COMPENSATION_FAILED &&
           saga_undo_open(step->compensation) && step->compensation != SAGA_COMPENSATION_FAILED;
}

/* Whether the target that an attempt goes to is one of its step's, and that of the attempts before it. */
static bool choice_fits(const struct saga *s, const struct record *r)
{
    unsigned before = s->steps[r->step].choice, count = saga_spec(s, r->step)->choice_count;
    return before != 0 ? r->choice == before : r->choice <= count && (r->choice != 0) == (count != 0);
}

static bool step_in_state(const struct saga *s, const struct record *r)
{
    const struct step *step = &s->steps[r->step];
    bool orchestrated = s->mode == SAGA_ORCHESTRATED;
    switch (r->type) {
    case RECORD_ACTION_STARTED:
        return orchestrated && s->state == SAGA_RUNNING && !step->permitted && choice_fits(s, r) &&
               (step->action == SAGA_ACTION_PENDING || step->action == SAGA_ACTION_STARTED);
    case RECORD_ACTION_FAILED:
        return orchestrated && step->action == SAGA_ACTION_STARTED && step->permitted;
    case RECORD_ACTION_ENDED:
        return (step->action == SAGA_ACTION_STARTED && r->given_at.us == 0) ||
               (asks_nobody(s, step, r) && step->action == SAGA_ACTION_PENDING);
    case RECORD_COMPENSATION_STARTED:
        return (saga_undoing(s) || saga_step_undone_early(s, r->step)) && !step->permitted &&
               step->action != SAGA_ACTION_STARTED &&
               (step->compensation == SAGA_COMPENSATION_OWED || step->compensation == SAGA_COMPENSATION_STARTED);
    case RECORD_COMPENSATION_FAILED:
        return step->compensation == SAGA_COMPENSATION_STARTED && step->permitted;
    case RECORD_UNREACHED:
        return step->permitted;
    case RECORD_COMPENSATION_ENDED:
        return (step->compensation == SAGA_COMPENSATION_STARTED && step->permitted) || asks_nobody(s, step, r);
    case RECORD_RETRIED:
        return saga_step_stuck(s, r->step) || saga_step_waits(s, r->step);
    case RECORD_SKIPPED:
        return saga_step_stuck(s, r->step) || saga_step_must_be_made(s, r->step);
    case RECORD_REJECTED:
        return saga_step_stuck(s, r->step) && s->stuck_from == SAGA_RUNNING && step->action == SAGA_ACTION_UNKNOWN &&
               (!r->maybe_executed || saga_pivot_unknown(s, r->step) >= 0);
    default:
        return true;
    }
}

static bool saga_in_state(const struct saga *s, const struct record *r)
{
    switch (r->type) {
    case RECORD_ENLISTED:
        return s->mode == SAGA_ENLISTED && s->state == SAGA_RUNNING && s->step_count < STEPS_LIMIT;
    case RECORD_TURNED_BACK:
        return s->state == SAGA_RUNNING;
    case RECORD_ANSWERED:
        return s->state == SAGA_RUNNING && s->definition != NULL && !s->answered;
    case RECORD_STUCK: /* an enlisted one is stuck on its way back alone */
        return (s->state == SAGA_RUNNING && s->definition != NULL) || s->state == SAGA_COMPENSATING;
    case RECORD_PAUSED:
        return !s->paused;
    case RECORD_RESUMED:
        return s->paused;
    case RECORD_ENDED:
        return (r->saga_state == SAGA_COMMITTED && s->state == SAGA_RUNNING) ||
               (r->saga_state == SAGA_COMPENSATED && s->state == SAGA_COMPENSATING) ||
               (r->saga_state == SAGA_RESOLVED && s->state == SAGA_STUCK);
    default:
        return true;
    }
}

/* Whether the record's own fields can be what an engine wrote. */
static bool is_whole(const struct record *r)
{
    switch (r->type) {
    case RECORD_ACTION_ENDED:
        return r->action_state == SAGA_ACTION_DONE || r->action_state == SAGA_ACTION_REJECTED ||
               r->action_state == SAGA_ACTION_UNKNOWN || r->action_state == SAGA_ACTION_SKIPPED;
    case RECORD_COMPENSATION_ENDED:
        return r->compensation_state == SAGA_COMPENSATION_DONE || r->compensation_state == SAGA_COMPENSATION_FAILED;
    case RECORD_TURNED_BACK:
    case RECORD_STUCK:
        return r->reason != REASON_NONE;
    default:
        return true;
    }
}

static bool has_step(uint8_t type)
{
    return type == RECORD_ACTION_STARTED || type == RECORD_ACTION_FAILED || type == RECORD_ACTION_ENDED ||
           type == RECORD_COMPENSATION_STARTED || type == RECORD_COMPENSATION_FAILED ||
           type == RECORD_COMPENSATION_ENDED || type == RECORD_UNREACHED || type == RECORD_RETRIED ||
           type == RECORD_SKIPPED || type == RECORD_REJECTED;
}

void fold_check_own(const struct record *r)
{
    CHECK(r->type > 0 && r->type < RECORD_TYPE_COUNT && r->type != RECORD_MOVED);
    CHECK(r->saga.serial != 0);
    CHECK(r->step != RECORD_NO_STEP || !has_step(r->type));
    CHECK(r->message.size <= MESSAGE_BYTES_MAX && r->actor.size <= ACTOR_BYTES_MAX &&
          r->identity.size <= IDENTITY_BYTES_MAX);
    CHECK(is_whole(r));
}

int fold_check(const struct engine *e, const struct saga *s, const struct record *r, const struct definition *d,
               struct error_detail *detail)
{
    if (r->type == RECORD_STARTED) {
        if (s != NULL)
            return refuse(detail, r, "it starts twice");
        if (r->mode == SAGA_ORCHESTRATED ? d == NULL : d != NULL)
            return refuse(detail, r, "its definition is missing");
        if (d == NULL ? r->counts.size > 0 : definition_step_total(d, r->counts) < 0)
            return refuse(detail, r, "its loops are not those of its definition");
        if (e->counts.live >= e->options.live_sagas_max)
            return error_set(detail, E_LIVE_SAGAS, "",
                             "the journal holds more unfinished sagas than live_sagas_max; raise it in sagad.yaml");
        return 0;
    }
    if (s == NULL && r->type == RECORD_MOVED)
        return 0;
    if (s == NULL)
        return refuse(detail, r, "it goes on without having started");
    if (!saga_id_equal(s->id, r->saga))
        return refuse(detail, r, "two sagas share a serial");
    if (saga_ended(s))
        return refuse(detail, r, "it goes on after its end");
    if (has_step(r->type) && (r->step >= s->step_count || !step_in_state(s, r)))
        return refuse(detail, r, "a record does not fit the state of its step");
    if (r->step != RECORD_NO_STEP && r->step >= s->step_count && r->type != RECORD_ENLISTED)
        return refuse(detail, r, "a record names a step that the saga does not have");
    if (!is_whole(r))
        return refuse(detail, r, "a record does not say what it is about");
    if (!saga_in_state(s, r))
        return refuse(detail, r, "a record does not fit the state of the saga");
    return 0;
}
