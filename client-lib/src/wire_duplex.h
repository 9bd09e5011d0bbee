/* wire_duplex.h - a stream of messages both ways, worked on the wire's own thread. Internal to client-lib/src.
 *
 * Every function here, and every function of struct wire_duplex_events, runs on the wire's thread (from its hook or from another event):
 * nothing is locked. */
#ifndef SAGA_CLIENT_WIRE_DUPLEX_H
#define SAGA_CLIENT_WIRE_DUPLEX_H

#include <grpc/slice.h>

#include "client-lib/src/wire.h"

struct wire_duplex;

struct wire_duplex_events {
    /* The last message has been handed to the connection: another one may be sent. */
    void (*sent)(void *self);
    /* A message has arrived. A view; NULL when it cannot be read. */
    void (*received)(void *self, const ProtobufCMessage *message);
    /* The stream is over and freed; always the last. code is SAGA_OK when the server has ended it in good order. */
    void (*ended)(void *self, int code, const struct saga_error *error);
};

/* Opens a stream that waits for a connection as long as it takes. events is borrowed until the end. Gives *out, which frees itself at its
 * end. */
int wire_duplex_open(struct wire *w, const char *method, const ProtobufCMessageDescriptor *response_type,
                     const struct wire_duplex_events *events, void *self, struct wire_duplex **out,
                     struct saga_error *error);

/* Sends one message (takes the slice). One at a time: the next after events->sent. Only once the stream was given to a connection: what lies in
 * C core's queue before that may leave at any later time, so nobody could say that it was not carried out. */
void wire_duplex_send(struct wire_duplex *d, grpc_slice message);

/* Whether the stream has been given to a connection. */
bool wire_duplex_reached(const struct wire_duplex *d);

/* Has the stream end soon, with CANCELLED. */
void wire_duplex_cancel(struct wire_duplex *d);

#endif
