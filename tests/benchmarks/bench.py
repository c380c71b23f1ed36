"""What the lab costs beside what one would otherwise run, in one table from one run on an otherwise idle machine.

    INTERTASK_HUB=<mirror> python -W ignore tests/benchmarks/bench.py [PARTS]

PARTS: overhead, memory, workers, starts, store, scores, data, mini, words, real, mixing, demo; by
default all but demo, which takes half an hour.
`real` and the second half of `mixing` need a mirror of GLUE with the encoder in it (or the Hub).
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Annotated

os.environ["TQDM_DISABLE"] = "1"  # before the libraries that read it

import psutil  # noqa: E402
import typer  # noqa: E402

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from intertask.errors import IntertaskError  # noqa: E402
from intertask.execution import execute  # noqa: E402
from intertask.execution.here import Here  # noqa: E402
from intertask.files import processors, results_root  # noqa: E402
from intertask.run import Member, Run  # noqa: E402
from intertask.studies import store  # noqa: E402
from intertask.studies.graph import expand  # noqa: E402
from intertask.studies.study import load_study  # noqa: E402
from intertask.views.countdown import Countdown  # noqa: E402
from intertask.views.estimate import estimate  # noqa: E402

TRAIN = ROOT / "notebooks" / "experiments" / "train.ipynb"
rows: list[tuple[str, str, str, str]] = []


def row(what: str, otherwise: str, here: str, ratio: float | None = None) -> None:
    rows.append((what, otherwise, here, f"{ratio:.2f}" if ratio else ""))
    print(f"  {what}: {otherwise or '–'} | {here} {rows[-1][3]}", flush=True)


def main(parts: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Runs the parts and prints the table."""
    for part in parts or list(PARTS)[:-1]:
        print(part, flush=True)
        try:
            PARTS[part]()
        except IntertaskError as error:  # the Hub out of reach must not cost the other parts' figures
            row(f"{part}: not measured", "", str(error))
    widths = [max(len(line[i]) for line in [HEADER, *rows]) for i in range(4)]
    for line in [HEADER, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


HEADER = ("what", "otherwise", "here", "ratio")


def overhead(count: int = 20) -> None:
    """Seconds of a run beyond its training and evaluation, runs one after another; and the memory of its processes."""
    runs = small_runs(count + 1)
    plain = []
    with results():
        for run in runs.values():
            began = time.perf_counter()
            plain_papermill(run)
            plain.append(time.perf_counter() - began - training(results_root() / "by_hand" / run.id()))
    with results():
        run_all(runs, 1)
        folders = sorted((store.pool() / run_id for run_id in runs), key=ended)
        warm = [ended(b) - ended(a) - training(b) for a, b in zip(folders, folders[1:], strict=False)]
    before, now = statistics.median(plain), statistics.median(warm)
    row(f"overhead of a run, median of {count}: plain papermill | warm", seconds(before), seconds(now), before / now)
    row("  from fastest to slowest", spread(plain), spread(warm))


def memory(count: int = 3) -> None:
    """Memory of a run's processes that nobody shares with them, and of the process that they are forked from."""
    runs = small_runs(count)
    with results(), Memory() as plain:
        for run in runs.values():
            plain_papermill(run)
    with results(), Memory() as warm:
        run_all(runs, 1)
    row("peak memory of a run, its own: plain papermill | warm", megabytes(plain.run), megabytes(warm.run))
    row("memory of the process that runs are forked from", "", megabytes(warm.server))


def workers(count: int = 16) -> None:
    """Throughput of two workers against one, on the mini suite."""
    runs = {run.id(): run for run in (mini_run("mini/cola", seed) for seed in range(count))}
    took = {}
    for number in (1, 2):
        with results():
            warm_up(number)
            began = time.perf_counter()
            run_all(runs, number)
            took[number] = time.perf_counter() - began
    row(f"{count} runs of mini/cola: one worker | two", seconds(took[1]), seconds(took[2]), took[1] / took[2])


def starts(count: int = 200) -> None:
    """Many short runs, eight at a time."""
    runs = small_runs(count)
    with results():
        took = timed(lambda: run_all(runs, 8))
        finished = sum(store.finished(run_id) for run_id in runs)
    row(f"{count} starts, eight at a time", "", f"{finished} finished, {took}")


def store_of_runs(count: int = 10_000) -> None:
    """A study of many finished runs: listed, by the command too, and loaded into a frame."""
    from intertask.analysis.read import read_scores
    from intertask.studies.status import missing_runs, read_study
    from made_store import make_store

    with results() as folder:
        targets = [f"mini/t{i}" for i in range(5)]
        make_store(folder, lambda *_: 60.0, "made", targets=targets, supporting=["mini/mnli"], seeds=count // 11 + 1)
        pad_records(folder)
        found = f"{len(list(folder.glob('runs/*/run.json'))):,} stored runs"
        status = [sys.executable, "-m", "intertask.cli", "status", "made"]
        row(f"{found}: listed", "", timed(lambda: missing_runs(read_study("made")["runs"])))
        row(f"{found}: the command status", "", timed(lambda: subprocess.run(status, stdout=subprocess.DEVNULL)))
        row(f"{found}: loaded into a frame of scores", "", timed(lambda: read_scores("made")))


def data(rounds: int = 3) -> None:
    """Tokenising of as many pairs as MNLI has, the ways taking turns, and what a run then waits for it."""
    from pairs import SIZES, alone, by_call, by_lab, by_map, write_pairs

    found: dict[str, list] = {"the tokenizer's call": [], "datasets' map": [], "lab": [], "kept": []}
    with tempfile.TemporaryDirectory() as made:
        alone(write_pairs, Path(made))
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                found["the tokenizer's call"].append(alone(by_call, Path(made)))
                found["datasets' map"].append(alone(by_map, Path(made), Path(cache)))
                found["lab"].append(alone(by_lab, Path(made), Path(cache)))
                found["kept"].append(alone(by_lab, Path(made), Path(cache)))
    took = {way: [times[0] for times, _ in calls] for way, calls in found.items()}
    speed = {way: f"{SIZES['train'] / statistics.median(times):,.0f} pairs/s" for way, times in took.items()}
    peak = {way: megabytes(max(memory for _, memory in calls)) for way, calls in found.items()}
    for way in ("the tokenizer's call", "datasets' map"):
        ratios = [other / lab for other, lab in zip(took[way], took["lab"], strict=True)]
        what = f"{SIZES['train']:,} pairs: {way} | lab (each round at least {min(ratios):.2f} times)"
        row(what, speed[way], speed["lab"], statistics.median(ratios))
        row("  peak memory of the process", peak[way], peak["lab"])
    first, again = ([times[1] for times, _ in found[way]] for way in ("lab", "kept"))
    row("  read, checked, tokenised: first time | again", seconds(statistics.median(first)), spread(again))


def table_of_scores(rounds: int = 5) -> None:
    """Seconds from 100,000 rows of scores to a picture of every transfer, beside pandas, scipy and seaborn by hand."""
    import matplotlib

    matplotlib.use("agg")
    from intertask.analysis import figures, read
    from intertask.analysis.transfer import transfer_table

    def lab() -> None:
        table = transfer_table(read.read_runs("scores"))
        figure, ax = matplotlib.pyplot.subplots(figsize=figures.transfer_size(table), layout="constrained")
        figures.transfer_heatmap(table, ax)
        figure.savefig(io.BytesIO())

    with results() as folder:
        made_scores().to_csv(folder / "scores.csv", index=False)
        took = {"by hand": [], "lab": []}
        for _ in range(rounds):
            for way, call in {"by hand": lambda: scores_by_hand(folder / "scores.csv"), "lab": lab}.items():
                began = time.perf_counter()
                call()
                took[way].append(time.perf_counter() - began)
                matplotlib.pyplot.close("all")
    ratio = statistics.median(hand / own for hand, own in zip(*took.values(), strict=True))
    what = "100,000 scores read, 1,960 cells with tests, drawn: by hand | lab"
    row(what, spread(took["by hand"]), spread(took["lab"]), ratio)


def made_scores():
    """49 supporting tasks and none, 40 targets, 25 seeds, two metrics."""
    import numpy as np
    import pandas as pd

    supporting = ["", *(f"task{number}" for number in range(49))]
    index = pd.MultiIndex.from_product(
        [supporting, [f"target{number}" for number in range(40)], range(25), ["accuracy", "f1"]],
        names=["supporting", "target", "seed", "metric"],
    )
    scores = np.random.default_rng(0).uniform(50, 60, len(index))
    return pd.DataFrame({"score": scores}, index).reset_index().assign(encoder="made")


def scores_by_hand(path: Path) -> None:
    """The same as one would write it: groupby, a t test for each cell, Holm, an annotated heatmap."""
    import pandas as pd
    import seaborn
    from matplotlib import pyplot
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    scores = pd.read_csv(path).fillna({"supporting": ""})
    main = scores.groupby(["supporting", "target", "seed"])["score"].mean().reset_index()
    alone = main[main["supporting"] == ""].drop(columns="supporting")
    pairs = main[main["supporting"] != ""].merge(alone, on=["target", "seed"], suffixes=("", "_alone"))
    pairs["delta"] = pairs["score"] - pairs["score_alone"]
    cells = pairs.groupby(["supporting", "target"])["delta"]
    p = cells.apply(lambda own: stats.ttest_1samp(own, 0).pvalue)
    cells.apply(lambda own: stats.ttest_1samp(own, 0).confidence_interval())
    star = pd.Series(multipletests(p, method="holm")[1] < 0.05, p.index).map({True: "*", False: ""})
    means = cells.mean()
    words = means.map("{:+.0f}".format) + star
    figure, ax = pyplot.subplots(figsize=(23, 18.65), layout="constrained")
    seaborn.heatmap(means.unstack(), center=0, cmap="RdBu", annot=words.unstack(), fmt="", annot_kws={"size": 8}, ax=ax)
    figure.savefig(io.BytesIO())


def mini() -> None:
    """Training speed of the mini encoder on one thread, on mini/mnli."""
    from intertask.encoders.pretrained import load_encoder, save_encoder

    with tempfile.TemporaryDirectory() as folder:
        save_encoder(*load_encoder("mini/bert"), Path(folder))
        settings = {"encoder": folder, "max_length": 64, "limit": 3000, "learning_rate": 5e-4, "pooling": "pooler"}
        speeds("mini/bert, mini/mnli, 1 thread", Run(task="mini/mnli", num_train_epochs=1, **settings), rounds=3)


def words() -> None:
    """Training a BiLSTM beside a plain loop around torch's; a target on a frozen one with and without kept states."""
    from words import CELLS, bilstm_speeds, frozen_speeds

    found = bilstm_speeds("mini/sst2", 640)
    plain, lab = (f"{statistics.median(values):.1f} examples/s" for values in zip(*found, strict=True))
    ratios = [lab / plain for plain, lab in found]
    what = f"BiLSTM, {CELLS} cells: plain loop | lab (each round at least {min(ratios):.2f} times)"
    row(what, plain, lab, statistics.median(ratios))
    anew, kept = frozen_speeds("mini/sst2", 640)
    row(
        "a target on a frozen one, 5 epochs: read anew | a restart on kept states",
        seconds(anew),
        seconds(kept),
        anew / kept,
    )


def real() -> None:
    """Training speed of a small real encoder on two threads, on RTE."""
    from parity import ENCODER

    settings = {"encoder": ENCODER, "threads": 2, "limit": 400, "per_device_train_batch_size": 16, "pooling": "pooler"}
    speeds("MiniLM, RTE, 2 threads", Run(task="rte", num_train_epochs=1, **settings), rounds=5)


def speeds(name: str, run: Run, rounds: int) -> None:
    """Examples per second of the lab and of Trainer, taking turns; evaluation left out."""
    from parity import fine_tune

    from intertask.training import prepare, train

    tasks = prepare(run)
    task = tasks[run.task]
    task.splits["validation"] = task.splits["validation"].head(16)
    task.splits.pop("test", None)
    count = len(task.splits["train"])
    systems = {
        "lab": lambda run: train(run, tasks, run.encoder).seconds["train"],
        "length-grouped": lambda run: fine_tune(run, task, grouped=True)[1],
        "padded": lambda run: fine_tune(run, task, grouped=False)[1],
    }
    found = {system: [] for system in systems}
    for seed in range(rounds):
        for system, call in systems.items():
            found[system].append(count / call(run.model_copy(update={"seed": seed})))
    middle = {system: f"{statistics.median(values):.1f} examples/s" for system, values in found.items()}
    for system in ("length-grouped", "padded"):
        ratios = [lab / other for lab, other in zip(found["lab"], found[system], strict=True)]
        what = f"{name}: Trainer {system} | lab (each round at least {min(ratios):.2f} times)"
        row(what, middle[system], middle["lab"], statistics.median(ratios))


def mixing() -> None:
    """Examples per second where every batch holds several tasks, beside the same examples as a single task."""
    from parity import ENCODER

    mini = {"task": "mini/mnli", "encoder": "mini/bert", "max_length": 64, "limit": 3000}
    real = {"task": "rte", "encoder": ENCODER, "threads": 2, "limit": 400, "per_device_train_batch_size": 16}
    mixtures("mini/bert, mini/mnli", Run(num_train_epochs=1, **mini))
    mixtures("MiniLM, RTE", Run(num_train_epochs=1, **real))


def mixtures(name: str, run: Run, rounds: int = 5) -> None:
    """The training set whole, and as two tasks of half the examples each, by every schedule of batches, in turn."""
    from dataclasses import replace

    from intertask.training import prepare, train

    (task,) = prepare(run).values()
    rows, dev = task.splits["train"], task.splits["validation"].head(16)
    halves = [
        replace(task, entry=task.entry.model_copy(update={"name": name}), splits={"train": part, "validation": dev})
        for name, part in ((run.task, rows[::2]), ("twin", rows[1::2]))
    ]
    whole = {run.task: replace(task, splits={"train": rows, "validation": dev})}
    two = {half.entry.name: half for half in halves}
    schedules = ["homogeneous", "heterogeneous", "forced_heterogeneous"]
    found = {way: [] for way in ["single", *schedules]}
    for seed in range(rounds):
        one = run.model_copy(update={"seed": seed})
        found["single"].append(len(rows) / train(one, whole, run.encoder).seconds["train"])
        for way in schedules:
            mixed = one.model_copy(update={"alongside": [Member(task="twin")], "batch_schedule": way})
            found[way].append(len(rows) / train(mixed, two, run.encoder).seconds["train"])
    speeds = {way: f"{statistics.median(values):.0f} examples/s" for way, values in found.items()}
    for way in schedules:
        ratios = [mixed / single for mixed, single in zip(found[way], found["single"], strict=True)]
        what = f"{name}: a single task | two tasks, {way} (each round at least {min(ratios):.2f} times)"
        row(what, speeds["single"], speeds[way], statistics.median(ratios))


def demo() -> None:
    """The demo's runs, by the lab with as many workers as there are processors, and one by one by plain papermill."""
    graph = expand(*load_study("demo"))
    with results() as folder:
        began = time.perf_counter()
        run_all(graph.runs, processors())
        lab = time.perf_counter() - began
        began = time.perf_counter()
        for run in graph.runs.values():
            plain_papermill(run)
        plain = time.perf_counter() - began
        both = [[scores(folder / pool / run_id) for pool in ("runs", "by_hand")] for run_id in graph.runs]
    row(f"the demo's {len(both)} runs: plain papermill one by one | lab", seconds(plain), seconds(lab), plain / lab)
    row("  runs with equal scores both ways", "", f"{sum(a == b for a, b in both)} of {len(both)}")


PARTS = {
    "overhead": overhead,
    "memory": memory,
    "workers": workers,
    "starts": starts,
    "store": store_of_runs,
    "scores": table_of_scores,
    "data": data,
    "mini": mini,
    "words": words,
    "real": real,
    "mixing": mixing,
    "demo": demo,
}


def small_runs(count: int) -> dict[str, Run]:
    """Runs with next to no training."""
    runs = [Run(task="mini/wnli", limit=64, num_train_epochs=1, max_length=64, seed=seed) for seed in range(count)]
    return {run.id(): run for run in runs}


def mini_run(task: str, seed: int) -> Run:
    return Run(task=task, seed=seed, max_length=64, learning_rate=5e-4, per_device_train_batch_size=32)


def run_all(runs: dict[str, Run], number: int, warm: bool = True) -> execute.Ledger:
    with redirect_stdout(io.StringIO()), Here(number, 3600, warm) as place:
        return execute.execute(runs, place, Countdown(lambda: estimate(runs).seconds, number))


def warm_up(number: int) -> None:
    """Has the process that runs are forked from started and its imports done."""
    runs = [Run(task="mini/wnli", limit=64, num_train_epochs=1, seed=1000 + seed) for seed in range(number)]
    run_all({run.id(): run for run in runs}, number)


def plain_papermill(run: Run) -> None:
    """What one would otherwise call."""
    import papermill

    parameters = run.model_dump(mode="json")
    with tempfile.TemporaryDirectory() as folder, unheard():
        papermill.execute_notebook(str(TRAIN), f"{folder}/out.ipynb", parameters, progress_bar=False, cwd=str(ROOT))


@contextmanager
def unheard() -> Iterator[None]:
    """Sends what kernels write to standard error, a warning each, to nowhere."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def training(folder: Path) -> float:
    seconds = json.loads((folder / "run.json").read_text())["seconds"]
    return seconds["train"] + seconds["evaluate"]


def scores(folder: Path) -> dict:
    tasks = json.loads((folder / "run.json").read_text())["tasks"]
    return {name: own["scores"] for name, own in tasks.items()}


def ended(folder: Path) -> float:
    return (folder / "run.json").stat().st_mtime


def pad_records(folder: Path) -> None:
    """Gives the made records the size of real ones."""
    from made_store import reseal

    identity = Run(task="mini/rte").identity()
    for path in folder.glob("runs/*/run.json"):
        reseal(path.parent, identity=identity)


@contextmanager
def results() -> Iterator[Path]:
    """An empty results folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["INTERTASK_RESULTS"] = folder
        yield Path(folder)
        del os.environ["INTERTASK_RESULTS"]


class Memory:
    """Watches the memory (in MB) of our children that they share with nobody: a fork server's, and a run's peak."""

    def __enter__(self) -> "Memory":
        self.server = self.run = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for child in psutil.Process().children():
                with suppress(psutil.Error):  # it may end at any moment
                    self._look(child)

    def _look(self, child: psutil.Process) -> None:
        command = " ".join(child.cmdline())
        if "forkserver" in command:
            self.server = max(self.server, child.memory_info().rss / 1e6)
            self.run = max(self.run, sum(own_memory(process) for process in child.children(recursive=True)))
        elif "ipykernel" in command:
            self.run = max(self.run, own_memory(child))


def seconds(value: float) -> str:
    return f"{value:.2f} s"


def spread(values: list[float]) -> str:
    return f"{min(values):.2f}–{max(values):.2f} s"


def megabytes(value: float) -> str:
    return f"{value:.0f} MB"


def timed(call) -> str:
    began = time.perf_counter()
    call()
    return seconds(time.perf_counter() - began)


def own_memory(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().uss / 1e6
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
