"""The memory that is computed is the memory that is taken, and how results depend on the limit."""

import gc
import multiprocessing
import tracemalloc
import warnings

import numpy as np
import pytest

from classifiers import fit_variants, solver, sweep, tune
from classifiers.memory import FLOAT64, affordable_threads, gram_bytes, thread_bytes
from classifiers.solver import in_threads

N, M = 600, 150


def data(widths, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(N) % 2)
    train = [rng.normal(size=(N, w)).astype(np.float32) + labels[:, None] / 9 for w in widths]
    test = [rng.normal(size=(M, w)).astype(np.float32) for w in widths]
    return [x.astype(np.float32) for x in train], labels, test, np.arange(N) // 2


def peak(widths, names, **named):
    """Bytes that numpy has taken at most while the variants were fitted."""
    train, labels, test, groups = data(widths)
    gc.collect()
    tracemalloc.start()
    found = fit_variants(train, labels, test, groups, names, memory_limit=np.inf, **named)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not any(isinstance(fit, str) for fit in found.values())
    return taken


@pytest.mark.parametrize(
    ("widths", "names", "budget", "least"),
    [
        ([256], ["linear", "cubic", "medium_gaussian"], None, 0.6),
        ([4096], ["medium_gaussian"], None, 0.9),
        ([256, 128, 200, 64], ["medium_gaussian"], None, 0.9),
        ([2048, 128, 2048], ["medium_gaussian"], None, 0.9),
        ([256, 128, 200, 64], ["medium_gaussian+pca", "linear+platt"], None, 0.9),
        ([280], ["linear"], 20, 0.9),
        ([280], ["cubic", "medium_gaussian"], 20, 0.8),
    ],
    ids=["one", "wide", "fusion", "wide fusion", "components", "low rank", "full rank"],
)
def test_one_thread_takes_what_the_formula_says(monkeypatch, widths, names, budget, least):
    fit_variants(*data([3]), ["linear+tuned+platt"])  # imports are no part of it
    if budget is not None:
        monkeypatch.setattr(solver, "iteration_budget", lambda n, rank: budget)
    share = peak(widths, names) / gram_bytes(N, M, max(widths), len(widths))
    assert least < share < 1.02


def test_each_further_thread_takes_what_the_formula_says(monkeypatch):
    monkeypatch.setattr(solver, "iteration_budget", lambda n, rank: 20)
    fit_variants(*data([3]), ["linear"], jobs=2)
    allowed = FLOAT64 * (N + M) * N + 2 * thread_bytes(N, M)
    names = ["cubic", "quadratic", "medium_gaussian", "coarse_gaussian"]
    assert peak([280], names, jobs=2) < 1.02 * allowed


def test_of_a_fusion_only_what_is_needed_at_a_time_counts():
    assert gram_bytes(1000, 100, 500, backbones=9) == gram_bytes(1000, 100, 500)
    wide = gram_bytes(1000, 100, 10**6)
    assert gram_bytes(1000, 100, 10**6, backbones=9) == wide + FLOAT64 * 1100 * 1000


def test_threads_are_as_many_as_there_is_room_for():
    one = gram_bytes(500, 100, 10)
    assert affordable_threads(500, 100, 3, one) == 1
    assert affordable_threads(500, 100, 3, one + thread_bytes(500, 100)) == 2
    assert affordable_threads(500, 100, 3, np.inf) == 3
    assert affordable_threads(500, 100, 3, 0) == 1
    assert affordable_threads(500, 100, -1, np.inf) >= 1


def test_a_worker_that_may_start_no_processes_has_its_threads(monkeypatch, recwarn):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    assert affordable_threads(500, 100, 3, np.inf) == 3
    assert not recwarn.list


def test_the_number_of_threads_decides_nothing():
    """With room for one thread only, two are requested: exact all the same, and the same."""
    (train,), labels, (test,), groups = data([20])
    limit = gram_bytes(N, M, 20)
    one, two = (
        sweep(train, labels, test, ["cubic", "linear"], jobs=jobs, memory_limit=limit)
        for jobs in (1, 2)
    )
    names = ["cubic", "linear", "cubic+pca"]
    more = fit_variants([train], labels, [test], groups, names, jobs=2, memory_limit=limit)
    assert not one.approximate
    assert not two.approximate
    for name in ("cubic", "linear"):
        np.testing.assert_array_equal(one.scores[name, 1.0], two.scores[name, 1.0])
        np.testing.assert_array_equal(one.scores[name, 1.0], more[name].score)
    assert not more["cubic+pca"].approximate


@pytest.mark.parametrize("room", [1, 2])
def test_no_more_threads_run_than_there_is_room_for(monkeypatch, room):
    (train,), labels, (test,), groups = data([5])
    limit = float(gram_bytes(N, M, 5) + (room - 1) * thread_bytes(N, M))
    started = []

    def recorded(jobs, fit, tasks):
        started.append(jobs)
        return in_threads(jobs, fit, tasks)

    for module in ("sweeps", "inner_folds", "tuning"):
        monkeypatch.setattr(f"classifiers.{module}.in_threads", recorded)
    for module in ("sweeps", "memory", "tuning", "variant_fits"):
        monkeypatch.setattr(f"classifiers.{module}.default_memory_limit", lambda: limit)
    sweep(train, labels, test, ["linear"], jobs=8)
    tune(train, labels, test, groups, ["linear"], [1.0], scale=[1.0], jobs=8)
    fit_variants([train], labels, [test], groups, ["cubic", "cubic+platt"], jobs=8)
    assert started == [room] * 5


def test_unfinished_fits_in_threads_are_warned_of_once():
    """Warning filters belong to the process: one thread's would undo another's."""
    (train,), labels, (test,), _ = data([5])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scales = list(np.linspace(0.5, 2, 12))
        found = sweep(train, labels, test, scale=scales, max_iter=50, jobs=8)
    assert not all(fit.converged for fit in found.table.values())
    assert len(caught) == 1
