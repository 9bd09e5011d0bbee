/* kept_text.h - what a program says, compared with what it said when a file was written: whoever changes a word sees all that changes with it. */
#ifndef SAGA_TESTS_KEPT_TEXT_H
#define SAGA_TESTS_KEPT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/* To be set before the tests run: the files are written anew. */
extern bool kept_text_anew;

/* Fails the test at the first line in which what put writes differs from the file. */
void kept_text_compare(const char *path, void (*put)(FILE *out));

#endif
