/* docs_metrics.c - writes what is said of the metrics in docs/observability.md: what stands between two lines is replaced. */
#include "sidecar/observe/metrics.h"
#include "tests/support/between.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: docs_metrics observability.md\n");
        return EXIT_FAILURE;
    }
    return between_replace("docs_metrics", argv[1], METRICS_DOCS_BEGIN, METRICS_DOCS_END, metrics_docs);
}
