"""What a picture's header says of it, and pictures at a fraction of their size."""

import mmap
from pathlib import Path

import numpy as np

from bench.data.images import file_kinds
from bench.data.images.bounds import TimedBytes, TimedFile
from bench.data.images.picture import PILLOW_FORMATS
from bench.data.images.picture_costs import checked_memory
from bench.data.images.pixels import Pixels, UnreadableImage, check_size, reason
from bench.data.images.tiff_directory import COMPRESSION, directory, is_tiff

# A decoder of WebP takes its memory at once; such files are not asked for their size alone.
_HEADERS = tuple(name for name in PILLOW_FORMATS if name != "WEBP")
_BEGINNING = 512
_JP2, _JPEG_2000 = b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"
_WEBP = (b"RIFF", b"WEBP")
# None, CCITT, LZW, JPEG, deflate, PackBits: each byte is gone over a few times at most.
_COUNTABLE = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946)


def picture_size(file: Path) -> tuple[int, int]:
    """Width and height of a picture by its header.

    Raises
    ------
    UnreadableImage
        If it cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    beginning = b""
    try:
        with TimedFile(file) as stream:
            beginning = stream.read(_BEGINNING)
            if is_tiff(beginning):
                with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    directory(content)
            stream.seek(0)
            with Image.open(stream, formats=_HEADERS) as image:
                return image.size
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        raise UnreadableImage(file_kinds.problem(beginning, PILLOW_FORMATS)) from None
    except Exception as error:  # hostile files make decoders raise anything
        raise UnreadableImage(reason(error)) from error


def thumbnail(data: bytes, side: int) -> Pixels:
    """A JPEG at a fraction of its size, of at least `side`, which is decoded much faster.

    Raises
    ------
    UnreadableImage
        If it cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(TimedBytes(data), formats=("JPEG",)) as image:
            check_size(image.width, image.height)
            checked_memory(data, image)
            image.draft("L", (side, side))
            return np.asarray(image.convert("L"))
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # hostile files make decoders raise anything
        raise UnreadableImage(reason(error)) from error


def is_endless(data: bytes) -> bool:
    """Whether no header tells how long a picture's decoder takes, and nothing can stop it."""
    if is_tiff(data):
        return (directory(data).get(COMPRESSION) or (1,))[0] not in _COUNTABLE
    return data[:12] == _JP2 or data[:4] == _JPEG_2000 or (data[:4], data[8:12]) == _WEBP
