"""Builds wheel and sdist, installs the wheel into an empty environment, and runs it elsewhere.

`tox -e package` calls it. Further arguments go to `uv pip install`: `--extra-index-url
https://download.pytorch.org/whl/cpu --index-strategy unsafe-best-match` spares the builds of torch
for CUDA.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "classifiers", "extractors", "reports")
RUN = (
    *("all", "--data", "phantom", "--extractors", "bundled:efficientnet_lite0", "--subset", "mass"),
    *("--classifiers", "linear", "--repeats", "1", "--out", "run", "--cache", "cache"),
)
# What a user's type checker sees of an installed package.
TYPED = "from classifiers import KernelSVC\n\nreveal_type(KernelSVC)\n"


def main(options: list[str]) -> None:
    """Go through it; what fails ends it with its own message."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheel = built(work / "dist")
        python = installed(wheel, work / "environment", options)
        away = work / "elsewhere"
        away.mkdir()
        call(python, "-I", "-m", "bench", "--version", cwd=away)
        call(python, "-I", "-m", "bench", "list", "extractors", "--medical", cwd=away)
        call(python, "-I", "-m", "bench", "data", "phantom", "phantom", cwd=away)
        call(python, "-I", "-m", "bench", *RUN, cwd=away)
        call(python, "-I", "-m", "bench", "report", "run", cwd=away)
        call(python.with_name("bench"), "cite", "run", cwd=away)
        assert (away / "run" / "report.html").stat().st_size > 0
        (away / "user.py").write_text(TYPED, encoding="utf-8")
        call(sys.executable, "-m", "mypy", "--python-executable", python, "user.py", cwd=away)
    print("installed from the wheel and run outside the checkout")


def built(dist: Path) -> Path:
    """The wheel, made from the sdist, with all that is no module; its metadata are valid."""
    call(sys.executable, "-m", "build", "--outdir", dist, ROOT, cwd=ROOT)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    call(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=ROOT)
    listed = ("git", "-C", str(ROOT), "ls-files", *PACKAGES)
    tracked = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    with zipfile.ZipFile(wheel) as archive:
        missing = set(tracked) - set(archive.namelist())
    assert not missing, f"not in the wheel: {sorted(missing)}"
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not set(tracked) - names, f"not in the sdist: {sorted(set(tracked) - names)}"
    return wheel


def installed(wheel: Path, environment: Path, options: list[str]) -> Path:
    """An environment that holds the wheel and what it needs; its Python."""
    call("uv", "venv", "--quiet", "--python", sys.executable, environment, cwd=ROOT)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    call("uv", "pip", "install", "--quiet", "--python", python, *options, wheel, cwd=ROOT)
    call("uv", "pip", "check", "--python", python, cwd=ROOT)
    return python


def call(*command: object, cwd: Path) -> None:
    """Run a command that has to succeed."""
    print("+", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


if __name__ == "__main__":
    main(sys.argv[1:])
