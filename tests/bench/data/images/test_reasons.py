"""Why a file is refused: true, in whole words, and of the file, not of a program's variables."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from bench.data import load_lesions
from bench.data.images.decoding import decode
from bench.data.images.pixels import UnreadableImage, reason
from bench.errors import UnusableInput

FOUND = [
    (b"%PDF-1.7\n%", "a PDF file"),
    (b"PK\3\4" + bytes(40), "a ZIP archive"),
    (b"\x1f\x8b\x08" + bytes(40), "gzip"),
    (b"\x93NUMPY\1\0v", "NumPy"),
    (bytes(344) + b"n+1\0" + bytes(40), "NIfTI"),
    (b"  <!DOCTYPE html>", "HTML"),
    (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    (b"8BPS\0\1" + bytes(40), "it begins as PSD, a format that is not read"),
    (b"II*\0" + bytes(40), "TIFF directory|TIFF"),
    (b"path,label\nx.png,1\n", "it is a text"),
    (bytes(600), "zeros only"),
    (b"x", "it is a text"),
    (b"\xfe\xed\xfa\xce\1\2\3\4", "fe ed fa ce"),
]


@pytest.mark.parametrize(("data", "found"), FOUND)
def test_what_was_found_is_said(data: bytes, found: str) -> None:
    with pytest.raises(UnreadableImage, match=found) as caught:
        decode(data, "x.png")
    assert str(caught.value).isprintable()


def test_no_words_of_a_program() -> None:
    errors = [
        TypeError("'NoneType' object is not subscriptable"),
        AttributeError("'NoneType' object has no attribute 'read'"),
        IndexError("index out of range"),
        KeyError(3),
        struct.error("unpack requires a buffer of 2 bytes"),
        RecursionError("maximum recursion depth exceeded"),
        ValueError("invalid literal for int() with base 10: '1x'"),
    ]
    said = [reason(error) for error in errors]
    assert reason(zlib.error("Error -3 while decompressing data: invalid literal/lengths set")) == (
        "it cannot be decoded: its deflated data are damaged"
    )
    assert said[-1] == "it cannot be decoded: it has '1x' in place of a number"
    for line in said[:-1]:
        assert line.startswith("it cannot be decoded: it is damaged, or its decoder does not know")


def test_a_missing_element_is_named() -> None:
    error = AttributeError("Missing required element: (0028,0103) 'Pixel Representation'")
    assert reason(error) == "it cannot be decoded: its header has no Pixel Representation"


def test_no_message_is_cut_inside_a_word() -> None:
    message = "the decoder stopped because " + "something happened and " * 20
    said = reason(OSError(message))
    assert len(said) < 200
    assert said.endswith(" ...")
    assert f"{said.removesuffix(' ...').removeprefix('it cannot be decoded: ')} " in message


def images(folder: Path, count: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("L", (9, 9), number).save(folder / f"{number}.png")


def said_of(root: Path) -> str:
    with pytest.raises(UnusableInput) as caught:
        load_lesions(root)
    return str(caught.value)


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(3):
        (documents / f"{number}.pdf").write_bytes(b"%PDF-1.4")
    assert "none of its files is an image by its name (3 .pdf)" in said_of(documents)
    images(tmp_path / "flat", 3)
    assert "holds 3 images, such as '0.png', but neither class" in said_of(tmp_path / "flat")
    for name in ("benign", "malignant"):
        images(tmp_path / "deep" / "data" / name)
    assert f"there is one in {tmp_path / 'deep' / 'data'}" in said_of(tmp_path / "deep")
    images(tmp_path / "one" / "benign")
    (tmp_path / "one" / "malignant").mkdir()
    assert "of its 2 folders only 'benign' holds images" in said_of(tmp_path / "one")


def test_a_csv_that_was_moved_says_where_it_looked(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_text("path,label\na/1.png,benign\na/2.png,malignant\n")
    said = said_of(file)
    assert "none of its 2 files is there; the first, a/1.png" in said
    assert str(tmp_path) in said.removeprefix(f"{file}: ")


def test_tabs_separate_columns(tmp_path: Path) -> None:
    images(tmp_path / "a")
    file = tmp_path / "set.csv"
    file.write_text("path\tlabel\na/0.png\tbenign\na/1.png\tmalignant\n")
    assert len(load_lesions(file).table) == 2
