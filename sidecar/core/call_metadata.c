/* call_metadata.c - names are listed in docs/api.md, "What a participant receives". */
#include "sidecar/core/call_metadata.h"

#include "compensations/barrier.h"
#include "compensations/undo.h"
#include "sidecar/base/call_key.h"
#include "sidecar/base/texts.h"
#include "sidecar/base/traceparent.h"

#include "sidecar/base/check.h"

/* Writes a number to *at, which moves on. By hand: a call is made of a dozen of these, and a printf costs as much as the rest of it. */
static void put_number(char **at, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *(*at)++ = digits[--count];
}

size_t call_idempotency_key(struct saga_id saga, struct bytes step, uint8_t phase, uint32_t generation,
                            char key[IDEMPOTENCY_KEY_SIZE])
{
    CHECK(step.size <= STEP_NAME_BYTES_MAX);
    return call_key_format(saga, step, phase == SAGA_PHASE_ACTION, generation, key);
}

static void add(struct call_metadata *m, const char *key, struct bytes value)
{
    m->entries[m->count++] = (struct call_metadata_entry){.key = key, .value = value};
}

void call_metadata_init(struct call_metadata *m, const struct call_effect *call)
{
    bool action = call->phase == SAGA_PHASE_ACTION;
    size_t key_size = call_idempotency_key(call->saga, call->step_name, call->phase, call->generation, m->key);
    const char *id_end = memchr(m->key, '/', key_size); /* a key begins with the saga's id */
    CHECK(id_end != NULL);
    m->count = 0;
    add(m, "saga-id", bytes_of(m->key, (size_t)(id_end - m->key)));
    add(m, "saga-definition", call->definition);
    add(m, "saga-step", call->step_name);
    add(m, "saga-phase", bytes_of_text(action ? "action" : "compensation"));
    char *end = m->attempt;
    put_number(&end, call->attempt);
    add(m, "saga-attempt", bytes_of(m->attempt, (size_t)(end - m->attempt)));
    add(m, "idempotency-key", bytes_of(m->key, key_size));
    end = m->action_started;
    put_number(&end, (uint64_t)call->action_started.us / 1000);
    *end = '\0';
    add(m, "saga-action-started-ms", bytes_of(m->action_started, (size_t)(end - m->action_started)));
    /* Older versions took any text, and one that cannot be a header would keep every call of its saga from leaving. */
    if (traceparent_valid(call->traceparent))
        add(m, "traceparent", call->traceparent);
    if (!action) {
        add(m, "saga-action-outcome", bytes_of_text(call->action_state == SAGA_ACTION_DONE ? "done" : "unknown"));
        add(m, "saga-action-key",
            bytes_of(m->action_key, call_idempotency_key(call->saga, call->step_name, SAGA_PHASE_ACTION,
                                                         call->generation, m->action_key)));
    }
    if (call->synthetic)
        add(m, "saga-synthetic", bytes_of_text("true"));
    struct bytes packed = call->metadata, name, text;
    while (m->count < CALL_METADATA_MAX && texts_next(&packed, &name, &text))
        add(m, (const char *)name.at, text);
}
