/* breakers.c - a mark in bytes: flags, how often it opened in a row, when it did, until when; all little-endian. */
#include "sidecar/core/breakers.h"

#define OPEN 1u
#define HELD 2u

static void put(uint8_t *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

struct subject_row breakers_row(const char *target, const struct breaker_mark *mark, uint8_t value[BREAKER_ROW_BYTES])
{
    value[0] = (uint8_t)((mark->open ? OPEN : 0) | (mark->held ? HELD : 0));
    put(value + 1, mark->openings, 4);
    put(value + 5, (uint64_t)mark->opened_at.us, 8);
    put(value + 13, (uint64_t)mark->open_until.us, 8);
    return (struct subject_row){.kind = SUBJECT_BREAKER,
                                .name = bytes_of_text(target),
                                .version = BREAKER_ROW_VERSION,
                                .value = bytes_of(value, BREAKER_ROW_BYTES)};
}

int breakers_read(const struct subject_row *row, struct breaker_mark *mark, struct error_detail *detail)
{
    const uint8_t *value = row->value.at;
    if (row->version != BREAKER_ROW_VERSION)
        return error_set(detail, E_JOURNAL_VERSION, "",
                         "a target's breaker is kept in a form that this sagad does not know; start the sagad that "
                         "wrote it, or a newer one");
    if (row->value.size != BREAKER_ROW_BYTES || (value[0] & ~(OPEN | HELD)) != 0 || value[0] == HELD)
        return error_set(detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects tells of no breaker");
    *mark = (struct breaker_mark){.open = (value[0] & OPEN) != 0,
                                  .held = (value[0] & HELD) != 0,
                                  .openings = (uint32_t)get(value + 1, 4),
                                  .opened_at = {.us = (int64_t)get(value + 5, 8)},
                                  .open_until = {.us = (int64_t)get(value + 13, 8)}};
    if (!mark->open && mark->openings != 0)
        return error_set(detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects tells of no breaker");
    return 0;
}
