"""Several loops behind one address: whichever connection a request comes over, it is as if there were one. (SAGA_TEST_LOOPS=3 runs all the
other tests with several loops.)"""
import os
import queue
import shutil
import sqlite3
import tempfile
import threading
import time
import unittest

import grpc

from harness import (STORE, PATIENCE_S, Case, Client, Gate, Participant, Sidecar, definition, do, enlistment, enum, enum_name, fail, failure_in_result,
                     failure_of, message, settled, state, state_name, step, undo, wait_until, QUICK)
from test_trust import Authority, SecureParticipant

Code = grpc.StatusCode
COUNT = 3
IN_FILES = unittest.skipIf(STORE, "it is about the files of journals (test_fleet has the same for a database)")


def loop_of(saga_id):
    return int(saga_id.split("-")[0], 16) & 63


def one_of_each(sidecar):
    """A client for each loop: connections are given out in turn."""
    clients = {}
    for _ in range(10 * COUNT):
        if len(clients) == COUNT:
            break
        client = Client(sidecar.address)
        saga_id = client.Begin(name="probe").saga_id
        client.Abort(saga_id=saga_id)
        if clients.setdefault(loop_of(saga_id), client) is not client:
            client.close()
    assert len(clients) == COUNT, "connections reach the loops %s alone" % sorted(clients)
    return [clients[k] for k in sorted(clients)]


class Cores(unittest.TestCase):
    def test_more_loops_than_cores_are_warned_of(self):
        words = "there are more loops than cores: a saga costs two to four times as much, and fewer are done"
        for loops, expected in ((2, [("2", "1")]), (1, [])):
            sidecar = Sidecar(start=False, loops=loops)
            self.addCleanup(sidecar.close)
            sidecar.prepare = lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
            sidecar.start()
            self.assertEqual(expected, [(line["loops"], line["cores"]) for line in sidecar.log(words)])


class Loops(Case):
    options = {"loops": COUNT, "default_compensation_retry": {"maxAttempts": 1, "initialBackoff": "1ms"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = one_of_each(cls.sidecar)
        cls.client.register(definition("two", step("a"), step("b", after=["a"])))
        cls.client.register(definition("stuck", step("a"), step("c", after=["a"], more=QUICK % 1)))

    @classmethod
    def tearDownClass(cls):
        for client in cls.clients:
            client.close()
        super().tearDownClass()

    def test_connections_are_given_out_in_turn(self):
        loops = []
        for _ in range(2 * COUNT):
            client = Client(self.sidecar.address)
            loops.append(loop_of(client.Begin(name="x").saga_id))
            client.close()
        self.assertEqual([2] * COUNT, [loops.count(k) for k in range(COUNT)], loops)

    def test_every_connection_reaches_every_saga(self):
        for owner in self.clients:
            for other in self.clients:
                saga_id = owner.Begin(name="x", enlist=[enlistment("a")]).saga_id
                other.KeepAlive(saga_id=saga_id)
                other.Enlist(saga_id=saga_id, enlist=[enlistment("b")], settle=[settled("a")])
                self.refused("NOT_FOUND", "STEP_NOT_FOUND", other.Settle, saga_id=saga_id, settle=[settled("nothing")])
                self.assertEqual({"a": ("DONE", "PENDING"), "b": ("STARTED", "PENDING")}.keys(), other.steps(saga_id).keys())
                other.operator.Pause(saga_id=saga_id, actor="me", reason="why not")
                other.operator.Resume(saga_id=saga_id, actor="me")
                events = other.Watch(saga_id=saga_id)
                other.Commit(saga_id=saga_id, settle=[settled("b")])
                self.assertState("COMMITTED", other.end(saga_id))
                seen = [e for r in events for e in r.events]
                self.assertEqual(seen, list(owner.Get(saga_id=saga_id).timeline))

    def test_a_loop_that_sleeps_is_woken(self):
        """What one loop asks another is heard at once, and so is the answer, while nothing else happens. A loop that nobody wakes looks about
        once a second."""
        for owner in self.clients:
            saga_id = owner.Begin(name="x").saga_id
            for other in self.clients:
                self.at_once(lambda: (other.KeepAlive(saga_id=saga_id), other.Get(saga_id=saga_id)))
                events = other.Watch(saga_id=saga_id)
                next(events)
                self.at_once(lambda: (owner.Enlist(saga_id=saga_id, enlist=[enlistment("s" + os.urandom(4).hex())]), next(events)))
                events.cancel()

    def at_once(self, what):
        """Some time it is. Where nobody is woken each time but the first takes a second, since it begins when they have just looked about."""
        def took():
            began = time.monotonic()
            what()
            return time.monotonic() - began
        took()
        wait_until(lambda: took() < 0.4, "it is heard at once")

    def test_an_id_that_no_loop_has_given(self):
        for client in self.clients:
            for saga_id in ("%012x-1" % (0xabcdef000000 + k) for k in (0, 1, 2, 3, 63)):
                self.refused("NOT_FOUND", "SAGA_NOT_FOUND", client.Get, saga_id=saga_id)
                self.refused("NOT_FOUND", "SAGA_NOT_FOUND", client.Commit, saga_id=saga_id)
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", client.Get, saga_id="nonsense")

    def test_request_id_over_any_connection(self):
        loops = set()
        for n in range(20):
            started = [c.Start(definition="two", request_id="start-%d" % n) for c in self.clients]
            begun = [c.Begin(name="x", request_id="begin-%d" % n) for c in self.clients]
            for answers in (started, begun):
                self.assertEqual(1, len({a.saga_id for a in answers}))
                self.assertEqual([False, True, True], [a.already_started for a in answers])
            loops.add(loop_of(started[0].saga_id))
            self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", self.clients[n % COUNT].Begin, name="y", request_id="begin-%d" % n)
        self.assertEqual(set(range(COUNT)), loops)

    def test_pipe_reaches_all_loops(self):
        ids = [c.Begin(name="x", enlist=[enlistment("a")]).saga_id for c in self.clients]
        for client in self.clients:
            request = message("saga.v1.PipeRequest")()
            for n in range(12):
                request.commands.add().begin.CopyFrom(message("saga.v1.BeginRequest")(name="x", request_id="piped-%d" % n))
            for saga_id in ids:
                request.commands.add().settle.CopyFrom(message("saga.v1.SettleRequest")(saga_id=saga_id, settle=[settled("a")]))
                request.commands.add().settle.CopyFrom(message("saga.v1.SettleRequest")(saga_id=saga_id, settle=[settled("b")]))
            request.commands.add().start.CopyFrom(message("saga.v1.StartRequest")(definition="nothing", request_id="n"))
            (answer,) = client.Pipe(iter([request]))
            results = list(answer.results)
            if client is self.clients[0]:
                first = [r.begin.saga_id for r in results[:12]]
                self.assertFalse(any(r.begin.already_started for r in results[:12]))
                self.assertEqual(set(range(COUNT)), {loop_of(i) for i in first})
            else:
                self.assertEqual(first, [r.begin.saga_id for r in results[:12]])
                self.assertTrue(all(r.begin.already_started for r in results[:12]))
            self.assertEqual(["settle", "error"] * COUNT + ["error"], [r.WhichOneof("result") for r in results[12:]])
            self.assertEqual(["STEP_NOT_FOUND"] * COUNT + ["DEFINITION_NOT_FOUND"],
                             [failure_in_result(r.error).reason for r in results[12:] if r.WhichOneof("result") == "error"])

    # ---- all loops as one ----

    def pages(self, call, size, **fields):
        sagas, token, pages = [], "", 0
        while True:
            page = call(page_size=size, page_token=token, **fields)
            self.assertLessEqual(len(page.sagas), size)
            sagas.extend(page.sagas)
            token, pages = page.next_page_token, pages + 1
            if not token:
                return sagas
            self.assertLess(pages, 1000)

    def test_list(self):
        ids = [self.clients[n * n % COUNT].Begin(name="listed").saga_id for n in range(25)]
        for saga_id in ids[::2]:
            self.client.Commit(saga_id=saga_id)
        for client in self.clients:
            for size in (1, 2, 7, 25, 100):
                listed = self.pages(client.List, size, definition="listed")
                self.assertEqual(ids[::-1], [s.id for s in listed], size)
            ended = self.pages(client.List, 4, definition="listed", states=[state("COMMITTED")])
            self.assertEqual(ids[::2][::-1], [s.id for s in ended])
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", client.List, page_token="2a", field="page_token")
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", client.List, page_token="2a,x,-", field="page_token")
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", client.List, page_size=1001, field="page_size")

    def test_list_waits_for_a_loop_that_has_looked_at_its_share(self):
        """A loop looks at 20,000 sagas for one page. What it has not looked at yet may be newer than what the others have found."""
        older = self.clients[1].Begin(name="rare").saga_id
        newer = self.clients[0].Begin(name="rare").saga_id
        request = message("saga.v1.PipeRequest")()
        for _ in range(1024):
            request.commands.add().begin.name = "common"
        for answer in self.clients[0].Pipe(iter([request] * 20)):
            self.assertEqual({"begin"}, {r.WhichOneof("result") for r in answer.results})
        self.assertEqual([newer, older], [s.id for s in self.pages(self.client.List, 10, definition="rare")])

    def test_dead_letters(self):
        self.shop.on(undo("a"), fail(Code.FAILED_PRECONDITION, "cannot be undone"))
        self.shop.on(do("c"), fail(Code.FAILED_PRECONDITION, "no"))
        ids = [c.Start(definition="stuck").saga_id for c in self.clients for _ in range(3)]
        for saga_id in ids:
            self.clients[0].stuck(saga_id)
        for client in self.clients:
            for size in (1, 4, 100):
                letters = self.pages(client.operator.ListDeadLetters, size, definition="stuck")
                self.assertEqual(ids, [s.id for s in letters])
        self.clients[1].operator.Resolve(saga_id=ids[0], actor="me", reason="seen to")
        self.assertEqual(ids[1:], [s.id for s in self.pages(self.client.operator.ListDeadLetters, 2, definition="stuck")])

    def test_definitions(self):
        text = definition("spread", step("a"))
        self.assertFalse(self.clients[1].register(text).already_registered)
        for client in self.clients:
            self.assertTrue(client.register(text).already_registered)
            self.refused("ALREADY_EXISTS", "DEFINITION_EXISTS", client.register, text + "\n# other\n")
            self.assertState("COMMITTED", client.run("spread"))
            self.assertEqual(text, client.GetDefinition(name="spread").source.decode())
        self.assertEqual({COUNT}, {len({loop_of(c.Start(definition="spread").saga_id) for c in self.clients})})

    def test_definitions_raced(self):
        """Two texts under one name: one of them wins, everywhere."""
        for n in range(10):
            texts = [definition("raced%d" % n, step("a")), definition("raced%d" % n, step("a"), step("b"))]
            won = []

            def race(k):
                try:
                    self.clients[k].register(texts[k % 2])
                    won.append(k % 2)
                except grpc.RpcError as error:
                    self.assertEqual("DEFINITION_EXISTS", failure_of(error).reason)
            threads = [threading.Thread(target=race, args=(k,)) for k in range(COUNT)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(1, len(set(won)), won)
            for client in self.clients:
                self.assertEqual(won[0] + 1, len(client.saga(client.Start(definition="raced%d" % n).saga_id).steps))

    def test_cancelled_wait_gives_its_place_back(self):
        """A Wait that is carried to another loop ends there too: with a share of one, the next one would be refused."""
        sidecar = Sidecar(loops=COUNT, waiters_max=COUNT)
        clients = []
        try:
            clients = one_of_each(sidecar)
            for owner in clients:
                saga_id = owner.Begin(name="x").saga_id
                for client in clients * 2:
                    waiting = client.coordinator.Wait

                    def has_room():
                        try:
                            waiting(saga_id=saga_id, timeout=0.2)
                        except grpc.RpcError as error:
                            return error.code() == Code.DEADLINE_EXCEEDED
                    wait_until(has_room, "the place of the one that was cancelled")
                owner.Commit(saga_id=saga_id)
        finally:
            for client in clients:
                client.close()
            sidecar.close()


class Shares(Case):
    """A bound is the whole sidecar's: over all connections, exactly as much is let in as it says."""

    def setUp(self):
        super().setUp()
        self.clients = []

    def start(self, **options):
        sidecar = Sidecar(loops=COUNT, **dict({"targets": {"shop": self.shop.address}}, **options))
        self.addCleanup(sidecar.close)
        self.clients = one_of_each(sidecar)
        self.addCleanup(lambda: [c.close() for c in self.clients])
        return sidecar

    def let_in(self, call, reason):
        """How many are let in: each connection goes on until it is refused with this reason. A stream is let in when it is there after a
        call that came behind it."""
        count = 0
        for client in self.clients:
            for _ in range(20):
                try:
                    call(client)
                    count += 1
                except grpc.RpcError as error:
                    self.assertEqual(reason, failure_of(error).reason, error)
                    break
            else:
                self.fail("it has no bound")
        return count

    def test_live_sagas(self):
        self.start(live_sagas_max=7)
        self.assertEqual(7, self.let_in(lambda client: client.Begin(name="x"), "LIVE_SAGAS_MAX"))

    def held(self, client, saga_id, call):
        """Raises the failure of a call that is refused; otherwise it is held."""
        client.Get(saga_id=saga_id)  # over the same connection: what was asked before it has been taken, or refused
        try:
            call.result(0.7)
        except grpc.FutureTimeoutError:
            self.addCleanup(call.cancel)
        return call

    def test_waiters(self):
        self.start(waiters_max=7)
        ids = {client: client.Begin(name="x").saga_id for client in self.clients}

        def wait(client):
            call = client.channel.unary_unary("/saga.v1.Coordinator/Wait").future(
                message("saga.v1.WaitRequest")(saga_id=ids[client]).SerializeToString(), timeout=60)
            self.held(client, ids[client], call)
        self.assertEqual(7, self.let_in(wait, "QUEUE_FULL"))

    def test_streams_and_watchers(self):
        self.start(streams_max=8, watchers_max=5)
        ids = {client: client.Begin(name="x").saga_id for client in self.clients}

        def watch(client):
            stream = client.Watch(saga_id=ids[client], timeout=60)
            next(stream)
            self.addCleanup(stream.cancel)
        self.assertEqual(5, self.let_in(watch, "QUEUE_FULL"))

        def pipe(client):
            requests = queue.Queue()
            stream = client.Pipe(iter(requests.get, None), timeout=60)
            requests.put(message("saga.v1.PipeRequest")())
            self.addCleanup(stream.cancel)
            next(stream)
        self.assertEqual(3, self.let_in(pipe, "STREAMS_MAX"))

    def test_calls_of_a_target(self):
        sidecar = self.start(targets={"shop": {"address": self.shop.address, "max_concurrent_calls": 5}})
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("one", step("a")))
        ids = [client.Start(definition="one").saga_id for client in self.clients for _ in range(10)]
        for _ in range(5):
            gate.await_call()
        waiting = lambda: sum("a free place" in sidecar.client.saga(i).steps[0].waiting_for for i in ids)
        wait_until(lambda: waiting() == 25, "all others wait for a place")
        self.assertEqual(5, sum(len(self.shop.of(i)) for i in ids))
        gate.open()
        for saga_id in ids:
            self.assertState("COMMITTED", sidecar.client.end(saga_id))


class Changes(Case):
    """What is read anew while it runs reaches every loop."""

    def start(self, **options):
        sidecar = Sidecar(loops=COUNT, **dict({"targets": {"shop": self.shop.address}}, **options))
        self.addCleanup(sidecar.close)
        clients = one_of_each(sidecar)
        self.addCleanup(lambda: [c.close() for c in clients])
        return sidecar, clients

    def reload(self, sidecar, **options):
        sidecar.options.update(options)
        sidecar.write_config()
        self.assertEqual(list(options), list(sidecar.client.operator.Reload(actor="ops").taken))

    def test_rules(self):
        rule = {"who": "uid:%d" % os.getuid(), "may": ["operator"]}
        folder = tempfile.mkdtemp(prefix="saga-loops-")
        self.addCleanup(shutil.rmtree, folder)
        sidecar, clients = self.start(listen=["unix:%s/sock" % folder], authorization=[rule])
        for may, refused in ((["Reload"], True), (["Reload", "Begin"], False), (["Reload"], True)):
            self.reload(sidecar, authorization=[dict(rule, may=may)])
            for client in clients:
                if refused:
                    self.refused("PERMISSION_DENIED", "PERMISSION_DENIED", client.Begin, name="x")
                else:
                    client.Begin(name="x")

    def test_bounds_of_definitions(self):
        """One that is changed is shared out like the one before."""
        sidecar, clients = self.start(definition_limits={"paid": {"live_sagas_max": 3}})
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("paid", step("a")))

        def let_in():
            count = 0
            for client in clients:
                try:
                    for _ in range(20):
                        client.Start(definition="paid")
                        count += 1
                except grpc.RpcError as error:
                    self.assertEqual("DEFINITION_LIMIT", failure_of(error).reason, error)
            return count
        self.assertEqual(3, let_in())
        self.reload(sidecar, definition_limits={"paid": {"live_sagas_max": 8}})
        self.assertEqual(8 - 3, let_in())
        gate.open()

    def test_certificates(self):
        """A participant is called by the certificate in force, whichever loop calls it."""
        ours = "DNS:localhost,URI:spiffe://example.org/sagad"
        pki = Authority().make("old", ours).make("new", ours).make("shop", "DNS:shop.example.org,URI:spiffe://example.org/shop")
        self.addCleanup(shutil.rmtree, pki.directory)
        pki.copy("old", "live")
        shop = SecureParticipant(pki, "shop")
        self.addCleanup(shop.stop)
        callers = []

        def note(call):
            callers.append(call.context.auth_context()["x509_common_name"][0].decode())
            return b""
        shop.on(do("a"), note)
        sidecar, clients = self.start(targets={"shop": {"address": "tls://" + shop.address, "identity": "spiffe://example.org/shop"}},
                                      tls_certificate=pki.path("live.pem"), tls_key=pki.path("live.key"), tls_roots=pki.path("ca.pem"))
        sidecar.client.register(definition("one", step("a")))

        def called_as():
            del callers[:]
            for client in clients:
                self.assertState("COMMITTED", client.run("one"))
            return callers
        self.assertEqual(["old"] * COUNT, called_as())
        pki.copy("new", "live")
        sidecar.logged("new certificates are in force")
        wait_until(lambda: called_as() == ["new"] * COUNT, "every loop has them")


class Lives(unittest.TestCase):
    """Restarts, stops, and what is refused."""

    def setUp(self):
        self.shop = Participant()
        self.addCleanup(self.shop.stop)

    def sidecar(self, loops=COUNT, **options):
        sidecar = Sidecar(loops=loops, targets={"shop": self.shop.address}, **options)
        self.addCleanup(sidecar.close)
        return sidecar

    def test_watch_of_all_resumes(self):
        """A watcher of all sagas who goes on after its last event, over kills, misses nothing and sees nothing twice."""
        sidecar = self.sidecar()
        seen, cursor, ids = [], "", []
        for how in ("kill", "kill", "stop"):
            clients = one_of_each(sidecar)
            stream = clients[0].Watch(cursor=cursor)
            if not seen:
                # Until it has shown an event nobody knows that it has begun.
                got = []
                reader = threading.Thread(target=lambda: got.extend(next(stream).events))
                reader.start()
                wait_until(lambda: clients[1].Begin(name="probe") and not reader.is_alive(), "the watch has begun")
                seen.extend(got)
            for client in clients:
                for _ in range(5):
                    ids.append(client.Begin(name="seen", enlist=[enlistment("a")]).saga_id)
            for client, saga_id in zip(clients * 2, ids[-6:]):
                client.Commit(saga_id=saga_id, settle=[settled("a")])
            last = ids[-7]
            while not any(e.saga_id == last for e in seen):
                seen.extend(next(stream).events)
            cursor = seen[-1].cursor
            self.assertEqual(COUNT, len(cursor.split(",")))
            stream.cancel()
            for client in clients:
                client.close()
            sidecar.restart(how)
        end = sidecar.client.Begin(name="end").saga_id
        stream = sidecar.client.Watch(cursor=cursor)
        wanted = {i: list(sidecar.client.Get(saga_id=i).timeline) for i in ids}
        while sum(len(w) for w in wanted.values()) > len([e for e in seen if e.saga_id in wanted]):
            seen.extend(next(stream).events)
        stream.cancel()
        for saga_id, timeline in wanted.items():
            told = [e for e in seen if e.saga_id == saga_id]
            for event in told + timeline:
                event.cursor = ""
            self.assertEqual(timeline, told)
        self.assertTrue(end)

    def test_a_watch_of_all_begins_behind_what_was_before_the_restart(self):
        sidecar = self.sidecar()
        for client in one_of_each(sidecar):
            client.close()
        sidecar.restart()
        stream, got, ids = sidecar.client.Watch(), [], []
        reader = threading.Thread(target=lambda: got.extend(next(stream).events))
        reader.start()
        wait_until(lambda: ids.append(sidecar.client.Begin(name="next").saga_id) or not reader.is_alive(), "an event is shown")
        stream.cancel()
        self.assertIn(got[0].saga_id, ids)

    def test_sagas_live_on(self):
        sidecar = self.sidecar()
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("one", step("a")))
        clients = one_of_each(sidecar)
        ids = [c.Start(definition="one", request_id="r%d" % n).saga_id for n, c in enumerate(clients * 3)]
        for client in clients:
            client.close()
        for _ in range(2):
            sidecar.restart("kill")
        self.assertEqual(str(len(ids)), sidecar.log("ready")[0]["live_sagas"])
        gate.open()
        for n, saga_id in enumerate(ids):
            again = sidecar.client.Start(definition="one", request_id="r%d" % n)
            self.assertEqual((saga_id, True), (again.saga_id, again.already_started))
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))

    @IN_FILES
    def test_numbered_requests_are_shared_out(self):
        """A new data directory spreads them over all loops; one from before goes on as it began, and finds what it had."""
        sidecar = self.sidecar(loops=2)
        sidecar.client.register(definition("one", step("a")))
        first = {"order-%d" % n: sidecar.client.Start(definition="one", request_id="order-%d" % n).saga_id for n in range(100, 140)}
        loops = [loop_of(saga_id) for saga_id in first.values()]
        self.assertGreater(min(loops.count(0), loops.count(1)), 8, loops)

        def again(started):
            for request_id, saga_id in started.items():
                answer = sidecar.client.Start(definition="one", request_id=request_id)
                self.assertEqual((saga_id, True), (answer.saga_id, answer.already_started))
        sidecar.restart()
        again(first)

        # As one that an earlier sagad made: its journals have frames, and say nothing of a rule.
        old = self.sidecar(loops=2)
        old.client.Begin(name="x")
        old.stop()
        db = sqlite3.connect(os.path.join(old.options["data_dir"], "journal.db"))
        self.assertEqual(1, db.execute("DELETE FROM subjects WHERE kind = 5").rowcount)
        db.commit()
        db.close()
        sidecar = old.start()
        sidecar.client.register(definition("one", step("a")))
        second = {"order-%d" % n: sidecar.client.Start(definition="one", request_id="order-%d" % n).saga_id for n in range(100, 140)}
        self.assertEqual(1, len({loop_of(saga_id) for saga_id in second.values()}), "the plain hash hardly sees their last letters")
        sidecar.restart("kill")
        again(second)

    @IN_FILES
    def test_number_of_loops_is_kept(self):
        sidecar = self.sidecar()
        sidecar.stop()
        data = sidecar.options["data_dir"]
        self.assertEqual({"journal.db", "journal-1.db", "journal-2.db"}, {f for f in os.listdir(data) if f.endswith(".db")})
        for other in (1, 2, 4):
            sidecar.options["loops"] = other
            code, text = sidecar.refuse()
            self.assertEqual(1, code)
            self.assertIn("loops: the data directory was made with loops: 3, and cannot be used with %d" % other, text)
        os.rename(os.path.join(data, "journal-2.db"), os.path.join(data, "elsewhere"))
        sidecar.options["loops"] = COUNT
        self.assertEqual(1, sidecar.refuse()[0])
        os.rename(os.path.join(data, "elsewhere"), os.path.join(data, "journal-2.db"))
        # As a crash in the very first start leaves it.
        os.rename(os.path.join(data, "journal.db"), os.path.join(data, "elsewhere"))
        sidecar.start()
        self.assertTrue(sidecar.client.Begin(name="x").saga_id)

    @IN_FILES
    def test_what_a_loop_lacks_it_gets_at_start(self):
        """As a crash leaves it between loop 0 and the others."""
        sidecar = self.sidecar()
        sidecar.client.register(definition("one", step("a")))
        sidecar.stop()
        for k in (1, 2):
            with sqlite3.connect(os.path.join(sidecar.options["data_dir"], "journal-%d.db" % k)) as db:
                self.assertEqual(1, db.execute("DELETE FROM definitions").rowcount)
            db.close()
        sidecar.start()
        for client in one_of_each(sidecar):
            self.assertEqual("COMMITTED", state_name(client.run("one")))
            client.close()

    def test_stop_with_everything_in_flight(self):
        """Waits and watches that are carried to other loops end as those of one's own; calls out end within the grace."""
        sidecar = self.sidecar(shutdown_grace="10m")
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("one", step("a")))
        clients = one_of_each(sidecar)
        waits, watches = [], []
        for owner in clients:
            saga_id = owner.Start(definition="one").saga_id
            gate.await_call()
            for client in clients:
                wait = client.channel.unary_unary("/saga.v1.Coordinator/Wait").future(
                    message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString(), timeout=60)
                waits.append(wait)
                watch = client.Watch(saga_id=saga_id)
                self.assertTrue(next(watch).events)
                watches.append(watch)
        watches.append(clients[0].Watch())
        sidecar.terminate()
        for call in waits:
            self.assertEqual("STOPPING", failure_of(call.exception()).reason)
        for watch in watches:
            with self.assertRaises(grpc.RpcError) as raised:
                list(watch)
            self.assertEqual("STOPPING", failure_of(raised.exception).reason)
        gate.open()
        self.assertEqual(0, sidecar.await_exit())  # long before the grace is over
        for client in clients:
            client.close()

    def test_a_full_journal_is_told_by_all(self):
        """At once: those that sleep are woken to say so; by themselves they look about once a second."""
        took = []
        while not took or took[-1] > 0.15:  # on a bad day some word is late on its way to the test
            self.assertLess(len(took), 6, took)
            took.append(self.a_full_journal_is_told())

    def a_full_journal_is_told(self):
        """The time from the first that is told until all are."""
        sidecar = self.sidecar(journal_bytes_max="48MiB", commit_bytes_max="1MiB", payload_bytes_max="1MiB", message_bytes_max="2MiB",
                               shutdown_grace="200ms")
        clients = one_of_each(sidecar)
        serving = enum_of_health("SERVING")
        self.assertEqual([serving] * COUNT, [c.health.Check(service="saga.v1.Coordinator").status for c in clients])
        told = []

        def await_word(client):
            stream = client.health.Watch(service="saga.v1.Coordinator")
            while next(stream).status == serving:
                pass
            told.append(time.monotonic())
            stream.cancel()
        threads = [threading.Thread(target=await_word, args=(c,), daemon=True) for c in clients]
        for thread in threads:
            thread.start()
        begin = clients[1].channel.unary_unary("/saga.v1.Coordinator/Begin")
        request = message("saga.v1.BeginRequest")(name="x", enlist=[enlistment("a", request=os.urandom(1 << 19))]).SerializeToString()
        calls = []

        def is_full():
            # The one that finds it full waits for room; those after it are refused.
            calls.append(begin.future(request, timeout=60))
            return any(c.done() and c.exception() is not None for c in calls)
        wait_until(is_full, "one is refused")
        self.assertEqual({"JOURNAL_FULL"}, {failure_of(c.exception()).reason for c in calls if c.done() and c.exception()})
        for thread in threads:
            thread.join(PATIENCE_S)
        self.assertEqual(COUNT, len(told))
        self.assertTrue(all(c.health.Check(service="saga.v1.Coordinator").status != serving for c in clients))
        # The others have room.
        self.assertTrue(clients[0].Begin(name="x").saga_id)
        for client in clients:
            client.close()
        sidecar.stop()
        return max(told) - min(told)

    def test_who_sends_much_is_no_enemy(self):
        """A loop that waits works for the sockets of the others: that holds nobody up, and nobody is shut out for it."""
        sidecar = self.sidecar()
        pipe = message("saga.v1.PipeRequest")
        for _ in range(20):
            begun = next(sidecar.client.Pipe(iter([pipe(commands=[{"begin": {"name": "x"}}] * 1000)]), timeout=60))
            commits = [{"commit": {"saga_id": r.begin.saga_id}} for r in begun.results]
            self.assertEqual(1000, sum(len(m.results) for m in sidecar.client.Pipe(iter([pipe(commands=commits)]), timeout=60)))
        self.assertEqual([], sidecar.log("connections are ended, those that send most"))

    @IN_FILES
    def test_a_loop_that_cannot_go_on_ends_all(self):
        """At once, whatever others have in flight (and long before a grace for that), and nothing that was acknowledged is lost."""
        sidecar = self.sidecar(shutdown_grace="10m")
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("one", step("a")))
        clients = one_of_each(sidecar)
        out = clients[1].Start(definition="one").saga_id
        gate.await_call()
        waits = [client.channel.unary_unary("/saga.v1.Coordinator/Wait").future(
            message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString(), timeout=60)
            for client in clients for saga_id in (out, clients[2].Begin(name="x").saga_id)]
        journal = os.path.join(sidecar.options["data_dir"], "journal-2.db")
        aside = [(journal + suffix, journal + ".aside" + suffix) for suffix in ("", "-wal")]
        for here, there in aside:
            os.rename(here, there)
        acknowledged, began = [out], time.monotonic()
        with self.assertRaises(grpc.RpcError):
            while time.monotonic() - began < 20:
                saga_id = clients[2].Begin(name="x").saga_id
                clients[0].Enlist(saga_id=saga_id, enlist=[enlistment("a", request=b"y" * 1000)])
                acknowledged.append(saga_id)
        self.assertEqual(1, sidecar.await_exit())
        self.assertEqual({Code.UNAVAILABLE}, {wait.exception().code() for wait in waits})
        told, = sidecar.log("stopped: the sidecar cannot go on")
        self.assertEqual("JOURNAL_FENCED", told["reason"])
        gate.open()
        for client in clients:
            client.close()
        os.rename(journal + ".rescued", journal) # as the error says
        sidecar.start()
        for saga_id in acknowledged:
            sidecar.client.saga(saga_id)

    def test_options_that_cannot_be_shared(self):
        for options, text in (({"live_sagas_max": 2}, "live_sagas_max (2) must not be below loops (3)"),
                              ({"waiters_max": 2}, "waiters_max (2) must not be below loops (3)"),
                              ({"targets": {"shop": {"address": "127.0.0.1:1", "max_concurrent_calls": 2}}},
                               "max_concurrent_calls (2) of target shop must not be below loops (3)"),
                              ({"journal_bytes_max": "32MiB"}, "a loop's share of journal_bytes_max must be at least 16MiB")):
            sidecar = Sidecar(start=False, loops=COUNT, **options)
            self.addCleanup(sidecar.close)
            code, said = sidecar.refuse()
            self.assertEqual(2, code)
            self.assertIn(text, said)


def enum_of_health(name):
    from harness import POOL
    return POOL.FindEnumTypeByName("grpc.health.v1.HealthCheckResponse.ServingStatus").values_by_name[name].number
