/* call_metadata.c - names are listed in docs/api.md, "What a participant receives". */
#include "sidecar/core/call_metadata.h"

#include "compensations/barrier.h"
#include "compensations/undo.h"
#include "sidecar/base/traceparent.h"

#include <inttypes.h>
#include <stdio.h>

size_t call_idempotency_key(struct saga_id saga, struct bytes step, uint8_t phase, uint32_t generation,
                            char key[IDEMPOTENCY_KEY_SIZE])
{
    size_t size = saga_id_format(saga, key);
    size_t room = IDEMPOTENCY_KEY_SIZE - size;
    size += (size_t)snprintf(key + size, room, "/%.*s/%s", (int)step.size, (const char *)step.at,
                             phase == SAGA_PHASE_ACTION ? "action" : "compensation");
    if (generation > 0)
        size += (size_t)snprintf(key + size, IDEMPOTENCY_KEY_SIZE - size, "#%" PRIu64, generation + UINT64_C(1));
    return size;
}

static void add(struct call_metadata *m, const char *key, struct bytes value)
{
    m->entries[m->count++] = (struct call_metadata_entry){.key = key, .value = value};
}

void call_metadata_init(struct call_metadata *m, const struct call_effect *call)
{
    bool action = call->phase == SAGA_PHASE_ACTION;
    m->count = 0;
    add(m, "saga-id", bytes_of(m->saga_id, saga_id_format(call->saga, m->saga_id)));
    add(m, "saga-definition", call->definition);
    add(m, "saga-step", call->step_name);
    add(m, "saga-phase", bytes_of_text(action ? "action" : "compensation"));
    add(m, "saga-attempt", bytes_of(m->attempt, (size_t)snprintf(m->attempt, sizeof m->attempt, "%u", call->attempt)));
    add(m, "idempotency-key",
        bytes_of(m->key, call_idempotency_key(call->saga, call->step_name, call->phase, call->generation, m->key)));
    int size = snprintf(m->action_started, sizeof m->action_started, "%" PRId64, call->action_started.us / 1000);
    add(m, "saga-action-started-ms", bytes_of(m->action_started, (size_t)size));
    /* Older versions took any text, and one that cannot be a header would keep every call of its saga from leaving. */
    if (traceparent_valid(call->traceparent))
        add(m, "traceparent", call->traceparent);
    if (!action) {
        add(m, "saga-action-outcome", bytes_of_text(call->action_state == SAGA_ACTION_DONE ? "done" : "unknown"));
        add(m, "saga-action-key",
            bytes_of(m->action_key, call_idempotency_key(call->saga, call->step_name, SAGA_PHASE_ACTION,
                                                         call->generation, m->action_key)));
    }
}
