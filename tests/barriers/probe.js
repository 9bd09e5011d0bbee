// probe.js - as probe.py, for the JavaScript barrier: probe.js sqlite FILE, or probe.js postgres CONNINFO. What Debian's own Node lacks is a
// driver, so the statements go to the sqlite3 command or to psql, which say "end" after each.
'use strict';
const {spawn} = require('child_process');
const readline = require('readline');
const {barrier, Failure} = require('../../client-lib/barriers/javascript/saga_barrier.js');

const [, , kind, database] = process.argv;
const postgres = kind === 'postgres';
const command = postgres ? spawn('sh', ['-c', 'exec psql -AtX -d "$0" 2>&1', database]) : spawn('sh', ['-c', 'exec sqlite3 -batch "$0" 2>&1', database]);
if (!postgres) command.stdin.write('.mode json\n.timeout 5000\n');
const waiting = [];
let said = [];
readline.createInterface({input: command.stdout}).on('line', line => {
  if (line !== 'end') { said.push(line); return; }
  waiting.shift()(said);
  said = [];
});

const say = text => new Promise(resolve => {
  waiting.push(resolve);
  command.stdin.write(text);
});

const text = p => typeof p === 'number' ? String(p) : `'${p.replace(/'/g, "''")}'`;

async function query_postgres(sql, parameters) {
  const literal = p => Buffer.isBuffer(p) ? `'\\x${p.toString('hex')}'::bytea` : text(p);
  const filled = sql.replace(/\$(\d+)/g, (_, n) => literal(parameters[n - 1]));
  const lines = await say((/^SELECT/.test(sql) ? `SELECT row_to_json(q) FROM (${filled}) q` : filled) + ';\n\\echo end\n');
  const wrong = lines.find(line => /^(ERROR|FATAL|WARNING):/.test(line));
  if (wrong) throw new Error(wrong);
  const bytes = v => typeof v === 'string' && v.startsWith('\\x') ? Buffer.from(v.slice(2), 'hex') : v;
  if (/^SELECT/.test(sql)) return {rows: lines.map(line => Object.fromEntries(Object.entries(JSON.parse(line)).map(([k, v]) => [k, bytes(v)])))};
  return {rows: [], changes: Number((lines[0] || '').split(' ').pop())};
}

// Every statement is followed by one that tells how many rows it changed; of one that failed nothing comes before it but the complaint.
async function query_sqlite(sql, parameters) {
  const literal = p => Buffer.isBuffer(p) ? `x'${p.toString('hex')}'` : text(p);
  let n = 0;
  const filled = sql.replace(/\?/g, () => literal(parameters[n++])).replace('SELECT state, status, message, answer', 'SELECT state, status, message, hex(answer) AS answer');
  const lines = await say(`${filled};\nSELECT changes() AS changes;\n.print end\n`);
  const wrong = lines.find(line => /^(Parse |Runtime )?[Ee]rror/.test(line));
  if (wrong) throw new Error(wrong);
  const results = JSON.parse('[' + lines.join('').replace(/\]\s*\[/g, '],[') + ']');
  const rows = results.length > 1 ? results[0].map(r => r.answer === undefined ? r : {...r, answer: Buffer.from(r.answer, 'hex')}) : [];
  return {rows, changes: results[results.length - 1][0].changes};
}

async function main() {
  let runs = 0;
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [phase, saga, outcome, started, what] = line.split(' ');
    const metadata = {'saga-phase': phase, 'idempotency-key': `${saga}/${phase}`, 'saga-action-started-ms': started};
    if (phase === 'compensation') Object.assign(metadata, {'saga-action-key': `${saga}/action`, 'saga-action-outcome': outcome});
    if (what === 'keyless') delete metadata['idempotency-key'];
    if (what === 'older') delete metadata['saga-action-started-ms'];
    try {
      const answer = await barrier(postgres ? query_postgres : query_sqlite, metadata, async db => {
        runs++;
        await db(`INSERT INTO ledger VALUES ('${saga}', ${phase === 'action' ? 100 : -100})`, []);
        if (what === 'commit') await db('COMMIT', []);
        if (/^\d+$/.test(what)) throw new Failure(Number(what), 'no');
        return Buffer.from(`booked ${runs}`);
      }, {postgres, keepS: 3600});
      console.log(`0 ${answer.toString()}`);
    } catch (failure) {
      console.log(`${failure instanceof Failure ? failure.status : 500} ${failure.message}`);
    }
  }
  command.stdin.end();
}
main().catch(error => { console.error(error); process.exit(1); });
