/* story.c - events in words, and in two columns. */
#include "client-lib/sagactl/story.h"

#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"
#include "sidecar/base/grpc_status.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define NAME_SHOWN 160 /* bytes of a step's name, cleaned */
#define SAID_SHOWN 640 /* bytes of what somebody said, cleaned */

char *story_answer(const struct screen *s, int status, const char *message, char *text, size_t size)
{
    char said[SAID_SHOWN];
    screen_clean(s, message, said, sizeof said);
    if (status == 0)
        snprintf(text, size, "%s", said);
    else
        snprintf(text, size, "%s%s%s", grpc_status_name(status), said[0] != '\0' ? ": " : "", said);
    return text;
}

/* ---- one event ---- */

static void add(struct story_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct story_line *line, const char *format, ...)
{
    size_t used = strlen(line->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line->text + used, sizeof line->text - used, format, arguments);
    va_end(arguments);
}

/* " by anna@ops: the shop is closed" */
static void add_by(struct story_line *line, const struct screen *s, const Saga__V1__Event *e)
{
    char actor[NAME_SHOWN], said[SAID_SHOWN];
    if (e->actor[0] != '\0')
        add(line, " by %s", screen_clean(s, e->actor, actor, sizeof actor));
    if (e->identity[0] != '\0')
        add(line, e->actor[0] != '\0' ? " (%s)" : " by %s", screen_clean(s, e->identity, actor, sizeof actor));
    if (e->message[0] != '\0')
        add(line, ": %s", screen_clean(s, e->message, said, sizeof said));
}

static void add_failed(struct story_line *line, const struct screen *s, const Saga__V1__Event *e)
{
    char answer[SAID_SHOWN + 32], wait[TIMES_TEXT_SIZE];
    story_answer(s, e->status, e->message, answer, sizeof answer);
    add(line, " failed%s%s", answer[0] != '\0' ? ", " : "", answer);
    struct instant at = times_of(e->at), next = times_of(e->next_attempt_at);
    if (e->next_attempt_at != NULL && at.us != INSTANT_NEVER.us && next.us != INSTANT_NEVER.us)
        add(line, "; next in %s", times_write_span(instant_since(next, at), wait));
    line->paint = PAINT_WARN;
}

static void add_answer(struct story_line *line, const struct screen *s, const Saga__V1__Event *e)
{
    char answer[SAID_SHOWN + 32];
    story_answer(s, e->status, e->message, answer, sizeof answer);
    if (answer[0] != '\0')
        add(line, ", %s", answer);
}

static void add_reason(struct story_line *line, const char *step, const Saga__V1__Event *e)
{
    const char *reason = words_reason(e->reason);
    if (reason[0] != '\0')
        add(line, ": %s", reason);
    if (step[0] != '\0')
        add(line, " at %s", step);
}

/* An event of the saga as a whole. */
static void tell_whole(const struct screen *s, const Saga__V1__Event *e, const char *step, struct story_line *line)
{
    char name[NAME_SHOWN];
    switch (e->type) {
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_SAGA_STARTED:
        add(line, "%s started", screen_clean(s, e->definition, name, sizeof name));
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_TURNED_BACK:
        line->paint = PAINT_WARN;
        add(line, "TURNED BACK");
        add_reason(line, step, e);
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_STUCK:
        line->paint = PAINT_BAD;
        add(line, "STUCK");
        add_reason(line, step, e);
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_ENDED:
        line->paint = words_saga_paint(e->state);
        add(line, "%s", words_saga_state(e->state));
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_PAUSED:
        add(line, "paused");
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_RESUMED:
        add(line, "resumed");
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_RETRIED:
        add(line, "%s to be tried again", step);
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_SKIPPED:
        add(line, "%s skipped", step);
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_ANSWERED:
        add(line, "answered; deferred steps begin");
        break;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_REJECTED:
        add(line, "%s did not happen", step);
        break;
    default:
        add(line, "an event of type %d, which this sagactl does not know", (int)e->type);
    }
    add_by(line, s, e);
}

/* What a drill does to an attempt. */
static const char *drilled(const Saga__V1__Event *e)
{
    static const char *const words[] = {"",
                                        ", drill: delayed",
                                        ", drill: aborted",
                                        ", drill: request dropped",
                                        ", drill: answer dropped",
                                        ", drill: sent twice",
                                        ", drill: out of order"};
    return (unsigned)e->fault < sizeof words / sizeof *words ? words[e->fault] : ", drill";
}

void story_tell(const struct screen *s, const Saga__V1__Event *e, struct story_line *line)
{
    char step[NAME_SHOWN];
    screen_clean(s, e->step, step, sizeof step);
    line->text[0] = '\0';
    line->paint = PAINT_NONE;
    line->side = STORY_ACTION;
    switch (e->type) {
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_STEP_ENLISTED:
        add(line, "%s enlisted", step);
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_STARTED:
        add(line, "%s attempt %d%s", step, e->attempt, drilled(e));
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_ATTEMPT_FAILED:
        add(line, "%s attempt %d", step, e->attempt);
        add_failed(line, s, e);
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_ACTION_ENDED:
        add(line, "%s %s", step, words_action(e->action));
        if (e->as_of != NULL) {
            char old[TIMES_TEXT_SIZE];
            times_write_span(instant_since(times_of(e->at), times_of(e->as_of)), old);
            add(line, ", by the last good answer, %s old", old);
        }
        add_answer(line, s, e);
        line->paint = words_action_paint(e->action);
        return;
    default:
        break;
    }
    line->side = STORY_COMPENSATION;
    switch (e->type) {
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_STARTED:
        add(line, "%s undo, attempt %d%s", step, e->attempt, drilled(e));
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_ATTEMPT_FAILED:
        add(line, "%s undo, attempt %d", step, e->attempt);
        add_failed(line, s, e);
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_COMPENSATION_ENDED:
        add(line, "%s undo %s", step, words_compensation(e->compensation));
        add_answer(line, s, e);
        line->paint = words_compensation_paint(e->compensation);
        return;
    case SAGA__V1__EVENT_TYPE__EVENT_TYPE_UNREACHED:
        line->side = STORY_WHOLE;
        add(line, e->next_attempt_at == NULL ? "%s waits for its target" : "%s had not begun, and comes again", step);
        add_answer(line, s, e);
        return;
    default:
        line->side = STORY_WHOLE;
        tell_whole(s, e, step, line);
    }
}

/* ---- the timeline ---- */

static const char *bar(const struct screen *s)
{
    return s->utf8 ? "\xe2\x94\x82" : "|";
}

/* A piece of text in a column; returns what is left of it. */
static const char *put_piece(const struct screen *s, enum paint paint, const char *text, unsigned width, bool fill)
{
    char piece[1024];
    size_t bytes;
    const char *rest = screen_break(s, text, width, &bytes);
    snprintf(piece, sizeof piece, "%.*s", (int)bytes, text);
    if (fill)
        screen_cell(s, paint, piece, width);
    else if (piece[0] != '\0')
        screen_put(s, paint, "%s", piece);
    return rest;
}

static void put_event(const struct screen *s, const char *when, const struct story_line *line)
{
    unsigned room = s->width - TIMES_OFFSET_WIDTH - 2, column = (room - 3) / 2;
    const char *rest = line->text;
    bool first = true;
    do {
        screen_put(s, PAINT_DIM, "%*s", TIMES_OFFSET_WIDTH, first ? when : "");
        fputs("  ", s->out);
        if (line->side == STORY_WHOLE) {
            rest = put_piece(s, line->paint, rest, room, false);
        } else if (line->side == STORY_ACTION) {
            rest = put_piece(s, line->paint, rest, column, true);
            screen_put(s, PAINT_DIM, " %s", bar(s));
        } else {
            fprintf(s->out, "%*s", (int)column, "");
            screen_put(s, PAINT_DIM, " %s ", bar(s));
            rest = put_piece(s, line->paint, rest, column, false);
        }
        fputc('\n', s->out);
        first = false;
    } while (*rest != '\0');
}

void story_write(const struct screen *s, struct instant origin, Saga__V1__Event *const *events, size_t count)
{
    unsigned column = (s->width - TIMES_OFFSET_WIDTH - 2 - 3) / 2;
    screen_put(s, PAINT_DIM, "%*s  %-*s %s %s\n", TIMES_OFFSET_WIDTH, "TIME", (int)column, "DONE", bar(s), "UNDONE");
    for (size_t i = 0; i < count; i++) {
        struct story_line line;
        char when[TIMES_TEXT_SIZE] = "";
        struct instant at = times_of(events[i]->at);
        if (at.us != INSTANT_NEVER.us && origin.us != INSTANT_NEVER.us)
            times_write_offset(instant_since(at, origin), when);
        story_tell(s, events[i], &line);
        put_event(s, when, &line);
    }
}

void story_write_line(const struct screen *s, const Saga__V1__Event *event, bool with_saga)
{
    static const char *const marks[] = {[STORY_ACTION] = "->", [STORY_COMPENSATION] = "<-", [STORY_WHOLE] = "--"};
    struct story_line line;
    struct instant at = times_of(event->at);
    time_t seconds = (time_t)(at.us / 1000000);
    char clock[16] = "--:--:--", id[64];
    struct tm tm;
    if (at.us != INSTANT_NEVER.us && (s->utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)) != NULL)
        strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    story_tell(s, event, &line);
    screen_put(s, PAINT_DIM, "%s.%03d", clock, at.us == INSTANT_NEVER.us ? 0 : (int)(at.us / 1000 % 1000));
    if (with_saga)
        fprintf(s->out, "  %s", screen_clean(s, event->saga_id, id, sizeof id));
    screen_put(s, PAINT_DIM, "  %s ", marks[line.side]);
    screen_put(s, line.paint, "%s", line.text);
    fputc('\n', s->out);
}
