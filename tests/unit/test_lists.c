/* Pages of sagas that need a person, oldest first, and what is shown of each; questions about sagas; what a saga goes without. */
#include "tests/support/api_world.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_FOUND           5
#define FAILED_PRECONDITION 9
#define UNIMPLEMENTED       12

static struct api_world w;
static struct who everybody[] = {{.kind = WHO_ANYONE}};
static char id[SAGA_ID_TEXT_SIZE]; /* of the latest that was started */

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void set_up(void)
{
    static const char *const names[] = {"order", "other"};
    char yaml[512];
    api_world_init(&w, 1);
    api_world_start(&w);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(
            yaml, sizeof yaml,
            "name: %s\nversion: 1.0.0\nsteps:\n"
            "  - {name: a, target: t, action: /p.S/A, compensation: {method: /p.S/UndoA, retry: {maxAttempts: 1}}}\n"
            "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none}\n",
            names[i]);
        api_world_register(&w, yaml);
    }
}

static void tear_down(void)
{
    api_world_close(&w);
}

static void start(const char *definition, struct bytes input)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    m.definition = text_of(definition);
    m.input = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)input.at, .len = input.size};
    Saga__V1__StartResponse *r = api_world_get(&w, 0, METHOD_START, &m.base);
    snprintf(id, sizeof id, "%s", r->saga_id);
    saga__v1__start_response__free_unpacked(r, NULL);
}

static void answer(int status, const char *message)
{
    api_world_answer(&w, 0, status, message, bytes_of(NULL, 0));
}

/* Its second step is refused, and so is the undo of the first. */
static void dead_letter(const char *definition, int undo_status)
{
    start(definition, bytes_of_text("in"));
    answer(0, "");
    answer(NOT_FOUND, "there is no b");
    answer(undo_status, "it cannot be undone");
}

static Saga__V1__ListDeadLettersRequest letters_of(const char *definition, const char *where)
{
    Saga__V1__ListDeadLettersRequest m = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    m.definition = text_of(definition);
    m.where = text_of(where);
    return m;
}

static Saga__V1__ListDeadLettersResponse *letters(const Saga__V1__ListDeadLettersRequest *m)
{
    return api_world_get(&w, 0, METHOD_LIST_DEAD_LETTERS, &m->base);
}

static size_t count_letters(const char *definition, const char *where)
{
    const Saga__V1__ListDeadLettersRequest m = letters_of(definition, where);
    Saga__V1__ListDeadLettersResponse *r = letters(&m);
    size_t count = r->n_sagas;
    ck_assert_str_eq(r->next_page_token, "");
    saga__v1__list_dead_letters_response__free_unpacked(r, NULL);
    return count;
}

static size_t count_listed(const char *where)
{
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.where = text_of(where);
    Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
    size_t count = r->n_sagas;
    saga__v1__list_response__free_unpacked(r, NULL);
    return count;
}

START_TEST(lists__a_dead_letter_tells_what_it_is_stuck_on)
{
    dead_letter("order", FAILED_PRECONDITION);
    const Saga__V1__ListDeadLettersRequest m = letters_of("", "");
    Saga__V1__ListDeadLettersResponse *r = letters(&m);
    ck_assert_uint_eq(r->n_sagas, 1);
    const Saga__V1__Saga *s = r->sagas[0];
    ck_assert_str_eq(s->id, id);
    ck_assert_str_eq(s->definition, "order");
    ck_assert_int_eq(s->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    ck_assert_int_eq(s->reason, SAGA__V1__REASON__REASON_ACTION_REJECTED);
    ck_assert_str_eq(s->reason_step, "b");
    ck_assert_int_eq(s->stuck_reason, SAGA__V1__REASON__REASON_COMPENSATION_FAILED);
    ck_assert_str_eq(s->stuck_step, "a");
    ck_assert_uint_eq(s->n_steps, 2);
    const Saga__V1__Step *a = s->steps[0], *b = s->steps[1];
    ck_assert_int_eq(a->compensation, SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED);
    ck_assert_str_eq(a->waiting_for, "an operator");
    ck_assert_int_eq(a->last_status, FAILED_PRECONDITION);
    ck_assert_str_eq(a->last_message, "it cannot be undone");
    ck_assert_int_eq(b->last_status, NOT_FOUND);
    ck_assert_str_eq(b->last_message, "there is no b");
    ck_assert_ptr_nonnull(b->started_at);
    ck_assert_uint_eq(s->input.len, 0); /* payloads are for Get */
    saga__v1__list_dead_letters_response__free_unpacked(r, NULL);
}
END_TEST

/* Each once, whatever else there is between them; the token of the last page is empty. */
START_TEST(lists__dead_letters_come_oldest_first_and_page_by_page)
{
    enum { LETTERS = 5 };
    char ids[LETTERS][SAGA_ID_TEXT_SIZE];
    for (int i = 0; i < LETTERS; i++) {
        char other[SAGA_ID_TEXT_SIZE];
        api_world_begin(&w, 0, "x", "", other);
        dead_letter(i % 2 == 0 ? "order" : "other", FAILED_PRECONDITION);
        memcpy(ids[i], id, sizeof id);
    }
    for (int size = 1; size <= LETTERS + 1; size++) {
        char token[32] = "";
        int seen = 0;
        do {
            Saga__V1__ListDeadLettersRequest m = letters_of("", "");
            m.page_size = size;
            m.page_token = token;
            Saga__V1__ListDeadLettersResponse *r = letters(&m);
            ck_assert_uint_eq(r->n_sagas, LETTERS - seen < size ? LETTERS - seen : size);
            for (size_t i = 0; i < r->n_sagas; i++)
                ck_assert_str_eq(r->sagas[i]->id, ids[seen++]);
            ck_assert_int_eq(r->next_page_token[0] != '\0', seen < LETTERS);
            snprintf(token, sizeof token, "%s", r->next_page_token);
            saga__v1__list_dead_letters_response__free_unpacked(r, NULL);
        } while (token[0] != '\0');
        ck_assert_int_eq(seen, LETTERS);
    }
    ck_assert_uint_eq(count_letters("order", ""), 3);
    ck_assert_uint_eq(count_letters("other", ""), 2);
    ck_assert_uint_eq(count_letters("none", ""), 0);
    ck_assert_uint_eq(count_letters("orde", ""), 0);
}
END_TEST

/* Whatever else is asked for with it. */
START_TEST(lists__a_page_of_dead_letters_that_cannot_be_is_refused)
{
    static const struct {
        int32_t size;
        const char *token, *field;
    } rows[] = {{-1, "", "page_size"}, {1001, "", "page_size"}, {0, "x", "page_token"}, {0, "1 ", "page_token"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int about = 0; about < 2; about++) {
            Saga__V1__ListDeadLettersRequest m = letters_of("", about ? "state == 'STUCK'" : "");
            m.page_size = rows[i].size;
            m.page_token = text_of(rows[i].token);
            api_world_refused(&w, 0, METHOD_LIST_DEAD_LETTERS, &m.base, "INVALID_ARGUMENT", rows[i].field);
        }
}
END_TEST

/* A question may ask for what the step that a saga is stuck on was answered last, and not any other. */
START_TEST(lists__a_question_may_be_about_the_last_answer)
{
    dead_letter("order", FAILED_PRECONDITION);
    dead_letter("order", UNIMPLEMENTED);
    dead_letter("other", UNIMPLEMENTED);
    start("order", bytes_of_text("in"));
    static const struct {
        const char *definition, *where;
        size_t letters, listed;
    } asked[] = {{"", "status == 'FAILED_PRECONDITION'", 1, 1},
                 {"", "status == 'UNIMPLEMENTED'", 2, 2},
                 {"order", "status == 'UNIMPLEMENTED'", 1, 2},
                 {"", "status == 'NOT_FOUND'", 0, 0},
                 {"", "status == ''", 0, 1},
                 {"", "step == 'a'", 3, 3},
                 {"", "step == 'b'", 0, 0},
                 {"", "state == RUNNING", 0, 1},
                 {"", "state == STUCK && status == 'UNIMPLEMENTED'", 2, 2},
                 {"", "reason == COMPENSATION_FAILED", 3, 3}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        ck_assert_msg(count_letters(asked[i].definition, asked[i].where) == asked[i].letters, "%s", asked[i].where);
        ck_assert_msg(count_listed(asked[i].where) == asked[i].listed, "%s", asked[i].where);
    }
    const Saga__V1__ListDeadLettersRequest m = letters_of("", "state ==");
    api_world_refused(&w, 0, METHOD_LIST_DEAD_LETTERS, &m.base, "INVALID_ARGUMENT", "where");
}
END_TEST

/* Of the states and the definition that are asked for, live and ended, and of no other; a question narrows them, and widens nothing. */
START_TEST(lists__states_are_asked_for)
{
    static const struct {
        Saga__V1__SagaState states[2];
        size_t count;
        const char *where, *definition;
    } asked[] = {
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING}, 1, "", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK}, 1, "", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 2, "", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED}, 0, "", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING, SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 3, "", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING, SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED}, 0, "", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK}, 1, "!paused", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 2, "!paused", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 0, "state == STUCK", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK, SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING}, 1, "state == STUCK", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 2, "definition == 'other'", ""},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 2, "!paused", "other"},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 0, "!paused", "order"},
        {{SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED}, 0, "definition == 'other'", "order"}};
    dead_letter("order", FAILED_PRECONDITION);
    for (int i = 0; i < 2; i++) {
        start("other", bytes_of_text("in"));
        answer(0, "");
        answer(0, "");
    }
    start("order", bytes_of_text("in"));
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        Saga__V1__SagaState states[2] = {asked[i].states[0], asked[i].states[1]};
        Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
        m.states = states;
        m.n_states = states[1] == 0 ? 1 : 2;
        m.where = text_of(asked[i].where);
        m.definition = text_of(asked[i].definition);
        Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
        ck_assert_msg(r->n_sagas == asked[i].count, "%zu: %zu", i, r->n_sagas);
        for (size_t k = 0; k < r->n_sagas; k++)
            ck_assert(r->sagas[k]->state == states[0] || r->sagas[k]->state == states[1]);
        saga__v1__list_response__free_unpacked(r, NULL);
    }
    Saga__V1__SagaState none[] = {SAGA__V1__SAGA_STATE__SAGA_STATE_UNSPECIFIED};
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    m.states = none;
    m.n_states = 1;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "states");
    none[0] = SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED + 1;
    api_world_refused(&w, 0, METHOD_LIST, &m.base, "INVALID_ARGUMENT", "states");
}
END_TEST

/* Heartbeats can be told apart, whether they have ended or not. */
START_TEST(lists__a_question_may_be_about_heartbeats)
{
    for (int synthetic = 0; synthetic < 2; synthetic++) {
        Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
        m.definition = text_of("order");
        m.synthetic = synthetic;
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_START, &m.base), NULL);
    }
    for (int ended = 0; ended < 2; ended++) {
        ck_assert_uint_eq(count_listed("synthetic"), 1);
        ck_assert_uint_eq(count_listed("!synthetic"), 1);
        ck_assert_uint_eq(count_listed("ended_at == started_at + duration('5250ms')"), ended ? 2 : 0);
        ck_assert_uint_eq(count_listed("age < duration('1m') && mode == 'orchestrated' && version == '1.0.0'"), 2);
        w.now = instant_after(w.now, SPAN_MS(5250));
        while (!ended && w.loop[0].call_count > 0)
            answer(0, "");
    }
}
END_TEST

/* Going forward alone it is stuck on its only step as soon as that is refused. */
static const char tagged[] =
    "name: tagged\nversion: 1.0.0\nforward_only: true\nschema: shapes\ninput: shapes.Line\ntags: {tenant: =input.sku}\n"
    "steps:\n  - {name: a, target: t, action: {method: /shapes.Shop/Old}}\n";

/* Whoever may look at some sagas sees the dead letters among them. */
START_TEST(lists__dead_letters_are_shown_to_whom_they_concern)
{
    static const char *const orders[] = {"order*"};
    struct authz_rule rule = {
        .who = everybody, .who_count = 1, .rights = RIGHT_OPERATOR, .definitions = orders, .definition_count = 1};
    dead_letter("order", FAILED_PRECONDITION);
    dead_letter("other", FAILED_PRECONDITION);
    ck_assert_uint_eq(count_letters("", ""), 2);
    w.authz = (struct authz){.rules = &rule, .count = 1, .given = true};
    authz_prepare(&w.authz, &rule);
    ck_assert_uint_eq(count_letters("", ""), 1);
    ck_assert_uint_eq(count_letters("order", ""), 1);
    rule.definition_count = 0;
    rule.rights = RIGHT_SERVICE; /* of what it has begun */
    authz_prepare(&w.authz, &rule);
    ck_assert_uint_eq(count_letters("", ""), 2);
    w.peer.uid++;
    ck_assert_uint_eq(count_letters("", ""), 0);
    w.peer.uid--;
    /* And by their tags, with those of a definition or without. */
    api_world_add_schema(&w);
    api_world_register(&w, tagged);
    uint8_t room[32];
    for (unsigned i = 0; i < 3; i++) {
        start("tagged", shapes_line(bytes_of_text(i == 0 ? "zeta" : "acme"), room));
        answer(NOT_FOUND, "there is no a");
    }
    rule.rights = RIGHT_OPERATOR;
    rule.tags = bytes_of("tenant\0acme\0", 12);
    for (rule.definition_count = 0; rule.definition_count < 2; rule.definition_count++) {
        authz_prepare(&w.authz, &rule);
        ck_assert_uint_eq(count_letters("", ""), rule.definition_count == 0 ? 2 : 0);
    }
    w.authz = authz_default(false);
    ck_assert_uint_eq(count_letters("", ""), 5);
}
END_TEST

/* A page looks at so many sagas; turns in which it waits for a journal that is far away are none of them. */
START_TEST(lists__a_wait_for_the_journal_shortens_no_page)
{
    enum { LIVE = 300 };
    char other[SAGA_ID_TEXT_SIZE];
    uint8_t room[32];
    Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
    api_world_add_schema(&w);
    api_world_register(&w, tagged);
    for (int i = 0; i < LIVE; i++)
        api_world_begin(&w, 0, "x", "", other);
    start("tagged", shapes_line(bytes_of_text("acme"), room));
    answer(0, "");
    m.page_size = 1000;
    memory_disk_set_far(w.loop[0].disk, true);
    struct world_call *call = api_world_ask(&w, 0, METHOD_LIST, &m.base);
    for (int turns = 0; turns < 200; turns++)
        api_world_turn(&w, 0);
    ck_assert(!call->ended); /* the tags of the one that has ended are in the journal */
    memory_disk_arrive(w.loop[0].disk, STORE_PENDING);
    api_world_settle(&w);
    ck_assert(call->ended);
    Saga__V1__ListResponse *r = saga__v1__list_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_uint_eq(r->n_sagas, LIVE + 1);
    ck_assert_str_eq(r->next_page_token, "");
    saga__v1__list_response__free_unpacked(r, NULL);
    api_world_free(call);
    memory_disk_set_far(w.loop[0].disk, false);
}
END_TEST

/* What is said of a dead letter is in the journal: each is there, however long that takes. */
START_TEST(lists__a_wait_for_the_journal_loses_no_dead_letter)
{
    const Saga__V1__ListDeadLettersRequest m = letters_of("", "");
    for (int i = 0; i < 3; i++)
        dead_letter(i == 1 ? "other" : "order", FAILED_PRECONDITION);
    memory_disk_set_far(w.loop[0].disk, true);
    struct world_call *call = api_world_ask(&w, 0, METHOD_LIST_DEAD_LETTERS, &m.base);
    for (int turns = 0; turns < 10000 && !call->ended; turns++) {
        api_world_turn(&w, 0);
        memory_disk_arrive(w.loop[0].disk, STORE_PENDING);
    }
    ck_assert(call->ended);
    Saga__V1__ListDeadLettersResponse *r =
        saga__v1__list_dead_letters_response__unpack(NULL, call->body.size, call->body.at);
    ck_assert_uint_eq(r->n_sagas, 3);
    ck_assert_str_eq(r->sagas[1]->definition, "other");
    ck_assert_str_eq(r->sagas[2]->steps[0]->last_message, "it cannot be undone");
    saga__v1__list_dead_letters_response__free_unpacked(r, NULL);
    api_world_free(call);
    memory_disk_set_far(w.loop[0].disk, false);
}
END_TEST

/* A retry that a crash now would forget is none yet: whoever looks meanwhile finds the dead letter. */
START_TEST(lists__a_retry_that_is_not_durable_hides_no_dead_letter)
{
    const Saga__V1__ListDeadLettersRequest m = letters_of("", "");
    Saga__V1__RetryRequest retry = SAGA__V1__RETRY_REQUEST__INIT;
    for (int again = 0; again < 2; again++) {
        dead_letter("order", FAILED_PRECONDITION);
        retry.saga_id = id;
        retry.actor = text_of("ann");
        memory_disk_set_size(w.loop[0].disk, 1);
        struct world_call *retried = api_world_ask(&w, 0, METHOD_RETRY, &retry.base);
        api_world_turn(&w, 0);
        ck_assert_uint_eq(engine_counts(core_engine(w.loop[0].core)).stuck, 0);
        struct world_call *listed = api_world_ask(&w, 0, METHOD_LIST_DEAD_LETTERS, &m.base);
        api_world_turn(&w, 0);
        ck_assert(!retried->ended && listed->ended);
        Saga__V1__ListDeadLettersResponse *r =
            saga__v1__list_dead_letters_response__unpack(NULL, listed->body.size, listed->body.at);
        ck_assert_uint_eq(r->n_sagas, 1);
        ck_assert_str_eq(r->sagas[0]->id, id);
        ck_assert_int_eq(r->sagas[0]->state, SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
        saga__v1__list_dead_letters_response__free_unpacked(r, NULL);
        api_world_free(listed);
        memory_disk_set_size(w.loop[0].disk, 0);
        api_world_settle(&w);
        ck_assert(retried->ended);
        api_world_free(retried);
        ck_assert_uint_eq(count_letters("", ""), 0);
        answer(0, "");
    }
}
END_TEST

/* The sagas of one tag among others, live and ended, newest first and each once, however many a page holds. */
START_TEST(lists__those_of_a_tag_come_newest_first_and_page_by_page)
{
    enum { SAGAS = 12, OURS = SAGAS / 2 };
    char ids[OURS][SAGA_ID_TEXT_SIZE];
    uint8_t room[32];
    api_world_add_schema(&w);
    api_world_register(&w, tagged);
    for (int i = 0; i < SAGAS; i++) {
        bool ours = i % 2 == 0, ends = i % 3 != 0;
        start("tagged", shapes_line(bytes_of_text(ours ? "acme" : "zeta"), room));
        if (ours)
            memcpy(ids[OURS - 1 - i / 2], id, sizeof id);
        if (!ends)
            continue;
        /* The latest call is answered. */
        struct api_loop *loop = &w.loop[0];
        struct call_effect first = loop->calls[0];
        loop->calls[0] = loop->calls[loop->call_count - 1];
        loop->calls[loop->call_count - 1] = first;
        answer(0, "");
    }
    Saga__V1__Tag tag = SAGA__V1__TAG__INIT, *tags[] = {&tag};
    tag.name = text_of("tenant");
    tag.value = text_of("acme");
    for (int by_where = 0; by_where < 2; by_where++)
        for (int size = 1; size <= SAGAS; size++) {
            char token[32] = "";
            int seen = 0;
            do {
                Saga__V1__ListRequest m = SAGA__V1__LIST_REQUEST__INIT;
                m.tags = tags;
                m.n_tags = by_where ? 0 : 1;
                m.where = text_of(by_where ? "tags.tenant == 'acme'" : "");
                m.page_size = size;
                m.page_token = token;
                Saga__V1__ListResponse *r = api_world_get(&w, 0, METHOD_LIST, &m.base);
                ck_assert_int_le((int)r->n_sagas, size);
                for (size_t i = 0; i < r->n_sagas; i++) {
                    ck_assert_int_lt(seen, OURS);
                    ck_assert_str_eq(r->sagas[i]->id, ids[seen++]);
                    ck_assert_uint_eq(r->sagas[i]->n_tags, 1);
                    ck_assert_str_eq(r->sagas[i]->tags[0]->value, "acme");
                }
                snprintf(token, sizeof token, "%s", r->next_page_token);
                saga__v1__list_response__free_unpacked(r, NULL);
            } while (token[0] != '\0');
            ck_assert_int_eq(seen, OURS);
        }
}
END_TEST

/* By one message, which is quicker than as many calls. */
static void begin_many(size_t count)
{
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Saga__V1__Command command = SAGA__V1__COMMAND__INIT, **commands = calloc(count, sizeof(*commands));
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    ck_assert_ptr_nonnull(commands);
    begin.name = text_of("many");
    command.command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
    command.begin = &begin;
    for (size_t i = 0; i < count; i++)
        commands[i] = &command;
    m.commands = commands;
    m.n_commands = count;
    struct world_call *pipe = api_world_ask(&w, 0, METHOD_PIPE, &m.base);
    api_world_settle(&w);
    api_world_took(pipe);
    api_world_half_close(pipe);
    api_world_settle(&w);
    api_world_free(pipe);
    free(commands);
}

/* A page of few among many is short, and leads on to those behind. */
START_TEST(lists__a_page_of_dead_letters_looks_at_so_many)
{
    dead_letter("order", FAILED_PRECONDITION);
    begin_many(20000);
    dead_letter("order", FAILED_PRECONDITION);
    Saga__V1__ListDeadLettersRequest asked = letters_of("", "");
    Saga__V1__ListDeadLettersResponse *first = letters(&asked);
    ck_assert_uint_eq(first->n_sagas, 1);
    ck_assert_str_ne(first->next_page_token, "");
    asked.page_token = first->next_page_token;
    Saga__V1__ListDeadLettersResponse *second = letters(&asked);
    ck_assert_uint_eq(second->n_sagas, 1);
    ck_assert_str_eq(second->sagas[0]->id, id);
    ck_assert_str_eq(second->next_page_token, "");
    saga__v1__list_dead_letters_response__free_unpacked(first, NULL);
    saga__v1__list_dead_letters_response__free_unpacked(second, NULL);
}
END_TEST

/* How often steps of it were skipped is told of a saga while it lives and once it has ended, however it is asked for. */
START_TEST(lists__skips_are_told_live_and_ended)
{
    Saga__V1__SkipRequest skip = SAGA__V1__SKIP_REQUEST__INIT;
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__WaitRequest wait = SAGA__V1__WAIT_REQUEST__INIT;
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    api_world_register(&w, "name: twice\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                           "  - {name: a, target: t, action: /p.S/A}\n"
                           "  - {name: b, target: t, after: [a], action: /p.S/B}\n");
    start("twice", bytes_of_text("in"));
    skip.saga_id = get.saga_id = wait.saga_id = id;
    skip.actor = text_of("ann");
    skip.reason = text_of("done by hand");
    for (int skips = 0; skips <= 2; skips++) {
        Saga__V1__GetResponse *one = api_world_get(&w, 0, METHOD_GET, &get.base);
        ck_assert_int_eq(one->saga->skips, skips);
        saga__v1__get_response__free_unpacked(one, NULL);
        Saga__V1__ListResponse *all = api_world_get(&w, 0, METHOD_LIST, &list.base);
        ck_assert_uint_eq(all->n_sagas, 1);
        ck_assert_int_eq(all->sagas[0]->skips, skips);
        ck_assert_int_eq(all->sagas[0]->ended_at != NULL, skips == 2);
        saga__v1__list_response__free_unpacked(all, NULL);
        if (skips == 2)
            break;
        answer(NOT_FOUND, "");
        skip.step = text_of(skips == 0 ? "a" : "b");
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_SKIP, &skip.base), NULL);
    }
    Saga__V1__WaitResponse *end = api_world_get(&w, 0, METHOD_WAIT, &wait.base);
    ck_assert_int_eq(end->saga->state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    ck_assert_int_eq(end->saga->skips, 2);
    saga__v1__wait_response__free_unpacked(end, NULL);
}
END_TEST

/* ---- what is lacking ---- */

static const char lean[] = "name: lean\nversion: 1.0.0\nforward_only: true\nsteps:\n"
                           "  - {name: a, target: t, optional: true, action: /p.S/A, compensation: none}\n"
                           "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none,\n"
                           "     fallback: {value: {constant: plain}}}\n"
                           "  - {name: c, target: t, after: [b], action: /p.S/C, compensation: none,\n"
                           "     fallback: {last_good: {key: k, max_age: 1h}}}\n"
                           "  - {name: d, target: t, after: [c], deferred: true, action: /p.S/D}\n";

static const Saga__V1__LackKind kinds[] = {
    SAGA__V1__LACK_KIND__LACK_KIND_MISSING, SAGA__V1__LACK_KIND__LACK_KIND_FALLBACK,
    SAGA__V1__LACK_KIND__LACK_KIND_STALE, SAGA__V1__LACK_KIND__LACK_KIND_DEFERRED};

/* The saga lacks these kinds, and no other; told with their steps, or without. */
static void assert_lacks(const Saga__V1__Saga *s, size_t first, size_t count, bool with_steps, struct instant given_at)
{
    static const char *const steps[] = {"a", "b", "c", "d"};
    ck_assert_uint_eq(s->n_lacks, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(s->lacks[i]->kind, kinds[first + i]);
        ck_assert_str_eq(s->lacks[i]->step, with_steps ? steps[first + i] : "");
        bool dated = with_steps && kinds[first + i] == SAGA__V1__LACK_KIND__LACK_KIND_STALE;
        ck_assert_int_eq(s->lacks[i]->as_of != NULL, dated);
        if (dated)
            ck_assert_int_eq(s->lacks[i]->as_of->seconds * 1000000 + s->lacks[i]->as_of->nanos / 1000, given_at.us);
    }
}

/* The latest saga, as Get and as List show it. */
static void expect_lacks(size_t first, size_t count, bool ended, struct instant given_at)
{
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    get.saga_id = id;
    Saga__V1__GetResponse *one = api_world_get(&w, 0, METHOD_GET, &get.base);
    assert_lacks(one->saga, first, count, true, given_at);
    saga__v1__get_response__free_unpacked(one, NULL);
    Saga__V1__ListResponse *all = api_world_get(&w, 0, METHOD_LIST, &list.base);
    ck_assert_str_eq(all->sagas[0]->id, id);
    assert_lacks(all->sagas[0], first, count, !ended, given_at);
    saga__v1__list_response__free_unpacked(all, NULL);
}

START_TEST(lists__a_saga_tells_what_it_goes_without)
{
    api_world_register(&w, lean);
    start("lean", bytes_of_text("in"));
    for (int i = 0; i < 2; i++)
        answer(0, "");
    struct instant given_at = w.now;
    answer(0, "");
    expect_lacks(3, 1, false, given_at);
    ck_assert_uint_eq(count_listed("degraded"), 0);
    ck_assert_uint_eq(count_listed("deferred"), 1);
    answer(0, "");
    expect_lacks(0, 0, true, given_at);
    w.now.us += 5000000;
    start("lean", bytes_of_text("in"));
    for (int i = 0; i < 3; i++) {
        expect_lacks(0, (size_t)i, false, given_at);
        answer(NOT_FOUND, "");
    }
    expect_lacks(0, 4, false, given_at);
    ck_assert_uint_eq(count_listed("degraded && deferred"), 1);
    answer(0, "");
    expect_lacks(0, 3, true, given_at);
    ck_assert_uint_eq(count_listed("degraded"), 1);
    ck_assert_uint_eq(count_listed("degraded && ended_at > started_at - duration('1s')"), 1);
    ck_assert_uint_eq(count_listed("!degraded"), 1);
    ck_assert_uint_eq(count_listed("deferred"), 0);
}
END_TEST

/* Of one that was undone nothing is left that could lack anything. */
START_TEST(lists__what_was_undone_lacks_nothing)
{
    api_world_register(&w, "name: undone\nversion: 1.0.0\nsteps:\n"
                           "  - {name: a, target: t, optional: true, action: /p.S/A, compensation: none}\n"
                           "  - {name: b, target: t, after: [a], action: /p.S/B, compensation: none}\n");
    start("undone", bytes_of_text("in"));
    answer(NOT_FOUND, "");
    expect_lacks(0, 1, false, w.now);
    answer(NOT_FOUND, "");
    expect_lacks(0, 0, true, w.now);
    ck_assert_uint_eq(count_listed("degraded"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lists");
    TCase *tc = tcase_create("lists");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, lists__a_dead_letter_tells_what_it_is_stuck_on);
    tcase_add_test(tc, lists__dead_letters_come_oldest_first_and_page_by_page);
    tcase_add_test(tc, lists__a_page_of_dead_letters_that_cannot_be_is_refused);
    tcase_add_test(tc, lists__a_question_may_be_about_the_last_answer);
    tcase_add_test(tc, lists__states_are_asked_for);
    tcase_add_test(tc, lists__a_question_may_be_about_heartbeats);
    tcase_add_test(tc, lists__dead_letters_are_shown_to_whom_they_concern);
    tcase_add_test(tc, lists__a_wait_for_the_journal_shortens_no_page);
    tcase_add_test(tc, lists__a_wait_for_the_journal_loses_no_dead_letter);
    tcase_add_test(tc, lists__those_of_a_tag_come_newest_first_and_page_by_page);
    tcase_add_test(tc, lists__a_page_of_dead_letters_looks_at_so_many);
    tcase_add_test(tc, lists__skips_are_told_live_and_ended);
    tcase_add_test(tc, lists__a_saga_tells_what_it_goes_without);
    tcase_add_test(tc, lists__what_was_undone_lacks_nothing);
    tcase_add_test(tc, lists__a_retry_that_is_not_durable_hides_no_dead_letter);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
