"""Signal handlers that call the hooked calls while the hooked calls run, and handlers that do not come back."""
from company import SHIM, alike, bare, call, free, held, main, preload, program, same

SIGNALS = program("signals")


def test_alarm(place):
    """SIGALRM again and again, whose handler does the job, while the program does the job"""
    alike(place, SIGNALS, "alarm", "PORT", ports=2, out="wrong: nothing\njob ok\n")


def test_profile(place):
    """SIGPROF in the same way"""
    alike(place, SIGNALS, "profile", "PORT", ports=2, out="wrong: nothing\njob ok\n")


def test_sent(place):
    """SIGUSR1 from another process, without a pause"""
    alike(place, SIGNALS, "sent", "PORT", ports=2, out="wrong: nothing\njob ok\n")


def test_same(place):
    """A handler that binds and listens on the very port which it interrupted a bind of: nothing hangs"""
    alike(place, SIGNALS, "same", "PORT", out="job ok\n")


def test_longjmps(place):
    """siglongjmp out of a handler, and so out of a hooked call: nothing stays locked, here or for others"""
    alike(place, SIGNALS, "longjmps", "PORT", ports=4, out="job ok\n" * 4 + "child ok\n")


def test_first_call(place):
    """The same during the first call of a program that is preloaded by hand, which makes the run"""
    same(bare(place, SIGNALS, "first-call", free()).out, "first call: fine\n")
    done = call(place, [SIGNALS, "first-call", held()], env=dict(preload(SHIM), LD_BIND_NOW="1"))
    same((done.status, done.out, done.err), (0, "first call: fine\n", ""), repr(done))


def test_small_stack(place):
    """A handler on an alternate stack: client's and server's calls with a kilobyte, bind and listen with eight"""
    alike(place, SIGNALS, "small-stack", "PORT", ports=4, out="handled 40, wrong 0\njob ok\n",
          env={"LD_BIND_NOW": "1"})


main(globals())
