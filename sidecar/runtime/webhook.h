/* webhook.h - pages somebody over HTTP, on a thread of its own (libcurl): what is at the other end may hang, and costs nobody anything. */
#ifndef SAGA_RUNTIME_WEBHOOK_H
#define SAGA_RUNTIME_WEBHOOK_H

#include "sidecar/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOKS_WAITING_MAX 16

struct webhook;

/* Loads what sends pages, which may take as long as a disk does: so before webhook_open, and not in a loop. Returns 0, or E_SYSTEM with detail. */
int webhook_ready(struct error_detail *detail);

/* Gives *out, with its thread. Returns 0, or with detail E_MEMORY, or E_SYSTEM: there is no libcurl, or no thread can be made. */
int webhook_open(struct webhook **out, struct error_detail *detail);
/* Ends what is under way, and drops what waits. Accepts NULL. */
void webhook_close(struct webhook *w);

/* Posts a body (JSON) to a URL; both are copied. Returns its number, or 0 when too many wait: then it is dropped. Never blocks. */
uint64_t webhook_post(struct webhook *w, const char *url, const char *body);

/* What came of a page that was posted; of one that is long ago, failed. */
enum webhook_fate { WEBHOOK_WAITS, WEBHOOK_SENT, WEBHOOK_FAILED };
enum webhook_fate webhook_fate(struct webhook *w, uint64_t number);

/* Since this was asked last. */
struct webhook_counts {
    uint64_t sent, failed, dropped;
};
struct webhook_counts webhook_take_counts(struct webhook *w);

#endif
