/* codec_read.c - bytes as records. Every byte may come from a damaged disk. */
#include "sidecar/journal/codec.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec_inside.h"

#include <string.h>
#include <zlib.h>

/* Reads along one record. After the first fault every read gives zero and moves nothing, so that one look at the end is
 * enough. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    const char *fault; /* NULL while all is well */
};

static void reader_fail(struct reader *r, const char *fault)
{
    if (r->fault == NULL)
        r->fault = fault;
    r->at = r->end;
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get_u64(const uint8_t *at)
{
    return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static uint64_t get_tag(const uint8_t *at)
{
    _Static_assert(SAGA_ID_TAG_BITS == 48, "a tag has six bytes");
    return get_u32(at) | (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40;
}

/* Whether so many bytes are left; it is a fault when they are not. */
static bool has(struct reader *r, ptrdiff_t size)
{
    if (r->end - r->at >= size)
        return true;
    reader_fail(r, "the record ends within a field");
    return false;
}

/* A number that has all of its eight bytes, and is left out when it is zero. */
static uint64_t read_whole(struct reader *r)
{
    uint64_t value = 0;
    if (has(r, 8)) {
        value = get_u64(r->at);
        r->at += 8;
    }
    if (value == 0)
        reader_fail(r, "a field is there that holds nothing");
    return value;
}

static uint64_t read_long_varint(struct reader *r, uint64_t max)
{
    uint64_t value = 0;
    for (int i = 0; i < VARINT_SIZE_MAX && r->at < r->end; i++) {
        uint8_t byte = *r->at++;
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            break;
        value |= (uint64_t)(byte & 127) << 7 * i;
        if (byte > 127)
            continue;
        if (byte == 0 && i > 0) {
            reader_fail(r, "a number is longer than it needs to be");
            return 0;
        }
        if (value > max) {
            reader_fail(r, "a number is out of its range");
            return 0;
        }
        return value;
    }
    reader_fail(r, "a number does not end");
    return 0;
}

/* Nearly all take one byte, or two. */
static inline uint64_t read_varint(struct reader *r, uint64_t max)
{
    if (r->at < r->end && *r->at < 128 && *r->at <= max)
        return *r->at++;
    if (r->end - r->at >= 2 && r->at[0] > 127 && r->at[1] < 128 && r->at[1] > 0) {
        uint64_t value = (uint64_t)r->at[1] << 7 | (r->at[0] & 127);
        if (value <= max) {
            r->at += 2;
            return value;
        }
    }
    return read_long_varint(r, max);
}

/* As read_varint, of a field that is left out when it is zero. */
static uint64_t read_present(struct reader *r, uint64_t max)
{
    uint64_t value = read_varint(r, max);
    if (value == 0)
        reader_fail(r, "a field is there that holds nothing");
    return value;
}

static uint8_t read_enum(struct reader *r)
{
    uint8_t value = has(r, 1) ? *r->at++ : 0;
    if (value == 0)
        reader_fail(r, "a field is there that holds nothing");
    return value;
}

static struct instant read_instant(struct reader *r, struct instant base, int64_t left_out)
{
    uint64_t folded = read_varint(r, UINT64_MAX);
    uint64_t value = (uint64_t)base.us + (folded >> 1 ^ (0 - (folded & 1)));
    if ((int64_t)value == left_out)
        reader_fail(r, "a field is there that holds nothing");
    return (struct instant){.us = (int64_t)value};
}

static struct span read_span(struct reader *r)
{
    return (struct span){.us = (int64_t)read_varint(r, INT64_MAX)};
}

static struct bytes read_bytes(struct reader *r)
{
    size_t size = read_present(r, RECORD_PAYLOAD_BYTES_MAX);
    if (!has(r, (ptrdiff_t)size))
        return bytes_of(NULL, 0);
    struct bytes view = bytes_of(r->at, size);
    r->at += size;
    return view;
}

static const char *read_text(struct reader *r)
{
    size_t size = read_varint(r, METHOD_BYTES_MAX);
    if (size >= (size_t)(r->end - r->at)) {
        reader_fail(r, "the record ends within a field");
        return NULL;
    }
    const char *text = (const char *)r->at;
    if (strnlen(text, size + 1) != size) {
        reader_fail(r, "a text does not end where it should");
        return NULL;
    }
    r->at += size + 1;
    return text;
}

static void read_start(struct reader *r, struct record *record, uint64_t set)
{
    if (set & HAS_MODE)
        record->mode = read_enum(r);
    if (set & HAS_DEFINITION)
        record->definition = (uint32_t)read_present(r, UINT32_MAX);
    if (set & HAS_NAME)
        record->name = read_bytes(r);
    if (set & HAS_REQUEST_ID)
        record->request_id = read_bytes(r);
    if (set & HAS_FINGERPRINT)
        record->fingerprint = read_whole(r);
    if (set & HAS_INPUT)
        record->input = read_bytes(r);
    if (set & HAS_TRACEPARENT)
        record->traceparent = read_bytes(r);
    if (set & HAS_DEADLINE)
        record->deadline = read_instant(r, record->at, deadline_default(record->type));
    if (set & HAS_LEASE)
        record->lease = (struct span){.us = (int64_t)read_present(r, INT64_MAX)};
}

static void read_call(struct reader *r, struct call_spec *c, uint64_t set)
{
    c->source = REQUEST_CONSTANT;
    c->target = read_text(r);
    c->method = read_text(r);
    if (set & HAS_TIMEOUT)
        c->timeout = (struct span){.us = (int64_t)read_present(r, INT64_MAX)};
    if (set & HAS_RETRY) {
        c->retry.max_attempts = (uint16_t)read_present(r, RETRY_ATTEMPTS_MAX);
        c->retry.initial_backoff = read_span(r);
        c->retry.max_backoff = read_span(r);
        c->retry.backoff_multiplier_permille = (uint32_t)read_varint(r, UINT32_MAX);
        c->retry.jitter_permille = (uint32_t)read_varint(r, UINT32_MAX);
        c->retry.retryable_status_codes = (uint32_t)read_varint(r, UINT32_MAX);
    }
    if (set & HAS_CONSTANT)
        c->constant = read_bytes(r);
}

/* Those that records of attempts do not have. */
static void read_rare(struct reader *r, struct record *record, uint64_t set)
{
    if (set & HAS_ACTOR)
        record->actor = read_bytes(r);
    read_start(r, record, set);
    if (set & HAS_STEP_NAME)
        record->step_name = read_bytes(r);
    if (set & HAS_CALL)
        read_call(r, &record->call, set);
    else if (set & (HAS_TIMEOUT | HAS_RETRY | HAS_CONSTANT))
        reader_fail(r, "a call has options but no target");
    if (set & HAS_COPIES)
        record->copies = (uint32_t)read_present(r, UINT32_MAX);
    if (set & HAS_DIGEST)
        record->digest = read_whole(r);
    if (set & HAS_TAGS)
        record->tags = read_bytes(r);
    if (set & HAS_COUNTS)
        record->counts = read_bytes(r);
    if (set & HAS_IDENTITY)
        record->identity = read_bytes(r);
    if (set & HAS_CHOICE)
        record->choice = read_enum(r);
    if (set & HAS_PRIORITY)
        record->priority = read_enum(r);
    record->synthetic = (set & HAS_SYNTHETIC) != 0;
    if (set & HAS_FAULT)
        record->fault = read_enum(r);
    if ((set & (HAS_GIVEN_AT | HAS_ACTION_STATE)) == HAS_GIVEN_AT)
        reader_fail(r, "an answer was given to nothing");
    if (set & HAS_GIVEN_AT)
        record->given_at = read_instant(r, record->at, 0);
}

static void read_fields(struct reader *r, struct record *record, uint64_t set)
{
    record->step = set & HAS_STEP ? (uint16_t)read_varint(r, STEPS_LIMIT - 1) : RECORD_NO_STEP;
    if (set & HAS_ATTEMPT)
        record->attempt = (uint16_t)read_present(r, UINT16_MAX);
    if (set & HAS_STATUS)
        record->status = read_enum(r);
    record->maybe_executed = (set & HAS_MAYBE_EXECUTED) != 0;
    if (set & HAS_NEXT_AT)
        record->next_at = read_instant(r, record->at, 0);
    if (set & HAS_QUIET_AT)
        record->quiet_at = read_instant(r, record->at, 0);
    if (set & HAS_MESSAGE)
        record->message = read_bytes(r);
    if (set & HAS_ACTION_STATE)
        record->action_state = read_enum(r);
    if (set & HAS_OUTPUT)
        record->output = read_bytes(r);
    record->output_is_request = (set & HAS_OUTPUT_IS_REQUEST) != 0;
    if (set & HAS_COMPENSATION_STATE)
        record->compensation_state = read_enum(r);
    if (set & HAS_REASON)
        record->reason = read_enum(r);
    if (set & HAS_SAGA_STATE)
        record->saga_state = read_enum(r);
    record->deadline.us = deadline_default(record->type);
    if (set >= HAS_ACTOR)
        read_rare(r, record, set);
}

static int corrupt(struct error_detail *detail, const char *field, const char *text)
{
    return error_set(detail, E_JOURNAL_CORRUPT, field, text);
}

/* Finds the body of the record at the start of rest, within rest. */
static int find_body(struct bytes rest, struct bytes *body, struct error_detail *detail)
{
    if (rest.size < HEADER_SIZE)
        return corrupt(detail, "record.size", "the frame ends within a record's head");
    uint32_t size = get_u32(rest.at);
    if (size < BODY_MIN)
        return corrupt(detail, "record.size", "a record is shorter than any can be");
    if (size > rest.size - HEADER_SIZE)
        return corrupt(detail, "record.size", "the frame ends within a record");
    *body = bytes_of(rest.at + HEADER_SIZE, size);
    return 0;
}

/* As find_body, and checks that the body is as it was written, in a format that this program knows. */
static int check_body(struct bytes rest, struct bytes *body, bool or_sealed, struct error_detail *detail)
{
    int rc = find_body(rest, body, detail);
    if (rc != 0)
        return rc;
    if ((uint32_t)crc32(0, body->at, (uInt)body->size) != get_u32(rest.at + 4))
        return corrupt(detail, "record.crc", "a record's checksum does not match what it holds");
    if (body->at[FORMAT_AT] != RECORD_FORMAT && !(or_sealed && body->at[FORMAT_AT] == SEALED_FORMAT))
        return corrupt(detail, "record.format", "a record is in a format that this program does not know");
    return 0;
}

static struct bytes after(struct bytes rest, struct bytes body)
{
    CHECK(body.at == rest.at + HEADER_SIZE &&
          body.size <= rest.size - HEADER_SIZE); /* the body lies within what it was found in */
    return bytes_of(body.at + body.size, rest.size - HEADER_SIZE - body.size);
}

/* Reads the fields. Returns 0 or E_JOURNAL_CORRUPT; whether each is within its bounds is not looked at. */
static int read_body(struct bytes body, struct record *record, uint64_t *previous_frame, struct error_detail *detail)
{
    memset(record, 0, sizeof *record);
    record->type = body.at[TYPE_AT];
    record->at.us = (int64_t)get_u64(body.at + TIME_AT);
    record->saga.tag = get_tag(body.at + TAG_AT);

    struct reader reader = {.at = body.at + SERIAL_AT, .end = body.at + body.size};
    record->saga.serial = read_varint(&reader, UINT64_MAX);
    *previous_frame = read_varint(&reader, UINT64_MAX);
    read_fields(&reader, record, read_varint(&reader, FIELD_SET_MAX));
    if (reader.fault != NULL)
        return corrupt(detail, "record", reader.fault);
    if (reader.at != reader.end)
        return corrupt(detail, "record", "a record holds more than its fields");
    return 0;
}

int codec_decode(struct bytes *rest, struct record *record, uint64_t *previous_frame, struct error_detail *detail)
{
    struct bytes body;
    uint64_t previous;
    int rc = check_body(*rest, &body, false, detail);
    if (rc == 0)
        rc = read_body(body, record, &previous, detail);
    if (rc != 0)
        return rc;
    const char *field = codec_field_at_fault(record, FIELD_SET_MAX); /* whatever it may hold: it came from a disk */
    if (field != NULL) {
        corrupt(detail, "record.", "a field is out of its bounds");
        strncat(detail->field, field, sizeof detail->field - strlen(detail->field) - 1);
        return E_JOURNAL_CORRUPT;
    }

    *previous_frame = previous;
    *rest = after(*rest, body);
    return 0;
}

void codec_decode_own(struct bytes *rest, struct record *record)
{
    struct bytes body;
    struct error_detail detail;
    uint64_t previous;
    CHECK(find_body(*rest, &body, &detail) == 0 && body.at[FORMAT_AT] == RECORD_FORMAT);
    CHECK(read_body(body, record, &previous, &detail) == 0);
    *rest = after(*rest, body);
}

uint8_t codec_type(struct bytes rest)
{
    CHECK(rest.size >= HEADER_SIZE + BODY_MIN); /* a frame that was checked begins with a record */
    return rest.at[HEADER_SIZE + TYPE_AT];
}

int codec_skip(struct bytes *rest, uint64_t *serial)
{
    struct bytes body;
    struct error_detail detail;
    int rc = find_body(*rest, &body, &detail);
    if (rc != 0)
        return rc;
    struct reader reader = {.at = body.at + SERIAL_AT, .end = body.at + body.size};
    uint64_t read = read_varint(&reader, UINT64_MAX);
    if (reader.fault != NULL)
        return E_JOURNAL_CORRUPT;
    *serial = read;
    *rest = after(*rest, body);
    return 0;
}

int codec_check(struct bytes frame, struct error_detail *detail)
{
    struct bytes body;
    do {
        int rc = check_body(frame, &body, true, detail);
        if (rc != 0)
            return rc;
        frame = after(frame, body);
    } while (frame.size > 0);
    return 0;
}

struct instant codec_time(struct bytes frame)
{
    CHECK(frame.size >= HEADER_SIZE + BODY_MIN);
    return (struct instant){.us = (int64_t)get_u64(frame.at + HEADER_SIZE + TIME_AT)};
}
