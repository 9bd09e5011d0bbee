/* main.c - sagactl, the operator's command. */
#include "client-lib/sagactl/run.h"
#include "sidecar/base/check.h"

#include <stdlib.h>

_Noreturn void saga_panic(const char *file, int line, const char *expectation)
{
    fprintf(stderr, "sagactl: %s:%d: %s does not hold. This is a defect of sagactl.\n", file, line, expectation);
    abort();
}

int main(int argc, char **argv)
{
    /* What C core has to say of connections is said by us, in words; whoever wants its own sets it. */
    setenv("GRPC_VERBOSITY", "NONE", 0);
    return run_main(argc, argv, stdout, stderr);
}
