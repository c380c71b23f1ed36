"""The command `intertask`: studies in batches, from checking to the report."""

import errno
import math
import os
import signal
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from intertask.errors import IntertaskError, number_of, refusal
from intertask.files import csv_text, is_writable_folder, other_results, write
from intertask.written import escaped


def say(text: str = "", end: str = "\n", err: bool = False) -> None:
    """Prints what may hold words of the user's: characters that would steer the terminal are shown."""
    print(escaped(text), end=end, file=sys.stderr if err else sys.stdout, flush=True)


UNUSABLE = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}
UNUSABLE |= {errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR}
"""What the system says of a place where nothing can be read or written: never a fault of the program's."""


FAILED_CODE = 1
"""The exit code where runs failed; 2: something was refused; 0: all is done."""


def stopped_code(number: int = signal.SIGINT) -> int:
    """The exit code of what was stopped by a signal: 130 by Ctrl-C, 143 by others."""
    return 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


class Friendly(typer.core.TyperGroup):
    """Shows what the user can mend as a message, not as a traceback."""

    def main(self, *arguments, **options):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace")  # on a terminal that has not all characters
        return super().main(*arguments, **options)

    def invoke(self, context):
        try:
            _refuse_deleted_folder()
            _fix_places()
            return super().invoke(context)
        except KeyboardInterrupt as error:
            say("Stopped at once. What is finished stays.", err=True)
            raise typer.Exit(stopped_code(*error.args)) from None
        except IntertaskError as error:
            message = str(error)
        except OSError as error:
            if error.errno not in UNUSABLE:
                raise
            remedy = "Look at what lies there, free some space, or name a place that you may write to."
            message = str(refusal(error.filename or "disk", "a place to read and to write", error.strerror, remedy))
        typer.secho(escaped(message), fg="red", err=True)
        raise typer.Exit(2)


def _refuse_deleted_folder() -> None:
    try:
        os.getcwd()
    except FileNotFoundError:
        remedy = 'Change into one that is there: cd "$PWD" where it was made anew.'
        raise refusal("working directory", "a folder", "that it was deleted", remedy) from None


def _fix_places() -> None:
    """What is said of a place relatively, or with ~, means the same wherever the runs are executed."""
    for name in ("INTERTASK_CACHE", "INTERTASK_CORPORA", "INTERTASK_HUB", "INTERTASK_POOLS", "INTERTASK_RESULTS"):
        if given := os.environ.get(name):
            places = given.split(os.pathsep) if name == "INTERTASK_POOLS" else [given]
            fixed = [os.path.abspath(os.path.expanduser(place)) for place in places if place]
            os.environ[name] = os.pathsep.join(fixed)
    other_results()  # refused before anything starts


app = typer.Typer(cls=Friendly, help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False,
                  rich_markup_mode="markdown")  # otherwise [what stands in brackets] is lost  # fmt: skip
task_app = typer.Typer(help="Tasks of your own.", no_args_is_help=True)
app.add_typer(task_app, name="task")
pool_app = typer.Typer(help="Finished runs, carried to another machine and back.", no_args_is_help=True)
app.add_typer(pool_app, name="pool")
encoder_app = typer.Typer(help="Encoders that lie as others saved them.", no_args_is_help=True)
app.add_typer(encoder_app, name="encoder")


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"intertask {version('intertask')}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="say the version and end")
    ] = False,
) -> None:
    pass


def _studies_to_complete(begun: str) -> list[str]:
    from intertask.views.inventory import known_studies

    return [name for name in known_studies() if name.startswith(begun)]


def _runs_to_complete(begun: str) -> list[str]:
    from intertask.studies import store

    return store.run_ids(begun)


def _place_of_csv(path: Path | None) -> Path | None:
    """Refuses a file that could not be written, before anything is computed for it."""
    # another name could be a study's, or a device's, in whose place the file would come
    if path and not (path.suffix == ".csv" and not path.is_dir() and is_writable_folder(path.absolute().parent)):
        expected = "a file whose name ends in .csv, in a folder that is there and can be written to"
        raise refusal("--csv", expected, str(path), "Make its folder, or name another.")
    return path


Csv = Annotated[Path | None, typer.Option(help="the file to write instead of standard output", callback=_place_of_csv)]
Mini = Annotated[bool, typer.Option("--mini", help="the same study on the mini suite")]
Quick = Annotated[bool, typer.Option("--quick", help="with --mini: fewer tasks and seeds, every stage and notebook")]
StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="a study file, or the name of one in params/", autocompletion=_studies_to_complete
    ),
]


DryRun = Annotated[bool, typer.Option("--dry-run", help="show the graph and what it will cost; start nothing")]
Workers = Annotated[int, typer.Option(min=0, help="runs at a time; 0: as many as the processors, or the GPUs, carry")]
RunsPerGpu = Annotated[int, typer.Option(min=1, help="runs at a time on one GPU")]


def _finite(minutes: float) -> float:
    if not math.isfinite(minutes):
        raise refusal("--timeout", "a number of minutes", f"{minutes}", "Say how many.")
    return minutes


DAY = 24 * 60  # minutes
Timeout = Annotated[float, typer.Option(min=0.01, help="wall-clock limit of one run, in minutes", callback=_finite)]
Until = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="start no run that is expected to take longer than until then: HH:MM, 2030-01-31T18:00, or seconds as "
        "in $SLURM_JOB_END_TIME",
    ),
]
ClusterAt = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS|FILE.yaml",
        help="execute runs on a Dask cluster: the address of its scheduler, or a file as in params/clusters/",
    ),
]
SchedulerFile = Annotated[
    str, typer.Option(metavar="FILE", help="execute runs on a Dask cluster: what its scheduler wrote")
]
PlainKernels = Annotated[
    bool, typer.Option("--plain-kernels", help="start every kernel anew instead of forking a warm one: slower")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="do those runs too that failed before of themselves")]
Redo = Annotated[
    str,
    typer.Option(metavar="RUN", help="make this one run anew, finished or failed", autocompletion=_runs_to_complete),
]
Keep = Annotated[bool, typer.Option("--keep", help="with --redo: store the run's encoder, which `export` needs")]


@app.command()
def run(
    study: StudyName,
    mini: Mini = False,
    quick: Quick = False,
    dry_run: DryRun = False,
    workers: Workers = 0,
    runs_per_gpu: RunsPerGpu = 1,
    timeout: Timeout = DAY,
    until: Until = "",
    cluster: ClusterAt = "",
    scheduler_file: SchedulerFile = "",
    plain_kernels: PlainKernels = False,
    retry_failed: RetryFailed = False,
    redo: Redo = "",
    keep: Keep = False,
) -> None:
    """Executes the runs of a study that are not finished yet; those that failed of themselves are left.

    Ends with 0: all are finished; 1: some failed; 2: something was refused, before or while runs were executed; 130: it
    was stopped by Ctrl-C; 143: by SIGTERM or SIGUSR1, or --until was reached with runs left. At the first signal the
    runs under way are asked to stop in order, at the second they end at once.
    """
    from intertask.execution.driver import driving
    from intertask.execution.execute import execute
    from intertask.execution.here import WARM, Here
    from intertask.execution.redo import compared, former_aside
    from intertask.execution.schedule import workers_for
    from intertask.files import project_root, results_root
    from intertask.origin import cards
    from intertask.views.countdown import Countdown
    from intertask.views.estimate import estimate

    if keep and not redo:
        raise refusal("--keep", "--redo RUN with it", "it alone", "Of a whole study say `keep: best` or `all` in it.")
    which = retry_failed, redo, keep
    deadline, where = _deadline(until), _cluster(cluster, scheduler_file)
    loaded = _load(study, mini, quick)
    warm = WARM and not plain_kernels
    told = _to_go_on(scheduler_file, where, workers, runs_per_gpu, timeout, plain_kernels)
    if dry_run:
        _say_plan(loaded, where, which, (workers, runs_per_gpu))
        return
    os.environ["INTERTASK_RESULTS"] = str(results_root())  # before we leave
    os.chdir(project_root())  # where we stand may be deleted before the last run starts
    with ExitStack() as places:
        if where:  # before: what computes there is part of the runs' identity
            options = (loaded[1], timeout * 60, warm, workers, runs_per_gpu, partial(say, err=True))
            place = places.enter_context(_clusters().Cluster(where, *options))
        graph, todo, left = _ready(loaded, which)
        if not where:
            of = graph.study
            workers = workers_for(len(todo), of.threads, workers, runs_per_gpu, of.device)
            place = places.enter_context(Here(workers, timeout * 60, warm, cards()))
        before = len(graph.runs) - len(todo) - len(left)
        say(f"{graph.name}: {number_of(len(graph.runs), 'run')}, {before} finished before; {place.workers} at a time.")
        with driving(graph.name, told) as tell, former_aside(redo and next(iter(todo))) as former:
            countdown = Countdown(lambda: tell(estimate(todo).seconds, max(1, place.workers)), place.workers)
            progress = execute(todo, place, countdown, deadline)  # removes what killed runs left, at least
    _say_end(graph.name, len(todo), progress, left)
    report = " ".join(["intertask report", study, *_flags(mini, quick)])
    say(compared(graph, next(iter(todo)), former) if redo else f"All runs of {graph.name} are finished. Next: {report}")


YAML = (".yaml", ".yml")


def _ready(loaded, which: tuple[bool, str, bool]):
    """The graph, judged and saved, its runs to do, and why others that are not finished are left."""
    from intertask.execution.shared import shared_folder
    from intertask.files import results_root
    from intertask.studies.graph import graph_of

    graph = graph_of(*loaded)
    todo, left = _to_do(graph, *which)
    _say_notes(graph, todo)
    graph.save()
    if shared := shared_folder(results_root()):
        say(shared)
    return graph, todo, left


def _say_plan(loaded, where: str, which: tuple[bool, str, bool], at_a_time: tuple[int, int]) -> None:
    """What `run` would do: the job of a cluster that is a file, then the graph and its costs."""
    from intertask.execution.schedule import workers_for
    from intertask.studies.graph import planned_graph
    from intertask.views.dry_run import dry_run_page

    if where.endswith(YAML):
        say(_clusters().job_page(Path(where)))
    graph, absent = planned_graph(*loaded)
    todo, _ = _to_do(graph, *which)
    at_once = workers_for(len(todo), graph.study.threads, *at_a_time, graph.study.device)
    say(dry_run_page(graph, todo, at_once, absent))


def _cluster(address: str, scheduler_file: str) -> str:
    """Where a cluster's scheduler is found, as `cluster.Cluster` takes it; empty: runs are executed here."""
    if address and scheduler_file:
        raise refusal("--cluster", "it alone", "--scheduler-file with it", "Leave one of them out.")
    file = scheduler_file or address * address.endswith(YAML)
    if file and not os.path.isfile(file):
        raise refusal(file, "a file", "none", "Start the scheduler with --scheduler-file, or look in params/clusters/.")
    return os.path.abspath(file) if file else address


def _to_go_on(
    scheduler_file: str, where: str, workers: int, runs_per_gpu: int, timeout: float, plain: bool
) -> list[str]:
    """The options with which another driver executes runs where this one does, and as many at a time."""
    given = {"--scheduler-file" if scheduler_file else "--cluster": where, "--workers": workers}
    given |= {"--runs-per-gpu": runs_per_gpu * (runs_per_gpu > 1), "--timeout": timeout * (timeout != DAY)}
    return [word for name, value in given.items() if value for word in (name, f"{value}")] + ["--plain-kernels"] * plain


def _clusters():
    try:
        from intertask.execution import cluster
    except ImportError as error:
        raise refusal("--cluster", "the packages for it", str(error), "pip install 'intertask[cluster]'") from None
    return cluster


def _deadline(until: str) -> float:
    """A time that a user gave, by the monotonic clock, which nobody puts back."""
    if not until:
        return math.inf
    here = datetime.now().astimezone()
    try:
        if until.isdigit() and len(until) > 8:
            then = datetime.fromtimestamp(int(until)).astimezone()
        elif "-" in until:
            then = datetime.fromisoformat(until).astimezone()
        else:
            told = datetime.strptime(until, "%H:%M")
            then = here.replace(hour=told.hour, minute=told.minute, second=0, microsecond=0)
            then += timedelta(days=then <= here)
    except (ValueError, OverflowError, OSError):
        then = None
    if then is None or then <= here:
        expected = "a time to come, as 18:00, 2030-01-31T18:00 or $SLURM_JOB_END_TIME"
        raise refusal("--until", expected, until, "Say when the time ends.")
    return time.monotonic() + (then - here).total_seconds()


def _say_end(name: str, todo: int, progress, left: dict[str, str]) -> None:
    """Says what became of the runs to do, and ends with the code for it where not all are done.

    left: those that are not done because they failed before.
    """
    if failed := left | progress.failed:
        lines = "".join(f"\n{run_id}: {reason}" for run_id, reason in failed.items())
        words = f"{len(failed)} of {number_of(todo + len(left), 'run')} failed, or need one that did. The same command "
        again = "tries again what was killed or had no room, with --retry-failed the others too."
        typer.secho(escaped(f"{words}{again}{lines}"), fg="red", err=True)
    undone = todo - len(progress.done)
    if undone and (progress.stopped or progress.too_long):
        why = signal.Signals(progress.stopped).name if progress.stopped else "what is left takes longer than --until"
        left = f"{undone} of {number_of(todo, 'run')} left to do"
        say(f"{name} was stopped ({why}): {left}; what is finished stays, and the same command goes on.", err=True)
        raise typer.Exit(stopped_code(progress.stopped or signal.SIGTERM))
    if failed:
        raise typer.Exit(FAILED_CODE)


@app.command()
def check(study: StudyName, mini: Mini = False, quick: Quick = False) -> None:
    """Validates a study, its encoders and its data; starts nothing."""
    from intertask.studies.graph import graph_of

    graph = graph_of(*_load(study, mini, quick))
    todo = _unfinished(graph)
    _say_notes(graph, graph.runs)
    say(f"{graph.name} is sound: {number_of(len(graph.runs), 'run')}, {len(todo)} to do.")


@app.command()
def status(
    study: StudyName,
    mini: Mini = False,
    quick: Quick = False,
    explain: Annotated[
        str, typer.Option(metavar="RUN", help="say in what this one differs from the nearest finished run")
    ] = "",
) -> None:
    """Says which runs are finished, failed and missing."""
    from intertask.studies.graph import graph_of
    from intertask.studies.status import missing_runs, read_study
    from intertask.views.explained import explained
    from intertask.views.live import running_runs

    name = _name(study, mini, quick)
    index = read_study(name)["runs"]
    if explain:
        graph, absent = None, ""
        try:
            graph = graph_of(*_load(study, mini, quick))
        except IntertaskError as error:
            absent = str(error)
        say(explained(explain, name, index, graph, absent))
        return
    if not index:
        say(f"{name} is a table of scores: nothing is run for it.")
    missing, running = missing_runs(index), running_runs()
    for stage in dict.fromkeys(row["stage"] for row in index):
        runs = {row["run"] for row in index if row["stage"] == stage}
        under_way = f", {len(runs & running.keys())} running" if runs & running.keys() else ""
        say(f"{stage:12} {len(runs - missing.keys())} of {number_of(len(runs), 'run')} finished{under_way}")
    for run_id, reason in missing.items():
        say(f"{run_id}: {running.get(run_id, reason)}")


@app.command()
def studies() -> None:
    """Lists the studies in params/ and in the results, with what became of their runs."""
    from intertask.views.inventory import states

    found = dict(states())
    width = max(map(len, found), default=0)
    for name, state in found.items():
        say(f"{name:{width}}  {state}")


RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="a run's id, or its beginning, or its folder", autocompletion=_runs_to_complete),
]


@app.command()
def show(run: RunName) -> None:
    """Says what a finished run is: its scores, its parameters, what it started from, where it lies."""
    from intertask.views.inventory import run_page

    say(run_page(run))


@app.command()
def scores(study: StudyName, mini: Mini = False, quick: Quick = False, csv: Csv = None) -> None:
    """Writes the tidy table of scores (0-100), one row per score, as CSV."""
    from intertask.analysis.read import read_scores
    from intertask.analysis.score_tables import find_table
    from intertask.studies.status import missing_runs, read_study

    if csv and (csv.with_suffix("") / "study.json").is_file():
        found = f"{csv}, which would be read in place of the study {csv.stem}"
        raise refusal("--csv", "a file that has not the name of a study", found, "Name another file.")
    name = _name(study, mini, quick)
    table = read_scores(name)
    if csv:
        write(csv, csv_text(table, index=False))
        say(f"{csv}: {number_of(len(table), 'score')}")
    else:
        sys.stdout.reconfigure(encoding="utf-8")  # as in a file: it is read by programs
        print(csv_text(table, index=False), end="")
    if not find_table(name) and (absent := missing_runs(read_study(name)["runs"])):
        say(f"{name}: without {number_of(len(absent), 'run')}; `intertask status` says why.", err=True)


@app.command()
def report(
    study: StudyName,
    mini: Mini = False,
    quick: Quick = False,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="where it goes; default: report/ beside the study's snapshot")
    ] = None,
) -> None:
    """Executes and renders the study's analysis notebooks."""
    from intertask.report import build_report

    here = os.getcwd()  # before: an empty one may be replaced
    folder = build_report(_name(study, mini, quick), to, partial(say, err=True))
    say(os.path.relpath(folder / "index.html", here))


@app.command("predict")
def predict_rows(
    run: RunName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON lines or Parquet, labelled or not")],
    csv: Csv = None,
    task: Annotated[str, typer.Option(help="which of its tasks, where the run trained several")] = "",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="the probability from which on labels are predicted, or how far above the best answer's score that of "
            "none must be; default: the task's",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Predicts each row of a file with a run that kept its encoder, and scores it where labels are there."""
    from intertask.use.predict import predict_file

    if not csv:
        sys.stdout.reconfigure(encoding="utf-8")  # as in a file: it is read by programs
    predict_file(run, file, csv, task, threshold, partial(say, err=not csv))


@app.command()
def submit(
    study: StudyName,
    mini: Mini = False,
    quick: Quick = False,
    rule: Annotated[
        Literal["best_of_each", "single"], typer.Option(help="all runs of a task, or those without a supporting task")
    ] = "best_of_each",
    encoder: Annotated[str, typer.Option(metavar="LABEL", help="which encoder, where the study has several")] = "",
) -> None:
    """Writes a submission to the GLUE leaderboard from the runs that are best on dev."""
    from intertask.papers.submission import write_submission

    say(os.path.relpath(write_submission(_name(study, mini, quick), rule, encoder)))


@app.command("export")
def export_model(
    what: Annotated[
        str, typer.Argument(metavar="STUDY|RUN", help="a study, or a run's id or its beginning, or its folder")
    ],
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="new or empty")],
    task: Annotated[str, typer.Option(metavar="TASK", help="which, where there are several")] = "",
    rule: Annotated[
        Literal["best", "median"],
        typer.Option(help="of a study: the run of the best dev score, or the median one of the best configuration"),
    ] = "best",
    adapter: Annotated[bool, typer.Option("--adapter", help="of a run with LoRA the adapter alone, for peft")] = False,
    push: Annotated[
        str, typer.Option(metavar="OWNER/NAME", help="upload it to the Hub, a new repository being private")
    ] = "",
    mini: Mini = False,
    quick: Quick = False,
) -> None:
    """Writes a finished run as a model of plain transformers, with its head, tokenizer and model card."""
    from intertask.use import export as use

    flags = _flags(mini, quick)
    named = _name(what, mini, quick) if what.endswith(YAML) else what + "".join(flag[1:] for flag in flags)
    use.export_run(named, to, task, rule, adapter, say)
    say(f"{to}: {', '.join(sorted(path.name for path in to.iterdir()))}")
    if push:
        say(use.push(to, push))


@app.command("publish")
def publish_runs(
    study: StudyName,
    to: Annotated[Literal["trackio", "wandb", "mlflow", "tensorboard"], typer.Option(help="where; each is an extra")],
    mini: Mini = False,
    quick: Quick = False,
) -> None:
    """Writes a study's finished runs into a tracker that does not have them yet: parameters, curves and scores."""
    from intertask.use.publish import publish_study

    publish_study(_name(study, mini, quick), to, say)


Encoders = Annotated[
    bool, typer.Option("--encoders/--no-encoders", help="without them runs are read alike, and none starts from these")
]


@pool_app.command("export")
def export_pool(
    given: Annotated[list[str], typer.Argument(metavar="[STUDY] TO", help="default: every study and run")],
    mini: Mini = False,
    quick: Quick = False,
    encoders: Encoders = True,
) -> None:
    """Copies a study and its finished runs into a folder, or an archive where TO ends in .tar; checks every file.

    TO is a results folder: rsync carries it, INTERTASK_POOLS=TO reads it, `pool import TO` takes it in. Ends with 1
    where damaged runs were left out.
    """
    from intertask.studies import store, travel
    from intertask.studies.status import kept_studies, read_study, study_folder

    *named, to = given
    if len(named) > 1:
        raise refusal("pool export", "[STUDY] TO", " ".join(given), "Name one study, or none.")
    if not named and to in kept_studies():
        found = f"a study, {to}, and no TO"
        raise refusal("pool export", "[STUDY] TO", found, f"Say where it goes: intertask pool export {to} TO.")
    names = [_name(study, mini, quick) for study in named] or kept_studies()
    runs = store.run_ids()
    if named:
        own = {row["run"] for row in read_study(names[0])["runs"]}
        runs = [run_id for run_id in runs if run_id in own]
    if not runs:
        found = f"none in {store.pool()}"
        raise refusal("pool export", "finished runs", found, "Run a study, or set INTERTASK_RESULTS to where they lie.")
    folders = {run_id: store.folder_of(run_id, with_encoder=encoders) for run_id in runs}
    if not travel.export_to({name: study_folder(name) for name in names}, folders, Path(to), encoders, say):
        raise typer.Exit(1)


@pool_app.command("import")
def import_pool(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="a results folder, or an archive of `pool export`")],
    encoders: Encoders = True,
) -> None:
    """Takes finished runs and studies into the results; checks every file, and replaces nothing.

    A run that is there with other scores stays; the other one is kept in runs/.differing. Ends with 1 where damaged
    runs were left out.
    """
    from intertask.studies.travel import import_from

    if not import_from(source, encoders, say):
        raise typer.Exit(1)


@encoder_app.command("convert")
def convert_encoder(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="a local folder, or owner/name[@revision] of the Hub")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="a new folder, for a study to name")],
) -> None:
    """Writes an encoder that has only pytorch_model.bin as safetensors; of the pickle nothing but weights is read."""
    from intertask.encoders.pickles import to_safetensors

    to_safetensors(source, folder)
    say(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")


@task_app.command("check")
def check_task(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="a task file")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME ...]", help="default: all of its tasks")] = None,
    encoder: Annotated[
        str, typer.Option(metavar="ID", help="count tokens too, with the tokenizer of this encoder")
    ] = "",
    max_length: Annotated[
        int, typer.Option(min=4, max=1_000_000, help="tokens at which --encoder counts what is cut")
    ] = 128,
) -> None:
    """Shows the tasks of a file as training would read them, and what is wrong with them."""
    from intertask.tasks.catalogue import read_entries

    wrong = []
    for place, name in enumerate(names or read_entries(file)):
        say("\n\n" if place else "", end="")
        try:
            _show_task(name, str(file), encoder, max_length)
        except IntertaskError as error:
            wrong.append(str(error))
    if wrong:
        raise IntertaskError("\n".join(wrong))


@app.command()
def tasks(
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="only the tasks of this format")] = "",
    csv: Csv = None,
) -> None:
    """Lists the catalogue: sizes, metrics, source, licence, and whether a task's data is at hand now."""
    from intertask.views import listing

    table = listing.catalogue_table(form)
    if csv:
        write(csv, csv_text(table, index=False))
    say(f"{csv}: {number_of(len(table), 'task')}" if csv else listing.catalogue_page(table))


def _show_task(name: str, file: str, encoder: str, max_length: int) -> None:
    from intertask.tasks.load import load_task
    from intertask.views import preview

    task = load_task(name, file)
    say(preview.checked_page(task), end="")
    if encoder:
        from intertask.encoders.pretrained import load_tokenizer
        from intertask.studies.ready import unknown_words

        tokenizer = load_tokenizer(encoder)
        table = preview.token_lengths(task, tokenizer, max_length)
        say(f"\nLengths in tokens of {encoder}, and what --max-length {max_length} cuts\n{table.to_string()}")
        for sentence in unknown_words(task, tokenizer):
            say(sentence)


def _say_notes(graph, runs: dict) -> None:
    """Refuses what is wrong with a study, its runs or its report, or says what is worth knowing."""
    from intertask.foreseen import judged
    from intertask.studies.check import examined

    for note in judged(graph, examined(graph.study, runs)).notes():
        say(note)


def _load(study: str, mini: bool, quick: bool):
    from intertask.studies.study import load_study

    _flags(mini, quick)
    return load_study(study, mini, quick)


def _flags(mini: bool, quick: bool) -> list[str]:
    """As they were given; refuses --quick alone."""
    if quick and not mini:
        raise IntertaskError("--quick: expected --mini with it, found it alone. Full studies have no quick form.")
    return ["--mini"] * mini + ["--quick"] * quick


def _unfinished(graph) -> dict:
    """The runs to do; says what of the pool is damaged, and that edited code has runs of its own."""
    from intertask.origin import edited_code
    from intertask.studies.status import unfinished

    todo, damaged = unfinished(graph.runs)
    if edited_code():
        say(f"The code differs from its commit, or has none: its runs have ids of their own ({edited_code()}).")
    say("".join(f"{words}\n" for words in damaged), end="")
    return todo


def _to_do(graph, retry_failed: bool, redo: str, keep: bool) -> tuple[dict, dict[str, str]]:
    """The runs that `run` executes, and why the others that are not finished are left."""
    from intertask.execution.redo import run_to_redo
    from intertask.studies.status import failed_before
    from intertask.views.inventory import find_run

    if redo:
        return run_to_redo(graph, find_run(redo, graph.runs, graph.name), keep), {}
    todo = _unfinished(graph)
    left = {} if retry_failed else failed_before(todo)
    if left:
        say(
            f"Left are {number_of(len(left), 'run')} that failed before or need one that did: --retry-failed does "
            "them too."
        )
    return {run_id: run for run_id, run in todo.items() if run_id not in left}, left


def _name(study: str, mini: bool, quick: bool) -> str:
    """The name under which results lie: of a study file, or of a folder in the results."""
    from intertask.studies.status import edited_since, study_folder
    from intertask.studies.study import is_source, load_study, study_file, study_name

    flags = _flags(mini, quick)
    try:
        path = study_file(study)
    except IntertaskError:  # the results may have been copied without the study's file
        name = study + "".join(flag[1:] for flag in flags)
        inside = not Path(name).is_absolute() and ".." not in Path(name).parts and name == os.path.normpath(name)
        if inside and study_folder(name):
            return name
        raise
    if is_source(path):
        from intertask.analysis import score_tables  # with pandas, which nothing else of a status needs

        if flags:
            raise IntertaskError(f"{' '.join(flags)}: expected a study, found {path}, a table of scores.")
        score_tables.keep(path, study_name(path))
        return study_name(path)
    name, found = load_study(study, mini, quick)
    if edited := edited_since(name, path, found.given):
        say(edited, err=True)
    return name


if __name__ == "__main__":
    app()
