"""How single values are written and put in order: numbers, estimates, categories and names."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

_LONGEST = 60


def clean(value: object) -> str:
    """One line of printable text, shortened (a control character would make an SVG invalid)."""
    text = "".join(letter if letter.isprintable() else " " for letter in short(value))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def in_plain_words(name: str) -> str:
    """A name of the data as in a heading: BENIGN becomes lower case, MLO stays as it is."""
    words = name.replace("_", " ")
    return words.lower() if words.isupper() and len(words) > 4 else words


def in_a_row(names: Sequence[str]) -> str:
    """'crops, lesions and patients'."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def category(value: Any) -> str:
    """One line of text; 3, 3.0 and "3" are the same category, and so are False and 0."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    text = clean(value)
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if abs(number) < 1e9 and number.is_integer() else text


def missing(value: Any) -> bool:
    """Whether it is None, NaN or pandas' NA, which a table shows as empty."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA has no truth value
        return True
    except ValueError:  # nor has an array, which is not missing
        return False


def number(value: Any) -> str:
    """Three decimals; empty where missing; never -0.000."""
    if missing(value):
        return ""
    text = f"{float(value):.3f}"
    return "0.000" if text == "-0.000" else text


def short(value: Any) -> str:
    """Six significant digits for floats, plain text for others, empty where missing."""
    if missing(value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    # numpy's scalars have item(); their float64 is a float already, their bool is not a bool.
    return short(value.item()) if getattr(value, "shape", None) == () else str(value)


def gibibytes(value: Any) -> str:
    """'4.0 GiB' for a number of bytes; what is no number as it is."""
    return f"{value / 2**30:.1f} GiB" if isinstance(value, int | float) else short(value)


def by_size(text: str) -> tuple[tuple[bool, float, str], ...]:
    """A key that sorts text by the numbers in it: '8' before '16', and 'P_2' before 'P_10'."""
    parts = re.split(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)", text)
    return tuple(
        (False, float(part), "") if place % 2 else (True, 0.0, part)
        for place, part in enumerate(parts)
        if part
    )


def estimate(row: Any, name: str) -> str:
    """'0.812 ± 0.010 [0.760, 0.861]'; missing parts are left out."""
    mean, std = number(row[name]), number(row[f"{name}_std"])
    low, high = number(row[f"{name}_ci_low"]), number(row[f"{name}_ci_high"])
    text = f"{mean} ± {std}" if mean and std else mean
    return f"{text} [{low}, {high}]" if text and low else text


def is_number(text: str) -> bool:
    """Whether `float` accepts the text."""
    try:
        float(text)
    except ValueError:
        return False
    return True
