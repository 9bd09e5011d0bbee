/* load_flows.h - what is kept in flight: calls, or whole sagas. */
#ifndef SAGA_TESTS_BENCH_LOAD_FLOWS_H
#define SAGA_TESTS_BENCH_LOAD_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct load_options {
    const char *which;
    const char *address;
    const char *participants; /* where the steps are served; the sidecar's target "bench" */
    int inflight;
    int connections;
    int targets; /* start: that many, each with a definition of its own; call: the addresses called */
    int payload_bytes;
    const char *input; /* a file of the payload; NULL: any bytes */
    bool random_ids;   /* request_ids in no order */
    int hold_s;        /* deadline and lease of enlisted sagas */
    bool refuse_undo;
    int fail;               /* the status of every action; 0: they are done */
    const char *definition; /* of every saga; NULL: "bench", or one for each target */
    clockid_t watched;      /* the CPU of the server; 0: nobody wants to know */
    double think_s;         /* of a participant */
    int workers;            /* likewise, and how long each of its phases is */
    double phase_s;
    int batch;   /* commands in one message of a pipe */
    double rate; /* sagas a second at most; 0: as many as go */
};

void flows_open(const struct load_options *options);
/* Starts what the rate allows by now. */
void flows_pace(void);
size_t flows_failed(void);
/* The most CPU that the watched server took while one flow waited, in seconds. */
double flows_worst_cpu(void);
/* From now on no flow begins anew. */
void flows_stop(void);
/* Whether those that had begun are over. */
bool flows_over(void);

#endif
