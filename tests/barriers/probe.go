// probe.go - as probe.py, for the Go barrier: DATABASE is a file, or a conninfo of PostgreSQL with a '=' in it.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
	"sagabarrier"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	postgres := strings.Contains(os.Args[1], "=")
	driver := "sqlite3"
	if postgres {
		driver = "postgres"
	}
	db, err := sql.Open(driver, os.Args[1])
	must(err)
	barrier := sagabarrier.Barrier{DB: db, Postgres: postgres, KeepS: 3600}
	runs := 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		f := strings.Fields(lines.Text()) // PHASE SAGA OUTCOME STARTED-MS WHAT
		metadata := map[string][]string{"saga-phase": {f[0]}, "idempotency-key": {f[1] + "/" + f[0]}, "saga-action-started-ms": {f[3]}}
		amount := 100
		if f[0] == "compensation" {
			metadata["saga-action-key"], metadata["saga-action-outcome"] = []string{f[1] + "/action"}, []string{f[2]}
			amount = -100
		}
		if f[4] == "keyless" {
			delete(metadata, "idempotency-key")
		}
		if f[4] == "older" {
			delete(metadata, "saga-action-started-ms")
		}
		answer, err := barrier.Run(context.Background(), metadata, func(ctx context.Context, db *sql.Conn) ([]byte, error) {
			runs++
			_, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO ledger VALUES ('%s', %d)", f[1], amount))
			must(err)
			if f[4] == "commit" {
				_, err = db.ExecContext(ctx, "COMMIT")
				must(err)
			}
			if status, err := strconv.Atoi(f[4]); err == nil {
				return nil, sagabarrier.Failure{Status: status, Message: "no"}
			}
			return []byte(fmt.Sprintf("booked %d", runs)), nil
		})
		var failure sagabarrier.Failure
		if errors.As(err, &failure) {
			fmt.Println(failure.Status, failure.Message)
		} else if err != nil {
			fmt.Println(500, err)
		} else {
			fmt.Println(0, string(answer))
		}
	}
}
