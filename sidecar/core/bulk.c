/* bulk.c - jobs over dead letters. */
#include "sidecar/core/bulk.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/utf8.h"
#include "sidecar/core/core_inside.h"
#include "sidecar/core/timeline.h"
#include "sidecar/engine/saga.h"

#include <stdio.h>

#define ROW_BYTES_MAX 4096
#define FORM_OF_VALUE 1
/* One piece of work: so many sagas are looked at, or acted on. */
#define LOOK_MAX 256
#define ACT_MAX  32
/* What was not done in time is made up for by so much. */
#define BEHIND_MAX SPAN_MS(200)
/* How far a job has come without having acted is written down this often. */
#define TELL_EVERY SPAN_S(1)

#define STATE(name) SAGA__V1__BULK_STATE__BULK_STATE_##name
#define ACT(name)   SAGA__V1__BULK_ACT__BULK_ACT_##name

struct job {
    Saga__V1__BulkJob m; /* its texts lie below, its times too */
    Google__Protobuf__Timestamp started_at, ended_at;
    char id[BULK_ID_BYTES_MAX + 1], where_text[WHERE_BYTES_MAX + 1], definition[NAME_BYTES_MAX + 1];
    char actor[ACTOR_BYTES_MAX + 1], identity[IDENTITY_BYTES_MAX + 1], reason[BULK_REASON_BYTES_MAX + 1], error[160];
    struct where *where;    /* NULL: it has ended */
    struct instant next_at; /* before it does not act */
    struct instant told_at; /* when its row was written last */
    uint64_t told_after;    /* and how far it had come */
};

struct bulks {
    struct core *core;
    struct memory memory;
    unsigned loops;
    int (*audit)(void *self, const Saga__V1__BulkJob *job, struct event *event);
    void *self;
    struct job *jobs[BULK_JOBS_MAX];
    unsigned running;
    struct error_detail *detail; /* while rows are read */
};

static bool has_ended(const struct job *j)
{
    return j->m.state == STATE(DONE) || j->m.state == STATE(CANCELLED) || j->m.state == STATE(FAILED);
}

int bulks_create(const struct bulk_options *options, struct bulks **out)
{
    struct bulks *b = options->memory->take_zeroed(options->memory->self, sizeof *b);
    if (b == NULL)
        return E_MEMORY;
    b->core = options->core;
    b->memory = *options->memory;
    b->loops = options->loops;
    b->audit = options->audit;
    b->self = options->self;
    *out = b;
    return 0;
}

static void destroy_job(struct bulks *b, struct job *j)
{
    if (j == NULL)
        return;
    where_destroy(j->where);
    b->memory.give_back(b->memory.self, j, sizeof *j);
}

void bulks_destroy(struct bulks *b)
{
    if (b == NULL)
        return;
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++)
        destroy_job(b, b->jobs[i]);
    struct memory memory = b->memory;
    memory.give_back(memory.self, b, sizeof *b);
}

/* ---- rows ---- */

static void set_time(Google__Protobuf__Timestamp *t, struct instant at)
{
    google__protobuf__timestamp__init(t);
    t->seconds = at.us / 1000000;
    t->nanos = (int32_t)(at.us % 1000000) * 1000;
}

/* Writes the job as it is now into the batch. */
static int write_row(struct bulks *b, unsigned place, struct instant now)
{
    struct job *j = b->jobs[place];
    char name[12];
    uint8_t value[ROW_BYTES_MAX];
    size_t size = saga__v1__bulk_job__get_packed_size(&j->m);
    CHECK(size <= sizeof value);
    saga__v1__bulk_job__pack(&j->m, value);
    snprintf(name, sizeof name, "%02u", place);
    const struct subject_row row = {
        .kind = SUBJECT_BULK, .name = bytes_of_text(name), .version = FORM_OF_VALUE, .value = bytes_of(value, size)};
    j->told_at = now;
    j->told_after = j->m.after;
    return core_set_subject(b->core, &row);
}

static bool copy_text(char *to, size_t size, const char *from)
{
    size_t length = strlen(from);
    if (length >= size)
        return false;
    memcpy(to, from, length + 1);
    return true;
}

/* A job in memory, with what m says of it. E_MEMORY, or E_ARGUMENT when a text is longer than it may be. */
static int make(struct bulks *b, const Saga__V1__BulkJob *m, struct job **out)
{
    struct job *j = b->memory.take_zeroed(b->memory.self, sizeof *j);
    if (j == NULL)
        return E_MEMORY;
    saga__v1__bulk_job__init(&j->m);
    bool fit = copy_text(j->id, sizeof j->id, m->id) && copy_text(j->where_text, sizeof j->where_text, m->where) &&
               copy_text(j->definition, sizeof j->definition, m->definition) &&
               copy_text(j->actor, sizeof j->actor, m->actor) &&
               copy_text(j->identity, sizeof j->identity, m->identity) &&
               copy_text(j->reason, sizeof j->reason, m->reason) && copy_text(j->error, sizeof j->error, m->error);
    if (!fit) {
        b->memory.give_back(b->memory.self, j, sizeof *j);
        return E_ARGUMENT;
    }
    j->m = (Saga__V1__BulkJob){.base = j->m.base,
                               .id = j->id,
                               .where = j->where_text,
                               .definition = j->definition,
                               .actor = j->actor,
                               .identity = j->identity,
                               .reason = j->reason,
                               .error = j->error,
                               .act = m->act,
                               .state = m->state,
                               .per_second = m->per_second,
                               .examined = m->examined,
                               .acted = m->acted,
                               .refused = m->refused,
                               .after = m->after,
                               .up_to = m->up_to};
    if (m->started_at != NULL) {
        j->started_at = *m->started_at;
        j->m.started_at = &j->started_at;
    }
    if (m->ended_at != NULL) {
        j->ended_at = *m->ended_at;
        j->m.ended_at = &j->ended_at;
    }
    *out = j;
    return 0;
}

static int corrupt(struct bulks *b)
{
    return error_set(b->detail, E_JOURNAL_CORRUPT, "", "a bulk job in the table subjects is none");
}

static int take_row(void *self, const struct subject_row *row)
{
    struct bulks *b = self;
    unsigned place = 0;
    bool sound = row->version == FORM_OF_VALUE && row->name.size == 2;
    for (size_t i = 0; sound && i < 2; i++) {
        sound = row->name.at[i] >= '0' && row->name.at[i] <= '9';
        place = place * 10 + (unsigned)(row->name.at[i] - '0');
    }
    if (!sound || place >= BULK_JOBS_MAX || b->jobs[place] != NULL)
        return corrupt(b);
    Saga__V1__BulkJob *m = saga__v1__bulk_job__unpack(NULL, row->value.size, row->value.at);
    if (m == NULL)
        return corrupt(b);
    struct job *j = NULL;
    int code = make(b, m, &j);
    bool known = m->state >= STATE(RUNNING) && m->state <= STATE(FAILED);
    saga__v1__bulk_job__free_unpacked(m, NULL);
    if (code != 0)
        return code == E_ARGUMENT ? corrupt(b) : error_set(b->detail, code, "", NULL);
    b->jobs[place] = j;
    if (!known)
        return corrupt(b);
    code = has_ended(j) ? 0 : where_compile(bytes_of_text(j->where_text), &b->memory, &j->where, b->detail);
    b->running += j->m.state == STATE(RUNNING);
    return code == E_ARGUMENT ? corrupt(b) : code;
}

int bulks_recover(struct bulks *b, struct store *store, struct error_detail *detail)
{
    b->detail = detail;
    return store->scan_subjects(store, SUBJECT_BULK, take_row, b, detail);
}

/* ---- jobs come and go ---- */

static int place_of(const struct bulks *b, struct bytes id)
{
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++)
        if (b->jobs[i] != NULL && bytes_equal(bytes_of_text(b->jobs[i]->id), id))
            return (int)i;
    return -1;
}

static bool began_before(const struct job *a, const struct job *b)
{
    const Google__Protobuf__Timestamp *x = &a->started_at, *y = &b->started_at;
    return x->seconds < y->seconds || (x->seconds == y->seconds && x->nanos < y->nanos);
}

/* A free place, or of those that have ended the one that began first (in all loops the same, unless some still goes on in one); -1: all go on. */
static int free_place(const struct bulks *b)
{
    int best = -1;
    for (unsigned i = 0; i < BULK_JOBS_MAX; i++) {
        if (b->jobs[i] == NULL)
            return (int)i;
        if (has_ended(b->jobs[i]) && (best < 0 || began_before(b->jobs[i], b->jobs[best])))
            best = (int)i;
    }
    return best;
}

static int check(const Saga__V1__BulkJob *m, struct error_detail *detail)
{
    if (m->id[0] == '\0' || strlen(m->id) > BULK_ID_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "id", "1 to 64 bytes");
    if (m->act < ACT(RETRY) || m->act > ACT(RESOLVE))
        return error_set(detail, E_ARGUMENT, "act", "RETRY, SKIP or RESOLVE");
    if (m->actor[0] == '\0' || strlen(m->actor) > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
    if ((m->act != ACT(RETRY) && m->reason[0] == '\0') || strlen(m->reason) > BULK_REASON_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "reason", "say why, in 1 to 180 bytes");
    if (strlen(m->definition) > NAME_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "definition", "at most 128 bytes");
    if (!(m->per_second >= 0.01) || m->per_second > BULK_PER_SECOND_MAX)
        return error_set(detail, E_ARGUMENT, "per_second", "0.01 to 10000");
    return 0;
}

static bool same(const Saga__V1__BulkJob *a, const Saga__V1__BulkJob *m)
{
    return a->act == m->act && strcmp(a->where, m->where) == 0 && strcmp(a->definition, m->definition) == 0 &&
           strcmp(a->reason, m->reason) == 0;
}

int bulks_add(struct bulks *b, const Saga__V1__BulkJob *m, struct instant now, bool *repeated,
              struct error_detail *detail)
{
    int code = check(m, detail);
    if (code != 0)
        return code;
    int there = place_of(b, bytes_of_text(m->id));
    *repeated = there >= 0;
    if (there >= 0)
        return same(&b->jobs[there]->m, m)
                   ? 0
                   : error_set(detail, E_BULK_EXISTS, "id", "this id was used for another job: take another");
    code = core_may_add(b->core, detail);
    int place = code != 0 ? -1 : free_place(b);
    if (code != 0)
        return code;
    if (place < 0)
        return error_set(detail, E_BULK_JOBS, "", NULL);
    struct where *where;
    code = where_compile(bytes_of_text(m->where), &b->memory, &where, detail);
    if (code != 0)
        return code;
    struct job *j = NULL;
    code = make(b, m, &j);
    if (code != 0) {
        where_destroy(where);
        return error_set(detail, code, "", NULL);
    }
    j->m.state = STATE(RUNNING);
    j->m.examined = j->m.acted = j->m.refused = j->m.after = 0;
    j->m.up_to = engine_serial(core_engine(b->core));
    j->m.ended_at = NULL;
    set_time(&j->started_at, now);
    j->m.started_at = &j->started_at;
    j->error[0] = '\0';
    j->where = where;
    j->next_at = now;
    struct job *was = b->jobs[place];
    b->jobs[place] = j;
    if (write_row(b, (unsigned)place, now) != 0) { /* who is told so may ask again, or for something else */
        destroy_job(b, j);
        b->jobs[place] = was;
        return error_set(detail, E_MEMORY, "", NULL);
    }
    destroy_job(b, was);
    b->running++;
    return 0;
}

/* Or leaves it as it is, without memory: who is told so may ask again. */
static int set_state(struct bulks *b, unsigned place, Saga__V1__BulkState state, struct instant now)
{
    struct job *j = b->jobs[place];
    Saga__V1__BulkState was = j->m.state;
    j->m.state = state;
    if (has_ended(j)) {
        set_time(&j->ended_at, now);
        j->m.ended_at = &j->ended_at;
    }
    int code = write_row(b, place, now);
    if (code != 0) {
        j->m.state = was;
        j->m.ended_at = NULL; /* what has ended changes no more */
        return code;
    }
    if (has_ended(j)) {
        where_destroy(j->where);
        j->where = NULL;
    }
    b->running -= was == STATE(RUNNING);
    b->running += state == STATE(RUNNING);
    j->next_at = now;
    return 0;
}

int bulks_change(struct bulks *b, struct bytes id, Saga__V1__BulkState state, struct instant now,
                 struct error_detail *detail)
{
    int place = place_of(b, id);
    if (state != STATE(RUNNING) && state != STATE(PAUSED) && state != STATE(CANCELLED))
        return error_set(detail, E_ARGUMENT, "state", "RUNNING, PAUSED or CANCELLED");
    if (place < 0)
        return error_set(detail, E_BULK_NOT_FOUND, "id", NULL);
    if (b->jobs[place]->m.state == state || (state == STATE(CANCELLED) && DEFECT(BULK_CANCEL_IGNORED)))
        return 0;
    if (has_ended(b->jobs[place])) /* of several loops another may have more to do */
        return b->loops > 1 ? 0 : error_set(detail, E_BULK_ENDED, "id", NULL);
    return set_state(b, (unsigned)place, state, now) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
}

const Saga__V1__BulkJob *bulks_at(const struct bulks *b, unsigned place)
{
    CHECK(place < BULK_JOBS_MAX);
    return b->jobs[place] == NULL ? NULL : &b->jobs[place]->m;
}

/* ---- what is due ---- */

/* Whether the job is about this saga. Returns 0, STORE_PENDING, or an error. */
static int is_meant(struct bulks *b, struct job *j, const struct saga *s, struct instant now, bool *meant,
                    struct error_detail *detail)
{
    int code = 0;
    /* What is deferred waits for its next attempt: who asks for that can have it tried now. */
    bool waits = s->answered && !saga_ended(s) && j->m.act == SAGA__V1__BULK_ACT__BULK_ACT_RETRY &&
                 where_needs_deferred(j->where);
    *meant = (s->state == SAGA_STUCK || waits) &&
             (j->definition[0] == '\0' || bytes_equal(s->name, bytes_of_text(j->definition)));
    if (!*meant)
        return 0;
    struct where_view view = where_view_of(s);
    if (where_needs_status(j->where))
        code = timeline_last_status(b->core, s, s->position, 0, &view.status, detail);
    return code != 0 ? code : where_asks(j->where, &view, now, meant, detail);
}

/* Does it to one saga. Whether the engine took it shows by what it wrote. */
static int act(struct bulks *b, struct job *j, const struct saga *s, struct instant now, struct error_detail *detail)
{
    char reason[MESSAGE_BYTES_MAX + 1];
    static const uint8_t events[] = {
        [ACT(RETRY)] = EVENT_RETRY, [ACT(SKIP)] = EVENT_SKIP, [ACT(RESOLVE)] = EVENT_RESOLVE};
    snprintf(reason, sizeof reason, "bulk %s%s%s", j->id, j->reason[0] != '\0' ? ": " : "", j->reason);
    struct event event = {
        .type = events[j->m.act],
        .now = now,
        .saga = s->id,
        .actor = bytes_of_text(j->actor),
        .identity = bytes_of_text(j->identity),
        .reason = bytes_of_text(reason),
    };
    if (j->m.act == ACT(SKIP) && s->stuck_step < s->step_count)
        event.step = saga_step_name(s, s->stuck_step);
    int code = b->audit == NULL ? 0 : b->audit(b->self, &j->m, &event);
    if (code == 0)
        code = core_submit(b->core, &event, detail);
    if (code == 0 && b->core->acted)
        j->m.acted++;
    else if (code == 0)
        j->m.refused++;
    return code;
}

static struct span interval(const struct bulks *b, const struct job *j)
{
    return (struct span){.us = (int64_t)(1e6 * b->loops / j->m.per_second)};
}

static int fail(struct bulks *b, unsigned place, struct instant now, const struct error_detail *why)
{
    struct job *j = b->jobs[place];
    j->error[0] = '\0';
    utf8_append(j->error, sizeof j->error, why->text);
    return set_state(b, place, STATE(FAILED), now);
}

/* One saga after another, until it has to wait, or has done enough for one piece: then it goes on in the next. */
static int run_job(struct bulks *b, unsigned place, struct instant now, struct error_detail *detail)
{
    struct job *j = b->jobs[place];
    const struct engine *e = core_engine(b->core);
    unsigned looked = 0, acted = 0;
    uint64_t had_acted = j->m.acted + j->m.refused;
    int code = 0;
    j->next_at = instant_max(j->next_at, (struct instant){.us = now.us - BEHIND_MAX.us});
    while (code == 0 && !instant_before(now, j->next_at)) {
        const struct saga *s = engine_after(e, j->m.after);
        bool meant = false;
        if (s == NULL || s->id.serial > j->m.up_to)
            return set_state(b, place, STATE(DONE), now);
        if (looked++ == LOOK_MAX || acted == ACT_MAX || core_batch_full(b->core))
            break;
        code = is_meant(b, j, s, now, &meant, detail);
        if (code == E_ARGUMENT)
            return fail(b, place, now, detail);
        if (code == STORE_PENDING || code == E_MEMORY) {
            code = 0; /* it is looked at again */
            break;
        }
        if (DEFECT(BULK_LEAVES_ONE) && s->id.serial % 8 == 5)
            meant = false;
        uint64_t serial = s->id.serial;
        if (code == 0 && meant) {
            code = act(b, j, s, now, detail);
            acted++;
            j->next_at = instant_after(j->next_at, interval(b, j));
        }
        j->m.after = serial;
        j->m.examined++;
    }
    bool tell = j->m.acted + j->m.refused != had_acted ||
                (j->m.after != j->told_after && !instant_before(now, instant_after(j->told_at, TELL_EVERY)));
    if (DEFECT(BULK_ROW_BEHIND) && tell)
        tell = j->m.acted % 2 == 0;
    return code == 0 && tell && write_row(b, place, now) != 0 ? E_MEMORY : code;
}

/* New work waits while the journal has no room; so do jobs. */
static bool may_run(const struct bulks *b)
{
    return b->running > 0 && core_stalled(b->core) == 0 && !core_resuming(b->core) && !b->core->holding &&
           !core_is_tight(b->core) && !core_batch_full(b->core);
}

int bulks_run(struct bulks *b, struct instant now, struct error_detail *detail)
{
    int code = 0;
    for (unsigned i = 0; code == 0 && i < BULK_JOBS_MAX && may_run(b); i++)
        if (b->jobs[i] != NULL && b->jobs[i]->m.state == STATE(RUNNING))
            code = run_job(b, i, now, detail);
    return code;
}

struct instant bulks_expiry(const struct bulks *b)
{
    struct instant next = INSTANT_NEVER;
    for (unsigned i = 0; i < BULK_JOBS_MAX && may_run(b); i++)
        if (b->jobs[i] != NULL && b->jobs[i]->m.state == STATE(RUNNING))
            next = instant_min(next, b->jobs[i]->next_at);
    return next;
}
