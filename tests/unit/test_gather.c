/* One page and one stream made of those of several loops: what each is asked, what is made of their answers. */
#include "sidecar/relay/relay_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOPS = 3 };

static struct relay relay;
static struct relayed *relayed;

/* Loop k has made frame 100 + k durable. */
static uint64_t durable_frame(void *self, unsigned loop)
{
    (void)self;
    return 100 + loop;
}

static void set_up(void)
{
    relay.options = (struct relay_options){.loops = LOOPS, .durable_frame = durable_frame};
    arena_init(&relay.arena);
    relayed = calloc(1, sizeof *relayed + LOOPS * sizeof relayed->parts[0]);
    ck_assert_ptr_nonnull(relayed);
    relayed->relay = &relay;
    relayed->count = LOOPS;
    relayed->all = true;
    for (unsigned k = 0; k < LOOPS; k++)
        relayed->parts[k].relayed = relayed;
}

static void drop(struct bytes *owned)
{
    free((void *)(uintptr_t)owned->at);
    *owned = bytes_of(NULL, 0);
}

static void forget(void)
{
    for (unsigned k = 0; k < LOOPS; k++) {
        drop(&relayed->parts[k].token);
        drop(&relayed->parts[k].body);
    }
}

static void tear_down(void)
{
    forget();
    free(relayed);
    arena_finish(&relay.arena);
}

/* ---- questions ---- */

/* What loop k is asked for with this token: the token of its own; NULL: nothing. */
static const char *asked(enum method_id method, const char *token, unsigned k)
{
    static char own[64];
    struct bytes question;
    struct error_detail detail;
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__ListDeadLettersRequest d = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    m.page_token = d.page_token = (char *)(uintptr_t)token;
    m.page_size = d.page_size = 7;
    relayed->request.method = method;
    const ProtobufCMessage *whole = method == METHOD_LIST ? &m.base : &d.base;
    drop(&relayed->parts[k].token);
    ck_assert_int_eq(gather_question(relayed, whole, k, &question, &detail), 0);
    ck_assert_uint_eq(relayed->page_size, 7);
    if (question.at == NULL)
        return NULL;
    ProtobufCMessage *part = protobuf_c_message_unpack(whole->descriptor, NULL, question.size, question.at);
    ck_assert_ptr_nonnull(part);
    snprintf(own, sizeof own, "%s",
             method == METHOD_LIST ? ((Saga__V1__ListRequest *)part)->page_token
                                   : ((Saga__V1__ListDeadLettersRequest *)part)->page_token);
    protobuf_c_message_free_unpacked(part, NULL);
    return own;
}

START_TEST(gather__each_loop_is_asked_with_its_own_token)
{
    static const enum method_id pages[] = {METHOD_LIST, METHOD_LIST_DEAD_LETTERS};
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(asked(pages[i], "1f,-,3", 0), "1f");
        ck_assert_ptr_null(asked(pages[i], "1f,-,3", 1)); /* it has no more */
        ck_assert_str_eq(asked(pages[i], "1f,-,3", 2), "3");
        for (unsigned k = 0; k < LOOPS; k++) {
            ck_assert_str_eq(asked(pages[i], "", k), "");
            ck_assert_str_eq(asked(pages[i], ",,", k), "");
        }
    }
}
END_TEST

START_TEST(gather__tokens_of_another_number_of_loops_are_refused)
{
    static const char *const bad[] = {"-", "1,2", ",", "1,2,3,4", ",,,"};
    relayed->request.method = METHOD_LIST;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (unsigned k = 0; k < LOOPS; k++) {
            struct bytes question;
            struct error_detail detail;
            Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
            m.page_token = (char *)(uintptr_t)bad[i];
            ck_assert_int_eq(gather_question(relayed, &m.base, k, &question, &detail), E_ARGUMENT);
            ck_assert_str_eq(detail.field, "page_token");
            ck_assert_ptr_null(question.at);
        }
}
END_TEST

START_TEST(gather__a_page_without_a_size_has_the_usual_one)
{
    static const int32_t sizes[] = {0, -5};
    relayed->request.method = METHOD_LIST;
    for (int i = 0; i < 2; i++) {
        struct bytes question;
        struct error_detail detail;
        Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
        m.page_size = sizes[i];
        relayed->page_size = 1;
        ck_assert_int_eq(gather_question(relayed, &m.base, 0, &question, &detail), 0);
        ck_assert_uint_eq(relayed->page_size, API_PAGE_SIZE_DEFAULT);
    }
}
END_TEST

/* What loop k is asked to watch from; the cursor that its part then has is the same. */
static const char *watched(const char *cursor, unsigned k)
{
    static char own[POSITION_TEXT_SIZE], kept[POSITION_TEXT_SIZE];
    struct bytes question;
    struct error_detail detail;
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    m.cursor = (char *)(uintptr_t)cursor;
    relayed->request.method = METHOD_WATCH;
    int code = gather_question(relayed, &m.base, k, &question, &detail);
    if (code != 0) {
        ck_assert_int_eq(code, E_ARGUMENT);
        ck_assert_str_eq(detail.field, "cursor");
        return NULL;
    }
    Saga__V1__WatchRequest *part = saga__v1__watch_request__unpack(NULL, question.size, question.at);
    ck_assert_ptr_nonnull(part);
    snprintf(own, sizeof own, "%s", part->cursor);
    saga__v1__watch_request__free_unpacked(part, NULL);
    position_format(relayed->parts[k].cursor, kept);
    ck_assert_str_eq(own, kept);
    return own;
}

static const char *text_of(uint64_t frame, uint32_t index)
{
    static char text[POSITION_TEXT_SIZE];
    position_format((struct position){.frame = frame, .index = index}, text);
    return text;
}

START_TEST(gather__a_watch_begins_where_its_cursor_says_or_now)
{
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_str_eq(watched("", k), text_of(100 + k, UINT32_MAX));
    char all[3 * POSITION_TEXT_SIZE] = "";
    for (unsigned k = 0; k < LOOPS; k++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", k == 0 ? "" : ",", text_of(7 + k, k));
    for (unsigned k = 0; k < LOOPS; k++)
        ck_assert_str_eq(watched(all, k), text_of(7 + k, k));
    char two[2 * POSITION_TEXT_SIZE + 2];
    snprintf(two, sizeof two, "%s,", text_of(1, 1));
    ck_assert_ptr_null(watched(two, 0));
    ck_assert_ptr_null(watched("x,y,z", 2));
    ck_assert_ptr_null(watched(text_of(1, 1), 0));
}
END_TEST

/* ---- pages ---- */

/* Loop k's answer: sagas of these serials (0 ends them), started that many sixteenths of a second after 1970, and the token of what follows. */
static void answer(unsigned k, bool dead, const uint64_t *serials, const char *next)
{
    Saga__V1__Saga sagas[8], *list[8];
    Google__Protobuf__Timestamp times[8];
    char ids[8][SAGA_ID_TEXT_SIZE];
    size_t n = 0;
    for (; serials[n] != 0; n++) {
        saga__v1__saga__init(&sagas[n]);
        google__protobuf__timestamp__init(&times[n]);
        saga_id_format((struct saga_id){.tag = k + 1, .serial = serials[n]}, ids[n]);
        times[n].seconds = (int64_t)serials[n] / 16;
        times[n].nanos = (int32_t)(serials[n] % 16) * 62500000;
        sagas[n].id = ids[n];
        sagas[n].started_at = &times[n];
        list[n] = &sagas[n];
    }
    Saga__V1__ListResponse m = SAGA__V1__LIST_RESPONSE__INIT;
    Saga__V1__ListDeadLettersResponse d = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    m.n_sagas = d.n_sagas = n;
    m.sagas = d.sagas = list;
    m.next_page_token = d.next_page_token = (char *)(uintptr_t)next;
    const ProtobufCMessage *response = dead ? &d.base : &m.base;
    size_t size = protobuf_c_message_get_packed_size(response);
    uint8_t *at = malloc(size + 1);
    ck_assert_ptr_nonnull(at);
    protobuf_c_message_pack(response, at);
    drop(&relayed->parts[k].body);
    relayed->parts[k].body = bytes_of(at, size);
}

#define ANSWER(k, dead, next, ...) answer(k, dead, (const uint64_t[]){__VA_ARGS__, 0}, next)

/* The page as text: "9 8 5 | 5,-,2". */
static const char *page(bool dead, size_t size)
{
    static char text[512];
    relayed->request.method = dead ? METHOD_LIST_DEAD_LETTERS : METHOD_LIST;
    relayed->page_size = size;
    struct bytes packed = gather_page(relayed);
    if (packed.at == NULL)
        return NULL;
    /* Both have their fields under the same names, and not the same numbers perhaps. */
    Saga__V1__ListResponse *m = NULL;
    Saga__V1__ListDeadLettersResponse *d = NULL;
    if (dead)
        d = saga__v1__list_dead_letters_response__unpack(NULL, packed.size, packed.at);
    else
        m = saga__v1__list_response__unpack(NULL, packed.size, packed.at);
    ck_assert(m != NULL || d != NULL);
    size_t count = dead ? d->n_sagas : m->n_sagas;
    int used = 0;
    for (size_t i = 0; i < count; i++) {
        struct saga_id id;
        const char *one = dead ? d->sagas[i]->id : m->sagas[i]->id;
        ck_assert(saga_id_parse(one, strlen(one), &id));
        used += snprintf(text + used, sizeof text - (size_t)used, "%llu ", (unsigned long long)id.serial);
    }
    snprintf(text + used, sizeof text - (size_t)used, "| %s", dead ? d->next_page_token : m->next_page_token);
    if (dead)
        saga__v1__list_dead_letters_response__free_unpacked(d, NULL);
    else
        saga__v1__list_response__free_unpacked(m, NULL);
    return text;
}

START_TEST(gather__the_newest_of_all_come_first)
{
    ANSWER(0, false, "", 90, 50, 10);
    ANSWER(1, false, "", 80, 70);
    ANSWER(2, false, "", 60);
    ck_assert_str_eq(page(false, 100), "90 80 70 60 50 10 | ");
    /* Where a loop's next page begins: behind the last of it that was shown. */
    ck_assert_str_eq(page(false, 3), "90 80 70 | 5a,-,3d");
    ck_assert_str_eq(page(false, 6), "90 80 70 60 50 10 | ");
    ck_assert_str_eq(page(false, 1), "90 | 5a,51,3d");
}
END_TEST

START_TEST(gather__dead_letters_come_oldest_first)
{
    ANSWER(0, true, "", 10, 50, 90);
    ANSWER(1, true, "", 70, 80);
    ANSWER(2, true, "", 60);
    ck_assert_str_eq(page(true, 100), "10 50 60 70 80 90 | ");
    ck_assert_str_eq(page(true, 3), "10 50 60 | 32,45,-");
}
END_TEST

/* What a loop has not looked at yet may lie before what others show. */
START_TEST(gather__a_page_ends_where_a_loop_has_more_to_look_at)
{
    ANSWER(0, false, "20", 90);
    ANSWER(1, false, "", 80, 70);
    ANSWER(2, false, "", 60);
    ck_assert_str_eq(page(false, 100), "90 | 20,51,3d");
    ANSWER(0, false, "20", 0); /* a page may be short, and even empty */
    ck_assert_str_eq(page(false, 100), "| 20,51,3d");
    for (unsigned k = 0; k < LOOPS; k++) /* tokens of all lengths have room */
        ANSWER(k, false, k == 1 ? "1000000000000000" : "ffffffffffffffff", 0);
    ck_assert_str_eq(page(false, 100), "| ffffffffffffffff,1000000000000000,ffffffffffffffff");
}
END_TEST

START_TEST(gather__a_loop_without_more_is_not_asked_again)
{
    relayed->parts[1].token = bytes_of(strdup("-"), 1);
    ANSWER(0, false, "5a", 90);
    ANSWER(2, false, "", 60);
    ck_assert_str_eq(page(false, 1), "90 | 5a,-,3d");
    ANSWER(0, false, "", 90);
    ck_assert_str_eq(page(false, 2), "90 60 | ");
}
END_TEST

START_TEST(gather__an_answer_that_is_none_makes_no_page)
{
    ANSWER(0, false, "", 90);
    ANSWER(1, false, "", 80);
    ANSWER(2, false, "", 60);
    memset((void *)(uintptr_t)relayed->parts[1].body.at, 0xff, relayed->parts[1].body.size);
    ck_assert_ptr_null(page(false, 100));
}
END_TEST

/* ---- events ---- */

/* A message of loop k with events at these frames; the cursors that it then has, one behind the other. */
static const char *told(unsigned k, uint64_t first, uint64_t second)
{
    static char text[8 * POSITION_TEXT_SIZE];
    Saga__V1__Event events[2], *list[2] = {&events[0], &events[1]};
    char cursors[2][POSITION_TEXT_SIZE];
    uint8_t packed[512];
    Saga__V1__WatchResponse m = SAGA__V1__WATCH_RESPONSE__INIT;
    position_format((struct position){.frame = first, .index = 1}, cursors[0]);
    position_format((struct position){.frame = second, .index = 2}, cursors[1]);
    for (int i = 0; i < 2; i++) {
        saga__v1__event__init(&events[i]);
        events[i].cursor = cursors[i];
    }
    m.n_events = 2;
    m.events = list;
    struct bytes out = gather_events(&relayed->parts[k], bytes_of(packed, saga__v1__watch_response__pack(&m, packed)));
    ck_assert_ptr_nonnull(out.at);
    Saga__V1__WatchResponse *r = saga__v1__watch_response__unpack(NULL, out.size, out.at);
    ck_assert(r != NULL && r->n_events == 2);
    snprintf(text, sizeof text, "%s %s", r->events[0]->cursor, r->events[1]->cursor);
    saga__v1__watch_response__free_unpacked(r, NULL);
    return text;
}

/* "a.b,c.d,e.f" of three positions. */
static char *cursor_of(char *text, const uint64_t frames[LOOPS], const uint32_t indexes[LOOPS])
{
    size_t used = 0;
    for (unsigned k = 0; k < LOOPS; k++) {
        used += position_format((struct position){.frame = frames[k], .index = indexes[k]}, text + used);
        text[used++] = k + 1 < LOOPS ? ',' : '\0';
    }
    return text;
}

START_TEST(gather__each_event_has_the_cursors_of_all)
{
    char one[LOOPS * POSITION_TEXT_SIZE], two[LOOPS * POSITION_TEXT_SIZE], both[2 * sizeof one];
    relayed->request.method = METHOD_WATCH;
    for (unsigned k = 0; k < LOOPS; k++)
        relayed->parts[k].cursor = (struct position){.frame = 10 * (k + 1), .index = 0};
    cursor_of(one, (uint64_t[]){10, 21, 30}, (uint32_t[]){0, 1, 0});
    cursor_of(two, (uint64_t[]){10, 22, 30}, (uint32_t[]){0, 2, 0});
    snprintf(both, sizeof both, "%s %s", one, two);
    ck_assert_str_eq(told(1, 21, 22), both);
    /* The next loop's events begin where that one's have ended. */
    cursor_of(one, (uint64_t[]){15, 22, 30}, (uint32_t[]){1, 2, 0});
    cursor_of(two, (uint64_t[]){16, 22, 30}, (uint32_t[]){2, 2, 0});
    snprintf(both, sizeof both, "%s %s", one, two);
    ck_assert_str_eq(told(0, 15, 16), both);
    ck_assert_ptr_null(gather_events(&relayed->parts[0], bytes_of("\xff\xff", 2)).at);
}
END_TEST

/* ---- the whole fleet ---- */

enum { JOURNALS = RELAY_JOURNALS_MAX, ROWS = 10, TEXT = 1400 };

/* Journal k's: sagas that all journals have begun in turn, newest first, each with so much text that all answers are as large as they may be. */
static struct bytes large_answer(unsigned k)
{
    static char text[TEXT + 1];
    Saga__V1__Saga sagas[ROWS], *list[ROWS];
    Google__Protobuf__Timestamp times[ROWS];
    char ids[ROWS][SAGA_ID_TEXT_SIZE];
    memset(text, 'x', TEXT);
    for (unsigned i = 0; i < ROWS; i++) {
        list[i] = &sagas[i];
        saga__v1__saga__init(&sagas[i]);
        google__protobuf__timestamp__init(&times[i]);
        saga_id_format((struct saga_id){.tag = k + 1, .serial = ROWS - i}, ids[i]);
        times[i].seconds = (int64_t)((ROWS - i) * JOURNALS + k);
        sagas[i].id = ids[i];
        sagas[i].started_at = &times[i];
        sagas[i].definition = text;
    }
    Saga__V1__ListResponse m = SAGA__V1__LIST_RESPONSE__INIT;
    m.n_sagas = ROWS;
    m.sagas = list;
    m.next_page_token = (char *)(uintptr_t) "1";
    size_t size = saga__v1__list_response__get_packed_size(&m);
    uint8_t *at = malloc(size);
    ck_assert_ptr_nonnull(at);
    saga__v1__list_response__pack(&m, at);
    return bytes_of(at, size);
}

/* One that does not answer goes on where it was, beside others that have more; alone it would be asked for ever. */
START_TEST(gather__an_absent_journal_keeps_its_place)
{
    struct wide_journal journals[LOOPS] = {{.id = 7}, {.id = 8, .absent = true}, {.id = 9}};
    struct wide wide = {.journals = journals, .count = LOOPS};
    relayed->wide = &wide;
    relayed->parts[1].token = bytes_of(strdup("1f"), 2);
    ANSWER(0, false, "20", 90);
    ANSWER(2, false, "", 60);
    ck_assert_str_eq(page(false, 100), "90 | 7=20,8=1f,9=3d");
    drop(&relayed->parts[1].token); /* it has shown nothing yet */
    ck_assert_str_eq(page(false, 100), "90 | 7=20,8=,9=3d");
    ANSWER(0, false, "", 90);
    relayed->parts[1].token = bytes_of(strdup("1f"), 2);
    ck_assert_str_eq(page(false, 100), "90 60 | ");
    relayed->wide = NULL;
}
END_TEST

/* As many journals as there may be, with as many rows of each as are asked for, are one page. */
START_TEST(gather__a_page_of_as_many_journals_as_there_may_be)
{
    struct wide *w = calloc(1, sizeof *w);
    struct relayed *all = calloc(1, sizeof *all + JOURNALS * sizeof all->parts[0]);
    ck_assert(w != NULL && all != NULL);
    w->journals = calloc(JOURNALS, sizeof *w->journals);
    ck_assert_ptr_nonnull(w->journals);
    w->count = all->count = JOURNALS;
    all->relay = &relay;
    all->wide = w;
    all->request.method = METHOD_LIST;
    all->page_size = 1000;
    for (unsigned k = 0; k < JOURNALS; k++) {
        w->journals[k].id = k + 1;
        all->parts[k].body = large_answer(k);
    }
    struct bytes body = gather_page(all);
    Saga__V1__ListResponse *m = saga__v1__list_response__unpack(NULL, body.size, body.at);
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(m->n_sagas, 1000);
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_int_eq(m->sagas[i]->started_at->seconds, (int64_t)ROWS * JOURNALS + JOURNALS - 1 - i);
    /* Where each goes on: the newest of the first has not been taken yet, nor of the 23 behind it. */
    ck_assert_ptr_eq(strstr(m->next_page_token, "1=b,2=b,"), m->next_page_token);
    ck_assert_ptr_nonnull(strstr(m->next_page_token, ",24=b,25=a,"));
    saga__v1__list_response__free_unpacked(m, NULL);
    for (unsigned k = 0; k < JOURNALS; k++)
        free((void *)(uintptr_t)all->parts[k].body.at);
    free(w->journals);
    free(w);
    free(all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gather");
    TCase *tcase = tcase_create("gather");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, gather__each_loop_is_asked_with_its_own_token);
    tcase_add_test(tcase, gather__tokens_of_another_number_of_loops_are_refused);
    tcase_add_test(tcase, gather__a_page_without_a_size_has_the_usual_one);
    tcase_add_test(tcase, gather__a_watch_begins_where_its_cursor_says_or_now);
    tcase_add_test(tcase, gather__the_newest_of_all_come_first);
    tcase_add_test(tcase, gather__dead_letters_come_oldest_first);
    tcase_add_test(tcase, gather__a_page_ends_where_a_loop_has_more_to_look_at);
    tcase_add_test(tcase, gather__a_loop_without_more_is_not_asked_again);
    tcase_add_test(tcase, gather__an_answer_that_is_none_makes_no_page);
    tcase_add_test(tcase, gather__each_event_has_the_cursors_of_all);
    tcase_add_test(tcase, gather__an_absent_journal_keeps_its_place);
    tcase_add_test(tcase, gather__a_page_of_as_many_journals_as_there_may_be);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
