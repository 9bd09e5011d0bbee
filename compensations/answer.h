/* answer.h - what a participant's answer means for the saga. Pure; knows nothing of engines or wires.
 *
 * The table (gRPC status of an action -> meaning) is in docs/concepts.md, "What an answer means". */
#ifndef SAGA_COMPENSATIONS_ANSWER_H
#define SAGA_COMPENSATIONS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

/* How far an attempt got, as the caller's transport saw it. */
enum saga_reach {
    SAGA_REACH_NONE = 0,     /* it never left this process */
    SAGA_REACH_MAYBE = 1,    /* it may have left, and the participant did not end it: lost, cancelled, timed out */
    SAGA_REACH_ANSWERED = 2, /* the participant ended it with this status */
};

enum saga_meaning {
    SAGA_MEANS_DONE,
    SAGA_MEANS_REJECTED, /* certainly not executed */
    SAGA_MEANS_UNKNOWN,  /* may have been executed */
};

struct saga_answer {
    enum saga_meaning meaning;
    bool retry; /* worth another attempt, if the policy has one left */
};

/* The meaning of one attempt of an action. status is a gRPC status code (a number outside the table counts as UNKNOWN);
 * retryable_status_codes has bit n set for each status n that the step's policy lists. */
struct saga_answer saga_answer_of_action(int status, enum saga_reach reach, uint32_t retryable_status_codes);

#endif
