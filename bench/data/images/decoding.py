"""From the bytes of one image file to its pixels, whatever the format.

Every defect of a file ends in `UnreadableImage`, so that one bad crop never ends a run.
"""

import contextlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.data.images import file_kinds
from bench.data.images.bounds import CONTENTS, DECODING, MAX_MEMORY, Reserve
from bench.data.images.isolated import isolated
from bench.data.images.picture import PILLOW_FORMATS, decode_picture
from bench.data.images.picture_headers import is_endless
from bench.data.images.pixels import MAX_BYTES, Decoded, FileFacts, Pixels, UnreadableImage, reason

WINDOWS = ("own", "voi")
# Of files that are DICOM whether or not they begin as such.
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")

# All that may decode a file, in the environment of this process.
DECODERS = (
    *("pillow", "pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg"),
    *("pylibjpeg-rle", "pyjpegls", "python-gdcm", "gdcm"),
)


def decoder_versions() -> dict[str, str]:
    """The installed decoders with their versions: they decide which files are read, and how."""
    found = {}
    for name in DECODERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _no_room(_: int) -> None:
    """For a file that is decoded alone."""


def decode(data: bytes, name: str, window: str = "own", reserve: Reserve = _no_room) -> Decoded:
    """The one channel of an image, at native size and in the file's own range.

    Parameters
    ----------
    data : bytes
        The content of the file.
    name : str
        The file's name; only its ending is used, for DICOM without a preamble.
    window : str, default "own"
        "own" for the values as stored, or "voi" for those that the DICOM file's own rescale and
        VOI table or window make of them. Other formats, and DICOM with neither, keep the values
        as stored.
    reserve : Reserve, optional
        Called once with the bytes that decoding takes, before it begins.

    Returns
    -------
    Decoded
        Its pixels are uint8, or of a wider type for images of more than 8 bits; under a window
        they are uint8 over the window's output range.

    Raises
    ------
    UnreadableImage
        If the file is empty, cut short, too large, or not an image.
    """
    from bench.data.images.dicom import decode_dicom

    if window not in WINDOWS:
        raise ValueError(f"window {window!r} is not one of {', '.join(WINDOWS)}")
    if not data:
        raise UnreadableImage("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            is_dicom = _is_dicom(data, name)
            if is_dicom:
                decoded = decode_dicom(data, window, reserve)
            elif is_endless(data):
                reserve(MAX_MEMORY)
                pixels, facts = isolated(_picture, data)
                decoded = Decoded(pixels, FileFacts(**facts))
            else:
                decoded = _identified(data, reserve)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # hostile files make decoders raise anything
        raise UnreadableImage(reason(error)) from error
    if decoded.pixels.dtype.kind == "f":
        _check_range(decoded.pixels)
    return decoded


def _check_range(pixels: Pixels) -> None:
    low, high = float(pixels.min()), float(pixels.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise UnreadableImage("it holds values that are not finite")
    # Scaling to 8 bits multiplies differences.
    if not math.isfinite((high - low) * 255):
        raise UnreadableImage(
            f"its values reach from {low:.2g} to {high:.2g}, too far to be scaled"
        )


def _identified(data: bytes, reserve: Reserve) -> Decoded:
    """As `decode_picture`; where it is no picture, the reason says what it is."""
    from PIL import UnidentifiedImageError

    try:
        return decode_picture(data, reserve)
    except UnidentifiedImageError:
        raise UnreadableImage(file_kinds.problem(data, PILLOW_FORMATS)) from None


def _picture(data: bytes) -> tuple[Pixels, dict[str, Any]]:
    decoded = _identified(data, _no_room)
    return decoded.pixels, asdict(decoded.facts)


@contextlib.contextmanager
def decoded(file: Path) -> Iterator[Decoded]:
    """A file on its own, within the room that all contents and all decoders share.

    Raises
    ------
    UnreadableImage
        As `decode`, or if the file is too large.
    """
    length = file.stat().st_size
    if length > MAX_BYTES:
        raise UnreadableImage(
            f"the file has {length} bytes, more than {MAX_BYTES // 10**6} million"
        )
    with CONTENTS.held(length):
        data = file.read_bytes()
        with DECODING.reserved() as reserve:
            yield decode(data, file.name, reserve=reserve)


def begins_as_dicom(file: Path) -> bool:
    """Whether a file has the mark of DICOM, whatever its name; False where it cannot be read."""
    try:
        if not file.is_file():  # opening a pipe would wait
            return False
        with file.open("rb") as stream:
            return _has_mark(stream.read(132))
    except OSError:
        return False


def _is_dicom(data: bytes, name: str) -> bool:
    return _has_mark(data) or name.lower().endswith(DICOM_ENDINGS)


def _has_mark(data: bytes) -> bool:
    return data[128:132] == b"DICM"
