"""Tables keep to the terminal's width and lose nothing; in a pipe each row is one line."""

import pytest

from bench.commands.compare import COLUMNS
from bench.commands.printing import print_table

NAMES = ("timm:swin_tiny_patch4_window7_224", "torchvision:resnet50", "mine")
LONG = "get model.safetensors from https://example.org/" + "a" * 90
# A cell a column of `compare`, the widest table there is.
COMPARED = ("mass", "rotated-by-patient", NAMES[0], "medium_gaussian+pca+tuned", "0.701", "0.722")
FURTHER = ("0.021 [-0.033, 0.071]", "0.812", "not told apart", "0.071", "seed 0 and 1, size 256")


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (("extractor", "input", "what"), [(name, "224 px", LONG) for name in NAMES]),
        ((*COLUMNS, "auc, first", "second", *FURTHER), [(*COMPARED, *FURTHER)] * 2),
        (("note", "more [words]"), [("[bold]", None), ("größe 测试", "x " * 200)]),
        (("a", "b"), []),
    ],
)
def test_a_table_fits_the_terminal_and_keeps_every_letter(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    columns: tuple[str, ...],
    rows: list[tuple[str | None, ...]],
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(width))
    print_table("", columns, rows)
    printed = capsys.readouterr().out
    assert max(map(cell_len, printed.splitlines()), default=0) <= width
    # Folded cells stand in several lines: the letters are all there.
    for cell in {cell for row in rows for cell in row if cell}:
        assert printed.count(cell[-1]) >= 1
        assert all(printed.count(letter) >= cell.count(letter) for letter in set(cell) - {" "})


def test_names_stand_whole_where_there_is_room_for_the_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [(name, "augreg_in21k_ft_in1k", "224 px", "trained in the run: a net") for name in NAMES]
    print_table("", ("extractor", "weights", "input", "cached?"), rows)
    printed = capsys.readouterr().out
    assert all(name in printed.split() for name in NAMES)
    assert printed.count("augreg_in21k_ft_in1k") == len(NAMES)


def test_too_many_columns_become_blocks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = tuple(f"a_column_{n}" for n in range(12))
    monkeypatch.setenv("COLUMNS", "80")
    print_table("", columns, [tuple(f"value_{n}" for n in range(12))])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [[f"a_column_{n}", f"value_{n}"] for n in range(12)]


def test_a_pipe_has_no_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table("", ("name", "what"), [("one", LONG), ("two", LONG)])
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("width", ["1", "7"])
def test_cells_have_room_on_the_narrowest_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    print_table("", ("preset", "what for"), [("quick", "minutes on the phantom")])
    printed = "".join(capsys.readouterr().out.split())
    assert "quick" in printed
    assert all(printed.count(letter) for letter in "minutesonthephantom")
