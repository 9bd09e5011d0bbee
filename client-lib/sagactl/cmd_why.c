/* cmd_why.c - why a saga is where it is, on one screen: what it waits for and since when, what was tried, what was said, how its target is to
 * all sagas, and what each thing that an operator can do would do. */
#include "client-lib/sagactl/advice.h"
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/targets.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include "sidecar/base/saga_id.h"

#include <string.h>

#define FIELD      256
#define SENTENCE   1024
#define STEPS_MOST 4 /* that are shown one by one */

#define EVENT(name) SAGA__V1__EVENT_TYPE__EVENT_TYPE_##name
#define UNDO(name)  SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_##name

static bool ended(const Saga__V1__Saga *saga)
{
    return saga->ended_at != NULL;
}

/* "3m 20s ago"; "" for a time that is not known. */
static char *ago(const struct screen *s, const Google__Protobuf__Timestamp *t, char text[FIELD])
{
    char span[TIMES_TEXT_SIZE];
    struct instant at = times_of(t);
    text[0] = '\0';
    if (at.us != INSTANT_NEVER.us)
        snprintf(text, FIELD, "%s ago", times_write_span(instant_since(s->now, at), span));
    return text;
}

static void put(const struct screen *s, enum paint paint, const char *name, const char *text)
{
    screen_put(s, PAINT_DIM, "  %-10s", name);
    screen_wrap(s, paint, text, 13, 12);
}

/* ---- the steps that wait ---- */

static bool is_back(const Saga__V1__Step *step)
{
    return step->compensation != UNDO(UNSPECIFIED) && step->compensation != UNDO(NONE);
}

/* Its last event, or NULL. */
static const Saga__V1__Event *last_of(const Saga__V1__GetResponse *answer, const char *step)
{
    for (size_t i = answer->n_timeline; i-- > 0;)
        if (strcmp(answer->timeline[i]->step, step) == 0)
            return answer->timeline[i];
    return NULL;
}

/* Since when a step waits for what it waits for: its own last event, or what last ended before it could begin. */
static const Saga__V1__Event *since(const Saga__V1__GetResponse *answer, const Saga__V1__Step *step)
{
    const Saga__V1__Event *own = last_of(answer, step->name);
    if (own != NULL && !(is_back(step) && step->compensation_attempts == 0))
        return own;
    for (size_t i = answer->n_timeline; i-- > 0;) {
        int type = (int)answer->timeline[i]->type;
        if (type == EVENT(ACTION_ENDED) || type == EVENT(COMPENSATION_ENDED) || type == EVENT(SAGA_STARTED) ||
            type == EVENT(TURNED_BACK) || type == EVENT(STUCK) || type == EVENT(PAUSED) || type == EVENT(RETRIED) ||
            type == EVENT(SKIPPED))
            return answer->timeline[i];
    }
    return NULL;
}

static void put_step(const struct screen *s, const Saga__V1__GetResponse *answer, const Saga__V1__Step *step)
{
    char name[FIELD], waits[SENTENCE], text[SENTENCE + 2 * FIELD], when[FIELD], said[SENTENCE];
    const Saga__V1__Event *from = since(answer, step);
    bool back = is_back(step);
    int attempts = back ? step->compensation_attempts : step->action_attempts;
    screen_clean(s, step->name, name, sizeof name);
    screen_clean(s, step->waiting_for, waits, sizeof waits);
    screen_put(s, PAINT_STRONG, "%s %s\n", back ? "the undo of" : "the action of", name);
    ago(s, from != NULL ? from->at : NULL, when);
    snprintf(text, sizeof text, "%s%s%s", waits, when[0] != '\0' ? ", since " : "", when);
    put(s, PAINT_WARN, "waits for", text);
    if (step->waits_until != NULL) {
        times_write_until(s, times_of(step->waits_until), when);
        bool gives_up = strstr(step->waiting_for, "cannot be reached") != NULL;
        snprintf(text, sizeof text, "%s%s", when,
                 gives_up ? ": then it is waited for no longer, and the step fails" : "");
        put(s, PAINT_NONE, "until", text);
    }
    snprintf(text, sizeof text, "%d attempt%s of its %s", attempts, attempts == 1 ? "" : "s",
             back ? "compensation" : "action");
    put(s, PAINT_NONE, "tried", text);
    if (step->last_status != 0)
        put(s, PAINT_BAD, "was told", story_answer(s, step->last_status, step->last_message, said, sizeof said));
}

/* What keeps it: of a stuck saga the stuck steps alone, else every step that waits for something beside another step. */
static bool matters(const Saga__V1__Saga *saga, const Saga__V1__Step *step)
{
    if (step->waiting_for[0] == '\0')
        return false;
    if (saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK)
        return strcmp(step->waiting_for, "an operator") == 0;
    return strncmp(step->waiting_for, "step ", 5) != 0 && strcmp(step->waiting_for, "the undo of later steps") != 0;
}

static void put_steps(const struct screen *s, const Saga__V1__GetResponse *answer)
{
    const Saga__V1__Saga *saga = answer->saga;
    char id[64];
    size_t shown = 0, more = 0;
    for (size_t i = 0; i < saga->n_steps; i++) {
        if (!matters(saga, saga->steps[i]))
            continue;
        if (shown == STEPS_MOST) {
            more++;
            continue;
        }
        put_step(s, answer, saga->steps[i]);
        shown++;
    }
    if (more > 0)
        fprintf(s->out, "and %zu step%s more: sagactl get %s\n", more, more == 1 ? "" : "s",
                screen_clean(s, saga->id, id, sizeof id));
}

/* ---- the whole ---- */

static void put_head(const struct screen *s, const Saga__V1__Saga *saga)
{
    char id[64], name[FIELD], version[FIELD], text[FIELD], said[SENTENCE], span[TIMES_TEXT_SIZE];
    struct instant started = times_of(saga->started_at), deadline = times_of(saga->deadline);
    screen_put(s, PAINT_STRONG, "%s", screen_clean(s, saga->id, id, sizeof id));
    fprintf(s->out, "  %s%s%s  ", screen_clean(s, saga->definition, name, sizeof name),
            saga->version[0] != '\0' ? " " : "", screen_clean(s, saga->version, version, sizeof version));
    screen_put(s, words_saga_paint(saga->state), "%s%s", words_saga_state(saga->state), saga->paused ? ", paused" : "");
    if (started.us != INSTANT_NEVER.us)
        fprintf(s->out, ", started %s ago", times_write_span(instant_since(s->now, started), span));
    fputc('\n', s->out);
    if (saga->reason != SAGA__V1__REASON__REASON_UNSPECIFIED) {
        snprintf(text, sizeof text, "%s%s%s", words_reason(saga->reason), saga->reason_step[0] != '\0' ? " at " : "",
                 screen_clean(s, saga->reason_step, name, FIELD / 2));
        put(s, PAINT_NONE, "undone for", text);
        if (saga->reason_message[0] != '\0')
            put(s, PAINT_NONE, "which said", screen_clean(s, saga->reason_message, said, sizeof said));
    }
    if (saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING && !saga->pivot_started &&
        deadline.us != INSTANT_NEVER.us) {
        bool passed = instant_before(deadline, s->now);
        snprintf(text, sizeof text, "%s%s%s", passed ? "passed " : "in ",
                 times_write_span(passed ? instant_since(s->now, deadline) : instant_since(deadline, s->now), span),
                 passed ? " ago" : ": then it is turned back, unless its pivot has been started by then");
        put(s, passed ? PAINT_WARN : PAINT_NONE, "deadline", text);
    }
}

/* Every target that a step which matters is at, once. */
static size_t targets_of(const Saga__V1__Saga *saga, const char *names[STEPS_MOST])
{
    size_t count = 0;
    for (size_t i = 0; i < saga->n_steps && count < STEPS_MOST; i++) {
        const Saga__V1__Step *step = saga->steps[i];
        bool seen = step->target[0] == '\0' || !matters(saga, step);
        for (size_t k = 0; k < count && !seen; k++)
            seen = strcmp(names[k], step->target) == 0;
        if (!seen)
            names[count++] = step->target;
    }
    return count;
}

/* Until it does, nothing that is decided becomes so: whatever a step waits for, it waits for this first. Of several loops it is the saga's own, by its tag's low
 * bits (sidecar/shard/place.c). */
static bool journal_stalls(const Saga__V1__Saga *saga, const Saga__V1__StatusResponse *status)
{
    struct saga_id id = {0};
    unsigned own = 0;
    bool any = false, its = false;
    saga_id_parse(saga->id, strlen(saga->id), &id);
    for (size_t i = 0; status != NULL && i < status->n_loops; i++) {
        const Saga__V1__LoopStatus *l = status->loops[i];
        if (l->journal[0] != '\0')
            continue;
        own++;
        any |= l->journal_stalled;
        its |= l->journal_stalled && l->loop == id.tag % SAGA_LOOPS_MAX;
    }
    return own == 1 ? any : its;
}

static void put_why(struct run *r, const Saga__V1__GetResponse *answer, const Saga__V1__StatusResponse *status)
{
    const struct screen *s = &r->screen;
    const Saga__V1__Saga *saga = answer->saga;
    const char *names[STEPS_MOST];
    char text[FIELD];
    put_head(s, saga);
    if (ended(saga)) {
        put(s, PAINT_NONE, "ended", ago(s, saga->ended_at, text));
        fprintf(s->out, "It waits for nothing. How it went: sagactl get %s\n",
                screen_clean(s, saga->id, text, sizeof text));
        return;
    }
    if (journal_stalls(saga, status))
        put(s, PAINT_BAD, "waits for",
            "the sidecar's journal, which takes nothing now, nor any of what stands below: sagactl runbook "
            "SagadJournalFull");
    put_steps(s, answer);
    size_t count = status == NULL ? 0 : targets_of(saga, names);
    for (size_t i = 0; i < count; i++)
        targets_put(s, status, names[i]);
    screen_put(s, PAINT_STRONG, "what you can do\n");
    advice_choices(s, saga, run_same_sidecar(r));
}

static int put_json(struct run *r, const Saga__V1__GetResponse *answer, const Saga__V1__StatusResponse *status)
{
    const char *names[STEPS_MOST];
    size_t count = status == NULL ? 0 : targets_of(answer->saga, names);
    json_t *targets = json_array();
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < status->n_loops; k++)
            for (size_t n = 0; n < status->loops[k]->n_targets; n++)
                if (strcmp(status->loops[k]->targets[n]->name, names[i]) == 0)
                    json_array_append_new(targets, json_of_message(&status->loops[k]->targets[n]->base));
    json_t *it = json_pack("{so,so}", "saga", json_of_message(&answer->saga->base), "targets", targets);
    return json_put(r->screen.out, it, false) == 0 ? EXIT_DONE : run_say(r, EXIT_REFUSED, "there is no memory");
}

/* How targets are. *status stays NULL for who may not ask that: the rest is told all the same. */
static int ask_status(struct run *r, Saga__V1__StatusResponse **status)
{
    Saga__V1__StatusRequest m = SAGA__V1__STATUS_REQUEST__INIT;
    int64_t deadline = r->o.timeout_ms >= 0 ? r->deadline : wire_deadline(RUN_TIMEOUT_DEFAULT_MS);
    struct saga_error error;
    int code = run_try(r, "/saga.v1.Operator/Status", &m.base, &saga__v1__status_response__descriptor, deadline, false,
                       status, &error);
    return code == SAGA_OK || code == SAGA_E_PERMISSION_DENIED ? EXIT_DONE : run_failed(r, &error);
}

int command_why(struct run *r)
{
    Saga__V1__GetRequest get = SAGA__V1__GET_REQUEST__INIT;
    Saga__V1__GetResponse *answer = NULL;
    Saga__V1__StatusResponse *status = NULL;
    get.saga_id = r->o.words[0];
    int code = run_call(r, "/saga.v1.Coordinator/Get", &get.base, &saga__v1__get_response__descriptor, &answer);
    if (code == EXIT_DONE && answer->saga == NULL)
        code = run_say(r, EXIT_REFUSED, "the sidecar's answer holds no saga");
    if (code == EXIT_DONE)
        code = ask_status(r, &status);
    if (code == EXIT_DONE && r->o.json)
        code = put_json(r, answer, status);
    else if (code == EXIT_DONE)
        put_why(r, answer, status);
    if (answer != NULL)
        saga__v1__get_response__free_unpacked(answer, NULL);
    if (status != NULL)
        saga__v1__status_response__free_unpacked(status, NULL);
    return code;
}
