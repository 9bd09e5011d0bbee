/* codec.h - records as bytes. docs/journal-format.md describes them.
 *
 * Records are gathered into *frames*: one frame is what one durable commit wrote. A record on disk is
 *   size (4 bytes, of what follows the checksum), CRC-32 of what follows (4), format version (1), type (1), fields.
 * Within a record, `previous` tells the frame that holds the saga's record before this one (0: none), so that a saga's
 * timeline can be walked backwards without an index. */
#ifndef SAGA_JOURNAL_CODEC_H
#define SAGA_JOURNAL_CODEC_H

#include "sidecar/base/error.h"
#include "sidecar/engine/record.h"

#define RECORD_FORMAT 1
/* Not a record: a frame as a whole that is sealed, in sealed/. */
#define SEALED_FORMAT 2

/* The most bytes that an input, an output or a compensation's request may have on disk; payload_bytes_max lies far
 * below. */
#define RECORD_PAYLOAD_BYTES_MAX (16u << 20)

/* More than the encoding of a record adds to the bytes that its views hold. */
#define RECORD_OVERHEAD_MAX 512

/* The most bytes that record's encoding can take. */
size_t codec_record_size_max(const struct record *record);

/* Writes record at `at`, which has room for codec_record_size_max(record) bytes; returns the bytes written. A record
 * out of the bounds of record.h and model.h is a defect of the caller (CHECK), because it could not be read again. */
size_t codec_encode(const struct record *record, uint64_t previous_frame, uint8_t *at);

/* Reads the record at the start of *rest and moves *rest past it. Views in *record point into the frame; call.target
 * and call.method are NUL-terminated there. Returns 0 or E_JOURNAL_CORRUPT (torn, checksum, unknown type or format, a
 * length or value out of bounds), with *rest where it was and detail telling what. Every byte may come from a damaged
 * disk. */
int codec_decode(struct bytes *rest, struct record *record, uint64_t *previous_frame, struct error_detail *detail);

/* Likewise a record that this process has encoded and that has been nowhere else: its checksum, which is half of the work, is not looked at, nor whether
 * its fields are within their bounds, as the encoder has. */
void codec_decode_own(struct bytes *rest, struct record *record);

/* Checks sizes, checksums and formats along a whole frame, which holds at least one record, or is sealed. Returns 0 or
 * E_JOURNAL_CORRUPT. */
int codec_check(struct bytes frame, struct error_detail *detail);

/* When the first record of a sound frame was made. */
struct instant codec_time(struct bytes frame);

/* The type of the record at the start of rest, a frame that was checked before. */
uint8_t codec_type(struct bytes rest);

/* Reads only the serial of the saga that the record at the start of *rest is about, and moves *rest past it, checking
 * its size but not its checksum: for skipping along a frame that was checked before. */
int codec_skip(struct bytes *rest, uint64_t *serial);

#endif
