/* core.c - C core is never put down. */
#include "transport/core.h"

#include <grpc/grpc.h>
#include <pthread.h>

static void take_up(void)
{
    grpc_init();
}

void transport_core(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, take_up);
}
