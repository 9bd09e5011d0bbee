"""Metrics and logs by OTLP: what a collector is told is what /metrics and the log say, and one that is away, hangs or refuses costs nobody anything."""
import grpc

from harness import Case, Gate, Sidecar, definition, do, enlistment, fail, message, step, wait_until
from test_tracing import EXPORT as TRACES, PARENT, TRACE, Collector as Traced
from test_watching import get, samples

METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
SEVERITIES = {17: "error", 13: "warn", 9: "info", 5: "debug"}


def attributes(of):
    return {a.key: a.value.string_value if a.value.HasField("string_value") else a.value.int_value for a in of}


class Point:
    def __init__(self, metric, packed):
        kind = metric.WhichOneof("data")
        self.kind, self.name, self.unit = kind, metric.name, metric.unit
        self.is_histogram = kind == "histogram"
        p = message("otlp.HistogramDataPoint" if self.is_histogram else "otlp.NumberDataPoint").FromString(packed)
        self.point, self.labels = p, attributes(p.attributes)
        self.began, self.at = p.start_time_unix_nano, p.time_unix_nano
        if not self.is_histogram:
            self.value = p.as_int if p.HasField("as_int") else p.as_double

    def samples(self):
        """As /metrics shows it: {(name, labels): number}"""
        labels = tuple(self.labels.items())
        if not self.is_histogram:
            return {(self.name + ("_total" if self.kind == "sum" else ""), labels): self.value}
        found, below = {}, 0
        for bound, count in zip(["%.10g" % b for b in self.point.explicit_bounds] + ["+Inf"], self.point.bucket_counts):
            below += count
            found[self.name + "_bucket", labels + (("le", bound),)] = below
        found[self.name + "_sum", labels] = self.point.sum
        found[self.name + "_count", labels] = self.point.count
        return found


class Record:
    def __init__(self, packed):
        r = message("otlp.LogRecord").FromString(packed)
        self.text, self.level, self.at = r.body.string_value, SEVERITIES[r.severity_number], r.time_unix_nano
        self.trace, self.span, self.said = r.trace_id.hex(), r.span_id.hex(), attributes(r.attributes)


class Collector(Traced):
    """Takes all three."""

    def __init__(self, address="127.0.0.1:0"):
        super().__init__(address)
        for path in (TRACES, METRICS, LOGS):
            self.on(path, lambda call: b"")

    def items(self, path):
        with self.lock:
            calls = [c for c in self.calls if c.method == path]
        for call in calls:
            for by in message("otlp.ExportRequest").FromString(call.request).resource_items:
                assert attributes(by.resource.attributes)["service.name"] == "sagad"
                for scope in by.scope_items:
                    yield from scope.items

    def count(self, path):
        with self.lock:
            return sum(c.method == path for c in self.calls)

    def points(self):
        for item in self.items(METRICS):
            metric = message("otlp.Metric").FromString(item)
            kind = metric.WhichOneof("data")
            for packed in getattr(metric, kind).data_points:
                yield Point(metric, packed)

    def last(self):
        """{(name, labels): point}, each as it was told last."""
        return {(p.name, tuple(p.labels.items())): p for p in self.points()}

    def records(self):
        return [Record(packed) for packed in self.items(LOGS)]


class Told(Case):
    """Counters that nothing moves any more are in the next telling what /metrics says."""
    MOVING = ("process_", "sagad_otlp_", "sagad_metrics_", "sagad_gauges_", "sagad_clock_difference", "sagad_journal_", "sagad_oldest", "sagad_synthetic_last",
              "sagad_commit_", "sagad_slo_burn", "sagad_slo_events", "sagad_target_unreachable")

    def setUp(self):
        self.collector = Collector()
        self.addCleanup(self.collector.stop)

    def start(self, address=None, **options):
        options = {"targets": {"shop": self.shop.address}, "otlp_endpoint": address or self.collector.address, "http_listen": "127.0.0.1:0",
                   "otlp_metrics_interval": "200ms", "otlp_logs": True, **options}
        sidecar = Sidecar(**options)
        self.addCleanup(sidecar.close)
        return sidecar

    def numbers(self, sidecar):
        return samples(get(sidecar, "/metrics")[2])

    def lost(self, sidecar, signal, what="lost"):
        return self.numbers(sidecar).get(("sagad_otlp_%s_total" % what, (("signal", signal),)), 0)

    def await_telling(self, path=METRICS, more=2):
        """One that began after now has ended."""
        before = self.collector.count(path)
        wait_until(lambda: self.collector.count(path) >= before + more, "it is told anew")


class Metrics(Told):
    def settled(self, numbers):
        return {k: v for k, v in numbers.items() if not k[0].startswith(self.MOVING)}

    def test_they_are_what_the_page_says(self):
        sidecar = self.start(loops=2, objectives={"told": {"success": 99}})
        self.shop.on(do("b"), lambda call: fail(grpc.StatusCode.NOT_FOUND)(call) if len(call.request) % 3 == 0 else b"")
        sidecar.client.register(definition("told", step("a"), step("b", after=["a"])))
        for i in range(20):
            sidecar.client.run("told", input=b"x" * i, traceparent="00-%s-%s-01" % (TRACE, PARENT))
        with self.assertRaises(grpc.RpcError):
            sidecar.client.Get(saga_id="000000000000-1")
        page = self.settled(self.numbers(sidecar))
        self.await_telling(more=3)
        last = self.collector.last()
        told = {}
        for point in last.values():
            told.update(point.samples())
        told = self.settled(told)
        self.assertEqual(set(page), set(told))
        for key, number in page.items():
            self.assertAlmostEqual(number, told[key], delta=1e-9 * abs(number), msg=str(key))
        self.assertIn(("sagad_sagas_ended_total", (("definition", "told"), ("state", "COMMITTED"), ("reason", ""))), told)
        duration = last["sagad_saga_duration_seconds", (("definition", "told"), ("state", "COMMITTED"))]
        self.assertEqual("s", duration.unit)
        self.assertEqual({TRACE}, {e.trace_id.hex() for e in duration.point.exemplars})
        self.assertIn("process_cpu_seconds", {name for name, _ in last})

    def test_what_a_counter_means_over_a_restart(self):
        sidecar = self.start(objectives={"again": {"success": 99}})
        key, kept = ("sagad_sagas_started", (("definition", "again"), ("mode", "orchestrated"))), ("sagad_slo_events", (("definition", "again"), ("objective", "success")))
        sidecar.client.register(definition("again", step("r")))
        sidecar.client.run("again")
        sidecar.client.run("again")
        first = wait_until(lambda: [p for p in [self.collector.last().get(key)] if p and p.value == 2], "it is told")[0]
        wait_until(lambda: [p for p in [self.collector.last().get(kept)] if p and p.value == 2], "it is told")
        sidecar.kill()
        killed = self.collector.count(METRICS)
        sidecar.start()
        sidecar.client.run("again")
        second = wait_until(lambda: [p for p in [self.collector.last().get(key)] if p and p.began > first.began], "it is told")[0]
        self.assertEqual(1, second.value)
        self.assertLess(first.at, second.began)
        self.assertGreater(self.collector.count(METRICS), killed)
        slo = wait_until(lambda: [p for p in [self.collector.last().get(kept)] if p and p.at > second.began], "it is told")[0]
        self.assertEqual(0, slo.began)  # nobody knows: it goes on from what is kept
        self.assertLess(0, slo.value)

    def test_without_a_page(self):
        sidecar = self.start(http_listen="")
        sidecar.client.register(definition("pushed", step("p")))
        sidecar.client.run("pushed")
        wait_until(lambda: [p for p in self.collector.points() if p.name == "sagad_sagas_started" and p.value == 1], "it is told")

    def test_the_last_numbers_are_told_at_the_end(self):
        sidecar = self.start(otlp_metrics_interval="1h")
        sidecar.client.register(definition("ending", step("e")))
        for _ in range(3):
            sidecar.client.run("ending")
        self.assertEqual([], list(self.collector.points()))
        sidecar.terminate()
        self.assertEqual(0, sidecar.await_exit())
        last = self.collector.last()
        self.assertEqual(3, last["sagad_sagas_started", (("definition", "ending"), ("mode", "orchestrated"))].value)
        self.assertLessEqual(3, last["sagad_sagas_ended", (("definition", "ending"), ("state", "COMMITTED"), ("reason", ""))].value)


class Logs(Told):
    def test_they_are_what_the_log_says(self):
        sidecar = self.start(log_level="debug")
        self.shop.on(do("l"), fail(grpc.StatusCode.NOT_FOUND, "no \x1b[31mbed"))
        sidecar.client.register(definition("logged", step("k"), step("l", after=["k"])))
        saga = sidecar.client.run("logged", traceparent="00-%s-%s-01" % (TRACE, PARENT))
        own = sidecar.client.run("logged")
        names = {"saga": "saga.id", "definition": "saga.definition", "step": "saga.step", "attempt": "saga.attempt", "target": "saga.target", "reason": "saga.reason",
                 "state": "saga.state"}
        wait_until(lambda: [r for r in self.collector.records() if r.text == "saga ended" and r.said["saga.id"] == own.id], "its end is told")
        wait_until(lambda: [l for l in sidecar.log("saga ended") if l["saga"] == own.id], "the log says it")
        lines = [l for l in sidecar.log() if l.get("saga") in (saga.id, own.id)]
        records = [r for r in self.collector.records() if r.said.get("saga.id") in (saga.id, own.id)]
        self.assertEqual(len(lines), len(records))
        for line, r in zip(lines, records):
            self.assertEqual((line["msg"], line["level"]), (r.text, r.level))
            self.assertEqual((line["trace_id"], line["span_id"]), (r.trace, r.span))
            told = {k: str(v) for k, v in r.said.items() if k != "text"}
            self.assertEqual({names.get(k, k): v for k, v in line.items() if k not in ("time", "level", "msg", "trace_id", "span_id", "text")}, told)
        self.assertIn("no \x1b[31mbed", {r.said.get("text") for r in records})
        # A line leads to the span that it is of, and a saga that came without a trace has one of its own.
        spans = {s.id: s for s in self.collector.whole(own.id) + self.collector.whole(saga.id)}
        self.assertEqual({r.trace for r in records}, {s.trace for s in spans.values()})
        self.assertIn(TRACE, {r.trace for r in records})
        for r in records:
            self.assertEqual(r.said["saga.id"], spans[r.span].said["saga.id"])
        refused = [r for r in records if r.said.get("status") == "NOT_FOUND" and r.said["saga.id"] == own.id][0]
        self.assertEqual((do("l")[1:], 1), (spans[refused.span].name, spans[refused.span].said["saga.attempt"]))

    def test_the_start_is_told_and_what_nobody_wants_is_not(self):
        sidecar = self.start()
        sidecar.client.register(definition("quiet", step("q")))
        saga = sidecar.client.run("quiet")
        texts = wait_until(lambda: [r.text for r in self.collector.records() if r.text == "ready"] and [r.text for r in self.collector.records()], "it is told")
        self.assertIn("listening for probes and scrapes", texts)
        self.assertEqual([], [r for r in self.collector.records() if r.said.get("saga.id") == saga.id])

    def test_off_by_default(self):
        sidecar = self.start(otlp_logs=False, otlp_metrics_interval="0s")
        sidecar.client.register(definition("off", step("o")))
        self.collector.whole(sidecar.client.run("off").id)
        self.assertEqual((0, 0), (self.collector.count(METRICS), self.collector.count(LOGS)))


class Away(Told):
    """A collector that is away, hangs, refuses, or takes a part."""

    def test_what_it_logs_of_the_collector_does_not_go_there(self):
        self.collector.on(METRICS, fail(grpc.StatusCode.UNIMPLEMENTED, "no metrics here"))
        sidecar = self.start()
        said = "metrics cannot be sent: the next are tried when they are due"
        line = wait_until(lambda: sidecar.log(said), "it is told")[0]
        self.assertEqual(("UNIMPLEMENTED", "no metrics here"), (line["status"], line["text"]))
        self.await_telling()
        sidecar.terminate()
        self.assertEqual(0, sidecar.await_exit())
        self.assertEqual(1, len(sidecar.log(said)))
        self.assertIn("ready", {r.text for r in self.collector.records()})
        self.assertEqual([], [r.text for r in self.collector.records() if "sent" in r.text])

    def test_metrics_that_hang_hold_up_neither_traces_nor_logs(self):
        gate = Gate()
        self.addCleanup(gate.open)
        self.collector.on(METRICS, gate)
        sidecar = self.start()
        sidecar.client.register(definition("hang", step("h")))
        gate.await_call()
        saga = sidecar.client.run("hang")
        self.assertState("COMMITTED", saga)
        self.collector.whole(saga.id)
        wait_until(lambda: [r for r in self.collector.records() if r.text == "ready"], "the log is sent")

    def test_all_that_hang_cost_no_saga_and_end_with_it(self):
        gates = [Gate(), Gate(), Gate()]
        for path, gate in zip((TRACES, METRICS, LOGS), gates):
            self.collector.on(path, gate)
            self.addCleanup(gate.open)
        sidecar = self.start(log_level="debug")
        sidecar.client.register(definition("hangs", step("h")))
        sidecar.client.run("hangs")
        for gate in gates:
            gate.await_call()
        for _ in range(50):
            self.assertState("COMMITTED", sidecar.client.run("hangs"))
        wait_until(lambda: len({l["saga"] for l in sidecar.log("saga ended")}) == 51, "the log says it all")
        sidecar.terminate()
        self.assertEqual(0, sidecar.await_exit())

    def test_what_finds_no_room_is_counted_and_the_log_goes_on(self):
        gate = Gate()
        self.collector.on(LOGS, gate)
        self.addCleanup(gate.open)
        sidecar = self.start(log_level="debug", traces_percent=0)
        gate.await_call()
        sagas = set()
        while not self.lost(sidecar, "logs"):
            sagas.add(sidecar.client.Begin(name="flood", enlist=[enlistment("s%02d" % i) for i in range(60)]).saga_id)
            self.assertLess(len(sagas), 1000)
        wait_until(lambda: sagas <= {l["saga"] for l in sidecar.log("saga started")}, "the log says it all")
        gate.open()
        wait_until(lambda: self.lost(sidecar, "logs", "sent") > 1000, "what was kept is sent")

    def test_one_that_comes_later_gets_what_was_kept(self):
        path = "unix:%s/otlp.sock" % self.sidecar.directory
        sidecar = self.start(address=path)
        wait_until(lambda: self.lost(sidecar, "metrics"), "it is counted")
        wait_until(lambda: sidecar.log("logs cannot be sent: what comes is kept as far as there is room, then dropped"), "it is told")
        self.assertEqual(0, self.lost(sidecar, "logs"))
        late = Collector(path)
        self.addCleanup(late.stop)
        wait_until(lambda: [r for r in late.records() if r.text == "ready"], "the log is sent")
        wait_until(lambda: sidecar.log("metrics are sent again"), "it is told")
        wait_until(lambda: late.last(), "metrics are sent")

    def test_what_is_taken_in_part_is_counted(self):
        answer = message("otlp.ExportResponse")()
        answer.partial_success.rejected, answer.partial_success.error_message = 3, "too \x1b[31mold"
        self.collector.on(METRICS, lambda call: answer.SerializeToString())
        self.collector.on(LOGS, lambda call: b"\xff\xff no answer")
        sidecar = self.start()
        line = wait_until(lambda: sidecar.log("the collector did not take all metrics"), "it is told")[0]
        self.assertEqual("3", line["not_taken"])
        self.await_telling()
        self.assertEqual(0, self.lost(sidecar, "metrics") % 3)
        self.assertLess(3, self.lost(sidecar, "metrics"))
        self.assertLess(0, self.lost(sidecar, "metrics", "sent"))
        wait_until(lambda: self.lost(sidecar, "logs", "sent"), "what is no answer counts as one")
        self.assertEqual(1, len(sidecar.log("the collector did not take all metrics")))

    def test_they_need_a_collector(self):
        for option in ({"otlp_metrics_interval": "10s"}, {"otlp_logs": True}):
            sidecar = Sidecar(start=False, **option)
            self.addCleanup(sidecar.close)
            code, said = sidecar.refuse()
            self.assertEqual(2, code)
            self.assertIn("%s: needs otlp_endpoint" % next(iter(option)), said)
