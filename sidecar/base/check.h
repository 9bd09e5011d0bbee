/* check.h - assertions that stay on in release.
 * For what cannot happen. What comes from outside (wire, disk, configuration) is an error, never a CHECK. */
#ifndef SAGA_BASE_CHECK_H
#define SAGA_BASE_CHECK_H

/* Ends the process after saying which expectation did not hold. Supplied by whoever links the pure rooms
 * (sidecar/runtime/panic.c in the sidecar), so that those rooms need no I/O of their own. */
_Noreturn void saga_panic(const char *file, int line, const char *expectation);

/* What is expected where nothing can be done without memory, and gRPC would end the process, too. */
#define CHECK_MEMORY "memory is left"

#define CHECK(expectation) \
    do { \
        if (__builtin_expect(!(expectation), 0)) \
            saga_panic(__FILE__, __LINE__, #expectation); \
    } while (0)

#endif
