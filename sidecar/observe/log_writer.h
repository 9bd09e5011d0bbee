/* log_writer.h - what takes lines to standard error without anybody waiting for it: a bounded queue, and one thread that empties it. */
#ifndef SAGA_OBSERVE_LOG_WRITER_H
#define SAGA_OBSERVE_LOG_WRITER_H

#include "sidecar/observe/log.h"

/* Begins the thread. When none can be had, log_writer_put goes on to write by itself. */
void log_writer_open(int fd);

/* Copies a whole line. From any thread; never waits for whoever reads the log. */
void log_writer_put(const char *line, size_t size);

/* log.c: a line of this moment, for what the writer itself has to say. Returns its length. */
size_t log_line_now(enum log_level level, const char *text, const struct log_field *fields, size_t count,
                    char line[LOG_LINE_SIZE]);

#endif
