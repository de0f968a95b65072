"""Options from a file are the options of the command line, and what is wrong with one is said."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.config_file import commented_file, read_options


def test_a_file_has_the_options_under_their_own_names(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(
        'data = "some/where"\nextractors = ["a,b", "c"]\nclassifiers = "linear"\ntune = true\n'
        'train-fraction = [0.5, 1]\nweights_dir = "w"\nsize = 64\nplugin = "x,y.py"\n'
        'features = "a=b.npz"\nmargin = 2\n'
    )
    assert Configuration.checked(read_options(file)) == Configuration(
        data=Path("some/where"),
        extractors=("a", "b", "c"),
        classifiers=("linear",),
        tune=True,
        train_fraction=(0.5, 1.0),
        weights_dir=Path("w"),
        size=64,
        plugin=(Path("x,y.py"),),
        features=("a=b.npz",),
        margin=2.0,
    )
    file.write_text("train-fraction = 0.5\n")
    assert Configuration.checked(read_options(file)).train_fraction == (0.5,)
    file.write_text("")
    assert read_options(file) == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("extractor = 'a'", "'extractor' is no option; did you mean extractors?"),
        ("trian_fraction = 1", "did you mean train-fraction?"),
        ("zzzzzz = 1", "'zzzzzz' is no option; python -m bench init"),
        ("config = 'a.toml'", "'config' is no option"),
        ("weights-dir = 'a'\nweights_dir = 'b'", "weights_dir stands there twice"),
        ("[data]\npath = 'a'", "data is a section"),
        ("[run]\nsize = 3", "'run' is no option"),
        ("size = 4", "size 4: Input should be greater than or equal to 8"),
        ("size = [64]", "size takes one value"),
        ("epochs = true", "epochs is no flag"),
        ("tune = 1", "tune is a flag, true or false"),
        ("size = 'big'", "size 'big'"),
        ("extractors = []", "extractors : no name is given"),
        ("extractors = [['a']]", "extractors is to be text"),
        ("seed = 2020-01-01", "seed is to be text, a number"),
        ("size = ", "is not TOML: "),
        ("a = 1\na = 2", "is not TOML: "),
    ],
)
def test_what_a_file_may_not_hold_is_one_line_that_names_it(tmp_path, content, reason):
    file = tmp_path / "run.toml"
    file.write_text(content)
    with pytest.raises(UnusableInput, match=re.escape(reason)) as caught:
        read_options(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"units": []}, "is not the manifest of a run"),
        ([], "is not the manifest of a run"),
        ({"configuration": {}}, "is of a version that kept no options"),
        ({"options": {"sizes": 3}}, "did you mean size"),
    ],
)
def test_a_manifest_without_options_is_refused(tmp_path, content, reason):
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    for place in (tmp_path, tmp_path / "manifest.json"):
        with pytest.raises(UnusableInput, match=reason):
            read_options(place)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UnusableInput, match=r"--config .*none.toml: No such file"):
        read_options(tmp_path / "none.toml")
    with pytest.raises(UnusableInput, match=r"is a folder without manifest\.json"):
        read_options(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"data = '\xe9'")
    with pytest.raises(UnusableInput, match="is no text in UTF-8"):
        read_options(tmp_path / "latin.toml")
    (tmp_path / "x.json").write_bytes(b"{")
    with pytest.raises(UnusableInput, match="is no JSON"):
        read_options(tmp_path / "x.json")


def test_the_file_that_is_written_holds_every_option(tmp_path):
    text = commented_file()
    assert tomllib.loads(text) == {}
    assert max(map(len, text.splitlines())) <= 100
    file = tmp_path / "run.toml"
    file.write_text(re.sub(r"^# ([a-z-]+ = )", r"\1", text, flags=re.MULTILINE))
    options = read_options(file)
    assert list(options) == list(Configuration.model_fields)
    Configuration.checked(options)
    for name, field in Configuration.model_fields.items():
        if field.default is not None and field.default != ():
            assert getattr(Configuration.checked(options), name) == field.default
