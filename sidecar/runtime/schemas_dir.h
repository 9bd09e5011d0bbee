/* schemas_dir.h - sets of descriptors that lie as files in a directory. */
#ifndef SAGA_RUNTIME_SCHEMAS_DIR_H
#define SAGA_RUNTIME_SCHEMAS_DIR_H

#include "sidecar/config/config.h"

/* Reads every *.binpb of config->schemas_dir, by name, and hands each to take, with the file's name without its end. Stops when take fails. Returns 0
 * or the first error, whose text begins with the file's name. */
int schemas_dir_read(const struct config *config,
                     int (*take)(void *self, const char *name, struct bytes set, struct error_detail *detail),
                     void *self, struct error_detail *detail);

#endif
