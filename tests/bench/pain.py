"""Pain that stays where it is: a dead target beside nine that are well, a participant that fails every call, one that comes back to a backlog, a
flood of one definition beside another, and a bulkhead that follows a participant whose capacity halves and doubles."""
import json
import re
import socket
import subprocess
import time
import urllib.request

import rig

WAITING = 10000  # sagas that wait for the dead target
FAILING = 2000
BACKLOG = 1500
LIMIT, BURST = 1000, 20  # calls of the target that comes back


def sidecar_with(bench, target="", definitions=None, **shape):
    """A sidecar whose targets have these options too, and further definitions."""
    sidecar = bench.fresh(**shape)
    sidecar.kill()
    subprocess.run(["rm", "-rf", f"{sidecar.directory}/data"], check=True)
    with open(f"{sidecar.directory}/sagad.yaml") as file:
        text = file.read()
    with open(f"{sidecar.directory}/sagad.yaml", "w") as file:
        file.write(re.sub(r"(timeout: 60s), max_concurrent_calls: 4096", r"\1, " + target, text) if target else text)
    for name, source in (definitions or {}).items():
        with open(f"{sidecar.directory}/definitions/{name}.yaml", "w") as file:
            file.write(source)
    sidecar.start()
    return sidecar


def begin(bench, sidecar, definition, count):
    """So many sagas of a definition whose target is not there."""
    rig.load(bench.binaries, sidecar, "start", count, 1, definition=definition, warmup=0, connections=16)


def serve(bench, sidecar, seconds, *more):
    """What participants saw within so many seconds."""
    command = [f"{bench.binaries}/bench/load", "--case", "serve", "--address", "unix:none", "--participants", sidecar.participants, "--seconds",
               str(seconds), "--warmup", "0", *more]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout)


def dead(bench):
    """Nine targets of ten, with and without sagas that wait for the tenth."""
    rates, p99, cpu = [], [], []
    for _ in range(min(bench.pairs, 3)):
        found = {}
        for waiting in (0, WAITING):
            sidecar = sidecar_with(bench, targets=10)
            if waiting:
                begin(bench, sidecar, "bench9", waiting)
            sidecar.targets = 9
            found[waiting] = (bench.load(sidecar, "start", 64), bench.load(sidecar, "start", 64, rate=bench.peak / 8))
            sidecar.kill()
            sidecar.remove()
        rates.append(100 * found[WAITING][0]["rate"] / found[0][0]["rate"])
        p99.append(found[WAITING][1]["p99_ms"] / found[0][1]["p99_ms"])
        cpu.append(found[WAITING][0]["cpu_us"] / found[0][0]["cpu_us"])
    bench.row(f"nine targets beside a dead one that {WAITING:,} sagas wait for: rate", "% of nine alone", rates, 95, 98)
    bench.row("  their CPU a saga", "x nine alone", cpu, 1.05, 1.02, "lower", f"{found[WAITING][0]['cpu_us']:.0f} us")
    bench.row("  their p99 at an eighth of the peak", "x nine alone", p99, 1.3, 1.1, "lower", f"{found[WAITING][1]['p99_ms']:.1f} ms")


def failing(bench):
    """Calls of a participant that fails all of them, beside the sagas' own."""
    ratios, free = [], []
    for _ in range(min(bench.pairs, 3)):
        for budget, to in (("retry_budget_percent: 15, retry_budget_min_per_second: 1", ratios), ("", free)):
            sidecar = sidecar_with(bench, "max_concurrent_calls: 4096" + (", " + budget if budget else ""))
            result = bench.load(sidecar, "start", FAILING, seconds=8, fail=14, warmup=0, connections=16)
            to.append(result["calls"] / FAILING)
            sidecar.kill()
            sidecar.remove()
    bench.row("every call fails, with a budget of retries of 15 %: calls out", "x first calls", ratios, 1.2, 1.17, "lower",
              f"{free[-1]:.1f} x without a budget")


def back(bench):
    """A participant that comes back to a backlog: what it is called at most, and how quickly that is worked off."""
    peaks, drains = [], []
    for _ in range(min(bench.pairs, 3)):
        sidecar = sidecar_with(bench, f"max_concurrent_calls: 256, rate_limit_per_second: {LIMIT}, rate_limit_burst: {BURST}")
        begin(bench, sidecar, "bench", BACKLOG)
        seen = serve(bench, sidecar, 3 * BACKLOG / LIMIT + 5)
        assert seen["calls"] >= 3 * BACKLOG, seen
        peaks.append(seen["calls_peak"] / (LIMIT + BURST))
        drains.append(100 * seen["calls"] / seen["calls_span"] / LIMIT)
        sidecar.kill()
        sidecar.remove()
    bench.row(f"a target comes back to {BACKLOG:,} sagas: calls in its worst second", "x its limit", peaks, 1.02, 1.0, "lower")
    bench.row("  the backlog is worked off at", "% of its limit", drains, 80, 95)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def steps_done(port):
    """Steps that have ended, by definition."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    counts = {"bench": 0, "other": 0}
    for name, count in re.findall(r'^sagad_step_duration_seconds_count{definition="(\w+)".*} (\d+)', text, re.M):
        counts[name] += int(count)
    return counts


def flood(bench):
    """A hundred times as many sagas of one definition as of another, for one target with few places: each has half of them."""
    shares, seconds = [], bench.seconds + 5
    for _ in range(min(bench.pairs, 3)):
        other = rig.definition("bench").replace("name: bench\n", "name: other\n", 1)
        port = free_port()
        sidecar = sidecar_with(bench, "max_concurrent_calls: 8", {"other": other}, options=f"http_listen: 127.0.0.1:{port}")
        served = rig.Served(bench.binaries, 1, sidecar.participants, ["--think", "10"])
        command = [f"{bench.binaries}/bench/load", "--case", "latency", "--address", sidecar.address, "--seconds", "600", "--warmup", "0"]
        loads = [subprocess.Popen(command + more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for more in (["--inflight", "6400", "--connections", "64"], ["--inflight", "64", "--definition", "other"])]
        time.sleep(5)  # until both have piled up
        before = steps_done(port)
        time.sleep(seconds)
        after = steps_done(port)
        for load in loads:
            load.kill()
            load.wait()
        served.stop()
        sidecar.kill()
        sidecar.remove()
        more = {name: after[name] - before[name] for name in after}
        shares.append(100 * 2 * more["other"] / (more["other"] + more["bench"]))
    bench.row("a hundred times as many sagas of another definition: share of the target", "% of half", shares, 90, 97, "higher",
              f"{more['other'] / seconds:.0f} beside {more['bench'] / seconds:.0f} steps/s")


WORKERS, THINK, PHASE = 16, 100, 10  # of a participant: so many, half, all, twice; milliseconds a call; seconds


def phases(bench, target):
    """What a participant has carried out in each of its phases, when more calls wait for it than it can take."""
    sidecar = sidecar_with(bench, target)
    result = bench.load(sidecar, "latency", 512, seconds=4 * PHASE + 1, warmup=0, think=THINK, workers=WORKERS, phase=PHASE)
    sidecar.kill()
    sidecar.remove()
    return result["phases"]


def adaptive(bench):
    """A participant that halves and doubles its capacity: beside the best fixed size of each phase, which is as many calls as it has workers."""
    rates, p99 = [], []
    for _ in range(min(bench.pairs, 3)):
        found = phases(bench, "max_concurrent_calls: 256, adaptive_concurrency: true")
        fixed = {size: phases(bench, f"max_concurrent_calls: {size}") for size in (WORKERS // 2, WORKERS, 2 * WORKERS)}
        best = [fixed[size][i] for i, size in enumerate((WORKERS, WORKERS // 2, WORKERS, 2 * WORKERS))]
        rates.append(min(100 * own["rate"] / other["rate"] for own, other in zip(found, best)))
        p99.append(max(own["p99_ms"] / other["p99_ms"] for own, other in zip(found, best)))
    bench.row("capacity halves and doubles, adaptive_concurrency: calls a second in its worst phase", "% of the best fixed size", rates, 75, 90, "higher",
              " ".join(f"{p['rate']:.0f}/s" for p in found))
    bench.row("  p99 at the participant in its worst phase", "x the best fixed size", p99, 2, 1.5, "lower", " ".join(f"{p['p99_ms']:.0f} ms" for p in found))


def run(bench):
    dead(bench)
    failing(bench)
    back(bench)
    flood(bench)
