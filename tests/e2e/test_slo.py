"""Objectives: what is counted, that a crash forgets nothing, and what is made of it."""
import os
import subprocess
import tempfile
import time

import grpc

from harness import (PATIENCE_S, QUICK, ROOT, Case, Sidecar, definition, do, enum, fail, step, wait_until)
from test_watching import TOOLS, get, samples

Code = grpc.StatusCode
SAGACTL = os.environ.get("SAGACTL", os.path.join(ROOT, "build/release/sagactl"))
SUCCESS, LATENCY, FRESHNESS = (enum("ObjectiveKind", "OBJECTIVE_KIND_" + n) for n in ("SUCCESS", "LATENCY", "FRESHNESS"))


class Objectives(Case):
    options = {"http_listen": "127.0.0.1:0",
               "objectives": {"paid": {"success": 99, "latency": "3s", "latency_percent": 90, "freshness": "1s", "freshness_percent": 99.9, "window": "24h"},
                              "quiet": {"success": 99.999}, "stale": {"freshness": "1s", "freshness_percent": 99.9}}}

    def counts(self):
        """{(definition, kind): (all, bad)} of all loops, and of the windows, which all began after this sidecar did."""
        found = {}
        for o in self.sidecar.client.operator.ListObjectives().objectives:
            key = o.definition, o.kind
            found[key] = tuple(x + y for x, y in zip(found.get(key, (0, 0)), (o.all, o.bad)))
            self.assertEqual({(o.all, o.bad)}, {(w.all, w.bad) for w in o.windows if w.window.seconds > 3600})
        return found

    def numbers(self):
        return {(name, dict(labels).get("objective")): value for (name, labels), value in samples(get(self.sidecar, "/metrics")[2]).items()
                if dict(labels).get("definition") == "paid" and "slo" in name and "window" not in dict(labels)}

    def ctl(self, *args):
        ran = subprocess.run([SAGACTL, "--address", self.sidecar.address, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             timeout=3 * PATIENCE_S, env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertEqual(0, ran.returncode, ran)
        return ran.stdout

    def test_counts_agree_and_outlive_kill(self):
        client = self.sidecar.client
        client.register(definition("paid", step("a"), step("b", after=["a"], more=QUICK % 1)))
        self.assertEqual((0, 0), self.counts()["paid", SUCCESS])

        def slow(call):
            time.sleep(3.5)
            return b""
        for _ in range(8):
            client.run("paid")
        self.shop.on(do("b"), slow)
        client.run("paid")
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        client.run("paid")
        self.shop.on(do("b"), fail(Code.UNKNOWN, "who knows"))
        client.run("paid")
        expected = {("paid", SUCCESS): (11, 1), ("paid", LATENCY): (9, 1), ("quiet", SUCCESS): (0, 0)}
        counts = self.counts()
        self.assertEqual(expected, {k: v for k, v in counts.items() if k[1] != FRESHNESS})
        self.assertGreater(counts["paid", FRESHNESS][0], 0)
        numbers = self.numbers()
        self.assertEqual((11, 1, 9, 1), tuple(numbers[n, o] for o in ("success", "latency") for n in ("sagad_slo_events_total", "sagad_slo_bad_events_total")))
        self.assertAlmostEqual(0.99, numbers["sagad_slo_promised_ratio", "success"])
        burn = samples(get(self.sidecar, "/metrics")[2])["sagad_slo_burn_rate", (("definition", "paid"), ("objective", "success"), ("window", "1h"))]
        self.assertGreaterEqual(burn, 1 / 11 / 0.01 - 0.001)  # of several loops the worst
        self.sidecar.restart("kill")
        self.assertEqual(expected, {k: v for k, v in self.counts().items() if k[1] != FRESHNESS})
        self.shop.functions.clear()
        self.sidecar.client.run("paid")
        self.assertEqual((12, 1), self.counts()["paid", SUCCESS])
        numbers = self.numbers()
        self.assertEqual((12, 1), (numbers["sagad_slo_events_total", "success"], numbers["sagad_slo_bad_events_total", "success"]))
        said = self.ctl("slo")
        self.assertRegex(said, r"(?m)^paid +success +99% +12 +1 +-733\.3% +8\.33 ")
        self.assertRegex(said, r"(?m)^paid +latency under 3s +90% +10 +1 +0\.0% +1 ")
        self.assertRegex(said, r"(?m)^quiet +success +99\.999% +0 +0 +100\.0% +0 ")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(self.ctl("slo", "rules"))
            f.flush()
            done = subprocess.run([os.path.join(TOOLS, "promtool"), "check", "rules", f.name], text=True, capture_output=True, timeout=PATIENCE_S)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            self.assertIn("SUCCESS: 55 rules found", done.stdout)

    def test_an_old_saga_is_seen(self):
        """A look comes every ten seconds; a saga that is held for longer than was promised makes one bad."""
        client = self.sidecar.client
        client.register(definition("stale", step("a")))
        before = self.counts()["stale", FRESHNESS]
        self.shop.on(do("a"), fail(Code.UNAVAILABLE, "not now"))
        saga_id = client.Start(definition="stale").saga_id
        wait_until(lambda: self.counts()["stale", FRESHNESS][1] > before[1], "a look has found it", 30)
        client.Cancel(saga_id=saga_id)
        client.end(saga_id)


class Wrong(Case):
    def test_what_is_no_promise(self):
        for objectives, words in (({"a": {"success": 49}}, "success"), ({"a": {"success": 100}}, "success"), ({"a": {}}, "promises nothing"),
                                  ({"a": {"latency": "0s"}}, "latency"), ({"a": {"succes": 99}}, "success"), ({"a b": {"success": 99}}, "name of a definition"),
                                  ({"a": {"success": 99, "window": "1h"}}, "window"), ([], "mapping")):
            sidecar = Sidecar(start=False, objectives=objectives)
            try:
                code, said = sidecar.refuse()
                self.assertEqual(2, code, said)
                self.assertIn(words, said)
            finally:
                sidecar.close()
