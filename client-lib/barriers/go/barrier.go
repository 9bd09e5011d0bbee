// Package sagabarrier is the barrier of a participant in Go, over database/sql with SQLite or PostgreSQL. Copy it; it needs nothing else.
//
// The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql beside libsaga's adapters) are one transaction. The
// function gets the connection that it must use, and returns the answer's bytes, or a Failure with a gRPC status.
package sagabarrier

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"
)

// Failure is an answer that is not OK.
type Failure struct {
	Status  int
	Message string
}

func (f Failure) Error() string { return f.Message }

// Barrier is that of one database. KeepS: longer than any saga can last.
type Barrier struct {
	DB       *sql.DB
	Postgres bool
	KeepS    int64
}

type row struct {
	state, status   int // state 0: there is no row
	message, answer []byte
}

// The states of rows, and of one that was made just now; the mark moves in steps of slackS, and rows are deleted so long before it.
const done, rejected, void, open, made, slackS = 1, 2, 3, 4, 5, 60

// Definite answers of an action: kept, and given to duplicates.
var refusals = map[int]bool{3: true, 5: true, 6: true, 7: true, 9: true, 11: true, 12: true, 16: true}

// Run carries out one call. metadata is what came with it, a metadata.MD of gRPC for one. A failure of the answer is a Failure; any other error is
// the database's, and nothing was kept.
func (b Barrier) Run(ctx context.Context, metadata map[string][]string, f func(context.Context, *sql.Conn) ([]byte, error)) ([]byte, error) {
	begin, now, ago := "BEGIN IMMEDIATE", "unixepoch()", "unixepoch() - "
	since, text, oldest := "nullif($1, '') / 1000", "CAST($2 AS TEXT)", "id LIMIT 64"
	if b.Postgres {
		begin, now, ago = "BEGIN ISOLATION LEVEL READ COMMITTED", "clock_timestamp()", "clock_timestamp() - interval '1 second' * "
		since, text, oldest = "to_timestamp(nullif($1, '')::bigint / 1000.0)", "$2", "created_at LIMIT 4 FOR UPDATE SKIP LOCKED"
	}
	get := func(key string) string { return strings.Join(metadata[key], "") }
	isAction := get("saga-phase") == "action"
	db, err := b.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	defer db.ExecContext(context.Background(), "ROLLBACK") // what was kept is committed by then

	// Returns the row that the statement gives, if it gives one. After the first error nothing is asked any more.
	execute := func(statement string, parameters ...any) (r row) {
		if err == nil {
			if err = db.QueryRowContext(ctx, statement, parameters...).Scan(&r.state, &r.status, &r.message, &r.answer); err == sql.ErrNoRows {
				err = nil
			}
		}
		return r
	}
	// Makes a row, or returns the one that is there.
	claim := func(key string, state int) (r row) {
		insert := "INSERT INTO saga_barrier (key, state, created_at) VALUES (nullif($1, ''), $2, " + now + ") ON CONFLICT (key) DO NOTHING RETURNING 5, 0, '', ''"
		if r = execute(insert, key, state); r.state != made {
			r = execute("SELECT state, status, message, answer FROM saga_barrier WHERE key = $1", key)
		}
		return r
	}

	action := row{state: made}
	if execute(begin); !isAction {
		action = claim(get("saga-action-key"), void)
	}
	own := claim(get("idempotency-key"), open)
	lost := execute("SELECT 1, 0, '', '' FROM saga_barrier WHERE key = '' AND created_at > "+since, get("saga-action-started-ms")).state != 0
	execute("SAVEPOINT saga_barrier_call")
	switch {
	case err != nil || own.state == done:
		return own.answer, err
	case own.state == 0 || action.state == 0:
		return nil, errors.New("the row of the key comes and goes")
	case own.state == rejected && isAction:
		return nil, Failure{own.status, string(own.message)}
	case own.state == void && isAction:
		return nil, Failure{9, "the action's compensation has been here: it must not be carried out"}
	case own.state != made || action.state == open:
		return nil, Failure{13, "the barrier's rows of this call cannot be: a person has to look"}
	case lost && action.state == made:
		return nil, Failure{9, "the row of the action may have been collected: a person has to look"}
	case !isAction && action.state != done && get("saga-action-outcome") == "done":
		return nil, Failure{9, "the action was done, but the barrier has no row of it: a person has to look"}
	case !isAction && action.state != done: // there is nothing to undo
		f = func(context.Context, *sql.Conn) ([]byte, error) { return nil, nil }
	}
	answer, failed := f(ctx, db)
	if failed != nil {
		execute("ROLLBACK TO SAVEPOINT saga_barrier_call")
	}
	// The savepoint is only there while the transaction is the barrier's own.
	if execute("RELEASE SAVEPOINT saga_barrier_call"); err != nil {
		return nil, Failure{13, "the barrier's transaction was ended while the function ran"}
	}
	var failure Failure
	if failed == nil || errors.As(failed, &failure) && isAction && refusals[failure.Status] {
		execute("UPDATE saga_barrier SET state = CASE WHEN $1 = 0 THEN 1 ELSE 2 END, status = $1, message = "+text+", answer = $3 WHERE key = $4",
			failure.Status, []byte(failure.Message), append([]byte{}, answer...), get("idempotency-key"))
		execute("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, "+ago+"$1) ON CONFLICT (key) DO NOTHING", b.KeepS)
		execute("UPDATE saga_barrier SET created_at = "+ago+"$1 WHERE key = '' AND created_at < "+ago+"$2", b.KeepS, b.KeepS+slackS)
		few := "(SELECT key FROM saga_barrier WHERE key <> '' ORDER BY " + oldest + ")"
		execute("DELETE FROM saga_barrier WHERE created_at < "+ago+"$1 AND key IN "+few, b.KeepS+2*slackS)
		execute("COMMIT")
	}
	return answer, cmp.Or(err, failed)
}
