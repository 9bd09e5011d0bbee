"""What the documents tell people to do, done: the README's first saga, word for word, and what docs/operations.md tells."""
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import tempfile
import textwrap
import unittest
import urllib.request

import grpc

from harness import PATIENCE_S, ROOT, SAGAD, Case, Gate, Participant, Sidecar, definition, do, fail, state_name, step, undo

SAGACTL = os.environ.get("SAGACTL", os.path.join(os.path.dirname(SAGAD), "sagactl"))

EXAMPLES = os.path.join(os.path.dirname(SAGAD), "examples")


def section(path, heading):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return re.search(r"^## %s\n(.*?)(?=^## |\Z)" % re.escape(heading), file.read(), re.S | re.M).group(1)


def blocks(text):
    """The code blocks of a text: (language, code)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)


def plain(text):
    """What is the same in every run: ids, times and widths left out."""
    text = re.sub(r"[0-9a-f]{6,}-[0-9a-f]+", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", "DATE", text)
    text = re.sub(r"[+]?\d+(\.\d+)?(ms|us|s)\b", "TIME", text)
    return "\n".join(re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines())


class Readme(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="saga-readme-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def sh(self, script):
        """Runs a script as a reader would, in a copy of the folder that the README leads to."""
        script = re.sub(r"^cd client-lib/\S+\n", "", script)
        script = script.replace("../../../build/release/sagad ", SAGAD + " ")
        script = script.replace("../../../build/release/sagactl ", SAGACTL + " ")
        script = script.replace("../../../build/release/examples/", EXAMPLES + "/")
        script = script.replace("../../../proto", os.path.join(ROOT, "proto"))
        self.assertNotIn("../", script, "the README's script names a place that this test does not know")
        env = {k: v for k, v in os.environ.items() if k not in ("SAGAD_ADDRESS", "SAGAD", "SAGACTL")}
        done = subprocess.run(["bash", "-e", "-c", script], cwd=self.directory, env=env, capture_output=True, text=True,
                              timeout=4 * PATIENCE_S)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return done.stdout

    @unittest.skipUnless(shutil.which("grpc_python_plugin") and shutil.which("protoc"),
                         "protobuf-compiler and protobuf-compiler-grpc are not installed")
    def test_first_saga_in_python(self):
        shown = blocks(section("README.md", "A first saga in Python"))
        files = [code for language, code in shown if language in ("yaml", "proto", "python")]
        for code in files:
            name = re.match(r"(?:#|//) (\S+) - ", code).group(1)
            with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
                file.write(code)
        self.assertEqual(4, len(files))
        script, = [code for language, code in shown if language == "sh"]
        printed, = [code for language, code in shown if language == ""]
        said = self.sh(script)
        self.assertEqual(plain(printed), plain(said))

        # "Run it again: the same request_ids give the same two sagas, and nothing is called."
        again = self.sh(script)
        ids = re.findall(r"^(?:Lisbon|Atlantis) (\S+)", said, re.M)
        self.assertEqual(2, len(ids))
        self.assertEqual(ids, re.findall(r"^(?:Lisbon|Atlantis) (\S+)", again, re.M))
        self.assertNotIn("/trips.", again)

        # What an operator sees of the second trip.
        screen, = [code for _, code in blocks(section("README.md", "What an operator sees"))]
        start, = re.findall(r"^\S*sagad .*&$", script, re.M)
        seen = self.sh("%s\n%s --timeout %ds get %s\nkill $!\n" % (
            self._until_ready(start), SAGACTL, PATIENCE_S, ids[1]))
        self.assertEqual(plain(screen.split("\n", 1)[1]), plain(seen))

    def test_first_saga_in_c(self):
        text = section("README.md", "A first saga in C")
        folder = os.path.join(ROOT, re.search(r"\]\((client-lib/examples/tickets)\)", text).group(1))
        for name in os.listdir(folder):
            if name.endswith(".yaml"):
                shutil.copy(os.path.join(folder, name), self.directory)
        script, = [code for language, code in blocks(text) if language == "sh"]
        printed, = [code for language, code in blocks(text) if language == ""]
        self.assertEqual(plain(printed), plain(self.sh(script)))

    @staticmethod
    def _until_ready(start):
        """Starts the sidecar as the README does, and waits until it says that it is ready."""
        start = start.rstrip("& ").replace("../../../build/release/sagad", SAGAD)
        return ("mkfifo log; %s 2>log & exec 3<log\n"
                "while read -r line <&3; do case $line in *msg=ready*) break ;; esac; done\n" % start)


def sagactl(sidecar, *arguments):
    """(exit status, what it printed)."""
    env = dict(os.environ, SAGAD_ADDRESS=sidecar.address)
    done = subprocess.run([SAGACTL, *arguments], env=env, capture_output=True, text=True, timeout=2 * PATIENCE_S)
    return done.returncode, done.stdout + done.stderr


class Runbook(Case):
    """docs/operations.md, "Dead letters" and "Kubernetes"."""
    options = {"default_compensation_retry": {"maxAttempts": 3, "initialBackoff": "1ms", "maxBackoff": "2ms"}}

    def letter(self):
        """A saga whose undo has failed for good."""
        self.client.register(definition("trip", step("hotel"), step("flight", after=["hotel"])))
        self.shop.on(do("flight"), fail(grpc.StatusCode.FAILED_PRECONDITION, "no flight goes there"))
        self.shop.on(undo("hotel"), fail(grpc.StatusCode.INTERNAL, "ledger is locked"))
        saga_id = self.client.Start(definition="trip").saga_id
        self.client.stuck(saga_id)
        return saga_id

    def test_dead_letters(self):
        text = section("docs/operations.md", "Dead letters")
        screen, = [code for language, code in blocks(text) if language == ""]
        first = self.letter()
        status, seen = sagactl(self.sidecar, "deadletters")
        self.assertEqual((0, plain(screen.split("\n", 1)[1])), (status, plain(seen)))

        second, third = self.letter(), self.letter()
        self.shop.on(undo("hotel"), lambda call: b"")
        acts = dict((act, line) for line, act in re.findall(r"`(sagactl (\w+) [^`]*)` *(?::|\||, or)", text))
        for act, saga_id, end in (("retry", first, 10), ("skip", second, 10), ("resolve", third, 11)):
            line = shlex.split(acts[act].replace("SAGA-ID", saga_id).replace("STEP", "hotel"))
            self.assertEqual(0, sagactl(self.sidecar, *line[1:])[0], line)
            self.assertEqual(end, sagactl(self.sidecar, "--timeout", "%ds" % PATIENCE_S, "wait", saga_id)[0])

    def test_many_dead_letters_at_once(self):
        script, = [code for language, code in blocks(section("docs/operations.md", "Dead letters")) if "deadletters retry" in code]
        script = "\n".join(line for line in script.splitlines() if "JOB" not in line)
        letters = [self.letter() for _ in range(3)]
        saga = self.client.saga(letters[0])
        status = next(s.last_status for s in saga.steps if s.name == saga.stuck_step)
        name, = [c.name for c in grpc.StatusCode if c.value[0] == status]
        script = script.replace("checkout", saga.definition).replace("reserve", saga.stuck_step).replace("UNAVAILABLE", name)
        self.shop.on(undo("hotel"), lambda call: b"")
        env = dict(os.environ, SAGAD_ADDRESS=self.sidecar.address)
        subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script.replace("sagactl", SAGACTL)], env=env, check=True,
                       stdout=subprocess.DEVNULL, timeout=4 * PATIENCE_S)
        for saga_id in letters:
            self.assertState("COMPENSATED", self.client.end(saga_id))

    def test_manifest(self):
        """Its configuration and its definition are valid, and its probes succeed while a sidecar serves."""
        manifest, = [code for language, code in blocks(section("docs/operations.md", "Kubernetes")) if language == "yaml"]
        files = {name: textwrap.dedent(body) for name, body in re.findall(r"^  (\S+\.yaml): \|\n((?:    .*\n)+)", manifest, re.M)}
        self.assertEqual({"sagad.yaml", "checkout.yaml"}, set(files))
        with tempfile.TemporaryDirectory(prefix="saga-manifest-") as directory:
            for name, body in files.items():
                with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                    file.write(body.replace("/etc/sagad/definitions", os.path.join(directory, "definitions")))
            os.mkdir(os.path.join(directory, "definitions"))
            os.rename(os.path.join(directory, "checkout.yaml"), os.path.join(directory, "definitions", "checkout.yaml"))
            done = subprocess.run([SAGAD, "-n", "-f", os.path.join(directory, "sagad.yaml")], capture_output=True, text=True)
            self.assertIn("The configuration is good", done.stdout, done.stderr)  # what it names of the pod is not here
        # Every file that it names lies in a volume that is mounted, and every volume that is mounted is there.
        mounts = re.findall(r"\{name: (\S+), mountPath: ([^,}]+)", manifest)
        volumes = set(re.findall(r"^        - \{name: (\w+), (?:configMap|secret):", manifest, re.M)) | {"journal"}
        self.assertEqual(volumes, {name for name, _ in mounts})
        for path in re.findall(r"(/(?:etc|var)/[\w/.]+)", files["sagad.yaml"]):
            self.assertTrue(any(path.startswith(at) for _, at in mounts), path)
        # Its probes succeed while a sidecar serves.
        port = int(re.search(r"^http_listen: \S+:(\d+)", files["sagad.yaml"], re.M).group(1))
        self.assertEqual([str(port)], re.findall(r"\{name: http, containerPort: (\d+)\}", manifest))
        probes = re.findall(r"(\w+)Probe:.*\n +httpGet: \{path: (/\w+), port: http\}", manifest)
        self.assertEqual(["startup", "readiness", "liveness"], [name for name, _ in probes])
        sidecar = Sidecar(http_listen="127.0.0.1:0", targets={})
        try:
            at = sidecar.log("listening for probes and scrapes")[0]["port"]
            for _, path in probes:
                with urllib.request.urlopen("http://127.0.0.1:%s%s" % (at, path), timeout=PATIENCE_S) as answer:
                    self.assertEqual((200, b"ok"), (answer.status, answer.read().strip()))
        finally:
            sidecar.close()


class Backup(unittest.TestCase):
    """docs/operations.md, "Backup": what may be copied when, and that a restored journal goes on with its sagas."""

    def setUp(self):
        self.shop = Participant()
        self.addCleanup(self.shop.stop)
        self.gate = Gate()
        self.shop.on(do("a"), self.gate)
        self.source = Sidecar(loops=1, targets={"shop": self.shop.address})
        self.addCleanup(self.close_source)
        self.source.client.register(definition("one", step("a")))
        self.saga_id = self.source.client.Start(definition="one").saga_id
        self.gate.await_call()
        self.journal = os.path.join(self.source.directory, "data", "journal.db")
        self.copy = os.path.join(self.source.directory, "copy.db")

    def open(self, path):
        db = sqlite3.connect(path, timeout=0.1)
        self.addCleanup(db.close)
        return db

    def close_source(self):
        if self.source in Sidecar.running:
            self.source.kill()
        self.source.close()

    def restore(self, *files):
        """A sidecar on these files takes up the saga and ends it."""
        self.gate.open()
        restored = Sidecar(start=False, loops=1, targets={"shop": self.shop.address})
        data = os.path.join(restored.directory, "data")
        os.mkdir(data, 0o700)
        for file in files:
            shutil.copy(file, os.path.join(data, re.sub(r"^copy", "journal", os.path.basename(file))))
        try:
            restored.start()
            self.assertEqual("1", restored.log("ready")[0]["live_sagas"])
            self.assertEqual("COMMITTED", state_name(restored.client.end(self.saga_id)))
        finally:
            restored.close()

    def test_refused_while_the_sidecar_runs(self):
        with self.assertRaisesRegex(sqlite3.OperationalError, "database is locked"):
            self.open(self.journal).execute("VACUUM INTO ?", (self.copy,))

    def test_vacuum_into(self):
        self.source.kill()
        self.open(self.journal).execute("VACUUM INTO ?", (self.copy,))
        self.restore(self.copy)

    def test_backup(self):
        self.source.kill()
        into = self.open(self.copy)
        self.open(self.journal).backup(into)
        into.close()
        self.restore(self.copy)

    def test_snapshot_of_both_files(self):
        """What a snapshot of the file system holds: the files of a sidecar that had no chance to say goodbye."""
        self.source.kill()
        self.assertTrue(os.path.getsize(self.journal + "-wal") > 0)
        self.restore(self.journal, self.journal + "-wal")
