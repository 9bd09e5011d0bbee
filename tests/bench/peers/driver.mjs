// Keeps N sagas in flight against Restate's ingress for some seconds and prints what came of it as one line of JSON, as load.c does of ours.
//   node driver.mjs INGRESS-PORT commit|rollback INFLIGHT WARMUP-SECONDS SECONDS
import http from "node:http";
import process from "node:process";

const [port, what, inflight, warmup, seconds] = process.argv.slice(2).map((word) => (isNaN(word) ? word : Number(word)));
const expected = what === "rollback" ? "compensated" : "committed";
const body = JSON.stringify({ reject: what === "rollback", payload: "x".repeat(300) });
const agent = new http.Agent({ keepAlive: true, maxSockets: inflight });
const samples = [];
let failed = 0;
let number = 0;

function run() {
  return new Promise((resolve) => {
    const request = http.request(
      {
        agent, host: "127.0.0.1", port, method: "POST", path: "/saga/run",
        headers: {
          "content-type": "application/json",
          "content-length": body.length,
          "idempotency-key": `${process.pid}-${Date.now()}-${number++}`, // as our request_id: a repeated request starts no second saga
        },
      },
      (response) => {
        let text = "";
        response.on("data", (piece) => (text += piece));
        response.on("end", () => resolve(response.statusCode === 200 && text === JSON.stringify(expected)));
      },
    );
    request.on("error", () => resolve(false));
    request.end(body);
  });
}

const start = performance.now() + warmup * 1000;
const end = start + seconds * 1000;
async function loop() {
  while (performance.now() < end) {
    const began = performance.now();
    const good = await run();
    const now = performance.now();
    if (now < start || now > end) continue;
    if (good) samples.push(now - began);
    else failed++;
  }
}

await Promise.all(Array.from({ length: inflight }, loop));
samples.sort((a, b) => a - b);
const at = (share) => (samples.length === 0 ? 0 : samples[Math.min(samples.length - 1, Math.floor(samples.length * share))]);
console.log(JSON.stringify({ count: samples.length, rate: samples.length / seconds, p50_ms: at(0.5), p99_ms: at(0.99), failed }));
process.exit(0);
