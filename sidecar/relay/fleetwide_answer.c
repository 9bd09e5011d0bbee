/* fleetwide_answer.c - one answer of what the journals of a fleet have said, and of those that have not. */
#include "sidecar/relay/relay_inside.h"

#include "sidecar/base/check.h"

#include <inttypes.h>
#include <stdio.h>

bool fleetwide_tell_absent(const struct relayed *relayed, ProtobufCMessage *response)
{
    const struct wide *w = relayed->wide;
    struct arena *a = &relayed->relay->arena;
    Saga__V1__Absent **all = arena_take(a, (w->count + 1) * sizeof(Saga__V1__Absent *));
    Saga__V1__Absent *rows = arena_take(a, (w->count + 1) * sizeof *rows);
    size_t count = 0;
    if (all == NULL || rows == NULL)
        return false;
    for (unsigned k = 0; k < w->count; k++) {
        const struct wide_journal *j = &w->journals[k];
        if (!j->absent)
            continue;
        Saga__V1__Absent *m = all[count] = &rows[count];
        count++;
        saga__v1__absent__init(m);
        m->journal = (char *)(uintptr_t)j->name;
        m->carrier = (char *)(uintptr_t)j->carrier;
        m->live = j->live;
        m->status = j->status;
        if ((m->why = arena_text(a, bytes_of_text(j->why))) == NULL)
            return false;
    }
    gather_set_list(response, "absent", all, count);
    return true;
}

char *fleetwide_token(const struct relayed *relayed, const struct page *pages, bool newest_first)
{
    struct arena *a = &relayed->relay->arena;
    const struct wide *w = relayed->wide;
    size_t room = 1, used = 0;
    bool more = false;
    const char **tokens = arena_take(a, w->count * sizeof *tokens);
    if (tokens == NULL)
        return NULL;
    for (unsigned k = 0; k < w->count; k++) {
        struct bytes token = relayed->parts[k].token;
        tokens[k] = w->journals[k].absent ? arena_text(a, token) : gather_token(a, &pages[k], newest_first);
        if (tokens[k] == NULL)
            return NULL;
        more |= !w->journals[k].absent && strcmp(tokens[k], GATHER_NO_MORE) != 0;
        room += strlen(tokens[k]) + 24;
    }
    char *text = arena_take(a, room);
    if (text == NULL)
        return NULL;
    text[0] = '\0';
    /* One that was absent is tried again beside those that have more; alone it would be asked for ever. */
    for (unsigned k = 0; more && k < w->count; k++)
        if (strcmp(tokens[k], GATHER_NO_MORE) != 0)
            used += (size_t)snprintf(text + used, room - used, "%s%" PRIu64 "=%s", used == 0 ? "" : ",",
                                     w->journals[k].id, tokens[k]);
    CHECK(used < room);
    return text;
}

/* The jobs of all journals, each with whose it is. */
static bool join_jobs(const struct relayed *relayed, Saga__V1__ListBulksResponse *response)
{
    struct arena *a = &relayed->relay->arena;
    const struct wide *w = relayed->wide;
    size_t count = 0;
    Saga__V1__ListBulksResponse **parts = arena_take(a, w->count * sizeof(Saga__V1__ListBulksResponse *));
    for (unsigned k = 0; parts != NULL && k < w->count; k++) {
        struct bytes body = relayed->parts[k].body;
        if ((parts[k] = saga__v1__list_bulks_response__unpack(&a->allocator, body.size, body.at)) == NULL)
            return false;
        count += parts[k]->n_jobs;
    }
    Saga__V1__BulkJob **jobs = arena_take(a, (count + 1) * sizeof(Saga__V1__BulkJob *));
    if (parts == NULL || jobs == NULL)
        return false;
    count = 0;
    for (unsigned k = 0; k < w->count; k++)
        for (size_t i = 0; i < parts[k]->n_jobs; i++) {
            jobs[count] = parts[k]->jobs[i];
            jobs[count++]->journal = w->journals[k].name;
        }
    gather_set_list(&response->base, "jobs", jobs, count);
    return true;
}

/* Sets whether all who answered knew the job already; when nobody did, it is nowhere. */
static bool tell_whether_all_had_it(const struct relayed *relayed, Saga__V1__StartBulkResponse *response)
{
    struct arena *a = &relayed->relay->arena;
    response->already_started = relayed->wide->answered > 0;
    for (unsigned k = 0; k < relayed->count; k++) {
        struct bytes body = relayed->parts[k].body;
        if (relayed->wide->journals[k].absent)
            continue;
        const Saga__V1__StartBulkResponse *m = saga__v1__start_bulk_response__unpack(&a->allocator, body.size, body.at);
        if (m == NULL)
            return false;
        response->already_started &= m->already_started;
    }
    return true;
}

struct bytes fleetwide_answer(const struct relayed *relayed)
{
    struct arena *a = &relayed->relay->arena;
    const struct method *method = &methods[relayed->request.method];
    const struct wide *w = relayed->wide;
    if (relay_is_pages(relayed->request.method))
        return gather_page(relayed);
    ProtobufCMessage *response = arena_take(a, method->response->sizeof_message);
    if (response == NULL)
        return bytes_of(NULL, 0);
    protobuf_c_message_init(method->response, response);
    if (gather_has_field(method->response, "journals"))
        *(uint32_t *)gather_field(response, "journals") = w->answered;
    if (relayed->request.method == METHOD_START_BULK &&
        !tell_whether_all_had_it(relayed, (Saga__V1__StartBulkResponse *)(void *)response))
        return bytes_of(NULL, 0);
    if (relayed->request.method == METHOD_LIST_BULKS &&
        !join_jobs(relayed, (Saga__V1__ListBulksResponse *)(void *)response))
        return bytes_of(NULL, 0);
    return fleetwide_tell_absent(relayed, response) ? arena_pack(a, response) : bytes_of(NULL, 0);
}
