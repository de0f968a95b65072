"""The run that `--config RUN/manifest.json` repeats, and what has changed since it was made."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.planning.config import DATA, Configuration, option_of
from bench.planning.config_file import manifest_of

# What a run depends on by its content: where digests stand, what they are of, and the option.
_INPUTS = (
    ("external", "external set", "external"),
    ("features", "file of", "features"),
    ("checkpoints", "checkpoint", "checkpoint"),
    ("plugins", "plugin of", "plugin"),
)


@dataclass(frozen=True)
class RepeatedRun:
    """A run that was made before.

    Attributes
    ----------
    file : Path
        Its manifest.
    configuration : Mapping[str, Any]
        What its results depend on.
    given : Collection[str]
        The options that were given besides, and win.
    """

    file: Path
    configuration: Mapping[str, Any]
    given: Collection[str]

    def change(self, now: Mapping[str, Any]) -> str:
        """What is no longer as it was, in a line; empty where all is, or was asked to be another.

        Parameters
        ----------
        now : Mapping[str, Any]
            The configuration of the run of now, as its manifest has it.
        """
        # Tuples and the like as they were written.
        now = json.loads(json.dumps(now))
        found = []
        asked = any(option_of(name).group == DATA for name in self.given if name in _FIELDS)
        if not asked and self.configuration.get("fingerprint") != now["fingerprint"]:
            found.append("the data")
        for key, what, option in _INPUTS:
            before, after = self.configuration.get(key), now.get(key)
            if option in self.given or not isinstance(before, dict) or not isinstance(after, dict):
                continue
            names = [name for name in before if name in after and before[name] != after[name]]
            found += [f"the {what} {name}" for name in names]
        if not found:
            return ""
        return (
            f"{self.file}: {', '.join(found)} changed since that run, which is not repeated as it "
            "was: figures may differ"
        )


_FIELDS = frozenset(Configuration.model_fields)


def find_repeated(path: Path, given: Collection[str]) -> RepeatedRun | None:
    """The run of a manifest that `--config` names, which has been read; None for another file."""
    file = manifest_of(path)
    if file is None:
        return None
    configuration = json.loads(file.read_bytes()).get("configuration")
    return RepeatedRun(file, configuration if isinstance(configuration, dict) else {}, given)
