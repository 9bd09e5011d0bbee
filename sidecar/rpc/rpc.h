/* rpc.h - gRPC for the loop: a server, calls out, and one queue that both complete on. The only room that knows grpc/.
 *
 * One owner thread; every callback runs within rpc_poll on it. Bytes go in and come out as they are on the wire: what they mean is the
 * owner's business. */
#ifndef SAGA_RPC_RPC_H
#define SAGA_RPC_RPC_H

#include "compensations/answer.h"
#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/rpc/spread.h"
#include "transport/credentials.h"

struct rpc;
struct rpc_call;   /* a request being served */
struct rpc_target; /* a peer to call */

enum rpc_kind { RPC_UNARY = 1, RPC_SERVER_STREAM = 2, RPC_BIDI = 3 };

/* Where a call comes from. */
enum rpc_transport {
    RPC_TRANSPORT_NONE = 0, /* from this process itself */
    RPC_TRANSPORT_UNIX,
    RPC_TRANSPORT_TCP,
    RPC_TRANSPORT_TLS,
};

#define RPC_PEER_ADDRESS_SIZE  80
#define RPC_PEER_IDENTITY_SIZE 256

/* Who is behind a call, as far as the transport proves it; it is handed on with what one loop asks of another. The pid is not told: it may be
 * another process's by the time that somebody looks. */
struct rpc_peer {
    enum rpc_transport transport;
    unsigned role; /* of the listener */
    bool has_user; /* UNIX: whose process connected, by the kernel's word */
    uint32_t uid, gid;
    char address[RPC_PEER_ADDRESS_SIZE]; /* TCP, TLS: "127.0.0.1:41234"; "" otherwise */
    /* TLS: what the certificate proves: its SPIFFE id, or else its first name of the DNS; "" when it has neither or there is none. */
    char identity[RPC_PEER_IDENTITY_SIZE];
};

/* Files of the process that no connection may take: the journal and calls out need them. */
#define RPC_FILES_KEPT 64

/* A method to serve. */
struct rpc_method {
    const char *path; /* "/saga.v1.Coordinator/Start" */
    enum rpc_kind kind;
    int id; /* the owner's own number for it */
};

/* How a call out ended. Views for the callback. */
struct rpc_answer {
    enum saga_reach reach;
    const char *
        unreached; /* with SAGA_REACH_NONE: why its target could not be reached, in words; on_reachable follows. Otherwise NULL */
    int status; /* gRPC status code */
    struct bytes message;
    struct bytes output;
    bool has_pushback;    /* the peer sent grpc-retry-pushback-ms */
    struct span pushback; /* negative: it asks for no retry */
};

struct rpc_callbacks {
    /* The request of a unary call or server stream, or the next message of a bidi stream. message is a view for the callback. The owner ends
     * every call exactly once by rpc_reply or rpc_end. For a bidi stream the next message comes once rpc_next was called. */
    void (*on_message)(void *self, struct rpc_call *call, struct bytes message);
    /* A bidi stream's peer will send no more. */
    void (*on_half_close)(void *self, struct rpc_call *call);
    /* The peer cancelled, or is gone, or the call's deadline passed, before the call was ended. The owner must still end it. */
    void (*on_cancelled)(void *self, struct rpc_call *call);
    /* Whether this caller may see the descriptors of what is served. May be NULL: everybody may. */
    bool (*may_reflect)(void *self, struct rpc_call *call);
    /* A message given to rpc_send has left: the next one may follow. */
    void (*on_sent)(void *self, struct rpc_call *call);
    /* Asked between two events of a turn: whether the owner wants no more of it. May be NULL. */
    bool (*enough)(void *self);
    /* A connection was turned away, since the process has no file for it. On the door's own thread, once a minute at most; may be NULL. */
    void (*on_turned_away)(void *self);
    /* A call was refused with this error before the owner knew of it. May be NULL. */
    void (*on_refused)(void *self, const struct rpc_method *method, int code);
    /* So many connections were ended, for the reason in words. On the door's own thread; may be NULL. */
    void (*on_cut)(void *self, const char *why, unsigned count);
    /* Asked before a call out leaves that was held, for want of a connection or because its target took no more: one that may not leave any more is
     * given up, and has never left. May be NULL: all may. */
    bool (*may_leave)(void *self);
    /* A call out has ended. */
    void (*on_answer)(void *self, void *tag, const struct rpc_answer *answer);
    /* A target that an answer said could not be reached can be again. Meanwhile the room tries it by itself, about once a second. */
    void (*on_reachable)(void *self, unsigned number);
    void *self;
};

struct rpc_options {
    const struct rpc_method *methods;
    size_t method_count;
    uint32_t message_bytes_max; /* received; more is RESOURCE_EXHAUSTED */
    /* Of messages that are being received, of all rooms of the process: from clients, and as much again from targets. What goes over it is
     * ended. 0: no bound. The first room that is made decides. */
    uint64_t incoming_bytes_max;
    /* Of requests that are on their way to targets, which may not have taken them: calls of one that has a fourth of it, or beside others that
     * have all, are held. 0: none. */
    uint64_t outgoing_bytes_max;
    uint32_t calls_max;              /* being served at once; more is RESOURCE_EXHAUSTED */
    uint32_t streams_max;            /* server and bidi streams among them */
    uint32_t connection_streams_max; /* HTTP/2 streams of one connection */
    /* A connection that has not begun to speak HTTP/2 by then is closed; a call whose request has not come to its end by then is refused. */
    struct span handshake_timeout;
    /* A peer is asked that often whether it is there (a target every five minutes at most), and has keepalive_timeout to say so. */
    struct span keepalive_time;
    struct span keepalive_timeout;
    struct span tls_connection_age; /* of one that was accepted: then it ends, once its calls have */
    struct span connect_timeout;    /* of calls out: an attempt that finds no connection for so long never left */
    uint32_t metadata_bytes_max;    /* of a request's headers, or an answer's headers or trailers */
    const char *forwarder; /* borrowed for r's life: the identity whose word on who calls is taken; "": nobody's */
    bool core_accepts;     /* as if the room could not accept connections itself */
};

/* Starts nothing yet. callbacks is copied, options borrowed for the call (methods must stay). Returns 0, E_MEMORY or E_SYSTEM. */
int rpc_create(const struct rpc_options *options, const struct rpc_callbacks *callbacks, struct rpc **out);

/* Every call must have ended (rpc_stop, then rpc_poll until rpc_idle). Accepts NULL. */
void rpc_destroy(struct rpc *r);

/* Where to listen, and as what. */
struct rpc_listener {
    const char *address; /* "127.0.0.1:7240", "[::1]:7240", "localhost:7240" or "unix:/path"; port 0 picks a free one */
    const struct transport_credentials *credentials; /* copied */
    unsigned role;                                   /* a number of the owner's own, which its peers have */
    unsigned access; /* of a unix socket: bits of its mode for others than its owner, as in 0060 */
};

/* Listens, before rpc_start, at up to eight addresses. *port is set for TCP. A unix socket is open to the process's own user (mode 0600), and
 * to those of its access; a socket file on which nobody answers any more is replaced, and the file goes with rpc_stop. Returns 0, or E_SYSTEM with the reason in words. */
int rpc_listen(struct rpc *r, const struct rpc_listener *listener, int *port, struct error_detail *detail);

/* Whether connections are accepted by the room itself, which bounds them and outlives a lack of files; where the library that is loaded does
 * not permit that, C core accepts them: without a bound, without the uid of a unix socket's peer, and not again once the process was out of
 * files. */
bool rpc_accepts_itself(const struct rpc *r);

/* Begins to serve. */
void rpc_start(struct rpc *r);

/* Handles what has arrived, waiting until `wait` has passed when there is nothing (0: does not wait; negative: for ever). Returns how many
 * events were handled. Call it until it returns 0 with wait 0: then the queue is drained. */
int rpc_poll(struct rpc *r, struct span wait);

/* From any thread or a signal handler's thread: makes a waiting rpc_poll return. */
void rpc_wake(struct rpc *r);

/* The method of a call, and a word of the owner's own. */
const struct rpc_method *rpc_call_method(const struct rpc_call *call);
void rpc_call_set_owner(struct rpc_call *call, void *owner);
void *rpc_call_owner(const struct rpc_call *call);

/* Who called: for what another loop asks, who called there. View until the call is ended. */
const struct rpc_peer *rpc_call_peer(struct rpc_call *call);

/* What the call's metadata say of key (lower case), the first of several; empty when they say nothing, and for what another loop asks. View until
 * the call is ended. */
struct bytes rpc_call_metadata(const struct rpc_call *call, const char *key);

/* Ends a unary call with OK and message (copied). */
void rpc_reply(struct rpc_call *call, struct bytes message);

/* Sends a message on a stream (copied). One at a time: the next after on_sent. */
void rpc_send(struct rpc_call *call, struct bytes message);

/* Asks for the next message of a bidi stream. */
void rpc_next(struct rpc_call *call);

/* Ends any call with a status; status_details is a serialized google.rpc.Status for grpc-status-details-bin, or empty. */
void rpc_end(struct rpc_call *call, int status, const char *message, struct bytes status_details);

/* Addresses of one name that are called; of more, so many. */
#define RPC_ADDRESSES_MAX 64

/* A peer to call. */
struct rpc_peer_address {
    /* As address_read_target takes it: "dns:///inventory:50051", "unix:/run/inventory.sock", "127.0.0.1:50051", "ipv4:10.0.0.1:50051,10.0.0.2:50051". */
    const char *address;
    const struct transport_credentials *credentials; /* what they point to is borrowed for r's life */
    unsigned number;                                 /* the owner's own for it */
    enum spread_policy policy;                       /* of several addresses */
};

/* Lives as long as r; *to is borrowed for the call. Nothing is looked up yet: calls to a name that means nothing end with reach NONE. A name
 * that is called is looked up anew every few seconds, and within one of a connection's loss; every address has a connection of its own, up to
 * RPC_ADDRESSES_MAX. What is on its way to an address that the name no longer stands for goes on. Returns 0, E_ARGUMENT or E_MEMORY. */
int rpc_target_create(struct rpc *r, const struct rpc_peer_address *to, struct rpc_target **out,
                      struct error_detail *detail);

/* Nothing is called there any more; what is out goes on, and its connection ends after it. on_reachable does not follow. */
void rpc_target_retire(struct rpc_target *target);

/* Certificates have come into force: targets that use them are connected to anew, for the calls that come. */
void rpc_targets_renew(struct rpc *r);

struct rpc_metadata {
    const char *key; /* lower case */
    struct bytes value;
};

/* Calls method with request (borrowed until on_answer), at most 32 entries of metadata (copied), and a deadline `timeout` from now. on_answer
 * follows exactly once, never within this call. While the target does not take what it was sent (rpc_options.outgoing_bytes_max), the call is
 * held, in order, as one that finds no connection. */
void rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                  size_t metadata_count, struct bytes request, struct span timeout, void *tag);

/* What a target tells of itself. Views for the callback. */
struct rpc_reflected {
    int status;           /* gRPC's; 0: all went well */
    struct bytes message; /* else: why */
    struct bytes set;     /* a google.protobuf.FileDescriptorSet */
};
/* self is that of rpc_callbacks. */
typedef void (*rpc_reflected_fn)(void *self, void *tag, const struct rpc_reflected *told);

/* Asks a target for the descriptors of these services (full names, copied), with all that they import, by gRPC's reflection. A service that it does
 * not know is left out. At most 512 KiB. on_end follows exactly once, never within this call. */
void rpc_reflect(struct rpc_target *target, const char *const *services, unsigned count, struct span timeout,
                 rpc_reflected_fn on_end, void *tag);

/* ---- several loops in one process ---- */

/* r takes connections at keeper's addresses too, in turn with the others that do. Before keeper's rpc_start, and after r's; keeper is to be
 * stopped before r. At most 63 rooms share a keeper's door. Where C core accepts by itself, keeper takes them all. */
void rpc_share_door(struct rpc *keeper, struct rpc *r);

struct rpc_ask; /* a request of one loop to another */

/* How an ask ended: body of a unary call that went well (status 0), or a status with its message (NULL: none) and serialized
 * google.rpc.Status. Views for the callback. */
struct rpc_told {
    int status;
    const char *message;
    struct bytes details;
    struct bytes body;
};

/* Who asks hears of it so, within its own rpc_poll; self is that of its rpc_callbacks. */
struct rpc_asker {
    /* A message of a stream. The next comes once rpc_ask_took was called. NULL for unary methods. */
    void (*on_message)(void *self, void *tag, struct bytes message);
    /* Exactly once, and the last that is heard: the ask is gone with it. */
    void (*on_end)(void *self, void *tag, const struct rpc_told *told);
};

/* Asks another room of the process (or from itself): `to` serves the request as a call, whose rpc_call_asker is `from`. From from's thread.
 * method is one of to's methods, and not RPC_BIDI; message and peer (on whose behalf; NULL: the sidecar's own) are copied; asker must stay.
 * Never fails, and never calls back at once. No bound of to's is asked: from has admitted what this comes from. */
struct rpc_ask *rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                        const struct rpc_peer *peer, const struct rpc_asker *asker, void *tag);
/* At most once, and before on_end, which follows all the same. */
void rpc_ask_cancel(struct rpc_ask *ask);
void rpc_ask_took(struct rpc_ask *ask);

/* ---- several sidecars of one fleet ---- */

/* What a forwarded call has in its metadata: on whose behalf. */
#define RPC_FORWARDED_KEY "saga-forwarded-bin"

/* Where to, and for whom. Borrowed for the call, what credentials point to for r's life. */
struct rpc_forward_to {
    const char *address; /* as in rpc_peer_address */
    const struct transport_credentials *credentials;
    const struct rpc_peer *peer;
    struct span timeout; /* negative: none */
};

struct rpc_forward; /* a request to another sidecar */

/* As rpc_ask, of a sidecar elsewhere; it fails at once where nobody is. NULL: the address cannot be called, and nothing follows. */
struct rpc_forward *rpc_forward(struct rpc *r, const struct rpc_forward_to *to, const struct rpc_method *method,
                                struct bytes message, const struct rpc_asker *asker, void *tag);
/* Both as of an ask. */
void rpc_forward_cancel(struct rpc_forward *f);
void rpc_forward_took(struct rpc_forward *f);

/* Whether another sidecar has passed the call on. */
bool rpc_call_is_forwarded(const struct rpc_call *call);

/* The room that asks in this call; NULL: a peer. */
struct rpc *rpc_call_asker(const struct rpc_call *call);
/* How long ago that was, also while the machine slept. */
struct span rpc_call_asked_ago(const struct rpc_call *call);

/* What the health service says: the whole server (service NULL) or one service. */
void rpc_set_serving(struct rpc *r, const char *service, bool serving);

/* Refuses new calls and connections with UNAVAILABLE; those in flight go on. */
void rpc_stop(struct rpc *r);

/* Cancels whatever is still in flight, served and called out. */
void rpc_cancel_all(struct rpc *r);

/* Nothing is served, nothing called out. */
bool rpc_idle(const struct rpc *r);

/* Health (grpc.health.v1) and reflection (v1 and v1alpha) are served by the room itself. descriptors is the serialized
 * google.protobuf.FileDescriptorSet of every served service, with its imports (borrowed for r's life). */
void rpc_set_descriptors(struct rpc *r, struct bytes descriptors);

#endif
