/* docs_lint.c - prints docs/lint.md, which is the table of rules. */
#include "sidecar/lint/lint.h"

int main(void)
{
    lint_docs(stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
