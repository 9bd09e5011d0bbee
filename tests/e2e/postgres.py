"""postgres.py - a private PostgreSQL server for tests: in a temporary folder, on a unix socket, with commits that are durable."""
import atexit
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from shaking import freeze, runs

# What takes longer has failed: no test waits for a server without an end.
LIMIT_S = 60
PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


class Postgres:
    """start() returns when it serves; kill() is kill -9 of all its processes. PostgreSQL runs as nobody's root: as another user then.

    of: another one that serves, of which this is to be a standby (require() has it wait for that with each commit, promote() takes its place).
    folder: where it was, of one that was closed."""

    def __init__(self, *settings, of=None, folder=None):
        if not PROGRAMS:
            raise AssertionError("PostgreSQL is not installed: there is no /usr/lib/postgresql/*/bin (package postgresql)")
        self.folder = folder or tempfile.mkdtemp(prefix="saga-pg-")
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.settings = list(settings)
        self.process = None
        self.user = None
        if os.geteuid() == 0:
            self.user = pwd.getpwnam("postgres")
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = os.path.join(self.folder, "data")
        if of is not None:
            self._run("pg_basebackup", "-D", self.data, "-h", of.folder, "-U", "saga", "-R", "-c", "fast", "-X", "stream", "-N", "--no-manifest")
            with open(os.path.join(self.data, "postgresql.auto.conf"), "a") as f:
                f.write("synchronous_standby_names = ''\n")
        else:
            self._initialize()
        atexit.register(self.close)

    def _initialize(self):
        self._run("initdb", "-D", self.data, "-U", "saga", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")

    def _become(self):
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

    def _run(self, program, *arguments):
        done = subprocess.run([os.path.join(PROGRAMS[-1], program)] + list(arguments), preexec_fn=self._become, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=2 * LIMIT_S)
        if done.returncode != 0:
            raise AssertionError("%s failed:\n%s" % (program, done.stdout))
        return done.stdout

    def start(self):
        arguments = [os.path.join(PROGRAMS[-1], "postgres"), "-D", self.data, "-k", self.folder]
        for setting in ["listen_addresses=", "shared_buffers=32MB", "max_connections=100"] + self.settings:
            arguments += ["-c", setting]
        self.log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(arguments, preexec_fn=self._become, cwd=self.folder, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + LIMIT_S
        while self._ready() != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self.folder, "log")) as f:
                    raise AssertionError("PostgreSQL does not start:\n" + f.read())
            time.sleep(0.02)
        return self

    def _ready(self):
        return subprocess.run([os.path.join(PROGRAMS[-1], "pg_isready"), "-q", "-h", self.folder, "-U", "saga", "-d", "postgres"],
                              timeout=LIMIT_S).returncode

    def processes(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return [int(pid) for pid in f.read().split()]

    def kill(self):
        freeze(self.process.pid)  # it makes no more of them
        children = self.processes()
        self.process.kill()
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(LIMIT_S)
        self.log.close()
        deadline = time.monotonic() + LIMIT_S
        while any(runs(pid) for pid in children):  # a new one waits for them
            if time.monotonic() > deadline:
                raise AssertionError("processes of PostgreSQL that were killed do not go: %r" % children)
            time.sleep(0.002)

    def stop(self):
        """As an operator does it, at once."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(LIMIT_S)
        self.log.close()

    def stop_answering(self, stopped=True):
        """All its processes are frozen, or go on."""
        if stopped:
            freeze(self.process.pid)
        for pid in self.processes() + ([] if stopped else [self.process.pid]):
            if stopped:
                freeze(pid)
            else:
                os.kill(pid, signal.SIGCONT)

    def require(self, standby):
        """From now on a commit is kept by both; returns once they are together."""
        self.query("alter system set synchronous_standby_names = '*'")
        self.query("select pg_reload_conf()")
        deadline = time.monotonic() + 60
        while "sync" not in self.query("select sync_state from pg_stat_replication").split():
            if time.monotonic() > deadline:
                raise AssertionError("the standby %s does not follow" % standby.folder)
            time.sleep(0.05)

    def promote(self):
        self.query("select pg_promote()")

    def query(self, sql, database="postgres"):
        return self._run("psql", "-h", self.folder, "-U", "saga", "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql)

    @property
    def uri(self):
        return "postgresql://saga@/postgres?host=" + self.folder

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
