/* fake_dns.h - a name server that knows one name, on a thread of its own: "dns://ADDRESS/NAME:PORT" asks it. */
#ifndef SAGA_TESTS_FAKE_DNS_H
#define SAGA_TESTS_FAKE_DNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define FAKE_DNS_NAME      "pod.test"
#define FAKE_DNS_ADDRESSES 4

struct fake_dns {
    char address[32]; /* "127.0.0.1:port" */
    int socket;
    pthread_t thread;
    atomic_uint last[FAKE_DNS_ADDRESSES]; /* bytes of 127.0.0.x, which the name stands for; 0: none */
    bool six;                             /* the name stands for ::1 as well; set before the start */
    atomic_uint asked;                    /* questions for them that came */
    pthread_mutex_t gate;                 /* nothing is answered while somebody has it */
};

void fake_dns_start(struct fake_dns *dns);
void fake_dns_stop(struct fake_dns *dns);

#endif
