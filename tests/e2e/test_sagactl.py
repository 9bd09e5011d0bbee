"""sagactl against a real sidecar: every command as a person and as a program uses it, its exit statuses, and what it says when things go
wrong."""
import base64
import fcntl
import json
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest
import xml.etree.ElementTree

import grpc
from google.protobuf import json_format

from harness import (STORE, PATIENCE_S, QUICK, Answer, ROOT, Case, Gate, Sidecar, Participant, definition, do, enlistment, fail, message, state, step, undo, wait_until)
from impostor import Impostor

Code = grpc.StatusCode
SAGACTL = os.environ.get("SAGACTL", os.path.join(ROOT, "build/release/sagactl"))
REFUSED, USAGE, UNREACHABLE, NOT_FOUND, TIMEOUT, COMPENSATED, RESOLVED, STUCK = 1, 2, 3, 4, 5, 10, 11, 12
EVIL = "card \x1b]0;owned\x07\x1b[2J declined"


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("SAGAD_ADDRESS", "NO_COLOR", "COLUMNS")}
    env.update({"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "100", "USER": "anna"}, **more)
    return env


class Ran:
    def __init__(self, args, process):
        self.args, self.code, self.out, self.err = args, process.returncode, process.stdout, process.stderr

    def __repr__(self):
        return "sagactl %s -> %d\n%s\n%s" % (" ".join(self.args), self.code, self.out, self.err)

    def json(self):
        return json.loads(self.out)


def ctl(*args, stdin=None, cwd="/", **env):
    process = subprocess.run([SAGACTL, *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="surrogateescape",
                             env=environment(**env), cwd=cwd, timeout=3 * PATIENCE_S)
    return Ran(args, process)


ORDER = definition("order", step("reserve"), step("charge", after=["reserve"], more=QUICK % 2), step("ship", after=["charge"]),
                   extra="deadline: 60s\n")
# The compensation of its first step has three quick attempts.
FRAIL = definition("frail", "name: reserve, target: shop, action: /shop.v1.Shop/reserve, compensation: {method: /shop.v1.Shop/unreserve, "
                   + QUICK % 3 + "}", step("charge", after=["reserve"], more=QUICK % 2))


class Sagactl(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(ORDER)
        cls.client.register(FRAIL)

    def ctl(self, *args, **more):
        return ctl("--address", self.sidecar.address, *args, **more)

    def good(self, *args, code=0, **more):
        ran = self.ctl(*args, **more)
        self.assertEqual(code, ran.code, ran)
        return ran

    def start(self, name="order"):
        return self.good("start", name).out.strip()

    def stuck(self):
        self.shop.on(do("charge"), fail(Code.FAILED_PRECONDITION, EVIL))
        self.shop.on(undo("reserve"), fail(Code.UNAVAILABLE, "the stock system is away"))
        saga_id = self.start("frail")
        self.client.stuck(saga_id)
        return saga_id

    # ---- starting and waiting ----

    def test_start_and_wait(self):
        saga_id = self.good("start", "order", "--input-text", "a book", "--request-id", "start-and-wait").out.strip()
        ran = self.good("wait", saga_id)
        self.assertRegex(ran.out, r"^%s COMMITTED after \S+\n$" % saga_id)
        self.assertEqual(b"a book", self.shop.of(saga_id, "action", "reserve")[0].request)
        urgent = self.good("start", "order", "--priority", "high", "--wait").out.split()[0]
        self.assertEqual(1, len(self.shop.of(urgent, "action", "reserve")))
        self.assertIn('"urgent" is none of low, normal, high', self.ctl("start", "order", "--priority", "urgent").err)
        again = self.good("-o", "json", "start", "order", "--input-text", "a book", "--request-id", "start-and-wait").json()
        self.assertEqual({"saga_id": saga_id, "already_started": True}, again)
        other = self.ctl("start", "order", "--input-text", "two books", "--request-id", "start-and-wait")
        self.assertEqual(REFUSED, other.code, other)
        self.assertIn("REQUEST_ID_REUSED", other.err)

    def test_inputs(self):
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"\x00\xffA\n")
            f.flush()
            for arguments, more, expected in ((("--input", f.name), {}, b"\x00\xffA\n"), (("--input", "-"), {"stdin": "in\n"}, b"in\n"),
                                              (("--input-hex", "00 ff:41 0a"), {}, b"\x00\xffA\n"), ((), {}, b"")):
                ran = self.good("start", "order", "--wait", *arguments, **more)
                saga_id = ran.out.split()[0]
                self.assertEqual(expected, self.shop.of(saga_id, "action", "reserve")[0].request, arguments)
        nowhere = self.ctl("start", "order", "--input", "a text")
        self.assertEqual((USAGE, True), (nowhere.code, "there is no file a text; --input-text gives the text itself" in nowhere.err), nowhere.err)
        for digits in ("0", "0g", "00 f"):
            self.assertEqual(USAGE, self.ctl("start", "order", "--input-hex", digits).code, digits)

    def test_start_with_deadline_and_version(self):
        gate = Gate()
        self.shop.on(do("reserve"), gate)
        saga_id = self.good("start", "order", "--deadline", "1h", "--version", "1.0.0").out.strip()
        saga = self.client.saga(saga_id)
        self.assertAlmostEqual(3600, saga.deadline.seconds - saga.started_at.seconds, delta=1)
        gate.open()
        self.good("wait", saga_id)
        missing = self.ctl("start", "order", "--version", "7.0.0")
        self.assertEqual(NOT_FOUND, missing.code, missing)
        self.assertIn("DEFINITION_NOT_FOUND", missing.err)

    def test_exit_status_says_how_it_ended(self):
        self.shop.on(do("charge"), fail(Code.FAILED_PRECONDITION, "declined"))
        ran = self.ctl("start", "order", "--wait")
        self.assertEqual(COMPENSATED, ran.code, ran)
        self.assertIn("COMPENSATED", ran.out)
        saga_id = self.stuck()
        self.assertEqual(STUCK, self.ctl("wait", saga_id).code)
        self.assertEqual(TIMEOUT, self.ctl("wait", saga_id, "--past-stuck", "--timeout", "100ms").code)
        self.good("resolve", saga_id, "--reason", "counted by hand")
        ran = self.ctl("-o", "json", "wait", saga_id)
        self.assertEqual((RESOLVED, "SAGA_STATE_RESOLVED"), (ran.code, ran.json()["state"]))

    def test_wait_times_out(self):
        gate = Gate()
        self.shop.on(do("reserve"), gate)
        saga_id = self.start()
        ran = self.ctl("wait", saga_id, "--timeout", "2s")
        self.assertEqual(TIMEOUT, ran.code, ran)
        self.assertIn("it goes on", ran.err)
        gate.open()
        self.good("wait", saga_id, "--timeout", "30s")

    # ---- looking ----

    def test_get(self):
        self.shop.on(do("charge"), fail(Code.FAILED_PRECONDITION, EVIL))
        saga_id = self.ctl("start", "order", "--input-text", "a book", "--request-id", "get-1", "--wait").out.split()[0]
        text = self.good("get", saga_id, "--payloads", "--utc").out
        head, timeline, steps = re.split(r"\n(?:timeline|steps)\n", text)
        self.assertTrue(head.startswith("%s  order 1.0.0  COMPENSATED\n" % saga_id), head)
        self.assertRegex(head, r"undone for +action rejected at charge\n")
        self.assertRegex(head, r"started +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, \S+ ago\n")
        self.assertRegex(head, r"request id +get-1\n")
        self.assertIn('"a book"', head)
        lines = timeline.splitlines()
        middle = lines[0].index("\u2502")
        done = [l[:middle] for l in lines if len(l) > middle and l[middle] == "\u2502"]
        undone = [l[middle:] for l in lines if len(l) > middle and l[middle] == "\u2502"]
        self.assertTrue(any("reserve DONE" in l for l in done), timeline)
        self.assertTrue(any("charge REJECTED, FAILED_PRECONDITION" in l for l in done), timeline)
        self.assertTrue(any("reserve undo DONE" in l for l in undone), timeline)
        self.assertFalse(any("undo" in l for l in done), timeline)
        self.assertTrue(any(re.search(r"TURNED BACK: action rejected at charge$", l) for l in lines), timeline)
        self.assertRegex(steps, r"reserve +DONE +DONE")
        self.assertRegex(steps, r"charge +REJECTED +NONE")
        self.assertNotIn("what now", text)
        self.assertTrue(all(len(l) <= 100 for l in text.splitlines()), text)

    def test_what_was_said_is_made_safe(self):
        saga_id = self.stuck()
        for arguments in (("get", saga_id), ("deadletters",), ("list",), ("watch", saga_id, "--timeout", "1s")):
            for form in ("text", "json"):
                ran = self.ctl("-o", form, *arguments)
                for bad in "\x1b\x07":
                    self.assertNotIn(bad, ran.out + ran.err, arguments)
        self.assertIn(r"card \x1b]0;owned\x07\x1b[2J declined", re.sub(r" *\u2502?\n +", " ", self.good("get", saga_id).out))
        for evil in ("\x1b[2J", "\u202egpj", "\x9b31m"):
            for arguments in (("get", evil), (evil,), ("start", evil), ("list", "--" + evil), ("register", evil), ("lint", evil),
                              ("list", "--page", evil)):
                ran = self.ctl(*arguments)
                self.assertIn(ran.code, (REFUSED, USAGE), ran)
                for bad in "\x1b\u202e\x9b":
                    self.assertNotIn(bad, ran.out + ran.err, arguments)

    def test_what_now(self):
        saga_id = self.stuck()
        text = self.good("get", saga_id).out
        advice = text[text.index("\nwhat now\n"):]
        commands = re.findall(r"^ +sagactl (.*)$", advice, re.M)
        self.assertEqual(["retry", "skip", "resolve"], [c.split()[2] for c in commands], advice)
        # They are to be typed as they stand there.
        self.shop.on(undo("reserve"), lambda call: b"")
        ran = ctl(*commands[0].split())
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(COMPENSATED, self.ctl("wait", saga_id).code)

    def test_skip(self):
        saga_id = self.stuck()
        self.good("skip", saga_id, "reserve", "--reason", "restocked by hand", "--actor", "bob@ops")
        self.assertEqual(COMPENSATED, self.ctl("wait", saga_id).code)
        self.assertIn("reserve skipped by bob@ops: restocked by hand", self.good("get", saga_id).out)
        self.assertIn("COMPENSATED, 1 skipped by an operator\n", self.good("get", saga_id).out)
        self.assertEqual("SKIPPED", self.client.steps(saga_id)["reserve"][1])

    def test_a_skip_is_seen_in_lists(self):
        """Also of a saga that committed, of which it cannot be told otherwise, and after a restart."""
        self.shop.on(do("bill"), fail(Code.NOT_FOUND))
        self.client.register(definition("billed", step("pay", compensate=False, more="pivot: true"),
                                        step("bill", compensate=False, after=["pay"], more=QUICK % 1)))
        saga_id = self.client.Start(definition="billed", request_id="billed-1").saga_id
        self.client.stuck(saga_id)
        self.good("skip", saga_id, "bill", "--reason", "billed by hand", "--actor", "bob@ops")
        self.good("wait", saga_id)
        smooth = self.good("start", "order", "--wait").out.split()[0]
        for again in (False, True):
            lines = {line.split()[0]: line for line in self.good("list", "-A", "--state", "committed").out.splitlines()}
            self.assertRegex(lines[saga_id], r"COMMITTED +billed 1.0.0 .* 1 skipped$")
            self.assertNotIn("skipped", lines[smooth])
            self.assertIn("COMMITTED, 1 skipped by an operator\n", self.good("get", saga_id).out)
            if not again:
                self.sidecar.restart("kill")
                type(self).client = self.sidecar.client
        # The one of a request_id, as a list of one.
        listed = self.good("list", "--request-id", "billed-1").out.splitlines()
        self.assertEqual((2, lines[saga_id].split()[:3]), (len(listed), listed[1].split()[:3]))
        listed = self.good("-o", "json", "list", "-r", "billed-1").json()["sagas"]
        self.assertEqual([(saga_id, 1)], [(s["id"], s["skips"]) for s in listed])
        self.assertEqual([], listed[0]["steps"])
        self.assertEqual(NOT_FOUND, self.ctl("list", "-r", "billed-2").code)
        self.assertIn("nothing else chooses beside it", self.ctl("list", "-r", "billed-1", "--state", "stuck").err)

    def test_retry_every_stuck_step(self):
        def frail(name, after=()):
            return ("name: %s, target: shop, action: /shop.v1.Shop/%s, compensation: {method: /shop.v1.Shop/un%s, " % (name, name, name)
                    + QUICK % 2 + "}" + (", after: [%s]" % ", ".join(after) if after else ""))
        self.client.register(definition("twice-frail", frail("left"), frail("right"), step("last", after=["left", "right"]),
                                        extra="compensation_order: dependency\n"))
        self.shop.on(do("last"), fail(Code.FAILED_PRECONDITION, "no"))
        for name in ("left", "right"):
            self.shop.on(undo(name), fail(Code.UNAVAILABLE, "away"))
        saga_id = self.start("twice-frail")

        def both_stuck():
            steps = self.client.steps(saga_id)
            return {"FAILED"} == {steps["left"][1], steps["right"][1]}
        wait_until(both_stuck, "the undo of both branches has failed")
        for name in ("left", "right"):
            self.shop.on(undo(name), lambda call: b"")
        self.good("retry", saga_id)
        self.assertEqual(COMPENSATED, self.ctl("wait", saga_id).code)
        self.assertEqual({"DONE"}, {self.client.steps(saga_id)[name][1] for name in ("left", "right")})
        ran = self.ctl("retry", saga_id)
        self.assertEqual(REFUSED, ran.code, ran)

    def test_dead_letters_by_what_they_have_in_common(self):
        self.client.register(definition("many", "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, "
                                        + QUICK % 2 + "}", step("b", after=["a"], more=QUICK % 1)))
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no"))
        causes = {True: Answer(Code.UNAVAILABLE, "the stock " + EVIL), False: Answer(Code.INTERNAL, "a bug")}

        def undo_a(call):
            raise causes[call.saga in away]
        away = set()
        self.shop.on(undo("a"), undo_a)
        sagas = []
        for i in range(5):
            saga_id = self.start("many")
            if i < 3:
                away.add(saga_id)
            sagas.append(saga_id)
        for saga_id in sagas:
            wait_until(lambda: self.client.saga(saga_id).state == state("STUCK"), "it is stuck")
        seen = {s: self.client.saga(s).steps[0].last_status for s in sagas}
        groups = {g["status"]: g for g in self.good("-o", "json", "deadletters", "--summary", "--definition", "many").json()}
        expected = {name: sum(1 for s in seen.values() if s == number) for name, number in (("UNAVAILABLE", 14), ("INTERNAL", 13))}
        self.assertEqual({k: v for k, v in expected.items() if v}, {k: g["count"] for k, g in groups.items()})
        self.assertTrue(all((g["definition"], g["step"], g["phase"]) == ("many", "a", "compensation") for g in groups.values()))
        ran = self.good("deadletters", "--summary", "--definition", "many")
        self.assertRegex(ran.out, r"^5 dead letters:\n")
        self.assertNotIn("\x1b", ran.out)
        what = "--definition many --step a --status INTERNAL"
        self.assertIn("sagactl retry --all --address %s %s\n" % (self.sidecar.address, what), ran.out)
        self.assertEqual(1, self.ctl("-o", "json", "status").json()["stuck"] >= 5)
        # Those of one cause are tried again, and the others are not.
        causes[False] = causes[True] = None
        self.shop.on(undo("a"), lambda call: b"")
        self.assertEqual("%d of %d dead letter%s tried again\n" % (expected["INTERNAL"], expected["INTERNAL"],
                                                                  "" if expected["INTERNAL"] == 1 else "s"), self.good("retry", "--all", *what.split()).out)
        for saga_id, status in seen.items():
            if status == 13:
                self.assertState("COMPENSATED", self.client.end(saga_id))
            else:
                self.assertState("STUCK", self.client.saga(saga_id))
        self.assertEqual({"retried": expected["UNAVAILABLE"], "found": expected["UNAVAILABLE"]},
                         self.good("-o", "json", "retry", "--all", "--definition", "many").json())
        for saga_id in sagas:
            self.assertState("COMPENSATED", self.client.end(saga_id))
        self.assertEqual("No saga is stuck.\n", self.good("deadletters", "--summary", "--definition", "many").out)
        for arguments in (("retry",), ("retry", sagas[0], "--all"), ("retry", sagas[0], "--step", "a"), ("deadletters", "--step", "a"),
                          ("retry", "--all", "--status", "WRONG")):
            self.assertEqual(USAGE, self.ctl(*arguments).code, arguments)

    def test_get_by_request_id(self):
        saga_id = self.good("start", "order", "--request-id", "order-4711").out.strip()
        self.assertIn(saga_id, self.good("get", "--request-id", "order-4711").out)
        self.client.end(saga_id)
        self.assertEqual(saga_id, self.good("-o", "json", "get", "-r", "order-4711").json()["saga"]["id"])
        self.assertIn("no saga was started with this request_id", self.ctl("get", "-r", "order-4712").err)
        for words in ((), (saga_id, "-r", "order-4711")):
            self.assertEqual(2, self.ctl("get", *words).code)

    def test_status_and_paused(self):
        gate = Gate()
        self.addCleanup(gate.open)
        self.shop.on(do("reserve"), gate)
        before = self.good("-o", "json", "status").json()
        first, second = self.start(), self.start()
        self.good("pause", first, "--reason", "look at it")
        after = self.good("-o", "json", "status").json()
        self.assertEqual(("SERVING", 2, 1), (after["health"], after["running"] - before["running"], after["paused"] - before["paused"]))
        loops = after["loops"]
        self.assertEqual(1, len({l["version"] for l in loops}))
        self.assertTrue(STORE or all(int(l["journal_bytes"]) > 0 and int(l["volume_free_bytes"]) > 0 for l in loops))
        self.assertIn("shop", {t["name"] for t in loops[0]["targets"]})
        said = self.good("status").out
        self.assertRegex(said, r"is SERVING: sagad [\w.+-]+, \d loops?\n +\d+ running\n")
        self.assertRegex(said, r"\njournal [\w.]+( of [\w.]+)?, reaching back [\d.]+\w+( \d+\w+)?, [\w.]+ free on its volume\n")
        self.assertRegex(said, r"\ntarget shop at [\w.:]+: \d+ of 256 calls in flight, 0 wait\n")
        listed = [s["id"] for s in self.good("-o", "json", "list", "--state", "paused").json()["sagas"]]
        self.assertIn(first, listed)
        self.assertNotIn(second, listed)
        self.good("resume", first)
        self.assertNotIn(first, self.good("list", "--state", "paused", "-A").out)
        gate.open()
        self.good("wait", first)
        self.good("wait", second)
        self.assertIn(first, self.good("list", "--since", "1d", "-A").out)
        self.assertNotIn(first, self.good("list", "--before", "1w").out)

    def test_actor_is_who_runs_it(self):
        saga_id = self.stuck()
        self.good("resolve", saga_id, "--reason", "settled", USER="anna")
        saga = self.client.saga(saga_id)
        self.assertRegex(saga.resolved_by, r"^anna@\S+")
        self.assertEqual("settled", saga.resolution)
        self.assertRegex(self.good("get", saga_id).out, r"resolved +by anna@\S+: settled\n")

    def test_pause_and_resume(self):
        gate = Gate()
        self.shop.on(do("reserve"), gate)
        saga_id = self.start()
        gate.await_call()
        self.good("pause", saga_id, "--reason", "look at the stock first")
        self.assertTrue(self.client.saga(saga_id).paused)
        text = self.good("get", saga_id).out
        self.assertRegex(text, r"paused +by anna@\S+: look at the stock first\n")
        self.assertRegex(text, r"what now\n.*\n +sagactl \S+ \S+ resume %s\n" % saga_id)
        gate.open()
        self.assertEqual({"saga_id": saga_id, "command": "resume"}, self.good("-o", "json", "resume", saga_id).json())
        self.good("wait", saga_id)

    def test_cancel(self):
        gate = Gate()
        self.shop.on(do("charge"), gate)
        saga_id = self.start()
        gate.await_call()
        self.good("cancel", saga_id, "--reason", "changed my mind", "--actor", "erin")
        gate.open()
        self.assertEqual(COMPENSATED, self.ctl("wait", saga_id).code)
        self.assertIn("TURNED BACK: cancelled by erin: changed my mind", self.good("get", saga_id).out)
        self.shop.on(do("charge"), lambda call: b"")
        ran = self.ctl("cancel", self.good("start", "order", "--wait").out.split()[0])
        self.assertEqual(REFUSED, ran.code, ran)
        self.assertIn("SAGA_ENDED", ran.err)

    def test_list(self):
        name = "listed"
        self.client.register(definition(name, step("a")))
        ids = [self.good("start", name, "--wait").out.split()[0] for _ in range(5)]
        text = self.good("list", "--definition", name).out.splitlines()
        self.assertRegex(text[0], r"^SAGA +STATE +DEFINITION +AGE +TOOK +WHY$")
        self.assertEqual(ids[::-1], [l.split()[0] for l in text[1:]])
        self.assertTrue(all(len(l) <= 80 for l in self.good("list", "--definition", name, COLUMNS="80").out.splitlines()))
        # The proposed command gives the next page.
        page, seen = self.good("list", "--definition", name, "--limit", "2", "--since", "1h", "--state", "ended").out, []
        while True:
            seen += [l.split()[0] for l in page.splitlines()[1:] if not l.startswith("more:")]
            more = re.search(r"^more: sagactl (.*)$", page, re.M)
            if more is None:
                break
            ran = ctl(*more.group(1).split())
            self.assertEqual(0, ran.code, ran)
            page = ran.out
            self.assertRegex(more.group(1), r"--state committed,compensated,resolved --since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
        self.assertEqual(ids[::-1], [s for s in seen if s in ids])
        for more in (), ("--limit", "2"):
            lines = self.good("list", "--definition", name, "--all", "-o", "json", *more).out.splitlines()
            self.assertEqual(ids[::-1], [json.loads(l)["id"] for l in lines])
        document = self.good("list", "--definition", name, "-o", "json").json()
        self.assertEqual(ids[::-1], [s["id"] for s in document["sagas"]])
        for arguments, count in ((("--state", "committed"), 5), (("--state", "live"), 0), (("--state", "ended,stuck"), 5),
                                 (("--since", "1h"), 5), (("--before", "1h"), 0), (("--since", "2100-01-01"), 0),
                                 (("--before", "2100-01-01T00:00:00+02:00"), 5)):
            found = self.good("list", "--definition", name, "-o", "json", *arguments).json()["sagas"]
            self.assertEqual(count, len(found), arguments)
        self.assertEqual("No saga matches.\n", self.good("list", "--definition", name, "--state", "running").out)

    def test_deadletters(self):
        first, second = self.stuck(), self.stuck()
        text = self.good("deadletters", "--definition", "frail").out
        self.assertLess(text.index(first), text.index(second), "the oldest comes first")
        block = text[text.index(first):text.index(second)]
        self.assertIn("compensation failed at reserve", block)
        self.assertIn("reserve: compensation FAILED after 3 attempts, UNAVAILABLE: the stock system is away", block)
        document = self.good("deadletters", "-o", "json").json()
        self.assertTrue({first, second} <= {s["id"] for s in document["sagas"]})
        page = self.good("deadletters", "--limit", "1", "--definition", "frail").out
        more = re.search(r"^more: sagactl (.*)$", page, re.M).group(1)
        self.assertIn(second, ctl(*more.split()).out)
        for saga_id in (first, second):
            self.good("resolve", saga_id, "--reason", "test")

    # ---- JSON ----

    def test_json_reads_back_as_the_message(self):
        self.shop.on(do("charge"), fail(Code.FAILED_PRECONDITION, EVIL))
        saga_id = self.ctl("start", "order", "--input-hex", "00ff", "--wait").out.split()[0]
        for arguments, kind, asked in (
                (("get", saga_id, "--payloads"), "GetResponse", lambda: self.client.Get(saga_id=saga_id, include_payloads=True)),
                (("list", "--limit", "1000"), "ListResponse", lambda: self.client.List(page_size=1000)),
                (("definitions",), "ListDefinitionsResponse", lambda: self.client.ListDefinitions(page_size=1000)),
                (("definitions", "order", "1.0.0"), "Definition", lambda: self.client.GetDefinition(name="order"))):
            text = self.good("-o", "json", *arguments).out
            read = json_format.Parse(text, message("saga.v1." + kind)())
            self.assertEqual(asked(), read, arguments)
            self.assertTrue(text.isascii())
        events = [json_format.Parse(l, message("saga.v1.Event")()) for l in self.good("watch", saga_id, "-o", "json").out.splitlines()]
        self.assertEqual(list(self.client.Get(saga_id=saga_id).timeline), events)

    def test_errors_as_json(self):
        ran = self.ctl("-o", "json", "get", "000000000000-ff")
        self.assertEqual((NOT_FOUND, ""), (ran.code, ran.out))
        error = json.loads(ran.err)["error"]
        self.assertEqual(("NOT_FOUND", "SAGA_NOT_FOUND"), (error["code"], error["reason"]))
        self.assertEqual(1, ran.err.count("\n"))

    def test_usage_errors_as_json(self):
        for arguments in (("-o", "json"), ("-o", "json", "nonsense"), ("list", "--nonsense", "-o", "json"), ("list", "--limit", "0", "-ojson"),
                          ("get", "--output=json"), ("get", "no id", "--output", "json"), ("-o", "json", "skip", "9f03c1d2a4b7-2a", "a"),
                          ("start", "order", "--input-text", "a", "--input-hex", "00", "-o", "json"), ("list", "-o", "json", "--since"),
                          ("start", "order", "--input", "/nowhere/at/all", "-o", "json"), ("-x", "-o", "json", "list")):
            ran = ctl(*arguments)
            self.assertEqual((USAGE, ""), (ran.code, ran.out), ran)
            error = json.loads(ran.err)["error"]
            self.assertEqual(("INVALID_ARGUMENT", "SAGACTL"), (error["code"], error["reason"]), ran)
            self.assertTrue(error["message"], ran)
        ran = ctl("list", "--nonsense")
        self.assertIn("sagactl list: there is no option --nonsense", ran.err)

    def test_the_id_of_a_saga_that_runs_on(self):
        gate = Gate()
        self.addCleanup(gate.open)
        self.shop.on(do("reserve"), gate)
        ran = self.ctl("-o", "json", "start", "order", "--wait", "--timeout", "300ms")
        self.assertEqual(TIMEOUT, ran.code, ran)
        saga_id = ran.json()["saga_id"]
        gate.open()
        self.good("wait", saga_id)

    def test_completions_ask_the_sidecar(self):
        saga_id = self.start()
        self.good("wait", saga_id)
        script = ctl("completion", "bash").out

        def complete(*words):
            asked = script + "\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_sagactl\necho ${COMPREPLY[@]}\n" % (
                " ".join("'%s'" % w for w in words), len(words) - 1)
            env = environment(SAGAD_ADDRESS=self.sidecar.address, PATH=os.path.dirname(SAGACTL) + ":" + os.environ["PATH"])
            return subprocess.run(["bash", "-c", asked], stdout=subprocess.PIPE, text=True, check=True, env=env).stdout.split()
        self.assertIn(saga_id, complete("sagactl", "get", ""))
        self.assertEqual([saga_id], complete("sagactl", "wait", saga_id[:-1] + saga_id[-1]))
        self.assertEqual(["order"], complete("sagactl", "start", "ord"))
        self.assertEqual(["order"], complete("sagactl", "list", "--definition", "ord"))
        self.assertNotIn(saga_id, complete("sagactl", "retry", ""))

    # ---- watching ----

    def test_watch_one_saga_to_its_end(self):
        gate = Gate()
        self.shop.on(do("charge"), gate)
        saga_id = self.start()
        gate.await_call()
        watching = subprocess.Popen([SAGACTL, "-a", self.sidecar.address, "watch", saga_id], stdout=subprocess.PIPE, text=True,
                                    env=environment())
        self.assertIn("order started", watching.stdout.readline())
        gate.open()
        rest = watching.stdout.read()
        self.assertEqual(0, watching.wait(PATIENCE_S))
        watching.stdout.close()
        self.assertRegex(rest.splitlines()[-1], r"^\d\d:\d\d:\d\d\.\d{3}  -- COMMITTED$")

    def test_watch_goes_on_after_a_cursor(self):
        saga_id = self.good("start", "order", "--wait").out.split()[0]
        events = [json.loads(l) for l in self.good("watch", saga_id, "-o", "json").out.splitlines()]
        rest = [json.loads(l) for l in self.good("watch", saga_id, "--from", events[3]["cursor"], "-o", "json").out.splitlines()]
        self.assertEqual(events[4:], rest)

    def test_watch_all(self):
        watching = subprocess.Popen([SAGACTL, "-a", self.sidecar.address, "-o", "json", "watch"], stdout=subprocess.PIPE, text=True,
                                    env=environment())
        try:
            # What is watched begins at some moment after the start of the program: sagas are started until one is seen.
            started, over = [], threading.Event()

            def keep_starting():
                while not over.is_set():
                    started.append(self.client.run("order").id)
            thread = threading.Thread(target=keep_starting)
            thread.start()
            event = json.loads(watching.stdout.readline())
            over.set()
            thread.join()
            self.assertIn(event["saga_id"], started)
        finally:
            watching.terminate()
            watching.wait(PATIENCE_S)
            watching.stdout.close()

    # ---- definitions ----

    def test_register_all_or_none(self):
        with tempfile.TemporaryDirectory() as directory:
            def write(name, text):
                path = os.path.join(directory, name)
                with open(path, "w") as f:
                    f.write(text)
                return path
            good = write("good.yaml", definition("one-of-two", step("a")))
            bad = write("bad.yaml", "name: [")
            wrong = write("wrong.yaml", definition("two-of-two", step("a", more="timeout: 1 fortnight")))
            for other, code in ((os.path.join(directory, "none.yaml"), USAGE), (bad, REFUSED), (wrong, REFUSED)):
                ran = self.ctl("register", good, other)
                self.assertEqual((code, ""), (ran.code, ran.out), ran)
                self.assertIn(other, ran.err)
                self.assertEqual(NOT_FOUND, self.ctl("definitions", "one-of-two").code, "nothing was registered")
            write("wrong.yaml", definition("two-of-two", step("a")))
            self.assertEqual("one-of-two 1.0.0 registered\ntwo-of-two 1.0.0 registered\n", self.good("register", good, wrong).out)

    def test_register(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "d.yaml")
            text = definition("registered", step("a"), extra="deadline: 10m\n")
            with open(path, "w") as f:
                f.write(text)
            self.assertEqual("registered 1.0.0 would be registered\n", self.good("register", "--dry-run", path).out)
            self.assertEqual(NOT_FOUND, self.ctl("definitions", "registered").code)
            self.assertEqual("registered 1.0.0 registered\n", self.good("register", path).out)
            self.assertEqual("registered 1.0.0 was registered already\n", self.good("register", path).out)
            self.assertEqual({"name": "registered", "version": "1.0.0", "already_registered": True, "findings": []},
                             self.good("register", "-", "-o", "json", stdin=text).json())
            self.assertEqual(text, self.good("definitions", "registered").out)
            self.assertEqual(text, base64.b64decode(self.good("definitions", "registered", "-o", "json").json()["source"]).decode())
            self.assertRegex(self.good("definitions").out, r"(?m)^registered +1\.0\.0 +\d{4}-\d\d-\d\d +a$")
            with open(path, "w") as f:
                f.write(text.replace("/shop.v1.Shop/a", "/shop.v1.Shop/b"))
            ran = self.ctl("register", path)
            self.assertEqual(REFUSED, ran.code, ran)
            self.assertIn(path, ran.err)
            self.assertIn("DEFINITION_EXISTS", ran.err)
            with open(path, "w") as f:
                f.write("name: x\nversoin: 1.0.0\n")
            for command in ("register", "lint"):
                ran = self.ctl(command, path)
                self.assertEqual(REFUSED, ran.code, ran)
                self.assertIn("did you mean version?", ran.err if command == "register" else ran.out)
            ran = self.ctl("register", "--dry-run", path)
            self.assertTrue(ran.err.startswith(path + ":2:1: versoin"), ran)

    def test_graph_of_a_saga_has_its_states(self):
        self.client.register(definition("graphed", step("one"), step("two", after=["one"])))
        self.shop.on(do("two"), fail(grpc.StatusCode.FAILED_PRECONDITION, "no"))
        saga = self.client.run("graphed").id
        lines = self.good("graph", saga).out.splitlines()
        self.assertEqual("graphed 1.0.0, saga %s: COMPENSATED" % saga, lines[0])
        self.assertTrue(lines[1].endswith("DONE, undo DONE"), lines)
        self.assertTrue(lines[2].endswith("REJECTED"), lines)
        self.assertEqual("graphed 1.0.0", self.good("graph", "graphed").out.splitlines()[0])
        self.assertEqual(NOT_FOUND, self.ctl("graph", "nothing").code)
        enlisted = self.client.Begin(name="mine", enlist=[enlistment("x"), enlistment("y")]).saga_id
        self.assertEqual([[], ["x"]], [s["after"] for s in self.good("graph", "-o", "json", enlisted).json()["steps"]])
        self.client.Abort(saga_id=enlisted)

    # ---- on a terminal ----

    def on_terminal(self, *args, **env):
        """What it writes to a terminal of 90 columns."""
        try:
            main, other = pty.openpty()
        except OSError as error:  # a bare chroot has no /dev/pts
            self.skipTest("no terminal can be had here: %s" % error)
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
        variables = environment(TERM="xterm", **env)
        del variables["COLUMNS"]
        process = subprocess.Popen([SAGACTL, "-a", self.sidecar.address, *args], stdout=other, stderr=other, env=variables)
        os.close(other)
        data = b""
        while select.select([main], [], [], PATIENCE_S)[0]:
            try:
                more = os.read(main, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
        process.wait(PATIENCE_S)
        os.close(main)
        return data.decode().replace("\r\n", "\n")

    def test_colours(self):
        saga_id = self.good("start", "order", "--wait").out.split()[0]
        painted = self.on_terminal("get", saga_id)
        self.assertIn("\x1b[32mCOMMITTED\x1b[0m", painted)
        plain = re.sub(r"\x1b\[\d*m", "", painted)
        self.assertNotIn("\x1b", plain)
        self.assertTrue(all(len(l) <= 90 for l in plain.splitlines()), plain)
        self.assertNotIn("\x1b", self.on_terminal("get", saga_id, NO_COLOR="1"))
        self.assertNotIn("\x1b", self.on_terminal("get", saga_id, "--color", "never"))
        self.assertNotIn("\x1b", self.good("get", saga_id).out)
        self.assertIn("\x1b[32m", self.good("get", saga_id, "--color", "always", NO_COLOR="1").out)

    def test_ascii_where_the_locale_is(self):
        saga_id = self.good("start", "order", "--wait").out.split()[0]
        self.assertTrue(self.good("get", saga_id, LC_ALL="C").out.isascii())

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            process = subprocess.run([SAGACTL, "-a", self.sidecar.address, "list"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(REFUSED, process.returncode)
        self.assertIn("cannot be written", process.stderr)

    def test_enlisted_saga(self):
        saga_id = self.client.Begin(name="by-hand", enlist=[enlistment("a")]).saga_id
        self.assertIn("by-hand (enlisted)  RUNNING", self.good("get", saga_id).out)
        self.client.Abort(saga_id=saga_id, reason="no")
        self.assertEqual(COMPENSATED, self.ctl("wait", saga_id).code)


class WithoutSidecar(unittest.TestCase):
    def test_every_cause_in_words(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)

        def answer(listener, bytes_):
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                if bytes_:
                    connection.recv(100)
                    connection.sendall(bytes_)
                    connection.close()
        kept = []

        def listener(bytes_):
            s = socket.socket()
            s.bind(("127.0.0.1", 0))
            s.listen()
            threading.Thread(target=answer, args=(s, bytes_), daemon=True).start()
            self.addCleanup(s.close)
            self.addCleanup(s.shutdown, socket.SHUT_RDWR)
            return "127.0.0.1:%d" % s.getsockname()[1]
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(directory + "/stale")
        stale.listen()
        stale.close()
        with open(directory + "/file", "w"):
            pass
        for address, words in (("unix:%s/none" % directory, "there is no socket at this path"),
                               ("unix:%s/stale" % directory, "nobody serves this socket"),
                               ("unix:%s/file" % directory, "what is at this path is no socket"),
                               ("127.0.0.1:1", "nothing listens there"),
                               ("plaintext://no-such-name.invalid:7240", "there is no such host"),
                               (listener(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "does not speak gRPC"),
                               (listener(b"HTTP/1.0 505 HTTP Version Not Supported\r\n\r\n"), "does not speak gRPC"),
                               (listener(b"<!DOCTYPE HTML>\n<html>no, since I am of an earlier time</html>\n"), "does not speak gRPC"),
                               (listener(b"\x15\x03\x01\x00\x02\x02\x46"), "does not speak gRPC|closes every connection"),
                               (listener(b""), "takes connections there and says nothing")):
            ran = ctl("-a", address, "-t", "2s", "list")
            self.assertEqual(UNREACHABLE, ran.code, ran)
            self.assertIn("sagactl: no sidecar answers at %s: " % address, ran.err)
            self.assertRegex(ran.err, words)
            self.assertNotIn("start it with", ran.err.lower())
        impostor = Impostor()
        self.addCleanup(impostor.close)
        ran = ctl("-a", impostor.address, "list")
        self.assertEqual(REFUSED, ran.code, ran)
        self.assertIn("is a gRPC server, but no sidecar", ran.err)

    @unittest.skipUnless(os.geteuid() == 0, "a socket that may not be used needs another user")
    def test_a_socket_that_may_not_be_used(self):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        os.chmod(directory, 0o755)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(directory + "/sock")
            s.listen()
            os.chmod(directory + "/sock", 0o600)
            binary = shutil.copy(SAGACTL, directory + "/sagactl")  # where the other user can read it
            ran = subprocess.run([binary, "-a", "unix:%s/sock" % directory, "list"], capture_output=True, text=True, cwd="/",
                                 env=environment(), user=65534, timeout=PATIENCE_S)
        self.assertEqual(UNREACHABLE, ran.returncode, ran)
        self.assertIn("you may not use this socket", ran.stderr)
        self.assertIn("may well be running", ran.stderr)

    def test_nobody_there(self):
        with tempfile.TemporaryDirectory() as directory:
            address = "unix:%s/none.sock" % directory
            for arguments in (("list",), ("get", "9f03c1d2a4b7-2a"), ("wait", "9f03c1d2a4b7-2a"),
                              ("watch",), ("watch", "--from", "1.0"), ("deadletters",),
                              ("start", "order"), ("pause", "9f03c1d2a4b7-2a")):
                ran = ctl("-a", address, *arguments)
                self.assertEqual((UNREACHABLE, ""), (ran.code, ran.out), ran)
                self.assertIn("sagactl: no sidecar answers at %s: there is no socket at this path\n" % address, ran.err)
                ran = ctl("-o", "json", "-a", address, *arguments)
                self.assertEqual("SIDECAR_UNREACHABLE", json.loads(ran.err)["error"]["reason"])

    def test_addresses(self):
        ran = ctl("list", "--address", "nonsense")
        self.assertEqual(USAGE, ran.code, ran)
        with tempfile.TemporaryDirectory() as directory:
            ran = ctl("list", SAGAD_ADDRESS="unix:%s/by-environment.sock" % directory)
            self.assertIn("by-environment.sock", ran.err)

    def test_lint_needs_none(self):
        path = os.path.join(ROOT, "client-lib/examples/checkout/checkout.yaml")
        ran = ctl("lint", path)
        self.assertEqual((0, path + ": checkout 1.0.0, 3 steps: good\n"), (ran.code, ran.out))
        self.assertEqual({"file": path, "name": "checkout", "version": "1.0.0", "steps": 3, "findings": []},
                         ctl("lint", "-o", "json", path).json())
        ran = ctl("lint", "-", stdin="name: x\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: nope}\n")
        self.assertEqual(REFUSED, ran.code, ran)
        self.assertTrue(ran.out.startswith("<stdin>:4:34: error: steps[0].action"), ran)
        ran = ctl("lint", "-o", "json", "-", stdin="name: [\n")
        self.assertEqual(REFUSED, ran.code, ran)
        self.assertEqual(("<stdin>", "syntax"), (ran.json()["file"], ran.json()["findings"][0]["rule"]))
        for wrong in (("lint", "/nowhere.yaml"), ("lint",), ("lint", "--explain", "nothing"), ("list", "-o", "sarif"),
                      ("lint", "--schema", "/nowhere", path)):
            self.assertEqual(USAGE, ctl(*wrong).code, wrong)
        with tempfile.TemporaryDirectory() as directory:
            ran = ctl("register", "--dry-run", "-a", "unix:%s/none.sock" % directory, path)
            self.assertEqual(0, ran.code, ran)
            self.assertIn("only checked here", ran.err)

    def test_lint_and_rehearse_know_a_configuration(self):
        """Targets, their timeouts, the bounds and the default retries of a sagad.yaml, and the policy's rules about targets."""
        text = definition("known", step("a", more="timeout: 1s"), "name: b, after: [a], target: bank, action: /a.v1.B/C, compensation: none",
                          extra="deadline: 10s\n")
        with tempfile.TemporaryDirectory() as directory:
            def write(name, lines):
                path = os.path.join(directory, name)
                with open(path, "w") as file:
                    file.write(lines)
                return path
            config = "default_retry: {maxAttempts: 1}\ntargets:\n  shop: 127.0.0.1:1\n  bank: {address: \"127.0.0.1:2\", timeout: 8s}\n"
            good = write("good.yaml", config)
            self.assertEqual(0, ctl("lint", "--config", good, "-", stdin=text).out.count("deadline-too-short"))
            slow = write("slow.yaml", config.replace("8s", "20s"))
            ran = ctl("lint", "--config", slow, "-", stdin=text)
            self.assertEqual(0, ran.code, ran)
            self.assertIn("<stdin>:3:11: warning: deadline: a, b may take 21s with all attempts", ran.out)
            ran = ctl("lint", "--config", good, "-", stdin=text.replace("target: bank", "target: bnak"))
            self.assertEqual(REFUSED, ran.code, ran)
            self.assertIn("bnak is no target of the configuration; did you mean bank? [target-unknown]", ran.out)
            ran = ctl("lint", "--config", write("few.yaml", config + "steps_max: 1\n"), "-", stdin=text)
            self.assertEqual(REFUSED, ran.code, ran)
            self.assertIn("[bound]", ran.out)
            policy = write("policy.yaml", "rules:\n  - {id: tls, that: \"targets[step.target].tls\", else: not encrypted}\n")
            self.assertEqual(0, ctl("lint", "--policy", policy, "-", stdin=text).code)
            self.assertEqual(2, ctl("lint", "--policy", policy, "--config", good, "-", stdin=text).out.count("not encrypted [tls]"))
            longest = lambda *options: max(end["longest_ms"] for end in ctl("rehearse", *options, "-o", "json", "-", stdin=text).json()["ends"])
            self.assertGreater(longest("--config", slow), longest("--config", good))
            ran = ctl("lint", "--config", write("wrong.yaml", "targets: {shop: 127.0.0.1:0}\n"), "-", stdin=text)
            self.assertEqual(USAGE, ran.code, ran)
            self.assertIn("wrong.yaml:1:17: targets.shop", ran.err)

    def test_rehearse(self):
        text = definition("tried", step("a"), step("b", compensate=False, after=["a"], more="pivot: true"), extra="deadline: 10m\n")
        ran = ctl("rehearse", "-", stdin=text)
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(["a  shop  /shop.v1.Shop/a  0 bytes", "b  shop  /shop.v1.Shop/b  0 bytes"], [line.strip() for line in ran.out.splitlines()[1:3]])
        document = ctl("rehearse", "-o", "json", "-", stdin=text).json()
        self.assertEqual(["a", "b"], [call["step"] for call in document["plan"]])
        ends = {(end["state"], end["reason"], end["step"]) for end in document["ends"]}
        self.assertIn(("COMMITTED", "", ""), ends)
        self.assertIn(("STUCK", "PIVOT_UNKNOWN", "b"), ends)
        self.assertEqual({"dead-letter"}, {f["rule"] for f in document["findings"]})
        # Findings stand where the text has them: a fallback is no step of its own there.
        late = definition("late", step("a", compensate=False, more="fallback: {value: {constant: x}}"), step("b", after=["a"]),
                          extra="deadline: 10m\n")
        found = {f["rule"]: f for f in ctl("rehearse", "-o", "json", "-", stdin=late).json()["findings"]}
        self.assertEqual(("steps[0]", 5), (found["left-behind"]["field"], found["left-behind"]["line"]))
        self.assertEqual(("steps[1]", 6), (found["dead-letter"]["field"], found["dead-letter"]["line"]))
        ran = ctl("rehearse", "-o", "sarif", "-", stdin=text.replace(", compensation: /shop.v1.Shop/una", ""))
        self.assertEqual(REFUSED, ran.code, ran)
        behind = [r for r in ran.json()["runs"][0]["results"] if r["ruleId"] == "left-behind"]
        self.assertEqual(1, len(behind))
        self.assertIn("b: refused\nturns back: ACTION_REJECTED", behind[0]["message"]["text"])
        with tempfile.TemporaryDirectory() as directory:
            shop = os.path.join(ROOT, "client-lib/examples/checkout")
            subprocess.run(["protoc", "-I", shop, "--include_imports", "--descriptor_set_out=%s/shop.binpb" % directory, "checkout.proto"],
                           check=True)
            checkout = os.path.join(shop, "checkout.yaml")
            self.assertEqual(USAGE, ctl("rehearse", checkout).code)
            ran = ctl("rehearse", "--schema", directory, "--json", '{"order_id": "A-7"}', checkout)
            self.assertEqual(0, ran.code, ran)
            self.assertIn('reserve  inventory  /shop.v1.Inventory/Reserve  {"orderId":"A-7"}', ran.out)
            self.assertEqual(REFUSED, ctl("rehearse", "--schema", directory, "--json", '{"order": "A-7"}', checkout).code)

    def test_graph_of_a_definition(self):
        text = definition("drawn", step("a"), step("b", after=["a"]), step("c", compensate=False, after=["a"]),
                          step("d", compensate=False, after=["b", "c"], more="pivot: true"))
        ran = ctl("graph", "-", stdin=text)
        self.assertEqual(0, ran.code, ran)
        lines = ran.out.splitlines()
        self.assertEqual("drawn 1.0.0", lines[0])
        self.assertEqual(["a", "b", "c", "d"], [line.split()[1] for line in lines[1:]])
        self.assertIn("after a  on shop  undone by unb", lines[2])
        self.assertIn("pivot  after b, c", lines[4])
        edges = [(0, 1), (0, 2), (1, 3), (2, 3)]
        mermaid = ctl("graph", "-o", "mermaid", "-", stdin=text).out
        self.assertEqual(edges, [(int(a), int(b)) for a, b in re.findall(r"s(\d) --> s(\d)", mermaid)])
        self.assertIn('s3{{"d"}}', mermaid)
        dot = ctl("graph", "-o", "dot", "-", stdin=text).out
        self.assertEqual(edges, [(int(a), int(b)) for a, b in re.findall(r"s(\d) -> s(\d);", dot)])
        svg = xml.etree.ElementTree.fromstring(ctl("graph", "-o", "svg", "-", stdin=text).out)
        kinds = [element.tag.split("}")[1] for element in svg]
        self.assertEqual((4, 4), (kinds.count("rect"), kinds.count("line")))
        self.assertEqual([[], ["a"], ["a"], ["b", "c"]],
                         [s["after"] for s in ctl("graph", "-o", "json", "-", stdin=text).json()["steps"]])
        more = definition("chosen", "name: a, when: \"input.total > 3\", target: {oneof: [eu, us], by: \"'eu'\"}, action: /a.v1.B/C, compensation: none",
                          "name: b, after: [a], for_each: input.lines, max_items: 7, target: shop, action: /a.v1.B/C, compensation: none",
                          extra="schema: some\ninput: some.v1.Order\n")
        lines = ctl("graph", "-", stdin=more).out.splitlines()
        self.assertTrue(lines[1].endswith("a     when input.total > 3  on eu|us"), lines)
        self.assertTrue(lines[2].endswith("b     for each of at most 7  after a  on shop"), lines)
        self.assertIn('s1["b[*]"]', ctl("graph", "-o", "mermaid", "-", stdin=more).out)
        self.assertIn('label="a\\neu|us"', ctl("graph", "-o", "dot", "-", stdin=more).out)
        self.assertEqual([("eu|us", 0, "input.total > 3"), ("shop", 7, "")],
                         [(s["target"], s["max_items"], s["when"]) for s in ctl("graph", "-o", "json", "-", stdin=more).json()["steps"]])
        more = definition("degrades", step("a", compensate=False, more="fallback: {value: {constant: x}}"),
                          step("b", after=["a"], compensate=False, more="when: input.x > 3"), extra="schema: some\ninput: some.v1.Order\n")
        self.assertEqual([("a", ""), ("a.fallback", ""), ("b", "input.x > 3")],
                         [(s["name"], s["when"]) for s in ctl("graph", "-o", "json", "-", stdin=more).json()["steps"]])
        self.assertEqual(REFUSED, ctl("graph", "-", stdin="name: [").code)
        self.assertEqual(USAGE, ctl("list", "-o", "svg").code)

    def test_lint_explains_and_writes_sarif(self):
        self.assertIn("compensation: none", ctl("lint", "--explain", "undo-missing").out)
        rules = [line.split()[0] for line in ctl("lint", "--explain", "all").out.splitlines()]
        warned = "name: x\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /a.v1.B/C}\n"
        with tempfile.TemporaryDirectory(prefix="with space") as directory:
            paths = [os.path.join(directory, name) for name in ("one.yaml", "two.yaml")]
            for path, text in zip(paths, (warned, "name: [\n")):
                with open(path, "w") as f:
                    f.write(text)
            ran = ctl("lint", "-o", "sarif", *paths)
            self.assertEqual(REFUSED, ran.code, ran)
            document = ran.json()
        self.assertEqual("2.1.0", document["version"])
        self.assertEqual(1, len(document["runs"]))
        run = document["runs"][0]
        self.assertEqual(rules, [rule["id"] for rule in run["tool"]["driver"]["rules"]])
        self.assertEqual(["deadline-missing", "undo-missing", "syntax"], [result["ruleId"] for result in run["results"]])
        for result in run["results"]:
            self.assertEqual(result["ruleId"], rules[result["ruleIndex"]])
            place = result["locations"][0]["physicalLocation"]
            self.assertIn("with%20space", place["artifactLocation"]["uri"])
            self.assertGreater(place["region"]["startLine"], 0)
        self.assertEqual(["note", "warning", "error"], [result["level"] for result in run["results"]])

    def test_lint_knows_messages_by_their_descriptors(self):
        text = ("name: x\nversion: 1.0.0\ndeadline: 10m\nschema: shop\ninput: shop.v1.Order\nsteps:\n"
                "  - {name: a, target: t, action: /shop.v1.Inventory/Resrve, compensation: none}\n")
        ran = ctl("lint", "-", stdin=text)
        self.assertEqual((0, "sagactl: <stdin>: its messages were not looked at: --schema FILE names those of the schema shop\n"), (ran.code, ran.err))
        with tempfile.TemporaryDirectory() as directory:
            shop = os.path.join(ROOT, "client-lib/examples/checkout")
            subprocess.run(["protoc", "-I", shop, "--include_imports", "--descriptor_set_out=%s/shop.binpb" % directory, "checkout.proto"],
                           check=True)
            with open(directory + "/._shop.binpb", "w") as f:
                f.write("what a file system keeps beside it")
            for schema in (directory, directory + "/shop.binpb"):
                ran = ctl("lint", "--schema", schema, "-", stdin=text)
                self.assertEqual(REFUSED, ran.code, ran)
                self.assertIn("did you mean /shop.v1.Inventory/Reserve? [method-unknown]", ran.out)
            ran = ctl("lint", "--schema", directory, "-", stdin=text.replace("Resrve", "Reserve"))
            self.assertEqual((0, ""), (ran.code, ran.err))

    def test_completions(self):
        for shell in ("bash", "zsh", "fish"):
            ran = ctl("completion", shell)
            self.assertEqual(0, ran.code)
            for word in ("deadletters", "request-id", "compensating", "always"):
                self.assertIn(word, ran.out, shell)
        self.assertEqual(USAGE, ctl("completion", "csh").code)
        script = ctl("completion", "bash").out

        def complete(*words):
            asked = script + "\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_sagactl\necho ${COMPREPLY[@]}\n" % (
                " ".join("'%s'" % w for w in words), len(words) - 1)
            return subprocess.run(["bash", "-c", asked], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        self.assertEqual(["resume", "reload", "release", "retry", "reject", "resolve", "register", "rehearse"], complete("sagactl", "re"))
        self.assertEqual(["--state"], complete("sagactl", "-a", "x", "list", "--st"))
        self.assertEqual(["json"], complete("sagactl", "get", "--output", "j"))
        self.assertIn("--past-stuck", complete("sagactl", "wait", "--"))
        self.assertEqual(["json"], complete("sagactl", "get", "-o", "j"))
        # What only the sidecar knows: here there is none, so nothing is proposed, and nothing is said.
        self.assertEqual([], complete("sagactl", "get", ""))
        self.assertNotIn("--past-stuck", complete("sagactl", "get", "--"))


class Forwarder:
    """A port in front of a sidecar's unix socket that tells when something has passed towards the sidecar."""

    def __init__(self, path, awaited):
        self.path, self.awaited, self.passed = path, awaited, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.path)
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other, one is near), daemon=True).start()

    def _pump(self, one, other, towards):
        seen = b""
        try:
            while data := one.recv(65536):
                other.sendall(data)
                seen += data if towards else b""
                if self.awaited in seen:
                    self.passed.set()
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class SidecarGone(unittest.TestCase):
    """A sidecar that is killed and comes back, at the same address."""

    def setUp(self):
        self.shop = Participant()
        self.directory = tempfile.TemporaryDirectory()
        self.address = "unix:%s/s.sock" % self.directory.name
        self.sidecar = Sidecar(targets={"shop": self.shop.address}, listen=[self.address])
        self.gate = Gate()
        self.shop.on(do("charge"), self.gate)
        self.sidecar.client.register(ORDER)
        self.saga_id = self.sidecar.client.Start(definition="order").saga_id
        self.gate.await_call()

    def tearDown(self):
        self.gate.open()
        try:
            self.sidecar.close()
        finally:
            self.shop.stop()
            self.directory.cleanup()

    def over_a_kill(self, *arguments):
        """Runs a command; kills the sidecar once it has said something, and starts it again."""
        process = subprocess.Popen([SAGACTL, "-a", self.address, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        # Not communicate(), which would not see what these have read ahead. What is written is far less than a pipe holds.
        with process.stdout, process.stderr:
            first = process.stdout.readline()
            self.sidecar.kill()
            self.gate.open()
            self.sidecar.start()
            out, err = process.stdout.read(), process.stderr.read()
        return process.wait(PATIENCE_S), first + out, err

    def test_wait(self):
        # The request of Wait is the saga's id, which stands in it as it is.
        forwarder = Forwarder(self.address[5:], self.saga_id.encode())
        process = subprocess.Popen([SAGACTL, "-a", forwarder.address, "wait", self.saga_id], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=environment())
        self.assertTrue(forwarder.passed.wait(PATIENCE_S))
        self.sidecar.kill()
        self.gate.open()
        self.sidecar.start()
        out, err = process.communicate(timeout=2 * PATIENCE_S)
        forwarder.close()
        self.assertEqual((0, "sagactl: the sidecar is gone; waiting until it is back\n"), (process.returncode, err))
        self.assertRegex(out, r"COMMITTED after \S+\n$")

    def test_wait_ends_when_its_time_is_over(self):
        """Though the sidecar that was there does not come back."""
        forwarder = Forwarder(self.address[5:], self.saga_id.encode())
        began = time.monotonic()
        process = subprocess.Popen([SAGACTL, "-a", forwarder.address, "wait", self.saga_id, "--timeout", "2s"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=environment())
        self.assertTrue(forwarder.passed.wait(PATIENCE_S))
        self.sidecar.kill()
        out, err = process.communicate(timeout=PATIENCE_S)
        forwarder.close()
        self.assertEqual((TIMEOUT, ""), (process.returncode, out), err)
        self.assertGreater(time.monotonic() - began, 2)
        self.assertLess(time.monotonic() - began, 15)
        self.gate.open()
        self.sidecar.start()

    def test_start_and_wait(self):
        code, out, err = self.over_a_kill("start", "order", "--wait")
        self.assertEqual(0, code, err)
        self.assertRegex(out, r"^(\S+)\n\1 COMMITTED after \S+\n$")

    def test_watch(self):
        code, out, err = self.over_a_kill("watch", self.saga_id, "-o", "json")
        self.assertEqual(0, code, err)
        self.assertEqual({"note": {"message": "the sidecar is gone; waiting until it is back"}}, json.loads(err))
        events = [json_format.Parse(l, message("saga.v1.Event")()) for l in out.splitlines()]
        self.assertEqual([e.cursor for e in self.sidecar.client.Get(saga_id=self.saga_id).timeline], [e.cursor for e in events])


if __name__ == "__main__":
    unittest.main()
