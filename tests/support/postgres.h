/* postgres.h - a private PostgreSQL cluster for a test: in a temporary folder, on a unix socket. */
#ifndef SAGA_TESTS_POSTGRES_H
#define SAGA_TESTS_POSTGRES_H

#include <stdbool.h>
#include <sys/types.h>

struct postgres {
    char folder[64];
    char conninfo[160]; /* for PQconnectdb */
    pid_t server;
    bool durable;
};

/* Starts one, without the disk's safety, as another user when this is root, which PostgreSQL refuses to run as. False, with words on stderr, when it is not installed or
 * does not start. The server ends with this process. */
bool postgres_start(struct postgres *p);

/* The same, with commits that are durable. */
bool postgres_start_durable(struct postgres *p);

/* kill -9 of the server with all its processes, and a start of it as after a crash. */
void postgres_kill(struct postgres *p);
bool postgres_restart(struct postgres *p);

/* Stops it and removes the folder. */
void postgres_stop(struct postgres *p);

#endif
