/* chance_world.h - an api_world in which sagas of every kind come, go on, fail, wait for people and end, by chance; the same chance each time. One at a
 * time. */
#ifndef TESTS_SUPPORT_CHANCE_WORLD_H
#define TESTS_SUPPORT_CHANCE_WORLD_H

#include "tests/support/api_world.h"

#include <stdio.h>

#define CHANCE_SAGAS_MAX 60

struct chance_saga {
    char id[SAGA_ID_TEXT_SIZE];
    Saga__V1__GetResponse *now; /* as chance_look_at_each has found it */
    struct bytes packed;        /* the same, as it was said */
    char *text;                 /* and as a text, where that is written */
};

extern struct api_world chance_world;
extern struct chance_saga chance_sagas[CHANCE_SAGAS_MAX]; /* in the order in which they began */
extern unsigned chance_saga_count;

/* What happens, and what changes with it, is written to `kept`, unless that is NULL. */
void chance_open(unsigned loops, uint64_t seed, FILE *kept);
/* All calls must have ended. */
void chance_close(void);

/* Whether commands that a Pipe takes go by one, from now until chance_close; beside them in a message may be some that are none. */
void chance_pipe(void);

/* Something happens. */
void chance_step(void);

/* Looks at every saga, by Get. */
void chance_look_at_each(void);

/* A number below count. */
unsigned chance_pick(unsigned count);
unsigned chance_loop(void);

/* Asks, in the words of wire_text.h, and settles. The call is the test's. */
struct world_call *chance_ask(unsigned loop, enum method_id method, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same of what is to be OK; gives the answer unpacked. */
void *chance_look(unsigned loop, enum method_id method, const char *text);

#endif
