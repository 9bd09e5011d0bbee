import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;

/**
 * The barrier of a participant in Java, over JDBC with SQLite or PostgreSQL. Copy it; it needs nothing else.
 *
 * The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql beside libsaga's adapters) are one transaction. The
 * connection is in auto-commit mode (the barrier begins and commits itself) and serves one call at a time. keepS: longer than any saga can last.
 */
public record SagaBarrier(Connection db, boolean postgres, long keepS) {
    /** The step's own code: returns the answer, or throws Failure with a gRPC status. */
    public interface Function {
        byte[] run(Connection db) throws SQLException, Failure;
    }

    public static final class Failure extends Exception {
        public final int status;

        public Failure(int status, String message) {
            super(message);
            this.status = status;
        }
    }

    /** What the metadata of a call says; startedMs is saga-action-started-ms, 0 when it is not known. */
    public record Call(boolean isAction, String key, String actionKey, String actionOutcome, long startedMs) {}

    private record Row(int state, int status, String message, byte[] answer) {}

    private static final String COLUMNS = "state, status, message, answer";
    private static final int DONE = 1, REJECTED = 2, VOID = 3, OPEN = 4;
    private static final int SLACK_S = 60; // the mark moves in steps of so much, and rows are deleted so long before it
    private static final Set<Integer> REFUSALS = Set.of(3, 5, 6, 7, 9, 11, 12, 16); // of an action: kept, and given to duplicates

    /** Carries out one call: the answer, or what it failed with. An SQLException is the database's, and nothing was kept. */
    public byte[] run(Call call, Function function) throws SQLException, Failure {
        execute(postgres ? "BEGIN ISOLATION LEVEL READ COMMITTED" : "BEGIN IMMEDIATE");
        try {
            return judge(call, function);
        } finally {
            try (Statement s = db.createStatement()) {
                s.execute("ROLLBACK"); // what was kept is committed by now
            } catch (SQLException nothingIsOpen) {
            }
        }
    }

    private byte[] judge(Call call, Function function) throws SQLException, Failure {
        Row action = call.isAction ? null : claim(call.actionKey, VOID);
        Row own = claim(call.key, OPEN);
        if (own != null && own.state == DONE)
            return own.answer;
        if (own != null && own.state != OPEN && call.isAction)
            throw own.state == REJECTED ? new Failure(own.status, own.message)
                    : new Failure(9, "the action's compensation has been here: it must not be carried out");
        if (own != null || (action != null && action.state == OPEN))
            throw new Failure(13, "the barrier's rows of this call cannot be: a person has to look");
        String collected = "SELECT " + COLUMNS + " FROM saga_barrier WHERE key = '' AND created_at > ";
        String since = postgres ? "to_timestamp(?::bigint / 1000.0)" : "? / 1000";
        if (action == null && call.startedMs > 0 && execute(collected + since, call.startedMs) != null)
            throw new Failure(9, "the row of the action may have been collected: a person has to look");
        if (call.isAction || (action != null && action.state == DONE))
            return carryOut(call, function);
        if ("done".equals(call.actionOutcome))
            throw new Failure(9, "the action was done, but the barrier has no row of it: a person has to look");
        return keep(call.key, DONE, 0, "", new byte[0]);
    }

    private byte[] carryOut(Call call, Function function) throws SQLException, Failure {
        execute("SAVEPOINT saga_barrier_call");
        try {
            byte[] answer = function.run(db);
            own("RELEASE SAVEPOINT saga_barrier_call");
            return keep(call.key, DONE, 0, "", answer);
        } catch (Failure failure) {
            own("ROLLBACK TO SAVEPOINT saga_barrier_call");
            if (call.isAction && REFUSALS.contains(failure.status))
                keep(call.key, REJECTED, failure.status, failure.getMessage(), new byte[0]);
            throw failure;
        }
    }

    /** The savepoint is only there while the transaction is the barrier's own. */
    private void own(String sql) throws Failure {
        try {
            execute(sql);
        } catch (SQLException gone) {
            throw new Failure(13, "the barrier's transaction was ended while the function ran");
        }
    }

    private byte[] keep(String key, int state, int status, String message, byte[] answer) throws SQLException {
        execute("UPDATE saga_barrier SET state = ?, status = ?, message = ?, answer = ? WHERE key = ?", state, status,
                postgres ? message.getBytes(StandardCharsets.UTF_8) : message, answer, key);
        String ago = postgres ? "clock_timestamp() - ?::bigint * interval '1 second'" : "unixepoch() - ?";
        execute("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, " + ago + ") ON CONFLICT (key) DO NOTHING", keepS);
        execute("UPDATE saga_barrier SET created_at = " + ago + " WHERE key = '' AND created_at < " + ago, keepS, keepS + SLACK_S);
        execute("DELETE FROM saga_barrier WHERE created_at < " + ago + " AND key IN (SELECT key FROM saga_barrier WHERE key <> '' ORDER BY "
                + (postgres ? "created_at LIMIT 4 FOR UPDATE SKIP LOCKED" : "id LIMIT 64") + ")", keepS + 2 * SLACK_S);
        execute("COMMIT");
        return answer;
    }

    /** Inserts a row, or returns the one that is there. */
    private Row claim(String key, int state) throws SQLException {
        String now = postgres ? "clock_timestamp()" : "unixepoch()";
        Row made = execute("INSERT INTO saga_barrier (key, state, created_at) VALUES (?, ?, " + now + ") ON CONFLICT (key) DO NOTHING RETURNING "
                + COLUMNS, key, state);
        return made != null ? null : Optional.ofNullable(execute("SELECT " + COLUMNS + " FROM saga_barrier WHERE key = ?", key))
                .orElseThrow(() -> new SQLException("the row of the key comes and goes"));
    }

    /** Returns the row that the statement gives, if it gives one. */
    private Row execute(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement s = db.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++)
                s.setObject(i + 1, parameters[i]);
            ResultSet r = s.execute() ? s.getResultSet() : null;
            return r == null || !r.next() ? null
                    : new Row(r.getInt(1), r.getInt(2), new String(r.getBytes(3), StandardCharsets.UTF_8), r.getBytes(4));
        }
    }
}
