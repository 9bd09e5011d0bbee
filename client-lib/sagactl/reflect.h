/* reflect.h - the descriptors that a server tells of itself (gRPC server reflection). */
#ifndef SAGACTL_REFLECT_H
#define SAGACTL_REFLECT_H

#include "client-lib/sagactl/run.h"
#include "sidecar/base/bytes.h"
#include "sidecar/definition/model.h"

/* Files of descriptors, each once, by name. Zeroed at first. */
struct reflected {
    struct bytes *files; /* owned: FileDescriptorProtos */
    size_t count, room;
    size_t bytes;
};

/* Adds what the server at address has: the files of its services, and all that they import. Returns EXIT_DONE, or another status after having
 * said why. */
int reflect_server(struct run *r, const char *address, struct reflected *files);

/* Adds what the targets of a definition, which has been read without types, tell the sidecar of the services that it calls. */
int reflect_definition(struct run *r, const struct definition *d, struct reflected *files);

/* The files as a FileDescriptorSet. Gives *set (free). */
int reflect_set(struct run *r, const struct reflected *files, char **set, size_t *size);

void reflect_finish(struct reflected *files);

#endif
