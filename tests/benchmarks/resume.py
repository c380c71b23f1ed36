"""A long run that is killed ten times: its scores must be those of a calm one, bit by bit.

    python tests/benchmarks/resume.py [KILLS] [SEED]

Each time after a random while, once a checkpoint lies there, the driver, the worker or the kernel of the run is killed
with SIGKILL, sometimes while a checkpoint is being written. Ends with 1 if a score differs or anything is left behind.
"""

import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import victims  # noqa: E402

import made_study  # noqa: E402
from made_driver import command  # noqa: E402
from made_study import HANGING, records, scores, wait_for, write_study  # noqa: E402

succeed = partial(made_study.succeed, start=command)

LONG = {"num_train_epochs": 10**6, "early_stopping_patience": 2500, "warmup_steps": 0, "learning_rate": 1e-3}
"""By its pace a run of days, of which a training without a gain makes one of a minute."""


def main(
    kills: Annotated[int, typer.Argument(help="how often")] = 10,
    seed: Annotated[int, typer.Argument(help="of what is killed when")] = 0,
) -> None:
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train = made_study.STUDY["train"] | LONG
        study = write_study(folder, regimes=["single"], supporting=[], seeds=1, train=train, report=[])
        began = time.monotonic()
        succeed("run", study, results=folder / "calm")
        print(f"calm: {time.monotonic() - began:.0f} s", flush=True)
        results, seen = folder / "killed", set()
        driver = command("run", study, results=results)
        for number in range(1, kills + 1):
            wait_for(lambda: under_way(results) - seen and kept(results))
            time.sleep(draw.uniform(0, 5))
            seen.update(under_way(results))
            kind = draw.choice(["driver", "worker", "kernel"])
            victims([driver], kind)[0].kill()
            print(f"{number}: killed the {kind}; {', '.join(kept(results))}", flush=True)
            # it gives back what a lost worker had
            wait_for(lambda driver=driver: driver.poll() is not None or under_way(results) - seen)
            if driver.poll() is not None:
                driver = command("run", study, results=results)
        driver.communicate(timeout=HANGING)
        succeed("run", study, results=results)
        (record,) = records(results).values()
        print(f"went on {record['resumed']} times, {record['steps']} steps, seconds {record['seconds']}")
        faults = [] if scores(results) == scores(folder / "calm") else ["the scores differ"]
        places = (results / "runs" / ".staging", results / "runs" / ".checkpoints")
        faults += [f"{left} is left" for place in places for left in place.iterdir()]
    print("\n".join(faults) or "The scores are those of the calm run, and nothing was left behind.")
    raise typer.Exit(bool(faults))


def under_way(results: Path) -> set[Path]:
    """The folders of attempts that have begun to train."""
    return {path.parent for path in results.glob("runs/.staging/*/progress.jsonl")}


def kept(results: Path) -> list[str]:
    return sorted(path.name for path in results.glob("runs/.checkpoints/*/*"))


if __name__ == "__main__":
    typer.run(main)
