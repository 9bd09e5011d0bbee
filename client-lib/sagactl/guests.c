/* guests.c - a table of them. */
#include "client-lib/sagactl/guests.h"

#include "client-lib/sagactl/times.h"

#include <stdlib.h>
#include <string.h>

#define FIELD 256

static int by_trouble(const void *a, const void *b)
{
    const Saga__V1__LoopStatus *x = *(Saga__V1__LoopStatus *const *)a, *y = *(Saga__V1__LoopStatus *const *)b;
    if (x->stuck != y->stuck)
        return x->stuck < y->stuck ? 1 : -1;
    return strcmp(x->journal, y->journal);
}

static void put_one(const struct screen *s, const Saga__V1__LoopStatus *l)
{
    char name[FIELD], age[TIMES_TEXT_SIZE] = "-";
    if (l->oldest_live != NULL)
        times_write_span(instant_since(s->now, times_of(l->oldest_live)), age);
    fprintf(s->out, "%9llu %11llu ", (unsigned long long)l->live, (unsigned long long)l->compensating);
    screen_put(s, l->stuck > 0 ? PAINT_BAD : PAINT_NONE, "%7llu", (unsigned long long)l->stuck);
    fprintf(s->out, " %7llu %10s  %s\n", (unsigned long long)l->paused, age,
            screen_clean(s, l->journal, name, sizeof name));
}

void guests_put(const struct screen *s, const Saga__V1__StatusResponse *m)
{
    size_t count = 0;
    Saga__V1__LoopStatus **all = m->n_loops == 0 ? NULL : malloc(m->n_loops * sizeof(*all));
    for (size_t i = 0; all != NULL && i < m->n_loops; i++)
        if (m->loops[i]->journal[0] != '\0')
            all[count++] = m->loops[i];
    if (count > 0) {
        qsort(all, count, sizeof(*all), by_trouble);
        screen_put(s, PAINT_DIM, "\n%9s %11s %7s %7s %10s  %s\n", "LIVE", "GOING BACK", "STUCK", "PAUSED", "THE OLDEST",
                   "OF A JOURNAL TAKEN OVER (counted above, too)");
    }
    for (size_t i = 0; i < count; i++)
        put_one(s, all[i]);
    free(all);
}
