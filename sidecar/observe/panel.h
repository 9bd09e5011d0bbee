/* panel.h - the numbers of the whole sidecar for whoever looks at them: the pages over HTTP, and what goes to a collector.
 *
 * Those who look have threads of their own, so that they see something while a loop waits for its disk. A loop is asked for fresh numbers, and has
 * a quarter of a second to give them; what it does not give is shown as it was, and how old that is, too. */
#ifndef SAGA_OBSERVE_PANEL_H
#define SAGA_OBSERVE_PANEL_H

#include "sidecar/base/instant.h"
#include "sidecar/observe/metrics.h"

#define PANEL_LOOPS_MAX   64
#define PANEL_GUESTS_MAX  16
#define PANEL_METRICS_MAX (PANEL_LOOPS_MAX + PANEL_GUESTS_MAX + 2)

/* Why a loop cannot take new work; bits of vitals.reasons. */
enum vitals_reason {
    VITALS_STOPPING = 1 << 0,
    VITALS_JOURNAL_FULL = 1 << 1,
    VITALS_FAILED = 1 << 2,
    VITALS_JOURNAL_AWAY = 1 << 3,
    VITALS_JOURNAL_TIGHT = 1 << 4,
};

/* What a loop tells of itself. The loop answers `asked` by refreshing its gauges and vitals_tell. */
struct vitals {
    struct metrics *metrics;
    _Atomic uint64_t asked, told;
    _Atomic uint32_t reasons; /* enum vitals_reason */
    _Atomic int64_t told_at;  /* microseconds of the clock that runs while the machine does */
    void (*wake)(void *self); /* from any thread: makes the loop look whether it is asked */
    void *self;
    int bell; /* a file that the loop writes to when it has told; of the panel */
};

/* Whether somebody waits for this loop's numbers. */
bool vitals_are_wanted(const struct vitals *v);

/* The loop's gauges are fresh. */
void vitals_tell(struct vitals *v, uint32_t reasons);

struct panel;

/* version (borrowed) is told in sagad_build_info. Gives *out. Returns 0, E_MEMORY or E_SYSTEM. */
int panel_create(const char *version, struct panel **out);

/* Accepts NULL. No loop that was watched is touched. */
void panel_destroy(struct panel *p);

/* These loops are watched from now on; until then there are none. Borrowed as long as anybody looks. */
void panel_watch(struct panel *p, struct vitals *const *loops, unsigned count);

/* One more that counts by itself (borrowed likewise), before panel_watch. NULL: it is gone, once nobody looks any more. */
void panel_add(struct panel *p, struct metrics *more);

/* These are added to the loops' from now on, as they are: nobody is asked for fresh numbers. Borrowed likewise; at most PANEL_GUESTS_MAX. */
void panel_add_guests(struct panel *p, struct metrics *const *guests, unsigned count);

/* What follows is for any thread. */

unsigned panel_loops(const struct panel *p);
const struct vitals *panel_loop(const struct panel *p, unsigned k);

/* Asks every loop for fresh numbers, and waits for those that answered the last time: one that stalls holds nobody up twice. */
void panel_ask(struct panel *p);

/* Since when the loop has told nothing. */
struct span panel_silence(const struct vitals *v);

/* Refreshes what is of the process itself, and writes whose metrics there are. Returns how many. */
unsigned panel_metrics(struct panel *p, struct metrics *all[PANEL_METRICS_MAX]);

/* When the process began to count, by the wall clock. */
struct instant panel_started(const struct panel *p);

#endif
