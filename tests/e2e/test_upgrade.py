"""Two versions of the program on one database: which goes on beside a newer one, which ends, and which journals are left alone."""
import os
import subprocess

import grpc

import postgres
import test_takeover
from harness import PATIENCE_S, SAGAD, do, failure_of, state_name, wait_until

FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures", "database")
CURRENT = 4
TAGS = {1: "f93d6502af6b", 2: "317dec4bd2bc", 3: "5fe6fba465ee"}  # of what is in tables of each version: the first part of its sagas' ids
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

    def psql(self, database, *more, text=None):
        done = subprocess.run([os.path.join(postgres.PROGRAMS[-1], "psql"), "-h", self.server.folder, "-U", "saga", "-d", database, "-qX", "-v",
                               "ON_ERROR_STOP=1", *more], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout

    def load(self, database, version):
        """A database as the sagad of that version left it when it was killed."""
        self.server.query("create database %s" % database)
        self.assertEqual(0, self.psql(database, "-f", os.path.join(FIXTURES, "v%d.sql" % version))[0])

    def shape(self, database):
        """The tables as a dump has them, their versions, and each journal's epoch."""
        dump = subprocess.run([os.path.join(postgres.PROGRAMS[-1], "pg_dump"), "-h", self.server.folder, "-U", "saga", "-s", "-O", database],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S).stdout
        dump = [line for line in dump.split("\n") if not line.startswith(("\\restrict", "\\unrestrict"))]
        return dump, self.server.query("select * from saga_schema", database=database), self.server.query("select name, epoch from saga_journal order by name",
                                                                                                          database=database)

    def print_sql(self, *version):
        done = subprocess.run([SAGAD, "--print-sql" + "".join("=%s" % v for v in version)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE_S)
        return done.returncode, done.stdout, done.stderr

    def elsewhere(self, database):
        return self.server.uri.replace("/postgres?", "/%s?" % database)

    def test_printed_sql_does_as_migrate_does(self):
        """From nothing, and from each earlier version; in tables of another one it does nothing, and says which they have."""
        for version in range(CURRENT):
            one, other = "printed_%d" % version, "migrated_%d" % version
            for database in (one, other):
                if version == 0:
                    self.server.query("create database %s" % database)
                else:
                    self.load(database, version)
            code, sql, _ = self.print_sql(*([version] if version else []))
            self.assertEqual(0, code)
            if version > 0:
                before = self.shape(one)
                for wrong in [v for v in range(1, CURRENT) if v != version]:
                    code, said = self.psql(one, text=self.print_sql(wrong)[1])
                    self.assertNotEqual(0, code)
                    self.assertIn("the tables have version %d, and this is for those of version %d" % (version, wrong), said)
                code, said = self.psql(one, text=self.print_sql()[1])
                self.assertIn('relation "saga_schema" already exists', said)
                self.assertEqual(before, self.shape(one))
            self.assertEqual(0, self.psql(one, text=sql)[0])
            sidecar = self.sidecar(other, start=False, store=self.elsewhere(other))
            self.assertEqual(0, self.migrate(sidecar)[0])
            self.assertEqual(self.shape(other), self.shape(one), "version %d" % version)
            self.assertEqual(self.shape("printed_0")[:2], self.shape(one)[:2], "version %d" % version)
            self.assertNotEqual(0, self.psql(one, text=sql)[0])  # done again it does nothing
        for wrong, words in ((CURRENT, "nothing to be done"), ("99", "nothing to be done"), ("x", "select version from saga_schema"), ("0", "a version is a number"),
                             ("99999999999999999999", "a version is a number")):
            code, said, told = self.print_sql(wrong)
            self.assertEqual((2, ""), (code, said))
            self.assertIn(words, told)

    def test_tables_of_every_earlier_version(self):
        """As that sagad left them when it was killed: refused as they are; migrated, either way, everything in them goes on."""
        self.assertEqual(list(range(1, CURRENT)), sorted(TAGS))
        for version in TAGS:
            for way in ("migrated", "printed"):
                with self.subTest(version=version, way=way):
                    self.goes_on(version, "old_%s_%d" % (way, version), way)

    def goes_on(self, version, database, way):
        self.load(database, version)
        fleet = "orders" if version > 1 else ""  # there were none yet
        sidecar = self.sidecar(database, start=False, store=self.elsewhere(database), store_journal="orders", fleet=fleet)
        self.assertIn("run sagad --migrate", sidecar.refuse()[1])
        held = lambda until: self.server.query("update saga_journal set expires_at = '%s'" % until, database=database)
        held("2999-01-01")
        if way == "printed":
            self.assertEqual(0, self.psql(database, text=self.print_sql(version)[1])[0])
        else:
            code, said = self.migrate(sidecar)
            self.assertEqual((0, "The tables have version %d now; they had %d.\n"
                                 "Journals that were held: 1. Sidecars that know no version from 4 on end now.\n" % (CURRENT, version)), (code, said))
        held("2020-01-01")
        self.shop.calls.clear()
        client = sidecar.start().client
        sagas = [client.Start(definition=d, request_id=r).saga_id for d, r in [("whole", "w-%d" % i) for i in range(3)] + [("half", "h-0"), ("half", "h-1")]]
        self.assertEqual(["%s-%d" % (TAGS[version], i) for i in range(1, 6)], sagas)
        for saga in sagas:
            self.assertEqual("COMMITTED", state_name(client.end(saga)))
        self.assertEqual([], [c for c in self.shop.calls if c.step == "a"])  # it was done before
        self.assertEqual(2, len([c for c in self.shop.calls if c.step == "b"]))
        sidecar.stop()

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
