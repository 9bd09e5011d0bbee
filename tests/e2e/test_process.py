"""The sidecar as a process: how it starts and refuses to, how it ends, and what it finds again afterwards."""
import contextlib
import glob
import os
import random
import re
import resource
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import grpc

from harness import (PATIENCE_S, SAGAD, Case, Client, Gate, Participant, Sidecar, definition, do, enlistment, enum_name, fail,
                     failure_in_result, failure_of, message, needs_files, settled, state_name, step, undo, wait_until)

Code = grpc.StatusCode


def event_names(events):
    return [enum_name("EventType", e.type)[len("EVENT_TYPE_"):] for e in events]


class Process(Case):
    def setUp(self):
        super().setUp()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def sidecar_with(self, start=True, **options):
        options.setdefault("targets", {"shop": self.shop.address})
        self.sidecars.append(Sidecar(start=start, **options))
        return self.sidecars[-1]

    # ---- a journal that is taken away ----

    @needs_files
    def test_journal_is_removed_while_it_runs(self):
        """Noticed within a second although nothing happens; nobody is told of success any more; nothing is lost."""
        sidecar = self.sidecar_with()
        saga = sidecar.client.Begin(name="kept").saga_id
        journal = os.path.join(sidecar.options["data_dir"], "journal.db")
        os.unlink(journal)
        began = time.monotonic()
        self.assertEqual(1, sidecar.await_exit())
        self.assertLess(time.monotonic() - began, 10)
        self.assertIn("the journal's file was removed while the sidecar ran", "\n".join(sidecar.lines))
        code, text = sidecar.refuse()
        self.assertEqual(1, code)
        self.assertIn(".rescued", text)
        os.rename(journal + ".rescued", journal)
        sidecar.start()
        self.assertEqual("RUNNING", state_name(sidecar.client.Get(saga_id=saga).saga))

    # ---- the start ----

    def test_no_file_at_all(self):
        """Data in ./sagad-data, a socket in it for the owner alone, and no port."""
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen([SAGAD], cwd=directory, stderr=subprocess.PIPE, text=True)
            listening = []
            for line in process.stderr:
                if "msg=listening" in line:
                    listening.append(line)
                if "msg=ready" in line:
                    break
            path = os.path.join(directory, "sagad-data/sagad.sock")
            self.assertEqual(["unix:./sagad-data/sagad.sock"], [re.search(r"address=(\S+)", line).group(1).strip('"') for line in listening])
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
            self.assertEqual(0o700, stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode))
            client = Client("unix:" + path)
            client.ListDefinitions()
            client.close()
            process.terminate()
            self.assertEqual(0, process.wait(PATIENCE_S))
            self.assertFalse(os.path.exists(path), "the socket is removed")
            process.stderr.close()

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "s.sock")
            sidecar = self.sidecar_with(listen=["unix:" + path])
            self.assertEqual(0o600, stat.S_IMODE(os.stat(path).st_mode))
            sidecar.client.ListDefinitions()
            sidecar.kill()
            self.assertTrue(os.path.exists(path))
            sidecar.start()
            sidecar.client.ListDefinitions()
            sidecar.stop()
            self.assertFalse(os.path.exists(path))
            with open(path, "w") as f:
                f.write("precious")
            code, text = sidecar.refuse()
            self.assertEqual(1, code, text)
            self.assertIn(path, text)
            with open(path) as f:
                self.assertEqual("precious", f.read())

    def test_participant_at_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as directory:
            shop = Participant("unix:" + os.path.join(directory, "shop.sock"))
            sidecar = self.sidecar_with(targets={"shop": shop.address})
            sidecar.client.register(definition("one", step("a")))
            self.assertState("COMMITTED", sidecar.client.run("one"))
            sidecar.stop()
            shop.stop()

    def test_second_sidecar_on_the_same_data(self):
        first = self.sidecar_with()
        first.client.Begin(name="x")
        second = Sidecar(start=False, data_dir=first.options["data_dir"])
        code, text = second.refuse()
        self.assertEqual(1, code)
        self.assertRegex(text, "another (sidecar|process)")
        self.assertIn(first.options["data_dir"], text)
        second.close()
        self.assertEqual(1, len(first.client.List().sagas))

    def test_port_is_taken(self):
        first = self.sidecar_with()
        second = self.sidecar_with(start=False, listen=[first.address])
        code, text = second.refuse()
        self.assertEqual(1, code, text)
        self.assertIn(first.address, text)

    def check(self, sidecar, **options):
        """What sagad -n says of the sidecar's configuration with other options: exit status and standard error."""
        before = dict(sidecar.options)
        sidecar.options.update(options)
        path = sidecar.write_config()
        sidecar.options = before
        done = subprocess.run([SAGAD, "-n", "-f", path], cwd=sidecar.directory, capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertIn("Not looked at:", done.stdout)
        return done.returncode, done.stderr

    def test_check_says_when_a_start_would_be_refused(self):
        """As the start does: each is tried, and nothing is left behind."""
        running = self.sidecar_with(listen=["127.0.0.1:0", "unix:s.sock"], loops=1)
        code, text = self.check(running)
        self.assertEqual(1, code)
        self.assertIn("another sagad uses it", text)
        self.assertIn("s.sock: another process listens there", text)
        other = self.sidecar_with(start=False, loops=1, listen=["127.0.0.1:0"])
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.assertEqual((0, ""), self.check(other))
        self.assertEqual((0, ""), self.check(other, data_dir="./kept/", listen=["unix:%s/kept/s.sock" % other.directory]))
        keys = {name: os.path.join(directory.name, name) for name in ("good", "short", "open")}
        for name, mode, digits in (("good", 0o600, 64), ("short", 0o600, 63), ("open", 0o644, 64)):
            with open(keys[name], "w") as f:
                f.write("k " + "a" * digits + "\n")
            os.chmod(keys[name], mode)
        self.assertEqual((0, ""), self.check(other, encryption_key_file=keys["good"], audit_key_file=keys["good"]))
        for options, expected in (({"listen": [running.address]}, "Address already in use"),
                                  ({"encryption_key_file": "/nowhere.keys"}, "encryption_key_file: cannot open /nowhere.keys"),
                                  ({"encryption_key_file": keys["short"]}, "encryption_key_file: "),
                                  ({"audit_key_file": keys["open"]}, "audit_key_file: everybody on the machine can read the file of keys"),
                                  ({"http_listen": running.address}, "Address already in use"),
                                  ({"data_dir": "/nowhere/deep"}, "data_dir"),
                                  ({"data_dir": "/proc/sagad"}, "/proc/sagad: it cannot be made"),
                                  ({"data_dir": "/proc"}, "/proc: nothing can be kept there"),
                                  ({"listen": ["unix:/proc/s.sock"]}, "/proc/s.sock: No such file"),
                                  ({"listen": ["unix:/nowhere/s.sock"]}, "/nowhere/s.sock: No such file"),
                                  ({"listen": ["unix:sagad.yaml"]}, "sagad.yaml: there is a file at this path that is not a socket"),
                                  ({"data_dir": running.options["data_dir"], "loops": 2}, "loops: the data directory was made with loops: 1"),
                                  ({"tls_roots": "/nowhere.pem"}, "tls_roots"),
                                  ({"schemas_dir": "/nowhere"}, "schemas_dir")):
            with self.subTest(options):
                code, text = self.check(other, **options)
                self.assertEqual(1, code, text)
                self.assertIn(expected, text)
        self.assertEqual({"sagad.yaml"}, set(os.listdir(other.directory)))
        bad = os.path.join(other.directory, "schemas")
        os.mkdir(bad)
        with open(os.path.join(bad, "wrong.binpb"), "wb") as f:
            f.write(b"nonsense")
        self.assertEqual(1, self.check(other, schemas_dir=bad)[0])
        running.stop()
        self.assertEqual((0, ""), self.check(running))
        running.start()

    def test_a_journal_of_an_older_schema_is_told_of_before_and_while_it_is_upgraded(self):
        """By -n, which leaves it as it is, and in the log of the start."""
        sidecar = self.sidecar_with(loops=2)
        sidecar.client.register(definition("kept", step("a")))
        kept = sidecar.client.run("kept", request_id="before")
        sidecar.stop()
        paths = glob.glob(os.path.join(sidecar.options["data_dir"], "journal*.db"))
        self.assertEqual(2, len(paths), paths)
        for path in paths:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
                now = database.execute("PRAGMA user_version").fetchone()[0]
                database.execute("DELETE FROM requests")
                database.execute("DELETE FROM request_log")
                database.execute("PRAGMA user_version = 7")
        for _ in range(2):
            code, text = self.check(sidecar)
            self.assertEqual(0, code)
            for path in paths:
                self.assertIn("a start would bring %s from schema 7 to %d" % (path, now), text)
        sidecar.start()
        self.assertEqual(2 * [("7", str(now))], [(line["from"], line["to"]) for line in
                         sidecar.logged("the journal is brought to a newer schema: no older sagad can open it from now on")])
        self.assertTrue(sidecar.logged("the journal's table of request_ids is made anew, before anything is served"))
        self.assertEqual(kept.id, sidecar.client.run("kept", request_id="before").id)
        sidecar.stop()
        self.assertEqual((0, ""), self.check(sidecar))
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA user_version = %d" % (now + 1))
        code, text = self.check(sidecar)
        self.assertEqual(1, code)
        self.assertIn("it has schema %d and this sagad knows %d" % (now + 1, now), text)

    def refused_config(self, text, *expected):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "sagad.yaml")
            with open(path, "w") as f:
                f.write(text)
            for more in ([], ["-n"]):
                done = subprocess.run([SAGAD, "-f", path, *more], cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S)
                self.assertEqual(2, done.returncode, done.stderr)
                for pattern in expected:
                    self.assertRegex(done.stderr, pattern)
                self.assertFalse(os.path.exists(os.path.join(directory, "sagad-data")))

    def test_bad_configuration(self):
        self.refused_config("data_dir: x\n\nretension: 1h\n", r"sagad\.yaml:3:1: retension", "did you mean retention")
        self.refused_config("targets:\n  shop: {adress: x}\n", r"sagad\.yaml:2:\d+: targets\.shop\.adress", "did you mean address")
        self.refused_config("retention: 5\n", r"sagad\.yaml:1:12: retention", "unit|h")
        self.refused_config("steps_max: 100000\n", r"sagad\.yaml:1:12: steps_max", "256")
        self.refused_config("steps_max: [\n", r"sagad\.yaml:\d+:\d+: ")
        self.refused_config("steps_max: 1\nsteps_max: 2\n", r"sagad\.yaml:2:\d+: ")
        self.refused_config("calls_max: 10\n", r"calls_max|streams_max|waiters_max")

    def test_only_loopback(self):
        for address in ("0.0.0.0:7240", "[::]:7240", "10.0.0.1:7240", "example.com:1", "unix-abstract:x"):
            self.refused_config("listen: ['%s']\n" % address, r"sagad\.yaml:1:\d+: listen")

    def test_command_line(self):
        run = lambda *a: subprocess.run([SAGAD, *a], capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertRegex(run("--version").stdout, r"^sagad \d+\.\d+\.\d+")
        self.assertIn("-f", run("--help").stdout)
        self.assertIn("data_dir", run("--options").stdout)
        self.assertEqual(2, run("--nonsense").returncode)
        self.assertEqual(2, run("stray").returncode)
        for option in ("--method", "--definition"):
            alone = run("-n", option, "Retry")
            self.assertEqual(2, alone.returncode)
            self.assertIn("--method and --definition go with --as", alone.stderr)
        # What the command line or the file asks for, and cannot be had, is no trouble of the database.
        for arguments, words in ((["--migrate"], "it names no database"), (["--print-sql=x"], "a version is a number"),
                                 (["--print-sql=0"], "a version is a number"), (["--print-sql=999"], "there is nothing to be done")):
            refused = run(*arguments)
            self.assertEqual((2, ""), (refused.returncode, refused.stdout), arguments)
            self.assertIn(words, refused.stderr)
        missing = run("-f", "/nowhere/sagad.yaml")
        self.assertEqual(2, missing.returncode)
        self.assertIn("/nowhere/sagad.yaml", missing.stderr)

    def test_without_standard_files(self):
        """Lines of the log go nowhere then, and not into the first files that are opened in their place."""
        def close():
            for fd in range(3):
                os.close(fd)
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen([SAGAD], cwd=directory, preexec_fn=close)
            try:
                wait_until(lambda: os.path.exists(os.path.join(directory, "sagad-data", "sagad.sock")), "it listens")
                self.assertEqual("/dev/null", os.readlink("/proc/%d/fd/2" % process.pid))
            finally:
                process.terminate()
                self.assertEqual(0, process.wait(PATIENCE_S))

    def test_nobody_reads_what_it_says(self):
        """What ended it is told by its exit status, and not by a signal, when whoever read its words has gone."""
        for arguments, status in ((["-f", "/nowhere/sagad.yaml"], 2), (["-n", "-f", "/nowhere/sagad.yaml"], 2), (["--options"], 0)):
            with self.subTest(arguments=arguments):
                reads, writes = os.pipe()
                os.close(reads)
                try:
                    done = subprocess.run([SAGAD, *arguments], stdout=writes, stderr=writes, timeout=PATIENCE_S)
                finally:
                    os.close(writes)
                self.assertEqual(status, done.returncode)

    def test_takes_all_the_files_that_it_may_have(self):
        """Each connection is one, and systems start programs with room for few."""
        with tempfile.TemporaryDirectory() as directory:
            process = subprocess.Popen([SAGAD], cwd=directory, stderr=subprocess.PIPE, text=True,
                                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512)))
            try:
                for line in process.stderr:
                    if "msg=ready" in line:
                        break
                self.assertEqual((512, 512), resource.prlimit(process.pid, resource.RLIMIT_NOFILE))
            finally:
                process.terminate()
                self.assertEqual(0, process.wait(PATIENCE_S))
                process.stderr.close()

    def test_check_reads_the_definitions(self):
        with tempfile.TemporaryDirectory() as directory:
            files = [os.path.join(directory, name) for name in ("definitions/one.yaml", "sagad.yaml")]
            os.mkdir(os.path.dirname(files[0]))
            for path, text in zip(files, ("name: one\nversion: 1.2\nsteps: []\n", "definitions_dir: definitions\n")):
                with open(path, "w") as f:
                    f.write(text)
            done = subprocess.run([SAGAD, "-n", "-f", files[1]], cwd=directory, capture_output=True, text=True, timeout=PATIENCE_S)
            self.assertEqual((2, ""), (done.returncode, done.stdout))
            self.assertRegex(done.stderr, r"one\.yaml:2:\d+: version")

    def test_data_dir_cannot_be_made(self):
        sidecar = self.sidecar_with(start=False, data_dir="/proc/nothing/here")
        code, text = sidecar.refuse()
        self.assertEqual(1, code)
        self.assertIn("/proc/nothing/here", text)

    # ---- the end ----

    def test_sigterm_lets_calls_end(self):
        """Within the grace a call in flight ends, and what it said is recorded: it is not made again."""
        sidecar = self.sidecar_with()
        sidecar.client.register(definition("two", step("a"), step("b", after=["a"])))
        gate = Gate(b"said in time")
        self.shop.on(do("a"), gate)
        saga_id = sidecar.client.Start(definition="two").saga_id
        gate.await_call()
        healths = [sidecar.client.health.Watch(service=s) for s in ("", "saga.v1.Coordinator", "saga.v1.Operator")]
        self.assertEqual([1, 1, 1], [next(h).status for h in healths])
        sidecar.terminate()
        wait_until(lambda: sidecar.log("stopping"), "the sidecar is stopping")
        # Who watched is told NOT_SERVING; who asks anew is refused as every new call is.
        self.assertEqual([2, 2, 2], [next(h).status for h in healths])
        with self.assertRaises(grpc.RpcError) as raised:
            sidecar.client.health.Check(service="")
        self.assertEqual(Code.UNAVAILABLE, raised.exception.code())
        for _ in range(20):
            failure = self.refused("UNAVAILABLE", "STOPPING", sidecar.client.Begin, name="x")
            self.assertGreater(failure.retry_delay_ms, 0)
        gate.open()
        self.assertEqual(0, sidecar.await_exit())
        self.assertEqual(["a"], [c.step for c in self.shop.of(saga_id)], "no further call leaves")
        sidecar.start()
        self.assertState("COMMITTED", sidecar.client.end(saga_id))
        self.assertEqual(["a", "b"], [c.step for c in self.shop.of(saga_id)], "no call is made twice")
        self.assertEqual(b"said in time", sidecar.client.saga(saga_id, payloads=True).steps[0].output)

    def test_sigterm_cuts_what_does_not_end(self):
        sidecar = self.sidecar_with(shutdown_grace="100ms", targets={"shop": {"address": self.shop.address, "timeout": "1s"}})
        sidecar.client.register(definition("one", step("a")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = sidecar.client.Start(definition="one").saga_id
        gate.await_call()
        began = time.monotonic()
        sidecar.stop()
        self.assertLess(time.monotonic() - began, 15)
        self.shop.on(do("a"), lambda call: b"")
        sidecar.start()
        saga = sidecar.client.end(saga_id)
        self.assertState("COMMITTED", saga)
        first, second = self.shop.of(saga_id)
        self.assertEqual((first.key, 1, 2), (second.key, first.attempt, second.attempt))

    def test_sigterm_answers_who_waits(self):
        sidecar = self.sidecar_with()
        saga_id = sidecar.client.Begin(name="x").saga_id
        wait = sidecar.client.channel.unary_unary("/saga.v1.Coordinator/Wait").future(
            message("saga.v1.WaitRequest")(saga_id=saga_id).SerializeToString(), timeout=PATIENCE_S)
        watch = sidecar.client.Watch(saga_id=saga_id)
        next(watch)
        # The wait has been taken in when a later call of the same connection is answered.
        sidecar.client.KeepAlive(saga_id=saga_id)
        sidecar.stop()
        failure = failure_of(wait.exception(PATIENCE_S))
        self.assertEqual("UNAVAILABLE", failure.code)
        if failure.reason is not None:
            self.assertEqual("STOPPING", failure.reason)
            self.assertGreater(failure.retry_delay_ms, 0)
        self.refused("UNAVAILABLE", "STOPPING", lambda: list(watch))

    def test_sigterm_while_a_start_waits_for_its_database(self):
        sidecar = self.sidecar_with(start=False, store="postgresql://nobody@127.0.0.1:1/none", store_lease="10m")
        sidecar.spawn()
        line, = sidecar.logged("a start waits for the journal in the database")
        self.assertIn("refused", line["why"])
        sidecar.stop()

    def test_sigterm_with_silent_connections(self):
        """Clients that keep their connections open do not hold the sidecar."""
        sidecar = self.sidecar_with()
        held = [socket.create_connection(("127.0.0.1", sidecar.port)) for _ in range(10)]
        clients = [Client(sidecar.address) for _ in range(5)]
        for c in clients:
            c.ListDefinitions()
        began = time.monotonic()
        sidecar.stop()
        self.assertLess(time.monotonic() - began, 15)
        for h in held:
            h.close()
        for c in clients:
            c.close()

    # ---- what is found again ----

    def test_kill_in_the_middle_of_an_action(self):
        sidecar = self.sidecar_with(targets={"shop": {"address": self.shop.address, "timeout": "700ms"}})
        sidecar.client.register(definition("two", step("a"), step("b", after=["a"]), step("c", after=["b"])))
        gate = Gate()
        self.shop.on(do("b"), gate)
        saga_id = sidecar.client.Start(definition="two", input=b"kept", request_id="once").saga_id
        gate.await_call()
        sidecar.kill()
        self.shop.on(do("b"), lambda call: b"")
        sidecar.start()
        again = sidecar.client.Start(definition="two", input=b"kept", request_id="once")
        self.assertEqual((saga_id, True), (again.saga_id, again.already_started))
        self.assertState("COMMITTED", sidecar.client.end(saga_id))
        calls = self.shop.of(saga_id)
        self.assertEqual([("a", 1), ("b", 1), ("b", 2), ("c", 1)], [(c.step, c.attempt) for c in calls])
        self.assertEqual(calls[1].key, calls[2].key)
        self.assertEqual({b"kept"}, {c.request for c in calls})

    def test_kill_in_the_middle_of_the_undo(self):
        sidecar = self.sidecar_with()
        sidecar.client.register(definition("back", step("a"), step("b", after=["a"]), step("c", after=["b"])))
        gate = Gate()
        self.shop.on(do("c"), fail(Code.NOT_FOUND))
        self.shop.on(undo("b"), gate)
        saga_id = sidecar.client.Start(definition="back").saga_id
        gate.await_call()
        sidecar.kill()
        self.shop.on(undo("b"), lambda call: b"")
        sidecar.start()
        self.assertState("COMPENSATED", sidecar.client.end(saga_id))
        calls = self.shop.of(saga_id, "compensation")
        self.assertEqual(["b", "b", "a"], [c.step for c in calls])
        self.assertEqual(calls[0].key, calls[1].key)

    def test_a_target_is_gone(self):
        """What live sagas need, and sagad.yaml no longer names, is told; they wait for it, and nothing of its kind is begun meanwhile."""
        sidecar = self.sidecar_with()
        client = sidecar.client
        client.register(definition("two", step("a"), step("b", after=["a"])))
        gate = Gate()
        self.shop.on(do("b"), gate)
        enlisted = client.Begin(name="x", enlist=[enlistment("a")], request_id="r").saga_id
        ahead = client.Start(definition="two", request_id="once").saga_id
        gate.await_call()
        sidecar.kill()
        gate.open()
        sidecar.options["targets"] = {}
        client = sidecar.start().client
        told, = sidecar.logged("sagad.yaml does not name a target that is needed: its calls wait until it does")
        self.assertEqual(("warn", "shop", "2", "1"), tuple(told[k] for k in ("level", "target", "live_sagas", "definitions")))
        failure = self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", client.Start, definition="two")
        self.assertIn("step a calls target shop, which sagad.yaml does not name", failure.text)
        self.assertTrue(client.Start(definition="two", request_id="once").already_started)
        client.Abort(saga_id=enlisted)
        for saga_id, name in ((ahead, "b"), (enlisted, "a")):
            def waiting():
                return [s.waiting_for for s in client.saga(saga_id).steps if s.name == name]
            wait_until(lambda: waiting() == ["target shop, which sagad.yaml does not name"], "it waits visibly: %s" % waiting())
        attempts = [sum(s.action_attempts + s.compensation_attempts for s in client.saga(i).steps) for i in (ahead, enlisted)]
        calls = len(self.shop.calls)
        sidecar.restart()
        client = sidecar.client
        self.assertEqual(attempts, [sum(s.action_attempts + s.compensation_attempts for s in client.saga(i).steps)
                                    for i in (ahead, enlisted)], "waiting spends no attempts")
        self.assertEqual(calls, len(self.shop.calls))
        self.assertEqual(("RUNNING", "COMPENSATING"), tuple(state_name(client.saga(i)) for i in (ahead, enlisted)))
        sidecar.stop()
        sidecar.options["targets"] = {"shop": self.shop.address}
        client = sidecar.start().client
        self.assertEqual([], sidecar.log("sagad.yaml does not name a target that is needed: its calls wait until it does"))
        self.assertState("COMMITTED", client.end(ahead))
        self.assertState("COMPENSATED", client.end(enlisted))
        self.assertState("COMMITTED", client.run("two"))

    # ---- the journal ----

    def journal(self, sidecar):
        return os.path.join(sidecar.options["data_dir"], "journal.db")

    def check_journal(self, sidecar):
        """(exit status, lines) of sagad --check-journal on a sidecar that is stopped."""
        done = subprocess.run([SAGAD, "--check-journal", "-f", sidecar.write_config()], cwd=sidecar.directory, capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual("", done.stderr)
        return done.returncode, done.stdout.splitlines()

    @staticmethod
    def hide(path, index, which):
        """An index without the row of one saga: it is made anew under a condition that leaves the row out, which is then taken back."""
        def declare(text):
            db = sqlite3.connect(path)
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (text, index))
            db.commit()
            db.close()
        db = sqlite3.connect(path)
        kept, = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
        serial, = db.execute(which).fetchone()
        db.close()
        declare("%s AND serial <> %d" % (kept, serial))
        db = sqlite3.connect(path)
        db.execute("REINDEX " + index)
        db.close()
        declare(kept)

    def test_check_journal(self):
        """The command of the runbook: sound journals, an index that hides a row, rows that are damaged, and what mends what."""
        sidecar = self.sidecar_with(loops=2)
        sidecar.client.register(definition("one", step("a")))
        for i in range(20):
            sidecar.client.run("one", request_id="order-%s" % os.urandom(8).hex())
            sidecar.client.Abort(saga_id=sidecar.client.Begin(name="x", request_id="none-%s" % os.urandom(8).hex()).saga_id)
        sidecar.stop()
        code, lines = self.check_journal(sidecar)
        self.assertEqual(0, code, lines)
        self.assertEqual(2, len(lines))
        for line in lines:
            self.assertRegex(line, r"^\S+/journal(-1)?\.db: sound: [1-9]\d* frames with [1-9]\d* records, 1 definitions, every row and every index$")

        path = self.journal(sidecar)
        self.hide(path, "ended_rare", "SELECT max(serial) FROM ended WHERE state <> 2")
        code, lines = self.check_journal(sidecar)
        self.assertEqual(1, code, lines)
        self.assertIn("index ended_rare does not lead to the row of saga", "\n".join(lines))
        self.assertIn("sqlite3 journal.db REINDEX", "\n".join(lines))
        self.assertEqual(1, len([line for line in lines if ": damaged: copy the whole data directory" in line]))
        self.assertEqual(1, len([line for line in lines if ": sound: " in line]), "the other journal is told, too")
        db = sqlite3.connect(path)
        db.execute("REINDEX")
        db.close()
        self.assertEqual(0, self.check_journal(sidecar)[0])

        # A row, and a frame.
        db = sqlite3.connect(path)
        db.execute("UPDATE ended SET ended_us = ended_us + 1 WHERE serial = (SELECT max(serial) FROM ended)")
        frame, = db.execute("SELECT max(seq) FROM frames").fetchone()
        body, = db.execute("SELECT body FROM frames WHERE seq = ?", (frame,)).fetchone()
        db.execute("UPDATE frames SET body = ? WHERE seq = ?", (body[:20] + bytes([body[20] ^ 1]) + body[21:], frame))
        db.commit()
        db.close()
        code, lines = self.check_journal(sidecar)
        self.assertEqual(1, code)
        self.assertRegex("\n".join(lines), r"the row \d+ of the table ended is damaged")
        self.assertRegex("\n".join(lines), r"frame %d: " % frame)

    def test_old_rows_are_verified_while_it_runs(self):
        """Beyond the newest 10,000, which are looked at before the start: within seconds an index that hides one ends the sidecar."""
        sidecar = self.sidecar_with(loops=1)
        sidecar.client.Abort(saga_id=sidecar.client.Begin(name="x").saga_id)
        for first in range(0, 10300, 1000):
            begins, commits = message("saga.v1.PipeRequest")(), message("saga.v1.PipeRequest")()
            for n in range(first, min(first + 1000, 10300)):
                begins.commands.add().begin.CopyFrom(message("saga.v1.BeginRequest")(name="x", request_id="order-%06d" % n))
            begun, = sidecar.client.Pipe(iter([begins]))
            for result in begun.results:
                commits.commands.add().commit.saga_id = result.begin.saga_id
            ended, = sidecar.client.Pipe(iter([commits]))
            self.assertEqual({"commit"}, {r.WhichOneof("result") for r in ended.results})
        sidecar.stop()
        path = self.journal(sidecar)
        self.hide(path, "ended_rare", "SELECT min(serial) FROM ended WHERE state <> 2")
        sidecar.start()
        self.assertEqual(1, sidecar.await_exit())
        self.assertIn("the index ended_rare does not lead to the row of saga", "\n".join(sidecar.lines))
        self.assertIn("REINDEX", "\n".join(sidecar.lines))

    @needs_files
    def test_check_journal_of_none(self):
        """Nothing is made where there is nothing; a journal that is in use is left alone."""
        sidecar = self.sidecar_with(start=False)
        done = subprocess.run([SAGAD, "--check-journal", "-f", sidecar.write_config()], cwd=sidecar.directory, capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(1, done.returncode)
        self.assertIn("there is no journal in it", done.stderr)
        self.assertFalse(os.path.exists(self.journal(sidecar)))
        sidecar.start()
        done = subprocess.run([SAGAD, "--check-journal", "-f", sidecar.write_config()], cwd=sidecar.directory, capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(1, done.returncode)
        self.assertIn("another process (%d) uses this journal" % sidecar.process.pid, done.stderr)

    @needs_files
    def test_a_damaged_journal(self):
        sidecar = self.sidecar_with()
        for i in range(200):
            sidecar.client.Begin(name="x", enlist=[enlistment("a", request=b"z" * 500)])
        sidecar.stop()
        good = self.sidecar_with(start=False)
        shutil.copytree(sidecar.options["data_dir"], good.options["data_dir"])
        path = self.journal(sidecar)
        size = os.path.getsize(path)
        whole = open(path, "rb").read()

        def damaged(change, what):
            with open(path, "wb") as f:
                f.write(change(whole))
            code, text = sidecar.refuse()
            self.assertEqual(1, code, what + ": " + text)
            self.assertIn(path, text, what)
            self.assertRegex(text, "damaged|malformed|not a database|does not match|corrupt", what)
            self.assertRegex(text, "restore|backup", "it says what to do")
        damaged(lambda b: b[:size // 2], "cut in half")
        damaged(lambda b: b"\0" * 4096 + b[4096:], "a blank first page")
        damaged(lambda b: b"this is not a database" * 1000, "something else")
        # The last: of the first there are stale copies, where pages were split.
        at = whole.rindex(b"z" * 500) + 100
        damaged(lambda b: b[:at] + b"y" + b[at + 1:], "one byte of one record")
        with open(path, "wb") as f:
            f.write(whole)
        sidecar.start()
        self.assertEqual(200, len(sidecar.client.List(page_size=1000).sagas))

    @needs_files
    def test_damaged_row(self):
        """Whoever asks for a saga whose row is damaged is told so; the sidecar and all others go on."""
        sidecar = self.sidecar_with()
        begun = [sidecar.client.Begin(name="x", request_id="r-%d" % i).saga_id for i in range(2)]
        for saga_id in begun:
            sidecar.client.Commit(saga_id=saga_id)
        sidecar.stop()
        for path in glob.glob(sidecar.options["data_dir"] + "/journal*.db"):
            db = sqlite3.connect(path)
            db.execute("UPDATE ended SET state = 4 WHERE request = 'r-0'")
            db.commit()
            db.close()
        sidecar.start()
        self.assertIn("of the table ended is damaged", sidecar.log("the journal is damaged: a saga that has ended cannot be shown")[0]["what"])
        client = sidecar.client
        for call, fields in ((client.Get, {"saga_id": begun[0]}), (client.Wait, {"saga_id": begun[0]}), (client.List, {}),
                             (client.Commit, {"saga_id": begun[0]}), (client.Begin, {"name": "x", "request_id": "r-0"})):
            failure = self.refused("DATA_LOSS", "JOURNAL_CORRUPT", call, **fields)
            self.assertRegex(failure.text, "the row [0-9]+ of the table ended is damaged")
            self.assertIn("backup", failure.text)
        request = message("saga.v1.PipeRequest")()
        for saga_id in begun:
            request.commands.add().commit.saga_id = saga_id
        results = next(client.Pipe(iter([request]))).results
        self.assertEqual("JOURNAL_CORRUPT", failure_in_result(results[0].error).reason)
        self.assertEqual("commit", results[1].WhichOneof("result"))
        wait_until(lambda: len(sidecar.log("the journal is damaged: a request was refused")) == 6, "each is told of")
        self.assertState("COMMITTED", client.saga(begun[1]))
        self.assertNotIn(client.Begin(name="x", request_id="r-2").saga_id, begun)

    @needs_files
    def test_journal_of_a_newer_sagad(self):
        sidecar = self.sidecar_with()
        sidecar.client.Begin(name="x")
        sidecar.stop()
        db = sqlite3.connect(self.journal(sidecar))
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version = %d" % (version + 1000))
        db.commit()
        db.close()
        code, text = sidecar.refuse()
        self.assertEqual(1, code)
        self.assertIn("newer", text)

    FULL = dict(journal_bytes_max="16MiB", commit_bytes_max="1MiB", payload_bytes_max="1MiB", message_bytes_max="2MiB",
                shutdown_grace="200ms")

    def fill(self, client):
        """Begins sagas until the journal is full: (ids of those acknowledged, the last Failure, the call that is neither).

        The one that finds the journal full has been taken in and waits for room.
        """
        futures = []
        call = client.channel.unary_unary("/saga.v1.Coordinator/Begin",
                                          response_deserializer=message("saga.v1.BeginResponse").FromString)
        for i in range(100):
            future = call.future(message("saga.v1.BeginRequest")(
                name="x", request_id="fill-%d" % i, enlist=[enlistment("a", request=os.urandom(1 << 19))]).SerializeToString(),
                timeout=2 * PATIENCE_S)
            try:
                future.result(2)
            except grpc.FutureTimeoutError:
                pass
            except grpc.RpcError as error:
                waiting = [f for f in futures if not f.done()]
                self.assertLessEqual(len(waiting), 1, "only one is between the two")
                return [f.result().saga_id for f in futures if f.done()], failure_of(error), waiting[0] if waiting else None
            futures.append(future)
        self.fail("16 MiB are never full")

    def test_journal_bytes_max(self):
        """Full: new sagas are refused, those in flight wait; with room they go on, and nothing is lost."""
        sidecar = self.sidecar_with(http_listen="127.0.0.1:0", **self.FULL)
        client = sidecar.client

        def over_http(path):
            port = sidecar.log("listening for probes and scrapes")[0]["port"]
            try:
                with urllib.request.urlopen("http://127.0.0.1:%s%s" % (port, path), timeout=PATIENCE_S) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        self.assertEqual((200, "ok"), (over_http("/readyz")[0], over_http("/readyz")[1].strip()))
        self.assertIn("\nsagad_journal_full 0\n", over_http("/metrics")[1])
        client.register(definition("one", step("a"), step("b", after=["a"])))
        gate = Gate()
        self.shop.on(do("a"), gate)
        waiting = client.Start(definition="one").saga_id
        gate.await_call()
        accepted, failure, _ = self.fill(client)
        self.assertEqual(("RESOURCE_EXHAUSTED", "JOURNAL_FULL"), (failure.code, failure.reason))
        self.assertGreater(failure.retry_delay_ms, 0)
        self.assertGreater(len(accepted), 4)
        wait_until(lambda: sidecar.log("the journal is nearly full: new sagas are refused, those that have begun go on"), "it is logged")
        self.assertEqual(503, over_http("/readyz")[0])
        self.assertIn("its journal is nearly full", over_http("/readyz")[1])
        self.assertEqual(200, over_http("/livez")[0])
        self.assertIn("\nsagad_journal_full 1\n", over_http("/metrics")[1])
        # What ends sagas has a reserve of its own, and who looks is answered.
        self.assertState("RUNNING", client.saga(accepted[0]))
        self.assertIn(accepted[0], [s.id for s in client.List().sagas])
        client.KeepAlive(saga_id=accepted[0])
        self.refused("RESOURCE_EXHAUSTED", "JOURNAL_FULL", client.Enlist, saga_id=accepted[0], enlist=[enlistment("b")])
        client.Commit(saga_id=accepted[0], settle=[settled("a")])
        self.assertState("COMMITTED", client.end(accepted[0]))
        self.assertState("COMMITTED", client.Wait(saga_id=accepted[0]).saga)
        self.assertEqual("ENDED", event_names([e for m in client.Watch(saga_id=accepted.pop(0)) for e in m.events])[-1])
        client.Abort(saga_id=accepted[0], reason="no room")
        self.assertState("COMPENSATED", client.end(accepted.pop(0)))
        client.Cancel(saga_id=accepted[0])
        self.assertState("COMPENSATING", client.saga(accepted.pop(0)))  # its owner has its lease to notice
        client.operator.Pause(saga_id=waiting, actor="me")
        client.operator.Resume(saga_id=waiting, actor="me")
        self.assertEqual(2, client.health.Check(service="saga.v1.Coordinator").status)
        self.refused("RESOURCE_EXHAUSTED", "JOURNAL_FULL", client.Start, definition="one")
        self.refused("RESOURCE_EXHAUSTED", "JOURNAL_FULL", client.register, definition("two", step("a")))
        gate.open()
        # Kill it in this state too: what was acknowledged is there.
        sidecar.kill()
        sidecar.options["journal_bytes_max"] = "64MiB"
        self.shop.on(do("a"), lambda call: b"")
        client = sidecar.start().client
        self.assertState("COMMITTED", client.end(waiting))
        self.assertEqual(1, client.health.Check(service="saga.v1.Coordinator").status)
        for saga_id in accepted:
            self.assertState("RUNNING", client.saga(saga_id))
            client.Commit(saga_id=saga_id, settle=[settled("a")])
        client.Begin(name="x")

    def test_files_stay_within_journal_bytes_max(self):
        """Database, write-ahead log and reserve together: while sagas come, are refused, end, and are forgotten."""
        bound, largest, stop = 16 << 20, [0], threading.Event()
        sidecar = self.sidecar_with(retention="2s", journal_bytes_max="16MiB")
        client = sidecar.client
        data = sidecar.options["data_dir"]

        def measure():
            while not stop.is_set():
                sizes = []
                for name in os.listdir(data):
                    try:
                        sizes.append(os.lstat(os.path.join(data, name)).st_size)
                    except FileNotFoundError:
                        pass
                largest[0] = max(largest[0], sum(sizes))
                stop.wait(0.002)
        def takes_work():
            try:
                return client.Start(definition="one").saga_id
            except grpc.RpcError as error:
                self.assertEqual("JOURNAL_FULL", failure_of(error).reason)
        watcher = threading.Thread(target=measure, daemon=True)
        watcher.start()
        client.register(definition("one", step("a"), step("b", after=["a"])))
        refused, live, began = 0, [], time.monotonic()
        while refused < 20 and (refused == 0 or time.monotonic() - began < 12):
            try:
                client.Start(definition="one", input=os.urandom(random.choice((100, 50000, 400000))))
                live.append(client.Begin(name="x", enlist=[enlistment("a", request=os.urandom(50000))]).saga_id)
            except grpc.RpcError as error:
                self.assertEqual("JOURNAL_FULL", failure_of(error).reason)
                refused += 1
                # Whatever is full, what has begun can end.
                for saga_id in live:
                    client.Commit(saga_id=saga_id, settle=[settled("a")])
                    self.assertState("COMMITTED", client.end(saga_id))
                live.clear()
                stop.wait(0.1)  # retention looks again, and makes some room
        wait_until(takes_work, "retention makes room")
        stop.set()
        watcher.join()
        self.assertLess(largest[0], bound + (64 << 10), "the socket, the lock file and what else lies there are the rest")
        self.assertGreater(largest[0], bound - (bound >> 2), "and the room is used")

    def test_stop_while_the_journal_is_full(self):
        """Whoever waits for room is told that the sidecar stops; it ends well, and lost nothing that was acknowledged."""
        sidecar = self.sidecar_with(**self.FULL)
        accepted = [sidecar.client.Begin(name="x", enlist=[enlistment("a")]).saga_id]
        size = os.path.getsize(os.path.join(sidecar.options["data_dir"], "journal.db-wal"))
        resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (size, size))
        more, _, waiting = self.fill(sidecar.client)
        accepted += more
        self.refused("RESOURCE_EXHAUSTED", "JOURNAL_FULL", sidecar.client.Commit, saga_id=accepted[0], settle=[settled("a")])
        self.assertState("RUNNING", sidecar.client.saga(accepted[0]))
        with self.assertRaises(grpc.RpcError) as waited:
            sidecar.client.Wait(saga_id=accepted[0], timeout=0.2)
        self.assertEqual(grpc.StatusCode.DEADLINE_EXCEEDED, waited.exception.code())
        watch = sidecar.client.Watch(saga_id=accepted[0])
        self.assertEqual(["SAGA_STARTED", "STEP_ENLISTED"], event_names(next(watch).events))
        watch.cancel()
        self.assertEqual(accepted, [s.id for s in reversed(sidecar.client.List().sagas)], "and not the one that waits")
        sidecar.stop()
        failure = failure_of(waiting.exception(PATIENCE_S))
        self.assertEqual(("UNAVAILABLE", "STOPPING"), (failure.code, failure.reason))
        sidecar.options["journal_bytes_max"] = "64MiB"
        sidecar.start()
        for saga_id in accepted:
            self.assertState("RUNNING", sidecar.client.saga(saga_id))

    def test_journal_full_and_room_again(self):
        """Retention makes room by itself: what waited goes on without a restart."""
        sidecar = self.sidecar_with(retention="1s", **self.FULL)
        client = sidecar.client
        accepted, _, _ = self.fill(client)
        wait_until(lambda: sidecar.log("the journal is nearly full: new sagas are refused, those that have begun go on"), "it is logged")
        # What has ended makes room, a second later; the oldest, since frames go from the front.
        for saga_id in [accepted.pop(0) for _ in range(len(accepted) // 2)]:
            client.Commit(saga_id=saga_id, settle=[settled("a")])
        wait_until(lambda: sidecar.log("the journal takes what is decided again: sagas go on"), "it is logged")
        self.assertEqual(1, client.health.Check(service="saga.v1.Coordinator").status)
        for saga_id in accepted:
            client.Commit(saga_id=saga_id, settle=[settled("a")])
            self.assertState("COMMITTED", client.end(saga_id))

    def test_participant_comes_late(self):
        """Started before its participants: actions wait until they are there, which spends no attempts, writes nothing and is told once."""
        shop = Participant()
        address = shop.address
        shop.stop()
        sidecar = self.sidecar_with(targets={"late": address}, default_retry={"maxAttempts": 1})
        sidecar.client.register(definition("one", step("a").replace("shop,", "late,")))
        saga_id = sidecar.client.Start(definition="one").saga_id
        wait_until(lambda: "cannot be reached" in sidecar.client.saga(saga_id).steps[0].waiting_for, "it waits")
        others = [sidecar.client.Start(definition="one").saga_id for _ in range(5)]
        sidecar.await_away("late", 1.5)  # so long it would have tried again and again

        def told(saga):
            return [enum_name("EventType", e.type)[len("EVENT_TYPE_"):] for e in sidecar.client.Get(saga_id=saga).timeline]
        self.assertEqual(["SAGA_STARTED"], told(others[4]))
        self.assertEqual(["SAGA_STARTED", "ACTION_STARTED", "UNREACHED"], told(saga_id))
        lines = sidecar.logged("a target cannot be reached: its calls wait for it")
        self.assertEqual((1, "connection refused: nobody listens there"), (len(lines), lines[0]["why"]))
        shop = Participant(address)
        for other in others:
            self.assertState("COMMITTED", sidecar.client.end(other))
        self.assertState("COMMITTED", sidecar.client.end(saga_id))
        self.assertEqual(1, len(shop.of(saga_id)))
        wait_until(lambda: sidecar.log("a target can be reached again"), "it is told")
        self.assertEqual(1, len(sidecar.log("a target can be reached again")))
        shop.stop()
