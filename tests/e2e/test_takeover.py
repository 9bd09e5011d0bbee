"""Several sidecars of one fleet: whose journal goes on where when its sidecar is gone, and who answers meanwhile."""
import concurrent.futures
import os
import signal
import subprocess
import threading
import time
import unittest

import grpc

from harness import ROOT, Gate, Participant, Sidecar, Stub, definition, do, fail, failure_of, free_port, migrate, state_name, step, wait_until
from postgres import Postgres
from shaking import freeze
from test_bad_days import SHIM
from test_pipe import Stream
from test_trust import OURS, Authority
from test_watching import get, samples

SERVICE = "spiffe://example.org/ns/shop/sa/"
SAGACTL = os.environ.get("SAGACTL", os.path.join(ROOT, "build/release/sagactl"))


class Fleet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres().start()
        migrate(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.shop = Participant()
        self.sidecars = []
        self.fleet = self.id().rsplit(".", 1)[1][:60]

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()
        self.shop.stop()

    def sidecar(self, name, start=True, **options):
        options = dict({"store": self.server.uri, "store_journal": self.fleet + "-" + name, "store_lease": "3s", "store_timeout": "3s",
                        "fleet": self.fleet, "shutdown_grace": "1s", "targets": {"shop": self.shop.address}}, **options)
        if "fleet_address" not in options and options["fleet"]:
            port = free_port()
            options.update(listen=["127.0.0.1:%d" % port], fleet_address="127.0.0.1:%d" % port)
        sidecar = Sidecar(start=start, **options)
        self.sidecars.append(sidecar)
        return sidecar

    def live(self, sidecar, count):
        """So many sagas that wait in their first step; returns their ids and the gate."""
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("two", step("a", more="timeout: 20s"), step("b", after=["a"])))
        ids = [sidecar.client.Start(definition="two", request_id="%s-%d" % (self.fleet, i)).saga_id for i in range(count)]
        wait_until(lambda: len(self.shop.calls) >= min(count, 40), "they wait in their first step")
        return ids, gate

    def taken_by(self, sidecar, name):
        return wait_until(lambda: [l for l in sidecar.log("a journal is taken over: its sagas go on here")
                                   if l.get("journal") == self.fleet + "-" + name], "the journal is taken over")

    def all_end(self, sidecar, ids, participant=None):
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
            self.assertEqual(1, len((participant or self.shop).of(saga_id, "action", "b")))

    def answered(self, sidecar, saga_id):
        """The saga's state, or None while its journal is on its way."""
        try:
            return state_name(sidecar.client.saga(saga_id))
        except grpc.RpcError as error:
            self.assertEqual(("UNAVAILABLE", "SAGA_AWAY"), (failure_of(error).code, failure_of(error).reason), error)


class Takeover(Fleet):
    def test_a_dead_sidecars_sagas_go_on_beside_anothers_own(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 20)
        a.kill()
        began = time.monotonic()
        self.taken_by(b, "a")
        self.assertLess(time.monotonic() - began, 15)
        b.client.register(definition("own", step("c")))
        own = b.client.Start(definition="own").saga_id
        gate.open()
        self.all_end(b, ids)
        self.assertEqual("COMMITTED", state_name(b.client.end(own)))
        b.stop()

    def test_one_that_stops_hands_over_at_once_and_has_it_back(self):
        a, b = self.sidecar("a", store_lease="60s"), self.sidecar("b", store_lease="60s")
        ids, gate = self.live(a, 10)
        a.stop()
        began = time.monotonic()
        self.taken_by(b, "a")
        self.assertLess(time.monotonic() - began, 20)  # not the lease
        a.start()
        self.assertTrue(b.logged("a journal that was taken over is given up"))
        gate.open()
        self.all_end(a, ids)
        self.assertEqual("COMMITTED", state_name(a.client.run("two")))

    def test_how_many_sagas_live_is_told(self):
        """Others take over what was given up with sagas in it, and nothing else."""
        a, b = self.sidecar("a"), self.sidecar("b")
        row = lambda: next(j for j in b.client.operator.ListJournals().journals if j.name == self.fleet + "-a")
        ids, gate = self.live(a, 3)
        wait_until(lambda: row().live == 3, "three are told")
        gate.open()
        self.all_end(a, ids)
        a.stop()
        self.assertEqual((0, False), (row().live, row().orphan))

    # ---- any sidecar answers for any saga ----

    def test_any_sidecar_answers_for_any_saga(self):
        a, b, c = self.sidecar("a"), self.sidecar("b"), self.sidecar("c", fleet_takeovers_max=0)
        ids, gate = self.live(a, 3)
        self.assertEqual("RUNNING", state_name(b.client.saga(ids[0])))
        b.client.Cancel(saga_id=ids[2])
        watched = b.client.Watch(saga_id=ids[0], timeout=30)
        gate.open()
        self.assertEqual("COMMITTED", state_name(b.client.end(ids[0])))
        self.assertEqual("COMPENSATED", state_name(c.client.end(ids[2])))
        types = [e.type for response in watched for e in response.events]
        self.assertEqual(len(types), len(set(types)) + 2)  # two attempts, and two that went well
        # A start that is repeated elsewhere finds its saga, also when that has ended.
        again = b.client.Start(definition="two", request_id=self.fleet + "-0")
        self.assertEqual((ids[0], True), (again.saga_id, again.already_started))
        self.assertEqual(ids[1], c.client.Find(request_id=self.fleet + "-1").saga_id)
        # What another refuses is refused in its words, with reason and field.
        with self.assertRaises(grpc.RpcError) as raised:
            b.client.operator.Retry(saga_id=ids[0], actor="me")
        with self.assertRaises(grpc.RpcError) as own:
            a.client.operator.Retry(saga_id=ids[0], actor="me")
        said = lambda error: (lambda f: (f.code, f.reason, f.field, f.text))(failure_of(error.exception))
        self.assertEqual(said(own), said(raised))
        self.assertEqual("SAGA_ENDED", failure_of(raised.exception).reason)
        a.kill()
        def answered():
            try:
                return state_name(c.client.saga(ids[1]))
            except grpc.RpcError as error:
                failure = failure_of(error)
                self.assertEqual(("UNAVAILABLE", "SAGA_AWAY"), (failure.code, failure.reason), failure)
                self.assertGreater(failure.retry_delay_ms, 0)
        self.assertEqual("COMMITTED", wait_until(answered, "somebody answers for a saga of the dead one"))
        with self.assertRaises(grpc.RpcError) as raised:
            c.client.saga("0" * 24)
        self.assertIn(failure_of(raised.exception).reason, ("SAGA_NOT_FOUND", "INVALID_ARGUMENT"))

    def test_an_operator_sees_the_fleet_and_moves_a_journal(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 3)
        rows = {j.name: j for j in b.client.operator.ListJournals().journals}
        self.assertEqual([self.fleet + "-a", self.fleet + "-b"], sorted(rows))
        self.assertEqual((self.fleet + "-a", a.options["fleet_address"], False), (rows[self.fleet + "-a"].carrier, rows[self.fleet + "-a"].address,
                                                                                  rows[self.fleet + "-a"].orphan))
        a.kill()
        said = lambda: subprocess.run([SAGACTL, "-a", b.address, "fleet"], stdout=subprocess.PIPE, text=True, check=True).stdout
        wait_until(lambda: "orphan" in said(), "it is an orphan")
        self.taken_by(b, "a")
        self.assertRegex(said(), self.fleet + r"-a\s+taken over\s+" + self.fleet + "-b")
        c = self.sidecar("c")
        wait_until(lambda: state_name(b.client.saga(ids[0])) == "RUNNING", "it is served")
        subprocess.run([SAGACTL, "-a", b.address, "fleet", "give", self.fleet + "-a"], stdout=subprocess.DEVNULL, check=True)
        wait_until(lambda: b.log("a journal that was taken over is given up"), "it is given up")
        gate.open()
        def end(saga_id):
            try:
                return state_name(c.client.end(saga_id)) == "COMMITTED"
            except grpc.RpcError as error:
                self.assertEqual("SAGA_AWAY", failure_of(error).reason)
        for saga_id in ids:
            wait_until(lambda: end(saga_id), "they end, wherever they are")
        with self.assertRaises(grpc.RpcError) as raised:
            c.client.operator.GiveJournal(journal="no such", actor="me")
        self.assertEqual("INVALID_ARGUMENT", failure_of(raised.exception).code)

    def test_an_operator_sees_what_is_carried(self):
        """Which journals, and how many sagas of each live and are stuck; what they do is in the counters of who has them, and stays there."""
        more = {"http_listen": "127.0.0.1:0", "objectives": {"two": {"success": 99}, "letters": {"freshness": "1s", "freshness_percent": 99.9}}}
        a, b = self.sidecar("a", **more), self.sidecar("b", **more)
        ids, gate = self.live(a, 3)
        journal = self.fleet + "-a"
        self.shop.on(do("lost"), fail(grpc.StatusCode.NOT_FOUND))
        a.client.register(definition("letters", step("p", False, more="pivot: true"), step("lost", False, after=["p"])))
        stuck = a.client.stuck(a.client.Start(definition="letters").saga_id).id
        numbers = lambda: samples(get(b, "/metrics")[2])
        gauge = lambda name: numbers().get(("sagad_guest_sagas_" + name, (("journal", journal),)))
        self.assertEqual(0, numbers()["sagad_guests", ()])
        a.stop()
        self.taken_by(b, "a")
        wait_until(lambda: (gauge("live"), gauge("stuck"), gauge("compensating")) == (4, 1, 0), "its sagas are shown")
        self.assertEqual((1, 1, 0, 0), tuple(numbers()[name, ()] for name in ("sagad_guests", "sagad_takeovers_total", "sagad_sagas_live", "sagad_sagas_stuck")))
        self.assertGreater(numbers()["sagad_guest_oldest_live_saga_age_seconds", (("journal", journal),)], 0)
        ctl = lambda *words: subprocess.run([SAGACTL, "-a", b.address, *words], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertRegex(ctl("top", "--once"), r"TAKEN OVER.*\n +4 +0 +1 +0 +[0-9.]+s  %s\n" % journal)
        self.assertIn(", 1 loop, 1 journal taken over\n", ctl("status"))
        self.assertRegex(ctl("status"), r"\n +4 +0 +1 +0 +[0-9.]+s  %s\n" % journal)
        self.assertEqual({"", journal}, {loop.journal for loop in b.client.operator.Status().loops})
        self.assertRegex(ctl("slo"), r"(?s)\ntwo .* 0 .*\ntaken over: %s\ntwo .* 0 " % journal)
        gate.open()
        self.all_end(b, ids)
        ended = lambda: sum(n for (name, labels), n in numbers().items() if name == "sagad_sagas_ended_total")
        wait_until(lambda: ended() == 3, "what ended is counted")
        self.assertRegex(ctl("slo"), r"(?s)\ntwo +success +99%% +0 .*\ntaken over: %s\ntwo +success +99%% +3 " % journal)
        self.assertEqual(1, ctl("slo", "rules").count("sagad-slo-two-success"))
        # How fast the promises of what was taken over burn, and its oldest dead letter, are there for alerts; what is counted from that journal's
        # beginning is not, as it would be twice.
        burns = lambda: numbers().get(("sagad_slo_burn_rate", (("definition", "letters"), ("objective", "freshness"), ("window", "5m"))))
        wait_until(lambda: (burns() or 0) > 1 and numbers()["sagad_guest_oldest_stuck_saga_age_seconds", (("journal", journal),)] > 0, "what is old burns")
        self.assertEqual(0, numbers()["sagad_guest_oldest_deferred_saga_age_seconds", (("journal", journal),)])
        self.assertEqual(0, numbers()["sagad_slo_events_total", (("definition", "two"), ("objective", "success"))])
        b.client.operator.Resolve(saga_id=stuck, actor="me", reason="settled")
        self.assertEqual("RESOLVED", state_name(b.client.end(stuck)))
        a.start()
        wait_until(lambda: numbers()["sagad_guests", ()] == 0, "it has gone home")
        self.assertIsNone(gauge("live"))
        wait_until(lambda: not burns(), "its burn rates have gone with it")
        self.assertEqual((4, 1), (ended(), numbers()["sagad_takeovers_total", ()]))
        self.assertNotIn("taken over", ctl("status") + ctl("slo"))

    def test_a_journal_that_nobody_comes_back_to_goes_and_its_pod_may(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        a.client.register(definition("one", step("c")))
        first = a.client.Start(definition="one", request_id=self.fleet).saga_id
        self.assertEqual("COMMITTED", state_name(a.client.end(first)))
        a.stop()
        names = lambda: sorted(j.name for j in b.client.operator.ListJournals().journals)
        self.assertEqual([self.fleet + "-a", self.fleet + "-b"], names())
        # A week later, with a sidecar that looks at once, since it starts.
        self.server.query("update saga_journal set expires_at = expires_at - interval '169 hours' where name = '%s-a'" % self.fleet)
        c = self.sidecar("c")
        told = wait_until(lambda: c.log("a journal is removed that nobody came back to, and in which all had ended"), "it is removed")
        self.assertEqual(self.fleet + "-a", told[0]["journal"])
        self.assertEqual([self.fleet + "-b", self.fleet + "-c"], names())
        wait_until(lambda: self.server.query("select emptied from saga_gone where name = '%s-a'" % self.fleet).split() == ["t"], "nothing is left of it")
        left = "select count(*) from saga_frame f join saga_gone g using (journal) where g.name = '%s-a'" % self.fleet
        self.assertEqual(["0"], self.server.query(left).split())
        # Its request_id begins another saga, one, wherever it is asked; and its pod is let in, with what it has seen.
        b.client.register(definition("one", step("c")))
        again = b.client.Start(definition="one", request_id=self.fleet)
        self.assertFalse(again.already_started)
        a.start()
        self.assertEqual((again.saga_id, True), (lambda s: (s.saga_id, s.already_started))(a.client.Start(definition="one", request_id=self.fleet)))
        with self.assertRaises(grpc.RpcError) as raised:
            a.client.saga(first)
        self.assertEqual("SAGA_NOT_FOUND", failure_of(raised.exception).reason)
        a.client.register(definition("one", step("c")))
        self.assertEqual("COMMITTED", state_name(a.client.run("one")))

    def test_claims_of_which_no_saga_came_go(self):
        """When nobody has looked at them for a minute, by the server's clock and by the sidecar's own."""
        a = self.sidecar("a", start=False, retention="1s")
        rules = os.path.join(a.directory, "bad-day")
        a.environment = {"LD_PRELOAD": SHIM, "SAGA_SHIM": rules, "ASAN_OPTIONS": os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
        a.start()
        with self.assertRaises(grpc.RpcError):
            a.client.Start(definition="not there", request_id=self.fleet)
        claims = lambda: int(self.server.query("select count(*) from saga_request where fleet = '%s'" % self.fleet))
        self.assertEqual(1, claims())
        self.server.query("update saga_request set at_us = at_us - 70000000 where fleet = '%s'" % self.fleet)
        since = time.monotonic()

        def gone():
            with open(rules + ".new", "w") as f:
                f.write("clock BOOTTIME %d 0 0" % (61 * int(time.monotonic() - since)))  # a minute each second
            os.rename(rules + ".new", rules)
            return claims() == 0
        wait_until(gone, "it goes")

    def test_without_a_fleet_there_is_nothing_to_see(self):
        alone = self.sidecar("alone", fleet="", fleet_address="")
        with self.assertRaises(grpc.RpcError) as raised:
            alone.client.operator.ListJournals()
        self.assertEqual("NO_FLEET", failure_of(raised.exception).reason)
        alone.stop()
        for options, words in (({"fleet": "x", "store": ""}, "a fleet shares a database"), ({"fleet_address": "1.2.3.4:5"}, "nobody asks for it without a fleet")):
            other = self.sidecar("refused", start=False, **dict({"fleet": "", "fleet_address": ""}, **options))
            self.assertIn(words, other.refuse()[1])

    # ---- who must not have it ----

    def test_a_frozen_one_that_is_taken_over_lets_nothing_out(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 10)
        freeze(a.process.pid)
        try:
            self.taken_by(b, "a")
            gate.open()
            self.all_end(b, ids)
            calls = len(self.shop.calls)
        finally:
            a.process.send_signal(signal.SIGCONT)
        self.assertEqual(1, a.await_exit())
        self.assertTrue(any(l.get("reason") == "JOURNAL_FENCED" for l in a.log()), a.lines[-5:])
        self.assertEqual(calls, len(self.shop.calls))

    def last_look(self):
        """When a sidecar looked last for journals that nobody has, in seconds by the server's clock."""
        return float(self.server.query("select coalesce(max(extract(epoch from query_start)), 0) from pg_stat_activity "
                                       "where query like 'select count(*) from saga_journal%'"))

    def test_one_without_its_targets_does_not_take_it(self):
        """Neither when it looks, nor when it is asked for a saga of it."""
        a, b = self.sidecar("a"), self.sidecar("b", targets={"other": self.shop.address})
        ids, gate = self.live(a, 2)
        a.kill()
        row = lambda: next(j for j in b.client.operator.ListJournals().journals if j.name == self.fleet + "-a")
        wait_until(lambda: row().orphan, "it is an orphan")
        since = wait_until(self.last_look, "b looks")
        wait_until(lambda: self.last_look() > since + 6, "b looks when the database has been there for long enough")
        self.assertEqual((True, 0), (row().orphan, row().tries))
        questions = lambda: int(self.server.query("select xact_commit from pg_stat_database where datname = 'postgres'"))
        since, before, began = self.last_look(), questions(), time.monotonic()
        for _ in range(300):
            self.assertIsNone(self.answered(b, ids[0]))
        wait_until(lambda: self.last_look() > since + 1, "b has looked since")
        self.assertEqual((True, 0), (row().orphan, row().tries))
        # However often it is asked, the database is not.
        self.assertLess(questions() - before, 60 + 30 * (time.monotonic() - began))
        a.start()
        gate.open()
        self.all_end(a, ids)

    def test_a_request_id_begins_one_saga_in_the_whole_fleet(self):
        sidecars = [self.sidecar(name) for name in "abc"]
        for sidecar in sidecars:
            sidecar.client.register(definition("one", step("a")))
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            asked = [(i, pool.submit(sidecars[i % 3].client.Start, definition="one", request_id="%s-%d" % (self.fleet, i // 6))) for i in range(240)]
            begun = {}
            for i, future in asked:
                begun.setdefault(i // 6, set()).add(future.result().saga_id)
        self.assertEqual([1] * 40, [len(ids) for ids in begun.values()])
        for ids in begun.values():
            sidecars[0].client.end(*ids)
        self.assertEqual(40, len({c.saga for c in self.shop.calls}))

    def test_a_pipe_reaches_any_saga(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 1)
        begun = a.client.Begin(name="by-hand", request_id=self.fleet + "-begun").saga_id
        pipe = Stream(b.client)
        again, ended = pipe.ask(("start", dict(definition="two", request_id=self.fleet + "-0")), ("abort", dict(saga_id=begun)))
        self.assertEqual((ids[0], True), (again.start.saga_id, again.start.already_started), again)
        self.assertEqual("abort", ended.WhichOneof("result"), ended)
        pipe.half_close()
        pipe.rest()
        gate.open()
        self.assertEqual("COMMITTED", state_name(a.client.end(ids[0])))
        self.assertEqual("COMPENSATED", state_name(a.client.end(begun)))


class Coming(Fleet):
    """A journal comes, and goes again."""

    def test_whoever_asks_meanwhile_is_answered(self):
        """A journal is taken over, given back and taken over again while it is asked all the time: no call is lost, and each goes where it is."""
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 3)
        over, wrong, answers = threading.Event(), [], [0] * 8
        def ask(k):
            while not over.is_set():
                try:
                    b.client.Get(saga_id=ids[k % 3], timeout=20)
                    answers[k] += 1
                except grpc.RpcError as error:
                    if failure_of(error).code != "UNAVAILABLE":
                        wrong.append(error)
        a.kill()
        self.taken_by(b, "a")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            try:
                asking = [pool.submit(ask, k) for k in range(8)]
                wait_until(lambda: min(answers), "they are answered by the guest")
                waits = [pool.submit(b.client.end, saga_id) for saga_id in ids]
                a.start()
                self.assertTrue(b.logged("a journal that was taken over is given up"))
                wait_until(lambda: self.answered(b, ids[0]) == "RUNNING", "what is asked then goes to its own sidecar")
                a.kill()
                wait_until(lambda: len(self.taken_by(b, "a")) == 2, "it is taken over once more")
                wait_until(lambda: self.answered(b, ids[0]) == "RUNNING", "the second guest is asked")
            finally:
                over.set()
            for future in asking:
                future.result(60)
            for future in waits:  # each has an end: its guest's, or the saga's
                failed = future.exception(60)
                self.assertTrue(failed is None or failure_of(failed).code == "UNAVAILABLE", failed)
        self.assertEqual([], wrong)
        gate.open()
        wait_until(lambda: all(self.answered(b, saga_id) == "COMMITTED" for saga_id in ids), "they end")
        b.stop()


class Guests(Fleet):
    """Journals that are looked after: how many, and by which configuration."""

    def test_as_many_as_it_may_have(self):
        """One takes as many as fleet_takeovers_max says, and leaves the others to who comes."""
        a, d, b = self.sidecar("a"), self.sidecar("d"), self.sidecar("b", fleet_takeovers_max=1)
        ids, gate = self.live(a, 1)
        d.client.register(definition("two", step("a"), step("b", after=["a"])))
        other = d.client.Start(definition="two").saga_id
        a.kill()
        d.kill()
        taken = lambda sidecar: {l["journal"] for l in sidecar.log("a journal is taken over: its sagas go on here")}
        wait_until(lambda: taken(b), "b takes one")
        c = self.sidecar("c", fleet_takeovers_max=1)
        wait_until(lambda: taken(c), "c takes the other")
        self.assertEqual((1, {self.fleet + "-a", self.fleet + "-d"}), (len(taken(b)), taken(b) | taken(c)))
        gate.open()
        for saga_id in ids + [other]:
            wait_until(lambda: self.answered(c, saga_id) == "COMMITTED", "it ends")

    def test_a_guest_reads_the_configuration_again(self):
        """What a reload changes holds of journals that are looked after, too."""
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 2)
        a.kill()
        self.taken_by(b, "a")
        wait_until(lambda: self.answered(b, ids[0]) == "RUNNING", "it is served")
        other = Participant()
        self.addCleanup(other.stop)
        b.options["targets"] = {"shop": other.address}
        b.write_config()
        b.client.operator.Reload(actor="ops")
        wait_until(lambda: b.log("the configuration was read again") and len(b.log("the configuration was read again")) == 2, "home and guest have read it")
        gate.open()
        self.all_end(b, ids, other)


class Trusted(Fleet):
    """With certificates and rules: a sidecar asks another in the name of its caller, and is believed for its fleet_identity alone."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pki = Authority()
        cls.pki.make("sagad", "DNS:localhost,IP:127.0.0.1,URI:" + OURS)
        for name in ("cart", "till"):
            cls.pki.make(name, "URI:" + SERVICE + name)

    def secure(self, name, identity):
        port = free_port()
        sidecar = self.sidecar(name, listen=["tls://127.0.0.1:%d" % port], fleet_address="127.0.0.1:%d" % port, fleet_identity=identity,
                               authorization=[{"who": SERVICE + "*", "may": "service"}], tls_certificate=self.pki.path("sagad.pem"),
                               tls_key=self.pki.path("sagad.key"), tls_roots=self.pki.path("ca.pem"))
        sidecar.tls_port = port
        return sidecar

    def as_(self, sidecar, name):
        channel = self.pki.channel(sidecar.tls_port, name)
        self.addCleanup(channel.close)
        return Stub(channel, "saga.v1.Coordinator")

    def test_who_asks_is_who_asked_first(self):
        a, b = self.secure("a", OURS), self.secure("b", OURS)
        saga_id = self.as_(a, "cart").Begin(name="x", timeout=10).saga_id
        self.assertEqual("RUNNING", state_name(self.as_(b, "cart").Get(saga_id=saga_id, timeout=10).saga))
        with self.assertRaises(grpc.RpcError) as raised:
            self.as_(b, "till").Get(saga_id=saga_id, timeout=10)
        self.assertEqual(grpc.StatusCode.PERMISSION_DENIED, raised.exception.code(), raised.exception)

    def test_lists_of_the_whole_fleet_are_the_callers(self):
        a, b = self.secure("a", OURS), self.secure("b", OURS)
        ids = [self.as_(sidecar, "cart").Begin(name="x", timeout=10).saga_id for sidecar in (a, b)]
        self.as_(a, "till").Begin(name="y", timeout=10)
        page = self.as_(b, "cart").List(fleet=True, timeout=20)
        self.assertEqual((set(ids), []), ({s.id for s in page.sagas}, list(page.absent)))
        # One that does not believe in whose name it is asked is named.
        c = self.secure("c", SERVICE + "till")
        page = self.as_(c, "cart").List(fleet=True, timeout=20)
        self.assertEqual([self.fleet + "-a", self.fleet + "-b"], sorted(m.journal for m in page.absent), page)

    def test_a_strangers_word_for_who_asks_is_not_taken(self):
        a = self.secure("a", OURS)
        saga_id = self.as_(a, "cart").Begin(name="x", timeout=10).saga_id
        # As a sidecar says in whose name it asks: over TLS, a listener for everybody, no user, an address, an identity.
        cart = (("saga-forwarded-bin", ("1 3 0 0 0 0\n127.0.0.1:1\n%scart" % SERVICE).encode()),)
        self.assertEqual("RUNNING", state_name(self.as_(a, "sagad").Get(saga_id=saga_id, metadata=cart, timeout=10).saga))
        with self.assertRaises(grpc.RpcError) as raised:
            self.as_(a, "till").Get(saga_id=saga_id, metadata=cart, timeout=10)
        self.assertEqual(grpc.StatusCode.PERMISSION_DENIED, raised.exception.code(), raised.exception)

    def test_another_identity_is_not_asked(self):
        a, b = self.secure("a", OURS), self.secure("b", SERVICE + "till")
        saga_id = self.as_(a, "cart").Begin(name="x", timeout=10).saga_id
        with self.assertRaises(grpc.RpcError) as raised:
            self.as_(b, "cart").Get(saga_id=saga_id, timeout=10)
        self.assertEqual("SAGA_AWAY", failure_of(raised.exception).reason, raised.exception)
