#!/usr/bin/python3
"""run.py - runs the end-to-end tests: run.py [-v] [-j WORKERS] [NAME...] where a NAME is part of a test's id. Ends with one line of counts.

The classes of tests are shared out among workers, which are processes, three a core: most of them wait most of the time. A test that takes longer
than SAGA_TEST_LIMIT seconds has failed, and the next one follows; one that cannot even be broken off ends its worker, and the whole of its
class has failed.

--shake SEED makes a bad day of it (shaking.py). What fails only then hangs on luck.
"""
import argparse
import atexit
import faulthandler
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import shaking

LIMIT_S = float(os.environ.get("SAGA_TEST_LIMIT", "240"))
# How long a test that was broken off may take to clean up.
CLEAN_UP_S = 40
# Characters of a failure that are said again at the end, where one looks first.
ENOUGH = 1500


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


class TimedOut(AssertionError):
    pass


class Limit:
    """The clock of one test: what the test's own thread does is broken off, and if that does not help, the whole worker."""

    def __init__(self):
        self.what, self.broken_off = None, False
        signal.signal(signal.SIGALRM, self.ring)

    def begin(self, what):
        self.what, self.broken_off = what, False
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        # Rings without the interpreter, should that be held.
        faulthandler.dump_traceback_later(LIMIT_S + 2 * CLEAN_UP_S, exit=True)

    def ring(self, number, frame):
        if not self.broken_off:
            self.broken_off = True
            signal.setitimer(signal.ITIMER_REAL, CLEAN_UP_S)
            raise TimedOut("TIMED OUT after %g s: %s" % (LIMIT_S, self.what))
        print("TIMED OUT, and could not be broken off: %s" % self.what, flush=True)
        faulthandler.dump_traceback()
        atexit._run_exitfuncs()
        os._exit(1)

    def end(self):
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


class Timed(unittest.TextTestResult):
    """Says how long each test took, with -v."""
    limit = None

    def startTest(self, test):
        self.began = time.monotonic()
        self.limit.begin(test.id())
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.limit.begin("what comes after " + test.id())

    def addSuccess(self, test):
        if self.showAll:
            self.stream.write("%.2f s " % (time.monotonic() - self.began))
        super().addSuccess(test)


def discover(names):
    """{class: its tests}, of those that are asked for."""
    classes = {}
    for test in flatten(unittest.defaultTestLoader.discover(HERE, "test_*.py")):
        if not names or any(n in test.id() for n in names):
            classes.setdefault(unittest.util.strclass(type(test)), []).append(test)
    return classes


# ---- a worker: gets the names of classes, one a line, and answers each with a line ----------------------------------------

def work(arguments):
    # What tests print is no answer, and what they start reads no names of classes.
    asked, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    shaking.shake_threads()
    classes = discover(arguments.names)
    Timed.limit = Limit()
    for line in asked:
        began, text = time.monotonic(), io.StringIO()
        result = unittest.TextTestRunner(verbosity=2 if arguments.verbose else 1, stream=text, resultclass=Timed).run(
            unittest.TestSuite(classes[line.strip()]))
        Timed.limit.end()
        bad = ["%s: %s" % (test.id(), trace[-ENOUGH:]) for test, trace in result.failures + result.errors]
        json.dump({"tests": result.testsRun, "bad": bad, "skipped": len(result.skipped), "seconds": time.monotonic() - began,
                   "text": text.getvalue()}, answers)
        answers.write("\n")
        answers.flush()


# ---- who shares out ---------------------------------------------------------------------------------------------------------

class Counts:
    def __init__(self, verbose):
        self.lock, self.verbose = threading.Lock(), verbose
        self.tests = self.skipped = 0
        self.bad = []

    def add(self, name, tests, bad, skipped, seconds, text):
        with self.lock:
            self.tests, self.bad, self.skipped = self.tests + tests, self.bad + bad, self.skipped + skipped
            if bad or self.verbose:
                sys.stderr.write(text)
            sys.stderr.write("%6.1f s  %-36s %2d tests%s\n" % (seconds, name, tests, ", %d FAILED" % len(bad) if bad else ""))


def share(classes, workers, counts):
    """Every class once, by so many workers; returns when all have ended."""
    waiting = queue.SimpleQueue()
    for name in classes:
        waiting.put(name)

    def lane():
        worker = None
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                break
            if worker is None:
                worker = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--worker"] + sys.argv[1:], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            worker.stdin.write(name + "\n")
            worker.stdin.flush()
            answer = worker.stdout.readline()
            if answer:
                counts.add(name, **json.loads(answer))
                continue
            ended = "its worker ended with %d" % worker.wait()
            counts.add(name, len(classes[name]), ["%s: %s" % (test.id(), ended) for test in classes[name]], 0, 0, "%s: %s\n" % (name, ended))
            worker = None
        if worker is not None:
            worker.stdin.close()
            worker.wait()

    lanes = [threading.Thread(target=lane) for _ in range(min(workers, len(classes)))]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=3 * os.cpu_count())
    parser.add_argument("--shake", type=int, metavar="SEED")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments)
        return
    began, classes, counts = time.monotonic(), discover(arguments.names), Counts(arguments.verbose)
    ended = threading.Event()
    if arguments.shake is not None:
        os.environ["SAGA_TEST_SHAKE"] = str(arguments.shake)
        for k in range(os.cpu_count()):
            threading.Thread(target=shaking.shake, args=(arguments.shake + k, ended), daemon=True).start()
    share(classes, arguments.jobs, counts)
    ended.set()
    for failure in counts.bad:
        print("FAILED %s" % failure)
    print("e2e: %d tests, %d failed, %d skipped, %.1f s" % (counts.tests, len(counts.bad), counts.skipped, time.monotonic() - began))
    # Not only the failures of tests: a suite that finds none is a failure too.
    sys.exit(0 if not counts.bad and counts.tests > 0 else 1)


main()
