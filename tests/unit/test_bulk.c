/* Bulk jobs in a core of one loop: their rate, whose places they take, and what is refused. What a crash leaves of them is the simulator's to say. */
#include "sidecar/core/bulk.h"

#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE(name) SAGA__V1__BULK_STATE__BULK_STATE_##name
#define ACT(name)   SAGA__V1__BULK_ACT__BULK_ACT_##name

static struct owner o;
static struct bulks *bulks;
static struct error_detail detail;

static void open_bulks(unsigned loops)
{
    const struct bulk_options options = {.core = o.core, .memory = &o.memory, .loops = loops};
    ck_assert_int_eq(bulks_create(&options, &bulks), 0);
    ck_assert_int_eq(bulks_recover(bulks, o.store, &detail), 0);
}

static void setup(void)
{
    owner_open(&o);
    open_bulks(1);
}

static void teardown(void)
{
    bulks_destroy(bulks);
    owner_close(&o);
}

static void reopen(unsigned loops)
{
    bulks_destroy(bulks);
    open_bulks(loops);
}

static Saga__V1__BulkJob job_of(const char *id, double per_second)
{
    Saga__V1__BulkJob job = SAGA__V1__BULK_JOB__INIT;
    job.id = (char *)(uintptr_t)id;
    job.act = ACT(RESOLVE);
    job.where = (char *)(uintptr_t) "true";
    job.actor = (char *)(uintptr_t) "anna";
    job.reason = (char *)(uintptr_t) "because";
    job.per_second = per_second;
    return job;
}

static int add(const Saga__V1__BulkJob *job)
{
    bool repeated;
    return bulks_add(bulks, job, o.now, &repeated, &detail);
}

static const Saga__V1__BulkJob *find(const char *id)
{
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++)
        if (bulks_at(bulks, i) != NULL && strcmp(bulks_at(bulks, i)->id, id) == 0)
            return bulks_at(bulks, i);
    return NULL;
}

/* A dead letter: its second step is refused, and the undo of the first fails for good. */
static void letter(void)
{
    owner_submit_start(&o, 1, "frail", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 0, "a");
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 9, "");
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 9, "");
    ck_assert_int_eq(owner_commit(&o), 0);
}

static void letters(unsigned count)
{
    static const char frail[] = "name: frail\nversion: 1.0.0\nsteps:\n"
                                "  - name: a\n    target: t\n    action: /p.S/A\n"
                                "    compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1, initialBackoff: 0.1s, "
                                "maxBackoff: 1s, backoffMultiplier: 2}}\n"
                                "  - {name: b, target: u, after: [a], action: /p.S/B, compensation: none}\n";
    ck_assert_int_eq(owner_register(&o, frail), 0);
    for (unsigned i = 0; i < count; i++)
        letter();
    owner_told(&o);
    ck_assert_uint_eq(engine_counts(core_engine(o.core)).stuck, count);
}

/* Lets so much time pass, and the job do what is due then. Returns how many dead letters are left. */
static uint32_t left_after(int64_t ms)
{
    o.now.us += ms * 1000;
    ck_assert_int_eq(bulks_run(bulks, o.now, &detail), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    return engine_counts(core_engine(o.core)).stuck;
}

/* Each at its own pace: it is looked at again when the first of them is due. */
START_TEST(bulk__a_quick_job_does_not_wait_for_a_slow_one)
{
    letters(6);
    const Saga__V1__BulkJob slow = job_of("slow", 1), quick = job_of("quick", 10);
    ck_assert_int_eq(add(&slow), 0);
    ck_assert_int_eq(add(&quick), 0);
    ck_assert_uint_eq(left_after(0), 4);
    ck_assert_int_eq(bulks_expiry(bulks).us, o.now.us + 100000);
    ck_assert_uint_eq(left_after(100), 3);
}
END_TEST

START_TEST(bulk__acts_as_often_in_a_second_as_it_may)
{
    letters(20);
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_uint_eq(left_after(0), 19);
    ck_assert_uint_eq(left_after(99), 19);
    ck_assert_int_eq(bulks_expiry(bulks).us, o.now.us + 1000);
    ck_assert_uint_eq(left_after(1), 18);
    ck_assert_uint_eq(left_after(100), 17);
    /* What a stall kept it from is made up for by little. */
    uint32_t left = left_after(60000);
    ck_assert_uint_ge(left, 17 - 3);
    ck_assert_uint_lt(left, 17);
}
END_TEST

START_TEST(bulk__loops_share_its_rate)
{
    reopen(4);
    letters(4);
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_uint_eq(left_after(0), 3);
    ck_assert_uint_eq(left_after(399), 3);
    ck_assert_uint_eq(left_after(1), 2);
}
END_TEST

START_TEST(bulk__halted_it_does_nothing_and_goes_on_where_it_was)
{
    letters(3);
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_uint_eq(left_after(0), 2);
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("x"), STATE(PAUSED), o.now, &detail), 0);
    ck_assert_uint_eq(left_after(60000), 2);
    ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("x"), STATE(RUNNING), o.now, &detail), 0);
    ck_assert_uint_eq(left_after(0), 1);
    ck_assert_uint_eq(left_after(100), 0);
    left_after(100);
    ck_assert_int_eq(find("x")->state, STATE(DONE));
    ck_assert_uint_eq(find("x")->acted, 3);
    ck_assert_uint_eq(find("x")->examined, 3);
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("x"), STATE(RUNNING), o.now, &detail), E_BULK_ENDED);
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("y"), STATE(RUNNING), o.now, &detail), E_BULK_NOT_FOUND);
}
END_TEST

/* After a restart, too: each that was there at its beginning is looked at once, and none that came later. */
START_TEST(bulk__is_about_what_was_there_when_it_began)
{
    letters(3);
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_uint_eq(left_after(0), 2);
    letter();
    ck_assert_uint_eq(left_after(100), 2);
    bulks_destroy(bulks);
    owner_restart(&o);
    open_bulks(1);
    o.now.us += 1000000;
    ck_assert_int_eq(owner_commit(&o), 0);
    while (find("x")->state == STATE(RUNNING))
        left_after(100);
    ck_assert_uint_eq(left_after(100), 1);
    ck_assert_uint_eq(find("x")->examined, 3);
    ck_assert_uint_eq(find("x")->acted, 3);
}
END_TEST

/* Memory is refused at each of its allocations in turn: whoever is told so finds everything as it was, here and after a restart, until it succeeds. */
START_TEST(bulk__without_memory_a_job_is_not_there)
{
    char id[16];
    letters(1);
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++) {
        snprintf(id, sizeof id, "%u", i);
        const Saga__V1__BulkJob job = job_of(id, 10);
        ck_assert_int_eq(add(&job), 0);
        ck_assert_int_eq(bulks_change(bulks, bytes_of_text(id), STATE(CANCELLED), o.now, &detail), 0);
        ck_assert_int_eq(owner_commit(&o), 0); /* so that a batch has no room yet for a row */
        o.now.us += 1000000;
    }
    const Saga__V1__BulkJob more = job_of("more", 10);
    unsigned refused = 0;
    int code;
    for (; o.fail_at = o.allocations + 1 + refused, (code = add(&more)) != 0; refused++) {
        ck_assert_int_eq(code, E_MEMORY);
        ck_assert_ptr_null(find("more"));
        ck_assert_ptr_nonnull(find("0")); /* whose place it would take */
        ck_assert_int_eq(find("0")->state, STATE(CANCELLED));
        ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
        ck_assert_uint_eq(left_after(0), 1);
        reopen(1);
        ck_assert_ptr_null(find("more"));
        ck_assert_ptr_nonnull(find("0"));
    }
    o.fail_at = 0;
    ck_assert_uint_ge(refused, 3); /* what it asks, the job, its row */
    ck_assert_ptr_null(find("0"));
    ck_assert_uint_eq(left_after(0), 0);
}
END_TEST

START_TEST(bulk__without_memory_a_job_stays_as_it_is)
{
    static const Saga__V1__BulkState states[] = {STATE(PAUSED), STATE(CANCELLED)};
    for (unsigned i = 0; i < 2; i++) {
        const char *id = i == 0 ? "first" : "second";
        const Saga__V1__BulkJob job = job_of(id, 10);
        ck_assert_int_eq(add(&job), 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        unsigned refused = 0;
        int code;
        for (; o.fail_at = o.allocations + 1 + refused,
               (code = bulks_change(bulks, bytes_of_text(id), states[i], o.now, &detail)) != 0;
             refused++) {
            ck_assert_int_eq(code, E_MEMORY);
            ck_assert_int_eq(find(id)->state, STATE(RUNNING));
            ck_assert_ptr_null(find(id)->ended_at);
            ck_assert_int_eq(bulks_expiry(bulks).us, o.now.us); /* it goes on */
        }
        o.fail_at = 0;
        ck_assert_uint_ge(refused, 1);
        ck_assert_int_eq(find(id)->state, states[i]);
        ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
    }
    letters(1);
    const Saga__V1__BulkJob job = job_of("third", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.fail_at = o.allocations + 1;
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("third"), STATE(CANCELLED), o.now, &detail), E_MEMORY);
    ck_assert_uint_eq(left_after(0), 0); /* as it was going to */
    ck_assert_uint_eq(find("third")->acted, 1);
}
END_TEST

/* Of as many as there may be, the one that began first gives way, once it has ended; one that goes on never does. */
START_TEST(bulk__the_oldest_that_has_ended_gives_way)
{
    char id[16];
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++) {
        snprintf(id, sizeof id, "%u", i);
        const Saga__V1__BulkJob job = job_of(id, 10);
        ck_assert_int_eq(add(&job), 0);
        if (i < 3)
            ck_assert_int_eq(bulks_change(bulks, bytes_of_text(id), STATE(PAUSED), o.now, &detail), 0);
        o.now.us += 7;
    }
    const Saga__V1__BulkJob more = job_of("more", 10), again = job_of("again", 10), last = job_of("last", 10);
    ck_assert_int_eq(add(&more), E_BULK_JOBS); /* all go on */
    left_after(0);
    ck_assert_int_eq(add(&more), 0);
    ck_assert_ptr_null(find("3"));
    ck_assert_ptr_nonnull(find("0"));
    ck_assert_ptr_nonnull(find("4"));
    ck_assert_ptr_nonnull(find("63"));
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("1"), STATE(CANCELLED), o.now, &detail), 0);
    ck_assert_int_eq(add(&again), 0);
    ck_assert_ptr_null(find("1"));
    ck_assert_ptr_nonnull(find("4"));
    /* The one that stands first did not begin first. */
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("again"), STATE(CANCELLED), o.now, &detail), 0);
    ck_assert_int_eq(add(&last), 0);
    ck_assert_ptr_nonnull(find("again"));
    ck_assert_ptr_null(find("4"));
}
END_TEST

/* Asked for twice it is one job; another under its id is refused. */
START_TEST(bulk__an_id_is_of_one_job)
{
    bool repeated;
    Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(bulks_add(bulks, &job, o.now, &repeated, &detail), 0);
    ck_assert(!repeated);
    job.actor = (char *)(uintptr_t) "berta";
    job.per_second = 20;
    ck_assert_int_eq(bulks_add(bulks, &job, o.now, &repeated, &detail), 0);
    ck_assert(repeated);
    static const char *const others[] = {"false", "frail", "why"};
    for (unsigned i = 0; i < 4; i++) {
        Saga__V1__BulkJob other = job_of("x", 10);
        *(i == 0   ? &other.where
          : i == 1 ? &other.definition
                   : &other.reason) = (char *)(uintptr_t)others[i < 3 ? i : 2];
        if (i == 3) {
            other = job_of("x", 10);
            other.act = ACT(RETRY);
        }
        ck_assert_int_eq(bulks_add(bulks, &other, o.now, &repeated, &detail), E_BULK_EXISTS);
    }
}
END_TEST

START_TEST(bulk__what_is_wrong_is_refused_by_its_field)
{
    char long_text[200];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    static const double rates[] = {0, 0.009, 10000.1, -1};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const Saga__V1__BulkJob job = job_of("x", rates[i]);
        ck_assert_int_eq(add(&job), E_ARGUMENT);
        ck_assert_str_eq(detail.field, "per_second");
    }
    Saga__V1__BulkJob job = job_of("x", 10);
    job.reason = long_text;
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "reason");
    job.reason = long_text + (sizeof long_text - 1 - BULK_REASON_BYTES_MAX);
    job.actor = long_text;
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "actor");
    job = job_of("", 10);
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "id");
    job = job_of("x", 0.01);
    job.reason = (char *)(uintptr_t) "";
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    job.act = ACT(RETRY); /* needs none */
    ck_assert_int_eq(add(&job), 0);
    job = job_of("y", 10);
    job.actor = (char *)(uintptr_t) "";
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "actor");
    job = job_of("y", 10);
    job.definition = long_text;
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "definition");
    job = job_of(long_text + (sizeof long_text - 1 - BULK_ID_BYTES_MAX), 10);
    job.definition = long_text + (sizeof long_text - 1 - NAME_BYTES_MAX);
    job.reason = long_text + (sizeof long_text - 1 - BULK_REASON_BYTES_MAX);
    ck_assert_int_eq(add(&job), 0);
    job = job_of("y", 10);
    job.act = ACT(RETRY) - 1;
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    job.act = ACT(RESOLVE) + 1;
    ck_assert_int_eq(add(&job), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "act");
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("x"), STATE(DONE), o.now, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "state");
}
END_TEST

static struct bytes asker; /* of the last act that was told of */

static int tell(void *self, const Saga__V1__BulkJob *job, struct event *event)
{
    ck_assert_ptr_eq(self, &asker);
    ck_assert_uint_eq(strlen(job->id), 1);
    asker = event->identity;
    ck_assert(bytes_equal(event->step, bytes_of_text(event->type == EVENT_SKIP ? "a" : "")));
    return 0;
}

/* It acts on the dead letters of its definition that were there when it began, and on each as whoever asked for it. */
START_TEST(bulk__acts_on_what_it_is_about)
{
    const struct bulk_options options = {
        .core = o.core, .memory = &o.memory, .loops = 1, .audit = tell, .self = &asker};
    bulks_destroy(bulks);
    ck_assert_int_eq(bulks_create(&options, &bulks), 0);
    letters(2);
    Saga__V1__BulkJob job = job_of("x", 10), other = job_of("z", 10);
    job.act = ACT(SKIP);
    job.identity = (char *)(uintptr_t) "bert";
    job.examined = job.acted = job.refused = job.after = 7;
    other.definition = (char *)(uintptr_t) "one";
    ck_assert_int_eq(add(&other), 0);
    ck_assert_uint_eq(left_after(0), 2); /* they are of another */
    ck_assert_uint_eq(find("z")->acted, 0);
    ck_assert_int_eq(find("z")->state, STATE(DONE));
    ck_assert_ptr_nonnull(find("z")->ended_at);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_uint_eq(find("x")->up_to, 2);
    ck_assert_uint_eq(left_after(0), 1);
    ck_assert(bytes_equal(asker, bytes_of_text("bert")));
    asker = bytes_of(NULL, 0);
    bulks_destroy(bulks); /* and after a restart, too */
    ck_assert_int_eq(bulks_create(&options, &bulks), 0);
    ck_assert_int_eq(bulks_recover(bulks, o.store, &detail), 0);
    ck_assert_str_eq(find("x")->identity, "bert");
    ck_assert_str_eq(find("x")->actor, "anna");
    ck_assert_str_eq(find("x")->reason, "because");
    ck_assert_int_eq(find("x")->act, ACT(SKIP));
    ck_assert_uint_eq(left_after(100), 0);
    ck_assert(bytes_equal(asker, bytes_of_text("bert")));
    ck_assert_uint_eq(find("x")->acted, 2);
    ck_assert_uint_eq(find("x")->examined, 2);
    letter(); /* of what is not skipped no step is named */
    Saga__V1__BulkJob more = job_of("r", 10);
    ck_assert_int_eq(add(&more), 0);
    ck_assert_uint_eq(left_after(0), 0);
    ck_assert_uint_eq(find("r")->acted, 1);
}
END_TEST

/* New work waits while the journal has no room; so do jobs, and none begins. */
START_TEST(bulk__waits_while_the_journal_has_no_room)
{
    letters(2);
    const Saga__V1__BulkJob job = job_of("x", 1), more = job_of("y", 1);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_set_tight(o.disk, true);
    ck_assert_int_eq(add(&more), E_JOURNAL_FULL);
    ck_assert_uint_eq(left_after(1000), 2);
    memory_disk_set_tight(o.disk, false);
    owner_submit_start(&o, 1, "one", NULL);
    memory_disk_fail(o.disk, 1, E_JOURNAL_FULL, false);
    ck_assert_int_eq(owner_commit(&o), E_JOURNAL_FULL);
    ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
    ck_assert_uint_eq(left_after(1000), 2);
    ck_assert_uint_eq(left_after(0), 1);
    reopen(1); /* it goes on */
    ck_assert_uint_eq(left_after(1000), 0);
}
END_TEST

/* One that is answered for and has only a deferred step left waits for that step's next attempt, which a retry that asks for such has made now. */
START_TEST(bulk__retries_what_is_deferred_for_who_asks_for_it)
{
    static const char later[] = "name: later\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                                "  - {name: a, target: t, action: /p.S/A}\n"
                                "  - {name: b, target: t, after: [a], deferred: true, action: /p.S/B}\n";
    static const struct {
        const char *id, *where;
        Saga__V1__BulkAct act;
        unsigned acted;
    } jobs[] = {{"1", "deferred", ACT(RESOLVE), 0}, {"2", "true", ACT(RETRY), 0}, {"3", "deferred", ACT(RETRY), 1}};
    ck_assert_int_eq(owner_register(&o, later), 0);
    owner_submit_start(&o, 1, "later", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 0, "a");
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 14, "");
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(o.call_count, 0);
    for (unsigned i = 0; i < 3; i++) {
        Saga__V1__BulkJob job = job_of(jobs[i].id, 1000);
        job.where = (char *)(uintptr_t)jobs[i].where;
        job.act = jobs[i].act;
        ck_assert_int_eq(add(&job), 0);
        left_after(0);
        left_after(1);
        ck_assert_int_eq(find(jobs[i].id)->state, STATE(DONE));
        ck_assert_uint_eq(find(jobs[i].id)->examined, 1);
        ck_assert_uint_eq(find(jobs[i].id)->acted, jobs[i].acted);
        ck_assert_uint_eq(find(jobs[i].id)->refused, 0);
        ck_assert_uint_eq(o.call_count, jobs[i].acted);
    }
}
END_TEST

/* Dead letters may be told apart by what their step was answered last. */
START_TEST(bulk__a_question_may_be_about_the_last_answer)
{
    letters(2);
    owner_submit_start(&o, 1, "frail", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    static const int answers[] = {0, 9, 12}; /* UNIMPLEMENTED; the others' undo was answered FAILED_PRECONDITION */
    for (int i = 0; i < 3; i++) {
        owner_answer(&o, answers[i], "");
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    static const struct {
        const char *where;
        unsigned left;
    } jobs[] = {{"status == 'OK'", 3}, {"status == 'UNIMPLEMENTED'", 2}, {"status == 'FAILED_PRECONDITION'", 0}};
    for (unsigned i = 0; i < 3; i++) {
        Saga__V1__BulkJob job = job_of(jobs[i].where, 10000);
        job.where = (char *)(uintptr_t)jobs[i].where;
        ck_assert_int_eq(add(&job), 0);
        left_after(0);
        ck_assert_uint_eq(left_after(10), jobs[i].left);
        ck_assert_int_eq(find(jobs[i].where)->state, STATE(DONE));
    }
}
END_TEST

/* One whose question costs too much of a saga ends there, and says why. */
START_TEST(bulk__a_question_that_costs_too_much_ends_the_job)
{
    static const char costly[] = "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, "
                                 "[1,2,3,4,5,6,7,8,9].all(d, a + b + c + d > 0))))";
    letters(1);
    Saga__V1__BulkJob job = job_of("x", 10), sound = job_of("y", 10);
    job.where = (char *)(uintptr_t)costly;
    ck_assert_int_eq(add(&job), 0);
    o.now.us += 5000000;
    ck_assert_uint_eq(left_after(0), 1);
    for (int lives = 0; lives < 2; lives++) {
        ck_assert_int_eq(find("x")->state, STATE(FAILED));
        ck_assert_str_ne(find("x")->error, "");
        ck_assert_uint_eq(find("x")->acted + find("x")->refused, 0);
        ck_assert_int_eq(find("x")->ended_at->seconds, o.now.us / 1000000);
        ck_assert_int_eq(find("x")->started_at->seconds, o.now.us / 1000000 - 5);
        reopen(1);
    }
    ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("x"), STATE(RUNNING), o.now, &detail), E_BULK_ENDED);
    ck_assert_int_eq(add(&sound), 0);
    ck_assert_uint_eq(left_after(0), 0);
    ck_assert_str_eq(find("y")->error, "");
}
END_TEST

/* Of several loops one has come to its end while another has more to do: there it is no error to halt it, or to make it go on. */
START_TEST(bulk__in_several_loops_what_has_ended_stays_so)
{
    reopen(2);
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    left_after(0);
    ck_assert_int_eq(find("x")->state, STATE(DONE));
    static const Saga__V1__BulkState states[] = {STATE(PAUSED), STATE(RUNNING), STATE(CANCELLED)};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(bulks_change(bulks, bytes_of_text("x"), states[i], o.now, &detail), 0);
        ck_assert_int_eq(find("x")->state, STATE(DONE));
    }
}
END_TEST

/* What may not be done to a saga now is counted as refused, and costs the job its time like what was done. */
START_TEST(bulk__counts_what_was_refused)
{
    static const char side[] = "name: side\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                               "  - {name: a, target: t, action: {method: /p.S/A, retry: {maxAttempts: 1}}}\n"
                               "  - {name: b, target: t, action: /p.S/B}\n";
    letters(1);
    ck_assert_int_eq(owner_register(&o, side), 0);
    owner_submit_start(&o, 1, "side", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 9, ""); /* it is stuck, and b is out: it cannot be resolved */
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_uint_eq(left_after(0), 1);
    ck_assert_uint_eq(left_after(99), 1);
    ck_assert_uint_eq(find("x")->acted, 1);
    ck_assert_uint_eq(find("x")->refused, 0);
    ck_assert_uint_eq(left_after(1), 1);
    ck_assert_uint_eq(find("x")->acted, 1);
    ck_assert_uint_eq(find("x")->refused, 1);
    left_after(99);
    ck_assert_int_eq(find("x")->state, STATE(RUNNING));
    left_after(1);
    ck_assert_int_eq(find("x")->state, STATE(DONE));
    reopen(1);
    ck_assert_uint_eq(find("x")->refused, 1);
    ck_assert_uint_eq(find("x")->acted, 1);
}
END_TEST

/* What a dead letter was answered may have to be waited for: it is looked at again, and not passed over. */
START_TEST(bulk__waits_for_what_is_to_be_read)
{
    letters(1);
    Saga__V1__BulkJob job = job_of("x", 10);
    job.where = (char *)(uintptr_t) "status == 'FAILED_PRECONDITION'";
    ck_assert_int_eq(add(&job), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    memory_disk_fail(o.disk, 1, STORE_PENDING, false);
    ck_assert_int_eq(bulks_run(bulks, o.now, &detail), 0);
    ck_assert_uint_eq(find("x")->examined, 0);
    ck_assert_uint_eq(left_after(0), 0);
    ck_assert_uint_eq(find("x")->examined, 1);
    ck_assert_uint_eq(find("x")->acted, 1);
}
END_TEST

/* One that is paused is not waited for, however soon it would be due. */
START_TEST(bulk__a_paused_job_is_never_due)
{
    letters(4);
    const Saga__V1__BulkJob quick = job_of("quick", 10), slow = job_of("slow", 1);
    ck_assert_int_eq(add(&quick), 0);
    ck_assert_int_eq(add(&slow), 0);
    ck_assert_uint_eq(left_after(0), 2);
    ck_assert_int_eq(bulks_change(bulks, bytes_of_text("quick"), STATE(PAUSED), o.now, &detail), 0);
    ck_assert_int_eq(bulks_expiry(bulks).us, o.now.us + 1000000);
    ck_assert_int_eq(owner_commit(&o), 0);
}
END_TEST

/* Of those that have ended the one that began first makes room, to the part of a second. */
START_TEST(bulk__the_oldest_that_has_ended_makes_room)
{
    char id[16];
    o.now.us += 900000;
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++) {
        snprintf(id, sizeof id, "%u", i);
        const Saga__V1__BulkJob job = job_of(id, 10);
        ck_assert_int_eq(add(&job), 0);
        ck_assert_int_eq(bulks_change(bulks, bytes_of_text(id), STATE(CANCELLED), o.now, &detail), 0);
        o.now.us += i < 1 ? 200000 : 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        snprintf(id, sizeof id, "more%u", i);
        const Saga__V1__BulkJob more = job_of(id, 10);
        ck_assert_int_eq(add(&more), 0);
        ck_assert_ptr_null(find("0"));
        ck_assert_int_eq(find("1") != NULL, i == 0);
        ck_assert_ptr_nonnull(find("2"));
    }
    ck_assert_int_eq(owner_commit(&o), 0);
}
END_TEST

/* How far one has come that finds nothing to do is written down each second and no more often, so that a start does not begin from the front. */
START_TEST(bulk__how_far_it_looked_is_kept_each_second)
{
    for (unsigned i = 0; i < 900; i++)
        owner_submit(&o, (struct event){.type = EVENT_BEGIN, .name = bytes_of_text("shop")});
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    const Saga__V1__BulkJob job = job_of("x", 10);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    static const struct {
        int64_t ms;
        unsigned looked, kept;
    } looks[] = {{0, 256, 0}, {999, 512, 0}, {1, 768, 768}};
    for (unsigned i = 0; i < 3; i++) {
        left_after(looks[i].ms);
        ck_assert_uint_eq(find("x")->examined, looks[i].looked);
        struct bulks *here = bulks;
        open_bulks(1);
        ck_assert_uint_eq(find("x")->after, looks[i].kept);
        ck_assert_uint_eq(find("x")->examined, looks[i].kept);
        bulks_destroy(bulks);
        bulks = here;
    }
    left_after(0);
    ck_assert_int_eq(find("x")->state, STATE(DONE));
    ck_assert_uint_eq(find("x")->examined, 900);
}
END_TEST

/* A job acts neither before the sagas have taken up where they were, nor when nothing new is to leave any more. */
START_TEST(bulk__waits_for_the_end_of_a_start_and_not_for_that_of_a_stop)
{
    letters(40);
    const Saga__V1__BulkJob job = job_of("x", 1000);
    ck_assert_int_eq(add(&job), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    bulks_destroy(bulks);
    for (unsigned i = 0; i < 40; i++)
        owner_submit_start(&o, 1, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    o.commit_bytes_max = 1024;
    owner_restart(&o);
    open_bulks(1);
    ck_assert(core_resuming(o.core));
    ck_assert_int_eq(owner_commit(&o), 0); /* so that there is room in the batch */
    ck_assert(core_resuming(o.core) && !core_batch_full(o.core));
    ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
    ck_assert_uint_eq(left_after(1), 40);
    while (core_resuming(o.core))
        ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_le(bulks_expiry(bulks).us, o.now.us);
    ck_assert_uint_lt(left_after(1), 40);
    uint32_t left = left_after(1);
    core_hold(o.core);
    ck_assert_int_eq(bulks_expiry(bulks).us, INSTANT_NEVER.us);
    ck_assert_uint_eq(left_after(1000), left);
}
END_TEST

/* Puts the row of a job into the journal, as another version or a defective disk might have left it. */
static void put_row(const char *name, uint8_t version, const Saga__V1__BulkJob *job, size_t cut)
{
    uint8_t value[1024];
    size_t size = saga__v1__bulk_job__pack(job, value) - cut;
    const struct subject_row row = {
        .kind = SUBJECT_BULK, .name = bytes_of_text(name), .version = version, .value = bytes_of(value, size)};
    ck_assert_int_eq(core_set_subject(o.core, &row), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
}

START_TEST(bulk__a_row_that_is_no_job_is_damage)
{
    static const struct {
        const char *name;
        uint8_t version;
        const char *where;
        int state;
        size_t cut;
        int code;
    } rows[] = {
        {"00", 1, "true", STATE(RUNNING), 0, 0},
        {"63", 1, "true", STATE(FAILED), 0, 0},
        {"64", 1, "true", STATE(RUNNING), 0, E_JOURNAL_CORRUPT},
        {"0", 1, "true", STATE(RUNNING), 0, E_JOURNAL_CORRUPT},
        {"000", 1, "true", STATE(RUNNING), 0, E_JOURNAL_CORRUPT},
        {"0:", 1, "true", STATE(RUNNING), 0, E_JOURNAL_CORRUPT},
        {"/0", 1, "true", STATE(RUNNING), 0, E_JOURNAL_CORRUPT},
        {"00", 2, "true", STATE(RUNNING), 0, E_JOURNAL_CORRUPT},
        {"00", 1, "true", STATE(RUNNING), 1, E_JOURNAL_CORRUPT},
        {"00", 1, "true", STATE(UNSPECIFIED), 0, E_JOURNAL_CORRUPT},
        {"00", 1, "true", STATE(FAILED) + 1, 0, E_JOURNAL_CORRUPT},
        {"00", 1, "no question", STATE(PAUSED), 0, E_JOURNAL_CORRUPT},
        {"00", 1, "no question", STATE(DONE), 0, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        Saga__V1__BulkJob job = job_of("x", 10);
        job.state = (Saga__V1__BulkState)rows[i].state;
        job.where = (char *)(uintptr_t)rows[i].where;
        teardown();
        setup();
        bulks_destroy(bulks);
        put_row(rows[i].name, rows[i].version, &job, rows[i].cut);
        const struct bulk_options options = {.core = o.core, .memory = &o.memory, .loops = 1};
        ck_assert_int_eq(bulks_create(&options, &bulks), 0);
        ck_assert_msg(bulks_recover(bulks, o.store, &detail) == rows[i].code, "row %u", i);
    }
    /* Nor are there two in one place. */
    ck_assert_int_eq(bulks_recover(bulks, o.store, &detail), E_JOURNAL_CORRUPT);
}
END_TEST

/* No more is taken out of a row than there is room for. */
START_TEST(bulk__a_row_whose_text_is_too_long_is_refused)
{
    static const struct {
        size_t at, most;
    } texts[] = {
        {offsetof(Saga__V1__BulkJob, id), BULK_ID_BYTES_MAX},
        {offsetof(Saga__V1__BulkJob, definition), NAME_BYTES_MAX},
        {offsetof(Saga__V1__BulkJob, actor), ACTOR_BYTES_MAX},
        {offsetof(Saga__V1__BulkJob, identity), IDENTITY_BYTES_MAX},
        {offsetof(Saga__V1__BulkJob, reason), BULK_REASON_BYTES_MAX},
    };
    char text[IDENTITY_BYTES_MAX + 200];
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
        Saga__V1__BulkJob job = job_of("x", 10);
        job.state = STATE(RUNNING);
        char *end = text + sizeof text - 1;
        *end = '\0';
        char *from = end - texts[i / 2].most - i % 2;
        memcpy((char *)&job + texts[i / 2].at, &from, sizeof from);
        teardown();
        setup();
        bulks_destroy(bulks);
        put_row("00", 1, &job, 0);
        const struct bulk_options options = {.core = o.core, .memory = &o.memory, .loops = 1};
        ck_assert_int_eq(bulks_create(&options, &bulks), 0);
        int code = bulks_recover(bulks, o.store, &detail);
        ck_assert_msg(code == (i % 2 == 0 ? 0 : E_JOURNAL_CORRUPT), "text %u: %d", i, code);
        ck_assert_int_eq(bulks_at(bulks, 0) != NULL, i % 2 == 0);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("bulk");
    Suite *s = suite_create("bulk");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, bulk__acts_as_often_in_a_second_as_it_may);
    tcase_add_test(c, bulk__a_quick_job_does_not_wait_for_a_slow_one);
    tcase_add_test(c, bulk__loops_share_its_rate);
    tcase_add_test(c, bulk__halted_it_does_nothing_and_goes_on_where_it_was);
    tcase_add_test(c, bulk__is_about_what_was_there_when_it_began);
    tcase_add_test(c, bulk__without_memory_a_job_is_not_there);
    tcase_add_test(c, bulk__without_memory_a_job_stays_as_it_is);
    tcase_add_test(c, bulk__the_oldest_that_has_ended_gives_way);
    tcase_add_test(c, bulk__an_id_is_of_one_job);
    tcase_add_test(c, bulk__what_is_wrong_is_refused_by_its_field);
    tcase_add_test(c, bulk__acts_on_what_it_is_about);
    tcase_add_test(c, bulk__waits_while_the_journal_has_no_room);
    tcase_add_test(c, bulk__retries_what_is_deferred_for_who_asks_for_it);
    tcase_add_test(c, bulk__a_question_may_be_about_the_last_answer);
    tcase_add_test(c, bulk__a_question_that_costs_too_much_ends_the_job);
    tcase_add_test(c, bulk__in_several_loops_what_has_ended_stays_so);
    tcase_add_test(c, bulk__counts_what_was_refused);
    tcase_add_test(c, bulk__the_oldest_that_has_ended_makes_room);
    tcase_add_test(c, bulk__a_paused_job_is_never_due);
    tcase_add_test(c, bulk__waits_for_what_is_to_be_read);
    tcase_add_test(c, bulk__how_far_it_looked_is_kept_each_second);
    tcase_add_test(c, bulk__waits_for_the_end_of_a_start_and_not_for_that_of_a_stop);
    tcase_add_test(c, bulk__a_row_that_is_no_job_is_damage);
    tcase_add_test(c, bulk__a_row_whose_text_is_too_long_is_refused);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
