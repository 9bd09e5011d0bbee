/* export.h - what every public header of libsaga needs: visibility, and names for C++. */
#ifndef SAGA_EXPORT_H
#define SAGA_EXPORT_H

/* Everything that does not carry SAGA_API is hidden in the shared library. */
#if defined(__GNUC__) || defined(__clang__)
#define SAGA_API __attribute__((visibility("default")))
#else
#define SAGA_API
#endif

#endif
