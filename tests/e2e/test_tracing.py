"""Traces by OTLP: what a collector is told of sagas, who is whose parent, and that a collector that is away or hangs costs no saga."""
import grpc

from harness import Answer, PATIENCE_S, Case, Gate, Participant, Sidecar, definition, do, enlistment, fail, message, settled, step, undo, wait_until
from test_watching import get, samples

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Span:
    def __init__(self, packed, resource):
        span = message("otlp.Span").FromString(packed)
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.name, self.kind, self.began, self.ended = span.name, span.kind, span.start_time_unix_nano, span.end_time_unix_nano
        self.failed, self.error = span.status.code == 2, span.status.message
        said = [message("otlp.KeyValue").FromString(a) for a in span.attributes]
        self.said = {a.key: a.value.string_value or a.value.int_value for a in said}
        self.resource = resource


class Collector(Participant):
    def spans(self):
        found = []
        with self.lock:
            calls = [c for c in self.calls if c.method == EXPORT]
        for call in calls:
            for by in message("otlp.ExportRequest").FromString(call.request).resource_items:
                resource = {a.key: a.value.string_value for a in by.resource.attributes}
                found += [Span(s, resource) for scope in by.scope_items for s in scope.items]
        return found

    def of(self, saga_id):
        return [s for s in self.spans() if s.said.get("saga.id") == saga_id]

    def whole(self, saga_id):
        """All spans of a saga that has ended: its own comes last."""
        wait_until(lambda: any("saga.state" in s.said for s in self.of(saga_id)), "the saga's span came")
        return self.of(saga_id)


class Traced(Case):
    percent = 100

    @classmethod
    def setUpClass(cls):
        cls.collector = Collector()
        cls.collector.on(EXPORT, lambda call: b"")
        cls.options = {"otlp_endpoint": cls.collector.address, "traces_percent": cls.percent, "loops": 2}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.collector.stop()


class Traces(Traced):
    def test_a_saga_is_a_tree(self):
        self.client.register(definition("tree", step("a"), step("b", after=["a"])))
        self.shop.on(do("b"), fail(grpc.StatusCode.NOT_FOUND, "no \x1b[31mbed"))
        saga = self.client.run("tree", traceparent="00-%s-%s-01" % (TRACE, PARENT))
        self.assertState("COMPENSATED", saga)
        spans = self.collector.whole(saga.id)
        by_name = {s.name: s for s in spans}
        self.assertEqual({"tree", "a", "b", "undo a", do("a")[1:], do("b")[1:], undo("a")[1:]}, set(by_name))
        self.assertEqual(len(spans), len({s.id for s in spans}))
        self.assertEqual({TRACE}, {s.trace for s in spans})
        root = by_name["tree"]
        self.assertEqual(PARENT, root.parent)
        self.assertEqual((True, "ACTION_REJECTED"), (root.failed, root.error))
        self.assertEqual(("COMPENSATED", "b"), (root.said["saga.state"], root.said["saga.reason_step"]))
        self.assertEqual("sagad", root.resource["service.name"])
        for name in ("a", "b", "undo a"):
            self.assertEqual(root.id, by_name[name].parent)
        for name, parent in ((do("a"), "a"), (do("b"), "b"), (undo("a"), "undo a")):
            call = by_name[name[1:]]
            self.assertEqual((by_name[parent].id, 3), (call.parent, call.kind))
            self.assertEqual((1, "shop", "grpc"), (call.said["saga.attempt"], call.said["saga.target"], call.said["rpc.system.name"]))
        refused = by_name[do("b")[1:]]
        self.assertEqual((True, "NOT_FOUND"), (refused.failed, refused.said["error.type"]))
        self.assertFalse(by_name["a"].failed or by_name["undo a"].failed)
        for span in spans:
            self.assertLessEqual(root.began, span.began)
            self.assertLessEqual(span.began, span.ended)
            self.assertLessEqual(span.ended, root.ended)
        for call in self.shop.of(saga.id):
            attempt = by_name[call.method[1:]]
            self.assertEqual("00-%s-%s-01" % (TRACE, attempt.id), call.metadata["traceparent"])

    def test_each_attempt_is_a_span(self):
        answers = iter([fail(grpc.StatusCode.UNAVAILABLE, "busy", pushback_ms=1), fail(grpc.StatusCode.UNAVAILABLE, "busy", pushback_ms=1)])
        self.client.register(definition("again", step("again")))
        self.shop.on(do("again"), lambda call: next(answers, lambda c: b"")(call))
        saga = self.client.run("again")
        self.assertState("COMMITTED", saga)
        spans = self.collector.whole(saga.id)
        calls = sorted((s for s in spans if s.kind == 3), key=lambda s: s.said["saga.attempt"])
        self.assertEqual([(1, "UNAVAILABLE"), (2, "UNAVAILABLE"), (3, "OK")],
                         [(s.said["saga.attempt"], s.said["rpc.response.status_code"]) for s in calls])
        self.assertEqual(3, len({s.id for s in calls}))
        self.assertEqual(["00-%s-%s-01" % (s.trace, s.id) for s in calls], [c.metadata["traceparent"] for c in self.shop.of(saga.id)])
        self.assertEqual(1, len({s.parent for s in calls}))

    def test_a_saga_without_a_trace_has_one_of_its_own(self):
        self.client.register(definition("own", step("o")))
        first, second = self.client.run("own"), self.client.run("own")
        traces = [{s.trace for s in self.collector.whole(saga.id)} for saga in (first, second)]
        self.assertEqual([1, 1], [len(t) for t in traces])
        self.assertNotEqual(*traces)
        root = [s for s in self.collector.of(first.id) if s.name == "own"][0]
        self.assertEqual(("", False), (root.parent, root.failed))

    def test_not_sampled_by_its_caller(self):
        self.client.register(definition("unsampled", step("u")))
        parent = "00-%s-%s-00" % (TRACE, PARENT)
        saga = self.client.run("unsampled", traceparent=parent)
        self.assertEqual([parent], [c.metadata["traceparent"] for c in self.shop.of(saga.id)])
        self.client.register(definition("after", step("u2")))
        self.collector.whole(self.client.run("after").id)
        self.assertEqual([], self.collector.of(saga.id))

    def test_an_enlisted_saga(self):
        saga_id = self.client.Begin(name="owned", enlist=[enlistment("x", request=b"r")]).saga_id
        self.client.Settle(saga_id=saga_id, settle=[settled("x")])
        self.client.Abort(saga_id=saga_id)
        self.client.end(saga_id)
        names = sorted(s.name for s in self.collector.whole(saga_id))
        self.assertEqual(sorted(["owned", "x", "undo x", undo("x")[1:]]), names)

    def test_a_stuck_saga_is_seen_before_it_ends(self):
        self.client.register(definition("stuck", "name: s, target: shop, action: %s, compensation: {method: %s, retry: {maxAttempts: 1}}" %
                                        (do("s"), undo("s")), step("t", after=["s"])))
        self.shop.on(do("t"), fail(grpc.StatusCode.NOT_FOUND))
        self.shop.on(undo("s"), fail(grpc.StatusCode.INTERNAL, "locked"))
        saga_id = self.client.Start(definition="stuck").saga_id
        self.client.stuck(saga_id)
        stuck = wait_until(lambda: [s for s in self.collector.of(saga_id) if s.name == "stuck"], "it is told")[0]
        self.assertEqual((True, "COMPENSATION_FAILED", "s"), (stuck.failed, stuck.error, stuck.said["saga.step"]))


    def test_every_loop_is_heard(self):
        self.client.register(definition("spread", step("s")))
        sagas = [self.client.run("spread", request_id="spread-%d" % i).id for i in range(8)]
        loops = self.client.operator.Status().loops
        self.assertTrue(all(loop.sagas_ended for loop in loops), "each loop has some")
        for saga in sagas:
            self.collector.whole(saga)


class Sampled(Traced):
    percent = 0

    def test_none_of_those_without_a_trace(self):
        self.client.register(definition("none", step("n")))
        saga = self.client.run("none")
        self.assertNotIn("traceparent", self.shop.of(saga.id)[0].metadata)
        traced = self.client.run("none", traceparent="00-%s-%s-01" % (TRACE, PARENT))
        self.collector.whole(traced.id)
        self.assertEqual([], self.collector.of(saga.id))


class Away(Case):
    """A collector that is not there, hangs, refuses, and comes back."""

    def start(self, address):
        sidecar = Sidecar(targets={"shop": self.shop.address}, otlp_endpoint=address)
        self.addCleanup(sidecar.close)
        sidecar.client.register(definition("away", step("w")))
        return sidecar

    def test_one_that_comes_later_gets_what_was_kept(self):
        path = "unix:%s/collector.sock" % self.sidecar.directory
        sidecar = self.start(path)
        saga = sidecar.client.run("away")
        self.assertState("COMMITTED", saga)
        wait_until(lambda: sidecar.log("traces cannot be sent: what comes is kept as far as there is room, then dropped"), "it is told")
        collector = Collector(path)
        self.addCleanup(collector.stop)
        collector.on(EXPORT, lambda call: b"")
        collector.whole(saga.id)
        wait_until(lambda: sidecar.log("traces are sent again"), "it is told")

    def test_what_may_be_tried_again_is_and_nothing_is_lost(self):
        """Each status that OTLP calls retryable, once: the same spans come again, and none is counted as dropped."""
        started = []
        for name in ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED"):
            collector = Collector()
            self.addCleanup(collector.stop)
            collector.on(EXPORT, self.refuse_the_first(grpc.StatusCode[name]))
            sidecar = Sidecar(targets={"shop": self.shop.address}, otlp_endpoint=collector.address, http_listen="127.0.0.1:0")
            self.addCleanup(sidecar.close)
            sidecar.client.register(definition("away", step("w")))
            started.append((name, collector, sidecar, sidecar.client.run("away").id))
        for name, collector, sidecar, saga in started:
            with self.subTest(name):
                wait_until(lambda: len([s for s in collector.of(saga) if "saga.state" in s.said]) == 2, "what was refused comes again")
                counted = samples(get(sidecar, "/metrics")[2])
                self.assertEqual((3, 0), (counted["sagad_spans_total", ()], counted["sagad_spans_dropped_total", ()]))

    @staticmethod
    def refuse_the_first(code):
        """Of those that have a saga's own span, which comes last."""
        refused = []

        def answer(call):
            if not refused and b"saga.state" in call.request:
                refused.append(call)
                raise Answer(code)
            return b""
        return answer

    def test_one_that_hangs_costs_no_saga(self):
        collector, gate = Collector(), Gate()
        self.addCleanup(collector.stop)
        self.addCleanup(gate.open)
        collector.on(EXPORT, gate)
        sidecar = self.start(collector.address)
        sidecar.client.run("away")
        gate.await_call()
        for _ in range(50):
            self.assertState("COMMITTED", sidecar.client.run("away"))
        sidecar.terminate()
        self.assertEqual(0, sidecar.await_exit())

    def test_what_is_refused_is_not_sent_again(self):
        collector = Collector()
        self.addCleanup(collector.stop)
        collector.on(EXPORT, fail(grpc.StatusCode.INVALID_ARGUMENT, "not mine"))
        sidecar = self.start(collector.address)
        first = sidecar.client.run("away")
        wait_until(lambda: sidecar.log("traces cannot be sent: what comes is kept as far as there is room, then dropped"), "it is told")
        collector.on(EXPORT, lambda call: b"")
        collector.whole(sidecar.client.run("away").id)
        self.assertEqual(1, len([s for s in collector.of(first.id) if "saga.state" in s.said]))

    def test_what_is_left_is_sent_at_the_end(self):
        collector = Collector()
        self.addCleanup(collector.stop)
        collector.on(EXPORT, lambda call: b"")
        sidecar = self.start(collector.address)
        saga = sidecar.client.run("away")
        sidecar.terminate()
        self.assertEqual(0, sidecar.await_exit())
        self.assertTrue([s for s in collector.of(saga.id) if "saga.state" in s.said])

    def test_after_a_crash_the_parent_is_the_same(self):
        collector, gate = Collector(), Gate()
        self.addCleanup(collector.stop)
        collector.on(EXPORT, lambda call: b"")
        sidecar = self.start(collector.address)
        self.shop.on(do("w"), gate)
        saga_id = sidecar.client.Start(definition="away").saga_id
        gate.await_call()
        sidecar.kill()
        gate.open()
        sidecar.start()
        self.assertState("COMMITTED", sidecar.client.end(saga_id))
        spans = {s.id: s for s in collector.whole(saga_id)}
        parents = [c.metadata["traceparent"].split("-")[2] for c in self.shop.of(saga_id)]
        self.assertEqual(2, len(parents))
        self.assertTrue(set(parents) <= set(spans), (parents, spans))

    def test_an_address_beyond_the_machine_speaks_tls_or_says_so(self):
        sidecar = Sidecar(start=False, otlp_endpoint="collector.example:4317")
        self.addCleanup(sidecar.close)
        code, said = sidecar.refuse()
        self.assertEqual(2, code)
        self.assertIn("otlp_endpoint: collector.example:4317 is on another machine", said)
