/* client.h - start sagas, run enlisted ones, wait for them, watch them.
 *
 *   saga_client *client;
 *   saga_client_open(NULL, &client, &error);
 *   saga_start(client, &(struct saga_start_options){.definition = "checkout"}, &started, &error);
 *   saga_wait(client, started.saga_id, 0, 30000, &saga, &error);
 *   saga_client_close(client);
 *
 * Every struct here may be zeroed: 0, NULL and false take the default that is named beside the member. Later versions add members at the
 * end only, in the place of `reserved`, so zero what is not set (a designated initializer, or memset).
 *
 * Deadlines and retries. Every call to the sidecar has a deadline. Within it the library connects, reconnects and repeats by itself, with
 * jittered delays, whatever got lost with a connection: the sidecar carries out each of these calls once, however often it comes (for
 * starting that is what request_id is for, and the library makes one when none is given). So an error is never "maybe try again": it is the
 * sidecar's definite answer, or one of
 *   UNAVAILABLE, SIDECAR_UNREACHABLE       no connection until the deadline (with fail_fast: now); certainly not carried out
 *   DEADLINE_EXCEEDED, DEADLINE_EXCEEDED   it left, but no answer came; it may have been carried out, or still be
 *   RESOURCE_EXHAUSTED, ...                a limit is reached; retry_delay_ms says when a new try makes sense
 *
 * Threads. Any number of threads may use one client, and one enlisted saga. The client has one thread of its own.
 *
 * Fork. Fork before the first client or participant is opened, or exec in the child: gRPC does not survive fork(). In the child of a process
 * that had opened one, every function fails at once with FAILED_PRECONDITION, CLIENT_FORKED, opening another one too, and saga_client_close
 * frees nothing. */
#ifndef SAGA_CLIENT_H
#define SAGA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <saga/error.h>
#include <saga/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longest texts with their NUL. */
#define SAGA_ID_SIZE         64
#define SAGA_REQUEST_ID_SIZE 129
#define SAGA_NAME_SIZE       129

/* ---- the client ---- */

/* A connection to one sidecar. */
typedef struct saga_client saga_client;

struct saga_client_options {
    const char *
        address; /* "unix:PATH", "HOST:PORT", "tls://HOST:PORT" or "plaintext://HOST:PORT" (of another machine); NULL: $SAGAD_ADDRESS, else unix:./sagad-data/sagad.sock when that exists,
                                     else 127.0.0.1:7240 */
    int64_t timeout_ms; /* for a call that names none; 0: 10000; negative: for ever */
    size_t
        message_bytes_max; /* the longest answer that is read; 0: 16 MiB or what the answers of pipe_commands_max commands need,
                                 2304 bytes each, which is the least; at most 2 GiB */
    bool
        fail_fast; /* true: the functions of this header fail with SIDECAR_UNREACHABLE as soon as a connection is refused;
                                     false: they wait for one until their deadline */
    bool lease_keeper_off; /* true: leases are not renewed by the library; see saga_keep_alive */
    /* The asynchronous half (async.h). */
    bool async_poll; /* true: completions wait for saga_async_poll; false: callbacks run on the client's thread */
    uint32_t queue_commands_max; /* commands that have not been completed; 0: 65536, at most 1048576 */
    size_t queue_bytes_max;      /* their bytes; 0: 64 MiB */
    uint32_t pipe_commands_max;  /* commands in one message; 0: 128, at most the sidecar's own pipe_commands_max */
    uint32_t pipe_messages_max;  /* messages without an answer; 0: 8, at most 1024 */
    /* TLS, for an address on another machine or one that begins with tls://. PEM files, looked at again when they change; each NULL: as
     * $SAGAD_TLS_CERTIFICATE, $SAGAD_TLS_KEY, $SAGAD_TLS_ROOTS and $SAGAD_TLS_IDENTITY say, else none. */
    const char *tls_certificate, *tls_key; /* by which the program proves who it is */
    const char *tls_roots;                 /* who may name others; none: those of the system */
    const char *
        tls_identity; /* who must be there: a SPIFFE id, the beginning of many (spiffe://...*), or a name; none: the host */
    uint64_t reserved[4]; /* must be 0 */
};

/* Opens a client. Does not wait for the sidecar: the first call connects. options is copied; NULL takes every default. Gives *out. Fails
 * with INVALID_ARGUMENT (field names the option), RESOURCE_EXHAUSTED (no memory) or INTERNAL (no thread). Thread-safe. */
SAGA_API int saga_client_open(const struct saga_client_options *options, saga_client **out, struct saga_error *error);

/* Makes every call that waits, in any thread, end with CANCELLED and CLIENT_CLOSED, and so every later one. What had been sent is carried
 * out all the same. Thread-safe. */
SAGA_API void saga_client_shutdown(saga_client *client);

/* Shuts down, completes what is outstanding in the asynchronous half with CANCELLED, and frees. Every saga_tx and saga_watch of the client
 * must have been freed, and no other thread may still be inside a function of it. Not from a callback. Accepts NULL. */
SAGA_API void saga_client_close(saga_client *client);

/* The sidecar's address, as given or found. A view, valid until saga_client_close. Thread-safe. */
SAGA_API const char *saga_client_address(const saga_client *client);

/* ---- definitions ---- */

struct saga_registration {
    char name[SAGA_NAME_SIZE];
    char version[SAGA_NAME_SIZE];
    bool already_registered; /* the same text was registered before */
};

/* Registers a definition from its YAML text (borrowed). dry_run only checks it. *out (may be NULL) is filled on success. Fails with
 * INVALID_ARGUMENT (message has line and column) or ALREADY_EXISTS (another text under the same name and version). Thread-safe. */
SAGA_API int saga_register_definition(saga_client *client, const char *yaml, size_t size, bool dry_run,
                                      struct saga_registration *out, struct saga_error *error);

/* ---- orchestrated sagas ---- */

/* Of a saga's calls, where many wait for a participant. */
enum saga_priority {
    SAGA_PRIORITY_LOW = 1,
    SAGA_PRIORITY_NORMAL = 2,
    SAGA_PRIORITY_HIGH = 3,
};

struct saga_start_options {
    const char *definition; /* required */
    const char *version;    /* NULL: the highest that is registered */
    const char *
        request_id; /* the caller's own key, at most 128 bytes: the same one with the same content is the same saga, also after a
                                crash of the caller. NULL: the library makes one, which covers its own retries */
    const void *input; /* input_size bytes, handed to the steps as the definition says */
    size_t input_size;
    int64_t deadline_ms;     /* of the saga; 0: the definition's */
    const char *traceparent; /* W3C trace context for the participants, or NULL */
    int64_t timeout_ms;      /* of the call; 0: the client's */
    uint64_t priority;       /* enum saga_priority; 0: the definition's */
    uint64_t reserved[3];    /* must be 0 */
};

struct saga_started {
    char saga_id[SAGA_ID_SIZE];
    char request_id[SAGA_REQUEST_ID_SIZE];
    bool already_started; /* request_id was seen before, or a repeated call came twice */
};

/* Starts a saga. On SAGA_OK it is durable and will end by itself; *out (may be NULL) says its id. Thread-safe. */
SAGA_API int saga_start(saga_client *client, const struct saga_start_options *options, struct saga_started *out,
                        struct saga_error *error);

/* ---- enlisted sagas ----
 * The service acts by itself and tells the sidecar how each step would be undone:
 * begin, then for each step enlist (durable when it returns; act only then) and settle, then commit or abort. When the process dies on the
 * way, the lease lapses and the sidecar undoes what was enlisted. */

/* How a step is retried. */
struct saga_retry_policy {
    int32_t max_attempts; /* 1 to 1000; 0: the sidecar's default, and so below */
    int64_t initial_backoff_ms;
    int64_t max_backoff_ms;
    double backoff_multiplier; /* at least 1 */
    double jitter;             /* up to 1; negative: none */
};

/* The call that undoes a step. */
struct saga_compensation {
    const char *target;  /* a name from `targets` in sagad.yaml; required */
    const char *method;  /* "/bank.v1.Bank/Refund"; required */
    const void *request; /* request_size bytes: the serialized request message */
    size_t request_size;
    int64_t timeout_ms;                    /* of each attempt; 0: the target's */
    const struct saga_retry_policy *retry; /* NULL: the sidecar's default */
    uint64_t reserved[2];                  /* must be 0 */
};

struct saga_enlistment {
    const char *step; /* unique within the saga; 1 to 64 bytes of letters, digits, '-', '_', '.' */
    const struct saga_compensation *compensation; /* NULL: the step needs no undoing */
};

enum saga_outcome {
    SAGA_DONE = 1,
    SAGA_REJECTED = 2, /* certainly not executed: will not be undone */
    SAGA_UNKNOWN = 3,  /* may have been executed: will be undone, and the saga cannot commit */
};

struct saga_settlement {
    const char *step;
    int outcome;        /* enum saga_outcome */
    const void *output; /* output_size bytes, kept with the step */
    size_t output_size;
    bool use_output_for_compensation; /* the compensation is called with output in place of its own request */
    /* Of SAGA_UNKNOWN: for so long the action may still take effect (a call of yours that has not ended: what is left of its deadline, and
     * some for the way); its undo waits. 0: it cannot any more. */
    int64_t may_run_for_ms;
};

/* Enlistments or settlements in one call. */
#define SAGA_STEPS_PER_CALL_MAX 256

struct saga_begin_options {
    const char *name;       /* what kind of saga this is; 1 to 128 bytes of letters, digits, '-', '_', '.'; required */
    const char *request_id; /* as in saga_start_options */
    int64_t deadline_ms;    /* the sidecar aborts the saga when it is not committed by then; 0: the sidecar's default */
    int64_t
        lease_ms; /* the sidecar aborts it when it hears nothing of its owner for so long; 0: the sidecar's default */
    const char *traceparent;
    const struct saga_enlistment *enlist; /* enlist_count steps to enlist at once */
    size_t enlist_count;
    int64_t timeout_ms;   /* of this call and of each later one for the saga; 0: the client's */
    uint64_t reserved[4]; /* must be 0 */
};

/* An enlisted saga in this process. The client renews its lease until it is committed, aborted or freed. */
typedef struct saga_tx saga_tx;

/* Begins a saga, or finds the one that was begun with the same request_id and content before (saga_tx_already_started), which may have ended
 * since. Gives *out. Thread-safe. */
SAGA_API int saga_begin(saga_client *client, const struct saga_begin_options *options, saga_tx **out,
                        struct saga_error *error);

/* Takes up a saga that was begun elsewhere: by saga_async_begin, or by this service before it was restarted. Sends nothing. lease_ms and
 * timeout_ms as in saga_begin_options. saga_id is copied. Gives *out. Thread-safe. */
SAGA_API int saga_tx_attach(saga_client *client, const char *saga_id, int64_t lease_ms, int64_t timeout_ms,
                            saga_tx **out, struct saga_error *error);

/* The saga's id. A view, valid until saga_tx_free. Thread-safe. */
SAGA_API const char *saga_tx_id(const saga_tx *tx);

/* Whether saga_begin found a saga with this request_id: steps may have been enlisted and carried out already. Thread-safe. */
SAGA_API bool saga_tx_already_started(const saga_tx *tx);

/* The idempotency key of the action of a step that was enlisted with this tx, or NULL: the compensation's calls name it as
 * saga-action-key, so a barrier of your own runs the action under it. A view, valid until saga_tx_free. Thread-safe. */
SAGA_API const char *saga_tx_action_key(const saga_tx *tx, const char *step);

/* For how long the sidecar will surely not abort the saga for want of a sign of life, counted from when the last call that it answered was
 * sent. 0: it may have been aborted, or the sidecar has said that it has ended or turned back; stop acting. -1: not known yet, since the
 * sidecar has not answered a call for it that tells (a saga that was begun before or attached to, or whose lease is the sidecar's own).
 * Thread-safe. */
SAGA_API int64_t saga_tx_lease_left_ms(const saga_tx *tx);

/* Enlists a step with the call that undoes it (NULL: nothing to undo). When it returns SAGA_OK this is durable: act now, not before.
 * Thread-safe. */
SAGA_API int saga_enlist(saga_tx *tx, const char *step, const struct saga_compensation *compensation,
                         struct saga_error *error);

/* Tells how a step went. output (may be NULL) is kept with it. Thread-safe. */
SAGA_API int saga_settle(saga_tx *tx, const char *step, enum saga_outcome outcome, const void *output,
                         size_t output_size, struct saga_error *error);

/* Settles some steps and enlists others, all or none, in one call and one durable write: the cheap way from one step to the next. Either
 * array may be empty. At most SAGA_STEPS_PER_CALL_MAX of each. Thread-safe. */
SAGA_API int saga_advance(saga_tx *tx, const struct saga_settlement *settle, size_t settle_count,
                          const struct saga_enlistment *enlist, size_t enlist_count, struct saga_error *error);

/* Commits: nothing will be undone. FAILED_PRECONDITION (STEPS_OPEN) while a step is not settled or its outcome is unknown, or
 * (SAGA_TURNED_BACK) when the sidecar has aborted it. A step that was rejected does not keep a saga from committing: whether the saga can do
 * without it, the caller knows. Thread-safe. */
SAGA_API int saga_commit(saga_tx *tx, struct saga_error *error);

/* Settles the last steps and commits, both or neither. Thread-safe. */
SAGA_API int saga_commit_with(saga_tx *tx, const struct saga_settlement *settle, size_t settle_count,
                              struct saga_error *error);

/* Turns the saga back: durable when it returns; saga_wait tells when it is undone. Steps that are not settled count as UNKNOWN and are
 * undone. reason is for people, and may be NULL. Thread-safe. */
SAGA_API int saga_abort(saga_tx *tx, const char *reason, struct saga_error *error);

/* Renews the lease by hand; for clients with lease_keeper_off. *lease_ms (may be NULL) says until when, from now. Thread-safe. */
SAGA_API int saga_keep_alive(saga_tx *tx, int64_t *lease_ms, struct saga_error *error);

/* Frees the handle and stops renewing; does not end the saga. One that is neither committed nor aborted will be aborted by the sidecar when
 * its lease has lapsed. No other thread may be using tx. Accepts NULL. */
SAGA_API void saga_tx_free(saga_tx *tx);

/* ---- what a saga looks like ---- */

enum saga_state {
    SAGA_STATE_RUNNING = 1,
    SAGA_STATE_COMMITTED =
        2, /* final: every step is done, or was skipped or, of an enlisted saga, refused and not needed */
    SAGA_STATE_COMPENSATING = 3, /* going back */
    SAGA_STATE_COMPENSATED = 4,  /* final: everything that was owed is undone */
    SAGA_STATE_STUCK = 5,        /* a dead letter: waits for an operator */
    SAGA_STATE_RESOLVED = 6,     /* final: an operator ended it by hand */
};

/* Numbers as in saga.v1.SagaState, Reason, ActionState, CompensationState and EventType (docs/api.md). The names are the values' names
 * without the enum's prefix: "COMMITTED", "ACTION_REJECTED", "OWED", "SAGA_STARTED"; "UNKNOWN_VALUE" for a number that this library does
 * not know. Views, valid for ever. Thread-safe. */
SAGA_API const char *saga_state_name(int state);
SAGA_API const char *saga_reason_name(int reason);
SAGA_API const char *saga_action_name(int action);
SAGA_API const char *saga_compensation_name(int compensation);
SAGA_API const char *saga_event_name(int type);

/* Whether the state is COMMITTED, COMPENSATED or RESOLVED. Thread-safe. */
SAGA_API bool saga_state_final(int state);

/* A saga, without its steps. Times are milliseconds since 1970, 0 when unset. */
struct saga_info {
    char saga_id[SAGA_ID_SIZE];
    char definition[SAGA_NAME_SIZE]; /* or the name given to saga_begin */
    char version[SAGA_NAME_SIZE];    /* "" for an enlisted saga */
    char request_id[SAGA_REQUEST_ID_SIZE];
    char reason_step[SAGA_NAME_SIZE]; /* the step that reason is about, or "" */
    char stuck_step[SAGA_NAME_SIZE];
    int state;        /* enum saga_state */
    int reason;       /* why it turned back; 0 while it has not */
    int stuck_reason; /* why it is STUCK; 0 otherwise */
    bool enlisted;
    bool paused;
    int64_t started_at_ms;
    int64_t ended_at_ms;
    int64_t deadline_ms;
};

/* Answer of saga_wait also when the saga gets STUCK. */
#define SAGA_WAIT_UNTIL_STUCK 1u
/* Answer of saga_wait also when nothing but the saga's deferred steps is left: its output is final, its state still RUNNING. */
#define SAGA_WAIT_UNTIL_ANSWERED 2u

/* Waits until a saga has ended, or as flags say. *out (may be NULL) is filled on SAGA_OK. timeout_ms: 0 the client's, negative for ever. DEADLINE_EXCEEDED
 * when it has not ended in time; the saga goes on either way. Thread-safe. */
SAGA_API int saga_wait(saga_client *client, const char *saga_id, unsigned flags, int64_t timeout_ms,
                       struct saga_info *out, struct saga_error *error);

/* Asks for a saga's state. Fails with NOT_FOUND. Thread-safe. */
SAGA_API int saga_get(saga_client *client, const char *saga_id, struct saga_info *out, struct saga_error *error);

/* Turns a running saga back. FAILED_PRECONDITION once its pivot was started or it has ended otherwise. reason is for people, and may be NULL.
 * Thread-safe. */
SAGA_API int saga_cancel(saga_client *client, const char *saga_id, const char *reason, struct saga_error *error);

/* One step. Texts are never NULL. */
struct saga_step {
    const char *name;
    int action;       /* saga.v1.ActionState */
    int compensation; /* saga.v1.CompensationState */
    int action_attempts;
    int compensation_attempts;
    int64_t started_at_ms;
    const char *waiting_for;
    int last_status;
    const char *last_message;
    const void *output; /* only when payloads were asked for */
    size_t output_size;
};

/* One durable event: a line of the timeline. Texts are never NULL. */
struct saga_event {
    const char *cursor; /* saga_watch continues after it */
    int64_t at_ms;
    int type; /* saga.v1.EventType */
    const char *saga_id;
    const char *step; /* "" for events of the whole saga */
    int attempt;
    int status;
    const char *message;
    int reason;
    int action;
    int compensation;
    int state; /* enum saga_state, where it changed; else 0 */
    int64_t next_attempt_at_ms;
    const char *actor;
    const char *definition;
};

/* A saga with its steps and its timeline, as they were at one moment. */
typedef struct saga_snapshot saga_snapshot;

/* With the payloads of the steps. */
#define SAGA_SNAPSHOT_PAYLOADS 1u

/* Gives *out. Thread-safe. */
SAGA_API int saga_snapshot_get(saga_client *client, const char *saga_id, unsigned flags, saga_snapshot **out,
                               struct saga_error *error);

/* Views of a snapshot, valid until saga_snapshot_free. An index that is out of range gives NULL. Thread-safe. */
SAGA_API const struct saga_info *saga_snapshot_info(const saga_snapshot *snapshot);
SAGA_API size_t saga_snapshot_step_count(const saga_snapshot *snapshot);
SAGA_API const struct saga_step *saga_snapshot_step(const saga_snapshot *snapshot, size_t index);
SAGA_API size_t saga_snapshot_event_count(const saga_snapshot *snapshot);
SAGA_API const struct saga_event *saga_snapshot_event(const saga_snapshot *snapshot, size_t index);
/* Whether there were earlier events: a snapshot has the latest 5,000, and retention takes the earliest out of the journal. */
SAGA_API bool saga_snapshot_truncated(const saga_snapshot *snapshot);

/* Accepts NULL. */
SAGA_API void saga_snapshot_free(saga_snapshot *snapshot);

/* ---- watching ---- */

/* A stream of events that survives lost connections: it goes on after the last event it has given. */
typedef struct saga_watch saga_watch;

/* Watches one saga (NULL: all) from after cursor (NULL: from the start of the saga, or from now for all; "now" is when the sidecar is first
 * asked, in saga_watch_next, and again when the connection is lost before there was any event). Texts are copied. Gives *out. What is wrong
 * with them shows in saga_watch_next. Thread-safe. */
SAGA_API int saga_watch_open(saga_client *client, const char *saga_id, const char *cursor, saga_watch **out,
                             struct saga_error *error);

/* Waits for the next event: *event is a view, valid until the next call for this watch. timeout_ms: 0 does not wait, negative for ever.
 * *event is NULL with SAGA_OK when there will be no more, since the saga has ended. DEADLINE_EXCEEDED when none came in time: call again.
 * UNAVAILABLE when the sidecar could not be reached in time: call again. OUT_OF_RANGE (CURSOR_EXPIRED) when events were missed because the
 * journal no longer holds them; open a new watch. One thread at a time. */
SAGA_API int saga_watch_next(saga_watch *watch, int64_t timeout_ms, const struct saga_event **event,
                             struct saga_error *error);

/* Makes saga_watch_next, in any thread, return CANCELLED, now and later. Thread-safe. */
SAGA_API void saga_watch_cancel(saga_watch *watch);

/* Accepts NULL. No other thread may be using watch. */
SAGA_API void saga_watch_close(saga_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
