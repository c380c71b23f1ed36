"""A study before anything starts: its graph, and how many of its runs there are at a time."""

from intertask.errors import IntertaskError
from intertask.files import processors
from intertask.origin import cards, devices
from intertask.studies.graph import Graph, expand
from intertask.studies.status import edited_since
from intertask.studies.study import Study


def graph_of(name: str, study: Study, planned: bool = False) -> Graph:
    """Its runs; refused where the results hold another study of that name. planned: as in `expand`."""
    edited_since(name, study.file, study.given)  # for its refusal alone
    return expand(name, study, planned)


def planned_graph(name: str, study: Study) -> tuple[Graph, str]:
    """The graph, and what is not at hand: then its runs have makeshift ids."""
    try:
        return graph_of(name, study), ""
    except IntertaskError as error:
        return graph_of(name, study, planned=True), str(error)


def workers_for(todo: int, threads: int, asked: int = 0, per_card: int = 1, device: str = "auto") -> int:
    """How many runs at a time: as many as the GPUs hold, at most; where there are none, those that were asked for, else
    as many as the processors carry at the study's threads per run. Never more than there are to do."""
    gpus = () if device == "cpu" else cards() or [one for one in devices() if one == "mps"]
    held = len(gpus) * per_card
    default = held or max(1, processors() // threads)
    return min(asked or default, held or asked or default, max(1, todo))
