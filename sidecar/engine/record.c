/* record.c - the names of what records hold, for people and for metrics. */
#include "sidecar/engine/record.h"

const char *record_state_name(uint8_t state)
{
    static const char *const names[] = {
        [SAGA_RUNNING] = "RUNNING",         [SAGA_COMMITTED] = "COMMITTED", [SAGA_COMPENSATING] = "COMPENSATING",
        [SAGA_COMPENSATED] = "COMPENSATED", [SAGA_STUCK] = "STUCK",         [SAGA_RESOLVED] = "RESOLVED",
    };
    return state < sizeof names / sizeof names[0] && names[state] != NULL ? names[state] : "";
}

const char *record_reason_name(uint8_t reason)
{
    static const char *const names[] = {
        [REASON_NONE] = "",
        [REASON_ACTION_REJECTED] = "ACTION_REJECTED",
        [REASON_ACTION_UNKNOWN] = "ACTION_UNKNOWN",
        [REASON_DEADLINE] = "DEADLINE",
        [REASON_LEASE] = "LEASE",
        [REASON_CANCELLED] = "CANCELLED",
        [REASON_ABORTED] = "ABORTED",
        [REASON_COMPENSATION_FAILED] = "COMPENSATION_FAILED",
        [REASON_FORWARD_FAILED] = "FORWARD_FAILED",
        [REASON_PIVOT_UNKNOWN] = "PIVOT_UNKNOWN",
        [REASON_UNREACHABLE] = "UNREACHABLE",
        [REASON_ATTEMPTS_SPENT] = "ATTEMPTS_SPENT",
        [REASON_EXPRESSION_FAILED] = "EXPRESSION_FAILED",
        [REASON_REQUEST_CHANGED] = "REQUEST_CHANGED",
        [REASON_UNEXPECTED_ANSWER] = "UNEXPECTED_ANSWER",
        [REASON_OVERLOADED] = "OVERLOADED",
        [REASON_UNAVAILABLE] = "UNAVAILABLE",
    };
    return reason < sizeof names / sizeof names[0] && names[reason] != NULL ? names[reason] : "";
}
