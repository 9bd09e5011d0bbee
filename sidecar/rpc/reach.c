/* reach.c - how far a call out got that ended with a status other than OK.
 *
 * The engine undoes nothing that was certainly not done, and waits for what may still be running, so what is certain needs proof.
 *
 * "It never left" is proven by us alone: its headers were never put on a connection. A peer's word for it (a stream that it refused) proves
 * nothing, since proxies send that for calls whose function runs. What an answer that came proves is in compensations/answer.c. Here is only
 * what has not come: C core makes statuses up (a broken connection, a reset stream, an HTTP error of a proxy), some of which look like a
 * participant's own. tests/unit/test_rpc_out.c holds the library to this. */
#include "sidecar/rpc/rpc_inside.h"

#include "sidecar/base/grpc_status.h"

#define FROM_PEER  "Error received from peer"
#define FROM_PROXY "Received http2 header with status"
#define RESET      "Received RST_STREAM with error code"

static bool says(const char *trace, const char *words)
{
    return trace != NULL && strstr(trace, words) != NULL;
}

/* Statuses that C core makes of an HTTP status or a reset stream, and that are an end when a participant sends them. A participant may pass
 * on the words of a failure of its own calls: then this is wrong, which costs a wait, and no more. */
static bool is_made_up(const struct rpc_ending *e)
{
    switch (e->status) {
    case CODE_PERMISSION_DENIED:
    case CODE_UNAUTHENTICATED:
    case CODE_UNIMPLEMENTED:
    case CODE_RESOURCE_EXHAUSTED:
        return says(e->trace, FROM_PROXY) || says(e->trace, RESET);
    default:
        return false;
    }
}

enum saga_reach rpc_reach_of(const struct rpc_ending *e)
{
    if (e->unsent)
        return SAGA_REACH_NONE;
    if (e->function == NULL && (e->ended_here || !says(e->trace, FROM_PEER) || is_made_up(e)))
        return SAGA_REACH_MAYBE;
    return saga_reach_of_status(e->status, e->function);
}
