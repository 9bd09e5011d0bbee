/* budget.c - the budget of retries. */
#include "sidecar/resilience/budget.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#define ONE           1000 /* a retry */
#define SECONDS_SAVED 10   /* of the least rate */
#define KEPT_PERCENT  20

void budget_set(struct budget *b, const struct budget_options *options)
{
    *b = (struct budget){.options = *options};
    if (options->percent == 0)
        return;
    CHECK(options->min_per_second > 0);
    b->most = (int64_t)options->min_per_second * SECONDS_SAVED * ONE;
    b->kept = b->most * KEPT_PERCENT / 100;
}

static void add(struct budget *b, int64_t thousandths)
{
    b->left = b->left + thousandths < b->most ? b->left + thousandths : b->most;
}

/* What the time has paid. */
static void look(struct budget *b, struct instant now)
{
    int64_t ms = b->looked_at.us == 0 ? 0 : instant_since(now, b->looked_at).us / 1000;
    if (b->looked_at.us == 0)
        b->looked_at = now;
    if (ms > 0) {
        add(b, ms < SECONDS_SAVED * 1000 ? ms * b->options.min_per_second : b->most);
        b->looked_at = instant_after(b->looked_at, (struct span){.us = ms * 1000});
    }
}

bool budget_admits(struct budget *b, struct instant now, bool undo, struct instant *again)
{
    if (b->options.percent == 0)
        return true;
    look(b, now);
    int64_t needed = undo ? ONE : ONE + b->kept;
    if (b->left >= needed || DEFECT(BUDGET_IGNORED))
        return true;
    int64_t ms = (needed - b->left + b->options.min_per_second - 1) / b->options.min_per_second;
    *again = instant_after(b->looked_at, (struct span){.us = ms * 1000});
    return false;
}

void budget_leave(struct budget *b, bool retry)
{
    if (b->options.percent > 0 && retry)
        b->left -= ONE;
    else if (b->options.percent > 0)
        add(b, (int64_t)b->options.percent * ONE / 100);
}

int64_t budget_left(const struct budget *b, struct instant now)
{
    struct budget then = *b;
    look(&then, now);
    return then.left;
}

void budget_pay_back(struct budget *b)
{
    if (b->options.percent > 0)
        add(b, ONE);
}
