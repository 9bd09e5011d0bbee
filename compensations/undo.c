/* undo.c - the order of compensations. */
#include "compensations/undo.h"

static size_t next_in_reverse(const struct saga_undo_view *view, uint16_t *next, size_t next_max)
{
    bool found = false;
    size_t last = 0;
    uint32_t last_order = 0;
    for (size_t i = 0; i < view->step_count; i++) {
        uint8_t state = view->compensation_state(view->saga, i);
        if (state == SAGA_COMPENSATION_STARTED || state == SAGA_COMPENSATION_FAILED)
            return 0;
        if (state != SAGA_COMPENSATION_OWED)
            continue;
        uint32_t order = view->action_order(view->saga, i);
        if (!found || order >= last_order) {
            found = true;
            last = i;
            last_order = order;
        }
    }
    if (!found || next_max == 0)
        return 0;
    next[0] = (uint16_t)last;
    return 1;
}

/* What an open compensation depends on has to wait for it. Gives those that are owed. */
static size_t block_ancestors(const struct saga_undo_view *view, uint64_t blocked[SAGA_UNDO_STEPS_MAX / 64],
                              uint16_t owed[SAGA_UNDO_STEPS_MAX])
{
    size_t words = (view->step_count + 63) / 64, count = 0;
    for (size_t later = 0; later < view->step_count; later++) {
        uint8_t state = view->compensation_state(view->saga, later);
        if (!saga_undo_open(state))
            continue;
        if (state == SAGA_COMPENSATION_OWED)
            owed[count++] = (uint16_t)later;
        const uint64_t *ancestors = view->ancestors(view->saga, later);
        for (size_t word = 0; word < words; word++)
            blocked[word] |= ancestors[word];
    }
    return count;
}

size_t saga_undo_next(const struct saga_undo_view *view, uint16_t *next, size_t next_max)
{
    if (view->ancestors == NULL)
        return next_in_reverse(view, next, next_max);
    uint64_t blocked[SAGA_UNDO_STEPS_MAX / 64] = {0};
    uint16_t owed[SAGA_UNDO_STEPS_MAX];
    size_t count = 0, owed_count = block_ancestors(view, blocked, owed);
    for (size_t i = 0; i < owed_count && count < next_max; i++)
        if ((blocked[owed[i] / 64] >> owed[i] % 64 & 1) == 0)
            next[count++] = owed[i];
    return count;
}
