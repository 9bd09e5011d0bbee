"""Orchestrated sagas: forward, back, side by side, again, and in time."""
import threading
import time

import grpc

from harness import (QUICK, Answer, Case, Gate, Sidecar, definition, do, enum, fail, fail_times, reason_name, step, undo,
                     wait_until)

CHAIN = (step("a"), step("b", after=["a"]), step("c", after=["b"]))
Code = grpc.StatusCode


class Orchestrated(Case):
    options = {"default_retry": {"maxAttempts": 4, "initialBackoff": "1ms", "maxBackoff": "5ms", "jitter": 0},
               "default_compensation_retry": {"maxAttempts": 5, "initialBackoff": "1ms", "maxBackoff": "5ms"}}

    def define(self, *steps, extra=""):
        self.client.register(definition(self.id().rsplit(".", 1)[1], *steps, extra=extra))

    def run_saga(self, **fields):
        return self.client.run(self.id().rsplit(".", 1)[1], **fields)

    def start_saga(self, **fields):
        return self.client.Start(definition=self.id().rsplit(".", 1)[1], **fields).saga_id

    # ---- forward ----

    def test_commit(self):
        self.define(*CHAIN)
        saga = self.run_saga(input=b"\x00order\xff", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        self.assertState("COMMITTED", saga)
        calls = self.shop.of(saga.id)
        self.assertEqual([("a", "action"), ("b", "action"), ("c", "action")], [(c.step, c.phase) for c in calls])
        for call in calls:
            self.assertEqual(b"\x00order\xff", call.request)
            self.assertEqual(do(call.step), call.method)
        self.assertEqual({"a": ("DONE", "NONE"), "b": ("DONE", "NONE"), "c": ("DONE", "NONE")},
                         {k: (v[0], "NONE" if v[1] in ("NONE", "UNSPECIFIED") else v[1])
                          for k, v in self.client.steps(saga.id).items()})

    def test_trace_context_in_the_request_s_metadata(self):
        self.define(*CHAIN)
        name = self.id().rsplit(".", 1)[1]
        there, said = ("00-%s-b7ad6b7169203331-01" % (digit * 32) for digit in "ab")

        def kept(metadata, request_id="", **fields):
            saga_id = self.client.Start(definition=name, metadata=metadata, request_id=request_id, **fields).saga_id
            self.client.end(saga_id)
            return self.client.saga(saga_id).traceparent

        self.assertEqual(there, kept([("traceparent", there)]))
        self.assertEqual(said, kept([("traceparent", there)], traceparent=said))
        for wrong in ("", "x", there[:-1], there.upper(), "ff" + there[2:], there + "-" + "x" * 20):
            self.assertEqual("", kept([("traceparent", wrong)]), wrong)
        for k in range(12):  # also where another loop keeps the saga
            self.assertEqual(there, kept([("traceparent", there)], request_id="traced-%d" % k))
        self.assertTrue(all(c.metadata["traceparent"][3:35] == there[3:35] for c in self.shop.of(
            self.client.Start(definition=name, request_id="traced-0").saga_id)))
        saga_id = self.client.Begin(name="traced", metadata=[("traceparent", there)]).saga_id
        self.client.Abort(saga_id=saga_id)
        self.assertEqual(there, self.client.saga(saga_id).traceparent)

    def test_metadata(self):
        """What SEMANTICS promises a participant beside the request."""
        self.define(*CHAIN)
        self.shop.on(do("c"), fail(Code.FAILED_PRECONDITION))
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        saga = self.run_saga(traceparent=trace)
        self.assertState("COMPENSATED", saga)
        keys = set()
        for call in self.shop.of(saga.id):
            self.assertEqual(self.id().rsplit(".", 1)[1], call.metadata["saga-definition"])
            self.assertEqual("1", call.metadata["saga-attempt"])
            self.assertTrue(call.metadata["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-"))
            self.assertTrue(0 < call.time_left <= 10.5, call.time_left)
            keys.add(call.key)
            self.assertIn(saga.id, call.key)
        self.assertEqual(5, len(keys), keys)
        forward = {c.step: c.key for c in self.shop.of(saga.id, "action")}
        for call in self.shop.of(saga.id, "compensation"):
            self.assertEqual("done", call.metadata["saga-action-outcome"])
            self.assertEqual(forward[call.step], call.metadata["saga-action-key"])

    def test_side_by_side(self):
        """A diamond: b and c are in flight together; d waits for both."""
        self.define(step("a"), step("b", after=["a"]), step("c", after=["a"]), step("d", after=["b", "c"]))
        meeting = threading.Barrier(2)

        def meet(call):
            meeting.wait(20)
            return b""
        self.shop.on(do("b"), meet)
        self.shop.on(do("c"), meet)
        saga = self.run_saga()
        self.assertState("COMMITTED", saga)
        calls = {c.step: c for c in self.shop.of(saga.id)}
        self.assertGreater(calls["d"].began, max(calls["b"].ended, calls["c"].ended))
        self.assertLess(calls["a"].ended, min(calls["b"].began, calls["c"].began))

    def test_outputs_are_inputs(self):
        self.define(
            "name: a, target: shop, action: {method: %s, request: {constant_base64: AAEC}},"
            " compensation: {method: %s, request: own_output}" % (do("a"), undo("a")),
            "name: b, after: [a], target: shop, action: {method: %s, request: {output: a}},"
            " compensation: {method: %s, request: {output: a}}" % (do("b"), undo("b")),
            "name: c, after: [b], target: shop, action: {method: %s, request: {output: b}},"
            " compensation: {method: %s, request: {constant: x}}" % (do("c"), undo("c")),
            "name: d, after: [c], target: shop, action: %s" % do("d"))
        self.shop.on(do("a"), lambda call: b"from a " + call.request)
        self.shop.on(do("b"), lambda call: b"from b " + call.request)
        self.shop.on(do("d"), fail(Code.NOT_FOUND))
        saga = self.run_saga(input=b"input")
        self.assertState("COMPENSATED", saga)
        seen = {(c.step, c.phase): c.request for c in self.shop.of(saga.id)}
        self.assertEqual({("a", "action"): b"\0\1\2", ("b", "action"): b"from a \0\1\2",
                          ("c", "action"): b"from b from a \0\1\2", ("d", "action"): b"input",
                          ("c", "compensation"): b"x", ("b", "compensation"): b"from a \0\1\2",
                          ("a", "compensation"): b"from a \0\1\2"}, seen)
        got = self.client.saga(saga.id, payloads=True)
        self.assertEqual(b"input", got.input)
        self.assertEqual({"a": b"from a \0\1\2", "b": b"from b from a \0\1\2", "c": do("c").encode(), "d": b""},
                         {s.name: s.output for s in got.steps})

    # ---- back ----

    def test_rollback_in_reverse(self):
        self.define(*CHAIN, step("d", after=["c"]))
        self.shop.on(do("d"), fail(Code.FAILED_PRECONDITION, "the card is declined"))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        saga = self.client.saga(saga.id)
        self.assertEqual(("ACTION_REJECTED", "d"), (reason_name(saga.reason), saga.reason_step))
        self.assertEqual(["a", "b", "c", "d"], self.shop.order(saga.id, "action"))
        self.assertEqual(["c", "b", "a"], self.shop.order(saga.id, "compensation"), "a definite no owes no undoing")
        undone = self.shop.of(saga.id, "compensation")
        for before, after in zip(undone, undone[1:]):
            self.assertLess(before.ended, after.began)
        steps = {s.name: s for s in self.client.saga(saga.id).steps}
        self.assertEqual((9, "the card is declined"), (steps["d"].last_status, steps["d"].last_message))

    def test_unknown_is_undone_too(self):
        """INTERNAL may have been executed: the failing step owes its compensation, and comes first."""
        self.define(*CHAIN)
        self.shop.on(do("c"), fail(Code.INTERNAL))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ACTION_UNKNOWN", reason_name(saga.reason))
        self.assertEqual(1, len(self.shop.of(saga.id, "action", "c")), "not retried unless listed")
        self.assertEqual(["c", "b", "a"], self.shop.order(saga.id, "compensation"))
        outcome = {c.step: c.metadata["saga-action-outcome"] for c in self.shop.of(saga.id, "compensation")}
        self.assertEqual({"a": "done", "b": "done", "c": "unknown"}, outcome)

    def test_every_definite_refusal(self):
        codes = [Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE,
                 Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.UNIMPLEMENTED]
        self.define(step("a"), step("b", after=["a"]))
        for code in codes:
            with self.subTest(code=code):
                self.shop.on(do("b"), fail(code))
                saga = self.run_saga()
                self.assertState("COMPENSATED", saga)
                self.assertEqual("ACTION_REJECTED", reason_name(saga.reason))
                self.assertEqual(["a"], self.shop.order(saga.id, "compensation"))
                self.assertEqual(1, len(self.shop.of(saga.id, "action", "b")))

    def test_long_refusal(self):
        """What a participant says may take metadata_bytes_max; gRPC itself would take half as much, and end the connection."""
        self.define(step("a"), step("b", after=["a"]))
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "x" * 12000))
        saga = self.run_saga()
        self.assertEqual("ACTION_REJECTED", reason_name(saga.reason))
        self.assertEqual(["a"], self.shop.order(saga.id, "compensation"))
        self.assertEqual(1, len(self.shop.of(saga.id, "action", "b")))

    def test_every_unclear_answer(self):
        self.define(step("a"), step("b", after=["a"]))
        for code in (Code.UNKNOWN, Code.INTERNAL, Code.CANCELLED, Code.DATA_LOSS):
            with self.subTest(code=code):
                self.shop.on(do("b"), fail(code))
                saga = self.run_saga()
                self.assertState("COMPENSATED", saga)
                self.assertEqual("ACTION_UNKNOWN", reason_name(saga.reason))
                self.assertEqual(["b", "a"], self.shop.order(saga.id, "compensation"))

    def test_dependency_order(self):
        """compensation_order: dependency undoes branches side by side, and a step only after those that depend on it."""
        self.define(step("a"), step("b", after=["a"]), step("c", after=["a"]), step("d", False, after=["b", "c"]),
                    extra="compensation_order: dependency\n")
        meeting = threading.Barrier(2)

        def meet(call):
            meeting.wait(20)
            return b""
        self.shop.on(undo("b"), meet)
        self.shop.on(undo("c"), meet)
        self.shop.on(do("d"), fail(Code.NOT_FOUND))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        undone = {c.step: c for c in self.shop.of(saga.id, "compensation")}
        self.assertGreater(undone["a"].began, max(undone["b"].ended, undone["c"].ended))

    def test_no_undoing_while_an_action_runs(self):
        """c fails at once while b is still in flight: the compensations wait for b's end."""
        self.define(step("a"), step("b", after=["a"]), step("c", after=["a"]))
        gone = threading.Event()
        gate = Gate()

        def hold(call):
            try:
                return gate(call)
            finally:
                gone.set()

        def refuse(call):
            gate.await_call()
            raise Answer(Code.NOT_FOUND)
        self.shop.on(do("b"), hold)
        self.shop.on(do("c"), refuse)
        seen = []
        self.shop.on(undo("b"), lambda call: seen.append(gone.is_set()) or b"")
        saga_id = self.start_saga()
        wait_until(lambda: any(s.name == "c" and s.action == enum("ActionState", "ACTION_STATE_REJECTED")
                               for s in self.client.saga(saga_id).steps), "c is refused")
        gate.open()
        saga = self.client.end(saga_id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual([True], seen)

    # ---- the pivot ----

    def test_after_the_pivot_forward_only(self):
        self.define(step("a"), step("p", False, after=["a"], more="pivot: true"),
                    step("z", False, after=["p"]))
        self.shop.on(do("z"), fail(Code.FAILED_PRECONDITION))
        saga_id = self.start_saga()
        saga = self.client.stuck(saga_id)
        self.assertEqual(("FORWARD_FAILED", "z"), (reason_name(saga.stuck_reason), saga.stuck_step))
        self.assertEqual([], self.shop.of(saga_id, "compensation"))
        self.refused("FAILED_PRECONDITION", "SAGA_STUCK", self.client.Cancel, saga_id=saga_id)
        self.shop.on(do("z"), lambda call: b"")
        self.client.operator.Retry(saga_id=saga_id, actor="test")
        self.assertState("COMMITTED", self.client.end(saga_id))

    def test_before_the_pivot_back(self):
        self.define(step("a"), step("p", after=["a"], more="pivot: true"), step("z", False, after=["p"]))
        self.shop.on(do("p"), fail(Code.FAILED_PRECONDITION))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        self.assertEqual(["a"], self.shop.order(saga.id, "compensation"))

    def test_pivot_unknown_without_undo_is_stuck(self):
        self.define(step("a"), step("p", False, after=["a"], more="pivot: true"))
        self.shop.on(do("p"), fail(Code.INTERNAL))
        saga = self.client.stuck(self.start_saga())
        self.assertEqual("PIVOT_UNKNOWN", reason_name(saga.stuck_reason))

    def test_a_person_says_that_the_pivot_did_not_happen(self):
        self.define(step("a"), step("p", False, after=["a"], more="pivot: true"))
        self.shop.on(do("p"), fail(Code.INTERNAL))
        saga = self.client.stuck(self.start_saga())
        error = self.refused("FAILED_PRECONDITION", "SAGA_STUCK", self.client.Cancel, saga_id=saga.id)
        self.sidecar.client.operator.Reject(saga_id=saga.id, step="p", actor="ann", reason="not in their books")
        saga = self.client.end(saga.id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ACTION_REJECTED", reason_name(saga.reason))
        self.assertEqual(["a"], self.shop.order(saga.id, "compensation"))

    def test_cancel_after_pivot_started(self):
        self.define(step("a"), step("p", False, after=["a"], more="pivot: true"))
        gate = Gate()
        self.shop.on(do("p"), gate)
        saga_id = self.start_saga()
        gate.await_call()
        self.refused("FAILED_PRECONDITION", "AFTER_PIVOT", self.client.Cancel, saga_id=saga_id)
        gate.open()
        self.assertState("COMMITTED", self.client.end(saga_id))

    # ---- again ----

    def test_retries_keep_their_key(self):
        self.define(step("a", more=QUICK % 5))
        for code in (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.ABORTED, Code.DEADLINE_EXCEEDED):
            with self.subTest(code=code):
                self.shop.on(do("a"), fail_times(3, code))
                saga = self.run_saga()
                self.assertState("COMMITTED", saga)
                calls = self.shop.of(saga.id)
                self.assertEqual([1, 2, 3, 4], [c.attempt for c in calls])
                self.assertEqual(1, len({c.key for c in calls}))
                self.assertEqual(4, self.client.saga(saga.id).steps[0].action_attempts)

    def test_attempts_spent_is_unknown(self):
        self.define(step("a"), step("b", after=["a"], more=QUICK % 3))
        self.shop.on(do("b"), fail(Code.UNAVAILABLE))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ACTION_UNKNOWN", reason_name(saga.reason))
        self.assertEqual(3, len(self.shop.of(saga.id, "action", "b")))
        self.assertEqual(["b", "a"], self.shop.order(saga.id, "compensation"))

    def test_a_timeout_is_on_the_wire_as_it_is_waited_for(self):
        # gRPC writes three digits at most, rounded up; the undo waits for a hundredth more, and a quarter of a second for the way.
        for ms in (999, 1001, 9999, 10010, 100100):
            self.client.register(definition("wire-%d" % ms, step("a", more="timeout: %dms" % ms)))
            self.shop.on(do("a"), lambda call: b"%f" % call.context.time_remaining())
            saga = self.client.run("wire-%d" % ms)
            left = float(self.client.Get(saga_id=saga.id, include_payloads=True).saga.steps[0].output)
            self.assertLessEqual(left, ms * 1.01 / 1000 + 0.01)
            self.assertGreater(left, ms / 1000 - 5)

    def test_a_status_that_others_make_up_is_waited_out(self):
        # A stopping server, a deadline or a proxy answers so while the function runs on.
        self.client.register(definition("silent", step("a", more="timeout: 2s, retry: {maxAttempts: 1}")))
        self.client.register(definition("says", step("a", more="timeout: 1m, retry: {maxAttempts: 1}")))

        def stops(call):
            raise Answer(Code.UNAVAILABLE, function="ended" if call.request == b"says" else None)
        self.shop.on(do("a"), stops)
        asked = time.monotonic()
        silent = self.client.Start(definition="silent").saga_id
        wait_until(lambda: "an action's attempt, which may still run" in self.client.saga(silent).steps[0].waiting_for, "the wait")
        self.assertState("COMPENSATED", self.client.end(silent))
        self.assertGreaterEqual(self.shop.of(silent)[1].began - asked, 2.0)
        says = self.client.run("says", input=b"says")
        action, compensation = self.shop.of(says.id)
        self.assertLess(compensation.began - action.ended, 30)

    def test_listed_codes_are_retried(self):
        self.define(step("a", more="retry: {maxAttempts: 3, initialBackoff: 1ms, retryableStatusCodes: [INTERNAL, NOT_FOUND]}"))
        self.shop.on(do("a"), lambda call: fail((Code.INTERNAL, Code.NOT_FOUND)[call.attempt - 1])(call)
                     if call.attempt < 3 else b"")
        saga = self.run_saga()
        self.assertState("COMMITTED", saga)
        self.assertEqual(3, len(self.shop.of(saga.id)))

    def test_compensations_are_retried_on_every_status(self):
        self.define(step("a"), step("b", False, after=["a"]))
        codes = [Code.INVALID_ARGUMENT, Code.INTERNAL, Code.UNAVAILABLE, Code.NOT_FOUND]

        def reluctant(call):
            if call.attempt <= len(codes):
                raise Answer(codes[call.attempt - 1])
            return b""
        self.shop.on(undo("a"), reluctant)
        self.shop.on(do("b"), fail(Code.NOT_FOUND))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        self.assertEqual([1, 2, 3, 4, 5], [c.attempt for c in self.shop.of(saga.id, "compensation")])
        self.assertEqual(1, len({c.key for c in self.shop.of(saga.id, "compensation")}))

    def test_pushback_is_heeded(self):
        self.define(step("a", more="retry: {maxAttempts: 2, initialBackoff: 1ms, maxBackoff: 1ms}"))
        self.shop.on(do("a"), fail_times(1, Code.UNAVAILABLE, pushback_ms=250))
        saga = self.run_saga()
        self.assertState("COMMITTED", saga)
        first, second = self.shop.of(saga.id)
        self.assertGreaterEqual(second.began - first.ended, 0.24)
        self.assertLess(second.began - first.ended, 5)

    def test_negative_pushback_means_no_more(self):
        self.define(step("a", more=QUICK % 5))
        self.shop.on(do("a"), fail(Code.UNAVAILABLE, pushback_ms=-1))
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        self.assertEqual(1, len(self.shop.of(saga.id, "action")))

    # ---- in time ----

    def test_attempt_timeout(self):
        self.define(step("a", more="timeout: 1s, retry: {maxAttempts: 2, initialBackoff: 1ms}"))
        self.shop.on(do("a"), Gate())
        began = time.monotonic()
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        self.assertLess(time.monotonic() - began, 15)
        calls = self.shop.of(saga.id, "action")
        self.assertEqual(2, len(calls))
        for call in calls:
            self.assertLessEqual(call.time_left, 1.01)
        self.assertEqual(["a"], self.shop.order(saga.id, "compensation"), "a timeout is UNKNOWN")
        self.assertEqual("unknown", self.shop.of(saga.id, "compensation")[0].metadata["saga-action-outcome"])

    def test_saga_deadline(self):
        """The saga's deadline cuts the action short and is passed on as what is left; the undo has time of its own."""
        self.define(step("a"), step("b", after=["a"]), extra="deadline: 2s\n")
        self.shop.on(do("b"), Gate())
        saga = self.run_saga()
        self.assertState("COMPENSATED", saga)
        # The attempt's deadline is the saga's, so either of the two may be seen first.
        self.assertIn(reason_name(saga.reason), ("DEADLINE", "ACTION_UNKNOWN"))
        self.assertLessEqual(self.shop.of(saga.id, "action", "b")[0].time_left, 2.01)
        self.assertEqual(["b", "a"], self.shop.order(saga.id, "compensation"))
        for call in self.shop.of(saga.id, "compensation"):
            self.assertGreater(call.time_left, 5)

    def test_deadline_of_the_request(self):
        self.define(step("a"))
        self.shop.on(do("a"), Gate())
        saga = self.run_saga(deadline={"nanos": 150000000})
        self.assertState("COMPENSATED", saga)
        self.assertIn(reason_name(saga.reason), ("DEADLINE", "ACTION_UNKNOWN"))
        self.assertTrue(self.client.saga(saga.id).HasField("deadline"))

    # ---- called off ----

    def test_cancel(self):
        # Nobody can tell when the participant has stopped: nothing is undone before the attempt's time is over.
        self.define(step("a"), step("b", after=["a"], more="timeout: 1500ms"))
        gate = Gate()
        self.shop.on(do("b"), gate)
        saga_id = self.start_saga()
        gate.await_call()
        self.client.Cancel(saga_id=saga_id, reason="changed my mind")
        self.client.Cancel(saga_id=saga_id, reason="again")
        saga = self.client.end(saga_id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("CANCELLED", reason_name(saga.reason))
        self.assertEqual(["b", "a"], self.shop.order(saga_id, "compensation"))
        messages = [e.message for e in self.client.Get(saga_id=saga_id).timeline]
        self.assertIn("changed my mind", messages)
        self.client.Cancel(saga_id=saga_id)

    def test_cancel_of_an_ended_saga(self):
        self.define(step("a"))
        saga = self.run_saga()
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Cancel, saga_id=saga.id)

    # ---- once ----

    def test_request_id(self):
        self.define(step("a"))
        name = self.id().rsplit(".", 1)[1]
        first = self.client.Start(definition=name, request_id="r-1", input=b"x")
        again = self.client.Start(definition=name, request_id="r-1", input=b"x")
        self.assertEqual((False, True, first.saga_id), (first.already_started, again.already_started, again.saga_id))
        self.client.end(first.saga_id)
        late = self.client.Start(definition=name, request_id="r-1", input=b"x")
        self.assertEqual((True, first.saga_id), (late.already_started, late.saga_id))
        self.assertEqual(1, len(self.shop.of(first.saga_id)))
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", self.client.Start, definition=name, request_id="r-1", input=b"y")
        other = self.client.Start(definition=name, input=b"x").saga_id
        another = self.client.Start(definition=name, input=b"x").saga_id
        self.assertNotEqual(other, another)

    def test_unreachable_participant(self):
        """No connection: the call has certainly not left, so nothing is owed."""
        for wait, attempts in (("0s", 2), ("300ms", 1)):
            sidecar = Sidecar(targets={"shop": "127.0.0.1:1"}, connect_timeout="50ms", target_wait=wait, **self.options)
            try:
                sidecar.client.register(definition("lost", step("a", more=QUICK % 2)))
                saga = sidecar.client.run("lost")
                self.assertState("COMPENSATED", saga)
                self.assertEqual("UNREACHABLE", reason_name(saga.reason))
                self.assertEqual(attempts, sidecar.client.saga(saga.id).steps[0].action_attempts)
            finally:
                sidecar.close()
