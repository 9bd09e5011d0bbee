"""What is kept of who did what, and how: the audit trail, the chains, encryption at rest."""
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
import zlib

import grpc

import shapes
from harness import PATIENCE_S, SAGAD, Participant, Sidecar, definition, do, fail, state_name, step, wait_until

SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
SECRET = b"a card that nobody may see"
USER = "uid:%d" % os.getuid()


class Kept(unittest.TestCase):
    def setUp(self):
        self.count = 0
        self.folder = tempfile.mkdtemp(prefix="saga-keys-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.shop = Participant()
        self.addCleanup(self.shop.stop)

    def keys(self, name, *lines):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
            out.write("".join("%s %s\n" % (key, digit * 64) for key, digit in lines))
        return path

    def start(self, **options):
        sidecar = Sidecar(start=False, targets={"shop": self.shop.address}, **options)
        self.addCleanup(sidecar.close)
        sidecar.options["listen"] = ["127.0.0.1:0", "unix:" + os.path.join(sidecar.directory, "s")]
        sidecar.start()
        return sidecar

    def sagactl(self, sidecar, *arguments):
        return subprocess.run([SAGACTL, "--address", "unix:" + os.path.join(sidecar.directory, "s")] + list(arguments), capture_output=True,
                              text=True, timeout=PATIENCE_S)

    def run_saga(self, sidecar, name="order"):
        self.count += 1  # request_ids are what gives sagas to loops
        saga = sidecar.client.coordinator.Start(definition=name, input=SECRET, request_id="order-%d" % self.count).saga_id
        self.assertEqual("COMMITTED", state_name(sidecar.client.coordinator.Wait(saga_id=saga).saga))
        return saga

    def journal(self, sidecar, k=0):
        return os.path.join(sidecar.directory, "data", "journal.db" if k == 0 else "journal-%d.db" % k)

    def refused(self, sidecar):
        """What a start says that is refused."""
        done = subprocess.run([SAGAD, "-f", os.path.join(sidecar.directory, "sagad.yaml")], capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(1, done.returncode)
        return done.stderr

    def test_who_did_what(self):
        sidecar = self.start(loops=2)
        client = sidecar.client
        client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        sagas = [self.run_saga(sidecar) for _ in range(4)]
        self.shop.on(do("a"), fail(grpc.StatusCode.UNAVAILABLE, "not now"))
        live = [client.coordinator.Start(definition="order").saga_id for _ in range(4)]
        for saga in live:
            self.assertEqual(0, self.sagactl(sidecar, "pause", saga, "--actor", "somebody else").returncode)
        said = self.sagactl(sidecar, "audit").stdout.splitlines()
        self.assertEqual(5, len(said), said)
        for saga in live:
            line = next(line for line in said if saga in line)
            self.assertIn("Pause %s by %s, who says somebody else" % (saga, USER), line)
        self.assertIn("RegisterDefinition order 1.0.0 by plaintext", said[-1])
        self.assertEqual(2, len(self.sagactl(sidecar, "audit", "--limit", "2").stdout.splitlines()))
        # The saga's own records tell who began it and who acted.
        shown = client.coordinator.Get(saga_id=live[0])
        self.assertEqual("plaintext", shown.saga.owner)
        paused = next(event for event in shown.timeline if event.actor == "somebody else")
        self.assertEqual(USER, paused.identity)
        self.assertEqual("plaintext", client.coordinator.Get(saga_id=sagas[0]).saga.owner)
        # A repeated act changes nothing, and what was refused did not happen.
        self.sagactl(sidecar, "pause", live[0], "--actor", "once more")
        self.sagactl(sidecar, "resume", sagas[0], "--actor", "it has ended")
        sidecar.restart()
        self.assertEqual(said, self.sagactl(sidecar, "audit").stdout.splitlines())

    def test_the_trail_is_listed_newest_first_and_from_before_a_time(self):
        sidecar = self.start()
        client = sidecar.client
        client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        self.shop.on(do("a"), fail(grpc.StatusCode.UNAVAILABLE, "not now"))
        saga = client.coordinator.Start(definition="order").saga_id
        client.operator.Pause(saga_id=saga, actor="anna")
        client.operator.Resume(saga_id=saga, actor="anna")
        client.coordinator.Cancel(saga_id=saga, actor="bert")  # what a service does is told where it is an operator's act, too
        entries = client.operator.ListAudit().entries
        self.assertEqual(["Cancel", "Resume", "Pause", "RegisterDefinition"], [e.method for e in entries])
        self.assertEqual(["bert", "anna", "anna"], [e.actor for e in entries[:3]])
        times = [(e.time.seconds, e.time.nanos) for e in entries]
        self.assertEqual(sorted(times, reverse=True), times)
        for at in range(4):
            earlier = client.operator.ListAudit(before=entries[at].time).entries
            self.assertEqual([e.method for e in entries[at + 1:]], [e.method for e in earlier])

    def test_the_trail_has_a_retention_of_its_own(self):
        sidecar = self.start(retention="1s", audit_retention="1h")
        sidecar.client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        saga = self.run_saga(sidecar)
        wait_until(lambda: self.sagactl(sidecar, "get", saga).returncode == 4, "the saga is gone")
        self.assertIn("RegisterDefinition", self.sagactl(sidecar, "audit").stdout)
        sidecar.stop()
        sidecar.options.update(audit_retention="1s")
        sidecar.start()
        wait_until(lambda: "nobody has done anything" in self.sagactl(sidecar, "audit").stdout, "the trail is empty")

    def test_changes_are_found(self):
        sidecar = self.start(loops=2, audit_key_file=self.keys("audit", ("k", "5")))
        sidecar.client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        for _ in range(12):
            self.run_saga(sidecar)
        whole = self.sagactl(sidecar, "verify")
        self.assertEqual((0, 2), (whole.returncode, whole.stdout.count("whole")), whole.stdout + whole.stderr)
        heads = [line.split()[1] for line in whole.stdout.splitlines() if line.startswith("        head")]
        self.assertEqual(2, len(heads))
        self.run_saga(sidecar)
        self.assertEqual(0, self.sagactl(sidecar, "verify", *heads).returncode)
        self.assertIn("is another than the head", self.sagactl(sidecar, "verify", heads[0][:-1] + ("1" if heads[0][-1] == "0" else "0")).stdout)
        self.assertEqual(1, self.sagactl(sidecar, "verify", "nonsense").returncode)
        sidecar.stop()
        self.assertEqual(2, len({line["loop"] for line in sidecar.log("where the journal's chains stand")}))
        with sqlite3.connect(self.journal(sidecar, 1)) as db:
            seq, body = db.execute("SELECT seq, body FROM frames ORDER BY seq LIMIT 1 OFFSET 2").fetchone()
            changed = bytearray(body)
            changed[-1] ^= 1
            changed[4:8] = zlib.crc32(bytes(changed[8:])).to_bytes(4, "little")
            db.execute("UPDATE frames SET body = ? WHERE seq = ?", (bytes(changed), seq))
        db.close()
        check = subprocess.run([SAGAD, "-f", os.path.join(sidecar.directory, "sagad.yaml"), "--check-journal"], capture_output=True, text=True,
                               timeout=PATIENCE_S)
        self.assertEqual(1, check.returncode)
        self.assertIn("frame %d is not what was written there" % seq, check.stdout)
        sidecar.options.update(audit_verify_at_start=True)
        sidecar.write_config()
        self.assertIn("frame %d is not what was written there" % seq, self.refused(sidecar))

    def test_the_log_tells_where_the_trail_stands_though_no_saga_moves(self):
        sidecar = self.start(audit_key_file=self.keys("audit", ("k", "5")))
        sidecar.client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        self.run_saga(sidecar)
        sidecar.stop()
        sidecar.start()
        told = wait_until(lambda: sidecar.log("where the journal's chains stand"), "a start tells where the chains stand")[0]
        self.assertEqual(0, self.sagactl(sidecar, "hold", "order", "--actor", "ann", "-m", "why").returncode)
        sidecar.stop()
        last = sidecar.log("where the journal's chains stand")[-1]
        self.assertEqual(told["head"], last["head"])
        self.assertEqual(["1", "2"], [line["audit_head"].partition(":")[0] for line in (told, last)])

    def test_payloads_are_encrypted_and_keys_change(self):
        sidecar = self.start(encryption_key_file=self.keys("first", ("2026-01", "a")))
        sidecar.client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        before = self.run_saga(sidecar)
        sidecar.stop()

        def holds_secret():
            with open(self.journal(sidecar), "rb") as file:
                return SECRET in file.read()
        self.assertFalse(holds_secret())
        # Without the key, or with another, it does not start, and says which it needs.
        for file, words in ((None, "is not among those given: 2026-01"), (self.keys("wrong", ("2026-01", "b")), "is not the one"),
                            (self.keys("other", ("2026-02", "a")), "is not among those given: 2026-01")):
            sidecar.options.update(encryption_key_file=file or "")
            sidecar.write_config()
            self.assertIn(words, self.refused(sidecar))
        # Another key is taken into use; with the next commit the journal needs the old one no more.
        sidecar.options.update(encryption_key_file=self.keys("both", ("2026-02", "b"), ("2026-01", "a")))
        sidecar.start()
        self.assertEqual(SECRET, sidecar.client.coordinator.Get(saga_id=before, include_payloads=True).saga.input)
        self.run_saga(sidecar)
        sidecar.stop()
        command = os.path.join(self.folder, "say-keys")
        with open(os.open(command, os.O_WRONLY | os.O_CREAT, 0o700), "w", encoding="ascii") as out:
            out.write("#!/bin/sh\necho $1 %s\n" % ("b" * 64))
        sidecar.options.update(encryption_key_file="", encryption_key_command=command + " 2026-02")
        sidecar.start()
        self.assertEqual(SECRET, sidecar.client.coordinator.Get(saga_id=before, include_payloads=True).saga.input)
        sidecar.stop()
        self.assertFalse(holds_secret())

    def test_a_sidecar_that_has_nothing_to_do_takes_another_key_into_use(self):
        """Nothing is asked of it after the start, and the line tells when the old key can be taken out."""
        sidecar = self.start(loops=2, encryption_key_file=self.keys("first", ("old", "a")))
        sidecar.client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        sagas = [sidecar.client.coordinator.Start(definition="order", input=SECRET, request_id="r-%d" % i).saga_id for i in range(16)]
        for saga in sagas:
            sidecar.client.coordinator.Wait(saga_id=saga)
        sidecar.stop()
        sidecar.options.update(encryption_key_file=self.keys("both", ("new", "b"), ("old", "a")))
        sidecar.start()
        line = "the journal needs the key of encryption in use alone: those behind it can be taken out"
        wait_until(lambda: len({told["loop"] for told in sidecar.log(line)}) == 2, "both loops need the new key alone")
        sidecar.kill()
        sidecar.options.update(encryption_key_file=self.keys("second", ("new", "b")))
        sidecar.start()
        for saga in sagas:
            self.assertEqual(SECRET, sidecar.client.coordinator.Get(saga_id=saga, include_payloads=True).saga.input)

    def test_what_a_directory_registers_is_in_the_trail(self):
        """At the start, and once."""
        directory, schemas = os.path.join(self.folder, "definitions"), os.path.join(self.folder, "schemas")
        os.mkdir(directory)
        os.mkdir(schemas)
        with open(os.path.join(schemas, "typed.binpb"), "wb") as file:
            file.write(shapes.SHOP.SerializeToString())
        with open(os.path.join(directory, "order.yaml"), "w", encoding="ascii") as file:
            file.write(definition("order", step("a")))
        sidecar = self.start(loops=2, definitions_dir=directory, schemas_dir=schemas)
        said = self.sagactl(sidecar, "audit").stdout.splitlines()
        self.assertEqual(2, len(said), said)
        self.assertIn("RegisterDefinition order 1.0.0 by the sidecar itself: a file of definitions_dir", said[0])
        self.assertIn("RegisterSchema typed ", said[1])
        self.assertIn(" by the sidecar itself: a file of schemas_dir", said[1])
        sidecar.restart()
        self.assertEqual(said, self.sagactl(sidecar, "audit").stdout.splitlines())

    def test_a_kill_loses_nothing_of_it(self):
        sidecar = self.start(encryption_key_file=self.keys("e", ("k", "c")), audit_key_file=self.keys("a", ("k", "d")), audit_verify_at_start=True)
        sidecar.client.coordinator.RegisterDefinition(source=definition("order", step("a")).encode())
        sagas = []
        for _ in range(4):
            sagas += [self.run_saga(sidecar) for _ in range(3)]
            sidecar.kill()
            sidecar.start()
        for saga in sagas:
            self.assertEqual(SECRET, sidecar.client.coordinator.Get(saga_id=saga, include_payloads=True).saga.input)
        self.assertEqual(0, self.sagactl(sidecar, "verify").returncode)

    def test_keys_that_others_can_read_are_refused(self):
        path = self.keys("open", ("k", "a"))
        os.chmod(path, 0o644)
        sidecar = Sidecar(start=False, encryption_key_file=path)
        self.addCleanup(sidecar.close)
        sidecar.write_config()
        self.assertIn("everybody on the machine can read the file of keys", self.refused(sidecar))


if __name__ == "__main__":
    unittest.main()
