/* fallback.c - what stands in for a step whose action came to nothing. What is decided is a record: the step that stands in is skipped, is done with
 * this output, or its attempt starts. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/timestamp.h"
#include "sidecar/engine/engine_inside.h"
#include "sidecar/mapping/mapping.h"

static struct record ended(const struct turn *t, const struct saga *s, unsigned index, uint8_t state, uint8_t status,
                           const char *message)
{
    struct record r = advance_record(t, s, RECORD_ACTION_ENDED, index);
    r.action_state = state;
    r.status = status;
    size_t size = strlen(message);
    r.message = bytes_of(message, size < MESSAGE_BYTES_MAX ? size : MESSAGE_BYTES_MAX);
    return r;
}

static void failed(const struct turn *t, struct saga *s, unsigned index, uint8_t status, const char *why,
                   uint8_t reason)
{
    struct record r = ended(t, s, index, SAGA_ACTION_REJECTED, status, why);
    advance_emit(t, s, &r);
    advance_action_failed(t, s, index, reason);
}

/* The step is done, and this is its output: nobody was called. given_at: when the answer was given that it is; 0: it is none. */
static void done(const struct turn *t, struct saga *s, unsigned index, struct bytes output, struct instant given_at)
{
    struct record r = ended(t, s, index, SAGA_ACTION_DONE, CODE_OK, "");
    r.output = output;
    r.given_at = given_at;
    advance_keep(t, s, &r);
}

/* What the definition says in place of an output. */
static void take_value(const struct turn *t, struct saga *s, unsigned index)
{
    struct engine *e = t->engine;
    const struct call_spec *said = &saga_spec(s, index)->action;
    struct pool_mark mark = pool_mark(&e->scratch);
    struct error_detail detail = {.text = ""};
    struct bytes value = bytes_of(NULL, 0);
    int code = 0;
    if (said->source == REQUEST_MAPPED)
        code = typed_value(t, s, index, &value, &detail);
    else
        value = advance_request(s, index, said);
    if (code == E_MEMORY) {
        e->starved = true;
    } else if (code != 0) {
        failed(t, s, index, CODE_INVALID_ARGUMENT, detail.text, REASON_EXPRESSION_FAILED);
    } else {
        done(t, s, index, value, (struct instant){0});
    }
    pool_rewind(&e->scratch, mark);
}

/* ---- the last good answer ---- */

static size_t add(uint8_t *at, size_t size, struct bytes part, char end)
{
    if (part.size > 0)
        memcpy(at + size, part.at, part.size);
    at[size + part.size] = (uint8_t)end;
    return size + part.size + 1;
}

/* Under which name a step's answers are kept: whose they are, of which method, and the key. index is the fallback that takes them, own the step for
 * which it stands in. In the engine's scratch. 0, E_EXPRESSION with detail, or E_MEMORY. */
static int name_of(const struct turn *t, const struct saga *s, unsigned own, unsigned index, struct bytes *name,
                   struct error_detail *detail)
{
    const struct step_spec *spec = saga_spec(s, index), *step = saga_spec(s, own);
    struct bytes key = bytes_of_text(spec->kept_key == NULL ? "" : spec->kept_key);
    int code = spec->kept_key != NULL ? 0 : typed_key(t, s, own, &key, detail);
    if (code != 0)
        return code;
    uint8_t *at = pool_take(&t->engine->scratch, RECALL_NAME_BYTES_MAX);
    if (at == NULL)
        return E_MEMORY;
    /* A name and a method hold no NUL, and a name that is given no '/'. */
    size_t size = add(at, 0, bytes_of_text(spec->kept_as == NULL ? s->definition->name : spec->kept_as),
                      spec->kept_as == NULL ? '/' : '\0');
    if (spec->kept_as == NULL)
        size = add(at, size, bytes_of_text(step->name), '\0');
    size = add(at, size, bytes_of_text(step->action.method), '\0');
    CHECK(size + key.size < RECALL_NAME_BYTES_MAX);
    if (!DEFECT(RECALL_OF_ANOTHER))
        size = add(at, size, key, '\0');
    *name = bytes_of(at, size);
    return 0;
}

static unsigned first_of(const struct saga *s, unsigned index)
{
    while (saga_spec(s, index)->stand_in != STAND_IN_NONE)
        index = saga_stood_in_for(s, index);
    return index;
}

void fallback_keep(const struct turn *t, const struct saga *s, unsigned index, struct bytes output)
{
    struct engine *e = t->engine;
    unsigned fallback = saga_last_good_of(s, index);
    /* A heartbeat is answered as it asks, not as a customer would be. */
    if (fallback == RECORD_NO_STEP || (s->synthetic && !DEFECT(HEARTBEAT_IS_KEPT)))
        return;
    struct pool_mark mark = pool_mark(&e->scratch);
    struct error_detail detail;
    struct bytes name;
    int code = name_of(t, s, first_of(s, index), fallback, &name, &detail);
    if (code == E_MEMORY) /* or an older one would pass for the last */
        e->starved = true;
    /* One whose key cannot be told is kept for nobody. */
    if (code == 0) {
        recall_keep(&e->recall, name, output, t->now);
        timers_set(&e->timers, &e->recall_timer, recall_due(&e->recall));
    }
    pool_rewind(&e->scratch, mark);
}

/* At once so many; the next when it is due, which is soon. */
#define EXPIRE_MAX 256

void fallback_expire(const struct turn *t)
{
    struct engine *e = t->engine;
    recall_expire(&e->recall, t->now, EXPIRE_MAX);
    struct instant due = recall_due(&e->recall), soon = instant_after(t->now, SPAN_MS(10));
    timers_set(&e->timers, &e->recall_timer, instant_max(due, soon));
}

/* Why none stands in. */
static void none_good(const struct turn *t, struct saga *s, unsigned index, struct instant given_at)
{
    struct error_detail words;
    char text[TIMESTAMP_TEXT_SIZE];
    error_set(&words, 0, NULL, "there is no good answer under its key to fall back to (last_good)");
    struct span age = instant_since(t->now, given_at);
    if (given_at.us != 0 && age.us < 0) {
        error_set(&words, 0, NULL, "the last good answer under its key is of a time to come: the clock went back");
    } else if (given_at.us != 0) {
        struct span own = saga_spec(s, index)->max_age, all = t->engine->recall.options.age_max;
        struct span most = span_min(own, all);
        duration_write(age.us / 1000000, 0, text);
        error_set(&words, 0, NULL, "the last good answer under its key is ");
        error_append(&words, text);
        error_append(&words, own.us <= all.us ? " old, and max_age is " : " old, and last_good_age_max is ");
        duration_write(most.us / 1000000, (int32_t)(most.us % 1000000) * 1000, text);
        error_append(&words, text);
    }
    failed(t, s, index, CODE_NOT_FOUND, words.text, REASON_ACTION_REJECTED);
}

/* An earlier good answer. The record has it, and its age: no replay looks for it. */
static void take_last_good(const struct turn *t, struct saga *s, unsigned index)
{
    struct engine *e = t->engine;
    struct pool_mark mark = pool_mark(&e->scratch);
    struct error_detail detail = {.text = ""};
    struct recalled found;
    struct bytes name;
    int code = name_of(t, s, first_of(s, index), index, &name, &detail);
    if (code == E_MEMORY)
        e->starved = true;
    else if (code != 0)
        failed(t, s, index, CODE_INVALID_ARGUMENT, detail.text, REASON_EXPRESSION_FAILED);
    else if (recall_find(&e->recall, name, saga_spec(s, index)->max_age, t->now, &found))
        done(t, s, index, found.answer, found.given_at);
    else
        none_good(t, s, index, found.given_at);
    pool_rewind(&e->scratch, mark);
}

bool fallback_begin(const struct turn *t, struct saga *s, unsigned index)
{
    uint8_t kind = saga_spec(s, index)->stand_in;
    if (kind == STAND_IN_NONE)
        return true;
    if (!saga_stand_in_needed(s, index) && !DEFECT(FALLBACK_ALWAYS)) {
        struct record r = ended(t, s, index, SAGA_ACTION_SKIPPED, CODE_OK, "not needed");
        advance_emit(t, s, &r);
        return false;
    }
    if (kind == STAND_IN_CALL)
        return true;
    if (kind == STAND_IN_LAST_GOOD)
        take_last_good(t, s, index);
    else
        take_value(t, s, index);
    return false;
}
