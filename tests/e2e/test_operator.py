"""Dead letters and what people do about them; pause and resume."""
import grpc

from harness import (Case, Gate, definition, do, enum, enum_name, fail, reason_name, step, undo,
                     wait_until)

Code = grpc.StatusCode


class Operator(Case):
    options = {"default_compensation_retry": {"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "1ms"},
               "default_retry": {"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "1ms"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.client.operator
        cls.client.register(definition("back", step("a"), step("b", after=["a"]), step("c", False, after=["b"])))
        cls.client.register(definition("ahead", step("p", False, more="pivot: true"), step("x", False, after=["p"]),
                                       step("y", False, after=["x"])))
        cls.client.register(definition("output", step("p", False, more="pivot: true"), step("x", False, after=["p"]),
                                       "name: y, after: [x], target: shop, action: {method: %s, request: {output: x}}" % do("y")))

    def stuck_going_back(self):
        self.shop.on(do("c"), fail(Code.NOT_FOUND))
        self.shop.on(undo("b"), fail(Code.INTERNAL, "the undo is broken"))
        saga = self.client.stuck(self.client.Start(definition="back").saga_id)
        self.assertEqual(("COMPENSATION_FAILED", "b"), (reason_name(saga.stuck_reason), saga.stuck_step))
        return saga.id

    def stuck_going_ahead(self, name="ahead"):
        self.shop.on(do("x"), fail(Code.NOT_FOUND))
        return self.client.stuck(self.client.Start(definition=name).saga_id).id

    def test_dead_letter_is_listed(self):
        first, second = self.stuck_going_back(), self.stuck_going_ahead()
        listed = [s.id for s in self.operator.ListDeadLetters().sagas]
        self.assertLess(listed.index(first), listed.index(second), "oldest first")
        saga = next(s for s in self.operator.ListDeadLetters(definition="back").sagas if s.id == first)
        self.assertState("STUCK", saga)
        b = next(s for s in saga.steps if s.name == "b")
        self.assertEqual((enum("CompensationState", "COMPENSATION_STATE_FAILED"), 2), (b.compensation, b.compensation_attempts))
        paged, token = [], ""
        while True:
            page = self.operator.ListDeadLetters(page_size=1, page_token=token)
            paged += [s.id for s in page.sagas]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual([s.id for s in self.operator.ListDeadLetters().sagas], paged)
        for saga_id in (first, second):
            self.operator.Resolve(saga_id=saga_id, actor="test", reason="done with it")
        self.assertNotIn(first, [s.id for s in self.operator.ListDeadLetters().sagas])

    def test_retry_going_back(self):
        saga_id = self.stuck_going_back()
        self.operator.Retry(saga_id=saga_id, actor="alice")
        self.client.stuck(saga_id)
        self.shop.on(undo("b"), lambda call: b"")
        self.operator.Retry(saga_id=saga_id, step="b", actor="alice")
        self.assertState("COMPENSATED", self.client.end(saga_id))
        undone = self.shop.of(saga_id, "compensation")
        self.assertEqual(["b"] * 5 + ["a"], [c.step for c in undone])
        self.assertEqual(1, len({c.key for c in undone if c.step == "b"}), "an undo keeps its key")
        retried = [e for e in self.client.Get(saga_id=saga_id).timeline if e.type == enum("EventType", "EVENT_TYPE_RETRIED")]
        self.assertEqual([("b", "alice")] * 2, [(e.step, e.actor) for e in retried])

    def test_retry_going_ahead(self):
        saga_id = self.stuck_going_ahead()
        self.shop.on(do("x"), lambda call: b"")
        self.operator.Retry(saga_id=saga_id, actor="alice")
        self.assertState("COMMITTED", self.client.end(saga_id))
        first, second = self.shop.of(saga_id, "action", "x")
        self.assertNotEqual(first.key, second.key, "the participant's barrier keeps its definite no under the first key")

    def test_skip_going_back(self):
        saga_id = self.stuck_going_back()
        self.refused("FAILED_PRECONDITION", "SAGA_NOT_STUCK", self.operator.Skip, saga_id=saga_id, step="a", actor="al",
                     reason="r", field=None)
        self.refused("NOT_FOUND", "STEP_NOT_FOUND", self.operator.Skip, saga_id=saga_id, step="nothing", actor="al", reason="r")
        self.operator.Skip(saga_id=saga_id, step="b", actor="bob", reason="gave the money back by hand")
        self.assertState("COMPENSATED", self.client.end(saga_id))
        self.assertEqual("SKIPPED", self.client.steps(saga_id)["b"][1])
        self.assertEqual(["b", "a"], self.shop.order(saga_id, "compensation"))
        skipped = next(e for e in self.client.Get(saga_id=saga_id).timeline if e.type == enum("EventType", "EVENT_TYPE_SKIPPED"))
        self.assertEqual(("b", "bob", "gave the money back by hand"), (skipped.step, skipped.actor, skipped.message))

    def test_skip_going_ahead(self):
        saga_id = self.stuck_going_ahead()
        self.operator.Skip(saga_id=saga_id, step="x", actor="bob", reason="not needed")
        self.assertState("COMMITTED", self.client.end(saga_id))
        self.assertEqual(["p", "x", "y"], self.shop.order(saga_id, "action"))
        self.assertEqual("SKIPPED", self.client.steps(saga_id)["x"][0])

    def test_skip_of_a_needed_output(self):
        saga_id = self.stuck_going_ahead("output")
        self.refused("FAILED_PRECONDITION", "OUTPUT_NEEDED", self.operator.Skip, saga_id=saga_id, step="x", actor="bob", reason="r")
        self.operator.Resolve(saga_id=saga_id, actor="bob", reason="r")

    def test_resolve(self):
        saga_id = self.stuck_going_back()
        self.operator.Resolve(saga_id=saga_id, actor="carol", reason="settled by phone")
        saga = self.client.end(saga_id)
        self.assertState("RESOLVED", saga)
        saga = self.client.saga(saga_id)
        self.assertEqual(("carol", "settled by phone"), (saga.resolved_by, saga.resolution))
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.operator.Resolve, saga_id=saga_id, actor="carol", reason="again")
        self.assertEqual(["b"], self.shop.order(saga_id, "compensation"), "a is not undone any more")

    def test_acts_name_their_actor_and_their_peer(self):
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = self.client.Start(definition="back").saga_id
        gate.await_call()
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.Cancel, saga_id=saga_id, actor="x" * 129)
        self.client.Cancel(saga_id=saga_id, actor="erin", reason="changed her mind")
        gate.open()
        self.client.end(saga_id)
        turned = [e for e in self.client.Get(saga_id=saga_id).timeline if enum_name("EventType", e.type) == "EVENT_TYPE_TURNED_BACK"]
        self.assertEqual([("erin", "changed her mind")], [(e.actor, e.message) for e in turned])
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.operator.Resolve, saga_id=saga_id, actor="frank", reason="r")
        def lines():
            return [l for l in self.sidecar.log("an act on a saga") if l["saga"] == saga_id]
        wait_until(lambda: len(lines()) == 3, "each is logged")
        cancelled, resolved = lines()[1:]
        self.assertEqual(("/saga.v1.Coordinator/Cancel", "erin", "OK"), tuple(cancelled[k] for k in ("method", "actor", "outcome")))
        self.assertEqual(("/saga.v1.Operator/Resolve", "frank", "SAGA_ENDED"), tuple(resolved[k] for k in ("method", "actor", "outcome")))
        for line in cancelled, resolved:
            self.assertEqual("tcp", line["transport"], line)
            self.assertRegex(line["address"], r"^127\.0\.0\.1:\d+$")

    def test_dead_letters_outlive_kill(self):
        saga_id = self.stuck_going_back()
        type(self).client = self.sidecar.restart("kill").client
        type(self).operator = self.client.operator
        self.assertIn(saga_id, [s.id for s in self.operator.ListDeadLetters().sagas])
        self.operator.Resolve(saga_id=saga_id, actor="carol", reason="r")
        type(self).client = self.sidecar.restart("kill").client
        type(self).operator = self.client.operator
        self.assertState("RESOLVED", self.client.end(saga_id))

    def test_pause(self):
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = self.client.Start(definition="back").saga_id
        gate.await_call()
        self.operator.Pause(saga_id=saga_id, actor="dave", reason="maintenance")
        self.operator.Pause(saga_id=saga_id, actor="dave")
        gate.open()
        wait_until(lambda: self.client.steps(saga_id)["a"][0] == "DONE", "the answer in flight is recorded")
        saga = self.client.saga(saga_id)
        self.assertTrue(saga.paused)
        self.assertState("RUNNING", saga)
        # Other sagas go on, and so this one had its chance to.
        self.shop.on(do("c"), lambda call: b"")
        self.assertState("COMMITTED", self.client.run("back"))
        self.assertEqual(["a"], self.shop.order(saga_id, "action"))
        self.operator.Resume(saga_id=saga_id, actor="dave")
        self.operator.Resume(saga_id=saga_id, actor="dave")
        self.assertState("COMMITTED", self.client.end(saga_id))
        self.assertEqual([("PAUSED", "dave"), ("RESUMED", "dave")],
                         [(enum_name("EventType", e.type)[11:], e.actor) for e in self.client.Get(saga_id=saga_id).timeline if e.actor])
        self.assertFalse(self.client.saga(saga_id).paused)

    def test_pause_outlives_kill(self):
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = self.client.Start(definition="back").saga_id
        gate.await_call()
        self.operator.Pause(saga_id=saga_id, actor="dave")
        type(self).client = self.sidecar.restart("kill").client
        type(self).operator = self.client.operator
        self.assertTrue(self.client.saga(saga_id).paused)
        gate.open()
        self.operator.Resume(saga_id=saga_id, actor="dave")
        self.assertState("COMMITTED", self.client.end(saga_id))
