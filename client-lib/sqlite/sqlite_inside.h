/* sqlite_inside.h - what the files of libsaga-sqlite share. */
#ifndef SAGA_CLIENT_SQLITE_INSIDE_H
#define SAGA_CLIENT_SQLITE_INSIDE_H

#include <saga/sqlite.h>

#include "compensations/barrier.h"

/* When rows are collected in a call's own transaction. */
struct sqlite_collecting {
    int64_t keep_ms;
    uint32_t rows_max; /* 0: nothing is collected */
};

/* saga_sqlite_call, with collecting. */
int sqlite_barrier_call(sqlite3 *db, saga_call *call, saga_sqlite_function function, void *user,
                        struct sqlite_collecting collecting);

/* ---- rows (rows.c); each returns an SQLite result code, SQLITE_OK when it went well ---- */

/* One row as it is stored. */
struct sqlite_row {
    enum saga_barrier_row state;
    int status;
    char message[SAGA_CALL_MESSAGE_BYTES_MAX + 1];
    uint8_t *answer; /* free() */
    size_t answer_size;
};

int sqlite_execute(sqlite3 *db, const char *sql);

/* Inserts a row with that state unless the key has one. *row is then what is stored: state SAGA_ROW_ABSENT when it was inserted. The
 * answer is only read with with_answer. */
int sqlite_claim(sqlite3 *db, const char *key, enum saga_barrier_row state, bool with_answer, struct sqlite_row *row);

/* Sets what is stored for a key that has a row. */
int sqlite_settle(sqlite3 *db, const char *key, enum saga_barrier_row state, int status, const char *message,
                  const void *answer, size_t answer_size);

/* Whether the key has a row. */
int sqlite_has_row(sqlite3 *db, const char *key, bool *found);

/* Deletes old rows, and keeps how far: what was first attempted before *mark_s (seconds since 1970; 0: nothing was deleted yet) may have had a
 * row that is gone. */
int sqlite_delete_old(sqlite3 *db, struct sqlite_collecting collecting, uint32_t *deleted);
int sqlite_collected(sqlite3 *db, int64_t *mark_s);

/* The status that says what an SQLite result means to a saga. */
int sqlite_status(int result);

#endif
