"""Features from files: what they may look like, and what is said of those that cannot be used."""

import sys

import numpy as np
import pandas as pd
import pytest

from bench.data.imported.matching import match_rows
from bench.data.imported.reading import read_features
from bench.errors import UnusableInput
from bench.planning.config import Configuration
from bench.planning.imports import ImportedFeatures, described
from extractors import UnknownBackbone

IDS = ["a/1.png", "a/2.png", "b/3.png", "b/4.png"]
X = np.arange(12, dtype=np.float32).reshape(4, 3) / 7


def frame(ids=IDS, values=X, name="id", **columns):
    table = pd.DataFrame(values, columns=[f"f{i}" for i in range(values.shape[1])])
    return pd.DataFrame({name: ids, **columns}).join(table)


def write(tmp_path, kind):
    path = tmp_path / f"mine.{kind}"
    if kind == "npz":
        np.savez(path, ids=np.array(IDS), X=X)
    elif kind == "npy":
        np.save(path, X)
        path.with_suffix(".txt").write_text("\n".join(IDS) + "\n")
    elif kind in ("csv", "tsv"):
        frame().to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "parquet":
        frame().to_parquet(path, index=False)
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            file["ids"], file["X"] = IDS, X
    return path


@pytest.mark.parametrize("kind", ["npz", "npy", "csv", "tsv", "parquet", "h5"])
def test_every_format_gives_the_same_rows_bit_for_bit(tmp_path, kind):
    found = read_features(write(tmp_path, kind))
    assert found.ids == tuple(IDS)
    assert found.matrix.dtype == np.float32
    np.testing.assert_array_equal(found.matrix, X)
    assert len(found.digest) == 64
    assert not found.remarks


def test_the_digest_of_an_npy_file_knows_its_ids(tmp_path):
    path = write(tmp_path, "npy")
    before = read_features(path).digest
    path.with_suffix(".txt").write_text("\n".join(reversed(IDS)))
    assert read_features(path).digest != before


def test_other_usual_forms_are_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "each.h5", "w") as file:
        for name, row in zip(IDS, X, strict=True):
            file[name] = row
    np.testing.assert_array_equal(read_features(tmp_path / "each.h5").matrix, X)
    lists = pd.DataFrame({"image": IDS, "label": [0, 1, 0, 1], "embedding": list(X)})
    lists.to_parquet(tmp_path / "lists.parquet")
    found = read_features(tmp_path / "lists.parquet")
    np.testing.assert_array_equal(found.matrix, X)
    assert found.remarks == ("columns that are no features: 'label'",)
    np.savez(tmp_path / "bytes.npz", ids=np.array(IDS, dtype="S"), X=X.astype(np.float16))
    assert read_features(tmp_path / "bytes.npz").ids == tuple(IDS)
    np.savez(tmp_path / "whole.npz", ids=np.array([1, 2, 3, 4]), X=X.astype(np.float64) + 1e-12)
    found = read_features(tmp_path / "whole.npz")
    assert found.ids == ("1", "2", "3", "4")
    assert found.remarks == ("its float64 numbers are rounded to float32",)


def test_what_says_what_a_crop_is_is_no_feature(tmp_path):
    """A label among the features would be a perfect score."""
    table = frame(name="crop_id", patient_id=[1, 2, 3, 4], label=[0, 1, 0, 1], Target=[0, 1, 0, 1])
    for path, write_table in (("a.csv", table.to_csv), ("a.parquet", table.to_parquet)):
        write_table(tmp_path / path)  # with pandas' index
        found = read_features(tmp_path / path)
        np.testing.assert_array_equal(found.matrix, X)
        assert "'label', 'Target'" in found.remarks[0]


def test_an_index_without_a_name_holds_the_ids(tmp_path):
    table = pd.DataFrame(X, index=IDS, columns=["f0", "f1", "f2"])
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv")
    pd.DataFrame(X, index=IDS).to_csv(tmp_path / "counted.csv")
    for name in ("a.parquet", "a.csv", "counted.csv"):
        found = read_features(tmp_path / name)
        assert found.ids == tuple(IDS)
        np.testing.assert_array_equal(found.matrix, X)
        assert not [one for one in found.remarks if "no features" in one]


def test_groups_of_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file["train/ids"], file["train/X"], file["made/when"] = IDS, X, "2026"
    with h5py.File(tmp_path / "each.h5", "w") as file:
        for name, row in zip(IDS, X, strict=True):
            file[f"{name}/features"] = row
    for name in ("group.h5", "each.h5"):
        found = read_features(tmp_path / name)
        assert found.ids == tuple(IDS)
        np.testing.assert_array_equal(found.matrix, X)
    with h5py.File(tmp_path / "group.h5", "a") as file:
        file["test/ids"], file["test/X"] = IDS, X
    assert "ids and X in 2 groups (/test, /train): keep one" in refused(tmp_path / "group.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["names"], file["features"] = IDS, X
    message = refused(tmp_path / "other.h5")
    assert "names is of type object, not real numbers: wants ids and X" in message


def refused(path):
    with pytest.raises(UnusableInput) as caught:
        read_features(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ") or ".txt: " in message
    return message


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet", "h5"])
def test_what_is_wrong_with_a_file_is_one_line_with_three_names(tmp_path, kind):
    path = write(tmp_path, kind)
    odd, twice = X.copy(), ["a/1.png", "a/1.png", "b/3.png", "b/3.png"]
    odd[:, 1] = np.nan

    def again(ids, values):
        if kind == "npz":
            np.savez(path, ids=np.array(ids), X=values)
        elif kind == "csv":
            frame(ids, values).to_csv(path, index=False, na_rep="nan")
        elif kind == "parquet":
            frame(ids, values).to_parquet(path)
        else:
            h5py = pytest.importorskip("h5py")
            with h5py.File(path, "w") as file:
                file["ids"], file["X"] = ids, values
        return refused(path)

    message = again(IDS, odd)
    assert "4 rows have a value that is not finite: a/1.png, a/2.png, b/3.png and 1 more" in message
    assert "2 ids stand there more than once: a/1.png, b/3.png" in again(twice, X)


def test_rows_of_other_widths_are_named(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("id,f0,f1\na,1,2\nb,1\nc,1,2\nd,1,2,3\n")
    assert "2 rows have other widths than the 3 cells of the header: b (2), d (4)" in refused(path)
    path.write_text("id,f0,f1\na,1,2\nb,1,\nc,1,x\n")
    assert "2 values are no numbers: b (f1: ''), c (f1: 'x')" in refused(path)
    ragged = pd.DataFrame({"id": IDS, "v": [[1.0, 2.0], [1.0, 2.0], [1.0], [1.0, 2.0]]})
    ragged.to_parquet(tmp_path / "odd.parquet")
    message = refused(tmp_path / "odd.parquet")
    assert "1 rows have other widths than the 2 of most: b/3.png (1)" in message
    np.savez(tmp_path / "odd.npz", ids=np.array(IDS[:3]), X=X)
    assert "has 3 ids for 4 rows" in refused(tmp_path / "odd.npz")
    np.savez(tmp_path / "objects.npz", ids=np.array(IDS, dtype=object), X=X)
    assert "Python objects" in refused(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("none.npz", None, "there is no such file"),
        ("text.npz", b"hello", "is no NPZ file of numbers"),
        ("text.parquet", b"hello", "is no Parquet file"),
        ("text.h5", b"hello", "cannot be read as HDF5"),
        ("mine.pkl", b"hello", "is no file of features by its name: .npz, .npy, .csv"),
        ("empty.csv", b"", "is empty"),
        ("no.csv", b"f0,f1\n1,2\n", "has no column of ids (crop_id, id, ids, path, ...)"),
        ("bare.csv", b"id,label\na,1\n", "has no column of features beside id"),
        ("comma.csv", b"id;f0;f1\na;0,5;1\nb;-1,5;2\n", "numbers with a decimal comma (f0)"),
        ("bare.csv", b"a,0.5,1.5\nb,2.5,1e-3\n", "has no header: its first line is a row"),
        ("bare.csv", b"0.5,1.5\n2.5,1e-3\n", "has no header: its first line is a row"),
    ],
)
def test_what_is_no_file_of_features_is_said(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert reason in refused(tmp_path / name)


def test_a_file_without_its_ids_says_where_they_are_looked_for(tmp_path):
    np.save(tmp_path / "alone.npy", X)
    message = refused(tmp_path / "alone.npy")
    assert "put a list beside it, named alone.txt, alone.csv, alone_ids.txt" in message
    np.savez(tmp_path / "other.npz", names=np.array(IDS), X=X)
    assert "has no ids; it holds names, X" in refused(tmp_path / "other.npz")


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "pip install 'vit-svm-bench[hdf5]'" in refused(path)


def table(**columns):
    return pd.DataFrame({"crop_id": ["P1_L_CC_1", "P1_L_CC_2", "P2_R_CC_1"]} | columns)


@pytest.mark.parametrize(
    ("ids", "by"),
    [
        (["P2_R_CC_1", "P1_L_CC_1", "P1_L_CC_2"], "crop_id"),
        (["b/3.png", "a/1.png", "a/2.png"], "path"),
        (["b\\3.png", ".\\a\\1.png", "a\\2.png"], "path"),
        (["3", "1", "2"], "the file's stem"),
        (["x/3.png", "/elsewhere/1.png", "2.tif"], "the file's stem"),
    ],
)
def test_ids_match_by_what_fits_best(tmp_path, ids, by):
    crops = table(path=["a/1.png", "a/2.png", "b/3.png"])
    path = tmp_path / "mine.npz"
    np.savez(path, ids=np.array([*ids, "unknown"]), X=X)
    matched = match_rows(read_features(path), crops, tmp_path)
    assert matched.by == by
    assert matched.rows.tolist() == [1, 2, 0]
    assert matched.unused == 1
    np.savez(path, ids=np.array([str(tmp_path / "a/1.png"), "q"]), X=X[:2])
    matched = match_rows(read_features(path), crops, tmp_path)
    assert (matched.by, matched.rows.tolist()) == ("path", [0, -1, -1])


def test_an_id_that_several_crops_share_is_refused(tmp_path):
    """Else a crop would have the features of another one."""
    path = tmp_path / "mine.npz"
    np.savez(path, ids=np.array(["film", "b/3.png"]), X=X[:2])
    crops = table(path=["film.png", "film.png", "b/3.png"])
    with pytest.raises(
        UnusableInput, match=r"film is that of 2 .P1_L_CC_1, P1_L_CC_2.: name crops"
    ):
        match_rows(read_features(path), crops, tmp_path)
    np.savez(path, ids=np.array(["x/3.png", "y/3.png"]), X=X[:2])
    with pytest.raises(UnusableInput, match=r"2 ids are the file's stem 3: x/3.png, y/3.png"):
        match_rows(read_features(path), crops, tmp_path)
    np.savez(path, ids=np.array(["q", "r"]), X=X[:2])
    with pytest.raises(UnusableInput, match=r"none of its 2 ids .q, r. is the crop_id, path or"):
        match_rows(read_features(path), crops, tmp_path)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("mine",), "give it as NAME=PATH"),
        (("=x.npz",), "give it as NAME=PATH"),
        (("a+b=x.npz",), "the name 'a.b' may hold letters"),
        (("a=x.npz", "a=y.npz"), "the name a is given twice"),
    ],
)
def test_an_option_that_names_no_file_is_refused(given, reason):
    with pytest.raises(UnusableInput, match=reason):
        Configuration.checked({"features": given})


def test_a_windows_path_is_one_file():
    given = Configuration.checked({"features": (r"mine=C:\data\a=b,c.npz",)})
    assert {name: str(path) for name, path in given.feature_files().items()} == {
        "features:mine": r"C:\data\a=b,c.npz"
    }


def test_ids_of_whole_images_are_no_ids_of_the_crops_cut_from_them(tmp_path):
    """A path that fits an image and its lesions counts once."""
    crops = pd.DataFrame(
        {
            "crop_id": ["1.png", "1.png:lesion", "2.png", "2.png:lesion"],
            "path": ["1.png", "1.png", "2.png", "2.png"],
        }
    )
    path = tmp_path / "mine.npz"
    np.savez(path, ids=np.array(["2.png", "1.png"]), X=X[:2])
    matched = match_rows(read_features(path), crops, tmp_path)
    assert (matched.by, matched.rows.tolist()) == ("crop_id", [1, -1, 0, -1])


@pytest.mark.parametrize(
    "name",
    [
        *("cancer", "biopsy", "invasive", "difficult_negative_case", "classification"),
        *("Difficult Negative Case", "BIRADS", "breast_birads", "finding_birads", "is_malignant"),
        *("cancer_label", "prediction_id", "subtype"),
    ],
)
def test_what_was_found_is_no_feature(tmp_path, name):
    frame(name="image_id", **{name: [0, 1, 0, 1]}).to_csv(tmp_path / "a.csv", index=False)
    found = read_features(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.matrix, X)
    assert found.remarks == (f"columns that are no features: {name!r}",)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_that_are_named_unlike_features_are_told(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    table = frame(name="image_id", age=[61, 61, 55, 70], implant=[0, 0, 0, 1], cancer=[0, 0, 1, 1])
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    found = read_features(path)
    assert found.matrix.shape == (4, 5)
    assert found.remarks[0].startswith("columns that are no features: 'cancer'")
    assert found.remarks[-1] == "columns taken as features: age, implant"


def test_a_name_without_a_neighbour_says_where_names_are_listed() -> None:
    given = [ImportedFeatures("features:mine", "", "", 3, "")]
    with pytest.raises(UnknownBackbone, match=r"mine: .*of that file are features:mine$"):
        described("mine", None, given)
    with pytest.raises(UnknownBackbone, match=r"bench list extractors.* --plugin FILE"):
        described("zzqqjj", None, given)
    with pytest.raises(UnknownBackbone, match=r"did you mean [^`]*\?$"):
        described("timm:resnet19", None, given)
