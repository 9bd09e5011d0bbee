/* gather.c - with several loops: a page of all of their sagas, and one stream of all of their events.
 *
 * A token, and a cursor, of all loops is those of each, joined by commas in the loops' order. A loop that has nothing
 * more to list stands there as a hyphen. */
#include "sidecar/shard/relay.h"

#include "sidecar/runtime/sidecar_inside.h"

#include <stdlib.h>

#define SEPARATOR ','
#define NO_MORE   "-"

/* ---- questions ---- */

/* Piece k of count in text. Returns false when there are not just as many. */
static bool piece(struct arena *a, const char *text, unsigned k, unsigned count, char **out)
{
    unsigned at = 0;
    const char *from = NULL, *end = NULL;
    for (const char *c = text;; c++) {
        if (at == k && from == NULL)
            from = c;
        if (*c != SEPARATOR && *c != '\0')
            continue;
        if (at++ == k)
            end = c;
        if (*c == '\0')
            break;
    }
    if (at != count || from == NULL || end == NULL)
        return false;
    *out = arena_take(a, (size_t)(end - from) + 1);
    if (*out == NULL)
        return true;
    memcpy(*out, from, (size_t)(end - from));
    (*out)[end - from] = '\0';
    return true;
}

static int watch_question(struct loop *s, struct relay_part *part, const char *cursor, unsigned k, char **out,
                          struct error_detail *detail)
{
    if (cursor[0] == '\0') {
        /* From now on: what each loop has made durable by now is where it is to begin. */
        part->cursor =
            (struct position){.frame = atomic_load(&s->sidecar->loops[k]->durable_frame), .index = UINT32_MAX};
        *out = arena_take(&s->arena, POSITION_TEXT_SIZE);
        if (*out != NULL)
            position_format(part->cursor, *out);
        return 0;
    }
    if (!piece(&s->arena, cursor, k, s->sidecar->count, out) || (*out != NULL && !position_parse(*out, &part->cursor)))
        return error_set(detail, E_ARGUMENT, "cursor", "not a cursor of this sidecar");
    return 0;
}

int gather_question(struct loop *s, struct relay *relay, const ProtobufCMessage *m, unsigned k, struct bytes *question,
                    struct error_detail *detail)
{
    const void *asked = m;
    char *text = (char *)(uintptr_t) "";
    int32_t size = 0;
    *question = bytes_of(NULL, 0);
    if (relay->request->method == METHOD_WATCH) {
        Saga__V1__WatchRequest own = *(const Saga__V1__WatchRequest *)asked;
        int code = watch_question(s, &relay->parts[k], own.cursor, k, &text, detail);
        own.cursor = text;
        if (code == 0 && text != NULL)
            *question = arena_pack(&s->arena, &own.base);
        return code != 0 ? code : question->at == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
    }
    Saga__V1__ListRequest list = SAGA__V1__LIST_REQUEST__INIT;
    Saga__V1__ListDeadLettersRequest letters = SAGA__V1__LIST_DEAD_LETTERS_REQUEST__INIT;
    bool is_list = relay->request->method == METHOD_LIST;
    if (is_list)
        list = *(const Saga__V1__ListRequest *)asked;
    else
        letters = *(const Saga__V1__ListDeadLettersRequest *)asked;
    const char *token = is_list ? list.page_token : letters.page_token;
    if (token[0] != '\0' && !piece(&s->arena, token, k, s->sidecar->count, &text))
        return error_set(detail, E_ARGUMENT, "page_token", "not a token of an earlier page");
    size = is_list ? list.page_size : letters.page_size;
    relay->page_size = size <= 0 ? PAGE_SIZE_DEFAULT : (size_t)size;
    if (text == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    /* The token of a part that gives nothing stays as it is. */
    size_t length = strlen(text);
    char *kept = length == 0 ? NULL : malloc(length);
    if (length > 0 && kept == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    if (length > 0)
        memcpy(kept, text, length);
    relay->parts[k].token = bytes_of(kept, length);
    if (strcmp(text, NO_MORE) == 0)
        return 0;
    if (is_list)
        list.page_token = text;
    else
        letters.page_token = text;
    *question = arena_pack(&s->arena, is_list ? &list.base : &letters.base);
    return question->at == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
}

/* ---- pages ---- */

/* The page of one loop, and how far it has been taken. */
struct page {
    Saga__V1__Saga **sagas;
    size_t count, taken;
    const char *next;   /* "": it is the last */
    struct bytes token; /* with which it was asked for */
};

static bool read_page(struct loop *s, const struct relay *relay, unsigned k, struct page *page)
{
    const struct relay_part *part = &relay->parts[k];
    *page = (struct page){.next = "", .token = part->token};
    if (part->token.size == 1 && part->token.at[0] == NO_MORE[0])
        return true;
    if (relay->request->method == METHOD_LIST) {
        const Saga__V1__ListResponse *m =
            saga__v1__list_response__unpack(&s->arena.allocator, part->body.size, part->body.at);
        if (m == NULL)
            return false;
        page->sagas = m->sagas;
        page->count = m->n_sagas;
        page->next = m->next_page_token;
    } else {
        const Saga__V1__ListDeadLettersResponse *m =
            saga__v1__list_dead_letters_response__unpack(&s->arena.allocator, part->body.size, part->body.at);
        if (m == NULL)
            return false;
        page->sagas = m->sagas;
        page->count = m->n_sagas;
        page->next = m->next_page_token;
    }
    return true;
}

static bool started_before(const Saga__V1__Saga *a, const Saga__V1__Saga *b)
{
    const Google__Protobuf__Timestamp *x = a->started_at, *y = b->started_at;
    return x->seconds < y->seconds || (x->seconds == y->seconds && x->nanos < y->nanos);
}

/* The page whose next saga comes first; NULL: a page has run out that goes on, or all have. */
static struct page *first(struct page *pages, unsigned count, bool newest_first)
{
    struct page *best = NULL;
    for (struct page *p = pages; p < pages + count; p++) {
        if (p->taken == p->count && p->next[0] != '\0')
            return NULL;
        if (p->taken == p->count)
            continue;
        const Saga__V1__Saga *here = p->sagas[p->taken];
        if (best == NULL || (newest_first ? started_before(best->sagas[best->taken], here)
                                          : started_before(here, best->sagas[best->taken])))
            best = p;
    }
    return best;
}

/* Where the next page begins: the tokens of all loops; "" when none has more. */
static char *join_tokens(struct arena *a, const struct page *pages, unsigned count)
{
    size_t used = 0, room = 1;
    bool more = false;
    for (unsigned k = 0; k < count; k++)
        room += pages[k].token.size + strlen(pages[k].next) + SAGA_ID_TEXT_SIZE;
    char *text = arena_take(a, room);
    if (text == NULL)
        return NULL;
    for (unsigned k = 0; k < count; k++) {
        const struct page *p = &pages[k];
        struct bytes own = p->token;
        if (p->taken == p->count)
            own = bytes_of_text(p->next[0] == '\0' ? NO_MORE : p->next);
        else if (p->taken > 0) /* a loop's own token is the serial of the last that was shown */
            own = bytes_of_text(strchr(p->sagas[p->taken - 1]->id, '-') + 1);
        more |= own.size != 1 || own.at[0] != NO_MORE[0];
        if (k > 0)
            text[used++] = SEPARATOR;
        if (own.size > 0)
            memcpy(text + used, own.at, own.size);
        used += own.size;
    }
    text[more ? used : 0] = '\0';
    return text;
}

struct bytes gather_answer(struct loop *s, const struct relay *relay)
{
    struct arena *a = &s->arena;
    struct page pages[SAGA_LOOPS_MAX];
    bool is_list = relay->request->method == METHOD_LIST;
    for (unsigned k = 0; k < relay->count; k++)
        if (!read_page(s, relay, k, &pages[k]))
            return bytes_of(NULL, 0);
    Saga__V1__Saga **sagas = arena_take(a, (relay->page_size + 1) * sizeof(Saga__V1__Saga *));
    size_t count = 0;
    struct page *from;
    if (sagas == NULL)
        return bytes_of(NULL, 0);
    while (count < relay->page_size && (from = first(pages, relay->count, is_list)) != NULL)
        sagas[count++] = from->sagas[from->taken++];
    char *token = join_tokens(a, pages, relay->count);
    if (token == NULL)
        return bytes_of(NULL, 0);
    if (is_list) {
        Saga__V1__ListResponse response = SAGA__V1__LIST_RESPONSE__INIT;
        response.sagas = sagas;
        response.n_sagas = count;
        response.next_page_token = token;
        return arena_pack(a, &response.base);
    }
    Saga__V1__ListDeadLettersResponse response = SAGA__V1__LIST_DEAD_LETTERS_RESPONSE__INIT;
    response.sagas = sagas;
    response.n_sagas = count;
    response.next_page_token = token;
    return arena_pack(a, &response.base);
}

/* ---- events ---- */

struct bytes gather_events(struct loop *s, struct relay_part *part, struct bytes message)
{
    struct arena *a = &s->arena;
    const struct relay *relay = part->relay;
    Saga__V1__WatchResponse *m = saga__v1__watch_response__unpack(&a->allocator, message.size, message.at);
    for (size_t i = 0; m != NULL && i < m->n_events; i++) {
        char *text = arena_take(a, relay->count * POSITION_TEXT_SIZE);
        if (text == NULL || !position_parse(m->events[i]->cursor, &part->cursor))
            return bytes_of(NULL, 0);
        size_t used = 0;
        for (unsigned k = 0; k < relay->count; k++) {
            used += position_format(relay->parts[k].cursor, text + used);
            text[used++] = SEPARATOR;
        }
        text[used - 1] = '\0';
        m->events[i]->cursor = text;
    }
    return m == NULL ? bytes_of(NULL, 0) : arena_pack(a, &m->base);
}
