"""Mutual TLS with the libraries that others use: openssl, gRPC in Go, Java and Python, each as a client of the sidecar and as a participant that it
calls, with certificates that are right, by another authority, out of date, not yet valid, and none. Not a part of scripts/test: it needs Go and
Java, and their packages from their registries.

    clients.py FOLDER      where `make tls-clients` has built them; ends with one line of counts
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import grpc  # noqa: E402

from harness import PATIENCE_S, Sidecar, Stub, definition, state_name, step  # noqa: E402
from test_trust import OURS, SHOP, Authority, SecureParticipant  # noqa: E402

FOLDER = sys.argv[1]
COMMANDS = {"go": [os.path.join(FOLDER, "peer")], "java": ["java", "-cp", FOLDER + ":" + os.path.join(FOLDER, "*"), "Peer"]}
counts = {"asked": 0, "called": 0}


def files_of(pki, name, roots="ca"):
    return [pki.path(roots + ".pem")] + ([pki.path(name + ".pem"), pki.path(name + ".key")] if name else [])


def ask(kind, pki, port, name, roots="ca"):
    """Whether the sidecar serves whoever has this certificate."""
    counts["asked"] += 1
    if kind == "openssl":
        words = ["openssl", "s_client", "-quiet", "-connect", "localhost:%d" % port, "-servername", "localhost", "-verify_return_error", "-alpn", "h2",
                 "-CAfile", pki.path(roots + ".pem")] + (["-cert", pki.path(name + ".pem"), "-key", pki.path(name + ".key")] if name else [])
        # An HTTP/2 preface with settings; whoever is let in is answered with the server's settings, and nobody else is.
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        process.stdin.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        process.stdin.flush()
        said, settled = b"", False
        while not settled:
            more = os.read(process.stdout.fileno(), 65536)
            said += more
            settled = b"\0\0\0\0\4\1\0\0\0\0" in said or b"\0\0\0\4\1\0\0\0\0" in said  # our settings are acknowledged
            if not more:
                break
        process.kill()
        process.wait()
        return settled
    if kind == "python":
        channel = pki.channel(port, name, roots)
        try:
            return Stub(channel, "grpc.health.v1.Health").Check(timeout=5).status == 1
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            return False
        finally:
            channel.close()
    done = subprocess.run(COMMANDS[kind] + ["ask", "localhost:%d" % port] + files_of(pki, name, roots), capture_output=True, text=True,
                          timeout=PATIENCE_S)
    said = done.stdout.strip()
    assert said.upper() in ("SERVING", "UNAVAILABLE"), (kind, name, said, done.stderr[-500:])
    return said == "SERVING"


class Peer:
    """A participant of another kind."""

    def __init__(self, kind, pki, name):
        self.process = subprocess.Popen(COMMANDS[kind] + ["serve"] + files_of(pki, name), stdout=subprocess.PIPE, text=True)
        self.address = "127.0.0.1:%d" % int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


def outcome(kind, pki, name, sidecar_name, **target):
    """How a saga ends whose only step is this participant's."""
    counts["called"] += 1
    shop = SecureParticipant(pki, name) if kind == "python" else Peer(kind, pki, name)
    sidecar = Sidecar(targets={"shop": dict({"address": "tls://" + shop.address}, **target)}, tls_certificate=pki.path(sidecar_name + ".pem"),
                      tls_key=pki.path(sidecar_name + ".key"), tls_roots=pki.path("ca.pem"))
    try:
        sidecar.client.register(definition("called", step("a"), extra="deadline: 3s\n"))
        return state_name(sidecar.client.run("called"))
    finally:
        sidecar.close()
        shop.stop()


def main():
    pki = Authority()
    cart = "URI:spiffe://example.org/ns/shop/sa/cart,DNS:localhost,IP:127.0.0.1"
    pki.make_root("other")
    pki.make("sagad", "DNS:localhost,IP:127.0.0.1,URI:" + OURS)
    pki.make("client", cart)
    pki.make("shop", "DNS:shop.example.org,URI:" + SHOP)
    pki.make("stranger", cart, ca="other")
    pki.make("expired", cart, not_before=("20200101000000Z", "20200201000000Z"))
    pki.make("early", cart, not_before=("20480101000000Z", "20490101000000Z"))
    wrong = []

    def expect(expected, got, *what):
        if expected != got:
            wrong.append("%s: %s, not %s" % (" ".join(str(w) for w in what), got, expected))

    for loops in (1, 3):
        sidecar = Sidecar(listen=["127.0.0.1:0", "tls://127.0.0.1:0"], loops=loops, tls_certificate=pki.path("sagad.pem"),
                          tls_key=pki.path("sagad.key"), tls_roots=pki.path("ca.pem"))
        try:
            port = sidecar.ports["tls://127.0.0.1:0"]
            for kind in ("openssl", "python", "go", "java"):
                for name, roots, served in (("client", "ca", True), ("stranger", "ca", False), ("expired", "ca", False), ("early", "ca", False),
                                            (None, "ca", False), ("client", "other", False), ("client", "ca", True)):
                    expect(served, ask(kind, pki, port, name, roots), kind, name, "knows", roots, "loops", loops)
        finally:
            sidecar.close()
    for kind in ("python", "go", "java"):
        for name, sidecar_name, target, end in (("shop", "sagad", {"identity": SHOP}, "COMMITTED"),
                                                ("shop", "sagad", {"identity": OURS}, "COMPENSATED"),  # another SPIFFE id
                                                ("shop", "sagad", {}, "COMPENSATED"),                   # 127.0.0.1 is no SAN of it
                                                ("stranger", "sagad", {}, "COMPENSATED"),
                                                ("client", "sagad", {}, "COMMITTED")):
            expect(end, outcome(kind, pki, name, sidecar_name, **target), kind, "as", name, "called as", target)
    for line in wrong:
        print(line)
    print("tls-clients: %d handshakes asked for and %d sagas called over TLS by openssl, Python, Go and Java, %d not as they should"
          % (counts["asked"], counts["called"], len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
