/* codec.c - records as bytes and back. Format 1, laid out in docs/journal-format.md.
 *
 * A record has exactly one encoding: varints are minimal and a field that holds its default is left out. So what was decoded encodes
 * to the bytes it came from, which is what the fuzzer checks. */
#include "sidecar/journal/codec.h"

#include "sidecar/base/check.h"

#include <string.h>
#include <zlib.h>

#define HEADER_SIZE 8 /* size and checksum */
#define FORMAT_AT   0 /* offsets of the fixed fields, counted from what the checksum covers */
#define TYPE_AT     1
#define TIME_AT     2
#define TAG_AT      10
#define SERIAL_AT   16
#define BODY_MIN    (SERIAL_AT + 3) /* serial, previous frame and field set take a byte each at least */

#define VARINT_SIZE_MAX 10
#define STATUS_SET_MAX  ((UINT32_C(1) << 17) - 1)
#define ATTEMPTS_MAX    1000

/* The last members of enum saga_action_state and saga_compensation_state, which are in a room that this one does not know. */
#define ACTION_STATE_MAX       6
#define COMPENSATION_STATE_MAX 6

/* Which fields follow. Numbers are in the journal: the frequent ones come first, so that the set takes a byte or two. */
enum field {
    HAS_STEP = 1 << 0,
    HAS_ATTEMPT = 1 << 1,
    HAS_STATUS = 1 << 2,
    HAS_MAYBE_EXECUTED = 1 << 3,
    HAS_NEXT_AT = 1 << 4,
    HAS_QUIET_AT = 1 << 5,
    HAS_MESSAGE = 1 << 6,
    HAS_ACTION_STATE = 1 << 7,
    HAS_OUTPUT = 1 << 8,
    HAS_OUTPUT_IS_REQUEST = 1 << 9,
    HAS_COMPENSATION_STATE = 1 << 10,
    HAS_REASON = 1 << 11,
    HAS_SAGA_STATE = 1 << 12,
    HAS_ACTOR = 1 << 13,
    HAS_MODE = 1 << 14,
    HAS_DEFINITION = 1 << 15,
    HAS_NAME = 1 << 16,
    HAS_REQUEST_ID = 1 << 17,
    HAS_FINGERPRINT = 1 << 18,
    HAS_INPUT = 1 << 19,
    HAS_TRACEPARENT = 1 << 20,
    HAS_DEADLINE = 1 << 21,
    HAS_LEASE = 1 << 22,
    HAS_STEP_NAME = 1 << 23,
    HAS_CALL = 1 << 24,
    HAS_TIMEOUT = 1 << 25,
    HAS_RETRY = 1 << 26,
    HAS_CONSTANT = 1 << 27,
    HAS_COPIES = 1 << 28,
    FIELD_SET_MAX = (1 << 29) - 1,
};

/* A saga without a deadline is the common one, so that is what a STARTED record leaves out. */
static int64_t deadline_default(uint8_t type)
{
    return type == RECORD_STARTED ? INSTANT_NEVER.us : 0;
}

/* ---- what a record may hold ---------------------------------------------------------------------------------------- */

/* Whether the text of a call, which may be NULL, is within size_max. */
static bool text_fits(const char *text, size_t size_max)
{
    return text == NULL || strnlen(text, size_max + 1) <= size_max;
}

static bool retry_valid(const struct retry_policy *p)
{
    if (p->max_attempts == 0)
        return p->initial_backoff.us == 0 && p->max_backoff.us == 0 && p->backoff_multiplier_permille == 0 &&
               p->jitter_permille == 0 && p->retryable_status_codes == 0;
    return p->max_attempts <= ATTEMPTS_MAX && p->initial_backoff.us >= 0 && p->max_backoff.us >= 0 &&
           p->backoff_multiplier_permille >= 1000 && p->jitter_permille <= 1000 &&
           p->retryable_status_codes <= STATUS_SET_MAX;
}

static const char *call_at_fault(const struct call_spec *c)
{
    if (c->target == NULL)
        return NULL;
    if (!text_fits(c->target, STEP_NAME_BYTES_MAX))
        return "target";
    if (c->method == NULL || !text_fits(c->method, METHOD_BYTES_MAX))
        return "method";
    if (c->timeout.us < 0)
        return "timeout";
    if (!retry_valid(&c->retry))
        return "retry";
    if (c->constant.size > RECORD_PAYLOAD_BYTES_MAX)
        return "constant";
    return NULL;
}

/* The name of the first field that no sound record holds, or NULL. Encoding and decoding share it, so that nothing is written that
 * could not be read again. */
static const char *field_at_fault(const struct record *r)
{
    if (r->type == 0 || r->type >= RECORD_TYPE_COUNT)
        return "type";
    if (r->saga.tag >> SAGA_ID_TAG_BITS != 0)
        return "tag";
    if (r->saga.serial == 0)
        return "serial";
    if (r->step >= STEPS_LIMIT && r->step != RECORD_NO_STEP)
        return "step";
    if (r->reason > REASON_PIVOT_UNKNOWN)
        return "reason";
    if (r->action_state > ACTION_STATE_MAX || (r->type == RECORD_ACTION_ENDED && r->action_state == 0))
        return "action_state";
    if (r->compensation_state > COMPENSATION_STATE_MAX ||
        (r->type == RECORD_COMPENSATION_ENDED && r->compensation_state == 0))
        return "compensation_state";
    if ((r->type == RECORD_MOVED) != (r->copies > 0))
        return "copies";
    if (r->saga_state > SAGA_RESOLVED || (r->type == RECORD_ENDED && r->saga_state == 0))
        return "saga_state";
    if (r->mode > SAGA_ENLISTED || (r->type == RECORD_STARTED && r->mode == 0))
        return "mode";
    if (r->message.size > MESSAGE_BYTES_MAX)
        return "message";
    if (r->actor.size > ACTOR_BYTES_MAX)
        return "actor";
    if (r->output.size > RECORD_PAYLOAD_BYTES_MAX)
        return "output";
    if (r->name.size > NAME_BYTES_MAX)
        return "name";
    if (r->request_id.size > REQUEST_ID_BYTES_MAX)
        return "request_id";
    if (r->input.size > RECORD_PAYLOAD_BYTES_MAX)
        return "input";
    if (r->traceparent.size > TRACEPARENT_BYTES_MAX)
        return "traceparent";
    if (r->lease.us < 0)
        return "lease";
    if (r->step_name.size > STEP_NAME_BYTES_MAX)
        return "step_name";
    return call_at_fault(&r->call);
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *put_u64(uint8_t *at, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value > 127) {
        *at++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* An instant as its distance from the record's own, either way. Unsigned arithmetic: every distance wraps back to where it came from. */
static uint8_t *put_instant(uint8_t *at, struct instant value, struct instant base)
{
    uint64_t distance = (uint64_t)value.us - (uint64_t)base.us;
    return put_varint(at, distance << 1 ^ (0 - (distance >> 63)));
}

static uint8_t *put_bytes(uint8_t *at, struct bytes view)
{
    at = put_varint(at, view.size);
    memcpy(at, view.at, view.size);
    return at + view.size;
}

/* A text keeps its NUL, so that a decoded view is a C string. */
static uint8_t *put_text(uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    at = put_varint(at, size);
    memcpy(at, text, size + 1);
    return at + size + 1;
}

static uint32_t fields_of(const struct record *r)
{
    uint32_t set = 0;
    set |= r->step != RECORD_NO_STEP ? HAS_STEP : 0;
    set |= r->attempt != 0 ? HAS_ATTEMPT : 0;
    set |= r->status != 0 ? HAS_STATUS : 0;
    set |= r->maybe_executed ? HAS_MAYBE_EXECUTED : 0;
    set |= r->next_at.us != 0 ? HAS_NEXT_AT : 0;
    set |= r->quiet_at.us != 0 ? HAS_QUIET_AT : 0;
    set |= r->message.size != 0 ? HAS_MESSAGE : 0;
    set |= r->action_state != 0 ? HAS_ACTION_STATE : 0;
    set |= r->output.size != 0 ? HAS_OUTPUT : 0;
    set |= r->output_is_request ? HAS_OUTPUT_IS_REQUEST : 0;
    set |= r->compensation_state != 0 ? HAS_COMPENSATION_STATE : 0;
    set |= r->reason != 0 ? HAS_REASON : 0;
    set |= r->saga_state != 0 ? HAS_SAGA_STATE : 0;
    set |= r->actor.size != 0 ? HAS_ACTOR : 0;
    set |= r->mode != 0 ? HAS_MODE : 0;
    set |= r->definition != 0 ? HAS_DEFINITION : 0;
    set |= r->name.size != 0 ? HAS_NAME : 0;
    set |= r->request_id.size != 0 ? HAS_REQUEST_ID : 0;
    set |= r->fingerprint != 0 ? HAS_FINGERPRINT : 0;
    set |= r->input.size != 0 ? HAS_INPUT : 0;
    set |= r->traceparent.size != 0 ? HAS_TRACEPARENT : 0;
    set |= r->deadline.us != deadline_default(r->type) ? HAS_DEADLINE : 0;
    set |= r->lease.us != 0 ? HAS_LEASE : 0;
    set |= r->step_name.size != 0 ? HAS_STEP_NAME : 0;
    set |= r->copies != 0 ? HAS_COPIES : 0;
    if (r->call.target != NULL) {
        set |= HAS_CALL;
        set |= r->call.timeout.us != 0 ? HAS_TIMEOUT : 0;
        set |= r->call.retry.max_attempts != 0 ? HAS_RETRY : 0;
        set |= r->call.constant.size != 0 ? HAS_CONSTANT : 0;
    }
    return set;
}

static uint8_t *put_start(uint8_t *at, const struct record *r, uint32_t set)
{
    if (set & HAS_MODE)
        *at++ = r->mode;
    if (set & HAS_DEFINITION)
        at = put_varint(at, r->definition);
    if (set & HAS_NAME)
        at = put_bytes(at, r->name);
    if (set & HAS_REQUEST_ID)
        at = put_bytes(at, r->request_id);
    if (set & HAS_FINGERPRINT)
        at = put_u64(at, r->fingerprint, 8);
    if (set & HAS_INPUT)
        at = put_bytes(at, r->input);
    if (set & HAS_TRACEPARENT)
        at = put_bytes(at, r->traceparent);
    if (set & HAS_DEADLINE)
        at = put_instant(at, r->deadline, r->at);
    if (set & HAS_LEASE)
        at = put_varint(at, (uint64_t)r->lease.us);
    return at;
}

static uint8_t *put_call(uint8_t *at, const struct call_spec *c, uint32_t set)
{
    at = put_text(at, c->target);
    at = put_text(at, c->method);
    if (set & HAS_TIMEOUT)
        at = put_varint(at, (uint64_t)c->timeout.us);
    if (set & HAS_RETRY) {
        at = put_varint(at, c->retry.max_attempts);
        at = put_varint(at, (uint64_t)c->retry.initial_backoff.us);
        at = put_varint(at, (uint64_t)c->retry.max_backoff.us);
        at = put_varint(at, c->retry.backoff_multiplier_permille);
        at = put_varint(at, c->retry.jitter_permille);
        at = put_varint(at, c->retry.retryable_status_codes);
    }
    if (set & HAS_CONSTANT)
        at = put_bytes(at, c->constant);
    return at;
}

static uint8_t *put_fields(uint8_t *at, const struct record *r, uint32_t set)
{
    if (set & HAS_STEP)
        at = put_varint(at, r->step);
    if (set & HAS_ATTEMPT)
        at = put_varint(at, r->attempt);
    if (set & HAS_STATUS)
        *at++ = r->status;
    if (set & HAS_NEXT_AT)
        at = put_instant(at, r->next_at, r->at);
    if (set & HAS_QUIET_AT)
        at = put_instant(at, r->quiet_at, r->at);
    if (set & HAS_MESSAGE)
        at = put_bytes(at, r->message);
    if (set & HAS_ACTION_STATE)
        *at++ = r->action_state;
    if (set & HAS_OUTPUT)
        at = put_bytes(at, r->output);
    if (set & HAS_COMPENSATION_STATE)
        *at++ = r->compensation_state;
    if (set & HAS_REASON)
        *at++ = r->reason;
    if (set & HAS_SAGA_STATE)
        *at++ = r->saga_state;
    if (set & HAS_ACTOR)
        at = put_bytes(at, r->actor);
    if (set >= HAS_MODE) {
        at = put_start(at, r, set);
        if (set & HAS_STEP_NAME)
            at = put_bytes(at, r->step_name);
        if (set & HAS_CALL)
            at = put_call(at, &r->call, set);
        if (set & HAS_COPIES)
            at = put_varint(at, r->copies);
    }
    return at;
}

size_t codec_record_size_max(const struct record *r)
{
    size_t size = RECORD_OVERHEAD_MAX + r->message.size + r->actor.size + r->output.size + r->name.size +
                  r->request_id.size + r->input.size + r->traceparent.size + r->step_name.size;
    if (r->call.target != NULL)
        size += strlen(r->call.target) + strlen(r->call.method) + r->call.constant.size;
    return size;
}

size_t codec_encode(const struct record *record, uint64_t previous_frame, uint8_t *at)
{
    CHECK(field_at_fault(record) == NULL);

    uint8_t *body = at + HEADER_SIZE;
    uint32_t set = fields_of(record);
    body[FORMAT_AT] = RECORD_FORMAT;
    body[TYPE_AT] = record->type;
    put_u64(body + TIME_AT, (uint64_t)record->at.us, 8);
    put_u64(body + TAG_AT, record->saga.tag, SAGA_ID_TAG_BITS / 8);
    uint8_t *end = put_varint(body + SERIAL_AT, record->saga.serial);
    end = put_varint(end, previous_frame);
    end = put_varint(end, set);
    end = put_fields(end, record, set);

    uint32_t size = (uint32_t)(end - body);
    put_u32(at, size);
    put_u32(at + 4, (uint32_t)crc32(0, body, size));
    return HEADER_SIZE + size;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

/* Reads along one record. After the first fault every read gives zero and moves nothing, so that one look at the end is enough. */
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

static uint64_t get_u64(const uint8_t *at, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static uint64_t read_fixed(struct reader *r, int size)
{
    if (r->end - r->at < size) {
        reader_fail(r, "the record ends within a field");
        return 0;
    }
    uint64_t value = get_u64(r->at, size);
    r->at += size;
    return value;
}

static uint64_t read_varint(struct reader *r, uint64_t max)
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
    uint8_t value = (uint8_t)read_fixed(r, 1);
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
    if (size > (size_t)(r->end - r->at)) {
        reader_fail(r, "the record ends within a field");
        return bytes_of(NULL, 0);
    }
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

static void read_start(struct reader *r, struct record *record, uint32_t set)
{
    if (set & HAS_MODE)
        record->mode = read_enum(r);
    if (set & HAS_DEFINITION)
        record->definition = (uint32_t)read_present(r, UINT32_MAX);
    if (set & HAS_NAME)
        record->name = read_bytes(r);
    if (set & HAS_REQUEST_ID)
        record->request_id = read_bytes(r);
    if (set & HAS_FINGERPRINT) {
        record->fingerprint = read_fixed(r, 8);
        if (record->fingerprint == 0)
            reader_fail(r, "a field is there that holds nothing");
    }
    if (set & HAS_INPUT)
        record->input = read_bytes(r);
    if (set & HAS_TRACEPARENT)
        record->traceparent = read_bytes(r);
    if (set & HAS_DEADLINE)
        record->deadline = read_instant(r, record->at, deadline_default(record->type));
    if (set & HAS_LEASE)
        record->lease = (struct span){.us = (int64_t)read_present(r, INT64_MAX)};
}

static void read_call(struct reader *r, struct call_spec *c, uint32_t set)
{
    c->source = REQUEST_CONSTANT;
    c->target = read_text(r);
    c->method = read_text(r);
    if (set & HAS_TIMEOUT)
        c->timeout = (struct span){.us = (int64_t)read_present(r, INT64_MAX)};
    if (set & HAS_RETRY) {
        c->retry.max_attempts = (uint16_t)read_present(r, ATTEMPTS_MAX);
        c->retry.initial_backoff = read_span(r);
        c->retry.max_backoff = read_span(r);
        c->retry.backoff_multiplier_permille = (uint32_t)read_varint(r, UINT32_MAX);
        c->retry.jitter_permille = (uint32_t)read_varint(r, UINT32_MAX);
        c->retry.retryable_status_codes = (uint32_t)read_varint(r, UINT32_MAX);
    }
    if (set & HAS_CONSTANT)
        c->constant = read_bytes(r);
}

static void read_fields(struct reader *r, struct record *record, uint32_t set)
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
    if (set & HAS_ACTOR)
        record->actor = read_bytes(r);
    record->deadline.us = deadline_default(record->type);
    read_start(r, record, set);
    if (set & HAS_STEP_NAME)
        record->step_name = read_bytes(r);
    if (set & HAS_CALL)
        read_call(r, &record->call, set);
    else if (set & (HAS_TIMEOUT | HAS_RETRY | HAS_CONSTANT))
        reader_fail(r, "a call has options but no target");
    if (set & HAS_COPIES)
        record->copies = (uint32_t)read_present(r, UINT32_MAX);
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
static int check_body(struct bytes rest, struct bytes *body, struct error_detail *detail)
{
    int rc = find_body(rest, body, detail);
    if (rc != 0)
        return rc;
    if ((uint32_t)crc32(0, body->at, (uInt)body->size) != get_u32(rest.at + 4))
        return corrupt(detail, "record.crc", "a record's checksum does not match what it holds");
    if (body->at[FORMAT_AT] != RECORD_FORMAT)
        return corrupt(detail, "record.format", "a record is in a format that this program does not know");
    return 0;
}

static struct bytes after(struct bytes rest, struct bytes body)
{
    return bytes_of(body.at + body.size, rest.size - HEADER_SIZE - body.size);
}

int codec_decode(struct bytes *rest, struct record *record, uint64_t *previous_frame, struct error_detail *detail)
{
    struct bytes body;
    int rc = check_body(*rest, &body, detail);
    if (rc != 0)
        return rc;

    memset(record, 0, sizeof *record);
    record->type = body.at[TYPE_AT];
    record->at.us = (int64_t)get_u64(body.at + TIME_AT, 8);
    record->saga.tag = get_u64(body.at + TAG_AT, SAGA_ID_TAG_BITS / 8);

    struct reader reader = {.at = body.at + SERIAL_AT, .end = body.at + body.size};
    record->saga.serial = read_varint(&reader, UINT64_MAX);
    uint64_t previous = read_varint(&reader, UINT64_MAX);
    read_fields(&reader, record, (uint32_t)read_varint(&reader, FIELD_SET_MAX));
    if (reader.fault != NULL)
        return corrupt(detail, "record", reader.fault);
    if (reader.at != reader.end)
        return corrupt(detail, "record", "a record holds more than its fields");
    const char *field = field_at_fault(record);
    if (field != NULL) {
        corrupt(detail, "record.", "a field is out of its bounds");
        strncat(detail->field, field, sizeof detail->field - strlen(detail->field) - 1);
        return E_JOURNAL_CORRUPT;
    }

    *previous_frame = previous;
    *rest = after(*rest, body);
    return 0;
}

uint8_t codec_type(struct bytes rest)
{
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
        int rc = check_body(frame, &body, detail);
        if (rc != 0)
            return rc;
        frame = after(frame, body);
    } while (frame.size > 0);
    return 0;
}

struct instant codec_time(struct bytes frame)
{
    CHECK(frame.size >= HEADER_SIZE + BODY_MIN);
    return (struct instant){.us = (int64_t)get_u64(frame.at + HEADER_SIZE + TIME_AT, 8)};
}
