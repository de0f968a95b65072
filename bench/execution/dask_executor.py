"""Carries out tasks on a Dask cluster: submits them, collects answers and what workers report.

Every answer stands in the store before it is sent, so that nothing depends on the cluster's life:
what is lost there is done again, and what was done is read.
"""

import contextlib
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bench.atomic_files import write_atomically
from bench.errors import UnusableInput, WorkStopped
from bench.execution.clusters import connected
from bench.execution.dask_progress import TOPIC, EventReporter, ShownEvents
from bench.execution.explanations import Explanation
from bench.execution.progress import Progress
from bench.execution.remote import (
    Survey,
    can_obey,
    explain_at,
    perform_at,
    publish,
    shares_store,
    survey,
)
from bench.execution.site import Site
from bench.execution.tasks import Answer, Task
from bench.planning.config import Configuration
from bench.planning.rules import Rules, requested_threads

if TYPE_CHECKING:
    from distributed import Client, Future

    from reports.wanted import Explained

# Tasks that the scheduler knows at one time; more are sent as answers come.
WINDOW = 2000
# How often a task is done again whose worker ended, and one that met a full disk.
RETRIES = 2


class DaskExecutor:
    """Does tasks on the workers of a cluster; a context, at whose end a cluster of its own ends.

    Parameters
    ----------
    scheduler : str
        What `--scheduler` says.
    progress : Progress
        Where what workers report is shown.
    threads : int
        Threads of one operation in workers that are started here.
    """

    def __init__(self, scheduler: str, progress: Progress, threads: int) -> None:
        self.scheduler, self.progress, self.threads = scheduler, progress, threads
        self._stack = contextlib.ExitStack()
        self._shown = ShownEvents(progress)
        self._cores = 1
        self._able: list[str] | None = None
        self._gpu_workers: bool | None = None
        self._plugins: Sequence[Path] = ()

    def __enter__(self) -> Self:
        self.client: Client = self._stack.enter_context(connected(self.scheduler, self.threads))
        self.client.subscribe_topic(TOPIC, self._shown.take)
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        hosts = sorted({str(worker["host"]) for worker in workers})
        self.progress.say(
            f"{len(workers)} workers on {', '.join(hosts[:4])}{', …' * (len(hosts) > 4)}; "
            f"dashboard: {self.client.dashboard_link}"
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.close()
        self._stack.close()

    def survey(self, options: Configuration, synthetic: bool, store: Path) -> Survey:
        """Ask one worker what it has, after all have shown that they share the store.

        Raises
        ------
        UnusableInput
            If a worker does not see the store, or lacks what is requested.
        """
        from extractors.plugin_sources import plugin_sources

        self._plugins = options.plugin
        self._check_store(store)
        sources = [plugin_sources(plugin) for plugin in options.plugin]
        threads = requested_threads(options)
        found: Survey = self._call(survey, options, synthetic, threads, sources, gpu=True)
        self._cores = found.cores
        return found

    def exclude_unable(self, rules: Rules, options: Configuration) -> None:
        """Leave out the workers that cannot obey the rules, each with a line.

        Raises
        ------
        UnusableInput
            If none can.
        """
        reasons = self.client.run(can_obey, rules, options)
        for reason in dict.fromkeys(filter(None, reasons.values())):
            self.progress.say(f"a worker is not used: {reason}")
        able = [worker for worker, reason in reasons.items() if not reason]
        if not able:
            raise UnusableInput("no worker can obey the rules of this run")
        self._able = able if len(able) < len(reasons) else None

    def run(self, tasks: Sequence[Task], site: Site) -> Iterator[Answer]:
        """Yield the answer to each task as it comes; see `bench.execution.executors.Executor`."""
        from distributed import as_completed

        address = publish(site, self._plugins)
        rest = iter(tasks)
        futures: dict[Future, Task] = {}
        shared: dict[Task, Future] = {}
        done = as_completed(loop=self.client.loop)

        def send(count: int) -> None:
            for task in itertools.islice(rest, count):
                needed = shared.get(task.needs) if task.needs is not None else None
                future = self._submit(perform_at, address, task, EventReporter(), needed,
                                      gpu=task.wants_gpu)  # fmt: skip
                futures[future] = task
                if task.fold is None:
                    shared.clear()
                    shared[task] = future  # the folds that need it follow it
                done.add(future)

        send(WINDOW)
        try:
            for future in done:
                task = futures.pop(future)
                answer = _answer(future, task)
                send(1)
                yield answer
        except BaseException:
            with contextlib.suppress(Exception):
                self.client.cancel(list(futures), force=True)
            raise

    def jobs(self, requested: int) -> int:
        """The threads requested, else the share of one worker in the cores of its machine."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        on_one_host = Counter(str(worker["host"]) for worker in workers).most_common(1)[0][1]
        return requested or max(1, self._cores // on_one_host)

    def explain(self, site: Site, wanted: "Explained") -> Explanation:
        """Saliency maps of one system, made by a worker."""
        address = publish(site, self._plugins)
        found: Explanation = self._call(explain_at, address, wanted, EventReporter(), gpu=True)
        return found

    def _submit(self, work: Callable[..., Any], *given: Any, gpu: bool) -> "Future":
        return self.client.submit(
            work,
            *given,
            key=f"{work.__name__}-{uuid.uuid4().hex}",
            pure=False,
            retries=RETRIES,
            workers=self._able,
            resources={"GPU": 1} if gpu and self._has_gpu_workers() else None,
        )

    def _has_gpu_workers(self) -> bool:
        """Whether workers say that they have GPUs; where none does, any may have one."""
        if self._gpu_workers is None:
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
            self._gpu_workers = any("GPU" in worker["resources"] for worker in workers)
        return self._gpu_workers

    def _call(self, work: Callable[..., Any], *given: Any, gpu: bool) -> Any:
        """What a function gives in a worker."""
        future = self._submit(work, *given, gpu=gpu)
        try:
            return future.result()
        except UnusableInput:
            raise
        except Exception as error:
            _raise_lost(error)
            raise

    def _check_store(self, store: Path) -> None:
        """Let every worker read what is written here, and look for what they write.

        Raises
        ------
        UnusableInput
            With the first worker's reason.
        """
        word = uuid.uuid4().hex
        probe = store / "sites" / f"probe-{word}"
        write_atomically(probe, word)
        try:
            answers = self.client.run(shares_store, probe, word)
            for answer in answers.values():
                if " " in answer:
                    raise UnusableInput(
                        f"{answer}; the store has to lie on a file system that all workers share, "
                        "under the same path (--cache)"
                    )
                if not probe.with_name(answer).exists():
                    raise UnusableInput(
                        f"{store}: a worker wrote {answer} there, and it is not seen here; the "
                        "store has to lie on a file system that all workers share (--cache)"
                    )
        finally:
            for file in probe.parent.glob(f"{probe.name}*"):
                file.unlink(missing_ok=True)


def _answer(future: "Future", task: Task) -> Answer:
    """What a task gave; where its workers ended again and again, that is its status.

    Raises
    ------
    UnusableInput, WorkStopped
        If a worker cannot go on for all, or the cluster is gone.
    """
    from distributed import KilledWorker

    try:
        answer: Answer = future.result()
    except KilledWorker as error:
        host = str(getattr(error.last_worker, "host", "")) or "unknown"
        return Answer(
            task,
            None,
            status=f"{task.extractor}: its worker ended {error.allowed_failures + 1} times without "
            "an answer, perhaps for want of memory",
            host=host,
        )
    except UnusableInput:
        raise
    except Exception as error:
        _raise_lost(error)
        raise
    return answer


def _raise_lost(error: BaseException) -> None:
    """Say in one line that the cluster is gone, where an error means that."""
    from concurrent.futures import CancelledError

    from distributed.comm import CommClosedError

    if isinstance(error, CancelledError | CommClosedError | TimeoutError):
        raise WorkStopped(
            "the scheduler is gone; all finished work is kept: the same command goes on from it"
        ) from error
