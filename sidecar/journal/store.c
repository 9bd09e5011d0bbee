/* store.c - what every store can be asked for by those who may wait. */
#include "sidecar/journal/store.h"

#include <time.h>

int store_commit_now(struct store *s, const struct store_commit *commit, struct error_detail *detail)
{
    const struct timespec pause = {.tv_nsec = 200000};
    int code = s->commit(s, commit, detail);
    while (code == STORE_PENDING || code == STORE_AMBIGUOUS) {
        nanosleep(&pause, NULL);
        code = s->settle(s, detail);
    }
    return code;
}
