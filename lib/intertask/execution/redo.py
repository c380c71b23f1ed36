"""A run that is made anew: the former one lies aside meanwhile, and is then held against what came of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intertask.errors import IntertaskError, number_of, refusal
from intertask.files import other_results, read_sealed
from intertask.run import Run
from intertask.studies import store
from intertask.studies.graph import Graph
from intertask.studies.status import failure


def run_to_redo(graph: Graph, run_id: str, keep: bool = False) -> dict[str, Run]:
    """The run, which keeps its encoder if the former one did or `keep`. Refuses one that is not of these results."""
    folder = store.pool() / run_id
    for elsewhere in (place / "runs" / run_id for place in other_results()):
        if elsewhere.exists():
            raise refusal(run_id, "a run of your own results alone", str(elsewhere), "Unset INTERTASK_POOLS.")
    if not folder.exists() and failure(run_id) is None:
        remedy = "`intertask run` without --redo makes it with the others."
        raise refusal(run_id, "a run that is finished or failed", "one that is still to do", remedy)
    run = graph.runs[run_id]
    keep = keep or (folder / "encoder").is_dir() or run.keep_encoder
    return {run_id: run.model_copy(update={"keep_encoder": keep})}


@contextmanager
def former_aside(run_id: str) -> Iterator[Path | None]:
    """Has a run's former folder in `runs/.replaced/` until the end of the block; it comes back if no other came.

    run_id: empty: of none. One that failed does not go on from its checkpoint.
    """
    folder = store.pool() / run_id
    if run_id:
        shutil.rmtree(store.checkpoints(run_id), ignore_errors=True)
    former = store.keep_aside(folder, folder, "replaced") if run_id and folder.exists() else None
    try:
        yield former
    finally:
        if former and not folder.exists():
            former.rename(folder)


def compared(graph: Graph, run_id: str, former: Path | None) -> str:
    """What of a run made anew is as it was: then the former one is removed."""
    if not former:
        return f"{run_id} is finished."
    try:
        old = read_sealed(former / "run.json", run_id, store.MADE_ANEW, store.RECORD_KEYS)
    except (FileNotFoundError, IntertaskError):
        return f"{run_id} is finished; the former one was damaged, and is kept in {former}."
    if store.same_result(old, store.read(run_id)):
        shutil.rmtree(former)
        return f"{run_id} is finished, with the scores of the former one, which is removed."
    words = f"{run_id} is finished, and DIFFERS from the former one, which is kept in {former}."
    children = sum(run_id in run.parents and store.finished(one) for one, run in graph.runs.items())
    return words + f" Made from the former one: {number_of(children, 'finished run')}, to redo too." * bool(children)
