"""The cases of a phantom: which patient has which lesions in which views, and where its traps are.

A few rows and files of the real set contradict the others, and a loader that was not tested on such
cases misreads them. `TRAPS` puts one of each kind into every phantom of any size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FILM, CROP, MASK = "full mammogram images", "cropped images", "ROI mask images"

# A phantom's folder holds a file of this name.
MARKER = "PHANTOM.json"


class Quirk(Enum):
    """What is unusual about the files of one row of the tables."""

    OWN_SERIES = auto()  # crop and mask lie in a study and a series each, both as 000000.dcm
    SWAPPED = auto()  # the same, and each column holds the other's path
    CALLED_CROPPED = auto()  # the shared series is called "cropped images", not "ROI mask images"
    UNDESCRIBED_MASK = auto()  # no description, side or date; a file's name for its patient
    MISSING = auto()  # the series of crop and mask is not on disk
    HALF_MASK = auto()  # the mask has half the film's rows and columns
    SKEWED_MASK = auto()  # the mask has another proportion than the film


@dataclass(frozen=True)
class Traps:
    """What is unusual about one patient, who then has lesions in one breast, in both views.

    Attributes
    ----------
    numbers : tuple[int, ...]
        Abnormality ids; all lesions of a view share its film.
    cells : Mapping[str, str]
        Clinical cells by name, see `case_tables`.
    contradicting_view : str
        The tables call the lesion malignant in this view and benign in the other; "" for none.
    quirks : Mapping[tuple[str, int], Quirk]
        By view and abnormality id.
    """

    numbers: tuple[int, ...] = (1,)
    cells: Mapping[str, str] = field(default_factory=dict)
    contradicting_view: str = ""
    quirks: Mapping[tuple[str, int], Quirk] = field(default_factory=dict)


NO_TRAPS = Traps()

# By kind and the patient's number within the kind. Numbers 0 to 7 exist at any size: 0 to 4 are in
# train, 5 to 7 in test, and 1, 3 and 6 are malignant.
TRAPS: Mapping[tuple[str, int], Traps] = {
    ("mass", 2): Traps(
        cells={"first": "N/A", "subtlety": "0"},
        quirks={("CC", 1): Quirk.OWN_SERIES, ("MLO", 1): Quirk.OWN_SERIES},
    ),
    ("mass", 3): Traps(numbers=(2, 3)),
    ("mass", 4): Traps(contradicting_view="MLO"),
    ("mass", 5): Traps(quirks={("CC", 1): Quirk.HALF_MASK}),
    ("mass", 6): Traps(quirks={("CC", 1): Quirk.OWN_SERIES, ("MLO", 1): Quirk.SKEWED_MASK}),
    ("mass", 7): Traps(cells={"density": "0", "second": "N/A"}),
    ("calc", 0): Traps(numbers=(2,)),
    ("calc", 1): Traps(quirks={("MLO", 1): Quirk.SWAPPED}),
    ("calc", 2): Traps(numbers=(1, 2), quirks={("MLO", 2): Quirk.MISSING}),
    ("calc", 3): Traps(quirks={("CC", 1): Quirk.CALLED_CROPPED}),
    ("calc", 5): Traps(numbers=(1, 2), quirks={("CC", 2): Quirk.UNDESCRIBED_MASK}),
    ("calc", 6): Traps(numbers=(1, 2, 3)),
    ("calc", 7): Traps(cells={"assessment": "0", "first": "N/A", "second": "N/A"}),
}

# Of the rows whose crop and mask share a series, one in this many has the mask as its first file.
MASK_FIRST_EVERY = 5


@dataclass(frozen=True)
class Lesion:
    """A lesion to draw: its abnormality id, and how malignant it looks (see `drawing`)."""

    number: int
    suspicion: float


@dataclass(frozen=True)
class Breast:
    """A breast with lesions of one kind and one class, and the views in which all are seen."""

    patient: str
    kind: str
    split: str
    laterality: str
    malignant: bool
    lesions: tuple[Lesion, ...]
    views: tuple[str, ...]
    traps: Traps = NO_TRAPS

    def film_case(self, view: str) -> str:
        """The folder of a film, as in `Mass-Training_P_00001_LEFT_CC`."""
        set_name = "Training" if self.split == "train" else "Test"
        return f"{self.kind.title()}-{set_name}_{self.patient}_{self.laterality}_{view}"

    def quirk(self, view: str, lesion: Lesion) -> Quirk | None:
        """What is unusual about the files of a lesion in a view, if anything."""
        return self.traps.quirks.get((view, lesion.number))


def breasts(patients: int, difficulty: float, rng: "np.random.Generator") -> Iterator[Breast]:
    """All breasts: two in five malignant, two in three in train, in every kind."""
    half = patients // 2
    for kind, first, count in (("mass", 0, half), ("calc", half, patients - half)):
        # Position decides split and class, so that each part has both classes.
        for place in range(count):
            malignant = place % 5 in (1, 3)
            split = "test" if (place // 5) % 3 == 1 or place == count - 1 else "train"
            patient = f"P_{first + place + 1:05d}"
            traps = TRAPS.get((kind, place), NO_TRAPS)
            for laterality in _sides(traps, rng):
                lesions, views = _lesions(malignant, difficulty, traps, rng)
                yield Breast(patient, kind, split, laterality, malignant, lesions, views, traps)
            if kind == "mass" and place in (0, 1):
                # As in the real set, a few patients are in mass train and in calc test.
                lesions, views = _lesions(malignant, difficulty, NO_TRAPS, rng)
                yield Breast(patient, "calc", "test", "LEFT", malignant, lesions, views)


def _sides(traps: Traps, rng: "np.random.Generator") -> tuple[str, ...]:
    """One patient in six has lesions in both breasts."""
    if rng.random() < 1 / 6 and traps is NO_TRAPS:
        return ("LEFT", "RIGHT")
    return ("LEFT",) if rng.random() < 0.5 else ("RIGHT",)


def _lesions(
    malignant: bool, difficulty: float, traps: Traps, rng: "np.random.Generator"
) -> tuple[tuple[Lesion, ...], tuple[str, ...]]:
    # Suspicion is normal about 0.5 +- distance / 2 with a standard deviation of 0.22, so the best
    # possible AUC is 0.98 at difficulty 0, 0.95 at 0.5 and 0.55 at 1.
    distance = 0.64 - 0.6 * difficulty**2.2
    centre = 0.5 + (distance / 2 if malignant else -distance / 2)
    lesions = tuple(
        Lesion(number, float(max(rng.normal(centre, 0.22), -0.1))) for number in traps.numbers
    )
    both = rng.random() < 0.85 or traps is not NO_TRAPS
    return lesions, ("CC", "MLO") if both else ("MLO",)
