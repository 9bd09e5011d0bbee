/* defect.h - planted defects, so that the tests are tested: the simulator must find each (tests/sim/defects.txt).
 * In every other build DEFECT() is 0, and nothing of it is left. */
#ifndef SAGA_BASE_DEFECT_H
#define SAGA_BASE_DEFECT_H

#define DEFECT_TABLE(X) \
    X(CALL_BEFORE_DURABLE) \
    X(REPLY_BEFORE_DURABLE) \
    X(RECORD_MISSING) \
    X(REQUEST_ID_FORGOTTEN) \
    X(HISTORY_IS_DAMAGE) \
    X(MOVE_LOSES_ONE) \
    X(DROPS_WHAT_IS_NEEDED) \
    X(WRONG_ORDER) \
    X(DEPENDENCY_IGNORED) \
    X(UNKNOWN_NOT_OWED) \
    X(UNKNOWN_IS_DONE) \
    X(LAST_ATTEMPT_DECIDES) \
    X(LOST_CALL_IS_REJECTED) \
    X(TIMER_LOST_AT_RECOVERY) \
    X(UNDO_WHILE_CALL_IS_OUT) \
    X(UNDO_BEFORE_QUIET) \
    X(QUIET_IS_NOT_ROUNDED) \
    X(MADE_UP_STATUS_ENDS) \
    X(BARRIER_ASSUMED) \
    X(UNDO_AFTER_PIVOT) \
    X(CANCEL_AFTER_PIVOT) \
    X(RETRIED_PIVOT_FORGOTTEN) \
    X(NEW_KEY_EACH_ATTEMPT) \
    X(ACTION_TIME_FORGOTTEN) \
    X(BULKHEAD_IGNORED) \
    X(QUEUE_FORGOTTEN) \
    X(UNREACHED_COUNTS) \
    X(TARGET_STAYS_DOWN) \
    X(REPEATED_BEGIN_ACTS) \
    X(REFUSED_STEP_ACTS_AGAIN) \
    X(TIMERS_FIRST) \
    X(LATE_TURN_FORGOTTEN) \
    X(OWNERS_WORD_IGNORED) \
    X(FORWARD_GIVES_UP) \
    X(STUCK_IS_SILENT) \
    X(PENDING_IS_DONE) \
    X(AMBIGUOUS_IS_DONE) \
    X(AMBIGUOUS_IS_PENDING) \
    X(FENCED_IS_DONE) \
    X(REPLY_OVERTAKES) \
    X(ENDED_LEAVES_EARLY) \
    X(PARKED_FORGOTTEN) \
    X(EPOCH_FORGOTTEN) \
    X(TAG_FORGOTTEN) \
    X(RESUME_ENDS_EARLY) \
    X(CUT_MISCOUNTED) \
    X(TIGHT_HEARS_NOBODY)

#ifdef SAGA_DEFECTS
#define DEFECT_CONSTANT(name) DEFECT_##name,
enum saga_defect { DEFECT_NONE, DEFECT_TABLE(DEFECT_CONSTANT) DEFECT_COUNT };
extern int saga_defect; /* the one that is planted */
#define DEFECT(name) (saga_defect == DEFECT_##name)
#else
#define DEFECT(name) 0
#endif

#endif
