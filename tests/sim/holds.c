/* holds.c - definitions held and let go in the middle of everything; and the oracle: none that is held starts, whatever crashes, and what is held
 * is what the journal says. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/holds.h"

#include <stdlib.h>

/* The third of the worlds that has neither bulk jobs nor objectives. */
bool holds_are_there(const struct world *w)
{
    return w->script == NULL && w->seed % 3 == 2;
}

static int set(struct world *w, unsigned index, bool hold)
{
    struct error_detail detail;
    Saga__V1__Hold m = SAGA__V1__HOLD__INIT;
    m.definition = (char *)(uintptr_t)w->definitions[index]->name;
    m.actor = (char *)(uintptr_t) "operator";
    m.reason = (char *)(uintptr_t) "because";
    int code = holds_set(core_holds(w->sidecar.core), w->sidecar.core, &m, hold, false, &detail);
    return code == E_MEMORY ? code : 0;
}

int holds_turn(struct world *w)
{
    int code = 0;
    if (!holds_are_there(w) || w->sidecar.holding || core_stalled(w->sidecar.core) != 0 ||
        core_resuming(w->sidecar.core))
        return 0;
    if (w->healed) {
        for (unsigned i = 0; code == 0 && i < w->definition_count; i++)
            code = set(w, i, false);
        return code;
    }
    if (draw(w, BULK, 30) != 0)
        return 0;
    unsigned index = (unsigned)draw(w, BULK, w->definition_count);
    return set(w, index, draw(w, BULK, 3) == 0);
}

static int index_of(const struct world *w, struct bytes name)
{
    for (unsigned i = 0; i < w->definition_count; i++)
        if (bytes_equal(bytes_of_text(w->definitions[i]->name), name))
            return (int)i;
    return -1;
}

void holds_row(struct world *w, const struct subject_row *row)
{
    int index = index_of(w, row->name);
    if (index < 0)
        world_fail(w, EXIT_SAFETY, "holds", "a row holds what nobody has held", 0);
    struct subject_row *kept = &w->disk.holds[index];
    if (row->value.size > 0 && kept->value.size == 0)
        w->held_since[index] = w->commits;
    *kept = (struct subject_row){.kind = row->kind,
                                 .name = bytes_of(world_copy(w, row->name.at, row->name.size), row->name.size),
                                 .version = row->version,
                                 .value = bytes_of(world_copy(w, row->value.at, row->value.size), row->value.size)};
}

int holds_scan(struct world *w, int (*take)(void *self, const struct subject_row *row), void *self)
{
    for (unsigned i = 0; i < DEFINITIONS_MAX; i++) {
        int code = w->disk.holds[i].kind == 0 ? 0 : take(self, &w->disk.holds[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

void holds_start_seen(struct world *w, const struct model *m)
{
    for (unsigned i = 0; m->definition != NULL && i < w->definition_count; i++)
        if (w->definitions[i] == m->definition && w->disk.holds[i].value.size > 0 && w->held_since[i] < w->commits &&
            !m->client->synthetic)
            world_fail(w, EXIT_SAFETY, "holds", "a saga started whose definition is held", m->id.serial);
}

void holds_state(struct world *w)
{
    for (unsigned i = 0; holds_are_there(w) && i < w->definition_count; i++) {
        bool held = holds_has(core_holds(w->sidecar.core), bytes_of_text(w->definitions[i]->name));
        if (held != (w->disk.holds[i].value.size > 0))
            world_fail(w, EXIT_SAFETY, "holds", "what is held is not what the journal says", i);
        if (held)
            mark(w, MARK_CASE, CASE_HELD_DEFINITION);
    }
}
