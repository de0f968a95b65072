"""Labels that are made from what radiologists concluded, and the rule that makes them.

Such a label says what readers saw, not what a biopsy found: whoever measures the readers by it
measures them by themselves.
"""

import re
from dataclasses import dataclass

from bench.data.lesions import READING

_GRADE = re.compile(r"(?:bi[\s_\-]*rads?)?[\s:_\-]*([0-6])\s*([abc]?)(?:[.,]0+)?", re.IGNORECASE)
NOTICE = (
    "labels are made from the radiologists' BI-RADS, not from a biopsy (column label_from says by "
    "which rule), so the report has no rows for readers"
)


def grade(text: str) -> str:
    """A BI-RADS grade such as 2 or 4a, of '4A', 'BI-RADS 4' or '4.0'; empty where it is none."""
    match = _GRADE.fullmatch(text)
    return match[1] + match[2].lower() if match else ""


@dataclass(frozen=True)
class ReadingRule:
    """How grades become labels.

    Attributes
    ----------
    of : str
        What was graded: the breast, the image or the finding.
    positive, negative : str
        The grades of each side, a digit each; letters behind a 4 do not matter.
    others : str
        What becomes of all others, in words.
    """

    of: str
    positive: str
    negative: str
    others: str

    @property
    def text(self) -> str:
        """The rule in one line, for the column label_from."""
        positive, negative = (", ".join(side) for side in (self.positive, self.negative))
        return (
            f"{READING} of the {self.of}: {positive} positive; {negative} negative; {self.others}"
        )

    def word(self, label: int) -> str:
        """The grades of a side, as a class is called."""
        digits = self.positive if label else self.negative
        return f"{READING} {digits[0]}" + f"-{digits[-1]}" * (len(digits) > 1)

    def label(self, found: str) -> int | None:
        """0 or 1 for a grade; None where the rule leaves it out."""
        digit = found[:1]
        if digit and digit in self.positive:
            return 1
        return 0 if digit and digit in self.negative else None

    def reason(self, text: str) -> str:
        """Why a row with this cell has no label."""
        found = grade(text)
        if not found:
            shown = f"{text[:40]!r} is no BI-RADS" if text else "it has no BI-RADS"
            return f"{shown} of the {self.of}"
        return f"BI-RADS {found[:1]} of the {self.of} is on neither side"
