/* sha256.h - SHA-256 (FIPS 180-4): names sets of descriptors by what they hold, in rooms that may call no library. Pure. Not for secrets: nothing
 * here takes care of how long it takes. */
#ifndef SAGA_BASE_SHA256_H
#define SAGA_BASE_SHA256_H

#include "sidecar/base/bytes.h"

#define SHA256_SIZE 32
/* In hexadecimal digits, with the NUL. */
#define SHA256_TEXT_SIZE 65

void sha256(struct bytes data, uint8_t digest[SHA256_SIZE]);

/* The same in lower-case hexadecimal digits. */
void sha256_text(struct bytes data, char text[SHA256_TEXT_SIZE]);

#endif
