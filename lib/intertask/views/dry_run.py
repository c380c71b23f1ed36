"""What a study would train, and what that would cost, as a page."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from intertask.errors import number_of
from intertask.execution.schedule import workers_for
from intertask.run import Run
from intertask.studies.graph import Graph, Row, planned_graph
from intertask.studies.status import unfinished
from intertask.studies.study import study_from
from intertask.views.countdown import duration
from intertask.views.estimate import estimate


def dry_run_page(graph: Graph, todo: dict[str, Run], workers: int, absent: str = "") -> str:
    """What `intertask run --dry-run` prints: the study's runs by role, counted, and beside them what the paper says it
    trained; time and disk of the runs to do. absent: what is not at hand."""
    expected = estimate(todo)
    seconds = sum(expected.seconds.values()) / workers
    roles = f" in {len(graph.rows)} roles" * (len(graph.rows) != len(graph.runs))
    lines = [*_roles(graph), f"{number_of(len(graph.runs), 'training')}{roles}, "
             f"{len(graph.runs) - len(todo)} done, {len(todo)} to do."]  # fmt: skip
    if absent:
        lines.append(f"Not everything is at hand, so what is finished already cannot be told: {absent}")
    disk = f"{expected.bytes / 1e6:.0f} MB of disk"
    return "\n".join(
        [*lines, f"About {duration(seconds)} with {number_of(workers, 'worker')} ({expected.source}) and {disk}."]
    )


def draft_page(path: Path, text: str) -> tuple[Graph, str, str]:
    """Of a study that may not be a file yet: its graph, what is not at hand, and its `dry_run_page`."""
    graph, absent = planned_graph(*study_from(path, text))
    todo, damaged = unfinished(graph.runs)
    workers = workers_for(len(todo), graph.study.threads, device=graph.study.device)
    page = dry_run_page(graph, todo, workers, absent)
    return graph, absent, "\n".join([*damaged, page])


def _roles(graph: Graph) -> Iterator[str]:
    keys = ("stage", "regime", "mixing", "part", "encoder", "limit", "supporting_limit")
    by_role: dict[tuple, list[Row]] = {}
    for row in graph.rows:
        by_role.setdefault(tuple(getattr(row, key) for key in keys), []).append(row)
    for (stage, *how, limit, supporting_limit), rows in by_role.items():
        data = [f"{limit or 'all'} examples", f"{supporting_limit} of the supporting task" * bool(supporting_limit)]
        yield f"{stage:12} {', '.join(filter(None, [*how, *data]))}: {number_of(len({row.run for row in rows}), 'run')}"
        yield textwrap.fill(_tasks(stage, rows), 120, initial_indent=" " * 13, subsequent_indent=" " * 13)
    for count in graph.study.counts:
        paper = "not stated" if count.paper is None else f"{count.paper:,}"
        yield f"{count.what}: {graph.counted(count.settings):,} here, {paper} in the paper. {count.because}".rstrip()


def _tasks(stage: str, rows: list[Row]) -> str:
    """The tasks of runs in the same role: those that are scored, and those that support them."""
    tasks = list(dict.fromkeys(row.task for row in rows))
    marked = (f"{row.supporting} (ready-made)" if row.ready_made else row.supporting for row in rows)
    supporting = list(dict.fromkeys(marked))
    if supporting == [None]:
        return ", ".join(tasks)
    if stage == "intermediate" and not rows[0].mixing:
        return ", ".join(supporting)
    word = "with" if rows[0].mixing and not rows[0].supporting_run else "after"
    return f"{', '.join(tasks)} {word} {', '.join(supporting)}"
