/* address.h - the one reader of addresses, for what the sidecar and libsaga listen at and for what they call. Nothing is resolved here: what
 * a name stands for may change while a process runs. */
#ifndef SAGA_TRANSPORT_ADDRESS_H
#define SAGA_TRANSPORT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_HOST_BYTES_MAX 253 /* of a name in the DNS */
#define ADDRESS_PATH_BYTES_MAX 107 /* of a unix socket */
#define ADDRESS_NAME_SIZE      1024

/* What is spoken there. */
enum address_security {
    ADDRESS_UNSAID = 0, /* the text does not say: plaintext on this machine, TLS beyond it */
    ADDRESS_PLAINTEXT,  /* "plaintext://host:port" */
    ADDRESS_TLS,        /* "tls://host:port" */
};

struct address {
    enum address_security security;
    const char *path; /* of a unix socket: a view of the text that was read; NULL for the rest */
    char host[ADDRESS_HOST_BYTES_MAX + 1];
    bool bracketed; /* the host is an IPv6 address, which stood in brackets */
    uint16_t port;
    const char *authority; /* the server to ask of "dns://authority/host:port": a view; NULL for the system's own */
    size_t authority_size;
    const char *
        others; /* of "ipv4:host:port,host:port": a view of those that follow, to be read as targets themselves; NULL: none do */
};

/* Reads "unix:/path", "host:port" or "[ipv6]:port", the latter two with "tls://" or "plaintext://" before them if wanted. Returns NULL, or what is wrong in words that follow the address. */
const char *address_read(const char *text, struct address *out);

/* The same, and what gRPC's names add: unix:///path, dns:host:port, dns://authority/host:port, and ipv4:host:port or ipv6:[host]:port, of which
 * several in numbers may follow one another after commas. Port 0 is refused, since nobody can be called there. */
const char *address_read_target(const char *text, struct address *out);

/* Goes on to the next of several hosts. Returns false when there is none. */
bool address_next(struct address *address);

/* Whether the host is in numbers, and not a name to look up. */
bool address_is_number(const struct address *address);

/* Whether only this machine reaches it, and the others after it: a unix socket, 127.0.0.0/8, [::1] or localhost. */
bool address_is_near(const struct address *address);

/* ADDRESS_PLAINTEXT or ADDRESS_TLS: what the text says, or else plaintext on this machine and TLS beyond it. ADDRESS_UNSAID when the latter
 * would be right and there are no certificates: then nobody is called, or let in. */
enum address_security address_security_of(const struct address *address, bool has_certificates);

/* Writes the name by which C core calls it. A relative path is completed with the working directory, since C core would read it otherwise.
 * Returns false when it does not fit. */
bool address_target_name(const struct address *address, char name[ADDRESS_NAME_SIZE]);

#endif
