"""Claims on a folder that machines share: one holder at a time, taken over from the dead alone, and fenced."""

import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from greenlet import GreenletExit, getcurrent, greenlet

from intertask.errors import IntertaskError
from intertask.execution import shared
from intertask.files import write_sealed
from intertask.studies import claims, store
from intertask.studies.claims import Attempt, Observer, attempt_of, claim, latest

FORK = multiprocessing.get_context("fork")


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self, start: float):
        self.now = start

    def __call__(self) -> float:
        return self.now


def machine(name: str, start: float = 0.0, dead: set[int] = frozenset()) -> Observer:
    return Observer(name, Clock(start), lambda pid: pid not in dead)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "x-1"


def test_one_takes_and_the_number_rises(path):
    here, there = machine("a"), machine("b", start=1e6)
    first = here.take(path)
    assert first.number == 1 and first.name == "x-1.1" and attempt_of("x-1.1") == ("x-1", 1)
    assert there.take(path) is None and not there.free(path) and there.holder(path) == first
    assert first.end("failed") and not first.end("failed")
    assert there.free(path) and there.holder(path) is None
    assert there.take(path).number == 2 and here.take(path) is None


def test_a_dead_process_is_known_on_its_own_machine_at_once(path):
    here, there = machine("a", dead={os.getpid()}), machine("b")
    here.take(path)
    assert there.holder(path) and there.take(path) is None
    assert here.holder(path) is None and not latest(path).ended  # who only looks changes nothing
    assert here.take(path).number == 2
    assert latest(path).number == 2 and "its process had ended" in Attempt(path, 1).ended


def test_silence_counts_by_the_readers_clock_from_the_readers_first_look(path):
    here, there = machine("a"), machine("b", start=5000.0)
    held = here.take(path)
    there.clock.now += 10 * claims.LEASE  # it has not looked yet
    assert there.take(path) is None
    there.clock.now += claims.LEASE / 2
    held.beat()
    assert there.take(path) is None
    there.clock.now += claims.LEASE
    assert there.take(path) is None
    there.clock.now += 1
    taken = there.take(path)
    assert taken.number == 2 and "no sign of life for 120 s" in held.ended
    assert not held.end(claims.PUBLISHED), "who was taken for dead may not publish"


def test_the_holders_own_lease_counts(path):
    here, there = machine("a"), machine("b")
    held = here.take(path)
    held.file.write_text(json.dumps(json.loads(held.file.read_text()) | {"lease": 1000}))
    assert not there.free(path)
    there.clock.now += 999
    assert not there.free(path)
    there.clock.now += 2
    assert there.free(path)


@pytest.mark.parametrize("given", ["", "soon", "0", "nan", "inf"])
def test_a_lease_that_is_none_is_refused(given, monkeypatch, refused):
    monkeypatch.setenv("INTERTASK_LEASE", given)
    refused(claims._lease, "INTERTASK_LEASE: expected seconds, more than 0", given)


def test_an_attempt_whose_file_is_not_written_yet_is_held(path):
    there = machine("b")
    (path.parent / "x-1.1").touch()
    assert latest(path).number == 1 and there.take(path) is None
    there.clock.now += claims.LEASE + 1
    assert there.take(path).number == 2


def test_where_there_are_no_hard_links_a_file_is_made_once_too(path, monkeypatch):
    def refuse_links(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse_links)
    assert machine("a").take(path).number == 1 and latest(path).machine == "a"
    monkeypatch.setattr(claims, "latest", lambda _: None)  # two that look at the same moment
    assert machine("b").take(path) is None
    assert [one.name for one in path.parent.iterdir()] == ["x-1.1"]


def test_what_is_about_to_appear_is_waited_for(path):
    here, there = machine("a"), machine("b")
    held = here.take(path)
    held.end(claims.PUBLISHED)
    assert not there.free(path)
    held.published()
    assert there.free(path)  # it was there, and somebody has deleted it
    second = there.take(path)
    second.end(claims.PUBLISHED)
    assert not here.free(path)
    here.clock.now += claims.LEASE + 1  # its process died at that very moment
    assert here.free(path)


def test_a_process_that_dies_leaves_its_claim(path):
    theirs, ours = FORK.Pipe()
    process = FORK.Process(target=_hold, args=(path, theirs))
    process.start()
    assert ours.recv() == 1
    with claim(path) as held:
        assert held is None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    with claim(path) as held:
        assert held.number == 2
    assert held.ended.startswith("given back, ")


def _hold(path: Path, pipe) -> None:
    with claim(path) as held:
        pipe.send(held.number)
        signal.pause()


def test_a_holder_learns_that_it_was_taken_for_dead(path, monkeypatch):
    monkeypatch.setattr(claims, "LEASE", 0.08)
    monkeypatch.setattr(Observer, "take", lambda self, path: _with_lease(path, 0.08))
    lost = multiprocessing.Event()
    with claim(path, lambda _: lost.set()) as held:
        size = held.file.stat().st_size
        while held.file.stat().st_size < size + 2:
            pass
        Attempt(path, 1).end("no sign of life")
        assert lost.wait(60)
    assert held.ended.startswith("no sign of life")


def _with_lease(path: Path, seconds: float) -> Attempt:
    attempt = Attempt(path, 1, lease=seconds)
    attempt.file.touch()
    return attempt


# --- a world of machines that stop, go on and die at any moment


LEASE = 8


class World:
    """Machines at one run, each with its own clock; what each attempt makes is another result."""

    def __init__(self, seed: int):
        self.chance, self.pool = random.Random(seed), store.pool()
        self.machines = [Machine(self, place) for place in range(3)]
        self.published: set[str] = set()

    def pass_by(self, moments: int) -> None:
        """Time passes for all; in each moment those that do not sleep come to their next step, in any order."""
        for _ in range(moments):
            for one in self.machines:
                one.observer.clock.now += 1.0
            for one in self.chance.sample(self.machines, len(self.machines)):
                one.go_on()
            if (record := self.pool / "x-1" / "run.json").exists():
                self.published.add(record.read_text())


class Machine:
    """A process on it stands still between any two steps, or is killed there, and another begins; all machines but the
    first may be gone for ever."""

    def __init__(self, world: World, place: int):
        self.world, self.chance, self.place, self.pid = world, world.chance, place, 1
        self.observer = Observer(f"m{place}", Clock(self.chance.uniform(0, 1e6)), lambda pid: pid == self.pid)
        self.process, self.asleep, self.gone = greenlet(self.work), 0, False

    def go_on(self) -> None:
        if self.asleep or self.gone:
            self.asleep -= self.asleep > 0
        elif self.chance.random() < 0.03:
            self.asleep = self.chance.randint(1, 3 * LEASE)
        elif self.chance.random() < 0.02:
            self.pid, self.gone = self.pid + 1, self.place > 0 and self.chance.random() < 0.2
            self.process.throw(GreenletExit)
            self.process = greenlet(self.work)
        else:
            self.process.switch()

    def work(self) -> None:
        while True:
            a_step()
            if (self.world.pool / "x-1" / "run.json").exists():
                continue
            if attempt := self.observer.take(store.claim_file("x-1")):
                self.make(attempt)

    def make(self, attempt: Attempt) -> None:
        told = json.loads(attempt.file.read_text()) | {"pid": self.pid, "lease": LEASE}
        attempt.file.write_text(json.dumps(told) + "\n")
        for _ in range(self.chance.randint(0, LEASE)):
            a_step()
            attempt.beat()
            if attempt.ended:
                return  # taken for dead: it leaves the run alone
        result = {"id": "x-1", "steps": attempt.number, "tasks": {}, "files": {}}
        folder = store.pool() / ".staging" / attempt.name
        folder.mkdir()
        write_sealed(folder / "run.json", "x-1", json.dumps(dict.fromkeys(store.RECORD_KEYS, "") | result))
        try:
            store.publish(folder, attempt)
        except IntertaskError as error:
            assert "the scores of one identity" in str(error)


def a_step() -> None:
    """Where one of the machines may stand still."""
    if (world := getcurrent().parent) is not None:
        world.switch()


def stepwise(do):
    def done(*arguments, **options):
        a_step()
        return do(*arguments, **options)

    return done


def test_no_schedule_of_machines_publishes_two_results_or_leaves_a_run_that_nobody_can_take(monkeypatch):
    """A holder may stop for longer than its lease between any two of its steps, and die at any."""
    root = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"intertask-{os.getpid()}"
    monkeypatch.setenv("INTERTASK_RESULTS", str(root))
    monkeypatch.setattr(claims, "LEASE", LEASE)
    monkeypatch.setattr(store, "sync", lambda path: a_step())
    monkeypatch.setattr(Path, "rename", stepwise(Path.rename))
    monkeypatch.setattr(claims, "open", stepwise(open), raising=False)
    monkeypatch.setattr(os, "link", stepwise(os.link))
    several = 0
    try:
        for seed in range(int(os.environ.get("INTERTASK_SCHEDULES", 300))):
            shutil.rmtree(root, ignore_errors=True)
            store.open_pool()
            world = World(seed)
            for _ in range(100):
                world.pass_by(2 * LEASE)
                if world.published:
                    break
            world.pass_by(6 * LEASE)  # late ones come
            assert len(world.published) == 1, f"seed {seed}"
            number = json.loads(world.published.pop())["steps"]
            assert Attempt(store.claim_file("x-1"), number).ended.startswith(claims.PUBLISHED), f"seed {seed}"
            several += latest(store.claim_file("x-1")).number > 1
    finally:
        shutil.rmtree(root, ignore_errors=True)
    assert several > 100, "in many schedules the first attempt is not the last"


# --- file systems

HOLDER = """
import fcntl, sys
from pathlib import Path
from subprocess import PIPE
from intertask.studies.claims import claim

with open("lock", "w") as lock, claim(Path("x-1")) as held:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    print("locked", held and held.number, flush=True)
    sys.stdin.readline()
"""


def on_its_own_mount(folder: Path, name: str) -> subprocess.Popen:
    """A process in a namespace of its own, in which one folder lies on a mount that knows nothing of other locks."""
    (folder / name).mkdir()
    mount = f"mount -t overlay overlay -o lowerdir=empty,upperdir=shared,workdir={name} seen && cd seen"
    command = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, HOLDER]
    return subprocess.Popen(command, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)


def test_a_claim_holds_where_locks_do_not(tmp_path):
    for name in ("empty", "shared", "seen"):
        (tmp_path / name).mkdir()
    with on_its_own_mount(tmp_path, "first") as first:
        if not (said := first.stdout.readline()):
            pytest.skip(f"no mount can be made here: {first.stderr.read()}")
        assert said == "locked 1\n"
        assert on_its_own_mount(tmp_path, "second").communicate("\n")[0] == "locked None\n"
        first.communicate("\n")
        assert on_its_own_mount(tmp_path, "third").communicate("\n")[0] == "locked 2\n"


def test_a_folder_of_one_machine_needs_no_words(tmp_path):
    assert shared.shared_folder(tmp_path) == "" and not list(tmp_path.iterdir())


MOUNTS = """/dev/root / ext4 rw 0 0
server:/home /home nfs4 rw,vers=4.2,local_lock=none 0 0
old:/data /home/my\\040data nfs rw,nolock,local_lock=all 0 0
"""


@pytest.mark.parametrize(
    "folder, kind, locks", [("/home/a", "nfs4", "as it says"), ("/home/my data/b", "nfs", "alone")]
)
def test_what_several_machines_may_share_is_said(folder, kind, locks, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self: MOUNTS)
    found = shared.mounted(Path(folder))
    assert found[0] == kind
    monkeypatch.setattr(shared, "mounted", lambda _: found)
    said = shared.shared_folder(tmp_path)
    assert said.startswith(f"The results lie on {kind}, where locks hold") and f"{locks}: drivers" in said
    monkeypatch.setattr(shared.fcntl, "flock", refuse)
    assert "locks hold not at all" in shared.shared_folder(tmp_path)


def refuse(*_) -> None:
    raise OSError(errno.ENOSYS, "Function not implemented")


def test_where_a_folder_takes_anothers_place_nothing_is_run(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(Path, "rename", lambda self, target: target)
    refused(lambda: shared.shared_folder(tmp_path), "a file is made once (O_EXCL)", "INTERTASK_RESULTS")
