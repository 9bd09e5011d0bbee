/* trace.c - one line an event, the hash of all of them, the marks of what was reached, and how a failure is told. */
#include "tests/sim/sim.h"

#include "commit.h"
#include "sidecar/base/check.h"
#include "sidecar/base/fnv.h"
#include "tests/support/record_names.h"

#include <stdlib.h>

struct world *world_now;

const char *build_commit(void)
{
    return SIM_COMMIT;
}

void trace_bytes(struct world *w, const void *at, size_t size)
{
    w->hash = fnv_add(w->hash, at, size);
}

void trace(struct world *w, const char *what, uint64_t saga, int64_t a, int64_t b, int64_t c)
{
    int64_t numbers[] = {w->now, (int64_t)w->event_number, (int64_t)saga, a, b, c};
    trace_bytes(w, numbers, sizeof numbers);
    trace_bytes(w, what, strlen(what));
    if (w->print)
        printf("%6llu %12.6f %-22s saga=%-4llu %lld %lld %lld\n", (unsigned long long)w->event_number,
               (double)w->now / 1e6, what, (unsigned long long)saga, (long long)a, (long long)b, (long long)c);
}

_Noreturn void world_fail(struct world *w, enum exit_code code, const char *invariant, const char *what, uint64_t saga)
{
    const char *kind = code == EXIT_CRASH ? "crash" : code == EXIT_LIVENESS ? "liveness" : "safety";
    fflush(stdout);
    fprintf(stderr, "sim: %s: %s: %s\n", kind, invariant, what);
    fprintf(stderr, "sim: seed %llu, commit %s, simulated time %.6f s, event %llu, saga %llu\n",
            (unsigned long long)w->seed, build_commit(), (double)w->now / 1e6, (unsigned long long)w->event_number,
            (unsigned long long)saga);
    if (w->script != NULL) {
        fprintf(stderr, "sim: replay it with: sim choices %u", w->script->shape);
        for (unsigned i = 0; i < w->script->used; i++)
            fprintf(stderr, " %u", w->script->digits[i]);
        fprintf(stderr, "\n");
    } else {
        fprintf(stderr, "sim: replay it with: make sim SEED=%llu\n", (unsigned long long)w->seed);
    }
    fflush(stderr);
    _Exit(code);
}

_Noreturn void saga_panic(const char *file, int line, const char *expectation)
{
    char what[256];
    snprintf(what, sizeof what, "%s:%d: %s does not hold", file, line, expectation);
    if (world_now != NULL)
        world_fail(world_now, EXIT_CRASH, "CHECK", what, 0);
    fprintf(stderr, "sim: %s\n", what);
    _Exit(EXIT_CRASH);
}

/* ---- marks ---- */

void mark(struct world *w, enum mark_group group, unsigned number)
{
    CHECK(number < MARK_NUMBER_MAX);
    w->totals->marks[group][number]++;
}

/* The names of the marks that the smoke seeds must reach; what has no name may be missed. */
static const char *const names[MARK_GROUP_COUNT][MARK_NUMBER_MAX] = {
    [MARK_RECORD] = RECORD_NAMES,
    [MARK_TURNED] = {NULL, "ACTION_REJECTED", "ACTION_UNKNOWN", "DEADLINE", "LEASE", "CANCELLED",
                     "ABORTED", [REASON_UNREACHABLE] = "UNREACHABLE", [REASON_ATTEMPTS_SPENT] = "ATTEMPTS_SPENT",
                     [REASON_EXPRESSION_FAILED] = "EXPRESSION_FAILED", [REASON_UNEXPECTED_ANSWER] = "UNEXPECTED_ANSWER",
                     [REASON_OVERLOADED] = "OVERLOADED", [REASON_UNAVAILABLE] = "UNAVAILABLE"},
    [MARK_STUCK] = {[REASON_COMPENSATION_FAILED] = "COMPENSATION_FAILED",
                    [REASON_FORWARD_FAILED] = "FORWARD_FAILED",
                    [REASON_PIVOT_UNKNOWN] = "PIVOT_UNKNOWN",
                    [REASON_EXPRESSION_FAILED] = "EXPRESSION_FAILED"},
    [MARK_ENDED] = {[SAGA_COMMITTED] = "COMMITTED", [SAGA_COMPENSATED] = "COMPENSATED", [SAGA_RESOLVED] = "RESOLVED"},
    [MARK_ACCEPTED] = {NULL, "START", "BEGIN", "ENLIST", "COMMIT", "ABORT", "KEEP_ALIVE", "CANCEL", "PAUSE", "RESUME",
                       "RETRY", "SKIP", "RESOLVE"},
    [MARK_REPEATED] = {[EVENT_START] = "START",
                       [EVENT_BEGIN] = "BEGIN",
                       [EVENT_COMMIT] = "COMMIT",
                       [EVENT_ABORT] = "ABORT",
                       [EVENT_CANCEL] = "CANCEL"},
    [MARK_REFUSED] = {[-E_HELD] = "HELD",
                      [-E_MEMORY] = "MEMORY",
                      [-E_LIVE_SAGAS] = "LIVE_SAGAS",
                      [-E_BYTES] = "BYTES",
                      [-E_DEFINITION_LIMIT] = "DEFINITION_LIMIT",
                      [-E_JOURNAL_FULL] = "JOURNAL_FULL",
                      [-E_JOURNAL_AWAY] = "JOURNAL_AWAY",
                      [-E_REQUIRED] = "REQUIRED",
                      [-E_SAGA_ENDED] = "SAGA_ENDED",
                      [-E_SAGA_TURNED_BACK] = "SAGA_TURNED_BACK",
                      [-E_SAGA_STUCK] = "SAGA_STUCK",
                      [-E_SAGA_NOT_STUCK] = "SAGA_NOT_STUCK",
                      [-E_ARGUMENT] = "ARGUMENT",
                      [-E_PAYLOAD] = "PAYLOAD",
                      [-E_STEPS] = "STEPS",
                      [-E_STEP_EXISTS] = "STEP_EXISTS",
                      [-E_NOT_ENLISTED] = "NOT_ENLISTED",
                      [-E_TARGET_NOT_FOUND] = "TARGET_NOT_FOUND",
                      [-E_REQUEST_ID_REUSED] = "REQUEST_ID_REUSED",
                      [-E_STEP_SETTLED] = "STEP_SETTLED",
                      [-E_SAGA_PAUSED] = "SAGA_PAUSED",
                      [-E_STOPPING] = "STOPPING",
                      [-E_AFTER_PIVOT] = "AFTER_PIVOT",
                      [-E_STEPS_OPEN] = "STEPS_OPEN",
                      [-E_SAGA_NOT_FOUND] = "SAGA_NOT_FOUND"},
    [MARK_VERDICT] = {[SAGA_BARRIER_RUN] = "RUN",
                      [SAGA_BARRIER_REPLAY] = "REPLAY",
                      [SAGA_BARRIER_EMPTY] = "EMPTY",
                      [SAGA_BARRIER_HANGING] = "HANGING",
                      [SAGA_BARRIER_LOST] = "LOST"},
    [MARK_FAULT] = {"REQUEST_LOST",
                    "REPLY_LOST",
                    "LATE",
                    "DUPLICATE",
                    "SLOW",
                    "REFUSED",
                    "BROKEN",
                    "GARBAGE",
                    "TRANSIENT",
                    "AMBIGUOUS",
                    "REJECT",
                    "UNDO_REFUSED",
                    "OVERSIZE",
                    "RUNS_ON",
                    "CRASH_BEFORE_COMMIT",
                    "CRASH_AFTER_COMMIT",
                    "DISK_ERROR",
                    "DISK_FULL",
                    "SLOW_SYNC",
                    "SIDECAR_CRASH",
                    "CRASH_IN_RECOVERY",
                    "STOP",
                    "CLOCK_JUMP",
                    "STALL",
                    "CLIENT_LOST",
                    "CLIENT_DUPLICATE",
                    "OWNER_DIES",
                    "OWNER_SLOW",
                    "CANCEL",
                    "OPERATOR",
                    "TARGET_GONE",
                    "CONFIGURED",
                    "NONSENSE",
                    "MEMORY",
                    "UNSURE",
                    "FENCED",
                    "LEASE",
                    "LOOKUP"},
    [MARK_CASE] = {"QUEUED",
                   "QUIET_WAIT",
                   "CALL_LOST",
                   "UNSYNCED_KEPT",
                   "UNSYNCED_LOST",
                   "TORN",
                   "PARTIAL_LET_OUT",
                   "GENERATION",
                   "PARALLEL_UNDO",
                   "LATE_ANSWER_DONE",
                   "FRAMES_DROPPED",
                   "RECOVERY_SKIPS",
                   "PUSHBACK",
                   "HELD",
                   "MOVED",
                   "TWO_ON_THE_WAY",
                   "PARKED",
                   "UNSURE_KEPT",
                   "UNSURE_SENT",
                   "UNHELD",
                   "UNREAD",
                   "FAR_LOST",
                   "FAR_KEPT",
                   "CUT",
                   "RESUMED_LATER",
                   "OVERDUE_CROWD",
                   "RESUMED_CUT",
                   "RESUMED_HALF",
                   "RUNS_ON",
                   "BARRIER_HASTE",
                   "LATE_TURN",
                   "BROUGHT_FORWARD",
                   "UNDO_BESIDE_STUCK",
                   "COLLECTED",
                   "AWAITED",
                   "WAITED_ENOUGH",
                   "SPARED",
                   "NOT_NEEDED",
                   "NOT_COMPUTED",
                   "PASSED_OVER_UNKNOWN",
                   "UNDONE_EARLY",
                   "REFUSED_SOFTLY",
                   "LET_GO",
                   "LOOP",
                   "EMPTY_LOOP",
                   "SHED",
                   "RATE_WAITED",
                   "BUDGET_WAITED",
                   "TURNED_AWAY",
                   "TURNED_AWAY_LATE",
                   "BREAKER_OPENED",
                   "BREAKER_OPENED_AGAIN",
                   "BREAKER_PROBED",
                   "BREAKER_CLOSED",
                   "BREAKER_HELD",
                   "BREAKER_OPEN_AT_START",
                   "BREAKER_WAITED",
                   "SHED_ENOUGH",
                   [CASE_FALLBACK_CALLED] = "FALLBACK_CALLED",
                   [CASE_FALLBACK_VALUE] = "FALLBACK_VALUE",
                   [CASE_FALLBACK_SPARED] = "FALLBACK_SPARED",
                   [CASE_FALLBACK_UNDONE] = "FALLBACK_UNDONE",
                   [CASE_ANSWERED] = "ANSWERED",
                   [CASE_DEFERRED] = "DEFERRED",
                   [CASE_LACKS] = "LACKS",
                   [CASE_HASTE] = "HASTE",
                   [CASE_PASSED] = "PASSED",
                   [CASE_PASSED_BY_BETTER] = "PASSED_BY_BETTER",
                   [CASE_LIMITED] = "LIMITED",
                   [CASE_RESERVED] = "RESERVED",
                   [CASE_NO_TIME] = "NO_TIME",
                   [CASE_IN_VAIN] = "IN_VAIN",
                   [CASE_NOT_SERVED] = "NOT_SERVED",
                   [CASE_RECALLED] = "RECALLED",
                   [CASE_NONE_GOOD] = "NONE_GOOD",
                   [CASE_ANSWER_FORGOTTEN] = "ANSWER_FORGOTTEN",
                   [CASE_RECALLED_OF_BEFORE] = "RECALLED_OF_BEFORE",
                   [CASE_BULK] = "BULK",
                   [CASE_BULK_DONE] = "BULK_DONE",
                   [CASE_HELD_DEFINITION] = "HELD_DEFINITION",
                   [CASE_RULE_ACTED] = "RULE_ACTED",
                   [CASE_RULE_WORSE] = "RULE_WORSE",
                   [CASE_RULE_TAKEN_BACK] = "RULE_TAKEN_BACK",
                   [CASE_RULE_ASKED_AGAIN] = "RULE_ASKED_AGAIN",
                   [CASE_SYNTHETIC] = "SYNTHETIC",
                   [CASE_SLI] = "SLI",
                   [CASE_STRUCK] = "STRUCK"},
};

static const char *const groups[MARK_GROUP_COUNT] = {"record",   "turned-back", "stuck",   "ended", "accepted",
                                                     "repeated", "refused",     "verdict", "fault", "case"};

unsigned marks_report(const struct totals *t)
{
    unsigned missed = 0;
    for (unsigned g = 0; g < MARK_GROUP_COUNT; g++)
        for (unsigned n = 0; n < MARK_NUMBER_MAX; n++)
            if (names[g][n] != NULL && t->marks[g][n] == 0) {
                printf("sim: never reached: %s/%s\n", groups[g], names[g][n]);
                missed++;
            }
    return missed;
}
