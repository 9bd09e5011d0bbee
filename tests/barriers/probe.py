"""probe.py - runs calls behind the Python barrier: probe.py DATABASE (a file, or a conninfo of PostgreSQL with a '=' in it).

A line on standard input is a call, "PHASE SAGA OUTCOME STARTED-MS WHAT"; a line on standard output is what came of it, "STATUS TEXT",
with status 500 for an error that is no Failure. The probes
of the other languages do the same."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../client-lib/barriers/python"))
sys.dont_write_bytecode = True
from saga_barrier import Barrier, Failure

postgres = "=" in sys.argv[1]
if postgres:
    import psycopg2
    db = psycopg2.connect(sys.argv[1])
    db.autocommit = True
else:
    import sqlite3
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
barrier = Barrier(db, postgres, keep_s=3600)
runs = 0

for line in sys.stdin:
    phase, saga, outcome, started_ms, what = line.split()
    metadata = {"saga-phase": phase, "idempotency-key": "%s/%s" % (saga, phase), "saga-action-started-ms": started_ms}
    if phase == "compensation":
        metadata.update({"saga-action-key": saga + "/action", "saga-action-outcome": outcome})
    if what == "keyless":
        del metadata["idempotency-key"]
    if what == "older":  # than what tells when the action began
        del metadata["saga-action-started-ms"]

    def function(db):
        global runs
        runs += 1
        amount = 100 if phase == "action" else -100
        db.cursor().execute("INSERT INTO ledger VALUES ('%s', %d)" % (saga, amount))
        if what == "commit":
            db.cursor().execute("COMMIT")
        if what.isdigit():
            raise Failure(int(what), "no")
        return b"booked %d" % runs
    try:
        status, message, answer = barrier.run(metadata, function)
    except Exception as error:  # the database's, or a row that is not there
        status, message = 500, error
    print(status, answer.decode() if status == 0 else message, flush=True)
