/* call.h - the inside of saga_call, for those that make calls: the participant's server and saga_call_create. */
#ifndef SAGA_CLIENT_CALL_H
#define SAGA_CLIENT_CALL_H

#include <saga/participant.h>

#include <stdatomic.h>

/* The server embeds it; call_init and call_finish do not free the struct itself. */
struct saga_call {
    struct saga_call_info info; /* its texts point into texts; the request belongs to whoever made the call */
    char *texts;
    void *request;       /* of a call made by hand: its own copy, else NULL */
    int64_t deadline_ns; /* on the wire's clock; WIRE_FOREVER: none */
    atomic_bool cancelled;
    size_t answer_bytes_max;
    uint8_t *answer;
    size_t answer_size;
    char message[SAGA_CALL_MESSAGE_BYTES_MAX + 1];
};

#define CALL_ANSWER_BYTES_MAX_DEFAULT (4u << 20)

/* Makes a call of info (texts copied, the request only pointed to) that has no answer yet. Every text must have been checked. timeout_ms of 0
 * means no deadline; the caller may set deadline_ns more exactly. Returns SAGA_OK, or RESOURCE_EXHAUSTED when there is no memory. */
int call_init(struct saga_call *call, const struct saga_call_info *info, size_t answer_bytes_max);

/* Accepts what call_init has failed on, and zeroes. */
void call_finish(struct saga_call *call);

/* Checks everything that came with a call but its request and method. Returns SAGA_OK, or INVALID_ARGUMENT with *field (a view, for ever) and
 * *problem. The names are those of the members when named_as_members is set, else those of the metadata. */
int call_info_check(const struct saga_call_info *info, bool named_as_members, const char **field, const char **problem);

/* Whether method is "/package.Service/Method" of at most SAGA_CALL_METHOD_BYTES_MAX bytes of printable ASCII. */
bool call_method_valid(const char *method);

/* The status that goes out for what a function returned: a number outside the table is UNKNOWN. */
int call_status(int returned);

#endif
