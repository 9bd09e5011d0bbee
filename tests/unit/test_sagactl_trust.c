/* Who did what, who may do what, whether anybody changed what is written, and how a target is: as sagactl shows it. */
#include "tests/support/told_sidecar.h"

#include <time.h>

/* ---- audit ---- */

START_TEST(audit__newest_first_and_those_of_one_time_together)
{
    Saga__V1__ListAuditResponse page = SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    Saga__V1__AuditEntry entries[4], *list[4];
    Google__Protobuf__Timestamp times[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__audit_entry__init(&entries[i]);
        google__protobuf__timestamp__init(&times[i]);
        times[i].seconds = 1700000000 + (i == 0 ? 0 : i == 3 ? 60 : 30);
        entries[i].time = &times[i];
        entries[i].method = text("Skip");
        list[i] = &entries[i];
    }
    entries[0].identity = text("uid:0");
    entries[3].act = text("skip");
    entries[3].saga_id = text("9f03-2a");
    entries[3].step = text("charge");
    entries[3].subject = text("order");
    entries[3].identity = text("uid:1000");
    entries[3].actor = text("ann");
    entries[3].address = text("10.0.0.7");
    entries[3].reason = text("the bank says so");
    page.entries = list;
    page.n_entries = 4;
    tell("ListAudit", &page.base);
    SHOWS("audit --utc --limit 2", "2023-11-14 22:14:20 UTC  Skip skip 9f03-2a charge order by uid:1000, who says ann, "
                                   "from 10.0.0.7: the bank says so\n"
                                   "2023-11-14 22:13:50 UTC  Skip by the sidecar itself\n"
                                   "2023-11-14 22:13:50 UTC  Skip by the sidecar itself\n");
    Saga__V1__ListAuditRequest *request = ASKED(saga__v1__list_audit_request, 0);
    ck_assert_int_eq(request->page_size, 2);
    ck_assert_ptr_null(request->before);
    saga__v1__list_audit_request__free_unpacked(request, NULL);
    anew();
    tell("ListAudit", &page.base);
    SHOWS("audit --utc --limit 1 --before 2023-11-14T22:14:20.25Z",
          "2023-11-14 22:14:20 UTC  Skip skip 9f03-2a charge order by uid:1000, who says ann, from 10.0.0.7: the bank "
          "says so\n");
    request = ASKED(saga__v1__list_audit_request, 0);
    ck_assert_int_eq(request->before->seconds, 1700000060);
    ck_assert_int_eq(request->before->nanos, 250000000);
    saga__v1__list_audit_request__free_unpacked(request, NULL);
    page.n_entries = 0;
    anew();
    tell("ListAudit", &page.base);
    SHOWS("audit", "nobody has done anything that is kept\n");
}
END_TEST

/* ---- verify ---- */

START_TEST(verify__says_what_is_whole_and_what_was_changed)
{
    Saga__V1__VerifyResponse answer = SAGA__V1__VERIFY_RESPONSE__INIT;
    Saga__V1__JournalVerified one = SAGA__V1__JOURNAL_VERIFIED__INIT, two = SAGA__V1__JOURNAL_VERIFIED__INIT;
    Saga__V1__JournalVerified *list[] = {&one, &two};
    one.first_frame = 3;
    one.last_frame = 10;
    one.frames_chained = 7;
    one.first_row = 2;
    one.last_row = 2;
    one.rows_chained = 1;
    one.head = text("abc");
    two.loop = 1;
    answer.journals = list;
    answer.n_journals = 2;
    tell("Verify", &answer.base);
    SHOWS("verify 0/abc 1/def", "loop 0: whole: 7 of 8 frames and 1 of 1 rows of the audit trail are chained\n"
                                "        head 0/abc\n"
                                "loop 1: whole: 0 of 0 frames and 0 of 0 rows of the audit trail are chained\n");
    Saga__V1__VerifyRequest *request = ASKED(saga__v1__verify_request, 0);
    ck_assert_uint_eq(request->n_heads, 2);
    ck_assert_str_eq(request->heads[1], "1/def");
    saga__v1__verify_request__free_unpacked(request, NULL);
    two.finding = text("frame 4 was changed");
    anew();
    tell("Verify", &answer.base);
    ck_assert_int_eq(sagactl("verify"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "\nloop 1: CHANGED: frame 4 was changed\n"));
    ck_assert_str_eq(complained, "");
    /* A program hears the same, and all of it. */
    anew();
    tell("Verify", &answer.base);
    ck_assert_int_eq(sagactl("verify -o json"), EXIT_REFUSED);
    json_t *document = json_loads(said, 0, NULL), *journals = json_object_get(document, "journals");
    ck_assert_uint_eq(json_array_size(journals), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(journals, 0), "head")), "abc");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(journals, 1), "finding")), "frame 4 was changed");
    json_decref(document);
    one.head = text(""); /* what was changed may have no head, and was chained */
    anew();
    tell("Verify", &answer.base);
    ck_assert_int_eq(sagactl("verify"), EXIT_REFUSED);
    ck_assert_str_eq(complained, "");
    two.finding = text("");
    anew();
    tell("Verify", &answer.base);
    ck_assert_int_eq(sagactl("verify"), EXIT_DONE);
    ck_assert_str_eq(complained, "sagactl: nothing is chained: the sidecar has no audit_key_file\n");
}
END_TEST

/* ---- authz explain ---- */

START_TEST(authz__says_what_one_may_do_and_by_which_rule)
{
    Saga__V1__ExplainResponse answer = SAGA__V1__EXPLAIN_RESPONSE__INIT;
    Saga__V1__Verdict verdicts[2] = {SAGA__V1__VERDICT__INIT, SAGA__V1__VERDICT__INIT};
    Saga__V1__Verdict *list[] = {&verdicts[0], &verdicts[1]};
    uint32_t rules[] = {2, 5};
    answer.identity = text("uid:7");
    answer.has_rules = true;
    answer.verdicts = list;
    answer.n_verdicts = 2;
    verdicts[0].method = text("Start");
    verdicts[0].extent = SAGA__V1__EXTENT__EXTENT_SOME;
    verdicts[0].rules = rules;
    verdicts[0].n_rules = 2;
    verdicts[1].method = text("Get");
    verdicts[1].payloads = true;
    verdicts[1].extent = SAGA__V1__EXTENT__EXTENT_DENIED;
    tell("Explain", &answer.base);
    SHOWS("authz explain --as uid:7 --definition order",
          "uid:7:\nStart: allowed for some definitions by authorization[2], authorization[5]\nGet with payloads: "
          "denied\n");
    Saga__V1__ExplainRequest *request = ASKED(saga__v1__explain_request, 0);
    ck_assert_str_eq(request->as, "uid:7");
    ck_assert_str_eq(request->definition, "order");
    ck_assert_str_eq(request->method, "");
    saga__v1__explain_request__free_unpacked(request, NULL);
    answer.has_rules = false;
    verdicts[0].extent = SAGA__V1__EXTENT__EXTENT_OWN;
    verdicts[1].extent = SAGA__V1__EXTENT__EXTENT_TAGS;
    anew();
    tell("Explain", &answer.base);
    SHOWS("authz explain", "uid:7, without rules of authorization:\n"
                           "Start: allowed for sagas that it has begun by authorization[2], authorization[5]\n"
                           "Get with payloads: allowed for sagas with some tags\n");
    /* Of one method the status tells, too; what may be seen of payloads does not count for it. */
    verdicts[0].extent = SAGA__V1__EXTENT__EXTENT_DENIED;
    verdicts[0].n_rules = 0;
    verdicts[1].extent = SAGA__V1__EXTENT__EXTENT_ALLOWED;
    anew();
    tell("Explain", &answer.base);
    ck_assert_int_eq(sagactl("authz explain --method Start"), EXIT_REFUSED);
    ck_assert_str_eq(said, "Start: denied\nGet with payloads: allowed\n");
    anew();
    tell("Explain", &answer.base);
    ck_assert_int_eq(sagactl("authz explain --method Start -o json"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "\"EXTENT_DENIED\""));
    verdicts[0].extent = SAGA__V1__EXTENT__EXTENT_ALLOWED;
    anew();
    tell("Explain", &answer.base);
    SHOWS("authz explain --method Start", "Start: allowed\nGet with payloads: allowed\n");
    anew();
    ck_assert_int_eq(sagactl("authz show"), EXIT_USAGE);
}
END_TEST

/* ---- targets ---- */

static Google__Protobuf__Duration span(int64_t seconds)
{
    Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;
    d.seconds = seconds;
    return d;
}

/* Half a minute more, so that it is so for a while. */
static Google__Protobuf__Timestamp hours_ago(int hours)
{
    Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    t.seconds = time(NULL) - hours * 3600 - 30;
    return t;
}

/* All loops together: sums, the longest, the latest, the worst of the breakers. */
START_TEST(targets__are_added_up)
{
    Google__Protobuf__Duration spans[] = {span(1), span(4), span(2), span(3), span(7), span(9)};
    Saga__V1__StatusResponse answer = SAGA__V1__STATUS_RESPONSE__INIT;
    Saga__V1__LoopStatus loops[2] = {SAGA__V1__LOOP_STATUS__INIT, SAGA__V1__LOOP_STATUS__INIT};
    Saga__V1__LoopStatus *all[] = {&loops[0], &loops[1]};
    Saga__V1__TargetStatus targets[2] = {SAGA__V1__TARGET_STATUS__INIT, SAGA__V1__TARGET_STATUS__INIT};
    Saga__V1__TargetStatus *lists[2] = {&targets[0], &targets[1]};
    Saga__V1__Recent recents[2] = {SAGA__V1__RECENT__INIT, SAGA__V1__RECENT__INIT};
    Saga__V1__Breaker breaker = SAGA__V1__BREAKER__INIT;
    for (int i = 0; i < 2; i++) {
        loops[i].targets = &lists[i];
        loops[i].n_targets = 1;
        targets[i].name = text("bank");
        targets[i].address = text("bank:1");
        targets[i].calls = 2;
        targets[i].calls_max = 8;
        targets[i].rate_limit_per_second = 5;
        targets[i].max_pending_calls = 10;
        targets[i].waiting = 3;
        targets[i].waiting_undos = 1;
        targets[i].waiting_retries = 1;
        targets[i].retry_budget_percent = 20;
        targets[i].retries_left = 1.5;
        targets[i].waiting_for = &spans[i];
        targets[i].quickest = &spans[2 + i];
        targets[i].recent = &recents[i];
        recents[i].count = i == 0 ? 1 : 3;
        recents[i].mean = &spans[i];
        recents[i].most = &spans[4 + i];
        recents[i].failed = 1;
    }
    recents[1].refused = 1;
    breaker.state = SAGA__V1__BREAKER_STATE__BREAKER_STATE_HALF_OPEN;
    breaker.calls = 4;
    breaker.failed = 1;
    breaker.slow = 2;
    targets[1].breaker = &breaker;
    answer.loops = all;
    answer.n_loops = 2;
    tell("Status", &answer.base);
    SHOWS("targets", "target bank at bank:1, to all sagas\n"
                     "  is         reached\n"
                     "  calls      4 of 16 places taken, 6 wait of 20 that may; at most 10 leave in a second\n"
                     "  waiting    2 undos and 4 actions wait, the first for 4s\n"
                     "  budget     20 retries for a hundred first attempts; 3.0 may leave now, 2 wait\n"
                     "  answers    after 2s at the soonest, lately: what has less time left does not leave\n"
                     "  breaker    half-open: few calls leave; of 4 that came back 1 failed, 2 were slow\n"
                     "  5 minutes  4 attempts ended: 50 % failed, 25 % were refused; 3.2s on average, 9s at most\n"
                     "  succeeded  never since the sidecar's start\n");
    /* Where nothing has been answered lately, nobody knows how soon that would be. */
    targets[0].quickest = targets[1].quickest = NULL;
    targets[0].waiting = targets[1].waiting = 0; /* nor is it said that nothing waits */
    anew();
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("targets"), EXIT_DONE);
    ck_assert_msg(strstr(said, "  answers ") == NULL && strstr(said, "  waiting ") == NULL, "%s", said);
    targets[0].waiting = targets[1].waiting = 3;
    /* Of what each loop has seen the latest, the longest and the quickest, whichever loop that is. */
    Google__Protobuf__Timestamp ago[] = {hours_ago(5), hours_ago(2), hours_ago(3), hours_ago(-7)};
    for (int late = 0; late < 2; late++) {
        targets[late].last_success = targets[1 - late].last_failure = &ago[0];
        targets[1 - late].last_success = targets[late].last_failure = &ago[1];
        targets[late].waiting_for = recents[late].most = &spans[5];
        targets[1 - late].waiting_for = recents[1 - late].most = &spans[4];
        targets[late].quickest = &spans[2];
        targets[1 - late].quickest = &spans[3];
        targets[1 - late].last_failure_status = 14;
        targets[late].last_failure_status = 9;
        breaker.state = SAGA__V1__BREAKER_STATE__BREAKER_STATE_OPEN;
        breaker.opened_at = &ago[2];
        breaker.open_until = &ago[3];
        breaker.openings = 2;
        anew();
        tell("Status", &answer.base);
        ck_assert_int_eq(sagactl("targets"), EXIT_DONE);
        ck_assert_msg(strstr(said, " actions wait, the first for 9s\n") != NULL, "%s", said);
        ck_assert_msg(strstr(said, "  answers    after 2s at the soonest") != NULL, "%s", said);
        ck_assert_msg(strstr(said, " on average, 9s at most\n") != NULL, "%s", said);
        ck_assert_msg(strstr(said, "  breaker    open since 3h ago, for 6h 59m more; opened 2 times in a row\n") !=
                          NULL,
                      "%s", said);
        ck_assert_msg(strstr(said, "  succeeded  2h ago\n  failed     2h ago: FAILED_PRECONDITION\n") != NULL, "%s",
                      said);
    }
    Saga__V1__Breaker other = SAGA__V1__BREAKER__INIT; /* the least closed is told of */
    other.state = SAGA__V1__BREAKER_STATE__BREAKER_STATE_HALF_OPEN;
    for (int open = 0; open < 2; open++) {
        targets[open].breaker = &breaker;
        targets[1 - open].breaker = &other;
        anew();
        tell("Status", &answer.base);
        ck_assert_int_eq(sagactl("targets"), EXIT_DONE);
        ck_assert_msg(strstr(said, "  breaker    open since 3h ago") != NULL, "%s", said);
    }
    targets[0].breaker = NULL;
    breaker.state = SAGA__V1__BREAKER_STATE__BREAKER_STATE_HALF_OPEN;
    breaker.opened_at = NULL;
    breaker.held = true;
    targets[0].unreachable = true;
    targets[0].unreachable_for = &spans[1];
    anew();
    tell("Status", &answer.base);
    ck_assert_int_eq(sagactl("targets bank"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "  is         not to be reached for 4s: calls wait for it\n"));
    ck_assert_ptr_nonnull(strstr(said, "  breaker    held open by an operator: sagactl breaker reset bank lets go\n"));
    anew();
    tell("Status", &answer.base);
    SHOWS("targets none", "target none\n  is         not configured: name it in sagad.yaml, and sagactl reload\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_trust");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, audit__newest_first_and_those_of_one_time_together);
    tcase_add_test(tc, verify__says_what_is_whole_and_what_was_changed);
    tcase_add_test(tc, authz__says_what_one_may_do_and_by_which_rule);
    tcase_add_test(tc, targets__are_added_up);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
