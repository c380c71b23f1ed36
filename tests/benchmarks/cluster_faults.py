"""What killed, stopped and cut off workers cost a study on a cluster: scores must be those of one machine, bit by bit.

    python tests/benchmarks/cluster_faults.py [STUDY] [--calm RESULTS] [--minutes 5] [--seed 0]    (as root, on Linux)

A scheduler and three workers, each in a network namespace of its own with an address of its own, on one results
folder; the driver in ours. First the study is executed undisturbed, then, in an empty folder, while every 2 to 6
seconds a worker is killed with SIGKILL, stopped and continued, or cut off from the network and let back in; at a third
of the time the scheduler is killed and started again, at two thirds the driver. Workers that end are started again.
Every score must be that of --calm (by default the study is executed on this machine first), no run may be published
twice, and the log of claims must account for each attempt. Ends with 1 if anything differs.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_driver import command  # noqa: E402
from made_study import records  # noqa: E402

BRIDGE, NETWORK = "intertask0", "10.77.0"
WORKERS = 3
FAULTS = ("killed", "stopped", "cut off")
LONGEST = 45.0
"""Seconds for which a worker is stopped or cut off, at most: longer than Dask's connections live."""


class Host:
    """A network namespace with an address on the bridge, and a process of Dask's in it that is started again."""

    def __init__(self, number: int, folder: Path, *arguments: str):
        self.name, self.address = f"intertask{number}", f"{NETWORK}.{number}"
        self.log, self.arguments = folder / f"{self.name}.log", arguments
        self.process: subprocess.Popen | None = None
        self.until, self.undo = 0.0, lambda: None
        ip("netns", "add", self.name)
        ip("link", "add", f"v{self.name}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", f"v{self.name}", "master", BRIDGE, "up")
        for words in (f"addr add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            ip("-n", self.name, *words.split())

    def start(self) -> None:
        inside = ["ip", "netns", "exec", self.name, sys.executable, "-W", "ignore", "-m", "dask"]
        with self.log.open("a") as log:
            options = {"stdout": log, "stderr": log, "start_new_session": True}
            self.process = subprocess.Popen([*inside, *self.arguments, "--host", self.address], **options)

    def keep_up(self) -> None:
        if time.monotonic() > self.until:
            self.undo()
            self.undo = lambda: None
            if self.process.poll() is not None:
                self.start()

    def family(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def signal(self, number: int) -> None:
        for one in self.family():
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def suffer(self, fault: str, seconds: float) -> None:
        if fault == "killed":
            self.process.kill()
            self.process.wait()
            return
        self.until = time.monotonic() + seconds
        if fault == "stopped":
            self.signal(signal.SIGSTOP)
            self.undo = lambda: self.signal(signal.SIGCONT)
        else:
            ip("link", "set", f"v{self.name}", "down")
            self.undo = lambda: ip("link", "set", f"v{self.name}", "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def hosts(folder: Path):
    """The scheduler's host and the workers'; all of it is taken away with the block."""
    ip("link", "add", BRIDGE, "type", "bridge")
    made: list[Host] = []
    try:
        ip("addr", "add", f"{NETWORK}.254/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        made.append(Host(1, folder, "scheduler", "--port", "8786", "--no-dashboard"))
        worker = ("worker", f"tcp://{NETWORK}.1:8786", "--no-nanny", "--nthreads", "1", "--resources", "cores=1")
        scratch = ("--no-dashboard", "--local-directory", str(folder))
        for number in range(2, 2 + WORKERS):
            made.append(Host(number, folder, *worker, *scratch))
        for host in made:
            host.start()
        yield made
    finally:
        for host in made:
            host.undo()
            host.signal(signal.SIGKILL)
            host.process.wait()
            ip("netns", "del", host.name)
        ip("link", "del", BRIDGE)


def main(
    study: Annotated[str, typer.Argument(help="a study file, or the name of one")] = "demo",
    calm: Annotated[Path | None, typer.Option(help="results of one machine that hold the study already")] = None,
    minutes: Annotated[float, typer.Option(help="of faults")] = 5.0,
    seed: Annotated[int, typer.Option(help="of what happens when")] = 0,
) -> None:
    """Runs both and prints what they came to."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if not calm:
            said = run_until_done(study, (), calm := folder / "calm", [])
            print(f"on this machine: {said}", flush=True)
        expected = scores(calm)
        with hosts(folder) as made:
            where = ("--cluster", f"tcp://{NETWORK}.1:8786")
            began = time.monotonic()
            said = run_until_done(study, where, folder / "cluster", made)
            print(f"undisturbed: {time.monotonic() - began:.0f} s; {said}", flush=True)
            faults = compared("undisturbed", folder / "cluster", expected)
            faults += chaos(study, where, folder / "chaos", made, expected, 60 * minutes, random.Random(seed))
    print("\n".join(faults) or "Every score is that of one machine, and every run was published once.")
    raise typer.Exit(bool(faults))


def run_until_done(study: str, where: tuple[str, ...], results: Path, made: list[Host], driver=None) -> str:
    driver = driver or command("run", study, *where, "--retry-failed", results=results)
    while driver.poll() is None:
        for host in made:
            host.keep_up()
        with suppress(subprocess.TimeoutExpired):
            driver.wait(0.5)
    output = driver.communicate()[0]
    if driver.returncode:
        print(output, flush=True)
    return f"the command ended with {driver.returncode}"


def chaos(study, where, results: Path, made: list[Host], expected: dict, seconds: float, draw: random.Random):
    """Disturbs until the time is over, takes runs away when all are there, then lets the study end."""
    scheduler, *workers = made
    counts, began, rounds, due = Counter(), time.monotonic(), 0, 0.0
    driver, faults = None, []
    while (passed := time.monotonic() - began) < seconds and not faults:
        if driver is None or driver.poll() is not None:
            if driver and driver.communicate()[0] and driver.returncode == 0:
                rounds += 1
                faults = compared("disturbed", results, expected)
                for run in draw.sample(sorted((results / "runs").glob("[!.]*")), len(expected) // 2):
                    shutil.rmtree(run)
            driver = command("run", study, *where, "--retry-failed", results=results)
        for host in made:
            host.keep_up()
        if passed > seconds / 3 and not counts["scheduler"]:
            scheduler.suffer("killed", 0)
            counts["scheduler"] += 1
        if passed > 2 * seconds / 3 and not counts["driver"]:
            driver.kill()
            counts["driver"] += 1
        if time.monotonic() > due and (well := [host for host in workers if time.monotonic() > host.until]):
            fault = draw.choice(FAULTS)
            draw.choice(well).suffer(fault, draw.uniform(1, LONGEST if draw.random() < 0.25 else 15))
            counts[fault] += 1
            due = time.monotonic() + draw.uniform(2, 6)
        time.sleep(0.2)
    for host in made:
        host.until = 0.0
    said = run_until_done(study, where, results, made, driver if driver.poll() is None else None)
    done = ", ".join(f"{count} × {fault}" for fault, count in counts.items())
    print(f"disturbed for {seconds:.0f} s: {done}; finished {rounds} times; then {said}", flush=True)
    return faults + compared("disturbed", results, expected, times=rounds + 1)


def scores(results: Path) -> dict:
    """Of each run the scores, and the digests of its predictions and its encoder: what must be the same."""
    found = {}
    for run, record in records(results).items():
        kept = {name: file["sha256"] for name, file in record["files"].items() if "/" in name}
        found[run] = ({task: told["scores"] for task, told in record["tasks"].items()}, kept)
    return found


def compared(what: str, results: Path, expected: dict, times: int = 1) -> list[str]:
    """What differs, what was published oftener than it was missing, and attempts that nobody accounts for."""
    found = scores(results)
    faults = [f"{what}: {run} differs" for run in expected if found.get(run) != expected[run]]
    faults += [f"{what}: {run} is not of the study" for run in found.keys() - expected.keys()]
    claims, ends, attempts = results / "runs" / ".claims", Counter(), 0
    for run in records(results):
        files = [path for path in claims.glob(f"{run}.*") if path.suffix != ".end"]
        told = [path.with_name(f"{path.name}.end") for path in files]
        faults += [f"{what}: {path.name} has no end" for path in told if not path.is_file()]
        words = [path.read_text() for path in told if path.is_file()]
        ends.update(text.partition(",")[0] for text in words)
        attempts += len(files)
        published = sum("\ndone" in text for text in words)
        if not 1 <= published <= times:
            faults.append(f"{what}: {run} was published {published} times")
    faults += [f"{what}: {left} is left" for left in (results / "runs" / ".differing").glob("*")]
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    print(f"{what}: {len(found)} runs, {attempts} attempts: {told}", flush=True)
    return faults


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    typer.run(main)
