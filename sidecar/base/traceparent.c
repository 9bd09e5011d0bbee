/* traceparent.c - the form of a trace context. */
#include "sidecar/base/traceparent.h"

#define SIZE 55 /* of version 00 */

/* Digits from `at` on; *zero tells whether all of them are 0. */
static bool is_hex(const uint8_t *at, size_t count, bool *zero)
{
    *zero = true;
    for (size_t i = 0; i < count; i++) {
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f')))
            return false;
        *zero = *zero && at[i] == '0';
    }
    return true;
}

bool traceparent_valid(struct bytes text)
{
    bool zero, no_trace, no_parent;
    if (text.size < SIZE || text.at[2] != '-' || text.at[35] != '-' || text.at[52] != '-')
        return false;
    if (!is_hex(text.at, 2, &zero) || !is_hex(text.at + 3, 32, &no_trace) || !is_hex(text.at + 36, 16, &no_parent) ||
        no_trace || no_parent)
        return false;
    bool first = zero;
    if (!is_hex(text.at + 53, 2, &zero) || memcmp(text.at, "ff", 2) == 0)
        return false;
    for (size_t i = SIZE; i < text.size; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return text.size == SIZE || (!first && text.at[SIZE] == '-');
}
