#!/usr/bin/env python3
"""Counts the instructions of fixed scenarios with callgrind and compares them with tests/bench/baseline.json: a slow-down shows on a noisy machine
too. usage: count.py SCENARIOS_BINARY [--write]

The counts belong to one compiler, linker and C library: with others they are printed and not compared."""
import json
import os
import re
import subprocess
import sys
import tempfile

TOLERANCE = 0.03
GUARDS = 0.02  # what breakers, rates, budgets and bounds may add to a saga when all are on and stop nothing
BASELINE = os.path.join(os.path.dirname(__file__), "baseline.json")
SAGAS = 512  # of each scenario


def count(binary, name):
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", binary, name],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stdout).group(1))


def build_of(binary):
    """Who made the binary, as it says itself: the compiler, and the linker when it is not GNU's, which says nothing."""
    said = subprocess.run(["readelf", "-p", ".comment", binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    makers = sorted(set(re.findall(r"^ +\[.*?\] +(.*)$", said, re.M)))
    return "; ".join(makers + [os.confstr("CS_GNU_LIBC_VERSION"), os.uname().machine])


def main():
    binary = sys.argv[1]
    names = subprocess.run([binary], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    counts = {name: count(binary, name) // SAGAS for name in names}
    build = build_of(binary)
    if "--write" in sys.argv:
        with open(BASELINE, "w") as file:
            json.dump({"build": build, "instructions_a_saga": counts}, file, indent=1)
            file.write("\n")
    with open(BASELINE) as file:
        baseline = json.load(file)
    same = baseline["build"] == build
    slower = []
    for name, value in counts.items():
        before = baseline["instructions_a_saga"].get(name)
        change = (value / before - 1) if before else 0
        print(f"{name:12} {value:>9} instructions a saga, {change:+.1%} of the baseline")
        if before is None or abs(change) > TOLERANCE:
            slower.append(name)
    guards = counts["guarded"] / counts["three-steps"] - 1
    print(f"guarded      {guards:+.1%} of three-steps")
    if guards > GUARDS:
        print(f"bench-check: what guards targets costs more than {GUARDS:.0%} of a saga")
        sys.exit(1)
    if not same:
        print(f"bench-check: not compared: the baseline is of {baseline['build']}, this is {build}")
    elif slower:
        print(f"bench-check: {', '.join(slower)} differ by more than {TOLERANCE:.0%}: find out why, then make bench-baseline")
        sys.exit(1)
    else:
        print(f"bench-check: {len(counts)} scenarios within {TOLERANCE:.0%} of the baseline")


main()
