"""Processes end with the one above them, before they have imported anything too."""

import multiprocessing
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from intertask.execution.lifeline import end_with_parent, hold

FORK = multiprocessing.get_context("fork")


def test_an_ordinary_kernel_ends_with_the_pipe_that_holds_it():
    """It has no connection file, so it would fail with a code of its own if it came so far."""
    theirs, ours = os.pipe()
    arguments = [sys.executable, "-m", "intertask.execution.lifeline", str(theirs), "-f", "/nowhere/kernel.json"]
    kernel = subprocess.Popen(arguments, pass_fds=[theirs], start_new_session=True, stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.close(ours)
    assert kernel.wait(60) == -9


@pytest.fixture
def line():
    """A pipe of which the test has the reading end: it comes to its end when all that were forked have ended."""
    reading, writing = FORK.Pipe(duplex=False)
    with reading:
        yield reading, writing


def ended(line) -> bool:
    reading, writing = line
    writing.close()
    with suppress(EOFError):
        while reading.poll(5):
            reading.recv()
        return False
    return True


def _parent(of, line) -> None:
    """Starts a child and ends as if it were killed, once the child is held."""
    ready, held = FORK.Pipe(duplex=False)
    FORK.Process(target=of, args=(os.getpid(), held)).start()
    ready.recv()
    os._exit(0)


def _held_by_the_system(parent, ready) -> None:
    end_with_parent(parent)
    ready.send("held")
    multiprocessing.Event().wait()


def _held_by_a_pipe(parent, ready) -> None:
    os.setpgid(0, 0)
    theirs, ours = os.pipe()
    hold(theirs)
    ready.send("held")
    os.close(ours)
    multiprocessing.Event().wait()


@pytest.mark.parametrize("of", [_held_by_the_system, _held_by_a_pipe])
def test_what_is_held_ends(of, line):
    if of is _held_by_the_system and sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent has ended")
    FORK.Process(target=_parent, args=(of, line)).start()
    assert ended(line)


def test_who_comes_too_late_ends_at_once():
    late = FORK.Process(target=end_with_parent, args=(os.getppid(),))  # not its parent: that one has ended before
    late.start()
    late.join(60)
    assert late.exitcode == 1
