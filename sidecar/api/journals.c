/* journals.c - the journals of a fleet, for operators. */
#include "sidecar/api/api_inside.h"

#define JOURNAL_BYTES_MAX 128

static int check_name(const char *name, const char *field, struct error_detail *detail)
{
    return strlen(name) <= JOURNAL_BYTES_MAX
               ? 0
               : error_set(detail, E_ARGUMENT, field, "a journal's name has at most 128 bytes");
}

int journals_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__ListJournalsRequest *m = message;
    Saga__V1__ListJournalsResponse response = SAGA__V1__LIST_JOURNALS_RESPONSE__INIT;
    int code = check_name(m->after, "after", detail);
    if (code == 0)
        code = api->options.journals(api->options.self, m->after, read->arena, &response, detail);
    if (code == 0)
        api_answer(api, read->request.call, &response.base);
    return code;
}

int journals_give(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const Saga__V1__GiveJournalRequest *m = message;
    Saga__V1__GiveJournalResponse response = SAGA__V1__GIVE_JOURNAL_RESPONSE__INIT;
    size_t size = strlen(m->actor);
    if (size == 0 || size > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in at most 128 bytes");
    int code = check_name(m->journal, "journal", detail);
    if (code == 0)
        code = api->options.give(api->options.self, m->journal, detail);
    if (code == 0) {
        audit_add(api, read->request.call, METHOD_GIVE_JOURNAL, m->journal, m->actor, "");
        api_answer(api, read->request.call, &response.base);
    }
    return code;
}
