#!/usr/bin/python3
"""chaos.py - the crash test's world behind a bad network: every call of the sidecar to a participant goes through a proxy that delays, drops, cuts,
resets and leaves half open, while the sidecar and the participants are killed, and the system itself has bad days (tests/shim): a disk that is
slow, full, or writes half, sockets that take a byte, connections that cannot be taken. Then everything heals, and every ledger must balance.

chaos.py [--seconds N] [--seed S] [--trouble P]"""
import argparse
import errno
import os
import random
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import crash
import proxy
from harness import SAGAD

SHIM = os.environ.get("SAGA_SHIM_SO", os.path.join(os.path.dirname(SAGAD), "shim.so"))


class World(crash.World):
    """The sidecar reaches the services through proxies; the workers, who are services themselves, reach them directly."""

    def __init__(self, seed, directory, trouble):
        self.trouble = trouble
        self.days = 0
        super().__init__(seed, directory)
        self.rules = os.path.join(directory, "bad-day")
        self.day()
        # From its first restart on.
        self.sidecar.environment = {"LD_PRELOAD": SHIM, "SAGA_SHIM": self.rules}

    def day(self, *lines):
        with open(self.rules + ".new", "w") as f:
            f.write("\n".join(lines))
        os.rename(self.rules + ".new", self.rules)

    def bad_day(self):
        number = self.random.randrange
        days = ["fsync journal delay %d %d" % (number(10, 1500), number(1, 20)), "pwrite journal short 0 %d" % number(1, 500),
                "pread journal short 0 %d" % number(1, 500), "sendmsg - short 0 %d" % number(1, 2000),
                "accept - fail %d %d" % (errno.EMFILE, number(1, 20)), "pwrite -wal fail %d %d" % (errno.ENOSPC, number(1, 10))]
        self.day(*self.random.sample(days, 2))
        self.days += 1

    def target_addresses(self):
        self.proxies = proxy.Proxies(self.seed, super().target_addresses(), self.trouble)
        return {name: self.proxies.address(name) for name in self.services}

    def sidecar_options(self):
        # A connection that leads nowhere is found out by pings; as soon as the configuration allows.
        return dict(super().sidecar_options(), keepalive_time="10s", keepalive_timeout="1s", connect_timeout="300ms")

    def kill_something(self):
        # Rarer than in the crash test: a bad network needs time to do harm.
        time.sleep(self.random.uniform(0.2, 1.5))
        if self.random.random() < 0.5:
            self.bad_day()
        super().kill_something()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(1 << 32)))
    parser.add_argument("--trouble", type=float, default=0.05, help="the odds that a piece of a connection's bytes meets trouble")
    arguments = parser.parse_args()
    print("chaos: seed %s" % arguments.seed, flush=True)
    directory = tempfile.mkdtemp(prefix="saga-chaos-")
    began = time.monotonic()
    world = World(arguments.seed, directory, arguments.trouble)

    def until_time_is_over():
        if time.monotonic() - began < arguments.seconds:
            return True
        world.proxies.heal()
        world.day()
        return False

    effects, states = crash.run(world, until_time_is_over)
    for text in world.facts.wrong[:50]:
        print("WRONG: " + text)
    if world.facts.wrong:
        print("chaos: what is left: " + directory)
    else:
        shutil.rmtree(directory)
    troubles = ", ".join("%d %s" % (n, kind) for kind, n in sorted(world.proxies.count.items()))
    print("chaos: %.0f s; network: %s; %d bad days; %d kills of sagad, %d of services; %d sagas (%s), %d effects; %d wrong" % (
        time.monotonic() - began, troubles, world.days, world.sidecar_kills(), sum(world.kills[s] for s in crash.SERVICES),
        len(world.facts.endings), ", ".join("%d %s" % (n, s) for s, n in sorted(states.items())), effects,
        len(world.facts.wrong)))
    sys.exit(1 if world.facts.wrong or not world.facts.endings or not world.proxies.count else 0)


if __name__ == "__main__":
    main()
