"""The DICOM files in pydicom's own package, against what pydicom makes of them."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.data.images.decoding import decode
from bench.data.images.dicom import read_header
from bench.data.images.pixels import Decoded, UnreadableImage

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = sorted(FOLDER.rglob("*.dcm"))
REFUSED = ("PALETTE COLOR",)


def by_pydicom(file: Path) -> tuple[pydicom.Dataset, NDArray[Any] | None]:
    """The header, and the pixels of one picture: colour as red, green and blue."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = pydicom.dcmread(file, force=True)
        try:
            pixels: NDArray[Any] = record.pixel_array
        except Exception:  # no image, or damaged: there is nothing to compare with
            return record, None
    frames = int(record.get("NumberOfFrames") or 1)
    is_refused = record.get("PhotometricInterpretation") in REFUSED
    return record, None if frames > 1 or is_refused else pixels


def grey(colours: NDArray[Any]) -> NDArray[Any]:
    if colours.dtype == np.uint8:
        return np.asarray(Image.fromarray(colours).convert("L"))
    return np.rint(colours @ np.array([0.299, 0.587, 0.114]))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_file_of_pydicom(file: Path) -> None:
    record, expected = by_pydicom(file)
    problem = problem_of(file)
    decoded = decoded_or_problem(file)
    if isinstance(decoded, str):
        assert expected is None, decoded
        assert len(decoded.splitlines()) == 1
        return
    assert problem == ""
    if expected is None:
        # Some files lack a transfer syntax, or have one stray byte that pydicom does not forgive.
        assert decoded.pixels.size
        return
    if expected.ndim == 3:
        tolerance = 3e-5 * float(expected.max()) if expected.dtype.itemsize > 1 else 0
        np.testing.assert_allclose(decoded.pixels, grey(expected), rtol=0, atol=1 + tolerance)
        return
    padding = record.get("PixelPaddingValue")
    shown = np.ones(expected.shape, bool) if padding is None else expected != padding
    np.testing.assert_array_equal(decoded.pixels[shown], expected[shown])
    if not shown.all():
        assert decoded.pixels[~shown].max() <= decoded.pixels[shown].min()


def problem_of(file: Path) -> str:
    try:
        return read_header(file).problem
    except UnreadableImage as error:
        return str(error)


def decoded_or_problem(file: Path) -> Decoded | str:
    try:
        return decode(file.read_bytes(), file.name)
    except UnreadableImage as error:
        return str(error)


def test_there_is_much_to_compare() -> None:
    assert len(FILES) > 70
    assert sum(by_pydicom(file)[1] is not None for file in FILES) > 45
