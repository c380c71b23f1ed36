"""Kills, full disks and slow ones at every moment of a run: nothing lost, nothing half, the scores of a calm run."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

import made_faults
from intertask.cli import app
from intertask.studies import store
from intertask.studies.claims import attempt_of
from made_driver import drive
from made_store import write_index, write_run
from made_study import (
    HANGING,
    STUDY,
    alive,
    failed_in_a_cell,
    kernels,
    kin,
    published,
    read_only,
    records,
    scores,
    states,
    succeed,
    wait_for,
    write_study,
)

LONG = {"num_train_epochs": 10**6, "early_stopping_patience": 8, "warmup_steps": 0, "learning_rate": 1e-3}
"""By its pace a run of days, so that it writes checkpoints; without a gain it ends after a second."""

MOMENTS = {
    "half a claim": r"open .*/\.claims/\.[^/]+$",
    "claims": r"os.link .*/\.claims/[^/]+\.\d+$",
    "begins": r"os.mkdir .*/\.staging/[^/]+$",
    "trains": r"open .*/\.staging/.*/progress\.jsonl$",
    "half a checkpoint": r"open .*/\.checkpoints/[^/]+/\.[^/]+/\.state\.json\.",
    "a checkpoint": r"os.rename .*/\.checkpoints/[^/]+/\.\d",
    "half a result": r"open .*/\.staging/.*/parameters\.yaml$",
    "a record": r"os.rename .*/\.staging/[^/]+/\.run\.json\.",
    "a notebook": r"open .*/\.staging/[^/]+/notebook\.ipynb$",
    "publishes": r"os.rename .*/\.staging/[^/]+ .*/runs/[^/.]+\.[^/]*$",
}
"""Of a run, in the order in which they come."""


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    return write_study(folder, regimes=["single"], supporting=[], train=STUDY["train"] | LONG, report=[])


@pytest.fixture(scope="module")
def calm(long) -> dict:
    succeed("run", long, results=long.with_name("calm"))
    return scores(long.with_name("calm"))


@pytest.fixture
def meets(tmp_path, monkeypatch):
    """Has the drivers that follow meet a fault at each of the moments named; returns those that came."""
    monkeypatch.setenv(made_faults.FAULTS, "[]")
    numbers = itertools.count()

    def tell(do: str, moments=tuple(MOMENTS)):
        folder = tmp_path / f"met {next(numbers)}"
        made_faults.told(folder, [MOMENTS[name] for name in moments], do)
        return lambda: [moments[int(path.name)] for path in sorted(folder.iterdir())]

    return tell


def driven(*arguments, results: Path) -> tuple[int, str]:
    """The code and the words with which a driver ended, and of what it started all too."""
    driver, family = drive("run", *arguments, results=results), set()
    wait_for(lambda: family.update(kin(driver)) or driver.poll() is not None)
    wait_for(lambda: not [process for process in family if alive(process)])
    return driver.returncode, driver.communicate()[0]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("its parent", "its driver")]


@pytest.mark.parametrize("victim", ["it", *SLOW])
def test_what_is_killed_at_any_moment_leaves_nothing_half_and_is_made_up_for(victim, long, calm, tmp_path, meets):
    came = meets(f"{victim} is killed")
    for _ in range(2 * len(MOMENTS)):
        before = states(tmp_path)
        code, said = driven(long, "--retry-failed", results=tmp_path)  # a run that lost three workers has failed
        for run_id in records(tmp_path):
            assert store.read(run_id, tmp_path, whole=["predictions"])
        assert before.items() <= states(tmp_path).items(), "a finished run was touched"
        if code == 0:
            break
    assert code == 0, said
    succeed("run", long, results=tmp_path)  # removes what those killed last have left
    assert came() == list(MOMENTS) and scores(tmp_path) == calm
    assert not [left for name in (".staging", ".checkpoints") for left in (tmp_path / "runs" / name).iterdir()]


def test_a_kernel_that_exits_has_failed_whatever_its_code(long, calm, tmp_path, meets):
    came = meets("it exits", ["trains"])
    code, said = driven(long, results=tmp_path)
    assert code == 1 and came() == ["trains"] and "DeadKernelError" in said and len(records(tmp_path)) == 1
    failed_in_a_cell(tmp_path)
    succeed("run", long, results=tmp_path)
    assert scores(tmp_path) == calm and not list(tmp_path.glob("runs/.failed/*"))


@pytest.fixture
def group():
    """A control group of which the memory can be bounded: its folder and the file that says by how much."""
    made = []
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = Path(root, f"intertask-{os.getpid()}")
        with suppress(OSError):
            folder.mkdir()
            made.append(folder)
            if (folder / limit).is_file():
                yield folder, folder / limit
                break
    else:
        pytest.skip("bounding memory takes a control group, and the right to make one")
    for folder in made:
        folder.rmdir()


@pytest.mark.slow
def test_a_kernel_that_the_system_kills_for_want_of_memory_has_failed(long, calm, group, tmp_path):
    folder, limit = group
    driver = drive("run", long, results=tmp_path)
    wait_for(lambda: list(tmp_path.glob("runs/.staging/*/progress.jsonl")) and kernels(driver))
    (folder / "cgroup.procs").write_text(str(kernels(driver)[0].pid))
    limit.write_text(str(2**20))
    said = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1 and "DeadKernelError" in said and len(records(tmp_path)) == 1, said
    failed_in_a_cell(tmp_path)
    succeed("run", long, results=tmp_path)
    assert scores(tmp_path) == calm


@pytest.fixture
def disk(tmp_path):
    """Mounts a file system of so many bytes and files, and mounts it anew."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        if os.getuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a small file system needs more rights than this user has")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True)


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_moment_costs_a_run_and_nothing_else(long, calm, disk, meets):
    results = disk("size=500m")
    succeed("run", long, results=results)
    lost = results / "runs" / next(iter(calm))
    for moment in ("half a checkpoint", "half a result", "a record", "a notebook", "publishes"):
        shutil.rmtree(lost)
        came, before = meets("the disk is full", [moment]), states(results)
        code, said = driven(long, results=results)
        assert came() == [moment] and before.items() <= states(results).items()
        assert code == 0 or "No space left" in said or "is there space in" in said or "MB free" in said, said
        (results / "filler").unlink()
        succeed("run", long, results=results)
        assert scores(results) == calm


@pytest.mark.slow
def test_where_no_file_can_be_made_it_is_said_and_later_made_up_for(finished, tiny, disk):
    results = disk("size=1g", "nr_inodes=60")
    code, said = driven(tiny, results=results)
    assert code in (1, 2) and ("No space left" in said or "is there space in" in said), said
    for run_id in records(results):
        assert store.read(run_id, results, whole=["predictions"])
    subprocess.run(["mount", "-o", "remount,nr_inodes=10000", str(results)], check=True)
    succeed("run", tiny, results=results)
    assert scores(results) == scores(finished)


@pytest.mark.slow
def test_where_renames_come_late_two_drivers_do_each_run_once(finished, tiny, tmp_path, meets):
    meets("it takes long", ["a record", "publishes"])
    drivers = [drive("run", tiny, results=tmp_path) for _ in range(2)]
    outputs = [driver.communicate(timeout=HANGING)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    assert scores(tmp_path) == scores(finished) and published(tmp_path) == sorted(scores(tmp_path))


def elsewhere(*arguments, results: Path) -> subprocess.Popen:
    """The command on what counts as another machine, with processes of its own; of a lease of some seconds."""
    machine = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m", "intertask.cli"]
    told = {"INTERTASK_RESULTS": str(results), "INTERTASK_LEASE": "4"}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*machine, *map(str, arguments)], env=os.environ | told, **output)


def signalled(family: list[psutil.Process], number: int) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_machine_that_is_silent_is_overtaken_and_publishes_nothing_afterwards(number, long, calm, tmp_path):
    with elsewhere("run", long, results=tmp_path) as other:
        wait_for(lambda: list(tmp_path.glob("runs/.staging/*/progress.jsonl")) or other.poll())
        if other.poll():
            pytest.skip(f"no other machine can be made here: {other.stdout.read()}")
        family = kin(other)
        signalled(family, number)
        taken = {attempt_of(path.name)[0] for path in tmp_path.glob("runs/.staging/*")}
        assert taken and not records(tmp_path).keys() & taken
        succeed("run", long, results=tmp_path)
        done = states(tmp_path)
        assert scores(tmp_path) == calm
        signalled(family, signal.SIGCONT)
        wait_for(lambda: other.poll() is not None)
        if number == signal.SIGSTOP:
            assert other.returncode == 0, other.stdout.read()
        wait_for(lambda: not [process for process in family if alive(process)])
    assert states(tmp_path) == done and published(tmp_path) == sorted(calm)
    ends = {path.read_text().partition(",")[0] for path in tmp_path.glob("runs/.claims/*.1.end")}
    assert "no sign of life for 4 s" in ends


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*genuine)(clockid_t, struct timespec *);
    if (!genuine) genuine = dlsym(RTLD_NEXT, "clock_gettime");
    int code = genuine(clock, now);
    FILE *file = clock == CLOCK_REALTIME ? fopen(getenv("TEST_CLOCK"), "r") : NULL;
    long shift = 0;
    if (file && fscanf(file, "%ld", &shift) != 1) shift = 0;
    if (file) fclose(file);
    now->tv_sec += shift;
    return code;
}
"""
"""A wall clock that is off by the seconds that a file says; under libfaketime, which does the same, kernels hang."""
MONTH = 30 * 24 * 3600


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cc"), reason="a clock of its own takes a compiler of C")
def test_clocks_that_are_put_back_and_forward_change_nothing(finished, tiny, tmp_path):
    """One driver's clock jumps by two months, again and again; another's, on the same runs, does not."""
    results, clock, library = tmp_path / "results", tmp_path / "clock", tmp_path / "clock.so"
    compiler = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library), "-ldl"]
    subprocess.run(compiler, input=CLOCK, text=True, check=True)
    clock.write_text("0")
    told = {"LD_PRELOAD": str(library), "TEST_CLOCK": str(clock), "INTERTASK_RESULTS": str(results)}
    command = [sys.executable, "-m", "intertask.cli"]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": os.environ | told}
    with subprocess.Popen([*command, "run", str(tiny), "--workers", "1"], **output) as moved:
        wait_for(lambda: list(results.glob("runs/.claims/*")) or moved.poll() is not None)
        steady, jumps = drive("run", tiny, "--workers", 1, results=results), itertools.cycle([-MONTH, MONTH])
        while moved.poll() is None:
            (tmp_path / "next").write_text(str(next(jumps)))
            (tmp_path / "next").replace(clock)
            threading.Event().wait(0.3)
        assert moved.returncode == 0, moved.stdout.read()
    assert steady.communicate(timeout=HANGING)[0] and steady.returncode == 0
    assert scores(results) == scores(finished) and published(results) == sorted(scores(finished))
    ends = {path.read_text().partition(",")[0] for path in results.glob("runs/.claims/*.end")}
    assert ends <= {"published", "given back"}, "a lease was lost"
    days = {record["finished"][:10] for record in records(results).values()}
    assert len(days) > 1 and min(min(one["seconds"].values()) for one in records(results).values()) >= 0
    told = subprocess.run([*command, "status", str(tiny)], **output | {"stderr": None}).stdout
    assert "4 of 4 runs finished" in told and not re.search(r"(?<![\w-])-\d", told)


def table(study: Path, results: Path) -> set[str]:
    return {line for line in succeed("scores", study, results=results).splitlines() if line.startswith("tiny,")}


def test_results_that_are_copied_as_they_come_are_read_and_say_the_same(finished, tiny, tmp_path):
    results, copies = tmp_path / "results", []
    driver = drive("run", tiny, results=results)
    while driver.poll() is None:
        wait_for(lambda: len(records(results)) > len(copies) or driver.poll() is not None)
        copies.append(tmp_path / f"copy {len(copies)}")
        subprocess.run(["cp", "-a", str(results), str(copies[-1])], capture_output=True)  # some vanish meanwhile
    assert driver.returncode == 0 and len(copies) > 2
    complete, counts = table(tiny, finished), []
    for copy in copies:
        with read_only(copy):
            assert (found := table(tiny, copy)) <= complete
            counts.append(len({line.split(",")[1] for line in found}))
            assert counts[-1] == len(records(copy))
    assert counts == sorted(counts) and 0 < counts[0] < 6 == counts[-1]


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """The results of a study of 10,000 finished runs."""
    results = tmp_path_factory.mktemp("many")
    role = {"stage": "target", "regime": "single", "task": "fruit", "target": "fruit", "encoder": "mini/bert"}
    roles = [role | {"run": f"fruit.bert.s{seed}-{seed:012x}", "seed": seed} for seed in range(10_000)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)  # no power is cut here
        for one in roles:
            write_run(results, one["run"], "fruit", one["seed"], 60.0, finished="2026-01-02T03:04:05+00:00")
    write_index(results, "many", roles, targets=["fruit"], report=[])
    return results


@pytest.mark.slow
def test_ten_thousand_runs_are_listed_in_a_second(many, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(many))
    began = time.process_time()
    said = CliRunner().invoke(app, ["status", "many"]).output
    assert "10000 of 10000 runs finished" in said and time.process_time() - began < 1
