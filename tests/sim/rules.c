/* rules.c - rules of remediation at work in the middle of everything: facts drawn at random, acts that are asked for, refused, lost in a crash, taken
 * back by a person or since they made things worse; and the oracle, which knows durable rows and what was really done. An act that is told as done
 * was done, none is forgotten, none is done too soon after another, and one that is disarmed does nothing. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/holds.h"

#include <stdlib.h>

#define EVERY  SPAN_S(3)
#define SETTLE SPAN_S(1)
#define LASTS  SPAN_MS(300)
#define LOOKS  (400 * MS)

/* The first holds a definition, the second pages somebody, the third begins bulk jobs, the fourth opens a breaker. */
enum { HOLDS, PAGES, RETRIES, TRIPS };
static const char *const names[RULES_SEEN] = {
    [HOLDS] = "holds", [PAGES] = "pages", [RETRIES] = "retries", [TRIPS] = "trips"};
static const Saga__V1__RuleAct acts[RULES_SEEN] = {
    [HOLDS] = SAGA__V1__RULE_ACT__RULE_ACT_HOLD,
    [PAGES] = SAGA__V1__RULE_ACT__RULE_ACT_PAGE,
    [RETRIES] = SAGA__V1__RULE_ACT__RULE_ACT_RETRY,
    [TRIPS] = SAGA__V1__RULE_ACT__RULE_ACT_TRIP,
};
static const char actor[] = "rule holds";

static bool has_rules(const struct world *w)
{
    return holds_are_there(w);
}

static void expect(struct world *w, bool so, const char *what, unsigned rule)
{
    if (!so)
        world_fail(w, EXIT_SAFETY, "rules", what, rule);
}

/* ---- what is durable ---- */

static void acted(struct world *w, unsigned i, const Saga__V1__Rule *was, const Saga__V1__Rule *m)
{
    int64_t apart = was->acted_at == NULL ? INT64_MAX
                                          : (m->acted_at->seconds - was->acted_at->seconds) * SECOND +
                                                (m->acted_at->nanos - was->acted_at->nanos) / 1000;
    expect(w, m->acts == was->acts + 1 && m->order == SAGA__V1__RULE_ORDER__RULE_ORDER_ACT, "an act is no order", i);
    expect(w, !was->disarmed, "a rule acts that is disarmed", i);
    expect(w, was->order == 0 && !was->pending && !was->held, "a rule acts before its last act has come to its end", i);
    expect(w, apart >= EVERY.us, "a rule acts too soon after it did", i);
}

/* An order is gone from the row. */
static void ended(struct world *w, unsigned i, const Saga__V1__Rule *was, const Saga__V1__Rule *m)
{
    const struct rule_seen *seen = &w->rules[i];
    if (was->order == SAGA__V1__RULE_ORDER__RULE_ORDER_ACT && !m->taken_back)
        expect(w, seen->done_act == m->acts, "an act is told as done that was not", i);
    if (was->order == SAGA__V1__RULE_ORDER__RULE_ORDER_ACT && m->order == 0 && m->taken_back)
        expect(w, !m->held && (i == PAGES || seen->done_act != m->acts), "an act is told as refused that was done", i);
    if (was->order == SAGA__V1__RULE_ORDER__RULE_ORDER_UNDO && m->order == 0) {
        expect(w, seen->undone_act == m->acts, "an act is told as taken back that was not", i);
        mark(w, MARK_CASE, CASE_RULE_TAKEN_BACK);
    }
}

static void disarmed(struct world *w, unsigned i, const Saga__V1__Rule *was, const Saga__V1__Rule *m)
{
    bool loosed = i == HOLDS && was->held && !m->held && m->order == 0;
    if (i != PAGES && was->acts > 0 && !was->taken_back && !loosed)
        expect(w, m->order == SAGA__V1__RULE_ORDER__RULE_ORDER_UNDO, "what a rule did is not taken back", i);
}

void rules_row(struct world *w, const struct subject_row *row)
{
    static const Saga__V1__Rule none = SAGA__V1__RULE__INIT;
    unsigned i = 0;
    while (i < RULES_SEEN && !bytes_equal(bytes_of_text(names[i]), row->name))
        i++;
    CHECK(i < RULES_SEEN);
    struct rule_seen *seen = &w->rules[i];
    Saga__V1__Rule *m = saga__v1__rule__unpack(NULL, row->value.size, row->value.at);
    expect(w, m != NULL, "a row tells of no rule", i);
    const Saga__V1__Rule *was = seen->row == NULL ? &none : seen->row;
    if (m->acts != was->acts)
        acted(w, i, was, m);
    else if (m->order != was->order)
        ended(w, i, was, m);
    if (m->disarmed && !was->disarmed)
        disarmed(w, i, was, m);
    if (seen->row != NULL)
        saga__v1__rule__free_unpacked(seen->row, NULL);
    seen->row = m;
    w->disk.rules[i] =
        (struct subject_row){.kind = row->kind,
                             .name = bytes_of_text(names[i]),
                             .version = row->version,
                             .value = bytes_of(world_copy(w, row->value.at, row->value.size), row->value.size)};
}

int rules_scan(struct world *w, int (*take)(void *self, const struct subject_row *row), void *self)
{
    for (unsigned i = 0; i < RULES_SEEN; i++) {
        int code = w->disk.rules[i].kind == 0 ? 0 : take(self, &w->disk.rules[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

/* Whether the rule holds the definition, as the journal says. */
static bool holds_it(const struct world *w)
{
    const struct bytes value = w->disk.holds[0].value;
    Saga__V1__Hold *m = value.size == 0 ? NULL : saga__v1__hold__unpack(NULL, value.size, value.at);
    bool it = m != NULL && strcmp(m->actor, actor) == 0;
    if (m != NULL)
        saga__v1__hold__free_unpacked(m, NULL);
    return it;
}

void rules_commit(struct world *w)
{
    const Saga__V1__Rule *row = w->rules[HOLDS].row;
    if (has_rules(w) && w->definition_count > 0 && holds_it(w))
        expect(w, row != NULL && row->held, "a rule holds what its row does not say", HOLDS);
}

/* ---- its life ---- */

int rules_open(struct world *w, const struct memory *memory, struct error_detail *detail)
{
    struct sidecar *s = &w->sidecar;
    if (!has_rules(w))
        return 0;
    s->rule_memory = *memory;
    int code = rulings_create(&s->rule_memory, &s->rules_left);
    if (code == 0)
        code = rulings_recover(s->rules_left, s->store, detail);
    for (unsigned i = 0; code == 0 && i < RULES_SEEN; i++) {
        const struct ruling_options options = {
            .name = names[i],
            .definition = w->definitions[0]->name,
            .target = i == TRIPS ? "t0" : "",
            .act = acts[i],
            .by_objective = i != RETRIES,
            .remedy = {.when = "deadletters > 3",
                       .acts = true,
                       .judged = i != PAGES,
                       .holds = i == HOLDS,
                       .undone = i != PAGES,
                       .lasts = LASTS,
                       .every = EVERY,
                       .settle = SETTLE},
        };
        struct rule_seen *seen = &w->rules[i];
        code = ruling_create(&options, &s->rule_memory, &s->rules[i], detail);
        if (code != 0)
            break;
        ruling_go_on(s->rules[i], s->rules_left, true, NULL, false);
        const struct remedy_mark *is = ruling_mark(s->rules[i]);
        const Saga__V1__Rule *row = seen->row;
        expect(w,
               row == NULL
                   ? is->acts == 0
                   : is->acts == row->acts && is->disarmed == row->disarmed && is->held == row->held &&
                         is->pending == row->pending && is->order == row->order && is->taken_back == row->taken_back &&
                         is->before_all == row->before_all && strcmp(ruling_said(s->rules[i]), row->said) == 0,
               "a rule does not go on as it was left", i);
        if (is->order != REMEDY_ORDER_NONE)
            mark(w, MARK_CASE, CASE_RULE_ASKED_AGAIN);
        seen->out = false;
        if (i == RETRIES)
            seen->all = seen->good = 0;
        seen->at_all = row == NULL || i == RETRIES ? 0 : row->at_all;
        seen->at_good = row == NULL || i == RETRIES ? 0 : row->at_good;
    }
    s->rules_look_at = w->now + LOOKS;
    return code;
}

void rules_close(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    for (unsigned i = 0; i < RULES_SEEN; i++) {
        ruling_destroy(s->rules[i]);
        s->rules[i] = NULL;
    }
    rulings_destroy(s->rules_left);
    s->rules_left = NULL;
}

/* ---- acts, as the sidecar's own requests ---- */

static int set_hold(struct world *w, bool act, struct error_detail *detail)
{
    struct core *core = w->sidecar.core;
    Saga__V1__Hold m = SAGA__V1__HOLD__INIT;
    bool of_another = false;
    m.definition = (char *)(uintptr_t)w->definitions[0]->name;
    m.actor = (char *)(uintptr_t)actor;
    m.reason = (char *)(uintptr_t) "because";
    for (unsigned k = 0; k < HOLDS_MAX; k++) {
        const Saga__V1__Hold *h = holds_at(core_holds(core), k);
        of_another |= h != NULL && strcmp(h->definition, m.definition) == 0 && strcmp(h->actor, actor) != 0;
    }
    int code = holds_set(core_holds(core), core, &m, act, true, detail);
    expect(w, !of_another || holds_has(core_holds(core), bytes_of_text(m.definition)),
           "a rule lets go what a person holds", HOLDS);
    return code == E_MEMORY ? code : 0;
}

/* An act is one job, however often it is asked for; as many as this world can tell apart, then it is refused. */
static int set_job(struct world *w, struct rule_seen *seen, struct error_detail *detail)
{
    if (seen->out_order == REMEDY_ORDER_UNDO) {
        bool begun = seen->job_act == seen->out_act && seen->job < BULKS_SEEN_MAX;
        return begun && bulk_cancel(w, seen->job, detail) == E_MEMORY ? E_MEMORY : 0;
    }
    if (seen->job_act != seen->out_act)
        seen->job = bulk_new(w, SAGA__V1__BULK_ACT__BULK_ACT_RETRY, (unsigned)(seen->out_act % 3),
                             seen->out_act % 2 == 0 ? 3 : 1000);
    seen->job_act = seen->out_act;
    seen->refused = seen->job == BULKS_SEEN_MAX;
    int code = seen->refused ? 0 : bulk_add(w, seen->job, detail);
    if (code != 0 && code != E_MEMORY)
        seen->out = false; /* there is no room for it now */
    return code == E_MEMORY ? code : 0;
}

/* This has its own reply. */
static int set_breaker(struct world *w, struct error_detail *detail)
{
    bool act = w->rules[TRIPS].out_order == REMEDY_ORDER_ACT;
    struct event event = {
        .type = EVENT_BREAKER,
        .now = sidecar_now(w),
        .token = TOKEN_RULE - TRIPS,
        .name = bytes_of_text("t0"),
        .actor = bytes_of_text("rule trips"),
        .reason = bytes_of_text("because"),
        .identity = bytes_of_text("operator"),
        .breaker_act = act ? BREAKER_TRIP : BREAKER_RESET,
    };
    event.audit = sealed_entry(w, &event);
    return core_submit(w->sidecar.core, &event, detail);
}

/* Begins: a page is out of the house, and what becomes durable is answered when it is. */
static int carry_out(struct world *w, unsigned i)
{
    struct rule_seen *seen = &w->rules[i];
    struct error_detail detail;
    int code = 0;
    seen->arrived = true;
    if (i == PAGES) {
        expect(w, !w->sidecar.holding, "somebody is paged by a sidecar that stops", i);
        seen->done_act = seen->out_act;
        seen->answered = true;
        return 0;
    }
    if (i == TRIPS && !seen->refused)
        return set_breaker(w, &detail);
    if (i == HOLDS && !seen->refused)
        code = set_hold(w, seen->out_order == REMEDY_ORDER_ACT, &detail);
    else if (i == RETRIES && !seen->refused)
        code = set_job(w, seen, &detail);
    if (code != 0 || !seen->out)
        return code;
    return core_reply(w->sidecar.core, &(struct reply_effect){.token = TOKEN_RULE - i}, NULL);
}

/* What is answered is durable. */
void rules_replied(struct world *w, const struct reply_effect *effect)
{
    unsigned i = (unsigned)(TOKEN_RULE - effect->token);
    struct rule_seen *seen = &w->rules[i];
    seen->answered = true;
    seen->refused |= effect->code != 0; /* as of a target that is not there */
    if (seen->refused)
        return;
    bool act = seen->out_order == REMEDY_ORDER_ACT;
    bool has_job = i == RETRIES && seen->job_act == seen->out_act && seen->job < BULKS_SEEN_MAX;
    const struct bulk_seen *job = has_job ? &w->bulk[seen->job] : NULL;
    if (i == RETRIES && act)
        expect(w, job != NULL && job->from_frame != 0, "a job is told as begun that is in no row", i);
    if (job != NULL && !act)
        expect(w, job->from_frame == 0 || job->over, "a job is told as cancelled that goes on", i);
    if (act)
        seen->done_act = seen->out_act;
    else
        seen->undone_act = seen->out_act;
}

static int follow(struct world *w, unsigned i)
{
    struct rule_seen *seen = &w->rules[i];
    if (!seen->out || w->now < seen->arrives_at)
        return 0;
    if (!seen->arrived) {
        if (core_stalled(w->sidecar.core) != 0 || draw(w, RULES, 6) == 0) {
            seen->out = false; /* it is refused for now: nobody knows */
            return 0;
        }
        return carry_out(w, i);
    }
    if (!seen->answered)
        return 0;
    seen->out = false;
    return ruling_answered(w->sidecar.rules[i], w->sidecar.core, (enum remedy_order)seen->out_order, seen->out_act,
                           seen->refused ? "it was refused" : NULL);
}

/* All that was decided is durable. */
static void ask(struct world *w, unsigned i)
{
    struct rule_seen *seen = &w->rules[i];
    enum remedy_order order = ruling_order(w->sidecar.rules[i]);
    if (order == REMEDY_ORDER_NONE || seen->out)
        return;
    uint64_t act = ruling_mark(w->sidecar.rules[i])->acts;
    expect(w, seen->row != NULL && (enum remedy_order)seen->row->order == order && seen->row->acts == act,
           "what is asked for is in no row", i);
    bool again = seen->asked_act == act;
    seen->asked_act = act;
    seen->out = true;
    seen->arrived = seen->answered = false;
    seen->out_order = (uint8_t)order;
    seen->out_act = act;
    seen->refused = i != PAGES && order == REMEDY_ORDER_ACT && !again && draw(w, RULES, 6) == 0;
    bool hangs = i == PAGES && draw(w, RULES, 6) == 0; /* a webhook, for longer than the act is of use */
    seen->arrives_at = w->now + draw_between(w, RULES, 0, hangs ? EVERY.us + 2 * SETTLE.us : 200 * MS);
    sidecar_plan(w, seen->arrives_at);
}

/* ---- looking ---- */

/* Whether a smaller share of what came after the act went well than before it. */
static bool is_worse(const struct rule_seen *seen, const struct remedy_mark *m)
{
    uint64_t all = seen->all - seen->at_all, good = seen->good - seen->at_good;
    return all > 0 && m->before_all > 0 && good * m->before_all < m->before_good * all;
}

/* What it decides is what this knows to be so. */
static void check(struct world *w, unsigned i, enum remedy_verdict verdict, bool held)
{
    struct rule_seen *seen = &w->rules[i];
    const struct remedy_mark *m = ruling_mark(w->sidecar.rules[i]);
    if (verdict == REMEDY_ACT) {
        expect(w, seen->is_so, "a rule acts, and its question is not true", i);
        seen->at_all = seen->all;
        seen->at_good = seen->good;
    } else if (verdict == REMEDY_WORSE || verdict == REMEDY_JUDGED) {
        expect(w, is_worse(seen, m) == (verdict == REMEDY_WORSE), "a rule is not judged by what came of it", i);
    } else if (verdict == REMEDY_LOOSED) {
        expect(w, i == HOLDS && !held, "a rule is told that somebody let go what it holds", i);
    }
    if (verdict == REMEDY_WORSE)
        mark(w, MARK_CASE, CASE_RULE_WORSE);
}

static int look(struct world *w, unsigned i)
{
    struct rule_seen *seen = &w->rules[i];
    uint64_t more = draw(w, RULES, 6);
    struct remedy_facts facts = {.breaker = "CLOSED"};
    enum remedy_verdict verdict;
    seen->is_so = !w->healed && draw(w, RULES, 8) > 0;
    seen->all += more;
    seen->good += draw(w, RULES, more + 1);
    facts.deadletters = seen->is_so ? 4 : 3;
    facts.all = seen->all;
    facts.good = seen->good;
    facts.held = seen->out || holds_has(core_holds(w->sidecar.core), bytes_of_text(w->definitions[0]->name));
    int code = ruling_look(w->sidecar.rules[i], w->sidecar.core, &facts, sidecar_now(w), &verdict);
    check(w, i, verdict, facts.held);
    return code;
}

/* People arm rules, and have taken back what they did. */
static int meddle(struct world *w, unsigned i)
{
    struct sidecar *s = &w->sidecar;
    unsigned what = w->healed ? 99 : (unsigned)draw(w, RULES, 100);
    if (what < 6)
        return ruling_arm(s->rules[i], s->core);
    if (what > 7)
        return 0;
    return ruling_take_back(s->rules[i], s->core);
}

/* Whether anything is left to come. */
static bool is_quiet(const struct world *w)
{
    for (unsigned i = 0; i < RULES_SEEN; i++)
        if (ruling_order(w->sidecar.rules[i]) != REMEDY_ORDER_NONE || ruling_mark(w->sidecar.rules[i])->pending ||
            w->rules[i].out)
            return false;
    return w->healed;
}

int rules_turn(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    int code = 0;
    if (!has_rules(w) || s->holding || core_resuming(s->core))
        return 0;
    for (unsigned i = 0; code == 0 && i < RULES_SEEN; i++)
        code = follow(w, i);
    if (!core_pending(s->core))
        for (unsigned i = 0; code == 0 && i < RULES_SEEN; i++)
            ask(w, i);
    if (code != 0 || w->now < s->rules_look_at || core_stalled(s->core) != 0)
        return code;
    s->rules_look_at = w->now + LOOKS;
    for (unsigned i = 0; code == 0 && i < RULES_SEEN; i++) {
        code = look(w, i);
        if (code == 0)
            code = meddle(w, i);
    }
    return code;
}

int64_t rules_next(const struct world *w)
{
    const struct sidecar *s = &w->sidecar;
    if (!has_rules(w) || s->holding || core_resuming(s->core) || core_stalled(s->core) != 0 || is_quiet(w))
        return INT64_MAX;
    return s->rules_look_at;
}

void rules_end(struct world *w)
{
    for (unsigned i = 0; i < RULES_SEEN && has_rules(w); i++) {
        Saga__V1__Rule *row = w->rules[i].row;
        if (row != NULL && row->order != 0)
            world_fail(w, EXIT_LIVENESS, "rules", "what a rule decided finds no answer", i);
        if (row != NULL && row->acts > 2)
            mark(w, MARK_CASE, CASE_RULE_ACTED);
        if (row != NULL)
            saga__v1__rule__free_unpacked(row, NULL);
        w->rules[i].row = NULL;
    }
}
