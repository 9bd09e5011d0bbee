#!/usr/bin/python3
"""upgrade.py - a rolling upgrade between two programs: sidecars of an older one are replaced under load, and the newer ones by older ones again.

upgrade.py --old SAGAD [--rounds N] [--seed S] [--sidecars N] [--lease S]

The tables are the older one's; then the newer one migrates them, beside the running fleet. In each round all sidecars are replaced one by one, forth and
back: each is stopped in order or killed, and sometimes away for long enough that others take its journal over. What must hold is what fleet.py says.
Each program must have taken journals over that the other had: what never met proves nothing.
"""
import argparse
import collections
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from fleet import REMEMBERED, Fleet
from harness import SAGAD, migrate

SLOW_S = 0.3  # so that there are always sagas that live
ROUNDS_MAX = 20


class Upgrade(Fleet):
    def __init__(self, args):
        super().__init__(args, program=args.old, slow_s=SLOW_S)
        self.words = {args.old: "old", SAGAD: "new"}
        self.last = {name: "old" for name in self.names}  # of which program a journal's own sidecar was last
        self.passed = collections.Counter()  # from which program to which
        self.read = {}  # of each log, how many take-overs

    def start(self, name):
        self.read[name] = 0
        super().start(name)

    def note_taken(self):
        """Which program took over journals whose own sidecars were of which, from what the logs say since."""
        for name, sidecar in self.sidecars.items():
            lines = sidecar.log("a journal is taken over: its sagas go on here")
            for line in lines[self.read[name]:]:
                self.passed[self.last[line["journal"]], self.words[sidecar.program]] += 1
            self.read[name] = len(lines)

    def replace(self, name, program):
        sidecar = self.sidecars[name]
        self.last[name] = self.words[sidecar.program]
        self.note_taken()
        how = self.random.choice(["stop", "kill"])
        away_s = self.random.choice([0, self.lease_s + 3])
        if how == "kill":
            sidecar.kill()
        else:
            sidecar.terminate()
            if sidecar.await_exit() != 0 and not any(l.get("reason") == "JOURNAL_FENCED" for l in sidecar.log()):
                self.wrong.append("%s does not end well:\n%s" % (name, "\n".join(sidecar.lines[-20:])))
        time.sleep(away_s)
        self.note_taken()
        sidecar.program = program
        self.start(name)
        self.acts[how] += 1
        return "%s of %s, away for %d s, %s now" % (how, name, away_s, self.words[program])

    def met(self):
        return self.passed["old", "new"] > 0 and self.passed["new", "old"] > 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--old", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sidecars", type=int, default=3)
    parser.add_argument("--lease", type=int, default=3, help="in seconds")
    args = parser.parse_args()
    args.old = os.path.abspath(args.old)
    print("upgrade: seed %d, %d sidecars, from and to %s" % (args.seed, args.sidecars, args.old), flush=True)
    fleet = Upgrade(args)
    fleet.begin()
    migrate(fleet.primary)
    number = 0
    try:
        while not fleet.wrong and (number < args.rounds or not fleet.met()) and number < ROUNDS_MAX:
            number += 1
            for program in (SAGAD, args.old):
                for name in fleet.random.sample(fleet.names, len(fleet.names)):
                    time.sleep(1)
                    sagas = len(fleet.known)
                    said = fleet.replace(name, program) + fleet.start_who_lost()
                    print("upgrade: round %d: %s (%d sagas more)" % (number, said, len(fleet.known) - sagas), flush=True)
            if len(fleet.known) > 2 * REMEMBERED:
                fleet.settle(REMEMBERED)
        time.sleep(1)
    except BaseException:
        fleet.over.set()  # the threads are to end
        raise
    if not fleet.wrong and not fleet.met():
        fleet.wrong.append("the two have not taken over each other's journals: %r" % fleet.passed)
    status = fleet.end()
    print("upgrade: %d rounds; journals taken over: %s" % (number, ", ".join("by the %s from the %s %d" % (to, of, count) for (of, to), count in sorted(fleet.passed.items()))))
    return status


if __name__ == "__main__":
    sys.exit(main())
