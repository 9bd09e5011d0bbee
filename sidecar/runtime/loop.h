/* loop.h - what the files of the loop share: one struct, and who does what with it. */
#ifndef SAGA_RUNTIME_LOOP_H
#define SAGA_RUNTIME_LOOP_H

#include "sidecar/config/config.h"
#include "sidecar/core/arena.h"
#include "sidecar/core/catalog.h"
#include "sidecar/rpc/rpc.h"
#include "sidecar/runtime/clock.h"
#include "sidecar/core/core.h"
#include "sidecar/api/decode.h"
#include "sidecar/core/timeline.h"

#include <stdatomic.h>

/* Methods served; the numbers are rpc_method.id. */
enum method {
    METHOD_REGISTER_DEFINITION,
    METHOD_GET_DEFINITION,
    METHOD_LIST_DEFINITIONS,
    METHOD_START,
    METHOD_BEGIN,
    METHOD_ENLIST,
    METHOD_SETTLE,
    METHOD_KEEP_ALIVE,
    METHOD_COMMIT,
    METHOD_ABORT,
    METHOD_GET,
    METHOD_LIST,
    METHOD_WAIT,
    METHOD_WATCH,
    METHOD_CANCEL,
    METHOD_PIPE,
    METHOD_PAUSE,
    METHOD_RESUME,
    METHOD_LIST_DEAD_LETTERS,
    METHOD_RETRY,
    METHOD_SKIP,
    METHOD_RESOLVE,
    METHOD_COUNT
};

/* One request that waits for its answer. Its address is the token that the core hands back. */
struct request {
    struct rpc_call *call;       /* NULL: it came through a pipe */
    struct piped_message *piped; /* the message that it came in */
    uint8_t method;
    bool repeated;                       /* REGISTER_DEFINITION: it was there before */
    bool cancelled;                      /* a read: nobody waits for it any more */
    struct subscriber *subscriber;       /* WAIT, WATCH: what the request has become */
    struct relay *relay;                 /* other loops answer it */
    const struct definition *definition; /* REGISTER_DEFINITION */
    void *body;                          /* of a read: its message, unpacked later; owned */
    size_t body_size;
    struct request *next;
    struct request *active_prev, *active_next; /* among those that were taken and not given back */
};

struct subscribers;
struct subscriber;
struct pipe;
struct out_call;

struct sidecar;
struct relay;

struct loop {
    const struct config *config; /* with its share of what is for the whole process */
    struct sidecar *sidecar;     /* whose loop it is */
    unsigned index;              /* among them */
    struct clock clock;
    struct catalog *catalog;
    struct store *store;
    struct core *core;
    struct rpc *rpc;
    struct rpc_target **targets; /* by the engine's index */
    struct arena arena;          /* of the message being handled */
    struct decoder decoder;
    struct definition_limits limits;

    atomic_bool stop_asked;         /* by any thread, so in a word of its own: the others are read together */
    _Atomic uint64_t durable_frame; /* the last, for other loops to see */

    struct request *free_requests;
    struct request *active_requests;
    struct request *reads_first, **reads_last; /* they wait for the next commit */
    struct out_call *free_outs;
    struct subscribers *subscribers;
    struct pipe *pipes; /* open ones */

    bool stopping;
    bool cutting;     /* the grace is over: calls out that end now were cut by us, and count as lost */
    bool told_full;   /* that the journal is full has been logged */
    bool quiet;       /* it stops, and sidecar_is_quiet has counted it */
    bool not_serving; /* the health service says so, because some loop's journal is full */
    int fatal;        /* not 0: the loop must end; detail says why */
    struct error_detail fatal_detail;
};

/* ---- service.c: requests in, replies out ---- */
extern const struct rpc_method service_methods[METHOD_COUNT];
void service_message(void *self, struct rpc_call *call, struct bytes message);
void service_half_close(void *self, struct rpc_call *call);
void service_cancelled(void *self, struct rpc_call *call);
void service_sent(void *self, struct rpc_call *call);
void service_reply(void *self, const struct reply_effect *reply, const struct error_detail *detail);
/* Hands an event to the core; a failure that the loop cannot survive is kept in s->fatal. */
void service_submit(struct loop *s, struct event *event);
/* Unpacks a request that changes something and makes its event. message is the unpacked protobuf of the method. */
int service_decode(const struct loop *s, enum method method, const ProtobufCMessage *message, struct event *event,
                   struct error_detail *detail);
struct request *service_request_take(struct loop *s);
void service_request_give_back(struct loop *s, struct request *request);
void service_finish(struct loop *s);
/* At the end of a stop, after core_abandon: refuses the unary requests that a failure took from the core. */
void service_abandon(struct loop *s);
/* Ends a call with an error. */
void service_refuse(struct rpc_call *call, int code, const struct error_detail *detail);
/* Logs it if the code is that of a damaged journal. detail is there then. */
void service_tell_damage(int code, const struct error_detail *detail);
/* Ends a unary call with message. NULL is answered as E_MEMORY. */
void service_answer(struct loop *s, struct rpc_call *call, const ProtobufCMessage *message);

/* ---- relay.c ---- */
/* Asks another loop, or all of them, when the request is for them. Returns false when it is for this one. */
bool relay_message(struct loop *s, struct rpc_call *call, enum method method, struct bytes message);
void relay_cancelled(struct request *request);
void relay_sent(struct loop *s, struct request *request);
/* The loop that a piped command is for; NULL: this one. */
struct rpc *relay_command_loop(const struct loop *s, enum method method, const ProtobufCMessage *m);

/* ---- reads.c: what looks at sagas and definitions, right after a commit ---- */
#define PAGE_SIZE_DEFAULT 100
void reads_run(struct loop *s);
/* What a method that reads is sent. */
const ProtobufCMessageDescriptor *reads_type(enum method method);
/* As the sidecar stops: refuses those that wait for a commit that does not come. */
void reads_abandon(struct loop *s);

/* A saga, wherever it is, and where its last record lies. */
struct found {
    const struct saga *live; /* NULL: it has ended */
    struct ended_row ended;  /* when live is NULL; its views are gone after the next use of the store */
    uint64_t last_frame;
};
int reads_find(struct loop *s, struct saga_id id, struct found *out, struct error_detail *detail);

/* ---- pipe.c ---- */
void pipe_message(struct loop *s, struct rpc_call *call, struct bytes message);
void pipe_half_close(struct loop *s, struct rpc_call *call);
void pipe_cancelled(struct loop *s, struct rpc_call *call);
void pipe_sent(struct loop *s, struct rpc_call *call);
/* Ends every pipe once what it sent is answered, as the sidecar stops. */
void pipes_end(struct loop *s);
/* At the end of a stop, after core_abandon: refuses the commands that a failure took from the core. */
void pipes_abandon(struct loop *s);
/* The answer of one of its commands. */
void pipe_reply(struct loop *s, struct request *request, const struct reply_effect *reply,
                const struct error_detail *detail);

/* ---- subscribers.c: Wait and Watch ---- */
int subscribers_create(uint64_t last_frame, struct subscribers **out);
void subscribers_destroy(struct subscribers *list);
/* Both either end the request's call, or set request->subscriber, which then owns the request. Return an error without either. */
int subscribers_add_wait(struct loop *s, struct request *request, const Saga__V1__WaitRequest *m,
                         struct error_detail *detail);
int subscribers_add_watch(struct loop *s, struct request *request, const Saga__V1__WatchRequest *m,
                          struct error_detail *detail);
void subscribers_cancelled(struct loop *s, struct request *request);
void subscribers_sent(struct loop *s, struct request *request);
/* A frame is durable; subscribers_touch follows for the saga of each of its records, when subscribers_care. */
void subscribers_durable(struct subscribers *list, uint64_t frame);
bool subscribers_care(const struct subscribers *list);
void subscribers_touch(struct subscribers *list, uint64_t serial);
/* After a commit: answers and sends what has become possible. */
void subscribers_run(struct loop *s);
/* Ends every one of them, as the sidecar stops. */
void subscribers_end(struct loop *s);

/* ---- sidecar.c: one loop, for loops.c ---- */
int loop_open(const struct config *config, struct sidecar *sidecar, unsigned index, struct loop **out,
              struct error_detail *detail);
/* Registers the definitions of definitions_dir, and makes them durable. */
int loop_take_definitions(struct loop *s, struct error_detail *detail);
/* Registers a definition that another loop has. */
int loop_take_definition(struct loop *s, const struct definition *definition, struct error_detail *detail);
/* Lets what recovery asked for out, and begins to serve; then turns until it is stopped and what it has in flight has ended. */
void loop_start(struct loop *s);
void loop_turn(struct loop *s);
/* From any thread. */
void loop_stop(struct loop *s);
void loop_close(struct loop *s);

/* ---- observer.c ---- */
void observer_durable(void *self, uint64_t frame, struct bytes records);

/* ---- outcalls.c: calls of participants ---- */
void outcalls_call(void *self, const struct call_effect *call);
void outcalls_answer(void *self, void *tag, const struct rpc_answer *answer);
void outcalls_finish(struct loop *s);

#endif
