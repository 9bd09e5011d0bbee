#include "tests/support/engine_words.h"
#include "tests/support/record_names.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/base/texts.h"
#include "sidecar/engine/engine_inside.h"

#include <string.h>

static const char *const record_names[RECORD_TYPE_COUNT] = RECORD_NAMES;
static const char *const action_names[] = {"", "PENDING", "STARTED", "DONE", "REJECTED", "UNKNOWN", "SKIPPED"};
static const char *const undo_names[] = {"", "NONE", "OWED", "STARTED", "DONE", "FAILED", "SKIPPED"};
static const char *const class_names[] = {"undo", "patient", "bounded", "retry-undo", "retry"};

/* ---- one field ---- */

static void put_time(FILE *out, int64_t us)
{
    if (us == INT64_MAX) {
        fputs("never", out);
        return;
    }
    fprintf(out, "%lld", (long long)(us / 1000));
    if (us % 1000 != 0)
        fprintf(out, ".%03lld", (long long)(us % 1000));
}

static void put_at(FILE *out, const char *name, struct instant at)
{
    if (at.us == 0)
        return;
    fprintf(out, " %s@", name);
    put_time(out, at.us == INT64_MAX ? at.us : at.us - ENGINE_WORDS_EPOCH_US);
}

static void put_span(FILE *out, const char *name, struct span span)
{
    if (span.us == 0)
        return;
    fprintf(out, " %s=", name);
    put_time(out, span.us);
}

static void put_number(FILE *out, const char *name, uint64_t number)
{
    if (number != 0)
        fprintf(out, " %s=%llu", name, (unsigned long long)number);
}

/* What no letter can say is its number, and of a long text its length and its end tell enough. */
static void put_text(FILE *out, struct bytes text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.size && (i < 40 || text.size <= 140); i++)
        if (text.at[i] >= ' ' && text.at[i] < 127)
            fputc(text.at[i], out);
        else
            fprintf(out, "\\%02x", text.at[i]);
    fputc('"', out);
    if (text.size > 140)
        fprintf(out, "...%c(%zu)", text.at[text.size - 1], text.size);
}

static void put_bytes(FILE *out, const char *name, struct bytes text)
{
    if (text.size == 0)
        return;
    fprintf(out, " %s=", name);
    put_text(out, text);
}

static void put_flag(FILE *out, const char *name, bool is)
{
    if (is)
        fprintf(out, " %s", name);
}

static void put_step(FILE *out, const struct engine *e, uint64_t serial, unsigned step)
{
    const struct saga *s = engine_find(e, serial);
    if (step == RECORD_NO_STEP || s == NULL || step >= s->step_count) {
        put_number(out, "step", step == RECORD_NO_STEP ? 0 : step + 1);
        return;
    }
    struct bytes name = saga_step_name(s, step);
    fprintf(out, " %.*s", (int)name.size, (const char *)name.at);
}

static void put_retry(FILE *out, const struct retry_policy *p)
{
    fprintf(out, " retry=%ux", p->max_attempts);
    put_time(out, p->initial_backoff.us);
    fputs("..", out);
    put_time(out, p->max_backoff.us);
    fprintf(out, "*%u~%u/%x", p->backoff_multiplier_permille, p->jitter_permille, p->retryable_status_codes);
}

/* ---- what is given out ---- */

static void put_started(FILE *out, const struct record *r)
{
    fprintf(out, " mode=%u", r->mode);
    put_number(out, "definition", r->definition);
    put_number(out, "priority", r->priority);
    put_flag(out, "synthetic", r->synthetic);
    put_bytes(out, "name", r->name);
    put_bytes(out, "id", r->request_id);
    fprintf(out, " print=%016llx", (unsigned long long)r->fingerprint);
    put_bytes(out, "in", r->input);
    put_bytes(out, "trace", r->traceparent);
    put_bytes(out, "counts", r->counts);
    put_bytes(out, "tags", r->tags);
    put_at(out, "deadline", r->deadline);
    put_span(out, "lease", r->lease);
}

void engine_words_record(FILE *out, const struct engine *e, const struct record *r)
{
    fprintf(out, "%s %llu", record_names[r->type], (unsigned long long)r->saga.serial);
    put_step(out, e, r->saga.serial, r->step);
    if (r->attempt != 0)
        fprintf(out, " #%u", r->attempt);
    if (r->action_state != 0)
        fprintf(out, " %s", action_names[r->action_state]);
    if (r->compensation_state != 0)
        fprintf(out, " %s", undo_names[r->compensation_state]);
    if (r->saga_state != 0)
        fprintf(out, " %s", record_state_name(r->saga_state));
    if (r->reason != 0)
        fprintf(out, " %s", record_reason_name(r->reason));
    if (r->status != 0)
        fprintf(out, " %s", grpc_status_name(r->status));
    put_number(out, "copies", r->copies);
    put_flag(out, "maybe", r->maybe_executed);
    put_flag(out, "output-is-request", r->output_is_request);
    put_number(out, "fault", r->fault);
    put_number(out, "choice", r->choice);
    put_at(out, "next", r->next_at);
    put_at(out, "quiet", r->quiet_at);
    put_at(out, "given", r->given_at);
    put_bytes(out, "said", r->message);
    put_bytes(out, "actor", r->actor);
    put_bytes(out, "who", r->identity);
    put_bytes(out, "out", r->output);
    if (r->digest != 0)
        fprintf(out, " digest=%016llx", (unsigned long long)r->digest);
    if (r->type == RECORD_STARTED)
        put_started(out, r);
    put_bytes(out, "enlisted", r->step_name);
    if (r->call.target == NULL)
        return;
    fprintf(out, " %s %s", r->call.target, r->call.method);
    put_bytes(out, "sends", r->call.constant);
    put_span(out, "timeout", r->call.timeout);
    put_retry(out, &r->call.retry);
}

static void put_reply(FILE *out, const struct reply_effect *reply, const struct error_detail *detail)
{
    if (reply->code != 0) {
        fprintf(out, "refuse %s", error_row(reply->code)->reason);
        put_number(out, "saga", reply->saga.serial);
        if (detail->field[0] != '\0')
            fprintf(out, " at %s", detail->field);
        fprintf(out, " \"%s\"", detail->text);
        put_number(out, "retry_ms", (uint64_t)detail->retry_ms);
    } else {
        fprintf(out, "reply %llu", (unsigned long long)reply->saga.serial);
        put_flag(out, "repeated", reply->repeated);
        put_span(out, "lease", reply->lease);
    }
}

static void put_call(FILE *out, const struct engine *e, const struct call_effect *call)
{
    bool action = call->phase == SAGA_PHASE_ACTION;
    fprintf(out, "%s %llu", action ? "call" : "undo", (unsigned long long)call->saga.serial);
    put_step(out, e, call->saga.serial, call->step);
    fprintf(out, " #%u %s %s", call->attempt, engine_target(e, call->target)->name, call->method);
    put_span(out, "timeout", call->timeout);
    put_bytes(out, "sends", call->request);
    put_bytes(out, "metadata", call->metadata);
    const struct saga *s = engine_find(e, call->saga.serial);
    if (!bytes_equal(call->definition, s->name) || !bytes_equal(call->step_name, saga_step_name(s, call->step)) ||
        !bytes_equal(call->traceparent, s->traceparent))
        fputs(" of another", out);
    put_at(out, "began", call->action_started);
    put_at(out, "due", call->due_at);
    fprintf(out, " %s", action_names[call->action_state]);
    put_number(out, "generation", call->generation);
    put_flag(out, "synthetic", call->synthetic);
    put_number(out, "fault", call->fault);
    put_number(out, "status", call->fault_status);
    put_span(out, "delay", call->fault_delay);
}

static void put_mark(FILE *out, const struct breaker_mark *mark)
{
    fputs(mark->held ? " held" : mark->open ? " open" : " closed", out);
    put_number(out, "openings", mark->openings);
    put_at(out, "opened", mark->opened_at);
    put_at(out, "until", mark->open_until);
}

void engine_words_effect(FILE *out, const struct engine *e, const struct effect *effect,
                         const struct error_detail *detail)
{
    if (effect->type == EFFECT_REPLY) {
        put_reply(out, &effect->as.reply, detail);
    } else if (effect->type == EFFECT_CALL) {
        put_call(out, e, &effect->as.call);
    } else {
        fprintf(out, "breaker %s", engine_target(e, effect->as.breaker.target)->name);
        put_mark(out, &effect->as.breaker.mark);
    }
}

/* ---- what is held ---- */

static void put_action(FILE *out, const struct step *step)
{
    fprintf(out, " %s", action_names[step->action]);
    put_number(out, "order", step->order);
    put_number(out, "tried", step->action_attempts);
    put_number(out, "generation", step->generation);
    put_number(out, "choice", step->choice);
    put_number(out, "choosing", step->choosing);
    put_flag(out, "maybe", step->maybe_executed);
    put_flag(out, "output-is-request", step->output_is_request);
    put_at(out, "began", step->first_at);
    put_bytes(out, "out", step->output);
    if (step->action_digest != 0)
        fprintf(out, " digest=%016llx", (unsigned long long)step->action_digest);
}

static void put_undo(FILE *out, const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    bool last_good = s->definition != NULL && saga_spec(s, index)->stand_in == STAND_IN_LAST_GOOD;
    fprintf(out, " %s", undo_names[step->compensation]);
    put_number(out, "tried", step->compensation_attempts);
    if (last_good)
        put_at(out, "given", step->given_at);
    else if (step->undo_digest != 0)
        fprintf(out, " digest=%016llx", (unsigned long long)step->undo_digest);
}

static void put_under_way(FILE *out, const struct engine *e, const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    put_flag(out, "permitted", step->permitted);
    put_flag(out, "on-wire", step->on_wire);
    put_flag(out, "placed", step->placed);
    if (step->queued) {
        fprintf(out, " queued=%s", class_names[step->class]);
        put_flag(out, "hasty", step->hasty);
        put_flag(out, "deferred", step->deferred);
        put_at(out, "at-most", engine_waits_until(e, s, index));
        put_flag(out, "budgeted", engine_step_budgeted(step));
    }
    put_at(out, "since", step->queued_at);
    put_number(out, "ticket", step->turn.ticket);
    put_number(out, "sheds", step->sheds);
    if (step->sheds > 0)
        put_at(out, "shed", step->shed_at);
    if (step->on_wire)
        put_at(out, "left", step->left_at);
    put_bytes(out, "metadata", step->metadata);
    put_bytes(out, "request", step->mapped);
    if (step->next_at.us == 0)
        fputs(" next@once", out);
    else if (step->next_at.us != INSTANT_NEVER.us)
        put_at(out, "next", step->next_at);
}

static void put_facts(FILE *out, const struct saga *s, unsigned index)
{
    put_flag(out, "over", saga_step_over(s, index));
    put_flag(out, "stuck", saga_step_stuck(s, index));
    put_flag(out, "waits", saga_step_waits(s, index));
    put_flag(out, "must", saga_step_must_be_made(s, index));
    put_flag(out, "undone-early", saga_step_undone_early(s, index));
    put_number(out, "lacks", saga_step_lacks(s, index));
    if (saga_step_lacks(s, index) == LACK_STALE)
        put_at(out, "as-of", saga_step_as_of(s, index));
    unsigned from = saga_output_of(s, index);
    if (from != index && from != RECORD_NO_STEP)
        fprintf(out, " output-of=%u", from);
}

static void put_enlisted(FILE *out, const struct enlisted *own)
{
    if (own->call.target == NULL) {
        fputs(" no undo", out);
        return;
    }
    fprintf(out, " %s(%d) %s", own->call.target, own->call.target_index, own->call.method);
    put_bytes(out, "sends", own->call.constant);
    put_span(out, "timeout", own->call.timeout);
    put_retry(out, &own->call.retry);
}

static void state_step(FILE *out, const struct engine *e, const struct saga *s, unsigned index)
{
    struct bytes name = saga_step_name(s, index);
    static const char *const parts[] = {"", " undo", " way", " is", " enlisted"};
    for (unsigned part = 0; part < 4u + (s->definition == NULL); part++) {
        fprintf(out, "%llu %.*s%s:", (unsigned long long)s->id.serial, (int)name.size, (const char *)name.at,
                parts[part]);
        if (part == 0)
            put_action(out, &s->steps[index]);
        else if (part == 1)
            put_undo(out, s, index);
        else if (part == 2)
            put_under_way(out, e, s, index);
        else if (part == 3)
            put_facts(out, s, index);
        else
            put_enlisted(out, s->steps[index].enlisted);
        fputc('\n', out);
    }
}

static void state_saga(FILE *out, const struct engine *e, const struct saga *s)
{
    unsigned long long n = s->id.serial;
    fprintf(out, "%llu is: %s", n, record_state_name(s->state));
    put_flag(out, "paused", s->paused);
    put_flag(out, "answered", s->answered);
    put_bytes(out, "answer", s->answer);
    if (s->reason != 0)
        fprintf(out, " for %s", record_reason_name(s->reason));
    put_number(out, "at", s->reason_step == RECORD_NO_STEP ? 0 : s->reason_step + 1u);
    if (s->stuck_reason != 0)
        fprintf(out, " stuck for %s", record_reason_name(s->stuck_reason));
    put_number(out, "stuck-at", s->stuck_step == RECORD_NO_STEP ? 0 : s->stuck_step + 1u);
    put_number(out, "from", s->stuck_from);
    put_number(out, "skips", s->skips);
    put_at(out, "ended", s->ended_at);
    fprintf(out, "\n%llu times:", n);
    put_at(out, "quiet", s->quiet_at);
    if (s->lease_until.us != INSTANT_NEVER.us)
        put_at(out, "lease", s->lease_until);
    if (s->timer.slot != 0)
        put_at(out, "timer", s->timer.due);
    fprintf(out, "\n%llu began:", n);
    put_at(out, "at", s->started_at);
    put_at(out, "deadline", s->deadline);
    put_span(out, "lease", s->lease);
    fprintf(out, " mode=%u priority=%u print=%016llx", s->mode, s->priority, (unsigned long long)s->fingerprint);
    put_flag(out, "synthetic", s->synthetic);
    put_bytes(out, "name", s->name);
    put_bytes(out, "id", s->request_id);
    put_bytes(out, "in", s->input);
    put_bytes(out, "trace", s->traceparent);
    put_bytes(out, "tags", s->tags);
    put_bytes(out, "owner", s->owner);
    put_number(out, "found", engine_find_request(e, s->request_id, bytes_of(NULL, 0)) == s);
    fprintf(out, "\n%llu facts:", n);
    put_flag(out, "past-pivot", saga_past_pivot(s));
    put_flag(out, "at-pivot", saga_at_pivot(s));
    put_flag(out, "pivot-awaited", saga_pivot_awaited(s));
    put_number(out, "pivot-unknown", (uint64_t)(saga_pivot_unknown(s, RECORD_NO_STEP) + 1));
    put_flag(out, "undoing", saga_undoing(s));
    put_flag(out, "action-out", saga_call_is_out(s, SAGA_PHASE_ACTION));
    put_flag(out, "undo-out", saga_call_is_out(s, SAGA_PHASE_COMPENSATION));
    put_number(out, "lacks", saga_lacks(s));
    fputc('\n', out);
    for (unsigned i = 0; i < s->step_count; i++)
        state_step(out, e, s, i);
}

static void state_target(FILE *out, const struct engine *e, unsigned index, struct instant now)
{
    const struct target *t = engine_target(e, (uint16_t)index);
    fprintf(out, "%s: %u of %u", t->name, t->places_taken, t->places);
    put_number(out, "now", target_places(t) == t->places ? 0 : target_places(t));
    put_number(out, "waiting", t->waiting);
    put_number(out, "deferred", t->deferred);
    put_flag(out, "down", engine_target_down(e, (uint16_t)index));
    if (t->down)
        put_at(out, "since", t->down_since);
    put_flag(out, "rated", engine_target_rated(e, (uint16_t)index));
    put_span(out, "longest", target_longest(t, now));
    if (t->timer.slot != 0)
        put_at(out, "timer", t->timer.due);
    put_mark(out, engine_breaker(e, (uint16_t)index));
    put_number(out, "budget", (uint64_t)(t->budget.options.percent == 0 ? 0 : budget_left(&t->budget, now)));
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        for (const struct step *s = t->queues[c].first; s != NULL; s = s->queue_next)
            fprintf(out, " %s:%llu.%zd", class_names[c], (unsigned long long)s->saga->id.serial, s - s->saga->steps);
    for (const struct step *s = t->hasty; s != NULL; s = s->hasty_next)
        fprintf(out, " hasty:%llu.%zd", (unsigned long long)s->saga->id.serial, s - s->saga->steps);
    fprintf(out, "\n%s is: timeout=%lld", t->name, (long long)t->timeout.us / 1000);
    put_flag(out, "barrier", t->barrier);
    put_number(out, "pending", t->pending_max);
    put_span(out, "for", t->pending_timeout);
    fputc('\n', out);
}

static void put_counts(FILE *out, const char *name, const struct saga_counts *c)
{
    fprintf(out, "%s: live=%u", name, c->live);
    put_number(out, "stuck", c->stuck);
    put_number(out, "back", c->compensating);
    put_number(out, "paused", c->paused);
    put_number(out, "answered", c->answered);
}

void engine_words_state(FILE *out, const struct engine *e, struct instant now)
{
    for (const struct saga *s = engine_after(e, 0); s != NULL; s = engine_after(e, s->id.serial))
        state_saga(out, e, s);
    for (unsigned i = 0; i < e->target_count; i++)
        state_target(out, e, i, now);
    struct engine_counts all = engine_counts(e);
    struct saga_counts real = engine_counts_real(e);
    put_counts(out, "counts", &(struct saga_counts){all.live, all.stuck, all.compensating, all.paused, all.answered});
    put_number(out, "calls", all.calls);
    put_number(out, "waiting", all.waiting);
    if (all.synthetic.live > 0)
        put_counts(out, "\nreal", &real);
    fputs("\nnext:", out);
    put_at(out, "tick", engine_expiry(e));
    put_number(out, "answers", engine_answers(e)->count);
    const struct admission *family;
    const char *name;
    for (uint32_t i = 0; (family = engine_family(e, i, &name)) != NULL; i++)
        fprintf(out, "\nfamily %s: live=%u", name, family->live);
    fputc('\n', out);
}

/* The line of a text that begins as this one does up to its colon; NULL: there is none. */
static const char *same_fact(const char *text, const char *line)
{
    size_t size = (size_t)(strchr(line, ':') - line) + 1;
    while (*text != '\0' && strncmp(text, line, size) != 0)
        text = strchr(text, '\n') + 1;
    return *text == '\0' ? NULL : text;
}

/* What is there first says nothing when it is as a step begins. */
static bool is_nothing(const char *line)
{
    const char *said = strchr(line, ':') + 1;
    return *said == '\n' || strncmp(said, " PENDING\n", 9) == 0 || strncmp(said, " NONE\n", 6) == 0;
}

void engine_words_difference(FILE *out, const char *before, const char *after)
{
    for (const char *line = after; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t size = (size_t)(strchr(line, '\n') - line) + 1;
        const char *was = same_fact(before, line);
        if (was == NULL ? !is_nothing(line) : strncmp(was, line, size) != 0)
            fprintf(out, "; %.*s", (int)size - 1, line);
    }
    for (const char *line = before; *line != '\0'; line = strchr(line, '\n') + 1) {
        int size = (int)(strchr(line, ':') - line);
        if (same_fact(after, line) == NULL && strcspn(line, " ") + 3 == (size_t)size) /* "7 is", and all behind it */
            fprintf(out, "; -%.*s", size - 3, line);
    }
}
