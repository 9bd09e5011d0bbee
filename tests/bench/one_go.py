"""What comes to be done in one go: many Waits that end with one commit, many calls that leave with one, a message of many commands. Each at two
sizes: the sidecar's CPU a unit, and the worst round trip of a health check meanwhile. The client is Python's grpc, as in tests/e2e."""
import json
import os
import subprocess
import sys

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

    def __init__(self, binaries, address):
        self.process = subprocess.Popen([f"{binaries}/bench/load", "--case", "health", "--address", address, "--inflight", "1",
                                         "--warmup", "0.2", "--rate", "1000", "--seconds", str(PROBE_S)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stderr.readline()  # it counts by now

    def worst_ms(self):
        return json.loads(self.process.communicate()[0])["max_ms"]


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


def once(bench, what, count):
    """Returns CPU a unit in us, without that of the health checks, and the worst of these in ms: before, and while it is done."""
    sidecar = bench.fresh(OPTIONS)
    served = rig.Served(bench.binaries, 1, sidecar.participants)
    clients = [harness.Client(sidecar.address) for _ in range(CONNECTIONS)]
    steps = what(clients, count)
    next(steps)
    before = rig.cpu_seconds(sidecar.pid)
    quiet = Prober(bench.binaries, sidecar.address).worst_ms()
    between = rig.cpu_seconds(sidecar.pid)
    prober = Prober(bench.binaries, sidecar.address)
    next(steps)
    worst = prober.worst_ms()
    cpu = (rig.cpu_seconds(sidecar.pid) - between - (between - before)) / count * 1e6
    for client in clients:
        client.close()
    sidecar.kill()
    sidecar.remove()
    served.stop()
    return cpu, quiet, worst


CASES = (("Waits that end with one commit", waits, (2000, 8000)), ("calls that leave with one commit", calls, (512, 4096)),
         ("commands of one message", commands, (8000, 64000)))


def run(bench):
    for name, what, sizes in CASES:
        small, large = (once(bench, what, n) for n in sizes)
        bench.row(f"{sizes[1]:,} {name} over {sizes[0]:,}: CPU of one", "x", [large[0] / small[0]], 1.5, 1.0, "lower",
                  f"{large[0]:.1f} us each; worst health check {large[2]:.0f} ms, {large[1]:.0f} ms without")
        bench.row(f"{sizes[1]:,} {name}: the worst health check meanwhile", "ms", [large[2]], 50, 20, "lower")
