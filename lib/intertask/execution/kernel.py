"""A run's warm kernel: forked from a worker that has everything imported, it becomes an IPython kernel when told to.

The worker forks it before it starts a thread of its own; Jupyter's provisioner then hands it its connection file where
it would otherwise start a program. Nothing is installed into the user's Jupyter.
"""

import asyncio
import multiprocessing
import os
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from intertask.execution.lifeline import end_by_worker, hold

FORK = multiprocessing.get_context("fork")
START_TIMEOUT = 120
"""Seconds for a kernel to be ready."""

QUIET = {
    "TQDM_DISABLE": "1",  # nobody watches this notebook; a bar would fill it with widget states
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "PASSIVE",  # beside another run, spinning threads take its processor
    "GOMP_SPINCOUNT": "0",
    "OPENBLAS_NUM_THREADS": "1",  # these two start threads with their import: none may be there before the fork
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
"""The environment of a run; most of it counts only where it is there before the libraries are imported."""


class WarmKernel:
    """A forked process that waits for its orders: the arguments, the folder and the environment of a kernel."""

    def __init__(self):
        theirs, self.pipe = FORK.Pipe()
        self.process = FORK.Process(target=_kernel, args=(theirs, self.pipe), daemon=True)
        self.process.start()
        theirs.close()  # or we would hold the kernel's end open beyond its death

    def order(self, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
        """Returns when the kernel listens: a client that knocks earlier waits longer."""
        try:
            self.pipe.send((arguments, folder, environment))
            if not self.pipe.poll(START_TIMEOUT):
                raise RuntimeError(f"the kernel was not ready after {START_TIMEOUT} s")
            self.pipe.recv()
        except (EOFError, BrokenPipeError):
            raise RuntimeError("the kernel died before it was ready") from None


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by giving a warm one its orders; in all else it is Jupyter's provisioner for this machine."""

    def __init__(self, kernel: WarmKernel, **options):
        super().__init__(**options)
        self.kernel = kernel

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        self.kernel.order(arguments, options.get("cwd", os.getcwd()), options["env"])
        self.process = self.kernel.process
        return self.connection_info

    async def poll(self) -> int | None:
        return self.process.exitcode if self.process else 0

    async def wait(self) -> int | None:
        while (code := await self.poll()) is None:
            await asyncio.sleep(0.01)
        self.process = None
        return code

    async def send_signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        """Waits for the end, so that Jupyter, which asks every tenth of a second, does not."""
        self.process.kill()
        self.process.join()


class PlainProvisioner(LocalProvisioner):
    """Starts an ordinary kernel that ends with this process from its first moment on."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        theirs, self.ours = FORK.Pipe(duplex=False)
        start = cmd.index("ipykernel_launcher")
        cmd = [*cmd[:start], "intertask.execution.lifeline", str(theirs.fileno()), *cmd[start + 1 :]]
        with theirs:
            return await super().launch_kernel(cmd, pass_fds=[theirs.fileno()], **options)


class PromptClient(AsyncKernelClient):
    """Jupyter's client, but ready as soon as both channels have spoken, and without a heartbeat.

    Jupyter's own then listens for another fifth of a second, to drop what a kernel says to earlier clients. Whether
    the kernel lives, its manager knows from the process itself.
    """

    def start_channels(self, **channels: bool) -> None:
        super().start_channels(**channels | {"hb": False})

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        try:
            await asyncio.wait_for(self._greeted(), timeout)
        except TimeoutError:  # which has no words
            raise RuntimeError(f"the kernel did not answer within {timeout} s") from None

    async def _greeted(self) -> None:
        while True:
            self.kernel_info()
            with suppress(Empty):
                await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)
                return
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it was ready")


def manager_class(folder: Path, warm: WarmKernel | None) -> type[AsyncKernelManager]:
    """The class of one kernel's manager: ordinary or warm, it talks through sockets in `folder`.

    Given TCP ports instead, kernels that start at once take each other's.
    """

    class Manager(AsyncKernelManager):
        def __init__(self, **options):
            options |= {"client_class": f"{__name__}.PromptClient", "connection_file": str(folder / "kernel.json")}
            super().__init__(transport="ipc", ip=str(folder / "kernel"), **options)
            kind = partial(WarmProvisioner, warm) if warm else PlainProvisioner
            self.provisioner = kind(kernel_spec=self.kernel_spec, parent=self)

    return Manager


def _kernel(pipe: Connection, workers: Connection) -> None:
    """The life of a warm kernel; it ends without the second that ipykernel's watch over its parent would sleep."""
    end_by_worker()
    workers.close()  # or we would never see the worker's end of the pipe close
    try:
        arguments, folder, environment = pipe.recv()
    except EOFError:
        os._exit(0)
    os.chdir(folder)
    os.environ.update(environment)
    hold(pipe.fileno())
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(arguments)
    pipe.send("listening")
    app.start()
    os._exit(0)
