/* rpc_inside.h - what the files of this room share; nobody outside includes it.
 *
 * Everything that C core will report is an operation: its address is the tag that goes into the queue, its function what rpc_poll runs when
 * the tag comes out. An operation is embedded in what it belongs to (a call, the server), which stays until the last of its operations
 * has come out. Memory: C core ends the process when an allocation fails, so this room does the same (rpc_allocate). */
#ifndef SAGA_RPC_RPC_INSIDE_H
#define SAGA_RPC_RPC_INSIDE_H

#include "sidecar/base/check.h"
#include "sidecar/rpc/inbox.h"
#include "sidecar/rpc/names.h"
#include "sidecar/rpc/rpc.h"
#include "transport/address.h"
#include "transport/external.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/support/time.h>

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct rpc_op {
    void (*done)(struct rpc_op *op, bool ok);
};

#define RPC_HOLDER(op, type, member) ((type *)(void *)((char *)(op)-offsetof(type, member)))

/* A doubly linked ring through its head. */
struct rpc_link {
    struct rpc_link *next;
    struct rpc_link *previous;
};

static inline void rpc_link_init(struct rpc_link *l)
{
    l->next = l->previous = l;
}

static inline bool rpc_link_is_single(const struct rpc_link *l)
{
    return l->next == l;
}

/* Puts l last into the ring of head. */
static inline void rpc_link_append(struct rpc_link *head, struct rpc_link *l)
{
    l->next = head;
    l->previous = head->previous;
    head->previous->next = l;
    head->previous = l;
}

/* Takes l out of whatever ring it is in; harmless when it is in none. */
static inline void rpc_link_remove(struct rpc_link *l)
{
    l->previous->next = l->next;
    l->next->previous = l->previous;
    rpc_link_init(l);
}

/* How many calls may be open, how many of them as streams, and how many are. */
struct rpc_quota {
    uint32_t calls;
    uint32_t calls_max;
    uint32_t streams;
    uint32_t streams_max;
};

/* Who serves a method: the owner of the room, or the room itself (health, reflection). Each has a quota of its own, so that health is
 * still told when the owner has its hands full. */
struct rpc_service {
    struct rpc_callbacks callbacks;
    struct rpc_quota quota;
};

/* A method that is served. */
struct rpc_served {
    const struct rpc_method *method;
    struct rpc_service *service;
};

struct rpc_door;
struct rpc_listening;

/* A server of C core. There is one for each listener and, at a unix socket, for each user who comes in, because C core says no more of where
 * a call has come in than which server has it. The first connection that needs one asks for it, on the door's thread; the loop makes it. */
struct rpc_entrance {
    struct rpc *rpc;
    struct rpc_peer peer;                  /* what is the same for all who come in here */
    struct rpc_door *door;                 /* to be told once the entrance is open */
    const struct rpc_listening *listening; /* the door's */
    struct transport_external external;
    atomic_bool open; /* takes connections */
    uint64_t shut_at; /* the door's look that last found it shut */

    grpc_server *server;
    void **registered;          /* C core's handles of the methods, as in rpc.served */
    unsigned armed;             /* slots that wait for a call */
    grpc_call_details stranger; /* of the one slot for methods that nobody serves */
    struct rpc_op shut_down;
    bool down; /* C core has said that the server is down */
};

/* Of one room. */
#define RPC_ENTRANCES_MAX 32

/* Something that has been given to C core to send, until it has left. */
struct rpc_leaving {
    struct rpc_link link; /* in rpc.leaving, by time */
    gpr_timespec since;
    grpc_call *call; /* to be cancelled when it stays too long; NULL: its own deadline has ended it */
    size_t size;     /* bytes on the account */
};

/* A served call, and before that the slot in which C core puts the next one. */
struct rpc_call {
    struct rpc *rpc;
    struct rpc_entrance *entrance;   /* NULL: another loop asks */
    const struct rpc_served *served; /* NULL: a call of a method that nobody serves */
    grpc_call *call;                 /* NULL while the slot waits for a call */
    grpc_byte_buffer *payload;       /* the message that has come */
    grpc_byte_buffer *surplus;       /* what follows the one message of a unary call: nothing, or it is refused */
    grpc_metadata_array metadata;
    gpr_timespec deadline; /* C core fills it in, and ends the call when it passes */
    void *owner;
    struct rpc_ask *ask;   /* another loop asks: nothing of C core is behind the call */
    struct rpc_peer *peer; /* owned; NULL until somebody asks for it */

    struct rpc_op arrived;
    struct rpc_op received;
    struct rpc_op sent;
    struct rpc_op finished;
    struct rpc_op closed;
    struct rpc_leaving leaving;
    struct rpc_link open; /* in rpc.open, from arrival to the end */
    struct rpc_link
        unwatched; /* in rpc.unwatched: unary, delivered, and nobody has asked yet to hear of a cancellation */
    struct rpc_link unended; /* in rpc.unended: admitted, and the end of its request has not come */
    gpr_timespec since;      /* its arrival */
    uint64_t turn;           /* of the delivery */

    unsigned pending; /* operations that have not come out, and callbacks that run */
    int cancelled;    /* C core's word, valid once `closed` or `finished` has come out */
    bool counted;     /* holds a place in the quota */
    bool delivered;   /* the owner knows of it */
    bool watched;     /* a RECV_CLOSE has been asked for */
    bool quick;       /* ended before that was asked for */
    bool gone;        /* the peer is: nothing can be sent */
    bool greeted;     /* the initial metadata has been sent */
    bool receiving;   /* one RECV_MESSAGE at a time */
    bool sending;     /* one SEND_MESSAGE at a time */
    bool ended;       /* the owner, or the room in its place, ended it */
    bool end_waits;   /* ended while a message was being sent: the status follows it */
    int end_status;
    grpc_slice end_message;
    grpc_slice end_details;
    struct rpc_call *next_free;
};

/* Rooms of one process that share a door. */
#define RPC_ROOMS_MAX 64

struct rpc_out;
struct rpc_line;
struct rpc_health;
struct rpc_reflection;
struct rpc_stall;

struct rpc {
    struct rpc_callbacks callbacks;
    struct rpc_options options;

    grpc_completion_queue *queue;
    /* For guard.c: odd while the loop is within C core, another number each time; and the clock of its thread's work, once it polls. */
    _Atomic uint64_t progress;
    atomic_bool polled;
    clockid_t poller;
    atomic_bool guard_sleeps; /* it looks seldom: the loop wakes it when there is something to do */
    _Atomic uint64_t ends;    /* of calls */
    _Atomic uint64_t resets;  /* calls that were gone when they were answered at once */
    uint64_t turn;
    gpr_timespec now; /* when the turn began */
    bool drained;     /* the last rpc_poll ended because there was nothing left */

    grpc_channel *wake_channel;
    grpc_call *wake_call;
    struct rpc_op wake;
    atomic_bool wake_pending;
    struct inbox inbox;                 /* of other rooms' letters, and of its own to itself */
    struct letter *unread;              /* taken out of it, and not read yet */
    struct rpc *to_wake[RPC_ROOMS_MAX]; /* they have been written to in this turn */
    size_t to_wake_count;

    struct rpc_door *door;
    struct rpc_door *keeper; /* through which the peers come: its own, or another room's */
    struct rpc_entrance *entrances[RPC_ENTRANCES_MAX];
    atomic_uint entrances_asked; /* for, by a door */
    unsigned entrances_made;
    bool started;
    bool stopping; /* new calls are refused */
    bool shut;     /* C core takes no more calls in */

    struct rpc_served *served;
    size_t served_count;
    struct rpc_service owner_service;
    struct rpc_service room_service;
    struct rpc_link open;
    struct rpc_link unwatched;
    struct rpc_link unended; /* by arrival */
    struct rpc_call *free_calls;
    unsigned free_call_count;

    grpc_byte_buffer sending; /* carries each message that is sent into C core, which empties it at once */

    struct rpc_link leaving;
    struct rpc_stall *stall; /* NULL as long as everybody reads */

    struct rpc_link targets;
    struct rpc_link lines;      /* every connection to a target that C core may still say something about */
    struct rpc_link restless;   /* targets for which somebody waits */
    gpr_timespec look_at;       /* when to look at those */
    struct names *names;        /* NULL as long as there was no name to look up */
    struct inbox told;          /* names that have been looked up */
    unsigned chance;            /* which of many addresses are called first: not the same in every process */
    struct rpc_link outs;       /* every call out that has not been answered */
    struct rpc_link lingering;  /* those that have been, while what they sent is still on its way */
    struct rpc_link undecided;  /* those that have ended, but it is not known yet whether their headers left */
    struct rpc_link connecting; /* those that have found no connection yet, by start */
    struct rpc_link unanswered; /* ended without C core: their answers are given in the next poll */
    size_t outgoing;            /* of all targets */
    struct rpc_link forwards;   /* to other sidecars */
    unsigned forward_count;
    struct rpc_roads *roads; /* NULL until there is one */
    struct rpc_out *free_outs;
    unsigned free_out_count;
    unsigned out_count;
    unsigned company; /* queue.c: calls in flight at once of late, up to a few */

    struct rpc_health *health;
    struct rpc_reflection *reflection;
};

/* rpc.c */
/* The bound of what comes in, for the settings of a server, or else of a channel. */
grpc_arg rpc_incoming_arg(bool of_clients);

/* queue.c */
void rpc_queue_init(struct rpc *r);
void rpc_queue_finish(struct rpc *r);

/* support.c */

/* Zeroed memory; ends the process when there is none. */
void *rpc_allocate(size_t size);

grpc_slice rpc_slice_of(struct bytes bytes);

/* Puts a copy of message into r->sending and returns it, for one SEND_MESSAGE that is started before the next is filled. */
grpc_byte_buffer *rpc_fill(struct rpc *r, struct bytes message);
/* The same with a slice, which it takes. */
grpc_byte_buffer *rpc_fill_slice(struct rpc *r, grpc_slice message);

/* For C core's settings: whole milliseconds, at least one. */
int rpc_milliseconds(struct span span);

/* now + span; a negative span, or one over a hundred years, is for ever. */
gpr_timespec rpc_after(struct span span);

/* serve.c: methods, entrances, slots, admission. */

/* Makes the table of the owner's methods and the room's own. */
void rpc_serve_init(struct rpc *r);
void rpc_serve_finish(struct rpc *r);

/* Opens the entrances that the door has asked for. */
void rpc_entrances_turn(struct rpc *r);
/* Makes e's server, which has the one setting `extra` beside the usual ones, and takes no calls yet. */
void rpc_entrance_make(struct rpc_entrance *e, const grpc_arg *extra);
/* Lets calls in. */
void rpc_entrance_start(struct rpc_entrance *e);
/* C core takes no more calls in, and cuts those that it has. Returns once nothing of them is left. */
void rpc_entrances_shut(struct rpc *r);

/* door.c: accepts the peers. */
void rpc_door_init(struct rpc *r);
void rpc_door_finish(struct rpc *r);
bool rpc_door_is_full(const struct rpc *r);

/* A socket that listens, or (fd -1) an address where C core listens by itself. */
struct rpc_listening {
    int fd;
    struct transport_credentials credentials;
    unsigned role;
    char path[ADDRESS_PATH_BYTES_MAX + 1]; /* of a unix socket, to be removed; otherwise "" */
    dev_t device;                          /* the file that was made: another that has taken its place is not ours */
    ino_t inode;
};

/* Gives the next place for a listener; everything but fd, path and file is filled in. */
struct rpc_listening *rpc_door_add(struct rpc *r, const struct rpc_listener *listener);
void rpc_door_open(struct rpc *r);
/* An entrance is open. */
void rpc_door_knock(struct rpc_door *d);

/* Nobody comes in any more; the sockets are closed, and their files removed. */
void rpc_door_close(struct rpc *r);

/* guard.c: from the door's thread. */
struct rpc_guard;
struct rpc_watched {
    struct rpc *const *rooms;
    size_t room_count;
    const struct rpc_listening *listenings;
    size_t listening_count;
};
struct rpc_guard *rpc_guard_create(void);
/* Looks when it is time. Returns in how many milliseconds it is again. */
int rpc_guard_turn(struct rpc_guard *g, const struct rpc_watched *w, int64_t now_ms);
/* That the kernel has counted on a socket of TCP; 0 for another. */
uint64_t rpc_bytes_received(int fd);

/* call.c: the life of one served call. */

struct rpc_call *rpc_call_take(struct rpc *r, struct rpc_entrance *entrance, const struct rpc_served *served);

/* Gives a slot back into which no call has come. */
void rpc_call_give_back(struct rpc_call *call);

/* The call has arrived and has been admitted. */
void rpc_call_begin(struct rpc_call *call);

/* Answers with the status and details of a row of error.h; the owner never hears of the call. */
void rpc_call_refuse(struct rpc_call *call, int code);

/* The same with a status and message of its own. */
void rpc_call_refuse_words(struct rpc_call *call, int status, const char *message);

/* Asks to hear of the cancellation of every call that was delivered before `turn`. */
void rpc_call_watch_before(struct rpc *r, uint64_t turn);
/* Refuses the calls whose request has not come to its end within handshake_timeout; *next is lowered to when there will be more to do. */
void rpc_call_refuse_unended(struct rpc *r, gpr_timespec *next);
void rpc_call_cancel_all(struct rpc *r);
/* Ends the bidi streams whose peers have not said anything yet, and of which the owner has not heard: it stops. */
void rpc_call_refuse_silent(struct rpc *r);

/* peer.c: who is at the other end of a socket that listening has accepted. */
void rpc_peer_of_socket(int fd, const struct rpc_listening *listening, struct rpc_peer *out);

/* ask.c: what other loops ask. */

/* What rpc_send, and rpc_reply or rpc_end, are for such a call. */
void rpc_ask_send(struct rpc_call *call, struct bytes message);
void rpc_ask_end(struct rpc_call *call, const struct rpc_told *told);

/* On whose behalf it asks. */
const struct rpc_peer *rpc_ask_peer(const struct rpc_ask *ask);

/* Reads the letters that have come, and returns how many. */
int rpc_asks_read(struct rpc *r);
/* Wakes who was written to: once for all letters of a turn. */
void rpc_asks_flush(struct rpc *r);
/* Throws away what was not read, when no loop runs any more. */
void rpc_asks_drop(struct rpc *r);

/* out.c: calls out. */

/* Gives the answers that need no C core, and gives up the attempts that found no connection in time. Returns how many answers it gave;
 * *next is lowered to when there will be more to do. */
int rpc_out_turn(struct rpc *r, gpr_timespec *next);
/* A call that a target has held, and that it has let go of: it leaves over line (connected: which has a connection), or it is told that it never
 * will. */
void rpc_out_go(struct rpc_link *held, const struct rpc_line *line, bool connected);
/* Of its request. */
size_t rpc_out_size(const struct rpc_link *held);
void rpc_out_give_up(struct rpc_link *held, const char *why);
/* Gives up those of the ring that have waited long enough, and says why (NULL: there was no connection); *next is lowered to when the next one
 * has. */
void rpc_out_expire(struct rpc *r, const struct rpc_link *ring, const char *why, gpr_timespec *next);
void rpc_out_cancel_all(struct rpc *r);
/* Whether everything that was sent has come out, be it by cutting connections. Waits a moment for it. */
bool rpc_out_drained(struct rpc *r);
void rpc_out_finish(struct rpc *r);

/* unpack.c */

/* Views buffer's message (NULL: an empty one), whatever it is made of. What had to be copied or inflated is in *flat, to be given to
 * grpc_slice_unref after use of the view. Returns 0, or why it cannot be had: E_PAYLOAD (it is larger than message_bytes_max), E_ARGUMENT (it
 * is not what it says) or E_MEMORY. */
int rpc_unpack(const struct rpc *r, grpc_byte_buffer *buffer, struct bytes *message, grpc_slice *flat);
const char *rpc_unpack_words(int code);

/* stall.c: what is not taken. */
void rpc_leaving_begin(struct rpc *r, struct rpc_leaving *leaving, size_t size);
void rpc_leaving_end(struct rpc_leaving *leaving);
/* Ends what has been on its way for too long; *next is lowered to when there will be more to do. */
void rpc_stall_turn(struct rpc *r, gpr_timespec *next);
/* Shuts down, now, every unix socket of ours with something unread. */
void rpc_stall_cut_all(struct rpc *r);
void rpc_stall_finish(struct rpc *r);

/* target.c */
/* How often a target is asked whether it is there: keepalive_time, but never more often than servers permit. */
int rpc_target_ping_ms(struct span keepalive_time);

/* A channel of C core's to one address. It outlives the address until C core has said its last word about it. */
struct rpc_line {
    struct rpc_op changed;     /* comes out whenever the state of its connection has changed */
    struct rpc_link link;      /* in rpc.lines */
    struct rpc_target *target; /* NULL: nobody calls over it any more */
    grpc_channel *channel;
};

/* One address of a target. */
struct rpc_way {
    char *name;            /* C core's: "ipv4:127.0.0.1:50051"; owned */
    struct rpc_line *line; /* NULL: none was needed yet */
};

struct rpc_target {
    struct rpc *rpc;
    unsigned number;
    struct rpc_link link;
    char path[ADDRESS_PATH_BYTES_MAX + 1];      /* of a unix socket; "" otherwise */
    char authority[ADDRESS_HOST_BYTES_MAX + 9]; /* "host:port", whatever the address is; "" of a unix socket */
    char host[ADDRESS_HOST_BYTES_MAX + 1];
    uint16_t port;
    struct transport_credentials credentials; /* with which the lines are made, */
    uint64_t certificates_version;            /* as the certificates were then */

    enum spread_policy policy;
    struct rpc_way *ways;
    uint8_t states[RPC_ADDRESSES_MAX]; /* enum spread_state, of each way */
    unsigned way_count;
    unsigned turn;           /* spread.h's */
    gpr_timespec connect_at; /* when to see to it again that those have connections that should */

    bool retired;             /* nothing is called there any more */
    struct rpc_link held;     /* calls that wait for a connection */
    bool awaited;             /* the owner is to hear when it can be reached */
    size_t outgoing;          /* bytes of requests that were given to C core and have not been taken */
    struct rpc_link restless; /* in rpc.restless, while there is any such */

    bool named;              /* it is a name, and the ways are what it stands for */
    bool looking_up;         /* the query is the names' */
    gpr_timespec looked_up;  /* when it came back last */
    gpr_timespec look_up_at; /* when to ask again, if it is called, or somebody waits */
    struct name_query query;
    char name_server[ADDRESS_HOST_BYTES_MAX + 9];
};

/* A line with a connection, to the address whose turn it is; NULL when there is none at the moment. What is to be done about that begins. */
struct rpc_line *rpc_target_line(struct rpc_target *target);
/* A call waits for a line (out.c). */
void rpc_target_hold(struct rpc_target *target, struct rpc_link *call);
/* Whether calls are held before one with a request of this size, or it would be too much beside what has not been taken. */
bool rpc_target_holds(const struct rpc_target *target, size_t size);
/* So many bytes were given to C core; and the target has taken them, or never will. */
void rpc_target_given(struct rpc_target *target, size_t size);
void rpc_target_took(struct rpc_target *target, size_t size);
/* The owner is told once a connection is there; until then the room tries. */
void rpc_target_await(struct rpc_target *target);
/* Takes in what names stand for, and looks at the targets for which somebody waits. Returns how much there was; *next is lowered to when there
 * will be more to do. */
int rpc_targets_turn(struct rpc *r, gpr_timespec *next);
/* Why a call found no connection, from what C core said of it. */
const char *rpc_target_cause(const char *trace);
void rpc_targets_finish(struct rpc *r);

/* reach.c */

/* What is known of a call out that has ended with a status other than OK. */
struct rpc_ending {
    int status;
    const char *trace;    /* C core's error string, or NULL */
    const char *function; /* the participant's word under SAGA_FUNCTION_KEY, or NULL */
    bool unsent;          /* its headers were never put on a connection */
    bool ended_here;      /* cancelled by us, or its deadline has passed */
};

enum saga_reach rpc_reach_of(const struct rpc_ending *ending);

/* room.c: the services that the room serves itself. */
enum rpc_room_method { ROOM_HEALTH_CHECK, ROOM_HEALTH_WATCH, ROOM_REFLECTION };
#define ROOM_METHOD_COUNT 4
extern const struct rpc_method rpc_room_methods[ROOM_METHOD_COUNT];
extern const struct rpc_callbacks rpc_room_callbacks; /* self is the rpc */

/* health.c */
void rpc_health_init(struct rpc *r);
void rpc_health_finish(struct rpc *r);
void rpc_health_check(struct rpc *r, struct rpc_call *call, struct bytes request);
void rpc_health_watch(struct rpc *r, struct rpc_call *call, struct bytes request);
void rpc_health_sent(struct rpc_call *call);
void rpc_health_cancelled(struct rpc_call *call);

/* Ends every watch: the server stops. */
void rpc_health_stop(struct rpc *r);

/* reflection.c */
void rpc_reflection_finish(struct rpc *r);
void rpc_reflection_answer(struct rpc *r, struct rpc_call *call, struct bytes request);

/* ---- reflecting.c ---- */
struct rpc_reflecting;
/* One of its questions was answered. */
void rpc_reflecting_answer(struct rpc_reflecting *x, const struct rpc_answer *answer);
/* out.c: the question itself. */
void rpc_call_out_for(struct rpc_target *target, const char *method, struct bytes request, struct span timeout,
                      struct rpc_reflecting *reflecting);

/* ---- forward.c ---- */
void rpc_forward_cancel_all(struct rpc *r);
void rpc_forward_finish(struct rpc *r);

/* ---- peer.c ---- */
/* Who calls, as it is passed on; views text. */
#define RPC_FORWARDED_SIZE 512
struct bytes rpc_peer_write(const struct rpc_peer *peer, char text[RPC_FORWARDED_SIZE]);

#endif
