/* async.h - sagas without waiting: commands are queued, gathered into few messages, and completed by callbacks. The way to many thousands a
 * second from one process.
 *
 * A command that is accepted (SAGA_OK) is completed exactly once. It keeps being sent, over as many connections as it takes, until the
 * sidecar has answered or its timeout has passed; the errors then are those of client.h. Commands of one client are carried out in the order
 * in which one thread queued them, each by itself: one that fails does not stop the next. Of one saga, queue the next command when the one
 * before has been completed: else, after a lost connection, the earlier one is repeated behind the later one and may be told that the saga has
 * ended already.
 *
 * Where callbacks run: with async_poll off on the client's thread, so they must not block, and the waiting functions of client.h fail there
 * with FAILED_PRECONDITION, CLIENT_CALLBACK. With async_poll on, in whoever calls saga_async_poll. A callback may queue more commands.
 *
 * Leases: the client does not renew those of sagas begun here. Short ones need none; others are given to saga_tx_attach. */
#ifndef SAGA_ASYNC_H
#define SAGA_ASYNC_H

#include <saga/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a command ended. Views, valid for the callback. */
struct saga_result {
    int code;                       /* enum saga_status */
    const struct saga_error *error; /* NULL on SAGA_OK */
    const char *saga_id;            /* of the saga that was started or begun; "" for other commands and on failure */
    bool already_started;
};

typedef void (*saga_async_done)(void *user, const struct saga_result *result);

/* Each function queues one command. Everything is copied. done may be NULL; user is handed to it. The options' timeout_ms (or timeout_ms)
 * counts from now until completion; 0: the client's. Fails without queueing, and without calling done, with INVALID_ARGUMENT, CANCELLED
 * (CLIENT_CLOSED) or RESOURCE_EXHAUSTED (CLIENT_QUEUE_FULL: queue_commands_max or queue_bytes_max is reached; OUT_OF_MEMORY). Thread-safe. */
SAGA_API int saga_async_start(saga_client *client, const struct saga_start_options *options, saga_async_done done,
                              void *user, struct saga_error *error);
SAGA_API int saga_async_begin(saga_client *client, const struct saga_begin_options *options, saga_async_done done,
                              void *user, struct saga_error *error);
SAGA_API int saga_async_advance(saga_client *client, const char *saga_id, const struct saga_settlement *settle,
                                size_t settle_count, const struct saga_enlistment *enlist, size_t enlist_count,
                                int64_t timeout_ms, saga_async_done done, void *user, struct saga_error *error);
SAGA_API int saga_async_commit(saga_client *client, const char *saga_id, const struct saga_settlement *settle,
                               size_t settle_count, int64_t timeout_ms, saga_async_done done, void *user,
                               struct saga_error *error);
SAGA_API int saga_async_abort(saga_client *client, const char *saga_id, const char *reason, int64_t timeout_ms,
                              saga_async_done done, void *user, struct saga_error *error);

/* An eventfd that is readable while completions wait for saga_async_poll. It belongs to the client: do not read or close it. -1 when
 * async_poll is off. Thread-safe. */
SAGA_API int saga_async_fd(const saga_client *client);

/* Runs the callbacks of at most max completions that wait, in the calling thread, and returns how many. Does not wait. Thread-safe. */
SAGA_API size_t saga_async_poll(saga_client *client, size_t max);

/* How many commands have been queued and not completed. Thread-safe. */
SAGA_API size_t saga_async_outstanding(const saga_client *client);

/* Waits until there are none. With async_poll on it runs the callbacks itself. timeout_ms: negative for ever. DEADLINE_EXCEEDED when some
 * are left. Not from a callback. Thread-safe. */
SAGA_API int saga_async_drain(saga_client *client, int64_t timeout_ms, struct saga_error *error);

#ifdef __cplusplus
}
#endif

#endif
