/* words.c - enums in words. */
#include "client-lib/sagactl/words.h"

#include "sidecar/base/nearest.h"

#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct word {
    const char *text;
    enum paint paint;
};

static const struct word saga_states[] = {
    {"?", PAINT_NONE},           {"RUNNING", PAINT_STRONG}, {"COMMITTED", PAINT_GOOD}, {"COMPENSATING", PAINT_WARN},
    {"COMPENSATED", PAINT_WARN}, {"STUCK", PAINT_BAD},      {"RESOLVED", PAINT_WARN},
};

static const struct word actions[] = {
    {"?", PAINT_NONE},       {"PENDING", PAINT_DIM}, {"STARTED", PAINT_STRONG}, {"DONE", PAINT_GOOD},
    {"REJECTED", PAINT_BAD}, {"UNKNOWN", PAINT_BAD}, {"SKIPPED", PAINT_WARN},
};

static const struct word compensations[] = {
    {"?", PAINT_NONE},    {"NONE", PAINT_DIM},   {"OWED", PAINT_WARN},    {"STARTED", PAINT_STRONG},
    {"DONE", PAINT_GOOD}, {"FAILED", PAINT_BAD}, {"SKIPPED", PAINT_WARN},
};

static const char *const reasons[] = {
    "",
    "action rejected",
    "action unknown",
    "deadline passed",
    "lease lapsed",
    "cancelled",
    "aborted by its owner",
    "compensation failed",
    "cannot go forward",
    "pivot unknown",
    "target unreachable",
    "attempts spent",
    "expression failed",
    "request changed",
    "unexpected answer",
    "overloaded",
    "target unavailable",
};

static struct word word_of(const struct word *words, size_t count, int number)
{
    return words[number > 0 && (size_t)number < count ? (size_t)number : 0];
}

const char *words_saga_state(Saga__V1__SagaState state)
{
    return word_of(saga_states, COUNT(saga_states), (int)state).text;
}

enum paint words_saga_paint(Saga__V1__SagaState state)
{
    return word_of(saga_states, COUNT(saga_states), (int)state).paint;
}

const char *words_action(Saga__V1__ActionState state)
{
    return word_of(actions, COUNT(actions), (int)state).text;
}

enum paint words_action_paint(Saga__V1__ActionState state)
{
    return word_of(actions, COUNT(actions), (int)state).paint;
}

const char *words_compensation(Saga__V1__CompensationState state)
{
    return word_of(compensations, COUNT(compensations), (int)state).text;
}

enum paint words_compensation_paint(Saga__V1__CompensationState state)
{
    return word_of(compensations, COUNT(compensations), (int)state).paint;
}

const char *words_reason(Saga__V1__Reason reason)
{
    return (int)reason >= 0 && (size_t)reason < COUNT(reasons) ? reasons[reason] : "?";
}

const char *words_stuck(Saga__V1__Reason reason)
{
    switch (reason) {
    case SAGA__V1__REASON__REASON_COMPENSATION_FAILED:
        return "could not be undone: the attempts of its compensation are spent.";
    case SAGA__V1__REASON__REASON_FORWARD_FAILED:
        return "cannot be carried out, and comes after the pivot: the saga can only go forward.";
    case SAGA__V1__REASON__REASON_PIVOT_UNKNOWN:
        return "is the pivot and may or may not have been carried out: only its participant can tell.";
    case SAGA__V1__REASON__REASON_EXPRESSION_FAILED:
        return "could not be undone: what its compensation should be sent cannot be computed.";
    case SAGA__V1__REASON__REASON_REQUEST_CHANGED:
        return "would now be sent another request than before, so nothing was sent.";
    default:
        return "cannot go on.";
    }
}

/* ---- states by name ---- */

#define STATE(name) (UINT32_C(1) << SAGA__V1__SAGA_STATE__SAGA_STATE_##name)

static const struct {
    const char *name;
    uint32_t states;
} state_names[] = {
    {"running", STATE(RUNNING)},
    {"committed", STATE(COMMITTED)},
    {"compensating", STATE(COMPENSATING)},
    {"compensated", STATE(COMPENSATED)},
    {"stuck", STATE(STUCK)},
    {"resolved", STATE(RESOLVED)},
    {"live", STATE(RUNNING) | STATE(COMPENSATING) | STATE(STUCK)},
    {"paused", WORDS_PAUSED},
    {"ended", STATE(COMMITTED) | STATE(COMPENSATED) | STATE(RESOLVED)},
};

static uint32_t state_of(const char *name, size_t size)
{
    for (size_t i = 0; i < COUNT(state_names); i++)
        if (strlen(state_names[i].name) == size && strncasecmp(state_names[i].name, name, size) == 0)
            return state_names[i].states;
    return 0;
}

uint32_t words_states(const char *text, const char **wrong, size_t *wrong_size)
{
    uint32_t states = 0;
    for (;;) {
        size_t size = strcspn(text, ",");
        uint32_t more = state_of(text, size);
        if (more == 0) {
            *wrong = text;
            *wrong_size = size;
            return 0;
        }
        states |= more;
        if (text[size] == '\0')
            return states;
        text += size + 1;
    }
}

const char *words_state_nearest(const char *wrong, size_t size)
{
    const char *names[COUNT(state_names)];
    for (size_t i = 0; i < COUNT(state_names); i++)
        names[i] = state_names[i].name;
    return nearest_name(bytes_of(wrong, size), names, COUNT(names));
}
