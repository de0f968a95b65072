"""Names of files that every system takes: Windows, macOS and Linux differ in what a name may be."""

import hashlib
import re

# What Windows takes for a device, whatever ending stands behind it.
RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789\u00b9\u00b2\u00b3"}
)
# Letters of a name without its ending: with a folder before it, it has to stay below 260.
LONGEST = 120
_DIGITS = 12


def is_reserved(name: str) -> bool:
    """Whether Windows takes a file of this name for a device: CON, aux.py, Nul.tar.gz."""
    return name.partition(".")[0].rstrip(" ").lower() in RESERVED


def portable(name: str) -> str:
    """A name as that of a file, to which an ending is added.

    Parameters
    ----------
    name : str
        Any text, such as an extractor's name.

    Returns
    -------
    str
        Letters, digits and `_.-`; no device of Windows; what is too long ends in a digest of the
        whole. Two names can become one, and differ in case only: see `clashes`.
    """
    text = re.sub(r"[^A-Za-z0-9_.-]+", "_", name) or "_"
    if len(text) > LONGEST:
        known_by = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        text = f"{text[: LONGEST - _DIGITS - 1]}-{known_by}"
    return f"_{text}" if is_reserved(text) else text


def clashes(name: str, others: "set[str]") -> bool:
    """Whether a name is another's where disks do not tell A from a; notes it among the others."""
    folded = name.casefold()
    if folded in others:
        return True
    others.add(folded)
    return False
