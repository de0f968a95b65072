"""Carries out tasks on a Dask cluster: submits them, collects answers and what workers report.

Every answer stands in the store before it is sent, so that nothing depends on the cluster's life:
what is lost there is done again, and what was done is read.
"""

import contextlib
import itertools
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bench.atomic_files import write_atomically
from bench.errors import UnusableInput
from bench.execution.clusters import connected, raise_lost
from bench.execution.dask_progress import TOPIC, EventReporter, ShownEvents
from bench.execution.explanations import Explanation
from bench.execution.progress import Progress
from bench.execution.remote import (
    SiteAddress,
    Survey,
    can_obey,
    close,
    ended_too_often,
    explain_at,
    keep_plugins_below,
    perform_at,
    publish,
    shares_store,
    survey,
)
from bench.execution.site import Site
from bench.execution.tasks import Answer, Task
from bench.planning.config import Configuration
from bench.planning.imports import ImportedFeatures
from bench.planning.rules import Rules, requested_threads

if TYPE_CHECKING:
    from distributed import Client, Future

    from reports.wanted import Explained

# Tasks that are handed over together.
AT_ONCE = 1000
# How often a task is handed over again that the scheduler gives up because workers ended on which
# it may only have waited. One that ends its workers is found out in `perform_at`.
LOST = 10
# Seconds that a worker that cannot do a task keeps it. Having nothing else to do, it takes tasks
# that wait for the others, however often they are handed over.
PAUSE = 0.5


@dataclass(frozen=True)
class UnfitWorker:
    """A worker whose machine cannot do the work.

    Attributes
    ----------
    worker : str
        Its address.
    reason : str
        One line.
    """

    worker: str
    reason: str


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
        self._environment: Mapping[str, Any] = {}
        self._unfit: dict[str, str] = {}  # reasons by the addresses of workers
        self._gpu_workers: bool | None = None
        self._plugins: Sequence[Path] = ()

    def __enter__(self) -> Self:
        self.client: Client = self._stack.enter_context(connected(self.scheduler, self.threads))
        self.client.subscribe_topic(TOPIC, self._shown.take)
        workers = self._workers().values()
        hosts = sorted({str(worker["host"]) for worker in workers})
        self.progress.say(
            f"{len(workers)} workers on {', '.join(hosts[:4])}{', …' * (len(hosts) > 4)}; "
            f"dashboard: {self.client.dashboard_link}"
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.close()
        self._stack.close()

    def survey(
        self,
        options: Configuration,
        synthetic: bool,
        store: Path,
        imports: Sequence[ImportedFeatures] = (),
    ) -> Survey:
        """Ask one worker what it has, after all have shown that they share the store.

        Raises
        ------
        UnusableInput
            If a worker does not see the store, or lacks what is requested.
        """
        from extractors.registration.sources import plugin_sources

        self._plugins = options.plugin
        self._check_store(store)
        sources = [plugin_sources(plugin) for plugin in options.plugin]
        threads = requested_threads(options)
        asked = (options.from_any_folder(), synthetic, threads, sources, imports)
        found: Survey = self._call(survey, *asked)
        self._cores, self._environment = found.cores, found.environment
        return found

    def exclude_unable(self, rules: Rules, options: Configuration) -> None:
        """Leave out the workers that cannot obey the rules, each with a line.

        Raises
        ------
        UnusableInput
            If none can.
        """
        for worker, reason in self._ask_all(can_obey, rules, options).items():
            if reason:
                self.leave_out(UnfitWorker(worker, reason))

    def run(self, tasks: Sequence[Task], site: Site) -> Iterator[Answer]:
        """Yield the answer to each task as it comes; see `bench.execution.executors.Executor`."""
        address = publish(site, self._plugins)
        submission = _Submission(self, address)
        try:
            yield from submission.answers(tasks)
        except BaseException:
            with contextlib.suppress(Exception):
                self.client.cancel(list(submission.sent), force=True)
            raise
        finally:
            close(address)

    def jobs(self, requested: int) -> int:
        """The threads requested, else the share of one worker in the cores of its machine."""
        workers = self._workers().values()
        on_one_host = Counter(str(worker["host"]) for worker in workers).most_common(1)[0][1]
        return requested or max(1, self._cores // on_one_host)

    def environment(self, device: str) -> Mapping[str, Any]:
        """Those of the worker that `survey` has asked; the driver may have no GPU."""
        return self._environment

    def explain(self, site: Site, wanted: "Explained") -> Explanation:
        """Saliency maps of one system, made by a worker."""
        address = publish(site, self._plugins)
        try:
            found: Explanation = self._call(explain_at, address, wanted, EventReporter())
        finally:
            close(address)
        return found

    def submit(self, tasks: Sequence[Task], priority: int, address: SiteAddress) -> "list[Future]":
        """Hand tasks of one kind to the scheduler at once, which is many times as fast."""
        found: list[Future] = self.client.map(
            perform_on_worker,
            tasks,
            key=[f"perform-{uuid.uuid4().hex}" for _ in tasks],
            pure=False,
            priority=priority,
            address=address,
            reporter=EventReporter(),
            **self._places(tasks[0].wants_gpu),
        )
        return found

    def _places(self, gpu: bool) -> dict[str, Any]:
        """Where work may be done, for the scheduler."""
        places: dict[str, Any] = {}
        if gpu and self._has_gpu_workers():
            places["resources"] = {"GPU": 1}
        if self._unfit:
            # Should all of these end, those that come later may do it, too.
            able = [worker for worker in self._workers() if worker not in self._unfit]
            places |= {"workers": able, "allow_other_workers": True}
        return places

    def _workers(self) -> Mapping[str, Any]:
        """What the scheduler says of each worker, by its address."""
        found: Mapping[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
        return found

    def leave_out(self, unfit: UnfitWorker, gpu: bool = False) -> None:
        """Say once why a worker is not used.

        Raises
        ------
        UnusableInput
            If there is no other one, with a GPU where the work wants one and some have one.
        """
        if unfit.reason not in self._unfit.values():
            self.progress.say(f"a worker is not used: {unfit.reason}")
        self._unfit[unfit.worker] = unfit.reason
        needs_gpu = gpu and self._has_gpu_workers()
        others = (worker for name, worker in self._workers().items() if name not in self._unfit)
        if not any("GPU" in worker["resources"] or not needs_gpu for worker in others):
            raise UnusableInput(f"no worker can do the work of this run: {unfit.reason}")

    def _has_gpu_workers(self) -> bool:
        """Whether workers say that they have GPUs; where none does, any may have one."""
        if self._gpu_workers is None:
            workers = self._workers().values()
            self._gpu_workers = any("GPU" in worker["resources"] for worker in workers)
        return self._gpu_workers

    def _call(self, work: Callable[..., Any], *given: Any) -> Any:
        """What a function in which networks may run gives in a worker that is fit for it."""
        while True:
            key = f"{work.__name__}-{uuid.uuid4().hex}"
            places = self._places(gpu=True)
            future = self.client.submit(on_worker, work, *given, key=key, pure=False, **places)
            try:
                found = future.result()
            except Exception as error:
                raise_lost(error)
                raise
            if not isinstance(found, UnfitWorker):
                return found
            self.leave_out(found, gpu=True)

    def _ask_all(self, question: Callable[..., str], *given: Any) -> dict[str, str]:
        """What each worker answers; one that has ended meanwhile is none."""
        answers = self.client.run(question, *given, on_error="return")
        for error in answers.values():
            if isinstance(error, Exception) and not isinstance(error, OSError):
                raise error
        return {name: said for name, said in answers.items() if isinstance(said, str)}

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
            for answer in self._ask_all(shares_store, probe, word).values():
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


class _Submission:
    """Tasks on their way to workers and back."""

    def __init__(self, executor: DaskExecutor, address: SiteAddress) -> None:
        from distributed import as_completed

        self.executor, self.address = executor, address
        self.sent: dict[Future, tuple[Task, int]] = {}
        self._lost = Counter[Task]()
        self._done = as_completed(loop=executor.client.loop)

    def answers(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answer to each task; one that needs another is sent when that one is done."""
        known = set(tasks)
        needing: dict[Task, list[tuple[list[Task], int]]] = {}
        for number, group in enumerate(_alike(tasks)):
            needs = group[0].needs
            if needs in known:
                needing.setdefault(needs, []).append((group, -number))
            else:
                self._send(group, -number)
        for future, found in self._finished():
            task, priority = self.sent.pop(future)
            answer = self._answer(task, found)
            if answer is None:
                self._send([task], priority)
                continue
            yield answer
            for group, priority in needing.pop(task, ()):
                if answer.status == "ok":
                    self._send(group, priority)
                else:  # what the needed task could not do is not tried again
                    yield from (Answer(one, None, status=answer.status) for one in group)

    def _send(self, tasks: Sequence[Task], priority: int) -> None:
        futures = self.executor.submit(tasks, priority, self.address)
        for future, task in zip(futures, tasks, strict=True):
            self.sent[future] = task, priority
        self._done.update(futures)

    def _finished(self) -> "Iterator[tuple[Future, Answer | UnfitWorker | None]]":
        """What is done, fetched in batches: many times as fast as one by one."""
        for batch in self._done.batches():
            found: dict[Future, Answer | UnfitWorker | None] = {}
            with contextlib.suppress(Exception):  # see `_result`
                kept = [future for future in batch if future.status == "finished"]
                found = dict(zip(kept, self.executor.client.gather(kept), strict=True))
            for future in batch:
                yield future, found[future] if future in found else _result(future)

    def _answer(self, task: Task, found: "Answer | UnfitWorker | None") -> Answer | None:
        """The answer to a task; None where it has to be sent again."""
        if isinstance(found, Answer):
            return found
        if found is not None:
            self.executor.leave_out(found, task.wants_gpu)
            return None
        self._lost[task] += 1
        if self._lost[task] > LOST:
            return Answer(task, None, status=ended_too_often(task))
        return None


def _alike(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """Tasks that follow each other and can be handed over together."""
    for _, group in itertools.groupby(tasks, lambda task: (task.needs, task.wants_gpu)):
        rest = list(group)
        yield from (rest[i : i + AT_ONCE] for i in range(0, len(rest), AT_ONCE))


def perform_on_worker(
    task: Task, address: SiteAddress, reporter: EventReporter
) -> "Answer | UnfitWorker":
    """Do a task in a worker."""
    found: Answer | UnfitWorker = on_worker(perform_at, address, task, reporter)
    return found


def on_worker(work: Callable[..., Any], *given: Any) -> Any:
    """What a function gives in a worker; where its machine is at fault, that is the answer."""
    from distributed import get_worker

    # The engine removes this folder, also where the worker is killed.
    keep_plugins_below(Path(get_worker().local_directory))
    try:
        return work(*given)
    except (UnusableInput, OSError) as error:
        time.sleep(PAUSE)
        return UnfitWorker(get_worker().address, _reason(error))


def _reason(error: UnusableInput | OSError) -> str:
    if isinstance(error, UnusableInput):
        return str(error)
    return f"{socket.gethostname()}: {error.filename or 'disk'}: {error.strerror or error}"


def _result(future: "Future") -> "Answer | UnfitWorker | None":
    """What a task gave; None where its workers ended, or those on which it only waited.

    Raises
    ------
    WorkStopped
        If the cluster is gone.
    """
    from distributed import KilledWorker

    try:
        found: Answer | UnfitWorker = future.result()
    except KilledWorker:
        return None
    except Exception as error:
        raise_lost(error)
        raise
    return found
