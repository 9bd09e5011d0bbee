/* peer.c - who is at the other end of a connection, asked of the kernel.
 *
 * C core names a connection that the door has handed to it by its file descriptor ("fd:8"), which is that connection's as long as it stands. */
#include "sidecar/rpc/rpc_inside.h"

#include <grpc/support/alloc.h>
#include <stdio.h>
#include <sys/socket.h>

void rpc_peer_of(grpc_call *call, struct rpc_peer *out)
{
    struct sockaddr_storage address;
    struct ucred user;
    socklen_t size = sizeof address;
    int fd;
    char *name = grpc_call_get_peer(call);
    bool named = sscanf(name, "fd:%d", &fd) == 1;
    gpr_free(name);
    *out = (struct rpc_peer){.transport = RPC_TRANSPORT_NONE};
    if (!named || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return;
    if (address.ss_family != AF_UNIX) {
        out->transport = RPC_TRANSPORT_TCP;
        return;
    }
    out->transport = RPC_TRANSPORT_UNIX;
    size = sizeof user;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0)
        return;
    out->has_user = true;
    out->uid = user.uid;
    out->gid = user.gid;
    out->pid = user.pid;
}
