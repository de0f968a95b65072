"""Pictures with 16 bits in several channels, and the formats WebP, JPEG 2000 and GIF."""

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.data.images.decoding import decode
from bench.data.images.pixels import Decoded, UnreadableImage

RNG = np.random.default_rng(3)
# Values within few of the 256 steps that 8 bits have.
WIDE = RNG.integers(37_000, 39_000, (13, 17), np.uint16)
COLOURS = RNG.integers(0, 65_536, (13, 17, 3), np.uint16)
ALPHA = RNG.integers(0, 65_536, (13, 17, 1), np.uint16)


def png(samples: NDArray[np.uint16], kind: int, filtered: int = 0, exif: bytes = b"") -> bytes:
    """A PNG of 16 bits; `kind` is its colour type, `filtered` 0 (none) or 1 (to the left)."""
    height, width = samples.shape[:2]

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">L", zlib.crc32(name + data))
        return struct.pack(">L", len(data)) + name + data + checksum

    lines = []
    for line in samples.reshape(height, width, -1).astype(">u2"):
        row = np.frombuffer(line.tobytes(), np.uint8)
        if filtered:
            step = 2 * line.shape[1]
            row = row - np.concatenate([np.zeros(step, np.uint8), row[:-step]])
        lines.append(bytes([filtered]) + row.tobytes())
    header = struct.pack(">2L5B", width, height, 16, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + (chunk(b"eXIf", exif) if exif else b"")
    return (b"\x89PNG\r\n\x1a\n" + body + chunk(b"IDAT", zlib.compress(b"".join(lines)))) + chunk(
        b"IEND", b""
    )


def grey(colours: NDArray[np.uint16]) -> NDArray[Any]:
    weighted: NDArray[Any] = colours[..., :3].astype(float) @ [0.299, 0.587, 0.114]
    return weighted


def same_channels(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return np.repeat(pixels[..., None], 3, axis=2)


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(
    samples: NDArray[np.uint16], order: str = "<", packed: bool = False, predicted: bool = False
) -> bytes:
    """A TIFF of 16-bit colour in one strip; `packed` by zlib, `predicted` from pixel to pixel."""
    height, width = samples.shape[:2]
    if predicted:
        samples = np.diff(samples, axis=1, prepend=np.zeros((height, 1, 3), np.uint16))
    strip = samples.astype(f"{order}u2").tobytes()
    strip = zlib.compress(strip) if packed else strip
    shorts = {256: width, 257: height, 259: 8 if packed else 1, 262: 2, 277: 3, 278: height}
    shorts |= {317: 2} if predicted else {}
    start = 8 + 6
    entries = [(tag, 3, 1, struct.pack(f"{order}HH", value, 0)) for tag, value in shorts.items()]
    entries.append((258, 3, 3, struct.pack(f"{order}L", 8)))
    entries.append((273, 4, 1, struct.pack(f"{order}L", start)))
    entries.append((279, 4, 1, struct.pack(f"{order}L", len(strip))))
    strip += b"\0" * (len(strip) % 2)
    data = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, start + len(strip))
    data += struct.pack(f"{order}3H", 16, 16, 16) + strip + struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in sorted(entries):
        data += struct.pack(f"{order}HHL", tag, kind, count) + value
    return data + bytes(4)


def ppm(samples: NDArray[np.uint16], header: bytes = b"P6\n# made\n17 13\n65535\n") -> bytes:
    return header + samples.astype(">u2").tobytes()


@pytest.mark.parametrize("filtered", [0, 1])
def test_sixteen_bit_pngs_keep_their_bits(filtered: int) -> None:
    triple = same_channels(WIDE)
    for samples, kind in (
        (triple, 2),
        (np.concatenate([triple, ALPHA], axis=2), 6),
        (np.concatenate([WIDE[..., None], ALPHA], axis=2), 4),
    ):
        decoded = decode(png(samples, kind, filtered), "x.png")
        np.testing.assert_array_equal(decoded.pixels, WIDE)
        assert (decoded.facts.bits, decoded.facts.colour, decoded.facts.reduced) == (
            16,
            False,
            False,
        )
        assert decoded.facts.transparent == (kind != 2)


def test_sixteen_bit_tiffs_and_ppms_keep_their_bits() -> None:
    for data in (
        tiff(same_channels(WIDE)),
        tiff(same_channels(WIDE), ">"),
        tiff(same_channels(WIDE), packed=True),
        tiff(same_channels(WIDE), ">", packed=True, predicted=True),
        ppm(same_channels(WIDE)),
        ppm(same_channels(WIDE), b"P6 17 13 40000 "),
    ):
        decoded = decode(data, "x")
        np.testing.assert_array_equal(decoded.pixels, WIDE)
        assert (decoded.facts.bits, decoded.facts.reduced) == (16, False)


def test_colours_of_sixteen_bits_become_grey_as_those_of_eight() -> None:
    for data in (png(COLOURS, 2), tiff(COLOURS), ppm(COLOURS)):
        decoded = decode(data, "x")
        assert decoded.facts.colour
        np.testing.assert_allclose(decoded.pixels, grey(COLOURS), atol=1)
    eight = (COLOURS >> 8).astype(np.uint8)
    image = Image.fromarray(eight)
    np.testing.assert_array_equal(
        decode(written(image, "PNG"), "x.png").pixels, np.asarray(image.convert("L"))
    )


def test_a_rotated_picture_of_sixteen_bits_is_upright() -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = png(same_channels(WIDE), 2, exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    decoded = decode(data, "x.png")
    assert decoded.facts.rotated
    np.testing.assert_array_equal(decoded.pixels, np.rot90(WIDE, -1))


def test_bits_that_are_lost_are_noted() -> None:
    stacked = same_channels(WIDE)
    plain = b"P3\n17 13\n65535\n" + b" ".join(b"%d" % value for value in stacked.ravel())
    assert decode(plain, "x.ppm").facts.reduced
    assert not decode(written(Image.fromarray(stacked.astype(np.uint8)), "PNG"), "x").facts.reduced
    assert not decode(written(Image.fromarray(WIDE), "PNG"), "x").facts.reduced


def decoded_as(image: Image.Image, kind: str, **options: Any) -> Decoded:
    return decode(written(image, kind, **options), "x")


def test_webp_jpeg_2000_and_gif_are_read() -> None:
    eight = (WIDE >> 3).astype(np.uint8)
    image = Image.fromarray(eight)
    for decoded, name in (
        (decoded_as(image, "GIF"), "GIF"),
        (decoded_as(image.convert("RGB"), "WEBP", lossless=True), "WEBP"),
        (decoded_as(image, "JPEG2000", irreversible=False), "JPEG2000"),
        (decoded_as(image, "JPEG2000", irreversible=False, no_jp2=True), "JPEG2000"),
    ):
        np.testing.assert_array_equal(decoded.pixels, eight)
        facts = decoded.facts
        assert (facts.format, facts.bits, facts.pages, facts.colour) == (name, 8, 1, False)
    wide = decoded_as(Image.fromarray(WIDE), "JPEG2000", irreversible=False)
    np.testing.assert_array_equal(wide.pixels, WIDE)
    assert (wide.facts.bits, wide.facts.reduced) == (16, False)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_of_a_moving_picture_the_first_is_taken(kind: str) -> None:
    eight = (WIDE >> 3).astype(np.uint8)
    first, second = (Image.fromarray(one).convert("L") for one in (eight, 255 - eight))
    options = {"save_all": True, "append_images": [second], "duration": 40}
    options |= {"lossless": True} if kind == "WEBP" else {}
    decoded = decoded_as(first, kind, **options)
    assert decoded.facts.pages == 2
    np.testing.assert_array_equal(decoded.pixels, eight)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "JPEG2000"])
def test_a_cut_picture_is_read_or_refused(kind: str) -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (90, 90), np.uint8))
    data = written(noise, kind)
    for share in (0.02, 0.3, 0.6):
        # JPEG 2000 may be read up to where it ends.
        with contextlib.suppress(UnreadableImage):
            decode(data[: int(share * len(data))], "x")
