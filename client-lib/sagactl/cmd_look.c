/* cmd_look.c - get, list, deadletters. */
#include "client-lib/sagactl/question.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/show.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include <saga/client.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE_MAX 1000

#define TIMELINE_PAGE_MAX 5000

/* Asks for the pages before this one, and puts their events before its own. */
static int add_earlier(struct run *r, Saga__V1__GetRequest *request, Saga__V1__GetResponse *answer)
{
    while (answer->next_page_token[0] != '\0') {
        Saga__V1__GetResponse *page;
        request->page_token = answer->next_page_token;
        int status =
            run_call(r, "/saga.v1.Coordinator/Get", &request->base, &saga__v1__get_response__descriptor, &page);
        if (status != EXIT_DONE)
            return status;
        if (strcmp(page->next_page_token, answer->next_page_token) == 0) {
            protobuf_c_message_free_unpacked(&page->base, NULL);
            return run_say(r, EXIT_REFUSED, "the sidecar's token for the next page cannot be used");
        }
        size_t count = page->n_timeline + answer->n_timeline;
        Saga__V1__Event **timeline = malloc((count + 1) * sizeof(*timeline));
        if (timeline == NULL) {
            protobuf_c_message_free_unpacked(&page->base, NULL);
            return run_say(r, EXIT_REFUSED, "no memory is left for the timeline");
        }
        if (page->n_timeline > 0)
            memcpy(timeline, page->timeline, page->n_timeline * sizeof(*timeline));
        if (answer->n_timeline > 0)
            memcpy(timeline + page->n_timeline, answer->timeline, answer->n_timeline * sizeof(*timeline));
        free(answer->timeline);
        answer->timeline = timeline;
        answer->n_timeline = count;
        answer->timeline_truncated = page->timeline_truncated;
        page->n_timeline = 0;
        char *token = page->next_page_token;
        page->next_page_token = answer->next_page_token;
        answer->next_page_token = token;
        protobuf_c_message_free_unpacked(&page->base, NULL);
    }
    return EXIT_DONE;
}

/* The id of the saga that was started with --request-id. */
static int find_request(struct run *r, char id[SAGA_ID_SIZE])
{
    Saga__V1__FindRequest request = SAGA__V1__FIND_REQUEST__INIT;
    Saga__V1__FindResponse *answer;
    request.request_id = (char *)(uintptr_t)r->o.request_id;
    int status = run_call(r, "/saga.v1.Coordinator/Find", &request.base, &saga__v1__find_response__descriptor, &answer);
    if (status == EXIT_DONE) {
        snprintf(id, SAGA_ID_SIZE, "%s", answer->saga_id);
        protobuf_c_message_free_unpacked(&answer->base, NULL);
    }
    return status;
}

/* The id of the saga to show. */
static int find(struct run *r, char id[SAGA_ID_SIZE])
{
    bool by_request = r->o.request_id != NULL;
    if ((r->o.word_count == 1) == by_request)
        return run_say(r, EXIT_USAGE, "get takes a SAGA-ID, or --request-id and none");
    if (!by_request)
        return snprintf(id, SAGA_ID_SIZE, "%s", r->o.words[0]) >= 0 ? EXIT_DONE : EXIT_REFUSED;
    return find_request(r, id);
}

int command_get(struct run *r)
{
    char id[SAGA_ID_SIZE];
    Saga__V1__GetRequest request = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__GetResponse *answer;
    int status = find(r, id);
    if (status != EXIT_DONE)
        return status;
    request.saga_id = id;
    request.include_payloads = request.payloads_as_json = r->o.payloads;
    request.page_size = TIMELINE_PAGE_MAX;
    status = run_call(r, "/saga.v1.Coordinator/Get", &request.base, &saga__v1__get_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    request.include_payloads = false;
    status = add_earlier(r, &request, answer);
    if (status != EXIT_DONE) {
        protobuf_c_message_free_unpacked(&answer->base, NULL);
        return status;
    }
    if (answer->saga == NULL)
        status = run_say(r, EXIT_REFUSED, "the sidecar's answer holds no saga");
    else if (r->o.json)
        status = run_json(r, &answer->base, false);
    else
        show_saga(&r->screen, answer, run_same_sidecar(r));
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

/* ---- pages ---- */

/* Pages that nobody looks at one by one are as large as can be. */
static int32_t page_size(const struct run *r)
{
    bool given = (r->o.given & OPTION_BIT(OPTION_LIMIT)) != 0;
    return r->o.all && !given ? PAGE_MAX : (int32_t)r->o.limit;
}

/* What list and deadletters have in common: they ask for pages, and show sagas. */
struct paging {
    const char *method;
    ProtobufCMessage *request;
    char **token; /* in request */
    const ProtobufCMessageDescriptor *type;
    void (*show)(const struct screen *s, Saga__V1__Saga *const *sagas, size_t count);
};

/* The two answers are alike; these tell them apart. */
static Saga__V1__Saga **sagas_of(struct run *r, ProtobufCMessage *page, size_t *count, char **next)
{
    if (page->descriptor == &saga__v1__list_response__descriptor) {
        Saga__V1__ListResponse *list = (Saga__V1__ListResponse *)page;
        *count = list->n_sagas;
        *next = list->next_page_token;
        run_absent(r, list->absent, list->n_absent);
        return list->sagas;
    }
    Saga__V1__ListDeadLettersResponse *letters = (Saga__V1__ListDeadLettersResponse *)page;
    *count = letters->n_sagas;
    *next = letters->next_page_token;
    run_absent(r, letters->absent, letters->n_absent);
    return letters->sagas;
}

/* The sidecar does not look for those that are paused: they are picked here. */
static void keep_paused(Saga__V1__ListResponse *page)
{
    size_t kept = 0;
    for (size_t i = 0; i < page->n_sagas; i++) {
        if (page->sagas[i]->paused)
            page->sagas[kept++] = page->sagas[i];
        else
            protobuf_c_message_free_unpacked(&page->sagas[i]->base, NULL);
    }
    page->n_sagas = kept;
}

static int put_page(struct run *r, const struct paging *p, ProtobufCMessage *page, size_t *shown)
{
    size_t count;
    char *next;
    if ((r->o.states & WORDS_PAUSED) != 0)
        keep_paused((Saga__V1__ListResponse *)page);
    Saga__V1__Saga **sagas = sagas_of(r, page, &count, &next);
    int status = EXIT_DONE;
    if (r->o.json && !r->o.all && (count > 0 || next[0] == '\0'))
        status = run_json(r, page, false);
    for (size_t i = 0; r->o.json && r->o.all && i < count && status == EXIT_DONE; i++)
        status = run_json(r, &sagas[i]->base, true);
    if (!r->o.json && count > 0)
        p->show(&r->screen, sagas, count);
    fflush(r->screen.out);
    *shown += count;
    return status;
}

/* A page may be empty and still have a next one: goes on until something is shown or the end is reached, with --all
 * until the end. */
static int put_pages(struct run *r, const struct paging *p, size_t *shown, char next_token[TOKEN_SIZE])
{
    *shown = 0;
    next_token[0] = '\0';
    for (;;) {
        ProtobufCMessage *page;
        size_t count;
        char *next;
        int status = run_call(r, p->method, p->request, p->type, &page);
        if (status != EXIT_DONE)
            return status;
        sagas_of(r, page, &count, &next);
        status = put_page(r, p, page, shown);
        bool same = strcmp(next, next_token) == 0;
        size_t size = strlen(next);
        if (size < TOKEN_SIZE)
            memcpy(next_token, next, size + 1);
        protobuf_c_message_free_unpacked(page, NULL);
        if (status != EXIT_DONE || size == 0)
            return status;
        if (same || size >= TOKEN_SIZE)
            return run_say(r, EXIT_REFUSED, "the sidecar's token for the next page cannot be used");
        if (!r->o.all && *shown > 0)
            return EXIT_DONE;
        *p->token = next_token;
    }
}

/* The end of the command that shows the next page: what both lists take. */
static void put_next(const struct run *r, const char *token)
{
    char limit[16], where[QUESTION_WHERE_SIZE];
    snprintf(limit, sizeof limit, "%u", (unsigned)r->o.limit);
    fputs(run_same_sidecar(r), r->screen.out);
    run_put_option(r, "definition", r->o.definition);
    run_put_option(r, "where", r->o.where == NULL ? NULL : question_on_a_line(r->o.where, where, sizeof where));
    run_put_option(r, "journal", r->o.journal);
    if (r->o.fleet)
        fputs(" --fleet", r->screen.out);
    run_put_option(r, "limit", (r->o.given & OPTION_BIT(OPTION_LIMIT)) != 0 ? limit : NULL);
    run_put_option(r, "page", token);
    fputc('\n', r->screen.out);
}

/* ---- list ---- */

#define LIST_FILTERS \
    (OPTION_BIT(OPTION_STATE) | OPTION_BIT(OPTION_DEFINITION) | OPTION_BIT(OPTION_TAG) | OPTION_BIT(OPTION_SINCE) | \
     OPTION_BIT(OPTION_BEFORE) | OPTION_BIT(OPTION_PAGE) | OPTION_BIT(OPTION_WHERE) | OPTION_BIT(OPTION_FLEET) | \
     OPTION_BIT(OPTION_JOURNAL))

/* What is ago is so to the second, since the command of the next page has the time itself. */
static bool set_time(struct run *r, const char *text, Google__Protobuf__Timestamp *t)
{
    const struct instant second = {.us = r->screen.now.us / 1000000 * 1000000};
    struct instant at;
    if (text == NULL || times_read(text, second, r->o.utc, &at) != NULL)
        return false;
    t->seconds = at.us / 1000000;
    t->nanos = (int32_t)(at.us % 1000000) * 1000;
    return true;
}

/* "2h" is another time when the next page is asked for: the proposed command has the time itself. */
static void put_time(const struct run *r, const char *option, const Google__Protobuf__Timestamp *t)
{
    char text[TIMES_TEXT_SIZE], part[16] = "";
    if (t == NULL)
        return;
    time_t seconds = (time_t)t->seconds;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL)
        return;
    if (t->nanos > 0)
        snprintf(part, sizeof part, ".%06d", t->nanos / 1000);
    size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + used, sizeof text - used, "%sZ", part);
    run_put_option(r, option, text);
}

static void put_states(const struct run *r)
{
    static const char *const names[] = {"", "running", "committed", "compensating", "compensated", "stuck", "resolved"};
    const char *between = " --state ";
    for (unsigned state = 1; state < sizeof names / sizeof names[0]; state++) {
        if ((r->o.states >> state & 1) == 0)
            continue;
        fprintf(r->screen.out, "%s%s", between, names[state]);
        between = ",";
    }
    if ((r->o.states & WORDS_PAUSED) != 0)
        fprintf(r->screen.out, "%spaused", between);
}

/* The saga of --request-id, as a list of one. */
static int list_request(struct run *r)
{
    char id[SAGA_ID_SIZE];
    Saga__V1__GetRequest request = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__GetResponse *answer;
    Saga__V1__ListResponse list = SAGA__V1__LIST_RESPONSE__INIT;
    if ((r->o.given & ~OPTION_BIT(OPTION_REQUEST_ID) & LIST_FILTERS) != 0)
        return run_say(r, EXIT_USAGE, "--request-id names one saga: nothing else chooses beside it");
    int status = find_request(r, id);
    if (status != EXIT_DONE)
        return status;
    request.saga_id = id;
    request.page_size = 1;
    status = run_call(r, "/saga.v1.Coordinator/Get", &request.base, &saga__v1__get_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (answer->saga == NULL) {
        status = run_say(r, EXIT_REFUSED, "the sidecar's answer holds no saga");
    } else {
        size_t steps = answer->saga->n_steps;
        answer->saga->n_steps = 0; /* a list shows none */
        list.sagas = &answer->saga;
        list.n_sagas = 1;
        if (r->o.json)
            status = run_json(r, r->o.all ? &answer->saga->base : &list.base, r->o.all);
        else
            show_list(&r->screen, list.sagas, list.n_sagas);
        answer->saga->n_steps = steps;
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return status;
}

int command_list(struct run *r)
{
    if (r->o.request_id != NULL)
        return list_request(r);
    Saga__V1__ListRequest request = SAGA__V1__LIST_REQUEST__INIT;
    Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT, before = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__SagaState states[8];
    struct paging p = {"/saga.v1.Coordinator/List", &request.base, &request.page_token,
                       &saga__v1__list_response__descriptor, show_list};
    static char next[TOKEN_SIZE];
    size_t shown;
    request.states = states;
    uint32_t wanted = r->o.states == WORDS_PAUSED ? words_states("live", NULL, NULL) : r->o.states;
    for (unsigned state = 1; state < 8; state++)
        if ((wanted >> state & 1) != 0)
            states[request.n_states++] = (Saga__V1__SagaState)state;
    if (r->o.definition != NULL)
        request.definition = (char *)(uintptr_t)r->o.definition;
    char tag_name[256];
    Saga__V1__Tag tag = SAGA__V1__TAG__INIT, *tags[] = {&tag};
    if (r->o.tag != NULL) {
        const char *sign = strchr(r->o.tag, '=');
        snprintf(tag_name, sizeof tag_name, "%.*s", (int)(sign - r->o.tag), r->o.tag);
        tag.name = tag_name;
        tag.value = (char *)(uintptr_t)sign + 1;
        request.tags = tags;
        request.n_tags = 1;
    }
    if (r->o.where != NULL)
        request.where = (char *)(uintptr_t)r->o.where;
    if (r->o.page != NULL)
        request.page_token = (char *)(uintptr_t)r->o.page;
    request.started_from = set_time(r, r->o.since, &since) ? &since : NULL;
    request.started_before = set_time(r, r->o.before, &before) ? &before : NULL;
    request.fleet = r->o.fleet;
    if (r->o.journal != NULL)
        request.journal = (char *)(uintptr_t)r->o.journal;
    request.page_size = page_size(r);
    int status = put_pages(r, &p, &shown, next);
    if (status != EXIT_DONE || r->o.json)
        return status;
    if (shown == 0)
        fputs("No saga matches.\n", r->screen.out);
    if (next[0] != '\0') {
        fputs("more: sagactl list", r->screen.out);
        put_states(r);
        put_time(r, "since", request.started_from);
        put_time(r, "before", request.started_before);
        run_put_option(r, "tag", r->o.tag);
        put_next(r, next);
    }
    return status;
}

/* ---- deadletters ---- */

int command_deadletters(struct run *r)
{
    Saga__V1__ListDeadLettersRequest request = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    struct paging p = {"/saga.v1.Operator/ListDeadLetters", &request.base, &request.page_token,
                       &saga__v1__list_dead_letters_response__descriptor, show_dead_letters};
    static char next[TOKEN_SIZE];
    size_t shown;
    if (r->o.word_count > 0)
        return run_bulk(r);
    if (r->o.summary)
        return run_summary(r);
    if (r->o.definition != NULL)
        request.definition = (char *)(uintptr_t)r->o.definition;
    if (r->o.where != NULL)
        request.where = (char *)(uintptr_t)r->o.where;
    if (r->o.page != NULL)
        request.page_token = (char *)(uintptr_t)r->o.page;
    request.fleet = r->o.fleet;
    if (r->o.journal != NULL)
        request.journal = (char *)(uintptr_t)r->o.journal;
    request.page_size = page_size(r);
    int status = put_pages(r, &p, &shown, next);
    if (status != EXIT_DONE || r->o.json)
        return status;
    if (shown == 0) {
        fputs("No saga is stuck.\n", r->screen.out);
        return status;
    }
    fprintf(r->screen.out, "\n%zu dead letter%s%s. What to do about one: sagactl", shown, shown == 1 ? "" : "s",
            next[0] ? " and more" : "");
    fputs(" get SAGA-ID\n", r->screen.out);
    if (next[0] != '\0') {
        fputs("more: sagactl deadletters", r->screen.out);
        put_next(r, next);
    }
    return status;
}
