/* no_pause.h - what stands in for nanosleep in a program whose line in tests.mk wraps it: no time passes for a test. */
#ifndef SAGA_TESTS_NO_PAUSE_H
#define SAGA_TESTS_NO_PAUSE_H

#include <stdint.h>

/* The pauses that were asked for since the program began, and their nanoseconds together. Of one thread. */
extern unsigned no_pause_count;
extern int64_t no_pause_ns;

#endif
