/* sidecar.h - one sidecar: its journal, its sagas, its server, and the loop that turns them. */
#ifndef SAGA_RUNTIME_SIDECAR_H
#define SAGA_RUNTIME_SIDECAR_H

#include "sidecar/config/config.h"

struct sidecar;

struct adopted;

/* Takes the data directory, recovers what lives in the journal, registers the definitions of definitions_dir, and listens. config, and the
 * name of its file (NULL: the defaults), are borrowed for the sidecar's life. Gives *out. Returns 0 or an error, with what was at fault in detail. */
int sidecar_open(const struct config *config, const char *file, struct sidecar **out, struct error_detail *detail);

/* The same for a journal in the database that is another's: it listens nowhere, and registers nothing. adopted is borrowed, too. */
int sidecar_open_guest(const struct config *config, const struct adopted *adopted, struct sidecar **out,
                       struct error_detail *detail);

/* Serves until sidecar_stop; then lets what is in flight end within shutdown_grace. Returns 0, or an error when it had to stop
 * by itself: the journal then holds everything that was acknowledged. */
int sidecar_run(struct sidecar *s, struct error_detail *detail);

/* From any thread. */
void sidecar_stop(struct sidecar *s);

/* Reads the configuration again, and takes what can be taken while it runs (reload.h); returns before that is done. file NULL: the defaults. From
 * the thread of signals. */
void sidecar_reload(struct sidecar *s, const char *file);

/* Accepts NULL. */
void sidecar_close(struct sidecar *s);

#endif
