"""What a worker does before its first task: plugins by their content, and the rules of the run."""

import sys

import pytest

from bench.execution.remote import _written, can_obey
from bench.planning.config import Configuration
from bench.planning.rules import Rules
from extractors import describe
from extractors.plugins import forget_plugin_file, load_plugin_file
from extractors.registration.sources import plugin_sources

PLUGIN = (
    "import torch\nfrom extractors import register\nfrom shapes_beside import WIDTH\n\n\n"
    "@register('beside', input_size=64)\ndef beside():\n"
    "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, WIDTH))\n"
)


def written_and_loaded(folder, width, monkeypatch):
    """The digest of a plugin where it lies, then as a worker loads it."""
    _written([])
    sys.modules.pop("shapes_beside", None)
    file = folder / "beside.py"
    file.write_text(PLUGIN)
    (folder / "shapes_beside.py").write_text(f"WIDTH = {width}\n")
    with monkeypatch.context() as there:
        there.syspath_prepend(str(folder))
        load_plugin_file(file)
        digest = describe("beside").source_digest
        sources = plugin_sources(file)
        forget_plugin_file(file)
        sys.modules["shapes_beside"].WIDTH = 0  # what another run has left
    (written,) = _written([sources])
    load_plugin_file(written)
    assert describe("beside").source_digest == digest
    return sys.modules["shapes_beside"].WIDTH


def test_a_worker_has_the_modules_of_this_run_and_no_other(tmp_path, monkeypatch):
    before = list(sys.path)
    for width in (4, 8):
        folder = tmp_path / str(width)
        folder.mkdir()
        assert written_and_loaded(folder, width, monkeypatch) == width
    _written([])
    assert sys.path == before
    sys.modules.pop("shapes_beside")


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_worker_without_a_gpu_fits_svms_of_a_run_on_gpus(device, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("extractors.precision.computes_bfloat16", lambda device: False)
    options = Configuration(device=device)
    assert can_obey(Rules(device="cuda", bfloat16=True), options) == ""
    # Where networks run on processors, it would have to run them.
    assert "does not compute in bfloat16" in can_obey(Rules(bfloat16=True), options)
    assert "of memory" in can_obey(Rules(device="cuda", memory=2.0**60), options)
