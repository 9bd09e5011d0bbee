/* model.c - looking things up in a definition. */
#include "sidecar/definition/model.h"

#include "sidecar/base/decimal.h"

int definition_step_find(const struct definition *d, struct bytes name)
{
    for (unsigned i = 0; i < d->step_count; i++)
        if (bytes_equal(bytes_of_text(d->steps[i].name), name))
            return (int)i;
    return -1;
}

void definition_step_path(const struct definition *d, unsigned step, char path[STEP_PATH_SIZE])
{
    static const char before[] = "steps[", more[] = ".fallback";
    unsigned fallbacks = 0, index = 0;
    for (; d->steps[step].stand_in != STAND_IN_NONE; step--)
        fallbacks++;
    for (unsigned i = 0; i < step; i++)
        index += d->steps[i].stand_in == STAND_IN_NONE;
    size_t size = sizeof before - 1;
    memcpy(path, before, size);
    size += decimal_write_uint(index, path + size);
    path[size++] = ']';
    for (; fallbacks > 0 && size + sizeof more <= STEP_PATH_SIZE; fallbacks--, size += sizeof more - 1)
        memcpy(path + size, more, sizeof more - 1);
    path[size] = '\0';
}

const char *step_spec_target(const struct step_spec *s, bool compensation, unsigned k)
{
    if ((compensation ? !s->has_compensation : !step_spec_asks(s)) || k >= (s->choice_count == 0 ? 1 : s->choice_count))
        return NULL;
    if (s->choice_count == 0)
        return compensation ? s->compensation.target : s->action.target;
    return compensation ? s->choices[k].compensation.target : s->choices[k].action.target;
}

bool step_spec_calls(const struct step_spec *s, const char *target)
{
    const char *own;
    for (unsigned undo = 0; undo < 2; undo++)
        for (unsigned k = 0; (own = step_spec_target(s, undo, k)) != NULL; k++)
            if (strcmp(own, target) == 0)
                return true;
    return false;
}

bool definition_step_forward_only(const struct definition *d, unsigned step)
{
    return d->forward_only || (d->pivot_step >= 0 && step_set_has(&d->steps[step].ancestors, (unsigned)d->pivot_step));
}

static unsigned count_at(struct bytes counts, unsigned loop)
{
    return counts.at[2 * (size_t)loop] | (unsigned)counts.at[2 * (size_t)loop + 1] << 8;
}

bool definition_place(const struct definition *d, struct bytes counts, unsigned index, struct step_place *place)
{
    unsigned loop = 0;
    if (counts.size != 2 * (size_t)d->loop_count)
        return false;
    for (unsigned i = 0; i < d->step_count; i++) {
        unsigned count = d->steps[i].loop ? count_at(counts, loop++) : 1;
        if (index < count) {
            *place = (struct step_place){(uint16_t)i, d->steps[i].loop ? (int16_t)index : -1};
            return true;
        }
        index -= count;
    }
    return false;
}

int definition_step_total(const struct definition *d, struct bytes counts)
{
    unsigned total = d->step_count - d->loop_count;
    if (counts.size != 2 * (size_t)d->loop_count)
        return -1;
    for (unsigned loop = 0; loop < d->loop_count; loop++)
        total += count_at(counts, loop);
    return total > STEPS_LIMIT ? -1 : (int)total;
}

size_t definition_place_name(const struct definition *d, struct step_place place, char name[STEP_NAME_BYTES_MAX + 1])
{
    size_t size = strlen(d->steps[place.step].name);
    memcpy(name, d->steps[place.step].name, size + 1);
    if (place.instance < 0)
        return size;
    name[size++] = '[';
    size += decimal_write_int(place.instance, name + size);
    name[size++] = ']';
    name[size] = '\0';
    return size;
}
