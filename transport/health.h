/* health.h - the messages of grpc.health.v1 (https://grpc.io/docs/guides/health-checking/), for everybody who serves it. */
#ifndef SAGA_TRANSPORT_HEALTH_H
#define SAGA_TRANSPORT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum health_state { HEALTH_SERVING = 1, HEALTH_NOT_SERVING = 2, HEALTH_SERVICE_UNKNOWN = 3 };

#define HEALTH_NAME_SIZE     128
#define HEALTH_RESPONSE_SIZE 16

/* Reads the service that a HealthCheckRequest asks for: "" is the whole server. A name that is too long is read as "?", which is nobody's.
 * Returns false when the bytes are none. */
bool health_read(const uint8_t *bytes, size_t size, char name[HEALTH_NAME_SIZE]);

/* Writes a HealthCheckResponse and returns its size. */
size_t health_write(enum health_state state, uint8_t response[HEALTH_RESPONSE_SIZE]);

#endif
