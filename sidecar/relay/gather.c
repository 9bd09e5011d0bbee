/* gather.c - with several loops: a page of all of their sagas, and one stream of all of their events.
 *
 * A token, and a cursor, of all loops is those of each, joined by commas in the loops' order. A loop that has nothing
 * more to list stands there as a hyphen. Requests and responses of pages are told apart by nothing here: they have the fields page_size
 * and page_token, sagas and next_page_token. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/base/check.h"

#include <inttypes.h>

#define SEPARATOR ','
#define NO_MORE   GATHER_NO_MORE

void *gather_field(const ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    CHECK(field != NULL);
    return (char *)(uintptr_t)m + field->offset;
}

bool gather_has_field(const ProtobufCMessageDescriptor *type, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(type, name) != NULL;
}

void *gather_list(const ProtobufCMessage *m, const char *name, size_t *count)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    CHECK(field != NULL && field->label == PROTOBUF_C_LABEL_REPEATED);
    memcpy(count, (const char *)m + field->quantifier_offset, sizeof *count);
    return *(void **)gather_field(m, name);
}

void gather_set_list(ProtobufCMessage *m, const char *name, const void *all, size_t count)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
    CHECK(field != NULL && field->label == PROTOBUF_C_LABEL_REPEATED);
    memcpy((char *)m + field->offset, &all, sizeof(void *));
    memcpy((char *)m + field->quantifier_offset, &count, sizeof count);
}

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
    if (at != count)
        return false;
    *out = arena_take(a, (size_t)(end - from) + 1);
    if (*out == NULL)
        return true;
    memcpy(*out, from, (size_t)(end - from));
    (*out)[end - from] = '\0';
    return true;
}

/* Sets what of the request is loop k's own. *text is the token or cursor in it. */
static int page_question(struct relayed *relayed, const ProtobufCMessage *own, unsigned k, char **text,
                         struct error_detail *detail)
{
    int32_t size = *(const int32_t *)gather_field(own, "page_size");
    relayed->page_size = size <= 0 ? API_PAGE_SIZE_DEFAULT : (size_t)size;
    if (**text != '\0' && !piece(&relayed->relay->arena, *text, k, relayed->count, text))
        return error_set(detail, E_ARGUMENT, "page_token", "not a token of an earlier page");
    return *text == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
}

static int watch_question(struct relayed *relayed, unsigned k, char **text, struct error_detail *detail)
{
    struct relayed_part *part = &relayed->parts[k];
    struct arena *a = &relayed->relay->arena;
    const struct relay_options *options = &relayed->relay->options;
    if (**text == '\0') {
        /* From now on: what each loop has made durable by now is where it is to begin. */
        part->cursor = (struct position){.frame = options->durable_frame(options->self, k), .index = UINT32_MAX};
        *text = arena_take(a, POSITION_TEXT_SIZE);
        if (*text != NULL)
            position_format(part->cursor, *text);
    } else if (!piece(a, *text, k, relayed->count, text) || (*text != NULL && !position_parse(*text, &part->cursor))) {
        return error_set(detail, E_ARGUMENT, "cursor", "not a cursor of this sidecar");
    }
    return *text == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
}

int gather_question(struct relayed *relayed, const ProtobufCMessage *m, unsigned k, struct bytes *question,
                    struct error_detail *detail)
{
    struct arena *a = &relayed->relay->arena;
    bool pages = methods[relayed->request.method].route != ROUTE_EVENTS;
    ProtobufCMessage *own = arena_take(a, m->descriptor->sizeof_message);
    *question = bytes_of(NULL, 0);
    if (own == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memcpy(own, m, m->descriptor->sizeof_message);
    char **text = gather_field(own, pages ? "page_token" : "cursor");
    int code = pages ? page_question(relayed, own, k, text, detail) : watch_question(relayed, k, text, detail);
    if (code != 0 || (pages && strcmp(*text, NO_MORE) == 0))
        return code;
    *question = arena_pack(a, own);
    return question->at == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
}

/* ---- pages ---- */

static bool read_page(const struct relayed *relayed, unsigned k, struct page *page)
{
    const struct relayed_part *part = &relayed->parts[k];
    *page = (struct page){.next = ""};
    if (part->body.at == NULL) /* it was not asked, or does not answer */
        return true;
    const ProtobufCMessage *m = protobuf_c_message_unpack(
        methods[relayed->request.method].response, &relayed->relay->arena.allocator, part->body.size, part->body.at);
    if (m == NULL)
        return false;
    page->sagas = gather_list(m, "sagas", &page->count);
    page->next = *(char **)gather_field(m, "next_page_token");
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

static uint64_t serial_of(const Saga__V1__Saga *saga)
{
    struct saga_id id = {0};
    CHECK(saga_id_parse(saga->id, strlen(saga->id), &id));
    return id.serial;
}

/* Where a loop's next page begins; "" is NO_MORE's opposite, the start, and never given: a loop of which nothing was taken yet begins at
 * the first that it showed, so that what starts meanwhile does not come up in later pages. A loop's own token is the serial of the last
 * that was shown. */
const char *gather_token(struct arena *a, const struct page *p, bool newest_first)
{
    if (p->taken == p->count)
        return p->next[0] == '\0' ? NO_MORE : p->next;
    uint64_t serial =
        p->taken > 0 ? serial_of(p->sagas[p->taken - 1]) : serial_of(p->sagas[0]) + (newest_first ? 1 : UINT64_MAX);
    return arena_format(a, "%" PRIx64, serial);
}

/* Where the next page begins: the tokens of all loops; "" when none has more. */
static char *join_tokens(struct arena *a, const struct page *pages, unsigned count, bool newest_first)
{
    const char *tokens[SAGA_LOOPS_MAX];
    size_t used = 0, room = 1;
    bool more = false;
    for (unsigned k = 0; k < count; k++) {
        if ((tokens[k] = gather_token(a, &pages[k], newest_first)) == NULL)
            return NULL;
        room += strlen(tokens[k]) + 1;
        more |= strcmp(tokens[k], NO_MORE) != 0;
    }
    char *text = arena_take(a, room);
    for (unsigned k = 0; text != NULL && more && k < count; k++) {
        size_t size = strlen(tokens[k]);
        memcpy(text + used, tokens[k], size);
        used += size;
        if (k + 1 < count)
            text[used++] = SEPARATOR;
    }
    if (text != NULL)
        text[used] = '\0';
    return text;
}

struct bytes gather_page(const struct relayed *relayed)
{
    struct arena *a = &relayed->relay->arena;
    const struct method *method = &methods[relayed->request.method];
    bool newest_first = method->route == ROUTE_PAGES_NEWEST;
    struct page *pages = arena_take(a, relayed->count * sizeof *pages);
    Saga__V1__Saga **sagas = arena_take(a, (relayed->page_size + 1) * sizeof(Saga__V1__Saga *));
    ProtobufCMessage *response = arena_take(a, method->response->sizeof_message);
    size_t count = 0;
    struct page *from;
    if (pages == NULL || sagas == NULL || response == NULL)
        return bytes_of(NULL, 0);
    for (unsigned k = 0; k < relayed->count; k++)
        if (!read_page(relayed, k, &pages[k]))
            return bytes_of(NULL, 0);
    while (count < relayed->page_size && (from = first(pages, relayed->count, newest_first)) != NULL)
        sagas[count++] = from->sagas[from->taken++];
    char *token = relayed->wide != NULL ? fleetwide_token(relayed, pages, newest_first)
                                        : join_tokens(a, pages, relayed->count, newest_first);
    if (token == NULL)
        return bytes_of(NULL, 0);
    protobuf_c_message_init(method->response, response);
    gather_set_list(response, "sagas", sagas, count);
    *(char **)gather_field(response, "next_page_token") = token;
    if (relayed->wide != NULL && !fleetwide_tell_absent(relayed, response))
        return bytes_of(NULL, 0);
    return arena_pack(a, response);
}

/* ---- events ---- */

struct bytes gather_events(struct relayed_part *part, struct bytes message)
{
    const struct relayed *relayed = part->relayed;
    struct arena *a = &relayed->relay->arena;
    Saga__V1__WatchResponse *m = saga__v1__watch_response__unpack(&a->allocator, message.size, message.at);
    for (size_t i = 0; m != NULL && i < m->n_events; i++) {
        char *text = arena_take(a, relayed->count * POSITION_TEXT_SIZE);
        if (text == NULL || !position_parse(m->events[i]->cursor, &part->cursor))
            return bytes_of(NULL, 0);
        size_t used = 0;
        for (unsigned k = 0; k < relayed->count; k++) {
            used += position_format(relayed->parts[k].cursor, text + used);
            text[used++] = SEPARATOR;
        }
        text[used - 1] = '\0';
        m->events[i]->cursor = text;
    }
    return m == NULL ? bytes_of(NULL, 0) : arena_pack(a, &m->base);
}
