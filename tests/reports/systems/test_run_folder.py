"""An altered folder is told by reading it; what then goes wrong is an error of the program."""

import datetime
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import UnusableInput
from reports.evaluation import Evaluation
from reports.systems.run_folder import RunFolderError, read_run
from reports.values import by_size

VALUES = {
    "missing": None,
    "text": "x\ny",
    "number": -1.5,
    "infinite": float("inf"),
    "list": [1, 2],
    "mapping": {"a": 1},
    "bytes": b"\xff\x00",
    "date": datetime.date(1, 1, 1),
    "truth": True,
}


@pytest.fixture
def own_copy(made_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_run, tmp_path / "run"))


def pooled(evaluation: Evaluation) -> object:
    return evaluation.honest, evaluation.close, evaluation.headline, evaluation.pairs


def tables(evaluation: Evaluation) -> object:
    return evaluation.tables


@pytest.fixture(scope="module")
def small_run(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(
        tmp_path_factory.mktemp("small") / "run",
        extractors=("timm:vit_small_patch16_224",),
        subsets=("mass",),
        protocols=(("patient-cv", 1, 2),),
        n=24,
    )


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("table", ["units", "predictions", "lesions"])
@pytest.mark.parametrize("whole", [True, False], ids=["a column", "a cell"])
@pytest.mark.parametrize(
    "show", [pooled, pytest.param(tables, marks=pytest.mark.slow)], ids=lambda show: show.__name__
)
def test_whatever_a_column_holds_it_is_read_or_refused_in_a_line(
    small_run: Path,
    tmp_path: Path,
    table: str,
    kind: str,
    whole: bool,
    show: Callable[[Evaluation], object],
) -> None:
    folder = Path(shutil.copytree(small_run, tmp_path / "run"))
    file = folder / f"{table}.parquet"
    content = pq.read_table(file)
    refusals = {}
    for place, name in enumerate(content.column_names):
        rows = content.num_rows
        values = [VALUES[kind]] * rows if whole else content.column(name).to_pylist()
        values[0] = VALUES[kind]
        try:
            column = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            continue  # no column can hold both
        pq.write_table(content.set_column(place, name, column), file)
        try:
            show(Evaluation.of(read_run(folder)))
        except RunFolderError as error:
            refusals[name] = str(error)
    for name, line in refusals.items():
        assert "\n" not in line
        assert file.name in line
        assert name in line or "unit" in line
    if whole and kind in ("list", "mapping", "bytes"):
        assert list(refusals) == content.column_names


def test_two_columns_of_one_name_are_refused(own_copy: Path) -> None:
    file = own_copy / "units.parquet"
    content = pq.read_table(file)
    pq.write_table(content.append_column("fold", content.column("fold")), file)
    with pytest.raises(RunFolderError, match="two columns have the name fold"):
        read_run(own_copy)


@pytest.mark.parametrize("command", ["report", "compare"])
def test_an_altered_folder_ends_a_command_in_one_line(own_copy: Path, command: str) -> None:
    units = pd.read_parquet(own_copy / "units.parquet").assign(threshold="high")
    units.to_parquet(own_copy / "units.parquet")
    arguments = [command, str(own_copy), *([str(own_copy)] if command == "compare" else [])]
    ended = CliRunner().invoke(app, arguments)
    assert isinstance(ended.exception, UnusableInput)
    assert "threshold must hold numbers, got 'high'" in str(ended.exception)


@pytest.mark.parametrize("error", [KeyError("auc"), TypeError("no"), ValueError("no")])
@pytest.mark.parametrize("command", ["report", "compare"])
def test_an_error_of_the_program_is_not_blamed_on_the_folder(
    own_copy: Path, command: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("reports.evaluation.Evaluation.of", fail)
    monkeypatch.setattr("reports.two_runs._table", fail)
    arguments = [command, str(own_copy), *([str(own_copy)] if command == "compare" else [])]
    assert CliRunner().invoke(app, arguments).exception is error


def test_text_with_numbers_is_sorted_by_their_size() -> None:
    sizes = ["141", "16", "8", "24 (estimated)", "1e+06", "0.5", "auto", ""]
    ordered = ["", "0.5", "8", "16", "24 (estimated)", "141", "1e+06", "auto"]
    assert sorted(sizes, key=by_size) == ordered
