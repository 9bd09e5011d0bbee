"""Sagas that go without something: fallbacks, steps that do not wait for their target, and deferred steps."""
import json
import os
import shutil
import subprocess
import tempfile

import grpc

from test_watching import get
from harness import SAGAD, Case, Gate, Sidecar, definition, do, enum, enum_name, fail, state_name, undo, wait_until

Code = grpc.StatusCode
SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
HOLD, RESET = (enum("BreakerAct", "BREAKER_ACT_" + name) for name in ("HOLD", "RESET"))
ONCE = "timeout: 30s, retry: {maxAttempts: 1}"
SCORE = ("name: score, target: shop, unavailable: fallback, action: {method: %s, %s}, compensation: {method: %s, request: input},\n"
         "     fallback: {target: other, action: {method: %s, %s}, compensation: {method: %s, request: own_output},\n"
         "       fallback: {value: {constant: plain}}}" % (do("score"), ONCE, undo("score"), do("old"), ONCE, undo("old")))
CHARGE = "name: charge, after: [score], target: shop, action: {method: %s, request: {output: score}, %s}, compensation: none" % (do("charge"), ONCE)
RATE = ("name: rate, target: shop, unavailable: fallback, action: {method: %s, request: {constant: all}, %s}, compensation: none,\n"
        "     fallback: {last_good: {key: all, max_age: %%s}}" % (do("rate"), ONCE))
SPEND = "name: spend, after: [rate], target: other, action: {method: %s, request: {output: rate}, %s}, compensation: none" % (do("spend"), ONCE)
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
        wait_until(lambda: "breaker" in self.client.saga(saga_id).steps[3].waiting_for, "what comes after it waits for the breaker")
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

    def refuse_rates(self):
        self.shop.on(do("rate"), fail(Code.NOT_FOUND))

    def test_the_last_good_answer_stands_in(self):
        """It outlives the process; the saga says since when it is stale."""
        self.shop.on(do("rate"), lambda call: b"1.08")
        self.client.register(definition("convert", RATE % "1h", SPEND))
        fresh = self.client.run("convert")
        self.assertEqual(("COMMITTED", []), (state_name(fresh), self.lacks(fresh)))
        self.sidecar.kill()
        self.sidecar.start()
        self.client = self.sidecar.client
        self.refuse_rates()
        stale = self.client.run("convert")
        saga = self.client.Get(saga_id=stale.id)
        self.assertEqual(("COMMITTED", [("rate", "STALE")]), (state_name(saga.saga), self.lacks(saga.saga)))
        given = [e.at for e in self.client.Get(saga_id=fresh.id).timeline if e.step == "rate" and e.action]
        self.assertEqual(given, [saga.saga.lacks[0].as_of])
        self.assertEqual(given, [e.as_of for e in saga.timeline if e.HasField("as_of")])
        self.assertEqual(b"1.08", self.shop.of(stale.id, step="spend")[0].request)
        self.assertEqual([stale.id], [s.id for s in self.client.List(where="degraded").sagas])
        told = self.ctl("get", stale.id)[1]
        self.assertIn("degraded   rate: stale since ", told)
        self.assertIn("rate.fallback DONE, by the last good", told)
        metrics = get(self.sidecar, "/metrics")[2].splitlines()
        self.assertIn('sagad_sagas_degraded_total{definition="convert",kind="STALE"} 1', metrics)
        self.assertIn("sagad_last_good_answers 1", metrics)
        # While the target takes no calls it comes at once; another version of the definition has the same answers.
        self.client.operator.SetBreaker(target="shop", act=HOLD, actor="ops", reason="a drill")
        self.client.register(definition("convert", RATE % "2h", SPEND, version="1.0.1"))
        self.assertEqual([("", "STALE")], self.lacks(self.client.run("convert")))

    def test_an_answer_is_forgotten(self):
        """By name and key, over a kill -9; the audit trail and the log say that, by whom and why, and of which key nothing."""
        self.shop.on(do("rate"), lambda call: b"1.08")
        self.client.register(definition("convert", RATE.replace("key: all", "key: anna-7") % "1h", SPEND))
        self.client.register(definition("other", RATE % "1h", SPEND))
        for name in ("convert", "other"):
            self.assertEqual("COMMITTED", state_name(self.client.run(name)))
        told = self.ctl("forget", "convert/rate", "nobody", "--reason", "she asked")[1]
        self.assertIn("no fallback takes an answer of convert/rate under this key", told)
        self.assertIn("sagad_last_good_answers 2", get(self.sidecar, "/metrics")[2].splitlines())
        self.ctl("forget", "convert/rate", "anna-7", "--actor", "ops", "--reason", "she asked")
        self.sidecar.kill()
        log = "".join(self.sidecar.lines)
        self.assertIn("a last good answer is forgotten", log)
        self.assertNotIn("anna-7", log)
        self.sidecar.start()
        self.client = self.sidecar.client
        self.assertIn("sagad_last_good_answers 1", get(self.sidecar, "/metrics")[2].splitlines())
        self.refuse_rates()
        self.assertEqual("COMPENSATED", state_name(self.client.run("convert")))
        self.assertEqual("COMMITTED", state_name(self.client.run("other")))
        trail = [e for e in self.client.operator.ListAudit().entries if e.method == "ForgetAnswer"]
        self.assertEqual([("convert/rate", "ops", "she asked")], [(e.subject, e.actor, e.reason) for e in trail][:1])
        self.assertNotIn("anna-7", str(trail))
        for fields, field in (({"name": ""}, "name"), ({"name": "x" * 258}, "name"), ({"key": "x" * 257}, "key"),
                              ({"actor": ""}, "actor"), ({"reason": ""}, "reason"), ({"reason": "x" * 257}, "reason")):
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.operator.ForgetAnswer,
                         **{"name": "a/b", "key": "k", "actor": "ops", "reason": "why", **fields}, field=field)

    def test_an_answer_is_forgotten_in_every_loop(self):
        self.shop.on(do("rate"), lambda call: b"1.08")
        sidecar = Sidecar(loops=2, http_listen="127.0.0.1:0", targets={"shop": self.shop.address, "other": self.shop.address})
        self.addCleanup(sidecar.close)
        sidecar.client.register(definition("convert", RATE % "1h", SPEND))
        for i in range(20):
            self.assertEqual("COMMITTED", state_name(sidecar.client.run("convert", request_id="r%d" % i)))
        def kept(count):
            return lambda: "sagad_last_good_answers %d" % count in get(sidecar, "/metrics")[2].splitlines()
        wait_until(kept(2), "each loop has one")
        sidecar.client.operator.ForgetAnswer(name="convert/rate", key="all", actor="ops", reason="it was wrong")
        wait_until(kept(0), "no loop has one")

    def test_an_answer_that_is_too_old_does_not(self):
        self.shop.on(do("rate"), lambda call: b"1.08")
        self.client.register(definition("convert", RATE % "1s", SPEND))
        self.assertEqual("COMMITTED", state_name(self.client.run("convert")))
        self.refuse_rates()
        ends = []
        wait_until(lambda: ends.append(self.client.run("convert")) or state_name(ends[-1]) == "COMPENSATED", "it is too old", 30)
        told = [e.message for e in self.client.Get(saga_id=ends[-1].id).timeline if e.step == "rate.fallback"]
        self.assertRegex(told[0], r"^the last good answer under its key is [1-9][0-9]*s old, and max_age is 1s$")
        # One that has never been given.
        self.client.register(definition("other", RATE % "1h", SPEND))
        never = self.client.run("other")
        self.assertEqual("COMPENSATED", state_name(never))
        told = [e.message for e in self.client.Get(saga_id=never.id).timeline if e.step == "rate.fallback"]
        self.assertEqual("there is no good answer under its key to fall back to (last_good)", told[0])

    def test_answers_that_are_too_old_are_forgotten(self):
        """Also when nobody asks for them."""
        self.sidecar.close()
        self.sidecar = Sidecar(targets={"shop": self.shop.address, "other": self.shop.address}, http_listen="127.0.0.1:0", last_good_age_max="1s")
        self.shop.on(do("rate"), lambda call: b"1.08")
        self.sidecar.client.register(definition("brief", RATE % "1s", SPEND))
        self.assertEqual("COMMITTED", state_name(self.sidecar.client.run("brief")))
        wait_until(lambda: "sagad_last_good_answers 0" in get(self.sidecar, "/metrics")[2].splitlines(), "it is forgotten", 30)

    def test_answers_are_bounded(self):
        """The oldest gives way, what is older than age_max is not asked for, and a smaller bound holds from the next start on."""
        self.sidecar.close()
        self.sidecar = Sidecar(targets={"shop": self.shop.address, "other": self.shop.address}, http_listen="127.0.0.1:0",
                               last_good_answers_max=2, last_good_bytes_max="64KiB", last_good_age_max="10m")
        self.client = self.sidecar.client
        self.shop.on(do("rate"), lambda call: b"1.08")
        self.assertIn("10m", self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.register, definition("long", RATE % "11m", SPEND)).text)
        for name in "abc":
            self.client.register(definition(name, RATE % "10m", SPEND))
            self.assertEqual("COMMITTED", state_name(self.client.run(name)))
        metrics = get(self.sidecar, "/metrics")[2].splitlines()
        self.assertIn("sagad_last_good_answers 2", metrics)
        self.assertIn("sagad_last_good_evicted_total 1", metrics)
        self.refuse_rates()
        self.assertEqual(["COMPENSATED", "COMMITTED", "COMMITTED"], [state_name(self.client.run(name)) for name in "abc"])
        # One that is too large for all is not kept, nor what was kept before it.
        self.shop.on(do("rate"), lambda call: b"x" * 65536)
        self.assertEqual("COMMITTED", state_name(self.client.run("c")))
        self.refuse_rates()
        self.assertEqual("COMPENSATED", state_name(self.client.run("c")))

    def test_answers_are_encrypted_where_the_journal_is(self):
        self.sidecar.close()
        folder = tempfile.mkdtemp(prefix="saga-e2e-")
        self.addCleanup(shutil.rmtree, folder)
        keys = os.path.join(folder, "keys")
        with open(os.open(keys, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write("one " + "11" * 32 + "\n")
        self.sidecar = Sidecar(targets={"shop": self.shop.address, "other": self.shop.address}, encryption_key_file=keys)
        self.client = self.sidecar.client
        self.shop.on(do("rate"), lambda call: b"a rate that nobody may read")
        self.client.register(definition("convert", RATE % "1h", SPEND))
        self.assertEqual("COMMITTED", state_name(self.client.run("convert")))
        self.sidecar.kill()
        folder = self.sidecar.options["data_dir"]
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    self.assertNotIn(b"nobody may read", f.read(), name)
        self.sidecar.start()
        self.client = self.sidecar.client
        self.refuse_rates()
        stale = self.client.run("convert")
        self.assertEqual(b"a rate that nobody may read", self.shop.of(stale.id, step="spend")[0].request)

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
