/* retries.c - rows of six numbers for actions and six for compensations, in decimal digits, so that a person can read them. */
#include "sidecar/core/retries.h"

#include "sidecar/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FORM_OF_VALUE 1

struct kept {
    uint32_t definition;
    struct retry_defaults retry;
};

struct retries {
    struct kept *kept;
    size_t count, room;
    struct error_detail *detail;
};

static size_t write_policy(const struct retry_policy *p, char *at, size_t size)
{
    int used = snprintf(at, size, "%u %" PRId64 " %" PRId64 " %" PRIu32 " %" PRIu32 " %" PRIu32,
                        (unsigned)p->max_attempts, p->initial_backoff.us, p->max_backoff.us,
                        p->backoff_multiplier_permille, p->jitter_permille, p->retryable_status_codes);
    CHECK(used > 0 && (size_t)used < size);
    return (size_t)used;
}

struct subject_row retries_row(const struct definition *definition, struct retries_room *room)
{
    snprintf(room->name, sizeof room->name, "%" PRIu32, definition->number);
    size_t used = write_policy(&definition->retry.action, room->value, sizeof room->value - 1);
    room->value[used++] = ' ';
    used += write_policy(&definition->retry.compensation, room->value + used, sizeof room->value - used);
    return (struct subject_row){.kind = SUBJECT_RETRY,
                                .name = bytes_of_text(room->name),
                                .version = FORM_OF_VALUE,
                                .value = bytes_of(room->value, used)};
}

/* Takes a number and the space or the end behind it. Returns false when there is none, or it is above most. */
static bool take_number(const char **at, uint64_t most, uint64_t *number)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    *number = strtoull(*at, &end, 10);
    *at = *end == ' ' ? end + 1 : end;
    return (*end == ' ' || *end == '\0') && *number <= most;
}

static bool take_policy(const char **at, struct retry_policy *p)
{
    uint64_t n[6];
    static const uint64_t most[6] = {UINT16_MAX, INT64_MAX, INT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    for (unsigned i = 0; i < 6; i++)
        if (!take_number(at, most[i], &n[i]))
            return false;
    *p = (struct retry_policy){.max_attempts = (uint16_t)n[0],
                               .initial_backoff.us = (int64_t)n[1],
                               .max_backoff.us = (int64_t)n[2],
                               .backoff_multiplier_permille = (uint32_t)n[3],
                               .jitter_permille = (uint32_t)n[4],
                               .retryable_status_codes = (uint32_t)n[5]};
    return retry_policy_valid(p);
}

static int take_row(void *self, const struct subject_row *row)
{
    struct retries *r = self;
    struct retries_room room;
    struct kept kept;
    uint64_t number = 0;
    bool sound =
        row->version == FORM_OF_VALUE && row->name.size < sizeof room.name && row->value.size < sizeof room.value;
    if (sound) {
        memcpy(room.name, row->name.at, row->name.size);
        room.name[row->name.size] = '\0';
        memcpy(room.value, row->value.at, row->value.size);
        room.value[row->value.size] = '\0';
        const char *name = room.name, *value = room.value;
        sound = take_number(&name, UINT32_MAX, &number) && number > 0 && *name == '\0' && name[-1] != ' ' &&
                take_policy(&value, &kept.retry.action) && take_policy(&value, &kept.retry.compensation) &&
                *value == '\0';
    }
    if (!sound)
        return error_set(r->detail, E_JOURNAL_CORRUPT, "",
                         "a definition's retry policies in the table subjects are none");
    if (r->count == r->room) {
        size_t more = 2 * r->room + 16;
        struct kept *grown = realloc(r->kept, more * sizeof *grown);
        if (grown == NULL)
            return error_set(r->detail, E_MEMORY, "", NULL);
        r->kept = grown;
        r->room = more;
    }
    kept.definition = (uint32_t)number;
    r->kept[r->count++] = kept;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = ((const struct kept *)a)->definition, right = ((const struct kept *)b)->definition;
    return (left > right) - (left < right);
}

int retries_recover(struct store *store, struct retries **out, struct error_detail *detail)
{
    struct retries *r = calloc(1, sizeof *r);
    if (r == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    r->detail = detail;
    int code = store->scan_subjects(store, SUBJECT_RETRY, take_row, r, detail);
    if (code != 0) {
        retries_destroy(r);
        return code;
    }
    /* The rows come in the order of their names, as texts. */
    if (r->count > 0)
        qsort(r->kept, r->count, sizeof *r->kept, by_number);
    *out = r;
    return 0;
}

void retries_destroy(struct retries *r)
{
    if (r == NULL)
        return;
    free(r->kept);
    free(r);
}

const struct retry_defaults *retries_find(const struct retries *r, uint32_t definition)
{
    const struct kept wanted = {.definition = definition};
    const struct kept *found = r->count == 0 ? NULL : bsearch(&wanted, r->kept, r->count, sizeof *r->kept, by_number);
    return found == NULL ? NULL : &found->retry;
}
