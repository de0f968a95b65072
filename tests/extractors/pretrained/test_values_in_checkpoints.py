"""Plain values that training scripts leave beside the weights, and code, which is never run."""

import argparse
import datetime
import io
import pathlib
import pickle
import types
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extractors import BackboneError
from extractors.pretrained.checkpoints import read_state_dict

STATE = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


def saved(folder: Path, content: Any, **options: Any) -> Path:
    torch.save(content, folder / "mine.pth", **options)
    return folder / "mine.pth"


def assert_read(path: Path) -> None:
    found = read_state_dict(path)
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


VALUES = [
    *(kind(3) for kind in (np.float64, np.float32, np.float16, np.int64, np.uint8, np.bool_)),
    *(np.str_("best"), np.bytes_(b"best"), np.complex128(1j), np.datetime64("2026-01-01")),
    *(np.arange(5), np.eye(3, dtype=np.float32), np.asfortranarray(np.eye(2)), np.array([])),
    np.array(["benign", "malignant"]),
    np.array([None, "a"], dtype=object),
    np.zeros(2, dtype=[("epoch", "i4"), ("auc", "f8")]),
    *(np.dtype("f4"), np.float32, np.random.RandomState(0).get_state()),
    *(Path("runs/best"), pathlib.PurePosixPath("/data"), pathlib.PureWindowsPath("C:/data")),
    *(datetime.datetime(2026, 1, 2), datetime.timedelta(seconds=3)),
    *(argparse.Namespace(lr=np.float64(0.1), out=Path("x")), types.SimpleNamespace(lr=0.1)),
    defaultdict(list, a=[np.float64(1)]),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_plain_values_beside_the_weights(tmp_path: Path, value: Any) -> None:
    for content in (
        {"model": STATE, "best": value},
        {"best": [value, {"again": value}], "epoch": 3, "state_dict": STATE},
        {**STATE, "best": value},
    ):
        assert_read(saved(tmp_path, content))
    assert_read(saved(tmp_path, {"model": STATE, "a": value}, _use_new_zipfile_serialization=False))


def test_names_of_older_numpy(tmp_path: Path) -> None:
    """NumPy 1 wrote `numpy.core`, NumPy 2 writes `numpy._core`; both are read."""
    path = saved(tmp_path, {"model": STATE, "auc": np.float64(0.5), "curve": np.arange(3)})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (name,) = (name for name in parts if name.endswith("data.pkl"))
    assert b"numpy._core.multiarray" in parts[name]
    parts[name] = parts[name].replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    assert_read(path)


class Runs:
    """What is called when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_code_is_refused_and_never_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    calls = [
        Runs(__import__("os").system, f"touch {touched}"),
        Runs(eval, f"open({str(touched)!r}, 'w')"),
        Runs(Path.touch, touched),
        Runs(np.load, str(tmp_path / "x.npy")),
        Runs(np.fromfile, str(tmp_path / "x.npy")),
        Runs(np.ndarray.tofile, np.arange(3), str(touched)),
        torch.nn.Linear(2, 2),
    ]
    for call in calls:
        path = saved(tmp_path, {"model": STATE, "more": call})
        with pytest.raises(BackboneError) as caught:
            read_state_dict(path)
        (line,) = str(caught.value).splitlines()
        assert "it would run code when read" in line
        assert not touched.exists()


def test_what_is_no_value_of_numpys_is_never_built(tmp_path: Path) -> None:
    """Neither its constructors nor `__setstate__` run: a dtype could lie about memory."""
    from numpy._core import multiarray

    huge = Runs(multiarray._reconstruct, np.ndarray, (10**15,), np.dtype("f8"))
    assert_read(saved(tmp_path, {"model": STATE, "more": huge}))


def test_a_file_in_another_protocol_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": STATE}, pickle_protocol=4)
    with pytest.raises(BackboneError, match="a pickle protocol above 2"):
        read_state_dict(path)
    stream = io.BytesIO()
    pickle.dump({"model": {"fc.weight": np.eye(2)}}, stream)
    (tmp_path / "plain.pkl").write_bytes(stream.getvalue())
    with pytest.raises(BackboneError) as caught:
        read_state_dict(tmp_path / "plain.pkl")
    assert len(str(caught.value).splitlines()) == 1
