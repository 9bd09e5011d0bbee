/* definitions_dir.h - definitions that lie as files in a directory, as a mounted ConfigMap gives them. */
#ifndef SAGA_RUNTIME_DEFINITIONS_DIR_H
#define SAGA_RUNTIME_DEFINITIONS_DIR_H

#include "sidecar/config/config.h"

/* Reads every *.yaml and *.yml of config->definitions_dir, by name, and hands each definition to take, which takes it. When take fails the
 * definition is destroyed, and reading stops. Returns 0 or the first error, whose text begins with the file's name. */
int definitions_dir_read(const struct config *config,
                         int (*take)(void *self, struct definition *definition, struct error_detail *detail),
                         void *self, struct error_detail *detail);

/* Whether the configuration names the targets of a definition that was read. Returns 0, E_TARGET_NOT_FOUND with the place in its text, or E_MEMORY. */
int definitions_dir_check_one(const struct config *config, const struct definition *definition,
                              struct error_detail *detail);

/* Reads them all and checks that sagad.yaml names their targets: what `sagad -n` does. */
int definitions_dir_check(const struct config *config, struct error_detail *detail);

#endif
