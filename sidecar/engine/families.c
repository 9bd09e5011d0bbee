/* families.c - all versions of a definition under one name: how many of its sagas live, and what bounds them. */
#include "sidecar/base/decimal.h"
#include "sidecar/base/fnv.h"
#include "sidecar/engine/engine_inside.h"

/* The slot of this name, or the empty one where it would be. There is room in the table. */
static uint32_t *slot_of(const struct engine *e, const char *name)
{
    uint64_t hash = fnv_add(FNV_START, name, strlen(name));
    for (uint64_t i = hash ^ hash >> 32;; i++) {
        uint32_t *slot = &e->family_slots[i & (2 * e->family_room - 1)];
        if (*slot == 0 || strcmp(e->families[*slot - 1].name, name) == 0)
            return slot;
    }
}

/* Room for twice as many, and their slots anew. */
static int grow(struct engine *e)
{
    uint32_t before = e->family_room, room = before == 0 ? 16 : 2 * before;
    if (e->family_count < before)
        return 0;
    struct family *families = memory_take(&e->memory, room * sizeof *families);
    uint32_t *slots = e->memory.take_zeroed(e->memory.self, 2 * room * sizeof *slots);
    if (families == NULL || slots == NULL) {
        memory_give_back(&e->memory, families, room * sizeof *families);
        memory_give_back(&e->memory, slots, 2 * room * sizeof *slots);
        return E_MEMORY;
    }
    if (e->family_count > 0)
        memcpy(families, e->families, e->family_count * sizeof *families);
    memory_give_back(&e->memory, e->families, before * sizeof *families);
    memory_give_back(&e->memory, e->family_slots, 2 * before * sizeof *slots);
    e->families = families;
    e->family_slots = slots;
    e->family_room = room;
    for (uint32_t i = 0; i < e->family_count; i++)
        *slot_of(e, families[i].name) = i + 1;
    return 0;
}

int families_add(struct engine *e, const char *name)
{
    if (grow(e) != 0)
        return E_MEMORY;
    uint32_t *slot = slot_of(e, name);
    size_t size = strlen(name) + 1;
    if (*slot != 0)
        return (int)*slot;
    char *own = memory_take(&e->memory, size);
    if (own == NULL)
        return E_MEMORY;
    memcpy(own, name, size);
    e->families[e->family_count] = (struct family){.name = own};
    *slot = ++e->family_count;
    return (int)*slot;
}

void families_finish(struct engine *e)
{
    for (uint32_t i = 0; i < e->family_count; i++)
        memory_give_back(&e->memory, e->families[i].name, strlen(e->families[i].name) + 1);
    memory_give_back(&e->memory, e->families, e->family_room * sizeof *e->families);
    memory_give_back(&e->memory, e->family_slots, 2 * e->family_room * sizeof *e->family_slots);
}

int engine_set_limits(struct engine *e, const struct definition_bound *bounds, size_t count)
{
    static const struct admission_options none;
    for (size_t i = 0; i < count; i++)
        if (families_add(e, bounds[i].definition) < 0)
            return E_MEMORY;
    for (uint32_t i = 0; i < e->family_count; i++) {
        if (e->families[i].bound)
            admission_set(&e->families[i].admission, &none);
        e->families[i].bound = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct family *f = &e->families[families_add(e, bounds[i].definition) - 1];
        admission_set(&f->admission, &bounds[i].options);
        f->bound = true;
    }
    return 0;
}

const struct admission *engine_family(const struct engine *e, uint32_t index, const char **name)
{
    if (index >= e->family_count)
        return NULL;
    *name = e->families[index].name;
    return &e->families[index].admission;
}

static int retry_ms(struct span delay)
{
    return (int)((delay.us + 999) / 1000);
}

int families_ask_bound(const struct turn *t, const struct definition *d, struct error_detail *detail)
{
    char digits[20];
    struct span delay;
    struct family *f = families_of(t->engine, d);
    enum admission_verdict verdict = admission_asks(&f->admission, t->now, &delay);
    if (verdict == ADMISSION_OPEN)
        return 0;
    bool live = verdict == ADMISSION_LIVE;
    error_set(detail, E_DEFINITION_LIMIT, "definition", "as many sagas of ");
    error_append(detail, f->name);
    error_append(detail, live ? " live as may (live_sagas_max: " : " begin in a second as may (starts_per_second: ");
    digits[decimal_write_uint(live ? f->admission.options.live_max : f->admission.options.starts.per_second, digits)] =
        '\0';
    error_append(detail, digits);
    error_append(detail, ")");
    detail->retry_ms = retry_ms(delay);
    return E_DEFINITION_LIMIT;
}

void families_resume(struct engine *e)
{
    e->all.ended_at = (struct instant){0};
    for (uint32_t i = 0; i < e->family_count; i++)
        e->families[i].admission.ended_at = (struct instant){0};
}

int families_full(const struct turn *t, struct error_detail *detail)
{
    error_set(detail, E_LIVE_SAGAS, "", NULL);
    detail->retry_ms = retry_ms(admission_guess(&t->engine->all, t->now));
    return E_LIVE_SAGAS;
}
