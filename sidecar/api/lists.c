/* lists.c - pages of sagas: all of them, newest first, or those that need a person, oldest first. A page is looked for in pieces. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"
#include "sidecar/base/texts.h"

#include <inttypes.h>

/* How many sagas one page looks at; a filter that fits few of them gives short pages rather than long waits. */
#define EXAMINE_MAX 20000
/* And a piece of it; of sagas that are asked one by one, a smaller one. */
#define EXAMINE_PIECE 250
#define ASK_PIECE     64
/* Bits of ended_query.states: those of sagas that have ended, and one of no saga. */
#define ENDED_STATES (1u << SAGA_COMMITTED | 1u << SAGA_COMPENSATED | 1u << SAGA_RESOLVED)
#define NO_STATE     (1u << 31)
/* Of a filter. */
#define LIST_TAGS_MAX 16
/* Frames with tags that are asked for while one is waited for. */
#define AHEAD_MAX 16

/* ---- List ---- */

struct listing {
    struct arena *arena;
    const struct catalog *catalog;
    Saga__V1__Saga **sagas; /* newest first */
    uint64_t *serials;
    uint64_t *frames; /* of ended sagas that have tags: where these stand; else 0 */
    size_t count;
    size_t looked_at, kept; /* of ended sagas: those whose tags have been, and those of them that are meant */
    bool failed;
};

static bool listing_init(struct listing *l, struct arena *a, const struct catalog *catalog, size_t room)
{
    *l = (struct listing){
        .arena = a,
        .catalog = catalog,
        .sagas = arena_take(a, room * sizeof *l->sagas),
        .serials = arena_take(a, room * sizeof *l->serials),
        .frames = arena_take(a, room * sizeof *l->frames),
    };
    return l->sagas != NULL && l->serials != NULL && l->frames != NULL;
}

static void list_add(struct listing *l, Saga__V1__Saga *saga, uint64_t serial, uint64_t frame)
{
    l->failed |= saga == NULL;
    l->frames[l->count] = frame;
    l->sagas[l->count] = saga;
    l->serials[l->count++] = serial;
}

static void list_ended_row(void *self, const struct ended_row *row)
{
    struct listing *l = self;
    const struct definition *d = catalog_by_number(l->catalog, row->definition);
    list_add(l, view_ended(l->arena, row, l->catalog), row->saga.serial, d != NULL && d->tagged ? row->first_frame : 0);
}

/* Whether the tags hold all that are asked for. */
static bool have_all(struct bytes tags, const Saga__V1__ListRequest *m)
{
    bool all = true;
    for (size_t i = 0; all && i < m->n_tags; i++)
        all = texts_have(tags, bytes_of_text(m->tags[i]->name), bytes_of_text(m->tags[i]->value));
    return all;
}

/* Has the store look for those that come next, too. */
static void ask_ahead(struct api *api, const struct listing *l)
{
    struct error_detail detail;
    struct bytes records;
    for (size_t i = l->looked_at + 1; i < l->count && i <= l->looked_at + AHEAD_MAX; i++)
        if (l->frames[i] != 0)
            (void)core_read_frame(api->core, l->frames[i], &records, &detail);
}

/* Shows the tags of ended sagas, and leaves out those that are not meant. */
static int tag_ended(struct api *api, struct read *read, struct listing *l, const Saga__V1__ListRequest *m,
                     struct error_detail *detail)
{
    for (; l->looked_at < l->count; l->looked_at++) {
        struct bytes tags = bytes_of(NULL, 0);
        size_t i = l->looked_at;
        int code = l->frames[i] == 0 ? 0 : reads_tags(api, l->frames[i], l->serials[i], &tags, detail);
        if (code == STORE_PENDING)
            ask_ahead(api, l);
        if (code != 0)
            return code;
        bool meant = l->sagas[i] != NULL && have_all(tags, m);
        if (meant && (code = asked_ended(api, read, l->sagas[i], tags, &meant, detail)) != 0)
            return code;
        if (!meant)
            continue;
        if (!view_add_tags(l->arena, l->sagas[i], tags))
            return error_set(detail, E_MEMORY, "", NULL);
        l->sagas[l->kept] = l->sagas[i];
        l->serials[l->kept++] = l->serials[i];
    }
    l->count = l->kept;
    return 0;
}

static bool matches(const struct saga *saga, const struct ended_query *q)
{
    return (q->states == 0 || (q->states >> saga->state & 1) != 0) &&
           (q->name.size == 0 || bytes_equal(q->name, saga->name)) &&
           (q->owner.size == 0 || bytes_equal(q->owner, saga->owner)) &&
           !instant_before(saga->started_at, q->started_from) && instant_before(saga->started_at, q->started_before);
}

/* Live sagas, as store->list_ended gives those that have ended. */
static int list_live(struct api *api, struct read *read, const struct ended_query *q, const Saga__V1__ListRequest *m,
                     struct listing *l, uint64_t *examined_to, struct error_detail *detail)
{
    uint32_t examined = 0;
    *examined_to = 0;
    const struct engine *e = core_engine(api->core);
    for (const struct saga *saga = engine_before(e, q->below); saga != NULL; saga = engine_before(e, saga->id.serial)) {
        struct shown shown;
        int code = reads_show(api, l->arena, saga, &shown, detail);
        bool meant = code == 0 && shown.saga != NULL && matches(shown.saga, q) && have_all(shown.saga->tags, m);
        if (meant)
            code = asked_live(api, read, shown.saga, saga->position, &meant, detail);
        if (code == 0 && meant)
            list_add(l, view_saga(l->arena, shown.saga, shown.replayed == NULL ? e : NULL, 0), saga->id.serial, 0);
        engine_destroy(shown.replayed);
        if (code != 0)
            return code;
        if (l->count == q->rows_max || ++examined == q->examine_max) {
            *examined_to = saga->id.serial;
            return 0;
        }
    }
    return 0;
}

static int list_query(const Saga__V1__ListRequest *m, struct ended_query *q, size_t *room, struct error_detail *detail)
{
    *q = (struct ended_query){.name = bytes_of_text(m->definition), .examine_max = EXAMINE_PIECE};
    for (size_t i = 0; i < m->n_states; i++) {
        if ((unsigned)m->states[i] < SAGA_RUNNING || (unsigned)m->states[i] > SAGA_RESOLVED)
            return error_set(detail, E_ARGUMENT, "states", "not a state of a saga");
        q->states |= UINT32_C(1) << m->states[i];
    }
    if (m->n_tags > LIST_TAGS_MAX)
        return error_set(detail, E_ARGUMENT, "tags", "at most 16");
    int code = api_page_size(m->page_size, room, detail);
    if (code == 0)
        code = reads_page_token(m->page_token, UINT64_MAX, &q->below, detail);
    if (code == 0)
        code = reads_time(m->started_from, (struct instant){0}, "started_from", &q->started_from, detail);
    if (code == 0)
        code = reads_time(m->started_before, INSTANT_NEVER, "started_before", &q->started_before, detail);
    return code;
}

/* Adds two lists to out, both newest first, down to the serial below which one of them was not looked at. What is in both ended while b was on its
 * way, and is as b has it. Returns where to go on; 0: there is no more. */
static uint64_t merge(const struct listing *a, const struct listing *b, uint64_t floor, size_t room,
                      struct listing *out)
{
    size_t i = 0, j = 0;
    while (out->count < room && (i < a->count || j < b->count)) {
        if (i < a->count && j < b->count && a->serials[i] == b->serials[j])
            i++;
        bool from_a = j == b->count || (i < a->count && a->serials[i] > b->serials[j]);
        const struct listing *from = from_a ? a : b;
        size_t at = from_a ? i++ : j++;
        if (from->serials[at] < floor)
            return floor;
        list_add(out, from->sagas[at], from->serials[at], 0);
    }
    bool more = i < a->count || j < b->count;
    return more ? out->serials[out->count - 1] : floor;
}

/* What must be so of a saga for the question to be true narrows what is looked at. */
static void narrow(struct ended_query *q, const struct where *w)
{
    if (w == NULL)
        return;
    struct bytes name = where_definition(w);
    uint32_t states = (q->states == 0 ? UINT32_MAX : q->states) & where_states(w);
    bool none = states == 0 || (q->name.size > 0 && name.size > 0 && !bytes_equal(q->name, name));
    q->states = none ? NO_STATE : states;
    q->name = q->name.size > 0 ? q->name : name;
    q->examine_max = ASK_PIECE;
}

/* What a List has come to. Lies in the read's arena. */
struct list {
    struct ended_query query;
    size_t room;
    struct listing live, ended, page;
    /* Of the piece that begins at query.below: live as it was when those that have ended were asked for, and then both. */
    bool live_gathered, gathered;
    uint64_t live_to, gathered_to; /* the serial below which they were not looked at */
    uint32_t examined;
};

static int list_begin(struct api *api, struct read *read, const Saga__V1__ListRequest *m, struct error_detail *detail)
{
    struct arena *a = read->arena;
    struct list *l = arena_take(a, sizeof *l);
    if (l == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    int code = list_query(m, &l->query, &l->room, detail);
    if (code == 0)
        code = asked_open(read, m->where, detail);
    if (code != 0)
        return code;
    narrow(&l->query, read->where);
    char *identity = arena_take(a, IDENTITY_TEXT_SIZE);
    if (identity == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    if (read->limited)
        l->query.owner = permit_identity(rpc_call_peer(read->request.call), identity);
    l->examined = 0;
    l->gathered = l->live_gathered = false;
    if (!listing_init(&l->live, a, api->catalog, l->room) || !listing_init(&l->ended, a, api->catalog, l->room) ||
        !listing_init(&l->page, a, api->catalog, l->room))
        return error_set(detail, E_MEMORY, "", NULL);
    read->state = l;
    return 0;
}

static int gather(struct api *api, struct read *read, const Saga__V1__ListRequest *m, struct error_detail *detail)
{
    struct list *l = read->state;
    uint64_t ended_to = 0;
    int code = 0;
    if (!l->live_gathered) {
        l->query.rows_max = (uint32_t)(l->room - l->page.count);
        l->live.count = 0;
        code = list_live(api, read, &l->query, m, &l->live, &l->live_to, detail);
        l->live_gathered = code == 0;
    }
    l->ended.count = l->ended.looked_at = l->ended.kept = 0;
    if (code == 0 && (l->query.states == 0 || (l->query.states & ENDED_STATES) != 0))
        code = api->store->list_ended(api->store, &l->query, list_ended_row, &l->ended, &ended_to, detail);
    l->gathered = code == 0;
    l->gathered_to = l->live_to > ended_to ? l->live_to : ended_to;
    return code;
}

/* Looks at one piece more, and sets query.below to where the next begins; 0: there is none. What was gathered of it stays where tags are waited for. */
static int list_piece(struct api *api, struct read *read, const Saga__V1__ListRequest *m, struct error_detail *detail)
{
    struct list *l = read->state;
    int code = l->gathered ? 0 : gather(api, read, m, detail);
    if (code == 0)
        code = tag_ended(api, read, &l->ended, m, detail);
    if (code != 0)
        return code;
    l->query.below = merge(&l->live, &l->ended, l->gathered_to, l->room, &l->page);
    l->examined += l->query.examine_max;
    l->gathered = l->live_gathered = false;
    return 0;
}

int lists_sagas(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    int code = read->state == NULL ? list_begin(api, read, message, detail) : 0;
    struct list *l = read->state;
    while (code == 0) {
        code = list_piece(api, read, message, detail);
        if (code != 0 || l->page.count == l->room || l->query.below == 0 || l->examined >= EXAMINE_MAX)
            break;
        if (!api_has_time(api))
            return READ_MORE;
    }
    if (code != 0)
        return code;
    Saga__V1__ListResponse response = SAGA__V1__LIST_RESPONSE__INIT;
    response.n_sagas = l->page.count;
    response.sagas = l->page.sagas;
    if (l->query.below != 0 &&
        (response.next_page_token = arena_format(read->arena, "%" PRIx64, l->query.below)) == NULL)
        l->page.failed = true;
    if (l->live.failed || l->ended.failed || l->page.failed)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}

/* ---- ListDeadLetters ---- */

/* What was said last of a stuck saga lies near the end of its timeline. */
static int dead_letter(struct api *api, struct arena *a, const struct saga *saga, const struct shown *shown,
                       Saga__V1__Saga **out, struct error_detail *detail)
{
    struct timeline timeline;
    const struct engine *live = shown->replayed == NULL ? core_engine(api->core) : NULL;
    Saga__V1__Saga *view = view_saga(a, shown->saga, live, VIEW_STEPS);
    struct timeline_query last = {.serial = saga->id.serial,
                                  .last_frame = saga->position,
                                  .hidden_from = core_durable(api->core) + 1,
                                  .records_max = TIMELINE_END_RECORDS};
    int code = timeline_load(api->core, &last, a, &timeline, detail);
    if (code != 0)
        return code;
    if (view == NULL || !view_add_history(a, view, &timeline))
        return error_set(detail, E_MEMORY, "", NULL);
    *out = view;
    return 0;
}

static bool is_shown(struct api *api, struct read *read, const struct saga *saga)
{
    const struct authz_about about = {.definition = saga->name,
                                      .tags = saga->tags,
                                      .own = permit_owns(rpc_call_peer(read->request.call), saga->owner)};
    return permit_shows(api, read->request.call, METHOD_LIST_DEAD_LETTERS, &about);
}

struct letters {
    Saga__V1__Saga **sagas;
    size_t room, count;
    uint64_t after; /* the last that was looked at */
    uint32_t examined;
};

static int letters_begin(struct read *read, const Saga__V1__ListDeadLettersRequest *m, struct error_detail *detail)
{
    struct letters *l = arena_take(read->arena, sizeof *l);
    if (l == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    *l = (struct letters){.count = 0};
    int code = api_page_size(m->page_size, &l->room, detail);
    if (code == 0)
        code = reads_page_token(m->page_token, 0, &l->after, detail);
    if (code == 0)
        code = asked_open(read, m->where, detail);
    if (code != 0)
        return code;
    l->sagas = arena_take(read->arena, l->room * sizeof *l->sagas);
    if (l->sagas == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    read->state = l;
    return 0;
}

int lists_dead_letters(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListDeadLettersRequest *m = message;
    const struct engine *e = core_engine(api->core);
    const struct saga *saga = NULL;
    struct bytes name = bytes_of_text(m->definition);
    int code = read->state == NULL ? letters_begin(read, m, detail) : 0;
    struct letters *l = read->state;
    if (code == 0 && core_stuck(api->core) > 0)
        saga = engine_after(e, l->after);
    while (code == 0 && saga != NULL && l->count < l->room && l->examined < EXAMINE_MAX) {
        struct shown shown;
        bool looked_up = saga->state == SAGA_STUCK || saga->position > core_durable(api->core);
        code = reads_show(api, read->arena, saga, &shown, detail);
        bool meant = code == 0 && shown.saga != NULL && shown.saga->state == SAGA_STUCK &&
                     (name.size == 0 || bytes_equal(name, shown.saga->name)) &&
                     (!read->limited || is_shown(api, read, shown.saga));
        if (meant)
            code = asked_live(api, read, shown.saga, saga->position, &meant, detail);
        if (code == 0 && meant) {
            code = dead_letter(api, read->arena, saga, &shown, &l->sagas[l->count], detail);
            l->count += code == 0;
        }
        engine_destroy(shown.replayed);
        if (code != 0) /* when the journal has told, this one is looked at again */
            return code;
        l->after = saga->id.serial;
        l->examined++;
        saga = engine_after(e, l->after);
        if ((looked_up || l->examined % 64 == 0) && !api_has_time(api))
            return READ_MORE;
    }
    if (code != 0)
        return code;
    Saga__V1__ListDeadLettersResponse response = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    response.sagas = l->sagas;
    response.n_sagas = l->count;
    if (saga != NULL && (response.next_page_token = arena_format(read->arena, "%" PRIx64, l->after)) == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}
