"""The crop stack: what is in it, what it is looked up by, and what it survives."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.data import CropSettings, CropStack, build_stack, load_lesions
from bench.data.crops import squares
from bench.data.images.bounds import Reserve, Room
from bench.data.images.decoding import decode
from bench.data.images.pixels import Decoded
from bench.errors import UnusableInput

SMALL = CropSettings(size=32)


def build(root: Path, cache: Path, settings: CropSettings = SMALL) -> CropStack:
    return build_stack(load_lesions(root), settings, cache)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        def fail(*_: object) -> None:
            raise AssertionError("a crop was decoded")

        monkeypatch.setattr("bench.data.crops.squares.decode", fail)

    return forbid


def test_what_a_stack_holds(classes: Path, cache: Path) -> None:
    stack = build(classes, cache)
    assert stack.images.shape == (6, 32, 32)
    assert stack.images.dtype == np.uint8
    assert not stack.images.flags.writeable
    assert list(stack.table["crop_height"].unique()) == [12]
    assert list(stack.table["crop_width"].unique()) == [16]
    with Image.open(classes / stack.table["path"][2]) as image:
        pixels = np.asarray(image)
        resized = np.asarray(image.resize((32, 24), Image.Resampling.BILINEAR))
    assert stack.table["mean_intensity"][2] == pytest.approx(pixels.mean())
    np.testing.assert_array_equal(stack.images[2, 4:28], resized)
    assert not stack.images[2, :4].any()
    assert not stack.images[2, 28:].any()
    assert len(set(stack.digests)) == 6
    assert list(stack.positions("all")) == [0, 1, 2, 3, 4, 5]


def test_a_second_look_decodes_nothing(
    classes: Path, cache: Path, no_decoding: Callable[[], None]
) -> None:
    first = build(classes, cache)
    no_decoding()
    second = build(classes, cache)
    assert first.fingerprint == second.fingerprint
    assert first.digests == second.digests
    np.testing.assert_array_equal(first.images, second.images)


def test_progress_adds_up(classes: Path, cache: Path) -> None:
    for _ in range(2):
        done: list[int] = []
        build_stack(load_lesions(classes), SMALL, cache, done.append)
        assert sum(done) == 6


def test_other_settings_are_another_stack(classes: Path, cache: Path) -> None:
    stretched = build(classes, cache, CropSettings(32, fit="stretch"))
    assert stretched.fingerprint != build(classes, cache).fingerprint
    assert stretched.images[0, 0].any()
    assert build(classes, cache, CropSettings(64)).images.shape == (6, 64, 64)


def test_the_fingerprint_knows_neither_place_nor_time(
    classes: Path, cache: Path, tmp_path: Path
) -> None:
    first = build(classes, cache).fingerprint
    moved = Path(shutil.copytree(classes, tmp_path / "elsewhere"))
    os.utime(next(moved.rglob("*.png")), (1, 1))
    assert build(moved, cache).fingerprint == first
    assert build(moved, tmp_path / "other-cache").fingerprint == first


def test_crops_without_the_window_asked_for_are_counted(classes: Path, cache: Path) -> None:
    assert build(classes, cache).notices == ()
    for _ in ("decoded", "from the cache"):
        (notice,) = build(classes, cache, CropSettings(size=32, window="voi")).notices
        assert notice.startswith("window voi: 6 of 6 crops come from files without a window")


@pytest.mark.parametrize("window", ["own", "voi"])
def test_a_dicom_file_is_decoded_once(
    tmp_path: Path,
    cache: Path,
    dicom_file: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    window: str,
) -> None:
    from bench.data.images import dicom

    root = tmp_path / "set"
    for name in ("benign", "malignant"):
        (root / name).mkdir(parents=True)
        (root / name / "windowed.dcm").write_bytes(dicom_file(WindowCenter=900, WindowWidth=700))
        (root / name / "plain.dcm").write_bytes(dicom_file())
    parse, calls = dicom.read_partial, []

    def count(*arguments: Any, **named: Any) -> Any:
        # A header alone is read without the values that take room, the pixels among them.
        if named["defer_size"] is None:
            calls.append(arguments)
        return parse(*arguments, **named)

    monkeypatch.setattr(dicom, "read_partial", count)
    stack = build(root, cache, CropSettings(size=32, window=window))
    assert len(stack.table) == len(calls) == 4
    # It is known all the same which of them have a window.
    assert [notice.split(" crops")[0] for notice in stack.notices] == (
        ["window voi: 2 of 4"] if window == "voi" else []
    )


@pytest.mark.parametrize("place", ["decode", "fit_square"])
def test_a_crop_that_memory_has_no_room_for(
    classes: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from bench.data.crops import squares

    work, calls = getattr(squares, place), []

    def short_of_memory(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise MemoryError
        return work(*arguments)

    monkeypatch.setattr(squares, place, short_of_memory)
    stack = build(classes, cache)
    assert list(stack.left_out["reason"]) == ["the file cannot be read (too little memory)"]
    monkeypatch.undo()
    assert len(build(classes, cache).table) == 6


def test_one_pixel_changes_the_fingerprint(classes: Path, cache: Path) -> None:
    first = build(classes, cache, CropSettings(16))
    file = classes / first.table["path"][0]
    with Image.open(file) as image:
        pixels = np.array(image)
    pixels[3, 3] ^= 1
    Image.fromarray(pixels).save(file)
    second = build(classes, cache, CropSettings(16))
    assert second.fingerprint != first.fingerprint
    assert [a == b for a, b in zip(first.digests, second.digests, strict=True)] == [
        False,
        *[True] * 5,
    ]


def test_a_copy_that_agrees_in_size_and_time_is_not_mistaken(
    classes: Path, cache: Path, tmp_path: Path, save: Callable[..., Path]
) -> None:
    other = Path(shutil.copytree(classes, tmp_path / "other"))
    for root, value in ((classes, b"\x01"), (other, b"\x02")):
        (root / "benign" / "benign0.pgm").write_bytes(b"P5 4 4 255\n" + value * 16)
        os.utime(root / "benign" / "benign0.pgm", (1, 1))
    assert build(classes, cache).fingerprint != build(other, cache).fingerprint


def test_the_labels_are_those_of_now(tmp_path: Path, save: Callable[..., Path]) -> None:
    for name in "abc":
        save(tmp_path / "m" / f"{name}.png")
    file = tmp_path / "m" / "set.csv"
    file.write_text("path,label\na.png,0\nb.png,1\nc.png,1\n")
    first = build(file, tmp_path / "cache")
    file.write_text("path,label\na.png,1\nb.png,0\nc.png,1\n")
    second = build(file, tmp_path / "cache")
    assert list(second.table["label"]) == [1, 0, 1]
    assert first.digests == second.digests
    assert first.fingerprint != second.fingerprint


def damage_middle(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("ending", [".stack", ".json"])
@pytest.mark.parametrize(
    "damage",
    [
        damage_middle,
        lambda file: file.write_bytes(file.read_bytes()[:-7]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"[1]"),
        lambda file: file.unlink(),
    ],
)
def test_a_damaged_stack_is_made_again(
    classes: Path, cache: Path, ending: str, damage: Callable[[Path], None]
) -> None:
    first = build(classes, cache)
    pixels = np.array(first.images)
    damage(next(cache.rglob(f"*{ending}")))
    second = build(classes, cache)
    assert second.fingerprint == first.fingerprint
    np.testing.assert_array_equal(second.images, pixels)
    assert len([path for path in (cache / "crops").rglob("*") if path.is_file()]) == 2


def test_bad_files_are_left_out_with_reasons(
    classes: Path, cache: Path, no_decoding: Callable[[], None]
) -> None:
    benign = classes / "benign"
    (benign / "benign1.png").write_bytes((benign / "benign1.png").read_bytes()[:-30])
    (benign / "empty.png").touch()
    (benign / "page.jpg").write_text("<html>")
    (benign / "huge.pgm").write_bytes(b"P5 32768 32768 255\n")
    dataset = load_lesions(classes)
    (classes / "malignant" / "malignant0.png").unlink()
    stack = build_stack(dataset, SMALL, cache)
    assert [Path(path).stem for path in stack.table["path"]] == [
        "benign0",
        "benign2",
        "malignant1",
        "malignant2",
    ]
    reasons = stack.left_out.set_index("path")["reason"]
    assert "cannot be decoded" in reasons["benign/benign1.png"]
    assert "empty" in reasons["benign/empty.png"]
    assert "not an image" in reasons["benign/page.jpg"]
    assert "too many pixels" in reasons["benign/huge.pgm"]
    assert "missing" in reasons["malignant/malignant0.png"]
    # The gaps are closed: every square stands where its row does.
    for place, path in enumerate(stack.table["path"]):
        with Image.open(classes / path) as image:
            resized = np.asarray(image.resize((32, 24), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(stack.images[place, 4:28], resized)
    no_decoding()
    again = build_stack(dataset, SMALL, cache)
    assert again.fingerprint == stack.fingerprint
    assert list(again.left_out["reason"]) == list(stack.left_out["reason"])


def test_a_file_that_is_too_long_is_not_read(classes: Path, cache: Path) -> None:
    with (classes / "benign" / "long.png").open("wb") as stream:
        stream.truncate(2**33)
    stack = build(classes, cache)
    assert "bytes" in stack.left_out["reason"].iloc[-1]


def test_crops_all_alike_are_kept(classes: Path, cache: Path) -> None:
    Image.fromarray(np.full((9, 9), 4000, np.uint16)).save(classes / "benign" / "flat.png")
    stack = build(classes, cache)
    flat = stack.table[stack.table["path"] == "benign/flat.png"]
    assert list(flat["mean_intensity"]) == [0.0]


def test_nothing_left_of_a_class_or_a_subset(classes: Path, cache: Path) -> None:
    for path in (classes / "malignant").iterdir():
        path.write_bytes(b"")
    assert set(build(classes, cache).table["label"]) == {0}
    shutil.rmtree(cache)
    for path in (classes / "benign").iterdir():
        path.write_bytes(b"")
    with pytest.raises(UnusableInput, match=r"no crop can be read.*the file is empty"):
        build(classes, cache)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_written(classes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableInput, match="cannot be kept") as caught:
        build(classes, tmp_path / "file")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"size": 10**6}, {"fit": "crop"}, {"region": "film"}]
)
def test_settings_that_do_not_exist(wrong: dict[str, object]) -> None:
    with pytest.raises(UnusableInput):
        CropSettings(**wrong)  # type: ignore[arg-type]


def test_a_subset_that_does_not_exist(classes: Path, cache: Path) -> None:
    with pytest.raises(UnusableInput, match="subset 'mass': this data set has all"):
        load_lesions(classes).rows("mass")
    with pytest.raises(UnusableInput, match="subset 'mass'"):
        build(classes, cache).positions("mass")


def test_a_disk_that_fills_up_is_one_line_and_leaves_no_file(tmp_path):
    """A limit on the size of files, in another process, stands for the full disk."""
    import subprocess
    import sys
    import textwrap

    from bench.data import write_phantom

    write_phantom(tmp_path / "phantom", patients=16)
    script = f"""
        import resource, signal
        from pathlib import Path
        from bench.data import CropSettings, build_stack, load_lesions
        from bench.errors import UnusableInput
        dataset = load_lesions({str(tmp_path / "phantom")!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        try:
            build_stack(dataset, CropSettings(), Path({str(tmp_path / "cache")!r}))
        except UnusableInput as error:
            print(error)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "cannot be kept there" in ended.stdout
    assert len(ended.stdout.splitlines()) == 1
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_decoders_share_a_room(classes: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is decoded at once than fits, however many threads there are."""
    now, most, lock = [0], [0], threading.Lock()

    def counted(data: bytes, name: str, window: str, reserve: Reserve) -> Decoded:
        reserve(10)
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.02)
        try:
            return decode(data, name, window)  # which reserves nothing more
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(squares, "decode", counted)
    monkeypatch.setattr(squares, "DECODING", Room(15))
    build_stack(load_lesions(classes), CropSettings(size=16), cache)
    assert most[0] == 1
