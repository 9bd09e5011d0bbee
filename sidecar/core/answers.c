/* answers.c - an answer in bytes: when it was given (8, little-endian), the size of its name (2), the name, and the answer. */
#include "sidecar/core/answers.h"

#include "sidecar/base/check.h"
#include "sidecar/base/decimal.h"

#include <string.h>

#define HEAD_SIZE 10
/* Digits of a slot's number. */
#define SLOT_DIGITS_MAX 8

size_t answers_value_size(const struct recalled *one)
{
    return one->name.size == 0 ? 0 : HEAD_SIZE + one->name.size + one->answer.size;
}

struct subject_row answers_row(const struct recalled *one, char *name, uint8_t *value)
{
    size_t size = decimal_write_uint(one->slot, name);
    CHECK(size < ANSWER_NAME_SIZE && one->name.size <= RECALL_NAME_BYTES_MAX);
    if (one->name.size > 0) {
        for (unsigned i = 0; i < 8; i++)
            value[i] = (uint8_t)((uint64_t)one->given_at.us >> 8 * i);
        value[8] = (uint8_t)one->name.size;
        value[9] = (uint8_t)(one->name.size >> 8);
        memcpy(value + HEAD_SIZE, one->name.at, one->name.size);
        if (one->answer.size > 0)
            memcpy(value + HEAD_SIZE + one->name.size, one->answer.at, one->answer.size);
    }
    return (struct subject_row){.kind = SUBJECT_ANSWER,
                                .name = bytes_of(name, size),
                                .version = ANSWER_ROW_VERSION,
                                .value = bytes_of(value, answers_value_size(one))};
}

static int corrupt(struct error_detail *detail)
{
    return error_set(detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects holds no answer");
}

int answers_read(const struct subject_row *row, struct recalled *one, struct error_detail *detail)
{
    const uint8_t *value = row->value.at;
    *one = (struct recalled){.slot = 0};
    if (row->version != ANSWER_ROW_VERSION)
        return error_set(detail, E_JOURNAL_VERSION, "",
                         "a last good answer is kept in a form that this sagad does not know; start the sagad that "
                         "wrote it, or a newer one");
    if (row->name.size == 0 || row->name.size > SLOT_DIGITS_MAX)
        return corrupt(detail);
    for (size_t i = 0; i < row->name.size; i++) {
        if (row->name.at[i] < '0' || row->name.at[i] > '9')
            return corrupt(detail);
        one->slot = one->slot * 10 + (uint32_t)(row->name.at[i] - '0');
    }
    if (row->value.size == 0)
        return 0;
    size_t size = row->value.size < HEAD_SIZE ? 0 : value[8] | (size_t)value[9] << 8;
    if (size == 0 || size > row->value.size - HEAD_SIZE)
        return corrupt(detail);
    uint64_t at = 0;
    for (unsigned i = 0; i < 8; i++)
        at |= (uint64_t)value[i] << 8 * i;
    one->given_at = (struct instant){.us = (int64_t)at};
    one->name = bytes_of(value + HEAD_SIZE, size);
    one->answer = bytes_of(value + HEAD_SIZE + size, row->value.size - HEAD_SIZE - size);
    return 0;
}
