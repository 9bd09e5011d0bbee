/* request_id.c - UUIDv7 (RFC 9562): the time in front, random bits behind. */
#include "client-lib/src/request_id.h"
#include "client-lib/src/wire.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

void request_id_make(char out[SAGA_REQUEST_ID_SIZE])
{
    struct timespec now;
    uint8_t b[16];
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    /* Up to 256 bytes getrandom is never cut short; it fails only before the kernel has any randomness at all, or without the system call:
     * then the clock's nanoseconds and the address of a local are what there is. */
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        uint64_t weak[2] = {(uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15),
                            (uint64_t)(uintptr_t)&now ^ (uint64_t)wire_now()};
        memcpy(b, weak, sizeof b);
    }
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    snprintf(out, SAGA_REQUEST_ID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
