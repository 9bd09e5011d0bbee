/* config_file.h - what a sidecar's configuration says to those who judge a definition without it: --config. */
#ifndef SAGACTL_CONFIG_FILE_H
#define SAGACTL_CONFIG_FILE_H

#include "client-lib/sagactl/run.h"
#include "sidecar/definition/participants.h"
#include "sidecar/definition/reader.h"

struct config;

/* What holds for a sidecar with this configuration. */
struct config_file {
    struct config *config; /* NULL: none was given */
    struct definition_limits limits;
    struct participants participants;
};

/* Reads what --config names; else what holds without. Returns EXIT_DONE, or EXIT_USAGE after having said why; then there is nothing to finish. */
int config_file_load(struct run *r, struct config_file *f);
void config_file_finish(struct config_file *f);

#endif
