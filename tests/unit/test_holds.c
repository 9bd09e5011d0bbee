/* Definitions that are held: what is told of each, what is refused, and what a crash leaves. */
#include "sidecar/core/holds.h"

#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct owner o;
static struct error_detail detail;

static void setup(void)
{
    owner_open(&o);
}

static void teardown(void)
{
    owner_close(&o);
}

static int set(bool hold, const char *definition, const char *actor, const char *reason)
{
    Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__Hold m = SAGA__V1__HOLD__INIT;
    since.seconds = 1234;
    since.nanos = 5000;
    m.definition = (char *)(uintptr_t)definition;
    m.actor = (char *)(uintptr_t)actor;
    m.reason = (char *)(uintptr_t)reason;
    m.since = &since;
    int code = holds_set(core_holds(o.core), o.core, &m, hold, false, &detail);
    ck_assert_int_eq(owner_commit(&o), 0);
    return code;
}

static bool held(const char *definition)
{
    return holds_has(core_holds(o.core), bytes_of_text(definition));
}

static unsigned count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < HOLDS_MAX; i++)
        n += holds_at(core_holds(o.core), i) != NULL;
    return n;
}

START_TEST(holds__are_told_whole_and_outlive_a_crash)
{
    ck_assert_int_eq(set(true, "one", "anna", "the stock is wrong"), 0);
    ck_assert_int_eq(set(true, "two", "berta", "so is the till"), 0);
    for (int lives = 0; lives < 2; lives++) {
        ck_assert(held("one") && held("two") && !held("on") && !held("three"));
        ck_assert_uint_eq(count(), 2);
        for (unsigned i = 0; i < HOLDS_MAX; i++) {
            const Saga__V1__Hold *m = holds_at(core_holds(o.core), i);
            if (m == NULL)
                continue;
            bool one = strcmp(m->definition, "one") == 0;
            ck_assert_str_eq(m->actor, one ? "anna" : "berta");
            ck_assert_str_eq(m->reason, one ? "the stock is wrong" : "so is the till");
            ck_assert_ptr_nonnull(m->since);
            ck_assert_int_eq(m->since->seconds, 1234);
            ck_assert_int_eq(m->since->nanos, 5000);
        }
        owner_restart(&o);
    }
    ck_assert_int_eq(set(true, "one", "carla", "another reason"), 0); /* it is held already, and by whom it was */
    ck_assert_uint_eq(count(), 2);
    ck_assert_int_eq(set(false, "one", "anna", ""), 0);
    ck_assert_int_eq(set(false, "one", "anna", ""), 0);
    ck_assert(!held("one") && held("two"));
    owner_restart(&o);
    ck_assert(!held("one") && held("two"));
}
END_TEST

/* Neither a start nor a beginning; a heartbeat goes on. */
START_TEST(holds__hold_both_kinds_of_sagas)
{
    struct event begin = {.type = EVENT_BEGIN, .name = bytes_of_text("one")};
    ck_assert_int_eq(set(true, "one", "anna", "the stock is wrong"), 0);
    owner_told(&o);
    owner_submit(&o, (struct event){.type = EVENT_BEGIN, .token = 5}); /* no name is none that is held */
    begin.token = 1;
    owner_submit(&o, begin);
    begin.token = 2;
    begin.synthetic = true;
    owner_submit(&o, begin);
    owner_submit_start(&o, 3, "one", NULL);
    owner_submit_start(&o, 4, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    const char *told = owner_told(&o);
    ck_assert_ptr_nonnull(strstr(told, "reply 1 DEFINITION_HELD\n"));
    ck_assert_ptr_null(strstr(told, "reply 5 DEFINITION_HELD\n"));
    ck_assert_ptr_nonnull(strstr(told, "reply 2 ok"));
    ck_assert_ptr_nonnull(strstr(told, "reply 3 DEFINITION_HELD\n"));
    ck_assert_ptr_nonnull(strstr(told, "reply 4 ok"));
}
END_TEST

START_TEST(holds__what_is_wrong_is_refused_by_its_field)
{
    char long_text[300];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    const char *too_long = long_text + (sizeof long_text - 1 - HOLD_REASON_BYTES_MAX - 1), *longest = too_long + 1;
    ck_assert_int_eq(set(true, "a b", "anna", "x"), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "definition");
    ck_assert_int_eq(set(true, "one", "", "x"), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "actor");
    ck_assert_int_eq(set(true, "one", "anna", ""), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "reason");
    ck_assert_int_eq(set(true, "one", "anna", too_long), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "reason");
    ck_assert_uint_eq(count(), 0);
    ck_assert_int_eq(set(true, "one", "anna", longest), 0);
    ck_assert(held("one"));
    /* To let go of one needs no reason; one that is given has its bound, as has who asks. */
    ck_assert_int_eq(set(false, "one", "anna", too_long), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "reason");
    ck_assert_int_eq(set(false, "one", long_text + (sizeof long_text - 1 - 129), ""), E_ARGUMENT);
    ck_assert_str_eq(detail.field, "actor");
    ck_assert(held("one"));
    ck_assert_int_eq(set(false, "one", long_text + (sizeof long_text - 1 - 128), longest), 0);
    ck_assert(!held("one"));
}
END_TEST

START_TEST(holds__are_bounded)
{
    char name[16];
    for (unsigned i = 0; i < HOLDS_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        ck_assert_int_eq(set(true, name, "anna", "x"), 0);
    }
    ck_assert_int_eq(set(true, "one", "anna", "x"), E_HOLDS);
    ck_assert(!held("one"));
    ck_assert_int_eq(set(false, "n7", "anna", ""), 0);
    ck_assert_int_eq(set(true, "one", "anna", "x"), 0);
    ck_assert(held("one") && !held("n7"));
}
END_TEST

/* Without memory for its row nothing is changed, so that the same again is no repetition. */
START_TEST(holds__without_memory_all_is_as_it_was)
{
    for (int lives = 0; lives < 2; lives++)
        for (int hold = 1; hold >= 0; hold--) {
            int code = E_MEMORY;
            for (uint64_t n = 1; code != 0; n++) {
                o.fail_at = o.allocations + n;
                code = set(hold != 0, "one", "anna", "x");
                o.fail_at = 0;
                ck_assert(code == 0 || code == E_MEMORY);
                ck_assert_int_eq(held("one"), (code == 0) == hold);
                ck_assert_uint_eq(count(), held("one"));
            }
            owner_restart(&o);
            ck_assert_int_eq(held("one"), hold);
        }
}
END_TEST

/* A rule of remediation lets go of what it holds itself, and of nothing that somebody else holds. */
START_TEST(holds__what_is_of_another_stays_where_ones_own_is_let_go)
{
    static const struct {
        const char *actor;
        bool own, held;
    } tries[] = {{"berta", true, true}, {"anna", true, false}, {"berta", false, false}};
    for (unsigned i = 0; i < 3; i++) {
        Saga__V1__Hold m = SAGA__V1__HOLD__INIT;
        m.definition = (char *)(uintptr_t) "one";
        m.actor = (char *)(uintptr_t)tries[i].actor;
        ck_assert_int_eq(set(true, "one", "anna", "the stock is wrong"), 0);
        ck_assert_int_eq(holds_set(core_holds(o.core), o.core, &m, false, tries[i].own, &detail), 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_int_eq(held("one"), tries[i].held);
        owner_restart(&o);
        ck_assert_int_eq(held("one"), tries[i].held);
    }
}
END_TEST

START_TEST(holds__a_row_that_holds_nothing_is_damage)
{
    static const struct {
        const char *definition;
        uint8_t version;
        size_t cut;
        int code;
    } rows[] = {{"one", 1, 0, 0},
                {"", 1, 0, E_JOURNAL_CORRUPT},
                {"one", 2, 0, E_JOURNAL_CORRUPT},
                {"one", 1, 1, E_JOURNAL_CORRUPT},
                {"one", 1, SIZE_MAX, 0}, /* nothing is held any more */
                {"one", 2, SIZE_MAX, E_JOURNAL_CORRUPT}};
    for (unsigned i = 0; i < 6; i++) {
        Saga__V1__Hold m = SAGA__V1__HOLD__INIT;
        uint8_t value[256];
        m.definition = (char *)(uintptr_t)rows[i].definition;
        m.actor = m.reason = (char *)(uintptr_t) "anna";
        size_t size = saga__v1__hold__pack(&m, value);
        size -= rows[i].cut < size ? rows[i].cut : size;
        const struct subject_row row = {.kind = SUBJECT_HOLD,
                                        .name = bytes_of_text("one"),
                                        .version = rows[i].version,
                                        .value = bytes_of(value, size)};
        teardown();
        setup();
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        owner_crash(&o);
        ck_assert_msg(owner_start(&o) == rows[i].code, "row %u", i);
        if (rows[i].code != 0)
            o.core = NULL;
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("holds");
    Suite *s = suite_create("holds");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, holds__are_told_whole_and_outlive_a_crash);
    tcase_add_test(c, holds__what_is_wrong_is_refused_by_its_field);
    tcase_add_test(c, holds__are_bounded);
    tcase_add_test(c, holds__without_memory_all_is_as_it_was);
    tcase_add_test(c, holds__hold_both_kinds_of_sagas);
    tcase_add_test(c, holds__what_is_of_another_stays_where_ones_own_is_let_go);
    tcase_add_test(c, holds__a_row_that_holds_nothing_is_damage);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
