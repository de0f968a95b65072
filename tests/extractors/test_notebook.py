"""What a notebook does with the extractors: completion, cells run twice, images of every kind."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import extractors
from extractors import (
    BackboneError,
    Recipe,
    TrainingFailed,
    TrainingRows,
    create_backbone,
    create_trainable,
    extract,
    register,
    saliency,
    train,
)
from extractors.plugins import BACKBONES

RECIPE = Recipe("short", epochs=1, batch_size=8, learning_rate=1e-3, weight_decay=0.0)


@pytest.mark.parametrize("package", ["extractors", "classifiers", "reports", "bench.data"])
def test_completion_shows_every_public_name_and_imports_nothing(package) -> None:
    code = (
        f"import sys, {package} as package\n"
        "assert set(package.__all__) <= set(dir(package)), dir(package)\n"
        "assert '__name__' in dir(package)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
        f"from {package} import *\n"
        "assert all(name in globals() for name in package.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_trains_and_explains_is_exported_whatever_was_imported_before() -> None:
    for module in ("saliency_maps", "training.loop", "training.trainable", "training.rows"):
        importlib.import_module(f"extractors.{module}")
    for name in ("train", "create_trainable", "saliency"):
        assert callable(getattr(extractors, name))
    assert isinstance(extractors.TrainingRows, type)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = extractors.nothing  # type: ignore[attr-defined]


CELL = """
import torch
from extractors import register

@register("cell", input_size=32)
def build():
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
                               torch.nn.Linear(3, {width}))
"""
CLASS_CELL = """
import torch
from extractors import register

@register("cell", input_size=32)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Linear(3, {width})

    def forward(self, images):
        return self.last(images.mean((2, 3)))
"""
PARTIAL_CELL = """
import torch
from functools import partial
from extractors import register

def net(width):
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
                               torch.nn.Linear(3, width))

register("cell", input_size=32)(partial(net, {width}))
"""


def run_cell(text: str, number: int) -> None:
    exec(compile(text, f"<ipython-input-{number}>", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("cell", [CELL, CLASS_CELL, PARTIAL_CELL], ids=["def", "class", "partial"])
def test_a_cell_can_be_run_again_and_edited(cell, crops, monkeypatch) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    run_cell(cell.format(width=4), 1)
    run_cell(cell.format(width=4), 1)
    assert extract(create_backbone("cell"), crops).shape == (6, 4)
    first = BACKBONES.look_up("cell")
    run_cell(cell.format(width=7), 2)
    assert extract(create_backbone("cell"), crops).shape == (6, 7)
    assert BACKBONES.look_up("cell").digest != first.digest
    run_cell(CELL.replace("def build", "def build_it").format(width=2), 3)
    assert extract(create_backbone("cell"), crops).shape[1] == 2


def test_a_module_can_be_reloaded_but_no_other_file_takes_its_name(tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_cell.py").write_text(CELL.format(width=4))
    (tmp_path / "my_other_cell.py").write_text(CELL.format(width=4))
    module = importlib.import_module("my_cell")
    importlib.reload(module)
    with pytest.raises(BackboneError, match=r"my_cell\.py already, so .*my_other_cell\.py"):
        importlib.import_module("my_other_cell")
    (tmp_path / "my_cell.py").write_text(CELL + CELL.replace("def build", "def another"))
    twice = tmp_path / "twice.py"
    twice.write_text((CELL + CELL).format(width=4).replace('"cell"', '"both"'))
    with pytest.raises(BackboneError, match="registered by"):
        extractors.load_plugin_file(twice)


class Means(nn.Module):
    """A small network with a map."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 4, 5, stride=4)

    def forward(self, images):
        return self.last(images).relu().mean((2, 3))


GREY = np.random.default_rng(0).integers(0, 256, (8, 32, 32), np.uint8)

REFUSED = {
    "floats on [0, 1]": (GREY / 255, r"float64 \(8, 32, 32\); of values on \[0, 1\] make np.rint"),
    "32-bit floats": ((GREY / 255).astype(np.float32), "float32"),
    "floats on [0, 255]": (GREY.astype(float), "float64"),
    "16 bits": (GREY.astype(np.uint16), "uint16"),
    "truth values": (GREY > 99, "bool"),
    "colours": (np.repeat(GREY[..., None], 3, 3), r"\(8, 32, 32, 3\); make one grey channel"),
    "one image": (GREY[0], r"\(32, 32\); one image is images\[None\]"),
    "names": (["a.png", "b.png"] * 4, "got paths; read the files first"),
    "paths": ([Path("a.png")] * 8, "got paths"),
    "one path": ("a.png", "got paths"),
    "a tuple of paths": (("a.png",) * 8, "got paths"),
    "an array of names": (np.array(["a.png"] * 8), "got <U5"),
    "several sizes": ([GREY[0], GREY[1, :9]], "of one size"),
    "nothing": (None, "uint8 images"),
    "no pixels": (np.zeros((8, 0, 0), np.uint8), "uint8"),
}


@pytest.mark.parametrize(("images", "message"), REFUSED.values(), ids=REFUSED)
def test_images_are_never_rounded_or_guessed_at(images, message) -> None:
    register("means", input_size=32, recipe=RECIPE)(Means)
    backbone = create_backbone("means")
    trainable = create_trainable("means", RECIPE)
    labels = np.arange(8) % 2
    good = TrainingRows(GREY, labels)
    calls = {
        "extract": lambda: extract(backbone, images),
        "saliency": lambda: saliency(backbone, lambda features: features[:, 0], images, 8),
        "train": lambda: train(trainable, TrainingRows(images, labels), RECIPE),
        "held out": lambda: train(trainable, good, RECIPE, held_out=TrainingRows(images, labels)),
    }
    for call in calls.values():
        with pytest.raises(BackboneError, match=message) as caught:
            call()
        assert str(caught.value).startswith("means: wants uint8 images (N, H, W)")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [list, lambda x: [row.tolist() for row in x]])
def test_a_list_of_arrays_is_a_stack(kind) -> None:
    register("means", input_size=32, recipe=RECIPE)(Means)
    images, backbone = kind(GREY), create_backbone("means")
    if not isinstance(images[0], np.ndarray):
        with pytest.raises(BackboneError, match="int64"):
            extract(backbone, images)
        return
    np.testing.assert_array_equal(extract(backbone, images), extract(backbone, GREY))
    trainable = create_trainable("means", RECIPE)
    train(trainable, TrainingRows(images, [0, 1] * 4), RECIPE)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (TrainingRows(GREY, np.arange(7) % 2), r"8 images but labels \(7,\)"),
        (TrainingRows(GREY, np.arange(8) % 2 + 1), "labels must be 0 and 1"),
        (TrainingRows(GREY, ["a", "b"] * 4), "labels must be 0 and 1"),
        (TrainingRows(GREY, np.arange(8) % 2, ["p"] * 3), r"8 images but patients \(3,\)"),
    ],
)
def test_rows_that_do_not_fit_together_are_named(rows, message) -> None:
    register("means", input_size=32, recipe=RECIPE)(Means)
    trainable = create_trainable("means", RECIPE)
    with pytest.raises(TrainingFailed, match=message):
        train(trainable, rows, RECIPE)
    good = TrainingRows(GREY, np.arange(8) % 2)
    with pytest.raises(TrainingFailed, match=message):
        train(trainable, good, RECIPE, held_out=rows)


def test_no_untrained_network_bears_the_name_of_a_trained_one() -> None:
    name = "bundled:efficientnet_lite0"
    with pytest.raises(BackboneError, match=f"is trained, by `all`, .*; {name} takes the weights"):
        create_backbone(f"{name}+finetuned")


@pytest.mark.parametrize("name", [3, None, Path("a")])
def test_a_name_is_a_text(name) -> None:
    with pytest.raises(BackboneError, match="an extractor's name is a text"):
        create_backbone(name)
