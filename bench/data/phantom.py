"""Writes synthetic lesion crops in CBIS-DDSM's own layout, so that everything runs anywhere.

The figures that come of it mean nothing for mammography. The tables have the quirks of the real
ones (see `cbis_tables`), the classes overlap by construction, and a seed fixes every byte.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.lesions import unusable
from bench.store import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.data.phantom_tables import PhantomTables

MARKER = "PHANTOM.json"
VERSION = 1
DEFAULT_PATIENTS = 100
DEFAULT_DIFFICULTY = 0.5
# Each kind needs both classes in train and in test.
FEWEST_PATIENTS = 16


@dataclass(frozen=True)
class PhantomSettings:
    """What a phantom is made from; the marker file holds it."""

    version: int
    patients: int
    seed: int
    difficulty: float


@dataclass(frozen=True)
class Lesion:
    """A lesion to draw: who has it, and how malignant it looks (see `phantom_images`)."""

    patient: str
    kind: str
    split: str
    laterality: str
    malignant: bool
    suspicion: float
    views: tuple[str, ...]


def write_phantom(
    folder: str | Path,
    patients: int = DEFAULT_PATIENTS,
    seed: int = 0,
    difficulty: float = DEFAULT_DIFFICULTY,
) -> None:
    """Write a phantom; the same arguments give the same bytes.

    Parameters
    ----------
    folder : must not exist or be empty.
    patients : at least 16; about two crops each.
    difficulty : 0 (the classes look apart) to 1 (hardly a difference).

    Raises
    ------
    UnusableInput
        If an argument is out of range, or the folder holds anything else or cannot be written.
    """
    folder = Path(folder).expanduser()
    settings = PhantomSettings(VERSION, patients, seed, float(difficulty))
    _check(settings, folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".phantom-", dir=folder.parent))
        try:
            _write_all(temporary, settings)
            temporary.chmod(0o755)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise unusable(folder, f"the phantom cannot be written ({error.strerror})") from error


def builtin_phantom(cache: Path) -> Path:
    """The folder of the default phantom below the cache folder, written on first use."""
    settings = PhantomSettings(VERSION, DEFAULT_PATIENTS, 0, DEFAULT_DIFFICULTY)
    folder = cache / "phantom" / digest(asdict(settings))[:16]
    if not (folder / MARKER).is_file():
        write_phantom(folder)
    return folder


def _check(settings: PhantomSettings, folder: Path) -> None:
    if settings.patients < FEWEST_PATIENTS:
        fewest = FEWEST_PATIENTS
        raise unusable(f"patients {settings.patients}", f"a phantom needs at least {fewest}")
    if settings.seed < 0:
        raise unusable(f"seed {settings.seed}", "must not be negative")
    if not 0.0 <= settings.difficulty <= 1.0:
        raise unusable(f"difficulty {settings.difficulty}", "must lie between 0 and 1")
    if folder.exists() and not folder.is_dir():
        raise unusable(folder, "is a file; a phantom needs a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise unusable(folder, "is not empty; a phantom needs a new or empty folder")


def _write_all(folder: Path, settings: PhantomSettings) -> None:
    import numpy as np

    from bench.data.phantom_tables import PhantomTables

    rng = np.random.default_rng([VERSION, settings.seed, settings.patients])
    tables = PhantomTables()
    for lesion in _lesions(settings, rng):
        _write_lesion(folder, lesion, tables, rng)
    (folder / "csv").mkdir()
    for name, text in tables.texts().items():
        (folder / "csv" / name).write_bytes(text.encode())
    (folder / MARKER).write_text(json.dumps(asdict(settings), indent=1) + "\n")


def _lesions(settings: PhantomSettings, rng: "np.random.Generator") -> Iterator[Lesion]:
    """The lesions of all patients: two in five malignant, two in three in train, in every kind."""
    half = settings.patients // 2
    for kind, first, count in (("mass", 0, half), ("calc", half, settings.patients - half)):
        # Position decides split and class, so that each part has both classes.
        for place in range(count):
            malignant = place % 5 in (1, 3)
            split = "test" if (place // 5) % 3 == 1 or place == count - 1 else "train"
            patient = f"P_{first + place + 1:05d}"
            for laterality in _sides(rng):
                yield _lesion(settings, patient, kind, split, laterality, malignant, rng)
            if kind == "mass" and place in (0, 1):
                # As in the real set, a few patients stand in mass train and in calc test.
                yield _lesion(settings, patient, "calc", "test", "LEFT", malignant, rng)


def _sides(rng: "np.random.Generator") -> tuple[str, ...]:
    """One patient in six has a lesion in either breast."""
    if rng.random() < 1 / 6:
        return ("LEFT", "RIGHT")
    return ("LEFT",) if rng.random() < 0.5 else ("RIGHT",)


def _lesion(
    settings: PhantomSettings,
    patient: str,
    kind: str,
    split: str,
    laterality: str,
    malignant: bool,
    rng: "np.random.Generator",
) -> Lesion:
    # Suspicion is normal about 0.5 +- distance / 2 with a spread of 0.22, so the best that any
    # observer can reach is an AUC of 0.98 at difficulty 0, 0.95 at 0.5 and 0.55 at 1.
    distance = 0.64 - 0.6 * settings.difficulty**2.2
    centre = 0.5 + (distance / 2 if malignant else -distance / 2)
    suspicion = float(max(rng.normal(centre, 0.22), -0.1))
    views = ("CC", "MLO") if rng.random() < 0.85 else ("MLO",)
    return Lesion(patient, kind, split, laterality, malignant, suspicion, views)


def _write_lesion(
    folder: Path, lesion: Lesion, tables: "PhantomTables", rng: "np.random.Generator"
) -> None:
    from bench.data.phantom_images import draw_shape, draw_view

    clinical = tables.clinical(lesion, rng)
    shape = draw_shape(rng)
    for view in lesion.views:
        drawn = draw_view(lesion.kind, lesion.suspicion, shape, rng)
        files = tables.add(lesion, view, clinical, drawn.crop.shape, rng)
        for path, pixels in zip(files, (drawn.film, drawn.crop, drawn.mask), strict=True):
            _write_jpeg(folder / path, pixels)
        shape = draw_shape(rng)


def _write_jpeg(path: Path, pixels: "NDArray[np.uint8]") -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "JPEG", quality=92)
