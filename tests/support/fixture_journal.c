/* fixture_journal.c - what the fixtures of the journal's earlier versions hold, written and checked. */
#include "tests/support/fixture_journal.h"

#include "sidecar/journal/codec.h"
#include "tests/support/sample_records.h"

#define FRAME_ROOM           8192
#define SCHEMA_WITH_SUBJECTS 3
#define SCHEMA_WITH_SKIPS    5
#define SCHEMA_NEWEST        7
#define SCHEMA_WITH_LACKS    7
#define SCHEMA_WITH_AUDIT    6 /* and owners */
#define SOURCE               "name: checkout\nversion: 1.0.0\n"

static struct ended_row ended(uint64_t serial, int schema)
{
    return (struct ended_row){
        .saga = {.tag = 0x9f03c1d2a4b7, .serial = serial},
        .state = serial == 1 ? SAGA_COMMITTED : SAGA_COMPENSATED,
        .mode = serial == 1 ? SAGA_ORCHESTRATED : SAGA_ENLISTED,
        .reason = serial == 1 ? REASON_NONE : REASON_ABORTED,
        .skips = serial == 1 && schema >= SCHEMA_WITH_SKIPS ? 2 : 0,
        .lacks = serial == 1 && schema >= SCHEMA_WITH_LACKS ? LACK_STALE : 0,
        .definition = serial == 1 ? 1 : 0,
        .name = bytes_of_text(serial == 1 ? "checkout" : "transfer"),
        .request_id = bytes_of_text(serial == 1 ? "order-1001" : ""),
        .owner = bytes_of_text(serial == 1 && schema >= SCHEMA_WITH_AUDIT ? "uid:1000" : ""),
        .fingerprint = serial == 1 ? UINT64_C(0xfedcba9876543210) : 0,
        .started_at.us = 1750000000000000 + (int64_t)serial,
        .ended_at.us = 1750000001000000 + (int64_t)serial,
        .first_frame = 1,
        .last_frame = serial,
    };
}

/* The first frame holds one record of every kind, the second a single one. */
static struct bytes frame_of(uint64_t number, uint8_t at[FRAME_ROOM])
{
    size_t count;
    const struct record *samples = sample_records(&count);
    size_t size = 0;
    for (size_t i = 0; i < (number == 1 ? count : 1); i++)
        size += codec_encode(&samples[i], number - 1, at + size);
    return bytes_of(at, size);
}

static struct subject_row tag_row(void)
{
    return (struct subject_row){
        .kind = SUBJECT_TAG, .name = bytes_of_text("9f03c1d2a4b7"), .version = 1, .value = bytes_of_text("some")};
}

static struct audit_row audit_row(void)
{
    return (struct audit_row){.seq = 1, .at.us = 1750000001000000, .body = bytes_of_text("somebody did something")};
}

int fixture_journal_write(struct store *store)
{
    struct error_detail detail;
    uint8_t at[FRAME_ROOM];
    struct ended_row rows[] = {ended(1, SCHEMA_NEWEST), ended(2, SCHEMA_NEWEST)};
    struct definition_row definition = {
        .number = 1, .registered_at.us = 1750000000000000, .source = bytes_of_text(SOURCE)};
    struct store_commit first = {
        .frame = 1, .records = frame_of(1, at), .definitions = &definition, .definition_count = 1};
    struct subject_row tag = tag_row();
    int rc = store->commit(store, &first, &detail);
    struct store_commit second = {.frame = 2,
                                  .records = frame_of(2, at),
                                  .ended = rows,
                                  .ended_count = 2,
                                  .subjects = &tag,
                                  .subject_count = 1,
                                  .audit = audit_row(),
                                  .oldest_live_frame = 2};
    return rc == 0 ? store->commit(store, &second, &detail) : rc;
}

static int check_frame(void *self, uint64_t frame, struct bytes records)
{
    uint8_t at[FRAME_ROOM];
    ++*(uint64_t *)self;
    struct bytes now = frame_of(frame, at);
    /* Samples that came later are not in an earlier fixture. */
    return records.size <= now.size && bytes_equal(records, bytes_of(at, records.size)) ? 0 : E_JOURNAL_CORRUPT;
}

static int check_definition(void *self, const struct definition_row *row)
{
    ++*(uint64_t *)self;
    return row->number == 1 && bytes_equal(row->source, bytes_of_text(SOURCE)) ? 0 : E_JOURNAL_CORRUPT;
}

static int check_subject(void *self, const struct subject_row *row)
{
    struct subject_row want = tag_row();
    ++*(uint64_t *)self;
    bool same = row->kind == want.kind && row->version == want.version && bytes_equal(row->name, want.name) &&
                bytes_equal(row->value, want.value);
    return same ? 0 : E_JOURNAL_CORRUPT;
}

static int check_audit(void *self, const struct audit_row *row)
{
    struct audit_row want = audit_row();
    ++*(uint64_t *)self;
    bool same = row->seq == want.seq && row->at.us == want.at.us && bytes_equal(row->body, want.body);
    return same ? 0 : E_JOURNAL_CORRUPT;
}

static bool rows_equal(const struct ended_row *a, const struct ended_row *b)
{
    return bytes_equal(a->owner, b->owner) && saga_id_equal(a->saga, b->saga) && a->state == b->state &&
           a->mode == b->mode && a->reason == b->reason && a->skips == b->skips && a->lacks == b->lacks &&
           a->definition == b->definition && bytes_equal(a->name, b->name) &&
           bytes_equal(a->request_id, b->request_id) && a->fingerprint == b->fingerprint &&
           a->started_at.us == b->started_at.us && a->ended_at.us == b->ended_at.us &&
           a->first_frame == b->first_frame && a->last_frame == b->last_frame;
}

const char *fixture_journal_check(struct store *store, const struct store_state *state, int schema)
{
    struct error_detail detail;
    uint64_t frames = 0;
    uint64_t definitions = 0;
    uint64_t rows = 0;
    bool has_audit = schema >= SCHEMA_WITH_AUDIT;
    struct store_state expected = {
        .first_frame = 1, .last_frame = 2, .oldest_live_frame = 2, .serial_max = 2, .audit_last = has_audit};
    if (memcmp(state, &expected, sizeof expected) != 0)
        return "the state";
    if (store->scan(store, 1, check_frame, &frames, &detail) != 0 || frames != 2)
        return "the frames";
    if (store->scan_definitions(store, check_definition, &definitions, &detail) != 0 || definitions != 1)
        return "the definitions";
    uint64_t subjects = 0;
    if (store->scan_subjects(store, SUBJECT_TAG, check_subject, &subjects, &detail) != 0 ||
        subjects != (schema >= SCHEMA_WITH_SUBJECTS))
        return "the subjects";
    if (store->scan_audit(store, 1, 10, check_audit, &rows, &detail) != 0 || rows != has_audit)
        return "the audit trail";
    for (uint64_t serial = 1; serial <= 2; serial++) {
        struct ended_row want = ended(serial, schema);
        struct ended_row row;
        if (store->find_ended(store, serial, &row, &detail) != 0 || !rows_equal(&row, &want))
            return "the ended sagas";
        if (want.request_id.size > 0 &&
            (store->find_request(store, want.request_id, bytes_of(NULL, 0), &row, &detail) != 0 ||
             !rows_equal(&row, &want)))
            return "the request_ids";
    }
    return NULL;
}
