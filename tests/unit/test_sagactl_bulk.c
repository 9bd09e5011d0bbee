/* Bulk jobs as a person meets them in sagactl: begun, added up over loops and journals, halted, followed to their end. */
#include "tests/support/told_sidecar.h"

#define JOBS 4

static void jobs(Saga__V1__ListBulksResponse *answer, Saga__V1__BulkJob room[JOBS], Saga__V1__BulkJob *list[JOBS],
                 Google__Protobuf__Timestamp *at)
{
    for (int i = 0; i < JOBS; i++) {
        saga__v1__bulk_job__init(&room[i]);
        list[i] = &room[i];
        room[i].id = text("retry-1");
        room[i].act = SAGA__V1__BULK_ACT__BULK_ACT_RETRY;
        room[i].where = text("step == 'charge'");
        room[i].definition = text("order");
        room[i].actor = text("ann");
        room[i].per_second = 50;
        room[i].state = SAGA__V1__BULK_STATE__BULK_STATE_DONE;
        room[i].started_at = room[i].ended_at = at;
        room[i].examined = 10;
        room[i].acted = 7;
        room[i].refused = 1;
        room[i].loop = (unsigned)i;
    }
    saga__v1__list_bulks_response__init(answer);
    answer->jobs = list;
    answer->n_jobs = JOBS;
}

START_TEST(bulk__adds_up_what_loops_and_journals_have_done)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT, later = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListBulksResponse answer;
    Saga__V1__BulkJob room[JOBS], *list[JOBS];
    at.seconds = 1700000000;
    later.seconds = 1700000090;
    jobs(&answer, room, list, &at);
    room[1].ended_at = &later; /* the latest, which need not be the last */
    room[3].id = text("skip-2");
    room[3].act = SAGA__V1__BULK_ACT__BULK_ACT_SKIP;
    room[3].definition = text("");
    room[3].refused = 0;
    tell("ListBulks", &answer.base);
    SHOWS("bulk", "retry-1  retry  DONE, by ann, took 1m 30s\n    of order\n    where step == 'charge'\n"
                  "    30 looked at, 21 done, 3 refused; at most 50 a second\n"
                  "skip-2  skip  DONE, by ann, took 0ms\n    where step == 'charge'\n"
                  "    10 looked at, 7 done, 0 refused; at most 50 a second\n");
    /* Journals of a fleet each have their share of the rate, and one that failed counts for all. */
    jobs(&answer, room, list, &at);
    for (int i = 0; i < JOBS; i++) {
        room[i].journal = text(i < 2 ? "a" : "b");
        room[i].loop = (unsigned)i % 2;
        room[i].per_second = 25;
    }
    room[1].state = SAGA__V1__BULK_STATE__BULK_STATE_FAILED;
    room[1].error = text("where cannot be answered");
    room[3].state = SAGA__V1__BULK_STATE__BULK_STATE_RUNNING;
    anew();
    tell("ListBulks", &answer.base);
    SHOWS("bulk --fleet", "retry-1  retry  FAILED, by ann, took 0ms\n    of order\n    where step == 'charge'\n"
                          "    40 looked at, 28 done, 4 refused; at most 50 a second; in 2 journals\n"
                          "    where cannot be answered\n");
    Saga__V1__ListBulksRequest *request = saga__v1__list_bulks_request__unpack(NULL, asked_sizes[0], asked_bytes[0]);
    ck_assert(request->fleet);
    saga__v1__list_bulks_request__free_unpacked(request, NULL);
    /* What goes on in one loop goes on. */
    room[1].state = SAGA__V1__BULK_STATE__BULK_STATE_PAUSED;
    room[1].error = text("");
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk --fleet"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "retry-1  retry  PAUSED, by ann, for "));
}
END_TEST

START_TEST(bulk__of_no_job)
{
    Saga__V1__ListBulksResponse answer = SAGA__V1__LIST_BULKS_RESPONSE__INIT;
    tell("ListBulks", &answer.base);
    SHOWS("bulk", "There is no bulk job.\n");
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk r-1"), EXIT_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(complained, "there is no bulk job r-1"));
}
END_TEST

START_TEST(bulk__is_halted_and_goes_on)
{
    static const struct {
        const char *words;
        Saga__V1__BulkState state;
    } cases[] = {{"bulk r-1 pause --actor ann --journal j", SAGA__V1__BULK_STATE__BULK_STATE_PAUSED},
                 {"bulk r-1 resume --actor ann --journal j", SAGA__V1__BULK_STATE__BULK_STATE_RUNNING},
                 {"bulk r-1 cancel --actor ann --journal j", SAGA__V1__BULK_STATE__BULK_STATE_CANCELLED}};
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ChangeBulkResponse changed = SAGA__V1__CHANGE_BULK_RESPONSE__INIT;
    Saga__V1__ListBulksResponse answer;
    Saga__V1__BulkJob room[JOBS], *list[JOBS];
    jobs(&answer, room, list, &at);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        tell("ChangeBulk", &changed.base);
        tell("ListBulks", &answer.base);
        ck_assert_msg(sagactl(cases[i].words) == EXIT_DONE, "%s", complained);
        Saga__V1__ChangeBulkRequest *request =
            saga__v1__change_bulk_request__unpack(NULL, asked_sizes[0], asked_bytes[0]);
        ck_assert_str_eq(request->id, "r-1");
        ck_assert_str_eq(request->actor, "ann");
        ck_assert_str_eq(request->journal, "j");
        ck_assert_int_eq(request->state, cases[i].state);
        saga__v1__change_bulk_request__free_unpacked(request, NULL);
    }
    anew();
    tell("ChangeBulk", &changed.base);
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk r-1 pause --actor ann --fleet"), EXIT_DONE);
    assert_asked(0, &saga__v1__change_bulk_request__descriptor,
                 "{'actor':'ann','fleet':true,'id':'r-1','state':'BULK_STATE_PAUSED'}");
    assert_asked(1, &saga__v1__list_bulks_request__descriptor, "{'fleet':true,'id':'r-1'}");
    anew();
    ck_assert_int_eq(sagactl("bulk r-1 stop"), EXIT_USAGE);
}
END_TEST

/* A program has every job of every loop, as the sidecar told it; and of no certain job none is waited for. */
START_TEST(bulk__is_listed_for_a_program)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__ListBulksResponse answer;
    Saga__V1__BulkJob room[JOBS], *list[JOBS];
    static const char *const words[] = {"bulk -o json", "bulk retry-1 -o json", "bulk --wait -o json"};
    jobs(&answer, room, list, &at);
    room[0].state = SAGA__V1__BULK_STATE__BULK_STATE_RUNNING;
    for (int i = 0; i < 3; i++) {
        anew();
        tell("ListBulks", &answer.base);
        ck_assert_msg(sagactl(words[i]) == EXIT_DONE, "%s", complained);
        json_t *document = json_loads(said, 0, NULL), *all = json_object_get(document, "jobs");
        ck_assert_uint_eq(json_array_size(all), JOBS);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(all, 0), "state")), "BULK_STATE_RUNNING");
        json_decref(document);
    }
}
END_TEST

/* Before anything is begun what it would be about can be looked at, by the same question. */
START_TEST(deadletters__can_be_looked_at_before)
{
    Saga__V1__ListDeadLettersResponse answer = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    tell("ListDeadLetters", &answer.base);
    SHOWS("deadletters skip --where true --definition order --fleet --reason r --dry-run", "No saga is stuck.\n");
    assert_asked(0, &saga__v1__list_dead_letters_request__descriptor,
                 "{'definition':'order','fleet':true,'page_size':1000,'where':'true'}");
}
END_TEST

/* What is begun names how to look at it and how to halt it, by the same journals. */
START_TEST(deadletters__are_acted_on_together)
{
    static const struct {
        const char *words, *more;
        Saga__V1__BulkAct act;
    } cases[] = {{"", "", SAGA__V1__BULK_ACT__BULK_ACT_RETRY},
                 {" --fleet", " --fleet", SAGA__V1__BULK_ACT__BULK_ACT_SKIP},
                 {" --journal a$b", " --journal 'a$b'", SAGA__V1__BULK_ACT__BULK_ACT_RESOLVE}};
    static const char *const acts[] = {"retry", "skip", "resolve"};
    Saga__V1__StartBulkResponse begun = SAGA__V1__START_BULK_RESPONSE__INIT;
    for (size_t i = 0; i < 3; i++) {
        char words[200], expected[400];
        anew();
        tell("StartBulk", &begun.base);
        snprintf(
            words, sizeof words,
            "deadletters %s --where status==14 --definition order --name night --rate 12.5 --actor ann --reason why%s",
            acts[i], cases[i].words);
        snprintf(expected, sizeof expected,
                 "night has begun. How far it is: sagactl bulk night%s; to halt it: sagactl bulk night pause%s\n",
                 cases[i].more, cases[i].more);
        SHOWS(words, expected);
        Saga__V1__StartBulkRequest *request = ASKED(saga__v1__start_bulk_request, 0);
        ck_assert_str_eq(request->id, "night");
        ck_assert_int_eq(request->act, cases[i].act);
        ck_assert_str_eq(request->where, "status==14");
        ck_assert_str_eq(request->definition, "order");
        ck_assert_str_eq(request->actor, "ann");
        ck_assert_str_eq(request->reason, "why");
        ck_assert(request->per_second > 12.4 && request->per_second < 12.6);
        ck_assert(request->fleet == (i == 1));
        ck_assert_str_eq(request->journal, i == 2 ? "a$b" : "");
        saga__v1__start_bulk_request__free_unpacked(request, NULL);
    }
    /* Without a name it has one of its own. */
    anew();
    tell("StartBulk", &begun.base);
    ck_assert_int_eq(sagactl("deadletters retry --where true -o json"), EXIT_DONE);
    Saga__V1__StartBulkRequest *request = ASKED(saga__v1__start_bulk_request, 0);
    ck_assert_uint_eq(strlen(request->id), strlen("retry-20261128T101500-004711"));
    ck_assert_int_eq(strncmp(request->id, "retry-20", 8), 0);
    ck_assert_ptr_nonnull(strstr(said, request->id));
    ck_assert_ptr_nonnull(strstr(said, "\"id\""));
    saga__v1__start_bulk_request__free_unpacked(request, NULL);
}
END_TEST

/* What is begun, followed, changed or listed without some journals is told so, and the exit status says that something is missing. */
START_TEST(bulk__says_which_journals_are_missing)
{
    static const struct {
        const char *words, *methods[2];
        int n_absent[2];
    } cases[] = {
        {"deadletters retry --where true --fleet --reason r", {"StartBulk"}, {1}},
        {"deadletters retry --where true --fleet --reason r -o json", {"StartBulk"}, {1}},
        {"deadletters retry --where true --fleet --reason r --name retry-1 --wait", {"StartBulk", "ListBulks"}, {1, 0}},
        {"deadletters retry --where true --fleet --reason r --name retry-1 --wait", {"StartBulk", "ListBulks"}, {0, 1}},
        {"bulk --fleet", {"ListBulks"}, {1}},
        {"bulk retry-1 --fleet --wait", {"ListBulks"}, {1}},
        {"bulk retry-1 pause --fleet", {"ChangeBulk", "ListBulks"}, {1, 0}}};
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__Absent absent = SAGA__V1__ABSENT__INIT, *list[] = {&absent};
    Saga__V1__StartBulkResponse begun = SAGA__V1__START_BULK_RESPONSE__INIT;
    Saga__V1__ChangeBulkResponse changed = SAGA__V1__CHANGE_BULK_RESPONSE__INIT;
    Saga__V1__ListBulksResponse listed;
    Saga__V1__BulkJob room[JOBS], *all[JOBS];
    jobs(&listed, room, all, &at);
    absent.journal = text("a");
    absent.why = text("it is away");
    begun.absent = changed.absent = listed.absent = list;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        anew();
        for (int k = 0; k < 2 && cases[i].methods[k] != NULL; k++) {
            size_t count = (size_t)cases[i].n_absent[k];
            if (strcmp(cases[i].methods[k], "StartBulk") == 0) {
                begun.n_absent = count;
                tell("StartBulk", &begun.base);
            } else if (strcmp(cases[i].methods[k], "ChangeBulk") == 0) {
                changed.n_absent = count;
                tell("ChangeBulk", &changed.base);
            } else {
                listed.n_absent = count;
                tell("ListBulks", &listed.base);
            }
        }
        ck_assert_msg(sagactl(cases[i].words) == EXIT_INCOMPLETE, "%zu: %s", i, complained);
        ck_assert_msg(strstr(complained, "not in this: the journal a: it is away") != NULL, "%zu: %s", i, complained);
        ck_assert_str_ne(said, "");
    }
}
END_TEST

/* Followed to its end, and by that it ends. */
START_TEST(bulk__is_waited_for)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__StartBulkResponse begun = SAGA__V1__START_BULK_RESPONSE__INIT;
    Saga__V1__ListBulksResponse answer;
    Saga__V1__BulkJob room[JOBS], *list[JOBS];
    jobs(&answer, room, list, &at);
    tell("StartBulk", &begun.base);
    tell("ListBulks", &answer.base);
    SHOWS("deadletters retry --where true --name retry-1 --wait --journal j",
          "retry-1  retry  DONE, by ann, took 0ms\n    of order\n    where step == 'charge'\n"
          "    40 looked at, 28 done, 4 refused; at most 50 a second\n");
    Saga__V1__ListBulksRequest *request = ASKED(saga__v1__list_bulks_request, 1);
    ck_assert_str_eq(request->id, "retry-1");
    ck_assert_str_eq(request->journal, "j");
    saga__v1__list_bulks_request__free_unpacked(request, NULL);
    anew();
    tell("StartBulk", &begun.base);
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("deadletters retry --where true --name retry-1 --wait -o json"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "\"BULK_STATE_DONE\""));
    room[2].state = SAGA__V1__BULK_STATE__BULK_STATE_FAILED;
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk retry-1 --wait"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "retry-1  retry  FAILED, by ann"));
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk retry-1 --wait -o json"), EXIT_REFUSED);
    ck_assert_ptr_nonnull(strstr(said, "\"BULK_STATE_FAILED\""));
    for (int i = 0; i < JOBS; i++)
        room[i].state = SAGA__V1__BULK_STATE__BULK_STATE_CANCELLED;
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk retry-1 --wait"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "retry-1  retry  CANCELLED, by ann, took 0ms\n"));
    /* One that nobody knows is not waited for. */
    answer.n_jobs = 0;
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk retry-1 --wait"), EXIT_NOT_FOUND);
    ck_assert_str_eq(said, "");
    ck_assert_ptr_nonnull(strstr(complained, "there is no bulk job retry-1"));
    /* Or the time is over first. */
    jobs(&answer, room, list, &at);
    room[0].state = SAGA__V1__BULK_STATE__BULK_STATE_RUNNING;
    anew();
    tell("ListBulks", &answer.base);
    ck_assert_int_eq(sagactl("bulk retry-1 --wait --fleet --timeout 10ms"), EXIT_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(complained, "the job goes on: sagactl bulk retry-1 --fleet\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_bulk");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, bulk__adds_up_what_loops_and_journals_have_done);
    tcase_add_test(tc, bulk__of_no_job);
    tcase_add_test(tc, bulk__is_halted_and_goes_on);
    tcase_add_test(tc, bulk__is_listed_for_a_program);
    tcase_add_test(tc, deadletters__can_be_looked_at_before);
    tcase_add_test(tc, deadletters__are_acted_on_together);
    tcase_add_test(tc, bulk__says_which_journals_are_missing);
    tcase_add_test(tc, bulk__is_waited_for);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
