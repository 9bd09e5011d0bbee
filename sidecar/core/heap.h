/* heap.h - the C library's heap as struct memory, for the sidecar itself. */
#ifndef SAGA_CORE_HEAP_H
#define SAGA_CORE_HEAP_H

#include "sidecar/base/memory.h"

extern const struct memory heap;

#endif
