/* barrier.c - the one rule of the barrier. */
#include "compensations/barrier.h"

static enum saga_barrier_verdict judge_action(enum saga_barrier_row own, bool collected)
{
    switch (own) {
    case SAGA_ROW_ABSENT:
        return collected ? SAGA_BARRIER_LOST : SAGA_BARRIER_RUN;
    case SAGA_ROW_DONE:
    case SAGA_ROW_REJECTED:
        return SAGA_BARRIER_REPLAY;
    case SAGA_ROW_VOID:
        return SAGA_BARRIER_HANGING;
    case SAGA_ROW_OPEN:
        break;
    }
    return SAGA_BARRIER_BROKEN;
}

static enum saga_barrier_verdict judge_compensation(enum saga_barrier_row own, enum saga_barrier_row action,
                                                    bool action_done, bool collected)
{
    if (own == SAGA_ROW_DONE)
        return SAGA_BARRIER_REPLAY;
    /* A compensation's refusals are not kept (it is retried on every status), and it has no undo that could void it. */
    if (own != SAGA_ROW_ABSENT)
        return SAGA_BARRIER_BROKEN;

    switch (action) {
    case SAGA_ROW_DONE:
        return SAGA_BARRIER_RUN;
    case SAGA_ROW_ABSENT:
        return action_done || collected ? SAGA_BARRIER_LOST : SAGA_BARRIER_EMPTY;
    case SAGA_ROW_REJECTED:
    case SAGA_ROW_VOID:
        return action_done ? SAGA_BARRIER_LOST : SAGA_BARRIER_EMPTY;
    case SAGA_ROW_OPEN:
        break;
    }
    return SAGA_BARRIER_BROKEN;
}

enum saga_barrier_verdict saga_barrier_judge(enum saga_phase phase, enum saga_barrier_row own,
                                             enum saga_barrier_row action, bool action_done, bool collected)
{
    return phase == SAGA_PHASE_ACTION ? judge_action(own, collected)
                                      : judge_compensation(own, action, action_done, collected);
}
