/* request_id.h - ids of requests that their callers gave none. Not installed. */
#ifndef SAGA_CLIENT_REQUEST_ID_H
#define SAGA_CLIENT_REQUEST_ID_H

#include <saga/client.h>

/* A UUIDv7: ids that were made later sort later, which keeps the sidecar's index short. */
void request_id_make(char out[SAGA_REQUEST_ID_SIZE]);

#endif
