/* grpc_status.c - names of the canonical status codes. */
#include "sidecar/base/grpc_status.h"

#include <stddef.h>
#include <string.h>

static const char *const names[CODE_COUNT] = {
    [CODE_OK] = "OK",
    [CODE_CANCELLED] = "CANCELLED",
    [CODE_UNKNOWN] = "UNKNOWN",
    [CODE_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [CODE_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [CODE_NOT_FOUND] = "NOT_FOUND",
    [CODE_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [CODE_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [CODE_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [CODE_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [CODE_ABORTED] = "ABORTED",
    [CODE_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [CODE_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [CODE_INTERNAL] = "INTERNAL",
    [CODE_UNAVAILABLE] = "UNAVAILABLE",
    [CODE_DATA_LOSS] = "DATA_LOSS",
    [CODE_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *grpc_status_name(int code)
{
    return code >= 0 && code < CODE_COUNT ? names[code] : names[CODE_UNKNOWN];
}

int grpc_status_parse(const char *name)
{
    for (int code = 0; code < CODE_COUNT; code++)
        if (strcmp(names[code], name) == 0)
            return code;
    return -1;
}
