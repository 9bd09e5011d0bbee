"""Drills: faults that are injected on purpose, marked in the timeline, and a scenario that says what must hold all the same."""
import os
import shutil
import subprocess
import tempfile
import time

import grpc

from harness import QUICK, SAGAD, Case, Sidecar, definition, do, enum, enum_name, seconds, state_name, undo, wait_until

Code = grpc.StatusCode
SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
KINDS = {name: enum("FaultKind", "FAULT_KIND_" + name) for name in ("DELAY", "ABORT", "DROP_REQUEST", "DROP_ANSWER", "DUPLICATE", "REORDER")}
ONE = "name: a, target: shop, action: {method: %s, timeout: 5s, %s}, compensation: {method: %s, timeout: 5s, %s}" % (
    do("a"), QUICK % 5, undo("a"), QUICK % 50)


class Drills(Case):
    def setUp(self):
        super().setUp()
        with self.shop.lock:
            self.shop.calls.clear()
        self.folder = tempfile.mkdtemp(prefix="saga-drill-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.sidecar = Sidecar(targets={"shop": self.shop.address, "other": self.shop.address}, fault_injection=True,
                               listen=["unix:%s/sock" % self.folder])
        self.client = self.sidecar.client
        self.client.register(definition("one", ONE))
        self.client.register(definition("two", ONE, "name: b, after: [a], target: other, action: %s, compensation: none" % do("b")))

    def tearDown(self):
        self.sidecar.close()

    def inject(self, **fault):
        fault = dict({"target": "shop", "lasts": seconds(60)}, **fault)
        fault["kind"] = KINDS[fault["kind"]]
        self.client.operator.InjectFaults(faults=[fault], actor="ops", reason="a drill")

    def struck(self, saga_id):
        return [(e.step, enum_name("FaultKind", e.fault)[len("FAULT_KIND_"):]) for e in self.client.Get(saga_id=saga_id).timeline if e.fault]

    def test_each_kind_does_what_it_says_and_is_marked(self):
        self.inject(kind="ABORT", status=Code.NOT_FOUND.value[0])
        saga = self.client.run("one")
        self.assertEqual(("COMPENSATED", [], [("a", "ABORT")]), (state_name(saga), self.shop.of(saga.id), self.struck(saga.id)))
        self.assertIn("a drill aborted the call", self.client.saga(saga.id).steps[0].last_message)
        self.inject(kind="DELAY", delay={"nanos": 300000000})
        began = time.monotonic()
        saga = self.client.run("one")
        self.assertGreater(time.monotonic() - began, 0.29)
        self.assertEqual(("COMMITTED", [("a", "DELAY")]), (state_name(saga), self.struck(saga.id)))
        self.inject(kind="DROP_ANSWER", calls=enum("FaultCalls", "FAULT_CALLS_ACTIONS"))
        saga = self.client.run("one")
        # It was carried out each time, and nobody knew: it is undone.
        self.assertEqual("COMPENSATED", state_name(saga))
        self.assertEqual([("action", 5), ("compensation", 1)], [(p, len(self.shop.of(saga.id, phase=p))) for p in ("action", "compensation")])
        self.inject(kind="DUPLICATE")
        saga = self.client.run("one")
        self.assertEqual("COMMITTED", state_name(saga))
        self.assertEqual(2, len(self.shop.of(saga.id)))
        self.assertEqual(1, len({c.metadata["idempotency-key"] for c in self.shop.of(saga.id)}))
        self.client.register(definition("short", "name: a, target: shop, action: {method: %s, timeout: 200ms, retry: {maxAttempts: 1}}, compensation: none"
                                        % do("a")))
        self.inject(kind="DROP_REQUEST")
        saga = self.client.run("short")
        self.assertEqual(("COMPENSATED", 0), (state_name(saga), len(self.shop.of(saga.id))))
        self.assertEqual("DEADLINE_EXCEEDED", Code(next(c.value for c in Code if c.value[0] == self.client.saga(saga.id).steps[0].last_status)).name)
        self.inject(kind="REORDER", delay=seconds(50))
        self.client.register(definition("held", ONE.replace("timeout: 5s", "timeout: 1m")))
        first = self.client.Start(definition="held").saga_id
        wait_until(lambda: self.struck(first) == [("a", "REORDER")], "the first is held")
        self.assertEqual([], self.shop.of(first))
        self.client.operator.InjectFaults(actor="ops", reason="that was it")
        second = self.client.run("one")
        self.assertEqual("COMMITTED", state_name(self.client.end(first)))
        # It was let go by the call after it, and the two are on their way together: which is there first, nobody can say.
        self.assertEqual({first, second.id}, {c.metadata["saga-id"] for c in self.shop.calls[-2:]})

    def test_only_what_is_named_and_only_for_its_time(self):
        self.inject(kind="ABORT", status=Code.NOT_FOUND.value[0], definition="two")
        self.assertEqual("COMMITTED", state_name(self.client.run("one")))
        self.assertEqual("COMPENSATED", state_name(self.client.run("two")))
        self.assertEqual(["two"], [f.definition for f in self.client.operator.ListFaults().faults])
        self.assertIn("of 100 % of all calls to shop of two", self.ctl("drill")[1])
        self.inject(kind="ABORT", status=Code.NOT_FOUND.value[0], definition="two", lasts=seconds(0.2))
        wait_until(lambda: not self.client.operator.ListFaults().faults, "its time is over")
        self.assertEqual("COMMITTED", state_name(self.client.run("two")))

    def test_by_configuration(self):
        """From the start on, and for no longer than it says; what is wrong is refused by name, before anything begins."""
        self.sidecar.close()
        fault = {"kind": "abort", "target": "shop", "definition": "one", "status": "NOT_FOUND", "for": "1h"}
        self.sidecar = Sidecar(targets={"shop": self.shop.address, "other": self.shop.address}, fault_injection=True,
                               faults=[fault, {"kind": "delay", "delay": "1ms", "percent": 0.5, "calls": "compensations", "for": "1ms"}])
        self.client = self.sidecar.client
        self.client.register(definition("one", ONE))
        self.client.register(definition("two", ONE))
        self.assertEqual([("COMPENSATED", [("a", "ABORT")]), ("COMMITTED", [])],
                         [(state_name(saga), self.struck(saga.id)) for saga in (self.client.run("one"), self.client.run("two"))])
        wait_until(lambda: len(self.client.operator.ListFaults().faults) == 1, "the second one is over")
        self.assertEqual((KINDS["ABORT"], "shop", "one", 5), [(f.kind, f.target, f.definition, f.status) for f in self.client.operator.ListFaults().faults][0])
        # Others take their place, and none ends them.
        self.client.operator.InjectFaults(faults=[], actor="ops", reason="enough")
        self.assertEqual("COMMITTED", state_name(self.client.run("one")))
        # It begins anew with the process.
        self.sidecar.kill()
        self.sidecar.start()
        self.client = self.sidecar.client
        self.assertEqual("COMPENSATED", state_name(self.client.run("one")))
        config = os.path.join(self.folder, "sagad.yaml")
        for text, words in (("faults: [{kind: drop-answer, for: 1m}]", "fault_injection: true"),
                            ("fault_injection: true\nfaults: [{kind: abbort, for: 1m}]", "did you mean abort?"),
                            ("fault_injection: true\ntargets: {shop: localhost:1}\nfaults: [{kind: drop-answer, target: shopp, for: 1m}]", "did you mean shop?"),
                            ("fault_injection: true\nfaults: [{kind: drop-answer, for: 2h}]", "1h"),
                            ("fault_injection: true\nfaults: [{kind: drop-answer}]", "for"),
                            ("fault_injection: true\nfaults: [{kind: abort, for: 1m}]", "UNAVAILABLE"),
                            ("fault_injection: true\nfaults: [{kind: delay, for: 1m}]", "needs delay"),
                            ("fault_injection: true\nfaults: [{kind: duplicate, percent: 200, for: 1m}]", "100")):
            with open(config, "w") as file:
                file.write(text + "\n")
            done = subprocess.run([SAGAD, "-n", "-f", config], capture_output=True, text=True, timeout=30)
            self.assertEqual((True, True), (done.returncode != 0, "faults" in done.stderr and words in done.stderr), (text, done.stderr))

    def test_faults_are_shown_as_they_were_injected(self):
        message_of = lambda **fields: dict({"target": "shop", "definition": "two", "tag": "tenant", "tag_value": "acme", "lasts": seconds(60)}, **fields)
        asked = [message_of(kind=KINDS["DELAY"], percent=0.1, delay=seconds(2), calls=1), message_of(kind=KINDS["ABORT"], percent=12.5, status=14, calls=2),
                 message_of(kind=KINDS["DUPLICATE"], percent=99.9), message_of(kind=KINDS["REORDER"], delay=seconds(1))]
        self.client.operator.InjectFaults(actor="ops", reason="x", faults=asked)
        shown = self.client.operator.ListFaults().faults
        self.client.operator.InjectFaults(actor="ops", reason="enough")
        self.assertEqual([0.1, 12.5, 99.9, 100], [f.percent for f in shown])
        for fault, said in zip(asked, shown):
            for field in ("kind", "target", "definition", "tag", "tag_value", "calls", "status"):
                self.assertEqual(fault.get(field, 0), getattr(said, field), field)
            self.assertEqual(fault.get("delay", {"seconds": 0})["seconds"], said.delay.seconds)

    def test_refused(self):
        ask = self.client.operator.InjectFaults
        good = {"kind": KINDS["DELAY"], "delay": seconds(1), "lasts": seconds(1)}
        for change, field in (({"kind": 9}, "kind"), ({"delay": seconds(7200)}, "delay"), ({"lasts": seconds(7200)}, "lasts"), ({"status": 3}, "status"),
                              ({"percent": 101.0}, "percent"), ({"target": "x" * 65}, "target"), ({"tag_value": "x"}, "tag")):
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, faults=[dict(good, **change)], actor="ops", reason="x", field="faults[0]." + field)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, faults=[good] * 33, actor="ops", reason="x", field="faults")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, faults=[good], reason="x", field="actor")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", ask, faults=[good], actor="ops", field="reason")
        plain = Sidecar(targets={"shop": self.shop.address})
        try:
            self.refused("FAILED_PRECONDITION", "FAULT_INJECTION_OFF", plain.client.operator.InjectFaults, faults=[good], actor="ops", reason="x")
        finally:
            plain.close()

    # ---- sagactl drill ----

    def ctl(self, *words):
        done = subprocess.run([SAGACTL, "-a", self.sidecar.address] + list(words), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def drill(self, text, *words):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            return self.ctl("drill", f.name, *words)

    def test_a_scenario(self):
        code, out, err = self.drill("""
name: the shop is shaky
steps:
  - faults: [{kind: abort, target: shop, status: UNAVAILABLE, percent: 30, for: 1m}, {kind: duplicate, percent: 30, for: 1m}]
  - start: {definition: two, count: 30, input: x}
  - wait: 30s
  - faults: []
  - expect: state == COMMITTED || state == COMPENSATED
""")
        self.assertEqual((0, ""), (code, err), out)
        self.assertIn("2 faults injected\\n30 sagas of two started\\nall of the 30 sagas have ended, or need a person\\nno more faults\\nholds of all 30 sagas",
                      out.replace("\n", "\\n"))
        self.assertTrue(any(self.struck(s.id) for s in self.client.List().sagas))

    def test_what_does_not_hold_ends_it_and_its_faults(self):
        code, out, err = self.drill("""
steps:
  - faults: [{kind: abort, target: shop, status: NOT_FOUND, for: 1m}]
  - start: {definition: one}
  - wait: 20s
  - expect: state == COMMITTED
""")
        self.assertEqual(1, code)
        self.assertIn("of 1 of the 1 sagas this does not hold: state == COMMITTED", err)
        self.assertEqual(0, len(self.client.operator.ListFaults().faults))
        for text, said in (("steps: [{kill: true}]", "kill needs --kill"), ("steps: [{explode: 1}]", "is not a name that can stand here"),
                           ("steps: [{faults: [{kind: delay}]}]", "for"), ("steps: [{faults: [{kind: melt, for: 1s}]}]", "kind")):
            code, _, err = self.drill(text)
            self.assertEqual(2, code, err)
            self.assertIn(said, err)

    def test_all_pages_of_many_are_judged(self):
        """A page has a thousand: what does not hold is in the last of them, and is counted."""
        code, out, err = self.drill("""
steps:
  - start: {definition: one, count: 1001}
  - wait: 60s
  - expect: state == COMMITTED
  - expect: state != COMMITTED
""")
        self.assertEqual(1, code, out)
        self.assertIn("holds of all 1001 sagas: state == COMMITTED", out)
        self.assertIn("of 1001 of the 1001 sagas this does not hold", err)

    def test_killed_on_the_way(self):
        """kill -9 of the sidecar in the middle: whoever is told how starts it again, and everything comes to its end."""
        flag = os.path.join(self.sidecar.directory, "killed")
        text = """
steps:
  - faults: [{kind: delay, target: shop, delay: 300ms, for: 1m}]
  - start: {definition: two, count: 20}
  - kill: true
  - wait: 30s
  - expect: state == COMMITTED || state == COMPENSATED
"""
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()
            command = "kill -9 %d; while [ ! -e %s ]; do sleep 0.05; done" % (self.sidecar.process.pid, flag)
            drill = subprocess.Popen([SAGACTL, "-a", self.sidecar.address, "drill", f.name, "--kill", command], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
            self.sidecar.process.wait(timeout=30)
            self.sidecar.start()
            open(flag, "w").close()
            out, err = drill.communicate(timeout=60)
        self.assertEqual((0, ""), (drill.returncode, err), out)
        self.assertIn("holds of all 20 sagas", out)
