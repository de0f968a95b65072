"""Tasks are counted, and their time is summed from what was measured under the same rules."""

from dataclasses import replace

import pytest

from bench.estimates.effort import effort_of, time_lines
from bench.estimates.speed import SHARE, product_speed
from bench.execution.rates import Rates, inner
from bench.planning.config import Configuration
from bench.planning.job import prepare_job
from bench.planning.rules import Rules, likely_rules
from bench.store import Store
from extractors.create import size_of

NETWORK, FROZEN = "vit_128_p16", "random:timm:vit_tiny_patch16_224"
RULES = Rules(threads=2)


@pytest.fixture
def job(phantom, tmp_path):
    options = {
        "data": phantom, "cache": tmp_path / "store", "subset": ["mass"], "repeats": 2,
        "protocols": ["official"], "extractors": [f"{FROZEN},{NETWORK},selected"],
        "classifiers": ["linear,softmax"],
    }  # fmt: skip
    return prepare_job(Configuration.checked(options))


@pytest.fixture
def rates(job):
    return Rates(Store(job.cache), RULES)


def measured(rates, job):
    """Measure one second of everything."""
    recipe = job.extractors[1].recipe
    rates.note_training(NETWORK, recipe, 10, 10.0 * recipe.epochs)
    for name in (NETWORK, FROZEN):
        rates.note_extraction(name, 1.0)
    rows = len(job.plan.folds[0].train)
    for classifier in {s.classifier for s in job.plan.systems} | {"logistic", "knn", "majority"}:
        for name in (classifier, inner(classifier)):
            rates.note_fit(name, rows, 1.0)


def test_tasks_are_counted_and_nothing_is_known_of_their_time_elsewhere(job):
    effort = effort_of(job, (RULES,), here=False)
    # Features, and a fold a seed of the network; the frozen one has one fold.
    assert effort.gpu_tasks == 3
    assert effort.tasks > effort.gpu_tasks
    assert effort.stack_bytes == len(job.dataset.table) * 256**2
    assert 0 < effort.site_bytes < effort.stack_bytes
    assert effort.seconds == 0
    assert effort.unknown["training of"] == {NETWORK: None}
    fits, networks = time_lines(effort, 2)
    assert "fits of" in fits
    assert "further time unknown, never measured" in networks
    assert NETWORK in networks
    assert "about" not in networks


def test_what_was_never_measured_is_guessed_from_operations(job, monkeypatch):
    """Twice the speed takes half the time, and a measured network tells more than products."""
    seconds = []
    for per_second in (1e9, 2e9):
        monkeypatch.setattr("bench.estimates.effort.product_speed", lambda *_, s=per_second: s)
        effort = effort_of(job, (RULES,))
        assert not effort.unknown
        assert effort.guesses["training of"] == {NETWORK: None}
        seconds.append(effort.expected[NETWORK])
    slow, fast = seconds
    assert fast == pytest.approx(slow / 2, rel=0.2)  # fits are the same
    (line,) = time_lines(effort, 2)
    assert line.startswith("roughly ")
    assert "within a factor" in line
    assert "2 workers" in line
    Rates(Store(job.cache), RULES).note_extraction(FROZEN, 3600.0)
    monkeypatch.setattr("bench.estimates.effort.product_speed", lambda *_: pytest.fail("timed"))
    assert effort_of(job, (RULES,)).expected[NETWORK] > 100 * slow


def test_the_speed_of_products_is_that_of_the_machine():
    import torch

    before = torch.get_num_threads()
    found = product_speed("cpu", Rules(threads=1))
    assert torch.get_num_threads() == before
    # The slowest processor of ten years and the fastest core that is sold.
    assert 1e8 < found < 1e13


def test_a_training_takes_three_forward_passes_a_crop_and_epoch(job, monkeypatch):
    monkeypatch.setattr("bench.estimates.effort.product_speed", lambda *_: 1e9)
    flops = size_of(NETWORK, job.extractors[1].recipe.input_size).flops
    effort = effort_of(job, (RULES,))
    fold, recipe = job.plan.folds[0], job.extractors[1].recipe
    passes = 3 * recipe.epochs * len(fold.network_rows[0]) + len(fold.train) + len(fold.test)
    expected = 2 * passes * flops / (SHARE * 1e9)  # two repeats
    assert expected < effort.expected[NETWORK] < 1.1 * expected


def test_what_was_measured_is_summed_over_the_tasks(job, rates):
    measured(rates, job)
    effort = effort_of(job, (RULES,))
    (fold, *_), recipe = job.plan.folds, job.extractors[1].recipe
    rows = len(fold.train) + len(fold.test)
    trained = 2 * (recipe.epochs * len(fold.train) + rows)
    assert not effort.unknown
    assert trained + rows < effort.seconds < trained + rows + 40
    (line,) = time_lines(effort, 2)
    assert line.startswith("about ")
    assert "2 workers" in line
    assert "workers" not in next(time_lines(effort, 1))
    assert "workers" not in next(time_lines(effort, None))


def test_a_rate_holds_under_its_rules_only(job, rates):
    measured(rates, job)
    others = (replace(RULES, threads=1), replace(RULES, bfloat16=True))
    for rules in others:
        effort = effort_of(job, (rules,))
        assert set(effort.guesses) == {"training of", "features of"}
    # A GPU elsewhere is likelier than what this machine has.
    gpu = Rates(rates.store, likely_rules(RULES)[0])
    gpu.note_extraction(FROZEN, 1000.0)
    slow, fast = effort_of(job, likely_rules(RULES)), effort_of(job, (RULES,))
    assert slow.seconds > fast.seconds + 1000
    assert not slow.unknown


def test_an_epoch_takes_its_time_whatever_the_number_of_epochs(rates, job):
    recipe = job.extractors[1].recipe
    rates.note_training(NETWORK, recipe, crops=10, seconds=30.0)
    longer = replace(recipe, name="longer", epochs=7 * recipe.epochs, learning_rate=0.5)
    assert rates.training(NETWORK, longer) == pytest.approx(3.0 / recipe.epochs)
    assert rates.training(NETWORK, replace(recipe, batch_size=3)) is None
    assert rates.training("cct_7", recipe) is None


def test_a_fit_is_scaled_to_rows_that_are_near(rates):
    rates.note_fit("linear", 100, 1.0)
    assert rates.fit("linear", 100) == pytest.approx(1.0)
    assert rates.fit("linear", 150) == pytest.approx(2.25)
    assert rates.fit("linear", 1000) is None
    assert rates.fit("cubic", 100) is None


def test_the_last_measurement_counts_and_few_are_written(rates, monkeypatch):
    rates.note_extraction(FROZEN, 1.0)
    (file,) = rates.store.entries("rates")
    for _ in range(9):
        rates.note_extraction(FROZEN, 2.0)
    (same,) = rates.store.entries("rates")
    assert same == file
    monkeypatch.setattr("bench.execution.rates.REST_S", 0.0)
    rates.note_extraction(FROZEN, 3.0)
    assert rates.extraction(FROZEN) == 3.0


def test_a_full_disk_ends_no_work_for_a_rate(rates, monkeypatch):
    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "put", full)
    rates.note_extraction("other", 1.0)
