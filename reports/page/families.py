"""What the page calls the family of a system, and how it looks."""

from dataclasses import dataclass

from reports.systems.kinds import (
    CNN,
    TRANSFORMER,
    drawn,
    family,
    from_scratch,
    hybrid,
    imported,
    is_fusion,
    is_reference,
    of_unknown_weights,
    pretrained,
)
from reports.systems.pooling import PooledSystem


@dataclass(frozen=True)
class LineFamily:
    """A heading of the picture.

    Attributes
    ----------
    key : str
        Its name in the address of a view.
    name : str
        Its heading.
    shape : int
        Which of the shapes its marks have.
    colour : str
        The CSS variable of its colour.
    """

    key: str
    name: str
    shape: int
    colour: str


FAMILIES = (
    LineFamily("cnn", "pretrained CNN", 0, "--blue"),
    LineFamily("transformer", "pretrained transformer", 1, "--orange"),
    LineFamily("pretrained", "pretrained, other", 5, "--pink"),
    LineFamily("fine-tuned", "fine-tuned", 3, "--violet"),
    LineFamily("scratch", "trained from scratch", 2, "--green"),
    LineFamily("hybrid", "small-data hybrid", 4, "--brown"),
    LineFamily("fusion", "fusion", 5, "--red"),
    LineFamily("plugin", "plugin", 3, "--slate"),
    LineFamily("file", "features from a file", 1, "--slate"),
    LineFamily("other", "other", 0, "--slate"),
    LineFamily("random", "random weights", 0, "--grey"),
    LineFamily("reference", "reference point", 3, "--soft"),
)

PLACES = {one.key: place for place, one in enumerate(FAMILIES)}


def family_key(system: PooledSystem) -> str:
    """The key of the family of a system: what its weights are, then what its network is."""
    tests = {
        "reference": is_reference,
        "random": drawn,
        "fusion": is_fusion,
        "hybrid": hybrid,
        "scratch": from_scratch,
        "file": imported,
        "plugin": of_unknown_weights,
    }
    for key, test in tests.items():
        if test(system):
            return key
    if not pretrained(system):
        return "other"
    if system.trained:
        return "fine-tuned"
    return {CNN: "cnn", TRANSFORMER: "transformer"}.get(family(system), "pretrained")
