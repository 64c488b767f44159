"""cpython.py RESULTS NAME... - runs tests of the standard library and writes "TEST<tab>RESULT" to the file RESULTS.

Nearly all of these tests bind port 0, which portshim leaves alone. So here each gets the next fixed number instead, in
every run, the bare one too, as long as they last (lib.sh): two copies at once then want the same numbers for
everything that they do. Not so UDP-Lite's, which portshim leaves alone: they would have them in turn."""
import faulthandler
import os
import signal
import socket
import sys
import unittest
from test import support

RESULTS, NAMES = sys.argv[1], sys.argv[2:]
numbers = iter(range(int(os.environ["FIXED_FIRST"]), int(os.environ["FIXED_LAST"])))
MAPPED = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP, 262)  # and MPTCP
real_bind = socket.socket.bind


def bind(self, address):
    if (self.family in (socket.AF_INET, socket.AF_INET6) and self.type & 0xf in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
            and self.proto in MAPPED and isinstance(address, tuple) and len(address) > 1 and address[1] == 0):
        address = (address[0], next(numbers, 0), *address[2:])
    return real_bind(self, address)


class Result(unittest.TextTestResult):
    def __init__(self, *args):
        super().__init__(*args)
        self.out = open(RESULTS, "w", encoding="utf-8")
        self.verdict = "pass"

    def startTest(self, test):
        self.verdict = "pass"
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        print(test.id(), self.verdict, sep="\t", file=self.out, flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.verdict = "skip"

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.failed(test)

    def addError(self, test, err):
        super().addError(test, err)
        self.failed(test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.verdict = "fail"

    def failed(self, test):
        self.verdict = "fail"
        # A class or module that cannot be set up has no test of its own.
        if not isinstance(test, unittest.TestCase):
            print(test.id().replace(" ", "-"), "fail", sep="\t", file=self.out, flush=True)


def main():
    faulthandler.register(signal.SIGTERM, all_threads=True, chain=True)
    socket.socket.bind = bind
    support.use_resources = ["subprocess"]
    support.verbose = 0
    loader = unittest.TestLoader()
    suite = unittest.TestSuite()
    for name in NAMES:
        try:
            suite.addTests(loader.loadTestsFromName(name))
        except unittest.SkipTest as reason:
            print(name, "is skipped:", reason)
    unittest.TextTestRunner(resultclass=Result, verbosity=2, stream=sys.stderr).run(suite)


main()
