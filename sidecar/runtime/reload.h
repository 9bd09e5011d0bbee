/* reload.h - the configuration read again while the sidecar runs. */
#ifndef SAGA_RUNTIME_RELOAD_H
#define SAGA_RUNTIME_RELOAD_H

#include "sidecar/config/config.h"

/* Reads the file (NULL: the defaults), takes what can be taken while it runs, the level of the log, and names in the log what has changed
 * and waits for a restart. A file that is wrong changes nothing. running is the configuration of the start. From any thread. */
void reload(const struct config *running, const char *file);

#endif
