"""Options from a file: a flat TOML file, or the manifest of a run, which holds those of its run."""

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal, get_args, get_origin

from bench.errors import UnusableInput
from bench.planning.config import Configuration, Option, option_of

MANIFEST = "manifest.json"

# What stands for the value of an option without a default in the file that `init` writes.
_EXAMPLES: Mapping[str, Any] = {
    "data": "path/to/data",
    "tables": "path/to/tables",
    "positive": "malignant",
    "columns": ["patient_id=PATIENT", "label=CLASS"],
    "external": ["NAME=path/to/other"],
    "subset": ["mass"],
    "extractors": ["timm:resnet18", "timm:vit_small_patch16_224", "selected"],
    "classifiers": ["linear", "medium_gaussian", "softmax"],
    "epochs": 50,
    "plugin": ["mynet.py"],
    "features": ["NAME=features.npz"],
    "checkpoint": ["mine=best.pth:timm:resnet50"],
    "weights_dir": "path/to/weights",
    "protocols": ["official", "patient-cv"],
    "repeats": 10,
    "memory": 8.0,
    "cache": "path/to/cache",
    "out": "runs/mine",
}


def read_options(path: Path) -> dict[str, Any]:
    """The options that a file holds, by the names of fields.

    Parameters
    ----------
    path : Path
        A TOML file; or `manifest.json` of a run, or its folder.

    Returns
    -------
    dict[str, Any]
        What stands there; each value alone is one that the option takes.

    Raises
    ------
    UnusableInput
        If it cannot be read, is not flat, has a name that is no option, or a value that cannot be
        used.
    """
    path = path.expanduser()
    manifest = manifest_of(path)
    file = manifest or path
    try:
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        if path.is_dir() and not file.exists():
            reason = f"is a folder without {MANIFEST}; name the folder of a run, or a TOML file"
        raise UnusableInput(f"--config {path}: {reason}") from error
    found = _of_manifest(file, content) if manifest is not None else _of_toml(file, content)
    options: dict[str, Any] = {}
    for key, value in found.items():
        name = _field(file, key)
        if name in options:
            raise UnusableInput(f"{file}: {key} stands there twice")
        options[name] = _value(file, key, name, value)
    Configuration.checked(options, f"{file}: ")
    return options


def manifest_of(path: Path) -> Path | None:
    """The manifest that a path names, itself or by its run's folder; None for another file."""
    path = path.expanduser()
    file = path / MANIFEST if path.is_dir() else path
    return file if file.suffix.lower() == ".json" else None


def commented_file() -> str:
    """A file with every option, its help and its default, each as a comment."""
    lines = [
        "# Options of `python -m bench all --config FILE`, under their names on the command line.",
        "# Take the # away from a line to set an option. What is given on the command line wins.",
        "# Paths are relative to the folder in which the command runs.",
    ]
    group = ""
    for name, field in Configuration.model_fields.items():
        option = option_of(name)
        if option.group != group:
            group = option.group
            lines += ["", f"# --- {group} ---"]
        value = _EXAMPLES.get(name, field.default)
        choices = _choices(field.annotation)
        one_of = f" One of {', '.join(choices)}." if choices else ""
        text = wrap(f"{_sentence(option)}{one_of}", 96)
        lines += ["", *(f"# {line}" for line in text)]
        lines.append(f"# {name.replace('_', '-')} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _of_toml(file: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{file}: is no text in UTF-8 (at byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise UnusableInput(f"{file}: is not TOML: {error}") from error
    except RecursionError as error:
        raise UnusableInput(f"{file}: is not flat") from error


def _of_manifest(file: Path, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnusableInput(f"{file}: is no JSON") from error
    options = manifest.get("options") if isinstance(manifest, dict) else None
    if not isinstance(options, dict):
        is_run = isinstance(manifest, dict) and "configuration" in manifest
        what = "is of a version that kept no options" if is_run else "is not the manifest of a run"
        raise UnusableInput(f"{file}: {what}; write a TOML file (python -m bench init)")
    return options


def _field(file: Path, key: str) -> str:
    """The field of an option's name."""
    name = key.replace("-", "_")
    if name in Configuration.model_fields:
        return name
    known = [field.replace("_", "-") for field in Configuration.model_fields]
    near = get_close_matches(name.replace("_", "-").lower(), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else "; python -m bench init writes a file of all"
    raise UnusableInput(f"{file}: {key[:60]!r} is no option{hint}")


def _value(file: Path, key: str, name: str, value: Any) -> Any:
    """A value, a single one as a list where the option takes several."""
    if isinstance(value, dict):
        raise UnusableInput(f"{file}: {key} is a section, and the file is to be flat")
    single = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int | float | bool) for one in single):
        raise UnusableInput(f"{file}: {key} is to be text, a number, true or false, or a list")
    if isinstance(value, bool) is not (Configuration.model_fields[name].annotation is bool):
        what = "is a flag, true or false" if not isinstance(value, bool) else "is no flag"
        raise UnusableInput(f"{file}: {key} {what}")
    several = _takes_several(name)
    if isinstance(value, list) and not several:
        raise UnusableInput(f"{file}: {key} takes one value, not a list")
    return tuple(single) if several else value


def _takes_several(name: str) -> bool:
    annotation = Configuration.model_fields[name].annotation
    kinds = (annotation, *get_args(annotation))
    return any(get_origin(kind) is tuple for kind in kinds)


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _sentence(option: Option) -> str:
    return option.help if option.help.endswith(".") else f"{option.help}."


def _toml(value: Any) -> str:
    """A value as TOML writes it; JSON writes text, numbers and lists in the same way."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
