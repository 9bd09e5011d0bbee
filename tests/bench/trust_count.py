#!/usr/bin/env python3
"""What trust costs, in instructions: a sidecar under callgrind serves sagas of three steps with 51 rules of authorization, encrypted and chained, and
the share of its own instructions that goes to each is told; and how many times its instructions a saga has over mTLS, beside echo. The kernel's work is not in it, so of all CPU the shares are smaller; a busy machine
changes nothing. usage: trust_count.py BINARIES"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rig  # noqa: E402
import trusted  # noqa: E402

# Functions whose inclusive cost is the part's, and those within that are not.
# callgrind's processor has no instructions for SHA-256, so the chain's count is several times what it is on one that has, and has no bound here.
PARTS = (("authorization", 0.01, ("permit_call", "permit_request", "permit_tags", "permit_output"), ()),
         ("encryption", 0.03, ("sealed_store.c:commit",), ("sqlite_store_commit", "seal_mac")),
         ("the chain", 1.0, ("seal_mac",), ()))


def options(folder):
    for name in ("encryption", "chain"):
        with open(os.open(f"{folder}/{name}.keys", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write("k " + "5" * 64 + "\n")
    rules = "".join(f"  - {{who: 'spiffe://example.org/ns/{i}/*', may: service, definitions: ['order{i}*']}}\n" for i in range(50))
    return (f"encryption_key_file: {folder}/encryption.keys\naudit_key_file: {folder}/chain.keys\n"
            f"authorization:\n{rules}  - {{who: plaintext, may: [service], definitions: ['bench*']}}")


class Valgrind:
    """Programs of the same names that run under callgrind, which writes what it has counted to out.NAME at their end."""

    def __init__(self, binaries, folder):
        self.folder = folder
        self.binaries = f"{folder}/bin"
        os.makedirs(f"{self.binaries}/bench", exist_ok=True)
        for name in ("sagad", "bench/echo_server"):
            with open(os.open(f"{self.binaries}/{name}", os.O_WRONLY | os.O_CREAT, 0o700), "w", encoding="ascii") as file:
                file.write(f"#!/bin/sh\nexec valgrind -q --tool=callgrind --callgrind-out-file={self.out(name)} {os.path.abspath(binaries)}/{name} \"$@\"\n")

    def out(self, name):
        return f"{self.folder}/out.{os.path.basename(name)}"

    def total(self, name):
        with open(self.out(name), encoding="utf-8") as file:
            return int(re.search(r"^(?:totals|summary): (\d+)", file.read(), re.M).group(1))


def counted(valgrind, binaries, name, seconds):
    """Instructions so far, and how often it was done, when it was done for so long."""
    if name == "sagad":
        sidecar = trusted.TrustedSidecar(valgrind.binaries)
        try:
            load = rig.load(binaries, sidecar, "start", 64, seconds, sidecar.participants, warmup=0)
            sidecar.stop()
        finally:
            sidecar.remove()
    else:
        echo = rig.Echo(valgrind.binaries)
        load = rig.load(binaries, echo, "echo", 64, seconds, warmup=0)
        echo.stop()
    return valgrind.total(name), load["count"]


def mutual_tls(valgrind, binaries):
    """How many times its instructions a saga, and a call of echo, has over mTLS. Two runs of unequal length: what a start costs is in neither."""
    subprocess.run(["sh", "-ec", trusted.ISSUE], cwd=valgrind.folder, check=True, capture_output=True)
    ratios = {}
    for name in ("bench/echo_server", "sagad"):
        each = []
        for tls in (False, True):
            os.environ.pop("BENCH_TLS", None)
            if tls:
                os.environ["BENCH_TLS"] = valgrind.folder
            (short, few), (long, many) = counted(valgrind, binaries, name, 5), counted(valgrind, binaries, name, 20)
            each.append((long - short) / (many - few))
        ratios[name] = each[1] / each[0]
    os.environ.pop("BENCH_TLS", None)
    return ratios["sagad"], ratios["bench/echo_server"]


def inclusive(out):
    """{function: its instructions, with all that it calls}, and the instructions of all."""
    said = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--show-percs=no", out], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    costs, total = {}, 0
    for line in said.splitlines():
        match = re.match(r"\s*([\d,]+)\s+(?:PROGRAM TOTALS|(\S+))", line)
        if match is None:
            continue
        count = int(match.group(1).replace(",", ""))
        total = count if match.group(2) is None else total
        if match.group(2) is not None:
            key = os.path.basename(match.group(2))  # a function comes once with its path and once without
            costs[key] = max(count, costs.get(key, 0))
    return costs, total


def main():
    binaries = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="sagad-bench-") as folder:
        valgrind = Valgrind(binaries, folder)
        sidecar = rig.Sidecar(valgrind.binaries, options=options(folder))
        try:
            load = rig.load(binaries, sidecar, "start", 64, 15, sidecar.participants)
            sidecar.stop()
        finally:
            sidecar.remove()
        costs, total = inclusive(valgrind.out("sagad"))
        saga, echo = mutual_tls(valgrind, binaries)

    def cost(names):
        return sum(value for key, value in costs.items() if any(key == n or key.endswith(":" + n) for n in names))
    wrong = saga > echo
    print(f"{'over mTLS':24} {saga:6.2f} times the instructions of a saga, at most echo's {echo:.2f}")
    for name, most, within, without in PARTS:
        share = (cost(within) - cost(without)) / total
        wrong += share > most
        print(f"{name:24} {share:6.2%} of {total} instructions, at most {most:.0%}")
    print(f"trust-count: {load['count']} sagas counted, {wrong} parts over their bound")
    return 1 if wrong or load["count"] < 50 or cost(("permit_call",)) == 0 or cost(("seal_encrypt",)) == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
