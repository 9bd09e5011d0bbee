/* barrier.c - the one rule of the barrier. */
#include "compensations/barrier.h"

enum saga_barrier_verdict saga_barrier_judge(enum saga_phase phase, enum saga_barrier_row own,
                                             enum saga_barrier_row action)
{
    if (own == SAGA_ROW_DONE || own == SAGA_ROW_REJECTED)
        return SAGA_BARRIER_REPLAY;
    if (own == SAGA_ROW_VOID)
        return SAGA_BARRIER_HANGING;
    if (phase == SAGA_PHASE_COMPENSATION && action != SAGA_ROW_DONE)
        return SAGA_BARRIER_EMPTY;
    return SAGA_BARRIER_RUN;
}
