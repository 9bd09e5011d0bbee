"""Heartbeats: sagas that the sidecar starts by itself, told apart from real ones everywhere, and counted among none of them."""
import re
import signal
import time
import unittest

import grpc

from harness import (QUICK, Case, Gate, Sidecar, definition, do, enum, fail, state, step, undo, wait_until)
from shaking import freeze
from test_explain import Ctl
from test_watching import get, samples

Code = grpc.StatusCode
PULSE = definition("pulse", step("a", more="compensation: {method: /shop.v1.Shop/una, %s}" % (QUICK % 1), compensate=False), step("b", after=["a"], more=QUICK % 1))
KINDS = {name: enum("ObjectiveKind", "OBJECTIVE_KIND_" + name) for name in ("SUCCESS", "LATENCY", "SYNTHETIC_SUCCESS", "SYNTHETIC_LATENCY")}
# What the machine does for heartbeats as for any saga; everything else is of real sagas alone.
PHYSICAL = re.compile(r"process_|sagad_(commit_|journal_|metrics_|synthetic_|gauges_age_|target_calls_|requests_refused)")


def objectives(sidecar):
    found = {}
    for o in sidecar.client.operator.ListObjectives().objectives:
        was = found.get((o.definition, o.kind), (0, 0))
        found[o.definition, o.kind] = was[0] + o.all, was[1] + o.bad
    return found


def beats(sidecar):
    return [b for loop in sidecar.client.operator.Status().loops for b in loop.synthetics]


def real_samples(sidecar):
    """How often everything was counted, and no lengths of time: these differ with the machine's mood."""
    found = {}
    for (name, labels), value in samples(get(sidecar, "/metrics")[2]).items():
        heartbeats = dict(labels).get("objective", "").startswith("synthetic_")
        timed = name.endswith(("_seconds", "_seconds_sum", "_bucket")) or "freshness" in dict(labels).values()
        if not PHYSICAL.match(name) and not heartbeats and not timed:
            found[name, labels] = value
    return found


class NeverAmongRealOnes(Case):
    options = {"http_listen": "127.0.0.1:0", "objectives": {"pulse": {"success": 99, "latency": "5s"}}}
    heartbeats = {"pulse": {"every": "1s", "deadline": "20s", "input": "heartbeat", "success": 95, "latency": "10s"}}

    def work(self, sidecar):
        client = sidecar.client
        for i in range(3):
            client.run("pulse", input=b"customer %d" % i)
        client.run("pulse", input=b"refuse me")
        gate = Gate()
        self.shop.on(do("a"), lambda call: gate(call) if call.request == b"hold me" else b"done")
        held = client.Start(definition="pulse", input=b"hold me").saga_id
        gate.await_call()
        client.operator.Pause(saga_id=held, actor="anna")
        gate.open()
        wait_until(lambda: client.saga(held).steps[0].action == enum("ActionState", "ACTION_STATE_DONE"), "the step before the one that is held back")

    def test_every_real_metric_is_as_without(self):
        def charge(call):
            if call.request == b"refuse me":
                raise fail(Code.FAILED_PRECONDITION, "no")(call)
            return b"done"
        self.shop.on(do("b"), charge)
        with_them = Sidecar(**dict(self.options, targets={"shop": self.shop.address}, synthetics=self.heartbeats))
        self.addCleanup(with_them.close)
        for sidecar in (self.sidecar, with_them):
            sidecar.client.register(PULSE)
            self.work(sidecar)
        wait_until(lambda: sum(b.committed for b in beats(with_them)) >= 3, "three heartbeats")
        without, real = real_samples(self.sidecar), real_samples(with_them)
        self.assertEqual({}, {k: (without.get(k), real.get(k)) for k in without.keys() | real.keys() if without.get(k) != real.get(k)})
        self.assertIn(("sagad_sagas_started_total", (("definition", "pulse"), ("mode", "orchestrated"))), real)
        self.assertGreater(len(real), 20)
        mine, theirs = objectives(self.sidecar), objectives(with_them)
        for kind in ("SUCCESS", "LATENCY"):
            self.assertEqual(mine["pulse", KINDS[kind]], theirs["pulse", KINDS[kind]])
        for loop, other in zip(self.sidecar.client.operator.Status().loops, with_them.client.operator.Status().loops):
            for field in ("live", "stuck", "paused", "sagas_started", "sagas_turned_back", "attempts", "attempts_failed"):
                self.assertEqual(getattr(loop, field), getattr(other, field), field)


class Heartbeats(Ctl, Case):
    options = {"http_listen": "127.0.0.1:0",
               "synthetics": {"pulse": {"every": "1s", "deadline": "20s", "input": "heartbeat", "success": 95, "latency": "10s"}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(PULSE)

    def one(self):
        return beats(self.sidecar)[0]

    def await_success(self):
        before = self.one().committed
        wait_until(lambda: self.one().committed > before, "a heartbeat that commits")

    def test_participants_are_told(self):
        self.await_success()
        real = self.client.run("pulse", input=b"customer").id
        for call in self.shop.of(real):
            self.assertNotIn("saga-synthetic", call.metadata)
        beat = self.one()
        calls = self.shop.of(beat.last_saga)
        self.assertEqual({"true"}, {c.metadata.get("saga-synthetic") for c in calls})
        self.assertIn(b"heartbeat", {c.request for c in self.shop.of(beat.last_saga, step="a")} | {b"heartbeat"})
        self.assertTrue(self.client.saga(beat.last_saga).synthetic)
        self.assertFalse(self.client.saga(real).synthetic)

    def test_shown_apart_and_after_a_crash(self):
        self.await_success()
        real = self.client.run("pulse").id
        beat = self.client.run("pulse", synthetic=True).id
        self.sidecar.restart("kill")
        type(self).client = self.sidecar.client
        listed = {s.id: s.synthetic for s in self.client.List(where="synthetic").sagas}
        self.assertIn(beat, listed)
        self.assertEqual({True}, set(listed.values()))
        listed = {s.id: s.synthetic for s in self.client.List(where="!synthetic && state == COMMITTED").sagas}
        self.assertIn(real, listed)
        self.assertEqual({False}, set(listed.values()))
        self.assertRegex(self.ctl("list", "--where", "synthetic"), re.escape(beat) + r".*synthetic")
        self.assertIn("a heartbeat (synthetic)", self.ctl("get", beat))
        self.await_success()
        top = self.ctl("top", "--once")
        self.assertRegex(top, r"HEARTBEAT +EVERY +COMMITTED")
        self.assertRegex(top, r"\npulse +1s +\d+ +0 +\d+ ")

    def test_same_request_as_heartbeat_is_another(self):
        self.client.Start(definition="pulse", request_id="once")
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", self.client.Start, definition="pulse", request_id="once", synthetic=True)

    def test_stuck_heartbeat_is_no_real_dead_letter(self):
        self.await_success()
        count = lambda name, **labels: samples(get(self.sidecar, "/metrics")[2]).get((name, tuple(labels.items())), 0)
        objective = lambda: objectives(self.sidecar)["pulse", KINDS["SYNTHETIC_SUCCESS"]]
        bad = objective()[1]
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.UNAVAILABLE, "away"))
        wait_until(lambda: state("STUCK") == self.one().last_state, "a heartbeat that is stuck")
        stuck = self.one()
        self.assertRegex(stuck.last_trouble, r"^STUCK: COMPENSATION_FAILED ")
        wait_until(lambda: self.one().missed >= stuck.missed + 2, "no more of them while it is")
        self.assertEqual(stuck.last_saga, self.one().last_saga)
        self.assertEqual(0, count("sagad_sagas_stuck"))
        self.assertEqual(1, count("sagad_synthetic_sagas_stuck"))
        self.assertEqual(0, count("sagad_oldest_stuck_saga_age_seconds"))
        self.assertGreaterEqual(count("sagad_synthetic_missed_total", definition="pulse"), 2)
        self.assertEqual(1, count("sagad_synthetic_sagas_total", definition="pulse", state="STUCK", reason="COMPENSATION_FAILED"))
        self.assertGreaterEqual(objective()[1], bad + 2)
        self.assertIn("1 heartbeat live, 1 stuck", self.ctl("status"))
        self.assertRegex(self.ctl("slo"), r"(?m)^pulse +synthetic_success +95% ")
        self.assertIn(stuck.last_saga, [s.id for s in self.client.operator.ListDeadLetters(where="synthetic").sagas])
        self.shop.functions.clear()
        self.client.operator.Retry(saga_id=stuck.last_saga, actor="anna")
        wait_until(lambda: self.one().committed > stuck.committed, "heartbeats that go on")
        last = count("sagad_synthetic_last_success_timestamp_seconds", definition="pulse")
        self.assertAlmostEqual(self.one().last_success.seconds, last, delta=2)

    def test_it_runs_the_version_that_is_named(self):
        sidecar = Sidecar(targets={"shop": self.shop.address}, http_listen="127.0.0.1:0",
                          synthetics={"pulse": {"every": "1s", "version": "1.0.0"}, "other": {"every": "2500ms"}})
        self.addCleanup(sidecar.close)
        for version in ("1.0.0", "2.0.0"):
            sidecar.client.register(PULSE.replace("1.0.0", version))
            sidecar.client.register(PULSE.replace("1.0.0", version).replace("pulse", "other"))
        one = lambda name: next(b for b in beats(sidecar) if b.definition == name)
        for name, version in (("pulse", "1.0.0"), ("other", "2.0.0")):
            wait_until(lambda: one(name).committed, "a heartbeat that commits")
            self.assertEqual(version, sidecar.client.saga(one(name).last_saga).version)
        intervals = {dict(labels)["definition"]: value for (name, labels), value in samples(get(sidecar, "/metrics")[2]).items()
                     if name == "sagad_synthetic_interval_seconds"}
        self.assertEqual({"pulse": 1, "other": 2.5}, intervals)

    def test_it_is_never_the_oldest_that_lives(self):
        gate = Gate()
        self.shop.on(do("a"), gate)
        try:
            beat = self.client.Start(definition="pulse", synthetic=True).saga_id
            wait_until(lambda: self.shop.of(beat), "it has begun")
            real = self.client.Start(definition="pulse").saga_id
            oldest = [l.oldest_live for l in self.client.operator.Status().loops if l.HasField("oldest_live")]
            self.assertEqual([self.client.saga(real).started_at], oldest)
        finally:
            gate.open()
        for saga in (beat, real):
            self.client.end(saga)

    def test_what_a_stopped_machine_slept_through_is_not_made_up_for(self):
        self.await_success()
        begun = lambda: self.one().committed + self.one().failed + self.one().missed
        first = begun()
        freeze(self.sidecar.process.pid)
        try:
            time.sleep(6)  # that is what is tried
        finally:
            self.sidecar.process.send_signal(signal.SIGCONT)
        woken = time.monotonic()
        self.await_success()
        self.assertLessEqual(begun() - first, time.monotonic() - woken + 3)

    def test_every_loop_has_its_turn(self):
        sidecar = Sidecar(targets={"shop": self.shop.address}, loops=3, synthetics={"pulse": {"every": "1s", "input": "heartbeat"}})
        self.addCleanup(sidecar.close)
        sidecar.client.register(PULSE)
        seen = set()

        def looked():
            seen.update(int(b.last_saga.split("-")[0], 16) & 63 for b in beats(sidecar) if b.last_saga)
            return seen == {0, 1, 2}
        wait_until(looked, "one in each loop")

    def test_unknown_definition_is_missed(self):
        sidecar = Sidecar(targets={"shop": self.shop.address}, synthetics={"nobody": {"every": "1s"}})
        self.addCleanup(sidecar.close)
        wait_until(lambda: sum(b.missed for b in beats(sidecar)) >= 2, "two that cannot begin")
        self.assertIn("no such definition", beats(sidecar)[0].last_trouble)


class Wrong(unittest.TestCase):
    def test_what_is_no_heartbeat(self):
        for wrong, place in (({"a b": {}}, "synthetics.a b"), ({"x": {"every": "100ms"}}, "synthetics.x.every"), ({"x": {"every": "25h"}}, "synthetics.x.every"),
                             ({"x": {"deadline": "0s"}}, "synthetics.x.deadline"), ({"x": {"success": 100}}, "synthetics.x.success"),
                             ({"x": {"input": "a", "input_json": "{}"}}, "synthetics.x"), ({"x": {"sucess": 99}}, "synthetics.x.sucess"),
                             ({"x": {"freshness": "1m"}}, "synthetics.x.freshness"), ({"x": {"window": "1h"}}, "synthetics.x.window"), (["x"], "synthetics"),
                             ({"d%d" % i: {} for i in range(65)}, "synthetics")):
            sidecar = Sidecar(start=False, synthetics=wrong)
            try:
                code, said = sidecar.refuse()
                self.assertNotEqual(0, code)
                self.assertIn(place + ":", said)
            finally:
                sidecar.close()
        sidecar = Sidecar(targets={}, synthetics={"d%d" % i: {"every": "1h"} for i in range(64)})
        try:
            self.assertEqual(64, len(beats(sidecar)))
        finally:
            sidecar.close()
