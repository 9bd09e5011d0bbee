/* grpc_status.h - the seventeen canonical status codes, by number and name, for rooms that may not see gRPC.
 * Numbers and names: https://grpc.io/docs/guides/status-codes/. */
#ifndef SAGA_BASE_GRPC_STATUS_H
#define SAGA_BASE_GRPC_STATUS_H

enum grpc_code {
    CODE_OK = 0,
    CODE_CANCELLED = 1,
    CODE_UNKNOWN = 2,
    CODE_INVALID_ARGUMENT = 3,
    CODE_DEADLINE_EXCEEDED = 4,
    CODE_NOT_FOUND = 5,
    CODE_ALREADY_EXISTS = 6,
    CODE_PERMISSION_DENIED = 7,
    CODE_RESOURCE_EXHAUSTED = 8,
    CODE_FAILED_PRECONDITION = 9,
    CODE_ABORTED = 10,
    CODE_OUT_OF_RANGE = 11,
    CODE_UNIMPLEMENTED = 12,
    CODE_INTERNAL = 13,
    CODE_UNAVAILABLE = 14,
    CODE_DATA_LOSS = 15,
    CODE_UNAUTHENTICATED = 16,
    CODE_COUNT = 17
};

/* "NOT_FOUND" for 5; "UNKNOWN" for a number outside the table. */
const char *grpc_status_name(int code);

/* The number of an upper-case name, or -1. */
int grpc_status_parse(const char *name);

#endif
