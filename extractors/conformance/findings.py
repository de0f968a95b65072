"""What the checks of a plugin find, a line each."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


class ContractBroken(Exception):
    """A part of the contract that is not kept; as a note, something worth knowing."""

    def __init__(self, found: str, hint: str, state: State = "bad") -> None:
        super().__init__(found)
        self.found, self.hint, self.state = found, hint, state


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    subject : str
        The name of what was checked; the file's for what concerns all of it.
    state : State
        "ok", "note" (worth knowing) or "bad".
    what : str
        The check.
    found : str
        What was seen.
    hint : str
        What to do; empty where nothing has to be done.
    """

    subject: str
    state: State
    what: str
    found: str
    hint: str = ""
