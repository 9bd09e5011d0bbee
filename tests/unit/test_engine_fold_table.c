/* What becomes of each record that a journal may hold behind what a saga has recorded so far, in each of the states that it can be in: it is refused, in these
 * words, or this is different then. It is kept in tests/fixtures/engine/fold.txt; `build/release/tests/unit/test_engine_fold_table write` writes that anew,
 * for its difference to be read. */
#include "tests/support/engine_histories.h"
#include "tests/support/kept_text.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/saga.h"
#include "sidecar/resilience/drill.h"

#include <stdlib.h>
#include <string.h>

#define VARIANTS_MAX 400
#define AT(ms) \
    { \
        ENGINE_WORDS_EPOCH_US + (ms)*1000 \
    }

static const char path[] = "tests/fixtures/engine/fold.txt";

/* Of a step; each is tried with every step of the saga, and one that it does not have. */
static const struct variant {
    const char *name;
    struct record r;
} of_steps[] = {
    {"ACTION_STARTED", {.type = RECORD_ACTION_STARTED, .attempt = 9, .digest = 7}},
    {"ACTION_STARTED choice 2", {.type = RECORD_ACTION_STARTED, .attempt = 9, .choice = 2}},
    {"ACTION_STARTED choice 3", {.type = RECORD_ACTION_STARTED, .attempt = 9, .choice = 3}},
    {"ACTION_FAILED", {.type = RECORD_ACTION_FAILED, .attempt = 3, .next_at = AT(88000)}},
    {"ACTION_FAILED maybe",
     {.type = RECORD_ACTION_FAILED, .attempt = 3, .maybe_executed = true, .next_at = AT(8), .quiet_at = AT(99000)}},
    {"DONE",
     {.type = RECORD_ACTION_ENDED, .attempt = 4, .action_state = SAGA_ACTION_DONE, .output = {(uint8_t *)"o", 1}}},
    {"DONE by an answer",
     {.type = RECORD_ACTION_ENDED,
      .attempt = 4,
      .action_state = SAGA_ACTION_DONE,
      .given_at = AT(7),
      .output_is_request = true}},
    {"REJECTED", {.type = RECORD_ACTION_ENDED, .attempt = 4, .action_state = SAGA_ACTION_REJECTED}},
    {"REJECTED full",
     {.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_REJECTED, .status = CODE_RESOURCE_EXHAUSTED}},
    {"REJECTED late",
     {.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_REJECTED, .status = CODE_DEADLINE_EXCEEDED}},
    {"REJECTED away", {.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_REJECTED, .status = CODE_UNAVAILABLE}},
    {"UNKNOWN",
     {.type = RECORD_ACTION_ENDED, .attempt = 4, .action_state = SAGA_ACTION_UNKNOWN, .quiet_at = AT(98000)}},
    {"SKIPPED by a condition", {.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_SKIPPED}},
    {"ended as STARTED", {.type = RECORD_ACTION_ENDED, .action_state = SAGA_ACTION_STARTED}},
    {"TURNED_BACK for a step", {.type = RECORD_TURNED_BACK, .reason = REASON_ACTION_REJECTED}},
    {"COMPENSATION_STARTED", {.type = RECORD_COMPENSATION_STARTED, .attempt = 9, .digest = 8}},
    {"COMPENSATION_FAILED", {.type = RECORD_COMPENSATION_FAILED, .attempt = 3, .next_at = AT(87000)}},
    {"undone", {.type = RECORD_COMPENSATION_ENDED, .attempt = 3, .compensation_state = SAGA_COMPENSATION_DONE}},
    {"not undone", {.type = RECORD_COMPENSATION_ENDED, .attempt = 3, .compensation_state = SAGA_COMPENSATION_FAILED}},
    {"undo ended as OWED", {.type = RECORD_COMPENSATION_ENDED, .compensation_state = SAGA_COMPENSATION_OWED}},
    {"STUCK on a step", {.type = RECORD_STUCK, .reason = REASON_FORWARD_FAILED}},
    {"RETRIED", {.type = RECORD_RETRIED}},
    {"SKIPPED", {.type = RECORD_SKIPPED}},
    {"UNREACHED", {.type = RECORD_UNREACHED, .attempt = 1}},
    {"UNREACHED next", {.type = RECORD_UNREACHED, .attempt = 1, .next_at = AT(86000)}},
    {"REJECTED by a person", {.type = RECORD_REJECTED}},
    {"REJECTED by a person, maybe", {.type = RECORD_REJECTED, .maybe_executed = true}},
};

static const struct variant of_saga[] = {
    {"STARTED", {.type = RECORD_STARTED, .mode = SAGA_ORCHESTRATED, .definition = 1}},
    {"STARTED without a definition", {.type = RECORD_STARTED, .mode = SAGA_ORCHESTRATED}},
    {"STARTED enlisted", {.type = RECORD_STARTED, .mode = SAGA_ENLISTED}},
    {"another STARTED", {.type = RECORD_STARTED, .saga = {1, 9}, .mode = SAGA_ORCHESTRATED, .definition = 1}},
    {"another STARTED without a definition", {.type = RECORD_STARTED, .saga = {1, 9}, .mode = SAGA_ORCHESTRATED}},
    {"another STARTED enlisted with one",
     {.type = RECORD_STARTED, .saga = {1, 9}, .mode = SAGA_ENLISTED, .definition = 1}},
    {"another STARTED of loops",
     {.type = RECORD_STARTED,
      .saga = {1, 9},
      .mode = SAGA_ORCHESTRATED,
      .definition = 1,
      .counts = {(uint8_t *)"\1\0\1\0", 4}}},
    {"another STARTED enlisted", {.type = RECORD_STARTED, .saga = {1, 9}, .mode = SAGA_ENLISTED, .lease = {7000}}},
    {"another STARTED enlisted with loops",
     {.type = RECORD_STARTED, .saga = {1, 9}, .mode = SAGA_ENLISTED, .counts = {(uint8_t *)"\1\0", 2}}},
    {"another ENDED", {.type = RECORD_ENDED, .saga = {1, 9}, .saga_state = SAGA_COMMITTED}},
    {"another MOVED", {.type = RECORD_MOVED, .saga = {1, 9}}},
    {"PAUSED of another tag", {.type = RECORD_PAUSED, .saga = {2, 1}}},
    {"ENLISTED",
     {.type = RECORD_ENLISTED, .step_name = {(uint8_t *)"n", 1}, .call = {.target = "t", .method = "/p.S/N"}}},
    {"ENLISTED at one that is not there",
     {.type = RECORD_ENLISTED, .step_name = {(uint8_t *)"n", 1}, .call = {.target = "z", .method = "/p.S/N"}}},
    {"TURNED_BACK", {.type = RECORD_TURNED_BACK, .reason = REASON_CANCELLED, .quiet_at = AT(97000)}},
    {"TURNED_BACK without a reason", {.type = RECORD_TURNED_BACK}},
    {"STUCK without a reason", {.type = RECORD_STUCK}},
    {"COMMITTED", {.type = RECORD_ENDED, .saga_state = SAGA_COMMITTED}},
    {"COMPENSATED", {.type = RECORD_ENDED, .saga_state = SAGA_COMPENSATED}},
    {"RESOLVED", {.type = RECORD_ENDED, .saga_state = SAGA_RESOLVED}},
    {"ended as RUNNING", {.type = RECORD_ENDED, .saga_state = SAGA_RUNNING}},
    {"PAUSED", {.type = RECORD_PAUSED}},
    {"RESUMED", {.type = RECORD_RESUMED}},
    {"MOVED", {.type = RECORD_MOVED, .copies = 3}},
    {"ANSWERED", {.type = RECORD_ANSWERED, .output = {(uint8_t *)"a", 1}}},
    {"RETRIED without a step", {.type = RECORD_RETRIED}},
};

#define OF_STEPS (sizeof of_steps / sizeof *of_steps)
#define OF_SAGA  (sizeof of_saga / sizeof *of_saga)

static char names[VARIANTS_MAX][96];
static const char *said_names[VARIANTS_MAX];
static char *results[VARIANTS_MAX];
static char *seen[HISTORY_COUNT]; /* the kinds of states that were told */
static unsigned seen_count;

/* An engine that has read the journal back, and has not gone on. */
static struct play *replay(const struct history *h, struct definition *d, struct bytes journal)
{
    struct play *p = play_open(d, h->places, stderr);
    struct record r;
    struct error_detail detail;
    while (play_next_record(&journal, &r))
        ck_assert_int_eq(engine_replay(play_engine(p), &r, r.definition != 0 ? d : NULL, &detail), 0);
    return p;
}

static char *result_of(const struct history *h, struct definition *d, struct bytes journal, struct record r)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct play *p = replay(h, d, journal);
    struct error_detail detail;
    char *before = engine_table_state(p);
    if (engine_replay(play_engine(p), &r, r.definition != 0 ? d : NULL, &detail) != 0) {
        fprintf(out, "; %s", strchr(detail.text, ':') == NULL ? detail.text : strchr(detail.text, ':') + 2);
    } else {
        char *after = engine_table_state(p);
        engine_words_difference(out, before, after);
        free(after);
    }
    fclose(out);
    free(before);
    play_close(p);
    return text;
}

/* What may follow depends on no more of a state than this. */
static char *kind_of(const struct history *h, const struct saga *s)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "%p", (const void *)h->definition);
    if (s != NULL)
        fprintf(out, " %u %u %d %d", s->state, s->stuck_from, s->paused, s->answered);
    for (unsigned i = 0; s != NULL && i < s->step_count; i++)
        fprintf(out, " %u%u%d%d%d%u", s->steps[i].action, s->steps[i].compensation, s->steps[i].permitted,
                s->steps[i].maybe_executed, s->steps[i].next_at.us == INSTANT_NEVER.us, s->steps[i].choice);
    fclose(out);
    return text;
}

/* What most come to is told of all the others. */
static void put_results(FILE *out, unsigned count)
{
    static const char most[] = "; a record does not fit the state of its step";
    unsigned others = 0;
    for (unsigned i = 0; i < count; i++)
        if (strcmp(results[i], most) == 0) {
            free(results[i]);
            results[i] = NULL;
            others++;
        }
    engine_table_put_same(out, said_names, results, count);
    if (others > 0)
        fprintf(out, "  all %u others%s\n", others, most);
}

static void put_history(FILE *out, const struct history *h, struct definition *d, struct play *played)
{
    struct bytes journal = play_journal(played);
    struct play *p = replay(h, d, journal);
    const struct saga *s = engine_find(play_engine(p), 1);
    unsigned count = 0, steps = s == NULL ? 0 : s->step_count;
    char *state = kind_of(h, s);
    for (unsigned i = 0; i < seen_count; i++)
        if (strcmp(seen[i], state) == 0) {
            free(state);
            play_close(p);
            return;
        }
    seen[seen_count++] = state;
    fprintf(out, "\n=== %s\n", h->name);
    for (unsigned i = 0; i < OF_STEPS + OF_SAGA; i++)
        for (unsigned k = 0; k <= (i < OF_STEPS ? steps : 0); k++) {
            const struct variant *v = i < OF_STEPS ? &of_steps[i] : &of_saga[i - OF_STEPS];
            struct record r = v->r;
            struct bytes name =
                k < steps && i < OF_STEPS ? saga_step_name(s, k) : bytes_of_text(i < OF_STEPS ? "?" : "");
            if (r.saga.serial == 0)
                r.saga = (struct saga_id){1, 1};
            r.at.us = ENGINE_WORDS_EPOCH_US + 90000000;
            r.step = i < OF_STEPS ? (uint16_t)k : RECORD_NO_STEP;
            ck_assert_uint_lt(count, VARIANTS_MAX);
            snprintf(names[count], sizeof names[count], "%s%s%.*s", v->name, name.size > 0 ? " " : "", (int)name.size,
                     (const char *)name.at);
            said_names[count] = names[count];
            results[count++] = result_of(h, d, journal, r);
        }
    play_close(p);
    put_results(out, count);
}

static void put_all(FILE *out)
{
    seen_count = 0;
    for (size_t i = 0; i < HISTORY_COUNT; i++) {
        struct definition *d = histories[i].definition == NULL ? NULL : play_definition(histories[i].definition);
        struct play *played = engine_table_play(&histories[i], d);
        put_history(out, &histories[i], d, played);
        play_close(played);
        definition_destroy(d);
    }
    while (seen_count > 0)
        free(seen[--seen_count]);
}

START_TEST(engine_fold_table__every_record_in_every_state)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "engine_fold_table", engine_fold_table__every_record_in_every_state);
}
