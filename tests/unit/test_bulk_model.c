/* What bulk jobs do, reckoned a second time, saga by saga, from the rules of bulk.h: thousands of random steps, in which dead letters come, jobs begin, halt,
 * go on and end, time passes by little and by much, and the sidecar ends and reads its rows back. */
#include "sidecar/base/random.h"
#include "sidecar/core/bulk.h"
#include "sidecar/core/core_inside.h"
#include "sidecar/engine/saga.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define STATE(name) SAGA__V1__BULK_STATE__BULK_STATE_##name
#define ACT(name)   SAGA__V1__BULK_ACT__BULK_ACT_##name
#define STEPS       1000
#define IDS         90

/* Its undo fails for good; and one past its pivot, whose output is needed, so that it cannot be skipped. */
static const char frail[] =
    "name: frail\nversion: 1.0.0\nsteps:\n"
    "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/U, retry: {maxAttempts: 1}}}\n"
    "  - {name: b, target: u, after: [a], action: /p.S/B, compensation: none}\n";
static const char needy[] = "name: needy\nversion: 1.0.0\nsteps:\n"
                            "  - {name: p, target: t, pivot: true, action: /p.S/P}\n"
                            "  - {name: b, target: u, after: [p], action: /p.S/B}\n"
                            "  - {name: c, target: t, after: [b], action: {method: /p.S/C, request: {output: b}}}\n";

static const char *const questions[] = {"true", "definition == 'needy'", "false",
                                        "state == STUCK && status == 'NOT_FOUND'"};
static const char *const filters[] = {"", "frail", "one"};
static const char *const reasons[] = {"because", "why not", ""};

/* A job as it should be. row: as it was written down last. */
struct reckoned {
    bool there;
    char id[8];
    unsigned question, filter, reason, act, state;
    double per_second;
    uint64_t examined, acted, refused, after, up_to;
    int64_t began, ended, next, told_at;
    uint64_t told_after;
};
static struct reckoned jobs[BULK_JOBS_MAX], rows[BULK_JOBS_MAX];
static struct owner o;
static struct bulks *bulks;
static struct random rnd;
static struct error_detail detail;
static unsigned loops, audited, wanted_audits;

static unsigned draw(unsigned below)
{
    return (unsigned)random_below(&rnd, below);
}

/* Every act shows here as the engine is told of it. */
static int audit(void *self, const Saga__V1__BulkJob *job, struct event *event)
{
    (void)self;
    static const uint8_t events[] = {0, EVENT_RETRY, EVENT_SKIP, EVENT_RESOLVE};
    char reason[64];
    const struct saga *s = engine_find(core_engine(o.core), event->saga.serial);
    const struct reckoned *j = NULL;
    for (unsigned i = 0; i < BULK_JOBS_MAX && j == NULL; i++)
        j = jobs[i].there && strcmp(jobs[i].id, job->id) == 0 ? &jobs[i] : NULL;
    ck_assert(j != NULL && s != NULL && s->state == SAGA_STUCK);
    snprintf(reason, sizeof reason, "bulk %s%s%s", j->id, reasons[j->reason][0] != '\0' ? ": " : "",
             reasons[j->reason]);
    ck_assert(bytes_equal(event->reason, bytes_of_text(reason)));
    ck_assert(bytes_equal(event->actor, bytes_of_text("ann")));
    ck_assert(bytes_equal(event->identity, bytes_of_text("sue")));
    ck_assert_int_eq(event->type, events[j->act]);
    ck_assert_int_eq(event->now.us, o.now.us);
    struct bytes step = j->act == ACT(SKIP) ? saga_step_name(s, s->stuck_step) : bytes_of(NULL, 0);
    ck_assert(bytes_equal(event->step, step));
    audited++;
    return 0;
}

static void open_bulks(void)
{
    const struct bulk_options options = {.core = o.core, .memory = &o.memory, .loops = loops, .audit = audit};
    ck_assert_int_eq(bulks_create(&options, &bulks), 0);
    ck_assert_int_eq(bulks_recover(bulks, o.store, &detail), 0);
}

/* ---- the second reckoning ---- */

static bool is_over(const struct reckoned *j)
{
    return j->state == STATE(DONE) || j->state == STATE(CANCELLED) || j->state == STATE(FAILED);
}

static void write_down(unsigned place)
{
    jobs[place].told_at = o.now.us;
    jobs[place].told_after = jobs[place].after;
    rows[place] = jobs[place];
    rows[place].next = rows[place].told_at = 0; /* neither is kept */
    rows[place].told_after = 0;
}

static void set_state(unsigned place, unsigned state)
{
    struct reckoned *j = &jobs[place];
    j->state = state;
    j->ended = is_over(j) ? o.now.us : j->ended;
    j->next = o.now.us;
    write_down(place);
}

/* The sagas as they are before the jobs run, which change them; whether an act is taken is the engine's to say, and known beforehand. */
struct letter {
    uint64_t serial;
    bool dead, needy, gone_past_pivot, not_found;
    char name[8];
};
static struct letter letters[2000];
static unsigned letter_count;

static void look_around(void)
{
    letter_count = 0;
    const struct engine *e = core_engine(o.core);
    for (const struct saga *s = engine_after(e, 0); s != NULL; s = engine_after(e, s->id.serial)) {
        struct letter *l = &letters[letter_count++];
        *l = (struct letter){.serial = s->id.serial, .dead = s->state == SAGA_STUCK};
        snprintf(l->name, sizeof l->name, "%.*s", (int)s->name.size, (const char *)s->name.at);
        l->needy = strcmp(l->name, "needy") == 0;
        /* What was said last of a frail one, undone, and of a needy one: both as its serial is. */
        l->not_found = l->serial % 2 == 0;
    }
}

static bool question_holds(const struct reckoned *j, const struct letter *l)
{
    return j->question == 0 || (j->question == 1 && l->needy) || (j->question == 3 && l->not_found);
}

static void run(unsigned place)
{
    struct reckoned *j = &jobs[place];
    uint64_t before = j->acted + j->refused;
    unsigned looked = 0, acts = 0;
    if (j->next < o.now.us - 200000)
        j->next = o.now.us - 200000;
    while (j->next <= o.now.us) {
        struct letter *l = NULL;
        for (unsigned i = 0; i < letter_count && l == NULL; i++)
            l = letters[i].serial > j->after ? &letters[i] : NULL;
        if (l == NULL || l->serial > j->up_to) {
            set_state(place, STATE(DONE));
            return;
        }
        if (looked == 256 || acts == 32)
            break;
        looked++;
        bool meant = l->dead && (filters[j->filter][0] == '\0' || strcmp(filters[j->filter], l->name) == 0) &&
                     question_holds(j, l);
        if (meant) {
            bool refused = j->act == ACT(SKIP) && l->needy;
            acts++;
            wanted_audits++;
            *(refused ? &j->refused : &j->acted) += 1;
            l->dead = refused;
            j->next += (int64_t)(1e6 * loops / j->per_second);
        }
        j->after = l->serial;
        j->examined++;
    }
    if (j->acted + j->refused != before || (j->after != j->told_after && o.now.us >= j->told_at + 1000000))
        write_down(place);
}

/* ---- what happens ---- */

/* Answers everything that is out, or some of it; what is undone, or comes after the pivot, is refused for good. */
static void answer_some(unsigned share)
{
    for (unsigned n = (unsigned)o.call_count; n > 0; n--) {
        const struct call_effect *call = &o.calls[0];
        char step[8];
        snprintf(step, sizeof step, "%.*s", (int)call->step_name.size, (const char *)call->step_name.at);
        bool fails = step[0] == 'b' || call->phase == SAGA_PHASE_COMPENSATION;
        if (draw(4) >= share) { /* it goes to the end of those that are out */
            const struct call_effect later = o.calls[0];
            memmove(o.calls, o.calls + 1, (o.call_count - 1) * sizeof o.calls[0]);
            o.calls[o.call_count - 1] = later;
            continue;
        }
        owner_answer(&o, !fails ? 0 : call->saga.serial % 2 == 0 ? 5 : 9, "out");
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
}

static void add_job(void)
{
    struct reckoned j = {.there = true,
                         .question = draw(4),
                         .filter = draw(8) < 5 ? 0 : draw(3),
                         .reason = draw(3),
                         .act = 1 + draw(3),
                         .per_second = (double[]){0.5, 3, 20, 250, 10000}[draw(5)],
                         .began = o.now.us,
                         .next = o.now.us,
                         .up_to = engine_serial(core_engine(o.core)),
                         .state = STATE(RUNNING)};
    snprintf(j.id, sizeof j.id, "j%u", draw(IDS));
    if (j.act != ACT(RETRY) && j.reason == 2)
        j.reason = 0;
    Google__Protobuf__Timestamp ended = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__BulkJob m = SAGA__V1__BULK_JOB__INIT;
    m.id = j.id;
    m.act = (Saga__V1__BulkAct)j.act;
    m.where = (char *)(uintptr_t)questions[j.question];
    m.definition = (char *)(uintptr_t)filters[j.filter];
    m.reason = (char *)(uintptr_t)reasons[j.reason];
    m.actor = (char *)(uintptr_t) "ann";
    m.identity = (char *)(uintptr_t) "sue";
    m.error = (char *)(uintptr_t) "none of it counts";
    m.per_second = j.per_second;
    m.examined = m.acted = m.refused = m.after = m.up_to = 99;
    m.ended_at = &ended;
    m.state = STATE(PAUSED);
    int there = -1, place = -1;
    for (int i = BULK_JOBS_MAX - 1; i >= 0; i--)
        there = jobs[i].there && strcmp(jobs[i].id, j.id) == 0 ? i : there;
    for (int i = BULK_JOBS_MAX - 1; i >= 0; i--)
        if (jobs[i].there && is_over(&jobs[i]) && (place < 0 || jobs[i].began <= jobs[place].began))
            place = i;
    for (int i = BULK_JOBS_MAX - 1; i >= 0; i--)
        place = jobs[i].there ? place : i;
    bool repeated = false;
    int code = bulks_add(bulks, &m, o.now, &repeated, &detail);
    if (there >= 0) {
        const struct reckoned *k = &jobs[there];
        bool same = k->act == j.act && k->question == j.question && k->filter == j.filter && k->reason == j.reason;
        ck_assert_int_eq(code, same ? 0 : E_BULK_EXISTS);
        ck_assert(repeated);
    } else if (place < 0) {
        ck_assert_int_eq(code, E_BULK_JOBS);
    } else {
        ck_assert_int_eq(code, 0);
        ck_assert(!repeated);
        jobs[place] = j;
        write_down((unsigned)place);
    }
}

static void change_job(void)
{
    static const unsigned states[] = {STATE(RUNNING), STATE(PAUSED), STATE(CANCELLED), STATE(DONE)};
    unsigned state = states[draw(32) == 0 ? 3 : draw(3)];
    char id[8];
    int place = -1;
    snprintf(id, sizeof id, "j%u", draw(IDS));
    for (int i = 0; i < BULK_JOBS_MAX; i++)
        place = jobs[i].there && strcmp(jobs[i].id, id) == 0 ? i : place;
    int code = bulks_change(bulks, bytes_of_text(id), (Saga__V1__BulkState)state, o.now, &detail);
    if (state == STATE(DONE)) {
        ck_assert_int_eq(code, E_ARGUMENT);
    } else if (place < 0) {
        ck_assert_int_eq(code, E_BULK_NOT_FOUND);
    } else if (jobs[place].state == state) {
        ck_assert_int_eq(code, 0);
    } else if (is_over(&jobs[place])) {
        ck_assert_int_eq(code, loops > 1 ? 0 : E_BULK_ENDED);
    } else {
        ck_assert_int_eq(code, 0);
        set_state((unsigned)place, state);
    }
}

static void run_all(void)
{
    look_around();
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++)
        if (jobs[i].there && jobs[i].state == STATE(RUNNING))
            run(i);
    ck_assert_int_eq(bulks_run(bulks, o.now, &detail), 0);
}

static void restart(void)
{
    ck_assert_int_eq(owner_commit(&o), 0);
    bulks_destroy(bulks);
    owner_restart(&o);
    loops = 1 + draw(3);
    open_bulks();
    memcpy(jobs, rows, sizeof jobs);
    do
        ck_assert_int_eq(owner_commit(&o), 0);
    while (core_resuming(o.core));
}

static int64_t us_of(const Google__Protobuf__Timestamp *t)
{
    return t == NULL ? 0 : t->seconds * 1000000 + t->nanos / 1000;
}

static void compare(void)
{
    int64_t next = INT64_MAX;
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++) {
        const Saga__V1__BulkJob *m = bulks_at(bulks, i);
        const struct reckoned *j = &jobs[i];
        ck_assert_int_eq(m != NULL, j->there);
        if (m == NULL)
            continue;
        ck_assert_str_eq(m->id, j->id);
        ck_assert_str_eq(m->where, questions[j->question]);
        ck_assert_str_eq(m->definition, filters[j->filter]);
        ck_assert_str_eq(m->reason, reasons[j->reason]);
        ck_assert_str_eq(m->actor, "ann");
        ck_assert_str_eq(m->identity, "sue");
        ck_assert_str_eq(m->error, "");
        ck_assert_uint_eq(m->act, j->act);
        ck_assert_uint_eq(m->state, j->state);
        ck_assert_double_eq(m->per_second, j->per_second);
        ck_assert_uint_eq(m->examined, j->examined);
        ck_assert_uint_eq(m->acted, j->acted);
        ck_assert_uint_eq(m->refused, j->refused);
        ck_assert_uint_eq(m->after, j->after);
        ck_assert_uint_eq(m->up_to, j->up_to);
        ck_assert_int_eq(us_of(m->started_at), j->began);
        ck_assert_int_eq(us_of(m->ended_at), is_over(j) ? j->ended : 0);
        if (j->state == STATE(RUNNING) && j->next < next)
            next = j->next;
    }
    ck_assert_int_eq(bulks_expiry(bulks).us, next);
    ck_assert_uint_eq(audited, wanted_audits);
}

START_TEST(bulk_model__jobs_do_what_was_reckoned)
{
    random_seed(&rnd, 5);
    owner_init(&o);
    o.commit_bytes_max = 1u << 30; /* no batch is ever full */
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_int_eq(owner_register(&o, owner_one_step), 0);
    ck_assert_int_eq(owner_register(&o, frail), 0);
    ck_assert_int_eq(owner_register(&o, needy), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    loops = 1;
    open_bulks();
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned what = draw(16);
        o.now.us += what < 12 ? (int64_t)draw(60000) : (int64_t)draw(3000000);
        if (what < 4 && engine_counts(core_engine(o.core)).live < 900) {
            static const char *const names[] = {"frail", "needy", "frail", "one"};
            for (unsigned n = i % 500 == 0 ? 300 : draw(6); n > 0; n--)
                owner_submit_start(&o, 1, names[draw(4)], NULL);
        } else if (what < 6) {
            add_job();
        } else if (what < 8) {
            change_job();
        } else if (what < 12) {
            run_all();
        } else if (what == 12 && draw(8) == 0) {
            restart();
        } else {
            answer_some(1 + draw(4));
        }
        compare();
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_told(&o);
    }
    bulks_destroy(bulks);
    owner_close(&o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bulk_model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, bulk_model__jobs_do_what_was_reckoned);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
