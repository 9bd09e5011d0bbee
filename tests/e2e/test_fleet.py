"""The journal in a PostgreSQL database: who may have it, what happens when the database is away, and what is refused."""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

from harness import (PATIENCE_S, SAGAD, Gate, Participant, Sidecar, definition, do, enlistment, fail, failure_of, message, migrate, settled,
                     state_name, step, wait_until)
from postgres import Postgres
from shaking import freeze
from test_watching import get

Code = grpc.StatusCode
LEASE_S = 3
SLOW = "retry: {initialBackoff: 200ms, maxBackoff: 200ms, jitter: 0, maxAttempts: 200}"


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

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()
        self.shop.stop()

    def sidecar(self, journal, start=True, **options):
        options = dict({"store": self.server.uri, "store_journal": journal, "store_lease": "%ds" % LEASE_S, "store_timeout": "1s",
                        "targets": {"shop": self.shop.address}}, **options)
        sidecar = Sidecar(start=start, **options)
        self.sidecars.append(sidecar)
        return sidecar

    def refusal(self, **options):
        sidecar = self.sidecar("refused", start=False, **options)
        code, said = sidecar.refuse()
        self.assertNotEqual(0, code)
        return said

    def refused_start(self, sidecar, **fields):
        try:
            sidecar.client.Start(definition="one", timeout=5, **fields)
        except grpc.RpcError as error:
            return failure_of(error)

    # ---- the tables, the options ----

    def test_what_store_takes(self):
        for store, words in (("mysql://x/y", "must be a URI"), ("postgresql://me:secret@db/x", "no password may stand in it"),
                             ("postgresql://db/x?nonsense=1", "libpq cannot read it")):
            said = self.refusal(store=store)
            self.assertIn(words, said)
            self.assertNotIn("secret", said)
        self.assertIn("loops must be 1 with fleet", self.refusal(loops=2, fleet="orders"))

    def test_several_loops(self):
        """Each has a journal of its own; they are had and lost together, and their number is the journal's."""
        sidecar = self.sidecar("loops", loops=3, store_lease="60s")
        sidecar.client.register(definition("one", step("a"), step("b", after=["a"])))
        begin = lambda: {sidecar.client.Start(definition="one", request_id="r-%d" % i).saga_id for i in range(30)}
        gate = Gate()
        self.shop.on(do("a"), gate)
        ids = begin()
        names = lambda: self.server.query("select name from saga_journal where name like 'loops%' and last_frame > 0 order by name").split()
        wait_until(lambda: names() == ["loops", "loops/1", "loops/2"], "sagas live in all of them")
        sidecar.kill()
        for other in (1, 2, 4):
            sidecar.options["loops"] = other
            self.assertIn("the journal loops was made with loops: 3, and cannot be used with %d" % other, sidecar.refuse()[1])
        sidecar.options["loops"] = 3
        sidecar.start()
        gate.open()
        self.assertEqual(ids, begin())
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
            self.assertEqual(1, len(self.shop.of(saga_id, "action", "b")))
        # As in a first start that was killed between two of them.
        sidecar.kill()
        self.server.query("delete from saga_journal where name = 'loops'")
        os.unlink(os.path.join(sidecar.options["data_dir"], "journal.seen"))
        sidecar.options["store_lease"] = "3s"
        sidecar.start()
        # Another takes one: that ends all.
        self.server.query("update saga_journal set epoch = epoch + 1, taker = 'x', holder = 'x' where name = 'loops/2'")
        self.assertEqual(1, sidecar.await_exit())
        told, = sidecar.log("stopped: the sidecar cannot go on")
        self.assertEqual("JOURNAL_FENCED", told["reason"])

    # ---- how much it holds ----

    def test_a_bound_on_what_it_holds(self):
        """Full: new sagas are refused by name, what has begun ends; retention makes room, and a start counts what is there."""
        sidecar = self.sidecar("bounded", journal_bytes_max="16MiB", commit_bytes_max="1MiB", retention="2s", http_listen="127.0.0.1:0")
        client = sidecar.client
        client.register(definition("one", step("a")))

        def fill():
            for i in range(200):
                try:
                    live.append(client.Begin(name="x", enlist=[enlistment("a", request=os.urandom(1 << 17))]).saga_id)
                except grpc.RpcError as error:
                    return failure_of(error)
            self.fail("16 MiB are never full")
        live = []
        failure = fill()
        self.assertEqual(("RESOURCE_EXHAUSTED", "JOURNAL_FULL"), (failure.code, failure.reason))
        held = int(self.server.query("select sum(octet_length(records)) from saga_frame where journal = (select id from saga_journal where name = 'bounded')"))
        self.assertTrue(13 << 20 < held < 16 << 20, held)
        shown = lambda: client.operator.Status().loops[0].journal_bytes
        self.assertTrue(held <= shown() < held + (held >> 3), (held, shown()))
        self.assertIn("its journal is nearly full", get(sidecar, "/readyz")[2])
        sidecar.restart("kill")
        client = sidecar.client
        self.assertEqual("JOURNAL_FULL", self.refused_start(sidecar).reason)
        for saga_id in live:
            client.Commit(saga_id=saga_id, settle=[settled("a")])  # whoever looks for them a moment later may find them forgotten
        wait_until(lambda: shown() < 1 << 20, "retention makes room")
        wait_until(lambda: get(sidecar, "/readyz")[0] == 200, "it is ready again")
        live.clear()
        self.assertEqual("JOURNAL_FULL", fill().reason)
        self.assertGreater(len(live), 80)

    def test_check_journal(self):
        """While it runs, by whoever may read: it takes the journal from nobody."""
        sidecar = self.sidecar("looked", loops=2)
        sidecar.client.register(definition("one", step("a")))
        for i in range(40):
            sidecar.client.run("one", request_id="r-%d" % i)

        def check(name="looked"):
            other = self.sidecar(name, start=False, loops=2)
            done = subprocess.run([SAGAD, "--check-journal", "-f", other.write_config()], capture_output=True, text=True, timeout=PATIENCE_S)
            return done.returncode, done.stdout + done.stderr
        self.assertRegex(check()[1], r"^looked: sound: \d+ frames with \d+ records, 1 definitions, every row\nlooked/1: sound: ")
        self.assertEqual(0, check()[0])
        self.assertEqual("COMMITTED", state_name(sidecar.client.run("one")))
        self.assertIn("the database has no journal of this name", check("nobody")[1])
        journal = "journal = (select id from saga_journal where name = 'looked/1')"
        for harm, words in (("update saga_frame set records = set_byte(records, 30, get_byte(records, 30) # 1) where frame = (select max(frame) from saga_frame "
                             "where %s) and %s" % (journal, journal), "looked/1: frame"),
                            ("update saga_ended set state = 99 where %s" % journal, "of the table saga_ended is damaged"),
                            ("delete from saga_frame where %s and frame = (select max(frame) - 1 from saga_frame where %s)" % (journal, journal), "is missing")):
            self.server.query(harm)
            code, said = check()
            self.assertEqual(1, code, said)
            self.assertIn(words, said)
            self.assertIn("looked: sound", said)
            self.assertIn("looked/1: damaged: copy the whole database", said)

    def test_a_journal_is_encrypted_and_chained(self):
        """As on a disk: payloads are in no row, changes are found, another key is taken into use, and kill -9 loses nothing."""
        folder = tempfile.mkdtemp(prefix="saga-keys-")
        self.addCleanup(shutil.rmtree, folder)

        def keys(name, *lines):
            path = os.path.join(folder, name)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write("".join("%s %s\n" % (key, digit * 64) for key, digit in lines))
            return path

        def verified(sidecar):
            done = subprocess.run([SAGAD[:-len("sagad")] + "sagactl", "-a", sidecar.address, "verify"], capture_output=True, text=True,
                                  timeout=PATIENCE_S)
            return done.returncode, done.stdout + done.stderr
        sidecar = self.sidecar("sealed", encryption_key_file=keys("first", ("old", "a")), audit_key_file=keys("chain", ("c", "d")),
                               audit_verify_at_start=True)
        sidecar.client.register(definition("one", step("a")))
        sagas = [sidecar.client.run("one", input=b"very secret").id for _ in range(5)]
        self.assertEqual((0, 1), (verified(sidecar)[0], verified(sidecar)[1].count("whole")), verified(sidecar))
        self.assertEqual("0", self.server.query("select count(*) from saga_frame where position('very secret'::bytea in records) > 0").strip())
        sidecar.kill()
        sidecar.options.update(encryption_key_file=keys("wrong", ("new", "b")))
        sidecar.write_config()
        self.assertIn("is not among those given: old", sidecar.refuse()[1])
        sidecar.options.update(encryption_key_file=keys("both", ("new", "b"), ("old", "a")))
        sidecar.start()
        wait_until(lambda: sidecar.log("the journal needs the key of encryption in use alone: those behind it can be taken out"), "taken over")
        sidecar.kill()
        sidecar.options.update(encryption_key_file=keys("second", ("new", "b")))
        sidecar.start()
        for saga in sagas:
            self.assertEqual(b"very secret", sidecar.client.Get(saga_id=saga, include_payloads=True).saga.input)
        self.assertEqual(0, verified(sidecar)[0])
        self.server.query("update saga_frame set records = set_byte(records, length(records) - 1, get_byte(records, length(records) - 1) # 1) where frame = "
                          "(select min(frame) + 1 from saga_frame where journal = (select id from saga_journal where name = 'sealed')) and "
                          "journal = (select id from saga_journal where name = 'sealed')")
        code, said = verified(sidecar)
        self.assertEqual(1, code, said)
        self.assertIn("CHANGED", said)

    def test_tables_are_made_by_who_may(self):
        self.server.query("create database bare")
        uri = self.server.uri.replace("/postgres?", "/bare?")
        said = self.refusal(store=uri)
        self.assertIn("JOURNAL_VERSION", said)
        self.assertIn("run sagad --migrate", said)
        sidecar = self.sidecar("bare", start=False, store=uri)
        ran = lambda *more: subprocess.run([SAGAD, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True).stdout
        self.assertIn("have version 4 now", ran("--migrate", "-f", sidecar.write_config()))
        self.assertIn("have version 4 already", ran("--migrate", "-f", sidecar.write_config()))
        sidecar.start()
        self.assertIn("create table saga_frame(", ran("--print-sql"))

    def test_journals_of_the_other_kind_are_not_left_behind(self):
        local = Sidecar(store="")
        local.stop()
        local.options.update(store=self.server.uri)
        self.assertIn("holds a journal in SQLite", local.refuse()[1])
        shutil.rmtree(local.directory)
        far = self.sidecar("kind")
        far.stop()
        del far.options["store"], far.options["store_journal"]
        self.assertIn("that of a journal in a database", far.refuse()[1])

    # ---- who has it ----

    def test_who_ended_is_followed_at_once(self):
        sidecar = self.sidecar("again", store_lease="10m")  # nothing here is waited for so long
        sidecar.client.register(definition("one", step("a")))
        ids = [sidecar.client.run("one", request_id="r-%d" % i).id for i in range(5)]
        for how in ("kill", "stop"):
            sidecar.restart(how)
            self.assertEqual(ids, [sidecar.client.Start(definition="one", request_id="r-%d" % i).saga_id for i in range(5)])

    def test_another_is_refused_while_it_is_held(self):
        held = self.sidecar("held")
        said = self.refusal(store_journal="held")
        self.assertIn("JOURNAL_LOCKED", said)
        self.assertIn("unless it renews", said)
        held.stop()
        self.sidecar("held", store_lease="10m")  # it is had at once, and not when that is over

    def test_a_frozen_holder_lets_nothing_out(self):
        """Stopped past its lease, and woken: what it had to do has been done by another, and it ends with nothing said. Only what was let out
        before, and stood still on its way to the socket, may arrive late: the other counted that attempt as lost and made the next."""
        frozen = self.sidecar("frozen")
        frozen.client.register(definition("one", step("a", more=SLOW), step("b", after=["a"])))
        stopped = threading.Event()  # until then every a fails, and no b may be called
        self.shop.on(do("a"), lambda call: b"at last" if stopped.is_set() else fail(Code.UNAVAILABLE)(call))
        ids = [frozen.client.Start(definition="one", request_id="r-%d" % i).saga_id for i in range(40)]
        wait_until(lambda: len(self.shop.calls) >= 40, "every saga has been tried")
        freeze(frozen.process.pid)
        peers = {c.peer for c in self.shop.calls}
        stopped.set()
        other = self.sidecar("frozen")
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(other.client.end(saga_id)))
        calls = len(self.shop.calls)
        frozen.process.send_signal(signal.SIGCONT)
        self.assertEqual(1, frozen.await_exit())
        self.assertTrue(any(l.get("reason") == "JOURNAL_FENCED" for l in frozen.log()), frozen.lines[-5:])
        late = self.shop.calls[calls:]
        last = {s: max(c.attempt for c in self.shop.of(s, "action", "a") if c not in late) for s in ids}
        self.assertEqual([], [c for c in late if c.peer not in peers or c.step != "a" or c.attempt >= last[c.saga]])
        self.assertEqual([], [c for c in self.shop.calls[40:] if c.peer in peers and c.step == "b"])
        for saga_id in ids:
            self.assertEqual(1, len([c for c in self.shop.of(saga_id, "action", "b")]))

    # ---- the database is away ----

    def harmed(self, journal, harm, heal):
        """Sagas are in flight when it goes, some are started while it is away; all end once, by themselves."""
        sidecar = self.sidecar(journal, http_listen="127.0.0.1:0")
        gate = Gate()
        sidecar.client.register(definition("one", step("a"), step("b", after=["a"])))
        self.assertEqual(200, get(sidecar, "/readyz")[0])
        self.shop.on(do("a"), gate)
        ids = [sidecar.client.Start(definition="one", request_id="f-%d" % i).saga_id for i in range(10)]
        for _ in ids:
            gate.await_call()
        harm()
        gate.open()
        # The first may wait, until it is known that the database does not answer.
        refused = wait_until(lambda: self.refused_start(sidecar, request_id="n-1"), "a start has no answer, or is refused")
        if refused.reason is None:
            refused = wait_until(lambda: self.refused_start(sidecar, request_id="n-1"), "new sagas are refused")
        self.assertEqual("JOURNAL_AWAY", refused.reason)
        self.assertGreater(refused.retry_delay_ms, 0)
        wait_until(lambda: "does not answer" in get(sidecar, "/readyz")[2], "it says that it is not ready")
        self.assertEqual([], [c for c in self.shop.calls if c.step == "b"])
        heal()
        wait_until(lambda: get(sidecar, "/readyz")[0] == 200, "it is ready again")
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
            for name in ("a", "b"):
                self.assertEqual(1, len(self.shop.of(saga_id, "action", name)))

        # What is looked up goes over a connection of its own, which may come a little later: then it is refused as before, to be tried again.
        # The first start needs no look, where nothing like it was ever there; the second does.
        def begin():
            try:
                return sidecar.client.Start(definition="one", request_id="n-1", timeout=5).saga_id
            except grpc.RpcError as error:
                self.assertEqual("JOURNAL_AWAY", failure_of(error).reason)
        n1 = wait_until(begin, "new sagas are taken")
        self.assertEqual(n1, wait_until(begin, "what is asked for again is found"))
        self.assertEqual("COMMITTED", state_name(sidecar.client.end(n1)))
        self.assertEqual(1, len(self.shop.of(n1, "action", "a")))
        self.assertTrue(sidecar.logged("the journal takes what is decided again: sagas go on"))

    def test_killed(self):
        self.harmed("killed", self.server.kill, self.server.start)

    def test_frozen_past_the_lease(self):
        """The server's clock goes on, and nobody has taken the journal: what is over is the lease."""
        frozen_at = []

        def harm():
            self.server.stop_answering()
            frozen_at.append(time.monotonic())

        def heal():
            wait_until(lambda: time.monotonic() > frozen_at[0] + LEASE_S, "a lease that was prolonged before the freeze is over")
            self.server.stop_answering(False)
        self.harmed("slow", harm, heal)

    def test_one_that_went_back_is_refused_by_name(self):
        server = Postgres().start()
        self.addCleanup(server.close)
        migrate(server)
        sidecar = self.sidecar("back", store=server.uri)
        sidecar.client.register(definition("one", step("a")))
        sidecar.stop()
        server.stop()
        shutil.copytree(server.data, server.data + "-old")
        subprocess.run(["chown", "-R", "--reference", server.data, server.data + "-old"], check=True)
        server.start()
        sidecar.start()
        saga_id = sidecar.client.run("one").id
        sidecar.stop()
        server.stop()
        shutil.rmtree(server.data)
        os.rename(server.data + "-old", server.data)
        server.start()
        said = sidecar.refuse()[1]
        self.assertIn("the database went back in time", said)
        self.assertIn("remove journal.seen", said)
        os.unlink(os.path.join(sidecar.options["data_dir"], "journal.seen"))
        sidecar.start()
        with self.assertRaises(grpc.RpcError):
            sidecar.client.saga(saga_id)
        self.assertEqual("COMMITTED", state_name(sidecar.client.run("one")))
