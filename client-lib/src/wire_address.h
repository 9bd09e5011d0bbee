/* wire_address.h - from the address that a person writes to the target name that C core wants. */
#ifndef SAGA_CLIENT_WIRE_ADDRESS_H
#define SAGA_CLIENT_WIRE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include <saga/error.h>

/* The longest target name, with its NUL. */
#define WIRE_TARGET_SIZE 512

/* Reads "unix:PATH", "HOST:PORT", "[IPV6]:PORT", "dns:///HOST:PORT", "ipv4:..." or "ipv6:...". Fails with INVALID_ARGUMENT. */
int wire_address_target(const char *address, char target[WIRE_TARGET_SIZE], struct saga_error *error);

#endif
