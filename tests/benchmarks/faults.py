"""What kills, full disks and moved folders cost: the scores must be those of a calm run, bit by bit.

    make faults    (or: python tests/benchmarks/faults.py [MINUTES] [SEED]); five minutes by default

Every 2 to 6 seconds, or as soon after that as there is one, a process of a study is killed: a driver or a process that
runs are forked from, and thrice as often a worker or a kernel. Two drivers are at the study at once, so that there are
runs while one of them starts again, which it does whenever it has ended. When the study is finished, some of its runs
are taken away and it goes on. Then the same study on a disk that is too small, and in a folder that is moved away while
it runs. Ends with 1 if a score differs, if a kind was never killed, or if anything is left behind.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import psutil
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

import made_study  # noqa: E402
from made_driver import command  # noqa: E402
from made_study import HANGING, records, scores, wait_for, write_study  # noqa: E402

succeed = partial(made_study.succeed, start=command)
DRIVERS = WORKERS = 2
KINDS = {"driver": 1, "fork server": 1, "worker": 3, "kernel": 3}
"""How often each is killed: of what takes long to start again less often, or there would seldom be anything else."""

STUDY = {"seeds": 6, "train": made_study.STUDY["train"] | {"num_train_epochs": 30}}  # 18 runs of some seconds each


def main(
    minutes: Annotated[float, typer.Argument(help="of killing")] = 5.0,
    seed: Annotated[int, typer.Argument(help="of what is killed when")] = 0,
) -> None:
    """Runs all three and prints what they came to."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        temporary(folder).mkdir()
        os.environ["TMPDIR"] = str(temporary(folder))
        study = write_study(folder, **STUDY)
        calm = folder / "calm"
        succeed("run", study, results=calm)
        expected = scores(calm)
        print(f"calm: {len(expected)} runs", flush=True)
        faults = chaos(study, folder / "chaos", expected, 60 * minutes, random.Random(seed))
        faults += full_disk(study, folder / "disk", expected)
        faults += moved(study, folder / "moved", expected)
    print("\n".join(faults) or "Every score is that of the calm run, and nothing was left behind.")
    raise typer.Exit(bool(faults))


def chaos(study: Path, results: Path, expected: dict, seconds: float, draw: random.Random) -> list[str]:
    """Kills until the time is over, then lets the study end."""
    killed, rounds, starts, family = Counter(), 0, 0, set()
    end, drivers = time.monotonic() + seconds, []
    while time.monotonic() < end:
        if 0 in [driver.poll() for driver in drivers]:
            ended(drivers)
            wait_for(lambda family=family: not [process for process in family if running(process)], 30)
            succeed("run", study, "--retry-failed", results=results)  # removes what those killed last have left
            rounds += 1
            if faults := compared("kills", results, expected):
                return faults
            for run in draw.sample(sorted((results / "runs").glob("[!.]*")), len(expected) // 2):
                shutil.rmtree(run)
        drivers = [driver for driver in drivers if driver.poll() is None]
        while len(drivers) < DRIVERS:
            drivers.append(command("run", study, "--retry-failed", "--workers", WORKERS, results=results))
            starts += 1
        time.sleep(draw.uniform(1, 3))
        kind = min(KINDS, key=lambda kind: (killed[kind] / KINDS[kind], draw.random()))
        wait_for(lambda drivers=drivers, kind=kind: ending(drivers) or victims(drivers, kind))
        family |= {process for driver in drivers for alive in processes(driver).values() for process in alive}
        if alive := victims(drivers, kind):
            with suppress(psutil.NoSuchProcess):
                draw.choice(alive).kill()
                killed[kind] += 1
    for driver in drivers:
        driver.kill()
    ended(drivers)
    wait_for(lambda: not [process for process in family if running(process)], 30)
    succeed("run", study, "--retry-failed", results=results)
    said = ", ".join(f"{count} of a {kind}" for kind, count in sorted(killed.items()))
    faults = [f"kills: no {kind} was killed" for kind in KINDS if not killed[kind]]
    every = f"one every {seconds / max(1, killed.total()):.1f} s"
    print(f"kills: {killed.total()}, {every} ({said}); the command given {starts} times; {rounds} studies finished")
    return faults + compared("kills", results, expected)


def ending(drivers: list[subprocess.Popen]) -> bool:
    return any(driver.poll() is not None for driver in drivers)


def ended(drivers: list[subprocess.Popen]) -> None:
    for driver in drivers:
        driver.communicate(timeout=HANGING)


def victims(drivers: list[subprocess.Popen], kind: str) -> list[psutil.Process]:
    """Those of a kind that are alive; of drivers and fork servers one with the fewest runs, or soon there were none."""
    alive = [found for driver in drivers if (found := processes(driver))[kind]]
    if kind in ("driver", "fork server"):
        alive = sorted(alive, key=lambda found: len(found["worker"]))[:1]
    return [process for found in alive for process in found[kind]]


def processes(driver: subprocess.Popen) -> dict[str, list[psutil.Process]]:
    """The processes of a driver by what they are, as they are alive now."""
    found = {kind: [] for kind in KINDS}
    if driver.poll() is not None:
        return found
    with suppress(psutil.NoSuchProcess):
        found["driver"] = [psutil.Process(driver.pid)]
        servers = [one for one in found["driver"][0].children() if "forkserver" in " ".join(one.cmdline())]
        found["fork server"] = servers
        for server in servers:
            found["worker"] += server.children()
    for worker in found["worker"]:
        with suppress(psutil.NoSuchProcess):
            found["kernel"] += worker.children()
    return found


def temporary(folder: Path) -> Path:
    """Where short-lived files go; its path is short enough for sockets."""
    return folder / "t"


def running(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def full_disk(study: Path, results: Path, expected: dict) -> list[str]:
    """A file system of which almost nothing is free, and then much."""
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(results)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        print("full disk: not tried, it takes the right to mount a small one", flush=True)
        return []
    try:
        driver = command("run", study, results=results)
        output = driver.communicate(timeout=HANGING)[0]
        faults = (
            [] if driver.returncode == 2 and "MB free" in output else [f"full disk: expected a refusal, found {output}"]
        )
        subprocess.run(["mount", "-o", "remount,size=1g", str(results)], check=True)
        succeed("run", study, "--retry-failed", results=results)
        print("full disk: refused, and finished when there was room", flush=True)
        return faults + compared("full disk", results, expected)
    finally:
        subprocess.run(["umount", str(results)], check=True)


def moved(study: Path, results: Path, expected: dict) -> list[str]:
    """The results folder is moved away while runs are under way, and comes back."""
    driver = command("run", study, "--workers", WORKERS + 1, results=results)
    wait_for(lambda: records(results))
    results.rename(away := results.with_name("away"))
    driver.communicate(timeout=HANGING)
    faults = ["moved: the folder was made again in its old place"] if results.exists() else []
    shutil.rmtree(results, ignore_errors=True)
    away.rename(results)
    succeed("run", study, "--retry-failed", results=results)
    print("moved: finished when it was back", flush=True)
    return faults + compared("moved", results, expected)


def compared(what: str, results: Path, expected: dict) -> list[str]:
    """What differs from the calm run, and what lies about."""
    found = scores(results)
    faults = [f"{what}: {run} differs" for run in expected if found.get(run) != expected[run]]
    faults += [f"{what}: {run} is not of the study" for run in found.keys() - expected.keys()]
    places = (results / "runs" / ".staging", temporary(results.parent))
    return faults + [f"{what}: {left} is left" for place in places for left in place.iterdir()]


if __name__ == "__main__":
    typer.run(main)
