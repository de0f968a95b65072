"""Commands that run what a run lacks for an answer."""

import shlex
from collections.abc import Sequence

from reports.systems.run_folder import Run, manifest_records, section


def proposed(run: Run, topic: str, what: str) -> list[tuple[str, str]]:
    """What is missing with the command that the manifest proposes for this topic, if it has one."""
    rows = manifest_records(run.manifest, "not_run")
    commands = [str(row.get("command")) for row in rows if row.get("topic") == topic]
    return [(what, command) for command in commands[:1]]


def command_for(run: Run, extra: str) -> str:
    """What the manifest proposes for it, else the run's own command with more options."""
    own = _choices_in_the_way(run, extra)
    for row in manifest_records(run.manifest, "not_run"):
        words = shlex.split(str(row.get("command", "")))
        chosen = any(word.partition("=")[0] in own for word in words)
        if not chosen and all(word in words for word in extra.split()):
            return str(row["command"])
    details = section(run.manifest, "run")
    command = str(details.get("command") or "python -m bench all")
    name = shlex.quote(f"runs/{details.get('name') or run.folder.resolve().name}-more")
    return f"{without(command, [*extra.split()[::2], *own])} {extra} --out {name}"


def _choices_in_the_way(run: Run, extra: str) -> list[str]:
    """Options of the run's command that would keep the missing systems out of the next run, too."""
    protocols = {str(row.get("name")) for row in manifest_records(run.manifest, "protocols")}
    return [
        "--classifiers",
        *(["--extractors"] if "--preset" in extra else []),
        *(["--protocols"] if protocols <= set(run.audits) else []),
    ]


def without(command: str, options: Sequence[str]) -> str:
    """The command without what it says of these options and of its run folder."""
    kept, words = [], iter(shlex.split(command))
    for word in words:
        name, has_value, _ = word.partition("=")
        if name not in (*options, "--out"):
            kept.append(word)
        elif not has_value:
            next(words, None)
    return shlex.join(kept)
