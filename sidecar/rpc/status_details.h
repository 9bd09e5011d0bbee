/* status_details.h - an error of base/error.h as the google.rpc.Status that goes out with it (https://google.aip.dev/193): what rpc_end
 * takes as status_details, and what a result of Pipe holds. */
#ifndef SAGA_RPC_STATUS_DETAILS_H
#define SAGA_RPC_STATUS_DETAILS_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"

/* More than any of them takes. */
#define STATUS_DETAILS_SIZE_MAX 2048
#define STATUS_MESSAGE_SIZE_MAX 384

/* The sentence for people: where (line and column of a text, path of a field) and what. detail may be NULL. Returns message. */
const char *status_message(int code, const struct error_detail *detail, char message[STATUS_MESSAGE_SIZE_MAX]);

/* Writes a serialized google.rpc.Status: the gRPC code, the sentence, and as details ErrorInfo (domain "saga.v1", the row's reason),
 * BadRequest with the field of an INVALID_ARGUMENT, and RetryInfo where trying again can help. detail may be NULL. Views at. */
struct bytes status_details(int code, const struct error_detail *detail, uint8_t at[STATUS_DETAILS_SIZE_MAX]);

#endif
