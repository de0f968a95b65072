"""Recipes: what they refuse, and what the presets hold."""

from dataclasses import replace

import numpy as np
import pytest

from extractors.errors import BackboneError
from extractors.plugins import register
from extractors.recipes import RECIPES, Recipe


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("schedule", "linear"),
        ("warmup_epochs", 5),
        ("label_smoothing", 2.0),
        ("clip_norm", 0.0),
        ("layers", "first"),
        ("inner_validation", 0.9),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_by_its_field(field, value):
    good = {"epochs": 5, "batch_size": 8, "learning_rate": 1e-3, "weight_decay": 0.0}
    Recipe("good", **good)
    with pytest.raises(BackboneError, match=f"'own' wants .*{field}"):
        Recipe("own", **{**good, field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", "frozen"),
        ("epochs", 3.5),
        ("epochs", np.int64(2)),
        ("batch_size", True),
        ("learning_rate", float("inf")),
        ("learning_rate", "1e-3"),
        ("augmentation", {"zoom": 0.1}),
    ],
)
def test_a_field_of_another_kind_is_refused_by_its_name(field, value):
    good = {"name": "own", "epochs": 5, "batch_size": 8, "learning_rate": 1e-3, "weight_decay": 0.0}
    with pytest.raises(BackboneError, match=field):
        Recipe(**{**good, field: value})


def test_register_takes_a_recipe_and_nothing_else():
    with pytest.raises(BackboneError, match="recipe must be a Recipe, not str"):
        register("mine", recipe="quick")
    sized = Recipe(
        "own", epochs=5, batch_size=8, learning_rate=1e-3, weight_decay=0.0, input_size=64
    )
    with pytest.raises(BackboneError, match="the input size belongs into register"):
        register("mine", recipe=sized)


def test_every_field_but_the_name_is_given_by_its_keyword():
    with pytest.raises(TypeError, match="positional"):
        Recipe("own", 5, 8, 1e-3, 0.0)


def test_every_preset_trains_every_section_and_carries_its_name():
    assert {preset for preset, _ in RECIPES} == {"quick", "thesis", "full"}
    assert {section for _, section in RECIPES} == {"A", "B", "C"}
    assert len(RECIPES) == 9
    assert all(recipe.name == preset for (preset, _), recipe in RECIPES.items())


def test_the_thesis_recipe_is_that_of_its_listing():
    """AdamW, learning rate 1e-3, weight decay 1e-4, batch 256, 50 epochs, nothing else."""
    assert RECIPES["thesis", "A"] == Recipe(
        "thesis",
        epochs=50,
        batch_size=256,
        learning_rate=1e-3,
        weight_decay=1e-4,
        schedule="constant",
    )


@pytest.mark.parametrize(("epochs", "warmup"), [(30, 3), (1, 0), (4, 0), (5, 0), (6, 1), (200, 20)])
def test_another_number_of_epochs_keeps_the_share_of_the_warm_up(epochs, warmup):
    own = RECIPES["thesis", "B"]
    assert (own.epochs, own.warmup_epochs) == (100, 10)
    other = own.with_epochs(epochs)
    assert (other.epochs, other.warmup_epochs) == (epochs, warmup)
    assert other.name == f"thesis ({epochs} epoch{'s' if epochs > 1 else ''})"
    assert replace(other, name=own.name, epochs=100, warmup_epochs=10) == own
    assert own.with_epochs(100) is own
