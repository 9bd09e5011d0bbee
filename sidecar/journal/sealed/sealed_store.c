/* sealed_store.c - commits are sealed on their way into the inner store, and frames opened on their way out. */
#include "sidecar/journal/sealed/sealed_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/journal/codec.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sealed_check(const struct sealed_store *s)
{
    CHECK(s->way_first < STORE_COMMITS_MAX && s->way_count <= STORE_COMMITS_MAX);
    CHECK((s->first_frame == 0) == (s->last_frame == 0) && s->first_frame <= s->last_frame);
    CHECK(s->has_current == (s->encryption.count > 0)); /* with a key nothing goes out as it is */
    CHECK(s->has_current ? s->current.cipher != NULL : !s->current_kept && s->counter == 0);
    CHECK((s->macs[0] != NULL) == (s->chain.count > 0));
    CHECK(s->macs[0] != NULL || (!s->frame_chained && !s->audit_chained));
    CHECK(s->old_keys <= s->data_key_count && s->data_key_count <= DATA_KEYS_MAX);
}

/* ---- opening what was kept ---- */

static bool reserve(uint8_t **at, size_t *room, size_t size)
{
    if (size <= *room)
        return true;
    uint8_t *more = realloc(*at, size);
    if (more == NULL)
        return false;
    *at = more;
    *room = size;
    return true;
}

static int corrupt(char kind, uint64_t number, const char *found, struct error_detail *detail)
{
    char text[200];
    snprintf(text, sizeof text, "%s %llu %s; keep these files as they are and restore the data directory from a backup",
             kind == KIND_FRAME    ? "frame"
             : kind == KIND_ANSWER ? "last good answer"
                                   : "row of the audit trail",
             (unsigned long long)number, found);
    return error_set(detail, E_JOURNAL_CORRUPT, "", text);
}

int sealed_open(struct sealed_store *s, char kind, uint64_t number, struct bytes kept, struct bytes *plain,
                struct error_detail *detail)
{
    struct envelope e;
    uint8_t bound[ENVELOPE_BOUND_SIZE];
    *plain = kept;
    if (!envelope_is(kept))
        return 0;
    if (!envelope_read(kept, &e))
        return corrupt(kind, number, "is damaged", detail);
    *plain = e.content;
    if (!e.sealed)
        return 0;
    struct data_key *key = data_keys_find(s, e.slot);
    if (key == NULL)
        return corrupt(kind, number, "is encrypted with a key that the journal does not hold", detail);
    if (key->cipher == NULL || !reserve(&s->plain, &s->plain_room, e.content.size))
        return error_set(detail, E_MEMORY, "", NULL);
    if (!seal_decrypt(key->cipher, e.counter, envelope_bound(&e, kind, number, bound), e.content, e.tag, s->plain))
        return corrupt(kind, number, "is not what was encrypted there: it was changed, or moved", detail);
    *plain = bytes_of(s->plain, e.content.size);
    return 0;
}

int sealed_store_read(struct store *store, uint64_t number, struct bytes frame, struct bytes *plain,
                      struct error_detail *detail)
{
    return sealed_open(sealed_of(store), KIND_FRAME, number, frame, plain, detail);
}

struct opening {
    struct sealed_store *s;
    int (*take)(void *self, uint64_t frame, struct bytes records);
    int (*take_audit)(void *self, const struct audit_row *row);
    int (*take_subject)(void *self, const struct subject_row *row);
    void *self;
    struct error_detail *detail;
};

static int open_frame(void *self, uint64_t frame, struct bytes kept)
{
    struct opening *o = self;
    struct bytes records;
    int code = sealed_open(o->s, KIND_FRAME, frame, kept, &records, o->detail);
    return code != 0 ? code : o->take(o->self, frame, records);
}

static int scan(struct store *face, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(face);
    struct opening o = {.s = s, .take = take, .self = self, .detail = detail};
    return s->inner->scan(s->inner, from, open_frame, &o, detail);
}

static uint64_t first_frame(struct store *face)
{
    struct sealed_store *s = sealed_of(face);
    return s->inner->first_frame(s->inner);
}

static int read_frame(struct store *face, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(face);
    struct bytes kept;
    int code = s->inner->read_frame(s->inner, frame, &kept, detail);
    return code != 0 ? code : sealed_open(s, KIND_FRAME, frame, kept, records, detail);
}

static int open_audit(void *self, const struct audit_row *kept)
{
    struct opening *o = self;
    struct audit_row row = *kept;
    int code = sealed_open(o->s, KIND_AUDIT, kept->seq, kept->body, &row.body, o->detail);
    return code != 0 ? code : o->take_audit(o->self, &row);
}

static int scan_audit(struct store *face, uint64_t from, uint32_t rows_max,
                      int (*take)(void *self, const struct audit_row *row), void *self, struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(face);
    struct opening o = {.s = s, .take_audit = take, .self = self, .detail = detail};
    return s->inner->scan_audit(s->inner, from, rows_max, open_audit, &o, detail);
}

/* ---- sealing ---- */

/* The state of a chain as the next link finds it. */
struct link {
    bool *chained;
    uint8_t *mac;
};

/* Writes a content's envelope at `at`, with room for it. Returns its size, or 0 when no memory is left. */
static size_t seal(struct sealed_store *s, char kind, uint64_t number, struct instant when, struct bytes content,
                   bool encrypt, struct link last, uint8_t *at)
{
    uint8_t bound[ENVELOPE_BOUND_SIZE], head[ENVELOPE_BOUND_SIZE + SEAL_MAC_SIZE];
    struct envelope e = {.at = when, .content = content, .sealed = encrypt, .chained = s->macs[0] != NULL};
    CHECK(number > 0);
    if (e.sealed) {
        CHECK(s->has_current && s->counter < UINT64_MAX);
        e.slot = s->current.slot;
        e.counter = DEFECT(COUNTER_REPEATS) ? 1 : ++s->counter;
    }
    if (e.chained) {
        if (*last.chained && !DEFECT(CHAIN_BROKEN_OFF))
            memcpy(e.previous, last.mac, SEAL_MAC_SIZE);
        struct envelope bare = e;
        bare.sealed = false; /* the chain is of what is said, however it is encrypted */
        envelope_bound(&bare, kind, number, head);
        memcpy(head + ENVELOPE_BOUND_SIZE, e.previous, SEAL_MAC_SIZE);
        if (!seal_mac(s->macs[0], bytes_of(head, sizeof head), content, e.mac))
            return 0;
        memcpy(last.mac, e.mac, SEAL_MAC_SIZE);
    }
    *last.chained = e.chained;
    uint8_t *to = envelope_begin(&e, at);
    if (!e.sealed)
        memcpy(to, content.at, content.size);
    else if (!seal_encrypt(s->current.cipher, e.counter, envelope_bound(&e, kind, number, bound), content, to, e.tag))
        return 0;
    return envelope_end(&e, at);
}

static struct way *way_at(struct sealed_store *s, unsigned index)
{
    return &s->ways[(s->way_first + index) % STORE_COMMITS_MAX];
}

/* What the chains are once all that is on the way is durable. */
struct ends {
    bool frame_chained, audit_chained;
    uint8_t frame_mac[SEAL_MAC_SIZE], audit_mac[SEAL_MAC_SIZE];
};

static struct ends ends_of(struct sealed_store *s)
{
    struct ends ends = {.frame_chained = s->frame_chained, .audit_chained = s->audit_chained};
    memcpy(ends.frame_mac, s->frame_mac, SEAL_MAC_SIZE);
    memcpy(ends.audit_mac, s->audit_mac, SEAL_MAC_SIZE);
    for (unsigned i = 0; i < s->way_count && !DEFECT(CHAIN_FORGETS_THE_WAY); i++) {
        const struct way *w = way_at(s, i);
        if (w->last_frame != 0) {
            ends.frame_chained = s->macs[0] != NULL;
            memcpy(ends.frame_mac, w->frame_mac, SEAL_MAC_SIZE);
        }
        if (w->last_audit != 0) {
            ends.audit_chained = s->macs[0] != NULL;
            memcpy(ends.audit_mac, w->audit_mac, SEAL_MAC_SIZE);
        }
    }
    return ends;
}

static bool reserve_way(struct way *w, const struct store_commit *c)
{
    size_t size = c->records.size + c->audit.body.size + (c->cut_count + 2) * ENVELOPE_SIZE_MAX;
    for (size_t i = 0; i < c->subject_count; i++)
        size += c->subjects[i].kind == SUBJECT_ANSWER ? c->subjects[i].value.size + ENVELOPE_SIZE_MAX : 0;
    if (!reserve(&w->bytes, &w->room, size))
        return false;
    if (c->cut_count > w->cut_room) {
        size_t *cuts = realloc(w->cuts, c->cut_count * sizeof *cuts);
        if (cuts == NULL)
            return false;
        w->cuts = cuts;
        w->cut_room = c->cut_count;
    }
    size_t subjects = c->subject_count + TAKEN_OVER_MAX + 1;
    if (subjects > w->subject_room) {
        struct subject_row *rows = realloc(w->subjects, subjects * sizeof *rows);
        if (rows == NULL)
            return false;
        w->subjects = rows;
        w->subject_room = subjects;
    }
    return true;
}

static bool seal_frames(struct sealed_store *s, const struct store_commit *c, struct way *w, struct ends *ends,
                        struct store_commit *out)
{
    size_t to = 0;
    if (c->frame == 0)
        return true;
    for (size_t i = 0; i <= c->cut_count; i++) {
        struct bytes records = store_commit_frame(c, i);
        const struct link last = {.chained = &ends->frame_chained, .mac = ends->frame_mac};
        size_t size =
            seal(s, KIND_FRAME, c->frame + i, codec_time(records), records, s->has_current, last, w->bytes + to);
        if (size == 0)
            return false;
        to += size;
        if (i < c->cut_count)
            w->cuts[i] = to;
    }
    CHECK(to <= w->room); /* as was reserved for all of them */
    memcpy(w->frame_mac, ends->frame_mac, SEAL_MAC_SIZE);
    w->last_frame = c->frame + c->cut_count;
    out->records = bytes_of(w->bytes, to);
    out->cuts = w->cuts;
    return true;
}

static bool seal_audit(struct sealed_store *s, const struct store_commit *c, struct way *w, struct ends *ends,
                       struct store_commit *out)
{
    if (c->audit.seq == 0)
        return true;
    const struct link last = {.chained = &ends->audit_chained, .mac = ends->audit_mac};
    uint8_t *at = w->bytes + out->records.size;
    size_t size = seal(s, KIND_AUDIT, c->audit.seq, c->audit.at, c->audit.body, false, last, at);
    CHECK(out->records.size + size <= w->room);
    memcpy(w->audit_mac, ends->audit_mac, SEAL_MAC_SIZE);
    w->last_audit = c->audit.seq;
    out->audit.body = bytes_of(at, size);
    return size > 0;
}

/* Whether an earlier commit has the data key in use with it; one without frames has not. */
static bool key_on_the_way(struct sealed_store *s)
{
    bool key = false;
    for (unsigned i = 0; i < s->way_count; i++)
        key |= way_at(s, i)->has_key;
    return key;
}

/* The number of an answer's row, from 1, which it is bound to; 0: it is none. */
static uint64_t answer_number(const struct subject_row *row)
{
    uint64_t number = 0;
    for (size_t i = 0; i < row->name.size && i < 18; i++)
        number = number * 10 + (uint64_t)(row->name.at[i] - '0') % 10;
    return row->kind == SUBJECT_ANSWER && row->value.size > 0 ? number + 1 : 0;
}

/* Answers are payloads as those of the frames are. They are in no chain. */
static bool seal_answers(struct sealed_store *s, const struct store_commit *c, struct way *w, size_t from)
{
    uint8_t bound[ENVELOPE_BOUND_SIZE];
    for (size_t i = 0; i < c->subject_count; i++) {
        struct subject_row *row = &w->subjects[i];
        uint64_t number = answer_number(row);
        if (number == 0 || !s->has_current)
            continue;
        CHECK(c->frame != 0 || s->current_kept || key_on_the_way(s)); /* it comes with the record of its step */
        struct envelope e = {.content = row->value, .sealed = true, .slot = s->current.slot, .counter = ++s->counter};
        uint8_t *at = w->bytes + from, *to = envelope_begin(&e, at);
        if (!seal_encrypt(s->current.cipher, e.counter, envelope_bound(&e, KIND_ANSWER, number, bound), row->value, to,
                          e.tag))
            return false;
        row->version = VERSION_SEALED;
        row->value = bytes_of(at, envelope_end(&e, at));
        from += row->value.size;
        CHECK(from <= w->room);
    }
    return true;
}

/* The data key in use comes with the first frames that it encrypts; others are taken over to the configured key in use. */
static bool add_keys(struct sealed_store *s, const struct store_commit *c, struct way *w, struct store_commit *out)
{
    unsigned rows = 0;
    for (size_t i = 0; i < c->subject_count; i++)
        w->subjects[i] = c->subjects[i];
    if (s->has_current && !s->current_kept && c->frame != 0 && !DEFECT(DATA_KEY_FORGOTTEN)) {
        if (!key_on_the_way(s))
            s->current.first_frame = c->frame;
        if (!data_keys_row(s, &s->current, w, rows, &w->subjects[c->subject_count + rows]))
            return false;
        w->has_key = true;
        rows++;
    }
    for (uint32_t i = 0; i < s->data_key_count && w->taken_count < TAKEN_OVER_MAX && s->old_keys > 0; i++) {
        if (!s->data_keys[i].old)
            continue;
        if (!data_keys_row(s, &s->data_keys[i], w, rows, &w->subjects[c->subject_count + rows]))
            return false;
        w->taken[w->taken_count++] = i;
        rows++;
    }
    CHECK(rows <= TAKEN_OVER_MAX + 1 && c->subject_count + rows <= w->subject_room);
    out->subjects = w->subjects;
    out->subject_count = c->subject_count + rows;
    return true;
}

/* ---- fates ---- */

static void landed(struct sealed_store *s, const struct way *w)
{
    if (w->last_frame != 0) {
        CHECK(w->last_frame > s->last_frame); /* fates are told in order, each once */
        s->last_frame = w->last_frame;
        s->frame_chained = s->macs[0] != NULL;
        memcpy(s->frame_mac, w->frame_mac, SEAL_MAC_SIZE);
        if (s->first_frame == 0)
            s->first_frame = 1;
    }
    if (w->last_audit != 0) {
        CHECK(w->last_audit > s->last_audit);
        s->last_audit = w->last_audit;
        s->audit_chained = s->macs[0] != NULL;
        memcpy(s->audit_mac, w->audit_mac, SEAL_MAC_SIZE);
    }
    s->current_kept |= w->has_key;
    for (unsigned i = 0; i < w->taken_count; i++) {
        struct data_key *k = &s->data_keys[w->taken[i]];
        CHECK(w->taken[i] < s->data_key_count && s->old_keys >= k->old);
        s->old_keys -= k->old;
        k->old = false;
        snprintf(k->under, sizeof k->under, "%s", s->encryption.keys[0].name);
    }
}

static int commit(struct store *face, const struct store_commit *c, struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(face);
    sealed_check(s);
    CHECK(s->way_count < STORE_COMMITS_MAX);
    CHECK((c->frame == 0) == (c->records.size == 0));
    struct way *w = way_at(s, s->way_count);
    struct store_commit out = *c;
    struct ends ends = ends_of(s);
    w->last_frame = w->last_audit = 0;
    w->taken_count = 0;
    w->has_key = false;
    if (s->has_current || s->macs[0] != NULL) {
        out.records.size = 0;
        if (!reserve_way(w, c) || !seal_frames(s, c, w, &ends, &out) || !seal_audit(s, c, w, &ends, &out) ||
            !add_keys(s, c, w, &out) || !seal_answers(s, c, w, out.records.size + out.audit.body.size))
            return error_set(detail, E_MEMORY, "", NULL);
    } else {
        w->last_frame = c->frame == 0 ? 0 : c->frame + c->cut_count;
        w->last_audit = c->audit.seq;
    }
    int code = s->inner->commit(s->inner, &out, detail);
    if (code == 0)
        landed(s, w);
    else if (code == STORE_PENDING || code == STORE_AMBIGUOUS)
        s->way_count++;
    return code;
}

static int settle(struct store *face, struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(face);
    CHECK(s->way_count > 0); /* who asks has something on the way */
    int code = s->inner->settle(s->inner, detail);
    if (code < 0) {
        s->way_count = 0; /* none of them was kept, or it does not matter any more */
    } else if (code == 0) {
        landed(s, way_at(s, 0));
        s->way_first = (s->way_first + 1) % STORE_COMMITS_MAX;
        s->way_count--;
    }
    return code;
}

/* Whether keys are to be taken over, and no commit that may do so is on the way. */
static bool is_behind(struct store *face)
{
    const struct sealed_store *s = sealed_of(face);
    return s->old_keys > 0 && s->way_count == 0;
}

/* ---- what passes through ---- */

static bool is_tight(struct store *face)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->is_tight(inner);
}

static uint64_t reusable(struct store *face)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->reusable(inner);
}

static int holds(struct store *face, struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->holds(inner, detail);
}

static void tell(struct store *face, void (*wake)(void *self), void *self)
{
    struct store *inner = sealed_of(face)->inner;
    inner->tell(inner, wake, self);
}

static struct span synced(struct store *face)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->synced(inner);
}

static int check(struct store *face, struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->check(inner, detail);
}

static int find_ended(struct store *face, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->find_ended(inner, serial, row, detail);
}

static int find_request(struct store *face, struct bytes request_id, struct bytes owner, struct ended_row *row,
                        struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->find_request(inner, request_id, owner, row, detail);
}

static int list_ended(struct store *face, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->list_ended(inner, query, take, self, examined_to, detail);
}

static int open_subject(void *self, const struct subject_row *kept)
{
    struct opening *o = self;
    struct subject_row row = *kept;
    uint64_t number = answer_number(kept);
    if (number == 0 || kept->version != VERSION_SEALED)
        return o->take_subject(o->self, kept);
    int code = sealed_open(o->s, KIND_ANSWER, number, kept->value, &row.value, o->detail);
    row.version = 1;
    return code != 0 ? code : o->take_subject(o->self, &row);
}

static int scan_subjects(struct store *face, uint32_t kind, int (*take)(void *self, const struct subject_row *row),
                         void *self, struct error_detail *detail)
{
    struct sealed_store *s = sealed_of(face);
    struct opening o = {.s = s, .take_subject = take, .self = self, .detail = detail};
    return s->inner->scan_subjects(s->inner, kind, open_subject, &o, detail);
}

static int scan_definitions(struct store *face, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->scan_definitions(inner, take, self, detail);
}

static int drop(struct store *face, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->drop(inner, before, keep_from, work_max, more, detail);
}

static int drop_claims(struct store *face, struct span unseen, bool (*lives)(void *self, struct bytes request_id),
                       void *self, uint32_t work_max, bool *more, struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->drop_claims(inner, unseen, lives, self, work_max, more, detail);
}

static int drop_audit(struct store *face, struct instant before, uint32_t work_max, bool *more,
                      struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->drop_audit(inner, before, work_max, more, detail);
}

static int verify(struct store *face, uint32_t rows_max, bool *more, struct error_detail *detail)
{
    struct store *inner = sealed_of(face)->inner;
    return inner->verify(inner, rows_max, more, detail);
}

/* ---- open and close ---- */

static int take_frame_end(void *self, uint64_t frame, struct bytes kept)
{
    struct sealed_store *s = self;
    struct envelope e;
    s->frame_chained = envelope_is(kept) && envelope_read(kept, &e) && e.chained;
    if (s->frame_chained)
        memcpy(s->frame_mac, e.mac, SEAL_MAC_SIZE);
    s->last_frame = frame;
    return 0;
}

static int take_audit_end(void *self, const struct audit_row *row)
{
    struct sealed_store *s = self;
    struct envelope e;
    s->audit_chained = envelope_is(row->body) && envelope_read(row->body, &e) && e.chained;
    if (s->audit_chained)
        memcpy(s->audit_mac, e.mac, SEAL_MAC_SIZE);
    return 0;
}

static int open_chains(struct sealed_store *s, const struct store_state *state, struct error_detail *detail)
{
    s->first_frame = state->first_frame;
    s->last_audit = state->audit_last;
    for (size_t i = 0; i < s->chain.count; i++)
        if ((s->macs[i] = seal_mac_create(s->chain.keys[i].bytes)) == NULL)
            return error_set(detail, E_MEMORY, "", NULL);
    int code = 0;
    s->last_frame = state->last_frame;
    if (s->macs[0] == NULL)
        return 0;
    if (state->last_frame != 0)
        code = s->inner->scan(s->inner, state->last_frame, take_frame_end, s, detail);
    if (code == 0 && state->audit_last != 0)
        code = s->inner->scan_audit(s->inner, state->audit_last, 1, take_audit_end, s, detail);
    return code == E_JOURNAL_CORRUPT ? 0
                                     : code; /* whoever needs that frame is told so; the chain begins anew behind it */
}

static void finish(struct sealed_store *s)
{
    for (unsigned i = 0; i < STORE_COMMITS_MAX; i++) {
        free(s->ways[i].bytes);
        free(s->ways[i].cuts);
        free(s->ways[i].subjects);
    }
    for (size_t i = 0; i < SEAL_KEYS_MAX; i++)
        seal_mac_destroy(s->macs[i]);
    if (s->plain != NULL)
        OPENSSL_cleanse(s->plain, s->plain_room);
    free(s->plain);
    data_keys_close(s);
    seal_forget_keys(&s->encryption);
    seal_forget_keys(&s->chain);
    free(s);
}

static void close_store(struct store *face)
{
    if (face == NULL)
        return;
    struct sealed_store *s = sealed_of(face);
    s->inner->close(s->inner);
    finish(s);
}

int sealed_store_open(const struct sealed_options *options, struct store *inner, const struct store_state *state,
                      struct store **out, struct error_detail *detail)
{
    struct sealed_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    s->inner = inner;
    s->random = options->random;
    s->self = options->self;
    if (options->encryption != NULL)
        s->encryption = *options->encryption;
    if (options->chain != NULL)
        s->chain = *options->chain;
    s->face = (struct store){
        .commit = commit,
        .settle = inner->settle == NULL ? NULL : settle,
        .holds = inner->holds == NULL ? NULL : holds,
        .tell = inner->tell == NULL ? NULL : tell,
        .is_tight = inner->is_tight == NULL ? NULL : is_tight,
        .reusable = inner->reusable == NULL ? NULL : reusable,
        .is_behind = is_behind,
        .check = inner->check == NULL ? NULL : check,
        .synced = inner->synced == NULL ? NULL : synced,
        .first_frame = first_frame,
        .scan = scan,
        .read_frame = read_frame,
        .find_ended = find_ended,
        .find_request = find_request,
        .list_ended = list_ended,
        .scan_subjects = scan_subjects,
        .scan_definitions = scan_definitions,
        .drop = drop,
        .drop_claims = inner->drop_claims == NULL ? NULL : drop_claims,
        .scan_audit = scan_audit,
        .drop_audit = drop_audit,
        .verify = inner->verify == NULL ? NULL : verify,
        .close = close_store,
    };
    int code = data_keys_open(s, state, detail);
    if (code == 0)
        code = open_chains(s, state, detail);
    if (code != 0) {
        finish(s);
        return code;
    }
    sealed_check(s);
    *out = &s->face;
    return 0;
}

uint32_t sealed_store_old_keys(const struct store *store)
{
    return sealed_of(store)->old_keys;
}
