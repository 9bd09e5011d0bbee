/* answers.c - what is said to a request that has been carried out. Most answers are empty: that they came says it all. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"
#include "sidecar/base/call_key.h"

#include <stdlib.h>

static char *id_text(struct arena *a, struct saga_id id)
{
    char *text = arena_take(a, SAGA_ID_TEXT_SIZE);
    if (text != NULL)
        saga_id_format(id, text);
    return text;
}

bool answer_start(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                  ProtobufCMessage *response)
{
    Saga__V1__StartResponse *m = (Saga__V1__StartResponse *)response;
    (void)registered;
    m->saga_id = id_text(a, reply->saga);
    m->already_started = reply->repeated;
    return m->saga_id != NULL;
}

int answer_keep(struct registered *registered, const struct event *event, struct error_detail *detail)
{
    size_t size = 0, used = 0;
    for (size_t i = 0; i < event->enlist_count; i++)
        size += event->enlist[i].step.size + 1;
    if (size == 0)
        return 0;
    uint8_t *names = malloc(size);
    if (names == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < event->enlist_count; i++) {
        struct bytes name = event->enlist[i].step;
        if (name.size > 0)
            memcpy(names + used, name.at, name.size);
        used += name.size;
        names[used++] = '\0';
    }
    registered->steps = bytes_of(names, size);
    return 0;
}

void answer_forget(struct registered *registered)
{
    free((void *)(uintptr_t)registered->steps.at);
    registered->steps = bytes_of(NULL, 0);
}

/* The key of each action, in the order of the enlistments. An owner's action has one life: nobody tries it anew. */
static bool action_keys(struct arena *a, struct saga_id saga, struct bytes steps, char ***keys, size_t *count)
{
    const uint8_t *at = steps.at, *end = at + steps.size;
    size_t names = 0;
    for (size_t i = 0; i < steps.size; i++)
        names += at[i] == '\0';
    if (names == 0)
        return true;
    *keys = arena_take(a, names * sizeof **keys);
    if (*keys == NULL)
        return false;
    for (; at < end; at += strlen((const char *)at) + 1) {
        char *key = arena_take(a, CALL_KEY_SIZE(STEP_NAME_BYTES_MAX));
        if (key == NULL)
            return false;
        call_key_format(saga, bytes_of_text((const char *)at), true, 0, key);
        (*keys)[(*count)++] = key;
    }
    return true;
}

bool answer_begin(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                  ProtobufCMessage *response)
{
    Saga__V1__BeginResponse *m = (Saga__V1__BeginResponse *)response;
    m->saga_id = id_text(a, reply->saga);
    m->already_started = reply->repeated;
    return m->saga_id != NULL && action_keys(a, reply->saga, registered->steps, &m->action_keys, &m->n_action_keys);
}

bool answer_enlist(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                   ProtobufCMessage *response)
{
    Saga__V1__EnlistResponse *m = (Saga__V1__EnlistResponse *)response;
    return action_keys(a, reply->saga, registered->steps, &m->action_keys, &m->n_action_keys);
}

bool answer_keep_alive(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                       ProtobufCMessage *response)
{
    Saga__V1__KeepAliveResponse *m = (Saga__V1__KeepAliveResponse *)response;
    (void)registered;
    m->lease = view_span(a, reply->lease);
    return m->lease != NULL;
}

/* So many of an answer at most; of a definition that has more, the first tell what it is like. */
#define WARNINGS_MAX 200

struct warnings {
    struct arena *arena;
    Saga__V1__Finding *list[WARNINGS_MAX];
    unsigned count;
    bool failed;
};

static void add_warning(void *self, const struct warning *warning)
{
    struct warnings *w = self;
    if (w->count == WARNINGS_MAX)
        return;
    Saga__V1__Finding *view = arena_take(w->arena, sizeof *view);
    w->failed = w->failed || view == NULL;
    if (w->failed)
        return;
    saga__v1__finding__init(view);
    view->rule = arena_text(w->arena, bytes_of_text(warning->rule));
    view->warning = warning->is_warning;
    view->line = warning->line;
    view->column = warning->column;
    view->field = arena_text(w->arena, bytes_of_text(warning->field));
    view->message = arena_text(w->arena, bytes_of_text(warning->text));
    w->failed = view->rule == NULL || view->field == NULL || view->message == NULL;
    w->list[w->count++] = view;
}

/* Judges it once more: what was found at its admission was no error, and nobody kept it meanwhile. */
static bool put_findings(struct arena *a, const struct registered *registered, Saga__V1__RegisterDefinitionResponse *m)
{
    struct warnings warnings = {.arena = a};
    int code = registered->by->warn(registered->by->self, registered->definition, add_warning, &warnings);
    if (code != 0 || warnings.failed)
        return false;
    m->findings = arena_take(a, (warnings.count + 1) * sizeof *m->findings);
    for (unsigned i = 0; i < warnings.count && m->findings != NULL; i++)
        m->findings[m->n_findings++] = warnings.list[i];
    return m->findings != NULL;
}

bool answer_register(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                     ProtobufCMessage *response)
{
    Saga__V1__RegisterDefinitionResponse *m = (Saga__V1__RegisterDefinitionResponse *)response;
    m->name = (char *)(uintptr_t)registered->definition->name;
    m->version = (char *)(uintptr_t)registered->definition->version;
    m->already_registered = reply->repeated;
    return put_findings(a, registered, m);
}

bool answer_register_schema(struct arena *a, const struct reply_effect *reply, const struct registered *registered,
                            ProtobufCMessage *response)
{
    Saga__V1__RegisterSchemaResponse *m = (Saga__V1__RegisterSchemaResponse *)response;
    (void)a;
    m->hash = (char *)(uintptr_t)registered->schema_hash;
    m->already_registered = reply->repeated;
    return true;
}

ProtobufCMessage *answer_make(struct arena *a, enum method_id method, const struct reply_effect *reply,
                              const struct registered *registered)
{
    const struct method *row = &methods[method];
    ProtobufCMessage *response = arena_take(a, row->response->sizeof_message);
    if (response == NULL)
        return NULL;
    protobuf_c_message_init(row->response, response);
    return row->answer == NULL || row->answer(a, reply, registered, response) ? response : NULL;
}
