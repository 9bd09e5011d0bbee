"""A real OpenTelemetry Collector takes the traces, metrics and logs of a sidecar, and has understood them: what it prints of them is looked at. Not a
part of scripts/test: the Collector is built from Go's modules.

    collector.py PROGRAM      as `make otel-collector` has built it; ends with one line of counts
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import Participant, Sidecar, definition, free_port, step, wait_until  # noqa: E402
from test_watching import get, samples  # noqa: E402

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    def __init__(self, folder):
        self.port, self.path = free_port(), os.path.join(folder, "said")
        config = os.path.join(folder, "collector.yaml")
        with open(config, "w") as f:
            f.write("""
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:%d"}}}}
exporters: {debug: {verbosity: detailed, use_internal_logger: false}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [debug]}
    metrics: {receivers: [otlp], exporters: [debug]}
    logs: {receivers: [otlp], exporters: [debug]}
""" % self.port)
        with open(self.path, "w") as out:
            self.process = subprocess.Popen([sys.argv[1], "--config", config], stdout=out, stderr=subprocess.STDOUT)

    def said(self):
        with open(self.path) as f:
            return f.read()

    def blocks(self, head):
        """What it printed of each item whose first line begins so."""
        return [b + "\n" for b in re.split(r"\n(?=Span #|Metric #|LogRecord #|Resource\w+ #)", self.said()) if b.startswith(head)]


def main():
    counts = {"spans": 0, "data points": 0, "records": 0}
    with tempfile.TemporaryDirectory() as folder:
        collector, shop = Collector(folder), Participant()
        sidecar = None
        try:
            wait_until(lambda: "Everything is ready" in collector.said(), "the collector has begun")
            sidecar = Sidecar(targets={"shop": shop.address}, otlp_endpoint="127.0.0.1:%d" % collector.port, otlp_metrics_interval="500ms", otlp_logs=True,
                              log_level="debug", http_listen="127.0.0.1:0")
            sidecar.client.register(definition("seen", step("a"), step("b", after=["a"])))
            for _ in range(10):
                saga = sidecar.client.run("seen", traceparent="00-%s-%s-01" % (TRACE, PARENT))
            started = "sagad_sagas_started_total", (("definition", "seen"), ("mode", "orchestrated"))
            assert samples(get(sidecar, "/metrics")[2])[started] == 10
            wait_until(lambda: any("sagad_sagas_started\n" in b and "Value: 10\n" in b for b in collector.blocks("Metric #")), "the counter came")
            wait_until(lambda: any("saga ended" in b and saga.id in b for b in collector.blocks("LogRecord #")), "the log came")
            wait_until(lambda: any("-> saga.state: Str(COMMITTED)" in b and saga.id in b for b in collector.blocks("Span #")), "the spans came")
            check(collector, saga, counts)
            sidecar.terminate()
            assert sidecar.await_exit() == 0
            refused = [line for line in sidecar.log() if "cannot be sent" in line["msg"] or "did not take" in line["msg"]]
            assert not refused, refused
        except AssertionError:
            print(collector.said()[-4000:], file=sys.stderr)
            raise
        finally:
            if sidecar is not None:
                sidecar.close()
            collector.process.kill()
            collector.process.wait()
            shop.stop()
    print("otel-collector: %s understood as they were meant" % ", ".join("%d %s" % (n, what) for what, n in counts.items()))


def has(block, *lines):
    for line in lines:
        assert re.search(r"^ *%s$" % line, block, re.M), "no line %s in:\n%s" % (line, block)


def check(collector, saga, counts):
    said = collector.said()
    has(said, r"-> service\.name: Str\(sagad\)", r"InstrumentationScope sagad \d+\.\d+\.\d+")
    spans = [b for b in collector.blocks("Span #") if saga.id in b]
    root = [b for b in spans if "saga.state" in b][0]
    has(root, r"Trace ID +: " + TRACE, r"Parent ID +: " + PARENT, r"Name +: seen", r"Kind +: Internal")
    ids = {re.search(r"^ *ID +: (\w+)$", b, re.M).group(1) for b in spans}
    assert len(ids) == len(spans) == 5, spans
    counts["spans"] = len(collector.blocks("Span #"))
    metrics = collector.blocks("Metric #")
    counter = [b for b in metrics if "sagad_sagas_started\n" in b][-1]
    has(counter, r"-> DataType: Sum", r"-> IsMonotonic: true", r"-> AggregationTemporality: Cumulative", r"-> definition: Str\(seen\)", r"Value: 10")
    histogram = [b for b in metrics if "sagad_saga_duration_seconds\n" in b][-1]
    has(histogram, r"-> DataType: Histogram", r"-> Unit: s", r"-> AggregationTemporality: Cumulative", r"Count: 10", r"ExplicitBounds #17: 7200\.000000",
        r"-> Trace ID: " + TRACE)
    assert not re.search(r"StartTimestamp: 1970", histogram), histogram
    gauge = [b for b in metrics if "sagad_sagas_live_max\n" in b][-1]
    has(gauge, r"-> DataType: Gauge")
    counts["data points"] = len(re.findall(r"DataPoints #", said))
    records = [b for b in collector.blocks("LogRecord #") if saga.id in b]
    ended = [b for b in records if "Body: Str(saga ended)" in b][0]
    has(ended, r"SeverityText: DEBUG", r"SeverityNumber: Debug\(5\)", r"Trace ID: " + TRACE, r"-> saga\.definition: Str\(seen\)", r"Flags: 1")
    for record in records:
        assert re.search(r"^Span ID: (\w+)$", record, re.M).group(1) in ids, record
    counts["records"] = len(collector.blocks("LogRecord #"))


main()
