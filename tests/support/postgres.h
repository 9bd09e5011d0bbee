/* postgres.h - a private PostgreSQL cluster for a test: in a temporary folder, on a unix socket, without the disk's safety. */
#ifndef SAGA_TESTS_POSTGRES_H
#define SAGA_TESTS_POSTGRES_H

#include <stdbool.h>
#include <sys/types.h>

struct postgres {
    char folder[64];
    char conninfo[160]; /* for PQconnectdb */
    pid_t server;
};

/* Starts one, as another user when this is root, which PostgreSQL refuses to run as. False, with words on stderr, when it is not installed or
 * does not start. The server ends with this process. */
bool postgres_start(struct postgres *p);

/* Stops it and removes the folder. */
void postgres_stop(struct postgres *p);

#endif
