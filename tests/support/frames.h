/* frames.h - small sound frames for tests of what keeps them. */
#ifndef TESTS_SUPPORT_FRAMES_H
#define TESTS_SUPPORT_FRAMES_H

#include "sidecar/engine/record.h"

/* Writes `count` records of sagas first_serial, first_serial + 1, ... into `at`, each with `payload` bytes that follow from its serial.
 * Returns a view of them. `at` must have room for count * (RECORD_OVERHEAD_MAX + payload + 32) bytes. */
struct bytes frame_make(uint8_t *at, uint64_t first_serial, size_t count, size_t payload, struct instant when);

#endif
