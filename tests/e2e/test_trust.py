"""TLS both ways: who is let in, who is called, and certificates that change while all goes on. Certificates are made by openssl."""
import os
import re
import select
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc

from harness import (CHANNEL_OPTIONS, PATIENCE_S, SAGAD, Gate, NameServer, Participant, Sidecar, Stub, definition, do, state_name, step,
                     wait_until)

SAGACTL = os.path.join(os.path.dirname(SAGAD), "sagactl")
OURS = "spiffe://example.org/ns/shop/sa/sagad"
SHOP = "spiffe://example.org/ns/shop/sa/shop"


def openssl(*arguments, cwd, data=None):
    subprocess.run(["openssl"] + list(arguments), cwd=cwd, input=data, text=True, check=True, capture_output=True, timeout=PATIENCE_S)


class Authority:
    """A directory with a certificate authority, and what it has signed."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="saga-tls-")
        self.make_root("ca")

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def make_root(self, name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".pem",
                "-days", "30", "-subj", "/CN=" + name, cwd=self.directory)

    def make(self, name, names, ca="ca", days="30", not_before=None):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".csr",
                "-subj", "/CN=" + name, cwd=self.directory)
        with open(self.path(name + ".ext"), "w") as f:
            f.write("subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n" % names)
        if not_before is None:
            openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-days", days, "-out",
                    name + ".pem", "-extfile", name + ".ext", cwd=self.directory)
        else:
            for file in ("index.txt", "index.txt.attr"):
                open(self.path(file), "w").close()
            with open(self.path("serial"), "w") as f:
                f.write("%02X" % (len(name) + 16))
            with open(self.path("ca.cnf"), "w") as f:
                f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\npolicy=p\ndefault_md=sha256\n"
                        "[p]\ncommonName=supplied\n")
            openssl("ca", "-batch", "-config", "ca.cnf", "-in", name + ".csr", "-cert", ca + ".pem", "-keyfile", ca + ".key", "-startdate",
                    not_before[0], "-enddate", not_before[1], "-out", name + ".pem", "-notext", "-extfile", name + ".ext", cwd=self.directory)
        return self

    def copy(self, source, to):
        """Certificate and key of one take the places of another's, each file at once."""
        for suffix in (".pem", ".key"):
            self.copy_file(source + suffix, to + suffix)

    def copy_file(self, source, to):
        with open(self.path(to + ".new"), "wb") as f:
            f.write(self.read(source))
        os.rename(self.path(to + ".new"), self.path(to))

    def channel(self, port, name=None, roots="ca"):
        pair = (self.read(name + ".key"), self.read(name + ".pem")) if name else (None, None)
        return grpc.secure_channel("localhost:%d" % port, grpc.ssl_channel_credentials(self.read(roots + ".pem"), *pair), options=CHANNEL_OPTIONS)


class SecureParticipant(Participant):
    """One that speaks TLS alone, and asks its callers for certificates."""

    def __init__(self, authority, name):
        self.credentials = grpc.ssl_server_credentials([(authority.read(name + ".key"), authority.read(name + ".pem"))],
                                                       authority.read("ca.pem"), True)
        super().__init__()

    def add_port(self, address):
        return self.server.add_secure_port(address, self.credentials)


class Trust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pki = Authority()
        cls.pki.make("sagad", "DNS:localhost,IP:127.0.0.1,URI:" + OURS)
        cls.pki.make("client", "URI:spiffe://example.org/ns/shop/sa/cart")
        cls.pki.make("shop", "DNS:shop.example.org,URI:" + SHOP)
        cls.pki.make_root("other")
        cls.pki.make("stranger", "URI:spiffe://example.org/ns/shop/sa/cart", ca="other")
        cls.pki.make("expired", "URI:spiffe://example.org/ns/shop/sa/cart", not_before=("20200101000000Z", "20200201000000Z"))
        cls.pki.make("early", "URI:spiffe://example.org/ns/shop/sa/cart", not_before=("20480101000000Z", "20490101000000Z"))

    def sidecar(self, files="sagad", **options):
        self.pki.copy(files, "live")
        self.pki.copy_file("ca.pem", "roots.pem")
        made = Sidecar(**dict({"listen": ["127.0.0.1:0", "tls://127.0.0.1:0"], "tls_certificate": self.pki.path("live.pem"),
                               "tls_key": self.pki.path("live.key"), "tls_roots": self.pki.path("roots.pem")}, **options))
        self.addCleanup(made.close)
        made.tls_port = made.ports["tls://127.0.0.1:0"]
        return made

    def ask(self, sidecar, name, roots="ca"):
        """What a client with this certificate hears: "SERVING", or the code of the failure."""
        channel = self.pki.channel(sidecar.tls_port, name, roots)
        try:
            stub = Stub(channel, "grpc.health.v1.Health")
            return {1: "SERVING"}.get(stub.Check(timeout=3).status)
        except grpc.RpcError as error:
            return error.code().name
        finally:
            channel.close()

    # ---- who is let in ----

    def test_only_who_our_roots_name_is_let_in(self):
        sidecar = self.sidecar()
        self.assertEqual("SERVING", self.ask(sidecar, "client"))
        for name in ("stranger", "expired", "early", None):
            self.assertEqual("UNAVAILABLE", self.ask(sidecar, name), name)
        self.assertEqual("UNAVAILABLE", self.ask(sidecar, "client", roots="other"), "the client must know us, too")
        self.assertEqual("SERVING", self.ask(sidecar, "client"))

    def test_without_roots_nobody_is_asked_who_they_are(self):
        """And a certificate that is renewed comes into force all the same."""
        sidecar = self.sidecar(tls_roots="")
        for name in (None, "client"):
            self.assertEqual("SERVING", self.ask(sidecar, name))
        self.assertEqual("UNAVAILABLE", self.ask(sidecar, None, roots="other"), "the client knows us")
        self.pki.copy("shop", "live")
        wait_until(lambda: self.ask(sidecar, None) == "UNAVAILABLE", "the new one is in force")
        self.assertIsNone(sidecar.process.poll())

    def test_a_policy_sees_that_far_targets_speak_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "policy.yaml")
            with open(path, "w") as file:
                file.write("rules:\n  - {id: tls, that: \"targets[step.target].tls\", else: it goes over the network as it is}\n")
            sidecar = self.sidecar(policy_file=path, targets={"far": "shop.example.org:50051", "near": "127.0.0.1:1",
                                                              "bare": "plaintext://shop.example.org:50051"})
            for target, good in (("far", True), ("near", False), ("bare", False)):
                source = definition(target, "name: a, target: %s, action: /a.v1.B/C, compensation: none" % target).encode()
                if good:
                    sidecar.client.coordinator.RegisterDefinition(source=source)
                else:
                    with self.assertRaises(grpc.RpcError) as refused:
                        sidecar.client.coordinator.RegisterDefinition(source=source)
                    self.assertIn("rule tls", refused.exception.details())

    def test_old_tls_and_what_is_none_are_refused(self):
        sidecar = self.sidecar()
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
            with socket.create_connection(("127.0.0.1", sidecar.tls_port), PATIENCE_S) as plain, self.assertRaises((ssl.SSLError, OSError)):
                context.wrap_socket(plain)
        for words in (b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100):
            with socket.create_connection(("127.0.0.1", sidecar.tls_port), PATIENCE_S) as plain:
                plain.sendall(words)
                try:
                    self.assertEqual(b"", plain.recv(100), words)
                except ConnectionResetError:
                    pass
        self.assertEqual("SERVING", self.ask(sidecar, "client"))

    def test_weak_ciphers_are_refused(self):
        sidecar = self.sidecar()

        def shaken(ciphers):
            context = ssl.create_default_context(cafile=self.pki.path("ca.pem"))
            context.load_cert_chain(self.pki.path("client.pem"), self.pki.path("client.key"))
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
            with socket.create_connection(("127.0.0.1", sidecar.tls_port), PATIENCE_S) as plain:
                try:
                    with context.wrap_socket(plain, server_hostname="localhost") as secure:
                        return secure.cipher()[0]
                except (ssl.SSLError, OSError):
                    return None
        self.assertEqual("ECDHE-ECDSA-AES256-GCM-SHA384", shaken("ECDHE-ECDSA-AES256-GCM-SHA384"))
        for ciphers in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-NULL-SHA", "aNULL", "eNULL", "CAMELLIA128-SHA256"):
            self.assertIsNone(shaken(ciphers), ciphers)
        self.assertEqual("SERVING", self.ask(sidecar, "client"))

    def test_several_loops_let_in_the_same(self):
        """Each of them has a server object of its own for the listener, and connections go to them in turn."""
        sidecar = self.sidecar(loops=3, handshake_timeout="500ms")
        for _ in range(2):
            for name, heard in (("client", "SERVING"), ("stranger", "UNAVAILABLE"), ("expired", "UNAVAILABLE"), ("early", "UNAVAILABLE"),
                                (None, "UNAVAILABLE")) * 2:
                self.assertEqual(heard, self.ask(sidecar, name), name)
            for _ in range(6):
                with socket.create_connection(("127.0.0.1", sidecar.tls_port), PATIENCE_S) as half:
                    half.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
                    half.settimeout(PATIENCE_S)
                    self.assertEqual(b"", half.recv(1))
            self.pki.make("sagad4", "DNS:localhost,URI:" + OURS)
            before = len(sidecar.log("new certificates are in force"))
            self.pki.copy("sagad4", "live")
            wait_until(lambda: len(sidecar.log("new certificates are in force")) > before, "they are in force")

    def test_half_a_handshake_ends_by_our_clock(self):
        sidecar = self.sidecar(handshake_timeout="500ms")
        with socket.create_connection(("127.0.0.1", sidecar.tls_port), PATIENCE_S) as half:
            half.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            half.settimeout(PATIENCE_S)
            self.assertEqual(b"", half.recv(1))

    def test_half_handshakes_have_a_bound_of_their_own(self):
        """Of 300 that have said their first word and no more, the oldest give way, and nobody waits for them."""
        sidecar = self.sidecar(handshake_timeout="60s")
        half = []
        for _ in range(300):
            s = socket.create_connection(("127.0.0.1", sidecar.tls_port), PATIENCE_S)
            s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 20)
            half.append(s)
        began = time.monotonic()
        self.assertEqual("SERVING", self.ask(sidecar, "client"))
        asked = time.monotonic() - began
        looked_at = select.poll()
        for s in half:
            looked_at.register(s, select.POLLIN)
        ended = {fd for fd, _ in looked_at.poll(0)}
        gone = [i for i, s in enumerate(half) if s.fileno() in ended]
        self.assertEqual(list(range(len(gone))), gone, "after %.1f s" % asked)
        self.assertIn(len(gone), range(45, 50), "after %.1f s" % asked)  # 256 have a place; who asks may have come twice
        for s in half:
            s.close()

    def test_the_log_says_who_acted(self):
        gate = Gate()
        shop = Participant()
        self.addCleanup(shop.stop)
        shop.on(do("a"), gate)
        sidecar = self.sidecar(targets={"shop": shop.address})
        channel = self.pki.channel(sidecar.tls_port, "client")
        self.addCleanup(channel.close)
        coordinator, operator = Stub(channel, "saga.v1.Coordinator"), Stub(channel, "saga.v1.Operator")
        coordinator.RegisterDefinition(source=definition("acted", step("a")).encode())
        saga = coordinator.Start(definition="acted").saga_id
        operator.Pause(saga_id=saga, actor="ada", reason="to see")
        act = wait_until(lambda: sidecar.log("an act on a saga"), "the act is told")[0]
        self.assertEqual(("ada", "tls", "spiffe://example.org/ns/shop/sa/cart"), (act["actor"], act["transport"], act["identity"]))
        operator.Resume(saga_id=saga, actor="ada")
        gate.open()
        self.assertEqual("COMMITTED", state_name(coordinator.Wait(saga_id=saga).saga))

    def test_when_the_certificate_expires_is_a_metric(self):
        sidecar = self.sidecar(http_listen="127.0.0.1:0")
        port = sidecar.log("listening for probes and scrapes")[0]["port"]
        with urllib.request.urlopen("http://127.0.0.1:%s/metrics" % port, timeout=PATIENCE_S) as page:
            text = page.read().decode()
        end = float(re.search(r"^sagad_certificate_expiry_timestamp_seconds (\S+)$", text, re.M).group(1))
        self.assertAlmostEqual(30, (end - time.time()) / 86400, delta=1)

    def test_sagactl_speaks_tls_by_options_or_environment(self):
        sidecar = self.sidecar()
        files = {"certificate": "client.pem", "key": "client.key", "roots": "ca.pem"}
        address = "tls://localhost:%d" % sidecar.tls_port

        def listed(options=(), **environment):
            done = subprocess.run([SAGACTL, "-a", address] + list(options) + ["list"], capture_output=True,
                                  text=True, env=dict(os.environ, **environment), timeout=PATIENCE_S)
            return done.returncode == 0

        options = [word for name, file in files.items() for word in ("--tls-" + name, self.pki.path(file))]
        environment = {"SAGAD_TLS_" + name.upper(): self.pki.path(file) for name, file in files.items()}
        self.assertTrue(listed(options))
        self.assertTrue(listed(**environment))
        self.assertFalse(listed(["-t", "2s"]))
        self.assertTrue(listed(options + ["--tls-identity", OURS]))
        self.assertFalse(listed(options + ["--tls-identity", SHOP, "-t", "2s"]))
        said = lambda *options: subprocess.run([SAGACTL, "-t", "5s", "list"] + list(options), capture_output=True, text=True, timeout=PATIENCE_S).stderr
        ours = options[:4]
        self.assertIn("its certificate is by none whom you trust, or out of date\n", said("-a", address, *ours, "--tls-roots", self.pki.path("other.pem")))
        self.assertIn("its certificate is of somebody else\n--tls-identity says", said("-a", address, *options, "--tls-identity", SHOP))
        # What is said comes first.
        self.assertFalse(listed(["--tls-roots", self.pki.path("other.pem"), "-t", "2s"], **environment))

    # ---- whom we call ----

    def outcome(self, named=None, **target):
        """How a saga ends whose participant has the certificate `shop`."""
        shop = SecureParticipant(self.pki, "shop")
        self.addCleanup(shop.stop)
        address = "tls://" + (shop.address if named is None else "dns://%s:%s" % (named, shop.address.rsplit(":", 1)[1]))
        sidecar = self.sidecar(targets={"shop": dict({"address": address}, **target)})
        sidecar.client.register(definition("called", step("a"), extra="deadline: 2s\n"))
        return state_name(sidecar.client.run("called")), len(shop.calls)

    def test_a_target_proves_who_it_is(self):
        self.assertEqual(("COMMITTED", 1), self.outcome(identity=SHOP))

    def test_a_target_may_be_any_of_a_kind(self):
        self.assertEqual(("COMMITTED", 1), self.outcome(identity="spiffe://example.org/ns/shop/*"))

    def test_a_target_may_be_known_by_its_name(self):
        self.assertEqual(("COMMITTED", 1), self.outcome(identity="shop.example.org"))

    def test_a_target_is_who_its_name_says_wherever_that_points(self):
        """The address is found by the name server; what must be in the certificate is the name."""
        names = NameServer([1])
        self.addCleanup(names.stop)
        self.assertEqual(("COMMITTED", 1), self.outcome(named=names.address + "/shop.example.org"))
        self.assertEqual(("COMPENSATED", 0), self.outcome(named=names.address + "/cart.example.org"))

    def test_nobody_else_is_called(self):
        self.assertEqual(("COMPENSATED", 0), self.outcome(identity="spiffe://example.org/ns/shop/sa/cart"))
        self.assertEqual(("COMPENSATED", 0), self.outcome(), "127.0.0.1 is not in its certificate")

    def test_why_a_target_is_not_called_is_told(self):
        for certificate, words in (("expired", "its certificate is by none of tls_roots, or out of date"),
                                   ("stranger", "its certificate is by none of tls_roots, or out of date"),
                                   ("client", "its certificate is of somebody else than its address or identity says")):
            shop = SecureParticipant(self.pki, certificate)
            self.addCleanup(shop.stop)
            sidecar = self.sidecar(targets={"shop": {"address": "tls://" + shop.address, "identity": SHOP}})
            sidecar.client.register(definition("called", step("a"), extra="deadline: 2s\n"))
            saga_id = sidecar.client.Start(definition="called").saga_id
            told = sidecar.logged("a target cannot be reached: its calls wait for it")[0]
            self.assertEqual(("shop", words), (told["target"], told["why"]))
            wait_until(lambda: sidecar.client.saga(saga_id).steps[0].last_message == words, "Get tells it, too")

    def test_who_must_be_there_is_read_again(self):
        """The address stays, and whoever is there is not the one any more: connections are made anew."""
        shop = SecureParticipant(self.pki, "shop")
        self.addCleanup(shop.stop)
        target = {"address": "tls://" + shop.address, "identity": SHOP}
        sidecar = self.sidecar(targets={"shop": target})
        sidecar.client.register(definition("called", step("a"), extra="deadline: 2s\n"))
        for identity, state in ((SHOP, "COMMITTED"), ("spiffe://example.org/ns/shop/sa/cart", "COMPENSATED"), (SHOP, "COMMITTED")):
            sidecar.options["targets"] = {"shop": dict(target, identity=identity)}
            sidecar.write_config()
            sidecar.client.operator.Reload(actor="ops")
            self.assertEqual(state, state_name(sidecar.client.run("called")), identity)
        self.assertEqual(2, len(shop.calls))

    # ---- certificates that change ----

    def test_rotation_under_load_fails_no_call(self):
        shop = SecureParticipant(self.pki, "shop")
        self.addCleanup(shop.stop)
        sidecar = self.sidecar(targets={"shop": {"address": "tls://" + shop.address, "identity": SHOP}})
        sidecar.client.register(definition("rotated", step("a")))
        self.pki.make("sagad2", "DNS:localhost,URI:" + OURS)
        done, failures = threading.Event(), []

        def load():
            channel = self.pki.channel(sidecar.tls_port, "client")
            coordinator = Stub(channel, "saga.v1.Coordinator")
            while not done.is_set():
                try:
                    saga = coordinator.Start(definition="rotated").saga_id
                    state = state_name(coordinator.Wait(saga_id=saga).saga)
                    if state != "COMMITTED":
                        failures.append(state)
                except grpc.RpcError as error:
                    failures.append(error.code().name)
            channel.close()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        callers = []

        def note_caller(call):
            callers.append(call.context.auth_context()["x509_common_name"][0].decode())
            return b""
        shop.on(do("a"), note_caller)
        for source in ("sagad2", "sagad", "sagad2"):
            before = len(sidecar.log("new certificates are in force"))
            self.pki.copy(source, "live")
            wait_until(lambda: len(sidecar.log("new certificates are in force")) > before, "they are in force")
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)
        # Targets, too, are called by what is in force, over connections of its own.
        del callers[:]
        self.assertEqual("COMMITTED", state_name(sidecar.client.run("rotated")))
        self.assertEqual(["sagad2"], callers)
        with socket.create_connection(("127.0.0.1", sidecar.tls_port)) as plain:
            context = ssl.create_default_context(cafile=self.pki.path("ca.pem"))
            context.load_cert_chain(self.pki.path("client.pem"), self.pki.path("client.key"))
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                shown = secure.getpeercert()
        self.assertIn((("commonName", "sagad2"),), shown["subject"])

    def test_half_a_rotation_changes_nothing(self):
        self.pki.make("sagad3", "DNS:localhost,URI:" + OURS)
        sidecar = self.sidecar()
        self.pki.copy_file("sagad3.pem", "live.pem")
        told = wait_until(lambda: sidecar.log("the certificates have changed and cannot be used; the ones before stay in force"), "it is told")
        self.assertIn("its key is not that of the key file", told[0]["why"])
        self.assertEqual("SERVING", self.ask(sidecar, "client"))
        self.pki.copy_file("sagad3.key", "live.key")
        wait_until(lambda: sidecar.log("new certificates are in force"), "the other half came")
        self.assertEqual("SERVING", self.ask(sidecar, "client"))
        self.assertEqual(1, len(sidecar.logged("the certificates have changed and cannot be used; the ones before stay in force")))

    def test_roots_that_are_revoked_let_nobody_in_and_end_connections(self):
        sidecar = self.sidecar(tls_connection_age="10s")
        channel = self.pki.channel(sidecar.tls_port, "client")
        self.addCleanup(channel.close)
        stub = Stub(channel, "grpc.health.v1.Health")
        self.assertEqual(1, stub.Check(timeout=3).status)
        self.pki.copy_file("other.pem", "roots.pem")
        wait_until(lambda: sidecar.log("new certificates are in force"), "they are in force")
        self.assertEqual("UNAVAILABLE", self.ask(sidecar, "client"))
        self.assertEqual("SERVING", self.ask(sidecar, "stranger"))

        def ended():
            try:
                stub.Check(timeout=3)
                return False
            except grpc.RpcError:
                return True
        wait_until(ended, "the connection that the old roots admitted ends", 20)

    # ---- what is refused at the start ----

    def refused(self, **options):
        sidecar = Sidecar(start=False, **options)
        try:
            return sidecar.refuse()
        finally:
            sidecar.close()

    def test_beyond_this_machine_nothing_is_plaintext_unsaid(self):
        code, said = self.refused(listen=["0.0.0.0:0"])
        self.assertEqual(2, code)
        self.assertIn("give tls_certificate, tls_key and tls_roots, or write plaintext:// before it", said)
        code, said = self.refused(targets={"shop": "dns:///shop.example.org:50051"})
        self.assertEqual(2, code)
        self.assertIn("write plaintext:// before it to speak unencrypted", said)
        sidecar = Sidecar(listen=["plaintext://0.0.0.0:0"], targets={"shop": "plaintext://shop.example.org:50051"})
        sidecar.close()

    def test_bad_files_are_refused_by_name(self):
        def files(certificate="sagad.pem", key="sagad.key", roots="ca.pem"):
            return {"listen": ["tls://127.0.0.1:0"], "tls_certificate": self.pki.path(certificate), "tls_key": self.pki.path(key),
                    "tls_roots": self.pki.path(roots)}
        for options, words in ((files(key="client.key"), "its key is not that of the key file"),
                               (files(certificate="expired.pem", key="expired.key"), "has expired"),
                               (files(certificate="early.pem", key="early.key"), "is not valid yet"),
                               (files(certificate="sagad.key"), "holds no certificate in PEM form"),
                               (files(key="sagad.pem"), "holds no private key in PEM form"),
                               (files(roots="nothing.pem"), "No such file")):
            code, said = self.refused(**options)
            self.assertEqual(1, code, said)
            self.assertIn(words, said)
