"""Tasks are values in the order of the plan, and answers come in that order whoever gives them."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from bench.execution.tasks import Answer, Task, in_order, tasks_of
from bench.planning.extractor import Extractor
from bench.planning.plan import Fold, Plan, System

ROWS = np.arange(4)
FOLDS = (
    Fold("mass", "patient-cv", 0, 0, ROWS, ROWS + 4),
    Fold("mass", "patient-cv", 0, 1, ROWS + 4, ROWS),
)
SYSTEMS = tuple(
    System(extractor, "linear", 1.0, "auto") for extractor in ("net", "frozen", "selected")
)
PLAN = Plan(SYSTEMS, FOLDS, (), {"mass": ()}, trained=frozenset({"net"}))
INFO = SimpleNamespace(kind="timm")
EXTRACTORS = {
    "net": Extractor("net", INFO, "scratch", recipe=SimpleNamespace(name="quick")),
    "frozen": Extractor("frozen", INFO, "imagenet"),
}


def test_features_come_before_the_folds_that_share_them():
    tasks = list(tasks_of(PLAN, EXTRACTORS))
    assert [(task.extractor, task.fold) for task in tasks] == [
        *(("net", 0), ("net", 1)),
        *(("frozen", None), ("frozen", 0), ("frozen", 1)),
    ]
    assert all(task.needs is None for task in tasks[:3])
    assert all(task.needs == tasks[2] for task in tasks[3:])
    # Fits need no GPU; what trains or extracts does.
    assert [task.wants_gpu for task in tasks] == [True, True, True, False, False]


def test_a_training_that_serves_two_folds_comes_before_the_second():
    (first, _) = FOLDS
    again = Fold("mass", "external:far", 0, 0, ROWS, ROWS + 8, held_out=ROWS + 4)
    plan = Plan(SYSTEMS, (first, again), (), {"mass": ()}, trained=frozenset({"net"}))
    trained = [task for task in tasks_of(plan, EXTRACTORS) if task.extractor == "net"]
    assert [task.needs for task in trained] == [None, trained[0]]


def test_a_task_is_a_small_value():
    for task in tasks_of(PLAN, EXTRACTORS):
        content = pickle.dumps(task)
        assert pickle.loads(content) == task
        assert hash(pickle.loads(content)) == hash(task)
        assert len(content) < 1000


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
def test_answers_come_in_the_order_of_the_tasks(order):
    tasks = list(tasks_of(PLAN, EXTRACTORS))
    given = (Answer(tasks[i], None) for i in order)
    assert [answer.task for answer in in_order(tasks, given)] == tasks


def test_an_answer_is_passed_on_as_soon_as_those_before_it_are_there():
    tasks = [Task("a", 0), Task("a", 1)]
    asked = []

    def answers():
        for task in tasks:
            asked.append(task)
            yield Answer(task, None)

    found = in_order(tasks, answers())
    next(found)
    assert asked == tasks[:1]


def test_a_task_without_an_answer_is_no_silent_end():
    tasks = list(tasks_of(PLAN, EXTRACTORS))
    with pytest.raises(AssertionError, match="1 tasks have no answer"):
        list(in_order(tasks, (Answer(task, None) for task in tasks[:-1])))
