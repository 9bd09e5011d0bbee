"""Bulk jobs: one act on many dead letters, durably."""
import os
import subprocess
import time

import grpc

from harness import (LOOPS, PATIENCE_S, QUICK, ROOT, Case, definition, do, enum, fail, state_name, step, undo, wait_until)

Code = grpc.StatusCode
SAGACTL = os.environ.get("SAGACTL", os.path.join(ROOT, "build/release/sagactl"))
RUNNING, PAUSED, DONE, CANCELLED, FAILED = (enum("BulkState", "BULK_STATE_" + n) for n in ("RUNNING", "PAUSED", "DONE", "CANCELLED", "FAILED"))
RETRY, SKIP, RESOLVE = (enum("BulkAct", "BULK_ACT_" + n) for n in ("RETRY", "SKIP", "RESOLVE"))


class Bulk(Case):
    def setUp(self):
        super().setUp()
        self.operator = self.sidecar.client.operator
        self.client = self.sidecar.client

    def ctl(self, *args, code=0):
        ran = subprocess.run([SAGACTL, "--address", self.sidecar.address, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             timeout=3 * PATIENCE_S, env=dict(os.environ, LC_ALL="C.UTF-8", USER="anna"))
        self.assertEqual(code, ran.returncode, ran)
        return ran.stdout

    def letters(self, name, count, refuse=Code.INTERNAL, before=None):
        """So many dead letters of a new definition, the oldest first."""
        self.client.register(definition(name, *([before] if before else []), "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, "
                                        + QUICK % 1 + "}", step("b", after=["a"], more=QUICK % 1)))
        self.shop.on(do("b"), fail(Code.NOT_FOUND))
        self.shop.on(undo("a"), fail(refuse, "not now"))
        ids = [self.client.Start(definition=name).saga_id for _ in range(count)]
        for saga_id in ids:
            self.client.stuck(saga_id)
        return ids

    def job(self, name):
        """Of all loops together: (the states, looked at, done, refused)."""
        jobs = self.operator.ListBulks(id=name).jobs
        return {j.state for j in jobs}, sum(j.examined for j in jobs), sum(j.acted for j in jobs), sum(j.refused for j in jobs)

    def ended(self, name):
        wait_until(lambda: not self.job(name)[0] & {RUNNING, PAUSED}, "the job has ended")
        return self.job(name)

    def acts(self, saga_id, event="RETRIED"):
        return [(e.actor, e.message) for e in self.client.Get(saga_id=saga_id).timeline if e.type == enum("EventType", "EVENT_TYPE_" + event)]

    def test_retry_those_of_one_cause(self):
        bugs = self.letters("cause", 6)
        away = self.letters("cause", 6, Code.UNAVAILABLE)
        self.assertIn("6 dead letters:", self.ctl("deadletters", "retry", "--where", "definition == 'cause' && status == 'UNAVAILABLE'", "--dry-run"))
        self.assertEqual([], self.acts(away[0]))
        self.shop.on(undo("a"), lambda call: b"")
        said = self.ctl("deadletters", "retry", "--where", "status == 'UNAVAILABLE'", "--definition", "cause", "--rate", "100/s", "--name", "cause", "--wait",
                        "--actor", "anna", "--reason", "it is back")
        self.assertRegex(said, r"^cause  retry  DONE, by anna, took \S+\n    of cause\n    where status == 'UNAVAILABLE'\n    \d+ looked at, 6 done, 0 refused; at most 100 a second\n$")
        for saga_id in away:
            self.assertState("COMPENSATED", self.client.end(saga_id))
            self.assertEqual([("anna", "bulk cause: it is back")], self.acts(saga_id))
        for saga_id in bugs:
            self.assertState("STUCK", self.client.saga(saga_id))
        told = [(e.method, e.saga_id, e.actor) for e in self.operator.ListAudit(page_size=1000).entries if e.subject == "cause"]
        self.assertEqual({("StartBulk", "", "anna")} | {("Retry", saga_id, "anna") for saga_id in away}, set(told))
        # The same again is the same job; another under its name is none.
        self.operator.StartBulk(id="cause", act=RETRY, where="status == 'UNAVAILABLE'", definition="cause", actor="bert", reason="it is back")
        same = {"id": "cause", "act": RETRY, "where": "status == 'UNAVAILABLE'", "definition": "cause", "actor": "bert", "reason": "it is back"}
        for field, other in (("act", RESOLVE), ("where", "true"), ("definition", ""), ("reason", "it is not")):
            self.refused("ALREADY_EXISTS", "BULK_EXISTS", self.operator.StartBulk, **dict(same, **{field: other}))
        self.assertIn("cause", self.ctl("bulk"))

    def test_of_one_definition_alone(self):
        meant, others = self.letters("meant", 3), self.letters("others", 3)
        self.shop.on(undo("a"), lambda call: b"")
        self.operator.StartBulk(id="meant", act=RETRY, where="state == STUCK", definition="meant", actor="anna")
        self.assertEqual(({DONE}, 3, 0), self.ended("meant")[0:1] + self.ended("meant")[2:])
        self.assertEqual([1] * 3 + [0] * 3, [len(self.acts(saga_id)) for saga_id in meant + others])
        told = [e for e in self.operator.ListAudit(page_size=1000).entries if e.subject == "meant"]
        self.assertEqual(4, len(told))
        self.assertEqual(1, len({e.identity for e in told}), "what it does, it does in the name of who began it")
        self.assertNotEqual({""}, {e.identity for e in told})

    def test_what_comes_later_is_not_meant(self):
        """A job is about what there was when it began."""
        there = self.letters("later", 4)
        began = time.monotonic()
        self.operator.StartBulk(id="later", act=RESOLVE, where="definition == 'later'", actor="anna", reason="why", per_second=2)
        late = [self.client.Start(definition="later").saga_id for _ in range(3)]
        for saga_id in late:
            self.client.stuck(saga_id)
        self.assertEqual(4, self.ended("later")[2])
        self.assertGreater(time.monotonic() - began, 1.2, "two a second, and the first at once")
        self.assertEqual(["RESOLVED"] * 4 + ["STUCK"] * 3, [state_name(self.client.saga(saga_id)) for saga_id in there + late])

    def test_skip_and_resolve(self):
        first, second = self.letters("skips", 3, before=step("z")), self.letters("resolves", 3)
        self.ctl("deadletters", "skip", "--where", "definition == 'skips' && step == 'a'", "--reason", "by hand", "--name", "skips", "--wait")
        self.ctl("deadletters", "resolve", "--where", "definition == 'resolves'", "--reason", "settled", "--name", "resolves", "--wait")
        for saga_id in first:
            self.assertState("COMPENSATED", self.client.end(saga_id))
            self.assertEqual("bulk skips: by hand", self.acts(saga_id, "SKIPPED")[0][1])
        for saga_id in second:
            saga = self.client.end(saga_id)
            self.assertState("RESOLVED", saga)
            self.assertEqual("bulk resolves: settled", self.client.saga(saga_id).resolution)

    def test_none_twice_and_none_left_out(self):
        """kill -9 in the middle, again and again: each of them has been retried once, and the report counts as many."""
        ids = self.letters("killed", 60)
        self.operator.StartBulk(id="killed", act=RETRY, where="definition == 'killed'", actor="anna", per_second=40)
        for part in (10, 25, 40):
            wait_until(lambda: self.job("killed")[2] >= part, "%d are done" % part)
            self.sidecar.kill()
            self.sidecar.start()
            self.operator, self.client = self.sidecar.client.operator, self.sidecar.client
        states, _, acted, refused = self.ended("killed")
        self.assertEqual(({DONE}, 60, 0), (states, acted, refused))
        self.assertEqual({1}, {len(self.acts(saga_id)) for saga_id in ids})

    def test_rate_pause_and_cancel(self):
        self.letters("slow", 30)
        began = time.monotonic()
        self.operator.StartBulk(id="slow", act=RETRY, where="definition == 'slow'", actor="anna", per_second=3)
        wait_until(lambda: self.job("slow")[2] >= 4, "some are done")
        self.operator.ChangeBulk(id="slow", state=PAUSED, actor="anna")
        states, _, acted, _ = self.job("slow")
        # What may have been made up for at the beginning, and one each loop.
        self.assertLessEqual(acted, 3 * (time.monotonic() - began) + 5 + 3)
        self.assertLessEqual({PAUSED}, states)
        self.sidecar.restart("kill")
        self.operator, self.client = self.sidecar.client.operator, self.sidecar.client
        self.assertEqual((states, acted), (self.job("slow")[0], self.job("slow")[2]))
        self.assertIn("PAUSED", self.ctl("bulk", "slow"))
        self.ctl("bulk", "slow", "resume")
        wait_until(lambda: self.job("slow")[2] > acted, "it goes on")
        self.ctl("bulk", "slow", "cancel")
        states, _, acted, _ = self.job("slow")
        self.assertLessEqual({CANCELLED}, states)
        self.assertLess(acted, 30)
        if LOOPS == 1:
            self.refused("FAILED_PRECONDITION", "BULK_ENDED", self.operator.ChangeBulk, id="slow", state=RUNNING, actor="anna")

    def test_errors(self):
        good = {"id": "wrong", "act": RESOLVE, "where": "true", "actor": "anna", "reason": "why"}
        for field, value in (("id", ""), ("id", "x" * 65), ("act", 0), ("act", 9), ("where", ""), ("where", "state == 1"), ("actor", ""), ("reason", ""),
                             ("reason", "x" * 181), ("per_second", -1), ("per_second", 10001), ("per_second", float("nan"))):
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.operator.StartBulk, field=field, **dict(good, **{field: value}))
        self.assertEqual(0, len(self.operator.ListBulks(id="nothing").jobs))
        self.refused("NOT_FOUND", "BULK_NOT_FOUND", self.operator.ChangeBulk, id="nothing", state=PAUSED, actor="anna")
        self.ctl("bulk", "nothing", code=4)
        for wrong in (("retry",), ("mend", "--where", "true"), ("skip", "--where", "true"), ("--dry-run",), ("retry", "--where", "true", "--rate", "0/s")):
            self.ctl("deadletters", *wrong, code=2)

    def test_a_question_that_costs_too_much_ends_the_job(self):
        self.letters("dear", 1)
        many = "[1,2,3,4,5,6,7,8,9]"
        where = "definition == 'dear' && %s.all(a, %s.all(b, %s.all(c, %s.all(d, a + b + c + d > 0))))" % (many, many, many, many)
        self.operator.StartBulk(id="dear", act=RETRY, where=where, actor="anna")
        states, _, acted, _ = self.ended("dear")
        self.assertIn(FAILED, states)
        self.assertEqual(0, acted)
        self.assertIn("costs more", self.ctl("bulk", "dear"))

    def test_places(self):
        """64 at once; one that has ended makes room."""
        self.letters("places", 1)
        for i in range(64):
            self.operator.StartBulk(id="place-%d" % i, act=RETRY, where="definition == 'nothing'", actor="anna")
            self.ended("place-%d" % i)
        self.operator.StartBulk(id="place-64", act=RETRY, where="definition == 'nothing'", actor="anna")
        self.assertEqual(64, len({j.id for j in self.operator.ListBulks().jobs}))
