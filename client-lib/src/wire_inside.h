/* wire_inside.h - what the files of the wire, and the pipe, share of C core. Internal to client-lib/src. */
#ifndef SAGA_CLIENT_WIRE_INSIDE_H
#define SAGA_CLIENT_WIRE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include <grpc/grpc.h>

#include "client-lib/src/wire.h"
#include "transport/address.h"
#include "transport/credentials.h"

/* The tag of every operation: the wire's thread calls done when the operation has ended. */
struct wire_tag {
    void (*done)(struct wire_tag *tag, bool ok);
};

/* Something that the wire's thread does a little later, unless it is ended before: whoever has seen the end of a call waits so long for whether
 * its headers have left. They fail at once, too, unless they are stuck on a connection. The wire's thread alone. */
struct wire_wait {
    struct wire_wait *next;
    int64_t at; /* 0: it does not wait */
    void (*over)(struct wire_wait *wait);
};

/* A call that wire_shutdown must cancel. Embedded in whatever makes the call. */
struct wire_live {
    grpc_call *call;
    struct wire_live *next;
    struct wire_live *previous;
};

struct wire {
    pthread_mutex_t channel_lock; /* of the following: a channel is made anew when certificates change */
    grpc_channel *channel;
    size_t message_bytes_max;
    char target[ADDRESS_NAME_SIZE], host[ADDRESS_HOST_BYTES_MAX + 1];
    struct transport_credentials credentials;
    uint64_t certificates_version;
    char *tls_texts[4]; /* owned: certificate, key, roots, identity */
    grpc_completion_queue *queue;
    grpc_channel *lame; /* C core has no alarm: an empty batch on a call of a lame channel is how a queue is woken */
    grpc_call *waker;
    struct wire_tag wake_tag;
    atomic_bool woken;
    atomic_uint
        handed_over; /* counts batches: what a thread wrote before it started one is seen by the wire's thread when it ends */
    pthread_t thread;
    struct wire_wait *waits; /* in the order of their ends */
    pthread_mutex_t mutex;   /* guards what follows */
    pthread_cond_t idle;     /* live has become empty, the thread has ended, or its turn has */
    struct wire_live *live;
    bool shut;
    bool ended;     /* the thread has no more to do */
    bool turning;   /* it runs the hook */
    bool abandoned; /* nobody waits for it: it frees the wire */
    unsigned generation;
    struct wire_hooks hooks;
    char *address;
};

/* Links live, whose call is set, into the calls to cancel. Fails with CANCELLED when the wire is shut: the call is then the caller's to
 * unref. */
int wire_admit(struct wire *w, struct wire_live *live, struct saga_error *error);

/* The call has ended, and whoever is to know does: unlinks it. What it has sent may still be on its way. */
void wire_dismiss(struct wire *w, struct wire_live *live);

bool wire_is_shut(struct wire *w);

void wire_wait_begin(struct wire *w, struct wire_wait *wait);
/* Also of one that does not wait. */
void wire_wait_end(struct wire *w, struct wire_wait *wait);

/* Fails with CLIENT_CLOSED, or CLIENT_FORKED, when the wire cannot be used (any more). */
int wire_usable(struct wire *w, struct saga_error *error);

/* Starts a batch of a call; any thread. */
void wire_batch(struct wire *w, grpc_call *call, const grpc_op *ops, size_t count, struct wire_tag *tag);

gpr_timespec wire_timespec(int64_t deadline);

/* A call on the wire's channel and queue, not yet begun. Any thread. */
grpc_call *wire_create_call(struct wire *w, const char *method, int64_t deadline);

/* A byte buffer with the packed message; gives. NULL: no memory. */
grpc_byte_buffer *wire_pack(const ProtobufCMessage *message);

/* The bytes of a buffer as one slice; gives (grpc_slice_unref). */
grpc_slice wire_flatten(grpc_byte_buffer *buffer);

/* Unpacks a message. Gives, or NULL when it cannot be read. */
ProtobufCMessage *wire_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *type);

/* How a call ended, from what RECV_STATUS_ON_CLIENT left. trailing and message stay the caller's. left: its headers were put on a connection,
 * which is what the success of a batch with SEND_INITIAL_METADATA alone tells. */
int wire_error_of_call(struct wire *w, bool left, grpc_status_code status, grpc_slice message,
                       const grpc_metadata_array *trailing, struct saga_error *error);

#endif
