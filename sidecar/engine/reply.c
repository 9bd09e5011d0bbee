/* reply.c - what requesters are told. */
#include "sidecar/engine/engine_inside.h"

static void reply(const struct turn *t, const struct event *event, const struct reply_effect *reply,
                  const struct error_detail *detail)
{
    struct effect effect = {.type = EFFECT_REPLY, .as.reply = *reply};
    effect.as.reply.token = event->token;
    t->out->add_effect(t->out->self, &effect, detail);
}

void reply_ok(const struct turn *t, const struct event *event, struct saga_id saga, bool repeated)
{
    const struct saga *s = engine_find(t->engine, saga.serial);
    reply(t, event,
          &(struct reply_effect){.saga = saga, .repeated = repeated, .lease = s == NULL ? (struct span){0} : s->lease},
          NULL);
}

void reply_error(const struct turn *t, const struct event *event, const struct error_detail *detail, int code)
{
    reply(t, event, &(struct reply_effect){.code = code, .saga = event->saga}, detail);
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
