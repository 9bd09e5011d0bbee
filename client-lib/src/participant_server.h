/* participant_server.h - what the files of the participant share. Internal to client-lib/src.
 *
 *   participant.c           the public face: options, steps, start, stop
 *   participant_listen.c    the gRPC server and where it listens
 *   participant_server.c    the thread that works the completion queue: admits, receives, answers
 *   participant_pool.c      the threads that run functions, and the queue before them
 *   participant_metadata.c  from a call's metadata to saga_call_info
 *   participant_run.c       serving until a signal
 *
 * A call is owned by the server's thread until it is given to the pool, by the pool's thread until that has answered it, and by the server's
 * thread again from then on. */
#ifndef SAGA_CLIENT_PARTICIPANT_SERVER_H
#define SAGA_CLIENT_PARTICIPANT_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include <grpc/grpc.h>

#include "transport/credentials.h"

#include "client-lib/src/call.h"

#define PARTICIPANT_METHODS_MAX 1024

/* One method in one phase. */
struct participant_method {
    char *path;
    int phase; /* enum saga_call_phase */
    saga_step_function function;
    void *user;
};

enum served_event { SERVED_ARRIVED, SERVED_RECEIVED, SERVED_CLOSED, SERVED_ANSWERED, SERVED_DOWN };

struct served;

/* The tag of every operation on the completion queue. */
struct served_tag {
    enum served_event event;
    struct served *served; /* NULL with SERVED_DOWN */
};

enum served_kind { SERVED_REFUSED, SERVED_STEP, SERVED_HEALTH };

/* One call being served, from the slot that waits for it to its last operation. */
struct served {
    saga_participant *participant;
    enum served_kind kind;
    struct served_tag arrived, received, closed, answered;
    unsigned operations; /* batches that have not ended */

    grpc_call *grpc;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    int was_cancelled;         /* of the transport; what functions see is call.cancelled */
    grpc_metadata trailing[2]; /* what its function has come to, and when to come again */
    size_t trailing_count;
    bool ran; /* its function has, to its end */

    const struct participant_method *method;
    struct saga_call call;
    grpc_slice request;    /* the payload in one piece: call.info.request points into it */
    atomic_bool answering; /* the pool's thread has let go of it */
    struct served *next;   /* in the pool's queue, or among those that run */
    struct served *previous;
};

struct participant_pool {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    pthread_cond_t idle;
    struct served *first, *last;
    struct served *running; /* their functions are */
    unsigned busy;          /* taken out of the queue, and not answered yet */
    bool ending;
    pthread_t *threads;
    unsigned thread_count;
};

enum participant_state { PARTICIPANT_OPEN, PARTICIPANT_SERVING, PARTICIPANT_STOPPED };

/* How far a stop has come. */
enum stop_progress {
    STOP_BUSY,    /* steps are being served, or it has not begun */
    STOP_IDLE,    /* no step is being served; new calls are refused */
    STOP_QUIET,   /* core takes no calls and none is left; peers may still be connected */
    STOP_DRAINED, /* nothing will use the completion queue any more */
};

struct saga_participant {
    struct saga_participant_options options; /* with defaults filled in; address is only valid while opening */
    char *address;
    struct transport_credentials credentials;
    char *caller;        /* who alone may call over TLS; NULL: whomever the roots name */
    unsigned generation; /* for forked_since */
    enum participant_state state;
    struct participant_method *methods; /* sorted by path, then phase */
    size_t method_count;

    grpc_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
    struct served_tag down_tag;
    bool down;             /* the server thread's own: core has ended the server */
    size_t served;         /* the server thread's own: slots and calls that are not freed */
    pthread_mutex_t mutex; /* guards progress */
    pthread_cond_t changed;
    enum stop_progress progress;

    struct participant_pool pool;
    atomic_bool stopping;  /* takes no new calls */
    atomic_bool refusing;  /* the grace has passed: what waits is not run any more */
    atomic_uint calls;     /* of steps that were admitted and are not answered; only the server's thread changes it */
    unsigned health_calls; /* the same, of the health service */
    int interrupt_fd;      /* an eventfd: readable when saga_participant_run is to return */
};

/* Creates the completion queue and the server, and listens. On failure nothing is left behind. Sets address. */
int participant_listen(saga_participant *p, struct saga_error *error);

/* Shuts down a server that never served, and frees server and queue. */
void participant_unlisten(saga_participant *p);

/* Frees server and queue, both of which have ended. */
void participant_free_server(saga_participant *p);

/* Starts the server and its thread. Fails with RESOURCE_EXHAUSTED, and then the server was not started. */
int participant_serve(saga_participant *p, struct saga_error *error);

/* Ends the server and its thread, letting calls end as saga_participant_stop says. The pool must still run. */
void participant_unserve(saga_participant *p);

/* Answers a call with a status: with OK the bytes that call holds, else message. From the pool's threads and the server's. */
void served_answer(struct served *s, int status, const char *message);

/* Starts the pool's threads. Fails with RESOURCE_EXHAUSTED. */
int participant_pool_start(saga_participant *p, struct saga_error *error);

/* Has the threads end once the queue is empty, and waits for them. */
void participant_pool_stop(saga_participant *p);

/* Answers UNAVAILABLE to what waits for a thread, and from now on to what comes; what runs sees that nobody waits. */
void participant_pool_refuse(saga_participant *p);

/* Waits until every function has returned and was answered. */
void participant_pool_await_idle(saga_participant *p);

/* Gives a call to the pool. The queue's bound is the server's business. */
void participant_pool_push(saga_participant *p, struct served *s);

/* The method of path (size bytes) in that phase, or NULL. */
const struct participant_method *participant_find(const saga_participant *p, const char *path, size_t size, int phase);

/* Whether any method's service is this one. */
bool participant_has_service(const saga_participant *p, const char *service);

/* What the metadata of a call says, as copies that end with NUL. */
struct participant_metadata {
    struct saga_call_info info; /* its texts point into what follows */
    char method[SAGA_CALL_METHOD_BYTES_MAX + 2];
    char saga_id[SAGA_CALL_ID_BYTES_MAX + 2];
    char definition[SAGA_CALL_DEFINITION_BYTES_MAX + 2];
    char step[SAGA_CALL_STEP_BYTES_MAX + 2];
    char idempotency_key[SAGA_CALL_KEY_BYTES_MAX + 2];
    char action_key[SAGA_CALL_KEY_BYTES_MAX + 2];
    char traceparent[SAGA_CALL_TRACEPARENT_BYTES_MAX + 2];
    char phase[16], attempt[16], action_outcome[16], action_started[24];
};

/* Reads the metadata that arrived. Returns SAGA_OK with out->info complete but for the request and timeout_ms, or INVALID_ARGUMENT with the
 * sentence for the caller in problem. */
int participant_metadata_read(const grpc_metadata_array *metadata, const char *method, size_t method_size,
                              struct participant_metadata *out, char *problem, size_t problem_size);

/* Ends the process when C core refuses what it cannot refuse. */
#define PARTICIPANT_MUST(expectation) \
    do { \
        if (!(expectation)) \
            participant_panic(__FILE__, __LINE__, #expectation); \
    } while (0)
_Noreturn void participant_panic(const char *file, int line, const char *expectation);

#endif
