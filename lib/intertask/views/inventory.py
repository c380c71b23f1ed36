"""What there is: the studies, with their state, and what a finished run is, in words."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from intertask.errors import IntertaskError, number_of, refusal
from intertask.run import SEEDS, Run
from intertask.studies import store
from intertask.studies.status import failure, kept_studies, read_study, study_folder
from intertask.studies.study import studies_in_params
from intertask.written import as_written


def known_studies() -> list[str]:
    """The names of the studies in `params/` and of those in the results."""
    return sorted({*studies_in_params(), *kept_studies()})


def states() -> Iterator[tuple[str, str]]:
    """Each study with how many of its runs the pool holds; what of these is damaged, `intertask status` says."""
    there = set(store.run_ids())
    failed = {path.name for path in (store.pool() / ".failed").glob("*")}
    for name in known_studies():
        if not study_folder(name):
            yield name, "never run"
            continue
        try:
            study = read_study(name)
        except IntertaskError as error:
            yield name, str(error)
            continue
        runs = {row["run"] for row in study["runs"]}
        lost = f", {len(runs & failed)} failed" if runs & failed else ""
        done = f"{len(runs & there)} of {number_of(len(runs), 'run')} finished"
        yield name, f"{done}{lost}; begun {study['written'][:10]}"


def find_run(beginning: str, among: Iterable[str] | None = None, where: object = None) -> str:
    """The id of the one run that begins so: of those in the pool, or `among` others, which are somewhere else.

    A folder stands for the run of its name. Raises IntertaskError where there is none, or several.
    """
    if (folder := Path(beginning)).is_dir():
        beginning = folder.resolve().name
    names = store.run_ids() if among is None else sorted(among)
    found = [name for name in names if name == beginning] or [name for name in names if name.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "\n".join([*found[:10], *[f"and {len(found) - 10} more"] * (len(found) > 10)])
        raise IntertaskError(f"{len(found)} runs begin with {beginning!r}; give more of one:\n{listed}")
    if among is None and len(failed := failed_runs(beginning)) == 1:
        remedy = "Make it anew: intertask run STUDY --retry-failed."
        raise refusal(failed[0], "a finished run", f"that it failed ({failure(failed[0])})", remedy)
    near = get_close_matches(beginning, names, n=1, cutoff=0.4)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise IntertaskError(f"There is no run {beginning!r} among the {len(names)} in {where or store.pool()}.{hint}")


def failed_runs(beginning: str) -> list[str]:
    """The failed runs whose names begin so."""
    return sorted(one.name for one in (store.pool() / ".failed").glob("*") if one.name.startswith(beginning))


def run_page(beginning: str) -> str:
    """What a finished run is, from its record."""
    try:
        record = store.read(find_run(beginning))
    except FileNotFoundError:
        raise IntertaskError(f"{beginning}: expected a finished run, found a folder without a record.") from None
    identity = record["identity"]
    # an encoder stands there by its files, and a seed also where it follows the run's
    aside = {"encoder", *(name for name in SEEDS if identity.get(name) == record["seed"])}
    given = {name: value for name, value in identity.items() if name in Run.model_fields and name not in aside}
    given |= record["settings"]  # what a sweep decided is in no identity, which names the sweep's runs
    took = f"{number_of(record['steps'], 'step')}, {sum(record['seconds'].values()):.0f} s"
    computed = f"{record['device']} in {record['identity']['computed_by']['precision']}"
    lines = [record["id"], f"finished {record['finished']} on {computed}, {took}", "", "scores"]
    for task, outcome in record["tasks"].items():
        for split, scores in outcome["scores"].items():
            said = ", ".join(f"{metric} {value:.1f}" for metric, value in scores.items())
            floor = outcome["majority"][split]["main"]
            lines.append(
                f"  {task}, {split} ({number_of(outcome['sizes'][split], 'example')}): {said}; majority {floor:.1f}"
            )
    lines += ["", "parameters that were set", *(f"  {name}: {as_written(value)}" for name, value in given.items())]
    lines += ["", f"started from {record['parent'] or record['encoder']}"]
    return "\n".join([*lines, "", "files", *(f"  {path}" for path in files_of(record))])


def files_of(record: dict) -> list[Path]:
    """Where a run's executed notebook, curve, predictions and encoder are, of those that are there."""
    folder = store.folder_of(record["id"])
    kept = [store.notebook_file(folder), folder / "curve.csv", *sorted(folder.glob("predictions/**/*.parquet"))]
    return [path for path in (*kept, folder / "encoder") if path.exists()]
