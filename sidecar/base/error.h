/* error.h - what can go wrong, in one table: a function returns 0 or a negative code from here.
 *
 * Columns: constant, number, stable reason (ErrorInfo.reason on the wire), gRPC status, retryable, text.
 * Numbers and reasons are part of the API: add at the end, never change or reuse one. */
#ifndef SAGA_BASE_ERROR_H
#define SAGA_BASE_ERROR_H

#include <stdbool.h>

#define ERROR_TABLE(X) \
    X(E_MEMORY, -1, "OUT_OF_MEMORY", CODE_RESOURCE_EXHAUSTED, true, "no memory is left") \
    X(E_ARGUMENT, -2, "INVALID_ARGUMENT", CODE_INVALID_ARGUMENT, false, "the request is not valid") \
    X(E_SAGA_NOT_FOUND, -3, "SAGA_NOT_FOUND", CODE_NOT_FOUND, false, "no saga has this id") \
    X(E_STEP_NOT_FOUND, -4, "STEP_NOT_FOUND", CODE_NOT_FOUND, false, "the saga has no step of this name") \
    X(E_DEFINITION_NOT_FOUND, -5, "DEFINITION_NOT_FOUND", CODE_NOT_FOUND, false, "no such definition is registered") \
    X(E_DEFINITION_EXISTS, -6, "DEFINITION_EXISTS", CODE_ALREADY_EXISTS, false, \
      "this name and version are registered with another text") \
    X(E_REQUEST_ID_REUSED, -7, "REQUEST_ID_REUSED", CODE_ALREADY_EXISTS, false, \
      "this request_id was used for a different request") \
    X(E_LIVE_SAGAS, -8, "LIVE_SAGAS_MAX", CODE_RESOURCE_EXHAUSTED, true, "the sidecar holds live_sagas_max sagas") \
    X(E_STEPS, -9, "STEPS_MAX", CODE_RESOURCE_EXHAUSTED, false, "the saga has steps_max steps") \
    X(E_PAYLOAD, -10, "PAYLOAD_BYTES_MAX", CODE_RESOURCE_EXHAUSTED, false, "the payload is over payload_bytes_max") \
    X(E_JOURNAL_FULL, -11, "JOURNAL_FULL", CODE_RESOURCE_EXHAUSTED, true, \
      "the journal's disk is full; sagas in flight wait for room") \
    X(E_JOURNAL, -12, "JOURNAL_ERROR", CODE_INTERNAL, false, "the journal cannot be read or written") \
    X(E_JOURNAL_CORRUPT, -13, "JOURNAL_CORRUPT", CODE_DATA_LOSS, false, "the journal is damaged") \
    X(E_JOURNAL_LOCKED, -14, "JOURNAL_LOCKED", CODE_FAILED_PRECONDITION, false, \
      "another sidecar uses this data directory") \
    X(E_JOURNAL_VERSION, -15, "JOURNAL_VERSION", CODE_FAILED_PRECONDITION, false, \
      "the journal was written by a newer sagad") \
    X(E_SAGA_ENDED, -16, "SAGA_ENDED", CODE_FAILED_PRECONDITION, false, "the saga has ended") \
    X(E_SAGA_TURNED_BACK, -17, "SAGA_TURNED_BACK", CODE_FAILED_PRECONDITION, false, "the saga is being undone") \
    X(E_SAGA_STUCK, -18, "SAGA_STUCK", CODE_FAILED_PRECONDITION, false, \
      "the saga is a dead letter and waits for an operator") \
    X(E_SAGA_NOT_STUCK, -19, "SAGA_NOT_STUCK", CODE_FAILED_PRECONDITION, false, "the saga is not a dead letter") \
    X(E_AFTER_PIVOT, -20, "AFTER_PIVOT", CODE_FAILED_PRECONDITION, false, \
      "the saga's pivot has been started; its answer decides which way the saga goes") \
    X(E_NOT_ENLISTED, -21, "NOT_ENLISTED_SAGA", CODE_FAILED_PRECONDITION, false, \
      "the saga is orchestrated from a definition; its steps are not the caller's") \
    X(E_STEP_EXISTS, -22, "STEP_EXISTS", CODE_ALREADY_EXISTS, false, "the step is enlisted with another compensation") \
    X(E_STEP_SETTLED, -23, "STEP_SETTLED", CODE_FAILED_PRECONDITION, false, \
      "the step is settled with another outcome") \
    X(E_STEPS_OPEN, -24, "STEPS_OPEN", CODE_FAILED_PRECONDITION, false, \
      "a step is not settled, or its outcome is unknown; settle it, or abort") \
    X(E_TARGET_NOT_FOUND, -25, "TARGET_NOT_FOUND", CODE_INVALID_ARGUMENT, false, \
      "sagad.yaml names no target of this name") \
    X(E_CALLS_IN_FLIGHT, -26, "CALLS_IN_FLIGHT", CODE_FAILED_PRECONDITION, true, \
      "calls of the saga are still in flight; try again when they have ended") \
    X(E_OUTPUT_NEEDED, -27, "OUTPUT_NEEDED", CODE_FAILED_PRECONDITION, false, \
      "a later step needs this step's output, so it cannot be skipped") \
    X(E_STOPPING, -28, "STOPPING", CODE_UNAVAILABLE, true, "the sidecar is stopping") \
    X(E_QUEUE, -29, "QUEUE_FULL", CODE_RESOURCE_EXHAUSTED, true, "a queue of the sidecar is full") \
    X(E_STREAMS, -30, "STREAMS_MAX", CODE_RESOURCE_EXHAUSTED, true, "the sidecar serves streams_max streams") \
    X(E_CURSOR, -31, "CURSOR_EXPIRED", CODE_OUT_OF_RANGE, false, \
      "the journal no longer holds what follows this cursor") \
    X(E_SYNTAX, -32, "SYNTAX", CODE_INVALID_ARGUMENT, false, "the text cannot be read") \
    X(E_DEFINITIONS, -33, "DEFINITIONS_MAX", CODE_RESOURCE_EXHAUSTED, false, \
      "the sidecar holds definitions_max definitions") \
    X(E_SYSTEM, -34, "SYSTEM", CODE_INTERNAL, false, "the operating system refused") \
    X(E_JOURNAL_FENCED, -35, "JOURNAL_FENCED", CODE_UNAVAILABLE, true, \
      "the journal is no longer this sidecar's: another has it, or its files are gone") \
    X(E_JOURNAL_AWAY, -36, "JOURNAL_AWAY", CODE_UNAVAILABLE, true, \
      "the journal does not say what became of its last commit; sagas in flight wait for that") \
    X(E_SAGA_PAUSED, -37, "SAGA_PAUSED", CODE_FAILED_PRECONDITION, true, \
      "the saga is paused: no new step is taken until it is resumed") \
    X(E_SCHEMA_NOT_FOUND, -38, "SCHEMA_NOT_FOUND", CODE_NOT_FOUND, false, "no such schema is registered") \
    X(E_SCHEMAS, -39, "SCHEMAS_MAX", CODE_RESOURCE_EXHAUSTED, false, "the sidecar holds schemas_max schemas") \
    X(E_REQUIRED, -40, "REQUIREMENT_NOT_MET", CODE_FAILED_PRECONDITION, false, \
      "what the definition requires of a saga does not hold") \
    X(E_EXPRESSION, -41, "EXPRESSION_FAILED", CODE_INVALID_ARGUMENT, false, "an expression of the definition failed") \
    X(E_BYTES, -42, "MEMORY_BYTES_MAX", CODE_RESOURCE_EXHAUSTED, true, \
      "the sidecar's memory is nearly used up (memory_bytes_max)") \
    X(E_PERMISSION, -43, "PERMISSION_DENIED", CODE_PERMISSION_DENIED, false, "no rule allows the caller to do this") \
    X(E_POLICY, -44, "POLICY_VIOLATED", CODE_FAILED_PRECONDITION, false, "a rule of the policy does not allow it") \
    X(E_REFLECTION, -45, "REFLECTION_FAILED", CODE_FAILED_PRECONDITION, false, \
      "the target does not tell of its messages") \
    X(E_BULK_EXISTS, -46, "BULK_EXISTS", CODE_ALREADY_EXISTS, false, "there is another bulk job with this id") \
    X(E_BULK_NOT_FOUND, -47, "BULK_NOT_FOUND", CODE_NOT_FOUND, false, "there is no bulk job with this id") \
    X(E_BULK_ENDED, -48, "BULK_ENDED", CODE_FAILED_PRECONDITION, false, "the bulk job has ended") \
    X(E_BULK_JOBS, -49, "BULK_JOBS_MAX", CODE_RESOURCE_EXHAUSTED, true, \
      "64 bulk jobs go on: wait for one, or cancel it") \
    X(E_SAGA_AWAY, -50, "SAGA_AWAY", CODE_UNAVAILABLE, true, \
      "no sidecar of the fleet has the saga's journal just now: one will take it over") \
    X(E_DEFINITION_LIMIT, -51, "DEFINITION_LIMIT", CODE_RESOURCE_EXHAUSTED, true, \
      "as many sagas of the definition live, or begin in a second, as may (definition_limits)") \
    X(E_HELD, -52, "DEFINITION_HELD", CODE_UNAVAILABLE, true, \
      "starts of this definition are held: sagactl release lets it go") \
    X(E_HOLDS, -53, "HOLDS_MAX", CODE_RESOURCE_EXHAUSTED, false, "64 definitions are held: let one go first") \
    X(E_RULE_NOT_FOUND, -54, "RULE_NOT_FOUND", CODE_NOT_FOUND, false, "sagad.yaml has no rule of this name") \
    X(E_NO_FLEET, -55, "NO_FLEET", CODE_FAILED_PRECONDITION, false, "the sidecar is in no fleet") \
    X(E_FAULTS_OFF, -56, "FAULT_INJECTION_OFF", CODE_FAILED_PRECONDITION, false, \
      "this sidecar lets nobody inject faults; sagad.yaml must say fault_injection: true")

#define ERROR_CONSTANT(constant, number, reason, status, retryable, text) constant = number,
enum error_code { ERROR_TABLE(ERROR_CONSTANT) };
#undef ERROR_CONSTANT

struct error_row {
    int code;           /* negative */
    const char *reason; /* stable, upper case with underscores */
    int grpc_status;
    bool retryable;
    const char *text; /* for people; may change */
};

/* The row of a code. A code outside the table is a defect of the caller (CHECK). */
const struct error_row *error_row(int code);

/* Room for what a person needs beyond the code. The caller owns it; a function that fails fills it in. */
struct error_detail {
    char field[96]; /* path of the field at fault, as in "steps[2].action", or "" */
    char text[224]; /* one sentence, or "" for the code's own text */
    int retry_ms;   /* of a refusal: how long to wait before the next try; 0: as its code says */
    int line;       /* of a text file, from 1; 0 when there is none */
    int column;
    const char *
        rule; /* of a definition: the rule that it breaks, by its name in sidecar/lint/lint.def; NULL: none in particular */
};

/* Sets field and text (both copied, cut when too long; NULL is ""), clears the rest, and returns code. */
int error_set(struct error_detail *detail, int code, const char *field, const char *text);

/* Appends more to detail->text, cut when too long. */
void error_append(struct error_detail *detail, const char *more);

#endif
