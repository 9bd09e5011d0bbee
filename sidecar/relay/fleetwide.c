/* fleetwide.c - a request about every journal of the fleet, or about one by its name.
 *
 * It is asked of each journal, not of each sidecar: of those here as loops are asked, of those elsewhere by forwarding it to whoever has them with the
 * journal's name in it. So what comes of it belongs to the journal and stays true when that moves: a bulk job, the place where a page ended. A token of
 * the whole fleet is `id=token` of every journal that has more, joined by commas; the id is the journal's number in the database.
 *
 * One that does not answer does not keep the others: it is named in the answer. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/base/account.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/bulk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Requests to the whole fleet at once, journals that one of them asks at once, for how long in all, and what it keeps of answers. */
#define WIDE_MAX  4
#define AT_ONCE   32
#define TIME_MAX  SPAN_S(10)
#define BYTES_MAX (16u << 20)
/* Of each journal a page has so many rows at least, unless fewer are asked for: most are thrown away, and asked for again. */
#define ROWS_MIN 10
/* Digits of a journal's own token. */
#define OWN_TOKEN_MAX 16

void fleetwide_free(struct relayed *relayed)
{
    struct wide *w = relayed->wide;
    if (w == NULL)
        return;
    for (unsigned k = 0; w->journals != NULL && k < w->count; k++)
        free(w->journals[k].address);
    if (w->journals != NULL)
        relayed->relay->wide_count--;
    account_sub(&account.lives, w->bytes);
    free(w->journals);
    free(w);
    relayed->wide = NULL;
}

/* ---- what is asked ---- */

static const ProtobufCMessage *unpack(struct relay *relay, enum method_id method, struct bytes message)
{
    return protobuf_c_message_unpack(methods[method].request, &relay->arena.allocator, message.size, message.at);
}

/* The request as one that has the journal is asked: by its name where that is elsewhere; here it goes to the right place. */
static ProtobufCMessage *own_question(struct relay *relay, enum method_id method, struct bytes question,
                                      const char *journal)
{
    ProtobufCMessage *m = (ProtobufCMessage *)(uintptr_t)unpack(relay, method, question);
    if (m == NULL)
        return NULL;
    if (gather_has_field(m->descriptor, "fleet"))
        *(protobuf_c_boolean *)gather_field(m, "fleet") = false;
    *(const char **)gather_field(m, "journal") = journal;
    return m;
}

/* A journal's own piece is the serial of a saga. Of more pieces than there may be journals none comes from here. */
static bool is_token(const char *text)
{
    for (unsigned pieces = 1; pieces <= RELAY_JOURNALS_MAX; pieces++) {
        size_t id = strspn(text, "0123456789");
        if (id == 0 || id > 19 || text[id] != '=')
            return false;
        size_t own = strspn(text + id + 1, "0123456789abcdef");
        text += id + 1 + own;
        if (own > OWN_TOKEN_MAX || (*text != ',' && *text != '\0'))
            return false;
        if (*text == '\0')
            return true;
        text++;
    }
    return false;
}

/* Where each journal goes on: one that is not in the token has no more. */
static int take_tokens(struct relayed *relayed, const char *token)
{
    struct wide *w = relayed->wide;
    for (unsigned k = 0; k < w->count; k++)
        w->journals[k].done = token[0] != '\0';
    while (token[0] != '\0') {
        char *end;
        uint64_t id = strtoull(token, &end, 10);
        struct bytes own = bytes_of(end + 1, strcspn(end + 1, ","));
        for (unsigned k = 0; k < w->count; k++) {
            if (w->journals[k].id != id || !w->journals[k].done)
                continue;
            w->journals[k].done = false;
            relayed->parts[k].token = relay_copy(own);
            if (own.size > 0 && relayed->parts[k].token.at == NULL)
                return E_MEMORY;
        }
        token = end + 1 + own.size;
        token += *token == ',';
    }
    return 0;
}

static int prepare_page(struct relayed *relayed, ProtobufCMessage *m, struct error_detail *detail)
{
    const struct wide *w = relayed->wide;
    const char **token = gather_field(m, "page_token");
    int32_t *size = gather_field(m, "page_size");
    int code = api_page_size(*size, &relayed->page_size, detail);
    if (code == 0 && take_tokens(relayed, *token) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    *token = "";
    size_t rows = 2 * relayed->page_size / (w->count + 1) + 1;
    rows = rows < ROWS_MIN ? ROWS_MIN : rows;
    *size = (int32_t)(rows < relayed->page_size ? rows : relayed->page_size);
    return code;
}

/* What all share is shared out evenly. */
static void share_rate(const struct relayed *relayed, Saga__V1__StartBulkRequest *m)
{
    double all = m->per_second == 0 ? BULK_PER_SECOND_DEFAULT : m->per_second;
    unsigned count = relayed->wide->count;
    if (!(all >= 0.01) || all > BULK_PER_SECOND_MAX || count == 0) /* it is refused as it is */
        return;
    m->per_second = all / count < 0.01 ? 0.01 : all / count;
}

/* Makes of the question what every journal is asked alike. */
static int prepare(struct relayed *relayed, struct error_detail *detail)
{
    struct arena *a = &relayed->relay->arena;
    enum method_id method = relayed->request.method;
    arena_reset(a);
    ProtobufCMessage *m = (ProtobufCMessage *)(uintptr_t)unpack(relayed->relay, method, relayed->question);
    if (m == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    int code = relay_is_pages(method) ? prepare_page(relayed, m, detail) : 0;
    if (method == METHOD_START_BULK)
        share_rate(relayed, (Saga__V1__StartBulkRequest *)(void *)m);
    struct bytes question = code == 0 ? relay_copy(arena_pack(a, m)) : bytes_of(NULL, 0);
    if (code == 0 && question.at == NULL)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code != 0)
        return code;
    free((void *)(uintptr_t)relayed->question.at);
    relayed->question = question;
    return 0;
}

static void set_absent(struct wide *w, unsigned k, int status, const char *why)
{
    w->journals[k].absent = true;
    w->journals[k].status = status;
    snprintf(w->journals[k].why, RELAY_WHY_SIZE, "%s", why);
}

/* Asks the journal of part k, if there is anything to ask and anybody who has it. */
static void ask(struct relayed *relayed, unsigned k)
{
    struct relay *relay = relayed->relay;
    struct wide *w = relayed->wide;
    struct wide_journal *j = &w->journals[k];
    struct span left = instant_since(w->until, relay->options.now(relay->options.self));
    if (j->done)
        return;
    if (j->place < 0 && j->address == NULL) {
        set_absent(w, k, CODE_UNAVAILABLE,
                   j->carrier[0] == '\0' ? "no sidecar has it"
                                         : "the sidecar that has it is gone, or tells no fleet_address");
        return;
    }
    if (j->place < 0 && left.us <= 0) {
        set_absent(w, k, CODE_DEADLINE_EXCEEDED, "the others took all the time that there is");
        return;
    }
    enum method_id method = relayed->request.method;
    arena_reset(&relay->arena);
    ProtobufCMessage *m = own_question(relay, method, relayed->question, j->place >= 0 ? "" : j->name);
    const char *token = m == NULL ? NULL : arena_text(&relay->arena, relayed->parts[k].token);
    if (token != NULL && relay_is_pages(method))
        *(const char **)gather_field(m, "page_token") = token;
    struct bytes question = token == NULL ? bytes_of(NULL, 0) : arena_pack(&relay->arena, m);
    const struct relay_place to = {.address = j->address,
                                   .credentials = relay->options.credentials(relay->options.self)};
    if (token == NULL || question.at == NULL)
        set_absent(w, k, CODE_RESOURCE_EXHAUSTED, "no memory is left to ask for it");
    else if (j->place >= 0)
        relay_ask(relayed, k, (unsigned)j->place, question);
    else if (!relay_forward(relayed, k, &to, left, question))
        set_absent(w, k, CODE_UNAVAILABLE, "the address of the sidecar that has it cannot be called");
}

/* ---- what they say ---- */

static void finish(struct relayed *relayed)
{
    struct rpc_call *call = relayed->request.call;
    if (relayed->failed || (relayed->wide->answered == 0 && relayed->status != 0)) {
        rpc_end(call, relayed->status, relayed->message, relayed->details);
    } else {
        arena_reset(&relayed->relay->arena);
        struct bytes body = fleetwide_answer(relayed);
        if (body.at == NULL)
            api_refuse(relayed->relay->options.api, call, E_MEMORY, NULL);
        else
            rpc_reply(call, body);
    }
    relayed_free(relayed);
}

/* Whether the others wait for what the first says; one that could not be asked says nothing. */
static bool first_decides(const struct relayed *relayed)
{
    return relayed->wide->acts && relayed->wide->next == 1 && relayed->open > 0;
}

/* Asks those whose turn it is, and ends when all have been heard. */
static void go_on(struct relayed *relayed)
{
    struct wide *w = relayed->wide;
    while (!relayed->cut && !first_decides(relayed) && relayed->open < AT_ONCE && w->next < w->count)
        ask(relayed, w->next++);
    if (relayed->open == 0) /* then nobody is left to ask, or nobody waits any more */
        finish(relayed);
}

/* Keeps the first error, which is told when nobody has answered. */
static void note(struct relayed *relayed, const struct rpc_told *told)
{
    if (relayed->status != 0 || relayed->failed)
        return;
    relayed->status = told->status;
    relayed->message = told->message == NULL ? NULL : strdup(told->message);
    relayed->details = relay_copy(told->details);
}

/* What is wrong with the request, or with a job of this name, is wrong everywhere; that a job is not there, or has ended, is no news of another journal. */
static bool is_for_all(const struct relayed *relayed, unsigned k, int status)
{
    return status == CODE_INVALID_ARGUMENT || (k == 0 && relayed->request.method == METHOD_START_BULK);
}

static bool changes_nothing(const struct relayed *relayed, int status)
{
    return relayed->request.method == METHOD_CHANGE_BULK &&
           (status == CODE_NOT_FOUND || status == CODE_FAILED_PRECONDITION);
}

/* Another sidecar's word for it: whether it is an answer, with what pages are joined by. */
static bool is_answer(const struct relayed *relayed, struct bytes body)
{
    struct arena *a = &relayed->relay->arena;
    arena_reset(a);
    const ProtobufCMessage *m =
        protobuf_c_message_unpack(methods[relayed->request.method].response, &a->allocator, body.size, body.at);
    if (m == NULL || !relay_is_pages(relayed->request.method))
        return m != NULL;
    size_t count;
    Saga__V1__Saga *const *sagas = gather_list(m, "sagas", &count);
    const char *next = *(char **)gather_field(m, "next_page_token");
    size_t digits = strspn(next, "0123456789abcdef");
    for (size_t i = 0; i < count; i++) {
        struct saga_id id;
        if (sagas[i]->started_at == NULL || !saga_id_parse(sagas[i]->id, strlen(sagas[i]->id), &id))
            return false;
    }
    return digits <= OWN_TOKEN_MAX && next[digits] == '\0';
}

/* Keeps an answer until all are there. */
static void keep(struct relayed_part *part, struct bytes body)
{
    struct relayed *relayed = part->relayed;
    struct wide *w = relayed->wide;
    unsigned k = (unsigned)(part - relayed->parts);
    char *kept = NULL;
    if (!is_answer(relayed, body)) {
        set_absent(w, k, CODE_INTERNAL, "what it answers is no answer");
    } else if (w->bytes + body.size > BYTES_MAX) {
        set_absent(w, k, CODE_RESOURCE_EXHAUSTED,
                   "what it has does not fit into this answer: ask for smaller pages, or for it alone");
    } else if (!account_takes_request(body.size) || (kept = malloc(body.size + 1)) == NULL) {
        set_absent(w, k, CODE_RESOURCE_EXHAUSTED, "no memory is left for what it has");
    } else {
        if (body.size > 0) /* nothing in it is an answer, too */
            memcpy(kept, body.at, body.size);
        part->body = bytes_of(kept, body.size);
        w->bytes += body.size;
        account_add(&account.lives, body.size);
        w->answered++;
    }
}

void fleetwide_end(struct relayed_part *part, const struct rpc_told *told)
{
    struct relayed *relayed = part->relayed;
    unsigned k = (unsigned)(part - relayed->parts);
    if (told->status == 0) {
        keep(part, told->body);
    } else if (relayed->cut || api_closed(relayed->relay->options.api) != 0 || is_for_all(relayed, k, told->status)) {
        relay_fail(relayed, told);
    } else {
        note(relayed, told);
        if (!changes_nothing(relayed, told->status))
            set_absent(relayed->wide, k, told->status, told->message == NULL ? "" : told->message);
    }
    go_on(relayed);
}

/* ---- a request that comes ---- */

/* What nobody has, and nothing lives in, has neither dead letters nor jobs that could act. */
static bool is_empty(const struct relayed *relayed, const struct relay_journal *j)
{
    return relayed->request.method != METHOD_LIST && j->given_up && j->live == 0 && j->place < 0;
}

static void copy_journal(const struct relay_journal *from, struct wide_journal *to)
{
    *to = (struct wide_journal){.id = from->id, .live = from->live, .place = from->place};
    snprintf(to->name, sizeof to->name, "%s", from->name);
    snprintf(to->carrier, sizeof to->carrier, "%s", from->carrier);
    if (from->place < 0 && from->held && from->address[0] != '\0')
        to->address = strdup(from->address);
}

static int ask_all(struct relayed *lost, const struct relay_journal *all, unsigned count, struct error_detail *detail)
{
    struct relay *relay = lost->relay;
    struct wide *w = lost->wide;
    if (count > RELAY_JOURNALS_MAX)
        return error_set(detail, E_ARGUMENT, "fleet",
                         "the fleet has more than 1024 journals: ask for one after the other");
    if (relay->wide_count == WIDE_MAX)
        return error_set(detail, E_QUEUE, "", "four requests to the whole fleet are under way here");
    struct wide_journal *journals = calloc(count + 1, sizeof *journals);
    if (journals == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    struct relayed *relayed = relayed_create(relay, lost->request.call, count);
    if (relayed == NULL) { /* the call has been refused */
        free(journals);
        relayed_free(lost);
        return 0;
    }
    w->journals = journals;
    relay->wide_count++;
    for (unsigned i = 0; i < count; i++) {
        if (is_empty(lost, &all[i]))
            continue;
        struct wide_journal *at = &journals[w->count++];
        copy_journal(&all[i], at);
        if (at->place == (int)relay->options.loop) { /* our own is the first */
            struct wide_journal first = journals[0];
            journals[0] = *at;
            *at = first;
        }
    }
    relayed->count = w->count;
    relayed->wide = w;
    lost->wide = NULL;
    relayed->question = lost->question;
    lost->question = bytes_of(NULL, 0);
    w->acts = relayed->request.method == METHOD_START_BULK;
    w->until = instant_after(relay->options.now(relay->options.self), TIME_MAX);
    relayed_free(lost);
    int code = prepare(relayed, detail);
    if (code == 0)
        go_on(relayed);
    else
        elsewhere_refuse(relayed, code, detail);
    return 0;
}

static int ask_one(struct relayed *relayed, const struct relay_journal *j, struct error_detail *detail)
{
    struct relay *relay = relayed->relay;
    struct rpc_call *call = relayed->request.call;
    enum method_id method = relayed->request.method;
    arena_reset(&relay->arena);
    ProtobufCMessage *m = own_question(relay, method, relayed->question, j->place >= 0 ? "" : j->name);
    struct bytes question = m == NULL ? bytes_of(NULL, 0) : arena_pack(&relay->arena, m);
    if (question.at == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    if (j->place < 0 && (!j->held || j->address[0] == '\0' || rpc_call_is_forwarded(call))) {
        if (!j->held && !rpc_call_is_forwarded(call))
            relay->options.wish(relay->options.self, j->name);
        return error_set(detail, E_SAGA_AWAY, "",
                         j->held ? "a sidecar has the journal that tells no fleet_address, or has given it on just now"
                                 : "nobody has the journal: it is being taken over");
    }
    fleetwide_free(relayed);
    if (j->place == (int)relay->options.loop) {
        rpc_call_set_owner(call, NULL);
        api_message(relay->options.api, call, question);
        relayed_free(relayed);
        return 0;
    }
    struct bytes kept = relayed->question;
    relayed->question = bytes_of(NULL, 0);
    free((void *)(uintptr_t)kept.at);
    const struct relay_place to = {.address = j->address,
                                   .credentials = relay->options.credentials(relay->options.self)};
    if (j->place >= 0)
        relay_ask(relayed, 0, (unsigned)j->place, question);
    else if (!relay_forward(relayed, 0, &to, methods_served[method].kind != RPC_UNARY ? SPAN_MS(-1) : TIME_MAX,
                            question))
        elsewhere_refuse(relayed,
                         error_set(detail, E_SAGA_AWAY, "", "the address of the sidecar that has it cannot be called"),
                         detail);
    return 0;
}

int fleetwide_try(struct relayed *relayed, struct error_detail *detail)
{
    const struct relay_options *options = &relayed->relay->options;
    const struct relay_journal *all;
    unsigned count;
    int code = options->journals(options->self, &all, &count, detail);
    if (code != 0)
        return code;
    if (relayed->wide->journal[0] == '\0')
        return ask_all(relayed, all, count, detail);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(all[i].name, relayed->wide->journal) == 0)
            return ask_one(relayed, &all[i], detail);
    return error_set(detail, E_ARGUMENT, "journal", "the fleet has no journal of this name");
}

/* Whether it is about the fleet, and what is wrong with it. */
static int examine(const struct relay *relay, const ProtobufCMessage *m, bool *ours, struct error_detail *detail)
{
    const char *journal = *(const char **)gather_field(m, "journal");
    bool fleet = gather_has_field(m->descriptor, "fleet") && *(protobuf_c_boolean *)gather_field(m, "fleet");
    *ours = fleet || journal[0] != '\0';
    if (!*ours || relay->options.loop != 0)
        return 0;
    if (relay->options.journals == NULL)
        return error_set(detail, E_NO_FLEET, "", NULL);
    if (fleet && journal[0] != '\0')
        return error_set(detail, E_ARGUMENT, "journal", "either one journal or the whole fleet");
    if (strlen(journal) >= RELAY_JOURNAL_SIZE)
        return error_set(detail, E_ARGUMENT, "journal", "a journal's name has at most 128 bytes");
    const char *token =
        fleet && gather_has_field(m->descriptor, "page_token") ? *(const char **)gather_field(m, "page_token") : "";
    if (token[0] != '\0' && !is_token(token))
        return error_set(detail, E_ARGUMENT, "page_token", "not a token of an earlier page of the whole fleet");
    if (m->descriptor == &saga__v1__watch_request__descriptor &&
        ((const Saga__V1__WatchRequest *)(const void *)m)->saga_id[0] != '\0')
        return error_set(detail, E_ARGUMENT, "journal", "a saga's own id tells where it is");
    return 0;
}

bool fleetwide_take(struct relay *relay, struct rpc_call *call, struct bytes message)
{
    struct error_detail detail;
    enum method_id method = (enum method_id)rpc_call_method(call)->id;
    bool ours = false;
    if (!relay->by_journal[method])
        return false;
    if (api_check(relay->options.api, method, message, &detail) != 0) /* whoever reads it says what is wrong */
        return false;
    arena_reset(&relay->arena);
    const ProtobufCMessage *m = unpack(relay, method, message);
    if (m == NULL) { /* it may be ours: nobody else answers it */
        api_refuse(relay->options.api, call, api_unreadable(method, &detail), &detail);
        return true;
    }
    int code = examine(relay, m, &ours, &detail);
    if (!ours)
        return false;
    if (code != 0) {
        api_refuse(relay->options.api, call, code, &detail);
        return true;
    }
    if (relay->options.loop != 0) { /* the first knows the fleet */
        struct relayed *relayed = relayed_create(relay, call, 1);
        if (relayed != NULL)
            relay_ask(relayed, 0, 0, message);
        return true;
    }
    struct wide *w = calloc(1, sizeof *w);
    struct relayed *relayed = w == NULL ? NULL : elsewhere_wait(relay, call, message);
    if (w == NULL)
        api_refuse(relay->options.api, call, E_MEMORY, NULL);
    if (relayed == NULL) {
        free(w);
        return true;
    }
    snprintf(w->journal, sizeof w->journal, "%s", *(const char **)gather_field(m, "journal"));
    relayed->wide = w;
    elsewhere_try(relayed);
    return true;
}
