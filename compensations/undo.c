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

static bool has_open_dependent(const struct saga_undo_view *view, size_t step)
{
    for (size_t later = 0; later < view->step_count; later++)
        if (later != step && saga_undo_open(view->compensation_state(view->saga, later)) &&
            view->depends(view->saga, later, step))
            return true;
    return false;
}

size_t saga_undo_next(const struct saga_undo_view *view, uint16_t *next, size_t next_max)
{
    if (view->depends == NULL)
        return next_in_reverse(view, next, next_max);
    size_t count = 0;
    for (size_t i = 0; i < view->step_count && count < next_max; i++)
        if (view->compensation_state(view->saga, i) == SAGA_COMPENSATION_OWED && !has_open_dependent(view, i))
            next[count++] = (uint16_t)i;
    return count;
}
