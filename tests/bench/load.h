/* load.h - what the files of the load generator share: one thread, one completion queue, bare gRPC C core. */
#ifndef SAGA_TESTS_BENCH_LOAD_H
#define SAGA_TESTS_BENCH_LOAD_H

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a tag in the queue points to. */
struct op {
    void (*done)(struct op *op, bool ok);
};

extern grpc_completion_queue *load_queue;

void load_fail(const char *what) __attribute__((__noreturn__));
double load_now(void);

/* Latencies of the phase that counts, in seconds. */
void load_sample(double seconds);
size_t load_samples(void);
/* "p50": x, "p99": y in milliseconds, printed into the JSON line. */
void load_print_latencies(void);

grpc_byte_buffer *load_buffer(const void *at, size_t size);
/* The bytes of a buffer in one piece; free with gpr_free. */
uint8_t *load_bytes(grpc_byte_buffer *buffer, size_t *size);

/* ---- calls.c: unary calls over several connections ---- */
struct call;
typedef void (*call_done)(struct call *call, int status, const uint8_t *answer, size_t size);

struct call {
    struct op op;
    call_done done;
    double started;
    int deadline_s; /* 0: none */
    void *user;
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *answer;
    grpc_status_code status;
    grpc_slice message;
};

#define CALLS_TARGET_SIZE 256
const char *calls_target(const char *address, int index, int targets, char text[CALLS_TARGET_SIZE]);
/* One channel a connection; with several targets one to each of them. */
void calls_open(const char *address, int connections, int targets);
/* Registers a method and returns its index. */
int calls_method(const char *path);
/* Starts a unary call on the next connection; done runs when it has ended. c is the caller's until then. */
void calls_start(struct call *c, int method, const void *request, size_t size);
grpc_channel *calls_channel(int index);

/* ---- participants.c: three steps' worth of a participant, in the same process ---- */
/* Called when an action or compensation has been answered; method as registered below. */
typedef void (*participant_done)(int method);
enum {
    PARTICIPANT_A1,
    PARTICIPANT_A2,
    PARTICIPANT_A3,
    PARTICIPANT_C1,
    PARTICIPANT_C2,
    PARTICIPANT_C3,
    PARTICIPANT_COUNT
};
struct participants {
    const char *address;
    int targets;      /* at so many addresses */
    bool reject3;     /* A3 answers FAILED_PRECONDITION */
    bool refuse_undo; /* so does every undo */
    int fail;         /* actions end with this status; 0: they do not */
    double think_s;   /* each answer is given so long after its call came */
    int workers; /* that think about one call each, in phases: so many, half, all, twice; 0: about any number at once */
    double phase_s; /* how long each phase takes */
    participant_done done;
};
/* Serves /bench.P/A1.. C3. */
void participants_open(const struct participants *p);
/* Gives the answers that have been thought over; returns when the next is due, in load_now's seconds (0: none is). */
double participants_turn(void);
/* The calls that came, the most within a second, and the seconds from the first to the last. */
size_t participants_calls(void);
double participants_span(void);
/* What the phases of so many workers came to, behind what each begins with, as JSON. */
#define PARTICIPANT_PHASES 4
void participants_print_phases(void);
size_t participants_peak(void);

#endif
