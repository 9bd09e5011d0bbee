/* release.h - which version runs. The generated header is known to release.c alone, so that another version is one file compiled. */
#ifndef SAGA_RUNTIME_RELEASE_H
#define SAGA_RUNTIME_RELEASE_H

extern const char *const sagad_version;

#endif
