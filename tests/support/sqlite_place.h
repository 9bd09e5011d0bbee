/* sqlite_place.h - a store in SQLite in a folder of its own, and what tests of it do again and again.
 *
 * One at a time. make_dir and remove_dir are a fixture of check; failures end the test. */
#ifndef TESTS_SUPPORT_SQLITE_PLACE_H
#define TESTS_SUPPORT_SQLITE_PLACE_H

#include "sidecar/journal/sqlite/sqlite_store.h"

#define FRAME_ROOM (64 << 10) /* for one frame of the tests' */

extern char dir[64];
extern char path[96]; /* of the database in dir */
extern struct sqlite_store_options options;
extern struct store *store; /* NULL: not open */
extern struct store_state state;
extern struct error_detail detail;

void make_dir(void);
void remove_dir(void);

/* Removes the file whose name is the database's and suffix. */
void remove_beside(const char *suffix);

int try_open(void);
void open_store(void);
void close_store(void);
void reopen(void);

/* Commits one record with payload bytes that follow from the frame's number. commit_frames: 300 bytes at `frame` milliseconds each. */
int try_commit(uint64_t frame, size_t payload, int64_t at_us);
void commit_frames(uint64_t from, uint64_t to);
void assert_frame(uint64_t frame, size_t payload, int64_t at_us);

/* A row of a saga that started at `serial` seconds and ended a second later. The texts are borrowed for as long as the row is used. */
struct ended_row ended(uint64_t serial, uint8_t as, const char *name, const char *request_id);
void commit_ended(const struct ended_row *rows, size_t count);
void assert_row(const struct ended_row *got, const struct ended_row *want);

#endif
