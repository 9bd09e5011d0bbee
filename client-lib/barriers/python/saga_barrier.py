"""saga_barrier.py - the barrier of a participant in Python, over sqlite3 or psycopg2. Copy it; it needs nothing else.

    barrier = Barrier(sqlite3.connect("shop.db", isolation_level=None))     # psycopg2: autocommit = True, and postgres=True
    status, message, answer = barrier.run(dict(context.invocation_metadata()), lambda db: book(db, request))

The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql beside libsaga's adapters) are one transaction. The
function returns the answer's bytes or raises Failure with a gRPC status. A connection serves one call at a time.
"""
DONE, REJECTED, VOID, OPEN = 1, 2, 3, 4
FAILED_PRECONDITION, INTERNAL = 9, 13
REFUSALS = {3, 5, 6, 7, 9, 11, 12, 16}  # definite answers of an action: kept, and given to duplicates
NOW = {False: "unixepoch()", True: "clock_timestamp()"}
AGO = {False: "unixepoch() - ?", True: "clock_timestamp() - ? * interval '1 second'"}
SINCE = {False: "created_at > ? / 1000", True: "created_at > to_timestamp(? / 1000.0)"}
SLACK_S = 60  # the mark moves in steps of so much, and rows are deleted so long before it


class Failure(Exception):
    def __init__(self, status, message=""):
        super().__init__(message)
        self.status, self.message = status, message


class Barrier:
    def __init__(self, connection, postgres=False, keep_s=30 * 86400):
        self.db, self.postgres, self.keep_s = connection, postgres, keep_s

    def run(self, metadata, function):
        """Carries out one call. Returns (gRPC status, message, answer)."""
        self._execute("BEGIN ISOLATION LEVEL READ COMMITTED" if self.postgres else "BEGIN IMMEDIATE")
        try:
            return self._judge(metadata, function)
        except Failure as failure:
            self._roll_back()
            return failure.status, failure.message, b""
        except BaseException:
            self._roll_back()
            raise

    def _judge(self, metadata, function):
        key, is_action = metadata["idempotency-key"], metadata["saga-phase"] == "action"
        action = None if is_action else self._claim(metadata["saga-action-key"], VOID)
        own = self._claim(key, OPEN)
        lost = self._execute("SELECT 1 FROM saga_barrier WHERE key = '' AND " + SINCE[self.postgres],
                             int(metadata.get("saga-action-started-ms", 2**62 // 1000))).fetchone()
        if own is not None and (own[0] == DONE or (is_action and own[0] == REJECTED)):
            self._roll_back()
            return own[1], bytes(own[2]).decode() if self.postgres else own[2], bytes(own[3])
        if own is not None and own[0] == VOID and is_action:
            raise Failure(FAILED_PRECONDITION, "the action's compensation has been here: it must not be carried out")
        if own is not None or (action is not None and action[0] == OPEN):
            raise Failure(INTERNAL, "the barrier's rows of this call cannot be: a person has to look")
        if lost and action is None:
            raise Failure(FAILED_PRECONDITION, "the row of the action may have been collected: a person has to look")
        if is_action or (action is not None and action[0] == DONE):
            return self._carry_out(key, is_action, function)
        if metadata["saga-action-outcome"] == "done":
            raise Failure(FAILED_PRECONDITION, "the action was done, but the barrier has no row of it: a person has to look")
        return self._keep(key, DONE, 0, "", b"")

    def _carry_out(self, key, is_action, function):
        self._execute("SAVEPOINT saga_barrier_call")
        state, status, message, answer = DONE, 0, "", b""
        try:
            answer = function(self.db) or b""
        except Failure as failure:
            state, status, message = REJECTED, failure.status, failure.message
        try:  # the savepoint is only there while the transaction is the barrier's own
            if state == REJECTED:
                self._execute("ROLLBACK TO SAVEPOINT saga_barrier_call")
            self._execute("RELEASE SAVEPOINT saga_barrier_call")
        except Exception as error:
            raise Failure(INTERNAL, "the barrier's transaction was ended while the function ran") from error
        if state == REJECTED and not (is_action and status in REFUSALS):
            raise Failure(status, message)
        return self._keep(key, state, status, message, answer)

    def _keep(self, key, state, status, message, answer):
        self._execute("UPDATE saga_barrier SET state = ?, status = ?, message = ?, answer = ? WHERE key = ?",
                      state, status, message.encode() if self.postgres else message, answer, key)
        ago = AGO[self.postgres]
        self._execute("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, %s) ON CONFLICT (key) DO NOTHING" % ago, self.keep_s)
        self._execute("UPDATE saga_barrier SET created_at = %s WHERE key = '' AND created_at < %s" % (ago, ago),
                      self.keep_s, self.keep_s + SLACK_S)
        self._execute("DELETE FROM saga_barrier WHERE created_at < %s AND key IN (SELECT key FROM saga_barrier WHERE key <> '' ORDER BY %s)"
                      % (ago, "created_at LIMIT 4 FOR UPDATE SKIP LOCKED" if self.postgres else "id LIMIT 64"), self.keep_s + 2 * SLACK_S)
        self._execute("COMMIT")
        return status, message, answer

    def _claim(self, key, state):
        """Inserts a row, or returns (state, status, message, answer) of the one that is there."""
        if self._execute("INSERT INTO saga_barrier (key, state, created_at) VALUES (?, ?, %s) ON CONFLICT (key) DO NOTHING"
                         % NOW[self.postgres], key, state).rowcount == 1:
            return None
        row = self._execute("SELECT state, status, message, answer FROM saga_barrier WHERE key = ?", key).fetchone()
        if row is None:
            raise LookupError("the row of the key comes and goes")
        return row

    def _execute(self, sql, *parameters):
        cursor = self.db.cursor()
        cursor.execute(sql.replace("?", "%s") if self.postgres else sql, parameters)
        return cursor

    def _roll_back(self):
        try:
            self._execute("ROLLBACK")
        except Exception:  # it has ended already
            pass
