"""Dask clusters by what `--scheduler` says: of this machine, one that runs, or a batch system's."""

import contextlib
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UnusableInput, WorkStopped
from bench.planning.rules import usable_cores

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"
PROCESSES = "processes"
GPUS = "gpus"
JOBQUEUE = "jobqueue"
# More is a slip of the finger.
MOST_PROCESSES = 1024
RUNNING = ("tcp://", "tls://")
# Seconds to wait for the first worker; a batch system may let a job wait for hours.
FIRST_WORKER_S = 60


def _number(name: str, rest: str) -> bool:
    """Whether it is a number of processes that can be meant."""
    few = rest.isascii() and rest.isdigit() and len(rest) <= len(str(MOST_PROCESSES))
    return name == PROCESSES and few and 0 < int(rest) <= MOST_PROCESSES


def check_scheduler(text: str) -> None:
    """Refuse what `--scheduler` does not know, or what is not installed; looks at no network.

    Raises
    ------
    UnusableInput
        In one line.
    """
    name, _, rest = text.partition(":")
    known = (
        text in (LOCAL, GPUS)
        or (text == PROCESSES or _number(name, rest))
        or (text.startswith(RUNNING) and text not in RUNNING)
        or (name == JOBQUEUE and rest)
    )
    if not known:
        raise UnusableInput(
            f"--scheduler {text!r} is not one of {LOCAL}, {PROCESSES}[:N], {GPUS}, "
            f"tcp://HOST:PORT, {JOBQUEUE}:FILE.yaml; N is 1 to {MOST_PROCESSES}"
        )
    if text == LOCAL:
        return
    from importlib.util import find_spec

    needed = ("distributed", "dask_jobqueue") if name == JOBQUEUE else ("distributed",)
    missing = [module for module in needed if find_spec(module) is None]
    if missing:
        raise UnusableInput(
            f"--scheduler {text} needs {missing[0]}: pip install 'vit-svm-bench[distributed]'"
        )
    if name == JOBQUEUE:
        jobqueue_settings(Path(rest))
    if text == GPUS:
        visible_gpus()


def is_on_this_machine(text: str) -> bool:
    """Whether a scheduler's workers run where the driver does."""
    return text.partition(":")[0] in (LOCAL, PROCESSES, GPUS)


def planned_workers(text: str, threads: int) -> int | None:
    """How many workers a scheduler will have; None for a cluster that is not asked yet.

    Parameters
    ----------
    text : str
        What `--scheduler` says.
    threads : int
        Threads of one operation.

    Returns
    -------
    int | None
        Jobs of a batch system count as one worker each.
    """
    name, _, rest = text.partition(":")
    if text == LOCAL:
        return 1
    if text.startswith(RUNNING):
        return None
    if name == JOBQUEUE:
        return int(jobqueue_settings(Path(rest)).get("jobs", 1))
    if text == GPUS:
        return len(visible_gpus())
    return int(rest) if rest else max(2, usable_cores() // threads)


@contextlib.contextmanager
def connected(text: str, threads: int) -> Iterator["Client"]:
    """A client of the cluster, which ends with the block where it was started here.

    Parameters
    ----------
    text : str
        What `--scheduler` says.
    threads : int
        Threads of one operation in workers that are started here.

    Yields
    ------
    Client
        Of `distributed`, with at least one worker.

    Raises
    ------
    UnusableInput
        If there is no such cluster, or no worker comes.
    """
    import dask
    from distributed import Client

    # What the engine says of connections that end is not for users; what matters is said by us.
    _silence_engine()
    with contextlib.ExitStack() as stack:
        folder = ""
        if not text.startswith(RUNNING):  # there nothing of the engine runs here
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="bench-dask-", ignore_cleanup_errors=True)
            )
        stack.enter_context(dask.config.set(_settings(threads, folder)))
        with _interrupts_held():
            cluster = _cluster(text, threads, folder)
        if cluster is not None:
            stack.enter_context(cluster)
        try:
            address = cluster if cluster is not None else text
            client = stack.enter_context(Client(address, timeout="20s", set_as_default=False))
        except (OSError, TimeoutError, ValueError) as error:
            raise UnusableInput(
                f"--scheduler {text}: no scheduler answers there ({_line(error)}); start one with "
                "`dask scheduler` and workers with `dask worker`"
            ) from error
        _wait_for_worker(client, text)
        yield client


def _silence_engine() -> None:
    """Silence the engine's loggers, also those to which its configuration gave a level."""
    engine = ("distributed", "asyncio", "tornado")
    for name in (*engine, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in engine:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _settings(threads: int, folder: str) -> dict[str, Any]:
    """Settings of the engine: threads of workers, patience, quiet logs, a folder for its files."""
    environment = dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    # Workers share the cores: threads that wait for work must not keep them busy.
    environment |= {"OMP_WAIT_POLICY": "PASSIVE", "MALLOC_TRIM_THRESHOLD_": "65536"}
    return {
        "distributed.nanny.pre-spawn-environ": environment,
        "distributed.scheduler.allowed-failures": 3,
        "distributed.worker.profile.enabled": False,
        "distributed.comm.timeouts.connect": "20s",
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
        "logging": {"distributed": "critical"},
        **({"temporary-directory": folder} if folder else {}),
    }


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C for the driver alone, and until the block ends.

    A terminal sends it to all processes. Those that the engine starts, now or later, have the
    signals blocked that are blocked where its thread is started.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Where the tracker is started, later and from the thread of the engine, it lifts the block.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _cluster(text: str, threads: int, folder: str) -> Any:
    """A cluster that is started here; None where one runs already."""
    name, _, rest = text.partition(":")
    if text.startswith(RUNNING):
        return None
    if name == JOBQUEUE:
        return _batch_cluster(Path(rest))
    if text == GPUS:
        return _gpu_cluster(folder)
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=planned_workers(text, threads),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        local_directory=folder,
        silence_logs=logging.CRITICAL,
    )


def _gpu_cluster(folder: str) -> Any:
    """One worker a GPU, each seeing only its own."""
    from distributed import Nanny, Scheduler, SpecCluster

    options = {"nthreads": 1, "local_directory": folder, "memory_limit": 0, "host": "127.0.0.1"}
    workers = {
        number: {
            "cls": Nanny,
            "options": {
                **options,
                "env": {"CUDA_VISIBLE_DEVICES": number},
                "resources": {"GPU": 1},
            },
        }
        for number in visible_gpus()
    }
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"},
    }
    return SpecCluster(
        scheduler=scheduler, workers=workers, silence_logs=logging.CRITICAL, asynchronous=False
    )


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES names, one by one; else the numbers of all GPUs.

    Raises
    ------
    UnusableInput
        If there is none.
    """
    import torch

    if not torch.cuda.device_count():
        raise UnusableInput("--scheduler gpus: this machine has no GPU that torch can use")
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def jobqueue_settings(file: Path) -> dict[str, Any]:
    """The file of `jobqueue:FILE`: `system`, `jobs`, and the arguments of the cluster's class.

    Raises
    ------
    UnusableInput
        If it cannot be read, or names no batch system.
    """
    import dask_jobqueue
    import yaml

    try:
        settings = yaml.safe_load(file.expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise UnusableInput(f"--scheduler {JOBQUEUE}: {file}: {reason}") from error
    except yaml.YAMLError as error:
        raise UnusableInput(f"{file}: is not YAML ({_line(error)})") from error
    systems = [name.removesuffix("Cluster").lower() for name in vars(dask_jobqueue)
               if name.endswith("Cluster") and name != "LocalCluster"]  # fmt: skip
    if not isinstance(settings, Mapping) or settings.get("system") not in systems:
        raise UnusableInput(
            f"{file}: needs a line `system: NAME`, one of {', '.join(sorted(systems))}"
        )
    jobs = settings.get("jobs", 1)
    if not isinstance(jobs, int) or not 0 < jobs <= 10_000:
        raise UnusableInput(f"{file}: jobs: {jobs!r} is not a number of jobs")
    return dict(settings)


def _batch_cluster(file: Path) -> Any:
    """Workers as jobs of a batch system, one a job."""
    import dask_jobqueue

    settings = jobqueue_settings(file)
    system, jobs = settings.pop("system"), settings.pop("jobs", 1)
    (kind,) = (
        value
        for name, value in vars(dask_jobqueue).items()
        if name.endswith("Cluster") and name.removesuffix("Cluster").lower() == system
    )
    submit = str(getattr(getattr(kind, "job_cls", None), "submit_command", "") or "").partition(
        " "
    )[0]
    if submit and shutil.which(submit) is None:
        # Without it no job ever starts, and the run would wait for the first one.
        raise UnusableInput(
            f"{file}: system: {system}: there is no program {submit} on this machine"
        )
    try:
        cluster = kind(**{"cores": 1, "processes": 1, **settings})
        cluster.scale(jobs=jobs)
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise UnusableInput(f"{file}: {system} refuses it ({_line(error)})") from error
    return cluster


def _wait_for_worker(client: "Client", text: str) -> None:
    patience = None if text.startswith(JOBQUEUE) else FIRST_WORKER_S
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise UnusableInput(
            f"--scheduler {text}: no worker has come within {FIRST_WORKER_S} s; start some with "
            "`dask worker`"
        ) from error


def raise_lost(error: BaseException) -> None:
    """Say in one line that the cluster is gone, where an error means that."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    if isinstance(error, KilledWorker):
        raise WorkStopped(
            "one worker after the other ended, perhaps for want of memory; all finished work is "
            "kept: the same command goes on from it"
        ) from error
    if isinstance(error, CancelledError | CommClosedError | TimeoutError):
        raise WorkStopped(
            "the scheduler is gone; all finished work is kept: the same command goes on from it"
        ) from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
