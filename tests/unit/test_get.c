/* A saga and its timeline, page by page: the latest first, each event once, and what no page gave is refused. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;
static char id[SAGA_ID_TEXT_SIZE];
static Saga__V1__GetRequest request;

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void set_up(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    api_world_begin(&w, 0, "order", "", id);
    request = (Saga__V1__GetRequest)SAGA__V1__GET_REQUEST__INIT;
    request.saga_id = id;
}

static void tear_down(void)
{
    api_world_close(&w);
}

/* An event more of the saga. */
static void pause_or_resume(bool pauses)
{
    Saga__V1__PauseRequest pause = SAGA__V1__PAUSE_REQUEST__INIT;
    Saga__V1__ResumeRequest resume = SAGA__V1__RESUME_REQUEST__INIT;
    pause.saga_id = resume.saga_id = id;
    pause.actor = resume.actor = text_of("anna");
    pause.reason = text_of("lunch");
    protobuf_c_message_free_unpacked(
        api_world_get(&w, 0, pauses ? METHOD_PAUSE : METHOD_RESUME, pauses ? &pause.base : &resume.base), NULL);
}

/* Four events of the saga in one frame. */
static void enlist(void)
{
    static const char *const steps[] = {"a", "b", "c", "d"};
    Saga__V1__EnlistRequest m = SAGA__V1__ENLIST_REQUEST__INIT;
    Saga__V1__Enlistment each[4], *all[4];
    for (int i = 0; i < 4; i++) {
        saga__v1__enlistment__init(all[i] = &each[i]);
        each[i].step = text_of(steps[i]);
    }
    m.saga_id = id;
    m.enlist = all;
    m.n_enlist = 4;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ENLIST, &m.base), NULL);
}

static Saga__V1__GetResponse *get(void)
{
    return api_world_get(&w, 0, METHOD_GET, &request.base);
}

static void drop(Saga__V1__GetResponse *r)
{
    saga__v1__get_response__free_unpacked(r, NULL);
}

static void refused(const char *field)
{
    api_world_refused(&w, 0, METHOD_GET, &request.base, "INVALID_ARGUMENT", field);
}

/* Wherever a page begins: several events of one frame are told apart, too. */
START_TEST(get__pages_have_each_event_once_and_the_latest_first)
{
    enlist();
    for (int i = 0; i < 6; i++)
        pause_or_resume(i % 2 == 0);
    Saga__V1__GetResponse *all = get();
    size_t left = all->n_timeline;
    ck_assert_uint_ge(left, 11);
    ck_assert(!all->timeline_truncated);
    ck_assert_str_eq(all->next_page_token, "");
    char token[64] = "";
    while (left > 0) {
        request.page_size = 3;
        request.page_token = token;
        Saga__V1__GetResponse *page = get();
        ck_assert_uint_eq(page->n_timeline, left < 3 ? left : 3);
        left -= page->n_timeline;
        for (size_t i = 0; i < page->n_timeline; i++) {
            const Saga__V1__Event *is = page->timeline[i], *was = all->timeline[left + i];
            ck_assert_int_eq(is->type, was->type);
            ck_assert_str_eq(is->cursor, was->cursor);
            ck_assert_str_eq(is->actor, was->actor);
            ck_assert_str_eq(is->step, was->step);
        }
        ck_assert_str_eq(page->saga->id, id);
        ck_assert_int_eq(page->timeline_truncated, left > 0);
        ck_assert_int_eq(page->next_page_token[0] != '\0', left > 0);
        ck_assert_uint_lt(strlen(page->next_page_token), sizeof token);
        strcpy(token, page->next_page_token);
        drop(page);
    }
    drop(all);
}
END_TEST

/* An event of a step has its name, of a saga that is live and of one that has ended; and who did what, and why. */
START_TEST(get__events_tell_of_which_step_they_are)
{
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    abort.saga_id = id;
    enlist();
    pause_or_resume(true);
    pause_or_resume(false);
    for (int ended = 0; ended < 2; ended++) {
        Saga__V1__GetResponse *r = get();
        char steps[16] = "";
        int acts = 0;
        for (size_t i = 0; i < r->n_timeline; i++) {
            const Saga__V1__Event *e = r->timeline[i];
            ck_assert_str_eq(e->definition, "order");
            if (e->type == SAGA__V1__EVENT_TYPE__EVENT_TYPE_STEP_ENLISTED)
                strncat(steps, e->step, sizeof steps - strlen(steps) - 1);
            else if (e->actor[0] == '\0')
                continue;
            else if (strcmp(e->actor, "anna") == 0)
                acts += strcmp(e->message, "lunch") == 0;
        }
        ck_assert_str_eq(steps, "abcd");
        ck_assert_int_ge(acts, 1);
        drop(r);
        if (!ended)
            protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    }
}
END_TEST

/* A long history is gathered in pieces, and another is served between two of them. */
START_TEST(get__a_long_history_does_not_hold_the_loop)
{
    enum { EVENTS = 400 };
    for (int i = 0; i < EVENTS; i++)
        pause_or_resume(i % 2 == 0);
    request.page_size = 5000;
    w.tick = (struct span){.us = 100}; /* what a frame costs */
    struct world_call *call = api_world_ask(&w, 0, METHOD_GET, &request.base);
    unsigned turns = 0;
    for (; !call->ended && turns < EVENTS; turns++)
        api_world_turn(&w, 0);
    w.tick = (struct span){0};
    ck_assert(call->ended);
    ck_assert_uint_gt(turns, 10);
    ck_assert_int_le(w.longest.us, 10000);
    Saga__V1__GetResponse *r = saga__v1__get_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_uint_gt(r->n_timeline, EVENTS);
    drop(r);
    api_world_free(call);
}
END_TEST

START_TEST(get__pages_have_bounds)
{
    request.page_size = 5000;
    drop(get());
    request.page_size = 5001;
    refused("page_size");
    request.page_size = -1;
    refused("page_size");
}
END_TEST

START_TEST(get__tokens_that_no_page_gave_are_refused)
{
    request.page_token = text_of("nonsense");
    refused("page_token");
    request.page_token = text_of("7fffffff.1");
    refused("page_token");
    pause_or_resume(true);
    request.page_token = text_of("");
    request.page_size = 1;
    Saga__V1__GetResponse *page = get();
    char other[SAGA_ID_TEXT_SIZE];
    api_world_begin(&w, 0, "other", "", other);
    request.saga_id = other;
    request.page_token = page->next_page_token;
    refused("page_token");
    drop(page);
}
END_TEST

/* A saga is known by its whole id: one of another journal with the same number is none of ours, while ours lives and when it has ended. */
START_TEST(get__is_of_the_whole_id)
{
    char other[SAGA_ID_TEXT_SIZE];
    snprintf(other, sizeof other, "%s", id);
    other[0] = other[0] == 'f' ? 'e' : 'f';
    Saga__V1__CommitRequest commit = SAGA__V1__COMMIT_REQUEST__INIT;
    commit.saga_id = id;
    for (int ended = 0; ended < 2; ended++) {
        request.saga_id = id;
        Saga__V1__GetResponse *r = get();
        ck_assert_str_eq(r->saga->id, id);
        drop(r);
        request.saga_id = other;
        api_world_refused(&w, 0, METHOD_GET, &request.base, "SAGA_NOT_FOUND", "");
        if (!ended)
            protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_COMMIT, &commit.base), NULL);
    }
}
END_TEST

/* Payloads are shown to who asks for them, and as JSON only then. */
/* As it is in memory: the journal alone does not tell. */
START_TEST(get__what_a_live_saga_waits_for_is_told)
{
    static const char *const words[] = {"its owner to settle it", "a resume of the saga"};
    enlist();
    for (int paused = 0; paused < 2; paused++) {
        if (paused)
            pause_or_resume(true);
        Saga__V1__GetResponse *r = get();
        ck_assert_uint_eq(r->saga->n_steps, 4);
        for (size_t i = 0; i < 4; i++)
            ck_assert_str_eq(r->saga->steps[i]->waiting_for, words[paused]);
        drop(r);
    }
}
END_TEST

START_TEST(get__payloads_are_asked_for)
{
    static const char one[] =
        "name: one\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /t.T/Do, compensation: /t.T/Undo}\n";
    api_world_register(&w, one);
    Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
    start.definition = text_of("one");
    start.input = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "in", .len = 2};
    Saga__V1__StartResponse *s = api_world_get(&w, 0, METHOD_START, &start.base);
    request.saga_id = s->saga_id;
    for (int include = 0; include < 2; include++)
        for (int json = 0; json < 2; json++) {
            request.include_payloads = include;
            request.payloads_as_json = json;
            Saga__V1__GetResponse *r = get();
            ck_assert_uint_eq(r->saga->input.len, include ? 2 : 0);
            ck_assert_uint_eq(r->saga->n_steps, 1);
            drop(r);
        }
    saga__v1__start_response__free_unpacked(s, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("get");
    TCase *tc = tcase_create("get");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, get__pages_have_each_event_once_and_the_latest_first);
    tcase_add_test(tc, get__events_tell_of_which_step_they_are);
    tcase_add_test(tc, get__a_long_history_does_not_hold_the_loop);
    tcase_add_test(tc, get__pages_have_bounds);
    tcase_add_test(tc, get__tokens_that_no_page_gave_are_refused);
    tcase_add_test(tc, get__is_of_the_whole_id);
    tcase_add_test(tc, get__what_a_live_saga_waits_for_is_told);
    tcase_add_test(tc, get__payloads_are_asked_for);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
