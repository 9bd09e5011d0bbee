#!/usr/bin/env python3
"""Measures the sidecar beside its references, in one run, and writes build/bench/{results.json,table.md,ratios.svg,growth.svg}.

Every case is run in turn with its reference, PAIRS times; what is reported is the median of the pairs' ratios, with the spread. Every figure is
of the mode that acknowledges after fsync (synchronous=FULL); there is no other."""
import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
import rig  # noqa: E402
import database  # noqa: E402
import one_go  # noqa: E402
import overdue  # noqa: E402
import pain  # noqa: E402
import plot  # noqa: E402
import takeover  # noqa: E402
import typed  # noqa: E402
import trusted  # noqa: E402
import watched  # noqa: E402


class Bench:
    def __init__(self, arguments):
        self.binaries = arguments.binaries
        self.seconds = arguments.seconds
        self.pairs = arguments.pairs
        self.rows = []  # of the table
        self.raw = {}

    def load(self, server, case, inflight, **options):
        participants = getattr(server, "participants", None)
        result = rig.load(self.binaries, server, case, inflight, options.pop("seconds", self.seconds),
                          participants=participants, **options)
        self.raw.setdefault(case, []).append(result)
        return result

    def row(self, case, unit, values, must, aim, better="higher", note=""):
        """values: one for each pair."""
        middle = statistics.median(values)
        holds = (lambda limit: middle >= limit) if better == "higher" else (lambda limit: middle <= limit)
        self.rows.append({"case": case, "unit": unit, "median": middle, "low": min(values), "high": max(values),
                          "must": must, "aim": aim, "better": better, "note": note, "pairs": len(values),
                          "reached": "aim" if holds(aim) else "must" if holds(must) else "no"})
        print(f"{case:58} {middle:12.2f} {unit:12} ({min(values):.2f} to {max(values):.2f})  must {must}, aim {aim}: "
              f"{self.rows[-1]['reached']}  {note}", flush=True)

    def fresh(self, options="", **shape):
        return rig.Sidecar(self.binaries, options=options, **shape)

    def once(self, case, inflight, options="", shape=None, **more):
        sidecar = self.fresh(options, **(shape or {}))
        try:
            return self.load(sidecar, case, inflight, **more)
        finally:
            sidecar.kill()
            sidecar.remove()

    # ---- the cases ----

    def begins(self):
        for inflight, must, aim in ((64, 45, 65), (256, 55, 75)):
            ratios, cpu = [], []
            for _ in range(self.pairs):
                echo = rig.Echo(self.binaries)
                reference = self.load(echo, "echo", inflight)
                echo.stop()
                begin = self.once("begin", inflight)
                ratios.append(100 * begin["rate"] / reference["rate"])
                cpu.append(begin["cpu_us"] / reference["cpu_us"])
            self.row(f"durable Begin, unary, {inflight} in flight", "% of echo", ratios, must, aim,
                     note=f"{begin['rate']:.0f} of {reference['rate']:.0f} calls/s; CPU a call {statistics.median(cpu):.2f} x echo's")

    def pipes(self):
        # None of them ends while it is measured.
        rates = [self.once("pipe-begin", 1024, "live_sagas_max: 16000000\nmemory_bytes_max: 8GiB", batch=16)["rate"] for _ in range(self.pairs)]
        self.row("durable Begin through Pipe, 16 a message", "a second", rates, 120000, 400000)

    def sagas(self):
        store = self.store_row_us()
        rates, back, ratios, sizes = [], [], [], []
        for _ in range(self.pairs):
            echo = rig.Echo(self.binaries)
            reference = self.load(echo, "echo", 256)
            echo.stop()
            saga = self.once("start", 256)
            rates.append(saga["rate"])
            sizes.append(saga["bytes_each"] / 1024)
            ratios.append(saga["cpu_us"] / (4 * reference["cpu_us"] + 5 * store))
            back.append(self.once("rollback", 256)["rate"])
        self.row("three-step saga committed, 256 in flight", "sagas/s", rates, 6000, 12000)
        self.row("  its sidecar CPU", "x (4 echo + 5 rows)", ratios, 1.6, 1.2, "lower",
                 f"{saga['cpu_us']:.1f} us; echo {reference['cpu_us']:.1f} us, row {store:.1f} us")
        self.row("  bytes written to disk a saga", "KB", sizes, 6, 3, "lower")
        self.row("the same, rolled back at step 3", "sagas/s", back, 4000, 8000)
        self.peak = statistics.median(rates)

    def enlisted(self):
        rates = [self.once("pipe-enlisted", 256, batch=16)["rate"] for _ in range(self.pairs)]
        self.row("enlisted saga of three steps, batched", "sagas/s", rates, 5000, 12000)
        rates = [self.once("enlisted", 256)["rate"] for _ in range(self.pairs)]
        self.row("enlisted saga of three steps, unary calls", "sagas/s", rates, 5000, 12000)

    def latency(self):
        ratios = []
        for _ in range(self.pairs):
            echo = rig.Echo(self.binaries)
            call = self.load(echo, "echo", 1)["p50_ms"]
            echo.stop()
            sidecar = self.fresh()
            fsync = rig.fsync_ms(sidecar.directory)
            saga = self.load(sidecar, "latency", 1)["p50_ms"]
            sidecar.kill()
            sidecar.remove()
            ratios.append(saga / (4 * (fsync + call)))
        self.row("p50 of a three-step saga, one in flight", "x 4 (fsync+echo)", ratios, 1.5, 1.15, "lower",
                 f"{saga:.2f} ms; fsync {fsync:.2f} ms, echo {call:.3f} ms")
        spread = []
        for _ in range(self.pairs):
            half = self.once("start", 256, rate=self.peak / 2)
            spread.append(half["p99_ms"] / half["p50_ms"])
        self.row("latency under half the peak load, p99", "x p50", spread, 10, 5, "lower",
                 f"p50 {half['p50_ms']:.2f} ms at {half['rate']:.0f} sagas/s")

    def idle(self):
        rss, ready, own = [], [], []
        for _ in range(self.pairs):
            sidecar = self.fresh()
            ready.append(sidecar.ready_seconds * 1e3)
            wakes = self.wakes(sidecar.pid)
            rss.append(rig.status_kb(sidecar.pid, "VmRSS") / 1024)
            sidecar.stop()
            sidecar.remove()
            echo = rig.Echo(self.binaries)
            bare = self.wakes(echo.pid)
            echo.stop()
            own.append(wakes - bare)
        self.row("idle sidecar, RSS", "MB", rss, 20, 15, "lower")
        self.row("idle sidecar, ready after", "ms", ready, 50, 50, "lower")
        self.row("idle sidecar, wake-ups beyond a bare C core server's", "a second", own, 1.3, 1.3, "lower",
                 f"{wakes:.1f} and {bare:.1f}; one is the look whether the journal is still there")

    def wakes(self, pid):
        """How often a second any thread of an idle process wakes."""
        time.sleep(1)
        before = self.switches(pid)
        time.sleep(10)
        return (self.switches(pid) - before) / 10

    @staticmethod
    def switches(pid):
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status") as file:
                for line in file:
                    if line.startswith("voluntary_ctxt_switches"):
                        total += int(line.split()[1])
        return total

    def watchers(self):
        """Three-step sagas with watchers at the tail: they cost what they are shown."""
        def cpu_us(count):
            sidecar = self.fresh()
            watching = [subprocess.Popen([f"{self.binaries}/sagactl", "--address", sidecar.address, "watch", "-o", "json"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]
            try:
                return self.load(sidecar, "start", 256)["cpu_us"]
            finally:
                for w in watching:
                    w.kill()
                    w.wait()
                sidecar.kill()
                sidecar.remove()
        one, more = [], []
        for _ in range(self.pairs):
            none = cpu_us(0)
            one.append(cpu_us(1) / none)
            more.append((cpu_us(5) / none - 1) / 5)
        self.row("CPU of a three-step saga with one watcher at the tail", "x without", one, 1.3, 1.2, "lower")
        self.row("the same, what each of five watchers adds", "x of a saga", more, 0.3, 0.2, "lower")

    def many_live(self):
        """Memory and recovery, with 100,000 sagas that wait."""
        size, recovery = [], []
        for _ in range(min(self.pairs, 3)):
            sidecar = self.fresh()
            before = rig.status_kb(sidecar.pid, "VmRSS")
            began = self.fill(sidecar, 100000)
            size.append((rig.status_kb(sidecar.pid, "VmRSS") - before) / began)
            sidecar.kill()
            sidecar.start()
            recovery.append(sidecar.ready_seconds * 100000 / began)
            sidecar.kill()
            sidecar.remove()
        self.row("100,000 live sagas waiting", "KB each", size, 2, 1, "lower")
        self.row("recovery of 100,000 unfinished sagas", "s", recovery, 2, 0.5, "lower")

    def fill(self, sidecar, count):
        """Begins about count sagas that stay; returns how many."""
        total = 0
        while total < count:
            left = count - total
            result = self.load(sidecar, "pipe-begin", 1024, seconds=max(0.05, left / 300000), warmup=0)
            total = self.serial(sidecar)
        return total

    def serial(self, sidecar):
        """How many sagas there have been: the newest one's serial, which its id tells."""
        output = subprocess.run([f"{self.binaries}/sagactl", "--address", sidecar.address, "-o", "json", "list", "--limit", "1"],
                                capture_output=True, text=True, check=True).stdout
        return int(json.loads(output)["sagas"][0]["id"].split("-")[1], 16)

    def growth(self, sizes):
        """CPU of one saga with so many others live."""
        points = []
        for size in sizes:
            sidecar = self.fresh("live_sagas_max: 4000000\nmemory_bytes_max: 8GiB")
            if size > 1:
                self.fill(sidecar, size)
            result = self.load(sidecar, "start", 64, seconds=2)
            points.append((size, result["cpu_us"]))
            sidecar.kill()
            sidecar.remove()
            print(f"  {size:>9} live sagas: {result['cpu_us']:.1f} us of CPU a saga", flush=True)
        self.raw["growth"] = points
        self.row("CPU of a saga, most live sagas over fewest", "x", [points[-1][1] / points[0][1]], 1.5, 1.2, "lower")
        return points

    def finished(self, count):
        """Throughput with count finished sagas in the journal, beside an empty one."""
        full = self.fresh()
        full.stop()
        rig.fill_finished(f"{full.directory}/data/journal.db", count)
        full.start()
        ratios = []
        for _ in range(self.pairs):
            empty = self.once("start", 256)["rate"]
            ratios.append(100 * self.load(full, "start", 256)["rate"] / empty)
        full.kill()
        full.remove()
        self.row(f"throughput with {count:,} finished sagas", "% of empty", ratios, 90, 98)

    def retention(self):
        ratios = []
        for _ in range(self.pairs):
            keep = self.once("start", 256, rate=self.peak / 2, seconds=self.seconds * 2)["p99_ms"]
            drop = self.once("start", 256, options="retention: 1s", rate=self.peak / 2, seconds=self.seconds * 2)["p99_ms"]
            ratios.append(drop / keep)
        self.row("retention at work, p99", "x without", ratios, 2, 1.2, "lower")

    def loops(self):
        """Two loops, each at the load that one has in the run beside it: do they slow one another? And what do they give at full load? The load
        generator takes a core too, so on two cores they can give nothing."""
        cost, rates = [], []
        each = self.peak / 4
        for _ in range(self.pairs):
            one = self.once("start", 256, rate=each)
            two = self.once("start", 256, options="loops: 2", rate=2 * each)
            cost.append(two["cpu_us"] / one["cpu_us"])
            alone = self.once("start", 256)["rate"]
            rates.append(100 * self.once("start", 256, options="loops: 2")["rate"] / alone)
        self.row("two loops, each at a quarter of one's peak: CPU a saga", "x one loop", cost, 1.25, 1.05, "lower",
                 f"{two['rate']:.0f} sagas/s, {two['cpu_us']:.1f} us; one: {one['rate']:.0f}, {one['cpu_us']:.1f} us")
        roomy = (os.cpu_count() or 1) >= 4
        self.row("two loops, 256 in flight", "% of one loop", rates, 150 if roomy else 75, 180 if roomy else 100)
        self.many_loops((2, 4, 8))

    def many_loops(self, counts):
        """A Begin's CPU with so many loops. C core has one set of sockets for the process and wakes one loop through another, and each loop commits
        for itself: with more loops than cores that is what most of the CPU goes to, which the start warns of."""
        ratios = {n: [] for n in counts}
        for _ in range(min(self.pairs, 3)):
            cpu = {n: self.once("begin", 256, options=f"loops: {n}")["cpu_us"] for n in (1, *counts)}
            for n in counts:
                ratios[n].append(cpu[n] / cpu[1])
        for n in counts:
            few = n <= (os.cpu_count() or 1)
            self.row(f"{n} loops on {os.cpu_count()} cores: CPU of a Begin", "x one loop", ratios[n], 2 if few else 4, 1.5 if few else 2.5, "lower",
                     f"{cpu[n]:.0f} us, one loop {cpu[1]:.0f} us")

    def targets(self, sizes):
        """Calls spread over many targets: a saga's CPU beside what bare C core pays for three calls at the same spread. Every target has been called,
        and so has its connection, before it is counted."""
        ratios = {n: [] for n in sizes[1:]}
        for _ in range(min(self.pairs, 3)):
            saga, bare = {}, {}
            for n in sizes:
                served = rig.Served(self.binaries, n)
                result = rig.load(self.binaries, served, "call", 64, self.seconds, targets=n, warmup=3)
                bare[n] = result["client_cpu"] / result["count"] * 1e6
                served.stop()
                saga[n] = self.once("start", 64, warmup=3, options=f"definitions_max: {n + 10}", shape={"targets": n})["cpu_us"]
            for n in sizes[1:]:
                ratios[n].append(saga[n] / (saga[sizes[0]] + 3 * (bare[n] - bare[sizes[0]])))
        for n in sizes[1:]:
            self.row(f"{n:,} targets: CPU of a saga, with what C core pays for the spread", "x one target", ratios[n], 1.1, 1.05, "lower",
                     f"{saga[n]:.0f} us, one target {saga[sizes[0]]:.0f} us; bare call {bare[n]:.1f} us, one target {bare[sizes[0]]:.1f} us")

    def connections(self):
        few, many = [], []
        for _ in range(self.pairs):
            few.append(self.once("start", 64, connections=1)["cpu_us"])
            many.append(self.once("start", 64, connections=1000, warmup=2)["cpu_us"])
        self.row("1,000 client connections: CPU of a saga", "x one connection", [m / f for m, f in zip(many, few)], 1.6, 1.3, "lower",
                 f"{many[-1]:.0f} us, one connection {few[-1]:.0f} us")

    def random_ids(self, count):
        """request_ids in no order, with so many finished sagas that have such, beside ordered ones."""
        cpu = {}
        for random in (False, True):
            sidecar = self.fresh()
            sidecar.stop()
            rig.fill_finished(f"{sidecar.directory}/data/journal.db", count, random)
            sidecar.start()
            cpu[random] = [self.load(sidecar, "start", 64, **({"ids": "random"} if random else {}))["cpu_us"] for _ in range(self.pairs)]
            sidecar.kill()
            sidecar.remove()
        self.row(f"random request_ids beside {count:,} finished sagas: CPU of a saga", "x ordered", [r / o for r, o in zip(cpu[True], cpu[False])],
                 1.15, 1.05, "lower", f"{cpu[True][-1]:.0f} us, ordered {cpu[False][-1]:.0f} us")

    def calls_of_the_system(self):
        """System calls of a saga, one in flight, as strace counts them."""
        if shutil.which("strace") is None:
            print("system calls are not counted: strace is not there", flush=True)
            return
        counts = []
        for _ in range(min(self.pairs, 3)):
            sidecar = self.fresh()
            with tempfile.NamedTemporaryFile("r") as trace:
                strace = subprocess.Popen(["strace", "-f", "-q", "-o", trace.name, "-p", str(sidecar.pid)], stderr=subprocess.DEVNULL)
                time.sleep(0.5)
                result = self.load(sidecar, "latency", 1, warmup=0)
                strace.send_signal(signal.SIGINT)
                strace.wait()
                counts.append(sum(1 for line in trace if "(" in line and "resumed>" not in line) / result["count"])
            sidecar.kill()
            sidecar.remove()
        self.row("system calls of a three-step saga, one in flight", "calls", counts, 35, 30, "lower")

    def shapes(self):
        """Participants that do something, larger payloads, more steps: as figures to know, beside the plain case."""
        plain = self.once("start", 256)
        for name, unit, value, limit, how in (
                ("participants that take 10 ms: CPU of a saga", "x at once", lambda r: r["cpu_us"] / plain["cpu_us"], 1.6, {"think": 10}),
                ("participants that take 100 ms: CPU of a saga", "x at once", lambda r: r["cpu_us"] / plain["cpu_us"], 2, {"think": 100}),
                ("payloads of 10 KB: CPU of a saga", "x 300 B", lambda r: r["cpu_us"] / plain["cpu_us"], 3, {"payload": 10240}),
                ("payloads of 100 KB: CPU of a saga", "x 300 B", lambda r: r["cpu_us"] / plain["cpu_us"], 20, {"payload": 102400}),
                ("30 steps in a row: CPU a step", "x of three", lambda r: r["cpu_us"] / 10 / plain["cpu_us"], 1.2, {"shape": {"steps": 30}}),
                ("30 steps side by side: CPU a step", "x of three", lambda r: r["cpu_us"] / 10 / plain["cpu_us"], 1.2,
                 {"shape": {"steps": 30, "beside": True}})):
            results = [self.once("start", 256, warmup=1, **how) for _ in range(min(self.pairs, 3))]
            self.row(name, unit, [value(r) for r in results], limit, limit, "lower",
                     f"{results[-1]['rate']:.0f} sagas/s, p50 {results[-1]['p50_ms']:.1f} ms, {results[-1]['cpu_us']:.0f} us")

    def reads(self):
        """Latency of sagas while others read: 16 Gets in flight all the time."""
        ratios = []
        for _ in range(self.pairs):
            alone = self.once("start", 64, rate=self.peak / 4)["p99_ms"]
            sidecar = self.fresh()
            reader = subprocess.Popen([f"{self.binaries}/bench/load", "--case", "get", "--address", sidecar.address, "--inflight", "16", "--seconds",
                                       str(self.seconds + 60)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            ratios.append(self.load(sidecar, "start", 64, rate=self.peak / 4)["p99_ms"] / alone)
            reader.kill()
            reader.wait()
            sidecar.kill()
            sidecar.remove()
        self.row("p99 of sagas at a quarter of the peak beside 16 readers", "x alone", ratios, 6, 3, "lower")

    def cliffs(self):
        """What must not cost more the more there is: a unit at the larger size over one at the smaller."""
        output = subprocess.run([f"{self.binaries}/bench/cliffs"], capture_output=True, text=True, check=True).stdout
        self.raw["cliffs"] = json.loads(output.splitlines()[-1])
        sizes = list(self.raw["cliffs"].items())
        for (small, first), (large, second) in zip(sizes[::2], sizes[1::2]):
            self.row(f"{large} over {small.split()[1]}", "x", [second["us"] / first["us"]], 1.5, 1.0, better="lower",
                     note=f"{second['us']:.2f} us a unit")
            if second["worst_ms"] > 0:
                self.row(f"{large}: the worst in one go", "ms", [second["worst_ms"]], 50, 20, better="lower",
                         note=f"{second['worst_cpu_ms']:.1f} ms of CPU")

    def store_row_us(self):
        """CPU of one 300-byte row in bare SQLite, 64 rows a commit, synchronous=FULL."""
        output = subprocess.run([f"{self.binaries}/bench/bench_store", "--seconds", "1", "--pairs", "3"], capture_output=True,
                                text=True, check=True).stdout
        self.raw["store"] = json.loads(output.splitlines()[-1])
        return next(r for r in self.raw["store"]["cases"] if r["rows"] == 64)["bare_cpu_us"]

    # ---- the report ----

    def machine(self):
        with open("/proc/cpuinfo") as file:
            model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
        return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "date": time.strftime("%Y-%m-%d")}

    def report(self, directory, merge):
        """merge: cases that were not run keep what an earlier run on this machine has left."""
        os.makedirs(directory, exist_ok=True)
        machine = self.machine()
        if merge and os.path.exists(f"{directory}/results.json"):
            with open(f"{directory}/results.json") as file:
                before = json.load(file)
            new = {r["case"]: r for r in self.rows}
            self.rows = [new.pop(r["case"], r) for r in before["rows"]] + list(new.values())
            self.raw = {**before["raw"], **self.raw}
        with open(f"{directory}/results.json", "w") as file:
            json.dump({"machine": machine, "rows": self.rows, "raw": self.raw}, file, indent=1)
        with open(f"{directory}/table.md", "w") as file:
            file.write(f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['date']}. "
                       "Every acknowledgement is after fsync (synchronous=FULL). Median of the pairs, with the spread.\n\n"
                       "| case | measured | spread | must | aim | reached |\n|---|---|---|---|---|---|\n")
            for r in self.rows:
                file.write(f"| {r['case'].strip()} | {r['median']:,.2f} {r['unit']} | {r['low']:,.2f} to {r['high']:,.2f} | "
                           f"{r['must']:,} | {r['aim']:,} | {r['reached']} |\n")
        plot.bars(f"{directory}/ratios.svg", self.rows)
        if self.raw.get("growth"):
            plot.line(f"{directory}/growth.svg", self.raw["growth"], "live sagas", "us of CPU a saga")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", default="build/release")
    parser.add_argument("--out", default="build/bench")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--finished", type=int, default=1000000, help="finished sagas in the journal of that case")
    parser.add_argument("--live", type=int, nargs="*", default=[1, 10000, 100000], help="live sagas in the growth plot")
    parser.add_argument("--only", nargs="*", help="cases to run, by the names of their methods")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    cases = {"begins": bench.begins, "pipes": bench.pipes, "sagas": bench.sagas, "enlisted": bench.enlisted,
             "latency": bench.latency, "idle": bench.idle, "watchers": bench.watchers, "many_live": bench.many_live,
             "growth": lambda: bench.growth(arguments.live), "finished": lambda: bench.finished(arguments.finished),
             "retention": bench.retention, "loops": bench.loops, "targets": lambda: bench.targets([1, 100, 1000]),
             "connections": bench.connections, "random_ids": lambda: bench.random_ids(3 * arguments.finished),
             "calls_of_the_system": bench.calls_of_the_system, "shapes": bench.shapes, "reads": bench.reads,
             "cliffs": bench.cliffs, "one_go": lambda: one_go.run(bench), "overdue": lambda: overdue.run(bench, 64000), "pain": lambda: pain.run(bench), "adaptive": lambda: pain.adaptive(bench),
             "typed": lambda: typed.run(bench),
             "trusted": lambda: trusted.run(bench), "watched": lambda: watched.run(bench), "database": lambda: database.run(bench),
             "shared": lambda: database.shared(bench), "takeover": lambda: takeover.run(bench, 100000)}
    bench.peak = 6000
    for name, case in cases.items():
        if not arguments.only or name in arguments.only:
            case()
    bench.report(arguments.out, bool(arguments.only))
    print(f"{len(bench.rows)} figures in {arguments.out}/table.md; {sum(r['reached'] == 'no' for r in bench.rows)} below what they must reach")


if __name__ == "__main__":
    main()
