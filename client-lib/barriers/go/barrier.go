// Package sagabarrier is the barrier of a participant in Go, over database/sql with SQLite or PostgreSQL. Copy it; it needs nothing else.
//
// The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql beside libsaga's adapters) are one transaction. The
// function gets the connection that it must use, and returns the answer's bytes, or a Failure with a gRPC status.
package sagabarrier

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

type Function func(context.Context, *sql.Conn) ([]byte, error)

const done, rejected, void, open = 1, 2, 3, 4
const slackS = 60 // the mark moves in steps of so much, and rows are deleted so long before it
const columns = "state, status, message, answer"

// Definite answers of an action: kept, and given to duplicates.
var refusals = map[int]bool{3: true, 5: true, 6: true, 7: true, 9: true, 11: true, 12: true, 16: true}

type Barrier struct {
	DB       *sql.DB
	Postgres bool
	Keep     time.Duration // longer than any saga can last
}

type row struct {
	state, status   int // state 0: there is none
	message, answer []byte
}

type work struct {
	*Barrier
	ctx context.Context
	db  *sql.Conn
	err error // the first of the database: nothing is asked of it any more
}

// Run carries out one call. A failure of the answer is a Failure; any other error is the database's, and nothing was kept.
func (b *Barrier) Run(ctx context.Context, c Call, f Function) ([]byte, error) {
	db, err := b.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	defer db.ExecContext(context.Background(), "ROLLBACK") // what was kept is committed by then
	w := &work{Barrier: b, ctx: ctx, db: db}
	w.execute(b.either("BEGIN IMMEDIATE", "BEGIN ISOLATION LEVEL READ COMMITTED"))
	answer, err := w.judge(c, f)
	if w.err != nil {
		return nil, w.err
	}
	return answer, err
}

func (w *work) judge(c Call, f Function) ([]byte, error) {
	var action row
	if !c.IsAction {
		action = w.claim(c.ActionKey, void)
	}
	own := w.claim(c.Key, open)
	since := w.either("? / 1000", "to_timestamp(?::bigint / 1000.0)")
	mark := w.execute("SELECT "+columns+" FROM saga_barrier WHERE key = '' AND created_at > "+since, c.StartedMs)
	switch {
	case w.err != nil || own.state == done:
		return own.answer, nil
	case own.state == rejected && c.IsAction:
		return nil, Failure{own.status, string(own.message)}
	case own.state == void && c.IsAction:
		return nil, Failure{9, "the action's compensation has been here: it must not be carried out"}
	case own.state != 0 || action.state == open:
		return nil, Failure{13, "the barrier's rows of this call cannot be: a person has to look"}
	case mark.state != 0 && c.StartedMs > 0 && action.state == 0:
		return nil, Failure{9, "the row of the action may have been collected: a person has to look"}
	case c.IsAction || action.state == done:
		return w.carryOut(c, f)
	case c.ActionDone == "done":
		return nil, Failure{9, "the action was done, but the barrier has no row of it: a person has to look"}
	}
	w.keep(c.Key, row{state: done})
	return nil, nil
}

func (w *work) carryOut(c Call, f Function) ([]byte, error) {
	w.execute("SAVEPOINT saga_barrier_call")
	if w.err != nil {
		return nil, w.err
	}
	answer, failed := f(w.ctx, w.db)
	if failed != nil { // the savepoint is only there while the transaction is the barrier's own
		w.execute("ROLLBACK TO SAVEPOINT saga_barrier_call")
	}
	w.execute("RELEASE SAVEPOINT saga_barrier_call")
	var failure Failure
	if w.err != nil {
		w.err = Failure{13, "the barrier's transaction was ended while the function ran"}
	} else if failed == nil {
		w.keep(c.Key, row{state: done, answer: answer})
	} else if errors.As(failed, &failure) && c.IsAction && refusals[failure.Status] {
		w.keep(c.Key, row{state: rejected, status: failure.Status, message: []byte(failure.Message)})
	}
	return answer, failed
}

func (w *work) keep(key string, r row) {
	var message any = string(r.message)
	if w.Postgres {
		message = append([]byte{}, r.message...)
	}
	ago, s := w.either("unixepoch() - ?", "clock_timestamp() - ?::bigint * interval '1 second'"), int64(w.Keep.Seconds())
	oldest := w.either("id LIMIT 64", "created_at LIMIT 4 FOR UPDATE SKIP LOCKED")
	w.execute("UPDATE saga_barrier SET state = ?, status = ?, message = ?, answer = ? WHERE key = ?", r.state, r.status, message, append([]byte{}, r.answer...), key)
	w.execute("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, "+ago+") ON CONFLICT (key) DO NOTHING", s)
	w.execute("UPDATE saga_barrier SET created_at = "+ago+" WHERE key = '' AND created_at < "+ago, s, s+slackS)
	w.execute("DELETE FROM saga_barrier WHERE created_at < "+ago+" AND key IN (SELECT key FROM saga_barrier WHERE key <> '' ORDER BY "+oldest+")", s+2*slackS)
	w.execute("COMMIT")
}

// claim inserts a row, or returns the one that is there.
func (w *work) claim(key string, state int) row {
	now := w.either("unixepoch()", "clock_timestamp()")
	made := w.execute("INSERT INTO saga_barrier (key, state, created_at) VALUES (?, ?, "+now+") ON CONFLICT (key) DO NOTHING RETURNING "+columns, key, state)
	if made.state != 0 {
		return row{}
	}
	there := w.execute("SELECT "+columns+" FROM saga_barrier WHERE key = ?", key)
	if there.state == 0 && w.err == nil {
		w.err = errors.New("the row of the key comes and goes")
	}
	return there
}

// execute returns the row that the statement gives, if it gives one.
func (w *work) execute(text string, parameters ...any) (r row) {
	for n := 1; w.Postgres && strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprint("$", n), 1)
	}
	if w.err == nil {
		w.err = w.db.QueryRowContext(w.ctx, text, parameters...).Scan(&r.state, &r.status, &r.message, &r.answer)
	}
	if errors.Is(w.err, sql.ErrNoRows) {
		w.err = nil
	}
	return r
}

func (b *Barrier) either(sqlite, postgres string) string {
	if b.Postgres {
		return postgres
	}
	return sqlite
}
