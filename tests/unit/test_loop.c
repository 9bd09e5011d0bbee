/* What a loop does from time to time beside its sagas: upkeep, a look at its journal, what it tells the database. The time is the test's, and so is
 * what the journal says of itself. */
#include "sidecar/observe/log.h"
#include "sidecar/journal/postgres/postgres_store.h"
#include "sidecar/journal/sealed/sealed_store.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "tests/support/sidecar_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sidecar_world w;
static _Atomic uint64_t version; /* of the certificates */
static atomic_uint looked, renewals;
static atomic_uint old_keys; /* that the journal needs */
static _Atomic int64_t now_us = INT64_C(1700000000000000);

/* How often each was done, what it says from now on, and how often there is more to do. */
static struct job {
    atomic_uint done;
    atomic_int code, more;
} upkeep, check, verify;
static unsigned unsure; /* so often still another may have the journal, when that is asked while calls wait to leave */
static unsigned unsure_at_leaving; /* the same, when the last call left */
static atomic_uint calls_left;
static unsigned hurried;      /* turns that waited for nothing, once it was known that another may have the journal */
static atomic_bool damaged;   /* verify has found a row */
static _Atomic uint64_t live; /* as the database was told last */
static atomic_uint times_told;

/* ---- tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
int __wrap_core_maintain(struct core *c, struct instant now, bool *more, struct error_detail *detail);
int __wrap_sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                             struct error_detail *detail);
int __real_sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                             struct error_detail *detail);
int __wrap_postgres_store_open(const struct postgres_store_options *options, struct store **out,
                               struct store_state *state, struct error_detail *detail);
const char *__wrap_postgres_store_promise(const struct store *store);
void __wrap_postgres_store_tell_live(struct store *store, uint64_t count);
void __wrap_trust_look(struct certificates *c);
uint64_t __wrap_certificates_version(struct certificates *c);
int64_t __wrap_certificates_not_after(struct certificates *c);
void __wrap_rpc_targets_renew(struct rpc *r);
void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag);
void __real_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag);
int __wrap_rpc_poll(struct rpc *r, struct span wait);
int __real_rpc_poll(struct rpc *r, struct span wait);
uint32_t __wrap_sealed_store_old_keys(struct store *s);
void __wrap_sealed_store_heads(const struct store *store, char frames[SEALED_HEAD_SIZE], char audit[SEALED_HEAD_SIZE]);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return (struct instant){.us = atomic_load(&now_us)};
}

void __wrap_trust_look(struct certificates *c)
{
    ck_assert_ptr_eq(c, &version);
    atomic_fetch_add(&looked, 1);
}

uint64_t __wrap_certificates_version(struct certificates *c)
{
    ck_assert_ptr_eq(c, &version);
    return atomic_load(&version);
}

int64_t __wrap_certificates_not_after(struct certificates *c)
{
    ck_assert_ptr_eq(c, &version);
    return INT64_C(4000000000);
}

uint32_t __wrap_sealed_store_old_keys(struct store *s)
{
    (void)s;
    return atomic_load(&old_keys);
}

static atomic_int frames_head, audit_head; /* where the chains stand; 0: nothing is chained */

static void write_head(int head, char text[SEALED_HEAD_SIZE])
{
    snprintf(text, SEALED_HEAD_SIZE, head == 0 ? "" : "%d:abc", head);
}

void __wrap_sealed_store_heads(const struct store *store, char frames[SEALED_HEAD_SIZE], char audit[SEALED_HEAD_SIZE])
{
    (void)store;
    write_head(atomic_load(&frames_head), frames);
    write_head(atomic_load(&audit_head), audit);
}

void __wrap_rpc_targets_renew(struct rpc *r)
{
    ck_assert_ptr_eq(r, w.sidecar->rooms[0]);
    atomic_fetch_add(&renewals, 1);
}

void __wrap_rpc_call_out(struct rpc_target *target, const char *method, const struct rpc_metadata *metadata,
                         size_t metadata_count, struct bytes request, struct span timeout, void *tag)
{
    unsure_at_leaving = unsure;
    atomic_fetch_add(&calls_left, 1);
    __real_rpc_call_out(target, method, metadata, metadata_count, request, timeout, tag);
}

/* Without a journal nobody need wait as long as the loop would. */
int __wrap_rpc_poll(struct rpc *r, struct span wait)
{
    const struct loop *s = w.sidecar == NULL ? NULL : w.sidecar->loops[0];
    bool away = s != NULL && s->rpc == r && s->waiting_outs != NULL && core_stalled(s->core) == E_JOURNAL_AWAY;
    hurried += away && wait.us == 0;
    return __real_rpc_poll(r, away ? (struct span){0} : wait);
}

static void pass(struct span time)
{
    atomic_fetch_add(&now_us, time.us);
}

/* A piece of it takes longer than its share of the loop: it is the only one in its turn. */
static int do_one(struct job *j, bool *more, struct error_detail *detail)
{
    int code = atomic_load(&j->code);
    atomic_fetch_add(&j->done, 1);
    if (more != NULL)
        *more = atomic_load(&j->more) > 0;
    if (more != NULL && *more) {
        atomic_fetch_sub(&j->more, 1);
        pass(SPAN_MS(5));
    }
    return code == 0 ? 0 : error_set(detail, code, "", "it is not as it was");
}

int __wrap_core_maintain(struct core *c, struct instant now, bool *more, struct error_detail *detail)
{
    (void)c;
    ck_assert_int_eq(now.us, atomic_load(&now_us));
    return do_one(&upkeep, more, detail);
}

static int check_store(struct store *s, struct error_detail *detail)
{
    (void)s;
    return do_one(&check, NULL, detail);
}

static int verify_store(struct store *s, uint32_t rows_max, bool *more, struct error_detail *detail)
{
    (void)s;
    *more = false;
    detail->text[0] = '\0';
    if (rows_max != 100) /* at the start they are many */
        return 0;
    int code = do_one(&verify, more, detail);
    if (code == 0 && atomic_load(&damaged))
        error_set(detail, E_JOURNAL_CORRUPT, "journal.db", "the row 7 is damaged");
    return code;
}

static int holds_store(struct store *s, struct error_detail *detail)
{
    (void)s;
    if (unsure == 0 || w.sidecar == NULL || w.sidecar->loops[0]->waiting_outs == NULL)
        return 0;
    unsure--;
    return error_set(detail, E_JOURNAL_AWAY, "", "it may be another's");
}

int __wrap_sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                             struct error_detail *detail)
{
    int code = __real_sqlite_store_open(options, out, state, detail);
    if (code == 0) {
        (*out)->check = check_store;
        (*out)->verify = verify_store;
        (*out)->holds = holds_store;
    }
    return code;
}

/* A database that is a file. */
int __wrap_postgres_store_open(const struct postgres_store_options *options, struct store **out,
                               struct store_state *state, struct error_detail *detail)
{
    char path[128];
    (void)options;
    snprintf(path, sizeof path, "%s/data/elsewhere.db", w.folder);
    return sqlite_store_open(&(struct sqlite_store_options){.path = path}, out, state, detail);
}

const char *__wrap_postgres_store_promise(const struct store *store)
{
    (void)store;
    return "a file";
}

void __wrap_postgres_store_tell_live(struct store *store, uint64_t count)
{
    ck_assert_ptr_eq(store, w.sidecar == NULL ? store : w.sidecar->loops[0]->database);
    atomic_store(&live, count);
    atomic_fetch_add(&times_told, 1);
}

/* ---- a world ---- */

static void teardown(void)
{
    world_close_sidecar(&w);
}

/* Who looks is answered before the end of a turn, and the next one's answer is of a later turn: one has gone by, whole. */
static void turn(void)
{
    Saga__V1__StatusRequest m = SAGA__V1__STATUS_REQUEST__INIT;
    struct saga_error error;
    for (int i = 0; i < 2; i++)
        ck_assert_msg(world_ask(&w, OPERATOR "Status", &m.base, &saga__v1__status_response__descriptor, 0, NULL,
                                &error) == SAGA_OK,
                      "%s", error.message);
}

/* It is done again when this time has passed, and not before. */
static void is_due_after(struct job *j, struct span time)
{
    turn();
    unsigned before = atomic_load(&j->done);
    pass((struct span){.us = time.us - 1});
    turn();
    ck_assert_uint_eq(atomic_load(&j->done), before);
    pass((struct span){.us = 1});
    turn();
    ck_assert_uint_eq(atomic_load(&j->done), before + 1);
}

/* Of what ended long ago a short retention keeps no more than it says. */
START_TEST(loop__upkeep_is_as_frequent_as_it_must_be)
{
    world_open_sidecar(&w, _i == 0 ? "loops: 1\n" : "loops: 1\nretention: 2s\n");
    struct span idle = _i == 0 ? SPAN_S(10) : SPAN_S(2);
    turn();
    ck_assert_uint_eq(atomic_load(&upkeep.done), 1);
    is_due_after(&upkeep, idle);
    is_due_after(&upkeep, idle);
    /* While there is more to do it goes on soon: the time of a piece is a part of that. */
    atomic_store(&upkeep.more, 2);
    is_due_after(&upkeep, idle);
    is_due_after(&upkeep, SPAN_MS(11));
    is_due_after(&upkeep, SPAN_MS(11));
    is_due_after(&upkeep, idle);
}
END_TEST

/* Without room, or an answer yet, it is tried again; with anything else the sidecar cannot go on. */
START_TEST(loop__what_upkeep_may_meet)
{
    static const int passing[] = {E_JOURNAL_FULL, STORE_PENDING};
    world_open_sidecar(&w, "loops: 1\n");
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        atomic_store(&upkeep.code, passing[i]);
        is_due_after(&upkeep, SPAN_S(10));
    }
    atomic_store(&upkeep.code, E_JOURNAL);
    pass(SPAN_S(10));
    rpc_wake(w.sidecar->rooms[0]);
    WORLD_WAIT_UNTIL(atomic_load(&w.sidecar->failed));
    ck_assert_int_eq(world_stop_sidecar(&w), E_JOURNAL);
    ck_assert_str_eq(w.detail.text, "it is not as it was");
}
END_TEST

/* Also while nothing is to be written. */
START_TEST(loop__a_journal_that_is_gone_is_noticed)
{
    world_open_sidecar(&w, "loops: 1\n");
    turn();
    ck_assert_uint_eq(atomic_load(&check.done), 1);
    is_due_after(&check, SPAN_MS(900));
    is_due_after(&check, SPAN_MS(900));
    atomic_store(&check.code, E_JOURNAL_FENCED);
    pass(SPAN_MS(900));
    rpc_wake(w.sidecar->rooms[0]);
    WORLD_WAIT_UNTIL(atomic_load(&w.sidecar->failed));
    ck_assert_int_eq(world_stop_sidecar(&w), E_JOURNAL_FENCED);
    ck_assert_str_eq(w.detail.text, "it is not as it was");
}
END_TEST

static atomic_uint told;
static char line[LOG_LINE_SIZE];

static void hear(void *self, const struct log_entry *entry)
{
    (void)self;
    log_line(LOG_FORMAT_LOGFMT, entry->at, entry->level, entry->text, entry->fields, entry->field_count, line);
    atomic_fetch_add(&told, 1);
}

/* All rows soon one after the other, and then again in an hour. A damaged one is told of, and hides nothing else. */
START_TEST(loop__damage_is_looked_for)
{
    world_open_sidecar(&w, "loops: 1\n");
    log_listen(hear, NULL);
    turn();
    ck_assert_uint_eq(atomic_load(&verify.done), 1);
    atomic_store(&verify.more, 1);
    is_due_after(&verify, SPAN_S(3600));
    ck_assert_uint_eq(atomic_load(&told), 0);
    atomic_store(&damaged, true);
    is_due_after(&verify, SPAN_MS(11));
    ck_assert_uint_eq(atomic_load(&told), 1);
    ck_assert_msg(strstr(line, "level=error") != NULL && strstr(line, "the journal is damaged") != NULL, "%s", line);
    ck_assert_msg(strstr(line, "journal=journal.db what=\"the row 7 is damaged\"") != NULL, "%s", line);
    atomic_store(&damaged, false);
    is_due_after(&verify, SPAN_S(3600));
    log_listen(NULL, NULL);
    ck_assert_uint_eq(atomic_load(&told), 1);
    atomic_store(&verify.code, E_JOURNAL_CORRUPT);
    pass(SPAN_S(3600));
    rpc_wake(w.sidecar->rooms[0]);
    WORLD_WAIT_UNTIL(atomic_load(&w.sidecar->failed));
    ck_assert_int_eq(world_stop_sidecar(&w), E_JOURNAL_CORRUPT);
}
END_TEST

static void hear_of_keys(void *self, const struct log_entry *entry)
{
    if (strstr(entry->text, "those behind it can be taken out") != NULL)
        hear(self, entry);
}

/* Who changed the keys of encryption waits for the line that the ones before can be taken out: once each time, and not while one is needed. */
START_TEST(loop__it_is_told_when_old_keys_are_needed_no_more)
{
    static const struct {
        uint32_t needed;
        unsigned told;
    } rows[] = {{2, 0}, {1, 0}, {0, 1}, {0, 1}, {3, 1}, {0, 2}, {0, 2}};
    atomic_store(&old_keys, 2);
    world_open_sidecar(&w, "loops: 1\n");
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear_of_keys, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        atomic_store(&old_keys, rows[i].needed);
        turn();
        turn();
        ck_assert_msg(atomic_load(&told) == rows[i].told, "%zu: %u: %s", i, atomic_load(&told), line);
    }
    log_listen(NULL, NULL);
    ck_assert_msg(strstr(line, "level=info") != NULL && strstr(line, " loop=0\n") != NULL, "%s", line);
}
END_TEST

static char heads[4][160]; /* what was said of them */
static atomic_uint heads_told, stops_told;

static void hear_of_heads(void *self, const struct log_entry *entry)
{
    (void)self;
    atomic_fetch_add(&stops_told, strcmp(entry->text, "stopping") == 0);
    if (strcmp(entry->text, "where the journal's chains stand") != 0)
        return;
    unsigned n = atomic_load(&heads_told);
    ck_assert_uint_lt(n, 4);
    log_line(LOG_FORMAT_LOGFMT, entry->at, entry->level, entry->text, entry->fields, entry->field_count, line);
    snprintf(heads[n], sizeof heads[n], "%.150s", strstr(line, "level="));
    atomic_fetch_add(&heads_told, 1);
}

/* Every ten minutes, where either has moved; and at the end. */
START_TEST(loop__where_the_chains_stand_is_told_as_they_move)
{
    static const struct {
        int frames, audit, after_s;
        unsigned told;
    } rows[] = {{1, 0, 600, 1}, {1, 0, 600, 1}, {2, 0, 599, 1}, {2, 0, 1, 2}, {2, 1, 600, 3}, {2, 2, 10, 3}};
    world_open_sidecar(&w, "loops: 1\n");
    log_open(&(struct log_options){.level = LOG_LEVEL_INFO, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear_of_heads, NULL);
    turn();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        atomic_store(&frames_head, rows[i].frames);
        atomic_store(&audit_head, rows[i].audit);
        pass(SPAN_S(rows[i].after_s));
        turn();
        ck_assert_msg(atomic_load(&heads_told) == rows[i].told, "%zu: %u", i, atomic_load(&heads_told));
    }
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    log_listen(NULL, NULL);
    ck_assert_uint_eq(atomic_load(&heads_told), 4);
    ck_assert_uint_eq(atomic_load(&stops_told), 1);
    static const char *const said[] = {"1:abc audit_head=\"\"", "2:abc audit_head=\"\"", "2:abc audit_head=1:abc",
                                       "2:abc audit_head=2:abc"};
    for (size_t i = 0; i < 4; i++) {
        char whole[160];
        snprintf(whole, sizeof whole, "level=info msg=\"where the journal's chains stand\" loop=0 head=%s old_keys=0\n",
                 said[i]);
        ck_assert_str_eq(heads[i], whole);
    }
}
END_TEST

/* Every loop connects anew with those that are in force now, and no more often than they change. */
START_TEST(loop__renewed_certificates_are_followed)
{
    world_open_sidecar(&w, "loops: 1\n");
    turn();
    ck_assert_uint_eq(atomic_load(&renewals), 0);
    w.sidecar->certificates = (struct certificates *)(void *)&version; /* only passed on */
    for (unsigned i = 1; i <= 3; i++) {
        atomic_fetch_add(&version, 2);
        turn();
        turn();
        ck_assert_uint_eq(atomic_load(&renewals), i);
    }
    ck_assert_uint_gt(atomic_load(&looked), 3);
    w.sidecar->certificates = NULL;
    turn();
}
END_TEST

/* A call that waits for its turn does not leave while another may have the journal, and go on with the saga; it does once none may. Until then the
 * loop does not turn without a rest. */
START_TEST(loop__no_call_leaves_while_another_may_have_the_journal)
{
    char id[64];
    struct saga_error error;
    unsure = 5;
    world_open_sidecar(&w, "loops: 1\n");
    world_begin(&w, id);
    ck_assert_int_eq(world_enlist(&w, id, "a", "nobody", 4, 0, &error), SAGA_OK);
    ck_assert_uint_eq(atomic_load(&calls_left), 0);
    ck_assert_int_eq(world_abort(&w, id, &error), SAGA_OK);
    WORLD_WAIT_UNTIL(atomic_load(&calls_left) > 0);
    ck_assert_int_eq(world_stop_sidecar(&w), 0);
    ck_assert_uint_eq(unsure_at_leaving, 0);
    ck_assert_uint_eq(hurried, 0);
}
END_TEST

/* Others see there how many sagas would have to be taken over; and the sidecar beside which it runs, how they are. */
START_TEST(loop__the_database_hears_how_many_live)
{
    char id[64];
    struct saga_error error;
    const struct loop *s;
    atomic_store(&live, 77);
    world_open_sidecar(&w, "loops: 1\nstore: 'postgresql://host/sagas'\nstore_journal: ours\n");
    s = w.sidecar->loops[0];
    turn();
    ck_assert_uint_eq(atomic_load(&live), 0);
    struct instant began = {.us = atomic_load(&now_us)};
    for (int i = 0; i < 3; i++)
        world_begin(&w, id);
    ck_assert_int_eq(world_enlist(&w, id, "a", "nobody", 4, 0, &error), SAGA_OK);
    ck_assert_int_eq(world_abort(&w, id, &error), SAGA_OK);
    turn();
    unsigned before = atomic_load(&times_told);
    ck_assert_uint_eq(atomic_load(&live), 0);
    pass(SPAN_MS(900));
    turn();
    ck_assert_uint_eq(atomic_load(&times_told), before + 1);
    ck_assert_uint_eq(atomic_load(&live), 3);
    ck_assert(atomic_load(&s->live) == 3 && atomic_load(&s->real_live) == 3);
    ck_assert(atomic_load(&s->compensating) == 1 && atomic_load(&s->stuck) == 0);
    ck_assert_int_eq(atomic_load(&s->oldest_us), began.us);
    struct world_call until_stuck; /* what undoes it, nobody there knows */
    world_begin(&w, id);
    world_wait_start(&w, &until_stuck, id, true, 0);
    ck_assert_int_eq(world_enlist(&w, id, "a", "itself", 4, 0, &error), SAGA_OK);
    ck_assert_int_eq(world_abort(&w, id, &error), SAGA_OK);
    ck_assert_int_eq(world_wait_end(&until_stuck), SAGA_OK);
    pass(SPAN_MS(900));
    turn();
    ck_assert(atomic_load(&s->real_live) == 4 && atomic_load(&s->stuck) == 1);
    ck_assert_uint_eq(atomic_load(&live), 4); /* the one that is stuck waits for a person, wherever it is */
    world_begin(&w, id);
    ck_assert_uint_eq(atomic_load(&live), 4);
    ck_assert_int_eq(world_stop_sidecar(&w), 0); /* the last word is what it leaves behind */
    ck_assert_uint_eq(atomic_load(&live), 5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 180);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_loop_test(t, loop__upkeep_is_as_frequent_as_it_must_be, 0, 2);
    tcase_add_test(t, loop__what_upkeep_may_meet);
    tcase_add_test(t, loop__a_journal_that_is_gone_is_noticed);
    tcase_add_test(t, loop__damage_is_looked_for);
    tcase_add_test(t, loop__it_is_told_when_old_keys_are_needed_no_more);
    tcase_add_test(t, loop__where_the_chains_stand_is_told_as_they_move);
    tcase_add_test(t, loop__renewed_certificates_are_followed);
    tcase_add_test(t, loop__no_call_leaves_while_another_may_have_the_journal);
    tcase_add_test(t, loop__the_database_hears_how_many_live);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
