/* Sagas as a person meets them in sagactl: listed, got, and those that are stuck. */
#include "client-lib/sagactl/json.h"
#include "tests/support/told_letters.h"
#include "tests/support/told_sidecar.h"

/* ---- lists ---- */

START_TEST(list__shows_a_page_and_those_that_are_paused)
{
    Saga__V1__ListResponse page = SAGA__V1__LIST_RESPONSE__INIT, last = page;
    Saga__V1__Saga sagas[2] = {SAGA__V1__SAGA__INIT, SAGA__V1__SAGA__INIT}, *all[2] = {&sagas[0], &sagas[1]};
    sagas[0].id = text("9f03c1d2a4b7-2a");
    sagas[1].id = text("9f03c1d2a4b7-2b");
    sagas[0].definition = sagas[1].definition = text("order");
    sagas[1].paused = true;
    sagas[0].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK; /* which is not paused */
    page.sagas = all;
    page.n_sagas = 2;
    page.next_page_token = text("next");
    tell("List", &page.base);
    ck_assert_int_eq(sagactl("list"), EXIT_DONE); /* and asks for no more */
    ck_assert_int_eq(strncmp(said, "SAGA ", 5), 0);
    ck_assert_ptr_nonnull(strstr(said, "-2a"));
    ck_assert_ptr_null(strchr(said, '{'));
    ck_assert_ptr_nonnull(strstr(said, "more: sagactl list --page next\n"));
    anew();
    tell("List", &page.base);
    tell("List", &last.base);
    ck_assert_int_eq(sagactl("list --all --state paused"), EXIT_DONE);
    ck_assert_ptr_null(strstr(said, "-2a"));
    ck_assert_ptr_nonnull(strstr(said, "-2b"));
    Saga__V1__ListRequest *second = ASKED(saga__v1__list_request, 1);
    ck_assert_str_eq(second->page_token, "next");
    ck_assert_int_eq(second->page_size, 1000);
    saga__v1__list_request__free_unpacked(second, NULL);
    anew();
    tell("List", &last.base);
    ck_assert_int_eq(sagactl("list --all --limit 10"), EXIT_DONE);
    Saga__V1__ListRequest *tens = ASKED(saga__v1__list_request, 0);
    ck_assert_int_eq(tens->page_size, 10);
    saga__v1__list_request__free_unpacked(tens, NULL);
}
END_TEST

/* The command of the next page asks for the same as this one did: whatever chooses is sent, and stands in it. */
START_TEST(list__proposes_the_next_page_of_the_same)
{
    static const struct {
        const char *words, *more; /* behind "sagactl list"; more is what differs */
    } cases[] = {
        {"--state stuck,running,paused --since 2026-05-04T10:20:30.25Z --before 2026-05-05T00:00:00Z --tag key=a=b "
         "--definition order --where priority==1 --journal home --limit 7",
         "--state running,stuck,paused --since 2026-05-04T10:20:30.250000Z --before 2026-05-05T00:00:00Z --tag key=a=b "
         "--definition order --where priority==1 --journal home --limit 7"},
        {"--state paused --address here:1 --fleet", "--state paused --address here:1 --fleet"},
        {"--state committed,compensating,compensated,resolved", "--state committed,compensating,compensated,resolved"}};
    Saga__V1__ListResponse page = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *all[] = {&saga};
    saga.id = text("9f03c1d2a4b7-2a");
    saga.paused = true;
    page.sagas = all;
    page.n_sagas = 1;
    page.next_page_token = text("next");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[256], more[300];
        anew();
        tell("List", &page.base);
        snprintf(words, sizeof words, "list %s", cases[i].words);
        snprintf(more, sizeof more, "\nmore: sagactl list %s --page next\n", cases[i].more);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, more) != NULL, "%s\nis not in\n%s", more, said);
        Saga__V1__ListRequest *request = ASKED(saga__v1__list_request, 0);
        if (i == 0) {
            ck_assert_uint_eq(request->n_states, 2);
            ck_assert_int_eq(request->states[0], SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
            ck_assert_int_eq(request->states[1], SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
            ck_assert_int_eq(request->started_from->seconds, 1777890030);
            ck_assert_int_eq(request->started_from->nanos, 250000000);
            ck_assert_int_eq(request->started_before->seconds, 1777939200);
            ck_assert_uint_eq(request->n_tags, 1);
            ck_assert_str_eq(request->tags[0]->name, "key");
            ck_assert_str_eq(request->tags[0]->value, "a=b");
            ck_assert_str_eq(request->definition, "order");
            ck_assert_str_eq(request->where, "priority==1");
            ck_assert_str_eq(request->journal, "home");
            ck_assert_int_eq(request->page_size, 7);
        }
        ck_assert_uint_eq(request->n_states, i == 0 ? 2 : i == 1 ? 3 : 4); /* those that are paused are live */
        ck_assert_int_eq(request->fleet, i == 1);
        saga__v1__list_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* A first page without any is no end, where there are more. */
START_TEST(list__looks_behind_an_empty_page)
{
    Saga__V1__ListResponse empty = SAGA__V1__LIST_RESPONSE__INIT, page = empty;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *all[] = {&saga};
    saga.id = text("9f03c1d2a4b7-2a");
    empty.next_page_token = text("next");
    page.sagas = all;
    page.n_sagas = 1;
    tell("List", &empty.base);
    tell("List", &page.base);
    ck_assert_int_eq(sagactl("list"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(said, "9f03c1d2a4b7-2a"));
    ck_assert_ptr_null(strstr(said, "No saga matches."));
    page.n_sagas = 0;
    anew();
    tell("List", &page.base);
    SHOWS("list", "No saga matches.\n");
    page.n_sagas = 1;
    anew();
    tell("List", &empty.base);
    tell("List", &page.base);
    ck_assert_int_eq(sagactl("list -o json"), EXIT_DONE);
    json_t *one = json_loads(said, 0, NULL); /* of two there would be two documents */
    ck_assert_uint_eq(json_array_size(json_object_get(one, "sagas")), 1);
    json_decref(one);
}
END_TEST

/* Its events stand in their order, whatever pages they came in; that the earliest are gone is told by the last page that was asked for. */
START_TEST(get__puts_its_pages_together)
{
    Saga__V1__GetResponse pages[3];
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Event events[3], *list[3];
    static const char *const steps[] = {"reserve", "charge", "send"}, *const tokens[] = {"", "t1", "t2"};
    for (int truncated = 0; truncated < 2; truncated++) {
        const char *at = NULL;
        saga.id = text("9f03c1d2a4b7-2a");
        anew();
        for (int i = 2; i >= 0; i--) {
            saga__v1__get_response__init(&pages[i]);
            saga__v1__event__init(&events[i]);
            list[i] = &events[i];
            events[i].type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_STEP_ENLISTED;
            events[i].step = text(steps[i]);
            pages[i].saga = &saga;
            pages[i].timeline = &list[i];
            pages[i].n_timeline = 1;
            pages[i].next_page_token = text(tokens[i]);
            pages[i].timeline_truncated = i == 0 && truncated;
            tell("Get", &pages[i].base);
        }
        ck_assert_msg(sagactl("get 9f03c1d2a4b7-2a --payloads") == EXIT_DONE, "%s", complained);
        ck_assert_int_eq(strstr(said, "The earliest events are no longer in the journal.") != NULL, truncated);
        for (unsigned i = 0; i < 3; i++) {
            const char *next = strstr(said, steps[i]);
            ck_assert_msg(next != NULL && next > at, "%s", said);
            at = next;
            Saga__V1__GetRequest *request = ASKED(saga__v1__get_request, i);
            ck_assert_str_eq(request->page_token, i == 0 ? "" : tokens[3 - i]);
            ck_assert_int_eq(request->include_payloads, i == 0);
            saga__v1__get_request__free_unpacked(request, NULL);
        }
    }
    /* One of which a part cannot be had is not shown as if it were whole. */
    static const char *const forms[] = {"get 9f03c1d2a4b7-2a", "get 9f03c1d2a4b7-2a -o json"};
    for (size_t i = 0; i < 2; i++) {
        anew();
        tell("Get", &pages[2].base);
        tell("Get", NULL);
        told[1].code = SAGA_E_NOT_FOUND;
        ck_assert_int_eq(sagactl(forms[i]), EXIT_NOT_FOUND);
        ck_assert_str_eq(said, "");
    }
}
END_TEST

/* Of a fleet what is missing is told, once, and the exit status says that something is. */
START_TEST(lists__say_which_journals_are_missing)
{
    static const char *const words[] = {"list --fleet", "list --fleet -o json", "deadletters --fleet",
                                        "deadletters --summary --fleet", "retry --all --fleet"};
    Saga__V1__Absent absent[2] = {SAGA__V1__ABSENT__INIT, SAGA__V1__ABSENT__INIT}, *both[] = {&absent[0], &absent[1]};
    Saga__V1__ListResponse list = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__ListDeadLettersResponse letters = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    absent[0].journal = text("a");
    absent[0].carrier = text("x");
    absent[0].why = text("it is away");
    absent[1].journal = text("b");
    absent[1].why = text("nobody has it");
    list.absent = letters.absent = both;
    list.n_absent = letters.n_absent = 2;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        anew();
        tell(i < 2 ? "List" : "ListDeadLetters", i < 2 ? &list.base : &letters.base);
        ck_assert_msg(sagactl(words[i]) == EXIT_INCOMPLETE, "%s", words[i]);
        ck_assert_msg(strstr(complained, "not in this: the journal a (at x): it is away") != NULL &&
                          strstr(complained, "not in this: the journal b: nobody has it") != NULL,
                      "%s", complained);
    }
    /* What is lost as a whole is worse than what is incomplete. */
    FILE *full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    anew();
    tell("List", &list.base);
    ck_assert_int_eq(sagactl_into(full, "list --fleet"), EXIT_REFUSED);
    fclose(full);
    /* And what cannot be written is not asked for any further. */
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT, *sagas[] = {&saga};
    Saga__V1__ListResponse page = SAGA__V1__LIST_RESPONSE__INIT;
    page.sagas = sagas;
    page.n_sagas = 1;
    page.next_page_token = text("more");
    full = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full);
    setvbuf(full, NULL, _IONBF, 0);
    anew();
    tell("List", &page.base);
    ck_assert_int_eq(sagactl_into(full, "list --all -o json"), EXIT_REFUSED);
    fclose(full);
    /* On each of several pages: once. */
    Saga__V1__ListResponse first = list;
    first.next_page_token = text("more");
    anew();
    tell("List", &first.base);
    tell("List", &list.base);
    ck_assert_int_eq(sagactl("list --fleet --all"), EXIT_INCOMPLETE);
    ck_assert_ptr_null(strstr(strstr(complained, "the journal b") + 1, "the journal"));
}
END_TEST

/* The saga that was started by a request is a list of one, without what no list shows. */
START_TEST(list__of_a_request)
{
    Saga__V1__FindResponse found = SAGA__V1__FIND_RESPONSE__INIT;
    Saga__V1__GetResponse answer = SAGA__V1__GET_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    Saga__V1__Step step = SAGA__V1__STEP__INIT, *steps[] = {&step};
    found.saga_id = saga.id = text("9f03c1d2a4b7-2a");
    saga.definition = text("order");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING;
    saga.steps = steps;
    saga.n_steps = 1;
    answer.saga = &saga;
    static const char *const words[] = {"list --request-id r", "list --request-id r -o json",
                                        "list --request-id r --all -o json"};
    for (int i = 0; i < 3; i++) {
        anew();
        tell("Find", &found.base);
        tell("Get", NULL); /* it may have been removed meanwhile */
        told[1].code = SAGA_E_NOT_FOUND;
        ck_assert_msg(sagactl(words[i]) == EXIT_NOT_FOUND, "%s", complained);
        ck_assert_str_eq(said, "");
        anew();
        tell("Find", &found.base);
        tell("Get", &answer.base);
        ck_assert_msg(sagactl(words[i]) == EXIT_DONE, "%s", complained);
        assert_asked(1, &saga__v1__get_request__descriptor, "{'page_size':1,'saga_id':'9f03c1d2a4b7-2a'}");
        ck_assert_ptr_nonnull(strstr(said, "9f03c1d2a4b7-2a"));
        if (i == 0)
            continue;
        json_t *shown = json_loads(said, 0, NULL), *list = json_object_get(shown, "sagas");
        const json_t *one = i == 1 ? json_array_get(list, 0) : shown;
        ck_assert_uint_eq(json_array_size(list), i == 1 ? 1 : 0);
        ck_assert_str_eq(json_string_value(json_object_get(one, "id")), "9f03c1d2a4b7-2a");
        ck_assert_uint_eq(json_array_size(json_object_get(one, "steps")), 0);
        json_decref(shown);
    }
}
END_TEST

/* A request that nobody knows has no saga to be asked for. */
START_TEST(list__of_a_request_that_is_not_known)
{
    static const char *const words[] = {"list --request-id r", "get --request-id r"};
    for (int i = 0; i < 2; i++) {
        anew();
        tell("Find", NULL);
        told[0].code = SAGA_E_NOT_FOUND;
        ck_assert_int_eq(sagactl(words[i]), EXIT_NOT_FOUND);
        ck_assert_str_eq(said, "");
        ck_assert_str_eq(complained, "sagactl: it is refused\n");
    }
}
END_TEST

/* ---- dead letters ---- */

/* How many there are is the count of those that are shown, and where there are more the next line to type is said. */
START_TEST(deadletters__are_counted)
{
    Saga__V1__ListDeadLettersResponse answer = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    Saga__V1__Saga sagas[2] = {SAGA__V1__SAGA__INIT, SAGA__V1__SAGA__INIT}, *list[] = {&sagas[0], &sagas[1]};
    static const char *const says[] = {"No saga is stuck.\n", "\n1 dead letter. ", "\n2 dead letters. "};
    for (int i = 0; i < 2; i++) {
        sagas[i].id = text(i == 0 ? "9f03c1d2a4b7-2a" : "9f03c1d2a4b7-2b");
        sagas[i].definition = text("order");
        sagas[i].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    }
    answer.sagas = list;
    for (size_t count = 0; count <= 2; count++) {
        answer.n_sagas = count;
        anew();
        tell("ListDeadLetters", &answer.base);
        ck_assert_msg(sagactl("deadletters") == EXIT_DONE, "%s", complained);
        ck_assert_msg(strstr(said, says[count]) != NULL, "%s", said);
        ck_assert_int_eq(strstr(said, "9f03c1d2a4b7-2b") != NULL, count == 2);
        ck_assert_ptr_null(strstr(said, "--page"));
    }
    answer.next_page_token = text("9f03c1d2a4b7-2b");
    anew();
    tell("ListDeadLetters", &answer.base);
    ck_assert_int_eq(sagactl("deadletters --definition order --tls-roots r.pem"), EXIT_DONE);
    ck_assert_msg(strstr(said, "sagactl deadletters --tls-roots r.pem --definition order --page 9f03c1d2a4b7-2b\n") !=
                      NULL,
                  "%s", said);
}
END_TEST

/* The kind with the most first, each with the command that tries just those that were counted. */
START_TEST(deadletters__are_told_by_what_they_have_in_common)
{
    Saga__V1__ListDeadLettersResponse answer;
    told_letters(&answer);
    tell("ListDeadLetters", &answer.base);
    ck_assert_msg(sagactl("deadletters --summary --address here:1 --tls-key k") == EXIT_DONE, "%s", complained);
    static const char first[] = "6 dead letters:\n"
                                "     3  order, action of charge: UNAVAILABLE, the oldest started 1d 2h ago\n"
                                "        sagactl retry --all --address here:1 --tls-key k --definition order --step "
                                "charge --status UNAVAILABLE\n";
    static const char *const others[] = {
        "     1  order, action of charge: FAILED_PRECONDITION, the oldest started 3h 1m ago\n"
        "        sagactl retry --all --address here:1 --tls-key k --definition order --step charge --status "
        "FAILED_PRECONDITION\n",
        "     1  refund, undo of charge: UNAVAILABLE, the oldest started 5h 1m ago\n"
        "        sagactl retry --all --address here:1 --tls-key k --definition refund --step charge --status "
        "UNAVAILABLE\n",
        "     1  order, action of send: OK, the oldest started 4h 1m ago\n"
        "        sagactl retry --all --address here:1 --tls-key k --definition order --step send --status OK\n"};
    ck_assert_msg(strncmp(said, first, strlen(first)) == 0, "%s", said);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(strstr(said, others[i]) != NULL, "%s\nis not in\n%s", others[i], said);
    anew();
    tell("ListDeadLetters", &answer.base);
    ck_assert_int_eq(sagactl("deadletters --summary --fleet --journal j"), EXIT_DONE);
    ck_assert_ptr_nonnull(strstr(
        said,
        "        sagactl retry --all --journal j --fleet --definition order --step charge --status UNAVAILABLE\n"));
    anew();
    tell("ListDeadLetters", &answer.base);
    ck_assert_int_eq(sagactl("deadletters --summary --step charge --status UNAVAILABLE -o json"), EXIT_DONE);
    json_t *kinds = json_loads(said, 0, NULL);
    ck_assert_uint_eq(json_array_size(kinds), 2);
    const json_t *kind = json_array_get(kinds, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(kinds, 0), "count")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(kind, "definition")), "refund");
    ck_assert_str_eq(json_string_value(json_object_get(kind, "phase")), "compensation");
    ck_assert_str_eq(json_string_value(json_object_get(kind, "status")), "UNAVAILABLE");
    json_decref(kinds);
}
END_TEST

/* What is proposed can be typed, however the question was written. */
START_TEST(deadletters__are_asked_for_again_by_a_question_on_one_line)
{
    static const struct {
        const char *where, *again; /* as a shell reads it */
    } cases[] = {
        {"step=='charge'//which", "step=='charge'"},
        {"step\n//which\n\t!='a//b'//and\n||true//both", "step   !='a//b' ||true"},
        {"step!=\"it's//\\\"//\"//it", "step!=\"it's//\\\"//\""},
        {"step!=r'\\'//it", "step!=r'\\'"},
        {"step!=bR'\\'//it", "step!=bR'\\'"},
        {"step!=b'\\'//'//it", "step!=b'\\'//'"},
        {"step!='''a'//b'''//it", "step!='''a'//b'''"},
        {"`//`==1//it", "`//`==1"},
        {"step!='open//", "step!='open//"},
        {"a/b>1", "a/b>1"},
    };
    Saga__V1__ListDeadLettersResponse answer;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[200], line[300], where[200], word[300];
        told_letters(&answer);
        answer.n_sagas = 1;
        anew();
        tell("ListDeadLetters", &answer.base);
        snprintf(words, sizeof words, "deadletters --summary --where %s", cases[i].where);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        snprintf(where, sizeof where, "(%s) && step == 'charge' && status == 'UNAVAILABLE'", cases[i].again);
        snprintf(line, sizeof line, "sagactl deadletters retry --definition order --where %s\n",
                 screen_shell_word(where, word, sizeof word));
        ck_assert_msg(strstr(said, line) != NULL, "%s\nis not in\n%s", line, said);
        answer.next_page_token = text("9f03c1d2a4b7-2b");
        anew();
        tell("ListDeadLetters", &answer.base);
        snprintf(words, sizeof words, "deadletters --where %s", cases[i].where);
        ck_assert_msg(sagactl(words) == EXIT_DONE, "%s", complained);
        snprintf(line, sizeof line, "sagactl deadletters --where %s --page ",
                 screen_shell_word(cases[i].again, word, sizeof word));
        ck_assert_msg(strstr(said, line) != NULL, "%s\nis not in\n%s", line, said);
        Saga__V1__ListDeadLettersRequest *request = ASKED(saga__v1__list_dead_letters_request, 0);
        ck_assert_str_eq(request->where, cases[i].where);
        saga__v1__list_dead_letters_request__free_unpacked(request, NULL);
    }
}
END_TEST

/* All that fit, and no others; one that is refused keeps none of the others from it, and the status tells of it. */
START_TEST(retry__of_all_goes_on_behind_a_refusal)
{
    static const struct {
        const char *words, *says, *ids;
    } cases[] = {
        {"retry --all --actor ann --status OK", "1 of 1 dead letter tried again\n", "6"},
        {"retry --all --actor ann --status FAILED_PRECONDITION", "1 of 1 dead letter tried again\n", "4"},
        {"retry --all --actor ann --step charge --status UNAVAILABLE", "2 of 4 dead letters tried again\n", "1235"},
        {"retry --all --actor ann --step send", "1 of 1 dead letter tried again\n", "6"}};
    static const int codes[] = {SAGA_E_FAILED_PRECONDITION, SAGA_OK, SAGA_E_NOT_FOUND, SAGA_OK};
    Saga__V1__ListDeadLettersResponse answer;
    Saga__V1__RetryResponse done = SAGA__V1__RETRY_RESPONSE__INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t count = strlen(cases[i].ids);
        anew();
        told_letters(&answer);
        tell("ListDeadLetters", &answer.base);
        for (size_t k = 0; k < count; k++) {
            tell("Retry", &done.base);
            told[told_count - 1].code = count > 1 ? codes[k] : SAGA_OK;
        }
        ck_assert_int_eq(sagactl(cases[i].words), count > 1 ? EXIT_NOT_FOUND : EXIT_DONE);
        ck_assert_str_eq(said, cases[i].says);
        for (unsigned k = 0; k < count; k++) {
            Saga__V1__RetryRequest *request = ASKED(saga__v1__retry_request, k + 1);
            ck_assert_int_eq(request->saga_id[strlen("9f03c1d2a4b7-")], cases[i].ids[k]);
            ck_assert_str_eq(request->actor, "ann");
            saga__v1__retry_request__free_unpacked(request, NULL);
        }
    }
}
END_TEST

/* The one step that was typed is what is tried, and what somebody was told of the first is shown of them all. */
START_TEST(retry__of_all_names_the_step)
{
    Saga__V1__ListDeadLettersResponse answer = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    Saga__V1__RetryResponse done = SAGA__V1__RETRY_RESPONSE__INIT;
    Saga__V1__Saga sagas[2] = {SAGA__V1__SAGA__INIT, SAGA__V1__SAGA__INIT}, *list[] = {&sagas[0], &sagas[1]};
    Saga__V1__Step steps[2] = {SAGA__V1__STEP__INIT, SAGA__V1__STEP__INIT}, *step_lists[2] = {&steps[0], &steps[1]};
    for (int i = 0; i < 2; i++) {
        sagas[i].id = text(i == 0 ? "9f03c1d2a4b7-2a" : "9f03c1d2a4b7-2b");
        sagas[i].definition = text("order");
        sagas[i].state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
        sagas[i].stuck_step = steps[i].name = text("charge");
        sagas[i].steps = &step_lists[i];
        sagas[i].n_steps = 1;
        steps[i].last_status = SAGA_E_UNAVAILABLE;
        steps[i].last_message = text(i == 0 ? "the bank is shut" : "it still is");
    }
    answer.sagas = list;
    answer.n_sagas = 2;
    tell("ListDeadLetters", &answer.base);
    tell("Retry", &done.base);
    tell("Retry", &done.base);
    ck_assert_int_eq(sagactl("retry --all --step charge --actor ann -o json"), EXIT_DONE);
    assert_json(said, "{'found':2,'retried':2}");
    assert_asked(1, &saga__v1__retry_request__descriptor,
                 "{'actor':'ann','saga_id':'9f03c1d2a4b7-2a','step':'charge'}");
    assert_asked(2, &saga__v1__retry_request__descriptor,
                 "{'actor':'ann','saga_id':'9f03c1d2a4b7-2b','step':'charge'}");
    anew();
    tell("ListDeadLetters", &answer.base);
    SHOWS("deadletters --summary",
          "2 dead letters:\n     2  order, action of charge: UNAVAILABLE\n        the bank is shut\n"
          "        sagactl retry --all --definition order --step charge --status UNAVAILABLE\n");
}
END_TEST

/* Where not all of them could be found none is tried, and of a count nothing is said. */
START_TEST(retry__of_all_needs_all)
{
    static const int codes[] = {SAGA_E_PERMISSION_DENIED, SAGA_E_NOT_FOUND, SAGA_E_UNAVAILABLE};
    static const int statuses[] = {EXIT_REFUSED, EXIT_NOT_FOUND, EXIT_UNREACHABLE};
    Saga__V1__ListDeadLettersResponse answer;
    for (int i = 0; i < 3; i++)
        for (int page = 0; page < 2; page++) {
            anew();
            told_letters(&answer);
            answer.next_page_token = text("next");
            if (page == 1)
                tell("ListDeadLetters", &answer.base);
            tell("ListDeadLetters", NULL);
            told[page].code = codes[i];
            ck_assert_int_eq(sagactl(page == 0 ? "retry --all" : "retry --all -o json"), statuses[i]);
            ck_assert_str_eq(said, "");
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_sagas");
    TCase *tc = tcase_create("commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, get__puts_its_pages_together);
    tcase_add_test(tc, deadletters__are_counted);
    tcase_add_test(tc, deadletters__are_told_by_what_they_have_in_common);
    tcase_add_test(tc, retry__of_all_goes_on_behind_a_refusal);
    tcase_add_test(tc, retry__of_all_names_the_step);
    tcase_add_test(tc, retry__of_all_needs_all);
    tcase_add_test(tc, list__shows_a_page_and_those_that_are_paused);
    tcase_add_test(tc, list__proposes_the_next_page_of_the_same);
    tcase_add_test(tc, list__looks_behind_an_empty_page);
    tcase_add_test(tc, deadletters__are_asked_for_again_by_a_question_on_one_line);
    tcase_add_test(tc, lists__say_which_journals_are_missing);
    tcase_add_test(tc, list__of_a_request);
    tcase_add_test(tc, list__of_a_request_that_is_not_known);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
