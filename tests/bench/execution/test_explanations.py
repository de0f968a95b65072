"""The score that is explained is the one that stands in the predictions."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from bench.execution.explanations import head_score
from bench.execution.keys import saliency_key


def test_a_head_s_score_is_the_logit_of_its_probability():
    random = np.random.default_rng(3)
    weight, bias = random.normal(size=(2, 5)), random.normal(size=2)
    features = random.normal(size=(7, 5))
    network = SimpleNamespace(head=(weight, bias))
    score = head_score(network, "cpu")(torch.from_numpy(features)).numpy()
    stored = softmax(features @ weight.T + bias, axis=1)[:, 1]
    assert expit(score) == pytest.approx(stored)


def test_every_part_of_a_key_counts(monkeypatch):
    parts = ("unit", 128, ("a", "b"))
    others = ("other", 64, ("b", "a"))
    keys = {saliency_key(*parts)}
    for place, other in enumerate(others):
        keys.add(saliency_key(*parts[:place], other, *parts[place + 1 :]))
    monkeypatch.setattr("bench.execution.keys.package_version", lambda name: f"another {name}")
    keys.add(saliency_key(*parts))
    assert len(keys) == 5
