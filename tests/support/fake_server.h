/* fake_server.h - a gRPC server that speaks saga.v1.Coordinator as a test scripts it: answers, errors with details, silence, and connections
 * that break. For tests of the client.
 *
 * A thread of its own runs the handler, one message at a time. Everything else may be called from any thread. */
#ifndef SAGA_TESTS_FAKE_SERVER_H
#define SAGA_TESTS_FAKE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct fake_server;

/* One call. Stays valid until fake_close, so that it can be held and answered later; then too it does no harm when it has ended. */
struct fake_call {
    struct fake_server *server;
    char method[32];    /* "Start" */
    unsigned number;    /* of this method, from 1 */
    int64_t timeout_ms; /* what was left when it came; -1: none */
};

/* Runs for each message. request is a view of the method's request type, and NULL when the client has ended its side (which unary calls and
 * server streams do not tell). Answers now, later (fake_answer from anywhere), or never. */
typedef void fake_handler(struct fake_call *call, const void *request, void *user);

/* Listens at a unix socket in a folder of its own. */
struct fake_server *fake_open(fake_handler *handler, void *user);
void fake_close(struct fake_server *s);

/* "unix:..." */
const char *fake_address(const struct fake_server *s);

/* Breaks every connection, and with fake_unlisten refuses new ones until fake_listen. */
void fake_cut(struct fake_server *s);
void fake_unlisten(struct fake_server *s);
void fake_listen(struct fake_server *s);

/* From now on, or no longer, breaks every connection as soon as it is there. */
void fake_shut_door(struct fake_server *s, bool shut);

/* Ends a unary call with a message; or sends one on a stream. */
void fake_answer(struct fake_call *call, const ProtobufCMessage *message);

/* Ends a stream in good order. */
void fake_end(struct fake_call *call);

/* Ends a call with a status. With a reason, google.rpc.Status details are added: ErrorInfo, BadRequest when field is not NULL, RetryInfo when
 * retry_delay_ms is not negative. */
void fake_fail(struct fake_call *call, int status, const char *message, const char *reason, const char *field,
               int64_t retry_delay_ms);

/* How many calls of a method have come. */
unsigned fake_count(struct fake_server *s, const char *method);

/* Waits until there are that many; fails the test after 20 s. */
void fake_await(struct fake_server *s, const char *method, unsigned count);

/* How many connections were accepted. */
unsigned fake_connections(struct fake_server *s);

#endif
