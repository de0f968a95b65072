"""The checks of a plugin: each fails for the fault it is there for, and a sound plugin passes."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors import BackboneError
from extractors.conformance.report import Finding, check_backbone, check_file
from extractors.isolation import restoring_process
from extractors.plugins import BACKBONES

SOUND = """
import os, random, sys
import numpy, torch
from torch import nn
from torch.nn import functional
from extractors import register
from extractors.recipes import Recipe

RECIPE = Recipe("short", epochs=3, batch_size=8, learning_rate=1e-2, weight_decay=0.0)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(48, 5)

    def features(self, x):
        return self.mix(functional.adaptive_avg_pool2d(x, 4).flatten(1))

    def forward(self, x):
        return functional.dropout(self.features(x), 0.1, self.training)
"""
FROZEN = """
@register("mine", input_size=32)
def build():
    return Case()
"""
TRAINED = FROZEN.replace("input_size=32", "input_size=32, recipe=RECIPE")


def checked(folder: Path, *parts: str) -> dict[str, Finding]:
    """The findings on a plugin of these parts, by check."""
    file = folder / "plugin.py"
    file.write_text("\n".join((SOUND, *parts)))
    findings = list(check_file(file))
    assert len({f.what for f in findings}) == len(findings)
    return {finding.what: finding for finding in findings}


def states(findings: dict[str, Finding], state: str) -> list[str]:
    return [what for what, finding in findings.items() if finding.state == state]


@pytest.mark.parametrize("end", [FROZEN, TRAINED])
def test_a_sound_plugin_passes_every_check(tmp_path: Path, end: str) -> None:
    findings = checked(tmp_path, "class Case(Net): pass", end)
    assert {f.state for f in findings.values()} == {"ok"}, findings
    assert ("learns" in findings) == (end is TRAINED)


def _forward(body: str, init: str = "") -> str:
    """A network that does this in forward, having done that when it was made."""
    made = f"    def __init__(self):\n        super().__init__()\n        {init}\n" if init else ""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return f"class Case(Net):\n{made}    def forward(self, x):\n{lines}\n"


FAULTS = {
    "raises in build": ("def Case(): 1 / 0", "builds", "ZeroDivision"),
    "exits in build": ("def Case(): sys.exit(4)", "builds", r"sys\.exit\(4\)"),
    "no module": ("Case = dict", "builds", "returns dict"),
    "raises in forward": (_forward("return x.no_such()"), "shape", "no_such"),
    "one image less": (_forward("return self.features(x)[1:]"), "shape", r"\(0, 5\)"),
    "wants two images": (
        _forward("return self.norm(self.features(x))", "self.norm = nn.BatchNorm1d(5).train"),
        "shape",
        "raises",
    ),
    "width of the batch": (_forward("return self.features(x) @ torch.ones(5, len(x))"), "shape",
                           r"width \[1, 2, 5\]"),
    "divides by the spread": (
        _forward("return self.features(x) / (x.amax((2, 3)) - x.amin((2, 3)))[:, :1]"),
        "finite",
        "black or white",
    ),
    "norm over the batch": (
        _forward("y = self.features(x)\nreturn y - y.mean(0)"), "single or batch", "other images"
    ),
    "dropout for ever": (
        _forward("return functional.dropout(self.features(x))"), "second pass", "other features"
    ),
    "turns training on": (
        _forward("y = self.features(x)\nself.train()\nreturn y"), "eval mode", "training mode"
    ),
    "counts its calls": (
        _forward("self.calls += 1\nreturn self.features(x)",
                 "self.register_buffer('calls', torch.zeros(()))"),
        "eval mode",
        "changes weights or buffers",
    ),
    "draws from numpy": (
        _forward("return self.features(x)",
                 "self.mix.weight.data.mul_(float(numpy.random.rand()))"),
        "seeded",
        "other weights",
    ),
    "draws from random": (
        _forward("return self.features(x)", "self.mix.weight.data.mul_(random.random())"),
        "seeded",
        "other weights",
    ),
    "one network for all": (
        "ONE = Net()\ndef Case(): return ONE", "seeded", "share weights"
    ),
    "unregistered weights": (
        _forward("return self.features(x) * self.scale", "self.scale = torch.rand(5)"),
        "save and load",
        "change after saving",
    ),
    "another layout": (
        "SIZES = [4, 3, 2, 1, 1, 1, 1]\n"
        + _forward("return self.features(x)",
                   "self.extra = nn.Linear(SIZES.pop(0), 1) if True else None"),
        "save and load",
        "does not fit",
    ),
    "weights that numpy lacks": (
        _forward("return self.features(x)",
                 "self.register_buffer('low', torch.ones(2, dtype=torch.bfloat16))"),
        "save and load",
        "low cannot be kept",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_check(tmp_path: Path, fault: str) -> None:
    text, what, said = FAULTS[fault]
    findings = checked(tmp_path, text, FROZEN)
    assert findings[what].state == "bad", findings
    assert_matches(said, findings[what].found)
    assert "\n" not in findings[what].found
    if what in ("builds", "shape"):
        assert findings["all else"].state == "note"


def assert_matches(said: str, found: str) -> None:
    import re

    assert re.search(said, found), found


PROCESS = {
    "the default type of floats": "torch.set_default_dtype(torch.float64)",
    "the default device": "torch.set_default_device('meta')",
    "torch's number of threads": "torch.set_num_threads(torch.get_num_threads() + 1)",
    "torch's gradient mode": "torch.set_grad_enabled(not torch.is_grad_enabled())",
    "torch's deterministic algorithms": "torch.use_deterministic_algorithms(True)",
    "the modes of cuDNN": "torch.backends.cudnn.benchmark = True",
    "the precision of matrix products": "torch.set_float32_matmul_precision('medium')",
    "torch's generator": "torch.rand(1)",
    "numpy's global generator": "numpy.random.seed(77)",
    "the generator of Python's random": "random.seed(77)",
    "the working folder": "os.chdir('/')",
}


@pytest.mark.parametrize("part", PROCESS)
def test_a_change_of_the_process_is_named_and_undone(tmp_path: Path, part: str) -> None:
    before = (Path.cwd(), torch.get_default_dtype(), torch.get_num_threads())
    at_import = checked(tmp_path, PROCESS[part], "class Case(Net): pass", FROZEN)
    assert states(at_import, "bad") == ["import"]
    assert at_import["import"].found == f"importing it changes {part}"
    assert (Path.cwd(), torch.get_default_dtype(), torch.get_num_threads()) == before
    code = f"y = self.features(x)\n{PROCESS[part]}\nreturn y"
    in_forward = checked(tmp_path, _forward(code), FROZEN)
    assert states(in_forward, "bad") == ["process"]
    assert in_forward["process"].found == f"a forward pass changes {part}"
    in_build = checked(tmp_path, _forward("return self.features(x)", PROCESS[part]), FROZEN)
    # Weights are drawn from torch's generator when a network is built.
    expected = [] if part == "torch's generator" else ["process"]
    assert states(in_build, "bad") == expected
    assert (Path.cwd(), torch.get_default_dtype(), torch.get_num_threads()) == before


def test_checks_leave_the_generators_as_they_were(tmp_path: Path) -> None:
    text = "numpy.random.seed(1); random.seed(1); torch.manual_seed(1)"
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # noqa: NPY002
    checked(tmp_path, text, "class Case(Net): pass", TRAINED)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert random.getstate() == before[2]


def test_what_a_block_changes_is_put_back_even_if_it_fails() -> None:
    folder = Path.cwd()
    block = restoring_process()
    changed = block.__enter__()
    os.chdir("/")
    assert not block.__exit__(KeyError, KeyError(), None)
    assert changed == ["the working folder"]
    assert Path.cwd() == folder


@pytest.mark.parametrize(
    ("forward", "what", "said"),
    [
        ("return torch.ones(len(x), 4)", "tells apart", "same features"),
        ("return self.features(x).sin() * 1e3 % 1", "bfloat16", "disagrees"),
        ("y = self.features(x)\nassert not torch.is_autocast_enabled('cpu')\nreturn y", "bfloat16",
         "fails under autocast"),
    ],
)  # fmt: skip
def test_what_is_worth_knowing_is_a_note(
    tmp_path: Path, forward: str, what: str, said: str
) -> None:
    findings = checked(tmp_path, _forward(forward), FROZEN)
    assert states(findings, "bad") == []
    assert findings[what].state == "note"
    assert said in findings[what].found
    assert findings[what].hint


FAULTS_IN_TRAINING = {
    "detached": (_forward("return self.features(x).detach()"), "", "gradients", "bad", "no grad"),
    "partly detached": (
        _forward("return self.features(x)", "self.unused = nn.Linear(2, 2)"),
        "",
        "gradients",
        "note",
        r"unused\.weight",
    ),
    "root of zero": (
        _forward("y = self.features(x)\nreturn y + (y - y).abs().sqrt()"),
        "",
        "gradients",
        "bad",
        "not finite",
    ),
    "steps too large": (
        _forward("return (1e3 * self.features(x)).sin()"),
        "RECIPE = Recipe('r', epochs=3, batch_size=8, learning_rate=1e3, weight_decay=0.0)",
        "learns",
        "bad",
        "the loss goes from",
    ),
    "not finite": (
        _forward("return self.features(x) * (float('inf') if self.training else 1)"),
        "",
        "learns",
        "bad",
        "not finite",
    ),
    "draws from random": (
        _forward("return self.features(x) * (random.random() if self.training else 1)"),
        "",
        "trains again",
        "bad",
        "different weights",
    ),
}


@pytest.mark.parametrize("fault", FAULTS_IN_TRAINING)
def test_a_fault_in_training_fails_its_check(tmp_path: Path, fault: str) -> None:
    text, recipe, what, state, said = FAULTS_IN_TRAINING[fault]
    findings = checked(tmp_path, text, recipe, TRAINED)
    assert findings[what].state == state, findings
    assert_matches(said, findings[what].found)
    # Extraction is as it should be.
    assert findings["single or batch"].state == findings["second pass"].state == "ok"


def test_an_installed_plugin_is_checked_by_its_name(tmp_path: Path) -> None:
    checked(tmp_path, "class Case(Net): pass", FROZEN)
    assert {f.state for f in check_backbone("mine")} == {"ok"}
    with pytest.raises(BackboneError, match="yours: no plugin"):
        next(check_backbone("yours"))


def test_a_file_that_cannot_be_used_leaves_the_registry_alone(tmp_path: Path) -> None:
    checked(tmp_path, "class Case(Net): pass", FROZEN)
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    for file in (broken, tmp_path / "absent.py", tmp_path):
        with pytest.raises(BackboneError, match=file.name):
            next(check_file(file))
    assert BACKBONES.find("mine") is not None
