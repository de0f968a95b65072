"""Writes synthetic lesion crops in the layouts of CBIS-DDSM, so that everything runs anywhere.

Results on them mean nothing for mammography. Tables and files have the quirks of the real ones (see
`cases`), the classes overlap by construction, and a seed fixes every byte.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.atomic_files import holds_nothing, whole_folder
from bench.data.lesions import unusable
from bench.data.phantom.cases import MARKER
from bench.errors import UnusableInput
from bench.store import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.data.phantom.case_tables import PhantomTables
    from bench.data.phantom.cases import Breast, Quirk
    from bench.data.phantom.identifiers import Identities, Picture

VERSION = 2
DEFAULT_PATIENTS = 100
DEFAULT_DIFFICULTY = 0.5
DEFAULT_LAYOUT = "kaggle"
# Each kind needs both classes in train and in test.
FEWEST_PATIENTS = 16


@dataclass(frozen=True)
class PhantomSettings:
    """What a phantom is made from; its marker file holds it as JSON."""

    version: int
    patients: int
    seed: int
    difficulty: float
    layout: str


def write_phantom(
    folder: str | Path,
    patients: int = DEFAULT_PATIENTS,
    seed: int = 0,
    difficulty: float = DEFAULT_DIFFICULTY,
    layout: str = DEFAULT_LAYOUT,
) -> None:
    """Write a phantom; the same arguments give the same bytes.

    Parameters
    ----------
    folder : str | Path
        Where to write it; must be empty or not exist.
    patients : int, default 100
        At least 16; about two crops each.
    seed : int, default 0
        Seed of everything that is drawn; not negative.
    difficulty : float, default 0.5
        0 (the classes are easily separated) to 1 (they hardly differ).
    layout : str, default "kaggle"
        "kaggle" (JPEG by series), "nbia" (DICOM as the NBIA Data Retriever saves it), "uid" (DICOM
        in the folders that the case tables name) or "png" (the same as 16-bit PNG). It changes
        neither lesions nor tables, and the last three have the same pixels.

    Raises
    ------
    UnusableInput
        If an argument is out of range, or the folder holds anything else or cannot be written.
    """
    folder = Path(folder).expanduser()
    settings = PhantomSettings(VERSION, patients, seed, float(difficulty), layout)
    _check_arguments(settings, folder)
    try:
        with whole_folder(folder) as temporary:
            _write_all(temporary, settings)
    except OSError as error:
        raise unusable(folder, f"the phantom cannot be written ({error.strerror})") from error


def builtin_phantom(cache: str | Path) -> Path:
    """The default phantom, written on first use.

    Parameters
    ----------
    cache : str | Path
        Folder of the store; the phantom lies in `phantom/` below it.

    Returns
    -------
    Path
        The folder of the phantom.

    Raises
    ------
    UnusableInput
        If it cannot be written.
    """
    settings = PhantomSettings(VERSION, DEFAULT_PATIENTS, 0, DEFAULT_DIFFICULTY, DEFAULT_LAYOUT)
    folder = Path(cache) / "phantom" / digest(asdict(settings))[:16]
    if not (folder / MARKER).is_file():
        try:
            write_phantom(folder)
        except UnusableInput:
            # Another run may have written it in the meantime.
            if not (folder / MARKER).is_file():
                raise
    return folder


def _check_arguments(settings: PhantomSettings, folder: Path) -> None:
    from bench.data.phantom.layouts import LAYOUTS

    if settings.layout not in LAYOUTS:
        raise unusable(f"layout {settings.layout!r}", f"is not one of {', '.join(LAYOUTS)}")
    if settings.patients < FEWEST_PATIENTS:
        fewest = FEWEST_PATIENTS
        raise unusable(f"patients {settings.patients}", f"a phantom needs at least {fewest}")
    if settings.seed < 0:
        raise unusable(f"seed {settings.seed}", "must not be negative")
    if not 0.0 <= settings.difficulty <= 1.0:
        raise unusable(f"difficulty {settings.difficulty}", "must lie between 0 and 1")
    if folder.exists() and not folder.is_dir():
        raise unusable(folder, "is a file; a phantom needs a folder")
    if folder.is_dir() and not holds_nothing(folder):
        raise unusable(folder, "is not empty; a phantom needs a new or empty folder")


def _write_all(folder: Path, settings: PhantomSettings) -> None:
    from bench.data.phantom.case_tables import PhantomTables
    from bench.data.phantom.layouts import LAYOUTS

    layout, tables = LAYOUTS[settings.layout], PhantomTables()
    written = [layout.write(folder, picture) for picture in _pictures(settings, tables)]
    (folder / "csv").mkdir()
    for name, text in tables.texts().items():
        (folder / "csv" / name).write_bytes(text.encode())
    layout.write_listing(folder, written)
    text = json.dumps(asdict(settings), indent=1) + "\n"
    (folder / MARKER).write_text(text, encoding="utf-8")


def _pictures(settings: PhantomSettings, tables: "PhantomTables") -> "Iterator[Picture]":
    """Draw every image of the phantom, and add its rows to the tables.

    Layouts have no access to the random generator, so that none can change what is drawn.
    """
    import numpy as np

    from bench.data.phantom.cases import breasts
    from bench.data.phantom.identifiers import Identities

    rng = np.random.default_rng([VERSION, settings.seed, settings.patients])
    identities = Identities(rng)
    for breast in breasts(settings.patients, settings.difficulty, rng):
        clinical = [tables.clinical(breast, lesion, rng) for lesion in breast.lesions]
        for view in breast.views:
            yield from _view(breast, view, clinical, tables, identities, rng)


def _view(
    breast: "Breast",
    view: str,
    clinical: list[dict[str, str]],
    tables: "PhantomTables",
    identities: "Identities",
    rng: "np.random.Generator",
) -> "Iterator[Picture]":
    """The film of a view, then the crop and the mask of each lesion in it."""
    from bench.data.phantom.cases import Quirk
    from bench.data.phantom.drawing import draw_film, draw_shape
    from bench.data.phantom.identifiers import Picture

    suspicions = [lesion.suspicion for lesion in breast.lesions]
    film = draw_film(breast.kind, suspicions, [draw_shape(rng) for _ in suspicions], rng)
    eight_bit, sixteen_bit = film.eight_bit(), film.sixteen_bit()
    film_file = identities.film(breast.film_case(view))
    yield Picture(film_file, eight_bit, sixteen_bit)
    lesions = zip(breast.lesions, clinical, film.crops, film.masks, strict=True)
    for lesion, cells, slices, drawn_mask in lesions:
        quirk = breast.quirk(view, lesion)
        subject = f"{breast.film_case(view)}_{lesion.number}"
        crop, mask = identities.pair(subject, quirk)
        tables.add(breast, view, lesion, cells, (film_file, crop, mask))
        if quirk is not Quirk.MISSING:
            mask_pixels = _mask_on_disk(drawn_mask, quirk)
            yield Picture(crop, eight_bit[slices], sixteen_bit[slices])
            yield Picture(mask, mask_pixels, mask_pixels)


def _mask_on_disk(mask: "NDArray[np.uint8]", quirk: "Quirk | None") -> "NDArray[np.uint8]":
    """The mask on the film's grid, except for the few that have another size."""
    import numpy as np

    from bench.data.phantom.cases import Quirk

    if quirk is Quirk.HALF_MASK:
        return mask[::2, ::2]
    if quirk is Quirk.SKEWED_MASK:
        return np.delete(mask, np.s_[::10], axis=1)
    return mask
