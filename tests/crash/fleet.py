#!/usr/bin/python3
"""fleet.py - a fleet on its bad days: three to ten sidecars on one database with a synchronous standby, under load.

fleet.py [--rounds N] [--seed S] [--sidecars N]

In each round something happens: a sidecar is killed, frozen past its lease, stopped in order, cut off from the others' clock by SIGSTOP, or the
primary database is killed with all its processes and its standby promoted (a new standby is made of it then). What must hold:
  every acknowledged saga ends, whoever has its journal by then; a request_id is one saga in the whole fleet, whoever is asked;
  an answer once given never changes; what participants did balances with what the sagas say.
"""
import argparse
import collections
import os
import random
import signal
import sys
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

LEASE_S = 3
WORKERS = 8
SETTLE_S = 90
RETRY = "retry: {maxAttempts: 500, initialBackoff: 5ms, maxBackoff: 100ms}"


class Ledger:
    """A participant with a barrier: an action takes effect once, unless its undo was here first; it refuses some."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rows = {}  # (saga, step, phase) -> what was answered
        self.net = collections.Counter()
        self.shop = Participant()
        for name in ("a", "b", "c"):
            for prefix in ("", "un"):
                self.shop.on("/shop.v1.Shop/" + prefix + name, self.serve)

    def serve(self, call):
        if random.random() < 0.02:
            raise Answer(grpc.StatusCode.UNAVAILABLE, "not this time")
        with self.lock:
            return self.judge(call)

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
    def __init__(self, args):
        self.random = random.Random(args.seed)
        self.primary = Postgres("synchronous_commit=on").start()
        self.standby = Postgres(of=self.primary).start()
        self.primary.require(self.standby)
        migrate(self.primary)
        self.ledger = Ledger()
        self.names = ["s%d" % i for i in range(args.sidecars)]
        self.ports = {n: free_port() for n in self.names}
        self.sidecars = {}
        self.known = {}  # request_id -> saga
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.wrong = []
        self.next = 0

    def uri(self):
        return "postgresql://saga@/postgres?host=%s,%s&target_session_attrs=read-write&connect_timeout=2" % (self.primary.folder, self.standby.folder)

    def start(self, name):
        address = "127.0.0.1:%d" % self.ports[name]
        sidecar = self.sidecars.get(name) or Sidecar(start=False, store_journal=name, store_lease="%ds" % LEASE_S, store_timeout="1s", fleet="chaos",
                                                      shutdown_grace="2s", listen=[address], fleet_address=address,
                                                      targets={"shop": self.ledger.shop.address})
        sidecar.options["store"] = self.uri()
        self.sidecars[name] = sidecar
        for _ in range(10):  # it may find that the database is just being promoted
            sidecar.spawn()
            harness.wait_until(lambda: sidecar.log("ready") or sidecar.process.poll() is not None, "%s is ready" % name, 40)
            if sidecar.process.poll() is None:
                break
            sidecar.await_exit()
        else:
            raise AssertionError("%s does not start:\n%s" % (name, "\n".join(sidecar.lines)))
        sidecar.client = Client(address)

    def work(self, number):
        chance = random.Random(number)
        clients = {n: Client("127.0.0.1:%d" % p) for n, p in self.ports.items()}
        while not self.over.is_set():
            with self.lock:
                self.next += 1
                request = "r-%d" % (self.next if chance.random() < 0.7 or self.next < 20 else chance.randrange(1, self.next))
            for _ in range(200):
                try:
                    saga = clients[chance.choice(self.names)].Start(definition="three", request_id=request, timeout=3).saga_id
                except grpc.RpcError as error:
                    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED,
                                            grpc.StatusCode.CANCELLED):
                        self.wrong.append("start of %s: %r" % (request, failure_of(error)))
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
            time.sleep(0.02)

    # ---- what happens ----

    def kill(self):
        name = self.random.choice(self.names)
        self.sidecars[name].kill()
        time.sleep(self.random.choice([0, LEASE_S + 3]))
        self.start(name)
        return "kill -9 of %s" % name

    def stop(self):
        name = self.random.choice(self.names)
        self.sidecars[name].stop()
        time.sleep(self.random.uniform(0, 3))
        self.start(name)
        return "stop of %s" % name

    def freeze(self):
        name = self.random.choice(self.names)
        sidecar = self.sidecars[name]
        sidecar.process.send_signal(signal.SIGSTOP)
        frozen_s = self.random.choice([1, LEASE_S + 4])
        time.sleep(frozen_s)
        sidecar.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        return "freeze of %s for %d s" % (name, frozen_s)

    def fail_over(self):
        self.primary.kill()
        self.standby.promote()
        self.primary.close()
        gone, self.primary = self.primary.folder, self.standby
        self.standby = Postgres(of=self.primary, folder=gone).start()
        self.primary.require(self.standby)
        return "kill -9 of the primary, the standby promoted"

    def start_who_lost(self):
        """A sidecar whose journal was taken ends, and comes back; any other end is wrong."""
        lost = [name for name in self.names if self.sidecars[name].process.poll() is not None]
        for name in lost:
            sidecar = self.sidecars[name]
            sidecar.await_exit()
            if not any(l.get("reason") == "JOURNAL_FENCED" for l in sidecar.log()):
                self.wrong.append("%s ended by itself:\n%s" % (name, "\n".join(sidecar.lines[-20:])))
            self.start(name)
        return "".join(", the journal of %s was taken" % name for name in lost)

    # ---- the end ----

    def settle(self):
        deadline = time.monotonic() + SETTLE_S
        chance = random.Random(0)
        for request, saga in sorted(self.known.items()):
            while True:
                try:
                    ended = self.sidecars[chance.choice(self.names)].client.Wait(saga_id=saga, timeout=10).saga
                    break
                except grpc.RpcError as error:
                    if time.monotonic() > deadline:
                        raise AssertionError("saga %s of %s does not end: %r" % (saga, request, failure_of(error)))
                    time.sleep(0.1)
            done = [self.ledger.net[saga, name] for name in "abc"]
            expected = {"COMMITTED": [1, 1, 1], "COMPENSATED": [0, 0, 0]}.get(state_name(ended))
            if done != expected:
                self.wrong.append("saga %s is %s, and participants have %s" % (saga, state_name(ended), done))
        begun = {saga for saga, _, _ in self.ledger.rows}
        known = set(self.known.values())
        if len(begun - known) > WORKERS:  # of the last starts the answers may have been lost
            self.wrong.append("%d sagas that nobody has begun" % len(begun - known))

    def close(self):
        for sidecar in self.sidecars.values():
            sidecar.close()
        self.ledger.shop.stop()
        for server in (self.standby, self.primary):
            server.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sidecars", type=int, default=3)
    args = parser.parse_args()
    print("fleet: seed %d, %d sidecars, %d rounds" % (args.seed, args.sidecars, args.rounds), flush=True)
    fleet = Fleet(args)
    for name in fleet.names:
        fleet.start(name)
        fleet.sidecars[name].client.register(definition("three", step("a", more=RETRY), step("b", after=["a"], more=RETRY), step("c", after=["b"], more=RETRY)))
    threads = [threading.Thread(target=fleet.work, args=(i,)) for i in range(WORKERS)]
    for thread in threads:
        thread.start()
    acts = [fleet.kill, fleet.freeze, fleet.fail_over, fleet.stop]
    try:
        for number in range(args.rounds):
            time.sleep(1)
            began, sagas = time.monotonic(), len(fleet.known)
            act = acts[number % len(acts)] if number < len(acts) else fleet.random.choice(acts)
            said = act() + fleet.start_who_lost()
            print("fleet: round %d: %s (%.1f s, %d sagas more)" % (number + 1, said, time.monotonic() - began, len(fleet.known) - sagas), flush=True)
            if fleet.wrong:
                break
        time.sleep(1)
    finally:
        fleet.over.set()
        for thread in threads:
            thread.join()
    if not fleet.wrong:
        fleet.settle()
    taken = sum(len(s.log("a journal is taken over: its sagas go on here")) for s in fleet.sidecars.values())
    fleet.close()
    for line in fleet.wrong:
        print("fleet: WRONG: " + line)
    print("fleet: %d sagas, %d take-overs seen at the end, %d wrong" % (len(fleet.known), taken, len(fleet.wrong)))
    return 1 if fleet.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
