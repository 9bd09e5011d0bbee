/* health.c - reads and writes them. */
#include "transport/health.h"

#include "grpc/health/v1/health.pb-c.h"

#include <stdio.h>
#include <string.h>

bool health_read(const uint8_t *bytes, size_t size, char name[HEALTH_NAME_SIZE])
{
    Grpc__Health__V1__HealthCheckRequest *asked = grpc__health__v1__health_check_request__unpack(NULL, size, bytes);
    if (asked == NULL)
        return false;
    snprintf(name, HEALTH_NAME_SIZE, "%s", strlen(asked->service) < HEALTH_NAME_SIZE ? asked->service : "?");
    grpc__health__v1__health_check_request__free_unpacked(asked, NULL);
    return true;
}

size_t health_write(enum health_state state, uint8_t response[HEALTH_RESPONSE_SIZE])
{
    Grpc__Health__V1__HealthCheckResponse message = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    message.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)state;
    return grpc__health__v1__health_check_response__pack(&message, response);
}
