/* files.h - small files, read whole, with the system's words when that fails. */
#ifndef SAGA_RUNTIME_FILES_H
#define SAGA_RUNTIME_FILES_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"

/* E_SYSTEM, with the field and "cannot <do> <path>: <errno's words>". */
int file_error(const char *doing, const char *path, const char *field, struct error_detail *detail);

/* Reads a file of at most size_max bytes. Gives *out, whose bytes are to be freed by free. Returns 0, E_SYSTEM, E_ARGUMENT (too large) or
 * E_MEMORY. */
int file_read(const char *path, size_t size_max, struct bytes *out, struct error_detail *detail);

#endif
