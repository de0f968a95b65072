"""Plugins go to workers by their content, with the modules beside them that they import."""

import sys

from bench.execution.remote import _written
from extractors import describe
from extractors.plugin_sources import plugin_sources
from extractors.plugins import forget_plugin_file, load_plugin_file

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
