/* What the store that seals does not seal: it hands each question on to the store behind it as it was asked, and gives back what that says. */
#include "sidecar/journal/sealed/sealed_store.h"

#include "sidecar/journal/sealed/envelope.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct store inner, *store;
static struct store_state state;
static struct error_detail detail;
static struct seal_keys encryption, chain;
static const struct instant then = {.us = 1700000000000001};

static bool chance(void *self, uint8_t *at, size_t size)
{
    (void)self;
    memset(at, 7, size);
    return true;
}

/* ---- the store behind it ---- */

static struct audit_row trail; /* its last row, as it is kept */
static uint8_t trail_bytes[1024];

static int commit(struct store *s, const struct store_commit *c, struct error_detail *why)
{
    (void)why;
    ck_assert_ptr_eq(s, &inner);
    ck_assert_uint_eq(c->audit.seq, 1);
    ck_assert_uint_le(c->audit.body.size, sizeof trail_bytes);
    trail = c->audit;
    memcpy(trail_bytes, c->audit.body.at, c->audit.body.size);
    trail.body.at = trail_bytes;
    return 0;
}

static int scan_audit(struct store *s, uint64_t from, uint32_t rows_max,
                      int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *why)
{
    (void)why;
    ck_assert(s == &inner && from == 1 && rows_max == 12);
    return take(self, &trail);
}

static int scan_subjects(struct store *s, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                         void *self, struct error_detail *why)
{
    (void)kind, (void)take, (void)self, (void)why;
    ck_assert_ptr_eq(s, &inner);
    return 0;
}

static int holds_not(struct store *s, struct error_detail *why)
{
    ck_assert_ptr_eq(s, &inner);
    return error_set(why, E_JOURNAL_AWAY, "", "away");
}

static void wakes(struct store *s, void (*wake)(void *self), void *self)
{
    ck_assert_ptr_eq(s, &inner);
    wake(self);
}

static void hear(void *self)
{
    *(bool *)self = true;
}

static bool is_tight(struct store *s)
{
    return s == &inner;
}

static uint64_t reusable(struct store *s)
{
    return s == &inner ? 4096 : 0;
}

/* As retention has left it: not as it was when it was opened. */
static uint64_t first_frame(struct store *s)
{
    return s == &inner ? 5 : 0;
}

static struct span synced(struct store *s)
{
    ck_assert_ptr_eq(s, &inner);
    return SPAN_MS(7);
}

static int is_fenced(struct store *s, struct error_detail *why)
{
    ck_assert_ptr_eq(s, &inner);
    return error_set(why, E_JOURNAL_FENCED, "", "gone");
}

static int find_ended(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *why)
{
    (void)why;
    ck_assert_ptr_eq(s, &inner);
    *row = (struct ended_row){.saga.serial = serial};
    return serial == 4 ? 0 : STORE_PENDING;
}

static int find_request(struct store *s, struct bytes request_id, struct bytes owner, struct ended_row *row,
                        struct error_detail *why)
{
    ck_assert_ptr_eq(s, &inner);
    *row = (struct ended_row){.request_id = request_id, .owner = owner};
    return request_id.size > 0 ? 0 : error_set(why, E_JOURNAL_CORRUPT, "", "damaged");
}

static int list_ended(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *why)
{
    const struct ended_row row = {.saga.serial = query->below - 1};
    ck_assert_ptr_eq(s, &inner);
    take(self, &row);
    *examined_to = query->below - 2;
    return error_set(why, E_JOURNAL_AWAY, "", "in the middle");
}

static int scan_definitions(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *why)
{
    const struct definition_row row = {.number = 9};
    (void)why;
    ck_assert_ptr_eq(s, &inner);
    return take(self, &row);
}

static int drop(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *why)
{
    (void)why;
    ck_assert(s == &inner && before.us == then.us && keep_from == 3 && work_max == 8);
    *more = true;
    return STORE_PENDING;
}

static int drop_audit(struct store *s, struct instant before, uint32_t work_max, bool *more, struct error_detail *why)
{
    (void)why;
    ck_assert(s == &inner && before.us == then.us && work_max == 10);
    *more = true;
    return STORE_PENDING;
}

static bool lives(void *self, struct bytes request_id)
{
    return self == &state && request_id.size == 1;
}

static int drop_claims(struct store *s, struct span unseen, bool (*is)(void *self, struct bytes request_id), void *self,
                       uint32_t work_max, bool *more, struct error_detail *why)
{
    ck_assert_ptr_eq(s, &inner);
    ck_assert(is(self, bytes_of("r", 1)) && unseen.us == 60000000 && work_max == 9);
    *more = true;
    return error_set(why, E_JOURNAL_FULL, "", "full");
}

static int verify(struct store *s, uint32_t rows_max, bool *more, struct error_detail *why)
{
    ck_assert(s == &inner && rows_max == 11);
    *more = true;
    return error_set(why, E_JOURNAL_CORRUPT, "", "damaged");
}

static bool closed;

static void close_inner(struct store *s)
{
    closed = s == &inner;
}

/* ---- before it ---- */

static void open_before(struct store behind)
{
    static const char key[] = "k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";
    inner = behind;
    state = (struct store_state){.first_frame = 0};
    ck_assert_int_eq(seal_read_keys(bytes_of_text(key), "", &encryption, &detail), 0);
    ck_assert_int_eq(seal_read_keys(bytes_of_text(key), "", &chain, &detail), 0);
    const struct sealed_options sealing = {.encryption = &encryption, .chain = &chain, .random = chance};
    ck_assert_int_eq(sealed_store_open(&sealing, &inner, &state, &store, &detail), 0);
    const struct store_commit c = {.audit = {.seq = 1, .at = then, .body = bytes_of_text("somebody did something")}};
    ck_assert_int_eq(store->commit(store, &c, &detail), 0); /* from now on both chains could matter */
}

static void close_both(void)
{
    closed = false;
    store->close(store);
    ck_assert(closed);
}

static void add_serial(void *self, const struct ended_row *row)
{
    *(uint64_t *)self += row->saga.serial;
}

static int stop_at(void *self, const struct definition_row *row)
{
    (void)self;
    return (int)row->number + 100;
}

/* Whoever has the store is told all that the one behind it can say, and asks nothing of it that it cannot. */
START_TEST(sealed_passing__what_it_does_not_seal_it_passes_on)
{
    open_before((struct store){.commit = commit, .scan_subjects = scan_subjects, .close = close_inner});
    ck_assert(store->settle == NULL && store->holds == NULL && store->tell == NULL && store->drop_claims == NULL);
    ck_assert(store->is_tight == NULL && store->reusable == NULL && store->synced == NULL && store->check == NULL &&
              store->verify == NULL);
    close_both();

    bool heard = false, more = false;
    open_before((struct store){.commit = commit,
                               .scan_subjects = scan_subjects,
                               .holds = holds_not,
                               .tell = wakes,
                               .is_tight = is_tight,
                               .reusable = reusable,
                               .first_frame = first_frame,
                               .synced = synced,
                               .check = is_fenced,
                               .drop_claims = drop_claims,
                               .verify = verify,
                               .close = close_inner});
    ck_assert_int_eq(store->holds(store, &detail), E_JOURNAL_AWAY);
    ck_assert_str_eq(detail.text, "away");
    store->tell(store, hear, &heard);
    ck_assert(heard && store->is_tight(store));
    ck_assert_uint_eq(store->reusable(store), 4096);
    ck_assert_uint_eq(store->first_frame(store), 5);
    ck_assert_int_eq(store->synced(store).us, 7000);
    ck_assert_int_eq(store->check(store, &detail), E_JOURNAL_FENCED);
    ck_assert_str_eq(detail.text, "gone");
    ck_assert_int_eq(store->drop_claims(store, SPAN_S(60), lives, &state, 9, &more, &detail), E_JOURNAL_FULL);
    ck_assert(more);
    more = false;
    ck_assert_int_eq(store->verify(store, 11, &more, &detail), E_JOURNAL_CORRUPT);
    ck_assert(more);
    ck_assert_str_eq(detail.text, "damaged");
    close_both();
}
END_TEST

/* What people search for is not sealed, and what is old goes, of the trail as of the frames: however it is chained. */
START_TEST(sealed_passing__what_has_ended_and_what_is_to_go)
{
    struct ended_row row;
    uint64_t serials = 0, to = 0;
    bool more = false;
    open_before((struct store){.commit = commit,
                               .scan_subjects = scan_subjects,
                               .find_ended = find_ended,
                               .find_request = find_request,
                               .list_ended = list_ended,
                               .scan_definitions = scan_definitions,
                               .drop = drop,
                               .drop_audit = drop_audit,
                               .close = close_inner});
    ck_assert_int_eq(store->find_ended(store, 4, &row, &detail), 0);
    ck_assert_uint_eq(row.saga.serial, 4);
    ck_assert_int_eq(store->find_ended(store, 5, &row, &detail), STORE_PENDING);
    ck_assert_int_eq(store->find_request(store, bytes_of_text("r"), bytes_of_text("ann"), &row, &detail), 0);
    ck_assert(bytes_equal(row.request_id, bytes_of_text("r")) && bytes_equal(row.owner, bytes_of_text("ann")));
    ck_assert_int_eq(store->find_request(store, bytes_of_text(""), bytes_of_text("ann"), &row, &detail),
                     E_JOURNAL_CORRUPT);
    ck_assert_str_eq(detail.text, "damaged");
    const struct ended_query query = {.below = 20, .rows_max = 1, .examine_max = 1};
    ck_assert_int_eq(store->list_ended(store, &query, add_serial, &serials, &to, &detail), E_JOURNAL_AWAY);
    ck_assert_str_eq(detail.text, "in the middle");
    ck_assert(serials == 19 && to == 18);
    ck_assert_int_eq(store->scan_definitions(store, stop_at, NULL, &detail), 109);
    ck_assert_int_eq(store->drop(store, then, 3, 8, &more, &detail), STORE_PENDING);
    ck_assert(more);
    more = false;
    ck_assert_int_eq(store->drop_audit(store, then, 10, &more, &detail), STORE_PENDING);
    ck_assert(more);
    close_both();
}
END_TEST

static int take_trail(void *self, const struct audit_row *row)
{
    ck_assert(row->seq == 1 && row->at.us == then.us);
    ck_assert(bytes_equal(row->body, bytes_of_text("somebody did something")));
    return *(int *)self;
}

/* A row of the trail is kept with its place in the chain, and given as it was handed in. */
START_TEST(sealed_passing__the_trail_is_given_as_it_was_told)
{
    int stop = 55;
    open_before((struct store){
        .commit = commit, .scan_subjects = scan_subjects, .scan_audit = scan_audit, .close = close_inner});
    ck_assert(envelope_is(trail.body));
    ck_assert_int_eq(store->scan_audit(store, 1, 12, take_trail, &stop, &detail), 55);
    trail_bytes[trail.body.size - 1] ^= 1;
    ck_assert_int_eq(store->scan_audit(store, 1, 12, take_trail, &stop, &detail), E_JOURNAL_CORRUPT);
    close_both();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sealed_passing");
    TCase *tests = tcase_create("sealed_passing");
    tcase_add_test(tests, sealed_passing__what_it_does_not_seal_it_passes_on);
    tcase_add_test(tests, sealed_passing__what_has_ended_and_what_is_to_go);
    tcase_add_test(tests, sealed_passing__the_trail_is_given_as_it_was_told);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
