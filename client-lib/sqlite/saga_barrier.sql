-- saga_barrier.sql - the barrier's table in a participant's own SQLite database; may be run again.
-- One row for each call that was carried out, refused for good, or made void by its undo; and one, with the key '', whose
-- created_at tells up to when rows have been collected.
CREATE TABLE IF NOT EXISTS saga_barrier (
    id         INTEGER PRIMARY KEY,         -- in order of arrival: the oldest are found without an index
    key        TEXT    NOT NULL UNIQUE,     -- the idempotency-key of the call
    state      INTEGER NOT NULL             -- 1 done, 2 rejected, 3 void (its undo came first),
               CHECK (state BETWEEN 1 AND 4), -- 4 open (begun, and committed without its end)
    status     INTEGER NOT NULL DEFAULT 0,  -- the answer: gRPC status,
    message    TEXT    NOT NULL DEFAULT '', -- its message,
    answer     BLOB    NOT NULL DEFAULT x'',-- and its bytes
    created_at INTEGER NOT NULL             -- seconds since 1970
);
