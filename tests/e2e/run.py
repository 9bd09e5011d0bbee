#!/usr/bin/python3
"""run.py - runs the end-to-end tests: run.py [-v] [NAME...] where a NAME is part of a test's id. Ends with one line of counts."""
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


class Timed(unittest.TextTestResult):
    """Says how long each test took, with -v."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

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
    bad = len(result.failures) + len(result.errors)
    print("e2e: %d tests, %d failed, %d skipped, %.1f s" % (result.testsRun, bad, len(result.skipped),
                                                         time.monotonic() - began))
    # Not only the failures of tests: a suite that finds none is a failure too.
    sys.exit(0 if bad == 0 and result.testsRun > 0 else 1)


main()
