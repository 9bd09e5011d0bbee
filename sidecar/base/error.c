/* error.c - the error table and its look-up. */
#include "sidecar/base/error.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/base/utf8.h"

#include <stddef.h>
#include <string.h>

#define ERROR_ROW(constant, number, reason, status, retryable, text) {number, reason, status, retryable, text},
static const struct error_row rows[] = {ERROR_TABLE(ERROR_ROW)};
#undef ERROR_ROW

const struct error_row *error_row(int code)
{
    size_t index = (size_t)(-code) - 1;
    CHECK(code < 0 && index < sizeof rows / sizeof rows[0] && rows[index].code == code);
    return &rows[index];
}

int error_set(struct error_detail *detail, int code, const char *field, const char *text)
{
    detail->field[0] = '\0';
    detail->text[0] = '\0';
    detail->retry_ms = 0;
    detail->line = 0;
    detail->column = 0;
    detail->rule = NULL;
    utf8_append(detail->field, sizeof detail->field, field == NULL ? "" : field);
    utf8_append(detail->text, sizeof detail->text, text == NULL ? "" : text);
    return code;
}

void error_append(struct error_detail *detail, const char *more)
{
    utf8_append(detail->text, sizeof detail->text, more);
}
