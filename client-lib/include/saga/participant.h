/* participant.h - be a participant of sagas: serve actions and compensations as gRPC methods, two functions a step.
 *
 *   static int reserve(saga_call *call, void *user) { ...; return saga_call_reply(call, answer, answer_size); }
 *
 *   saga_participant_open(&options, &participant, &error);
 *   saga_participant_step(participant, "/shop.Inventory/Reserve", reserve, "/shop.Inventory/Release", release, NULL, &error);
 *   saga_participant_run(participant, &error);
 *
 * A function runs on a pool of threads and may block. The same call may come more than once, an undo may come for an action that never
 * ran, and an action may come after its undo: <saga/sqlite.h> and <saga/pq.h> close all three inside the participant's own database
 * transaction. A function that is registered here without them has to do that by itself, with the keys in saga_call_info.
 *
 * What a participant answers to a call that it does not hand to a function:
 *   INVALID_ARGUMENT    saga metadata, grpc-timeout or the message is missing or malformed, or the method has no function for the phase
 *   UNIMPLEMENTED       no step has this method, or the message is compressed
 *   RESOURCE_EXHAUSTED  the queue is full (grpc-retry-pushback-ms says when to come again), or the message is over request_bytes_max
 *   DEADLINE_EXCEEDED   the call's deadline passed while it waited in the queue: it was not carried out
 *   UNAVAILABLE         the participant is stopping: it was not carried out
 * Every failure carries the trailing metadata saga-function: "not-begun" with these, "ended" when a function has returned. What gRPC libraries
 * and proxies make up has none, so that the sidecar knows from which failures on the attempt runs no more.
 * grpc.health.v1.Health/Check is served as well, for "" and for every service that has a method here.
 *
 * Fork before the first participant or client is opened, or exec: see client.h. */
#ifndef SAGA_PARTICIPANT_H
#define SAGA_PARTICIPANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <saga/error.h>
#include <saga/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define SAGA_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define SAGA_PRINTF(text, first)
#endif

/* ---- one call ---- */

/* One attempt of one action or compensation, on its way through a function. One thread at a time; it must not be used after the function
 * has returned. */
typedef struct saga_call saga_call;

enum saga_call_phase {
    SAGA_CALL_ACTION = 1,
    SAGA_CALL_COMPENSATION = 2,
};

/* What the caller knows of the action that a compensation undoes. */
enum saga_call_outcome {
    SAGA_CALL_OUTCOME_NONE = 0,    /* the call is an action */
    SAGA_CALL_OUTCOME_DONE = 1,    /* the action answered OK */
    SAGA_CALL_OUTCOME_UNKNOWN = 2, /* it may have been carried out, or not */
};

/* Longest texts of a call, in bytes. */
#define SAGA_CALL_ID_BYTES_MAX          64
#define SAGA_CALL_DEFINITION_BYTES_MAX  128
#define SAGA_CALL_STEP_BYTES_MAX        64
#define SAGA_CALL_KEY_BYTES_MAX         256
#define SAGA_CALL_TRACEPARENT_BYTES_MAX 64
#define SAGA_CALL_METHOD_BYTES_MAX      256
#define SAGA_CALL_MESSAGE_BYTES_MAX     256

/* What came with a call. Every text is printable ASCII, within its bound above, and never NULL. */
struct saga_call_info {
    const char *saga_id;
    const char *definition; /* its name, or the name that an enlisted saga was begun with */
    const char *step;
    const char *method;          /* "/package.Service/Method"; "" is allowed for a call that was created by hand */
    const char *idempotency_key; /* the same for every attempt of this step and phase */
    const char *action_key;      /* of a compensation: the idempotency key of the action it undoes; "" for an action */
    const char *traceparent;     /* W3C trace context, or "" */
    int phase;                   /* enum saga_call_phase */
    int action_outcome;          /* enum saga_call_outcome */
    int attempt;                 /* from 1 */
    int64_t timeout_ms;          /* what was left of its deadline when it arrived; 0: it has none */
    const void *request;         /* request_size bytes; any pointer when request_size is 0 */
    size_t request_size;
    int64_t
        action_started_ms; /* when the action was first attempted, or enlisted: since 1970, by the sidecar's clock; 0: not known */
};

/* What came with the call. A view, valid as long as the call. */
SAGA_API const struct saga_call_info *saga_call_info(const saga_call *call);

/* Sets the answer's bytes (copied; the last reply counts) and returns SAGA_OK, so that a function can end with it. More than
 * answer_bytes_max is RESOURCE_EXHAUSTED, and so is a lack of memory: the call then has no answer bytes and a message that says so. Without a
 * reply the answer is an empty message. */
SAGA_API int saga_call_reply(saga_call *call, const void *bytes, size_t size);

/* Sets the message that goes with a failure (saga_call_message may be among the arguments) and returns status, so that a function can end with it. The message is cut at
 * SAGA_CALL_MESSAGE_BYTES_MAX; what is not UTF-8 in it becomes '?'. A status that is no failure becomes INTERNAL. */
SAGA_API int saga_call_fail(saga_call *call, int status, const char *format, ...) SAGA_PRINTF(3, 4);

/* Milliseconds until the call's deadline: 0 when it has passed, INT64_MAX when the call has none. */
SAGA_API int64_t saga_call_time_left_ms(const saga_call *call);

/* Whether nobody waits for the answer any more: the caller cancelled or is gone, or the deadline has passed. A function that has not changed
 * anything yet may then give up with any failure. */
SAGA_API bool saga_call_cancelled(const saga_call *call);

/* The answer so far, for those who wrap functions. Views, valid until the next reply or failure. */
SAGA_API const void *saga_call_answer(const saga_call *call, size_t *size);
SAGA_API const char *saga_call_message(const saga_call *call);

/* Makes a call by hand, to run a function in a test, in an enlisted saga's own process, or behind another server. info and what it points to
 * are copied; texts that are NULL become "". Gives *out. Fails with INVALID_ARGUMENT (field names the member) by the same rules as for a
 * call that came in, or RESOURCE_EXHAUSTED. Thread-safe. */
SAGA_API int saga_call_create(const struct saga_call_info *info, saga_call **out, struct saga_error *error);

/* Only for calls from saga_call_create. Accepts NULL. */
SAGA_API void saga_call_destroy(saga_call *call);

/* ---- functions ---- */

/* Carries out an action or a compensation. Returns the gRPC status of the answer (enum saga_status), as a rule by saga_call_reply or
 * saga_call_fail; a number outside the table is answered as UNKNOWN. It runs on any thread of the pool, and for several calls at once. No C++
 * exception may leave it.
 *
 * What a status says to the saga: OK is done. INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE,
 * PERMISSION_DENIED and UNAUTHENTICATED of an action say that it was refused for good and nothing was changed: it will not be undone.
 * UNAVAILABLE, RESOURCE_EXHAUSTED and ABORTED ask for another attempt. Anything else says that nobody knows. A compensation is tried again
 * whatever failure it answers, so it should answer OK as soon as there is nothing left to undo.
 *
 * It must return: pthread_exit or longjmp out of it leaves its call without an answer, and saga_participant_stop waits for it for ever. */
typedef int (*saga_step_function)(saga_call *call, void *user);

/* ---- the server ---- */

/* A gRPC server with its threads. One owner: only saga_participant_interrupt may be called while another function runs. */
typedef struct saga_participant saga_participant;

/* 0 (or NULL) takes the default. A value out of bounds is INVALID_ARGUMENT with the field's name. */
struct saga_participant_options {
    const char *
        address; /* "127.0.0.1:0" (default), "[::1]:50051", "localhost:50051", "unix:/run/inventory.sock", "tls://0.0.0.0:50051" */
    /* TLS, for an address that other machines can reach or one that begins with tls://: PEM files, looked at again when they change. With roots
     * every caller must have a certificate by one of them. Each NULL: as $SAGAD_TLS_CERTIFICATE, $SAGAD_TLS_KEY and $SAGAD_TLS_ROOTS say, where the
     * address speaks TLS; "": none. */
    const char *tls_certificate, *tls_key, *tls_roots;
    bool plaintext_network;        /* allows an address that other machines can reach, although nothing is encrypted */
    uint32_t threads;              /* that run functions; 1 to 1024, default 8 */
    uint32_t queue_calls_max;      /* that wait for a thread; 1 to 65536, default 256 */
    uint32_t request_bytes_max;    /* 1 KiB to 64 MiB, default 4 MiB */
    uint32_t answer_bytes_max;     /* 1 KiB to 64 MiB, default 4 MiB */
    uint32_t connection_calls_max; /* at once on one connection; 1 to 65536, default 256 */
    uint32_t pushback_ms;          /* what a full queue tells callers to wait; 1 to 60000, default 200 */
    uint32_t handshake_timeout_ms; /* of a new connection; 100 to 600000, default 10000 */
    uint32_t stop_grace_ms;        /* 1 to 3600000, default 10000; see saga_participant_stop */
    const char *
        tls_identity; /* over TLS: who alone may call, the sidecar: a SPIFFE id, the beginning of many (spiffe://...*), or a name; others are
                       * refused with PERMISSION_DENIED before anything runs. NULL: $SAGAD_TLS_IDENTITY, else whomever tls_roots name */
    uint64_t reserved[3]; /* must be 0 */
};

/* Listens at the address, without serving yet. options is copied; NULL takes every default. Gives *out. Fails with INVALID_ARGUMENT,
 * UNAVAILABLE (the address cannot be listened at) or RESOURCE_EXHAUSTED (no memory). Thread-safe. */
SAGA_API int saga_participant_open(const struct saga_participant_options *options, saga_participant **out,
                                   struct saga_error *error);

/* The address with the port that was found, as a sidecar's target: "127.0.0.1:43211". A view, valid until saga_participant_close. */
SAGA_API const char *saga_participant_address(const saga_participant *participant);

/* Registers a step before the start: two full method names (copied) and the functions that carry them out. A step that needs no undoing has
 * NULL for both compensation and its method. user is handed to both functions and must outlive the participant. A method may be an action in
 * one step and a compensation in another. Fails with INVALID_ARGUMENT, ALREADY_EXISTS (the method has another function for that phase),
 * FAILED_PRECONDITION (it has been started) or RESOURCE_EXHAUSTED (no memory, or over 1024 methods). */
SAGA_API int saga_participant_step(saga_participant *participant, const char *action_method, saga_step_function action,
                                   const char *compensation_method, saga_step_function compensation, void *user,
                                   struct saga_error *error);

/* Begins to serve on threads of its own. Fails with FAILED_PRECONDITION (it was started before, or has no step) or RESOURCE_EXHAUSTED (no
 * threads). */
SAGA_API int saga_participant_start(saga_participant *participant, struct saga_error *error);

/* Stops serving: takes no new call, lets those that were taken end until stop_grace_ms have passed, then answers UNAVAILABLE to those that
 * still wait and tells those that run (saga_call_cancelled). Returns when the last function has returned and was answered: a function is
 * never cut short, and its call not ended before it, which its caller would take for its end. Nothing to do is fine. */
SAGA_API void saga_participant_stop(saga_participant *participant);

/* Starts, serves until SIGTERM, SIGINT or saga_participant_interrupt, and stops. While it runs it owns the handlers of both signals, so
 * only one participant of a process can be in it: a second fails with FAILED_PRECONDITION. Otherwise fails as saga_participant_start. */
SAGA_API int saga_participant_run(saga_participant *participant, struct saga_error *error);

/* Makes saga_participant_run return. Thread-safe, and safe in a signal handler. */
SAGA_API void saga_participant_interrupt(saga_participant *participant);

/* Stops if need be, and frees. Accepts NULL. */
SAGA_API void saga_participant_close(saga_participant *participant);

#ifdef __cplusplus
}
#endif

#endif
