#include "tests/support/engine_play_inside.h"
#include "tests/support/shapes.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/base/quiet.h"

#include <check.h>
#include <stdlib.h>

/* ---- the words of a line ---- */

void play_split(struct play *p, const char *line, size_t size)
{
    p->count = 0;
    for (size_t at = 0, end; at < size; at = end + 1) {
        for (end = at; end < size && line[end] != ' ';)
            end++;
        if (end == at)
            continue;
        ck_assert_uint_lt(p->count, WORDS_MAX);
        ck_assert_uint_lt(end - at, WORD_SIZE);
        snprintf(p->words[p->count++], WORD_SIZE, "%.*s", (int)(end - at), line + at);
    }
}

/* The value of name=value among the words, or NULL. */
const char *play_value(const struct play *p, const char *name)
{
    size_t size = strlen(name);
    for (unsigned i = 1; i < p->count; i++)
        if (strncmp(p->words[i], name, size) == 0 && p->words[i][size] == '=')
            return p->words[i] + size + 1;
    return NULL;
}

static struct bytes text(const struct play *p, const char *name, const char *otherwise)
{
    static const char many[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    const char *v = play_value(p, name);
    if (v == NULL)
        v = otherwise;
    if (v[0] != '*')
        return bytes_of_text(v);
    size_t size = v[1] == '*' ? 0 : (size_t)atoi(v + 1);
    ck_assert_uint_lt(size, sizeof many);
    return bytes_of(many, size);
}

int64_t play_number(const struct play *p, const char *name)
{
    const char *v = play_value(p, name);
    return v == NULL ? 0 : atoll(v);
}

struct span play_span(const struct play *p, const char *name)
{
    return SPAN_MS(play_number(p, name));
}

/* Of a typed definition inputs and outputs are messages shapes.Line of this sku; "damaged" is none. */
static struct bytes payload(const struct play *p, struct bytes sku, uint8_t *room)
{
    bool typed = p->definition != NULL && p->definition->schema != NULL;
    return typed && sku.size < 128 && !bytes_equal(sku, bytes_of_text("damaged")) ? shapes_line(sku, room) : sku;
}

/* The parts of a list with commas. */
static const char *next_part(const char *list, struct bytes *part)
{
    size_t size = strcspn(list, ",");
    *part = bytes_of(list, size);
    return list[size] == ',' ? list + size + 1 : NULL;
}

/* ---- events ---- */

static void set_enlist(struct play *p, struct event *event)
{
    const char *list = play_value(p, "enlist"), *target = play_value(p, "target"), *method = play_value(p, "method");
    struct bytes name;
    while (list != NULL) {
        ck_assert_uint_lt(event->enlist_count, TOGETHER_MAX);
        list = next_part(list, &name);
        if (name.size > 0 && name.at[0] == '*')
            name = text(p, "enlist", ""); /* alone */
        struct enlistment *l = &p->enlist[event->enlist_count++];
        *l = (struct enlistment){.step = name, .has_compensation = play_value(p, "undo") == NULL};
        if (!l->has_compensation)
            continue;
        l->compensation = (struct call_spec){.target = target == NULL ? "t" : target,
                                             .method = method == NULL ? "/p.S/Undo" : method,
                                             .constant = text(p, "sends", "undo it"),
                                             .timeout = play_span(p, "timeout")};
        if (play_value(p, "tries") != NULL)
            l->compensation.retry = (struct retry_policy){.max_attempts = (uint16_t)play_number(p, "tries"),
                                                          .initial_backoff = play_span(p, "backoff"),
                                                          .max_backoff = SPAN_S(2),
                                                          .backoff_multiplier_permille = 1500};
    }
    event->enlist = p->enlist;
}

static void set_settle(struct play *p, struct event *event)
{
    static const char *const names[] = {"", "PENDING", "STARTED", "DONE", "REJECTED", "UNKNOWN", "SKIPPED"};
    const char *list = play_value(p, "settle");
    struct bytes part;
    while (list != NULL) {
        ck_assert_uint_lt(event->settle_count, TOGETHER_MAX);
        list = next_part(list, &part);
        const uint8_t *colon = memchr(part.at, ':', part.size);
        ck_assert_ptr_nonnull(colon);
        struct settlement *s = &p->settle[event->settle_count++];
        *s = (struct settlement){.step = bytes_of(part.at, (size_t)(colon - part.at)),
                                 .output = text(p, "out", ""),
                                 .output_is_request = play_value(p, "as_request") != NULL,
                                 .may_run_for = play_span(p, "may_run")};
        struct bytes state = bytes_of(colon + 1, part.size - s->step.size - 1);
        while (!bytes_equal(bytes_of_text(names[s->action_state]), state))
            ck_assert_uint_lt(++s->action_state, 7);
    }
    event->settle = p->settle;
}

void play_set_request(struct play *p, struct event *event)
{
    const char *priority = play_value(p, "priority"), *room = play_value(p, "room");
    bool starts = event->type == EVENT_START || event->type == EVENT_BEGIN;
    event->token = ++p->token;
    event->request_id = text(p, "id", starts && p->count > 1 ? p->words[1] : "");
    if (event->type == EVENT_START)
        event->input = payload(p, text(p, "in", "in"), p->in);
    event->definition = event->type == EVENT_START ? p->definition : NULL;
    event->deadline = play_span(p, "deadline");
    event->lease = play_span(p, "lease");
    event->priority = priority == NULL ? PRIORITY_UNSAID : priority[0] == 'h' ? PRIORITY_HIGH : PRIORITY_LOW;
    event->traceparent = text(p, "trace", "");
    event->version = text(p, "version", "");
    event->synthetic = play_value(p, "synthetic") != NULL;
    event->identity = text(p, "who", "");
    event->scoped = play_value(p, "scoped") != NULL;
    event->actor = text(p, "actor", "ann");
    event->reason = text(p, "reason", "because");
    event->tag_sets = text(p, "tags", "");
    event->name = text(p, "name", "enlisted");
    event->no_room = room == NULL ? 0 : room[0] == 'j' ? E_JOURNAL_FULL : room[0] == 'h' ? E_HELD : E_MEMORY;
    bool bare = !starts && p->count > 2 && strchr(p->words[2], '=') == NULL;
    event->step = bytes_of_text(bare ? p->words[2] : "");
    if (play_value(p, "tag") != NULL)
        event->saga.tag = (uint64_t)play_number(p, "tag");
    set_enlist(p, event);
    set_settle(p, event);
}

bool play_set_answer(struct play *p, struct event *event)
{
    struct out_call *c = NULL;
    const struct saga *s = engine_find(p->engine, event->saga.serial);
    for (unsigned i = 0; i < CALLS_MAX && s != NULL; i++)
        if (p->calls[i].out && p->calls[i].call.saga.serial == event->saga.serial &&
            bytes_equal(saga_step_name(s, p->calls[i].call.step), bytes_of_text(p->words[2])))
            c = &p->calls[i];
    if (c == NULL)
        return false;
    const char *reach = play_value(p, "reach"), *pushback = play_value(p, "pushback");
    c->out = false;
    event->type = EVENT_ANSWER;
    event->step_index = c->call.step;
    event->phase = c->call.phase;
    event->attempt = c->call.attempt;
    event->status = grpc_status_parse(p->words[3]);
    event->reach = reach == NULL || reach[0] == 'a'  ? SAGA_REACH_ANSWERED
                   : reach[0] == 'm'                 ? SAGA_REACH_MAYBE
                   : strcmp(reach, "not-begun") == 0 ? SAGA_REACH_NOT_BEGUN
                                                     : SAGA_REACH_NONE;
    event->unreached = reach != NULL && strcmp(reach, "unreached") == 0;
    if (event->reach == SAGA_REACH_MAYBE)
        event->quiet_at = quiet_at(c->left_at, c->call.timeout);
    event->output = play_value(p, "out") == NULL ? bytes_of(NULL, 0) : payload(p, text(p, "out", ""), p->answer);
    event->message = text(p, "said", "");
    event->took = play_span(p, "took");
    event->has_pushback = pushback != NULL;
    event->pushback = play_span(p, "pushback");
    return true;
}
