/* wire.h - calls to the sidecar, as the client and sagactl make them. Not installed.
 *
 * A wire is one channel with one completion queue and one thread that works it. gRPC connects and reconnects by itself; the wire adds what
 * C core leaves out: typed messages, errors with their details read, and the knowledge whether a failed call ever left this process.
 * Nothing is retried here. Any thread may call; fork() is not survived (wire_forked tells). */
#ifndef SAGA_CLIENT_WIRE_H
#define SAGA_CLIENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>
#include <saga/error.h>

struct wire;

#define WIRE_FOREVER INT64_MAX

/* The monotonic clock, in nanoseconds, that every deadline here is on. */
int64_t wire_now(void);

/* now + timeout_ms; WIRE_FOREVER when timeout_ms is negative or the sum would not fit. */
int64_t wire_deadline(int64_t timeout_ms);

/* Milliseconds from now to deadline, rounded up; 0 when it has passed, -1 for WIRE_FOREVER. */
int64_t wire_time_left_ms(int64_t deadline);

/* Delays between tries: doubled each time up to half a second, and jittered. *delay_ms starts as 0. Returns nanoseconds. */
int64_t wire_backoff(int64_t *delay_ms);

/* ---- the connection ---- */

/* What runs on the wire's own thread beside calls. */
struct wire_hooks {
    /* Runs after each event of the queue and after each wire_wake. Returns when it wants to run again at the latest (WIRE_FOREVER: only
     * when there is something new). NULL: nothing. */
    int64_t (*turn)(void *self);
    void *self;
};

/* Files and a name for TLS; each NULL: as $SAGAD_TLS_CERTIFICATE, $SAGAD_TLS_KEY, $SAGAD_TLS_ROOTS and $SAGAD_TLS_IDENTITY say, else none. Borrowed
 * for the call. */
struct wire_tls {
    const char *certificate, *key, *roots, *identity;
};

struct wire_options {
    const char *address; /* NULL: wire_default_address */
    struct wire_tls tls;
    size_t message_bytes_max; /* received; 0: 16 MiB */
    struct wire_hooks hooks;  /* copied */
};

/* $SAGAD_ADDRESS, else unix:./sagad-data/sagad.sock when that exists, else 127.0.0.1:7240. A view, valid until the environment changes. */
const char *wire_default_address(void);

/* Opens a wire; does not wait for a connection. Gives *out. Fails with INVALID_ARGUMENT (field "address", "tls_certificate"), RESOURCE_EXHAUSTED (no memory)
 * or INTERNAL (no thread). */
int wire_open(const struct wire_options *options, struct wire **out, struct saga_error *error);

/* From any thread: every call in flight ends with CANCELLED and CLIENT_CLOSED, and so do later ones. Wires stay usable for closing. */
void wire_shutdown(struct wire *w);

/* Shuts down, waits until the wire's thread has ended, frees. What the sidecar does not read, and so is stuck on a connection, is not waited for:
 * then the thread ends, and frees the rest, once that has come out. No other thread may still be inside a function of this wire; every
 * wire_stream must be closed. Accepts NULL. */
void wire_close(struct wire *w);

/* The address as it was given or found. A view, valid until wire_close. */
const char *wire_address(const struct wire *w);

/* Whether the caller is the wire's own thread, on which nothing may wait. */
bool wire_is_own_thread(const struct wire *w);

/* From any thread: has the hook run soon. */
void wire_wake(struct wire *w);

/* Whether this process is a child that was forked after the wire was opened: then nothing of it can be used, and wire_close frees nothing. */
bool wire_forked(const struct wire *w);

/* ---- unary calls ---- */

struct wire_call {
    const char *method;              /* "/saga.v1.Coordinator/Get" */
    const ProtobufCMessage *request; /* borrowed */
    const ProtobufCMessageDescriptor *response_type;
    int64_t deadline;    /* from wire_deadline */
    bool wait_for_ready; /* wait for a connection until the deadline; false: fail at once while there is none */

    ProtobufCMessage *response; /* set on SAGA_OK: gives; free with protobuf_c_message_free_unpacked(response, NULL) */
    bool left;                  /* set: the call may have reached the sidecar */
};

/* Makes one call and waits for its end. A call that finds no connection fails with UNAVAILABLE and SAGA_REASON_UNREACHABLE, also when it
 * waited for one until its deadline: it was certainly not carried out. Not from the wire's own thread. */
int wire_call(struct wire *w, struct wire_call *call, struct saga_error *error);

/* ---- unary calls without waiting ---- */

/* Runs on the wire's thread when the call has ended. response is a view and NULL unless code is SAGA_OK. */
typedef void wire_done(void *self, int code, const ProtobufCMessage *response, const struct saga_error *error);

/* Makes the call in the background; done follows exactly once when SAGA_OK is returned, and never when not. call is copied, what it points
 * to is borrowed for this function; response and left are not used. */
int wire_call_background(struct wire *w, const struct wire_call *call, wire_done *done, void *self,
                         struct saga_error *error);

/* ---- server streams ---- */

struct wire_stream;

/* Opens a stream with one request (borrowed). Does not wait for the server: what is wrong with the stream shows in wire_stream_read. Gives
 * *out. wait_for_ready as in wire_call. */
int wire_stream_open(struct wire *w, const char *method, const ProtobufCMessage *request,
                     const ProtobufCMessageDescriptor *response_type, bool wait_for_ready, struct wire_stream **out,
                     struct saga_error *error);

/* Waits for the next message. SAGA_OK with *message set: gives (protobuf_c_message_free_unpacked). SAGA_OK with *message NULL: the server
 * has ended the stream. DEADLINE_EXCEEDED: nothing came until deadline; the stream goes on and may be read again. Anything else: the stream
 * has failed for good. One thread at a time. */
int wire_stream_read(struct wire_stream *s, int64_t deadline, ProtobufCMessage **message, struct saga_error *error);

/* Whether the stream has been given to a connection. */
bool wire_stream_reached(struct wire_stream *s);

/* From any thread: a wire_stream_read that waits, and every later one, ends with CANCELLED. */
void wire_stream_cancel(struct wire_stream *s);

/* Cancels what is still open, and frees all of it once that has ended. Accepts NULL. */
void wire_stream_close(struct wire_stream *s);

#endif
