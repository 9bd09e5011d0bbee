/* forget.c - last good answers that are to be forgotten: a person's data, or what a participant should not have said. */
#include "sidecar/api/api_inside.h"

#include "sidecar/observe/log.h"

/* "definition/step". */
#define ANSWER_OF_BYTES_MAX (2 * NAME_BYTES_MAX + 1)
#define REASON_BYTES_MAX    256

static int check(const Saga__V1__ForgetAnswerRequest *m, struct error_detail *detail)
{
    if (m->name[0] == '\0' || strlen(m->name) > ANSWER_OF_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "name", "DEFINITION/STEP, or the name that last_good gives");
    if (strlen(m->key) > LAST_GOOD_KEY_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "key", "at most 256 bytes");
    if (m->actor[0] == '\0' || strlen(m->actor) > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
    if (m->reason[0] == '\0' || strlen(m->reason) > REASON_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "reason", "say why, in 1 to 256 bytes");
    return 0;
}

/* The key may name whom nothing is to be known of any more: it is told nowhere. */
int forget_answer(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__ForgetAnswerRequest *m = message;
    int code = check(m, detail);
    if (code == 0)
        code = core_forget_answer(api->core, bytes_of_text(m->name), bytes_of_text(m->key), (uintptr_t)change, detail);
    if (code != 0)
        return code;
    audit_add(api, change->request.call, METHOD_FORGET_ANSWER, m->name, m->actor, m->reason);
    log_event(LOG_LEVEL_INFO, "a last good answer is forgotten", LOG_TEXT("name", m->name), LOG_TEXT("actor", m->actor),
              LOG_TEXT("reason", m->reason));
    return 0;
}
