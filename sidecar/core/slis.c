/* slis.c - counts and their history. */
#include "sidecar/core/slis.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/core/core.h"
#include "sidecar/engine/saga.h"

#include <stdio.h>
#include <string.h>

#define FORM_OF_VALUE 1
/* Of the history: the finest of it, and how often it is written. */
#define SNAPSHOT_EVERY SPAN_S(60)
#define WRITE_EVERY    SPAN_S(300)
#define HISTORY_MAX    512
/* Sagas that are looked at for the oldest of each definition. */
#define FRESH_LOOK_MAX 2000

const char *const sli_names[SLI_COUNT] = {"success", "latency", "freshness"};

struct snapshot {
    struct instant at;
    struct sli_count counts[SLI_COUNT];
};

#define COUNTS_BYTES   (SLI_COUNT * 2 * 8)
#define SNAPSHOT_BYTES (8 + COUNTS_BYTES)

/* What has been counted of a definition, or of its heartbeats. */
struct kept {
    struct objective objective;                          /* all 0 while nothing is promised */
    char row[NAME_BYTES_MAX + 2];                        /* its rows' name */
    struct sli_count counts[SLI_COUNT], told[SLI_COUNT]; /* told: by slis_take_new */
    size_t history_count;
    bool dirty;                           /* it has counted what no row tells yet */
    bool stale;                           /* within a look */
    struct snapshot history[HISTORY_MAX]; /* rising */
};

struct slis {
    struct memory memory;
    struct kept **kept; /* first those of which something is promised */
    size_t count, known, room;
    struct instant look_at, snapshot_at, write_at; /* when they are due */
    struct error_detail *detail;                   /* while rows are read */
};

static void row_name(const char *definition, bool synthetic, char row[NAME_BYTES_MAX + 2])
{
    snprintf(row, NAME_BYTES_MAX + 2, "%s%s", synthetic ? "~" : "", definition);
}

static struct kept *make(struct slis *s, struct bytes row)
{
    struct kept *k = row.size >= sizeof k->row ? NULL : s->memory.take_zeroed(s->memory.self, sizeof *k);
    if (k != NULL)
        memcpy(k->row, row.at, row.size);
    return k;
}

static void forget(struct slis *s, struct kept *k)
{
    s->memory.give_back(s->memory.self, k, sizeof *k);
}

static struct kept *find_row(struct slis *s, struct bytes name)
{
    for (size_t i = 0; i < s->known; i++)
        if (bytes_equal(bytes_of_text(s->kept[i]->row), name))
            return s->kept[i];
    return NULL;
}

int slis_create(const struct objective *objectives, size_t count, const struct memory *memory, struct slis **out)
{
    struct slis *s = memory->take_zeroed(memory->self, sizeof *s);
    if (s == NULL)
        return E_MEMORY;
    s->memory = *memory;
    if (slis_promise(s, objectives, count) != 0) {
        slis_destroy(s);
        return E_MEMORY;
    }
    *out = s;
    return 0;
}

void slis_destroy(struct slis *s)
{
    if (s == NULL)
        return;
    struct memory memory = s->memory;
    for (size_t i = 0; i < s->known; i++)
        forget(s, s->kept[i]);
    if (s->kept != NULL)
        memory.give_back(memory.self, s->kept, s->room * sizeof(struct kept *));
    memory.give_back(memory.self, s, sizeof *s);
}

static bool is_among(struct kept *const *all, size_t count, const struct kept *one)
{
    for (size_t i = 0; i < count; i++)
        if (all[i] == one)
            return true;
    return false;
}

static void put_in_force(struct slis *s, struct kept **fresh, size_t room, const struct objective *objectives,
                         size_t count)
{
    size_t known = count;
    for (size_t i = 0; i < s->known; i++) {
        struct kept *k = s->kept[i];
        if (is_among(fresh, count, k))
            continue;
        k->dirty |= i < s->count; /* its last looks, too */
        k->objective = (struct objective){.definition = NULL};
        fresh[known++] = k;
    }
    for (size_t i = 0; i < count; i++)
        fresh[i]->objective = objectives[i];
    if (s->kept != NULL)
        s->memory.give_back(s->memory.self, s->kept, s->room * sizeof(struct kept *));
    s->kept = fresh;
    s->room = room;
    s->count = count;
    s->known = known;
}

int slis_promise(struct slis *s, const struct objective *objectives, size_t count)
{
    CHECK(count <= OBJECTIVES_MAX);
    char row[NAME_BYTES_MAX + 2];
    size_t room = s->known + count + 1, made = 0;
    struct kept **fresh = s->memory.take_zeroed(s->memory.self, room * sizeof(struct kept *));
    struct kept *new[OBJECTIVES_MAX];
    for (size_t i = 0; fresh != NULL && i < count; i++) {
        row_name(objectives[i].definition, objectives[i].synthetic, row);
        fresh[i] = find_row(s, bytes_of_text(row));
        if (fresh[i] != NULL)
            continue;
        fresh[i] = make(s, bytes_of_text(row));
        if (fresh[i] == NULL)
            break;
        new[made++] = fresh[i];
    }
    if (fresh != NULL && (count == 0 || fresh[count - 1] != NULL)) {
        put_in_force(s, fresh, room, objectives, count);
        return 0;
    }
    while (made > 0)
        forget(s, new[--made]);
    if (fresh != NULL)
        s->memory.give_back(s->memory.self, fresh, room * sizeof(struct kept *));
    return E_MEMORY;
}

static struct kept *find(struct slis *s, struct bytes definition, bool synthetic)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->kept[i]->objective.synthetic == synthetic &&
            bytes_equal(bytes_of_text(s->kept[i]->objective.definition), definition))
            return s->kept[i];
    return NULL;
}

/* ---- rows ---- */

static uint8_t *put_number(uint8_t *at, uint64_t n)
{
    for (unsigned i = 0; i < 8; i++)
        *at++ = (uint8_t)(n >> (8 * i));
    return at;
}

static const uint8_t *take_number(const uint8_t *at, uint64_t *n)
{
    *n = 0;
    for (unsigned i = 0; i < 8; i++)
        *n |= (uint64_t)*at++ << (8 * i);
    return at;
}

static uint8_t *put_counts(uint8_t *at, const struct sli_count *counts)
{
    for (unsigned i = 0; i < SLI_COUNT; i++)
        at = put_number(put_number(at, counts[i].all), counts[i].bad);
    return at;
}

static const uint8_t *take_counts(const uint8_t *at, struct sli_count *counts)
{
    for (unsigned i = 0; i < SLI_COUNT; i++)
        at = take_number(take_number(at, &counts[i].all), &counts[i].bad);
    return at;
}

static int corrupt(const struct slis *s)
{
    return error_set(s->detail, E_JOURNAL_CORRUPT, "", "the counts of an objective in the table subjects are none");
}

/* Of what nothing is promised now, it may be again: then its counts go on. */
static int find_or_make(struct slis *s, struct bytes name, struct kept **out)
{
    *out = find_row(s, name);
    if (*out != NULL || s->known - s->count >= OBJECTIVES_IDLE_MAX)
        return 0;
    if (s->known == s->room) {
        size_t room = 2 * s->room;
        struct kept **wider = s->memory.take_zeroed(s->memory.self, room * sizeof(struct kept *));
        if (wider == NULL)
            return error_set(s->detail, E_MEMORY, "", NULL);
        memcpy(wider, s->kept, s->known * sizeof(struct kept *));
        s->memory.give_back(s->memory.self, s->kept, s->room * sizeof(struct kept *));
        s->kept = wider;
        s->room = room;
    }
    *out = make(s, name);
    if (*out == NULL)
        return name.size > NAME_BYTES_MAX + 1 ? corrupt(s) : error_set(s->detail, E_MEMORY, "", NULL);
    s->kept[s->known++] = *out;
    return 0;
}

static int take_row(void *self, const struct subject_row *row)
{
    struct slis *s = self;
    struct kept *k;
    int code = find_or_make(s, row->name, &k);
    if (code != 0)
        return code;
    if (row->version != FORM_OF_VALUE || row->value.size != COUNTS_BYTES)
        return corrupt(s);
    if (k != NULL)
        take_counts(row->value.at, k->counts);
    return 0;
}

static int take_history(void *self, const struct subject_row *row)
{
    struct slis *s = self;
    struct kept *k;
    int code = find_or_make(s, row->name, &k);
    if (code != 0)
        return code;
    const uint8_t *at = row->value.at;
    size_t count = row->value.size / SNAPSHOT_BYTES;
    if (row->version != FORM_OF_VALUE || row->value.size % SNAPSHOT_BYTES != 0 || count > HISTORY_MAX)
        return corrupt(s);
    for (size_t i = 0; k != NULL && i < count; i++) {
        uint64_t us;
        at = take_counts(take_number(at, &us), k->history[i].counts);
        k->history[i].at.us = (int64_t)us;
        k->history_count = i + 1;
    }
    return 0;
}

int slis_recover(struct slis *s, struct store *store, struct error_detail *detail)
{
    s->detail = detail;
    int code = store->scan_subjects(store, SUBJECT_SLI, take_row, s, detail);
    return code != 0 ? code : store->scan_subjects(store, SUBJECT_SLI_HISTORY, take_history, s, detail);
}

static struct subject_row row_of(const struct kept *k, uint32_t kind, struct bytes value)
{
    return (struct subject_row){.kind = kind, .name = bytes_of_text(k->row), .version = FORM_OF_VALUE, .value = value};
}

static int write_history(const struct slis *s, struct core *core, const struct kept *k)
{
    size_t size = k->history_count * SNAPSHOT_BYTES;
    uint8_t *value = s->memory.take(s->memory.self, size + 1), *at = value;
    if (value == NULL)
        return E_MEMORY;
    for (size_t i = 0; i < k->history_count; i++)
        at = put_counts(put_number(at, (uint64_t)k->history[i].at.us), k->history[i].counts);
    const struct subject_row row = row_of(k, SUBJECT_SLI_HISTORY, bytes_of(value, size));
    int code = core_set_subject(core, &row);
    s->memory.give_back(s->memory.self, value, size + 1);
    return code;
}

/* ---- ends ---- */

bool sli_is_bad(uint8_t saga_state, uint8_t reason)
{
    if (saga_state == SAGA_COMMITTED)
        return false;
    bool decided = reason == REASON_ACTION_REJECTED || reason == REASON_CANCELLED || reason == REASON_ABORTED ||
                   reason == REASON_UNEXPECTED_ANSWER;
    return saga_state != SAGA_COMPENSATED || !decided;
}

void slis_ended(struct slis *s, const struct saga *saga, const struct record *r)
{
    struct kept *k = find(s, saga->name, saga->synthetic && !DEFECT(SYNTHETIC_COUNTED));
    if (k == NULL)
        return;
    bool committed = r->saga_state == SAGA_COMMITTED;
    k->counts[SLI_SUCCESS].all++;
    k->counts[SLI_SUCCESS].bad += sli_is_bad(r->saga_state, saga->reason);
    k->counts[SLI_LATENCY].all += committed;
    k->counts[SLI_LATENCY].bad += committed && instant_since(r->at, saga->started_at).us > k->objective.latency.us;
    k->dirty = !(DEFECT(SLI_FORGOTTEN) && r->saga.serial % 4 == 1);
}

void slis_missed(struct slis *s, const char *definition)
{
    struct kept *k = s == NULL ? NULL : find(s, bytes_of_text(definition), true);
    if (k == NULL)
        return;
    k->counts[SLI_SUCCESS].all++;
    k->counts[SLI_SUCCESS].bad++;
    k->dirty = true;
}

int slis_close(struct slis *s, struct core *core)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < s->known; i++) {
        struct kept *k = s->kept[i];
        uint8_t value[COUNTS_BYTES];
        if (!k->dirty)
            continue;
        put_counts(value, k->counts);
        const struct subject_row row = row_of(k, SUBJECT_SLI, bytes_of(value, sizeof value));
        code = core_set_subject(core, &row);
        k->dirty = code != 0;
    }
    return code;
}

/* ---- history ---- */

/* How far apart snapshots of this age are. */
static struct span resolution(struct span age)
{
    static const struct {
        int64_t age_s, apart_s;
    } steps[] = {{12 * 60, 60}, {130 * 60, 300}, {25 * 3600, 1800}, {74 * 3600, 7200}};
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (age.us <= steps[i].age_s * 1000000)
            return SPAN_S(steps[i].apart_s);
    return SPAN_S(12 * 3600);
}

/* Of those that lie in one piece of time, each as long as its age allows, the first stays. What no window reaches any more goes. */
static void thin(struct kept *k, struct instant now)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->history_count; i++) {
        const struct snapshot *p = &k->history[i];
        struct span age = instant_since(now, p->at), apart = resolution(age);
        bool same = kept > 0 && k->history[kept - 1].at.us / apart.us == p->at.us / apart.us;
        if (!same && age.us <= SLI_WINDOW_MAX.us + SPAN_S(24 * 3600).us)
            k->history[kept++] = *p;
    }
    k->history_count = kept;
}

static void add_snapshot(struct kept *k, struct instant now)
{
    thin(k, now);
    CHECK(k->history_count < HISTORY_MAX);
    struct snapshot *p = &k->history[k->history_count++];
    p->at = now;
    memcpy(p->counts, k->counts, sizeof p->counts);
}

/* ---- freshness ---- */

/* Looks at the oldest sagas, until all that follow are younger than any promise. */
static void look_fresh(struct slis *s, const struct engine *e, struct instant now)
{
    struct span least = {.us = INT64_MAX};
    unsigned looked = 0;
    for (size_t i = 0; i < s->count; i++) {
        s->kept[i]->stale = false;
        if (s->kept[i]->objective.promised[SLI_FRESHNESS] > 0)
            least = span_min(least, s->kept[i]->objective.freshness);
    }
    const struct saga *saga = least.us == INT64_MAX ? NULL : engine_after(e, 0);
    for (; saga != NULL && looked < FRESH_LOOK_MAX; saga = engine_after(e, saga->id.serial), looked++) {
        struct span age = instant_since(now, saga->started_at);
        if (age.us < least.us)
            break;
        struct kept *k = saga_ended(saga) || saga->synthetic ? NULL : find(s, saga->name, false);
        if (k != NULL && age.us >= k->objective.freshness.us)
            k->stale = true;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct kept *k = s->kept[i];
        /* When there are too many old ones to look at, nothing is known of those that were not found. */
        if (k->objective.promised[SLI_FRESHNESS] == 0 || (looked == FRESH_LOOK_MAX && !k->stale))
            continue;
        k->counts[SLI_FRESHNESS].all++;
        k->counts[SLI_FRESHNESS].bad += k->stale;
    }
}

static bool is_due(struct instant *at, struct span every, struct instant now)
{
    if (instant_before(now, *at))
        return false;
    *at = instant_after(now, every);
    return true;
}

int slis_tick(struct slis *s, struct core *core, struct instant now)
{
    int code = 0;
    if (s == NULL || s->count == 0)
        return 0;
    if (is_due(&s->look_at, SLI_LOOK, now))
        look_fresh(s, core_engine(core), now);
    if (is_due(&s->snapshot_at, SNAPSHOT_EVERY, now))
        for (size_t i = 0; i < s->count; i++)
            add_snapshot(s->kept[i], now);
    if (!is_due(&s->write_at, WRITE_EVERY, now))
        return 0;
    for (size_t i = 0; code == 0 && i < s->count; i++) {
        s->kept[i]->dirty = true; /* the looks, too */
        code = write_history(s, core, s->kept[i]);
    }
    return code;
}

struct instant slis_expiry(const struct slis *s)
{
    return s == NULL || s->count == 0 ? INSTANT_NEVER
                                      : instant_min(s->look_at, instant_min(s->snapshot_at, s->write_at));
}

/* ---- to look at ---- */

const struct objective *slis_at(const struct slis *s, size_t index)
{
    return s != NULL && index < s->count ? &s->kept[index]->objective : NULL;
}

struct sli_count slis_count(const struct slis *s, size_t index, enum sli sli, struct span window, struct instant now)
{
    const struct kept *k = s->kept[index];
    struct sli_count count = k->counts[sli];
    if (window.us == 0 || k->history_count == 0)
        return count;
    const struct snapshot *from = &k->history[0];
    for (size_t i = 0; i < k->history_count && instant_since(now, k->history[i].at).us >= window.us; i++)
        from = &k->history[i];
    /* A window that reaches back before the first snapshot has everything. */
    if (instant_since(now, from->at).us < window.us)
        return count;
    count.all -= from->counts[sli].all;
    count.bad -= from->counts[sli].bad;
    return count;
}

struct sli_count slis_take_new(struct slis *s, size_t index, enum sli sli)
{
    struct kept *k = s->kept[index];
    struct sli_count now = k->counts[sli], *told = &k->told[sli];
    struct sli_count more = {.all = now.all - told->all, .bad = now.bad - told->bad};
    *told = now;
    return more;
}

double sli_burn(uint32_t promised, struct sli_count count)
{
    double may = (100000.0 - promised) / 100000.0;
    return count.all == 0 ? 0 : (double)count.bad / (double)count.all / may;
}
