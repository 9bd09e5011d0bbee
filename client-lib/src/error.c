/* error.c - the status table, and how an error struct is filled. */
#include <saga/error.h>
#include <saga/version.h>

#include <string.h>

struct status_row {
    const char *name;
    const char *text;
};

#define SAGA_STATUS_ROW(constant, number, name, text) [number] = {name, text},
static const struct status_row rows[SAGA_STATUS_COUNT] = {SAGA_STATUS_TABLE(SAGA_STATUS_ROW)};
#undef SAGA_STATUS_ROW

static const struct status_row *row_of(int code)
{
    return &rows[code >= 0 && code < SAGA_STATUS_COUNT ? code : SAGA_E_UNKNOWN];
}

const char *saga_version(void)
{
    return SAGA_VERSION;
}

const char *saga_status_name(int code)
{
    return row_of(code)->name;
}

const char *saga_status_text(int code)
{
    return row_of(code)->text;
}

static void copy_cut(char *to, size_t size, const char *from)
{
    size_t length = from ? strnlen(from, size - 1) : 0;
    if (length > 0)
        memcpy(to, from, length);
    to[length] = '\0';
}

int saga_error_set(struct saga_error *error, int code, const char *reason, const char *field, const char *message)
{
    if (error) {
        error->code = code;
        copy_cut(error->reason, sizeof error->reason, reason);
        copy_cut(error->field, sizeof error->field, field);
        copy_cut(error->message, sizeof error->message, message ? message : saga_status_text(code));
        error->retry_delay_ms = -1;
    }
    return code;
}
