/* credentials.h - how a listener or a channel proves who it is, and what it asks of the other side: the one place where C core's credentials
 * are made. Plaintext is all there is now; TLS is a further form of the same struct, and changes nobody who passes it on. */
#ifndef SAGA_TRANSPORT_CREDENTIALS_H
#define SAGA_TRANSPORT_CREDENTIALS_H

#include <grpc/grpc_security.h>

enum transport_security { TRANSPORT_PLAINTEXT };

struct transport_credentials {
    enum transport_security security;
};

extern const struct transport_credentials transport_plaintext;

/* Both give what the caller releases. */
grpc_server_credentials *transport_server_credentials(const struct transport_credentials *credentials);
grpc_channel_credentials *transport_channel_credentials(const struct transport_credentials *credentials);

#endif
