/* pack.c - one walk over everything a definition points to, done twice: to measure, and to copy. */
#include "sidecar/definition/pack.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"
#include "sidecar/mapping/mapping.h"

#include <stdlib.h>

/* While it measures, `room` is NULL. */
struct packer {
    uint8_t *room;
    size_t used;
    struct call_choice *choices; /* those that come next */
};

static struct bytes pack_bytes(struct packer *p, struct bytes bytes)
{
    uint8_t *at = p->room == NULL ? NULL : p->room + p->used;
    if (at != NULL && bytes.size > 0)
        memcpy(at, bytes.at, bytes.size);
    p->used += bytes.size;
    return bytes_of(at, bytes.size);
}

static const char *pack_text(struct packer *p, const char *text)
{
    return text == NULL ? NULL : (const char *)pack_bytes(p, bytes_of(text, strlen(text) + 1)).at;
}

static void pack_call(struct packer *p, const struct call_spec *from, struct call_spec *to)
{
    struct call_spec call = *from;
    call.target = pack_text(p, from->target);
    call.method = pack_text(p, from->method);
    call.constant = pack_bytes(p, from->constant);
    if (to != NULL)
        *to = call;
}

/* A step's choices differ in their targets alone. */
static void pack_choices(struct packer *p, const struct step_spec *from, struct step_spec *to)
{
    if (to != NULL)
        to->choices = p->choices;
    for (unsigned i = 0; i < from->choice_count; i++) {
        const char *name = pack_text(p, from->choices[i].name);
        const char *action = pack_text(p, from->choices[i].action.target);
        const char *compensation = pack_text(p, from->choices[i].compensation.target);
        if (to == NULL)
            continue;
        struct call_choice *choice = p->choices++;
        *choice = (struct call_choice){.name = name, .action = to->action, .compensation = to->compensation};
        choice->action.target = action;
        choice->compensation.target = compensation;
    }
}

static unsigned count_choices(const struct definition *d)
{
    unsigned count = 0;
    for (unsigned i = 0; i < d->step_count; i++)
        count += d->steps[i].choice_count;
    return count;
}

/* Packs what the definition points to; to is NULL while measuring. */
static void pack_parts(struct packer *p, const struct definition *from, struct definition *to)
{
    struct definition packed = *from;
    packed.name = pack_text(p, from->name);
    packed.version = pack_text(p, from->version);
    packed.fair_by = pack_text(p, from->fair_by);
    packed.source = pack_bytes(p, from->source);
    packed.schema_name = pack_text(p, from->schema_name);
    packed.schema_hash = pack_text(p, from->schema_hash);
    packed.input_name = pack_text(p, from->input_name);
    if (to != NULL) {
        packed.steps = to->steps;
        *to = packed;
    }
    for (unsigned i = 0; i < from->step_count; i++) {
        const struct step_spec *step = &from->steps[i];
        struct step_spec *copy = to == NULL ? NULL : &to->steps[i];
        const char *name = pack_text(p, step->name), *kept_as = pack_text(p, step->kept_as);
        const char *kept_key = pack_text(p, step->kept_key);
        if (copy != NULL) {
            *copy = *step;
            copy->name = name;
            copy->kept_as = kept_as;
            copy->kept_key = kept_key;
        }
        pack_call(p, &step->action, copy == NULL ? NULL : &copy->action);
        pack_call(p, &step->compensation, copy == NULL ? NULL : &copy->compensation);
        pack_choices(p, step, copy);
    }
}

struct definition *definition_pack(const struct definition *draft)
{
    /* The steps follow the definition itself, and their choices; then come the bytes, which need no alignment. */
    size_t head = sizeof(struct definition) + draft->step_count * sizeof(struct step_spec) +
                  count_choices(draft) * sizeof(struct call_choice);
    struct packer measure = {NULL, 0, NULL};
    pack_parts(&measure, draft, NULL);
    struct definition *d = malloc(head + measure.used);
    if (d == NULL)
        return NULL;
    d->steps = (struct step_spec *)(void *)(d + 1);
    struct packer copy = {(uint8_t *)d + head, 0, (struct call_choice *)(void *)(d->steps + draft->step_count)};
    pack_parts(&copy, draft, d);
    CHECK(copy.used == measure.used);
    d->mapping = mapping_share(draft->mapping);
    return d;
}

void definition_destroy(struct definition *d)
{
    if (d != NULL)
        mapping_release(d->mapping);
    free(d);
}
