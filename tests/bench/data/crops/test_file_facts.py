"""How files were made: notices where it goes with the class, and a reference point of it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data import CropSettings, build_stack, load_lesions
from bench.data.crops import stack as crop_stack
from bench.data.crops.file_facts import decoding_notices
from bench.data.crops.stack import CropStack
from bench.data.images.decoding import decode
from bench.execution.features import Extraction
from bench.execution.site import Site
from bench.planning.extractor import Extractor
from bench.planning.reference_points import reference_points
from bench.store import Store
from classifiers import fit_reference
from reports import measures

Pixels = np.ndarray[Any, Any]
RNG = np.random.default_rng(1)


def eight(side: int = 24) -> Pixels:
    return RNG.integers(0, 256, (side, side), np.uint8)


def sixteen(side: int = 24) -> Pixels:
    return RNG.integers(0, 4096, (side, side)).astype(np.uint16)


def grey_as_rgb(side: int = 24) -> Pixels:
    return np.repeat(eight(side)[..., None], 3, axis=2)


def write(root: Path, kinds: dict[str, tuple[Callable[[], Pixels], str]], n: int = 12) -> Path:
    for name, (pixels, ending) in kinds.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            Image.fromarray(pixels()).save(root / name / f"{name}{number}.{ending}")
    return root


def stack_of(root: Path) -> CropStack:
    return build_stack(load_lesions(root), CropSettings(32), root.parent / "store")


@pytest.mark.parametrize(
    ("benign", "malignant", "words"),
    [
        ((eight, "jpg"), (sixteen, "png"), ("format", "bit depth")),
        ((eight, "png"), (eight, "bmp"), ("format",)),
        ((eight, "png"), (sixteen, "png"), ("bit depth",)),
        ((eight, "png"), (grey_as_rgb, "png"), ("colour mode",)),
        ((eight, "png"), (lambda: eight(32), "png"), ("size in pixels",)),
    ],
)
def test_what_goes_with_the_class_is_noticed(
    tmp_path: Path, benign: Any, malignant: Any, words: tuple[str, ...]
) -> None:
    stack = stack_of(write(tmp_path / "set", {"benign": benign, "malignant": malignant}))
    for word in words:
        (notice,) = [n for n in stack.notices if f"the {word} of the files differs" in n]
        assert "12" in notice
    has_row = "shortcut:file" in dict(reference_points(stack.table))
    assert has_row == (words != ("size in pixels",))


@pytest.mark.parametrize("what", ["longest side", "height / width"])
def test_sizes_that_are_all_different_may_separate_the_classes(tmp_path: Path, what: str) -> None:
    for name in ("benign", "malignant"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(12):
            factor = 2 if name == "malignant" else 1
            shape = (20 + number, 51 - number)
            if what == "longest side":
                shape = (factor * shape[0], factor * shape[1])
            elif name == "malignant":
                shape = (80 + number, 30 + number)
                shape = (shape[0] // 2, shape[1] // 2 + 8)
            pixels = RNG.integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    notices = [n for n in stack_of(tmp_path / "set").notices if "size in pixels" in n]
    assert any(f"median of {what}" in notice for notice in notices)


def test_the_reference_point_learns_the_format_alone(tmp_path: Path) -> None:
    kinds = {"benign": (eight, "bmp"), "malignant": (sixteen, "png")}
    stack = stack_of(write(tmp_path / "set", kinds))
    found = Extraction(Site(stack, Store(tmp_path))).features(
        Extractor("shortcut:file", None, ""), np.arange(24), lambda _: None
    )
    labels = stack.table["label"].to_numpy()
    train, test = np.arange(0, 24, 2), np.arange(1, 24, 2)
    fitted = fit_reference("logistic", found.matrix[train], labels[train], found.matrix[test])
    assert measures(labels[test], fitted.score)["auc"] == 1


def test_formats_that_are_mixed_within_the_classes_are_not(tmp_path: Path) -> None:
    for ending in ("png", "bmp"):
        write(tmp_path / "set", {"benign": (eight, ending), "malignant": (eight, ending)})
    assert stack_of(tmp_path / "set").notices == ()


def test_clean_data_have_no_notice_and_no_row(phantom: Path, tmp_path: Path) -> None:
    stack = build_stack(load_lesions(phantom), CropSettings(32), tmp_path)
    assert stack.notices == ()
    assert "shortcut:file" not in dict(reference_points(stack.table))


def test_colour_pages_and_orientation_are_counted(classes: Path) -> None:
    colour = RNG.integers(0, 256, (20, 20, 3), np.uint8)
    Image.fromarray(colour).save(classes / "benign" / "c.png")
    pages = [Image.fromarray(eight()) for _ in range(3)]
    pages[0].save(classes / "benign" / "p.tif", save_all=True, append_images=pages[1:])
    pages[0].save(classes / "benign" / "a.png", save_all=True, append_images=pages[1:])
    exif = Image.Exif()
    exif[274] = 6
    picture = RNG.integers(0, 256, (10, 30), np.uint8)
    Image.fromarray(picture).save(classes / "malignant" / "e.png", exif=exif)
    Image.fromarray(picture).save(classes / "malignant" / "t.tif", exif=exif)
    stack = stack_of(classes)
    assert any("1 of 11 crops come from colour" in notice for notice in stack.notices)
    assert any("2 of 11 crops come from files with more" in notice for notice in stack.notices)
    assert any("2 of 11 crops come from files with an EXIF" in n for n in stack.notices)
    rotated = stack.table[stack.table["path"].str.endswith(("e.png", "t.tif"))]
    assert list(rotated["crop_height"]) == [30, 30]


def saved(pixels: Pixels, ending: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, ending, **options)
    return stream.getvalue()


def stereo(pixels: Pixels) -> bytes:
    """Two pictures in one file, as some cameras save them: a JPEG by its first bytes."""
    return saved(pixels, "MPO", save_all=True, append_images=[Image.fromarray(pixels[::-1])])


def test_the_first_picture_of_an_mpo_is_taken_and_said(classes: Path) -> None:
    ramp = np.tile(np.arange(0, 240, 6, dtype=np.uint8), (40, 1)).T
    facts = decode(stereo(ramp), "a.jpg").facts
    assert (facts.pages, facts.decoder) == (2, "pillow")
    pixels = decode(stereo(ramp), "a.jpg").pixels
    assert np.abs(pixels.astype(int) - ramp).max() < 8
    (classes / "benign" / "m.jpg").write_bytes(stereo(ramp))
    notices = stack_of(classes).notices
    assert "1 of 7 crops come from files with more than one page, of which the first is taken" in (
        notices
    )


def with_alpha(lowest: int, grey: bool = False) -> Pixels:
    alpha = np.full((24, 24, 1), 255, np.uint8)
    alpha[3, 4] = lowest
    return np.concatenate([eight()[..., None]] * (1 if grey else 3) + [alpha], axis=2)


def palette(transparency: bytes | int) -> bytes:
    stream = io.BytesIO()
    pixels = np.arange(576, dtype=np.uint8).reshape(24, 24) % 4
    Image.fromarray(pixels).convert("P").save(stream, "PNG", transparency=transparency)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "transparent"),
    [
        (saved(with_alpha(0), "PNG"), True),
        (saved(with_alpha(254), "TIFF"), True),
        (saved(with_alpha(0, grey=True), "PNG"), True),
        (palette(0), True),
        (palette(bytes([255, 255, 9, 255])), True),
        (saved(np.tile(np.arange(24, dtype=np.uint8), (24, 1)), "PNG", transparency=7), True),
        (saved(with_alpha(255), "PNG"), False),
        (palette(bytes([255] * 4)), False),
        (saved(eight(), "PNG"), False),
    ],
)
def test_transparency_is_counted_where_there_is_some(
    classes: Path, data: bytes, transparent: bool
) -> None:
    (classes / "benign" / "t.png").write_bytes(data)
    said = [notice for notice in stack_of(classes).notices if "transparen" in notice]
    assert said == [
        "1 of 7 crops come from partly transparent files, whose transparency is ignored"
    ] * int(transparent)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["JPEG", "PNG", "TIFF"])
def test_every_orientation_is_applied(orientation: int, ending: str) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    picture = np.zeros((16, 32), np.uint8)
    picture[:8, :16], picture[:8, 16:], picture[8:, :16] = 60, 120, 180
    turned = picture[::-1] if orientation in (3, 4, 7, 8) else picture
    turned = turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned
    turned = turned.T if orientation > 4 else turned
    decoded = decode(saved(np.ascontiguousarray(turned), ending, exif=exif), "a")
    assert np.abs(decoded.pixels.astype(int) - picture).max() < 6
    assert decoded.facts.rotated == (orientation != 1)


def test_another_decoder_decodes_again(classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (classes / "benign" / "benign0.png").write_bytes(b"broken")
    before = stack_of(classes)
    assert len(before.table) == 5
    assert before.decoders == {"pillow": 5}
    assert "pillow" in before.decoder_versions
    decoded = []
    original = crop_stack.square_crops
    monkeypatch.setattr(crop_stack, "square_crops", lambda *a: decoded.append(1) or original(*a))
    stack_of(classes)
    assert not decoded
    versions = {**before.decoder_versions, "pylibjpeg-rle": "9"}
    monkeypatch.setattr(crop_stack, "decoder_versions", lambda: versions)
    assert stack_of(classes).fingerprint == before.fingerprint
    assert decoded


def test_bits_that_are_lost_and_signs_that_contradict_are_counted() -> None:
    clean = {"colour": False, "pages": 1, "rotated": False, "transparent": False}
    clean |= {"contradictory": False, "reduced": False}
    assert decoding_notices([clean] * 3) == []
    lines = decoding_notices([clean, clean | {"contradictory": True}, clean | {"reduced": True}])
    assert len(lines) == 2
    assert lines[0].startswith("1 of 3 crops come from JPEG 2000 whose sign contradicts")
    assert lines[1].startswith("1 of 3 crops come from colour pictures of more than 8 bits")
