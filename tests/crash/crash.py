#!/usr/bin/python3
"""crash.py - kill -9 at random moments: the sidecar and the shop's three services, under a load of orchestrated, enlisted and piped sagas.

crash.py [--kills N] [--seed S] [--keep] [--store postgresql]

The world is real: sagad, and the example shop (inventory, payment, shipping) with libsaga's barrier and a ledger in each service's own
database. What must hold however often anything is killed:
  every acknowledged saga is there and ends; an answer once given never changes; a request_id is one saga for ever;
  no action and no compensation takes effect twice; a committed saga is done everywhere, an undone one nowhere;
  compensations run in reverse order of the actions; a sidecar ends only when it is killed, and always starts again.
With its journal in a database, that is killed, frozen and cut off, too.
"""
import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
sys.dont_write_bytecode = True

import grpc

import harness
from harness import (OUTCOME_DONE, OUTCOME_REJECTED, OUTCOME_UNKNOWN, ROOT, Client, Sidecar, enum, failure_in_result,
                     failure_of, free_port, message, state, state_name)

SHOP = os.environ.get("SAGA_SHOP", os.path.join(ROOT, "build/release/examples/checkout"))
SERVICES = ("inventory", "payment", "shipping")
STEPS = {"reserve": ("inventory", "Inventory/Reserve", "Inventory/Release"),
         "charge": ("payment", "Payment/Charge", "Payment/Refund"),
         "ship": ("shipping", "Shipping/Ship", "Shipping/Recall")}
LIMIT_CENTS = 50000
WORKERS = 20
# A saga that has not ended so long after the last kill is lost.
SETTLE_S = 60



def definition(name, after, attempts=500, more=""):
    """The three steps; after says what each waits for. Compensations are tried for ever, actions so many times."""
    retry = "retry: {maxAttempts: %d, initialBackoff: 5ms, maxBackoff: 100ms}"
    return "name: %s\nversion: 1.0.0\n%ssteps:\n" % (name, more) + "".join(
        "  - {name: %s, after: [%s], target: %s, action: {method: /shop.v1.%s, %s}, compensation: {method: /shop.v1.%s, %s}}\n" % (
            step, waits_for, target, action, retry % attempts, undo, retry % 500)
        for (step, (target, action, undo)), waits_for in zip(STEPS.items(), after))


CHAIN = ("", "reserve", "charge")
DEFINITIONS = {
    "chain": definition("chain", CHAIN, more="deadline: 30s\n"),
    "fork": definition("fork", ("", "reserve", "reserve"), more="compensation_order: dependency\n"),
    # A call that a kill has taken is its last: nobody knows what became of it, and it must be undone.
    "once": definition("once", CHAIN, attempts=1),
    # One that was lost, and one that found nobody: together still not a no.
    "twice": definition("twice", CHAIN, attempts=2),
}


def varint(n):
    out = b""
    while n > 127:
        out += bytes((n & 127 | 128,))
        n >>= 7
    return out + bytes((n,))


def order(order_id, cents):
    """A shop.v1.Order, written by hand: the shop's messages are its own, and not in the sidecar's descriptors."""
    def text(field, value):
        return bytes((field << 3 | 2, len(value))) + value.encode()
    return (text(1, order_id) + text(2, "sku-%d" % (cents % 7)) + b"\x18\x01" + text(4, "card-%d" % (cents % 11)) + b"\x28" +
            varint(cents) + text(6, "street"))


class Service:
    """One of the shop's services, at an address that stays."""

    def __init__(self, name, directory):
        self.name = name
        self.address = "127.0.0.1:%d" % free_port()
        self.database = os.path.join(directory, name + ".db")
        self.log = open(os.path.join(directory, name + ".log"), "ab")
        self.process = None

    def command(self, *more):
        return [os.path.join(SHOP, self.name), "--db", self.database, *more]

    def start(self):
        self.process = subprocess.Popen(self.command("--listen", self.address, "--limit-cents", str(LIMIT_CENTS)),
                                        stdout=subprocess.DEVNULL, stderr=self.log)

    def kill(self):
        # It may not have died by itself.
        assert self.process.poll() is None, "%s has died with %s" % (self.name, self.process.returncode)
        self.process.kill()
        self.process.wait()

    def audit(self):
        done = subprocess.run(self.command("--audit"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return json.loads(done.stdout), done.returncode, done.stderr


class Facts:
    """What clients were told: nothing of it may ever turn out otherwise."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = {}        # request_id: saga id
        self.modes = {}      # saga id: what was asked for
        self.endings = {}    # saga id: the final state that somebody was told
        self.promises = {}   # saga id: the final state that an answer implies
        self.wrong = []
        self.count = collections.Counter()

    def complain(self, text):
        with self.lock:
            self.wrong.append(text)

    def started(self, request_id, saga_id, mode):
        with self.lock:
            before = self.ids.setdefault(request_id, saga_id)
            self.modes.setdefault(saga_id, mode)
            self.count["acknowledged"] += 1
        if before != saga_id:
            self.complain("request %s is %s, and was %s" % (request_id, saga_id, before))

    def ended(self, saga):
        name = state_name(saga)
        with self.lock:
            before = self.endings.setdefault(saga.id, name)
            promised = self.promises.get(saga.id, name)
        if before != name or promised != name:
            self.complain("saga %s is %s, was %s, and was promised to be %s" % (saga.id, name, before, promised))

    def promise(self, saga_id, name):
        with self.lock:
            before = self.promises.setdefault(saga_id, name)
        if before != name:
            self.complain("saga %s was promised to be %s, and now %s" % (saga_id, before, name))


class Over(Exception):
    """The run is over: a worker leaves what it is doing."""


class Worker(threading.Thread):
    """A service that uses the sidecar: one saga after another, until the run is over; then it sees its last one through."""

    def __init__(self, world, index):
        super().__init__(daemon=True)
        self.world, self.index = world, index
        self.facts = world.facts
        self.random = random.Random("%s/%d" % (world.seed, index))
        self.client = Client(world.addresses[index % len(world.addresses)], wait_for_ready=True)
        self.channels = {name: grpc.insecure_channel(s.address) for name, s in world.services.items()}
        self.serial = 0

    def run(self):
        try:
            while not self.world.over.is_set():
                kind = self.random.random()
                if self.index == 0:
                    self.piped()
                elif kind < 0.5:
                    self.orchestrated()
                else:
                    self.enlisted()
        except Over:
            pass
        except Exception as e:
            self.facts.complain("a worker broke: %r" % e)

    def request_id(self):
        self.serial += 1
        return "%d-%d" % (self.index, self.serial)

    def cents(self):
        return self.random.choice((100, 2500, LIMIT_CENTS + 1)) + self.random.randrange(99)

    def ask(self, call, **fields):
        """Repeats a call until it has an answer of the sidecar itself. Returns (response, None) or (None, Failure)."""
        while True:
            if self.world.abandoned.is_set():
                raise Over()
            try:
                return call(timeout=5, **fields), None
            except grpc.RpcError as error:
                failure = failure_of(error)
                if failure.reason is not None and failure.retry_delay_ms is None:
                    return None, failure
                self.facts.count["repeated"] += 1
                # The pace of somebody who tries again; the sidecar is down, and nothing tells when it is up.
                time.sleep(0.01)

    def see_end(self, saga_id):
        response, failure = self.ask(self.client.Wait, saga_id=saga_id)
        if failure is not None:
            self.facts.complain("an acknowledged saga is lost: %s: %r" % (saga_id, failure))
        else:
            self.facts.ended(response.saga)

    # ---- the sidecar drives ----

    def orchestrated(self):
        request_id = self.request_id()
        fields = {"definition": self.random.choice(tuple(DEFINITIONS)), "request_id": request_id,
                  "input": order(request_id, self.cents())}
        response, failure = self.ask(self.client.Start, **fields)
        if failure is not None:
            self.facts.complain("Start: %r" % failure)
            return
        self.facts.started(request_id, response.saga_id, "orchestrated")
        if self.random.random() < 0.1:
            self.ask(self.client.Cancel, saga_id=response.saga_id)
        if self.random.random() < 0.8:
            self.see_end(response.saga_id)
        if self.random.random() < 0.2:
            again, failure = self.ask(self.client.Start, **fields)
            if failure is not None:
                self.facts.complain("Start again: %r" % failure)
            else:
                self.facts.started(request_id, again.saga_id, "orchestrated")

    def piped(self):
        """Many starts in one message; what is not answered is asked again, under the same request_ids."""
        requests = {}
        for _ in range(8):
            request_id = self.request_id()
            requests[request_id] = message("saga.v1.StartRequest")(
                definition="chain", request_id=request_id, input=order(request_id, self.cents()))
        while requests and not self.world.abandoned.is_set():
            names = list(requests)
            batch = message("saga.v1.PipeRequest")()
            for name in names:
                batch.commands.add().start.CopyFrom(requests[name])
            try:
                answers = list(self.client.Pipe(iter([batch]), timeout=5))
            except grpc.RpcError:
                time.sleep(0.01)
                continue
            if len(answers) != 1 or len(answers[0].results) != len(names):
                self.facts.complain("a pipe answered %d commands with %r" % (len(names), answers))
                return
            for name, result in zip(names, answers[0].results):
                if result.WhichOneof("result") == "start":
                    self.facts.started(name, result.start.saga_id, "orchestrated")
                    del requests[name]
                elif failure_in_result(result.error).retry_delay_ms is None:
                    self.facts.complain("Start in a pipe: %r" % failure_in_result(result.error))
                    del requests[name]
        for name in list(self.facts.ids):
            if name.startswith("0-") and self.facts.ids[name] not in self.facts.endings:
                self.see_end(self.facts.ids[name])

    # ---- the service drives ----

    def act(self, saga_id, step, body, key):
        """Does a step at its service, as libsaga does for its callers: with a deadline, and a key that an undo can name."""
        service, method, _ = STEPS[step]
        metadata = (("saga-id", saga_id), ("saga-definition", "order"), ("saga-step", step), ("saga-phase", "action"),
                    ("saga-attempt", "1"), ("idempotency-key", key))
        try:
            self.channels[service].unary_unary("/shop.v1." + method)(body, timeout=0.5, metadata=metadata)
            return OUTCOME_DONE
        except grpc.RpcError as error:
            return OUTCOME_REJECTED if error.code() == grpc.StatusCode.FAILED_PRECONDITION else OUTCOME_UNKNOWN

    def enlisted(self):
        request_id = self.request_id()
        body = order(request_id, self.cents())
        response, failure = self.ask(self.client.Begin, name="order", request_id=request_id, lease={"seconds": 2})
        if failure is not None:
            self.facts.complain("Begin: %r" % failure)
            return
        saga_id = response.saga_id
        self.facts.started(request_id, saga_id, "enlisted")
        settle, good = [], True
        for step, (service, _, undo) in STEPS.items():
            call = {"target": service, "method": "/shop.v1." + undo, "request": body,
                    "retry": {"max_attempts": 500, "initial_backoff": {"nanos": 5000000}, "max_backoff": {"nanos": 100000000}}}
            enlisted, failure = self.ask(self.client.Enlist, saga_id=saga_id, settle=settle,
                                         enlist=[{"step": step, "compensation": call}])
            if failure is not None:
                return self.left_behind(saga_id, failure)
            outcome = self.act(saga_id, step, body, enlisted.action_keys[0])
            settle = [{"step": step, "outcome": outcome}]
            if outcome != OUTCOME_DONE:
                good = False
                break
        chance = self.random.random()
        if chance < 0.1:
            self.facts.count["vanished"] += 1
            if chance < 0.05:
                self.see_end(saga_id)
            return
        if good and chance < 0.8:
            _, failure = self.ask(self.client.Commit, saga_id=saga_id, settle=settle)
            promised = "COMMITTED"
        else:
            _, failure = self.ask(self.client.Abort, saga_id=saga_id, settle=settle)
            promised = "COMPENSATED"
        if failure is not None:
            return self.left_behind(saga_id, failure)
        self.facts.promise(saga_id, promised)
        self.see_end(saga_id)

    def left_behind(self, saga_id, failure):
        """The lease has lapsed while the sidecar was down or we were slow: the saga is being undone."""
        if failure.reason not in ("SAGA_TURNED_BACK", "SAGA_ENDED"):
            self.facts.complain("saga %s: %r" % (saga_id, failure))
        self.facts.promise(saga_id, "COMPENSATED")
        self.see_end(saga_id)


class World:
    def __init__(self, seed, directory):
        self.seed = seed
        self.random = random.Random(seed)
        self.directory = directory
        self.facts = Facts()
        self.over = threading.Event()
        self.abandoned = threading.Event()
        self.services = {name: Service(name, directory) for name in SERVICES}
        for service in self.services.values():
            service.start()
        port = free_port()
        self.addresses = ["127.0.0.1:%d" % port, "unix:" + os.path.join(directory, "sagad.sock")]
        self.sidecar = Sidecar(directory=directory, listen=self.addresses, **self.sidecar_options())
        for text in DEFINITIONS.values():
            self.sidecar.client.register(text)
        self.kills = collections.Counter()

    def target_addresses(self):
        """Where the sidecar finds the services."""
        return {name: service.address for name, service in self.services.items()}

    def sidecar_options(self):
        # Attempts that a kill has taken are waited for until their time is over before anything is undone: so their time is short.
        return {"log_level": "info",
                "targets": {name: {"address": address, "timeout": "500ms"} for name, address in self.target_addresses().items()}}

    def kill_something(self):
        """One random moment: mostly the sidecar, sometimes a service, sometimes both, sometimes the sidecar politely."""
        time.sleep(self.random.uniform(0, 0.15) if self.random.random() < 0.9 else self.random.uniform(0.2, 1))
        chance = self.random.random()
        if harness.STORE and self.random.random() < 0.15:
            self.harm_database()
        elif chance < 0.15:
            service = self.services[self.random.choice(SERVICES)]
            service.kill()
            self.kills[service.name] += 1
            if chance < 0.05:
                self.kill_sidecar()
            elif chance < 0.1:
                time.sleep(self.random.uniform(0, 0.3))
            service.start()
        elif chance < 0.19:
            self.sidecar.restart("stop")
            self.kills["stopped"] += 1
        else:
            self.kill_sidecar()

    def harm_database(self):
        """Its connections are cut, or it is frozen for a while, or killed and started again, with the sidecar or without."""
        server, chance = harness.database(), self.random.random()
        if chance < 0.5:
            server.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sagad'")
            self.kills["cut"] += 1
        elif chance < 0.7:
            server.stop_answering()
            time.sleep(self.random.uniform(0, 1))
            server.stop_answering(False)
            self.kills["frozen"] += 1
        else:
            server.kill()
            self.kills["database"] += 1
            time.sleep(self.random.uniform(0, 0.5))
            server.start()
            if chance < 0.85:
                self.kill_sidecar()

    def kill_sidecar(self):
        assert self.sidecar.process.poll() is None, "the sidecar has died by itself:\n" + "\n".join(self.sidecar.lines[-30:])
        self.sidecar.process.kill()
        self.sidecar.await_exit()
        self.sidecar.client.close()
        # Also while it starts: recovery itself is no safer place.
        while self.random.random() < 0.1:
            self.sidecar.spawn()
            time.sleep(self.random.uniform(0, 0.03))
            self.sidecar.process.kill()
            self.sidecar.await_exit()
            self.kills["starting sagad"] += 1
        self.sidecar.start()
        self.kills["sagad"] += 1

    def sidecar_kills(self):
        return self.kills["sagad"] + self.kills["starting sagad"]


def check_timeline(facts, client, saga_id):
    """Compensations start in reverse order of the actions, each after the one before it has ended; what is owed is done."""
    got = client.Get(saga_id=saga_id)
    started, undone, previous_ended = [], [], True
    for event in got.timeline:
        if event.type in (enum("EventType", "EVENT_TYPE_ACTION_STARTED"), enum("EventType", "EVENT_TYPE_STEP_ENLISTED")):
            if event.step not in started:
                started.append(event.step)
        elif event.type == enum("EventType", "EVENT_TYPE_COMPENSATION_STARTED") and event.step not in undone:
            undone.append(event.step)
            if not previous_ended and got.saga.definition != "fork":
                facts.complain("saga %s: %s is undone before the one before has ended" % (saga_id, event.step))
            previous_ended = False
        elif event.type == enum("EventType", "EVENT_TYPE_COMPENSATION_ENDED"):
            previous_ended = True
    if got.saga.state == state("COMPENSATED"):
        owed = [s.name for s in got.saga.steps if s.compensation not in (
            enum("CompensationState", "COMPENSATION_STATE_NONE"), enum("CompensationState", "COMPENSATION_STATE_UNSPECIFIED"))]
        not_done = [s.name for s in got.saga.steps if s.name in owed and
                    s.compensation != enum("CompensationState", "COMPENSATION_STATE_DONE")]
        expected = [s for s in reversed(started) if s in owed]
        if not_done or sorted(undone) != sorted(expected):
            facts.complain("saga %s: owed %s, undone %s, not done %s" % (saga_id, expected, undone, not_done))
        if got.saga.definition == "fork":
            if "reserve" in undone and undone[-1] != "reserve":
                facts.complain("saga %s: reserve is undone before what depends on it: %s" % (saga_id, undone))
        elif undone != expected:
            facts.complain("saga %s: started %s, undone %s" % (saga_id, started, undone))
    elif undone:
        facts.complain("saga %s is %s and was undone: %s" % (saga_id, state_name(got.saga), undone))
    if got.timeline_truncated:
        facts.complain("saga %s has lost the beginning of its timeline" % saga_id)
    return got.saga


def check_ledgers(world):
    """What the services did agrees with what the sagas are."""
    facts, accounts = world.facts, collections.defaultdict(dict)
    for name, service in world.services.items():
        audit, code, text = service.audit()
        if code != 0 or not audit["right"]:
            facts.complain("the ledger of %s does not balance: %s" % (name, text[-2000:]))
        for saga in audit["sagas"]:
            accounts[saga["saga_id"]][name] = saga
    for saga_id, by_service in accounts.items():
        ending = facts.endings.get(saga_id)
        if ending is None:
            facts.complain("the services know a saga that nobody was told of: %s" % saga_id)
            continue
        for name, a in by_service.items():
            held = a["done"] - a["undone"]
            if held != (1 if ending == "COMMITTED" else 0):
                facts.complain("saga %s is %s, and %s holds %d of it" % (saga_id, ending, name, held))
        undone_at = [by_service[n]["undone_at_us"] for n in SERVICES if n in by_service and by_service[n]["undone"]]
        if facts.chains.get(saga_id) and undone_at != sorted(undone_at, reverse=True):
            facts.complain("saga %s was not undone in reverse: %s" % (saga_id, by_service))
    for saga_id, ending in facts.endings.items():
        if ending == "COMMITTED" and len(accounts.get(saga_id, ())) != len(SERVICES):
            facts.complain("saga %s is COMMITTED, and only %s know of it" % (saga_id, list(accounts.get(saga_id, ()))))
    return sum(a["done"] + a["undone"] for by in accounts.values() for a in by.values())


def run(world, goes_on):
    """Loads the world and kills in it as long as goes_on() says so, then lets every saga end and checks everything."""
    facts = world.facts
    workers = [Worker(world, i) for i in range(WORKERS)]
    for worker in workers:
        worker.start()
    while goes_on() and not facts.wrong:
        world.kill_something()
    world.over.set()
    deadline = time.monotonic() + SETTLE_S
    for worker in workers:
        worker.join(max(0, deadline - time.monotonic()))
    if any(worker.is_alive() for worker in workers):
        facts.complain("sagas do not end: " + ", ".join(
            s.id + " " + state_name(s) for s in world.sidecar.client.List(states=[1, 3, 5]).sagas))
        world.abandoned.set()
    facts.chains = {}
    for saga_id in set(facts.ids.values()):
        try:
            facts.ended(world.sidecar.client.Wait(saga_id=saga_id, timeout=max(1, deadline - time.monotonic())).saga)
            facts.chains[saga_id] = check_timeline(facts, world.sidecar.client, saga_id).definition != "fork"
        except grpc.RpcError as error:
            facts.complain("an acknowledged saga: %s: %r" % (saga_id, failure_of(error)))
        if len(facts.wrong) > 50:
            break
    world.sidecar.close()
    for service in world.services.values():
        service.kill()
    effects = check_ledgers(world)
    states = collections.Counter(facts.endings.values())
    return effects, states


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(1 << 32)))
    parser.add_argument("--loops", type=int, default=harness.LOOPS)
    parser.add_argument("--store", default=harness.STORE, choices=("", "postgresql"))
    parser.add_argument("--keep", action="store_true", help="leave the journal and the ledgers behind")
    arguments = parser.parse_args()
    print("crash: seed %s" % arguments.seed, flush=True)
    harness.LOOPS = arguments.loops
    harness.STORE = arguments.store
    directory = tempfile.mkdtemp(prefix="saga-crash-")
    began = time.monotonic()
    world = World(arguments.seed, directory)
    effects, states = run(world, lambda: world.sidecar_kills() < arguments.kills)
    for text in world.facts.wrong[:50]:
        print("WRONG: " + text)
    if arguments.keep or world.facts.wrong:
        print("crash: what is left: " + directory)
    else:
        shutil.rmtree(directory)
    if harness.STORE:
        print("crash: the database was killed %d times, frozen %d and cut off %d" % tuple(
            world.kills[k] for k in ("database", "frozen", "cut")))
    print("crash: %d kills of sagad (%d while starting), %d stops, %d kills of services; %d sagas (%s), %d effects; %d wrong; %.0f s" % (
        world.sidecar_kills(), world.kills["starting sagad"], world.kills["stopped"], sum(world.kills[s] for s in SERVICES),
        len(world.facts.endings), ", ".join("%d %s" % (n, s) for s, n in sorted(states.items())), effects,
        len(world.facts.wrong), time.monotonic() - began))
    sys.exit(1 if world.facts.wrong or not world.facts.endings else 0)


if __name__ == "__main__":
    main()
