/* A world in which everything happens by chance, and after each thing that happens, everything that can be looked at: each saga whole, every list,
 * question and page of it, who waits, who watches. What List, ListDeadLetters, Wait and Watch say must be what follows from what Get says of each
 * saga; and what Get says in the first of these worlds is kept in tests/fixtures/api/looks.txt, as what changed with each step.
 * `build/release/tests/unit/test_looks write` writes that anew, for its difference to be read. */
#include "tests/support/chance_world.h"
#include "tests/support/kept_text.h"
#include "tests/support/message_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/api/looks.txt";

#define WATCHERS_MAX 12

/* Who waits for a saga, or watches one; call NULL: nobody. */
struct looker {
    struct world_call *call;
    unsigned saga;
    bool until_stuck, until_answered;
};

static struct looker waiters[WATCHERS_MAX], watchers[WATCHERS_MAX];
static struct world_call *of_all;

static bool is_ended(const Saga__V1__Saga *s)
{
    return s->ended_at != NULL;
}

static bool is_stuck(const Saga__V1__Saga *s)
{
    return s->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
}

static bool is_of_fan(const Saga__V1__Saga *s)
{
    return strcmp(s->definition, "fan") == 0;
}

static bool is_rejected(const Saga__V1__Saga *s)
{
    return !is_stuck(s) && s->reason == SAGA__V1__REASON__REASON_ACTION_REJECTED;
}

static bool is_stuck_at_a(const Saga__V1__Saga *s)
{
    return is_stuck(s) && strcmp(s->stuck_step, "a") == 0;
}

static bool is_of_acme(const Saga__V1__Saga *s)
{
    return s->n_tags > 0 && strcmp(s->tags[0]->value, "acme") == 0;
}

static bool is_degraded(const Saga__V1__Saga *s)
{
    for (size_t i = 0; i < s->n_lacks; i++)
        if (s->lacks[i]->kind != SAGA__V1__LACK_KIND__LACK_KIND_DEFERRED)
            return true;
    return false;
}

static bool is_enlisted(const Saga__V1__Saga *s)
{
    return s->mode == SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED && s->version[0] == '\0';
}

static bool is_synthetic(const Saga__V1__Saga *s)
{
    return s->synthetic;
}

static bool is_odd(const Saga__V1__Saga *s)
{
    return s->paused || s->answered;
}

static bool is_late(const Saga__V1__Saga *s)
{
    return !is_ended(s) && s->deadline != NULL && s->deadline->seconds < 1100;
}

static bool has_failed_so(const Saga__V1__Saga *s)
{
    for (size_t i = 0; is_stuck(s) && i < s->n_steps; i++)
        if (strcmp(s->steps[i]->name, s->stuck_step) == 0)
            return s->steps[i]->last_status == 9;
    return false;
}

#define IS_ONE(name, STATE) \
    static bool name(const Saga__V1__Saga *s) \
    { \
        return s->state == SAGA__V1__SAGA_STATE__SAGA_STATE_##STATE; \
    }
IS_ONE(is_running, RUNNING)
IS_ONE(is_committed, COMMITTED)
IS_ONE(is_on_its_way_back, COMPENSATING)
IS_ONE(is_undone, COMPENSATED)
IS_ONE(is_resolved, RESOLVED)

static bool is_any(const Saga__V1__Saga *s)
{
    return s->id[0] != '\0';
}

static bool is_of_some_seconds(const Saga__V1__Saga *s)
{
    return s->started_at->seconds >= 1003 && s->started_at->seconds < 1020;
}

static bool is_stuck_and_of_fan(const Saga__V1__Saga *s)
{
    return is_stuck(s) && is_of_fan(s);
}

/* Questions, and the fields of a List that ask the same. */
static const struct {
    const char *fields, *where;
    bool (*holds)(const Saga__V1__Saga *s);
} questions[] = {
    {"", NULL, is_any},
    {"1:2 1:4 1:6", "state == COMMITTED || state == COMPENSATED || state == \"RESOLVED\"", is_ended},
    {"1:5", "state == STUCK", is_stuck},
    {"1:1", "state == RUNNING", is_running},
    {"1:2", "state == COMMITTED", is_committed},
    {"1:3", "state == COMPENSATING", is_on_its_way_back},
    {"1:4", "state == COMPENSATED", is_undone},
    {"1:6", "state == RESOLVED", is_resolved},
    {"2:'fan'", "definition == \"fan\"", is_of_fan},
    {"3:{1:1003} 4:{1:1020}",
     "started_at >= timestamp(\"1970-01-01T00:16:43Z\") && started_at < timestamp(\"1970-01-01T00:17:00Z\")",
     is_of_some_seconds},
    {"1:5 2:'fan'", "state == STUCK && definition == \"fan\"", is_stuck_and_of_fan},
    {NULL, "state != STUCK && reason == ACTION_REJECTED", is_rejected},
    {NULL, "step == \"a\" && state == STUCK", is_stuck_at_a},
    {"7:{1:'tenant' 2:'acme'} 7:{1:'of' 2:'sku'}", "tags[\"tenant\"] == \"acme\"", is_of_acme},
    {NULL, "degraded", is_degraded},
    {NULL, "mode == \"enlisted\" && version == \"\"", is_enlisted},
    {NULL, "synthetic", is_synthetic},
    {NULL, "paused || deferred", is_odd},
    {NULL, "state != COMMITTED && deadline < timestamp(\"1970-01-01T00:18:20Z\") && age < duration(\"1h\")", is_late},
    {NULL, "status == \"FAILED_PRECONDITION\"", has_failed_so},
};
#define QUESTIONS (sizeof questions / sizeof *questions)

/* A check of its own is told to the runner each time, which takes longer than all the rest. */
static void same(int64_t is, int64_t wanted)
{
    if (is != wanted)
        ck_abort_msg("%" PRId64 " instead of %" PRId64, is, wanted);
}

static void same_text(const char *is, const char *wanted)
{
    if (strcmp(is, wanted) != 0)
        ck_abort_msg("%s instead of %s", is, wanted);
}

/* A saga as a list shows it: what it says must be what Get says, of the fields that it has. */
static void expect_shown(const Saga__V1__Saga *s, const Saga__V1__Saga *whole, bool with_tags)
{
    same_text(s->id, whole->id);
    same_text(s->definition, whole->definition);
    same_text(s->version, whole->version);
    same_text(s->request_id, whole->request_id);
    same_text(s->owner, "uid:1234");
    same(s->state, whole->state);
    same(s->mode, whole->mode);
    same(s->reason, whole->reason);
    same(s->paused, whole->paused);
    same(s->answered, whole->answered);
    same(s->synthetic, whole->synthetic);
    same(s->skips, whole->skips);
    same(s->n_tags, with_tags ? whole->n_tags : 0);
    same(s->started_at->seconds, whole->started_at->seconds);
    same(s->started_at->nanos, whole->started_at->nanos);
    same(s->ended_at == NULL, whole->ended_at == NULL);
    if (s->ended_at != NULL)
        same(s->ended_at->nanos, whole->ended_at->nanos);
    same_text(s->stuck_step, whole->stuck_step);
    for (size_t i = 0; i < s->n_tags; i++)
        same_text(s->tags[i]->value, whole->tags[i]->value);
}

/* All pages of a list, one behind the other, must be these sagas. */
static void expect_pages(enum method_id method, const char *fields, const char *where, const unsigned *meant,
                         unsigned count)
{
    char text[400], token[256] = "";
    unsigned at = 0, size = 1 + chance_pick(7), loop = chance_loop();
    bool letters = method == METHOD_LIST_DEAD_LETTERS;
    do {
        if (letters)
            snprintf(text, sizeof text, "2:%u 3:'%s' 4:'%s'", size, token, where);
        else
            snprintf(text, sizeof text, "%s 5:%u 6:'%s' 8:'%s'", fields, size, token, where);
        ProtobufCMessage *m = chance_look(loop, method, text);
        size_t n = letters ? ((Saga__V1__ListDeadLettersResponse *)(void *)m)->n_sagas
                           : ((Saga__V1__ListResponse *)(void *)m)->n_sagas;
        Saga__V1__Saga **list = letters ? ((Saga__V1__ListDeadLettersResponse *)(void *)m)->sagas
                                        : ((Saga__V1__ListResponse *)(void *)m)->sagas;
        same(n <= size, true);
        for (size_t i = 0; i < n; i++, at++) {
            if (at >= count)
                ck_abort_msg("%s has %s too much", text, list[i]->id);
            expect_shown(list[i], chance_sagas[meant[at]].now->saga, true);
            same((int64_t)list[i]->n_steps, letters ? chance_sagas[meant[at]].now->saga->n_steps : 0);
        }
        snprintf(token, sizeof token, "%s", methods_text(m, "next_page_token"));
        protobuf_c_message_free_unpacked(m, NULL);
    } while (token[0] != '\0');
    ck_assert_msg(at == count, "%s %s: %u instead of %u", fields, where, at, count);
}

/* Two questions each time, one after the other. */
static void look_at_lists(size_t step)
{
    unsigned meant[CHANCE_SAGAS_MAX];
    for (size_t k = 0; k < 2; k++) {
        size_t q = (2 * step + k) % QUESTIONS;
        unsigned count = 0;
        for (unsigned i = chance_saga_count; i-- > 0;)
            if (questions[q].holds(chance_sagas[i].now->saga))
                meant[count++] = i;
        if (questions[q].fields != NULL)
            expect_pages(METHOD_LIST, questions[q].fields, "", meant, count);
        if (questions[q].where != NULL)
            expect_pages(METHOD_LIST, "", questions[q].where, meant, count);
        count = 0;
        for (unsigned i = 0; i < chance_saga_count; i++)
            if (is_stuck(chance_sagas[i].now->saga) && questions[q].holds(chance_sagas[i].now->saga))
                meant[count++] = i;
        if (questions[q].where != NULL || q == 0)
            expect_pages(METHOD_LIST_DEAD_LETTERS, "", q == 0 ? "" : questions[q].where, meant, count);
    }
}

/* ---- who waits, and who watches ---- */

static void look_at_waiters(void)
{
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        struct looker *k = &waiters[i];
        if (k->call == NULL && chance_pick(4) == 0) {
            k->saga = chance_pick(chance_saga_count);
            k->until_stuck = chance_pick(2) == 0;
            k->until_answered = chance_pick(2) == 0;
            k->call = chance_ask(chance_loop(), METHOD_WAIT, "1:'%s' 2:%d 3:%d", chance_sagas[k->saga].id,
                                 k->until_stuck, k->until_answered);
        }
        if (k->call == NULL)
            continue;
        const Saga__V1__Saga *saga = chance_sagas[k->saga].now->saga;
        bool told = is_ended(saga) || (k->until_stuck && is_stuck(saga)) || (k->until_answered && saga->answered);
        ck_assert_int_eq(k->call->ended, told);
        if (!told)
            continue;
        Saga__V1__WaitResponse *m = saga__v1__wait_response__unpack(NULL, k->call->body.size, k->call->body.at);
        expect_shown(m->saga, saga, !is_ended(saga));
        ck_assert_uint_eq(m->saga->output.len, saga->output.len);
        ck_assert_str_eq(m->saga->output_json, saga->output_json);
        if (is_ended(saga))
            ck_assert_str_eq(m->saga->reason_message, saga->reason_message);
        saga__v1__wait_response__free_unpacked(m, NULL);
        api_world_free(k->call);
        k->call = NULL;
    }
}

static void take_all(struct world_call *call)
{
    while (call->sending) {
        api_world_took(call);
        api_world_settle(&chance_world);
    }
}

/* What a watcher was sent must be the events of its saga's timeline, all and in order. NULL: of every saga; the events of one come in order. */
static void expect_events(const struct world_call *call, const char *id, const Saga__V1__GetResponse *whole)
{
    size_t at = 0;
    for (size_t k = 0; k < call->sent_count; k++) {
        Saga__V1__WatchResponse *m = saga__v1__watch_response__unpack(NULL, call->sent[k].size, call->sent[k].at);
        for (size_t i = 0; i < m->n_events; i++) {
            Saga__V1__Event *e = m->events[i];
            if (strcmp(e->saga_id, id) != 0)
                continue;
            char *cursor = e->cursor, one[64] = "", other[2][4096];
            same(at < whole->n_timeline, true);
            Saga__V1__Event *meant = whole->timeline[at++];
            if (strchr(cursor, ',') != NULL) /* of several loops: those of all of them */
                e->cursor = one, snprintf(one, sizeof one, "%s", meant->cursor);
            for (int j = 0; j < 2; j++) {
                FILE *out = fmemopen(other[j], sizeof other[j], "w");
                message_text_put(out, j == 0 ? &e->base : &meant->base);
                fclose(out);
            }
            e->cursor = cursor;
            same_text(other[0], other[1]);
        }
        saga__v1__watch_response__free_unpacked(m, NULL);
    }
    ck_assert_uint_eq(at, whole->n_timeline);
}

static void look_at_watchers(void)
{
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        struct looker *k = &watchers[i];
        if (k->call == NULL && chance_pick(6) == 0) {
            k->saga = chance_pick(chance_saga_count);
            k->call = chance_ask(chance_loop(), METHOD_WATCH, "1:'%s'", chance_sagas[k->saga].id);
        }
        if (k->call == NULL)
            continue;
        const Saga__V1__GetResponse *now = chance_sagas[k->saga].now;
        take_all(k->call);
        ck_assert_int_eq(k->call->ended, is_ended(now->saga));
        expect_events(k->call, chance_sagas[k->saga].id, now);
        if (!k->call->ended && chance_pick(20) == 0) {
            api_world_cancel(k->call);
            api_world_settle(&chance_world);
        }
        if (k->call->ended) {
            ck_assert_int_eq(k->call->status == 0, is_ended(now->saga));
            api_world_free(k->call);
            k->call = NULL;
        }
    }
    take_all(of_all);
}

static void leave(struct world_call **call)
{
    if (*call == NULL)
        return;
    api_world_cancel(*call);
    api_world_settle(&chance_world);
    api_world_free(*call);
    *call = NULL;
}

static void run(unsigned steps, unsigned loops, uint64_t seed, struct span tick, FILE *out)
{
    chance_open(loops, seed, out);
    of_all = chance_ask(0, METHOD_WATCH, "%s", "");
    for (unsigned i = 0; i < steps; i++) {
        chance_world.tick = (struct span){0};
        chance_step();
        chance_look_at_each();
        chance_world.tick = tick;
        look_at_lists(i);
        look_at_waiters();
        look_at_watchers();
    }
    for (unsigned i = 0; i < chance_saga_count; i++)
        expect_events(of_all, chance_sagas[i].id, chance_sagas[i].now);
    for (unsigned i = 0; i < WATCHERS_MAX; i++) {
        leave(&waiters[i].call);
        leave(&watchers[i].call);
    }
    leave(&of_all);
    chance_close();
}

static void put_all(FILE *out)
{
    run(200, 1, 5, (struct span){0}, out);
}

START_TEST(looks__all_that_is_shown_follows_from_what_each_saga_is)
{
    kept_text_compare(path, put_all);
    run(60, 1, 6, (struct span){.us = 300}, NULL);
    run(90, 3, 7, (struct span){0}, NULL);
    run(60, 2, 8, (struct span){.us = 100}, NULL);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "looks", looks__all_that_is_shown_follows_from_what_each_saga_is);
}
