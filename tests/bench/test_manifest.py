"""What the manifest tells besides results: what was not run, and the command that runs it."""

import pytest

from bench.manifest import _changed

COMMAND = ["python", "-m", "bench", "all", "--data", "my set", "--extractors", "a,b"]


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--preset", "quick", "--out", "runs/x"],
        ["--out=runs/x", "--protocols=official"],
        ["--protocols", "official", "--repeats", "2", "--dry-run"],
    ],
)
def test_a_command_keeps_all_but_what_is_changed(more):
    changed = _changed(
        [*COMMAND, *more, "--tune"], {"--preset": "thesis", "--out": "runs/x-thesis"}
    )
    assert changed == (
        "python -m bench all --data 'my set' --extractors a,b --tune "
        "--preset thesis --out runs/x-thesis"
    )
