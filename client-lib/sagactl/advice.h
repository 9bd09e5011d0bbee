/* advice.h - what an operator can do about a saga, as commands to copy. */
#ifndef SAGACTL_ADVICE_H
#define SAGACTL_ADVICE_H

#include "client-lib/sagactl/screen.h"

#include "saga/v1/coordinator.pb-c.h"

/* What to do about a saga that is stuck or paused; nothing about another. same is what the commands need to ask the same sidecar
 * (run_same_sidecar). */
void advice_write(const struct screen *s, const Saga__V1__Saga *saga, const char *same);

/* Every choice that there is about a saga that has not ended, and what each would do with its steps. */
void advice_choices(const struct screen *s, const Saga__V1__Saga *saga, const char *same);

#endif
