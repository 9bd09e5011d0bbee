/* account.c - the parts of memory_bytes_max. Five eighths are for what new work may fill; what has begun may take more. An eighth is C core's
 * for what clients send, and an eighth for what participants answer; the last is the program's own. Answers may be a quarter of the whole,
 * which lies within the five eighths: so who does not read what he asked for leaves room for others' work. */
#include "sidecar/base/account.h"

#define WORK(max)    ((max) / 8 * 5)
#define ANSWERS(max) ((max) / 4)

/* What is below is never refused: bounds of calls hold it. */
#define SMALL 16384

struct account account;

static size_t read_counter(const atomic_size_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

bool account_takes_work(void)
{
    size_t max = read_counter(&account.max);
    return max == 0 || (read_counter(&account.lives) + read_counter(&account.leaving) < WORK(max) &&
                        !atomic_load_explicit(&account.pressed, memory_order_relaxed));
}

bool account_takes_answer(size_t size)
{
    size_t max = read_counter(&account.max);
    return max == 0 || size <= SMALL || read_counter(&account.leaving) + size <= ANSWERS(max);
}

bool account_takes_request(size_t size)
{
    return size <= SMALL || account_takes_work();
}
