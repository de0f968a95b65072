"""Pictures of 16 bits that Pillow cuts down to 8, or reads value by value: all of their bits."""

import io
from typing import Any

import numpy as np

from bench.data.images.pixels import Pixels, UnreadableImage, by_table, luminance


def scaled_grey(data: bytes, image: Any) -> Pixels | None:
    """The pixels of such a picture as Pillow scales them; None for all other pictures.

    Pillow does so pixel by pixel, which takes 10 s for a mammogram of 12 bits.
    """
    if image.format != "PPM" or image.mode not in ("L", "I") or image.tile[0][0] != "ppm":
        return None
    _, _, start, (*_, white) = image.tile[0]
    stored_type, size = (np.dtype(">u2"), 2) if white > 255 else (np.dtype("u1"), 1)
    needed = image.width * image.height
    if len(data) - start < needed * size:
        raise UnreadableImage(
            f"it cannot be decoded: its pixels need {needed * size} bytes, "
            f"{max(0, len(data) - start)} are there"
        )
    stored = np.frombuffer(data, stored_type, needed, start).reshape(image.height, image.width)
    most, wanted = (65535, np.int32) if image.mode == "I" else (255, np.uint8)

    def scaled(values: Pixels) -> Pixels:
        grey: Pixels = np.minimum(np.rint(values / white * most), most).astype(wanted)
        return grey

    return by_table(stored.astype(stored_type.newbyteorder("=")), scaled)


# Pillow takes one byte of each sample; read in the other byte order it takes the other one.
_OTHER_BYTES = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in (("L", "B"), ("B", "L"), ("N", "B" if np.little_endian else "L"))
}
# Grey with transparency, read as four channels of 8 bits: these are the bytes of the two.
_GREY_AND_ALPHA, _FOUR_BYTES = "LA;16B", "RGBA"


def raw_mode(image: Any) -> str:
    """How Pillow will read a picture that is not loaded yet; empty where it is not 16 bits wide."""
    modes = {_raw_mode(tile) for tile in image.tile}
    mode = modes.pop() if len(modes) == 1 else ""
    return mode if mode in _OTHER_BYTES or mode in (_GREY_AND_ALPHA, "ppm") else ""


def wide_grey(data: bytes, image: Any, mode: str) -> Pixels:
    """One channel of 16 bits.

    Parameters
    ----------
    data : bytes
        The file.
    image : Any
        Pillow's picture of it, loaded and upright.
    mode : str
        From `raw_mode`, before it was loaded.

    Returns
    -------
    Pixels, shape (height, width)
        Unsigned 16 bits.
    """
    if mode == "ppm":
        samples = np.frombuffer(data, ">u2", image.height * image.width * 3, _ppm_offset(data))
        return luminance(samples.reshape(image.height, image.width, 3))
    if mode == _GREY_AND_ALPHA:
        bytes_of = _reread(data, image, _FOUR_BYTES)
        return (bytes_of[..., 0].astype(np.uint16) << 8) | bytes_of[..., 1]
    high, low = np.asarray(image), _reread(data, image, _OTHER_BYTES[mode])
    return luminance((high[..., :3].astype(np.uint16) << 8) | low[..., :3])


def _reread(data: bytes, image: Any, mode: str) -> Pixels:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=[image.format]) as other:
        other.tile = [tile._replace(args=_with_raw_mode(tile, mode)) for tile in other.tile]
        other.load()
        ImageOps.exif_transpose(other, in_place=True)
        return np.asarray(other)


def _raw_mode(tile: Any) -> str:
    if tile.codec_name == "ppm":
        largest = tile.args[-1] if isinstance(tile.args, tuple) else tile.args
        return "ppm" if largest > 255 else ""
    return str(tile.args[0] if isinstance(tile.args, tuple) else tile.args)


def _with_raw_mode(tile: Any, mode: str) -> Any:
    return (mode, *tile.args[1:]) if isinstance(tile.args, tuple) else mode


def _ppm_offset(data: bytes) -> int:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PPM"]) as image:
        return int(image.tile[0].offset)
