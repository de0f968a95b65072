"""Takes paths and the names of users out of whatever text a shared bundle keeps."""

import re
from collections.abc import Collection
from typing import Any

# Where a path begins: not within an address of the web, a name such as hf-hub:timm/x, or a word.
_QUOTED = re.compile(r"""(['"])(?:file:)?(?:/|~|\.\.?/|[A-Za-z]:[\\/]|\\\\)[^'"\n]*\1""")
_PATH = re.compile(
    r"""(?x)
    (?<![\w./:~\\-])
    (?: file:/+ | [A-Za-z]:[\\/] | \\\\ | ~[\w.-]*/ | \.\.?/ | /(?=[^\s/]) )
    (?:\\\ |[^\s'",;)\]}])*
    """
)
# A web address has no user's folder in it, and licences and citations need theirs.
_HOMES = re.compile(r"(?:/home/|/Users/|\\Users\\|/users/)([\w.-]+)|~([\w.-]+)/")
_PLACES = (
    *("data", "cache", "out", "tables", "config", "external", "plugin", "plugins", "checkpoint"),
    *("features", "workers", "scheduler", "site", "logs", "weights"),
)
_OPTION = re.compile(
    rf"""(--(?:{"|".join(_PLACES)})[\w-]*)(?:=|\s+)("[^"]*"|'[^']*'|(?:\\.|[^\s\\])+)"""
)
PLACE = "PATH"


def users_in(texts: Collection[str]) -> set[str]:
    """The names of users that paths in these texts give away."""
    return {name for text in texts for pair in _HOMES.findall(text) for name in pair if name}


def without_paths(text: str, users: Collection[str] = ()) -> str:
    """The text without paths from a root, a home or a parent folder, and without these users.

    Parameters
    ----------
    text : str
        Any text, such as a command.
    users : Collection[str]
        Names of users and machines; each is taken out as a whole word.

    Returns
    -------
    str
        The text; a place is PATH, in an option of a command that option's name in capitals.
    """
    text = _OPTION.sub(lambda found: f"{found[1]} {found[1].lstrip('-').upper()}", text)
    text = _PATH.sub(PLACE, _QUOTED.sub(PLACE, text))
    for name in sorted(users, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "USER", text)
    return text


def cleaned(value: Any, users: Collection[str] = ()) -> Any:
    """A value of JSON with every text in it cleaned, keys included."""
    if isinstance(value, str):
        return without_paths(value, users)
    if isinstance(value, dict):
        return {without_paths(str(key), users): cleaned(one, users) for key, one in value.items()}
    if isinstance(value, list):
        return [cleaned(one, users) for one in value]
    return value


def texts_of(value: Any) -> list[str]:
    """Every text in a value of JSON, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, one in value.items() for text in (str(key), *texts_of(one))]
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return []


def has_path(text: str) -> bool:
    """Whether a path of somebody's machine stands in the text."""
    return bool(_PATH.search(text) or _QUOTED.search(text) or _HOMES.search(text))
