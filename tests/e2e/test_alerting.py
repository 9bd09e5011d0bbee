"""A dead letter is an alert of the shipped rules, which a real Prometheus raises and a real Alertmanager hands on to a webhook."""
import http.server
import json
import os
import queue
import subprocess
import tempfile
import threading

import grpc

from harness import PATIENCE_S, ROOT, Case, definition, do, fail, free_port, step, undo
from test_watching import TOOLS, port_of

RULES = os.path.join(ROOT, "deploy/prometheus/sagad.rules.yaml")


class Webhook:
    """Keeps every alert that it is told of."""

    def __init__(self):
        alerts = self.alerts = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                    alerts.put(alert)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *said):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Alertmanager(Case):
    options = {"http_listen": "127.0.0.1:0"}

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return path

    def run_tool(self, name, *words):
        process = subprocess.Popen([os.path.join(TOOLS, name), "--log.level=error", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_a_dead_letter_reaches_a_webhook_with_what_to_do(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = folder.name
        webhook, port = Webhook(), free_port()
        self.addCleanup(webhook.stop)
        self.run_tool("prometheus-alertmanager", "--config.file=" + self.file("alertmanager.yml", {
            "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": webhook.url}]}]}),
            "--storage.path=" + os.path.join(self.directory, "alerts"), "--web.listen-address=127.0.0.1:%d" % port, "--cluster.listen-address=")
        self.run_tool("prometheus", "--config.file=" + self.file("prometheus.yml", {
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms",
                       "external_labels": {"runbooks_sagad": "https://runbooks.example"}}, "rule_files": [RULES],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:%d" % port]}]}]},
            "scrape_configs": [{"job_name": "sagad", "static_configs": [{"targets": ["127.0.0.1:%d" % port_of(self.sidecar)]}]}]}),
            "--storage.tsdb.path=" + os.path.join(self.directory, "data"), "--web.listen-address=127.0.0.1:%d" % free_port(),
            "--alertmanager.notification-queue-capacity=100")
        self.client.register(definition("letter", "name: a, target: shop, action: %s, compensation: {method: %s, retry: {maxAttempts: 1}}" %
                                        (do("a"), undo("a")), step("b", after=["a"])))
        self.shop.on(do("b"), fail(grpc.StatusCode.NOT_FOUND))
        self.shop.on(undo("a"), fail(grpc.StatusCode.INTERNAL, "locked"))
        self.client.stuck(self.client.Start(definition="letter").saga_id)
        alert = webhook.alerts.get(timeout=PATIENCE_S)
        self.assertEqual("firing", alert["status"])
        self.assertEqual({"alertname": "SagadDeadLetters", "severity": "ticket", "definition": "letter", "step": "a", "reason": "COMPENSATION_FAILED",
                          "runbooks_sagad": "https://runbooks.example", "instance": "127.0.0.1:%d" % port_of(self.sidecar)}, alert["labels"])
        said = alert["annotations"]
        self.assertEqual("letter: sagas are stuck at step a (COMPENSATION_FAILED, 1 in ten minutes)", said["summary"])
        self.assertEqual("sagactl runbook SagadDeadLetters", said["runbook"])
        self.assertEqual("https://runbooks.example/SagadDeadLetters", said["runbook_url"])
