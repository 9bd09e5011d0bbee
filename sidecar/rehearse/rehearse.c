/* rehearse.c - which runs there are, and what is wrong with where they end. */
#include "sidecar/rehearse/rehearse_inside.h"

#include "sidecar/base/pool.h"
#include "sidecar/message/schema.h"

#include <stdio.h>
#include <string.h>

struct judge {
    const struct rehearsal *r;
    struct run *run;
    struct rehearse_report *report;
    unsigned wanted; /* deviations that a run must have to count: those with fewer were there before */
    struct step_set reached;
    bool committed;
};

/* The place of a new finding; when all are taken, that of the mildest one, the last of these, or NULL when none is milder. */
static struct rehearse_finding *place_for(struct rehearse_report *report, enum lint_severity severity)
{
    if (report->count < REHEARSE_FINDINGS_MAX)
        return &report->findings[report->count++];
    struct rehearse_finding *mildest = NULL;
    for (unsigned i = 0; i < report->count; i++) {
        struct rehearse_finding *f = &report->findings[i];
        if (f->severity <= (mildest == NULL ? severity : mildest->severity))
            mildest = f;
    }
    return mildest != NULL && mildest->severity < severity ? mildest : NULL;
}

static void found(struct judge *j, const char *rule, enum lint_severity severity, int step, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static void found(struct judge *j, const char *rule, enum lint_severity severity, int step, const char *format, ...)
{
    struct rehearse_report *report = j->report;
    for (unsigned i = 0; i < report->count; i++)
        if (strcmp(report->findings[i].rule, rule) == 0 && report->findings[i].step == step)
            return; /* the first has the shortest story */
    struct rehearse_finding *f = place_for(report, severity);
    if (f == NULL)
        return;
    *f = (struct rehearse_finding){.rule = rule, .severity = severity, .step = step};
    memcpy(f->trace, j->run->trace, sizeof f->trace);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->text, sizeof f->text, format, arguments);
    va_end(arguments);
}

static void count_end(struct judge *j, const struct saga *s)
{
    struct rehearse_report *report = j->report;
    bool stuck = s->state == SAGA_STUCK;
    uint8_t reason = stuck ? s->stuck_reason : s->reason;
    int step = stuck && s->stuck_step != RECORD_NO_STEP ? (int)saga_spec_index(s, s->stuck_step) : -1;
    unsigned i = 0;
    while (i < report->end_count &&
           (report->ends[i].state != s->state || report->ends[i].reason != reason || report->ends[i].step != step))
        i++;
    if (i == REHEARSE_ENDS_MAX)
        return;
    struct rehearse_end *end = &report->ends[i];
    if (i == report->end_count) {
        *end = (struct rehearse_end){.state = s->state, .reason = reason, .step = step};
        report->end_count++;
    }
    end->runs++;
    if (j->run->lasted.us > end->longest.us)
        end->longest = j->run->lasted;
}

/* What may have been done, is not undone, and nobody said that it need not be. */
static void judge_left_behind(struct judge *j, const struct saga *s)
{
    for (unsigned i = 0; i < s->step_count; i++) {
        const struct step_spec *spec = saga_spec(s, i);
        const struct step *step = &s->steps[i];
        bool unknown = step->action == SAGA_ACTION_UNKNOWN;
        bool owed = s->state == SAGA_COMPENSATED ? unknown || step->action == SAGA_ACTION_DONE
                                                 : s->state == SAGA_COMMITTED && unknown;
        if (owed && step->compensation == SAGA_COMPENSATION_NONE && !spec->none_said)
            found(j, "left-behind", LINT_ERROR, (int)saga_spec_index(s, i),
                  "the saga ends %s, and what %s did%s stays: it has no compensation", record_state_name(s->state),
                  spec->name, unknown ? " (if it did)" : "");
    }
}

static void judge_stuck(struct judge *j, const struct saga *s)
{
    int step = s->stuck_step == RECORD_NO_STEP ? -1 : (int)saga_spec_index(s, s->stuck_step);
    const char *name = step < 0 ? "the saga" : j->r->d->steps[step].name;
    bool undo = step >= 0 && s->steps[s->stuck_step].compensation == SAGA_COMPENSATION_FAILED;
    if (undo && s->stuck_reason == REASON_EXPRESSION_FAILED)
        found(j, "undo-cannot-run", LINT_ERROR, step, "the undo of %s cannot be sent: %s", name, j->run->why);
    else
        found(j, "dead-letter", LINT_NOTE, step, "%s%s can become a dead letter: %s", undo ? "the undo of " : "", name,
              record_reason_name(s->stuck_reason));
}

static unsigned deviations(const struct run *run, unsigned count)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += run->choices[i] != 0;
    return n;
}

static void judge_end(void *self, const struct saga *s)
{
    struct judge *j = self;
    if (j->run->random == NULL && deviations(j->run, j->run->choice_count) != j->wanted)
        return;
    step_set_add_all(&j->reached, &j->run->reached);
    j->report->runs++;
    count_end(j, s);
    j->committed = j->committed || s->state == SAGA_COMMITTED;
    judge_left_behind(j, s);
    if (s->state == SAGA_STUCK)
        judge_stuck(j, s);
    else if (!saga_ended(s))
        found(j, "no-end", LINT_ERROR, -1, "the saga comes to no end");
    if (s->reason == REASON_EXPRESSION_FAILED)
        found(j, "expression-fails", LINT_WARNING,
              s->reason_step == RECORD_NO_STEP ? -1 : (int)saga_spec_index(s, s->reason_step),
              "the saga turns back because an expression fails: %s", j->run->why);
}

/* ---- which runs ---- */

/* The next run with at most so many deviations; false when there is none. */
static bool advance(struct run *run, unsigned deviations_max)
{
    for (unsigned i = run->choice_count; i > 0; i--) {
        if (run->choices[i - 1] + 1 >= run->ways[i - 1] || deviations(run, i - 1) + 1 > deviations_max)
            continue;
        run->choices[i - 1]++;
        run->prefix = i;
        return true;
    }
    return false;
}

/* All with so many deviations. Returns 0 or a code; *more is set when runs_max was reached. */
static int rehearse_all(struct judge *j, unsigned deviations_max, bool *more, struct error_detail *detail)
{
    j->run->prefix = 0;
    j->wanted = deviations_max;
    do {
        if (j->report->runs >= j->r->options->runs_max) {
            *more = true;
            return 0;
        }
        int code = world_run(j->r, j->run, detail);
        j->run->plan = NULL;
        if (code != 0)
            return code;
    } while (advance(j->run, deviations_max));
    return 0;
}

static int rehearse_drawn(struct judge *j, unsigned runs, struct error_detail *detail)
{
    struct random random;
    random_seed(&random, j->r->options->seed);
    j->run->random = &random;
    j->report->drawn = true;
    int code = 0;
    for (unsigned i = 0; code == 0 && i < runs; i++)
        code = world_run(j->r, j->run, detail);
    return code;
}

static void judge_whole(struct judge *j)
{
    j->run->trace[0] = '\0';
    if (!j->committed)
        found(j, "never-commits", LINT_ERROR, -1, "no saga of this definition is ever COMMITTED with this input");
    for (unsigned i = 0; i < j->r->d->step_count; i++)
        if (!step_set_has(&j->reached, i))
            found(j, "never-runs", LINT_WARNING, (int)i, "%s is never called with this input", j->r->d->steps[i].name);
}

static int make_outputs(struct rehearsal *r, struct pool *pool)
{
    int code = 0;
    for (unsigned i = 0; code == 0 && i < r->d->step_count; i++)
        if (r->d->steps[i].action.called != NULL)
            code = rehearse_example(r->d->steps[i].action.called->output, pool, &r->outputs[i]);
    return code;
}

int rehearse(struct definition *d, const struct rehearse_options *options,
             void (*plan)(void *self, const struct rehearse_call *call), void *self, struct rehearse_report *report,
             struct error_detail *detail)
{
    struct pool pool;
    struct rehearsal *r = options->memory->take_zeroed(options->memory->self, sizeof *r);
    struct run *run = options->memory->take_zeroed(options->memory->self, sizeof *run);
    struct judge j = {.r = r, .run = run, .report = report};
    int code = r == NULL || run == NULL ? E_MEMORY : 0;
    bool more = false;
    pool_init(&pool, options->memory, 16u << 20);
    report->runs = report->end_count = report->count = 0;
    report->drawn = false;
    d->number = 1;
    if (code == 0) {
        *r = (struct rehearsal){.d = d, .options = options};
        *run = (struct run){.plan = plan, .plan_self = self, .ended = judge_end, .self = &j};
        code = make_outputs(r, &pool);
    }
    for (unsigned n = 0; code == 0 && n <= (options->drawn_runs > 0 ? 0 : options->deviations_max) && !more; n++)
        code = rehearse_all(&j, n, &more, detail);
    if (code == 0 && (more || options->drawn_runs > 0))
        code = rehearse_drawn(&j, options->drawn_runs > 0 ? options->drawn_runs : options->runs_max, detail);
    if (code == 0)
        judge_whole(&j);
    pool_finish(&pool);
    memory_give_back(options->memory, r, r == NULL ? 0 : sizeof *r);
    memory_give_back(options->memory, run, run == NULL ? 0 : sizeof *run);
    return code == E_MEMORY ? error_set(detail, E_MEMORY, "", NULL) : code;
}
