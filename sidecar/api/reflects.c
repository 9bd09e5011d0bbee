/* reflects.c - a target is asked for its descriptors: whoever has its connection does it, and says what came of it. */
#include "sidecar/api/api_inside.h"

#include <utlist.h>

#define SERVICES_MAX 64

int reflects_act(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__ReflectRequest *m = message;
    if (m->n_services == 0 || m->n_services > SERVICES_MAX)
        return error_set(detail, E_ARGUMENT, "services", "name 1 to 64 services");
    return api->options.reflect(api->options.self, m->target, m->services, (unsigned)m->n_services, &change->asked,
                                detail);
}

bool reflects_answer(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                     ProtobufCMessage *response)
{
    Saga__V1__ReflectResponse *m = (Saga__V1__ReflectResponse *)response;
    (void)a;
    (void)reply;
    m->descriptors.data = (uint8_t *)(uintptr_t)registered->reflected.at;
    m->descriptors.len = registered->reflected.size;
    return true;
}

void api_reflected(struct api *api, uint32_t number, int code, const struct error_detail *detail, struct bytes set)
{
    const struct reply_effect reply = {.code = 0};
    struct change *change;
    DL_FOREACH(api->changes, change)
    {
        if (change->request.method == METHOD_REFLECT && change->asked == number)
            break;
    }
    if (change == NULL) /* the sidecar stops */
        return;
    if (code != 0) {
        api_refuse(api, change->request.call, code, detail);
    } else {
        change->registered.reflected = set;
        arena_reset(&api->arena);
        api_answer(api, change->request.call, answer_make(&api->arena, METHOD_REFLECT, &reply, &change->registered));
    }
    change_give_back(api, change);
}
