#include "sidecar/base/call_key.h"

#include "sidecar/base/decimal.h"

size_t call_key_format(struct saga_id saga, struct bytes step, bool action, uint32_t generation, char *key)
{
    const char *phase = action ? "/action" : "/compensation";
    size_t size = saga_id_format(saga, key);
    key[size++] = '/';
    memcpy(key + size, step.at, step.size);
    size += step.size;
    memcpy(key + size, phase, strlen(phase));
    size += strlen(phase);
    if (generation > 0) {
        char digits[INTEGER_TEXT_SIZE];
        size_t count = decimal_write_uint(generation + UINT64_C(1), digits);
        key[size++] = '#';
        memcpy(key + size, digits, count);
        size += count;
    }
    key[size] = '\0';
    return size;
}
