"""Sagas that go without something: fallbacks, steps that do not wait for their target, and deferred steps."""
import json
import os
import subprocess

import grpc

from test_watching import get
from harness import SAGAD, Case, Gate, Sidecar, definition, do, enum, enum_name, fail, state_name, undo, wait_until

Code = grpc.StatusCode
SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
HOLD, RESET = (enum("BreakerAct", "BREAKER_ACT_" + name) for name in ("HOLD", "RESET"))
ONCE = "timeout: 5s, retry: {maxAttempts: 1}"
SCORE = ("name: score, target: shop, unavailable: fallback, action: {method: %s, %s}, compensation: {method: %s, request: input},\n"
         "     fallback: {target: other, action: {method: %s, %s}, compensation: {method: %s, request: own_output},\n"
         "       fallback: {value: {constant: plain}}}" % (do("score"), ONCE, undo("score"), do("old"), ONCE, undo("old")))
CHARGE = "name: charge, after: [score], target: shop, action: {method: %s, request: {output: score}, %s}, compensation: none" % (do("charge"), ONCE)
PAID = ("name: pay, target: shop, pivot: true, action: %s, compensation: none" % do("pay"),
        "name: mail, after: [pay], deferred: true, target: other, action: {method: %s, "
        "retry: {maxAttempts: 1000, initialBackoff: 1h, maxBackoff: 1h, jitter: 0}}" % do("mail"))


class Degraded(Case):
    def setUp(self):
        super().setUp()
        with self.shop.lock:
            self.shop.calls.clear()
        self.sidecar = Sidecar(targets={"shop": self.shop.address, "other": self.shop.address}, http_listen="127.0.0.1:0")
        self.client = self.sidecar.client

    def tearDown(self):
        self.sidecar.close()

    def ctl(self, *words):
        done = subprocess.run([SAGACTL, "-a", self.sidecar.address] + list(words), capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    @staticmethod
    def lacks(saga):
        return [(l.step, enum_name("LackKind", l.kind)[len("LACK_KIND_"):]) for l in saga.lacks]

    def called(self):
        return [c.method.rsplit("/", 1)[1] for c in self.shop.calls]

    def test_what_stands_in_is_used_told_and_undone(self):
        self.client.register(definition("buy", SCORE, CHARGE))
        self.shop.on(do("old"), lambda call: b"from the old one")
        whole = self.client.run("buy")
        self.assertEqual(("COMMITTED", []), (state_name(whole), self.lacks(whole)))
        self.shop.on(do("score"), fail(Code.NOT_FOUND))
        stood_in = self.client.run("buy")
        saga = self.client.saga(stood_in.id)
        self.assertEqual(["REJECTED", "DONE", "SKIPPED", "DONE"], [enum_name("ActionState", s.action)[len("ACTION_STATE_"):] for s in saga.steps])
        self.assertEqual([("score", "FALLBACK")], self.lacks(saga))
        self.assertEqual([("", "FALLBACK")], self.lacks(stood_in))
        self.assertEqual(b"from the old one", self.shop.of(stood_in.id, step="charge")[0].request)
        # The last fallback is a value.
        self.shop.on(do("old"), fail(Code.NOT_FOUND))
        valued = self.client.run("buy")
        self.assertEqual(b"plain", self.shop.of(valued.id, step="charge")[0].request)
        listed = {s.id: s for s in self.client.List(where="degraded").sagas}
        self.assertEqual({stood_in.id, valued.id}, set(listed))
        # What stood in is undone by its own undo, and by no other.
        self.shop.on(do("old"), lambda call: b"from the old one")
        self.shop.on(do("charge"), fail(Code.NOT_FOUND))
        undone = self.client.run("buy")
        self.assertEqual("COMPENSATED", state_name(undone))
        self.assertEqual([("score.fallback", b"from the old one")],
                         [(c.step, c.request) for c in self.shop.of(undone.id, phase="compensation")])
        told = [line for line in get(self.sidecar, "/metrics")[2].splitlines() if line.startswith("sagad_sagas_degraded_total")]
        self.assertEqual(['sagad_sagas_degraded_total{definition="buy",kind="FALLBACK"} 2'], told)
        self.assertIn("degraded   score: fallback", self.ctl("get", stood_in.id)[1])
        self.assertIn("fallback", self.ctl("list", "--where", "degraded")[1])

    def test_a_target_that_takes_no_calls_is_not_waited_for(self):
        self.client.register(definition("buy", SCORE, CHARGE))
        self.client.register(definition("hasty", "name: a, target: shop, unavailable: refuse, action: %s, compensation: none" % do("a")))
        self.client.operator.SetBreaker(target="shop", act=HOLD, actor="ops", reason="a drill")
        refused = self.client.run("hasty")
        self.assertEqual(("COMPENSATED", "REASON_UNAVAILABLE"), (state_name(refused), enum_name("Reason", refused.reason)))
        saga_id = self.client.Start(definition="buy").saga_id
        wait_until(lambda: "old" in self.called(), "the fallback is called")
        self.assertNotIn("score", self.called())
        self.assertIn("breaker", self.client.saga(saga_id).steps[3].waiting_for)
        # One that waits for a place when the breaker opens is not left waiting.
        self.client.operator.SetBreaker(target="shop", act=RESET, actor="ops", reason="a drill")
        self.assertEqual("COMMITTED", state_name(self.client.end(saga_id)))

    def test_nobody_is_there(self):
        """A target that cannot be reached is none that takes calls: the fallback comes at once, and not after target_wait."""
        gone = Sidecar(targets={"shop": "127.0.0.1:1", "other": self.shop.address})
        try:
            gone.client.register(definition("one", SCORE))
            saga = gone.client.run("one")
            self.assertEqual(("COMMITTED", [("", "FALLBACK")]), (state_name(saga), self.lacks(saga)))
        finally:
            gone.close()

    def test_deferred_work_keeps_nobody_waiting_and_can_be_drained(self):
        self.client.register(definition("order", *PAID))
        self.shop.on(do("mail"), fail(Code.UNAVAILABLE))
        saga_id = self.client.Start(definition="order").saga_id
        saga = self.client.Wait(saga_id=saga_id, until_answered=True).saga
        self.assertEqual(("RUNNING", True, [("mail", "DEFERRED")]), (state_name(saga), saga.answered, self.lacks(saga)))
        wait_until(lambda: "mail" in self.called(), "the mail is tried")
        self.assertEqual(0, self.ctl("wait", "--answered", saga_id)[0])
        self.assertEqual([saga_id], [s.id for s in self.client.List(where="deferred").sagas])
        self.assertEqual([], [s.id for s in self.client.List(where="degraded").sagas])
        self.assertEqual(1, sum(loop.answered for loop in self.client.operator.Status().loops))
        self.assertIn("1 of them answered", self.ctl("status")[1])
        self.assertIn("ANSWERED", [enum_name("EventType", e.type)[len("EVENT_TYPE_"):] for e in self.client.Get(saga_id=saga_id).timeline])
        self.refused("FAILED_PRECONDITION", "AFTER_PIVOT", self.client.Cancel, saga_id=saga_id)
        # It outlives the process, and the mail is still to come: drained, it does.
        self.sidecar.kill()
        self.sidecar.start()
        self.client = self.sidecar.client
        self.assertTrue(self.client.Wait(saga_id=saga_id, until_answered=True).saga.answered)
        wait_until(lambda: "next attempt" in self.client.saga(saga_id).steps[1].waiting_for, "the mail waits")
        with self.shop.lock:
            self.shop.functions.clear()
        code, _, err = self.ctl("deadletters", "retry", "--where", "deferred", "--wait")
        self.assertEqual((0, ""), (code, err))
        saga = self.client.end(saga_id)
        self.assertEqual(("COMMITTED", [], False), (state_name(saga), self.lacks(saga), saga.answered))

    def test_deferred_steps_begin_when_all_else_is_done(self):
        gate = Gate()
        self.shop.on(do("ship"), gate)
        self.client.register(definition("order", *PAID, "name: ship, after: [pay], target: shop, action: %s" % do("ship")))
        saga_id = self.client.Start(definition="order").saga_id
        gate.await_call()
        self.assertEqual(["pay", "ship"], self.called())
        self.assertEqual("the steps that are not deferred", self.client.saga(saga_id).steps[1].waiting_for)
        gate.open()
        self.assertEqual("COMMITTED", state_name(self.client.end(saga_id)))
        self.assertEqual(["pay", "ship", "mail"], self.called())
