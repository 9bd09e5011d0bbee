"""The barriers in other languages: the same calls, with the same outcome, in SQLite and in PostgreSQL where the toolchain and the driver are."""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import PATIENCE_S, ROOT, free_port, wait_until

HERE = os.path.join(ROOT, "tests/barriers")
SQL = os.path.join(ROOT, "client-lib")
OLD_MS, YOUNG_MS = 5 * 3600 * 1000, 60 * 1000


class Postgres:
    """A server of its own, in a folder of its own, as another user when this one is root."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="saga-postgres-")
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if user:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.who = dict(user=user.pw_uid, group=user.pw_gid, extra_groups=[]) if user else {}
        self.run("initdb", "-D", self.folder + "/data", "-U", "test", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
        self.port = free_port()
        self.server = subprocess.Popen([self.programs + "/postgres", "-D", self.folder + "/data", "-k", self.folder, "-c", "listen_addresses=127.0.0.1",
                                        "-c", "port=%d" % self.port, "-c", "fsync=off"], cwd=self.folder,
                                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **self.who)
        wait_until(lambda: subprocess.run([self.programs + "/pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]).returncode == 0,
                   "PostgreSQL serves", 60)

    def run(self, program, *arguments):
        subprocess.run([self.programs + "/" + program, *arguments], check=True, cwd=self.folder, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, **self.who)

    def psql(self, sql, database="postgres"):
        return subprocess.run(["psql", "-qAtX", "-h", self.folder, "-p", str(self.port), "-U", "test", "-d", database, "-c", sql], check=True,
                              capture_output=True, text=True).stdout.strip()

    def stop(self):
        self.server.terminate()
        self.server.wait(PATIENCE_S)
        shutil.rmtree(self.folder, ignore_errors=True)


class Barriers(unittest.TestCase):
    postgres = None

    @classmethod
    def tearDownClass(cls):
        if cls.postgres is not None:
            cls.postgres.stop()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="saga-barriers-")
        self.addCleanup(shutil.rmtree, self.folder)

    def open_sqlite(self):
        path = self.folder + "/shop.db"
        self.query = lambda sql: subprocess.run(["sqlite3", path], input=".timeout 5000\n" + sql, check=True, capture_output=True,
                                                text=True).stdout.strip()
        self.past = "created_at - %d"
        self.lose = "CREATE TRIGGER lose BEFORE INSERT ON saga_barrier WHEN NEW.key LIKE 'z/%' BEGIN SELECT RAISE(IGNORE); END"
        self.query("PRAGMA journal_mode = WAL")
        self.prepare("sqlite")
        return path

    def open_postgres(self):
        if not glob.glob("/usr/lib/postgresql/*/bin/initdb"):
            self.skipTest("PostgreSQL is not installed")
        if Barriers.postgres is None:
            Barriers.postgres = Postgres()
        server, name = Barriers.postgres, "shop%d" % time.monotonic_ns()
        server.psql("CREATE DATABASE %s" % name)
        self.query = lambda sql: server.psql(sql, name)
        self.past = "created_at - interval '%d s'"
        self.lose = ("CREATE FUNCTION lose() RETURNS trigger AS 'BEGIN RETURN NULL; END' LANGUAGE plpgsql; CREATE TRIGGER lose BEFORE INSERT ON "
                     "saga_barrier FOR EACH ROW WHEN (NEW.key LIKE 'z/%') EXECUTE FUNCTION lose()")
        self.prepare("pq")
        return "host=127.0.0.1 port=%d user=test dbname=%s sslmode=disable" % (server.port, name)

    def prepare(self, kind):
        with open("%s/%s/saga_barrier.sql" % (SQL, kind)) as f:
            self.query(f.read())
        self.query("CREATE TABLE ledger (saga text, amount integer)")

    def probe(self, *command, **more):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
        self.addCleanup(self.end_probe)

    def end_probe(self):
        self.process.stdin.close()
        self.assertEqual(0, self.process.wait(PATIENCE_S))
        self.process.stdout.close()

    def call(self, phase, saga, what="ok", outcome="unknown", ago_ms=YOUNG_MS):
        self.process.stdin.write("%s %s %s %d %s\n" % (phase, saga, outcome, time.time() * 1000 - ago_ms, what))
        self.process.stdin.flush()
        status, _, text = self.process.stdout.readline().rstrip("\n").partition(" ")
        return int(status), text

    def same_everywhere(self):
        def action(*arguments, **more):
            return self.call("action", *arguments, **more)

        def undo(*arguments, **more):
            return self.call("compensation", *arguments, **more)
        # An old one, while nothing has been collected yet.
        self.assertEqual((0, "booked 1"), action("g", ago_ms=OLD_MS))
        # A duplicate gets the first answer; an undo runs once.
        self.assertEqual([(0, "booked 2")] * 2, [action("a"), action("a")])
        self.assertEqual([(0, "booked 3")] * 2, [undo("a", outcome="done"), undo("a", outcome="done")])
        # An empty compensation, and the action after it.
        self.assertEqual((0, ""), undo("b"))
        self.assertEqual(9, action("b")[0])
        self.assertIn("must not be carried out", action("b")[1])
        # A refusal is kept, another failure is not.
        self.assertEqual((9, "no"), action("c", "9"))
        self.assertEqual((9, "no"), action("c"))
        self.assertEqual((0, ""), undo("c"))
        self.assertEqual((14, "no"), action("d", "14"))
        self.assertEqual((0, "booked 6"), action("d"))
        self.assertEqual((14, "no"), undo("d", "14"))
        self.assertEqual((0, "booked 8"), undo("d"))
        # Done, as the caller knows, and no row.
        self.assertEqual(9, undo("e", outcome="done")[0])
        # A function that ends the transaction leaves its row open.
        self.assertEqual(13, action("f", "commit")[0])
        self.assertEqual([13, 13], [action("f")[0], undo("f")[0]])
        self.assertEqual("100", self.query("SELECT sum(amount) FROM ledger WHERE saga <> 'f'"))
        # Who names no key is no sidecar: nothing runs.
        self.assertEqual([500, 500], [action("y", "keyless")[0], undo("y", "keyless")[0]])
        self.assertEqual("6", self.query("SELECT count(*) FROM ledger"))
        # What is old is collected, and nobody takes its undo for an empty one.
        self.query("UPDATE saga_barrier SET created_at = %s WHERE key LIKE 'g/%%'" % (self.past % (5 * 3600)))
        for saga in ("h", "i", "j"):
            self.assertEqual(0, action(saga)[0])
        self.assertEqual("0", self.query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'g/%'"))
        for late in (undo("g", ago_ms=OLD_MS), action("g", ago_ms=OLD_MS)):
            self.assertEqual(9, late[0])
            self.assertIn("may have been collected", late[1])
        self.assertEqual((0, ""), undo("k"))
        self.assertEqual(0, undo("h", ago_ms=OLD_MS)[0])
        # A row that was there when it was to be made and is gone when it is read: then nothing holds the key, and nothing may run.
        self.query(self.lose)
        self.assertEqual([500, 500], [action("z")[0], undo("z")[0]])
        self.assertEqual("0", self.query("SELECT count(*) FROM ledger WHERE saga = 'z'"))
        self.assertEqual(0, action("l")[0])
        self.collected_in_time(action, undo)
        self.every_status(action, undo)

    def collected_in_time(self, action, undo):
        """What may be in use by a clock that is behind stays beyond the mark, which follows; who does not say when the action began is believed."""
        self.assertEqual([0, 0], [action("m")[0], action("n")[0]])
        self.query("UPDATE saga_barrier SET created_at = %s WHERE key LIKE 'm/%%'" % (self.past % (3600 + 90)))
        self.query("UPDATE saga_barrier SET created_at = %s WHERE key LIKE 'n/%%'" % (self.past % (3600 + 180)))
        self.query("UPDATE saga_barrier SET created_at = %s WHERE key = ''" % (self.past % (6 * 3600)))
        self.assertEqual(0, action("o")[0])
        self.assertEqual("m/action", self.query("SELECT key FROM saga_barrier WHERE key IN ('m/action', 'n/action')"))
        self.assertIn("may have been collected", undo("p", ago_ms=OLD_MS)[1])
        self.assertEqual([(0, ""), 0], [undo("q", "older"), action("r", "older")[0]])

    def every_status(self, action, undo):
        """Of an action what is definite is kept, and nothing else; of an undo nothing that is not done."""
        kept = (3, 5, 6, 7, 9, 11, 12, 16)
        for status in range(1, 17):
            saga = "s%d" % status
            self.assertEqual((status, "no"), action(saga, str(status)))
            self.assertEqual(status if status in kept else 0, action(saga)[0], status)
        self.assertEqual(0, action("t")[0])
        for status in kept:
            self.assertEqual((status, "no"), undo("t", str(status)))
        self.assertEqual(0, undo("t")[0])

    def test_less_than_a_hundred_lines_of_code(self):
        for path in glob.glob(SQL + "/barriers/*/*"):
            with open(path) as f:
                code = [line for line in f if line.strip() and not line.lstrip().startswith(("//", "#", "/*", "*"))]
            self.assertLess(len(code), 100, path)

    # ---- Python ----

    def python(self, database):
        self.probe("/usr/bin/python3", HERE + "/probe.py", database)
        self.same_everywhere()

    def test_python_sqlite(self):
        self.python(self.open_sqlite())

    def test_python_postgres(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import psycopg2"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("psycopg2 is not installed")
        self.python(self.open_postgres())

    # ---- the others, where the toolchain and a driver are ----

    def go(self):
        if not shutil.which("go") or not all(os.path.isdir("/usr/share/gocode/src/github.com/" + d) for d in ("lib/pq", "mattn/go-sqlite3")):
            self.skipTest("Go, golang-github-lib-pq-dev or golang-github-mattn-go-sqlite3-dev is not installed")
        path = os.path.join(self.folder, "gopath")
        os.makedirs(path + "/src/sagabarrier")
        shutil.copy(SQL + "/barriers/go/barrier.go", path + "/src/sagabarrier")
        shutil.copy(HERE + "/probe.go", path + "/probe.go")
        env = dict(os.environ, GO111MODULE="off", GOPATH=path + ":/usr/share/gocode", GOFLAGS="", GOTOOLCHAIN="local",
                   CGO_CFLAGS="-w")
        subprocess.run(["go", "build", "-tags", "libsqlite3", "-o", path + "/probe", path + "/probe.go"], check=True, env=env, cwd=path)
        return path + "/probe"

    def test_go_sqlite(self):
        self.probe(self.go(), self.open_sqlite())
        self.same_everywhere()

    def test_go_postgres(self):
        self.probe(self.go(), self.open_postgres())
        self.same_everywhere()

    def java(self, url):
        jars = ["/usr/share/java/sqlite-jdbc.jar", "/usr/share/java/postgresql.jar"]
        if not shutil.which("javac") or not all(map(os.path.exists, jars)):
            self.skipTest("javac, libxerial-sqlite-jdbc-java or libpostgresql-jdbc-java is not installed")
        subprocess.run(["javac", "-Xlint:all,-serial", "-Werror", "-d", self.folder, SQL + "/barriers/java/SagaBarrier.java", HERE + "/Probe.java"],
                       check=True)
        self.probe("java", "-cp", ":".join([self.folder] + jars), "Probe", url)
        self.same_everywhere()

    def test_java_sqlite(self):
        self.java("jdbc:sqlite:" + self.open_sqlite())

    def test_java_postgres(self):
        fields = dict(f.split("=") for f in self.open_postgres().split())
        self.java("jdbc:postgresql://%(host)s:%(port)s/%(dbname)s?user=%(user)s" % fields)

    def javascript(self, kind, database):
        if not shutil.which("node"):
            self.skipTest("node is not installed")
        self.probe("node", HERE + "/probe.js", kind, database)
        self.same_everywhere()

    def test_javascript_sqlite(self):
        self.javascript("sqlite", self.open_sqlite())

    def test_javascript_postgres(self):
        self.javascript("postgres", self.open_postgres())
