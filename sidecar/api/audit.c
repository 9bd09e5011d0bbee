/* audit.c - what people and services did, and who they were: entries made, shown, and looked at for changes.
 *
 * A saga's own records tell who began it and who acted on it. The trail beside them is what is kept for longer, and what is about no saga. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/sealed/sealed_store.h"

#include <stdio.h>

#define PAGE_SIZE_MAX 1000
#define ROWS_PIECE    500
#define HEADS_MAX     64

/* The sidecar itself. */
static const struct rpc_peer nobody = {.transport = RPC_TRANSPORT_NONE, .identity = "", .address = ""};

/* ---- entries ---- */

/* Packs an entry as the only one of a list: lists that stand behind one another are one. */
static bool pack_list(struct api *api, Saga__V1__AuditEntry *m, struct bytes *out)
{
    Saga__V1__ListAuditResponse page = SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    page.n_entries = 1;
    page.entries = &m;
    *out = arena_pack(&api->arena, &page.base);
    return out->at != NULL;
}

/* The same, of a peer or of an identity that is known. */
static bool pack(struct api *api, const struct rpc_peer *peer, const char *known, enum method_id method,
                 Saga__V1__AuditEntry *m, struct bytes *out)
{
    char identity[IDENTITY_TEXT_SIZE];
    if (known != NULL)
        snprintf(identity, sizeof identity, "%s", known);
    else
        permit_identity(peer, identity);
    m->method = (char *)(uintptr_t)authz_method_name(method);
    m->identity = identity;
    m->address = (char *)(uintptr_t)peer->address;
    return pack_list(api, m, out);
}

static char *text(struct api *api, struct bytes b, bool *ok)
{
    char *at = arena_text(&api->arena, b);
    *ok &= at != NULL;
    return at;
}

bool audit_of_event(struct api *api, const struct rpc_peer *peer, enum method_id method, const struct event *event,
                    struct bytes *out)
{
    Saga__V1__AuditEntry m = SAGA__V1__AUDIT_ENTRY__INIT;
    char id[SAGA_ID_TEXT_SIZE];
    bool ok = true;
    *out = bytes_of(NULL, 0);
    bool told = methods[method].role == ROLE_OPERATOR || method == METHOD_CANCEL;
    if (!told || event->actor.size > ACTOR_BYTES_MAX || event->reason.size > MESSAGE_BYTES_MAX ||
        event->step.size > STEP_NAME_BYTES_MAX || event->name.size > STEP_NAME_BYTES_MAX)
        return true;
    saga_id_format(event->saga, id);
    if (event->saga.serial != 0)
        m.saga_id = id;
    m.subject = text(api, event->type == EVENT_BREAKER ? event->name : bytes_of(NULL, 0), &ok);
    m.act = (char *)(uintptr_t)(event->type != EVENT_BREAKER         ? ""
                                : event->breaker_act == BREAKER_TRIP ? "trip"
                                : event->breaker_act == BREAKER_HOLD ? "hold"
                                                                     : "reset");
    m.step = text(api, event->step, &ok);
    m.actor = text(api, event->actor, &ok);
    m.reason = text(api, event->reason, &ok);
    return ok && pack(api, peer, NULL, method, &m, out);
}

int api_audit_bulk(struct api *api, const Saga__V1__BulkJob *job, struct event *event)
{
    static const enum method_id acts[] = {METHOD_START_BULK, METHOD_RETRY, METHOD_SKIP, METHOD_RESOLVE};
    Saga__V1__AuditEntry m = SAGA__V1__AUDIT_ENTRY__INIT;
    char id[SAGA_ID_TEXT_SIZE];
    bool ok = true;
    arena_reset(&api->arena);
    saga_id_format(event->saga, id);
    m.saga_id = id;
    m.subject = job->id;
    m.step = text(api, event->step, &ok);
    m.actor = text(api, event->actor, &ok);
    m.reason = text(api, event->reason, &ok);
    return ok && pack(api, &nobody, job->identity, acts[job->act], &m, &event->audit) ? 0 : E_MEMORY;
}

static void enter(struct api *api, bool packed, struct bytes entry)
{
    if (packed)
        core_audit(api->core, entry);
    else if (api->options.failure->code == 0)
        api->options.failure->code = error_set(&api->options.failure->detail, E_MEMORY, "", NULL);
}

static void add(struct api *api, const struct rpc_peer *peer, enum method_id method, Saga__V1__AuditEntry *m)
{
    struct bytes entry;
    /* What loop 0 has accepted, the others are handed in the same words. */
    if (api->options.loop != 0)
        return;
    bool packed = pack(api, peer, NULL, method, m, &entry);
    enter(api, packed, entry);
}

void audit_add(struct api *api, struct rpc_call *call, enum method_id method, const char *subject, const char *actor,
               const char *reason)
{
    audit_act(api, call, method, "", subject, actor, reason);
}

void audit_act(struct api *api, struct rpc_call *call, enum method_id method, const char *act, const char *subject,
               const char *actor, const char *reason)
{
    Saga__V1__AuditEntry m = SAGA__V1__AUDIT_ENTRY__INIT;
    m.act = (char *)(uintptr_t)act;
    m.subject = (char *)(uintptr_t)subject;
    m.actor = (char *)(uintptr_t)actor;
    m.reason = (char *)(uintptr_t)reason;
    add(api, rpc_call_peer(call), method, &m);
}

void api_audit_file(struct api *api, bool schema, const char *name, const char *which)
{
    char subject[2 * NAME_BYTES_MAX];
    Saga__V1__AuditEntry m = SAGA__V1__AUDIT_ENTRY__INIT;
    arena_reset(&api->arena);
    snprintf(subject, sizeof subject, "%s %s", name, which);
    m.subject = subject;
    m.reason = (char *)(uintptr_t)(schema ? "a file of schemas_dir" : "a file of definitions_dir");
    add(api, &nobody, schema ? METHOD_REGISTER_SCHEMA : METHOD_REGISTER_DEFINITION, &m);
}

void api_audit_own(struct api *api, const char *what, const char *subject, const char *actor, const char *reason)
{
    Saga__V1__AuditEntry m = SAGA__V1__AUDIT_ENTRY__INIT;
    struct bytes entry;
    m.method = (char *)(uintptr_t)what;
    m.subject = (char *)(uintptr_t)subject;
    m.actor = (char *)(uintptr_t)actor;
    m.reason = (char *)(uintptr_t)reason;
    arena_reset(&api->arena);
    bool packed = pack_list(api, &m, &entry);
    enter(api, packed, entry);
}

/* ---- the list ---- */

/* What a list has come to, where the store answers later. Lies in the read's arena. */
struct page {
    struct arena *arena;
    size_t wanted;
    uint64_t low, end; /* the first row that is not of it is one of these, or between them */
    uint64_t last;     /* row that was taken; 0: none */
    Saga__V1__AuditEntry **entries;
    size_t count, room;
    bool failed;
    uint64_t damaged;        /* a row; 0: none */
    struct instant before;   /* that is asked for */
    struct instant first_at; /* of the row looked at */
};

static int take_time(void *self, const struct audit_row *row)
{
    ((struct page *)self)->first_at = row->at;
    return 0;
}

static int take_row(void *self, const struct audit_row *row)
{
    struct page *p = self;
    if (row->seq <= p->last || row->seq >= p->end) /* rows that are gone leave room for later ones */
        return 0;
    p->last = row->seq;
    Saga__V1__ListAuditResponse *m =
        saga__v1__list_audit_response__unpack(&p->arena->allocator, row->body.size, row->body.at);
    for (size_t i = 0; m != NULL && i < m->n_entries; i++) {
        if (p->count == p->room) {
            size_t room = p->room == 0 ? 128 : 2 * p->room;
            Saga__V1__AuditEntry **more = arena_take(p->arena, room * sizeof(*more));
            if (more == NULL) {
                p->failed = true;
                return 0;
            }
            if (p->count > 0)
                memcpy(more, p->entries, p->count * sizeof(*more));
            p->entries = more;
            p->room = room;
        }
        m->entries[i]->time = view_time(p->arena, row->at);
        p->failed |= m->entries[i]->time == NULL;
        p->entries[p->count++] = m->entries[i];
    }
    if (m == NULL && arena_take(p->arena, row->body.size) != NULL)
        p->damaged = row->seq;
    p->failed |= m == NULL && p->damaged == 0;
    return 0;
}

/* Finds the first row that is not before `at`: by halves, since their times rise. */
static int find_end(struct api *api, struct instant at, struct page *p, struct error_detail *detail)
{
    while (p->low < p->end) {
        uint64_t middle = p->low + (p->end - p->low) / 2;
        p->first_at = (struct instant){0};
        int code = api->store->scan_audit(api->store, middle, 1, take_time, p, detail);
        if (code != 0)
            return code;
        if (instant_before(p->first_at, at))
            p->low = middle + 1;
        else
            p->end = middle;
    }
    return 0;
}

static int page_begin(struct api *api, struct read *read, const Saga__V1__ListAuditRequest *m,
                      struct error_detail *detail)
{
    struct page *p = arena_take(read->arena, sizeof *p);
    if (p == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    uint64_t end = core_audit_last(api->core) + 1;
    *p = (struct page){.arena = read->arena, .low = m->before == NULL ? end : 1, .end = end};
    read->state = p;
    int code = reads_time(m->before, INSTANT_NEVER, "before", &p->before, detail);
    return code != 0 ? code : api_page_size(m->page_size, &p->wanted, detail);
}

int audit_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListAuditRequest *m = message;
    Saga__V1__ListAuditResponse response = SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    int code = read->state == NULL ? page_begin(api, read, m, detail) : 0;
    struct page *p = read->state;
    if (code == 0 && m->before != NULL)
        code = find_end(api, p->before, p, detail);
    if (code != 0)
        return code;
    /* A row holds one entry at least. One that was taken is looked at again: what follows it must be the next. */
    uint64_t from = p->last != 0 ? p->last : p->end > p->wanted ? p->end - p->wanted : 1;
    if (p->end > from)
        code = api->store->scan_audit(api->store, from, (uint32_t)(p->end - from), take_row, p, detail);
    if (code != 0)
        return code;
    if (p->damaged != 0) {
        char words[96];
        snprintf(words, sizeof words, "row %llu of the audit trail cannot be read", (unsigned long long)p->damaged);
        return error_set(detail, E_JOURNAL_CORRUPT, "", words);
    }
    if (p->failed)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < p->count / 2; i++) {
        Saga__V1__AuditEntry *e = p->entries[i];
        p->entries[i] = p->entries[p->count - 1 - i];
        p->entries[p->count - 1 - i] = e;
    }
    response.entries = p->entries;
    response.n_entries = p->count;
    api_answer(api, read->request.call, &response.base);
    return 0;
}

/* ---- the chains ---- */

/* A head of this loop, among those that were given. */
static int find_head(const struct api *api, const Saga__V1__VerifyRequest *m, const char **head,
                     struct error_detail *detail)
{
    *head = NULL;
    if (m->n_heads > HEADS_MAX)
        return error_set(detail, E_ARGUMENT, "heads", "at most 64");
    for (size_t i = 0; i < m->n_heads; i++) {
        unsigned loop;
        int at = 0;
        if (sscanf(m->heads[i], "%u/%n", &loop, &at) != 1 || at == 0 || strlen(m->heads[i] + at) >= SEALED_HEAD_SIZE ||
            strchr(m->heads[i] + at, ':') == NULL || loop >= api->options.loops)
            return error_set(detail, E_ARGUMENT, "heads",
                             "a head looks like 0/1f4:0123456789abcdef0123456789abcdef, and begins with its loop");
        if (loop == api->options.loop)
            *head = m->heads[i] + at;
    }
    return 0;
}

static int begin(struct api *api, struct read *read, const Saga__V1__VerifyRequest *m, struct error_detail *detail)
{
    struct sealed_look *look = arena_take(read->arena, sizeof *look);
    if (look == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    int code = find_head(api, m, &look->known, detail);
    if (code != 0)
        return code;
    sealed_look_begin(api->store, look);
    read->state = look;
    return 0;
}

int audit_verify(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    bool more = true;
    int code = read->state == NULL ? begin(api, read, message, detail) : 0;
    struct sealed_look *look = read->state;
    while (code == 0 && more) {
        code = sealed_look_on(api->store, look, ROWS_PIECE, &more, detail);
        if (code == 0 && more && !api_has_time(api))
            return READ_MORE;
    }
    if (code != 0)
        return code;
    Saga__V1__VerifyResponse response = SAGA__V1__VERIFY_RESPONSE__INIT;
    Saga__V1__JournalVerified journal = SAGA__V1__JOURNAL_VERIFIED__INIT;
    Saga__V1__JournalVerified *journals[] = {&journal};
    char head[SEALED_HEAD_SIZE], audit_head[SEALED_HEAD_SIZE];
    sealed_store_heads(api->store, head, audit_head);
    journal.loop = (int32_t)api->options.loop;
    journal.first_frame = look->frames.first;
    journal.last_frame = look->frames.last;
    journal.frames_chained = look->frames.chained;
    journal.first_row = look->audit.first;
    journal.last_row = look->audit.last;
    journal.rows_chained = look->audit.chained;
    journal.finding = look->finding;
    journal.head = head;
    journal.audit_head = audit_head;
    response.n_journals = 1;
    response.journals = journals;
    api_answer(api, read->request.call, &response.base);
    return 0;
}
