/* credentials.c - C core's credentials for both sides. */
#include "transport/credentials.h"

#include <stddef.h>

const struct transport_credentials transport_plaintext = {.security = TRANSPORT_PLAINTEXT};

grpc_server_credentials *transport_server_credentials(const struct transport_credentials *credentials)
{
    switch (credentials->security) {
    case TRANSPORT_PLAINTEXT:
        return grpc_insecure_server_credentials_create();
    }
    return NULL;
}

grpc_channel_credentials *transport_channel_credentials(const struct transport_credentials *credentials)
{
    switch (credentials->security) {
    case TRANSPORT_PLAINTEXT:
        return grpc_insecure_credentials_create();
    }
    return NULL;
}
