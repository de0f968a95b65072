"""What can be named is listed within the terminal, as JSON, and offered to the shell."""

import json
import os

import pytest
from typer.testing import CliRunner, Result

from bench import __main__ as module
from bench.cli import EXIT_STATUS, app
from bench.commands.completion import completed, completes
from bench.errors import INTERRUPTED, UnusableInput, WorkStopped

LISTS = (
    ("extractors",),
    ("extractors", "--long"),
    ("extractors", "--medical"),
    ("extractors", "--medical", "--long"),
    ("classifiers",),
    ("datasets",),
    ("protocols",),
    ("presets",),
)


def listed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["list", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_lists_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in LISTS:
        printed = listed(*arguments).stdout
        # A page's address is folded in a table, and never cut in a paragraph.
        wide = [n for n in printed.splitlines() if len(n) > width and "https://" not in n]
        assert not wide, arguments


def test_extractors_stand_in_one_line_each_without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.planning.presets import DEFAULT_EXTRACTORS

    monkeypatch.setenv("COLUMNS", "80")
    printed = listed("extractors").stdout
    assert all(printed.count(name) == 1 for name in DEFAULT_EXTRACTORS if name.startswith("timm"))
    assert "https://" not in printed
    assert ".pth" not in printed
    monkeypatch.delenv("COLUMNS")
    assert "https://download.pytorch.org/models/alexnet" in listed("extractors", "--long").stdout


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("extractors",), "extractor"),
        (("extractors", "--medical"), "id"),
        (("classifiers",), "classifier"),
        (("datasets",), "data_set"),
        (("protocols",), "protocol"),
    ],
)
def test_lists_are_json_on_request(arguments: tuple[str, ...], key: str) -> None:
    rows = json.loads(listed(*arguments, "--json").stdout)
    assert len(rows) > 5
    assert len({row[key] for row in rows}) == len(rows)


def test_presets_and_recipes_are_json_on_request() -> None:
    found = json.loads(listed("presets", "--json").stdout)
    assert [row["preset"] for row in found["presets"]] == ["quick", "thesis", "full"]
    assert {row["preset"] for row in found["recipes"]} == {"quick", "thesis", "full"}


def test_the_last_of_several_names_is_completed() -> None:
    known = ("linear", "cubic", "linear_probe")
    assert completed("lin", known) == ["linear", "linear_probe"]
    assert completed("linear,", known) == ["linear,cubic", "linear,linear_probe"]
    assert completed("x", known) == []


@pytest.mark.parametrize(
    ("option", "typed", "offered"),
    [
        ("extractors", "cvt", "cvt_13"),
        ("classifiers", "medium", "medium_gaussian"),
        ("protocols", "pat", "patient-cv"),
        ("dataset", "mi", "mias"),
        ("region", "", "context"),
    ],
)
def test_options_complete_the_names_that_they_take(option: str, typed: str, offered: str) -> None:
    complete = completes(option)
    assert complete is not None
    assert offered in complete(typed)


def test_paths_are_left_to_the_shell() -> None:
    assert completes("data") is None


def test_the_shell_asks_the_command_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `bench` is called by the script that `--show-completion bash` prints."""
    monkeypatch.setattr(module.sys, "argv", ["bench"])
    # As a script that an installation has made, and no module that runs.
    monkeypatch.setattr(module.sys.modules["__main__"], "__package__", None, raising=False)
    monkeypatch.setitem(os.environ, "_BENCH_COMPLETE", "complete_bash")
    monkeypatch.setitem(os.environ, "COMP_WORDS", "bench\nall\n--protocols\npat")
    monkeypatch.setitem(os.environ, "COMP_CWORD", "3")
    with pytest.raises(SystemExit):
        module.main()
    assert capsys.readouterr().out.split() == ["patient-cv"]


def test_completion_is_of_the_command_on_the_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The shell is named here, and not found by a look at the processes above.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    monkeypatch.setattr(module.sys, "argv", ["/src/bench/__main__.py", "--show-completion", "zsh"])
    with pytest.raises(SystemExit):
        module.main()
    assert capsys.readouterr().out.startswith("#compdef bench\n")


def test_help_says_what_an_exit_status_means() -> None:
    for arguments in ((), ("all",)):
        printed = CliRunner().invoke(app, [*arguments, "--help"]).stdout
        said = printed[printed.index("Exit status") :].splitlines()[1:]
        statuses = [int(line.split()[0]) for line in said if line.strip()]
        assert statuses == [0, WorkStopped.status, UnusableInput.status, INTERRUPTED]
    assert EXIT_STATUS.startswith("\b\n")


@pytest.mark.parametrize("group", [(), *((name,) for name in ("cache", "data", "list", "plugin"))])
def test_help_cuts_no_sentence_of_a_command(group: tuple[str, ...]) -> None:
    printed = CliRunner().invoke(app, [*group, "--help"]).stdout
    assert "Commands:" in printed
    assert "..." not in printed.partition("Commands:")[2]


def test_help_of_all_has_its_options_in_groups() -> None:
    printed = CliRunner().invoke(app, ["all", "--help"]).stdout
    headings = ("Data", "Systems", "Protocols", "Resources", "Output")
    places = [printed.index(f"\n{name}:\n") for name in headings]
    assert places == sorted(places)
