/* typed.c - sagas whose definition knows its messages: what it requires, which steps it needs, what its calls are sent. All of it is computed from what
 * is durable, and what follows from it is recorded, so that a replay never computes it again. */
#include "sidecar/base/fnv.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/engine_inside.h"
#include "sidecar/mapping/mapping.h"

static struct mapping_step view_of_step(const struct saga *s, unsigned index)
{
    static const uint8_t outcomes[] = {
        [SAGA_ACTION_PENDING] = OUTCOME_OPEN,    [SAGA_ACTION_STARTED] = OUTCOME_OPEN,
        [SAGA_ACTION_DONE] = OUTCOME_DONE,       [SAGA_ACTION_REJECTED] = OUTCOME_REJECTED,
        [SAGA_ACTION_UNKNOWN] = OUTCOME_UNKNOWN, [SAGA_ACTION_SKIPPED] = OUTCOME_SKIPPED,
    };
    const struct step *step = &s->steps[index];
    bool hidden = DEFECT(UNDO_SEES_NO_OUTPUT) && step->compensation != SAGA_COMPENSATION_NONE;
    unsigned from = step->action == SAGA_ACTION_DONE ? index : saga_output_of(s, index);
    return (struct mapping_step){.outcome = hidden ? OUTCOME_UNKNOWN : outcomes[step->action],
                                 .output = from == RECORD_NO_STEP ? bytes_of(NULL, 0) : s->steps[from].output,
                                 .stood_in_by =
                                     from == index || from == RECORD_NO_STEP ? 0 : (uint16_t)saga_spec_index(s, from),
                                 .generation = step->generation};
}

static struct mapping_step view_step(const void *saga, unsigned spec, unsigned instance)
{
    const struct saga *s = saga;
    return view_of_step(s, saga_first_of(s, spec) + instance);
}

static unsigned view_count(const void *saga, unsigned spec)
{
    const struct saga *s = saga;
    unsigned first = saga_first_of(s, spec), end = first;
    while (end < s->step_count && saga_spec_index(s, end) == spec)
        end++;
    return end - first;
}

/* As expressions of this step see it; RECORD_NO_STEP: of none. */
static struct mapping_view view_of(const struct saga *s, unsigned step)
{
    return (struct mapping_view){.id = s->id,
                                 .started_at = s->started_at,
                                 .input = s->input,
                                 .tags = s->tags,
                                 .saga = s,
                                 .instance =
                                     s->places == NULL || step == RECORD_NO_STEP ? -1 : s->places[step].instance,
                                 .step = view_step,
                                 .count = view_count};
}

/* How many instances its loops have, which together with the other steps are no more than a saga may have. */
static int count_loops(const struct turn *t, const struct definition *d, const struct mapping_view *view,
                       struct bytes *counts, struct error_detail *detail)
{
    int code = mapping_counts(d->mapping, view, &t->engine->scratch, counts, detail);
    if (code != 0)
        return code;
    int total = definition_step_total(d, *counts);
    if (total < 0 || (unsigned)total > t->engine->options.steps_max)
        return error_set(detail, E_STEPS, "input",
                         "its loops have more instances than a saga may have steps (steps_max)");
    for (unsigned i = 0; i < (unsigned)total; i++) {
        struct step_place place;
        CHECK(definition_place(d, *counts, i, &place));
        if (d->pivot_step == (int)place.step)
            return 0;
    }
    return d->pivot_step < 0 ? 0 : error_set(detail, E_REQUIRED, "input", "the pivot's list has no items");
}

int typed_start(const struct turn *t, const struct event *event, struct bytes *tags, struct bytes *counts,
                struct error_detail *detail)
{
    const struct mapping *m = event->definition->mapping;
    if (m == NULL)
        return 0;
    struct mapping_view view = {.id = {.tag = t->engine->options.tag, .serial = t->engine->serial + 1},
                                .started_at = t->now,
                                .input = event->input,
                                .instance = -1};
    int code = DEFECT(REQUIREMENT_IGNORED) ? 0 : mapping_require(m, &view, &t->engine->scratch, detail);
    if (code == 0 && event->definition->tagged && !DEFECT(TAGS_FORGOTTEN))
        code = mapping_tags(m, &view, &t->engine->scratch, tags, detail);
    if (code == 0 && event->definition->loop_count > 0)
        code = count_loops(t, event->definition, &view, counts, detail);
    return code;
}

static struct bytes sentence(const struct error_detail *detail)
{
    size_t size = strlen(detail->text);
    return bytes_of(detail->text, size < MESSAGE_BYTES_MAX ? size : MESSAGE_BYTES_MAX);
}

/* An action that is not asked for, or not again: nobody was called. */
static void end_action(const struct turn *t, struct saga *s, unsigned index, uint8_t state, struct bytes message)
{
    struct record r = advance_record(t, s, RECORD_ACTION_ENDED, index);
    r.attempt = s->steps[index].action_attempts;
    r.action_state = state;
    r.status = state == SAGA_ACTION_SKIPPED ? CODE_OK : CODE_INVALID_ARGUMENT;
    r.message = message;
    advance_emit(t, s, &r);
}

/* What an action that cannot be asked for has come to: an earlier attempt may have been executed. */
static uint8_t outcome_of(const struct step *step)
{
    return step->maybe_executed ? SAGA_ACTION_UNKNOWN : SAGA_ACTION_REJECTED;
}

int typed_when(const struct turn *t, struct saga *s, unsigned index)
{
    const struct mapping *m = s->definition->mapping;
    struct error_detail detail;
    if (m == NULL || DEFECT(CONDITION_IGNORED))
        return 1;
    struct mapping_view view = view_of(s, index);
    int needed = mapping_when(m, &view, saga_spec_index(s, index), &t->engine->scratch, &detail);
    if (needed == 1)
        return 1;
    if (needed == 0) {
        end_action(t, s, index, SAGA_ACTION_SKIPPED, bytes_of_text("its condition does not hold"));
        return 0;
    }
    end_action(t, s, index, outcome_of(&s->steps[index]), sentence(&detail));
    advance_action_failed(t, s, index, REASON_EXPRESSION_FAILED);
    return TYPED_FAILED;
}

/* The place of a name among the step's targets, from 1; 0: it is none of them. */
static uint8_t choice_of(const struct step_spec *spec, struct bytes name)
{
    for (unsigned k = 0; k < spec->choice_count; k++)
        if (bytes_equal(bytes_of_text(spec->choices[k].name), name))
            return (uint8_t)(k + 1);
    return 0;
}

int typed_choose(const struct turn *t, struct saga *s, unsigned index)
{
    const struct mapping *m = s->definition->mapping;
    const struct step_spec *spec = saga_spec(s, index);
    struct step *step = &s->steps[index];
    if (spec->choice_count == 0 || step->choice != 0)
        return 0;
    if (m == NULL || DEFECT(CHOICE_IGNORED)) {
        step->choosing = 1;
        return 0;
    }
    struct mapping_view view = view_of(s, index);
    struct pool_mark mark = pool_mark(&t->engine->scratch);
    struct error_detail detail;
    struct bytes name;
    int code = mapping_target(m, &view, saga_spec_index(s, index), &t->engine->scratch, &name, &detail);
    step->choosing = code == 0 ? choice_of(spec, name) : 0;
    if (code == 0 && step->choosing == 0)
        error_set(&detail, E_EXPRESSION, NULL, "the target that `by` gives is none of oneof");
    pool_rewind(&t->engine->scratch, mark);
    if (step->choosing != 0)
        return 0;
    end_action(t, s, index, outcome_of(step), sentence(&detail));
    advance_action_failed(t, s, index, REASON_EXPRESSION_FAILED);
    return TYPED_FAILED;
}

/* A saga whose step is about to be DONE with this output. */
struct answered {
    const struct saga *saga;
    unsigned step;
    struct bytes output;
};

static struct mapping_step view_answered(const void *saga, unsigned spec, unsigned instance)
{
    const struct answered *a = saga;
    unsigned index = saga_first_of(a->saga, spec) + instance;
    struct mapping_step step = view_of_step(a->saga, index);
    if (index == a->step) {
        step.outcome = OUTCOME_DONE;
        step.output = a->output;
    }
    return step;
}

static unsigned view_answered_count(const void *saga, unsigned spec)
{
    return view_count(((const struct answered *)saga)->saga, spec);
}

int typed_expect(const struct turn *t, const struct saga *s, unsigned index, struct bytes output,
                 struct typed_verdict *verdict)
{
    const struct mapping *m = s->definition->mapping;
    verdict->met = EXPECT_MET;
    verdict->detail.text[0] = '\0';
    if (m == NULL || DEFECT(EXPECTATION_IGNORED))
        return 0;
    struct answered answered = {.saga = s, .step = index, .output = output};
    struct mapping_view view = view_of(s, index);
    view.saga = &answered;
    view.step = view_answered;
    view.count = view_answered_count;
    bool undone = false;
    int code = mapping_expect(m, &view, saga_spec_index(s, index), &t->engine->scratch, &undone, &verdict->detail);
    if (code < 0 && code != E_EXPRESSION)
        return code;
    if (code != 1)
        verdict->met = code < 0 ? EXPECT_UNCLEAR : undone ? EXPECT_UNDONE : EXPECT_REFUSED;
    verdict->words = sentence(&verdict->detail);
    return 0;
}

static void request_failed(const struct turn *t, struct saga *s, unsigned index, uint8_t phase, uint8_t reason,
                           struct bytes message)
{
    if (phase == SAGA_PHASE_ACTION) {
        end_action(t, s, index, outcome_of(&s->steps[index]), message);
        if (reason == REASON_REQUEST_CHANGED && !step_spec_yields(saga_spec(s, index)))
            advance_stuck(t, s, reason, index);
        else
            advance_action_failed(t, s, index, REASON_EXPRESSION_FAILED);
        return;
    }
    struct record r = advance_record(t, s, RECORD_COMPENSATION_ENDED, index);
    r.attempt = s->steps[index].compensation_attempts;
    r.compensation_state = SAGA_COMPENSATION_FAILED;
    r.status = CODE_INVALID_ARGUMENT;
    r.message = message;
    advance_emit(t, s, &r);
    advance_stuck(t, s, reason, index);
}

struct bytes typed_output(const struct turn *t, const struct saga *s, struct error_detail *detail)
{
    struct mapping_view view = view_of(s, RECORD_NO_STEP);
    struct bytes output = bytes_of(NULL, 0);
    if (mapping_output(s->definition->mapping, &view, t->engine->options.payload_bytes_max, &t->engine->scratch,
                       &output, detail) != 0)
        return bytes_of(NULL, 0);
    detail->text[0] = '\0';
    return output;
}

int typed_value(const struct turn *t, const struct saga *s, unsigned index, struct bytes *value,
                struct error_detail *detail)
{
    struct mapping_view view = view_of(s, index);
    return mapping_request(s->definition->mapping, &view, saga_spec_index(s, index), false,
                           t->engine->options.payload_bytes_max, &t->engine->scratch, value, detail);
}

int typed_key(const struct turn *t, const struct saga *s, unsigned index, struct bytes *key,
              struct error_detail *detail)
{
    struct mapping_view view = view_of(s, index);
    return mapping_key(s->definition->mapping, &view, saga_spec_index(s, index), &t->engine->scratch, key, detail);
}

void typed_forget(const struct engine *e, struct step *step)
{
    memory_give_back(&e->memory, step->kept, step->metadata.size + step->mapped.size);
    step->kept = NULL;
    step->metadata = step->mapped = bytes_of(NULL, 0);
}

/* Keeps copies: the answer may be long in coming. */
static int keep(const struct turn *t, struct step *step, struct bytes metadata, struct bytes request)
{
    CHECK(step->kept == NULL);
    if (metadata.size + request.size == 0)
        return 0;
    uint8_t *at = memory_take(&t->engine->memory, metadata.size + request.size);
    if (at == NULL)
        return TYPED_NO_MEMORY;
    step->kept = at;
    if (metadata.size > 0)
        memcpy(at, metadata.at, metadata.size);
    if (request.size > 0)
        memcpy(at + metadata.size, request.at, request.size);
    step->metadata = bytes_of(at, metadata.size);
    step->mapped = bytes_of(at + metadata.size, request.size);
    return 0;
}

bool typed_computes(const struct saga *s, unsigned step, const struct call_spec *call)
{
    return call->source == REQUEST_MAPPED ||
           (s->definition != NULL && mapping_has_metadata(s->definition->mapping, saga_spec_index(s, step)));
}

int typed_request(const struct turn *t, struct saga *s, unsigned index, uint8_t phase, uint64_t *digest)
{
    struct engine *e = t->engine;
    struct step *step = &s->steps[index];
    const struct mapping *m = s->definition->mapping;
    struct mapping_view view = view_of(s, index);
    unsigned spec = saga_spec_index(s, index);
    struct pool_mark mark = pool_mark(&e->scratch);
    struct error_detail detail;
    struct bytes request = bytes_of(NULL, 0), metadata = bytes_of(NULL, 0);
    bool undo = phase == SAGA_PHASE_COMPENSATION;
    bool mapped = saga_step_call(s, index, phase)->source == REQUEST_MAPPED;
    uint64_t sent = undo ? step->undo_digest : step->action_digest;
    int code =
        !mapped ? 0
                : mapping_request(m, &view, spec, undo, e->options.payload_bytes_max, &e->scratch, &request, &detail);
    if (code == 0 && mapping_has_metadata(m, spec))
        code = mapping_metadata(m, &view, spec, &e->scratch, &metadata, &detail);
    int made = TYPED_NO_MEMORY;
    if (code == 0) {
        *digest = mapped ? fnv_add(FNV_START, request.at, request.size) | 1 : 0;
        made = sent != 0 && sent != *digest ? TYPED_FAILED : keep(t, step, metadata, request);
    }
    pool_rewind(&e->scratch, mark);
    if (code == 0 && made == TYPED_FAILED) {
        request_failed(t, s, index, phase, REASON_REQUEST_CHANGED,
                       bytes_of_text("the request is not the one that the first attempt was sent"));
    } else if (code != 0 && code != E_MEMORY) {
        made = TYPED_FAILED;
        request_failed(t, s, index, phase, REASON_EXPRESSION_FAILED, sentence(&detail));
    }
    return made;
}
