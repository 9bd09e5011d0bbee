/* where.c - the model of a saga that questions see. */
#include "sidecar/where/where.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/texts.h"
#include "sidecar/engine/saga.h"
#include "sidecar/expression/examine.h"

#include <stdio.h>
#include <string.h>

/* Of one evaluation: a question of a screen's length takes some hundreds. */
#define COST_MAX   UINT64_C(5000)
#define MEMORY_MAX (256u * 1024)

enum variable_id {
    V_ID,
    V_MODE,
    V_DEFINITION,
    V_VERSION,
    V_STATE,
    V_PAUSED,
    V_DEGRADED,
    V_DEFERRED,
    V_SYNTHETIC,
    V_REASON,
    V_STEP,
    V_STATUS,
    V_REQUEST_ID,
    V_TAGS,
    V_AGE,
    V_STARTED_AT,
    V_ENDED_AT,
    V_DEADLINE,
    V_OWN_COUNT,
};

/* Behind these come the names of states and reasons, each a text that is its own name. */
#define STATE_FIRST  V_OWN_COUNT
#define STATE_COUNT  6
#define REASON_FIRST (STATE_FIRST + STATE_COUNT)
#define VARIABLES    (REASON_FIRST + REASON_COUNT - 1)

struct where {
    const struct memory *memory;
    struct pool pool;   /* what was read */
    struct pool answer; /* of one evaluation */
    const struct expression *expression;
    struct datum variables[VARIABLES];
    uint32_t states;
    struct bytes definition;
};

static const struct {
    const char *name;
    const struct type *type; /* NULL: map(string, string) */
} own[V_OWN_COUNT] = {
    [V_ID] = {"id", &type_string},
    [V_MODE] = {"mode", &type_string},
    [V_DEFINITION] = {"definition", &type_string},
    [V_VERSION] = {"version", &type_string},
    [V_STATE] = {"state", &type_string},
    [V_PAUSED] = {"paused", &type_bool},
    [V_DEGRADED] = {"degraded", &type_bool},
    [V_DEFERRED] = {"deferred", &type_bool},
    [V_SYNTHETIC] = {"synthetic", &type_bool},
    [V_REASON] = {"reason", &type_string},
    [V_STEP] = {"step", &type_string},
    [V_STATUS] = {"status", &type_string},
    [V_REQUEST_ID] = {"request_id", &type_string},
    [V_TAGS] = {"tags", NULL},
    [V_AGE] = {"age", &type_duration},
    [V_STARTED_AT] = {"started_at", &type_timestamp},
    [V_ENDED_AT] = {"ended_at", &type_timestamp},
    [V_DEADLINE] = {"deadline", &type_timestamp},
};

/* ---- reading ---- */

static int make_environment(struct where *w, struct variable variables[VARIABLES])
{
    const struct type *tags = type_map(&w->pool, &type_string, &type_string);
    if (tags == NULL)
        return E_MEMORY;
    for (unsigned i = 0; i < V_OWN_COUNT; i++)
        variables[i] =
            (struct variable){.name = bytes_of_text(own[i].name), .type = own[i].type == NULL ? tags : own[i].type};
    for (unsigned i = STATE_FIRST; i < VARIABLES; i++) {
        const char *name = i < REASON_FIRST ? record_state_name((uint8_t)(i - STATE_FIRST + 1))
                                            : record_reason_name((uint8_t)(i - REASON_FIRST + 1));
        variables[i] = (struct variable){.name = bytes_of_text(name), .type = &type_string};
        w->variables[i] = datum_string(variables[i].name);
    }
    return 0;
}

/* The text that a variable must be for the question to be true; empty when there is none in particular. */
static struct bytes pinned(const struct where *w, unsigned variable)
{
    struct examined_equal found;
    if (!examine_must_equal(w->expression, variable, &found))
        return bytes_of(NULL, 0);
    const struct datum *value = found.variable >= 0 ? &w->variables[found.variable] : &found.literal;
    /* What is told of each saga is not known beforehand. */
    return value->kind == DATUM_STRING && (found.variable < 0 || found.variable >= STATE_FIRST) ? datum_bytes(value)
                                                                                                : bytes_of(NULL, 0);
}

static void examine(struct where *w)
{
    struct bytes state = pinned(w, V_STATE);
    w->definition = pinned(w, V_DEFINITION);
    w->states = 0;
    for (unsigned i = 1; i <= STATE_COUNT; i++)
        if (state.size == 0 || bytes_equal(state, bytes_of_text(record_state_name((uint8_t)i))))
            w->states |= UINT32_C(1) << i;
}

static int read_text(struct where *w, struct bytes text, struct error_detail *detail)
{
    struct variable variables[VARIABLES];
    struct environment environment = {.variables = variables, .variable_count = VARIABLES};
    struct expression_error error;
    char said[32];
    int code = make_environment(w, variables);
    if (code == 0)
        code = expression_compile(text, &environment, &w->pool, &w->expression, &error);
    else
        error = (struct expression_error){.text = ""};
    if (code == E_MEMORY)
        return error_set(detail, E_MEMORY, "", NULL);
    if (code != 0) {
        snprintf(said, sizeof said, "column %d: ", error.column);
        error_set(detail, E_ARGUMENT, "where", said);
        error_append(detail, error.text);
        return E_ARGUMENT;
    }
    enum type_kind kind = expression_type(w->expression)->kind;
    if (kind != TYPE_BOOL && kind != TYPE_DYN)
        return error_set(detail, E_ARGUMENT, "where", "it is neither true nor false, as in: state == STUCK");
    examine(w);
    return 0;
}

int where_compile(struct bytes text, const struct memory *memory, struct where **out, struct error_detail *detail)
{
    if (text.size == 0 || text.size > WHERE_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "where", "1 to 2048 bytes");
    struct where *w = memory->take_zeroed(memory->self, sizeof *w);
    if (w == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    w->memory = memory;
    pool_init(&w->pool, memory, 8 * MEMORY_MAX);
    pool_init(&w->answer, memory, MEMORY_MAX);
    int code = read_text(w, text, detail);
    if (code != 0)
        where_destroy(w);
    else
        *out = w;
    return code;
}

void where_destroy(struct where *w)
{
    if (w == NULL)
        return;
    pool_finish(&w->pool);
    pool_finish(&w->answer);
    w->memory->give_back(w->memory->self, w, sizeof *w);
}

bool where_needs_status(const struct where *w)
{
    return expression_uses(w->expression, V_STATUS);
}

bool where_needs_deferred(const struct where *w)
{
    return expression_uses(w->expression, V_DEFERRED);
}

bool where_needs_tags(const struct where *w)
{
    return expression_uses(w->expression, V_TAGS);
}

uint32_t where_states(const struct where *w)
{
    return w->states;
}

struct bytes where_definition(const struct where *w)
{
    return w->definition;
}

/* ---- asking ---- */

static struct bytes step_of(const struct saga *s)
{
    uint16_t step = s->state == SAGA_STUCK ? s->stuck_step : s->reason != REASON_NONE ? s->reason_step : RECORD_NO_STEP;
    return step < s->step_count ? saga_step_name(s, step) : bytes_of(NULL, 0);
}

struct where_view where_view_of(const struct saga *s)
{
    return (struct where_view){
        .id = s->id,
        .definition = s->name,
        .version = s->definition == NULL ? bytes_of(NULL, 0) : bytes_of_text(s->definition->version),
        .request_id = s->request_id,
        .step = step_of(s),
        .tags = s->tags,
        .mode = s->mode,
        .state = s->state,
        .reason = s->state == SAGA_STUCK ? s->stuck_reason : s->reason,
        .status = -1,
        .paused = s->paused,
        .degraded = (saga_lacks(s) & ~LACK_DEFERRED) != 0,
        .deferred = s->answered && !saga_ended(s),
        .synthetic = s->synthetic,
        .started_at = s->started_at,
        .ended_at = s->ended_at,
        .deadline = s->deadline,
    };
}

static struct datum time_of(struct instant at)
{
    if (at.us == 0 || at.us == INSTANT_NEVER.us)
        return datum_absent;
    return datum_timestamp(at.us / 1000000, (uint32_t)(at.us % 1000000) * 1000);
}

/* As a map; false when there is no room. */
static bool set_tags(struct where *w, struct bytes tags)
{
    struct bytes rest = tags, name, text;
    uint32_t count = 0;
    while (texts_next(&rest, &name, &text))
        count++;
    struct datum *entries = pool_take(&w->answer, (2 * (size_t)count + 1) * sizeof *entries);
    struct datum_map *map = pool_take_zeroed(&w->answer, 1, sizeof *map);
    if (entries == NULL || map == NULL)
        return false;
    uint32_t at = 0;
    for (rest = tags; texts_next(&rest, &name, &text);) {
        entries[at++] = datum_string(name);
        entries[at++] = datum_string(text);
    }
    map->entries = entries;
    w->variables[V_TAGS] = (struct datum){.kind = DATUM_MAP, .size = count, .map = map};
    return true;
}

static const char *status_name(int status)
{
    return status < 0 ? "" : grpc_status_name((uint8_t)status);
}

int where_asks(struct where *w, const struct where_view *view, struct instant now, bool *matches,
               struct error_detail *detail)
{
    char id[SAGA_ID_TEXT_SIZE];
    struct datum *v = w->variables;
    pool_finish(&w->answer);
    saga_id_format(view->id, id);
    v[V_ID] = datum_string(bytes_of_text(id));
    v[V_MODE] = datum_string(bytes_of_text(view->mode == SAGA_ENLISTED ? "enlisted" : "orchestrated"));
    v[V_DEFINITION] = datum_string(view->definition);
    v[V_VERSION] = datum_string(view->version);
    v[V_STATE] = datum_string(bytes_of_text(record_state_name(view->state)));
    v[V_PAUSED] = datum_bool(view->paused);
    v[V_DEGRADED] = datum_bool(view->degraded);
    v[V_DEFERRED] = datum_bool(view->deferred);
    v[V_SYNTHETIC] = datum_bool(view->synthetic);
    v[V_REASON] = datum_string(bytes_of_text(record_reason_name(view->reason)));
    v[V_STEP] = datum_string(view->step);
    v[V_STATUS] = datum_string(bytes_of_text(status_name(view->status)));
    v[V_REQUEST_ID] = datum_string(view->request_id);
    v[V_AGE] = datum_duration(instant_since(now, view->started_at).us * 1000);
    v[V_STARTED_AT] = time_of(view->started_at);
    v[V_ENDED_AT] = time_of(view->ended_at);
    v[V_DEADLINE] = time_of(view->deadline);
    if (!set_tags(w, view->tags))
        return error_set(detail, E_MEMORY, "", NULL);
    struct evaluation e = {.pool = &w->answer, .variables = v, .cost_max = COST_MAX};
    struct datum d = expression_evaluate(w->expression, &e);
    if (datum_failed(&d) && d.failure->fatal)
        return error_set(detail, E_ARGUMENT, "where", "it costs more than a question about sagas may: make it simpler");
    *matches = d.kind == DATUM_BOOL && d.b;
    return 0;
}
