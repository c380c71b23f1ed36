"""Why a run is none of those that are finished: in what it differs from the nearest of them, to the first cause."""

import re
from collections.abc import Iterator
from typing import Any

from intertask.errors import IntertaskError
from intertask.run import NOT_IDENTITY, SEEDS, Run
from intertask.studies import store
from intertask.studies.graph import Graph
from intertask.studies.status import missing_runs
from intertask.views.inventory import find_run
from intertask.views.live import running_runs
from intertask.written import as_written

NEVER_MEANT = {*NOT_IDENTITY, *SEEDS, "encoder"}  # a run that started from another has none of its own
UNLESS_SAID = {name: default for name, default in Run.defaults().items() if name not in NEVER_MEANT}
RUNS = ("parent", "settings_from", "single_scores")
"""Parameters that name other runs."""


def explained(beginning: str, name: str, index: list[dict[str, Any]], graph: Graph | None, absent: str = "") -> str:
    """What became of a run of a study and, where it is not finished, how it differs from the nearest one that is.

    graph: the study as it is here and now; None where something is `absent`.
    """
    rows, runs = (graph.snapshot()["runs"], graph.runs) if graph else ([], {})
    run_id = find_run(beginning, {row["run"] for row in [*index, *rows]}, name)
    lines = [f"{run_id}: {_state(run_id, [*index, *rows])}"]
    if run_id not in runs and (here := _in_its_role(run_id, index, rows)):
        run_id = here
        lines.append(f"Here and now the study has another run in its place, {here}: {_state(here, rows)}")
    if run_id not in runs:
        lines.append(f"What it would be here and now cannot be told: {absent or 'the study no longer holds it'}")
    elif run_id != lines[0].partition(":")[0] or not store.finished(run_id):
        lines += _beside_the_nearest(run_id, runs)
    return "\n".join(lines)


def _state(run_id: str, rows: list[dict[str, Any]]) -> str:
    if running := running_runs().get(run_id):
        return str(running)
    return missing_runs(rows).get(run_id) or f"finished {store.read(run_id)['finished']}; it is not made again"


def _in_its_role(run_id: str, index: list[dict[str, Any]], rows: list[dict[str, Any]]) -> str | None:
    """The run that has the first role of one that the study had before."""
    named = ("run", "parents", "supporting_run")
    roles = [{key: value for key, value in row.items() if key not in named} for row in index if row["run"] == run_id]
    found = (row["run"] for row in rows if roles and all(row[key] == value for key, value in roles[0].items()))
    return next(found, None)


def _beside_the_nearest(run_id: str, runs: dict[str, Run]) -> Iterator[str]:
    """The difference from the finished run of these tasks and encoder that differs in least; of equals the last."""
    ours, kind = _fields(runs[run_id].identity()), _kind(run_id)
    others = [other for other in store.run_ids(kind) if _kind(other) == kind and other != run_id]
    records = sorted(store.sound(others), key=lambda record: record["finished"], reverse=True)
    if not records:
        yield "No other run of its tasks and encoder is finished."
        return
    near = min(records, key=lambda record: len(_differing(ours, _fields(record["identity"]))))
    nearest = "The one finished run" if len(records) == 1 else f"The nearest of {len(records)} finished runs"
    yield f"{nearest} of its tasks and encoder is {near['id']}. They differ in"
    yield from _differences(ours, _fields(near["identity"]), runs, "  ")


def _kind(run_id: str) -> str:
    """Of a run's id what names its tasks and encoder."""
    return re.sub(r"\.s\d+$", "", run_id.rpartition("-")[0])


def _fields(identity: dict[str, Any]) -> dict[str, Any]:
    """What decides a run's result, each under what it is called; a seed is left out that follows the run's."""
    found = UNLESS_SAID | {name: value for name, value in identity.items() if name not in ("data", "computed_by")}
    found |= {name: None for name in SEEDS if identity.get(name) == found["seed"]}
    for task, (entry, rows) in identity.get("data", {}).items():
        found |= {f"entry of {task}": entry, f"data of {task}": rows}
    return found | {f"computed by {what}": of for what, of in identity.get("computed_by", {}).items()}


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [name for name in ours | theirs if ours.get(name) != theirs.get(name)]


def _differences(ours: dict[str, Any], theirs: dict[str, Any], runs: dict[str, Run], indent: str) -> Iterator[str]:
    """A line for each field, and for runs that these started from the lines in which they differ in turn."""
    for name in _differing(ours, theirs):
        here, there = ours.get(name), theirs.get(name)
        if name == "encoder" or name.startswith(("entry of ", "data of ")):
            if here is None or there is None:
                continue  # a parent is named in its place, and tasks are under the mixture
            other = ", ".join(_differing(here, there)) if name.startswith("entry") else "other rows"
            yield f"{indent}{name}: {'other files' if name == 'encoder' else other}"
        elif name in RUNS and (new := _runs_in(here, there)) and (old := _runs_in(there, here)):
            others = f" (and {len(new) - 1} more)" if len(new) > 1 else ""
            yield f"{indent}{name}: {new[0]} here, {old[0]} there{others}, which differ in"
            yield from _differences_of_runs(new[0], old[0], runs, indent + "  ")
        else:
            told = [as_written(value) if name in Run.model_fields else value or "none" for value in (here, there)]
            yield f"{indent}{name.replace('edited_code', 'edited code')}: {told[0]} here, {told[1]} there"


def _runs_in(value: Any, other: Any) -> list[str]:
    """The runs that one parameter names and the other does not."""
    ids = [re.findall(r"[^\s'\"\[\],]+-[0-9a-f]{12}", str(one)) for one in (value, other)]
    return [run_id for run_id in ids[0] if run_id not in ids[1]]


def _differences_of_runs(new: str, old: str, runs: dict[str, Run], indent: str) -> Iterator[str]:
    try:
        ours = runs[new].identity() if new in runs else store.read(new)["identity"]
        theirs = store.read(old)["identity"]
    except (FileNotFoundError, IntertaskError):
        yield f"{indent}what is no longer known: the pool has no {old}"
        return
    yield from _differences(_fields(ours), _fields(theirs), runs, indent)
