/* external.h - connections that we have accepted ourselves, handed to a server of C core under credentials of any kind.
 *
 * C core's own listener stops for good when the process is out of files, and puts no bound on connections; grpc_server_add_channel_from_fd
 * takes plaintext only. What remains is C core's "external acceptor": the server has a port named external:NAME, and gives an object whose
 * third virtual function takes a connection. That function is not in C core's headers, and so may change with the library: a child process
 * tries it before anything else does. */
#ifndef SAGA_TRANSPORT_EXTERNAL_H
#define SAGA_TRANSPORT_EXTERNAL_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <stdbool.h>

struct transport_external {
    void *handler; /* C core's, as long as the server is not shut down; NULL before transport_external_add */
};

/* The argument that the server must be created with. name is the port's, "external:..."; it and external must stay as long as the server. */
grpc_arg transport_external_arg(const char *name, struct transport_external *external);

/* Adds the port, before the server is started. Returns false when C core does not have it. */
bool transport_external_add(grpc_server *server, const char *name, struct transport_external *external,
                            grpc_server_credentials *credentials);

/* Hands a connected socket over, which C core closes from then on. Any thread, once the server is started, and never after its shutdown has
 * begun. */
void transport_external_take(const struct transport_external *external, int fd);

/* Whether the library that is loaded does as it should: known after the first call, which asks a child process and takes some milliseconds.
 * To be called before grpc_init and before there are threads. */
bool transport_external_works(void);

#endif
