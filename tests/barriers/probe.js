// probe.js - as probe.py, for the JavaScript barrier: DATABASE is a file. What Debian's own Node lacks is a driver, so the statements go to the
// sqlite3 command: one line of JSON for each that gives rows, and a line "end" after it.
'use strict';
const {spawn} = require('child_process');
const readline = require('readline');
const {barrier, Failure} = require('../../client-lib/barriers/javascript/saga_barrier.js');

const sqlite = spawn('sqlite3', ['-batch', process.argv[2]], {stdio: ['pipe', 'pipe', 'pipe']});
sqlite.stdin.write('.mode json\n.timeout 5000\n');
const waiting = [];
let said = [], complaint = '';
sqlite.stderr.on('data', text => { complaint += text; });
readline.createInterface({input: sqlite.stdout}).on('line', line => {
  if (line !== 'end') { said.push(line); return; }
  const lines = said;
  said = [];
  setImmediate(() => waiting.shift()(lines));
});

const literal = p => Buffer.isBuffer(p) ? `x'${p.toString('hex')}'` : typeof p === 'number' ? String(p) : `'${p.replace(/'/g, "''")}'`;

// Every statement is followed by one that tells how many rows it changed; of one that failed nothing comes before it but the complaint.
async function query(sql, parameters) {
  let n = 0;
  const text = sql.replace(/\?/g, () => literal(parameters[n++])).replace('SELECT state, status, message, answer', 'SELECT state, status, message, hex(answer) AS answer');
  complaint = '';
  const lines = await new Promise(resolve => {
    waiting.push(resolve);
    sqlite.stdin.write(`${text};\nSELECT changes() AS changes;\n.print end\n`);
  });
  if (complaint) throw new Error(complaint);
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
    try {
      const answer = await barrier(query, metadata, async db => {
        runs++;
        await db(`INSERT INTO ledger VALUES ('${saga}', ${phase === 'action' ? 100 : -100})`, []);
        if (what === 'commit') await db('COMMIT', []);
        if (/^\d+$/.test(what)) throw new Failure(Number(what), 'no');
        return Buffer.from(`booked ${runs}`);
      }, {keepS: 3600});
      console.log(`0 ${answer.toString()}`);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      console.log(`${failure.status} ${failure.message}`);
    }
  }
  sqlite.stdin.end();
}
main().catch(error => { console.error(error); process.exit(1); });
