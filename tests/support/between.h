/* between.h - a document of which a part, between two lines, is written by a program. */
#ifndef TESTS_SUPPORT_BETWEEN_H
#define TESTS_SUPPORT_BETWEEN_H

#include <stdio.h>

/* Replaces what stands between the lines begin and end in the file at path by what write writes. Returns EXIT_SUCCESS, or EXIT_FAILURE after
 * saying on standard error, as tool, what was wrong. */
int between_replace(const char *tool, const char *path, const char *begin, const char *end, void (*write)(FILE *out));

#endif
