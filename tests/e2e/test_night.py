"""A night's walk: what an operator who is woken sees in sagactl, over HTTP and in the log, and that what these propose does what they say."""
import os
import re
import resource
import shutil
import tempfile
import time
import urllib.error
import urllib.request

import grpc

from harness import (PATIENCE_S, QUICK, Case, Gate, Participant, Sidecar, definition, do, fail, failure_of, needs_files, state, step, undo, wait_until)
from test_explain import Ctl
from test_trust import Authority

Code = grpc.StatusCode
FULL = "the journal is full: new sagas are refused, those in flight wait for room"
AGAIN = "the journal takes what is decided again: sagas go on"
STUCK = definition("one", "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, " + QUICK % 1 + "}",
                   step("b", after=["a"], more=QUICK % 1))


class Night(Ctl, Case):
    @classmethod
    def setUpClass(cls):
        cls.shop = Participant()
        cls.sidecar = None  # each test has its own

    @classmethod
    def tearDownClass(cls):
        cls.shop.stop()

    def start(self, **options):
        self.sidecar = Sidecar(**{"targets": {"shop": self.shop.address}, "http_listen": "127.0.0.1:0", "loops": 1, **options})
        self.addCleanup(self.sidecar.close)
        return self.sidecar.client

    def get(self, path):
        port = self.sidecar.log("listening for probes and scrapes")[0]["port"]
        try:
            with urllib.request.urlopen("http://127.0.0.1:%s%s" % (port, path), timeout=PATIENCE_S) as page:
                return page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def metric(self, name):
        return float(re.search(r"(?m)^%s (\S+)$" % name, self.get("/metrics")).group(1))

    def limit_files(self, size):
        resource.prlimit(self.sidecar.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    @needs_files
    def test_a_disk_that_is_full(self):
        """Everything says so, nothing hangs, nothing is lost, and what waited goes on."""
        client = self.start()
        client.register(definition("one", step("a")))
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = client.Start(definition="one").saga_id
        gate.await_call()
        self.limit_files(4096)
        gate.open()
        self.sidecar.logged(FULL)
        self.assertIn("the disk is full", self.sidecar.log(FULL)[0]["why"])
        self.assertEqual("not ready: loop 0: its journal is full\n", self.get("/readyz"))
        self.assertEqual(1, self.metric("sagad_journal_full"))
        status = self.ctl("status")
        self.assertRegex(status, r"is NOT_SERVING: (.|\n)*\njournal .*: new sagas are refused, what has begun waits\n")
        self.assertRegex(self.ctl("why", saga_id), r"\n +waits for +the sidecar's journal, which takes nothing now(.|\n)*sagactl runbook SagadJournalFull\n")
        self.assertRegex(self.ctl("runbook", "SagadJournalFull"), r"\n\$ sagactl status\n(.|\n)*what has begun waits\n(.|\n)*`0B free on its volume`")
        for act in (["cancel", saga_id, "--reason", "r"], ["reload"], ["hold", "one", "--reason", "r"], ["start", "one"]):
            self.ctl(*act, code=1)  # at once, by JOURNAL_FULL, and not by a deadline
        self.limit_files(resource.RLIM_INFINITY)
        self.sidecar.logged(AGAIN)
        self.assertState("COMMITTED", client.end(saga_id))
        self.assertRegex(self.ctl("status"), r"is SERVING: (.|\n)* free on its volume\n")
        self.sidecar.restart("kill")
        self.assertState("COMMITTED", self.sidecar.client.saga(saga_id))
        self.assertEqual(1, len(self.shop.of(saga_id)))

    @needs_files
    def test_a_journal_that_was_full_has_room_by_a_shorter_retention(self):
        """As the runbook says. Its files are as large as before: what is free in them counts for nothing that fills up."""
        client = self.start(journal_bytes_max="16MiB")
        client.register(definition("one", step("a")))
        self.shop.on(do("a"), lambda call: os.urandom(100000))

        def fill():
            for _ in range(400):
                try:
                    client.run("one", input=os.urandom(100000))
                except grpc.RpcError as error:
                    return failure_of(error)
        self.assertEqual("JOURNAL_FULL", fill().reason)
        self.assertIn("its journal is nearly full", self.get("/readyz"))
        self.assertRegex(self.ctl("status"), r"\njournal .* of 16\.0MiB, .*: new sagas are refused, what has begun goes on\n")
        self.assertGreater(self.metric("sagad_journal_bytes") - self.metric("sagad_journal_reusable_bytes"), 0.8 * (16 << 20))
        self.sidecar.options["retention"] = "1s"
        client = self.sidecar.restart().client
        wait_until(lambda: client.health.Check(service="saga.v1.Coordinator").status == 1, "it serves again")
        wait_until(lambda: self.metric("sagad_journal_bytes") - self.metric("sagad_journal_reusable_bytes") < 0.5 * (16 << 20), "there is room")
        self.assertGreater(self.metric("sagad_journal_bytes"), 0.75 * (16 << 20))
        self.assertRegex(self.ctl("status"), r"\njournal .* of 16\.0MiB, \S+MiB of that free again, .* free on its volume\n")
        self.assertState("COMMITTED", client.run("one"))

    def test_a_breaker_that_is_open(self):
        """What can be done about it is said, and does what is said."""
        client = self.start(targets={"shop": {"address": self.shop.address, "breaker_failure_percent": 50, "breaker_volume": 1, "breaker_probes": 1,
                                              "breaker_open": "1h", "breaker_open_max": "1h"}})
        client.register(definition("one", step("a", more=QUICK % 9)))
        self.shop.on(do("a"), fail(Code.UNAVAILABLE, "the database is gone"))
        saga_id = client.Start(definition="one").saga_id
        wait_until(lambda: "whose breaker is open" in client.saga(saga_id).steps[0].waiting_for, "it waits for the breaker")
        said = self.ctl("why", saga_id)
        self.assertRegex(said, r"\n +until +.*, in (1h|59m)")
        self.assertRegex(said, r"\n +sagactl --address \S+ breaker reset shop --reason 'WHY'\n +Closes it for all sagas: ")
        self.shop.on(do("a"), lambda call: b"")
        self.ctl("breaker", "reset", "shop", "--reason", "their database is back")
        self.assertState("COMMITTED", client.end(saga_id))
        self.assertRegex(self.ctl("audit"), r"  SetBreaker reset shop by .*: their database is back\n")

    def test_a_target_that_cannot_be_reached(self):
        """Until when it is waited for, and what comes then; a call that never left needs no undo, and gets none."""
        gone = Participant()
        gone.stop()
        client = self.start(targets={"shop": self.shop.address, "gone": gone.address})
        client.register(definition("two", step("a"), step("b", after=["a"]).replace("target: shop", "target: gone")))
        saga_id = client.Start(definition="two").saga_id
        wait_until(lambda: "cannot be reached" in client.saga(saga_id).steps[1].waiting_for, "it waits for its target")
        said = self.ctl("why", saga_id)
        self.assertRegex(said, r"\n +until +.*, in 4m.*: then it is waited for no longer, and the step fails\n")
        self.assertIn("To be undone, where there is a compensation: a.\n", said)
        self.ctl("cancel", saga_id, "--reason", "the guest does not wait")
        self.assertState("COMPENSATED", client.end(saga_id))
        self.assertEqual(["a"], [c.step for c in self.shop.of(saga_id, "compensation")])

    def test_a_definition_that_is_held(self):
        client = self.start()
        client.register(definition("one", step("a")))
        self.assertNotIn("held", self.ctl("status"))
        self.ctl("hold", "one", "--reason", "the stock is wrong")
        self.assertRegex(self.ctl("status"), r"\ndefinition one is held for \S+, by anna\S*, the stock is wrong: sagactl release one\n")
        self.ctl("start", "one", code=3)
        self.ctl("release", "one")
        self.assertNotIn("held", self.ctl("status"))
        self.assertState("COMMITTED", client.run("one"))
        self.assertRegex(self.ctl("audit"), r"  HoldDefinition release one by .*\n.*  HoldDefinition hold one by .*: the stock is wrong\n")

    def test_heartbeats_are_no_dead_letters_of_customers(self):
        client = self.start()
        client.register(STUCK)
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.INTERNAL, "a bug"))
        for synthetic in (False, True):
            client.stuck(client.Start(definition="one", synthetic=synthetic).saga_id)
        said = self.ctl("top", "--once")
        self.assertRegex(said, r"(?m)^sagas +1 live, 0 going back, 1 stuck, ")
        self.assertRegex(said, r"(?m)^DEAD LETTERS AT .*\none, undo of a +1  INTERNAL: a bug$")

    def test_a_heartbeat_that_is_stuck(self):
        """Why is told for as long as it is so, and not only that no other begins."""
        self.shop.on(do("b"), fail(Code.FAILED_PRECONDITION, "no cover"))
        self.shop.on(undo("a"), fail(Code.INTERNAL, "a bug"))
        folder = tempfile.mkdtemp(prefix="saga-night-")
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "one.yaml"), "w") as f:
            f.write(STUCK)
        client = self.start(definitions_dir=folder, synthetics={"one": {"every": "1s"}})
        beat = lambda: client.operator.Status().loops[0].synthetics[0]
        wait_until(lambda: beat().missed > 0 and beat().last_state == state("STUCK"), "the next cannot begin")
        self.assertRegex(self.ctl("top", "--once"), r"(?m)^HEARTBEAT .*\none +1s +0 +1 +\d+ +\S+ never +STUCK\n    STUCK: COMPENSATION_FAILED at a$")

    def test_a_certificate_that_ends(self):
        pki = Authority()

        def made(name, begins_s, ends_s):
            pki.make(name, "DNS:localhost", not_before=[time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + s)) for s in (begins_s, ends_s)])
        made("week", -86400, 6 * 86400 + 3600)
        pki.copy("week", "live")
        self.start(listen=["127.0.0.1:0", "tls://127.0.0.1:0"], tls_certificate=pki.path("live.pem"), tls_key=pki.path("live.key"), tls_roots=pki.path("ca.pem"))
        self.assertEqual(7 * 86400 + 3600, self.metric("sagad_certificate_lifetime_seconds"))
        self.assertRegex(self.ctl("runbook", "SagadCertificateExpiring"), r"\n\$ sagactl status\n(.|\n)*\ncertificate expires in 6d")
        bad, new = ("the certificates have changed and cannot be used; the ones before stay in force", "new certificates are in force")
        for life_s in (5, 20, 60):  # it may be over before anybody has looked, on a bad day
            refused = len(self.sidecar.log(bad))
            made("short", -600, life_s)
            pki.copy("short", "live")
            wait_until(lambda: self.sidecar.log(new) or len(self.sidecar.log(bad)) > refused, "somebody has looked")
            if self.sidecar.log(new):
                break
        told, = self.sidecar.logged("a certificate has expired: over TLS nobody comes in, and no target is reached")
        self.assertIn("live.pem: ended ", told["which"])
        self.assertRegex(self.ctl("status"), r"\ncertificate expired \S+ ago: over TLS nobody comes in\n")
        pki.copy("week", "live")
        self.sidecar.logged(new, 2)
        self.assertRegex(self.ctl("status"), r"\ncertificate expires in 6d")
