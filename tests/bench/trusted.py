"""What trust costs: mutual TLS beside echo's own ratio, the journal's encryption and chain, rules of authorization. Each beside a run without, in
turn, so that only the ratios count."""
import os
import socket
import statistics
import subprocess
import tempfile

import rig

ISSUE = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=end -keyout end.key -out end.csr
printf 'subjectAltName=IP:127.0.0.1,DNS:localhost,URI:spiffe://bench/end\\nextendedKeyUsage=serverAuth,clientAuth\\n' > end.ext
openssl x509 -req -in end.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile end.ext -out end.pem
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class TrustedSidecar(rig.Sidecar):
    """Listens by TLS, and calls participants by TLS, when BENCH_TLS is set; else both in plaintext, over TCP likewise."""

    def __init__(self, binaries, options=""):
        self.folder = os.environ.get("BENCH_TLS")
        super().__init__(binaries, options=options)

    def start(self):
        path = f"{self.directory}/sagad.yaml"
        with open(path) as file:
            text = file.read()
        port = free_port()
        scheme = "tls://" if self.folder else ""
        text = text.replace(self.participants, f"{scheme}127.0.0.1:{port}").replace("['127.0.0.1:0']", f"['{scheme}127.0.0.1:0']")
        if self.folder:
            text += "".join(f"tls_{name}: {self.folder}/{file}\n" for name, file in
                            (("certificate", "end.pem"), ("key", "end.key"), ("roots", "ca.pem")))
        with open(path, "w") as file:
            file.write(text)
        self.participants = f"127.0.0.1:{port}"
        super().start()


def mutual_tls(bench, folder):
    """A saga is a call that is served and three that are made, so it may cost by TLS what four calls of echo do, and its own part not at all."""
    echo_ratios, saga_ratios, allowed = [], [], []
    for _ in range(bench.pairs):
        cpu = {}
        for tls in (False, True):
            os.environ.pop("BENCH_TLS", None)
            if tls:
                os.environ["BENCH_TLS"] = folder
            echo = rig.Echo(bench.binaries)
            cpu["echo", tls] = bench.load(echo, "echo", 256)["cpu_us"]
            echo.stop()
            sidecar = TrustedSidecar(bench.binaries)
            try:
                cpu["saga", tls] = bench.load(sidecar, "start", 256)["cpu_us"]
            finally:
                sidecar.kill()
                sidecar.remove()
        os.environ.pop("BENCH_TLS", None)
        echo_ratios.append(cpu["echo", True] / cpu["echo", False])
        saga_ratios.append(cpu["saga", True] / cpu["saga", False])
        allowed.append(saga_ratios[-1] / echo_ratios[-1])
    bench.row("three-step saga over mTLS, CPU beside plaintext's", "x echo's ratio", allowed, 1.0, 0.9, "lower",
              f"saga {statistics.median(saga_ratios):.2f} x, echo {statistics.median(echo_ratios):.2f} x")


def beside(bench, case, options, must, aim):
    ratios = []
    for turn in range(2 * bench.pairs):
        order = ("", options) if turn % 2 == 0 else (options, "")
        cpu = {which: bench.once("start", 256, which)["cpu_us"] for which in order}
        ratios.append(cpu[options] / cpu[""])
    bench.row(case, "x without", ratios, must, aim, "lower")


def run(bench):
    with tempfile.TemporaryDirectory(prefix="sagad-bench-") as folder:
        subprocess.run(["sh", "-ec", ISSUE], cwd=folder, check=True, capture_output=True)
        for name in ("encryption", "chain"):
            with open(os.open(f"{folder}/{name}.keys", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write("k " + "5" * 64 + "\n")
        mutual_tls(bench, folder)
        beside(bench, "three-step saga, its journal encrypted: CPU", f"encryption_key_file: {folder}/encryption.keys", 1.03, 1.02)
        beside(bench, "three-step saga, its journal chained: CPU", f"audit_key_file: {folder}/chain.keys", 1.03, 1.02)
        rules = "".join(f"  - {{who: 'spiffe://example.org/ns/{i}/*', may: service, definitions: ['order{i}*']}}\n" for i in range(50))
        beside(bench, "three-step saga, 51 rules of authorization: CPU",
               f"authorization:\n{rules}  - {{who: plaintext, may: [service], definitions: ['bench*']}}", 1.01, 1.005)
