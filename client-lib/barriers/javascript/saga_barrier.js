// saga_barrier.js - the barrier of a participant in JavaScript, for SQLite or PostgreSQL. Copy it; it needs nothing else.
//
// The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql beside libsaga's adapters) are one transaction. The
// driver is yours: query(sql, parameters) runs one statement on a connection of the call's own and gives {rows, changes}. With node-postgres
//     const query = async (sql, p) => { const r = await client.query(sql, p); return {rows: r.rows, changes: r.rowCount}; };
// with node:sqlite or better-sqlite3
//     const query = async (sql, p) => { const s = db.prepare(sql); return /^SELECT/.test(sql) ? {rows: s.all(...p)} : s.run(...p); };
// The function returns the answer's bytes (a Buffer) or throws a Failure with a gRPC status.
'use strict';

const DONE = 1, REJECTED = 2, VOID = 3, OPEN = 4;
const SLACK_S = 60; // the mark moves in steps of so much, and rows are deleted so long before it
const REFUSALS = new Set([3, 5, 6, 7, 9, 11, 12, 16]); // definite answers of an action: kept, and given to duplicates

class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Carries out one call. metadata: what came with it, by key. Gives the answer, or throws what the call failed with.
async function barrier(query, metadata, run, {postgres = false, keepS = 30 * 86400} = {}) {
  const isAction = metadata['saga-phase'] === 'action', key = metadata['idempotency-key'];
  const now = postgres ? 'clock_timestamp()' : 'unixepoch()';
  const ago = postgres ? "clock_timestamp() - ?::bigint * interval '1 second'" : 'unixepoch() - ?';
  const since = postgres ? 'to_timestamp(?::bigint / 1000.0)' : '? / 1000';
  const execute = (sql, ...parameters) => {
    let n = 0;
    return query(postgres ? sql.replace(/\?/g, () => '$' + ++n) : sql, parameters);
  };

  // Inserts a row, or gives the one that is there.
  async function claim(key, state) {
    const insert = `INSERT INTO saga_barrier (key, state, created_at) VALUES (?, ?, ${now}) ON CONFLICT (key) DO NOTHING`;
    if (Number((await execute(insert, key, state)).changes) === 1) return null;
    const {rows} = await execute('SELECT state, status, message, answer FROM saga_barrier WHERE key = ?', key);
    if (rows.length === 0) throw new Error('the row of the key comes and goes');
    return rows[0];
  }

  async function keep(state, status, message, answer) {
    await execute('UPDATE saga_barrier SET state = ?, status = ?, message = ?, answer = ? WHERE key = ?', state, status,
        postgres ? Buffer.from(message) : message, answer, key);
    await execute(`INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, ${ago}) ON CONFLICT (key) DO NOTHING`, keepS);
    await execute(`UPDATE saga_barrier SET created_at = ${ago} WHERE key = '' AND created_at < ${ago}`, keepS, keepS + SLACK_S);
    const oldest = postgres ? 'created_at LIMIT 4 FOR UPDATE SKIP LOCKED' : 'id LIMIT 64';
    await execute(`DELETE FROM saga_barrier WHERE created_at < ${ago} AND key IN (SELECT key FROM saga_barrier WHERE key <> '' ORDER BY ` +
        `${oldest})`, keepS + 2 * SLACK_S);
    await execute('COMMIT');
    return answer;
  }

  async function carryOut() {
    let answer, failure = null;
    await execute('SAVEPOINT saga_barrier_call');
    try {
      answer = await run(query) || Buffer.alloc(0);
    } catch (error) {
      failure = error;
    }
    try { // the savepoint is only there while the transaction is the barrier's own
      if (failure) await execute('ROLLBACK TO SAVEPOINT saga_barrier_call');
      await execute('RELEASE SAVEPOINT saga_barrier_call');
    } catch (error) {
      throw new Failure(13, "the barrier's transaction was ended while the function ran");
    }
    if (!failure) return keep(DONE, 0, '', answer);
    if (isAction && failure instanceof Failure && REFUSALS.has(failure.status))
      await keep(REJECTED, failure.status, failure.message, Buffer.alloc(0));
    throw failure;
  }

  await execute(postgres ? 'BEGIN ISOLATION LEVEL READ COMMITTED' : 'BEGIN IMMEDIATE');
  try {
    const action = isAction ? null : await claim(metadata['saga-action-key'], VOID);
    const own = await claim(key, OPEN), startedMs = Number(metadata['saga-action-started-ms'] || 0);
    const lost = (await execute(`SELECT 1 AS yes FROM saga_barrier WHERE key = '' AND created_at > ${since}`, startedMs)).rows.length > 0;
    if (own && own.state === DONE) return Buffer.from(own.answer);
    if (own && own.state === REJECTED && isAction) throw new Failure(own.status, own.message.toString());
    if (own && own.state === VOID && isAction)
      throw new Failure(9, "the action's compensation has been here: it must not be carried out");
    if (own || (action && action.state === OPEN))
      throw new Failure(13, "the barrier's rows of this call cannot be: a person has to look");
    if (lost && startedMs > 0 && !action) throw new Failure(9, 'the row of the action may have been collected: a person has to look');
    if (isAction || (action && action.state === DONE)) return await carryOut();
    if (metadata['saga-action-outcome'] === 'done')
      throw new Failure(9, 'the action was done, but the barrier has no row of it: a person has to look');
    return await keep(DONE, 0, '', Buffer.alloc(0));
  } finally {
    await execute('ROLLBACK').catch(() => {}); // what was kept is committed by now
  }
}

module.exports = {barrier, Failure};
