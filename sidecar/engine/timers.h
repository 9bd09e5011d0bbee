/* timers.h - what is due first: a binary heap of timers. A timer is embedded in its subject, which need not be a saga, and keeps its own
 * place in the heap, so that setting it anew takes the logarithm of how many are set. Pure; owns the heap's array alone. */
#ifndef SAGA_ENGINE_TIMERS_H
#define SAGA_ENGINE_TIMERS_H

#include "sidecar/base/instant.h"
#include "sidecar/base/memory.h"

#include <stddef.h>

/* What a timer is embedded in, and so who is told that it is due. */
enum timer_subject {
    TIMER_OF_SAGA = 1,
    TIMER_OF_TARGET,
    TIMER_OF_ANSWERS,
};

struct timer {
    struct instant due;
    uint32_t slot;   /* its index in the heap plus 1; 0: it is not set */
    uint8_t subject; /* enum timer_subject; set once, by whoever embeds it */
};

struct timers {
    struct timer **heap;
    uint32_t count, room;
};

/* Room for so many timers at once. Returns 0 or E_MEMORY; then finish is still to be called. */
int timers_init(struct timers *t, const struct memory *memory, uint32_t room);
void timers_finish(struct timers *t, const struct memory *memory);

/* Sets a timer, anew or for the first time; INSTANT_NEVER takes it out. Borrows it until it is taken out. */
void timers_set(struct timers *t, struct timer *timer, struct instant due);

/* The timer that is due first, or NULL. */
struct timer *timers_first(const struct timers *t);

/* Ends the process unless the heap is sound around this timer. */
void timers_check(const struct timers *t, const struct timer *timer);

#define TIMER_HOLDER(timer_, type, member) ((type *)(void *)((char *)(timer_)-offsetof(type, member)))

#endif
