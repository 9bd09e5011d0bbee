/* settings.c - from the table to what C core takes. */
#include "transport/settings.h"

#include <stdint.h>

void transport_settings(const struct transport_setting *settings, size_t count, grpc_arg *args)
{
    for (size_t i = 0; i < count; i++)
        args[i] = (grpc_arg){
            .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)settings[i].key, .value.integer = settings[i].value};
}
