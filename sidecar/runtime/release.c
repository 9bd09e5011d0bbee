/* release.c - the one file that knows the version that was given to make. */
#include "sidecar/runtime/release.h"

#include "version.h"

const char *const sagad_version = SAGAD_VERSION;
