"""Whether the report of a run folder still is what would be written, so that it need not be.

What it was made from and what was written stand beside it as digests. Sizes and times of files
would be faster to compare, but a copy of a folder has other times, and a file can be altered and
keep its size; all files of a run are read in hundredths of a second.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from reports.whole_files import write_whole

RECORD = "report.json"
PAGE = "report.html"
# What computes, draws and writes.
_LIBRARIES = (
    *("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "statsmodels"),
    *("matplotlib", "seaborn", "pillow", "fonttools", "jinja2", "markupsafe"),
)
_SOURCES = {".py", ".j2", ".css", ".js", ".bib"}


def source_digest(*packages: Path) -> str:
    """The SHA-256 of the program files in these folders, with their names."""
    found = hashlib.sha256()
    for package in packages:
        for file in sorted(package.rglob("*")):
            if file.suffix in _SOURCES:
                found.update(f"{file.relative_to(package.parent).as_posix()}\n".encode())
                found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def keep_record(folder: Path, made_from: Mapping[str, Any], written: Mapping[str, bytes]) -> None:
    """Write the record of a report that was just written: its files, by path, and contents."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in written.items()}
    record = {"made_from": made_from, "written": digests}
    write_whole(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())


def recorded_files(folder: Path) -> set[str]:
    """The files of the report that was last written here; none where there is no record of it."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {name for name in record["written"] if isinstance(name, str)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def report_stands(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the folder's report is what would be written with this manifest.

    Not where anything that can change a byte of it is another one, nor where one of its files is
    missing or was altered.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        written = record["written"]
        return (
            PAGE in written
            and record["made_from"] == inputs(folder, manifest)
            and all(_digest(folder / name) == digest for name, digest in written.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # no record, or one that was altered


def inputs(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """All that can change a byte of the report of a run folder.

    Of the manifest all but when and by which command line the run was carried out: the same run
    by another command is no other report.
    """
    run = manifest.get("run")
    kept = {k: v for k, v in run.items() if k not in _OF_ONE_TIME} if isinstance(run, dict) else run
    text = json.dumps({**manifest, "run": kept})
    return {
        "manifest": hashlib.sha256(text.encode()).hexdigest(),
        "files": {name: _digest(folder / name) for name in _read_files(folder)},
        "source": source_digest(Path(__file__).parent),
        "versions": {"python": platform.python_version()} | {n: _version(n) for n in _LIBRARIES},
    }


_OF_ONE_TIME = ("created", "command")


def _read_files(folder: Path) -> Iterable[str]:
    """The tables and images of a run, of which its report is made."""
    files = [*folder.glob("*.parquet"), *(folder / "images").glob("*")]
    return sorted(file.relative_to(folder).as_posix() for file in files if file.is_file())


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
