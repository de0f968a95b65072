"""What ends the program in one line and status 2."""

import sys

import pytest

from bench import __main__ as command_line
from bench import cli


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "too little memory: MemoryError"),
        (ImportError("libx.so: failed to map segment from shared object"), "libx.so"),
        (FileExistsError(17, "File exists", "out"), "out: is there already, and is no folder"),
        (RuntimeError("can't start new thread"), "too little memory: can't start new thread"),
    ],
)
def test_what_the_machine_lacks_is_said_in_one_line(
    error: Exception,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", run)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_no_module_of_pythons_own_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(**_: object) -> None:
        raise AttributeError("a mistake of the program")

    monkeypatch.setattr(cli, "app", run)
    monkeypatch.setattr("sys.path", ["/", *sys.path])
    with pytest.raises(AttributeError, match="a mistake of the program"):
        command_line.main()


def test_any_other_error_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(**_: object) -> None:
        raise ImportError("no module named x")

    monkeypatch.setattr(cli, "app", run)
    with pytest.raises(ImportError, match="no module named x"):
        command_line.main()


def test_an_interrupt_before_any_command_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", run)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "bench: interrupted\n"
