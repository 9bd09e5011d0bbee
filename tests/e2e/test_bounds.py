"""Bounds: what crosses one is refused with words and a reason, and what was there before goes on."""
import time
import queue
import socket
import threading
import os
import sys

import grpc

from harness import (PATIENCE_S, Case, Client, Gate, Participant, Sidecar, definition, do, enlistment, failure_of, free_port, message, settled, step, wait_until)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "chaos"))
import attacks

Code = grpc.StatusCode

SANITIZED = "asan" in os.environ.get("SAGAD", "")


class Bounds(Case):
    def setUp(self):
        super().setUp()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def start(self, **options):
        options.setdefault("targets", {"shop": self.shop.address})
        self.sidecars.append(Sidecar(**options))
        return self.sidecars[-1].client

    def failing(self, call, *args, **fields):
        """The Failure of a call that is repeated until it fails: others take their places in their own time."""
        def attempt():
            try:
                result = call(*args, timeout=0.3, **fields)
                if hasattr(result, "__next__"):
                    next(result)
                    result.cancel()
            except grpc.RpcError as e:
                return failure_of(e) if e.code() != Code.DEADLINE_EXCEEDED else None
        return wait_until(attempt, "the call is refused")

    def test_message_bytes_max(self):
        client = self.start(message_bytes_max="1088KiB")
        client.register(definition("one", step("a")))
        self.assertState("COMMITTED", client.run("one", input=b"x" * (1 << 20)))
        with self.assertRaises(grpc.RpcError) as raised:
            client.Start(definition="one", input=b"x" * (2 << 20))
        self.assertEqual(Code.RESOURCE_EXHAUSTED, raised.exception.code())
        with self.assertRaises(grpc.RpcError) as raised:
            list(client.Pipe(iter([message("saga.v1.PipeRequest")(commands=[{"start": {"input": b"x" * (2 << 20)}}])]), timeout=20))
        self.assertEqual(Code.RESOURCE_EXHAUSTED, raised.exception.code())
        self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", client.Start, definition="one", input=b"x" * ((1 << 20) + 1))
        self.assertState("COMMITTED", client.run("one"))

    def test_memory_bytes_max(self):
        """Sagas fill what may be filled with payloads: then new ones are refused, and what has begun goes on."""
        client = self.start(memory_bytes_max="64MiB", live_sagas_max=10000)
        client.register(definition("one", step("a")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        held = []

        def fill():
            try:
                held.append(client.Start(definition="one", input=b"x" * (1 << 20)).saga_id)
            except grpc.RpcError as e:
                return failure_of(e)
        failure = wait_until(fill, "a start is refused")
        self.assertEqual(("RESOURCE_EXHAUSTED", "MEMORY_BYTES_MAX"), (failure.code, failure.reason))
        self.assertTrue(10 <= len(held) <= 64, len(held))
        self.refused("RESOURCE_EXHAUSTED", "MEMORY_BYTES_MAX", client.Begin, name="x")
        if not SANITIZED:
            self.assertLess(self.sidecars[-1].rss_bytes(), 160 << 20)
        gate.open()
        for saga_id in held:
            self.assertState("COMMITTED", client.end(saga_id))
        self.assertState("COMMITTED", client.run("one", input=b"x" * (1 << 20)))

    def test_answers_that_nobody_reads(self):
        """Large ones are refused while others lie unread, small ones and work are not; and all is well once they are gone."""
        self.unread(ended=False)

    def test_answers_of_an_ended_saga_that_nobody_reads(self):
        self.unread(ended=True)

    def unread(self, ended):
        client = self.start(memory_bytes_max="256MiB", shutdown_grace="10m")
        large = client.Begin(name="large").saga_id
        for i in range(8):
            client.Enlist(saga_id=large, enlist=[enlistment("s%d" % i)])
            client.Settle(saga_id=large, settle=[settled("s%d" % i, output=b"x" * (1 << 20))])
        if ended:
            client.Commit(saga_id=large)
        connection = attacks.Connection(self.sidecars[-1].port, attacks.WIDE, 4096)
        for _ in range(60):
            connection.open("/saga.v1.Coordinator/Get", attacks.text_field(1, large) + b"\x10\x01")

        def refused():
            try:
                client.Get(saga_id=large, include_payloads=True)
            except grpc.RpcError as e:
                return failure_of(e)
        failure = wait_until(refused, "a large answer is refused")
        self.assertEqual("MEMORY_BYTES_MAX", failure.reason, failure)
        self.assertEqual(large, client.Get(saga_id=large).saga.id)
        client.Commit(saga_id=client.Begin(name="small").saga_id)
        connection.close()
        wait_until(lambda: refused() is None, "a large answer is given")
        if not SANITIZED:
            self.assertLess(self.sidecars[-1].rss_bytes_max(), 256 << 20)
        self.sidecars[-1].stop()  # nothing that C core still does for it is waited for: shutdown_grace is far longer than a test

    def test_a_participants_answer_is_too_large(self):
        """It was carried out, but what it said cannot be kept: so it is undone."""
        client = self.start(payload_bytes_max="1KiB", message_bytes_max="128KiB", definition_bytes_max="1KiB",
                            default_retry={"maxAttempts": 2, "initialBackoff": "10ms"},
                            targets={"shop": {"address": self.shop.address, "timeout": "2s"}})
        client.register(definition("one", step("a")))
        for size in (1025, 1 << 20):
            self.shop.on(do("a"), lambda call: b"x" * size)
            saga = client.run("one")
            self.assertState("COMPENSATED", saga)
            self.assertEqual(["a"], self.shop.order(saga.id, "compensation"))
            self.assertEqual("unknown", self.shop.of(saga.id, "compensation")[0].metadata["saga-action-outcome"])
        self.shop.on(do("a"), lambda call: b"x" * 1024)
        self.assertState("COMMITTED", client.run("one"))

    def test_metadata_bytes_max(self):
        client = self.start(metadata_bytes_max="1KiB")
        with self.assertRaises(grpc.RpcError) as raised:
            client.ListDefinitions(metadata=(("x-large", "y" * 4096),))
        self.assertEqual(Code.RESOURCE_EXHAUSTED, raised.exception.code())
        # C core may close the connection that brought it; another one is not touched.
        other = Client(client.address)
        other.ListDefinitions(metadata=(("x-small", "y" * 100),))
        other.close()

    def test_steps_max(self):
        client = self.start(steps_max=3)
        failure = self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", client.register, definition("four", *map(step, "abcd")))
        self.assertIn("steps_max is 3", failure.text)
        client.register(definition("three", *map(step, "abc")))
        saga_id = client.Begin(name="x", enlist=[enlistment(s) for s in "abc"]).saga_id
        self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", client.Enlist, saga_id=saga_id, enlist=[enlistment("d")])

    def test_steps_max_above_the_default(self):
        """In one request, in a definition, and in a pipe."""
        client = self.start(steps_max=200, default_compensation_retry={"maxAttempts": 1})
        names = ["s%d" % i for i in range(200)]
        saga_id = client.Begin(name="x", enlist=[enlistment(s) for s in names]).saga_id
        client.Commit(saga_id=saga_id, settle=[settled(s) for s in names])
        client.register(definition("many", *[step(s, False) for s in names]))
        request = message("saga.v1.PipeRequest")()
        request.commands.add().begin.CopyFrom(message("saga.v1.BeginRequest")(name="x", enlist=[enlistment(s) for s in names]))
        answer, = client.Pipe(iter([request]))
        self.assertEqual("begin", answer.results[0].WhichOneof("result"))
        self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", client.Begin, name="x", enlist=[enlistment(s) for s in names + ["more"]])

    def test_waiters_max(self):
        client = self.start(waiters_max=2)
        other = Client(client.address)
        saga_id = client.Begin(name="x").saga_id
        ended = []

        def wait():
            """Takes its place when there is one: the call below, which is repeated, may be there first."""
            while True:
                try:
                    return ended.append(client.end(saga_id))
                except grpc.RpcError as e:
                    if e.code() != Code.RESOURCE_EXHAUSTED:
                        raise

        threads = [threading.Thread(target=wait) for _ in range(2)]
        for t in threads:
            t.start()
        failure = self.failing(other.Wait, saga_id=saga_id)
        self.assertEqual(("RESOURCE_EXHAUSTED", "QUEUE_FULL"), (failure.code, failure.reason))
        self.assertIn("waiters_max", failure.text)
        self.assertGreater(failure.retry_delay_ms, 0)
        other.Commit(saga_id=saga_id)
        for t in threads:
            t.join(PATIENCE_S)
        self.assertEqual(2, len(ended))
        other.end(saga_id)
        other.close()

    def test_watchers_max(self):
        client = self.start(watchers_max=1)
        saga_id = client.Begin(name="x").saga_id
        watch = client.Watch(saga_id=saga_id)
        next(watch)
        failure = self.failing(client.Watch, saga_id=saga_id)
        self.assertEqual(("RESOURCE_EXHAUSTED", "QUEUE_FULL"), (failure.code, failure.reason))
        self.assertIn("watchers_max", failure.text)
        watch.cancel()

        def again():
            try:
                stream = client.Watch(saga_id=saga_id, timeout=1)
                next(stream)
                stream.cancel()
                return True
            except grpc.RpcError:
                return False
        wait_until(again, "there is room for a watcher again")

    def test_streams_max(self):
        client = self.start(streams_max=2, watchers_max=2)
        held = [queue.Queue() for _ in range(2)]
        pipes = [client.Pipe(iter(q.get, None)) for q in held]
        for q, pipe in zip(held, pipes):
            q.put(message("saga.v1.PipeRequest")())
            next(pipe)
        failure = self.failing(lambda timeout: client.Pipe(iter(()), timeout=timeout))
        self.assertEqual(("RESOURCE_EXHAUSTED", "STREAMS_MAX"), (failure.code, failure.reason))
        self.assertGreater(failure.retry_delay_ms, 0)
        client.ListDefinitions()
        for q, pipe in zip(held, pipes):
            q.put(None)
            self.assertEqual([], list(pipe))

        wait_until(lambda: self.pipe_works(client), "there is room for a stream again")

    @staticmethod
    def pipe_works(client):
        try:
            return list(client.Pipe(iter(()), timeout=5)) == []
        except grpc.RpcError:
            return False

    def test_calls_that_wait_leave_room(self):
        """For those that end their wait. (calls_max itself is gone over in test_options.)"""
        client = self.start(calls_max=6, streams_max=1, watchers_max=1, waiters_max=4)
        saga_id = client.Begin(name="x").saga_id
        waits = [client.channel.unary_unary("/saga.v1.Coordinator/Wait").future(
            message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString(), timeout=PATIENCE_S) for _ in range(4)]
        pipe = client.Pipe(iter(queue.Queue().get, None))
        # There is still room for the calls that end the wait.
        for _ in range(20):
            client.KeepAlive(saga_id=saga_id)
        client.Commit(saga_id=saga_id)
        for wait in waits:
            wait.result(PATIENCE_S)
        pipe.cancel()

    def test_max_concurrent_calls(self):
        """A target's calls in flight: more wait their turn, and all of them come."""
        client = self.start(targets={"shop": {"address": self.shop.address, "max_concurrent_calls": 3}})
        gate = Gate()
        self.shop.on(do("a"), gate)
        client.register(definition("one", step("a")))
        sagas = [client.Start(definition="one").saga_id for _ in range(30)]
        for _ in range(3):
            gate.await_call()
        waiting = [s for s in sagas if "a free place among the calls to target shop" in client.saga(s).steps[0].waiting_for]
        self.assertEqual(27, len(waiting))
        self.assertEqual(3, sum(len(self.shop.of(s)) for s in sagas))
        gate.open()
        for saga_id in sagas:
            self.assertState("COMMITTED", client.end(saga_id))

    def test_a_target_that_does_not_read(self):
        """What it does not take is bounded: its sagas wait, and say so, others go on, and with a participant that reads all end well."""
        address = "127.0.0.1:%d" % free_port()
        listener = socket.create_server(("127.0.0.1", int(address.split(":")[1])))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.addCleanup(listener.close)
        kept = []

        def take():
            try:
                while True:
                    kept.append(listener.accept()[0])
                    # SETTINGS: windows of two gigabytes, so that everything is sent; and then nothing is read.
                    kept[-1].sendall(b"\0\0\6\4\0\0\0\0\0" + b"\0\4\x7f\xff\xff\xff" + b"\0\0\4\x08\0\0\0\0\0" + b"\x7f\xfe\0\0")
            except OSError:
                pass
        threading.Thread(target=take, daemon=True).start()
        quickly = {"maxAttempts": 1000, "initialBackoff": "10ms", "maxBackoff": "50ms"}
        client = self.start(memory_bytes_max="96MiB", connect_timeout="500ms", default_retry=quickly,
                            targets={"shop": self.shop.address, "deaf": {"address": address, "timeout": "60s"}})
        sidecar = self.sidecars[-1]
        client.register(definition("one", step("a").replace("shop,", "deaf,")))
        client.register(definition("two", step("a")))
        sagas = [client.Start(definition="one", input=os.urandom(400000)).saga_id for _ in range(24)]
        waits = "target deaf, which cannot be reached"
        wait_until(lambda: client.saga(sagas[-1]).steps[0].waiting_for == waits, "they wait")
        for _ in range(10):
            self.assertState("COMMITTED", client.run("two", input=os.urandom(400000)))
        self.assertGreater(sum(client.saga(s).steps[0].waiting_for == waits for s in sagas), 3, "beside what the system took")
        told, = sidecar.logged("a target cannot be reached: its calls wait for it")
        self.assertEqual(("deaf", "it does not read what it was sent"), (told["target"], told["why"]))
        listener.shutdown(socket.SHUT_RDWR)  # or the thread in accept holds it
        listener.close()
        for connection in kept:
            connection.close()
        shop = Participant(address)
        self.addCleanup(shop.stop)
        for saga_id in sagas:
            self.assertState("COMMITTED", client.end(saga_id))

    def test_retention(self):
        """What has ended long enough ago is forgotten, and says so."""
        client = self.start(retention="1s")
        client.register(definition("one", step("a")))
        live = client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        saga_id = client.run("one", request_id="forget me").id

        def forgotten(saga_id):
            try:
                client.Get(saga_id=saga_id)
            except grpc.RpcError as e:
                return failure_of(e).reason == "SAGA_NOT_FOUND"
        wait_until(lambda: forgotten(saga_id), "the saga is forgotten")
        # A long retention is looked at every ten seconds: what ends right after such a look would stay for all of them.
        next_one, began = client.run("one").id, time.monotonic()
        wait_until(lambda: forgotten(next_one), "the next one is forgotten, too")
        self.assertLess(time.monotonic() - began, 7)
        self.assertFalse(client.Start(definition="one", request_id="forget me").already_started)
        self.assertState("RUNNING", client.saga(live))
        client.Abort(saga_id=live)
        self.assertState("COMPENSATED", client.end(live))
