// Package sagabarrier is the barrier of a participant in Go, over database/sql with SQLite or PostgreSQL. Copy it; it needs nothing else.
//
// The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql beside libsaga's adapters) are one transaction. The
// function gets the connection that it must use, and returns the answer's bytes, or a Failure with a gRPC status.
package sagabarrier

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Call is what the metadata of a call says: idempotency-key, saga-action-key, saga-action-outcome, saga-action-started-ms (0: not known).
type Call struct {
	IsAction                   bool
	Key, ActionKey, ActionDone string
	StartedMs                  int64
}

// Failure is an answer that is not OK.
type Failure struct {
	Status  int
	Message string
}

func (f Failure) Error() string { return f.Message }

const done, rejected, void, open = 1, 2, 3, 4
const slackS = 60 // the mark moves in steps of so much, and rows are deleted so long before it

// Definite answers of an action: kept, and given to duplicates.
var refusals = map[int]bool{3: true, 5: true, 6: true, 7: true, 9: true, 11: true, 12: true, 16: true}

type Barrier struct {
	DB       *sql.DB
	Postgres bool
	Keep     time.Duration // longer than any saga can last
}

type row struct {
	state, status   int
	message, answer []byte
}

type work struct {
	*Barrier
	ctx context.Context
	db  *sql.Conn
}

// Run carries out one call. A failure of the answer is a Failure; any other error is the database's, and nothing was kept.
func (b *Barrier) Run(ctx context.Context, c Call, f func(context.Context, *sql.Conn) ([]byte, error)) ([]byte, error) {
	db, err := b.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	w := work{b, ctx, db}
	if _, err = w.exec(b.either("BEGIN IMMEDIATE", "BEGIN ISOLATION LEVEL READ COMMITTED")); err != nil {
		return nil, err
	}
	answer, err := w.judge(c, f)
	db.ExecContext(context.Background(), "ROLLBACK") // what was kept is committed by now
	return answer, err
}

func (w work) judge(c Call, f func(context.Context, *sql.Conn) ([]byte, error)) ([]byte, error) {
	var action *row
	var err error
	if !c.IsAction {
		if action, err = w.claim(c.ActionKey, void); err != nil {
			return nil, err
		}
	}
	own, err := w.claim(c.Key, open)
	if err != nil {
		return nil, err
	}
	var lost int
	since := w.either("created_at > ? / 1000", "created_at > to_timestamp(?::bigint / 1000.0)")
	err = w.db.QueryRowContext(w.ctx, w.bind("SELECT count(*) FROM saga_barrier WHERE key = '' AND "+since), c.StartedMs).Scan(&lost)
	switch {
	case err != nil:
		return nil, err
	case own != nil && own.state == done:
		return own.answer, nil
	case own != nil && own.state == rejected && c.IsAction:
		return nil, Failure{own.status, string(own.message)}
	case own != nil && own.state == void && c.IsAction:
		return nil, Failure{9, "the action's compensation has been here: it must not be carried out"}
	case own != nil || (action != nil && action.state == open):
		return nil, Failure{13, "the barrier's rows of this call cannot be: a person has to look"}
	case lost > 0 && c.StartedMs > 0 && action == nil:
		return nil, Failure{9, "the row of the action may have been collected: a person has to look"}
	case c.IsAction || (action != nil && action.state == done):
		return w.carryOut(c, f)
	case c.ActionDone == "done":
		return nil, Failure{9, "the action was done, but the barrier has no row of it: a person has to look"}
	}
	return nil, w.keep(c.Key, row{state: done})
}

func (w work) carryOut(c Call, f func(context.Context, *sql.Conn) ([]byte, error)) ([]byte, error) {
	if _, err := w.exec("SAVEPOINT saga_barrier_call"); err != nil {
		return nil, err
	}
	answer, failed := f(w.ctx, w.db)
	var err error // the savepoint is only there while the transaction is the barrier's own
	if failed != nil {
		_, err = w.exec("ROLLBACK TO SAVEPOINT saga_barrier_call")
	}
	if err == nil {
		_, err = w.exec("RELEASE SAVEPOINT saga_barrier_call")
	}
	if err != nil {
		return nil, Failure{13, "the barrier's transaction was ended while the function ran"}
	}
	var failure Failure
	if failed == nil {
		return answer, w.keep(c.Key, row{state: done, answer: answer})
	} else if errors.As(failed, &failure) && c.IsAction && refusals[failure.Status] {
		err = w.keep(c.Key, row{state: rejected, status: failure.Status, message: []byte(failure.Message)})
	}
	if err != nil {
		return nil, err
	}
	return nil, failed
}

func (w work) keep(key string, r row) error {
	var message any = string(r.message)
	if w.Postgres {
		message = append([]byte{}, r.message...)
	}
	ago := w.either("unixepoch() - ?", "clock_timestamp() - ?::bigint * interval '1 second'")
	s := int64(w.Keep.Seconds())
	for _, step := range []struct {
		sql        string
		parameters []any
	}{
		{"UPDATE saga_barrier SET state = ?, status = ?, message = ?, answer = ? WHERE key = ?", []any{r.state, r.status, message, append([]byte{}, r.answer...), key}},
		{"INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, " + ago + ") ON CONFLICT (key) DO NOTHING", []any{s}},
		{"UPDATE saga_barrier SET created_at = " + ago + " WHERE key = '' AND created_at < " + ago, []any{s, s + slackS}},
		{"DELETE FROM saga_barrier WHERE created_at < " + ago + " AND key IN (SELECT key FROM saga_barrier WHERE key <> '' ORDER BY " +
			w.either("id LIMIT 64", "created_at LIMIT 4 FOR UPDATE SKIP LOCKED") + ")", []any{s + 2*slackS}},
		{"COMMIT", nil},
	} {
		if _, err := w.exec(step.sql, step.parameters...); err != nil {
			return err
		}
	}
	return nil
}

// claim inserts a row, or returns the one that is there.
func (w work) claim(key string, state int) (*row, error) {
	result, err := w.exec("INSERT INTO saga_barrier (key, state, created_at) VALUES (?, ?, "+w.either("unixepoch()", "clock_timestamp()")+
		") ON CONFLICT (key) DO NOTHING", key, state)
	if err != nil {
		return nil, err
	}
	if inserted, err := result.RowsAffected(); err != nil || inserted == 1 {
		return nil, err
	}
	var r row
	err = w.db.QueryRowContext(w.ctx, w.bind("SELECT state, status, message, answer FROM saga_barrier WHERE key = ?"), key).
		Scan(&r.state, &r.status, &r.message, &r.answer)
	return &r, err
}

func (w work) exec(sql string, parameters ...any) (sql.Result, error) {
	return w.db.ExecContext(w.ctx, w.bind(sql), parameters...)
}

func (b *Barrier) either(sqlite, postgres string) string {
	if b.Postgres {
		return postgres
	}
	return sqlite
}

func (b *Barrier) bind(sql string) string {
	for n := 1; b.Postgres && strings.Contains(sql, "?"); n++ {
		sql = strings.Replace(sql, "?", "$"+strconv.Itoa(n), 1)
	}
	return sql
}
