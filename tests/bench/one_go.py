"""What comes to be done in one go: many Waits that end with one commit, many calls that leave with one, a message of many commands. Each at two
sizes: the sidecar's CPU a unit, and the worst round trip of a health check meanwhile. The client is Python's grpc, as in tests/e2e."""
import json
import os
import subprocess
import sys
import time

import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import harness  # noqa: E402

OPTIONS = """calls_max: 40000
waiters_max: 20000
connection_streams_max: 20000
live_sagas_max: 200000
message_bytes_max: 16MiB
memory_bytes_max: 1GiB
pipe_commands_max: 65536
"""
CONNECTIONS = 8
PROBE_S = 4


class Prober:
    """Asks for the sidecar's health again and again, in a process of its own."""

    def __init__(self, binaries, server):
        self.process = subprocess.Popen([f"{binaries}/bench/load", "--case", "health", "--address", server.address, "--watch", str(server.pid), "--inflight", "1",
                                         "--warmup", "0.2", "--rate", "1000", "--seconds", str(PROBE_S)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stderr.readline()  # it counts by now

    def worst_ms(self):
        """By the clock, and of the sidecar's CPU: what a busy machine adds is not in that."""
        result = json.loads(self.process.communicate()[0])
        return result["max_ms"], result["max_cpu_ms"]


def waits(clients, count):
    saga_id = clients[0].Begin(name="waited").saga_id
    request = harness.message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString()
    methods = [c.channel.unary_unary("/saga.v1.Coordinator/Wait") for c in clients]
    waiting = [methods[i % len(methods)].future(request, timeout=60) for i in range(count)]
    for client in clients:
        client.Get(saga_id=saga_id)  # behind all of them, on each connection
    yield
    clients[0].Commit(saga_id=saga_id)
    for future in waiting:
        future.result()
    yield


def piped(command, count):
    def run(clients, _):
        request = harness.message("saga.v1.PipeRequest")(commands=[command] * count)
        yield
        response = next(clients[0].Pipe(iter([request])))
        assert len(response.results) == count and not any(r.HasField("error") for r in response.results)
        yield
    return run


def calls(clients, count):
    start = harness.message("saga.v1.Command")(start=harness.message("saga.v1.StartRequest")(definition="bench", input=b"x" * 100))
    return piped(start, count)(clients, count)


def commands(clients, count):
    begin = harness.message("saga.v1.Command")(begin=harness.message("saga.v1.BeginRequest")(name="many"))
    return piped(begin, count)(clients, count)


def at_rest(pid):
    """The process's CPU, once it takes hardly any more."""
    before, now = -1, rig.cpu_seconds(pid)
    while now - before > 0.002:
        time.sleep(0.2)
        before, now = now, rig.cpu_seconds(pid)
    return now


def once(bench, what, count, measure):
    sidecar = bench.fresh(OPTIONS)
    served = rig.Served(bench.binaries, 1, sidecar.participants)
    clients = [harness.Client(sidecar.address) for _ in range(CONNECTIONS)]
    steps = what(clients, count)
    next(steps)
    result = measure(sidecar, steps)
    for client in clients:
        client.close()
    sidecar.kill()
    sidecar.remove()
    served.stop()
    return result


def cpu(sidecar, steps):
    before = at_rest(sidecar.pid)
    next(steps)
    return (at_rest(sidecar.pid) - before) * 1e6


def worst(bench):
    """What a health check met with at the worst, before and meanwhile."""
    def measure(sidecar, steps):
        quiet = Prober(bench.binaries, sidecar).worst_ms()
        prober = Prober(bench.binaries, sidecar)
        next(steps)
        return quiet, prober.worst_ms()
    return measure


CASES = (("Waits that end with one commit", waits, (2000, 8000)), ("calls that leave with one commit", calls, (512, 4096)),
         ("commands of one message", commands, (8000, 64000)))


def run(bench):
    for name, what, sizes in CASES:
        small, large = (once(bench, what, n, cpu) / n for n in sizes)
        quiet, busy = once(bench, what, sizes[1], worst(bench))
        bench.row(f"{sizes[1]:,} {name} over {sizes[0]:,}: CPU of one", "x", [large / small], 1.5, 1.0, "lower", f"{large:.1f} us each, {small:.1f} us")
        bench.row(f"{sizes[1]:,} {name}: CPU while a health check waits", "ms", [busy[1]], 50, 20, "lower",
                  f"{busy[0]:.0f} ms by the clock; without, {quiet[1]:.0f} and {quiet[0]:.0f} ms")
