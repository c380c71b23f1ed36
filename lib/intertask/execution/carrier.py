"""What a Dask worker does for a driver: it says what it is, and carries runs, each forked as on one machine.

Of a run nothing but its exit code goes through Dask; the worker publishes it into the results folder itself.
"""

import asyncio
import multiprocessing
import secrets
import threading
import time
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker

from intertask import origin
from intertask.execution.execute import PATIENCE
from intertask.execution.here import LOST, Here, Worker
from intertask.execution.lifeline import ENDING

TOPIC = "intertask"
"""Of the events by which a worker that leaves says how its runs ended, and the name of what makes it do so."""
PROCESS = secrets.token_hex(8)
"""This process; a worker that is started anew under the same address is another one."""

_here = Here(0)
_carried: dict[str, Worker | None] = {}  # by the token of the driver's request; None: it is being started
_closing: list[asyncio.Task] = []  # that they are not collected
_left = threading.Event()
_forking = threading.Lock()
"""Held while the ends of processes are read, which starting one does too, and no two threads may at once."""


class Leaving(WorkerPlugin):
    """Has the runs of a worker that is closed (by a signal, at the end of its lifetime, for want of its scheduler)
    stopped in order, and tells drivers first that these runs are given back: to Dask they were lost."""

    def setup(self, worker) -> None:
        multiprocessing.current_process()._config.pop("daemon", None)  # of a nanny: it would not let us fork
        for number in ENDING:
            with suppress(ValueError, RuntimeError):  # the loop is not in the main thread
                asyncio.get_running_loop().add_signal_handler(number, self._leave, worker)

    def _leave(self, worker) -> None:
        """Without a nanny, Dask would only have cut its connections."""
        _closing.append(asyncio.ensure_future(worker.close(reason="a signal")))

    async def teardown(self, worker) -> None:
        stopped, end = list(_carried), time.monotonic() + PATIENCE
        worker.log_event(TOPIC, stopped)
        _left.set()
        ask_to_stop(stopped)
        while _carried.keys() & set(stopped) and time.monotonic() < end:
            await asyncio.sleep(0.1)
        end_at_once(stopped)


async def introduce(probe: str) -> dict[str, Any]:
    """What a driver must know of a worker before it gives it a run; probe: a file in the driver's results folder."""
    dask_worker = get_worker()
    if TOPIC not in dask_worker.plugins:
        await dask_worker.plugin_add(Leaving(), TOPIC)
    return await asyncio.to_thread(_about, probe)


def _about(probe: str) -> dict[str, Any]:
    sees = Path(probe).is_file()
    about = {"abilities": origin.abilities(), "edited_code": origin.edited_code(), "cards": len(origin.cards())}
    return about | {"process": PROCESS, "sees": sees}


def carry(token: str, process: str, job: dict[str, Any]) -> tuple[int, str]:
    """Executes a run in a process of its own; how that ended, as in `execute.End`."""
    if process != PROCESS:  # what is lost with a worker Dask would repeat by itself, and nobody would count it
        return LOST, "its Dask worker was started anew"
    _carried[token] = None
    try:
        with _forking:
            _here.cards = origin.cards()
            one = _carried[token] = _here.start(job)
        if _left.is_set():
            one.kill()
        while not wait([one.process.sentinel], timeout=1):
            one.stop_if_late()
        with _forking:
            end = _here.finish(one)
    finally:
        del _carried[token]
    return end.code, end.words


def ask_to_stop(tokens: list[str]) -> None:
    for token in tokens:
        if one := _carried.get(token):
            one.stop()


def end_at_once(tokens: list[str]) -> None:
    for token in tokens:
        if one := _carried.get(token):
            one.kill()
