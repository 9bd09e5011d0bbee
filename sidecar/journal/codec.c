/* codec.c - records as bytes. Format 1, laid out in docs/journal-format.md; codec_read.c reads them.
 *
 * A record has exactly one encoding: varints are minimal and a field that holds its default is left out. So what was
 * decoded encodes to the bytes it came from, which is what the fuzzer checks. */
#include "sidecar/journal/codec.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/journal/codec_inside.h"
#include "sidecar/journal/store.h"

#include <string.h>
#include <zlib.h>

/* ---- what a record may hold ---- */

static bool text_fits(const char *text, size_t size_max)
{
    return strnlen(text, size_max + 1) <= size_max;
}

_Static_assert(RECORD_TYPE_COUNT == 20 && SUBJECT_KIND_COUNT == 15 && JOURNAL_FORM == 1,
               "what an older sagad cannot read is another form: raise JOURNAL_FORM, and these with it");

/* A policy that older versions took has no upper bounds on its backoff and its multiplier. */
static bool retry_valid(const struct retry_policy *p)
{
    if (p->max_attempts == 0)
        return p->initial_backoff.us == 0 && p->max_backoff.us == 0 && p->backoff_multiplier_permille == 0 &&
               p->jitter_permille == 0 && p->retryable_status_codes == 0;
    return p->max_attempts <= RETRY_ATTEMPTS_MAX && p->initial_backoff.us >= 0 && p->max_backoff.us >= 0 &&
           p->backoff_multiplier_permille >= RETRY_MULTIPLIER_PERMILLE_MIN &&
           p->jitter_permille <= RETRY_JITTER_PERMILLE_MAX && p->retryable_status_codes <= STATUS_SET_MAX;
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

static const char *rare_at_fault(const struct record *r)
{
    if (r->name.size > NAME_BYTES_MAX)
        return "name";
    if (r->request_id.size > REQUEST_ID_BYTES_MAX)
        return "request_id";
    if (r->input.size > RECORD_PAYLOAD_BYTES_MAX)
        return "input";
    if (r->traceparent.size > TRACEPARENT_BYTES_MAX)
        return "traceparent";
    if (r->tags.size > TAGS_BYTES_MAX)
        return "tags";
    if (r->counts.size > 2 * STEPS_LIMIT)
        return "counts";
    if (r->identity.size > IDENTITY_BYTES_MAX)
        return "identity";
    if (r->choice > TARGET_CHOICES_MAX)
        return "choice";
    if (r->priority > PRIORITY_HIGH)
        return "priority";
    if (r->fault >= FAULTS_MAX)
        return "fault";
    if (r->lease.us < 0)
        return "lease";
    if (r->step_name.size > STEP_NAME_BYTES_MAX)
        return "step_name";
    return call_at_fault(&r->call);
}

const char *codec_field_at_fault(const struct record *r, uint64_t set)
{
    if (r->type == 0 || r->type >= RECORD_TYPE_COUNT)
        return "type";
    if (r->saga.tag >> SAGA_ID_TAG_BITS != 0)
        return "tag";
    if (r->saga.serial == 0)
        return "serial";
    if (r->step >= STEPS_LIMIT && r->step != RECORD_NO_STEP)
        return "step";
    if (r->reason >= REASON_COUNT)
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
    return set >= RARE_FIELDS ? rare_at_fault(r) : NULL;
}

/* ---- writing ---- */

/* Numbers of a fixed size are written without loops, which compilers make one store of. */
static uint8_t *put_u16(uint8_t *at, uint64_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put_u32(uint8_t *at, uint64_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 24);
    return at + 4;
}

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    return put_u32(put_u32(at, value), value >> 32);
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

/* An instant as its distance from the record's own, either way. Unsigned arithmetic: every distance wraps back to where
 * it came from. */
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

/* Of the fields that few records have. */
static uint64_t rare_fields_of(const struct record *r)
{
    uint64_t set = 0;
    if (r->mode != 0)
        set |= HAS_MODE;
    if (r->definition != 0)
        set |= HAS_DEFINITION;
    if (r->name.size != 0)
        set |= HAS_NAME;
    if (r->request_id.size != 0)
        set |= HAS_REQUEST_ID;
    if (r->fingerprint != 0)
        set |= HAS_FINGERPRINT;
    if (r->input.size != 0)
        set |= HAS_INPUT;
    if (r->traceparent.size != 0)
        set |= HAS_TRACEPARENT;
    if (r->deadline.us != deadline_default(r->type))
        set |= HAS_DEADLINE;
    if (r->lease.us != 0)
        set |= HAS_LEASE;
    if (r->step_name.size != 0)
        set |= HAS_STEP_NAME;
    if (r->copies != 0)
        set |= HAS_COPIES;
    if (r->digest != 0)
        set |= HAS_DIGEST;
    if (r->tags.size != 0)
        set |= HAS_TAGS;
    if (r->counts.size != 0)
        set |= HAS_COUNTS;
    if (r->identity.size != 0)
        set |= HAS_IDENTITY;
    if (r->choice != 0)
        set |= HAS_CHOICE;
    if (r->priority != 0)
        set |= HAS_PRIORITY;
    if (r->synthetic && !DEFECT(SYNTHETIC_FORGOTTEN))
        set |= HAS_SYNTHETIC;
    if (r->fault != 0)
        set |= HAS_FAULT;
    if (r->call.target != NULL) {
        set |= HAS_CALL;
        if (r->call.timeout.us != 0)
            set |= HAS_TIMEOUT;
        if (r->call.retry.max_attempts != 0)
            set |= HAS_RETRY;
        if (r->call.constant.size != 0)
            set |= HAS_CONSTANT;
    }
    return set;
}

/* Which fields do not hold their defaults. Branches and no arithmetic: a record has few of them, and of one kind always the same. */
static uint64_t fields_of(const struct record *r)
{
    uint64_t set = rare_fields_of(r);
    if (r->step != RECORD_NO_STEP)
        set |= HAS_STEP;
    if (r->attempt != 0)
        set |= HAS_ATTEMPT;
    if (r->status != 0)
        set |= HAS_STATUS;
    if (r->maybe_executed)
        set |= HAS_MAYBE_EXECUTED;
    if (r->next_at.us != 0)
        set |= HAS_NEXT_AT;
    if (r->quiet_at.us != 0)
        set |= HAS_QUIET_AT;
    if (r->message.size != 0)
        set |= HAS_MESSAGE;
    if (r->action_state != 0)
        set |= HAS_ACTION_STATE | (r->given_at.us != 0 ? HAS_GIVEN_AT : 0);
    if (r->output.size != 0)
        set |= HAS_OUTPUT;
    if (r->output_is_request)
        set |= HAS_OUTPUT_IS_REQUEST;
    if (r->compensation_state != 0)
        set |= HAS_COMPENSATION_STATE;
    if (r->reason != 0)
        set |= HAS_REASON;
    if (r->saga_state != 0)
        set |= HAS_SAGA_STATE;
    if (r->actor.size != 0)
        set |= HAS_ACTOR;
    return set;
}

static uint8_t *put_start(uint8_t *at, const struct record *r, uint64_t set)
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
        at = put_u64(at, r->fingerprint);
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

static uint8_t *put_call(uint8_t *at, const struct call_spec *c, uint64_t set)
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

static uint8_t *put_fields(uint8_t *at, const struct record *r, uint64_t set)
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
    if (set >= RARE_FIELDS) {
        at = put_start(at, r, set);
        if (set & HAS_STEP_NAME)
            at = put_bytes(at, r->step_name);
        if (set & HAS_CALL)
            at = put_call(at, &r->call, set);
        if (set & HAS_COPIES)
            at = put_varint(at, r->copies);
        if (set & HAS_DIGEST)
            at = put_u64(at, r->digest);
        if (set & HAS_TAGS)
            at = put_bytes(at, r->tags);
        if (set & HAS_COUNTS)
            at = put_bytes(at, r->counts);
        if (set & HAS_IDENTITY)
            at = put_bytes(at, r->identity);
        if (set & HAS_CHOICE)
            *at++ = r->choice;
        if (set & HAS_PRIORITY)
            *at++ = r->priority;
        if (set & HAS_FAULT)
            *at++ = r->fault;
        if (set & HAS_GIVEN_AT)
            at = put_instant(at, r->given_at, r->at);
    }
    return at;
}

size_t codec_record_size_max(const struct record *r)
{
    size_t size = RECORD_OVERHEAD_MAX + r->message.size + r->actor.size + r->output.size + r->name.size +
                  r->request_id.size + r->input.size + r->traceparent.size + r->step_name.size + r->tags.size +
                  r->counts.size + r->identity.size;
    if (r->call.target != NULL)
        size += strlen(r->call.target) + strlen(r->call.method) + r->call.constant.size;
    return size;
}

size_t codec_encode(const struct record *record, uint64_t previous_frame, uint8_t *at)
{
    uint64_t set = fields_of(record);
    CHECK(codec_field_at_fault(record, set) == NULL); /* also: it is about some saga */

    uint8_t *body = at + HEADER_SIZE;
    body[FORMAT_AT] = RECORD_FORMAT;
    body[TYPE_AT] = record->type;
    put_u64(body + TIME_AT, (uint64_t)record->at.us);
    _Static_assert(SAGA_ID_TAG_BITS == 48, "a tag has six bytes");
    put_u16(put_u32(body + TAG_AT, record->saga.tag), record->saga.tag >> 32);
    uint8_t *end = put_varint(body + SERIAL_AT, record->saga.serial);
    end = put_varint(end, previous_frame);
    end = put_varint(end, set);
    end = put_fields(end, record, set);

    CHECK(set <= FIELD_SET_MAX);                                         /* every field has its bit */
    CHECK(end - body >= BODY_MIN && (size_t)(end - body) <= UINT32_MAX); /* and can be found again by its size */
    uint32_t size = (uint32_t)(end - body);
    put_u32(at, size);
    put_u32(at + 4, (uint32_t)crc32(0, body, size));
    return HEADER_SIZE + size;
}
