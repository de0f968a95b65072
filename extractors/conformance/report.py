"""Checks plugins against the contract of a backbone, and says in plain words what fails.

    from extractors.conformance.report import check_file
    for finding in check_file("mynet.py"):
        print(finding)

Nothing here is isolated as it is in a run: what a run restores silently is reported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from extractors.conformance.features import FEATURE_CHECKS
from extractors.conformance.findings import ContractBroken, Finding
from extractors.conformance.subject import Subject
from extractors.conformance.training import TRAINING_CHECKS
from extractors.errors import BackboneError, UnknownBackbone
from extractors.isolation import restoring_process
from extractors.plugins import BACKBONES, import_unregistered, load_plugin_file


def check_file(path: str | Path) -> Iterator[Finding]:
    """Load a plugin file and check each backbone that it registers, one finding after the other.

    Raises
    ------
    BackboneError
        If the file cannot be read or imported, or registers nothing: one line with file and cause.
    """
    changed = _changed_by_import(Path(path).expanduser().resolve())
    with restoring_process():
        names = load_plugin_file(path)
    yield judge(str(path), "import", lambda: _leaves_process({"importing it": changed}))
    for name in names:
        yield from check_backbone(name)


def check_backbone(name: str) -> Iterator[Finding]:
    """Check one registered backbone, one finding after the other.

    A backbone with a recipe is also trained, for a few steps on synthetic images.

    Raises
    ------
    BackboneError
        If no plugin has that name, or its entry point is broken.
    """
    plugin = BACKBONES.find(name)
    if plugin is None:
        raise UnknownBackbone(f"{name}: no plugin of that name is registered")
    subject = Subject(plugin)
    for what, check in FEATURE_CHECKS.items():
        finding = judge(name, what, lambda check=check: check(subject))  # type: ignore[misc]
        yield finding
        if finding.state == "bad" and what in ("builds", "shape"):
            yield Finding(name, "note", "all else", "not checked", "correct the line above first")
            return
    if plugin.value.recipe is not None:
        for what, trained in TRAINING_CHECKS.items():
            yield judge(name, what, lambda trained=trained: trained(subject))  # type: ignore[misc]
    yield judge(name, "process", lambda: _leaves_process(subject.changed))


def judge(subject: str, what: str, check: Callable[[], str]) -> Finding:
    """The result of a check, or what it raises, as a finding; the process is restored after it."""
    try:
        with restoring_process():
            return Finding(subject, "ok", what, check())
    except ContractBroken as broken:
        return Finding(subject, broken.state, what, broken.found, broken.hint)
    except BackboneError as error:
        return Finding(subject, "bad", what, str(error).removeprefix(f"{subject}: "))
    except SystemExit as error:
        return Finding(
            subject, "bad", what, f"ends the program (sys.exit({error.code!r}))", "raise an error"
        )
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        return Finding(subject, "bad", what, f"raises {type(error).__name__}: {text}")


def _changed_by_import(file: Path) -> set[str]:
    """What importing a file changes in the process, whether or not the import succeeds."""
    with restoring_process() as changed, contextlib.suppress(Exception, SystemExit):
        import_unregistered(file)
    return set(changed)


def _leaves_process(changed: dict[str, set[str]]) -> str:
    changes = [
        f"{doing} changes {', '.join(sorted(parts))}" for doing, parts in changed.items() if parts
    ]
    if changes:
        raise ContractBroken(
            "; ".join(changes),
            "leave the process as it is, or put back what was changed; "
            "draw weights from torch's generator, inside the decorated function",
        )
    return "left as it was"
