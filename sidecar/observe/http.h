/* http.h - what watches the sidecar over HTTP: /metrics, /livez, /readyz. Nothing that changes state.
 *
 * A thread of its own serves it, so that it answers while a loop waits for its disk. A loop is asked for fresh numbers, and has HTTP_PATIENCE
 * to give them; what it does not give is shown as it was, and readiness says so. */
#ifndef SAGA_OBSERVE_HTTP_H
#define SAGA_OBSERVE_HTTP_H

#include "sidecar/base/error.h"
#include "sidecar/observe/metrics.h"

#define HTTP_LOOPS_MAX 64

/* Why a loop cannot take new work; bits of vitals.reasons. */
enum vitals_reason {
    VITALS_STOPPING = 1 << 0,
    VITALS_JOURNAL_FULL = 1 << 1,
    VITALS_FAILED = 1 << 2,
    VITALS_JOURNAL_AWAY = 1 << 3,
};

/* What a loop tells of itself. The loop answers `asked` by refreshing its gauges and vitals_tell. */
struct vitals {
    struct metrics *metrics;
    _Atomic uint64_t asked, told;
    _Atomic uint32_t reasons; /* enum vitals_reason */
    _Atomic int64_t told_at;  /* microseconds of the clock that runs while the machine does */
    void (*wake)(void *self); /* from any thread: makes the loop look whether it is asked */
    void *self;
    int bell; /* a file that the loop writes to when it has told; of the http */
};

/* Whether somebody waits for this loop's numbers. */
bool vitals_are_wanted(const struct vitals *v);

/* The loop's gauges are fresh. */
void vitals_tell(struct vitals *v, uint32_t reasons);

struct http;

/* Listens at HOST:PORT (numbers; port 0 takes a free one) and serves from now on: until http_watch nothing is ready, since the journal is
 * being read. version (borrowed) is told in sagad_build_info. Gives *out and *port. Returns 0, E_SYSTEM with the reason in words, or E_MEMORY. */
int http_open(const char *address, const char *version, struct http **out, int *port, struct error_detail *detail);

/* These loops are watched from now on. Borrowed until http_close. */
void http_watch(struct http *h, struct vitals *const *loops, unsigned count);

/* Accepts NULL. No loop that was watched is touched afterwards. */
void http_close(struct http *h);

#endif
