"""Two versions of the program on one database: which goes on beside a newer one, which ends, and which journals are left alone."""
import os
import subprocess

import grpc

import postgres
import test_takeover
from harness import PATIENCE_S, SAGAD, do, failure_of, state_name, wait_until

FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures", "database")
# As the last migration to leave everybody behind ends.
LEAVES_BEHIND = "begin; update saga_schema set version = 99, oldest = 99; update saga_journal set epoch = epoch + 1; commit"


class Upgrade(test_takeover.Fleet):
    def tearDown(self):
        self.server.query("update saga_schema set version = 4, oldest = 4")
        super().tearDown()

    def migrate(self, sidecar):
        done = subprocess.run([SAGAD, "--migrate", "-f", sidecar.write_config()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=PATIENCE_S)
        return done.returncode, done.stdout

    def test_tables_of_version_2(self):
        """As that sagad left them when it was killed: migrated, and everything in them goes on."""
        self.server.query("create database old")
        subprocess.run([os.path.join(postgres.PROGRAMS[-1], "psql"), "-h", self.server.folder, "-U", "saga", "-d", "old", "-qX", "-v", "ON_ERROR_STOP=1",
                        "-f", os.path.join(FIXTURES, "v2.sql")], stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE_S)
        sidecar = self.sidecar("old", start=False, store=self.server.uri.replace("/postgres?", "/old?"), store_journal="orders", fleet="orders")
        self.assertIn("run sagad --migrate", sidecar.refuse()[1])
        held = lambda until: self.server.query("update saga_journal set expires_at = '%s'" % until, database="old")
        held("2999-01-01")
        code, said = self.migrate(sidecar)
        self.assertEqual((0, "The tables have version 4 now; they had 2.\n"
                             "Journals that were held: 1. Sidecars that know no version from 4 on end now.\n"), (code, said))
        held("2020-01-01")
        client = sidecar.start().client
        sagas = {r: client.Start(definition=d, request_id=r).saga_id for d, r in [("whole", "w-%d" % i) for i in range(3)] + [("half", "h-0"), ("half", "h-1")]}
        self.assertEqual(["317dec4bd2bc-%d" % i for i in range(1, 6)], list(sagas.values()))
        for saga in sagas.values():
            self.assertEqual("COMMITTED", state_name(client.end(saga)))
        self.assertEqual([], [c for c in self.shop.calls if c.step == "a"])  # it was done before

    def test_one_that_adds_something_stops_nobody(self):
        """Not now, not when it connects anew, not when it takes over, nor at a start."""
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 5)
        self.server.query("alter table saga_journal add column later text; alter table saga_frame add column later text; create table saga_later(x text); "
                          "update saga_schema set version = 5")
        self.server.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sagad'")
        code, said = self.migrate(a)
        self.assertEqual((0, "The tables have version 5, of a newer sagad, and are good for this one, which knows 4.\n"), (code, said))
        a.kill()
        self.taken_by(b, "a")
        a.start()
        gate.open()
        self.all_end(a, ids)
        self.server.query("alter table saga_journal drop column later; alter table saga_frame drop column later; drop table saga_later")

    def test_one_that_leaves_them_behind_ends_them_at_once(self):
        """With connections that are whole: nobody goes on in tables that it misreads."""
        a, b = self.sidecar("a", store_lease="60s"), self.sidecar("b", store_lease="60s")
        ids, gate = self.live(a, 5)
        self.server.query(LEAVES_BEHIND)
        gate.open()
        for sidecar in (a, b):
            self.assertEqual(1, sidecar.await_exit())
            told, = sidecar.log("stopped: the sidecar cannot go on")
            self.assertEqual("JOURNAL_VERSION", told["reason"])
            self.assertIn("the tables have version 99, for a sagad that knows version 99 or later, and this one knows 4", told["text"])
        code, said = self.migrate(a)
        self.assertEqual(1, code)
        self.assertIn("of a newer sagad, and not for this one any more", said)
        self.assertIn("JOURNAL_VERSION", a.refuse()[1])
        self.server.query("update saga_schema set version = 4, oldest = 4")
        a.start()
        self.all_end(a, ids)

    def test_a_journal_in_a_newer_form_is_left_alone(self):
        """One in ours beside it is taken over, so it was looked at; and neither is it taken for whoever asks for what is in it."""
        a, b, c = self.sidecar("a"), self.sidecar("b"), self.sidecar("c")
        ids, gate = self.live(a, 3)
        gate.open()
        self.all_end(a, ids)
        _, gate = self.live(c, 3)
        form = lambda number: self.server.query("update saga_journal set form = %d where name = '%s-a'" % (number, self.fleet))
        form(2)
        a.kill()
        c.kill()
        self.taken_by(b, "c")
        wait_until(lambda: self.answered(b, ids[0]) is None and b.log("a journal cannot be taken over"), "who asks has it tried")
        told = b.log("a journal cannot be taken over")[0]
        self.assertEqual(("JOURNAL_VERSION", self.fleet + "-a"), (told["reason"], told["journal"]))
        self.assertIn("the journal is written in form 2, by a newer sagad, and this one reads up to 1: start a newer one", a.refuse()[1])
        self.assertEqual([], [l for l in b.log("a journal is taken over: its sagas go on here") if l["journal"] == self.fleet + "-a"])
        form(1)
        a.start()
        self.assertEqual("COMMITTED", state_name(a.client.end(ids[0])))
        gate.open()
