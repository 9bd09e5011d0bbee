"""Pipe: many commands a message, answered in order."""
import queue
import threading

import grpc

from harness import (OUTCOME_REJECTED, Case, Sidecar, definition, enlistment, failure_in_result, message, settled, step)

Code = grpc.StatusCode


def request(*commands):
    """request(("start", {...}), ("begin", {...}))"""
    m = message("saga.v1.PipeRequest")()
    for name, fields in commands:
        command = m.commands.add()
        member = getattr(command, name)
        member.SetInParent()
        member.MergeFrom(type(member)(**fields))
    return m


class Stream:
    """A pipe of which both ends are in the test's hand."""

    def __init__(self, client):
        self.requests = queue.Queue()
        self.call = client.Pipe(iter(self.requests.get, None))

    def send(self, *commands):
        self.requests.put(request(*commands))

    def receive(self):
        return next(self.call).results

    def ask(self, *commands):
        self.send(*commands)
        return self.receive()

    def half_close(self):
        self.requests.put(None)

    def rest(self):
        return list(self.call)


class Pipe(Case):
    options = {"pipe_commands_max": 8, "payload_bytes_max": "1KiB"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(definition("one", step("a")))

    def setUp(self):
        super().setUp()
        self.pipe = Stream(self.client)

    def tearDown(self):
        self.pipe.half_close()
        self.pipe.call.cancel()

    def names(self, results):
        return [r.WhichOneof("result") for r in results]

    def test_a_whole_saga(self):
        begun, started = self.pipe.ask(("begin", {"name": "x", "enlist": [enlistment("a")]}),
                                       ("start", {"definition": "one", "input": b"i"}))
        saga_id = begun.begin.saga_id
        self.assertEqual(["settle", "enlist", "commit"], self.names(self.pipe.ask(
            ("settle", {"saga_id": saga_id, "settle": [settled("a")]}),
            ("enlist", {"saga_id": saga_id, "enlist": [enlistment("b")]}),
            ("commit", {"saga_id": saga_id, "settle": [settled("b", OUTCOME_REJECTED)]}))))
        self.assertState("COMMITTED", self.client.end(saga_id))
        self.assertState("COMMITTED", self.client.end(started.start.saga_id))
        aborted = self.pipe.ask(("begin", {"name": "x", "enlist": [enlistment("a")]}))[0].begin.saga_id
        self.assertEqual(["abort"], self.names(self.pipe.ask(("abort", {"saga_id": aborted}))))
        self.assertState("COMPENSATED", self.client.end(aborted))
        self.assertEqual(["a"], self.shop.order(aborted, "compensation"))
        self.pipe.half_close()
        self.assertEqual([], self.pipe.rest())
        self.assertEqual(Code.OK, self.pipe.call.code())

    def test_an_error_inside_stops_nothing(self):
        results = self.pipe.ask(("start", {"definition": "nothing"}), ("begin", {"name": "a b"}),
                                ("start", {"definition": "one", "input": b"x" * 1025}), ("start", {"definition": "one"}),
                                ("commit", {"saga_id": "junk"}))
        self.assertEqual(["error", "error", "error", "start", "error"], self.names(results))
        failures = [failure_in_result(r.error) for r in results if r.WhichOneof("result") == "error"]
        self.assertEqual([(5, "DEFINITION_NOT_FOUND"), (3, "INVALID_ARGUMENT"), (8, "PAYLOAD_BYTES_MAX"), (3, "INVALID_ARGUMENT")],
                         [(f.inner_code, f.reason) for f in failures])
        self.assertEqual("name", failures[1].field)
        self.assertState("COMMITTED", self.client.end(results[3].start.saga_id))

    def test_commands_of_a_message_are_carried_out_in_order(self):
        begun = self.pipe.ask(("begin", {"name": "x", "request_id": "in order"}), ("begin", {"name": "x", "request_id": "in order"}),
                              ("begin", {"name": "other", "request_id": "in order"}))
        self.assertEqual([False, True], [r.begin.already_started for r in begun[:2]])
        self.assertEqual(begun[0].begin.saga_id, begun[1].begin.saga_id)
        self.assertEqual("REQUEST_ID_REUSED", failure_in_result(begun[2].error).reason)
        saga_id = begun[0].begin.saga_id
        self.assertEqual(["enlist", "error", "settle", "commit", "error"], self.names(self.pipe.ask(
            ("enlist", {"saga_id": saga_id, "enlist": [enlistment("a")]}), ("commit", {"saga_id": saga_id}),
            ("settle", {"saga_id": saga_id, "settle": [settled("a")]}), ("commit", {"saga_id": saga_id}),
            ("abort", {"saga_id": saga_id}))))

    def test_messages_are_answered_in_order(self):
        """Many messages before the first answer is read; more than the sidecar has in work at once."""
        for i in range(200):
            self.pipe.send(*[("begin", {"name": "m%d" % i})] * (i % 3))
        self.pipe.half_close()
        answers = self.pipe.rest()
        self.assertEqual([i % 3 for i in range(200)], [len(a.results) for a in answers])
        for i, answer in enumerate(answers):
            for result in answer.results:
                self.assertEqual("m%d" % i, self.client.saga(result.begin.saga_id).definition)
                self.client.Commit(saga_id=result.begin.saga_id)

    def test_an_unset_command(self):
        m = request(("begin", {"name": "x"}))
        m.commands.add()
        self.pipe.requests.put(m)
        results = self.pipe.receive()
        self.assertEqual(["begin", "error"], self.names(results))
        self.assertEqual("INVALID_ARGUMENT", failure_in_result(results[1].error).reason)

    def test_too_many_commands(self):
        good = self.pipe.ask(*[("begin", {"name": "x"})] * 8)
        self.assertEqual(["begin"] * 8, self.names(good))
        self.pipe.send(*[("begin", {"name": "x"})] * 9)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.pipe.receive, field="commands")

    def test_not_protobuf(self):
        call = self.client.channel.stream_stream("/saga.v1.Coordinator/Pipe")
        good = request(("begin", {"name": "x", "request_id": "before the garbage"})).SerializeToString()
        stream = call(iter([good, b"\xff\xff"]), timeout=20)
        answer = message("saga.v1.PipeResponse").FromString(next(stream))
        self.assertEqual("begin", answer.results[0].WhichOneof("result"))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: list(stream))
        self.assertTrue(self.client.Begin(name="x", request_id="before the garbage").already_started)

    def test_empty(self):
        self.assertEqual(0, len(self.pipe.ask()))
        self.pipe.half_close()
        self.assertEqual([], self.pipe.rest())
        nothing_at_all = self.client.Pipe(iter(()), timeout=20)
        self.assertEqual([], list(nothing_at_all))
        self.assertEqual(Code.OK, nothing_at_all.code())

    def test_cancelled(self):
        """What was sent is carried out, although nobody is there to be told."""
        self.assertEqual(["begin"], self.names(self.pipe.ask(("begin", {"name": "x", "request_id": "left early"}))))
        self.pipe.call.cancel()
        self.assertTrue(self.client.Begin(name="x", request_id="left early").already_started)

    def test_stop_ends_a_pipe(self):
        sidecar = Sidecar()
        try:
            pipe = Stream(sidecar.client)
            saga_id = pipe.ask(("begin", {"name": "x"}))[0].begin.saga_id
            sidecar.stop()
            self.refused("UNAVAILABLE", "STOPPING", pipe.receive)
            pipe.half_close()
            sidecar.start()
            self.assertState("RUNNING", sidecar.client.saga(saga_id))
        finally:
            sidecar.close()

    def test_many_pipes(self):
        def work(index):
            stream = Stream(self.client)
            for i in range(20):
                begun = stream.ask(*[("begin", {"name": "p%d" % index})] * 4)
                done = stream.ask(*[("commit", {"saga_id": r.begin.saga_id}) for r in begun])
                good.append(self.names(done) == ["commit"] * 4)
            stream.half_close()
            good.append(stream.rest() == [])
        good = []
        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(30)
        self.assertEqual([True] * 8 * 21, good)
