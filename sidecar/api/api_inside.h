/* api_inside.h - what the files of this room share. */
#ifndef SAGA_API_API_INSIDE_H
#define SAGA_API_API_INSIDE_H

#include "sidecar/api/api.h"
#include "sidecar/api/decode.h"
#include "sidecar/api/packed.h"
#include "sidecar/core/arena.h"
#include "sidecar/core/timeline.h"
#include "sidecar/where/where.h"

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

/* A unary request that changes something. Its address is the token of its event, as that of a command is. */
struct change {
    struct request request;
    struct registered registered;
    uint32_t asked; /* the number under which a Reload, or a Reflect, is told what came of it */
    size_t actor_size, target_size;
    uint8_t actor[ACTOR_BYTES_MAX];      /* who asked, of what a person does */
    uint8_t target[STEP_NAME_BYTES_MAX]; /* whose breaker it is about */
    struct change *prev, *next; /* among those that were taken and not given back; next alone among the free ones */
};

/* A request that looks, until it is answered. */
struct read {
    struct request request;
    bool cancelled;      /* nobody waits for it any more */
    bool permitted;      /* the caller may ask this */
    bool limited;        /* and is shown those alone that the rules let it see: of List, those that it has begun */
    struct bytes body;   /* owned: the message, unpacked later */
    struct arena *arena; /* where the following lie: NULL until it has its turn */
    void *message;       /* unpacked */
    void *state;         /* the reader's own, between its pieces */
    struct where *where; /* owned: of lists, what they are narrowed by; NULL: nothing */
    struct read *next;
};

struct read_queue {
    struct read *first, **last;
};

/* A reader that has used up its time, or waits for the store, and is called again. */
#define READ_MORE STORE_PENDING

struct pipe;
struct subscribers;

struct api {
    struct api_options options;
    struct core *core;
    struct catalog *catalog;
    struct store *store;
    struct arena arena; /* of the message being handled */
    struct decoder decoder;
    struct change *changes, *free_changes;
    struct read_queue reads;      /* that wait for the next commit */
    struct read_queue long_reads; /* whose first is in work */
    struct arena long_arena;
    struct subscribers *subscribers;
    struct pipe *pipes;      /* open ones */
    unsigned pipes_carrying; /* those of whose message a part waits */
    struct packed_bound bounds[4];
    struct instant work_until;     /* 0: no work of this turn has begun */
    struct instant tell_denied_at; /* the next refusal for want of a rule, and those that were not told meanwhile */
    uint32_t denied_untold;
    bool stopping;
    bool cutting; /* the grace is over */
};

static inline struct instant api_now(const struct api *api)
{
    return api->options.now(api->options.self);
}

/* ---- api.c ---- */
/* Work that can be long asks this between its pieces: it goes on in the next turn once the time of this one is used up. */
bool api_has_time(struct api *api);
/* Counts a request, or a command of a Pipe, that is refused. */
void api_refused(struct api *api, enum method_id method, int code);
/* Logs it if the code is that of a damaged journal. detail is there then. */
void api_tell_damage(int code, const struct error_detail *detail);
/* Ends a unary call with message. NULL is answered as E_MEMORY. */
void api_answer(struct api *api, struct rpc_call *call, const ProtobufCMessage *message);

/* ---- change.c: what changes something ---- */
void change_message(struct api *api, struct rpc_call *call, struct bytes message);
void change_reply(struct api *api, struct change *change, const struct reply_effect *reply,
                  const struct error_detail *detail);
void change_give_back(struct api *api, struct change *change);
void changes_abandon(struct api *api);
void changes_finish(struct api *api);

/* ---- permit.c: who may do what. Each returns 0, or E_PERMISSION, which has been told of ---- */
/* Whether the caller may ask this method at all; else the call has been refused. */
bool permit_call(struct api *api, struct rpc_call *call);
/* An unpacked request, in the loop that answers it. *limited, unless NULL: not all that it asks for is to be shown (struct read). May
 * return STORE_PENDING. */
int permit_request(struct api *api, struct rpc_call *call, enum method_id method, const ProtobufCMessage *m,
                   bool *limited, struct error_detail *detail);
/* What is about a definition of this name. */
int permit_definition(struct api *api, struct rpc_call *call, enum method_id method, struct bytes name,
                      struct error_detail *detail);
/* Whether the caller may ask what others may do. */
int permit_others(struct api *api, struct rpc_call *call, struct error_detail *detail);
/* Who asks, as rules see it. Returns false for what the sidecar itself asks. */
bool permit_caller(const struct rpc_peer *peer, struct caller *c);
/* Whether the caller is shown it in a list. */
bool permit_shows(struct api *api, struct rpc_call *call, enum method_id method, const struct authz_about *about);
/* The engine has refused a start whose tags were others. */
void permit_tell_tags(struct api *api, struct rpc_call *call, enum method_id method);
/* Whether what anybody may depends on a saga's tags. */
bool permit_any_tags(const struct api *api);
/* The sets of tags, one of which a saga of this definition must have for the caller to begin it (texts_have_any); empty: any will do. In the arena.
 * Returns false when no memory is left. */
bool permit_tags(struct api *api, struct rpc_call *call, enum method_id method, struct bytes name, struct bytes *sets);
/* Whether the caller has begun a saga with this owner. */
bool permit_owns(const struct rpc_peer *peer, struct bytes owner);

/* Whether whoever may wait for a saga is told what it has put out: the caller may see payloads, or has begun it. */
bool permit_output(struct api *api, struct rpc_call *call, struct bytes name, struct bytes owner, struct bytes tags);

/* Who asks, as an identity that is kept: "uid:1000", "spiffe://..."; "" for the sidecar itself. */
#define IDENTITY_TEXT_SIZE (IDENTITY_BYTES_MAX + 1)
struct bytes permit_identity(const struct rpc_peer *peer, char text[IDENTITY_TEXT_SIZE]);

/* ---- change.c ---- */
/* The event of a request: its time, who asks, and what the method's decoder makes of it. Views lie in message, identity and the arena. */
int change_decode(struct api *api, struct rpc_call *call, enum method_id method, const void *message,
                  struct event *event, char identity[IDENTITY_TEXT_SIZE], struct error_detail *detail);

/* ---- audit.c ---- */
/* The entry of an event, in the arena, for those that the audit trail tells; else empty. Returns false when no memory is left. */
bool audit_of_event(struct api *api, const struct rpc_peer *peer, enum method_id method, const struct event *event,
                    struct bytes *out);
/* Adds an entry about no saga to the batch. Without memory for it the loop fails, as for a record. */
void audit_add(struct api *api, struct rpc_call *call, enum method_id method, const char *subject, const char *actor,
               const char *reason);
/* The same, of a method that does several things: which of them. */
void audit_act(struct api *api, struct rpc_call *call, enum method_id method, const char *act, const char *subject,
               const char *actor, const char *reason);
int audit_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int audit_verify(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- explain.c ---- */
int explain_read(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- reloads.c ---- */
int reloads_act(struct api *api, struct change *change, const void *message, struct error_detail *detail);
bool reloads_answer(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                    ProtobufCMessage *response);

/* ---- reflects.c ---- */
int reflects_act(struct api *api, struct change *change, const void *message, struct error_detail *detail);
bool reflects_answer(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                     ProtobufCMessage *response);

/* ---- answers.c ---- */
bool answer_start(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                  ProtobufCMessage *response);
bool answer_begin(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                  ProtobufCMessage *response);
bool answer_enlist(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                   ProtobufCMessage *response);
bool answer_keep_alive(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                       ProtobufCMessage *response);
bool answer_register(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                     ProtobufCMessage *response);
bool answer_register_schema(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                            ProtobufCMessage *response);
/* The response of a method to what went well; NULL when no memory is left. */
/* Keeps what an answer to the event will need, until answer_forget. Returns 0 or E_MEMORY. */
int answer_keep(struct registered *registered, const struct event *event, struct error_detail *detail);
void answer_forget(struct registered *registered);
ProtobufCMessage *answer_make(struct arena *a, enum method_id method, const struct reply_effect *reply,
                              const struct registered *registered);

/* ---- definitions.c ---- */
int definitions_register(struct api *api, struct change *change, const void *message, struct error_detail *detail);
int definitions_get(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int definitions_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- schemas.c ---- */
int schemas_register(struct api *api, struct change *change, const void *message, struct error_detail *detail);
int schemas_get(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int schemas_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- reads.c: what looks at sagas and definitions, right after a commit ---- */
void reads_init(struct api *api);
void reads_finish(struct api *api);
void reads_message(struct api *api, struct rpc_call *call, struct bytes message);
void reads_run(struct api *api);
/* Whether any waits for the next turn. */
bool reads_busy(const struct api *api);
/* As the sidecar stops: refuses those that wait for a commit that does not come. */
void reads_abandon(struct api *api);

/* A saga, wherever it is, and where its last record lies. */
struct found {
    const struct saga *live; /* NULL: it has ended */
    struct ended_row ended;  /* when live is NULL; its views are gone after the next use of the store */
    uint64_t last_frame;
};
int reads_find(struct api *api, struct saga_id id, struct found *out, struct error_detail *detail);

/* The tags of a saga whose first record is in this frame, as a view of it; nothing once the frame is gone. May return STORE_PENDING. */
int reads_tags(struct api *api, uint64_t frame, uint64_t serial, struct bytes *tags, struct error_detail *detail);

/* A live saga as the journal has it: memory's own, or what its durable records come to when memory is ahead. saga is NULL when none of them
 * is durable. engine_destroy(replayed) afterwards. */
struct shown {
    const struct saga *saga;
    struct engine *replayed;
};
int reads_show(struct api *api, struct arena *arena, const struct saga *saga, struct shown *out,
               struct error_detail *detail);

/* Where the page before ended: a token is a number in hexadecimal. */
int reads_page_token(const char *token, uint64_t first, uint64_t *at, struct error_detail *detail);
/* A time that a request says; `unset` where it says none. */
int reads_time(const Google__Protobuf__Timestamp *t, struct instant unset, const char *field, struct instant *out,
               struct error_detail *detail);

/* ---- find.c ---- */
int find_request(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int find_status(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- get.c, lists.c ---- */
int get_read(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int lists_sagas(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int lists_dead_letters(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- asked.c: what a list is narrowed by ---- */
/* Reads the question, "" being none. Returns 0 or what where_compile does. */
int asked_open(struct read *read, const char *text, struct error_detail *detail);
/* Whether a saga is meant: one that lives, with its last record in last_frame, or one that has ended, as it is shown. */
int asked_live(struct api *api, struct read *read, const struct saga *saga, uint64_t last_frame, bool *matches,
               struct error_detail *detail);
int asked_ended(struct api *api, struct read *read, const Saga__V1__Saga *saga, struct bytes tags, bool *matches,
                struct error_detail *detail);

/* ---- bulk.c ---- */
int faults_inject(struct api *api, struct change *change, const void *message, struct error_detail *detail);
int faults_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int bulk_start(struct api *api, struct change *change, const void *message, struct error_detail *detail);
bool bulk_started(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                  ProtobufCMessage *response);
int bulk_change(struct api *api, struct change *change, const void *message, struct error_detail *detail);
/* ---- rules.c ---- */
int rules_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int rules_change(struct api *api, struct change *change, const void *message, struct error_detail *detail);
/* ---- holds.c ---- */
int holds_change(struct api *api, struct change *change, const void *message, struct error_detail *detail);

/* ---- forget.c ---- */
int forget_answer(struct api *api, struct change *change, const void *message, struct error_detail *detail);
int bulk_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- journals.c ---- */
int journals_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int journals_give(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- objectives.c ---- */
int objectives_list(struct api *api, struct read *read, const void *message, struct error_detail *detail);

/* ---- pipe.c ---- */
void pipe_message(struct api *api, struct rpc_call *call, struct bytes message);
void pipe_half_close(struct api *api, struct rpc_call *call);
void pipe_cancelled(struct api *api, struct rpc_call *call);
void pipe_sent(struct api *api, struct rpc_call *call);
/* Goes on with messages that were cut short. */
void pipes_run(struct api *api);
/* Ends every pipe once what it sent is answered, as the sidecar stops. */
void pipes_end(struct api *api);
/* At the end of a stop, after core_abandon: refuses the commands that a failure took from the core. */
void pipes_abandon(struct api *api);
/* The answer of one of its commands. */
void pipe_reply(struct api *api, struct request *command, const struct reply_effect *reply,
                const struct error_detail *detail);

/* ---- subscribers.c: Wait and Watch ---- */
/* api has its options by then. */
int subscribers_create(struct api *api, struct subscribers **out);
void subscribers_destroy(struct subscribers *list);
/* Both either end the call, or hand it on to a subscriber. */
int subscribers_add_wait(struct api *api, struct read *read, const void *message, struct error_detail *detail);
int subscribers_add_watch(struct api *api, struct read *read, const void *message, struct error_detail *detail);
void subscribers_cancelled(struct api *api, struct request *request);
void subscribers_sent(struct api *api, struct request *request);
void subscribers_durable(struct subscribers *list, uint64_t frame);
bool subscribers_care(const struct subscribers *list);
void subscribers_touch(struct subscribers *list, uint64_t serial);
/* After a commit: answers and sends what has become possible. */
void subscribers_run(struct api *api);
/* Whether more is possible by now than was done. */
bool subscribers_busy(const struct subscribers *list);
/* Ends every one of them, as the sidecar stops. */
void subscribers_end(struct api *api);

#endif
