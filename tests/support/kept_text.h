/* kept_text.h - what a program says, compared with what it said when a file was written: whoever changes a word sees all that changes with it. */
#ifndef SAGA_TESTS_KEPT_TEXT_H
#define SAGA_TESTS_KEPT_TEXT_H

#include <check.h>
#include <stdio.h>

/* Fails the test at the first line in which what put writes differs from the file. */
void kept_text_compare(const char *path, void (*put)(FILE *out));

/* Whoever plays the scripts that stand in a kept file: finish is told the line of the next one. */
struct kept_script {
    void (*begin)(void);
    void (*happens)(char *words);
    void (*finish)(const char *next);
};

/* Plays them, for put: "=" begins a script, and behind "> " stands what happens in it. Both are written to out again; what comes of it whoever plays
 * writes there. Fails the test when there is none. */
void kept_text_play(const char *path, FILE *out, const struct kept_script *script);

/* The main of a program of one such test: called with the word `write` it writes the files anew (make kept-texts). Returns the exit status. */
int kept_text_run(int argc, char **argv, const char *name, const TTest *test);

#endif
