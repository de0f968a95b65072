"""What a file is by its first bytes, where it is not an image that is read."""

from collections.abc import Sequence

_SIGNATURES = (
    (0, b"%PDF", "a PDF file"),
    (0, b"PK\3\4", "a ZIP archive, or a document that is one"),
    (0, b"\x1f\x8b", "compressed by gzip"),
    (0, b"BZh", "compressed by bzip2"),
    (0, b"\xfd7zXZ\0", "compressed by xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\7", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"\x93NUMPY", "an array of NumPy"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (344, b"n+1\0", "a NIfTI volume"),
    (344, b"ni1\0", "the header of a NIfTI volume"),
    (0, b"NRRD000", "an NRRD volume"),
    (0, b"ObjectType", "the header of a MetaImage volume"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, and the file itself is missing"),
    (0, b"\0\5\x16\7", "macOS's notes on another file, which its name resembles"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<svg")
_LOOKED_AT = 512


def problem(data: bytes, formats: Sequence[str]) -> str:
    """Why a file is not read although it is not empty, in a few words.

    Parameters
    ----------
    data : bytes
        The file, or at least its beginning.
    formats : Sequence[str]
        The formats that are read, by Pillow's names.

    Returns
    -------
    str
        What was found.
    """
    for place, signature, name in _SIGNATURES:
        if data[place : place + len(signature)] == signature:
            return f"it is not an image: it is {name}"
    beginning = data[:_LOOKED_AT]
    if beginning.lstrip().lower().startswith(_MARKUP):
        return "it is not an image: it is a text in HTML or XML"
    name = _pillow_format(beginning[:16])
    if name in formats:
        return f"it cannot be decoded: it begins as {name}, but its header is damaged"
    if name:
        return f"it begins as {name}, a format that is not read"
    if not any(beginning):
        return "it is not an image: it begins with zeros only"
    if _is_text(beginning):
        return "it is not an image: it is a text"
    return (
        f"it is not an image in a known format: it begins with the bytes {beginning[:8].hex(' ')}"
    )


def _pillow_format(beginning: bytes) -> str:
    """Pillow's name of the format whose signature it is; the file is not opened."""
    from PIL import Image

    Image.init()
    for name, (_, accepts) in Image.OPEN.items():
        try:
            if accepts is not None and accepts(beginning) is True:
                return str(name)
        except Exception:  # a very short file
            continue
    return ""


def _is_text(beginning: bytes) -> bool:
    try:
        text = beginning.decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 4:
            return False
        text = beginning[: error.start].decode()
    return all(letter.isprintable() or letter.isspace() for letter in text)
