/* contract.c - the calls of a definition, one after another, against the types of a participant. */
#include "sidecar/contract/contract_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of one call: what is used, and what has been compared. */
#define MEMORY_MAX (16u << 20)

const struct contract_row contract_rows[CONTRACT_RULE_COUNT] = {
#define CONTRACT(constant, id, meaning) [CONTRACT_##constant] = {id, meaning},
#include "sidecar/contract/contract.def"
#undef CONTRACT
};

void contract_found(struct comparison *c, enum contract_rule rule, bool breaks, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    c->check->found(
        c->check->self,
        &(struct contract_finding){
            .rule = rule, .breaks = breaks, .step = c->step, .compensation = c->compensation, .text = text});
}

void contract_place(const struct definition *d, const struct usage_place *place, char *text, size_t size)
{
    static const char *const parts[] = {
        [MAPPING_LET] = "let",
        [MAPPING_REQUIRE] = "require",
        [MAPPING_TAG] = "tags",
        [MAPPING_EACH] = "for_each of",
        [MAPPING_WHEN] = "when of",
        [MAPPING_TARGET] = "the target of",
        [MAPPING_KEY] = "the key of the last good answer of",
        [MAPPING_EXPECT] = "expect of",
        [MAPPING_METADATA] = "metadata of",
        [MAPPING_ACTION] = "the action of",
        [MAPPING_COMPENSATION] = "the compensation of",
        [MAPPING_OUTPUT] = "output",
    };
    bool of_step = place->part >= MAPPING_EACH && place->part != MAPPING_OUTPUT;
    snprintf(text, size, "%s%s%s", parts[place->part], of_step ? " " : "", of_step ? d->steps[place->index].name : "");
}

static const char *last_of(const char *method)
{
    return strrchr(method, '/');
}

/* Whether the service of "/package.Service/Method" is among those of next. */
static bool has_service(const struct schema *next, const char *method)
{
    const char *slash = last_of(method);
    return slash != NULL && slash > method &&
           schema_service(next, bytes_of(method + 1, (size_t)(slash - method) - 1)) != NULL;
}

/* The types that a method is called with and answers. */
static void compare_types(struct comparison *c, const struct call_spec *call, const struct method_type *now,
                          const struct usage *answers)
{
    const struct method_type *was = call->called;
    struct usage request = {.pool = c->pool};
    if (!bytes_equal(was->input->name, now->input->name)) {
        contract_found(c, CONTRACT_METHOD_TYPE, true, "%s takes %s now, and not %s", call->method,
                       (const char *)now->input->name.at, (const char *)was->input->name.at);
    } else {
        usage_of_request(&request, c->check->d, c->step, c->compensation);
        c->usage = &request;
        c->request = true;
        contract_compare(c, was->input, now->input, usage_find_whole(&request, was->input));
    }
    c->usage = answers;
    c->request = false;
    c->compared = NULL;
    /* What a compensation answers nobody reads. */
    if (!c->compensation && !bytes_equal(was->output->name, now->output->name))
        contract_found(c, CONTRACT_METHOD_TYPE, true, "%s answers %s now, and not %s", call->method,
                       (const char *)now->output->name.at, (const char *)was->output->name.at);
    else if (!c->compensation)
        contract_compare(c, was->output, now->output, usage_find_whole(answers, was->output));
    c->full = c->full || request.full;
}

/* Whether the call goes to the target that is asked about, or may. */
static bool goes_there(const struct comparison *c)
{
    const struct step_spec *s = &c->check->d->steps[c->step];
    const char *target;
    for (unsigned k = 0; (target = step_spec_target(s, c->compensation, k)) != NULL; k++)
        if (strcmp(target, c->check->target) == 0)
            return true;
    return false;
}

/* Returns whether it is a call to check. */
static bool compare_call(struct comparison *c, const struct call_spec *call, const struct usage *answers)
{
    const struct contract_check *check = c->check;
    if (check->target != NULL ? !goes_there(c) : !has_service(check->next, call->method))
        return false;
    const struct method_type *now = schema_method(check->next, bytes_of_text(call->method));
    c->compared = NULL;
    if (now == NULL)
        contract_found(c, CONTRACT_METHOD_REMOVED, true, "%s is not there any more", call->method);
    else if (now->client_streaming || now->server_streaming)
        contract_found(c, CONTRACT_METHOD_STREAMS, true, "%s is a method of streams now", call->method);
    else if (call->called != NULL)
        compare_types(c, call, now, answers);
    return true;
}

int contract_check(const struct contract_check *check, unsigned *calls)
{
    const struct definition *d = check->d;
    struct pool pool;
    unsigned count = 0;
    pool_init(&pool, check->memory, MEMORY_MAX);
    struct usage answers = {.pool = &pool};
    usage_of_answers(&answers, d);
    bool full = answers.full;
    for (unsigned i = 0; i < 2u * d->step_count && !full; i++) {
        const struct step_spec *s = &d->steps[i / 2];
        struct comparison c = {.check = check, .pool = &pool, .step = i / 2, .compensation = i % 2 == 1};
        struct pool_mark mark = pool_mark(&pool);
        if (c.compensation ? s->has_compensation : step_spec_asks(s))
            count += compare_call(&c, c.compensation ? &s->compensation : &s->action, &answers);
        full = c.full;
        pool_rewind(&pool, mark);
    }
    pool_finish(&pool);
    if (calls != NULL)
        *calls = count;
    return full ? E_MEMORY : 0;
}
