/* reply.c - what requesters are told. */
#include "sidecar/engine/engine_inside.h"

void reply_ok(const struct turn *t, const struct event *event, const struct saga *s, bool repeated)
{
    struct effect effect = {.type = EFFECT_REPLY, .as.reply = {.token = event->token, .repeated = repeated}};
    if (s != NULL) {
        effect.as.reply.saga = s->id;
        effect.as.reply.lease = s->lease;
    }
    t->out->add_effect(t->out->self, &effect, NULL);
}

void reply_error(const struct turn *t, const struct event *event, const struct error_detail *detail, int code)
{
    const struct effect effect = {.type = EFFECT_REPLY,
                                  .as.reply = {.token = event->token, .code = code, .saga = event->saga}};
    t->out->add_effect(t->out->self, &effect, detail);
}

void reply_refuse(const struct turn *t, const struct event *event, int code, const char *field, const char *text)
{
    struct error_detail detail;
    error_set(&detail, code, field, text);
    reply_error(t, event, &detail, code);
}

struct saga *reply_find_saga(const struct turn *t, const struct event *event)
{
    const struct saga *s = engine_find(t->engine, event->saga.serial);
    if (s == NULL || s->id.tag != event->saga.tag) {
        reply_refuse(t, event, E_SAGA_NOT_FOUND, "saga_id", NULL);
        return NULL;
    }
    return (struct saga *)(uintptr_t)s;
}
