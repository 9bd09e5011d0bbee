/* heartbeats.c - a table of them. */
#include "client-lib/sagactl/heartbeats.h"

#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include <string.h>

#define FIELD 256

static void put_one(const struct screen *s, const Saga__V1__SyntheticStatus *h)
{
    char name[FIELD], every[TIMES_TEXT_SIZE], took[TIMES_TEXT_SIZE] = "-", success[TIMES_TEXT_SIZE] = "never",
                                              said[FIELD];
    bool well = h->last_state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED;
    times_write_span(times_span_of(h->every), every);
    if (h->last_took != NULL)
        times_write_span(times_span_of(h->last_took), took);
    if (h->last_success != NULL)
        times_write_span(instant_since(s->now, times_of(h->last_success)), success);
    screen_cell(s, PAINT_NONE, screen_clean(s, h->definition, name, sizeof name), 20);
    fprintf(s->out, " %9s %9llu %7llu %7llu %9s ", every, (unsigned long long)h->committed,
            (unsigned long long)h->failed, (unsigned long long)h->missed, took);
    screen_cell(s, h->last_success == NULL ? PAINT_WARN : PAINT_NONE, success, 13);
    fputs("  ", s->out);
    screen_rest(s, well ? PAINT_NONE : PAINT_WARN, words_saga_state(h->last_state), 20 + 64);
    fputc('\n', s->out);
    if (well || h->last_trouble[0] == '\0')
        return;
    fputs("    ", s->out);
    screen_wrap(s, PAINT_WARN, screen_clean(s, h->last_trouble, said, sizeof said), 4, 4);
}

void heartbeats_put(const struct screen *s, const Saga__V1__StatusResponse *m)
{
    bool any = false;
    for (size_t i = 0; i < m->n_loops; i++)
        for (size_t k = 0; k < m->loops[i]->n_synthetics; k++) {
            if (!any)
                screen_put(s, PAINT_DIM, "\n%-20s %9s %9s %7s %7s %9s %-13s  %s\n", "HEARTBEAT", "EVERY", "COMMITTED",
                           "FAILED", "MISSED", "TOOK", "LAST SUCCESS", "LAST");
            any = true;
            put_one(s, m->loops[i]->synthetics[k]);
        }
}
