/* codec_inside.h - where everything lies in a record of format 1, for the two files of the codec.
 * docs/journal-format.md describes it. */
#ifndef SAGA_JOURNAL_CODEC_INSIDE_H
#define SAGA_JOURNAL_CODEC_INSIDE_H

#include "sidecar/engine/record.h"

#define HEADER_SIZE 8 /* size and checksum */
#define FORMAT_AT   0 /* offsets of the fixed fields, counted from what the checksum covers */
#define TYPE_AT     1
#define TIME_AT     2
#define TAG_AT      10
#define SERIAL_AT   16
#define BODY_MIN    (SERIAL_AT + 3) /* serial, previous frame and field set take a byte each at least */

#define VARINT_SIZE_MAX 10
#define STATUS_SET_MAX  ((UINT32_C(1) << 17) - 1)

/* The last members of enum saga_action_state and saga_compensation_state, which are in a room that this one does not
 * know. */
#define ACTION_STATE_MAX       6
#define COMPENSATION_STATE_MAX 6

/* How many kinds of faults there are, which are in a room that this one does not know. */
#define FAULTS_MAX 7

/* Which fields follow. Numbers are in the journal: the frequent ones come first, so that the set takes a byte or two.
 */
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
    HAS_DIGEST = 1 << 29,
    HAS_TAGS = 1 << 30,
};

/* Beyond what an enum may hold. */
#define HAS_COUNTS    (UINT64_C(1) << 31)
#define HAS_IDENTITY  (UINT64_C(1) << 32)
#define HAS_CHOICE    (UINT64_C(1) << 33)
#define HAS_PRIORITY  (UINT64_C(1) << 34)
#define HAS_SYNTHETIC (UINT64_C(1) << 35)
#define HAS_FAULT     (UINT64_C(1) << 36)
#define HAS_GIVEN_AT  (UINT64_C(1) << 37)
#define FIELD_SET_MAX ((UINT64_C(1) << 38) - 1)
/* A set has any from the first that few records have on. */
#define RARE_FIELDS HAS_MODE

/* A saga without a deadline is the common one, so that is what a STARTED record leaves out. */
static inline int64_t deadline_default(uint8_t type)
{
    return type == RECORD_STARTED ? INSTANT_NEVER.us : 0;
}

/* The first field that is out of its bounds, or NULL; set is what does not hold its default, which no bound forbids. Encoding and decoding share
 * it, so that nothing is written that could not be read again. */
const char *codec_field_at_fault(const struct record *r, uint64_t set);

#endif
