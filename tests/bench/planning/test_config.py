"""The configuration: options are checked, and a wrong name is told with the nearest one."""

import inspect
from pathlib import Path

import pytest

from bench.commands.all import run_all
from bench.commands.options import with_options
from bench.data import CropSettings
from bench.data.loading import DATASETS
from bench.errors import UnusableInput
from bench.planning.config import Configuration, check_names, option_of
from bench.planning.presets import PRESETS
from bench.planning.protocols import PROTOCOLS


def test_help_names_every_kind_of_data_set():
    said = option_of("dataset").help
    assert [name for name in DATASETS if name not in said] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 4}, "--size 4"),
        ({"preset": "fast"}, "--preset 'fast'"),
        ({"repeats": 0}, "--repeats 0"),
        ({"seed": -1}, "--seed -1"),
        ({"no_such": 1}, "--no-such"),
        ({"columns": ("patient_id",)}, "--columns patient_id: give each column as"),
        ({"columns": ("patient=x",)}, "--columns patient=x: 'patient' is not one of path, label"),
        ({"columns": ("path=x,label=x",)}, "named more than once"),
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


def test_every_field_is_an_option_with_the_default_of_the_field():
    options = inspect.signature(with_options(run_all)).parameters
    fields = Configuration.model_fields
    assert list(options) == ["context", *fields]
    several = {
        "columns",
        "subset",
        "extractors",
        "classifiers",
        "protocols",
        "external",
        "plugin",
        "features",
        "checkpoint",
        "train_fraction",
    }
    for name, field in fields.items():
        assert options[name].default == (None if name in several else field.default), name
    assert Configuration().crop_settings() == CropSettings()


def test_what_is_not_given_takes_the_default_and_names_are_split():
    found = []
    command = with_options(found.append)
    command(extractors=["a,b", " c "], train_fraction=["0.5,1"], repeats=None, plugin=["x,y.py"])
    assert found == [
        Configuration(
            extractors=("a", "b", "c"), train_fraction=(0.5, 1.0), plugin=(Path("x,y.py"),)
        )
    ]
    with pytest.raises(UnusableInput, match="--extractors ,: no name is given"):
        command(extractors=[","])
    with pytest.raises(UnusableInput, match="--train-fraction 'x': "):
        command(train_fraction=["x"])
