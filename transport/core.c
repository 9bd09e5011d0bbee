/* core.c - C core is never put down. */
#include "transport/core.h"

#include <grpc/grpc.h>
#include <openssl/crypto.h>
#include <pthread.h>

void transport_crypto(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static void take_up(void)
{
    transport_crypto();
    grpc_init();
}

void transport_core(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, take_up);
}
