/* api_world.h - the api of one loop or several, each on a core and a store made of memory, with calls that have no gRPC behind them. All in
 * the test's own thread; time passes only when it is read.
 *
 * A test that uses it links the functions of rpc.h that stand here (tests.mk: CALLS_WRAP). */
#ifndef TESTS_SUPPORT_API_WORLD_H
#define TESTS_SUPPORT_API_WORLD_H

#include "sidecar/api/api.h"
#include "sidecar/relay/relay.h"
#include "sidecar/journal/sealed/seal.h"
#include "tests/support/memory_store.h"

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

#define WORLD_LOOPS_MAX 4
#define WORLD_SENT_MAX  4096

/* A call that is served. */
struct world_call {
    struct api_loop *loop;
    const struct rpc_method *method;
    void *owner;
    struct rpc_peer peer;
    struct world_asked *asked; /* another loop asks in it; NULL: the test does */
    bool ended;
    int status;
    char message[200];
    char reason[64]; /* of an error: ErrorInfo's */
    char field[96];  /* and the field at fault */
    struct bytes body;
    struct bytes sent[WORLD_SENT_MAX];
    size_t sent_count;
    bool sending;    /* the test has not taken it yet */
    unsigned wanted; /* how often the next message of a bidi stream was asked for */
};

struct api_loop {
    struct api_world *world;
    unsigned index;
    struct memory_disk *disk;
    struct store *store;
    struct catalog *catalog;
    struct schemas *schemas;
    struct core *core;
    struct bulks *bulks;
    struct api *api;
    struct relay *relay;
    struct failure failure;
    unsigned refusals; /* that were counted, and the last of them */
    enum method_id refused_method;
    int refused_code;
    uint32_t reflects, reflected; /* the same of targets, which tell of themselves */
    uint32_t reloads, reloaded;   /* that were asked for, and that a turn has answered: nothing has changed */
    uint64_t durable_frame;
    struct call_effect calls[64]; /* of participants that are out */
    size_t call_count;
};

struct api_world {
    unsigned loops;
    struct authz authz;     /* set by world_init, to be changed before world_start */
    struct slis *slis;      /* what objectives count, in every loop; NULL: nothing. Borrowed, set before world_start */
    struct seal_keys chain; /* none, unless set before world_start: what the journals are chained with */
    struct rpc_peer peer;   /* who asks; to be changed whenever the test likes */
    struct api_loop loop[WORLD_LOOPS_MAX];
    struct rpc *rooms[WORLD_LOOPS_MAX];
    const char *guest; /* the journal's name, where it is another sidecar's; NULL: our own. Set before world_start */
    const char *traceparent; /* in the metadata of every call; NULL: none */
    struct instant now;
    struct span asked_ago; /* what every call that another loop has sent is told of that */
    struct span tick;      /* passes whenever somebody reads the clock */
    struct span longest;   /* the longest that one piece of work has held the loop, since the test last set it to 0 */
    uint32_t waiters_max, watchers_max, pipe_commands_max,
        steps_max;                                 /* set by world_init, to be changed before world_begin */
    uint32_t move_after;                           /* as core.h's, likewise; 0: as it is by default */
    struct world_asked *first_asked, **last_asked; /* what the loops say to one another, in order */
    unsigned open_calls; /* that are served and have not ended, those between loops included */
};

/* Sets the defaults. Then world_start. */
void api_world_init(struct api_world *w, unsigned loops);
void api_world_start(struct api_world *w);
/* Every call must have ended (checked). */
void api_world_close(struct api_world *w);

/* Registers in every loop. */
void api_world_register(struct api_world *w, const char *yaml);

/* Registers the types of shapes.proto as the schema "shapes". */
void api_world_add_schema(struct api_world *w);

/* The participant answers the oldest call that is out of this loop. */
void api_world_answer(struct api_world *w, unsigned loop, int status, const char *message, struct bytes output);
/* The same, of which no turn has made anything yet. */
void api_world_answer_comes(struct api_world *w, unsigned loop, int status, const char *message, struct bytes output);

/* One turn of a loop, as runtime's: what was cut short, the commit, who looks. */
void api_world_turn(struct api_world *w, unsigned loop);
/* Turns of all, and what they say to one another, until nothing is left to do. Fails the test when that does not end. */
void api_world_settle(struct api_world *w);

/* A request comes over a connection of this loop. The call is the test's, until api_world_free. */
struct world_call *api_world_ask(struct api_world *w, unsigned loop, enum method_id method, const ProtobufCMessage *m);
struct world_call *api_world_ask_bytes(struct api_world *w, unsigned loop, enum method_id method, struct bytes bytes);
/* A stream is opened, of which nothing has come yet. */
struct world_call *api_world_open(struct api_world *w, unsigned loop, enum method_id method);
/* A further message of a bidi stream, and its end. */
void api_world_more(struct world_call *call, const ProtobufCMessage *m);
void api_world_half_close(struct world_call *call);
void api_world_cancel(struct world_call *call);
/* The message that was sent has left; what comes next follows at once or after a turn. */
void api_world_took(struct world_call *call);
void api_world_free(struct world_call *call);

/* Asks, settles, checks that the answer is OK, and unpacks it (to be freed with NULL). */
void *api_world_get(struct api_world *w, unsigned loop, enum method_id method, const ProtobufCMessage *m);
/* The same for what is to be refused; checks the reason. */
void api_world_refused(struct api_world *w, unsigned loop, enum method_id method, const ProtobufCMessage *m,
                       const char *reason, const char *field);

/* Begins an enlisted saga; its id goes to id. */
void api_world_begin(struct api_world *w, unsigned loop, const char *name, const char *request_id,
                     char id[SAGA_ID_TEXT_SIZE]);

/* The loop that a saga's id tells. */
unsigned api_world_loop_of(const char *id);

/* ---- in place of sidecar/rpc's ---- */
void __wrap_rpc_reply(struct rpc_call *call, struct bytes message);
void __wrap_rpc_end(struct rpc_call *call, int status, const char *message, struct bytes details);
void __wrap_rpc_send(struct rpc_call *call, struct bytes message);
void __wrap_rpc_next(struct rpc_call *call);
const struct rpc_method *__wrap_rpc_call_method(const struct rpc_call *call);
void *__wrap_rpc_call_owner(const struct rpc_call *call);
void __wrap_rpc_call_set_owner(struct rpc_call *call, void *owner);
const struct rpc_peer *__wrap_rpc_call_peer(struct rpc_call *call);
struct bytes __wrap_rpc_call_metadata(const struct rpc_call *call, const char *key);
struct rpc *__wrap_rpc_call_asker(const struct rpc_call *call);
struct span __wrap_rpc_call_asked_ago(const struct rpc_call *call);
struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *asker, void *tag);
void __wrap_rpc_ask_cancel(struct rpc_ask *ask);
void __wrap_rpc_ask_took(struct rpc_ask *ask);

#endif
