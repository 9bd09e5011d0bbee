"""Corners: what is rarely met, and must hold all the same."""
import json
import os
import resource
import shutil
import socket
import tempfile
import threading
import time

import grpc

from harness import (CHANNEL_OPTIONS, PATIENCE_S, Case, Client, Gate, Participant, Sidecar, Stub, definition, do, enlistment, enum, fail, failure_of,
                     message, needs_files, reason_name, state_name, step, undo, wait_until)

Code = grpc.StatusCode


class Corners(Case):
    options = {"default_compensation_retry": {"maxAttempts": 1, "initialBackoff": "1ms", "maxBackoff": "1ms"},
               "default_retry": {"maxAttempts": 1, "initialBackoff": "1ms", "maxBackoff": "1ms"}}

    def setUp(self):
        super().setUp()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def start(self, **options):
        options.setdefault("targets", {"shop": self.shop.address})
        self.sidecars.append(Sidecar(**dict(self.options, **options)))
        return self.sidecars[-1]

    def test_cursor_that_has_expired(self):
        """Retention forgets events; who comes back with a cursor from before is told so, and does not miss them in silence."""
        sidecar = self.start(retention="1s", loops=1)
        client = sidecar.client
        client.register(definition("one", step("a")))
        first = client.run("one").id
        cursor = client.Get(saga_id=first).timeline[0].cursor
        for _ in range(10):
            client.run("one")

        def expired():
            try:
                stream = client.Watch(cursor=cursor, timeout=5)
                next(stream)
                stream.cancel()
            except grpc.RpcError as e:
                return failure_of(e)
        failure = wait_until(expired, "the cursor expires", 30)
        self.assertEqual(("OUT_OF_RANGE", "CURSOR_EXPIRED"), (failure.code, failure.reason))

    def test_resolve_waits_for_calls_in_flight(self):
        """Side by side: one step is stuck while another's call is out; that one's answer has to be awaited."""
        client = self.start().client
        client.register(definition("pair", step("p", False, more="pivot: true"), step("x", False, after=["p"]),
                                   step("y", False, after=["p"])))
        gate = Gate()
        self.shop.on(do("x"), fail(Code.NOT_FOUND))
        self.shop.on(do("y"), gate)
        saga_id = client.Start(definition="pair").saga_id
        client.stuck(saga_id)
        gate.await_call()
        failure = self.refused("FAILED_PRECONDITION", "CALLS_IN_FLIGHT", lambda: client.operator.Resolve(
            saga_id=saga_id, actor="me", reason="r"))
        self.assertGreater(failure.retry_delay_ms, 0)
        gate.open()
        wait_until(lambda: client.steps(saga_id)["y"][0] == "DONE", "its answer is recorded")
        client.operator.Resolve(saga_id=saga_id, actor="me", reason="r")
        self.assertState("RESOLVED", client.end(saga_id))

    def test_a_stuck_enlisted_saga(self):
        client = self.start().client
        self.shop.on(undo("a"), fail(Code.INTERNAL))
        saga_id = client.Begin(name="x", enlist=[enlistment("a", retry={"max_attempts": 1})]).saga_id
        client.Abort(saga_id=saga_id)
        client.stuck(saga_id)
        for call in (client.Enlist, client.Settle, client.Commit):
            self.refused("FAILED_PRECONDITION", "SAGA_STUCK", call, saga_id=saga_id)
        self.shop.on(undo("a"), lambda call: b"")
        client.operator.Retry(saga_id=saga_id, actor="me")
        self.assertState("COMPENSATED", client.end(saga_id))

    def test_wait_until_stuck_and_then_the_end(self):
        client = self.start().client
        client.register(definition("back", step("a"), step("b", False, after=["a"])))
        self.shop.on(do("b"), fail(Code.NOT_FOUND))
        self.shop.on(undo("a"), fail(Code.INTERNAL))
        saga_id = client.Start(definition="back").saga_id
        results = []
        thread = threading.Thread(target=lambda: results.append(client.end(saga_id)))
        thread.start()
        self.assertState("STUCK", client.stuck(saga_id))
        self.assertEqual([], results)
        self.shop.on(undo("a"), lambda call: b"")
        client.operator.Retry(saga_id=saga_id, actor="me")
        thread.join(PATIENCE_S)
        self.assertEqual(["COMPENSATED"], [state_name(s) for s in results])

    def undo_that_waits(self, sidecar):
        """An id of a saga whose undo waits for a target that is not there."""
        self.shop.on("/s.S/Refused", fail(Code.FAILED_PRECONDITION))
        sidecar.client.register("name: away\nversion: 1.0.0\nsteps:\n"
                                "  - {name: a, action: {target: shop, method: /s.S/Do}, compensation: {target: other, method: /s.S/Undo}}\n"
                                "  - {name: b, after: [a], action: {target: shop, method: /s.S/Refused}}\n")
        saga_id = sidecar.client.Start(definition="away").saga_id
        wait_until(lambda: "cannot be reached" in sidecar.client.saga(saga_id).steps[0].waiting_for, "the undo waits")
        return saga_id

    def test_undo_is_not_given_up_for_a_target_that_is_not_there(self):
        """Beyond target_wait, and whatever attempts its policy has: a participant that is back in the end is asked."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        sidecar = self.start(targets={"shop": self.shop.address, "other": "unix:%s/s" % folder}, target_wait="100ms", connect_timeout="50ms")
        saga_id = self.undo_that_waits(sidecar)
        late = sidecar.client.Start(definition="away", input=b"late").saga_id
        sidecar.await_away("other", 1.5)  # fifteen times target_wait
        for each in (saga_id, late):
            saga = sidecar.client.saga(each)
            self.assertEqual(("COMPENSATING", 0), (state_name(saga), saga.steps[0].compensation_attempts))
        other = Participant("unix:%s/s" % folder)
        self.addCleanup(other.stop)
        for each in (saga_id, late):
            self.assertState("COMPENSATED", sidecar.client.end(each))
            self.assertEqual([1], [call.attempt for call in other.of(each)])

    def test_undo_that_waits_for_its_target_can_be_skipped(self):
        sidecar = self.start(targets={"shop": self.shop.address, "other": "unix:/nowhere/s"}, connect_timeout="50ms")
        saga_id = self.undo_that_waits(sidecar)
        self.refused("FAILED_PRECONDITION", "SAGA_NOT_STUCK", sidecar.client.operator.Skip, saga_id=saga_id, step="b", actor="me",
                     reason="why")
        sidecar.client.operator.Skip(saga_id=saga_id, step="a", actor="me", reason="refunded by hand")
        saga = sidecar.client.end(saga_id)
        self.assertEqual(("COMPENSATED", "SKIPPED"), (state_name(saga), sidecar.client.steps(saga_id)["a"][1]))

    def test_participant_that_answers_nonsense(self):
        """A peer that is no gRPC server, and one that closes in the middle: nothing is taken for done."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        over = threading.Event()

        def serve():
            while not over.is_set():
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(100)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            client = self.start(targets={"shop": {"address": "127.0.0.1:%d" % listener.getsockname()[1], "timeout": "500ms"}},
                                connect_timeout="200ms", target_wait="0s").client
            client.register(definition("one", step("a")))
            saga_id = client.Start(definition="one").saga_id
            saga = client.end(saga_id, until_stuck=True)
            self.assertNotEqual("COMMITTED", state_name(saga))
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(PATIENCE_S)

    def test_participant_that_is_killed_in_the_middle(self):
        """A call that has left and whose connection breaks may have been executed: it is undone."""
        shop = Participant()
        sidecar = self.start(targets={"shop": {"address": shop.address, "timeout": "500ms"}, "other": self.shop.address})
        sidecar.client.register(
            "name: two\nversion: 1.0.0\nsteps:\n  - {name: a, action: {target: shop, method: /s.S/Do},"
            " compensation: {target: other, method: /s.S/Undo, request: own_output}}\n")
        gate = Gate()
        shop.on("/s.S/Do", gate)
        saga_id = sidecar.client.Start(definition="two", input=b"in").saga_id
        gate.await_call()
        shop.stop()
        saga = sidecar.client.end(saga_id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ACTION_UNKNOWN", reason_name(saga.reason))
        call, = self.shop.of(saga_id)
        self.assertEqual(("unknown", b""), (call.metadata["saga-action-outcome"], call.request))

    def test_two_hundred_steps(self):
        client = self.start(steps_max=256).client
        names = ["s%d" % i for i in range(200)]
        client.register(definition("long", *[step(n, after=names[i - 1:i]) for i, n in enumerate(names)],
                                   step("no", False, after=names[-1:])))
        self.shop.on(do("no"), fail(Code.NOT_FOUND))
        saga = client.run("long")
        self.assertState("COMPENSATED", saga)
        self.assertEqual(names[::-1], self.shop.order(saga.id, "compensation"))

    def test_a_hundred_steps_side_by_side(self):
        client = self.start(steps_max=128).client
        names = ["s%d" % i for i in range(100)]
        client.register(definition("wide", *[step(n) for n in names], step("no", False, after=names)))
        self.shop.on(do("no"), fail(Code.NOT_FOUND))
        saga = client.run("wide")
        self.assertState("COMPENSATED", saga)
        started = [e.step for e in client.Get(saga_id=saga.id).timeline if e.type == enum("EventType", "EVENT_TYPE_ACTION_STARTED")]
        self.assertEqual(set(names) | {"no"}, set(started))
        self.assertEqual(started[-2::-1], self.shop.order(saga.id, "compensation"))

    def test_no_files_left(self):
        """Connections may not take the files that the journal and the calls out need."""
        sidecar = self.start()
        sidecar.client.register(definition("one", step("a")))
        limit = sidecar.fd_count() + 100
        resource.prlimit(sidecar.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        strangers = []
        try:
            for _ in range(limit + 50):
                s = socket.create_connection(("127.0.0.1", sidecar.port), PATIENCE_S)
                s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
                strangers.append(s)
            for _ in range(5):
                self.assertState("COMMITTED", sidecar.client.run("one"))
        finally:
            for s in strangers:
                s.close()
        fresh = Client(sidecar.address, wait_for_ready=True)
        self.assertState("COMMITTED", fresh.run("one"))
        fresh.close()

    @needs_files
    def test_files_that_may_not_grow_are_a_full_disk(self):
        """A limit on the size of files is told like a full disk, and passes like one."""
        sidecar = self.start()
        client = sidecar.client
        acknowledged = [client.Begin(name="x", enlist=[enlistment("a", request=b"y" * 1000)]).saga_id for _ in range(20)]
        resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        waits = threading.Thread(target=lambda: acknowledged.append(client.Begin(name="waits").saga_id))
        waits.start()
        wait_until(lambda: sidecar.log("the journal is full: new sagas are refused, those in flight wait for room"), "it is told")
        self.refused("RESOURCE_EXHAUSTED", "JOURNAL_FULL", client.Begin, name="x")
        resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        waits.join(PATIENCE_S)
        wait_until(lambda: sidecar.log("the journal takes what is decided again: sagas go on"), "it goes on")
        self.assertEqual(21, len(acknowledged))
        sidecar.restart("kill")
        for saga_id in acknowledged:
            self.assertState("RUNNING", sidecar.client.saga(saga_id))

    def test_clients_that_come_and_go_leave_nothing(self):
        sidecar = self.start()
        sidecar.client.register(definition("one", step("a")))
        sidecar.client.run("one")
        before = sidecar.fd_count()
        for _ in range(50):
            client = Client(sidecar.address)
            client.run("one")
            client.close()
        wait_until(lambda: sidecar.fd_count() <= before, "their connections are closed")

    def test_json_logs(self):
        sidecar = Sidecar(start=False, log_format="json", log_level="debug", targets={"shop": self.shop.address})
        self.sidecars.append(sidecar)
        sidecar.spawn()
        wait_until(lambda: any('"ready"' in l for l in sidecar.lines), "it is ready")
        port = next(json.loads(l)["port"] for l in sidecar.lines if '"listening"' in l)
        client = Client("127.0.0.1:%s" % port)
        client.register(definition("one", step("a")))
        self.shop.on(do("a"), fail(Code.NOT_FOUND, 'quote " and \\ and \n and \u2603'))
        client.run("one", input=b"secret-payload")
        client.close()
        sidecar.stop()
        for line in sidecar.lines:
            json.loads(line)
        self.assertNotIn("secret-payload", "\n".join(sidecar.lines))

    def test_a_pipe_whose_answers_nobody_reads(self):
        """The sidecar reads on only where there is room for the answers: the sender is held, and nothing is lost."""
        client = self.start().client
        client.register(definition("one", step("a")))
        taken = [0]
        # Refusals: what is asked for is short, and what is answered is long.
        one = message("saga.v1.PipeRequest")(commands=[{"begin": {"name": "not valid " * 25}}] * 100)

        def requests():
            for _ in range(1000):
                taken[0] += 1
                yield one
        # A connection's window that grows with what is on the way would take in all of it on a busy machine.
        channel = grpc.insecure_channel(client.address, options=CHANNEL_OPTIONS + [("grpc.http2.bdp_probe", 0)])
        self.addCleanup(channel.close)
        pipe = Stub(channel, "saga.v1.Coordinator").Pipe(requests())
        last = [0, 0.0]

        def held():
            if taken[0] != last[0]:
                last[:] = taken[0], time.monotonic()
            return last[0] > 0 and time.monotonic() - last[1] > 0.5
        wait_until(held, "the sender is held")
        self.assertLess(taken[0], 900)
        # Others do not wait with it.
        self.assertState("COMMITTED", client.run("one"))
        answers = list(pipe)
        self.assertEqual([100] * 1000, [len(a.results) for a in answers])

    def test_a_watcher_that_does_not_read(self):
        """It costs no memory and misses nothing: when it reads again, it is given what has happened since."""
        sidecar = self.start()
        client = sidecar.client
        client.register(definition("one", step("a"), step("b", after=["a"])))
        stream = client.Watch()
        first = []

        def seen():
            client.run("one")
            return first
        reader = threading.Thread(target=lambda: first.extend(next(stream).events))
        reader.start()
        wait_until(seen, "the watcher follows")
        reader.join(PATIENCE_S)
        ids = [client.run("one").id for _ in range(300)]
        events = []
        while not events or (events[-1].saga_id, events[-1].type) != (ids[-1], enum("EventType", "EVENT_TYPE_ENDED")):
            events.extend(next(stream).events)
        stream.cancel()
        for saga_id in ids:
            self.assertEqual(6, len([e for e in events if e.saga_id == saga_id]))
        self.assertEqual(len(events), len({e.cursor for e in events}))
