/* question.h - a question of --where as a command to be typed can ask it again. */
#ifndef SAGACTL_QUESTION_H
#define SAGACTL_QUESTION_H

#include <stddef.h>

/* Of a buffer for one (--where takes 2048 bytes) and what is asked beside it. */
#define QUESTION_WHERE_SIZE 4096

/* Copies a question, which means the same, on one line and without comments: whatever is put behind it is not among them. What does not fit into
 * size bytes is left out. Returns to. */
char *question_on_a_line(const char *question, char *to, size_t size);

#endif
