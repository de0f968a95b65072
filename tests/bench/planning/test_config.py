"""The configuration: options are checked, and a wrong name is told with the nearest one."""

import inspect

import pytest

from bench.cli import run_all
from bench.data import CropSettings
from bench.errors import UnusableInput
from bench.planning.config import PRESETS, Configuration, check_names
from bench.planning.protocols import PROTOCOLS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 4}, "--size 4"),
        ({"preset": "fast"}, "--preset 'fast'"),
        ({"repeats": 0}, "--repeats 0"),
        ({"seed": -1}, "--seed -1"),
        ({"dataset": "inbreast"}, "--dataset 'inbreast'"),
        ({"no_such": 1}, "--no-such"),
    ],
)
def test_a_wrong_option_is_named_in_one_line(options, message):
    with pytest.raises(UnusableInput, match=message) as caught:
        Configuration.checked(options)
    assert "\n" not in str(caught.value)


def test_names_are_checked_with_the_nearest_ones():
    with pytest.raises(UnusableInput, match="'liner' is unknown; did you mean linear"):
        check_names("classifiers", ("cubic", "liner"), ("linear", "cubic"))
    with pytest.raises(UnusableInput, match="known are linear, cubic"):
        check_names("classifiers", ("xyz",), ("linear", "cubic"))
    with pytest.raises(UnusableInput, match="more than once"):
        check_names("classifiers", ("linear", "linear"), ("linear", "cubic"))


def test_the_preset_decides_what_no_option_says():
    assert Configuration().chosen_protocols() == ("official",)
    thesis = Configuration(preset="thesis")
    assert thesis.chosen_protocols() == ("official", "patient-cv")
    assert thesis.chosen_repeats() == 10
    assert Configuration(preset="thesis", repeats=2).chosen_repeats() == 2


def test_every_preset_names_protocols_that_exist():
    for preset in PRESETS.values():
        assert set(preset.protocols) <= set(PROTOCOLS)


def test_a_default_is_the_same_wherever_it_stands():
    options = inspect.signature(run_all).parameters
    fields = Configuration.model_fields
    shared = {"region", "margin", "fit", "window", "size", "preset", "device", "seed", "jobs"}
    for name in shared:
        assert options[name].default == fields[name].default, name
    assert Configuration().crop_settings() == CropSettings()
