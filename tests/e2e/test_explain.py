"""What an operator is told at night: why a saga is where it is, and what goes on."""
import json
import os
import re
import subprocess
import unittest

import grpc

from harness import (PATIENCE_S, QUICK, ROOT, Case, Gate, Participant, Sidecar, definition, do, fail, state, step, undo, wait_until)

Code = grpc.StatusCode
SAGACTL = os.environ.get("SAGACTL", os.path.join(ROOT, "build/release/sagactl"))
EVIL = "away \x1b]0;owned\x07"


class Ctl:
    zone = "UTC"

    def ctl(self, *args, code=0):
        env = dict({k: v for k, v in os.environ.items() if k not in ("SAGAD_ADDRESS", "NO_COLOR")}, LC_ALL="C.UTF-8", TZ=self.zone, COLUMNS="200", USER="anna")
        ran = subprocess.run([SAGACTL, "--address", self.sidecar.address, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             timeout=3 * PATIENCE_S, env=env)
        self.assertEqual(code, ran.returncode, ran)
        return ran.stdout


class Why(Ctl, Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(definition("frail", "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, "
                                       + QUICK % 3 + "}", step("b", after=["a"], more=QUICK % 1)))
        cls.client.register(definition("slow", step("a"), step("b", after=["a"])))

    def stuck(self):
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.UNAVAILABLE, EVIL))
        return self.client.stuck(self.client.Start(definition="frail").saga_id).id

    def test_why_a_saga_is_stuck(self):
        saga_id = self.stuck()
        said = self.ctl("why", saga_id)
        self.assertNotIn("\x1b", said)
        self.assertIn("frail 1.0.0  STUCK", said)
        self.assertRegex(said, r"undone for action rejected at b\n")
        self.assertRegex(said, r"which said no cover\n")
        self.assertRegex(said, r"the undo of a\n +waits for +an operator, since \S+ ago\n +tried +3 attempts of its compensation\n"
                               r" +was told +UNAVAILABLE: away ")
        self.assertRegex(said, r"target shop at [\d.:]+, to all sagas\n +is +reached\n +calls +0 of 256 places taken, 0 wait\n")
        self.assertRegex(said, r"5 minutes +\d+ attempts ended: [\d.]+ % failed, [\d.]+ % were refused; ")
        self.assertRegex(said, r"succeeded +\S+ ago\n +failed +\S+ ago: UNAVAILABLE: away ")
        for command, does in (("retry %s a", "under the same key"), ("skip %s a --reason 'WHY'", "undoing the others. Still open: a."),
                              ("resolve %s --reason 'WHAT WAS DONE'", "Left as it is: a.")):
            self.assertRegex(said, re.escape(command % saga_id) + r"\n.*" + re.escape(does))
        # What it proposes does what it says.
        self.shop.on(undo("a"), lambda call: b"")
        self.ctl("retry", saga_id, "a")
        self.assertState("COMPENSATED", self.client.end(saga_id))
        self.assertRegex(self.ctl("why", saga_id), r"ended +\S+ ago\nIt waits for nothing. How it went: sagactl get %s\n" % saga_id)
        self.ctl("why", "9f03c1d2a4b7-2a", code=4)

    def test_shares_are_those_of_the_target(self):
        before = self.client.operator.Status().loops
        recent = lambda loops: [sum(getattr(t.recent, n) for l in loops for t in l.targets) for n in ("count", "refused", "failed")]
        self.stuck()
        after = self.client.operator.Status().loops
        # a was done, b refused, and the undo of a failed three times.
        self.assertEqual([5, 1, 3], [y - x for x, y in zip(recent(before), recent(after))])
        steps = {(f.step, f.compensation): f for l in after for f in l.failing_steps if f.definition == "frail"}
        self.assertEqual({("a", True), ("b", False)}, set(steps))
        self.assertEqual((14, 9), (steps["a", True].last_status, steps["b", False].last_status))

    def test_why_a_saga_runs_on(self):
        gate = Gate()
        self.addCleanup(gate.open)
        self.shop.on(do("b"), gate)
        saga_id = self.client.Start(definition="slow").saga_id
        gate.await_call()
        said = self.ctl("why", saga_id)
        self.assertRegex(said, r"the action of b\n +waits for +the answer of target shop, since \S+ ago\n +tried +1 attempt of its action\n")
        self.assertRegex(said, r"cancel %s --reason 'WHY'\n +Turns it back\. To be undone, where there is a compensation: b, a\." % saga_id)
        self.assertNotIn("until  ", said)
        self.assertIn("pause %s" % saga_id, said)
        self.client.operator.Pause(saga_id=saga_id, actor="anna")
        said = self.ctl("why", saga_id)
        self.assertIn("RUNNING, paused", said)
        self.assertIn("resume %s" % saga_id, said)
        self.client.operator.Resume(saga_id=saga_id, actor="anna")
        told = self.ctl("-o", "json", "why", saga_id)
        self.assertIn('"waiting_for": "the answer of target shop"', told)
        self.assertIn('"target": "shop"', told)
        gate.open()
        self.client.end(saga_id)


    def test_why_offers_what_is_taken(self):
        """Of a saga whose pivot is asked again nobody can cancel: not offered, and the refusal says what else there is."""
        self.client.register(definition("pivots", step("a"), step("p", after=["a"], compensate=False, more="pivot: true, retry: {maxAttempts: 2, "
                                        "initialBackoff: 1h, maxBackoff: 1h, jitter: 0}")))
        self.shop.on(do("p"), fail(Code.INTERNAL, "a bug"))
        saga_id = self.client.Start(definition="pivots").saga_id
        wait_until(lambda: "next attempt" in self.client.saga(saga_id).steps[1].waiting_for, "it waits for its next attempt")
        self.zone = "Asia/Kolkata"
        said = self.ctl("why", saga_id)
        self.assertRegex(said, r"the action of p\n +waits for +the time of its next attempt, since \S+ ago\n"
                               r" +until +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0530, in (1h|59m).*\n +tried +1 attempt of its action\n")
        self.assertRegex(self.ctl("get", saga_id), r"p +STARTED +NONE +the time of its next attempt, until \S+ \S+ \+0530, in (1h|59m)")
        self.assertNotIn("cancel", said)
        self.assertNotIn("deadline", said)
        self.assertIn("retry %s p\n" % saga_id, said)
        self.assertIn("reject turns it back", self.refused("FAILED_PRECONDITION", "AFTER_PIVOT", self.client.Cancel, saga_id=saga_id).text)
        self.assertIn("while its target cannot be reached", self.refused("FAILED_PRECONDITION", "SAGA_NOT_STUCK", self.client.operator.Skip, saga_id=saga_id, step="p",
                                                                         actor="anna", reason="r").text)
        self.ctl("retry", saga_id, "p")
        said = self.ctl("why", self.client.stuck(saga_id).id)
        self.assertIn("Left as it is: p.", said)
        self.ctl("reject", saga_id, "p", "--reason", "asked them")
        self.assertState("COMPENSATED", self.client.end(saga_id))


class Where(Ctl, Case):
    """Lists that are narrowed by a question."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("one", "two"):
            cls.client.register(definition(name, "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, "
                                           + QUICK % 1 + "}", step("b", after=["a"], more=QUICK % 1)))

    def listed(self, where, **more):
        found, token = [], ""
        while True:
            page = self.client.List(where=where, page_token=token, page_size=3, **more)
            found += [s.id for s in page.sagas]
            token = page.next_page_token
            if not token:
                return found

    def letters(self, where, **more):
        return [s.id for s in self.client.operator.ListDeadLetters(where=where, **more).sagas]

    def test_where(self):
        code = {}
        refuse = lambda call: fail(Code.NOT_FOUND)(call)
        self.shop.on(undo("a"), lambda call: fail(code[call.saga])(call))
        done = [self.client.run(name).id for name in ("one", "two", "one")]
        self.shop.on(do("b"), refuse)
        stuck = []
        for i, name in enumerate(("one", "two", "one", "two")):
            gate = Gate()
            self.shop.on(do("a"), gate)
            saga_id = self.client.Start(definition=name, request_id="where-%d" % i).saga_id
            gate.await_call()
            code[saga_id] = (Code.UNAVAILABLE, Code.INTERNAL)[i // 2]
            gate.open()
            self.client.stuck(saga_id)
            stuck.append(saga_id)
        newest_first = lambda ids: list(reversed(ids))
        self.assertEqual(newest_first(done), self.listed("state == COMMITTED"))
        self.assertEqual(newest_first(stuck), self.listed("state == STUCK && age >= duration('0s')"))
        self.assertEqual([], self.listed("state == STUCK && age > duration('1h')"))
        self.assertEqual(newest_first(done + stuck), self.listed("definition in ['one', 'two']"))
        self.assertEqual([stuck[2], stuck[0]], self.listed("definition == 'one' && step == 'a' && reason == COMPENSATION_FAILED"))
        self.assertEqual([stuck[2], stuck[0]], self.listed("step == 'a'", definition="one"))
        self.assertEqual([], self.listed("definition == 'two'", definition="one"))
        self.assertEqual([stuck[1]], self.listed("request_id == 'where-1'"))
        self.assertEqual([done[1]], self.listed("ended_at >= started_at && definition == 'two'"))
        self.assertEqual(stuck[:2], self.letters("status == 'UNAVAILABLE'"))
        self.assertEqual(stuck[3:], self.letters("status == 'INTERNAL'", definition="two"))
        self.assertEqual([stuck[2]], self.listed("id == '%s'" % stuck[2]))
        many = "[1,2,3,4,5,6,7,8,9]"
        for wrong, words in (("state == 1", "column"), ("sate == STUCK", "sate"), ("'x'", "neither true nor false"),
                             ("%s.all(a, %s.all(b, %s.all(c, %s.all(d, a + b + c + d > 0))))" % (many, many, many, many), "costs more")):
            failure = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.List, where=wrong, field="where")
            self.assertIn(words, failure.text)
        # sagactl hands it on, and its next page has it, too.
        said = self.ctl("list", "--where", "state == STUCK && step == 'a'", "--limit", "1")
        self.assertIn(stuck[3], said)
        self.assertRegex(said, r"(?m)^more: sagactl list .*--where 'state == STUCK && step == .* --page ")
        told = json.loads(self.ctl("-o", "json", "deadletters", "--where", "status == 'INTERNAL'"))
        self.assertEqual(stuck[2:], [s["id"] for s in told["sagas"]])
        self.assertIn("2 dead letters:", self.ctl("deadletters", "--summary", "--where", "definition == 'one'"))
        self.ctl("list", "--where", "sate == STUCK", code=1)


class Away(Ctl, unittest.TestCase):
    """A target that cannot be reached."""

    def test_why_and_top_name_it(self):
        gone = Participant()
        address = gone.address
        gone.stop()
        self.sidecar = Sidecar(targets={"shop": address})
        self.addCleanup(self.sidecar.close)
        client = self.sidecar.client
        client.register(definition("waits", step("a", more=QUICK % 2)))
        saga_id = client.Start(definition="waits").saga_id
        wait_until(lambda: "which cannot be reached" in client.saga(saga_id).steps[0].waiting_for, "it waits for the target")
        said = self.ctl("why", saga_id)
        self.assertRegex(said, r"the action of a\n +waits for +target shop, which cannot be reached, since \S+ ago\n +until +\S+ \S+ \+0000, in 4m ")
        self.assertRegex(said, r"is +not to be reached for \S+: calls wait for it\n +calls +\d+ of \d+ places taken, 1 wait\n")
        self.assertRegex(said, r"succeeded +never since the sidecar's start\n +failed +\S+ ago: UNAVAILABLE: \S+")
        self.assertRegex(self.ctl("top", "--once"), r"(?m)^shop +\d+/\d+ +1 .* cannot be reached *$")


class Top(Ctl, Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(definition("frail", "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, "
                                       + QUICK % 1 + "}", step("b", after=["a"], more=QUICK % 1)))

    def test_top(self):
        self.assertRegex(self.ctl("top", "--once"), r"(?m)^sagas +0 live, 0 going back, 0 stuck, 0 paused$")
        saga_id = self.client.run("frail").id
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.INTERNAL, "a bug"))
        self.client.stuck(self.client.Start(definition="frail").saga_id)
        said = self.ctl("top", "--once")
        self.assertRegex(said, r"(?m)^sagas +1 live, 0 going back, 1 stuck, 0 paused$")
        self.assertRegex(said, r"(?m)^a second +0\.0 started, 0\.0 ended, ")
        self.assertRegex(said, r"(?m)^5 minutes +1 ended: 100 % committed; ")
        self.assertRegex(said, r"(?m)^shop +0/256 +0 +5 +20% +20% ")
        self.assertRegex(said, r"(?m)^frail, undo of a +1  INTERNAL: a bug")
        self.assertRegex(said, r"(?m)^frail, action of b +1  FAILED_PRECONDITION: no cover")
        self.assertRegex(said, r"(?m)^DEAD LETTERS AT .*\nfrail, undo of a +1  INTERNAL: a bug")
        process = subprocess.Popen([SAGACTL, "--address", self.sidecar.address, "top", "-o", "json", "--timeout", "60s"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        for _ in range(2):
            look = process.stdout.readline()
            self.assertTrue('"per_second"' in look and '"recent_sagas"' in look, look)


class Rates(Ctl, Case):
    def test_rates(self):
        """What is started while it looks, it counts."""
        self.client.register(definition("quick", step("a")))
        process = subprocess.Popen([SAGACTL, "--address", self.sidecar.address, "top", "-o", "json", "--timeout", "60s"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        rate, started = 0, 0
        while rate == 0:
            for _ in range(20):
                self.client.Start(definition="quick")
                started += 1
            line = process.stdout.readline()
            self.assertTrue(line, "it ended before it saw any")
            rate = json.loads(line)["per_second"]["started"]
        self.assertLessEqual(rate, started)


class Log(Case):
    options = {"log_level": "debug"}
    TRACE = "0af7651916cd43dd8448eb211c80319c"

    def test_lines_about_a_saga_say_what_about(self):
        self.client.register(definition("told", step("a"), step("b", after=["a"], more=QUICK % 2)))
        self.shop.on(do("b"), fail(Code.UNAVAILABLE, "x"))
        saga_id = self.client.Start(definition="told", traceparent="00-%s-b7ad6b7169203331-01" % self.TRACE).saga_id
        self.client.end(saga_id)
        wait_until(lambda: any(l["msg"] == "saga ended" for l in self.lines(saga_id)), "its end is told")
        lines = self.lines(saga_id)
        self.assertEqual({self.TRACE}, {l.get("trace_id") for l in lines})
        self.assertIn({"msg": "action attempt failed", "step": "b", "attempt": "1", "target": "shop", "status": "UNAVAILABLE"},
                      [{k: l.get(k) for k in ("msg", "step", "attempt", "target", "status")} for l in lines])
        self.assertEqual({"shop"}, {l["target"] for l in lines if l["msg"].startswith("compensation")})

    def lines(self, saga_id):
        return [l for l in self.sidecar.log() if l.get("saga") == saga_id]
