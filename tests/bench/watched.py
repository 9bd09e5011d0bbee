#!/usr/bin/env python3
"""What watching costs: metrics on and off, traces of few sagas and of all, a scrape of many definitions.

As a program (make bench-watch) it counts instructions, which a busy machine does not disturb: a sidecar under callgrind serves sagas of three steps,
and the share of its own instructions that goes to metrics and to traces is told. usage: watched.py BINARIES"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rig  # noqa: E402

DEFINITIONS = 1000
METRICS = "http_listen: 127.0.0.1:0"
TRACES = "otlp_endpoint: %s\ntraces_percent: %d"
# What is measured, its options, and the functions that do it, with all that they call. What those cost without the options is taken off.
RECORDS = "observer_durable"
PARTS = (("metrics", METRICS, 0.015, (RECORDS, "counters_attempt", "counters_commit", "counters_committing")),
         ("traces of 1 %", (TRACES, 1), 0.02, (RECORDS, "tracing_parent", "exporter.c:run")),
         ("traces of all", (TRACES, 100), 0.15, (RECORDS, "tracing_parent", "exporter.c:run")))


def collect():
    """A collector that takes everything and looks at nothing, until its input ends."""
    from concurrent import futures
    import grpc

    class Any(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=(Any(),), options=[("grpc.max_receive_message_length", -1)])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(None)


class Collector:
    def __init__(self):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--collect"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = "127.0.0.1:%d" % int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def options_of(part, collector):
    return part if isinstance(part, str) else part[0] % (collector.address, part[1])


def port_of(sidecar):
    """Where it is scraped: told in the log before it is ready."""
    with open(f"/proc/{sidecar.pid}/net/tcp", encoding="ascii") as file:
        inodes = {line.split()[9]: int(line.split()[1].split(":")[1], 16) for line in file if line.split()[3] == "0A"}
    held = [os.readlink(f"/proc/{sidecar.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{sidecar.pid}/fd")]
    ports = {inodes[i[8:-1]] for i in held if i.startswith("socket:[") and i[8:-1] in inodes}
    return (ports - {int(sidecar.address.split(":")[1])}).pop()


# ---- by the clock: a part of make bench ----

def beside(bench, case, options, must, aim):
    ratios = []
    for turn in range(2 * bench.pairs):
        order = ("", options) if turn % 2 == 0 else (options, "")
        cpu = {which: bench.once("start", 256, which)["cpu_us"] for which in order}
        ratios.append(cpu[options] / cpu[""])
    bench.row(case, "x without", ratios, must, aim, "lower")


def scrape(port):
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        size = len(answer.read())
    return 1e3 * (time.monotonic() - began), size


def scrapes(bench):
    """A thousand definitions, of each of which a saga has run; scraped one after another, beside sagas that go on."""
    sidecar = rig.Sidecar(bench.binaries, options=METRICS + "\nmetrics_series_max: 100000", targets=2)
    sidecar.kill()
    subprocess.run(["rm", "-rf", f"{sidecar.directory}/data"], check=True)
    for i in range(2, DEFINITIONS):
        with open(f"{sidecar.directory}/definitions/bench{i}.yaml", "w") as file:
            file.write(rig.definition("bench0").replace("name: bench0\n", f"name: bench{i}\n", 1))
    sidecar.start()
    sidecar.targets = DEFINITIONS  # of which the load begins sagas by turns
    bench.load(sidecar, "start", 64, seconds=2)
    port = port_of(sidecar)
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
    ran = len(re.findall(r"^sagad_sagas_ended_total\{", text, re.M))
    series = float(re.search(r"^sagad_metrics_series (\S+)", text, re.M).group(1))
    memory = float(re.search(r"^sagad_metrics_bytes (\S+)", text, re.M).group(1))
    assert ran >= DEFINITIONS, ran
    cpu = rig.cpu_seconds(sidecar.pid)
    found = [scrape(port) for _ in range(50)]
    cpu = (rig.cpu_seconds(sidecar.pid) - cpu) / len(found) * 1e3
    bench.row(f"a scrape of {DEFINITIONS:,} definitions", "ms", [ms for ms, _ in found], 20, 10, "lower",
              f"CPU {cpu:.1f} ms; {found[0][1] / 1e6:.1f} MB, {series:.0f} series")
    bench.row("  memory of their series", "KB each", [memory / series / 1024], 1, 0.5, "lower", f"{memory / 2**20:.1f} MB")
    ratios, over = [], threading.Event()

    def forever():
        while not over.is_set():
            scrape(port)
    rate = bench.peak / 8
    alone = [bench.load(sidecar, "start", 64, rate=rate)["p99_ms"] for _ in range(bench.pairs)]
    thread = threading.Thread(target=forever)
    thread.start()
    for p99 in alone:
        ratios.append(bench.load(sidecar, "start", 64, rate=rate)["p99_ms"] / p99)
    over.set()
    thread.join()
    bench.row("  p99 of sagas while it is scraped without a pause", "x alone", ratios, 3, 1.5, "lower", f"alone {statistics.median(alone):.1f} ms")
    sidecar.kill()
    sidecar.remove()


def run(bench):
    collector = Collector()
    try:
        for name, options, most, _ in PARTS:
            beside(bench, f"three-step saga, {name}: CPU", options_of(options, collector), 1 + most, 1 + most / 2)
    finally:
        collector.stop()
    scrapes(bench)


# ---- by instructions ----

def counted(binaries, options, functions):
    """Instructions a saga: {function: its}, and of all."""
    import trust_count
    with tempfile.TemporaryDirectory(prefix="sagad-bench-") as folder:
        valgrind = trust_count.Valgrind(binaries, folder)
        sidecar = rig.Sidecar(valgrind.binaries, options=options)
        try:
            # What a start and first connections cost is of no saga.
            rig.load(binaries, sidecar, "start", 64, 2, sidecar.participants, warmup=0)
            subprocess.run(["callgrind_control", "--zero", str(sidecar.pid)], check=True, capture_output=True)
            load = rig.load(binaries, sidecar, "start", 64, 12, sidecar.participants, warmup=0)
            sidecar.stop()
        finally:
            sidecar.remove()
        costs, total = trust_count.inclusive(valgrind.out("sagad"))
    assert load["count"] >= 50, load
    cost = {f: max((n for key, n in costs.items() if key == f or key.endswith(":" + f)), default=0) for f in functions}
    return {f: n / load["count"] for f, n in cost.items()}, total / load["count"]


def main():
    binaries, wrong = sys.argv[1], 0
    collector = Collector()
    without, _ = counted(binaries, "", {f for part in PARTS for f in part[3]})
    for name, options, most, functions in PARTS:
        cost, total = counted(binaries, options_of(options, collector), functions)
        more = {f: n - without[f] for f, n in cost.items()}
        share = sum(more.values()) / total
        wrong += share > most or more[RECORDS] <= 0
        print(f"{name:14} {share:6.2%} of {total:.0f} instructions a saga, at most {most:.1%}: " +
              ", ".join(f"{f} {n:.0f}" for f, n in more.items()), flush=True)
    collector.stop()
    print(f"watch-count: {wrong} parts over their bound")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--collect"]:
        collect()
    else:
        sys.exit(main())
