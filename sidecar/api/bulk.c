/* bulk.c - bulk jobs begun, changed and listed. */
#include "sidecar/api/api_inside.h"
#include "sidecar/core/bulk.h"

#include "sidecar/observe/log.h"

/* The answer waits for the job to be durable. */
static int answer_durably(struct api *api, struct change *change, bool repeated)
{
    return core_reply(api->core, &(struct reply_effect){.token = (uintptr_t)change, .repeated = repeated}, NULL);
}

static void tell(const struct change *change, const char *text, const char *id, const char *actor, const char *what)
{
    const struct rpc_peer *peer = rpc_call_peer(change->request.call);
    log_event(LOG_LEVEL_INFO, text, LOG_TEXT("bulk", id), LOG_TEXT("act", what), LOG_TEXT("actor", actor),
              LOG_NUMBER("uid", peer->has_user ? (int64_t)peer->uid : -1), LOG_TEXT("address", peer->address),
              LOG_TEXT("identity", peer->identity));
}

int bulk_start(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__StartBulkRequest *m = message;
    static const char *const acts[] = {"", "retry", "skip", "resolve"};
    bool repeated;
    Saga__V1__BulkJob job = SAGA__V1__BULK_JOB__INIT;
    job.id = m->id;
    job.act = m->act;
    job.where = m->where;
    job.definition = m->definition;
    char identity[IDENTITY_TEXT_SIZE];
    permit_identity(rpc_call_peer(change->request.call), identity);
    job.actor = m->actor;
    job.identity = identity;
    job.reason = m->reason;
    job.per_second = m->per_second == 0 ? BULK_PER_SECOND_DEFAULT : m->per_second;
    int code = bulks_add(api->options.bulks, &job, api_now(api), &repeated, detail);
    if (code != 0)
        return code;
    if (!repeated)
        audit_add(api, change->request.call, METHOD_START_BULK, m->id, m->actor, m->reason);
    if (!repeated)
        tell(change, "a bulk job begins", m->id, m->actor, acts[m->act]);
    return answer_durably(api, change, repeated);
}

bool bulk_started(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                  ProtobufCMessage *response)
{
    (void)a;
    (void)registered;
    ((Saga__V1__StartBulkResponse *)response)->already_started = reply->repeated;
    return true;
}

int bulk_change(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__ChangeBulkRequest *m = message;
    static const char *const acts[] = {"", "resume", "pause", "", "cancel"};
    if (m->actor[0] == '\0' || strlen(m->actor) > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
    int code = bulks_change(api->options.bulks, bytes_of_text(m->id), m->state, api_now(api), detail);
    if (code != 0)
        return code;
    audit_act(api, change->request.call, METHOD_CHANGE_BULK, acts[m->state], m->id, m->actor, "");
    tell(change, "a bulk job is changed", m->id, m->actor, acts[m->state]);
    return answer_durably(api, change, false);
}

int bulk_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListBulksRequest *m = message;
    Saga__V1__ListBulksResponse response = SAGA__V1__LIST_BULKS_RESPONSE__INIT;
    response.jobs = arena_take(read->arena, BULK_JOBS_MAX * sizeof(*response.jobs));
    Saga__V1__BulkJob *copies = arena_take(read->arena, BULK_JOBS_MAX * sizeof *copies);
    if (response.jobs == NULL || copies == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++) {
        const Saga__V1__BulkJob *job = bulks_at(api->options.bulks, i);
        if (job == NULL || (m->id[0] != '\0' && strcmp(m->id, job->id) != 0))
            continue;
        copies[response.n_jobs] = *job;
        copies[response.n_jobs].loop = api->options.loop;
        response.jobs[response.n_jobs] = &copies[response.n_jobs];
        response.n_jobs++;
    }
    api_answer(api, read->request.call, &response.base);
    return 0;
}
