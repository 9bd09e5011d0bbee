"""shaking.py - a bad day for tests (run.py --shake SEED): processes stand still for moments; calls, threads and lines of a log are late."""
import fcntl
import os
import random
import signal
import sys
import threading
import time

_SHAKEN = random.Random(os.environ["SAGA_TEST_SHAKE"]) if "SAGA_TEST_SHAKE" in os.environ else None


def be_late(chance=0.2):
    """Who comes here on a bad day is late at times."""
    if _SHAKEN is not None and _SHAKEN.random() < chance:
        time.sleep(0.2 * _SHAKEN.random() ** 2)


def shake_threads():
    """This process's threads on a bad day: each begins late at times, and they take turns far more often."""
    if _SHAKEN is None:
        return
    run = threading.Thread.run

    def late(thread):
        be_late()
        run(thread)
    threading.Thread.run = late
    sys.setswitchinterval(1e-4)


# ---- who stands still -------------------------------------------------------------------------------------------------------

def _state_and_parent(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[:2]


def runs(pid):
    """Whether there is such a process: one that has ended, and whose parent has not heard of it yet, holds nothing any more."""
    try:
        return _state_and_parent(pid)[0] != "Z"
    except OSError:
        return False


def _descendants():
    """The processes below this one that are not stopped already: who stopped them wants them so."""
    parents, found = {}, []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            state, parent = _state_and_parent(pid)
        except OSError:
            continue
        parents.setdefault(int(parent), []).append((pid, state))
    below = list(parents.get(os.getpid(), []))
    while below:
        pid, state = below.pop()
        below += parents.get(pid, [])
        if state not in "TtZ":
            found.append(pid)
    return found


def shake(seed, ended):
    """Lets one process after another stand still, for up to a third of a second, and then be for one: who is stopped again and again never gets
    through a wait that begins anew each time, as C core's do."""
    rng, spared = random.Random(seed), {}
    with open(__file__) as lock:
        while not ended.wait(rng.random() * 0.05):
            # Nobody else may stop what is let go here at the end.
            fcntl.flock(lock, fcntl.LOCK_SH)
            try:
                pid = rng.choice([p for p in _descendants() if spared.get(p, 0) < time.monotonic()] or [0])
                if pid:
                    os.kill(pid, signal.SIGSTOP)
                    ended.wait(0.01 + 0.3 * rng.random() ** 2)
                    os.kill(pid, signal.SIGCONT)
                    spared[pid] = time.monotonic() + 1
            except ProcessLookupError:
                pass
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)


def freeze(pid):
    """SIGSTOP; returns once it stands still, until whoever asked for it sends SIGCONT."""
    with open(__file__) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + 20
        while _state_and_parent(pid)[0] not in "TZ":
            if time.monotonic() > deadline:
                raise AssertionError("process %d does not stand still" % pid)
            time.sleep(0.001)
