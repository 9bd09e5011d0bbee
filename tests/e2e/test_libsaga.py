"""libsaga against the real sidecar: its examples, and its asynchronous half while the sidecar is killed again and again."""
import os
import shutil
import subprocess
import tempfile

import threading

from harness import PATIENCE_S, SAGAD, Case, Sidecar, definition, do, fail, state_name, step, wait_until

BUILT = os.path.dirname(SAGAD)


class Libsaga(Case):
    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(prefix="saga-libsaga-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        # A unix socket stays where it is when the sidecar starts again; a port that the system picked would not.
        address = "unix:%s/sock" % self.directory
        self.own = Sidecar(listen=[address], targets={"shop": self.shop.address, "bank": self.shop.address})
        self.addCleanup(self.own.close)
        self.env = dict(os.environ, SAGAD_ADDRESS=address)

    def run_example(self, name, *args):
        done = subprocess.run([os.path.join(BUILT, "examples", name), *args], cwd=self.directory, env=self.env, text=True,
                              capture_output=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout, done.stderr

    def balance(self, who):
        with open(os.path.join(self.directory, who + ".account")) as file:
            return int(file.read())

    def sagas(self):
        sagas, token = [], ""
        while True:
            page = self.own.client.List(page_size=1000, page_token=token)
            sagas += page.sagas
            token = page.next_page_token
            if not token:
                return sagas

    def test_first_saga(self):
        path = os.path.join(self.directory, "trip.yaml")
        with open(path, "w") as file:
            file.write(definition("trip", step("hotel"), step("flight", after=["hotel"])))
        code, out, err = self.run_example("first_saga", path, "two nights")
        self.assertEqual((0, ""), (code, err))
        self.assertRegex(out, r"^trip [0-9a-f-]+: COMMITTED\n$")
        self.assertEqual([b"two nights"], [c.request for c in self.shop.of(out.split()[1].rstrip(":")) if c.step == "hotel"])
        self.shop.on(do("flight"), fail("FAILED_PRECONDITION"))
        code, out, err = self.run_example("first_saga", path)
        self.assertEqual((1, ""), (code, err))
        self.assertRegex(out, r"^trip [0-9a-f-]+: COMPENSATED\n$")
        code, out, err = self.run_example("first_saga", os.path.join(self.directory, "none.yaml"))
        self.assertEqual(2, code)

    def test_no_proxy_of_the_environment_is_asked(self):
        """The sidecar is a neighbour. Nobody listens at the proxy, so that whoever asks it gets nowhere."""
        with open(os.path.join(self.directory, "trip.yaml"), "w") as file:
            file.write(definition("trip", step("hotel")))
        proxy = dict.fromkeys(("http_proxy", "https_proxy", "grpc_proxy"), "http://127.0.0.1:1")
        self.env = {k: v for k, v in self.env.items() if k != "no_proxy"} | proxy | {
            "SAGAD_ADDRESS": self.sidecar.address.replace("127.0.0.1", "localhost")}
        code, out, err = self.run_example("first_saga", "trip.yaml")
        self.assertEqual((0, ""), (code, err))
        self.assertRegex(out, r"^trip [0-9a-f-]+: COMMITTED\n$")

    def test_transfer(self):
        with open(os.path.join(self.directory, "alice.account"), "w") as file:
            file.write("100")
        code, out, err = self.run_example("transfer", "60")
        self.assertEqual((0, ""), (code, err))
        self.assertIn("committed", out)
        self.assertEqual((40, 60), (self.balance("alice"), self.balance("bob")))
        code, out, err = self.run_example("transfer", "60")
        self.assertEqual((1, "alice cannot pay\n"), (code, err))
        self.assertEqual((40, 60), (self.balance("alice"), self.balance("bob")))
        self.own.client.Wait(saga_id=out.split()[1].rstrip(":"))
        self.assertEqual([], self.shop.of(out.split()[1].rstrip(":")), "the debit was rejected, so nothing is to be undone")
        # The credit cannot be done: the debit is undone by the participant.
        os.mkdir(os.path.join(self.directory, "bob.account.d"))
        os.rename(os.path.join(self.directory, "bob.account"), os.path.join(self.directory, "kept"))
        os.rename(os.path.join(self.directory, "bob.account.d"), os.path.join(self.directory, "bob.account"))
        code, out, err = self.run_example("transfer", "10")
        saga = out.split()[1].rstrip(":")
        self.assertEqual(1, code)
        self.assertEqual("COMPENSATED", state_name(self.own.client.Wait(saga_id=saga).saga))
        self.assertEqual([("/bank.v1.Bank/Refund", b"10")], [(c.method, c.request) for c in self.shop.of(saga)])

    def storm(self, count, *how):
        process = subprocess.Popen([os.path.join(BUILT, "libsaga_storm"), str(count), *how], env=self.env, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        last, killed = "", 0
        for line in process.stdout:
            last = line
            if line.startswith("at ") and killed < 5:
                self.own.kill()
                self.own.start()
                killed += 1
        err = process.stderr.read()
        self.assertEqual(0, process.wait(PATIENCE_S), last + err)
        self.assertEqual("begun %d committed %d failed 0 not once 0\n" % (count, count), last)
        self.assertEqual(5, killed)
        states = [state_name(s) for s in self.sagas()]
        self.assertEqual(count, len(states), "each was begun once, however often it was sent")
        self.assertEqual({"COMMITTED"}, set(states))

    def test_commands_through_kills(self):
        self.storm(20000)

    def test_commands_through_kills_with_an_event_loop(self):
        self.storm(5000, "poll")

    def test_every_verdict_agrees_with_the_journal(self):
        """Through kills, with timeouts that pass while there is no sidecar: what was called certainly not carried out never was, also not
        when the sidecar has come back since."""
        verdicts, sagactl_verdicts = {}, {}
        process = subprocess.Popen([os.path.join(BUILT, "libsaga_storm"), "verdicts"], env=self.env, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def read():
            for line in process.stdout:
                request_id, verdict = line.split()
                verdicts[request_id] = verdict
        reader = threading.Thread(target=read)
        reader.start()
        self.addCleanup(reader.join)
        self.addCleanup(process.kill)

        def told(verdict):
            return sum(1 for v in list(verdicts.values()) if v == verdict)

        def sagactl():
            """The command's own verdicts, as a script reads them."""
            for i in range(10 ** 6):
                if ended.is_set():
                    return
                ran = subprocess.run([os.path.join(BUILT, "sagactl"), "-t", "1s", "-o", "json", "start", "trip", "-r", "c-%d" % i],
                                     env=self.env, capture_output=True, text=True, timeout=PATIENCE_S)
                unreachable = '"SIDECAR_UNREACHABLE"' in ran.stderr
                sagactl_verdicts["c-%d" % i] = "done" if ran.returncode == 0 else "none" if unreachable else "open"
        self.own.client.register(definition("trip", step("hotel")))
        ended = threading.Event()
        commander = threading.Thread(target=sagactl)
        commander.start()
        self.addCleanup(commander.join)
        self.addCleanup(ended.set)
        for _ in range(8):
            done = told("done")
            wait_until(lambda: told("done") > done + 20 and "done" in list(sagactl_verdicts.values()), "some are carried out")
            self.own.kill()
            none = told("none")
            wait_until(lambda: told("none") > none + 60 and "none" in list(sagactl_verdicts.values()), "some are given up while there is no sidecar")
            self.own.start()
        ended.set()
        commander.join()
        process.stdin.close()
        self.assertEqual(0, process.wait(PATIENCE_S))
        reader.join()
        verdicts.update(sagactl_verdicts)
        # The client is closed, so what it had sent has come: a later request is behind it.
        in_journal = {s.request_id for s in self.sagas()}
        self.assertEqual([], [r for r, v in verdicts.items() if v == "none" and r in in_journal], "not carried out, and yet there")
        self.assertEqual([], [r for r, v in verdicts.items() if v == "done" and r not in in_journal], "carried out, and yet not there")
