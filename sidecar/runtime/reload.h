/* reload.h - the configuration read again while the sidecar runs: by SIGHUP, and by the operator's method Reload.
 *
 * What options.def calls RELOADED is taken: targets, definitions_dir, schemas_dir, objectives, log_level and others. The rest is named, and waits for a restart. A file
 * that is wrong, be it of a definition, changes nothing (sets of descriptors that came with it stay registered, which harms nobody).
 *
 * The thread of signals reads the files; loop 0 takes what they say, in pieces, and the other loops their targets. */
#ifndef SAGA_RUNTIME_RELOAD_H
#define SAGA_RUNTIME_RELOAD_H

#include "sidecar/runtime/loop_inside.h"

/* Of the thread of signals: reads the file (NULL: the defaults) and what it names, and hands that to loop 0. */
void reload_read(struct sidecar *sidecar, const char *file);

/* Of loop 0, for a request: has the files read. Returns the number under which api_reloaded will tell what came of it. */
uint32_t reload_ask(void *self);

/* In every turn of a loop: takes what is there to be taken. */
void reload_turn(struct loop *s);

/* What nobody will take any more. */
void reload_drop(struct sidecar *sidecar);

/* Of loop 0: the configuration that new definitions are judged by: that in force, or what is being taken. */
const struct config *reload_config(const struct loop *s);

#endif
