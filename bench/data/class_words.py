"""Which class is positive: the words for classes that are known, and what a user says of them.

One rule for class folders and for the labels of a CSV manifest: two classes or more, each on the
side that its name says, or the class that `--positive` names against all others.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bench.errors import UnusableInput

POSITIVE = (
    *("1", "malignant", "positive", "abnormal", "cancer", "cancerous", "carcinoma", "melanoma"),
    *("tumor", "tumour", "metastasis", "adenocarcinoma", "glioma", "leukemia", "lymphoma"),
    *("covid", "covid19", "pneumonia", "tuberculosis", "tb", "infected", "parasitized"),
    *("disease", "diseased", "sick", "pathological", "pathology", "glaucoma", "demented"),
    *("lesion", "fracture", "fractured", "haemorrhage", "hemorrhage", "yes", "true"),
)
NEGATIVE = (
    *("0", "benign", "negative", "normal", "benign_without_callback", "healthy", "control"),
    *("controls", "nevus", "naevus", "nevi", "naevi", "clear", "none", "no", "false"),
)
# Words that turn what they stand with into the other side: No_findings, non-malignant, tb_absent.
NEGATIONS = ("no", "non", "not", "without", "never", "absent", "free", "neg", "negative")
_GLUED = ("non", "no", "un")
# Names of diseases that begin like a negation.
_NO_NEGATION = re.compile(r"non (small cell|hodgkins?)\b")
LABEL_WORDS = (
    f"negative: {', '.join(NEGATIVE)}; positive: {', '.join(POSITIVE)}; and negations such as "
    "No_findings or non-malignant"
)


class UnknownClass(UnusableInput):
    """The class that a user calls positive is none of a data set's."""


@dataclass(frozen=True)
class ClassSides:
    """The two sides of a classification.

    Attributes
    ----------
    negative, positive : tuple[str, ...]
        The classes of each side, by the names that the data set gives them.
    notices : tuple[str, ...]
        What a reader must know of how the sides were decided.
    """

    negative: tuple[str, ...]
    positive: tuple[str, ...]
    notices: tuple[str, ...] = ()

    def word(self, label: int) -> str:
        """The classes of a side in one word for tables."""
        return " or ".join(self.positive if label else self.negative)


def normalised(word: str) -> str:
    """A class's name in lower case, with spaces between its words: 'No_Findings' is 'no findings'.

    A number that is written as a decimal loses its zero and keeps its sign. Letters with marks are
    composed: names of files from a Mac hold them in two parts, and look the same.
    """
    word = unicodedata.normalize("NFC", word)
    if number := re.fullmatch(r"\s*([+\-\u2212]?)\s*(\d+)(\.0*)?\s*", word):
        return "-" * (number[1] in ("-", "\u2212")) + number[2]
    divided = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word.strip())
    return " ".join(re.split(r"[\s_\-]+", divided.lower())).strip()


def label_of(word: str, others: Sequence[str] = ()) -> int | None:
    """0 or 1 for a class name or number, None if it is not known to be either.

    Parameters
    ----------
    word : str
        The class's name.
    others : Sequence[str], optional
        The other classes; a negation of one of them is negative.

    Returns
    -------
    int | None
        The side.
    """
    plain = normalised(word)
    if plain == "-1" and {normalised(one) for one in others} == {"1"}:
        return 0
    for label, known in enumerate((NEGATIVE, POSITIVE)):
        if plain in {normalised(one) for one in known}:
            return label
    tokens = _NO_NEGATION.sub("", plain).split()
    kept = [token for token in tokens if token not in NEGATIONS]
    side = _side_of_tokens(kept)
    if len(kept) < len(tokens):
        return 1 - side if side is not None else 0
    if side is not None:
        return side
    bare = plain.replace(" ", "")
    for prefix in _GLUED:
        rest = bare.removeprefix(prefix)
        if rest == bare:
            continue
        side = _side_of_tokens([rest])
        if side is not None:
            return 1 - side
        if rest in {normalised(one).replace(" ", "") for one in others}:
            return 0
    return None


def _side_of_tokens(tokens: Sequence[str]) -> int | None:
    """The side that a name's words say; 'benign tumour' is benign."""
    plain = {form for token in tokens for form in (token, token.removesuffix("s"))} - {""}
    if plain & (set(NEGATIVE) - {"0", "no"}):
        return 0
    return 1 if plain & (set(POSITIVE) - {"1"}) else None


def decide_sides(classes: Sequence[str], positive: str | None = None) -> ClassSides:
    """Which of a data set's classes are positive.

    Parameters
    ----------
    classes : Sequence[str]
        Their names, two or more, in a fixed order.
    positive : str | None, optional
        The class that a user calls positive; all others are negative then.

    Returns
    -------
    ClassSides
        With a notice where the names do not say it, and where classes were put together.

    Raises
    ------
    UnusableInput
        If no class has that name, or if of more than two classes one is on no known side.
    """
    if positive is not None:
        return _as_requested(classes, positive)
    sides = {
        name: label_of(name, [other for other in classes if other != name]) for name in classes
    }
    numbers = {normalised(name) for name in classes if _is_number(name)}
    if numbers - {"0", "1"} and numbers != {"-1", "1"}:
        # 1 and 2, or 1 to 5: 1 is the lowest then, no yes; beside 0 and 1, -1 may mean not known.
        sides |= {name: None for name in classes if normalised(name) == "1"}
    if len(classes) == 2:
        return _of_two(classes, sides)
    unknown = [name for name in classes if sides[name] is None]
    if unknown or len(set(sides.values())) < 2:
        raise UnusableInput(
            f"{len(classes)} classes, {named(classes)}, and their names do not say which are "
            "positive: name the positive one with --positive, and all others are negative"
        )
    return _sides(classes, sides)


def named(classes: Sequence[str], most: int = 8) -> str:
    """The names of classes for a message, not more than `most` of them."""
    return ", ".join(repr(name) for name in classes[:most]) + " ..." * (len(classes) > most)


def _as_requested(classes: Sequence[str], positive: str) -> ClassSides:
    wanted = normalised(positive)
    found = [name for name in classes if name == positive] or [
        name for name in classes if normalised(name) == wanted
    ]
    if not found:
        raise UnknownClass(f"--positive {positive!r}: the classes are {named(classes)}")
    if len(found) == len(classes):
        raise UnusableInput(f"--positive {positive!r}: there is no other class")
    return _sides(classes, {name: int(name in found) for name in classes}, requested=True)


def _of_two(classes: Sequence[str], sides: dict[str, int | None]) -> ClassSides:
    first, second = sorted(classes, key=_number) if all(map(_is_number, classes)) else classes
    pair = sides[first], sides[second]
    if pair in ((0, 1), (0, None), (None, 1)):
        return ClassSides((first,), (second,))
    if pair in ((1, 0), (1, None), (None, 0)):
        return ClassSides((second,), (first,))
    if _is_normal(second) and not _is_normal(first):
        first, second = second, first
    notice = (
        f"GUESSED: the names do not say which class is positive; taken as positive: {second!r}, "
        f"as negative: {first!r}; name it with --positive"
    )
    return ClassSides((first,), (second,), (notice,))


def _is_number(name: str) -> bool:
    return re.fullmatch(r"-?\d+", normalised(name)) is not None


def _number(name: str) -> int:
    return int(normalised(name))


def _is_normal(name: str) -> bool:
    """Whether a name says that nothing was found, which is further from disease than benign."""
    words = set(normalised(name).split())
    return bool(words & {"normal", "healthy", "control", "controls", "clear", "none", *NEGATIONS})


def _sides(
    classes: Sequence[str],
    sides: "dict[str, int | None] | dict[str, int]",
    requested: bool = False,
) -> ClassSides:
    """The classes by side; a notice where a side has more than one."""
    groups = [tuple(name for name in classes if sides[name] == label) for label in (0, 1)]
    merged = [
        f"classes are put together: {named(group)} all count as {word}"
        for group, word in zip(groups, ("negative", "positive"), strict=True)
        if len(group) > 1
    ]
    if merged and not requested:
        merged[-1] += "; --positive NAME sets one class against all others"
    return ClassSides(groups[0], groups[1], tuple(merged))
