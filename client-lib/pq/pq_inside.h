/* pq_inside.h - what the files of libsaga-pq share. */
#ifndef SAGA_CLIENT_PQ_INSIDE_H
#define SAGA_CLIENT_PQ_INSIDE_H

#include <saga/pq.h>

#include "compensations/barrier.h"

/* When rows are collected in a call's own transaction. */
struct pq_collecting {
    int64_t keep_ms;
    uint32_t rows_max; /* 0: nothing is collected */
};

/* saga_pq_call, with collecting. */
int pq_barrier_call(PGconn *db, saga_call *call, saga_pq_function function, void *user,
                    struct pq_collecting collecting);

/* ---- rows (rows.c); each returns SAGA_OK, or the status that says what went wrong, with the text in problem ---- */

#define PQ_PROBLEM_SIZE 200

/* One row as it is stored. */
struct pq_row {
    enum saga_barrier_row state;
    int status;
    char message[SAGA_CALL_MESSAGE_BYTES_MAX + 1];
    uint8_t *answer; /* free() */
    size_t answer_size;
};

int pq_execute(PGconn *db, const char *sql, char problem[PQ_PROBLEM_SIZE]);

/* Inserts a row with that state unless the key has one. *row is then what is stored: state SAGA_ROW_ABSENT when it was inserted. The
 * answer is only read with with_answer. Waits for a transaction that is inserting the same key. */
int pq_claim(PGconn *db, const char *key, enum saga_barrier_row state, bool with_answer, struct pq_row *row,
             char problem[PQ_PROBLEM_SIZE]);

/* Sets what is stored for a key that has a row, and collects old rows. */
int pq_settle(PGconn *db, const char *key, const struct pq_row *row, struct pq_collecting collecting,
              char problem[PQ_PROBLEM_SIZE]);

/* Whether the key has a row. */
int pq_has_row(PGconn *db, const char *key, bool *found, char problem[PQ_PROBLEM_SIZE]);

/* Whether the row of an action that was first attempted then (milliseconds since 1970) may have been collected. To be asked after the rows
 * were claimed: whoever deletes one is waited for there. */
int pq_collected(PGconn *db, int64_t action_started_ms, bool *collected, char problem[PQ_PROBLEM_SIZE]);

/* Deletes old rows, and keeps how far. */
int pq_delete_old(PGconn *db, struct pq_collecting collecting, uint32_t *deleted, char problem[PQ_PROBLEM_SIZE]);

#endif
