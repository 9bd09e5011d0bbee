/* reach.c - how far a call out got that ended with a status other than OK.
 *
 * The engine undoes nothing that was certainly not done, so the two certain answers need proof, and everything else is MAYBE.
 * "It never left" is proven by C core never having given the call to a connection, or by the peer's HTTP/2 layer saying that it refused
 * the stream (https://www.rfc-editor.org/rfc/rfc9113#section-8.7). "The participant said so" is proven by a grpc-status that came over
 * the wire: C core makes statuses up as well (a broken connection, a reset stream, a proxy's HTTP error) and hands them out in the same
 * way, but marks its copy of the trailing metadata when they are real. */
#include "sidecar/rpc/internal.h"

#include "sidecar/base/grpc_status.h"

/* The words of C core 1.51. Should another version use others, the answer becomes MAYBE. */
#define FROM_PEER   "Error received from peer"
#define FROM_PROXY  "Received http2 header with status"
#define REFUSED     "Received RST_STREAM with error code 7"

static bool says(const char *trace, const char *words)
{
    return trace != NULL && strstr(trace, words) != NULL;
}

enum saga_reach rpc_reach_of(const struct rpc_ending *e)
{
    if (strcmp(e->peer, e->target) == 0)
        return SAGA_REACH_NONE;
    if (e->ended_here)
        return SAGA_REACH_MAYBE;
    if (says(e->trace, FROM_PEER) && !says(e->trace, FROM_PROXY) && e->hidden_count > 0)
        return SAGA_REACH_ANSWERED;
    if (e->status == CODE_UNAVAILABLE && says(e->trace, REFUSED) && e->hidden_count == 0)
        return SAGA_REACH_NONE;
    return SAGA_REACH_MAYBE;
}
