/* show.c - one saga: its head, its timeline, its steps, and what now. */
#include "client-lib/sagactl/show.h"

#include "client-lib/sagactl/advice.h"
#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"

#include <string.h>

#define FIELD         256  /* bytes of a short text, cleaned */
#define SENTENCE      1024 /* of a long one */
#define PAYLOAD_SHOWN 512  /* bytes of a payload that is a text */
#define PAYLOAD_BYTES 64   /* of one that is not */

/* ---- head ---- */

static void put_field(const struct screen *s, enum paint paint, const char *name, const char *text)
{
    screen_put(s, PAINT_DIM, "  %-10s", name);
    screen_wrap(s, paint, text, 13, 12);
}

/* "action rejected at charge" */
static char *why(const struct screen *s, Saga__V1__Reason reason, const char *step, char text[FIELD])
{
    char name[FIELD / 2];
    snprintf(text, FIELD, "%s%s%s", words_reason(reason), step[0] != '\0' ? " at " : "",
             screen_clean(s, step, name, sizeof name));
    return text;
}

static bool ended(const Saga__V1__Saga *saga)
{
    return saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED ||
           saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED ||
           saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_RESOLVED;
}

static void put_times(const struct screen *s, const Saga__V1__Saga *saga)
{
    struct instant started = times_of(saga->started_at), over = times_of(saga->ended_at),
                   deadline = times_of(saga->deadline);
    char at[TIMES_TEXT_SIZE], span[TIMES_TEXT_SIZE], text[FIELD];
    snprintf(text, sizeof text, "%s, %s ago", times_write(s, started, at),
             times_write_span(instant_since(s->now, started), span));
    put_field(s, PAINT_NONE, "started", started.us == INSTANT_NEVER.us ? "-" : text);
    if (over.us != INSTANT_NEVER.us) {
        snprintf(text, sizeof text, "%s, after %s", times_write(s, over, at),
                 times_write_span(instant_since(over, started), span));
        put_field(s, PAINT_NONE, "ended", text);
    }
    if (deadline.us != INSTANT_NEVER.us && !ended(saga)) {
        bool passed = instant_before(deadline, s->now);
        times_write_span(passed ? instant_since(s->now, deadline) : instant_since(deadline, s->now), span);
        snprintf(text, sizeof text, "%s, %s%s%s", times_write(s, deadline, at), passed ? "passed " : "in ", span,
                 passed ? " ago" : "");
        put_field(s, passed ? PAINT_WARN : PAINT_NONE, "deadline", text);
    }
}

/* Who paused it and why, from the timeline: the last such event. */
static void put_paused(const struct screen *s, const Saga__V1__GetResponse *answer)
{
    char actor[FIELD], said[SENTENCE], text[FIELD + SENTENCE + 32] = "yes";
    for (size_t i = answer->n_timeline; i-- > 0;) {
        const Saga__V1__Event *e = answer->timeline[i];
        if (e->type != SAGA__V1__EVENT_TYPE__EVENT_TYPE_PAUSED)
            continue;
        snprintf(text, sizeof text, "by %s%s%s", screen_clean(s, e->actor, actor, sizeof actor),
                 e->message[0] != '\0' ? ": " : "", screen_clean(s, e->message, said, sizeof said));
        break;
    }
    put_field(s, PAINT_WARN, "paused", text);
}

/* Whether bytes are a text without anything that would have to be made safe. */
static bool readable(const struct screen *s, const ProtobufCBinaryData *data, char text[PAYLOAD_SHOWN])
{
    char clean[PAYLOAD_SHOWN];
    if (data->len >= PAYLOAD_SHOWN || memchr(data->data, '\0', data->len) != NULL)
        return false;
    memcpy(text, data->data, data->len);
    text[data->len] = '\0';
    return strcmp(screen_clean(s, text, clean, sizeof clean), text) == 0;
}

/* As JSON where the type is known; else bytes as text when they are one, or the first of them in hexadecimal. */
static void put_payload(const struct screen *s, const char *name, const ProtobufCBinaryData *data, const char *json)
{
    char clean[4096];
    if (json[0] != '\0') {
        put_field(s, PAINT_NONE, name, screen_clean(s, json, clean, sizeof clean));
        return;
    }
    char shown[PAYLOAD_SHOWN], text[PAYLOAD_SHOWN + 64];
    size_t used = 0, some = data->len < PAYLOAD_BYTES ? data->len : PAYLOAD_BYTES;
    if (readable(s, data, shown)) {
        snprintf(text, sizeof text, "\"%s\"", shown);
    } else {
        for (size_t i = 0; i < some; i++)
            used += (size_t)snprintf(shown + used, sizeof shown - used, "%02x%s", data->data[i], i % 4 == 3 ? " " : "");
        snprintf(text, sizeof text, "%zu bytes: %s%s", data->len, shown, some < data->len ? "..." : "");
    }
    put_field(s, PAINT_NONE, name, text);
}

const char *show_lack(Saga__V1__LackKind kind)
{
    switch (kind) {
    case SAGA__V1__LACK_KIND__LACK_KIND_MISSING:
        return "missing";
    case SAGA__V1__LACK_KIND__LACK_KIND_FALLBACK:
        return "fallback";
    case SAGA__V1__LACK_KIND__LACK_KIND_STALE:
        return "stale";
    case SAGA__V1__LACK_KIND__LACK_KIND_DEFERRED:
        return "deferred";
    default:
        return "?";
    }
}

/* "score: fallback; rate: stale since 2026-05-04 10:20:30 UTC; mail: deferred" */
static void put_lacks(const struct screen *s, const Saga__V1__Saga *saga)
{
    char text[SENTENCE] = "", name[FIELD], when[TIMES_TEXT_SIZE];
    size_t used = 0;
    for (size_t i = 0; i < saga->n_lacks && used < sizeof text; i++) {
        const Saga__V1__Lack *l = saga->lacks[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s%s", i > 0 ? "; " : "",
                                 screen_clean(s, l->step, name, sizeof name), l->step[0] != '\0' ? ": " : "",
                                 show_lack(l->kind));
        if (l->as_of != NULL && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, " since %s",
                                     times_write(s, times_of(l->as_of), when));
    }
    if (saga->n_lacks > 0)
        put_field(s, PAINT_WARN, "degraded", text);
}

static void put_head(const struct screen *s, const Saga__V1__GetResponse *answer)
{
    const Saga__V1__Saga *saga = answer->saga;
    char id[64], name[FIELD], version[FIELD], text[FIELD], said[SENTENCE], both[FIELD + SENTENCE + 4];
    screen_put(s, PAINT_STRONG, "%s", screen_clean(s, saga->id, id, sizeof id));
    fprintf(s->out, "  %s %s  ", screen_clean(s, saga->definition, name, sizeof name),
            saga->mode == SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED
                ? "(enlisted)"
                : screen_clean(s, saga->version, version, sizeof version));
    screen_put(s, words_saga_paint(saga->state), "%s", words_saga_state(saga->state));
    if (saga->synthetic)
        screen_put(s, PAINT_DIM, ", a heartbeat (synthetic)");
    if (saga->skips > 0)
        screen_put(s, PAINT_WARN, ", %u skipped by an operator", (unsigned)saga->skips);
    screen_put(s, PAINT_WARN, "%s%s\n", saga->answered ? ", answered" : "", saga->paused ? ", paused" : "");
    if (saga->reason != SAGA__V1__REASON__REASON_UNSPECIFIED)
        put_field(s, PAINT_NONE, "undone for", why(s, saga->reason, saga->reason_step, text));
    if (saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK)
        put_field(s, PAINT_BAD, "stuck for", why(s, saga->stuck_reason, saga->stuck_step, text));
    if (saga->reason_message[0] != '\0')
        put_field(s, PAINT_NONE, "which said", screen_clean(s, saga->reason_message, said, sizeof said));
    put_lacks(s, saga);
    put_times(s, saga);
    if (saga->paused)
        put_paused(s, answer);
    if (saga->resolved_by[0] != '\0' || saga->resolution[0] != '\0') {
        snprintf(both, sizeof both, "by %s: %s", screen_clean(s, saga->resolved_by, text, sizeof text),
                 screen_clean(s, saga->resolution, said, sizeof said));
        put_field(s, PAINT_WARN, "resolved", both);
    }
    if (saga->request_id[0] != '\0')
        put_field(s, PAINT_NONE, "request id", screen_clean(s, saga->request_id, said, sizeof said));
    if (saga->traceparent[0] != '\0')
        put_field(s, PAINT_NONE, "trace", screen_clean(s, saga->traceparent, text, sizeof text));
    for (size_t i = 0; i < saga->n_tags; i++) {
        snprintf(both, sizeof both, "%s=%s", screen_clean(s, saga->tags[i]->name, text, sizeof text),
                 screen_clean(s, saga->tags[i]->value, said, sizeof said));
        put_field(s, PAINT_NONE, "tag", both);
    }
    if (saga->input.len > 0)
        put_payload(s, "input", &saga->input, saga->input_json);
    if (saga->output.len > 0)
        put_payload(s, "output", &saga->output, saga->output_json);
}

/* ---- steps ---- */

/* "DONE", "UNKNOWN (3)": the state, with the attempts when there was more than one. */
static const char *tried(const char *state, int attempts, char text[FIELD])
{
    if (attempts > 1)
        snprintf(text, FIELD, "%s (%d)", state, attempts);
    else
        snprintf(text, FIELD, "%s", state);
    return text;
}

static unsigned names_width(const struct screen *s, const Saga__V1__Saga *saga)
{
    unsigned width = 4, most = s->width / 3;
    char name[FIELD];
    for (size_t i = 0; i < saga->n_steps; i++) {
        unsigned columns = screen_columns(s, screen_clean(s, saga->steps[i]->name, name, sizeof name));
        width = columns > width ? columns : width;
    }
    return width < most ? width : most;
}

static void put_step(const struct screen *s, const Saga__V1__Step *step, unsigned width)
{
    char name[FIELD], text[FIELD], waits[SENTENCE], answer[SENTENCE];
    const unsigned state_width = 15;
    fputs("  ", s->out);
    screen_cell(s, PAINT_NONE, screen_clean(s, step->name, name, sizeof name), width);
    fputs("  ", s->out);
    screen_cell(s, words_action_paint(step->action), tried(words_action(step->action), step->action_attempts, text),
                state_width);
    screen_cell(s, words_compensation_paint(step->compensation),
                tried(words_compensation(step->compensation), step->compensation_attempts, text), state_width);
    unsigned at = 2 + width + 2 + 2 * state_width;
    screen_clean(s, step->waiting_for, waits, sizeof waits);
    if (waits[0] != '\0' && step->waits_until != NULL) {
        char when[2 * TIMES_TEXT_SIZE];
        size_t used = strlen(waits);
        snprintf(waits + used, sizeof waits - used, ", until %s",
                 times_write_until(s, times_of(step->waits_until), when));
    }
    if (waits[0] != '\0')
        screen_wrap(s, PAINT_NONE, waits, at, at);
    else
        fputc('\n', s->out);
    story_answer(s, step->last_status, step->last_message, answer, sizeof answer);
    if (step->last_status != 0) {
        fprintf(s->out, "%*s", (int)width + 4, "");
        screen_put(s, PAINT_DIM, "last failure: ");
        screen_wrap(s, PAINT_NONE, answer, width + 4 + 14, width + 4 + 14);
    }
    if (step->output.len > 0)
        put_payload(s, "  output", &step->output, step->output_json);
}

static void put_steps(const struct screen *s, const Saga__V1__Saga *saga)
{
    unsigned width = names_width(s, saga);
    screen_put(s, PAINT_STRONG, "\nsteps\n");
    screen_put(s, PAINT_DIM, "  %-*s  %-15s%-15s%s\n", (int)width, "STEP", "ACTION", "COMPENSATION", "WAITS FOR");
    for (size_t i = 0; i < saga->n_steps; i++)
        put_step(s, saga->steps[i], width);
}

void show_saga(const struct screen *s, const Saga__V1__GetResponse *answer, const char *same)
{
    if (answer->saga == NULL)
        return;
    put_head(s, answer);
    screen_put(s, PAINT_STRONG, "\ntimeline\n");
    if (answer->timeline_truncated)
        screen_wrap(s, PAINT_WARN, "The earliest events are no longer in the journal.", 2, 0);
    if (answer->n_timeline > 0)
        story_write(s, times_of(answer->saga->started_at), answer->timeline, answer->n_timeline);
    if (answer->saga->n_steps > 0)
        put_steps(s, answer->saga);
    advice_write(s, answer->saga, same);
}

void show_end(const struct screen *s, const Saga__V1__Saga *saga)
{
    char id[64], text[FIELD], span[TIMES_TEXT_SIZE];
    struct instant started = times_of(saga->started_at), over = times_of(saga->ended_at);
    bool stuck = saga->state == SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    fprintf(s->out, "%s ", screen_clean(s, saga->id, id, sizeof id));
    screen_put(s, words_saga_paint(saga->state), "%s", words_saga_state(saga->state));
    if (started.us != INSTANT_NEVER.us && over.us != INSTANT_NEVER.us)
        fprintf(s->out, " after %s", times_write_span(instant_since(over, started), span));
    why(s, stuck ? saga->stuck_reason : saga->reason, stuck ? saga->stuck_step : saga->reason_step, text);
    fprintf(s->out, "%s%s", text[0] != '\0' ? ": " : "", text);
    if (saga->reason_message[0] != '\0')
        fprintf(s->out, ": %s", screen_clean(s, saga->reason_message, text, sizeof text));
    for (size_t i = 0; i < saga->n_lacks; i++)
        fprintf(s->out, "%s%s", i == 0 ? ", degraded: " : ", ", show_lack(saga->lacks[i]->kind));
    fputc('\n', s->out);
    char clean[4096];
    if (saga->output_json[0] != '\0')
        fprintf(s->out, "%s\n",
                s->terminal ? screen_clean(s, saga->output_json, clean, sizeof clean) : saga->output_json);
}
