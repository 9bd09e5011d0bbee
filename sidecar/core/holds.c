/* holds.c - a short list, looked along at each start while it is not empty. */
#include "sidecar/core/holds.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/core/core.h"
#include "sidecar/definition/names.h"

#include <stdio.h>

#define FORM_OF_VALUE 1
#define ROW_BYTES_MAX 1024

struct hold {
    Saga__V1__Hold m; /* its texts lie below */
    Google__Protobuf__Timestamp since;
    char definition[NAME_BYTES_MAX + 1]; /* "": the place is free */
    char actor[ACTOR_BYTES_MAX + 1], reason[HOLD_REASON_BYTES_MAX + 1];
};

struct holds {
    struct memory memory;
    unsigned count;
    struct error_detail *detail; /* while rows are read */
    struct hold holds[HOLDS_MAX];
};

int holds_create(const struct memory *memory, struct holds **out)
{
    struct holds *h = memory->take_zeroed(memory->self, sizeof *h);
    if (h == NULL)
        return E_MEMORY;
    h->memory = *memory;
    *out = h;
    return 0;
}

void holds_destroy(struct holds *h)
{
    if (h == NULL)
        return;
    struct memory memory = h->memory;
    memory.give_back(memory.self, h, sizeof *h);
}

static int place_of(const struct holds *h, struct bytes definition)
{
    for (unsigned i = 0; i < HOLDS_MAX && h->count > 0; i++)
        if (h->holds[i].definition[0] != '\0' && bytes_equal(bytes_of_text(h->holds[i].definition), definition))
            return (int)i;
    return -1;
}

/* Takes a free place. Returns whether there was one, and its texts are within their bounds. */
static bool take(struct holds *h, const Saga__V1__Hold *m)
{
    bool fit = strlen(m->definition) <= NAME_BYTES_MAX && strlen(m->actor) <= ACTOR_BYTES_MAX &&
               strlen(m->reason) <= HOLD_REASON_BYTES_MAX;
    for (unsigned i = 0; fit && i < HOLDS_MAX; i++) {
        struct hold *hold = &h->holds[i];
        if (hold->definition[0] != '\0')
            continue;
        snprintf(hold->definition, sizeof hold->definition, "%s", m->definition);
        snprintf(hold->actor, sizeof hold->actor, "%s", m->actor);
        snprintf(hold->reason, sizeof hold->reason, "%s", m->reason);
        saga__v1__hold__init(&hold->m);
        hold->m.definition = hold->definition;
        hold->m.actor = hold->actor;
        hold->m.reason = hold->reason;
        if (m->since != NULL) {
            hold->since = *m->since;
            hold->m.since = &hold->since;
        }
        h->count++;
        return true;
    }
    return false;
}

static int take_row(void *self, const struct subject_row *row)
{
    struct holds *h = self;
    Saga__V1__Hold *m = row->version != FORM_OF_VALUE || row->value.size == 0
                            ? NULL
                            : saga__v1__hold__unpack(NULL, row->value.size, row->value.at);
    bool sound = row->version == FORM_OF_VALUE &&
                 (row->value.size == 0 || (m != NULL && m->definition[0] != '\0' && take(h, m)));
    if (m != NULL)
        saga__v1__hold__free_unpacked(m, NULL);
    return sound ? 0 : error_set(h->detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects holds no definition");
}

int holds_recover(struct holds *h, struct store *store, struct error_detail *detail)
{
    h->detail = detail;
    return store->scan_subjects(store, SUBJECT_HOLD, take_row, h, detail);
}

static int write_row(struct core *core, const char *definition, const Saga__V1__Hold *m, struct error_detail *detail)
{
    uint8_t value[ROW_BYTES_MAX];
    size_t size = m == NULL ? 0 : saga__v1__hold__get_packed_size(m);
    CHECK(size <= sizeof value);
    if (m != NULL)
        saga__v1__hold__pack(m, value);
    const struct subject_row row = {.kind = SUBJECT_HOLD,
                                    .name = bytes_of_text(definition),
                                    .version = FORM_OF_VALUE,
                                    .value = bytes_of(value, size)};
    if (DEFECT(HOLD_NOT_KEPT))
        return 0;
    return core_set_subject(core, &row) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
}

static int check(const Saga__V1__Hold *m, bool hold, struct error_detail *detail)
{
    if (!definition_name_valid(bytes_of_text(m->definition), NAME_BYTES_MAX))
        return error_set(detail, E_ARGUMENT, "definition", "a name is 1 to 128 letters, digits, '-', '_' or '.'");
    if (m->actor[0] == '\0' || strlen(m->actor) > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
    if ((hold && m->reason[0] == '\0') || strlen(m->reason) > HOLD_REASON_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "reason", "say why, in 1 to 256 bytes");
    return 0;
}

int holds_set(struct holds *h, struct core *core, const Saga__V1__Hold *m, bool hold, bool own,
              struct error_detail *detail)
{
    int code = check(m, hold, detail);
    if (code != 0)
        return code;
    int place = place_of(h, bytes_of_text(m->definition));
    bool of_another = place >= 0 && strcmp(h->holds[place].actor, m->actor) != 0 && !DEFECT(HOLD_OF_ANOTHER);
    if ((place >= 0) == hold || (own && of_another))
        return 0;
    if (hold && h->count == HOLDS_MAX)
        return error_set(detail, E_HOLDS, "", NULL);
    /* First what may be refused: what is not written does not hold either. */
    code = write_row(core, m->definition, hold ? m : NULL, detail);
    if (code != 0)
        return code;
    if (hold) {
        CHECK(take(h, m));
    } else {
        h->holds[place].definition[0] = '\0';
        h->count--;
    }
    return 0;
}

bool holds_has(const struct holds *h, struct bytes definition)
{
    return h != NULL && place_of(h, definition) >= 0;
}

const Saga__V1__Hold *holds_at(const struct holds *h, unsigned place)
{
    CHECK(place < HOLDS_MAX);
    return h == NULL || h->holds[place].definition[0] == '\0' ? NULL : &h->holds[place].m;
}
