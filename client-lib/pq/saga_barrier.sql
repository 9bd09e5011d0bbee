-- saga_barrier.sql - the barrier's table in a participant's own PostgreSQL database; may be run again.
-- One row for each call that was carried out, refused for good, or made void by its undo; and one, with the key '', whose
-- created_at tells up to when rows have been collected.
-- The participant's role needs SELECT, INSERT, UPDATE and DELETE on it, and its schema in the search_path.
CREATE TABLE IF NOT EXISTS saga_barrier (
    key        text COLLATE "C" PRIMARY KEY,  -- the idempotency-key of the call
    state      smallint NOT NULL              -- 1 done, 2 rejected, 3 void (its undo came first),
               CHECK (state BETWEEN 1 AND 4), -- 4 open (begun, and committed without its end)
    status     smallint NOT NULL DEFAULT 0,   -- the answer: gRPC status,
    message    bytea    NOT NULL DEFAULT '',  -- its message (UTF-8, whatever the database's encoding),
    answer     bytea    NOT NULL DEFAULT '',  -- and its bytes
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- For collecting the oldest rows.
CREATE INDEX IF NOT EXISTS saga_barrier_created_at ON saga_barrier (created_at);
