"""The phantom: the same bytes for the same seed, read back whole, and without a shortcut."""

from pathlib import Path

import numpy as np
import pytest

from bench.data import CropSettings, build_stack, builtin_phantom, load_lesions, write_phantom
from bench.data.lesions import shared_patients
from bench.errors import UnusableInput


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_seed_fixes_every_byte(phantom: Path, tmp_path: Path) -> None:
    write_phantom(tmp_path / "again", patients=24, seed=3)
    assert content(tmp_path / "again") == content(phantom)
    write_phantom(tmp_path / "other", patients=24, seed=4)
    assert content(tmp_path / "other").keys() != content(phantom).keys()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_it_reads_back_whole(phantom: Path) -> None:
    dataset = load_lesions(phantom)
    assert (dataset.name, dataset.synthetic, len(dataset.left_out)) == ("phantom", True, 0)
    assert set(dataset.subsets) == {"mass", "calc", "all"}
    for _, rows in dataset.table.groupby(["subset", "split"]):
        assert set(rows["label"]) == {0, 1}
    for subset in ("mass", "calc"):
        assert shared_patients(dataset.rows(subset)) == []
    assert len(shared_patients(dataset.rows("all"))) == 2
    views = dataset.table.groupby("lesion_id").size()
    assert set(views) == {1, 2}


@pytest.mark.parametrize("patients", [16, 17, 31])
@pytest.mark.parametrize("seed", range(3))
def test_small_ones_have_both_classes_everywhere(tmp_path: Path, patients: int, seed: int) -> None:
    write_phantom(tmp_path / "set", patients=patients, seed=seed)
    table = load_lesions(tmp_path / "set").table
    assert (table.groupby(["subset", "split"])["label"].nunique() == 2).all()
    assert len(table.groupby(["subset", "split"])) == 4


def test_the_tables_have_the_quirks_of_the_real_ones(phantom: Path) -> None:
    mass = (phantom / "csv" / "mass_case_description_train_set.csv").read_bytes()
    calc = (phantom / "csv" / "calc_case_description_test_set.csv").read_bytes()
    assert b"breast_density" in mass
    assert b"breast density" in calc
    assert b'000001.dcm\n"\r\n' in mass
    assert b'000001.dcm\n",' in calc
    assert b"N/A" in mass + calc


def test_the_default_size_and_no_shortcut(tmp_path: Path) -> None:
    folder = builtin_phantom(tmp_path)
    assert builtin_phantom(tmp_path) == folder
    dataset = load_lesions(folder)
    splits = dataset.table["split"].value_counts()
    assert 180 <= len(dataset.table) <= 260
    assert splits["train"] >= 110
    assert splits["test"] >= 60
    stack = build_stack(dataset, CropSettings(32), tmp_path)
    assert (stack.table["crop_height"] != stack.table["crop_width"]).mean() > 0.9
    for column in ("crop_height", "crop_width", "mean_intensity"):
        rank = stack.table[column].rank().to_numpy()
        label = stack.table["label"].to_numpy(dtype=bool)
        n1, n0 = int(label.sum()), int((~label).sum())
        auc = (rank[label].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
        # Three standard errors for these numbers.
        assert abs(auc - 0.5) < 3 * np.sqrt((n0 + n1 + 1) / (12 * n0 * n1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"patients": 3}, "at least 16"),
        ({"seed": -1}, "negative"),
        ({"difficulty": 1.5}, "between 0 and 1"),
        ({"difficulty": float("nan")}, "between 0 and 1"),
    ],
)
def test_settings_out_of_range(tmp_path: Path, arguments: dict[str, float], said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        write_phantom(tmp_path / "set", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UnusableInput, match="is not empty"):
        write_phantom(tmp_path / "mine")
    with pytest.raises(UnusableInput, match="is a file"):
        write_phantom(tmp_path / "mine" / "thesis.txt")
    assert content(tmp_path) == {"mine/thesis.txt": b"years of work"}


def test_nothing_is_deleted_beside_an_older_phantom(tmp_path: Path) -> None:
    write_phantom(tmp_path / "phantom", patients=16)
    notes = tmp_path / "phantom" / "my-notes.txt"
    notes.write_text("precious")
    with pytest.raises(UnusableInput, match="is not empty"):
        write_phantom(tmp_path / "phantom", patients=16, seed=1)
    assert notes.read_text() == "precious"


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.data.phantom._write_jpeg", fail)
    with pytest.raises(UnusableInput, match="No space left"):
        write_phantom(tmp_path / "set", patients=16)
    assert list(tmp_path.iterdir()) == []
