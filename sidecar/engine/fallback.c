/* fallback.c - what stands in for a step whose action came to nothing. What is decided is a record: the step that stands in is skipped, is done with
 * this output, or its attempt starts. */
#include "sidecar/base/grpc_status.h"
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

/* The step is done, and this is its output: nobody was called. */
static void done(const struct turn *t, struct saga *s, unsigned index, struct bytes output)
{
    struct record r = ended(t, s, index, SAGA_ACTION_DONE, CODE_OK, "");
    r.output = output;
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
        done(t, s, index, value);
    }
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
    take_value(t, s, index);
    return false;
}
