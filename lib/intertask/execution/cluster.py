"""A Dask cluster as a place to run: its scheduler carries requests and exit codes, the results folder all the rest."""

import asyncio
import importlib
import math
import queue
import secrets
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml
from distributed import Client, Future
from distributed.deploy import Cluster as DaskCluster
from pydantic import Field

from intertask import origin
from intertask.errors import IntertaskError, number_of, refusal
from intertask.execution.carrier import TOPIC, ask_to_stop, carry, end_at_once, introduce
from intertask.execution.execute import End
from intertask.execution.here import LOST, job_of
from intertask.execution.worker import STOPPED
from intertask.files import results_root
from intertask.run import Run
from intertask.studies import store
from intertask.studies.study import Study
from intertask.written import Strict, read_yaml

CONNECT = 5.0
"""Seconds for a scheduler to answer; one that takes longer is taken for lost."""
LOST_SCHEDULER = 600.0
"""Seconds for a scheduler that was lost to come back."""
LOOK = 1.0
"""Seconds after which it is looked again which workers are there."""
LATE_COMERS = 20.0
"""Seconds that the other workers have to say what they are once the first has."""


class ClusterFile(Strict):
    """What a YAML file says of a cluster: the class that starts it, its options, and how many workers it has."""

    kind: str = Field(alias="class", pattern=r"^\w+(\.\w+)+$")
    options: dict[str, Any] = {}
    workers: int = Field(ge=1)

    @property
    def found(self) -> type[DaskCluster]:
        module, _, name = self.kind.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            package = module.partition(".")[0].replace("_", "-")
            raise refusal(self.kind, "a class that can be imported", str(error), f"pip install {package}") from None
        if not (isinstance(found, type) and issubclass(found, DaskCluster)):
            raise refusal(
                self.kind, "a cluster of Dask's", f"{found!r:.80}", "Name one, as dask_jobqueue.SLURMCluster."
            )
        return found

    def made(self, **options: Any) -> DaskCluster:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of one that could not be made, and so was not closed
            try:
                return self.found(**self.options, **options)
            except (TypeError, ValueError, RuntimeError, OSError) as error:
                found = str(error)
        raise refusal(self.kind, "options that it takes", found, "See its documentation.")


def read_cluster(path: Path) -> ClusterFile:
    remedy = "Write them as params/clusters/slurm.yaml does."
    written = read_yaml(path, "a mapping with class, options and workers", remedy)
    with written.placed():
        return ClusterFile.model_validate(written.content)


def job_page(path: Path) -> str:
    """What a cluster of a file would hand to its scheduler for each worker: a job's script, or a manifest."""
    cluster = read_cluster(path)
    if hasattr(cluster.found, "job_script"):

        async def script() -> str:  # started by nobody: that takes a loop
            made = cluster.made(asynchronous=True)
            try:
                return made.job_script()
            finally:
                await made.close()

        return asyncio.run(script())
    if cluster.kind.startswith("dask_kubernetes.operator."):
        made = importlib.import_module("dask_kubernetes.operator").make_cluster_spec
        return yaml.safe_dump(made(**{"n_workers": cluster.workers} | cluster.options), sort_keys=False)
    return f"{cluster.kind} says nothing of its jobs before it starts them."


@dataclass
class Known:
    """A Dask worker: what it declares, the runs that it has, and, once it has said so, what it is."""

    threads: int
    resources: dict[str, float]
    running: bool = True  # it takes runs
    leaving: bool = False  # it has stopped those that it had
    asked: Future | None = None
    about: dict[str, Any] = field(default_factory=dict)
    slots: int = 0  # how many runs it carries at a time
    tokens: set[str] = field(default_factory=set)
    missed: int = 0  # how often in a row it was not there

    @property
    def room(self) -> int:
        there = self.running and not self.leaving and not self.missed
        return max(0, self.slots - len(self.tokens)) if there else 0


class Cluster:
    """The workers of a Dask cluster, as far as they compute alike, with this code, and see this results folder.

    where: its address, its scheduler's file, or the YAML file that says how it is started; study: whose `threads` and
    `device` each run has; most: runs at a time (0: as many as there is room for); per_card: on one GPU; say: called
    with what a user should know.
    """

    def __init__(self, where: str, study: Study, timeout: float, warm: bool, most: int, per_card: int, say: Callable):
        self.where, self.study, self.timeout, self.warm, self.per_card = where, study, timeout, warm, per_card
        self.most, self.say, self.own, self.client = most or math.inf, say, None, None
        self.file = read_cluster(Path(where)) if where.endswith((".yaml", ".yml")) else None
        self._known: dict[str, Known] = {}  # by address
        self._running: dict[str, tuple[str, str, Future | None]] = {}  # per request's token its run and its worker
        self._told: queue.Queue[tuple[str, int, str]] = queue.Queue()
        self._say_once, self._opened = cache(say), ExitStack()
        self._due = self._lost_since = time.monotonic()

    def __enter__(self) -> "Cluster":
        store.open_pool()
        self._mark = self._opened.enter_context(store.own_mark(store.pool(), "seen"))
        try:
            self.own = self.file and self.file.made()
            self._meet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        origin.elsewhere.clear()
        self._opened.close()
        self._tell(end_at_once, bound=CONNECT)
        for one in filter(None, (self.client, self.own)):
            with suppress(Exception):  # what does not answer any more is closed
                one.close(timeout=CONNECT)

    @property
    def workers(self) -> int:
        return min(self.most, len(self._running) + sum(one.room for one in self._known.values()))

    def submit(self, run_id: str, run: Run) -> None:
        address, one = max(self._known.items(), key=lambda item: item[1].room)
        token = f"{run_id}#{secrets.token_hex(4)}"
        job = job_of(run_id, run, self.timeout, self.warm)
        one.tokens.add(token)
        self._running[token] = run_id, address, None
        try:
            future = self._ask(address, token, carry, token, one.about["process"], job, resources=self._needs())
        except Exception:  # the scheduler was lost since the last look
            self._told.put((token, STOPPED, ""))
            return
        self._running[token] = run_id, address, future
        future.add_done_callback(partial(self._hear, token))

    def _ask(self, address: str, key: str, function: Callable, *arguments: Any, **options: Any) -> Future:
        """Of one worker alone: what is lost with it Dask would hand to the others, one after another."""
        return self.client.submit(function, *arguments, key=key, workers=[address], retries=0, pure=False, **options)

    def _needs(self) -> dict[str, float]:
        """What a run asks for of a worker's resources."""
        cards = {"GPU": 1 / self.per_card} if origin.computed_by(self.study.device)["device"] == "cuda" else {}
        return {"cores": self.study.threads} | cards

    def _hear(self, token: str, future: Future) -> None:
        """From a thread of Dask's: a request is over."""
        if future.status == "finished":
            told = (STOPPED, "")  # its worker does not answer any more; if it has finished the run, that will be found
            with suppress(Exception):
                told = future.result(timeout=CONNECT)
            self._told.put((token, *told))
        elif future.status == "error":
            self._told.put((token, LOST, f"its Dask worker could not carry it: {future.exception()!r:.500}"))
        else:
            self._told.put((token, STOPPED, ""))

    def _hear_leaving(self, event: tuple[float, list[str]]) -> None:
        """From a thread of Dask's: a worker stops its runs in order, and leaves."""
        for one in list(self._known.values()):
            one.leaving |= not one.tokens.isdisjoint(event[1])
        for token in event[1]:
            self._told.put((token, STOPPED, ""))

    def ends(self, seconds: float) -> list[End]:
        if time.monotonic() > self._due:
            self._look()
        heard: list[tuple[str, int, str]] = []
        with suppress(queue.Empty):
            heard.append(self._told.get(timeout=seconds))
            while True:
                heard.append(self._told.get_nowait())
        return [End(self._close(*one), *one[1:]) for one in heard if one[0] in self._running]

    def _close(self, token: str, code: int, _: str) -> str:
        """The run of a request that is over."""
        run_id, address, future = self._running.pop(token)
        if future:
            future.release()
        if address in self._known:
            self._known[address].tokens.discard(token)
            if code == LOST:  # it may be another process by now
                self._known[address].about, self._known[address].slots = {}, 0
        return run_id

    def stop(self) -> None:
        self._tell(ask_to_stop, bound=0)

    def _tell(self, function: Callable[[list[str]], None], bound: float) -> None:
        """Has the workers do something with our runs; one that does not answer does not hold us."""
        if self.client and self._running:
            where = {"workers": list({address for _, address, _ in self._running.values()}), "on_error": "ignore"}
            asking = (self.client.run, function, list(self._running))
            thread = threading.Thread(target=_quietly, args=asking, kwargs=where, daemon=True)
            thread.start()
            thread.join(bound)

    def _connect(self) -> None:
        """Raises OSError where no scheduler answers."""
        options = {"timeout": CONNECT, "set_as_default": False}
        if self.own or "://" in self.where or not Path(self.where).is_file():
            self.client = Client(self.own or self.where, **options)
        else:
            self.client = Client(scheduler_file=self.where, **options)
        self.client.subscribe_topic(TOPIC, self._hear_leaving)
        self._scheduler = self._identity()["id"]

    def _identity(self) -> dict[str, Any]:
        return self.client.sync(self.client.scheduler.identity, n_workers=-1, callback_timeout=CONNECT)

    def _look(self) -> None:
        """Which workers are there: new ones are asked what they are; the runs of those that are gone are lost."""
        self._due = time.monotonic() + LOOK
        try:
            if not self.client:
                self._connect()
            found = self._identity()
            if found["id"] != self._scheduler:
                raise OSError("another scheduler")
            self._look_at(found["workers"])
        except Exception:  # Dask has many kinds for it
            self._lose_scheduler()

    def _look_at(self, workers: dict[str, dict[str, Any]]) -> None:
        self._lost_since = time.monotonic()
        if self.own:
            self.own.scale(self.file.workers)  # in place of those whose jobs have ended
        for address, told in workers.items():
            if address not in self._known:
                self._known[address] = Known(told["nthreads"], told["resources"])
            one = self._known[address]
            one.running, one.missed = told["status"] == "running", 0
            if not one.about and not one.asked:
                one.asked = self._ask(address, f"introduce-{secrets.token_hex(8)}", introduce, str(self._mark.file))
                one.asked.add_done_callback(partial(_introduced, one))
        for address, one in list(self._known.items()):
            if address not in workers:
                self._miss(address, one)
            elif one.about and not one.slots and not self._fault(address, one):
                one.slots = self._slots(one)

    def _miss(self, address: str, one: Known) -> None:
        """Only the second time it is gone: what it said as it left may be under way."""
        one.missed += 1
        if one.missed > 1:
            del self._known[address]
            for token in one.tokens:
                self._told.put((token, LOST, f"its Dask worker {address} was lost"))

    def _lose_scheduler(self) -> None:
        """Gives the runs back: their claims keep them from being executed twice as long as workers go on with them."""
        if self.client:
            self.say(f"{self.where}: the scheduler does not answer; waiting for it up to {LOST_SCHEDULER / 60:g} min.")
            threading.Thread(target=_quietly, args=(self.client.close,), kwargs={"timeout": 1}, daemon=True).start()
        self.client = None
        self._known.clear()
        for token in self._running:
            self._told.put((token, STOPPED, ""))
        if time.monotonic() > self._lost_since + LOST_SCHEDULER:
            raise self._unreachable()

    def _unreachable(self) -> IntertaskError:
        remedy = "Finished runs are safe; start it, or name another."
        return refusal(self.where, "a Dask scheduler that answers", "none", remedy)

    def _meet(self) -> None:
        """Waits for the first workers, and refuses those that cannot do our runs."""
        try:
            self._connect()
        except OSError:
            raise self._unreachable() from None
        end = None
        while not end or time.monotonic() < end and not all(one.about for one in self._known.values()):
            self._look()
            if not self.client:
                raise self._unreachable()
            if self.own and any(getattr(job, "job_id", "") is None for job in self.own.workers.values()):
                raise refusal(self.where, "jobs that are taken", "that they are not (above)", "Mend its options.")
            if not end and any(one.about for one in self._known.values()):
                end = time.monotonic() + LATE_COMERS
            elif not self._known:
                self._say_once(f"{self.where}: no worker is there yet; waiting for one.")
            time.sleep(0.1)
        self._look()  # once more, for the room of those that have said meanwhile what they are
        told = {address: one for address, one in self._known.items() if one.about}
        origin.elsewhere.update(next((one.about["abilities"] for one in told.values() if "fault" not in one.about), {}))
        if faults := [fault for address, one in told.items() if (fault := self._fault(address, one))]:
            expected = f"workers that compute alike, with this code, and see {results_root()}"
            raise refusal(self.where, expected, "; ".join(faults), "Start them in this environment, on this folder.")
        if not any(map(self._slots, told.values())):
            needs = " ".join(f"{name}={amount:g}" for name, amount in self._needs().items())
            expected = f"a worker that declares what a run needs ({needs}, and a thread)"
            found = "; ".join(
                f"{address} with {number_of(one.threads, 'thread')} and {one.resources}"
                for address, one in told.items()
            )
            raise refusal(self.where, expected, found, f'Start workers with --nthreads 1 --resources "{needs}".')

    def _fault(self, address: str, one: Known) -> str:
        """Why a worker is not used; said once."""
        about = one.about
        fault = about.get("fault", "")
        if not fault and about["abilities"] != origin.abilities():
            fault = f"computes with {about['abilities']}, others with {origin.abilities()}"
        if not fault and about["edited_code"] != origin.edited_code():
            fault = "has other code"
        if not fault and not about["sees"]:
            fault = "does not see the folder"
        if fault:
            self._say_once(f"{address} is not used: it {fault}.")
        return fault and f"{address} {fault}"

    def _slots(self, one: Known) -> int:
        amounts = [one.resources.get(name, 0) / need + 1e-9 for name, need in self._needs().items()]
        return int(min(one.threads, *amounts))


def _introduced(one: Known, future: Future) -> None:
    """From a thread of Dask's: a worker has said what it is, or cannot; if it does not answer, it is asked again."""
    if future.status == "error":
        error = future.exception()
        one.about = {"fault": f"cannot say what it is: {type(error).__name__}: {error}"}
        return
    with suppress(Exception):
        one.about = future.result(timeout=CONNECT)
    one.asked = None


def _quietly(function: Callable, *arguments: Any, **options: Any) -> None:
    """Of what may be gone meanwhile."""
    with suppress(Exception):
        function(*arguments, **options)
