"""Enlisted sagas: the service acts by itself, and the sidecar knows how to undo what it did."""
import signal
import time

import grpc

from shaking import freeze
from harness import (OUTCOME_REJECTED as REJECTED, OUTCOME_UNKNOWN as UNKNOWN, Case, Gate, Sidecar, enlistment, message, enum,
                     fail_times, reason_name, seconds, settled, state_name, undo, wait_until)

Code = grpc.StatusCode


class Enlisted(Case):
    options = {"default_compensation_retry": {"maxAttempts": 5, "initialBackoff": "1ms", "maxBackoff": "5ms"}}

    def begin(self, *steps, **fields):
        fields.setdefault("name", "order")
        return self.client.Begin(enlist=[enlistment(s) for s in steps], **fields).saga_id

    def test_commit(self):
        saga_id = self.begin()
        for name in ("a", "b", "c"):
            self.client.Enlist(saga_id=saga_id, enlist=[enlistment(name)])
            self.client.Settle(saga_id=saga_id, settle=[settled(name)])
        self.client.Commit(saga_id=saga_id)
        saga = self.client.end(saga_id)
        self.assertState("COMMITTED", saga)
        self.assertEqual(("order", ""), (saga.definition, saga.version))
        self.assertEqual([], self.shop.of(saga_id))

    def test_abort_in_reverse(self):
        saga_id = self.begin("a", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        self.client.Enlist(saga_id=saga_id, settle=[settled("a")], enlist=[enlistment("b")])
        self.client.Enlist(saga_id=saga_id, settle=[settled("b", REJECTED)], enlist=[enlistment("c"), enlistment("d")])
        self.client.Settle(saga_id=saga_id, settle=[settled("c", UNKNOWN)])
        self.client.Abort(saga_id=saga_id, reason="out of stock")
        saga = self.client.end(saga_id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ABORTED", reason_name(saga.reason))
        calls = self.shop.of(saga_id)
        self.assertEqual([("d", "compensation"), ("c", "compensation"), ("a", "compensation")],
                         [(c.step, c.phase) for c in calls])
        self.assertEqual(["unknown", "unknown", "done"], [c.metadata["saga-action-outcome"] for c in calls])
        for call in calls:
            self.assertEqual((undo(call.step), b"undo this"), (call.method, call.request))
            self.assertTrue(call.metadata["saga-action-key"])
            self.assertEqual("order", call.metadata["saga-definition"])
            self.assertTrue(call.metadata["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-"))
        self.assertIn("out of stock", [e.message for e in self.client.Get(saga_id=saga_id).timeline])
        # An answer once given does not change.
        self.client.Abort(saga_id=saga_id)
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Commit, saga_id=saga_id)

    def test_step_without_undo(self):
        saga_id = self.client.Begin(name="order", enlist=[enlistment("a"), enlistment("b", compensate=False)]).saga_id
        self.client.Settle(saga_id=saga_id, settle=[settled("a"), settled("b")])
        self.client.Abort(saga_id=saga_id)
        self.assertState("COMPENSATED", self.client.end(saga_id))
        self.assertEqual(["a"], self.shop.order(saga_id, "compensation"))

    def test_output_as_request(self):
        saga_id = self.begin("a", "b")
        self.client.Settle(saga_id=saga_id, settle=[settled("a", output=b"reservation 7", use_output_for_compensation=True),
                                                    settled("b", output=b"kept")])
        self.client.Abort(saga_id=saga_id)
        self.client.end(saga_id)
        self.assertEqual([("b", b"undo this"), ("a", b"reservation 7")],
                         [(c.step, c.request) for c in self.shop.of(saga_id)])
        self.assertEqual({"a": b"reservation 7", "b": b"kept"},
                         {s.name: s.output for s in self.client.saga(saga_id, payloads=True).steps})

    def test_the_keys_of_actions(self):
        """What an owner's own barrier needs: the key that the undo names as its action's."""
        begun = self.client.Begin(name="keyed", request_id="keyed-1", enlist=[enlistment("a"), enlistment("b")])
        self.assertEqual(2, len(set(begun.action_keys)))
        again = self.client.Begin(name="keyed", request_id="keyed-1", enlist=[enlistment("a"), enlistment("b")])
        self.assertEqual(begun.action_keys, again.action_keys)
        enlist = [enlistment("c"), enlistment("a"), enlistment("no.undo", compensate=False)]
        keys = list(self.client.Enlist(saga_id=begun.saga_id, enlist=enlist).action_keys)
        self.assertEqual(keys, list(self.client.Enlist(saga_id=begun.saga_id, enlist=enlist).action_keys))
        self.assertEqual(begun.action_keys[0], keys[1])
        self.assertEqual(4, len(set(keys) | set(begun.action_keys)))
        self.assertEqual([], list(self.client.Begin(name="keyed").action_keys))
        piped = message("saga.v1.PipeRequest")(commands=[{"enlist": {"saga_id": begun.saga_id, "enlist": enlist}}])
        answers = list(self.client.Pipe(iter([piped])))
        self.assertEqual(keys, list(answers[0].results[0].enlist.action_keys))
        self.client.Abort(saga_id=begun.saga_id)
        self.client.end(begun.saga_id)
        self.assertEqual({"c": keys[0], "a": keys[1], "b": begun.action_keys[1]},
                         {c.step: c.metadata["saga-action-key"] for c in self.shop.of(begun.saga_id)})

    def test_commit_with_last_outcomes(self):
        saga_id = self.begin("a")
        self.client.Commit(saga_id=saga_id, settle=[settled("a")])
        self.assertState("COMMITTED", self.client.end(saga_id))
        self.client.Commit(saga_id=saga_id)

    def test_commit_needs_every_outcome(self):
        saga_id = self.begin("a", "b")
        self.refused("FAILED_PRECONDITION", "STEPS_OPEN", self.client.Commit, saga_id=saga_id)
        # Both, or neither: a's outcome must not have stayed.
        self.refused("FAILED_PRECONDITION", "STEPS_OPEN", self.client.Commit, saga_id=saga_id, settle=[settled("a")])
        self.client.Settle(saga_id=saga_id, settle=[settled("a", UNKNOWN), settled("b")])
        self.refused("FAILED_PRECONDITION", "STEPS_OPEN", self.client.Commit, saga_id=saga_id)
        self.client.Abort(saga_id=saga_id)
        self.assertState("COMPENSATED", self.client.end(saga_id))

    def test_rejected_steps_do_not_hinder_a_commit(self):
        saga_id = self.begin("a", "b")
        self.client.Commit(saga_id=saga_id, settle=[settled("a", REJECTED), settled("b")])
        self.assertState("COMMITTED", self.client.end(saga_id))

    def test_again_is_ok(self):
        saga_id = self.begin("a")
        self.client.Enlist(saga_id=saga_id, enlist=[enlistment("a")])
        self.refused("ALREADY_EXISTS", "STEP_EXISTS", self.client.Enlist, saga_id=saga_id,
                     enlist=[enlistment("a", request=b"other")])
        self.client.Settle(saga_id=saga_id, settle=[settled("a")])
        self.client.Settle(saga_id=saga_id, settle=[settled("a")])
        self.refused("FAILED_PRECONDITION", "STEP_SETTLED", self.client.Settle, saga_id=saga_id,
                     settle=[settled("a", REJECTED)])
        self.client.Commit(saga_id=saga_id)

    def test_repetitions(self):
        """The column "a repetition" of docs/api.md, for what an owner says."""
        plain, patient = enlistment("a"), enlistment("a")
        patient["compensation"] = dict(patient["compensation"], retry={"max_attempts": 7, "initial_backoff": seconds(0.1),
                                                                      "max_backoff": seconds(1), "backoff_multiplier": 2})
        # A retry policy may differ between two tries; the call may not.
        begun = [self.client.Begin(name="order", request_id="rep-1", enlist=[e]) for e in (plain, patient)]
        self.assertEqual([False, True], [b.already_started for b in begun])
        saga_id = begun[0].saga_id
        self.client.Enlist(saga_id=saga_id, enlist=[patient])
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", self.client.Begin, name="order", request_id="rep-1",
                     enlist=[enlistment("a", request=b"other")])
        # Nothing is owed for what was refused for good, so its owner is not told to act again.
        self.client.Settle(saga_id=saga_id, settle=[settled("a", REJECTED)])
        self.refused("FAILED_PRECONDITION", "STEP_SETTLED", self.client.Enlist, saga_id=saga_id, enlist=[plain])
        self.refused("FAILED_PRECONDITION", "STEP_SETTLED", self.client.Begin, name="order", request_id="rep-1", enlist=[plain])
        self.client.Enlist(saga_id=saga_id, enlist=[enlistment("b")])
        # Commit again is OK, and whatever outcomes come with it, those that were recorded count.
        last = [settled("a", REJECTED), settled("b")]
        for settle in (last, last, [], [settled("b", REJECTED)]):
            self.client.Commit(saga_id=saga_id, settle=settle)
        self.assertEqual({"a": "REJECTED", "b": "DONE"}, {name: s[0] for name, s in self.client.steps(saga_id).items()})
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Abort, saga_id=saga_id)
        # Abort again is OK while it is undone and after.
        gate = Gate()
        self.addCleanup(gate.open)
        self.shop.on(undo("c"), gate)
        other = self.begin("c")
        self.client.Abort(saga_id=other, settle=[settled("c")])
        gate.await_call()
        self.client.Abort(saga_id=other, settle=[settled("c")])
        self.client.Cancel(saga_id=other)
        self.refused("FAILED_PRECONDITION", "STEP_SETTLED", self.client.Abort, saga_id=other, settle=[settled("c", UNKNOWN)])
        gate.open()
        self.assertState("COMPENSATED", self.client.end(other))
        self.client.Abort(saga_id=other)
        self.client.Cancel(saga_id=other)
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Commit, saga_id=other)

    def test_all_or_nothing(self):
        """One bad enlistment of a request leaves nothing of the others."""
        saga_id = self.begin("a")
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", self.client.Enlist, saga_id=saga_id, settle=[settled("a")],
                     enlist=[enlistment("b"), enlistment("c", target="nobody")], field="enlist[1].compensation.target")
        saga = self.client.saga(saga_id)
        self.assertEqual([("a", enum("ActionState", "ACTION_STATE_STARTED"))], [(s.name, s.action) for s in saga.steps])
        self.client.Abort(saga_id=saga_id)
        self.client.end(saga_id)

    def test_request_id(self):
        first = self.client.Begin(name="order", request_id="e-1", enlist=[enlistment("a")])
        again = self.client.Begin(name="order", request_id="e-1", enlist=[enlistment("a")])
        self.assertEqual((first.saga_id, False, True), (again.saga_id, first.already_started, again.already_started))
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", self.client.Begin, name="other", request_id="e-1")
        self.client.Abort(saga_id=first.saga_id)

    def test_lease_lapses(self):
        began = time.monotonic()
        saga_id = self.begin("a", lease=seconds(0.3))
        saga = self.client.end(saga_id)
        self.assertGreaterEqual(time.monotonic() - began, 0.29)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("LEASE", reason_name(saga.reason))
        self.assertEqual(["a"], self.shop.order(saga_id, "compensation"))
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Enlist, saga_id=saga_id, enlist=[enlistment("b")])

    def test_keep_alive(self):
        saga_id = self.begin("a", lease=seconds(4.5))
        kept_for = time.monotonic() + 5
        while time.monotonic() < kept_for:
            lease = self.client.KeepAlive(saga_id=saga_id).lease
            self.assertEqual((4, 500000000), (lease.seconds, lease.nanos))
            # A pace of its own is what this test is about; nothing is awaited here.
            time.sleep(0.1)
        self.assertState("RUNNING", self.client.saga(saga_id))
        self.client.Commit(saga_id=saga_id, settle=[settled("a")])
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.KeepAlive, saga_id=saga_id)

    def test_a_stopped_sidecar_is_nobodys_fault(self):
        """What keeps the sidecar from looking (a frozen machine, a slow disk) lets no lease lapse: it starts anew."""
        sagas = [self.begin("a", lease=seconds(4)) for _ in range(5)]
        freeze(self.sidecar.process.pid)
        try:
            time.sleep(6)
        finally:
            self.sidecar.process.send_signal(signal.SIGCONT)
        for saga_id in sagas:
            self.client.KeepAlive(saga_id=saga_id)
        for saga_id in sagas:
            self.client.Commit(saga_id=saga_id, settle=[settled("a")])
        # One whose owner is gone is undone all the same, a lease later.
        gone = self.begin("a", lease=seconds(0.5))
        self.assertState("COMPENSATED", self.client.end(gone))

    def test_an_owners_word_delays_the_undo(self):
        """It settles UNKNOWN, and says for how long its own call may still be on its way."""
        saga_id = self.begin("a")
        began = time.monotonic()
        self.client.Abort(saga_id=saga_id, settle=[settled("a", UNKNOWN, may_run_for=seconds(1))])
        self.assertState("COMPENSATED", self.client.end(saga_id))
        self.assertGreaterEqual(self.shop.of(saga_id, "compensation")[0].began - began, 1.0)

    def test_repetitions_after_it_has_turned_back_or_ended(self):
        gate = Gate()
        self.addCleanup(gate.open)
        self.shop.on(undo("a"), gate)
        saga_id = self.begin("a")
        self.client.Settle(saga_id=saga_id, settle=[settled("a")])
        repeated = ((self.client.Enlist, {"enlist": [enlistment("a")]}), (self.client.Settle, {"settle": [settled("a")]}),
                    (self.client.KeepAlive, {}))
        for call, fields in repeated:
            call(saga_id=saga_id, **fields)
        self.client.Abort(saga_id=saga_id)
        gate.await_call()
        for call, fields in repeated:
            self.refused("FAILED_PRECONDITION", "SAGA_TURNED_BACK", call, saga_id=saga_id, **fields)
        gate.open()
        self.assertState("COMPENSATED", self.client.end(saga_id))
        for call, fields in repeated:
            self.refused("FAILED_PRECONDITION", "SAGA_ENDED", call, saga_id=saga_id, **fields)

    def test_which_calls_renew_the_lease(self):
        """What an owner alone says renews it; what anybody asks does not, however often."""
        renewing = {
            "Begin": lambda s: self.client.Begin(name="order", request_id="lease-Begin", enlist=[enlistment("a")], lease=seconds(2)),
            "Enlist": lambda s: self.client.Enlist(saga_id=s, enlist=[enlistment("b")]),
            "Settle": lambda s: self.client.Settle(saga_id=s, settle=[settled("a")]),
            "KeepAlive": lambda s: self.client.KeepAlive(saga_id=s),
            "Commit": lambda s: self.refused("FAILED_PRECONDITION", "STEPS_OPEN", self.client.Commit, saga_id=s),
        }
        sagas = {name: self.begin("a", request_id="lease-" + name, lease=seconds(2)) for name in renewing}
        asked = self.begin("a", lease=seconds(2))
        renewed = {}

        def has_lapsed():
            """Asks whatever may be asked, and if any of it renewed the lease, there would be no end to it."""
            self.client.List(page_size=1)
            next(self.client.Watch(saga_id=asked))
            try:
                self.client.Wait(saga_id=asked, timeout=0.05)
            except grpc.RpcError as error:
                self.assertEqual(Code.DEADLINE_EXCEEDED, error.code())
            return state_name(self.client.saga(asked)) != "RUNNING"
        time.sleep(0.3)  # so much later it lapses
        for name, call in renewing.items():
            renewed[name] = time.time()
            call(sagas[name])
        wait_until(has_lapsed, "the lease of the one that was only asked about lapses")
        self.assertEqual("LEASE", reason_name(self.client.end(asked).reason))
        for name, saga_id in sagas.items():
            self.assertEqual("LEASE", reason_name(self.client.end(saga_id).reason))
            ended = self.client.saga(saga_id).ended_at
            self.assertGreaterEqual(ended.seconds + ended.nanos / 1e9 - renewed[name], 1.99, name)

    def test_deadline(self):
        # The owner may still be acting when the deadline passes: the undo waits until its lease has lapsed as well.
        saga_id = self.begin("a", deadline=seconds(0.2), lease=seconds(0.4))
        saga = self.client.end(saga_id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("DEADLINE", reason_name(saga.reason))

    def test_compensation_policy(self):
        """timeout and retry of an enlisted compensation are its own."""
        saga_id = self.client.Begin(name="order", enlist=[enlistment(
            "slow", timeout=seconds(0.5), retry={"max_attempts": 2, "initial_backoff": seconds(0.001)})]).saga_id
        self.shop.on(undo("slow"), Gate())
        self.client.Abort(saga_id=saga_id)
        saga = self.client.stuck(saga_id)
        self.assertEqual("COMPENSATION_FAILED", reason_name(saga.stuck_reason))
        calls = self.shop.of(saga_id)
        self.assertEqual(2, self.client.saga(saga_id).steps[0].compensation_attempts)  # not each that was given up need have come so far
        self.assertLessEqual(max([c.time_left for c in calls], default=0), 0.51)
        self.client.operator.Resolve(saga_id=saga_id, actor="test", reason="by hand")

    def test_compensation_is_retried(self):
        saga_id = self.begin("flaky")
        self.shop.on(undo("flaky"), fail_times(3, Code.INTERNAL))
        self.client.Abort(saga_id=saga_id)
        self.assertState("COMPENSATED", self.client.end(saga_id))
        self.assertEqual(4, len(self.shop.of(saga_id)))

    def test_cancel_waits_for_the_owner(self):
        """The owner may be acting when somebody else cancels: nothing is undone before it has had its lease to stop."""
        saga_id = self.begin("a", lease=seconds(4))
        self.client.Cancel(saga_id=saga_id)
        self.refused("FAILED_PRECONDITION", "SAGA_TURNED_BACK", self.client.Enlist, saga_id=saga_id, enlist=[enlistment("b")])
        saga = self.client.end(saga_id)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("CANCELLED", reason_name(saga.reason))
        self.assertEqual(["a"], self.shop.order(saga_id, "compensation"))

    def test_survives_kill(self):
        """What was enlisted before kill -9 is undone after it, by the sidecar alone."""
        sidecar = Sidecar(targets={"shop": self.shop.address})
        try:
            saga_id = sidecar.client.Begin(name="order", enlist=[enlistment("a"), enlistment("b")],
                                           lease=seconds(3)).saga_id
            sidecar.client.Settle(saga_id=saga_id, settle=[settled("a")])
            sidecar.restart("kill")
            saga = sidecar.client.end(saga_id)
            self.assertState("COMPENSATED", saga)
            self.assertEqual("LEASE", reason_name(saga.reason))
            self.assertEqual(["b", "a"], self.shop.order(saga_id, "compensation"))
        finally:
            sidecar.close()
