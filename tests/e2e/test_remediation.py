"""Remediation: what rules do by themselves is seldom, told, judged, kept, and taken back when somebody says so."""
import http.server
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import zlib

import grpc

from harness import (PATIENCE_S, QUICK, SAGAD, Case, Participant, Sidecar, definition, do, enum, fail, message, state, step, undo, wait_until)
from test_explain import Ctl
from test_watching import get, samples

Code = grpc.StatusCode
LOOKS_S = 60  # rules look every ten seconds
LONG = "ä" * 1000  # what is cut is cut before a character
ARM, UNDO = enum("RuleChange", "RULE_CHANGE_ARM"), enum("RuleChange", "RULE_CHANGE_UNDO")


class Pager:
    """A webhook that takes what is posted; or, hanging, never answers."""

    def __init__(self, hangs=False):
        self.taken = []
        if hangs:
            self.server = socket.create_server(("127.0.0.1", 0))
            self.url = "http://127.0.0.1:%d/" % self.server.getsockname()[1]
            return
        pager = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                pager.taken.append((self.headers["Content-Type"], json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        if hasattr(self.server, "shutdown") and not isinstance(self.server, socket.socket):
            self.server.shutdown()
            self.server.server_close()
        else:
            self.server.close()


class Rules(Ctl, Case):
    @classmethod
    def setUpClass(cls):
        cls.pager, cls.deaf, cls.other = Pager(), Pager(hangs=True), Participant()
        cls.options = {
            "http_listen": "127.0.0.1:0",
            "objectives": {"paid": {"success": 99}, "halted": {"success": 99}},
            "remediation": {
                "letters": {"when": "deadletters >= 3 && breaker == 'CLOSED' && unreachable_for == duration('0s')", "do": "retry", "definition": "frail", "target": "shop",
                            "where": "reason == COMPENSATION_FAILED", "per_second": 100, "every": "10s", "settle": "10s", "mode": "act"},
                "tried": {"when": "deadletters >= 3", "do": "hold", "definition": "frail", "target": "shop", "every": "10s"},
                "somebody": {"when": "deadletters >= 3 // " + LONG, "do": "page", "definition": "frail", "url": cls.pager.url, "every": "24h", "mode": "act"},
                "nobody": {"when": "deadletters >= 3", "do": "page", "definition": "frail", "url": cls.deaf.url, "every": "24h", "mode": "act"},
                "trips": {"when": "attempts >= 10 && failed_share == 0.0", "do": "trip", "definition": "paid", "target": "other", "every": "24h", "settle": "10s", "mode": "act"},
                "halts": {"when": "deadletters >= 1  // " + LONG, "do": "hold", "definition": "halted", "every": "10s", "settle": "10s", "mode": "act"},
            }}
        cls.shop = Participant()
        cls.sidecar = Sidecar(targets={"shop": cls.shop.address, "other": {"address": cls.other.address, "breaker_open": "2s"}}, **cls.options)
        cls.client = cls.sidecar.client

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        for what in (cls.pager, cls.deaf):
            what.close()
        cls.other.stop()

    @property
    def operator(self):
        return self.sidecar.client.operator

    def rule(self, name):
        return next(r for r in self.operator.ListRules().rules if r.name == name)

    def await_rule(self, name, condition, what):
        wait_until(lambda: condition(self.rule(name)), "%s: %s" % (name, what), LOOKS_S)
        return self.rule(name)

    def count(self, rule, result):
        return samples(get(self.sidecar, "/metrics")[2]).get(("sagad_remediation_total", (("rule", rule), ("result", result))), 0)

    def armed(self, rule):
        return samples(get(self.sidecar, "/metrics")[2])["sagad_remediation_armed", (("rule", rule),)]

    def acts(self, actor, method=None):
        return [e for e in self.operator.ListAudit(page_size=1000).entries if e.actor == actor and method in (None, e.method)]

    def unask(self, name, definition):
        """The journal says that the rule has decided, and nobody holds the definition yet."""
        with sqlite3.connect(os.path.join(self.sidecar.options["data_dir"], "journal.db")) as db:
            value, = db.execute("SELECT value FROM subjects WHERE kind = 13 AND name = ?", (name.encode(),)).fetchone()
            rule = message("saga.v1.Rule").FromString(value)
            rule.order = enum("RuleOrder", "RULE_ORDER_ACT")
            value = rule.SerializeToString()
            numbers = b"".join(n.to_bytes(8, "little") for n in (13, 1, len(name), len(value)))
            checksum = zlib.crc32(numbers + name.encode() + value)
            db.execute("UPDATE subjects SET value = ?, checksum = ? WHERE kind = 13 AND name = ?",
                       (value, checksum - (checksum >> 31 << 32), name.encode()))
            self.assertEqual(1, db.execute("DELETE FROM subjects WHERE kind = 12 AND name = ?", (definition.encode(),)).rowcount)
        db.close()

    def letters(self, name, count):
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.UNAVAILABLE, "away"))
        frail = "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, %s}" % (QUICK % 1)
        self.sidecar.client.register(definition(name, frail, step("b", after=["a"], more=QUICK % 1)))
        return [self.sidecar.client.stuck(self.sidecar.client.Start(definition=name).saga_id).id for _ in range(count)]

    def test_1_letters_are_retried_and_somebody_is_paged(self):
        letters = self.letters("frail", 3)
        self.shop.functions.clear()  # the participant is mended
        for saga in letters:
            wait_until(lambda: self.sidecar.client.saga(saga).state == state("COMPENSATED"), "a dead letter that is retried", LOOKS_S)
        rule = self.rule("letters")
        self.assertEqual((1, False, False), (rule.acts, rule.disarmed, rule.dry_run))
        bulk, = self.acts("rule letters", "StartBulk")
        self.assertRegex(bulk.reason, r"^deadletters >= 3 .*: deadletters=3 .*breaker=CLOSED attempts=\d+ failed=\d+$")
        self.assertEqual("", bulk.identity)
        self.assertEqual(3, len(self.acts("rule letters", "Retry")))
        # The one that is only tried has said so, and held nothing.
        self.assertGreaterEqual(self.count("tried", "would"), 1)
        self.assertEqual([], self.acts("rule tried"))
        self.assertTrue(self.sidecar.log("a rule would act, and is only tried (mode: dry-run)"))
        self.sidecar.client.run("frail")
        # A page came, and the other webhook hangs: nobody else waits for it.
        wait_until(lambda: self.pager.taken, "a page", LOOKS_S)
        kind, body = self.pager.taken[0]
        self.assertEqual("application/json", kind)
        self.assertEqual(("somebody", "deadletters >= 3 // " + LONG, "frail", ""), (body["rule"], body["when"], body["definition"], body["target"]))
        self.assertIn("deadletters=3", body["said"])
        self.assertEqual(1, len(self.acts("rule somebody", "Page")))
        wait_until(lambda: self.sidecar.log("a webhook did not take a page"), "that one does not answer", LOOKS_S)
        pages = lambda result: samples(get(self.sidecar, "/metrics")[2])["sagad_webhooks_total", (("result", result),)]
        self.assertEqual((1, 1, 0), (pages("sent"), pages("failed"), pages("dropped")))
        self.assertNotIn(self.deaf.url, "\n".join(self.sidecar.lines))
        # It is judged before it may act again.
        self.await_rule("letters", lambda r: not r.pending, "judged")
        self.assertEqual(1, self.count("letters", "judged"))
        self.assertRegex(self.ctl("rules"), r"\nletters +retry frail +(armed|true) +1  \S")

    def test_2_worse_stops_itself(self):
        self.sidecar.client.register(definition("paid", "name: a, target: other, action: /shop.v1.Shop/pay, " + QUICK % 1))
        for _ in range(12):
            self.sidecar.client.run("paid")
        rule = self.await_rule("trips", lambda r: r.pending, "tripped")
        self.assertEqual((12, 12), (rule.before_all, rule.before_good))
        self.other.on(do("pay"), fail(Code.UNKNOWN, "who knows", None))
        for _ in range(3):
            self.sidecar.client.run("paid")  # waits until the breaker is half-open
        rule = self.await_rule("trips", lambda r: r.disarmed, "disarmed")
        self.assertRegex(rule.said, r"before its act 12 of 12 went well, after it 0 of 3$")
        wait_until(lambda: [e.reason for e in self.acts("rule trips", "SetBreaker")][:1] == [rule.said[:180]], "the breaker is closed again")
        self.assertEqual(1, len(self.acts("sagad", "DisarmRule")))
        self.assertEqual((1, 0), (self.count("trips", "worse"), self.armed("trips")))
        # A crash takes nothing of what rules have done: when, how often, what was counted, what was said.
        kept = lambda: {r.name: (r.acts, r.acted_at, r.disarmed, r.pending, r.held, r.before_all, r.before_good, r.at_all, r.at_good, r.said)
                        for r in self.operator.ListRules().rules if r.name in ("trips", "somebody")}
        before = kept()
        self.assertTrue(all(acted.seconds > 0 for _, acted, *_ in before.values()), before)
        by_target = lambda: (self.rule("letters").acts > 0, self.rule("letters").at_all > 0)
        self.assertEqual((True, True), by_target())
        self.sidecar.restart("kill")
        self.assertEqual(before, kept())
        # Attempts of a target are counted anew: what is counted from now on came after the act.
        self.assertEqual((True, False), by_target())
        self.assertTrue(self.rule("trips").disarmed)
        self.assertEqual(0, self.armed("trips"))
        self.assertRegex(self.ctl("rules"), r"\ntrips +trip other +disarmed +1  ")
        self.ctl("rules", "arm", "trips", "--reason", "it was the participant")
        self.assertFalse(self.rule("trips").disarmed)
        self.assertEqual(1, self.armed("trips"))

    def test_3_held_until_told(self):
        self.letters("halted", 1)
        self.await_rule("halts", lambda r: r.held and not r.order, "held")
        wait_until(lambda: any(loop.holds for loop in self.operator.Status().loops), "a hold")
        failure = self.refused("UNAVAILABLE", "DEFINITION_HELD", self.sidecar.client.Start, definition="halted")
        self.assertIn("sagactl release", failure.text)
        self.sidecar.restart("kill")
        self.refused("UNAVAILABLE", "DEFINITION_HELD", self.sidecar.client.Start, definition="halted")
        self.sidecar.client.Start(definition="halted", synthetic=True)  # heartbeats tell when all is well again
        self.assertTrue(self.rule("halts").held)
        # As a crash leaves it that comes between a decision and what is asked for: the same is asked for again.
        self.sidecar.kill()
        self.unask("halts", "halted")
        self.sidecar.start()
        wait_until(lambda: [h.actor for loop in self.operator.Status().loops for h in loop.holds] == ["rule halts"], "a hold", LOOKS_S)
        rule = self.await_rule("halts", lambda r: not r.order, "answered")
        self.assertEqual((1, True, False), (rule.acts, rule.held, rule.disarmed))
        self.assertEqual(2, len(self.acts("rule halts", "HoldDefinition")))
        self.assertEqual(1, self.count("halts", "acted"))
        self.ctl("rules", "undo", "halts", "--reason", "seen")
        wait_until(lambda: not any(loop.holds for loop in self.operator.Status().loops), "no hold")
        self.sidecar.client.Start(definition="halted")
        rule = self.await_rule("halts", lambda r: not r.order, "taken back")
        self.assertEqual((True, False, True), (rule.disarmed, rule.held, rule.taken_back))
        self.assertEqual([("halts", "seen")], [(e.subject, e.reason) for e in self.operator.ListAudit().entries if e.method == "ChangeRule" and e.subject == "halts"])
        # By hand.
        self.ctl("hold", "halted", "--reason", "the stock is wrong")
        self.refused("UNAVAILABLE", "DEFINITION_HELD", self.sidecar.client.Start, definition="halted")
        self.ctl("rules", "undo", "halts")  # nothing of the rule's is left: what a person holds stays
        self.assertEqual(0, self.rule("halts").order)
        self.ctl("release", "halted")
        self.sidecar.client.Start(definition="halted")
        # Who lets go by hand what a rule holds disarms it.
        self.ctl("rules", "arm", "halts")
        self.await_rule("halts", lambda r: r.held and not r.order, "held again")
        self.ctl("release", "halted")
        rule = self.await_rule("halts", lambda r: r.disarmed, "disarmed")
        self.assertEqual((False, "somebody else took back what it did, and it is disarmed"), (rule.held, rule.said))
        self.assertEqual(1, self.count("halts", "loosed"))

    def test_4_errors(self):
        self.refused("NOT_FOUND", "RULE_NOT_FOUND", self.operator.ChangeRule, name="none", change=ARM, actor="anna")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.operator.ChangeRule, name="halts", actor="anna", field="change")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.operator.ChangeRule, name="halts", change=UNDO, field="actor")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.operator.HoldDefinition, definition="halted", actor="anna", field="reason")
        for rule, words in (({"when": "deadleters > 1", "do": "page", "url": "http://h"}, r"remediation\.x\.when: column 1"),
                            ({"when": "true", "do": "retry", "definition": "nothing-promised"}, r"remediation\.x: .*objective of success"),
                            ({"when": "true", "do": "trip"}, r"say which \(target\)"),
                            ({"when": "true", "do": "page"}, r"needs the url"),
                            ({"when": "true", "do": "page", "url": "ftp://h"}, r"http:// or https://"),
                            ({"do": "page", "url": "http://h"}, r"when")):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
                f.write("remediation: " + json.dumps({"x": rule}) + "\n")
                f.flush()
                ran = subprocess.run([SAGAD, "-n", "-f", f.name], text=True, capture_output=True, timeout=PATIENCE_S)
            self.assertNotEqual(0, ran.returncode, rule)
            self.assertRegex(ran.stderr, words)


class OfAllLoops(Ctl, Case):
    """Rules see what is so in all loops, and do it in all of them."""

    @classmethod
    def setUpClass(cls):
        cls.pager, cls.shop = Pager(), Participant()
        rule = {"when": "deadletters == 11", "definition": "frail", "target": "shop", "every": "24h", "settle": "10s", "mode": "act"}
        cls.sidecar = Sidecar(targets={"shop": cls.shop.address}, loops=3, remediation={
            "letters": dict(rule, do="retry", per_second=100),
            "halts": dict(rule, do="hold"),
            "trips": dict(rule, do="trip"),
            "pages": {"when": "deadletters == 11 && 'a\\\\b\"c' != ''", "do": "page", "definition": "frail", "url": cls.pager.url, "every": "24h", "mode": "act"}})
        cls.client = cls.sidecar.client

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.pager.close()

    def loops(self):
        return self.sidecar.client.operator.Status().loops

    def test_each_loop(self):
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.UNAVAILABLE, "away"))
        frail = "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, %s}" % (QUICK % 1)
        self.sidecar.client.register(definition("frail", frail, step("b", after=["a"], more=QUICK % 1)))
        letters = [self.sidecar.client.stuck(self.sidecar.client.Start(definition="frail", request_id="frail-%d" % i).saga_id).id for i in range(11)]
        self.assertTrue(all(loop.stuck for loop in self.loops()), "each loop has some")
        self.shop.functions.clear()
        # Its breaker is open: an operator closes it, as a rule's act is like a person's.
        opened = lambda: [t.breaker.state for loop in self.loops() for t in loop.targets if t.breaker.openings]
        wait_until(lambda: len(opened()) == 3, "every loop's breaker was opened", LOOKS_S)
        wait_until(lambda: all(loop.holds for loop in self.loops()), "every loop holds the definition", LOOKS_S)
        self.ctl("breaker", "reset", "shop", "--reason", "seen")
        for saga in letters:
            wait_until(lambda: self.sidecar.client.saga(saga).state == state("COMPENSATED"), "a dead letter that is retried", LOOKS_S)
        wait_until(lambda: self.pager.taken, "a page", LOOKS_S)
        self.assertEqual(self.rule("pages").when, self.pager.taken[0][1]["when"])
        # What is taken back is taken back everywhere.
        for name in ("halts", "trips"):
            self.ctl("rules", "undo", name, "--reason", "seen")
        wait_until(lambda: not any(loop.holds for loop in self.loops()), "no loop holds it")
        for i in range(11):
            self.sidecar.client.run("frail", request_id="again-%d" % i)

    def rule(self, name):
        return next(r for r in self.sidecar.client.operator.ListRules().rules if r.name == name)


class WithoutLibcurl(Case):
    """Pages need it, and nothing else does."""

    def test_rules_that_page_are_refused_and_what_runs_goes_on(self):
        folder = tempfile.mkdtemp(prefix="saga-libcurl-")
        self.addCleanup(shutil.rmtree, folder)
        open(os.path.join(folder, "libcurl.so.4"), "w").close()  # is found first, and is none
        sidecar = self.sidecar = Sidecar(start=False)
        self.addCleanup(sidecar.close)
        sidecar.environment["LD_LIBRARY_PATH"] = folder
        sidecar.start()
        sidecar.options["remediation"] = {"pages": {"when": "deadletters > 0", "do": "page", "definition": "any", "url": "http://127.0.0.1:9/"}}
        sidecar.write_config()
        with self.assertRaises(grpc.RpcError) as raised:
            sidecar.client.operator.Reload(actor="anna")
        self.assertRegex(raised.exception.details(), r"remediation: .*a rule pages somebody, and libcurl cannot be loaded: .*libcurl\.so\.4")
        self.assertState("RUNNING", sidecar.client.saga(sidecar.client.Begin(name="x").saga_id))
        self.assertEqual(0, len(sidecar.client.operator.ListRules().rules))


class Undecided(Case):
    """What a rule decided is asked for once it is durable: not while the journal has no room for it, though reads are answered."""

    def test_no_page_without_a_row(self):
        pager = Pager()
        self.addCleanup(pager.close)
        sidecar = self.sidecar = Sidecar()
        self.addCleanup(sidecar.close)
        limit = lambda size: resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        limit(4096)
        sidecar.options["remediation"] = {"pages": {"when": "deadletters == 0", "do": "page", "definition": "any", "url": pager.url, "every": "24h", "mode": "act"}}
        sidecar.write_config()
        sidecar.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sidecar.log("a rule acts"), "it decides", LOOKS_S)
        wait_until(lambda: sidecar.log("the journal is full: new sagas are refused, those in flight wait for room"), "there is no room for it", LOOKS_S)
        for _ in range(20):
            rule, = sidecar.client.operator.ListRules().rules
            self.assertEqual((1, enum("RuleOrder", "RULE_ORDER_ACT")), (rule.acts, rule.order))
        self.assertEqual([], pager.taken)
        limit(resource.RLIM_INFINITY)
        wait_until(lambda: pager.taken, "a page", LOOKS_S)
        wait_until(lambda: not sidecar.client.operator.ListRules().rules[0].order, "it is answered", LOOKS_S)
        sidecar.restart("kill")
        rule, = sidecar.client.operator.ListRules().rules
        self.assertEqual((1, 0), (rule.acts, rule.order))
        self.assertEqual([1], [body["number"] for _, body in pager.taken])
