/* fake_peer.h - a participant that speaks just enough HTTP/2 to misbehave: it answers the first request of each connection with the bytes
 * it was given, or every one. It runs on a thread of its own. */
#ifndef SAGA_TESTS_FAKE_PEER_H
#define SAGA_TESTS_FAKE_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_peer {
    char address[128]; /* "127.0.0.1:port", or "unix:path" */
    const char *path;  /* of a unix socket to listen at; NULL: TCP */
    const char *host;  /* NULL: 127.0.0.1 */
    uint16_t port;     /* 0: any; the one that it was is in address */
    int listener;
    pthread_t thread;
    uint8_t answer[2048]; /* frames, sent once a request's headers have come */
    size_t answer_size;
    bool every;            /* request of a connection is answered, and not only the first */
    bool closes;           /* the connection after that */
    bool curt;             /* closes each connection before there is a request */
    bool deaf;             /* opens wide windows, and reads nothing at all; stop closes its connection */
    int stop[2];           /* a pipe */
    bool cuts;             /* stop ends the connection, as when a process ends */
    atomic_int connection; /* -1: none */
    atomic_uint requests;  /* that were answered */
    unsigned pings;        /* that came; to be read after stop */
};

/* Between init and start its answer is put together from frames. stop waits for the connections to be closed by the other side. */
void fake_peer_init(struct fake_peer *peer);
void fake_peer_start(struct fake_peer *peer);
void fake_peer_stop(struct fake_peer *peer);

/* Appends a frame to the answer. */
void fake_frame(struct fake_peer *peer, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size);
/* HEADERS of stream 1: name, value, name, value, ..., NULL. */
void fake_headers(struct fake_peer *peer, int last, ...);
void fake_reset(struct fake_peer *peer, uint32_t code);
void fake_goaway(struct fake_peer *peer, uint32_t last_stream, uint32_t code);

#endif
