/* core_parked.c - requests whose look-up is under way in the store: each is kept whole, and taken in anew when there may be an answer. */
#include "sidecar/core/core_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

/* One allocation, with everything that the event views behind it. */
struct parked {
    struct parked *next;
    size_t size;
    struct event event;
};

/* Counts the bytes of the event's views, or copies them, as `at` says. */
struct copier {
    uint8_t *at; /* NULL: counts */
    size_t size;
};

static void *place(struct copier *copier, const void *from, size_t size)
{
    copier->size = (copier->size + 15) & ~(size_t)15;
    void *at = copier->at == NULL ? NULL : copier->at + copier->size;
    copier->size += size;
    if (at != NULL && size > 0)
        memcpy(at, from, size);
    return at;
}

static struct bytes copy_bytes(struct copier *copier, struct bytes b)
{
    return bytes_of(place(copier, b.at, b.size), b.size);
}

static const char *copy_text(struct copier *copier, const char *text)
{
    return text == NULL ? NULL : place(copier, text, strlen(text) + 1);
}

static const struct settlement *copy_settlements(struct copier *copier, const struct event *e)
{
    struct settlement *to = place(copier, e->settle, e->settle_count * sizeof *to);
    for (size_t i = 0; i < e->settle_count; i++) {
        struct bytes step = copy_bytes(copier, e->settle[i].step);
        struct bytes output = copy_bytes(copier, e->settle[i].output);
        if (to != NULL) {
            to[i].step = step;
            to[i].output = output;
        }
    }
    return to;
}

static const struct enlistment *copy_enlistments(struct copier *copier, const struct event *e)
{
    struct enlistment *to = place(copier, e->enlist, e->enlist_count * sizeof *to);
    for (size_t i = 0; i < e->enlist_count; i++) {
        const struct call_spec *call = &e->enlist[i].compensation;
        struct bytes step = copy_bytes(copier, e->enlist[i].step);
        const char *target = copy_text(copier, call->target);
        const char *method = copy_text(copier, call->method);
        struct bytes constant = copy_bytes(copier, call->constant);
        if (to == NULL)
            continue;
        to[i].step = step;
        to[i].compensation.target = (char *)(uintptr_t)target;
        to[i].compensation.method = (char *)(uintptr_t)method;
        to[i].compensation.constant = constant;
    }
    return to;
}

static struct event copy_event(struct copier *copier, const struct event *e)
{
    struct event to = *e;
    CHECK(e->message.size == 0 && e->output.size == 0); /* a request: no answer waits for a look-up */
    to.request_id = copy_bytes(copier, e->request_id);
    to.input = copy_bytes(copier, e->input);
    to.name = copy_bytes(copier, e->name);
    to.traceparent = copy_bytes(copier, e->traceparent);
    to.version = copy_bytes(copier, e->version);
    to.step = copy_bytes(copier, e->step);
    to.actor = copy_bytes(copier, e->actor);
    to.tag_sets = copy_bytes(copier, e->tag_sets);
    to.audit = copy_bytes(copier, e->audit);
    to.identity = copy_bytes(copier, e->identity);
    to.reason = copy_bytes(copier, e->reason);
    to.settle = copy_settlements(copier, e);
    to.enlist = copy_enlistments(copier, e);
    return to;
}

static void add_last(struct core *c, struct parked *p)
{
    p->next = NULL;
    *(c->parked_last != NULL ? &c->parked_last->next : &c->parked_first) = p;
    c->parked_last = p;
    c->parked_count++;
}

static struct parked *take_first(struct core *c)
{
    struct parked *p = c->parked_first;
    CHECK(p != NULL && c->parked_count > 0);
    c->parked_first = p->next;
    if (c->parked_first == NULL)
        c->parked_last = NULL;
    c->parked_count--;
    return p;
}

bool parked_has(const struct core *c, struct bytes request_id)
{
    for (const struct parked *p = c->parked_first; p != NULL; p = p->next)
        if (bytes_equal(p->event.request_id, request_id))
            return true;
    return false;
}

int parked_add(struct core *c, const struct event *event)
{
    struct copier copier = {.at = NULL};
    if (c->parked_count == PARKED_MAX)
        return E_QUEUE;
    copy_event(&copier, event);
    size_t head = (sizeof(struct parked) + 15) & ~(size_t)15;
    struct parked *p = memory_take(&c->memory, head + copier.size);
    if (p == NULL)
        return E_MEMORY;
    p->size = head + copier.size;
    copier = (struct copier){.at = (uint8_t *)p + head};
    p->event = copy_event(&copier, event);
    CHECK(head + copier.size == p->size);
    add_last(c, p);
    return 0;
}

int parked_resume(struct core *c, struct instant now, struct error_detail *detail)
{
    int code = 0;
    for (unsigned left = DEFECT(PARKED_FORGOTTEN) ? 0 : c->parked_count; left > 0 && code == 0; left--) {
        struct parked *p = take_first(c);
        p->event.now = now;
        code = core_take(c, &p->event, detail);
        if (code == STORE_PENDING) {
            add_last(c, p);
            code = 0;
            continue;
        }
        memory_give_back(&c->memory, p, p->size);
    }
    return code;
}

void parked_abandon(struct core *c)
{
    while (c->parked_first != NULL) {
        struct parked *p = take_first(c);
        const struct reply_effect reply = {.token = p->event.token, .code = E_STOPPING, .saga = p->event.saga};
        c->world.reply(c->world.self, &reply, NULL);
        memory_give_back(&c->memory, p, p->size);
    }
}

void parked_free(struct core *c)
{
    while (c->parked_first != NULL) {
        struct parked *p = take_first(c);
        memory_give_back(&c->memory, p, p->size);
    }
}
