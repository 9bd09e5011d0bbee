/* credentials.h - how a listener or a channel proves who it is, and what it asks of the other side: the one place where C core's credentials
 * are made. */
#ifndef SAGA_TRANSPORT_CREDENTIALS_H
#define SAGA_TRANSPORT_CREDENTIALS_H

#include "transport/certificates.h"

#include <grpc/grpc_security.h>

enum transport_security {
    TRANSPORT_PLAINTEXT,
    TRANSPORT_TLS, /* 1.2 or later */
};

struct transport_credentials {
    enum transport_security security;

    /* TLS. Borrowed, as long as anything that was made with them. A listener asks its clients for a certificate when there are roots, and lets
     * nobody in without. A channel asks for one always, and without roots trusts those of the system. */
    struct certificates *certificates;

    /* A channel: who has to be at the other end. A SPIFFE id ("spiffe://example.org/ns/shop/sa/cart"; with "*" as its last character, any that
     * begins so), or a name as certificates hold it, of the DNS or a number. Copied. NULL: the host of the address that is called. */
    const char *expected;
};

extern const struct transport_credentials transport_plaintext;

/* Both give what the caller releases; NULL when no memory is left. A listener takes certificates that come into force later at its next
 * handshake; a channel is to be made anew. host is that of the address that a channel calls. */
grpc_server_credentials *transport_server_credentials(const struct transport_credentials *credentials);
grpc_channel_credentials *transport_channel_credentials(const struct transport_credentials *credentials,
                                                        const char *host);

/* Whether one of a certificate's names is what was expected, by the rules above: of the DNS with one "*" for the first label. */
bool transport_name_matches(const char *expected, const char *const *names, size_t count);

#endif
