/* async_inside.h - what the files of the asynchronous half share. Internal to client-lib/src.
 *
 *   async.c        the public face: commands queued, completions polled
 *   async_queue.c  the queue: what waits, what times out when, what is complete
 *   async_pipe.c   on the wire's thread: commands gathered into messages of Pipe, answers, lost connections
 *
 * A command is on the heap of deadlines from queueing to completion. Beside that it is in one place: waiting, in a message that was sent, or
 * (with async_poll) among the completed. */
#ifndef SAGA_CLIENT_ASYNC_INSIDE_H
#define SAGA_CLIENT_ASYNC_INSIDE_H

#include <pthread.h>

#include <saga/async.h>

#include "saga/v1/coordinator.pb-c.h"

struct sent_message;
struct wire_duplex;

struct command {
    struct command *next, *previous; /* waiting, or completed */
    struct sent_message *message;    /* NULL: it waits */
    size_t message_index;
    size_t heap_index;
    int64_t deadline;
    bool left; /* it was in a message on a connection that broke: it may have been carried out */
    Saga__V1__Command__CommandCase kind;
    saga_async_done done;
    void *user;

    int code; /* how it ended, for saga_async_poll */
    bool already_started;
    char saga_id[SAGA_ID_SIZE];
    struct saga_error *error; /* owned; NULL on SAGA_OK, or when there was no memory for it */

    size_t size; /* of bytes: the command as it stands in a PipeRequest, its tag and length included */
    uint8_t bytes[];
};

struct command_list {
    struct command *first, *last;
};

struct async {
    pthread_mutex_t mutex;  /* guards what follows, up to fd */
    pthread_cond_t changed; /* on the monotonic clock: a command was completed */
    struct command_list waiting;
    struct command_list completed; /* wait for saga_async_poll */
    struct command **heap;         /* by deadline, the earliest first */
    size_t heap_count, heap_room;
    size_t outstanding; /* queued, and the callback has not returned */
    size_t outstanding_bytes;
    size_t open; /* of those: not completed yet */
    int fd;      /* eventfd, or -1 */

    /* The wire's thread's own. */
    struct wire_duplex *stream;
    bool sending;    /* a message has not been handed to the connection yet */
    bool breaking;   /* the stream was cancelled, and has not ended yet */
    int64_t open_at; /* no new stream before */
    int64_t delay_ms;
    struct sent_message *sent_first, *sent_last; /* without an answer, in order */
    unsigned sent_count;
};

/* ---- async_queue.c ---- */

/* Fails with RESOURCE_EXHAUSTED or INTERNAL (no eventfd). */
int async_init(saga_client *client, struct saga_error *error);

/* After saga_client_shutdown: waits until the wire's thread has completed everything, and runs the callbacks that nobody has polled for. */
void async_await_end(saga_client *client);

/* Frees. Every command has been completed. */
void async_finish(saga_client *client);

/* Queues (takes) a command. Fails with RESOURCE_EXHAUSTED (CLIENT_QUEUE_FULL or OUT_OF_MEMORY). */
int async_push(saga_client *client, struct command *command, struct saga_error *error);

/* On the wire's thread. */

/* Takes a waiting command of at most size_max bytes, or NULL. */
struct command *async_take(struct async *a, size_t size_max);

/* Takes what waits, all of it. */
struct command_list async_take_all(struct async *a);

/* Puts commands that were taken back before all that wait. */
void async_put_back(struct async *a, struct command_list list);

/* Takes a command whose deadline has passed, out of what waits or out of its message; NULL: none, with *next the earliest deadline. */
struct command *async_take_expired(struct async *a, int64_t now, int64_t *next);

bool async_is_waiting(struct async *a);

/* Completes a command that was taken, and frees it or leaves it to saga_async_poll. */
struct completion {
    int code;
    const struct saga_error *error;
    const char *saga_id; /* NULL: "" */
    bool already_started;
};
void async_complete(saga_client *client, struct command *command, const struct completion *completion);

void command_append(struct command_list *list, struct command *command);

/* ---- async_pipe.c ---- */

struct sent_message {
    struct sent_message *next;
    size_t count;
    struct command *commands[]; /* NULL: it has timed out */
};

/* On the wire's thread, after each of its events. Returns when it wants to run again. */
int64_t async_turn(saga_client *client);

#endif
