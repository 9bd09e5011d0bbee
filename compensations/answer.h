/* answer.h - what a participant's answer means for the saga. Pure; knows nothing of engines or wires.
 *
 * The table (gRPC status of an action -> meaning) is in docs/concepts.md, "What an answer means". */
#ifndef SAGA_COMPENSATIONS_ANSWER_H
#define SAGA_COMPENSATIONS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

/* How far an attempt got, as the caller's transport saw it. */
enum saga_reach {
    SAGA_REACH_NONE = 0, /* it never left this process: that alone proves that nothing ran */
    SAGA_REACH_MAYBE =
        1, /* it may have left, and nothing proves that it has ended: it may run until its own deadline */
    SAGA_REACH_ANSWERED = 2,  /* the participant ended it with this status */
    SAGA_REACH_NOT_BEGUN = 3, /* the participant's own code says that it never ran */
};

/* What a participant's own code may say in its trailing metadata, whatever the status. Neither libraries nor proxies make it up. */
#define SAGA_FUNCTION_KEY       "saga-function"
#define SAGA_FUNCTION_ENDED     "ended"     /* this attempt runs no more */
#define SAGA_FUNCTION_NOT_BEGUN "not-begun" /* this attempt never ran */

/* How far an attempt got whose status came over the wire. said is the value under SAGA_FUNCTION_KEY, or NULL; any other value says nothing.
 * UNAVAILABLE, CANCELLED, DEADLINE_EXCEEDED, INTERNAL and UNKNOWN are what libraries and proxies make up while the function runs on, so
 * without that word they are MAYBE. */
enum saga_reach saga_reach_of_status(int status, const char *said);

enum saga_meaning {
    SAGA_MEANS_DONE,
    SAGA_MEANS_REJECTED, /* certainly not executed */
    SAGA_MEANS_UNKNOWN,  /* may have been executed */
};

struct saga_answer {
    enum saga_meaning meaning;
    bool retry; /* worth another attempt, if the policy has one left */
};

/* The meaning of one attempt of an action. An attempt of which nothing ran is worth another whatever its status, unless that refuses for
 * good. status is a gRPC status code (a number outside the table counts as UNKNOWN);
 * retryable_status_codes has bit n set for each status n that the step's policy lists. */
struct saga_answer saga_answer_of_action(int status, enum saga_reach reach, uint32_t retryable_status_codes);

#endif
