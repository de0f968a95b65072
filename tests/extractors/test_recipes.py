"""Recipes: what they refuse, and what the presets hold."""

import pytest

from extractors.backbone import BackboneError
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


def test_every_preset_trains_every_section_and_carries_its_name():
    assert {preset for preset, _ in RECIPES} == {"quick", "thesis", "full"}
    assert {section for _, section in RECIPES} == {"A", "B", "C"}
    assert len(RECIPES) == 9
    assert all(recipe.name == preset for (preset, _), recipe in RECIPES.items())


def test_the_thesis_recipe_is_that_of_its_listing():
    """AdamW, learning rate 1e-3, weight decay 1e-4, batch 256, 50 epochs, nothing else."""
    assert RECIPES["thesis", "A"] == Recipe("thesis", 50, 256, 1e-3, 1e-4, "constant")
