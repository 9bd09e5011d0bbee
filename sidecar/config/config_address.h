/* config_address.h - which texts of sagad.yaml are addresses to listen at, and addresses to call. */
#ifndef SAGA_CONFIG_CONFIG_ADDRESS_H
#define SAGA_CONFIG_CONFIG_ADDRESS_H

#include "sidecar/base/bytes.h"

/* NULL when the sidecar may listen at address (NUL-terminated): a unix socket, or a loopback address with a port. Else
 * what is wrong, in words that follow the address. */
const char *address_check_listen(const char *address);

/* The same for an address that is called: a unix socket, or any host with a port. */
const char *address_check_target(const char *address);

#endif
