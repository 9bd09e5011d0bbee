"""What the system gives a sidecar, or does not: files, sizes, a standard error, a reader of its log, the rights of its directory."""
import json
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import grpc

from harness import (PATIENCE_S, SAGAD, Case, Client, Sidecar, definition, do, enlistment, fail, parse_log_line, settled, step, undo,
                     wait_until)

Code = grpc.StatusCode
QUICKLY = {"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "2ms"}


def limited(**limits):
    """A function for a child between fork and exec: files=64 is RLIMIT_NOFILE of 64."""
    names = {"files": resource.RLIMIT_NOFILE, "size": resource.RLIMIT_FSIZE, "memory": resource.RLIMIT_AS}

    def apply():
        for name, value in limits.items():
            resource.setrlimit(names[name], (value, value))
    return apply


class Limits(Case):
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

    # ---- files ----

    def test_too_few_files(self):
        """Refused by name, whatever is missing; and whoever is not refused serves."""
        for files in (20, 40, 64, 100):
            sidecar = self.sidecar_with(start=False)
            sidecar.prepare = limited(files=files)
            code, text = sidecar.refuse()
            self.assertEqual(1, code, text)
            told = parse_log_line(text.splitlines()[-1])
            self.assertEqual("cannot start", told["msg"])
            self.assertIn("it may have %d files open, and needs " % files, told["text"])
            self.assertIn("ulimit -n", told["text"])
        needed = int(told["text"].split("needs ")[1].split()[0])
        sidecar = self.sidecar_with(start=False)
        sidecar.prepare = limited(files=needed)
        sidecar.start()
        clients = [Client(sidecar.address) for _ in range(8)]
        for client in clients:
            client.ListDefinitions()
            client.close()

    def test_connections_are_turned_away(self):
        """With a word, and one only; those that are let in are served, and there is room again when some have gone."""
        sidecar = self.sidecar_with(start=False)
        sidecar.prepare = limited(files=200)
        sidecar.start()
        sidecar.client.register(definition("one", step("a")))
        held = []
        try:
            for _ in range(300):
                held.append(socket.create_connection(("127.0.0.1", sidecar.port)))
            wait_until(lambda: sidecar.log("connections are turned away: the limit of open files is reached "
                                           "(ulimit -n, LimitNOFILE= of systemd)"), "it is told")
            self.assertState("COMMITTED", sidecar.client.run("one"))
        finally:
            for h in held:
                h.close()

        def room():
            client = Client(sidecar.address)
            try:
                return client.ListDefinitions(timeout=1) is not None
            except grpc.RpcError:
                return False
            finally:
                client.close()
        wait_until(room, "there is room again")
        self.assertEqual(1, len([l for l in sidecar.log() if "turned away" in l.get("msg", "")]))

    def test_no_standard_error(self):
        """Lines of the log go nowhere then, and not into the first file that is opened."""
        with tempfile.TemporaryDirectory() as directory:
            config = os.path.join(directory, "sagad.yaml")
            path = os.path.join(directory, "s.sock")
            with open(config, "w") as f:
                json.dump({"data_dir": directory + "/data", "listen": ["unix:" + path], "log_level": "debug"}, f)
            process = subprocess.Popen(["sh", "-c", 'exec "$0" -f "$1" 2>&-', SAGAD, config])
            client = Client("unix:" + path, wait_for_ready=True)
            saga_id = client.Begin(name="x").saga_id
            client.Commit(saga_id=saga_id)
            client.close()
            for name in os.listdir(directory + "/data"):
                with open(os.path.join(directory, "data", name), "rb") as f:
                    self.assertNotIn(b"level=", f.read(), name)
            process.terminate()
            self.assertEqual(0, process.wait(PATIENCE_S))

    # ---- sizes and memory ----

    def test_a_limit_on_the_size_of_files_that_is_too_small(self):
        sidecar = self.sidecar_with(start=False)
        sidecar.prepare = limited(size=4096)
        code, text = sidecar.refuse()
        self.assertEqual(1, code)
        told = parse_log_line(text.splitlines()[-1])
        self.assertEqual("JOURNAL_FULL", told["reason"])
        self.assertIn("ulimit -f", told["text"])

    def test_a_limit_on_the_size_of_files(self):
        """It is like a full disk: new sagas are refused, the sidecar goes on, and what it acknowledged is there."""
        sidecar = self.sidecar_with(start=False, loops=1, payload_bytes_max="1MiB")
        sidecar.prepare = limited(size=4 << 20)
        client = sidecar.start().client
        accepted = []
        for i in range(60):
            try:
                accepted.append(client.Begin(name="x", enlist=[enlistment("a", request=os.urandom(1 << 17))], timeout=2).saga_id)
            except grpc.RpcError as error:
                last = error
        self.assertIn(last.code(), (Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED))
        self.assertGreater(len(accepted), 5)
        self.assertTrue(sidecar.logged("the journal is full: new sagas are refused, those in flight wait for room"))
        self.assertIsNone(sidecar.process.poll())
        sidecar.stop()
        sidecar.prepare = None
        client = sidecar.start().client
        for saga_id in accepted:
            self.assertState("RUNNING", client.saga(saga_id))
            client.Abort(saga_id=saga_id)

    # ---- the data directory ----

    def test_a_data_directory_open_to_others(self):
        sidecar = self.sidecar_with(start=False)
        os.mkdir(sidecar.options["data_dir"])
        os.chmod(sidecar.options["data_dir"], 0o777)
        sidecar.start()
        told, = sidecar.logged("others may write in the data directory, and so remove the journal")
        self.assertEqual(("warn", "0777", sidecar.options["data_dir"]), (told["level"], told["mode"], told["data_dir"]))
        os.chmod(sidecar.options["data_dir"], 0o750)
        sidecar.restart()
        self.assertEqual([], sidecar.log("others may write in the data directory, and so remove the journal"))

    # ---- what a start that fails says ----

    def test_a_start_that_fails_says_what_to_do(self):
        first = self.sidecar_with(loops=1)
        for form in ("logfmt", "json"):
            second = self.sidecar_with(start=False, listen=[first.address], log_format=form)
            code, text = second.refuse()
            self.assertEqual(1, code, text)
            told = json.loads(text) if form == "json" else parse_log_line(text)
            self.assertEqual(("error", "cannot start", "SYSTEM"), (told["level"], told["msg"], told["reason"]))
            self.assertIn("cannot listen at %s: another process listens there" % first.address, told["text"])
            self.assertIn("write another address into listen", told["text"])
        # Also of a file that is refused itself: its log may be read by a program.
        second.options.update(listen=["nonsense"])
        code, text = second.refuse()
        told = json.loads(text)
        self.assertEqual((2, "error", "cannot start", "INVALID_ARGUMENT"), (code, told["level"], told["msg"], told["reason"]))
        self.assertIn('"nonsense" names no port; write host:port', told["text"])
        del second.options["log_format"]
        code, text = second.refuse()
        self.assertEqual((2, "sagad: "), (code, text[:7]))
        first.stop()
        first.options["loops"] = 2
        code, text = first.refuse()
        self.assertEqual(1, code)
        self.assertIn("was made with loops: 1, and cannot be used with 2: write loops: 1, or begin with another data_dir", text)
        first.options["loops"] = 1
        first.start()

    def test_a_byte_order_mark(self):
        sidecar = self.sidecar_with(start=False, loops=1)
        path = sidecar.write_config()
        with open(path, "rb") as f:
            text = f.read()
        with open(path, "wb") as f:
            f.write(b"\xef\xbb\xbf" + text)
        done = subprocess.run([SAGAD, "-n", "-f", path], capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        client = sidecar.start().client
        client.RegisterDefinition(source=b"\xef\xbb\xbf" + definition("one", step("a")).encode())
        self.assertState("COMMITTED", client.run("one"))

    @unittest.skipIf("asan" in os.environ.get("SAGAD", ""), "a sanitizer takes all the address space there is")
    def test_too_little_address_space(self):
        """Refused by name; and whoever is not refused serves, and says it with an error when memory fails him after all."""
        for mib in (256, 512, 1024):
            sidecar = self.sidecar_with(start=False)
            sidecar.prepare = limited(memory=mib << 20)
            code, text = sidecar.refuse()
            self.assertEqual(1, code, text)
            told = parse_log_line(text.splitlines()[-1])
            self.assertEqual("cannot start", told["msg"])
            self.assertIn("it may have %d MiB of address space, and needs " % mib, told["text"])
        needed = int(told["text"].split("needs ")[1].split(":")[0])
        sidecar = self.sidecar_with(start=False)
        sidecar.prepare = limited(memory=needed << 20)
        sidecar.start()
        sidecar.client.Commit(saga_id=sidecar.client.Begin(name="x").saga_id)

    # ---- signals in the first moments ----

    def test_sigterm_at_any_moment_of_a_start(self):
        """From main on, a start that is told to stop ends well; before that there is nothing of it yet that could be lost."""
        sidecar = self.sidecar_with()
        sidecar.client.Begin(name="x")
        sidecar.stop()
        codes = set()
        for ms in range(0, 200, 8):
            sidecar.spawn()
            time.sleep(ms / 1000)  # the moment is what is tried
            sidecar.terminate()
            codes.add(sidecar.await_exit())
        self.assertLessEqual(codes, {0, -signal.SIGTERM})
        sidecar.spawn()
        wait_until(lambda: sidecar.lines, "it says something")
        sidecar.terminate()
        self.assertEqual(0, sidecar.await_exit())
        sidecar.start()

    def test_sighup_reads_the_configuration_again(self):
        """What can be taken is (test_reload.py has more), what needs a restart is named, and a file that is wrong changes nothing; sagas go on."""
        sidecar = self.sidecar_with()
        saga_id = sidecar.client.Begin(name="x").saga_id

        def hang_up(msg, count=1):
            sidecar.process.send_signal(signal.SIGHUP)
            return wait_until(lambda: len(sidecar.log(msg)) >= count and sidecar.log(msg)[-1], msg)
        good = "the configuration was read again"
        self.assertEqual("0", hang_up(good)["taken"])
        self.assertEqual([], sidecar.log("an option has changed that takes effect at the next start"))
        sidecar.options.update(log_level="debug", retention="2h", default_retry={"maxAttempts": 9},
                               targets={"shop": {"address": self.shop.address, "timeout": "9s"}}, listen=["127.0.0.1:0", "[::1]:0"])
        sidecar.write_config()
        self.assertEqual("3", hang_up(good, 2)["needs_restart"])
        self.assertEqual({"log_level: debug", "target shop changed"}, {l["what"] for l in sidecar.log(good + ": taken")})
        self.assertEqual({"retention", "default_retry", "listen"},
                         {l["option"] for l in sidecar.log("an option has changed that takes effect at the next start")})
        sidecar.client.Begin(name="y")
        wait_until(lambda: sidecar.log("saga started"), "the level is taken")
        sidecar.options["retention"] = "5"
        sidecar.write_config()
        told = hang_up("the configuration cannot be taken as it is")
        self.assertIn("retention", told["text"])
        self.assertState("RUNNING", sidecar.client.saga(saga_id))
        # Less is taken, too: what is said of the saga below comes before the definition's line, which stands for all that follows.
        del sidecar.options["retention"]
        sidecar.options["log_level"] = "info"
        sidecar.write_config()
        hang_up(good, 3)
        self.assertIn("log_level: info", [l["what"] for l in sidecar.log(good + ": taken")])
        before = len(sidecar.log("saga started"))
        sidecar.client.Begin(name="z")
        sidecar.client.register(definition("said", step("a")))
        wait_until(lambda: sidecar.log("definition registered"), "the line behind it is written")
        self.assertEqual(before, len(sidecar.log("saga started")))
        sidecar.stop()
        sidecar.options["listen"] = ["127.0.0.1:0"]
        sidecar.start()

    # ---- a log that nobody reads ----

    def test_nobody_reads_the_log(self):
        """A full pipe at standard error stops nothing: not sagas, not SIGTERM."""
        with tempfile.TemporaryDirectory() as directory:
            config, path = os.path.join(directory, "sagad.yaml"), os.path.join(directory, "s.sock")
            with open(config, "w") as f:
                json.dump({"data_dir": directory + "/data", "listen": ["unix:" + path], "log_level": "debug",
                           "targets": {"shop": self.shop.address}}, f)
            process = subprocess.Popen([SAGAD, "-f", config], stderr=subprocess.PIPE)
            client = Client("unix:" + path, wait_for_ready=True)
            client.register(definition("one", step("a"), step("b", after=["a"])))
            for _ in range(600):
                self.assertState("COMMITTED", client.run("one"))
            client.close()
            process.terminate()
            self.assertEqual(0, process.wait(PATIENCE_S))
            process.stderr.close()

    # ---- what the log says at night ----

    def test_a_dead_letter_says_what_an_operator_needs(self):
        sidecar = self.sidecar_with(default_compensation_retry=QUICKLY)
        client = sidecar.client
        self.shop.on(do("b"), fail(Code.NOT_FOUND, "no such thing"))
        self.shop.on(undo("a"), fail(Code.INVALID_ARGUMENT, "the ledger is closed"))
        client.register(definition("stuck", step("a"), step("b", after=["a"])))
        saga_id = client.Start(definition="stuck").saga_id
        client.stuck(saga_id)
        told, = wait_until(lambda: sidecar.log("saga stuck: it needs an operator"), "it is told")
        self.assertEqual(("warn", saga_id, "stuck", "a", "COMPENSATING", "shop", "COMPENSATION_FAILED", "INVALID_ARGUMENT",
                          "the ledger is closed"),
                         tuple(told[k] for k in ("level", "saga", "definition", "step", "state", "target", "reason", "status", "text")))
        self.assertGreaterEqual(int(told["attempt"]), 1)

    def test_acts_of_people_are_told_with_their_actor(self):
        sidecar = self.sidecar_with(default_compensation_retry=QUICKLY)
        client, operator = sidecar.client, sidecar.client.operator
        self.shop.on(do("b"), fail(Code.NOT_FOUND))
        self.shop.on(undo("a"), fail(Code.INVALID_ARGUMENT))
        client.register(definition("stuck", step("a"), step("b", after=["a"])))
        ids = [client.Start(definition="stuck").saga_id for _ in range(2)]
        for saga_id in ids:
            client.stuck(saga_id)
        operator.Pause(saga_id=ids[0], actor="mary", reason="looking")
        operator.Resume(saga_id=ids[0], actor="mary")
        operator.Retry(saga_id=ids[0], actor="mary")
        client.stuck(ids[0])
        operator.Skip(saga_id=ids[0], step="a", actor="mary", reason="paid by hand")
        operator.Resolve(saga_id=ids[1], actor="joe", reason="written off")
        wait_until(lambda: sidecar.log("saga resolved by an operator"), "the last is told")
        for msg, actor, text, saga_id in (("saga paused", "mary", "looking", ids[0]), ("saga resumed", "mary", None, ids[0]),
                                          ("step retried by an operator", "mary", None, ids[0]),
                                          ("step skipped by an operator", "mary", "paid by hand", ids[0]),
                                          ("saga resolved by an operator", "joe", "written off", ids[1])):
            told, = sidecar.logged(msg)
            self.assertEqual(("info", actor, text, saga_id), (told["level"], told["actor"], told.get("text"), told["saga"]))
        self.assertEqual([], sidecar.log("saga ended"), "an ordinary end is told at debug alone")
