/* A second reckoning of the last good answers: an array that is searched from its beginning to its end. Thousands of seeded steps go through both, with a
 * journal that is written beside them and read again now and then; all that can be seen is compared after each. */
#include "sidecar/base/error.h"
#include "sidecar/resilience/recall.h"
#include "tests/support/beside.h"
#include "tests/support/counted_memory.h"

#include <string.h>

#define ROOM 128

struct answer {
    char name[32], answer[64];
    size_t name_size, answer_size;
    int64_t given_at;
    uint32_t slot;
};

/* In the order of their age. `of_slot`: what the journal has of each slot; no name: it is free. */
static struct model {
    struct answer answers[ROOM], of_slot[ROOM];
    bool changed[ROOM];
    int count;
    uint32_t slots; /* that are or were in use */
    uint64_t evicted;
    size_t bytes;
} model;

static struct recall_options options;
static struct recall recall;
static struct counted_memory counted;
static struct memory memory;
static size_t beside; /* what each answer takes beside its name and itself */

static void model_drop(int at)
{
    struct answer *a = &model.answers[at];
    model.bytes -= a->name_size + a->answer_size + beside;
    model.changed[a->slot] = true;
    memmove(a, a + 1, (size_t)(model.count - at - 1) * sizeof *a);
    model.count--;
}

static int model_find(const struct answer *sought)
{
    for (int i = 0; i < model.count; i++)
        if (model.answers[i].name_size == sought->name_size &&
            memcmp(model.answers[i].name, sought->name, sought->name_size) == 0)
            return i;
    return -1;
}

static bool slot_is_free(uint32_t slot)
{
    for (int i = 0; i < model.count; i++)
        if (model.answers[i].slot == slot)
            return false;
    return true;
}

static bool any_is_free(void)
{
    return (uint32_t)model.count < model.slots;
}

/* whose NUL method NUL key NUL, of few words each. */
static struct answer some_answer(int64_t now)
{
    static const char *const whose[] = {"", "a", "bb"}, *const methods[] = {"/m", "/n"};
    static const char *const keys[] = {"", "k", "key", "k2", "1", "2", "3", "4", "5", "6", "7"};
    struct answer a = {.given_at = now, .answer_size = (size_t)below(8) ? (size_t)below(60) : 0};
    const char *parts[] = {whose[below(3)], methods[below(2)], keys[below(11)]};
    for (int i = 0; i < 3; i++) {
        memcpy(a.name + a.name_size, parts[i], strlen(parts[i]) + 1);
        a.name_size += strlen(parts[i]) + 1;
    }
    for (size_t i = 0; i < a.answer_size; i++)
        a.answer[i] = (char)below(256);
    return a;
}

static void keep(struct answer a)
{
    size_t size = a.name_size + a.answer_size + beside;
    counted.refuses = below(25) == 0;
    recall_keep(&recall, bytes_of(a.name, a.name_size), bytes_of(a.answer, a.answer_size),
                (struct instant){.us = a.given_at});
    int before = model_find(&a);
    if (before >= 0)
        model_drop(before);
    bool fits = options.answers_max > 0 && size <= options.bytes_max;
    while (fits && model.count > 0 &&
           (model.count >= (int)options.answers_max || model.bytes + size > options.bytes_max)) {
        model_drop(0);
        model.evicted++;
    }
    bool kept = fits && !counted.refuses;
    counted.refuses = false;
    if (!kept)
        return;
    struct recalled out;
    must(recall_find(&recall, bytes_of(a.name, a.name_size), (struct span){.us = 0}, (struct instant){.us = a.given_at},
                     &out));
    must(any_is_free() ? out.slot < model.slots && slot_is_free(out.slot) : out.slot == model.slots);
    a.slot = out.slot;
    model.slots += out.slot == model.slots;
    must(model.slots <= ROOM);
    model.changed[a.slot] = true;
    model.bytes += size;
    model.answers[model.count++] = a;
}

static void forget(void)
{
    struct answer a = some_answer(0);
    const char *key = a.name + strlen(a.name) + 1 + strlen(a.name + strlen(a.name) + 1) + 1;
    recall_forget(&recall, bytes_of_text(a.name), bytes_of_text(key));
    for (int i = model.count - 1; i >= 0; i--) {
        const char *whose = model.answers[i].name, *method = whose + strlen(whose) + 1;
        if (strcmp(whose, a.name) == 0 && strcmp(method + strlen(method) + 1, key) == 0)
            model_drop(i);
    }
}

static void expire(int64_t now)
{
    int most = (int)below(4);
    recall_expire(&recall, (struct instant){.us = now}, (unsigned)most);
    while (most-- > 0 && model.count > 0 && model.answers[0].given_at + options.age_max.us < now)
        model_drop(0);
}

/* A slot of which there is news goes to the journal. */
static void write_one(void)
{
    struct recalled out;
    bool any = false, is = recall_next_changed(&recall, &out);
    for (uint32_t i = 0; i < model.slots; i++)
        any |= model.changed[i];
    must_be(is, any);
    if (!is)
        return;
    must(out.slot < model.slots && model.changed[out.slot]);
    model.changed[out.slot] = false;
    must_be(out.name.size == 0, slot_is_free(out.slot));
    struct answer *row = &model.of_slot[out.slot];
    *row = (struct answer){.slot = out.slot, .name_size = out.name.size, .answer_size = out.answer.size};
    row->given_at = out.given_at.us;
    if (out.name.size > 0) {
        memcpy(row->name, out.name.at, out.name.size);
        memcpy(row->answer, out.answer.at, out.answer.size);
        int at = model_find(row);
        must(at >= 0 && model.answers[at].slot == out.slot && model.answers[at].given_at == row->given_at);
        must(model.answers[at].answer_size == row->answer_size &&
             memcmp(model.answers[at].answer, row->answer, row->answer_size) == 0);
    }
}

static struct recalled row_of(const struct answer *a)
{
    return (struct recalled){.slot = a->slot,
                             .name = bytes_of(a->name, a->name_size),
                             .answer = bytes_of(a->answer, a->answer_size),
                             .given_at = {.us = a->given_at}};
}

/* What no journal of ours holds is refused, and changes no answer. */
static void restore_nonsense(const struct answer *there)
{
    static uint8_t large[RECALL_ANSWER_BYTES_MAX + 1];
    struct recalled r = row_of(there);
    must_be(recall_restore(&recall, &r), E_JOURNAL_CORRUPT); /* twice */
    r.slot = ROOM - 1;
    must_be(recall_restore(&recall, &r), E_JOURNAL_CORRUPT); /* one name in two slots */
    r.name = bytes_of("x", 0);
    must_be(recall_restore(&recall, &r), E_JOURNAL_CORRUPT);
    r.name = bytes_of(large, RECALL_NAME_BYTES_MAX + 1);
    must_be(recall_restore(&recall, &r), E_JOURNAL_CORRUPT);
    r.name = bytes_of("x", 1);
    r.answer = bytes_of(large, sizeof large);
    must_be(recall_restore(&recall, &r), E_JOURNAL_CORRUPT);
    r.answer.size = 0;
    r.slot = UINT32_C(1) << 24;
    must_be(recall_restore(&recall, &r), E_JOURNAL_CORRUPT);
}

/* The journal is read in any order, by a sidecar that may keep less. */
static void restart(void)
{
    static struct answer rows[ROOM];
    int count = 0;
    while (recall.first_changed != 0)
        write_one();
    recall_finish(&recall);
    must(counted.bytes == 0 && counted.blocks == 0);
    if (below(3) == 0)
        options.answers_max = (uint32_t)below(30);
    if (below(3) == 0)
        options.bytes_max = (uint64_t)(beside * 4 + (size_t)below(3000));
    recall_init(&recall, &memory, &options);
    for (uint32_t i = 0; i < model.slots; i++)
        if (model.of_slot[i].name_size > 0)
            rows[count++] = model.of_slot[i];
    for (int i = count - 1; i > 0; i--) {
        int other = (int)below(i + 1);
        struct answer swapped = rows[i];
        rows[i] = rows[other];
        rows[other] = swapped;
    }
    bool nonsense = below(8) == 0 && count > 0;
    model = (struct model){.count = 0};
    for (int i = 0; i < count; i++) {
        struct recalled r = row_of(&rows[i]);
        must_be(recall_restore(&recall, &r), 0);
        int at = model.count++;
        for (; at > 0 && model.answers[at - 1].given_at > rows[i].given_at; at--)
            model.answers[at] = model.answers[at - 1];
        model.answers[at] = model.of_slot[rows[i].slot] = rows[i];
        model.bytes += rows[i].name_size + rows[i].answer_size + beside;
        model.slots = rows[i].slot >= model.slots ? rows[i].slot + 1 : model.slots;
    }
    if (nonsense) {
        restore_nonsense(&rows[0]);
        model.slots = ROOM; /* a slot that has been named is there */
    }
    recall_restored(&recall);
    while (model.count > 0 && (model.count > (int)options.answers_max || model.bytes > options.bytes_max))
        model_drop(0);
}

static void compare(int64_t now)
{
    size_t changed_bytes = 0;
    for (int i = 0; i < model.count; i++)
        if (model.changed[model.answers[i].slot])
            changed_bytes += model.answers[i].name_size + model.answers[i].answer_size + beside;
    must(recall.count == (uint32_t)model.count && recall.bytes == model.bytes);
    must(recall.evicted == model.evicted && recall.changed_bytes == changed_bytes);
    must_be(recall_due(&recall).us, model.count == 0 ? INT64_MAX : model.answers[0].given_at + options.age_max.us);
    recall_check(&recall);
    struct answer sought = some_answer(0);
    int64_t age = below(30000), then = now - (below(4) == 0 ? below(30000) : 0);
    struct recalled out = {.slot = 77};
    int at = model_find(&sought);
    bool found = recall_find(&recall, bytes_of(sought.name, sought.name_size), (struct span){.us = age},
                             (struct instant){.us = then}, &out);
    const struct answer *a = at < 0 ? NULL : &model.answers[at];
    int64_t old = a == NULL ? 0 : then - a->given_at;
    must_be(found, a != NULL && old >= 0 && old <= age && old <= options.age_max.us);
    must_be(out.given_at.us, a == NULL ? 0 : a->given_at);
    must(found || (out.name.size == 0 && out.answer.size == 0 && out.slot == 0));
    must(!found || (out.slot == a->slot && bytes_equal(out.name, bytes_of(a->name, a->name_size)) &&
                    bytes_equal(out.answer, bytes_of(a->answer, a->answer_size))));
}

static void one_world(int world)
{
    int64_t now = 1000000;
    model = (struct model){.count = 0};
    options = (struct recall_options){.answers_max = (uint32_t)(world % 5 == 0 ? below(3) : below(60)),
                                      .bytes_max = (uint64_t)(world % 3 ? 100000 : 200 + below(2000)),
                                      .age_max = {.us = below(20000)},
                                      .seed = random_next(&dice)};
    recall_init(&recall, &memory, &options);
    for (int step = 0; step < 400; step++) {
        int64_t what = below(100);
        if (what < 50)
            keep(some_answer(now));
        else if (what < 60)
            forget();
        else if (what < 70)
            expire(now);
        else if (what < 95)
            write_one();
        else if (what == 95)
            restart();
        now += below(3) ? 0 : below(2000);
        compare(now);
    }
    recall_finish(&recall);
    must(counted.bytes == 0 && counted.blocks == 0);
}

START_TEST(recall__is_what_a_second_reckoning_says)
{
    memory = counted_memory(&counted);
    struct recall_options one = {.answers_max = 1, .bytes_max = 1000};
    recall_init(&recall, &memory, &one);
    recall_keep(&recall, bytes_of("n", 2), bytes_of("", 0), (struct instant){.us = 1});
    beside = recall.bytes - 2;
    recall_finish(&recall);
    for (int world = 0; world < 150; world++)
        one_world(world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recall_model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, recall__is_what_a_second_reckoning_says);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
