"""What the cells of a table say, however a program has written them."""

import math
import re
import unicodedata
from decimal import Decimal

_QUOTES = "'\"’`"
_ZEROS_BEHIND = re.compile(r"\d+[.,]0+")
_SCIENTIFIC = re.compile(r"\d([.,]\d+)?[eE]\+?\d{1,2}")
_SIDES = {"l": "LEFT", "left": "LEFT", "r": "RIGHT", "right": "RIGHT"}
NO_VALUE = ("", "nan", "na", "n/a", "none", "null", "<na>", "-")


def plain(text: str) -> str:
    """A cell without what cannot be seen, blanks around it, and quotes of a number kept as text."""
    shown = unicodedata.normalize("NFKC", text)
    shown = "".join(char for char in shown if unicodedata.category(char) not in ("Cf", "Cc"))
    return " ".join(shown.split()).strip(_QUOTES).strip()


def value(text: str) -> str:
    """A cell, empty where a program has written that there is no value."""
    return "" if text.lower() in NO_VALUE else text


def identifier(text: str) -> str:
    """A number that names something: 22678622.0 and 2.2678622E+07 are 22678622."""
    if _ZEROS_BEHIND.fullmatch(text):
        return re.split("[.,]", text)[0]
    if _SCIENTIFIC.fullmatch(text):
        number = Decimal(text.replace(",", "."))
        if number == number.to_integral_value():
            return str(int(number))
    return value(text)


def number(text: str) -> float | None:
    """A measured number, with a point or a comma; None where there is none."""
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def side(text: str) -> str:
    """LEFT or RIGHT; empty where it is neither."""
    return _SIDES.get(text.lower(), "")


def yes_or_no(text: str) -> int | None:
    """1 or 0 of 1, 1.0, True or yes, and of their opposites; None for anything else."""
    words = {"true": 1, "yes": 1, "false": 0, "no": 0, "1": 1, "0": 0}
    return words.get(identifier(text).lower())
