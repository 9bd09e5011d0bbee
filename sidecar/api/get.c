/* get.c - one saga and its timeline, a page of it, gathered in pieces. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"

#include "sidecar/engine/saga.h"

/* Events on a page. With texts of bounded length 5,000 are less than the 4 MiB that clients take by default. */
#define PAGE_DEFAULT 1000
#define PAGE_MAX     5000

/* What has been found so far. Lies in the read's arena. */
struct get {
    struct saga_id id;
    bool live;                           /* and memory shows nothing that is not durable */
    bool ahead;                          /* memory does: it is shown as its durable records have it */
    const struct definition *definition; /* of a saga that has ended; NULL: it was enlisted */
    size_t page;                         /* events */
    struct position before;              /* those before this one; 0.0: the latest */
    Saga__V1__Saga *view;                /* as the saga was when it was found */
    struct timeline_walk walk;
};

static unsigned flags_of(const Saga__V1__GetRequest *m)
{
    return VIEW_STEPS | (m->include_payloads ? VIEW_PAYLOADS : 0) |
           (m->include_payloads && m->payloads_as_json ? VIEW_JSON : 0);
}

static int no_token(struct error_detail *detail)
{
    return error_set(detail, E_ARGUMENT, "page_token", "not a token of an earlier page of this saga");
}

/* Finds the saga, and sees it as it is now: what comes of it meanwhile is another answer's. */
static int begin(struct api *api, struct read *read, const Saga__V1__GetRequest *m, struct error_detail *detail)
{
    struct found found;
    struct get *g = arena_take(read->arena, sizeof *g);
    if (g == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    *g = (struct get){.page = m->page_size == 0 ? PAGE_DEFAULT : (size_t)m->page_size};
    int code = decode_saga_id(m->saga_id, &g->id, detail);
    if (code == 0 && (m->page_size < 0 || m->page_size > PAGE_MAX))
        code = error_set(detail, E_ARGUMENT, "page_size", "at most 5000; 0 takes 1000");
    if (code == 0 && m->page_token[0] != '\0' && !position_parse(m->page_token, &g->before))
        code = no_token(detail);
    if (code == 0)
        code = reads_find(api, g->id, &found, detail);
    if (code != 0)
        return code;
    const struct timeline_query query = {
        .serial = g->id.serial, .last_frame = found.last_frame, .hidden_from = core_durable(api->core) + 1};
    g->live = found.live != NULL && found.live->position < query.hidden_from;
    g->ahead = found.live != NULL && !g->live;
    if (found.live == NULL)
        g->definition = catalog_by_number(api->catalog, found.ended.definition);
    else if (g->ahead)
        g->definition = found.live->definition;
    /* The row's texts are views: this is made before the store is asked for frames. */
    if (!g->ahead)
        g->view = g->live ? view_saga(read->arena, found.live, core_engine(api->core), flags_of(m))
                          : view_ended(read->arena, &found.ended, api->catalog);
    if (g->view == NULL && !g->ahead)
        return error_set(detail, E_MEMORY, "", NULL);
    timeline_begin(&g->walk, &query, read->arena);
    read->state = g;
    return 0;
}

/* The steps of a saga that has ended come from its own replay; where its beginning is gone, it is shown without. */
static int add_steps(struct read *read, struct get *g, unsigned flags, struct error_detail *detail)
{
    struct engine *replayed;
    const struct timeline *t = &g->walk.timeline;
    if (g->ahead && t->truncated)
        return error_set(detail, E_JOURNAL_FULL, "saga_id",
                         "the saga can be shown once the journal takes what it waits for");
    if (g->ahead && t->count == 0)
        return error_set(detail, E_SAGA_NOT_FOUND, "saga_id", NULL);
    if (g->live || t->truncated)
        return 0;
    int code = timeline_replay(&g->walk.timeline, g->definition, &replayed, detail);
    if (code != 0)
        return code;
    g->view = view_saga(read->arena, engine_find(replayed, g->id.serial), NULL, flags);
    engine_destroy(replayed);
    return g->view == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
}

static struct bytes step_name(const struct get *g, uint16_t step, char name[STEP_NAME_BYTES_MAX + 1])
{
    if (step < g->view->n_steps)
        return bytes_of_text(g->view->steps[step]->name);
    return g->definition != NULL ? view_step_name(g->definition, bytes_of(NULL, 0), step, name) : bytes_of(NULL, 0);
}

/* Adds the events of the page: those before index `end` of the timeline. */
static bool add_page(struct arena *a, const struct get *g, size_t end, Saga__V1__GetResponse *response)
{
    const struct timeline *t = &g->walk.timeline;
    size_t count = end < g->page ? end : g->page, first = end - count;
    response->timeline = arena_take(a, (count + 1) * sizeof(*response->timeline));
    response->n_timeline = count;
    for (size_t i = 0; response->timeline != NULL && i < count; i++) {
        const struct timeline_entry *entry = &t->entries[first + i];
        char name[STEP_NAME_BYTES_MAX + 1];
        struct view_names names = {
            .definition = bytes_of_text(g->view->definition),
            .step = step_name(g, entry->record.step, name),
        };
        if ((response->timeline[i] = view_event(a, entry, &names)) == NULL)
            return false;
    }
    response->timeline_truncated = t->truncated || first > 0;
    if (response->timeline != NULL && first > 0) {
        response->next_page_token = arena_take(a, POSITION_TEXT_SIZE);
        if (response->next_page_token == NULL)
            return false;
        position_format(t->entries[first].position, response->next_page_token);
    }
    return response->timeline != NULL;
}

/* How many events of the timeline come before the page's end. A saga whose history was moved since has other positions. */
static int page_end(const struct get *g, size_t *end, struct error_detail *detail)
{
    const struct timeline *t = &g->walk.timeline;
    *end = t->count;
    if (g->before.frame == 0)
        return 0;
    for (size_t i = 0; i < t->count; i++)
        if (t->entries[i].position.frame == g->before.frame && t->entries[i].position.index == g->before.index) {
            *end = i;
            return 0;
        }
    return no_token(detail);
}

int get_read(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__GetRequest *m = message;
    Saga__V1__GetResponse response = SAGA__V1__GET_RESPONSE__INIT;
    int code = read->state == NULL ? begin(api, read, m, detail) : 0;
    struct get *g = read->state;
    size_t end;
    for (bool done = false; code == 0 && !done;) {
        code = timeline_go_on(&g->walk, api->core, &done, detail);
        if (code == 0 && !done && !api_has_time(api))
            return READ_MORE;
    }
    if (code == 0)
        code = add_steps(read, g, flags_of(m), detail);
    if (code == 0)
        code = page_end(g, &end, detail);
    if (code != 0)
        return code;
    if (!view_add_history(read->arena, g->view, &g->walk.timeline) ||
        !view_add_outcome(read->arena, g->view, &g->walk.timeline, g->definition, flags_of(m)) ||
        !add_page(read->arena, g, end, &response))
        return error_set(detail, E_MEMORY, "", NULL);
    response.saga = g->view;
    api_answer(api, read->request.call, &response.base);
    return 0;
}
