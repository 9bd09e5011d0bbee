/* siphash.h - the hash SipHash-2-4, 64 bits (https://www.aumasson.jp/siphash/siphash.pdf): of short texts that others choose, in tables of ours.
 * Who does not know the key cannot aim at a value. */
#ifndef SAGA_BASE_SIPHASH_H
#define SAGA_BASE_SIPHASH_H

#include "sidecar/base/bytes.h"

uint64_t siphash(const uint64_t key[2], struct bytes data);

#endif
