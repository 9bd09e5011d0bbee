/* checksum.c - checksums of rows, from schema 2 on. Frames need none: each of their records has its own. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <zlib.h>

static uint32_t add_text(uint32_t sum, struct bytes text)
{
    return text.size == 0 ? sum : (uint32_t)crc32(sum, text.at, (uInt)text.size);
}

uint32_t checksum_of(const uint64_t *numbers, size_t count, struct bytes first, struct bytes second)
{
    CHECK(count > 0 && numbers != NULL); /* a row is known by a number at least */
    uint32_t sum = (uint32_t)crc32(0, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        uint8_t at[8];
        for (int k = 0; k < 8; k++)
            at[k] = (uint8_t)(numbers[i] >> 8 * k);
        sum = (uint32_t)crc32(sum, at, sizeof at);
    }
    return add_text(add_text(sum, first), second);
}

void checksum_bind(sqlite3_stmt *statement, int parameter, uint32_t checksum)
{
    sqlite3_bind_int(statement, parameter, (int32_t)checksum);
}

bool checksum_fits(sqlite3_stmt *at, int column, uint32_t checksum)
{
    return sqlite3_column_type(at, column) == SQLITE_NULL || (uint32_t)sqlite3_column_int(at, column) == checksum;
}
