"""A sidecar whose system calls fail, are slow or do less than asked (tests/shim): what was acknowledged is there, and what goes wrong is told."""
import errno
import os
import threading
import time

import grpc

from harness import (SAGAD, Case, Client, Sidecar, definition, enlistment, needs_files, settled, step, wait_until)

Code = grpc.StatusCode
SHIM = os.environ.get("SAGA_SHIM_SO", os.path.join(os.path.dirname(SAGAD), "shim.so"))


class BadDays(Case):
    def setUp(self):
        super().setUp()
        self.sidecars = []

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()

    def sidecar_with(self, *lines, start=True, **options):
        options.setdefault("targets", {"shop": self.shop.address})
        sidecar = Sidecar(start=False, **options)
        self.sidecars.append(sidecar)
        sidecar.rules = os.path.join(sidecar.directory, "bad-day")
        sidecar.environment = {"LD_PRELOAD": SHIM, "SAGA_SHIM": sidecar.rules,
                               "ASAN_OPTIONS": os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
        self.day(sidecar, *lines)
        return sidecar.start() if start else sidecar

    @staticmethod
    def day(sidecar, *lines):
        with open(sidecar.rules + ".new", "w") as f:
            f.write("\n".join(lines))
        os.rename(sidecar.rules + ".new", sidecar.rules)

    def begin_many(self, client, count=30):
        """Begins sagas until one fails; returns the ids that were acknowledged, and whether one failed."""
        ids = []
        for i in range(count):
            try:
                ids.append(client.Begin(name="x", request_id="r-%s-%d" % (os.urandom(4).hex(), i), enlist=[enlistment("a", request=os.urandom(300))], timeout=5).saga_id)
            except grpc.RpcError:
                return ids, True
        return ids, False

    def test_a_disk_that_fails_a_write_or_a_sync(self):
        """It says so and ends; a restart finds all that was acknowledged, and goes on."""
        for rule in ("fsync journal fail %d 1" % errno.EIO, "pwrite -wal fail %d 1" % errno.EIO):
            sidecar = self.sidecar_with(loops=1)
            before, _ = self.begin_many(sidecar.client)
            self.day(sidecar, rule)
            after, failed = self.begin_many(sidecar.client)
            self.assertTrue(failed, rule)
            self.assertEqual(1, sidecar.await_exit())
            told, = sidecar.log("stopped: the sidecar cannot go on")
            self.assertEqual("JOURNAL_ERROR", told["reason"])
            self.day(sidecar)
            client = sidecar.start().client
            for saga_id in before + after:
                self.assertState("RUNNING", client.saga(saga_id))

    def test_a_disk_that_is_full_and_then_is_not(self):
        sidecar = self.sidecar_with(loops=1)
        before, _ = self.begin_many(sidecar.client)
        self.day(sidecar, "pwrite -wal fail %d -1" % errno.ENOSPC)
        self.assertTrue(self.begin_many(sidecar.client)[1])
        wait_until(lambda: sidecar.log("the journal is full: new sagas are refused, those in flight wait for room"), "it is told")
        self.day(sidecar)
        wait_until(lambda: sidecar.log("the journal takes what is decided again: sagas go on"), "it goes on by itself")
        for saga_id in before:
            sidecar.client.Commit(saga_id=saga_id, settle=[settled("a")])

    @needs_files
    def test_writes_and_reads_that_do_half(self):
        """The system may: everything goes on as ever."""
        sidecar = self.sidecar_with("pwrite journal short 0 -1", "pread journal short 0 -1")
        sidecar.client.register(definition("one", step("a")))
        ids = [sidecar.client.run("one", input=os.urandom(2000)).id for _ in range(20)]
        sidecar.kill()
        client = sidecar.start().client
        for saga_id in ids:
            self.assertState("COMMITTED", client.saga(saga_id))

    def test_sockets_that_take_a_byte(self):
        sidecar = self.sidecar_with("sendmsg - short 0 3000")
        sidecar.client.register(definition("one", step("a")))
        for _ in range(5):
            self.assertState("COMMITTED", sidecar.client.run("one", input=b"x" * 200))

    def test_a_slow_disk(self):
        """Nobody is lost: owners' leases start anew after a commit that took longer than they last."""
        sidecar = self.sidecar_with(loops=1)
        client = sidecar.client
        saga_id = client.Begin(name="x", lease={"seconds": 3}, enlist=[enlistment("a")]).saga_id
        stop = threading.Event()

        def renew():
            renewing = Client(sidecar.address)
            while not stop.wait(0.2):
                try:
                    renewing.KeepAlive(saga_id=saga_id, timeout=10)
                except grpc.RpcError:
                    pass
            renewing.close()
        owner = threading.Thread(target=renew)
        owner.start()
        try:
            self.day(sidecar, "fsync journal delay 5000 1")
            client.Begin(name="y", timeout=15)
            client.Begin(name="z", timeout=15)
            self.assertState("RUNNING", client.saga(saga_id))
        finally:
            stop.set()
            owner.join()
        client.Commit(saga_id=saga_id, settle=[settled("a")])

    def test_no_connection_can_be_taken(self):
        """For a while: told once, and over by itself."""
        sidecar = self.sidecar_with()
        self.day(sidecar, "accept - fail %d 20" % errno.EMFILE)
        other = Client(sidecar.address)
        wait_until(lambda: self.answers(other), "it is over")
        other.close()
        self.assertEqual(1, len([l for l in sidecar.log() if "connections are turned away" in l.get("msg", "")]))

    @staticmethod
    def answers(client):
        try:
            return client.ListDefinitions(timeout=2) is not None
        except grpc.RpcError:
            return False

    def test_a_clock_that_was_ahead(self):
        """Time never goes back for sagas, whatever the machine's clock says after a restart: what was recorded later stays later."""
        sidecar = self.sidecar_with("clock REALTIME 7200 0 0")
        first = sidecar.client.saga(sidecar.client.Begin(name="x").saga_id).started_at.seconds
        self.assertGreater(first, time.time() + 7000)
        sidecar.stop()
        self.day(sidecar)
        client = sidecar.start().client
        self.assertGreaterEqual(client.saga(client.Begin(name="y").saga_id).started_at.seconds, first)

    def test_a_clock_that_jumps(self):
        """An hour ahead and back while it runs: no deadline and no lease has passed."""
        sidecar = self.sidecar_with()
        client = sidecar.client
        saga_id = client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        for seconds in (3600, -3600, 0):
            self.day(sidecar, "clock REALTIME %d 0 0" % seconds)
            client.KeepAlive(saga_id=saga_id)
            self.assertState("RUNNING", client.saga(saga_id))
        client.Commit(saga_id=saga_id, settle=[settled("a")])
