"""Backbones of users: files, entry points, and the errors when they are wrong."""

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from extractors import (
    BackboneError,
    InputSpec,
    available,
    create_backbone,
    describe,
    extract,
    register,
)
from extractors.create import draws_weights
from extractors.plugins import BACKBONES, load_plugin_file
from extractors.registration.registry import Registered

GOOD = """
import torch
from extractors import register

class Means(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Linear(3, 5)
    def forward(self, x):
        return self.mix(x.mean((2, 3)))

@register("means", input_size=32, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
def build():
    return Means()
"""


def write(folder: Path, text: str, name: str = "plugin.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_plugin_file_gives_a_backbone(tmp_path, crops) -> None:
    assert load_plugin_file(write(tmp_path, GOOD)) == ["means"]
    backbone = create_backbone("means")
    assert (backbone.feature_width, backbone.input.height, backbone.weights) == (5, 32, "plugin")
    assert extract(backbone, crops).shape == (6, 5)
    assert "means" in [info.name for info in available(())]


def test_a_plugin_is_built_from_the_seed_and_identified_by_source_and_weights(tmp_path) -> None:
    load_plugin_file(write(tmp_path, GOOD))
    first, again, other = (create_backbone("means", seed=s) for s in (0, 0, 1))
    assert first.weights_digest == again.weights_digest != other.weights_digest
    before = describe("means").source_digest
    assert before == first.source_digest
    load_plugin_file(write(tmp_path, GOOD + "# changed\n"))
    assert describe("means").source_digest != before


def test_random_leaves_nothing_of_a_plugins_own_weights(tmp_path) -> None:
    text = GOOD.replace(
        "return Means()", "m = Means(); torch.nn.init.ones_(m.mix.weight); return m"
    )
    load_plugin_file(write(tmp_path, text))
    assert (create_backbone("means").module.mix.weight == 1).all()  # type: ignore[union-attr]
    random = create_backbone("random:means")
    assert random.weights == "random"
    assert not (random.module.mix.weight == 1).any()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "line 1"),
        ("import no_such_module_anywhere\n", "no_such_module_anywhere"),
        ("raise SystemExit(3)\n", "ends the program"),
        ("x = 1\n", "registers no backbone"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_in_one_line(tmp_path, text, reason) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BackboneError) as caught:
        load_plugin_file(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(BackboneError, match=r"absent\.py"):
        load_plugin_file(tmp_path / "absent.py")


def test_a_file_that_fails_halfway_leaves_nothing(tmp_path) -> None:
    with pytest.raises(BackboneError, match="ZeroDivisionError"):
        load_plugin_file(write(tmp_path, GOOD + "1 / 0\n"))
    assert BACKBONES.look_up("means") is None


def test_a_second_registration_names_both_sources(tmp_path) -> None:
    first = write(tmp_path, GOOD, "first.py")
    second = write(tmp_path, GOOD, "second.py")
    load_plugin_file(first)
    with pytest.raises(BackboneError) as caught:
        load_plugin_file(second)
    assert "first.py" in str(caught.value)
    assert "second.py" in str(caught.value)
    plugin = BACKBONES.look_up("means")
    assert isinstance(plugin, Registered)
    assert plugin.origin == str(first)


@pytest.mark.parametrize(
    "name",
    [
        *("timm:mine", "random", "torchvision", "fusion:a", "selected", "none", "cnn_baseline"),
        *("a.b", "a@b", "a+b", "a,b", "", "-a"),
    ],
)
def test_a_name_that_the_grammar_needs_is_refused(name: str) -> None:
    with pytest.raises(BackboneError):
        register(name)


@pytest.mark.parametrize("values", [{"input_size": 0}, {"std": (1.0, 0.0, 1.0)}])
def test_an_input_that_makes_no_sense_is_refused(values) -> None:
    with pytest.raises(BackboneError, match="input_size"):
        register("mine", **values)


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        ("return x", r"\(2, 3, 32, 32\)"),
        ("return x.mean()", r"\(\)"),
        ("return [x]", "list"),
        ("return x.mean((2, 3))[:1]", r"\(1, 3\)"),
        ("return x.no_such_method()", "no_such_method"),
        ("return torch.nn.Linear(7, 2)(x.mean((2, 3)))", "RuntimeError"),
    ],
)
def test_a_module_that_does_not_return_features_is_named(tmp_path, forward, reason) -> None:
    text = GOOD.replace("return self.mix(x.mean((2, 3)))", forward)
    load_plugin_file(write(tmp_path, text))
    with pytest.raises(BackboneError, match=f"means: .*{reason}") as caught:
        create_backbone("means")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("result", ["None", "1 / 0"])
def test_a_builder_that_fails_is_named(tmp_path, result) -> None:
    load_plugin_file(write(tmp_path, GOOD.replace("return Means()", f"return {result}")))
    with pytest.raises(BackboneError, match=r"means: .*plugin\.py"):
        create_backbone("means")


@pytest.fixture
def entry_points(tmp_path, monkeypatch):
    """Puts modules on the path and entry points into the group, as an installation would."""

    def install(**modules: str) -> None:
        points = []
        for name, text in modules.items():
            write(tmp_path, text, f"installed_{name}.py")
            monkeypatch.delitem(sys.modules, f"installed_{name}", raising=False)
            value = f"installed_{name}:build" if "def build" in text else f"installed_{name}"
            points.append(importlib.metadata.EntryPoint(name, value, BACKBONES.group))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(BACKBONES, "_entry_points_read", False)
        monkeypatch.setattr(
            importlib.metadata,
            "entry_points",
            lambda group: points if group == BACKBONES.group else [],
        )

    return install


def test_a_broken_entry_point_harms_only_itself(entry_points) -> None:
    plain = GOOD.replace('@register("means", input_size=32, mean=(0.5, 0.5, 0.5), '
                         "std=(0.25, 0.25, 0.25))\n", "")  # fmt: skip
    entry_points(means=GOOD, plain=plain, broken="import no_such_module\ndef build(): pass\n")
    by_name = {info.name: info for info in available(())}
    assert "no_such_module" in (by_name["broken"].problem or "")
    assert "broken" in by_name["broken"].hint
    assert not by_name["broken"].cached
    assert create_backbone("means").input.height == 32
    assert create_backbone("plain").input.height == 224
    with pytest.raises(BackboneError, match=r"broken: .*no_such_module"):
        create_backbone("broken")


def test_an_entry_point_under_a_reserved_name_is_listed_with_the_reason(entry_points) -> None:
    entry_points(means=GOOD, cnn_baseline=GOOD)
    by_name = {info.name: info for info in available(())}
    assert "the name is reserved" in (by_name["cnn_baseline"].problem or "")
    assert create_backbone("means").input.height == 32


def test_an_entry_point_is_identified_by_its_modules_source(entry_points, monkeypatch) -> None:
    entry_points(means=GOOD)
    before = describe("means").source_digest
    monkeypatch.setattr(BACKBONES, "_entries", {})
    entry_points(means=GOOD + "# changed\n")
    assert describe("means").source_digest != before


MISBEHAVING = """
import os, sys, torch
from extractors import register

class Net(torch.nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.norm = torch.nn.BatchNorm2d(3, track_running_stats=False)
    def forward(self, x):
        if self.kind == "exit":
            sys.exit(0)
        if self.kind == "batch":
            x = self.norm(x)
        if self.kind == "chance":
            x = x + torch.rand(())
        if self.kind == "state":
            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(True)
            torch.manual_seed(5)
        return x.mean((2, 3)).float() ** 2

for kind in ("exit", "batch", "chance", "state"):
    register(kind, input_size=32)(lambda kind=kind: Net(kind))

@register("exit-in-build", input_size=32)
def build():
    sys.exit(3)
"""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("exit", "ends the program"),
        ("exit-in-build", "ends the program"),
        ("batch", "depend on the other images of its batch"),
        ("chance", "other features for the same images each time"),
    ],
)
def test_a_network_that_would_spoil_a_run_is_refused(
    tmp_path: Path, name: str, reason: str
) -> None:
    load_plugin_file(write(tmp_path, MISBEHAVING))
    with pytest.raises(BackboneError, match=reason) as caught:
        create_backbone(name)
    assert name in str(caught.value)


def test_a_plugin_changes_nothing_for_the_backbones_after_it(tmp_path: Path, crops) -> None:
    import torch

    before = torch.random.get_rng_state()
    text = MISBEHAVING + "torch.set_default_dtype(torch.float64)\nos.chdir('/')\n"
    folder = Path.cwd()
    load_plugin_file(write(tmp_path, text))
    extract(create_backbone("state"), crops)
    assert torch.get_default_dtype() == torch.float32
    assert Path.cwd() == folder
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_module_beside_the_plugin_is_part_of_its_source(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = write(tmp_path, "import beside_it\n" + GOOD)
    digests = []
    for value in (1, 2):
        sys.modules.pop("beside_it", None)
        write(tmp_path, f"VALUE = {value}\n", "beside_it.py")
        load_plugin_file(plugin)
        digests.append(describe("means").source_digest)
    assert digests[0] != digests[1]


def test_a_helper_that_is_imported_only_when_building_is_part_of_the_digest(tmp_path: Path) -> None:
    plugin = tmp_path / "lazily.py"
    plugin.write_text(
        "from extractors import register\n\n\n@register('lazily')\ndef build():\n"
        "    from lazy_helper import Net\n\n    return Net()\n"
    )
    helper = tmp_path / "lazy_helper.py"
    helper.write_text("Net = 1\n")
    load_plugin_file(plugin)
    before = describe("lazily").source_digest
    helper.write_text("Net = 2\n")
    load_plugin_file(plugin)
    assert describe("lazily").source_digest != before


def test_a_plugin_that_draws_its_weights_is_told_from_one_that_loads_them() -> None:
    kept = nn.Conv2d(3, 8, 3).state_dict()

    def loaded() -> nn.Module:
        layer = nn.Conv2d(3, 8, 3)
        layer.load_state_dict(kept)
        return nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))

    def drawn() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    register("loaded", input_size=16)(loaded)
    register("drawn", input_size=16)(drawn)
    assert draws_weights("drawn")
    assert not draws_weights("loaded")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"input_size": (224, 192)}, r"side of a square image.*not \(224, 192\)"),
        ({"input_size": [224, 224]}, "side of a square image"),
        ({"input_size": "224"}, "side of a square image"),
        ({"input_size": 224.0}, "side of a square image"),
        ({"input_size": True}, "side of a square image"),
        ({"input_size": None}, "side of a square image"),
        ({"input_size": 0}, "side of a square image"),
        ({"mean": 0.5}, "mean wants three numbers"),
        ({"mean": None}, "mean wants three numbers"),
        ({"std": (1, 1)}, "std wants three numbers"),
        ({"std": "abc"}, "std wants three numbers"),
        ({"std": (1, 1, float("nan"))}, "finite means and three positive stds"),
        ({"std": (0, 1, 1)}, "finite means and three positive stds"),
    ],
)
def test_an_input_that_makes_no_sense_is_refused_in_one_line(arguments, reason) -> None:
    with pytest.raises(BackboneError, match=reason):
        register("mine", **arguments)


def test_an_input_may_be_given_in_numpys_numbers() -> None:
    register("mine", input_size=np.int64(32), mean=np.zeros(3), std=[1, 1, 1])(nn.Identity)
    assert describe("mine").input == InputSpec(32, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_decorator_without_its_name_says_what_is_missing() -> None:
    with pytest.raises(BackboneError, match="backbone's name first"):
        register(lambda: nn.Identity())  # type: ignore[arg-type]


def test_weights_of_five_axes_are_placed_like_any_other() -> None:
    class Volume(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat = nn.Conv2d(3, 4, 3)
            self.deep = nn.Conv3d(1, 2, (4, 1, 1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.deep(self.flat(images)[:, None]).mean((2, 3, 4))

    register("volume", input_size=16)(Volume)
    backbone = create_backbone("volume")
    assert backbone.feature_width == 2
    assert backbone.module.flat.weight.is_contiguous(memory_format=torch.channels_last)
