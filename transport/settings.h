/* settings.h - C core's settings of a channel or server, written as a table of names and numbers. */
#ifndef SAGA_TRANSPORT_SETTINGS_H
#define SAGA_TRANSPORT_SETTINGS_H

#include <grpc/grpc.h>

#include <stddef.h>

struct transport_setting {
    const char *key;
    int value;
};

/* Fills in args[0..count); the keys must stay. */
void transport_settings(const struct transport_setting *settings, size_t count, grpc_arg *args);

#endif
