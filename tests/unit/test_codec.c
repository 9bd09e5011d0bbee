/* Records as bytes: what goes in comes out, and nothing that was damaged comes out as something else. */
#include "sidecar/journal/codec.h"
#include "sidecar/journal/codec_inside.h"

#include "tests/support/sample_records.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define ROOM 8192

static uint8_t buffer[ROOM];
static struct error_detail detail;

static size_t encode(const struct record *record, uint64_t previous, uint8_t *at)
{
    size_t size = codec_encode(record, previous, at);
    ck_assert_uint_le(size, codec_record_size_max(record));
    return size;
}

static int decode(struct bytes frame, struct record *record)
{
    uint64_t previous;
    return codec_decode(&frame, record, &previous, &detail);
}

/* Makes the checksum of the record at `at` fit what it holds, as a damaged disk would not. */
static void seal(uint8_t *at, size_t size)
{
    uint32_t crc = (uint32_t)crc32(0, at + 8, (uInt)(size - 8));
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)((size - 8) >> 8 * i);
        at[4 + i] = (uint8_t)(crc >> 8 * i);
    }
}

START_TEST(codec__samples_cover_every_type)
{
    size_t count;
    const struct record *samples = sample_records(&count);
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++)
        seen |= 1u << samples[i].type;
    ck_assert_uint_eq(seen, (1u << RECORD_TYPE_COUNT) - 2);
}
END_TEST

START_TEST(codec__every_record_comes_back)
{
    static const uint64_t previous_frames[] = {0, 1, 127, 128, UINT64_MAX};
    size_t count;
    const struct record *samples = sample_records(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t p = 0; p < 5; p++) {
            size_t size = encode(&samples[i], previous_frames[p], buffer);
            struct bytes rest = bytes_of(buffer, size);
            struct record record;
            uint64_t previous = 77;
            ck_assert_int_eq(codec_check(rest, &detail), 0);
            ck_assert_uint_eq(codec_type(rest), samples[i].type);
            ck_assert_int_eq(codec_time(rest).us, samples[i].at.us);
            ck_assert_msg(codec_decode(&rest, &record, &previous, &detail) == 0, "sample %zu: %s", i, detail.text);
            ck_assert_msg(sample_records_equal(&record, &samples[i]), "sample %zu", i);
            ck_assert_uint_eq(previous, previous_frames[p]);
            ck_assert_uint_eq(rest.size, 0);
            uint64_t serial;
            rest = bytes_of(buffer, size);
            ck_assert_int_eq(codec_skip(&rest, &serial), 0);
            ck_assert_uint_eq(serial, samples[i].saga.serial);
            ck_assert_uint_eq(rest.size, 0);
        }
}
END_TEST

START_TEST(codec__frame_of_many_records)
{
    size_t count;
    const struct record *samples = sample_records(&count);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += encode(&samples[i], i, buffer + size);
    ck_assert_uint_lt(size, ROOM);
    struct bytes rest = bytes_of(buffer, size);
    struct bytes skipping = rest, own = rest;
    ck_assert_int_eq(codec_check(rest, &detail), 0);
    for (size_t i = 0; i < count; i++) {
        struct record record;
        uint64_t previous;
        uint64_t serial;
        ck_assert_int_eq(codec_decode(&rest, &record, &previous, &detail), 0);
        ck_assert(sample_records_equal(&record, &samples[i]));
        ck_assert_uint_eq(previous, i);
        ck_assert_int_eq(codec_skip(&skipping, &serial), 0);
        ck_assert_uint_eq(skipping.size, rest.size);
        codec_decode_own(&own, &record);
        ck_assert(sample_records_equal(&record, &samples[i]));
        ck_assert_uint_eq(own.size, rest.size);
    }
    ck_assert_uint_eq(rest.size, 0);

    /* Damage anywhere in it is seen by the check of the whole. */
    buffer[size / 2] ^= 1;
    ck_assert_int_eq(codec_check(bytes_of(buffer, size), &detail), E_JOURNAL_CORRUPT);
}
END_TEST

START_TEST(codec__the_time_of_a_last_good_answer_comes_back)
{
    struct record record, sample = {.type = RECORD_ACTION_ENDED,
                                    .saga = {.tag = 1, .serial = 2},
                                    .at = {.us = 1750000000123456},
                                    .step = 1,
                                    .action_state = 3,
                                    .given_at = {.us = 1749999999000001}};
    uint64_t previous;
    struct bytes rest = bytes_of(buffer, encode(&sample, 0, buffer));
    ck_assert_int_eq(codec_decode(&rest, &record, &previous, &detail), 0);
    ck_assert_int_eq(record.given_at.us, sample.given_at.us);
    ck_assert(record.output.size == 0 && record.action_state == 3);
}
END_TEST

START_TEST(codec__digest_of_a_mapped_request_comes_back)
{
    struct record record, sample = {.type = RECORD_ACTION_STARTED,
                                    .saga = {.tag = 1, .serial = 2},
                                    .step = 0,
                                    .attempt = 1,
                                    .digest = UINT64_C(0xfedcba9876543211)};
    uint64_t previous;
    struct bytes rest = bytes_of(buffer, encode(&sample, 0, buffer));
    ck_assert_int_eq(codec_decode(&rest, &record, &previous, &detail), 0);
    ck_assert(record.digest == sample.digest && record.attempt == 1);
    sample.digest = 0;
    rest = bytes_of(buffer, encode(&sample, 0, buffer));
    ck_assert_int_eq(codec_decode(&rest, &record, &previous, &detail), 0);
    ck_assert_uint_eq(record.digest, 0);
}
END_TEST

/* Records as an earlier program wrote them, byte by byte: what is in a journal is read for ever. */
START_TEST(codec__what_typed_definitions_record_is_read_for_ever)
{
    static const char *const kept[] = {
        "23000000086c2669010103000000000000000100000000000200808087800c0104016e0461006200020200",
        "22000000bda33c8c01030300000000000000010000000000020083808080220501070000000000000006",
        "1c00000063f2209101010300000000000000010000000000020080808780400104016e03",
    };
    const struct record records[] = {
        {.type = RECORD_STARTED,
         .saga = {.tag = 1, .serial = 2},
         .at = {.us = 3},
         .step = RECORD_NO_STEP,
         .mode = SAGA_ORCHESTRATED,
         .definition = 4,
         .name = bytes_of_text("n"),
         .deadline = INSTANT_NEVER,
         .tags = bytes_of("a\0b", 4),
         .counts = bytes_of("\2\0", 2)},
        {.type = RECORD_ACTION_STARTED,
         .saga = {.tag = 1, .serial = 2},
         .at = {.us = 3},
         .step = 5,
         .attempt = 1,
         .digest = 7,
         .choice = 6},
        {.type = RECORD_STARTED,
         .saga = {.tag = 1, .serial = 2},
         .at = {.us = 3},
         .step = RECORD_NO_STEP,
         .mode = SAGA_ORCHESTRATED,
         .definition = 4,
         .name = bytes_of_text("n"),
         .deadline = INSTANT_NEVER,
         .priority = PRIORITY_HIGH},
    };
    char text[256];
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        size_t size = encode(&records[i], 0, buffer);
        for (size_t k = 0; k < size; k++)
            snprintf(text + 2 * k, 3, "%02x", buffer[k]);
        ck_assert_str_eq(text, kept[i]);
    }
}
END_TEST

START_TEST(codec__cut_anywhere_is_corrupt)
{
    size_t count;
    const struct record *samples = sample_records(&count);
    for (size_t i = 0; i < count; i++) {
        size_t size = encode(&samples[i], 5, buffer);
        for (size_t cut = 0; cut < size; cut++) {
            /* On the heap, so that reading past the end is found out. */
            uint8_t *copy = malloc(cut + 1);
            memcpy(copy, buffer, cut);
            struct bytes rest = bytes_of(copy, cut);
            struct record record;
            uint64_t serial;
            ck_assert_int_eq(codec_check(rest, &detail), E_JOURNAL_CORRUPT);
            ck_assert_str_ne(detail.text, "");
            ck_assert_int_eq(decode(rest, &record), E_JOURNAL_CORRUPT);
            ck_assert_int_eq(codec_skip(&rest, &serial), E_JOURNAL_CORRUPT);
            ck_assert_uint_eq(rest.size, cut);
            free(copy);
        }
    }
}
END_TEST

/* A record that ends early, with a size and a checksum that fit: no field may reach beyond it. */
START_TEST(codec__cut_within_a_sealed_record_is_corrupt)
{
    size_t count;
    const struct record *samples = sample_records(&count);
    for (size_t i = 0; i < count; i++) {
        size_t size = encode(&samples[i], 5, buffer);
        for (size_t cut = 8; cut < size; cut++) {
            uint8_t *copy = malloc(cut);
            memcpy(copy, buffer, cut);
            seal(copy, cut);
            struct record record;
            ck_assert_msg(decode(bytes_of(copy, cut), &record) == E_JOURNAL_CORRUPT, "sample %zu cut to %zu", i, cut);
            free(copy);
        }
        buffer[size] = 0;
        seal(buffer, size + 1);
        struct record record;
        ck_assert_int_eq(decode(bytes_of(buffer, size + 1), &record), E_JOURNAL_CORRUPT);
    }
}
END_TEST

/* A text ends with a zero byte. One that reaches to the record's end has none, whatever lies behind it. */
START_TEST(codec__a_text_without_its_end_is_corrupt)
{
    const struct record record = {.type = RECORD_ENLISTED,
                                  .saga = {.tag = 1, .serial = 2},
                                  .at = {.us = 5},
                                  .step_name = bytes_of_text("pay"),
                                  .call = {.target = "t", .method = "/p.S/Undo", .source = REQUEST_CONSTANT}};
    struct record got;
    size_t size = encode(&record, 0, buffer);
    ck_assert_int_eq(decode(bytes_of(buffer, size), &got), 0);
    ck_assert_int_eq(buffer[size - 1], 0);
    seal(buffer, size - 1);
    ck_assert_int_eq(decode(bytes_of(buffer, size - 1), &got), E_JOURNAL_CORRUPT);
    ck_assert_str_eq(detail.text, "the record ends within a field");
}
END_TEST

START_TEST(codec__flipped_bit_is_corrupt)
{
    size_t count;
    const struct record *samples = sample_records(&count);
    for (size_t i = 0; i < count; i++) {
        size_t size = encode(&samples[i], 5, buffer);
        for (size_t bit = 0; bit < size * 8; bit++) {
            struct record record;
            buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ck_assert_msg(codec_check(bytes_of(buffer, size), &detail) == E_JOURNAL_CORRUPT, "sample %zu bit %zu", i,
                          bit);
            ck_assert_int_eq(decode(bytes_of(buffer, size), &record), E_JOURNAL_CORRUPT);
            buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        ck_assert_int_eq(codec_check(bytes_of(buffer, size), &detail), 0);
    }
}
END_TEST

/* With the checksum made to fit, a flipped bit gives another sound record or a refusal, and a record has but one encoding. */
START_TEST(codec__record_has_one_encoding)
{
    static uint8_t again[ROOM];
    size_t count;
    const struct record *samples = sample_records(&count);
    for (size_t i = 0; i < count; i++) {
        size_t size = encode(&samples[i], 5, buffer);
        for (size_t bit = 64; bit < size * 8; bit++) {
            struct bytes rest = bytes_of(buffer, size);
            struct record record;
            uint64_t previous;
            buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
            seal(buffer, size);
            if (codec_decode(&rest, &record, &previous, &detail) == 0) {
                ck_assert_uint_eq(encode(&record, previous, again), size);
                ck_assert_mem_eq(again, buffer, size);
            }
            buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}
END_TEST

START_TEST(codec__format_and_type_that_are_not_known)
{
    size_t count;
    struct record record;
    size_t size = encode(&sample_records(&count)[6], 0, buffer);
    struct bytes rest = bytes_of(buffer, size);
    uint64_t previous;
    buffer[8] = SEALED_FORMAT; /* a frame may be that; a record is not */
    seal(buffer, size);
    ck_assert_int_eq(codec_check(rest, &detail), 0);
    ck_assert_int_eq(codec_decode(&rest, &record, &previous, &detail), E_JOURNAL_CORRUPT);
    buffer[8] = SEALED_FORMAT + 1;
    seal(buffer, size);
    ck_assert_int_eq(codec_check(bytes_of(buffer, size), &detail), E_JOURNAL_CORRUPT);
    ck_assert_str_eq(detail.field, "record.format");
    buffer[8] = RECORD_FORMAT;
    for (int type = 0; type < 256; type += type == 0 ? RECORD_TYPE_COUNT : 1) {
        buffer[9] = (uint8_t)type;
        seal(buffer, size);
        ck_assert_int_eq(decode(bytes_of(buffer, size), &record), E_JOURNAL_CORRUPT);
        ck_assert_str_eq(detail.field, "record.type");
    }
}
END_TEST

/* ---- bounds: what could not be read again is not written ---- */

static char text_of_65[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static char long_method[METHOD_BYTES_MAX + 2]; /* one too long */

#define RETRY(attempts, initial, max, multiplier, jitter, codes) \
    .target = "a", .method = "/b/c", \
    .retry = {.max_attempts = (attempts), \
              .initial_backoff.us = (initial), \
              .max_backoff.us = (max), \
              .backoff_multiplier_permille = (multiplier), \
              .jitter_permille = (jitter), \
              .retryable_status_codes = (codes)}

static struct record at_fault[] = {
    {.type = RECORD_PAUSED, .saga = {.serial = 0}},
    {.type = RECORD_TYPE_COUNT, .saga = {.serial = 1}},
    {.type = 0, .saga = {.serial = 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1, .tag = UINT64_C(1) << 48}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .step = STEPS_LIMIT},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .reason = REASON_COUNT},
    {.type = RECORD_ACTION_ENDED, .saga = {.serial = 1}},
    {.type = RECORD_ACTION_ENDED, .saga = {.serial = 1}, .action_state = 7},
    {.type = RECORD_COMPENSATION_ENDED, .saga = {.serial = 1}},
    {.type = RECORD_COMPENSATION_ENDED, .saga = {.serial = 1}, .compensation_state = 7},
    {.type = RECORD_ENDED, .saga = {.serial = 1}},
    {.type = RECORD_ENDED, .saga = {.serial = 1}, .saga_state = SAGA_RESOLVED + 1},
    {.type = RECORD_STARTED, .saga = {.serial = 1}},
    {.type = RECORD_STARTED, .saga = {.serial = 1}, .mode = SAGA_ENLISTED + 1},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .message = {.at = buffer, .size = MESSAGE_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .actor = {.at = buffer, .size = ACTOR_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .output = {.at = buffer, .size = RECORD_PAYLOAD_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .input = {.at = buffer, .size = RECORD_PAYLOAD_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .name = {.at = buffer, .size = NAME_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .request_id = {.at = buffer, .size = REQUEST_ID_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .traceparent = {.at = buffer, .size = TRACEPARENT_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .step_name = {.at = buffer, .size = STEP_NAME_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .lease = {.us = -1}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {.target = "a"}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {.target = "a", .method = "/b/c", .timeout = {.us = -1}}},
    {.type = RECORD_ENLISTED,
     .saga = {.serial = 1},
     .call = {.target = "a", .method = "/b/c", .retry = {.max_attempts = 1001}}},
    {.type = RECORD_ENLISTED,
     .saga = {.serial = 1},
     .call = {.target = "a", .method = "/b/c", .retry = {.max_attempts = 2}}},
    {.type = RECORD_ENLISTED,
     .saga = {.serial = 1},
     .call = {.target = "a", .method = "/b/c", .retry = {.jitter_permille = 1}}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .tags = {.at = buffer, .size = TAGS_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .counts = {.at = buffer, .size = 2 * STEPS_LIMIT + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .identity = {.at = buffer, .size = IDENTITY_BYTES_MAX + 1}},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .choice = TARGET_CHOICES_MAX + 1},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .priority = PRIORITY_HIGH + 1},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .fault = FAULTS_MAX},
    {.type = RECORD_PAUSED, .saga = {.serial = 1}, .copies = 1},
    {.type = RECORD_MOVED, .saga = {.serial = 1}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {.target = text_of_65, .method = "/b/c"}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(RETRY_ATTEMPTS_MAX + 1, 1, 1, 1000, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(2, 1, 1, 1000, 1001, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(2, 1, 1, 999, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(2, -1, 1, 1000, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(2, 1, -1, 1000, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(2, 1, 1, 1000, 0, STATUS_SET_MAX + 1)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(0, 1, 0, 0, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(0, 0, 1, 0, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(0, 0, 0, 1000, 0, 0)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {RETRY(0, 0, 0, 0, 0, 2)}},
    {.type = RECORD_ENLISTED, .saga = {.serial = 1}, .call = {.target = "a", .method = long_method}},
    {.type = RECORD_ENLISTED,
     .saga = {.serial = 1},
     .call = {.source = REQUEST_CONSTANT,
              .target = "a",
              .method = "/b/c",
              .constant = {.at = buffer, .size = RECORD_PAYLOAD_BYTES_MAX + 1}}},
};

START_TEST(codec__out_of_bounds_is_a_defect)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* the words of a panic, here wanted */
    memset(long_method, 'm', sizeof long_method - 1);
    codec_encode(&at_fault[_i], 0, buffer);
}
END_TEST

START_TEST(codec__largest_payload)
{
    struct record record = {
        .type = RECORD_ACTION_ENDED, .saga = {.serial = 9}, .action_state = 3, .output.size = RECORD_PAYLOAD_BYTES_MAX};
    uint8_t *output = calloc(1, record.output.size);
    record.output.at = output;
    uint8_t *at = malloc(codec_record_size_max(&record));
    size_t size = encode(&record, 1, at);
    struct record got;
    ck_assert_int_eq(decode(bytes_of(at, size), &got), 0);
    ck_assert(sample_records_equal(&got, &record));
    free(output);
    free(at);
}
END_TEST

/* A time of an answer says nothing without what was answered: it would come back otherwise. */
START_TEST(codec__a_field_that_goes_with_another_is_not_there_alone)
{
    const struct record record = {.type = RECORD_PAUSED,
                                  .saga = {.tag = 1, .serial = 2},
                                  .at = {.us = 5},
                                  .step = RECORD_NO_STEP,
                                  .action_state = 3,
                                  .given_at = {.us = 9}};
    struct record got;
    size_t size = encode(&record, 0, buffer), set = HEADER_SIZE + SERIAL_AT + 2, fields = set;
    ck_assert_int_eq(decode(bytes_of(buffer, size), &got), 0);
    while (buffer[fields++] > 127)
        ;
    unsigned bit = (unsigned)__builtin_ctzll(HAS_ACTION_STATE);
    ck_assert_int_eq(buffer[set + bit / 7] >> bit % 7 & 1, 1);
    buffer[set + bit / 7] ^= (uint8_t)(1 << bit % 7);
    ck_assert_int_eq(buffer[fields], 3);
    memmove(buffer + fields, buffer + fields + 1, size - fields - 1);
    seal(buffer, size - 1);
    ck_assert_int_eq(decode(bytes_of(buffer, size - 1), &got), E_JOURNAL_CORRUPT);
    ck_assert_str_eq(detail.text, "an answer was given to nothing");
}
END_TEST

/* Each text has its own room: none lives on what is spare for the rest. */
START_TEST(codec__room_is_made_for_every_text)
{
    static const uint8_t bytes[100];
    struct record record = {.type = RECORD_STARTED, .saga = {.serial = 1}};
    struct bytes *const texts[] = {&record.message,    &record.actor,  &record.output,      &record.name,
                                   &record.request_id, &record.input,  &record.traceparent, &record.step_name,
                                   &record.tags,       &record.counts, &record.identity};
    const size_t least = codec_record_size_max(&record);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = bytes_of(bytes, sizeof bytes);
        ck_assert_uint_ge(codec_record_size_max(&record), least + sizeof bytes);
        *texts[i] = bytes_of(NULL, 0);
    }
    record.call.target = "0123456789";
    record.call.method = "/0123456/89";
    ck_assert_uint_ge(codec_record_size_max(&record), least + 21);
    record.call.constant = bytes_of(bytes, sizeof bytes);
    ck_assert_uint_ge(codec_record_size_max(&record), least + 121);
}
END_TEST

/* With every field as large as it may be. */
START_TEST(codec__what_is_at_its_bounds_comes_back)
{
    static const uint8_t bytes[TAGS_BYTES_MAX];
    static uint8_t at[2 * RECORD_PAYLOAD_BYTES_MAX + 65536];
    struct record record = {.type = RECORD_STARTED,
                            .saga = {.serial = UINT64_MAX, .tag = (UINT64_C(1) << 48) - 1},
                            .at = {.us = INT64_MAX},
                            .step = STEPS_LIMIT - 1,
                            .attempt = UINT16_MAX,
                            .status = 16,
                            .maybe_executed = true,
                            .next_at = {.us = INT64_MIN},
                            .quiet_at = {.us = INT64_MAX - 1},
                            .message = bytes_of(bytes, MESSAGE_BYTES_MAX),
                            .action_state = ACTION_STATE_MAX,
                            .given_at = {.us = INT64_MIN},
                            .output = bytes_of(bytes, TAGS_BYTES_MAX),
                            .output_is_request = true,
                            .compensation_state = COMPENSATION_STATE_MAX,
                            .reason = REASON_COUNT - 1,
                            .saga_state = SAGA_RESOLVED,
                            .actor = bytes_of(bytes, ACTOR_BYTES_MAX),
                            .mode = SAGA_ENLISTED,
                            .definition = UINT32_MAX,
                            .name = bytes_of(bytes, NAME_BYTES_MAX),
                            .request_id = bytes_of(bytes, REQUEST_ID_BYTES_MAX),
                            .fingerprint = UINT64_MAX,
                            .input = bytes_of(bytes, TAGS_BYTES_MAX),
                            .traceparent = bytes_of(bytes, TRACEPARENT_BYTES_MAX),
                            .deadline = {.us = INT64_MIN},
                            .lease = {.us = INT64_MAX},
                            .step_name = bytes_of(bytes, STEP_NAME_BYTES_MAX),
                            .digest = UINT64_MAX,
                            .tags = bytes_of(bytes, TAGS_BYTES_MAX),
                            .counts = bytes_of(bytes, 2 * STEPS_LIMIT),
                            .identity = bytes_of(bytes, IDENTITY_BYTES_MAX),
                            .choice = TARGET_CHOICES_MAX,
                            .priority = PRIORITY_HIGH,
                            .synthetic = true,
                            .fault = FAULTS_MAX - 1,
                            .call = {.source = REQUEST_CONSTANT,
                                     .target = text_of_65 + 1,
                                     .method = "/b/c",
                                     .timeout = {.us = INT64_MAX},
                                     .retry = {.max_attempts = RETRY_ATTEMPTS_MAX,
                                               .initial_backoff.us = INT64_MAX,
                                               .max_backoff.us = INT64_MAX,
                                               .backoff_multiplier_permille = UINT32_MAX,
                                               .jitter_permille = RETRY_JITTER_PERMILLE_MAX,
                                               .retryable_status_codes = STATUS_SET_MAX},
                                     .constant = bytes_of(bytes, TAGS_BYTES_MAX)}};
    struct record got;
    ck_assert_uint_lt(codec_record_size_max(&record), sizeof at);
    size_t size = encode(&record, UINT64_MAX, at);
    ck_assert_uint_le(size, codec_record_size_max(&record));
    ck_assert_int_eq(decode(bytes_of(at, size), &got), 0);
    ck_assert(sample_records_equal(&got, &record));
    ck_assert_uint_eq(got.identity.size, IDENTITY_BYTES_MAX);
    ck_assert_int_eq(got.fault, FAULTS_MAX - 1);
    ck_assert_int_eq(got.call.timeout.us, INT64_MAX);
    /* And as small, beside payloads that are as large. */
    static uint8_t payload[RECORD_PAYLOAD_BYTES_MAX];
    record.output = bytes_of(NULL, 0);
    record.input = record.call.constant = bytes_of(payload, sizeof payload);
    record.call.timeout.us = 1;
    record.call.retry =
        (struct retry_policy){.max_attempts = 1, .backoff_multiplier_permille = RETRY_MULTIPLIER_PERMILLE_MIN};
    ck_assert_uint_lt(codec_record_size_max(&record), sizeof at);
    size = encode(&record, UINT64_MAX, at);
    ck_assert_int_eq(decode(bytes_of(at, size), &got), 0);
    ck_assert(sample_records_equal(&got, &record));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("codec");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, codec__samples_cover_every_type);
    tcase_add_test(t, codec__every_record_comes_back);
    tcase_add_test(t, codec__frame_of_many_records);
    tcase_add_test(t, codec__digest_of_a_mapped_request_comes_back);
    tcase_add_test(t, codec__the_time_of_a_last_good_answer_comes_back);
    tcase_add_test(t, codec__what_typed_definitions_record_is_read_for_ever);
    tcase_add_test(t, codec__cut_anywhere_is_corrupt);
    tcase_add_test(t, codec__cut_within_a_sealed_record_is_corrupt);
    tcase_add_test(t, codec__a_text_without_its_end_is_corrupt);
    tcase_add_test(t, codec__flipped_bit_is_corrupt);
    tcase_add_test(t, codec__record_has_one_encoding);
    tcase_add_test(t, codec__format_and_type_that_are_not_known);
    tcase_add_test(t, codec__largest_payload);
    tcase_add_test(t, codec__room_is_made_for_every_text);
    tcase_add_test(t, codec__what_is_at_its_bounds_comes_back);
    tcase_add_test(t, codec__a_field_that_goes_with_another_is_not_there_alone);
    tcase_add_loop_test_raise_signal(t, codec__out_of_bounds_is_a_defect, SIGABRT, 0,
                                     (int)(sizeof at_fault / sizeof at_fault[0]));
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
