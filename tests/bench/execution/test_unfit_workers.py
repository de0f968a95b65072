"""Workers that cannot do the work: what they take from the others is handed over again."""

from collections import Counter
from types import SimpleNamespace

import pytest

from bench.errors import UnusableInput
from bench.execution.dask_executor import LOST, DaskExecutor, UnfitWorker, _Submission
from bench.execution.progress import Progress

UNFIT = UnfitWorker("tcp://unfit:1", "unfit: /scratch: No space left on device")


class Client:
    """A cluster whose workers give these answers, one after the other."""

    def __init__(self, answers=(), **workers):
        self.answers = iter(answers)
        self.workers = {f"tcp://{name}:1": {"resources": has} for name, has in workers.items()}

    def scheduler_info(self, n_workers):
        return {"workers": self.workers}

    def submit(self, *given, **named):
        return SimpleNamespace(result=lambda: next(self.answers))


@pytest.fixture
def executor():
    """Gives a function that makes an executor on a cluster."""

    def make(*answers, **workers):
        made = DaskExecutor("processes:2", Progress(), 1)
        made.client = Client(answers, **workers)
        return made

    return make


@pytest.mark.parametrize("times", [1, 3 * LOST])
def test_an_idle_worker_may_take_work_again_and_again(executor, times):
    found = executor(*[UNFIT] * times, "done", unfit={}, able={})
    assert found._call(len) == "done"
    submission = SimpleNamespace(executor=found, _lost=Counter())
    task = SimpleNamespace(wants_gpu=False)
    assert [_Submission._answer(submission, task, UNFIT) for _ in range(times)] == [None] * times


@pytest.mark.parametrize(
    "workers",
    [{"unfit": {}}, {}, {"unfit": {"GPU": 1}, "able": {}}],
    ids=["all of them", "none left", "none with a GPU"],
)
def test_where_nobody_can_do_it_the_reason_is_said(executor, workers):
    found = executor(UNFIT, "done", **workers)
    with pytest.raises(UnusableInput, match="no worker can do the work of this run: unfit: /scr"):
        found._call(len)


def test_what_wants_no_gpu_is_left_to_workers_without_one(executor):
    found = executor(unfit={"GPU": 1}, able={})
    submission = SimpleNamespace(executor=found, _lost=Counter())
    assert _Submission._answer(submission, SimpleNamespace(wants_gpu=False), UNFIT) is None
    with pytest.raises(UnusableInput, match="no worker can do the work"):
        _Submission._answer(submission, SimpleNamespace(wants_gpu=True), UNFIT)
