/* reach.c - how far a call out got that ended with a status other than OK.
 *
 * The engine undoes nothing that was certainly not done, so the two certain answers need proof, and everything else is MAYBE.
 *
 * "It never left" is proven by headers that were never put on a connection, or by a peer whose HTTP/2 layer says that it refused the stream
 * (https://www.rfc-editor.org/rfc/rfc9113#section-8.7).
 *
 * "The participant said so" is proven by a grpc-status that came over the wire. C core makes statuses up as well (a broken connection, a
 * reset stream, an HTTP error of a proxy) and hands them out in the same way, even with the same words. What differs is how many entries of
 * the trailing metadata it keeps to itself: one for a status that it made up, two or more for one that has come, two again for one made up
 * because the peer closes its connections, and three for one made up because a message that had come could not be used. The library's
 * version is fixed by its soname; tests/unit/test_rpc_out.c holds it to all this. A server that sends more of what C core keeps to itself
 * (load reports) is not told from the last kind: that costs a wait, and no more. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#define FROM_PEER  "Error received from peer"
#define FROM_PROXY "Received http2 header with status"
#define RESET      "Received RST_STREAM with error code"
#define REFUSED    "Received RST_STREAM with error code 7\""

#define MADE_UP_HIDDEN 1
#define REAL_HIDDEN    2

static bool says(const char *trace, const char *words)
{
    return trace != NULL && strstr(trace, words) != NULL;
}

/* A participant may pass on the words of a failure of its own calls, so words alone prove nothing in its favour. */
static bool was_refused(const struct rpc_ending *e)
{
    return e->status == CODE_UNAVAILABLE && e->hidden_count == MADE_UP_HIDDEN && says(e->trace, REFUSED);
}

/* https://github.com/grpc/grpc/blob/master/doc/statuscodes.md: only applications send these. */
static bool is_never_made_up(int status)
{
    switch (status) {
    case CODE_INVALID_ARGUMENT:
    case CODE_NOT_FOUND:
    case CODE_ALREADY_EXISTS:
    case CODE_FAILED_PRECONDITION:
    case CODE_ABORTED:
    case CODE_OUT_OF_RANGE:
    case CODE_DATA_LOSS:
        return true;
    default:
        return false;
    }
}

static bool was_answered(const struct rpc_ending *e)
{
    if (!says(e->trace, FROM_PEER))
        return false;
    if (is_never_made_up(e->status))
        return e->hidden_count >= REAL_HIDDEN;
    if (says(e->trace, FROM_PROXY) || says(e->trace, RESET))
        return false;
    switch (e->status) {
    case CODE_UNAVAILABLE:
        return e->hidden_count >= REAL_HIDDEN && !says(e->trace, "GOAWAY received") &&
               !says(e->trace, "Transport closed");
    case CODE_UNKNOWN:
    case CODE_INTERNAL:
    case CODE_RESOURCE_EXHAUSTED:
        return e->hidden_count == REAL_HIDDEN;
    default:
        return e->hidden_count >= REAL_HIDDEN;
    }
}

enum saga_reach rpc_reach_of(const struct rpc_ending *e)
{
    if (e->unsent)
        return SAGA_REACH_NONE;
    if (e->ended_here)
        return SAGA_REACH_MAYBE;
    if (was_refused(e))
        return SAGA_REACH_NONE;
    return was_answered(e) ? SAGA_REACH_ANSWERED : SAGA_REACH_MAYBE;
}
