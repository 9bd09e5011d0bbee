/* version.h - the version of libsaga, at compile time and at run time.
 *
 * Within one soname (libsaga.so.0) nothing that compiled against an older header stops working. */
#ifndef SAGA_VERSION_H
#define SAGA_VERSION_H

#include <saga/export.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SAGA_VERSION_MAJOR 0
#define SAGA_VERSION_MINOR 1
#define SAGA_VERSION_PATCH 0
#define SAGA_VERSION       "0.1.0"

/* The version of the library that is linked, as in "0.1.0". A view, valid for ever. Thread-safe. */
SAGA_API const char *saga_version(void);

#ifdef __cplusplus
}
#endif

#endif
