"""The examples in docstrings give what they show."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["estimator", "settings", "sweeps"])
def test_examples(module):
    found = doctest.testmod(import_module(f"classifiers.{module}"))
    assert found.attempted > 0
    assert found.failed == 0
