/* panic.c - what the sidecar does when an expectation of its own does not hold: it says so and ends, since the journal is right and the
 * memory may not be. A restart takes up from the journal. */
#include "sidecar/base/check.h"

#include "sidecar/observe/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void saga_panic(const char *file, int line, const char *expectation)
{
    if (strcmp(expectation, CHECK_MEMORY) == 0) {
        log_say(LOG_LEVEL_ERROR,
                "stopped: no memory is left (the limits of the process or of its container; they must be well above "
                "memory_bytes_max); what was acknowledged is in the journal");
        log_close(SPAN_S(1));
        _exit(1);
    }
    log_event(LOG_LEVEL_ERROR, "panic: this is a defect of sagad; what was acknowledged is in the journal",
              LOG_TEXT("file", file), LOG_NUMBER("line", line), LOG_TEXT("does_not_hold", expectation));
    /* A log that nobody reads must not keep it alive. */
    log_close(SPAN_S(1));
    abort();
}
