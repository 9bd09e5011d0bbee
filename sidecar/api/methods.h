/* methods.h - the methods of the API as one table. What is served, how it is read, where it belongs, who may ask it and what answers it
 * follows from its rows (methods.def). */
#ifndef SAGA_API_METHODS_H
#define SAGA_API_METHODS_H

#include "sidecar/authz/authz.h"
#include "sidecar/engine/engine.h"
#include "sidecar/rpc/rpc.h"

#include <protobuf-c/protobuf-c.h>

struct api;
struct api_options;
struct api_reload;
struct arena;
struct change;
struct decoder;
struct read;

/* What was registered or enlisted, for its answer. */
struct registered {
    const struct definition *definition;
    const struct api_options *by; /* whose policy it was admitted by */
    const char *schema_hash;
    const struct api_reload *reload;
    struct bytes reflected; /* the descriptors of a target */
    struct bytes steps;     /* owned: the names of those enlisted, with a NUL behind each */
};

/* The numbers are rpc_method.id. */
enum method_id {
#define METHOD(id, ...) METHOD_##id,
#include "sidecar/api/methods.def"
#undef METHOD
    METHOD_COUNT
};

/* Which of several loops answers it. */
enum method_route {
    ROUTE_SAGA = 1,       /* that of the saga whose id is in the field `key` */
    ROUTE_REQUEST,        /* that which the request_id in `key` names; any when it is empty */
    ROUTE_FIRST,          /* loop 0 */
    ROUTE_FIRST_THEN_ALL, /* loop 0 decides; what it has accepted, the others get too */
    ROUTE_ALL,            /* all: their answers, one behind the other, are one (lists become one list) */
    ROUTE_PAGES_NEWEST,   /* all: of the pages of each, newest saga first, one is made */
    ROUTE_PAGES_OLDEST,   /* the same, oldest first */
    ROUTE_EVENTS,         /* as ROUTE_SAGA; when `key` is empty all, and their events become one stream */
    ROUTE_COMMANDS,       /* that which it came to; each command in `key` goes its own way */
};

/* A row of the table. */
struct method {
    const ProtobufCMessageDescriptor *request, *response;
    enum method_role role;
    enum method_subject subject;
    enum method_route route;
    const char *key; /* of the request, by its name in the .proto; NULL: the route needs none */
    const char *
        definition; /* its field that names a definition, or an enlisted saga; NULL: the saga that it is about has one, or it is about none */

    /* What is done about a request: one of these four. message is the unpacked request. */

    /* It changes something: fills in the event for the engine, whose decision is its answer. Views lie in message and the arena. Returns 0
     * or an error, with the field at fault in detail. */
    int (*decode)(const struct decoder *d, const void *message, struct event *event, struct error_detail *detail);
    /* It changes something that is no saga. Returns 0, with the change answered or handed to the core, or an error with neither. */
    int (*act)(struct api *api, struct change *change, const void *message, struct error_detail *detail);
    /* It looks, right after a commit. Returns 0, with the call ended or handed on, an
     * error with neither, or READ_MORE to be called again in a later turn. */
    int (*read)(struct api *api, struct read *read, const void *message, struct error_detail *detail);
    /* It is a stream of its own: message is as it came. */
    void (*take)(struct api *api, struct rpc_call *call, struct bytes message);

    /* Fills in the response (initialized) of what was changed, from arena. NULL: the response is empty. Returns false when no memory is
     * left. */
    bool (*answer)(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                   ProtobufCMessage *response);
};

/* By enum method_id, both. */
extern const struct method methods[METHOD_COUNT];
extern const struct rpc_method methods_served[METHOD_COUNT];

/* The text of a field of a request. */
const char *methods_text(const ProtobufCMessage *request, const char *field);
/* The text of the field that a request goes by. The method has a key. */
const char *methods_key(enum method_id id, const ProtobufCMessage *request);

/* The method whose requests are of this type, or METHOD_COUNT. */
enum method_id methods_find(const ProtobufCMessageDescriptor *request);

#endif
