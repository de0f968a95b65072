"""What the head of the page is told by names and commands alone."""

import pandas as pd
import pytest

from reports.systems.kinds import names_reference, pretrained
from reports.systems.pooling import PooledSystem
from reports.text.answers import _without


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", True),
        ("shortcut:size", True),
        ("reader:assessment", True),
        ("nonet", False),
        ("none-of-these", False),
        ("selected", False),
    ],
)
def test_only_reference_points_are_named_so(name, expected):
    assert names_reference(name) is expected


def test_a_proposed_command_says_each_option_once():
    command = "python -m bench all --data 'a b' --extractors x,y --out=runs/one --jobs 2"
    assert _without(command, ["--extractors"]) == "python -m bench all --data 'a b' --jobs 2"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [("imagenet", True), ("file:0123456789ab", True), ("random", False), ("plugin", False)],
)
def test_weights_of_a_plugin_are_not_called_pretrained(weights: str, expected: bool) -> None:
    identity = {"extractor": "mine", "weights": weights}
    assert pretrained(PooledSystem(identity, pd.DataFrame(), (), "ok")) is expected
