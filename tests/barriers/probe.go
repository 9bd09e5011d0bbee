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
	"time"

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
	barrier := sagabarrier.Barrier{DB: db, Postgres: postgres, Keep: time.Hour}
	runs := 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		f := strings.Fields(lines.Text()) // PHASE SAGA OUTCOME STARTED-MS WHAT
		started, err := strconv.ParseInt(f[3], 10, 64)
		must(err)
		call := sagabarrier.Call{IsAction: f[0] == "action", Key: f[1] + "/" + f[0], StartedMs: started}
		if !call.IsAction {
			call.ActionKey, call.ActionDone = f[1]+"/action", f[2]
		}
		answer, err := barrier.Run(context.Background(), call, func(ctx context.Context, db *sql.Conn) ([]byte, error) {
			runs++
			amount := 100
			if !call.IsAction {
				amount = -100
			}
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
