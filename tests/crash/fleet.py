#!/usr/bin/python3
"""fleet.py - a fleet on its bad days: three to ten sidecars on one database with a synchronous standby, under load.

fleet.py [--rounds N | --seconds N] [--seed S] [--sidecars N] [--lease S] [--only ACT,...]

In each round something happens: a sidecar is killed; stopped in order; frozen past its lease; cut off from the database, and from nothing else, for a
moment or past its lease, by a network that refuses or one that swallows everything and delivers it late (wire.py); its clocks jump, the wall clock
or the one of leases, and it may be started anew by such a clock; or the primary database is killed with all its processes and its standby promoted (a
new standby is made of it then). What must hold:
  every acknowledged saga ends, whoever has its journal by then; a request_id is one saga in the whole fleet, whoever is asked;
  an answer once given never changes; what participants did balances with what the sagas say;
  who is cut off from the database for longer than its lease calls nobody.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
sys.dont_write_bytecode = True

import grpc

import harness
from harness import Answer, Client, Participant, Sidecar, definition, failure_of, free_port, migrate, state_name, step
from postgres import Postgres
from test_bad_days import SHIM
from wire import NAME as SOCKET

BEYOND_S = 5  # after its end nobody is late any more, however busy the machine
WORKERS = 8
# Ten sidecars have four connections each, and two for each journal taken over. A new standby soon asks again for what it lacks.
SETTINGS = ("synchronous_commit=on", "max_connections=300", "wal_retrieve_retry_interval=100ms")
SETTLE_S = 90
ANSWERED_S = 120  # whatever happens to whom, somebody answers by then
REMEMBERED = 2000  # request_ids: older ones are looked at, and forgotten
RETRY = "retry: {maxAttempts: 500, initialBackoff: 5ms, maxBackoff: 100ms}"


class Ledger:
    """A participant with a barrier: an action takes effect once, unless its undo was here first; it refuses some."""

    def __init__(self, names, slow_s):
        self.slow_s = slow_s  # a call takes up to so long
        self.lock = threading.Lock()
        self.rows = {}  # (saga, step, phase) -> what was answered
        self.net = collections.Counter()
        self.shops = {name: Participant() for name in names}  # each sidecar has one to call, so that it is known who calls
        self.called = {name: 0 for name in names}
        for owner, shop in self.shops.items():
            for name in ("a", "b", "c"):
                for prefix in ("", "un"):
                    shop.on("/shop.v1.Shop/" + prefix + name, lambda call, owner=owner: self.serve(owner, call))

    def serve(self, owner, call):
        if random.random() < 0.02:
            raise Answer(grpc.StatusCode.UNAVAILABLE, "not this time")
        time.sleep(self.slow_s * random.random())
        with self.lock:
            self.called[owner] += 1
            self.shops[owner].calls.clear()  # nobody looks at them, and there are many in an hour
            return self.judge(call)

    def forget(self, sagas):
        with self.lock:
            self.rows = {key: row for key, row in self.rows.items() if key[0] not in sagas}
            for key in [key for key in self.net if key[0] in sagas]:
                del self.net[key]

    def judge(self, call):
        key, action = (call.saga, call.step, call.phase), (call.saga, call.step, "action")
        if key not in self.rows:
            if call.phase == "compensation":
                self.rows[key] = b"undone"
                if self.rows.get(action) == b"done":
                    self.net[call.saga, call.step] -= 1
                self.rows.setdefault(action, "void")
            elif call.step == "c" and zlib.crc32(call.saga.encode()) % 5 == 0:
                self.rows[key] = "refused"
            else:
                self.rows[key] = b"done"
                self.net[call.saga, call.step] += 1
        if isinstance(self.rows[key], str):
            raise Answer(grpc.StatusCode.FAILED_PRECONDITION, self.rows[key])
        return self.rows[key]


class Fleet:
    def __init__(self, args, program=harness.SAGAD, slow_s=0):
        self.program = program
        self.random = random.Random(args.seed)
        self.lease_s = args.lease
        self.primary = Postgres(*SETTINGS).start()
        self.standby = Postgres(*SETTINGS, of=self.primary).start()
        self.primary.require(self.standby)
        migrate(self.primary, program)
        self.names = ["s%d" % i for i in range(args.sidecars)]
        self.ledger = Ledger(self.names, slow_s)
        self.folder = tempfile.mkdtemp(prefix="saga-wires-")
        self.wires = {}
        self.clocks = {n: collections.Counter() for n in self.names}
        self.taken = 0
        self.settled = set()  # sagas that have ended well, and are forgotten
        self.acts = collections.Counter()
        self.ports = {n: free_port() for n in self.names}
        self.sidecars = {}
        self.known = {}  # request_id -> saga
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.wrong = []
        self.next = 0

    def connect(self, name):
        """Lays a wire between a sidecar and the servers."""
        wire = subprocess.Popen([sys.executable, os.path.join(HERE, "wire.py"), os.path.join(self.folder, name)] +
                                sorted([self.primary.folder, self.standby.folder]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.wires[name] = wire
        if wire.stdout.readline() != "carries\n":
            raise AssertionError("there is no wire for %s" % name)

    @contextlib.contextmanager
    def unreachable(self, server):
        """Nobody listens at a server that is gone. A wire to it would: and libpq asks the next server only when the one before it refuses."""
        sockets = [os.path.join(self.folder, name, os.path.basename(server), SOCKET) for name in self.names]
        for path in sockets:
            os.rename(path, path + ".gone")
        yield
        for path in sockets:
            os.rename(path + ".gone", path)

    def uri(self, name):
        places = [os.path.join(self.folder, name, os.path.basename(server.folder)) for server in (self.primary, self.standby)]
        return "postgresql://saga@/postgres?host=%s,%s&target_session_attrs=read-write&connect_timeout=2" % tuple(places)

    def set_clocks(self, name):
        rules = self.sidecars[name].environment["SAGA_SHIM"]
        with open(rules + ".new", "w") as f:
            f.writelines("clock %s %d 0 0\n" % item for item in self.clocks[name].items())
        os.rename(rules + ".new", rules)

    def make(self, name):
        address = "127.0.0.1:%d" % self.ports[name]
        sidecar = Sidecar(start=False, store_journal=name, store_lease="%ds" % self.lease_s, store_timeout="%dms" % (self.lease_s * 333), fleet="chaos", shutdown_grace="2s",
                          listen=[address], fleet_address=address, targets={"shop": self.ledger.shops[name].address})
        sidecar.program = self.program
        sidecar.environment = {"LD_PRELOAD": SHIM, "SAGA_SHIM": os.path.join(sidecar.directory, "bad-day"),
                               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        return sidecar

    def count_taken(self, name):
        self.taken += len(self.sidecars[name].log("a journal is taken over: its sagas go on here"))

    def start(self, name):
        if name in self.sidecars:
            self.count_taken(name)
        else:
            self.sidecars[name] = self.make(name)
            self.connect(name)
            self.set_clocks(name)
        sidecar = self.sidecars[name]
        sidecar.options["store"] = self.uri(name)
        for _ in range(10):  # it may find that the database is just being promoted
            sidecar.spawn()
            harness.wait_until(lambda: sidecar.log("ready") or sidecar.process.poll() is not None, "%s is ready" % name, 40)
            if sidecar.process.poll() is None:
                break
            sidecar.await_exit()
        else:
            raise AssertionError("%s does not start:\n%s" % (name, "\n".join(sidecar.lines)))
        if sidecar.client is not None:
            sidecar.client.close()
        sidecar.client = Client("127.0.0.1:%d" % self.ports[name])

    def has_ended(self, name):
        """A sidecar ends by itself only since another has its journal."""
        sidecar = self.sidecars[name]
        if sidecar.process.poll() is None:
            return False
        sidecar.await_exit()
        if not any(l.get("reason") == "JOURNAL_FENCED" for l in sidecar.log()):
            self.wrong.append("%s ended by itself:\n%s" % (name, "\n".join(sidecar.lines[-20:])))
        return True

    def work(self, number):
        chance = random.Random(number)
        clients = {n: Client("127.0.0.1:%d" % p) for n, p in self.ports.items()}
        while not self.over.is_set():
            with self.lock:
                self.next += 1
                request = "r-%d" % (self.next if chance.random() < 0.7 or self.next < 20 else chance.randrange(max(1, self.next - 1000), self.next))
            deadline = time.monotonic() + ANSWERED_S
            while True:
                try:
                    saga = clients[chance.choice(self.names)].Start(definition="three", request_id=request, timeout=3).saga_id
                except grpc.RpcError as error:
                    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED,
                                            grpc.StatusCode.CANCELLED):
                        self.wrong.append("start of %s: %r" % (request, failure_of(error)))
                        return
                    if time.monotonic() > deadline:
                        self.wrong.append("start of %s: no answer for %d s: %r" % (request, ANSWERED_S, failure_of(error)))
                        return
                    time.sleep(0.05)
                    if self.over.is_set():
                        break
                    continue
                with self.lock:
                    before = self.known.setdefault(request, saga)
                if before != saga:
                    self.wrong.append("%s is %s and %s" % (request, before, saga))
                break
            time.sleep(0.05)

    def begin(self):
        self.since = time.monotonic()
        for name in self.names:
            self.start(name)
            self.sidecars[name].client.register(definition("three", step("a", more=RETRY), step("b", after=["a"], more=RETRY), step("c", after=["b"], more=RETRY)))
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(WORKERS)]
        for thread in self.threads:
            thread.start()

    # ---- what happens ----

    def kill(self):
        name = self.random.choice(self.names)
        self.sidecars[name].kill()
        time.sleep(self.random.choice([0, self.lease_s + 3]))
        self.start(name)
        return "kill -9 of %s" % name

    def stop(self):
        name = self.random.choice(self.names)
        self.sidecars[name].terminate()
        self.sidecars[name].process.wait(harness.PATIENCE_S)
        if self.sidecars[name].process.returncode != 0:
            self.has_ended(name)
        else:
            self.sidecars[name].await_exit()
        time.sleep(self.random.uniform(0, 3))
        self.start(name)
        return "stop of %s" % name

    def freeze(self):
        name = self.random.choice(self.names)
        sidecar = self.sidecars[name]
        sidecar.process.send_signal(signal.SIGSTOP)
        frozen_s = self.random.choice([1, self.lease_s + 4])
        time.sleep(frozen_s)
        sidecar.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        return "freeze of %s for %d s" % (name, frozen_s)

    def cut(self):
        """From the database alone: clients, participants and the other sidecars are reached as ever."""
        name, long = self.random.choice(self.names), self.random.random() < 0.7
        silent = self.random.random() < 0.5
        wire = self.wires[name]
        wire.send_signal(signal.SIGSTOP if silent else signal.SIGKILL)
        if long:
            time.sleep(self.lease_s + BEYOND_S)
            before = self.ledger.called[name]
            time.sleep(3)
            if self.ledger.called[name] != before:
                self.wrong.append("%s, cut off from the database, called participants %d times after its lease" % (name, self.ledger.called[name] - before))
        else:
            time.sleep(self.random.uniform(0, 2))
        if silent:
            wire.send_signal(signal.SIGCONT)
        else:
            wire.wait()
            self.connect(name)
        time.sleep(1.5)
        return "%s cut off from the database %s, %s" % (name, "past its lease" if long else "for a moment", "in silence" if silent else "refused")

    def jump(self):
        """What has been jumped by the clock of leases cannot be taken back but by a new life."""
        name = self.random.choice(self.names)
        clocks = self.clocks[name]
        which = self.random.choice(["REALTIME", "BOOTTIME"])
        if which == "REALTIME":
            clocks[which] = self.random.choice([-3600, -30, 0, 30, 3600])
        else:
            clocks[which] += self.random.choice([1, self.lease_s + 1, 600])
        self.set_clocks(name)
        time.sleep(self.random.uniform(0, self.lease_s))
        said = "the %s clock of %s is %d s ahead" % (which, name, clocks[which])
        if self.random.random() < 0.5 and self.sidecars[name].process.poll() is None:
            self.sidecars[name].kill()
            clocks["BOOTTIME"] = 0
            self.set_clocks(name)
            self.start(name)
            return said + ", and it was killed and started anew"
        return said

    def fail_over(self):
        self.primary.kill()
        self.standby.promote()
        self.primary.close()
        gone, self.primary = self.primary.folder, self.standby
        with self.unreachable(gone):
            self.standby = Postgres(*SETTINGS, of=self.primary, folder=gone).start()
        self.primary.require(self.standby)
        return "kill -9 of the primary, the standby promoted"

    def start_who_lost(self):
        """Beside those to whom something was done: on a busy machine one may stand still for longer than its lease by itself."""
        lost = [name for name in self.names if self.has_ended(name)]
        for name in lost:
            self.start(name)
        self.acts["lost"] += len(lost)
        return "".join(", the journal of %s was taken" % name for name in lost)

    # ---- the end ----

    def settle(self, keep):
        """All but the newest must end, and balance; and are forgotten."""
        deadline = time.monotonic() + SETTLE_S + len(self.known) / 20
        chance = random.Random(0)
        with self.lock:
            old = sorted(self.known.items(), key=lambda item: int(item[0][2:]))
            old = [(request, saga) for request, saga in old if keep == 0 or int(request[2:]) < self.next - keep]

        def look(item):
            request, saga = item
            while True:
                try:
                    ended = self.sidecars[chance.choice(self.names)].client.Wait(saga_id=saga, timeout=10).saga
                    break
                except grpc.RpcError as error:
                    if time.monotonic() > deadline:
                        self.wrong.append("saga %s of %s does not end: %r" % (saga, request, failure_of(error)))
                        return
                    time.sleep(0.1)
            with self.ledger.lock:
                done = [self.ledger.net[saga, name] for name in "abc"]
            expected = {"COMMITTED": [1, 1, 1], "COMPENSATED": [0, 0, 0]}.get(state_name(ended))
            if done != expected:
                self.wrong.append("saga %s is %s, and participants have %s" % (saga, state_name(ended), done))

        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(look, old))
        self.settled |= {saga for _, saga in old}
        if keep == 0:
            unknown = {saga for saga, _, _ in self.ledger.rows} - self.settled
            if len(unknown) > WORKERS:  # of the last starts the answers may have been lost
                self.wrong.append("%d sagas that nobody has begun" % len(unknown))
            return
        with self.lock:
            for request, _ in old:
                del self.known[request]
        self.ledger.forget({saga for _, saga in old})

    def end(self):
        """Begins nothing more; all that was begun ends. Returns an exit status."""
        self.over.set()
        for thread in self.threads:
            thread.join()
        if not self.wrong:
            self.settle(0)
        self.close()
        for line in self.wrong:
            print("fleet: WRONG: " + line)
        print("fleet: %d s, %d sagas, %s, %d take-overs, %d wrong" % (
            time.monotonic() - self.since, len(self.settled), ", ".join("%s %d" % item for item in sorted(self.acts.items())), self.taken, len(self.wrong)))
        return 1 if self.wrong else 0

    def close(self):
        for name, sidecar in self.sidecars.items():
            self.count_taken(name)
            sidecar.close()
        for wire in self.wires.values():
            wire.kill()
            wire.wait()
        shutil.rmtree(self.folder)
        for shop in self.ledger.shops.values():
            shop.stop()
        for server in (self.standby, self.primary):
            server.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, help="so long instead")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sidecars", type=int, default=3)
    parser.add_argument("--lease", type=int, default=3, help="in seconds")
    parser.add_argument("--only", default="kill,freeze,fail_over,cut,jump,stop")
    args = parser.parse_args()
    print("fleet: seed %d, %d sidecars, %s" % (args.seed, args.sidecars, "%d s" % args.seconds if args.seconds else "%d rounds" % args.rounds), flush=True)
    fleet = Fleet(args)
    fleet.begin()
    acts = [getattr(fleet, name) for name in args.only.split(",")]
    number = 0
    try:
        while time.monotonic() < fleet.since + args.seconds if args.seconds else number < args.rounds:
            time.sleep(1)
            began, sagas = time.monotonic(), len(fleet.known)
            act = acts[number] if number < len(acts) else fleet.random.choice(acts)
            said = act() + fleet.start_who_lost()
            fleet.acts[act.__name__] += 1
            number += 1
            print("fleet: round %d: %s (%.1f s, %d sagas more)" % (number, said, time.monotonic() - began, len(fleet.known) - sagas), flush=True)
            if len(fleet.known) > 2 * REMEMBERED:
                fleet.settle(REMEMBERED)
            if fleet.wrong:
                break
        time.sleep(1)
    except BaseException:
        fleet.over.set()  # the threads are to end
        raise
    return fleet.end()


if __name__ == "__main__":
    sys.exit(main())
