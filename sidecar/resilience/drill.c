/* drill.c - which rule strikes a call. */
#include "sidecar/resilience/drill.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/texts.h"

void drill_set(struct drill *d, const struct drill_rule *rules, uint32_t count)
{
    CHECK(count <= DRILL_RULES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(rules[i].kind > DRILL_NONE && rules[i].kind < DRILL_KIND_COUNT && rules[i].permille <= 1000);
        CHECK(rules[i].kind != DRILL_ABORT || rules[i].status != 0);
        d->rules[i] = rules[i];
    }
    d->count = count;
}

static bool is_about(const struct drill_rule *r, const struct drill_subject *s)
{
    if (r->target[0] != '\0' && strcmp(r->target, s->target) != 0 && !DEFECT(DRILL_ELSEWHERE))
        return false;
    if (r->definition[0] != '\0' && !bytes_equal(bytes_of_text(r->definition), s->definition))
        return false;
    if (r->tag[0] != '\0' && !texts_have(s->tags, bytes_of_text(r->tag), bytes_of_text(r->tag_value)))
        return false;
    return r->phase == 0 || r->phase == s->phase;
}

const struct drill_rule *drill_draw(const struct drill *d, const struct drill_subject *subject, struct instant now,
                                    struct random *random)
{
    for (uint32_t i = 0; i < d->count; i++) {
        const struct drill_rule *r = &d->rules[i];
        bool over = !instant_before(now, r->until) && !DEFECT(DRILL_GOES_ON);
        if (!over && is_about(r, subject) && random_below(random, 1000) < r->permille)
            return r;
    }
    return NULL;
}

static const char *const names[DRILL_KIND_COUNT] = {
    [DRILL_NONE] = "",
    [DRILL_DELAY] = "delay",
    [DRILL_ABORT] = "abort",
    [DRILL_DROP_REQUEST] = "drop-request",
    [DRILL_DROP_ANSWER] = "drop-answer",
    [DRILL_DUPLICATE] = "duplicate",
    [DRILL_REORDER] = "reorder",
};

const char *drill_kind_name(uint8_t kind)
{
    return kind < DRILL_KIND_COUNT ? names[kind] : "";
}

uint8_t drill_kind_of(struct bytes name)
{
    for (uint8_t kind = DRILL_NONE + 1; kind < DRILL_KIND_COUNT; kind++)
        if (bytes_equal(name, bytes_of_text(names[kind])))
            return kind;
    return DRILL_NONE;
}
