/* heap.h - the C library's heap, for the pure rooms of the sidecar. */
#ifndef SAGACTL_HEAP_H
#define SAGACTL_HEAP_H

#include "sidecar/base/memory.h"

extern const struct memory heap_memory;

#endif
