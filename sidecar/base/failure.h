/* failure.h - what ends a loop: the first error that it cannot survive. */
#ifndef SAGA_BASE_FAILURE_H
#define SAGA_BASE_FAILURE_H

#include "sidecar/base/error.h"

struct failure {
    int code; /* 0: there is none */
    struct error_detail detail;
};

#endif
