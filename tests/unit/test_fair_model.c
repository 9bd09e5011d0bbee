/* A second reckoning of whose turn it is: lists in arrays, moved about by hand. Thousands of seeded steps go through both, and what can be seen is compared
 * after each: who is first, how many wait under each key, and who follows whom when all have their turn. */
#include "sidecar/base/error.h"
#include "sidecar/resilience/fair.h"
#include "tests/support/beside.h"
#include "tests/support/counted_memory.h"

#include <string.h>

#define ITEMS  60
#define KEYS   7
#define QUEUES 12 /* so many that some share a place in the table */
#define SPARE  99 /* the key of those whose own there was no memory for */

struct item {
    struct fair_item real;
    bool waits;
    int queue, band;
    uint64_t key;
};

/* The keys of a band, the one whose turn it is first. */
struct band {
    uint64_t keys[KEYS + 1];
    int count, left;
};

static struct item items[ITEMS];
static struct fair_queue queues[QUEUES];
static struct band bands[QUEUES][FAIR_BANDS];
static struct fair_table table;
static struct counted_memory memory;
static const int weights[FAIR_BANDS] = {1, 4, 16};

/* Of those under the key the one with the smallest ticket; and how many there are. */
static struct item *first_of(int queue, int band, uint64_t key, int *count)
{
    struct item *first = NULL;
    *count = 0;
    for (int i = 0; i < ITEMS; i++) {
        struct item *at = &items[i];
        if (!at->waits || at->queue != queue || at->band != band || at->key != key)
            continue;
        (*count)++;
        first = first == NULL || at->real.ticket < first->real.ticket ? at : first;
    }
    return first;
}

static struct item *model_first(int queue)
{
    int chosen = -1, count;
    for (int band = FAIR_BANDS - 1; band >= 0 && chosen < 0; band--)
        if (bands[queue][band].count > 0 && bands[queue][band].left > 0)
            chosen = band;
    for (int band = FAIR_BANDS - 1; band >= 0 && chosen < 0; band--)
        if (bands[queue][band].count > 0)
            chosen = band;
    return chosen < 0 ? NULL : first_of(queue, chosen, bands[queue][chosen].keys[0], &count);
}

static void model_add(struct item *item)
{
    struct band *b = &bands[item->queue][item->band];
    bool there = false;
    for (int i = 0; i < b->count; i++)
        there |= b->keys[i] == item->key;
    if (!there && memory.refuses) {
        item->key = SPARE;
        for (int i = 0; i < b->count; i++)
            there |= b->keys[i] == SPARE;
    }
    if (!there)
        b->keys[b->count++] = item->key;
    item->waits = true;
}

static void model_take(const struct item *item)
{
    struct band *b = &bands[item->queue][item->band];
    if (b->left == 0)
        for (int band = 0; band < FAIR_BANDS; band++)
            bands[item->queue][band].left = weights[band];
    b->left--;
    if (b->keys[0] != item->key)
        return;
    memmove(b->keys, b->keys + 1, sizeof b->keys - sizeof *b->keys);
    b->keys[b->count - 1] = item->key;
}

static void model_remove(struct item *item)
{
    struct band *b = &bands[item->queue][item->band];
    int count, at = 0;
    item->waits = false;
    first_of(item->queue, item->band, item->key, &count);
    if (count > 0)
        return;
    while (b->keys[at] != item->key)
        at++;
    memmove(b->keys + at, b->keys + at + 1, sizeof b->keys - (size_t)(at + 1) * sizeof *b->keys);
    b->count--;
}

static void let_go(struct item *item, bool its_turn)
{
    if (its_turn) {
        fair_take(&item->real);
        model_take(item);
    }
    fair_remove(&table, &item->real);
    model_remove(item);
    must(item->real.flow == NULL);
}

static void compare(void)
{
    uint64_t keys = 0;
    for (int queue = 0; queue < QUEUES; queue++) {
        struct item *first = model_first(queue);
        must(fair_first(&queues[queue]) == (first == NULL ? NULL : &first->real));
        fair_check(&queues[queue]);
        for (int band = 0; band < FAIR_BANDS; band++)
            for (uint64_t key = 0; key < KEYS; key++) {
                int count;
                first_of(queue, band, key, &count);
                must_be(fair_count(&table, &queues[queue], (enum fair_band)band, key), count);
                keys += count > 0;
            }
    }
    must_be(table.count, keys);
    must_be(memory.blocks, keys + 1);
}

static void add(struct item *item, uint64_t ticket)
{
    item->queue = (int)below(QUEUES);
    item->band = (int)below(FAIR_BANDS);
    item->key = (uint64_t)below(KEYS);
    item->real = (struct fair_item){.ticket = ticket};
    fair_add(&table, &queues[item->queue], (enum fair_band)item->band, item->key, &item->real);
    model_add(item);
}

static void one_world(int world)
{
    struct memory m = counted_memory(&memory);
    memory = (struct counted_memory){.bytes = 0};
    memset(queues, 0, sizeof queues);
    memset(bands, 0, sizeof bands);
    memset(items, 0, sizeof items);
    must_be(fair_init(&table, &m, (uint64_t)(world % 40)), 0);
    must_be(table.size, world % 40 > 32 ? 64 : world % 40 > 16 ? 32 : 16);
    uint64_t ticket = 1000;
    for (int step = 0; step < 200; step++) {
        struct item *item = &items[below(ITEMS)];
        bool filling = step % 80 < 40;
        if (!item->waits && (filling || below(4) == 0)) {
            memory.refuses = world % 3 == 0 && below(3) == 0;
            add(item, below(5) ? ++ticket : ticket - 500 + (uint64_t)step); /* some were here before */
            memory.refuses = false;
        } else if (item->waits && below(6) == 0) {
            let_go(item, below(6) == 0); /* it gave up, or was let in beside its turn */
        } else if (!filling) {
            struct item *first = model_first((int)below(QUEUES));
            if (first != NULL)
                let_go(first, true);
        }
        compare();
    }
    for (int queue = 0; world % 2 && queue < QUEUES; queue++)
        for (struct item *first; (first = model_first(queue)) != NULL; compare())
            let_go(first, true);
    fair_finish(&table);
    must(memory.bytes == 0 && memory.blocks == 0 && table.count == 0 && table.slots == NULL);
}

START_TEST(fair__is_what_a_second_reckoning_says)
{
    for (int world = 0; world < 20; world++)
        one_world(world);
    struct memory m = counted_memory(&memory);
    memory.refuses = true;
    must_be(fair_init(&table, &m, 5), E_MEMORY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fair_model");
    TCase *tc = tcase_create("model");
    tcase_add_test(tc, fair__is_what_a_second_reckoning_says);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
