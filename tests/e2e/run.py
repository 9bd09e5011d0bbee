#!/usr/bin/python3
"""run.py - runs the end-to-end tests: run.py [-v] [NAME...] where a NAME is part of a test's id. Ends with one line of counts.

A test that takes longer than SAGA_TEST_LIMIT seconds has failed, and the next one follows; one that cannot even be broken off ends the run.
"""
import atexit
import faulthandler
import os
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
LIMIT_S = float(os.environ.get("SAGA_TEST_LIMIT", "120"))
# How long a test that was broken off may take to clean up.
CLEAN_UP_S = 40


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


class TimedOut(AssertionError):
    pass


class Limit:
    """The clock of one test: what the test's own thread does is broken off, and if that does not help, the whole run."""

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
    limit = Limit()

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


def main():
    verbose = "-v" in sys.argv[1:]
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    tests = [t for t in flatten(unittest.defaultTestLoader.discover(HERE, "test_*.py"))
             if not names or any(n in t.id() for n in names)]
    began = time.monotonic()
    result = unittest.TextTestRunner(verbosity=2 if verbose else 1, stream=sys.stderr, resultclass=Timed).run(unittest.TestSuite(tests))
    Timed.limit.end()
    bad = len(result.failures) + len(result.errors)
    print("e2e: %d tests, %d failed, %d skipped, %.1f s" % (result.testsRun, bad, len(result.skipped),
                                                         time.monotonic() - began))
    # Not only the failures of tests: a suite that finds none is a failure too.
    sys.exit(0 if bad == 0 and result.testsRun > 0 else 1)


main()
