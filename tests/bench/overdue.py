"""A start at which many sagas are overdue, beside that of an idle journal: how soon it is ready, when the first saga is served, rate and p99 of
ordinary sagas all along, and while every dead letter is listed."""
import json
import subprocess
import tempfile
import time

import rig

HOLD_S = 5
RATE = 1000
# From the start on: leases begin anew and end, everything is undone, the undos fail.
ALONG_S = 25


def options(owed):
    return (f"  owed: {{address: '{owed}', timeout: 60s, max_concurrent_calls: 64}}\n"
            "live_sagas_max: 4000000\ndefault_compensation_retry: {maxAttempts: 1, initialBackoff: 1s, maxBackoff: 1s}")


def first_ms(bench, sidecar):
    return bench.load(sidecar, "latency", 1, seconds=5, count=1, warmup=0)["max_ms"]


def started(bench, owed, count):
    """A sidecar that has just been started on a journal with count sagas that are overdue."""
    sidecar = bench.fresh(options(owed))
    if count > 0:
        rig.load(bench.binaries, sidecar, "pipe-owed", 1024, 60, count=count, hold=HOLD_S, warmup=0)
    sidecar.kill()
    time.sleep(HOLD_S if count > 0 else 0)
    sidecar.start()
    return sidecar


def along(bench, sidecar, seconds):
    return bench.load(sidecar, "start", 64, seconds=seconds, rate=RATE, warmup=0)


def dead_letters(bench, sidecar):
    """Lists all of them while sagas go on. Returns the seconds that it took, how many there were, and what the sagas met with."""
    with tempfile.TemporaryFile() as file:
        began = time.monotonic()
        listing = subprocess.Popen([f"{bench.binaries}/sagactl", "--address", sidecar.address, "deadletters", "-A", "-o", "json"], stdout=file)
        result = along(bench, sidecar, 4)
        assert listing.wait() == 0
        took = time.monotonic() - began
        file.seek(0)
        return took, sum(len(json.loads(line).get("sagas", [1])) for line in file if line.strip()), result


def run(bench, count):
    with tempfile.TemporaryDirectory(prefix="sagad-bench-") as directory:
        owed = f"unix:{directory}/owed.sock"
        served = rig.Served(bench.binaries, 1, owed, ["--undo", "refused"])
        idle = started(bench, owed, 0)
        idle_first, plain = first_ms(bench, idle), along(bench, idle, ALONG_S)
        idle.kill()
        idle.remove()
        sidecar = started(bench, owed, count)
        first, busy = first_ms(bench, sidecar), along(bench, sidecar, ALONG_S)
        seconds, letters, beside = dead_letters(bench, sidecar)
        ready = sidecar.ready_seconds
        sidecar.kill()
        sidecar.remove()
        served.stop()
    name = f"{count:,} sagas overdue at a start"
    bench.row(f"{name}: ready after", "s", [ready], 3, 1, "lower")
    bench.row(f"{name}: the first saga after that", "ms", [first], 50, 20, "lower", f"{idle_first:.0f} ms on an idle journal")
    bench.row(f"{name}: rate all along", "% of idle", [100 * busy["rate"] / plain["rate"]], 67, 95)
    bench.row(f"{name}: p99 all along", "x idle", [busy["p99_ms"] / plain["p99_ms"]], 1.5, 1.1, "lower",
              f"{busy['p99_ms']:.1f} ms, idle {plain['p99_ms']:.1f} ms; worst {busy['max_ms']:.0f} ms, idle {plain['max_ms']:.0f} ms")
    assert letters >= count
    bench.row(f"{name}: p99 while deadletters -A lists them", "x idle", [beside["p99_ms"] / plain["p99_ms"]], 2, 1.5, "lower",
              f"{letters:,} dead letters in {seconds:.1f} s")
